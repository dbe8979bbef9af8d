//! When an instance's objects are looked at together, and which of them.
//!
//! An object is looked at by itself some time before its interval has passed. Where an instance has many, looking at
//! all of them together costs its server as little as looking at a few, so that happens first. A sweep does not see
//! everything that a look does (passwords are tried out, sizes are read): so each leaves a few to be looked at by
//! themselves, those first for which that is longest ago. The objects of such an instance have no other clock.

use std::time::Duration;

/// With fewer objects than this, each is looked at by itself.
pub const WORTH_A_SWEEP: usize = 32;
/// So many of them have to be near their time. Objects that were looked at one after the other never are all at once.
pub const NEAR: usize = 16;
/// So many of these are left to be looked at by themselves.
pub const BY_THEMSELVES: usize = 8;

/// An object that is to be looked at from time to time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due<T> {
    /// The object.
    pub object: T,
    /// How long ago it was looked at, by itself or in a sweep.
    pub age: Duration,
    /// How long ago it was looked at by itself.
    pub alone: Duration,
    /// Its interval.
    pub interval: Duration,
    /// It waits for its first sweep since the process began, and has a timer for the case that none comes.
    pub is_first: bool,
}

impl<T> Due<T> {
    /// From when on it is taken along: another sweep would come too late for it, or soon.
    fn is_near_in(&self) -> Duration {
        self.interval.mul_f64(0.5).saturating_sub(self.age)
    }

    /// When it is looked at by itself although a sweep may take it: one should have, and did not.
    fn is_forgotten_in(&self) -> Option<Duration> {
        (!self.is_first).then(|| self.interval.mul_f64(1.1).saturating_sub(self.age))
    }

    /// When a sweep has to begin for it: before it is looked at by itself, which may be after nine tenths.
    fn begins_in(&self) -> Duration {
        self.interval.mul_f64(0.8).saturating_sub(self.age)
    }
}

/// What to do about an instance's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan<T> {
    /// There are many.
    Many {
        /// Look at these together.
        together: Vec<T>,
        /// Those that this sweep leaves, or whose time has come and that are in none.
        alone: Vec<T>,
        /// A sweep should have taken these along for some time: where it cannot begin now either, look at them too.
        forgotten: Vec<T>,
        /// Ask again after this time.
        again: Option<Duration>,
    },
    /// There are too few: each has a time of its own.
    Never,
}

/// Decides about all of an instance's objects.
pub fn plan<T: Clone>(objects: Vec<Due<T>>) -> Plan<T> {
    if objects.len() < WORTH_A_SWEEP {
        return Plan::Never;
    }
    let begins = begins_in(&objects);
    let (mut near, rest) = match begins {
        Some(Duration::ZERO) => objects.into_iter().partition(|one| one.is_near_in().is_zero()),
        Some(_) | None => (Vec::new(), objects),
    };
    near.sort_by_key(|one: &Due<T>| std::cmp::Reverse(one.alone));
    let swept = near.split_off(BY_THEMSELVES.min(near.len()));
    // Who waits for the first sweep goes on waiting where none begins.
    let left = || near.iter().chain(rest.iter().filter(|one| !one.is_first));
    let taken = || near.iter().chain(&swept).filter_map(|one| Some((one.is_forgotten_in()?, one)));
    let own = |one: &Due<T>| one.interval.saturating_sub(one.age);
    let waits = left().map(own).chain(taken().map(|(wait, _)| wait)).chain(begins);
    let again = waits.filter(|wait| !wait.is_zero()).min();
    let alone = left().filter(|one| own(one).is_zero()).map(|one| one.object.clone()).collect();
    let forgotten = taken().filter(|(wait, _)| wait.is_zero()).map(|(_, one)| one.object.clone()).collect();
    Plan::Many { together: swept.into_iter().map(|one| one.object).collect(), alone, forgotten, again }
}

/// When a sweep has to begin, if nothing else happens.
fn begins_in<T>(objects: &[Due<T>]) -> Option<Duration> {
    let first = objects.iter().map(Due::begins_in).min().filter(|first| !first.is_zero());
    first.or_else(|| {
        let mut waits: Vec<Duration> = objects.iter().map(Due::is_near_in).collect();
        waits.sort_unstable();
        waits.get(NEAR - 1).copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn due(object: usize, age: u32, alone: u32) -> Due<usize> {
        Due { object, age: MINUTE * age, alone: MINUTE * alone, interval: MINUTE * 10, is_first: false }
    }

    /// Who is swept, and who is looked at alone.
    fn planned(objects: Vec<Due<usize>>) -> (Vec<usize>, Vec<usize>, Option<Duration>) {
        let Plan::Many { together, alone, forgotten: _, again } = plan(objects) else { panic!("they are too few") };
        (together, alone, again)
    }

    /// Who is looked at where no sweep can begin.
    fn forgotten(objects: Vec<Due<usize>>) -> usize {
        let Plan::Many { forgotten, .. } = plan(objects) else { panic!("they are too few") };
        forgotten.len()
    }

    fn later(objects: Vec<Due<usize>>) -> Option<Duration> {
        let (together, alone, again) = planned(objects);
        assert_eq!((together, alone), (Vec::new(), Vec::new()));
        again
    }

    #[test]
    fn a_few_objects_are_looked_at_one_by_one() {
        assert_eq!(plan((0..WORTH_A_SWEEP - 1).map(|at| due(at, 9, 9)).collect()), Plan::Never);
        assert_eq!(plan(Vec::<Due<usize>>::new()), Plan::Never);
    }

    #[test]
    fn a_sweep_begins_before_the_first_object_is_looked_at_by_itself() {
        let mut objects: Vec<_> = (0..40).map(|at| due(at, 3, 3)).collect();
        assert_eq!(later(objects.clone()), Some(MINUTE * 5));
        objects[7].age = MINUTE * 6;
        assert_eq!(later(objects.clone()), Some(MINUTE * 2));
        for one in &mut objects {
            one.age += MINUTE * 2;
        }
        assert_eq!(planned(objects).0.len(), 40 - BY_THEMSELVES);
    }

    #[test]
    fn a_sweep_takes_along_what_would_be_due_before_the_next() {
        let objects = (0..100).map(|at| due(at, if at < 60 { 8 } else { 2 }, 8)).collect();
        let (swept, alone, again) = planned(objects);
        assert_eq!((swept.len(), alone), (60 - BY_THEMSELVES, Vec::new()));
        assert!(swept.iter().all(|at| *at < 60));
        // Those that were left to their own look.
        assert_eq!(again, Some(MINUTE * 2));
    }

    #[test]
    fn objects_that_came_one_after_the_other_are_brought_together() {
        let objects = (0..40u32).map(|at| due(usize::try_from(at).unwrap(), at / 4, at / 4)).collect();
        assert_eq!(planned(objects).0.len(), 20 - BY_THEMSELVES);
    }

    #[test]
    fn one_object_in_a_hurry_makes_no_sweep() {
        let mut objects: Vec<_> = (0..40).map(|at| due(at, 1, 1)).collect();
        objects[3] = Due { interval: Duration::from_secs(2), ..objects[3].clone() };
        // It is looked at by itself until enough others are near.
        assert_eq!(planned(objects.clone()), (Vec::new(), vec![3], Some(MINUTE * 4)));
        objects[3].age = Duration::from_millis(1_700);
        assert_eq!(later(objects), Some(Duration::from_millis(300)));
    }

    #[test]
    fn whoever_was_not_looked_at_alone_for_longest_is_left_to_it() {
        let mut objects: Vec<_> = (0..40u32).map(|at| due(usize::try_from(at).unwrap(), 8, 8 + at)).collect();
        let (mut swept, alone, _) = planned(objects.clone());
        swept.sort_unstable();
        assert_eq!((swept, alone), ((0..40 - BY_THEMSELVES).collect(), Vec::new()));
        for one in &mut objects {
            one.age = MINUTE * 10;
        }
        let (swept, mut alone, again) = planned(objects);
        alone.sort_unstable();
        assert_eq!((swept.len(), alone), (40 - BY_THEMSELVES, (40 - BY_THEMSELVES..40).collect()));
        assert_eq!(again, Some(MINUTE));
    }

    #[test]
    fn whoever_no_sweep_took_is_looked_at_by_itself_a_tenth_later() {
        let of_age = |age| -> Vec<_> { (0..40u32).map(|at| due(usize::try_from(at).unwrap(), age, age)).collect() };
        assert_eq!(forgotten(of_age(10)), 0);
        let mut objects = of_age(11);
        let (swept, alone, again) = planned(objects.clone());
        assert_eq!((swept.len(), alone.len(), again), (40 - BY_THEMSELVES, BY_THEMSELVES, None));
        assert_eq!(forgotten(objects.clone()), 40);
        // But for those that wait for their first sweep.
        for one in &mut objects {
            one.is_first = true;
        }
        let (swept, alone, _) = planned(objects.clone());
        assert_eq!((swept.len(), alone.len(), forgotten(objects)), (40 - BY_THEMSELVES, BY_THEMSELVES, 0));
    }

    #[test]
    fn who_waits_for_the_first_sweep_waits_while_there_are_too_few_for_one() {
        let mut objects: Vec<_> = (0..40).map(|at| due(at, 1, 1)).collect();
        for one in objects.iter_mut().take(NEAR - 1) {
            *one = Due { age: MINUTE * 1_000, is_first: true, ..one.clone() };
        }
        assert_eq!(later(objects), Some(MINUTE * 4));
    }
}

//! What a search of a server tells people: which of its objects belong to no resource, and since when that is known.

use std::collections::{BTreeMap, BTreeSet};

use crds::{DiscoveredResource, Time};

/// Entries of each list; the status of an object has its limits.
pub const MOST: usize = 200;

/// What one search found of one kind of object: no more of it than is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Belong to no resource: the first [`MOST`] by name.
    unmanaged: BTreeSet<String>,
    /// As many belong to no resource.
    count: usize,
    /// Belong to one, and were listed before.
    managed: BTreeSet<String>,
}

impl Found {
    /// The server has an object that belongs to no resource.
    pub fn unmanaged(&mut self, name: String) {
        self.count += usize::from(self.unmanaged.insert(name));
        if self.unmanaged.len() > MOST {
            self.unmanaged.pop_last();
        }
    }

    /// The server has an object that belongs to a resource.
    pub fn managed(&mut self, name: String, before: &[DiscoveredResource]) {
        if before.iter().any(|one| one.name == name) {
            self.managed.insert(name);
        }
    }

    /// How many belong to no resource.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// The list to show, and how many more belong to no resource.
///
/// What was listed before keeps the time it was first seen at; what a resource has adopted since stays, and says so,
/// for as long as it exists. What is gone from the server is gone from the list.
pub fn list(before: &[DiscoveredResource], found: &Found, now: &Time) -> (Vec<DiscoveredResource>, u32) {
    let known: BTreeMap<&str, &DiscoveredResource> = before.iter().map(|one| (one.name.as_str(), one)).collect();
    let since = |name: &str| known.get(name).and_then(|one| one.discovered.clone()).unwrap_or_else(|| now.clone());
    let adopted = found.managed.iter().filter(|name| known.contains_key(name.as_str()));
    let unmanaged = found.unmanaged.iter().map(|name| (name, None));
    let all: BTreeMap<&String, Option<bool>> = unmanaged.chain(adopted.map(|name| (name, Some(true)))).collect();
    let omitted = found.count.saturating_sub(all.iter().take(MOST).filter(|(_, adopted)| adopted.is_none()).count());
    let shown = all
        .into_iter()
        .take(MOST)
        .map(|(name, adopted)| DiscoveredResource { name: name.clone(), discovered: Some(since(name)), adopted })
        .collect();
    (shown, u32::try_from(omitted).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time::from(jiff::Timestamp::from_second(second).unwrap())
    }

    fn found(unmanaged: &[&str], managed: &[&str], before: &[DiscoveredResource]) -> Found {
        let mut found = Found::default();
        for name in unmanaged {
            found.unmanaged((*name).to_owned());
        }
        for name in managed {
            found.managed((*name).to_owned(), before);
        }
        found
    }

    #[test]
    fn what_was_listed_keeps_its_time_and_says_when_it_was_adopted() {
        let (first, omitted) = list(&[], &found(&["legacy", "old"], &["ours"], &[]), &at(10));
        assert_eq!(first.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["legacy", "old"]);
        assert!(omitted == 0 && first.iter().all(|one| one.discovered == Some(at(10)) && one.adopted.is_none()));
        let (second, _) = list(&first, &found(&["new"], &["legacy", "ours"], &first), &at(20));
        let told: Vec<_> = second.iter().map(|one| (one.name.as_str(), one.adopted)).collect();
        assert_eq!(told, [("legacy", Some(true)), ("new", None)]);
        assert_eq!((second[0].discovered.clone(), second[1].discovered.clone()), (Some(at(10)), Some(at(20))));
        let (third, _) = list(&second, &found(&[], &["ours"], &second), &at(30));
        assert!(third.is_empty(), "{third:?}");
    }

    #[test]
    fn the_list_has_an_end_and_says_so() {
        let names: Vec<String> = (0..MOST + 5).map(|index| format!("db{index:04}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let all = found(&names, &[], &[]);
        let (shown, omitted) = list(&[], &all, &at(1));
        assert_eq!((shown.len(), omitted), (MOST, 5));
        assert_eq!((all.unmanaged.len(), all.count()), (MOST, MOST + 5), "what is not told is not kept");
    }
}

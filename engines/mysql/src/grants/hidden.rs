//! Rights on databases that stand in each other's way. Pure.
//!
//! Of all the entries at database level that match a database's name, the server looks at the most special one alone
//! (MySQL: "Access Control, Stage 2"): a right on one database takes the place of what its holder has by a pattern.
//! So `GRANT ALL ON app_db.*`, as people write it, is a pattern that a right on exactly this database would hide.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::matches_pattern;
use crate::observe::rights::{Object, Right};
use crate::quote::plain_name;
use crate::statements::grant::Grantee;

/// What one account will have at database level, entry by entry.
pub(super) struct Entries<'known> {
    grantee: &'known Grantee,
    /// The privileges by the pattern that they are on.
    all: BTreeMap<&'known str, BTreeSet<&'known str>>,
    /// Patterns of which there is an entry already, which hides what it hides.
    standing: BTreeSet<&'known str>,
}

impl<'known> Entries<'known> {
    /// Of an account that keeps `stays` and is given `comes`.
    pub(super) fn of(
        grantee: &'known Grantee,
        stays: impl Iterator<Item = &'known Right>,
        comes: impl Iterator<Item = &'known Right>,
    ) -> Self {
        let mut entries = Self { grantee, all: BTreeMap::new(), standing: BTreeSet::new() };
        for (pattern, privilege) in stays.filter_map(entry) {
            entries.all.entry(pattern).or_default().insert(privilege);
            entries.standing.insert(pattern);
        }
        for (pattern, privilege) in comes.filter_map(entry) {
            entries.all.entry(pattern).or_default().insert(privilege);
        }
        entries
    }

    /// What keeps a right from being given to the account: words for what others would be lost, or would hide it.
    pub(super) fn obstacle(&self, right: &Right) -> Option<String> {
        let (ours, privilege) = entry(right)?;
        self.all.keys().find_map(|&other| {
            let (wide, narrow) = if covers(other, ours) && !self.standing.contains(ours) {
                (other, ours)
            } else if covers(ours, other) {
                (ours, other)
            } else {
                return None;
            };
            let lost: Vec<&str> = self.all.get(wide)?.difference(self.all.get(narrow)?).copied().collect();
            let concerns_us = narrow == ours || lost.contains(&privilege);
            (concerns_us && !lost.is_empty()).then(|| {
                let Grantee { user, host } = self.grantee;
                let name = plain_name(narrow).unwrap_or_else(|| narrow.to_owned());
                format!(
                    "{user}@{host} has rights by the pattern {wide}, which the server does not look at for a database \
                     with rights of its own: state {} on {name} as well, or have them taken from the pattern",
                    lost.join(", ")
                )
            })
        })
    }
}

/// The pattern and the privilege of a right at database level.
fn entry(right: &Right) -> Option<(&str, &str)> {
    match &right.object {
        Object::Database(pattern) => Some((pattern, &right.privilege)),
        Object::Global | Object::Table(..) | Object::Column(..) | Object::Routine(..) => None,
    }
}

/// Whether the one pattern means what the other one names, and more.
fn covers(wide: &str, narrow: &str) -> bool {
    let name = || plain_name(narrow).unwrap_or_else(|| narrow.replace('\\', ""));
    wide != narrow && plain_name(wide).is_none() && matches_pattern(wide, &name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(pattern: &str, privilege: &str) -> Right {
        let object = Object::Database(pattern.to_owned());
        Right { object, privilege: privilege.to_owned(), grantable: false }
    }

    /// Whether giving `wanted` to somebody who has `held` is in the way of something.
    fn is_hidden(wanted: &[(&str, &str)], held: &[(&str, &str)]) -> bool {
        let wanted: Vec<Right> = wanted.iter().map(|(pattern, privilege)| right(pattern, privilege)).collect();
        let held: BTreeSet<Right> = held.iter().map(|(pattern, privilege)| right(pattern, privilege)).collect();
        let grantee = Grantee { user: "app".to_owned(), host: "%".to_owned() };
        let entries = Entries::of(&grantee, held.iter(), wanted.iter());
        wanted.iter().any(|one| entries.obstacle(one).is_some())
    }

    #[test]
    fn a_right_on_one_database_must_not_hide_what_a_pattern_gives() {
        assert!(is_hidden(&[("app\\_db", "SELECT")], &[("app_db", "SELECT"), ("app_db", "INSERT")]));
        assert!(is_hidden(&[("app\\_db", "SELECT")], &[("app%", "INSERT")]));
        assert!(is_hidden(&[("app\\_%", "SELECT")], &[("app%", "INSERT")]));
        // Nothing is lost, nothing matches, or it is there and hides already.
        assert!(!is_hidden(&[("app\\_db", "SELECT"), ("app\\_db", "INSERT")], &[("app_db", "INSERT")]));
        assert!(!is_hidden(&[("app\\_db", "SELECT")], &[("other%", "INSERT")]));
        assert!(!is_hidden(&[("app\\_db", "SELECT")], &[("app\\_db", "INSERT"), ("app_db", "UPDATE")]));
        assert!(!is_hidden(&[("shop", "SELECT")], &[("shop", "INSERT")]));
    }

    #[test]
    fn a_right_by_a_pattern_must_reach_what_it_names() {
        assert!(is_hidden(&[("app%", "SELECT")], &[("app\\_db", "INSERT")]));
        assert!(!is_hidden(&[("app%", "SELECT")], &[("app\\_db", "INSERT"), ("app\\_db", "SELECT")]));
        assert!(!is_hidden(&[("app%", "SELECT")], &[("shop", "INSERT")]));
    }
}

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

/// What keeps this right from being given to the account: words for what others would be lost, or would hide it.
/// `entries` are all that the account will hold, and `before` is what it holds now.
pub(super) fn hidden<'known>(
    right: &Right,
    grantee: &Grantee,
    entries: impl Iterator<Item = &'known Right>,
    before: &BTreeSet<Right>,
) -> Option<String> {
    let Object::Database(ours) = &right.object else { return None };
    let mut rows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in entries {
        if let Object::Database(pattern) = &one.object {
            rows.entry(pattern).or_default().insert(&one.privilege);
        }
    }
    let stands = |pattern: &str| before.iter().any(|one| one.object == Object::Database(pattern.to_owned()));
    rows.keys().find_map(|other| {
        let (wide, narrow) = if covers(other, ours) && !stands(ours) {
            (*other, ours.as_str())
        } else if covers(ours, other) {
            (ours.as_str(), *other)
        } else {
            return None;
        };
        let lost: Vec<&str> = rows.get(wide)?.difference(rows.get(narrow)?).copied().collect();
        let concerns_us = narrow == ours || lost.contains(&right.privilege.as_str());
        (concerns_us && !lost.is_empty()).then(|| {
            let Grantee { user, host } = grantee;
            let name = plain_name(narrow).unwrap_or_else(|| narrow.to_owned());
            format!(
                "{user}@{host} has rights by the pattern {wide}, which the server does not look at for a database with \
                 rights of its own: state {} on {name} as well, or have them taken from the pattern",
                lost.join(", ")
            )
        })
    })
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
        wanted.iter().any(|one| hidden(one, &grantee, held.iter().chain(&wanted), &held).is_some())
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

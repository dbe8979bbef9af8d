//! What a status tells of the rights in numbers, and object by object up to a bound.
//!
//! What is to be taken back is not here but in `held`, which has everything.

use std::collections::BTreeSet;

use crds::{AppliedGrantsInfo, GrantDetail, HeldRight, Time};

use super::super::rights;

/// A status is for people too: more objects than this are only counted.
const DETAILS: usize = 200;

/// Without the times, for comparison.
pub(super) fn without_times(mut numbers: AppliedGrantsInfo) -> AppliedGrantsInfo {
    numbers.details.iter_mut().for_each(|detail| detail.applied_at = None);
    numbers
}

/// With this time everywhere.
pub(super) fn at_time(mut numbers: AppliedGrantsInfo, time: &Time) -> AppliedGrantsInfo {
    numbers.details.iter_mut().for_each(|detail| detail.applied_at = Some(time.clone()));
    numbers
}

/// The numbers, where so many differences remain.
pub(super) fn numbers(held: &[HeldRight], remain: usize, has_schemas: bool) -> AppliedGrantsInfo {
    let is_membership = |right: &&HeldRight| right.level == "membership";
    let is_default = |right: &&HeldRight| rights::plain_level(&right.level) == DEFAULT;
    let is_direct = |right: &&HeldRight| !is_membership(right) && !is_default(right);
    let mut roles: Vec<_> = held.iter().filter(is_membership).flat_map(rights::objects).flatten().collect();
    roles.dedup();
    let given: Vec<&HeldRight> = held.iter().filter(|right| !is_membership(right)).collect();
    let details: Vec<GrantDetail> = given
        .iter()
        .flat_map(|&right| rights::objects(right).into_iter().map(move |object| detail(right, &object, has_schemas)))
        .take(DETAILS)
        .collect();
    let entries: usize = given.iter().map(|right| right.names.len().max(1)).sum();
    let left_out = entries.saturating_sub(details.len());
    AppliedGrantsInfo {
        applied: Some(number(count(held))),
        failed: Some(number(remain)),
        roles,
        direct_grants: Some(number(count(held.iter().filter(is_direct)))),
        default_privileges: Some(number(count(held.iter().filter(is_default)))),
        details,
        details_left_out: (left_out > 0).then(|| number(left_out)),
    }
}

/// The level of rights on future objects; see `wit/grant.wit`.
const DEFAULT: &str = "default";

/// Where the schema is in the path of a right on future objects.
const SCHEMA_OF_DEFAULT: usize = 3;

fn detail(right: &HeldRight, object: &[String], has_schemas: bool) -> GrantDetail {
    let place = if rights::plain_level(&right.level) == DEFAULT { SCHEMA_OF_DEFAULT } else { 1 };
    GrantDetail {
        database: object.first().cloned(),
        schema: object.get(place).filter(|_| has_schemas).cloned(),
        privileges: right.privileges.clone(),
        applied_at: None,
        status: Some("Applied".to_owned()),
        message: Some(format!("{} {}", right.level, object.join("."))),
    }
}

/// Of objects: rights on one of them that differ in who gave them, or in whether they may be given on, count once.
fn count<'right>(held: impl IntoIterator<Item = &'right HeldRight>) -> usize {
    let of = |right: &'right HeldRight| rights::objects(right).into_iter().map(|object| (right.level.as_str(), object));
    held.into_iter().flat_map(of).collect::<BTreeSet<_>>().len()
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(level: &str, object: &[&str], names: &[String]) -> HeldRight {
        HeldRight {
            level: level.to_owned(),
            object: object.iter().map(|&name| name.to_owned()).collect(),
            names: names.to_vec(),
            privileges: vec!["SELECT".to_owned()],
            ..HeldRight::default()
        }
    }

    #[test]
    fn objects_are_told_of_up_to_a_bound_and_counted_beyond() {
        let names: Vec<String> = (0..5_000).map(|at| format!("t{at}")).collect();
        let held = [right("membership", &["team"], &[]), right("table", &["db", "app"], &names)];
        let numbers = numbers(&held, 0, true);
        assert_eq!((numbers.applied, numbers.direct_grants), (Some(5_001), Some(5_000)));
        assert_eq!((numbers.details.len(), numbers.details_left_out), (DETAILS, Some(4_800)));
        assert_eq!(numbers.roles, ["team"]);
    }

    #[test]
    fn rights_on_one_object_that_may_be_given_on_or_not_are_about_one_object() {
        let plain = right("table", &["db", "app", "t"], &[]);
        let held = [HeldRight { grantable: true, ..plain.clone() }, plain];
        assert_eq!(numbers(&held, 0, true).direct_grants, Some(1));
    }

    #[test]
    fn the_schema_is_told_on_every_level_that_is_in_one() {
        let held = [
            right("database", &["db"], &[]),
            right("schema", &["db", "app"], &[]),
            right("table", &["db", "app"], &["a".to_owned(), "b".to_owned()]),
            right("public function", &["db", "app", "f()"], &[]),
            right("column", &["db", "app", "t", "c"], &[]),
            right("default", &["db", "owner", "tables", "later"], &[]),
            right("default", &["db", "owner", "tables"], &[]),
        ];
        let told = numbers(&held, 0, true);
        let schemas: Vec<_> = told.details.iter().map(|detail| detail.schema.as_deref().unwrap_or("-")).collect();
        assert_eq!(schemas, ["-", "app", "app", "app", "app", "app", "later", "-"]);
        assert_eq!(told.default_privileges, Some(2));
        let told = numbers(&[right("table", &["db", "t"], &[])], 0, false);
        assert_eq!(told.details[0].schema, None);
    }
}

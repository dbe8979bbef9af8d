//! What a user owns on its server, which keeps it from being dropped: in words for people, and in its status.

use crds::names::reason;
use crds::{OwnershipBlockStatus, Time};
use planning::{Blocked, Class};
use sandbox::contract::OwnedObject;

use super::super::managed;

/// The time moves with the findings: it is no reason to write by itself.
pub(super) fn told_since(
    told: Option<OwnershipBlockStatus>,
    found: OwnershipBlockStatus,
    now: Time,
) -> OwnershipBlockStatus {
    let is_the_same =
        |told: &OwnershipBlockStatus| OwnershipBlockStatus { last_checked_at: None, ..told.clone() } == found;
    let since = told.filter(is_the_same).and_then(|told| told.last_checked_at);
    OwnershipBlockStatus { last_checked_at: Some(since.unwrap_or(now)), ..found }
}

pub(super) fn owns_objects(name: &str, owned: &[OwnedObject]) -> Blocked {
    let first: Vec<_> = owned.iter().take(3).map(|object| format!("{} {}", object.kind, object.name)).collect();
    let more = if owned.len() > first.len() { " and more" } else { "" };
    let message = format!("{name:?} owns {}{more}: {}", first.join(", "), managed::HAND_OVER);
    Blocked::failed(reason::OWNERSHIP_BLOCKS, message, Class::Refused)
}

pub(super) fn owned_object(object: OwnedObject) -> crds::OwnedObject {
    let OwnedObject { database, schema, name, kind } = object;
    crds::OwnedObject { database, schema, name, type_: kind }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn what_was_told_before_keeps_its_time() {
        let at = |second| Time::from(Timestamp::from_second(second).unwrap());
        let found = |message: &str| OwnershipBlockStatus { message: Some(message.to_owned()), ..Default::default() };
        let first = told_since(None, found("owns a table"), at(1));
        assert_eq!(told_since(Some(first.clone()), found("owns a table"), at(2)), first);
        let other = told_since(Some(first), found("owns a view"), at(3));
        assert_eq!(other.last_checked_at, Some(at(3)));
    }
}

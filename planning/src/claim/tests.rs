//! The table of who owns what.

use crds::InstanceId;

use super::*;
use crate::Class;

fn ours() -> Identity {
    Identity {
        cluster: "c1".into(),
        operator: "default".into(),
        kind: "Database".into(),
        namespace: "a".into(),
        name: "app".into(),
    }
}

fn recorded(nonce: &str, object_id: Option<&str>) -> Ownership {
    Ownership {
        name: "app".into(),
        server_identity: "s1".into(),
        nonce: nonce.into(),
        instance: InstanceId::namespaced("a", "pg"),
        engine: "postgres".into(),
        object_id: object_id.map(Into::into),
        comment: None,
        applied_generation: None,
        adopted: false,
        created_at: None,
        companions: Vec::new(),
    }
}

fn observed(mark: Option<(Identity, &str)>, object_id: &str) -> Observed {
    Observed {
        object_id: Some(object_id.into()),
        mark: mark.map(|(identity, nonce)| Mark { identity, nonce: nonce.into() }),
        abandoned: false,
        protected: false,
        privileged: false,
    }
}

fn of_another() -> Identity {
    Identity { namespace: "b".into(), ..ours() }
}

fn decide(recorded: Option<&Ownership>, observed: Option<&Observed>) -> Claim {
    claim(&ours(), recorded, observed, &[], &Adoption::NotAsked)
}

fn reason_of(claim: &Claim) -> &'static str {
    let Claim::Blocked(blocked) = claim else { panic!("{claim:?}") };
    blocked.reason
}

#[test]
fn what_is_absent_is_created() {
    assert_eq!(decide(None, None), Claim::Create);
    assert_eq!(decide(Some(&recorded("n", None)), None), Claim::Create);
    assert_eq!(decide(Some(&recorded("n", Some("1"))), None), Claim::Create);
}

#[test]
fn both_records_together_are_ownership() {
    assert_eq!(decide(Some(&recorded("n", None)), Some(&observed(Some((ours(), "n")), "1"))), Claim::Owned);
}

#[test]
fn a_mark_of_ours_is_reclaimed_where_status_was_lost() {
    let there = observed(Some((ours(), "old")), "1");
    assert_eq!(decide(None, Some(&there)), Claim::Reclaim { nonce: "old".into() });
    assert_eq!(decide(Some(&recorded("new", None)), Some(&there)), Claim::Reclaim { nonce: "old".into() });
}

#[test]
fn an_operator_partition_that_moved_keeps_its_objects() {
    let moved = Identity { operator: "blue".into(), ..ours() };
    assert_eq!(decide(Some(&recorded("n", None)), Some(&observed(Some((moved, "n")), "1"))), Claim::Owned);
}

#[test]
fn a_rewritten_mark_is_repaired_where_the_server_identity_of_the_object_is_recorded() {
    for mark in [None, Some((of_another(), "x")), Some((ours(), "x"))] {
        assert_eq!(decide(Some(&recorded("n", Some("1"))), Some(&observed(mark, "1"))), Claim::RepairMark);
    }
}

#[test]
fn an_object_that_was_dropped_and_made_again_by_somebody_is_not_ours() {
    let again = observed(None, "2");
    assert_eq!(reason_of(&decide(Some(&recorded("n", Some("1"))), Some(&again))), reason::ADOPTION_REQUIRED);
    let again = observed(Some((of_another(), "x")), "2");
    assert_eq!(reason_of(&decide(Some(&recorded("n", Some("1"))), Some(&again))), reason::CONFLICT);
}

#[test]
fn another_resources_object_is_never_taken_even_when_adoption_is_agreed() {
    let there = observed(Some((of_another(), "x")), "1");
    let agreed = Adoption::Agreed { privileged: true };
    assert_eq!(reason_of(&claim(&ours(), None, Some(&there), &[], &agreed)), reason::CONFLICT);
}

#[test]
fn what_a_resource_left_behind_is_taken_only_when_asked_and_agreed() {
    let there = Observed { abandoned: true, ..observed(Some((of_another(), "x")), "1") };
    assert_eq!(reason_of(&decide(None, Some(&there))), reason::ADOPTION_REQUIRED);
    let agreed = Adoption::Agreed { privileged: false };
    assert_eq!(claim(&ours(), None, Some(&there), &[], &agreed), Claim::Adopt);
    let holder = [Rival { recorded: true, earlier: false }];
    assert_eq!(reason_of(&claim(&ours(), None, Some(&there), &holder, &agreed)), reason::CONFLICT);
}

#[test]
fn an_unmarked_object_is_taken_only_when_asked_and_agreed() {
    let there = observed(None, "1");
    assert_eq!(reason_of(&decide(None, Some(&there))), reason::ADOPTION_REQUIRED);
    let agreed = Adoption::Agreed { privileged: false };
    assert_eq!(claim(&ours(), None, Some(&there), &[], &agreed), Claim::Adopt);
    let powerful = Observed { privileged: true, ..there };
    assert_eq!(reason_of(&claim(&ours(), None, Some(&powerful), &[], &agreed)), reason::PRIVILEGE_DENIED);
}

#[test]
fn the_servers_own_objects_are_never_managed_whatever_the_records_say() {
    let there = Observed { protected: true, ..observed(Some((ours(), "n")), "1") };
    let agreed = Adoption::Agreed { privileged: true };
    assert_eq!(
        reason_of(&claim(&ours(), Some(&recorded("n", Some("1"))), Some(&there), &[], &agreed)),
        reason::CONFLICT
    );
}

#[test]
fn the_later_of_two_claims_loses_and_the_recorded_one_always_wins() {
    let earlier = [Rival { recorded: false, earlier: true }];
    let later = [Rival { recorded: false, earlier: false }];
    let holder = [Rival { recorded: true, earlier: false }];
    let blocked = claim(&ours(), None, None, &earlier, &Adoption::NotAsked);
    assert_eq!(reason_of(&blocked), reason::CONFLICT);
    assert!(matches!(blocked, Claim::Blocked(Blocked { class: Class::Refused, .. })));
    assert_eq!(claim(&ours(), None, None, &later, &Adoption::NotAsked), Claim::Create);
    assert_eq!(reason_of(&claim(&ours(), None, None, &holder, &Adoption::NotAsked)), reason::CONFLICT);
    assert_eq!(claim(&ours(), Some(&recorded("n", None)), None, &earlier, &Adoption::NotAsked), Claim::Create);
}

//! Who may name what.

use crds::{DatabaseReferenceGrantSpec, ReferenceGrantFrom, ReferenceGrantTo};

use super::*;

fn ours() -> Identity {
    Identity {
        cluster: "c".into(),
        operator: "default".into(),
        kind: "Database".into(),
        namespace: "a".into(),
        name: "app".into(),
    }
}

fn reference(standing: Standing) -> NameReference {
    NameReference { path: "spec.owner".into(), kind: NamedKind::Role, name: "r".into(), standing }
}

fn holder(namespace: &str) -> Holder {
    Holder {
        kind: "DatabaseUser".into(),
        namespace: namespace.into(),
        name: "r-user".into(),
        through_this_instance: true,
    }
}

fn ask(
    standing: Standing,
    holder: Option<&Holder>,
    privileged: bool,
    instance_namespace: Option<&str>,
    ceiling: &PrivilegeCeiling,
    grants: &[DatabaseReferenceGrant],
) -> Result<(), Blocked> {
    let ours = ours();
    may_name(
        &reference(standing),
        Known { holder, awaited: false, privileged },
        Side { ours: &ours, instance_namespace, ceiling },
        grants,
    )
}

fn none() -> PrivilegeCeiling {
    PrivilegeCeiling::default()
}

#[test]
fn what_ones_own_namespace_manages_may_be_named() {
    assert!(ask(Standing::Ordinary, Some(&holder("a")), false, None, &none(), &[]).is_ok());
}

#[test]
fn a_record_of_another_instance_gives_no_consent_and_may_still_need_it() {
    let claims = |namespace: &str| Holder { through_this_instance: false, ..holder(namespace) };
    let refused = ask(Standing::Ordinary, Some(&claims("a")), false, None, &none(), &[]).unwrap_err();
    assert_eq!(refused.reason, reason::CONSENT_MISSING, "a server of one's own can say that it is any other");
    assert!(ask(Standing::Ordinary, Some(&claims("a")), false, Some("a"), &none(), &[]).is_ok());
    let listed = PrivilegeCeiling { unmanaged_names: vec!["r".into()], ..none() };
    assert!(ask(Standing::Ordinary, Some(&claims("a")), false, None, &listed, &[]).is_ok());
    assert!(ask(Standing::Ordinary, Some(&claims("b")), false, Some("a"), &none(), &[]).is_err());
}

#[test]
fn what_another_namespace_manages_needs_its_consent_even_in_the_instances_namespace() {
    let theirs = holder("b");
    assert!(ask(Standing::Ordinary, Some(&theirs), false, Some("a"), &none(), &[]).is_err());
    let listed = PrivilegeCeiling { unmanaged_names: vec!["r".into()], ..none() };
    assert!(ask(Standing::Ordinary, Some(&theirs), false, None, &listed, &[]).is_err());
    let mut grant = DatabaseReferenceGrant::new(
        "g",
        DatabaseReferenceGrantSpec {
            from: vec![ReferenceGrantFrom {
                group: names::GROUP.into(),
                kind: "Database".into(),
                namespace: Some("a".into()),
            }],
            to: vec![ReferenceGrantTo {
                group: names::GROUP.into(),
                kind: "DatabaseUser".into(),
                name: Some("r-user".into()),
            }],
        },
    );
    grant.metadata.namespace = Some("b".into());
    assert!(ask(Standing::Ordinary, Some(&theirs), false, None, &none(), &[grant]).is_ok());
}

#[test]
fn what_nobody_manages_needs_the_instances_allowance_outside_its_namespace() {
    assert!(ask(Standing::Ordinary, None, false, Some("a"), &none(), &[]).is_ok());
    assert!(ask(Standing::Ordinary, None, false, Some("b"), &none(), &[]).is_err());
    assert!(ask(Standing::Ordinary, None, false, None, &none(), &[]).is_err());
    let listed = PrivilegeCeiling { unmanaged_names: vec!["r".into()], ..none() };
    assert!(ask(Standing::Ordinary, None, false, None, &listed, &[]).is_ok());
    assert!(ask(Standing::Predefined, None, false, None, &listed, &[]).is_err());
    let predefined = PrivilegeCeiling { predefined_roles: vec!["r".into()], ..none() };
    assert!(ask(Standing::Predefined, None, false, None, &predefined, &[]).is_ok());
}

#[test]
fn dangerous_names_are_behind_the_ceiling_for_everyone() {
    assert!(ask(Standing::Dangerous, None, false, Some("a"), &none(), &[]).is_err());
    assert!(ask(Standing::Ordinary, Some(&holder("a")), true, Some("a"), &none(), &[]).is_err());
    let allowed = PrivilegeCeiling { dangerous_roles: true, ..none() };
    assert!(ask(Standing::Dangerous, None, false, None, &allowed, &[]).is_ok());
    assert!(ask(Standing::Protected, None, false, Some("a"), &allowed, &[]).is_err());
}

#[test]
fn what_a_resource_of_the_namespace_only_names_is_not_theirs() {
    let ours = ours();
    let ask = |holder: Option<&Holder>, instance_namespace| {
        let known = Known { holder, awaited: true, privileged: false };
        let ceiling = none();
        may_name(
            &reference(Standing::Ordinary),
            known,
            Side { ours: &ours, instance_namespace, ceiling: &ceiling },
            &[],
        )
    };
    let waits = ask(None, None).unwrap_err();
    assert_eq!((waits.class, waits.reason), (crate::Class::Waiting, reason::DEPENDENCY_MISSING));
    // Somebody else has it: naming it changes nothing.
    let theirs = holder("b");
    assert_eq!(ask(Some(&theirs), None).unwrap_err().reason, reason::CONSENT_MISSING);
    // What nobody manages may be named where the instance is.
    assert!(ask(None, Some("a")).is_ok());
}

#[test]
fn a_refusal_names_the_list_that_would_allow_it() {
    let of_the_cluster = holder("");
    for standing in [Standing::Ordinary, Standing::Predefined, Standing::Dangerous] {
        let ceiling = PrivilegeCeiling { dangerous_roles: true, ..none() };
        let blocked = ask(standing, Some(&of_the_cluster), false, None, &ceiling, &[]).unwrap_err();
        let listed = if blocked.message.ends_with("spec.privilegeCeiling.predefinedRoles") {
            PrivilegeCeiling { predefined_roles: vec!["r".into()], ..ceiling }
        } else {
            assert!(blocked.message.ends_with("spec.privilegeCeiling.unmanagedNames"), "{}", blocked.message);
            PrivilegeCeiling { unmanaged_names: vec!["r".into()], ..ceiling }
        };
        assert!(ask(standing, Some(&of_the_cluster), false, None, &listed, &[]).is_ok(), "{standing:?}");
    }
}

#[test]
fn a_refusal_does_not_tell_whether_the_object_exists() {
    let managed = ask(Standing::Ordinary, Some(&holder("b")), false, None, &none(), &[]).unwrap_err();
    let unmanaged = ask(Standing::Ordinary, None, false, None, &none(), &[]).unwrap_err();
    assert_eq!(managed, unmanaged);
}

#[test]
fn each_privilege_has_its_own_switch() {
    for asked in ALL {
        assert!(within_ceiling("spec.x", asked, &none()).is_err());
    }
    let one = PrivilegeCeiling { replication: true, ..none() };
    let allowed: Vec<_> = ALL.into_iter().filter(|asked| within_ceiling("spec.x", *asked, &one).is_ok()).collect();
    assert_eq!(allowed, [Privilege::Replication]);
}

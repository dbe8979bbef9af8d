//! What a status keeps of rights, and whose rights count as shared.

use crds::DatabaseGrant;
use kube::runtime::watcher::Event;
use serde_json::json;

use super::*;

fn granted(object: &str, privilege: &str, grantor: Option<&str>) -> Granted {
    Granted {
        level: "table".to_owned(),
        object: vec!["db".to_owned(), "public".to_owned(), object.to_owned()],
        privilege: privilege.to_owned(),
        grantable: false,
        grantor: grantor.map(str::to_owned),
    }
}

#[test]
fn roles_are_told_apart_from_rights_on_objects() {
    let member = |role: &str, privilege: &str| Granted {
        level: "membership".to_owned(),
        object: vec![role.to_owned()],
        privilege: privilege.to_owned(),
        grantable: false,
        grantor: None,
    };
    let all = [member("team", "MEMBER"), granted("a", "SELECT", None), member("team", "SET"), member("b", "MEMBER")];
    assert_eq!(roles_among(&all), ["b", "team"]);
}

#[test]
fn what_was_just_given_up_is_nobodys_share_before_the_cache_knows() {
    let held = |role: &str| {
        for_status([Granted {
            level: "membership".to_owned(),
            object: vec![role.to_owned()],
            ..granted("", "MEMBER", None)
        }])
    };
    let grant: DatabaseGrant = serde_json::from_value(json!({
        "apiVersion": crds::names::API_VERSION,
        "kind": "DatabaseGrant",
        "metadata": { "namespace": "a", "name": "g", "uid": "g" },
        "spec": { "userRef": { "name": "app" } },
        "status": {
            "ownership": {
                "name": "app", "serverIdentity": "server", "nonce": "n", "engine": "postgres",
                "instance": { "kind": "DatabaseInstance", "namespace": "a", "name": "main" },
            },
            "held": held("team"),
        },
    }))
    .unwrap();
    let (stores, mut writers) = Stores::new();
    writers.access_grants.apply_watcher_event(&Event::Apply(grant));
    let ledger = Ledger::default();
    let shares = || {
        let mut all = Vec::new();
        each_share(&stores, &ledger, |_, _, name, held| {
            all.extend(roles_among(&of_status(held)).iter().map(|role| format!("{name}: {role}")));
        });
        all
    };
    let account = |name: &str| Account { identity: "server".to_owned(), kind: ObjectKind::User, name: name.to_owned() };
    assert_eq!(shares(), ["app: team"]);
    ledger.note("g", &account("app"), &held("other"));
    assert_eq!(shares(), ["app: other"]);
    ledger.note("g", &account("app"), &[]);
    assert_eq!(shares(), [""; 0]);
    // The same is given to somebody else, of whom the status does not tell yet.
    ledger.note("g", &account("heir"), &held("team"));
    assert_eq!(shares(), ["heir: team"]);
    assert_eq!(shares(), ["heir: team"], "a look forgets a note that nothing else tells of");
    // Its status is the same again: the note has done its work.
    ledger.note("g", &account("app"), &held("team"));
    assert_eq!(shares(), ["app: team"]);
}

fn role(uid: &str, more: &serde_json::Value) -> crds::DatabaseRole {
    let mut role = json!({
        "apiVersion": crds::names::API_VERSION,
        "kind": "DatabaseRole",
        "metadata": { "namespace": "a", "name": uid, "uid": uid },
        "spec": { "roleName": uid, "instanceRef": { "name": "main" } },
    });
    for (key, value) in more.as_object().unwrap() {
        role[key] = value.clone();
    }
    serde_json::from_value(role).unwrap()
}

#[test]
fn what_was_given_counts_before_there_is_a_status_and_not_after_the_resource_is_gone() {
    let (stores, mut writers) = Stores::new();
    let ledger = Ledger::default();
    let account = Account { identity: "server".to_owned(), kind: ObjectKind::Role, name: "team".to_owned() };
    writers.roles.apply_watcher_event(&Event::Apply(role("new", &json!({}))));
    let held = for_status([granted("a", "SELECT", None)]);
    ledger.note("new", &account, &held);
    ledger.note("gone", &account, &held);
    let shares = || {
        let mut all = Vec::new();
        each_share(&stores, &ledger, |uid, _, _, _| all.extend(uid.cloned()));
        all
    };
    for look in ["first", "second"] {
        assert_eq!(shares(), ["new"], "{look} look");
    }
    let noted: Vec<String> = ledger.noted();
    assert_eq!(noted, ["new"]);
}

#[test]
fn a_role_that_goes_has_no_share_unless_it_is_protected() {
    let given = json!({
        "ownership": {
            "name": "team", "serverIdentity": "server", "nonce": "n", "engine": "postgres",
            "instance": { "kind": "DatabaseInstance", "namespace": "a", "name": "main" },
        },
        "held": for_status([granted("a", "SELECT", None)]),
    });
    let going = |annotations: serde_json::Value| {
        json!({ "namespace": "a", "name": "r", "uid": "r", "deletionTimestamp": "2026-01-01T00:00:00Z",
            "annotations": annotations })
    };
    let (protection, force) = (crds::names::annotation::DELETION_PROTECTION, crds::names::annotation::FORCE_DELETE);
    for (annotations, counts) in [
        (json!({}), false),
        (json!({ protection: "true" }), true),
        (json!({ protection: "true", force: "true" }), false),
    ] {
        let (stores, mut writers) = Stores::new();
        let one = role("r", &json!({ "metadata": going(annotations.clone()), "status": given }));
        writers.roles.apply_watcher_event(&Event::Apply(one));
        let mut found = 0;
        each_share(&stores, &Ledger::default(), |_, _, _, _| found += 1);
        assert_eq!(found == 1, counts, "{annotations}");
    }
}

#[test]
fn many_objects_with_the_same_rights_are_one_entry_and_an_older_status_is_read() {
    let many: Vec<_> = (0..5_000).map(|at| granted(&format!("t{at:04}"), "SELECT", None)).collect();
    let other = granted("t0000", "UPDATE", None);
    let status = for_status(many.iter().cloned().chain([other.clone()]));
    assert_eq!(status.len(), 2);
    assert_eq!(status[0].names.len(), 4_999);
    let mut back = of_status(&status);
    let mut all = [many.clone(), vec![other]].concat();
    let key = |one: &Granted| (one.object.clone(), one.privilege.clone());
    back.sort_by_key(key);
    all.sort_by_key(key);
    assert_eq!(back, all);
    assert!(fits(&status).is_ok());

    let older: Vec<HeldRight> = many.iter().flat_map(|one| for_status([one.clone()])).collect();
    assert_eq!(for_status(of_status(&older)), for_status(many));

    let endless: Vec<_> = (0..20_000).map(|at| granted(&format!("{at:060}"), "SELECT", None)).collect();
    let refused = fits(&for_status(endless)).unwrap_err();
    assert!(refused.message.contains("20000 objects"), "{}", refused.message);
}

#[test]
fn rights_on_one_object_stand_together_and_come_apart_again() {
    let all = vec![
        granted("b", "SELECT", None),
        granted("a", "UPDATE", Some("root")),
        granted("a", "SELECT", Some("root")),
        granted("a", "SELECT", Some("root")),
        granted("a", "SELECT", Some("other")),
    ];
    let status = for_status(all);
    let privileges: Vec<_> = status.iter().map(|right| right.privileges.join("+")).collect();
    assert_eq!(privileges, ["SELECT", "SELECT+UPDATE", "SELECT"]);
    assert_eq!(of_status(&status).len(), 4);
    assert_eq!(for_status(of_status(&status)), status);
    assert_eq!(union(&status, vec![granted("b", "SELECT", None)]), status);
}

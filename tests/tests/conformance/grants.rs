//! Rights, as a real client with the account's password feels them: every level opens what it says, and nothing beside
//! it; what is held is recorded, stays while it is stated, and goes with the grant.

use sandbox::CallError;
use sandbox::contract::{
    Change, ErrorKind, GrantMode, GrantReport, GrantSpec, Granted, Grantee, ObjectKind, Selection,
};
use serde_json::{Value, json};

use crate::candidate::{Candidate, mark, refused};
use crate::cases::{By, Cast, Later, Level, Sql, Stated};
use crate::objects;

/// The place and what is in it.
pub(crate) async fn set_the_scene(candidate: &Candidate) {
    let mut stated = Stated::new(Cast::PLACE, json!({}));
    stated.owner = candidate.table.has_owners.then(|| Cast::USERS[0].to_owned());
    let (by, kind, ours) = (By::Administrator, ObjectKind::Database, mark(Cast::PLACE));
    objects::create(candidate, by, kind, &stated, &ours).await.unwrap();
    objects::update(candidate, by, kind, &stated, &ours, &Selection::All).await.unwrap();
    for sql in &candidate.table.grants.scenery {
        candidate.ground.administer(sql).await;
    }
}

/// An account of its own.
async fn account(candidate: &Candidate, name: &str) -> Grantee {
    let stated = Stated::new(name, json!({}));
    objects::create(candidate, By::Administrator, ObjectKind::User, &stated, &mark(name)).await.unwrap();
    Grantee { kind: ObjectKind::User, name: name.to_owned(), options: Some(json!({}).to_string()) }
}

fn spec(grantee: &Grantee, roles: &[String], options: &Value, recorded: &[Granted]) -> GrantSpec {
    GrantSpec {
        grantee: grantee.clone(),
        roles: roles.to_vec(),
        options: Some(options.to_string()),
        mode: GrantMode::Additive,
        recorded: recorded.to_vec(),
        shared: Vec::new(),
    }
}

async fn grant(
    candidate: &Candidate,
    by: By,
    spec: &GrantSpec,
    selection: &Selection,
) -> Result<GrantReport, CallError> {
    candidate.session(by).await.grant(spec, selection).await
}

/// What a look finds; a sweep finds the same.
async fn look(candidate: &Candidate, by: By, spec: &GrantSpec, what: &str) -> GrantReport {
    let found = grant(candidate, by, spec, &Selection::Detect).await;
    let found = found.unwrap_or_else(|error| panic!("{what}: look: {error:?}"));
    assert!(found.update.applied.is_empty(), "{what}: a look applied {:?}", found.update.applied);
    let swept = candidate.sweep(by).await.grant(spec, &Selection::Detect).await;
    assert_eq!(swept.unwrap(), found, "{what}: a sweep finds what a look finds");
    found
}

/// Applies all; then nothing differs, what is held is what was said, and a second time changes nothing.
async fn settle(candidate: &Candidate, by: By, spec: &GrantSpec, what: &str) -> GrantReport {
    let report = grant(candidate, by, spec, &Selection::All).await;
    let report = report.unwrap_or_else(|error| panic!("{what}: apply: {error:?}"));
    let possible: Vec<&String> =
        report.update.changes.iter().filter(|one| !one.impossible).map(|one| &one.id).collect();
    assert_eq!(report.update.applied.iter().collect::<Vec<_>>(), possible, "{what}");
    let after = GrantSpec { recorded: report.held.clone(), ..spec.clone() };
    let left = look(candidate, by, &after, what).await;
    assert_eq!(left.update.changes, [], "{what}: after applying all");
    assert_eq!(left.held, report.held, "{what}: what is held");
    let again = grant(candidate, by, &after, &Selection::All).await.unwrap();
    assert_eq!(again.update.applied, [""; 0], "{what}: applied twice");
    assert_eq!(again.held, report.held, "{what}: what is held, applied twice");
    report
}

async fn everything(candidate: &Candidate, by: By, grantee: &Grantee) -> Vec<Granted> {
    candidate.session(by).await.get_grants(grantee).await.unwrap()
}

/// Every level of the table, each with an account of its own.
pub(crate) async fn open_what_they_say(candidate: &Candidate) {
    for (at, level) in candidate.table.grants.levels.iter().enumerate() {
        let grantee = account(candidate, &format!("grantee {at}")).await;
        Trial { candidate, level, grantee }.run().await;
    }
}

struct Trial<'level> {
    candidate: &'level Candidate,
    level: &'level Level,
    grantee: Grantee,
}

impl Trial<'_> {
    async fn run(&self) {
        let Self { candidate, level, grantee } = self;
        let (by, what, name) = (level.by, level.name, grantee.name.as_str());
        candidate.assert_may_not(name, &level.opens, &format!("{what}, before")).await;
        candidate.assert_may_not(name, &level.shut, &format!("{what}, before")).await;
        candidate.assert_may(name, &level.closes, &format!("{what}, before")).await;

        let stated = spec(grantee, &level.roles, &level.options, &[]);
        let found = look(candidate, by, &stated, what).await;
        assert!(!found.update.changes.is_empty(), "{what}: nothing differs");
        assert!(!found.stated.is_empty() || level.opens.is_empty(), "{what}: nothing is stated");
        candidate.assert_may_not(name, &level.opens, &format!("{what}, after a look")).await;

        let report = settle(candidate, by, &stated, what).await;
        assert_eq!(report.update.changes, found.update.changes, "{what}: what was applied is what was found");
        candidate.assert_may(name, &level.opens, what).await;
        candidate.assert_may_not(name, &level.shut, what).await;
        candidate.assert_may_not(name, &level.closes, what).await;
        if level.everyone {
            candidate.assert_may(Cast::USERS[1], &level.opens, &format!("{what}, as everyone")).await;
        } else {
            candidate.assert_may_not(Cast::USERS[1], &level.opens, &format!("{what}, as somebody else")).await;
            let listed = everything(candidate, by, grantee).await;
            assert!(report.held.iter().all(|one| listed.contains(one)), "{what}: {:?} of {listed:?}", report.held);
        }
        let held = self.widened(report.held).await;
        let held = self.later(held).await;
        self.taken_back(held).await;
    }

    /// More is given and taken again; what stays is there all the time.
    async fn widened(&self, held: Vec<Granted>) -> Vec<Granted> {
        let Self { candidate, level, grantee } = self;
        let Some((options, deeds)) = &level.wider else { return held };
        let (by, name) = (level.by, grantee.name.as_str());
        let what = format!("{}, wider", level.name);
        candidate.assert_may_not(name, deeds, &format!("{what}, before")).await;
        let wide = settle(candidate, by, &spec(grantee, &level.roles, options, &held), &what).await;
        candidate.assert_may(name, &level.opens, &what).await;
        candidate.assert_may(name, deeds, &what).await;
        let what = format!("{}, narrow again", level.name);
        let narrow = spec(grantee, &level.roles, &level.options, &wide.held);
        let narrow = settle(candidate, by, &narrow, &what).await;
        assert!(!narrow.update.applied.is_empty(), "{what}");
        candidate.assert_may(name, &level.opens, &what).await;
        candidate.assert_may_not(name, deeds, &what).await;
        assert_eq!(narrow.held, held, "{what}: what is held");
        narrow.held
    }

    /// What is made later is open at once, and is no drift.
    async fn later(&self, held: Vec<Granted>) -> Vec<Granted> {
        let Self { candidate, level, grantee } = self;
        let Some(Later { made, opens, held: _ }) = &level.later else { return held };
        let what = format!("{}, of what is made later", level.name);
        candidate.ground.administer(made).await;
        candidate.assert_may(&grantee.name, std::slice::from_ref(opens), &what).await;
        let after = spec(grantee, &level.roles, &level.options, &held);
        let found = look(candidate, level.by, &after, &what).await;
        assert_eq!(found.update.changes, [], "{what}");
        found.held
    }

    async fn taken_back(&self, held: Vec<Granted>) {
        let Self { candidate, level, grantee } = self;
        let (by, what, name) = (level.by, level.name, grantee.name.as_str());
        // Whatever the spec says: what is recorded goes.
        let last = spec(grantee, &[], &json!({}), &held);
        for round in ["revoked", "revoked again"] {
            let outcome = candidate.session(by).await.revoke(&last).await;
            outcome.unwrap_or_else(|error| panic!("{what}, {round}: {error:?}"));
        }
        candidate.assert_may_not(name, &level.opens, &format!("{what}, revoked")).await;
        match &level.later {
            Some(Later { opens, held: true, .. }) => {
                candidate.assert_may_not(name, std::slice::from_ref(opens), &format!("{what}, revoked")).await;
            }
            Some(Later { opens, held: false, .. }) => {
                candidate.assert_may(name, std::slice::from_ref(opens), &format!("{what}, revoked")).await;
            }
            None => {}
        }
        let left = everything(candidate, by, grantee).await;
        assert!(held.iter().all(|one| !left.contains(one)), "{what}: {left:?} is left");
    }
}

/// A role carries rights to its members, and only while they are members.
pub(crate) async fn roles_carry_rights(candidate: &Candidate) {
    let role = Cast::ROLES[0].to_owned();
    let level = first(candidate);
    let of_role = Grantee { kind: ObjectKind::Role, name: role.clone(), options: Some(json!({}).to_string()) };
    let given = settle(candidate, level.by, &spec(&of_role, &[], &level.options, &[]), "a role").await;
    let member = account(candidate, "member").await;
    candidate.assert_may_not("member", &level.opens, "no member yet").await;
    let joined = spec(&member, std::slice::from_ref(&role), &json!({}), &[]);
    let report = settle(candidate, By::Administrator, &joined, "a membership").await;
    assert!(!report.held.is_empty());
    candidate.assert_may("member", &level.opens, "a member").await;
    candidate.assert_may_not("member", &level.shut, "a member").await;
    let outcome =
        candidate.session(By::Administrator).await.revoke(&spec(&member, &[], &json!({}), &report.held)).await;
    outcome.unwrap();
    candidate.assert_may_not("member", &level.opens, "no member any more").await;
    assert_eq!(everything(candidate, By::Administrator, &member).await, []);
    candidate.session(level.by).await.revoke(&spec(&of_role, &[], &json!({}), &given.held)).await.unwrap();
}

/// What is not there is a change that says what it lacks; the rest is made, and also taken, meanwhile. Without a grantee
/// there is neither.
pub(crate) async fn wait_for_what_is_missing(candidate: &Candidate) {
    let by = By::Administrator;
    let grantee = account(candidate, "waiting").await;
    let of_role = spec(&grantee, &["no such role".to_owned()], &json!({}), &[]);
    let missing = candidate.table.grants.missing.iter().map(|options| spec(&grantee, &[], options, &[]));
    let leaves = spec(&grantee, &[Cast::ROLES[0].to_owned()], &json!({}), &[]);
    for stated in std::iter::once(of_role).chain(missing) {
        let what = format!("{:?} {:?}", stated.roles, stated.options);
        let recorded = settle(candidate, by, &leaves, &what).await.held;
        let stated = GrantSpec { recorded, ..stated };
        let found = look(candidate, by, &stated, &what).await.update.changes;
        let (lacking, rest): (Vec<_>, Vec<_>) = found.iter().partition(|change| change.lacking.is_some());
        assert!(!lacking.is_empty() && !rest.is_empty(), "{what}: {found:?}");
        let named = Selection::Only(lacking.iter().map(|change| change.id.clone()).collect());
        let outcome = grant(candidate, by, &stated, &named).await;
        assert_eq!(refused(outcome, &what), ErrorKind::DependencyMissing, "{what}");
        let report = grant(candidate, by, &stated, &Selection::All).await.unwrap();
        let made: Vec<_> = rest.iter().map(|change| change.id.clone()).collect();
        assert_eq!(report.update.applied, made, "{what}");
        assert!(report.held.iter().all(|right| right.level != "membership"), "{what}: {:?}", report.held);
        assert_eq!(everything(candidate, by, &grantee).await, report.held, "{what}");
        let given = GrantSpec { recorded: report.held, ..spec(&grantee, &[], &json!({}), &[]) };
        candidate.session(by).await.revoke(&given).await.unwrap();
    }
    let nobody = Grantee { name: "nobody at all".to_owned(), ..grantee };
    let stated = spec(&nobody, &[Cast::ROLES[0].to_owned()], &json!({}), &[]);
    for selection in [Selection::Detect, Selection::All] {
        let outcome = grant(candidate, by, &stated, &selection).await;
        assert_eq!(refused(outcome, "no grantee"), ErrorKind::DependencyMissing);
    }
    // Of a grantee that is gone everything has been taken back.
    let recorded = account(candidate, "leaver").await;
    let joined = spec(&recorded, &[Cast::ROLES[0].to_owned()], &json!({}), &[]);
    let held = settle(candidate, by, &joined, "somebody who leaves").await.held;
    let stated = Stated::new("leaver", json!({}));
    let proof = crate::candidate::proof(&mark("leaver"));
    objects::drop(candidate, by, ObjectKind::User, &stated, &proof).await.unwrap();
    candidate.session(by).await.revoke(&spec(&recorded, &[], &json!({}), &held)).await.unwrap();
}

/// What somebody else gave stays beside a grant, unless its mode says that it must go.
pub(crate) async fn leave_foreign_rights_unless_authoritative(candidate: &Candidate) {
    let by = By::Administrator;
    let grantee = account(candidate, "outsider").await;
    let (given, opens) = &candidate.table.grants.foreign;
    let given = Sql::new(&given.place, given.text.replace("{grantee}", &grantee.name));
    candidate.assert_may_not(&grantee.name, std::slice::from_ref(opens), "before").await;
    candidate.ground.administer(&given).await;
    let level = first(candidate);
    let additive = spec(&grantee, &level.roles, &level.options, &[]);
    let held = settle(candidate, by, &additive, "additive").await.held;
    candidate.assert_may(&grantee.name, std::slice::from_ref(opens), "additive").await;
    candidate.assert_may(&grantee.name, &level.opens, "additive").await;
    let mut authoritative =
        GrantSpec { mode: GrantMode::Authoritative, ..spec(&grantee, &level.roles, &level.options, &held) };
    // What another resource states is not foreign.
    let all = everything(candidate, by, &grantee).await;
    authoritative.shared = all.into_iter().filter(|one| !held.contains(one)).collect();
    assert!(!authoritative.shared.is_empty());
    assert_eq!(look(candidate, by, &authoritative, "shared").await.update.changes, []);
    authoritative.shared.clear();
    let found = look(candidate, by, &authoritative, "authoritative").await.update.changes;
    assert!(!found.is_empty() && found.iter().all(|change: &Change| change.destructive), "{found:?}");
    settle(candidate, by, &authoritative, "authoritative").await;
    candidate.assert_may_not(&grantee.name, std::slice::from_ref(opens), "authoritative").await;
    candidate.assert_may(&grantee.name, &level.opens, "authoritative").await;
}

/// What somebody else takes is found and given again, and nothing but that.
pub(crate) async fn give_again_what_was_taken(candidate: &Candidate) {
    let (level, by) = (first(candidate), By::Administrator);
    let grantee = account(candidate, "robbed").await;
    let stated = spec(&grantee, &level.roles, &level.options, &[]);
    let held = settle(candidate, by, &stated, "before the loss").await.held;
    let lost = &candidate.table.grants.lost;
    candidate.ground.administer(&Sql::new(&lost.place, lost.text.replace("{grantee}", &grantee.name))).await;
    candidate.assert_may_not(&grantee.name, &level.opens, "lost").await;
    let after = GrantSpec { recorded: held.clone(), ..stated };
    let found = look(candidate, by, &after, "lost").await;
    let ids: Vec<String> = found.update.changes.iter().map(|change| change.id.clone()).collect();
    assert!(!ids.is_empty(), "the loss is not seen");
    let gone = Selection::Only(vec!["no such change".to_owned()]);
    assert_eq!(refused(grant(candidate, by, &after, &gone).await, "an id that is not there"), ErrorKind::Conflict);
    let given = grant(candidate, by, &after, &Selection::Only(ids.clone())).await.unwrap();
    assert_eq!((given.update.applied, given.held), (ids, held));
    candidate.assert_may(&grantee.name, &level.opens, "given again").await;
}

/// Grants that overlap are a union: the end of one takes what the others do not state, and nothing else.
pub(crate) async fn form_a_union(candidate: &Candidate) {
    for (at, level) in candidate.table.grants.levels.iter().enumerate() {
        let Some((wide, deeds)) = &level.wider else { continue };
        let (by, what) = (level.by, format!("the union of {}", level.name));
        let grantee = account(candidate, &format!("sharing {at}")).await;
        let narrow = spec(&grantee, &level.roles, &level.options, &[]);
        let one = settle(candidate, by, &narrow, &what).await.held;
        let both = GrantSpec { shared: one.clone(), ..spec(&grantee, &level.roles, wide, &[]) };
        let other = settle(candidate, by, &both, &what).await.held;
        // Neither is drift to the other, even where one is authoritative.
        let shared = other.clone();
        let first = GrantSpec { recorded: one.clone(), shared, mode: GrantMode::Authoritative, ..narrow.clone() };
        assert_eq!(look(candidate, by, &first, &what).await.update.changes, [], "{what}");
        let last = GrantSpec { recorded: other, shared: one.clone(), ..both };
        candidate.session(by).await.revoke(&last).await.unwrap();
        candidate.assert_may(&grantee.name, &level.opens, &what).await;
        candidate.assert_may_not(&grantee.name, deeds, &what).await;
        let alone = GrantSpec { recorded: one, ..narrow };
        assert_eq!(look(candidate, by, &alone, &what).await.update.changes, [], "{what}: the other one's end");
        candidate.session(by).await.revoke(&alone).await.unwrap();
        candidate.assert_may_not(&grantee.name, &level.opens, &what).await;
        assert_eq!(everything(candidate, by, &grantee).await, [], "{what}");
    }
}

/// A level that the administrator gives and that opens something by itself.
fn first(candidate: &Candidate) -> &Level {
    let usable = |one: &&Level| one.by == By::Administrator && !one.opens.is_empty() && one.roles.is_empty();
    candidate.table.grants.levels.iter().find(usable).unwrap()
}

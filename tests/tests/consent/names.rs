//! Names in strings: an owner or a role that another namespace manages, that nobody manages, or that is the server's.

use anyhow::{Context, Result, ensure};
use crds::names::{GROUP, reason};
use dbprovision_tests::catalogue::Catalogue;
use dbprovision_tests::manifests::{credentials, database, grant, inside, instance, user, with};
use dbprovision_tests::stage::{Seen, Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::postgres::{Options, PostgresEndpoint, PostgresServer};
use testkit::world::Operator;

use super::{often, served_by};

/// Two namespaces on one instance, which is in the first and serves the second.
struct Two {
    stage: Stage,
    server: PostgresServer,
    operator: Operator,
    other: String,
}

impl Two {
    async fn open(purpose: &str) -> Result<Self> {
        let mut stage = Stage::open(purpose).await?;
        // Of its own: predefined roles belong to all of a server, and its superuser may grant them.
        let server = PostgresServer::start(Options::default()).await?;
        let other = stage.neighbour("consent-other").await?;
        let operator = stage.operator().await?;
        let two = Self { stage, server, operator, other };
        two.stage.put(two.administrator()).await?;
        two.put_instance(json!({})).await?;
        two.stage.until(&two.operator, &Subject::instance("main"), ready()).await?;
        Ok(two)
    }

    fn administrator(&self) -> Value {
        let superuser: PostgresEndpoint =
            PostgresEndpoint { administrator: self.server.superuser.clone(), ..(*self.server).clone() };
        credentials("main-admin", &superuser)
    }

    async fn put_instance(&self, ceiling: Value) -> Result<()> {
        let spec = json!({ "allowedNamespaces": { "names": [self.other] }, "privilegeCeiling": ceiling });
        let manifest = with(with(instance("main", &self.server), often()), json!({ "spec": spec }));
        self.stage.put(manifest).await.map(drop)
    }

    /// Applies a resource of the other namespace.
    async fn put_there(&self, manifest: Value) -> Result<()> {
        self.stage.put(inside(&self.other, served_by(self.stage.name(), manifest))).await.map(drop)
    }

    async fn until(&self, subject: &Subject, wanted: dbprovision_tests::stage::Wanted) -> Result<Seen> {
        self.stage.until(&self.operator, subject, wanted).await
    }
}

fn member_of(name: &str, role: &str) -> Value {
    with(user(name, name), json!({ "spec": { "postgres": { "inRoles": [role] } } }))
}

fn said(seen: &Seen) -> Result<String> {
    Ok(seen.condition("Accepted").context("read what was said")?.message)
}

#[tokio::test]
async fn a_role_of_another_namespace_is_named_only_with_its_consent_and_nobody_learns_whether_it_exists() -> Result<()>
{
    let two = Two::open("consent-role").await?;
    two.stage.put(user("lender", "lender")).await?;
    two.until(&Subject::user("lender"), ready()).await?;
    two.server.query("postgres", "CREATE ROLE by_hand").await?;

    let of_owner = |name: &str, owner: &str| with(database(name, name), json!({ "spec": { "owner": owner } }));
    let cases = [("managed", "lender"), ("unmanaged", "by_hand"), ("absent", "nobody_at_all")];
    let mut told = Vec::new();
    for (case, role) in cases {
        two.put_there(of_owner(case, role)).await?;
        two.put_there(member_of(case, role)).await?;
        for (subject, path) in [(Subject::database(case), "spec.owner"), (Subject::user(case), "inRoles")] {
            let refused = becomes("Accepted", "False", reason::CONSENT_MISSING).saying(path);
            let seen = two.until(&subject.inside(&two.other), refused).await?;
            told.push((path, said(&seen)?.replace(role, "ROLE")));
        }
    }
    for (path, text) in &told {
        let first = told.iter().find(|(other, _)| other == path).map(|(_, text)| text);
        ensure!(first == Some(text), "it tells whether the role exists:\n{first:?}\n{text}");
    }
    for (case, _) in cases {
        ensure!(Catalogue::read(&two.server, case).await?.databases.is_empty(), "{case} was made without consent");
    }

    // By the consent of the namespace that manages it: for the database only.
    let from = json!({ "kind": "Database", "namespace": two.other });
    let to = json!({ "group": GROUP, "kind": "DatabaseUser", "name": "lender" });
    two.stage.put(grant("lend", from, to)).await?;
    two.until(&Subject::database("managed").inside(&two.other), ready()).await?;
    let owner = "SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = 'managed'";
    ensure!(two.server.query_cell("postgres", owner).await?.as_deref() == Some("lender"));
    two.until(&Subject::user("managed").inside(&two.other), becomes("Accepted", "False", reason::CONSENT_MISSING))
        .await?;

    // By the instance, for what nobody manages.
    two.put_instance(json!({ "unmanagedNames": ["by_hand"] })).await?;
    two.until(&Subject::database("unmanaged").inside(&two.other), ready()).await?;
    two.until(&Subject::user("unmanaged").inside(&two.other), ready()).await?;
    // A list of names is no consent for a name that a namespace manages.
    two.put_instance(json!({ "unmanagedNames": ["by_hand", "lender"] })).await?;
    two.until(&Subject::user("managed").inside(&two.other), becomes("Accepted", "False", reason::CONSENT_MISSING))
        .await?;
    Ok(())
}

/// A resource of one's own that names somebody else's object and does not get it is no way to that object.
#[tokio::test]
async fn naming_an_object_in_ones_own_spec_gives_no_right_to_it() -> Result<()> {
    let two = Two::open("consent-squat").await?;
    two.stage.put(user("lender", "lender")).await?;
    two.stage.put(database("victim", "victim")).await?;
    two.until(&Subject::user("lender"), ready()).await?;
    two.until(&Subject::database("victim"), ready()).await?;
    two.server.query("postgres", "CREATE ROLE by_hand").await?;

    let auto = json!({ "spec": { "postgres": { "ownership": { "autoOwnership": true, "roleName": "by_hand" } } } });
    two.put_there(user("squatter", "by_hand")).await?;
    two.put_there(user("rival", "lender")).await?;
    two.put_there(database("rival", "victim")).await?;
    two.put_there(with(database("companion", "companion"), auto)).await?;
    for (subject, reason) in [
        (Subject::user("squatter"), reason::ADOPTION_REQUIRED),
        (Subject::user("rival"), reason::CONFLICT),
        (Subject::database("rival"), reason::CONFLICT),
        (Subject::database("companion"), reason::CONFLICT),
    ] {
        two.until(&subject.inside(&two.other), becomes("Synced", "False", reason)).await?;
    }
    let has_companion = "SELECT count(*) FROM pg_catalog.pg_database WHERE datname = 'companion'";
    ensure!(two.server.query_cell("postgres", has_companion).await?.as_deref() == Some("0"), "it was created");

    let copied = json!({ "spec": { "postgres": { "template": "victim" } } });
    two.put_there(member_of("member-by-hand", "by_hand")).await?;
    two.put_there(member_of("member-lender", "lender")).await?;
    two.put_there(with(database("copy", "copy"), copied)).await?;
    two.put_there(with(database("owned", "owned"), json!({ "spec": { "owner": "by_hand" } }))).await?;
    for (subject, status, reason) in [
        (Subject::user("member-by-hand"), "Synced", reason::DEPENDENCY_MISSING),
        (Subject::user("member-lender"), "Accepted", reason::CONSENT_MISSING),
        (Subject::database("copy"), "Accepted", reason::CONSENT_MISSING),
        (Subject::database("owned"), "Synced", reason::DEPENDENCY_MISSING),
    ] {
        two.until(&subject.inside(&two.other), becomes(status, "False", reason)).await?;
    }
    for name in ["member-by-hand", "member-lender", "copy", "owned"] {
        ensure!(Catalogue::read(&two.server, name).await?.is_empty(), "{name} was made");
    }
    Ok(())
}

#[tokio::test]
async fn schema_owners_and_roles_are_references_too() -> Result<()> {
    let two = Two::open("consent-paths").await?;
    two.stage.put(user("lender", "lender")).await?;
    two.until(&Subject::user("lender"), ready()).await?;
    let schemas = json!({ "spec": { "postgres": { "schemas": [{ "name": "sales", "owner": "lender" }] } } });
    let privileges = json!({ "spec": { "postgres": { "defaultPrivileges": [
        { "role": "lender", "schema": "public", "objectType": "tables", "privileges": ["SELECT"] }] } } });
    let roles = json!({ "spec": { "roles": ["lender"] } });
    let default_role = json!({ "spec": { "postgres": { "defaultRole": "lender" } } });
    two.put_there(with(database("schemas", "schemas"), schemas)).await?;
    two.put_there(with(database("privileges", "privileges"), privileges)).await?;
    two.put_there(with(user("roles", "roles"), roles)).await?;
    two.put_there(with(user("default-role", "default_role"), default_role)).await?;
    for (subject, path) in [
        (Subject::database("schemas"), "spec.postgres.schemas"),
        (Subject::database("privileges"), "spec.postgres.defaultPrivileges"),
        (Subject::user("roles"), "spec.roles"),
        (Subject::user("default-role"), "spec.postgres.defaultRole"),
    ] {
        let wanted = becomes("Accepted", "False", reason::CONSENT_MISSING).saying(path);
        two.until(&subject.inside(&two.other), wanted).await?;
    }
    ensure!(Catalogue::read(&two.server, "schemas").await?.is_empty());
    ensure!(Catalogue::read(&two.server, "roles").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn predefined_roles_need_the_instances_list_outside_its_own_namespace() -> Result<()> {
    let two = Two::open("consent-predefined").await?;
    two.stage.put(member_of("inside", "pg_monitor")).await?;
    two.put_there(member_of("outside", "pg_monitor")).await?;
    two.until(&Subject::user("inside"), ready()).await?;
    let outside = Subject::user("outside").inside(&two.other);
    let refused = becomes("Accepted", "False", reason::CONSENT_MISSING).saying("predefinedRoles");
    two.until(&outside, refused).await?;
    ensure!(Catalogue::read(&two.server, "outside").await?.is_empty());
    two.put_instance(json!({ "predefinedRoles": ["pg_monitor"] })).await?;
    two.until(&outside, ready()).await?;
    Ok(())
}

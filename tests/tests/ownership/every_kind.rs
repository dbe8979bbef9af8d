//! Taking over roles, and on MariaDB databases, users and roles: by the same rules as a database and a user of
//! PostgreSQL. What was there stays as far as the spec says nothing else, and goes with its resource.

use anyhow::{Context as _, Result, ensure};
use crds::names::{annotation, reason};
use dbprovision_tests::manifests::{
    credentials, database, inside, instance, mysql_credentials, mysql_instance, role, user, with,
};
use dbprovision_tests::stage::{Seen, Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::mysql::{MysqlServer, Options, Version};
use testkit::postgres::PostgresEndpoint;
use testkit::world::{Operator, World};

/// What exists already: the resource that wants it, and the annotation that lists it.
struct Wish {
    manifest: Value,
    subject: Subject,
    list: &'static str,
    name: String,
}

impl Wish {
    fn database(name: &str) -> Self {
        let list = annotation::ADOPT_DATABASES;
        Self { manifest: database("listed", name), subject: Subject::database("listed"), list, name: name.to_owned() }
    }

    fn user(name: &str) -> Self {
        let list = annotation::ADOPT_USERS;
        Self { manifest: user("listed", name), subject: Subject::user("listed"), list, name: name.to_owned() }
    }

    fn role(name: &str) -> Self {
        let list = annotation::ADOPT_ROLES;
        Self { manifest: role("listed", name), subject: Subject::role("listed"), list, name: name.to_owned() }
    }
}

fn asking() -> Value {
    json!({ "spec": { "adoptionPolicy": "Adopt" } })
}

fn is_adopted(seen: &Seen) -> bool {
    seen.at("/status/ownership/adopted") == Some(&json!(true))
}

/// From another namespace each is adopted when its own list has its name, and no other list lets it.
async fn adopted_when_listed(stage: &Stage, operator: &Operator, other: &str, wishes: Vec<Wish>) -> Result<()> {
    let elsewhere = json!({ "spec": { "instanceRef": { "name": "main", "namespace": stage.name() } } });
    let required = || becomes("Accepted", "False", reason::ADOPTION_REQUIRED);
    let wishes: Vec<Wish> =
        wishes.into_iter().map(|wish| Wish { subject: wish.subject.inside(other), ..wish }).collect();
    for wish in &wishes {
        stage.put(inside(other, with(with(wish.manifest.clone(), asking()), elsewhere.clone()))).await?;
        stage.until(operator, &wish.subject, required().saying(wish.list)).await?;
    }
    let main = Subject::instance("main");
    // Every name in every list but its own, and names that only look like it.
    for wish in &wishes {
        let others = wishes.iter().filter(|one| one.list != wish.list).map(|one| one.name.clone());
        let similar = [wish.name.to_uppercase(), format!("{}*", wish.name), "*".to_owned()];
        let names: Vec<String> = others.chain(similar).collect();
        stage.annotate(&main, json!({ (wish.list): names.join(",") })).await?;
    }
    for wish in &wishes {
        // Looked at once more, now that the lists are there.
        stage.change(&wish.subject, json!({ "spec": { "driftPolicy": { "interval": "1h" } } })).await?;
        stage.until(operator, &wish.subject, required().saying(wish.list)).await?;
    }
    for (at, wish) in wishes.iter().enumerate() {
        stage.annotate(&main, json!({ (wish.list): format!("x, {}", wish.name) })).await?;
        let seen = stage.until(operator, &wish.subject, ready()).await?;
        ensure!(is_adopted(&seen), "{}: {}", wish.subject, seen.0);
        for still in wishes.iter().skip(at + 1) {
            stage.until(operator, &still.subject, required().saying(still.list)).await?;
        }
    }
    for wish in &wishes {
        stage.delete(&wish.subject).await?;
        stage.until_gone(operator, &wish.subject).await?;
    }
    Ok(())
}

async fn roles_of_postgres(purpose: &str, server: &PostgresEndpoint) -> Result<()> {
    let mut stage = Stage::open(purpose).await?;
    let other = stage.neighbour("adopts").await?;
    let operator = stage.operator().await?;
    let word = stage.word("adopted");
    // As the administrator would have made them before there was an operator.
    let administrator = &server.administrator;
    let session = server.login(&administrator.name, &administrator.password, "postgres").await?;
    session.rows(&format!("CREATE ROLE {word} CREATEDB; CREATE ROLE {word}_there; CREATE ROLE {word}_member")).await?;
    session.rows(&format!("GRANT {word} TO {word}_member; COMMENT ON ROLE {word} IS 'our words'")).await?;
    let serving = json!({ "spec": { "allowedNamespaces": { "names": [other] } } });
    stage.put_all([credentials("main-admin", server), with(instance("main", server), serving)]).await?;
    stage.put(role("mine", &word)).await?;
    let mine = Subject::role("mine");
    stage.until(&operator, &mine, becomes("Ready", "False", reason::ADOPTION_REQUIRED)).await?;
    let attributes = format!("SELECT rolcreatedb::text || rolinherit::text FROM pg_roles WHERE rolname = '{word}'");
    let shown = async || server.query_cell("postgres", &attributes).await?.context("the role is gone");
    ensure!(shown().await? == "truetrue", "it was changed without being asked: {}", shown().await?);

    stage.change(&mine, asking()).await?;
    stage.change(&mine, json!({ "spec": { "postgres": { "inherit": false } } })).await?;
    let seen = stage.until(&operator, &mine, ready()).await?;
    ensure!(is_adopted(&seen), "{}", seen.0);
    ensure!(shown().await? == "falsefalse", "it is not as the spec says: {}", shown().await?);
    let member = format!("SELECT pg_has_role('{word}_member', '{word}', 'member')::text");
    ensure!(server.query_cell("postgres", &member).await?.as_deref() == Some("true"), "a member was lost");

    adopted_when_listed(&stage, &operator, &other, vec![Wish::role(&format!("{word}_there"))]).await?;
    stage.delete(&mine).await?;
    stage.until_gone(&operator, &mine).await?;
    session.rows(&format!("DROP ROLE {word}_member")).await?;
    let left = format!("SELECT count(*) FROM pg_roles WHERE rolname LIKE '{word}%'");
    ensure!(server.query_cell("postgres", &left).await?.as_deref() == Some("0"), "what was adopted stayed");
    Ok(())
}

#[tokio::test]
async fn a_role_is_adopted_where_it_is_asked_for_and_from_elsewhere_only_where_the_instance_lists_it() -> Result<()> {
    let world = World::get().await?;
    roles_of_postgres("adopted-roles", world.postgres().await?).await?;
    roles_of_postgres("adopted-roles-newer", world.newer_postgres().await?).await
}

#[tokio::test]
async fn every_kind_of_mariadb_is_adopted_by_the_same_rules() -> Result<()> {
    let mut stage = Stage::open("adopted-mariadb").await?;
    let other = stage.neighbour("adopts").await?;
    let server = MysqlServer::start(Options { version: Version::Distribution, ..Options::default() }).await?;
    let operator = stage.operator().await?;
    for stem in ["mine", "there"] {
        server.query(&format!(
            "CREATE DATABASE {stem} CHARACTER SET latin1; CREATE TABLE {stem}.kept AS SELECT 7 AS a; \
             CREATE USER {stem}_app@'%' IDENTIFIED BY 'before'; CREATE ROLE {stem}_team; \
             GRANT SELECT ON {stem}.* TO {stem}_team"
        ))?;
    }
    let serving = json!({ "spec": { "allowedNamespaces": { "names": [other] } } });
    let offered = with(mysql_instance("main", &server, "mariadb"), serving);
    stage.put_all([mysql_credentials("main-admin", &server), offered]).await?;
    let team = json!({ "spec": { "mysql": { "grants": [
        { "level": "table", "database": "mine", "table": "kept", "privileges": ["INSERT"] },
    ] } } });
    stage.put_all([database("mine", "mine"), user("app", "mine_app"), with(role("team", "mine_team"), team)]).await?;
    let (mine, app, team) = (Subject::database("mine"), Subject::user("app"), Subject::role("team"));
    for subject in [&mine, &app, &team] {
        stage.until(&operator, subject, becomes("Ready", "False", reason::ADOPTION_REQUIRED)).await?;
    }
    let charset = "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = 'mine'";
    let before = "SHOW GRANTS FOR mine_team";
    ensure!(server.query(charset)? == "latin1", "the database was changed without being asked");
    ensure!(!server.query(before)?.contains("INSERT"), "the role was changed without being asked");
    server.query_as("mine_app", "before", None, "SELECT 1").context("the account was changed without being asked")?;

    let wider = json!({ "spec": { "mysql": { "charset": "utf8mb4", "collation": "utf8mb4_bin" } } });
    stage.change(&mine, with(asking(), wider)).await?;
    for subject in [&app, &team] {
        stage.change(subject, asking()).await?;
    }
    for subject in [&mine, &app, &team] {
        let seen = stage.until(&operator, subject, ready()).await?;
        ensure!(is_adopted(&seen), "{subject}: {}", seen.0);
    }
    ensure!(server.query(charset)? == "utf8mb4", "the database is not as the spec says");
    ensure!(server.query("SELECT a FROM mine.kept")? == "7", "what was in the database is gone");
    ensure!(server.query_as("mine_app", "before", None, "SELECT 1").is_err(), "the former password still works");
    let password = stage.secret_value(&Subject::secret("app"), "password").await?;
    server.query_as("mine_app", &password, None, "SELECT 1")?;
    // What it held before stays beside what the spec says.
    let rights = server.query(before)?;
    ensure!(rights.contains("INSERT") && rights.contains("SELECT"), "{rights}");

    let wishes = vec![Wish::database("there"), Wish::user("there_app"), Wish::role("there_team")];
    adopted_when_listed(&stage, &operator, &other, wishes).await?;
    for subject in [&app, &team, &mine] {
        stage.delete(subject).await?;
        stage.until_gone(&operator, subject).await?;
    }
    let accounts = server.query("SELECT user FROM mysql.user WHERE user LIKE 'mine%' OR user LIKE 'there%'")?;
    let databases = server.query("SHOW DATABASES WHERE `Database` IN ('mine', 'there')")?;
    ensure!(accounts.is_empty() && databases.is_empty(), "what was adopted stayed: {accounts} {databases}");
    Ok(())
}

//! Rights of roles and on objects whose names mean something to somebody: each role may do exactly its own thing.

use std::iter;

use anyhow::{Context as _, Result, ensure};
use dbprovision_tests::manifests::{
    access_grant, credentials, database, instance, mysql_credentials, mysql_instance, role, user, with,
};
use dbprovision_tests::stage::{Stage, Subject, ready};
use serde_json::{Value, json};
use testkit::mysql::{MysqlServer, Options, Version};
use testkit::world::Operator;

use super::HOSTILE;

/// Grants to a role or user of the same number.
fn grant(number: usize, to: &Value, grants: &Value, block: &str) -> Value {
    let stated = json!({ "deletionProtection": false, block: { "grants": grants } });
    with(with(access_grant(&format!("grant-{number}")), json!({ "spec": stated })), json!({ "spec": to }))
}

async fn all_ready(stage: &Stage, operator: &Operator, kind: &str, prefix: &str, count: usize) -> Result<()> {
    for number in 0..count {
        stage.until(operator, &Subject::new(kind, &format!("{prefix}-{number}"))?, ready()).await?;
    }
    Ok(())
}

async fn all_gone(stage: &Stage, operator: &Operator, kind: &str, prefix: &str, count: usize) -> Result<()> {
    for number in 0..count {
        stage.delete(&Subject::new(kind, &format!("{prefix}-{number}"))?).await?;
    }
    for number in 0..count {
        stage.until_gone(operator, &Subject::new(kind, &format!("{prefix}-{number}"))?).await?;
    }
    Ok(())
}

#[tokio::test]
async fn rights_in_postgres_are_about_the_very_names_that_are_stated() -> Result<()> {
    let stage = Stage::open("hostile-rights").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let tag = stage.word("");
    let place = format!("x'; \"Ünï\" %_\\ {tag}");
    let names: Vec<String> = HOSTILE.iter().map(|name| format!("{name}{tag}")).collect();
    let log_before = server.log_text().len();
    stage.put_all([credentials("main-admin", server), instance("main", server)]).await?;
    stage.put(database("place", &place)).await?;
    stage.until(&operator, &Subject::database("place"), ready()).await?;
    let owner = server.login(&server.administrator.name, &server.administrator.password, &place).await?;
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    for name in &names {
        owner.rows(&format!("CREATE SCHEMA {0}; CREATE TABLE {0}.{0} ({0} int, other int)", quoted(name))).await?;
    }
    for (number, name) in names.iter().enumerate() {
        stage.put(role(&format!("role-{number}"), name)).await?;
        let entries = json!([
            { "database": place, "schema": name, "privileges": ["USAGE"] },
            { "database": place, "schema": name, "tables": [name], "privileges": ["INSERT"] },
            { "database": place, "schema": name, "columns": { name.as_str(): [name] }, "privileges": ["SELECT"] },
        ]);
        let to = json!({ "roleRef": { "name": format!("role-{number}") } });
        stage.put(grant(number, &to, &entries, "postgres")).await?;
    }
    all_ready(&stage, &operator, "DatabaseGrant", "grant", names.len()).await?;
    // Schema, table and column of its own name, and nothing else.
    let held = "\
SELECT r.rolname || '|' || n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a JOIN pg_roles r ON r.oid = a.grantee
 WHERE a.privilege_type = 'USAGE' AND r.rolname LIKE '%TAG'
UNION ALL SELECT r.rolname || '|' || c.relname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
 WHERE a.privilege_type = 'INSERT' AND r.rolname LIKE '%TAG'
UNION ALL SELECT r.rolname || '|' || t.attname FROM pg_attribute t, aclexplode(t.attacl) a JOIN pg_roles r ON r.oid = a.grantee
 WHERE a.privilege_type = 'SELECT' AND r.rolname LIKE '%TAG'"
        .replace("TAG", &tag);
    let pairs = async || {
        let rows = server.query(&place, &held).await?;
        let mut pairs: Vec<String> = rows.into_iter().flatten().flatten().collect();
        pairs.sort();
        anyhow::Ok(pairs)
    };
    let mut expected: Vec<String> = names.iter().flat_map(|name| vec![format!("{name}|{name}"); 3]).collect();
    expected.sort();
    ensure!(pairs().await? == expected, "{:#?}", pairs().await?);
    all_gone(&stage, &operator, "DatabaseGrant", "grant", names.len()).await?;
    ensure!(pairs().await?.is_empty(), "left behind: {:#?}", pairs().await?);
    all_gone(&stage, &operator, "DatabaseRole", "role", names.len()).await?;
    let log = server.log_text();
    let broken: Vec<&str> =
        log.get(log_before..).unwrap_or(&log).lines().filter(|line| line.contains("ERROR:  syntax error")).collect();
    ensure!(broken.is_empty(), "statements broke: {broken:?}");
    stage.delete(&Subject::database("place")).await?;
    stage.until_gone(&operator, &Subject::database("place")).await
}

/// Names that the server can hold: of users the shorter limit is 32 characters. A lone backslash in the name of a
/// database is nothing that MySQL can give a right on.
fn names_of(engine: &str) -> Vec<String> {
    let short = [
        "x'; DROP",
        "\"; DROP",
        "a'b''c",
        "a\"b",
        "back\\_sl",
        "tick`tick",
        "semi;",
        "%_*?",
        "../etc",
        "UPPER",
        "upper",
        "Ünï数",
        "a_b",
        "aXb",
    ];
    let more = (engine == "mariadb").then_some("back\\sl");
    short.into_iter().chain(more).enumerate().map(|(number, name)| format!("{name}{number}")).collect()
}

/// The role of a name; users and roles share their names on some servers.
fn role_of(name: &str) -> String {
    format!("{name}_r")
}

/// Whether the server keeps rights on routines with this name somewhere in them.
fn may_be_in_rights_on_routines(name: &str) -> bool {
    name.is_ascii()
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

async fn in_mysql(purpose: &str, version: Version, engine: &str) -> Result<()> {
    let stage = Stage::open(purpose).await?;
    let server = MysqlServer::start(Options { version, ..Options::default() }).await?;
    let operator = stage.operator().await?;
    let offered = mysql_instance("main", &server, engine);
    stage.put_all([mysql_credentials("main-admin", &server), offered]).await?;
    let names = names_of(engine);
    for (number, name) in names.iter().enumerate() {
        stage.put(user(&format!("user-{number}"), name)).await?;
        stage.put(database(&format!("database-{number}"), name)).await?;
        let entries = json!([
            { "level": "database", "database": name, "privileges": ["INSERT"] },
            { "level": "table", "database": name, "table": name, "privileges": ["DELETE"] },
        ]);
        stage.until(&operator, &Subject::database(&format!("database-{number}")), ready()).await?;
        let quoted = quoted(name);
        server.query(&format!(
            "CREATE TABLE {quoted}.{quoted} ({quoted} int, other int); \
             CREATE PROCEDURE {quoted}.{quoted}() SELECT 1; \
             CREATE FUNCTION {quoted}.{quoted}() RETURNS int DETERMINISTIC RETURN 1"
        ))?;
        let mut of_role = vec![
            json!({ "level": "column", "database": name, "table": name, "columns": [name], "privileges": ["SELECT"] }),
        ];
        if may_be_in_rights_on_routines(name) {
            of_role.extend(
                ["procedure", "function"]
                    .map(|kind| json!({ "level": kind, "database": name, kind: name, "privileges": ["EXECUTE"] })),
            );
        }
        let reader = role(&format!("role-{number}"), &role_of(name));
        stage.put(with(reader, json!({ "spec": { "mysql": { "grants": of_role } } }))).await?;
        let to = json!({ "userRef": { "name": format!("user-{number}") } });
        let member = json!({ "spec": { "mysql": { "roles": [role_of(name)] } } });
        stage.put(with(grant(number, &to, &entries, "mysql"), member)).await?;
    }
    all_ready(&stage, &operator, "DatabaseGrant", "grant", names.len()).await?;
    all_ready(&stage, &operator, "DatabaseRole", "role", names.len()).await?;
    // Each user writes where its own name stands, and nowhere else, whatever the other names match as patterns.
    for (number, name) in names.iter().enumerate() {
        let password = stage.secret_value(&Subject::secret(&format!("user-{number}")), "password").await?;
        let mut allowed = Vec::new();
        for other in &names {
            let quoted = quoted(other);
            let insert = format!("INSERT INTO {quoted}.{quoted} VALUES (1, 2)");
            let delete = format!("DELETE FROM {quoted}.{quoted}");
            let outcomes = [insert, delete].map(|sql| server.query_as(name, &password, None, &sql).is_ok());
            ensure!(outcomes == [true, true] || outcomes == [false, false], "{name} in {other}: {outcomes:?}");
            if outcomes == [true, true] {
                allowed.push(other);
            }
        }
        ensure!(allowed == [name], "{name} may write in {allowed:?}");
        // What the role of its name may do, and no other column.
        let (own, reader) = (quoted(name), quoted(&role_of(name)));
        let column = format!("SELECT {own} FROM {own}.{own}");
        let routines = [format!("SELECT {own}.{own}()"), format!("CALL {own}.{own}()")];
        let routines = routines.into_iter().filter(|_| may_be_in_rights_on_routines(name));
        for statement in iter::once(column).chain(routines) {
            let sql = format!("SET ROLE {reader}; {statement}");
            server.query_as(name, &password, None, &sql).with_context(|| format!("{name}: {sql}"))?;
        }
        let other_column = format!("SET ROLE {reader}; SELECT other FROM {own}.{own}");
        ensure!(server.query_as(name, &password, None, &other_column).is_err(), "{name}: {other_column}");
    }
    // On column and routines each role holds what has its name, and nothing more.
    let rows = |more: &str| {
        server.query(&format!(
            "SELECT (SELECT count(*) FROM mysql.columns_priv WHERE user LIKE '%\\_r'{more}), \
             (SELECT count(*) FROM mysql.procs_priv WHERE user LIKE '%\\_r'{more})"
        ))
    };
    let of_routines = 2 * names.iter().filter(|name| may_be_in_rights_on_routines(name)).count();
    let expected = format!("{}\t{of_routines}", names.len());
    let of_its_name = " AND hex(user) = hex(concat(db, '_r'))";
    ensure!(rows("")? == expected, "{} instead of {expected}", rows("")?);
    ensure!(rows(of_its_name)? == expected, "{} instead of {expected}", rows(of_its_name)?);
    all_gone(&stage, &operator, "DatabaseGrant", "grant", names.len()).await?;
    all_gone(&stage, &operator, "DatabaseRole", "role", names.len()).await?;
    ensure!(rows("")? == "0\t0", "left behind: {}", rows("")?);
    let left = server.query("SELECT count(*) FROM mysql.db WHERE user <> '' AND db LIKE '%0%'")?;
    ensure!(left == "0", "left behind: {left}");
    all_gone(&stage, &operator, "DatabaseUser", "user", names.len()).await?;
    all_gone(&stage, &operator, "Database", "database", names.len()).await
}

#[tokio::test]
async fn rights_in_mariadb_are_about_the_very_names_that_are_stated() -> Result<()> {
    in_mysql("hostile-mariadb", Version::Distribution, "mariadb").await
}

#[tokio::test]
async fn rights_in_mysql_are_about_the_very_names_that_are_stated() -> Result<()> {
    in_mysql("hostile-mysql", Version::MySql, "mysql").await
}

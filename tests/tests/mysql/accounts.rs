//! Who gets in, and how: encryption and certificates that accounts ask for, hosts, login methods, lifetimes. The operator
//! itself comes in over TLS, and checks the server.

use anyhow::{Result, ensure};
use crds::names::{annotation, reason};
use dbprovision_tests::manifests::{mysql_credentials, mysql_instance, role, secret, user, with};
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::certificates::{Algorithm, Authority, Leaf};
use testkit::mysql::{MysqlServer, Options, ServerTls, Version};
use testkit::scratch::Scratch;
use testkit::world::Operator;

async fn accounts(purpose: &str, version: Version, engine: &str) -> Result<()> {
    let stage = Stage::open(purpose).await?;
    let authority = Authority::new("ours", Algorithm::Rsa)?;
    let tls = ServerTls {
        identity: authority.sign(&Leaf::loopback())?,
        authority: authority.certificate(),
        clients: Some(authority.certificate()),
    };
    let plugin = (version == Version::NewerMariaDb).then(|| "--plugin-load-add=auth_ed25519".to_owned());
    let settings = plugin.into_iter().collect();
    let server = MysqlServer::start(Options { version, tls: Some(tls), settings, ..Options::default() }).await?;
    let operator = stage.operator().await?;
    let tls = json!({ "enabled": true, "mode": "verify-full", "secretRef": { "name": "authority" } });
    let offered = with(mysql_instance("main", &server, engine), json!({ "spec": { "tls": tls } }));
    stage.put(secret("authority", json!({ "ca.crt": authority.certificate() }))).await?;
    stage.put_all([mysql_credentials("main-admin", &server), offered]).await?;
    stage.until(&operator, &Subject::instance("main"), ready()).await?;
    let account = |name: &str, block: Value| with(user(name, name), json!({ "spec": { "mysql": block } }));

    // Encryption.
    stage.put(account("covered", json!({ "requireSSL": true }))).await?;
    stage.put(account("certified", json!({ "requireX509": true }))).await?;
    stage.put(account("placed", json!({ "allowedHosts": ["10.9.9.9", "127.0.0.1", "localhost"] }))).await?;
    stage.put(account("moving", json!({ "passwordLifetime": 30 }))).await?;
    let mut passwords = Vec::new();
    for name in ["covered", "certified", "placed", "moving"] {
        stage.until(&operator, &Subject::user(name), ready()).await?;
        passwords.push(stage.secret_value(&Subject::secret(name), "password").await?);
    }
    let [covered, certified, placed, moving] = passwords.as_slice() else { anyhow::bail!("four passwords") };
    ensure!(server.query_as("covered", covered, None, "SELECT 1").is_err(), "it came in without encryption");
    server.query_over_tls("covered", covered, "SELECT 1")?;
    ensure!(server.query_over_tls("certified", certified, "SELECT 1").is_err(), "it came in without a certificate");
    let folder = Scratch::new("certificate")?;
    let (certificate, key) = (folder.path().join("client.crt"), folder.path().join("client.key"));
    let identity = authority.sign(&Leaf::client("somebody"))?;
    std::fs::write(&certificate, &identity.certificate)?;
    std::fs::write(&key, &identity.key)?;
    server.query_with_certificate("certified", certified, (&certificate, &key), "SELECT 1")?;
    stage.change(&Subject::user("covered"), json!({ "spec": { "mysql": { "requireSSL": false } } })).await?;
    stage.until(&operator, &Subject::user("covered"), ready()).await?;
    server.query_over_tls("covered", covered, "SELECT 1")?;

    // Hosts: each is an account, all with the one password.
    let hosts = |name: &str| {
        server.query(&format!("SELECT group_concat(host ORDER BY host) FROM mysql.user WHERE user = '{name}'"))
    };
    ensure!(hosts("placed")? == "10.9.9.9,127.0.0.1,localhost", "{}", hosts("placed")?);
    server.query_over_tls("placed", placed, "SELECT 1")?;
    stage.change(&Subject::user("placed"), json!({ "spec": { "mysql": { "allowedHosts": ["10.9.9.9"] } } })).await?;
    stage.until(&operator, &Subject::user("placed"), ready()).await?;
    ensure!(hosts("placed")? == "10.9.9.9", "{}", hosts("placed")?);
    ensure!(server.query_over_tls("placed", placed, "SELECT 1").is_err(), "it came in from another host");
    stage
        .change(&Subject::user("placed"), json!({ "spec": { "mysql": { "allowedHosts": ["10.9.9.9", "%"] } } }))
        .await?;
    stage.until(&operator, &Subject::user("placed"), ready()).await?;
    server.query_over_tls("placed", placed, "SELECT 1")?;

    // Another login method, with the same password, and a lifetime.
    let (lifetime, method) = match version {
        Version::MySql => ("SELECT password_lifetime FROM mysql.user WHERE user = 'moving'", "sha256_password"),
        Version::Distribution | Version::OldestMariaDb | Version::NewerMariaDb => {
            ("SELECT json_value(priv, '$.password_lifetime') FROM mysql.global_priv WHERE user = 'moving'", "ed25519")
        }
    };
    ensure!(server.query(lifetime)? == "30", "{}", server.query(lifetime)?);
    let moving_user = Subject::user("moving");
    stage.change(&moving_user, json!({ "spec": { "roles": ["late"], "mysql": { "authPlugin": method } } })).await?;
    stage.until(&operator, &moving_user, becomes("Ready", "False", reason::DEPENDENCY_MISSING).saying("late")).await?;
    let plugin = server.query("SELECT plugin FROM mysql.user WHERE user = 'moving'")?;
    ensure!(plugin == method, "{plugin}");
    server.query_over_tls("moving", moving, "SELECT 1")?;
    ensure!(stage.secret_value(&Subject::secret("moving"), "password").await? == *moving, "the password changed");
    stage.put(role("late", "late")).await?;
    stage.until(&operator, &moving_user, ready()).await?;
    adopted(&stage, &operator, &server).await?;
    for name in ["covered", "certified", "placed", "moving"] {
        stage.delete(&Subject::user(name)).await?;
        stage.until_gone(&operator, &Subject::user(name)).await?;
    }
    let left =
        server.query("SELECT user FROM mysql.user WHERE user IN ('covered', 'certified', 'placed', 'moving')")?;
    ensure!(left.is_empty(), "left behind: {left}");
    Ok(())
}

/// To adopt a user is not to say that nobody comes from its other hosts.
async fn adopted(stage: &Stage, operator: &Operator, server: &MysqlServer) -> Result<()> {
    server.query("CREATE USER 'theirs'@'%' IDENTIFIED BY 'x'; CREATE USER 'theirs'@'10.%' IDENTIFIED BY 'x'")?;
    let hosts = || server.query("SELECT group_concat(host ORDER BY host) FROM mysql.user WHERE user = 'theirs'");
    let theirs = Subject::user("theirs");
    stage.annotate(&Subject::instance("main"), json!({ annotation::ADOPT_USERS: "theirs" })).await?;
    let stated = json!({ "spec": { "adoptionPolicy": "Adopt", "mysql": { "allowedHosts": ["%"] } } });
    stage.put(with(user("theirs", "theirs"), stated)).await?;
    stage.until(operator, &theirs, ready()).await?;
    // A change that asks for nothing of the kind.
    stage.change(&theirs, json!({ "spec": { "mysql": { "maxUserConnections": 3 } } })).await?;
    stage.until(operator, &theirs, ready()).await?;
    ensure!(hosts()? == "%,10.%", "{}", hosts()?);
    stage.annotate(&theirs, json!({ annotation::ALLOW_DESTRUCTIVE_DRIFT: "true" })).await?;
    stage.change(&theirs, json!({ "spec": { "driftPolicy": { "mode": "correct", "interval": "2s" } } })).await?;
    stage
        .eventually("somebody agreed", PATIENCE, operator, async || {
            ensure!(hosts()? == "%", "{}", hosts()?);
            Ok(())
        })
        .await?;
    stage.delete(&theirs).await?;
    stage.until_gone(operator, &theirs).await
}

#[tokio::test]
async fn accounts_of_mariadb_let_in_whom_the_spec_says() -> Result<()> {
    accounts("accounts-mariadb", Version::NewerMariaDb, "mariadb").await
}

#[tokio::test]
async fn accounts_of_mysql_let_in_whom_the_spec_says() -> Result<()> {
    accounts("accounts-mysql", Version::MySql, "mysql").await
}

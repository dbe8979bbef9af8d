//! The modes: each with a right certificate and with every wrong one.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use crds::names::reason;
use dbprovision_tests::manifests::{credentials, database, instance, user, with};
use dbprovision_tests::signpost::Signpost;
use dbprovision_tests::stage::{Stage, Subject, becomes, ready};
use serde_json::{Value, json};
use testkit::certificates::{Algorithm, Leaf};
use testkit::postgres::{Access, Options, PostgresServer};

use super::{authority, authority_secret, every_session_was_encrypted, server, with_tls};

/// A mode, whether an authority is given and which, and whether the server is accepted.
type Row = (&'static str, &'static str, Option<&'static str>, bool);

/// Applies an instance for each row, and waits for what each says.
async fn rows_hold(purpose: &str, server: &PostgresServer, rows: &[Row], ours: &super::Authority) -> Result<()> {
    let stage = Stage::open(purpose).await?;
    let operator = stage.operator().await?;
    stage.put_all([authority_secret("ours", ours), authority_secret("others", &authority("others")?)]).await?;
    stage.put(credentials("shared", server)).await?;
    let manifest = |row: &Row| {
        let (name, mode, authority, _) = row;
        let mut tls = json!({ "enabled": true, "mode": mode });
        if let Some(authority) = authority {
            tls = with(tls, json!({ "secretRef": json!({ "name": authority }) }));
        }
        let shared = json!({ "spec": { "connection": { "secretRef": { "name": "shared" } } } });
        with_tls(with(instance(name, server), shared), &tls)
    };
    stage.put_all(rows.iter().map(manifest)).await?;
    for (name, _, _, accepted) in rows {
        let wanted = if *accepted { ready() } else { becomes("Connected", "False", reason::TLS_FAILED) };
        stage.until(&operator, &Subject::instance(name), wanted).await?;
    }
    if rows.iter().any(|(.., accepted)| *accepted) {
        every_session_was_encrypted(server)?;
    } else {
        let log = server.log_text();
        let reached = format!("user={} ", server.administrator.name);
        ensure!(!log.contains(&reached), "a login was begun although the server was not to be trusted");
    }
    Ok(())
}

const RIGHT: [Row; 7] = [
    ("require", "require", None, true),
    ("require-ours", "require", Some("ours"), true),
    // As libpq has it: a given authority is used even where only encryption is asked for.
    ("require-others", "require", Some("others"), false),
    ("ca-ours", "verify-ca", Some("ours"), true),
    ("ca-others", "verify-ca", Some("others"), false),
    ("full-ours", "verify-full", Some("ours"), true),
    ("full-others", "verify-full", Some("others"), false),
];

#[tokio::test]
async fn a_right_certificate_is_accepted_in_every_mode_and_only_with_the_right_authority() -> Result<()> {
    let ours = authority("ours")?;
    let server = server(ours.sign(&Leaf::loopback())?, &ours, Access::Password).await?;
    rows_hold("tls-right", &server, &RIGHT, &ours).await
}

#[tokio::test]
async fn the_same_holds_for_rsa() -> Result<()> {
    let ours = super::Authority::new("ours", Algorithm::Rsa)?;
    let server = server(ours.sign(&Leaf::loopback().algorithm(Algorithm::Rsa))?, &ours, Access::Password).await?;
    rows_hold("tls-rsa", &server, &RIGHT, &ours).await
}

#[tokio::test]
async fn a_wrong_name_matters_only_where_the_name_is_verified() -> Result<()> {
    let ours = authority("ours")?;
    let server = server(ours.sign(&Leaf::server(["db.example.org"]))?, &ours, Access::Password).await?;
    let rows = [
        ("require", "require", Some("ours"), true),
        ("ca", "verify-ca", Some("ours"), true),
        ("full", "verify-full", Some("ours"), false),
    ];
    rows_hold("tls-name", &server, &rows, &ours).await
}

#[tokio::test]
async fn an_expired_certificate_and_one_of_the_future_fail_wherever_the_chain_is_verified() -> Result<()> {
    let ours = authority("ours")?;
    for (purpose, leaf) in
        [("tls-expired", Leaf::loopback().expired()), ("tls-future", Leaf::loopback().from_the_future())]
    {
        let server = server(ours.sign(&leaf)?, &ours, Access::Password).await?;
        let rows = [
            ("require", "require", None, true),
            ("require-ours", "require", Some("ours"), false),
            ("ca", "verify-ca", Some("ours"), false),
            ("full", "verify-full", Some("ours"), false),
        ];
        rows_hold(purpose, &server, &rows, &ours).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_self_signed_certificate_is_good_for_encryption_alone() -> Result<()> {
    let ours = authority("ours")?;
    let server = server(Leaf::loopback().self_signed()?, &ours, Access::Password).await?;
    let rows = [
        ("require", "require", None, true),
        ("require-ours", "require", Some("ours"), false),
        ("ca", "verify-ca", Some("ours"), false),
        ("full", "verify-full", Some("ours"), false),
    ];
    rows_hold("tls-self", &server, &rows, &ours).await
}

#[tokio::test]
async fn no_login_is_begun_with_a_server_that_is_not_trusted() -> Result<()> {
    let ours = authority("ours")?;
    let server = server(ours.sign(&Leaf::loopback())?, &ours, Access::Password).await?;
    let rows = [("ca", "verify-ca", Some("others"), false), ("full", "verify-full", Some("others"), false)];
    // The harness itself logs in through the socket as the superuser; the administrator appears only by its own login.
    rows_hold("tls-untrusted", &server, &rows, &ours).await
}

#[tokio::test]
async fn all_work_on_a_server_that_insists_on_tls_is_encrypted() -> Result<()> {
    let stage = Stage::open("tls-work").await?;
    let ours = authority("ours")?;
    let server = server(ours.sign(&Leaf::loopback())?, &ours, Access::PasswordOverTls).await?;
    let operator = stage.operator().await?;
    stage.put_all([credentials("main-admin", &server), authority_secret("ours", &ours)]).await?;
    let tls = json!({ "enabled": true, "mode": "verify-full", "secretRef": { "name": "ours" } });
    stage.put(with_tls(instance("main", &server), &tls)).await?;
    let script = json!({ "spec": {
        "owner": "app",
        "initSQL": { "inline": ["CREATE TABLE t (a int)"] },
        "postgres": { "schemas": [{ "name": "sales" }], "extensions": [{ "name": "pg_trgm" }] },
    } });
    stage.put_all([user("app", "app"), with(database("orders", "orders"), script)]).await?;
    stage.until(&operator, &Subject::user("app"), ready()).await?;
    stage.until(&operator, &Subject::database("orders"), ready()).await?;
    let password = stage.secret_value(&Subject::secret("app"), "password").await?;
    server.login("app", &password, "orders").await?;
    for subject in [Subject::database("orders"), Subject::user("app")] {
        stage.delete(&subject).await?;
        stage.until_gone(&operator, &subject).await?;
    }
    every_session_was_encrypted(&server)?;
    // Sessions of scripts and probes too: nobody at all came in over TCP without TLS.
    for line in server
        .log_text()
        .lines()
        .filter(|line| line.contains("connection authorized") && !line.contains("user=postgres"))
    {
        ensure!(line.contains("SSL enabled"), "not encrypted: {line}");
    }
    Ok(())
}

#[tokio::test]
async fn tls_that_is_off_fails_where_the_server_insists_and_prefer_takes_what_there_is() -> Result<()> {
    let stage = Stage::open("tls-off").await?;
    let ours = authority("ours")?;
    let insisting = server(ours.sign(&Leaf::loopback())?, &ours, Access::PasswordOverTls).await?;
    let without = PostgresServer::start(Options::default()).await?;
    let operator = stage.operator().await?;
    let off = json!({ "enabled": false });
    let mode = |word: &str| json!({ "spec": { "postgres": { "sslMode": word } } });
    let manifests: [(&str, &PostgresServer, Value); 8] = [
        ("off-insisting", &insisting, json!({ "spec": { "tls": off } })),
        ("disable-insisting", &insisting, mode("disable")),
        ("allow-insisting", &insisting, mode("allow")),
        ("default-insisting", &insisting, json!({})),
        ("default-without", &without, json!({})),
        ("require-without", &without, mode("require")),
        ("block-without", &without, json!({ "spec": { "tls": { "enabled": true, "mode": "require" } } })),
        // A stated block decides, whatever the engine's own option says.
        (
            "block-wins",
            &insisting,
            json!({ "spec": { "tls": { "enabled": true, "mode": "require" },
            "postgres": { "sslMode": "disable" } } }),
        ),
    ];
    for (name, server, change) in &manifests {
        stage
            .put_all([credentials(&format!("{name}-admin"), server), with(instance(name, server), change.clone())])
            .await?;
    }
    for (name, accepted) in [
        ("off-insisting", false),
        ("disable-insisting", false),
        ("allow-insisting", true),
        ("default-insisting", true),
        ("default-without", true),
        ("require-without", false),
        ("block-without", false),
        ("block-wins", true),
    ] {
        let subject = Subject::instance(name);
        let seen = stage
            .eventually(&format!("{name} is judged"), dbprovision_tests::stage::PATIENCE, &operator, async || {
                let seen = stage.get(&subject).await?;
                let connected = seen.condition("Connected").context("there is no condition yet")?;
                Ok((connected.status == "True", seen))
            })
            .await?;
        ensure!(seen.0 == accepted, "{name}: {}", seen.1.summary());
    }
    every_session_was_encrypted(&insisting)?;
    let log = without.log_text();
    let refused = ["require-without", "block-without"].len();
    ensure!(refused == 2 && log.contains(&format!("connection authorized: user={}", without.administrator.name)));
    Ok(())
}

#[tokio::test]
async fn a_server_that_loses_its_tls_is_refused_and_no_password_is_sent_to_it() -> Result<()> {
    let stage = Stage::open("tls-downgrade").await?;
    let ours = authority("ours")?;
    let honest = server(ours.sign(&Leaf::loopback())?, &ours, Access::Password).await?;
    let stripped = PostgresServer::start(Options::default()).await?;
    let at = |server: &PostgresServer| SocketAddr::from(([127, 0, 0, 1], server.port));
    let signpost = Signpost::start(at(&honest)).await?;
    let mut through = (*honest).clone();
    through.port = signpost.address().port();
    let operator = stage.operator().await?;
    let tls = json!({ "enabled": true, "mode": "verify-full", "secretRef": { "name": "ours" } });
    let often = json!({ "spec": { "healthCheck": { "intervalSeconds": 5 } } });
    stage.put_all([credentials("main-admin", &through), authority_secret("ours", &ours)]).await?;
    stage.put(with(with_tls(instance("main", &through), &tls), often)).await?;
    let main = Subject::instance("main");
    stage.until(&operator, &main, ready()).await?;

    signpost.turn(at(&stripped));
    let wanted = becomes("Connected", "False", reason::TLS_FAILED).saying("does not offer TLS");
    stage.until(&operator, &main, wanted).await?;
    let log = stripped.log_text();
    let login = format!("user={} ", stripped.administrator.name);
    ensure!(!log.contains(&login), "a login was begun without TLS:\n{log}");

    signpost.turn(at(&honest));
    stage.until(&operator, &main, ready()).await?;
    Ok(())
}

#[tokio::test]
async fn an_authority_that_is_named_is_never_left_unused() -> Result<()> {
    let stage = Stage::open("tls-unused").await?;
    let ours = authority("ours")?;
    let server = server(ours.sign(&Leaf::loopback())?, &ours, Access::Password).await?;
    let operator = stage.operator().await?;
    stage.put_all([authority_secret("ours", &ours), authority_secret("others", &authority("others")?)]).await?;
    stage.put(credentials("shared", &server)).await?;
    let shared = json!({ "spec": { "connection": { "secretRef": { "name": "shared" } } } });
    let verify = json!({ "spec": { "postgres": { "sslMode": "verify-full" } } });
    let manifest = |name: &str, tls: Value, change: &Value| {
        with(with_tls(with(instance(name, &server), shared.clone()), &tls), change.clone())
    };
    let named = |authority: &str| json!({ "secretRef": { "name": authority } });
    stage
        .put_all([
            manifest("by-option", named("ours"), &verify),
            manifest("by-option-others", named("others"), &verify),
            manifest("by-nothing", named("ours"), &json!({})),
            manifest("off", with(named("ours"), json!({ "enabled": false })), &verify),
        ])
        .await?;
    stage.until(&operator, &Subject::instance("by-option"), ready()).await?;
    let refused = becomes("Connected", "False", reason::TLS_FAILED);
    stage.until(&operator, &Subject::instance("by-option-others"), refused).await?;
    let refused = becomes("Accepted", "False", reason::INVALID_SPEC).saying("spec.tls.mode");
    stage.until(&operator, &Subject::instance("by-nothing"), refused).await?;
    stage.until(&operator, &Subject::instance("off"), ready()).await?;
    Ok(())
}

#[tokio::test]
async fn a_corrected_authority_is_noticed() -> Result<()> {
    let stage = Stage::open("tls-cured").await?;
    let ours = authority("ours")?;
    let server = server(ours.sign(&Leaf::loopback())?, &ours, Access::PasswordOverTls).await?;
    let operator = stage.operator().await?;
    let tls = json!({ "enabled": true, "mode": "verify-ca", "secretRef": { "name": "authority" } });
    stage.put_all([credentials("main-admin", &server), with_tls(instance("main", &server), &tls)]).await?;
    let main = Subject::instance("main");
    stage.until(&operator, &main, becomes("Connected", "False", reason::SECRET_NOT_FOUND).saying("authority")).await?;
    stage.put(dbprovision_tests::manifests::secret("authority", json!({ "other": "x" }))).await?;
    stage.until(&operator, &main, becomes("Connected", "False", reason::SECRET_KEY_NOT_FOUND).saying("ca.crt")).await?;
    stage.put(authority_secret("authority", &authority("others")?)).await?;
    stage.until(&operator, &main, becomes("Connected", "False", reason::TLS_FAILED)).await?;
    stage.put(authority_secret("authority", &ours)).await?;
    stage.until(&operator, &main, ready()).await?;
    Ok(())
}

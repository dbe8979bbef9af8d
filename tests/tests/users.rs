//! Users on real servers: every attribute, the policy of passwords, the Secret, and how they end.

use anyhow::ensure;
use crds::names::{annotation, condition, reason};
use dbprovision_tests::theatre::{Setting, literal, perform, perform_in};
use serde_json::{Value, json};

#[path = "users/output_secret.rs"]
mod output_secret;
#[path = "users/passwords.rs"]
mod passwords;
#[path = "users/waiting.rs"]
mod waiting;

const ATTRIBUTES: &str = "SELECT rolconnlimit, rolsuper, rolcreatedb, rolcreaterole, rolinherit, rolcanlogin, \
     rolreplication, rolbypassrls, to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM pg_roles";

fn allowing_everything() -> Setting {
    Setting::superuser(json!({ "privilegeCeiling": {
        "superuser": true, "replication": true, "bypassRLS": true, "createRole": true, "dangerousRoles": true,
    } }))
}

fn cells(row: &[&str]) -> Vec<Option<String>> {
    row.iter().map(|cell| (*cell != "NULL").then(|| (*cell).to_owned())).collect()
}

#[tokio::test]
async fn a_user_has_every_attribute_its_spec_states_and_loses_those_it_no_longer_states() {
    perform_in("user-attributes", allowing_everything(), async |site| {
        let roles = ["one", "two", "three"].map(|stem| site.name(stem));
        for role in &roles {
            site.rows("postgres", &format!("CREATE ROLE {role}")).await?;
        }
        let (user, name) = site
            .ready_user("full", json!({
                "roles": [roles[0]],
                "postgres": {
                    "connectionLimit": 5, "validUntil": "2031-02-03T04:05:06Z", "createDB": true, "createRole": true,
                    "inherit": false, "replication": true, "bypassRLS": true, "inRoles": [roles[1], roles[2]],
                    "defaultRole": roles[1],
                    "configParameters": {
                        "search_path": "\"$user\", \"Odd Schema\", public",
                        "statement_timeout": "5s",
                        "app.tenant": "o'clock \\ half",
                    },
                },
            }))
            .await?;
        let attributes = format!("{ATTRIBUTES} WHERE rolname = {}", literal(&name));
        let expected = cells(&["5", "f", "t", "t", "f", "t", "t", "t", "2031-02-03 04:05:06"]);
        let found = site.rows("postgres", &attributes).await?;
        ensure!(found == [expected], "the user is {found:?}");
        let memberships = format!(
            "SELECT string_agg(pg_get_userbyid(roleid), ',' ORDER BY roleid) FROM pg_auth_members \
             WHERE member = (SELECT oid FROM pg_roles WHERE rolname = {})",
            literal(&name)
        );
        site.sees("postgres", &memberships, &roles.join(",")).await?;
        let session = site.login(&site.login_secret("full"), "postgres").await?;
        for (setting, expected) in [
            ("current_user", roles[1].as_str()),
            ("current_setting('search_path')", "\"$user\", \"Odd Schema\", public"),
            ("current_setting('statement_timeout')", "5s"),
            ("current_setting('app.tenant')", "o'clock \\ half"),
        ] {
            let found = session.rows(&format!("SELECT {setting}")).await?;
            ensure!(found == [[Some(expected.to_owned())]], "{setting} is {found:?}");
        }

        user.change(json!({ "roles": null, "postgres": {
            "connectionLimit": null, "validUntil": null, "createDB": null, "createRole": null, "inherit": null,
            "replication": null, "bypassRLS": null, "inRoles": [roles[2]], "defaultRole": null,
            "configParameters": { "search_path": null, "app.tenant": null, "statement_timeout": "6s" },
        } }))
        .await?;
        user.ready().await?;
        let found = site.rows("postgres", &attributes).await?;
        let defaults = cells(&["-1", "f", "f", "f", "t", "t", "f", "f", "NULL"]);
        let infinite = cells(&["-1", "f", "f", "f", "t", "t", "f", "f", "infinity"]);
        ensure!(found == [defaults] || found == [infinite], "the user is {found:?}");
        site.sees("postgres", &memberships, &roles[2]).await?;
        let settings = format!(
            "SELECT array_to_string(setconfig, ';') FROM pg_db_role_setting WHERE setdatabase = 0 \
             AND setrole = (SELECT oid FROM pg_roles WHERE rolname = {})",
            literal(&name)
        );
        site.sees("postgres", &settings, "statement_timeout=6s").await?;

        user.change(json!({ "postgres": { "superuser": true } })).await?;
        user.ready().await?;
        site.sees("postgres", &format!("SELECT rolsuper FROM pg_roles WHERE rolname = {}", literal(&name)), "t")
            .await?;
        user.remove().await?;
        ensure!(!site.has_role(&name).await?, "{name} is still there");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_managed_services_administrator_serves_the_ordinary_attributes() {
    let setting = Setting::instance(json!({ "privilegeCeiling": { "createRole": true } }));
    perform_in("user-administrator", setting, async |site| {
        let (_, group) = site.ready_user("group", json!({ "postgres": { "login": false } })).await?;
        let (user, name) = site
            .ready_user(
                "plain",
                json!({
                    "postgres": { "connectionLimit": 2, "createDB": true, "inRoles": [group], "defaultRole": group,
                                  "validUntil": "infinity", "configParameters": { "work_mem": "5MB" } },
                }),
            )
            .await?;
        let session = site.login(&site.login_secret("plain"), "postgres").await?;
        let found = session.rows("SELECT session_user, current_user, current_setting('work_mem')").await?;
        ensure!(found == [cells(&[&name, &group, "5MB"])], "{found:?}");
        user.change(json!({ "postgres": { "createDB": false, "inRoles": [], "defaultRole": null } })).await?;
        user.ready().await?;
        let sql = format!(
            "SELECT rolcreatedb, pg_has_role('{name}', '{group}', 'member') FROM pg_roles WHERE rolname = '{name}'"
        );
        let found = site.rows("postgres", &sql).await?;
        ensure!(found == [cells(&["f", "f"])], "{found:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_the_instances_ceiling_does_not_allow_is_refused_by_its_field() {
    perform("user-ceiling", async |site| {
        for (stem, field, value) in [
            ("super", "superuser", json!(true)),
            ("replica", "replication", json!(true)),
            ("bypass", "bypassRLS", json!(true)),
            ("maker", "createRole", json!(true)),
            ("member", "inRoles", json!(["pg_execute_server_program"])),
            ("reader", "inRoles", json!(["pg_read_server_files"])),
            ("borrower", "inRoles", json!([site.server.superuser.name])),
            ("admin", "inRoles", json!([site.server.administrator.name])),
            ("default", "defaultRole", json!(site.server.administrator.name)),
            ("loader", "configParameters.session_preload_libraries", json!("auto_explain")),
            ("unseen", "configParameters.log_statement", json!("none")),
        ] {
            let (user, name) = (site.user(stem), site.name(stem));
            let stated = match field.split_once('.') {
                Some((block, name)) => json!({ block: { name: value } }),
                None => json!({ field: value }),
            };
            user.create(site.user_spec(&name, json!({ "postgres": stated }))).await?;
            let message = user.refused(reason::PRIVILEGE_DENIED).await?;
            ensure!(message.contains(&format!("spec.postgres.{field}")), "{stem}: {message}");
            ensure!(!site.has_role(&name).await?, "{stem} was created all the same");
            ensure!(!site.has_secret(&format!("{name}-credentials")).await?, "{stem} has a Secret");
        }
        let user = site.user("super");
        user.change(json!({ "postgres": { "superuser": false } })).await?;
        user.ready().await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_user_that_may_not_log_in_cannot_until_it_may() {
    perform("user-login", async |site| {
        let (user, name) = site.ready_user("quiet", json!({ "postgres": { "login": false } })).await?;
        let password = site.password(&site.login_secret("quiet")).await?;
        ensure!(!site.takes(&name, &password, "postgres").await?, "it logged in");
        user.change(json!({ "postgres": { "login": true } })).await?;
        user.ready().await?;
        ensure!(site.takes(&name, &password, "postgres").await?, "it cannot log in");
        user.change(json!({ "postgres": { "validUntil": "2001-01-01T00:00:00Z" } })).await?;
        user.ready().await?;
        ensure!(!site.takes(&name, &password, "postgres").await?, "it logged in after its time");
        user.change(json!({ "postgres": { "validUntil": "no time at all" } })).await?;
        // It is the server that does not understand it, of an account that is there.
        let (_, message) = user.shows(condition::SYNCED, "False", reason::INVALID_OPTIONS).await?;
        ensure!(message.contains("spec.postgres.validUntil"), "{message}");
        user.change(json!({ "postgres": { "validUntil": null } })).await?;
        user.ready().await?;
        ensure!(site.takes(&name, &password, "postgres").await?, "it cannot log in again");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_option_that_no_user_can_have_is_named_and_nothing_is_applied() {
    perform("user-invalid", async |site| {
        let wrong: [(&str, Value, &str, &str); 6] = [
            (
                "setting",
                json!({ "configParameters": { "a b": "c" } }),
                reason::INVALID_OPTIONS,
                "spec.postgres.configParameters",
            ),
            (
                "role",
                json!({ "configParameters": { "role": "postgres" } }),
                reason::INVALID_OPTIONS,
                "configParameters.role",
            ),
            ("self", json!({ "inRoles": [site.name("self")] }), reason::INVALID_OPTIONS, "spec.postgres.inRoles[0]"),
            ("owner", json!({ "inRoles": ["pg_database_owner"] }), reason::INVALID_OPTIONS, "spec.postgres.inRoles[0]"),
            ("moving", json!({ "validUntil": "tomorrow" }), reason::INVALID_OPTIONS, "spec.postgres.validUntil"),
            ("missing", json!({ "inRoles": [site.name("nobody")] }), reason::DEPENDENCY_MISSING, &site.name("nobody")),
        ]
        .map(|(stem, options, reason, path)| (stem, options, reason, &*path.to_owned().leak()));
        for (stem, options, expected, words) in wrong {
            let (user, name) = (site.user(stem), site.name(stem));
            user.create(site.user_spec(&name, json!({ "postgres": options }))).await?;
            let message = user.stopped(expected).await?;
            ensure!(message.contains(words), "{stem}: {message:?} does not name {words}");
            if expected == reason::INVALID_OPTIONS {
                ensure!(!site.has_role(&name).await?, "{stem} was created all the same");
            }
            user.change(json!({ "postgres": null })).await?;
            user.ready().await?;
        }
        let user = site.user("mysql");
        user.create(site.user_spec(&site.name("mysql"), json!({ "mysql": {} }))).await?;
        let message = user.refused(reason::UNSUPPORTED).await?;
        ensure!(message.contains("spec.mysql"), "{message}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_deleted_user_goes_with_its_rights_and_sessions_unless_it_is_to_stay() {
    perform("user-endings", async |site| {
        let (guest, name) = site.ready_user("guest", json!({})).await?;
        let (_, database) =
            site.ready_database("place", json!({ "postgres": { "schemas": [{ "name": "app" }] } })).await?;
        site.rows(
            &database,
            &format!("GRANT ALL ON SCHEMA app TO {name}; GRANT CREATE ON DATABASE {database} TO {name}"),
        )
        .await?;
        let session = site.login(&site.login_secret("guest"), &database).await?;
        session.rows("SELECT 1").await?;
        guest.remove().await?;
        ensure!(!site.has_role(&name).await?, "{name} is still there");
        ensure!(session.rows("SELECT 1").await.is_err(), "its session lives on");

        let (kept, name) = site.ready_user("kept", json!({})).await?;
        kept.annotate(annotation::DELETION_POLICY, Some("Retain")).await?;
        kept.remove().await?;
        ensure!(site.has_role(&name).await?, "{name} was dropped");

        let (protected, name) = site.ready_user("protected", json!({})).await?;
        protected.annotate(annotation::DELETION_PROTECTION, Some("true")).await?;
        protected.delete().await?;
        protected.status_has("/phase", &json!("PendingDeletion")).await?;
        ensure!(site.has_role(&name).await?, "{name} was dropped");
        protected.annotate(annotation::DELETION_PROTECTION, None).await?;
        protected.gone().await?;
        ensure!(!site.has_role(&name).await?, "{name} is still there");

        let (unclear, name) = site.ready_user("unclear", json!({})).await?;
        unclear.annotate(annotation::DELETION_POLICY, Some("Snapshot")).await?;
        unclear.delete().await?;
        unclear.status_has("/phase", &json!("PendingDeletion")).await?;
        ensure!(site.has_role(&name).await?, "{name} was dropped");
        unclear.annotate(annotation::DELETION_POLICY, Some("Delete")).await?;
        unclear.gone().await?;
        ensure!(!site.has_role(&name).await?, "{name} is still there");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_said_of_a_secret_that_is_not_written_is_understood_or_refused() {
    perform("user-unwritten", async |site| {
        let own = site.name("own-");
        site.create_secret(&own, json!({ "password": "chosen by hand" })).await?;
        for (stem, more, reason, word) in [
            ("vault", json!({ "format": "vault" }), reason::NOT_YET_SERVED, "format"),
            ("labels", json!({ "secretTemplate": { "labels": { "a": "b" } } }), reason::INVALID_SPEC, "secretTemplate"),
        ] {
            let mut secret = json!({ "secretName": own, "generate": false });
            secret
                .as_object_mut()
                .into_iter()
                .for_each(|block| block.extend(more.as_object().cloned().unwrap_or_default()));
            let user = site.user(stem);
            user.create(site.user_spec(&site.name(stem), json!({ "passwordSecret": secret }))).await?;
            let message = user.refused(reason).await?;
            ensure!(message.contains(word), "{message}");
            ensure!(!site.has_role(&site.name(stem)).await?, "{stem} was created");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_interval_that_cannot_be_read_or_would_never_end_is_refused() {
    perform("user-interval", async |site| {
        let user = site.user("hasty");
        let policy = |interval: &str| json!({ "driftPolicy": { "mode": "correct", "interval": interval } });
        user.create(site.user_spec(&site.name("hasty"), policy("banana"))).await?;
        for interval in ["banana", "0s", "1ms", "-1s", "8"] {
            user.change(policy(interval)).await?;
            let message = user.refused(reason::INVALID_SPEC).await?;
            ensure!(message.contains("spec.driftPolicy.interval") && message.contains(interval), "{message}");
        }
        ensure!(!site.has_role(&site.name("hasty")).await?, "it was created");
        user.change(policy("1s")).await?;
        user.ready().await.map(drop)
    })
    .await;
}

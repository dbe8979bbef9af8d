//! Hostile passwords in a Secret of the user's own: each is set as it is, or refused without being told.

use anyhow::{Context as _, ensure};
use crds::names::reason;
use dbprovision_tests::theatre::perform;
use serde_json::json;

/// Passwords that somebody may have chosen, and that somebody would choose to break in.
fn passwords(tag: &str) -> Vec<String> {
    let digest = "0123456789abcdef".repeat(2);
    [
        "x'; DROP ROLE y; --".to_owned(),
        "\"double\" and 'single'".to_owned(),
        "back\\slash\\'\\".to_owned(),
        " spaces and\ttabs\nand lines ".to_owned(),
        "Ünïcödé 数据库 😀".to_owned(),
        "$$dollars$1${HOME}{{.Name}}%s".to_owned(),
        // What looks like a verifier or a hash is a password all the same: whoever sees one in a dump of the
        // server's catalogue must not be able to have it set.
        format!("md5{digest}"),
        "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:\
         AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
            .to_owned(),
        "p".repeat(1000),
    ]
    .into_iter()
    .map(|password| format!("{password}{tag}"))
    .collect()
}

#[tokio::test]
async fn hostile_passwords_are_set_as_they_are() {
    perform("hostile-passwords", async |site| {
        let mut all = passwords(site.tag());
        // Exactly the server's own form, without anything behind it.
        all.push(format!("md5{}{}", "0123456789abcdef0123456789", site.tag()));
        let mut users = Vec::new();
        for (number, password) in all.iter().enumerate() {
            let (user, name) = (site.user(&format!("p{number}n")), site.name(&format!("p{number}n")));
            let source = format!("{name}-source");
            site.create_secret(&source, json!({ "key": password })).await?;
            let output = format!("{name}-output");
            let spec = json!({
                "existingPasswordSecret": { "name": source, "key": "key" }, "passwordSecret": { "secretName": output },
            });
            user.create(site.user_spec(&name, spec)).await?;
            users.push((user, name, output, password));
        }
        for (user, name, output, password) in &users {
            user.ready().await.with_context(|| format!("the password {password:?}"))?;
            ensure!(site.takes(name, password, "postgres").await?, "{password:?} does not work");
            ensure!(!site.takes(name, "another", "postgres").await?, "any password works");
            ensure!(site.password(output).await? == **password, "the output has another password than {password:?}");
        }
        let quiet: Vec<&str> = all.iter().map(String::as_str).collect();
        site.keeps_quiet_about(&quiet).await
    })
    .await;
}

#[tokio::test]
async fn a_password_that_no_client_could_send_is_refused_without_being_told() {
    perform("hostile-password-refused", async |site| {
        let word = site.name("unsayable");
        for (stem, password, reason, words) in [
            ("nul", format!("{word}\u{0}x"), reason::INVALID_OPTIONS, "the password: "),
            ("endless", word.repeat(500), reason::INVALID_SPEC, "a password has at most 4096"),
        ] {
            let (user, name) = (site.user(stem), site.name(stem));
            let source = format!("{name}-source");
            site.create_secret(&source, json!({ "key": password })).await?;
            user.create(site.user_spec(&name, json!({ "existingPasswordSecret": { "name": source, "key": "key" } })))
                .await?;
            let message = user.stopped(reason).await?;
            ensure!(message.contains(words), "{stem}: {message}");
            ensure!(!site.has_role(&name).await?, "{stem}: an account without a usable password was created");
            site.change_secret(&source, [("key", Some("sayable, at last"))].into()).await?;
            user.ready().await?;
            ensure!(site.takes(&name, "sayable, at last", "postgres").await?, "{stem}: the new password does not work");
        }
        site.keeps_quiet_about(&[&word.repeat(2), &format!("{word}\u{0}x")]).await
    })
    .await;
}

//! The text for people beside an object: what the instance says, and never instead of the mark.

use anyhow::{Result, ensure};
use dbprovision_tests::theatre::{Resource, Setting, Site, literal, perform_in};
use serde_json::{Value, json};

/// The database and the user, each with the comment that it has now.
async fn comments(site: &Site, name: &str) -> Result<[String; 2]> {
    Ok([site.database_comment(name).await?, site.role_comment(name).await?])
}

/// Both have this text before their marks, and nothing differs.
async fn both_say(site: &Site, both: &[Resource; 2], name: &str, texts: [&str; 2]) -> Result<()> {
    both[0]
        .eventually(&format!("the comments begin with {texts:?}"), async || {
            for (comment, text) in comments(site, name).await?.iter().zip(texts) {
                let (words, mark) = comment.split_at(text.len().min(comment.len()));
                ensure!(words == text, "{comment}");
                let separator = if text.is_empty() { "" } else { " " };
                ensure!(mark.starts_with(&format!("{separator}[dbops:")), "{comment}");
            }
            for resource in both {
                let status = resource.status().await?;
                ensure!(status.pointer("/drift/detected") == Some(&json!(false)), "{resource}: {status}");
            }
            Ok(())
        })
        .await?;
    for resource in both {
        resource.ready().await?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "every caller makes it in place")]
fn tracking(text: Value) -> Value {
    json!({ "resourceTracking": text })
}

#[tokio::test]
async fn the_text_beside_an_object_is_what_the_instance_says_and_the_mark_stays() {
    let own = tracking(json!({ "commentFormat": "{{.Kind}} of {{.Namespace}}'s; --" }));
    perform_in("tracking", Setting::instance(own), async |site| {
        let (database, name) = site.ready_database("told", json!({})).await?;
        let (user, _) = site.ready_user("told", json!({})).await?;
        let both = [database, user];
        let namespace = site.shared.namespace.name();
        let texts = ["Database", "DatabaseUser"].map(|kind| format!("{kind} of {namespace}'s; --"));
        both_say(site, &both, &name, [&texts[0], &texts[1]]).await?;

        site.instance.change(tracking(json!({ "enabled": false }))).await?;
        both_say(site, &both, &name, ["", ""]).await?;

        // What a person writes there is drift, and no wish.
        let mark = site.role_comment(&name).await?;
        let by_hand = literal(&format!("by hand {mark}"));
        site.rows("postgres", &format!("COMMENT ON ROLE {name} IS {by_hand}")).await?;
        both[1].annotate("example.com/look", Some("again")).await?;
        both[1].status_has("/drift/detected", &json!(true)).await?;
        ensure!(site.role_comment(&name).await?.starts_with("by hand"), "it was replaced although nobody asked");

        site.instance.change(tracking(json!({ "enabled": true, "commentFormat": "{{.Name}}" }))).await?;
        both_say(site, &both, &name, [&both[0].name, &both[1].name]).await?;

        // By the mark it is known whose they are.
        for resource in &both {
            resource.remove().await?;
        }
        ensure!(!site.has_database(&name).await? && !site.has_role(&name).await?, "they were left behind");
        Ok(())
    })
    .await;
}

//! What a user needs and is not there: it is waited for, and nothing else is.

use anyhow::ensure;
use crds::names::reason;
use dbprovision_tests::theatre::{Setting, literal, perform_in};
use serde_json::json;

#[tokio::test]
async fn a_user_that_waits_for_a_role_is_otherwise_as_its_spec_says() {
    let setting = Setting::instance(json!({ "privilegeCeiling": { "createRole": true } }));
    perform_in("user-waiting", setting, async |site| {
        let group = json!({ "postgres": { "login": false } });
        let (_, first) = site.ready_user("first", group.clone()).await?;
        let (_, other) = site.ready_user("other", group.clone()).await?;
        let late = site.name("late");
        let (user, name) = site.ready_user("member", json!({ "postgres": { "inRoles": [first] } })).await?;
        let named = literal(&name);
        let roles = format!(
            "SELECT string_agg(pg_get_userbyid(roleid), ',' ORDER BY pg_get_userbyid(roleid)) FROM pg_auth_members \
             WHERE member = (SELECT oid FROM pg_roles WHERE rolname = {named}) AND roleid <> member"
        );
        let limit = format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = {named}");
        site.sees("postgres", &roles, &first).await?;

        user.change(json!({ "postgres": { "inRoles": [late, other], "defaultRole": late, "connectionLimit": 3 } }))
            .await?;
        let message = user.stopped(reason::DEPENDENCY_MISSING).await?;
        ensure!(message.contains(&late), "{message:?} does not name {late}");
        site.sees("postgres", &roles, &other).await?;
        site.sees("postgres", &limit, "3").await?;

        site.ready_user("late", group).await?;
        user.ready().await?;
        let session = site.login(&site.login_secret("member"), "postgres").await?;
        let found = session.rows("SELECT current_user").await?;
        ensure!(found == [[Some(late.clone())]], "{found:?}");

        // A default role that it is no member of would be ignored at each login.
        user.change(json!({ "postgres": { "inRoles": [other], "defaultRole": first, "connectionLimit": 4 } })).await?;
        let message = user.stopped(reason::DEPENDENCY_MISSING).await?;
        ensure!(message.contains(&format!("not a member of its default role {first}")), "{message:?}");
        site.sees("postgres", &limit, "4").await?;
        site.sees("postgres", &roles, &other).await?;
        site.rows("postgres", &format!("GRANT {first} TO {name}")).await?;
        user.ready().await?;
        let session = site.login(&site.login_secret("member"), "postgres").await?;
        let found = session.rows("SELECT current_user").await?;
        ensure!(found == [[Some(first.clone())]], "{found:?}");
        Ok(())
    })
    .await;
}

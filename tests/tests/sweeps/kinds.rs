//! Every kind is taken along in a sweep: roles of a namespace and of the cluster, grants of the cluster, and what
//! MariaDB has.

use anyhow::{Result, ensure};
use dbprovision_tests::manifests::{
    access_grant, cluster_role, credentials, database, grant, instance, mysql_credentials, mysql_instance, role, user,
    with,
};
use dbprovision_tests::scrape::total;
use dbprovision_tests::stage::{PATIENCE, Stage, Subject, ready};
use serde_json::{Value, json};
use testkit::mysql::{MysqlServer, Options, Version};
use testkit::world::Operator;

/// Roles of the namespace, and as many of the cluster.
const ROLES: usize = 24;
/// Grants to the first of the cluster's roles.
const GRANTS: usize = 16;
/// Of each kind on MariaDB.
const EACH: usize = 12;

fn often() -> Value {
    json!({ "spec": { "driftPolicy": { "mode": "correct", "interval": "10s" } } })
}

/// Waits until sweeps of the instance looked at objects of each of these kinds.
async fn takes_along(stage: &Stage, operator: &Operator, instance: &str, kinds: &[&str]) -> Result<()> {
    let label = format!("instance=\"{instance}\"");
    stage
        .eventually("sweeps take every kind along", PATIENCE, operator, async || {
            let metrics = operator.metrics().await?;
            for kind in kinds {
                let kind = format!("kind=\"{kind}\"");
                let objects = total(&metrics, "dbops_drift_swept_objects_total", &[&label, &kind]);
                ensure!(objects > 0.0, "none of {kind}");
            }
            Ok(())
        })
        .await
}

async fn end(stage: &Stage, operator: &Operator, all: &[Subject]) -> Result<()> {
    for one in all {
        stage.delete(one).await?;
    }
    for one in all {
        stage.until_gone(operator, one).await?;
    }
    Ok(())
}

#[tokio::test]
async fn roles_and_grants_of_the_cluster_are_swept_like_any_other() -> Result<()> {
    let stage = Stage::open("sweeps-cluster").await?;
    let server = stage.postgres().await?;
    let operator = stage.operator().await?;
    let (own, word) = (stage.name().to_owned(), stage.word("wide"));
    let administrator = &server.administrator;
    let session = server.login(&administrator.name, &administrator.password, "postgres").await?;
    session.rows(&format!("CREATE DATABASE {word} TEMPLATE template0")).await?;
    let consent = grant(
        "to-cluster",
        json!({ "kind": "ClusterDatabaseInstance" }),
        json!({ "kind": "Secret", "name": "main-admin" }),
    );
    let reference = json!({ "name": "main-admin", "namespace": own });
    let of_cluster = json!({ "kind": "ClusterDatabaseInstance", "spec": {
        "connection": { "secretRef": reference }, "privilegeCeiling": { "unmanagedNames": [word] },
    } });
    let offered = with(with(instance(&own, server), of_cluster), often());
    stage.put_all([credentials("main-admin", server), consent, offered]).await?;
    let main = Subject::cluster_instance(&own);
    stage.until(&operator, &main, ready()).await?;

    let mut all = Vec::new();
    for number in 0..ROLES {
        let name = format!("{own}-{number}");
        let on_it = json!({ "spec": { "clusterInstanceRef": { "name": own } } });
        stage.put(with(cluster_role(&name, &format!("{word}_all_{number}")), on_it)).await?;
        let connect = json!([{ "database": word, "privileges": ["CONNECT"] }]);
        let of_cluster = json!({ "spec": {
            "instanceRef": null, "clusterInstanceRef": { "name": own }, "postgres": { "grants": connect },
        } });
        let local = format!("role-{number}");
        stage.put(with(role(&local, &format!("{word}_one_{number}")), of_cluster)).await?;
        all.extend([Subject::cluster_role(&name), Subject::role(&local)]);
    }
    for number in 0..GRANTS {
        let name = format!("{own}-{number}");
        let usage = json!([{ "database": word, "schema": "public", "privileges": ["USAGE"] }]);
        let given = json!({
            "kind": "ClusterDatabaseGrant",
            "metadata": { "name": name },
            "spec": {
                "clusterInstanceRef": { "name": own }, "roleRef": { "name": name }, "deletionProtection": false,
                "postgres": { "grants": usage },
            },
        });
        stage.put(given).await?;
        // They go before the roles that they are for.
        all.insert(0, Subject::cluster_access_grant(&name));
    }
    for subject in &all {
        stage.until(&operator, subject, ready()).await?;
    }
    takes_along(&stage, &operator, &own, &["DatabaseRole", "ClusterDatabaseRole", "ClusterDatabaseGrant"]).await?;

    let number_of = async |database: &str, sql: &str| server.query_cell(database, sql).await;
    let inherits = format!("SELECT count(*) FROM pg_roles WHERE rolname LIKE '{word}\\_%' AND rolinherit");
    let connects = format!(
        "SELECT count(*) FROM pg_database d, LATERAL aclexplode(d.datacl) a JOIN pg_roles r ON r.oid = a.grantee \
         WHERE d.datname = '{word}' AND a.privilege_type = 'CONNECT' AND r.rolname LIKE '{word}\\_one\\_%'"
    );
    let uses = format!(
        "SELECT count(*) FROM pg_namespace n, LATERAL aclexplode(n.nspacl) a JOIN pg_roles r ON r.oid = a.grantee \
         WHERE n.nspname = 'public' AND r.rolname LIKE '{word}\\_all\\_%'"
    );
    // In one statement each: a second would meet the operator, which is about to give it back.
    let all_of = |kind: &str, most: usize| -> Vec<String> {
        (0..most).map(|number| format!("{word}_{kind}_{number}")).collect()
    };
    let connected = all_of("one", ROLES).join(", ");
    server.query("postgres", &format!("REVOKE CONNECT ON DATABASE {word} FROM {connected}")).await?;
    let open_to = all_of("all", GRANTS).join(", ");
    server.query(&word, &format!("REVOKE USAGE ON SCHEMA public FROM {open_to}")).await?;
    for number in 0..ROLES {
        for kind in ["all", "one"] {
            server.query("postgres", &format!("ALTER ROLE {word}_{kind}_{number} NOINHERIT")).await?;
        }
    }
    stage
        .eventually("everything is as it was", PATIENCE, &operator, async || {
            for (database, sql, wanted) in
                [("postgres", &inherits, 2 * ROLES), ("postgres", &connects, ROLES), (word.as_str(), &uses, GRANTS)]
            {
                let found = number_of(database, sql).await?;
                ensure!(found.as_deref() == Some(wanted.to_string().as_str()), "{sql}: {found:?}");
            }
            Ok(())
        })
        .await?;
    all.push(main);
    end(&stage, &operator, &all).await?;
    server.query("postgres", &format!("DROP DATABASE {word} WITH (FORCE)")).await?;
    let left = format!("SELECT count(*) FROM pg_roles WHERE rolname LIKE '{word}\\_%'");
    ensure!(number_of("postgres", &left).await?.as_deref() == Some("0"), "roles were left behind");
    Ok(())
}

#[tokio::test]
async fn every_kind_of_mariadb_is_swept() -> Result<()> {
    let stage = Stage::open("sweeps-mariadb").await?;
    let server = MysqlServer::start(Options { version: Version::Distribution, ..Options::default() }).await?;
    let operator = stage.operator().await?;
    let offered = with(mysql_instance("main", &server, "mariadb"), often());
    stage.put_all([mysql_credentials("main-admin", &server), offered]).await?;
    let main = Subject::instance("main");
    stage.until(&operator, &main, ready()).await?;
    let mut all = Vec::new();
    for number in 0..EACH {
        let (place, account, team) = (format!("place{number}"), format!("account{number}"), format!("team{number}"));
        let (name, gives) = (format!("n-{number}"), format!("gives-{number}"));
        let select = json!([{ "level": "database", "database": place, "privileges": ["SELECT"] }]);
        let insert = json!([{ "level": "database", "database": place, "privileges": ["INSERT"] }]);
        let charset = json!({ "spec": { "mysql": { "charset": "utf8mb4", "collation": "utf8mb4_bin" } } });
        stage.put(with(database(&name, &place), charset)).await?;
        stage.put(user(&name, &account)).await?;
        stage.put(with(role(&name, &team), json!({ "spec": { "mysql": { "grants": select } } }))).await?;
        let to_user = json!({ "spec": {
            "userRef": { "name": name }, "deletionProtection": false, "mysql": { "grants": insert },
        } });
        stage.put(with(access_grant(&gives), to_user)).await?;
        all.push(Subject::access_grant(&gives));
        all.extend([Subject::role(&name), Subject::user(&name), Subject::database(&name)]);
    }
    for subject in &all {
        stage.until(&operator, subject, ready()).await?;
    }
    takes_along(&stage, &operator, "main", &["Database", "DatabaseUser", "DatabaseRole", "DatabaseGrant"]).await?;

    for number in 0..EACH {
        server.query(&format!(
            "ALTER DATABASE place{number} CHARACTER SET latin1; \
             ALTER USER account{number}@'%' WITH MAX_QUERIES_PER_HOUR 3; \
             REVOKE SELECT ON place{number}.* FROM team{number}; \
             REVOKE INSERT ON place{number}.* FROM account{number}@'%'"
        ))?;
    }
    let shown = "SELECT \
         (SELECT count(*) FROM information_schema.schemata \
           WHERE schema_name LIKE 'place%' AND default_collation_name = 'utf8mb4_bin'), \
         (SELECT count(*) FROM mysql.user WHERE user LIKE 'account%' AND max_questions = 0), \
         (SELECT count(*) FROM mysql.db WHERE user LIKE 'team%' AND select_priv = 'Y'), \
         (SELECT count(*) FROM mysql.db WHERE user LIKE 'account%' AND insert_priv = 'Y')";
    stage
        .eventually("everything is as it was", PATIENCE, &operator, async || {
            let found = server.query(shown)?;
            ensure!(found == [EACH.to_string().as_str(); 4].join("\t"), "{found}");
            Ok(())
        })
        .await?;
    all.push(main);
    end(&stage, &operator, &all).await
}

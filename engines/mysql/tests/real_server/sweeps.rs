//! Sweeps on a real server: what they find is compared in every other test; here it is what they cost.

use dbprovision_sdk::adapter::grants::{GrantSpec, Grantee};
use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::{Databases, Grants, ObjectKind, Selection, Users};
use engine_mysql::MySql;
use serde_json::json;
use testkit::mysql::MysqlServer;

use crate::support::{everywhere, mark, password, sweeping, update_user};
use crate::{databases, grants};

fn user(name: &str) -> UserSpec {
    let options = json!({ "maxUserConnections": 5, "requireSSL": false }).to_string();
    UserSpec {
        name: name.to_owned(),
        roles: Vec::new(),
        shared_roles: Vec::new(),
        comment: None,
        options: Some(options),
    }
}

/// Users, databases and grants of one kind each, all of them as they should be.
#[derive(Default)]
struct Estate {
    names: Vec<String>,
    grants: Vec<GrantSpec>,
}

impl Estate {
    fn grow(&mut self, adapter: &mut MySql, tag: &str, count: usize) {
        for _ in 0..count {
            let name = format!("sweep_{tag}_{}", self.names.len());
            Users::create(adapter, &user(&name), Some(&password()), &mark(&name)).unwrap();
            update_user(adapter, &user(&name), None, &Selection::All).unwrap();
            Databases::create(adapter, &databases::spec(&name, &json!({})), &mark(&name)).unwrap();
            let grantee = Grantee { kind: ObjectKind::User, name: name.clone(), options: None };
            let entry = json!({ "level": "database", "database": name, "privileges": ["SELECT", "INSERT"] });
            let mut grant = grants::spec(&grantee, &json!({ "grants": [entry] }), &[]);
            grant.recorded = Grants::grant(adapter, &grant, &Selection::All).unwrap().held;
            self.grants.push(grant);
            self.names.push(name);
        }
    }

    /// How many statements the server is sent by one sweep over everything.
    fn cost(&self, server: &MysqlServer) -> usize {
        let mut adapter = sweeping();
        let before = server.log_text().matches("Query\t").count();
        for name in &self.names {
            let info = Users::get_info(&mut adapter, name).unwrap().unwrap();
            assert_eq!(info.mark, Some(mark(name)));
            let found = update_user(&mut adapter, &user(name), None, &Selection::Detect).unwrap();
            assert_eq!(found.changes, []);
            let info = Databases::get_info(&mut adapter, name).unwrap().unwrap();
            assert_eq!(info.mark, Some(mark(name)));
            let spec = databases::spec(name, &json!({}));
            let found = Databases::update(&mut adapter, &spec, &mark(name), &[], &Selection::Detect).unwrap();
            assert_eq!(found.changes, []);
        }
        for grant in &self.grants {
            assert_eq!(Grants::grant(&mut adapter, grant, &Selection::Detect).unwrap().update.changes, []);
        }
        server.log_text().matches("Query\t").count() - before
    }
}

#[test]
fn ten_times_the_objects_cost_no_more_queries() {
    everywhere(|server, adapter, tag| {
        let mut estate = Estate::default();
        estate.grow(adapter, tag, 4);
        let few = estate.cost(server);
        assert!(few > 5, "the statements are not counted: {few}");
        estate.grow(adapter, tag, 36);
        assert_eq!(estate.cost(server), few);
    });
}

#[test]
fn a_sweep_sees_what_it_read_first_and_the_next_one_what_is_new() {
    everywhere(|server, adapter, tag| {
        let name = format!("sweep_late_{tag}");
        Users::create(adapter, &user(&name), Some(&password()), &mark(&name)).unwrap();
        update_user(adapter, &user(&name), None, &Selection::All).unwrap();
        let detect = |adapter: &mut MySql| -> Vec<String> {
            let found = update_user(adapter, &user(&name), None, &Selection::Detect).unwrap();
            found.changes.into_iter().map(|one| one.id).collect()
        };
        let mut first = sweeping();
        assert_eq!(detect(&mut first), [""; 0]);
        server.query(&format!("ALTER USER '{name}'@'%' WITH MAX_USER_CONNECTIONS 3")).unwrap();
        assert_eq!(detect(&mut first), [""; 0], "it was read before");
        assert_eq!(detect(&mut sweeping()), ["maxUserConnections"]);
    });
}

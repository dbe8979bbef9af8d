//! Sweeps on a real server: what they find is compared in every other test; here it is what they cost.

use dbprovision_sdk::adapter::grants::{GrantSpec, Mode};
use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::{Databases, Grants, Selection, Users};
use engine_postgres::Postgres;
use serde_json::json;

use crate::databases;
use crate::grants::grantee;
use crate::support::{Server, everywhere, mark, password, sweeping, update_user};

/// Each has a time of its own.
fn user(name: &str, group: &str) -> UserSpec {
    let number: u32 = name.rsplit(' ').next().unwrap().parse().unwrap();
    let until = format!("2030-12-31T23:{:02}:59+02:00", number % 60);
    let options = json!({ "validUntil": until, "connectionLimit": 5 }).to_string();
    UserSpec {
        name: name.to_owned(),
        roles: vec![group.to_owned()],
        shared_roles: Vec::new(),
        comment: None,
        options: Some(options),
    }
}

/// Every second one reaches inside the database.
fn grant(name: &str, group: &str, database: &str, number: usize) -> GrantSpec {
    let outside = json!({ "database": database, "privileges": ["CONNECT"] });
    let inside = json!({ "database": database, "schema": "public", "tables": ["*"], "privileges": ["SELECT"] });
    let entries = if number.is_multiple_of(2) { vec![outside, inside] } else { vec![outside] };
    GrantSpec {
        grantee: grantee(name),
        roles: vec![group.to_owned()],
        options: Some(json!({ "grants": entries }).to_string()),
        mode: Mode::Authoritative,
        recorded: Vec::new(),
        shared: Vec::new(),
    }
}

/// Users, databases and grants of one kind each, all of them as they should be.
struct Estate {
    group: String,
    inside: String,
    users: Vec<String>,
    grants: Vec<GrantSpec>,
}

impl Estate {
    fn found(server: &Server, adapter: &mut Postgres, tag: &str) -> Self {
        let (group, inside) = (format!("sweep_group_{tag}"), format!("sweep_{tag}"));
        databases::user(adapter, &group);
        Databases::create(adapter, &databases::spec(&inside, Some(&group), &json!({})), &mark(&inside)).unwrap();
        server.sql_in(&inside, "CREATE TABLE one (a int); CREATE TABLE two (b int)");
        let owner = if tag == "s" { "root_of_all" } else { &group };
        server.sql_in(&inside, &format!("ALTER TABLE one OWNER TO {owner}; ALTER TABLE two OWNER TO {owner}"));
        Self { group, inside, users: Vec::new(), grants: Vec::new() }
    }

    fn grow(&mut self, adapter: &mut Postgres, tag: &str, count: usize) {
        for _ in 0..count {
            let name = format!("sweep {tag} {}", self.users.len());
            let spec = user(&name, &self.group);
            Users::create(adapter, &spec, Some(&password()), &mark(&name)).unwrap();
            update_user(adapter, &spec, None, &Selection::All).unwrap();
            let database = databases::spec(&name, Some(&name), &json!({}));
            Databases::create(adapter, &database, &mark(&name)).unwrap();
            Databases::update(adapter, &database, &mark(&name), &[], &Selection::All).unwrap();
            let mut grant = grant(&name, &self.group, &self.inside, self.users.len());
            grant.recorded = Grants::grant(adapter, &grant, &Selection::All).unwrap().held;
            self.grants.push(grant);
            self.users.push(name);
        }
    }

    /// How many statements the server is sent by one sweep over everything.
    fn cost(&self, server: &Server) -> usize {
        let mut adapter = sweeping();
        let before = server.log().matches("LOG:  execute").count();
        for name in &self.users {
            let info = Users::get_info(&mut adapter, name).unwrap().unwrap();
            assert_eq!(info.mark, Some(mark(name)));
            let found = update_user(&mut adapter, &user(name, &self.group), None, &Selection::Detect).unwrap();
            assert_eq!(found.changes, []);
            let info = Databases::get_info(&mut adapter, name).unwrap().unwrap();
            assert_eq!((info.mark, info.owner), (Some(mark(name)), Some(name.clone())));
            let spec = databases::spec(name, Some(name), &json!({}));
            let found = Databases::update(&mut adapter, &spec, &mark(name), &[], &Selection::Detect).unwrap();
            assert_eq!(found.changes, []);
        }
        for grant in &self.grants {
            assert_eq!(Grants::grant(&mut adapter, grant, &Selection::Detect).unwrap().update.changes, []);
        }
        server.log().matches("LOG:  execute").count() - before
    }
}

#[test]
fn ten_times_the_objects_cost_no_more_queries() {
    everywhere(|server, adapter, tag| {
        let mut estate = Estate::found(server, adapter, tag);
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
        databases::user(adapter, &name);
        let spec =
            UserSpec { name: name.clone(), roles: Vec::new(), shared_roles: Vec::new(), comment: None, options: None };
        let detect = |adapter: &mut Postgres| {
            update_user(adapter, &spec, None, &Selection::Detect)
                .unwrap()
                .changes
                .into_iter()
                .map(|one| one.id)
                .collect()
        };
        let mut first = sweeping();
        let before: Vec<String> = detect(&mut first);
        assert_eq!(before, [""; 0]);
        server.sql(&format!("ALTER ROLE {name} CONNECTION LIMIT 3"));
        assert_eq!(detect(&mut first), before, "it was read before");
        assert_eq!(detect(&mut sweeping()), ["connectionLimit"]);
    });
}

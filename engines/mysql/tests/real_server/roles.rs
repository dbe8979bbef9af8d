//! Roles on a real server.

use dbprovision_sdk::adapter::grants::{GrantSpec, Grantee};
use dbprovision_sdk::adapter::roles::RoleSpec;
use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::groups::grant_operations::Mode;
use dbprovision_sdk::{Databases, ErrorKind, Grants, ObjectKind, Page, Proof, Roles, Selection, Users};
use engine_mysql::MySql;
use serde_json::{Value, json};
use testkit::mysql::MysqlServer;

use crate::databases::spec as database;
use crate::grants;
use crate::support::{PASSWORD, everywhere, hostile_names, mark, password, proof, sweeping, update_role, update_user};

fn spec(name: &str, options: &Value) -> RoleSpec {
    RoleSpec { name: name.to_owned(), shared_roles: Vec::new(), comment: None, options: Some(options.to_string()) }
}

fn ids(adapter: &mut MySql, spec: &RoleSpec) -> Vec<String> {
    let report = update_role(adapter, spec, &Selection::Detect).unwrap();
    assert_eq!(update_role(&mut sweeping(), spec, &Selection::Detect).unwrap(), report, "in a sweep");
    report.changes.into_iter().map(|change| change.id).collect()
}

fn all(adapter: &mut MySql, spec: &RoleSpec) -> Vec<String> {
    let report = update_role(adapter, spec, &Selection::All);
    report.unwrap_or_else(|error| panic!("{:?}: {error:?}", spec.options)).applied
}

#[test]
fn a_role_comes_with_its_mark_and_goes_with_its_proof() {
    everywhere(|server, adapter, tag| comes_and_goes(server, adapter, tag, true));
}

#[test]
fn a_role_is_an_account_where_that_is_asked_for_and_accounts_can_have_members() {
    everywhere(|server, adapter, tag| {
        if server.query("SELECT @@version").unwrap().contains("MariaDB") {
            let refused =
                Roles::create(adapter, &spec("r", &json!({"useNativeRoles": false})), &mark("r")).unwrap_err();
            let ErrorKind::InvalidOptions(problems) = &refused.kind else { panic!("{refused:?}") };
            assert_eq!(problems[0].path, "options.useNativeRoles");
            assert!(!Roles::exists(adapter, "r").unwrap());
        } else {
            comes_and_goes(server, adapter, &format!("account_{tag}"), false);
        }
    });
}

fn comes_and_goes(server: &MysqlServer, adapter: &mut MySql, tag: &str, native: bool) {
    let (name, place, member) = (format!("role_{tag}"), format!("place_{tag}"), format!("member_{tag}"));
    Databases::create(adapter, &database(&place, &json!({})), &mark("d")).unwrap();
    server.query(&format!("CREATE TABLE {place}.t (a int)")).unwrap();
    let plain = spec(&name, &json!({"useNativeRoles": native}));
    Roles::create(adapter, &plain, &mark("r")).unwrap();
    Roles::create(adapter, &plain, &mark("r")).unwrap();
    assert_eq!(Roles::create(adapter, &plain, &mark("x")).unwrap_err().kind, ErrorKind::AlreadyExists);
    assert_eq!(ids(adapter, &plain), [""; 0], "right after creation");
    let user = UserSpec {
        name: member.clone(),
        roles: vec![name.clone()],
        shared_roles: Vec::new(),
        comment: None,
        options: None,
    };
    Users::create(adapter, &user, Some(&password()), &mark("u")).unwrap();
    update_user(adapter, &user, None, &Selection::All).unwrap();
    let entry = json!({"level": "table", "database": place, "table": "t", "privileges": ["INSERT"]});
    // The grant operations are told of these.
    assert_eq!(ids(adapter, &spec(&name, &json!({"grants": [entry]}))), [""; 0]);
    let grantee = Grantee { kind: ObjectKind::Role, name: name.clone(), options: None };
    let given = grants::spec(&grantee, &json!({"grants": [entry]}), &[]);
    Grants::grant(adapter, &given, &Selection::All).unwrap();
    server.query_as(&member, PASSWORD, None, &format!("INSERT INTO {place}.t VALUES (1)")).unwrap();
    assert!(server.query_as(&member, PASSWORD, None, &format!("SELECT * FROM {place}.t")).is_err());
    let commented = RoleSpec { comment: Some("it's \\".to_owned()), ..plain.clone() };
    assert_eq!(all(adapter, &commented), ["comment"]);
    assert_eq!(ids(adapter, &commented), [""; 0]);
    server.query_as(&member, PASSWORD, None, &format!("INSERT INTO {place}.t VALUES (1)")).unwrap();
    let info = Roles::get_info(adapter, &name).unwrap().unwrap();
    assert_eq!((info.mark, info.privileged), (Some(mark("r")), false));
    assert_eq!(Roles::drop(adapter, &plain, &proof(&mark("x"))).unwrap_err().kind, ErrorKind::Conflict);
    Roles::drop(adapter, &plain, &proof(&mark("r"))).unwrap();
    Roles::drop(adapter, &plain, &proof(&mark("r"))).unwrap();
    assert!(!Roles::exists(adapter, &name).unwrap());
    assert!(server.query_as(&member, PASSWORD, None, &format!("INSERT INTO {place}.t VALUES (1)")).is_err());
}

#[test]
fn hostile_names_are_names_and_a_role_is_no_user() {
    everywhere(|server, adapter, tag| {
        for name in hostile_names(tag) {
            Roles::create(adapter, &spec(&name, &json!({})), &mark(&name))
                .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        }
        let roles = Roles::list(adapter, &Page { after: None, limit: 500 }).unwrap().items;
        let users = Users::list(adapter, &Page { after: None, limit: 500 }).unwrap().items;
        for name in hostile_names(tag) {
            let found = roles.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{name} is not listed"));
            assert_eq!(found.mark, Some(mark(&name)), "{name}");
            assert!(!users.iter().any(|one| one.name == name), "{name} is listed as a user");
            Roles::drop(adapter, &spec(&name, &json!({})), &proof(&mark(&name))).unwrap();
            assert!(!Roles::exists(adapter, &name).unwrap(), "{name}");
        }
        let theirs = format!("theirs_{tag}");
        server.query(&format!("CREATE ROLE '{theirs}'")).unwrap();
        let stated = spec(&theirs, &json!({}));
        assert_eq!(Roles::create(adapter, &stated, &mark("t")).unwrap_err().kind, ErrorKind::AlreadyExists);
        Roles::claim(adapter, &theirs, &Proof { mark: None, object_id: None }, Some("words"), &mark("t")).unwrap();
        assert_eq!(ids(adapter, &stated), ["comment"]);
        Roles::drop(adapter, &stated, &proof(&mark("t"))).unwrap();
        for wrong in [spec("none", &json!({})), spec("root", &json!({}))] {
            let error = Roles::create(adapter, &wrong, &mark("w")).unwrap_err();
            assert!(matches!(error.kind, ErrorKind::InvalidOptions(_)), "{error:?}");
        }
    });
}

#[test]
fn what_the_users_own_resource_states_is_not_a_grants_to_take() {
    everywhere(|server, adapter, tag| {
        let (role, name) = (format!("own_role_{tag}"), format!("own_member_{tag}"));
        let created = RoleSpec { name: role.clone(), shared_roles: Vec::new(), comment: None, options: None };
        Roles::create(adapter, &created, &mark("role")).unwrap();
        let own = UserSpec {
            name: name.clone(),
            roles: vec![role.clone()],
            shared_roles: Vec::new(),
            comment: None,
            options: None,
        };
        Users::create(adapter, &own, Some(&password()), &mark("user")).unwrap();
        update_user(adapter, &own, None, &Selection::All).unwrap();
        let grantee = Grantee { kind: ObjectKind::User, name: name.clone(), options: None };
        let table = if server.query("SELECT @@version").unwrap().contains("MariaDB") {
            format!("SELECT count(*) FROM mysql.roles_mapping WHERE user = '{name}' AND role = '{role}'")
        } else {
            format!("SELECT count(*) FROM mysql.role_edges WHERE to_user = '{name}' AND from_user = '{role}'")
        };
        let nothing = GrantSpec { mode: Mode::Authoritative, ..grants::spec(&grantee, &json!({}), &[]) };
        assert_eq!(grants::look(adapter, &nothing).update.changes, []);
        let both = grants::all(adapter, &grants::spec(&grantee, &json!({ "roles": [role] }), &[]));
        let less = grants::spec(&grantee, &json!({}), &both.held);
        assert_eq!(grants::all(adapter, &less).update.applied, [""; 0]);
        Grants::revoke(adapter, &less).unwrap();
        assert_eq!(server.query(&table).unwrap(), "1");
        update_user(adapter, &UserSpec { roles: Vec::new(), ..own }, None, &Selection::All).unwrap();
        assert_eq!(server.query(&table).unwrap(), "0");
    });
}

#[test]
fn what_a_grant_states_too_is_left_to_it_without_being_taken_for_a_moment() {
    everywhere(|server, adapter, tag| {
        let [role, other, name] = ["left_role", "left_other", "left_member"].map(|name| format!("{name}_{tag}"));
        for name in [&role, &other] {
            let created = RoleSpec { name: name.clone(), shared_roles: Vec::new(), comment: None, options: None };
            Roles::create(adapter, &created, &mark("role")).unwrap();
        }
        let own = |roles: &[&String], shared: &[&String]| UserSpec {
            name: name.clone(),
            roles: roles.iter().map(|role| (*role).clone()).collect(),
            shared_roles: shared.iter().map(|role| (*role).clone()).collect(),
            comment: Some("words".to_owned()),
            options: None,
        };
        let ids = |adapter: &mut MySql, spec: &UserSpec, selection: &Selection| -> Vec<String> {
            let report = update_user(adapter, spec, None, selection).unwrap();
            report.changes.into_iter().map(|change| change.id).collect()
        };
        Users::create(adapter, &own(&[], &[]), Some(&password()), &mark("user")).unwrap();
        update_user(adapter, &own(&[&role, &other], &[]), None, &Selection::All).unwrap();
        let grantee = Grantee { kind: ObjectKind::User, name: name.clone(), options: None };
        let both = grants::all(adapter, &grants::spec(&grantee, &json!({ "roles": [role] }), &[]));
        server.query("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = ON").unwrap();
        let narrowed = own(&[], &[&role]);
        let expected = ["sharedRoles".to_owned(), format!("member:{other}")];
        assert_eq!(ids(adapter, &narrowed, &Selection::Detect)[..2], expected);
        assert_eq!(ids(adapter, &narrowed, &Selection::All)[..2], expected);
        assert_eq!(ids(adapter, &narrowed, &Selection::Detect), [""; 0]);
        server.query("SET GLOBAL general_log = OFF").unwrap();
        let revoked = |role: &str| {
            let counted = format!("SELECT count(*) FROM mysql.general_log WHERE argument LIKE 'REVOKE%{role}%'");
            server.query(&counted).unwrap()
        };
        assert_eq!((revoked(&role), revoked(&other)), ("0".to_owned(), "1".to_owned()));
        // From now on it is the grant's.
        assert_eq!(ids(adapter, &own(&[], &[]), &Selection::Detect), [""; 0]);
        let less = grants::spec(&grantee, &json!({}), &both.held);
        assert_eq!(grants::all(adapter, &less).held, []);
        let roles = if server.query("SELECT @@version").unwrap().contains("MariaDB") {
            format!("SELECT count(*) FROM mysql.roles_mapping WHERE user = '{name}'")
        } else {
            format!("SELECT count(*) FROM mysql.role_edges WHERE to_user = '{name}'")
        };
        assert_eq!(server.query(&roles).unwrap(), "0");
    });
}

//! Memberships: their options, and who else has a say in them.

use super::*;
use crate::support::update_role;

#[test]
fn memberships_have_options_and_form_a_union() {
    everywhere(|server, adapter, tag| {
        let [team, other, member] = ["team", "other", "member"].map(|name| format!("membership_{name}_{tag}"));
        for name in [&team, &other, &member] {
            role(adapter, name);
        }
        let with_options = server.sql("SHOW server_version_num").parse::<i32>().unwrap() >= 160_000;
        let held = |adapter: &mut Postgres| {
            let all = Grants::get_grants(adapter, &grantee(&member)).unwrap();
            let mut words: Vec<String> = all
                .iter()
                .map(|one| format!("{} {}{}", one.object[0], one.privilege, if one.grantable { "*" } else { "" }))
                .collect();
            words.sort();
            words
        };
        let all_of = |role: &str, star: &str| {
            let options = if with_options { &["INHERIT", "SET"][..] } else { &[] };
            let mut all: Vec<String> = options.iter().map(|one| format!("{role} {one}")).collect();
            all.push(format!("{role} MEMBER{star}"));
            all.sort();
            all
        };
        let plain = GrantSpec { roles: vec![team.clone()], ..spec(&member, &json!({"roles": [team]})) };
        let report = settle(adapter, &plain);
        assert_eq!(report.update.applied.len(), 1);
        assert_eq!(held(adapter), all_of(&team, ""));
        let admin = GrantSpec {
            recorded: report.held,
            ..spec(&member, &json!({"memberships": [{"role": team, "admin": true}]}))
        };
        let report = settle(adapter, &admin);
        assert_eq!(held(adapter), all_of(&team, "*"));
        let moved = GrantSpec { recorded: report.held, ..spec(&member, &json!({"roles": [other]})) };
        let report = settle(adapter, &moved);
        assert_eq!(held(adapter), all_of(&other, ""));
        let narrow = json!({"memberships": [{"role": other, "inherit": false, "set": true}]});
        let narrow = GrantSpec { recorded: report.held.clone(), ..spec(&member, &narrow) };
        if with_options {
            let shared = GrantSpec { shared: report.held.clone(), ..narrow.clone() };
            assert_eq!(detect(adapter, &shared), [""; 0], "another resource states what this one takes");
            let report = settle(adapter, &narrow);
            assert_eq!(held(adapter), [format!("{other} MEMBER"), format!("{other} SET")]);
            let wide = GrantSpec { recorded: report.held, ..spec(&member, &json!({"roles": [other]})) };
            settle(adapter, &wide);
        } else {
            let error = Grants::grant(adapter, &narrow, &Selection::Detect).unwrap_err();
            let ErrorKind::InvalidOptions(problems) = error.kind else { panic!("{error:?}") };
            let paths: Vec<_> = problems.iter().map(|one| one.path.as_str()).collect();
            assert_eq!(paths, ["options.memberships[0].inherit", "options.memberships[0].set"]);
        }
        let recorded = Grants::get_grants(adapter, &grantee(&member)).unwrap();
        Grants::revoke(adapter, &GrantSpec { recorded, ..spec(&member, &json!({})) }).unwrap();
        assert_eq!(held(adapter), [""; 0]);
        server.sql(&format!("GRANT {team} TO {member}"));
        assert_eq!(detect(adapter, &spec(&member, &json!({}))), [""; 0]);
        if tag == "s" {
            settle(adapter, &GrantSpec { mode: Mode::Authoritative, ..spec(&member, &json!({})) });
            assert_eq!(held(adapter), [""; 0]);
        }
    });
}

#[test]
fn an_option_of_a_membership_that_is_stated_as_false_is_taken_whoever_gave_it() {
    everywhere(|server, adapter, tag| {
        let [team, member] = ["team", "member"].map(|name| format!("option_{name}_{tag}"));
        for name in [&team, &member] {
            role(adapter, name);
        }
        server.sql(&format!("GRANT {team} TO {member} WITH ADMIN OPTION"));
        let with_options = server.sql("SHOW server_version_num").parse::<i32>().unwrap() >= 160_000;
        let unstated = spec(&member, &json!({"memberships": [{"role": team}]}));
        assert_eq!(detect(adapter, &unstated), [""; 0], "what is not stated is somebody else's");
        let mut options = json!({"role": team, "admin": false});
        if with_options {
            options["inherit"] = json!(false);
        }
        let stated = spec(&member, &json!({"memberships": [options]}));
        if with_options && tag != "s" {
            // Who is no superuser cannot take what a superuser gave, and says so.
            let error = Grants::grant(adapter, &stated, &Selection::All).unwrap_err();
            assert_eq!(error.kind, ErrorKind::PermissionDenied, "{error:?}");
            return;
        }
        let report = settle(adapter, &stated);
        assert!(report.update.changes.iter().all(|change| !change.destructive), "{:?}", report.update.changes);
        let all = Grants::get_grants(adapter, &grantee(&member)).unwrap();
        let mut words: Vec<_> = all.iter().map(|one| (one.privilege.as_str(), one.grantable)).collect();
        words.sort_unstable();
        let set = if with_options { &[("MEMBER", false), ("SET", false)][..] } else { &[("MEMBER", false)] };
        assert_eq!(words, set);
    });
}

#[test]
fn a_membership_by_a_grant_is_no_business_of_the_members_own_resource() {
    everywhere(|server, adapter, tag| {
        let [stated, granted, by_hand, member] =
            ["stated", "granted", "by_hand", "member"].map(|name| format!("twice_{name}_{tag}"));
        for name in [&stated, &granted, &by_hand, &member] {
            role(adapter, name);
        }
        let own = |options: Value| RoleSpec {
            name: member.clone(),
            shared_roles: Vec::new(),
            comment: Some("words".to_owned()),
            options: Some(options.to_string()),
        };
        let update = |adapter: &mut Postgres, spec: &RoleSpec, selection: &Selection| -> Vec<String> {
            let report = update_role(adapter, spec, selection).unwrap();
            report.changes.into_iter().map(|change| change.id).collect()
        };
        update(adapter, &own(json!({"inRoles": [stated]})), &Selection::All);
        let grant = settle(adapter, &spec(&member, &json!({"roles": [granted]})));
        Grants::grant(adapter, &spec(&member, &json!({"roles": [by_hand]})), &Selection::All).unwrap();
        let narrowed = own(json!({}));
        assert_eq!(update(adapter, &own(json!({"inRoles": [stated]})), &Selection::Detect), [""; 0]);
        assert_eq!(update(adapter, &narrowed, &Selection::Detect), [format!("member:{stated}")]);
        // The mark may be written anew in between.
        let claimed = dbprovision_sdk::Proof { mark: None, object_id: None };
        Roles::claim(adapter, &member, &claimed, Some("words"), &mark("again")).unwrap();
        assert_eq!(update(adapter, &narrowed, &Selection::All), [format!("member:{stated}")]);
        assert_eq!(update(adapter, &narrowed, &Selection::Detect), [""; 0]);
        assert_eq!(Roles::get_info(adapter, &member).unwrap().unwrap().mark, Some(mark("again")));
        let member_of = |role: &str| {
            server.sql(&format!(
                "SELECT count(*) FROM pg_auth_members WHERE roleid = '{role}'::regrole AND member = '{member}'::regrole"
            ))
        };
        assert_eq!(
            (member_of(&stated), member_of(&granted), member_of(&by_hand)),
            ("0".into(), "1".into(), "1".into())
        );
        assert_eq!(
            detect(adapter, &GrantSpec { recorded: grant.held, ..spec(&member, &json!({"roles": [granted]})) }),
            [""; 0]
        );
    });
}

#[test]
fn what_the_members_own_resource_states_is_not_a_grants_to_take() {
    everywhere(|server, adapter, tag| {
        let [role_name, member] = ["own_role", "own_member"].map(|name| format!("{name}_{tag}"));
        role(adapter, &role_name);
        role(adapter, &member);
        let block = json!({"inRoles": [role_name]}).to_string();
        let own = RoleSpec { name: member.clone(), shared_roles: Vec::new(), comment: None, options: Some(block) };
        update_role(adapter, &own, &Selection::All).unwrap();
        let is_member = || {
            server.sql(&format!(
                "SELECT count(*) FROM pg_auth_members WHERE roleid = '{role_name}'::regrole AND member = '{member}'::regrole"
            ))
        };
        let nothing = GrantSpec { mode: Mode::Authoritative, ..spec(&member, &json!({})) };
        assert_eq!(detect(adapter, &nothing), [""; 0]);
        let both = settle(adapter, &spec(&member, &json!({"roles": [role_name]})));
        let less = GrantSpec { recorded: both.held.clone(), ..spec(&member, &json!({})) };
        assert_eq!(Grants::grant(adapter, &less, &Selection::All).unwrap().update.applied, [""; 0]);
        Grants::revoke(adapter, &GrantSpec { recorded: both.held, ..spec(&member, &json!({})) }).unwrap();
        assert_eq!(is_member(), "1");
        // What nobody states any more goes.
        update_role(adapter, &RoleSpec { options: None, ..own }, &Selection::All).unwrap();
        assert_eq!(is_member(), "0");
    });
}

#[test]
fn what_a_grant_states_too_is_left_to_it_without_being_taken_for_a_moment() {
    everywhere(|server, adapter, tag| {
        let [role_name, other, member] = ["left_role", "left_other", "left_member"].map(|name| format!("{name}_{tag}"));
        for name in [&role_name, &other, &member] {
            role(adapter, name);
        }
        let own = |roles: &[&String], shared: &[&String]| RoleSpec {
            name: member.clone(),
            shared_roles: shared.iter().map(|role| (*role).clone()).collect(),
            comment: Some("words".to_owned()),
            options: Some(json!({ "inRoles": roles }).to_string()),
        };
        let ids = |adapter: &mut Postgres, spec: &RoleSpec, selection: &Selection| -> Vec<String> {
            let report = update_role(adapter, spec, selection).unwrap();
            report.changes.into_iter().map(|change| change.id).collect()
        };
        update_role(adapter, &own(&[&role_name, &other], &[]), &Selection::All).unwrap();
        let both = settle(adapter, &spec(&member, &json!({"roles": [role_name]})));
        // A row that was deleted and written again has another version.
        let version = || {
            server.sql(&format!(
                "SELECT xmin FROM pg_auth_members WHERE roleid = '{role_name}'::regrole AND member = '{member}'::regrole"
            ))
        };
        let before = version();
        let narrowed = own(&[], &[&role_name]);
        let expected = ["sharedRoles".to_owned(), format!("member:{other}")];
        assert_eq!(ids(adapter, &narrowed, &Selection::Detect), expected);
        assert_eq!(ids(adapter, &narrowed, &Selection::All), expected);
        assert_eq!(ids(adapter, &narrowed, &Selection::Detect), [""; 0]);
        assert_eq!(version(), before);
        // From now on it is the grant's.
        assert_eq!(ids(adapter, &own(&[], &[]), &Selection::Detect), [""; 0]);
        Grants::revoke(adapter, &GrantSpec { recorded: both.held, ..spec(&member, &json!({})) }).unwrap();
        assert_eq!(version(), "");
    });
}

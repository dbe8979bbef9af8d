//! Names that the server keeps in another case than they are written in.

use dbprovision_sdk::{ErrorKind, Grants, Selection};
use engine_mysql::MySql;
use serde_json::{Value, json};
use testkit::mysql::Version;

use crate::grants::{all, fill, spec, user};
use crate::support::{adapter, everywhere, start};

#[test]
fn where_the_server_folds_names_a_right_is_stated_as_it_is_kept() {
    // MySQL takes the setting with a new data folder only.
    for version in Version::USUAL.into_iter().filter(|version| version.is_mariadb()) {
        let server = start(version, &["--lower-case-table-names=1"]);
        let mut adapter = adapter(&server, false, None);
        fill(&server, &mut adapter, "folded");
        let who = user(&mut adapter, "folder", &["%"]);
        let refused = |adapter: &mut MySql, entry: Value| {
            let stated = spec(&who, &json!({ "grants": [entry] }), &[]);
            let error = Grants::grant(adapter, &stated, &Selection::All).unwrap_err();
            let ErrorKind::InvalidOptions(problems) = error.kind else { panic!("{error:?}") };
            problems.into_iter().map(|one| one.path).collect::<Vec<_>>()
        };
        let table = |database: &str, table: &str| json!({"level": "table", "database": database, "table": table, "privileges": ["SELECT"]});
        assert_eq!(refused(&mut adapter, table("folded", "T")), ["options.grants[0].table"]);
        assert_eq!(refused(&mut adapter, table("Folded", "t")), ["options.grants[0].database"]);
        let pattern = json!({"level": "database", "databasePattern": "Fold%", "privileges": ["SELECT"]});
        assert_eq!(refused(&mut adapter, pattern), ["options.grants[0].databasePattern"]);
        let report = all(&mut adapter, &spec(&who, &json!({"grants": [table("folded", "t")]}), &[]));
        assert_eq!(report.held.len(), 1);
        Grants::revoke(&mut adapter, &spec(&who, &json!({}), &report.held)).unwrap();
        assert_eq!(Grants::get_grants(&mut adapter, &who).unwrap(), []);
    }
}

#[test]
fn a_routine_is_the_same_in_every_case() {
    everywhere(|server, adapter, tag| {
        let place = format!("routine_{tag}");
        fill(server, adapter, &place);
        server.query(&format!("CREATE PROCEDURE {place}.LongName() SELECT 1")).unwrap();
        let who = user(adapter, &format!("caller_{tag}"), &["%"]);
        let stated = json!({"grants": [
            {"level": "procedure", "database": place, "procedure": "LongName", "privileges": ["EXECUTE"]},
            {"level": "function", "database": place, "function": "F", "privileges": ["EXECUTE"]},
        ]});
        let report = all(adapter, &spec(&who, &stated, &[]));
        assert_eq!(report.held.len(), 2);
        Grants::revoke(adapter, &spec(&who, &json!({}), &report.held)).unwrap();
        assert_eq!(Grants::get_grants(adapter, &who).unwrap(), []);
    });
}

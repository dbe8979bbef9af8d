//! Which names may be used, and what a name alone tells of the object.
//!
//! The server counts characters, and keeps names in three-byte UTF-8: a character beyond U+FFFF would become a
//! question mark. How long a user's name may be depends on the dialect: the longer limit is checked without a server,
//! the shorter one when it is known.
//! The accounts and databases of the server and of managed services are protected; their roles that make the holder
//! an administrator are dangerous.

use std::collections::BTreeSet;

use dbprovision_sdk::error::Problems;
use dbprovision_sdk::{Error, Result, Standing};

/// Of databases, tables and roles of MySQL as users.
pub(crate) const LONGEST_DATABASE: usize = 64;
/// Of users and roles of MariaDB.
pub(crate) const LONGEST_USER: usize = 128;
/// Of users and roles of MariaDB before 10.6.
pub(crate) const LONGEST_OLD_MARIADB_USER: usize = 80;
/// Of users and roles of MySQL.
pub(crate) const LONGEST_MYSQL_USER: usize = 32;

/// The operator's own database, unless the instance names another.
pub(crate) const METADATA_DATABASE: &str = "_dbops";
/// The temporary account of a script.
pub(crate) const SCRIPT_ACCOUNT: &str = "dbops_s_";

/// Roles of managed services that make the holder an administrator.
const DANGEROUS_ROLES: &[&str] =
    &["azure_super_user", "cloudsqlsuperuser", "rds_superuser_role", "administrator", "admin"];

/// Accounts of the server, and by which a managed service runs it.
const PROTECTED_USERS: &[&str] = &[
    "azure_superuser",
    "cloudsqlreplica",
    "cloudsqlsuperuser@localhost",
    "event_scheduler",
    "mariadb.sys",
    "mysql.infoschema",
    "mysql.session",
    "mysql.sys",
    "rdsadmin",
    "rdsrepladmin",
    "rds_superuser_role",
    "rdstopmgr",
    "root",
    "system user",
    "PUBLIC",
];

/// Databases of the server or of a managed service.
pub(crate) const PROTECTED_DATABASES: &[&str] = &[
    "cloudsqladmin",
    "information_schema",
    "innodb",
    "lost+found",
    "mysql",
    "mysql_innodb_cluster_metadata",
    "ndbinfo",
    "performance_schema",
    "rdsadmin",
    "sys",
    "tmp",
];

/// What the name tells of a user or role.
pub(crate) fn user_standing(name: &str) -> Standing {
    if PROTECTED_USERS.contains(&name) || name.starts_with("mysql.") { Standing::Protected } else { Standing::Ordinary }
}

/// What the name tells of a role that is to be granted.
pub(crate) fn role_standing(name: &str) -> Standing {
    if DANGEROUS_ROLES.contains(&name) { Standing::Dangerous } else { user_standing(name) }
}

/// What the name tells of a database. The server's own have their names in any case of letters.
pub(crate) fn database_standing(name: &str) -> Standing {
    if is_servers_own_database(name) || name.eq_ignore_ascii_case(METADATA_DATABASE) {
        Standing::Protected
    } else {
        Standing::Ordinary
    }
}

/// The server's, or a managed service's.
pub(crate) fn is_servers_own_database(name: &str) -> bool {
    PROTECTED_DATABASES.contains(&name.to_lowercase().as_str())
}

/// Whether it is a word of letters, digits and underscores.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'_')
}

/// Notes what is wrong with the name of a database or table that the server must take as it is.
pub(crate) fn check_database_name(name: &str, path: &str, problems: &mut Problems) {
    if let Some(problem) = fault(name, LONGEST_DATABASE) {
        problems.add(path, problem);
    }
    // The server's escape for names of files before 5.1; it would name another database.
    if name.to_ascii_lowercase().starts_with("#mysql50#") {
        problems.add(path, "names that begin with `#mysql50#` are reserved by the server");
    }
}

/// Notes what is wrong with the name of a database that a resource manages.
pub(crate) fn check_database(name: &str, path: &str, problems: &mut Problems) {
    check_database_name(name, path, problems);
    if database_standing(name) != Standing::Ordinary {
        problems.add(path, "this database is the server's or the operator's own and is never managed");
    }
}

/// Notes what is wrong with the name of a user or role.
pub(crate) fn check_user_name(name: &str, path: &str, problems: &mut Problems) {
    if let Some(problem) = fault(name, LONGEST_USER) {
        problems.add(path, problem);
    }
}

/// Notes what is wrong with the name of a user that a resource manages.
pub(crate) fn check_user(name: &str, path: &str, problems: &mut Problems) {
    check_user_name(name, path, problems);
    if user_standing(name) != Standing::Ordinary {
        problems.add(path, "this account is the server's own and is never managed");
    }
    if name.starts_with(SCRIPT_ACCOUNT) {
        problems.add(path, "names that begin with `dbops_s_` are kept for the temporary accounts of scripts");
    }
}

/// Notes what is wrong with the name of a role that a resource manages.
pub(crate) fn check_role(name: &str, path: &str, problems: &mut Problems) {
    check_user(name, path, problems);
    if role_standing(name) == Standing::Dangerous {
        problems.add(path, "this role is the managed service's own and is never managed");
    }
    // Words that a role specification gives a meaning of their own.
    if ["NONE", "ALL", "DEFAULT", "PUBLIC"].contains(&name.to_ascii_uppercase().as_str()) {
        problems.add(path, "the server reserves this name");
    }
}

/// Notes what is wrong with a host from which a user may come.
pub(crate) fn check_host(host: &str, path: &str, problems: &mut Problems) {
    let printable = host.chars().all(|one| one.is_ascii_graphic()) && !host.contains(['\'', '"', '`', '\\', '@']);
    if host.is_empty() || host.len() > 60 || !printable {
        problems.add(
            path,
            "a host name, an address, an address with a netmask, or a pattern with `%`: at most 60 characters",
        );
    } else if host != host.to_ascii_lowercase() {
        problems.add(path, "the server keeps hosts in lower case: state it so");
    }
}

/// For calls that pass a bare name of a database: a name the server would change is no object's.
pub(crate) fn usable_database(name: &str) -> Result<()> {
    let mut problems = Problems::default();
    check_database_name(name, "name", &mut problems);
    problems.finish()
}

/// For calls that pass a bare name of a user or role.
pub(crate) fn usable_user(name: &str) -> Result<()> {
    let mut problems = Problems::default();
    check_user_name(name, "name", &mut problems);
    problems.finish()
}

/// Refuses to touch what is the server's own.
pub(crate) fn untouchable(standing: Standing) -> Result<()> {
    match standing {
        Standing::Ordinary => Ok(()),
        Standing::Predefined | Standing::Dangerous | Standing::Protected => Err(Error::new(
            dbprovision_sdk::ErrorKind::PermissionDenied,
            "this object is the server's own and is never changed",
            "",
        )),
    }
}

/// Whether a pattern of a grant means the name, whose case does not count: some servers ignore it.
pub(crate) fn matches_pattern(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let pattern = pattern.to_lowercase();
    // How much of the name the pattern so far can be about.
    let mut reached = BTreeSet::from([0]);
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        let next = |wanted: Option<char>| {
            let fits = |at: &&usize| name.get(**at).is_some_and(|one| wanted.is_none_or(|wanted| wanted == *one));
            reached.iter().filter(fits).map(|at| at + 1).collect()
        };
        reached = match letter {
            '%' => reached.first().map_or_else(BTreeSet::new, |first| (*first..=name.len()).collect()),
            '_' => next(None),
            '\\' => next(Some(letters.next().unwrap_or('\\'))),
            literal => next(Some(literal)),
        };
    }
    reached.contains(&name.len())
}

fn fault(name: &str, longest: usize) -> Option<String> {
    if name.is_empty() {
        Some("a name must not be empty".to_owned())
    } else if name.chars().count() > longest {
        Some(format!("a name must not be longer than {longest} characters"))
    } else if name.contains('\0') {
        Some("a name must not contain a NUL byte".to_owned())
    } else if name.chars().any(|one| u32::from(one) > 0xffff) {
        Some("the server keeps names in three-byte UTF-8: characters beyond U+FFFF are lost".to_owned())
    } else if name.ends_with(char::is_whitespace) || name.starts_with(char::is_whitespace) {
        Some("a name must not begin or end with white space: the server cuts it off".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_refused_only_where_the_server_could_not_keep_it() {
        for name in ["a", "x'; DROP DATABASE y", "ä\"\\%_`*", "a b", &"ä".repeat(64)] {
            assert_eq!(fault(name, LONGEST_DATABASE), None, "{name}");
        }
        for name in ["", "a\0b", "a ", " a", "\u{1F600}", &"n".repeat(65)] {
            assert!(fault(name, LONGEST_DATABASE).is_some(), "{name}");
        }
    }

    #[test]
    fn the_servers_own_names_are_not_managed() {
        for name in ["mysql", "MySQL", "INFORMATION_SCHEMA", "sys", "_dbops", "#mysql50#a"] {
            let mut problems = Problems::default();
            check_database(name, "name", &mut problems);
            assert!(problems.finish().is_err(), "{name}");
        }
        for name in ["root", "mysql.sys", "mariadb.sys", "mysql.whatever", "rdsadmin", "dbops_s_1"] {
            let mut problems = Problems::default();
            check_user(name, "name", &mut problems);
            assert!(problems.finish().is_err(), "{name}");
        }
        for name in ["none", "PUBLIC", "rds_superuser_role", "cloudsqlsuperuser"] {
            let mut problems = Problems::default();
            check_role(name, "name", &mut problems);
            assert!(problems.finish().is_err(), "{name}");
        }
    }

    #[test]
    fn a_host_is_what_the_server_takes_as_one() {
        for host in ["%", "10.%", "10.0.0.0/255.0.0.0", "db.example.com", "::1", "localhost"] {
            let mut problems = Problems::default();
            check_host(host, "host", &mut problems);
            assert!(problems.finish().is_ok(), "{host}");
        }
        for host in ["", "a b", "x'", "a\\", "ä", "Host", "a@b", &"h".repeat(61)] {
            let mut problems = Problems::default();
            check_host(host, "host", &mut problems);
            assert!(problems.finish().is_err(), "{host}");
        }
    }

    #[test]
    fn a_pattern_means_what_the_server_takes_it_for() {
        for (pattern, name) in [
            ("app%", "app"),
            ("app%", "APP_1"),
            ("a_c", "abc"),
            ("%", "mysql"),
            ("my\\_db", "my_db"),
            ("%s%l", "mysql"),
        ] {
            assert!(matches_pattern(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("app%", "ap"), ("a_c", "ac"), ("my\\_db", "myXdb"), ("app", "apps"), ("", "a"), ("%x", "mysql")]
        {
            assert!(!matches_pattern(pattern, name), "{pattern} {name}");
        }
        assert!(!matches_pattern(&"%a".repeat(32), &"a".repeat(31)));
    }
}

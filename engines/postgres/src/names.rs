//! Which names may be used, and what a name alone tells of the object.
//!
//! Judged here: `pg_*` roles are the engine's own; those that open the server's files, programs or network, or
//! reach into other tenants' sessions, are dangerous, and so are the superusers and administrator groups of the
//! managed services; the accounts by which a managed service runs the server are protected.

use dbprovision_sdk::error::Problems;
use dbprovision_sdk::{Error, Result, Standing};

/// The server truncates longer names with no more than a notice.
pub(crate) const LONGEST: usize = 63;

/// Leftovers of a creation or a script are called this and the nonce.
pub(crate) const UNFINISHED: &str = "dbops_";
/// The temporary role of a script.
pub(crate) const SCRIPT_ROLE: &str = "dbops_script_";

/// Roles that reach beyond the databases: the server's files and programs, other servers, others' sessions, and what
/// managed services give their customers' administrators. Whoever can become one of them is privileged.
pub(crate) const DANGEROUS_ROLES: &[&str] = &[
    "azure_pg_admin",
    "cloudsqlsuperuser",
    "pg_create_subscription",
    "pg_execute_server_program",
    "pg_read_server_files",
    "pg_signal_backend",
    "pg_write_server_files",
    "postgres",
    "rds_replication",
    "rds_superuser",
];

/// Accounts by which a managed service runs the server.
const PROTECTED_ROLES: &[&str] =
    &["azuresu", "cloudsqladmin", "cloudsqlagent", "cloudsqlreplica", "rdsadmin", "rdsrepladmin"];

/// Databases of the engine or of a managed service.
const PROTECTED_DATABASES: &[&str] =
    &["azure_maintenance", "azure_sys", "cloudsqladmin", "postgres", "rdsadmin", "template0", "template1"];

/// What the name tells of a role.
pub(crate) fn role_standing(name: &str) -> Standing {
    if PROTECTED_ROLES.contains(&name) {
        Standing::Protected
    } else if DANGEROUS_ROLES.contains(&name) {
        Standing::Dangerous
    } else if name.starts_with("pg_") || name == "rds_iam" || name == "rds_password" {
        Standing::Predefined
    } else {
        Standing::Ordinary
    }
}

/// What the name tells of a database.
pub(crate) fn database_standing(name: &str) -> Standing {
    if PROTECTED_DATABASES.contains(&name) { Standing::Protected } else { Standing::Ordinary }
}

/// A schema of the engine's own; sessions' own are among them.
pub(crate) fn is_engines_schema(name: &str) -> bool {
    name.starts_with("pg_") || name == "information_schema"
}

/// Notes what is wrong with a name that the server must take as it is.
pub(crate) fn check(name: &str, path: &str, problems: &mut Problems) {
    if let Some(problem) = fault(name) {
        problems.add(path, problem);
    }
}

/// Notes what is wrong with the name of a database that a resource manages.
pub(crate) fn check_database(name: &str, path: &str, problems: &mut Problems) {
    check(name, path, problems);
    if database_standing(name) != Standing::Ordinary {
        problems.add(path, "this database is the server's own and is never managed");
    }
    if name.starts_with(UNFINISHED) {
        problems.add(path, "names that begin with `dbops_` are kept for unfinished databases");
    }
}

/// Notes what is wrong with the name of a role that a resource manages.
pub(crate) fn check_role(name: &str, path: &str, problems: &mut Problems) {
    check(name, path, problems);
    if name.starts_with("pg_") {
        problems.add(path, "names that begin with `pg_` are reserved by the server");
    } else if role_standing(name) != Standing::Ordinary {
        problems.add(path, "this role is the server's own and is never managed");
    }
    if name.starts_with(SCRIPT_ROLE) {
        problems.add(path, "names that begin with `dbops_script_` are kept for the temporary roles of scripts");
    }
    // The words that a role specification gives a meaning of their own. The server would allow `Public`, but as a
    // grantee it is taken for everybody.
    if name == "none" || name.eq_ignore_ascii_case("public") {
        problems.add(path, "the server reserves this name");
    }
}

/// For calls that pass a bare name: a name the server would change is no object's.
pub(crate) fn usable(name: &str) -> Result<()> {
    let mut problems = Problems::default();
    check(name, "name", &mut problems);
    problems.finish()
}

/// Refuses to touch what is the server's own.
pub(crate) fn untouchable(standing: Standing) -> Result<()> {
    match standing {
        Standing::Ordinary => Ok(()),
        Standing::Predefined | Standing::Dangerous | Standing::Protected => Err(Error::new(
            dbprovision_sdk::ErrorKind::PermissionDenied,
            "this is the server's, the managed service's or the administrator's own and is never changed: name an \
             object that a resource made or adopted",
            "",
        )),
    }
}

fn fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("a name must not be empty")
    } else if name.len() > LONGEST {
        Some("a name must not be longer than 63 bytes: the server would cut it off")
    } else if name.contains('\0') {
        Some("a name must not contain a NUL byte")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_refused_only_where_the_server_could_not_keep_it() {
        for name in ["a", "x'; DROP DATABASE y", "ä\"\\%_*", &"n".repeat(63)] {
            assert_eq!(fault(name), None, "{name}");
        }
        for name in ["", "a\0b", &"n".repeat(64), &"ä".repeat(32)] {
            assert!(fault(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_engines_own_roles_are_known_by_name() {
        for (name, standing) in [
            ("app", Standing::Ordinary),
            ("pg_read_all_data", Standing::Predefined),
            ("pg_execute_server_program", Standing::Dangerous),
            ("postgres", Standing::Dangerous),
            ("rdsadmin", Standing::Protected),
        ] {
            assert_eq!(role_standing(name), standing, "{name}");
        }
    }

    #[test]
    fn the_servers_own_names_are_not_managed() {
        for name in ["postgres", "template1", "template0", "dbops_1"] {
            let mut problems = Problems::default();
            check_database(name, "name", &mut problems);
            assert!(problems.finish().is_err(), "{name}");
        }
        for name in ["pg_app", "postgres", "rds_superuser", "public", "Public", "PUBLIC", "none"] {
            let mut problems = Problems::default();
            check_role(name, "name", &mut problems);
            assert!(problems.finish().is_err(), "{name}");
        }
    }
}

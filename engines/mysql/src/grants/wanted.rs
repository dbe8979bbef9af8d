//! What rights a spec states, read and checked. Pure.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::error::Problems;
use dbprovision_sdk::types::{PrivilegeRequest, Reference};
use dbprovision_sdk::{Error, Examination, ObjectKind, OptionProblem, Privilege, Result};
use mysql_options::{MySqlGrant, MySqlGrantLevel};

use crate::connect::Tracking;
use crate::names;
use crate::observe::rights::{GRANT_OPTION, Object, Right, is_dynamic};
use crate::privileges::{COLUMN, DATABASE, GLOBAL, ROUTINE, TABLE, is_all};
use crate::quote::escaped_pattern;
use crate::server::Facts;
use crate::users::wanted::{dangerous, reference};

/// What should be held.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stated {
    /// Each role with the field that states it.
    pub(crate) roles: BTreeMap<String, String>,
    grants: Vec<MySqlGrant>,
}

impl Stated {
    /// Reads the blocks; every problem is noted at once.
    pub(crate) fn read(
        grantee: &str,
        roles: impl IntoIterator<Item = (String, String)>,
        grants: Option<&[MySqlGrant]>,
        problems: &mut Problems,
    ) -> Self {
        let mut named = BTreeMap::new();
        for (role, path) in roles {
            names::check_user_name(&role, &path, problems);
            named.entry(role).or_insert(path);
        }
        let grants = grants.unwrap_or_default().to_vec();
        for (at, one) in grants.iter().enumerate() {
            let path = format!("options.grants[{at}]");
            check(one, &path, problems);
            if let Some((field, problem)) = lost(one, grantee) {
                problems.add(format!("{path}.{field}"), problem);
            }
        }
        Self { roles: named, grants }
    }

    /// The databases that the rights are in, with the field that states each.
    pub(crate) fn databases(&self) -> BTreeMap<String, String> {
        let named = self
            .grants
            .iter()
            .enumerate()
            .filter_map(|(at, one)| Some((one.database.clone()?, format!("options.grants[{at}].database"))));
        named.collect()
    }

    fn patterns(&self) -> impl Iterator<Item = (usize, &str)> {
        self.grants.iter().enumerate().filter_map(|(at, one)| Some((at, one.database_pattern.as_deref()?)))
    }

    /// What the spec needs and names.
    pub(crate) fn examination(&self) -> Examination {
        let mut references: Vec<Reference> =
            self.roles.iter().map(|(role, path)| reference(role, path.clone())).collect();
        let mut privileges: Vec<PrivilegeRequest> = dangerous(&references).collect();
        references.extend(self.databases().into_iter().map(|(name, path)| Reference {
            standing: names::database_standing(&name),
            kind: ObjectKind::Database,
            name,
            path,
        }));
        for (at, _) in self.grants.iter().enumerate().filter(|(_, one)| one.database_pattern.is_some()) {
            // What is created tomorrow by somebody else may match it.
            let path = format!("options.grants[{at}].databasePattern");
            privileges.push(PrivilegeRequest { path, privilege: Privilege::Superuser });
        }
        for (at, one) in self.grants.iter().enumerate().filter(|(_, one)| one.level == MySqlGrantLevel::Global) {
            for (index, privilege) in one.privileges.iter().enumerate() {
                let path = format!("options.grants[{at}].privileges[{index}]");
                privileges.extend(asked(privilege).map(|privilege| PrivilegeRequest { path, privilege }));
            }
            if one.with_grant_option == Some(true) {
                // It is not this entry's privileges alone that it lets its holder give on.
                let path = format!("options.grants[{at}].withGrantOption");
                privileges.push(PrivilegeRequest { path, privilege: Privilege::Superuser });
            }
        }
        Examination { privileges, references, companions: Vec::new() }
    }

    /// Nobody gets a right on the place of the marks: who writes there can claim what is not theirs.
    pub(crate) fn check_against(&self, tracking: &Tracking) -> Result<()> {
        for (at, pattern) in self.patterns() {
            let protected = names::PROTECTED_DATABASES.iter().copied().chain([tracking.database.as_str()]);
            if let Some(matched) = protected.into_iter().find(|name| names::matches_pattern(pattern, name)) {
                let problem = format!("it matches {matched}, on which rights are never granted");
                let path = format!("options.grants[{at}].databasePattern");
                return Err(Error::invalid(vec![OptionProblem { path, problem }]));
            }
        }
        let place = self.databases().into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&tracking.database));
        let Some((_, path)) = place else { return Ok(()) };
        let problem = "rights on the database of the operator's marks are never granted".to_owned();
        Err(Error::invalid(vec![OptionProblem { path, problem }]))
    }

    /// Every right, with the field that states it, as this server knows them.
    pub(crate) fn rights(&self, facts: &Facts, known: &BTreeSet<String>) -> Result<BTreeMap<Right, String>> {
        let mut found = BTreeMap::new();
        let mut problems = Vec::new();
        if let Some((at, _)) = self.patterns().next().filter(|_| !facts.patterns) {
            let problem = "this server takes no patterns: name the database".to_owned();
            problems.push(OptionProblem { path: format!("options.grants[{at}].databasePattern"), problem });
        }
        for (at, one) in self.grants.iter().enumerate() {
            let path = format!("options.grants[{at}]");
            for (field, name) in
                [("database", &one.database), ("databasePattern", &one.database_pattern), ("table", &one.table)]
            {
                // The server would keep it in lower case, and what is stated would never be found to be held.
                if let Some(name) = name.as_deref().filter(|name| facts.folds_names && *name != name.to_lowercase()) {
                    let problem =
                        format!("this server keeps names of databases and tables in lower case: state {name:?} so");
                    problems.push(OptionProblem { path: format!("{path}.{field}"), problem });
                }
            }
            problems.extend(
                ambiguous(one, facts)
                    .map(|(field, problem)| OptionProblem { path: format!("{path}.{field}"), problem }),
            );
            let may_grant = one.with_grant_option == Some(true);
            let level: Vec<String> = match of_level(one.level) {
                Some(listed) => {
                    listed.iter().filter(|name| known.contains(**name)).map(|&name| name.to_owned()).collect()
                }
                None => known.iter().cloned().collect(),
            };
            let mut wanted = BTreeSet::new();
            for (index, privilege) in one.privileges.iter().enumerate() {
                if is_all(privilege) {
                    wanted.extend(level.iter().cloned());
                } else if let Some(there) = level.iter().find(|name| *name == renamed(privilege, facts)) {
                    wanted.insert(there.clone());
                } else {
                    let problem = format!("this server has no such privilege here; it has {}", level.join(", "));
                    problems.push(OptionProblem { path: format!("{path}.privileges[{index}]"), problem });
                }
            }
            for object in objects(one, facts) {
                for privilege in &wanted {
                    let grantable =
                        may_grant && object == Object::Global && is_dynamic(privilege) && !facts.is_mariadb();
                    let right = Right { object: object.clone(), privilege: privilege.clone(), grantable };
                    found.entry(right).or_insert_with(|| path.clone());
                }
                let only_dynamic = object == Object::Global && wanted.iter().all(|privilege| is_dynamic(privilege));
                if may_grant && (facts.is_mariadb() || !only_dynamic) {
                    // Columns have none of their own: it is their table's.
                    let object = match object {
                        Object::Column(database, table, _) => Object::Table(database, table),
                        other @ (Object::Global | Object::Database(_) | Object::Table(..) | Object::Routine(..)) => {
                            other
                        }
                    };
                    let right = Right { object, privilege: GRANT_OPTION.to_owned(), grantable: false };
                    found.entry(right).or_insert_with(|| path.clone());
                }
            }
        }
        if problems.is_empty() { Ok(found) } else { Err(Error::invalid(problems)) }
    }
}

/// None: whatever the server knows.
fn of_level(level: MySqlGrantLevel) -> Option<&'static [&'static str]> {
    match level {
        MySqlGrantLevel::Global => None,
        MySqlGrantLevel::Database => Some(DATABASE),
        MySqlGrantLevel::Table => Some(TABLE),
        MySqlGrantLevel::Column => Some(COLUMN),
        MySqlGrantLevel::Procedure | MySqlGrantLevel::Function => Some(ROUTINE),
    }
}

/// MariaDB gave some privileges a new name, and takes the old one.
fn renamed<'name>(privilege: &'name str, facts: &Facts) -> &'name str {
    match privilege {
        "REPLICATION CLIENT" if facts.is_mariadb() => "BINLOG MONITOR",
        "REPLICA MONITOR" if facts.is_mariadb() => "SLAVE MONITOR",
        other => other,
    }
}

/// A database whose name MySQL takes literally while a role is active, and for a pattern while none is.
///
/// With an active role only what holds a wildcard, escaped or not, is a pattern to it; without one everything is, and
/// a backslash there means what follows it. So no way to write the name is right in both.
fn ambiguous(one: &MySqlGrant, facts: &Facts) -> Option<(&'static str, String)> {
    if facts.is_mariadb() || !facts.patterns || one.level != MySqlGrantLevel::Database {
        return None;
    }
    let (field, name) = match (&one.database_pattern, &one.database) {
        (Some(pattern), _) => ("databasePattern", pattern),
        (None, Some(name)) => ("database", name),
        (None, None) => return None,
    };
    let problem = "this server reads a backslash in the name of a database in one way while a role is active and in \
                   another while none is, so that the right would be on another database: give rights on its tables";
    (name.contains('\\') && !name.contains(['_', '%'])).then(|| (field, problem.to_owned()))
}

/// The canonical words of what this entry is on.
fn objects(one: &MySqlGrant, facts: &Facts) -> Vec<Object> {
    let database = one.database.clone().unwrap_or_default();
    let table = one.table.clone().unwrap_or_default();
    match one.level {
        MySqlGrantLevel::Global => vec![Object::Global],
        MySqlGrantLevel::Database if one.database_pattern.is_some() => {
            vec![Object::Database(one.database_pattern.clone().unwrap_or_default())]
        }
        MySqlGrantLevel::Database => {
            vec![Object::Database(if facts.patterns { escaped_pattern(&database) } else { database })]
        }
        MySqlGrantLevel::Table => vec![Object::Table(database, table)],
        MySqlGrantLevel::Column => {
            let columns = one.columns.iter().flatten().collect::<BTreeSet<_>>();
            columns.into_iter().map(|column| Object::Column(database.clone(), table.clone(), column.clone())).collect()
        }
        MySqlGrantLevel::Procedure => {
            vec![Object::Routine("PROCEDURE".to_owned(), database, folded(one.procedure.as_deref()))]
        }
        MySqlGrantLevel::Function => {
            vec![Object::Routine("FUNCTION".to_owned(), database, folded(one.function.as_deref()))]
        }
    }
}

/// The servers keep a right on a routine under its name in lower case, however the routine is written.
fn folded(routine: Option<&str>) -> String {
    routine.unwrap_or_default().to_lowercase()
}

/// What a global privilege makes of its holder. Each of them reaches into every tenant's databases.
fn asked(privilege: &str) -> Option<Privilege> {
    match privilege {
        "CREATE USER" | "CREATE ROLE" | "DROP ROLE" | "ROLE_ADMIN" => Some(Privilege::CreateRole),
        "SHOW DATABASES" => None,
        // Whoever chooses what a server replays writes everywhere in it.
        "REPLICATION_SLAVE_ADMIN" | "REPLICATION SLAVE ADMIN" | "BINLOG REPLAY" => Some(Privilege::Superuser),
        other if other.contains("REPLICATION") || other.contains("BINLOG") || other.contains("SLAVE") => {
            Some(Privilege::Replication)
        }
        _ => Some(Privilege::Superuser),
    }
}

/// A right on a routine that the server would lose when it starts again, and never take along with its holder: its
/// table of these rights (`mysql.procs_priv`) takes the bytes of every name in them for latin1.
fn lost(one: &MySqlGrant, grantee: &str) -> Option<(&'static str, String)> {
    let field = match one.level {
        MySqlGrantLevel::Procedure => "procedure",
        MySqlGrantLevel::Function => "function",
        MySqlGrantLevel::Global | MySqlGrantLevel::Database | MySqlGrantLevel::Table | MySqlGrantLevel::Column => {
            return None;
        }
    };
    let is_lost = |name: &Option<String>| name.as_deref().is_some_and(|name| !name.is_ascii());
    let whose = if !grantee.is_ascii() {
        "the grantee"
    } else if is_lost(&one.database) {
        "the database"
    } else if is_lost(&one.procedure) || is_lost(&one.function) {
        "the routine"
    } else {
        return None;
    };
    let problem = format!(
        "the name of {whose} is not of ASCII characters alone, and the server loses rights on routines with such a name \
         when it starts again: give EXECUTE on the whole database"
    );
    Some((field, problem))
}

fn check(one: &MySqlGrant, path: &str, problems: &mut Problems) {
    use MySqlGrantLevel::{Column, Database, Function, Global, Procedure, Table};
    let level = one.level;
    let mut field = |name: &str, stated: Option<&str>, wanted: bool| {
        let path = format!("{path}.{name}");
        match stated {
            Some(stated) if wanted => names::check_database_name(stated, &path, problems),
            Some(_) => problems.add(path, "this level has none: leave it out"),
            None if wanted => problems.add(path, "this level needs it"),
            None => {}
        }
    };
    let by_pattern = level == Database && one.database_pattern.is_some();
    field("database", one.database.as_deref(), level != Global && !by_pattern);
    field("table", one.table.as_deref(), matches!(level, Table | Column));
    field("procedure", one.procedure.as_deref(), level == Procedure);
    field("function", one.function.as_deref(), level == Function);
    if one.database_pattern.is_some() && level != Database {
        problems.add(format!("{path}.databasePattern"), "this level has none: leave it out");
    }
    let columns = one.columns.as_deref().unwrap_or_default();
    if (level == Column) == columns.is_empty() {
        let problem = if level == Column { "at least one column" } else { "this level has none: leave it out" };
        problems.add(format!("{path}.columns"), problem);
    }
    for (at, column) in columns.iter().enumerate() {
        names::check_database_name(column, &format!("{path}.columns[{at}]"), problems);
    }
    if one.database.as_deref().is_some_and(|name| names::database_standing(name) != dbprovision_sdk::Standing::Ordinary)
    {
        problems.add(
            format!("{path}.database"),
            "rights on the server's or the operator's own databases are never granted",
        );
    }
    if one.privileges.is_empty() {
        problems.add(format!("{path}.privileges"), "at least one privilege");
    }
    let listed = of_level(level).map_or_else(|| [GLOBAL, DATABASE].concat(), <[&str]>::to_vec);
    for (index, privilege) in one.privileges.iter().enumerate() {
        let is_known = listed.contains(&privilege.as_str()) || is_all(privilege);
        // Which dynamic privileges there are, only the server knows.
        let may_be =
            level == Global && (is_dynamic(privilege) && names::is_word(privilege) || privilege == "REPLICA MONITOR");
        if !is_known && !may_be {
            problems.add(
                format!("{path}.privileges[{index}]"),
                format!("there is no such privilege on this level, which has {} and ALL", listed.join(", ")),
            );
        }
    }
}

//! A user's spec, read and checked. Pure.

use std::collections::BTreeSet;

use dbprovision_sdk::adapter::users::UserSpec;
use dbprovision_sdk::error::Problems;
use dbprovision_sdk::types::{PrivilegeRequest, Reference};
use dbprovision_sdk::{Error, Examination, ObjectKind, OptionProblem, Privilege, Result, Standing, options};
use mysql_options::{MySqlAuthPlugin, MySqlUserConfig};

use super::hash::Plugin;
use crate::names;
use crate::observe::account::Encryption;
use crate::server::{Dialect, Facts};

/// Every host.
pub(crate) const ANYWHERE: &str = "%";
/// The server keeps both numbers in sixteen bits.
const MOST: u32 = 32_767;
/// In days, which the server keeps in sixteen bits without a sign.
const LONGEST_LIFETIME: u32 = 65_535;

/// What a user should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) comment: Option<String>,
    pub(crate) block: MySqlUserConfig,
    /// In the order in which they are stated.
    pub(crate) roles: Vec<String>,
    /// Those that other resources make it a member of.
    pub(crate) shared_roles: BTreeSet<String>,
    pub(crate) hosts: BTreeSet<String>,
}

impl Wanted {
    /// Reads the spec; every problem is named at once.
    pub(crate) fn read(spec: &UserSpec) -> Result<Self> {
        let block: MySqlUserConfig = options::parse(spec.options.as_deref())?;
        let mut problems = Problems::default();
        names::check_user(&spec.name, "name", &mut problems);
        if spec.comment.as_deref().is_some_and(|comment| comment.contains('\0')) {
            problems.add("comment", "a comment must not contain a NUL byte");
        }
        let mut roles: Vec<String> = Vec::new();
        for (at, role) in spec.roles.iter().enumerate() {
            let path = format!("roles[{at}]");
            names::check_user_name(role, &path, &mut problems);
            if *role == spec.name {
                problems.add(path, "a user cannot be a member of itself");
            }
            if !roles.contains(role) {
                roles.push(role.clone());
            }
        }
        check_block(&block, &mut problems);
        problems.finish()?;
        let stated = block.allowed_hosts.iter().flatten().cloned().collect::<BTreeSet<String>>();
        let hosts = if block.allowed_hosts.is_some() { stated } else { BTreeSet::from([ANYWHERE.to_owned()]) };
        let comment = spec.comment.clone().filter(|text| !text.is_empty());
        let shared_roles = spec.shared_roles.iter().cloned().collect();
        Ok(Self { name: spec.name.clone(), comment, block, roles, shared_roles, hosts })
    }

    /// What the spec needs and names.
    pub(crate) fn examination(&self) -> Examination {
        let references: Vec<Reference> =
            self.roles.iter().enumerate().map(|(at, role)| reference(role, format!("roles[{at}]"))).collect();
        let privileges = dangerous(&references).collect();
        Examination { privileges, references, companions: Vec::new() }
    }

    /// What only the server knows to refuse.
    pub(crate) fn check_against(&self, facts: &Facts) -> Result<()> {
        let mut problems = Vec::new();
        let mut add = |path: &str, problem: String| {
            problems.push(OptionProblem { path: path.to_owned(), problem });
        };
        if let Some(problem) = name_for(&self.name, facts) {
            add("name", problem);
        }
        if let Some(plugin) = self.stated_plugin()
            && !facts.plugins.contains(plugin.name())
        {
            let known = [Plugin::CachingSha2, Plugin::Sha256, Plugin::Native, Plugin::Ed25519, Plugin::Parsec];
            let there: Vec<&str> =
                known.iter().map(|one| one.name()).filter(|name| facts.plugins.contains(*name)).collect();
            add("options.authPlugin", format!("this server has {}", there.join(", ")));
        }
        if facts.is_mariadb() {
            for (stated, path) in [
                (self.block.failed_login_attempts, "options.failedLoginAttempts"),
                (self.block.password_lock_time, "options.passwordLockTime"),
            ] {
                if stated.is_some_and(|stated| stated > 0) {
                    add(path, "MariaDB cannot lock an account after failed logins: leave this out".to_owned());
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::invalid(problems)) }
    }

    /// The method that is stated.
    pub(crate) fn stated_plugin(&self) -> Option<Plugin> {
        self.block.auth_plugin.map(|plugin| match plugin {
            MySqlAuthPlugin::MysqlNativePassword => Plugin::Native,
            MySqlAuthPlugin::CachingSha2Password => Plugin::CachingSha2,
            MySqlAuthPlugin::Sha256Password => Plugin::Sha256,
            MySqlAuthPlugin::Ed25519 => Plugin::Ed25519,
            MySqlAuthPlugin::Parsec => Plugin::Parsec,
        })
    }

    /// The method of new passwords: the best that the server has for every client, unless another is stated.
    pub(crate) fn plugin(&self, facts: &Facts) -> Plugin {
        let has = |plugin: Plugin| facts.plugins.contains(plugin.name());
        match self.stated_plugin() {
            Some(stated) => stated,
            None if has(Plugin::CachingSha2) => Plugin::CachingSha2,
            None => Plugin::Native,
        }
    }

    pub(crate) fn encryption(&self) -> Encryption {
        if self.block.require_x509 == Some(true) {
            Encryption::Certificate
        } else if self.block.require_ssl == Some(true) {
            Encryption::Any
        } else {
            Encryption::None
        }
    }

    /// With the field that states each and the word for it.
    pub(crate) fn limits(&self) -> [(&'static str, &'static str, u64); 4] {
        let block = &self.block;
        [
            ("maxQueriesPerHour", "MAX_QUERIES_PER_HOUR", block.max_queries_per_hour),
            ("maxUpdatesPerHour", "MAX_UPDATES_PER_HOUR", block.max_updates_per_hour),
            ("maxConnectionsPerHour", "MAX_CONNECTIONS_PER_HOUR", block.max_connections_per_hour),
            ("maxUserConnections", "MAX_USER_CONNECTIONS", block.max_user_connections),
        ]
        .map(|(field, word, stated)| (field, word, u64::from(stated.unwrap_or(0))))
    }

    /// Roles that are active from the login on, of those that are there: all where the server can, otherwise the first.
    pub(crate) fn default_roles(&self, facts: &Facts, missing: &BTreeSet<String>) -> BTreeSet<String> {
        let most = if facts.is_mariadb() { 1 } else { usize::MAX };
        self.roles.iter().filter(|role| !missing.contains(*role)).take(most).cloned().collect()
    }

    /// The clauses of creation that differ from what the server does by itself.
    pub(crate) fn clauses(&self, facts: &Facts) -> Vec<String> {
        let mut clauses = Vec::new();
        if self.encryption() != Encryption::None {
            clauses.push(require(self.encryption()).to_owned());
        }
        let limits: Vec<String> = self
            .limits()
            .iter()
            .filter(|(_, _, limit)| *limit > 0)
            .map(|(_, word, limit)| format!("{word} {limit}"))
            .collect();
        if !limits.is_empty() {
            clauses.push(format!("WITH {}", limits.join(" ")));
        }
        if self.block.account_locked == Some(true) {
            clauses.push("ACCOUNT LOCK".to_owned());
        }
        if !facts.is_mariadb() && self.failed_logins() != (0, 0) {
            clauses.push(lock_after(self.failed_logins()));
        }
        if let Some(days) = self.block.password_lifetime {
            clauses.push(expire(Some(u64::from(days))));
        }
        clauses
    }

    /// After how many failed logins the account is locked, and for how many days.
    pub(crate) fn failed_logins(&self) -> (u32, u32) {
        (self.block.failed_login_attempts.unwrap_or(0), self.block.password_lock_time.unwrap_or(0))
    }
}

/// `REQUIRE`.
pub(crate) fn require(encryption: Encryption) -> &'static str {
    match encryption {
        Encryption::None | Encryption::Certain => "REQUIRE NONE",
        Encryption::Any => "REQUIRE SSL",
        Encryption::Certificate => "REQUIRE X509",
    }
}

/// The two options, which act only together.
pub(crate) fn lock_after((attempts, days): (u32, u32)) -> String {
    format!("FAILED_LOGIN_ATTEMPTS {attempts} PASSWORD_LOCK_TIME {days}")
}

/// When passwords expire: after so many days, never, or as the server has it.
pub(crate) fn expire(lifetime: Option<u64>) -> String {
    match lifetime {
        None => "PASSWORD EXPIRE DEFAULT".to_owned(),
        Some(0) => "PASSWORD EXPIRE NEVER".to_owned(),
        Some(days) => format!("PASSWORD EXPIRE INTERVAL {days} DAY"),
    }
}

/// From this version on MariaDB takes names of accounts as long as `names::LONGEST_USER`.
const LONG_NAMES: u32 = 100_600;

/// MySQL's names of accounts are shorter than MariaDB's, and those of an old MariaDB shorter than those of a new one.
pub(crate) fn name_for(name: &str, facts: &Facts) -> Option<String> {
    let (longest, server) = match facts.dialect {
        Dialect::MySql => (names::LONGEST_MYSQL_USER, "MySQL"),
        Dialect::MariaDb if facts.number < LONG_NAMES => (names::LONGEST_OLD_MARIADB_USER, "MariaDB before 10.6"),
        Dialect::MariaDb => return None,
    };
    let too_long = name.chars().count() > longest;
    too_long.then(|| format!("a name must not be longer than {longest} characters on {server}"))
}

/// A role that a spec names.
pub(crate) fn reference(name: &str, path: String) -> Reference {
    Reference { path, kind: ObjectKind::Role, name: name.to_owned(), standing: names::role_standing(name) }
}

/// A dangerous name is a privilege too: the instance's ceiling decides.
pub(crate) fn dangerous(references: &[Reference]) -> impl Iterator<Item = PrivilegeRequest> {
    references
        .iter()
        .filter(|one| one.standing == Standing::Dangerous)
        .map(|one| PrivilegeRequest { path: one.path.clone(), privilege: Privilege::DangerousRole })
}

fn check_block(block: &MySqlUserConfig, problems: &mut Problems) {
    if block.allowed_hosts.as_ref().is_some_and(Vec::is_empty) {
        problems.add("options.allowedHosts", "at least one host; every host is `%`");
    }
    let mut seen = BTreeSet::new();
    for (at, host) in block.allowed_hosts.iter().flatten().enumerate() {
        let path = format!("options.allowedHosts[{at}]");
        names::check_host(host, &path, problems);
        if !seen.insert(host) {
            problems.add(path, "the host is stated twice");
        }
    }
    let (attempts, days) = (block.failed_login_attempts.unwrap_or(0), block.password_lock_time.unwrap_or(0));
    if attempts > MOST {
        problems.add("options.failedLoginAttempts", "at most 32767");
    }
    if days > MOST {
        problems.add("options.passwordLockTime", "at most 32767 days");
    }
    if block.password_lifetime.is_some_and(|days| days > LONGEST_LIFETIME) {
        problems.add("options.passwordLifetime", "at most 65535 days");
    }
    if (attempts == 0) != (days == 0) {
        let path = if attempts == 0 { "options.failedLoginAttempts" } else { "options.passwordLockTime" };
        problems.add(path, "`failedLoginAttempts` and `passwordLockTime` act only together: state both, or neither");
    }
}

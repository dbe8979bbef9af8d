//! Accounts: a user is every account of one name, each for another host.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::{Page, Result, Standing};

use super::marks::{self, Kept};
use super::reader::{Question, Reader};
use crate::connect::{Row, Session, Tracking};
use crate::names;
use crate::server::Facts;
use crate::statements::account::{Authentication, Hash};
use crate::statements::metadata::Kind;

/// Which encryption an account must use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    None,
    Any,
    Certificate,
    /// A certificate of a certain issuer, subject or cipher, which no spec states.
    Certain,
}

/// An account as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Account {
    pub(crate) host: String,
    pub(crate) plugin: String,
    pub(crate) encryption: Encryption,
    /// An hour's queries, updates and connections, and connections at a time.
    pub(crate) limits: [u64; 4],
    pub(crate) locked: bool,
    pub(crate) expired: bool,
    pub(crate) failed_login_attempts: u64,
    pub(crate) password_lock_days: i64,
    /// In days; 0 is for ever. None: the server's default.
    pub(crate) password_lifetime: Option<u64>,
    pub(crate) kept: Kept,
    /// Roles it is a member of, and those that are active from the login on.
    pub(crate) roles: BTreeSet<String>,
    pub(crate) default_roles: BTreeSet<String>,
}

const SHARED: &str = "\
u.Host, u.plugin, u.ssl_type, u.max_questions, u.max_updates, u.max_connections, u.max_user_connections,
u.password_expired";

fn query(facts: &Facts) -> String {
    if facts.is_mariadb() {
        format!(
            "SELECT {SHARED}, IF(JSON_VALUE(g.Priv, '$.account_locked') = 1, 'Y', 'N'), NULL, NULL, NULL, 0, 0,
                    JSON_VALUE(g.Priv, '$.password_lifetime'), u.User
               FROM mysql.user u JOIN mysql.global_priv g ON g.User = u.User AND g.Host = u.Host
              WHERE {{subjects}} AND u.is_role = 'N' ORDER BY u.Host"
        )
    } else {
        format!(
            "SELECT {SHARED}, u.account_locked,
                    JSON_UNQUOTE(JSON_EXTRACT(u.User_attributes, '$.metadata.dbops')),
                    JSON_UNQUOTE(JSON_EXTRACT(u.User_attributes, '$.metadata.comment')),
                    JSON_UNQUOTE(JSON_EXTRACT(u.User_attributes, '$.metadata.dbops_roles')),
                    COALESCE(JSON_EXTRACT(u.User_attributes, '$.Password_locking.failed_login_attempts'), 0),
                    COALESCE(JSON_EXTRACT(u.User_attributes, '$.Password_locking.password_lock_time_days'), 0),
                    u.password_lifetime, u.User
               FROM mysql.user u WHERE {{subjects}} ORDER BY u.Host"
        )
    }
}

/// Every account of a user; none where there is no such user.
pub(crate) fn find(reader: &mut dyn Reader, facts: &Facts, tracking: &Tracking, name: &str) -> Result<Vec<Account>> {
    let query = query(facts);
    let question = Question { query: &query, subjects: "BINARY u.User {among}", parameters: &[] };
    let rows = reader.about(&question, &[name])?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows_kept = marks::of(reader, tracking, Kind::User, name)?;
    let mut memberships = memberships(reader, facts, name)?;
    rows.iter()
        .map(|row| {
            let host = row.get(0)?;
            let table = rows_kept.remove(&host);
            let attribute = attribute(row)?;
            let (first, second) = if facts.uses_attributes { (attribute, table) } else { (table, attribute) };
            let kept = first.filter(|kept| kept.mark.is_some()).or(second).unwrap_or_default();
            let (roles, default_roles) = memberships.remove(&host).unwrap_or_default();
            Ok(Account {
                plugin: row.get(1)?,
                encryption: match row.get(2)?.as_str() {
                    "" => Encryption::None,
                    "ANY" => Encryption::Any,
                    "X509" => Encryption::Certificate,
                    _ => Encryption::Certain,
                },
                // MariaDB keeps a negative number of connections for an account that may not log in.
                limits: [row.number(3)?, row.number(4)?, row.number(5)?, row.number(6).unwrap_or(u64::MAX)],
                expired: row.flag(7)?,
                locked: row.flag(8)?,
                failed_login_attempts: row.number(12)?,
                password_lock_days: row.get(13)?.parse().unwrap_or_default(),
                // MariaDB keeps -1 for its default.
                password_lifetime: row.text(14)?.and_then(|days| days.parse().ok()),
                kept,
                roles,
                default_roles,
                host,
            })
        })
        .collect()
}

fn attribute(row: &Row) -> Result<Option<Kept>> {
    let Some(mark) = row.text(9)? else { return Ok(None) };
    let mut kept = Kept::parse(&mark, row.text(11)?.as_deref(), true);
    kept.words = row.text(10)?;
    Ok(Some(kept))
}

/// Roles, and those that are active from the login on.
pub(crate) type Memberships = BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>;

/// The roles of every account of a name, or of a role, by host. A role that it is no member of any more is not active
/// either, although MariaDB keeps it as the default.
pub(crate) fn memberships(reader: &mut dyn Reader, facts: &Facts, name: &str) -> Result<Memberships> {
    let (members, defaults, of_members, of_defaults) = if facts.is_mariadb() {
        (
            "SELECT u.Host, u.Role, u.User FROM mysql.roles_mapping u WHERE {subjects}",
            "SELECT u.Host, u.default_role, u.User FROM mysql.user u
              WHERE {subjects} AND u.is_role = 'N' AND u.default_role <> ''",
            "BINARY u.User {among}",
            "BINARY u.User {among}",
        )
    } else {
        (
            "SELECT TO_HOST, FROM_USER, TO_USER FROM mysql.role_edges WHERE {subjects} AND FROM_HOST = '%'",
            "SELECT HOST, DEFAULT_ROLE_USER, USER FROM mysql.default_roles
              WHERE {subjects} AND DEFAULT_ROLE_HOST = '%'",
            "BINARY TO_USER {among}",
            "BINARY USER {among}",
        )
    };
    let mut found = Memberships::new();
    for row in reader.about(&Question { query: members, subjects: of_members, parameters: &[] }, &[name])? {
        found.entry(row.get(0)?).or_default().0.insert(row.get(1)?);
    }
    for row in reader.about(&Question { query: defaults, subjects: of_defaults, parameters: &[] }, &[name])? {
        let (held, active) = found.entry(row.get(0)?).or_default();
        let role = row.get(1)?;
        if held.contains(&role) {
            active.insert(role);
        }
    }
    Ok(found)
}

/// Roles of MySQL are accounts that were never meant to log in: locked, expired, without a password.
const NO_ROLE: &str = "NOT (u.account_locked = 'Y' AND u.password_expired = 'Y' AND u.authentication_string = '')";

/// A page of all users, by name, with the first mark of each.
pub(crate) fn list(
    session: &mut Session,
    facts: &Facts,
    tracking: &Tracking,
    page: &Page,
) -> Result<Vec<(String, Option<dbprovision_sdk::Mark>)>> {
    let after = page.after.as_deref().unwrap_or_default();
    let limit = page.size();
    let (attribute, condition) = if facts.is_mariadb() {
        ("NULL", "u.is_role = 'N'")
    } else {
        ("MAX(JSON_UNQUOTE(JSON_EXTRACT(u.User_attributes, '$.metadata.dbops')))", NO_ROLE)
    };
    let query = format!(
        "SELECT u.User, {attribute} FROM mysql.user u WHERE u.User <> '' AND BINARY u.User > BINARY ? AND {condition}
          GROUP BY u.User ORDER BY BINARY u.User LIMIT {limit}"
    );
    let rows = session.rows(&query, &[after])?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    let mut kept = marks::of_all(session, tracking, Kind::User, &names)?;
    rows.iter()
        .map(|row| {
            let name = row.get(0)?;
            let attribute = row.text(1)?.and_then(|text| Kept::parse(&text, None, true).mark);
            let mark = attribute.or_else(|| kept.remove(&name).and_then(|kept| kept.mark));
            Ok((name, mark))
        })
        .collect()
}

/// What the name, and being the administrator's own, tell of a user.
pub(crate) fn standing(facts: &Facts, name: &str) -> Standing {
    if name == facts.administrator { Standing::Protected } else { names::user_standing(name) }
}

/// How an account proves who it is, to be given to another account of the same user.
pub(crate) fn authentication(
    session: &mut Session,
    facts: &Facts,
    name: &str,
    host: &str,
) -> Result<Option<Authentication>> {
    let query = "SELECT plugin, authentication_string, HEX(authentication_string) FROM mysql.user
                  WHERE BINARY User = ? AND Host = ?";
    let Some(row) = session.row(query, &[name, host])? else { return Ok(None) };
    let plugin = row.get(0)?;
    // MariaDB takes no digits, and its hashes are all text.
    let hash = if facts.is_mariadb() { Hash::Text(row.get(1)?) } else { Hash::Digits(row.get(2)?) };
    let is_empty = matches!(&hash, Hash::Text(text) | Hash::Digits(text) if text.is_empty());
    Ok((!is_empty && !plugin.is_empty()).then_some(Authentication { plugin, hash }))
}

/// Which of the names are roles.
pub(crate) fn existing_roles(
    reader: &mut dyn Reader,
    facts: &Facts,
    wanted: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let query = if facts.is_mariadb() {
        "SELECT u.User FROM mysql.user u WHERE {subjects} AND u.is_role = 'Y'"
    } else {
        "SELECT u.User FROM mysql.user u WHERE {subjects} AND u.Host = '%'"
    };
    let question = Question { query, subjects: "BINARY u.User {among}", parameters: &[] };
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    reader.about(&question, &wanted)?.iter().map(|row| row.get(0)).collect()
}

/// Whether an account without a name is there: it takes logins from more special hosts away from everybody.
pub(crate) fn has_anonymous(session: &mut Session, facts: &Facts) -> Result<bool> {
    let query = if facts.is_mariadb() {
        "SELECT 1 FROM mysql.user WHERE User = '' AND is_role = 'N' LIMIT 1"
    } else {
        "SELECT 1 FROM mysql.user WHERE User = '' LIMIT 1"
    };
    Ok(session.row(query, &[])?.is_some())
}

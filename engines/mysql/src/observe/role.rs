//! Roles. MariaDB's are a kind of their own; MySQL's are accounts that were never meant to log in.

use dbprovision_sdk::{Mark, Page, Result};

use super::marks::{self, Kept};
use super::reader::{Question, Reader};
use crate::connect::{Session, Tracking};
use crate::server::Facts;
use crate::statements::grant::Grantee;
use crate::statements::metadata::Kind;

/// A role as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) kept: Kept,
}

fn condition(facts: &Facts) -> &'static str {
    if facts.is_mariadb() {
        "u.is_role = 'Y'"
    } else {
        "u.Host = '%' AND u.account_locked = 'Y' AND u.password_expired = 'Y' AND u.authentication_string = ''"
    }
}

/// None where there is no such role.
pub(crate) fn find(reader: &mut dyn Reader, facts: &Facts, tracking: &Tracking, name: &str) -> Result<Option<Role>> {
    let condition = condition(facts);
    let query = format!("SELECT u.User FROM mysql.user u WHERE {{subjects}} AND {condition}");
    let question = Question { query: &query, subjects: "BINARY u.User {among}", parameters: &[] };
    if reader.about(&question, &[name])?.is_empty() {
        return Ok(None);
    }
    let kept = marks::of(reader, tracking, Kind::Role, name)?.remove("").unwrap_or_default();
    Ok(Some(Role { name: name.to_owned(), kept }))
}

/// Whether an account of this name is there that is no role.
pub(crate) fn is_taken_by_user(session: &mut Session, facts: &Facts, name: &str) -> Result<bool> {
    let query = format!("SELECT 1 FROM mysql.user u WHERE BINARY u.User = ? AND NOT ({}) LIMIT 1", condition(facts));
    // On MariaDB users and roles have names of their own.
    Ok(!facts.is_mariadb() && session.row(&query, &[name])?.is_some())
}

/// A page of all roles, by name, with their marks.
pub(crate) fn list(
    session: &mut Session,
    facts: &Facts,
    tracking: &Tracking,
    page: &Page,
) -> Result<Vec<(String, Option<Mark>)>> {
    let after = page.after.as_deref().unwrap_or_default();
    let limit = page.size();
    let query = format!(
        "SELECT u.User FROM mysql.user u WHERE u.User <> '' AND BINARY u.User > BINARY ? AND {}
          ORDER BY BINARY u.User LIMIT {limit}",
        condition(facts)
    );
    let names: Vec<String> = session.rows(&query, &[after])?.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    let mut kept = marks::of_all(session, tracking, Kind::Role, &names)?;
    Ok(names.into_iter().map(|name| (name.clone(), kept.remove(&name).and_then(|kept| kept.mark))).collect())
}

/// The role as a grantee.
pub(crate) fn grantee(facts: &Facts, name: &str) -> Grantee {
    let host = if facts.is_mariadb() { "" } else { "%" };
    Grantee { user: name.to_owned(), host: host.to_owned() }
}

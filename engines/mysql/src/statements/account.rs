//! Accounts: how they log in, what they may use, and the mark they carry.

use super::Statement;
use crate::observe::marks::Kept;
use crate::quote::{account, literal, word};
use crate::server::Dialect;

/// The keys of the attribute.
pub(crate) const MARK_KEY: &str = "dbops";
/// The roles, as they were alone there once, and what else is kept.
pub(crate) const DETAILS_KEY: &str = "dbops_roles";

/// How an account proves who it is: the method and the hash that the server compares with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authentication {
    pub(crate) plugin: String,
    pub(crate) hash: Hash,
}

/// What the server keeps instead of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Text(String),
    /// Hexadecimal digits: a server makes salts of whatever bytes.
    Digits(String),
}

impl Authentication {
    /// The clause. The hash is what the server would have computed, so no password is in any statement.
    pub(crate) fn clause(&self, dialect: Dialect) -> String {
        let plugin = word(&self.plugin);
        let hash = match &self.hash {
            Hash::Text(text) => literal(text),
            Hash::Digits(digits) => format!("0x{}", word(digits)),
        };
        match dialect {
            Dialect::MySql => format!("IDENTIFIED WITH {plugin} AS {hash}"),
            Dialect::MariaDb => format!("IDENTIFIED VIA {plugin} USING {hash}"),
        }
    }
}

/// Creates accounts, one for each host. MySQL creates all of them or none; MariaDB one after another.
pub(crate) fn create(
    name: &str,
    hosts: &[&str],
    authentication: &Authentication,
    clauses: &[String],
    dialect: Dialect,
) -> Vec<Statement> {
    let identified = |host: &&str| format!("{} {}", account(name, host), authentication.clause(dialect));
    let of = |accounts: String| {
        let words = [&["CREATE USER".to_owned(), accounts][..], clauses].concat();
        Statement::of("options", words.join(" "))
    };
    match dialect {
        Dialect::MySql => vec![of(hosts.iter().map(identified).collect::<Vec<_>>().join(", "))],
        Dialect::MariaDb => hosts.iter().map(|host| of(identified(host))).collect(),
    }
}

/// `ALTER USER` with one clause.
pub(crate) fn alter(name: &str, host: &str, clause: &str) -> String {
    format!("ALTER USER {} {clause}", account(name, host))
}

/// The clause that writes the mark, the words and the memberships. A null removes what was there.
pub(crate) fn attribute(kept: &Kept) -> String {
    let without_words = Kept { words: None, ..kept.clone() };
    let mark = kept.mark.as_ref().map(|_| without_words.text().0);
    let details = kept.details();
    let details = Some(details).filter(|details| details != "[]");
    let json = serde_json::json!({ MARK_KEY: mark, DETAILS_KEY: details, "comment": kept.words });
    format!("ATTRIBUTE {}", literal(&json.to_string()))
}

/// Drops one account.
pub(crate) fn drop(name: &str, host: &str) -> Statement {
    Statement::own(format!("DROP USER IF EXISTS {}", account(name, host)))
}

//! From a wanted change to the statements that make it: pure text, one file a kind of object.
//!
//! Names and values pass through `quote`, always. Only what changes is named in a statement. No password is ever part
//! of one: accounts are given the hash that the server would have computed itself.

pub(crate) mod account;
pub(crate) mod database;
pub(crate) mod grant;
pub(crate) mod metadata;

#[cfg(test)]
mod tests;

/// One statement, and the spec's field that it serves: an unacceptable value is reported there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) field: String,
    /// It gives again what somebody holds; where its object is gone there is nothing to give.
    pub(crate) may_be_outlived: bool,
}

impl Statement {
    /// A statement that serves a field.
    pub(crate) fn of(field: impl Into<String>, sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), field: field.into(), may_be_outlived: false }
    }

    /// Without an error where what it is about is gone.
    pub(crate) fn unless_outlived(self) -> Self {
        Self { may_be_outlived: true, ..self }
    }

    /// A statement whose failure is no fault of the spec.
    pub(crate) fn own(sql: impl Into<String>) -> Self {
        Self::of("", sql)
    }
}

/// Ends a session; a number that comes from the server's own list.
pub(crate) fn kill(session: u64) -> Statement {
    Statement::own(format!("KILL CONNECTION {session}"))
}

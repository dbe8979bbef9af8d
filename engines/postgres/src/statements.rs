//! From a wanted change to the statements that make it: pure text, one file a kind of object.
//!
//! Names and values pass through `quote`, always. Only what changes is named in a statement: an administrator
//! who is no superuser may not even repeat an attribute that it may not grant.

pub(crate) mod database;
pub(crate) mod grant;
pub(crate) mod inside;
pub(crate) mod membership;
pub(crate) mod ownership;
pub(crate) mod script;
pub(crate) mod user;

#[cfg(test)]
mod tests;

/// One statement, and the spec's field that it serves: an unacceptable value is reported there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) field: String,
}

impl Statement {
    /// A statement that serves a field.
    pub(crate) fn of(field: impl Into<String>, sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), field: field.into() }
    }

    /// A statement whose failure is no fault of the spec.
    pub(crate) fn own(sql: impl Into<String>) -> Self {
        Self::of("", sql)
    }
}

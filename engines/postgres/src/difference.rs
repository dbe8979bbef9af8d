//! A difference between what is and what is wanted, with the statements that make it go away. Pure.

use std::collections::BTreeSet;

use dbprovision_sdk::{Change, selection};

use crate::statements::Statement;

/// Where and when the statements run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the main session, first.
    Server,
    /// In a session in the database.
    Inside,
    /// In the main session, outside of a transaction, while nobody uses the database.
    Alone,
    /// In the main session, after everything else: it ends the work inside.
    Last,
}

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) change: Change,
    pub(crate) place: Place,
    pub(crate) statements: Vec<Statement>,
    /// Roles whose rights the statements need.
    pub(crate) acts_as: BTreeSet<String>,
}

impl Difference {
    /// A difference that is made in the main session.
    pub(crate) fn new(
        id: impl Into<String>,
        field: impl Into<String>,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Self {
        Self {
            change: Change {
                id: id.into(),
                field: field.into(),
                expected: expected.into(),
                actual: actual.into(),
                destructive: false,
                impossible: false,
                lacking: None,
            },
            place: Place::Server,
            statements: Vec::new(),
            acts_as: BTreeSet::new(),
        }
    }

    /// One more statement that makes it, reported under the difference's field.
    pub(crate) fn by(mut self, sql: impl Into<String>) -> Self {
        let field = self.change.field.clone();
        self.statements.push(Statement::of(field, sql));
        self
    }

    /// More statements that make it.
    pub(crate) fn by_all(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        self.statements.extend(statements);
        self
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    pub(crate) fn acting_as<'role>(mut self, roles: impl IntoIterator<Item = &'role str>) -> Self {
        self.acts_as.extend(roles.into_iter().map(str::to_owned));
        self
    }

    pub(crate) fn destructive_if(mut self, destructive: bool) -> Self {
        self.change.destructive = destructive;
        self
    }

    pub(crate) fn impossible(mut self) -> Self {
        self.change.impossible = true;
        self
    }

    /// What must be there before the change can be made, as a message.
    pub(crate) fn lacking(mut self, what: Option<String>) -> Self {
        self.change.lacking = what;
        self
    }
}

impl selection::Difference for Difference {
    fn change(&self) -> &Change {
        &self.change
    }
}

#[cfg(test)]
mod tests {
    use dbprovision_sdk::Selection;
    use dbprovision_sdk::selection::select;

    use super::*;

    fn found() -> Vec<Difference> {
        vec![
            Difference::new("owner", "owner", "a", "b"),
            Difference::new("encoding", "options.encoding", "UTF8", "LATIN1").impossible(),
            Difference::new("extension:x", "options.extensions[0]", "x", "").lacking(Some("no x".to_owned())),
        ]
    }

    #[test]
    fn detection_selects_nothing() {
        assert!(select(&found(), &Selection::Detect).unwrap().is_empty());
    }

    #[test]
    fn what_is_impossible_is_never_selected() {
        let only = Selection::Only(vec!["owner".to_owned(), "encoding".to_owned()]);
        let found = found();
        let chosen = select(&found, &only).unwrap();
        assert_eq!(chosen.iter().map(|one| one.change.id.as_str()).collect::<Vec<_>>(), ["owner"]);
    }

    #[test]
    fn an_id_that_is_gone_is_a_conflict() {
        let error = select(&found(), &Selection::Only(vec!["comment".to_owned()])).unwrap_err();
        assert_eq!(error.kind, dbprovision_sdk::ErrorKind::Conflict);
    }

    #[test]
    fn a_selected_change_that_lacks_something_says_what() {
        let error = select(&found(), &Selection::All).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (dbprovision_sdk::ErrorKind::DependencyMissing, "no x"));
    }
}

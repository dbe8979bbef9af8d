//! A difference between what is and what is wanted, with the statements that make it go away. Pure.

use dbprovision_sdk::{Change, selection};

use crate::statements::Statement;

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) change: Change,
    pub(crate) statements: Vec<Statement>,
    /// It is made only where it is chosen by its id.
    pub(crate) needs_consent: bool,
}

impl Difference {
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
            statements: Vec::new(),
            needs_consent: false,
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

    pub(crate) fn destructive_if(mut self, destructive: bool) -> Self {
        self.change.destructive = destructive;
        self
    }

    pub(crate) fn impossible_if(mut self, impossible: bool) -> Self {
        self.change.impossible = impossible;
        self
    }

    pub(crate) fn needs_consent_if(mut self, needed: bool) -> Self {
        self.needs_consent = needed;
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
            Difference::new("collation", "options.collation", "a", "b"),
            Difference::new("authPlugin", "options.authPlugin", "x", "y").impossible_if(true),
            Difference::new("member:r", "roles[0]", "member", "no member").lacking(Some("no r".to_owned())),
        ]
    }

    #[test]
    fn detection_selects_nothing() {
        assert!(select(&found(), &Selection::Detect).unwrap().is_empty());
    }

    #[test]
    fn what_is_impossible_is_never_selected() {
        let only = Selection::Only(vec!["collation".to_owned(), "authPlugin".to_owned()]);
        let found = found();
        let chosen = select(&found, &only).unwrap();
        assert_eq!(chosen.iter().map(|one| one.change.id.as_str()).collect::<Vec<_>>(), ["collation"]);
    }

    #[test]
    fn an_id_that_is_gone_is_a_conflict() {
        let error = select(&found(), &Selection::Only(vec!["comment".to_owned()])).unwrap_err();
        assert_eq!(error.kind, dbprovision_sdk::ErrorKind::Conflict);
    }

    #[test]
    fn a_selected_change_that_lacks_something_says_what() {
        let error = select(&found(), &Selection::All).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (dbprovision_sdk::ErrorKind::DependencyMissing, "no r"));
    }
}

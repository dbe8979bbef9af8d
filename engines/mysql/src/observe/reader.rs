//! How a session answers questions: about some subjects, which are a list, or about all of them.

use dbprovision_sdk::Result;
use dbprovision_sdk::sweep::{self, Catalogues};
pub(crate) use dbprovision_sdk::sweep::{Question, Swept};

use crate::connect::{Row, Session};

/// Whoever answers.
pub(crate) trait Reader: sweep::Reader<Row = Row> {}

impl<T: sweep::Reader<Row = Row>> Reader for T {}

/// In the condition of a question, where the list of the subjects goes.
const AMONG: &str = "{among}";

impl sweep::Reader for Session {
    type Row = Row;

    fn rows(&mut self, query: &str, parameters: &[&str]) -> Result<Vec<Row>> {
        Self::rows(self, query, parameters)
    }

    /// The subjects are the parameters after the others, once for each place where the condition names them.
    fn about(&mut self, question: &Question<'_>, subjects: &[&str]) -> Result<Vec<Row>> {
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let marks = vec!["?"; subjects.len()].join(", ");
        let condition = question.subjects.replace(AMONG, &format!("IN ({marks})"));
        let times = question.subjects.matches(AMONG).count();
        let named = std::iter::repeat_n(subjects, times).flatten().copied();
        let parameters: Vec<&str> = question.parameters.iter().copied().chain(named).collect();
        Self::rows(self, &question.with(&condition), &parameters)
    }
}

impl Catalogues for Session {
    fn whole(&mut self, question: &Question<'_>, most: usize) -> Result<Vec<Row>> {
        let query = format!("{} LIMIT {}", question.with("TRUE"), most.saturating_add(1));
        self.many_rows(&query, question.parameters)
    }

    fn subject(row: &Row) -> Result<String> {
        row.get(row.columns().saturating_sub(1))
    }
}

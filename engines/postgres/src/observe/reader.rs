//! How a session answers questions: about some subjects, which are an array, or about all of them.

use dbprovision_sdk::Result;
use dbprovision_sdk::sweep::{self, Catalogues};
pub(crate) use dbprovision_sdk::sweep::{Question, Swept};

use crate::connect::{Row, Session};
use crate::quote;

/// Whoever answers.
pub(crate) trait Reader: sweep::Reader<Row = Row> {}

impl<T: sweep::Reader<Row = Row>> Reader for T {}

impl sweep::Reader for Session {
    type Row = Row;

    fn rows(&mut self, query: &str, parameters: &[&str]) -> Result<Vec<Row>> {
        Self::rows(self, query, parameters)
    }

    /// The subjects are the parameter after the others.
    fn about(&mut self, question: &Question<'_>, subjects: &[&str]) -> Result<Vec<Row>> {
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let array = quote::array(subjects);
        let parameters: Vec<&str> = question.parameters.iter().copied().chain([array.as_str()]).collect();
        Self::rows(self, &question.with(question.subjects), &parameters)
    }
}

impl Catalogues for Session {
    fn whole(&mut self, question: &Question<'_>, most: usize) -> Result<Vec<Row>> {
        let query = format!("{} LIMIT {}", question.with("true"), most.saturating_add(1));
        Self::rows(self, &query, question.parameters)
    }

    fn subject(row: &Row) -> Result<String> {
        row.get(row.columns().saturating_sub(1))
    }
}

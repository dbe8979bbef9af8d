//! What an adapter remembers during a sweep: the answers to questions that would be asked again and again.
//!
//! After `begin-sweep` an adapter may answer what only reads from one reading of the catalogues. So
//! a question about one account becomes one about all of them, asked once; and a question that nothing distinguishes
//! from an earlier one is not asked again. Where a catalogue is larger than a sweep may remember, its questions are
//! asked one by one, as they are outside of sweeps.
//!
//! An engine's session implements [`Reader`] and [`Catalogues`]; what it observes, it asks of a `dyn Reader`, which is
//! the session or, in a sweep, a [`Swept`]. Deliberately absent: how rows are read, which is each engine's own.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::Result;

/// A question about some of many subjects: roles, databases, schemas.
#[derive(Clone, Copy, Debug)]
pub struct Question<'text> {
    /// The query, with [`SUBJECTS`] where a condition on the subjects goes. Its last column is the row's subject.
    pub query: &'text str,
    /// The condition. How subjects are bound in it is the engine's own.
    pub subjects: &'text str,
    /// The parameters that are the same whatever the subject.
    pub parameters: &'text [&'text str],
}

/// Where the condition goes.
pub const SUBJECTS: &str = "{subjects}";

impl Question<'_> {
    /// The query with this condition.
    pub fn with(&self, condition: &str) -> String {
        self.query.replace(SUBJECTS, condition)
    }
}

/// Whoever answers questions: a session, or what a sweep remembers.
pub trait Reader {
    /// A row.
    type Row;

    /// The rows of a query.
    ///
    /// # Errors
    /// The server's, and the session's.
    fn rows(&mut self, query: &str, parameters: &[&str]) -> Result<Vec<Self::Row>>;

    /// The rows about these subjects.
    ///
    /// # Errors
    /// The server's, and the session's.
    fn about(&mut self, question: &Question<'_>, subjects: &[&str]) -> Result<Vec<Self::Row>>;

    /// The one row of a query, if there is one.
    ///
    /// # Errors
    /// The server's, and the session's.
    fn row(&mut self, query: &str, parameters: &[&str]) -> Result<Option<Self::Row>> {
        Ok(self.rows(query, parameters)?.into_iter().next())
    }
}

/// A session, which can also read a catalogue as a whole.
pub trait Catalogues: Reader<Row: Clone> {
    /// The rows about every subject; where they are more than `most`, only so many and one.
    ///
    /// # Errors
    /// The server's, and the session's.
    fn whole(&mut self, question: &Question<'_>, most: usize) -> Result<Vec<Self::Row>>;

    /// What the row is about.
    ///
    /// # Errors
    /// The row is not as the question says.
    fn subject(row: &Self::Row) -> Result<String>;
}

/// A session that is opened when it is needed first.
pub trait Opens {
    /// Its kind.
    type Session;

    /// The session.
    ///
    /// # Errors
    /// It cannot be opened.
    fn session(&mut self) -> Result<&mut Self::Session>;
}

/// A session that is open already.
pub struct Opened<'session, S>(pub &'session mut S);

impl<S> Opens for Opened<'_, S> {
    type Session = S;

    fn session(&mut self) -> Result<&mut S> {
        Ok(self.0)
    }
}

/// What a sweep remembers of one place, and who is asked for the rest.
pub struct Swept<'sweep, S: Catalogues> {
    /// What it remembers.
    pub answers: &'sweep mut Answers<S::Row>,
    /// Who is asked.
    pub place: &'sweep mut dyn Opens<Session = S>,
}

impl<S: Catalogues> Reader for Swept<'_, S> {
    type Row = S::Row;

    fn rows(&mut self, query: &str, parameters: &[&str]) -> Result<Vec<S::Row>> {
        let Self { answers, place } = self;
        answers.to(query, parameters, || place.session()?.rows(query, parameters))
    }

    fn about(&mut self, question: &Question<'_>, subjects: &[&str]) -> Result<Vec<S::Row>> {
        let Self { answers, place } = self;
        let whole = |most| place.session()?.whole(question, most);
        match answers.about(question, subjects, whole, S::subject)? {
            Some(rows) => Ok(rows),
            None => place.session()?.about(question, subjects),
        }
    }
}

/// How many rows a sweep still remembers. All the answers of one sweep share it.
#[derive(Clone, Debug)]
pub struct Budget(Rc<Cell<usize>>);

impl Budget {
    /// Of so many rows.
    pub fn of(rows: usize) -> Self {
        Self(Rc::new(Cell::new(rows)))
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.0.get()
    }

    fn take(&self, rows: usize) {
        self.0.set(self.left().saturating_sub(rows));
    }
}

/// The rows of one catalogue, by the subject that each is about.
type BySubject<Row> = HashMap<String, Vec<Row>>;

/// The answers of one place: the server as a whole, or the inside of one database.
#[derive(Debug)]
pub struct Answers<Row> {
    budget: Budget,
    repeated: HashMap<String, Vec<Row>>,
    /// None: there are too many to be remembered.
    catalogues: HashMap<String, Option<BySubject<Row>>>,
}

impl<Row: Clone> Answers<Row> {
    /// Nothing was asked yet.
    pub fn within(budget: &Budget) -> Self {
        Self { budget: budget.clone(), repeated: HashMap::new(), catalogues: HashMap::new() }
    }

    /// The rows of a question without a subject. `ask` is called where it was not asked before.
    ///
    /// # Errors
    /// What `ask` answers.
    pub fn to(
        &mut self,
        question: &str,
        parameters: &[&str],
        ask: impl FnOnce() -> Result<Vec<Row>>,
    ) -> Result<Vec<Row>> {
        let key = key(question, parameters);
        if let Some(known) = self.repeated.get(&key) {
            return Ok(known.clone());
        }
        let rows = ask()?;
        if rows.len() <= self.budget.left() {
            self.budget.take(rows.len());
            self.repeated.insert(key, rows.clone());
        }
        Ok(rows)
    }

    /// The rows about these subjects, in their order; none where the catalogue is too large to be remembered.
    /// `whole` is called once: for the rows about every subject, or where they are more than its argument, only so
    /// many and one.
    ///
    /// # Errors
    /// What `whole` and `subject` answer.
    pub fn about(
        &mut self,
        question: &Question<'_>,
        subjects: &[&str],
        whole: impl FnOnce(usize) -> Result<Vec<Row>>,
        subject: impl Fn(&Row) -> Result<String>,
    ) -> Result<Option<Vec<Row>>> {
        let key = key(question.query, question.parameters);
        if !self.catalogues.contains_key(&key) {
            let most = self.budget.left();
            let rows = whole(most)?;
            let fits = rows.len() <= most;
            let mut all = BySubject::new();
            if fits {
                self.budget.take(rows.len());
                for row in rows {
                    all.entry(subject(&row)?).or_default().push(row);
                }
            }
            self.catalogues.insert(key.clone(), fits.then_some(all));
        }
        let Some(Some(all)) = self.catalogues.get(&key) else { return Ok(None) };
        Ok(Some(subjects.iter().filter_map(|subject| all.get(*subject)).flatten().cloned().collect()))
    }
}

/// No text of a query contains this, and no parameter can be mistaken for another's beginning.
fn key(question: &str, parameters: &[&str]) -> String {
    let mut key = question.to_owned();
    for parameter in parameters {
        key.push('\0');
        key.push_str(&parameter.len().to_string());
        key.push(':');
        key.push_str(parameter);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    type Row = (&'static str, u32);

    const ROLES: Question<'_> = Question { query: "roles", subjects: "", parameters: &[] };
    const CATALOGUE: [Row; 3] = [("a", 1), ("b", 2), ("a", 3)];

    #[expect(clippy::unnecessary_wraps, reason = "it is passed where a row may be unreadable")]
    fn subject(row: &Row) -> Result<String> {
        Ok(row.0.to_owned())
    }

    fn not_again<T>(_: T) -> Result<Vec<Row>> {
        Err(Error::conflict("asked again"))
    }

    #[test]
    fn a_catalogue_is_read_once_and_answers_for_each_of_its_subjects() {
        let mut answers = Answers::within(&Budget::of(10));
        let first = answers.about(&ROLES, &["a"], |_| Ok(CATALOGUE.to_vec()), subject).unwrap().unwrap();
        assert_eq!(first, [("a", 1), ("a", 3)]);
        let second = answers.about(&ROLES, &["c", "b", "a"], not_again, subject).unwrap().unwrap();
        assert_eq!(second, [("b", 2), ("a", 1), ("a", 3)]);
    }

    #[test]
    fn a_catalogue_that_is_too_large_is_not_remembered_and_not_read_again() {
        let mut answers = Answers::within(&Budget::of(2));
        let ask = |most: usize| Ok(CATALOGUE.iter().take(most + 1).copied().collect());
        assert_eq!(answers.about(&ROLES, &["a"], ask, subject).unwrap(), None);
        assert_eq!(answers.about(&ROLES, &["b"], not_again, subject).unwrap(), None);
    }

    #[test]
    fn all_the_places_of_a_sweep_share_what_may_be_remembered() {
        let budget = Budget::of(4);
        let (mut one, mut other) = (Answers::within(&budget), Answers::within(&budget));
        assert!(one.about(&ROLES, &["a"], |_| Ok(CATALOGUE.to_vec()), subject).unwrap().is_some());
        assert_eq!(budget.left(), 1);
        assert!(other.about(&ROLES, &["a"], |_| Ok(CATALOGUE.to_vec()), subject).unwrap().is_none());
    }

    #[test]
    fn only_the_very_same_question_is_not_asked_again() {
        let mut answers = Answers::within(&Budget::of(10));
        let ask = || Ok(vec![("a", 1)]);
        assert_eq!(answers.to("q", &["1", "2"], ask).unwrap().len(), 1);
        assert_eq!(answers.to("q", &["1", "2"], || not_again(())).unwrap().len(), 1);
        assert!(answers.to("q", &["12"], || not_again(())).is_err());
        assert!(answers.to("q", &["1", "3"], || not_again(())).is_err());
        assert!(answers.to("p", &["1", "2"], || not_again(())).is_err());
    }

    #[test]
    fn an_error_is_no_answer() {
        let mut answers = Answers::<Row>::within(&Budget::of(10));
        assert!(answers.to("q", &[], || not_again(())).is_err());
        assert_eq!(answers.to("q", &[], || Ok(vec![("a", 1)])).unwrap().len(), 1);
        assert!(answers.about(&ROLES, &["a"], not_again, subject).is_err());
        assert!(answers.about(&ROLES, &["a"], |_| Ok(vec![]), subject).unwrap().is_some());
    }
}

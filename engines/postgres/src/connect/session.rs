//! One session: statements go in, rows come out, and every wait ends.

use std::rc::Rc;
use std::time::Duration;

use dbprovision_sdk::executor::{alongside, drive};
use dbprovision_sdk::{Deadline, Error, ErrorKind, Result, Secret, Wire};
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Connection, SimpleQueryMessage};

use super::guard::Guarded;
use crate::statements::Statement;
use crate::{errors, scram};

/// An open session. Once an answer did not come in time, or the stream ended, it is of no more use.
pub(crate) struct Session {
    wire: Rc<dyn Wire>,
    client: Client,
    link: Connection<Guarded, Guarded>,
    patience: Duration,
    usable: bool,
}

impl Session {
    pub(super) fn new(
        wire: Rc<dyn Wire>,
        client: Client,
        link: Connection<Guarded, Guarded>,
        patience: Duration,
    ) -> Self {
        Self { wire, client, link, patience, usable: true }
    }

    /// Whether statements can be sent.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable && !self.client.is_closed()
    }

    /// The rows of a query. Every parameter is text.
    pub(crate) fn rows(&mut self, query: &str, parameters: &[&str]) -> Result<Vec<Row>> {
        let typed: Vec<(&(dyn ToSql + Sync), Type)> =
            parameters.iter().map(|text| (text as &(dyn ToSql + Sync), Type::TEXT)).collect();
        let Self { wire, client, link, patience, usable } = self;
        let work = alongside(link, client.query_typed(query, &typed));
        let outcome = finish(usable, drive(wire.as_ref(), Deadline::after(*patience), work));
        let rows = outcome?.map_err(|error| self.judged(errors::of_statement(&error, query, "")))?;
        Ok(rows.into_iter().map(|row| Row(Rc::new(row))).collect())
    }

    /// The one row of a query, if there is one.
    pub(crate) fn row(&mut self, query: &str, parameters: &[&str]) -> Result<Option<Row>> {
        Ok(self.rows(query, parameters)?.into_iter().next())
    }

    /// Runs a statement of the adapter's own.
    pub(crate) fn run(&mut self, statement: &Statement) -> Result<()> {
        self.simple(&statement.sql, &statement.field).map(drop)
    }

    /// Runs text by the simple protocol, which takes every statement there is.
    pub(crate) fn simple(&mut self, text: &str, field: &str) -> Result<Vec<SimpleQueryMessage>> {
        let Self { wire, client, link, patience, usable } = self;
        let work = alongside(link, client.simple_query(text));
        let outcome = finish(usable, drive(wire.as_ref(), Deadline::after(*patience), work));
        outcome?.map_err(|error| self.judged(errors::of_statement(&error, text, field)))
    }

    /// Does `work` in one transaction: all of it or nothing. Where it lost a race inside the server, once more.
    pub(crate) fn transaction<T>(&mut self, mut work: impl FnMut(&mut Self) -> Result<T>) -> Result<T> {
        const TRIES: u32 = 4;
        let mut last = 1;
        loop {
            self.simple("BEGIN", "")?;
            let outcome = work(self).and_then(|value| self.simple("COMMIT", "").map(|_| value));
            let Err(error) = outcome else { return outcome };
            if self.is_usable() {
                self.simple("ROLLBACK", "")?;
                if errors::is_race(&error) && last < TRIES {
                    last += 1;
                    continue;
                }
            }
            return Err(error);
        }
    }

    /// The verifier of a password that is to be set in this session.
    pub(crate) fn verifier(&self, password: &Secret) -> Result<String> {
        scram::verifier(password, self.wire.as_ref())
    }

    fn judged(&mut self, error: Error) -> Error {
        // A fatal answer ends the session, and its class is one of these.
        if matches!(error.kind, ErrorKind::Transient(None) | ErrorKind::Protocol) && self.client.is_closed() {
            self.usable = false;
        }
        error
    }

    /// Says goodbye: the server would notice the end of the stream too, only later.
    pub(crate) fn close(self) {
        let Self { wire, client, mut link, .. } = self;
        drop(client);
        // A farewell that does not go out changes nothing.
        _ = drive(wire.as_ref(), Deadline::after(Duration::from_millis(200)), async { (&mut link).await });
    }
}

/// A wait that was given up leaves the session in the middle of an answer.
fn finish<T>(usable: &mut bool, outcome: std::result::Result<Option<T>, dbprovision_sdk::NetError>) -> Result<T> {
    match outcome {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => {
            *usable = false;
            Err(Error::new(
                ErrorKind::Transient(None),
                "the server closed the connection",
                "in the middle of a statement",
            ))
        }
        Err(error) => {
            *usable = false;
            Err(error.into())
        }
    }
}

/// A row, by the positions of its columns.
#[derive(Clone, Debug)]
pub(crate) struct Row(Rc<tokio_postgres::Row>);

impl Row {
    /// The value of a column. A type that does not fit is the server's doing.
    pub(crate) fn get<'row, T: FromSql<'row>>(&'row self, column: usize) -> Result<T> {
        self.0
            .try_get(column)
            .map_err(|error| Error::protocol("the server's catalogue is not as expected", error.to_string()))
    }

    /// How many columns it has.
    pub(crate) fn columns(&self) -> usize {
        self.0.len()
    }

    /// A text that may be absent.
    pub(crate) fn text(&self, column: usize) -> Result<Option<String>> {
        self.get(column)
    }
}

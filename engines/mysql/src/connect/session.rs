//! One session: statements go in, rows come out, and every wait ends.

use std::time::Duration;

use dbprovision_sdk::{Deadline, Error, ErrorKind, Result, Secret};
use mysql_common::constants::CapabilityFlags;

use super::packets::{Packets, Payload};
use super::rows::{self, Beginning, Next, Row};
use super::settings::Limits;
use crate::errors::{self, ServerAnswer};
use crate::quote;
use crate::statements::Statement;

const QUIT: u8 = 0x01;
const QUERY: u8 = 0x03;
const PING: u8 = 0x0e;

/// The adapter's own queries are pages and single objects; more than this is not what was asked for.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// In a sweep, which reads whole catalogues and has the memory for it.
const MOST_BYTES_OF_A_CATALOGUE: usize = 48 * 1024 * 1024;
/// How often a statement is sent that loses races; a wait for a lock may be most of its time.
const TRIES: u32 = 3;
/// More columns than a table can have.
const MOST_COLUMNS: u64 = 4096;

/// What is kept of an answer.
struct Kept {
    rows: Vec<Row>,
    /// In bytes; a larger answer is an error.
    most: usize,
}

/// An open session. Once an answer did not come in time, or the stream ended, it is of no more use.
pub(crate) struct Session {
    packets: Packets,
    capabilities: CapabilityFlags,
    patience: Duration,
    patience_for_sending: Duration,
    encrypted: bool,
    version: String,
    usable: bool,
}

impl Session {
    pub(super) fn new(
        packets: Packets,
        capabilities: CapabilityFlags,
        limits: &Limits,
        encrypted: bool,
        version: &str,
    ) -> Self {
        Self {
            packets,
            capabilities,
            patience: limits.statement,
            patience_for_sending: limits.send,
            encrypted,
            version: version.to_owned(),
            usable: true,
        }
    }

    /// Whether statements can be sent.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable
    }

    /// Whether the stream is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// MariaDB says so in its greeting.
    pub(crate) fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB")
    }

    /// The value of a password that is to be set in this session.
    pub(crate) fn reveal(&self, password: &Secret) -> Result<Vec<u8>> {
        password.reveal(self.packets.wire())
    }

    /// The rows of a query; each `?` outside of quotes is the next parameter, as a literal.
    pub(crate) fn rows(&mut self, query: &str, parameters: &[&str]) -> Result<Vec<Row>> {
        self.some_rows(query, parameters, MOST_BYTES)
    }

    /// The same for a whole catalogue.
    pub(crate) fn many_rows(&mut self, query: &str, parameters: &[&str]) -> Result<Vec<Row>> {
        self.some_rows(query, parameters, MOST_BYTES_OF_A_CATALOGUE)
    }

    fn some_rows(&mut self, query: &str, parameters: &[&str], most: usize) -> Result<Vec<Row>> {
        let bound = quote::bind(query, parameters);
        let mut found = Kept { rows: Vec::new(), most };
        self.execute(&bound, Some(&mut found))?.map_err(|answer| self.judged(&answer, query, ""))?;
        Ok(found.rows)
    }

    /// The one row of a query, if there is one.
    pub(crate) fn row(&mut self, query: &str, parameters: &[&str]) -> Result<Option<Row>> {
        Ok(self.rows(query, parameters)?.into_iter().next())
    }

    /// Runs a statement of the adapter's own, and once more where it lost a race inside the server, which undid it.
    pub(crate) fn run(&mut self, statement: &Statement) -> Result<()> {
        let mut tries = 1;
        loop {
            match self.simple(&statement.sql, &statement.field) {
                Err(error) if errors::is_race(&error) && self.usable && tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    /// Runs a text; what it answers is thrown away. An error is reported under `field`.
    pub(crate) fn simple(&mut self, text: &str, field: &str) -> Result<()> {
        self.execute(text, None)?.map_err(|answer| self.judged(&answer, text, field))
    }

    /// One round trip.
    pub(crate) fn ping(&mut self) -> Result<()> {
        let outcome = self.command(PING, &[]).and_then(|deadline| {
            let payload = self.packets.read(deadline)?;
            rows::beginning(&payload, self.capabilities)
        });
        match self.kept(outcome)? {
            Beginning::Done { .. } => Ok(()),
            Beginning::Failed(answer) => Err(self.judged(&answer, "a ping", "")),
            Beginning::Columns(_) | Beginning::WantsFile => {
                self.usable = false;
                Err(rows::malformed())
            }
        }
    }

    fn execute(&mut self, text: &str, kept: Option<&mut Kept>) -> Result<std::result::Result<(), ServerAnswer>> {
        let outcome = self.command(QUERY, text.as_bytes()).and_then(|deadline| self.answers(deadline, kept));
        self.kept(outcome)
    }

    fn command(&mut self, command: u8, argument: &[u8]) -> Result<Deadline> {
        self.packets.begin_command();
        let mut payload = Vec::with_capacity(argument.len() + 1);
        payload.push(command);
        payload.extend_from_slice(argument);
        self.packets.write(&payload, Deadline::after(self.patience_for_sending))?;
        Ok(Deadline::after(self.patience))
    }

    /// Every answer to one text, to the last frame. The first error is the text's, and the server executes nothing
    /// behind it. Each of several statements has the time of one.
    fn answers(
        &mut self,
        mut deadline: Deadline,
        mut kept: Option<&mut Kept>,
    ) -> Result<std::result::Result<(), ServerAnswer>> {
        let mut bytes = 0;
        loop {
            let payload = self.packets.read(deadline)?;
            let more = match rows::beginning(&payload, self.capabilities)? {
                Beginning::Done { more } => more,
                Beginning::Failed(answer) => return Ok(Err(answer)),
                Beginning::WantsFile => {
                    return Err(Error::new(
                        ErrorKind::PermissionDenied,
                        "the server asked for a local file, and the session was ended",
                        "LOCAL INFILE",
                    ));
                }
                Beginning::Columns(columns) if columns > MOST_COLUMNS => return Err(rows::malformed()),
                Beginning::Columns(columns) => {
                    self.skip_columns(columns, deadline)?;
                    loop {
                        let payload: Payload = self.packets.read(deadline)?;
                        match rows::next(&payload, columns, self.capabilities)? {
                            Next::End { more } => break more,
                            Next::Failed(answer) => return Ok(Err(answer)),
                            Next::Row(row) => {
                                let Some(kept) = &mut kept else { continue };
                                bytes += payload.len();
                                if bytes > kept.most {
                                    return Err(Error::protocol("the server's answer is larger than it can be", ""));
                                }
                                kept.rows.push(row);
                            }
                        }
                    }
                }
            };
            if !more {
                return Ok(Ok(()));
            }
            deadline = Deadline::after(self.patience);
        }
    }

    fn skip_columns(&mut self, columns: u64, deadline: Deadline) -> Result<()> {
        for _ in 0..columns {
            self.packets.read(deadline)?;
        }
        if !self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF)
            && !rows::is_end(&self.packets.read(deadline)?)
        {
            return Err(rows::malformed());
        }
        Ok(())
    }

    /// A wait that was given up leaves the session in the middle of an answer.
    fn kept<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.usable = false;
        }
        outcome
    }

    fn judged(&mut self, answer: &ServerAnswer, text: &str, field: &str) -> Error {
        if errors::ends_the_session(answer) {
            self.usable = false;
        }
        errors::of_answer(answer, text, field)
    }

    /// Says goodbye: the server would notice the end of the stream too, only later.
    pub(crate) fn close(mut self) {
        self.packets.begin_command();
        // A farewell that does not go out changes nothing.
        _ = self.packets.write(&[QUIT], Deadline::after(Duration::from_millis(200)));
    }
}

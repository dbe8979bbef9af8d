//! What a sweep remembers: of the server as a whole to its end, of the insides of databases the latest ones.

use std::collections::BTreeMap;
use std::rc::Rc;

use dbprovision_sdk::sweep::{Answers, Budget};

use crate::connect::Row;
use crate::observe::database::Reachable;

/// A row takes about 300 bytes: a quarter of the memory of a sweep each.
const ROWS_OF_SERVER: usize = 100_000;
const ROWS_OF_INSIDES: usize = 100_000;
/// With less than this left, the databases that were looked at before make room for the next.
const ROWS_OF_ONE_DATABASE: usize = 50_000;

/// A sweep that is under way.
pub(crate) struct Sweep {
    server: Answers<Row>,
    insides: BTreeMap<String, Answers<Row>>,
    room: Budget,
    /// Every database, once it was asked for: each grant needs the list, and making it anew for each would be grants
    /// times databases.
    pub(crate) databases: Option<Rc<BTreeMap<String, Reachable>>>,
}

impl Default for Sweep {
    fn default() -> Self {
        let server = Answers::within(&Budget::of(ROWS_OF_SERVER));
        Self { server, insides: BTreeMap::new(), room: Budget::of(ROWS_OF_INSIDES), databases: None }
    }
}

impl Sweep {
    /// What is known of the server as a whole.
    pub(crate) fn server(&mut self) -> &mut Answers<Row> {
        &mut self.server
    }

    /// What is known of the inside of a database.
    pub(crate) fn inside(&mut self, database: &str) -> &mut Answers<Row> {
        if !self.insides.contains_key(database) && self.room.left() < ROWS_OF_ONE_DATABASE {
            self.insides.clear();
            self.room = Budget::of(ROWS_OF_INSIDES);
        }
        self.insides.entry(database.to_owned()).or_insert_with(|| Answers::within(&self.room))
    }
}

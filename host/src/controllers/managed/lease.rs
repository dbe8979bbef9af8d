//! A session of the instance for as long as the server is talked to, and not while the API server is.
//!
//! An instance has few sessions. One that is held while a status or a Secret is written keeps another resource from
//! its server for the time of a request that the server has no part in.

use std::sync::Arc;
use std::time::Duration;

use sandbox::{Lane, Server, Session};

use super::Bound;
use crate::controllers::translate::Paths;
use crate::controllers::trouble::{Stop, stop};

/// How long a resource waits for one of its instance's sessions.
const PATIENCE: Duration = Duration::from_secs(30);

/// The right to one of the work sessions.
pub(crate) struct Lease<'a> {
    server: Arc<Server>,
    paths: Paths<'a>,
    held: Option<Session>,
}

impl<'a> Lease<'a> {
    /// Holds no session yet.
    pub(crate) fn of(server: &Arc<Server>, bound: &'a Bound) -> Self {
        Self { server: Arc::clone(server), paths: bound.paths(), held: None }
    }

    /// The session: the one that is held, or the next that is free.
    pub(crate) async fn session(&mut self) -> Result<&mut Session, Stop> {
        let session = match self.held.take() {
            Some(session) => session,
            None => self.server.lane(Lane::Work, PATIENCE).await.map_err(stop(self.paths))?,
        };
        Ok(self.held.insert(session))
    }

    /// Lets others have it: before anything that takes time and needs no server.
    pub(crate) fn rest(&mut self) {
        self.held = None;
    }
}

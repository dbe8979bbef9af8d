//! The PostgreSQL adapter: databases, users, roles and grants of PostgreSQL 13 to 18, as a component of the operator.
//!
//! `connect` opens sessions over the host's byte stream, `observe` reads the catalogue, `statements` writes SQL,
//! `databases`, `users`, `roles` and `grants` compare and decide, `apply` executes. What is wanted and what is found meet in pure
//! functions; the same difference is what detection reports and what an update makes.
//! Deliberately absent: backups and restores answer `unsupported` until they have rooms of their own.

mod apply;
mod capabilities;
mod connect;
mod databases;
mod difference;
mod errors;
mod grants;
mod names;
mod note;
mod observe;
mod quote;
mod roles;
mod schemas;
mod scram;
mod server;
mod statements;
mod sweep;
mod users;

use dbprovision_sdk::adapter::{Description, InstanceExamination, Server, Settings};
use dbprovision_sdk::{Adapter, Backups, Error, ErrorKind, Restores, Result};

use server::Connected;

dbprovision_sdk::adapter!(Postgres);

/// The adapter and its session with the server.
#[derive(Default)]
pub struct Postgres {
    connected: Option<Connected>,
}

impl Postgres {
    fn connected(&mut self) -> Result<&mut Connected> {
        self.connected.as_mut().ok_or_else(|| {
            Error::new(ErrorKind::Transient(None), "there is no session with the server", "connect was not called")
        })
    }
}

impl Adapter for Postgres {
    fn new() -> Self {
        Self::default()
    }

    fn describe() -> Description {
        capabilities::describe()
    }

    fn examine(settings: &Settings) -> Result<InstanceExamination> {
        connect::examine(settings)
    }

    fn connect(&mut self, settings: &Settings) -> Result<Server> {
        self.close();
        let connected = Connected::open(settings)?;
        let server = connected.facts.server();
        self.connected = Some(connected);
        Ok(server)
    }

    fn close(&mut self) {
        if let Some(connected) = self.connected.take() {
            connected.close();
        }
    }

    fn ping(&mut self) -> Result<()> {
        self.connected()?.ping()
    }

    fn begin_sweep(&mut self) -> Result<()> {
        self.connected().map(Connected::begin_sweep)
    }

    fn get_version(&mut self) -> Result<Server> {
        let connected = self.connected()?;
        connected.look_again()?;
        Ok(connected.facts.server())
    }
}

impl Backups for Postgres {}
impl Restores for Postgres {}

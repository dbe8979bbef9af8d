//! The MySQL and MariaDB adapter: databases, users, roles and grants of MySQL 8.0.21 to 9 and MariaDB 10.5 to
//! 11.8, as a component of the operator.
//!
//! `connect` speaks the protocol over the host's byte stream, `observe` reads the catalogue, `statements` writes SQL,
//! `databases`, `users`, `roles` and `grants` compare and decide. What is wanted and what is found meet in pure functions; the same
//! difference is what detection reports and what an update makes.
//! Neither engine has transactions for what is done here: every step leaves a state from which the next call goes on.
//! Deliberately absent: backups and restores answer `unsupported` until they have rooms of their own, and schemas
//! are no objects of these engines.

mod apply;
mod capabilities;
mod connect;
mod databases;
mod difference;
mod errors;
mod grants;
mod names;
mod observe;
mod privileges;
mod quote;
mod roles;
mod server;
mod statements;
mod users;

use dbprovision_sdk::adapter::{Description, InstanceExamination, Server, Settings};
use dbprovision_sdk::{Adapter, Backups, Error, ErrorKind, Restores, Result, Schemas};

use server::Connected;

dbprovision_sdk::adapter!(MySql);

/// The adapter and its session with the server.
#[derive(Default)]
pub struct MySql {
    connected: Option<Connected>,
}

impl MySql {
    fn connected(&mut self) -> Result<&mut Connected> {
        self.connected.as_mut().ok_or_else(|| {
            Error::new(ErrorKind::Transient(None), "there is no session with the server", "connect was not called")
        })
    }
}

impl Adapter for MySql {
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

impl Schemas for MySql {}
impl Backups for MySql {}
impl Restores for MySql {}

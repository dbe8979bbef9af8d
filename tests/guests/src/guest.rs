//! The adapter: honest by the toy protocol, until it is told to misbehave.

use dbprovision_sdk::adapter::databases::{DatabaseInfo, DatabaseSpec};
use dbprovision_sdk::adapter::{Description, InstanceExamination, Server, Settings};
use dbprovision_sdk::bindings::dbprovision::adapter::{net, secrets};
use dbprovision_sdk::{
    Adapter, Backups, Change, Databases, Error, ErrorKind, Examination, Grants, Listing, Mark, NetError, Page,
    Restores, Result, Roles, Schemas, Secret, Selection, Standing, UpdateReport, Users,
};

use crate::misbehave::{loop_for_ever, misbehave, park};
use crate::toy::Session;
use crate::{Behaviour, MISBEHAVE, SECOND_SESSION, WAIT, WAIT_AND_GO_ON, describe, leak, list};

/// The adapter and its session.
#[derive(Default)]
pub struct Guest {
    session: Option<Session>,
}

impl Guest {
    fn session(&mut self) -> Result<&mut Session> {
        self.session.as_mut().ok_or_else(|| Error::new(ErrorKind::Transient(None), "there is no session", ""))
    }
}

impl Adapter for Guest {
    fn new() -> Self {
        Self::default()
    }

    fn describe() -> Description {
        describe::describe()
    }

    fn examine(_: &Settings) -> Result<InstanceExamination> {
        Ok(InstanceExamination { tls: None, connect_timeout_ms: None, statement_timeout_ms: None })
    }

    fn connect(&mut self, _: &Settings) -> Result<Server> {
        if Behaviour::chosen() == Behaviour::LoopsWhileConnecting {
            loop_for_ever();
        }
        self.session = None;
        self.session = Some(Session::open()?);
        self.get_version()
    }

    fn close(&mut self) {
        if let Some(session) = self.session.take() {
            #[expect(clippy::wildcard_enum_match_arm, reason = "all others part politely")]
            match Behaviour::chosen() {
                Behaviour::LoopsWhileClosing => loop_for_ever(),
                Behaviour::ParksWhileClosing => park(session.connection()),
                _ => session.quit(),
            }
        }
    }

    fn ping(&mut self) -> Result<()> {
        match self.session()?.ask(b"PING")?.as_str() {
            "PONG" => Ok(()),
            other => Err(Error::protocol("the server does not answer pings", other)),
        }
    }

    fn get_version(&mut self) -> Result<Server> {
        let identity = self.session()?.identity.clone();
        Ok(Server { version: "1.0".to_owned(), identity, administrator: "admin".to_owned(), superuser: true })
    }
}

impl Databases for Guest {
    fn examine(spec: &DatabaseSpec) -> Result<Examination> {
        if spec.name == MISBEHAVE {
            #[expect(clippy::wildcard_enum_match_arm, reason = "all others misbehave elsewhere")]
            match Behaviour::chosen() {
                Behaviour::LoopsInAnExamination => loop_for_ever(),
                Behaviour::TrapsInAnExamination => std::process::abort(),
                Behaviour::DialsInAnExamination => {
                    if !matches!(net::connect("primary"), Err(NetError::Denied(_))) {
                        return Err(Error::conflict("an examination has a connection"));
                    }
                    if secrets::instance_credentials().is_ok() {
                        return Err(Error::conflict("an examination has the credentials"));
                    }
                }
                _ => {}
            }
        }
        Ok(Examination { privileges: Vec::new(), references: Vec::new(), companions: Vec::new() })
    }

    fn exists(&mut self, name: &str) -> Result<bool> {
        match name {
            MISBEHAVE => misbehave(self.session()?),
            WAIT => Ok(self.session()?.ask(b"WAIT")? == "DONE"),
            WAIT_AND_GO_ON => {
                self.session()?.ask(b"WAIT")?;
                self.ping().map(|()| true)
            }
            SECOND_SESSION => {
                let mut second = Session::open()?;
                let answer = second.ask(b"PING")?;
                second.quit();
                Ok(answer == "PONG")
            }
            _ => self.ping().map(|()| true),
        }
    }

    fn list(&mut self, page: &Page) -> Result<Listing> {
        list::list(page)
    }

    fn update(&mut self, _: &DatabaseSpec, _: &Mark, _: &[(String, Secret)], _: &Selection) -> Result<UpdateReport> {
        if Behaviour::chosen() != Behaviour::LeaksInAReport {
            return Ok(UpdateReport { changes: Vec::new(), applied: Vec::new(), details: None });
        }
        let sentence = leak::sentence(&self.session()?.password);
        let escaped = sentence.replace('\\', "\\\\").replace('"', "\\\"");
        let change = Change {
            id: "owner".to_owned(),
            field: sentence.clone(),
            expected: sentence.clone(),
            actual: sentence,
            destructive: false,
            impossible: false,
            lacking: None,
        };
        let details = Some(format!("{{\"{escaped}\": [\"{escaped}\"]}}"));
        Ok(UpdateReport { changes: vec![change], applied: vec!["owner".to_owned()], details })
    }

    fn get_info(&mut self, name: &str) -> Result<Option<DatabaseInfo>> {
        if Behaviour::chosen() != Behaviour::LeaksInAnAnswer {
            return Ok(None);
        }
        let password = &self.session()?.password;
        let mut info = DatabaseInfo {
            name: name.to_owned(),
            object_id: None,
            owner: None,
            mark: None,
            standing: Standing::Ordinary,
            size_bytes: None,
            details: None,
        };
        match name {
            "name" => info.name = leak::sentence(password),
            "id" => info.object_id = Some(leak::sentence(password)),
            "owner" => info.owner = Some(String::from_utf8_lossy(password).into_owned()),
            _ => {}
        }
        Ok(Some(info))
    }
}

impl Users for Guest {
    fn list(&mut self, page: &Page) -> Result<Listing> {
        list::list(page)
    }
}

impl Roles for Guest {
    fn list(&mut self, page: &Page) -> Result<Listing> {
        list::list(page)
    }
}

impl Grants for Guest {}
impl Schemas for Guest {}
impl Backups for Guest {}
impl Restores for Guest {}

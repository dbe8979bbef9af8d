//! The server as it was found at login, and the sessions with it: one main session, and at most one more for a time.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use dbprovision_sdk::adapter::{Server, Settings};
use dbprovision_sdk::secret::instance_credentials;
use dbprovision_sdk::sweep::{Opened, Opens};
use dbprovision_sdk::{Error, ErrorKind, Result, log};

use crate::connect::{self, Account, Limits, Purpose, Session};
use crate::grants::right::Level;
use crate::observe::database::Reachable;
use crate::observe::reader::{Reader, Swept};
use crate::statements::grant::Target;
use crate::statements::{Statement, user};
use crate::sweep::Sweep;
use crate::{apply, errors, names, observe};

/// What decides how things are done on this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// As the server says it.
    pub(crate) version: String,
    /// `150018` for 15.18.
    pub(crate) number: i32,
    /// The system identifier, made by `initdb`.
    pub(crate) identity: String,
    pub(crate) administrator: String,
    pub(crate) administrator_id: String,
    pub(crate) superuser: bool,
}

/// From here on, creating roles gives no power over others' roles, and INHERIT and SET belong to a membership.
const MEMBERSHIP_OPTIONS: i32 = 160_000;

impl Facts {
    pub(crate) fn server(&self) -> Server {
        Server {
            version: self.version.clone(),
            identity: self.identity.clone(),
            administrator: self.administrator.clone(),
            superuser: self.superuser,
        }
    }

    /// Memberships have options and one row for each grantor.
    pub(crate) fn has_membership_options(&self) -> bool {
        self.number >= MEMBERSHIP_OPTIONS
    }
}

/// A server that the adapter is logged in to.
pub(crate) struct Connected {
    pub(crate) limits: Limits,
    pub(crate) facts: Facts,
    main: Session,
    sweep: Option<Sweep>,
}

impl Connected {
    /// Logs in and looks at the server.
    pub(crate) fn open(settings: &Settings) -> Result<Self> {
        let mut limits = Limits::read(settings)?;
        let mut main = administrator(&limits, &limits.database, Purpose::Administration)?;
        let facts = observe::server::facts(&mut main)?;
        limits.version = facts.number;
        Ok(Self { limits, facts, main, sweep: None })
    }

    /// The main session, opened anew where it ended since the last call.
    pub(crate) fn main(&mut self) -> Result<&mut Session> {
        if !self.main.is_usable() {
            self.main = administrator(&self.limits, &self.limits.database, Purpose::Administration)?;
        }
        Ok(&mut self.main)
    }

    /// A second session, in another database. The caller closes it before the call ends: the instance has few.
    pub(crate) fn inside(&mut self, database: &str, purpose: Purpose) -> Result<Session> {
        self.main()?;
        let Self { limits, facts, main, .. } = self;
        enter(limits, facts, main, database, purpose)
    }

    /// From now on, what only looks is answered from what was read before.
    pub(crate) fn begin_sweep(&mut self) {
        self.sweep = Some(Sweep::default());
    }

    pub(crate) fn sweeps(&self) -> bool {
        self.sweep.is_some()
    }

    /// Looks at the server as a whole.
    pub(crate) fn look<T>(&mut self, work: impl FnOnce(&mut dyn Reader, &Facts) -> Result<T>) -> Result<T> {
        self.main()?;
        let Self { facts, main, sweep, .. } = self;
        match sweep {
            Some(sweep) => work(&mut Swept { answers: sweep.server(), place: &mut Opened(main) }, facts),
            None => work(main, facts),
        }
    }

    /// Every database, with its owner and whether it can be entered.
    pub(crate) fn databases(&mut self) -> Result<Rc<BTreeMap<String, Reachable>>> {
        if let Some(known) = self.sweep.as_ref().and_then(|sweep| sweep.databases.clone()) {
            return Ok(known);
        }
        let found = Rc::new(observe::database::owners(self.main()?)?);
        if let Some(sweep) = &mut self.sweep {
            sweep.databases = Some(found.clone());
        }
        Ok(found)
    }

    /// Looks at the inside of a database, in a session that is open no longer than this takes.
    pub(crate) fn look_inside<T>(
        &mut self,
        database: &str,
        work: impl FnOnce(&mut dyn Reader, &Facts) -> Result<T>,
    ) -> Result<T> {
        self.main()?;
        let Self { limits, facts, main, sweep } = self;
        let facts = &*facts;
        let mut inner = Inner { limits, facts, main, database, opened: None };
        let outcome = match sweep {
            Some(sweep) => work(&mut Swept { answers: sweep.inside(database), place: &mut inner }, facts),
            None => inner.session().and_then(|session| work(session, facts)),
        };
        if let Some(session) = inner.opened {
            session.close();
        }
        outcome
    }

    /// A second session, of another account.
    pub(crate) fn as_account(&self, who: Account<'_>, database: &str, purpose: Purpose) -> Result<Session> {
        connect::log_in(&self.limits, who, database, purpose)
    }

    /// One round trip. A session that ended while it was idle says nothing of the server: it is opened anew.
    pub(crate) fn ping(&mut self) -> Result<()> {
        let was_usable = self.main.is_usable();
        let outcome = self.main()?.rows("SELECT 1", &[]);
        if outcome.is_err() && was_usable && !self.main.is_usable() {
            self.main()?.rows("SELECT 1", &[])?;
            return Ok(());
        }
        outcome.map(drop)
    }

    /// Reads the facts again: an upgrade or a change of the administrator's rights shows.
    pub(crate) fn look_again(&mut self) -> Result<()> {
        self.facts = observe::server::facts(self.main()?)?;
        self.limits.version = self.facts.number;
        Ok(())
    }

    /// Does `work` in one transaction of the main session, alone with the object: everyone who changes `object`
    /// this way waits here.
    pub(crate) fn locked<T>(&mut self, object: &str, work: impl FnMut(&mut Session, &Facts) -> Result<T>) -> Result<T> {
        self.main()?;
        let Self { facts, main, .. } = self;
        alone(main, facts, object, work)
    }

    pub(crate) fn close(self) {
        self.main.close();
    }
}

/// A session in a database that is opened when it is needed first.
struct Inner<'known> {
    limits: &'known Limits,
    facts: &'known Facts,
    main: &'known mut Session,
    database: &'known str,
    opened: Option<Session>,
}

impl Opens for Inner<'_> {
    type Session = Session;

    fn session(&mut self) -> Result<&mut Session> {
        let session = match self.opened.take() {
            Some(session) => session,
            None => enter(self.limits, self.facts, self.main, self.database, Purpose::Administration)?,
        };
        Ok(self.opened.insert(session))
    }
}

/// Does `work` in one transaction that holds the lock of `object`.
fn alone<T>(
    main: &mut Session,
    facts: &Facts,
    object: &str,
    mut work: impl FnMut(&mut Session, &Facts) -> Result<T>,
) -> Result<T> {
    let key = format!("dbops:{object}");
    main.transaction(|session| {
        if session.row(TRY_LOCK, &[&key])?.is_none() {
            end_intruders(session, facts, &key)?;
            session.rows(LOCK, &[&key])?;
        }
        work(session, facts)
    })
}

const TRY_LOCK: &str = "SELECT 1 WHERE pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))";
const LOCK: &str = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))::pg_catalog.text";

/// Sessions of accounts that a resource manages, as their comments say, which hold the lock. In `pg_locks` its key is in
/// two halves.
const INTRUDERS: &str = "\
SELECT DISTINCT r.rolname::pg_catalog.text, r.oid::pg_catalog.text
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
 WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
   AND l.classid::pg_catalog.int8 = (pg_catalog.hashtextextended($1, 0) >> 32) & 4294967295
   AND l.objid::pg_catalog.int8 = pg_catalog.hashtextextended($1, 0) & 4294967295
   AND pg_catalog.shobj_description(r.oid, 'pg_authid') LIKE '%[dbops:1 %]'";

/// Whoever may connect may take any advisory lock, and keep the operator from an account or a right for as long as it
/// likes. Other operators' administrators are waited for; the sessions of a managed account have no business with it.
fn end_intruders(session: &mut Session, facts: &Facts, key: &str) -> Result<()> {
    for row in session.rows(INTRUDERS, &[key])? {
        let (name, id): (String, String) = (row.get(0)?, row.get(1)?);
        log::write(log::Level::Warn, &format!("{name} holds a lock of the operator's: its sessions are ended"));
        apply::acting_as(session, facts, &BTreeSet::from([name]), |session| {
            session.rows(user::TERMINATE, &[&id]).map(drop)
        })?;
    }
    Ok(())
}

/// The server refuses a login to an account without CONNECT.
const NO_RIGHT: &str = "42501";

/// Opens a session in a database. Whoever owns it may have taken CONNECT from everyone, and an administrator who is no
/// superuser would be kept out for good: it gives itself the right then, and keeps it, as it does where a grant takes
/// CONNECT from everyone. That is no change of anything that a resource states, so a look does it too.
fn enter(limits: &Limits, facts: &Facts, main: &mut Session, database: &str, purpose: Purpose) -> Result<Session> {
    let refused = match administrator(limits, database, purpose) {
        Err(error) if errors::code(&error) == Some(NO_RIGHT) => error,
        outcome => return outcome,
    };
    let message = format!("the administrator may not connect to the database {database}: grant it CONNECT there");
    let refused = Error { message, ..refused };
    match let_in(main, facts, database) {
        Err(error) if error.kind == ErrorKind::PermissionDenied => return Err(refused),
        outcome => outcome?,
    }
    administrator(limits, database, purpose)
        .map_err(|again| if errors::code(&again) == Some(NO_RIGHT) { refused } else { again })
}

/// Gives the administrator the right to connect, with the rights of the database's owner.
fn let_in(main: &mut Session, facts: &Facts, database: &str) -> Result<()> {
    let found = observe::database::find(main, database)?
        .ok_or_else(|| Error::not_found(format!("the database {database} is not there")))?;
    names::untouchable(found.standing)?;
    let object = [found.name];
    let receiver = Some(facts.administrator.as_str());
    let target = Target { level: Level::Database, object: &object, arguments: None, receiver };
    let way_in = Statement::own(target.grant(&["CONNECT"], false));
    let owner = BTreeSet::from([found.owner]);
    alone(main, facts, "grants", |session, facts| {
        apply::acting_as(session, facts, &owner, |session| session.run(&way_in))
    })
}

/// The credentials are asked for each time: they may have been replaced since.
fn administrator(limits: &Limits, database: &str, purpose: Purpose) -> Result<Session> {
    connect::log_in(limits, Account::from(&instance_credentials()?), database, purpose)
}

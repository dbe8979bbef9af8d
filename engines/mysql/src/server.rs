//! The server as it was found at login, and the sessions with it: one main session, and at most one more for a time.

use std::collections::BTreeSet;

use dbprovision_sdk::adapter::{Server, Settings};
use dbprovision_sdk::secret::instance_credentials;
use dbprovision_sdk::sweep::{Answers, Budget, Opened};
use dbprovision_sdk::{Error, ErrorKind, Result, log};
use sha2::{Digest as _, Sha256};

use crate::connect::{self, Account, Limits, Purpose, Row, Session, Tracking};
use crate::observe::reader::{Reader, Swept};
use crate::observe::{account, sessions};
use crate::{errors, observe};

/// Which of the two families the server is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    MySql,
    MariaDb,
}

/// A row takes about 500 bytes: half of the memory of a sweep.
const ROWS_OF_A_SWEEP: usize = 120_000;

/// What decides how things are done on this server. The server tells its dialect, whatever the instance calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are the server's own settings")]
pub(crate) struct Facts {
    /// As the server says it.
    pub(crate) version: String,
    /// `101119` for 10.11.19.
    pub(crate) number: u32,
    pub(crate) dialect: Dialect,
    /// A word that lives with the server's data.
    pub(crate) identity: String,
    pub(crate) administrator: String,
    /// The host of the account that let it in.
    pub(crate) administrator_host: String,
    pub(crate) superuser: bool,
    /// Names of databases become lower case.
    pub(crate) folds_names: bool,
    /// Users carry their marks themselves.
    pub(crate) uses_attributes: bool,
    /// The database in a grant is a pattern.
    pub(crate) patterns: bool,
    /// The administrator may choose which roles of others are active from the login on.
    pub(crate) activates: bool,
    /// Login methods that accounts can have.
    pub(crate) plugins: BTreeSet<String>,
    pub(crate) sql_mode: String,
    pub(crate) storage_engine: String,
}

impl Facts {
    pub(crate) fn server(&self) -> Server {
        Server {
            version: self.version.clone(),
            identity: self.identity.clone(),
            administrator: self.administrator.clone(),
            superuser: self.superuser,
        }
    }

    pub(crate) fn is_mariadb(&self) -> bool {
        self.dialect == Dialect::MariaDb
    }
}

/// A server that the adapter is logged in to.
pub(crate) struct Connected {
    pub(crate) limits: Limits,
    pub(crate) facts: Facts,
    main: Session,
    /// What a sweep remembers.
    sweep: Option<Answers<Row>>,
}

impl Connected {
    /// Logs in and looks at the server.
    pub(crate) fn open(settings: &Settings) -> Result<Self> {
        let limits = Limits::read(settings)?;
        let mut main = administrator(&limits, Purpose::Administration, limits.database.as_deref())?;
        let facts = observe::server::facts(&mut main, &limits.tracking)?;
        Ok(Self { limits, facts, main, sweep: None })
    }

    /// The main session, opened anew where it ended since the last call.
    pub(crate) fn main(&mut self) -> Result<&mut Session> {
        self.parts().map(|(session, ..)| session)
    }

    /// The main session and what decides how it is used.
    pub(crate) fn parts(&mut self) -> Result<(&mut Session, &Facts, &Tracking)> {
        if !self.main.is_usable() {
            self.main = administrator(&self.limits, Purpose::Administration, self.limits.database.as_deref())?;
        }
        Ok((&mut self.main, &self.facts, &self.limits.tracking))
    }

    /// From now on, what only looks is answered from what was read before.
    pub(crate) fn begin_sweep(&mut self) {
        self.sweep = Some(Answers::within(&Budget::of(ROWS_OF_A_SWEEP)));
    }

    pub(crate) fn sweeps(&self) -> bool {
        self.sweep.is_some()
    }

    /// Looks at the server.
    pub(crate) fn look<T>(&mut self, work: impl FnOnce(&mut dyn Reader, &Facts, &Tracking) -> Result<T>) -> Result<T> {
        self.main()?;
        let Self { limits, facts, main, sweep } = self;
        match sweep {
            Some(answers) => work(&mut Swept { answers, place: &mut Opened(main) }, facts, &limits.tracking),
            None => work(main, facts, &limits.tracking),
        }
    }

    /// A second session, in another database. The caller closes it before the call ends: the instance has few.
    pub(crate) fn inside(&self, database: &str) -> Result<Session> {
        administrator(&self.limits, Purpose::Script, Some(database))
    }

    /// A second session, of another account.
    pub(crate) fn as_account(&self, who: Account<'_>, purpose: Purpose, database: Option<&str>) -> Result<Session> {
        connect::log_in(&self.limits, who, database, purpose)
    }

    /// One round trip. A session that ended while it was idle says nothing of the server: it is opened anew.
    pub(crate) fn ping(&mut self) -> Result<()> {
        let was_usable = self.main.is_usable();
        let outcome = self.main()?.ping();
        if outcome.is_err() && was_usable && !self.main.is_usable() {
            return self.main()?.ping();
        }
        outcome
    }

    /// Reads the facts again: an upgrade or a change of the administrator's rights shows.
    pub(crate) fn look_again(&mut self) -> Result<()> {
        let (session, _, tracking) = self.parts()?;
        self.facts = observe::server::facts(session, tracking)?;
        Ok(())
    }

    /// Does `work` alone with the object: everyone who changes `object` this way waits here. There is no transaction:
    /// statements about databases and accounts end every one.
    pub(crate) fn locked<T>(
        &mut self,
        object: &str,
        work: impl FnOnce(&mut Session, &Facts, &Tracking) -> Result<T>,
    ) -> Result<T> {
        let lock = lock_name(object);
        let patience = self.limits.lock_seconds().to_string();
        let (session, facts, tracking) = self.parts()?;
        let mut taken = take_lock(session, &lock, A_MOMENT)?;
        if taken == Lock::Busy {
            end_intruder(session, facts, tracking, &lock)?;
            taken = take_lock(session, &lock, &patience)?;
        }
        match taken {
            Lock::Taken => {}
            Lock::Busy => {
                let message = "another session of the operator works on the same object";
                return Err(Error::new(ErrorKind::Transient(None), message, "GET_LOCK timed out"));
            }
            // Every step leaves a state from which the next call goes on, whoever comes between.
            Lock::Denied => return work(session, facts, tracking),
        }
        let outcome = work(session, facts, tracking);
        // With the session goes the lock.
        if session.is_usable() {
            let released = session.rows("SELECT RELEASE_LOCK(?)", &[&lock]);
            if outcome.is_ok() {
                released?;
            }
        }
        outcome
    }

    pub(crate) fn close(self) {
        self.main.close();
    }
}

/// How it went to take a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    Taken,
    /// Somebody else has it.
    Busy,
    /// This server gives nobody one.
    Denied,
}

/// Waits for a lock of the server, so many seconds.
pub(crate) fn take_lock(session: &mut Session, name: &str, patience: &str) -> Result<Lock> {
    match session.row("SELECT COALESCE(GET_LOCK(?, CAST(? AS UNSIGNED)), 0)", &[name, patience]) {
        Ok(taken) => {
            let taken = taken.map_or(Ok(0), |row| row.number(0))? == 1;
            Ok(if taken { Lock::Taken } else { Lock::Busy })
        }
        Err(error) if errors::denies_locks(&error) => Ok(Lock::Denied),
        // The limit of statements may be as short as the wait.
        Err(error) if error.kind == ErrorKind::TimedOut && session.is_usable() => Ok(Lock::Busy),
        Err(error) => Err(error),
    }
}

/// Whoever may connect may take any lock, and keep the operator from an account or a right for as long as it likes. Other
/// operators' administrators are waited for; a session of a managed account has no business with it, and is ended.
fn end_intruder(session: &mut Session, facts: &Facts, tracking: &Tracking, lock: &str) -> Result<()> {
    let Some(row) = session.row(HOLDER, &[lock])? else { return Ok(()) };
    let (id, name) = (row.number(0)?, row.get(1)?);
    let accounts = account::find(session, facts, tracking, &name)?;
    if accounts.iter().all(|one| one.kept.mark.is_none()) {
        return Ok(());
    }
    log::write(log::Level::Warn, &format!("{name} holds a lock of the operator's: its session is ended"));
    sessions::end_where_allowed(session, &[id], &name)
}

/// Longer than most of the operator's own sessions keep a lock, in seconds. After it, it is asked who has it.
const A_MOMENT: &str = "1";

const HOLDER: &str = "SELECT id, user FROM information_schema.processlist WHERE id = IS_USED_LOCK(?)";

/// The server's locks have names of at most 64 characters.
fn lock_name(object: &str) -> String {
    let digest = hex::encode(Sha256::digest(object.as_bytes()));
    format!("dbops:{}", digest.get(..40).unwrap_or(&digest))
}

/// The credentials are asked for each time: they may have been replaced since.
fn administrator(limits: &Limits, purpose: Purpose, database: Option<&str>) -> Result<Session> {
    connect::log_in(limits, Account::from(&instance_credentials()?), database, purpose)
}

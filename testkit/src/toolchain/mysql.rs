//! The programs of MariaDB and MySQL: the distribution's own MariaDB, and others of older and newer Debian suites.
//!
//! Only the packages with the programs are installed on the machine itself: they start nothing.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{apt, debian, find_program};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Version {
    /// The MariaDB of this machine's distribution: 10.11 on Debian 12.
    #[default]
    Distribution,
    /// MariaDB 10.5, from Debian's suite of that version: the oldest that is served.
    OldestMariaDb,
    /// MariaDB 11.8, from Debian's suite of that version, with its further login methods.
    NewerMariaDb,
    /// The MySQL of Debian's unstable suite, which is the only one that has it: 9.7 when this was written.
    MySql,
}

impl Version {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Distribution, Self::OldestMariaDb, Self::NewerMariaDb, Self::MySql];

    /// Those that an ordinary run of the tests has.
    pub const USUAL: [Self; 3] = [Self::Distribution, Self::NewerMariaDb, Self::MySql];

    /// Whether it is a MariaDB.
    pub fn is_mariadb(self) -> bool {
        match self {
            Self::Distribution | Self::OldestMariaDb | Self::NewerMariaDb => true,
            Self::MySql => false,
        }
    }

    /// A word for names of folders.
    pub fn word(self) -> &'static str {
        match self {
            Self::Distribution => "mariadb",
            Self::OldestMariaDb => "oldest-mariadb",
            Self::NewerMariaDb => "newer-mariadb",
            Self::MySql => "mysql",
        }
    }
}

/// Where the programs of one version are.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The server, as seen from inside `root`.
    pub server: PathBuf,
    /// The root folder that it has to run in, where it is not the machine's own.
    pub root: Option<PathBuf>,
}

/// Finds or installs the server.
pub fn binaries(version: Version) -> Result<Binaries> {
    match version {
        Version::Distribution => {
            let server = apt::program("mariadbd", "mariadb-server-core").context("find MariaDB")?;
            Ok(Binaries { server, root: None })
        }
        Version::OldestMariaDb => {
            let packages = ["mariadb-server-core-10.5", "mariadb-client-core-10.5"];
            let root = debian::root_for("bullseye-mariadb", "bullseye", &packages)?;
            Ok(Binaries { server: PathBuf::from("/usr/sbin/mariadbd"), root: Some(root) })
        }
        // The login methods beyond the first are in the package that would also start a server, were it configured.
        Version::NewerMariaDb => {
            let root = debian::root_for("trixie-mariadb", "trixie", &["mariadb-server", "mariadb-client-core"])?;
            Ok(Binaries { server: PathBuf::from("/usr/sbin/mariadbd"), root: Some(root) })
        }
        Version::MySql => {
            let root = debian::root_for("sid-mysql", "sid", &["mysql-server-core", "mysql-client-core"])?;
            Ok(Binaries { server: PathBuf::from("/usr/sbin/mysqld"), root: Some(root) })
        }
    }
}

/// The client program, which speaks to every version.
pub fn client() -> Result<PathBuf> {
    if let Some(found) = find_program("mariadb") {
        return Ok(found);
    }
    apt::program("mariadb", "mariadb-client-core")
}

//! PostgreSQL's programs: the distribution's own, other major versions from other Debian suites, and those that no suite
//! has as the embedded-postgres project publishes them.

mod published;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{apt, debian, find_program, run};

/// The oldest that is served.
const OLDEST: u32 = 13;
/// The newer version.
const NEWER: u32 = 17;
/// The newest.
const NEWEST: u32 = 18;

/// Which Debian suite has which major version.
const SUITES: [(u32, &str); 4] = [(13, "bullseye"), (15, "bookworm"), (17, "trixie"), (18, "sid")];

/// Which PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// The one of this machine's distribution, or of `POSTGRES_BIN_DIR`.
    #[default]
    Distribution,
    /// PostgreSQL 13, from Debian's suite of that version.
    Oldest,
    /// PostgreSQL 14, as published by the embedded-postgres project.
    Fourteen,
    /// PostgreSQL 16, as published by the embedded-postgres project.
    Sixteen,
    /// PostgreSQL 17, from Debian's suite of that version.
    Newer,
    /// PostgreSQL 18, from Debian's unstable suite.
    Newest,
}

impl Version {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Distribution, Self::Oldest, Self::Fourteen, Self::Sixteen, Self::Newer, Self::Newest];
}

/// Where the programs of one version are.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The folder with `postgres` and `initdb`, as seen from inside `root`.
    pub folder: PathBuf,
    /// The root folder that they have to run in, where it is not the machine's own.
    pub root: Option<PathBuf>,
}

impl Binaries {
    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Finds or installs the programs.
pub fn binaries(version: Version) -> Result<Binaries> {
    match version {
        Version::Distribution => distribution(),
        Version::Oldest => packaged(OLDEST),
        Version::Fourteen => packaged(14),
        Version::Sixteen => packaged(16),
        Version::Newer => packaged(NEWER),
        Version::Newest => packaged(NEWEST),
    }
}

fn distribution() -> Result<Binaries> {
    if let Some(folder) = std::env::var_os("POSTGRES_BIN_DIR").map(PathBuf::from) {
        if !folder.join("postgres").is_file() {
            bail!("POSTGRES_BIN_DIR names {}, which has no postgres", folder.display());
        }
        return Ok(Binaries { folder, root: None });
    }
    if let Some(folder) = installed() {
        return Ok(Binaries { folder, root: None });
    }
    prevent_default_cluster()?;
    apt::install(&["postgresql", "postgresql-contrib"])?;
    let folder = installed().context("the package postgresql brought no server")?;
    Ok(Binaries { folder, root: None })
}

/// The highest installed version.
fn installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let packaged = versions
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let major: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("postgres").is_file() && folder.join("initdb").is_file())
        .max_by_key(|(major, _)| *major)
        .map(|(_, folder)| folder);
    packaged.or_else(|| {
        let postgres = find_program("postgres")?;
        let folder = postgres.parent()?.to_owned();
        folder.join("initdb").is_file().then_some(folder)
    })
}

/// Debian's package starts a server on the usual port unless this file says otherwise; nobody asked for that one.
fn prevent_default_cluster() -> Result<()> {
    let path = "/etc/postgresql-common/createcluster.conf";
    if Path::new(path).exists() {
        return Ok(());
    }
    let script = format!("mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' > {path}");
    run(&mut apt::as_root(&["sh", "-c", &script])?)
}

/// One major version from wherever it can be had. The adapter's tests run against whatever was installed so.
pub fn packaged(major: u32) -> Result<Binaries> {
    if let Some((_, release)) = published::RELEASES.iter().find(|(known, _)| *known == major) {
        return published::release(release);
    }
    let Some((_, suite)) = SUITES.iter().find(|(known, _)| *known == major) else {
        let known = SUITES.iter().map(|(known, _)| known).chain(published::RELEASES.iter().map(|(known, _)| known));
        let known: Vec<_> = known.map(ToString::to_string).collect();
        bail!("nobody is known to have PostgreSQL {major}; known are {}", known.join(", "));
    };
    let root = debian::suite(suite, &[&format!("postgresql-{major}")])?;
    Ok(Binaries { folder: PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")), root: Some(root) })
}

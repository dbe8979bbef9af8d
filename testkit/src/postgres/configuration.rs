//! What a server is started with: its settings, its access rules, its certificates.

use std::path::Path;

use anyhow::{Context, Result};

use crate::certificates::Identity;
use crate::children::{Lifetime, unprivileged_account};
use crate::scratch::write_private;
use crate::toolchain::postgres::Version;

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which PostgreSQL.
    pub version: Version,
    /// Its certificate; without one it answers `N` to a request for TLS.
    pub tls: Option<ServerTls>,
    /// Who may log in over TCP, and how.
    pub access: Access,
    /// How many sessions it allows.
    pub max_connections: u32,
    /// More lines of `postgresql.conf`; the last word on a setting is theirs.
    pub settings: Vec<String>,
    /// Whether it outlives this process.
    pub lifetime: Lifetime,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: Version::default(),
            tls: None,
            access: Access::default(),
            max_connections: 100,
            settings: Vec::new(),
            lifetime: Lifetime::default(),
        }
    }
}

/// A server's side of TLS.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// The certificate that it shows, and its key.
    pub identity: Identity,
    /// The authority, PEM, that a client should trust; this crate's own logins do.
    pub authority: String,
    /// The authority, PEM, of client certificates; needed for `Access::ClientCertificate`.
    pub clients: Option<String>,
}

/// Presets of `pg_hba.conf` for TCP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Access {
    /// A password, with or without TLS.
    #[default]
    Password,
    /// A password, only over TLS.
    PasswordOverTls,
    /// A password and a client certificate with the user's name, over TLS.
    ClientCertificate,
    /// These lines of `pg_hba.conf`.
    Lines(Vec<String>),
}

impl Access {
    fn lines(&self) -> Vec<String> {
        let line = match self {
            Self::Password => "host all all 127.0.0.1/32 scram-sha-256",
            Self::PasswordOverTls => "hostssl all all 127.0.0.1/32 scram-sha-256",
            Self::ClientCertificate => "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full",
            Self::Lines(lines) => return lines.clone(),
        };
        vec![line.to_owned()]
    }
}

/// Writes the configuration into an initialised data folder.
pub(super) fn write(folder: &Path, options: &Options) -> Result<()> {
    let data = folder.join("data");
    let mut settings = vec![
        "listen_addresses = '127.0.0.1'".to_owned(),
        format!("unix_socket_directories = '{}'", folder.display()),
        format!("max_connections = {}", options.max_connections),
        "fsync = off".to_owned(),
        "synchronous_commit = off".to_owned(),
        "full_page_writes = off".to_owned(),
        "shared_buffers = '32MB'".to_owned(),
        "max_wal_size = '256MB'".to_owned(),
        "jit = off".to_owned(),
        "autovacuum_max_workers = 1".to_owned(),
        // Its segments go with the data folder, even when the server is killed.
        "dynamic_shared_memory_type = mmap".to_owned(),
        "password_encryption = 'scram-sha-256'".to_owned(),
        // A test that looks for plaintext passwords must see all that a server could ever log.
        "log_statement = 'all'".to_owned(),
        "log_connections = on".to_owned(),
        "log_disconnections = on".to_owned(),
        "log_line_prefix = '%m [%p] %u@%d '".to_owned(),
        "lc_messages = 'C'".to_owned(),
    ];
    if let Some(tls) = &options.tls {
        for (name, content) in [("server.crt", &tls.identity.certificate), ("server.key", &tls.identity.key)] {
            let path = data.join(name);
            write_private(&path, content)?;
            give_to_server(&path)?;
        }
        settings.extend(["ssl = on", "ssl_cert_file = 'server.crt'", "ssl_key_file = 'server.key'"].map(str::to_owned));
        if let Some(clients) = &tls.clients {
            let path = data.join("clients.crt");
            write_private(&path, clients)?;
            give_to_server(&path)?;
            settings.push("ssl_ca_file = 'clients.crt'".to_owned());
        }
    }
    settings.extend(options.settings.iter().cloned());
    append(&data.join("postgresql.conf"), &settings)?;

    let mut access = vec!["local all postgres scram-sha-256".to_owned()];
    access.extend(options.access.lines());
    let path = data.join("pg_hba.conf");
    std::fs::write(&path, access.join("\n") + "\n").with_context(|| format!("write {}", path.display()))
}

/// Makes a file or folder the property of the account that the server runs as.
pub(super) fn give_to_server(path: &Path) -> Result<()> {
    if let Some(account) = unprivileged_account() {
        std::os::unix::fs::chown(path, Some(account.user), Some(account.group))
            .with_context(|| format!("hand {} to the server's account", path.display()))?;
    }
    Ok(())
}

fn append(path: &Path, lines: &[String]) -> Result<()> {
    let mut text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    text.push_str(&lines.join("\n"));
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

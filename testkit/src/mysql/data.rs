//! Data folders: made once for each version, copied for each server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::children::{Program, unprivileged_account};
use crate::scratch::Scratch;
use crate::toolchain::mysql::{Binaries, Version};
use crate::workspace;

const INITIALISE: Duration = Duration::from_mins(2);

/// MariaDB's own script for this needs a configured system; these are the files that it feeds to the server.
const BOOTSTRAP: &str = r#"files=/usr/share/mariadb; name=mariadb
[ -f $files/mariadb_system_tables.sql ] || { files=/usr/share/mysql; name=mysql; }
{ printf 'CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n'
  cat $files/${name}_system_tables.sql $files/${name}_performance_tables.sql $files/${name}_system_tables_data.sql \
      $files/maria_add_gis_sp_bootstrap.sql $files/${name}_sys_schema.sql
} | "$1" --no-defaults --bootstrap --datadir="$2" --innodb-log-file-size=16M --innodb-use-native-aio=0"#;

/// Puts a fresh data folder into `folder`.
pub(super) fn copy(version: Version, binaries: &Binaries, folder: &Path) -> Result<()> {
    let template = template(version, binaries)?;
    let status = std::process::Command::new("cp")
        .args(["-a", "--reflink=auto"])
        .arg(&template)
        .arg(folder.join("data"))
        .status()
        .context("run cp")?;
    if !status.success() {
        bail!("the data folder {} could not be copied", template.display());
    }
    // Every server has an identity of its own.
    let identity = folder.join("data/auto.cnf");
    if identity.exists() {
        std::fs::remove_file(&identity).with_context(|| format!("remove {}", identity.display()))?;
    }
    Ok(())
}

/// The folder that is copied, made where it is missing.
fn template(version: Version, binaries: &Binaries) -> Result<PathBuf> {
    let base = workspace::target().join("mysql-data");
    std::fs::create_dir_all(&base).with_context(|| format!("create {}", base.display()))?;
    let _lock = crate::toolchain::lock("mysql-data")?;
    let wanted = base.join(format!("{}-1", version.word()));
    if wanted.is_dir() {
        return Ok(wanted);
    }
    // Made in memory, where the server's account can reach it, and moved in one step.
    let scratch = Scratch::new("mysql-template")?;
    let folder = scratch.path();
    give_to_server(folder)?;
    let data = folder.join("data");
    let log = folder.join("log");
    let program = if version.is_mariadb() {
        std::fs::create_dir(&data).with_context(|| format!("create {}", data.display()))?;
        give_to_server(&data)?;
        let server = binaries.server.display().to_string();
        Program::new("bootstrap", "sh", log).arguments(["-c", BOOTSTRAP, "sh", &server, &data.display().to_string()])
    } else {
        Program::new("initialize", &binaries.server, log).arguments([
            "--no-defaults".to_owned(),
            "--initialize-insecure".to_owned(),
            format!("--datadir={}", data.display()),
            "--secure-file-priv=NULL".to_owned(),
            "--innodb-redo-log-capacity=16M".to_owned(),
            "--innodb-use-native-aio=0".to_owned(),
        ])
    };
    program
        .account(unprivileged_account())
        .inside(binaries.root.clone(), folder)
        .environment("LC_ALL", "C.UTF-8")
        .run(INITIALISE)?;
    let unfinished = base.join(format!("{}-unfinished", version.word()));
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).with_context(|| format!("remove {}", unfinished.display()))?;
    }
    let status = std::process::Command::new("cp").arg("-a").arg(&data).arg(&unfinished).status().context("run cp")?;
    if !status.success() {
        bail!("the data folder {} could not be kept", data.display());
    }
    std::fs::rename(&unfinished, &wanted).with_context(|| format!("rename to {}", wanted.display()))?;
    Ok(wanted)
}

/// Makes a file or folder the property of the account that the server runs as.
pub(super) fn give_to_server(path: &Path) -> Result<()> {
    if let Some(account) = unprivileged_account() {
        std::os::unix::fs::chown(path, Some(account.user), Some(account.group))
            .with_context(|| format!("hand {} to the server's account", path.display()))?;
    }
    Ok(())
}

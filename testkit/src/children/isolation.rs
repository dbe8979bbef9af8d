//! Running a child as another account, or inside another root folder.
//! Database servers refuse to run as root, and a newer server needs a newer C library than the machine has.

use std::path::Path;

/// An account of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its user id.
    pub user: u32,
    /// Its group id.
    pub group: u32,
}

impl Account {
    pub(super) fn setpriv_arguments(&self) -> Vec<String> {
        vec![format!("--reuid={}", self.user), format!("--regid={}", self.group), "--clear-groups".to_owned()]
    }
}

/// The account that servers run as: none of its own unless this process is root.
pub fn unprivileged_account() -> Option<Account> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = ["postgres", "nobody"].iter().find_map(|wanted| {
        accounts.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(wanted)).then_some(())?;
            Some(Account { user: fields.nth(1)?.parse().ok()?, group: fields.next()?.parse().ok()? })
        })
    });
    Some(found.unwrap_or(Account { user: 65_534, group: 65_534 }))
}

/// `$1` is the new root, `$2` the folder to show in it; the rest is the program.
/// A folder below `/dev` is visible with `/dev` itself.
const SCRIPT: &str = r#"root=$1; visible=$2; shift 2
mount --rbind /dev "$root/dev" && mount --rbind /proc "$root/proc" || exit 1
case "$visible" in
  ""|/dev/*) ;;
  *) mkdir -p "$root$visible" && mount --bind "$visible" "$root$visible" || exit 1 ;;
esac
exec chroot "$root" "$@""#;

/// The words before a program that is to run inside `root`, in a mount namespace that ends with it.
pub(super) fn enter(root: &Path, visible: Option<&Path>) -> Vec<String> {
    let mut words = vec!["unshare".to_owned()];
    if !rustix::process::geteuid().is_root() {
        // Without root the right to mount comes from a user namespace; the user id stays, or the server would see 0.
        words.extend(["--user", "--map-current-user", "--keep-caps"].map(str::to_owned));
    }
    words.extend(["--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh"].map(str::to_owned));
    words.push(root.display().to_string());
    words.push(visible.map(|path| path.display().to_string()).unwrap_or_default());
    words
}

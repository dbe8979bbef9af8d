//! Which mirror, and by whose keys: what the machine's own package sources say.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::toolchain::apt;

/// Used only where the machine names no Debian mirror of its own.
const FALLBACK: &str = "http://deb.debian.org/debian";

/// The address of the machine's Debian mirror.
pub(super) fn address() -> String {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = std::fs::read_dir("/etc/apt/sources.list.d") {
        let mut more: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        more.sort();
        files.extend(more);
    }
    files
        .iter()
        .filter_map(|path| Some(addresses(path, &std::fs::read_to_string(path).ok()?)))
        .flatten()
        .find(|address| is_debian(address))
        .unwrap_or_else(|| FALLBACK.to_owned())
}

/// The addresses of a sources file, in its one-line or its paragraph format.
fn addresses(path: &Path, text: &str) -> Vec<String> {
    let paragraphs = path.extension().is_some_and(|extension| extension == "sources");
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    if paragraphs {
        lines
            .filter_map(|line| line.split_once(':'))
            .filter(|(field, _)| field.eq_ignore_ascii_case("URIs"))
            .flat_map(|(_, values)| values.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    } else {
        lines
            .filter(|line| line.starts_with("deb "))
            .filter_map(|line| line.split_whitespace().find(|word| word.contains("://")))
            .map(str::to_owned)
            .collect()
    }
}

/// A Debian mirror ends in `/debian`; security archives and other people's repositories do not.
fn is_debian(address: &str) -> bool {
    address.trim_end_matches('/').ends_with("/debian")
}

/// The release whose keys the suite that is never released is signed with.
const NEWEST_RELEASE: &str = "trixie";

/// The keys that the suite is signed with.
pub(super) fn keyring(suite: &str) -> Result<PathBuf> {
    let suite = if suite == "sid" { NEWEST_RELEASE } else { suite };
    let of_the_suite = PathBuf::from(format!("/usr/share/keyrings/debian-archive-{suite}-automatic.gpg"));
    let of_all = PathBuf::from("/usr/share/keyrings/debian-archive-keyring.gpg");
    if !of_the_suite.is_file() {
        apt::install(&["debian-archive-keyring"])?;
    }
    // The one file with all keys, because a suite's release is signed by the previous suite's key as well.
    if of_the_suite.is_file() && of_all.is_file() {
        return Ok(of_all);
    }
    bail!("this machine's package debian-archive-keyring does not know the keys of Debian {suite}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_of_sources_are_read() {
        let one_line = "# deb http://old/debian x main\ndeb [signed-by=/k] https://mirror/debian bookworm main\n";
        assert_eq!(addresses(Path::new("sources.list"), one_line), ["https://mirror/debian"]);
        let paragraphs = "Types: deb\n# URIs: http://old/debian\nURIs: http://a/debian http://b/debian/\nSuites: x\n";
        assert_eq!(addresses(Path::new("d.sources"), paragraphs), ["http://a/debian", "http://b/debian/"]);
    }

    #[test]
    fn a_security_archive_is_no_mirror() {
        assert!(is_debian("http://mirror/debian/"));
        assert!(!is_debian("http://mirror/debian-security"));
        assert!(!is_debian("https://mirror/node_20.x"));
    }
}

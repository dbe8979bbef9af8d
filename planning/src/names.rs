//! Names of objects in the cluster that are derived from names on the server.

use sha2::{Digest as _, Sha256};

/// The limit of a DNS subdomain (RFC 1123), which a Secret's name must be.
const LONGEST: usize = 253;

/// Eight hexadecimal digits keep names that were rewritten to the same text apart.
const HASH_BYTES: usize = 4;

/// The name of the Secret of a user whose resource does not state one: `<username>-credentials`, where that is
/// a name that Kubernetes takes; otherwise rewritten to one, with a hash of the original.
pub fn credentials_secret(username: &str) -> String {
    with_suffix(username, "-credentials")
}

/// The name of the Secret of a user that is created with a database: `<database>-<user>`.
pub fn companion_secret(database: &str, user: &str) -> String {
    // The parts are hashed apart: a+b-c and a-b+c must not meet.
    let plain = format!("{database}-{user}");
    if is_subdomain(&plain) && !database.contains('-') {
        plain
    } else {
        rewritten(&plain, &format!("{database}\0{user}"), "")
    }
}

fn with_suffix(name: &str, suffix: &str) -> String {
    let plain = format!("{name}{suffix}");
    if is_subdomain(&plain) { plain } else { rewritten(name, name, suffix) }
}

fn rewritten(text: &str, original: &str, suffix: &str) -> String {
    let digest = Sha256::digest(original);
    let hash = hex::encode(digest.get(..HASH_BYTES).unwrap_or_default());
    let room = LONGEST.saturating_sub(hash.len() + suffix.len() + 1);
    let legal: String = text
        .chars()
        .map(|character| character.to_ascii_lowercase())
        .map(|character| if character.is_ascii_lowercase() || character.is_ascii_digit() { character } else { '-' })
        .take(room)
        .collect();
    let legal = legal.trim_matches('-');
    if legal.is_empty() { format!("{hash}{suffix}") } else { format!("{legal}-{hash}{suffix}") }
}

/// RFC 1123: labels of lower-case letters, digits and hyphens, separated by dots.
pub fn is_subdomain(name: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= LONGEST
        && name.split('.').all(|label| {
            let bytes = label.as_bytes();
            bytes.first().is_some_and(alphanumeric)
                && bytes.last().is_some_and(alphanumeric)
                && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_ordinary_name_is_kept() {
        assert_eq!(credentials_secret("app"), "app-credentials");
        assert_eq!(companion_secret("shop", "web"), "shop-web");
    }

    #[test]
    fn what_kubernetes_cannot_hold_is_rewritten_and_kept_apart() {
        let under = credentials_secret("app_user");
        assert!(under.starts_with("app-user-") && under.ends_with("-credentials"), "{under}");
        assert_ne!(under, credentials_secret("app user"));
        assert_ne!(companion_secret("a", "b-c"), companion_secret("a-b", "c"));
    }

    proptest! {
        #[test]
        fn every_name_is_one_that_kubernetes_takes(name in "\\PC{1,80}", other in "\\PC{1,80}") {
            prop_assert!(is_subdomain(&credentials_secret(&name)), "{}", credentials_secret(&name));
            prop_assert!(is_subdomain(&companion_secret(&name, &other)), "{}", companion_secret(&name, &other));
        }
    }
}

//! When the statements of `initSQL` run: once for each text, guarded by its hash.

use crds::{InitSqlFailurePolicy, InitSqlStatus};
use sha2::{Digest as _, Sha256};

/// The hash that guards a script: over every statement with its length, so that moving a boundary changes it.
pub fn hash(statements: &[String]) -> String {
    let mut digest = Sha256::new();
    for statement in statements {
        digest.update(u64::try_from(statement.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(statement.as_bytes());
    }
    hex::encode(digest.finalize())
}

/// Whether the script is to run now.
///
/// A script that succeeded does not run again until its text changes. One that failed is tried again under the
/// policy Block, and left alone under Continue.
pub fn due(status: Option<&InitSqlStatus>, hash: &str, policy: InitSqlFailurePolicy) -> bool {
    match status {
        Some(status) if status.hash.as_deref() == Some(hash) => {
            !status.applied && policy == InitSqlFailurePolicy::Block
        }
        Some(_) | None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(applied: bool, hash: &str) -> InitSqlStatus {
        InitSqlStatus { applied, hash: Some(hash.to_owned()), ..InitSqlStatus::default() }
    }

    #[test]
    fn a_script_runs_once_for_each_text() {
        use InitSqlFailurePolicy::{Block, Continue};
        assert!(due(None, "a", Block));
        assert!(!due(Some(&status(true, "a")), "a", Block));
        assert!(due(Some(&status(true, "a")), "b", Block));
        assert!(due(Some(&status(false, "a")), "a", Block), "a failure under Block is never taken for success");
        assert!(!due(Some(&status(false, "a")), "a", Continue));
        assert!(due(Some(&status(false, "a")), "b", Continue));
    }

    #[test]
    fn the_hash_sees_where_a_statement_ends() {
        let script = |statements: &[&str]| hash(&statements.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        assert_ne!(script(&["ab", "c"]), script(&["a", "bc"]));
        assert_eq!(script(&["a"]), script(&["a"]));
    }
}

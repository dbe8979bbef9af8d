//! What a deletion does: planned from recorded ownership, never from the spec, so that an invalid spec cannot
//! block the clean-up, and an object that nothing was created for deletes nothing.

use crds::names::{annotation, reason};
use crds::{DeletionConfirmation, DeletionPolicy};
use sha2::{Digest as _, Sha256};

use crate::{Blocked, Class};

/// What is known when a resource is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Deletion protection is on.
    pub protected: bool,
    /// The annotation asks to delete in spite of it.
    pub force: bool,
    /// The hash that a person copied from the status.
    pub confirmation: Option<String>,
    /// What happens on the server.
    pub policy: DeletionPolicy,
    /// Resources that depend on it, as `Kind/Name` or `Kind/Namespace/Name`.
    pub children: Vec<String>,
    /// Something is recorded as ours on the server.
    pub owns: bool,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// Not now.
    Wait {
        /// Why.
        blocked: Blocked,
        /// What a person can confirm.
        confirmation: Option<DeletionConfirmation>,
    },
    /// Delete the children first; this one goes when they are gone.
    Cascade,
    /// Nothing on the server is to be dropped.
    Release,
    /// Drop what is recorded.
    Drop,
}

/// Plans it.
pub fn plan(request: &Request) -> Deletion {
    let Request { protected, force, confirmation, policy, children, owns } = request;
    if *protected && !force {
        return wait(
            reason::DELETION_PROTECTED,
            format!(
                "deletion protection is on: turn it off, or set the annotation {}=\"true\"",
                annotation::FORCE_DELETE
            ),
            None,
        );
    }
    if !children.is_empty() {
        let hash = confirmation_hash(children);
        if !force {
            return wait(
                reason::DEPENDENCIES_EXIST,
                format!(
                    "{} depend on it: delete them first, or set the annotation {}=\"true\" to delete them with it",
                    named(children),
                    annotation::FORCE_DELETE
                ),
                None,
            );
        }
        if confirmation.as_deref() != Some(hash.as_str()) {
            let message = format!(
                "deleting it also deletes {}: to confirm, set the annotation {}={hash:?}",
                named(children),
                annotation::CONFIRM_FORCE_DELETE
            );
            let confirmation = DeletionConfirmation {
                required: true,
                hash,
                remaining_count: i64::try_from(children.len()).unwrap_or(i64::MAX),
                children: sorted(children),
                message: message.clone(),
            };
            return wait(reason::PENDING_DELETION_CONFIRMATION, message, Some(confirmation));
        }
        return Deletion::Cascade;
    }
    match policy {
        DeletionPolicy::Delete if *owns => Deletion::Drop,
        DeletionPolicy::Delete | DeletionPolicy::Retain => Deletion::Release,
        // Whoever forces it wants it gone more than anything else, and keeps what is on the server.
        DeletionPolicy::Snapshot if !owns || *force => Deletion::Release,
        DeletionPolicy::Snapshot => wait(
            reason::NOT_YET_SERVED,
            "spec.deletionPolicy Snapshot is not yet served: set it to Retain or Delete".to_owned(),
            None,
        ),
    }
}

fn wait(reason: &'static str, message: String, confirmation: Option<DeletionConfirmation>) -> Deletion {
    Deletion::Wait { blocked: Blocked::failed(reason, message, Class::Refused), confirmation }
}

/// The first eight hexadecimal digits of SHA-256 over the sorted children, one a line.
pub fn confirmation_hash(children: &[String]) -> String {
    let digest = Sha256::digest(sorted(children).join("\n"));
    hex::encode(digest.get(..4).unwrap_or_default())
}

fn sorted(children: &[String]) -> Vec<String> {
    let mut sorted = children.to_vec();
    sorted.sort();
    sorted
}

/// At most this many are named in a sentence.
const NAMED: usize = 5;

fn named(children: &[String]) -> String {
    let sorted = sorted(children);
    let text = sorted.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match sorted.len().saturating_sub(NAMED) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            protected: false,
            force: false,
            confirmation: None,
            policy: DeletionPolicy::Delete,
            children: Vec::new(),
            owns: true,
        }
    }

    fn reason_of(deletion: &Deletion) -> &'static str {
        let Deletion::Wait { blocked, confirmation: _ } = deletion else { panic!("{deletion:?}") };
        blocked.reason
    }

    #[test]
    fn protection_holds_until_forced() {
        let protected = Request { protected: true, ..request() };
        assert_eq!(reason_of(&plan(&protected)), reason::DELETION_PROTECTED);
        assert_eq!(plan(&Request { force: true, ..protected }), Deletion::Drop);
    }

    #[test]
    fn children_block_and_a_forced_deletion_of_them_needs_the_hash() {
        let children = vec!["Database/b".to_owned(), "Database/a".to_owned()];
        let parent = Request { children: children.clone(), ..request() };
        assert_eq!(reason_of(&plan(&parent)), reason::DEPENDENCIES_EXIST);
        let forced = Request { force: true, ..parent };
        let Deletion::Wait { blocked, confirmation: Some(confirmation) } = plan(&forced) else { panic!() };
        assert_eq!(blocked.reason, reason::PENDING_DELETION_CONFIRMATION);
        assert_eq!(confirmation.children, ["Database/a", "Database/b"]);
        assert_eq!(confirmation.hash, "3999dd80");
        let wrong = Request { confirmation: Some("00000000".into()), ..forced.clone() };
        assert_eq!(reason_of(&plan(&wrong)), reason::PENDING_DELETION_CONFIRMATION);
        let right = Request { confirmation: Some(confirmation.hash), ..forced };
        assert_eq!(plan(&right), Deletion::Cascade);
    }

    #[test]
    fn only_a_policy_of_delete_with_something_recorded_drops() {
        assert_eq!(plan(&request()), Deletion::Drop);
        assert_eq!(plan(&Request { owns: false, ..request() }), Deletion::Release);
        assert_eq!(plan(&Request { policy: DeletionPolicy::Retain, ..request() }), Deletion::Release);
        let snapshot = Request { policy: DeletionPolicy::Snapshot, ..request() };
        assert_eq!(plan(&Request { force: true, ..snapshot.clone() }), Deletion::Release, "forced, it keeps the data");
        assert_eq!(reason_of(&plan(&snapshot)), reason::NOT_YET_SERVED);
    }
}

//! Whose an object on the server is, and what that allows. Ownership is recorded twice: in status, before the
//! first side effect, and in a mark beside the object. What to do when the two disagree is decided here, and only here.

use crds::Ownership;
use crds::names::reason;

use crate::adoption::Adoption;
use crate::{Blocked, Identity, Mark};

/// The object as the engine shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The engine's immutable identity of it, where it has one.
    pub object_id: Option<String>,
    /// The mark it carries.
    pub mark: Option<Mark>,
    /// The mark names a resource of this cluster that does not exist: it was left behind, and is nobody's.
    pub abandoned: bool,
    /// The engine's own: never to be touched.
    pub protected: bool,
    /// The administrator's equal, or the administrator.
    pub privileged: bool,
}

/// What a resource may do with the object of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is not there: create it.
    Create,
    /// It is there, and ours by both records.
    Owned,
    /// Status was lost, or knows another object: the mark is ours, so its word is taken into status.
    Reclaim {
        /// The nonce of the mark.
        nonce: String,
    },
    /// Status knows the object by the server's own identity; its mark is missing or was rewritten: write it again.
    RepairMark,
    /// Nobody's, and we were asked to take it: write our mark.
    Adopt,
    /// Hands off.
    Blocked(Blocked),
}

/// A resource that names the same object on the same server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// It recorded ownership of the object.
    pub recorded: bool,
    /// It was created before us (by time, then by UID).
    pub earlier: bool,
}

/// Whether the object is the one that is recorded, and carries the mark that was written on it.
pub fn is_as_recorded(ours: &Identity, recorded: &Ownership, observed: &Observed) -> bool {
    let Observed { object_id, mark, abandoned: _, protected, privileged: _ } = observed;
    let carries_ours = mark.as_ref().is_some_and(|mark| mark.identity == *ours && mark.nonce == recorded.nonce);
    !protected && carries_ours && *object_id == recorded.object_id
}

/// Decides whose the object is.
///
/// `recorded` is the ownership in our status, already known to be of this server. `rivals` are the other resources
/// of the cluster that name the object.
pub fn claim(
    ours: &Identity,
    recorded: Option<&Ownership>,
    observed: Option<&Observed>,
    rivals: &[Rival],
    adoption: &Adoption,
) -> Claim {
    let i_recorded = recorded.is_some();
    let loses_to = |rival: &Rival| match (rival.recorded, i_recorded) {
        (true, false) => true,
        (false, true) => false,
        (true, true) | (false, false) => rival.earlier,
    };
    if rivals.iter().any(loses_to) {
        return Claim::Blocked(somebody_elses());
    }
    let Some(observed) = observed else {
        return Claim::Create;
    };
    if observed.protected {
        return Claim::Blocked(Blocked::refused(
            reason::CONFLICT,
            "this object belongs to the database server itself and cannot be managed; choose another name",
        ));
    }
    match (&observed.mark, recorded) {
        (Some(mark), Some(recorded)) if mark.identity.same_resource(ours) && recorded.nonce == mark.nonce => {
            Claim::Owned
        }
        // Whatever a mark says that its owner could write: the very object that is recorded stays what it was recorded as.
        (_, Some(recorded)) if recorded.object_id.is_some() && recorded.object_id == observed.object_id => {
            Claim::RepairMark
        }
        (Some(mark), _) if mark.identity.same_resource(ours) => Claim::Reclaim { nonce: mark.nonce.clone() },
        (Some(_), _) if !observed.abandoned => Claim::Blocked(somebody_elses()),
        (Some(_) | None, _) => adopt(observed, adoption),
    }
}

fn adopt(observed: &Observed, adoption: &Adoption) -> Claim {
    match adoption {
        Adoption::NotAsked => Claim::Blocked(Blocked::conflict(
            reason::ADOPTION_REQUIRED,
            "an object of this name exists on the server and belongs to no resource; \
             it is left alone: set spec.adoptionPolicy to Adopt to take it over, or choose another name",
        )),
        Adoption::Refused(blocked) => Claim::Blocked(blocked.clone()),
        Adoption::Agreed { privileged } if observed.privileged && !privileged => Claim::Blocked(Blocked::refused(
            reason::PRIVILEGE_DENIED,
            "the object to adopt is as powerful as the instance's administrator; \
                 the instance's privilegeCeiling.superuser does not allow that",
        )),
        Adoption::Agreed { privileged: _ } => Claim::Adopt,
    }
}

fn somebody_elses() -> Blocked {
    Blocked::conflict(
        reason::CONFLICT,
        "another resource owns the object of this name on this server; nothing was touched, \
         and deleting this resource drops nothing: choose another name",
    )
}

#[cfg(test)]
mod tests;

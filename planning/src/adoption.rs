//! Whether an object that exists already may be taken over: the resource must ask, and the other side agree.

use crds::names::{annotation, reason};
use crds::{AdoptionPolicy, PrivilegeCeiling};

use crate::Blocked;

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// Nobody asked.
    NotAsked,
    /// Asked, and not agreed.
    Refused(Blocked),
    /// Asked and agreed.
    Agreed {
        /// Also when the object is the administrator's equal.
        privileged: bool,
    },
}

/// What the instance's side says.
#[derive(Clone, Copy, Debug)]
pub struct InstanceSide<'a> {
    /// The namespace of a `DatabaseInstance`; none for a `ClusterDatabaseInstance`.
    pub namespace: Option<&'a str>,
    /// The value of the annotation that lists what may be adopted.
    pub listed: Option<&'a str>,
    /// What resources may ask for.
    pub ceiling: Option<&'a PrivilegeCeiling>,
}

/// Decides. `annotation` is the name of the list, for the message.
pub fn decide(
    policy: AdoptionPolicy,
    namespace: &str,
    object: &str,
    annotation: &str,
    instance: InstanceSide<'_>,
) -> Adoption {
    match policy {
        AdoptionPolicy::Never => Adoption::NotAsked,
        AdoptionPolicy::Adopt => {
            let own_namespace = instance.namespace == Some(namespace);
            let listed = instance.listed.is_some_and(|names| names.split(',').any(|name| name.trim() == object));
            if own_namespace || listed {
                Adoption::Agreed { privileged: instance.ceiling.is_some_and(|ceiling| ceiling.superuser) }
            } else {
                Adoption::Refused(Blocked::refused(
                    reason::ADOPTION_REQUIRED,
                    format!(
                        "the object exists already, and the instance does not let it be adopted: \
                         its annotation {annotation} must list {object:?}"
                    ),
                ))
            }
        }
    }
}

/// The annotation on an instance that lists what may be adopted.
pub fn annotation_for(kind: &str) -> &'static str {
    match kind {
        "Database" => annotation::ADOPT_DATABASES,
        "DatabaseUser" => annotation::ADOPT_USERS,
        _ => annotation::ADOPT_ROLES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side<'a>(namespace: Option<&'a str>, listed: Option<&'a str>) -> InstanceSide<'a> {
        InstanceSide { namespace, listed, ceiling: None }
    }

    fn asked(namespace: Option<&str>, listed: Option<&str>) -> Adoption {
        decide(AdoptionPolicy::Adopt, "a", "app", annotation::ADOPT_DATABASES, side(namespace, listed))
    }

    #[test]
    fn nothing_is_adopted_unless_the_resource_asks() {
        let answer =
            decide(AdoptionPolicy::Never, "a", "app", annotation::ADOPT_DATABASES, side(Some("a"), Some("app")));
        assert_eq!(answer, Adoption::NotAsked);
    }

    #[test]
    fn the_instances_own_namespace_needs_no_list() {
        assert_eq!(asked(Some("a"), None), Adoption::Agreed { privileged: false });
    }

    #[test]
    fn another_namespace_adopts_only_what_is_listed() {
        for instance in [None, Some("b")] {
            assert_eq!(asked(instance, Some("x, app ,y")), Adoption::Agreed { privileged: false });
            for listed in [None, Some(""), Some("apple"), Some("*")] {
                assert!(matches!(asked(instance, listed), Adoption::Refused(_)), "{listed:?}");
            }
        }
    }
}

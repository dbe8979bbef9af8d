//! Whether the other side of a reference agrees: the namespaces an instance serves, and the grants by which a
//! namespace lets others refer to what is in it.

use std::collections::BTreeMap;

use crds::names::reason;
use crds::{AllowedNamespaces, DatabaseReferenceGrant, InstanceId, LabelSelector, names};

use crate::Blocked;

/// The labels of a namespace.
pub type Labels = BTreeMap<String, String>;

/// Whether deciding needs the labels of the resource's namespace: they cost a request.
pub fn needs_labels(instance: &InstanceId, allowed: Option<&AllowedNamespaces>, namespace: &str) -> bool {
    instance.namespace.as_deref().unwrap_or_default() != namespace
        && allowed
            .is_some_and(|allowed| allowed.selector.is_some() && !allowed.names.iter().any(|name| name == namespace))
}

/// Whether the instance serves resources of `namespace`.
///
/// A `DatabaseInstance` serves its own namespace, and others only where it names them. A `ClusterDatabaseInstance`
/// serves all unless it names some, and resources of no namespace (`""`) in any case.
pub fn instance_serves(
    instance: &InstanceId,
    allowed: Option<&AllowedNamespaces>,
    namespace: &str,
    labels: &Labels,
) -> Result<(), Blocked> {
    let own = instance.namespace.as_deref().unwrap_or_default() == namespace;
    let by_default = allowed.is_none() && instance.namespace.is_none();
    let named = allowed.is_some_and(|allowed| {
        allowed.names.iter().any(|name| name == namespace)
            || allowed.selector.as_ref().is_some_and(|selector| selects(selector, labels))
    });
    if own || by_default || named {
        return Ok(());
    }
    Err(Blocked::refused(
        reason::NAMESPACE_NOT_ALLOWED,
        format!(
            "the instance this resource names does not serve namespace {namespace:?}, or does not exist: \
             spec.allowedNamespaces of {instance} must name it or select its labels"
        ),
    ))
}

/// Whether the instance serves the namespace whatever labels that has.
pub fn instance_serves_by_name(instance: &InstanceId, allowed: Option<&AllowedNamespaces>, namespace: &str) -> bool {
    let by_name = allowed.map(|allowed| AllowedNamespaces { selector: None, ..allowed.clone() });
    instance_serves(instance, by_name.as_ref(), namespace, &Labels::new()).is_ok()
}

/// Kubernetes' own meaning of a label selector: all requirements hold; an empty one selects everything.
pub fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let by_labels = selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    let by_expressions = selector.match_expressions.iter().flatten().all(|requirement| {
        let value = labels.get(&requirement.key);
        let listed = || value.is_some_and(|value| requirement.values.iter().flatten().any(|one| one == value));
        match requirement.operator.as_str() {
            "In" => listed(),
            "NotIn" => !listed(),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            // The API server does not check selectors inside custom resources: what is not understood selects nothing.
            _ => false,
        }
    });
    by_labels && by_expressions
}

/// The side that refers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Referrer<'a> {
    /// Kind in our group.
    pub kind: &'a str,
    /// None for a cluster-scoped kind.
    pub namespace: Option<&'a str>,
}

/// What is referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Empty for the core group.
    pub group: &'a str,
    /// Such as `Secret`.
    pub kind: &'a str,
    /// Where it is.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// Whether some grant in the target's namespace covers the reference. `grants` may be of any namespaces.
pub fn granted<'a>(
    grants: impl IntoIterator<Item = &'a DatabaseReferenceGrant>,
    from: Referrer<'_>,
    to: Target<'_>,
) -> bool {
    grants.into_iter().any(|grant| {
        grant.metadata.namespace.as_deref() == Some(to.namespace)
            && grant.metadata.deletion_timestamp.is_none()
            && grant.spec.from.iter().any(|side| {
                side.group == names::GROUP && side.kind == from.kind && side.namespace.as_deref() == from.namespace
            })
            && grant.spec.to.iter().any(|side| {
                side.group == to.group
                    && side.kind == to.kind
                    && side.name.as_deref().is_none_or(|name| name == to.name)
            })
    })
}

/// Whether a Secret or `ConfigMap` may be read for the referrer. The message is the same whether it exists or not.
pub fn may_read<'a>(
    grants: impl IntoIterator<Item = &'a DatabaseReferenceGrant>,
    from: Referrer<'_>,
    to: Target<'_>,
    path: &str,
) -> Result<(), Blocked> {
    if from.namespace == Some(to.namespace) || granted(grants, from, to) {
        return Ok(());
    }
    let Target { group: _, kind, namespace, name } = to;
    Err(Blocked::refused(
        reason::CONSENT_MISSING,
        format!(
            "{path} names {kind} {namespace}/{name}, and namespace {namespace:?} has not consented: \
             a DatabaseReferenceGrant there must allow it from kind {}{}",
            from.kind,
            from.namespace.map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default(),
        ),
    ))
}

#[cfg(test)]
mod tests;

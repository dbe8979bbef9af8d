//! Who owns an object: the mark beside it on the server, and the identity that a resource would write there.

/// What is written beside an object on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Who wrote it.
    pub identity: Identity,
    /// The random word that status repeats.
    pub nonce: String,
}

/// Which resource of which cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// UID of the cluster's kube-system namespace.
    pub cluster: String,
    /// The operator's instance id.
    pub operator: String,
    /// Kind of the resource.
    pub kind: String,
    /// Namespace of the resource; empty for a cluster-scoped kind.
    pub namespace: String,
    /// Name of the resource.
    pub name: String,
}

impl Identity {
    /// The same resource, whichever operator of the cluster wrote it: after a partition moved, its objects stay its own.
    pub fn same_resource(&self, other: &Self) -> bool {
        let Self { cluster, operator: _, kind, namespace, name } = self;
        (cluster, kind, namespace, name) == (&other.cluster, &other.kind, &other.namespace, &other.name)
    }
}

//! What a request to the API server is: its verb and resource, as RBAC would name them.

use hyper::{Method, Uri};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// One object is read.
    Get,
    /// A collection is read.
    List,
    /// A collection is followed.
    Watch,
    /// An object is created.
    Create,
    /// An object is replaced.
    Update,
    /// An object is patched or applied.
    Patch,
    /// An object is deleted.
    Delete,
    /// A collection is deleted.
    DeleteCollection,
}

impl Verb {
    /// Whether it changes something.
    pub fn is_write(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRequest {
    /// What is done.
    pub verb: Verb,
    /// The plural name of the resource with its subresource; for a path that is no resource, the path.
    pub resource: String,
    /// The API group; empty for the core.
    pub group: String,
    /// The namespace, if it has one.
    pub namespace: Option<String>,
    /// The object's name, if the path has one.
    pub name: Option<String>,
    /// The path with its query.
    pub path: String,
    /// The body of a write.
    pub body: String,
}

impl ApiRequest {
    pub(super) fn read(method: &Method, uri: &Uri, body: &[u8]) -> Self {
        let path = uri.path_and_query().map_or_else(String::new, ToString::to_string);
        let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
        let (group, rest) = match parts.as_slice() {
            ["api", _version, rest @ ..] => ("", rest),
            ["apis", group, _version, rest @ ..] => (*group, rest),
            _ => ("", [].as_slice()),
        };
        let (namespace, rest) = match rest {
            // `namespaces/x` alone, and its own subresources, are about the namespace itself.
            ["namespaces", namespace, rest @ ..] if !matches!(rest, [] | ["status" | "finalize"]) => {
                (Some((*namespace).to_owned()), rest)
            }
            _ => (None, rest),
        };
        let (resource, name) = match rest {
            [] => (uri.path().to_owned(), None),
            [resource] => ((*resource).to_owned(), None),
            [resource, name] => ((*resource).to_owned(), Some((*name).to_owned())),
            [resource, name, sub @ ..] => (format!("{resource}/{}", sub.join("/")), Some((*name).to_owned())),
        };
        let watches = uri.query().is_some_and(|query| {
            query.split('&').any(|parameter| matches!(parameter, "watch=true" | "watch=1" | "watch"))
        });
        let verb = match (method, &name) {
            (&Method::POST, _) => Verb::Create,
            (&Method::PUT, _) => Verb::Update,
            (&Method::PATCH, _) => Verb::Patch,
            (&Method::DELETE, Some(_)) => Verb::Delete,
            (&Method::DELETE, None) => Verb::DeleteCollection,
            _ if watches => Verb::Watch,
            (_, None) if !rest.is_empty() => Verb::List,
            _ => Verb::Get,
        };
        let body = if verb.is_write() { String::from_utf8_lossy(body).into_owned() } else { String::new() };
        Self { verb, resource, group: group.to_owned(), namespace, name, path, body }
    }

    pub(super) fn is_counted_write(&self) -> bool {
        self.verb.is_write() && self.resource != "leases" && self.resource != "events"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &Method, path: &str) -> ApiRequest {
        ApiRequest::read(method, &path.parse().unwrap(), b"")
    }

    #[test]
    fn paths_are_read_as_rbac_reads_them() {
        let status = read(&Method::PATCH, "/apis/dbops.dbprovision.io/v1alpha1/namespaces/a/databases/b/status?x=1");
        assert_eq!((status.verb, status.resource.as_str()), (Verb::Patch, "databases/status"));
        assert_eq!(status.group, "dbops.dbprovision.io");
        assert_eq!((status.namespace.as_deref(), status.name.as_deref()), (Some("a"), Some("b")));

        let watch = read(&Method::GET, "/api/v1/secrets?watch=true&resourceVersion=1");
        assert_eq!((watch.verb, watch.resource.as_str()), (Verb::Watch, "secrets"));

        let namespace = read(&Method::DELETE, "/api/v1/namespaces/a");
        assert_eq!((namespace.verb, namespace.name.as_deref()), (Verb::Delete, Some("a")));
        assert_eq!(namespace.resource, "namespaces");

        let list = read(&Method::GET, "/api/v1/namespaces/a/configmaps");
        assert_eq!((list.verb, list.resource.as_str()), (Verb::List, "configmaps"));

        assert_eq!(read(&Method::GET, "/readyz").verb, Verb::Get);
    }

    #[test]
    fn leases_are_written_by_the_clock_and_not_counted() {
        let lease = read(&Method::PUT, "/apis/coordination.k8s.io/v1/namespaces/a/leases/b");
        assert!(lease.verb.is_write() && !lease.is_counted_write());
    }
}

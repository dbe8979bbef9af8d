//! The difference between "it is not there" and "I could not find out".

use kube::core::Status;

/// Whether the API server itself says that exactly this object does not exist. A 404 of a proxy, of a
/// missing kind or of another object is no such statement, and nothing may be created or dropped on its word.
pub(crate) fn is_absence(status: &Status, name: &str) -> bool {
    status.code == 404
        && status.reason == "NotFound"
        && status.details.as_ref().is_some_and(|details| details.name == name)
}

/// Whether an object of this name can exist in this namespace at all. Asked before a name that a user wrote becomes
/// part of a request's path, where a slash or a question mark would lead to another object.
pub(crate) fn can_exist(namespace: &str, name: &str) -> bool {
    planning::names::is_subdomain(namespace) && planning::names::is_subdomain(name)
}

/// The object, or its positive absence.
pub(crate) fn present_or_absent<K>(result: Result<K, kube::Error>, name: &str) -> Result<Option<K>, kube::Error> {
    match result {
        Ok(object) => Ok(Some(object)),
        Err(kube::Error::Api(status)) if is_absence(&status, name) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::response::StatusDetails;

    use super::*;

    #[test]
    fn a_name_that_would_lead_elsewhere_is_nobodys() {
        assert!(can_exist("team", "app.credentials-1"));
        for name in ["../../b/secrets/x", "x/status", "x?watch=true", "x%2fy", "X", "", ".", ".."] {
            assert!(!can_exist("team", name) && !can_exist(name, "app"), "{name}");
        }
    }

    fn not_found(name: Option<&str>) -> kube::Error {
        let mut status = Status::failure("not found", "NotFound").with_code(404);
        if let Some(name) = name {
            status = status.with_details(StatusDetails { name: name.to_owned(), ..details() });
        }
        kube::Error::Api(status.boxed())
    }

    fn details() -> StatusDetails {
        StatusDetails {
            name: String::new(),
            group: String::new(),
            kind: "secrets".to_owned(),
            uid: String::new(),
            causes: Vec::new(),
            retry_after_seconds: 0,
        }
    }

    #[test]
    fn only_the_api_servers_own_word_about_this_object_counts_as_absence() {
        assert!(present_or_absent::<()>(Err(not_found(Some("a"))), "a").unwrap().is_none());
        assert!(present_or_absent::<()>(Err(not_found(Some("b"))), "a").is_err());
        assert!(present_or_absent::<()>(Err(not_found(None)), "a").is_err());
        assert_eq!(present_or_absent(Ok(1), "a").unwrap(), Some(1));
    }
}

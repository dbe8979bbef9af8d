//! What the operator does about an error, told by its class and never by its text.
//!
//! Decided here: the class of everything that comes from the API server or from an adapter. A caller that
//! knows more (a conflict that means somebody else's object) decides before it asks.

use sandbox::contract::ErrorKind;
use sandbox::{CallClass, CallError};

pub use planning::Class;

/// An error that knows what is to be done about it.
pub trait Classified {
    /// The class of this error.
    fn class(&self) -> Class;
}

impl Classified for kube::Error {
    fn class(&self) -> Class {
        class_of_kube(self)
    }
}

impl Classified for CallError {
    fn class(&self) -> Class {
        class_of_call(self)
    }
}

/// The error with its causes, on one line, for the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    // Some libraries repeat the cause in their own words; once is enough.
    causes
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| if text.ends_with(&cause) { text } else { format!("{text}: {cause}") })
}

/// The class of an error of the API server or of the way to it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the variants depend on kube's features, and all others are ours to repair"
)]
pub fn class_of_kube(error: &kube::Error) -> Class {
    match error {
        kube::Error::Api(status) => class_of_status(status.code),
        // An answer that does not parse is one that a proxy or a half-upgraded API server gave.
        kube::Error::HyperError(_)
        | kube::Error::Service(_)
        | kube::Error::ReadEvents(_)
        | kube::Error::Auth(_)
        | kube::Error::SerdeError(_)
        | kube::Error::FromUtf8(_) => Class::Transient,
        _ => Class::Bug,
    }
}

/// The class of an HTTP status of the API server.
fn class_of_status(code: u16) -> Class {
    match code {
        // Admission webhooks and RBAC say no with a 403; both can be changed, so it is tried again slowly.
        401 | 403 => Class::Refused,
        // We sent what no API server accepts.
        400 | 405 | 406 | 413 | 415 | 422 => Class::Bug,
        // Among them 404 and 409: the cache was behind, and the next look tells what is true now.
        _ => Class::Transient,
    }
}

/// The class of a call into an adapter that gave no result.
pub fn class_of_call(error: &CallError) -> Class {
    match error.class() {
        CallClass::Answered => {
            if let CallError::Adapter(answer) = error {
                class_of_answer(&answer.kind)
            } else {
                Class::Bug
            }
        }
        CallClass::Server | CallClass::Host => Class::Transient,
        CallClass::Refused => Class::Refused,
        CallClass::Guest => Class::Guest,
    }
}

/// The class of an adapter's own answer.
pub fn class_of_answer(kind: &ErrorKind) -> Class {
    match kind {
        // The Secret is read again each time, so the cure is noticed.
        ErrorKind::Authentication | ErrorKind::DependencyMissing => Class::Waiting,
        ErrorKind::PermissionDenied => Class::Refused,
        ErrorKind::InvalidOptions(_) | ErrorKind::Unsupported => Class::Invalid,
        // The first three: the state moved between the look and the act, and the next look tells what is true now.
        ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::Conflict
        | ErrorKind::Transient(_)
        | ErrorKind::TimedOut
        | ErrorKind::Protocol
        | ErrorKind::Engine(_) => Class::Transient,
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn api_error(code: u16) -> kube::Error {
        kube::Error::Api(Status::failure("no", "No").with_code(code).boxed())
    }

    #[test]
    fn what_the_api_server_says_has_a_class() {
        for (code, class) in [
            (409, Class::Transient),
            (429, Class::Transient),
            (500, Class::Transient),
            (503, Class::Transient),
            (403, Class::Refused),
            (422, Class::Bug),
        ] {
            assert_eq!(class_of_kube(&api_error(code)), class, "{code}");
        }
    }

    #[test]
    fn what_an_adapter_says_has_a_class() {
        assert_eq!(class_of_answer(&ErrorKind::Authentication), Class::Waiting);
        assert_eq!(class_of_answer(&ErrorKind::Unsupported), Class::Invalid);
        assert_eq!(class_of_answer(&ErrorKind::PermissionDenied), Class::Refused);
        assert_eq!(class_of_answer(&ErrorKind::Transient(None)), Class::Transient);
        assert_eq!(class_of_call(&CallError::Trapped { message: "unreachable".to_owned() }), Class::Guest);
    }
}

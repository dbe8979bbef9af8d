//! From an adapter's or the sandbox's error to the reason a reconcile stopped. By kind, never by text.

use crds::names::reason;
use planning::{Blocked, Class, Gate};
use sandbox::contract::{self, ErrorKind};
use sandbox::{CallError, NetFailure};

use super::failure::Failure;
use super::translate::Paths;
use crate::errors::Classified;

/// As many problems of a spec are told in one message.
const NAMED_PROBLEMS: usize = 20;

/// As much of what is waited for is told in one message.
const NAMED_LACKS: usize = 5;

/// Why a reconcile ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// For the status.
    Blocked(Blocked),
    /// The API server failed us: there may be no way to write a status.
    Failure(Failure),
}

impl Stop {
    /// Of something that is there and was worked on: whatever the server says of its spec now, it was accepted.
    pub(crate) fn once_accepted(self) -> Self {
        match self {
            Self::Blocked(blocked) => Self::Blocked(Blocked { gate: Gate::Synced, ..blocked }),
            Self::Failure(failure) => Self::Failure(failure),
        }
    }
}

impl From<Blocked> for Stop {
    fn from(blocked: Blocked) -> Self {
        Self::Blocked(blocked)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// What the differences lack is waited for.
pub(crate) fn lacking(what: &[String]) -> Blocked {
    let text = what.iter().take(NAMED_LACKS).cloned().collect::<Vec<_>>().join("; ");
    let message = match what.len().saturating_sub(NAMED_LACKS) {
        0 => text,
        more => format!("{text}; and {more} more"),
    };
    Blocked::waiting(reason::DEPENDENCY_MISSING, message)
}

/// One line for what stopped a reconcile. What is so since before is for those who look closer.
pub(crate) fn log(blocked: &Blocked, is_new: bool) {
    let Blocked { gate: _, reason, message, class, about_the_instance: _ } = blocked;
    let class = class.as_str();
    if is_new {
        tracing::info!(reason, class, "{message}");
    } else {
        tracing::debug!(reason, class, "{message}");
    }
}

/// What a failed call means for the resource. The private half goes to the log here, and nowhere else.
pub(crate) fn blocked(error: &CallError, paths: Paths<'_>) -> Blocked {
    let class = Classified::class(error);
    match error {
        CallError::Adapter(answer) => from_answer(answer, paths, class),
        CallError::Unreachable { failure, answer: _ } => {
            let reason = match failure {
                NetFailure::Refused(_) => reason::ENDPOINT_DENIED,
                NetFailure::Tls(_) => reason::TLS_FAILED,
                NetFailure::Resolve(_) | NetFailure::Dial(_) => reason::CONNECTION_FAILED,
            };
            Blocked::failed(reason, error.to_string(), class).of_the_instance()
        }
        CallError::SecretTooLong(_) => Blocked::invalid(reason::INVALID_OPTIONS, error.to_string()),
        CallError::DeadlineExceeded(_) => Blocked::failed(reason::TIMEOUT, error.to_string(), class).of_the_instance(),
        CallError::Quarantined { digest, remaining } => {
            tracing::debug!(%digest, ?remaining, "the adapter is in quarantine");
            Blocked::failed(reason::ENGINE_QUARANTINED, error.to_string(), class).of_the_instance()
        }
        CallError::Trapped { message } => {
            tracing::error!(trap = message, "the adapter broke off");
            Blocked::failed(
                reason::ENGINE_FAILED,
                "the engine's adapter broke off; the operator's log has the details",
                class,
            )
        }
        CallError::OutOfTime(_)
        | CallError::MemoryLimit(_)
        | CallError::TableLimit(_)
        | CallError::HandleLimit(_)
        | CallError::TooMuchData(_)
        | CallError::SecretInAnswer => Blocked::failed(reason::ENGINE_FAILED, error.to_string(), class),
        CallError::Busy(_) | CallError::Closed | CallError::Stopped | CallError::NoRoom(_) => {
            Blocked::failed(reason::RECONCILING, error.to_string(), class).of_the_instance()
        }
    }
}

fn from_answer(answer: &contract::Error, paths: Paths<'_>, class: Class) -> Blocked {
    let contract::Error { kind, message, detail } = answer;
    if !detail.is_empty() {
        tracing::info!(detail, message, "the engine refused");
    }
    match kind {
        ErrorKind::InvalidOptions(problems) => {
            let named = problems.iter().take(NAMED_PROBLEMS);
            let mut text: Vec<String> =
                named.map(|problem| format!("{}: {}", paths.resolve(&problem.path), problem.problem)).collect();
            if let Some(more) = problems.len().checked_sub(NAMED_PROBLEMS).filter(|more| *more > 0) {
                text.push(format!("and {more} more problems"));
            }
            Blocked::invalid(reason::INVALID_OPTIONS, text.join("; "))
        }
        ErrorKind::Unsupported => Blocked::invalid(reason::UNSUPPORTED, message.clone()),
        ErrorKind::Authentication => Blocked::failed(reason::AUTHENTICATION_FAILED, message.clone(), class),
        ErrorKind::PermissionDenied => Blocked::failed(reason::PERMISSION_DENIED, message.clone(), class),
        ErrorKind::DependencyMissing => Blocked::failed(reason::DEPENDENCY_MISSING, message.clone(), class),
        ErrorKind::TimedOut => Blocked::failed(reason::TIMEOUT, message.clone(), class),
        ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::Conflict => {
            Blocked::failed(reason::RECONCILING, message.clone(), class)
        }
        ErrorKind::Transient(_) | ErrorKind::Protocol => {
            Blocked::failed(reason::RECONCILE_FAILED, message.clone(), class)
        }
        ErrorKind::Engine(code) => Blocked::failed(reason::RECONCILE_FAILED, format!("{message} ({code})"), class),
    }
}

/// For `map_err`.
pub(crate) fn stop(paths: Paths<'_>) -> impl Fn(CallError) -> Stop {
    move |error| Stop::Blocked(blocked(&error, paths))
}

/// For `map_err` on requests to the API server.
pub(crate) fn asking<E>(operation: &'static str) -> impl FnOnce(E) -> Stop
where
    E: Classified + std::error::Error + Send + Sync + 'static,
{
    move |error| {
        let failure = Failure::asking(operation)(error);
        match failure.class() {
            // The operator's own rights are missing: an administrator must act, and the resource says so.
            Class::Refused => Stop::Blocked(Blocked::failed(
                reason::RECONCILE_FAILED,
                format!("the operator may not do this in the cluster: {operation}"),
                Class::Refused,
            )),
            Class::Invalid | Class::Waiting | Class::Transient | Class::Guest | Class::Bug => Stop::Failure(failure),
        }
    }
}

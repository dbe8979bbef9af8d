//! How long a call may take: longer than what the instance's options let the server work on one statement.
//!
//! Deliberately absent: the guest's time on the processor, which nobody's options change.

use std::time::Duration;

use crds::names::reason;
use planning::Blocked;
use sandbox::Limits;
use sandbox::contract::InstanceExamination;

/// More than this is no limit: a session that waits so long is lost for everything else.
const LONGEST: Duration = Duration::from_hours(1);

/// For the adapter's own wait for the answer, and for the quick statements beside the long one. The server's answer
/// must come before the call ends, or nobody learns what it was.
const MARGIN: Duration = Duration::from_secs(30);

/// The limits of calls to a server by what its adapter said of the options in this block.
pub(super) fn of(examination: &InstanceExamination, block: &str) -> Result<Limits, Blocked> {
    let InstanceExamination { tls: _, connect_timeout_ms, statement_timeout_ms } = examination;
    let mut limits = Limits::default();
    let stated = |milliseconds: &u32| Duration::from_millis(u64::from(*milliseconds));
    if let Some(connect) = connect_timeout_ms.as_ref().map(stated) {
        limits.dial = bounded(connect, block, "opening a connection")?;
        limits.wall = limits.wall.max(connect + MARGIN);
    }
    if let Some(statement) = statement_timeout_ms.as_ref().map(stated) {
        limits.wall = limits.wall.max(bounded(statement, block, "a statement")? + MARGIN);
    }
    Ok(limits)
}

fn bounded(stated: Duration, block: &str, what: &str) -> Result<Duration, Blocked> {
    if stated.is_zero() || stated > LONGEST {
        let message =
            format!("spec.{block} gives {what} {stated:?}; it must be more than nothing, and {LONGEST:?} at most");
        return Err(Blocked::invalid(reason::INVALID_OPTIONS, message));
    }
    Ok(stated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connect_timeout_ms: Option<u32>, statement_timeout_ms: Option<u32>) -> Result<Limits, Blocked> {
        of(&InstanceExamination { tls: None, connect_timeout_ms, statement_timeout_ms }, "postgres")
    }

    #[test]
    fn the_servers_answer_comes_before_the_end_of_the_call() {
        for seconds in [1, 59, 60, 3600] {
            let wall = limits(None, Some(seconds * 1000)).unwrap().wall;
            // The adapters wait five seconds longer than the server.
            assert!(wall > Duration::from_secs(u64::from(seconds) + 5), "{seconds}: {wall:?}");
            let limits = limits(Some(seconds * 1000), None).unwrap();
            assert!(limits.wall > limits.dial && limits.dial == Duration::from_secs(u64::from(seconds)));
        }
    }

    #[test]
    fn what_is_not_stated_changes_nothing_and_the_guests_own_limits_stay() {
        assert_eq!(limits(None, None).unwrap(), Limits::default());
        let Limits { wall, dial, .. } = limits(Some(120_000), Some(1_800_000)).unwrap();
        assert_eq!(limits(Some(120_000), Some(1_800_000)).unwrap(), Limits { wall, dial, ..Limits::default() });
        assert!(limits(None, Some(1)).unwrap().wall >= Limits::default().wall, "short statements make no call shorter");
    }

    #[test]
    fn what_would_be_no_limit_is_refused_with_its_place() {
        for (connect, statement) in [(None, Some(0)), (None, Some(3_600_001)), (Some(0), None), (Some(u32::MAX), None)]
        {
            let blocked = limits(connect, statement).unwrap_err();
            assert_eq!(blocked.reason, reason::INVALID_OPTIONS);
            assert!(blocked.message.starts_with("spec.postgres "), "{}", blocked.message);
        }
    }
}

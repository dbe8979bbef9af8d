//! Durations as people write them in manifests and flags: `8h`, `30m`, `1h30m`, `1.5s`.
//!
//! The notation is Go's, because that is what Kubernetes manifests use. Negative durations are refused:
//! nothing here can wait backwards. Deliberately absent: days and weeks, which Go does not know either.

use std::time::Duration;

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// There is nothing to read.
    #[error("a duration such as 30m or 8h is expected")]
    Empty,
    /// A minus sign.
    #[error("`{0}` is negative; a duration cannot be")]
    Negative(String),
    /// A number is missing or malformed.
    #[error("`{0}` is not a duration such as 30m or 8h")]
    Malformed(String),
    /// A number without a unit.
    #[error("`{0}` lacks a unit; write h, m, s, ms, us or ns after each number")]
    MissingUnit(String),
    /// A unit that does not exist.
    #[error("`{unit}` in `{text}` is not a unit of time; h, m, s, ms, us and ns are")]
    UnknownUnit {
        /// The whole text.
        text: String,
        /// The unknown word.
        unit: String,
    },
    /// More than can be counted.
    #[error("`{0}` is too long")]
    TooLong(String),
}

/// Reads a duration in Go's notation.
pub fn parse(text: &str) -> Result<Duration, ParseDurationError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ParseDurationError::Empty);
    }
    if text.starts_with('-') {
        return Err(ParseDurationError::Negative(text.to_owned()));
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(ParseDurationError::Malformed(text.to_owned()));
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (number, after_number) = split_where(rest, |character| !(character.is_ascii_digit() || character == '.'));
        let (unit, after_unit) = split_where(after_number, |character| character.is_ascii_digit() || character == '.');
        let part = part(text, number, unit)?;
        total = total.checked_add(part).ok_or_else(|| ParseDurationError::TooLong(text.to_owned()))?;
        rest = after_unit;
    }
    // Go's range is 63 bits of nanoseconds, 292 years; a wider one would be refused elsewhere in the cluster.
    let nanoseconds = i64::try_from(total)
        .ok()
        .and_then(|total| u64::try_from(total).ok())
        .ok_or_else(|| ParseDurationError::TooLong(text.to_owned()))?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// The nanoseconds of one number with its unit.
fn part(text: &str, number: &str, unit: &str) -> Result<u128, ParseDurationError> {
    let malformed = || ParseDurationError::Malformed(text.to_owned());
    let too_long = || ParseDurationError::TooLong(text.to_owned());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(malformed());
    }
    let scale: u128 = match unit {
        "" => return Err(ParseDurationError::MissingUnit(text.to_owned())),
        "ns" => 1,
        // The micro sign, the Greek letter, and what a keyboard has.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        unit => {
            return Err(ParseDurationError::UnknownUnit { text: text.to_owned(), unit: unit.to_owned() });
        }
    };
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse::<u64>().map_err(|_overflow| too_long())?.into() };
    let mut nanoseconds = whole.checked_mul(scale).ok_or_else(too_long)?;
    // A fraction adds its digits one by one; those below a nanosecond are cut off, as Go does.
    let mut place = scale;
    for digit in fraction.chars() {
        place /= 10;
        let digit = digit.to_digit(10).ok_or_else(malformed)?;
        nanoseconds = nanoseconds.checked_add(place * u128::from(digit)).ok_or_else(too_long)?;
    }
    Ok(nanoseconds)
}

/// Splits before the first character that the predicate names.
fn split_where(text: &str, predicate: impl Fn(char) -> bool) -> (&str, &str) {
    let at = text.find(predicate).unwrap_or(text.len());
    text.split_at_checked(at).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let seconds = Duration::from_secs;
        for (text, expected) in [
            ("0", Duration::ZERO),
            ("0s", Duration::ZERO),
            ("8h", seconds(8 * 3600)),
            ("30m", seconds(1800)),
            ("10s", seconds(10)),
            ("1h30m", seconds(5400)),
            ("1h0m5s", seconds(3605)),
            ("1.5s", Duration::from_millis(1500)),
            (".5m", seconds(30)),
            ("2.h", seconds(7200)),
            ("+3s", seconds(3)),
            (" 3s ", seconds(3)),
            ("15ms", Duration::from_millis(15)),
            ("15us", Duration::from_micros(15)),
            ("15µs", Duration::from_micros(15)),
            ("15ns", Duration::from_nanos(15)),
            ("0.0000000019s", Duration::from_nanos(1)),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_by_name() {
        let refused = |text: &str| parse(text).unwrap_err();
        assert_eq!(refused(""), ParseDurationError::Empty);
        assert_eq!(refused("  "), ParseDurationError::Empty);
        assert_eq!(refused("-1s"), ParseDurationError::Negative("-1s".to_owned()));
        assert_eq!(refused("5"), ParseDurationError::MissingUnit("5".to_owned()));
        assert_eq!(refused("1h5"), ParseDurationError::MissingUnit("1h5".to_owned()));
        assert_eq!(refused("h"), ParseDurationError::Malformed("h".to_owned()));
        assert_eq!(refused("+"), ParseDurationError::Malformed("+".to_owned()));
        assert_eq!(refused("1.2.3s"), ParseDurationError::Malformed("1.2.3s".to_owned()));
        assert_eq!(refused("3d"), ParseDurationError::UnknownUnit { text: "3d".to_owned(), unit: "d".to_owned() });
        assert_eq!(refused("9999999999999h"), ParseDurationError::TooLong("9999999999999h".to_owned()));
        assert_eq!(
            refused("99999999999999999999999s"),
            ParseDurationError::TooLong("99999999999999999999999s".to_owned())
        );
    }
}

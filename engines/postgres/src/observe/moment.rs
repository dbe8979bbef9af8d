//! Times that are stated, as a session in UTC shows them, without asking the server. Pure.
//!
//! What the server reads beside ISO 8601 (names of months and of zones, 24:00, leap seconds) is left to the server:
//! PostgreSQL, "Date/Time Input".

use jiff::civil::DateTime;
use jiff::tz::Offset;

/// `2030-12-31T23:59:59+02:00` as `2030-12-31 21:59:59+00`; none for what is the server's to read.
pub(crate) fn as_shown(stated: &str) -> Option<String> {
    if stated == "infinity" {
        return Some(stated.to_owned());
    }
    let (date, rest) = stated.split_at_checked("0000-00-00".len())?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let time = match rest.strip_prefix([' ', 'T']) {
        None if rest.is_empty() => "00:00",
        time => time?,
    };
    let (time, zone) = time.split_at(time.find(['Z', '+', '-']).unwrap_or(time.len()));
    let with_seconds = if time.len() == "00:00".len() { format!("{time}:00") } else { time.to_owned() };
    let (time, fraction) = with_seconds.split_once('.').unwrap_or((&with_seconds, ""));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let small = |number: i16| i8::try_from(number).ok();
    let stated = DateTime::new(
        year,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        nanoseconds(fraction)?,
    );
    let moment = offset(zone)?.to_timestamp(stated.ok()?).ok()?;
    let shown = Offset::UTC.to_datetime(moment);
    let (date, time) = (shown.date(), shown.time());
    let date = format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day());
    let time = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{date} {time}{point}{fraction}+00"))
}

/// Numbers of so many digits each, and nothing else.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[i16; N]> {
    let mut parts = text.split(between);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let is_number = part.len() == digits && part.bytes().all(|digit| digit.is_ascii_digit());
        *number = if is_number { part.parse().ok()? } else { return None };
    }
    parts.next().is_none().then_some(numbers)
}

/// The server keeps microseconds, and rounds what is finer.
fn nanoseconds(fraction: &str) -> Option<i32> {
    let is_number = fraction.len() <= 6 && fraction.bytes().all(|digit| digit.is_ascii_digit());
    if is_number { format!("{fraction:0<9}").parse().ok() } else { None }
}

/// Without a zone a time is the session's, which is in UTC.
fn offset(zone: &str) -> Option<Offset> {
    let Some(sign) = zone.chars().next().filter(|sign| *sign != 'Z') else {
        return (zone.len() <= 1).then_some(Offset::UTC);
    };
    let hours_and_minutes = if zone.len() == "+00".len() { format!("{zone}:00") } else { zone.to_owned() };
    let [hours, minutes] = numbers(hours_and_minutes.strip_prefix(sign)?, ':', [2, 2])?;
    let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
    Offset::from_seconds(if sign == '-' { -seconds } else { seconds }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_iso_8601_is_read_without_the_server() {
        for (stated, shown) in [
            ("2030-12-31T23:59:59Z", "2030-12-31 23:59:59+00"),
            ("2030-12-31T23:59:59+02:00", "2030-12-31 21:59:59+00"),
            ("2030-12-31 23:30:00-01", "2031-01-01 00:30:00+00"),
            ("2030-12-31T23:59:59.500Z", "2030-12-31 23:59:59.5+00"),
            ("2030-12-31", "2030-12-31 00:00:00+00"),
            ("2030-12-31 12:00", "2030-12-31 12:00:00+00"),
            ("2030-12-31 23:59:59.120+00:30", "2030-12-31 23:29:59.12+00"),
            ("2030-12-31T12:00:00", "2030-12-31 12:00:00+00"),
            ("infinity", "infinity"),
        ] {
            assert_eq!(as_shown(stated).as_deref(), Some(shown), "{stated}");
        }
        for others in [
            "now",
            "Z",
            "",
            "Jan 5 2031",
            "2030-12-31 24:00",
            "2030-12-31T23:59:60Z",
            "2030-13-01",
            "2030-02-30",
            "12030-12-31",
            "2030-12-31T23:59:59.1234567Z",
            "2030-12-31 12:00 Europe/Berlin",
            "2030-12-31T23:59:59[UTC]",
            "20301231",
            "2030-12",
            "-infinity",
            "2030-12-31 BC",
            "2030-12-31T",
            "2030-12-31 12:00.5",
            "2030-12-31 12:00+25:99",
            "2030-12-31 12:00+0200",
            "2030-12-31 +2:00",
            "2030-12-31é",
        ] {
            assert_eq!(as_shown(others), None, "{others}");
        }
    }
}

//! Times as people read them.

/// Microseconds since 1970 as `2026-11-25 18:40:00.123`, in UTC.
pub(super) fn utc(micros: u64) -> String {
    const DAY: u64 = 86_400;
    let (seconds, millis) = (micros / 1_000_000, micros / 1_000 % 1_000);
    let (days, second) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03}")
}

/// Year, month and day, `days` after 1970-01-01, in the Gregorian calendar.
///
/// Counted from 1 March of the year 0, so that a leap day is the last day of its year; 400 years are
/// 146,097 days, and the months from March on have 31, 30, 31, 30, 31 days over and over.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leap_days = day_of_era / 1_460 + day_of_era / 146_096;
    let year_of_era = (day_of_era + day_of_era / 36_524 - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

/// A time as it was written: its first and last microsecond since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// Reads a time as `utc` writes it, with a space or a T, or its beginning: a day, minute or second; or
/// microseconds since 1970.
pub(super) fn span(text: &str) -> Result<Span, &'static str> {
    read(text)
        .ok_or("a time is written as 2026-11-25, 2026-11-25T18:40, with seconds and thousandths if need be")
}

fn read(text: &str) -> Option<Span> {
    const UNITS: [u64; 4] = [86_400_000_000, 60_000_000, 1_000_000, 1_000];
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A year or a day without its dashes is no number of microseconds that anybody means.
        if text.len() < 10 {
            return None;
        }
        let micros = text.parse().ok()?;
        return Some(Span { first: micros, last: micros });
    }
    let text = text.strip_suffix('Z').unwrap_or(text).replace('T', " ");
    // What is left out is the least that there is.
    let unit = match text.len() {
        10 => UNITS.first(),
        16 => UNITS.get(1),
        19 => UNITS.get(2),
        23 => UNITS.get(3),
        _ => None,
    }?;
    let number = |from: usize, to: usize| match text.get(from..to) {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse::<u64>().ok(),
        Some(_) => None,
        None => Some(0),
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let year_from_march = if month > 2 { year } else { year.checked_sub(1)? };
    let (era, year_of_era) = (year_from_march / 400, year_from_march % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    let first = (days * 86_400 + seconds) * 1_000_000 + number(20, 23)? * 1_000;
    // Written again it is the same, or there is no such day or hour.
    utc(first).starts_with(&text).then_some(Span { first, last: first + unit - 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f5_times_are_read_as_they_are_written_whole_or_in_part() {
        let day = 1_767_225_600_000_000;
        let span = |text| span(text).map(|span| (span.first - day, span.last - day));
        assert_eq!(span("2026-01-01"), Ok((0, 86_400_000_000 - 1)));
        assert_eq!(span("2026-01-01 18:40"), Ok((67_200_000_000, 67_260_000_000 - 1)));
        assert_eq!(span("2026-01-01T18:40:59Z"), Ok((67_259_000_000, 67_260_000_000 - 1)));
        assert_eq!(span("2026-01-01T18:40:59.123"), Ok((67_259_123_000, 67_259_124_000 - 1)));
        assert_eq!(span("1767225600000005"), Ok((5, 5)));
        for micros in [0, 951_782_400_000_000, 4_107_542_400_000_000, 4_107_456_000_123_000] {
            assert_eq!(super::span(&utc(micros)), Ok(Span { first: micros, last: micros + 999 }));
        }
        let wrong = [
            "",
            "x",
            "2026",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "2026-01-01 24:00",
            "1969-12-31",
            "2026-01-01 18:4x",
            "2026-01-01x18:40",
            "0000-01-01",
            "-5",
            "éééééééé12",
        ];
        for text in wrong {
            assert!(super::span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn f5_times_are_the_calendars() {
        assert_eq!(utc(0), "1970-01-01 00:00:00.000");
        assert_eq!(utc(951_782_400_000_000), "2000-02-29 00:00:00.000");
        assert_eq!(utc(1_767_225_599_999_999), "2025-12-31 23:59:59.999");
        assert_eq!(utc(1_767_225_600_000_000), "2026-01-01 00:00:00.000");
        assert_eq!(utc(4_107_542_400_000_000), "2100-03-01 00:00:00.000");
        assert_eq!(utc(4_107_456_000_000_000), "2100-02-28 00:00:00.000");
    }
}

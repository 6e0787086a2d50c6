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

#[cfg(test)]
mod tests {
    use super::*;

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

//! Times in which nothing is applied: `Fri 16:00-Mon 08:00 Europe/Berlin`, every week, or
//! `2026-12-23 18:00-2027-01-04 08:00 UTC`, once.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// As it was written.
    pub text: String,
    when: When,
    zone: TimeZone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum When {
    Weekly((Weekday, Time), (Weekday, Time)),
    Once(DateTime, DateTime),
}

const FORM: &str = "write `Fri 16:00-Mon 08:00 Europe/Berlin`, or `2026-12-23 18:00-2027-01-04 08:00 Europe/Berlin` for once";

impl Window {
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time in which to freeze: {FORM}");
        let words: Vec<&str> = text.split_whitespace().collect();
        let [first, middle, last, zone @ ..] = words.as_slice() else { return Err(wrong()) };
        let (begins, day) = middle.split_once('-').ok_or_else(wrong)?;
        let zone = match zone {
            [] => TimeZone::UTC,
            [name] => TimeZone::get(name).map_err(|_| format!("`{name}` is no time zone: {FORM}"))?,
            _ => return Err(wrong()),
        };
        let time = |text: &str| Time::strptime("%H:%M", text).ok();
        let (begins, ends) = time(begins).zip(time(last)).ok_or_else(wrong)?;
        let when = match weekday(first).zip(weekday(day)) {
            Some((from, to)) => When::Weekly((from, begins), (to, ends)),
            None => {
                let date = |text: &str| text.parse::<jiff::civil::Date>().ok();
                let (from, to) = date(first).zip(date(day)).ok_or_else(wrong)?;
                let (from, to) = (from.to_datetime(begins), to.to_datetime(ends));
                if from >= to {
                    return Err(format!("`{text}` ends before it begins"));
                }
                When::Once(from, to)
            }
        };
        Ok(Window { text: text.to_owned(), when, zone })
    }

    /// When the freeze ends that `now` lies in; None if it lies in none.
    pub fn ends(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_zoned(self.zone.clone()).datetime();
        let (from, to) = match self.when {
            When::Once(from, to) => (from, to),
            When::Weekly(from, to) => {
                // The latest beginning that is not after now, and the first end after that.
                let from = before(local, from)?;
                (from, after(from, to)?)
            }
        };
        let end = (from <= local && local < to).then_some(to)?;
        self.zone.to_ambiguous_timestamp(end).compatible().ok()
    }
}

fn weekday(text: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("mon", Weekday::Monday),
        ("tue", Weekday::Tuesday),
        ("wed", Weekday::Wednesday),
        ("thu", Weekday::Thursday),
        ("fri", Weekday::Friday),
        ("sat", Weekday::Saturday),
        ("sun", Weekday::Sunday),
    ];
    let lower = text.to_lowercase();
    NAMES.iter().find(|(name, _)| lower == *name).map(|(_, day)| *day)
}

fn before(now: DateTime, (day, time): (Weekday, Time)) -> Option<DateTime> {
    let back = i64::from(now.weekday().since(day));
    let found = now.date().checked_sub(back.days()).ok()?.to_datetime(time);
    if found <= now { Some(found) } else { found.checked_sub(1.week()).ok() }
}

fn after(from: DateTime, (day, time): (Weekday, Time)) -> Option<DateTime> {
    let on = i64::from(day.since(from.weekday()));
    let found = from.date().checked_add(on.days()).ok()?.to_datetime(time);
    if found > from { Some(found) } else { found.checked_add(1.week()).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(window: &str, now: &str) -> Option<String> {
        let now: Timestamp = now.parse().expect("a time");
        Window::parse(window).expect("a window").ends(now).map(|t| t.to_string())
    }

    #[test]
    fn a_weekend_is_frozen_every_week_in_its_own_zone() {
        let window = "Fri 16:00-Mon 08:00 Europe/Berlin";
        // Winter: Berlin is an hour ahead; summer: two.
        assert_eq!(ends(window, "2026-01-02T14:59:59Z"), None);
        assert_eq!(ends(window, "2026-01-02T15:00:00Z").as_deref(), Some("2026-01-05T07:00:00Z"));
        assert_eq!(ends(window, "2026-01-05T06:59:59Z").as_deref(), Some("2026-01-05T07:00:00Z"));
        assert_eq!(ends(window, "2026-01-05T07:00:00Z"), None);
        assert_eq!(ends(window, "2026-07-03T14:00:00Z").as_deref(), Some("2026-07-06T06:00:00Z"));
    }

    #[test]
    fn a_night_may_begin_and_end_on_the_same_day_of_the_week() {
        assert_eq!(
            ends("Mon 22:00-Mon 23:00", "2026-01-05T22:30:00Z").as_deref(),
            Some("2026-01-05T23:00:00Z")
        );
        assert_eq!(ends("Mon 22:00-Mon 23:00", "2026-01-05T23:30:00Z"), None);
        // From Monday evening to Monday morning is nearly a week.
        assert_eq!(
            ends("Mon 22:00-Mon 06:00", "2026-01-08T12:00:00Z").as_deref(),
            Some("2026-01-12T06:00:00Z")
        );
    }

    #[test]
    fn holidays_are_frozen_once() {
        let window = "2026-12-23 18:00-2027-01-04 08:00";
        assert_eq!(ends(window, "2026-12-31T00:00:00Z").as_deref(), Some("2027-01-04T08:00:00Z"));
        assert_eq!(ends(window, "2027-12-31T00:00:00Z"), None);
    }

    #[test]
    fn what_is_no_window_says_how_to_write_one() {
        for wrong in [
            "",
            "Fri",
            "Fri 16:00-Mon",
            "Fri 25:00-Mon 08:00",
            "Fry 16:00-Mon 08:00",
            "Fri 16:00-Mon 08:00 Mars/Base",
            "2026-12-23 18:00-2026-12-22 08:00",
            "Fri 16:00-Mon 08:00 Europe/Berlin now",
        ] {
            let why = Window::parse(wrong).expect_err(wrong);
            assert!(why.contains("write `Fri") || why.contains("ends before"), "{why}");
        }
    }
}

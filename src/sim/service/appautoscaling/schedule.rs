//! Schedules: `at(2026-01-01T10:00:00)`, `rate(5 minutes)`, `cron(0 8 ? * MON-FRI *)`.

use crate::world::{MINUTE, Millis};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

#[derive(Debug, PartialEq)]
pub enum Schedule {
    At(DateTime),
    Rate(Millis),
    Cron(Box<Cron>),
}

/// Allowed values of each field; None is any.
#[derive(Debug, PartialEq)]
pub struct Cron {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
    years: Field,
    /// Cron of old: where both kinds of day are restricted, either will do.
    either_day: bool,
}

type Field = Option<Vec<i64>>;

const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

fn field(text: &str, low: i64, high: i64, names: &[&str]) -> Option<Field> {
    if matches!(text, "*" | "?") {
        return Some(None);
    }
    let value = |text: &str| match names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        Some(at) => Some(low + at as i64),
        None => text.parse::<i64>().ok().filter(|n| (low..=high).contains(n)),
    };
    let mut values = Vec::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<i64>().ok().filter(|n| *n > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (value(from)?, value(to)?),
            None if range == "*" => (low, high),
            None if part.contains('/') => (value(range)?, high),
            None => (value(range)?, value(range)?),
        };
        let mut at = from;
        while at <= to {
            values.push(at);
            at += step;
        }
    }
    Some(Some(values))
}

pub fn parse(text: &str) -> Option<Schedule> {
    let (kind, rest) = text.trim().split_once('(')?;
    let inner = rest.strip_suffix(')')?.trim();
    match kind {
        "at" => inner.parse().ok().map(Schedule::At),
        "rate" => {
            let (number, unit) = inner.split_once(' ')?;
            let unit = match unit.trim_end_matches('s') {
                "minute" => MINUTE,
                "hour" => 60 * MINUTE,
                "day" => 1440 * MINUTE,
                _ => return None,
            };
            let number: i64 = number.parse().ok()?;
            (number > 0).then_some(Schedule::Rate(number * unit))
        }
        "cron" => {
            let fields: Vec<&str> = inner.split_whitespace().collect();
            let [minutes, hours, days, months, weekdays, years] = fields.as_slice() else { return None };
            Some(Schedule::Cron(Box::new(Cron {
                minutes: field(minutes, 0, 59, &[])?,
                hours: field(hours, 0, 23, &[])?,
                days: field(days, 1, 31, &[])?,
                months: field(months, 1, 12, MONTHS)?,
                weekdays: field(weekdays, 1, 7, DAYS)?,
                years: field(years, 1970, 2199, &[])?,
                either_day: false,
            })))
        }
        _ => None,
    }
}

/// Minute, hour, day, month and weekday, as Unix has them: the recurrences of EC2 Auto Scaling.
pub fn unix(text: &str) -> Option<Schedule> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minutes, hours, days, months, weekdays] = fields.as_slice() else { return None };
    // 0 and 7 are both Sunday, which counts as 1 here.
    let weekdays = field(weekdays, 0, 7, DAYS)?;
    let weekdays = weekdays.map(|values| values.into_iter().map(|day| day % 7 + 1).collect());
    Some(Schedule::Cron(Box::new(Cron {
        minutes: field(minutes, 0, 59, &[])?,
        hours: field(hours, 0, 23, &[])?,
        days: field(days, 1, 31, &[])?,
        months: field(months, 1, 12, MONTHS)?,
        weekdays,
        years: None,
        either_day: true,
    })))
}

impl Cron {
    fn day_matches(&self, time: &DateTime) -> bool {
        let has = |field: &Field, value: i64| field.as_ref().is_none_or(|values| values.contains(&value));
        let day = has(&self.days, i64::from(time.day()));
        let weekday = has(&self.weekdays, i64::from(time.weekday().to_sunday_one_offset()));
        let either = self.either_day && self.days.is_some() && self.weekdays.is_some();
        has(&self.years, i64::from(time.year()))
            && has(&self.months, i64::from(time.month()))
            && if either { day || weekday } else { day && weekday }
    }

    fn time_matches(&self, time: &DateTime) -> bool {
        let has = |field: &Field, value: i64| field.as_ref().is_none_or(|values| values.contains(&value));
        has(&self.hours, i64::from(time.hour())) && has(&self.minutes, i64::from(time.minute()))
    }

    /// The first matching minute after a local time, within the next four years.
    fn after(&self, time: DateTime) -> Option<DateTime> {
        let mut at = time.with().second(0).subsec_nanosecond(0).build().ok()?.checked_add(1.minute()).ok()?;
        let last = time.checked_add(4.years()).ok()?;
        while at < last {
            if !self.day_matches(&at) {
                at = at.date().tomorrow().ok()?.at(0, 0, 0, 0);
            } else if self.time_matches(&at) {
                return Some(at);
            } else {
                at = at.checked_add(1.minute()).ok()?;
            }
        }
        None
    }
}

/// When it is due next, after `now`. Rates count from `start`.
pub fn next(schedule: &Schedule, zone: Option<&str>, start: Millis, now: Millis) -> Option<Millis> {
    let zone = zone.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
    let instant =
        |local: DateTime| local.to_zoned(zone.clone()).ok().map(|time| time.timestamp().as_millisecond());
    match schedule {
        Schedule::At(local) => instant(*local).filter(|at| *at > now),
        Schedule::Rate(every) => Some(start + ((now - start).max(0) / every + 1) * every),
        Schedule::Cron(cron) => {
            let local = Timestamp::from_millisecond(now).ok()?.to_zoned(zone.clone()).datetime();
            instant(cron.after(local)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_after(text: &str, now: &str) -> String {
        let now: Timestamp = now.parse().expect("a time");
        let schedule = parse(text).expect("a schedule");
        let due = next(&schedule, None, now.as_millisecond(), now.as_millisecond()).expect("a next time");
        Timestamp::from_millisecond(due).expect("in range").to_string()
    }

    #[test]
    fn cron_finds_the_next_minute() {
        assert_eq!(next_after("cron(0 8 ? * MON-FRI *)", "2026-11-20T09:00:00Z"), "2026-11-23T08:00:00Z");
        assert_eq!(next_after("cron(0/15 * * * ? *)", "2026-11-20T09:16:30Z"), "2026-11-20T09:30:00Z");
        assert_eq!(next_after("rate(5 minutes)", "2026-11-20T09:00:00Z"), "2026-11-20T09:05:00Z");
        assert_eq!(parse("cron(0 8 * *)"), None);
    }

    #[test]
    fn unix_cron_has_two_sundays_and_takes_either_kind_of_day() {
        let after = |text: &str, now: &str| {
            let now = now.parse::<Timestamp>().expect("a time").as_millisecond();
            let due = next(&unix(text).expect("a schedule"), None, now, now).expect("a next time");
            Timestamp::from_millisecond(due).expect("in range").to_string()
        };
        // 2026-11-20 is a Friday.
        assert_eq!(after("0 8 * * 1-5", "2026-11-20T09:00:00Z"), "2026-11-23T08:00:00Z");
        assert_eq!(after("30 6 * * 7", "2026-11-20T09:00:00Z"), after("30 6 * * 0", "2026-11-20T09:00:00Z"));
        assert_eq!(after("0 0 1 * SUN", "2026-11-20T09:00:00Z"), "2026-11-22T00:00:00Z");
        assert_eq!(unix("0 8 * * 1-5 *"), None);
    }
}

//! Moments as the time types show them: RFC 3339 and in parts. What they share.

use crate::aws::AwsError;
use crate::builtin::Context;
use crate::schema::{Object, attributes};
use crate::value::Value;
use jiff::civil::Date;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

attributes! {
    SHARED:
    DAY: Int = computed("day").unknown_after_update();
    HOUR: Int = computed("hour").unknown_after_update();
    MINUTE: Int = computed("minute").unknown_after_update();
    MONTH: Int = computed("month").unknown_after_update();
    SECOND: Int = computed("second").unknown_after_update();
    TRIGGERS: StrMap = optional("triggers").replaces().doc("A change of any value replaces the resource");
    UNIX: Int = computed("unix").unknown_after_update();
    YEAR: Int = computed("year").unknown_after_update();
}

pub fn is_rfc3339(value: &Value) -> Result<(), String> {
    match value.as_str().and_then(parse) {
        Some(_) => Ok(()),
        None => Err("must be a time such as \"2026-01-31T12:00:00Z\" (RFC 3339)".to_owned()),
    }
}

/// A time with its offset kept: `2026-01-31T12:00:00+01:00` shows hour 12.
pub fn parse(text: &str) -> Option<Zoned> {
    let at: Timestamp = text.parse().ok()?;
    let offset = Pieces::parse(text).ok()?.to_numeric_offset()?;
    Some(at.to_zoned(TimeZone::fixed(offset)))
}

/// The declared time, or now.
pub fn declared_or_now(declared: Option<String>, cx: &Context) -> Result<Zoned, AwsError> {
    match declared.filter(|text| !text.is_empty()) {
        Some(text) => parse(&text).ok_or_else(|| invalid(&text)),
        None => Ok(cx.clock.now().to_zoned(TimeZone::UTC)),
    }
}

pub fn invalid(text: &str) -> AwsError {
    AwsError::failed("create", "InvalidTime", format!("`{text}` is not a time such as 2026-01-31T12:00:00Z"))
}

/// Whole seconds, `Z` for UTC.
pub fn format(moment: &Zoned) -> String {
    let offset = if moment.offset().is_zero() { "Z" } else { "%:z" };
    moment.strftime(&format!("%Y-%m-%dT%H:%M:%S{offset}")).to_string()
}

/// Writes the parts of `moment`.
pub fn set_parts(object: &mut Object, moment: &Zoned) {
    object
        .set(&YEAR, i64::from(moment.year()))
        .set(&MONTH, i64::from(moment.month()))
        .set(&DAY, i64::from(moment.day()))
        .set(&HOUR, i64::from(moment.hour()))
        .set(&MINUTE, i64::from(moment.minute()))
        .set(&SECOND, i64::from(moment.second()))
        .set(&UNIX, moment.timestamp().as_second());
}

/// What is imported as `base,far` or as `base,years,months,days,hours,minutes…`: the base, and what follows.
pub fn imported(id: &str, parts: usize) -> Option<(Zoned, Imported)> {
    let (base, rest) = id.split_once(',')?;
    let base = parse(base)?;
    if let Some(far) = parse(rest) {
        return Some((base, Imported::Moment(far)));
    }
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse().ok() };
    let numbers: Vec<i64> = rest.split(',').map(number).collect::<Option<_>>()?;
    (numbers.len() == parts && numbers.iter().any(|n| *n != 0)).then_some((base, Imported::Numbers(numbers)))
}

/// How far it is to the other moment.
pub enum Imported {
    Moment(Zoned),
    /// Those that are 0 are not set.
    Numbers(Vec<i64>),
}

/// How far to go from a time: what `offset_*` and `rotation_*` say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    Seconds(i64),
    Days(i64),
    Months(i64),
    Years(i64),
}

impl Distance {
    pub fn after(self, base: &Zoned) -> Option<Zoned> {
        match self {
            Distance::Seconds(n) => base.checked_add(Span::new().try_seconds(n).ok()?).ok(),
            Distance::Days(n) => base.checked_add(Span::new().try_days(n).ok()?).ok(),
            Distance::Months(n) => months_after(base, n),
            Distance::Years(n) => months_after(base, n.checked_mul(12)?),
        }
    }
}

/// As Go's AddDate: a day that the month does not have goes on into the next (January 31 and a month is
/// March 3).
fn months_after(base: &Zoned, months: i64) -> Option<Zoned> {
    let counted = i64::from(base.year()) * 12 + i64::from(base.month()) - 1 + months;
    let (year, month) = (counted.div_euclid(12), counted.rem_euclid(12) + 1);
    let first = Date::new(i16::try_from(year).ok()?, month as i8, 1).ok()?;
    let date = first.checked_add(Span::new().days(base.day() - 1)).ok()?;
    date.to_datetime(base.time()).to_zoned(base.time_zone().clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str, distance: Distance) -> String {
        format(&distance.after(&parse(text).expect("a time")).expect("in range"))
    }

    #[test]
    fn days_that_a_month_lacks_go_on_into_the_next() {
        assert_eq!(after("2026-01-31T10:00:00Z", Distance::Months(1)), "2026-03-03T10:00:00Z");
        assert_eq!(after("2024-02-29T10:00:00Z", Distance::Years(1)), "2025-03-01T10:00:00Z");
        assert_eq!(after("2026-03-15T10:00:00Z", Distance::Months(-4)), "2025-11-15T10:00:00Z");
    }

    #[test]
    fn offsets_stay_as_written() {
        let moment = parse("2020-02-12T06:36:13.5+01:00").expect("a time");
        assert_eq!(format(&moment), "2020-02-12T06:36:13+01:00");
        let mut object = Object::new();
        set_parts(&mut object, &moment);
        assert_eq!((object.need(&HOUR), object.need(&UNIX)), (6, 1_581_485_773));
        assert_eq!(after("2020-02-12T06:36:13Z", Distance::Days(20)), "2020-03-03T06:36:13Z");
        assert!(parse("2020-02-12").is_none() && parse("yesterday").is_none());
    }
}

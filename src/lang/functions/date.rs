//! Times: RFC 3339 in and out.

use super::{Call, Failure};
use crate::value::{Type, Value};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

type Result<T = Value> = std::result::Result<T, Failure>;

/// A local time with its offset from UTC.
struct Stamp {
    local: DateTime,
    offset_minutes: i32,
}

impl Stamp {
    /// `2017-11-22T00:00:00Z`, strictly: two-digit fields, an upper-case T, an offset.
    fn parse(text: &str) -> Option<Stamp> {
        let bytes = text.as_bytes();
        let number = |range: std::ops::Range<usize>| -> Option<i16> {
            let digits = text.get(range)?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators.iter().any(|(i, c)| bytes.get(*i) != Some(c)) {
            return None;
        }
        let small = |range| number(range).and_then(|n| i8::try_from(n).ok());
        let mut rest = text.get(19..)?;
        let mut nanos = 0;
        if let Some(fraction) = rest.strip_prefix('.') {
            let end = fraction.find(|c: char| !c.is_ascii_digit())?;
            let digits = fraction.get(..end).filter(|d| !d.is_empty())?;
            nanos = format!("{digits:0<9.9}").parse().ok()?;
            rest = &fraction[end..];
        }
        let offset_minutes = match rest {
            "Z" => 0,
            _ => offset(rest)?,
        };
        let local = DateTime::new(
            number(0..4)?,
            small(5..7)?,
            small(8..10)?,
            small(11..13)?,
            small(14..16)?,
            small(17..19)?,
            nanos,
        );
        Some(Stamp { local: local.ok()?, offset_minutes })
    }

    fn instant(&self) -> Option<DateTime> {
        self.local.checked_sub(SignedDuration::from_mins(i64::from(self.offset_minutes))).ok()
    }

    fn text(&self) -> String {
        format!("{}{}", self.local.strftime("%Y-%m-%dT%H:%M:%S"), self.offset_text(":", "Z"))
    }

    fn offset_text(&self, separator: &str, utc: &str) -> String {
        if self.offset_minutes == 0 && !utc.is_empty() {
            return utc.to_owned();
        }
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let minutes = self.offset_minutes.abs();
        format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
    }
}

/// `+01:00` in minutes.
fn offset(text: &str) -> Option<i32> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text[1..].split_once(':')?;
    let two =
        |s: &str| (s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<i32>().ok())?;
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn stamp(call: &Call, i: usize) -> std::result::Result<Stamp, String> {
    Stamp::parse(call.str(i))
        .ok_or_else(|| "this is not a time as RFC 3339 has it, such as 2018-01-02T23:12:01Z".to_owned())
}

/// A time as YAML 1.1 has it (`2001-12-14 21:59:43`, `2001-1-1`), in RFC 3339.
pub(super) fn yaml_time(text: &str) -> Option<String> {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(i) => (&text[..i], Some((&text[i..=i], text[i + 1..].trim_start()))),
        None => (text, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else { return None };
    let digits =
        |s: &str, most: usize| (1..=most).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
    if year.len() != 4 || !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
        return None;
    }
    let (clock, zone) = match time {
        None => ("0:0:0", "Z"),
        Some((" ", clock)) => (clock, "Z"),
        Some((_, rest)) => rest.split_at(rest.find(['Z', '+', '-'])?),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts[..] else { return None };
    if ![hour, minute, second].iter().all(|s| digits(s, 2)) || !digits(fraction, 9) {
        return None;
    }
    let full = format!("{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute:0>2}:{second:0>2}{zone}");
    Stamp::parse(&full).map(|stamp| stamp.text())
}

fn utc_text(time: Timestamp) -> Value {
    Value::string(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Known only while applying.
pub fn timestamp(call: &Call) -> Result {
    Ok(call.scope.now().map_or_else(|| Value::unknown(Type::String), utc_text))
}

pub fn plantimestamp(call: &Call) -> Result {
    Ok(call.scope.plan_timestamp().map_or_else(|| Value::unknown(Type::String), utc_text))
}

pub fn timecmp(call: &Call) -> Result {
    let instant = |i: usize| {
        let stamp = stamp(call, i).map_err(|what| Failure::arg(i, what))?;
        stamp.instant().ok_or_else(|| Failure::arg(i, "this time is out of range"))
    };
    Ok(Value::int(instant(0)?.cmp(&instant(1)?) as i64))
}

pub fn timeadd(call: &Call) -> Result {
    let mut stamp = stamp(call, 0).map_err(Failure::new)?;
    let duration = duration(call.str(1)).ok_or_else(|| {
        Failure::new("the second argument is not a duration such as 1h30m")
            .help("units are h, m, s, ms, us and ns; a day is 24h")
    })?;
    stamp.local =
        stamp.local.checked_add(duration).map_err(|_| Failure::new("the result is out of range"))?;
    Ok(Value::string(stamp.text()))
}

/// Go's durations: `-1h30.5m`.
fn duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (whole, fraction) = rest[..end].split_once('.').unwrap_or((&rest[..end], ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || whole.len() > 19 {
            return None;
        }
        // Further digits are less than a nanosecond.
        let fraction = &fraction[..fraction.len().min(18)];
        rest = &rest[end..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit: i128 = match &rest[..unit_end] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        rest = &rest[unit_end..];
        let number = |digits: &str| format!("0{digits}").parse::<i128>().ok();
        let part = number(fraction)?.checked_mul(unit)? / 10i128.pow(fraction.len() as u32);
        nanos = nanos.checked_add(number(whole)?.checked_mul(unit)?)?.checked_add(part)?;
    }
    i64::try_from(if negative { -nanos } else { nanos }).ok().map(SignedDuration::from_nanos)
}

pub fn formatdate(call: &Call) -> Result {
    let stamp = stamp(call, 1).map_err(|what| Failure::arg(1, what))?;
    let spec = call.str(0);
    let mut out = String::new();
    let mut rest = spec;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            if let Some(after) = rest.strip_prefix("''").filter(|after| !after.starts_with('\'')) {
                out.push('\'');
                rest = after;
                continue;
            }
            let (literal, after) =
                quoted(&rest[1..]).ok_or_else(|| Failure::arg(0, "a quote is not closed"))?;
            out.push_str(&literal);
            rest = after;
            continue;
        }
        let end = rest.find(|c| c != first).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if first.is_ascii_alphabetic() {
            let text = sequence(run, &stamp).ok_or_else(|| {
                Failure::arg(0, format!("`{run}` is not a part of a date"))
                    .help("put text in single quotes: \"YYYY 'at' hh:mm\"")
            })?;
            out.push_str(&text);
        } else {
            out.push_str(run);
        }
        rest = after;
    }
    Ok(Value::string(out))
}

/// The text up to the closing quote, `''` being a quote in it, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut literal = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('\'')?;
        literal.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                literal.push('\'');
                rest = after;
            }
            None => return Some((literal, rest)),
        }
    }
}

fn sequence(run: &str, stamp: &Stamp) -> Option<String> {
    let t = &stamp.local;
    let hour12 = if t.hour() % 12 == 0 { 12 } else { t.hour() % 12 };
    let half = if t.hour() < 12 { "AM" } else { "PM" };
    let named = |spec: &str| t.strftime(spec).to_string();
    Some(match run {
        "YYYY" => format!("{:04}", t.year()),
        "YY" => format!("{:02}", t.year() % 100),
        "MMMM" => named("%B"),
        "MMM" => named("%b"),
        "MM" => format!("{:02}", t.month()),
        "M" => t.month().to_string(),
        "DD" => format!("{:02}", t.day()),
        "D" => t.day().to_string(),
        "EEEE" => named("%A"),
        "EEE" => named("%a"),
        "hh" => format!("{:02}", t.hour()),
        "h" => t.hour().to_string(),
        "HH" => format!("{hour12:02}"),
        "H" => hour12.to_string(),
        "AA" => half.to_owned(),
        "aa" => half.to_lowercase(),
        "mm" => format!("{:02}", t.minute()),
        "m" => t.minute().to_string(),
        "ss" => format!("{:02}", t.second()),
        "s" => t.second().to_string(),
        "ZZZZZ" => stamp.offset_text(":", ""),
        "ZZZZ" => stamp.offset_text("", ""),
        "ZZZ" => stamp.offset_text("", "UTC"),
        "Z" => stamp.offset_text(":", "Z"),
        _ => return None,
    })
}

//! Scalars: their text on the wire and their form in the value tree.

use super::model::{Kind, Shape, TimeFormat};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::{Number, Value as Json};

/// Text as forms, XML, paths and headers carry it → tree. `None` when it is not of the shape's type.
pub fn from_text(shape: &Shape, text: &str) -> Option<Json> {
    Some(match &shape.kind {
        Kind::Integer => Json::from(text.trim().parse::<i64>().ok()?),
        Kind::Float => Json::Number(Number::from_f64(text.trim().parse().ok()?)?),
        Kind::Boolean => match text.trim() {
            "true" | "True" | "TRUE" | "1" => Json::Bool(true),
            "false" | "False" | "FALSE" | "0" => Json::Bool(false),
            _ => return None,
        },
        Kind::Timestamp(_) => tree_time(parse_time(text.trim())?),
        Kind::Text | Kind::Blob | Kind::Document => Json::String(text.to_owned()),
        Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. } => return None,
    })
}

/// Tree → text for XML, headers and so on. `None` when the tree's value is not of the shape's type.
pub fn to_text(shape: &Shape, format: Option<TimeFormat>, value: &Json) -> Option<String> {
    Some(match (&shape.kind, value) {
        (Kind::Integer, Json::Number(_)) => integer(value)?.to_string(),
        (Kind::Float, Json::Number(n)) => n.as_f64().map(|f| Json::from(f).to_string())?,
        (Kind::Boolean, Json::Bool(b)) => b.to_string(),
        (Kind::Timestamp(own), Json::String(text)) => {
            time_text(parse_time(text)?, format.or(*own).unwrap_or(TimeFormat::Iso8601))
        }
        (Kind::Text | Kind::Blob, Json::String(text)) => text.clone(),
        (Kind::Document, value) => value.to_string(),
        _ => return None,
    })
}

/// A number without a fraction, however it is written.
pub fn integer(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| {
        let float = value.as_f64()?;
        // Beyond 2^53 a float no longer tells whole numbers apart.
        (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i64)
    })
}

/// RFC 3339, RFC 2822 or seconds since the epoch; a time without zone is UTC, a date its midnight.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return from_epoch(seconds);
    }
    if let Ok(time) = text.parse::<jiff::civil::DateTime>() {
        return time.in_tz("UTC").ok().map(|zoned| zoned.timestamp());
    }
    rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

pub fn from_epoch(seconds: f64) -> Option<Timestamp> {
    // AWS carries milliseconds at most.
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()
}

pub fn tree_time(time: Timestamp) -> Json {
    Json::String(time.to_string())
}

/// Seconds since the epoch, whole ones as integers.
pub fn epoch(time: Timestamp) -> Json {
    let millis = time.as_millisecond();
    if millis % 1000 == 0 { Json::from(millis / 1000) } else { Json::from(millis as f64 / 1000.0) }
}

fn time_text(time: Timestamp, format: TimeFormat) -> String {
    match format {
        // Milliseconds always, as EC2 and Auto Scaling answer.
        TimeFormat::Iso8601 => time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        TimeFormat::Rfc822 => time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        TimeFormat::Epoch => epoch(time).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_time() {
        let expect: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02T04:04:05.000+01:00",
            "2026-01-02T03:04:05",
            "1767323045",
            "1767323045.0",
            "Fri, 02 Jan 2026 03:04:05 GMT",
        ] {
            assert_eq!(parse_time(text), Some(expect), "{text}");
        }
        assert_eq!(parse_time("soon"), None);
    }

    #[test]
    fn writes_every_form_of_time() {
        let time: Timestamp = "2026-01-02T03:04:05.25Z".parse().unwrap();
        assert_eq!(time_text(time, TimeFormat::Iso8601), "2026-01-02T03:04:05.250Z");
        assert_eq!(time_text(time, TimeFormat::Rfc822), "Fri, 02 Jan 2026 03:04:05 GMT");
        assert_eq!(time_text(time, TimeFormat::Epoch), "1767323045.25");
    }
}

//! The `timeouts` block: how long an operation may take, as `10m` or `1h30m`.

use crate::schema::{Attr, Blocks, Object, Str, attributes};
use crate::value::Value;
use std::time::Duration;

attributes! {
    CREATE_ONLY [CREATE]:
}
attributes! {
    CREATE_UPDATE [CREATE, UPDATE]:
}
attributes! {
    CREATE_DELETE [CREATE, DELETE]:
}
attributes! {
    UPDATE_DELETE [UPDATE, DELETE]:
}
attributes! {
    READ_UPDATE_DELETE [UPDATE, DELETE]:
    READ: Str = optional("read").check(is_duration);
}
attributes! {
    READ_ONLY [READ]:
}
attributes! {
    ALL:
    CREATE: Str = optional("create").check(is_duration);
    UPDATE: Str = optional("update").check(is_duration);
    DELETE: Str = optional("delete").check(is_duration);
}

const BLOCK: Attr<Blocks> =
    Attr::<Blocks>::optional("timeouts").local().same(|_, _| true).doc("How long operations may take");
pub const TIMEOUTS: Attr<Blocks> = BLOCK.object(&ALL);
pub const TIMEOUTS_CREATE: Attr<Blocks> = BLOCK.object(&CREATE_ONLY);
pub const TIMEOUTS_CREATE_UPDATE: Attr<Blocks> = BLOCK.object(&CREATE_UPDATE);
pub const TIMEOUTS_CREATE_DELETE: Attr<Blocks> = BLOCK.object(&CREATE_DELETE);
pub const TIMEOUTS_READ_UPDATE_DELETE: Attr<Blocks> = BLOCK.object(&READ_UPDATE_DELETE);
/// Of data sources.
pub const TIMEOUTS_READ: Attr<Blocks> = BLOCK.object(&READ_ONLY);
pub const TIMEOUTS_UPDATE_DELETE: Attr<Blocks> = BLOCK.object(&UPDATE_DELETE);

/// How long `which` (one of [`CREATE`], [`READ`], [`UPDATE`], [`DELETE`]) may take, in minutes unless declared.
pub fn limit(want: &Object, which: &Attr<Str>, default_minutes: u64) -> Duration {
    want.block(&TIMEOUTS)
        .and_then(|t| parse(&t.get(which)?))
        .unwrap_or(Duration::from_secs(default_minutes * 60))
}

pub fn is_duration(value: &Value) -> Result<(), String> {
    match value.as_str().and_then(parse) {
        Some(_) => Ok(()),
        None => Err("must be a duration such as \"90s\", \"10m\" or \"1h30m\"".to_owned()),
    }
}

/// Go's notation of durations: numbers with a unit each. `0` needs none.
pub fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut total) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_end =
            rest[digits..].find(|c: char| c.is_ascii_digit() || c == '.').map_or(rest.len(), |i| digits + i);
        let seconds = match &rest[digits..unit_end] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(number * seconds).ok()?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_parse_as_go_has_them() {
        assert_eq!(parse("10m"), Some(Duration::from_secs(600)));
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("1.5h"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("0"), Some(Duration::ZERO));
        for bad in ["", "x", "10", "m", "10 m", "1d"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}

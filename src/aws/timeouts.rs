//! The `timeouts` block that many types have: how long an operation may take.
//!
//! A type lists [`block`] of the table with its operations and asks [`of`] while it waits. The block is
//! ours alone: AWS never sees it and changing it changes nothing there.

use super::Job;
use crate::schema::{Attr, Blocks, Str, Table};
use crate::value::Value;
use std::time::Duration;

const fn entry(name: &'static str) -> Attr<Str> {
    Attr::<Str>::optional(name).local().check(check).doc("How long it may take: `30s`, `10m`, `1h30m`")
}

pub const CREATE: Attr<Str> = entry("create");
pub const READ: Attr<Str> = entry("read");
pub const UPDATE: Attr<Str> = entry("update");
pub const DELETE: Attr<Str> = entry("delete");

pub static CREATE_ONLY: Table = Table { rows: &[CREATE.row] };
pub static CREATE_DELETE: Table = Table { rows: &[CREATE.row, DELETE.row] };
pub static CREATE_UPDATE_DELETE: Table = Table { rows: &[CREATE.row, UPDATE.row, DELETE.row] };
pub static READ_UPDATE_DELETE: Table = Table { rows: &[READ.row, UPDATE.row, DELETE.row] };
pub static READ_ONLY: Table = Table { rows: &[READ.row] };

/// The row of a type whose operations are those of `table`.
pub const fn block(table: &'static Table) -> Attr<Blocks> {
    Attr::<Blocks>::optional("timeouts").single(table).local().same(|_, _| true)
}

/// What the resource declares for `operation`, else `default`.
pub fn of(job: &Job<'_>, operation: &Attr<Str>, default: Duration) -> Duration {
    let block = job.want.block(&block(&CREATE_UPDATE_DELETE));
    block.and_then(|b| b.get(operation)).and_then(|text| parse(&text)).unwrap_or(default)
}

fn check(value: &Value) -> Result<(), String> {
    match value.as_str().map(parse) {
        Some(None) => Err("must be a duration such as `30s`, `10m` or `1h30m`".to_owned()),
        _ => Ok(()),
    }
}

/// A duration as Go writes it: `1h30m`, `90s`, `1.5h`, `500ms`.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        seconds += amount
            * match &rest[..end] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = &rest[end..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(parse("1h30m"), seconds(5400));
        assert_eq!(parse("90s"), seconds(90));
        assert_eq!(parse("0.5h"), seconds(1800));
        for wrong in ["", "10", "m", "10 m", "ten"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}

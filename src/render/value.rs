//! Values as people write them.

use crate::schema::{Object, Presence, Row, Table, is_absent};
use crate::value::{Kind, Map, Value};
use similar::{ChangeTag, TextDiff};

pub const UNKNOWN: &str = "(known after apply)";
pub const SENSITIVE: &str = "(sensitive value)";

/// HCL text, possibly of several lines. Secrets never show.
pub fn hcl(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Value, indent: usize, out: &mut String) {
    if value.marks.sensitive || crate::state::is_digest(value) {
        return out.push_str(SENSITIVE);
    }
    let pad = "  ".repeat(indent + 1);
    let end = "  ".repeat(indent);
    match &value.kind {
        Kind::Unknown(_) => out.push_str(UNKNOWN),
        Kind::Null(_) => out.push_str("null"),
        Kind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Kind::Number(n) => out.push_str(&n.to_string()),
        Kind::String(s) => write_string(s, out),
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            let plain = items.iter().all(|v| v.as_slice().is_none() && v.as_map().is_none());
            if items.is_empty() {
                out.push_str("[]");
            } else if plain && items.len() <= 3 {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    write(item, indent, out);
                }
                out.push(']');
            } else {
                out.push_str("[\n");
                for item in items.iter() {
                    out.push_str(&pad);
                    write(item, indent + 1, out);
                    out.push_str(",\n");
                }
                out.push_str(&end);
                out.push(']');
            }
        }
        Kind::Map(_, items) | Kind::Object(items) => {
            let shown: Vec<_> = items.iter().filter(|(_, v)| !is_absent(v)).collect();
            if shown.is_empty() {
                return out.push_str("{}");
            }
            let widest = shown.iter().map(|(k, _)| key(k).chars().count()).max().unwrap_or(0);
            out.push_str("{\n");
            for (name, item) in shown {
                out.push_str(&format!("{pad}{:<widest$} = ", key(name)));
                write(item, indent + 1, out);
                out.push('\n');
            }
            out.push_str(&end);
            out.push('}');
        }
    }
}

fn key(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if plain { name.to_owned() } else { format!("{name:?}") }
}

/// Quoted; JSON documents pretty-printed, so that differences in them can be seen.
fn write_string(text: &str, out: &mut String) {
    if let Some(pretty) = pretty_json(text) {
        return out.push_str(&pretty);
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn pretty_json(text: &str) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    serde_json::to_string_pretty(&json).ok()
}

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Same(String),
    Removed(String),
    Added(String),
    /// Unchanged lines left out.
    Gap(usize),
}

/// Line by line, with two lines of context.
pub fn lines(before: &str, after: &str) -> Vec<Line> {
    let diff = TextDiff::from_lines(before, after);
    let mut out = Vec::new();
    let mut last = 0;
    for group in diff.grouped_ops(2) {
        let start = group.first().map_or(last, |op| op.old_range().start);
        if start > last {
            out.push(Line::Gap(start - last));
        }
        for op in &group {
            for change in diff.iter_changes(op) {
                let text = change.value().trim_end_matches('\n').to_owned();
                out.push(match change.tag() {
                    ChangeTag::Equal => Line::Same(text),
                    ChangeTag::Delete => Line::Removed(text),
                    ChangeTag::Insert => Line::Added(text),
                });
            }
        }
        last = group.last().map_or(last, |op| op.old_range().end);
    }
    let total = before.lines().count();
    if total > last && !out.is_empty() {
        out.push(Line::Gap(total - last));
    }
    out
}

/// Attributes worth showing of a new resource: what is declared and not just the default.
pub fn declared<'o>(desired: &'o Object, table: &'static Table) -> Vec<(&'static str, &'o Value)> {
    let shown = |row: &Row| {
        let value = desired.value(row.name).filter(|v| !is_absent(v))?;
        let default = row.default.is_some_and(|d| d.value().kind == value.kind);
        (!default && row.settable() && row.name != "tags_all").then_some((row.name, value))
    };
    let mut out: Vec<(&'static str, &Value)> = table.rows.iter().filter_map(shown).collect();
    out.sort_by_key(|(name, _)| *name);
    out
}

/// `after` with what AWS chose filled in where the configuration leaves it to AWS, so that a difference
/// shows only what the configuration changes.
pub fn filled(row: &Row, before: &Value, after: &Value) -> Value {
    let (Some((_, table)), Some(old), Some(new)) = (row.block_table(), before.as_slice(), after.as_slice())
    else {
        return after.clone();
    };
    let each = |(i, new): (usize, &Value)| match (old.get(i).and_then(Value::as_map), new.as_map()) {
        (Some(old), Some(new)) => Value::object(filled_block(table, old, new)),
        _ => new.clone(),
    };
    Value::tuple(new.iter().enumerate().map(each).collect())
}

fn filled_block(table: &'static Table, old: &Map, new: &Map) -> Map {
    let mut out = new.clone();
    for row in table.rows {
        let Some(before) = old.get(row.name) else { continue };
        let value = match new.get(row.name).filter(|v| !is_absent(v)) {
            Some(after) => filled(row, before, after),
            None if matches!(row.presence, Presence::OptionalComputed | Presence::Computed) => before.clone(),
            None => continue,
        };
        out.insert(row.name.into(), value);
    }
    out
}

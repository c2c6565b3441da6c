//! YAML.

use super::{Call, Failure};
use crate::value::{Kind, Map, Type, Value, json_text};
use serde_yaml_ng::Value as Yaml;

type Result<T = Value> = std::result::Result<T, Failure>;

pub fn yamlencode(call: &Call) -> Result {
    let value = &call.args[0];
    if !value.is_wholly_known() {
        return Ok(Value::unknown(Type::String));
    }
    let mut out = String::new();
    write(value, 0, &mut out);
    // A lone scalar may have to be ended: go-cty-yaml always does.
    if !out.ends_with('\n') {
        out.push('\n');
    }
    if value.as_slice().is_none() && value.as_map().is_none() && value.as_str().is_none() {
        out.push_str("...\n");
    }
    Ok(Value::string(out))
}

/// A value that starts where `out` ends, its further lines indented by `indent`.
fn write(value: &Value, indent: usize, out: &mut String) {
    let margin = " ".repeat(indent);
    match &value.kind {
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) if !items.is_empty() => {
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { &margin } else { "" });
                out.push_str("- ");
                write(item, indent + 2, out);
            }
        }
        Kind::Map(_, items) | Kind::Object(items) if !items.is_empty() => {
            for (i, (key, item)) in items.iter().enumerate() {
                out.push_str(if i > 0 { &margin } else { "" });
                out.push_str(&quoted(key));
                out.push(':');
                write_entry(item, indent, out);
            }
        }
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => out.push_str("[]\n"),
        Kind::Map(..) | Kind::Object(_) => out.push_str("{}\n"),
        Kind::String(s) if s.contains('\n') => write_block(s, indent, out),
        Kind::String(s) => {
            out.push_str(&quoted(s));
            out.push('\n');
        }
        _ => {
            out.push_str(&json_text(value).unwrap_or_default());
            out.push('\n');
        }
    }
}

/// The value behind `key:`: nested maps go on the next line further in, lists not further in.
fn write_entry(item: &Value, indent: usize, out: &mut String) {
    let filled = |items: usize| items > 0;
    if item.as_slice().is_some_and(|items| filled(items.len())) {
        out.push('\n');
        out.push_str(&" ".repeat(indent));
        write(item, indent, out);
    } else if item.as_map().is_some_and(|items| filled(items.len())) {
        out.push('\n');
        out.push_str(&" ".repeat(indent + 2));
        write(item, indent + 2, out);
    } else {
        out.push(' ');
        write(item, indent + 2, out);
    }
}

/// A string of several lines as a literal block.
fn write_block(text: &str, indent: usize, out: &mut String) {
    let indent = indent.max(2);
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    out.push_str(match ends {
        0 => "-",
        1 => "",
        _ => "+",
    });
    out.push('\n');
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\x{:02X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

pub fn yamldecode(call: &Call) -> Result {
    let parsed: Yaml =
        serde_yaml_ng::from_str(call.str(0)).map_err(|e| Failure::new(format!("this is not YAML: {e}")))?;
    convert(&parsed)
}

fn convert(yaml: &Yaml) -> Result {
    Ok(match yaml {
        Yaml::Null => Value::null(Type::Dynamic),
        Yaml::Bool(b) => Value::bool(*b),
        Yaml::Number(n) => {
            n.to_string().parse().map(Value::number).map_err(|_| Failure::new("a number is out of range"))?
        }
        Yaml::String(s) => Value::string(s.as_str()),
        Yaml::Sequence(items) => Value::tuple(items.iter().map(convert).collect::<Result<_>>()?),
        Yaml::Mapping(items) => {
            let mut out = Map::new();
            for (key, value) in items {
                let key = convert(key)?;
                let key =
                    crate::value::convert(&key, &Type::String).map_err(|e| Failure::new(e.to_string()))?;
                out.insert(key.as_str().unwrap_or_default().into(), convert(value)?);
            }
            Value::object(out)
        }
        Yaml::Tagged(tagged) => convert(&tagged.value)?,
    })
}

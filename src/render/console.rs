//! Values and types as Terraform's console prints them, which reads as HCL.

use super::value::{SENSITIVE, UNKNOWN};
use crate::value::{Kind, Map, Type, Value};
use std::fmt::Write;

const EPHEMERAL: &str = "(ephemeral value)";

/// HCL text, possibly of several lines, without a final line break.
pub fn value(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Value, indent: usize, out: &mut String) {
    if value.marks.ephemeral {
        return out.push_str(EPHEMERAL);
    }
    if value.marks.sensitive || crate::state::is_digest(value) {
        return out.push_str(SENSITIVE);
    }
    match &value.kind {
        Kind::Unknown(_) => out.push_str(UNKNOWN),
        Kind::Null(ty) => out.push_str(&null(ty)),
        Kind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Kind::Number(n) => out.push_str(&n.to_string()),
        Kind::String(s) => write_string(s, indent, out),
        Kind::List(_, items) => {
            called("tolist", items.is_empty(), out, |out| write_items(items, indent, out))
        }
        Kind::Set(_, items) => called("toset", items.is_empty(), out, |out| write_items(items, indent, out)),
        Kind::Map(_, items) => called("tomap", false, out, |out| write_entries(items, indent, out)),
        Kind::Tuple(items) => write_items(items, indent, out),
        Kind::Object(items) => write_entries(items, indent, out),
    }
}

fn called(name: &str, empty: bool, out: &mut String, inner: impl FnOnce(&mut String)) {
    out.push_str(name);
    if empty {
        return out.push_str("([])");
    }
    out.push('(');
    inner(out);
    out.push(')');
}

fn write_items(items: &[Value], indent: usize, out: &mut String) {
    if items.is_empty() {
        return out.push_str("[]");
    }
    out.push_str("[\n");
    for item in items {
        out.push_str(&" ".repeat(indent + 2));
        write(item, indent + 2, out);
        out.push_str(",\n");
    }
    let _ = write!(out, "{}]", " ".repeat(indent));
}

fn write_entries(items: &Map, indent: usize, out: &mut String) {
    if items.is_empty() {
        return out.push_str("{}");
    }
    out.push_str("{\n");
    for (name, item) in items {
        out.push_str(&" ".repeat(indent + 2));
        quoted(name, out);
        out.push_str(" = ");
        write(item, indent + 2, out);
        out.push('\n');
    }
    let _ = write!(out, "{}}}", " ".repeat(indent));
}

fn null(ty: &Type) -> String {
    match ty {
        Type::Dynamic => "null".to_owned(),
        Type::Bool | Type::Number | Type::String => format!("to{ty}(null)"),
        Type::List(t) => format!("tolist(null) /* of {} */", friendly(t)),
        Type::Set(t) => format!("toset(null) /* of {} */", friendly(t)),
        Type::Map(t) => format!("tomap(null) /* of {} */", friendly(t)),
        Type::Tuple(_) => "null /* tuple */".to_owned(),
        Type::Object(_) => "null /* object */".to_owned(),
    }
}

fn friendly(ty: &Type) -> String {
    match ty {
        Type::Dynamic => "dynamic".to_owned(),
        Type::Bool | Type::Number | Type::String => ty.to_string(),
        Type::List(t) => format!("list of {}", friendly(t)),
        Type::Set(t) => format!("set of {}", friendly(t)),
        Type::Map(t) => format!("map of {}", friendly(t)),
        Type::Tuple(_) => "tuple".to_owned(),
        Type::Object(_) => "object".to_owned(),
    }
}

/// Several lines become a heredoc, inside of something an indented one.
fn write_string(text: &str, indent: usize, out: &mut String) {
    if !text.contains('\n') {
        return quoted(text, out);
    }
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let mut marker = String::from("EOT");
    while lines.contains(&marker.as_str()) {
        marker.push('_');
    }
    let pad = " ".repeat(indent);
    let _ = writeln!(out, "<<{}{marker}", if indent > 0 { "-" } else { "" });
    for line in lines {
        let _ = writeln!(out, "{pad}{line}");
    }
    let _ = write!(out, "{pad}{marker}");
}

/// In double quotes. `${` is left alone: this is for people.
fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if c != ' ' && (c.is_control() || c.is_whitespace() || invisible(c)) => {
                let _ = match c as u32 {
                    code @ ..=0xffff => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08x}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Characters that format or hide text, and those for private use.
fn invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}' | '\u{feff}'
        | '\u{600}'..='\u{605}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e000}'..='\u{f8ff}'
        | '\u{e0000}'..='\u{e0fff}'
        | '\u{f0000}'..='\u{10ffff}')
}

/// What `type(…)` prints.
pub fn type_text(ty: &Type) -> String {
    let mut out = String::new();
    write_type(ty, 0, &mut out);
    out
}

fn write_type(ty: &Type, indent: usize, out: &mut String) {
    match ty {
        Type::Dynamic => out.push_str("dynamic"),
        Type::Bool | Type::Number | Type::String => out.push_str(&ty.to_string()),
        Type::List(t) => write_collection("list", t, indent, out),
        Type::Set(t) => write_collection("set", t, indent, out),
        Type::Map(t) => write_collection("map", t, indent, out),
        Type::Tuple(items) if items.is_empty() => out.push_str("tuple([])"),
        Type::Tuple(items) => {
            out.push_str("tuple([\n");
            for item in items.iter() {
                out.push_str(&" ".repeat(indent + 4));
                write_type(item, indent + 4, out);
                out.push_str(",\n");
            }
            let _ = write!(out, "{}])", " ".repeat(indent));
        }
        Type::Object(o) if o.attributes.is_empty() => out.push_str("object({})"),
        Type::Object(o) => {
            out.push_str("object({\n");
            for (name, ty) in &o.attributes {
                let _ = write!(out, "{}{name}: ", " ".repeat(indent + 4));
                write_type(ty, indent + 4, out);
                out.push_str(",\n");
            }
            let _ = write!(out, "{}}})", " ".repeat(indent));
        }
    }
}

fn write_collection(name: &str, element: &Type, indent: usize, out: &mut String) {
    let _ = write!(out, "{name}(");
    if matches!(element, Type::Tuple(_) | Type::Object(_)) {
        let _ = write!(out, "\n{}", " ".repeat(indent + 4));
        write_type(element, indent + 4, out);
        let _ = write!(out, ",\n{}", " ".repeat(indent));
    } else {
        write_type(element, indent, out);
    }
    out.push(')');
}

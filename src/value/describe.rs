//! How values and types are named in messages.

use super::{Kind, Type, Value};
use std::fmt::Write;

/// A short text for messages: `"eu-west-1"`, `list of string with 2 elements`. Never shows a sensitive
/// value.
pub fn describe(value: &Value) -> String {
    if value.marks.sensitive {
        return format!("a sensitive {}", value.ty().noun());
    }
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match &value.kind {
        Kind::Unknown(u) if u.ty == Type::Dynamic => "not known yet".to_owned(),
        Kind::Unknown(u) => format!("a {}, not known yet", u.ty.noun()),
        Kind::Null(Type::Dynamic) => "null".to_owned(),
        Kind::Null(ty) => format!("a null {}", ty.noun()),
        Kind::Bool(b) => b.to_string(),
        Kind::Number(n) => shortened(&n.to_string()),
        Kind::String(s) => quote(&shortened(s)),
        Kind::List(_, items) | Kind::Set(_, items) => {
            format!("a {} with {}", value.ty().noun(), count(items.len(), "element"))
        }
        Kind::Tuple(items) => format!("a tuple with {}", count(items.len(), "element")),
        Kind::Map(_, items) => format!("a {} with {}", value.ty().noun(), count(items.len(), "element")),
        Kind::Object(items) => format!("an object with {}", count(items.len(), "attribute")),
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

impl Type {
    /// `list of string`, `object`: the type in a sentence.
    pub fn noun(&self) -> String {
        match self {
            Type::Dynamic => "value of any type".to_owned(),
            Type::List(t) if **t == Type::Dynamic => "list".to_owned(),
            Type::Set(t) if **t == Type::Dynamic => "set".to_owned(),
            Type::Map(t) if **t == Type::Dynamic => "map".to_owned(),
            Type::List(t) => format!("list of {}", t.noun()),
            Type::Set(t) => format!("set of {}", t.noun()),
            Type::Map(t) => format!("map of {}", t.noun()),
            Type::Tuple(_) => "tuple".to_owned(),
            Type::Object(_) => "object".to_owned(),
            primitive => primitive.to_string(),
        }
    }

    /// [`noun`](Self::noun) with its article.
    pub fn a_noun(&self) -> String {
        let article = if matches!(self, Type::Object(_)) { "an" } else { "a" };
        format!("{article} {}", self.noun())
    }
}

/// In double quotes with escapes, as Go's `%q` writes it.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
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
            c if is_printable(c) => out.push(c),
            c if (c as u32) < 0x80 => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if (c as u32) < 0x1_0000 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => {
                let _ = write!(out, "\\U{:08x}", c as u32);
            }
        }
    }
    out.push('"');
    out
}

/// What Go's `strconv.IsPrint` has as printable, without its tables of unassigned characters.
pub fn is_printable(c: char) -> bool {
    let invisible = matches!(c as u32,
        0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff
        | 0xfff9..=0xfffb | 0xe000..=0xf8ff | 0xe0000.. );
    c == ' ' || !c.is_control() && !c.is_whitespace() && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensitive_values_are_never_shown() {
        assert_eq!(describe(&Value::string("hunter2").sensitive()), "a sensitive string");
        assert_eq!(describe(&"a\nb".into()), r#""a\nb""#);
        assert_eq!(describe(&Value::list(Type::String, vec!["a".into()])), "a list of string with 1 element");
    }
}

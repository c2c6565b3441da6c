//! Values to and from JSON.

use super::{Kind, Map, Number, Type, Value};
use serde_json::Value as Json;
use std::fmt::Write;
use std::sync::Arc;

/// JSON as jsondecode reads it: arrays become tuples, objects objects.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::null(Type::Dynamic),
        Json::Bool(b) => Value::bool(*b),
        Json::Number(n) => n.to_string().parse().map_or_else(|_| Value::null(Type::Number), Value::number),
        Json::String(s) => Value::string(s.as_str()),
        Json::Array(items) => Value::tuple(items.iter().map(from_json).collect()),
        Json::Object(items) => {
            let entries: Map = items.iter().map(|(k, v)| (Arc::from(k.as_str()), from_json(v))).collect();
            Value::object(entries)
        }
    }
}

/// None if any part is unknown. Marks are dropped: the caller decides what may be shown.
pub fn to_json(value: &Value) -> Option<Json> {
    json_with(value, number_json)
}

/// The same, to be written with [`exact_numbers`]: numbers keep all their digits.
pub fn unrounded_json(value: &Value) -> Option<Json> {
    json_with(value, |text| match number_json(text) {
        Json::Number(n) if n.to_string() == text => Json::Number(n),
        _ => Json::String(format!("{EXACT}{text}")),
    })
}

/// Begins a string that stands for a number which serde_json would round. Nobody writes this noncharacter.
const EXACT: &str = "\u{fdd0}number:";

/// JSON text as it is, with the numbers of [`unrounded_json`] in their places.
pub fn exact_numbers(text: &str) -> String {
    let opening = format!("\"{EXACT}");
    let mut parts = text.split(&opening);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('"') {
            Some((number, rest)) if number.parse::<Number>().is_ok() && !rest.starts_with(':') => {
                out.push_str(number);
                out.push_str(rest);
            }
            _ => out.extend([opening.as_str(), part]),
        }
    }
    out
}

fn json_with(value: &Value, number: fn(&str) -> Json) -> Option<Json> {
    Some(match &value.kind {
        Kind::Unknown(_) => return None,
        Kind::Null(_) => Json::Null,
        Kind::Bool(b) => Json::Bool(*b),
        Kind::Number(n) => number(&n.to_string()),
        Kind::String(s) => Json::String(s.to_string()),
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            Json::Array(items.iter().map(|v| json_with(v, number)).collect::<Option<_>>()?)
        }
        Kind::Map(_, items) | Kind::Object(items) => Json::Object(
            items.iter().map(|(k, v)| Some((k.to_string(), json_with(v, number)?))).collect::<Option<_>>()?,
        ),
    })
}

fn number_json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()))
}

/// JSON as jsonencode writes it: numbers exact, keys sorted, no blanks, `<`, `>` and `&` escaped. None
/// if any part is unknown.
pub fn json_text(value: &Value) -> Option<String> {
    let mut out = String::new();
    write_value(value, &mut out)?;
    Some(out)
}

fn write_value(value: &Value, out: &mut String) -> Option<()> {
    match &value.kind {
        Kind::Unknown(_) => return None,
        Kind::Null(_) => out.push_str("null"),
        Kind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Kind::Number(n) => {
            let _ = write!(out, "{n}");
        }
        Kind::String(s) => write_string(s, out),
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_value(item, out)?;
            }
            out.push(']');
        }
        Kind::Map(_, items) | Kind::Object(items) => {
            out.push('{');
            for (i, (key, item)) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_string(key, out);
                out.push(':');
                write_value(item, out)?;
            }
            out.push('}');
        }
    }
    Some(())
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Reads JSON text with exact numbers. Arrays become tuples, objects objects; of a property given twice
/// the last wins.
pub fn parse_json(text: &str) -> Result<Value, JsonError> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = reader.value()?;
    reader.blanks();
    // Closing brackets end what is read: a quirk of Go's decoder.
    if reader.at < text.len() && !text[reader.at..].starts_with([']', '}']) {
        return Err(reader.error("there is something after the value"));
    }
    Ok(value)
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct JsonError {
    pub what: &'static str,
    pub line: usize,
    pub column: usize,
}

const DEEPEST: usize = 256;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn error(&self, what: &'static str) -> JsonError {
        let before = &self.text[..self.text.floor_char_boundary(self.at)];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.matches('\n').count() + 1;
        JsonError { what, line, column: before[line_start..].chars().count() + 1 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, wanted: u8) -> bool {
        self.blanks();
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Result<Value, JsonError> {
        self.blanks();
        for (word, value) in
            [("null", Value::null(Type::Dynamic)), ("true", true.into()), ("false", false.into())]
        {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        match self.peek() {
            Some(b'"') => self.string().map(Value::string),
            Some(b'[' | b'{') if self.depth >= DEEPEST => Err(self.error("this nests too deeply")),
            Some(b'[') => self.nested(Self::array),
            Some(b'{') => self.nested(Self::object),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.error("a value is required here")),
            None => Err(self.error("the text ends where a value is required")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, JsonError>) -> Result<Value, JsonError> {
        self.depth += 1;
        self.at += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn array(&mut self) -> Result<Value, JsonError> {
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Value::tuple(items));
        }
        loop {
            items.push(self.value()?);
            if self.eat(b']') {
                return Ok(Value::tuple(items));
            }
            if !self.eat(b',') {
                return Err(self.error("a `,` or `]` is required here"));
            }
        }
    }

    fn object(&mut self) -> Result<Value, JsonError> {
        let mut items = Map::new();
        if self.eat(b'}') {
            return Ok(Value::object(items));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.error("a property name in double quotes is required here"));
            }
            let key = Value::string(self.string()?);
            if !self.eat(b':') {
                return Err(self.error("a `:` is required here"));
            }
            let value = self.value()?;
            items.insert(key.as_str().unwrap_or_default().into(), value);
            if self.eat(b'}') {
                return Ok(Value::object(items));
            }
            if !self.eat(b',') {
                return Err(self.error("a `,` or `}` is required here"));
            }
        }
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
        let text = &rest[..end.unwrap_or(rest.len())];
        let digits = text.trim_start_matches('-');
        let leading_zero =
            digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        let bare_point = digits.starts_with('.')
            || digits.ends_with('.')
            || digits.contains(".e")
            || digits.contains(".E");
        let well_formed = !leading_zero && !bare_point;
        match text.parse::<Number>() {
            Ok(n) if well_formed => {
                self.at += text.len();
                Ok(Value::number(n))
            }
            _ => Err(self.error("this is not a number as JSON has them")),
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let mut out = String::new();
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let Some(end) = rest.find(['"', '\\']).filter(|i| !rest[..*i].bytes().any(|b| b < 0x20)) else {
                return Err(self.error("this string does not end, or has a control character"));
            };
            out.push_str(&rest[..end]);
            self.at += end + 1;
            if rest.as_bytes()[end] == b'"' {
                return Ok(out);
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let c = self.peek().ok_or_else(|| self.error("this string does not end"))?;
        self.at += 1;
        Ok(match c {
            b'"' | b'\\' | b'/' => c as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex()?;
                let paired = (0xd800..0xdc00).contains(&high) && self.text[self.at..].starts_with("\\u");
                if !paired {
                    return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                let before = self.at;
                self.at += 2;
                let low = self.hex()?;
                if !(0xdc00..0xe000).contains(&low) {
                    self.at = before;
                    return Ok(char::REPLACEMENT_CHARACTER);
                }
                char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                    .unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(self.error("there is no such escape in JSON")),
        })
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|d| u32::from_str_radix(d, 16).ok()) else {
            return Err(self.error("four hexadecimal digits are required after \\u"));
        };
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit() {
        let text = r#"{"a":123456789012345678901234567890,"b":[1.50,null,"<é>"]}"#;
        let want = r#"{"a":123456789012345678901234567890,"b":[1.5,null,"\u003cé\u003e"]}"#;
        assert_eq!(json_text(&parse_json(text).unwrap()).unwrap(), want);
    }

    #[test]
    fn written_numbers_are_not_rounded() {
        let numbers =
            ["123456789012345678901234567890", "-0.12345678901234567890123456789", "1.5", "9007199254740993"];
        let items = numbers.map(|n| Value::number(n.parse().expect("a number")));
        let json = unrounded_json(&Value::tuple(items.to_vec())).expect("known");
        assert_eq!(exact_numbers(&json.to_string()), format!("[{}]", numbers.join(",")));
    }

    /// Whoever writes the mark into a key gets no broken document.
    #[test]
    fn a_key_is_never_a_number() {
        let text = Json::from(
            [(format!("{EXACT}1"), Json::from("x"))].into_iter().collect::<serde_json::Map<_, _>>(),
        );
        assert_eq!(exact_numbers(&text.to_string()), text.to_string());
    }

    #[test]
    fn escapes_and_surrogate_pairs_are_read() {
        assert_eq!(parse_json(r#""\u00e9\ud83d\ude00\n\/""#), Ok("é😀\n/".into()));
        assert_eq!(parse_json(r#""\ud83dx""#), Ok("\u{fffd}x".into()));
    }

    #[test]
    fn bad_json_says_where() {
        for text in ["", "aaaa", "nope", "[1,]", "{a:1}", "01", "1.", "\"x", "[1] 2", "{\"a\" 1}", "\"\\x\""]
        {
            assert!(parse_json(text).is_err(), "{text}");
        }
        assert!(parse_json(&"[".repeat(100_000)).is_err());
        let error = parse_json("{\n  \"a\": x\n}").unwrap_err();
        assert_eq!((error.line, error.column), (2, 8));
    }
}

//! YAML.

use super::{Call, Failure};
use crate::value::{Kind, Map, Number, Type, Value, json_text};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use std::borrow::Cow;
use std::collections::BTreeMap;

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
    let text = call.str(0);
    let mut reader = Reader { events: Parser::new_from_str(text), anchors: BTreeMap::new(), size: 0 };
    reader.document()
}

/// More nodes than this come only of aliases to aliases to aliases.
const LARGEST: usize = 1_000_000;
const DEEPEST: usize = 100;

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    /// Values of anchors with the number of nodes in them. None while inside of the anchor itself.
    anchors: BTreeMap<usize, Option<(Value, usize)>>,
    size: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<(Event<'static>, Span)> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((owned(event), span)),
            Some(Err(error)) => {
                let mark = error.marker();
                let place = format!("line {}, column {}", mark.line(), mark.col() + 1);
                Err(Failure::new(format!("this is not YAML: {place}: {}", error.info())))
            }
            None => Err(Failure::new("this is not YAML: the text ends too early")),
        }
    }

    fn document(&mut self) -> Result {
        let mut value = None;
        loop {
            match self.next()?.0 {
                Event::StreamEnd => return Ok(value.unwrap_or_else(|| Value::null(Type::Dynamic))),
                Event::DocumentStart(_) if value.is_some() => {
                    return Err(Failure::new("only one YAML document can be read, but there are more"));
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    value = Some(self.node(event, span, 0)?);
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'static>, span: Span, depth: usize) -> Result {
        let fail = |what: &str| {
            let place = format!("line {}, column {}", span.start.line(), span.start.col() + 1);
            Failure::new(format!("this is not YAML: {place}: {what}"))
        };
        self.size += 1;
        if depth > DEEPEST || self.size > LARGEST {
            return Err(fail("this nests too deeply, or grows too large by aliases"));
        }
        let before = self.size;
        let anchor = match &event {
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _) => *anchor,
            _ => 0,
        };
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        let value = match event {
            Event::Alias(id) => match self.anchors.get(&id) {
                Some(Some((value, size))) => {
                    self.size += size;
                    value.clone()
                }
                _ => return Err(fail("this alias stands inside of what it refers to")),
            },
            Event::Scalar(text, style, _, tag) => {
                scalar(&text, style == ScalarStyle::Plain, tag.as_deref()).map_err(|what| fail(&what))?
            }
            Event::SequenceStart(..) => self.sequence(depth)?,
            Event::MappingStart(..) => self.mapping(depth)?,
            _ => return Err(fail("a value is required here")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, Some((value.clone(), self.size - before)));
        }
        Ok(value)
    }

    fn sequence(&mut self, depth: usize) -> Result {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::tuple(items));
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result {
        let mut items = Map::new();
        let mut merged = Map::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                merged.extend(items);
                return Ok(Value::object(merged));
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<");
            let key = self.node(event, span, depth + 1)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?;
            if merges {
                merge(&value, &mut merged)?;
                continue;
            }
            let key = crate::value::convert(&key, &Type::String).ok().filter(|k| k.as_str().is_some());
            let key = key.ok_or_else(|| {
                Failure::new(format!(
                    "line {}: a mapping key must be a string, number or bool",
                    span.start.line()
                ))
            })?;
            items.insert(key.as_str().unwrap_or_default().into(), value);
        }
    }
}

/// `<<: *base`, or a list of such; what comes first wins.
fn merge(value: &Value, into: &mut Map) -> Result<()> {
    if let Some(entries) = value.as_map() {
        for (key, value) in entries {
            into.entry(key.clone()).or_insert_with(|| value.clone());
        }
        return Ok(());
    }
    match value.as_slice() {
        Some(items) => items.iter().try_for_each(|item| match item.as_map() {
            Some(_) => merge(item, into),
            None => Err(Failure::new("`<<` merges only mappings")),
        }),
        None => Err(Failure::new("`<<` merges only mappings")),
    }
}

fn owned(event: Event<'_>) -> Event<'static> {
    let tag = |tag: Option<Cow<'_, Tag>>| tag.map(|t| Cow::Owned(t.into_owned()));
    match event {
        Event::Scalar(text, style, anchor, t) => {
            Event::Scalar(Cow::Owned(text.into_owned()), style, anchor, tag(t))
        }
        Event::SequenceStart(anchor, t) => Event::SequenceStart(anchor, tag(t)),
        Event::MappingStart(anchor, t) => Event::MappingStart(anchor, tag(t)),
        Event::Alias(id) => Event::Alias(id),
        Event::Nothing => Event::Nothing,
        Event::StreamStart => Event::StreamStart,
        Event::StreamEnd => Event::StreamEnd,
        Event::DocumentStart(explicit) => Event::DocumentStart(explicit),
        Event::DocumentEnd => Event::DocumentEnd,
        Event::SequenceEnd => Event::SequenceEnd,
        Event::MappingEnd => Event::MappingEnd,
    }
}

/// What a scalar stands for: YAML 1.1's words (`yes`, `on`) and dates as go-cty-yaml reads them.
fn scalar(text: &str, plain: bool, tag: Option<&Tag>) -> std::result::Result<Value, String> {
    let core = tag.filter(|t| t.is_yaml_core_schema()).map(|t| t.suffix.as_str());
    let implicit = match (core, tag) {
        (Some("str"), _) => return Ok(Value::string(text)),
        (Some("binary"), _) => return Ok(Value::string(text.split_whitespace().collect::<String>())),
        (Some(_), _) => true,
        (None, Some(tag)) if tag.handle == "!" && tag.suffix.is_empty() => false,
        (None, Some(tag)) => return Err(format!("the tag `{tag}` is not known")),
        (None, None) => plain,
    };
    if !implicit {
        return Ok(Value::string(text));
    }
    let value = plain_scalar(text)?;
    let fits = match core {
        Some("null") => value.is_null(),
        Some("bool") => value.as_bool().is_some(),
        Some("int") => value.as_number().is_some_and(Number::is_whole),
        Some("float") => value.as_number().is_some(),
        _ => true,
    };
    if fits { Ok(value) } else { Err("the value does not fit its tag".to_owned()) }
}

fn plain_scalar(text: &str) -> std::result::Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::null(Type::Dynamic),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => return Err("there is no value for not-a-number".to_owned()),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::number(Number::infinity(false)),
        "-.inf" | "-.Inf" | "-.INF" => Value::number(Number::infinity(true)),
        _ => match (number(text), super::date::yaml_time(text)) {
            (Some(number), _) => Value::number(number),
            (None, Some(time)) => Value::string(time),
            (None, None) => Value::string(text),
        },
    })
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-')) {
        return None;
    }
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (radix, digits) = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, radix)| digits.strip_prefix(prefix).map(|rest| (radix, rest)))?;
    Number::from_radix(&format!("{sign}{digits}"), radix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<String> {
        let mut reader = Reader { events: Parser::new_from_str(text), anchors: BTreeMap::new(), size: 0 };
        reader.document().ok().and_then(|v| json_text(&v))
    }

    #[test]
    fn scalars_are_read_as_go_cty_yaml_reads_them() {
        for (text, want) in [
            ("[yes, 'yes', on, Off, ~, null, \"\"]", r#"[true,"yes",true,false,null,null,""]"#),
            ("[0x1F, 0o17, 010, 1_000, 1e3, .5, -1]", r#"[31,15,10,"1_000",1000,0.5,-1]"#),
            (
                "[2020-01-01, '2020-01-01', 2001-12-14t21:59:43.10-05:00]",
                r#"["2020-01-01T00:00:00Z","2020-01-01","2001-12-14T21:59:43-05:00"]"#,
            ),
            ("a: !!str 1\nb: !!int \"2\"", r#"{"a":"1","b":2}"#),
            ("a: |\n  x\n  y\nb: >-\n  x\n  y", r#"{"a":"x\ny\n","b":"x y"}"#),
            ("", "null"),
            ("1: a\nyes: b", r#"{"1":"a","true":"b"}"#),
            ("y: 1", r#"{"true":1}"#),
        ] {
            assert_eq!(decoded(text).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn anchors_merge_and_do_not_explode() {
        let text = "base: &b {p: 1, q: 2}\nmore:\n  <<: *b\n  q: 3\nsame: *b";
        let want = r#"{"base":{"p":1,"q":2},"more":{"p":1,"q":3},"same":{"p":1,"q":2}}"#;
        assert_eq!(decoded(text).as_deref(), Some(want));
        let mut bomb = String::from("a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");
        for i in 1..12 {
            let alias = format!("*a{}", i - 1);
            bomb.push_str(&format!("a{i}: &a{i} [{}]\n", vec![alias; 10].join(",")));
        }
        for text in
            [&bomb[..], "a: &a [*a]", "a: [1", "a: b: c", "--- 1\n--- 2", "? [a]\n: 1", &"[".repeat(5000)]
        {
            assert_eq!(decoded(text), None, "{}", &text[..text.len().min(40)]);
        }
    }

    #[test]
    fn what_is_encoded_reads_back() {
        let value = crate::value::parse_json(
            r#"{"a":[[1,2],[{"x":"y","z":[]}],{}],"b":{"c":{"d":"l1\nl2"},"e":["m\n",""]},"f":" x: #","g":"\u0001\u00e9"}"#,
        )
        .unwrap();
        let mut text = String::new();
        write(&value, 0, &mut text);
        assert_eq!(decoded(&text), json_text(&value), "{text}");
    }
}

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
                if key.len() <= LONGEST_KEY && !key.contains(is_break) {
                    write_quoted(key, None, out);
                    out.push(':');
                    write_entry(item, indent, out);
                } else {
                    out.push_str("? ");
                    write_string(key, indent + 2, out);
                    out.push_str(&margin);
                    out.push_str(": ");
                    write(item, indent + 2, out);
                }
            }
        }
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => out.push_str("[]\n"),
        Kind::Map(..) | Kind::Object(_) => out.push_str("{}\n"),
        Kind::String(s) => write_string(s, indent, out),
        _ => {
            out.push_str(&json_text(value).unwrap_or_default());
            out.push('\n');
        }
    }
}

/// Longer keys, and those of several lines, stand behind a `?`.
const LONGEST_KEY: usize = 128;

/// Where lines of quoted text are broken.
const WIDTH: usize = 80;

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What libyaml takes to be printable: nothing beyond the basic plane, and no tabs.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{A0}'..='\u{FEFE}' | '\u{FF00}'..='\u{FFFD}')
}

fn write_string(text: &str, indent: usize, out: &mut String) {
    let fits_block = text.contains('\n')
        && text.chars().all(is_printable)
        && !text.ends_with(' ')
        && !text.contains(" \n");
    if fits_block {
        return write_block(text, indent, out);
    }
    write_quoted(text, Some(indent.max(2)), out);
    out.push('\n');
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
        1 if text.len() > 1 => "",
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

/// In double quotes; long lines are broken at blanks, further ones indented by `indent`.
fn write_quoted(text: &str, indent: Option<usize>, out: &mut String) {
    let mut column = out.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    out.push('"');
    // libyaml looks for the mark at the start of the text whichever character it writes.
    let all_escaped = text.starts_with('\u{feff}');
    let mut after_blank = false;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let start = out.len();
        if c == ' ' && !all_escaped {
            match indent {
                Some(indent) if !after_blank && column > WIDTH && at > 0 && at + 1 < text.len() => {
                    out.push('\n');
                    out.push_str(&" ".repeat(indent));
                    column = indent;
                    if chars.peek().is_some_and(|(_, next)| *next == ' ') {
                        out.push('\\');
                        column += 1;
                    }
                }
                _ => {
                    out.push(' ');
                    column += 1;
                }
            }
            after_blank = true;
            continue;
        }
        after_blank = false;
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{B}' => out.push_str("\\v"),
            '\u{C}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\u{1B}' => out.push_str("\\e"),
            '\u{85}' => out.push_str("\\N"),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            c if is_printable(c) && !all_escaped => out.push(c),
            c if (c as u32) <= 0xFF => out.push_str(&format!("\\x{:02X}", c as u32)),
            c if (c as u32) <= 0xFFFF => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push_str(&format!("\\U{:08X}", c as u32)),
        }
        column += out[start..].chars().count();
    }
    out.push('"');
}

pub fn yamldecode(call: &Call) -> Result {
    decode(call.str(0))
}

/// A document of which nobody in the configuration asked.
pub fn read(text: &str) -> Option<Value> {
    decode(text).ok()
}

fn decode(text: &str) -> Result {
    check_text(text)?;
    let anchors = BTreeMap::new();
    let mut reader = Reader { events: Parser::new_from_str(text), text, anchors, size: 0 };
    reader.document()
}

/// What the parser takes although libyaml, of version 1.1, does not.
fn check_text(text: &str) -> Result<()> {
    let wrong = |what: &str| Err(Failure::new(format!("this is not YAML: {what}")));
    let readable = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{FFFD}' | '\u{10000}'..);
    if !text.chars().all(readable) {
        return wrong("there is a control character");
    }
    if text.starts_with('\t') {
        return wrong("a tab cannot indent");
    }
    for line in text.lines().take_while(|line| line.is_empty() || line.starts_with(['#', '%'])) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("%YAML"), version) if version != Some("1.1") => {
                return wrong("only version 1.1 can be read");
            }
            (Some("%YAML" | "%TAG"), _) => {}
            (Some(word), _) if word.starts_with('%') => return wrong("this directive is not known"),
            _ => {}
        }
    }
    Ok(())
}

/// More nodes than this come only of aliases to aliases to aliases.
const LARGEST: usize = 1_000_000;
const DEEPEST: usize = 100;

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    text: &'t str,
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
                Event::StreamEnd => {
                    return value.ok_or_else(|| Failure::new("this is not YAML: there is no document in it"));
                }
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
                // The parser ends the last line of a block even where the text does not.
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let cut =
                    block && !self.text.ends_with('\n') && span.end.index() >= self.text.chars().count();
                let text = if cut { text.strip_suffix('\n').unwrap_or(&text) } else { &text };
                scalar(text, style == ScalarStyle::Plain, tag.as_deref()).map_err(|what| fail(&what))?
            }
            Event::SequenceStart(_, tag) => {
                check_tag(tag.as_deref(), "seq").map_err(|what| fail(&what))?;
                self.sequence(depth)?
            }
            Event::MappingStart(_, tag) => {
                check_tag(tag.as_deref(), "map").map_err(|what| fail(&what))?;
                self.mapping(depth)?
            }
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
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Value::object(items));
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<");
            let key = self.node(event, span, depth + 1)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?;
            if merges {
                // Only one mapping, over what came before: not as YAML has it, but as go-cty-yaml does.
                let merged = value.as_map().ok_or_else(|| Failure::new("`<<` merges only a mapping"))?;
                items.extend(merged.iter().map(|(k, v)| (k.clone(), v.clone())));
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

/// The name of a tag of YAML's own; None without a tag. Others are errors.
fn own_tag(tag: Option<&Tag>) -> std::result::Result<Option<&str>, String> {
    match tag {
        None => Ok(None),
        Some(tag) if tag.is_yaml_core_schema() => Ok(Some(tag.suffix.as_str())),
        Some(tag) if tag.handle == "!" && tag.suffix.is_empty() => Ok(Some("")),
        Some(tag) => match tag.suffix.strip_prefix("tag:yaml.org,2002:") {
            Some(name) => Ok(Some(name)),
            None => Err(format!("the tag `{tag}` is not known")),
        },
    }
}

fn check_tag(tag: Option<&Tag>, wanted: &str) -> std::result::Result<(), String> {
    match own_tag(tag)? {
        None | Some("") => Ok(()),
        Some(name) if name == wanted => Ok(()),
        Some(name) => Err(format!("the value does not fit its tag `{name}`")),
    }
}

/// What a scalar stands for: YAML 1.1's words (`yes`, `on`) and dates as go-cty-yaml reads them. Tags but
/// `str` and `binary` change little: what is in quotes stays a string.
fn scalar(text: &str, plain: bool, tag: Option<&Tag>) -> std::result::Result<Value, String> {
    match own_tag(tag)? {
        Some("str" | "") => Ok(Value::string(text)),
        Some("binary") => {
            let joined: String = text.split_whitespace().collect();
            super::encoding::decode_base64(&joined)?;
            Ok(Value::string(joined))
        }
        Some("null") if plain => Ok(Value::null(Type::Dynamic)),
        Some("int") if plain => plain_scalar(&text.replace('_', "")),
        None | Some("bool" | "int" | "float" | "null" | "timestamp" | "merge") => {
            if plain {
                plain_scalar(text)
            } else {
                Ok(Value::string(text))
            }
        }
        Some(name) => Err(format!("the tag `{name}` is not known")),
    }
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
        _ => match (number(text)?, super::date::yaml_time(text)) {
            (Some(number), _) => Value::number(number),
            (None, Some(time)) => Value::string(time),
            (None, None) => Value::string(text),
        },
    })
}

fn number(text: &str) -> std::result::Result<Option<Number>, String> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-')) {
        return Ok(None);
    }
    if let Ok(number) = text.parse() {
        return Ok(Some(number));
    }
    let digits = [("0x", 16), ("0o", 8)]
        .into_iter()
        .find_map(|(prefix, radix)| text.strip_prefix(prefix).map(|rest| (radix, rest)))
        .and_then(|(radix, rest)| Number::from_radix(rest, radix));
    match digits {
        Some(number) if number.to_f64() >= 18446744073709551616.0 => {
            Err(format!("`{text}` is too large a number"))
        }
        digits => Ok(digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<String> {
        decode(text).ok().and_then(|v| json_text(&v))
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
            ("a: !!str 1\nb: !!int \"2\"", r#"{"a":"1","b":"2"}"#),
            ("a: |\n  x\n  y\nb: >-\n  x\n  y", r#"{"a":"x\ny\n","b":"x y"}"#),
            ("---", "null"),
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
        for text in [
            &bomb[..],
            "",
            "\ta",
            "%YAML 1.2\n---\na",
            "!!set {a}",
            "!x a",
            "a: \u{7}",
            "<<: [{a: 1}]",
            "a: &a [*a]",
            "a: [1",
            "a: b: c",
            "--- 1\n--- 2",
            "? [a]\n: 1",
            &"[".repeat(5000),
        ] {
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

//! Regular expressions: RE2 syntax, as Go reads it, translated to the regex crate's.

use super::{Call, Failure, MOST_ELEMENTS, text_length, too_many};
use crate::value::{Kind, Map, Type, Value};
use regex::{Captures, Regex, RegexBuilder};
use std::sync::Arc;

type Result = std::result::Result<Value, Failure>;

fn compile(pattern: &str) -> std::result::Result<Regex, String> {
    let built = RegexBuilder::new(&translate(pattern)).size_limit(8 << 20).build();
    built.map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("this is not a regular expression: {reason}")
    })
}

/// In Go `\d`, `\w`, `\s` and `\b` are ASCII only, a class has no set operations, a `{` that begins no
/// repetition is itself, and `\Q…\E` quotes.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut class = Class::Outside;
    let mut chars = pattern.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let first_in_class = class == Class::First;
        if class == Class::First {
            class = Class::Inside;
        }
        match c {
            '\\' => match chars.next() {
                Some((start, 'Q')) => {
                    let rest = &pattern[start + 1..];
                    let (quoted, skip) = match rest.find("\\E") {
                        Some(end) => (&rest[..end], end + 2),
                        None => (rest, rest.len()),
                    };
                    out.push_str(&regex::escape(quoted));
                    while chars.peek().is_some_and(|(i, _)| *i < start + 1 + skip) {
                        chars.next();
                    }
                }
                Some((_, escaped)) => out.push_str(&escape(escaped, class != Class::Outside)),
                None => out.push('\\'),
            },
            '[' if class == Class::Outside => {
                class = Class::First;
                out.push('[');
                if chars.next_if(|(_, c)| *c == '^').is_some() {
                    out.push('^');
                }
            }
            '[' if pattern[at..].starts_with("[:") => {
                let end = pattern[at..].find(":]").map_or(pattern.len(), |end| at + end + 2);
                out.push_str(&pattern[at..end]);
                while chars.peek().is_some_and(|(i, _)| *i < end) {
                    chars.next();
                }
            }
            '[' => out.push_str("\\["),
            ']' if first_in_class => out.push_str("\\]"),
            ']' if class != Class::Outside => {
                class = Class::Outside;
                out.push(']');
            }
            '&' | '~' if class != Class::Outside => {
                out.push('\\');
                out.push(c);
            }
            // `--` would be a difference; a single `-` makes a range.
            '-' if class != Class::Outside && pattern[at + 1..].starts_with('-') => out.push_str("\\-"),
            '{' if class == Class::Outside && !is_repetition(&pattern[at..]) => out.push_str("\\{"),
            c => out.push(c),
        }
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Outside,
    First,
    Inside,
}

fn is_repetition(text: &str) -> bool {
    let Some((inside, _)) = text[1..].split_once('}') else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

fn escape(c: char, in_class: bool) -> String {
    let (class, negated) = match c {
        'd' | 'D' => ("0-9", c == 'D'),
        'w' | 'W' => ("0-9A-Za-z_", c == 'W'),
        's' | 'S' => ("\\t\\n\\x0C\\r ", c == 'S'),
        'b' | 'B' if !in_class => return format!("(?-u:\\{c})"),
        '<' | '>' => return c.to_string(),
        _ => return format!("\\{c}"),
    };
    match (in_class, negated) {
        (true, false) => class.to_owned(),
        (_, true) => format!("[^{class}]"),
        (false, false) => format!("[{class}]"),
    }
}

/// What a match is: the whole text, a tuple of groups, or an object of named groups.
fn match_type(regex: &Regex) -> std::result::Result<Type, String> {
    let groups: Vec<Option<&str>> = regex.capture_names().skip(1).collect();
    let named: Vec<&str> = groups.iter().flatten().copied().collect();
    if groups.is_empty() {
        Ok(Type::String)
    } else if named.is_empty() {
        Ok(Type::tuple(groups.iter().map(|_| Type::String)))
    } else if named.len() == groups.len() {
        Ok(Type::object(named.iter().map(|name| (Arc::from(*name), Type::String))))
    } else {
        Err("groups with names and groups without cannot be mixed".to_owned())
    }
}

fn match_value(regex: &Regex, found: &Captures) -> Value {
    let group =
        |i: usize| found.get(i).map_or_else(|| Value::null(Type::String), |m| Value::string(m.as_str()));
    let names: Vec<Option<&str>> = regex.capture_names().collect();
    if names.len() == 1 {
        return group(0);
    }
    if names.iter().flatten().next().is_none() {
        return Value::tuple((1..names.len()).map(group).collect());
    }
    let named: Map = (0..).zip(&names).filter_map(|(i, n)| n.map(|n| (Arc::from(n), group(i)))).collect();
    Value::object(named)
}

fn pattern_type(args: &[Value]) -> std::result::Result<Type, Failure> {
    let Kind::String(pattern) = &args[0].kind else { return Ok(Type::Dynamic) };
    let regex = compile(pattern).map_err(|what| Failure::arg(0, what))?;
    match_type(&regex).map_err(|what| Failure::arg(0, what))
}

pub fn regex_type(args: &[Value]) -> std::result::Result<Type, Failure> {
    pattern_type(args)
}

pub fn regexall_type(args: &[Value]) -> std::result::Result<Type, Failure> {
    Ok(Type::list(pattern_type(args)?))
}

pub fn regex(call: &Call) -> Result {
    let regex = compile(call.str(0)).map_err(|what| Failure::arg(0, what))?;
    match regex.captures(call.str(1)) {
        Some(found) => Ok(match_value(&regex, &found)),
        None => Err(Failure::new("the pattern does not match the string")
            .help("use regexall() or can() where it may not match")),
    }
}

pub fn regexall(call: &Call) -> Result {
    let regex = compile(call.str(0)).map_err(|what| Failure::arg(0, what))?;
    let found = regex.captures_iter(call.str(1)).take(MOST_ELEMENTS + 1);
    let items: Vec<Value> = found.map(|found| match_value(&regex, &found)).collect();
    if items.len() > MOST_ELEMENTS {
        return Err(too_many());
    }
    Ok(Value::list(call.ty.element().cloned().unwrap_or(Type::String), items))
}

/// Between slashes the substring is a regular expression, and the replacement may use its groups.
pub fn replace(call: &Call) -> Result {
    let (text, wanted, replacement) = (call.str(0), call.str(1), call.str(2));
    match wanted.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        Some(pattern) if wanted.len() > 1 => {
            let regex = compile(pattern).map_err(Failure::new)?;
            Ok(Value::string(replaced(&regex, text, replacement)?))
        }
        _ => {
            let added = text.matches(wanted).count().checked_mul(replacement.len());
            text_length(added.and_then(|added| added.checked_add(text.len())))?;
            Ok(Value::string(text.replace(wanted, replacement)))
        }
    }
}

fn replaced(regex: &Regex, text: &str, replacement: &str) -> std::result::Result<String, Failure> {
    let groups = replacement.matches('$').count();
    let mut out = String::new();
    let mut end = 0;
    for found in regex.captures_iter(text) {
        let whole = found.get_match();
        out.push_str(&text[end..whole.start()]);
        end = whole.end();
        // No group is longer than the whole match.
        let longest = groups.checked_mul(whole.len()).and_then(|n| n.checked_add(replacement.len()));
        text_length(longest.and_then(|n| n.checked_add(out.len())))?;
        found.expand(replacement, &mut out);
    }
    out.push_str(&text[end..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        let matches = |pattern: &str, text: &str| compile(pattern).unwrap().is_match(text);
        assert!(!matches(r"^\d$", "٣") && matches(r"^[\d]$", "3"));
        assert!(matches(r"^[a[]$", "[") && matches(r"^[]a]$", "]") && matches(r"^[^]a]$", "b"));
        assert!(matches(r"^a{,2}$", "a{,2}") && matches(r"^a{2}$", "aa"));
        assert!(matches(r"^\Qa.b\E$", "a.b") && !matches(r"^\Qa.b\E$", "axb"));
        assert!(matches(r"^[[:alpha:]_&&-]+$", "a_&-"));
        assert!(matches(r"\<a\>", "<a>"));
        assert!(compile(r"(a").is_err() && compile(r"\1").is_err());
    }
}

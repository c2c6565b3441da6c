//! Regular expressions: RE2 syntax, as Go reads it, translated to the regex crate's.

use super::re2::translate;
use super::{Call, Failure, MOST_ELEMENTS, text_length, too_many};
use crate::value::{Kind, Map, Type, Value};
use regex::{Captures, Regex, RegexBuilder};
use std::sync::Arc;

type Result = std::result::Result<Value, Failure>;

/// So many bytes a compiled pattern may take.
const LARGEST_PATTERN: usize = 32 << 20;

/// A compiled pattern with the names of its groups.
struct Pattern {
    regex: Regex,
    groups: Vec<Option<String>>,
}

fn compile(pattern: &str) -> std::result::Result<Pattern, String> {
    let wrong = |reason: &str| format!("this is not a regular expression: {reason}");
    let translated = translate(pattern).map_err(|reason| wrong(&reason))?;
    let built = RegexBuilder::new(&translated.pattern).size_limit(LARGEST_PATTERN).build();
    let regex = built.map_err(|error| {
        let text = error.to_string();
        wrong(text.lines().last().unwrap_or_default().trim_start_matches("error: "))
    })?;
    Ok(Pattern { regex, groups: translated.groups })
}

/// What a match is: the whole text, a tuple of groups, or an object of named groups.
fn match_type(pattern: &Pattern) -> std::result::Result<Type, String> {
    let named: Vec<&String> = pattern.groups.iter().flatten().collect();
    if pattern.groups.is_empty() {
        Ok(Type::String)
    } else if named.is_empty() {
        Ok(Type::tuple(pattern.groups.iter().map(|_| Type::String)))
    } else if named.len() == pattern.groups.len() {
        Ok(Type::object(named.iter().map(|name| (Arc::from(name.as_str()), Type::String))))
    } else {
        Err("groups with names and groups without cannot be mixed".to_owned())
    }
}

fn match_value(pattern: &Pattern, found: &Captures) -> Value {
    let group =
        |i: usize| found.get(i).map_or_else(|| Value::null(Type::String), |m| Value::string(m.as_str()));
    let groups = &pattern.groups;
    if groups.is_empty() {
        return group(0);
    }
    if groups.iter().flatten().next().is_none() {
        return Value::tuple((1..=groups.len()).map(group).collect());
    }
    let named: Map = (1..)
        .zip(groups)
        .filter_map(|(i, name)| name.as_deref().map(|name| (Arc::from(name), group(i))))
        .collect();
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
    match regex.regex.captures(call.str(1)) {
        Some(found) => Ok(match_value(&regex, &found)),
        None => Err(Failure::new("the pattern does not match the string")
            .help("use regexall() or can() where it may not match")),
    }
}

pub fn regexall(call: &Call) -> Result {
    let regex = compile(call.str(0)).map_err(|what| Failure::arg(0, what))?;
    let found = regex.regex.captures_iter(call.str(1)).take(MOST_ELEMENTS + 1);
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

fn replaced(pattern: &Pattern, text: &str, replacement: &str) -> std::result::Result<String, Failure> {
    let groups = replacement.matches('$').count();
    let mut out = String::new();
    let mut end = 0;
    for found in pattern.regex.captures_iter(text) {
        let whole = found.get_match();
        out.push_str(&text[end..whole.start()]);
        end = whole.end();
        // No group is longer than the whole match.
        let longest = groups.checked_mul(whole.len()).and_then(|n| n.checked_add(replacement.len()));
        text_length(longest.and_then(|n| n.checked_add(out.len())))?;
        expand(pattern, &found, replacement, &mut out);
    }
    out.push_str(&text[end..]);
    Ok(out)
}

/// `$1`, `$name` and `${name}` are what groups matched, `$$` is a dollar sign.
fn expand(pattern: &Pattern, found: &Captures, template: &str, out: &mut String) {
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let braced = rest.strip_prefix('{');
        let inner = braced.unwrap_or(rest);
        let end = inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len());
        let (name, after) = inner.split_at(end);
        let after = if braced.is_some() { after.strip_prefix('}') } else { Some(after) };
        match after.filter(|_| !name.is_empty()) {
            Some(after) => {
                out.push_str(group(pattern, found, name));
                rest = after;
            }
            None => out.push('$'),
        }
    }
    out.push_str(rest);
}

/// What a group matched; nothing if there is none.
fn group<'t>(pattern: &Pattern, found: &Captures<'t>, name: &str) -> &'t str {
    let text = |i: usize| found.get(i).map(|m| m.as_str());
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return name.parse().ok().and_then(text).unwrap_or_default();
    }
    let named = (1..).zip(&pattern.groups).filter(|(_, group)| group.as_deref() == Some(name));
    named.filter_map(|(i, _)| text(i)).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        let matches = |pattern: &str, text: &str| {
            compile(pattern).unwrap_or_else(|e| panic!("{e}")).regex.is_match(text)
        };
        assert!(!matches(r"^\d$", "٣") && matches(r"^[\d]$", "3"));
        assert!(matches(r"^[a[]$", "[") && matches(r"^[]a]$", "]") && matches(r"^[^]a]$", "b"));
        assert!(matches(r"^a{,2}$", "a{,2}") && matches(r"^a{2}$", "aa"));
        assert!(matches(r"^\Qa.b\E$", "a.b") && !matches(r"^\Qa.b\E$", "axb"));
        assert!(matches(r"^[[:alpha:]_&&-]+$", "a_&-"));
        assert!(matches(r"\<a\>", "<a>"));
        assert!(matches(r"^\p{Greek}\p{^Greek}\x{61}\141[\w-]$", "αbaa-"));
        for wrong in [
            r"(a",
            r"\1",
            "a**",
            "a+?+",
            "a{1001}",
            "(a{100}){11}",
            "(?x)a",
            "(?P<é>a)",
            r"\u0041",
            "[[:nope:]]",
            r"[\Qa\E]",
            r"[\b]",
            r"\p{greek}",
            r"\x{110000}",
            "(?P<",
            "[a",
            "\\",
        ] {
            assert!(compile(wrong).is_err(), "{wrong}");
        }
        for right in [
            "a{1000}",
            "(a{100}){10}",
            "(?P<1>a)(?P<1>b)",
            "a{,2}",
            "a{",
            "(?i-s:a)",
            r"\_\-",
            "[]a]",
            "[a-]",
            "[-a]",
            "[[a]",
            "[^^]",
        ] {
            assert!(compile(right).is_ok(), "{right}");
        }
    }
}

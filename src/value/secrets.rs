//! Text that others wrote, with the secrets in it covered.

use super::{Kind, Value};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// What stands in place of a secret.
pub const COVER: &str = "(sensitive value)";

/// Shorter ones (a digit, a word) stand in other words, too: there they stay.
const DISTINCT: usize = 4;

/// Texts that nobody may read.
#[derive(Clone, Debug, Default)]
pub struct Secrets(BTreeSet<String>);

impl Secrets {
    /// Everything that is marked in a value.
    pub fn add_marked(&mut self, value: &Value) {
        if value.marks.sensitive || value.marks.ephemeral {
            self.add_all(value);
        } else {
            value.children().for_each(|child| self.add_marked(child));
        }
    }

    fn add_all(&mut self, value: &Value) {
        match &value.kind {
            Kind::String(text) => self.add(text),
            Kind::Number(number) => self.add(&number.to_string()),
            _ => value.children().for_each(|child| self.add_all(child)),
        }
    }

    /// With the members of what is JSON, line by line, and in the spellings in which secrets get into texts:
    /// of URLs, of headers, of JSON.
    pub fn add(&mut self, text: &str) {
        let parsed = text.starts_with(['{', '[']).then(|| serde_json::from_str(text).ok()).flatten();
        if let Some(json @ (Json::Object(_) | Json::Array(_))) = parsed {
            self.add_members(&json);
        }
        for part in text.lines().chain([text]).map(str::trim).filter(|part| !part.is_empty()) {
            let json = Json::from(part).to_string();
            self.0.insert(part.to_owned());
            let encoded = utf8_percent_encode(part, NON_ALPHANUMERIC).to_string();
            self.0.insert(encoded.replace("%20", "+"));
            self.0.insert(encoded);
            self.0.insert(STANDARD.encode(part));
            self.0.insert(URL_SAFE.encode(part));
            self.0.insert(json.trim_matches('"').to_owned());
        }
    }

    /// Of container definitions with a secret among them only the environment can be one: images and ports are
    /// marked with it, but are none.
    fn add_members(&mut self, json: &Json) {
        match json {
            Json::String(text) => self.add(text),
            Json::Object(members) if members.contains_key("image") && members.contains_key("name") => {
                let environment = members.get("environment").and_then(Json::as_array).into_iter().flatten();
                environment.filter_map(|one| one.get("value")).for_each(|value| self.add_members(value));
            }
            Json::Object(members) => members.values().for_each(|member| self.add_members(member)),
            Json::Array(items) => items.iter().for_each(|item| self.add_members(item)),
            Json::Number(number) => self.add(&number.to_string()),
            Json::Null | Json::Bool(_) => {}
        }
    }

    pub fn has(&self, text: &str) -> bool {
        !text.is_empty() && self.0.contains(text)
    }

    /// The longest first: one may be part of another.
    pub fn cover(&self, text: &str) -> String {
        let mut found: Vec<&str> = self.0.iter().map(String::as_str).filter(|s| text.contains(s)).collect();
        found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        found.iter().fold(text.to_owned(), |text, secret| cover_one(&text, secret))
    }
}

fn cover_one(text: &str, secret: &str) -> String {
    if secret.chars().count() >= DISTINCT {
        return text.replace(secret, COVER);
    }
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(secret) {
        let (before, after) = (&rest[..at], &rest[at + secret.len()..]);
        let last = before.chars().next_back().or(out.chars().next_back());
        let inside = is_word(last) || is_word(after.chars().next());
        out += before;
        out += if inside { secret } else { COVER };
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Map;

    fn secrets(of: &[&str]) -> Secrets {
        let mut secrets = Secrets::default();
        of.iter().for_each(|text| secrets.add(text));
        secrets
    }

    #[test]
    fn a_secret_is_covered_in_every_spelling() {
        let secrets = secrets(&["p@ss\"word"]);
        for said in ["p@ss\"word", "p%40ss%22word", "cEBzcyJ3b3Jk", r#"p@ss\"word"#] {
            assert_eq!(secrets.cover(&format!("tried {said}.")), "tried (sensitive value).", "{said}");
        }
    }

    #[test]
    fn the_longer_of_two_is_covered_whole() {
        assert_eq!(secrets(&["hunter2", "hunter22"]).cover("hunter22"), COVER);
    }

    #[test]
    fn members_and_lines_of_a_secret_are_secrets() {
        let json = secrets(&[r#"{"user":"app","password":"hunter2"}"#]);
        assert_eq!(json.cover("no login with hunter2"), "no login with (sensitive value)");
        let key = secrets(&["-----BEGIN KEY-----\nMIIEabcdef\n-----END KEY-----\n"]);
        assert_eq!(key.cover("read MIIEabcdef"), "read (sensitive value)");
    }

    #[test]
    fn of_containers_only_the_environment_is_secret() {
        let containers =
            r#"[{"name":"site","image":"shop/site:1","environment":[{"name":"KEY","value":"hunter2"}]}]"#;
        assert_eq!(
            secrets(&[containers]).cover("site of shop/site:1 takes hunter2"),
            "site of shop/site:1 takes (sensitive value)"
        );
    }

    #[test]
    fn a_short_one_is_covered_only_as_a_word() {
        assert_eq!(secrets(&["7"]).cover("pin 7, port 7070, 17"), "pin (sensitive value), port 7070, 17");
    }

    #[test]
    fn only_what_is_marked_is_secret() {
        let value = Value::object(Map::from_iter([
            ("name".into(), Value::string("public")),
            ("password".into(), Value::string("hunter2").sensitive()),
            ("pins".into(), Value::tuple(vec![Value::int(4711)]).sensitive()),
        ]));
        let mut secrets = Secrets::default();
        secrets.add_marked(&value);
        assert_eq!(secrets.cover("public hunter2 4711"), "public (sensitive value) (sensitive value)");
    }
}

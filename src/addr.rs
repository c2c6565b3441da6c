//! Addresses: `module.web["a"].aws_lb_target_group.blue[0]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What `count` or `for_each` make of one block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceKey {
    None,
    Index(u64),
    Key(Arc<str>),
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InstanceKey::None => Ok(()),
            InstanceKey::Index(i) => write!(f, "[{i}]"),
            InstanceKey::Key(k) => write!(f, "[{}]", quote(k)),
        }
    }
}

fn quote(key: &str) -> String {
    let mut out = String::from("\"");
    for c in key.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out + "\""
}

/// The path of a module instance; empty for the root. Every address inside of it shares it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ModulePath(pub Arc<[(Arc<str>, InstanceKey)]>);

impl ModulePath {
    pub fn root() -> Self {
        Self::default()
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path of the module around it, and the key that it has there.
    pub fn outer(&self) -> Option<(Self, &InstanceKey)> {
        let ((_, key), outer) = self.0.split_last()?;
        Some((Self(outer.into()), key))
    }

    pub fn child(&self, name: &str, key: InstanceKey) -> Self {
        Self(self.0.iter().cloned().chain([(name.into(), key)]).collect())
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, key)) in self.0.iter().enumerate() {
            let dot = if i == 0 { "" } else { "." };
            write!(f, "{dot}module.{name}{key}")?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    Managed,
    Data,
}

/// The address of one resource (or data source) instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    pub module: ModulePath,
    pub mode: Mode,
    pub type_name: Arc<str>,
    pub name: Arc<str>,
    pub key: InstanceKey,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_root() {
            write!(f, "{}.", self.module)?;
        }
        if self.mode == Mode::Data {
            f.write_str("data.")?;
        }
        write!(f, "{}.{}{}", self.type_name, self.name, self.key)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a resource address: {why}")]
pub struct AddressError {
    pub text: String,
    pub why: &'static str,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |why| AddressError { text: text.to_owned(), why };
        let mut parts = split_steps(text).map_err(fail)?.into_iter().peekable();
        let mut modules = Vec::new();
        while parts.peek().is_some_and(|(name, _)| name == "module") {
            parts.next();
            let (name, key) = parts.next().ok_or_else(|| fail("a module name is missing after `module.`"))?;
            modules.push((name.into(), key));
        }
        let mut mode = Mode::Managed;
        if parts.peek().is_some_and(|(name, _)| name == "data") {
            parts.next();
            mode = Mode::Data;
        }
        let (type_name, _) = parts.next().ok_or_else(|| fail("a resource type is missing"))?;
        let (name, key) = parts.next().ok_or_else(|| fail("a resource name is missing after the type"))?;
        if parts.next().is_some() {
            return Err(fail("there is something after the resource name"));
        }
        let module = ModulePath(modules.into());
        Ok(Address { module, mode, type_name: type_name.into(), name: name.into(), key })
    }
}

/// `a.b["x.y"].c[0]` → (a, None), (b, "x.y"), (c, 0).
pub fn split_steps(text: &str) -> Result<Vec<(String, InstanceKey)>, &'static str> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let name = &rest[..end];
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            return Err("a name is empty or has a character that names cannot have");
        }
        rest = &rest[end..];
        let mut key = InstanceKey::None;
        if let Some(inner) = rest.strip_prefix('[') {
            let (parsed, after) = parse_key(inner)?;
            key = parsed;
            rest = after;
        }
        steps.push((name.to_owned(), key));
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Ok(steps),
            None => return Err("there is something between `]` and the next `.`"),
        }
    }
}

fn parse_key(inner: &str) -> Result<(InstanceKey, &str), &'static str> {
    if let Some(body) = inner.strip_prefix('"') {
        let mut key = String::new();
        let mut chars = body.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    let after = body[i + 1..].strip_prefix(']').ok_or("`]` is missing after the key")?;
                    return Ok((InstanceKey::Key(key.into()), after));
                }
                '\\' => match chars.next().ok_or("the key ends in a backslash")?.1 {
                    'n' => key.push('\n'),
                    'r' => key.push('\r'),
                    't' => key.push('\t'),
                    other => key.push(other),
                },
                c => key.push(c),
            }
        }
        return Err("the closing quote of a key is missing");
    }
    let (digits, after) = inner.split_once(']').ok_or("`]` is missing")?;
    let index = digits.parse().map_err(|_| "an index must be a whole number or a quoted string")?;
    Ok((InstanceKey::Index(index), after))
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip() {
        for text in [
            "aws_vpc.main",
            "aws_vpc.main[0]",
            r#"module.web["a.b"].module.x[1].aws_lb_target_group.blue["q\"]x"]"#,
            "module.a.data.aws_ami.ecs",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn malformed_addresses_say_why() {
        for text in ["", "aws_vpc", "aws_vpc.a.b", "aws_vpc.a[x]", "aws_vpc.a[\"x]", "module"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}

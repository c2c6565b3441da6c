//! Forms (awsQuery and ec2Query): `Filter.1.Value.2=x` and so on → tree.

use super::model::{Kind, Member, Protocol, Service, ShapeId};
use super::{Malformed, scalar};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

const MAX_DEPTH: usize = 64;

/// A form's keys, split at their dots.
#[derive(Debug, Default)]
pub struct Form {
    value: Option<String>,
    parts: BTreeMap<String, Form>,
}

impl Form {
    pub fn parse(body: &[u8]) -> Self {
        let mut form = Form::default();
        for (key, value) in form_urlencoded::parse(body) {
            // No API nests as deep; what does would only exhaust the stack.
            if key.matches('.').count() > MAX_DEPTH {
                continue;
            }
            let leaf =
                key.split('.').fold(&mut form, |at, part| at.parts.entry(part.to_owned()).or_default());
            leaf.value = Some(value.into_owned());
        }
        form
    }

    /// A plain value at the top: `Action`, `Version`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parts.get(name)?.value.as_deref()
    }

    /// `X.1`, `X.2`, …, `X.10` in the order of their numbers.
    fn numbered(&self) -> Vec<&Form> {
        let mut items: Vec<(u64, &Form)> =
            self.parts.iter().filter_map(|(n, form)| Some((n.parse().ok()?, form))).collect();
        items.sort_by_key(|(n, _)| *n);
        items.into_iter().map(|(_, form)| form).collect()
    }
}

pub fn decode(
    service: &Service,
    protocol: Protocol,
    input: Option<ShapeId>,
    form: &Form,
) -> Result<Json, Malformed> {
    let Some(input) = input else { return Ok(Json::Object(Map::new())) };
    let decoder = Decoder { service, ec2: protocol == Protocol::Ec2 };
    if decoder.ec2 {
        decoder.refuse_unknown(input, form)?;
    }
    decoder.structure(input, form, "")
}

struct Decoder<'a> {
    service: &'a Service,
    ec2: bool,
}

impl Decoder<'_> {
    fn value(&self, id: ShapeId, form: &Form, at: &str, flattened: bool) -> Result<Json, Malformed> {
        let shape = self.service.shape(id);
        match &shape.kind {
            Kind::Structure(_) => self.structure(id, form, at),
            Kind::List { item, wire, flattened: own } => {
                // ec2Query flattens every list in a request, whatever the model says of the answer.
                let flat = self.ec2 || flattened || *own;
                let items = if flat { Some(form) } else { form.parts.get(*wire) };
                let items = items.map(Form::numbered).unwrap_or_default();
                let each = items.iter().enumerate();
                each.map(|(i, f)| self.value(*item, f, &format!("{at}.{}", i + 1), false)).collect()
            }
            Kind::Map { key, key_wire, value, value_wire, flattened: own } => {
                let entries = if flattened || *own { Some(form) } else { form.parts.get("entry") };
                let mut map = Map::new();
                for entry in entries.map(Form::numbered).unwrap_or_default() {
                    let name =
                        entry.parts.get(*key_wire).map(|k| self.value(*key, k, at, false)).transpose()?;
                    let content = entry.parts.get(*value_wire);
                    let content = content.map(|v| self.value(*value, v, at, false)).transpose()?;
                    if let (Some(Json::String(name)), Some(content)) = (name, content) {
                        map.insert(name, content);
                    }
                }
                Ok(Json::Object(map))
            }
            _ => {
                let text = form.value.as_deref().unwrap_or("");
                scalar::from_text(shape, text).ok_or_else(|| Malformed::value(at, text, shape))
            }
        }
    }

    fn structure(&self, id: ShapeId, form: &Form, at: &str) -> Result<Json, Malformed> {
        let mut tree = Map::new();
        for member in self.service.members(id) {
            let name = self.name(member);
            if let Some(part) = form.parts.get(name.as_ref()) {
                let at = if at.is_empty() { name.to_string() } else { format!("{at}.{name}") };
                let value = self.value(member.shape, part, &at, member.flattened)?;
                tree.insert(member.name.to_owned(), value);
            }
        }
        Ok(Json::Object(tree))
    }

    fn name<'m>(&self, member: &'m Member) -> std::borrow::Cow<'m, str> {
        if self.ec2 { query_name(member) } else { std::borrow::Cow::Borrowed(&member.wire) }
    }

    /// EC2 refuses top-level parameters it does not know.
    fn refuse_unknown(&self, input: ShapeId, form: &Form) -> Result<(), Malformed> {
        let known: Vec<_> = self.service.members(input).iter().map(query_name).collect();
        let unknown = form
            .parts
            .keys()
            .find(|k| !matches!(k.as_str(), "Action" | "Version") && !known.iter().any(|n| n == k.as_str()));
        match unknown {
            Some(name) => Err(Malformed::UnknownParameter(name.clone())),
            None => Ok(()),
        }
    }
}

/// ec2Query: the name the model gives for queries, or the wire name with a capital.
pub fn query_name(member: &Member) -> std::borrow::Cow<'_, str> {
    match member.query {
        Some(name) => name.into(),
        None => {
            let mut chars = member.wire.chars();
            chars.next().map_or_else(Default::default, |c| {
                (c.to_ascii_uppercase().to_string() + chars.as_str()).into()
            })
        }
    }
}

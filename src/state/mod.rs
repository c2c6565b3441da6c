//! What we know of what we made: per resource what was declared and what AWS answered.

mod attributes;
pub mod file;
pub mod journal;
pub mod key;
mod secret;
mod typed;

pub use attributes::Attributes;
pub use file::{LockError, StateDir, StateError};
pub use key::{Sealed, StateKey};
pub use secret::{is_digest, is_opaque, seal};

use crate::addr::{Address, Mode};
use crate::schema::{Object, Shape, Table};
use crate::value::{Kind, Map, Secrets, Value, convert, from_json, to_json};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub const VERSION: u32 = 1;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub version: u32,
    /// Of one history: made once, never changes.
    pub lineage: String,
    /// Goes up with every write.
    pub serial: u64,
    /// For the digests of sensitive values.
    pub salt: String,
    pub resources: BTreeMap<Address, Resource>,
    pub outputs: BTreeMap<String, Output>,
    /// Rollouts that stand still in the middle.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rollouts: BTreeMap<Address, OpenRollout>,
    /// Encrypts what must be usable again; comes from a file of its own.
    #[serde(skip)]
    pub key: Option<StateKey>,
}

/// A rollout that is not through: under way, perhaps without us, or waiting for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRollout {
    pub provider: String,
    /// When it began.
    pub since: String,
    /// The step that it is at, what that says, and what the steps before it carried: a deployment's ARN.
    pub step: String,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<String>,
    /// For a person.
    #[serde(default)]
    pub waits: bool,
    /// What was live before it began: the way back.
    pub before: Attributes,
    /// The step beyond which a person has agreed to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<String>,
}

impl State {
    /// Attributes as stored: see [`stored`].
    pub fn stored(&self, object: &Object, table: &Table) -> Attributes {
        let mut out = stored(object, table, &self.salt);
        let Some(key) = &self.key else { return (&out).into() };
        for row in table.rows.iter().filter(|row| row.kept) {
            let text = object.value(row.name).and_then(Value::as_str).filter(|t| !key::is_encrypted(t));
            // Without random bytes the digest stays: never the secret itself.
            if let Some(Ok(sealed)) = text.map(|text| key.encrypt(text, row.name)) {
                out.insert(row.name.to_owned(), Json::String(sealed));
            }
        }
        (&out).into()
    }

    /// What AWS answered, as stored: a text that was declared with a secret in it is a secret, and so is what
    /// equals one (what Parameter Store calls `insecure_value`, the output of `terraform_data`).
    pub fn stored_seen(&self, live: &Object, declared: &Object, table: &Table) -> Attributes {
        let mut secrets = Secrets::default();
        declared.0.values().for_each(|value| secrets.add_marked(value));
        let mut covered = live.clone();
        for (name, value) in live.0.iter().filter(|(name, _)| &***name != "id") {
            let secret = declared.value(name).is_some_and(Value::contains_sensitive);
            let is_one = |text: &str| secrets.has(text) || secret && secrets.cover(text) != text;
            let value = match value.as_str() {
                Some(_) if secret => value.clone().sensitive(),
                _ => with_secrets_marked(value, &is_one),
            };
            covered.put(name, Some(value));
        }
        self.stored(&covered, table)
    }

    /// Decrypts what was kept. Err: the attribute that cannot be read, and why.
    pub fn open(&self, object: &mut Object, table: &Table) -> Result<(), (&'static str, Sealed)> {
        let Some(key) = &self.key else { return Ok(()) };
        for row in table.rows.iter().filter(|row| row.kept) {
            let text = object.value(row.name).and_then(Value::as_str).filter(|t| key::is_encrypted(t));
            if let Some(text) = text {
                let opened = key.decrypt(text, row.name).map_err(|why| (row.name, why))?;
                object.put(row.name, Some(Value::from(opened).sensitive()));
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    pub id: String,
    /// Configured provider that made it: `aws`, `aws.west`.
    pub provider: String,
    /// What we declared when we last applied it. Sensitive values are digests.
    pub applied: Attributes,
    /// What AWS answered right after. Sensitive values are digests.
    pub seen: Attributes,
    /// Resources it was made from, without instance keys: they must outlive it.
    pub depends_on: Arc<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub create_before_destroy: bool,
    /// Damaged (a provisioner failed, or someone said so): the next plan replaces it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tainted: bool,
    /// The old one of a replacement that is still to be deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deposed: Vec<Deposed>,
}

/// A replaced resource whose deletion has not happened yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deposed {
    pub id: String,
    pub seen: Attributes,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// A digest when sensitive.
    pub value: Json,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
}

impl Resource {
    pub fn applied(&self, table: &'static Table) -> Object {
        object(&self.applied, table)
    }

    pub fn seen(&self, table: &'static Table) -> Object {
        object(&self.seen, table)
    }
}

/// The address as `depends_on` has it: modules and resource without instance keys.
pub fn without_keys(address: &Address) -> String {
    let mut text = String::new();
    for (name, _) in address.module.0.iter() {
        text += &format!("module.{name}.");
    }
    let data = if address.mode == Mode::Data { "data." } else { "" };
    format!("{text}{data}{}.{}", address.type_name, address.name)
}

/// Stored attributes as values of the table's types. What does not fit (a file edited by hand) is left out.
pub fn object(stored: &Attributes, table: &'static Table) -> Object {
    let mut object = Object::new();
    for (name, json) in &stored.open() {
        let row = table.row(name);
        if row.is_some_and(|row| matches!(row.shape, Shape::Any)) {
            object.put(name, typed::unpack(json));
            continue;
        }
        let ty = row.map_or(crate::value::Type::String, |row| row.ty());
        let value = from_json(json);
        if secret::is_opaque(&value) {
            object.put(name, Some(value.sensitive()));
        } else if let Ok(value) = convert(&value, &ty) {
            object.put(name, Some(value));
        }
    }
    object
}

/// Nulls and empty blocks left out, sensitive values sealed.
fn stored(object: &Object, table: &Table, salt: &str) -> BTreeMap<String, Json> {
    let mut out = BTreeMap::new();
    for (name, value) in object.0.iter() {
        let row = table.row(name);
        if row.map_or_else(|| crate::schema::is_absent(value), |row| row.is_absent(value)) {
            continue;
        }
        if row.is_some_and(|r| r.write_only) {
            continue;
        }
        if row.is_some_and(|r| matches!(r.shape, Shape::Any)) {
            out.extend(typed::pack(value, salt).map(|json| (name.to_string(), json)));
            continue;
        }
        let secret = row.is_some_and(|r| r.sensitive) || value.marks.sensitive;
        let sealed = if secret { seal(value, salt) } else { seal_inside(value, row.map(|r| r.shape), salt) };
        if let Some(json) = to_json(&sealed) {
            out.insert(name.to_string(), json);
        }
    }
    out
}

/// The texts in it that are secrets, marked.
fn with_secrets_marked(value: &Value, is_one: &dyn Fn(&str) -> bool) -> Value {
    let each =
        |items: &[Value]| items.iter().map(|item| with_secrets_marked(item, is_one)).collect::<Vec<_>>();
    let entries =
        |map: &Map| map.iter().map(|(k, v)| (k.clone(), with_secrets_marked(v, is_one))).collect::<Map>();
    let kind = match &value.kind {
        Kind::String(text) if is_one(text) => return value.clone().sensitive(),
        Kind::List(of, items) => Kind::List(of.clone(), each(items).into()),
        Kind::Set(of, items) => Kind::Set(of.clone(), each(items).into()),
        Kind::Tuple(items) => Kind::Tuple(each(items).into()),
        Kind::Map(of, map) => Kind::Map(of.clone(), Arc::new(entries(map))),
        Kind::Object(map) => Kind::Object(Arc::new(entries(map))),
        _ => return value.clone(),
    };
    Value::from(kind).marked(value.marks)
}

/// Seals sensitive parts of collections and blocks.
fn seal_inside(value: &Value, shape: Option<Shape>, salt: &str) -> Value {
    if value.marks.sensitive {
        return seal(value, salt);
    }
    let inner = match shape {
        Some(Shape::Blocks(_, table)) => Some(table),
        _ => None,
    };
    let member = |name: &str, v: &Value| match inner.and_then(|t| t.row(name)) {
        Some(row) if row.sensitive && !v.is_null() => seal(v, salt),
        row => seal_inside(v, row.map(|r| r.shape), salt),
    };
    let kind = match &value.kind {
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            Kind::Tuple(items.iter().map(|v| seal_inside(v, shape, salt)).collect::<Vec<_>>().into())
        }
        Kind::Map(_, items) | Kind::Object(items) => {
            Kind::Object(std::sync::Arc::new(items.iter().map(|(k, v)| (k.clone(), member(k, v))).collect()))
        }
        other => other.clone(),
    };
    kind.into()
}

//! Objects as Terraform's JSON has them, and the tree of modules they hang in.

use crate::addr::{Address, InstanceKey, Mode, ModulePath};
use crate::schema::{Nesting, Object, Shape, Table};
use crate::state::is_opaque;
use crate::value::{Kind, Value, shape_json, unrounded_json};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Resources by the module instance that they are in.
#[derive(Debug, Default)]
pub struct Tree {
    resources: Vec<Json>,
    children: BTreeMap<ModulePath, Tree>,
}

impl Tree {
    pub fn add(&mut self, address: &Address, entry: Json) {
        let mut at = self;
        for depth in 1..=address.module.0.len() {
            at = at.children.entry(ModulePath(address.module.0[..depth].into())).or_default();
        }
        at.resources.push(entry);
    }

    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.children.is_empty()
    }

    pub fn json(&self) -> Json {
        let mut out = Map::new();
        if !self.resources.is_empty() {
            out.insert("resources".into(), self.resources.clone().into());
        }
        let child = |(path, tree): (&ModulePath, &Tree)| {
            let mut json = tree.json();
            json["address"] = json!(path.to_string());
            json
        };
        let children: Vec<Json> = self.children.iter().map(child).collect();
        if !children.is_empty() {
            out.insert("child_modules".into(), children.into());
        }
        Json::Object(out)
    }
}

/// What names a resource instance.
pub fn identity(address: &Address) -> Json {
    let mut out = json!({
        "address": address.to_string(),
        "mode": if address.mode == Mode::Data { "data" } else { "managed" },
        "type": *address.type_name,
        "name": *address.name,
        "provider_name": provider_name(&address.type_name),
    });
    if !address.module.is_root() {
        out["module_address"] = json!(address.module.to_string());
    }
    match &address.key {
        InstanceKey::None => {}
        InstanceKey::Index(i) => out["index"] = json!(i),
        InstanceKey::Key(key) => out["index"] = json!(**key),
    }
    out
}

/// An entry of `planned_values` or of a state.
pub fn resource(address: &Address, object: &Object, table: Option<&'static Table>) -> Json {
    let mut out = identity(address);
    if let Some(fields) = out.as_object_mut() {
        fields.remove("module_address");
    }
    out["schema_version"] = json!(0);
    out["values"] = object_json(object, table);
    out["sensitive_values"] = sensitive_json(object, table);
    out
}

/// The full address of the provider that has a type.
pub fn provider_name(type_name: &str) -> String {
    full_provider_name(type_name.split('_').next().unwrap_or_default())
}

pub fn full_provider_name(local: &str) -> String {
    match local {
        "terraform" => "terraform.io/builtin/terraform".to_owned(),
        // The public registry stands first in every address.
        name => format!("registry.{}/hashicorp/{name}", "terraform.io"),
    }
}

fn is_secret(value: &Value) -> bool {
    value.marks.sensitive || is_opaque(value)
}

/// Unknown parts are missing in objects and null in lists; secrets are null.
pub fn open_json(value: &Value) -> Json {
    if is_secret(value) || value.is_unknown() {
        return Json::Null;
    }
    match &value.kind {
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            Json::Array(items.iter().map(open_json).collect())
        }
        Kind::Map(_, items) | Kind::Object(items) => {
            let known = items.iter().filter(|(_, v)| !v.is_unknown());
            Json::Object(known.map(|(k, v)| (k.to_string(), open_json(v))).collect())
        }
        _ => unrounded_json(value).unwrap_or(Json::Null),
    }
}

/// The known attributes, undeclared ones null, undeclared blocks an empty list.
pub fn object_json(object: &Object, table: Option<&'static Table>) -> Json {
    let marked = marked(object, table);
    let mut out = Map::new();
    for (name, value) in marked.0.iter().filter(|(_, v)| !v.is_unknown()) {
        let shape = table.and_then(|t| t.row(name)).map(|row| row.shape);
        let many = matches!(shape, Some(Shape::Blocks(Nesting::List | Nesting::Set, _)));
        let json = match many && value.is_null() {
            true => json!([]),
            false => open_json(value),
        };
        out.insert(name.to_string(), json);
    }
    Json::Object(out)
}

pub fn sensitive_json(object: &Object, table: Option<&'static Table>) -> Json {
    shape_json(&Value::from(marked(object, table)), &is_secret)
}

pub fn nothing_sensitive() -> Json {
    json!(false)
}

pub fn unknown_json(object: &Object) -> Json {
    shape_json(&Value::from(object.clone()), &Value::is_unknown)
}

/// False where nothing is unknown, as outputs have it.
pub fn unknown_value(value: &Value) -> Json {
    if value.is_wholly_known() { json!(false) } else { shape_json(value, &Value::is_unknown) }
}

/// Whole (what was not answered is null), and what the table calls sensitive marked so: what is live comes
/// without marks.
pub fn marked(object: &Object, table: Option<&'static Table>) -> Object {
    let Some(table) = table else { return object.clone() };
    let mut out = object.clone().complete(table);
    for row in table.rows {
        let Some(value) = object.value(row.name).filter(|v| !v.is_null()) else { continue };
        match row.shape {
            _ if row.sensitive => out.put(row.name, Some(value.clone().sensitive())),
            Shape::Blocks(_, inner) => out.put(row.name, Some(marked_blocks(value, inner))),
            _ => continue,
        };
    }
    out
}

fn marked_blocks(value: &Value, table: &'static Table) -> Value {
    let each = |item: &Value| match Object::of(item) {
        Some(object) => Value::from(marked(&object, Some(table))).marked(item.marks),
        None => item.clone(),
    };
    match value.as_slice() {
        // As a tuple: a set would take the marks of its elements for itself.
        Some(items) => Value::tuple(items.iter().map(each).collect()).marked(value.marks),
        None => each(value),
    }
}

//! Desired objects around the diff: tags, what a resource will look like, ignore_changes.

use crate::aws::tags::{TAGS, TAGS_ALL};
use crate::diff::AttributeChange;
use crate::provider::ProviderSettings;
use crate::schema::{Object, Presence, Shape, Table, TypeSchema};
use crate::value::{Kind, Map, Type, Value};
use std::sync::Arc;

/// Completes `tags_all`: declared tags over the provider's defaults.
pub fn complete_tags(
    desired: &mut Object,
    table: &Table,
    settings: &ProviderSettings,
    applied: Option<&Object>,
) {
    if table.row("tags_all").is_none() {
        return;
    }
    let tags = desired.value("tags").cloned().unwrap_or_else(|| Value::null(Type::map(Type::String)));
    if tags.is_unknown() {
        desired.put("tags_all", Some(Value::unknown_not_null(Type::map(Type::String))));
        return;
    }
    let mut all: Map =
        settings.default_tags.iter().map(|(k, v)| (Arc::from(k.as_str()), Value::from(v.as_str()))).collect();
    all.extend(tags.as_map().cloned().unwrap_or_default());
    all.retain(|_, v| !v.is_null());
    // No tags declared now or before: those that others set stay theirs.
    if all.is_empty() && !applied.is_some_and(|a| a.has("tags_all")) {
        return;
    }
    desired.put("tags_all", Some(Value::map(Type::String, all).marked(tags.marks)));
}

/// Drops ignored tags from what AWS answered, and derives `tags`: all but the provider's defaults.
pub fn derive_tags(live: &mut Object, table: &Table, settings: &ProviderSettings, desired: Option<&Object>) {
    if table.row("tags_all").is_none() {
        return;
    }
    let mut all = live.all(&TAGS_ALL);
    all.retain(|k, _| {
        !settings.ignore_tag_keys.contains(k)
            && !settings.ignore_tag_prefixes.iter().any(|p| k.starts_with(p))
    });
    let declared = desired.map(|d| d.all(&TAGS)).unwrap_or_default();
    let mut own = all.clone();
    own.retain(|k, v| declared.contains_key(k) || settings.default_tags.get(k) != Some(v));
    live.set(&TAGS_ALL, all);
    live.set(&TAGS, own);
}

/// What a new resource will look like: declared values, unknown where AWS decides.
pub fn created(schema: &TypeSchema, desired: &Object) -> Object {
    let mut after = object_with_unknowns(schema.table, desired);
    after.put("id", Some(Value::unknown_not_null(Type::String)));
    for (name, value) in (schema.predict)(desired) {
        after.put(name, Some(value));
    }
    after
}

fn object_with_unknowns(table: &Table, desired: &Object) -> Object {
    let mut after = Object::new();
    for row in table.rows.iter().filter(|row| !row.write_only) {
        let declared = desired.value(row.name).filter(|v| !row.is_absent(v));
        let value = match (declared, row.presence) {
            (Some(value), _) => match row.shape {
                Shape::Blocks(_, inner) => blocks_with_unknowns(inner, value),
                _ => value.clone(),
            },
            (None, Presence::Computed | Presence::OptionalComputed) => {
                let unknown = Value::unknown_not_null(row.ty());
                if row.sensitive { unknown.sensitive() } else { unknown }
            }
            (None, _) => continue,
        };
        after.put(row.name, Some(value));
    }
    after.complete(table)
}

fn blocks_with_unknowns(table: &Table, value: &Value) -> Value {
    let each = |item: &Value| match Object::of(item) {
        Some(object) => Value::from(object_with_unknowns(table, &object)).marked(item.marks),
        None => item.clone(),
    };
    let kind = match &value.kind {
        Kind::List(t, items) => Kind::List(t.clone(), Arc::new(items.iter().map(each).collect())),
        // The elements of a set with unknown parts may yet turn out equal: order as written.
        Kind::Set(t, items) => Kind::Set(t.clone(), Arc::new(items.iter().map(each).collect())),
        Kind::Object(_) => return each(value),
        other => other.clone(),
    };
    Value { kind, marks: value.marks }
}

/// What an existing resource will look like after `changes` (none: as it is, in the words of the
/// configuration).
pub fn updated(schema: &TypeSchema, live: &Object, desired: &Object, changes: &[AttributeChange]) -> Object {
    let mut after = live.clone().complete(schema.table);
    for row in schema.table.rows.iter().filter(|row| !row.write_only) {
        let change = changes.iter().find(|c| c.name == row.name);
        let declared = desired.value(row.name).filter(|v| !row.is_absent(v));
        let blocks = match row.shape {
            Shape::Blocks(_, inner) => Some(inner),
            _ => None,
        };
        let value = match (change, declared) {
            (Some(change), _) => match blocks {
                Some(inner) => blocks_with_unknowns(inner, &change.after),
                None => change.after.clone(),
            },
            // Blocks as AWS completed them; anything else as it was written, so that references see that.
            // One under its second name is known by that.
            (None, Some(_)) if row.name == "name" && schema.second_name.is_some() => continue,
            (None, Some(value)) if (blocks.is_none() || row.local) && row.owned_elsewhere.is_none() => {
                value.clone()
            }
            _ => {
                let touched = |names: &[&str]| {
                    !changes.is_empty()
                        && (names.is_empty() || changes.iter().any(|c| names.contains(&c.name.as_str())))
                };
                match row.unknown_after {
                    Some(names)
                        if touched(names) && row.unknown_when.is_none_or(|when| when(live, desired)) =>
                    {
                        Value::unknown_not_null(row.ty())
                    }
                    _ if row.sensitive => {
                        after.value(row.name).cloned().unwrap_or_else(|| Value::null(row.ty())).sensitive()
                    }
                    _ => continue,
                }
            }
        };
        after.put(row.name, Some(value));
    }
    let names: Vec<&str> = changes.iter().map(|c| c.name.as_str()).collect();
    for (name, value) in (schema.predict_update)(desired, &names) {
        after.put(name, Some(value));
    }
    // One copy will do for what stays as it is.
    if after == *live { live.clone() } else { after }
}

//! Keys of tables and of their indexes.

use super::values::{Item, bytes, typed};
use super::*;

/// A partition key and a sort key; of a global index each may be several attributes (Developer Guide,
/// "Multi-attribute keys in global secondary indexes").
#[derive(Clone, Debug)]
pub struct Schema {
    pub hash: Vec<String>,
    pub range: Vec<String>,
}

impl Schema {
    pub fn of(list: &[Json]) -> Self {
        let kind = |kind: &str| {
            let found = list.iter().filter(|one| one.text("KeyType") == Some(kind));
            found.filter_map(|one| one.text("AttributeName")).map(str::to_owned).collect()
        };
        Self { hash: kind("HASH"), range: kind("RANGE") }
    }

    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.hash.iter().chain(&self.range)
    }

    /// Indexes have only the items with all of their key attributes.
    pub fn covers(&self, item: &Item) -> bool {
        self.names().all(|name| item.contains_key(name))
    }
}

/// One of a table's secondary indexes.
pub struct Index<'a> {
    pub name: &'a str,
    pub global: bool,
    pub schema: Schema,
    pub given: &'a Json,
}

impl Index<'_> {
    fn projection(&self) -> &str {
        self.given.get("Projection").and_then(|one| one.text("ProjectionType")).unwrap_or("ALL")
    }

    pub fn has_all(&self) -> bool {
        self.projection() == "ALL"
    }

    /// What the index has of an item.
    pub fn projected(&self, table: &Schema, item: &Item) -> Item {
        if self.has_all() {
            return item.clone();
        }
        let extra = self.given.get("Projection").map(|one| one.texts("NonKeyAttributes")).unwrap_or_default();
        let has = |name: &String| {
            let keys = table.names().chain(self.schema.names());
            keys.into_iter().any(|key| key == name) || extra.contains(&name.as_str())
        };
        item.iter().filter(|(name, _)| has(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

impl Table {
    pub fn schema(&self) -> Schema {
        Schema::of(self.settings.list("KeySchema"))
    }

    pub fn indexes(&self) -> impl Iterator<Item = Index<'_>> {
        let of = |kind: &str, global: bool| {
            self.settings.list(kind).iter().map(move |given| Index {
                name: given.text("IndexName").unwrap_or_default(),
                global,
                schema: Schema::of(given.list("KeySchema")),
                given,
            })
        };
        of("GlobalSecondaryIndexes", true).chain(of("LocalSecondaryIndexes", false))
    }

    pub fn kind_of(&self, name: &str) -> &str {
        let all = self.settings.list("AttributeDefinitions").iter();
        let found = all.filter(|one| one.text("AttributeName") == Some(name));
        found.filter_map(|one| one.text("AttributeType")).next().unwrap_or("S")
    }
}

fn mismatch() -> ApiError {
    validation("The provided key element does not match the schema")
}

pub fn empty(name: &str) -> ApiError {
    validation(format!(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
         empty string value. Key: {name}"
    ))
}

fn length(value: &Json) -> usize {
    match typed(value) {
        Some(("B", inside)) => bytes(inside.as_str().unwrap_or_default()).len(),
        Some((_, inside)) => inside.as_str().map_or(0, str::len),
        None => 0,
    }
}

/// The sizes that keys may have (Developer Guide, "Quotas in Amazon DynamoDB").
fn check_sizes(schema: &Schema, item: &Item) -> Result<(), ApiError> {
    let size =
        |names: &[String]| -> usize { names.iter().filter_map(|name| item.get(name)).map(length).sum() };
    let wrong = "One or more parameter values were invalid:";
    if size(&schema.hash) > 2048 {
        let message = format!("{wrong} Size of hashkey has exceeded the maximum size limit of2048 bytes");
        return Err(validation(message));
    }
    if size(&schema.range) > 1024 {
        let message =
            format!("{wrong} Aggregated size of all range keys has exceeded the size limit of 1024 bytes");
        return Err(validation(message));
    }
    Ok(())
}

/// The text by which an item is kept: its key attributes. `exact`: these and nothing else are given.
pub fn key_text(table: &Table, attributes: &Item, exact: bool) -> Result<String, ApiError> {
    let schema = table.schema();
    if exact && attributes.len() != schema.names().count() {
        return Err(mismatch());
    }
    let wrong = |why: String| match exact {
        true => mismatch(),
        false => validation(format!("One or more parameter values were invalid: {why}")),
    };
    let mut values = Vec::new();
    for name in schema.names() {
        let value =
            attributes.get(name).ok_or_else(|| wrong(format!("Missing the key {name} in the item")))?;
        let kind = table.kind_of(name);
        let actual = typed(value).map_or("", |(kind, _)| kind);
        let content = value.text(kind).ok_or_else(|| {
            wrong(format!("Type mismatch for key {name} expected: {kind} actual: {actual}"))
        })?;
        if content.is_empty() {
            return Err(empty(name));
        }
        values.push(content);
    }
    check_sizes(&schema, attributes)?;
    Ok(json!(values).to_string())
}

/// An item must be fit for the indexes that it is in.
pub fn check_indexes(table: &Table, item: &Item, update: bool) -> Result<(), ApiError> {
    const EMPTY: &str = "The AttributeValue for a key attribute cannot contain an empty string value.";
    for index in table.indexes() {
        for name in index.schema.names() {
            let Some(value) = item.get(name) else { continue };
            let kind = table.kind_of(name);
            let actual = typed(value).map_or("", |(kind, _)| kind);
            let Some(content) = value.text(kind) else {
                return Err(validation(format!(
                    "One or more parameter values were invalid: Type mismatch for Index Key {name} Expected: {kind} \
                     Actual: {actual} IndexName: {}",
                    index.name
                )));
            };
            let before = "One or more parameter values are not valid.";
            if content.is_empty() && update {
                return Err(validation(format!(
                    "{before} The update expression attempted to update a secondary index key to a value that is \
                     not supported. {EMPTY}"
                )));
            }
            if content.is_empty() {
                return Err(validation(format!(
                    "{before} A value specified for a secondary index key is not supported. {EMPTY} \
                     IndexName: {}, IndexKey: {name}",
                    index.name
                )));
            }
        }
        check_sizes(&index.schema, item)?;
    }
    Ok(())
}

/// The key attributes of an item: its table's, and those of the index it was found by.
pub fn key_of(table: &Schema, index: Option<&Schema>, item: &Item) -> Item {
    let names = table.names().chain(index.into_iter().flat_map(|index| index.names()));
    names.filter_map(|name| Some((name.clone(), item.get(name)?.clone()))).collect()
}

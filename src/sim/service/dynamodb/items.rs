//! Single items.

use super::evaluate::{holds, pick, updated};
use super::expression::{Action, Condition, EXPRESSIONS, Path, Scope, Step};
use super::keys::{check_indexes, key_text};
use super::values::{Item, normal_item, size};
use super::*;

/// Bigger items are refused.
const LARGEST: usize = 400 * 1024;

/// What a request that asks for it is told of what it used: of reads half a unit for 4 KB (one if consistent),
/// of writes one for 1 KB (Developer Guide, "Read and write operations").
#[derive(Clone, Copy)]
pub enum Used {
    Read { size: usize, consistent: bool },
    Write { size: usize },
}

impl Used {
    pub fn units(self) -> f64 {
        match self {
            Used::Read { size, consistent } => {
                size.div_ceil(4096).max(1) as f64 * if consistent { 1.0 } else { 0.5 }
            }
            Used::Write { size } => size.div_ceil(1024).max(1) as f64,
        }
    }
}

pub fn capacity(input: &Json, table: &str, units: f64) -> Option<Json> {
    let wanted = input.text("ReturnConsumedCapacity").filter(|one| *one != "NONE")?;
    let total = json!({"TableName": name_of(table), "CapacityUnits": units});
    Some(total.with("Table", (wanted == "INDEXES").then(|| json!({"CapacityUnits": units}))))
}

/// Parameters of before there were expressions do not go with them.
pub fn no_mixture(input: &Json) -> Result<(), ApiError> {
    let given = |names: &[&'static str]| -> Vec<&str> {
        names.iter().copied().filter(|name| input.get(*name).is_some()).collect()
    };
    let (old, new) = (given(legacy::MEMBERS), given(EXPRESSIONS));
    if old.is_empty() || new.is_empty() {
        return Ok(());
    }
    Err(validation(format!(
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
         {{{}}} Expression parameters: {{{}}}",
        old.join(", "),
        new.join(", ")
    )))
}

fn returns(input: &Json, allowed: &[&str]) -> Result<(), ApiError> {
    let given = input.text("ReturnValues").unwrap_or("NONE");
    if allowed.contains(&given) { Ok(()) } else { Err(validation("Return values set to invalid value")) }
}

/// One write, read and checked as far as it can be without the table.
pub struct Write {
    pub table: String,
    condition: Option<Condition>,
    pub what: What,
    /// `ReturnValuesOnConditionCheckFailure`.
    tells_old: bool,
}

pub enum What {
    Put(Item),
    Delete(Item),
    Update(Item, Vec<Action>),
    Check(Item),
}

impl Write {
    /// `alone`: not in a batch or transaction.
    pub fn read(kind: &str, input: &Json, alone: bool) -> Result<Self, ApiError> {
        no_mixture(input)?;
        let scope = Scope::of(input, alone)?;
        let actions = match scope.update(input)? {
            Some(actions) => actions,
            None => legacy::actions(input, alone)?,
        };
        let condition = match scope.condition(input, "ConditionExpression")? {
            Some(condition) => Some(condition),
            None => legacy::condition(input, "Expected")?,
        };
        scope.done()?;
        let item = |member: &str| normal_item(input.get(member).unwrap_or(&Json::Null), alone);
        let what = match kind {
            "Put" => What::Put(item("Item")?),
            "Delete" => What::Delete(item("Key")?),
            "Update" => What::Update(item("Key")?, actions),
            _ => What::Check(item("Key")?),
        };
        let table = name_of(input.text("TableName").unwrap_or_default()).to_owned();
        let tells_old = input.text("ReturnValuesOnConditionCheckFailure") == Some("ALL_OLD");
        Ok(Self { table, condition, what, tells_old })
    }

    /// Its item's key, if the write fits the table.
    pub fn key(&self, table: &Table) -> Result<String, ApiError> {
        match &self.what {
            What::Put(item) => {
                let key = key_text(table, item, false)?;
                check_indexes(table, item, false)?;
                if size(item) > LARGEST {
                    return Err(validation("Item size has exceeded the maximum allowed size"));
                }
                Ok(key)
            }
            What::Delete(key) | What::Check(key) | What::Update(key, _) => key_text(table, key, true),
        }
    }

    pub fn check(&self, table: &Table, key: &str) -> Result<(), ApiError> {
        let none = Item::new();
        let old = table.items.get(key);
        let Some(condition) = &self.condition else { return Ok(()) };
        if holds(old.unwrap_or(&none), condition) {
            return Ok(());
        }
        let error = ApiError::new("ConditionalCheckFailedException", "The conditional request failed");
        Err(match old.filter(|_| self.tells_old) {
            Some(old) => error.with_details(json!({"Item": old})),
            None => error,
        })
    }

    /// What the item is afterwards; nothing if it is gone.
    pub fn outcome(&self, table: &Table, key: &str) -> Result<Option<Item>, ApiError> {
        let old = table.items.get(key);
        let (given, actions) = match &self.what {
            What::Put(item) => return Ok(Some(item.clone())),
            What::Delete(_) => return Ok(None),
            What::Check(_) => return Ok(old.cloned()),
            What::Update(given, actions) => (given, actions),
        };
        for name in table.schema().names() {
            if actions.iter().any(|one| one.path().first() == Some(&Step::Name(name.clone()))) {
                return Err(validation(format!(
                    "One or more parameter values were invalid: Cannot update attribute {name}. This attribute is \
                     part of the key"
                )));
            }
        }
        // What is not there begins with its key.
        let new = updated(old.unwrap_or(given), actions)?;
        check_indexes(table, &new, true)?;
        if size(&new) > LARGEST {
            return Err(validation("Item size to update has exceeded the maximum allowed size"));
        }
        Ok(Some(new))
    }
}

/// Before and after a write.
type Change = (Option<Item>, Option<Item>);

pub fn store(table: &mut Table, key: String, new: Option<Item>) -> Option<Item> {
    match new {
        Some(item) => table.items.insert(key, item),
        None => table.items.remove(&key),
    }
}

fn write(world: &mut World, write: &Write) -> Result<Change, ApiError> {
    let table = table(world, &write.table)?;
    let key = write.key(table)?;
    write.check(table, &key)?;
    let new = write.outcome(table, &key)?;
    let old = store(table, key, new.clone());
    Ok((old, new))
}

fn answer(input: &Json, write: &Write, change: &Change, shown: Option<Item>) -> Json {
    let bytes = [&change.0, &change.1].into_iter().flatten().map(size).max().unwrap_or(0);
    let units = Used::Write { size: bytes }.units();
    let shown = shown.filter(|item| !item.is_empty());
    json!({})
        .with("Attributes", shown.map(Json::Object))
        .with("ConsumedCapacity", capacity(input, &write.table, units))
}

pub fn put(world: &mut World, input: &Json) -> Answer {
    replace(world, input, "Put")
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    replace(world, input, "Delete")
}

fn replace(world: &mut World, input: &Json, kind: &str) -> Answer {
    returns(input, &["NONE", "ALL_OLD"])?;
    let one = Write::read(kind, input, true)?;
    let change = write(world, &one)?;
    let old = change.0.clone().filter(|_| input.text("ReturnValues") == Some("ALL_OLD"));
    Ok(answer(input, &one, &change, old))
}

pub fn update(world: &mut World, input: &Json) -> Answer {
    returns(input, &["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"])?;
    let one = Write::read("Update", input, true)?;
    let change = write(world, &one)?;
    let touched: Vec<Path> = match &one.what {
        What::Update(_, actions) => actions.iter().map(|one| one.path().clone()).collect(),
        _ => Vec::new(),
    };
    let (old, new) = change.clone();
    let shown = match input.text("ReturnValues") {
        Some("ALL_OLD") => old,
        Some("ALL_NEW") => new,
        Some("UPDATED_OLD") => old.map(|old| pick(&old, &touched)),
        Some("UPDATED_NEW") => new.map(|new| pick(&new, &touched)),
        _ => None,
    };
    Ok(answer(input, &one, &change, shown))
}

/// What a read wants of an item: all of it, or these paths.
pub fn wanted(scope: &Scope, input: &Json) -> Result<Option<Vec<Path>>, ApiError> {
    let paths = scope.projection(input)?;
    Ok(paths.or_else(|| legacy::paths(input)))
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    no_mixture(input)?;
    let scope = Scope::of(input, false)?;
    let paths = wanted(&scope, input)?;
    scope.done()?;
    let name = input.text("TableName").unwrap_or_default();
    let key = normal_item(&input["Key"], false)?;
    let table = table(world, name)?;
    let item = table.items.get(&key_text(table, &key, true)?);
    let consistent = input.flag("ConsistentRead") == Some(true);
    let units = Used::Read { size: item.map_or(0, size), consistent }.units();
    let shown = item.map(|item| match &paths {
        Some(paths) => pick(item, paths),
        None => item.clone(),
    });
    Ok(json!({}).with("Item", shown.map(Json::Object)).with("ConsumedCapacity", capacity(input, name, units)))
}

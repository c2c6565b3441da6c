//! Many items in one request: batches, of which each item stands for itself, and transactions.

use super::evaluate::pick;
use super::expression::{Path, Scope};
use super::items::{Used, What, Write, capacity, no_mixture, store, wanted};
use super::keys::{key_of, key_text};
use super::values::{Item, normal_item, size};
use super::*;

/// More is not answered by one BatchGetItem.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;
/// How long a transaction's token is remembered (API reference, TransactWriteItems: ClientRequestToken).
const REMEMBERED: Millis = 600 * SECOND;

fn twice() -> ApiError {
    validation("Provided list of item keys contains duplicates")
}

fn requests(input: &Json) -> impl Iterator<Item = (&String, &Json)> {
    input.get("RequestItems").and_then(Json::as_object).into_iter().flatten()
}

/// Each table's capacity, in the order of the request, if it wants to know. Transactions say its `kind` too.
fn capacities(input: &Json, used: &Spent, kind: Option<&str>) -> Option<Json> {
    let of = |(table, units): &(String, f64)| {
        let mut all = capacity(input, table, *units)?;
        if let Some(kind) = kind {
            all[kind] = json!(units);
            if all.get("Table").is_some() {
                all["Table"][kind] = json!(units);
            }
        }
        Some(all)
    };
    let all: Option<Vec<Json>> = used.0.iter().map(of).collect();
    all.filter(|all| !all.is_empty()).map(Json::Array)
}

/// Units by table.
#[derive(Default)]
struct Spent(Vec<(String, f64)>);

impl Spent {
    fn add(&mut self, table: &str, units: f64) {
        match self.0.iter_mut().find(|(name, _)| name == table) {
            Some((_, sum)) => *sum += units,
            None => self.0.push((table.to_owned(), units)),
        }
    }
}

pub fn batch_get(world: &mut World, input: &Json) -> Answer {
    if requests(input).map(|(_, asked)| asked.list("Keys").len()).sum::<usize>() > 100 {
        return Err(validation("Too many items requested for the BatchGetItem call"));
    }
    let mut read: Vec<(&String, &Json, Option<Vec<Path>>)> = Vec::new();
    for (name, asked) in requests(input) {
        no_mixture(asked)?;
        let scope = Scope::of(asked, false)?;
        read.push((name, asked, wanted(&scope, asked)?));
        scope.done()?;
    }
    let (mut responses, mut unprocessed, mut used) = (Map::new(), Map::new(), Spent::default());
    let mut bytes = 0;
    for (name, asked, paths) in read {
        let table = table(world, name)?;
        let (mut found, mut left, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let mut units = 0.0;
        for given in asked.list("Keys") {
            let key = key_text(table, &normal_item(given, false)?, true)?;
            if keys.contains(&key) {
                return Err(twice());
            }
            let item = table.items.get(&key);
            keys.push(key);
            let more = item.map_or(0, size);
            if bytes + more > LARGEST_ANSWER {
                left.push(given.clone());
                continue;
            }
            bytes += more;
            let consistent = asked.flag("ConsistentRead") == Some(true);
            units += Used::Read { size: more, consistent }.units();
            found.extend(
                item.map(|item| paths.as_ref().map_or_else(|| item.clone(), |paths| pick(item, paths))),
            );
        }
        used.add(name_of(name), units);
        responses.insert(name.clone(), json!(found));
        if !left.is_empty() {
            let mut rest = asked.clone();
            rest["Keys"] = json!(left);
            unprocessed.insert(name.clone(), rest);
        }
    }
    Ok(json!({"Responses": responses, "UnprocessedKeys": unprocessed})
        .with("ConsumedCapacity", capacities(input, &used, None)))
}

pub fn batch_write(world: &mut World, input: &Json) -> Answer {
    if requests(input).map(|(_, list)| list.as_array().map_or(0, Vec::len)).sum::<usize>() > 25 {
        return Err(validation("Too many items requested for the BatchWriteItem call"));
    }
    let mut writes = Vec::new();
    for (name, list) in requests(input) {
        let schema = table(world, name)?.schema();
        let mut keys: Vec<Item> = Vec::new();
        for request in list.as_array().into_iter().flatten() {
            let (kind, member, one) = match (request.get("PutRequest"), request.get("DeleteRequest")) {
                (Some(one), None) => ("Put", "Item", one),
                (None, Some(one)) => ("Delete", "Key", one),
                _ => {
                    return Err(validation(
                        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the \
                         supported datatypes",
                    ));
                }
            };
            let write = Write::read(kind, &json!({"TableName": name, member: one[member]}), false)?;
            let (What::Put(item) | What::Delete(item) | What::Check(item) | What::Update(item, _)) =
                &write.what;
            let key = key_of(&schema, None, item);
            if keys.contains(&key) {
                return Err(twice());
            }
            keys.push(key);
            writes.push(write);
        }
    }
    let mut ready = Vec::new();
    for write in writes {
        let key = write.key(table(world, &write.table)?)?;
        ready.push((write, key));
    }
    let mut used = Spent::default();
    for (write, key) in ready {
        let table = table(world, &write.table)?;
        let new = write.outcome(table, &key)?;
        let after = new.as_ref().map_or(0, size);
        let old = store(table, key, new);
        let bytes = old.as_ref().map_or(0, size).max(after);
        used.add(&write.table, Used::Write { size: bytes }.units());
    }
    Ok(json!({"UnprocessedItems": {}}).with("ConsumedCapacity", capacities(input, &used, None)))
}

pub fn transact_get(world: &mut World, input: &Json) -> Answer {
    let mut read = Vec::new();
    for one in input.list("TransactItems") {
        let get = &one["Get"];
        let scope = Scope::of(get, false)?;
        let paths = wanted(&scope, get)?;
        scope.done()?;
        read.push((get, paths));
    }
    let (mut responses, mut used) = (Vec::new(), Spent::default());
    for (get, paths) in read {
        let name = get.text("TableName").unwrap_or_default();
        let table = table(world, name)?;
        let item = table.items.get(&key_text(table, &normal_item(&get["Key"], false)?, true)?);
        let units = Used::Read { size: item.map_or(0, size), consistent: true }.units();
        used.add(name_of(name), 2.0 * units);
        let shown = item.map(|item| paths.as_ref().map_or_else(|| item.clone(), |paths| pick(item, paths)));
        responses.push(json!({}).with("Item", shown.map(Json::Object)));
    }
    Ok(json!({"Responses": responses})
        .with("ConsumedCapacity", capacities(input, &used, Some("ReadCapacityUnits"))))
}

/// A token that was used for the same request already: nothing is done again.
fn done_before(world: &mut World, input: &Json) -> Result<bool, ApiError> {
    let Some(token) = input.text("ClientRequestToken") else { return Ok(false) };
    let now = world.now;
    let tokens = &mut world.dynamodb.tokens;
    tokens.retain(|_, (until, _)| *until > now);
    match tokens.get(token) {
        Some((_, items)) if *items == input["TransactItems"] => Ok(true),
        Some(_) => {
            let message = "The request uses the same client token as a previous, but non-identical request.";
            Err(ApiError::new("IdempotentParameterMismatchException", message))
        }
        None => Ok(false),
    }
}

/// All or nothing: first every condition, then every change.
pub fn transact_write(world: &mut World, input: &Json) -> Answer {
    let mut writes = Vec::new();
    for item in input.list("TransactItems") {
        let members: Vec<(&String, &Json)> = item.as_object().into_iter().flatten().collect();
        let [(kind, one)] = members[..] else {
            return Err(validation("TransactItems can only contain one of Check, Put, Update or Delete"));
        };
        writes.push(Write::read(kind, one, false)?);
    }
    if done_before(world, input)? {
        return Ok(json!({}));
    }
    let mut ready: Vec<(Write, String)> = Vec::new();
    for write in writes {
        let key = write.key(table(world, &write.table)?)?;
        if ready.iter().any(|(other, same)| other.table == write.table && *same == key) {
            return Err(validation("Transaction request cannot include multiple operations on one item"));
        }
        ready.push((write, key));
    }
    let mut reasons = Vec::new();
    for (write, key) in &ready {
        let table = table(world, &write.table)?;
        reasons.push(match write.check(table, key).and_then(|()| write.outcome(table, key)) {
            Ok(_) => json!({"Code": "None"}),
            Err(why) => {
                let code = match why.code.as_str() {
                    "ConditionalCheckFailedException" => "ConditionalCheckFailed",
                    _ => "ValidationError",
                };
                let item = why.details.as_ref().and_then(|one| one.get("Item").cloned());
                json!({"Code": code, "Message": why.message}).with("Item", item)
            }
        });
    }
    let codes: Vec<&str> = reasons.iter().filter_map(|one| one.text("Code")).collect();
    if codes.iter().any(|code| *code != "None") {
        let message = format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        );
        let error = ApiError::new("TransactionCanceledException", message);
        return Err(error.with_details(json!({"CancellationReasons": reasons})));
    }
    let mut used = Spent::default();
    for (write, key) in ready {
        let table = table(world, &write.table)?;
        let new = write.outcome(table, &key)?;
        let after = new.as_ref().map_or(0, size);
        let old = store(table, key, new);
        let bytes = old.as_ref().map_or(0, size).max(after);
        used.add(&write.table, 2.0 * Used::Write { size: bytes }.units());
    }
    if let Some(token) = input.text("ClientRequestToken") {
        let until = world.now + REMEMBERED;
        world.dynamodb.tokens.insert(token.to_owned(), (until, input["TransactItems"].clone()));
    }
    Ok(json!({}).with("ConsumedCapacity", capacities(input, &used, Some("WriteCapacityUnits"))))
}

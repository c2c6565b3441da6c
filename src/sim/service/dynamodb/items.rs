//! Items.

use super::expression::{fits, order, partition, projected, updated};
use super::*;

type Item = Map<String, Json>;

/// Bigger items are refused.
const LARGEST: usize = 400 * 1024;

fn mismatch() -> ApiError {
    validation("The provided key element does not match the schema")
}

/// The text by which an item is kept: its key attributes.
fn key_text(table: &Table, attributes: &Json, exact: bool) -> Result<String, ApiError> {
    let (hash, range) = table.keys();
    let names: Vec<&String> = [Some(&hash), range.as_ref()].into_iter().flatten().collect();
    if exact && attributes.as_object().map_or(0, Map::len) != names.len() {
        return Err(mismatch());
    }
    let mut values = Vec::new();
    for name in names {
        let Some(value) = attributes.get(name) else {
            return Err(match exact {
                true => mismatch(),
                false => validation(format!(
                    "One or more parameter values were invalid: Missing the key {name} in the item"
                )),
            });
        };
        let kinds = table.settings.list("AttributeDefinitions").iter();
        let kind = kinds
            .filter(|one| one.text("AttributeName") == Some(name))
            .find_map(|one| one.text("AttributeType"));
        let kind = kind.unwrap_or("S");
        let Some(content) = value.text(kind) else {
            let actual = value.as_object().and_then(|one| one.keys().next()).map_or("NULL", String::as_str);
            return Err(match exact {
                true => mismatch(),
                false => validation(format!(
                    "One or more parameter values were invalid: Type mismatch for key {name} expected: {kind} actual: {actual}"
                )),
            });
        };
        if content.is_empty() {
            return Err(validation(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
            )));
        }
        // 1 and 1.0 are the same key.
        let same = content.parse::<f64>().ok().filter(|_| kind == "N").map(|number| number.to_string());
        values.push(same.unwrap_or_else(|| content.to_owned()));
    }
    Ok(json!(values).to_string())
}

fn plain(input: &Json) -> Result<(), ApiError> {
    let old =
        ["Expected", "AttributeUpdates", "KeyConditions", "QueryFilter", "ScanFilter", "AttributesToGet"];
    match old.iter().find(|name| input.get(**name).is_some()) {
        Some(name) => Err(ApiError::new(
            "UnsupportedOperation",
            format!("The embedded AWS does not support the legacy parameter {name}; use expressions."),
        )
        .status(501)),
        None => Ok(()),
    }
}

fn open<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Table, ApiError> {
    plain(input)?;
    table(world, input.text("TableName").unwrap_or_default())
}

fn failed() -> ApiError {
    ApiError::new("ConditionalCheckFailedException", "The conditional request failed")
}

fn check(table: &Table, key: &str, input: &Json) -> Result<(), ApiError> {
    let none = Item::new();
    let item = table.items.get(key).unwrap_or(&none);
    if fits(item, input, "ConditionExpression")? { Ok(()) } else { Err(failed()) }
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let table = open(world, input)?;
    let key = key_text(table, &input["Key"], true)?;
    match table.items.get(&key) {
        Some(item) => Ok(json!({"Item": projected(item, input)?})),
        None => Ok(json!({})),
    }
}

pub fn put(world: &mut World, input: &Json) -> Answer {
    let table = open(world, input)?;
    let item = input.get("Item").and_then(Json::as_object).cloned().unwrap_or_default();
    let key = key_text(table, &input["Item"], false)?;
    if json!(item).to_string().len() > LARGEST {
        return Err(validation("Item size has exceeded the maximum allowed size"));
    }
    check(table, &key, input)?;
    let old = table.items.insert(key, item);
    let wanted = input.text("ReturnValues") == Some("ALL_OLD");
    Ok(json!({}).with("Attributes", old.filter(|_| wanted).map(|old| json!(old))))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let table = open(world, input)?;
    let key = key_text(table, &input["Key"], true)?;
    check(table, &key, input)?;
    let old = table.items.remove(&key);
    let wanted = input.text("ReturnValues") == Some("ALL_OLD");
    Ok(json!({}).with("Attributes", old.filter(|_| wanted).map(|old| json!(old))))
}

fn change(table: &mut Table, input: &Json) -> Result<(Option<Item>, Item), ApiError> {
    let key = key_text(table, &input["Key"], true)?;
    check(table, &key, input)?;
    let old = table.items.get(&key).cloned();
    // What is not there begins with its key.
    let before = old.clone().unwrap_or_else(|| input["Key"].as_object().cloned().unwrap_or_default());
    let new = updated(&before, input)?;
    let (hash, range) = table.keys();
    let keys = [Some(hash), range].into_iter().flatten();
    if let Some(name) = keys.into_iter().find(|name| before.get(name) != new.get(name)) {
        return Err(validation(format!(
            "One or more parameter values were invalid: Cannot update attribute {name}. This attribute is part of the key"
        )));
    }
    table.items.insert(key, new.clone());
    Ok((old, new))
}

pub fn update(world: &mut World, input: &Json) -> Answer {
    let table = open(world, input)?;
    let (old, new) = change(table, input)?;
    let touched = |item: &Item| -> Item {
        let differs = |name: &str| old.as_ref().and_then(|old| old.get(name)) != new.get(name);
        item.iter()
            .filter(|(name, _)| differs(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    let shown = match input.text("ReturnValues") {
        Some("ALL_OLD") => old.clone(),
        Some("ALL_NEW") => Some(new.clone()),
        Some("UPDATED_OLD") => old.as_ref().map(touched),
        Some("UPDATED_NEW") => Some(touched(&new)),
        _ => None,
    };
    Ok(json!({}).with("Attributes", shown.map(|item| json!(item))))
}

/// A page of found items: at most `Limit` are looked at, those that pass the filter are answered.
fn page(table: &Table, found: Vec<&Item>, input: &Json) -> Answer {
    let (hash, range) = table.keys();
    let key = |item: &Item| -> Json {
        let names = [Some(&hash), range.as_ref()].into_iter().flatten();
        names.filter_map(|name| Some((name.clone(), item.get(name)?.clone()))).collect::<Item>().into()
    };
    let start = input.get("ExclusiveStartKey");
    let skip =
        start.and_then(|start| found.iter().position(|item| key(item) == *start)).map_or(0, |at| at + 1);
    let limit = input.int("Limit").map_or(usize::MAX, |n| n.max(1) as usize);
    let seen: Vec<&Item> = found.iter().skip(skip).take(limit).copied().collect();
    let more = skip + seen.len() < found.len();
    let mut items = Vec::new();
    for item in &seen {
        if fits(item, input, "FilterExpression")? {
            items.push(projected(item, input)?);
        }
    }
    let mut answer = json!({"Count": items.len(), "ScannedCount": seen.len()});
    if input.text("Select") != Some("COUNT") {
        answer["Items"] = json!(items);
    }
    Ok(answer.with("LastEvaluatedKey", seen.last().filter(|_| more).map(|item| key(item))))
}

fn no_index(input: &Json) -> Result<(), ApiError> {
    match input.text("IndexName") {
        Some(_) => {
            let message = "The embedded AWS does not support queries and scans of indexes.";
            Err(ApiError::new("UnsupportedOperation", message).status(501))
        }
        None => Ok(()),
    }
}

pub fn query(world: &mut World, input: &Json) -> Answer {
    no_index(input)?;
    let table = open(world, input)?;
    let (hash, range) = table.keys();
    let wanted = partition(input, &hash)?;
    let mut found = Vec::new();
    for item in table.items.values().filter(|item| item.get(&hash) == Some(&wanted)) {
        if fits(item, input, "KeyConditionExpression")? {
            found.push(item);
        }
    }
    if let Some(range) = range {
        found.sort_by(|a, b| {
            let values = a.get(&range).zip(b.get(&range));
            values.and_then(|(a, b)| order(a, b)).unwrap_or(std::cmp::Ordering::Equal)
        });
    }
    if input.flag("ScanIndexForward") == Some(false) {
        found.reverse();
    }
    page(table, found, input)
}

pub fn scan(world: &mut World, input: &Json) -> Answer {
    no_index(input)?;
    let table = open(world, input)?;
    let (segments, segment) =
        (input.int("TotalSegments").unwrap_or(1).max(1), input.int("Segment").unwrap_or(0));
    let share = |text: &str| text.bytes().fold(0_i64, |sum, byte| (sum * 31 + i64::from(byte)) % 1_000_003);
    let mine = table.items.iter().filter(|(key, _)| share(key) % segments == segment);
    page(table, mine.map(|(_, item)| item).collect(), input)
}

pub fn batch_get(world: &mut World, input: &Json) -> Answer {
    let mut responses = Map::new();
    for (name, asked) in input.get("RequestItems").and_then(Json::as_object).into_iter().flatten() {
        let mut found = Vec::new();
        for key in asked.list("Keys") {
            let mut one = asked.clone();
            one["TableName"] = json!(name);
            one["Key"] = key.clone();
            found.extend(get(world, &one)?.get("Item").cloned());
        }
        responses.insert(name.clone(), json!(found));
    }
    Ok(json!({"Responses": responses, "UnprocessedKeys": {}}))
}

pub fn batch_write(world: &mut World, input: &Json) -> Answer {
    let all = input.get("RequestItems").and_then(Json::as_object).cloned().unwrap_or_default();
    if all.values().map(|list| list.as_array().map_or(0, Vec::len)).sum::<usize>() > 25 {
        return Err(validation("Too many items requested for the BatchWriteItem call"));
    }
    for (name, requests) in &all {
        for request in requests.as_array().into_iter().flatten() {
            if let Some(one) = request.get("PutRequest") {
                put(world, &json!({"TableName": name, "Item": one["Item"]}))?;
            } else if let Some(one) = request.get("DeleteRequest") {
                delete(world, &json!({"TableName": name, "Key": one["Key"]}))?;
            }
        }
    }
    Ok(json!({"UnprocessedItems": {}}))
}

/// All or nothing: first every condition, then every change.
pub fn transact_write(world: &mut World, input: &Json) -> Answer {
    let items = input.list("TransactItems");
    let parts = |item: &Json| -> (String, Json) {
        let member = item.as_object().and_then(|one| one.iter().next());
        member.map(|(kind, inside)| (kind.clone(), inside.clone())).unwrap_or_default()
    };
    let mut codes = Vec::new();
    for item in items {
        let (kind, one) = parts(item);
        let table = open(world, &one)?;
        let key = match kind.as_str() {
            "Put" => key_text(table, &one["Item"], false)?,
            _ => key_text(table, &one["Key"], true)?,
        };
        codes.push(match check(table, &key, &one) {
            Ok(()) => "None",
            Err(why) if why.code == failed().code => "ConditionalCheckFailed",
            Err(why) => return Err(why),
        });
    }
    if codes.iter().any(|code| *code != "None") {
        let message = format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        );
        return Err(ApiError::new("TransactionCanceledException", message));
    }
    for item in items {
        let (kind, one) = parts(item);
        match kind.as_str() {
            "Put" => put(world, &one)?,
            "Delete" => delete(world, &one)?,
            "Update" => update(world, &one)?,
            _ => json!({}),
        };
    }
    Ok(json!({}))
}

//! Query and Scan, of tables and of their indexes.

use super::evaluate::{holds, pick};
use super::expression::{Condition, Operand, Path, Scope, Step};
use super::items::{Used, capacity, no_mixture, wanted};
use super::keys::{Index, Schema, empty, key_of, key_text};
use super::values::{Item, normal_item, order, size, typed};
use super::*;
use std::cmp::Ordering;

/// As much of a table is looked at for one page.
const PAGE: usize = 1024 * 1024;

fn detected(why: &str) -> ApiError {
    validation(format!("{}{why}", values::DETECTED))
}

/// What a request selects, as far as it can be judged without the table.
fn check_select(input: &Json) -> Result<(), ApiError> {
    let select = input.text("Select").unwrap_or_default();
    let projection =
        ["AttributesToGet", "ProjectionExpression"].into_iter().find(|name| input.get(*name).is_some());
    if select == "ALL_PROJECTED_ATTRIBUTES" && input.get("IndexName").is_none() {
        return Err(detected("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"));
    }
    match (select, projection) {
        ("SPECIFIC_ATTRIBUTES", None) => Err(detected(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        )),
        ("ALL_ATTRIBUTES" | "ALL_PROJECTED_ATTRIBUTES" | "COUNT", Some(given)) => {
            let what = if select == "COUNT" { "only the Count" } else { select };
            Err(detected(&format!("Cannot specify the {given} when choosing to get {what}")))
        }
        _ => Ok(()),
    }
}

fn find_index<'a>(table: &'a Table, input: &Json) -> Result<Option<Index<'a>>, ApiError> {
    let Some(name) = input.text("IndexName") else { return Ok(None) };
    let found = table.indexes().find(|index| index.name == name);
    let index =
        found.ok_or_else(|| validation(format!("The table does not have the specified index: {name}")))?;
    if index.global && input.flag("ConsistentRead") == Some(true) {
        return Err(validation("Consistent reads are not supported on global secondary indexes"));
    }
    if index.global && input.text("Select") == Some("ALL_ATTRIBUTES") && !index.has_all() {
        return Err(validation(format!(
            "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global \
             secondary index {name} because its projection type is not ALL"
        )));
    }
    Ok(Some(index))
}

/// One condition on a key attribute.
struct Clause {
    name: String,
    equals: bool,
    values: Vec<Json>,
    condition: Condition,
}

/// A key condition is a conjunction of conditions on single attributes.
fn clauses(condition: &Condition, found: &mut Vec<Clause>) -> Result<(), ApiError> {
    let wrong = |why: &str| validation(format!("Invalid KeyConditionExpression: {why}"));
    let operator =
        |name: &str| validation(format!("Invalid operator used in KeyConditionExpression: {name}"));
    let (path, others, equals) = match condition {
        Condition::And(one, other) => {
            clauses(one, found)?;
            return clauses(other, found);
        }
        Condition::Compare(_, "<>", _) => return Err(operator("<>")),
        Condition::Compare(Operand::Value(value), sign, Operand::Path(path)) => {
            (path, vec![Operand::Value(value.clone())], *sign == "=")
        }
        Condition::Compare(Operand::Path(path), sign, other) => (path, vec![other.clone()], *sign == "="),
        Condition::Between(Operand::Path(path), low, high) => (path, vec![low.clone(), high.clone()], false),
        Condition::Begins(Operand::Path(path), prefix) => (path, vec![prefix.clone()], false),
        Condition::Or(..) => return Err(operator("OR")),
        Condition::Not(_) => return Err(operator("NOT")),
        Condition::In(..) => return Err(operator("IN")),
        Condition::Contains(..) => return Err(operator("contains")),
        Condition::Exists(_, true) => return Err(operator("attribute_exists")),
        Condition::Exists(_, false) => return Err(operator("attribute_not_exists")),
        Condition::Type(..) => return Err(operator("attribute_type")),
        _ => return Err(wrong("No key attribute names used in one condition")),
    };
    let [Step::Name(name)] = &path[..] else {
        return Err(wrong("KeyConditionExpressions cannot have conditions on nested attributes"));
    };
    let values = others.into_iter().map(|other| match other {
        Operand::Value(value) => Ok(value),
        _ => Err(wrong(
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
        )),
    });
    let values = values.collect::<Result<Vec<_>, _>>()?;
    if found.iter().any(|one: &Clause| one.name == *name) {
        return Err(validation("KeyConditionExpressions must only contain one condition per key"));
    }
    found.push(Clause { name: name.clone(), equals, values, condition: condition.clone() });
    Ok(())
}

/// Every attribute of the partition key by equality; those of the sort key from the left, only the last by
/// something else.
fn check_key(table: &Table, schema: &Schema, clauses: &[Clause]) -> Result<(), ApiError> {
    let of = |name: &String| clauses.iter().find(|clause| clause.name == *name);
    let missed = |name: &str| validation(format!("Query condition missed key schema element: {name}"));
    let unsupported = || validation("Query key condition not supported");
    for name in &schema.hash {
        if !of(name).ok_or_else(|| missed(name))?.equals {
            return Err(unsupported());
        }
    }
    let attributes = schema.names().count();
    if clauses.len() > attributes {
        return Err(validation(format!(
            "The number of query conditions ({}) exceeds the number of key attributes defined in the schema \
             ({attributes})",
            clauses.len()
        )));
    }
    let used = clauses.len() - schema.hash.len();
    for (i, name) in schema.range.iter().take(used).enumerate() {
        if !of(name).ok_or_else(|| missed(name))?.equals && i + 1 < used {
            return Err(unsupported());
        }
    }
    for clause in clauses {
        for value in &clause.values {
            let (kind, inside) = typed(value).unwrap_or(("", &Json::Null));
            if kind != table.kind_of(&clause.name) {
                return Err(validation(
                    "One or more parameter values were invalid: Condition parameter type does not match schema type",
                ));
            }
            if inside == "" {
                return Err(empty(&clause.name));
            }
        }
    }
    Ok(())
}

/// A request as far as it is read without the table.
struct Request<'a> {
    input: &'a Json,
    paths: Option<Vec<Path>>,
    filter: Option<Condition>,
    start: Option<Item>,
}

impl<'a> Request<'a> {
    fn read(input: &'a Json, scope: &Scope, old_filter: &str) -> Result<Self, ApiError> {
        let paths = wanted(scope, input)?;
        let filter = match scope.condition(input, "FilterExpression")? {
            Some(filter) => Some(filter),
            None => legacy::condition(input, old_filter)?,
        };
        let start = input.get("ExclusiveStartKey").map(|key| normal_item(key, false)).transpose()?;
        Ok(Self { input, paths, filter, start })
    }

    /// Where the page begins: after the start key, whether there still is such an item or not.
    fn starts(&self, table: &Table, index: Option<&Index>) -> Result<Option<String>, ApiError> {
        let Some(start) = &self.start else { return Ok(None) };
        let schema = table.schema();
        let wrong = || validation("The provided starting key is invalid");
        let expected = key_of(&schema, index.map(|index| &index.schema), start);
        let names = schema.names().chain(index.into_iter().flat_map(|index| index.schema.names()));
        if expected.len() != start.len() || names.into_iter().any(|name| !start.contains_key(name)) {
            return Err(wrong());
        }
        key_text(table, &key_of(&schema, None, start), true).map(Some).map_err(|_| wrong())
    }

    /// A page of what was found, in its order.
    fn page(&self, table: &Table, name: &str, index: Option<&Index>, found: &[&Item]) -> Answer {
        let schema = table.schema();
        let limit = self.input.int("Limit").map_or(usize::MAX, |n| n.max(1) as usize);
        let (mut items, mut seen, mut bytes) = (Vec::new(), 0, 0);
        for item in found.iter().take(limit) {
            let part = index.map_or_else(|| (*item).clone(), |index| index.projected(&schema, item));
            bytes += size(&part);
            seen += 1;
            if self.filter.as_ref().is_none_or(|filter| holds(&part, filter)) {
                // A local index reads from its table what it does not have itself.
                let local = index.is_some_and(|index| !index.global);
                let all = self.input.text("Select") == Some("ALL_ATTRIBUTES");
                items.push(match &self.paths {
                    Some(paths) if local => pick(item, paths),
                    Some(paths) => pick(&part, paths),
                    None if local && all => (*item).clone(),
                    None => part,
                });
            }
            if bytes >= PAGE {
                break;
            }
        }
        let last = found[..seen].last().filter(|_| seen < found.len());
        let mut answer = json!({"Count": items.len(), "ScannedCount": seen});
        if self.input.text("Select") != Some("COUNT") {
            answer["Items"] = json!(items);
        }
        let consistent = self.input.flag("ConsistentRead") == Some(true);
        let units = Used::Read { size: bytes, consistent }.units();
        let key = last.map(|item| Json::Object(key_of(&schema, index.map(|index| &index.schema), item)));
        Ok(answer.with("LastEvaluatedKey", key).with("ConsumedCapacity", capacity(self.input, name, units)))
    }
}

fn key_condition(scope: &Scope, input: &Json) -> Result<Vec<Clause>, ApiError> {
    let condition = match scope.condition(input, "KeyConditionExpression")? {
        Some(condition) => Some(condition),
        None => legacy::condition(input, "KeyConditions")?,
    };
    let condition = condition.ok_or_else(|| {
        validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        )
    })?;
    let mut found = Vec::new();
    clauses(&condition, &mut found)?;
    Ok(found)
}

/// By the partition, in it by the sort key, then by the table's key.
fn compare(schema: &Schema, one: (&str, &Item), other: (&str, &Item)) -> Ordering {
    let by = |name: &String| {
        let values = one.1.get(name).zip(other.1.get(name));
        values.and_then(|(a, b)| order(a, b)).unwrap_or(Ordering::Equal)
    };
    let found = schema.names().map(by).find(|order| order.is_ne());
    found.unwrap_or_else(|| one.0.cmp(other.0))
}

/// What fits, as it is ordered, from the start key on.
fn ordered<'a>(
    table: &'a Table,
    schema: &Schema,
    backward: bool,
    start: Option<(&str, &Item)>,
    fits: impl Fn(&str, &Item) -> bool,
) -> Vec<&'a Item> {
    let order = |one: (&str, &Item), other: (&str, &Item)| {
        let order = compare(schema, one, other);
        if backward { order.reverse() } else { order }
    };
    let all = table.items.iter().map(|(key, item)| (key.as_str(), item));
    let mut found: Vec<(&str, &Item)> = all
        .filter(|(key, item)| fits(key, item) && start.is_none_or(|start| order((key, item), start).is_gt()))
        .collect();
    found.sort_by(|one, other| order(*one, *other));
    found.into_iter().map(|(_, item)| item).collect()
}

pub fn query(world: &mut World, input: &Json) -> Answer {
    no_mixture(input)?;
    check_select(input)?;
    let scope = Scope::of(input, false)?;
    let request = Request::read(input, &scope, "QueryFilter")?;
    let clauses = key_condition(&scope, input)?;
    scope.done()?;
    let name = input.text("TableName").unwrap_or_default();
    let table = table(world, name)?;
    let index = find_index(table, input)?;
    let schema = index.as_ref().map_or_else(|| table.schema(), |index| index.schema.clone());
    check_key(table, &schema, &clauses)?;
    let start = request.starts(table, index.as_ref())?;
    let fits = |_: &str, item: &Item| {
        schema.covers(item) && clauses.iter().all(|clause| holds(item, &clause.condition))
    };
    let backward = input.flag("ScanIndexForward") == Some(false);
    let items = ordered(table, &schema, backward, start.as_deref().zip(request.start.as_ref()), fits);
    request.page(table, name, index.as_ref(), &items)
}

/// Which part of a table a parallel scan is for.
fn segment(input: &Json) -> Result<(i64, i64), ApiError> {
    let required = |missing: &str, given: &str| {
        validation(format!(
            "The {missing} parameter is required but was not present in the request when {given} is present"
        ))
    };
    match (input.int("Segment"), input.int("TotalSegments")) {
        (None, None) => Ok((0, 1)),
        (Some(_), None) => Err(required("TotalSegments", "Segment parameter")),
        (None, Some(_)) => Err(required("Segment", "parameter TotalSegments")),
        (Some(segment), Some(total)) if segment >= total => Err(validation(format!(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: \
             Segment: {segment} is not less than TotalSegments: {total}"
        ))),
        (Some(segment), Some(total)) => Ok((segment, total.max(1))),
    }
}

pub fn scan(world: &mut World, input: &Json) -> Answer {
    no_mixture(input)?;
    check_select(input)?;
    let (segment, total) = segment(input)?;
    let scope = Scope::of(input, false)?;
    let request = Request::read(input, &scope, "ScanFilter")?;
    scope.done()?;
    let name = input.text("TableName").unwrap_or_default();
    let table = table(world, name)?;
    let index = find_index(table, input)?;
    let start = request.starts(table, index.as_ref())?;
    let share = |text: &str| text.bytes().fold(0_i64, |sum, byte| (sum * 31 + i64::from(byte)) % 1_000_003);
    let schema = index.as_ref().map_or_else(|| table.schema(), |index| index.schema.clone());
    let fits = |key: &str, item: &Item| share(key) % total == segment && schema.covers(item);
    let items = ordered(table, &schema, false, start.as_deref().zip(request.start.as_ref()), fits);
    request.page(table, name, index.as_ref(), &items)
}

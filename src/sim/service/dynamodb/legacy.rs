//! Parameters of before there were expressions (API reference, "Legacy conditional parameters").

use super::expression::{Action, Condition, Operand, Path, Step};
use super::values::{normal, typed};
use super::*;

pub const MEMBERS: &[&str] = &[
    "AttributesToGet",
    "AttributeUpdates",
    "ConditionalOperator",
    "Expected",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
];

fn path(name: &str) -> Path {
    vec![Step::Name(name.to_owned())]
}

pub fn paths(input: &Json) -> Option<Vec<Path>> {
    input.get("AttributesToGet")?;
    Some(input.texts("AttributesToGet").into_iter().map(path).collect())
}

pub fn actions(input: &Json, writes: bool) -> Result<Vec<Action>, ApiError> {
    let mut found = Vec::new();
    for (name, update) in input.get("AttributeUpdates").and_then(Json::as_object).into_iter().flatten() {
        let value = update.get("Value").map(|value| normal(value, writes)).transpose()?;
        let kind = value.as_ref().and_then(typed).map_or(String::new(), |(kind, _)| kind.to_owned());
        let set = kind.len() == 2 && kind.ends_with('S');
        found.push(match (update.text("Action").unwrap_or("PUT"), value) {
            ("DELETE", None) => Action::Remove(path(name)),
            ("DELETE", Some(value)) if set => Action::Delete(path(name), value),
            ("PUT", Some(value)) => Action::Set(path(name), Operand::Value(value)),
            ("ADD", Some(value)) if set || matches!(kind.as_str(), "N" | "L") => Action::Add(path(name), value),
            (action, Some(_)) => {
                let kind = expression::long_type(&kind);
                return Err(validation(format!(
                    "One or more parameter values were invalid: Action {action} is not supported for the type {kind}"
                )));
            }
            (action, None) => {
                return Err(validation(format!(
                    "One or more parameter values were invalid: Only DELETE action is allowed when no attribute \
                     value is specified: {action}"
                )));
            }
        });
    }
    Ok(found)
}

/// The conditions of one member, all of them or any (`ConditionalOperator`).
pub fn condition(input: &Json, member: &str) -> Result<Option<Condition>, ApiError> {
    let Some(all) = input.get(member).and_then(Json::as_object) else { return Ok(None) };
    let any = input.text("ConditionalOperator") == Some("OR");
    let mut joined: Option<Condition> = None;
    for (name, given) in all {
        let one = single(name, given)?;
        joined = Some(match joined {
            None => one,
            Some(before) if any => Condition::Or(Box::new(before), Box::new(one)),
            Some(before) => Condition::And(Box::new(before), Box::new(one)),
        });
    }
    Ok(joined)
}

fn single(name: &str, given: &Json) -> Result<Condition, ApiError> {
    let mut values = Vec::new();
    let listed = given.list("AttributeValueList").iter();
    for value in given.get("Value").into_iter().chain(listed) {
        values.push(Operand::Value(normal(value, false)?));
    }
    let exists = given.flag("Exists") != Some(false);
    let operator = given.text("ComparisonOperator").unwrap_or(if exists { "EQ" } else { "NULL" });
    let least = match operator {
        "NULL" | "NOT_NULL" => 0,
        "BETWEEN" => 2,
        _ => 1,
    };
    if values.len() < least || values.len() > least && operator != "IN" {
        return Err(validation(format!(
            "One or more parameter values were invalid: Invalid number of argument(s) for the {operator} \
             ComparisonOperator"
        )));
    }
    let attribute = Operand::Path(path(name));
    let mut values = values.into_iter();
    let mut next = || values.next().unwrap_or(Operand::Value(Json::Null));
    let not = |inside| Condition::Not(Box::new(inside));
    Ok(match operator {
        "NULL" => Condition::Exists(path(name), false),
        "NOT_NULL" => Condition::Exists(path(name), true),
        "EQ" => Condition::Compare(attribute, "=", next()),
        "NE" => Condition::Compare(attribute, "<>", next()),
        "LE" => Condition::Compare(attribute, "<=", next()),
        "LT" => Condition::Compare(attribute, "<", next()),
        "GE" => Condition::Compare(attribute, ">=", next()),
        "GT" => Condition::Compare(attribute, ">", next()),
        "BEGINS_WITH" => Condition::Begins(attribute, next()),
        "CONTAINS" => Condition::Contains(attribute, next()),
        "NOT_CONTAINS" => not(Condition::Contains(attribute, next())),
        "BETWEEN" => Condition::Between(attribute, next(), next()),
        _ => Condition::In(attribute, values.collect()),
    })
}

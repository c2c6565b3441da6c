//! Expressions on items: what holds, what is shown, what an update makes.

use super::expression::{Action, Condition, Operand, Path, Step};
use super::values::{Item, bytes, equal, number, order, typed};
use super::*;

pub fn at<'a>(item: &'a Item, path: &[Step]) -> Option<&'a Json> {
    let (first, rest) = path.split_first()?;
    let Step::Name(name) = first else { return None };
    rest.iter().try_fold(item.get(name)?, |value, step| match step {
        Step::Name(name) => value.get("M")?.get(name),
        Step::Index(index) => value.get("L")?.get(*index),
    })
}

/// Of text and binary in bytes, of all else in members.
fn length(value: &Json) -> Option<usize> {
    let (kind, inside) = typed(value)?;
    Some(match inside {
        Json::String(text) if kind == "B" => bytes(text).len(),
        Json::String(text) if kind == "S" => text.len(),
        Json::Array(items) => items.len(),
        Json::Object(members) => members.len(),
        _ => return None,
    })
}

const INCORRECT: &str = "An operand in the update expression has an incorrect data type";
const MISSING: &str = "The provided expression refers to an attribute that does not exist in the item";
const PATH: &str = "The document path provided in the update expression is invalid for update";

/// What an operand is on this item.
pub fn value_of(item: &Item, operand: &Operand) -> Result<Json, ApiError> {
    let missing = || validation(MISSING);
    Ok(match operand {
        Operand::Path(path) => at(item, path).cloned().ok_or_else(missing)?,
        Operand::Value(value) => value.clone(),
        Operand::Size(path) => {
            let size = at(item, path).and_then(length).ok_or_else(missing)?;
            json!({"N": size.to_string()})
        }
        Operand::IfNotExists(path, other) => match at(item, path) {
            Some(value) => value.clone(),
            None => value_of(item, other)?,
        },
        Operand::Append(first, second) => {
            let list = |operand: &Operand| {
                let value = value_of(item, operand)?;
                let list = value.get("L").and_then(Json::as_array).cloned();
                list.ok_or_else(|| validation(INCORRECT))
            };
            let all = [list(first)?, list(second)?].concat();
            json!({"L": all})
        }
        Operand::Sum(first, second, adds) => {
            let one = |operand: &Operand| {
                let value = value_of(item, operand)?;
                number(&value).ok_or_else(|| validation(INCORRECT))
            };
            let (a, b) = (one(first)?, one(second)?);
            let sum = if *adds { a.plus(b) } else { a.minus(b) };
            json!({"N": sum.map_err(validation)?.shown()})
        }
    })
}

pub fn holds(item: &Item, condition: &Condition) -> bool {
    let value = |operand: &Operand| value_of(item, operand).ok();
    match condition {
        Condition::Exists(path, wanted) => at(item, path).is_some() == *wanted,
        Condition::Type(path, kind) => {
            let kind = value(kind);
            let actual = at(item, path).and_then(typed).map(|(kind, _)| kind);
            actual.is_some() && actual == kind.as_ref().and_then(|one| one.text("S"))
        }
        Condition::Begins(whole, prefix) => {
            let (Some(whole), Some(prefix)) = (value(whole), value(prefix)) else { return false };
            match (typed(&whole), typed(&prefix)) {
                (Some(("S", whole)), Some(("S", prefix))) => {
                    let texts = whole.as_str().zip(prefix.as_str());
                    texts.is_some_and(|(whole, prefix)| whole.starts_with(prefix))
                }
                (Some(("B", whole)), Some(("B", prefix))) => {
                    let inside = |value: &Json| bytes(value.as_str().unwrap_or_default());
                    inside(whole).starts_with(&inside(prefix))
                }
                _ => false,
            }
        }
        Condition::Contains(whole, part) => {
            value(whole).zip(value(part)).is_some_and(|(whole, part)| contains(&whole, &part))
        }
        Condition::Compare(left, sign, right) => match (value(left), value(right)) {
            (Some(left), Some(right)) => compare(&left, sign, &right),
            (None, None) => false,
            _ => *sign == "<>",
        },
        Condition::Between(operand, low, high) => match (value(operand), value(low), value(high)) {
            (Some(one), Some(low), Some(high)) => compare(&one, ">=", &low) && compare(&one, "<=", &high),
            _ => false,
        },
        Condition::In(operand, all) => {
            value(operand).is_some_and(|one| all.iter().filter_map(value).any(|other| equal(&one, &other)))
        }
        Condition::And(one, other) => holds(item, one) && holds(item, other),
        Condition::Or(one, other) => holds(item, one) || holds(item, other),
        Condition::Not(inside) => !holds(item, inside),
    }
}

fn compare(left: &Json, sign: &str, right: &Json) -> bool {
    match sign {
        "=" => equal(left, right),
        "<>" => !equal(left, right),
        _ => order(left, right).is_some_and(|order| match sign {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_ge(),
        }),
    }
}

/// A part of a text, or a member of a list or set.
fn contains(whole: &Json, part: &Json) -> bool {
    match (typed(whole), typed(part)) {
        (Some(("S", text)), Some(("S", part))) => {
            text.as_str().zip(part.as_str()).is_some_and(|(text, part)| text.contains(part))
        }
        (Some(("L", items)), _) => {
            items.as_array().is_some_and(|items| items.iter().any(|one| equal(one, part)))
        }
        (Some((kind, items)), Some((of, one))) if kind == format!("{of}S") => {
            items.as_array().is_some_and(|items| items.contains(one))
        }
        _ => false,
    }
}

/// The parts of an item that some paths name, each where it is; of a list's only these members.
pub fn pick(item: &Item, paths: &[Path]) -> Item {
    let whole = json!({"M": item});
    let steps: Vec<&[Step]> = paths.iter().map(Vec::as_slice).collect();
    match part(&whole, &steps) {
        Some(Json::Object(mut found)) => match found.remove("M") {
            Some(Json::Object(found)) => found,
            _ => Item::new(),
        },
        _ => Item::new(),
    }
}

fn part(value: &Json, paths: &[&[Step]]) -> Option<Json> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(value.clone());
    }
    if let Some(members) = value.get("M").and_then(Json::as_object) {
        let inside = |name: &str| -> Vec<&[Step]> {
            let of = |path: &&[Step]| matches!(&path[0], Step::Name(one) if one == name);
            paths.iter().filter(|path| of(path)).map(|path| &path[1..]).collect()
        };
        let each = members.iter().map(|(name, value)| (name, value, inside(name)));
        let found: Item = each
            .filter(|(.., rest)| !rest.is_empty())
            .filter_map(|(name, value, rest)| Some((name.clone(), part(value, &rest)?)))
            .collect();
        return (!found.is_empty()).then(|| json!({"M": found}));
    }
    let members = value.get("L").and_then(Json::as_array)?;
    let inside = |index: usize| -> Vec<&[Step]> {
        paths.iter().filter(|path| path[0] == Step::Index(index)).map(|path| &path[1..]).collect()
    };
    let each = members.iter().enumerate().map(|(index, value)| (value, inside(index)));
    let found: Vec<Json> =
        each.filter(|(_, rest)| !rest.is_empty()).filter_map(|(value, rest)| part(value, &rest)).collect();
    (!found.is_empty()).then(|| json!({"L": found}))
}

fn place<'a>(item: &'a mut Item, path: &[Step]) -> Option<&'a mut Json> {
    let (Step::Name(first), rest) = path.split_first()? else { return None };
    rest.iter().try_fold(item.get_mut(first)?, |place, step| match step {
        Step::Name(name) => place.get_mut("M")?.get_mut(name),
        Step::Index(index) => place.get_mut("L")?.get_mut(*index),
    })
}

fn set(item: &mut Item, path: &[Step], value: Json) -> Result<(), ApiError> {
    let wrong = || validation(PATH);
    let (last, around) = path.split_last().ok_or_else(wrong)?;
    if let (Step::Name(name), true) = (last, around.is_empty()) {
        item.insert(name.clone(), value);
        return Ok(());
    }
    let place = place(item, around).ok_or_else(wrong)?;
    match last {
        Step::Name(name) => {
            let map = place.get_mut("M").and_then(Json::as_object_mut).ok_or_else(wrong)?;
            map.insert(name.clone(), value);
        }
        Step::Index(index) => {
            let list = place.get_mut("L").and_then(Json::as_array_mut).ok_or_else(wrong)?;
            match list.get_mut(*index) {
                Some(there) => *there = value,
                None => list.push(value),
            }
        }
    }
    Ok(())
}

fn remove(item: &mut Item, path: &[Step]) -> Result<(), ApiError> {
    let wrong = || validation(PATH);
    let (last, around) = path.split_last().ok_or_else(wrong)?;
    if let (Step::Name(name), true) = (last, around.is_empty()) {
        item.remove(name);
        return Ok(());
    }
    let place = place(item, around).ok_or_else(wrong)?;
    match last {
        Step::Name(name) => {
            place.get_mut("M").and_then(Json::as_object_mut).ok_or_else(wrong)?.remove(name);
        }
        Step::Index(index) => {
            let list = place.get_mut("L").and_then(Json::as_array_mut).ok_or_else(wrong)?;
            if *index < list.len() {
                list.remove(*index);
            }
        }
    }
    Ok(())
}

/// Adds a number, or members to a set (or, as only AttributeUpdates can, to a list); takes members from a set.
fn combine(old: Option<&Json>, given: &Json, adds: bool) -> Result<Option<Json>, ApiError> {
    let wrong = || validation(INCORRECT);
    let (kind, inside) = typed(given).ok_or_else(wrong)?;
    if kind == "N" && adds {
        let Some(old) = old else { return Ok(Some(given.clone())) };
        let sum = number(old).zip(number(given)).ok_or_else(wrong)?;
        let sum = sum.0.plus(sum.1).map_err(validation)?;
        return Ok(Some(json!({"N": sum.shown()})));
    }
    let given = inside.as_array().ok_or_else(wrong)?;
    let mut all = match old {
        Some(old) => old.get(kind).and_then(Json::as_array).cloned().ok_or_else(wrong)?,
        None => Vec::new(),
    };
    if adds {
        let new: Vec<Json> = given.iter().filter(|one| kind == "L" || !all.contains(one)).cloned().collect();
        all.extend(new);
    } else {
        all.retain(|one| !given.contains(one));
    }
    Ok((!all.is_empty()).then(|| json!({kind: all})))
}

/// The item after an update. All values are those of before; members leave a list from its end on, so that
/// each index means the list as it was.
pub fn updated(before: &Item, actions: &[Action]) -> Result<Item, ApiError> {
    let mut item = before.clone();
    for action in actions {
        match action {
            Action::Set(path, operand) => set(&mut item, path, value_of(before, operand)?)?,
            Action::Add(path, value) | Action::Delete(path, value) => {
                let adds = matches!(action, Action::Add(..));
                match combine(at(before, path), value, adds)? {
                    Some(value) => set(&mut item, path, value)?,
                    None if at(before, path).is_some() => remove(&mut item, path)?,
                    None => {}
                }
            }
            Action::Remove(_) => {}
        }
    }
    let mut gone: Vec<&Path> =
        actions.iter().filter(|one| matches!(one, Action::Remove(_))).map(Action::path).collect();
    let index = |path: &Path| match path.last() {
        Some(Step::Index(index)) => *index,
        _ => 0,
    };
    gone.sort_by_key(|path| std::cmp::Reverse(index(path)));
    gone.into_iter().try_for_each(|path| remove(&mut item, path))?;
    Ok(item)
}

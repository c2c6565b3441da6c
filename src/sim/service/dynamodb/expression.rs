//! Condition, filter, key and update expressions (Developer Guide, "Using expressions in DynamoDB").

use super::*;
use std::cmp::Ordering;

type Item = Map<String, Json>;

/// Names and values that an expression's placeholders stand for.
pub struct Scope<'a> {
    names: &'a Json,
    values: &'a Json,
}

impl<'a> Scope<'a> {
    pub fn of(input: &'a Json) -> Self {
        let get = |name: &str| input.get(name).unwrap_or(&Json::Null);
        Scope { names: get("ExpressionAttributeNames"), values: get("ExpressionAttributeValues") }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Number(usize),
    Sign(&'static str),
}

const SIGNS: &[&str] = &["<>", "<=", ">=", "=", "<", ">", "(", ")", ",", ".", "[", "]", "+", "-"];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '#' | ':');
        let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
        let (token, taken) = if length > 0 {
            let text = &rest[..length];
            (text.parse().map_or_else(|_| Token::Word(text.to_owned()), Token::Number), length)
        } else {
            match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => return Err(format!("Syntax error; token: \"{first}\"")),
            }
        };
        found.push(token);
        rest = rest[taken..].trim_start();
    }
    Ok(found)
}

#[derive(Clone, Debug)]
pub enum Step {
    Name(String),
    Index(usize),
}

pub type Path = Vec<Step>;

#[derive(Clone, Debug)]
enum Operand {
    Path(Path),
    Value(Json),
    Size(Path),
    IfNotExists(Path, Box<Operand>),
    Append(Box<Operand>, Box<Operand>),
    Sum(Box<Operand>, Box<Operand>, bool),
}

#[derive(Clone, Debug)]
enum Condition {
    Exists(Path, bool),
    Type(Path, Json),
    Begins(Path, Operand),
    Contains(Path, Operand),
    Compare(Operand, &'static str, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    scope: &'a Scope<'a>,
}

type Parsed<T> = Result<T, String>;

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(text)) if text.eq_ignore_ascii_case(word))
    }

    fn word(&mut self, word: &str) -> bool {
        let there = self.is_word(word);
        self.at += usize::from(there);
        there
    }

    fn sign(&mut self, sign: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Sign(text)) if *text == sign);
        self.at += usize::from(there);
        there
    }

    fn need(&mut self, sign: &str) -> Parsed<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> String {
        match self.peek() {
            Some(Token::Word(text)) => format!("Syntax error; token: \"{text}\""),
            Some(Token::Sign(text)) => format!("Syntax error; token: \"{text}\""),
            Some(Token::Number(number)) => format!("Syntax error; token: \"{number}\""),
            None => "Syntax error; token: \"<EOF>\"".to_owned(),
        }
    }

    fn name(&mut self) -> Parsed<String> {
        match self.next() {
            Some(Token::Word(text)) if text.starts_with('#') => {
                let found = self.scope.names.text(&text).map(str::to_owned);
                found.ok_or_else(|| {
                    format!("An expression attribute name used in the document path is not defined; attribute name: {text}")
                })
            }
            Some(Token::Word(text)) if !text.starts_with(':') => Ok(text),
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }

    fn path(&mut self) -> Parsed<Path> {
        let mut path = vec![Step::Name(self.name()?)];
        loop {
            if self.sign(".") {
                path.push(Step::Name(self.name()?));
            } else if self.sign("[") {
                let Some(Token::Number(index)) = self.next() else { return Err(self.unexpected()) };
                path.push(Step::Index(index));
                self.need("]")?;
            } else {
                return Ok(path);
            }
        }
    }

    fn operand(&mut self) -> Parsed<Operand> {
        let first = self.single()?;
        for (sign, adds) in [("+", true), ("-", false)] {
            if self.sign(sign) {
                let second = self.single()?;
                return Ok(Operand::Sum(Box::new(first), Box::new(second), adds));
            }
        }
        Ok(first)
    }

    fn single(&mut self) -> Parsed<Operand> {
        match self.peek().cloned() {
            Some(Token::Word(text)) if text.starts_with(':') => {
                self.at += 1;
                let value = self.scope.values.get(&text).cloned();
                value.map(Operand::Value).ok_or_else(|| {
                    format!("An expression attribute value used in expression is not defined; attribute value: {text}")
                })
            }
            Some(Token::Word(function)) if self.tokens.get(self.at + 1) == Some(&Token::Sign("(")) => {
                self.at += 2;
                let operand = match function.as_str() {
                    "size" => Operand::Size(self.path()?),
                    "if_not_exists" => {
                        let path = self.path()?;
                        self.need(",")?;
                        Operand::IfNotExists(path, Box::new(self.operand()?))
                    }
                    "list_append" => {
                        let first = self.operand()?;
                        self.need(",")?;
                        Operand::Append(Box::new(first), Box::new(self.operand()?))
                    }
                    other => return Err(format!("Invalid function name; function: {other}")),
                };
                self.need(")")?;
                Ok(operand)
            }
            _ => Ok(Operand::Path(self.path()?)),
        }
    }

    fn or(&mut self) -> Parsed<Condition> {
        let mut left = self.and()?;
        while self.word("OR") {
            left = Condition::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Condition> {
        let mut left = self.not()?;
        while self.word("AND") {
            left = Condition::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed<Condition> {
        if self.word("NOT") {
            return Ok(Condition::Not(Box::new(self.not()?)));
        }
        if self.sign("(") {
            let inside = self.or()?;
            self.need(")")?;
            return Ok(inside);
        }
        self.test()
    }

    fn test(&mut self) -> Parsed<Condition> {
        const FUNCTIONS: &[&str] =
            &["attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"];
        if let Some(function) =
            FUNCTIONS.iter().find(|name| matches!(self.peek(), Some(Token::Word(text)) if text == *name))
        {
            self.at += 1;
            self.need("(")?;
            let path = self.path()?;
            let condition = match *function {
                "attribute_exists" => Condition::Exists(path, true),
                "attribute_not_exists" => Condition::Exists(path, false),
                other => {
                    self.need(",")?;
                    let operand = self.operand()?;
                    match (other, operand) {
                        ("attribute_type", Operand::Value(value)) => Condition::Type(path, value),
                        ("begins_with", operand) => Condition::Begins(path, operand),
                        ("contains", operand) => Condition::Contains(path, operand),
                        _ => return Err(self.unexpected()),
                    }
                }
            };
            self.need(")")?;
            return Ok(condition);
        }
        let left = self.operand()?;
        if self.word("BETWEEN") {
            let low = self.operand()?;
            if !self.word("AND") {
                return Err(self.unexpected());
            }
            return Ok(Condition::Between(left, low, self.operand()?));
        }
        if self.word("IN") {
            self.need("(")?;
            let mut all = vec![self.operand()?];
            while self.sign(",") {
                all.push(self.operand()?);
            }
            self.need(")")?;
            return Ok(Condition::In(left, all));
        }
        for sign in ["<>", "<=", ">=", "=", "<", ">"] {
            if self.sign(sign) {
                return Ok(Condition::Compare(left, sign, self.operand()?));
            }
        }
        Err(self.unexpected())
    }

    fn done(&self) -> Parsed<()> {
        if self.at >= self.tokens.len() { Ok(()) } else { Err(self.unexpected()) }
    }
}

/// `{"S": "x"}` → `S` and `"x"`.
fn typed(value: &Json) -> Option<(&str, &Json)> {
    value.as_object()?.iter().next().map(|(kind, inside)| (kind.as_str(), inside))
}

fn at<'a>(item: &'a Item, path: &[Step]) -> Option<&'a Json> {
    let (first, rest) = path.split_first()?;
    let Step::Name(name) = first else { return None };
    rest.iter().try_fold(item.get(name)?, |value, step| match step {
        Step::Name(name) => value.get("M")?.get(name),
        Step::Index(index) => value.get("L")?.get(*index),
    })
}

fn number(value: &Json) -> Option<f64> {
    value.get("N")?.as_str()?.parse().ok()
}

/// Of two values of the same ordered type.
pub fn order(one: &Json, other: &Json) -> Option<Ordering> {
    let ((kind, a), (other_kind, b)) = (typed(one)?, typed(other)?);
    match kind {
        _ if kind != other_kind => None,
        "N" => number(one)?.partial_cmp(&number(other)?),
        "S" | "B" => Some(a.as_str()?.cmp(b.as_str()?)),
        _ => None,
    }
}

fn equal(one: &Json, other: &Json) -> bool {
    one == other || number(one).zip(number(other)).is_some_and(|(a, b)| a == b)
}

fn size(value: &Json) -> Option<usize> {
    let (_, inside) = typed(value)?;
    Some(match inside {
        Json::String(text) => text.len(),
        Json::Array(items) => items.len(),
        Json::Object(members) => members.len(),
        _ => return None,
    })
}

fn value_of(item: &Item, operand: &Operand) -> Option<Json> {
    match operand {
        Operand::Path(path) => at(item, path).cloned(),
        Operand::Value(value) => Some(value.clone()),
        Operand::Size(path) => Some(json!({"N": size(at(item, path)?)?.to_string()})),
        Operand::IfNotExists(path, other) => at(item, path).cloned().or_else(|| value_of(item, other)),
        Operand::Append(first, second) => {
            let list = |operand: &Operand| Some(value_of(item, operand)?.get("L")?.as_array()?.clone());
            let all = [list(first)?, list(second)?].concat();
            Some(json!({"L": all}))
        }
        Operand::Sum(first, second, adds) => {
            let number = |operand: &Operand| value_of(item, operand).as_ref().and_then(number);
            let (a, b) = (number(first)?, number(second)?);
            Some(json!({"N": shown(if *adds { a + b } else { a - b })}))
        }
    }
}

/// A whole number without a point.
fn shown(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        (number as i64).to_string()
    } else {
        number.to_string()
    }
}

fn holds(item: &Item, condition: &Condition) -> bool {
    let value = |operand: &Operand| value_of(item, operand);
    match condition {
        Condition::Exists(path, wanted) => at(item, path).is_some() == *wanted,
        Condition::Type(path, kind) => at(item, path).and_then(typed).map(|(kind, _)| kind) == kind.text("S"),
        Condition::Begins(path, prefix) => {
            let text = at(item, path).and_then(|one| one.text("S"));
            let prefix = value(prefix);
            text.zip(prefix.as_ref().and_then(|one| one.text("S")))
                .is_some_and(|(text, p)| text.starts_with(p))
        }
        Condition::Contains(path, part) => contains(at(item, path), value(part)),
        Condition::Compare(left, sign, right) => match (value(left), value(right)) {
            (Some(left), Some(right)) => compare(&left, sign, &right),
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
fn contains(whole: Option<&Json>, part: Option<Json>) -> bool {
    let (Some(whole), Some(part)) = (whole, part) else { return false };
    match (typed(whole), typed(&part)) {
        (Some(("S", text)), Some(("S", part))) => {
            text.as_str().zip(part.as_str()).is_some_and(|(text, part)| text.contains(part))
        }
        (Some(("L", items)), _) => items.as_array().is_some_and(|items| items.contains(&part)),
        (Some((kind, items)), Some((of, one))) if kind == format!("{of}S") => {
            items.as_array().is_some_and(|items| items.contains(one))
        }
        _ => false,
    }
}

fn named(kind: &str, why: String) -> ApiError {
    validation(format!("Invalid {kind}: {why}"))
}

/// Whether an item fits the expression of this member of the input; without one it does.
pub fn fits(item: &Item, input: &Json, member: &str) -> Result<bool, ApiError> {
    let Some(text) = input.text(member) else { return Ok(true) };
    let scope = Scope::of(input);
    let parse = || {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, scope: &scope };
        let condition = parser.or()?;
        parser.done().map(|()| condition)
    };
    parse().map(|condition| holds(item, &condition)).map_err(|why| named(member, why))
}

/// The partition key's value that a key condition asks for.
pub fn partition(input: &Json, key: &str) -> Result<Json, ApiError> {
    let text = input.text("KeyConditionExpression").unwrap_or_default();
    let scope = Scope::of(input);
    let parse = || {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, scope: &scope };
        let condition = parser.or()?;
        parser.done().map(|()| condition)
    };
    let condition = parse().map_err(|why| named("KeyConditionExpression", why))?;
    let found = equals(&condition, key);
    found.ok_or_else(|| validation(format!("Query condition missed key schema element: {key}")))
}

fn equals(condition: &Condition, key: &str) -> Option<Json> {
    match condition {
        Condition::And(one, other) => equals(one, key).or_else(|| equals(other, key)),
        Condition::Compare(Operand::Path(path), "=", Operand::Value(value)) => match &path[..] {
            [Step::Name(name)] if name == key => Some(value.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The parts of an item that a projection wants.
pub fn projected(item: &Item, input: &Json) -> Result<Item, ApiError> {
    let Some(text) = input.text("ProjectionExpression") else { return Ok(item.clone()) };
    let scope = Scope::of(input);
    let parse = || {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, scope: &scope };
        let mut paths = vec![parser.path()?];
        while parser.sign(",") {
            paths.push(parser.path()?);
        }
        parser.done().map(|()| paths)
    };
    let paths: Vec<Path> = parse().map_err(|why| named("ProjectionExpression", why))?;
    let mut found = Item::new();
    for path in paths {
        if let Some(value) = at(item, &path) {
            keep(&mut found, &path, value.clone());
        }
    }
    Ok(found)
}

/// Puts a value where it was, with only the maps around it.
fn keep(found: &mut Item, path: &[Step], value: Json) {
    let mut names = path.iter().map_while(|step| match step {
        Step::Name(name) => Some(name.as_str()),
        Step::Index(_) => None,
    });
    let Some(first) = names.next() else { return };
    let rest: Vec<&str> = names.collect();
    if rest.is_empty() {
        found.insert(first.to_owned(), value);
        return;
    }
    let mut place = found.entry(first).or_insert_with(|| json!({"M": {}}));
    for name in &rest[..rest.len() - 1] {
        place = &mut place["M"][*name];
        if place.is_null() {
            *place = json!({"M": {}});
        }
    }
    place["M"][rest[rest.len() - 1]] = value;
}

fn set(item: &mut Item, path: &[Step], value: Json) -> Parsed<()> {
    let wrong = || "The document path provided in the update expression is invalid for update".to_owned();
    let Some((Step::Name(first), rest)) = path.split_first() else { return Err(wrong()) };
    let Some((last, inner)) = rest.split_last() else {
        item.insert(first.clone(), value);
        return Ok(());
    };
    let mut place = item.get_mut(first).ok_or_else(wrong)?;
    for step in inner {
        place = match step {
            Step::Name(name) => place.get_mut("M").and_then(|map| map.get_mut(name)),
            Step::Index(index) => place.get_mut("L").and_then(|list| list.get_mut(*index)),
        }
        .ok_or_else(wrong)?;
    }
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

fn remove(item: &mut Item, path: &[Step]) {
    let Some((Step::Name(first), rest)) = path.split_first() else { return };
    let Some((last, inner)) = rest.split_last() else {
        item.remove(first);
        return;
    };
    let found = item.get_mut(first).and_then(|value| {
        inner.iter().try_fold(value, |place, step| match step {
            Step::Name(name) => place.get_mut("M")?.get_mut(name),
            Step::Index(index) => place.get_mut("L")?.get_mut(*index),
        })
    });
    match (last, found) {
        (Step::Name(name), Some(place)) => {
            place.get_mut("M").and_then(Json::as_object_mut).map(|map| map.remove(name));
        }
        (Step::Index(index), Some(place)) => {
            if let Some(list) =
                place.get_mut("L").and_then(Json::as_array_mut).filter(|list| *index < list.len())
            {
                list.remove(*index);
            }
        }
        _ => {}
    }
}

/// Adds a number, or members to a set; takes members from one.
fn combine(old: Option<&Json>, given: &Json, adds: bool) -> Parsed<Option<Json>> {
    let wrong = || "Incorrect operand type for operator or function".to_owned();
    let (kind, inside) = typed(given).ok_or_else(wrong)?;
    if kind == "N" && adds {
        let before = old.map_or(Some(0.0), number).ok_or_else(wrong)?;
        return Ok(Some(json!({"N": shown(before + number(given).unwrap_or(0.0))})));
    }
    let given = inside.as_array().filter(|_| kind.ends_with('S')).ok_or_else(wrong)?;
    let mut all = match old {
        Some(old) => old.get(kind).and_then(Json::as_array).cloned().ok_or_else(wrong)?,
        None => Vec::new(),
    };
    if adds {
        let new: Vec<Json> = given.iter().filter(|one| !all.contains(one)).cloned().collect();
        all.extend(new);
    } else {
        all.retain(|one| !given.contains(one));
    }
    Ok((!all.is_empty()).then(|| json!({kind: all})))
}

/// The item after an update expression. All values are those of before.
pub fn updated(before: &Item, input: &Json) -> Result<Item, ApiError> {
    let mut item = before.clone();
    let Some(text) = input.text("UpdateExpression") else { return Ok(item) };
    let scope = Scope::of(input);
    let mut apply = || -> Parsed<()> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, scope: &scope };
        while parser.peek().is_some() {
            let Some(action) =
                ["SET", "REMOVE", "ADD", "DELETE"].into_iter().find(|word| parser.is_word(word))
            else {
                return Err(parser.unexpected());
            };
            parser.at += 1;
            loop {
                let path = parser.path()?;
                match action {
                    "SET" => {
                        parser.need("=")?;
                        let operand = parser.operand()?;
                        let value = value_of(before, &operand).ok_or(
                            "The provided expression refers to an attribute that does not exist in the item",
                        )?;
                        set(&mut item, &path, value)?;
                    }
                    "REMOVE" => remove(&mut item, &path),
                    _ => {
                        let Operand::Value(value) = parser.operand()? else {
                            return Err(parser.unexpected());
                        };
                        match combine(at(before, &path), &value, action == "ADD")? {
                            Some(value) => set(&mut item, &path, value)?,
                            None => remove(&mut item, &path),
                        }
                    }
                }
                if !parser.sign(",") {
                    break;
                }
            }
        }
        Ok(())
    };
    apply().map_err(|why| named("UpdateExpression", why))?;
    Ok(item)
}

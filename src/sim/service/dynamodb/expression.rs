//! Condition, filter, key, projection and update expressions (Developer Guide, "Using expressions in
//! DynamoDB"): from text to trees.

use super::values::{DETECTED, Item, normal};
use super::*;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// What is wrong with an expression.
pub enum Wrong {
    Syntax(String),
    /// Said as [`DETECTED`] of a request to write one item.
    Rule(String),
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Wrong::Syntax(why)
    }
}

type Parsed<T> = Result<T, Wrong>;

/// Names and values that the placeholders of a request's expressions stand for.
pub struct Scope<'a> {
    names: &'a Json,
    values: Item,
    used: RefCell<BTreeSet<String>>,
    /// A request to write one item, which says more in the form of [`DETECTED`].
    pub writes: bool,
}

pub const EXPRESSIONS: &[&str] = &[
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
];

impl<'a> Scope<'a> {
    pub fn of(input: &'a Json, writes: bool) -> Result<Self, ApiError> {
        let scope = Self {
            names: input.get("ExpressionAttributeNames").unwrap_or(&Json::Null),
            values: Item::new(),
            used: RefCell::default(),
            writes,
        };
        let uses = EXPRESSIONS.iter().any(|name| input.get(*name).is_some());
        for (member, sign) in [("ExpressionAttributeNames", '#'), ("ExpressionAttributeValues", ':')] {
            let Some(given) = input.get(member).and_then(Json::as_object) else { continue };
            if !uses {
                return Err(validation(format!("{member} can only be specified when using expressions")));
            }
            if given.is_empty() {
                return Err(scope.refused(&Wrong::Rule(format!("{member} must not be empty"))));
            }
            if let Some(key) = given.keys().find(|key| !key.starts_with(sign) || key.len() == 1) {
                return Err(validation(format!(
                    "{member} contains invalid key: Syntax error; key: \"{key}\""
                )));
            }
        }
        let mut scope = scope;
        let given = input.get("ExpressionAttributeValues").and_then(Json::as_object);
        for (name, value) in given.into_iter().flatten() {
            scope.values.insert(name.clone(), normal(value, writes)?);
        }
        Ok(scope)
    }

    fn refused(&self, wrong: &Wrong) -> ApiError {
        match wrong {
            Wrong::Rule(why) if self.writes => validation(format!("{DETECTED}{why}")),
            Wrong::Rule(why) | Wrong::Syntax(why) => validation(why),
        }
    }

    /// After all expressions have been read: nothing may be given that none of them uses.
    pub fn done(&self) -> Result<(), ApiError> {
        let used = self.used.borrow();
        let names: Vec<&String> = self.names.as_object().into_iter().flat_map(Map::keys).collect();
        let values: Vec<&String> = self.values.keys().collect();
        for (member, all) in [("ExpressionAttributeNames", names), ("ExpressionAttributeValues", values)] {
            let unused: Vec<&str> =
                all.into_iter().map(String::as_str).filter(|name| !used.contains(*name)).collect();
            if !unused.is_empty() {
                let keys = unused.join(", ");
                let why = format!("Value provided in {member} unused in expressions: keys: {{{keys}}}");
                return Err(self.refused(&Wrong::Rule(why)));
            }
        }
        Ok(())
    }

    fn read<T>(
        &self,
        input: &Json,
        member: &str,
        parse: impl FnOnce(&mut Parser) -> Parsed<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = input.text(member) else { return Ok(None) };
        let parse = || {
            let mut parser = Parser { tokens: tokens(text)?, text, at: 0, scope: self };
            if parser.tokens.is_empty() {
                return Err(Wrong::Rule("The expression can not be empty;".to_owned()));
            }
            let found = parse(&mut parser)?;
            if parser.at < parser.tokens.len() { Err(parser.unexpected()) } else { Ok(found) }
        };
        parse().map(Some).map_err(|wrong| {
            let with = |why| format!("Invalid {member}: {why}");
            self.refused(&match wrong {
                Wrong::Syntax(why) => Wrong::Syntax(with(why)),
                Wrong::Rule(why) => Wrong::Rule(with(why)),
            })
        })
    }

    pub fn condition(&self, input: &Json, member: &str) -> Result<Option<Condition>, ApiError> {
        self.read(input, member, |parser| parser.or().map(|(condition, _)| condition))
    }

    pub fn projection(&self, input: &Json) -> Result<Option<Vec<Path>>, ApiError> {
        self.read(input, "ProjectionExpression", |parser| {
            let mut paths = vec![parser.path()?];
            while parser.sign(",") {
                paths.push(parser.path()?);
            }
            no_overlap(&paths).map(|()| paths)
        })
    }

    pub fn update(&self, input: &Json) -> Result<Option<Vec<Action>>, ApiError> {
        self.read(input, "UpdateExpression", |parser| parser.actions())
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Sign(&'static str),
}

const SIGNS: &[&str] = &["<>", "<=", ">=", "=", "<", ">", "(", ")", ",", ".", "[", "]", "+", "-"];

/// Each with where it begins and ends.
fn tokens(text: &str) -> Parsed<Vec<(Token, usize, usize)>> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else { return Ok(found) };
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '#' | ':');
        let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
        let (token, length) = match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            _ if length > 0 => (Token::Word(rest[..length].to_owned()), length),
            Some(sign) => (Token::Sign(sign), sign.len()),
            None => {
                return Err(Wrong::Syntax(format!("Syntax error; token: \"{first}\", near: \"{first}\"")));
            }
        };
        found.push((token, at, at + length));
        at += length;
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Name(String),
    Index(usize),
}

pub type Path = Vec<Step>;

fn shown(path: &[Step]) -> String {
    let steps: Vec<String> = path
        .iter()
        .map(|step| match step {
            Step::Name(name) => name.clone(),
            Step::Index(index) => format!("[{index}]"),
        })
        .collect();
    format!("[{}]", steps.join(", "))
}

fn no_overlap(paths: &[Path]) -> Parsed<()> {
    for (i, one) in paths.iter().enumerate() {
        if let Some(other) = paths[..i].iter().find(|other| one.starts_with(other) || other.starts_with(one))
        {
            return Err(Wrong::Rule(format!(
                "Two document paths overlap with each other; must remove or rewrite one of these paths; \
                 path one: {}, path two: {}",
                shown(other),
                shown(one)
            )));
        }
    }
    Ok(())
}

#[derive(Clone, Debug)]
pub enum Operand {
    Path(Path),
    Value(Json),
    Size(Path),
    IfNotExists(Path, Box<Operand>),
    Append(Box<Operand>, Box<Operand>),
    Sum(Box<Operand>, Box<Operand>, bool),
}

#[derive(Clone, Debug)]
pub enum Condition {
    Exists(Path, bool),
    Type(Path, Operand),
    Begins(Operand, Operand),
    Contains(Operand, Operand),
    Compare(Operand, &'static str, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

#[derive(Clone, Debug)]
pub enum Action {
    Set(Path, Operand),
    Remove(Path),
    Add(Path, Json),
    Delete(Path, Json),
}

impl Action {
    pub fn path(&self) -> &Path {
        match self {
            Action::Set(path, _) | Action::Remove(path) | Action::Add(path, _) | Action::Delete(path, _) => {
                path
            }
        }
    }
}

/// The types that have an order.
const ORDERED: &[&str] = &["S", "N", "B"];

/// Words that only a placeholder can name (Developer Guide, "Reserved words in DynamoDB").
fn reserved(word: &str) -> bool {
    static WORDS: std::sync::LazyLock<BTreeSet<&str>> =
        std::sync::LazyLock::new(|| include_str!("reserved.txt").lines().collect());
    WORDS.contains(word.to_ascii_uppercase().as_str())
}

/// As messages name the type of a value.
pub fn long_type(kind: &str) -> &str {
    match kind {
        "S" => "STRING",
        "N" => "NUMBER",
        "B" => "BINARY",
        "SS" => "STRING_SET",
        "NS" => "NUMBER_SET",
        "BS" => "BINARY_SET",
        "L" => "LIST",
        "M" => "MAP",
        "BOOL" => "BOOLEAN",
        other => other,
    }
}

struct Parser<'a> {
    tokens: Vec<(Token, usize, usize)>,
    text: &'a str,
    at: usize,
    scope: &'a Scope<'a>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, ..)| token)
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

    /// Near is the text from the token before to the one after.
    fn unexpected(&self) -> Wrong {
        let all = &self.tokens;
        let at = self.at.min(all.len());
        let begin = at.checked_sub(1).map_or(0, |before| all[before].1);
        let end = all.get(at + 1).or(all.last()).map_or(0, |(_, _, end)| *end);
        let token = all.get(at).map_or("<EOF>", |(_, begin, end)| &self.text[*begin..*end]);
        Wrong::Syntax(format!("Syntax error; token: \"{token}\", near: \"{}\"", &self.text[begin..end]))
    }

    fn name(&mut self) -> Parsed<String> {
        match self.peek().cloned() {
            Some(Token::Word(text)) if text.starts_with('#') => {
                self.at += 1;
                self.scope.used.borrow_mut().insert(text.clone());
                let found = self.scope.names.text(&text).map(str::to_owned);
                found.ok_or_else(|| {
                    Wrong::Syntax(format!(
                        "An expression attribute name used in the document path is not defined; attribute name: {text}"
                    ))
                })
            }
            Some(Token::Word(text)) if text.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                if reserved(&text) {
                    return Err(Wrong::Syntax(format!(
                        "Attribute name is a reserved keyword; reserved keyword: {text}"
                    )));
                }
                self.at += 1;
                Ok(text)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn path(&mut self) -> Parsed<Path> {
        let mut path = vec![Step::Name(self.name()?)];
        loop {
            if self.sign(".") {
                path.push(Step::Name(self.name()?));
            } else if self.sign("[") {
                let index = match self.peek() {
                    Some(Token::Word(text)) => text.parse().ok(),
                    _ => None,
                };
                path.push(Step::Index(index.ok_or_else(|| self.unexpected())?));
                self.at += 1;
                self.need("]")?;
            } else {
                return Ok(path);
            }
        }
    }

    fn value(&mut self) -> Parsed<Json> {
        match self.peek().cloned() {
            Some(Token::Word(text)) if text.starts_with(':') => {
                self.at += 1;
                self.scope.used.borrow_mut().insert(text.clone());
                self.scope.values.get(&text).cloned().ok_or_else(|| {
                    Wrong::Syntax(format!(
                        "An expression attribute value used in expression is not defined; attribute value: {text}"
                    ))
                })
            }
            _ => Err(self.unexpected()),
        }
    }

    fn operand(&mut self) -> Parsed<Operand> {
        let first = self.single()?;
        for (sign, adds) in [("+", true), ("-", false)] {
            if self.sign(sign) {
                let second = self.single()?;
                for one in [&first, &second] {
                    self.suits(one, sign, &["N"])?;
                }
                return Ok(Operand::Sum(Box::new(first), Box::new(second), adds));
            }
        }
        Ok(first)
    }

    /// A value that is written out must be of a type that the operator takes; the item's are seen to later.
    fn suits(&self, operand: &Operand, operator: &str, kinds: &[&str]) -> Parsed<()> {
        match operand {
            Operand::Value(value) => match values::typed(value) {
                Some((kind, _)) if !kinds.contains(&kind) => Err(Wrong::Syntax(format!(
                    "Incorrect operand type for operator or function; operator or function: {operator}, \
                     operand type: {kind}"
                ))),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn function(&self) -> Option<String> {
        match (self.peek(), self.tokens.get(self.at + 1)) {
            (Some(Token::Word(name)), Some((Token::Sign("("), ..))) => Some(name.clone()),
            _ => None,
        }
    }

    fn single(&mut self) -> Parsed<Operand> {
        if matches!(self.peek(), Some(Token::Word(text)) if text.starts_with(':')) {
            return self.value().map(Operand::Value);
        }
        let Some(function) = self.function() else { return self.path().map(Operand::Path) };
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
                let second = self.operand()?;
                for one in [&first, &second] {
                    self.suits(one, "list_append", &["L"])?;
                }
                Operand::Append(Box::new(first), Box::new(second))
            }
            other => return Err(Wrong::Syntax(format!("Invalid function name; function: {other}"))),
        };
        self.need(")")?;
        Ok(operand)
    }

    /// With whether it is one pair of parentheses and nothing else.
    fn or(&mut self) -> Parsed<(Condition, bool)> {
        let (mut left, mut alone) = self.and()?;
        while self.word("OR") {
            left = Condition::Or(Box::new(left), Box::new(self.and()?.0));
            alone = false;
        }
        Ok((left, alone))
    }

    fn and(&mut self) -> Parsed<(Condition, bool)> {
        let (mut left, mut alone) = self.not()?;
        while self.word("AND") {
            left = Condition::And(Box::new(left), Box::new(self.not()?.0));
            alone = false;
        }
        Ok((left, alone))
    }

    fn not(&mut self) -> Parsed<(Condition, bool)> {
        if self.word("NOT") {
            return Ok((Condition::Not(Box::new(self.not()?.0)), false));
        }
        if self.sign("(") {
            let (inside, alone) = self.or()?;
            self.need(")")?;
            if alone {
                return Err(Wrong::Syntax("The expression has redundant parentheses;".to_owned()));
            }
            return Ok((inside, true));
        }
        Ok((self.test()?, false))
    }

    fn test(&mut self) -> Parsed<Condition> {
        const FUNCTIONS: &[&str] =
            &["attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"];
        if let Some(function) = self.function().filter(|name| FUNCTIONS.contains(&name.as_str())) {
            self.at += 2;
            let condition = match function.as_str() {
                "attribute_exists" => Condition::Exists(self.path()?, true),
                "attribute_not_exists" => Condition::Exists(self.path()?, false),
                name => {
                    let first = self.operand()?;
                    self.need(",")?;
                    let second = self.operand()?;
                    match (name, first) {
                        ("begins_with", first) => Condition::Begins(first, second),
                        ("contains", first) => Condition::Contains(first, second),
                        (_, Operand::Path(path)) => Condition::Type(path, second),
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
            let high = self.operand()?;
            for one in [&left, &low, &high] {
                self.suits(one, "BETWEEN", ORDERED)?;
            }
            return Ok(Condition::Between(left, low, high));
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
                let right = self.operand()?;
                if !matches!(sign, "=" | "<>") {
                    self.suits(&left, sign, ORDERED)?;
                    self.suits(&right, sign, ORDERED)?;
                }
                return Ok(Condition::Compare(left, sign, right));
            }
        }
        Err(self.unexpected())
    }

    fn actions(&mut self) -> Parsed<Vec<Action>> {
        let (mut actions, mut sections) = (Vec::new(), Vec::new());
        while self.peek().is_some() {
            let section = ["SET", "REMOVE", "ADD", "DELETE"].into_iter().find(|word| self.word(word));
            let section = section.ok_or_else(|| self.unexpected())?;
            if sections.contains(&section) {
                return Err(Wrong::Rule(format!(
                    "The \"{section}\" section can only be used once in an update expression;"
                )));
            }
            sections.push(section);
            loop {
                actions.push(self.action(section)?);
                if !self.sign(",") {
                    break;
                }
            }
        }
        let paths: Vec<Path> = actions.iter().map(|one| one.path().clone()).collect();
        no_overlap(&paths).map(|()| actions)
    }

    fn action(&mut self, section: &str) -> Parsed<Action> {
        let path = self.path()?;
        Ok(match section {
            "SET" => {
                self.need("=")?;
                Action::Set(path, self.operand()?)
            }
            "REMOVE" => Action::Remove(path),
            _ => {
                let value = self.value()?;
                let kind = values::typed(&value).map_or("", |(kind, _)| kind);
                if !(kind.ends_with('S') && kind.len() == 2 || section == "ADD" && kind == "N") {
                    return Err(Wrong::Syntax(format!(
                        "Incorrect operand type for operator or function; operator: {section}, operand type: {}, \
                         typeSet: ALLOWED_FOR_{section}_OPERAND",
                        long_type(kind)
                    )));
                }
                if section == "ADD" { Action::Add(path, value) } else { Action::Delete(path, value) }
            }
        })
    }
}

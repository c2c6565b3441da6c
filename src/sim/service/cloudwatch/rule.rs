//! The rule of a composite alarm: `ALARM("a") AND NOT (OK(b) OR FALSE)` (API reference of
//! PutCompositeAlarm, AlarmRule). `AT_LEAST` is not known here.

use super::AlarmState;

#[derive(Debug, PartialEq, Eq)]
pub enum Rule {
    State(AlarmState, String),
    Constant(bool),
    Not(Box<Rule>),
    And(Vec<Rule>),
    Or(Vec<Rule>),
}

impl Rule {
    pub fn alarms(&self) -> Vec<String> {
        match self {
            Rule::State(_, name) => vec![name.clone()],
            Rule::Constant(_) => Vec::new(),
            Rule::Not(rule) => rule.alarms(),
            Rule::And(rules) | Rule::Or(rules) => rules.iter().flat_map(Rule::alarms).collect(),
        }
    }

    pub fn holds(&self, state: &dyn Fn(&str) -> Option<AlarmState>) -> bool {
        match self {
            Rule::State(wanted, name) => state(name) == Some(*wanted),
            Rule::Constant(value) => *value,
            Rule::Not(rule) => !rule.holds(state),
            Rule::And(rules) => rules.iter().all(|rule| rule.holds(state)),
            Rule::Or(rules) => rules.iter().any(|rule| rule.holds(state)),
        }
    }
}

pub fn parse(text: &str) -> Result<Rule, String> {
    let mut parser = Parser { rest: text };
    let rule = parser.or(0)?;
    match parser.rest.trim_start() {
        "" => Ok(rule),
        rest => Err(format!("unexpected \"{rest}\"")),
    }
}

/// "An expression can contain up to 500 elements"; far less nesting than this is usual.
const MAX_DEPTH: usize = 50;

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// Takes a word if it is next, in any case.
    fn word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        let Some((head, tail)) = rest.split_at_checked(word.len()) else { return false };
        let ends = !tail.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let found = head.eq_ignore_ascii_case(word) && ends;
        if found {
            self.rest = tail;
        }
        found
    }

    fn sign(&mut self, sign: char) -> Result<(), String> {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(format!("expected \"{sign}\" at \"{}\"", self.rest)),
        }
    }

    fn or(&mut self, depth: usize) -> Result<Rule, String> {
        let mut rules = vec![self.and(depth)?];
        while self.word("OR") {
            rules.push(self.and(depth)?);
        }
        Ok(if rules.len() == 1 { rules.remove(0) } else { Rule::Or(rules) })
    }

    fn and(&mut self, depth: usize) -> Result<Rule, String> {
        let mut rules = vec![self.not(depth)?];
        while self.word("AND") {
            rules.push(self.not(depth)?);
        }
        Ok(if rules.len() == 1 { rules.remove(0) } else { Rule::And(rules) })
    }

    fn not(&mut self, depth: usize) -> Result<Rule, String> {
        if depth > MAX_DEPTH {
            return Err("nested too deeply".to_owned());
        }
        if self.word("NOT") {
            return Ok(Rule::Not(Box::new(self.not(depth + 1)?)));
        }
        for (word, value) in [("TRUE", true), ("FALSE", false)] {
            if self.word(word) {
                return Ok(Rule::Constant(value));
            }
        }
        for state in [AlarmState::Alarm, AlarmState::Ok, AlarmState::InsufficientData] {
            if self.word(state.text()) {
                self.sign('(')?;
                let name = self.name()?;
                self.sign(')')?;
                return Ok(Rule::State(state, name));
            }
        }
        self.sign('(')?;
        let rule = self.or(depth + 1)?;
        self.sign(')')?;
        Ok(rule)
    }

    fn name(&mut self) -> Result<String, String> {
        self.rest = self.rest.trim_start();
        let (name, rest) = match self.rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quoted name without its end")?,
            None => self.rest.split_at(self.rest.find(')').ok_or("an alarm name without \")\"")?),
        };
        self.rest = rest;
        match name.trim() {
            "" => Err("an empty alarm name".to_owned()),
            name => Ok(name.to_owned()),
        }
    }
}

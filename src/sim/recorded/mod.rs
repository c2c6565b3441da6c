//! A world built of what a real account answered: what a rehearsal starts from.
//!
//! The input is a JSON list of API answers, each `{"service", "operation", "input", "output"}`: service and
//! operation as the AWS CLI (`elbv2`, `describe-rules`) or the API (`elasticloadbalancing`, `DescribeRules`) names
//! them, the output as the CLI prints it, page by page or merged. `input` is needed only where the output does not
//! say what it is about (`DescribeTargetHealth`, `ListAttachedRolePolicies`, `ListResourceRecordSets` …).
//!
//! Every resource is made by the operation that makes it, at the time it was made, with the ids it has. What
//! cannot be told from the answers is filled as a new resource has it. In the end the same questions are asked of
//! the new world; where it answers otherwise, the [`Report`] says so.

mod balancing;
mod compare;
mod compute;
mod containers;
mod network;
mod rest;
#[cfg(test)]
mod tests;

pub(crate) use containers::time_of;

use crate::World;
use crate::service::{Input, operations};
use crate::world::{MINUTE, Millis};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// One API answer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Answer {
    pub service: String,
    pub operation: String,
    #[serde(default)]
    pub input: Json,
    pub output: Json,
}

/// What is not as it was recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What the answers do not say, and what stands there instead.
    pub filled: BTreeSet<String>,
    /// What could not be made, and why.
    pub left_out: Vec<String>,
    /// Where the new world answers otherwise: the place, what was recorded, what it says.
    pub differs: Vec<String>,
}

impl Report {
    pub fn lines(&self) -> Vec<String> {
        let filled = self.filled.iter().map(|line| format!("filled in: {line}"));
        let left_out = self.left_out.iter().map(|line| format!("left out: {line}"));
        let differs = self.differs.iter().map(|line| format!("differs: {line}"));
        filled.chain(left_out).chain(differs).collect()
    }
}

/// Reads the list of answers.
pub fn parse(text: &str) -> Result<Vec<Answer>, String> {
    let mut answers: Vec<Answer> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    for answer in &mut answers {
        answer.service = match answer.service.as_str() {
            "elbv2" => "elasticloadbalancing".to_owned(),
            "cloudwatch" => "monitoring".to_owned(),
            name => name.to_owned(),
        };
        answer.operation = api_name(&answer.operation);
        if operations(&answer.service).is_none() {
            return Err(format!("the embedded AWS has no service `{}`", answer.service));
        }
    }
    Ok(answers)
}

/// `describe-vpcs` → `DescribeVpcs`
fn api_name(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    };
    name.split('-').map(capital).collect()
}

/// The world of which these answers tell, at the time of the newest thing in them.
pub fn build(answers: &[Answer], seed: u64) -> (World, Report) {
    let now = newest(answers).unwrap_or(0) + 10 * MINUTE;
    let (account, region) = place(answers);
    let mut world = World::new(&account, &region, seed, now);
    let told = std::mem::take(&mut world.log);
    world.log.keep(0);
    let faults = std::mem::take(&mut world.faults);
    world.faults.make_prompt();
    let mut builder = Builder { world, answers, report: Report::default() };
    rest::iam(&mut builder);
    network::build(&mut builder);
    rest::stores(&mut builder);
    compute::build(&mut builder);
    balancing::build(&mut builder);
    compute::groups(&mut builder);
    containers::build(&mut builder);
    balancing::targets(&mut builder);
    rest::scaling(&mut builder);
    rest::zones(&mut builder);
    // All that is due since the oldest thing was made happens now, each at its time.
    builder.world.now = builder.world.next_due().unwrap_or(now).min(now);
    builder.world.advance_to(now);
    containers::finish(&mut builder);
    let Builder { mut world, mut report, .. } = builder;
    world.faults = faults;
    world.log = told;
    report.differs = compare::differences(&mut world, answers);
    (world, report)
}

struct Builder<'a> {
    world: World,
    answers: &'a [Answer],
    report: Report,
}

impl<'a> Builder<'a> {
    fn answers(&self, service: &str, operation: &str) -> Vec<&'a Answer> {
        let meant = |answer: &&Answer| answer.service == service && answer.operation == operation;
        self.answers.iter().filter(meant).collect()
    }

    /// The items of a list member of all answers of an operation, each once.
    fn items(&self, service: &str, operation: &str, member: &str) -> Vec<&'a Json> {
        let mut found: Vec<&Json> = Vec::new();
        let mut seen = BTreeSet::new();
        for item in self.answers(service, operation).into_iter().flat_map(|answer| answer.output.list(member))
        {
            if seen.insert(item.to_string()) {
                found.push(item);
            }
        }
        found
    }

    fn filled(&mut self, what: impl Into<String>) {
        self.report.filled.insert(what.into());
    }

    fn left_out(&mut self, what: impl Into<String>) {
        self.report.left_out.push(what.into());
    }

    /// Makes the call as if it were made at that time; ids that it draws are those given before (`World::foresee`).
    fn call(&mut self, at: Option<Millis>, service: &str, operation: &str, input: &Json) -> Option<Json> {
        let made = self.at(at, |world| {
            let table = operations(service).unwrap_or(&[]);
            let handler = table.iter().find(|(name, _)| *name == operation).map(|(_, handler)| handler);
            handler.map(|handler| handler(world, input))
        });
        self.world.forget_foreseen();
        match made {
            Some(Ok(answer)) => Some(answer),
            Some(Err(error)) => {
                let subject = subject(input);
                self.left_out(format!("{service} {operation}{subject}: {}: {}", error.code, error.message));
                None
            }
            None => {
                self.left_out(format!("{service} {operation}: the embedded AWS has no such operation"));
                None
            }
        }
    }

    fn at<R>(&mut self, at: Option<Millis>, act: impl FnOnce(&mut World) -> R) -> R {
        let now = self.world.now;
        self.world.now = at.unwrap_or(now).min(now);
        let result = act(&mut self.world);
        self.world.now = now;
        result
    }
}

/// The first name or id in an input, for the report.
fn subject(input: &Json) -> String {
    let members = input.as_object().into_iter().flatten();
    let mut named = members.filter(|(name, _)| {
        let name = name.to_lowercase();
        name.ends_with("name") || name.ends_with("id") || name.ends_with("arn") || name == "family"
    });
    named.find_map(|(_, value)| value.as_str()).map_or(String::new(), |text| format!(" of {text}"))
}

/// The members of this name that are there, as they are.
fn pick(from: &Json, members: &[&str]) -> Json {
    let there = |name: &&&str| from.get(**name).is_some_and(|value| !value.is_null());
    let picked: Map<String, Json> =
        members.iter().filter(there).map(|name| ((*name).to_owned(), from[*name].clone())).collect();
    Json::Object(picked)
}

/// A time as the AWS CLI prints it: RFC 3339, or seconds.
fn millis(value: Option<&Json>) -> Option<Millis> {
    match value? {
        Json::String(text) => time(text),
        value => value.as_f64().map(|seconds| (seconds * 1000.0) as Millis),
    }
}

fn time(text: &str) -> Option<Millis> {
    let dated = text.len() >= 19 && text.as_bytes()[4] == b'-' && text.as_bytes()[10] == b'T';
    let parsed = dated.then(|| text.parse::<jiff::Timestamp>().ok()).flatten();
    parsed.map(jiff::Timestamp::as_millisecond)
}

fn each_text(value: &Json, act: &mut impl FnMut(&str)) {
    match value {
        Json::String(text) => act(text),
        Json::Array(items) => items.iter().for_each(|item| each_text(item, act)),
        Json::Object(members) => members.values().for_each(|item| each_text(item, act)),
        _ => {}
    }
}

fn newest(answers: &[Answer]) -> Option<Millis> {
    let mut newest = None;
    for answer in answers {
        each_text(&answer.output, &mut |text| newest = newest.max(time(text)));
    }
    newest
}

/// Account and region, as most ARNs have them.
fn place(answers: &[Answer]) -> (String, String) {
    let mut places: std::collections::BTreeMap<(String, String), usize> = Default::default();
    for answer in answers {
        each_text(&answer.output, &mut |text| {
            let parts: Vec<&str> = text.splitn(6, ':').collect();
            if let ["arn", _, _, region, account, _] = parts[..]
                && !region.is_empty()
                && account.len() == 12
            {
                *places.entry((account.to_owned(), region.to_owned())).or_default() += 1;
            }
        });
    }
    let most = places.into_iter().max_by_key(|(_, count)| *count);
    most.map_or(("123456789012".to_owned(), "us-east-1".to_owned()), |(place, _)| place)
}

/// The last part of an ARN.
fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

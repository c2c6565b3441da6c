//! What `rollout`, `probe` and `guard` blocks say.

use super::freeze;
use crate::schema::duration::{self, is_duration};
use crate::schema::{Object, TypeSchema, attributes};
use crate::value::Value;
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub mod portion {
    use super::*;
    attributes! {
        TABLE:
        WEIGHT: Float = required("weight").check(|v| in_percent(v, 0.1)).doc("Percent that the new one has after this step");
        HOLD: Str = optional("hold").check(is_duration).doc("How long it stays so before the next step");
        APPROVE: Bool = optional("approve").default_bool(false).doc("A person must agree before the next step");
    }
}

pub mod gate {
    use super::*;
    attributes! {
        TABLE:
        NAME: Str = required("name");
        ALARMS: StrList = optional("alarms").doc("Names of CloudWatch alarms, none of which may be in ALARM");
        PROBE: Str = optional("probe").doc("`probe.<name>`: the probe whose answers count");
        SUCCESS: Str = optional("success").check(percent_text).doc("Share of its answers that must be good");
    }
}

pub mod rollout {
    use super::*;
    attributes! {
        TABLE:
        STRATEGY: Str = optional("strategy").one_of(&["rolling", "blue_green", "linear", "canary"]);
        STEP: Blocks = optional("step").list(&portion::TABLE);
        GATE: Blocks = optional("gate").list(&gate::TABLE);
        DEADLINE: Str = optional("deadline").check(is_duration).doc("The whole rollout goes back when it takes longer");
        ON_FAILURE: Str = optional("on_failure").one_of(&["rollback", "hold", "continue"]).default_str("rollback");
    }
}

pub mod expect {
    use super::*;
    attributes! {
        TABLE:
        STATUS: Str = optional("status").check(statuses).default_str("200-399");
        BODY: Str = optional("body").doc("Text that the answer must hold");
    }
}

pub mod probe {
    use super::*;
    attributes! {
        TABLE:
        URL: Str = required("url").check(url);
        INTERVAL: Str = optional("interval").check(at_least_a_second).default_str("5s");
        TIMEOUT: Str = optional("timeout").check(at_least_a_second).default_str("5s");
        METHOD: Str = optional("method").one_of(&["GET", "HEAD", "OPTIONS", "POST"]).default_str("GET");
        HEADERS: StrMap = optional("headers");
        EXPECT: Blocks = optional("expect").object(&expect::TABLE).also_attribute();
    }
}

pub mod guard {
    use super::*;
    attributes! {
        ACCEPT_TABLE:
        CODE: Str = required("code");
        REASON: Str = required("reason");
        ONLY: StrList = optional("only").doc("Addresses of the resources that it is accepted of; of all without it");
    }
    attributes! {
        TABLE:
        MIN_HEALTHY: Str = optional("min_healthy").check(percent_text)
            .doc("Share of its capacity that every service and fleet keeps while it rolls");
        ACCEPT: Blocks = optional("accept").list(&ACCEPT_TABLE).doc("A finding of `plan` that is no mistake here");
        FREEZE: StrList = optional("freeze").doc("`Fri 16:00-Mon 08:00 Europe/Berlin`: when nothing is applied");
    }
}

pub const ROLLOUT: TypeSchema = TypeSchema {
    doc: "How one resource rolls out",
    validate: check_rollout,
    ..TypeSchema::new("rollout", &rollout::TABLE)
};
pub const PROBE: TypeSchema = TypeSchema {
    doc: "A repeated HTTP check that runs for the whole apply",
    ..TypeSchema::new("probe", &probe::TABLE)
};
pub const GUARD: TypeSchema = TypeSchema {
    doc: "What holds of every apply of the environment",
    validate: check_guard,
    ..TypeSchema::new("guard", &guard::TABLE)
};

fn in_percent(value: &Value, least: f64) -> Result<(), String> {
    let number = value.as_number().map(|n| n.to_f64());
    match number.is_none_or(|n| (least..=100.0).contains(&n)) {
        true => Ok(()),
        false => Err(format!("must be a percentage from {least} to 100")),
    }
}

/// `99.9%`
fn percent(text: &str) -> Option<f64> {
    let number: f64 = text.trim().strip_suffix('%')?.trim().parse().ok()?;
    (0.0..=100.0).contains(&number).then_some(number)
}

fn percent_text(value: &Value) -> Result<(), String> {
    match value.as_str().is_none_or(|text| percent(text).is_some()) {
        true => Ok(()),
        false => Err("must be a percentage such as \"99.9%\"".to_owned()),
    }
}

/// `200-399,404`
fn status_ranges(text: &str) -> Option<Vec<(u16, u16)>> {
    let range = |part: &str| {
        let (from, to) = part.trim().split_once('-').unwrap_or((part.trim(), part.trim()));
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        (100 <= from && from <= to && to <= 599).then_some((from, to))
    };
    text.split(',').map(range).collect()
}

fn statuses(value: &Value) -> Result<(), String> {
    match value.as_str().is_none_or(|text| status_ranges(text).is_some()) {
        true => Ok(()),
        false => Err("must be HTTP statuses such as \"200-399\" or \"200,404\"".to_owned()),
    }
}

fn url(value: &Value) -> Result<(), String> {
    match value.as_str().is_none_or(|text| text.starts_with("http://") || text.starts_with("https://")) {
        true => Ok(()),
        false => Err("must begin with http:// or https://".to_owned()),
    }
}

fn at_least_a_second(value: &Value) -> Result<(), String> {
    is_duration(value)?;
    match value.as_str().and_then(duration::parse) {
        Some(long) if long < Duration::from_secs(1) => Err("must be at least a second".to_owned()),
        _ => Ok(()),
    }
}

fn check_rollout(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let steps = want.all(&rollout::STEP);
    let weights: Vec<f64> = steps.iter().filter_map(|s| s.get(&portion::WEIGHT)).collect();
    if weights.windows(2).any(|pair| pair[0] >= pair[1]) {
        problems.push(("step", "each step must have a greater weight than the one before".to_owned()));
    }
    let strategy = want.get(&rollout::STRATEGY);
    if strategy.as_deref() == Some("canary") && steps.is_empty() {
        problems.push(("strategy", "a canary needs at least one `step` with its weight".to_owned()));
    }
    let at_once = strategy.as_deref() == Some("blue_green");
    let all_only = at_once && weights.iter().all(|weight| *weight >= 100.0);
    if (at_once || strategy.as_deref() == Some("rolling")) && !steps.is_empty() && !all_only {
        let text =
            "only linear and canary rollouts have steps with weights; blue_green has one of 100, to hold it";
        problems.push(("step", text.to_owned()));
    }
    for gate in want.all(&rollout::GATE) {
        let known = |name: &str| gate.value(name).is_some_and(|v| !v.is_null());
        match (known("alarms"), known("probe")) {
            (false, false) => problems.push(("gate", "a gate needs `alarms` or a `probe`".to_owned())),
            (true, true) => {
                problems
                    .push(("gate", "a gate has `alarms` or a `probe`, not both: write two gates".to_owned()));
            }
            (true, false) if known("success") => {
                problems.push((
                    "gate",
                    "`success` goes with a `probe`; alarms have their own threshold".to_owned(),
                ));
            }
            _ => {}
        }
    }
    problems
}

fn check_guard(want: &Object) -> Vec<(&'static str, String)> {
    let windows = want.all(&guard::FREEZE);
    windows.iter().filter_map(|text| freeze::Window::parse(text).err()).map(|why| ("freeze", why)).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    Rolling,
    BlueGreen,
    Linear,
    Canary,
}

/// What happens when a gate is red or the deadline has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    #[default]
    Rollback,
    /// It stays as it is, for a person to look at.
    Hold,
    /// It is told, and goes on.
    Continue,
}

/// One `step` of a `rollout` block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Portion {
    pub weight: f64,
    pub hold: Duration,
    pub approve: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    pub name: String,
    pub what: Watched,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// None of them may be in ALARM.
    Alarms(Vec<String>),
    /// Percent of the answers since the rollout began that must be good.
    Probe { name: String, success: f64 },
}

/// One evaluated `rollout` block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub name: String,
    pub strategy: Option<Strategy>,
    pub steps: Vec<Portion>,
    pub gates: Vec<Gate>,
    pub deadline: Option<Duration>,
    pub on_failure: OnFailure,
}

/// One evaluated `probe` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub name: String,
    pub url: String,
    pub interval: Duration,
    pub timeout: Duration,
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub statuses: Vec<(u16, u16)>,
    pub body: Option<String>,
}

/// One evaluated `guard` block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guard {
    pub name: String,
    pub min_healthy: Option<f64>,
    pub freeze: Vec<freeze::Window>,
    pub accepted: Vec<Accepted>,
}

/// A finding of `plan` that is no mistake here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub code: String,
    pub reason: String,
    /// Of these resources only; of all, if there are none.
    pub only: Vec<String>,
}

fn time(text: Option<String>) -> Option<Duration> {
    text.as_deref().and_then(duration::parse)
}

impl Settings {
    /// Of a block that was checked. What is not known yet is left out: nothing is run like that.
    pub fn of(name: &str, block: &Object) -> Self {
        let strategy = block.get(&rollout::STRATEGY).map(|text| match text.as_str() {
            "blue_green" => Strategy::BlueGreen,
            "linear" => Strategy::Linear,
            "canary" => Strategy::Canary,
            _ => Strategy::Rolling,
        });
        let on_failure = match block.get(&rollout::ON_FAILURE).as_deref() {
            Some("hold") => OnFailure::Hold,
            Some("continue") => OnFailure::Continue,
            _ => OnFailure::Rollback,
        };
        let steps = block.all(&rollout::STEP).into_iter().map(|step| Portion {
            weight: step.get(&portion::WEIGHT).unwrap_or(100.0),
            hold: time(step.get(&portion::HOLD)).unwrap_or_default(),
            approve: step.get(&portion::APPROVE).unwrap_or(false),
        });
        Settings {
            name: name.to_owned(),
            strategy,
            steps: steps.collect(),
            gates: block.all(&rollout::GATE).iter().filter_map(Gate::of).collect(),
            deadline: time(block.get(&rollout::DEADLINE)),
            on_failure,
        }
    }
}

impl Gate {
    fn of(block: &Object) -> Option<Self> {
        let what = match block.get(&gate::PROBE) {
            Some(name) => {
                let success = block.get(&gate::SUCCESS).and_then(|text| percent(&text)).unwrap_or(100.0);
                Watched::Probe { name, success }
            }
            None => Watched::Alarms(block.all(&gate::ALARMS)),
        };
        Some(Gate { name: block.get(&gate::NAME)?, what })
    }
}

impl Probe {
    pub fn of(name: &str, block: &Object) -> Option<Self> {
        if !block.0.values().all(Value::is_wholly_known) {
            return None;
        }
        let expect = block.block(&probe::EXPECT).unwrap_or_default();
        let statuses = expect.get(&expect::STATUS).and_then(|text| status_ranges(&text));
        Some(Probe {
            name: name.to_owned(),
            url: block.get(&probe::URL)?,
            interval: time(block.get(&probe::INTERVAL))?,
            timeout: time(block.get(&probe::TIMEOUT))?,
            method: block.get(&probe::METHOD)?,
            headers: block.get(&probe::HEADERS).unwrap_or_default().into_iter().collect(),
            statuses: statuses.unwrap_or_else(|| vec![(200, 399)]),
            body: expect.get(&expect::BODY),
        })
    }

    /// What is wrong with an answer, if anything is.
    pub fn fault(&self, status: u16, body: &str) -> Option<String> {
        if !self.statuses.iter().any(|(from, to)| (*from..=*to).contains(&status)) {
            return Some(format!("HTTP {status}"));
        }
        let wanted = self.body.as_deref().filter(|text| !body.contains(text));
        wanted.map(|text| format!("HTTP {status} without {text:?}"))
    }
}

impl Accepted {
    fn of(block: &Object) -> Option<Self> {
        let (code, reason) = (block.get(&guard::CODE)?, block.get(&guard::REASON)?);
        Some(Accepted { code, reason, only: block.all(&guard::ONLY) })
    }
}

impl Guard {
    pub fn of(name: &str, block: &Object) -> Option<Self> {
        if !block.0.values().all(Value::is_wholly_known) {
            return None;
        }
        Some(Guard {
            name: name.to_owned(),
            min_healthy: block.get(&guard::MIN_HEALTHY).and_then(|text| percent(&text)),
            accepted: block.all(&guard::ACCEPT).iter().filter_map(Accepted::of).collect(),
            freeze: block.all(&guard::FREEZE).iter().filter_map(|t| freeze::Window::parse(t).ok()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_by_status_and_body() {
        let probe = Probe {
            name: "site".into(),
            url: "http://x/".into(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
            method: "GET".into(),
            headers: Vec::new(),
            statuses: status_ranges("200-299, 404").expect("ranges"),
            body: Some("ok".into()),
        };
        assert_eq!(probe.fault(204, "all ok"), None);
        assert_eq!(probe.fault(404, "ok"), None);
        assert_eq!(probe.fault(301, "ok").as_deref(), Some("HTTP 301"));
        assert_eq!(probe.fault(200, "no").as_deref(), Some("HTTP 200 without \"ok\""));
        assert_eq!(status_ranges("99"), None);
        assert_eq!(status_ranges("300-200"), None);
    }

    #[test]
    fn percentages_are_written_with_their_sign() {
        assert_eq!(percent("99.9%"), Some(99.9));
        for wrong in ["99.9", "101%", "-1%", "%", "x%"] {
            assert_eq!(percent(wrong), None, "{wrong}");
        }
    }
}

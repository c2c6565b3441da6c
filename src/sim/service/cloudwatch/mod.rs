//! CloudWatch: metrics, and the alarms that watch them.

mod actions;
mod alarms;
mod awake;
mod evaluate;
mod gauges;
mod insights;
mod math;
mod math_parse;
mod metrics;
mod published;
mod react;
mod rule;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_published;

use super::tree::{Output, Tags, tag_list, tags};
use super::{Answer, ApiError, Input, Operations, page, page_start};
use crate::World;
use crate::world::{self, MINUTE, Millis, SECOND};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

pub use alarms::{delete_alarm, put_metric_alarm};
pub use awake::{Subject, keep_awake, wake};
pub use evaluate::alarm_state;
pub use gauges::set as set_gauge;
pub use metrics::record;
pub use react::{Breach, Effect};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub(crate) alarms: BTreeMap<String, Alarm>,
    series: Vec<Series>,
    history: Vec<HistoryItem>,
    /// Alarms by what they watch of AWS's own metrics. Derived.
    #[serde(default)]
    watchers: BTreeMap<String, BTreeSet<String>>,
    #[serde(default)]
    gauges: BTreeMap<String, gauges::Gauge>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum AlarmKind {
    Metric,
    Composite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AlarmState {
    Ok,
    Alarm,
    InsufficientData,
}

impl AlarmState {
    pub fn text(self) -> &'static str {
        match self {
            AlarmState::Ok => "OK",
            AlarmState::Alarm => "ALARM",
            AlarmState::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData]
            .into_iter()
            .find(|state| state.text() == text)
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Alarm {
    name: String,
    kind: AlarmKind,
    /// The members of PutMetricAlarm or PutCompositeAlarm, as given: DescribeAlarms answers them unchanged.
    settings: Json,
    tags: Tags,
    state: AlarmState,
    reason: String,
    reason_data: Option<String>,
    configured: Millis,
    state_updated: Millis,
    /// Up to when the metric has been looked at.
    evaluated: Millis,
    /// Until then it is looked at period by period, and next at this time.
    #[serde(default)]
    awake_until: Millis,
    #[serde(default)]
    evaluates_at: Option<Millis>,
    /// Values of periods that are over, from when and up to when they are known.
    #[serde(skip)]
    seen: Option<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    from: Millis,
    until: Millis,
    values: BTreeMap<Millis, f64>,
}

impl Alarm {
    fn arn(&self, world: &World) -> String {
        world.arn("cloudwatch", &format!("alarm:{}", self.name))
    }
}

/// One metric: name, dimensions and unit.
#[derive(Debug, Serialize, Deserialize)]
struct Series {
    namespace: String,
    metric: String,
    dimensions: BTreeMap<String, String>,
    unit: String,
    /// In order of time.
    points: Vec<Point>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Point {
    at: Millis,
    count: f64,
    sum: f64,
    min: f64,
    max: f64,
}

#[derive(Debug, Serialize, Deserialize)]
struct HistoryItem {
    alarm: String,
    kind: AlarmKind,
    at: Millis,
    item: String,
    summary: String,
    #[serde(default)]
    data: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// It may have something new to see.
    Evaluate { alarm: String },
}

pub const OPERATIONS: Operations = &[
    ("DeleteAlarms", alarms::delete),
    ("DescribeAlarmHistory", alarms::history),
    ("DescribeAlarms", alarms::describe),
    ("DescribeAlarmsForMetric", alarms::describe_for_metric),
    ("DisableAlarmActions", alarms::disable_actions),
    ("EnableAlarmActions", alarms::enable_actions),
    ("GetMetricData", metrics::get_data),
    ("GetMetricStatistics", metrics::get_statistics),
    ("ListMetrics", metrics::list),
    ("ListTagsForResource", alarms::list_tags),
    ("PutCompositeAlarm", alarms::put_composite_alarm),
    ("PutMetricAlarm", alarms::put_metric_alarm),
    ("PutMetricData", metrics::put),
    ("SetAlarmState", alarms::set_state),
    ("TagResource", alarms::tag),
    ("UntagResource", alarms::untag),
];

pub fn run(world: &mut World, event: Event) {
    match event {
        Event::Evaluate { alarm } => awake::due(world, &alarm),
    }
}

fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message)
}

fn dimensions(list: &[Json]) -> BTreeMap<String, String> {
    let text = |d: &Json| Some((d.text("Name")?.to_owned(), d.text("Value").unwrap_or_default().to_owned()));
    list.iter().filter_map(text).collect()
}

fn dimensions_json(dimensions: &BTreeMap<String, String>) -> Json {
    dimensions.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect()
}

fn millis(text: &str) -> Option<Millis> {
    text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond())
}

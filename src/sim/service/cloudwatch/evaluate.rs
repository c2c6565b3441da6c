//! The state of an alarm: found when somebody looks, for every period that has passed since, and soon
//! after data has come. So quiet alarms cost the world no events.
//!
//! "Alarm evaluation" and "Configuring how alarms treat missing data" (CloudWatch user guide). Metric
//! math and anomaly bands are not evaluated: such alarms stay as they are.

use super::metrics::{self, Statistic};
use super::*;

/// Longer gaps are not walked through: nothing but the last day can matter to an alarm's state.
const LOOK_BACK: Millis = 24 * 60 * MINUTE;

/// The state now, by name or ARN. None for an alarm that does not exist.
pub fn alarm_state(world: &mut World, name_or_arn: &str) -> Option<AlarmState> {
    let name = alarms::find_ref(world, name_or_arn)?.to_owned();
    settle(world, &name);
    world.cloudwatch.alarms.get(&name).map(|alarm| alarm.state)
}

pub fn settle(world: &mut World, name: &str) {
    settle_below(world, name, &mut Vec::new());
}

fn settle_below(world: &mut World, name: &str, parents: &mut Vec<String>) {
    let Some(alarm) = world.cloudwatch.alarms.get(name) else { return };
    match alarm.kind {
        AlarmKind::Composite => settle_composite(world, name, parents),
        AlarmKind::Metric => settle_metric(world, name),
    }
}

/// Composite alarms can be made to depend on each other in a cycle: then nothing is evaluated again
/// (API reference of PutCompositeAlarm), here the part below the parent that comes back.
fn settle_composite(world: &mut World, name: &str, parents: &mut Vec<String>) {
    let rule = world.cloudwatch.alarms.get(name).and_then(|alarm| alarm.settings.text("AlarmRule"));
    let Some(rule) = rule.and_then(|text| rule::parse(text).ok()) else { return };
    let children: Vec<String> =
        rule.alarms().iter().filter_map(|child| alarms::find_ref(world, child).map(str::to_owned)).collect();
    parents.push(name.to_owned());
    for child in &children {
        if !parents.contains(child) {
            settle_below(world, child, parents);
        }
    }
    parents.pop();
    let holds = rule.holds(&|child| {
        let name = alarms::find_ref(world, child)?;
        world.cloudwatch.alarms.get(name).map(|alarm| alarm.state)
    });
    let state = if holds { AlarmState::Alarm } else { AlarmState::Ok };
    let reason = format!("The alarm rule is {}", if holds { "true" } else { "false" });
    change(world, name, state, &reason);
}

fn settle_metric(world: &mut World, name: &str) {
    let now = world.now;
    let Some(alarm) = world.cloudwatch.alarms.get_mut(name) else { return };
    let Some(watch) = Watch::of(alarm) else { return };
    let step = watch.period.min(MINUTE);
    let mut at = alarm.evaluated.max(now - LOOK_BACK);
    // Evaluations fall on whole steps of the clock.
    at -= at.rem_euclid(step);
    alarm.evaluated = now;
    let data = metrics::matching(&world.cloudwatch, &watch.namespace, &watch.metric, &watch.dimensions, None);
    let mut verdicts = Vec::new();
    while at + step <= now {
        at += step;
        verdicts.push(watch.judge(&data, at));
    }
    for verdict in verdicts.into_iter().flatten() {
        change(world, name, verdict.0, &verdict.1);
    }
}

fn change(world: &mut World, name: &str, state: AlarmState, reason: &str) {
    if world.cloudwatch.alarms.get(name).is_some_and(|alarm| alarm.state != state) {
        transition(world, name, state, reason, None);
    }
}

pub fn transition(world: &mut World, name: &str, state: AlarmState, reason: &str, data: Option<&str>) {
    let now = world.now;
    let Some(alarm) = world.cloudwatch.alarms.get_mut(name) else { return };
    let summary = format!("Alarm updated from {} to {}", alarm.state.text(), state.text());
    let kind = alarm.kind;
    let before = (alarm.state, alarm.reason.clone(), alarm.state_updated);
    alarm.state = state;
    alarm.reason = reason.to_owned();
    alarm.reason_data = data.map(str::to_owned);
    alarm.state_updated = now;
    // A state that was set by hand lasts until the next evaluation.
    alarm.evaluated = now;
    alarms::note(world, name, kind, "StateUpdate", summary);
    world.tell("monitoring", "alarm", name, state.text(), Some(reason));
    if before.0 != state {
        actions::carry_out(world, name, before.0, &before.1, before.2);
    }
}

/// What a metric alarm looks at, and when it fires.
struct Watch {
    namespace: String,
    metric: String,
    dimensions: BTreeMap<String, String>,
    statistic: Statistic,
    period: Millis,
    periods: usize,
    to_alarm: usize,
    threshold: f64,
    comparison: String,
    missing: String,
}

impl Watch {
    fn of(alarm: &Alarm) -> Option<Watch> {
        let settings = &alarm.settings;
        let queries = settings.list("Metrics");
        // A single metric in the Metrics list is the same as one without.
        let stat = match queries {
            [one] => Some(one.get("MetricStat")?),
            [] => None,
            _ => return None,
        };
        let metric = stat.and_then(|stat| stat.get("Metric")).unwrap_or(settings);
        let statistic = match stat {
            Some(stat) => stat.text("Stat"),
            None => settings.text("Statistic").or_else(|| settings.text("ExtendedStatistic")),
        };
        let periods = usize::try_from(settings.int("EvaluationPeriods")?).ok()?;
        let to_alarm = settings.int("DatapointsToAlarm").and_then(|n| usize::try_from(n).ok());
        Some(Watch {
            namespace: metric.text("Namespace")?.to_owned(),
            metric: metric.text("MetricName")?.to_owned(),
            dimensions: dimensions(metric.list("Dimensions")),
            statistic: Statistic::parse(statistic?)?,
            period: stat.unwrap_or(settings).int("Period")? * SECOND,
            periods,
            to_alarm: to_alarm.unwrap_or(periods),
            threshold: settings.get("Threshold")?.as_f64()?,
            comparison: settings.text("ComparisonOperator")?.to_owned(),
            missing: settings.text("TreatMissingData").unwrap_or("missing").to_owned(),
        })
    }

    fn breaches(&self, value: f64) -> Option<bool> {
        Some(match self.comparison.as_str() {
            "GreaterThanOrEqualToThreshold" => value >= self.threshold,
            "GreaterThanThreshold" => value > self.threshold,
            "LessThanThreshold" => value < self.threshold,
            "LessThanOrEqualToThreshold" => value <= self.threshold,
            _ => return None,
        })
    }

    /// The state at a moment; None where it stays as it is.
    fn judge(&self, data: &[Point], at: Millis) -> Option<(AlarmState, String)> {
        let end = at - at.rem_euclid(self.period);
        let mut breaching = 0;
        let mut present = Vec::new();
        for index in 0..self.periods {
            let to = end - self.period * Millis::try_from(index).ok()?;
            let value = metrics::aggregate(data, to - self.period, to, &self.statistic);
            let bad = match value {
                Some(value) => {
                    present.push(value);
                    self.breaches(value)?
                }
                None => self.missing == "breaching",
            };
            breaching += usize::from(bad);
        }
        if present.is_empty() {
            match self.missing.as_str() {
                "missing" => {
                    let reason = "Insufficient Data: 1 datapoint was unknown.".to_owned();
                    return Some((AlarmState::InsufficientData, reason));
                }
                "ignore" => return None,
                _ => {}
            }
        }
        let fires = breaching >= self.to_alarm;
        let values: Vec<String> = present.iter().map(ToString::to_string).collect();
        let reason = format!(
            "Threshold Crossed: {breaching} out of the last {} datapoints [{}] {} {} the threshold ({}).",
            self.periods,
            values.join(", "),
            if fires { "was" } else { "was not" },
            self.words(),
            self.threshold,
        );
        Some((if fires { AlarmState::Alarm } else { AlarmState::Ok }, reason))
    }

    fn words(&self) -> &'static str {
        match self.comparison.as_str() {
            "GreaterThanOrEqualToThreshold" => "greater than or equal to",
            "GreaterThanThreshold" => "greater than",
            "LessThanThreshold" => "less than",
            _ => "less than or equal to",
        }
    }
}

//! The state of an alarm: found when somebody looks, for every period that has passed since; and period by
//! period while there may be something new to see ([`super::awake`]). Quiet alarms cost the world no events.
//!
//! "Alarm evaluation" and "Configuring how alarms treat missing data" (CloudWatch user guide). Anomaly bands
//! are not evaluated: such alarms stay as they are.

use super::metrics::{Query, Statistic, points};
use super::*;

/// Longer gaps are not walked through: nothing but the last day can matter to an alarm's state.
const LOOK_BACK: Millis = 24 * 60 * MINUTE;
/// Datapoints beyond the evaluation periods that may stand for missing ones.
const SPARE: usize = 2;

/// The state now, by name or ARN. None for an alarm that does not exist.
pub fn alarm_state(world: &mut World, name_or_arn: &str) -> Option<AlarmState> {
    let name = alarms::find_ref(world, name_or_arn)?.to_owned();
    settle(world, &name);
    world.cloudwatch.alarms.get(&name).map(|alarm| alarm.state)
}

pub fn settle(world: &mut World, name: &str) {
    crate::traffic::flush(world);
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
    decide_composite(world, name, &rule, &children);
}

fn decide_composite(world: &mut World, name: &str, rule: &rule::Rule, children: &[String]) {
    let holds = rule.holds(&|child| {
        let name = alarms::find_ref(world, child)?;
        world.cloudwatch.alarms.get(name).map(|alarm| alarm.state)
    });
    let state = if holds { AlarmState::Alarm } else { AlarmState::Ok };
    let last = children.iter().filter_map(|child| world.cloudwatch.alarms.get(child));
    let reason = match last.max_by_key(|alarm| alarm.state_updated) {
        Some(child) => format!(
            "{} transitioned to {} at {}",
            child.arn(world),
            child.state.text(),
            jiff::Timestamp::from_millisecond(child.state_updated).unwrap_or_default()
        ),
        None => format!("The alarm rule is {}", if holds { "true" } else { "false" }),
    };
    change(world, name, Verdict { state, reason, data: None });
}

/// Composite alarms over this one follow it at once.
fn tell_parents(world: &mut World, name: &str) {
    let composites = world.cloudwatch.alarms.values().filter(|alarm| alarm.kind == AlarmKind::Composite);
    let named: Vec<(String, String)> = composites
        .filter_map(|alarm| Some((alarm.name.clone(), alarm.settings.text("AlarmRule")?.to_owned())))
        .collect();
    for (parent, text) in named {
        let Ok(rule) = rule::parse(&text) else { continue };
        let children: Vec<String> = rule
            .alarms()
            .iter()
            .filter_map(|child| alarms::find_ref(world, child).map(str::to_owned))
            .collect();
        if parent != name && children.iter().any(|child| child == name) {
            decide_composite(world, &parent, &rule, &children);
        }
    }
}

fn settle_metric(world: &mut World, name: &str) {
    let now = world.now;
    let Some(alarm) = world.cloudwatch.alarms.get(name) else { return };
    let Some(watch) = Watch::of(&alarm.settings) else { return };
    // Nothing has changed since: every period is as the last one was.
    if now > alarm.awake_until && watch.is_published() {
        return;
    }
    let step = watch.period.min(MINUTE);
    let mut at = alarm.evaluated.max(now - LOOK_BACK);
    // Evaluations fall on whole steps of the clock.
    at -= at.rem_euclid(step);
    let verdicts = if at + step <= now {
        let back = watch.period * (watch.periods + SPARE + 1) as Millis;
        let data = values(world, name, &watch, at - back, now);
        let mut verdicts = Vec::new();
        while at + step <= now {
            at += step;
            verdicts.extend(watch.judge(now, &data, at));
        }
        verdicts
    } else {
        Vec::new()
    };
    if let Some(alarm) = world.cloudwatch.alarms.get_mut(name) {
        alarm.evaluated = now;
    }
    for verdict in verdicts {
        change(world, name, verdict);
    }
}

/// The values of periods from then on. What AWS publishes is as it was; so it is found once.
fn values(world: &mut World, name: &str, watch: &Watch, from: Millis, now: Millis) -> Data {
    if !watch.is_published() {
        return watch.data(world, from, now);
    }
    let from = from - from.rem_euclid(watch.period);
    let until = now - now.rem_euclid(watch.period);
    let seen = world.cloudwatch.alarms.get_mut(name).and_then(|alarm| alarm.seen.take());
    let mut seen = seen.filter(|seen| seen.from <= from && from <= seen.until).unwrap_or_default();
    if seen.until == 0 {
        (seen.from, seen.until) = (from, from);
    }
    seen.values.extend(watch.data(world, seen.until, until));
    seen.values = seen.values.split_off(&from);
    (seen.from, seen.until) = (from, until);
    let values = seen.values.clone();
    if let Some(alarm) = world.cloudwatch.alarms.get_mut(name) {
        alarm.seen = Some(seen);
    }
    values
}

fn change(world: &mut World, name: &str, verdict: Verdict) {
    if world.cloudwatch.alarms.get(name).is_some_and(|alarm| alarm.state != verdict.state) {
        transition(world, name, verdict.state, &verdict.reason, verdict.data.as_deref());
    }
}

pub fn transition(world: &mut World, name: &str, state: AlarmState, reason: &str, data: Option<&str>) {
    let now = world.now;
    let Some(alarm) = world.cloudwatch.alarms.get_mut(name) else { return };
    let summary = format!("Alarm updated from {} to {}", alarm.state.text(), state.text());
    let kind = alarm.kind;
    let before = (alarm.state, alarm.reason.clone(), alarm.state_updated);
    let told = |state: AlarmState, reason: &str, data: Option<&str>| {
        let data: Option<Json> = data.and_then(|text| serde_json::from_str(text).ok());
        json!({ "stateValue": state.text(), "stateReason": reason }).with("stateReasonData", data)
    };
    let old = told(alarm.state, &alarm.reason, alarm.reason_data.as_deref());
    let history = json!({ "version": "1.0", "oldState": old, "newState": told(state, reason, data) });
    alarm.state = state;
    alarm.reason = reason.to_owned();
    alarm.reason_data = data.map(str::to_owned);
    alarm.state_updated = now;
    // A state that was set by hand lasts until the next evaluation.
    alarm.evaluated = now;
    alarms::note(world, name, kind, "StateUpdate", summary, &history);
    world.tell("monitoring", "alarm", name, state.text(), Some(reason));
    if before.0 != state {
        actions::carry_out(world, name, before.0, &before.1, before.2);
    }
    react::transitioned(world, name);
    tell_parents(world, name);
}

pub struct Verdict {
    pub state: AlarmState,
    reason: String,
    data: Option<String>,
}

/// Where a metric alarm's values come from.
enum Source {
    Metric {
        query: Query,
        statistic: Statistic,
        text: String,
    },
    /// Queries with expressions, of which one is watched.
    Math {
        queries: Vec<Json>,
        watched: String,
    },
}

/// What a metric alarm looks at, and when it fires.
pub struct Watch {
    source: Source,
    pub period: Millis,
    pub periods: usize,
    to_alarm: usize,
    threshold: f64,
    comparison: String,
    missing: String,
}

pub type Data = BTreeMap<Millis, f64>;

impl Watch {
    pub fn of(settings: &Json) -> Option<Watch> {
        let queries = settings.list("Metrics");
        let (source, period) = match queries {
            // A single metric in the Metrics list is the same as one without.
            [one] if one.get("MetricStat").is_some_and(|stat| !stat.is_null()) => {
                let stat = one.get("MetricStat")?;
                metric(stat.get("Metric")?, stat.text("Stat")?, stat)?
            }
            [] => {
                let text = settings.text("Statistic").or_else(|| settings.text("ExtendedStatistic"))?;
                metric(settings, text, settings)?
            }
            several => {
                let watched = several.iter().find(|one| one.flag("ReturnData") != Some(false))?;
                let periods = several.iter().filter_map(math::period);
                let watched = watched.text("Id")?.to_owned();
                (Source::Math { queries: several.to_vec(), watched }, periods.max()?)
            }
        };
        let periods = usize::try_from(settings.int("EvaluationPeriods")?).ok()?.max(1);
        let to_alarm = settings.int("DatapointsToAlarm").and_then(|n| usize::try_from(n).ok());
        Some(Watch {
            source,
            period,
            periods,
            to_alarm: to_alarm.unwrap_or(periods),
            threshold: settings.get("Threshold")?.as_f64()?,
            comparison: settings.text("ComparisonOperator")?.to_owned(),
            missing: settings.text("TreatMissingData").unwrap_or("missing").to_owned(),
        })
    }

    /// Whether it looks at AWS's own metrics only: these are the same as long as nothing changes.
    pub fn is_published(&self) -> bool {
        let own = |namespace: &str| namespace.starts_with("AWS/");
        match &self.source {
            Source::Metric { query, .. } => own(&query.namespace),
            Source::Math { queries, .. } => {
                let metrics = queries.iter().filter_map(|query| query.get("MetricStat")?.get("Metric"));
                metrics.into_iter().all(|metric| metric.text("Namespace").is_some_and(own))
                    && !queries
                        .iter()
                        .any(|query| query.text("Expression").is_some_and(|e| e.contains("SELECT")))
            }
        }
    }

    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The value of each whole period in that time.
    fn data(&self, world: &World, from: Millis, to: Millis) -> Data {
        let from = from - from.rem_euclid(self.period);
        match &self.source {
            Source::Metric { query, statistic, .. } => {
                let points = points(world, query, from, to);
                metrics::periods(&points, (from, to), self.period, statistic).into_iter().collect()
            }
            Source::Math { queries, watched } => {
                let mut series = math::evaluate(world, queries, from, to, self.period).unwrap_or_default();
                series.remove(watched).map(|series| series.values).unwrap_or_default()
            }
        }
    }

    /// The last value that is whole.
    pub fn latest(&self, world: &World) -> Option<f64> {
        let end = world.now - world.now.rem_euclid(self.period);
        let data = self.data(world, end - self.period * (self.periods + SPARE) as Millis, end);
        data.last_key_value().map(|(_, value)| *value)
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
    pub fn judge(&self, now: Millis, data: &Data, at: Millis) -> Option<Verdict> {
        let end = at - at.rem_euclid(self.period);
        // Newest first; the age of a datapoint is counted in periods, from 1.
        let mut real: Vec<(usize, Millis, f64)> = Vec::new();
        for age in 1..=self.periods + SPARE {
            let from = end - self.period * Millis::try_from(age).ok()?;
            if let Some(value) = data.get(&from) {
                real.push((age, from, *value));
            }
        }
        real.truncate(self.periods);
        let breaching = real.iter().filter(|(_, _, value)| self.breaches(*value) == Some(true)).count();
        self.breaches(0.0)?;
        let filled = self.periods - real.len();
        let (most, needed) = (breaching + filled, self.to_alarm);
        let state = match self.missing.as_str() {
            "breaching" if most >= needed => AlarmState::Alarm,
            "breaching" => AlarmState::Ok,
            "notBreaching" if breaching >= needed => AlarmState::Alarm,
            "notBreaching" => AlarmState::Ok,
            "missing" if real.is_empty() => AlarmState::InsufficientData,
            _ if breaching >= needed => AlarmState::Alarm,
            _ if most < needed => AlarmState::Ok,
            // "the oldest available breaching datapoint [is] at least as old as the value of Datapoints to Alarm
            // […] and all other more recent data points are breaching or missing".
            "missing" if breaching == real.len() && real.last().is_some_and(|one| one.0 >= needed) => {
                AlarmState::Alarm
            }
            _ => return None,
        };
        Some(Verdict { state, reason: self.reason(state, &real, filled), data: Some(self.told(now, &real)) })
    }

    fn reason(&self, state: AlarmState, real: &[(usize, Millis, f64)], filled: usize) -> String {
        let points = |count: usize| if count == 1 { "datapoint" } else { "datapoints" };
        if state == AlarmState::InsufficientData {
            let were = if filled == 1 { "was" } else { "were" };
            return format!("Insufficient Data: {filled} {} {were} unknown.", points(filled));
        }
        if real.is_empty() {
            let how = if self.missing == "breaching" { "Breaching" } else { "NonBreaching" };
            let were = if filled == 1 { "was" } else { "were" };
            return format!(
                "Threshold Crossed: no datapoints were received for {filled} {} and {filled} missing {} {were} treated as [{how}].",
                if filled == 1 { "period" } else { "periods" },
                points(filled),
            );
        }
        let alarm = state == AlarmState::Alarm;
        let breaching = |value: f64| self.breaches(value) == Some(true);
        let told: Vec<String> = real
            .iter()
            .filter(|(_, _, value)| breaching(*value) == alarm)
            .map(|(_, at, value)| format!("{value:?} ({})", short_time(*at)))
            .collect();
        format!(
            "Threshold Crossed: {} out of the last {} {} [{}] {} {} the threshold ({:?}) (minimum {} {} for {} transition).",
            told.len(),
            self.periods,
            points(self.periods),
            told.join(", "),
            match (told.len() == 1, alarm) {
                (true, true) => "was",
                (false, true) => "were",
                (true, false) => "was not",
                (false, false) => "were not",
            },
            self.words(),
            self.threshold,
            self.to_alarm,
            points(self.to_alarm),
            if alarm { "OK -> ALARM" } else { "ALARM -> OK" },
        )
    }

    /// StateReasonData.
    fn told(&self, now: Millis, real: &[(usize, Millis, f64)]) -> String {
        let time = |at: Millis| {
            let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
            at.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
        };
        let recent: Vec<f64> = real.iter().rev().map(|(_, _, value)| *value).collect();
        let evaluated: Json =
            real.iter().map(|(_, at, value)| json!({ "timestamp": time(*at), "value": value })).collect();
        let mut data = json!({
            "version": "1.0", "queryDate": time(now), "period": self.period / SECOND,
            "recentDatapoints": recent, "threshold": self.threshold, "evaluatedDatapoints": evaluated,
        });
        if let Source::Metric { text, .. } = &self.source {
            data["statistic"] = json!(text);
        }
        if let Some((_, oldest, _)) = real.last() {
            data["startDate"] = json!(time(*oldest));
        }
        data.to_string()
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

fn metric(metric: &Json, statistic: &str, stat: &Json) -> Option<(Source, Millis)> {
    let source = Source::Metric {
        query: Query::of(metric, stat.text("Unit"))?,
        statistic: Statistic::parse(statistic)?,
        text: statistic.to_owned(),
    };
    Some((source, stat.int("Period")?.max(1) * SECOND))
}

/// `02/11/26 10:00:00`, as reasons have it.
fn short_time(at: Millis) -> String {
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    at.strftime("%d/%m/%y %H:%M:%S").to_string()
}

//! The operations on alarms.

use super::evaluate::{self, settle};
use super::*;

const METRIC_MEMBERS: [&str; 24] = [
    "ActionConfiguration",
    "ActionsEnabled",
    "AlarmActions",
    "AlarmDescription",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationCriteria",
    "EvaluationInterval",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "InsufficientDataActions",
    "MetricName",
    "Metrics",
    "Namespace",
    "OKActions",
    "Period",
    "Statistic",
    "Threshold",
    "ThresholdMetricId",
    "TreatMissingData",
    "Unit",
    "WarmUpConfiguration",
];
const COMPOSITE_MEMBERS: [&str; 10] = [
    "ActionConfiguration",
    "ActionsEnabled",
    "ActionsSuppressor",
    "ActionsSuppressorExtensionPeriod",
    "ActionsSuppressorWaitPeriod",
    "AlarmActions",
    "AlarmDescription",
    "AlarmRule",
    "InsufficientDataActions",
    "OKActions",
];
const LISTS: [&str; 3] = ["AlarmActions", "InsufficientDataActions", "OKActions"];
const KEPT_HISTORY: usize = 1_000;

fn settings(input: &Json, members: &[&str]) -> Json {
    let mut settings = json!({ "ActionsEnabled": true });
    for list in LISTS {
        settings[list] = json!([]);
    }
    for member in members {
        if let Some(value) = input.get(*member) {
            settings[*member] = value.clone();
        }
    }
    settings
}

fn check_metric(input: &Json) -> Result<(), ApiError> {
    let metrics = !input.list("Metrics").is_empty();
    if metrics == input.text("MetricName").is_some() && input.get("EvaluationCriteria").is_none() {
        return Err(validation("Exactly one of Metrics or MetricName is required for a metric alarm."));
    }
    if metrics {
        let returned = input.list("Metrics").iter().filter(|m| m.flag("ReturnData") != Some(false)).count();
        // Anomaly detection returns the metric and its band.
        if returned != 1 && input.text("ThresholdMetricId").is_none() {
            return Err(validation("Exactly one element of the metrics list should return data."));
        }
        return Ok(());
    }
    if input.text("Namespace").is_none() {
        return Err(validation("The parameter Namespace is required."));
    }
    if input.text("Statistic").is_none() == input.text("ExtendedStatistic").is_none() {
        return Err(validation("Either Statistic or ExtendedStatistic must be specified."));
    }
    if let Some(text) = input.text("ExtendedStatistic")
        && metrics::Statistic::parse(text).is_none()
    {
        let message = format!("The value {text} for parameter ExtendedStatistic is not supported.");
        return Err(ApiError::new("InvalidParameterValue", message));
    }
    let few = input.text("EvaluateLowSampleCountPercentile").unwrap_or("ignore");
    if !matches!(few, "evaluate" | "ignore") {
        return Err(validation(format!(
            "Option {few} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are evaluate and ignore."
        )));
    }
    let period = input.int("Period").unwrap_or_default();
    if !(matches!(period, 10 | 20 | 30) || (period > 0 && period % 60 == 0)) {
        return Err(validation("Period must be 10, 20, 30 or a multiple of 60"));
    }
    let periods = input.int("EvaluationPeriods").unwrap_or_default();
    let window = period * periods;
    // "EvaluationPeriods times Period can't be more than 7 days, or one day for periods under an hour".
    if window > 7 * 86_400 || (period < 3600 && window > 86_400) {
        return Err(validation(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).",
        ));
    }
    if input.int("DatapointsToAlarm").is_some_and(|points| points > periods || points < 1) {
        return Err(validation("DatapointsToAlarm must be between 1 and EvaluationPeriods."));
    }
    let missing = input.text("TreatMissingData").unwrap_or("missing");
    if !matches!(missing, "missing" | "breaching" | "notBreaching" | "ignore") {
        return Err(validation(format!("Unsupported value {missing} for TreatMissingData.")));
    }
    if input.get("Threshold").is_none() {
        return Err(validation("The parameter Threshold is required."));
    }
    Ok(())
}

pub fn put_metric_alarm(world: &mut World, input: &Json) -> Answer {
    check_metric(input)?;
    put(world, input, AlarmKind::Metric, settings(input, &METRIC_MEMBERS))
}

pub fn put_composite_alarm(world: &mut World, input: &Json) -> Answer {
    let text = input.text("AlarmRule").unwrap_or_default();
    let rule = rule::parse(text).map_err(|why| validation(format!("Invalid AlarmRule: {why}")))?;
    if let Some(unknown) = rule.alarms().into_iter().find(|name| find_ref(world, name).is_none()) {
        return Err(validation(format!(
            "AlarmRule contains reference to the alarm {unknown} which does not exist"
        )));
    }
    put(world, input, AlarmKind::Composite, settings(input, &COMPOSITE_MEMBERS))
}

/// A rule names alarms by name or ARN.
pub fn find_ref<'a>(world: &'a World, name_or_arn: &str) -> Option<&'a str> {
    let name = name_or_arn.split_once(":alarm:").map_or(name_or_arn, |(_, name)| name);
    world.cloudwatch.alarms.get(name).map(|alarm| alarm.name.as_str())
}

/// A put over an existing alarm "completely overwrites the previous configuration", but leaves its state,
/// and its tags: those are for new alarms only (API reference).
fn put(world: &mut World, input: &Json, kind: AlarmKind, settings: Json) -> Answer {
    let name = input.text("AlarmName").unwrap_or_default();
    let now = world.now;
    match world.cloudwatch.alarms.get_mut(name) {
        Some(alarm) if alarm.kind != kind => {
            return Err(validation(format!("The alarm {name} already exists with another type.")));
        }
        Some(alarm) => {
            alarm.settings = settings;
            alarm.seen = None;
            alarm.configured = now;
            configured(world, name, kind, "Update", format!("Alarm \"{name}\" updated"));
        }
        None => {
            let alarm = Alarm {
                name: name.to_owned(),
                kind,
                settings,
                tags: tags(input.list("Tags")),
                state: AlarmState::InsufficientData,
                reason: "Unchecked: Initial alarm creation".to_owned(),
                reason_data: None,
                configured: now,
                state_updated: now,
                evaluated: now,
                awake_until: now,
                evaluates_at: None,
                seen: None,
            };
            world.cloudwatch.alarms.insert(name.to_owned(), alarm);
            configured(world, name, kind, "Create", format!("Alarm \"{name}\" created"));
        }
    }
    awake::index(world, name);
    Ok(json!({}))
}

fn configured(world: &mut World, name: &str, kind: AlarmKind, what: &str, summary: String) {
    let settings =
        world.cloudwatch.alarms.get(name).map(|alarm| alarm_json(world, alarm)).unwrap_or_default();
    let member = format!("{}dAlarm", what.to_lowercase());
    let mut data = json!({ "version": "1.0", "type": what });
    data[member.as_str()] = settings;
    note(world, name, kind, "ConfigurationUpdate", summary, &data);
}

pub fn note(world: &mut World, alarm: &str, kind: AlarmKind, item: &str, summary: String, data: &Json) {
    let history = &mut world.cloudwatch.history;
    if history.len() >= KEPT_HISTORY {
        history.remove(0);
    }
    let item = item.to_owned();
    let data = data.to_string();
    history.push(HistoryItem { alarm: alarm.to_owned(), kind, at: world.now, item, summary, data });
}

fn alarm_json(world: &World, alarm: &Alarm) -> Json {
    let time = World::timestamp;
    let mut answer = alarm.settings.clone();
    for (name, value) in [
        ("AlarmName", json!(alarm.name)),
        ("AlarmArn", json!(alarm.arn(world))),
        ("StateValue", json!(alarm.state.text())),
        ("StateReason", json!(alarm.reason)),
        ("StateUpdatedTimestamp", time(alarm.state_updated)),
        ("StateTransitionedTimestamp", time(alarm.state_updated)),
        ("AlarmConfigurationUpdatedTimestamp", time(alarm.configured)),
    ] {
        answer[name] = value;
    }
    if alarm.kind == AlarmKind::Metric && answer.get("Dimensions").is_none() {
        answer["Dimensions"] = json!([]);
    }
    answer.with("StateReasonData", alarm.reason_data.clone())
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let names: Vec<String> = world.cloudwatch.alarms.keys().cloned().collect();
    for name in &names {
        settle(world, name);
    }
    let wanted = input.texts("AlarmNames");
    let prefix = input.text("AlarmNamePrefix");
    if prefix.is_some() && !wanted.is_empty() {
        return Err(validation("AlarmNamePrefix and AlarmNames cannot both be specified."));
    }
    // "If you omit this parameter, only metric alarms are returned" (API reference, AlarmTypes).
    let types = match input.texts("AlarmTypes") {
        types if types.is_empty() => vec!["MetricAlarm"],
        types => types,
    };
    let children = input.text("ChildrenOfAlarmName").map(|parent| children(world, parent));
    let found: Vec<&Alarm> = world
        .cloudwatch
        .alarms
        .values()
        .filter(|alarm| {
            let kind = if alarm.kind == AlarmKind::Metric { "MetricAlarm" } else { "CompositeAlarm" };
            let action = |prefix: &str| {
                LISTS
                    .iter()
                    .flat_map(|list| alarm.settings.texts(list))
                    .any(|action| action.starts_with(prefix))
            };
            (types.contains(&kind) || children.is_some())
                && (wanted.is_empty() || wanted.contains(&alarm.name.as_str()))
                && prefix.is_none_or(|prefix| alarm.name.starts_with(prefix))
                && input.text("StateValue").is_none_or(|state| alarm.state.text() == state)
                && input.text("ActionPrefix").is_none_or(action)
                && children.as_ref().is_none_or(|children| children.contains(&alarm.name))
        })
        .collect();
    let limit = input.int("MaxRecords").and_then(|n| usize::try_from(n).ok()).unwrap_or(50);
    let (found, next) = page(found, input.text("NextToken"), limit);
    let of = |kind| -> Json {
        found.iter().filter(|alarm| alarm.kind == kind).map(|alarm| alarm_json(world, alarm)).collect()
    };
    Ok(json!({ "MetricAlarms": of(AlarmKind::Metric), "CompositeAlarms": of(AlarmKind::Composite) })
        .with("NextToken", next))
}

fn children(world: &World, parent: &str) -> Vec<String> {
    let rule = world.cloudwatch.alarms.get(parent).and_then(|alarm| alarm.settings.text("AlarmRule"));
    let rule = rule.and_then(|text| rule::parse(text).ok());
    let named = rule.map(|rule| rule.alarms()).unwrap_or_default();
    named.iter().filter_map(|name| find_ref(world, name).map(str::to_owned)).collect()
}

pub fn describe_for_metric(world: &mut World, input: &Json) -> Answer {
    let wanted = dimensions(input.list("Dimensions"));
    let alarms: Json = world
        .cloudwatch
        .alarms
        .values()
        .filter(|alarm| {
            let same = |name: &str| input.get(name).is_none() || input.get(name) == alarm.settings.get(name);
            alarm.kind == AlarmKind::Metric
                && ["Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "Unit"]
                    .iter()
                    .all(|n| same(n))
                && dimensions(alarm.settings.list("Dimensions")) == wanted
        })
        .map(|alarm| alarm_json(world, alarm))
        .collect();
    Ok(json!({ "MetricAlarms": alarms }))
}

/// All or nothing: "if you specify an incorrect alarm name […] no alarms are deleted" (API reference).
/// "If you specify any incorrect alarm names, the alarms you specify with correct names are still deleted"
/// (API reference).
pub fn delete(world: &mut World, input: &Json) -> Answer {
    for name in input.texts("AlarmNames") {
        delete_alarm(world, name);
    }
    Ok(json!({}))
}

/// For services that keep alarms of their own: target tracking deletes its alarms with the policy.
pub fn delete_alarm(world: &mut World, name: &str) {
    if let Some(alarm) = world.cloudwatch.alarms.remove(name) {
        let data = json!({ "version": "1.0", "type": "Delete" });
        note(world, name, alarm.kind, "ConfigurationUpdate", format!("Alarm \"{name}\" deleted"), &data);
        awake::index(world, name);
    }
}

pub fn set_state(world: &mut World, input: &Json) -> Answer {
    let name = input.text("AlarmName").unwrap_or_default();
    let state = input.text("StateValue").and_then(AlarmState::parse);
    let state = state.ok_or_else(|| validation("StateValue must be OK, ALARM or INSUFFICIENT_DATA"))?;
    let data = input.text("StateReasonData");
    if data.is_some_and(|data| serde_json::from_str::<Json>(data).is_err()) {
        return Err(ApiError::new("InvalidFormat", "Unknown: StateReasonData is not valid JSON"));
    }
    if !world.cloudwatch.alarms.contains_key(name) {
        return Err(ApiError::new("ResourceNotFound", format!("Alarm {name} does not exist")).status(404));
    }
    evaluate::transition(world, name, state, input.text("StateReason").unwrap_or_default(), data);
    // It lasts until the next evaluation.
    awake::keep_awake(world, name);
    Ok(json!({}))
}

fn set_actions(world: &mut World, input: &Json, enabled: bool) -> Answer {
    for name in input.texts("AlarmNames") {
        if let Some(alarm) = world.cloudwatch.alarms.get_mut(name) {
            alarm.settings["ActionsEnabled"] = enabled.into();
        }
    }
    Ok(json!({}))
}

pub fn enable_actions(world: &mut World, input: &Json) -> Answer {
    set_actions(world, input, true)
}

pub fn disable_actions(world: &mut World, input: &Json) -> Answer {
    set_actions(world, input, false)
}

pub fn history(world: &mut World, input: &Json) -> Answer {
    let time = |name: &str| input.text(name).and_then(millis);
    let (start, end) = (time("StartDate"), time("EndDate"));
    let mut found: Vec<&HistoryItem> = world
        .cloudwatch
        .history
        .iter()
        .filter(|item| {
            input.text("AlarmName").is_none_or(|name| item.alarm == name)
                && input.text("HistoryItemType").is_none_or(|kind| item.item == kind)
                && start.is_none_or(|start| item.at >= start)
                && end.is_none_or(|end| item.at <= end)
        })
        .collect();
    if input.text("ScanBy") != Some("TimestampAscending") {
        found.reverse();
    }
    let all = found
        .into_iter()
        .map(|item| {
            json!({
                "AlarmName": item.alarm,
                "AlarmType": if item.kind == AlarmKind::Metric { "MetricAlarm" } else { "CompositeAlarm" },
                "Timestamp": World::timestamp(item.at),
                "HistoryItemType": item.item,
                "HistorySummary": item.summary,
                "HistoryData": item.data,
            })
        })
        .collect();
    let limit = input.int("MaxRecords").and_then(|n| usize::try_from(n).ok()).unwrap_or(100);
    let (items, next) = page(all, input.text("NextToken"), limit);
    Ok(json!({ "AlarmHistoryItems": items }).with("NextToken", next))
}

fn tagged<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Tags, ApiError> {
    let arn = input.text("ResourceARN").unwrap_or_default();
    let name = arn.split_once(":alarm:").map_or("", |(_, name)| name);
    let known = world.cloudwatch.alarms.get(name).is_some_and(|alarm| alarm.arn(world) == arn);
    match world.cloudwatch.alarms.get_mut(name) {
        Some(alarm) if known => Ok(&mut alarm.tags),
        _ => {
            let message = format!("{arn} does not exist");
            Err(ApiError::new("ResourceNotFoundException", message).status(404))
        }
    }
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    tagged(world, input)?.extend(tags(input.list("Tags")));
    Ok(json!({}))
}

pub fn untag(world: &mut World, input: &Json) -> Answer {
    let current = tagged(world, input)?;
    for key in input.texts("TagKeys") {
        current.remove(key);
    }
    Ok(json!({}))
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    Ok(json!({ "Tags": tag_list(tagged(world, input)?) }))
}

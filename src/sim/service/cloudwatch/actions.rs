//! What an alarm does when its state changes: it tells its targets, and the event bus.

use super::*;
use crate::service::{events, notify};

/// As the console names regions; the code where it is not known here.
fn region_name(region: &str) -> &str {
    match region {
        "us-east-1" => "US East (N. Virginia)",
        "us-east-2" => "US East (Ohio)",
        "us-west-1" => "US West (N. California)",
        "us-west-2" => "US West (Oregon)",
        "eu-west-1" => "EU (Ireland)",
        "eu-central-1" => "EU (Frankfurt)",
        other => other,
    }
}

/// The alarm has gone over from `old`, which began at `since` for `reason`.
pub(super) fn carry_out(world: &mut World, name: &str, old: AlarmState, reason: &str, since: Millis) {
    let Some(alarm) = world.cloudwatch.alarms.get(name) else { return };
    let arn = alarm.arn(world);
    let state = |state: AlarmState, reason: &str, at: Millis| json!({"value": state.text(), "reason": reason, "timestamp": World::timestamp(at)});
    let detail = json!({
        "alarmName": name, "state": state(alarm.state, &alarm.reason, alarm.state_updated),
        "previousState": state(old, reason, since), "configuration": configuration(alarm),
    });
    let list = match alarm.state {
        AlarmState::Ok => "OKActions",
        AlarmState::Alarm => "AlarmActions",
        AlarmState::InsufficientData => "InsufficientDataActions",
    };
    let enabled = alarm.settings.flag("ActionsEnabled") != Some(false) && !react::is_suppressed(world, alarm);
    let targets: Vec<String> = match enabled {
        true => alarm.settings.texts(list).iter().map(|one| (*one).to_owned()).collect(),
        false => Vec::new(),
    };
    let text = notification(world, alarm, &arn, old);
    let subject = format!("{}: \"{name}\" in {}", alarm.state.text(), region_name(&world.region));
    let event = json!({
        "source": "aws.cloudwatch", "alarmArn": arn, "accountId": world.account, "region": world.region,
        "time": World::timestamp(world.now), "alarmData": detail,
    });
    events::put(world, "aws.cloudwatch", "CloudWatch Alarm State Change", &[arn], || detail);
    for target in targets {
        // A function gets the event, a topic the text for people.
        let message = if target.contains(":lambda:") { &event } else { &text };
        notify::send(world, &target, Some(&subject), message);
    }
}

fn configuration(alarm: &Alarm) -> Json {
    let settings = &alarm.settings;
    let mut all = json!({"description": settings.text("AlarmDescription")});
    if alarm.kind == AlarmKind::Composite {
        all["alarmRule"] = settings["AlarmRule"].clone();
        return all;
    }
    let dimensions = dimensions(settings.list("Dimensions"));
    all["metrics"] = json!([{
        "id": "m1", "returnData": true,
        "metricStat": {
            "metric": {
                "namespace": settings["Namespace"], "name": settings["MetricName"], "dimensions": dimensions,
            },
            "period": settings["Period"], "stat": settings["Statistic"],
        },
    }]);
    all
}

/// The text that topics get (User Guide, "Setting up Amazon SNS notifications").
fn notification(world: &World, alarm: &Alarm, arn: &str, old: AlarmState) -> Json {
    let settings = &alarm.settings;
    let small = |one: &Json| json!({"name": one["Name"], "value": one["Value"]});
    let mut text = json!({
        "AlarmName": alarm.name, "AlarmDescription": settings.text("AlarmDescription"),
        "AWSAccountId": world.account, "NewStateValue": alarm.state.text(), "NewStateReason": alarm.reason,
        "AlarmConfigurationUpdatedTimestamp": World::timestamp(alarm.configured),
        "StateChangeTime": World::timestamp(alarm.state_updated), "Region": region_name(&world.region),
        "AlarmArn": arn, "OldStateValue": old.text(), "OKActions": settings.list("OKActions"),
        "AlarmActions": settings.list("AlarmActions"),
        "InsufficientDataActions": settings.list("InsufficientDataActions"),
    });
    if alarm.kind == AlarmKind::Composite {
        text["AlarmRule"] = settings["AlarmRule"].clone();
        return text;
    }
    text["Trigger"] = json!({
        "MetricName": settings["MetricName"], "Namespace": settings["Namespace"], "StatisticType": "Statistic",
        "Statistic": settings.text("Statistic").map(str::to_uppercase), "Unit": settings.text("Unit"),
        "Dimensions": settings.list("Dimensions").iter().map(small).collect::<Vec<_>>(),
        "Period": settings["Period"], "EvaluationPeriods": settings["EvaluationPeriods"],
        "DatapointsToAlarm": settings["DatapointsToAlarm"],
        "ComparisonOperator": settings["ComparisonOperator"], "Threshold": settings["Threshold"],
        "TreatMissingData": settings.text("TreatMissingData").unwrap_or("missing"),
    });
    text
}

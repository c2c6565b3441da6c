use super::*;

fn world() -> World {
    World::new("123456789012", "us-east-1", 1, 1_700_000_040_000)
}

fn call(world: &mut World, operation: &str, input: Json) -> Answer {
    let (_, handler) = OPERATIONS.iter().find(|(name, _)| *name == operation).expect("operation");
    handler(world, &input)
}

fn cpu_alarm() -> Json {
    json!({
        "AlarmName": "cpu", "Namespace": "App", "MetricName": "CPU", "Statistic": "Average", "Period": 60,
        "EvaluationPeriods": 2, "Threshold": 80.0, "ComparisonOperator": "GreaterThanThreshold",
        "Tags": [{ "Key": "team", "Value": "web" }],
    })
}

fn report(world: &mut World, value: f64) {
    record(world, "App", "CPU", &[], value, "Percent");
    world.advance_to(world.now + 60_000);
}

fn state(world: &mut World) -> Json {
    let answer = call(world, "DescribeAlarms", json!({ "AlarmNames": ["cpu"] })).expect("described");
    answer["MetricAlarms"][0]["StateValue"].clone()
}

#[test]
fn an_alarm_follows_its_metric() {
    let mut world = world();
    call(&mut world, "PutMetricAlarm", cpu_alarm()).expect("put");
    assert_eq!(state(&mut world), "INSUFFICIENT_DATA");
    report(&mut world, 10.0);
    assert_eq!(state(&mut world), "OK");
    report(&mut world, 90.0);
    assert_eq!(state(&mut world), "OK");
    report(&mut world, 95.0);
    assert_eq!(alarm_state(&mut world, "cpu"), Some(AlarmState::Alarm));
    world.advance_to(world.now + 10 * MINUTE);
    assert_eq!(state(&mut world), "INSUFFICIENT_DATA");
    let history =
        json!({ "AlarmName": "cpu", "HistoryItemType": "StateUpdate", "ScanBy": "TimestampAscending" });
    let history = call(&mut world, "DescribeAlarmHistory", history).expect("history");
    let changes = history["AlarmHistoryItems"].as_array().expect("list");
    assert_eq!(changes[1]["HistorySummary"], "Alarm updated from OK to ALARM");
}

#[test]
fn missing_data_counts_as_the_alarm_says() {
    let mut world = world();
    let mut input = cpu_alarm();
    input["TreatMissingData"] = "notBreaching".into();
    call(&mut world, "PutMetricAlarm", input.clone()).expect("put");
    world.advance_to(world.now + 5 * MINUTE);
    assert_eq!(state(&mut world), "OK");
    input["TreatMissingData"] = "breaching".into();
    call(&mut world, "PutMetricAlarm", input).expect("put");
    assert_eq!(state(&mut world), "OK");
    world.advance_to(world.now + 5 * MINUTE);
    assert_eq!(state(&mut world), "ALARM");
}

#[test]
fn an_update_keeps_state_and_tags() {
    let mut world = world();
    call(&mut world, "PutMetricAlarm", cpu_alarm()).expect("put");
    let set = json!({ "AlarmName": "cpu", "StateValue": "ALARM", "StateReason": "by hand" });
    call(&mut world, "SetAlarmState", set).expect("set");
    let mut input = cpu_alarm();
    input["Tags"] = json!([{ "Key": "other", "Value": "x" }]);
    input["Threshold"] = json!(50.0);
    call(&mut world, "PutMetricAlarm", input).expect("put");
    let answer = call(&mut world, "DescribeAlarms", json!({})).expect("described");
    let alarm = &answer["MetricAlarms"][0];
    assert_eq!((&alarm["StateValue"], &alarm["Threshold"]), (&json!("ALARM"), &json!(50.0)));
    assert_eq!((&alarm["ActionsEnabled"], &alarm["OKActions"]), (&json!(true), &json!([])));
    let tags =
        call(&mut world, "ListTagsForResource", json!({ "ResourceARN": alarm["AlarmArn"] })).expect("tags");
    assert_eq!(tags["Tags"], json!([{ "Key": "team", "Value": "web" }]));
}

#[test]
fn a_wrong_name_keeps_no_other_alarm_from_being_deleted() {
    let mut world = world();
    call(&mut world, "PutMetricAlarm", cpu_alarm()).expect("put");
    call(&mut world, "DeleteAlarms", json!({ "AlarmNames": ["no", "cpu"] })).expect("deleted");
    assert_eq!(alarm_state(&mut world, "cpu"), None);
}

#[test]
fn alarms_that_cannot_be_are_refused() {
    let mut world = world();
    for (member, value) in [
        ("Period", json!(45)),
        ("DatapointsToAlarm", json!(3)),
        ("TreatMissingData", json!("maybe")),
        ("EvaluationPeriods", json!(2000)),
    ] {
        let mut input = cpu_alarm();
        input[member] = value;
        let error = call(&mut world, "PutMetricAlarm", input).expect_err(member);
        assert_eq!(error.code, "ValidationError", "{member}");
    }
}

#[test]
fn a_composite_alarm_combines_others() {
    let mut world = world();
    call(&mut world, "PutMetricAlarm", cpu_alarm()).expect("put");
    let rule = "ALARM(\"cpu\") AND NOT (INSUFFICIENT_DATA(cpu) OR FALSE)";
    let composite = json!({ "AlarmName": "all", "AlarmRule": rule });
    call(&mut world, "PutCompositeAlarm", composite).expect("put");
    assert_eq!(alarm_state(&mut world, "all"), Some(AlarmState::Ok));
    report(&mut world, 99.0);
    report(&mut world, 99.0);
    assert_eq!(alarm_state(&mut world, "all"), Some(AlarmState::Alarm));
    let plain = call(&mut world, "DescribeAlarms", json!({})).expect("described");
    assert_eq!(plain["CompositeAlarms"], json!([]));
    let both = json!({ "AlarmTypes": ["CompositeAlarm", "MetricAlarm"] });
    let both = call(&mut world, "DescribeAlarms", both).expect("described");
    assert_eq!(both["CompositeAlarms"][0]["AlarmRule"], rule);
    let unknown = json!({ "AlarmName": "bad", "AlarmRule": "ALARM(ghost)" });
    assert_eq!(call(&mut world, "PutCompositeAlarm", unknown).expect_err("ghost").code, "ValidationError");
    let broken = json!({ "AlarmName": "bad", "AlarmRule": "ALARM(cpu) AND" });
    assert_eq!(call(&mut world, "PutCompositeAlarm", broken).expect_err("broken").code, "ValidationError");
}

#[test]
fn data_is_read_as_statistics() {
    let mut world = world();
    let start = World::timestamp(world.now);
    let dims = json!([{ "Name": "Service", "Value": "web" }]);
    let data = json!({ "Namespace": "App", "MetricData": [
        { "MetricName": "Latency", "Dimensions": dims, "Values": [1.0, 3.0], "Counts": [3.0, 1.0], "Unit": "Seconds" },
        { "MetricName": "Latency", "Dimensions": dims, "Value": 8.0, "Unit": "Seconds" },
    ] });
    call(&mut world, "PutMetricData", data).expect("put");
    world.advance_to(world.now + 5 * MINUTE);
    let end = World::timestamp(world.now);
    let input = json!({
        "Namespace": "App", "MetricName": "Latency", "Dimensions": dims, "StartTime": start, "EndTime": end,
        "Period": 60, "Statistics": ["Average", "Maximum", "SampleCount"], "ExtendedStatistics": ["p50"],
    });
    let got = call(&mut world, "GetMetricStatistics", input).expect("got");
    let point = &got["Datapoints"][0];
    assert_eq!(point["SampleCount"], 5.0);
    assert_eq!((&point["Average"], &point["Maximum"]), (&json!(2.8), &json!(8.0)));
    assert_eq!((&point["ExtendedStatistics"]["p50"], &point["Unit"]), (&json!(1.0), &json!("Seconds")));
    let query = json!({
        "StartTime": start, "EndTime": end,
        "MetricDataQueries": [{ "Id": "a", "MetricStat": {
            "Metric": { "Namespace": "App", "MetricName": "Latency", "Dimensions": dims }, "Period": 60, "Stat": "Sum",
        } }],
    });
    let got = call(&mut world, "GetMetricData", query).expect("got");
    assert_eq!(got["MetricDataResults"][0]["Values"], json!([14.0]));
    let listed = call(&mut world, "ListMetrics", json!({ "Namespace": "App" })).expect("listed");
    assert_eq!(listed["Metrics"][0]["Dimensions"], dims);
    let own = json!({ "Namespace": "AWS/ECS", "MetricData": [] });
    assert_eq!(call(&mut world, "PutMetricData", own).expect_err("reserved").code, "InvalidParameterValue");
}

//! What deployments cost in requests.

use super::tests::ok;
use super::tests_shifting::stand;
use crate::traffic::{Cause, Scope, losses, numbers};
use crate::world::MINUTE;
use serde_json::json;

const ELB: &str = "elasticloadbalancing";

#[test]
fn no_strategy_loses_a_request() {
    for configuration in [
        json!({"strategy": "ROLLING"}),
        json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 2}),
        json!({
            "strategy": "LINEAR", "linearConfiguration": {"stepPercent": 30.0, "stepBakeTimeInMinutes": 2},
        }),
        json!({
            "strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 4},
        }),
    ] {
        let mut stand = stand();
        stand.serve(configuration.clone());
        let since = stand.world.now;
        stand.update("repo/web:v2");
        stand.world.advance_to(since + 45 * MINUTE);
        assert_eq!(stand.record()["status"], "SUCCESSFUL", "{configuration}");
        let rule = stand.rule.clone();
        let scope = Scope { rule: Some(&rule), ..Scope::default() };
        assert_eq!(losses(&mut stand.world, &scope, since, i64::MAX), [], "{configuration}");
        let sent = numbers(&mut stand.world, &scope, since, i64::MAX).sent;
        assert!(sent.abs_diff(45 * 600) <= 8, "{sent}");
    }
}

#[test]
fn a_bad_canary_costs_its_share_until_its_alarm_brings_the_traffic_back() {
    let mut stand = stand();
    let path = stand.world.elbv2.balancers.values().next().expect("one").path.clone();
    ok(
        &mut stand.world,
        "monitoring",
        "PutMetricAlarm",
        json!({
            "AlarmName": "errors", "Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count",
            "Dimensions": [{"Name": "LoadBalancer", "Value": path}], "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 2, "Threshold": 20.0, "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }),
    );
    stand.serve(json!({
        "strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 10},
        "alarms": {"alarmNames": ["errors"], "enable": true, "rollback": true},
    }));
    // Nobody tests: the test rule gets nothing.
    let test = json!([{"rule": "10", "rate": 0}]);
    crate::traffic::order::carry_out(&mut stand.world, serde_json::from_value(test).expect("an order"))
        .expect("set");
    let since = stand.world.now;
    stand.update("repo/web:errors");
    stand.world.advance_to(since + 40 * MINUTE);
    assert_eq!(stand.record()["status"], "ROLLBACK_SUCCESSFUL", "{}", stand.record());
    let rule = stand.rule.clone();
    let found = losses(&mut stand.world, &Scope { rule: Some(&rule), ..Scope::default() }, since, i64::MAX);
    assert!(found.iter().all(|loss| loss.cause == Cause::TargetError), "{found:#?}");
    assert!(found.iter().all(|loss| loss.group.as_ref() == Some(&stand.green)), "{found:#?}");
    // Half of a tenth of ten requests a second, for two to four minutes.
    let lost: u64 = found.iter().map(|loss| loss.requests).sum();
    assert!((60..=120).contains(&lost), "{lost}");
    let answer = ok(&mut stand.world, ELB, "DescribeRules", json!({"RuleArns": [rule]}));
    let weights = &answer["Rules"][0]["Actions"][0]["ForwardConfig"]["TargetGroups"];
    let blue =
        weights.as_array().expect("groups").iter().find(|one| one["TargetGroupArn"] == json!(stand.blue));
    assert_eq!(blue.expect("blue")["Weight"], 100);
}

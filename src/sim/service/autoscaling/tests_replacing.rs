//! Instances whose place another one takes, and which one goes.

use super::tests::{call, count, group, id, look, new_version, pass, refresh, run, status, world};
use crate::World;
use crate::faults::{self, Fault, What};
use crate::service::Input;
use crate::world::{MINUTE, Millis, SECOND};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

fn update(world: &mut World, mut input: Json) {
    input["AutoScalingGroupName"] = json!("g");
    call(world, "UpdateAutoScalingGroup", input);
}

fn ids(world: &mut World) -> BTreeSet<String> {
    look(world).list("Instances").iter().map(|one| id(one, "/InstanceId")).collect()
}

/// Fewest and most instances in service, second by second.
fn watch(world: &mut World, time: Millis) -> (usize, usize) {
    let end = world.now + time;
    let (mut fewest, mut most) = (usize::MAX, 0);
    while world.now < end {
        pass(world, SECOND);
        let now = count(world, "InService");
        (fewest, most) = (fewest.min(now), most.max(now));
    }
    (fewest, most)
}

fn make_unhealthy(world: &mut World, instance: &str) {
    let input =
        json!({"InstanceId": instance, "HealthStatus": "Unhealthy", "ShouldRespectGracePeriod": false});
    call(world, "SetInstanceHealth", input);
}

#[test]
fn without_a_policy_an_unhealthy_instance_ends_before_its_replacement_starts() {
    let (mut world, subnets) = world();
    group(&mut world, &subnets, 2, 4, 2);
    pass(&mut world, 3 * MINUTE);
    let sick = ids(&mut world).pop_first().expect("two");
    make_unhealthy(&mut world, &sick);
    let (fewest, most) = watch(&mut world, 10 * MINUTE);
    assert_eq!((fewest, most), (1, 2));
    assert!(!ids(&mut world).contains(&sick) && count(&mut world, "InService") == 2);
}

#[test]
fn a_policy_that_keeps_all_launches_first() {
    let (mut world, subnets) = world();
    group(&mut world, &subnets, 2, 4, 2);
    let policy = json!({"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150});
    update(&mut world, json!({"InstanceMaintenancePolicy": policy}));
    pass(&mut world, 3 * MINUTE);
    let sick = ids(&mut world).pop_first().expect("two");
    make_unhealthy(&mut world, &sick);
    let (fewest, most) = watch(&mut world, 10 * MINUTE);
    assert_eq!((fewest, most), (2, 3));
    assert!(!ids(&mut world).contains(&sick) && count(&mut world, "InService") == 2);
}

#[test]
fn a_policy_bounds_how_many_are_missing_at_a_time() {
    let (mut world, subnets) = world();
    group(&mut world, &subnets, 4, 8, 4);
    let policy = json!({"MinHealthyPercentage": 75, "MaxHealthyPercentage": 100});
    update(&mut world, json!({"InstanceMaintenancePolicy": policy}));
    pass(&mut world, 3 * MINUTE);
    let sick: Vec<String> = ids(&mut world).into_iter().take(2).collect();
    sick.iter().for_each(|one| make_unhealthy(&mut world, one));
    let (fewest, most) = watch(&mut world, 15 * MINUTE);
    assert_eq!((fewest, most), (3, 4));
    assert!(sick.iter().all(|one| !ids(&mut world).contains(one)));
}

fn declare(world: &mut World, lasts: Millis, what: What) {
    let until = Some(world.now + lasts);
    faults::declare(world, Fault { number: 0, from: world.now, until, what });
}

fn zones(world: &mut World) -> Vec<usize> {
    let group = look(world);
    let zone = |name: &str| {
        group.list("Instances").iter().filter(|one| one.text("AvailabilityZone") == Some(name)).count()
    };
    vec![zone("us-east-1a"), zone("us-east-1b")]
}

#[test]
fn a_group_is_balanced_again_when_a_lost_zone_is_back() {
    let (mut world, subnets) = world();
    group(&mut world, &subnets, 4, 8, 4);
    pass(&mut world, 3 * MINUTE);
    assert_eq!(zones(&mut world), [2, 2]);
    declare(&mut world, 20 * MINUTE, What::LostZone { zone: "us-east-1a".to_owned() });
    pass(&mut world, 15 * MINUTE);
    assert_eq!(zones(&mut world), [0, 4]);
    let (fewest, _) = watch(&mut world, 30 * MINUTE);
    assert_eq!(zones(&mut world), [2, 2]);
    assert_eq!(fewest, 4, "rebalancing launches first");
}

#[test]
fn with_capacity_rebalancing_a_spot_instance_is_replaced_before_it_is_taken() {
    for rebalance in [false, true] {
        let (mut world, subnets) = world();
        let template = json!({"LaunchTemplateName": "web", "Version": "1"});
        let policy = json!({
            "LaunchTemplate": {"LaunchTemplateSpecification": template},
            "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 0},
        });
        let input = json!({
            "AutoScalingGroupName": "g", "MinSize": 2, "MaxSize": 4, "VPCZoneIdentifier": subnets,
            "MixedInstancesPolicy": policy, "CapacityRebalance": rebalance,
        });
        call(&mut world, "CreateAutoScalingGroup", input);
        pass(&mut world, 3 * MINUTE);
        faults::declare(
            &mut world,
            Fault { number: 0, from: 0, until: None, what: What::SpotInterruption { share: 0.5 } },
        );
        pass(&mut world, SECOND);
        let requests = call(&mut world, "DescribeSpotInstanceRequests", json!({}));
        let marked = requests.list("SpotInstanceRequests").iter();
        let marked = marked.filter(|one| one["Status"]["Code"] == "marked-for-termination");
        assert_eq!(marked.count(), 1);
        let (fewest, _) = watch(&mut world, 10 * MINUTE);
        assert_eq!(fewest, if rebalance { 2 } else { 1 });
        assert_eq!(count(&mut world, "InService"), 2);
    }
}

/// Three instances in one zone: of version 1, then 2, then 1 again.
fn three_ages(policy: &str) -> (World, Vec<String>) {
    let (mut world, subnets) = world();
    let subnet = subnets.split(',').next().expect("two subnets").to_owned();
    group(&mut world, &subnet, 0, 4, 1);
    new_version(&mut world, json!({"InstanceType": "t3.large"}));
    pass(&mut world, 3 * MINUTE);
    let mut made = Vec::new();
    for (desired, version) in [(1, "1"), (2, "2"), (3, "1")] {
        let template = json!({"LaunchTemplateName": "web", "Version": version});
        update(&mut world, json!({"LaunchTemplate": template, "DesiredCapacity": desired}));
        pass(&mut world, 7 * MINUTE);
        let new = ids(&mut world).into_iter().find(|one| !made.contains(one));
        made.extend(new);
    }
    assert_eq!(made.len(), 3);
    update(&mut world, json!({"TerminationPolicies": [policy]}));
    (world, made)
}

#[test]
fn a_termination_policy_says_who_goes() {
    // The second one is of the newer version, so that it stays by the default policy.
    for (policy, gone) in [
        ("OldestInstance", 0),
        ("NewestInstance", 2),
        ("OldestLaunchTemplate", 0),
        ("Default", 0),
        ("ClosestToNextInstanceHour", 0),
    ] {
        let (mut world, made) = three_ages(policy);
        call(&mut world, "SetDesiredCapacity", json!({"AutoScalingGroupName": "g", "DesiredCapacity": 2}));
        pass(&mut world, 5 * MINUTE);
        let left = ids(&mut world);
        assert_eq!(left.len(), 2);
        assert!(!left.contains(&made[gone]), "{policy}: {left:?} of {made:?}");
    }
}

#[test]
fn a_refresh_stops_when_an_alarm_goes_off() {
    let (mut world, subnets) = world();
    group(&mut world, &subnets, 4, 8, 4);
    let alarm = json!({
        "AlarmName": "errors", "Namespace": "Shop", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    });
    crate::service::cloudwatch::put_metric_alarm(&mut world, &alarm).expect("a sound alarm");
    pass(&mut world, 3 * MINUTE);
    new_version(&mut world, json!({"InstanceType": "t3.large"}));
    let preferences = json!({
        "AlarmSpecification": {"Alarms": ["errors"]}, "AutoRollback": true, "MinHealthyPercentage": 75,
        "MaxHealthyPercentage": 100,
    });
    refresh(&mut world, "2", preferences);
    pass(&mut world, 4 * MINUTE);
    assert_eq!(status(&mut world)["Status"], "InProgress");
    crate::service::cloudwatch::record(&mut world, "Shop", "Errors", &[], 9.0, "Count");
    pass(&mut world, 2 * MINUTE);
    let told = status(&mut world);
    assert_eq!(told["Status"], "RollbackInProgress");
    assert!(
        told["RollbackDetails"]["RollbackReason"].as_str().is_some_and(|why| why.contains("errors")),
        "{told}"
    );
    let (end, _) = run(&mut world, 60 * MINUTE);
    assert_eq!(end["Status"], "RollbackSuccessful");
}

#[test]
fn a_refresh_waits_for_ignores_or_ends_standby_instances() {
    for (preference, outcome, stays) in
        [("Wait", "Failed", true), ("Ignore", "Successful", true), ("Terminate", "Successful", false)]
    {
        let (mut world, subnets) = world();
        group(&mut world, &subnets, 1, 4, 3);
        pass(&mut world, 3 * MINUTE);
        let aside = ids(&mut world).pop_first().expect("three");
        let input = json!({
            "AutoScalingGroupName": "g", "InstanceIds": [aside], "ShouldDecrementDesiredCapacity": true,
        });
        call(&mut world, "EnterStandby", input);
        new_version(&mut world, json!({"InstanceType": "t3.large"}));
        refresh(&mut world, "2", json!({"StandbyInstances": preference}));
        let (end, _) = run(&mut world, 240 * MINUTE);
        assert_eq!(end["Status"], outcome, "{preference}: {end}");
        assert_eq!(ids(&mut world).contains(&aside), stays, "{preference}");
    }
}

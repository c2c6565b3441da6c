//! Hooks, schedules and what a group is made from.

use super::tests::{call, count, group, id, image, look, pass, refused, world};
use crate::World;
use crate::service::Input;
use crate::world::{MINUTE, SECOND};
use serde_json::{Value as Json, json};

fn hook(world: &mut World, transition: &str, timeout: i64, result: &str) {
    let input = json!({
        "AutoScalingGroupName": "g", "LifecycleHookName": "h", "HeartbeatTimeout": timeout, "DefaultResult": result,
        "LifecycleTransition": format!("autoscaling:EC2_INSTANCE_{transition}"),
    });
    call(world, "PutLifecycleHook", input);
}

fn desire(world: &mut World, desired: i64) {
    call(world, "SetDesiredCapacity", json!({"AutoScalingGroupName": "g", "DesiredCapacity": desired}));
}

fn until_held(world: &mut World) {
    while count(world, "Pending:Wait") == 0 {
        pass(world, SECOND);
    }
}

#[test]
fn a_heartbeat_starts_the_timeout_anew() {
    let (mut world, subnets) = world();
    group(&mut world, &subnets, 0, 1, 0);
    hook(&mut world, "LAUNCHING", 120, "CONTINUE");
    desire(&mut world, 1);
    until_held(&mut world);
    let instance = id(&look(&mut world), "/Instances/0/InstanceId");
    assert_eq!(count(&mut world, "Pending:Wait"), 1);
    let beat = json!({"AutoScalingGroupName": "g", "LifecycleHookName": "h", "InstanceId": instance});
    for _ in 0..5 {
        pass(&mut world, 100 * SECOND);
        call(&mut world, "RecordLifecycleActionHeartbeat", beat.clone());
    }
    assert_eq!(count(&mut world, "Pending:Wait"), 1);
    pass(&mut world, 130 * SECOND);
    assert_eq!(count(&mut world, "InService"), 1);
    assert_eq!(refused(&mut world, "RecordLifecycleActionHeartbeat", beat).0, "ValidationError");
}

/// "The maximum amount of time that an instance can remain in a wait state is 48 hours or 100 times the heartbeat
/// timeout, whichever is smaller" (API reference, RecordLifecycleActionHeartbeat).
#[test]
fn no_heartbeat_holds_an_instance_for_ever() {
    let (mut world, subnets) = world();
    group(&mut world, &subnets, 0, 1, 0);
    hook(&mut world, "LAUNCHING", 30, "CONTINUE");
    desire(&mut world, 1);
    until_held(&mut world);
    let instance = id(&look(&mut world), "/Instances/0/InstanceId");
    let beat = json!({"AutoScalingGroupName": "g", "LifecycleHookName": "h", "InstanceId": instance});
    let mut beats = 0;
    while count(&mut world, "Pending:Wait") == 1 {
        call(&mut world, "RecordLifecycleActionHeartbeat", beat.clone());
        pass(&mut world, 20 * SECOND);
        beats += 1;
        assert!(beats < 200, "held for ever");
    }
    assert!((145..=152).contains(&beats), "{beats} times 20 seconds");
}

#[test]
fn an_abandoned_launch_ends_and_another_one_follows() {
    let (mut world, subnets) = world();
    group(&mut world, &subnets, 1, 1, 1);
    hook(&mut world, "LAUNCHING", 60, "ABANDON");
    until_held(&mut world);
    let first = id(&look(&mut world), "/Instances/0/InstanceId");
    pass(&mut world, 4 * MINUTE);
    let instances = look(&mut world);
    assert!(instances.list("Instances").iter().all(|one| one.text("InstanceId") != Some(&first)));
    let activities = call(&mut world, "DescribeScalingActivities", json!({"AutoScalingGroupName": "g"}));
    let of_first = activities.list("Activities").iter().filter(|one| {
        one.text("Description").is_some_and(|text| text.contains(&first) && text.starts_with("Launching"))
    });
    assert!(of_first.clone().count() == 1 && of_first.clone().all(|one| one["StatusCode"] == "Cancelled"));
}

fn schedule(world: &mut World, mut action: Json) {
    action["AutoScalingGroupName"] = json!("g");
    action["ScheduledActionName"] = json!("s");
    call(world, "PutScheduledUpdateGroupAction", action);
}

#[test]
fn a_scheduled_action_runs_once_at_its_time() {
    let (mut world, subnets) = world();
    group(&mut world, &subnets, 0, 4, 1);
    pass(&mut world, 3 * MINUTE);
    let at = World::timestamp(world.now + 10 * MINUTE);
    schedule(&mut world, json!({"StartTime": at, "MinSize": 2, "MaxSize": 6, "DesiredCapacity": 3}));
    pass(&mut world, 9 * MINUTE);
    assert_eq!(look(&mut world)["DesiredCapacity"], 1);
    pass(&mut world, 5 * MINUTE);
    let group = look(&mut world);
    assert_eq!([&group["MinSize"], &group["MaxSize"], &group["DesiredCapacity"]], [2, 6, 3]);
    assert_eq!(count(&mut world, "InService"), 3);
    let activities = call(&mut world, "DescribeScalingActivities", json!({"AutoScalingGroupName": "g"}));
    let cause = activities["Activities"][0]["Cause"].as_str().unwrap_or_default().to_owned();
    assert!(cause.contains("a scheduled action 's' was executed"), "{cause}");
}

#[test]
fn a_recurring_action_runs_every_time_in_its_time_zone_up_to_its_end() {
    let (mut world, subnets) = world();
    group(&mut world, &subnets, 0, 4, 1);
    // The world's time is 2027-01-15T08:00:00Z, a Friday; Berlin is an hour ahead.
    let end = World::timestamp(world.now + 3 * 24 * 60 * MINUTE);
    schedule(
        &mut world,
        json!({"Recurrence": "30 10 * * *", "TimeZone": "Europe/Berlin", "DesiredCapacity": 3, "EndTime": end}),
    );
    let kept = call(&mut world, "DescribeScheduledActions", json!({"AutoScalingGroupName": "g"}));
    assert_eq!(kept["ScheduledUpdateGroupActions"][0]["StartTime"], "2027-01-15T09:30:00Z");
    let mut ran = 0;
    for _ in 0..6 {
        desire(&mut world, 1);
        pass(&mut world, 24 * 60 * MINUTE);
        ran += i32::from(look(&mut world)["DesiredCapacity"] == 3);
    }
    assert_eq!(ran, 3);
}

#[test]
fn a_suspended_schedule_changes_nothing() {
    let (mut world, subnets) = world();
    group(&mut world, &subnets, 0, 4, 1);
    let suspend = json!({"AutoScalingGroupName": "g", "ScalingProcesses": ["ScheduledActions"]});
    call(&mut world, "SuspendProcesses", suspend);
    schedule(&mut world, json!({"Recurrence": "*/10 * * * *", "DesiredCapacity": 3}));
    pass(&mut world, 30 * MINUTE);
    assert_eq!(look(&mut world)["DesiredCapacity"], 1);
}

#[test]
fn a_group_made_from_an_instance_launches_its_like() {
    let (mut world, subnets) = world();
    let subnet = subnets.split(',').next().expect("two subnets").to_owned();
    let input = json!({"ImageId": image(), "InstanceType": "m5.large", "SubnetId": subnet, "MinCount": 1, "MaxCount": 1});
    let instance = id(&call(&mut world, "RunInstances", input), "/Instances/0/InstanceId");
    let make = |instance: &str| {
        json!({
            "AutoScalingGroupName": "g", "InstanceId": instance, "MinSize": 1, "MaxSize": 2,
            "VPCZoneIdentifier": subnet,
        })
    };
    let (code, message) = refused(&mut world, "CreateAutoScalingGroup", make("i-0123456789abcdef0"));
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("ValidationError", "Instance [i-0123456789abcdef0] is invalid.")
    );
    call(&mut world, "CreateAutoScalingGroup", make(&instance));
    pass(&mut world, 3 * MINUTE);
    let group = look(&mut world);
    assert_eq!(group["LaunchConfigurationName"], "g");
    assert_eq!(group["Instances"][0]["InstanceType"], "m5.large");
}

#[test]
fn a_template_version_that_was_not_given_is_not_answered() {
    let (mut world, subnets) = world();
    let input = json!({
        "AutoScalingGroupName": "g", "MinSize": 1, "MaxSize": 1, "VPCZoneIdentifier": subnets,
        "LaunchTemplate": {"LaunchTemplateName": "web"},
    });
    call(&mut world, "CreateAutoScalingGroup", input);
    pass(&mut world, 2 * MINUTE);
    let group = look(&mut world);
    assert!(group["LaunchTemplate"].get("Version").is_none());
    assert_eq!(group["Instances"][0]["LaunchTemplate"]["Version"], "1");
}

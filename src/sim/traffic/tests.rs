//! Requests over virtual time: what rollouts, crashes and terminations cost.

use super::order::{self, Order};
use super::*;
use crate::service::ecs::tests::{Net, balanced, call, define, fargate, ok, pass, world};
use crate::world::{MINUTE, SECOND};
use serde_json::{Value as Json, json};

/// A service of two tasks behind a load balancer, steady; and since when.
fn stage(image: &str) -> (World, Net, String, Millis) {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "ip");
    let definition = define(&mut world, image);
    fargate(&mut world, &net, &group, &definition);
    pass(&mut world, 10 * MINUTE);
    let since = world.now;
    (world, net, group, since)
}

fn declare(world: &mut World, orders: Json) -> Vec<String> {
    let orders: Vec<Order> = serde_json::from_value(orders).expect("orders");
    order::carry_out(world, orders).expect("declared")
}

fn all(world: &mut World, since: Millis) -> Numbers {
    let now = world.now;
    numbers(world, &Scope::default(), since, now)
}

fn lost(world: &mut World, since: Millis) -> Vec<Loss> {
    let now = world.now;
    losses(world, &Scope::default(), since, now)
}

fn release(world: &mut World, image: &str) {
    let definition = define(world, image);
    let input = json!({"cluster": "main", "service": "web", "taskDefinition": definition});
    ok(world, "ecs", "UpdateService", input);
}

fn task(world: &mut World) -> Json {
    ok(world, "ecs", "ListTasks", json!({"cluster": "main"}))["taskArns"][0].clone()
}

#[test]
fn without_anything_declared_some_requests_come() {
    let (mut world, _, group, since) = stage("repo/web:v1");
    pass(&mut world, 10 * MINUTE);
    let found = all(&mut world, since);
    assert!(found.sent.abs_diff(6_000) <= 4, "{found:?}");
    assert_eq!((found.served(), found.lost()), (found.sent, 0));
    let scope = Scope { group: Some(&group), ..Scope::default() };
    assert_eq!(numbers(&mut world, &scope, since, since + 10 * MINUTE), found);
}

#[test]
fn what_is_asked_in_parts_is_the_whole() {
    let (mut world, _, _, since) = stage("repo/web:errors");
    declare(&mut world, json!([{"rate": 33.3, "client_errors": 0.07}]));
    pass(&mut world, 7 * MINUTE + 123);
    let whole = all(&mut world, since);
    let mut parts = Numbers::default();
    let mut at = since;
    while at < world.now {
        let to = (at + 7_777).min(world.now);
        let part = numbers(&mut world, &Scope::default(), at, to);
        parts.sent += part.sent;
        parts.answered += part.answered;
        parts.client_errors += part.client_errors;
        for (cause, count) in part.failed {
            *parts.failed.entry(cause).or_default() += count;
        }
        at = to;
    }
    assert_eq!(parts, whole);
    assert!(whole.client_errors > 900 && whole.failed[&Cause::TargetError] > 6_000, "{whole:?}");
}

#[test]
fn a_rolling_update_loses_no_request() {
    let (mut world, _, _, since) = stage("repo/web:v1");
    declare(&mut world, json!([{"rate": 500}]));
    release(&mut world, "repo/web:v2");
    pass(&mut world, 10 * MINUTE);
    assert_eq!(lost(&mut world, since), []);
    assert!(all(&mut world, since).sent > 290_000);
}

#[test]
fn a_task_that_is_killed_loses_what_it_was_at() {
    let (mut world, _, group, since) = stage("repo/web:v1");
    declare(&mut world, json!([{"rate": 500}]));
    pass(&mut world, MINUTE);
    let zone = world.ecs.tasks.values().next().expect("a task").zone.clone();
    let at = world.now;
    crate::service::ecs::zone_lost(&mut world, &zone);
    pass(&mut world, 10 * MINUTE);
    let found = lost(&mut world, since);
    let causes: Vec<Cause> = found.iter().map(|loss| loss.cause).collect();
    assert_eq!(causes, [Cause::Reset, Cause::Unreachable], "{found:#?}");
    // Half of 500 a second, for the 50 ms that a request takes and the 5 s until the nodes know.
    assert!(found[0].requests.abs_diff(12) <= 1 && found[1].requests.abs_diff(1_250) <= 1, "{found:#?}");
    assert!(found.iter().all(|loss| loss.group.as_ref() == Some(&group) && loss.target.is_some()));
    assert_eq!(found[1].from, at);
    assert_eq!(found[0].why.as_deref(), Some("the target was terminated while it answered"));
}

#[test]
fn a_task_that_is_stopped_drains_first() {
    let (mut world, _, _, since) = stage("repo/web:v1");
    declare(&mut world, json!([{"rate": 500}]));
    let task = task(&mut world);
    ok(&mut world, "ecs", "StopTask", json!({"cluster": "main", "task": task}));
    pass(&mut world, 10 * MINUTE);
    assert_eq!(lost(&mut world, since), []);
}

#[test]
fn without_a_delay_deregistration_loses_requests() {
    let (mut world, _, group, since) = stage("repo/web:v1");
    declare(&mut world, json!([{"rate": 500}]));
    let none = json!([{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}]);
    let input = json!({"TargetGroupArn": group, "Attributes": none});
    ok(&mut world, "elasticloadbalancing", "ModifyTargetGroupAttributes", input);
    release(&mut world, "repo/web:v2");
    pass(&mut world, 10 * MINUTE);
    let found = lost(&mut world, since);
    assert!(found.iter().any(|loss| loss.cause == Cause::Refused), "{found:#?}");
    assert!(found.iter().all(|loss| loss.why.is_some()));
}

#[test]
fn with_no_target_requests_get_a_503() {
    let (mut world, _, group, since) = stage("repo/web:v1");
    ok(&mut world, "ecs", "UpdateService", json!({"cluster": "main", "service": "web", "desiredCount": 0}));
    pass(&mut world, 5 * MINUTE);
    let found = all(&mut world, since);
    let gone = found.failed[&Cause::NoTarget];
    // The tasks are deregistered within seconds, and known to be so five seconds later.
    assert!((2_850..2_950).contains(&gone), "{found:?}");
    assert_eq!(found.served() + gone, found.sent);
    let loss = lost(&mut world, since).pop().expect("a loss");
    assert_eq!((loss.cause, loss.group, loss.target), (Cause::NoTarget, Some(group), None));
}

#[test]
fn a_bad_release_fails_its_share() {
    let (mut world, _, _, since) = stage("repo/web:v1");
    release(&mut world, "repo/web:errors");
    pass(&mut world, 10 * MINUTE);
    let then = world.now;
    pass(&mut world, 10 * MINUTE);
    let found = all(&mut world, then);
    let errors = found.failed[&Cause::TargetError];
    assert!(errors.abs_diff(3_000) <= 3, "{found:?}");
    let early = numbers(&mut world, &Scope::default(), since, since + 30 * SECOND);
    assert_eq!(early.lost(), 0);
}

#[test]
fn unhealthy_targets_get_everything_where_none_is_healthy() {
    let (mut world, _, _, since) = stage("repo/web:v1");
    let fault = json!([{"fault": "unhealthy-targets", "group": "web", "for": "3m"}]);
    let orders = serde_json::from_value(fault).expect("an order");
    crate::faults::script::carry_out(&mut world, orders).expect("declared");
    pass(&mut world, 2 * MINUTE);
    // The application answers all the while; ECS starts to replace its tasks.
    let found = all(&mut world, since);
    assert_eq!(found.lost(), 0, "{:#?}", lost(&mut world, since));
}

fn rule(world: &mut World, listener: &Json, priority: i64, action: Json) -> String {
    let made = ok(
        world,
        "elasticloadbalancing",
        "CreateRule",
        json!({
            "ListenerArn": listener, "Priority": priority, "Actions": [action],
            "Conditions": [{"Field": "path-pattern", "Values": [format!("/{priority}")]}],
        }),
    );
    made["Rules"][0]["RuleArn"].as_str().expect("an ARN").to_owned()
}

fn listener(world: &mut World) -> Json {
    let balancer = world.elbv2.balancers.keys().next().expect("one").clone();
    let input = json!({"LoadBalancerArn": balancer});
    ok(world, "elasticloadbalancing", "DescribeListeners", input)["Listeners"][0]["ListenerArn"].clone()
}

#[test]
fn redirects_and_fixed_responses_are_the_balancers_own() {
    let (mut world, _, _, _) = stage("repo/web:v1");
    let listener = listener(&mut world);
    let fixed =
        |status: &str| json!({"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": status}});
    let redirect = json!({"Type": "redirect", "RedirectConfig": {"Port": "443", "StatusCode": "HTTP_301"}});
    let sorry = rule(&mut world, &listener, 1, fixed("503"));
    let missing = rule(&mut world, &listener, 2, fixed("404"));
    let moved = rule(&mut world, &listener, 3, redirect);
    let since = world.now;
    pass(&mut world, MINUTE);
    let mut of = |rule: &str| {
        numbers(&mut world, &Scope { rule: Some(rule), ..Scope::default() }, since, since + MINUTE)
    };
    assert_eq!((of(&missing).own, of(&moved).own), (600, 600));
    assert_eq!((of(&sorry).own, of(&sorry).failed[&Cause::FixedResponse]), (0, 600));
}

/// A second group with a target of its own, which always answers: a server that is no task.
fn second_group(world: &mut World, net: &Net, name: &str) -> String {
    let input = json!({
        "Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": net.vpc, "TargetType": "instance",
        "HealthCheckIntervalSeconds": 10, "HealthyThresholdCount": 2,
    });
    let made = ok(world, "elasticloadbalancing", "CreateTargetGroup", input);
    let group = made["TargetGroups"][0]["TargetGroupArn"].as_str().expect("an ARN").to_owned();
    let images = ok(world, "ec2", "DescribeImages", json!({"Owners": ["amazon"]}));
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "#!/bin/sh\nnginx\n");
    let launched = ok(
        world,
        "ec2",
        "RunInstances",
        json!({
            "ImageId": images["Images"][0]["ImageId"], "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1,
            "SubnetId": net.subnets[0], "UserData": data,
        }),
    );
    let id = launched["Instances"][0]["InstanceId"].clone();
    pass(world, 2 * MINUTE);
    let input = json!({"TargetGroupArn": group, "Targets": [{"Id": id}]});
    ok(world, "elasticloadbalancing", "RegisterTargets", input);
    group
}

fn forward(listener: &Json, weights: &[(&str, i64)], sticky: bool) -> Json {
    let groups: Vec<Json> =
        weights.iter().map(|(group, weight)| json!({"TargetGroupArn": group, "Weight": weight})).collect();
    let mut config = json!({"TargetGroups": groups});
    if sticky {
        config["TargetGroupStickinessConfig"] = json!({"Enabled": true, "DurationSeconds": 200});
    }
    json!({"ListenerArn": listener, "DefaultActions": [{"Type": "forward", "ForwardConfig": config}]})
}

#[test]
fn weights_part_the_requests() {
    let (mut world, net, blue, _) = stage("repo/web:v1");
    let green = second_group(&mut world, &net, "green");
    let listener = listener(&mut world);
    let weights = forward(&listener, &[(&blue, 3), (&green, 1)], false);
    ok(&mut world, "elasticloadbalancing", "ModifyListener", weights);
    pass(&mut world, 2 * MINUTE);
    let since = world.now;
    pass(&mut world, 10 * MINUTE);
    let mut of =
        |group: &str| numbers(&mut world, &Scope { group: Some(group), ..Scope::default() }, since, i64::MAX);
    let (blue, green) = (of(&blue), of(&green));
    assert!(blue.sent.abs_diff(4_500) <= 3 && green.sent.abs_diff(1_500) <= 3, "{blue:?} {green:?}");
    assert_eq!((blue.lost(), green.lost()), (0, 0));
}

#[test]
fn sessions_stay_in_their_group_while_they_last() {
    let (mut world, net, blue, _) = stage("repo/web:v1");
    let green = second_group(&mut world, &net, "green");
    let listener = listener(&mut world);
    let shift = |world: &mut World, weights: [(&str, i64); 2]| {
        ok(world, "elasticloadbalancing", "ModifyListener", forward(&listener, &weights, true));
    };
    shift(&mut world, [(&blue, 1), (&green, 0)]);
    pass(&mut world, 10 * MINUTE);
    shift(&mut world, [(&blue, 0), (&green, 1)]);
    let since = world.now;
    pass(&mut world, 10 * MINUTE);
    let scope = Scope { group: Some(&blue), ..Scope::default() };
    let early = numbers(&mut world, &scope, since, since + 20 * SECOND);
    let late = numbers(&mut world, &scope, since + 200 * SECOND, i64::MAX);
    assert!(early.sent > 150, "{early:?}");
    assert_eq!(late.sent, 0);
}

#[test]
fn a_new_target_warms_up_in_slow_start() {
    let (mut world, _, group, _) = stage("repo/web:v1");
    let slow = json!([{"Key": "slow_start.duration_seconds", "Value": "100"}]);
    let input = json!({"TargetGroupArn": group, "Attributes": slow});
    ok(&mut world, "elasticloadbalancing", "ModifyTargetGroupAttributes", input);
    pass(&mut world, 5 * MINUTE);
    let before: Vec<String> = world.elbv2.groups[&group].targets.keys().cloned().collect();
    ok(&mut world, "ecs", "UpdateService", json!({"cluster": "main", "service": "web", "desiredCount": 3}));
    let since = world.now;
    pass(&mut world, 10 * MINUTE);
    let new =
        world.elbv2.groups[&group].targets.keys().find(|key| !before.contains(key)).expect("new").clone();
    let scope = Scope { target: Some(&new), ..Scope::default() };
    let first =
        (since..).step_by(1_000).find(|at| numbers(&mut world, &scope, since, *at).sent > 0).expect("some");
    let early = numbers(&mut world, &scope, first, first + 20 * SECOND).sent;
    let late = numbers(&mut world, &scope, first + 200 * SECOND, first + 220 * SECOND).sent;
    assert!(early * 3 < late && late > 60, "{early} {late}");
}

#[test]
fn a_test_listener_gets_what_is_declared_for_it() {
    let (mut world, _, group, since) = stage("repo/web:v1");
    let balancer = world.elbv2.balancers.keys().next().expect("one").clone();
    ok(
        &mut world,
        "elasticloadbalancing",
        "CreateListener",
        json!({
            "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": 8080,
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
        }),
    );
    pass(&mut world, MINUTE);
    assert!(all(&mut world, since).sent.abs_diff(600) <= 2);
    let told = declare(&mut world, json!([{"port": 8080, "rate": 1, "after": "1m", "for": "1m"}]));
    assert_eq!(told[0], "  1  in 1m, for 1m: 1 requests/s to each rule of load balancer * on port 8080");
    pass(&mut world, 10 * MINUTE);
    assert!(all(&mut world, since).sent.abs_diff(11 * 600 + 60) <= 4);
    assert_eq!(order::told(&world).len(), 1);
}

#[test]
fn an_order_that_makes_no_sense_declares_nothing() {
    let (mut world, ..) = world_of_nothing();
    let wrong =
        |order: Json| serde_json::from_value::<Order>(order).map(|_| ()).expect_err("refused").to_string();
    assert!(wrong(json!({"rate": 1, "prot": 80})).contains("prot"));
    assert!(wrong(json!({"balancer": "x"})).contains("rate"));
    let order = Order::try_from(json!({"rate": -1.0})).expect("read");
    assert!(order::carry_out(&mut world, vec![order]).is_err());
    assert!(world.traffic.streams().is_empty());
}

fn world_of_nothing() -> (World, Net) {
    world()
}

#[test]
fn a_world_that_was_saved_counts_on() {
    let (mut world, _, _, since) = stage("repo/web:v1");
    declare(&mut world, json!([{"rate": 12.5}]));
    pass(&mut world, MINUTE);
    let text = serde_json::to_string(&world).expect("saved");
    let mut again: World = serde_json::from_str(&text).expect("read");
    for one in [&mut world, &mut again] {
        drop(call(
            one,
            "ecs",
            "UpdateService",
            json!({"cluster": "main", "service": "web", "desiredCount": 3}),
        ));
        pass(one, 10 * MINUTE);
    }
    assert_eq!(all(&mut world, since), all(&mut again, since));
}

#[test]
fn books_that_do_not_add_up_are_noticed() {
    let (mut world, _, group, _) = stage("repo/web:v1");
    assert_eq!(numbers::broken(&world), Vec::<String>::new());
    world.traffic.groups.get_mut(&group).expect("a course").weight = 3.0;
    assert!(numbers::broken(&world).join("").contains("weigh 2, their group 3"));
    let (mut world, _, group, _) = stage("repo/web:v1");
    let course = world.traffic.groups.get_mut(&group).expect("a course");
    let first = course.spells.keys().next().expect("a target").clone();
    course.spells.remove(&first);
    assert!(numbers::broken(&world).join("").contains("requests came by"));
}

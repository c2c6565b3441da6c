//! Blue/green, linear and canary deployments over virtual time: each walked to its end, and each way in which
//! one can fail.

use super::tests::{Net, call, define, ok, pass, service, world};
use crate::World;
use crate::world::{MINUTE, SECOND};
use serde_json::{Value as Json, json};

const ELB: &str = "elasticloadbalancing";

pub struct Stand {
    pub world: World,
    net: Net,
    pub blue: String,
    pub green: String,
    pub rule: String,
    test: String,
    role: String,
}

fn group(world: &mut World, net: &Net, name: &str) -> String {
    let input = json!({
        "Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": net.vpc, "TargetType": "ip",
        "HealthCheckIntervalSeconds": 10, "HealthyThresholdCount": 2, "HealthCheckPath": "/health",
    });
    let arn = ok(world, ELB, "CreateTargetGroup", input)["TargetGroups"][0]["TargetGroupArn"].clone();
    let delay = json!([{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]);
    ok(world, ELB, "ModifyTargetGroupAttributes", json!({"TargetGroupArn": arn, "Attributes": delay}));
    arn.as_str().expect("an ARN").to_owned()
}

fn rule(world: &mut World, listener: &Json, priority: i64, path: &str, groups: &[(&str, i64)]) -> String {
    let groups: Vec<Json> =
        groups.iter().map(|(arn, weight)| json!({"TargetGroupArn": arn, "Weight": weight})).collect();
    let input = json!({
        "ListenerArn": listener, "Priority": priority,
        "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}],
        "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
    });
    ok(world, ELB, "CreateRule", input)["Rules"][0]["RuleArn"].as_str().expect("an ARN").to_owned()
}

fn role(world: &mut World, name: &str, service: &str) -> String {
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"},
    ]});
    let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
    ok(world, "iam", "CreateRole", input)["Role"]["Arn"].as_str().expect("an ARN").to_owned()
}

pub fn stand() -> Stand {
    let (mut world, net) = world();
    let input = json!({"Name": "web", "Subnets": net.subnets});
    let balancer = ok(&mut world, ELB, "CreateLoadBalancer", input)["LoadBalancers"][0].clone();
    let (blue, green) = (group(&mut world, &net, "blue"), group(&mut world, &net, "green"));
    let input = json!({
        "LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "HTTP", "Port": 80,
        "DefaultActions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    });
    let listener = ok(&mut world, ELB, "CreateListener", input)["Listeners"][0]["ListenerArn"].clone();
    let production = rule(&mut world, &listener, 20, "/*", &[(&blue, 1), (&green, 0)]);
    let test = rule(&mut world, &listener, 10, "/test/*", &[(&blue, 1), (&green, 0)]);
    let role = role(&mut world, "shift", "ecs.amazonaws.com");
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    pass(&mut world, 3 * MINUTE);
    Stand { world, net, blue, green, rule: production, test, role }
}

impl Stand {
    fn balancer(&self) -> Json {
        json!({
            "targetGroupArn": self.blue, "containerName": "web", "containerPort": 8080,
            "advancedConfiguration": {
                "alternateTargetGroupArn": self.green, "productionListenerRule": self.rule,
                "testListenerRule": self.test, "roleArn": self.role,
            },
        })
    }

    fn creation(&mut self, configuration: Json) -> Json {
        let definition = define(&mut self.world, "repo/web:v1");
        json!({
            "cluster": "main", "serviceName": "web", "taskDefinition": definition, "desiredCount": 2,
            "launchType": "FARGATE", "healthCheckGracePeriodSeconds": 30,
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": self.net.subnets}},
            "loadBalancers": [self.balancer()],
            "deploymentConfiguration": configuration,
        })
    }

    /// A service of version 1 whose first deployment has ended well.
    pub fn serve(&mut self, configuration: Json) {
        let input = self.creation(configuration);
        ok(&mut self.world, "ecs", "CreateService", input);
        pass(&mut self.world, 8 * MINUTE);
        assert_eq!(self.record()["status"], "SUCCESSFUL", "{}", self.record());
    }

    pub fn update(&mut self, image: &str) {
        let definition = define(&mut self.world, image);
        let input = json!({"cluster": "main", "service": "web", "taskDefinition": definition});
        ok(&mut self.world, "ecs", "UpdateService", input);
    }

    pub fn record(&mut self) -> Json {
        let list = ok(
            &mut self.world,
            "ecs",
            "ListServiceDeployments",
            json!({"cluster": "main", "service": "web"}),
        );
        let arn = list["serviceDeployments"][0]["serviceDeploymentArn"].clone();
        let input = json!({"serviceDeploymentArns": [arn]});
        ok(&mut self.world, "ecs", "DescribeServiceDeployments", input)["serviceDeployments"][0].clone()
    }

    fn weights(&mut self, rule: &str) -> (i64, i64) {
        let answer = ok(&mut self.world, ELB, "DescribeRules", json!({"RuleArns": [rule]}));
        let groups = answer["Rules"][0]["Actions"][0]["ForwardConfig"]["TargetGroups"].clone();
        let of = |arn: &str| {
            let list = groups.as_array().expect("groups").iter();
            let weight = |one: &Json| one["Weight"].as_i64().expect("a weight");
            list.filter(|one| one["TargetGroupArn"] == arn).map(weight).sum()
        };
        (of(&self.blue), of(&self.green))
    }

    fn healthy(&mut self, group: &str) -> usize {
        let answer = ok(&mut self.world, ELB, "DescribeTargetHealth", json!({"TargetGroupArn": group}));
        let list = answer["TargetHealthDescriptions"].as_array().expect("a list").clone();
        list.iter().filter(|one| one["TargetHealth"]["State"] == "healthy").count()
    }

    /// Stages and production weights as they follow each other. At no time may a group get requests that has
    /// fewer healthy targets than the service wants.
    fn walk(&mut self, minutes: i64) -> Vec<(String, (i64, i64))> {
        let mut seen: Vec<(String, (i64, i64))> = Vec::new();
        for _ in 0..minutes * 30 {
            pass(&mut self.world, 2 * SECOND);
            let rule = self.rule.clone();
            let now = self.weights(&rule);
            for (group, weight) in [(self.blue.clone(), now.0), (self.green.clone(), now.1)] {
                assert!(weight == 0 || self.healthy(&group) >= 2, "{now:?} {seen:?}");
            }
            let record = self.record();
            let stage = record["lifecycleStage"].as_str().unwrap_or("-").to_owned();
            if seen.last().map(|(last, weights)| (last, weights)) != Some((&stage, &now)) {
                seen.push((stage, now));
            }
            if record["finishedAt"].is_string() {
                break;
            }
        }
        seen
    }

    fn messages(&mut self) -> String {
        let now = service(&mut self.world);
        let events = now["events"].as_array().expect("events").iter();
        events.map(|event| event["message"].as_str().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    }

    /// The group of the newest deployment's target, as its revision says.
    fn resolved(&mut self) -> String {
        let target = self.record()["targetServiceRevision"]["arn"].clone();
        let input = json!({"serviceRevisionArns": [target]});
        let answer = ok(&mut self.world, "ecs", "DescribeServiceRevisions", input);
        let found = &answer["serviceRevisions"][0]["resolvedConfiguration"]["loadBalancers"][0];
        assert_eq!(found["productionListenerRule"], json!(self.rule));
        found["targetGroupArn"].as_str().expect("a group").to_owned()
    }

    /// Back where it was: blue serves alone, and nothing of the new revision is left.
    fn is_back(&mut self, image: &str) {
        let (rule, blue, green) = (self.rule.clone(), self.blue.clone(), self.green.clone());
        assert_eq!(self.weights(&rule), (100, 0));
        assert_eq!((self.healthy(&blue), self.healthy(&green)), (2, 0));
        let record = self.record();
        assert_eq!(record["status"], "ROLLBACK_SUCCESSFUL", "{record}");
        assert_eq!(record["targetServiceRevision"]["requestedProductionTrafficWeight"], 0.0);
        assert_eq!(record["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"], 100.0);
        let now = service(&mut self.world);
        assert_eq!(now["deployments"].as_array().map(Vec::len), Some(1), "{now}");
        assert_eq!(now["runningCount"], 2);
        let definition = now["taskDefinition"].clone();
        let answer =
            ok(&mut self.world, "ecs", "DescribeTaskDefinition", json!({"taskDefinition": definition}));
        assert_eq!(answer["taskDefinition"]["containerDefinitions"][0]["image"], image);
    }
}

fn blue_green(bake: i64) -> Json {
    json!({
        "strategy": "BLUE_GREEN", "bakeTimeInMinutes": bake,
        "deploymentCircuitBreaker": {"enable": true, "rollback": true},
    })
}

fn stages(seen: &[(String, (i64, i64))]) -> Vec<&str> {
    let mut list: Vec<&str> = seen.iter().map(|(stage, _)| stage.as_str()).collect();
    list.dedup();
    list
}

fn shares(seen: &[(String, (i64, i64))]) -> Vec<i64> {
    let mut list: Vec<i64> = seen.iter().map(|(_, (_, green))| *green).collect();
    list.dedup();
    list
}

#[test]
fn blue_green_passes_every_stage_and_moves_traffic_at_once() {
    let mut stand = stand();
    stand.serve(blue_green(3));
    let (rule, test) = (stand.rule.clone(), stand.test.clone());
    assert_eq!(stand.weights(&rule), (100, 0));
    assert_eq!(stand.resolved(), stand.blue);
    stand.update("repo/web:v2");
    let seen = stand.walk(20);
    assert_eq!(
        stages(&seen),
        [
            "PRE_SCALE_UP",
            "SCALE_UP",
            "POST_SCALE_UP",
            "TEST_TRAFFIC_SHIFT",
            "POST_TEST_TRAFFIC_SHIFT",
            "PRE_PRODUCTION_TRAFFIC_SHIFT",
            "PRODUCTION_TRAFFIC_SHIFT",
            "POST_PRODUCTION_TRAFFIC_SHIFT",
            "BAKE_TIME",
            "CLEAN_UP",
        ]
    );
    assert_eq!(shares(&seen), [0, 100]);
    let record = stand.record();
    assert_eq!(record["status"], "SUCCESSFUL");
    assert_eq!(record["targetServiceRevision"]["requestedProductionTrafficWeight"], 100.0);
    assert_eq!(stand.weights(&test), (0, 100));
    assert_eq!(stand.resolved(), stand.green);
    let (blue, green) = (stand.blue.clone(), stand.green.clone());
    pass(&mut stand.world, MINUTE);
    assert_eq!((stand.healthy(&blue), stand.healthy(&green)), (0, 2));
    // The next one goes the other way.
    stand.update("repo/web:v3");
    assert_eq!(shares(&stand.walk(20)), [100, 0]);
    assert_eq!(stand.resolved(), stand.blue);
    assert_eq!(service(&mut stand.world)["loadBalancers"][0]["targetGroupArn"], json!(stand.blue));
}

#[test]
fn the_old_tasks_stay_for_the_bake_time() {
    let mut stand = stand();
    stand.serve(blue_green(10));
    stand.update("repo/web:v2");
    while stand.record()["lifecycleStage"] != "BAKE_TIME" {
        pass(&mut stand.world, 2 * SECOND);
    }
    pass(&mut stand.world, 9 * MINUTE);
    let record = stand.record();
    assert_eq!(record["lifecycleStage"], "BAKE_TIME");
    assert_eq!(record["sourceServiceRevisions"][0]["runningTaskCount"], 2);
    assert_eq!(record["sourceServiceRevisions"][0]["requestedTaskCount"], 2);
    assert_eq!(record["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"], 0.0);
    pass(&mut stand.world, 4 * MINUTE);
    assert_eq!(stand.record()["status"], "SUCCESSFUL");
}

#[test]
fn linear_moves_traffic_in_equal_steps() {
    let mut stand = stand();
    stand.serve(json!({
        "strategy": "LINEAR", "linearConfiguration": {"stepPercent": 30.0, "stepBakeTimeInMinutes": 2},
    }));
    stand.update("repo/web:v2");
    let began = stand.world.now;
    let seen = stand.walk(30);
    assert_eq!(shares(&seen), [0, 30, 60, 90, 100]);
    assert!(stand.world.now - began > 6 * MINUTE);
    // Hooks before a shift run before every step.
    let before = seen.iter().filter(|(stage, _)| stage == "PRE_PRODUCTION_TRAFFIC_SHIFT").count();
    assert_eq!(before, 4, "{seen:?}");
    assert_eq!(stand.record()["status"], "SUCCESSFUL");
}

#[test]
fn canary_moves_a_little_then_the_rest() {
    let mut stand = stand();
    stand.serve(json!({
        "strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.5, "canaryBakeTimeInMinutes": 4},
    }));
    stand.update("repo/web:v2");
    let seen = stand.walk(30);
    let weights: Vec<(i64, i64)> = seen.iter().map(|(_, weights)| *weights).collect();
    assert!(weights.contains(&(995, 5)), "{weights:?}");
    assert_eq!(weights.last(), Some(&(0, 100)));
    assert_eq!(stand.record()["status"], "SUCCESSFUL");
}

#[test]
fn an_image_that_crashes_never_gets_traffic_and_is_rolled_back() {
    for image in ["repo/web:crash", "repo/web:unhealthy"] {
        let mut stand = stand();
        stand.serve(blue_green(3));
        stand.update(image);
        let seen = stand.walk(40);
        assert_eq!(shares(&seen), [0], "{image}");
        stand.is_back("repo/web:v1");
        let record = stand.record();
        assert_eq!(record["deploymentCircuitBreaker"]["status"], "TRIGGERED");
        assert!(record["statusReason"].as_str().is_some_and(|text| text.contains("circuit breaker")));
        assert!(stand.messages().contains("rolling back to deployment"));
    }
}

fn ring(stand: &mut Stand) {
    let input = json!({"AlarmName": "errors", "StateValue": "ALARM", "StateReason": "test"});
    ok(&mut stand.world, "monitoring", "SetAlarmState", input);
}

#[test]
fn an_alarm_during_the_bake_brings_the_traffic_back_at_once() {
    let mut stand = stand();
    let input = json!({
        "AlarmName": "errors", "Namespace": "Own", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
    });
    ok(&mut stand.world, "monitoring", "PutMetricAlarm", input);
    let mut configuration = blue_green(30);
    configuration["alarms"] = json!({"alarmNames": ["errors"], "enable": true, "rollback": true});
    stand.serve(configuration);
    stand.update("repo/web:v2");
    while stand.record()["lifecycleStage"] != "BAKE_TIME" {
        pass(&mut stand.world, 2 * SECOND);
    }
    let rule = stand.rule.clone();
    assert_eq!(stand.weights(&rule), (0, 100));
    ring(&mut stand);
    pass(&mut stand.world, 31 * SECOND);
    assert_eq!(stand.record()["status"], "ROLLBACK_IN_PROGRESS");
    assert_eq!(stand.weights(&rule), (100, 0));
    stand.walk(10);
    stand.is_back("repo/web:v1");
    assert_eq!(stand.record()["alarms"]["triggeredAlarmNames"], json!(["errors"]));
}

fn with_hook(hook: Json) -> Json {
    let mut configuration = blue_green(1);
    configuration["lifecycleHooks"] = json!([hook]);
    configuration
}

fn function(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:123456789012:function:{name}")
}

#[test]
fn a_function_that_answers_later_holds_its_stage_and_lets_it_go() {
    let mut stand = stand();
    stand.serve(with_hook(json!({
        "hookTargetArn": function("retry"), "roleArn": "arn:aws:iam::123456789012:role/hook",
        "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
    })));
    stand.update("repo/web:v2");
    while stand.record()["lifecycleStage"] != "POST_TEST_TRAFFIC_SHIFT" {
        pass(&mut stand.world, 2 * SECOND);
    }
    pass(&mut stand.world, 50 * SECOND);
    let record = stand.record();
    assert_eq!(record["lifecycleStage"], "POST_TEST_TRAFFIC_SHIFT");
    assert_eq!(record["lifecycleHookDetails"][0]["status"], "IN_PROGRESS");
    assert_eq!(record["targetServiceRevision"]["requestedTestTrafficWeight"], 100.0);
    stand.walk(10);
    assert_eq!(stand.record()["status"], "SUCCESSFUL");
}

#[test]
fn a_function_that_fails_or_never_answers_rolls_back() {
    for (name, sign) in [("fail", "failed at"), ("hang", "timed out at")] {
        let mut stand = stand();
        stand.serve(blue_green(1));
        let hook = json!({
            "hookTargetArn": function(name), "roleArn": "arn:aws:iam::123456789012:role/hook",
            "lifecycleStages": ["POST_PRODUCTION_TRAFFIC_SHIFT"],
            "timeoutConfiguration": {"timeoutInMinutes": 5},
        });
        let input = json!({
            "cluster": "main", "service": "web", "deploymentConfiguration": {"lifecycleHooks": [hook]},
        });
        ok(&mut stand.world, "ecs", "UpdateService", input);
        stand.update("repo/web:v2");
        assert_eq!(shares(&stand.walk(30)), [0, 100, 0], "{name}");
        stand.is_back("repo/web:v1");
        let reason = stand.record()["statusReason"].clone();
        assert!(reason.as_str().is_some_and(|text| text.contains(sign)), "{reason}");
    }
}

fn paused(action: &str) -> Stand {
    let mut stand = stand();
    stand.serve(blue_green(1));
    let hook = json!({
        "targetType": "PAUSE", "lifecycleStages": ["PRE_PRODUCTION_TRAFFIC_SHIFT"],
        "timeoutConfiguration": {"timeoutInMinutes": 60, "action": action},
    });
    let input =
        json!({"cluster": "main", "service": "web", "deploymentConfiguration": {"lifecycleHooks": [hook]}});
    ok(&mut stand.world, "ecs", "UpdateService", input);
    stand.update("repo/web:v2");
    pass(&mut stand.world, 20 * MINUTE);
    let record = stand.record();
    assert_eq!(record["lifecycleStage"], "PRE_PRODUCTION_TRAFFIC_SHIFT");
    assert_eq!(record["lifecycleHookDetails"][0]["status"], "AWAITING_ACTION");
    assert_eq!(record["lifecycleHookDetails"][0]["timeoutAction"], action);
    stand
}

fn go_on(stand: &mut Stand, action: Option<&str>) {
    let record = stand.record();
    let mut input = json!({
        "serviceDeploymentArn": record["serviceDeploymentArn"],
        "hookId": record["lifecycleHookDetails"][0]["hookId"],
    });
    if let Some(action) = action {
        input["action"] = json!(action);
    }
    ok(&mut stand.world, "ecs", "ContinueServiceDeployment", input.clone());
    let again = call(&mut stand.world, "ecs", "ContinueServiceDeployment", input).unwrap_err();
    assert_eq!(again.code, "InvalidParameterException");
}

#[test]
fn a_pause_waits_for_a_person() {
    let mut stand = paused("ROLLBACK");
    let rule = stand.rule.clone();
    assert_eq!(stand.weights(&rule), (100, 0));
    go_on(&mut stand, None);
    assert_eq!(stand.walk(10).last().map(|(_, weights)| *weights), Some((0, 100)));
    assert_eq!(stand.record()["status"], "SUCCESSFUL");
}

#[test]
fn a_person_can_send_a_paused_deployment_back() {
    let mut stand = paused("CONTINUE");
    go_on(&mut stand, Some("ROLLBACK"));
    stand.walk(10);
    stand.is_back("repo/web:v1");
}

#[test]
fn a_pause_nobody_ends_does_what_its_timeout_says() {
    let mut stand = paused("CONTINUE");
    stand.walk(60);
    assert_eq!(stand.record()["status"], "SUCCESSFUL");
    let mut stand = paused("ROLLBACK");
    stand.walk(60);
    stand.is_back("repo/web:v1");
}

#[test]
fn stopping_at_any_stage_leads_back() {
    for stage in ["SCALE_UP", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME"] {
        let mut stand = stand();
        stand.serve(json!({
            "strategy": "CANARY", "bakeTimeInMinutes": 5,
            "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 5},
        }));
        stand.update("repo/web:v2");
        while stand.record()["lifecycleStage"] != stage {
            pass(&mut stand.world, SECOND);
        }
        let arn = stand.record()["serviceDeploymentArn"].clone();
        let input = json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"});
        ok(&mut stand.world, "ecs", "StopServiceDeployment", input.clone());
        let rule = stand.rule.clone();
        assert_eq!(stand.weights(&rule), (100, 0), "{stage}");
        stand.walk(10);
        stand.is_back("repo/web:v1");
        let refused = call(&mut stand.world, "ecs", "StopServiceDeployment", input).unwrap_err();
        assert_eq!(refused.code, "ConflictException");
    }
}

#[test]
fn what_is_being_cleaned_up_can_no_longer_be_stopped() {
    let mut stand = stand();
    stand.serve(blue_green(0));
    stand.update("repo/web:v2");
    while stand.record()["lifecycleStage"] != "CLEAN_UP" {
        pass(&mut stand.world, SECOND);
    }
    let input = json!({"serviceDeploymentArn": stand.record()["serviceDeploymentArn"]});
    let refused = call(&mut stand.world, "ecs", "StopServiceDeployment", input).unwrap_err();
    assert_eq!(refused.code, "ConflictException");
    stand.walk(10);
    assert_eq!(stand.record()["status"], "SUCCESSFUL");
}

#[test]
fn a_network_balancer_is_shifted_at_its_listener() {
    let mut stand = stand();
    let input = json!({"Name": "net", "Type": "network", "Subnets": stand.net.subnets});
    let balancer = ok(&mut stand.world, ELB, "CreateLoadBalancer", input)["LoadBalancers"][0].clone();
    let mut groups = Vec::new();
    for name in ["net-blue", "net-green"] {
        let input = json!({
            "Name": name, "Protocol": "TCP", "Port": 80, "VpcId": stand.net.vpc, "TargetType": "ip",
            "HealthCheckIntervalSeconds": 10,
        });
        let made = ok(&mut stand.world, ELB, "CreateTargetGroup", input);
        groups.push(made["TargetGroups"][0]["TargetGroupArn"].as_str().expect("an ARN").to_owned());
    }
    let input = json!({
        "LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "TCP", "Port": 80,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": groups[0]}],
    });
    let listener = ok(&mut stand.world, ELB, "CreateListener", input)["Listeners"][0]["ListenerArn"].clone();
    pass(&mut stand.world, 3 * MINUTE);
    stand.rule = listener.as_str().expect("an ARN").to_owned();
    (stand.blue, stand.green) = (groups[0].clone(), groups[1].clone());
    let mut input = stand.creation(blue_green(1));
    if let Some(map) = input["loadBalancers"][0]["advancedConfiguration"].as_object_mut() {
        map.remove("testListenerRule");
    }
    ok(&mut stand.world, "ecs", "CreateService", input);
    pass(&mut stand.world, 10 * MINUTE);
    assert_eq!(stand.record()["status"], "SUCCESSFUL");
    let listener = |stand: &mut Stand| {
        let input = json!({"ListenerArns": [stand.rule]});
        let answer = ok(&mut stand.world, ELB, "DescribeListeners", input);
        answer["Listeners"][0]["DefaultActions"][0]["ForwardConfig"]["TargetGroups"].clone()
    };
    assert_eq!(listener(&mut stand)[0]["Weight"], 100);
    stand.update("repo/web:v2");
    pass(&mut stand.world, 10 * MINUTE);
    assert_eq!(stand.record()["status"], "SUCCESSFUL");
    assert_eq!(stand.resolved(), stand.green);
    let now = listener(&mut stand);
    assert_eq!((&now[0]["Weight"], &now[1]["Weight"]), (&json!(0), &json!(100)));
}

#[test]
fn a_newer_deployment_reconciles_before_it_scales_up() {
    let mut stand = stand();
    stand.serve(blue_green(20));
    stand.update("repo/web:v2");
    while stand.record()["lifecycleStage"] != "BAKE_TIME" {
        pass(&mut stand.world, 2 * SECOND);
    }
    let first = stand.record()["serviceDeploymentArn"].clone();
    stand.update("repo/web:v3");
    let seen = stand.walk(40);
    assert_eq!(stages(&seen)[..2], ["RECONCILE_SERVICE", "PRE_SCALE_UP"]);
    assert_eq!(shares(&seen), [0, 100]);
    assert_eq!(stand.record()["status"], "SUCCESSFUL");
    let input = json!({"serviceDeploymentArns": [first]});
    let answer = ok(&mut stand.world, "ecs", "DescribeServiceDeployments", input);
    assert_eq!(answer["serviceDeployments"][0]["status"], "STOPPED");
}

#[test]
fn a_service_without_balancers_goes_the_same_way() {
    let mut stand = stand();
    let mut input = stand.creation(blue_green(2));
    input["loadBalancers"] = json!([]);
    if let Some(map) = input.as_object_mut() {
        map.remove("healthCheckGracePeriodSeconds");
    }
    ok(&mut stand.world, "ecs", "CreateService", input);
    pass(&mut stand.world, 8 * MINUTE);
    stand.update("repo/web:v2");
    let mut most = 0;
    for _ in 0..120 {
        pass(&mut stand.world, 5 * SECOND);
        most = most.max(service(&mut stand.world)["runningCount"].as_i64().unwrap_or(0));
    }
    assert_eq!(most, 4, "both revisions stand side by side");
    assert_eq!(stand.record()["status"], "SUCCESSFUL");
    assert_eq!(service(&mut stand.world)["runningCount"], 2);
}

#[test]
fn a_rolling_service_becomes_blue_green_by_an_update() {
    let mut stand = stand();
    stand.serve(json!({"strategy": "ROLLING"}));
    let input = json!({"cluster": "main", "service": "web", "deploymentConfiguration": blue_green(1)});
    ok(&mut stand.world, "ecs", "UpdateService", input);
    stand.update("repo/web:v2");
    let seen = stand.walk(20);
    assert_eq!(shares(&seen), [0, 100]);
    // And back: tasks stay in the group that serves.
    let input = json!({
        "cluster": "main", "service": "web", "deploymentConfiguration": {"strategy": "ROLLING"},
    });
    ok(&mut stand.world, "ecs", "UpdateService", input);
    stand.update("repo/web:v3");
    assert_eq!(shares(&stand.walk(20)), [100]);
    assert_eq!(stand.resolved(), stand.green);
}

#[test]
fn what_traffic_needs_is_checked_before_anything_starts() {
    let mut stand = stand();
    let bad_role = role(&mut stand.world, "other", "ec2.amazonaws.com");
    let full = stand.creation(blue_green(0));
    let listener = stand.rule.replacen(":listener-rule/", ":listener/", 1);
    let listener = json!(listener.rsplit_once('/').expect("a path").0);
    let blue = stand.blue.clone();
    let lonely = rule(&mut stand.world, &listener, 30, "/lonely", &[(&blue, 1)]);
    let redirect = ok(
        &mut stand.world,
        ELB,
        "CreateRule",
        json!({
            "ListenerArn": listener, "Priority": 31,
            "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/redirect"]}}],
            "Actions": [{"Type": "redirect", "RedirectConfig": {"Path": "/", "StatusCode": "HTTP_301"}}],
        }),
    )["Rules"][0]["RuleArn"]
        .clone();
    let cases = [
        ("roleArn", json!(bad_role), "assume the role"),
        ("productionListenerRule", json!(lonely), "must forward to the target groups"),
        ("productionListenerRule", redirect, "only forward actions"),
        ("productionListenerRule", json!(format!("{}0", stand.rule)), "does not exist"),
        ("alternateTargetGroupArn", json!(stand.blue), "must be different"),
        ("alternateTargetGroupArn", Json::Null, "must contain alternateTargetGroupArn"),
    ];
    for (name, value, sign) in cases {
        let mut input = full.clone();
        input["loadBalancers"][0]["advancedConfiguration"][name] = value;
        let error = call(&mut stand.world, "ecs", "CreateService", input).unwrap_err();
        assert!(error.message.contains(sign), "{name}: {}", error.message);
    }
    let mut input = full;
    input["loadBalancers"][0]["advancedConfiguration"] = Json::Null;
    let error = call(&mut stand.world, "ecs", "CreateService", input.clone()).unwrap_err();
    assert!(error.message.starts_with("advancedConfiguration field is required"), "{}", error.message);
    input["deploymentConfiguration"] =
        json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.0}});
    let error = call(&mut stand.world, "ecs", "CreateService", input).unwrap_err();
    assert!(error.message.contains("stepPercent"), "{}", error.message);
}

#[test]
fn a_saved_world_goes_on_in_the_middle_of_a_shift() {
    let mut stand = stand();
    stand.serve(json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 50.0}}));
    stand.update("repo/web:v2");
    while stand.record()["lifecycleStage"] != "PRODUCTION_TRAFFIC_SHIFT" {
        pass(&mut stand.world, 2 * SECOND);
    }
    let saved = serde_json::to_string(&stand.world).expect("saved");
    stand.world = serde_json::from_str(&saved).expect("loaded");
    assert_eq!(shares(&stand.walk(20)), [50, 100]);
    assert_eq!(stand.record()["status"], "SUCCESSFUL");
}

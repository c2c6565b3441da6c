//! Deployments of an ECS service over virtual time.

use super::*;
use crate::service::call;
use crate::service::ecs::tests::{define, ok, pass, world as net_world};
use crate::world::{MINUTE, SECOND};

const ELB: &str = "elasticloadbalancing";

struct Stand {
    world: World,
    blue: String,
    green: String,
    production: String,
    test: String,
}

fn group(world: &mut World, vpc: &str, name: &str) -> String {
    let input = json!({
        "Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": vpc, "TargetType": "ip",
        "HealthCheckIntervalSeconds": 10, "HealthyThresholdCount": 2,
    });
    let arn = ok(world, ELB, "CreateTargetGroup", input)["TargetGroups"][0]["TargetGroupArn"].clone();
    let attributes = json!([{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}]);
    ok(world, ELB, "ModifyTargetGroupAttributes", json!({"TargetGroupArn": arn, "Attributes": attributes}));
    arn.as_str().expect("an ARN").to_owned()
}

fn role(world: &mut World, name: &str, service: &str) -> Json {
    let trust = json!({"Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"},
    ]});
    let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
    ok(world, "iam", "CreateRole", input)["Role"]["Arn"].clone()
}

fn function(world: &mut World, name: &str, tags: Json) {
    let role = world.arn("iam", "role/hooks");
    let input = json!({
        "FunctionName": name, "Role": role, "Runtime": "python3.13", "Handler": "a.b", "Tags": tags,
        "Code": {"ZipFile": "UEsFBg=="},
    });
    ok(world, "lambda", "CreateFunction", input);
}

/// A service with two tasks of version 1, and a deployment group for it.
fn stand(settings: Json) -> Stand {
    let (mut world, net) = net_world();
    let balancer = ok(&mut world, ELB, "CreateLoadBalancer", json!({"Name": "web", "Subnets": net.subnets}));
    let balancer = balancer["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let (blue, green) = (group(&mut world, &net.vpc, "blue"), group(&mut world, &net.vpc, "green"));
    let mut listener = |port: i64| {
        let input = json!({
            "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": port,
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": blue}],
        });
        let made = ok(&mut world, ELB, "CreateListener", input);
        made["Listeners"][0]["ListenerArn"].as_str().expect("an ARN").to_owned()
    };
    let (production, test) = (listener(80), listener(8080));
    pass(&mut world, 3 * MINUTE);
    let role_arn = role(&mut world, "deploy", "codedeploy.amazonaws.com");
    role(&mut world, "hooks", "lambda.amazonaws.com");
    let definition = define(&mut world, "repo/web:v1");
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    let input = json!({
        "cluster": "main", "serviceName": "web", "taskDefinition": definition, "desiredCount": 2,
        "launchType": "FARGATE", "deploymentController": {"type": "CODE_DEPLOY"},
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": net.subnets}},
        "loadBalancers": [{"targetGroupArn": blue, "containerName": "web", "containerPort": 8080}],
    });
    ok(&mut world, "ecs", "CreateService", input);
    pass(&mut world, 5 * MINUTE);
    ok(
        &mut world,
        "codedeploy",
        "CreateApplication",
        json!({"applicationName": "shop", "computePlatform": "ECS"}),
    );
    let mut group = json!({
        "applicationName": "shop", "deploymentGroupName": "web", "serviceRoleArn": role_arn,
        "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        "ecsServices": [{"serviceName": "web", "clusterName": "main"}],
        "blueGreenDeploymentConfiguration": {
            "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
            "terminateBlueInstancesOnDeploymentSuccess":
                {"action": "TERMINATE", "terminationWaitTimeInMinutes": 5},
        },
        "loadBalancerInfo": {"targetGroupPairInfoList": [{
            "targetGroups": [{"name": "blue"}, {"name": "green"}],
            "prodTrafficRoute": {"listenerArns": [production]},
            "testTrafficRoute": {"listenerArns": [test]},
        }]},
    });
    for (name, value) in settings.as_object().expect("an object") {
        group[name.as_str()] = value.clone();
    }
    ok(&mut world, "codedeploy", "CreateDeploymentGroup", group);
    Stand { world, blue, green, production, test }
}

impl Stand {
    fn deploy(&mut self, image: &str, hooks: Json) -> String {
        let definition = define(&mut self.world, image);
        let spec = json!({
            "version": 0.0,
            "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": {
                "TaskDefinition": definition,
                "LoadBalancerInfo": {"ContainerName": "web", "ContainerPort": 8080},
            }}}],
            "Hooks": hooks,
        });
        let input = json!({
            "applicationName": "shop", "deploymentGroupName": "web",
            "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": spec.to_string()}},
        });
        let made = ok(&mut self.world, "codedeploy", "CreateDeployment", input);
        made["deploymentId"].as_str().expect("an id").to_owned()
    }

    fn info(&mut self, id: &str) -> Json {
        ok(&mut self.world, "codedeploy", "GetDeployment", json!({"deploymentId": id}))["deploymentInfo"]
            .clone()
    }

    fn target(&mut self, id: &str) -> Json {
        let input = json!({"deploymentId": id, "targetId": "main:web"});
        ok(&mut self.world, "codedeploy", "GetDeploymentTarget", input)["deploymentTarget"]["ecsTarget"]
            .clone()
    }

    fn weights(&mut self, listener: &str) -> (i64, i64) {
        let answer = ok(&mut self.world, ELB, "DescribeListeners", json!({"ListenerArns": [listener]}));
        let groups = answer["Listeners"][0]["DefaultActions"][0]["ForwardConfig"]["TargetGroups"].clone();
        let of = |arn: &str| {
            let list = groups.as_array().expect("groups").iter().filter(|one| one["TargetGroupArn"] == arn);
            list.map(|one| one["Weight"].as_i64().unwrap_or(1)).sum()
        };
        (of(&self.blue), of(&self.green))
    }

    fn healthy(&mut self, group: &str) -> usize {
        let answer = ok(&mut self.world, ELB, "DescribeTargetHealth", json!({"TargetGroupArn": group}));
        let list = answer["TargetHealthDescriptions"].as_array().expect("a list").clone();
        list.iter().filter(|one| one["TargetHealth"]["State"] == "healthy").count()
    }

    /// Production shares of the green group as they follow each other, until the deployment is over. Whoever
    /// gets requests has both its targets healthy.
    fn watch(&mut self, id: &str, minutes: i64) -> Vec<i64> {
        let mut seen = Vec::new();
        for _ in 0..minutes * 30 {
            pass(&mut self.world, 2 * SECOND);
            let listener = self.production.clone();
            let (blue, green) = self.weights(&listener);
            for (group, weight) in [(self.blue.clone(), blue), (self.green.clone(), green)] {
                assert!(weight == 0 || self.healthy(&group) >= 2, "{seen:?} {blue} {green}");
            }
            let share = if blue + green == 0 { 0 } else { green * 100 / (blue + green) };
            if seen.last() != Some(&share) {
                seen.push(share);
            }
            if matches!(self.info(id)["status"].as_str(), Some("Succeeded" | "Failed" | "Stopped")) {
                break;
            }
        }
        seen
    }

    fn service(&mut self) -> Json {
        let input = json!({"cluster": "main", "services": ["web"]});
        ok(&mut self.world, "ecs", "DescribeServices", input)["services"][0].clone()
    }

    fn images(&mut self) -> Vec<String> {
        let sets = self.service()["taskSets"].as_array().expect("sets").clone();
        let mut images = Vec::new();
        for set in sets {
            let input = json!({"taskDefinition": set["taskDefinition"]});
            let definition =
                ok(&mut self.world, "ecs", "DescribeTaskDefinition", input)["taskDefinition"].clone();
            images
                .push(definition["containerDefinitions"][0]["image"].as_str().expect("an image").to_owned());
        }
        images
    }
}

#[test]
fn a_service_of_codedeploy_begins_with_one_task_set() {
    let mut stand = stand(json!({}));
    let service = stand.service();
    assert_eq!((&service["runningCount"], &service["deployments"]), (&json!(2), &json!([])));
    let set = &service["taskSets"][0];
    assert_eq!((&set["status"], &set["stabilityStatus"]), (&json!("PRIMARY"), &json!("STEADY_STATE")));
    let input = json!({"cluster": "main", "service": "web", "forceNewDeployment": true});
    let refused = call(&mut stand.world, "ecs", "UpdateService", &input).expect_err("CodeDeploy's");
    assert!(refused.message.starts_with("Unable to force a new deployment"), "{}", refused.message);
    ok(
        &mut stand.world,
        "ecs",
        "UpdateService",
        json!({"cluster": "main", "service": "web", "desiredCount": 3}),
    );
    pass(&mut stand.world, 3 * MINUTE);
    assert_eq!(stand.service()["runningCount"], 3);
}

#[test]
fn traffic_moves_at_once_and_the_old_task_set_goes_after_its_wait() {
    let mut stand = stand(json!({}));
    let id = stand.deploy("repo/web:v2", json!([]));
    assert_eq!(stand.info(&id)["status"], "Created");
    assert_eq!(stand.watch(&id, 20), [0, 100]);
    let info = stand.info(&id);
    assert_eq!(info["status"], "Succeeded", "{info}");
    assert_eq!(stand.images(), ["repo/web:v2"]);
    let service = stand.service();
    assert_eq!(
        (&service["runningCount"], &service["loadBalancers"][0]["targetGroupArn"]),
        (&json!(2), &json!(stand.green))
    );
    let target = stand.target(&id);
    let events: Vec<(&str, &str)> = target["lifecycleEvents"]
        .as_array()
        .expect("events")
        .iter()
        .map(|one| {
            (one.text("lifecycleEventName").unwrap_or_default(), one.text("status").unwrap_or_default())
        })
        .collect();
    let names = [
        "BeforeInstall",
        "Install",
        "AfterInstall",
        "AllowTestTraffic",
        "AfterAllowTestTraffic",
        "BeforeAllowTraffic",
        "AllowTraffic",
        "AfterAllowTraffic",
    ];
    assert_eq!(events, names.map(|name| (name, "Succeeded")));
    assert_eq!(target["taskSetsInfo"][0]["trafficWeight"], 100.0);
    // The next one goes the other way round.
    let id = stand.deploy("repo/web:v3", json!([]));
    assert_eq!(stand.watch(&id, 20), [100, 0]);
    assert_eq!(stand.info(&id)["status"], "Succeeded");
    assert_eq!(stand.images(), ["repo/web:v3"]);
}

#[test]
fn test_traffic_comes_first_and_production_in_steps() {
    let mut stand =
        stand(json!({"deploymentConfigName": "CodeDeployDefault.ECSLinear10PercentEvery1Minutes"}));
    function(&mut stand.world, "smoke", json!({"cutover:seconds": "120"}));
    let id = stand.deploy("repo/web:v2", json!([{"AfterAllowTestTraffic": "smoke"}]));
    pass(&mut stand.world, 2 * MINUTE);
    let (production, test) = (stand.production.clone(), stand.test.clone());
    assert_eq!((stand.weights(&production), stand.weights(&test)), ((100, 0), (0, 100)));
    assert_eq!(stand.target(&id)["lifecycleEvents"][4]["status"], "InProgress");
    assert_eq!(stand.watch(&id, 30), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    assert_eq!(stand.info(&id)["status"], "Succeeded");
}

fn rolls_back(on: &str) -> Json {
    json!({
        "deploymentConfigName": "CodeDeployDefault.ECSCanary10Percent5Minutes",
        "autoRollbackConfiguration": {"enabled": true, "events": [on]},
    })
}

/// After a rollback everything is as before.
fn is_back(stand: &mut Stand, id: &str) {
    let failed = stand.info(id);
    let back = failed["rollbackInfo"]["rollbackDeploymentId"].as_str().expect("a rollback").to_owned();
    pass(&mut stand.world, 3 * MINUTE);
    let info = stand.info(&back);
    assert_eq!((&info["status"], &info["creator"]), (&json!("Succeeded"), &json!("codeDeployRollback")));
    assert_eq!(info["rollbackInfo"]["rollbackTriggeringDeploymentId"], id);
    assert_eq!(stand.images(), ["repo/web:v1"]);
    let (production, test) = (stand.production.clone(), stand.test.clone());
    assert_eq!(stand.weights(&production).1, 0);
    assert_eq!(stand.weights(&test).1, 0);
    assert_eq!(stand.service()["runningCount"], 2);
}

#[test]
fn a_failing_hook_rolls_back() {
    let mut stand = stand(rolls_back("DEPLOYMENT_FAILURE"));
    function(&mut stand.world, "gate", json!({"cutover:answers": "FAILED"}));
    let id = stand.deploy("repo/web:v2", json!([{"BeforeAllowTraffic": "gate"}]));
    assert_eq!(stand.watch(&id, 20), [0]);
    let info = stand.info(&id);
    assert_eq!(
        (&info["status"], &info["errorInformation"]["code"]),
        (&json!("Failed"), &json!("HOOK_EXECUTION_FAILURE"))
    );
    is_back(&mut stand, &id);
}

#[test]
fn an_alarm_stops_a_canary_and_rolls_back() {
    let mut settings = rolls_back("DEPLOYMENT_STOP_ON_ALARM");
    settings["alarmConfiguration"] = json!({"enabled": true, "alarms": [{"name": "errors"}]});
    let mut stand = stand(settings);
    let alarm = json!({
        "AlarmName": "errors", "MetricName": "Errors", "Namespace": "shop", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    });
    ok(&mut stand.world, "monitoring", "PutMetricAlarm", alarm);
    let id = stand.deploy("repo/web:v2", json!([]));
    for _ in 0..200 {
        pass(&mut stand.world, 2 * SECOND);
        let production = stand.production.clone();
        if stand.weights(&production).1 > 0 {
            break;
        }
    }
    assert_eq!(stand.target(&id)["taskSetsInfo"][1]["trafficWeight"], 10.0);
    let data = json!({"Namespace": "shop", "MetricData": [{"MetricName": "Errors", "Value": 5.0}]});
    ok(&mut stand.world, "monitoring", "PutMetricData", data);
    stand.watch(&id, 4);
    let info = stand.info(&id);
    assert_eq!(
        (&info["status"], &info["errorInformation"]["code"]),
        (&json!("Stopped"), &json!("ALARM_ACTIVE"))
    );
    is_back(&mut stand, &id);
}

#[test]
fn somebody_stops_it_and_wants_it_back() {
    let mut stand = stand(json!({}));
    let id = stand.deploy("repo/web:v2", json!([]));
    for _ in 0..200 {
        pass(&mut stand.world, 2 * SECOND);
        let production = stand.production.clone();
        if stand.weights(&production).1 == 100 {
            break;
        }
    }
    let info = stand.info(&id);
    assert_eq!(
        (&info["status"], &info["instanceTerminationWaitTimeStarted"]),
        (&json!("InProgress"), &json!(true))
    );
    ok(
        &mut stand.world,
        "codedeploy",
        "StopDeployment",
        json!({"deploymentId": id, "autoRollbackEnabled": true}),
    );
    assert_eq!(stand.info(&id)["errorInformation"]["code"], "MANUAL_STOP");
    is_back(&mut stand, &id);
    let again = json!({"deploymentId": id});
    let refused = call(&mut stand.world, "codedeploy", "StopDeployment", &again).expect_err("over");
    assert_eq!(refused.code, "DeploymentAlreadyCompletedException");
}

#[test]
fn a_release_that_never_gets_healthy_times_out() {
    let mut stand = stand(rolls_back("DEPLOYMENT_FAILURE"));
    let id = stand.deploy("repo/web:unhealthy", json!([]));
    assert_eq!(stand.watch(&id, 70), [0]);
    let info = stand.info(&id);
    assert_eq!((&info["status"], &info["errorInformation"]["code"]), (&json!("Failed"), &json!("TIMEOUT")));
    is_back(&mut stand, &id);
}

#[test]
fn traffic_waits_for_a_person() {
    let mut stand = stand(json!({"blueGreenDeploymentConfiguration": {
        "deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 30},
        "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 60},
    }}));
    let id = stand.deploy("repo/web:v2", json!([]));
    pass(&mut stand.world, 5 * MINUTE);
    assert_eq!(stand.info(&id)["status"], "Ready");
    let go_on = json!({"deploymentId": id, "deploymentWaitType": "READY_WAIT"});
    ok(&mut stand.world, "codedeploy", "ContinueDeployment", go_on.clone());
    pass(&mut stand.world, MINUTE);
    let production = stand.production.clone();
    assert_eq!(stand.weights(&production), (0, 100));
    let refused =
        call(&mut stand.world, "codedeploy", "ContinueDeployment", &go_on).expect_err("not waiting");
    assert_eq!(refused.code, "DeploymentIsNotInReadyStateException");
    let enough = json!({"deploymentId": id, "deploymentWaitType": "TERMINATION_WAIT"});
    ok(&mut stand.world, "codedeploy", "ContinueDeployment", enough);
    pass(&mut stand.world, MINUTE);
    assert_eq!(stand.info(&id)["status"], "Succeeded");
    // Nobody comes: the deployment stops by itself.
    let id = stand.deploy("repo/web:v3", json!([]));
    pass(&mut stand.world, 40 * MINUTE);
    assert_eq!(stand.info(&id)["status"], "Stopped");
}

#[test]
fn a_hook_can_be_answered_by_hand() {
    let mut stand = stand(json!({}));
    function(&mut stand.world, "gate", json!({"cutover:answers": "IN_PROGRESS"}));
    let id = stand.deploy("repo/web:v2", json!([{"BeforeInstall": "gate"}]));
    pass(&mut stand.world, 5 * MINUTE);
    assert_eq!(stand.target(&id)["lifecycleEvents"][0]["status"], "InProgress");
    // The function has been told how to answer; its log says it.
    let logged = ok(&mut stand.world, "logs", "FilterLogEvents", json!({"logGroupName": "/aws/lambda/gate"}));
    let line =
        logged["events"][0]["message"].as_str().expect("a line").strip_prefix("event: ").expect("an event");
    let event: Json = serde_json::from_str(line).expect("JSON");
    let answer = json!({
        "deploymentId": id, "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"],
        "status": "Succeeded",
    });
    ok(&mut stand.world, "codedeploy", "PutLifecycleEventHookExecutionStatus", answer);
    stand.watch(&id, 20);
    assert_eq!(stand.info(&id)["status"], "Succeeded");
}

#[test]
fn one_deployment_at_a_time_and_only_of_a_sound_revision() {
    let mut stand = stand(json!({}));
    let id = stand.deploy("repo/web:v2", json!([]));
    let input = |content: &str| {
        json!({
            "applicationName": "shop", "deploymentGroupName": "web",
            "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}},
        })
    };
    let refused = call(&mut stand.world, "codedeploy", "CreateDeployment", &input("x")).expect_err("busy");
    assert_eq!(refused.code, "DeploymentLimitExceededException");
    assert!(refused.message.ends_with(&format!("'{id}'")), "{}", refused.message);
    stand.watch(&id, 20);
    let bad = ok(&mut stand.world, "codedeploy", "CreateDeployment", input("version: 0.0"));
    pass(&mut stand.world, MINUTE);
    let info = stand.info(bad["deploymentId"].as_str().expect("an id"));
    assert_eq!(info["errorInformation"]["code"], "INVALID_REVISION");
    let listed =
        ok(&mut stand.world, "codedeploy", "ListDeployments", json!({"includeOnlyStatuses": ["Succeeded"]}));
    assert_eq!(listed["deployments"], json!([id]));
}

#[test]
fn a_group_without_what_ecs_needs_is_refused() {
    let mut stand = stand(json!({}));
    let found = json!({"applicationName": "shop", "deploymentGroupName": "web"});
    let info = ok(&mut stand.world, "codedeploy", "GetDeploymentGroup", found)["deploymentGroupInfo"].clone();
    assert_eq!(info["deploymentConfigName"], "CodeDeployDefault.ECSAllAtOnce");
    let mut refused = |change: Json| {
        let mut input = json!({"applicationName": "shop", "currentDeploymentGroupName": "web"});
        for (name, value) in change.as_object().expect("an object") {
            input[name.as_str()] = value.clone();
        }
        call(&mut stand.world, "codedeploy", "UpdateDeploymentGroup", &input).expect_err("refused").code
    };
    let style = json!({"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"});
    assert_eq!(refused(json!({"deploymentStyle": style})), "InvalidDeploymentStyleException");
    let service = json!([{"serviceName": "other", "clusterName": "main"}]);
    assert_eq!(refused(json!({"ecsServices": service})), "InvalidECSServiceException");
    assert_eq!(
        refused(json!({"serviceRoleArn": "arn:aws:iam::123456789012:role/none"})),
        "InvalidRoleException"
    );
    let config = json!({"deploymentConfigName": "CodeDeployDefault.OneAtATime"});
    assert_eq!(refused(config), "InvalidDeploymentConfigNameException");
}

//! Balancers, rules and targets, driven through the handlers.

use crate::World;
use crate::service::ApiError;
use crate::service::ecs::tests::{Net, balanced, call, ok, pass, world};
use crate::world::{MINUTE, SECOND};
use serde_json::{Value as Json, json};

fn lb(world: &mut World, name: &str, input: Json) -> Json {
    ok(world, "elasticloadbalancing", name, input)
}

fn refused(world: &mut World, name: &str, input: Json) -> ApiError {
    call(world, "elasticloadbalancing", name, input).unwrap_err()
}

fn group(world: &mut World, net: &Net, name: &str) -> Json {
    let input = json!({"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": net.vpc, "TargetType": "ip"});
    lb(world, "CreateTargetGroup", input)["TargetGroups"][0]["TargetGroupArn"].clone()
}

fn listener(world: &mut World) -> Json {
    let balancer =
        lb(world, "DescribeLoadBalancers", json!({}))["LoadBalancers"][0]["LoadBalancerArn"].clone();
    lb(world, "DescribeListeners", json!({"LoadBalancerArn": balancer}))["Listeners"][0]["ListenerArn"]
        .clone()
}

fn fixed(text: &str) -> Json {
    json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": text}}])
}

fn path(pattern: &str) -> Json {
    json!([{"Field": "path-pattern", "Values": [pattern]}])
}

#[test]
fn a_balancer_is_provisioned_and_then_active() {
    let (mut world, net) = world();
    let input = json!({"Name": "web", "Subnets": net.subnets});
    let made = lb(&mut world, "CreateLoadBalancer", input.clone());
    assert_eq!(made["LoadBalancers"][0]["State"]["Code"], "provisioning");
    assert_eq!(made["LoadBalancers"][0]["SecurityGroups"].as_array().map(Vec::len), Some(1));
    assert_eq!(lb(&mut world, "CreateLoadBalancer", input), made);
    let other = json!({"Name": "web", "Subnets": net.subnets, "Scheme": "internal"});
    assert_eq!(refused(&mut world, "CreateLoadBalancer", other).code, "DuplicateLoadBalancerName");
    pass(&mut world, 3 * MINUTE);
    let now = lb(&mut world, "DescribeLoadBalancers", json!({"Names": ["web"]}));
    assert_eq!(now["LoadBalancers"][0]["State"]["Code"], "active");
}

#[test]
fn subnets_of_an_application_balancer_lie_in_two_zones() {
    let (mut world, net) = world();
    let one = refused(&mut world, "CreateLoadBalancer", json!({"Name": "web", "Subnets": [net.subnets[0]]}));
    assert_eq!(one.message, "At least two subnets in two different Availability Zones must be specified");
    let twin = ok(
        &mut world,
        "ec2",
        "CreateSubnet",
        json!({
            "VpcId": net.vpc, "CidrBlock": "10.0.9.0/24", "AvailabilityZone": "us-east-1a",
        }),
    )["Subnet"]["SubnetId"]
        .clone();
    let input = json!({"Name": "web", "Subnets": [net.subnets[0], twin]});
    assert_eq!(refused(&mut world, "CreateLoadBalancer", input).code, "InvalidConfigurationRequest");
}

#[test]
fn deletion_protection_and_lingering_interfaces() {
    let (mut world, net) = world();
    balanced(&mut world, &net, "ip");
    let arn =
        lb(&mut world, "DescribeLoadBalancers", json!({}))["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let protect = |value: &str| {
        json!({
            "LoadBalancerArn": arn, "Attributes": [{"Key": "deletion_protection.enabled", "Value": value}],
        })
    };
    lb(&mut world, "ModifyLoadBalancerAttributes", protect("true"));
    let error = refused(&mut world, "DeleteLoadBalancer", json!({"LoadBalancerArn": arn}));
    assert_eq!(error.code, "OperationNotPermitted");
    lb(&mut world, "ModifyLoadBalancerAttributes", protect("false"));
    assert_eq!(world.ec2.interfaces.len(), 2);
    lb(&mut world, "DeleteLoadBalancer", json!({"LoadBalancerArn": arn}));
    assert_eq!(world.ec2.interfaces.len(), 2);
    pass(&mut world, MINUTE);
    assert!(world.ec2.interfaces.is_empty());
    assert!(world.elbv2.rules.is_empty() && world.elbv2.listeners.is_empty() && world.elbv2.uses.is_empty());
}

#[test]
fn a_forward_is_answered_in_both_forms() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "ip");
    let listener = listener(&mut world);
    let answer = lb(&mut world, "DescribeListeners", json!({"ListenerArns": [listener]}));
    assert_eq!(
        answer["Listeners"][0]["DefaultActions"],
        json!([{
            "Type": "forward", "Order": 1, "TargetGroupArn": group,
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": group, "Weight": 1}],
                "TargetGroupStickinessConfig": {"Enabled": false},
            },
        }])
    );
    let error = refused(&mut world, "DeleteTargetGroup", json!({"TargetGroupArn": group}));
    assert_eq!(error.code, "ResourceInUse");
}

#[test]
fn priorities_are_unique_and_can_trade_places() {
    let (mut world, net) = world();
    balanced(&mut world, &net, "ip");
    let listener = listener(&mut world);
    let rule = |pattern: &str, priority: i64| {
        json!({
            "ListenerArn": listener, "Priority": priority, "Conditions": path(pattern), "Actions": fixed("x"),
        })
    };
    let one = lb(&mut world, "CreateRule", rule("/a", 10))["Rules"][0].clone();
    assert_eq!(one["Conditions"][0]["PathPatternConfig"]["Values"], json!(["/a"]));
    assert_eq!(one["Conditions"][0]["Values"], json!(["/a"]));
    let two = lb(&mut world, "CreateRule", rule("/b", 20))["Rules"][0].clone();
    assert_eq!(refused(&mut world, "CreateRule", rule("/c", 10)).code, "PriorityInUse");
    let clash = json!({"RulePriorities": [{"RuleArn": one["RuleArn"], "Priority": 20}]});
    assert_eq!(refused(&mut world, "SetRulePriorities", clash).code, "PriorityInUse");
    lb(
        &mut world,
        "SetRulePriorities",
        json!({"RulePriorities": [
            {"RuleArn": one["RuleArn"], "Priority": 20}, {"RuleArn": two["RuleArn"], "Priority": 10},
        ]}),
    );
    let rules = lb(&mut world, "DescribeRules", json!({"ListenerArn": listener}));
    let order: Vec<&str> = rules["Rules"]
        .as_array()
        .expect("rules")
        .iter()
        .filter_map(|rule| rule["Priority"].as_str())
        .collect();
    assert_eq!(order, ["10", "20", "default"]);
    assert_eq!(rules["Rules"][0]["RuleArn"], two["RuleArn"]);
    let default = rules["Rules"][2]["RuleArn"].clone();
    assert_eq!(refused(&mut world, "DeleteRule", json!({"RuleArn": default})).code, "OperationNotPermitted");
}

#[test]
fn a_group_serves_one_balancer() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "ip");
    let second = lb(&mut world, "CreateLoadBalancer", json!({"Name": "second", "Subnets": net.subnets}));
    let error = refused(
        &mut world,
        "CreateListener",
        json!({
            "LoadBalancerArn": second["LoadBalancers"][0]["LoadBalancerArn"], "Protocol": "HTTP", "Port": 80,
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
        }),
    );
    assert_eq!(error.code, "TargetGroupAssociationLimit");
}

#[test]
fn a_target_is_unused_then_initial_then_unhealthy_without_an_application() {
    let (mut world, net) = world();
    balanced(&mut world, &net, "ip");
    let lonely = group(&mut world, &net, "lonely");
    let targets = json!({"TargetGroupArn": lonely, "Targets": [{"Id": "10.0.0.77"}]});
    lb(&mut world, "RegisterTargets", targets.clone());
    let health = |world: &mut World| {
        let answer = lb(world, "DescribeTargetHealth", json!({"TargetGroupArn": lonely}));
        answer["TargetHealthDescriptions"][0]["TargetHealth"].clone()
    };
    assert_eq!(health(&mut world)["Reason"], "Target.NotInUse");
    let listener = listener(&mut world);
    lb(
        &mut world,
        "CreateRule",
        json!({
            "ListenerArn": listener, "Priority": 5, "Conditions": path("/x"),
            "Actions": [{"Type": "forward", "TargetGroupArn": lonely}],
        }),
    );
    assert_eq!(health(&mut world)["State"], "initial");
    pass(&mut world, 20 * SECOND);
    assert_eq!(health(&mut world)["Reason"], "Elb.InitialHealthChecking");
    pass(&mut world, MINUTE);
    assert_eq!(
        health(&mut world),
        json!({
            "State": "unhealthy", "Reason": "Target.FailedHealthChecks", "Description": "Health checks failed",
        })
    );
    lb(&mut world, "DeregisterTargets", targets);
    assert_eq!(health(&mut world)["State"], "draining");
    pass(&mut world, 5 * MINUTE);
    assert_eq!(health(&mut world), Json::Null);
}

#[test]
fn attributes_have_defaults_and_are_checked() {
    let (mut world, net) = world();
    let arn = group(&mut world, &net, "web");
    let answer = lb(&mut world, "DescribeTargetGroupAttributes", json!({"TargetGroupArn": arn}));
    let all = answer["Attributes"].as_array().expect("attributes").clone();
    assert!(all.contains(&json!({"Key": "deregistration_delay.timeout_seconds", "Value": "300"})));
    assert!(all.contains(&json!({"Key": "stickiness.type", "Value": "lb_cookie"})));
    let set =
        |key: &str, value: &str| json!({"TargetGroupArn": arn, "Attributes": [{"Key": key, "Value": value}]});
    let wrong = refused(
        &mut world,
        "ModifyTargetGroupAttributes",
        set("deregistration_delay.timeout_seconds", "9999"),
    );
    assert_eq!(wrong.code, "ValidationError");
    let unknown = refused(&mut world, "ModifyTargetGroupAttributes", set("nonsense", "1"));
    assert_eq!(unknown.message, "Target group attribute key 'nonsense' is not recognized");
}

#[test]
fn lists_come_in_pages() {
    let (mut world, net) = world();
    for at in 0..5 {
        group(&mut world, &net, &format!("g{at}"));
    }
    let first = lb(&mut world, "DescribeTargetGroups", json!({"PageSize": 2}));
    assert_eq!(first["TargetGroups"].as_array().map(Vec::len), Some(2));
    let rest = lb(&mut world, "DescribeTargetGroups", json!({"Marker": first["NextMarker"]}));
    assert_eq!(rest["TargetGroups"].as_array().map(Vec::len), Some(3));
    assert_eq!(rest.get("NextMarker"), None);
}

#[test]
fn a_certificate_must_be_known_and_issued_and_is_in_use_while_a_listener_has_it() {
    let (mut world, net) = world();
    let made = lb(&mut world, "CreateLoadBalancer", json!({"Name": "web", "Subnets": net.subnets}));
    let balancer = made["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let secure = |certificate: &Json| {
        json!({
            "LoadBalancerArn": balancer, "Port": 443, "Protocol": "HTTPS", "DefaultActions": fixed("ok"),
            "Certificates": [{"CertificateArn": certificate}],
        })
    };
    let nobody = json!("arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-4000-a000-000000000000");
    assert_eq!(refused(&mut world, "CreateListener", secure(&nobody)).code, "CertificateNotFound");
    let request = json!({"DomainName": "shop.test", "ValidationMethod": "DNS"});
    let arn = ok(&mut world, "acm", "RequestCertificate", request)["CertificateArn"].clone();
    pass(&mut world, MINUTE);
    assert_eq!(refused(&mut world, "CreateListener", secure(&arn)).code, "UnsupportedCertificate");
    let asked = json!({"CertificateArn": arn});
    let described = ok(&mut world, "acm", "DescribeCertificate", asked.clone());
    let record = &described["Certificate"]["DomainValidationOptions"][0]["ResourceRecord"];
    let zone =
        ok(&mut world, "route53", "CreateHostedZone", json!({"Name": "shop.test", "CallerReference": "1"}));
    let set = json!({
        "Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}],
    });
    let change = json!({
        "HostedZoneId": zone["HostedZone"]["Id"],
        "ChangeBatch": {"Changes": [{"Action": "CREATE", "ResourceRecordSet": set}]},
    });
    ok(&mut world, "route53", "ChangeResourceRecordSets", change);
    pass(&mut world, MINUTE);
    lb(&mut world, "CreateListener", secure(&arn));
    let users = ok(&mut world, "acm", "DescribeCertificate", asked.clone())["Certificate"]["InUseBy"].clone();
    assert_eq!(users, json!([balancer]));
    let in_use = call(&mut world, "acm", "DeleteCertificate", asked.clone()).expect_err("in use");
    assert_eq!(in_use.code, "ResourceInUseException");
    lb(&mut world, "DeleteLoadBalancer", json!({"LoadBalancerArn": balancer}));
    ok(&mut world, "acm", "DeleteCertificate", asked);
}

#[test]
fn a_balancer_does_not_move_to_subnets_of_another_vpc() {
    let (mut world, net) = world();
    let made = lb(&mut world, "CreateLoadBalancer", json!({"Name": "web", "Subnets": net.subnets}));
    let vpc = ok(&mut world, "ec2", "CreateVpc", json!({"CidrBlock": "10.9.0.0/16"}))["Vpc"]["VpcId"].clone();
    let mut subnets = Vec::new();
    for (cidr, zone) in [("10.9.1.0/24", "us-east-1a"), ("10.9.2.0/24", "us-east-1b")] {
        let input = json!({"VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": zone});
        subnets.push(ok(&mut world, "ec2", "CreateSubnet", input)["Subnet"]["SubnetId"].clone());
    }
    let arn = &made["LoadBalancers"][0]["LoadBalancerArn"];
    let input = json!({"LoadBalancerArn": arn, "Subnets": subnets});
    assert_eq!(refused(&mut world, "SetSubnets", input).code, "InvalidConfigurationRequest");
}

#[test]
fn stickiness_goes_by_the_groups_protocol() {
    let (mut world, net) = world();
    let arn = group(&mut world, &net, "web");
    let mut set = |kind: &str| {
        let attributes = json!([{"Key": "stickiness.type", "Value": kind}]);
        refused(
            &mut world,
            "ModifyTargetGroupAttributes",
            json!({"TargetGroupArn": arn, "Attributes": attributes}),
        )
    };
    let message = "Stickiness type 'source_ip' is not supported for target groups with the HTTP protocol";
    assert_eq!(set("source_ip").message, message);
    let message = "'Stickiness type' must be one of [app_cookie, lb_cookie, source_ip]";
    assert_eq!(set("source_ip_dest_ip").message, message);
}

#[test]
fn condition_values_have_lengths_and_characters() {
    let check = |condition: Json| super::conditions::normalise(&[condition]).expect_err("refused").message;
    assert_eq!(
        check(json!({"Field": "path-pattern", "Values": ["/a", "/b"]})),
        "The 'path-pattern' field contains too many values; the limit is '1'"
    );
    assert_eq!(check(json!({"Field": "source-ip"})), "A 'SourceIpConfig' must be specified with 'source-ip'");
    let header = json!({"HttpHeaderName": "x".repeat(41), "Values": ["y"]});
    assert_eq!(
        check(json!({"Field": "http-header", "HttpHeaderConfig": header})),
        "The 'HttpHeaderName' value is too long; the limit is '40'"
    );
}

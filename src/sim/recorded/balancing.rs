//! Load balancers, target groups, listeners, rules.

use super::compute::without;
use super::network::text;
use super::{Builder, last, millis, pick};
use crate::service::Input;
use crate::service::ecs::adopt;
use serde_json::{Value as Json, json};

const ELB: &str = "elasticloadbalancing";

pub fn build(b: &mut Builder) {
    for balancer in b.items(ELB, "DescribeLoadBalancers", "LoadBalancers") {
        make_balancer(b, balancer);
    }
    attributes(b, "DescribeLoadBalancerAttributes", "LoadBalancerArn", "ModifyLoadBalancerAttributes");
    for group in b.items(ELB, "DescribeTargetGroups", "TargetGroups") {
        let arn = text(group, "TargetGroupArn");
        b.world.foresee("hex16", last(&arn));
        let mut input = pick(
            group,
            &[
                "Protocol",
                "ProtocolVersion",
                "Port",
                "VpcId",
                "TargetType",
                "IpAddressType",
                "HealthCheckProtocol",
                "HealthCheckPort",
                "HealthCheckEnabled",
                "HealthCheckPath",
                "HealthCheckIntervalSeconds",
                "HealthCheckTimeoutSeconds",
                "HealthyThresholdCount",
                "UnhealthyThresholdCount",
                "Matcher",
            ],
        );
        input["Name"] = group["TargetGroupName"].clone();
        b.call(None, ELB, "CreateTargetGroup", &input);
    }
    attributes(b, "DescribeTargetGroupAttributes", "TargetGroupArn", "ModifyTargetGroupAttributes");
    let rules = b.items(ELB, "DescribeRules", "Rules");
    for listener in b.items(ELB, "DescribeListeners", "Listeners") {
        make_listener(b, listener, &rules);
    }
    attributes(b, "DescribeListenerAttributes", "ListenerArn", "ModifyListenerAttributes");
    for rule in rules.iter().filter(|rule| rule.flag("IsDefault") != Some(true)) {
        make_rule(b, rule);
    }
    for tags in b.items(ELB, "DescribeTags", "TagDescriptions") {
        if !tags.list("Tags").is_empty() {
            let input = json!({"ResourceArns": [tags["ResourceArn"]], "Tags": tags["Tags"]});
            b.call(None, ELB, "AddTags", &input);
        }
    }
}

fn attributes(b: &mut Builder, read: &str, member: &str, write: &str) {
    for answer in b.answers(ELB, read) {
        let Some(arn) = answer.input.text(member) else {
            b.left_out(format!("{read} without its input: which one is it about?"));
            continue;
        };
        let input = json!({member: arn, "Attributes": answer.output["Attributes"]});
        b.call(None, ELB, write, &input);
    }
}

fn make_balancer(b: &mut Builder, balancer: &Json) {
    let arn = text(balancer, "LoadBalancerArn");
    let path = arn.split_once(":loadbalancer/").map_or("", |(_, path)| path);
    b.world.foresee("hex16", last(&arn));
    b.world.foresee("dns-name", &text(balancer, "DNSName"));
    let zones = balancer.list("AvailabilityZones");
    let interfaces = b.items("ec2", "DescribeNetworkInterfaces", "NetworkInterfaces");
    let description = format!("ELB {path}");
    for zone in zones {
        let in_zone = |eni: &&&Json| {
            eni.text("Description") == Some(&description) && eni.text("SubnetId") == zone.text("SubnetId")
        };
        if let Some(eni) = interfaces.iter().find(in_zone) {
            for (kind, member) in
                [("eni", "NetworkInterfaceId"), ("private-ip", "PrivateIpAddress"), ("mac", "MacAddress")]
            {
                b.world.foresee(kind, &text(eni, member));
            }
        }
    }
    let subnets: Vec<String> = zones.iter().map(|zone| text(zone, "SubnetId")).collect();
    let mut input = pick(balancer, &["Scheme", "Type", "IpAddressType", "SecurityGroups"]);
    input["Name"] = balancer["LoadBalancerName"].clone();
    input["Subnets"] = json!(subnets);
    b.call(millis(balancer.get("CreatedTime")), ELB, "CreateLoadBalancer", &input);
}

fn make_listener(b: &mut Builder, listener: &Json, rules: &[&Json]) {
    let arn = text(listener, "ListenerArn");
    b.world.foresee("hex16", last(&arn));
    let below = format!("{}/", arn.replacen(":listener/", ":listener-rule/", 1));
    let default = rules.iter().find(|rule| {
        rule.flag("IsDefault") == Some(true)
            && rule.text("RuleArn").is_some_and(|arn| arn.starts_with(&below))
    });
    match default {
        Some(rule) => b.world.foresee("hex16", last(&text(rule, "RuleArn"))),
        None => b.filled(format!("{arn}: the id of its default rule")),
    }
    let input = without(listener, &["ListenerArn"]);
    b.call(None, ELB, "CreateListener", &input);
}

fn make_rule(b: &mut Builder, rule: &Json) {
    let arn = text(rule, "RuleArn");
    b.world.foresee("hex16", last(&arn));
    let listener = arn.rsplit_once('/').map_or("", |(listener, _)| listener);
    let conditions: Vec<Json> = rule.list("Conditions").iter().map(condition).collect();
    let priority = rule.text("Priority").and_then(|text| text.parse::<i64>().ok());
    let mut input = pick(rule, &["Actions", "Transforms"]);
    input["ListenerArn"] = json!(listener.replacen(":listener-rule/", ":listener/", 1));
    input["Conditions"] = json!(conditions);
    input["Priority"] = json!(priority);
    b.call(None, ELB, "CreateRule", &input);
}

/// A condition is answered in its old and in its new form; only one may be given.
fn condition(condition: &Json) -> Json {
    let members = condition.as_object().into_iter().flatten();
    let has_new = members.into_iter().any(|(name, value)| name.ends_with("Config") && !value.is_null());
    if has_new { without(condition, &["Values"]) } else { condition.clone() }
}

/// Targets that neither a service nor a group has registered.
pub fn targets(b: &mut Builder) {
    let of_tasks = adopt::places(&b.world);
    for answer in b.answers(ELB, "DescribeTargetHealth") {
        let Some(group) = answer.input.text("TargetGroupArn") else {
            b.left_out("DescribeTargetHealth without its input: which target group is it about?");
            continue;
        };
        let Some(known) = b.world.elbv2.groups.get(group) else { continue };
        let mut own = Vec::new();
        for one in answer.output.list("TargetHealthDescriptions") {
            let target = &one["Target"];
            let (id, port) = (target.text("Id").unwrap_or_default(), target.int("Port").or(known.port));
            let by_task = port.is_some_and(|port| of_tasks.contains(&(id.to_owned(), port)));
            let draining = one["TargetHealth"].text("State") == Some("draining");
            if !by_task && !draining && !known.targets.values().any(|has| has.id == id && has.port == port) {
                own.push(pick(target, &["Id", "Port"]));
            }
        }
        if !own.is_empty() {
            b.call(None, ELB, "RegisterTargets", &json!({"TargetGroupArn": group, "Targets": own}));
        }
    }
}

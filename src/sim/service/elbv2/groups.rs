//! Target groups.

use super::super::{Answer, ApiError, Input, page};
use super::balancers::{check_group_name, with_marker};
use super::model::{Check, Group};
use super::{attributes, page_size, tags, targets, validation};
use crate::World;
use serde_json::{Value as Json, json};

pub(super) fn not_found(arn: &str) -> ApiError {
    ApiError::new("TargetGroupNotFound", format!("Target group '{arn}' not found"))
}

fn view(world: &World, group: &Group) -> Json {
    let check = &group.check;
    let uses: Vec<&String> = world.elbv2.uses.get(&group.arn).into_iter().flatten().collect();
    let mut view = json!({
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        "TargetType": group.target_type,
        "HealthCheckEnabled": check.enabled,
        "HealthCheckIntervalSeconds": check.interval,
        "HealthCheckTimeoutSeconds": check.timeout,
        "HealthyThresholdCount": check.healthy,
        "UnhealthyThresholdCount": check.unhealthy,
        "LoadBalancerArns": uses,
        "IpAddressType": group.ip_address_type,
    });
    let mut put = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            view[name] = value;
        }
    };
    put("Protocol", group.protocol.as_ref().map(|text| json!(text)));
    put("ProtocolVersion", group.protocol_version.as_ref().map(|text| json!(text)));
    put("Port", group.port.map(|port| json!(port)));
    put("VpcId", group.vpc_id.as_ref().map(|id| json!(id)));
    put("HealthCheckPath", check.path.as_ref().map(|path| json!(path)));
    put("Matcher", check.matcher.as_ref().map(|(kind, codes)| json!({kind.as_str(): codes})));
    if group.target_type != "lambda" {
        put("HealthCheckProtocol", Some(json!(check.protocol)));
        put("HealthCheckPort", Some(json!(check.port)));
    }
    view
}

fn is_http(protocol: &str) -> bool {
    matches!(protocol, "HTTP" | "HTTPS")
}

/// The defaults of a group's health checks (API reference, CreateTargetGroup).
fn default_check(
    target_type: &str,
    protocol: &str,
    version: Option<&str>,
    check_protocol: Option<&str>,
) -> Check {
    let default_protocol =
        if is_http(protocol) || target_type == "lambda" || target_type == "alb" { "HTTP" } else { "TCP" };
    let check_protocol = check_protocol.unwrap_or(default_protocol).to_owned();
    let http = is_http(&check_protocol);
    let network = !is_http(protocol) && target_type != "lambda";
    let grpc = version == Some("GRPC");
    let matcher = match (http, grpc, network) {
        (false, ..) => None,
        (_, true, _) => Some(("GrpcCode".to_owned(), "12".to_owned())),
        (_, _, true) => Some(("HttpCode".to_owned(), "200-399".to_owned())),
        _ => Some(("HttpCode".to_owned(), "200".to_owned())),
    };
    Check {
        enabled: target_type != "lambda",
        port: "traffic-port".to_owned(),
        path: http.then(|| if grpc { "/AWS.ALB/healthcheck".to_owned() } else { "/".to_owned() }),
        interval: if target_type == "lambda" { 35 } else { 30 },
        timeout: match (target_type, http, network) {
            ("lambda", ..) => 30,
            (_, true, true) if check_protocol == "HTTP" => 6,
            (_, true, false) => 5,
            _ => 10,
        },
        healthy: 5,
        unhealthy: if target_type == "lambda" { 5 } else { 2 },
        matcher,
        protocol: check_protocol,
    }
}

/// Lays the members of a create or modify call over a check, and refuses what AWS refuses.
fn apply_check(check: &mut Check, input: &Json, network: bool) -> Result<(), ApiError> {
    if let Some(enabled) = input.flag("HealthCheckEnabled") {
        check.enabled = enabled;
    }
    if let Some(port) = input.text("HealthCheckPort") {
        let number = port.parse::<i64>().is_ok_and(|n| (1..=65_535).contains(&n));
        if port != "traffic-port" && !number {
            return Err(validation(format!(
                "Health check port '{port}' must be 'traffic-port' or in the range 1-65535"
            )));
        }
        check.port = port.to_owned();
    }
    if let Some(path) = input.text("HealthCheckPath") {
        if !is_http(&check.protocol) {
            return Err(ApiError::new(
                "InvalidConfigurationRequest",
                format!("Health check path is not supported for health check protocol '{}'", check.protocol),
            ));
        }
        if !path.starts_with('/') {
            return Err(validation(format!("Health check path '{path}' must begin with a '/' character")));
        }
        check.path = Some(path.to_owned());
    }
    let numbers = [
        ("HealthCheckIntervalSeconds", "Health check interval", 5..=300, &mut check.interval),
        ("HealthCheckTimeoutSeconds", "Health check timeout", 2..=120, &mut check.timeout),
        ("HealthyThresholdCount", "Healthy threshold count", 2..=10, &mut check.healthy),
        ("UnhealthyThresholdCount", "Unhealthy threshold count", 2..=10, &mut check.unhealthy),
    ];
    for (name, words, range, place) in numbers {
        if let Some(value) = input.int(name) {
            if !range.contains(&value) {
                let (low, high) = range.into_inner();
                return Err(validation(format!("{words} must be in the range {low}-{high}")));
            }
            *place = value;
        }
    }
    let (timeout, interval) = (check.timeout, check.interval);
    if is_http(&check.protocol) && (timeout > interval || timeout == interval && !network) {
        let or_equal = if network { "or equal to " } else { "" };
        return Err(validation(format!(
            "Health check timeout '{timeout}' must be smaller than {or_equal}the interval '{interval}'"
        )));
    }
    if let Some(matcher) = input.get("Matcher").and_then(Json::as_object)
        && let Some((kind, codes)) = matcher.iter().next()
    {
        let codes = codes.as_str().unwrap_or_default();
        let range = if kind == "GrpcCode" {
            0..=99
        } else if network {
            200..=599
        } else {
            200..=499
        };
        let valid = codes.split(',').all(|part| {
            let numbers: Vec<Option<i64>> = part.split('-').map(|n| n.trim().parse().ok()).collect();
            matches!(numbers.len(), 1 | 2) && numbers.iter().all(|n| n.is_some_and(|n| range.contains(&n)))
        });
        if !valid {
            return Err(validation(format!(
                "Health check matcher HTTP code '{codes}' must be within '{}-{}' inclusive",
                range.start(),
                range.end()
            )));
        }
        check.matcher = Some((kind.clone(), codes.to_owned()));
    }
    Ok(())
}

fn build(world: &World, input: &Json, name: &str) -> Result<Group, ApiError> {
    let target_type = input.text("TargetType").unwrap_or("instance").to_owned();
    let lambda = target_type == "lambda";
    let protocol = input.text("Protocol").map(str::to_owned);
    if !lambda {
        let missing = |what: &str| validation(format!("{what} must be specified"));
        protocol.as_deref().ok_or_else(|| missing("A protocol"))?;
        input.int("Port").ok_or_else(|| missing("A port"))?;
        input.text("VpcId").ok_or_else(|| missing("A VPC ID"))?;
    }
    let refused = [("Port", "Port"), ("VpcId", "VPC ID"), ("Protocol", "Protocol")];
    if let Some((_, words)) =
        refused.iter().find(|(name, _)| lambda && input.get(*name).is_some_and(|one| !one.is_null()))
    {
        return Err(validation(format!(
            "{words} cannot be specified for target groups with target type 'lambda'"
        )));
    }
    if let Some(vpc) = input.text("VpcId").filter(|_| !lambda)
        && !super::super::ecs::network::vpc_exists(world, vpc)
    {
        return Err(validation(format!("The VPC ID '{vpc}' is not found")));
    }
    let http = protocol.as_deref().is_some_and(is_http);
    let version = http.then(|| input.text("ProtocolVersion").unwrap_or("HTTP1").to_owned());
    let network = !http && !lambda;
    let mut check = default_check(
        &target_type,
        protocol.as_deref().unwrap_or_default(),
        version.as_deref(),
        input.text("HealthCheckProtocol"),
    );
    if input.int("HealthCheckTimeoutSeconds").is_none() {
        // A short interval with the default timeout must not be refused: AWS lowers the default.
        let interval = input.int("HealthCheckIntervalSeconds").unwrap_or(check.interval);
        check.timeout =
            check.timeout.min(if is_http(&check.protocol) { (interval - 1).max(2) } else { interval });
    }
    if http && check.protocol == "TCP" {
        return Err(validation(format!(
            "Health check protocol 'TCP' is not supported for target groups with protocol '{}'",
            protocol.as_deref().unwrap_or_default()
        )));
    }
    apply_check(&mut check, input, network)?;
    Ok(Group {
        arn: String::new(),
        name: name.to_owned(),
        target_type,
        protocol: protocol.filter(|_| !lambda),
        protocol_version: version,
        port: input.int("Port").filter(|_| !lambda),
        vpc_id: input.text("VpcId").filter(|_| !lambda).map(str::to_owned),
        ip_address_type: input.text("IpAddressType").unwrap_or("ipv4").to_owned(),
        check,
        attributes: Default::default(),
        targets: Default::default(),
        ended: Default::default(),
    })
}

fn same(a: &Group, b: &Group) -> bool {
    a.target_type == b.target_type
        && a.protocol == b.protocol
        && a.protocol_version == b.protocol_version
        && a.port == b.port
        && a.vpc_id == b.vpc_id
        && a.ip_address_type == b.ip_address_type
        && a.check == b.check
}

pub(super) fn create_target_group(world: &mut World, input: &Json) -> Answer {
    let name = input.text("Name").unwrap_or_default().to_owned();
    check_group_name(&name)?;
    let mut group = build(world, input, &name)?;
    let new_tags = tags::from_input(input)?;
    if let Some(existing) = world.elbv2.groups.values().find(|existing| existing.name == name) {
        return if same(existing, &group) {
            Ok(json!({"TargetGroups": [view(world, existing)]}))
        } else {
            Err(ApiError::new(
                "DuplicateTargetGroupName",
                format!("A target group with the same name '{name}' exists, but with different settings"),
            ))
        };
    }
    let id = world.hex(16);
    group.arn = world.arn("elasticloadbalancing", &format!("targetgroup/{name}/{id}"));
    let mut made = view(world, &group);
    if let Some(members) = made.as_object_mut() {
        // One that was just made is in no load balancer yet: not even the list is answered.
        members.remove("LoadBalancerArns");
    }
    let answer = json!({"TargetGroups": [made]});
    world.elbv2.tags.insert(group.arn.clone(), new_tags);
    world.elbv2.groups.insert(group.arn.clone(), group);
    Ok(answer)
}

pub(super) fn describe_target_groups(world: &mut World, input: &Json) -> Answer {
    let (arns, names) = (input.texts("TargetGroupArns"), input.texts("Names"));
    let balancer = input.text("LoadBalancerArn");
    if let Some(arn) = balancer
        && !world.elbv2.balancers.contains_key(arn)
    {
        return Err(super::balancers::not_found(arn));
    }
    let used_by =
        |group: &Group, arn: &str| world.elbv2.uses.get(&group.arn).is_some_and(|set| set.contains(arn));
    let mut found: Vec<&Group> = world
        .elbv2
        .groups
        .values()
        .filter(|group| arns.is_empty() || arns.contains(&group.arn.as_str()))
        .filter(|group| names.is_empty() || names.contains(&group.name.as_str()))
        .filter(|group| balancer.is_none_or(|arn| used_by(group, arn)))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let lacks_arn = arns.iter().any(|arn| !found.iter().any(|group| group.arn == *arn));
    let lacks_name = names.iter().any(|name| !found.iter().any(|group| group.name == *name));
    if lacks_arn || lacks_name || balancer.is_some() && found.is_empty() {
        return Err(ApiError::new("TargetGroupNotFound", "One or more target groups not found"));
    }
    let (found, next) = page(found, input.text("Marker"), page_size(input));
    let views: Vec<Json> = found.into_iter().map(|group| view(world, group)).collect();
    Ok(with_marker(json!({"TargetGroups": views}), next))
}

pub(super) fn modify_target_group(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    let group = world.elbv2.groups.get(arn).ok_or_else(|| not_found(arn))?;
    let network = !group.protocol.as_deref().is_some_and(is_http) && group.target_type != "lambda";
    let mut check = group.check.clone();
    if let Some(protocol) = input.text("HealthCheckProtocol")
        && protocol != check.protocol
    {
        let fresh = default_check(
            &group.target_type,
            group.protocol.as_deref().unwrap_or_default(),
            group.protocol_version.as_deref(),
            Some(protocol),
        );
        check = Check { path: fresh.path, matcher: fresh.matcher, protocol: fresh.protocol, ..check };
    }
    apply_check(&mut check, input, network)?;
    if let Some(group) = world.elbv2.groups.get_mut(arn) {
        group.check = check;
    }
    targets::refresh_group(world, arn);
    let group = world.elbv2.groups.get(arn).ok_or_else(|| not_found(arn))?;
    Ok(json!({"TargetGroups": [view(world, group)]}))
}

/// Deleting a group that is not there succeeds; one in use does not.
pub(super) fn delete_target_group(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    if world.elbv2.uses.contains_key(arn) {
        return Err(ApiError::new(
            "ResourceInUse",
            format!("The target group '{arn}' is currently in use by a listener or a rule"),
        ));
    }
    targets::forget_group(world, arn);
    world.elbv2.groups.remove(arn);
    world.elbv2.tags.remove(arn);
    Ok(json!({}))
}

pub(super) fn describe_target_group_attributes(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    let group = world.elbv2.groups.get(arn).ok_or_else(|| not_found(arn))?;
    Ok(attributes::answer(&group.defaults(), &group.attributes))
}

pub(super) fn modify_target_group_attributes(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    let group = world.elbv2.groups.get_mut(arn).ok_or_else(|| not_found(arn))?;
    let defaults = group.defaults();
    attributes::check_stickiness(input, group.protocol.as_deref().unwrap_or_default())?;
    let changes = attributes::changes(input, &defaults, "Target group")?;
    group.attributes.extend(changes);
    let answer = attributes::answer(&defaults, &group.attributes);
    crate::traffic::group_changed(world, arn);
    Ok(answer)
}

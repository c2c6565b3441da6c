//! The way from a balancer to the tasks.

use super::{Finding, Look, blocks, finding, number, text, texts};
use crate::plan::Change;
use std::collections::BTreeMap;

const GROUP_TYPES: &[&str] = &["aws_security_group"];
const RULES: &[&str] = &["aws_vpc_security_group_ingress_rule", "aws_security_group_rule"];

pub(super) fn paths(look: &Look<'_>) -> Vec<Finding> {
    let mut found = zones(look);
    found.extend(look.changed(&["aws_ecs_service"]).filter_map(|s| bypass(look, s)));
    found.extend(look.changed(&["aws_ecs_service"]).filter_map(|s| closed_ports(look, s)));
    found
}

/// Rules whose weights ECS or CodeDeploy moves, changed by this plan.
pub(super) fn owned(look: &Look<'_>) -> Vec<Finding> {
    const ROUTES: &[&str] = &["aws_lb_listener_rule", "aws_alb_listener_rule"];
    let mut owners: BTreeMap<String, &Change> = BTreeMap::new();
    for service in look.all(&["aws_ecs_service"]) {
        let balancers = blocks(&service.after, "load_balancer");
        for advanced in balancers.iter().flat_map(|b| blocks(b, "advanced_configuration")) {
            let rules = ["production_listener_rule", "test_listener_rule"];
            owners.extend(rules.iter().filter_map(|name| Some((text(&advanced, name)?, service))));
        }
    }
    let mut found = Vec::new();
    for route in look.changed(ROUTES).filter(|r| r.attributes.iter().any(|a| a.name == "action")) {
        let owner = text(&route.after, "arn").and_then(|arn| owners.get(&arn).copied());
        if let Some(service) = owner {
            found.push(finding(route, format!("ECS moves its traffic, for {}", service.address)));
        }
    }
    found.extend(super::code_deploy::owned(look));
    found
}

/// Two subnets of one balancer in one zone.
fn zones(look: &Look<'_>) -> Vec<Finding> {
    let zone_of: BTreeMap<String, String> = look
        .all(&["aws_subnet"])
        .filter_map(|s| Some((text(&s.after, "id")?, text(&s.after, "availability_zone")?)))
        .collect();
    let mut found = Vec::new();
    for balancer in look.changed(&["aws_lb", "aws_alb"]) {
        let mut seen: BTreeMap<&String, String> = BTreeMap::new();
        for subnet in texts(&balancer.after, "subnets") {
            let Some(zone) = zone_of.get(&subnet) else { continue };
            if let Some(other) = seen.insert(zone, subnet.clone()) {
                found.push(finding(balancer, format!("its subnets {other} and {subnet} are both in {zone}")));
            }
        }
    }
    found
}

/// Launch type EC2 in a cluster whose hosts come from a capacity provider.
fn bypass(look: &Look<'_>, service: &Change) -> Option<Finding> {
    let direct = text(&service.after, "launch_type").as_deref() == Some("EC2")
        && blocks(&service.after, "capacity_provider_strategy").is_empty();
    let cluster = text(&service.after, "cluster")?;
    let name = cluster.rsplit('/').next()?.to_owned();
    let attached = look.all(&["aws_ecs_cluster_capacity_providers"]).find(|attachment| {
        let same = text(&attachment.after, "cluster_name").as_ref() == Some(&name);
        same && texts(&attachment.after, "capacity_providers").iter().any(|p| !p.starts_with("FARGATE"))
    });
    let provider = attached.filter(|_| direct)?;
    Some(finding(
        service,
        format!("launch_type EC2 passes by the capacity providers of {}", provider.address),
    ))
}

/// Dynamic host ports behind a security group that opens the container's port only.
fn closed_ports(look: &Look<'_>, service: &Change) -> Option<Finding> {
    let wanted = text(&service.after, "task_definition")?;
    let definition = look
        .all(&["aws_ecs_task_definition"])
        .find(|d| text(&d.after, "arn").is_some_and(|arn| arn == wanted))?;
    let bridged = text(&definition.after, "network_mode").is_none_or(|mode| mode == "bridge");
    let containers: Vec<serde_json::Value> =
        serde_json::from_str(&text(&definition.after, "container_definitions")?).ok()?;
    let ports = containers.iter().filter_map(|c| c["portMappings"].as_array()).flatten();
    let dynamic = ports.clone().find(|p| p["hostPort"].as_i64().unwrap_or(0) == 0)?;
    let container_port = dynamic["containerPort"].as_i64()?;
    if !bridged || blocks(&service.after, "load_balancer").is_empty() {
        return None;
    }
    let group = host_groups(look).into_iter().find(|group| {
        let open = openings(look, group);
        open.iter().any(|(from, to)| (*from..=*to).contains(&container_port))
            && !open.iter().any(|(from, to)| *from <= 32_768 && *to >= 60_999)
    })?;
    let text =
        format!("hosts in {group} take traffic on port {container_port}, but its host ports are dynamic");
    Some(finding(service, text))
}

/// Security groups that launch templates give to hosts.
fn host_groups(look: &Look<'_>) -> Vec<String> {
    let templates = look.all(&["aws_launch_template"]);
    templates
        .flat_map(|t| {
            let interfaces = blocks(&t.after, "network_interfaces");
            let of_interfaces: Vec<String> =
                interfaces.iter().flat_map(|i| texts(i, "security_groups")).collect();
            texts(&t.after, "vpc_security_group_ids").into_iter().chain(of_interfaces)
        })
        .collect()
}

/// Ranges of TCP ports that a group lets in.
fn openings(look: &Look<'_>, id: &str) -> Vec<(i64, i64)> {
    let range = |o: &crate::schema::Object, protocol: &str| {
        let all = text(o, protocol).as_deref() == Some("-1");
        match (number(o, "from_port"), number(o, "to_port")) {
            _ if all => Some((0, 65_535)),
            (Some(from), Some(to)) => Some((from, to)),
            _ => None,
        }
    };
    let mut open = Vec::new();
    for group in look.all(GROUP_TYPES).filter(|g| text(&g.after, "id").as_deref() == Some(id)) {
        open.extend(blocks(&group.after, "ingress").iter().filter_map(|rule| range(rule, "protocol")));
    }
    for rule in look.all(RULES).filter(|r| text(&r.after, "security_group_id").as_deref() == Some(id)) {
        let ingress = text(&rule.after, "type").is_none_or(|kind| kind == "ingress");
        let protocol = if rule.after.has("ip_protocol") { "ip_protocol" } else { "protocol" };
        open.extend(range(&rule.after, protocol).filter(|_| ingress));
    }
    open
}

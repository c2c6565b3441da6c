//! The way from a balancer to the tasks.

use super::{Finding, Look, blocks, containers, finding, last, network_mode, number, text, texts};
use crate::plan::staging::weighted;
use crate::plan::{Action, AttributeChange, Change};
use crate::schema::Object;
use crate::state::without_keys;
use crate::value::Value;
use std::collections::BTreeMap;

const GROUP_TYPES: &[&str] = &["aws_security_group"];
const TARGET_GROUPS: &[&str] = &["aws_lb_target_group", "aws_alb_target_group"];
const SERVERS: &[&str] = &["aws_ecs_service", "aws_autoscaling_group"];
const SUBNET: &[&str] = &["aws_subnet"];
const ROUTES: &[&str] =
    &["aws_lb_listener", "aws_lb_listener_rule", "aws_alb_listener", "aws_alb_listener_rule"];
const RULES: &[&str] = &["aws_vpc_security_group_ingress_rule", "aws_security_group_rule"];

pub(super) fn paths(look: &Look<'_>) -> Vec<Finding> {
    let mut found = zones(look);
    found.extend(look.changed(&["aws_ecs_service"]).filter_map(|s| bypass(look, s)));
    found.extend(look.changed(&["aws_ecs_service"]).filter_map(|s| closed_ports(look, s)));
    found
}

/// Rules whose weights ECS or CodeDeploy moves, changed by this plan.
pub(super) fn owned(look: &Look<'_>) -> Vec<Finding> {
    let mut owners: BTreeMap<String, &Change> = BTreeMap::new();
    for service in look.all(&["aws_ecs_service"]) {
        let balancers = blocks(&service.after, "load_balancer");
        for advanced in balancers.iter().flat_map(|b| blocks(b, "advanced_configuration")) {
            let rules = ["production_listener_rule", "test_listener_rule"];
            owners.extend(rules.iter().filter_map(|name| Some((text(&advanced, name)?, service))));
        }
    }
    let mut found = Vec::new();
    let moved = |a: &AttributeChange| ["action", "default_action"].contains(&&*a.name);
    for route in look.changed(ROUTES).filter(|r| r.attributes.iter().any(moved)) {
        let owner = text(&route.after, "arn").and_then(|arn| owners.get(&arn).copied());
        // Both get other groups: the two are exchanged while ECS has the traffic.
        let together = |s: &&Change| s.attributes.iter().any(|a| a.name == "load_balancer");
        if let Some(service) = owner.filter(|s| !together(s)) {
            found.push(finding(route, format!("ECS moves its traffic, for {}", service.address)));
        }
    }
    found.extend(super::code_deploy::owned(look));
    found.extend(idle(look));
    found
}

/// ARNs of the target groups that a change of a listener or rule gives a weight which they do not have now.
pub(super) fn newly_weighted(route: &Change) -> Vec<String> {
    let before = route.before.as_ref().map(weighted).unwrap_or_default();
    match ROUTES.contains(&&*route.address.type_name) {
        true => weighted(&route.after).into_iter().filter(|group| !before.contains(group)).collect(),
        false => Vec::new(),
    }
}

/// Traffic that is to go where nothing answers, unless this plan brings something to life there.
fn idle(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for route in look.changed(ROUTES).filter(|r| r.action == Action::Update && !r.rollout.is_empty()) {
        for group in newly_weighted(route) {
            let served = look.changed(SERVERS).any(|server| serves(server, &group));
            if look.live.healthy.get(&group) == Some(&0) && !served {
                let name = group.rsplit('/').nth(1).unwrap_or(&group);
                found.push(finding(
                    route,
                    format!("no target of {name}, which is to get traffic, is healthy"),
                ));
            }
        }
        let new = look.used(route, TARGET_GROUPS).into_iter().filter(|g| g.action == Action::Create);
        for group in new {
            let name = without_keys(&group.address);
            let mut servers = look.all(SERVERS);
            if !servers.any(|s| s.depends_on.contains(&name)) {
                found.push(finding(
                    route,
                    format!("nothing serves in {}, which is to get traffic", group.address),
                ));
            }
        }
    }
    found
}

/// Whether the tasks or instances of something are targets of a group.
fn serves(server: &Change, group: &str) -> bool {
    let is = |arn: Option<String>| arn.as_deref() == Some(group);
    texts(&server.after, "target_group_arns").iter().any(|arn| arn == group)
        || blocks(&server.after, "load_balancer").iter().any(|block| {
            let advanced = blocks(block, "advanced_configuration");
            is(text(block, "target_group_arn"))
                || advanced.iter().any(|a| is(text(a, "alternate_target_group_arn")))
        })
}

/// Two subnets of one balancer in one zone, or some that do not say which zone they are in.
fn zones(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for balancer in look.changed(&["aws_lb", "aws_alb"]) {
        let ids = texts(&balancer.after, "subnets");
        let of_it = |s: &&Change| text(&s.after, "id").is_some_and(|id| ids.contains(&id));
        let (subnets, all) = match ids.is_empty() {
            false => (look.all(SUBNET).filter(of_it).collect(), true),
            // Before they are known: what it is made from, all of it or some.
            true => {
                let used = all_used(look, balancer, SUBNET);
                let all = used.len() == count(balancer, "subnets");
                (used, all)
            }
        };
        found.extend(shared_zone(balancer, &subnets, all));
        found.extend(loose(balancer, &subnets, all));
    }
    found
}

fn shared_zone(balancer: &Change, subnets: &[&Change], all: bool) -> Option<Finding> {
    let zones: Vec<(String, &Change)> =
        subnets.iter().filter_map(|s| Some((text(&s.after, "availability_zone")?, *s))).collect();
    let same = |(i, (zone, _)): &(usize, &(String, &Change))| zones[..*i].iter().any(|(z, _)| z == zone);
    let (at, (zone, second)) = zones.iter().enumerate().find(same)?;
    // Of some it is certain only if there is no other zone.
    let certain = all || zones.len() == subnets.len() && zones.iter().all(|(z, _)| z == zone);
    let (_, first) = zones[..at].iter().find(|(z, _)| z == zone).filter(|_| certain)?;
    let text = format!("its subnets {} and {} are both in {zone}", first.address, second.address);
    Some(finding(balancer, text))
}

fn loose(balancer: &Change, subnets: &[&Change], all: bool) -> Option<Finding> {
    let zone = |s: &Change, name: &str| {
        let declared = s.desired.value(name).is_some_and(|v| !v.is_null());
        declared || text(&s.after, name).is_some()
    };
    let pinned = |s: &Change| zone(s, "availability_zone") || zone(s, "availability_zone_id");
    let loose: Vec<String> = subnets.iter().filter(|s| !pinned(s)).map(|s| s.address.to_string()).collect();
    let certain = !loose.is_empty() && (all || loose.len() == subnets.len());
    let text = format!("nothing says which zone {} is in, and two may be in the same", loose.join(" or "));
    (certain && subnets.len() > 1).then(|| finding(balancer, text))
}

/// All instances of what one is made from, whatever their keys.
fn all_used<'p>(look: &Look<'p>, user: &Change, types: &'static [&'static str]) -> Vec<&'p Change> {
    look.all(types).filter(|c| user.depends_on.contains(&without_keys(&c.address))).collect()
}

/// How many elements a list or set has, known or not.
fn count(change: &Change, name: &str) -> usize {
    change.after.value(name).and_then(Value::as_slice).map_or(0, <[Value]>::len)
}

/// Launch type EC2 in a cluster whose hosts come from a capacity provider.
fn bypass(look: &Look<'_>, service: &Change) -> Option<Finding> {
    const CLUSTER: &[&str] = &["aws_ecs_cluster"];
    let direct = text(&service.after, "launch_type").as_deref() == Some("EC2")
        && blocks(&service.after, "capacity_provider_strategy").is_empty();
    let name = match text(&service.after, "cluster") {
        Some(cluster) => last(&cluster).to_owned(),
        None => text(&look.named(service, CLUSTER, "arn", None)?.after, "name")?,
    };
    let attached = look.all(&["aws_ecs_cluster_capacity_providers"]).find(|attachment| {
        let own = text(&attachment.after, "cluster_name");
        own.as_ref() == Some(&name) && has_hosts_provider(look, attachment)
    });
    let provider = attached.filter(|_| direct)?;
    let text = format!("launch_type EC2 passes by the capacity providers of {}", provider.address);
    Some(finding(service, text))
}

/// Whether one of a cluster's capacity providers starts hosts.
fn has_hosts_provider(look: &Look<'_>, attachment: &Change) -> bool {
    let listed = texts(&attachment.after, "capacity_providers");
    listed.iter().any(|name| !name.starts_with("FARGATE"))
        || !look.used(attachment, &["aws_ecs_capacity_provider"]).is_empty()
}

/// Dynamic host ports behind a security group that opens the container's port only.
fn closed_ports(look: &Look<'_>, service: &Change) -> Option<Finding> {
    let definition = look.definition(service)?;
    let bridged = network_mode(definition).as_deref() == Some("bridge");
    let containers = containers(definition);
    let mut ports = containers.iter().filter_map(|c| c["portMappings"].as_array()).flatten();
    let dynamic = ports.find(|p| p["hostPort"].as_i64().unwrap_or(0) == 0)?;
    let container_port = dynamic["containerPort"].as_i64()?;
    if !bridged || blocks(&service.after, "load_balancer").is_empty() {
        return None;
    }
    let group = host_groups(look).into_iter().find(|group| {
        let open = openings(look, group);
        open.iter().any(|(from, to)| (*from..=*to).contains(&container_port))
            && !open.iter().any(|(from, to)| *from <= 32_768 && *to >= 60_999)
    })?;
    let text = format!(
        "hosts in {} take traffic on port {container_port}, but its host ports are dynamic",
        group.address
    );
    Some(finding(service, text))
}

/// Security groups that launch templates give to hosts.
fn host_groups<'p>(look: &Look<'p>) -> Vec<&'p Change> {
    let mut groups: Vec<&Change> = Vec::new();
    for template in look.all(&["aws_launch_template"]) {
        let interfaces = blocks(&template.after, "network_interfaces");
        let mut ids = texts(&template.after, "vpc_security_group_ids");
        ids.extend(interfaces.iter().flat_map(|i| texts(i, "security_groups")));
        match ids.is_empty() {
            true => groups.extend(look.used(template, GROUP_TYPES)),
            false => groups.extend(
                look.all(GROUP_TYPES).filter(|g| text(&g.after, "id").is_some_and(|id| ids.contains(&id))),
            ),
        }
    }
    groups
}

/// Ranges of TCP ports that a group lets in.
fn openings(look: &Look<'_>, group: &Change) -> Vec<(i64, i64)> {
    let range = |o: &Object, protocol: &str| {
        let all = text(o, protocol).as_deref() == Some("-1");
        match (number(o, "from_port"), number(o, "to_port")) {
            _ if all => Some((0, 65_535)),
            (Some(from), Some(to)) => Some((from, to)),
            _ => None,
        }
    };
    let id = text(&group.after, "id");
    let of_it = |rule: &&Change| match (text(&rule.after, "security_group_id"), &id) {
        (Some(own), Some(id)) => own == *id,
        (None, None) => rule.depends_on.contains(&without_keys(&group.address)),
        _ => false,
    };
    // What is live has the rules that stand beside the group, too: as they were.
    let moves = look.changes.iter().any(|c| RULES.contains(&&*c.address.type_name) && !c.is_nothing());
    let of_group = if moves { &group.desired } else { &group.after };
    let mut open: Vec<(i64, i64)> =
        blocks(of_group, "ingress").iter().filter_map(|rule| range(rule, "protocol")).collect();
    for rule in look.all(RULES).filter(of_it) {
        let ingress = text(&rule.after, "type").is_none_or(|kind| kind == "ingress");
        let protocol = if rule.after.has("ip_protocol") { "ip_protocol" } else { "protocol" };
        open.extend(range(&rule.after, protocol).filter(|_| ingress));
    }
    open
}

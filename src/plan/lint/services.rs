//! ECS services: deployments that stand still, are refused, or are watched by nobody.

use super::{
    Finding, Look, blocks, containers, finding, is_off, is_on, last, needs, network_mode, number, text, texts,
};
use crate::plan::Change;
use crate::rollout::ecs_deployment::stands_still;
use crate::schema::Object;
use crate::value::Value;
use serde_json::Value as Json;

const SERVICE: &[&str] = &["aws_ecs_service"];

pub(super) fn strategy(service: &Object) -> String {
    let block = blocks(service, "deployment_configuration").into_iter().next();
    block.and_then(|b| text(&b, "strategy")).unwrap_or_else(|| "ROLLING".to_owned())
}

/// Whether ECS itself deploys it, and always to a number of tasks.
pub(super) fn rolls(service: &Object) -> bool {
    let controller = blocks(service, "deployment_controller").into_iter().next();
    let native = controller.and_then(|c| text(&c, "type")).is_none_or(|kind| kind == "ECS");
    native && text(service, "scheduling_strategy").as_deref() != Some("DAEMON")
}

/// Whether each of its tasks needs a host of its own.
pub(super) fn distinct(service: &Object) -> bool {
    let constraints = blocks(service, "placement_constraints");
    constraints.iter().any(|c| text(c, "type").as_deref() == Some("distinctInstance"))
}

/// Whether an autoscaler's target is this service, in its cluster as far as that is known.
pub(super) fn scales(look: &Look<'_>, target: &Change, service: &Change) -> bool {
    let Some(resource) = text(&target.after, "resource_id") else { return false };
    let Some((cluster, name)) = resource.strip_prefix("service/").and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let own = text(&service.after, "cluster");
    let declared = || look.named(service, &["aws_ecs_cluster"], "arn", own.clone());
    let own = declared().and_then(|c| text(&c.after, "name")).or(own.as_deref().map(|c| last(c).to_owned()));
    own.is_none_or(|own| own == cluster) && text(&service.after, "name").as_deref() == Some(name)
}

/// The least count that the service may have: its own, or what its autoscaler may go down to. With more tasks ECS may
/// stop and start no fewer, so that what moves with the least moves over the whole range.
fn least_count(look: &Look<'_>, service: &Change) -> Option<i64> {
    let declared = look.all(&["aws_appautoscaling_target"]).find(|target| scales(look, target, service));
    let elsewhere = || number(service.before.as_ref()?, "autoscaling_min_capacity");
    let bound = match declared {
        Some(target) => Some(number(&target.after, "min_capacity")?),
        None => elsewhere(),
    };
    match bound {
        Some(min) => Some(min.max(1)),
        None => number(&service.after, "desired_count").filter(|count| *count > 0),
    }
}

pub(super) fn deadlock(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for service in look.changed(SERVICE).filter(|s| rolls(&s.after) && strategy(&s.after) == "ROLLING") {
        let min = number(&service.after, "deployment_minimum_healthy_percent").unwrap_or(100);
        let max = number(&service.after, "deployment_maximum_percent").unwrap_or(200);
        if let Some(count) = least_count(look, service).filter(|count| stands_still(*count, min, max)) {
            let text = format!("with {min}–{max} % of {count} tasks none may be stopped and none started");
            found.push(finding(service, text));
        }
    }
    found
}

pub(super) fn safety_net(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for service in look.changed(SERVICE).filter(|s| rolls(&s.after)) {
        let on = |name, flag| blocks(&service.after, name).iter().any(|block| is_on(block, flag));
        let unknown = |name| service.after.value(name).is_some_and(|v| !v.is_wholly_known());
        let watched = on("deployment_circuit_breaker", "enable") || on("alarms", "enable");
        if !watched && !unknown("deployment_circuit_breaker") && !unknown("alarms") {
            found.push(finding(service, "no circuit breaker and no alarms"));
        }
        let never = service.before.as_ref().is_some_and(|live| is_off(live, "deployment_completed"));
        if never && !service.rollout.is_empty() {
            found
                .push(finding(service, "no deployment of it has completed yet: there is none to go back to"));
        }
    }
    for change in
        look.changed(&["aws_ecs_service", "aws_autoscaling_group"]).filter(|c| !c.rollout.is_empty())
    {
        let firing = |name: &String| look.live.alarms.get(name).is_some_and(|state| state == "ALARM");
        for name in needs::alarms(change).into_iter().filter(firing) {
            found.push(finding(change, format!("its alarm {name} is red already, before anything changes")));
        }
    }
    found
}

pub(super) fn blue_green(look: &Look<'_>) -> Vec<Finding> {
    let shifting = |s: &&Change| rolls(&s.after) && strategy(&s.after) != "ROLLING";
    let services = look.changed(SERVICE).filter(shifting);
    services.flat_map(|service| preflight(look, service)).collect()
}

fn preflight(look: &Look<'_>, service: &Change) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(bake_problem(service));
    for balancer in blocks(&service.after, "load_balancer") {
        found.extend(container_problem(look, service, &balancer));
        let Some(advanced) = blocks(&balancer, "advanced_configuration").into_iter().next() else { continue };
        let groups = [text(&balancer, "target_group_arn"), text(&advanced, "alternate_target_group_arn")];
        found.extend(
            rules_of(look, service, &advanced)
                .into_iter()
                .filter_map(|r| rule_problem(look, service, r, &groups)),
        );
        found.extend(role_problem(look, service, &advanced));
        found.extend(type_problems(look, service, &groups));
    }
    found
}

/// How long old and new tasks run side by side after all of the traffic has moved.
fn bake_problem(service: &Change) -> Option<Finding> {
    let configuration = blocks(&service.desired, "deployment_configuration").into_iter().next()?;
    let declared = configuration.value("bake_time_in_minutes").filter(|minutes| !minutes.is_null());
    if declared.is_some_and(|minutes| minutes.as_i64() != Some(0)) {
        return None;
    }
    let text = "without a bake_time_in_minutes its old tasks go as soon as the traffic has moved, and the way back \
                with them";
    Some(finding(service, text).into_warning())
}

/// Whether the container and its port are in the task definition.
fn container_problem(look: &Look<'_>, service: &Change, balancer: &Object) -> Option<Finding> {
    let definition = look.definition(service)?;
    let containers = containers(definition);
    let (name, port) = (text(balancer, "container_name")?, number(balancer, "container_port")?);
    if containers.is_empty() {
        return None;
    }
    let Some(container) = containers.iter().find(|c| c["name"].as_str() == Some(&name)) else {
        return Some(finding(service, format!("{} has no container {name}", definition.address)));
    };
    let mut mapped = container["portMappings"].as_array().into_iter().flatten();
    let has_port =
        mapped.any(|p| p["containerPort"].as_i64() == Some(port) || p["containerPortRange"].is_string());
    let text = format!("the container {name} of {} has no port {port}", definition.address);
    (!has_port).then(|| finding(service, text))
}

const RULES: &[&str] = &["aws_lb_listener_rule", "aws_alb_listener_rule"];
const GROUPS: &[&str] = &["aws_lb_target_group", "aws_alb_target_group"];

/// The rules by which its traffic moves; while those are not known yet, all that it is made from.
fn rules_of<'p>(look: &Look<'p>, service: &Change, advanced: &Object) -> Vec<&'p Change> {
    let named: Vec<&Value> = ["production_listener_rule", "test_listener_rule"]
        .into_iter()
        .filter_map(|rule| advanced.value(rule).filter(|arn| !arn.is_null()))
        .collect();
    if named.iter().any(|arn| arn.is_unknown()) {
        return look.used(service, RULES);
    }
    let ours = |rule: &&Change| {
        text(&rule.after, "arn").is_some_and(|arn| named.iter().any(|n| n.as_str() == Some(&arn)))
    };
    look.all(RULES).filter(ours).collect()
}

/// Both groups stand on the rule, which only forwards.
fn rule_problem(
    look: &Look<'_>,
    service: &Change,
    rule: &Change,
    groups: &[Option<String>],
) -> Option<Finding> {
    let actions = blocks(&rule.after, "action");
    if let Some(other) = actions.iter().filter_map(|a| text(a, "type")).find(|kind| kind != "forward") {
        return Some(finding(service, format!("its rule {} has an action {other}", rule.address)));
    }
    let forwards: Vec<Object> = actions.iter().flat_map(|a| blocks(a, "forward")).collect();
    let targets: Vec<Object> = forwards.iter().flat_map(|f| blocks(f, "target_group")).collect();
    let single =
        actions.iter().filter_map(|a| a.value("target_group_arn")).filter(|arn| !arn.is_null()).count();
    let count = if targets.is_empty() { single } else { targets.len() };
    if count == 1 {
        let text = format!("one target group stands on its rule {}, and it needs both there", rule.address);
        return Some(finding(service, text));
    }
    let standing: Vec<String> = targets.iter().filter_map(|g| text(g, "arn")).collect();
    // What the service has already is known on the rule, too.
    let missing = groups.iter().flatten().find(|group| !targets.is_empty() && !standing.contains(group));
    let unnamed = || {
        let of_rule = look.used(rule, GROUPS);
        let mut of_service = look.used(service, GROUPS).into_iter();
        let new = groups.iter().all(Option::is_none);
        of_service
            .find(|g| new && !of_rule.iter().any(|r| r.address == g.address))
            .map(|g| g.address.to_string())
    };
    let group = missing.cloned().or_else(unnamed)?;
    Some(finding(service, format!("target group {group} does not stand on its rule {}", rule.address)))
}

/// Whether ECS may take on the role that it moves the traffic with.
fn role_problem(look: &Look<'_>, service: &Change, advanced: &Object) -> Option<Finding> {
    let role = match text(advanced, "role_arn") {
        Some(arn) => look.all(&["aws_iam_role"]).find(|r| text(&r.after, "arn").as_ref() == Some(&arn)),
        None => look.named(service, &["aws_iam_role"], "arn", None),
    }?;
    let policy: Json = serde_json::from_str(&text(&role.after, "assume_role_policy")?).ok()?;
    let text = format!("{} does not let ecs.amazonaws.com assume it", role.address);
    (!trusts(&policy, "ecs.amazonaws.com")).then(|| finding(service, text))
}

/// Whether a trust policy lets a service of AWS assume the role.
fn trusts(policy: &Json, service: &str) -> bool {
    let listed = |value: &Json| -> Vec<String> {
        match value {
            Json::Array(items) => items.iter().filter_map(|i| i.as_str().map(str::to_owned)).collect(),
            one => one.as_str().map(str::to_owned).into_iter().collect(),
        }
    };
    let statements = match &policy["Statement"] {
        Json::Array(all) => all.clone(),
        one => vec![one.clone()],
    };
    statements.iter().any(|s| {
        let principals = listed(&s["Principal"]["Service"]);
        let actions = listed(&s["Action"]);
        s["Effect"].as_str() == Some("Allow")
            && (principals.iter().any(|p| p == service) || s["Principal"].as_str() == Some("*"))
            && actions.iter().any(|a| ["sts:AssumeRole", "sts:*", "*"].contains(&a.as_str()))
    })
}

/// Tasks with addresses of their own are targets by those, others by their hosts.
fn type_problems(look: &Look<'_>, service: &Change, groups: &[Option<String>]) -> Vec<Finding> {
    let Some(definition) = look.definition(service) else { return Vec::new() };
    let Some(mode) = network_mode(definition) else { return Vec::new() };
    let awsvpc = mode == "awsvpc";
    let of_service: Vec<&Change> = match groups.iter().all(Option::is_none) {
        true => look.used(service, GROUPS),
        false => {
            let ours = |group: &&Change| {
                text(&group.after, "arn").is_some_and(|arn| groups.iter().flatten().any(|g| *g == arn))
            };
            look.all(GROUPS).filter(ours).collect()
        }
    };
    let mut found = Vec::new();
    for group in of_service {
        let kind = text(&group.after, "target_type");
        let text = match kind.as_deref() {
            Some("instance") if awsvpc => "its tasks have addresses of their own, but {} takes instances",
            Some("ip") if !awsvpc => "its tasks are reached at their hosts, but {} takes addresses",
            _ => continue,
        };
        found.push(finding(service, text.replace("{}", &group.address.to_string())));
    }
    found
}

/// What is kept of services and groups while this plan rolls them.
pub(super) fn kept(look: &Look<'_>) -> Vec<Finding> {
    let Some(asked) = look.min_healthy else { return Vec::new() };
    let mut found = Vec::new();
    let rolled = |c: &&Change| !c.rollout.is_empty();
    for service in look.changed(SERVICE).filter(rolled).filter(|s| strategy(&s.after) == "ROLLING") {
        let least = number(&service.after, "deployment_minimum_healthy_percent").unwrap_or(100);
        if (least as f64) < asked {
            found.push(finding(service, format!("it keeps {least} % of its tasks, {asked} % are asked for")));
        }
    }
    for group in look.changed(&["aws_autoscaling_group"]).filter(rolled) {
        let refresh = blocks(&group.after, "instance_refresh").into_iter().next();
        let preferences = refresh.and_then(|r| blocks(&r, "preferences").into_iter().next());
        // Without preferences AWS's refresh is started with 90.
        let least = preferences.and_then(|p| number(&p, "min_healthy_percentage")).unwrap_or(90);
        if (least as f64) < asked {
            found.push(finding(
                group,
                format!("it keeps {least} % of its instances, {asked} % are asked for"),
            ));
        }
    }
    found
}

/// Names of the roles that a service's tasks run with.
pub(super) fn roles(look: &Look<'_>) -> Vec<String> {
    let definitions = look.all(&["aws_ecs_task_definition"]);
    let roles =
        definitions.flat_map(|d| [text(&d.after, "execution_role_arn"), text(&d.after, "task_role_arn")]);
    let services = look.all(SERVICE).flat_map(|s| texts(&s.after, "iam_role"));
    roles.flatten().chain(services).filter_map(|arn| arn.rsplit('/').next().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What [`least_count`] relies on.
    #[test]
    fn a_deployment_that_moves_with_few_tasks_moves_with_more() {
        for (min, max) in
            (0..=100).step_by(5).flat_map(|min| (100..=200).step_by(5).map(move |max| (min, max)))
        {
            let first = (1..=200).find(|count| !stands_still(*count, min, max));
            let moving = (first.unwrap_or(200)..=200).all(|count| !stands_still(count, min, max));
            assert!(first.is_none() || moving, "{min}–{max} %");
        }
    }

    #[test]
    fn a_role_is_trusted_to_whom_its_policy_names() {
        let policy = |effect: &str, service: Json| {
            let principal = json!({ "Service": service });
            json!({ "Statement": { "Effect": effect, "Principal": principal, "Action": ["sts:AssumeRole"] } })
        };
        assert!(trusts(
            &policy("Allow", json!(["ec2.amazonaws.com", "ecs.amazonaws.com"])),
            "ecs.amazonaws.com"
        ));
        assert!(!trusts(&policy("Allow", json!("ecs-tasks.amazonaws.com")), "ecs.amazonaws.com"));
        assert!(!trusts(&policy("Deny", json!("ecs.amazonaws.com")), "ecs.amazonaws.com"));
    }
}

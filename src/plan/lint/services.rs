//! ECS services: deployments that stand still, are refused, or are watched by nobody.

use super::{Finding, Look, blocks, finding, is_on, number, text, texts};
use crate::plan::Change;
use crate::rollout::ecs_deployment::stands_still;
use crate::schema::Object;

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

/// Counts that the service may have: its own, or all that its autoscaler allows.
fn counts(look: &Look<'_>, service: &Change) -> Vec<i64> {
    let name = text(&service.after, "name").unwrap_or_default();
    let ours = |target: &&Change| {
        let resource = text(&target.after, "resource_id");
        resource.is_some_and(|id| id.starts_with("service/") && id.rsplit('/').next() == Some(&name))
    };
    match look.all(&["aws_appautoscaling_target"]).find(ours) {
        Some(target) => {
            let bound = |which| number(&target.after, which);
            match bound("min_capacity").zip(bound("max_capacity")) {
                Some((min, max)) => (min.max(1)..=max.min(min + 1000)).collect(),
                None => Vec::new(),
            }
        }
        None => number(&service.after, "desired_count").into_iter().filter(|count| *count > 0).collect(),
    }
}

pub(super) fn deadlock(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for service in look.changed(SERVICE).filter(|s| rolls(&s.after) && strategy(&s.after) == "ROLLING") {
        let min = number(&service.after, "deployment_minimum_healthy_percent").unwrap_or(100);
        let max = number(&service.after, "deployment_maximum_percent").unwrap_or(200);
        if let Some(desired) = counts(look, service).into_iter().find(|count| stands_still(*count, min, max))
        {
            let text = format!("with {min}–{max} % of {desired} tasks none may be stopped and none started");
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
    for balancer in blocks(&service.after, "load_balancer") {
        let Some(advanced) = blocks(&balancer, "advanced_configuration").into_iter().next() else { continue };
        let groups: Vec<String> =
            [text(&balancer, "target_group_arn"), text(&advanced, "alternate_target_group_arn")]
                .into_iter()
                .flatten()
                .collect();
        found.extend(rule_problems(look, service, &advanced, &groups));
        found.extend(type_problems(look, service, &groups));
    }
    found
}

/// Both groups stand on the production rule, which only forwards.
fn rule_problems(look: &Look<'_>, service: &Change, advanced: &Object, groups: &[String]) -> Vec<Finding> {
    let Some(arn) = text(advanced, "production_listener_rule") else { return Vec::new() };
    let rules = look.all(&["aws_lb_listener_rule", "aws_alb_listener_rule"]);
    let Some(rule) = rules.into_iter().find(|r| text(&r.after, "arn").as_ref() == Some(&arn)) else {
        return Vec::new();
    };
    let actions = blocks(&rule.after, "action");
    if let Some(other) = actions.iter().filter_map(|a| text(a, "type")).find(|kind| kind != "forward") {
        return vec![finding(service, format!("its rule {} has an action {other}", rule.address))];
    }
    let forwards: Vec<Object> = actions.iter().flat_map(|a| blocks(a, "forward")).collect();
    let standing: Vec<String> =
        forwards.iter().flat_map(|f| blocks(f, "target_group")).filter_map(|g| text(&g, "arn")).collect();
    let missing = groups.iter().find(|group| !standing.is_empty() && !standing.contains(group));
    let told = |group: &String| {
        finding(service, format!("target group {group} does not stand on its rule {}", rule.address))
    };
    missing.map(told).into_iter().collect()
}

fn type_problems(look: &Look<'_>, service: &Change, groups: &[String]) -> Vec<Finding> {
    let definition = text(&service.after, "task_definition");
    let definitions = look.all(&["aws_ecs_task_definition"]);
    let own =
        definitions.into_iter().find(|d| text(&d.after, "arn").is_some_and(|arn| Some(arn) == definition));
    let awsvpc = own.is_some_and(|d| text(&d.after, "network_mode").as_deref() == Some("awsvpc"));
    let mut found = Vec::new();
    for group in look.all(&["aws_lb_target_group", "aws_alb_target_group"]).filter(|_| awsvpc) {
        let ours = text(&group.after, "arn").is_some_and(|arn| groups.contains(&arn));
        if ours && text(&group.after, "target_type").is_some_and(|kind| kind != "ip") {
            found.push(finding(
                service,
                format!("its tasks have addresses of their own, but {} takes instances", group.address),
            ));
        }
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

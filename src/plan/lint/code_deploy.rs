//! Services that CodeDeploy deploys: whether it can, and what it moves.

use super::{Finding, Look, blocks, finding, text, texts};
use crate::plan::{Action, Change, Reason};
use crate::schema::Object;
use std::collections::BTreeSet;

const GROUP: &[&str] = &["aws_codedeploy_deployment_group"];

pub(super) fn controls(service: &Object) -> bool {
    let controller = blocks(service, "deployment_controller").into_iter().next();
    controller.and_then(|c| text(&c, "type")).as_deref() == Some("CODE_DEPLOY")
}

pub(super) fn undeployable(look: &Look<'_>) -> Vec<Finding> {
    let services = look.changed(&["aws_ecs_service"]).filter(|s| controls(&s.after));
    services.filter_map(|service| made_anew(service).or_else(|| problem(look, service))).collect()
}

/// The traffic is where CodeDeploy has moved it, and a new service starts in the group that it declares: it would serve
/// nobody, or nobody would be served before it runs.
fn made_anew(service: &Change) -> Option<Finding> {
    let serves = service.action == Action::Replace && service.reason != Some(Reason::Tainted);
    let why: Vec<&str> = service.attributes.iter().filter(|a| a.replaces).map(|a| a.name.as_str()).collect();
    let why = if why.is_empty() { "it is asked for".to_owned() } else { why.join(", ") };
    let text = format!(
        "it must be made anew ({why}), and CodeDeploy cannot hand its traffic over: declare a second service with a \
         deployment group and target groups of its own, move the listener there, then take this one away"
    );
    serves.then(|| finding(service, text))
}

fn problem(look: &Look<'_>, service: &Change) -> Option<Finding> {
    let declared = look.all(GROUP).find(|group| is_for(group, service));
    let stands = service.before.as_ref().is_some_and(|live| live.has("code_deploy"));
    if !service.rollout.is_empty() && !stands {
        let text = match declared.filter(|group| group.action == Action::Create) {
            Some(group) => format!(
                "its deployment group {} is made after it: apply that first, without this change of the service",
                group.address
            ),
            None => {
                "no deployment group of CodeDeploy is for it: declare an aws_codedeploy_deployment_group \
                     whose `ecs_service` names it"
                    .to_owned()
            }
        };
        return Some(finding(service, text));
    }
    let pair = pair(declared?);
    let other =
        group_names(&service.after).into_iter().find(|name| pair.len() == 2 && !pair.contains(name))?;
    let pair: Vec<String> = pair.into_iter().collect();
    let text = format!(
        "its target group {other} is not in the pair of {}, which is {}",
        declared?.address,
        pair.join(" and ")
    );
    Some(finding(service, text))
}

/// Whether a declared group names the service, of the same cluster as far as that is known.
fn is_for(group: &Change, service: &Change) -> bool {
    let last = |name: String| name.rsplit('/').next().map(str::to_owned);
    blocks(&group.after, "ecs_service").iter().any(|one| {
        let cluster = text(one, "cluster_name").and_then(last);
        let own = text(&service.after, "cluster").and_then(last);
        let same = cluster.zip(own).is_none_or(|(one, other)| one == other);
        same && text(one, "service_name").is_some_and(|name| Some(name) == text(&service.after, "name"))
    })
}

/// Names of the target groups between which it moves traffic, as far as they are known.
fn pair(group: &Change) -> BTreeSet<String> {
    let info = blocks(&group.after, "load_balancer_info");
    let pairs = info.iter().flat_map(|b| blocks(b, "target_group_pair_info"));
    let groups = pairs.flat_map(|pair| blocks(&pair, "target_group"));
    groups.filter_map(|one| text(&one, "name")).collect()
}

/// Of the service's target groups, from their ARNs.
fn group_names(service: &Object) -> Vec<String> {
    let arns = blocks(service, "load_balancer").into_iter().filter_map(|b| text(&b, "target_group_arn"));
    arns.filter_map(|arn| arn.rsplit('/').nth(1).map(str::to_owned)).collect()
}

/// Listeners and rules whose traffic CodeDeploy moves, changed by this plan.
pub(super) fn owned(look: &Look<'_>) -> Vec<Finding> {
    const ROUTES: &[&str] =
        &["aws_lb_listener", "aws_lb_listener_rule", "aws_alb_listener", "aws_alb_listener_rule"];
    let moved = |route: &&Change| {
        let action = |a: &crate::plan::AttributeChange| ["action", "default_action"].contains(&&*a.name);
        let between = route.before.as_ref().is_some_and(|live| !texts(live, "moved_between").is_empty());
        between && route.attributes.iter().any(action)
    };
    let told = |route: &Change| {
        let by = route.before.as_ref().and_then(|live| text(live, "weights_moved_by")).unwrap_or_default();
        finding(route, format!("CodeDeploy moves its traffic, by {by}"))
    };
    look.changed(ROUTES).filter(moved).map(told).collect()
}

//! Names that two have, or that a replacement keeps.

use super::{Finding, Look, finding, last, number, text};
use crate::plan::{Action, Change};
use crate::state::without_keys;
use std::collections::BTreeMap;

/// What AWS has once, and by what two of them are told apart: in an account and region, in a cluster, in a VPC …
struct Named {
    types: &'static [&'static str],
    by: &'static [&'static str],
}

const NAMED: &[Named] = &[
    Named { types: &["aws_appautoscaling_target"], by: &["scalable_dimension", "resource_id"] },
    Named { types: &["aws_autoscaling_group"], by: &["name"] },
    Named { types: &["aws_cloudwatch_log_group"], by: &["name"] },
    Named { types: &["aws_cloudwatch_metric_alarm"], by: &["alarm_name"] },
    Named { types: &["aws_codedeploy_app"], by: &["name"] },
    Named { types: &["aws_ecr_repository"], by: &["name"] },
    Named { types: &["aws_ecs_capacity_provider"], by: &["name"] },
    Named { types: &["aws_ecs_cluster"], by: &["name"] },
    Named { types: &["aws_ecs_service"], by: &["cluster", "name"] },
    Named { types: &["aws_iam_instance_profile"], by: &["name"] },
    Named { types: &["aws_iam_policy"], by: &["name"] },
    Named { types: &["aws_iam_role"], by: &["name"] },
    Named { types: &["aws_launch_template"], by: &["name"] },
    Named { types: &["aws_lb", "aws_alb"], by: &["name"] },
    Named { types: &["aws_lb_listener", "aws_alb_listener"], by: &["load_balancer_arn", "port"] },
    Named { types: &["aws_lb_listener_rule", "aws_alb_listener_rule"], by: &["listener_arn", "priority"] },
    Named { types: &["aws_lb_target_group", "aws_alb_target_group"], by: &["name"] },
    Named { types: &["aws_security_group"], by: &["vpc_id", "name"] },
    Named { types: &["aws_ssm_parameter"], by: &["name"] },
];

pub(super) fn twice(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut first: BTreeMap<(&str, &str, Vec<String>), &Change> = BTreeMap::new();
    for change in look.changes.iter().map(|c| &**c) {
        let stays = !matches!(change.action, Action::Delete | Action::Forget);
        let named = NAMED.iter().find(|named| named.types.contains(&&*change.address.type_name));
        let Some(named) = named.filter(|_| stays) else { continue };
        let parts = named.by.iter().map(|part| part_of(look, change, part)).collect::<Option<Vec<_>>>();
        let Some(parts) = parts else { continue };
        let same = match named.by.last() {
            Some(part) if !part.ends_with("name") => {
                format!("has the same {part} {}", parts[parts.len() - 1])
            }
            _ => format!("is also called {}", parts[parts.len() - 1]),
        };
        if let Some(other) = first.insert((named.types[0], &change.provider, parts), change)
            && (other.action == Action::Create || change.action == Action::Create)
        {
            found.push(finding(change, format!("{} {same}", other.address)));
        }
    }
    found
}

/// A part of what tells two apart. What they are in may not be known yet: then the only one that this one is made
/// from stands for it.
fn part_of(look: &Look<'_>, change: &Change, part: &str) -> Option<String> {
    let container: &'static [&'static str] = match part {
        "cluster" => &["aws_ecs_cluster"],
        "load_balancer_arn" => &["aws_lb", "aws_alb"],
        "listener_arn" => &["aws_lb_listener", "aws_alb_listener"],
        "vpc_id" => &["aws_vpc"],
        _ => &[],
    };
    let known = text(&change.after, part).or_else(|| number(&change.after, part).map(|n| n.to_string()));
    match (known, &look.used(change, container)[..]) {
        // A cluster goes by its name or its ARN.
        (Some(known), _) if part == "cluster" => Some(last(&known).to_owned()),
        (Some(known), _) => Some(known),
        (None, [only]) => Some(only.address.to_string()),
        (None, _) => None,
    }
}

pub(super) fn kept_name(look: &Look<'_>) -> Vec<Finding> {
    const ONE_NAME: &[&str] = &[
        "aws_lb_target_group",
        "aws_alb_target_group",
        "aws_lb",
        "aws_alb",
        "aws_iam_role",
        "aws_ecs_capacity_provider",
        "aws_autoscaling_group",
        "aws_iam_instance_profile",
    ];
    let mut found = Vec::new();
    for change in look.changed(ONE_NAME).filter(|c| c.action == Action::Replace) {
        let before = change.before.as_ref().and_then(|before| text(before, "name"));
        let after = text(&change.after, "name").filter(|name| !name.is_empty());
        let Some(name) = after.filter(|name| before.as_ref() == Some(name)) else { continue };
        if change.create_before_destroy {
            let text = format!("the new one cannot be called {name} while the old one is");
            found.push(finding(change, text));
        } else if let Some(user) = user_of(look, change) {
            let text =
                format!("{} is without {name} from when it is deleted until it is made again", user.address);
            found.push(finding(change, text).into_warning());
        }
    }
    found
}

/// One that is there, stays, and was made from it.
fn user_of<'p>(look: &Look<'p>, used: &Change) -> Option<&'p Change> {
    let name = without_keys(&used.address);
    let stays = |c: &&Change| {
        c.before.is_some()
            && !matches!(c.action, Action::Delete | Action::Forget)
            && c.depends_on.contains(&name)
    };
    look.changes.iter().map(|c| &**c).find(stays)
}

//! Names that two have, or that a replacement keeps; permissions that go too early.

use super::{Finding, Look, finding, services, text};
use crate::plan::{Action, Change};
use std::collections::BTreeMap;

/// Types with one name an account and region, and what tells two of them apart.
const NAMED: &[(&str, &[&str])] = &[
    ("aws_autoscaling_group", &["name"]),
    ("aws_cloudwatch_log_group", &["name"]),
    ("aws_cloudwatch_metric_alarm", &["alarm_name"]),
    ("aws_ecr_repository", &["name"]),
    ("aws_ecs_capacity_provider", &["name"]),
    ("aws_ecs_cluster", &["name"]),
    ("aws_ecs_service", &["cluster", "name"]),
    ("aws_iam_instance_profile", &["name"]),
    ("aws_iam_role", &["name"]),
    ("aws_launch_template", &["name"]),
    ("aws_lb", &["name"]),
    ("aws_lb_target_group", &["name"]),
    ("aws_ssm_parameter", &["name"]),
];

pub(super) fn twice(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut first: BTreeMap<(&str, &str, Vec<String>), &Change> = BTreeMap::new();
    for change in look.changes.iter().map(|c| &**c) {
        let stays = !matches!(change.action, Action::Delete | Action::Forget);
        let named = NAMED.iter().find(|(type_name, _)| *type_name == &*change.address.type_name);
        let Some((type_name, parts)) = named.filter(|_| stays) else { continue };
        let name = parts.iter().map(|part| text(&change.after, part)).collect::<Option<Vec<_>>>();
        let Some(name) = name else { continue };
        let called = name.join("/");
        if let Some(other) = first.insert((type_name, &change.provider, name), change)
            && (other.action == Action::Create || change.action == Action::Create)
        {
            found.push(finding(change, format!("{} is also called {called}", other.address)));
        }
    }
    found
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
    for change in look.changed(ONE_NAME).filter(|c| c.action == Action::Replace && c.create_before_destroy) {
        let before = change.before.as_ref().and_then(|before| text(before, "name"));
        let after = text(&change.after, "name").filter(|name| !name.is_empty());
        if let Some(name) = after.filter(|name| before.as_ref() == Some(name)) {
            let text = format!("the new one cannot be called {name} while the old one is");
            found.push(finding(change, text));
        }
    }
    found
}

pub(super) fn permissions(look: &Look<'_>) -> Vec<Finding> {
    const POLICIES: &[&str] = &["aws_iam_role_policy_attachment", "aws_iam_role_policy"];
    let in_use = services::roles(look);
    let mut found = Vec::new();
    for change in look.changes.iter().filter(|c| c.action == Action::Delete) {
        if !POLICIES.contains(&&*change.address.type_name) {
            continue;
        }
        let role = change.before.as_ref().and_then(|before| text(before, "role"));
        if let Some(role) = role.filter(|role| in_use.contains(role)) {
            found.push(finding(change, format!("tasks that stay run with the role {role}")));
        }
    }
    found
}

//! What goes while something that stays still uses it.

use super::{Finding, Look, blocks, finding, last, services, text, texts};
use crate::plan::staging::is_staged;
use crate::plan::{Action, Change};

pub(super) fn in_use(look: &Look<'_>) -> Vec<Finding> {
    let mut found = permissions(look);
    found.extend(providers(look));
    found.extend(groups(look));
    found
}

/// What goes for good, of one type.
fn deleted<'p>(look: &Look<'p>, type_name: &'static str) -> impl Iterator<Item = &'p Change> + use<'p> {
    let of_type = move |c: &&Change| c.action == Action::Delete && &*c.address.type_name == type_name;
    look.changes.iter().map(|c| &**c).filter(of_type)
}

fn permissions(look: &Look<'_>) -> Vec<Finding> {
    let in_use = services::roles(look);
    let policies = ["aws_iam_role_policy_attachment", "aws_iam_role_policy"];
    let mut found = Vec::new();
    for change in policies.into_iter().flat_map(|kind| deleted(look, kind)) {
        let role = change.before.as_ref().and_then(|before| text(before, "role"));
        if let Some(role) = role.filter(|role| in_use.contains(role)) {
            found.push(finding(change, format!("tasks that stay run with the role {role}")));
        }
    }
    found
}

/// Capacity providers that are deleted, or taken from their cluster, while a service names them.
fn providers(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for provider in deleted(look, "aws_ecs_capacity_provider") {
        let Some(name) = provider.before.as_ref().and_then(|before| text(before, "name")) else { continue };
        if let Some(service) = user_of(look, &name, None).filter(|s| !is_staged(s)) {
            let text = format!("{} still places its tasks by the capacity provider {name}", service.address);
            found.push(finding(provider, text));
        }
    }
    for attachment in look.changed(&["aws_ecs_cluster_capacity_providers"]) {
        let Some(before) = attachment.before.as_ref().filter(|_| attachment.action == Action::Update) else {
            continue;
        };
        // Names that are not known yet may be any.
        if !attachment.after.value("capacity_providers").is_some_and(|listed| listed.is_wholly_known()) {
            continue;
        }
        let kept = texts(&attachment.after, "capacity_providers");
        let has_default = !blocks(&attachment.after, "default_capacity_provider_strategy").is_empty();
        let cluster = text(before, "cluster_name");
        for name in texts(before, "capacity_providers").into_iter().filter(|name| !kept.contains(name)) {
            // What took the default goes to the new one, if there is one.
            let user = user_of(look, &name, cluster.as_deref()).filter(|s| !(has_default && is_staged(s)));
            if let Some(service) = user {
                let text =
                    format!("{} still places its tasks by {name}, which it leaves out", service.address);
                found.push(finding(attachment, text));
            }
        }
    }
    found
}

/// A service that stays, of this cluster, and places tasks by this provider, also after what this plan changes.
fn user_of<'p>(look: &Look<'p>, provider: &str, cluster: Option<&str>) -> Option<&'p Change> {
    look.all(&["aws_ecs_service"]).find(|service| {
        let own = text(&service.after, "cluster");
        let here = cluster.is_none_or(|cluster| own.is_none_or(|own| last(&own) == cluster));
        let names = |item: &crate::schema::Object| {
            text(item, "capacity_provider").is_some_and(|name| last(&name) == provider)
        };
        let declared = blocks(&service.after, "capacity_provider_strategy");
        let live = || service.before.as_ref().map(|live| blocks(live, "capacity_provider_strategy"));
        let by = if declared.is_empty() { live().unwrap_or_default() } else { declared };
        here && service.action != Action::Replace && by.iter().any(names)
    })
}

/// Groups that are deleted while a capacity provider that stays scales them.
fn groups(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for group in deleted(look, "aws_autoscaling_group") {
        let Some(arn) = group.before.as_ref().and_then(|before| text(before, "arn")) else { continue };
        let of_it = |provider: &&Change| {
            let of = blocks(&provider.after, "auto_scaling_group_provider");
            of.iter().any(|block| text(block, "auto_scaling_group_arn").as_ref() == Some(&arn))
        };
        if let Some(provider) = look.all(&["aws_ecs_capacity_provider"]).find(of_it) {
            found.push(finding(group, format!("{} still scales it", provider.address)));
        }
    }
    found
}

//! Groups of instances: sizes, refreshes, what their hosts run at boot.

use super::{Finding, Look, blocks, finding, is_on, number, text};
use crate::plan::{Action, Change};
use crate::schema::Object;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const GROUP: &[&str] = &["aws_autoscaling_group"];

pub(super) fn sizes(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for group in look.changed(GROUP) {
        let live = group.before.as_ref().and_then(|before| number(before, "desired_capacity"));
        if let Some((max, live)) = number(&group.after, "max_size").zip(live).filter(|(max, live)| max < live)
        {
            found.push(finding(group, format!("max_size {max} is below the {live} that run now")));
        }
        let sized = |a: &crate::diff::AttributeChange| a.name == "desired_capacity";
        if group.action == Action::Update && managed(look, group) && group.attributes.iter().any(sized) {
            found.push(finding(group, "its capacity provider scales it, but desired_capacity is declared"));
        }
    }
    for service in look.changed(&["aws_ecs_service"]).filter(|s| s.action == Action::Update) {
        let counted = service.attributes.iter().any(|a| a.name == "desired_count");
        let name = text(&service.after, "name").unwrap_or_default();
        let scaled = look.all(&["aws_appautoscaling_target"]).any(|target| {
            text(&target.after, "resource_id").is_some_and(|id| id.rsplit('/').next() == Some(&name))
        });
        if counted && scaled {
            found.push(finding(service, "its autoscaler decides, but desired_count is declared"));
        }
    }
    found
}

/// Whether a capacity provider scales the group.
fn managed(look: &Look<'_>, group: &Change) -> bool {
    let arn = text(&group.after, "arn");
    look.all(&["aws_ecs_capacity_provider"]).any(|provider| {
        blocks(&provider.after, "auto_scaling_group_provider").iter().any(|p| {
            let own = text(p, "auto_scaling_group_arn").is_some_and(|a| Some(a) == arn);
            let scaling = blocks(p, "managed_scaling");
            own && scaling.iter().any(|s| text(s, "status").as_deref() != Some("DISABLED"))
        })
    })
}

fn preferences(group: &Object) -> Option<Object> {
    let refresh = blocks(group, "instance_refresh").into_iter().next()?;
    blocks(&refresh, "preferences").into_iter().next()
}

/// Groups that this plan refreshes.
fn refreshed<'p>(look: &Look<'p>) -> impl Iterator<Item = &'p Change> + use<'p> {
    look.changed(GROUP).filter(|group| group.rollout.iter().any(|step| step.name == "start-refresh"))
}

pub(super) fn refresh(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for group in refreshed(look) {
        let Some(preferences) = preferences(&group.after) else { continue };
        let protected = is_on(&group.after, "protect_from_scale_in");
        if protected && text(&preferences, "scale_in_protected_instances").as_deref() == Some("Ignore") {
            found.push(finding(group, "all its instances are protected, and the refresh leaves those out"));
        }
        let max = number(&preferences, "max_healthy_percentage").unwrap_or(100);
        let few = number(&group.after, "max_size").is_some_and(|size| size <= 10);
        if max <= 100 && few {
            found.push(finding(group, "it terminates instances before their replacements run"));
        }
    }
    found
}

pub(super) fn way_back(look: &Look<'_>) -> Vec<Finding> {
    let floating = |version: &str| version.starts_with('$');
    let mut found = Vec::new();
    for group in refreshed(look) {
        let mut templates = blocks(&group.after, "launch_template");
        for mixed in blocks(&group.after, "mixed_instances_policy") {
            let inner = blocks(&mixed, "launch_template");
            templates.extend(inner.iter().flat_map(|t| blocks(t, "launch_template_specification")));
        }
        if let Some(version) = templates.iter().filter_map(|t| text(t, "version")).find(|v| floating(v)) {
            found.push(finding(group, format!("its template version is {version}")));
        }
    }
    found
}

pub(super) fn user_data(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for one in look.changed(&["aws_launch_template", "aws_launch_configuration", "aws_instance"]) {
        let plain =
            text(&one.after, "user_data").filter(|_| &*one.address.type_name != "aws_launch_template");
        let encoded = text(&one.after, "user_data_base64").or_else(|| text(&one.after, "user_data"));
        let decoded = encoded.and_then(|text| STANDARD.decode(text).ok());
        let bytes = plain.map(String::into_bytes).or(decoded).unwrap_or_default();
        found.extend(script_fault(&bytes).map(|fault| finding(one, fault)));
    }
    found
}

/// Other forms that cloud-init takes begin otherwise: `#cloud-config`, a multi-part archive, gzip.
fn script_fault(data: &[u8]) -> Option<&'static str> {
    let known: [&[u8]; 5] = [b"#cloud-", b"Content-Type:", b"MIME-Version:", b"\x1f\x8b", b"## template:"];
    let trimmed = data.trim_ascii_start();
    if data.is_empty()
        || known.iter().any(|start| trimmed.starts_with(start))
        || trimmed.starts_with(b"#include")
    {
        return None;
    }
    // Bottlerocket's settings and Windows' scripts.
    if trimmed.starts_with(b"[") || trimmed.starts_with(b"<") {
        return None;
    }
    if !data.starts_with(b"#!") {
        return Some("its user data does not begin with `#!`");
    }
    data.windows(2).any(|pair| pair == b"\r\n").then_some("its user data has Windows line ends")
}

#[cfg(test)]
mod tests {
    use super::script_fault;

    #[test]
    fn scripts_begin_with_their_interpreter() {
        assert_eq!(script_fault(b"#!/bin/bash\necho ECS_CLUSTER=web >> /etc/ecs/ecs.config\n"), None);
        assert!(script_fault(b"    #!/bin/bash\n").is_some_and(|f| f.contains("does not begin")));
        assert!(script_fault(b"echo\n").is_some());
        assert!(script_fault(b"#!/bin/bash\r\necho\r\n").is_some_and(|f| f.contains("line ends")));
        for other in [
            &b"#cloud-config\npackages: []\n"[..],
            b"MIME-Version: 1.0\n",
            b"[settings.ecs]\n",
            b"<powershell>",
            b"",
        ] {
            assert_eq!(script_fault(other), None);
        }
    }
}

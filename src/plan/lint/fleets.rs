//! Groups of instances: sizes, refreshes, what their hosts run at boot.

use super::services::scales;
use super::{Finding, Look, blocks, finding, is_on, number, text};
use crate::plan::staging::leaving_traffic;
use crate::plan::{Action, Change};
use crate::schema::Object;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const GROUP: &[&str] = &["aws_autoscaling_group"];
const TEMPLATE: &[&str] = &["aws_launch_template"];

pub(super) fn sizes(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    // What traffic has left first is meant to end.
    let left: Vec<_> =
        leaving_traffic(look.changes).iter().map(|one| &look.changes[one.server].address).collect();
    for group in look.changed(GROUP).filter(|group| !left.contains(&&group.address)) {
        let live = group.before.as_ref().and_then(|before| number(before, "desired_capacity"));
        if let Some((max, live)) = number(&group.after, "max_size").zip(live).filter(|(max, live)| max < live)
        {
            found.push(finding(group, format!("max_size {max} is below the {live} that run now")));
        }
        let sized = |a: &crate::diff::AttributeChange| a.name == "desired_capacity";
        if group.action == Action::Update && managed(look, group) && group.attributes.iter().any(sized) {
            found.push(finding(group, "it is scaled by what it runs, but desired_capacity is declared"));
        }
    }
    for service in look.changed(&["aws_ecs_service"]).filter(|s| s.action == Action::Update) {
        let counted = service.attributes.iter().any(|a| a.name == "desired_count");
        let scaled = look.all(&["aws_appautoscaling_target"]).any(|target| scales(look, target, service));
        if counted && scaled {
            found.push(finding(service, "its autoscaler decides, but desired_count is declared"));
        }
    }
    found
}

/// Whether a capacity provider or a policy scales the group.
fn managed(look: &Look<'_>, group: &Change) -> bool {
    if group.before.as_ref().is_some_and(|live| text(live, "scaled_by").is_some()) {
        return true;
    }
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
        let what = match text(&preferences, "scale_in_protected_instances").as_deref() {
            Some("Ignore") => Some("the refresh leaves those out"),
            Some("Wait") => Some("the refresh waits an hour for that to end, and fails"),
            _ => None,
        };
        if let Some(what) = what.filter(|_| protected) {
            found.push(finding(group, format!("all its instances are protected, and {what}")));
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
        let Some(template) = template_of(look, group, &templates) else { continue };
        if text(&template.after, "image_id").is_some_and(|image| image.starts_with("resolve:ssm:")) {
            let text =
                format!("the image of {} is whatever a parameter of Systems Manager says", template.address);
            found.push(finding(group, text));
        }
        found.extend(same_again(group, template));
    }
    for group in refreshed(look) {
        let Some(bump) = bump(group).filter(|bump| look.live.alike.contains(bump)) else { continue };
        let text = format!(
            "all its instances are replaced for version {} of {}, which launches the same as version {}",
            bump.to, bump.template, bump.from
        );
        found.push(finding(group, text));
    }
    found
}

/// Another version of the same launch template, by its id or name, and nothing else that instances are launched from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bump {
    pub template: String,
    pub from: String,
    pub to: String,
}

pub(super) fn bump(group: &Change) -> Option<Bump> {
    let (template, from, with) = launched(group.before.as_ref()?)?;
    let (then, to, wanted) = launched(&group.after)?;
    (template == then && from != to && with == wanted).then_some(Bump { template, from, to })
}

/// Template and version that a group launches from, both known, and what it says beside them.
fn launched(group: &Object) -> Option<(String, String, Vec<Object>)> {
    let number = |version: Option<String>| version.filter(|v| v.parse::<u64>().is_ok());
    if let Some(template) = blocks(group, "launch_template").first() {
        let key = text(template, "id").or_else(|| text(template, "name"))?;
        return Some((key, number(text(template, "version"))?, Vec::new()));
    }
    let policy = blocks(group, "mixed_instances_policy").into_iter().next()?;
    let inner = blocks(&policy, "launch_template").into_iter().next()?;
    let template = blocks(&inner, "launch_template_specification").into_iter().next()?;
    let key = text(&template, "launch_template_id").or_else(|| text(&template, "launch_template_name"))?;
    let beside = [blocks(&inner, "override"), blocks(&policy, "instances_distribution")].concat();
    Some((key, number(text(&template, "version"))?, beside))
}

/// The launch template of a group, by what its specifications name or, before that is known, by what it is made from.
pub(super) fn template_of<'p>(
    look: &Look<'p>,
    group: &Change,
    specifications: &[Object],
) -> Option<&'p Change> {
    let id = |t: &Object| text(t, "id").or_else(|| text(t, "launch_template_id"));
    let name =
        specifications.iter().find_map(|t| text(t, "name").or_else(|| text(t, "launch_template_name")));
    match name {
        Some(name) => look.named(group, TEMPLATE, "name", Some(name)),
        None => look.named(group, TEMPLATE, "id", specifications.iter().find_map(id)),
    }
}

/// A new version of the template whose launch data is that of the one before, and nothing else of the group that
/// instances are launched from changes.
fn same_again(group: &Change, template: &Change) -> Option<Finding> {
    const SAYS_NOTHING: &[&str] = &[
        "arn",
        "default_version",
        "description",
        "id",
        "latest_version",
        "tags",
        "tags_all",
        "update_default_version",
    ];
    const LAUNCHES: &[&str] = &["launch_template", "mixed_instances_policy"];
    let alike = template.action == Action::Update
        && template.attributes.iter().any(|a| a.name == "description")
        && template.attributes.iter().all(|a| SAYS_NOTHING.contains(&&*a.name));
    let by_version = group.attributes.iter().all(|a| LAUNCHES.contains(&&*a.name));
    let text = format!(
        "all its instances are replaced for a version of {} that launches the same as the one before",
        template.address
    );
    (alike && by_version).then(|| finding(group, text))
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

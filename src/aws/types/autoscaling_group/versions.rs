//! Which version of its launch template a group really runs, whatever its pointer says.

use super::table::*;
use crate::aws::{Aws, AwsError, Existing, Op};
use crate::schema::Object;
use crate::value::Value;
use aws_sdk_autoscaling::types as sdk;
use aws_sdk_autoscaling::types::AutoScalingGroup;
use std::collections::BTreeMap;

/// Latest and default version of launch templates, by id and by name.
#[derive(Default)]
pub struct Templates(BTreeMap<String, (i64, i64)>);

impl Templates {
    /// `$Latest`, `$Default` or nothing to the number it means now; a number is itself.
    pub fn number(&self, template: &str, version: Option<&str>) -> Option<String> {
        let (latest, default) = match version {
            Some(v) if !v.is_empty() && !v.starts_with('$') => return Some(v.to_owned()),
            _ => self.0.get(template)?,
        };
        let number = if version == Some("$Latest") { latest } else { default };
        Some(number.to_string())
    }
}

/// Asks for templates by id or name, 200 a call; those that are gone are left out.
pub async fn templates(aws: &Aws, keys: Vec<String>) -> Result<Templates, AwsError> {
    let mut found = Templates::default();
    let (ids, names): (Vec<String>, Vec<String>) = keys.into_iter().partition(|k| k.starts_with("lt-"));
    let mut open: Vec<(bool, Vec<String>)> = Vec::new();
    open.extend(ids.chunks(200).map(|c| (true, c.to_vec())));
    open.extend(names.chunks(200).map(|c| (false, c.to_vec())));
    while let Some((by_id, keys)) = open.pop() {
        let call = aws.ec2.describe_launch_templates();
        let call = match by_id {
            true => call.set_launch_template_ids(Some(keys.clone())),
            false => call.set_launch_template_names(Some(keys.clone())),
        };
        let answer = match call.send().await.op("DescribeLaunchTemplates") {
            // One that is gone fails the whole call: then they are asked one by one.
            Err(e) if e.code.contains("NotFound") => {
                if keys.len() > 1 {
                    open.extend(keys.into_iter().map(|k| (by_id, vec![k])));
                }
                continue;
            }
            other => other?,
        };
        for t in answer.launch_templates() {
            let versions = (t.latest_version_number().unwrap_or(0), t.default_version_number().unwrap_or(0));
            for key in [t.launch_template_id(), t.launch_template_name()].into_iter().flatten() {
                found.0.insert(key.to_owned(), versions);
            }
        }
    }
    Ok(found)
}

/// The template specification that instances of a group are launched from.
pub fn pointer(g: &AutoScalingGroup) -> Option<&sdk::LaunchTemplateSpecification> {
    let mixed = g.mixed_instances_policy().and_then(|p| p.launch_template());
    g.launch_template().or(mixed.and_then(|t| t.launch_template_specification()))
}

/// Id (or name) and version of the template that an object declares.
pub fn declared(o: &Object) -> Option<(String, Option<String>)> {
    let (id, name, version) = match o.block(&LAUNCH_TEMPLATE) {
        Some(t) => (t.get(&template::ID), t.get(&template::NAME), t.get(&template::VERSION)),
        None => {
            let policy = o.block(&MIXED_INSTANCES_POLICY)?.block(&mixed::TEMPLATE)?;
            let t = policy.block(&mixed::SPECIFICATION)?;
            let (id, name) = (t.get(&template::TEMPLATE_ID), t.get(&template::TEMPLATE_NAME));
            (id, name, t.get(&template::TEMPLATE_VERSION))
        }
    };
    Some((id.or(name)?, version.filter(|v| !v.is_empty())))
}

/// `$Latest` and `$Default` become the number they mean now, if the template is about to get another one.
pub fn resolve_words(o: &mut Object, want: &Object, about_to_change: &dyn Fn(&str, &str) -> Option<Value>) {
    let Some((template, Some(words))) = declared(want) else { return };
    let attribute = match words.as_str() {
        "$Latest" => "latest_version",
        "$Default" => "default_version",
        _ => return,
    };
    if declared(o).and_then(|(_, shown)| shown).as_deref() != Some(&words) {
        return;
    }
    let number = about_to_change(&template, attribute).and_then(|now| now.as_i64());
    if let Some(number) = number {
        set_version(o, &number.to_string());
    }
}

fn set_version(o: &mut Object, version: &str) {
    let mut templates = o.all(&LAUNCH_TEMPLATE);
    if let Some(t) = templates.first_mut() {
        t.set(&template::VERSION, version);
        o.set_blocks(&LAUNCH_TEMPLATE, templates);
        return;
    }
    let Some(mut policy) = o.block(&MIXED_INSTANCES_POLICY) else { return };
    let Some(mut inner) = policy.block(&mixed::TEMPLATE) else { return };
    let Some(mut specification) = inner.block(&mixed::SPECIFICATION) else { return };
    specification.set(&template::TEMPLATE_VERSION, version);
    inner.set_blocks(&mixed::SPECIFICATION, vec![specification]);
    policy.set_blocks(&mixed::TEMPLATE, vec![inner]);
    o.set_blocks(&MIXED_INSTANCES_POLICY, vec![policy]);
}

/// Templates whose numbers are needed to understand these groups: those with a pointer (or a declared
/// version) that is not a number.
pub async fn needed(
    aws: &Aws,
    items: &[Existing<'_>],
    groups: &[AutoScalingGroup],
) -> Result<Templates, AwsError> {
    let floating = |version: Option<&str>| version.is_none_or(|v| v.starts_with('$'));
    let mut ids = Vec::new();
    for g in groups {
        let Some(spec) = pointer(g) else { continue };
        let known = items.iter().find(|i| g.auto_scaling_group_name() == Some(i.id)).map(|i| i.known);
        let declared = known.and_then(declared);
        let declared_floats = declared.is_some_and(|(_, v)| floating(v.as_deref()));
        if (floating(spec.version()) || declared_floats)
            && let Some(id) = spec.launch_template_id()
            && !ids.iter().any(|i| i == id)
        {
            ids.push(id.to_owned());
        }
    }
    if ids.is_empty() { Ok(Templates::default()) } else { templates(aws, ids).await }
}

/// The version to show for a group: the pointer, in the words of the configuration if `$Latest` or `$Default` means
/// just that number. Where instances run others, all of them, `1 and 2`: then it is no version that one could want,
/// whichever a refresh that was left in the middle came from or led to.
pub fn effective(g: &AutoScalingGroup, known: &Object, templates: &Templates) -> Option<String> {
    let spec = pointer(g)?;
    let id = spec.launch_template_id().unwrap_or_default();
    let points_to = templates.number(id, spec.version()).or(spec.version().map(str::to_owned))?;
    let of = |i: &sdk::Instance| {
        let running = i.lifecycle_state() == Some(&sdk::LifecycleState::InService);
        let t = i.launch_template().filter(|t| running && t.launch_template_id() == Some(id))?;
        t.version().map(str::to_owned)
    };
    let mut all: Vec<String> = g.instances().iter().filter_map(of).chain([points_to.clone()]).collect();
    all.sort_by_key(|version| version.parse::<i64>().unwrap_or(0));
    all.dedup();
    if all.len() > 1 {
        return Some(all.join(" and "));
    }
    let words = declared(known).and_then(|(_, version)| version).filter(|v| v.starts_with('$'));
    match words {
        Some(words) if templates.number(id, Some(&words)).as_deref() == Some(&points_to) => Some(words),
        _ => Some(points_to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(pointer: &str, instances: &[&str]) -> AutoScalingGroup {
        let spec = |v: &str| {
            sdk::LaunchTemplateSpecification::builder().launch_template_id("lt-1").version(v).build()
        };
        let instance = |v: &&str| {
            sdk::Instance::builder()
                .lifecycle_state(sdk::LifecycleState::InService)
                .launch_template(spec(v))
                .build()
        };
        AutoScalingGroup::builder()
            .launch_template(spec(pointer))
            .set_instances(Some(instances.iter().map(instance).collect()))
            .build()
    }

    fn known(version: &str) -> Object {
        let (mut t, mut o) = (Object::new(), Object::new());
        t.set(&template::ID, "lt-1").set(&template::VERSION, version);
        o.set_blocks(&LAUNCH_TEMPLATE, vec![t]);
        o
    }

    fn four() -> Templates {
        Templates([("lt-1".to_owned(), (4, 2))].into())
    }

    #[test]
    fn latest_does_not_hide_instances_that_were_left_behind() {
        let latest = known("$Latest");
        assert_eq!(effective(&group("$Latest", &["4", "3"]), &latest, &four()).as_deref(), Some("3 and 4"));
        assert_eq!(effective(&group("$Latest", &["4", "4"]), &latest, &four()).as_deref(), Some("$Latest"));
        assert_eq!(effective(&group("4", &["4"]), &latest, &four()).as_deref(), Some("$Latest"));
        assert_eq!(effective(&group("3", &["3"]), &latest, &four()).as_deref(), Some("3"));
    }

    #[test]
    fn a_refresh_that_was_cancelled_half_way_shows() {
        assert_eq!(effective(&group("4", &["4", "3"]), &known("4"), &four()).as_deref(), Some("3 and 4"));
        // The pointer moves when the refresh has ended.
        assert_eq!(effective(&group("3", &["4", "3"]), &known("3"), &four()).as_deref(), Some("3 and 4"));
        assert_eq!(effective(&group("4", &["4"]), &known("4"), &four()).as_deref(), Some("4"));
    }

    #[test]
    fn floating_versions_become_numbers() {
        let t = four();
        assert_eq!(t.number("lt-1", Some("$Latest")).as_deref(), Some("4"));
        assert_eq!(t.number("lt-1", None).as_deref(), Some("2"));
        assert_eq!(t.number("lt-1", Some("3")).as_deref(), Some("3"));
        assert_eq!(t.number("lt-2", Some("$Latest")), None);
    }
}

//! Attributes of container instances, for placement constraints.

use super::super::{Answer, ApiError, Input};
use super::{cluster_name, hosts, paged, placement};
use crate::World;
use serde_json::{Value as Json, json};

fn attribute_targets(world: &World, input: &Json) -> Result<Vec<(String, String, Option<String>)>, ApiError> {
    let cluster = cluster_name(world, input)?;
    let mut found = Vec::new();
    for attribute in input.list("attributes") {
        let target = attribute.text("targetId").unwrap_or_default();
        let arn = hosts::find(world, cluster, target).ok_or_else(|| {
            ApiError::new(
                "TargetNotFoundException",
                format!("The specified target '{target}' was not found."),
            )
        })?;
        let name = attribute.text("name").unwrap_or_default().to_owned();
        found.push((arn, name, attribute.text("value").map(str::to_owned)));
    }
    Ok(found)
}

pub(super) fn put_attributes(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?.to_owned();
    for (arn, name, value) in attribute_targets(world, input)? {
        if let Some(host) = world.ecs.hosts.get_mut(&arn) {
            host.attributes.insert(name, value);
        }
        world.ecs.host_changed(&arn);
    }
    placement::room(world, &cluster);
    Ok(json!({"attributes": input.list("attributes")}))
}

pub(super) fn delete_attributes(world: &mut World, input: &Json) -> Answer {
    for (arn, name, _) in attribute_targets(world, input)? {
        if let Some(host) = world.ecs.hosts.get_mut(&arn) {
            host.attributes.remove(&name);
        }
        world.ecs.host_changed(&arn);
    }
    Ok(json!({"attributes": input.list("attributes")}))
}

pub(super) fn list_attributes(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?;
    let hosts = world.ecs.clusters[cluster].hosts.iter().filter_map(|arn| world.ecs.hosts.get(arn));
    let mut found = Vec::new();
    for host in hosts {
        for (name, value) in &host.attributes {
            let wanted = input.text("attributeName").is_none_or(|wanted| wanted == name)
                && input.text("attributeValue").is_none_or(|wanted| Some(wanted) == value.as_deref());
            if wanted {
                let mut one = json!({"name": name, "targetType": "container-instance", "targetId": host.arn});
                super::put(&mut one, "value", value.clone());
                found.push(one);
            }
        }
    }
    Ok(paged(input, "attributes", found, 100))
}

//! Tags by ARN.

use super::super::{Answer, ApiError, Input};
use super::{Tags, client, invalid, short, tag_list, tags_of};
use crate::World;
use serde_json::{Value as Json, json};

fn tags_mut<'a>(world: &'a mut World, arn: &str) -> Result<&'a mut Tags, ApiError> {
    let kind = arn.split(':').nth(5).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let ecs = &mut world.ecs;
    let not_found = |what: &str| {
        invalid(format!(
            "The specified {what} is inactive or does not exist. Specify a valid {what} and try again."
        ))
    };
    match kind {
        "cluster" => ecs
            .clusters
            .get_mut(short(arn))
            .filter(|cluster| cluster.active)
            .map(|cluster| &mut cluster.tags)
            .ok_or_else(|| ApiError::new("ClusterNotFoundException", "Cluster not found.")),
        "service" => ecs
            .services
            .get_mut(arn)
            .filter(|service| service.status != "INACTIVE")
            .map(|service| &mut service.tags)
            .ok_or_else(|| not_found("service")),
        "task-definition" => {
            let revision = arn.rsplit_once(':').and_then(|(_, number)| number.parse::<i64>().ok());
            let family = short(arn).split(':').next().unwrap_or_default();
            revision
                .and_then(|number| ecs.families.get_mut(family)?.revisions.get_mut(&number))
                .map(|definition| &mut definition.tags)
                .ok_or_else(|| not_found("task definition"))
        }
        "task" => ecs.tasks.get_mut(arn).map(|task| &mut task.tags).ok_or_else(|| not_found("task")),
        "container-instance" => {
            ecs.hosts.get_mut(arn).map(|host| &mut host.tags).ok_or_else(|| not_found("container instance"))
        }
        "capacity-provider" => ecs
            .providers
            .get_mut(arn)
            .map(|provider| &mut provider.tags)
            .ok_or_else(|| not_found("capacity provider")),
        "task-set" => ecs
            .services
            .values_mut()
            .flat_map(|service| &mut service.task_sets)
            .find(|set| set.arn == arn)
            .map(|set| &mut set.tags)
            .ok_or_else(|| not_found("task set")),
        _ => Err(client(format!("Invalid resource ARN: {arn}"))),
    }
}

pub(super) fn tag_resource(world: &mut World, input: &Json) -> Answer {
    let new = tags_of(input)?;
    let tags = tags_mut(world, input.text("resourceArn").unwrap_or_default())?;
    let mut all = tags.clone();
    all.extend(new);
    if all.len() > 50 {
        return Err(invalid("The maximum number of tags that can be applied is 50."));
    }
    *tags = all;
    Ok(json!({}))
}

pub(super) fn untag_resource(world: &mut World, input: &Json) -> Answer {
    let keys = input.texts("tagKeys");
    tags_mut(world, input.text("resourceArn").unwrap_or_default())?
        .retain(|key, _| !keys.contains(&key.as_str()));
    Ok(json!({}))
}

pub(super) fn list_tags_for_resource(world: &mut World, input: &Json) -> Answer {
    let tags = tags_mut(world, input.text("resourceArn").unwrap_or_default())?;
    Ok(json!({"tags": tag_list(tags)}))
}

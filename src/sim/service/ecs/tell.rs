//! What ECS puts on the event bus (Developer Guide, "Amazon ECS events": the four kinds and their members).

use super::super::events;
use super::model::Rollout;
use super::{hosts, task_api};
use crate::World;
use serde_json::{Value as Json, json};

const SOURCE: &str = "aws.ecs";

/// `Task State Change`: with every new status.
pub(super) fn task(world: &mut World, arn: &str) {
    if !events::is_heard(world) {
        return;
    }
    let Some(task) = world.ecs.tasks.get(arn) else { return };
    let mut detail = task_api::task_view(world, task, false);
    detail["updatedAt"] = World::timestamp(world.now);
    if let Some(all) = detail.as_object_mut() {
        all.remove("tags");
        all.remove("healthStatus");
    }
    events::put(world, SOURCE, "ECS Task State Change", &[arn.to_owned()], || detail);
}

/// `Container Instance State Change`, with the status that it will have if it is on its way out.
pub(super) fn host(world: &mut World, arn: &str, status: Option<&str>) {
    if !events::is_heard(world) {
        return;
    }
    let Ok(mut answer) = hosts::describe_one(world, arn) else { return };
    let mut detail = answer["containerInstance"].take();
    detail["updatedAt"] = World::timestamp(world.now);
    detail["clusterArn"] = world
        .ecs
        .hosts
        .get(arn)
        .map_or(Json::Null, |host| json!(world.arn("ecs", &format!("cluster/{}", host.cluster))));
    if let Some(status) = status {
        detail["status"] = json!(status);
        detail["agentConnected"] = json!(false);
    }
    events::put(world, SOURCE, "ECS Container Instance State Change", &[arn.to_owned()], || detail);
}

/// `Service Action`: INFO, WARN or ERROR.
pub(super) fn service(world: &mut World, arn: &str, level: &str, name: &str, reason: Option<&str>) {
    if !events::is_heard(world) {
        return;
    }
    let Some(service) = world.ecs.services.get(arn) else { return };
    let mut detail = json!({
        "eventType": level, "eventName": name, "createdAt": World::timestamp(world.now),
        "clusterArn": world.arn("ecs", &format!("cluster/{}", service.cluster)),
    });
    if let Some(reason) = reason {
        detail["reason"] = json!(reason);
    }
    events::put(world, SOURCE, "ECS Service Action", &[arn.to_owned()], || detail);
}

/// `Deployment State Change` of the primary deployment.
pub(super) fn deployment(world: &mut World, arn: &str) {
    if !events::is_heard(world) {
        return;
    }
    let Some(deployment) = world.ecs.services.get(arn).and_then(|service| service.primary()) else { return };
    let (level, name) = match deployment.rollout {
        Rollout::InProgress => ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS"),
        Rollout::Completed => ("INFO", "SERVICE_DEPLOYMENT_COMPLETED"),
        Rollout::Failed => ("ERROR", "SERVICE_DEPLOYMENT_FAILED"),
    };
    let detail = json!({
        "eventType": level, "eventName": name, "deploymentId": deployment.id,
        "updatedAt": World::timestamp(deployment.updated), "reason": deployment.reason,
    });
    events::put(world, SOURCE, "ECS Deployment State Change", &[arn.to_owned()], || detail);
}

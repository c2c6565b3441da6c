//! Deployment targets: of an ECS deployment its one service, with task sets and their shares of the traffic.

use super::run::{Lifecycle, Run};
use super::*;
use crate::service::{ecs, elbv2};

/// `cluster:service`, as CodeDeploy names an ECS target.
fn target_id(run: &Run) -> String {
    let tail = run.service.split(":service/").nth(1).unwrap_or_default();
    tail.replace('/', ":")
}

fn lifecycle(events: &[Lifecycle]) -> Json {
    let one = |event: &Lifecycle| {
        let mut view = json!({"lifecycleEventName": event.name, "status": event.status});
        for (name, at) in [("startTime", event.started), ("endTime", event.ended)] {
            if let Some(at) = at {
                view[name] = World::timestamp(at);
            }
        }
        if let Some(message) = &event.message {
            view["diagnostics"] = json!({"errorCode": "UnknownError", "message": message});
        }
        view
    };
    events.iter().map(one).collect()
}

fn set_view(world: &World, run: &Run, set: &str, label: &str) -> Option<Json> {
    let found = ecs::task_set_counts(world, &run.service, set)?;
    let (group, share) =
        if label == "Blue" { (&run.blue_group, 100 - run.share) } else { (&run.green_group, run.share) };
    Some(json!({
        "identifer": set, "taskSetLabel": label, "status": found.status,
        "desiredCount": found.desired, "pendingCount": found.pending, "runningCount": found.running,
        "trafficWeight": share as f64, "targetGroup": {"name": elbv2::group_name(world, group)},
    }))
}

fn target(world: &World, deployment: &Deployment) -> Option<Json> {
    let run = deployment.run.as_ref()?;
    let sets = [(Some(&run.blue), "Blue"), (run.green.as_ref(), "Green")];
    let sets: Vec<Json> =
        sets.into_iter().filter_map(|(set, label)| set_view(world, run, set?, label)).collect();
    let updated = run.events.iter().flat_map(|event| [event.started, event.ended]).flatten().max();
    let status = match deployment.status {
        Status::Created => "Pending",
        Status::InProgress => "InProgress",
        Status::Ready => "Ready",
        Status::Succeeded => "Succeeded",
        Status::Failed | Status::Stopped => "Failed",
    };
    Some(json!({
        "deploymentTargetType": "ECSTarget",
        "ecsTarget": {
            "deploymentId": deployment.id, "targetId": target_id(run), "targetArn": run.service,
            "lastUpdatedAt": World::timestamp(updated.unwrap_or(deployment.created)),
            "lifecycleEvents": lifecycle(&run.events), "status": status, "taskSetsInfo": sets,
        },
    }))
}

fn started<'a>(world: &'a World, input: &Json) -> Result<&'a Deployment, ApiError> {
    let found = deployment(world, input)?;
    if found.platform == "ECS" && found.run.is_none() && !found.status.is_over() {
        let message = format!("The deployment {} has not started.", found.id);
        return Err(error("DeploymentNotStartedException", message));
    }
    Ok(found)
}

pub fn list_targets(world: &mut World, input: &Json) -> Answer {
    let found = started(world, input)?;
    let asked = input.get("targetFilters").map_or(Vec::new(), |filters| filters.texts("TargetStatus"));
    let seen = target(world, found).filter(|one| {
        asked.is_empty() || one["ecsTarget"].text("status").is_some_and(|status| asked.contains(&status))
    });
    let ids = seen.into_iter().map(|one| one["ecsTarget"]["targetId"].clone()).collect();
    paged(input, "targetIds", ids)
}

pub fn get_target(world: &mut World, input: &Json) -> Answer {
    let found = started(world, input)?;
    let id = input.text("targetId").unwrap_or_default();
    let target = target(world, found).filter(|one| one["ecsTarget"].text("targetId") == Some(id));
    let target = target.ok_or_else(|| {
        error("DeploymentTargetDoesNotExistException", format!("The deployment target {id} does not exist."))
    })?;
    Ok(json!({"deploymentTarget": target}))
}

pub fn batch_get_targets(world: &mut World, input: &Json) -> Answer {
    let mut found = Vec::new();
    for id in input.texts("targetIds") {
        let one = get_target(world, &json!({"deploymentId": input["deploymentId"], "targetId": id}))?;
        found.push(one["deploymentTarget"].clone());
    }
    Ok(json!({"deploymentTargets": found}))
}

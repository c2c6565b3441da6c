//! What services keep of their tasks' fates: events, failures, tasks that proved themselves.

use super::model::{Rollout, ServiceEvent};
use crate::World;
use crate::world::{MINUTE, SECOND};

/// DescribeServices answers the 100 newest events.
const EVENTS: usize = 100;
/// After that many failures in a row starts are throttled.
const PATIENCE: u32 = 10;

/// Adds an event; the text gets the service's name.
pub(super) fn say(world: &mut World, service: &str, text: impl FnOnce(&str) -> String) {
    let (id, at) = (world.uuid(), world.now);
    let Some(found) = world.ecs.services.get_mut(service) else { return };
    let message = text(&found.name);
    found.events.push_front(ServiceEvent { id, at, message: message.clone() });
    found.events.truncate(EVENTS);
    world.tell("ecs", "service", service, "told", Some(&message));
}

/// A task ended before it was of use: its deployment counts it, and starts are throttled in the end.
pub(super) fn failed(world: &mut World, task: &str) {
    let now = world.now;
    let Some(task) = world.ecs.tasks.get(task) else { return };
    let (Some(arn), deployment, proven) = (task.service.clone(), task.deployment.clone(), task.proven) else {
        return;
    };
    let Some(service) = world.ecs.services.get_mut(&arn) else { return };
    let Some(found) = service.deployments.iter_mut().find(|one| Some(&one.id) == deployment.as_ref()) else {
        return;
    };
    if proven && found.rollout != Rollout::InProgress {
        return;
    }
    found.failed_tasks += 1;
    found.updated = now;
    let counted = found.service_deployment.clone();
    service.failures_in_row += 1;
    let over = service.failures_in_row.saturating_sub(PATIENCE);
    if over > 0 {
        let wait = ((10 * SECOND) << over.min(7)).min(15 * MINUTE);
        service.throttled_until = now + wait;
    }
    if let Some(counted) = counted.and_then(|arn| world.ecs.service_deployments.get_mut(&arn)) {
        counted.failures += 1;
        counted.updated = now;
    }
    if over == 1 {
        super::tell::service(world, &arn, "WARN", "SERVICE_TASK_START_IMPAIRED", None);
        say(world, &arn, |name| {
            format!(
                "(service {name}) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
            )
        });
    }
}

/// A task became healthy for the first time: failures before it are forgiven, unless the breaker is set
/// not to (`resetOnHealthyTask`).
pub(super) fn proven(world: &mut World, task: &str) {
    let Some(task) = world.ecs.tasks.get_mut(task) else { return };
    task.proven = true;
    let (Some(arn), deployment) = (task.service.clone(), task.deployment.clone()) else { return };
    let Some(service) = world.ecs.services.get_mut(&arn) else { return };
    service.failures_in_row = 0;
    service.throttled_until = 0;
    let breaker = service.deployment_configuration.get("deploymentCircuitBreaker");
    let keeps =
        breaker.and_then(|one| one.get("resetOnHealthyTask")) == Some(&serde_json::Value::Bool(false));
    let Some(found) = service.deployments.iter_mut().find(|one| Some(&one.id) == deployment.as_ref()) else {
        return;
    };
    if keeps {
        return;
    }
    found.failed_tasks = 0;
    let counted = found.service_deployment.clone();
    if let Some(counted) = counted.and_then(|arn| world.ecs.service_deployments.get_mut(&arn)) {
        counted.failures = 0;
    }
}

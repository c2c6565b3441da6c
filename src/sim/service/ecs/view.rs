//! Services as DescribeServices answers them.

use super::super::Input;
use super::model::{Deployment, Revision, Rollout, Service, TaskStatus};
use super::{put, tag_list};
use crate::World;
use serde_json::{Value as Json, json};

/// Running and pending tasks, of one deployment or of all.
pub(super) fn counts(world: &World, service: &Service, deployment: Option<&str>) -> (i64, i64) {
    let (mut running, mut pending) = (0, 0);
    for task in service.tasks.iter().filter_map(|arn| world.ecs.tasks.get(arn)) {
        if deployment.is_some() && task.deployment.as_deref() != deployment {
            continue;
        }
        match task.status {
            TaskStatus::Running => running += 1,
            status if status < TaskStatus::Running => pending += 1,
            _ => {}
        }
    }
    (running, pending)
}

/// Launch type or strategy, platform and network of a revision, as services and deployments carry them.
pub(super) fn lay_revision(view: &mut Json, revision: &Revision) {
    if revision.strategy.is_empty() {
        put(view, "launchType", revision.launch_type.clone());
    } else {
        view["capacityProviderStrategy"] = json!(revision.strategy);
    }
    if let Some(version) = &revision.platform_version {
        view["platformVersion"] = json!(version);
        view["platformFamily"] = json!("Linux");
    }
    put(view, "networkConfiguration", revision.network.clone());
}

fn deployment_view(world: &World, service: &Service, at: usize, deployment: &Deployment) -> Json {
    let (running, pending) = counts(world, service, Some(&deployment.id));
    let revision = world.ecs.revisions.get(&deployment.revision).cloned().unwrap_or_default();
    let wanted = service
        .tasks
        .iter()
        .filter_map(|arn| world.ecs.tasks.get(arn))
        .filter(|task| task.wanted && task.deployment.as_ref() == Some(&deployment.id));
    let mut view = json!({
        "id": deployment.id,
        "status": if at == 0 { "PRIMARY" } else { "ACTIVE" },
        "taskDefinition": revision.task_definition,
        "desiredCount": if at == 0 { service.desired } else { wanted.count() as i64 },
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": deployment.failed_tasks,
        "createdAt": World::timestamp(deployment.created),
        "updatedAt": World::timestamp(deployment.updated),
        "rolloutState": match deployment.rollout {
            Rollout::InProgress => "IN_PROGRESS",
            Rollout::Completed => "COMPLETED",
            Rollout::Failed => "FAILED",
        },
        "rolloutStateReason": deployment.reason,
    });
    lay_revision(&mut view, &revision);
    put(&mut view, "serviceConnectConfiguration", revision.service_connect.clone());
    if !revision.volumes.is_empty() {
        view["volumeConfigurations"] = json!(revision.volumes);
    }
    if !revision.lattice.is_empty() {
        view["vpcLatticeConfigurations"] = json!(revision.lattice);
    }
    view
}

pub(super) fn service(world: &World, service: &Service, tags: bool) -> Json {
    let (running, pending) = counts(world, service, None);
    let current = service.revision().and_then(|revision| world.ecs.revisions.get(revision));
    let revision = current.cloned().unwrap_or_default();
    let rolling = service.is_rolling();
    let deployments: Vec<Json> = if rolling {
        service
            .deployments
            .iter()
            .enumerate()
            .map(|(at, one)| deployment_view(world, service, at, one))
            .collect()
    } else {
        Vec::new()
    };
    let events: Vec<Json> = service
        .events
        .iter()
        .map(|event| json!({"id": event.id, "createdAt": World::timestamp(event.at), "message": event.message}))
        .collect();
    let mut view = json!({
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": world.arn("ecs", &format!("cluster/{}", service.cluster)),
        "loadBalancers": revision.load_balancers,
        "serviceRegistries": revision.registries,
        "status": service.status,
        "desiredCount": service.desired,
        "runningCount": running,
        "pendingCount": pending,
        "taskDefinition": revision.task_definition,
        "deploymentConfiguration": service.deployment_configuration,
        "deployments": deployments,
        "events": events,
        "createdAt": World::timestamp(service.created),
        "createdBy": world.arn("iam", "root"),
        "placementConstraints": service.placement_constraints,
        "placementStrategy": service.placement_strategy,
        "schedulingStrategy": if service.daemon { "DAEMON" } else { "REPLICA" },
        "deploymentController": {"type": service.controller.as_deref().unwrap_or("ECS")},
        "enableECSManagedTags": service.managed_tags,
        "propagateTags": service.propagate_tags,
        "enableExecuteCommand": service.execute_command,
        "availabilityZoneRebalancing": service.zone_rebalancing,
    });
    lay_revision(&mut view, &revision);
    put(&mut view, "roleArn", service.role.clone());
    put(&mut view, "healthCheckGracePeriodSeconds", service.grace_seconds);
    if tags {
        view["tags"] = tag_list(&service.tags);
    }
    if !rolling {
        view["taskSets"] = super::task_sets::views(world, service);
        return view;
    }
    lay_current(world, service, &mut view);
    view
}

/// The deployment that is going on, and how many tasks each revision has.
fn lay_current(world: &World, service: &Service, view: &mut Json) {
    let going = service
        .primary()
        .and_then(|one| one.service_deployment.as_ref())
        .and_then(|arn| world.ecs.service_deployments.get(arn))
        .filter(|record| record.finished.is_none());
    put(view, "currentServiceDeployment", going.map(|record| record.arn.clone()));
    let revisions: Vec<Json> = service
        .deployments
        .iter()
        .enumerate()
        .map(|(at, one)| {
            let (running, pending) = counts(world, service, Some(&one.id));
            json!({
                "arn": one.revision,
                "requestedTaskCount": if at == 0 { service.desired } else { running },
                "runningTaskCount": running,
                "pendingTaskCount": pending,
            })
        })
        .collect();
    view["currentServiceRevisions"] = json!(revisions);
}

/// The network configuration with the member that AWS fills in.
pub(super) fn network(input: &Json) -> Option<Json> {
    let mut network = input.get("networkConfiguration").filter(|one| !one.is_null())?.clone();
    if let Some(vpc) = network.get_mut("awsvpcConfiguration").filter(|one| !one.is_null()) {
        if vpc.text("assignPublicIp").is_none() {
            vpc["assignPublicIp"] = json!("DISABLED");
        }
        if vpc.get("securityGroups").is_none_or(Json::is_null) {
            vpc["securityGroups"] = json!([]);
        }
    }
    Some(network)
}

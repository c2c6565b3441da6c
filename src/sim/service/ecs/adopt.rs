//! Hosts and tasks as another ECS described them, put into this one (see `recorded`).

use super::super::Input;
use super::model::{ServiceEvent, TaskStatus};
use super::tasks::{self, Order};
use super::{hosts, network, reach, short, tags_of};
use crate::World;
use crate::recorded::time_of;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// A container instance on an instance that is there.
pub fn host(world: &mut World, cluster: &str, described: &Json) -> Result<(), String> {
    let instance = described.text("ec2InstanceId").unwrap_or_default();
    if !world.ecs.clusters.contains_key(cluster) {
        return Err(format!("there is no cluster {cluster}"));
    }
    let facts = network::host(world, instance).ok_or_else(|| format!("there is no instance {instance}"))?;
    let attribute =
        |one: &Json| (one.text("name").unwrap_or_default().to_owned(), one.text("value").map(str::to_owned));
    let given = described.list("attributes").iter().map(attribute).collect();
    let arn = hosts::join(world, instance, cluster, facts, given);
    if let Some(host) = world.ecs.hosts.get_mut(&arn) {
        let amount = |name: &str| {
            let all = described.list("registeredResources").iter();
            all.filter(|one| one.text("name") == Some(name)).find_map(|one| one.int("integerValue"))
        };
        host.cpu = amount("CPU").unwrap_or(host.cpu);
        host.memory = amount("MEMORY").unwrap_or(host.memory);
        host.draining = described.text("status") == Some("DRAINING");
        host.tags = tags_of(described).unwrap_or_default();
    }
    world.ecs.host_changed(&arn);
    Ok(())
}

/// A task that runs, or will: it goes through its life from the time at which it was made.
pub fn task(world: &mut World, cluster: &str, described: &Json) -> Result<(), String> {
    let text = |member: &str| described.text(member).map(str::to_owned);
    let group = text("group").unwrap_or_default();
    let service =
        group.strip_prefix("service:").map(|name| world.arn("ecs", &format!("service/{cluster}/{name}")));
    let definition = text("taskDefinitionArn").unwrap_or_default();
    if world.ecs.definition(&definition).is_none() {
        return Err(format!("there is no task definition {}", short(&definition)));
    }
    let host = text("containerInstanceArn");
    if let Some(host) = host.as_ref().filter(|host| !world.ecs.hosts.contains_key(host)) {
        return Err(format!("there is no container instance {}", short(host)));
    }
    let (mut deployment, mut network) = (None, None);
    if let Some(arn) = &service {
        let found = world.ecs.services.get(arn).ok_or_else(|| format!("there is no service {arn}"))?;
        let by = text("startedBy");
        let own = found.deployments.iter().find(|one| Some(&one.id) == by.as_ref());
        let own = own.ok_or("its deployment is not the primary one of its service")?;
        network = world.ecs.revisions.get(&own.revision).and_then(|revision| revision.network.clone());
        deployment = by;
    }
    if let Some(host) = &host {
        foresee_ports(world, host, described);
    }
    let order = Order {
        cluster: cluster.to_owned(),
        definition,
        group,
        started_by: text("startedBy"),
        service,
        deployment,
        launch_type: text("launchType").unwrap_or_else(|| "EC2".to_owned()),
        provider: text("capacityProviderName"),
        platform_version: text("platformVersion"),
        network,
        overrides: described.get("overrides").cloned().unwrap_or_default(),
        execute_command: described.flag("enableExecuteCommand").unwrap_or(false),
        tags: tags_of(described).unwrap_or_default(),
        host,
    };
    tasks::create(world, order);
    Ok(())
}

/// Dynamic host ports are given in turn: the next one is the one that was recorded.
fn foresee_ports(world: &mut World, host: &str, described: &Json) {
    let bindings =
        described.list("containers").iter().flat_map(|container| container.list("networkBindings"));
    let dynamic = bindings.filter_map(|binding| binding.int("hostPort")).filter(|port| *port >= 32_768).min();
    if let (Some(port), Some(host)) = (dynamic, world.ecs.hosts.get_mut(host)) {
        host.next_port = port;
    }
}

/// Where tasks can be reached: address or instance, and port.
pub fn places(world: &World) -> BTreeSet<(String, i64)> {
    world.ecs.tasks.values().flat_map(|task| reach::places(world, task)).collect()
}

/// When a task got where it is.
pub fn times(world: &mut World, described: &Json) {
    let Some(task) = described.text("taskArn").and_then(|arn| world.ecs.tasks.get_mut(arn)) else { return };
    if task.status == TaskStatus::Running {
        task.pull_started = time_of(described, "pullStartedAt").or(task.pull_started);
        task.pull_stopped = time_of(described, "pullStoppedAt").or(task.pull_stopped);
        task.started = time_of(described, "startedAt").or(task.started);
        task.version = described.int("version").unwrap_or(task.version);
    }
    let images = described.list("containers");
    for container in &mut task.containers {
        let found = images.iter().find(|one| one.text("name") == Some(&container.name));
        if let Some(digest) = found.and_then(|one| one.text("imageDigest")) {
            container.digest = digest.to_owned();
        }
    }
}

/// What a service has told, instead of what it told here while it was made.
pub fn events(world: &mut World, described: &Json) {
    let Some(service) = described.text("serviceArn").and_then(|arn| world.ecs.services.get_mut(arn)) else {
        return;
    };
    let event = |event: &Json| {
        Some(ServiceEvent {
            id: event.text("id")?.to_owned(),
            at: time_of(event, "createdAt")?,
            message: event.text("message")?.to_owned(),
        })
    };
    service.events = described.list("events").iter().filter_map(event).collect();
    if let (Some(told), Some(made)) = (described.list("deployments").first(), service.deployments.first_mut())
    {
        made.updated = time_of(told, "updatedAt").unwrap_or(made.updated);
        made.failed_tasks = told.int("failedTasks").unwrap_or(made.failed_tasks);
    }
}

/// When a service deployment got where it is.
pub fn deployment_times(world: &mut World, described: &Json) {
    let arn = described.text("serviceDeploymentArn");
    let Some(record) = arn.and_then(|arn| world.ecs.service_deployments.get_mut(arn)) else { return };
    record.started = time_of(described, "startedAt").or(record.started);
    if record.finished.is_some() {
        record.finished = time_of(described, "finishedAt").or(record.finished);
        record.updated = time_of(described, "updatedAt").or(record.finished).unwrap_or(record.updated);
    }
}

//! Tasks in Cloud Map: of services with registries, and of those that Service Connect makes known.

use super::super::{Input, servicediscovery};
use super::model::{ContainerHealth, Revision, Task};
use super::short;
use crate::World;
use std::collections::BTreeMap;

fn revision_of<'a>(world: &'a World, task: &Task) -> Option<&'a Revision> {
    let service = world.ecs.services.get(task.service.as_ref()?)?;
    let deployments = service.deployments.iter().map(|one| (&one.id, &one.revision));
    let sets = service.task_sets.iter().map(|one| (&one.id, &one.revision));
    let (_, revision) = deployments.chain(sets).find(|(id, _)| Some(*id) == task.deployment.as_ref())?;
    world.ecs.revisions.get(revision)
}

/// A started task registers where its revision says.
pub(super) fn register(world: &mut World, arn: &str) {
    let Some(task) = world.ecs.tasks.get(arn) else { return };
    let Some(revision) = revision_of(world, task) else { return };
    if revision.registries.is_empty() && revision.service_connect.is_none() {
        return;
    }
    let revision = revision.clone();
    let task = task.clone();
    let mut places = Vec::new();
    for registry in &revision.registries {
        let Some(service) = registry.text("registryArn") else { continue };
        let name = registry.text("containerName");
        let port = registry.int("containerPort").map(|inner| outer_port(&task, name, inner));
        places.push((service.to_owned(), port.or(registry.int("port"))));
    }
    places.extend(connected(world, &task, &revision));
    for (service, port) in places {
        let attributes = attributes(world, &task, port);
        if servicediscovery::register_task(world, &service, short(arn), &attributes)
            && let Some(task) = world.ecs.tasks.get_mut(arn)
        {
            task.registered.push(service);
        }
    }
    tell_health(world, arn);
}

/// The port by which a container's port is reached from outside.
fn outer_port(task: &Task, container: Option<&str>, inner: i64) -> i64 {
    if task.interface.is_some() {
        return inner;
    }
    let of = task.containers.iter().filter(|one| container.is_none_or(|name| one.name == name));
    let found = of.flat_map(|one| &one.bindings).find(|(from, ..)| *from == inner);
    found.map_or(inner, |(_, outer, _)| *outer)
}

/// Service Connect: the Cloud Map service of each declared port, which is made when it is first needed.
fn connected(world: &mut World, task: &Task, revision: &Revision) -> Vec<(String, Option<i64>)> {
    let Some(connect) = revision.service_connect.as_ref().filter(|one| one.flag("enabled") == Some(true))
    else {
        return Vec::new();
    };
    let cluster = world.ecs.clusters.get(&task.cluster).and_then(|one| one.service_connect.clone());
    let Some(namespace) = connect.text("namespace").map(str::to_owned).or(cluster) else { return Vec::new() };
    let Some(namespace) = servicediscovery::namespace_named(world, &namespace) else { return Vec::new() };
    let mut places = Vec::new();
    for one in connect.list("services") {
        let port_name = one.text("portName").unwrap_or_default();
        let name = one.text("discoveryName").unwrap_or(port_name);
        let port = named_port(world, task, port_name);
        let port = one.int("ingressPortOverride").or(port);
        if let Some(service) = servicediscovery::find_or_create(world, &namespace, name) {
            places.push((service, port));
        }
    }
    places
}

fn named_port(world: &World, task: &Task, name: &str) -> Option<i64> {
    let body = &world.ecs.definition(&task.definition)?.body;
    let containers = body.list("containerDefinitions").iter();
    let (container, mapping) = containers
        .flat_map(|one| one.list("portMappings").iter().map(move |mapping| (one.text("name"), mapping)))
        .find(|(_, mapping)| mapping.text("name") == Some(name))?;
    Some(outer_port(task, container, mapping.int("containerPort")?))
}

/// Developer Guide, "Use service discovery to connect Amazon ECS services with DNS names".
fn attributes(world: &World, task: &Task, port: Option<i64>) -> BTreeMap<String, String> {
    let host = task.host.as_ref().and_then(|host| world.ecs.hosts.get(host));
    let address = task.interface.as_ref().map(|one| one.private_ip.clone()).or_else(|| {
        let instance = world.ec2.instances.get(&host?.instance_id)?;
        world.ec2.interfaces.get(instance.interface.as_ref()?).map(|one| one.private_ip.clone())
    });
    let service = task.service.as_deref().map(short);
    let family = short(&task.definition).split(':').next();
    let all = [
        ("AWS_INSTANCE_IPV4", address),
        ("AWS_INSTANCE_PORT", port.map(|port| port.to_string())),
        ("AVAILABILITY_ZONE", Some(task.zone.clone())),
        ("REGION", Some(world.region.clone())),
        ("ECS_CLUSTER_NAME", Some(task.cluster.clone())),
        ("ECS_SERVICE_NAME", service.map(str::to_owned)),
        ("ECS_TASK_DEFINITION_FAMILY", family.map(str::to_owned)),
        ("EC2_INSTANCE_ID", host.map(|host| host.instance_id.clone())),
        ("AWS_INIT_HEALTH_STATUS", checked(task).then(|| "UNHEALTHY".to_owned())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn checked(task: &Task) -> bool {
    task.containers.iter().any(|one| one.essential && one.health != ContainerHealth::None)
}

/// Container health is the custom health of what is registered.
pub(super) fn tell_health(world: &mut World, arn: &str) {
    let Some(task) = world.ecs.tasks.get(arn).filter(|task| !task.registered.is_empty() && checked(task))
    else {
        return;
    };
    let healthy = task
        .containers
        .iter()
        .filter(|one| one.essential)
        .all(|one| matches!(one.health, ContainerHealth::None | ContainerHealth::Healthy));
    for service in task.registered.clone() {
        servicediscovery::set_health(world, &service, short(arn), healthy);
    }
}

/// A task that stops is found no longer.
pub(super) fn deregister(world: &mut World, arn: &str) {
    let Some(task) = world.ecs.tasks.get_mut(arn) else { return };
    for service in std::mem::take(&mut task.registered) {
        servicediscovery::deregister_task(world, &service, short(arn));
    }
}

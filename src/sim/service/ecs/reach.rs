//! Where tasks are reached: ports on their host, their own interfaces, the target groups they are in.

use super::super::Input;
use super::definitions;
use super::hosts::Share;
use super::model::{Task, TaskInterface, TaskStatus};
use super::network;
use super::tasks::{Step, Stop, jitter, schedule, stop};
use crate::World;
use crate::service::elbv2;
use crate::world::SECOND;
use serde_json::{Value as Json, json};

/// Host ports: static ones as they are, dynamic ones from 32768 up. With its own interface a task listens
/// on its container ports.
pub(super) fn bind_ports(world: &mut World, arn: &str, host: &str) {
    let Some(task) = world.ecs.tasks.get(arn) else { return };
    let Some(definition) = world.ecs.definition(&task.definition) else { return };
    let own = definition.body.text("networkMode") == Some("awsvpc");
    let mut next = world.ecs.hosts.get(host).map_or(32_768, |host| host.next_port);
    let taken = world.ecs.hosts.get(host).map(|host| host.ports.clone()).unwrap_or_default();
    let mut bindings: Vec<Vec<(i64, i64, String)>> = Vec::new();
    for container in definition.body.list("containerDefinitions") {
        let mut list = Vec::new();
        for port in container.list("portMappings") {
            let inner = port.int("containerPort").unwrap_or(0);
            let outer = match port.int("hostPort") {
                _ if own => inner,
                Some(0) | None => {
                    while taken.contains(&next) {
                        next += 1;
                    }
                    next += 1;
                    next - 1
                }
                Some(port) => port,
            };
            list.push((inner, outer, port.text("protocol").unwrap_or("tcp").to_owned()));
        }
        bindings.push(list);
    }
    if let Some(host) = world.ecs.hosts.get_mut(host) {
        // Docker hands out the ephemeral range round-robin.
        host.next_port = if next > 60_000 { 32_768 } else { next };
    }
    if let Some(task) = world.ecs.tasks.get_mut(arn) {
        for (container, list) in task.containers.iter_mut().zip(bindings) {
            container.bindings = list;
        }
    }
}

pub(super) fn share(world: &World, arn: &str) -> Share {
    let Some(task) = world.ecs.tasks.get(arn) else {
        return Share { cpu: 0, memory: 0, interfaces: 0, ports: Vec::new() };
    };
    let own = definitions::needs(world, &task.definition).is_some_and(|needs| needs.own_interface);
    let outer = task.containers.iter().flat_map(|container| &container.bindings).map(|(_, outer, _)| *outer);
    Share {
        cpu: task.cpu,
        memory: task.memory,
        interfaces: i64::from(own),
        ports: if own { Vec::new() } else { outer.collect() },
    }
}

/// The subnet with the fewest tasks of the same group; on a host, only those of its zone.
pub(super) fn pick_subnet(world: &World, task: &Task) -> Option<String> {
    let subnets = task.network.as_ref()?.get("awsvpcConfiguration")?.texts("subnets");
    let mut load: Vec<(usize, &str)> = Vec::new();
    for id in subnets {
        let Some(subnet) = network::subnet(world, id) else { continue };
        if task.host.is_some() && subnet.zone != task.zone {
            continue;
        }
        let same =
            task.service.as_ref().and_then(|service| world.ecs.services.get(service)).map_or(0, |service| {
                let tasks = service.tasks.iter().filter_map(|arn| world.ecs.tasks.get(arn));
                tasks
                    .filter(|other| {
                        other.wanted && other.interface.as_ref().is_some_and(|eni| eni.subnet == id)
                    })
                    .count()
            });
        load.push((same, id));
    }
    // Capacity is where the service still runs.
    let alive =
        |id: &str| network::subnet(world, id).is_some_and(|s| !world.faults.lost_zone(world.now, &s.zone));
    if load.iter().any(|(_, id)| alive(id)) {
        load.retain(|(_, id)| alive(id));
    }
    load.into_iter().min().map(|(_, id)| id.to_owned())
}

/// Gives the task its network interface.
pub(super) fn provision(world: &mut World, arn: &str) {
    let Some(task) = world.ecs.tasks.get(arn) else { return };
    let configuration = task.network.as_ref().and_then(|network| network.get("awsvpcConfiguration"));
    let groups: Vec<String> = configuration
        .map(|one| one.texts("securityGroups").iter().map(|id| (*id).to_owned()).collect())
        .unwrap_or_default();
    let public = configuration.and_then(|one| one.text("assignPublicIp")) == Some("ENABLED");
    let on_host = task.host.is_some();
    let attachment = world.uuid();
    let description = format!("arn:aws:ecs:{}:{}:attachment/{attachment}", world.region, world.account);
    let foreseen = world.foreseen("task-subnet");
    let subnet = foreseen.or_else(|| world.ecs.tasks.get(arn).and_then(|task| pick_subnet(world, task)));
    let made = match &subnet {
        Some(subnet) => network::create_interface(world, subnet, &groups, &description),
        None => Err(super::invalid("Unable to find a subnet for the task.")),
    };
    let interface = match made {
        Ok(interface) => interface,
        Err(error) => {
            let reason = format!(
                "ResourceInitializationError: unable to create a network interface: {}",
                error.message
            );
            stop(world, arn, Stop::new("TaskFailedToStart", reason));
            return;
        }
    };
    if public && !on_host {
        network::map_public_ip(world, &interface.id);
    }
    let subnet = subnet.unwrap_or_default();
    let zone = network::subnet(world, &subnet).map(|subnet| subnet.zone).unwrap_or_default();
    world.ecs.addresses.insert(interface.private_ip.clone(), arn.to_owned());
    let definition = world.ecs.tasks.get(arn).map(|task| task.definition.clone()).unwrap_or_default();
    let ports: Vec<Vec<(i64, i64, String)>> =
        world.ecs.definition(&definition).map_or(Vec::new(), |definition| {
            definition.body.list("containerDefinitions").iter().map(own_ports).collect()
        });
    if let Some(task) = world.ecs.tasks.get_mut(arn) {
        task.zone = zone;
        for (container, list) in task.containers.iter_mut().zip(ports) {
            container.bindings = list;
        }
        task.interface = Some(TaskInterface {
            attachment,
            id: interface.id,
            subnet,
            private_ip: interface.private_ip,
            mac: interface.mac,
        });
    }
    let delay = if on_host { 4 * SECOND } else { 10 * SECOND } + jitter(world, 5);
    schedule(world, arn, delay, Step::Provisioned);
}

pub(super) fn own_ports(container: &Json) -> Vec<(i64, i64, String)> {
    let ports = container.list("portMappings").iter();
    ports
        .filter_map(|port| port.int("containerPort").map(|inner| (inner, port)))
        .map(|(inner, port)| (inner, inner, port.text("protocol").unwrap_or("tcp").to_owned()))
        .collect()
}

/// Where the task's containers can be reached.
pub(super) fn places(world: &World, task: &Task) -> Vec<(String, i64)> {
    let ports = task.containers.iter().flat_map(|container| &container.bindings);
    match (&task.interface, task.host.as_ref().and_then(|host| world.ecs.hosts.get(host))) {
        (Some(interface), _) => ports.map(|(inner, _, _)| (interface.private_ip.clone(), *inner)).collect(),
        (None, Some(host)) => ports.map(|(_, outer, _)| (host.instance_id.clone(), *outer)).collect(),
        (None, None) => Vec::new(),
    }
}

pub(super) fn listen(world: &mut World, arn: &str) {
    let places = world.ecs.tasks.get(arn).map(|task| places(world, task)).unwrap_or_default();
    for (id, port) in places {
        world.ecs.listening.insert(format!("{id}:{port}"), arn.to_owned());
    }
}

pub(super) fn tell_balancers(world: &mut World, arn: &str) {
    let places = world.ecs.tasks.get(arn).map(|task| places(world, task)).unwrap_or_default();
    for (id, port) in places {
        elbv2::app_changed(world, &id, port);
    }
}

pub(super) fn register_targets(world: &mut World, arn: &str) {
    let Some(task) = world.ecs.tasks.get(arn) else { return };
    let Some(service) = task.service.as_ref().and_then(|service| world.ecs.services.get(service)) else {
        return;
    };
    let revision = service
        .deployments
        .iter()
        .find(|one| Some(&one.id) == task.deployment.as_ref())
        .map(|one| &one.revision)
        .or_else(|| {
            service
                .task_sets
                .iter()
                .find(|set| Some(&set.id) == task.deployment.as_ref())
                .map(|set| &set.revision)
        })
        .and_then(|revision| world.ecs.revisions.get(revision));
    let Some(revision) = revision else { return };
    let mut targets = Vec::new();
    for balancer in &revision.load_balancers {
        let Some(group) = revision.group(balancer) else { continue };
        let wanted = balancer.int("containerPort").unwrap_or(0);
        let container =
            task.containers.iter().find(|one| Some(one.name.as_str()) == balancer.text("containerName"));
        let binding = container.and_then(|one| one.bindings.iter().find(|(inner, ..)| *inner == wanted));
        let Some((inner, outer, _)) = binding else { continue };
        let target = match (&task.interface, task.host.as_ref().and_then(|host| world.ecs.hosts.get(host))) {
            (Some(interface), _) => (group.to_owned(), interface.private_ip.clone(), *inner),
            (None, Some(host)) => (group.to_owned(), host.instance_id.clone(), *outer),
            (None, None) => continue,
        };
        targets.push(target);
    }
    let service = service.arn.clone();
    let refusal = targets.iter().find_map(|(group, id, _)| Some((group, elbv2::refusal(world, group, id)?)));
    if let Some((group, error)) = refusal {
        super::settle::say(world, &service, |name| {
            format!(
                "(service {name}) failed to register targets in (target-group {group}) with (error {error})"
            )
        });
        super::settle::failed(world, arn);
        let reason = format!("Task failed to register targets in (target-group {group})");
        return stop(world, arn, Stop::new("ServiceSchedulerInitiated", reason));
    }
    for (group, id, port) in &targets {
        elbv2::register(world, group, id, Some(*port));
        super::settle::say(world, &service, |name| {
            format!("(service {name}) registered 1 targets in (target-group {group})")
        });
    }
    if let Some(task) = world.ecs.tasks.get_mut(arn) {
        task.targets = targets;
    }
}

/// Nothing answers behind the task's places any more.
pub(super) fn silence(world: &mut World, arn: &str) {
    let places = world.ecs.tasks.get(arn).map(|task| places(world, task)).unwrap_or_default();
    if let Some(task) = world.ecs.tasks.get_mut(arn) {
        for container in &mut task.containers {
            container.answers = None;
        }
    }
    for (id, port) in places {
        let key = format!("{id}:{port}");
        if world.ecs.listening.get(&key).is_some_and(|task| task == arn) {
            world.ecs.listening.remove(&key);
        }
        elbv2::app_changed(world, &id, port);
    }
}

/// `{"type": "ElasticNetworkInterface", …}`.
pub(super) fn attachment(world: &World, task: &Task) -> Option<Json> {
    let interface = task.interface.as_ref()?;
    let status = match task.status {
        TaskStatus::Provisioning => "ATTACHING",
        TaskStatus::Deprovisioning => "DETACHING",
        TaskStatus::Stopped => "DELETED",
        _ => "ATTACHED",
    };
    let name = format!("ip-{}.ec2.internal", interface.private_ip.replace('.', "-"));
    let name = if world.region == "us-east-1" {
        name
    } else {
        name.replace("ec2.", &format!("{}.compute.", world.region))
    };
    let details = [
        ("subnetId", interface.subnet.as_str()),
        ("networkInterfaceId", &interface.id),
        ("macAddress", &interface.mac),
        ("privateDnsName", &name),
        ("privateIPv4Address", &interface.private_ip),
    ];
    let details: Vec<Json> =
        details.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    Some(json!({
        "id": interface.attachment, "type": "ElasticNetworkInterface", "status": status, "details": details,
    }))
}

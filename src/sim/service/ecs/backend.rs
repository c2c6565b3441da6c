//! What answers behind a target: a task's container, or what an instance's own user data started.

use super::hosts;
use super::images::Work;
use super::model::{Container, Task};
use crate::World;
use crate::service::ec2;

/// What a request that is sent to a target finds.
#[derive(Clone, Debug, Default)]
pub struct Backend {
    /// Right or wrong; None: nothing listens.
    pub answers: Option<bool>,
    /// There is a machine that can refuse a connection.
    pub reachable: bool,
    pub work: Work,
    /// What its task, or its instance, has of CPUs.
    pub vcpus: f64,
    /// ARN of its task's service.
    pub service: Option<String>,
    /// The EC2 instance that it runs on.
    pub instance: Option<String>,
}

fn listening<'a>(world: &'a World, target: &str, port: i64) -> Option<(&'a Task, &'a Container)> {
    let task = world.ecs.tasks.get(world.ecs.listening.get(&format!("{target}:{port}"))?)?;
    let on_host = task.interface.is_none();
    let serves = |container: &&Container| {
        let mut ports =
            container.bindings.iter().map(|(inner, outer, _)| if on_host { outer } else { inner });
        ports.any(|one| *one == port)
    };
    Some((task, task.containers.iter().find(serves)?))
}

/// How the application behind a target answers health checks on this port; None if nothing listens.
/// `target` is an instance id or an IP address.
pub fn answers(world: &World, target: &str, port: i64) -> Option<bool> {
    match listening(world, target, port) {
        Some((_, container)) => container.answers,
        None => is_server(world, target).then_some(true),
    }
}

pub fn backend(world: &World, target: &str, port: i64) -> Backend {
    if let Some((task, container)) = listening(world, target, port) {
        let on = task.host.as_ref().and_then(|host| world.ecs.hosts.get(host));
        return Backend {
            answers: container.answers,
            reachable: true,
            work: container.work,
            vcpus: vcpus_of(task),
            service: task.service.clone(),
            instance: on.map(|host| host.instance_id.clone()),
        };
    }
    let instance = world.ec2.instances.get(target).filter(|instance| instance.state.lives());
    let host = instance.zip(instance.and_then(|one| ec2::instance_type(&one.spec.instance_type)));
    let runs = host.is_some_and(|(instance, _)| instance.state == ec2::InstanceState::Running);
    Backend {
        answers: is_server(world, target).then_some(true),
        reachable: runs || world.ecs.addresses.contains_key(target),
        vcpus: host.map_or(1.0, |(_, kind)| kind.vcpus as f64),
        instance: host.map(|_| target.to_owned()),
        ..Backend::default()
    }
}

/// A task that asks for no CPU gets what is left over: a quarter is assumed.
pub fn vcpus_of(task: &Task) -> f64 {
    if task.cpu > 0 { task.cpu as f64 / 1024.0 } else { 0.25 }
}

/// An instance outside of ECS whose user data does something: it is taken to be a server that has started.
fn is_server(world: &World, target: &str) -> bool {
    let Some(instance) = world.ec2.instances.get(target) else { return false };
    let data = &instance.spec.user_data;
    instance.state == ec2::InstanceState::Running
        && !data.trim().is_empty()
        && !world.ecs.host_of.contains_key(target)
        && hosts::agent_config(data).cluster.is_none()
}

/// Tasks of the service that run.
pub fn running_count(world: &World, service: &str) -> i64 {
    world.ecs.index.running(service)
}

//! What is true of every world at every moment, whatever was asked of it and went wrong in it. Tests ask after
//! every event.

use super::World;
use super::service::ec2::InstanceState;
use super::service::ecs::index::Index;
use super::service::ecs::model::TaskStatus;
use super::service::elbv2::model::Health;
use super::service::{iam, kms};

/// What is not as it must be; nothing, if all is well.
pub fn broken(world: &World) -> Vec<String> {
    let mut found = Found(Vec::new());
    instances(world, &mut found);
    groups_of_instances(world, &mut found);
    hosts(world, &mut found);
    tasks(world, &mut found);
    targets(world, &mut found);
    found.0.extend(super::traffic::broken(world));
    found.0.extend(iam::dangling(world));
    found.0.extend(kms::dangling(world));
    found.0
}

struct Found(Vec<String>);

impl Found {
    fn check(&mut self, holds: bool, told: impl FnOnce() -> String) {
        if !holds {
            self.0.push(told());
        }
    }
}

/// Whether anything can still run on it.
fn lives(world: &World, instance: &str) -> bool {
    world.ec2.instances.get(instance).is_some_and(|one| one.state.lives())
}

fn instances(world: &World, found: &mut Found) {
    for (id, instance) in &world.ec2.instances {
        if instance.state == InstanceState::Terminated {
            continue;
        }
        let eni = instance.interface.as_ref();
        found.check(eni.is_some_and(|eni| world.ec2.interfaces.contains_key(eni)), || {
            format!("instance {id} is {:?} and its network interface is gone", instance.state)
        });
    }
    let attached = world.ec2.attached == world.ec2.attachments();
    found.check(attached, || "what is attached to instances is not what their interfaces say".to_owned());
    for (id, interface) in &world.ec2.interfaces {
        found.check(world.ec2.subnets.contains_key(&interface.subnet), || {
            format!("interface {id} is in subnet {}, which is gone", interface.subnet)
        });
        for group in &interface.groups {
            found.check(world.ec2.security_groups.contains_key(group), || {
                format!("interface {id} has security group {group}, which is gone")
            });
        }
    }
    for (id, subnet) in &world.ec2.subnets {
        found.check(world.ec2.vpcs.contains_key(&subnet.vpc), || {
            format!("subnet {id} is in {}, which is gone", subnet.vpc)
        });
    }
}

fn groups_of_instances(world: &World, found: &mut Found) {
    for (name, group) in &world.autoscaling.groups {
        for id in group.members.keys() {
            found.check(world.ec2.instances.contains_key(id), || {
                format!("group {name} has {id}, which is gone")
            });
            found.check(world.autoscaling.group_of.get(id) == Some(name), || {
                format!("group {name} has {id}, which does not know its group")
            });
        }
        let (min, max) = (group.min, group.max);
        found.check(group.deleting || (min..=max).contains(&group.desired), || {
            format!("group {name} wants {} instances, between {min} and {max}", group.desired)
        });
    }
    for (id, name) in &world.autoscaling.group_of {
        let member = world.autoscaling.groups.get(name).is_some_and(|group| group.members.contains_key(id));
        found.check(member, || format!("{id} is of group {name}, which does not have it"));
    }
}

fn hosts(world: &World, found: &mut Found) {
    let ecs = &world.ecs;
    found.check(ecs.index == Index::of(ecs), || "the index of ECS is not what its state says".to_owned());
    for (arn, host) in &ecs.hosts {
        let instance = &host.instance_id;
        found.check(host.disconnected || ecs.host_of.get(instance) == Some(arn), || {
            format!("{instance} does not know its host {arn}")
        });
        // Those that somebody registered by hand need not be instances.
        let known = world.ec2.instances.contains_key(instance);
        found.check(!known || lives(world, instance), || {
            format!("host {arn} is on {instance}, which is gone")
        });
        let (mut cpu, mut memory) = (0, 0);
        for task in &host.tasks {
            match ecs.tasks.get(task) {
                Some(task) => {
                    (cpu, memory) = (cpu + task.cpu, memory + task.memory);
                    let (here, arn) = (task.host.as_ref() == Some(arn), &task.arn);
                    found.check(here, || format!("host of {instance} has task {arn}, which is elsewhere"));
                }
                None => found.0.push(format!("host of {instance} has task {task}, which is gone")),
            }
        }
        let used = (host.used_cpu, host.used_memory);
        found.check(used == (cpu, memory), || {
            format!(
                "host of {instance} counts {used:?} of CPU and memory, its tasks have {:?}",
                (cpu, memory)
            )
        });
        found.check(cpu <= host.cpu && memory <= host.memory, || {
            format!(
                "host of {instance} has {:?} of CPU and memory, its tasks {used:?}",
                (host.cpu, host.memory)
            )
        });
    }
}

fn tasks(world: &World, found: &mut Found) {
    let ecs = &world.ecs;
    for (arn, task) in &ecs.tasks {
        let running = task.status != TaskStatus::Stopped;
        if let Some(host) = task.host.as_ref().filter(|_| running) {
            let there = ecs.hosts.get(host).is_some_and(|host| host.tasks.contains(arn));
            found.check(there, || {
                format!("task {arn} is {:?} on {host}, which does not have it", task.status)
            });
        }
        let counted = ecs.clusters.get(&task.cluster).is_some_and(|cluster| cluster.tasks.contains(arn));
        found.check(counted == running, || {
            format!("task {arn} is {:?}; that the cluster counts it is {counted}", task.status)
        });
    }
    for (arn, service) in &ecs.services {
        for task in &service.tasks {
            let mine = ecs.tasks.get(task).is_some_and(|task| task.service.as_ref() == Some(arn));
            found.check(mine, || format!("service {arn} has task {task}, which is not its own"));
        }
    }
    for (place, task) in &ecs.listening {
        let there = ecs.tasks.get(task).is_some_and(|task| task.status != TaskStatus::Stopped);
        found.check(there, || format!("{task} listens at {place} and is not there"));
    }
}

fn targets(world: &World, found: &mut Found) {
    let elb = &world.elbv2;
    for (arn, group) in &elb.groups {
        for (key, target) in &group.targets {
            let known = elb
                .registrations
                .get(&target.id)
                .is_some_and(|all| all.contains(&(arn.clone(), key.clone())));
            found.check(known, || format!("target {key} of {} is not registered", group.name));
            let dead = target.id.starts_with("i-") && !lives(world, &target.id);
            found.check(!dead, || format!("target {key} of {} is no instance any more", group.name));
            let state = world.ec2.instances.get(&target.id).map(|one| one.state);
            let stands = matches!(state, Some(InstanceState::Stopping | InstanceState::Stopped));
            let checked = matches!(target.health, Health::Healthy | Health::Unhealthy);
            found.check(!stands || !checked, || {
                format!("target {key} of {} is stopped and checked", group.name)
            });
        }
    }
    for (id, places) in &elb.registrations {
        for (arn, key) in places {
            let there = elb.groups.get(arn).is_some_and(|group| group.targets.contains_key(key));
            found.check(there, || format!("{id} is registered as {key} in {arn}, which does not have it"));
        }
    }
    for rule in elb.rules.values() {
        let there = elb.listeners.contains_key(&rule.listener);
        found.check(there, || format!("rule {} is of a listener that is gone", rule.arn));
    }
    for listener in elb.listeners.values() {
        let there = elb.balancers.contains_key(&listener.balancer);
        found.check(there, || format!("listener {} is of a balancer that is gone", listener.arn));
    }
}

//! An instance's life in its group: Pending → InService → Terminating, with hooks and target groups.

use super::activities::{self, New};
use super::state::{Lifecycle, Member};
use super::{Event, capacity, hooks, replace};
use crate::World;
use crate::service::ec2::InstanceState;
use crate::service::{ec2, ecs, elbv2};
use crate::world::{self, MINUTE, Millis, SECOND};
use std::collections::BTreeSet;

/// How often a leaving instance is looked at.
const LOOK: Millis = 5 * SECOND;
/// How often health is looked at, and how soon an instance that went away is noticed.
const HEALTH: Millis = 15 * SECOND;
const NOTICED: Millis = 20 * SECOND;
/// Managed draining's lifecycle hook holds an instance for at most so long.
const DRAIN_LIMIT: Millis = 48 * 60 * MINUTE;

pub const GONE: &str = "an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.";
const ELB: &str = "an instance was taken out of service in response to an ELB system health check failure.";

pub fn member_mut<'a>(world: &'a mut World, id: &str) -> Option<&'a mut Member> {
    let group = world.autoscaling.group_of.get(id)?;
    world.autoscaling.groups.get_mut(group)?.members.get_mut(id)
}

/// The instance has booted: a launching hook may hold it before it goes into service.
pub fn running(world: &mut World, id: &str) {
    let Some(group) = world.autoscaling.group_of.get(id).cloned() else { return };
    if member_mut(world, id).is_some_and(|member| member.lifecycle == Lifecycle::Pending) {
        proceed_launch(world, &group, id);
    }
}

/// Past all launching hooks, or held by the next one.
pub fn proceed_launch(world: &mut World, group: &str, id: &str) {
    if hooks::hold(world, group, id, true) {
        if let Some(member) = member_mut(world, id) {
            member.lifecycle = Lifecycle::PendingWait;
        }
        return;
    }
    enter_service(world, group, id);
}

pub fn enter_service(world: &mut World, group: &str, id: &str) {
    let now = world.now;
    let Some(member) = member_mut(world, id) else { return };
    member.lifecycle = Lifecycle::InService;
    member.in_service.get_or_insert(now);
    member.hold = None;
    let activity = member.activity.clone();
    let launched = member.launched;
    activities::end(world, group, &activity, "Successful", None);
    if let Some(lifetime) = world.autoscaling.groups[group].max_lifetime {
        let rest = (launched + lifetime * SECOND - now).max(0);
        world.schedule(rest, world::Event::Autoscaling(Event::Reconcile(group.to_owned())));
    }
    if !world.autoscaling.groups[group].suspends("AddToLoadBalancer") {
        register(world, group, id);
    }
    let flagged = |member: &Member| member.replaced_for().is_some();
    let waited_for = world.autoscaling.groups[group].members.values().any(flagged);
    if waited_for || replace::misplaced(world, group).is_some() {
        capacity::soon(world, group);
    }
}

pub fn register(world: &mut World, group: &str, id: &str) {
    for target_group in world.autoscaling.groups[group].target_groups.clone() {
        elbv2::register(world, &target_group, id, None);
    }
}

pub fn deregister(world: &mut World, group: &str, id: &str) {
    for target_group in world.autoscaling.groups[group].target_groups.clone() {
        elbv2::deregister(world, &target_group, id, None);
    }
}

/// EC2 says that an instance stops or goes. If the group did not ask for it, the next health check
/// finds it.
pub fn gone(world: &mut World, id: &str) {
    let Some(group) = world.autoscaling.group_of.get(id).cloned() else { return };
    if member_mut(world, id).is_none_or(|member| member.lifecycle.leaves()) {
        return;
    }
    suspect(world, id);
    let after = NOTICED + ec2::jitter(world, 20);
    world.schedule(after, world::Event::Autoscaling(Event::Missing(group)));
}

/// The health of this member may have changed.
fn suspect(world: &mut World, id: &str) -> Option<String> {
    let name = world.autoscaling.group_of.get(id)?.clone();
    world.autoscaling.groups.get_mut(&name)?.suspects.insert(id.to_owned());
    Some(name)
}

/// elbv2 says: the health of this target changed.
pub fn target_changed(world: &mut World, id: &str) {
    let Some(name) = world.autoscaling.group_of.get(id).cloned() else { return };
    if world.autoscaling.groups.get(&name).is_some_and(|group| group.health_check.contains("ELB")) {
        suspect(world, id);
        check_later(world, &name);
    }
}

/// What decides about the members' health has changed for all of them.
pub fn watch_health(world: &mut World, name: &str) {
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    group.suspects = group.members.keys().cloned().collect();
    check_later(world, name);
}

/// Health is looked at periodically, while there is somebody to look at.
fn check_later(world: &mut World, name: &str) {
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    if !group.health_due && !group.suspects.is_empty() && !group.suspends("HealthCheck") {
        group.health_due = true;
        world.schedule(HEALTH, world::Event::Autoscaling(Event::Health(name.to_owned())));
    }
}

pub fn check_periodically(world: &mut World, name: &str) {
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    group.health_due = false;
    check_health(world, name);
    check_later(world, name);
}

pub fn check_health(world: &mut World, name: &str) {
    let Some(group) = world.autoscaling.groups.get(name) else { return };
    if !group.suspends("HealthCheck") {
        let mut sick: Vec<(String, &str)> = Vec::new();
        let mut watched = BTreeSet::new();
        let suspects = group.suspects.iter().filter_map(|id| group.members.get(id));
        for member in suspects.filter(|member| !member.lifecycle.leaves()) {
            let state = world.ec2.instances.get(&member.id).map(|instance| instance.state);
            let alive = matches!(state, Some(InstanceState::Pending | InstanceState::Running));
            if !alive {
                sick.push((member.id.clone(), GONE));
            } else if member.lifecycle == Lifecycle::InService
                && member.unhealthy.is_none()
                && elb_unhealthy(world, name, &member.id)
            {
                let since = member.in_service.unwrap_or(world.now);
                if world.now >= since + group.grace * SECOND {
                    sick.push((member.id.clone(), ELB));
                } else {
                    watched.insert(member.id.clone());
                }
            }
        }
        if let Some(group) = world.autoscaling.groups.get_mut(name) {
            group.suspects = watched;
        }
        let found = !sick.is_empty();
        for (id, why) in sick {
            if let Some(member) = member_mut(world, &id) {
                member.unhealthy.get_or_insert_with(|| why.to_owned());
            }
        }
        if found {
            capacity::soon(world, name);
        }
    }
}

fn elb_unhealthy(world: &World, name: &str, id: &str) -> bool {
    let group = &world.autoscaling.groups[name];
    group.health_check.contains("ELB")
        && group
            .target_groups
            .iter()
            .any(|target_group| elbv2::target_health(world, target_group, id, None) == Some("unhealthy"))
}

/// In service, healthy for EC2 and, where the group asks them, for its load balancers.
pub fn healthy(world: &World, name: &str, member: &Member) -> bool {
    let group = &world.autoscaling.groups[name];
    let elb = group.health_check.contains("ELB");
    member.lifecycle == Lifecycle::InService
        && member.unhealthy.is_none()
        && world
            .ec2
            .instances
            .get(&member.id)
            .is_some_and(|instance| instance.state == InstanceState::Running)
        && (!elb
            || group.target_groups.iter().all(|target_group| {
                let health = elbv2::target_health(world, target_group, &member.id, None);
                // A target group that no listener uses checks nothing.
                matches!(health, Some("healthy" | "unused"))
            }))
}

/// Takes an instance out: an activity with its cause, out of the target groups, then `leave`.
pub fn begin_leaving(world: &mut World, name: &str, id: &str, cause: &str) -> Option<String> {
    let member = world.autoscaling.groups.get(name)?.members.get(id)?;
    if member.lifecycle.leaves() {
        return None;
    }
    let launch = member.activity.clone();
    let zone = member.zone.clone();
    let subnet = world.ec2.instances.get(id).map(|instance| instance.spec.subnet_id.clone());
    // A launch that was still going on ends here.
    activities::end(world, name, &launch, "Cancelled", None);
    let cause =
        format!("{cause}  At {} instance {id} was selected for termination.", activities::at(world.now));
    let activity = activities::begin(
        world,
        name,
        New {
            description: format!("Terminating EC2 instance: {id}"),
            cause,
            subnet: subnet.unwrap_or_default(),
            zone,
        },
    );
    let member = member_mut(world, id)?;
    member.lifecycle = Lifecycle::Terminating;
    member.activity.clone_from(&activity);
    member.hold = None;
    member.passed.clear();
    deregister(world, name, id);
    leave(world, name, id);
    Some(activity)
}

/// As far out as target groups, managed draining and hooks let it go now.
pub fn leave(world: &mut World, name: &str, id: &str) {
    let Some(group) = world.autoscaling.groups.get(name) else { return };
    let Some(member) = group.members.get(id) else { return };
    if !matches!(member.lifecycle, Lifecycle::Terminating | Lifecycle::TerminatingWait)
        || member.hold.is_some()
    {
        return;
    }
    let state = world.ec2.instances.get(id).map(|instance| instance.state);
    let alive = state.is_some_and(|state| state.lives());
    let started = group.activities.iter().rev().find(|activity| activity.id == member.activity);
    let waited = world.now - started.map_or(world.now, |activity| activity.start);
    let deleting = group.deleting;
    if alive {
        let draining = group
            .target_groups
            .iter()
            .any(|target_group| elbv2::target_health(world, target_group, id, None) == Some("draining"));
        if draining && !deleting {
            return look_again(world, name, id);
        }
        if !deleting && waited < DRAIN_LIMIT && ecs::drain_before_termination(world, id) {
            if let Some(member) = member_mut(world, id) {
                member.lifecycle = Lifecycle::TerminatingWait;
            }
            return look_again(world, name, id);
        }
        if hooks::hold(world, name, id, false) {
            if let Some(member) = member_mut(world, id) {
                member.lifecycle = Lifecycle::TerminatingWait;
            }
            return;
        }
    }
    if let Some(member) = member_mut(world, id) {
        member.lifecycle = Lifecycle::TerminatingProceed;
    }
    match state {
        None | Some(InstanceState::Terminated) => terminated(world, id),
        Some(_) => ec2::terminate(world, id),
    }
}

fn look_again(world: &mut World, name: &str, id: &str) {
    world.schedule(LOOK, world::Event::Autoscaling(Event::Leave(name.to_owned(), id.to_owned())));
}

/// EC2 has ended it: no member any more, if it was leaving.
pub fn terminated(world: &mut World, id: &str) {
    let Some(name) = world.autoscaling.group_of.get(id).cloned() else { return };
    let Some(member) = member_mut(world, id) else { return };
    if !member.lifecycle.leaves() {
        // Somebody else ended it; the health check takes it out.
        suspect(world, id);
        world.schedule(0, world::Event::Autoscaling(Event::Missing(name)));
        return;
    }
    let activity = member.activity.clone();
    activities::end(world, &name, &activity, "Successful", None);
    world.autoscaling.group_of.remove(id);
    if let Some(group) = world.autoscaling.groups.get_mut(&name) {
        group.members.remove(id);
        if group.deleting {
            capacity::forget_if_empty(world, &name);
        } else {
            capacity::soon(world, &name);
        }
    }
}

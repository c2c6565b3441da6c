//! Instances whose place another one takes: unhealthy, too old, in a subnet or zone where they should not be, or
//! about to be interrupted. Which comes first, launch or termination, says the group's maintenance policy.
//!
//! User Guide, "Instance maintenance policies": without a policy, rebalancing launches first and everything else
//! terminates first; with one, at least so many percent of the desired capacity stay, and at most so many there are.

use super::state::{Group, Lifecycle, Member, Retires};
use super::{activities, choose, life};
use crate::World;
use crate::world::SECOND;
use std::collections::{BTreeMap, BTreeSet};

/// Terminates what may go now; how much more capacity than desired the group may have meanwhile. None if the group
/// has gone.
pub fn go_on(world: &mut World, name: &str) -> Option<i64> {
    mark(world, name);
    let group = world.autoscaling.groups.get(name)?;
    if group.suspends("Terminate") {
        return Some(0);
    }
    let keeps_sick = group.suspends("ReplaceUnhealthy");
    let open =
        |member: &&Member| member.replaced_for().is_some() && !(keeps_sick && member.unhealthy.is_some());
    let mut flagged: Vec<&Member> = group.members.values().filter(open).collect();
    if flagged.is_empty() {
        return Some(0);
    }
    flagged.sort_by_key(|member| (member.launched, member.id.clone()));
    let (first, later): (Vec<&Member>, Vec<&Member>) =
        flagged.into_iter().partition(|member| ends_first(world, group, member));
    let mut going: Vec<(String, String)> = Vec::new();
    let mut take = |member: &Member| {
        let why = member.replaced_for().unwrap_or_default();
        going.push((member.id.clone(), format!("At {} {why}", activities::at(world.now))));
    };
    let mut left = at_once(world, group);
    for member in first {
        if !lives(world, member) {
            take(member);
        } else if left > 0 {
            left -= member.units();
            take(member);
        }
    }
    // Replacements that are in service free as many of those that wait for them.
    let waiting: i64 = later.iter().map(|member| member.units()).sum();
    let fresh = |member: &&Member| member.replaced_for().is_none() && life::healthy(world, name, member);
    let ready: i64 = group.members.values().filter(fresh).map(Member::units).sum();
    let mut spare = ready + waiting - group.desired;
    let mut room = 0;
    for member in later {
        if spare >= member.units() {
            spare -= member.units();
            take(member);
        } else {
            room += member.units();
        }
    }
    let room = room.min(ceiling(group));
    for (id, cause) in going {
        life::begin_leaving(world, name, &id, &cause);
    }
    Some(room)
}

fn lives(world: &World, member: &Member) -> bool {
    world.ec2.instances.get(&member.id).is_some_and(|instance| instance.state.lives())
}

fn ends_first(world: &World, group: &Group, member: &Member) -> bool {
    let launch_first = member.retires.as_ref().is_some_and(|retires| retires.launch_first);
    let policy = group.maintenance.is_some_and(|(least, _)| least >= 100);
    !lives(world, member) || !(policy || launch_first && member.unhealthy.is_none())
}

/// How many units may be missing at a time.
fn at_once(world: &World, group: &Group) -> i64 {
    let Some((least, _)) = group.maintenance else { return i64::MAX };
    let floor = (group.desired * least + 99) / 100;
    let there = |member: &&Member| member.lifecycle == Lifecycle::InService && lives(world, member);
    let missing = group.desired - group.members.values().filter(there).map(Member::units).sum::<i64>();
    (group.desired - floor).max(1) - missing.max(0)
}

/// How far above its desired capacity the group may go. Rebalancing may exceed it "by a 10 percent margin (or by a
/// margin of one instance, whichever is greater)" (User Guide, "Distribute instances across Availability Zones").
fn ceiling(group: &Group) -> i64 {
    match group.maintenance {
        Some((_, most)) => (group.desired * most / 100 - group.desired).max(1),
        None => (group.max / 10).max(1),
    }
}

/// Finds what is to be replaced though it is healthy: one instance at a time, in a group that is as it should be.
fn mark(world: &mut World, name: &str) {
    let Some(group) = world.autoscaling.groups.get(name) else { return };
    let settled = |member: &Member| {
        member.lifecycle == Lifecycle::InService && member.unhealthy.is_none() && member.retires.is_none()
    };
    if group.deleting || !group.members.values().all(settled) || group.units() < group.desired {
        return;
    }
    let found = expired(world, group)
        .map(|id| (id, "an instance was taken out of service in response to a max instance lifetime.", false))
        .or_else(|| {
            let why =
                "an instance was taken out of service because its subnet is no longer one of the group's.";
            misplaced(world, name).map(|id| (id, why, false))
        })
        .or_else(|| {
            let why =
                "an instance was taken out of service to rebalance the group across its Availability Zones.";
            unbalanced(world, group).map(|id| (id, why, true))
        });
    if let Some((id, why, launch_first)) = found {
        return retire(world, &id, why, launch_first);
    }
    if let Some(group) = world.autoscaling.groups.get_mut(name) {
        group.may_be_misplaced &= group.suspends("AZRebalance") || group.refresh().is_some();
    }
}

pub fn retire(world: &mut World, id: &str, why: &str, launch_first: bool) {
    if let Some(member) = life::member_mut(world, id) {
        member.retires.get_or_insert(Retires { why: why.to_owned(), launch_first });
    }
}

/// MaxInstanceLifetime.
fn expired(world: &World, group: &Group) -> Option<String> {
    let lifetime = group.max_lifetime? * SECOND;
    let oldest = group.members.values().min_by_key(|member| member.launched)?;
    (world.now - oldest.launched >= lifetime).then(|| oldest.id.clone())
}

/// The oldest instance in a subnet that is not the group's any more, if the group has to see to it. "This retains the
/// same Auto Scaling group and replaces old instances with new ones, according to the specified subnets"
/// (CloudFormation User Guide, AWS::AutoScaling::AutoScalingGroup, VPCZoneIdentifier): not while a refresh does it.
pub fn misplaced(world: &World, name: &str) -> Option<String> {
    let group = world.autoscaling.groups.get(name)?;
    let leaves_it = group.suspends("AZRebalance") || group.refresh().is_some();
    if !group.may_be_misplaced || group.subnets.is_empty() || leaves_it {
        return None;
    }
    let elsewhere = |member: &&Member| {
        let instance = world.ec2.instances.get(&member.id);
        instance.is_some_and(|instance| !group.subnets.contains(&instance.spec.subnet_id))
    };
    let found = group.members.values().filter(|member| !member.lifecycle.leaves()).filter(elsewhere);
    found.min_by_key(|member| (member.launched, &member.id)).map(|member| member.id.clone())
}

/// The oldest instance of the fullest zone, if another zone that has capacity lacks two against it (a zone was lost,
/// instances were detached).
fn unbalanced(world: &World, group: &Group) -> Option<String> {
    if group.suspends("AZRebalance") || group.suspends("Launch") || group.refresh().is_some() {
        return None;
    }
    let mut per_zone: BTreeMap<&str, i64> = group.zones.iter().map(|zone| (zone.as_str(), 0)).collect();
    for member in group.members.values() {
        *per_zone.entry(&member.zone).or_default() += member.units();
    }
    let types: BTreeSet<String> = choose::types(world, group);
    let open = |zone: &str| types.iter().any(|kind| !world.faults.no_capacity(world.now, kind, zone));
    let least = per_zone.iter().filter(|(zone, _)| open(zone)).map(|(_, count)| *count).min()?;
    let (fullest, most) = per_zone.iter().max_by_key(|(_, count)| **count)?;
    let mut there: Vec<&Member> = group
        .members
        .values()
        .filter(|member| member.zone == **fullest && !member.protected && most - least > member.units())
        .collect();
    there.sort_by_key(|member| (member.launched, member.id.clone()));
    there.first().map(|member| member.id.clone())
}

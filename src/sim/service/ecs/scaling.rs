//! Managed scaling of capacity providers: as many instances as the tasks need, over the target capacity.
//!
//! AWS publishes CapacityProviderReservation = needed / present × 100 each minute and lets a target
//! tracking policy follow it: out after a minute, in after fifteen. The same decision is made here at the
//! same times, but only when something changed.

use super::definitions;
use super::model::{Provider, TaskStatus};
use super::{Event, capacity};
use crate::World;
use crate::service::autoscaling;
use crate::world::{Event as WorldEvent, MINUTE, Millis};
use std::collections::BTreeMap;

const PERIOD: Millis = MINUTE;
/// Datapoints of the alarm that scales in.
const IDLE: Millis = 15 * MINUTE;

pub(super) fn wake_cluster(world: &mut World, cluster: &str) {
    let Some(found) = world.ecs.clusters.get(cluster) else { return };
    let arns: Vec<String> = found
        .capacity_providers
        .iter()
        .filter_map(|name| capacity::get(world, name))
        .filter(|provider| provider.managed_scaling)
        .map(|provider| provider.arn.clone())
        .collect();
    for arn in arns {
        wake(world, &arn);
    }
}

/// Something changed for this capacity provider only.
pub(super) fn wake_provider(world: &mut World, name: Option<&str>) {
    let Some(provider) = name.and_then(|name| capacity::get(world, name)) else { return };
    let arn = provider.arn.clone();
    wake(world, &arn);
}

pub(super) fn wake(world: &mut World, arn: &str) {
    wake_after(world, arn, PERIOD);
}

fn wake_after(world: &mut World, arn: &str, after: Millis) {
    let at = world.now + after;
    let Some(provider) = world.ecs.providers.get_mut(arn) else { return };
    if provider.managed_scaling && provider.evaluates_at.is_none_or(|planned| planned > at) {
        provider.evaluates_at = Some(at);
        world.schedule(after, WorldEvent::Ecs(Event::Scale { provider: arn.to_owned(), at }));
    }
}

/// Instances that hold tasks (but daemons), and instances more that the waiting tasks fill.
fn needed(world: &World, provider: &Provider) -> i64 {
    let fleet = world.ecs.index.fleet(&provider.name);
    let busy = fleet.map_or(0, |fleet| fleet.busy);
    let clusters =
        world.ecs.clusters.values().filter(|cluster| cluster.capacity_providers.contains(&provider.name));
    let waiting: Vec<(i64, i64)> = clusters
        .flat_map(|cluster| &cluster.unplaced)
        .filter_map(|arn| world.ecs.tasks.get(arn))
        .filter(|task| {
            task.status == TaskStatus::Provisioning && task.provider.as_ref() == Some(&provider.name)
        })
        .filter_map(|task| definitions::needs(world, &task.definition))
        .map(|needs| (needs.cpu, needs.memory))
        .collect();
    if waiting.is_empty() {
        return busy;
    }
    // Empty hosts that are there already take waiting tasks first: those count as needed, too.
    let first = fleet.and_then(|fleet| world.ecs.hosts.get(fleet.hosts.first()?));
    let Some(size) = first.map(|host| (host.cpu.max(1), host.memory.max(1))) else {
        return busy + 2.min(waiting.len() as i64).max(1);
    };
    let mut bins: Vec<(i64, i64)> = Vec::new();
    // A bin that was too full for a task of this size is so for the next one.
    let mut open: BTreeMap<(i64, i64), usize> = BTreeMap::new();
    for (cpu, memory) in waiting {
        let from = open.entry((cpu, memory)).or_default();
        *from += bins[*from..].iter().take_while(|(c, m)| *c < cpu || *m < memory).count();
        match bins.get_mut(*from) {
            Some((c, m)) => {
                *c -= cpu;
                *m -= memory;
            }
            None => bins.push((size.0 - cpu, size.1 - memory)),
        }
    }
    busy + bins.len() as i64
}

pub(super) fn evaluate(world: &mut World, arn: &str, at: Millis) {
    let Some(provider) = world.ecs.providers.get_mut(arn) else { return };
    if provider.evaluates_at != Some(at) {
        return;
    }
    provider.evaluates_at = None;
    if !provider.managed_scaling || !provider.is_active() {
        return;
    }
    let provider = provider.clone();
    if provider.settles_at > world.now {
        wake_after(world, arn, provider.settles_at - world.now);
        return;
    }
    let Some(desired) = group_desired(world, &provider) else { return };
    let needed = needed(world, &provider);
    let there = world.ecs.index.fleet(&provider.name).map_or(0, |fleet| fleet.hosts.len());
    super::told::reservation(world, &provider, needed, there);
    let wanted = (needed * 100 + provider.target_capacity - 1) / provider.target_capacity;
    if wanted > desired {
        let step = (wanted - desired).clamp(provider.min_step, provider.max_step);
        set(world, arn, desired + step);
    } else if wanted < desired {
        scale_in(world, arn, &provider, wanted, desired);
    } else if let Some(provider) = world.ecs.providers.get_mut(arn) {
        provider.idle_since = None;
    }
}

fn scale_in(world: &mut World, arn: &str, provider: &Provider, wanted: i64, desired: i64) {
    let now = world.now;
    let since = provider.idle_since.unwrap_or(now);
    if now - since < IDLE {
        if let Some(provider) = world.ecs.providers.get_mut(arn) {
            provider.idle_since = Some(since);
        }
        wake_after(world, arn, since + IDLE - now);
        return;
    }
    let step = (desired - wanted).min(provider.max_step);
    set(world, arn, desired - step);
}

/// Sets the group's size, and waits for its effect before the next step.
fn set(world: &mut World, arn: &str, desired: i64) {
    let now = world.now;
    let Some(provider) = world.ecs.providers.get_mut(arn) else { return };
    provider.idle_since = None;
    provider.settles_at = now + provider.warmup.clamp(60, 300) * 1_000;
    let group = provider.group_name.clone();
    autoscaling::set_desired_capacity(world, &group, desired);
    wake(world, arn);
}

/// What the group is asked to have now; None if it is gone or going.
fn group_desired(world: &World, provider: &Provider) -> Option<i64> {
    let group = world.autoscaling.groups.get(&provider.group_name);
    group.filter(|group| !group.deleting).map(|group| group.desired)
}

//! Services with the DAEMON strategy: one task on every host of the cluster that can take it.

use super::super::Input;
use super::hosts;
use super::model::{Host, Rollout};
use super::scheduler::{Seen, complain, launch, see, started, stop_all};
use super::{placement, short};
use crate::World;
use std::collections::{BTreeMap, BTreeSet};

/// Draining hosts keep their daemon until the other tasks have left (ECS developer guide, draining).
fn belongs(world: &World, host: &Host) -> bool {
    !host.draining || host.tasks.iter().any(|task| !hosts::is_daemon(world, task))
}

pub(super) fn look(world: &mut World, arn: &str) {
    let Some(service) = world.ecs.services.get(arn) else { return };
    if service.primary().is_none_or(|one| one.rollout == Rollout::Failed) {
        return;
    }
    let Some(cluster) = world.ecs.clusters.get(&service.cluster) else { return };
    let holds = |host: &&Host| {
        let constraints = service.placement_constraints.iter();
        let mut members = constraints.filter(|one| one.text("type") == Some("memberOf"));
        members.all(|one| placement::expression_holds(one.text("expression").unwrap_or_default(), host))
    };
    let seen = see(world, service);
    let host_of = |one: &Seen| Some((one.arn.clone(), world.ecs.tasks.get(&one.arn)?.host.clone()?));
    let placed: BTreeMap<String, String> = seen.iter().filter_map(host_of).collect();
    let used: BTreeSet<&String> = placed.values().collect();
    let on = |host: &Host| used.contains(&host.arn);
    let hosts: Vec<(String, bool)> = cluster
        .hosts
        .iter()
        .filter_map(|arn| world.ecs.hosts.get(arn))
        .filter(|host| belongs(world, host) && (!host.draining || on(host)))
        .filter(holds)
        .map(|host| (host.arn.clone(), host.draining))
        .collect();
    let (min, _) = service.bounds();
    if let Some(service) = world.ecs.services.get_mut(arn) {
        service.desired = hosts.len() as i64;
    }
    let spare = seen.iter().filter(|one| one.healthy).count() as i64 - min;
    let going = outdated(&seen, &placed, &hosts, spare);
    stop_all(world, arn, &going);
    // On each host the old task goes before the new one comes.
    let empty = |host: &String| !used.contains(host);
    let mut list = Vec::new();
    for (host, draining) in &hosts {
        if *draining || !empty(host) {
            continue;
        }
        match launch(world, arn, Some(host)) {
            Ok(task) => list.push(format!("(task {})", short(&task))),
            Err(why) => complain(world, arn, |name| {
                format!(
                    "(service {name}) was unable to place a task because no container instance met all of its requirements. {why}"
                )
            }),
        }
    }
    started(world, arn, &list);
}

/// Tasks of older deployments as far as healthy ones can be spared, and those on hosts that are out.
fn outdated(
    seen: &[Seen],
    placed: &BTreeMap<String, String>,
    hosts: &[(String, bool)],
    mut spare: i64,
) -> Vec<String> {
    let staying: BTreeSet<&String> = hosts.iter().map(|(host, _)| host).collect();
    let mut going = Vec::new();
    for one in seen {
        let placed = placed.get(&one.arn).is_some_and(|host| staying.contains(host));
        let old = !one.primary || one.sick.is_some();
        if !placed {
            going.push(one.arn.clone());
        } else if old && (!one.healthy || spare > 0) {
            spare -= i64::from(one.healthy);
            going.push(one.arn.clone());
        }
    }
    going
}

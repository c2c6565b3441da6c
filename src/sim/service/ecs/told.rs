//! Levels that ECS tells CloudWatch of ("Amazon ECS CloudWatch metrics", "Amazon ECS cluster auto scaling").

use super::model::Provider;
use crate::World;
use crate::service::cloudwatch::{self, Subject};
use crate::world::MINUTE;

const MANAGED: &str = "AWS/ECS/ManagedScaling";

/// CapacityProviderReservation: instances needed for what runs and waits, by those that are there, in percent;
/// 100 with neither, 200 with none for what waits.
pub(super) fn reservation(world: &mut World, provider: &Provider, needed: i64, present: usize) {
    let level = match (needed, present) {
        (0, 0) => 100.0,
        (_, 0) => 200.0,
        (needed, present) => 100.0 * needed as f64 / present as f64,
    };
    let clusters = world.ecs.clusters.values().filter(|one| one.capacity_providers.contains(&provider.name));
    let names: Vec<String> = clusters.map(|one| one.name.clone()).collect();
    for cluster in names {
        let dims = [("CapacityProviderName", provider.name.as_str()), ("ClusterName", cluster.as_str())];
        if cloudwatch::set_gauge(world, MANAGED, "CapacityProviderReservation", &dims, Some(level)) {
            cloudwatch::wake(world, &Subject::Cluster(cluster));
        }
    }
}

/// Hosts of the cluster came or went, or have other tasks: told of at the end of the minute.
pub(super) fn hosts_changed(world: &mut World, cluster: &str) {
    let now = world.now;
    let Some(found) = world.ecs.clusters.get_mut(cluster).filter(|one| !one.tells) else { return };
    found.tells = true;
    let event = super::Event::Tell { cluster: cluster.to_owned() };
    world.schedule(MINUTE - now.rem_euclid(MINUTE) - 1, crate::world::Event::Ecs(event));
}

/// CPUReservation and MemoryReservation, of clusters that have hosts.
pub(super) fn tell(world: &mut World, cluster: &str) {
    let Some(found) = world.ecs.clusters.get_mut(cluster) else { return };
    found.tells = false;
    let load = world.ecs.index.load(cluster);
    let mut changed = false;
    for (metric, (used, all)) in [("CPUReservation", load.cpu), ("MemoryReservation", load.memory)] {
        let level = (all > 0).then(|| 100.0 * used as f64 / all as f64);
        changed |= cloudwatch::set_gauge(world, "AWS/ECS", metric, &[("ClusterName", cluster)], level);
    }
    if changed {
        cloudwatch::wake(world, &Subject::Cluster(cluster.to_owned()));
    }
}

//! What of AWS, beside the plan's own resources, has to be looked at: only for what the plan rolls out.

use super::fleets::{self, Bump};
use super::{Look, blocks, is_on, services, text, texts, traffic};
use crate::aws::{Detail, Host, Pool, Vcpus};
use crate::plan::{Action, Change};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was found.
#[derive(Default)]
pub struct Live {
    /// Container instances by cluster.
    pub hosts: BTreeMap<String, Vec<Host>>,
    /// States of alarms by name.
    pub alarms: BTreeMap<String, String>,
    /// How many targets are healthy, by the ARN of their group.
    pub healthy: BTreeMap<String, usize>,
    /// Versions of launch templates that launch the same.
    pub alike: BTreeSet<Bump>,
    /// By provider, where the plan starts something beside what runs: quotas, or why they could not be read.
    pub vcpus: BTreeMap<String, Result<Vcpus, String>>,
}

/// What is asked of one provider.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Clusters whose services are deployed.
    pub clusters: BTreeMap<String, Detail>,
    /// Alarms that watch what rolls out.
    pub alarms: BTreeSet<String>,
    /// Target groups, by ARN, that are to get traffic which they do not have now.
    pub groups: BTreeSet<String>,
    /// Versions of launch templates between which groups move.
    pub bumps: BTreeSet<Bump>,
}

/// By provider.
pub fn needs(changes: &[Arc<Change>]) -> BTreeMap<String, Needs> {
    let mut all: BTreeMap<String, Needs> = BTreeMap::new();
    for change in changes.iter().filter(|c| !c.rollout.is_empty()) {
        let needs = all.entry(change.provider.clone()).or_default();
        needs.alarms.extend(alarms(change));
        if let Some(cluster) = text(&change.after, "cluster").filter(|_| is_service(change)) {
            let detail = needs.clusters.entry(cluster).or_default();
            *detail = (*detail).max(detail_for(change));
        }
        if change.action == Action::Update {
            needs.bumps.extend(fleets::bump(change));
            needs.groups.extend(traffic::newly_weighted(change));
        }
    }
    all
}

/// Where the plan starts something before it stops something else, by provider; once the hosts are known.
pub fn pools(changes: &[Arc<Change>], live: &Live) -> BTreeMap<String, BTreeSet<Pool>> {
    let mut pools: BTreeMap<String, BTreeSet<Pool>> = BTreeMap::new();
    for demand in (Look { changes, min_healthy: None, live, unproven: &[] }).demands() {
        pools.entry(demand.change.provider.clone()).or_default().insert(demand.pool);
    }
    pools
}

fn is_service(change: &Change) -> bool {
    &*change.address.type_name == "aws_ecs_service"
}

/// Tasks count where each takes an interface of its host, or none may stand beside another.
fn detail_for(service: &Change) -> Detail {
    let own_address = !blocks(&service.after, "network_configuration").is_empty();
    if own_address || services::distinct(&service.after) { Detail::Tasks } else { Detail::Resources }
}

/// Alarms that a service's deployment or a group's refresh goes by.
pub(super) fn alarms(change: &Change) -> Vec<String> {
    match &*change.address.type_name {
        "aws_ecs_service" => {
            let on = blocks(&change.after, "alarms").into_iter().filter(|block| is_on(block, "enable"));
            on.flat_map(|block| texts(&block, "alarm_names")).collect()
        }
        "aws_autoscaling_group" => {
            let refresh = blocks(&change.after, "instance_refresh");
            let preferences = refresh.iter().flat_map(|r| blocks(r, "preferences"));
            let named = preferences.flat_map(|p| blocks(&p, "alarm_specification"));
            named.flat_map(|block| texts(&block, "alarms")).collect()
        }
        _ => Vec::new(),
    }
}

//! Hosts of a group whose instances are container instances: seen in Auto Scaling and in ECS at once.

use super::describe;
use crate::aws::{Aws, AwsError, Op, Watch};
use crate::rollout::hosts::{Hosts, State};
use aws_sdk_autoscaling::types::{AutoScalingGroup, Instance, LifecycleState};
use aws_sdk_ecs::types::ContainerInstance;
use std::collections::{BTreeMap, BTreeSet};

pub struct Joining {
    group: String,
    /// Where its instances are; none if they are no container instances.
    pub clusters: Vec<String>,
    /// In service and in no cluster before anything was done.
    aside: BTreeSet<String>,
    pub hosts: Hosts,
}

impl Joining {
    /// Where some of its hosts were there before it began, only these may stand aside.
    pub async fn of(aws: &Aws, group: &str, before: Option<&BTreeSet<String>>) -> Result<Self, AwsError> {
        let members: BTreeSet<String> =
            lifecycles(&describe(aws, &[group.to_owned()]).await?).into_keys().collect();
        let all: Vec<String> =
            aws.ecs.list_clusters().into_paginator().items().send().try_collect().await.op("ListClusters")?;
        let (mut clusters, mut aside) = (Vec::new(), members.clone());
        for cluster in all {
            let tasks = tasks_by_instance(aws, &cluster).await?;
            if tasks.keys().any(|id| members.contains(id)) {
                aside.retain(|id| !tasks.contains_key(id));
                clusters.push(cluster);
            }
        }
        aside.retain(|id| before.is_none_or(|before| before.contains(id)));
        Ok(Self { group: group.to_owned(), clusters, aside, hosts: Hosts::default() })
    }

    pub async fn look(&mut self, aws: &Aws, watch: &dyn Watch) -> Result<(), AwsError> {
        let found = describe(aws, std::slice::from_ref(&self.group)).await?;
        if let Some(group) = found.first() {
            let serves = |i: &&Instance| i.lifecycle_state() == Some(&LifecycleState::InService);
            let serving = group.instances().iter().filter(serves).count();
            watch.in_service(serving as i64, group.desired_capacity().unwrap_or(0).into());
        }
        if self.clusters.is_empty() {
            return Ok(());
        }
        let mut tasks = BTreeMap::new();
        for cluster in &self.clusters {
            tasks.extend(tasks_by_instance(aws, cluster).await?);
        }
        let state = |id: &str, lifecycle: &str| match tasks.get(id) {
            None if lifecycle == "InService" && !self.aside.contains(id) => Some(State::NotJoined),
            Some(count) if lifecycle.starts_with("Terminating") && *count > 0 => {
                Some(State::Draining(*count))
            }
            _ => None,
        };
        let members = lifecycles(&found);
        let seen =
            members.into_iter().filter_map(|(id, l)| state(&id, &l).map(|state| (id, state))).collect();
        self.hosts.note(seen, aws.clock.now());
        Ok(())
    }
}

/// Instance → where it is in its life cycle.
fn lifecycles(groups: &[AutoScalingGroup]) -> BTreeMap<String, String> {
    let members = groups.iter().flat_map(|group| group.instances());
    let pair = |i: &Instance| Some((i.instance_id()?.to_owned(), i.lifecycle_state()?.as_str().to_owned()));
    members.filter_map(pair).collect()
}

/// Instance → how many tasks run on it.
pub async fn tasks_by_instance(aws: &Aws, cluster: &str) -> Result<BTreeMap<String, i64>, AwsError> {
    let pair = |one: &ContainerInstance| {
        Some((one.ec2_instance_id()?.to_owned(), i64::from(one.running_tasks_count())))
    };
    Ok(crate::aws::container_instances(aws, cluster, None).await?.iter().filter_map(pair).collect())
}

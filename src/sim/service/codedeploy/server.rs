//! Deployments to instances. No agent runs on the instances of this world, so none of them succeeds.

use super::run::{Failure, fail};
use super::*;
use crate::world::{MINUTE, SECOND};

/// CodeDeploy waits an hour for an agent ("Troubleshoot EC2/On-Premises deployment issues").
const AGENT_TIMEOUT: Millis = 60 * MINUTE;
/// From Created to the first look at instances.
pub const FIRST_LOOK: Millis = 30 * SECOND;

pub fn look(world: &mut World, id: &str) {
    let (now, targets) = (world.now, instances(world, id));
    let Some(deployment) = world.codedeploy.deployments.get_mut(id) else { return };
    if targets == 0 {
        let message = "The deployment failed because no instances were found in your deployment group. Check your deployment group settings to make sure the tags for your Amazon EC2 instances or Auto Scaling groups correctly identify the instances you want to deploy to, and then try again.";
        return fail(world, id, &Failure::new("NO_INSTANCES", message), None);
    }
    if deployment.started.is_none() {
        deployment.started = Some(now);
        deployment.status = Status::InProgress;
        return look_after(world, id, AGENT_TIMEOUT);
    }
    let message = "The overall deployment failed because too many individual instances failed deployment, too few healthy instances are available for deployment, or some instances in your deployment group are experiencing problems.";
    fail(world, id, &Failure::new("HEALTH_CONSTRAINTS", message), None);
}

/// How many instances the group means: by Auto Scaling group, or by any of its tag filters.
fn instances(world: &World, id: &str) -> usize {
    let settings = &world.codedeploy.deployments[id].settings;
    let groups = settings.texts("autoScalingGroups");
    let scaled =
        groups.iter().filter_map(|name| world.autoscaling.groups.get(*name)).map(|one| one.members.len());
    let fits = |filter: &Json, tags: &Tags| {
        let (key, value) = (filter.text("Key").unwrap_or_default(), filter.text("Value").unwrap_or_default());
        match filter.text("Type") {
            Some("KEY_ONLY") => tags.contains_key(key),
            Some("VALUE_ONLY") => tags.values().any(|one| one == value),
            _ => tags.get(key).is_some_and(|one| one == value),
        }
    };
    let filters = settings.list("ec2TagFilters");
    let tagged = world.ec2.instances.values().filter(|one| one.state.lives()).filter(|one| {
        world.ec2.tags.get(&one.id).is_some_and(|tags| filters.iter().any(|filter| fits(filter, tags)))
    });
    scaled.sum::<usize>() + tagged.count()
}

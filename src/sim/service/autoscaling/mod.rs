//! The autoscaling part of the embedded AWS.
//!
//! Behaviour follows the Amazon EC2 Auto Scaling API Reference and User Guide. A group is brought to its
//! desired capacity by `capacity`, instances come and go in `life`, a refresh replaces them in
//! `refresh_run`.

mod activities;
mod capacity;
mod choose;
mod configurations;
mod dynamic;
mod groups;
mod hooks;
mod life;
mod members;
mod policies;
mod refresh;
mod refresh_run;
mod replace;
mod settings;
mod source;
pub mod state;
mod tags;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_changes;
#[cfg(test)]
mod tests_replacing;
mod told;
mod traffic;

pub use dynamic::alarm_fired;
pub use state::State;

use super::Operations;
use crate::World;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// Compare desired and actual capacity of a group.
    Reconcile(String),
    /// Look at the health of a group's instances, as every so often.
    Health(String),
    /// Look at it once, because an instance has gone.
    Missing(String),
    /// See whether a leaving instance may be terminated now.
    Leave(String, String),
    /// A lifecycle hook's timeout, with the hold's token.
    HookExpires(String, String, String),
    /// A function that a hook called has come to its end: token, and whether to go on.
    HookAnswered(String, String, String, bool),
    /// Carry a refresh on: group and refresh id.
    Refresh(String, String),
    /// CloudWatch is told of a group.
    Tell(String),
    /// A scheduled action's time has come.
    Scheduled(String, String),
}

pub fn run(world: &mut World, event: Event) {
    match event {
        Event::Reconcile(group) => capacity::reconcile(world, &group),
        Event::Health(group) => life::check_periodically(world, &group),
        Event::Missing(group) => life::check_health(world, &group),
        Event::Leave(group, id) => life::leave(world, &group, &id),
        Event::HookExpires(group, id, token) => hooks::expires(world, &group, &id, &token),
        Event::HookAnswered(group, id, token, go_on) => hooks::answered(world, &group, &id, &token, go_on),
        Event::Refresh(group, id) => refresh_run::step(world, &group, &id),
        Event::Tell(group) => told::tell(world, &group),
        Event::Scheduled(group, action) => policies::scheduled(world, &group, &action),
    }
}

/// ec2 says: this instance is shutting down or stopping (whoever asked for it).
pub fn instance_gone(world: &mut World, instance_id: &str) {
    life::gone(world, instance_id);
}

/// elbv2 says: the health of this target changed.
pub fn target_changed(world: &mut World, target: &str) {
    life::target_changed(world, target);
}

/// ec2 says: this instance runs now.
pub fn instance_running(world: &mut World, instance_id: &str) {
    life::running(world, instance_id);
}

/// ec2 says: this instance is terminated.
pub fn instance_terminated(world: &mut World, instance_id: &str) {
    life::terminated(world, instance_id);
}

/// ec2 says: this spot instance got its interruption notice. With capacity rebalancing its replacement is launched
/// before it goes (User Guide, "Capacity Rebalancing").
pub fn spot_noticed(world: &mut World, instance_id: &str) {
    let Some(name) = world.autoscaling.group_of.get(instance_id).cloned() else { return };
    if world.autoscaling.groups.get(&name).is_some_and(|group| group.rebalance) {
        let why = "an instance was taken out of service in response to an EC2 Spot interruption notice.";
        replace::retire(world, instance_id, why, true);
        capacity::soon(world, &name);
    }
}

/// Capacity has come back somewhere: groups look whether they are still balanced.
pub fn capacity_is_back(world: &mut World) {
    let names: Vec<String> = world.autoscaling.groups.keys().cloned().collect();
    for name in names {
        capacity::soon(world, &name);
    }
}

/// Managed scaling of an ECS capacity provider sets the desired capacity within [min, max].
pub fn set_desired_capacity(world: &mut World, group_name: &str, desired: i64) {
    let Some(group) = world.autoscaling.groups.get(group_name) else { return };
    let desired = desired.clamp(group.min, group.max);
    if desired != group.desired && !group.suspends("AlarmNotification") {
        let why = format!(
            "At {} a monitor alarm of the ECS capacity provider changed the desired capacity from {} to {desired}.",
            activities::at(world.now),
            group.desired
        );
        capacity::set_desired(world, group_name, desired, why);
    }
}

/// ECS managed termination protection and draining ask this of an instance in a group.
pub fn set_instance_protection(world: &mut World, instance_id: &str, protected: bool) {
    if let Some(member) = life::member_mut(world, instance_id) {
        member.protected = protected;
    }
}

pub const OPERATIONS: Operations = &[
    ("AttachInstances", members::attach),
    ("AttachLoadBalancerTargetGroups", traffic::attach_target_groups),
    ("AttachLoadBalancers", traffic::attach_load_balancers),
    ("AttachTrafficSources", traffic::attach_sources),
    ("BatchDeleteScheduledAction", policies::batch_delete_scheduled),
    ("BatchPutScheduledUpdateGroupAction", policies::batch_put_scheduled),
    ("CancelInstanceRefresh", refresh::cancel),
    ("CompleteLifecycleAction", hooks::complete),
    ("CreateAutoScalingGroup", groups::create),
    ("CreateLaunchConfiguration", configurations::create),
    ("CreateOrUpdateTags", tags::create_or_update),
    ("DeleteAutoScalingGroup", groups::delete),
    ("DeleteLaunchConfiguration", configurations::delete),
    ("DeleteLifecycleHook", hooks::delete),
    ("DeleteNotificationConfiguration", settings::delete_notification),
    ("DeletePolicy", policies::delete),
    ("DeleteScheduledAction", policies::delete_scheduled),
    ("DeleteTags", tags::delete),
    ("DeleteWarmPool", settings::delete_warm_pool),
    ("DescribeAccountLimits", settings::account_limits),
    ("DescribeAdjustmentTypes", settings::adjustment_types),
    ("DescribeAutoScalingGroups", groups::describe),
    ("DescribeAutoScalingInstances", members::describe),
    ("DescribeAutoScalingNotificationTypes", settings::notification_types),
    ("DescribeInstanceRefreshes", refresh::describe),
    ("DescribeLaunchConfigurations", configurations::describe),
    ("DescribeLifecycleHookTypes", hooks::types),
    ("DescribeLifecycleHooks", hooks::describe),
    ("DescribeLoadBalancerTargetGroups", traffic::describe_target_groups),
    ("DescribeLoadBalancers", traffic::describe_load_balancers),
    ("DescribeMetricCollectionTypes", settings::metric_types),
    ("DescribeNotificationConfigurations", settings::describe_notifications),
    ("DescribePolicies", policies::describe),
    ("DescribeScalingActivities", activities::describe),
    ("DescribeScalingProcessTypes", settings::process_types),
    ("DescribeScheduledActions", policies::describe_scheduled),
    ("DescribeTags", tags::describe),
    ("DescribeTerminationPolicyTypes", settings::termination_policy_types),
    ("DescribeTrafficSources", traffic::describe_sources),
    ("DescribeWarmPool", settings::describe_warm_pool),
    ("DetachInstances", members::detach),
    ("DetachLoadBalancerTargetGroups", traffic::detach_target_groups),
    ("DetachLoadBalancers", traffic::detach_load_balancers),
    ("DetachTrafficSources", traffic::detach_sources),
    ("DisableMetricsCollection", settings::disable_metrics),
    ("EnableMetricsCollection", settings::enable_metrics),
    ("EnterStandby", members::enter_standby),
    ("ExecutePolicy", policies::execute),
    ("ExitStandby", members::exit_standby),
    ("PutLifecycleHook", hooks::put),
    ("PutNotificationConfiguration", settings::put_notification),
    ("PutScalingPolicy", policies::put),
    ("PutScheduledUpdateGroupAction", policies::put_scheduled),
    ("PutWarmPool", settings::put_warm_pool),
    ("RecordLifecycleActionHeartbeat", hooks::heartbeat),
    ("ResumeProcesses", settings::resume),
    ("RollbackInstanceRefresh", refresh::rollback),
    ("SetDesiredCapacity", groups::set_desired_capacity),
    ("SetInstanceHealth", members::set_health),
    ("SetInstanceProtection", members::set_protection),
    ("StartInstanceRefresh", refresh::start),
    ("SuspendProcesses", settings::suspend),
    ("TerminateInstanceInAutoScalingGroup", members::terminate),
    ("UpdateAutoScalingGroup", groups::update),
];

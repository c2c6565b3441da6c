//! One file a resource type, and the list of all of them.

mod appautoscaling_policy;
mod appautoscaling_target;
mod ec2;
mod ecs;
mod ecs_capacity_provider;
mod ecs_cluster;
mod ecs_cluster_capacity_providers;
mod ecs_task_definition;
mod elb;
mod elb_actions;
mod elb_owner;
mod lb;
mod lb_listener;
mod lb_listener_rule;
mod lb_target_group;
mod timeouts;
mod vpc;

use super::AwsType;

/// Every resource type, sorted by name.
pub static ALL: &[&dyn AwsType] = &[
    &appautoscaling_policy::AppautoscalingPolicy,
    &appautoscaling_target::AppautoscalingTarget,
    &ecs_capacity_provider::EcsCapacityProvider,
    &ecs_cluster::EcsCluster,
    &ecs_cluster_capacity_providers::EcsClusterCapacityProviders,
    &ecs_task_definition::EcsTaskDefinition,
    &lb::Lb,
    &lb_listener::LbListener,
    &lb_listener_rule::LbListenerRule,
    &lb_target_group::LbTargetGroup,
    &vpc::Vpc,
];

pub fn find(name: &str) -> Option<&'static dyn AwsType> {
    ALL.iter().find(|t| t.schema().name == name).copied()
}

//! Elastic Load Balancing v2: balancers, listeners, rules, target groups, and targets whose health
//! follows what `ecs` says the application answers.
//!
//! Health checks are not polled. A target's state can only change when its application's answer changes,
//! when its group's checks are edited, or when the group gets into or out of use; each of these schedules
//! the one moment at which the checks will have made up their mind.

mod actions;
mod attributes;
mod balancers;
mod conditions;
mod groups;
mod listeners;
pub mod model;
mod reach;
mod rules;
mod shifting;
mod ssl;
mod tags;
mod targets;
#[cfg(test)]
mod tests;

use super::{ApiError, Operations};
use crate::World;
use serde::{Deserialize, Serialize};

pub use model::State;
pub use reach::{actions_for, balancer_named, takers};
pub use shifting::{Traffic, rules_of, set_weights, traffic};
pub(super) use targets::reason;
pub use targets::{
    Groups, Seen, SeenTarget, app_changed, check_named, deregister, instance_gone, instance_running, refusal,
    register, rotation, target, target_health,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// Provisioning is over.
    Active { balancer: String },
    /// AWS takes a deleted balancer's network interfaces away a little later.
    Release { interfaces: Vec<String> },
    /// The checks of this target have come to a result, unless something changed since (`generation`).
    Checked { group: String, target: String, generation: u64 },
    /// The deregistration delay is over.
    Drained { group: String, target: String, generation: u64 },
}

pub fn run(world: &mut World, event: Event) {
    match event {
        Event::Active { balancer } => balancers::became_active(world, &balancer),
        Event::Release { interfaces } => {
            for id in interfaces {
                super::ecs::network::release_interface(world, &id);
            }
        }
        Event::Checked { group, target, generation } => targets::checked(world, &group, &target, generation),
        Event::Drained { group, target, generation } => targets::drained(world, &group, &target, generation),
    }
}

pub const OPERATIONS: Operations = &[
    ("AddListenerCertificates", listeners::add_certificates),
    ("AddTags", tags::add_tags),
    ("CreateListener", listeners::create_listener),
    ("CreateLoadBalancer", balancers::create_load_balancer),
    ("CreateRule", rules::create_rule),
    ("CreateTargetGroup", groups::create_target_group),
    ("DeleteListener", listeners::delete_listener),
    ("DeleteLoadBalancer", balancers::delete_load_balancer),
    ("DeleteRule", rules::delete_rule),
    ("DeleteTargetGroup", groups::delete_target_group),
    ("DeregisterTargets", targets::deregister_targets),
    ("DescribeAccountLimits", balancers::describe_account_limits),
    ("DescribeCapacityReservation", balancers::describe_capacity_reservation),
    ("DescribeListenerAttributes", listeners::describe_listener_attributes),
    ("DescribeListenerCertificates", listeners::describe_listener_certificates),
    ("DescribeListeners", listeners::describe_listeners),
    ("DescribeLoadBalancerAttributes", balancers::describe_load_balancer_attributes),
    ("DescribeLoadBalancers", balancers::describe_load_balancers),
    ("DescribeRules", rules::describe_rules),
    ("DescribeSSLPolicies", ssl::describe_ssl_policies),
    ("DescribeTags", tags::describe_tags),
    ("DescribeTargetGroupAttributes", groups::describe_target_group_attributes),
    ("DescribeTargetGroups", groups::describe_target_groups),
    ("DescribeTargetHealth", targets::describe_target_health),
    ("ModifyListener", listeners::modify_listener),
    ("ModifyListenerAttributes", listeners::modify_listener_attributes),
    ("ModifyLoadBalancerAttributes", balancers::modify_load_balancer_attributes),
    ("ModifyRule", rules::modify_rule),
    ("ModifyTargetGroup", groups::modify_target_group),
    ("ModifyTargetGroupAttributes", groups::modify_target_group_attributes),
    ("RegisterTargets", targets::register_targets),
    ("RemoveListenerCertificates", listeners::remove_certificates),
    ("RemoveTags", tags::remove_tags),
    ("SetIpAddressType", balancers::set_ip_address_type),
    ("SetRulePriorities", rules::set_rule_priorities),
    ("SetSecurityGroups", balancers::set_security_groups),
    ("SetSubnets", balancers::set_subnets),
];

/// What ECS must know of a target group: `instance`, `ip`, …, and whether a load balancer uses it.
/// None if there is no such group.
pub fn group_facts(world: &World, arn: &str) -> Option<(String, bool)> {
    let group = world.elbv2.groups.get(arn)?;
    Some((group.target_type.clone(), world.elbv2.uses.contains_key(arn)))
}

/// The ARN of the target group that has this name, or this ARN.
pub fn group_named(world: &World, name: &str) -> Option<String> {
    let found = world.elbv2.groups.values().find(|group| group.name == name || group.arn == name);
    found.map(|group| group.arn.clone())
}

pub fn group_name(world: &World, arn: &str) -> Option<String> {
    world.elbv2.groups.get(arn).map(|group| group.name.clone())
}

/// The load balancers of a group as CloudWatch names them (`app/name/id`), for capacity and metrics.
pub fn balancers_of(world: &World, group: &str) -> Vec<String> {
    world.elbv2.uses.get(group).map(|set| set.iter().cloned().collect()).unwrap_or_default()
}

fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message)
}

/// Pages hold at most 400 items here (`PageSize`).
fn page_size(input: &serde_json::Value) -> usize {
    use super::Input;
    input.int("PageSize").unwrap_or(400).clamp(1, 400) as usize
}

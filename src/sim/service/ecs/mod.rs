//! The ecs part of the embedded AWS.

use super::Operations;
use crate::sim::World;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {}

pub const OPERATIONS: Operations = &[];

pub fn run(_world: &mut World, event: Event) {
    match event {}
}

/// ec2 says: this instance has booted. Joins a cluster if its user data says so.
pub fn instance_running(_world: &mut World, _instance_id: &str) {}

/// ec2 says: this instance is shutting down; its tasks stop and the container instance goes.
pub fn instance_gone(_world: &mut World, _instance_id: &str) {}

/// Whether a group should wait with terminating an instance because managed draining still moves its
/// tasks (autoscaling asks every few seconds); starts the draining when first asked.
pub fn drain_before_termination(_world: &mut World, _instance_id: &str) -> bool {
    false
}

/// How the application behind a target answers health checks on this port; None if nothing listens.
/// `target` is an instance id or an IP address.
pub fn answers(_world: &World, _target: &str, _port: i64) -> Option<bool> {
    None
}

/// Application Auto Scaling sets a service's desired count.
pub fn set_desired_count(_world: &mut World, _cluster: &str, _service: &str, _desired: i64) {}

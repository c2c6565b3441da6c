//! The elbv2 part of the embedded AWS.

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

/// Registers a target: initial, then healthy or unhealthy by its health checks.
pub fn register(_world: &mut World, _target_group_arn: &str, _target: &str, _port: Option<i64>) {}

/// draining for the group's deregistration delay, then gone.
pub fn deregister(_world: &mut World, _target_group_arn: &str, _target: &str, _port: Option<i64>) {}

/// `initial`, `healthy`, `unhealthy`, `draining`, `unused`; None if not registered.
pub fn target_health(
    _world: &World,
    _target_group_arn: &str,
    _target: &str,
    _port: Option<i64>,
) -> Option<String> {
    None
}

/// ec2 says: this instance is shutting down; it is no target any more.
pub fn instance_gone(_world: &mut World, _instance_id: &str) {}

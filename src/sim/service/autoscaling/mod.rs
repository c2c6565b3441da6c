//! The autoscaling part of the embedded AWS.

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

/// ec2 says: this instance is shutting down (whoever asked for it).
pub fn instance_gone(_world: &mut World, _instance_id: &str) {}

/// Managed scaling of an ECS capacity provider sets the desired capacity within [min, max].
pub fn set_desired_capacity(_world: &mut World, _group_name: &str, _desired: i64) {}

/// ECS managed termination protection and draining ask this of an instance in a group.
pub fn set_instance_protection(_world: &mut World, _instance_id: &str, _protected: bool) {}

/// ec2 says: this instance runs now.
pub fn instance_running(_world: &mut World, _instance_id: &str) {}

/// ec2 says: this instance is terminated.
pub fn instance_terminated(_world: &mut World, _instance_id: &str) {}

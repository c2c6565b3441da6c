//! The ec2 part of the embedded AWS.

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

/// What a new account has from the start.
pub fn found(_world: &mut World) {}

/// What an instance is launched from (by RunInstances or by a group), launch template already merged.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LaunchSpec {
    pub image_id: String,
    pub instance_type: String,
    pub subnet_id: String,
    pub security_group_ids: Vec<String>,
    pub instance_profile_arn: Option<String>,
    /// Decoded text.
    pub user_data: String,
    pub launch_template: Option<(String, i64)>,
    pub spot: bool,
    pub tags: std::collections::BTreeMap<String, String>,
    pub associate_public_ip: Option<bool>,
}

/// Launches one instance: pending now, running later (then `ecs::instance_running` is told).
pub fn launch(_world: &mut World, _spec: LaunchSpec) -> Result<String, super::ApiError> {
    Err(super::ApiError::new("UnsupportedOperation", "launch"))
}

/// shutting-down now, terminated later. Tells `ecs`, `elbv2` and `autoscaling` at once.
pub fn terminate(_world: &mut World, _instance_id: &str) {}

//! The ssm part of the embedded AWS.

use super::Operations;
use crate::sim::World;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {}

pub const OPERATIONS: Operations = &[];

/// What a new account has from the start.
pub fn found(_world: &mut World) {}

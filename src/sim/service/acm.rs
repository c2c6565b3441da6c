//! The acm part of the embedded AWS.

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

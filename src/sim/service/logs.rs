//! The logs part of the embedded AWS.

use super::Operations;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {}

pub const OPERATIONS: Operations = &[];

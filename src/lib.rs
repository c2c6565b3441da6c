//! Cutover plans and applies AWS infrastructure for containers on ECS.
//!
//! Modules in reading order; each imports only from those above it (a test keeps this so).

// One test writes a whole container definition with json!.
#![recursion_limit = "256"]

pub mod diag;

pub mod addr;
pub mod clock;

pub mod value;

pub mod lang;

pub mod schema;

pub mod rollout;

pub mod aws;

pub mod provider;

pub mod config;

pub mod graph;

pub mod state;

pub mod diff;

pub mod plan;

pub mod apply;

pub mod drift;

pub mod render;

pub mod sim;

pub mod cli;

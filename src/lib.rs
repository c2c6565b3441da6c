//! Cutover plans and applies AWS infrastructure for containers on ECS.
//!
//! ```text
//! files ─parse─▶ syntax ─load─▶ module tree ─▶ graph ─walk─▶ desired ┐
//! state ─▶ applied, seen ───────────────────────────────────────────┤
//! AWS ─batched reads per type─▶ live ───────────────────────────────┴─diff─▶ changes ─▶ Plan
//! Plan ─schedule─▶ tasks ─apply─▶ AWS; every intent and result ─▶ journal ─▶ state
//! ```
//!
//! - The configuration language ([`lang`], [`value`]) collects diagnostics ([`diag`]) and goes on; nothing
//!   in it knows AWS.
//! - A resource type is one file under [`aws::types`]: an attribute table ([`schema`]) that the diff,
//!   validation, drift and the renderers iterate, and the calls that read, create, update and delete it.
//! - The small providers ([`builtin`]: `terraform_data`, `random_*`, `local_file`…) are types likewise,
//!   without an API behind them.
//! - The engine ([`plan`], [`apply`]) sees types through the port in [`provider`].
//! - [`rollout`] holds pure decisions: what was observed and the time in, what to do out.
//! - The embedded AWS ([`sim`], a package of its own) is reached only through the real SDK's clients, over AWS's
//!   wire protocols, without a socket ([`embedded`]). It cannot import [`aws`]: a fake that shares the client's
//!   code shares its misunderstandings.
//! - Time comes from [`clock`] alone. Under the embedded AWS the tokio clock is paused, so waiting is free.
//!
//! Modules in reading order; each imports only from those above it (a test keeps this so).

// One test writes a whole container definition with json!.
#![recursion_limit = "256"]

pub mod diag;

pub use cutover_sim as sim;
pub use sim::clock;

pub mod addr;

pub mod value;

pub mod lang;

pub mod schema;

pub mod rollout;

pub mod aws;

pub mod builtin;

pub mod provider;

pub mod config;

pub mod graph;

pub mod state;

pub mod diff;

pub mod plan;

pub mod apply;

pub mod drift;

pub mod render;

pub mod embedded;

pub mod cli;

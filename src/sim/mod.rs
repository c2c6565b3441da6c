//! The embedded AWS: a world that behaves over time, reached only over AWS's wire protocols.
//!
//! It never imports `aws::types`: a fake that shares the client's code shares its misunderstandings.
//! Time never runs by itself here: every request first advances the world to the clock's now, which
//! runs all events that have become due, in order (see [`world`]).

pub mod service;
pub mod wire;
pub mod world;

pub use world::{Event, World};

//! The embedded AWS: a world that behaves over time, reached only over AWS's wire protocols.
//!
//! A package of its own, which knows AWS's wire and AWS's rules only: a fake that shares the client's code shares
//! its misunderstandings.
//! Time never runs by itself here: every request first advances the world to the clock's now, which
//! runs all events that have become due, in order (see [`world`]).

pub mod authority;
pub mod clock;
pub mod faults;
pub mod invariants;
pub mod log;
pub mod named;
pub mod recorded;
pub mod request;
pub mod server;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_waiters;
pub mod traffic;
pub mod wire;
pub mod world;

pub use world::{Event, Millis, World};

use bytes::Bytes;
use faults::Lost;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A world that several clients share; each request has it to itself.
#[derive(Clone, Debug)]
pub struct Sim {
    world: Arc<Mutex<World>>,
    /// Where every change is written before it is answered: a killed client finds the world as it left it.
    file: Option<Arc<Path>>,
}

impl Sim {
    pub fn new(world: World) -> Self {
        Self { world: Arc::new(Mutex::new(world)), file: None }
    }

    pub fn saving_to(self, path: &Path) -> Self {
        Self { file: Some(path.into()), ..self }
    }

    /// One AWS API call at `now`. The answer carries [`wire::Called`] as an extension.
    pub fn handle(&self, now: Millis, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, Lost> {
        let mut world = self.lock();
        world.advance_to(now);
        let response = wire::handle(&mut world, request);
        let called = response.as_ref().ok().and_then(|r| r.extensions().get::<wire::Called>());
        // A call whose answer got lost may have been carried out.
        let mutates = called.is_none_or(wire::Called::mutates);
        if let Some(Err(error)) = self.file.as_ref().filter(|_| mutates).map(|file| world.save_soon(file)) {
            tracing::error!("{error}");
        }
        response
    }

    /// For saving, faults and reports; what clients want of the world they ask over the wire.
    pub fn with<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        f(&mut self.lock())
    }

    /// A new world of the same account, region and seed, as prompt and as strict as the old one.
    pub fn reset(&self, now: Millis) {
        self.with(|world| {
            let faults = &world.faults;
            let (throttling, delays) = (faults.throttling, (faults.iam_delay, faults.ec2_delay));
            let enforcement = world.iam.enforcement.clone();
            *world = World::new(&world.account, &world.region, world.seed, now);
            world.faults.throttling = throttling;
            (world.faults.iam_delay, world.faults.ec2_delay) = delays;
            world.iam.enforcement = enforcement;
        });
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A handler's panic must not make every later request panic as well.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

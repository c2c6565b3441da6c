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
mod journal;
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
use journal::{Entry, OnDisk};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::StoreError;

/// A world that several clients share; each request has it to itself.
#[derive(Clone, Debug)]
pub struct Sim {
    world: Arc<Mutex<World>>,
    /// Where every change is written before it is answered: a killed client finds the world as it left it.
    file: Option<Arc<Path>>,
    /// How much of the world the file has. Locked only by who has the world.
    on_disk: Arc<Mutex<OnDisk>>,
    /// From how many bytes on a world is.
    large: u64,
}

impl Sim {
    pub fn new(world: World) -> Self {
        Self {
            world: Arc::new(Mutex::new(world)),
            file: None,
            on_disk: Arc::default(),
            large: journal::LARGE,
        }
    }

    pub fn saving_to(self, path: &Path) -> Self {
        Self { file: Some(path.into()), ..self }
    }

    #[cfg(test)]
    fn with_large(self, large: u64) -> Self {
        Self { large, ..self }
    }

    /// One AWS API call at `now`. The answer carries [`wire::Called`] as an extension.
    pub fn handle(&self, now: Millis, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, Lost> {
        let mut world = self.lock();
        world.advance_to(now);
        if world.faults.kills() {
            self.keep_whole(&world);
            return Err(Lost::Caller);
        }
        // Whatever happens to this call: the journal goes on only if it has it.
        let before = std::mem::take(&mut *self.on_disk());
        let entry = (!matches!(before, OnDisk::Less)).then(|| Entry::of(now, &request));
        let response = wire::handle(&mut world, request);
        let called = response.as_ref().ok().and_then(|r| r.extensions().get::<wire::Called>());
        // A call whose answer got lost may have been carried out.
        let mutates = called.is_none_or(wire::Called::mutates);
        if let Some(Err(error)) =
            self.file.as_ref().map(|file| self.keep(file, &world, before, entry, mutates))
        {
            tracing::error!("{error}");
        }
        response
    }

    fn keep_whole(&self, world: &World) {
        match self.file.as_ref().map(|file| world.save_soon(file)) {
            Some(Ok(saved)) => *self.on_disk() = OnDisk::Whole(saved),
            Some(Err(error)) => tracing::error!("{error}"),
            None => {}
        }
    }

    /// Before it is answered: the call, if it only looks or the world is large, or else the world as it is now. Calls
    /// that only look are in the journal because what is drawn and counted goes on from them, and time does not step
    /// back behind what was seen.
    fn keep(
        &self,
        file: &Path,
        world: &World,
        before: OnDisk,
        entry: Option<Entry>,
        mutates: bool,
    ) -> Result<(), StoreError> {
        let failed = |source| StoreError::Io { what: "write the calls to", path: file.to_owned(), source };
        let known = !matches!(before, OnDisk::Less);
        let goes_on = !mutates || before.world() >= self.large;
        let journal = if goes_on { before.journal(file).map_err(failed)? } else { None };
        if let Some((mut journal, entry)) = journal.zip(entry).filter(|(journal, _)| !journal.is_full()) {
            journal.add(&entry).map_err(failed)?;
            *self.on_disk() = OnDisk::WithCalls(journal);
            return if mutates { world.append_events(file) } else { Ok(()) };
        }
        if mutates || known {
            *self.on_disk() = OnDisk::Whole(world.save_soon(file)?);
        }
        Ok(())
    }

    fn on_disk(&self) -> MutexGuard<'_, OnDisk> {
        self.on_disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass and looks past the wire, as probes do: `look` leaves the world as it is.
    pub fn glance<R>(&self, now: Millis, look: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.lock();
        world.advance_to(now);
        let before = std::mem::take(&mut *self.on_disk());
        let entry = (!matches!(before, OnDisk::Less)).then(|| Entry::glance(now));
        if let Some(Err(error)) = self.file.as_ref().map(|file| self.keep(file, &world, before, entry, false))
        {
            tracing::error!("{error}");
        }
        look(&mut world)
    }

    /// For saving, faults and reports; what clients want of the world they ask over the wire.
    pub fn with<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.lock();
        // What happens past the wire is in no journal.
        *self.on_disk() = OnDisk::Less;
        f(&mut world)
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

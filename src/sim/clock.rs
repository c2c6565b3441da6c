//! The clock port: the only place that knows wall time.
//!
//! Under the embedded AWS the runtime's clock is paused (`tokio::time::pause`), so every sleep of the
//! engine is free and virtual time is the tokio clock's offset from the world's own start.

use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone, Debug)]
pub struct Clock {
    origin: Timestamp,
    started: Instant,
}

impl Clock {
    /// Real time. Call inside a tokio runtime.
    pub fn real() -> Self {
        Self { origin: Timestamp::now(), started: Instant::now() }
    }

    /// Time that stands at `origin` now and moves with the (paused) tokio clock.
    pub fn starting_at(origin: Timestamp) -> Self {
        Self { origin, started: Instant::now() }
    }

    /// The time of day, for lock files and the like; needs no runtime.
    pub fn wall_now() -> Timestamp {
        Timestamp::now()
    }

    pub fn now(&self) -> Timestamp {
        self.origin + self.started.elapsed()
    }

    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

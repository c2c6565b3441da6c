//! What happened in the world, in order: one JSON line an event. The same seed and calls give the same lines.
//!
//! A line has its number `n`, the time `at`, the `region` and the `service`; then either the `call` that somebody
//! made (mutating ones only, with the code of its `error`), or what a `kind` of thing with this `id` `is` now, and
//! perhaps `why`.

use super::World;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::VecDeque;

/// Lines that are kept unless told otherwise.
const KEPT: usize = 10_000;

#[derive(Debug, Serialize, Deserialize)]
pub struct EventLog {
    /// Number of the next line.
    next: u64,
    /// At most so many lines are kept; none: nothing is written.
    #[serde(default = "kept")]
    keep: usize,
    /// The newest last. Not saved with the world: [`crate::Sim`] writes them to a file of their own.
    #[serde(skip)]
    lines: VecDeque<String>,
}

fn kept() -> usize {
    KEPT
}

impl Default for EventLog {
    fn default() -> Self {
        Self { next: 1, keep: KEPT, lines: VecDeque::new() }
    }
}

impl EventLog {
    /// Keeps this many lines from now on; 0 switches the log off.
    pub fn keep(&mut self, lines: usize) {
        self.keep = lines;
        self.forget_oldest();
    }

    /// Number of the next line.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The lines that are still kept, from number `from` on.
    pub fn since(&self, from: u64) -> impl Iterator<Item = &str> {
        let first = self.next - self.lines.len() as u64;
        let skip = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        self.lines.iter().skip(skip).map(String::as_str)
    }

    fn forget_oldest(&mut self) {
        let surplus = self.lines.len().saturating_sub(self.keep);
        self.lines.drain(..surplus);
    }
}

impl World {
    /// A thing of a service is something now.
    pub fn tell(&mut self, service: &str, kind: &str, id: &str, is: &str, why: Option<&str>) {
        if self.log.keep > 0 {
            let mut line = json!({"service": service, "kind": kind, "id": id, "is": is});
            if let Some(why) = why {
                line["why"] = json!(why);
            }
            self.write(line);
        }
    }

    /// Somebody made a call that may have changed something.
    pub(crate) fn tell_call(&mut self, service: &str, operation: &str, error: Option<&str>) {
        if self.log.keep > 0 {
            let mut line = json!({"service": service, "call": operation});
            if let Some(error) = error {
                line["error"] = json!(error);
            }
            self.write(line);
        }
    }

    fn write(&mut self, mut line: Json) {
        line["n"] = json!(self.log.next);
        line["at"] = World::timestamp(self.now);
        line["region"] = json!(self.region);
        self.log.next += 1;
        self.log.lines.push_back(line.to_string());
        self.log.forget_oldest();
    }
}

//! What happened in the world, in order: one JSON line an event. The same seed and calls give the same lines.
//!
//! A line has its number `n`, the time `at`, the `region` and the `service`; then either the `call` that somebody
//! made (mutating ones only, with the code of its `error`), or what a `kind` of thing with this `id` `is` now, and
//! perhaps `why`.

use super::World;
use super::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Number of the first line that this process has not written to a file yet.
    #[serde(skip)]
    unwritten: AtomicU64,
    /// The time of the last line, as it is written.
    #[serde(skip)]
    instant: (Millis, String),
}

fn kept() -> usize {
    KEPT
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            next: 1,
            keep: KEPT,
            lines: VecDeque::new(),
            unwritten: AtomicU64::new(0),
            instant: Default::default(),
        }
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

    /// Adds the new lines to the file beside a saved world.
    pub(crate) fn append(&self, world: &Path) -> io::Result<()> {
        let from = self.unwritten.load(Ordering::Relaxed);
        let mut text = String::new();
        for line in self.since(from) {
            text += line;
            text.push('\n');
        }
        if !text.is_empty() {
            let path = path_beside(world);
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(text.as_bytes())?;
            if file.metadata()?.len() > LONGEST {
                shorten(&path)?;
            }
        }
        self.unwritten.store(self.next, Ordering::Relaxed);
        Ok(())
    }

    fn forget_oldest(&mut self) {
        let surplus = self.lines.len().saturating_sub(self.keep);
        self.lines.drain(..surplus);
    }
}

/// A longer file loses its older half.
const LONGEST: u64 = 16 << 20;

/// Where the events of a saved world are.
pub fn path_beside(world: &Path) -> PathBuf {
    world.with_extension("events.jsonl")
}

/// The lines beside a saved world, from number `from` on.
pub fn read(world: &Path, from: u64) -> io::Result<Vec<String>> {
    let lines = match File::open(path_beside(world)) {
        Ok(file) => read_lines(file)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(lines.into_iter().filter(|(number, _)| *number >= from).map(|(_, line)| line).collect())
}

/// What was told after a world was last saved did not happen to it: lines whose numbers come again replace those
/// before.
fn read_lines(file: File) -> io::Result<Vec<(u64, String)>> {
    let mut lines: Vec<(u64, String)> = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line?;
        let number = serde_json::from_str::<Json>(&line).ok().and_then(|line| line["n"].as_u64());
        // The process may have been killed while it wrote the last one.
        let Some(number) = number else { continue };
        while lines.last().is_some_and(|(last, _)| *last >= number) {
            lines.pop();
        }
        lines.push((number, line));
    }
    Ok(lines)
}

fn shorten(path: &Path) -> io::Result<()> {
    let lines = read_lines(File::open(path)?)?;
    let rest: String = lines[lines.len() / 2..].iter().flat_map(|(_, line)| [line.as_str(), "\n"]).collect();
    std::fs::write(path, rest)
}

/// One line. The members stand in the order of their names, as in every JSON object here.
#[derive(Default, Serialize)]
struct Line<'a> {
    at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    n: u64,
    region: &'a str,
    service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

impl World {
    /// A thing of a service is something now.
    pub fn tell(&mut self, service: &str, kind: &str, id: &str, is: &str, why: Option<&str>) {
        let (id, is, kind) = (Some(id), Some(is), Some(kind));
        self.write(Line { service, kind, id, is, why, ..Line::default() });
    }

    /// Somebody made a call that may have changed something.
    pub(crate) fn tell_call(&mut self, service: &str, operation: &str, error: Option<&str>) {
        self.write(Line { service, call: Some(operation), error, ..Line::default() });
    }

    fn write(&mut self, line: Line) {
        if self.log.keep == 0 {
            return;
        }
        if self.log.instant.0 != self.now {
            self.log.instant = (self.now, World::instant(self.now));
        }
        let at = &self.log.instant.1;
        let line = Line { at, n: self.log.next, region: &self.region, ..line };
        let text = serde_json::to_string(&line).expect("texts and a number can be written as JSON");
        self.log.next += 1;
        self.log.lines.push_back(text);
        self.log.forget_oldest();
    }
}

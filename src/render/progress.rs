//! What happens during an apply, one line at a time.

use super::{Palette, duration};
use crate::apply::Event;
use crate::plan::Action;
use std::collections::BTreeMap;

/// Turns events into lines; repeats of the same progress are left out.
#[derive(Debug, Default)]
pub struct Progress {
    pub palette: Palette,
    last: BTreeMap<String, String>,
}

impl Progress {
    pub fn new(palette: Palette) -> Self {
        Self { palette, last: BTreeMap::new() }
    }

    pub fn line(&mut self, event: &Event) -> Option<String> {
        let p = self.palette;
        Some(match event {
            Event::Started { address, action } => {
                let verb = match action {
                    Action::Create => "creating",
                    Action::Update => "changing",
                    Action::Replace => "creating the new one",
                    Action::Delete => "destroying",
                    Action::Read => "reading",
                    Action::Import => "importing",
                    Action::Forget => "forgetting",
                    Action::None => return None,
                };
                format!("{address}: {verb}…")
            }
            Event::Progress { address, text } => {
                let key = address.to_string();
                if self.last.get(&key) == Some(text) {
                    return None;
                }
                self.last.insert(key, text.clone());
                p.dim(&format!("{address}: {text}"))
            }
            Event::Output { address, line } => format!("{address} (local-exec): {line}"),
            Event::StepStarted { address, number, of, text } => {
                format!("{address}: step {number} of {of}: {text}")
            }
            Event::StepDone { address, number, of, seconds } => {
                format!("{address}: step {number} of {of} done ({})", duration(*seconds))
            }
            Event::Done { address, action, id, seconds } => {
                let verb = match action {
                    Action::Create | Action::Replace => "created",
                    Action::Update => "changed",
                    Action::Delete => "destroyed",
                    Action::Read => "read",
                    Action::Import => "imported",
                    Action::Forget => "forgotten",
                    Action::None => return None,
                };
                p.green(&format!("{address}: {verb} [{id}] ({})", duration(*seconds)))
            }
            Event::Failed { address, error, .. } => p.red(&format!("{address}: failed: {error}")),
        })
    }
}

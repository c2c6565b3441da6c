//! What happens during an apply, one line at a time.

use super::{Palette, counted, duration};
use crate::apply::Event;
use crate::plan::Action;
use std::collections::BTreeMap;

/// Turns events into lines; repeats of the same progress are left out.
#[derive(Debug, Default)]
pub struct Progress {
    pub palette: Palette,
    last: BTreeMap<String, String>,
    /// Bad answers in a row, by probe.
    bad: BTreeMap<String, u64>,
}

impl Progress {
    pub fn new(palette: Palette) -> Self {
        Self { palette, ..Self::default() }
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
            Event::StepStarted { address, number, of, text, .. } => {
                format!("{address}: step {number} of {of}: {text}")
            }
            Event::StepDone { address, number, of, seconds } => {
                format!("{address}: step {number} of {of} done ({})", duration(*seconds))
            }
            Event::Probed { probe, fault, .. } => return self.answer(probe, fault.as_deref()),
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

    /// Only that it turned bad, and that it is good again.
    fn answer(&mut self, probe: &str, fault: Option<&str>) -> Option<String> {
        match fault {
            Some(fault) => {
                let bad = self.bad.entry(probe.to_owned()).or_default();
                *bad += 1;
                (*bad == 1).then(|| self.palette.red(&format!("probe {probe}: bad answer: {fault}")))
            }
            None => {
                let bad = self.bad.remove(probe)?;
                Some(format!("probe {probe}: good again after {}", counted(bad as usize, "bad answer")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::gates::Answers;

    #[test]
    fn a_probe_is_told_of_when_it_turns() {
        let mut progress = Progress::default();
        let mut line = |fault: Option<&str>| {
            let fault = fault.map(str::to_owned);
            progress.line(&Event::Probed { probe: "site".into(), answers: Answers::default(), fault })
        };
        assert_eq!(line(None), None);
        assert_eq!(line(Some("HTTP 502")).as_deref(), Some("probe site: bad answer: HTTP 502"));
        assert_eq!(line(Some("HTTP 503")), None);
        assert_eq!(line(None).as_deref(), Some("probe site: good again after 2 bad answers"));
        assert_eq!(line(None), None);
    }
}

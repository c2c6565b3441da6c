//! Where an apply tells what happens: plain lines, and on a terminal below them what is under way.

use super::error::color;
use crate::apply::Event;
use crate::render::Palette;
use crate::render::live::Live;
use crate::render::progress::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

pub struct Screen {
    lines: RefCell<Progress>,
    below: Option<RefCell<Below>>,
}

#[derive(Default)]
struct Below {
    live: Live,
    bars: BTreeMap<String, ProgressBar>,
    drawn: MultiProgress,
}

impl Screen {
    pub fn new() -> Self {
        let lines = RefCell::new(Progress::new(Palette { color: color(&std::io::stderr()) }));
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let is_live = std::io::stderr().is_terminal() && !dumb && std::env::var_os("CI").is_none();
        Self { lines, below: is_live.then(RefCell::default) }
    }

    pub fn show(&self, event: &Event) {
        let line = self.lines.borrow_mut().line(event);
        let Some(below) = &self.below else {
            if let Some(line) = line {
                eprintln!("{line}");
            }
            return;
        };
        let mut below = below.borrow_mut();
        if below.live.note(event)
            && let Some(line) = line
        {
            below.above(&line);
        }
        below.draw();
    }

    /// Nothing is under way any more.
    pub fn end(self) {
        if let Some(below) = self.below {
            below.into_inner().clear();
        }
    }
}

impl Below {
    fn above(&self, line: &str) {
        // A terminal that cannot be written to has nobody who reads it.
        let _ = self.drawn.println(line);
    }

    fn draw(&mut self) {
        let lines = self.live.lines();
        self.bars.retain(|name, bar| {
            let stays = lines.contains_key(name);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        for (name, line) in lines {
            let drawn = &self.drawn;
            let bar = self.bars.entry(name.clone()).or_insert_with(|| begun(drawn, name));
            bar.set_message(line);
        }
    }

    fn clear(self) {
        self.bars.values().for_each(ProgressBar::finish_and_clear);
        let _ = self.drawn.clear();
    }
}

fn begun(drawn: &MultiProgress, name: String) -> ProgressBar {
    const EVERY: Duration = Duration::from_millis(200);
    let style = ProgressStyle::with_template("{spinner} {prefix}: {wide_msg} {elapsed}");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    let bar = drawn.add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner())));
    bar.set_prefix(name);
    bar.enable_steady_tick(EVERY);
    bar
}

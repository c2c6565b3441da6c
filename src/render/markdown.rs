//! A plan as a pull request comment: warning in the heading, summary above the fold, under GitHub's limit.

use super::text::{Schemas, headline, summary, symbol};
use super::{Palette, counted};
use crate::aws::Serving;
use crate::plan::steps::{NumberedStep, rollouts};
use crate::plan::{Action, CheckStatus, Plan};
use std::fmt::Write;

/// GitHub refuses comments of 65,536 characters and more.
const LIMIT: usize = 65_000;

/// Lets a workflow find the comment of an environment again, to edit it in place.
pub fn marker(environment: &str) -> String {
    format!("<!-- cutover: {environment} -->")
}

pub fn plan(plan: &Plan, environment: &str, schemas: Schemas<'_>) -> String {
    let plain = Palette::default();
    let gone = plan.count(Action::Delete) + plan.count(Action::Replace);
    let warning =
        if gone > 0 { format!(" ⚠️ destroys {}", counted(gone, "resource")) } else { String::new() };
    let mut out = format!("{}\n### Plan for `{environment}`{warning}\n\n", marker(environment));
    let _ = writeln!(out, "{}\n", summary(plan, plain));
    for rollout in rollouts(plan) {
        let _ = writeln!(out, "**Rollout of `{}`**\n", rollout.address);
        if let Some(Serving { before, meanwhile, afterwards }) = &rollout.serving {
            let _ =
                writeln!(out, "Serves now: {before}  \nMeanwhile: {meanwhile}  \nAfterwards: {afterwards}\n");
        }
        for NumberedStep { number, step, .. } in &rollout.steps {
            let gate = step.gate.as_ref().map(|g| format!(" — waits until {g}")).unwrap_or_default();
            let _ = writeln!(out, "{number}. {}{gate}", step.text);
        }
        for back in rollout.ways_back() {
            let _ = writeln!(out, "\nWay back: {back}");
        }
        out.push('\n');
    }
    let open: Vec<_> = plan.checks.iter().filter(|(_, c)| c.status != CheckStatus::Pass).collect();
    if !open.is_empty() {
        out += "| check | |\n|---|---|\n";
        for (address, check) in open {
            let (word, problems) = super::text::check_words(check);
            let problems = problems.join("; ").replace('|', "\\|").replace('\n', " ");
            let colon = if problems.is_empty() { "" } else { ": " };
            let _ = writeln!(out, "| `{address}` | {word}{colon}{problems} |");
        }
        out.push('\n');
    }
    let changing: Vec<_> = plan.changes.iter().filter(|c| !c.is_nothing()).collect();
    if !changing.is_empty() {
        out += "| | resource | |\n|---|---|---|\n";
        for change in &changing {
            let _ = writeln!(out, "| `{}` | `{}` | {} |", symbol(change), change.address, headline(change));
        }
        out.push('\n');
        let details = super::text::plan(plan, schemas, plain);
        let fence = if details.contains("```") { "~~~~" } else { "```" };
        let block = format!(
            "<details><summary>Details</summary>\n\n{fence}diff\n{}{fence}\n\n</details>\n",
            as_diff(&details)
        );
        if out.len() + block.len() <= LIMIT {
            out += &block;
        } else {
            out += "The details are too long for a comment; see the job's log.\n";
        }
    }
    if out.len() > LIMIT {
        let end = out.floor_char_boundary(LIMIT);
        out.truncate(end);
        out += "\n…\n";
    }
    out
}

/// Puts the sign of a line first, so that GitHub colours it.
fn as_diff(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        let pad = line.len() - trimmed.len();
        let sign = trimmed.chars().next().filter(|c| matches!(c, '+' | '-'));
        match sign {
            Some(sign) if trimmed[1..].starts_with(' ') => {
                let _ = writeln!(out, "{sign}{}{}", " ".repeat(pad), &trimmed[1..]);
            }
            _ if trimmed.starts_with("~ ") => {
                let _ = writeln!(out, "!{}{}", " ".repeat(pad), &trimmed[1..]);
            }
            _ => {
                let _ = writeln!(out, "{line}");
            }
        }
    }
    out
}

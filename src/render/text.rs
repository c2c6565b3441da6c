//! A plan on a terminal.

use super::value::{Line, declared, filled, hcl, lines};
use super::{Palette, counted, duration};
use crate::addr::Mode;
use crate::aws::Serving;
use crate::diff::{AttributeChange, Cause};
use crate::plan::steps::{NumberedStep, rollouts};
use crate::plan::{Action, Change, CheckResult, CheckStatus, OutputChange, Plan, Reason};
use crate::schema::{Row, TypeSchema};

/// Looks up types for attribute tables.
pub type Schemas<'a> = &'a dyn Fn(&Change) -> Option<&'static TypeSchema>;

/// The whole plan; ends with a newline.
pub fn plan(plan: &Plan, schemas: Schemas<'_>, palette: Palette) -> String {
    let mut out = String::new();
    for change in plan.changes.iter().filter(|c| !c.is_nothing()) {
        out += &one(change, schemas(change), palette);
        out.push('\n');
    }
    for rollout in rollouts(plan) {
        out += &format!("{}\n", palette.bold(&format!("Rollout of {}", rollout.address)));
        if let Some(Serving { before, meanwhile, afterwards }) = &rollout.serving {
            out +=
                &format!("  serves now: {before}\n  meanwhile:  {meanwhile}\n  afterwards: {afterwards}\n");
        }
        for NumberedStep { number, address, step } in &rollout.steps {
            out += &format!("  {number}. {}", step.text);
            if *address != rollout.address {
                out += &palette.dim(&format!("  ({address})"));
            }
            if let Some(seconds) = step.expected_seconds.filter(|seconds| *seconds > 0) {
                out += &palette.dim(&format!("  (at least {})", duration(seconds)));
            }
            out.push('\n');
            if let Some(gate) = &step.gate {
                out += &format!("     {}\n", palette.dim(&format!("waits until {gate}")));
            }
        }
        for back in rollout.ways_back() {
            out += &format!("  {}\n", palette.dim(&format!("way back: {back}")));
        }
        out.push('\n');
    }
    out += &checks(plan, palette);
    let outputs: Vec<_> = plan.outputs.iter().filter(|(_, o)| o.changed).collect();
    if !outputs.is_empty() {
        out += &format!("{}\n", palette.bold("Outputs"));
        for (name, output) in outputs {
            out += &output_line(name, output, palette);
        }
        out.push('\n');
    }
    out + &summary(plan, palette) + "\n"
}

/// `Plan: 3 to create, 1 to change, 0 to replace, 0 to destroy.`
pub fn summary(plan: &Plan, palette: Palette) -> String {
    if plan.is_empty() {
        let managed = plan.changes.iter().filter(|c| c.address.mode == Mode::Managed).count();
        return palette.green(&format!("Nothing to change: {} as declared.", counted(managed, "resource")));
    }
    let count = |action| plan.count(action);
    if !plan.changes_resources() {
        return palette.bold("Plan: only outputs change.");
    }
    let mut counts = vec![
        format!("{} to create", count(Action::Create)),
        format!("{} to change", count(Action::Update)),
        format!("{} to replace", count(Action::Replace)),
        format!("{} to destroy", count(Action::Delete)),
    ];
    let imported = plan.changes.iter().filter(|c| c.importing.is_some()).count();
    let moved = plan.changes.iter().filter(|c| c.previous.is_some()).count();
    let rare = [(imported, "import"), (moved, "move"), (count(Action::Forget), "forget")];
    counts.extend(rare.iter().filter(|(n, _)| *n > 0).map(|(n, verb)| format!("{n} to {verb}")));
    palette.bold(&format!("Plan: {}.", counts.join(", ")))
}

/// Checks that do not hold, or are not known yet.
fn checks(plan: &Plan, palette: Palette) -> String {
    let open: Vec<_> = plan.checks.iter().filter(|(_, c)| c.status != CheckStatus::Pass).collect();
    if open.is_empty() {
        return String::new();
    }
    let mut out = format!("{}\n", palette.bold("Checks"));
    for (address, check) in open {
        let (word, problems) = check_words(check);
        out += &format!("  {address}: {}\n", palette.yellow(word));
        problems.iter().for_each(|problem| out += &indented(problem, "      "));
    }
    out + "\n"
}

/// How a check stands, and what is wrong.
pub fn check_words(check: &CheckResult) -> (&'static str, &[String]) {
    let word = match check.status {
        CheckStatus::Pass => "holds",
        CheckStatus::Fail => "does not hold",
        CheckStatus::Unknown => "known only after apply",
    };
    (word, &check.problems)
}

pub fn symbol(change: &Change) -> &'static str {
    match (change.action, change.create_before_destroy) {
        (Action::None, _) if change.previous.is_some() => "→",
        (Action::None, _) => " ",
        (Action::Import, _) => "&",
        (Action::Forget, _) => ".",
        (Action::Read, _) => "<=",
        (Action::Create, _) => "+",
        (Action::Update, _) => "~",
        (Action::Replace, true) => "+/-",
        (Action::Replace, false) => "-/+",
        (Action::Delete, _) => "-",
    }
}

fn paint(change: &Change, text: &str, palette: Palette) -> String {
    match change.action {
        Action::Create => palette.green(text),
        Action::Update => palette.yellow(text),
        Action::Replace | Action::Delete => palette.red(text),
        Action::Read | Action::Import | Action::Forget => palette.cyan(text),
        Action::None if change.previous.is_some() => palette.cyan(text),
        Action::None => text.to_owned(),
    }
}

/// What will happen, in words.
pub fn headline(change: &Change) -> String {
    let what = match change.action {
        Action::None if change.previous.is_some() => "moves",
        Action::None => "stays",
        Action::Import => "will be imported",
        Action::Forget => "will no longer be managed, but lives on",
        Action::Read => "will be read while applying",
        Action::Create => "will be created",
        Action::Update if !change.rollout.is_empty() => "will be rolled out",
        Action::Update => "will be changed",
        Action::Replace if change.create_before_destroy => "will be replaced (new one first)",
        Action::Replace => "will be replaced (old one deleted first)",
        Action::Delete => "will be destroyed",
    };
    let why = match change.reason {
        Some(Reason::Vanished) => ": it is no longer there",
        Some(Reason::NotDeclared) => ": it is no longer in the configuration",
        Some(Reason::NoInstance) => ": its instance is no longer declared",
        Some(Reason::Tainted) => ": it is tainted",
        Some(Reason::Triggered) => ": replace_triggered_by",
        Some(Reason::Requested) => ": --replace",
        Some(Reason::UnderWay) => ": an earlier run began it and did not follow it to its end",
        Some(Reason::FollowsDefault) => ": the default capacity providers of its cluster change",
        Some(Reason::Deposed) => ": what is left of an unfinished replacement",
        Some(Reason::WrongRepetition) => ": it has another kind of instance key now",
        Some(Reason::NoMoveTarget) => ": nothing declares the address that it moved to",
        Some(Reason::ConfigUnknown) => ": its arguments are not known yet",
        Some(Reason::DependencyPending) => ": it depends on something that changes",
        Some(Reason::Destroy) | None => "",
    };
    let imported = match (&change.importing, change.action) {
        (Some(_), Action::Import) | (None, _) => String::new(),
        (Some(id), _) => format!("will be imported by id {id}, then "),
    };
    let moved = match &change.previous {
        Some(previous) => format!("; {previous} has moved to {}", change.address),
        None => String::new(),
    };
    format!("{imported}{what}{why}{moved}")
}

fn one(change: &Change, schema: Option<&'static TypeSchema>, palette: Palette) -> String {
    let head = format!("{:>3} {}", symbol(change), change.address);
    let id = change.id.as_ref().map(|id| format!(" [{id}]")).unwrap_or_default();
    let mut out = format!("{}{}  {}\n", paint(change, &head, palette), palette.dim(&id), headline(change));
    match change.action {
        Action::Create | Action::Read => {
            for (name, value) in schema.map(|s| declared(&change.desired, s.table)).unwrap_or_default() {
                out += &indented(&format!("{name} = {}", hcl(value)), "      ");
            }
        }
        Action::Update | Action::Replace => {
            let names: Vec<&str> = change.attributes.iter().map(|a| a.name.as_str()).collect();
            for attribute in &change.attributes {
                if attribute.name == "tags_all" && names.contains(&"tags") {
                    continue;
                }
                let row = schema.and_then(|s| s.row(&attribute.name));
                out += &attribute_lines(attribute, row, palette);
            }
        }
        Action::Delete | Action::None | Action::Import | Action::Forget => {}
    }
    out
}

fn indented(text: &str, pad: &str) -> String {
    text.lines().map(|line| format!("{pad}{line}\n")).collect()
}

fn notes(attribute: &AttributeChange) -> String {
    let mut notes = Vec::new();
    if attribute.replaces {
        notes.push("needs a new resource");
    }
    match attribute.cause {
        Cause::Config => {}
        Cause::Drift => notes.push("changed outside Cutover"),
        Cause::Both => notes.push("changed here and outside Cutover"),
    }
    if notes.is_empty() { String::new() } else { format!("  # {}", notes.join("; ")) }
}

fn attribute_lines(attribute: &AttributeChange, row: Option<&'static Row>, palette: Palette) -> String {
    let hide = |text: String| if attribute.sensitive { super::value::SENSITIVE.to_owned() } else { text };
    let before = hide(attribute.before.as_ref().map_or("null".to_owned(), hcl));
    let after = match (row, &attribute.before) {
        (Some(row), Some(before)) => hide(hcl(&filled(row, before, &attribute.after))),
        _ => hide(hcl(&attribute.after)),
    };
    let notes = palette.dim(&notes(attribute));
    let name = &attribute.name;
    if !before.contains('\n') && !after.contains('\n') {
        return format!("      {name}: {} → {}{notes}\n", palette.red(&before), palette.green(&after));
    }
    let mut out = format!("      {name}:{notes}\n");
    for line in lines(&format!("{before}\n"), &format!("{after}\n")) {
        out += &match line {
            Line::Same(text) => format!("          {text}\n"),
            Line::Removed(text) => format!("        {}\n", palette.red(&format!("- {text}"))),
            Line::Added(text) => format!("        {}\n", palette.green(&format!("+ {text}"))),
            Line::Gap(n) => format!("          {}\n", palette.dim(&format!("… {}", counted(n, "line")))),
        };
    }
    out
}

fn output_line(name: &str, output: &OutputChange, palette: Palette) -> String {
    if output.sensitive {
        return format!("  {name} = {}\n", super::value::SENSITIVE);
    }
    let after = hcl(&output.after);
    match &output.before {
        Some(before) => {
            let before = hcl(&crate::value::from_json(before));
            format!("  {name}: {} → {}\n", palette.red(&before), palette.green(&after))
        }
        None => indented(&format!("{name} = {}", palette.green(&after)), "  "),
    }
}

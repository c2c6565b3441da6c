//! Terraform 1.11.4's own answers (`fixtures/lang`): what it accepts parses, and what it rejects while
//! parsing is rejected at the same place.

use super::parse_file;
use crate::diag::{Diagnostic, Sources};
use serde_json::Value as Json;

/// Terraform's summaries of the errors that its parser makes; all others come from evaluating.
const PARSE_ERRORS: [&str; 16] = [
    "Unbalanced parentheses",
    "Invalid multi-line string",
    "Missing key/value separator",
    "Missing attribute separator",
    "Missing item separator",
    "Missing argument separator",
    "Invalid 'for' expression",
    "Invalid legacy index syntax",
    "Nested splat expression not allowed",
    "Invalid expression",
    "Invalid escape sequence",
    "Invalid character",
    "Unexpected end of template",
    "Invalid attribute name",
    "Invalid number literal",
    "Missing false expression in conditional",
];

struct Counts {
    accepted: usize,
    rejected: usize,
}

fn cases(text: &str) -> impl Iterator<Item = Json> + '_ {
    text.lines().map(|line| serde_json::from_str(line).expect("fixtures are JSON lines"))
}

/// Parses the expression as Terraform got it: in parentheses, as a value in a block.
fn errors_of(expr: &str) -> Vec<(usize, usize, Diagnostic)> {
    let mut sources = Sources::default();
    let file = sources.add("case.tf", format!("resource \"x\" \"x\" {{\n  v = (\n{expr}\n)\n}}\n"));
    let (_, diags) = parse_file(&sources, file);
    let place = |d: Diagnostic| {
        let span = d.span().expect("syntax errors have a place");
        let (line, column) = sources.line_column(file, span.start);
        (line - 2, column, d)
    };
    diags.into_iter().map(place).collect()
}

fn check(name: &str, text: &str) -> Counts {
    let mut counts = Counts { accepted: 0, rejected: 0 };
    let mut wrong = Vec::new();
    for case in cases(text) {
        let expr = case["expr"].as_str().expect("every case has an expression");
        let errors = errors_of(expr);
        if PARSE_ERRORS.contains(&case["error"].as_str().unwrap_or("")) {
            counts.rejected += 1;
            let at =
                (case["at"][0].as_u64().unwrap_or(0) as usize, case["at"][1].as_u64().unwrap_or(0) as usize);
            if errors.len() != 1 || (errors[0].0, errors[0].1) != at {
                wrong
                    .push(format!("{}: {expr:?}: {} at {at:?}, but: {errors:#?}", case["id"], case["error"]));
            }
        } else {
            counts.accepted += 1;
            if !errors.is_empty() {
                wrong.push(format!("{}: {expr:?} is accepted, but: {errors:#?}", case["id"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{name}: {} accepted, {} rejected, at Terraform's places", counts.accepted, counts.rejected);
    counts
}

#[test]
fn accepts_and_rejects_expressions_where_terraform_does() {
    let syntax = check("syntax", include_str!("../../../fixtures/lang/syntax.jsonl"));
    let edge = check("edge", include_str!("../../../fixtures/lang/edge.jsonl"));
    let functions = check("functions", include_str!("../../../fixtures/lang/functions.jsonl"));
    assert_eq!((syntax.accepted + syntax.rejected, syntax.rejected), (244, 10));
    assert_eq!((edge.accepted + edge.rejected, edge.rejected), (406, 21));
    assert_eq!((functions.accepted + functions.rejected, functions.rejected), (699, 0));
}

#[test]
fn parses_the_recorded_roots() {
    let mut files = 0;
    for case in cases(include_str!("../../../fixtures/lang/roots.jsonl")) {
        for (path, text) in case["files"].as_object().expect("every root has files") {
            let Some(text) = text.as_str().filter(|_| path.ends_with(".tf") || path.ends_with(".tfvars"))
            else {
                continue;
            };
            let mut sources = Sources::default();
            let file = sources.add(path, text);
            let (_, diags) = parse_file(&sources, file);
            assert!(diags.is_empty(), "{}: {path}: {diags:#?}\n{text}", case["id"]);
            files += 1;
        }
    }
    println!("roots: {files} files");
}

#[test]
fn the_shipped_configuration_parses() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = 0;
    for folder in ["modules", "envs"] {
        for entry in walkdir::WalkDir::new(root.join(folder)).into_iter().filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy();
            if ![".tf", ".hcl", ".tfvars"].iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let mut sources = Sources::default();
            let text =
                std::fs::read_to_string(entry.path()).expect("the repository's files are readable text");
            let file = sources.add(entry.path(), text);
            let (_, diags) = parse_file(&sources, file);
            assert!(
                diags.is_empty(),
                "{}",
                crate::diag::render::render_text(&diags, &sources, Default::default())
            );
            files += 1;
        }
    }
    assert!(files > 0);
}

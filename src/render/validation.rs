//! What validating found, as `terraform validate -json` has it, with our codes besides.

use crate::diag::render::shown_path;
use crate::diag::{Diagnostic, FileId, Severity, Sources, Span};
use crate::lang::parse::parse_file;
use crate::lang::syntax::Body;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub fn json(diags: &[Diagnostic], sources: &Sources) -> Json {
    let count = |severity| diags.iter().filter(|d| d.severity == severity).count();
    let mut bodies = BTreeMap::new();
    json!({
        "format_version": "1.0",
        "valid": count(Severity::Error) == 0,
        "error_count": count(Severity::Error),
        "warning_count": count(Severity::Warning),
        "diagnostics": diags.iter().map(|d| diagnostic(d, sources, &mut bodies)).collect::<Vec<_>>(),
    })
}

/// Files as parsed, once each.
type Bodies = BTreeMap<FileId, Body>;

fn diagnostic(d: &Diagnostic, sources: &Sources, bodies: &mut Bodies) -> Json {
    let severity = if d.severity == Severity::Error { "error" } else { "warning" };
    let mut out = json!({
        "severity": severity,
        "code": d.code,
        "summary": d.summary,
        "detail": detail(d),
    });
    if let Some(address) = &d.address {
        out["address"] = json!(address);
    }
    if let Some(span) = d.span() {
        out["range"] = range(span, sources);
        out["snippet"] = snippet(d, span, sources, bodies);
    }
    out
}

fn detail(d: &Diagnostic) -> String {
    let labels = d.labels.iter().map(|l| &l.text);
    let parts = [&d.detail].into_iter().chain(labels).chain(&d.notes).chain(&d.help);
    parts.filter(|p| !p.is_empty()).cloned().collect::<Vec<_>>().join("\n")
}

fn range(span: Span, sources: &Sources) -> Json {
    let position = |offset| {
        let (line, column) = sources.line_column(span.file, offset);
        json!({ "line": line, "column": column, "byte": offset })
    };
    json!({ "filename": shown_path(sources, span), "start": position(span.start), "end": position(span.end) })
}

/// The lines of the span; offsets are in bytes of them.
fn snippet(d: &Diagnostic, span: Span, sources: &Sources, bodies: &mut Bodies) -> Json {
    let (first, _) = sources.line_column(span.file, span.start);
    let (last, _) = sources.line_column(span.file, span.end.max(span.start));
    let (start, end) = (sources.line(span.file, first).start, sources.line(span.file, last).end);
    let code = sources.text(span.file).get(start..end).unwrap_or("");
    let offset = |at: u32| (at as usize).clamp(start, start + code.len()) - start;
    json!({
        "context": context(span, sources, bodies),
        "code": code,
        "start_line": first,
        "highlight_start_offset": offset(span.start),
        "highlight_end_offset": offset(span.end),
        "values": d.notes.iter().filter_map(|note| value(note)).collect::<Vec<_>>(),
    })
}

/// The header of the outermost block around.
fn context(span: Span, sources: &Sources, bodies: &mut Bodies) -> Option<String> {
    if sources.path(span.file).extension().is_some_and(|e| e == "json") {
        return None;
    }
    let body = bodies.entry(span.file).or_insert_with(|| parse_file(sources, span.file).0);
    let block = body.blocks.iter().find(|b| b.span.start <= span.start && span.start < b.span.end)?;
    let labels = block.labels.iter().map(|l| format!(" \"{}\"", l.name));
    Some(format!("{}{}", block.kind.name, labels.collect::<String>()))
}

/// `` `var.x` is a list `` as Terraform splits it.
fn value(note: &str) -> Option<Json> {
    let (traversal, statement) = note.strip_prefix('`')?.split_once("` ")?;
    statement.starts_with("is ").then(|| json!({ "traversal": traversal, "statement": statement }))
}

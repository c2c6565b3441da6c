use super::{Diagnostic, Sources, Span, severity_name, shown_path};
use serde_json::{Value, json};

/// A list of `{code, severity, summary, detail, labels, notes, help, address}`; columns count characters
/// from 1, bytes from 0.
pub fn render_json(diags: &[Diagnostic], sources: &Sources) -> Value {
    diags.iter().map(|d| diagnostic(d, sources)).collect()
}

fn diagnostic(d: &Diagnostic, sources: &Sources) -> Value {
    let labels: Vec<Value> = d
        .labels
        .iter()
        .map(|label| {
            json!({
                "path": shown_path(sources, label.span),
                "start": position(label.span, label.span.start, sources),
                "end": position(label.span, label.span.end, sources),
                "text": label.text,
            })
        })
        .collect();
    json!({
        "code": d.code,
        "severity": severity_name(d.severity),
        "summary": d.summary,
        "detail": d.detail,
        "labels": labels,
        "notes": d.notes,
        "help": d.help,
        "address": d.address,
    })
}

fn position(span: Span, offset: u32, sources: &Sources) -> Value {
    let (line, column) = sources.line_column(span.file, offset);
    json!({ "line": line, "column": column, "byte": offset })
}

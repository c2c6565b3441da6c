use super::{Diagnostic, Sources, Span, full_message, severity_name, shown_path};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a relative URI reference cannot hold as it is.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b':');

/// One SARIF 2.1.0 log with one run, for code scanning.
pub fn render_sarif(diags: &[Diagnostic], sources: &Sources) -> Value {
    let codes: BTreeSet<&str> = diags.iter().map(|d| d.code).collect();
    let rules: Vec<Value> = codes.iter().map(|code| json!({ "id": code })).collect();
    let results: Vec<Value> = diags.iter().map(|d| result(d, sources, &codes)).collect();
    json!({
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "cutover", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(d: &Diagnostic, sources: &Sources, codes: &BTreeSet<&str>) -> Value {
    let mut result = json!({
        "ruleId": d.code,
        "ruleIndex": codes.iter().position(|c| *c == d.code),
        "level": severity_name(d.severity),
        "message": { "text": full_message(d) },
    });
    let mut location = serde_json::Map::new();
    if let Some(label) = d.labels.first() {
        location.insert("physicalLocation".into(), physical(label.span, sources));
        if !label.text.is_empty() {
            location.insert("message".into(), json!({ "text": label.text }));
        }
    }
    if let Some(address) = &d.address {
        location.insert(
            "logicalLocations".into(),
            json!([{ "fullyQualifiedName": address, "kind": "resource" }]),
        );
    }
    if !location.is_empty() {
        result["locations"] = json!([location]);
    }
    let related: Vec<Value> = d.labels.iter().enumerate().skip(1).map(|(i, label)| {
        json!({ "id": i, "physicalLocation": physical(label.span, sources), "message": { "text": label.text } })
    }).collect();
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    result
}

fn physical(span: Span, sources: &Sources) -> Value {
    let (start_line, start_column) = sources.line_column(span.file, span.start);
    let (end_line, end_column) = sources.line_column(span.file, span.end);
    let path = shown_path(sources, span);
    json!({
        "artifactLocation": { "uri": utf8_percent_encode(&path, PATH).to_string() },
        "region": {
            "startLine": start_line,
            "startColumn": start_column,
            "endLine": end_line,
            "endColumn": end_column,
            "byteOffset": span.start,
            "byteLength": span.end.saturating_sub(span.start),
        },
    })
}

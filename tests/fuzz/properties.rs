//! What holds of every input, hostile ones included: nothing panics or runs on, places lie inside of the
//! text, formatting changes no meaning and is done after one time.

use crate::diag::{Diagnostic, Diagnostics, FileId, Sources};
use crate::lang::eval::{Resolved, Scope, eval as evaluate};
use crate::lang::format::format;
use crate::lang::json::{Reading, read};
use crate::lang::parse::{parse_expression, parse_file, parse_template};
use crate::lang::syntax::{Body, Expr, ExprKind, TemplatePart, Traversal};
use crate::value::{Type, Value, exact_json, json_text};
use std::path::Path;

fn source(bytes: &[u8]) -> (Sources, FileId) {
    let mut sources = Sources::default();
    let file = sources.add_bytes("main.tf", bytes.to_vec());
    (sources, file)
}

/// Every place can be shown.
fn placed(sources: &Sources, diags: &[Diagnostic]) {
    for diagnostic in diags {
        for label in &diagnostic.labels {
            let text = sources.text(label.span.file);
            let (start, end) = (label.span.start as usize, label.span.end as usize);
            assert!(start <= end && end <= text.len(), "{:?} is outside of the text", label.span);
            assert!(
                text.is_char_boundary(start) && text.is_char_boundary(end),
                "{:?} cuts a character",
                label.span
            );
            let _ = sources.line_column(label.span.file, label.span.start);
        }
    }
}

pub fn parse(bytes: &[u8]) {
    let (sources, file) = source(bytes);
    let (body, diags) = parse_file(&sources, file);
    placed(&sources, &diags);
    if diags.is_empty() {
        inside(&sources, file, &body);
    }
    let (_, diags) = parse_template(&sources, file);
    placed(&sources, &diags);
}

/// Parts lie inside of the whole.
fn inside(sources: &Sources, file: FileId, body: &Body) {
    let text = sources.text(file);
    for attribute in &body.attributes {
        let span = attribute.expr.span;
        assert!(span.start <= span.end && span.end as usize <= text.len());
        assert!(attribute.span.start <= span.start && span.end <= attribute.span.end);
        assert!(text.get(span.start as usize..span.end as usize).is_some());
    }
    for block in &body.blocks {
        assert!(block.span.start <= block.header.start && block.header.end <= block.span.end);
        inside(sources, file, &block.body);
    }
}

pub struct Nothing;

impl Scope for Nothing {
    fn resolve(&self, traversal: &Traversal) -> Result<Resolved, Diagnostic> {
        let value = match &*traversal.root {
            "u" => Value::unknown_not_null(Type::String),
            "d" => Value::dynamic(),
            "s" => Value::string("secret").sensitive(),
            "l" => Value::list(Type::Number, vec![Value::int(1), Value::int(2)]),
            "n" => Value::null(Type::Dynamic),
            root => {
                return Err(
                    Diagnostic::error("unknown-name", format!("there is no `{root}`")).at(traversal.span)
                );
            }
        };
        Ok(Resolved { value, steps_used: 0 })
    }

    fn base_dir(&self) -> &Path {
        Path::new("/nonexistent")
    }

    fn plan_timestamp(&self) -> Option<jiff::Timestamp> {
        "2026-11-21T04:27:56Z".parse().ok()
    }
}

/// A value or diagnostics, and the same again.
pub fn eval(bytes: &[u8]) {
    let (sources, file) = source(bytes);
    let (expr, diags) = parse_expression(&sources, file);
    placed(&sources, &diags);
    let Some(expr) = expr.filter(|_| diags.is_empty()) else {
        assert!(!diags.is_empty(), "neither an expression nor an error");
        return;
    };
    // Not the files and passwords of this machine.
    let text = sources.text(file);
    if ["file", "path", "bcrypt"].iter().any(|name| text.contains(name)) {
        return;
    }
    let value = value_of(&expr, &sources);
    if let Some(value) = value {
        let _ = (exact_json(&value), json_text(&value));
        assert_eq!(Some(value), value_of(&expr, &sources), "another value the second time");
    }
}

fn value_of(expr: &Expr, sources: &Sources) -> Option<Value> {
    let mut diags = Diagnostics::default();
    let value = evaluate(expr, &Nothing, &mut diags);
    let diags = diags.into_sorted();
    placed(sources, &diags);
    diags.is_empty().then_some(value)
}

pub fn fmt(bytes: &[u8]) {
    let (sources, file) = source(bytes);
    let once = match format(&sources, file) {
        Ok(text) => text,
        Err(diags) => {
            assert!(!diags.is_empty(), "neither a text nor an error");
            return placed(&sources, &diags);
        }
    };
    let (before, diags) = parse_file(&sources, file);
    if !diags.is_empty() {
        return;
    }
    let mut again = Sources::default();
    let file = again.add("main.tf", once.as_str());
    let (after, diags) = parse_file(&again, file);
    assert!(diags.is_empty(), "what was formatted does not parse: {once:?}: {diags:?}");
    assert_eq!(meaning(&before), meaning(&after), "formatting changed the meaning: {once:?}");
    assert_eq!(format(&again, file).as_deref(), Ok(once.as_str()), "formatting again changes something");
}

fn meaning(body: &Body) -> String {
    let mut body = body.clone();
    unwrap_body(&mut body);
    // Without places.
    let text = format!("{body:?}");
    let mut pieces = text.split("Span {");
    let first = pieces.next().unwrap_or_default().to_owned();
    let text = pieces.fold(first, |out, piece| out + piece.split_once('}').map_or("", |(_, rest)| rest));
    let pieces =
        text.split("name_start: ").map(|piece| piece.trim_start_matches(|c: char| c.is_ascii_digit()));
    pieces.collect()
}

/// Terraform's rewrites: `"${x}"` is `x`, parentheses may go, and types of old are written anew.
fn unwrap_body(body: &mut Body) {
    for block in body.blocks.iter_mut().filter(|b| &*b.kind.name == "variable") {
        block.body.attributes.retain(|a| &*a.name.name != "type");
    }
    body.attributes.iter_mut().for_each(|a| unwrap(&mut a.expr));
    body.blocks.iter_mut().for_each(|b| unwrap_body(&mut b.body));
}

fn unwrap(expr: &mut Expr) {
    loop {
        let inner = match &expr.kind {
            ExprKind::Paren(inner) => (**inner).clone(),
            ExprKind::Template(parts) => match &parts[..] {
                [TemplatePart::Interpolation(inner)] => inner.clone(),
                _ => return,
            },
            _ => return,
        };
        *expr = inner;
    }
}

pub fn json(bytes: &[u8]) {
    let (sources, file) = source(bytes);
    let (tree, mut diags) = read(&sources, file);
    let mut more = Diagnostics::default();
    for reading in [Reading::Templates, Reading::Literal, Reading::References] {
        let expr = tree.expr(reading, &mut more);
        let _ = evaluate(&expr, &Nothing, &mut more);
    }
    diags.extend(more.into_sorted());
    placed(&sources, &diags);
}

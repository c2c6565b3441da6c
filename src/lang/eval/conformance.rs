//! Terraform 1.11.4's own answers (`fixtures/lang`): every recorded expression has the same type, value
//! and unknown parts here, or fails here, too, and at the same place.

use super::{Resolved, Scope, eval};
use crate::diag::{Diagnostic, Diagnostics, Sources};
use crate::lang::parse::parse_file;
use crate::lang::syntax::Traversal;
use crate::value::{Type, Value, exact_json, shape_json, type_json};
use serde_json::{Value as Json, json};
use std::path::Path;

/// Answers that are meant to differ, and why.
const VALUE_EXCEPTIONS: &[(&str, &str)] = &[(
    "reviewed-0340",
    "the console has no declarations to look a name up in before it evaluates; in a file it is an error",
)];

/// Errors that are meant to be reported elsewhere than Terraform does, and why.
const PLACE_EXCEPTIONS: &[(&str, &str)] = &[
    ("edge-0115", "a null key is the key's mistake; Terraform blames the value behind it"),
    ("reviewed-0418", "the whole argument is marked, not the splat at its end"),
    ("reviewed-0441", "the whole argument is marked, not the splat at its end"),
];

struct Recorded;

impl Scope for Recorded {
    fn resolve(&self, traversal: &Traversal) -> Result<Resolved, Diagnostic> {
        let null = || Value::null(Type::Dynamic);
        let object = |items: Vec<(&str, Value)>| {
            Value::object(items.into_iter().map(|(k, v)| (k.into(), v)).collect())
        };
        match (&*traversal.root, traversal.attr(0)) {
            ("terraform_data", Some("u")) => {
                let id = Value::unknown_not_null(Type::String);
                let items =
                    vec![("id", id), ("input", null()), ("output", null()), ("triggers_replace", null())];
                Ok(Resolved { value: object(items), steps_used: 1 })
            }
            ("path", Some("module" | "root")) => Ok(Resolved { value: ".".into(), steps_used: 1 }),
            ("path", Some("cwd")) => Ok(Resolved { value: "/somewhere".into(), steps_used: 1 }),
            ("terraform", Some("workspace")) => Ok(Resolved { value: "default".into(), steps_used: 1 }),
            _ => Err(Diagnostic::error("unknown-name", format!("there is no `{}`", traversal.root))
                .at(traversal.span)),
        }
    }

    fn base_dir(&self) -> &Path {
        Path::new("/somewhere")
    }

    fn plan_timestamp(&self) -> Option<jiff::Timestamp> {
        "2026-11-21T04:27:56Z".parse().ok()
    }
}

#[derive(Default)]
struct Counts {
    values: usize,
    errors: usize,
    /// Of the errors, those that Terraform gives a place, and those of these at exactly that place.
    placed: usize,
    exact: usize,
}

fn evaluate(expr: &str) -> (Sources, Value, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let file = sources.add("case.tf", format!("v = (\n{expr}\n)\n"));
    let (body, problems) = parse_file(&sources, file);
    let mut diags = Diagnostics::default();
    diags.extend(problems);
    let value = match body.attribute("v") {
        Some(attribute) if !diags.has_errors() => eval(&attribute.expr, &Recorded, &mut diags),
        _ => Value::dynamic(),
    };
    (sources, value, diags.into_sorted())
}

fn check_value(case: &Json, value: &Value, diags: &[Diagnostic]) -> Option<String> {
    if !diags.is_empty() {
        return Some(format!(
            "fails: {}",
            diags.iter().map(|d| d.summary.as_str()).collect::<Vec<_>>().join("; ")
        ));
    }
    let known = exact_json(value);
    if let Some(unknown) = case.get("unknown") {
        let ours = shape_json(value, &Value::is_unknown);
        return (ours != *unknown || *unknown != json!(true) && known != case["value"])
            .then(|| format!("unknown {ours}, value {known}"));
    }
    let ty = if value.is_null() { json!("dynamic") } else { type_json(&value.ty()) };
    (known != case["value"] || ty != case["type"] || !value.is_wholly_known())
        .then(|| format!("{ty} {known}"))
}

/// None if one of the errors is where Terraform's is. It may begin a quote earlier: Terraform places an
/// error about a string inside of its quotes, about an empty one behind them.
fn check_place(case: &Json, sources: &Sources, diags: &[Diagnostic], counts: &mut Counts) -> Option<String> {
    let (Some(line), Some(column)) = (case["at"][0].as_u64(), case["at"][1].as_u64()) else { return None };
    let wanted = (line as usize + 1, column as usize);
    let start = |d: &Diagnostic| d.span().map_or((0, 0), |span| sources.line_column(span.file, span.start));
    let starts: Vec<(usize, usize)> = diags.iter().map(start).collect();
    let behind = diags.iter().any(|d| {
        let (line, column) = start(d);
        d.span().is_some_and(|span| sources.snippet(span) == "\"\"") && (line, column + 2) == wanted
    });
    counts.placed += 1;
    counts.exact += usize::from(starts.contains(&wanted));
    let near = |s: &(usize, usize)| *s == wanted || (s.0, s.1 + 1) == wanted;
    (!starts.is_empty() && !behind && !starts.iter().any(near))
        .then(|| format!("at {starts:?}, not {wanted:?} (in a line more)"))
}

fn check(name: &str, text: &str) -> Counts {
    let mut counts = Counts::default();
    let mut wrong = Vec::new();
    for line in text.lines() {
        let case: Json = serde_json::from_str(line).expect("fixtures are JSON lines");
        let (id, expr) = (case["id"].as_str().expect("an id"), case["expr"].as_str().expect("an expression"));
        let (sources, value, diags) = evaluate(expr);
        let mut place = None;
        let difference = if case.get("error").is_some() {
            counts.errors += 1;
            place = check_place(&case, &sources, &diags, &mut counts);
            diags
                .is_empty()
                .then(|| format!("does not fail but is {} {}", type_json(&value.ty()), exact_json(&value)))
        } else {
            counts.values += 1;
            check_value(&case, &value, &diags)
        };
        for (difference, exceptions) in [(difference, VALUE_EXCEPTIONS), (place, PLACE_EXCEPTIONS)] {
            match (difference, exceptions.iter().find(|(e, _)| *e == id)) {
                (Some(difference), None) => {
                    wrong.push(format!("{expr}\n    Terraform: {case}\n    here: {difference}"))
                }
                (None, Some((_, reason))) => {
                    wrong.push(format!("{id} is as in Terraform now: no longer an exception ({reason})"))
                }
                _ => {}
            }
        }
    }
    println!(
        "{name}: {} values and {} errors as Terraform's; of {} places {} exactly",
        counts.values, counts.errors, counts.placed, counts.exact
    );
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    counts
}

#[test]
fn edge_cases_are_as_in_terraform() {
    let counts = check("edge", include_str!("../../../fixtures/lang/edge.jsonl"));
    assert_eq!(counts.values + counts.errors, 406);
}

#[test]
fn functions_are_as_in_terraform() {
    let counts = check("functions", include_str!("../../../fixtures/lang/functions.jsonl"));
    assert_eq!(counts.values + counts.errors, 699);
}

#[test]
fn syntax_means_what_it_means_in_terraform() {
    let counts = check("syntax", include_str!("../../../fixtures/lang/syntax.jsonl"));
    assert_eq!(counts.values + counts.errors, 244);
}

/// Asked of Terraform later, by the lists and generators that found differences, and a spread of others.
#[test]
fn more_expressions_are_as_in_terraform() {
    let text = include_str!("../../../fixtures/lang/more.jsonl");
    let counts = check("more", text);
    assert_eq!(counts.values + counts.errors, text.lines().count());
}

/// Asked by a reviewer who tried to find differences: those that were found, and a spread of others.
#[test]
fn reviewed_expressions_are_as_in_terraform() {
    let text = include_str!("../../../fixtures/lang/reviewed.jsonl");
    let counts = check("reviewed", text);
    assert_eq!(counts.values + counts.errors, text.lines().count());
}

/// Of 11,600 more, most of them made by chance: those written by hand, and some of the others.
#[test]
fn asked_expressions_are_as_in_terraform() {
    let text = include_str!("../../../fixtures/lang/asked.jsonl");
    let counts = check("asked", text);
    assert_eq!(counts.values + counts.errors, text.lines().count());
}

/// Without what is not sensitive: Terraform leaves that out in objects, and where there is nothing else.
fn sensitive_parts(shape: &Json) -> Json {
    let none = |shape: &Json| *shape == json!(false);
    match shape {
        Json::Array(items) => {
            let items: Vec<Json> = items.iter().map(sensitive_parts).collect();
            if items.iter().all(none) { json!(false) } else { Json::Array(items) }
        }
        Json::Object(items) => {
            let items = items.iter().map(|(k, v)| (k.clone(), sensitive_parts(v)));
            let items: serde_json::Map<String, Json> = items.filter(|(_, v)| !none(v)).collect();
            if items.is_empty() { json!(false) } else { Json::Object(items) }
        }
        other => other.clone(),
    }
}

/// Which parts are sensitive (`after_sensitive` of a planned `terraform_data`).
#[test]
fn what_is_sensitive_is_so_in_terraform() {
    let mut wrong = Vec::new();
    let text = include_str!("../../../fixtures/lang/marks.jsonl");
    for line in text.lines() {
        let case: Json = serde_json::from_str(line).expect("fixtures are JSON lines");
        let expr = case["expr"].as_str().expect("an expression");
        let (_, value, diags) = evaluate(expr);
        let ours = sensitive_parts(&shape_json(&value, &|v| v.marks.sensitive));
        if !diags.is_empty() || ours != sensitive_parts(&case["sensitive"]) {
            wrong.push(format!("{expr}: {ours}, not {}", case["sensitive"]));
        }
    }
    println!("marks: {} values are sensitive where Terraform's are", text.lines().count() - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

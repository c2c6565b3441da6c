//! HCL's own specification suite (`fixtures/specsuite/cases.jsonl`): file, shape of its bodies, and the
//! value and type that come of it, or the places of its errors.
//!
//! A shape names the arguments with their types; `block` is a body, `map` bodies by their label.

use super::{Resolved, Scope, convert_to_constraint, eval, type_constraint};
use crate::diag::{Diagnostic, Diagnostics, Sources};
use crate::lang::parse::{parse_expression, parse_file};
use crate::lang::syntax::{Block, Body, Traversal};
use crate::value::{Map, Type, Value, exact_json, from_json, type_json};
use serde_json::{Value as Json, json};
use std::path::Path;

/// Cases that differ, and why.
const EXCEPTIONS: &[(&str, &str)] = &[];

struct Variables<'a>(&'a Json);

impl Scope for Variables<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<Resolved, Diagnostic> {
        match self.0.get(&*traversal.root) {
            Some(value) => Ok(Resolved { value: from_json(value), steps_used: 0 }),
            None => Err(Diagnostic::error("unknown-name", "no such variable").at(traversal.span)),
        }
    }

    fn base_dir(&self) -> &Path {
        Path::new(".")
    }
}

fn decode(body: &Body, shape: &Json, scope: &Variables<'_>, diags: &mut Diagnostics) -> Value {
    let shape = shape.as_object().expect("a shape is an object");
    for attribute in body.attributes.iter().filter(|a| !shape.contains_key(&*a.name.name)) {
        diags.push(Diagnostic::error("unexpected", "not in the shape").at(attribute.name.span));
    }
    let mut members = Map::new();
    for (name, kind) in shape {
        let blocks: Vec<&Block> = body.blocks_of(name).collect();
        let value = match (kind.as_str(), kind.get("block"), kind.get("map")) {
            (Some(ty), ..) => argument(body, name, ty, scope, diags),
            (_, Some(shape), _) => decode(&blocks[0].body, shape, scope, diags),
            (_, _, Some(shape)) => {
                let label = |block: &Block| block.labels[0].name.clone();
                let items: Map =
                    blocks.iter().map(|b| (label(b), decode(&b.body, shape, scope, diags))).collect();
                let ty = items.values().next().expect("a block").ty();
                Value::map(ty, items)
            }
            _ => panic!("what is {kind}?"),
        };
        members.insert(name.as_str().into(), value);
    }
    Value::object(members)
}

fn argument(body: &Body, name: &str, ty: &str, scope: &Variables<'_>, diags: &mut Diagnostics) -> Value {
    let mut sources = Sources::default();
    let file = sources.add("type", ty);
    let expr = parse_expression(&sources, file).0.expect("a type");
    let constraint = type_constraint(&expr).expect("a type");
    let value = match body.attribute(name) {
        Some(attribute) => eval(&attribute.expr, scope, diags),
        None => Value::null(Type::Dynamic),
    };
    convert_to_constraint(&value, &constraint).expect("the values are of these types")
}

/// What comes of a case: its type and value, or the places of its errors.
fn run(case: &Json) -> Json {
    let mut sources = Sources::default();
    let file = sources.add("case.hcl", case["hcl"].as_str().expect("a file"));
    let (body, errors) = parse_file(&sources, file);
    let mut diags = Diagnostics::default();
    diags.extend(errors);
    let value = match diags.has_errors() {
        true => Value::dynamic(),
        false => decode(&body, &case["shape"], &Variables(&case["variables"]), &mut diags),
    };
    if !diags.has_errors() {
        return json!({ "type": type_json(&value.ty()), "value": exact_json(&value) });
    }
    let place = |d: Diagnostic| {
        let span = d.span().expect("errors have places");
        let (from, to) = (sources.line_column(file, span.start), sources.line_column(file, span.end));
        [from.0, from.1, to.0, to.1]
    };
    json!({ "errors": diags.into_sorted().into_iter().map(place).collect::<Vec<_>>() })
}

#[test]
fn the_specification_suite_holds() {
    let (mut count, mut wrong) = (0, Vec::new());
    for line in include_str!("../../../fixtures/specsuite/cases.jsonl").lines() {
        let case: Json = serde_json::from_str(line).expect("fixtures are JSON lines");
        let ours = run(&case);
        let same = ours.as_object().expect("an object").iter().all(|(name, value)| case[name] == *value);
        let id = case["id"].as_str().expect("an id");
        match (same, EXCEPTIONS.iter().find(|(e, _)| *e == id)) {
            (false, None) => wrong.push(format!("{id}: {ours}")),
            (true, Some((_, reason))) => wrong.push(format!("{id} holds: no longer an exception ({reason})")),
            _ => {}
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("counted: {count} cases of HCL's specification suite, {} exceptions", EXCEPTIONS.len());
}

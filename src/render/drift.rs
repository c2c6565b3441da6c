//! A drift report as text, JSON and Markdown.

use super::value::{Line, SENSITIVE, hcl, lines};
use super::{Palette, counted};
use crate::drift::{Drift, Drifted, DriftedAttribute, Kind};
use crate::value::Value;
use serde_json::{Value as Json, json};

pub fn text(drift: &Drift, palette: Palette) -> String {
    let mut out = String::new();
    for resource in &drift.resources {
        out += &one(resource, palette);
        out.push('\n');
    }
    for (address, why) in &drift.unchecked {
        out += &format!("not checked: {address}: {why}\n");
    }
    let summary = if drift.is_empty() {
        palette.green(&format!("No drift: {} as Cutover left them.", counted(drift.checked, "resource")))
    } else {
        palette.bold(&format!(
            "Drift: {} of {} changed outside Cutover.",
            drift.resources.len(),
            counted(drift.checked, "resource")
        ))
    };
    out + &summary + "\n"
}

fn one(resource: &Drifted, palette: Palette) -> String {
    let head = format!("{} [{}]", resource.address, resource.id);
    let Kind::Changed(attributes) = &resource.kind else {
        return format!("{}  was deleted\n", palette.red(&format!("  - {head}")));
    };
    let mut out = format!("{}  was changed\n", palette.yellow(&format!("  ~ {head}")));
    for attribute in attributes {
        out += &attribute_text(attribute, palette);
    }
    out
}

fn shown(attribute: &DriftedAttribute, value: &Option<Value>) -> String {
    match value {
        Some(_) if attribute.sensitive => SENSITIVE.to_owned(),
        Some(value) => hcl(value),
        None => "null".to_owned(),
    }
}

fn attribute_text(attribute: &DriftedAttribute, palette: Palette) -> String {
    let (was, is) = (shown(attribute, &attribute.was), shown(attribute, &attribute.is));
    let name = &attribute.name;
    if !was.contains('\n') && !is.contains('\n') {
        return format!("      {name}: {} → {}\n", palette.red(&was), palette.green(&is));
    }
    let mut out = format!("      {name}:\n");
    for line in lines(&format!("{was}\n"), &format!("{is}\n")) {
        out += &match line {
            Line::Same(text) => format!("          {text}\n"),
            Line::Removed(text) => format!("        {}\n", palette.red(&format!("- {text}"))),
            Line::Added(text) => format!("        {}\n", palette.green(&format!("+ {text}"))),
            Line::Gap(n) => format!("          … {}\n", counted(n, "line")),
        };
    }
    out
}

pub fn json(drift: &Drift) -> Json {
    let attribute = |a: &DriftedAttribute| {
        let value = |v: &Option<Value>| match v {
            Some(v) if !a.sensitive => super::json::known(v),
            _ => Json::Null,
        };
        json!({ "name": a.name, "was": value(&a.was), "is": value(&a.is), "sensitive": a.sensitive })
    };
    let resource = |r: &Drifted| {
        let (kind, attributes) = match &r.kind {
            Kind::Deleted => ("deleted", Vec::new()),
            Kind::Changed(list) => ("changed", list.iter().map(attribute).collect()),
        };
        json!({ "address": r.address, "id": r.id, "kind": kind, "attributes": attributes })
    };
    json!({
        "format_version": super::json::FORMAT_VERSION,
        "drifted": !drift.is_empty(),
        "checked": drift.checked,
        "resources": drift.resources.iter().map(resource).collect::<Vec<_>>(),
        "unchecked": drift.unchecked.iter().map(|(a, why)| json!({ "address": a, "why": why })).collect::<Vec<_>>(),
    })
}

pub fn markdown(drift: &Drift, environment: &str) -> String {
    let heading = if drift.is_empty() { "No drift" } else { "⚠️ Drift" };
    let body = text(drift, Palette::default());
    format!("{}\n### {heading} in `{environment}`\n\n```\n{body}```\n", super::markdown::marker(environment))
}

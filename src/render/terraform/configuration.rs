//! The declarations, with their expressions reduced to constants and references.

use super::values::full_provider_name;
use crate::addr::Mode;
use crate::config::providers::{is_proxy, named};
use crate::config::{Call, Module, Output, Repetition, Resource, Variable};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::{Graph, ModuleId};
use crate::lang::eval::{Resolved, Scope, convert_to_constraint, eval, references};
use crate::lang::syntax::{Body, Expr, Step, Traversal};
use crate::plan::walk::Walk;
use crate::provider::local_name;
use crate::schema::{Nesting, Table};
use crate::value::{Kind, quote, unrounded_json};
use serde_json::{Map, Value as Json, json};
use std::path::Path;
use std::sync::Arc;

pub fn configuration(walk: &Walk<'_>) -> Json {
    json!({ "provider_config": providers(walk.graph), "root_module": module(walk, 0) })
}

fn providers(graph: &Graph) -> Json {
    let mut out = Map::new();
    for (id, entry) in graph.modules.iter().enumerate() {
        let path = graph.module_path(id);
        for provider in entry.module.providers.values() {
            let (name, alias) = match provider.local.split_once('.') {
                Some((name, alias)) => (name, Some(alias)),
                None => (&*provider.local, None),
            };
            let key = if path.is_empty() {
                provider.local.to_string()
            } else {
                format!("{path}:{}", provider.local)
            };
            let own = local_name(&provider.name);
            let mut json = json!({ "name": name, "full_name": full_provider_name(own) });
            if let Some(alias) = alias {
                json["alias"] = json!(alias);
            }
            if !path.is_empty() {
                json["module_address"] = json!(path);
            }
            let mut expressions = body(&provider.body, None);
            for secret in ["secret_key", "token"] {
                if let Some(json) = expressions.get_mut(secret) {
                    *json = json!({});
                }
            }
            if !expressions.is_empty() {
                json["expressions"] = expressions.into();
            }
            out.insert(key, json);
        }
        // Those that resources use without a block.
        for resource in entry.module.resources.values() {
            if let Err(name) = configured_by(graph, id, &resource.local_provider) {
                let own = named(&graph.modules[0].module, &name);
                let json = json!({ "name": &*name, "full_name": full_provider_name(local_name(&own)) });
                out.entry(name.to_string()).or_insert(json);
            }
        }
    }
    Json::Object(out)
}

/// The module whose block configures a provider, and what it is called there; without a block, what the root
/// calls it. Only names count here, as in Terraform: not the provider that they stand for.
fn configured_by(graph: &Graph, id: ModuleId, local: &str) -> Result<(ModuleId, Arc<str>), Arc<str>> {
    let entry = &graph.modules[id];
    let own = entry.module.providers.values().find(|p| *p.local == *local);
    if let Some(block) = own.filter(|block| entry.parent.is_none() || !is_proxy(block)) {
        return Ok((id, block.local.clone()));
    }
    let Some(parent) = entry.parent else { return Err(local.into()) };
    let passed = graph.modules[parent].module.calls[&entry.name].providers.get(local);
    configured_by(graph, parent, passed.map_or(local, |p| &p.provider))
}

fn module(walk: &Walk<'_>, id: ModuleId) -> Json {
    let entry = &walk.graph.modules[id];
    let declared: &Module = &entry.module;
    let mut out = Map::new();
    let mut put = |name: &str, json: Json| {
        if json.as_object().is_some_and(|o| !o.is_empty()) || json.as_array().is_some_and(|a| !a.is_empty()) {
            out.insert(name.to_owned(), json);
        }
    };
    let outputs = declared.outputs.values().map(|o| (o.name.to_string(), output(o)));
    put("outputs", Json::Object(outputs.collect()));
    let resources = declared.resources.values().map(|r| resource(walk, id, r));
    put("resources", Json::Array(resources.collect()));
    let calls = declared.calls.values().map(|c| (c.name.to_string(), call(walk, id, c)));
    put("module_calls", Json::Object(calls.collect()));
    let variables = declared.variables.values().map(|v| (v.name.to_string(), variable(v)));
    put("variables", Json::Object(variables.collect()));
    Json::Object(out)
}

fn output(output: &Output) -> Json {
    let mut out = json!({ "expression": expression(&output.expr) });
    if output.sensitive {
        out["sensitive"] = json!(true);
    }
    if let Some(description) = &output.description {
        out["description"] = json!(description);
    }
    if !output.depends_on.is_empty() {
        out["depends_on"] = depends_on(&output.depends_on);
    }
    out
}

fn variable(variable: &Variable) -> Json {
    let mut out = Map::new();
    if let Some(default) = variable.default.as_ref().and_then(|expr| default(expr, variable)) {
        let hidden = variable.sensitive;
        out.insert("default".into(), if hidden { Json::Null } else { default });
    }
    if let Some(description) = &variable.description {
        out.insert("description".into(), json!(description));
    }
    if variable.sensitive {
        out.insert("sensitive".into(), json!(true));
    }
    Json::Object(out)
}

fn resource(walk: &Walk<'_>, id: ModuleId, resource: &Resource) -> Json {
    let (key, graph) = (&resource.key, walk.graph);
    let provider = match configured_by(graph, id, &resource.local_provider) {
        Ok((owner, name)) if owner != 0 => format!("{}:{name}", graph.module_path(owner)),
        Ok((_, name)) | Err(name) => name.to_string(),
    };
    let mut out = json!({
        "address": key.to_string(),
        "mode": if key.mode == Mode::Data { "data" } else { "managed" },
        "type": *key.type_name,
        "name": *key.name,
        "provider_config_key": provider,
        "schema_version": 0,
    });
    let schema = match key.mode {
        Mode::Managed => walk.provider.resource(&key.type_name),
        Mode::Data => walk.provider.data(&key.type_name),
    };
    let expressions = body(&resource.body, schema.map(|s| s.table));
    if !expressions.is_empty() {
        out["expressions"] = expressions.into();
    }
    repetition(&resource.repetition, &mut out);
    if !resource.depends_on.is_empty() {
        out["depends_on"] = depends_on(&resource.depends_on);
    }
    out
}

fn call(walk: &Walk<'_>, parent: ModuleId, call: &Call) -> Json {
    let mut out = json!({ "source": call.source });
    let expressions = body(&call.arguments, None);
    if !expressions.is_empty() {
        out["expressions"] = expressions.into();
    }
    repetition(&call.repetition, &mut out);
    if let Some(version) = &call.version {
        out["version_constraint"] = json!(version.text);
    }
    if !call.depends_on.is_empty() {
        out["depends_on"] = depends_on(&call.depends_on);
    }
    if let Some(child) = walk.graph.modules[parent].children.get(&call.name) {
        out["module"] = module(walk, *child);
    }
    out
}

fn repetition(repetition: &Repetition, out: &mut Json) {
    let (name, expr) = match repetition {
        Repetition::Count(expr) => ("count_expression", expr),
        Repetition::ForEach(expr) => ("for_each_expression", expr),
        _ => return,
    };
    let json = expression(expr);
    if json.as_object().is_some_and(|o| !o.is_empty()) {
        out[name] = json;
    }
}

fn depends_on(named: &[Traversal]) -> Json {
    named.iter().map(|t| Json::String(text(t, t.steps.len()))).collect()
}

/// Arguments, and blocks as lists of the like. What `dynamic` blocks make is known only when evaluated:
/// they are left out, as Terraform does.
fn body(body: &Body, table: Option<&'static Table>) -> Map<String, Json> {
    let mut out = Map::new();
    for attribute in &body.attributes {
        let name = &*attribute.name.name;
        let mut json = expression(&attribute.expr);
        if table.and_then(|t| t.row(name)).is_some_and(|row| row.sensitive)
            && json.get("constant_value").is_some()
        {
            json = json!({ "constant_value": null });
        }
        out.insert(name.to_owned(), json);
    }
    for block in body.blocks.iter().filter(|b| &*b.kind.name != "dynamic") {
        let name = &*block.kind.name;
        let table = table.and_then(|t| t.row(name)).and_then(|row| row.block_table());
        let inner = Json::Object(self::body(&block.body, table.map(|(_, t)| t)));
        if matches!(table, Some((Nesting::Single, _))) {
            out.insert(name.to_owned(), inner);
            continue;
        }
        let list = out.entry(name).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(inner);
        }
    }
    out
}

fn expression(expr: &Expr) -> Json {
    // Each time that something is referred to.
    let names: Vec<String> = references(expr).iter().flat_map(reference_names).collect();
    match (names.is_empty(), constant(expr)) {
        (false, _) => json!({ "references": names }),
        (true, Some(value)) => json!({ "constant_value": value }),
        (true, None) => json!({}),
    }
}

/// With the defaults of optional attributes.
fn default(expr: &Expr, variable: &Variable) -> Option<Json> {
    let mut diags = Diagnostics::default();
    let value = eval(expr, &Constants, &mut diags);
    let value = convert_to_constraint(&value, &variable.constraint).ok()?;
    if diags.has_errors() { None } else { unrounded_json(&value) }
}

/// The value of an expression without names and functions.
fn constant(expr: &Expr) -> Option<Json> {
    let mut diags = Diagnostics::default();
    let value = eval(expr, &Constants, &mut diags);
    if diags.has_errors() { None } else { unrounded_json(&value) }
}

/// `aws_vpc.a[0].tags.x` and what it lies in: `aws_vpc.a[0].tags`, `aws_vpc.a[0]`, `aws_vpc.a`.
fn reference_names(t: &Traversal) -> Vec<String> {
    let is_key = |i: usize| matches!(t.steps.get(i), Some(Step::Index(..)));
    // How many steps name the thing itself, key included.
    let subject = match &*t.root {
        "each" | "count" | "path" | "terraform" | "var" | "local" => 1,
        "self" => 0,
        "module" if is_key(1) => 2,
        "module" => 1,
        "data" if is_key(2) => 3,
        "data" => 2,
        _ if is_key(1) => 2,
        _ => 1,
    }
    .min(t.steps.len());
    let mut names: Vec<String> = (subject..=t.steps.len()).rev().map(|n| text(t, n)).collect();
    let keyed = subject > 0 && is_key(subject - 1);
    // An output of a module instance is a thing of its own: the call without its key is not told besides.
    let output = &*t.root == "module" && matches!(t.steps.get(subject), Some(Step::Attr(..)));
    if keyed && !output {
        names.push(text(t, subject - 1));
    }
    names
}

/// The root and the first `steps` steps, as one writes them.
fn text(t: &Traversal, steps: usize) -> String {
    let mut out = t.root.to_string();
    for step in &t.steps[..steps] {
        match step {
            Step::Attr(name, _) => out.push_str(&format!(".{name}")),
            Step::Index(key, _) => match &key.kind {
                Kind::String(s) => out.push_str(&format!("[{}]", quote(s))),
                Kind::Number(n) => out.push_str(&format!("[{n}]")),
                _ => {}
            },
        }
    }
    out
}

struct Constants;

impl Scope for Constants {
    fn resolve(&self, t: &Traversal) -> Result<Resolved, Diagnostic> {
        Err(Diagnostic::error("not-constant", "this is no constant").at(t.span))
    }

    fn base_dir(&self) -> &Path {
        Path::new(".")
    }

    fn allows_functions(&self) -> bool {
        false
    }
}

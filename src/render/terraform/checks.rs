//! `checks`: what the conditions of check blocks, resources, outputs and variables came to.

use crate::addr::{Address, InstanceKey, Mode, ModulePath};
use crate::plan::walk::{Conditioned, Walk};
use crate::plan::{CheckResult, CheckStatus, Plan};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// One declaration: its fields, its worst status, its instances by address.
struct Entry {
    declared: Map<String, Json>,
    instances: BTreeMap<String, Json>,
    status: CheckStatus,
}

pub fn checks(plan: &Plan, walk: &Walk<'_>) -> Vec<Json> {
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    for (address, result) in &plan.checks {
        let (module, name) = address.rsplit_once("check.").unwrap_or_default();
        let module: ModulePath = match format!("{module}check.x").parse::<Address>() {
            Ok(address) => address.module,
            Err(_) => ModulePath::root(),
        };
        let at = declaration(
            &mut entries,
            &module,
            &format!("check.{name}"),
            &[("kind", "check"), ("name", name)],
        );
        add(at, &module, &format!("check.{name}"), &InstanceKey::None, result);
    }
    for (what, declared_in, instances) in walk.conditioned() {
        let (text, fields) = match &what {
            Conditioned::Variable(name) => (format!("var.{name}"), vec![("kind", "var"), ("name", &**name)]),
            Conditioned::Output(name) => {
                (format!("output.{name}"), vec![("kind", "output_value"), ("name", &**name)])
            }
            Conditioned::Resource(key) => {
                let mode = if key.mode == Mode::Data { "data" } else { "managed" };
                let fields =
                    [("kind", "resource"), ("mode", mode), ("name", &*key.name), ("type", &*key.type_name)];
                (key.to_string(), fields.to_vec())
            }
        };
        let at = declaration(&mut entries, &declared_in, &text, &fields);
        for ((module, key), status) in instances {
            add(at, &module, &text, &key, &CheckResult { status, problems: Vec::new() });
        }
    }
    let told = entries.into_values().map(|entry| {
        let mut out = json!({ "address": entry.declared, "status": entry.status });
        if !entry.instances.is_empty() {
            out["instances"] = entry.instances.into_values().collect();
        }
        out
    });
    told.collect()
}

fn within(module: &ModulePath, text: &str) -> String {
    if module.is_root() { text.to_owned() } else { format!("{module}.{text}") }
}

fn declaration<'e>(
    entries: &'e mut BTreeMap<String, Entry>,
    module: &ModulePath,
    text: &str,
    fields: &[(&str, &str)],
) -> &'e mut Entry {
    let plain = module.0.iter().map(|(name, _)| (name.clone(), InstanceKey::None));
    let module = ModulePath(plain.collect());
    let address = within(&module, text);
    entries.entry(address.clone()).or_insert_with(|| {
        let mut declared: Map<String, Json> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        if !module.is_root() {
            declared.insert("module".to_owned(), json!(module.to_string()));
        }
        declared.insert("to_display".to_owned(), json!(address));
        Entry { declared, instances: BTreeMap::new(), status: CheckStatus::Pass }
    })
}

fn add(entry: &mut Entry, module: &ModulePath, text: &str, key: &InstanceKey, result: &CheckResult) {
    let address = format!("{}{key}", within(module, text));
    let mut instance = json!({ "to_display": address });
    if !module.is_root() {
        instance["module"] = json!(module.to_string());
    }
    match key {
        InstanceKey::None => {}
        InstanceKey::Index(i) => instance["instance_key"] = json!(i),
        InstanceKey::Key(k) => instance["instance_key"] = json!(**k),
    }
    let mut out = json!({ "address": instance, "status": result.status });
    if !result.problems.is_empty() {
        let problems = result.problems.iter().map(|message| json!({ "message": message }));
        out["problems"] = problems.collect();
    }
    entry.status = entry.status.max(result.status);
    entry.instances.insert(address, out);
}

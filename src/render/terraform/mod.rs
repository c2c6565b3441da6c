//! Plans and state in Terraform's own JSON representation, for tools that read that.
//!
//! One difference is meant: Terraform writes sensitive values in the clear there. Here they are null, and
//! `*_sensitive` says which they are.

mod checks;
mod configuration;
mod relevant;
mod values;

use crate::addr::{Address, Mode};
use crate::drift::{Kind as DriftKind, drift};
use crate::graph::Node;
use crate::plan::values::Expansion;
use crate::plan::walk::Walk;
use crate::plan::{Action, Change, OutputChange, Plan, Reason};
use crate::provider::Provider;
use crate::schema::{Object, Table};
use crate::state::{State, without_keys};
use crate::value::{Value, from_json, type_json};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use values::{Tree, nothing_sensitive, open_json, resource, sensitive_json, unknown_json};

const PLAN_FORMAT: &str = "1.2";
const STATE_FORMAT: &str = "1.0";
/// The version whose language and formats these are.
const TERRAFORM: &str = "1.11.4";

pub fn plan(plan: &Plan, walk: &Walk<'_>) -> Json {
    let mut out = json!({
        "format_version": PLAN_FORMAT,
        "terraform_version": TERRAFORM,
        "planned_values": planned_values(plan, walk),
        "resource_changes": plan.changes.iter().map(|c| resource_change(c, walk)).collect::<Vec<_>>(),
        "output_changes": plan.outputs.iter().map(|(name, o)| (name.clone(), output_change(o))).collect::<Map<_, _>>(),
        "configuration": configuration::configuration(walk),
        "timestamp": walk.place.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "applyable": !plan.is_empty(),
        "complete": walk.options.targets.is_empty(),
        "errored": false,
    });
    let variables = variables(walk);
    if !variables.is_empty() {
        out["variables"] = variables.into();
    }
    if let Some(before) = prior_state(plan, walk) {
        out["prior_state"] = before;
    }
    let relevant = relevant::relevant_attributes(plan, walk);
    if !relevant.is_empty() {
        out["relevant_attributes"] = relevant.into();
    }
    let checks = checks::checks(plan, walk);
    if !checks.is_empty() {
        out["checks"] = checks.into();
    }
    let drifted = resource_drift(walk);
    if !drifted.is_empty() {
        out["resource_drift"] = drifted.into();
    }
    out
}

/// What `terraform show -json` prints of a state.
pub fn state(state: &State, provider: &dyn Provider) -> Json {
    json!({
        "format_version": STATE_FORMAT,
        "terraform_version": TERRAFORM,
        "values": { "outputs": state_outputs(state), "root_module": state_tree(state, provider).json() },
    })
}

fn table(provider: &dyn Provider, address: &Address) -> Option<&'static Table> {
    let schema = match address.mode {
        Mode::Managed => provider.resource(&address.type_name),
        Mode::Data => provider.data(&address.type_name),
    };
    schema.map(|s| s.table)
}

fn variables(walk: &Walk<'_>) -> Map<String, Json> {
    let declared = &walk.graph.modules[0].module.variables;
    let values = walk.values.module(0, &crate::addr::ModulePath::root()).map(|root| &root.variables);
    let kept = values
        .into_iter()
        .flat_map(|v| v.iter())
        .filter(|(name, _)| !declared.get(*name).is_some_and(|v| v.ephemeral));
    kept.map(|(name, value)| (name.to_string(), json!({ "value": open_json(value) }))).collect()
}

fn planned_values(plan: &Plan, walk: &Walk<'_>) -> Json {
    let mut tree = Tree::default();
    for change in plan.changes.iter().filter(|c| !is_leaving(c)) {
        tree.add(
            &change.address,
            resource(&change.address, &change.after, table(walk.provider, &change.address)),
        );
    }
    let output = |(name, output): (&String, &OutputChange)| {
        let mut entry = json!({ "sensitive": output.sensitive });
        if output.after.is_wholly_known() {
            entry["type"] = type_json(&output.after.ty());
            entry["value"] = if output.sensitive { Json::Null } else { open_json(&output.after) };
        }
        (name.clone(), entry)
    };
    let outputs: Map<String, Json> = plan.outputs.iter().filter(|(_, o)| !o.removed).map(output).collect();
    json!({ "outputs": outputs, "root_module": tree.json() })
}

fn resource_change(change: &Change, walk: &Walk<'_>) -> Json {
    let table = table(walk.provider, &change.address);
    let mut out = values::identity(&change.address);
    if change.reason == Some(Reason::Deposed) {
        out["deposed"] = json!(change.id);
    }
    let (before, before_sensitive) = side(change.before.as_ref(), table);
    let after = (!is_leaving(change)).then_some(&change.after);
    let (after_json, after_sensitive) = side(after, table);
    let mut inner = json!({
        "actions": actions(change),
        "before": before,
        "after": after_json,
        "after_unknown": after.filter(|o| !o.0.values().all(Value::is_wholly_known)).map_or_else(|| json!({}), unknown_json),
        "before_sensitive": before_sensitive,
        "after_sensitive": after_sensitive,
    });
    let replacing = change.attributes.iter().filter(|a| a.replaces && change.action == Action::Replace);
    let paths: Vec<Json> = replacing.map(|a| json!([a.name])).collect();
    if !paths.is_empty() {
        inner["replace_paths"] = paths.into();
    }
    if let Some(id) = &change.importing {
        inner["importing"] = json!({ "id": id });
    }
    out["change"] = inner;
    if let Some(previous) = &change.previous {
        out["previous_address"] = json!(previous.to_string());
    }
    if let Some(reason) = reason(change, walk) {
        out["action_reason"] = json!(reason);
    }
    out
}

/// Whether it is no longer managed afterwards.
fn is_leaving(change: &Change) -> bool {
    matches!(change.action, Action::Delete | Action::Forget)
}

fn side(object: Option<&Object>, table: Option<&'static Table>) -> (Json, Json) {
    match object {
        Some(object) => (values::object_json(object, table), sensitive_json(object, table)),
        None => (Json::Null, nothing_sensitive()),
    }
}

fn actions(change: &Change) -> Json {
    match change.action {
        Action::None | Action::Import => json!(["no-op"]),
        Action::Forget => json!(["forget"]),
        Action::Read => json!(["read"]),
        Action::Create => json!(["create"]),
        Action::Update => json!(["update"]),
        Action::Delete => json!(["delete"]),
        Action::Replace if change.create_before_destroy => json!(["create", "delete"]),
        Action::Replace => json!(["delete", "create"]),
    }
}

fn reason(change: &Change, walk: &Walk<'_>) -> Option<&'static str> {
    if change.action == Action::Replace && change.reason.is_none() {
        return Some("replace_because_cannot_update");
    }
    let gone = |otherwise| match walk.has_module(&change.address.module) {
        true => otherwise,
        false => "delete_because_no_module",
    };
    Some(match (change.action, change.reason.as_ref()?) {
        (Action::Delete | Action::Forget, Reason::NotDeclared) => "delete_because_no_resource_config",
        (Action::Delete, Reason::NoInstance) => gone(no_instance(change, walk)),
        (Action::Delete, Reason::WrongRepetition) => gone("delete_because_wrong_repetition"),
        (Action::Delete, Reason::NoMoveTarget) => "delete_because_no_move_target",
        (Action::Read, Reason::ConfigUnknown) => "read_because_config_unknown",
        (Action::Read, Reason::DependencyPending) => "read_because_dependency_pending",
        (Action::Replace, Reason::Tainted) => "replace_because_tainted",
        (Action::Replace, Reason::Triggered) => "replace_by_triggers",
        (Action::Replace, Reason::Requested) => "replace_by_request",
        _ => return None,
    })
}

/// Which kind of instance key is no longer there.
fn no_instance(change: &Change, walk: &Walk<'_>) -> &'static str {
    use crate::addr::InstanceKey;
    use crate::config::Repetition;
    let repetition = walk.find_resource(&change.address).map(|(_, resource)| &resource.repetition);
    match (&change.address.key, repetition) {
        (InstanceKey::Index(_), Some(Repetition::Count(_))) => "delete_because_count_index",
        (InstanceKey::Key(_), Some(Repetition::ForEach(_))) => "delete_because_each_key",
        _ => "delete_because_wrong_repetition",
    }
}

fn output_change(output: &OutputChange) -> Json {
    let action = match (&output.before, output.changed) {
        (_, false) => "no-op",
        (None, _) => "create",
        (Some(_), _) if output.removed => "delete",
        (Some(_), _) => "update",
    };
    let mut out = json!({
        "actions": [action],
        "before": output.before.as_ref().filter(|_| !output.sensitive).map_or(Json::Null, |b| open_json(&from_json(b))),
        "after_unknown": values::unknown_value(&output.after),
        "before_sensitive": output.sensitive,
        "after_sensitive": output.sensitive,
    });
    if !output.after.is_unknown() {
        out["after"] = if output.sensitive { Json::Null } else { open_json(&output.after) };
    }
    out
}

/// What was there before: what is live, and the data sources that could be read.
fn prior_state(plan: &Plan, walk: &Walk<'_>) -> Option<Json> {
    let known = needs(&walk.state);
    let mut found: Vec<(Address, Json)> = Vec::new();
    for change in plan.changes.iter().filter(|c| c.reason != Some(Reason::Deposed)) {
        if let Some(before) = &change.before {
            let mut entry = resource(&change.address, before, table(walk.provider, &change.address));
            if !change.depends_on.is_empty() {
                entry["depends_on"] = json!(all_needed(&known, &change.depends_on));
            }
            found.push((change.address.clone(), entry));
        }
    }
    for (address, value) in data_sources(walk) {
        if !walk.changes.contains_key(&address)
            && let Some(object) = Object::of(&value)
        {
            let entry = resource(&address, &object, table(walk.provider, &address));
            found.push((address, entry));
        }
    }
    found.sort_by_key(|(address, _)| without_keys(address));
    let mut tree = Tree::default();
    for (address, entry) in found {
        tree.add(&address, entry);
    }
    let outputs = prior_outputs(plan, walk);
    if tree.is_empty() && outputs.as_object().is_none_or(Map::is_empty) {
        return None;
    }
    let mut values = json!({ "root_module": tree.json() });
    if outputs.as_object().is_some_and(|outputs| !outputs.is_empty()) {
        values["outputs"] = outputs;
    }
    Some(json!({ "format_version": STATE_FORMAT, "terraform_version": TERRAFORM, "values": values }))
}

/// Outputs as Terraform has them after a refresh: evaluated where they are known, else as recorded.
fn prior_outputs(plan: &Plan, walk: &Walk<'_>) -> Json {
    let mut outputs = match state_outputs(&walk.state) {
        Json::Object(recorded) => recorded,
        _ => Map::new(),
    };
    for (name, output) in plan.outputs.iter().filter(|(_, o)| !o.removed && o.after.is_wholly_known()) {
        if output.after.is_null() {
            outputs.remove(name);
            continue;
        }
        let shown = if output.sensitive { Json::Null } else { open_json(&output.after) };
        let ty = type_json(&output.after.ty());
        outputs.insert(name.clone(), json!({ "sensitive": output.sensitive, "value": shown, "type": ty }));
    }
    Json::Object(outputs)
}

/// What each resource is made from directly, without instance keys.
type Needs<'s> = BTreeMap<String, BTreeSet<&'s String>>;

fn needs(state: &State) -> Needs<'_> {
    let mut known = Needs::new();
    for (address, resource) in &state.resources {
        known.entry(without_keys(address)).or_default().extend(&*resource.depends_on);
    }
    known
}

/// What a resource is made from, directly or by way of others, as Terraform's state has it.
fn all_needed(known: &Needs<'_>, direct: &BTreeSet<String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut open: Vec<&String> = direct.iter().collect();
    while let Some(name) = open.pop() {
        if all.insert(name.clone()) {
            open.extend(known.get(name).into_iter().flatten().copied());
        }
    }
    all
}

fn data_sources(walk: &Walk<'_>) -> Vec<(Address, Value)> {
    let mut found = Vec::new();
    for node in walk.graph.nodes() {
        let Node::Resource(id, key) = node else { continue };
        if key.mode != Mode::Data {
            continue;
        }
        for path in walk.values.paths(*id) {
            let Some(expansion) = walk.values.resource(walk.graph, *id, &path, key) else { continue };
            for instance in Expansion::keys(expansion) {
                let Some(value) = expansion.get(&instance) else { continue };
                let address = Address {
                    module: path.clone(),
                    mode: Mode::Data,
                    type_name: key.type_name.clone(),
                    name: key.name.clone(),
                    key: instance,
                };
                found.push((address, value.clone()));
            }
        }
    }
    found
}

/// What the state has of a resource, what its type calls sensitive marked so.
pub fn recorded(address: &Address, recorded: &crate::state::Resource, provider: &dyn Provider) -> Object {
    let table = table(provider, address);
    let mut object = match table {
        Some(table) => recorded.seen(table).complete(table),
        None => {
            let each = |(name, json): (&String, &Json)| (name.as_str().into(), from_json(json));
            Object::from(recorded.seen.open().iter().map(each).collect::<crate::value::Map>())
        }
    };
    if !object.has("id") {
        object.put("id", Some(recorded.id.as_str().into()));
    }
    values::marked(&object, table)
}

fn state_tree(state: &State, provider: &dyn Provider) -> Tree {
    let known = needs(state);
    let mut tree = Tree::default();
    for (address, resource) in &state.resources {
        let object = recorded(address, resource, provider);
        let mut entry = values::resource(address, &object, table(provider, address));
        if !resource.depends_on.is_empty() {
            entry["depends_on"] = json!(all_needed(&known, &resource.depends_on));
        }
        if resource.tainted {
            entry["tainted"] = json!(true);
        }
        tree.add(address, entry);
    }
    tree
}

fn state_outputs(state: &State) -> Json {
    let entry = |output: &crate::state::Output| {
        let value = from_json(&output.value);
        let shown = if output.sensitive { Json::Null } else { open_json(&value) };
        json!({ "sensitive": output.sensitive, "value": shown, "type": type_json(&value.ty()) })
    };
    Json::Object(state.outputs.iter().map(|(name, output)| (name.clone(), entry(output))).collect())
}

/// What was changed outside since the last apply.
fn resource_drift(walk: &Walk<'_>) -> Vec<Json> {
    let found = drift(&walk.state, &walk.live, |name| walk.provider.resource(name));
    let each = |drifted: &crate::drift::Drifted| {
        let address = &drifted.address;
        let (table, recorded) = (table(walk.provider, address)?, walk.state.resources.get(address)?);
        let was = recorded.seen(table).complete(table);
        let live = walk.live.get(address)?.as_ref().filter(|_| !matches!(drifted.kind, DriftKind::Deleted));
        let ((before, before_sensitive), (after, after_sensitive)) =
            (side(Some(&was), Some(table)), side(live, Some(table)));
        let mut out = values::identity(address);
        out["change"] = json!({
            "actions": [if live.is_some() { "update" } else { "delete" }],
            "before": before,
            "after": after,
            "after_unknown": {},
            "before_sensitive": before_sensitive,
            "after_sensitive": after_sensitive,
        });
        Some(out)
    };
    found.resources.iter().filter_map(each).collect()
}

//! `relevant_attributes`: which attributes of resources what changes is made from, as Terraform finds them.
//! References are followed through variables, locals, outputs and the arguments of resources.

use crate::addr::{Address, InstanceKey, Mode, ModulePath};
use crate::config::body::body_references;
use crate::config::{DeclKey, Resource};
use crate::graph::ModuleId;
use crate::lang::eval::references;
use crate::lang::syntax::{Expr, Step, Traversal};
use crate::plan::walk::Walk;
use crate::plan::{Action, Plan};
use crate::value::to_json;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

pub fn relevant_attributes(plan: &Plan, walk: &Walk<'_>) -> Vec<Json> {
    let mut follower = Follower { walk, found: BTreeSet::new(), seen: BTreeSet::new(), open: Vec::new() };
    let changed = plan.changes.iter().filter(|c| !matches!(c.action, Action::None | Action::Import));
    for change in changed {
        if let Some((id, resource)) = walk.find_resource(&change.address) {
            let place = Place { id, path: change.address.module.clone() };
            follower.all(&place, body_references(&resource.body));
            follower.all(&place, resource.repetition.expr().into_iter().flat_map(references).collect());
        }
    }
    for (id, entry) in walk.graph.modules.iter().enumerate() {
        for path in walk.values.paths(id) {
            let outputs = walk.values.module(id, &path).map(|values| &values.outputs);
            for (name, value) in outputs.into_iter().flat_map(|outputs| outputs.iter()) {
                // What modules had for outputs before is kept nowhere: each counts as new.
                let changed = match id {
                    0 => plan.outputs.get(&**name).is_some_and(|output| output.changed),
                    _ => !value.is_null(),
                };
                if let Some(output) = entry.module.outputs.get(name).filter(|_| changed) {
                    follower.all(&Place { id, path: path.clone() }, references(&output.expr));
                }
            }
        }
    }
    follower.run();
    follower
        .found
        .into_iter()
        .map(|(resource, attribute)| {
            let steps: Json = serde_json::from_str(&attribute).expect("written as JSON below");
            json!({ "resource": resource, "attribute": steps })
        })
        .collect()
}

/// A module instance; without a key where all instances are meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    id: ModuleId,
    path: ModulePath,
}

struct Follower<'w> {
    walk: &'w Walk<'w>,
    /// Resource, and the path in it as JSON.
    found: BTreeSet<(String, String)>,
    seen: BTreeSet<(Place, String)>,
    open: Vec<(Place, Traversal)>,
}

impl Follower<'_> {
    fn all(&mut self, place: &Place, found: Vec<Traversal>) {
        self.open.extend(found.into_iter().map(|t| (place.clone(), t)));
    }

    fn expr(&mut self, place: &Place, expr: &Expr) {
        self.all(place, references(expr));
    }

    fn run(&mut self) {
        while let Some((place, t)) = self.open.pop() {
            let text = format!("{}{:?}", t.root, t.steps.iter().map(step_json).collect::<Vec<_>>());
            if self.seen.insert((place.clone(), text)) {
                self.follow(&place, &t);
            }
        }
    }

    fn follow(&mut self, place: &Place, t: &Traversal) {
        let entry = &self.walk.graph.modules[place.id];
        match (&*t.root, t.attr(0)) {
            ("each" | "count" | "self" | "path" | "terraform", _) => {}
            ("var", Some(name)) => {
                let Some(parent) = entry.parent else { return };
                let call = &self.walk.graph.modules[parent].module.calls[&entry.name];
                let path = place.path.outer().map(|(outer, _)| outer).unwrap_or_default();
                if let Some(argument) = call.arguments.attribute(name) {
                    self.expr(&Place { id: parent, path }, &argument.expr);
                }
            }
            ("local", Some(name)) => {
                if let Some(local) = entry.module.locals.get(name) {
                    self.expr(place, &local.expr);
                }
            }
            ("module", Some(name)) => {
                let Some(child) = entry.children.get(name) else { return };
                let key = t.steps.get(1).and_then(instance_key);
                let output = t.attr(1 + usize::from(key.is_some()));
                let path = place.path.child(name, key.unwrap_or(InstanceKey::None));
                let place = Place { id: *child, path };
                for declared in self.walk.graph.modules[*child].module.outputs.values() {
                    if output.is_none_or(|name| *declared.name == *name) {
                        self.expr(&place, &declared.expr);
                    }
                }
            }
            ("data", Some(type_name)) => {
                if let Some(name) = t.attr(1) {
                    self.resource(place, Mode::Data, type_name, name, &t.steps[2..]);
                }
            }
            (type_name, Some(name)) => self.resource(place, Mode::Managed, type_name, name, &t.steps[1..]),
            _ => {}
        }
    }

    fn resource(&mut self, place: &Place, mode: Mode, type_name: &str, name: &str, steps: &[Step]) {
        let key = DeclKey { mode, type_name: type_name.into(), name: name.into() };
        let Some(resource) = self.walk.graph.modules[place.id].module.resources.get(&key) else { return };
        let instance = steps.first().and_then(instance_key);
        let attribute = &steps[usize::from(instance.is_some())..];
        let address = Address {
            module: place.path.clone(),
            mode,
            type_name: key.type_name,
            name: key.name,
            key: instance.unwrap_or(InstanceKey::None),
        };
        let path = Json::Array(attribute.iter().map(step_json).collect());
        self.found.insert((address.to_string(), path.to_string()));
        let found = arguments(resource, attribute.first());
        self.all(place, found);
    }
}

/// What the argument is made from that an attribute stands for; all of them without one.
fn arguments(resource: &Resource, step: Option<&Step>) -> Vec<Traversal> {
    let Some(Step::Attr(name, _)) = step else { return body_references(&resource.body) };
    let attributes = resource.body.attributes.iter().filter(|a| a.name.name == *name);
    let mut found: Vec<Traversal> = attributes.flat_map(|a| references(&a.expr)).collect();
    found.extend(resource.body.blocks_of(name).flat_map(|block| body_references(&block.body)));
    // Which of all the values an instance has, its repetition says.
    if found.iter().any(|t| matches!(&*t.root, "each" | "count")) {
        found.extend(resource.repetition.expr().into_iter().flat_map(references));
    }
    found
}

fn instance_key(step: &Step) -> Option<InstanceKey> {
    let Step::Index(key, _) = step else { return None };
    match (key.as_str(), key.as_i64()) {
        (Some(text), _) => Some(InstanceKey::Key(text.into())),
        (None, index) => Some(InstanceKey::Index(index?.try_into().ok()?)),
    }
}

fn step_json(step: &Step) -> Json {
    match step {
        Step::Attr(name, _) => json!(**name),
        Step::Index(key, _) => to_json(key).unwrap_or_default(),
    }
}

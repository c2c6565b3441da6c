//! What everything evaluates to, per module instance, while walking the graph.

use crate::addr::{Address, InstanceKey, Mode, ModulePath};
use crate::config::{DeclKey, Repetition};
use crate::diag::Diagnostic;
use crate::graph::{
    Graph, ModuleId, Node, count_outside, each_outside, missing_key, no_member, reference_key, self_outside,
    superfluous_key,
};
use crate::lang::eval::{Resolved, Scope};
use crate::lang::syntax::{Step, Traversal};
use crate::value::{Map, SmallMap, Type, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The instances of one declaration.
#[derive(Clone, Debug)]
pub enum Expansion<T> {
    Single(T),
    Count(Vec<T>),
    ForEach(BTreeMap<Arc<str>, T>),
    /// `enabled = false`: there is none.
    Disabled,
    /// How many there are is not known (only when validating).
    Unknown,
}

impl<T> Expansion<T> {
    pub fn get(&self, key: &InstanceKey) -> Option<&T> {
        match (self, key) {
            (Expansion::Single(t), InstanceKey::None) => Some(t),
            (Expansion::Count(items), InstanceKey::Index(i)) => items.get(*i as usize),
            (Expansion::ForEach(items), InstanceKey::Key(k)) => items.get(k),
            _ => None,
        }
    }

    pub fn get_mut(&mut self, key: &InstanceKey) -> Option<&mut T> {
        match (self, key) {
            (Expansion::Single(t), InstanceKey::None) => Some(t),
            (Expansion::Count(items), InstanceKey::Index(i)) => items.get_mut(*i as usize),
            (Expansion::ForEach(items), InstanceKey::Key(k)) => items.get_mut(k),
            _ => None,
        }
    }

    pub fn keys(&self) -> Vec<InstanceKey> {
        match self {
            Expansion::Single(_) => vec![InstanceKey::None],
            Expansion::Count(items) => (0..items.len() as u64).map(InstanceKey::Index).collect(),
            Expansion::ForEach(items) => items.keys().cloned().map(InstanceKey::Key).collect(),
            Expansion::Disabled | Expansion::Unknown => Vec::new(),
        }
    }

    fn items(&self) -> Box<dyn Iterator<Item = &T> + '_> {
        match self {
            Expansion::Single(item) => Box::new(std::iter::once(item)),
            Expansion::Count(items) => Box::new(items.iter()),
            Expansion::ForEach(items) => Box::new(items.values()),
            Expansion::Disabled | Expansion::Unknown => Box::new(std::iter::empty()),
        }
    }

    fn value(&self, each: impl Fn(&T) -> Value) -> Value {
        match self {
            Expansion::Single(t) => each(t),
            Expansion::Count(items) => Value::tuple(items.iter().map(each).collect()),
            Expansion::ForEach(items) => {
                Value::object(items.iter().map(|(k, t)| (k.clone(), each(t))).collect())
            }
            Expansion::Disabled => Value::null(Type::Dynamic),
            Expansion::Unknown => Value::dynamic(),
        }
    }
}

/// `each.*` and `count.*` of one instance.
#[derive(Clone, Debug, Default)]
pub struct Repeated {
    pub key: Option<InstanceKey>,
    pub each_value: Option<Value>,
    /// One of a count, it is not known which.
    pub of_count: bool,
}

/// Values inside one module instance.
#[derive(Debug, Default)]
pub struct ModuleValues {
    pub variables: SmallMap<Arc<str>, Value>,
    pub locals: SmallMap<Arc<str>, Value>,
    pub outputs: SmallMap<Arc<str>, Value>,
    /// In the order that the module has them in.
    resources: Vec<Option<Expansion<Value>>>,
    /// Instances of the module blocks in this module.
    pub calls: SmallMap<ModuleId, Expansion<Repeated>>,
}

impl ModuleValues {
    /// Every value in it, whatever it is of.
    pub fn all(&self) -> impl Iterator<Item = &Value> {
        let resources = self.resources.iter().flatten().flat_map(|expansion| expansion.items());
        let named = [&self.variables, &self.locals, &self.outputs];
        named.into_iter().flat_map(|values| values.values()).chain(resources)
    }
}

/// All values of a walk. A module instance that is not there has not been expanded yet.
#[derive(Debug, Default)]
pub struct Values {
    /// Nothing is known: what counts are the types.
    pub blank: bool,
    pub instances: BTreeMap<(ModuleId, ModulePath), ModuleValues>,
}

impl Values {
    pub fn module(&self, id: ModuleId, path: &ModulePath) -> Option<&ModuleValues> {
        self.instances.get(&(id, path.clone()))
    }

    /// The instances of a resource or data source, once they are known.
    pub fn resource(
        &self,
        graph: &Graph,
        id: ModuleId,
        path: &ModulePath,
        key: &DeclKey,
    ) -> Option<&Expansion<Value>> {
        let at = graph.modules[id].module.resources.get_index_of(key)?;
        self.module(id, path)?.resources.get(at)?.as_ref()
    }

    pub fn put_resource(
        &mut self,
        graph: &Graph,
        id: ModuleId,
        path: &ModulePath,
        key: &DeclKey,
        expansion: Expansion<Value>,
    ) {
        let declared = &graph.modules[id].module.resources;
        let Some(at) = declared.get_index_of(key) else { return };
        let values = &mut self.module_mut(id, path).resources;
        if values.is_empty() {
            values.resize_with(declared.len(), || None);
        }
        values[at] = Some(expansion);
    }

    /// Puts the value of one instance in place of the one that it has.
    pub fn replace_instance(&mut self, graph: &Graph, id: ModuleId, address: &Address, value: Value) {
        let Some(at) = graph.modules[id].module.resources.get_index_of(&DeclKey::of(address)) else { return };
        let values = self.module_mut(id, &address.module).resources.get_mut(at).and_then(Option::as_mut);
        if let Some(slot) = values.and_then(|e| e.get_mut(&address.key)) {
            *slot = value;
        }
    }

    pub fn module_mut(&mut self, id: ModuleId, path: &ModulePath) -> &mut ModuleValues {
        self.instances.entry((id, path.clone())).or_default()
    }

    /// Paths of all instances of a module.
    pub fn paths(&self, id: ModuleId) -> Vec<ModulePath> {
        let from = (id, ModulePath::root());
        self.instances.range(from..).take_while(|((m, _), _)| *m == id).map(|((_, p), _)| p.clone()).collect()
    }
}

/// Where a run stands: for `path.*`, `terraform.workspace`, `plantimestamp()`.
#[derive(Clone, Debug)]
pub struct Place {
    /// The root directory; file functions are relative to it.
    pub root: std::path::PathBuf,
    /// The same where it really is: a saved plan's configuration is a snapshot elsewhere.
    pub home: std::path::PathBuf,
    pub workspace: String,
    pub now: jiff::Timestamp,
}

/// The names visible in one module instance.
pub struct ModuleScope<'a> {
    pub graph: &'a Graph,
    pub values: &'a Values,
    pub place: &'a Place,
    pub module: ModuleId,
    pub path: &'a ModulePath,
    pub repeated: Repeated,
    /// In postconditions and the like.
    pub this: Option<Value>,
}

impl Scope for ModuleScope<'_> {
    fn resolve(&self, t: &Traversal) -> Result<Resolved, Diagnostic> {
        match &*t.root {
            "each" => self.each(t),
            "count" => self.count(t),
            "self" => self.this(t),
            "path" => self.path(t),
            "terraform" => match t.attr(0) {
                Some("workspace") => {
                    Ok(Resolved { value: self.place.workspace.as_str().into(), steps_used: 1 })
                }
                _ => Err(no_member(t, "`workspace`")),
            },
            _ => match t.without_prefix() {
                Some(plain) => {
                    let found = self.declared(&plain)?;
                    Ok(Resolved { steps_used: found.steps_used + 1, value: found.value })
                }
                None => self.declared(t),
            },
        }
    }

    fn base_dir(&self) -> &Path {
        &self.place.root
    }

    fn plan_timestamp(&self) -> Option<jiff::Timestamp> {
        Some(self.place.now)
    }

    fn provider(&self, local: &str) -> Option<&str> {
        let required = self.graph.modules[self.module].module.required_providers.get(local)?;
        let sources = [("terraform", "builtin/terraform"), ("aws", "hashicorp/aws")];
        sources.iter().find(|(_, source)| required.source.ends_with(source)).map(|(own, _)| *own)
    }
}

impl ModuleScope<'_> {
    fn each(&self, t: &Traversal) -> Result<Resolved, Diagnostic> {
        let Some(value) = &self.repeated.each_value else { return Err(each_outside(t)) };
        let value = match (t.attr(0), &self.repeated.key) {
            (Some("key"), Some(InstanceKey::Key(key))) => Value::string(key.clone()),
            (Some("key"), _) => Value::unknown_not_null(Type::String),
            (Some("value"), _) => value.clone(),
            _ => return Err(no_member(t, "`key` and `value`")),
        };
        Ok(Resolved { value, steps_used: 1 })
    }

    fn count(&self, t: &Traversal) -> Result<Resolved, Diagnostic> {
        match (t.attr(0), &self.repeated.key) {
            (Some("index"), Some(InstanceKey::Index(i))) if self.repeated.each_value.is_none() => {
                Ok(Resolved { value: Value::int(*i as i64), steps_used: 1 })
            }
            (Some("index"), None) if self.repeated.of_count => {
                Ok(Resolved { value: Value::unknown_not_null(Type::Number), steps_used: 1 })
            }
            (Some("index"), _) => Err(count_outside(t)),
            _ => Err(no_member(t, "`index`")),
        }
    }

    fn this(&self, t: &Traversal) -> Result<Resolved, Diagnostic> {
        self.this.clone().map(|value| Resolved { value, steps_used: 0 }).ok_or_else(|| self_outside(t))
    }

    fn path(&self, t: &Traversal) -> Result<Resolved, Diagnostic> {
        let text = match t.attr(0) {
            Some("module") => self.graph.modules[self.module].dir.display().to_string(),
            Some("root") => ".".to_owned(),
            Some("cwd") => std::path::absolute(&self.place.root).unwrap_or_default().display().to_string(),
            _ => return Err(no_member(t, "`module`, `root` and `cwd`")),
        };
        Ok(Resolved { value: text.into(), steps_used: 1 })
    }

    /// Names that the configuration declares. References to nothing were reported with the graph; the
    /// same diagnostic here is the same report.
    fn declared(&self, t: &Traversal) -> Result<Resolved, Diagnostic> {
        self.graph.check_steps(self.module, t)?;
        let values = self.values.module(self.module, self.path);
        // What has a value is declared.
        if let Some((values, (key, used))) = values.zip(reference_key(t))
            && let Some(at) = self.graph.modules[self.module].module.resources.get_index_of(&key)
            && let Some(Some(expansion)) = values.resources.get(at)
        {
            return self.resource(expansion, t, &key, used);
        }
        self.graph.targets(self.module, t).map_err(|d| *d)?;
        let Some(values) = values else {
            return Ok(Resolved { value: Value::dynamic(), steps_used: t.steps.len() });
        };
        let name = t.attr(0).unwrap_or_default();
        let known = |map: &SmallMap<Arc<str>, Value>| map.get(name).cloned().unwrap_or_else(Value::dynamic);
        match &*t.root {
            "var" => Ok(Resolved { value: known(&values.variables), steps_used: 1 }),
            "local" => Ok(Resolved { value: known(&values.locals), steps_used: 1 }),
            "module" => self.module_output(values, name, t),
            _ => Ok(Resolved { value: Value::dynamic(), steps_used: t.steps.len() }),
        }
    }

    fn module_output(
        &self,
        values: &ModuleValues,
        name: &str,
        t: &Traversal,
    ) -> Result<Resolved, Diagnostic> {
        let Some(child) = self.graph.modules[self.module].children.get(name).copied() else {
            return Ok(Resolved { value: Value::dynamic(), steps_used: t.steps.len() });
        };
        if self.values.blank {
            return self.any_module(child, name, t);
        }
        let Some(expansion) = values.calls.get(&child) else {
            return Ok(Resolved { value: Value::dynamic(), steps_used: t.steps.len() });
        };
        // Straight to one output of one instance: the others need not be known yet.
        let single = matches!(expansion, Expansion::Single(_));
        let at = if single {
            Some((InstanceKey::None, 1))
        } else {
            let named = |step: &Step| match (step, expansion) {
                // `module.a.key`: an object with an attribute for each key.
                (Step::Attr(name, _), Expansion::ForEach(_)) => Some(InstanceKey::Key(name.clone())),
                _ => instance_key(step),
            };
            t.steps.get(1).and_then(named).map(|k| (k, 2))
        };
        if let Some((key, used)) = at {
            let Some(Step::Attr(output, _)) = t.steps.get(used) else {
                if expansion.get(&key).is_some() {
                    let path = self.path.child(name, key);
                    return Ok(Resolved { value: self.outputs(child, &path), steps_used: used });
                }
                return self.no_instance(t, expansion, &format!("module.{name}"));
            };
            if expansion.get(&key).is_none() {
                return self.no_instance(t, expansion, &format!("module.{name}"));
            }
            if !self.graph.modules[child].module.outputs.contains_key(output) {
                return Err(self.graph.no_output(child, output, t));
            }
            let path = self.path.child(name, key);
            let value = self.values.module(child, &path).and_then(|m| m.outputs.get(output)).cloned();
            return Ok(Resolved { value: value.unwrap_or_else(Value::dynamic), steps_used: used + 1 });
        }
        let value = match expansion {
            Expansion::Single(_) => self.outputs(child, &self.path.child(name, InstanceKey::None)),
            Expansion::Unknown => Value::dynamic(),
            Expansion::Disabled => Value::null(Type::Dynamic),
            Expansion::Count(items) => {
                let each = |i| self.outputs(child, &self.path.child(name, InstanceKey::Index(i as u64)));
                Value::tuple((0..items.len()).map(each).collect())
            }
            Expansion::ForEach(items) => {
                let each =
                    |k: &Arc<str>| self.outputs(child, &self.path.child(name, InstanceKey::Key(k.clone())));
                Value::object(items.keys().map(|k| (k.clone(), each(k))).collect())
            }
        };
        Ok(Resolved { value, steps_used: 1 })
    }

    /// A module of which nothing is known but which outputs it has, and by what its instances are told apart.
    fn any_module(&self, child: ModuleId, name: &str, t: &Traversal) -> Result<Resolved, Diagnostic> {
        let declared = &self.graph.modules[child].module.outputs;
        let instance = Type::object(declared.keys().map(|output| (output.clone(), Type::Dynamic)));
        let (ty, at) = match &self.graph.modules[self.module].module.calls[name].repetition {
            Repetition::Count(_) => (Type::list(instance), 2),
            Repetition::ForEach(_) => (Type::map(instance), 2),
            Repetition::Single | Repetition::Enabled(_) => (instance, 1),
        };
        let keyed = at == 1 || matches!(t.steps.get(1), Some(Step::Index(..)));
        match t.steps.get(at) {
            Some(Step::Attr(output, _)) if keyed && !declared.contains_key(output) => {
                Err(self.graph.no_output(child, output, t))
            }
            _ => Ok(Resolved { value: Value::unknown(ty), steps_used: 1 }),
        }
    }

    fn outputs(&self, child: ModuleId, path: &ModulePath) -> Value {
        let declared = self.graph.modules[child].module.outputs.keys();
        let values = self.values.module(child, path);
        let each = |name: &Arc<str>| {
            values.and_then(|m| m.outputs.get(name)).cloned().unwrap_or_else(Value::dynamic)
        };
        let outputs: Map = declared.map(|name| (name.clone(), each(name))).collect();
        Value::object(outputs)
    }

    fn resource(
        &self,
        expansion: &Expansion<Value>,
        t: &Traversal,
        key: &DeclKey,
        used: usize,
    ) -> Result<Resolved, Diagnostic> {
        if let Some(instance) = t.steps.get(used).and_then(instance_key) {
            if matches!(expansion, Expansion::Unknown) {
                return Ok(Resolved { value: Value::dynamic(), steps_used: t.steps.len() });
            }
            return match expansion.get(&instance) {
                Some(value) => Ok(Resolved { value: value.clone(), steps_used: used + 1 }),
                None => self.no_instance(t, expansion, &key.to_string()),
            };
        }
        if let (Some(step), Expansion::Count(_) | Expansion::ForEach(_)) = (t.steps.get(used), expansion) {
            let repetition = &self.graph.modules[self.module].module.resources[key].repetition;
            if let Some(problem) = missing_key(key, step, repetition) {
                return Err(problem);
            }
        }
        if let (Some(Step::Attr(_, span)), Expansion::Disabled) = (t.steps.get(used), expansion) {
            return Err(Diagnostic::error("disabled", format!("`{key}` is disabled: it has no attributes"))
                .at(*span)
                .help(disabled_help(&key.to_string())));
        }
        Ok(Resolved { value: expansion.value(Value::clone), steps_used: used })
    }

    fn no_instance<T>(
        &self,
        t: &Traversal,
        expansion: &Expansion<T>,
        what: &str,
    ) -> Result<Resolved, Diagnostic> {
        if matches!(expansion, Expansion::Unknown) {
            return Ok(Resolved { value: Value::dynamic(), steps_used: t.steps.len() });
        }
        let keys: Vec<String> = expansion.keys().iter().map(|k| k.to_string()).take(8).collect();
        let d = Diagnostic::error("no-such-instance", format!("`{what}` has no such instance")).at(t.span);
        Err(match expansion {
            Expansion::Single(_) => superfluous_key(what, t),
            Expansion::Disabled => d.help(disabled_help(what)),
            _ if keys.is_empty() => {
                d.help("it has no instances at all here; use `one(…[*])` or `try(…)` where it may be absent")
            }
            _ => d.help(format!("its instances are {}", keys.join(", "))),
        })
    }
}

fn disabled_help(what: &str) -> String {
    format!(
        "its `enabled` is false, so `{what}` is null: write `try({what}.…, null)`, or test `{what} != null`"
    )
}

fn instance_key(step: &Step) -> Option<InstanceKey> {
    match step {
        Step::Index(value, _) => match (value.as_str(), value.as_i64()) {
            (Some(key), _) => Some(InstanceKey::Key(key.into())),
            (None, Some(i)) if i >= 0 => Some(InstanceKey::Index(i as u64)),
            _ => None,
        },
        Step::Attr(..) => None,
    }
}

/// Whether a node is a managed resource.
pub fn is_managed(node: &Node) -> bool {
    matches!(node, Node::Resource(_, key) if key.mode == Mode::Managed)
}

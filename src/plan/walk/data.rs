//! Data sources: evaluated, and read as soon as everything they need is known.

use super::checks::as_warning;
use super::resources::{any_value, collect, instances};
use super::{Moment, Purpose, Walk, WalkError};
use crate::addr::{Address, InstanceKey, Mode, ModulePath};
use crate::config::body::{check_desired, desired};
use crate::config::{DeclKey, Resource};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::{ModuleId, Node};
use crate::plan::desired::created;
use crate::plan::values::Repeated;
use crate::plan::{Action, Change, Reason};
use crate::provider::default_name;
use crate::schema::{Object, TypeSchema};
use crate::state::without_keys;
use crate::value::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A data source instance that can be read now.
pub(super) struct DataRead {
    module: ModuleId,
    address: Address,
    repeated: Repeated,
    provider: String,
    want: Object,
}

impl Walk<'_> {
    /// Evaluates a data source; what can be read now is returned, the rest is deferred to the apply.
    pub(super) fn plan_data(&mut self, id: ModuleId, key: &DeclKey) -> Vec<DataRead> {
        let resource = &self.graph.modules[id].module.resources[key];
        let Some(schema) = self.schema(id, resource) else {
            self.note_unknown_type(id, resource);
            return Vec::new();
        };
        let provider = self.provider_for(id, &resource.provider);
        let pending = !self.settled && self.has_pending_dependency(id, resource);
        let mut reads = Vec::new();
        for path in self.values.paths(id) {
            let Some(expansion) = self.known_expansion(id, &path, resource) else { continue };
            let mut values = Vec::new();
            for (instance, repeated) in instances(&expansion, resource) {
                let mut found = Diagnostics::default();
                let address = data_address(&path, key, &instance);
                let declared = (id, resource);
                self.conditions(Moment::Before, declared, &address, repeated.clone(), None, &mut found);
                let scope = self.scope(id, &path, repeated.clone());
                if self.blank {
                    check_desired(schema, &resource.body, resource.header, &scope, &mut found);
                    let this = Some(any_value(schema));
                    self.conditions(Moment::After, declared, &address, repeated, this, &mut found);
                    self.diags.extend(found);
                    continue;
                }
                let want = desired(schema, &resource.body, resource.header, &scope, &mut found);
                let failed = found.has_errors();
                let lenient = resource.check.is_some() && self.purpose != Purpose::Validate;
                self.diags.extend(found.into_iter().map(|d| if lenient { as_warning(d) } else { d }));
                let known = want.0.values().all(Value::is_wholly_known);
                values.push((instance.clone(), created(schema, &want).into()));
                let own = self.reads_own_data && !self.provider.is_configurable(default_name(&key.type_name));
                if failed || self.purpose == Purpose::Validate && !(own && known) {
                    continue;
                }
                if known && !pending {
                    let provider = provider.clone();
                    reads.push(DataRead { module: id, address, repeated, provider, want });
                } else if resource.check.is_none() {
                    let reason = if known { Reason::DependencyPending } else { Reason::ConfigUnknown };
                    self.defer_read(id, key, address, reason, &provider, want, schema);
                }
            }
            self.values.put_resource(self.graph, id, &path, key, collect(&expansion, values));
        }
        reads
    }

    /// `depends_on` something that will change: reading now would answer for the old.
    fn has_pending_dependency(&self, id: ModuleId, resource: &Resource) -> bool {
        let mut named: Vec<Node> = Vec::new();
        for t in &resource.depends_on {
            named.extend(self.graph.targets(id, t).unwrap_or_default());
        }
        let mut at = id;
        while let Some(parent) = self.graph.modules[at].parent {
            let call = &self.graph.modules[parent].module.calls[&self.graph.modules[at].name];
            for t in &call.depends_on {
                named.extend(self.graph.targets(parent, t).unwrap_or_default());
            }
            at = parent;
        }
        if named.is_empty() {
            return false;
        }
        let named: BTreeSet<String> = named.iter().map(|n| self.graph.describe(n)).collect();
        self.changes.values().any(|c| {
            !matches!(c.action, Action::None | Action::Import | Action::Forget)
                && named.contains(&without_keys(&c.address))
        })
    }

    #[allow(clippy::too_many_arguments)]
    fn defer_read(
        &mut self,
        id: ModuleId,
        key: &DeclKey,
        address: Address,
        reason: Reason,
        provider: &str,
        want: Object,
        schema: &'static TypeSchema,
    ) {
        let change = Change {
            address: address.clone(),
            provider: provider.to_owned(),
            action: Action::Read,
            reason: Some(reason),
            id: None,
            before: None,
            after: created(schema, &want),
            desired: want,
            attributes: Vec::new(),
            rollout: Vec::new(),
            previous: None,
            importing: None,
            create_before_destroy: false,
            prevent_destroy: false,
            depends_on: Arc::new(self.resource_dependencies(&Node::Resource(id, key.clone()))),
            applied: Default::default(),
        };
        self.changes.insert(address, Arc::new(change));
    }

    /// Reads data sources, all of one level at once.
    pub(super) async fn read_data(&mut self, reads: Vec<DataRead>) -> Result<(), WalkError> {
        let provider = self.provider;
        let calls = reads
            .iter()
            .map(async |read| provider.read_data(&read.provider, &read.address.type_name, &read.want).await);
        let answers = futures::future::join_all(calls).await;
        for (read, answer) in reads.into_iter().zip(answers) {
            let Some((_, resource)) = self.find_resource(&read.address) else { continue };
            let (key, scoped) = (resource.key.clone(), resource.check.is_some());
            let value = match answer {
                Ok(answer) => data_value(self.provider, &key, answer),
                Err(error) if scoped => {
                    let d = Diagnostic::warning("failed-check", format!("{} cannot be read", read.address));
                    self.diags.push(d.at(resource.header).detail(error.to_string()));
                    Value::dynamic()
                }
                // It stays unknown.
                Err(_) if self.purpose == Purpose::Validate => continue,
                Err(error) => return Err(WalkError::Aws { what: read.address.to_string(), error }),
            };
            self.accept_value(&read.address, value.clone());
            self.data_postconditions(&read, value, scoped);
        }
        Ok(())
    }

    fn data_postconditions(&mut self, read: &DataRead, value: Value, scoped: bool) {
        let Some((id, resource)) = self.find_resource(&read.address) else { return };
        let key = resource.key.clone();
        let mut found = Diagnostics::default();
        let repeated = read.repeated.clone();
        self.conditions(Moment::After, (id, resource), &read.address, repeated, Some(value), &mut found);
        if found.has_errors() && !scoped {
            self.broken.insert(Node::Resource(read.module, key));
        }
        self.diags.extend(found.into_iter().map(|d| if scoped { as_warning(d) } else { d }));
    }
}

pub fn data_value(provider: &dyn crate::provider::Provider, key: &DeclKey, answer: Object) -> Value {
    match provider.data(&key.type_name) {
        Some(schema) => {
            let mut object = answer.complete(schema.table);
            for row in schema.table.rows.iter().filter(|r| r.sensitive) {
                let value = object.value(row.name).cloned().map(Value::sensitive);
                object.put(row.name, value);
            }
            object.into()
        }
        None => answer.into(),
    }
}

fn data_address(path: &ModulePath, key: &DeclKey, instance: &InstanceKey) -> Address {
    Address {
        module: path.clone(),
        mode: Mode::Data,
        type_name: key.type_name.clone(),
        name: key.name.clone(),
        key: instance.clone(),
    }
}

//! Preconditions and postconditions of resources and data sources: while planning, and again while
//! applying, when everything is known.

use super::modules::condition;
use super::{Purpose, Walk};
use crate::addr::{Address, InstanceKey, Mode, ModulePath};
use crate::config::{DeclKey, Resource, Validation};
use crate::diag::Diagnostics;
use crate::graph::ModuleId;
use crate::lang::eval::{Scope, eval};
use crate::plan::CheckStatus;
use crate::plan::values::Repeated;
use crate::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Preconditions.
    Before,
    /// Postconditions.
    After,
}

impl Moment {
    fn of(self, resource: &Resource) -> &[Validation] {
        match self {
            Moment::Before => &resource.lifecycle.preconditions,
            Moment::After => &resource.lifecycle.postconditions,
        }
    }
}

/// What has conditions, besides `check` blocks.
#[derive(Clone, Debug)]
pub enum Conditioned {
    Variable(Arc<str>),
    Output(Arc<str>),
    Resource(DeclKey),
}

/// What the conditions of one declaration came to, by module instance and key; and the module it stands in.
pub type Conditions = (Conditioned, ModulePath, BTreeMap<(ModulePath, InstanceKey), CheckStatus>);

impl Walk<'_> {
    /// Everything that has conditions, and what they came to in this plan.
    pub fn conditioned(&self) -> Vec<Conditions> {
        let mut found = Vec::new();
        if self.purpose == Purpose::Destroy {
            return found;
        }
        for (id, entry) in self.graph.modules.iter().enumerate() {
            let (module, declared_in) = (&entry.module, self.graph.plain_path(id));
            let of_modules = |validations: &[Validation]| {
                let each = |path: ModulePath| {
                    let status = statuses(validations, &self.scope(id, &path, Repeated::default()));
                    ((path, InstanceKey::None), status)
                };
                self.values.paths(id).into_iter().map(each).collect()
            };
            for variable in module.variables.values().filter(|v| !v.validations.is_empty()) {
                let what = Conditioned::Variable(variable.name.clone());
                found.push((what, declared_in.clone(), of_modules(&variable.validations)));
            }
            for output in module.outputs.values().filter(|o| !o.preconditions.is_empty()) {
                let what = Conditioned::Output(output.name.clone());
                found.push((what, declared_in.clone(), of_modules(&output.preconditions)));
            }
            for resource in module.resources.values() {
                let (before, after) = (Moment::Before.of(resource), Moment::After.of(resource));
                if !before.is_empty() || !after.is_empty() {
                    let instances = self.condition_statuses(id, resource);
                    found.push((Conditioned::Resource(resource.key.clone()), declared_in.clone(), instances));
                }
            }
        }
        found
    }

    fn condition_statuses(
        &self,
        id: ModuleId,
        resource: &Resource,
    ) -> BTreeMap<(ModulePath, InstanceKey), CheckStatus> {
        let mut found = BTreeMap::new();
        for path in self.values.paths(id) {
            let Some(values) = self.values.resource(self.graph, id, &path, &resource.key) else { continue };
            for key in values.keys() {
                let address = Address {
                    module: path.clone(),
                    mode: resource.key.mode,
                    type_name: resource.key.type_name.clone(),
                    name: resource.key.name.clone(),
                    key: key.clone(),
                };
                let repeated = self.repeated_of(id, resource, &address, &mut Diagnostics::default());
                let mut scope = self.scope(id, &path, repeated);
                let before = statuses(Moment::Before.of(resource), &scope);
                scope.this = values.get(&key).cloned();
                let after = statuses(Moment::After.of(resource), &scope);
                found.insert((path.clone(), key), before.max(after));
            }
        }
        found
    }

    /// `this`: what `self` is, in postconditions. False: one did not hold.
    pub(super) fn conditions(
        &self,
        moment: Moment,
        (id, resource): (ModuleId, &Resource),
        address: &Address,
        repeated: Repeated,
        this: Option<Value>,
        diags: &mut Diagnostics,
    ) -> bool {
        let errors = diags.error_count();
        let (code, what) = match moment {
            Moment::Before => ("failed-precondition", "a precondition failed"),
            Moment::After => ("failed-postcondition", "a postcondition failed"),
        };
        let conditions = moment.of(resource);
        // What is to go need not hold any more.
        if conditions.is_empty() || self.purpose == Purpose::Destroy {
            return true;
        }
        let mut scope = self.scope(id, &address.module, repeated);
        scope.this = this;
        for validation in conditions {
            condition(validation, &scope, diags, code, &format!("{address}: {what}"), |d| d.address(address));
        }
        diags.error_count() == errors
    }

    /// The same with real values, while applying.
    pub fn conditions_again(&self, moment: Moment, address: &Address, diags: &mut Diagnostics) {
        let Some((id, resource)) = self.find_resource(address) else { return };
        if moment.of(resource).is_empty() || self.purpose == Purpose::Destroy {
            return;
        }
        let repeated = self.repeated_of(id, resource, address, diags);
        let values = self.values.resource(self.graph, id, &address.module, &resource.key);
        let this = values.and_then(|e| e.get(&address.key)).cloned().filter(|_| moment == Moment::After);
        self.conditions(moment, (id, resource), address, repeated, this, diags);
    }

    /// Instances of a declaration that this plan leaves alone, but that have conditions.
    pub fn untouched_with_conditions(&self, id: ModuleId, key: &DeclKey) -> Vec<Address> {
        let resource = &self.graph.modules[id].module.resources[key];
        let none =
            resource.lifecycle.preconditions.is_empty() && resource.lifecycle.postconditions.is_empty();
        if none || self.purpose == Purpose::Destroy {
            return Vec::new();
        }
        let mut found = Vec::new();
        for path in self.values.paths(id) {
            let Some(expansion) = self.values.resource(self.graph, id, &path, key) else { continue };
            for instance in expansion.keys() {
                let address = Address {
                    module: path.clone(),
                    mode: key.mode,
                    type_name: key.type_name.clone(),
                    name: key.name.clone(),
                    key: instance,
                };
                let planned = self.changes.get(&address);
                let left = match key.mode {
                    Mode::Managed => planned.is_some_and(|c| c.action == crate::plan::Action::None),
                    Mode::Data => planned.is_none(),
                };
                if left {
                    found.push(address);
                }
            }
        }
        found
    }
}

/// The worst of them.
fn statuses(conditions: &[Validation], scope: &dyn Scope) -> CheckStatus {
    let each = conditions.iter().map(|validation| {
        let value = eval(&validation.condition, scope, &mut Diagnostics::default());
        match value.as_bool() {
            Some(true) => CheckStatus::Pass,
            None if value.is_unknown() => CheckStatus::Unknown,
            _ => CheckStatus::Fail,
        }
    });
    each.max().unwrap_or(CheckStatus::Pass)
}

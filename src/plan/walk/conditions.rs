//! Preconditions and postconditions of resources and data sources: while planning, and again while
//! applying, when everything is known.

use super::modules::condition;
use super::{Purpose, Walk};
use crate::addr::{Address, Mode};
use crate::config::{DeclKey, Resource, Validation};
use crate::diag::Diagnostics;
use crate::graph::ModuleId;
use crate::plan::values::Repeated;
use crate::value::Value;

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

impl Walk<'_> {
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
        let key =
            DeclKey { mode: address.mode, type_name: address.type_name.clone(), name: address.name.clone() };
        let values = self.values.module(id, &address.module);
        let this = values.and_then(|m| m.resources.get(&key)).and_then(|e| e.get(&address.key)).cloned();
        let this = this.filter(|_| moment == Moment::After);
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
            let Some(expansion) = self.values.module(id, &path).and_then(|m| m.resources.get(key)) else {
                continue;
            };
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

//! What goes: orphans, what replacements left, and what may not go.

use super::{Purpose, Walk};
use crate::addr::{Address, InstanceKey};
use crate::diag::Diagnostic;
use crate::plan::{Action, Change, Reason};
use crate::schema::{Object, TypeSchema};
use crate::state::object;
use std::sync::Arc;

impl Walk<'_> {
    pub(super) fn plan_deposed(&mut self, address: &Address, old: &crate::state::Resource) {
        for deposed in &old.deposed {
            let Some(schema) = self.provider.resource(&address.type_name) else { continue };
            let mut change = self.deletion(address, old, schema, Reason::Deposed);
            change.id = Some(deposed.id.clone());
            change.before = Some(object(&deposed.seen, schema.table));
            self.deposed.push(Arc::new(change));
        }
    }

    pub(super) fn deletion(
        &self,
        address: &Address,
        old: &crate::state::Resource,
        schema: &TypeSchema,
        reason: Reason,
    ) -> Change {
        Change {
            address: address.clone(),
            provider: old.provider.clone(),
            action: Action::Delete,
            reason: Some(reason),
            id: Some(old.id.clone()),
            before: self.live.get(address).cloned().flatten(),
            after: Object::new(),
            desired: old.applied(schema.table),
            attributes: Vec::new(),
            rollout: Vec::new(),
            previous: self.previous(address),
            importing: None,
            create_before_destroy: old.create_before_destroy,
            prevent_destroy: self.prevents_destroy(address),
            depends_on: old.depends_on.clone(),
            applied: old.applied.clone(),
        }
    }

    fn prevents_destroy(&self, address: &Address) -> bool {
        self.find_resource(address).is_some_and(|(_, r)| r.lifecycle.prevent_destroy.is_some())
    }

    /// Everything in state that no instance answers for.
    pub(super) fn orphans(&mut self) {
        let destroying = self.purpose == Purpose::Destroy;
        let recorded = self.state.resources.keys();
        let left = recorded.filter(|address| destroying || !self.changes.contains_key(*address));
        for address in left.cloned().collect::<Vec<Address>>() {
            let Some(old) = self.state.resources.get(&address).cloned() else { continue };
            // An error kept it from being planned: it is not orphaned.
            if !destroying && self.diags.has_errors() && self.is_declared(&address) {
                continue;
            }
            let Some(schema) = self.provider.resource(&address.type_name) else { continue };
            let reason = match (destroying, self.is_declared(&address)) {
                (true, _) => Reason::Destroy,
                (false, true) => self.why_no_instance(&address),
                (false, false) if self.previous(&address).is_some() => Reason::NoMoveTarget,
                (false, false) => Reason::NotDeclared,
            };
            let mut change = self.deletion(&address, &old, schema, reason);
            if self.removed(&address).is_some_and(|removed| !removed.destroy) {
                change.action = Action::Forget;
            } else {
                if !self.changes.contains_key(&address) {
                    self.plan_deposed(&address, &old);
                }
                self.guard_destroy(&change);
            }
            self.changes.insert(address, Arc::new(change));
        }
        if destroying {
            self.changes.retain(|_, c| matches!(c.action, Action::Delete | Action::Forget));
        }
    }

    /// Declared, but not with this key.
    fn why_no_instance(&self, address: &Address) -> Reason {
        use crate::config::Repetition;
        let Some((_, resource)) = self.find_resource(address) else { return Reason::NoInstance };
        match (&resource.repetition, &address.key) {
            (Repetition::Count(_), InstanceKey::Index(_))
            | (Repetition::ForEach(_), InstanceKey::Key(_))
            | (Repetition::Single | Repetition::Enabled(_), InstanceKey::None) => Reason::NoInstance,
            _ => Reason::WrongRepetition,
        }
    }

    pub(super) fn is_declared(&self, address: &Address) -> bool {
        self.find_resource(address).is_some()
    }

    /// `prevent_destroy`, or a protection that is live in AWS, makes a deletion an error.
    pub(super) fn guard_destroy(&mut self, change: &Change) {
        self.guard_protected(change);
        if !change.prevent_destroy {
            return;
        }
        let declared = self.find_resource(&change.address);
        let span = declared.and_then(|(_, resource)| resource.lifecycle.prevent_destroy);
        let verb = if change.action == Action::Replace { "replaced" } else { "destroyed" };
        let mut d = Diagnostic::error(
            "prevent-destroy",
            format!("{} would be {verb}, but has `prevent_destroy`", change.address),
        )
        .address(&change.address);
        if let Some(span) = span {
            d = d.at(span);
        }
        let forced: Vec<&str> =
            change.attributes.iter().filter(|a| a.replaces).map(|a| a.name.as_str()).collect();
        if !forced.is_empty() {
            d = d.note(format!("replaced because of {}", forced.join(", ")));
        }
        self.diags.push(d.help("undo the change that needs it, or remove `prevent_destroy` first"));
    }

    /// AWS would refuse the deletion, in the middle of the apply: say so before anything is changed.
    fn guard_protected(&mut self, change: &Change) {
        let Some(schema) = self.provider.resource(&change.address.type_name) else { return };
        let on = |name: &str| change.before.as_ref()?.value(name)?.as_bool();
        let Some(row) = schema.table.rows.iter().find(|r| r.protects && on(r.name) == Some(true)) else {
            return;
        };
        let verb = if change.action == Action::Replace { "replaced" } else { "destroyed" };
        let mut d = Diagnostic::error(
            "deletion-protected",
            format!("{} would be {verb}, but AWS protects it from deletion", change.address),
        )
        .address(&change.address);
        if let Some((_, resource)) = self.find_resource(&change.address) {
            d = d.at(resource.header);
        }
        let forced: Vec<&str> =
            change.attributes.iter().filter(|a| a.replaces).map(|a| a.name.as_str()).collect();
        if !forced.is_empty() {
            d = d.note(format!("replaced because of {}", forced.join(", ")));
        }
        self.diags.push(d.help(format!(
            "if it is to go, apply `{} = false` alone first; then plan this change again",
            row.name
        )));
    }
}

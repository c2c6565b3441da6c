//! Resources and data sources: evaluated, compared with what is live.

use super::Moment;
use super::another_vpc::clashes;
use super::providers::provider_key;
use super::{Purpose, Walk};
use crate::addr::{Address, InstanceKey, Mode, ModulePath};
use crate::config::body::{check_desired, desired};
use crate::config::{DeclKey, Resource};
use crate::diag::Diagnostics;
use crate::diff::{Sides, diff};
use crate::graph::{ModuleId, Node};
use crate::plan::desired::{complete_tags, created, derive_tags, updated};
use crate::plan::ignore::{check_ignored, ignore_changes};
use crate::plan::repeat::{expand, unknown_instance};
use crate::plan::values::{Expansion, Repeated};
use crate::plan::{Action, Change, Reason};
use crate::provider::ProviderSettings;
use crate::schema::{Object, TypeSchema};
use crate::value::{Type, Value};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// One instance of one resource block, about to be planned.
struct Instance<'i> {
    id: ModuleId,
    resource: &'i Resource,
    schema: &'static TypeSchema,
    address: Address,
    repeated: Repeated,
    /// The same for all instances.
    depends_on: &'i Arc<BTreeSet<String>>,
}

impl Walk<'_> {
    /// None: reported with all others of its type.
    pub(super) fn schema(&self, id: ModuleId, resource: &Resource) -> Option<&'static TypeSchema> {
        let key = &resource.key;
        match key.mode {
            _ if !self.is_known(id, resource) => None,
            Mode::Managed => self.provider.resource(&key.type_name),
            Mode::Data => self.provider.data(&key.type_name),
        }
    }

    pub(super) fn plan_resource(&mut self, id: ModuleId, key: &DeclKey) {
        let resource = &self.graph.modules[id].module.resources[key];
        let Some(schema) = self.schema(id, resource) else {
            return self.note_unknown_type(id, resource);
        };
        check_ignored(&resource.lifecycle, schema.table, schema.name, &mut self.diags);
        if schema.needs_key() && self.purpose == Purpose::Plan && self.state.key.is_none() {
            self.diags.push(crate::plan::keys::no_key(&key.to_string(), resource.header));
        }
        let node = Node::Resource(id, key.clone());
        let depends_on = match self.purpose {
            Purpose::Validate => BTreeSet::new(),
            _ => self.resource_dependencies(&node),
        };
        let depends_on = &Arc::new(depends_on);
        for path in self.values.paths(id) {
            let Some(expansion) = self.known_expansion(id, &path, resource) else { continue };
            let mut values = Vec::new();
            for (instance, repeated) in instances(&expansion, resource) {
                let address = Address {
                    module: path.clone(),
                    mode: Mode::Managed,
                    type_name: key.type_name.clone(),
                    name: key.name.clone(),
                    key: instance.clone(),
                };
                let declared = Instance { id, resource, schema, address, repeated, depends_on };
                values.push((instance, self.instance(&declared)));
            }
            self.values.put_resource(self.graph, id, &path, key, collect(&expansion, values));
        }
    }

    pub(super) fn forget_values(&mut self, id: ModuleId, key: &DeclKey) {
        for path in self.values.paths(id) {
            self.values.put_resource(self.graph, id, &path, key, Expansion::Unknown);
        }
    }

    /// Which instances there are; None after a reported error, and then its value is not known either. Only
    /// validation goes on all the same.
    pub(super) fn known_expansion(
        &mut self,
        id: ModuleId,
        path: &ModulePath,
        resource: &Resource,
    ) -> Option<Expansion<Repeated>> {
        let expansion = self.expansion(id, path, resource);
        if matches!(expansion, Expansion::Unknown) && self.purpose != Purpose::Validate {
            self.values.put_resource(self.graph, id, path, &resource.key, Expansion::Unknown);
            return None;
        }
        Some(expansion)
    }

    pub(super) fn expansion(
        &mut self,
        id: ModuleId,
        path: &ModulePath,
        resource: &Resource,
    ) -> Expansion<Repeated> {
        let mut diags = std::mem::take(&mut self.diags);
        let scope = self.scope(id, path, Repeated::default());
        let expansion = expand(&resource.repetition, &scope, &mut diags, self.purpose == Purpose::Validate);
        self.diags = diags;
        if self.blank { Expansion::Unknown } else { expansion }
    }

    fn instance(&mut self, instance: &Instance<'_>) -> Value {
        let Instance { id, resource, schema, address, .. } = instance;
        let mut diags = std::mem::take(&mut self.diags);
        let errors = diags.error_count();
        let scope = self.scope(*id, &address.module, instance.repeated.clone());
        let repeated = instance.repeated.clone();
        self.conditions(Moment::Before, (*id, resource), address, repeated, None, &mut diags);
        if self.blank {
            check_desired(schema, &resource.body, resource.header, &scope, &mut diags);
            let this = any_value(schema);
            self.check_provisioners(*id, resource, address, &instance.repeated, &this, &mut diags);
            self.diags = diags;
            self.postconditions(instance, &this);
            return Value::dynamic();
        }
        let mut wanted = desired(schema, &resource.body, resource.header, &scope, &mut diags);
        self.tune(address, &mut wanted, &mut diags);
        let failed = diags.error_count() > errors;
        self.diags = diags;
        if self.purpose == Purpose::Validate || failed {
            let value = self.recorded(address, schema).unwrap_or_else(|| created(schema, &wanted).into());
            let mut diags = std::mem::take(&mut self.diags);
            self.check_provisioners(*id, resource, address, &instance.repeated, &value, &mut diags);
            self.diags = diags;
            return value;
        }
        let change = self.change(instance, wanted);
        let value = Value::from(change.after.clone());
        self.postconditions(instance, &value);
        self.changes.insert(address.clone(), Arc::new(change));
        value
    }

    /// What the state has of an instance, for who evaluates without asking AWS.
    fn recorded(&self, address: &Address, schema: &TypeSchema) -> Option<Value> {
        let old = self.state.resources.get(address)?;
        let mut object = old.seen(schema.table).complete(schema.table);
        object.put("id", Some(old.id.as_str().into()));
        Some(object.into())
    }

    fn postconditions(&mut self, instance: &Instance<'_>, value: &Value) {
        let mut diags = std::mem::take(&mut self.diags);
        let (declared, repeated) = ((instance.id, instance.resource), instance.repeated.clone());
        let this = Some(value.clone());
        self.conditions(Moment::After, declared, &instance.address, repeated, this, &mut diags);
        self.diags = diags;
    }

    pub fn provider_for(&self, id: ModuleId, name: &str) -> String {
        match self.graph.provider_of(id, name) {
            Some((owner, name)) => provider_key(owner, &name),
            None if self.provider.names().contains(&name) => name.to_owned(),
            None => "aws".to_owned(),
        }
    }

    /// Compares what an instance shall be with what is live.
    fn change(&mut self, instance: &Instance<'_>, wanted: Object) -> Change {
        let Instance { id, resource, schema, address, .. } = instance;
        let provider = self.provider_for(*id, &resource.provider);
        let settings = self.settings.get(&provider).cloned().unwrap_or_default();
        let mut wanted = wanted;
        let old = self.state.resources.get(address).cloned();
        let imported = self.imported.contains_key(address);
        let applied = old.as_ref().filter(|_| !imported).map(|o| o.applied(schema.table));
        complete_tags(&mut wanted, schema.table, &settings, applied.as_ref());
        let live = self.live.get(address).cloned().flatten().map(|mut live| {
            derive_tags(&mut live, schema.table, &settings, Some(&wanted));
            live
        });
        let mut change = Change {
            address: address.clone(),
            provider,
            action: Action::Create,
            reason: None,
            id: None,
            before: None,
            after: Object::new(),
            desired: Object::new(),
            attributes: Vec::new(),
            rollout: Vec::new(),
            create_before_destroy: schema.create_before_destroy || self.asks_to_be_created_first(instance),
            prevent_destroy: resource.lifecycle.prevent_destroy.is_some(),
            previous: self.previous(address),
            importing: self.imported.get(address).cloned(),
            depends_on: instance.depends_on.clone(),
            applied: Default::default(),
        };
        if let Some(old) = &old {
            self.plan_deposed(address, old);
        }
        match (&old, live) {
            (Some(old), Some(live)) => {
                change.id = Some(old.id.clone());
                ignore_changes(&mut wanted, &live, &resource.lifecycle, schema.table);
                self.compare(instance, &mut change, live, &wanted, applied.as_ref(), old);
                for (name, value) in replacement_values(schema, &change, &wanted) {
                    change.after.put(name, Some(value.clone()));
                    wanted.put(name, Some(value));
                }
            }
            (Some(_), None) => {
                change.reason = Some(Reason::Vanished);
                change.after = created(schema, &wanted);
            }
            (None, _) => {
                // Nothing to replace yet; but what is named must be there.
                self.is_triggered(instance);
                change.after = created(schema, &wanted);
            }
        }
        change.desired = wanted;
        if change.action == Action::Replace {
            change.applied = old.map(|o| o.applied).unwrap_or_default();
            self.guard_destroy(&change);
        }
        change
    }

    fn compare(
        &mut self,
        instance: &Instance<'_>,
        change: &mut Change,
        mut live: Object,
        wanted: &Object,
        applied: Option<&Object>,
        old: &crate::state::Resource,
    ) {
        let schema = instance.schema;
        let mut seen = old.seen(schema.table);
        let settings = self.settings.get(&change.provider).cloned().unwrap_or_default();
        derive_tags(&mut seen, schema.table, &settings, Some(wanted));
        for object in [&mut live, &mut seen] {
            (schema.resolve_words)(object, wanted, &|key, attribute| self.about_to_change(key, attribute));
        }
        let seen = change.importing.is_none().then_some(&seen);
        let sides = Sides { desired: wanted, applied, seen, live: &live, salt: &self.state.salt };
        change.attributes = diff(schema.table, &sides);
        self.replace_what_moves(schema, &mut change.attributes, &live, wanted);
        let triggered = !change.attributes.iter().any(|a| a.replaces) && self.is_triggered(instance);
        if triggered {
            change.reason = Some(Reason::Triggered);
        }
        let requested = self.options.replace.contains(&instance.address);
        if requested && !change.attributes.iter().any(|a| a.replaces) {
            change.reason = Some(Reason::Requested);
        }
        let tainted = old.tainted;
        if tainted {
            change.reason = Some(Reason::Tainted);
        }
        let forced = tainted || triggered || requested;
        change.action = if forced || change.attributes.iter().any(|a| a.replaces) {
            Action::Replace
        } else if change.attributes.is_empty() {
            if change.importing.is_some() { Action::Import } else { Action::None }
        } else {
            Action::Update
        };
        if change.action == Action::Replace {
            let asked = self.asks_to_be_created_first(instance);
            let may = (schema.may_stand_beside)(&live, wanted);
            let itself = schema.create_before_destroy && may;
            let first = asked || itself || self.can_stand_beside(&change.attributes);
            let renamed = may && schema.free_name(&live, wanted).is_some();
            let possible = renamed || !clashes(schema, &live, wanted);
            change.create_before_destroy = first && possible;
        }
        change.after = match change.action {
            Action::Replace => created(schema, wanted),
            _ => updated(schema, &live, wanted, &change.attributes),
        };
        if change.action == Action::None && self.state.rollouts.contains_key(&instance.address) {
            change.rollout = self.provider.resume(&instance.address.type_name, wanted);
            if !change.rollout.is_empty() {
                change.action = Action::Update;
                change.reason = Some(Reason::UnderWay);
            }
        } else if change.action == Action::Update {
            let names = change.changed_names();
            let settings = self.rollout_settings(&instance.address);
            let type_name = &*instance.address.type_name;
            change.rollout = self.provider.rollout(type_name, &live, wanted, &names, settings.as_ref());
        }
        change.before = Some(live);
    }

    /// What an attribute of the resource with this id or name is now, if this plan changes it.
    fn about_to_change(&self, key: &str, attribute: &str) -> Option<Value> {
        let named = |c: &Change| c.before.as_ref()?.value("name")?.as_str().map(|name| name == key);
        let meant = |c: &&Arc<Change>| c.id.as_deref() == Some(key) || named(c) == Some(true);
        let changes = self.changes.values().filter(|c| c.action == Action::Update).filter(meant);
        let values =
            changes.filter_map(|c| Some((c.before.as_ref()?.value(attribute)?, c.after.value(attribute)?)));
        values.filter(|(now, then)| now.kind != then.kind).map(|(now, _)| now.clone()).next()
    }

    /// Its own block says so, or that of something that needs it.
    fn asks_to_be_created_first(&self, instance: &Instance<'_>) -> bool {
        let node = Node::Resource(instance.id, instance.resource.key.clone());
        self.create_before_destroy.contains(&node)
    }

    /// Whether something in `replace_triggered_by` changes.
    fn is_triggered(&mut self, instance: &Instance<'_>) -> bool {
        let triggers = &instance.resource.lifecycle.replace_triggered_by;
        if triggers.is_empty() {
            return false;
        }
        let mut diags = std::mem::take(&mut self.diags);
        let module = &instance.address.module;
        let scope = self.scope(instance.id, module, instance.repeated.clone());
        let triggered = self.triggered(triggers, module, &scope, &mut diags);
        self.diags = diags;
        triggered
    }

    pub(super) fn resource_dependencies(&self, node: &Node) -> BTreeSet<String> {
        let needed = self.graph.resources_needed(node);
        needed.map(|n| self.graph.describe(n)).collect()
    }

    /// Desired values of one instance, evaluated again with what is known by now (while applying).
    pub fn desired_again(
        &self,
        address: &Address,
        diags: &mut Diagnostics,
    ) -> Option<(Object, ProviderSettings)> {
        let (id, resource) = self.find_resource(address)?;
        let schema = match address.mode {
            Mode::Managed => self.provider.resource(&address.type_name)?,
            Mode::Data => self.provider.data(&address.type_name)?,
        };
        let repeated = self.repeated_of(id, resource, address, diags);
        let scope = self.scope(id, &address.module, repeated);
        let mut wanted = desired(schema, &resource.body, resource.header, &scope, diags);
        let settings =
            self.settings.get(&self.provider_for(id, &resource.provider)).cloned().unwrap_or_default();
        let applied = self.state.resources.get(address).map(|r| r.applied(schema.table));
        if address.mode == Mode::Managed {
            self.tune(address, &mut wanted, diags);
            complete_tags(&mut wanted, schema.table, &settings, applied.as_ref());
            if let Some(Some(live)) = self.live.get(address) {
                ignore_changes(&mut wanted, live, &resource.lifecycle, schema.table);
            }
            let values = self.changes.get(address).map(|c| replacement_values(schema, c, &wanted));
            for (name, value) in values.unwrap_or_default() {
                wanted.put(name, Some(value));
            }
        }
        Some((wanted, settings))
    }

    pub(super) fn repeated_of(
        &self,
        id: ModuleId,
        resource: &Resource,
        address: &Address,
        diags: &mut Diagnostics,
    ) -> Repeated {
        let of = |expansion: &Expansion<Repeated>| expansion.get(&address.key).cloned().unwrap_or_default();
        let place = (id, address.module.clone());
        if let Some(known) = self.again.borrow().get(&place).and_then(|known| known.get(&resource.key)) {
            return of(known);
        }
        let errors = diags.error_count();
        let scope = self.scope(id, &address.module, Repeated::default());
        let expansion = expand(&resource.repetition, &scope, diags, false);
        let found = of(&expansion);
        if diags.error_count() == errors {
            // All that it needs is settled before the first instance asks: it comes out the same for each.
            let mut known = self.again.borrow_mut();
            known.entry(place).or_default().insert(resource.key.clone(), Rc::new(expansion));
        }
        found
    }

    /// Whether a module instance is declared.
    pub fn has_module(&self, path: &ModulePath) -> bool {
        let mut id = 0;
        for (name, _) in path.0.iter() {
            match self.graph.modules[id].children.get(name) {
                Some(child) => id = *child,
                None => return false,
            }
        }
        self.values.module(id, path).is_some()
    }

    pub fn find_resource(&self, address: &Address) -> Option<(ModuleId, &Resource)> {
        let mut id = 0;
        for (name, _) in address.module.0.iter() {
            id = *self.graph.modules[id].children.get(name)?;
        }
        Some((id, self.graph.modules[id].module.resources.get(&DeclKey::of(address))?))
    }

    /// What the instance's value is by now.
    pub fn value_of(&self, address: &Address) -> Value {
        let value = self.find_resource(address).and_then(|(id, resource)| {
            self.values.resource(self.graph, id, &address.module, &resource.key)?.get(&address.key).cloned()
        });
        value.unwrap_or_else(Value::dynamic)
    }

    /// Puts the real value of an applied resource or read data source in place.
    pub fn accept_value(&mut self, address: &Address, value: Value) {
        let Some((id, _)) = self.find_resource(address) else { return };
        self.values.replace_instance(self.graph, id, address, value);
    }
}

/// Any instance of a type.
pub(super) fn any_value(schema: &TypeSchema) -> Value {
    let rows = schema.table.rows.iter().map(|row| (Arc::from(row.name), row.ty()));
    Value::unknown(Type::object(rows.chain([(Arc::from("id"), Type::String)])))
}

/// What a replacement has beside what is declared: what others have set in the old one, and another name while that
/// of the old one is taken.
fn replacement_values(schema: &TypeSchema, change: &Change, wanted: &Object) -> Vec<(&'static str, Value)> {
    let Some(live) = change.before.as_ref().filter(|_| change.action == Action::Replace) else {
        return Vec::new();
    };
    let carried = |name: &&'static str| {
        let owned = schema.row(name)?.owned_elsewhere?;
        Some((*name, live.value(name).filter(|_| owned(live, wanted))?.clone()))
    };
    let mut values: Vec<(&'static str, Value)> = schema.carried.iter().filter_map(carried).collect();
    if change.create_before_destroy && clashes(schema, live, wanted) {
        values.extend(schema.free_name(live, wanted).map(|name| ("name", name.into())));
    }
    values
}

/// The instances to visit; one stand-in where their number is unknown.
pub(super) fn instances(
    expansion: &Expansion<Repeated>,
    resource: &Resource,
) -> Vec<(InstanceKey, Repeated)> {
    match expansion {
        Expansion::Unknown => vec![(InstanceKey::None, unknown_instance(&resource.repetition))],
        known => known.keys().into_iter().filter_map(|k| Some((k.clone(), known.get(&k)?.clone()))).collect(),
    }
}

pub(super) fn collect(
    expansion: &Expansion<Repeated>,
    values: Vec<(InstanceKey, Value)>,
) -> Expansion<Value> {
    let mut values = values.into_iter();
    match expansion {
        Expansion::Unknown => Expansion::Unknown,
        Expansion::Disabled => Expansion::Disabled,
        Expansion::Single(_) => values.next().map_or(Expansion::Unknown, |(_, v)| Expansion::Single(v)),
        Expansion::Count(_) => Expansion::Count(values.map(|(_, v)| v).collect()),
        Expansion::ForEach(_) => Expansion::ForEach(
            values
                .filter_map(|(k, v)| match k {
                    InstanceKey::Key(k) => Some((k, v)),
                    _ => None,
                })
                .collect(),
        ),
    }
}

//! `import` blocks: what exists already is read, and compared like anything in the state.

use super::{Walk, WalkError};
use crate::addr::{Address, InstanceKey, ModulePath};
use crate::aws::Existing;
use crate::config::body::describe;
use crate::config::place::TargetKey;
use crate::config::providers::named;
use crate::config::{DeclKey, Import, ImportId};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::graph::ModuleId;
use crate::lang::eval::{Resolved, Scope, eval};
use crate::lang::syntax::{Expr, Traversal};
use crate::plan::repeat::for_each_pairs;
use crate::plan::values::{Expansion, ModuleScope, Repeated};
use crate::plan::{Action, Reason};
use crate::schema::Object;
use crate::state::Resource;
use crate::value::{Kind, Type, Value, convert};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// One resource to be imported.
struct Wanted {
    address: Address,
    provider: String,
    id: String,
    known: Object,
    /// Of the id.
    span: Span,
}

/// What `id`, `identity` and the keys in `to` see: the root module, and `each` of the block.
struct ImportScope<'a> {
    root: ModuleScope<'a>,
}

impl Scope for ImportScope<'_> {
    fn resolve(&self, t: &Traversal) -> Result<Resolved, Diagnostic> {
        match &*t.root {
            "self" | "count" => {
                Err(Diagnostic::error("unknown-name", format!("`{}` cannot be used here", t.root))
                    .at(t.span)
                    .help("an `import` block sees variables, locals, resources and, with `for_each`, `each`"))
            }
            _ => self.root.resolve(t),
        }
    }

    fn base_dir(&self) -> &Path {
        self.root.base_dir()
    }

    fn plan_timestamp(&self) -> Option<jiff::Timestamp> {
        self.root.plan_timestamp()
    }
}

/// What an import block repeats over: beside what resources do also lists and any set, with their index or
/// value as the key, and null, which is nothing.
fn import_pairs(
    expr: &Expr,
    scope: &dyn Scope,
    diags: &mut Diagnostics,
) -> Option<BTreeMap<Arc<str>, Value>> {
    let value = eval(expr, scope, &mut Diagnostics::default());
    if value.marks.sensitive || value.marks.ephemeral {
        return for_each_pairs(expr, scope, diags, false);
    }
    let key = |text: &Value| -> Option<Arc<str>> {
        convert(text, &Type::String).ok().and_then(|v| v.as_str().map(Arc::from))
    };
    match &value.kind {
        Kind::Null(_) => Some(BTreeMap::new()),
        Kind::List(_, items) | Kind::Tuple(items) => {
            Some(items.iter().enumerate().map(|(i, v)| (i.to_string().into(), v.clone())).collect())
        }
        Kind::Set(_, items) if items.iter().all(|v| v.is_wholly_known() && !v.is_null()) => {
            let unnamed = |i: usize| -> Arc<str> { i.to_string().into() };
            let pair = |(i, v): (usize, &Value)| (key(v).unwrap_or_else(|| unnamed(i)), v.clone());
            Some(items.iter().enumerate().map(pair).collect())
        }
        _ => for_each_pairs(expr, scope, diags, false),
    }
}

impl<'a> Walk<'a> {
    /// Reads what `import` blocks want under a declaration, before it is compared.
    pub(super) async fn import_into(&mut self, id: ModuleId, key: &DeclKey) -> Result<(), WalkError> {
        let imports: Vec<&Import> = self.imports_for(id, key);
        if imports.is_empty() {
            return Ok(());
        }
        let mut diags = std::mem::take(&mut self.diags);
        let mut wanted = Vec::new();
        for import in imports {
            self.wanted(import, id, key, &mut wanted, &mut diags);
        }
        self.diags = diags;
        self.read_imports(wanted).await
    }

    fn imports_for(&self, id: ModuleId, key: &DeclKey) -> Vec<&'a Import> {
        let root = &self.graph.modules[0].module;
        let target = |import: &&Import| {
            let names = import.to.modules.iter().map(|(name, _)| name);
            let at = self.graph.module_at(names);
            at == Some(id) && import.to.resource.as_ref().is_some_and(|(k, _)| k == key)
        };
        root.imports.iter().filter(target).collect()
    }

    /// One import for each pair of `for_each`.
    fn wanted(
        &self,
        import: &Import,
        id: ModuleId,
        key: &DeclKey,
        into: &mut Vec<Wanted>,
        diags: &mut Diagnostics,
    ) {
        let root = ModulePath::root();
        let repeated = match &import.for_each {
            None => vec![Repeated::default()],
            Some(expr) => {
                let scope = ImportScope { root: self.scope(0, &root, Repeated::default()) };
                let Some(pairs) = import_pairs(expr, &scope, diags) else { return };
                let each = |(k, v)| Repeated {
                    key: Some(InstanceKey::Key(k)),
                    each_value: Some(v),
                    of_count: false,
                };
                pairs.into_iter().map(each).collect()
            }
        };
        for repeated in repeated {
            let scope = ImportScope { root: self.scope(0, &root, repeated) };
            let Some(address) = self.import_address(import, &scope, diags) else { continue };
            // In the state already: nothing to do, so that blocks may stay where they are.
            if self.state.resources.contains_key(&address) {
                continue;
            }
            if let Some(other) = into.iter().find(|w| w.address == address) {
                diags.push(
                    Diagnostic::error("duplicate", format!("{address} is imported twice"))
                        .label(import.to.span, "here")
                        .label(other.span, "and by this id")
                        .help("remove one of them"),
                );
                continue;
            }
            let resource = &self.graph.modules[id].module.resources[key];
            let provider = match &import.provider {
                Some(name) => self.provider_for(0, &named(&self.graph.modules[0].module, name)),
                None => self.provider_for(id, &resource.provider),
            };
            let Some((text, known)) = self.import_id(import, &address, &scope, diags) else { continue };
            into.push(Wanted { address, provider, id: text, known, span: import.id.expr().span });
        }
    }

    fn import_address(&self, import: &Import, scope: &dyn Scope, diags: &mut Diagnostics) -> Option<Address> {
        let mut key = |key: &Option<TargetKey>| match key {
            None => Some(InstanceKey::None),
            Some(TargetKey::Known(key)) => Some(key.clone()),
            Some(TargetKey::Computed(expr)) => computed_key(expr, scope, diags),
        };
        let modules = import.to.modules.iter().map(|(name, instance)| Some((name.clone(), key(instance)?)));
        let module = ModulePath(modules.collect::<Option<_>>()?);
        let (declared, instance) = import.to.resource.as_ref()?;
        Some(Address {
            module,
            mode: declared.mode,
            type_name: declared.type_name.clone(),
            name: declared.name.clone(),
            key: key(instance)?,
        })
    }

    /// The id as text, and what it says about the attributes.
    fn import_id(
        &self,
        import: &Import,
        address: &Address,
        scope: &dyn Scope,
        diags: &mut Diagnostics,
    ) -> Option<(String, Object)> {
        let expr = import.id.expr();
        let errors = diags.error_count();
        let value = eval(expr, scope, diags);
        if diags.error_count() > errors {
            return None;
        }
        let mut fail = |problem: &str, help: &str| {
            diags.push(
                Diagnostic::error("invalid-import-id", format!("{address}: {problem}"))
                    .label(expr.span, format!("this is {}", describe(&value)))
                    .help(help),
            );
        };
        if !value.is_wholly_known() {
            fail(
                "the import id is known only after apply",
                "write it out, or take it from a variable: what is imported exists already",
            );
            return None;
        }
        if value.all_marks().ephemeral {
            fail("the import id cannot be ephemeral", "it is shown in the plan and kept in the state");
            return None;
        }
        match &import.id {
            ImportId::Id(_) => {
                let text = convert(&value, &Type::String).ok()?.as_str().map(str::to_owned);
                match text.filter(|t| !t.is_empty()) {
                    Some(text) => match self.provider.import(&address.type_name, &text) {
                        Some(known) => Some((text, known)),
                        None => {
                            fail(
                                &format!("this is no id that `{}` can be imported by", address.type_name),
                                "its form is in the provider's documentation under \"Import\"; a type without one is declared, and created",
                            );
                            None
                        }
                    },
                    None => {
                        fail(
                            "the import id is null or empty",
                            "write the id that the provider's documentation names under \"Import\"",
                        );
                        None
                    }
                }
            }
            ImportId::Identity(_) => {
                let Some(known) = Object::of(&value) else {
                    fail("`identity` must be an object", "write `identity = { id = \"…\" }`");
                    return None;
                };
                let Some(text) = known.value("id").or_else(|| known.value("arn")).and_then(Value::as_str)
                else {
                    fail("`identity` has neither `id` nor `arn`", "name one of them, or use `id = \"…\"`");
                    return None;
                };
                let mut merged = self.provider.import(&address.type_name, text).unwrap_or_default();
                known.0.iter().for_each(|(name, value)| merged.put(name, Some(value.clone())));
                Some((text.to_owned(), merged))
            }
        }
    }

    async fn read_imports(&mut self, wanted: Vec<Wanted>) -> Result<(), WalkError> {
        let provider = self.provider;
        let reads = wanted.iter().map(async |w| {
            let id = if w.known.id().is_empty() { &w.id } else { w.known.id() };
            let items = [Existing { id, known: &w.known }];
            let answer = provider.read(&w.provider, &w.address.type_name, &items).await;
            answer.map_err(|error| WalkError::Aws { what: format!("importing {}", w.address), error })
        });
        let answers = futures::future::try_join_all(reads).await?;
        for (want, answer) in wanted.iter().zip(answers) {
            let Some(live) = answer.into_iter().next().flatten() else {
                self.diags.push(
                    Diagnostic::error("nothing-to-import", format!("{}: there is nothing with id `{}`", want.address, want.id))
                        .at(want.span)
                        .address(&want.address)
                        .help("check the id, the region and the account; remove the `import` block to create it instead"),
                );
                continue;
            };
            self.adopt(&want.address, &want.provider, &want.id, &want.known, live);
        }
        Ok(())
    }

    /// Puts what was read into the state, as it will be after the apply.
    pub fn adopt(&mut self, address: &Address, provider: &str, id: &str, known: &Object, live: Object) {
        let Some(schema) = self.provider.resource(&address.type_name) else { return };
        let own =
            [live.id(), known.id(), id].into_iter().find(|t| !t.is_empty()).unwrap_or_default().to_owned();
        let resource = Resource {
            id: own,
            provider: provider.to_owned(),
            applied: Default::default(),
            seen: self.state.stored_seen(&live, known, schema.table),
            depends_on: Default::default(),
            create_before_destroy: false,
            tainted: false,
            deposed: Vec::new(),
        };
        self.state.resources.insert(address.clone(), resource);
        let resource = &self.state.resources[address];
        // What is imported by a secret is told by its id.
        let shown = if schema.needs_key() { resource.id.clone() } else { id.to_owned() };
        self.live.insert(address.clone(), Some(live));
        self.imported.insert(address.clone(), shown);
    }

    /// Imports into what nothing declares, told once everything is known.
    pub(super) fn check_import_targets(&mut self) {
        let mut found = Vec::new();
        for import in &self.graph.modules[0].module.imports {
            let Some((key, instance)) = &import.to.resource else { continue };
            let names = import.to.modules.iter().map(|(name, _)| name);
            let at = self.graph.module_at(names);
            let declared = at.is_some_and(|id| self.graph.modules[id].module.resources.contains_key(key));
            // As Terraform: what repeats a resource, or what a module takes for variables, nobody could tell.
            let writable = import.to.modules.is_empty() && import.for_each.is_none() && instance.is_none();
            let written = self.generate && writable;
            if !declared && !written {
                let mut d = Diagnostic::error(
                    "import-target",
                    format!("nothing declares `{key}`, which is to be imported"),
                )
                .at(import.to.span);
                if self.generate {
                    d = d.note("only single resources of the root module can be written: none with `count` or `for_each`, none of modules");
                }
                found.push(match writable {
                    true => d.help(format!(
                        "declare `resource \"{}\" \"{}\" {{ … }}`, or let it be written: `cutover plan --generate-config-out=generated.tf`",
                        key.type_name, key.name
                    )),
                    false => d.help(format!("declare `resource \"{}\" \"{}\" {{ … }}` there", key.type_name, key.name)),
                });
            }
        }
        self.diags.extend(found);
    }

    fn is_found(&self, address: &Address) -> bool {
        self.found.iter().any(|f| f.address == *address)
    }

    fn is_produced(&self, address: &Address) -> bool {
        let Some((id, resource)) = self.find_resource(address) else { return false };
        let expansion = self.values.resource(self.graph, id, &address.module, &resource.key);
        // Unknown: an error was reported.
        expansion.is_some_and(|e| matches!(e, Expansion::Unknown) || e.get(&address.key).is_some())
    }

    /// After the walk: imports whose instance the configuration does not produce.
    pub(super) fn check_imported_instances(&mut self) {
        let lost: Vec<Address> =
            self.imported.keys().filter(|a| !self.is_produced(a) && !self.is_found(a)).cloned().collect();
        for address in lost {
            // It was never ours: it must not be taken for an orphan.
            self.state.resources.remove(&address);
            self.live.remove(&address);
            self.imported.remove(&address);
            self.diags.push(
                Diagnostic::error(
                    "import-target",
                    format!("{address} is to be imported, but there is no such instance"),
                )
                .address(&address)
                .help("check the key against `count` or `for_each` of the resource"),
            );
        }
    }
}

fn computed_key(expr: &Expr, scope: &dyn Scope, diags: &mut Diagnostics) -> Option<InstanceKey> {
    let errors = diags.error_count();
    let value = eval(expr, scope, diags);
    let key = match (value.as_str(), value.as_i64()) {
        (Some(text), _) => Some(InstanceKey::Key(text.into())),
        (None, Some(i)) => u64::try_from(i).ok().map(InstanceKey::Index),
        _ => None,
    };
    if key.is_none() && diags.error_count() == errors {
        diags.push(
            Diagnostic::error("invalid-import-key", "an instance key must be a known string or whole number")
                .label(expr.span, format!("this is {}", describe(&value)))
                .help("write it out, or take `each.key` of the import block"),
        );
    }
    key
}

/// What an import found that nothing declares.
#[derive(Clone, Debug)]
pub struct Found {
    pub address: Address,
    pub id: String,
    /// As the import block names it.
    pub provider: Option<String>,
    pub live: Object,
}

impl Walk<'_> {
    /// Reads what `import` blocks name and nothing declares, so that its configuration can be written.
    pub(super) async fn find_undeclared(&mut self) -> Result<(), WalkError> {
        let mut diags = std::mem::take(&mut self.diags);
        let mut wanted = Vec::new();
        for import in &self.graph.modules[0].module.imports {
            let Some((key, instance)) = &import.to.resource else { continue };
            let undeclared = import.to.modules.is_empty()
                && instance.is_none()
                && import.for_each.is_none()
                && !self.graph.modules[0].module.resources.contains_key(key);
            if !undeclared {
                continue;
            }
            let known = self.provider.resource(&key.type_name).is_some();
            if !known {
                diags.push(
                    Diagnostic::error(
                        "unknown-type",
                        format!("there is no resource type `{}`", key.type_name),
                    )
                    .at(import.to.span),
                );
                continue;
            }
            let root = ModulePath::root();
            let scope = ImportScope { root: self.scope(0, &root, Repeated::default()) };
            let Some(address) = self.import_address(import, &scope, &mut diags) else { continue };
            let Some((id, known)) = self.import_id(import, &address, &scope, &mut diags) else { continue };
            let name = import.provider.clone();
            let own = crate::provider::default_name(&key.type_name).to_owned();
            let root = &self.graph.modules[0].module;
            let provider = self.provider_for(0, &named(root, name.as_deref().unwrap_or(&own)));
            let span = import.id.expr().span;
            wanted.push((name.map(|n| n.to_string()), Wanted { address, provider, id, known, span }));
        }
        self.diags = diags;
        for (name, wanted) in wanted {
            let (address, id) = (wanted.address.clone(), wanted.id.clone());
            self.read_imports(vec![wanted]).await?;
            if let Some(live) = self.live.get(&address).cloned().flatten() {
                self.found.push(Found { address: address.clone(), id, provider: name, live });
                self.plan_found(&address);
            }
        }
        Ok(())
    }

    /// It will be as it is: the configuration says so from now on.
    fn plan_found(&mut self, address: &Address) {
        let (Some(resource), Some(schema)) =
            (self.state.resources.get(address).cloned(), self.provider.resource(&address.type_name))
        else {
            return;
        };
        let mut change = self.deletion(address, &resource, schema, Reason::NotDeclared);
        change.action = Action::Import;
        change.reason = None;
        change.importing = self.imported.get(address).cloned();
        change.after = change.before.clone().unwrap_or_default();
        self.changes.insert(address.clone(), std::sync::Arc::new(change));
    }
}

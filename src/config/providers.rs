//! Which provider configurations modules pass and need: checked over the whole tree.

use super::decl::{Call, Module, Name, PassedProvider, ProviderBlock, Repetition};
use super::tree::{Config, ModuleNode};
use crate::diag::{Diagnostic, Diagnostics, nearest};
use std::collections::BTreeSet;

pub fn check(config: &Config, diags: &mut Diagnostics) {
    node(&config.root, diags);
}

/// A provider is known by its source: a module may call `hashicorp/aws` what it likes. From here on providers
/// have their own names.
pub fn use_own_names(module: &mut Module, diags: &mut Diagnostics) {
    if module.required_providers.iter().all(|(local, required)| own_name(&required.source) == Some(local)) {
        return;
    }
    for (local, mut block) in std::mem::take(&mut module.providers) {
        block.name = named(module, &local);
        if let Some(first) = module.providers.get(&block.name) {
            let problem = format!("`{local}` and `{}` are the same provider, configured twice", first.local);
            diags.push(
                Diagnostic::error("duplicate", problem)
                    .label(block.header, "configured again here")
                    .label(first.header, "first configured here")
                    .help("remove one of them, or give it an `alias`"),
            );
            continue;
        }
        module.providers.insert(block.name.clone(), block);
    }
    let mut resources = std::mem::take(&mut module.resources);
    for resource in resources.values_mut() {
        resource.provider = named(module, &resource.local_provider);
    }
    module.resources = resources;
}

/// `hashicorp/aws` → `aws`. None: a provider of somebody else.
fn own_name(source: &str) -> Option<&str> {
    source.strip_prefix("hashicorp/").or_else(|| source.strip_prefix("builtin/"))
}

/// What a module calls `amazon.west` by the provider's own name: `aws.west`.
pub fn named(module: &Module, local: &str) -> Name {
    let (name, alias) = local.split_once('.').map_or((local, None), |(name, alias)| (name, Some(alias)));
    let own = module.required_providers.get(name).and_then(|required| own_name(&required.source));
    match (own.unwrap_or(name), alias) {
        (own, Some(alias)) => format!("{own}.{alias}").into(),
        (own, None) => own.into(),
    }
}

/// What the caller of a module passes as `name` (both are providers' own names).
pub fn passed(parent: &Module, call: &Call, child: &Module, name: &str) -> Option<Name> {
    let mut given = call.providers.iter();
    given.find(|(theirs, _)| *named(child, theirs) == *name).map(|(_, ours)| named(parent, &ours.provider))
}

/// Only a name: written before 0.13 to say that the caller passes it.
pub fn is_proxy(block: &ProviderBlock) -> bool {
    block.body.attributes.is_empty() && block.body.blocks.is_empty()
}

fn node(node_: &ModuleNode, diags: &mut Diagnostics) {
    let module = &node_.module;
    let known = configurations(module);
    for resource in module.resources.values() {
        if resource.provider.contains('.') && !known.contains(&resource.provider) {
            let what = format!("`{}` uses provider `{}`", resource.key, resource.local_provider);
            diags.push(undeclared(what, &resource.local_provider, &known).at(resource.header));
        }
    }
    for (name, child) in &node_.children {
        call(&module.calls[name], module, child, &known, diags);
        node(child, diags);
    }
}

/// Names of provider configurations with an alias that a module has or is passed.
fn configurations(module: &Module) -> BTreeSet<Name> {
    let passed = module.required_providers.values().flat_map(|r| r.aliases.keys());
    module.providers.keys().cloned().chain(passed.map(|local| named(module, local))).collect()
}

fn undeclared(what: String, name: &str, known: &BTreeSet<Name>) -> Diagnostic {
    let d = Diagnostic::error("undeclared-provider", format!("{what}, which this module does not have"));
    match nearest(name, known.iter().map(|n| &**n)) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => {
            let (kind, alias) = name.split_once('.').unwrap_or((name, ""));
            d.help(format!("declare `provider \"{kind}\" {{ alias = \"{alias}\" }}`, or have it passed: `configuration_aliases = [{name}]` in required_providers"))
        }
    }
}

fn call(call: &Call, parent: &Module, child: &ModuleNode, known: &BTreeSet<Name>, diags: &mut Diagnostics) {
    let module = &child.module;
    let expected = configurations(module);
    for (theirs, passed) in &call.providers {
        let ours = &passed.provider;
        if ours.contains('.') && !known.contains(&named(parent, ours)) {
            let what = format!("module `{}` is passed provider `{ours}`", call.name);
            diags.push(undeclared(what, ours, known).at(passed.span));
        }
        if let Some(own) = module.providers.get(&named(module, theirs)).filter(|p| !is_proxy(p)) {
            diags.push(
                Diagnostic::error(
                    "module-with-provider",
                    format!("module `{}` configures `{theirs}` itself", call.name),
                )
                .label(passed.span, "so none can be passed")
                .label(own.header, "configured here")
                .help("remove this line, or the provider block in the module"),
            );
        }
        let (our_source, their_source) = (source(parent, ours), source(module, theirs));
        if our_source != their_source {
            diags.push(
                Diagnostic::error(
                    "provider-mismatch",
                    format!("`{ours}` is a provider {our_source}, but `{theirs}` of module `{}` is {their_source}", call.name),
                )
                .at(passed.span)
                .help("pass a configuration of the same provider"),
            );
        } else if theirs.contains('.') && !expected.contains(&named(module, theirs)) {
            let d = Diagnostic::warning(
                "unexpected-provider",
                format!("module `{}` knows no provider `{theirs}`", call.name),
            );
            diags.push(d.at(passed.span).help(match nearest(theirs, expected.iter().map(|n| &**n)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "it is not used; remove it".to_owned(),
            }));
        }
    }
    let same = |(theirs, passed): &(&Name, &PassedProvider)| {
        source(parent, &passed.provider) == source(module, theirs)
    };
    let passed_on = call.providers.iter().filter(same);
    diags.extend(passed_on.filter_map(|(theirs, passed)| assumed(call, module, theirs, passed)));
    for (alias, span) in module.required_providers.values().flat_map(|r| &r.aliases) {
        if passed(parent, call, module, &named(module, alias)).is_none() {
            diags.push(
                Diagnostic::error(
                    "missing-provider",
                    format!("module `{}` needs provider `{alias}`", call.name),
                )
                .at(call.header)
                .label(*span, "declared here")
                .help(format!("add `providers = {{ {alias} = … }}` to the module block")),
            );
        }
    }
    repeated(call, child, diags);
}

/// A provider of which the module that gets it says nothing.
fn assumed(call: &Call, module: &Module, theirs: &Name, passed: &PassedProvider) -> Option<Diagnostic> {
    if theirs.contains('.') || module.required_providers.contains_key(theirs) {
        return None;
    }
    if module.providers.contains_key(theirs) {
        return None;
    }
    let problem = format!("module `{}` does not say which provider `{theirs}` is", call.name);
    let source = source(module, theirs);
    let d =
        Diagnostic::warning("assumed-provider", problem).label(passed.span, format!("taken for {source}"));
    Some(d.help(format!(
        "write it into the module: `terraform {{ required_providers {{ {theirs} = {{ source = \"{source}\" }} }} }}`"
    )))
}

/// A module that holds provider blocks can neither be repeated nor wait: providers are configured first.
fn repeated(call: &Call, child: &ModuleNode, diags: &mut Diagnostics) {
    let (argument, span) = match &call.repetition {
        Repetition::Count(expr) => ("count", expr.span),
        Repetition::ForEach(expr) => ("for_each", expr.span),
        Repetition::Enabled(expr) => ("enabled", expr.span),
        Repetition::Single => match call.depends_on.first() {
            Some(t) => ("depends_on", t.span),
            None => return,
        },
    };
    if let Some(block) = own_provider(child) {
        diags.push(
            Diagnostic::error(
                "module-with-provider",
                format!("module `{}` holds provider blocks, so it cannot have `{argument}`", call.name),
            )
            .label(span, "")
            .label(block.header, "configured here")
            .help("configure the provider in the root and pass it: `providers = { aws = aws.west }`"),
        );
    }
}

fn own_provider(node: &ModuleNode) -> Option<&ProviderBlock> {
    let own = node.module.providers.values().find(|p| !is_proxy(p));
    own.or_else(|| node.children.values().find_map(own_provider))
}

/// The source of the provider that a local name stands for.
pub fn source(module: &Module, name: &str) -> String {
    let local = name.split('.').next().unwrap_or_default();
    let required = module.required_providers.get(local);
    required.map_or_else(|| format!("hashicorp/{local}"), |r| r.source.clone())
}

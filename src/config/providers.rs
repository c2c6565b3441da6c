//! Which provider configurations modules pass and need: checked over the whole tree.

use super::decl::{Call, Module, Name, ProviderBlock, Repetition};
use super::tree::{Config, ModuleNode};
use crate::diag::{Diagnostic, Diagnostics, nearest};
use std::collections::BTreeSet;

pub fn check(config: &Config, diags: &mut Diagnostics) {
    node(&config.root, diags);
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
            let what = format!("`{}` uses provider `{}`", resource.key, resource.provider);
            diags.push(undeclared(what, &resource.provider, &known).at(resource.header));
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
    module.providers.keys().chain(passed).cloned().collect()
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
        if ours.contains('.') && !known.contains(ours) {
            let what = format!("module `{}` is passed provider `{ours}`", call.name);
            diags.push(undeclared(what, ours, known).at(passed.span));
        }
        if let Some(own) = module.providers.get(theirs).filter(|p| !is_proxy(p)) {
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
        } else if theirs.contains('.') && !expected.contains(theirs) {
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
    for (alias, span) in module.required_providers.values().flat_map(|r| &r.aliases) {
        if !call.providers.contains_key(alias) {
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

//! The `terraform` block: required versions and providers, where state is kept.

use super::decl::{Module, Name};
use super::load::{constant_string, unknown_argument};
use super::version::{Constraint, Version};
use crate::diag::{Diagnostic, Diagnostics, Span, nearest};
use crate::lang::syntax::{Attribute, Block, Expr, ExprKind};
use std::collections::BTreeMap;

/// The version of Terraform whose language this is: what `required_version` is held against.
pub const LANGUAGE_VERSION: &str = "1.11.4";

/// Versions of the AWS provider whose resource types these are: all attributes of the first, some of the
/// second.
const AWS_PROVIDER_VERSIONS: [&str; 2] = ["5.100.0", "6.99.0"];

/// An entry of `required_providers`.
#[derive(Debug)]
pub struct RequiredProvider {
    /// `hashicorp/aws`; from the local name where none is written.
    pub source: String,
    /// `aws.west`, …: configurations that the caller must pass.
    pub aliases: BTreeMap<Name, Span>,
    pub span: Span,
}

pub(super) struct Reader<'a> {
    pub module: &'a mut Module,
    pub diags: &'a mut Diagnostics,
}

impl Reader<'_> {
    pub fn block(&mut self, block: Block) {
        for attribute in &block.body.attributes {
            match &*attribute.name.name {
                "required_version" => self.required_version(attribute),
                "experiments" => self.experiments(attribute),
                // Written by old versions for themselves.
                "language" => {}
                other => {
                    let known = ["required_version", "experiments"];
                    self.diags.push(unknown_argument("terraform", other, attribute.name.span, &known));
                }
            }
        }
        for inner in block.body.blocks {
            match &*inner.kind.name {
                "backend" | "cloud" => self.state_place(inner),
                "required_providers" => self.required_providers(inner),
                "provider_meta" => {}
                other => {
                    let d = Diagnostic::error("unknown-block", format!("`terraform` has no block `{other}`"));
                    let known = ["backend", "cloud", "required_providers", "provider_meta"];
                    self.diags.push(d.at(inner.header).help(match nearest(other, known) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "it may hold `required_providers`, `backend` and `cloud`".to_owned(),
                    }));
                }
            }
        }
    }

    fn state_place(&mut self, block: Block) {
        if let Some(first) = &self.module.backend {
            // Beside a `cloud` it is the `backend` that is one too many, wherever it stands.
            let (extra, other) = match (&*first.kind.name, &*block.kind.name) {
                ("backend", "cloud") => (first.header, block.header),
                _ => (block.header, first.header),
            };
            self.diags.push(
                Diagnostic::error("duplicate", "it is said twice where state is kept")
                    .label(extra, "said here")
                    .label(other, "and here")
                    .help("keep one `backend` or `cloud` block"),
            );
            return;
        }
        self.module.backend = Some(block);
    }

    fn constraint(&mut self, attribute: &Attribute) -> Option<(String, Constraint)> {
        let parsed = match constant_string(&attribute.expr) {
            Some(text) => text.parse().map(|c| (text, c)),
            None => Err("a version constraint is a plain string".to_owned()),
        };
        parsed.map_err(|problem| self.diags.push(invalid_constraint(problem, attribute.expr.span))).ok()
    }

    fn required_version(&mut self, attribute: &Attribute) {
        let Some((text, constraint)) = self.constraint(attribute) else { return };
        let ours: Version = LANGUAGE_VERSION.parse().expect("a constant that is a version");
        if !constraint.allows(&ours) {
            self.diags.push(
                Diagnostic::error("required-version", format!("this module asks for Terraform {text}"))
                    .label(attribute.expr.span, format!("this excludes {LANGUAGE_VERSION}"))
                    .detail(format!(
                        "Cutover reads Terraform's language as of version {LANGUAGE_VERSION}."
                    ))
                    .help(format!("widen the constraint so that it allows {LANGUAGE_VERSION}, after a look at what the module needs")),
            );
        }
    }

    fn experiments(&mut self, attribute: &Attribute) {
        self.diags.push(
            Diagnostic::error("experiments", "experimental features of the language are not available")
                .at(attribute.span)
                .help("remove this line, and what needs it"),
        );
    }

    fn required_providers(&mut self, block: Block) {
        if let Some(first) = self.module.providers_required_at {
            self.diags.push(
                Diagnostic::error("duplicate", "a module has one `required_providers` block")
                    .label(block.header, "written again here")
                    .label(first, "first written here")
                    .help("merge them"),
            );
            return;
        }
        self.module.providers_required_at = Some(block.header);
        for attribute in block.body.attributes {
            let name = attribute.name.name.clone();
            let mut required = RequiredProvider {
                source: format!("hashicorp/{name}"),
                aliases: BTreeMap::new(),
                span: attribute.name.span,
            };
            let mut versions = None;
            match &attribute.expr.kind {
                ExprKind::Object(items) => {
                    for item in items {
                        self.requirement(&name, &item.key, &item.value, &mut required, &mut versions);
                    }
                }
                // Before 0.13: just a version.
                _ => versions = Some(attribute.expr.clone()),
            }
            if let Some(expr) = versions {
                self.provider_version(&required.source, &Attribute { expr, ..attribute });
            }
            self.module.required_providers.insert(name, required);
        }
        for inner in block.body.blocks {
            let d = Diagnostic::error("unknown-block", "`required_providers` holds no blocks");
            self.diags
                .push(d.at(inner.header).help(format!("write `{} = {{ source = \"…\" }}`", inner.kind.name)));
        }
    }

    fn requirement(
        &mut self,
        provider: &Name,
        key: &Expr,
        value: &Expr,
        into: &mut RequiredProvider,
        versions: &mut Option<Expr>,
    ) {
        match (constant_string(key).as_deref(), constant_string(value)) {
            (Some("source"), Some(source)) => match normal_source(&source) {
                Some(source) => into.source = source,
                None => {
                    let d = Diagnostic::error("invalid-source", format!("`{source}` is not a provider"));
                    self.diags
                        .push(d.at(value.span).help("write `<namespace>/<name>`, such as \"hashicorp/aws\""));
                }
            },
            (Some("version"), _) => *versions = Some(value.clone()),
            (Some("configuration_aliases"), _) => self.aliases(provider, value, into),
            (Some("source"), None) => self.diags.push(
                Diagnostic::error("expected-constant", "`source` must be a plain string")
                    .at(value.span)
                    .help("write it out in quotes"),
            ),
            (name, _) => {
                let known = ["source", "version", "configuration_aliases"];
                let name = name.unwrap_or("(computed)");
                self.diags.push(unknown_argument("required_providers", name, key.span, &known));
            }
        }
    }

    fn aliases(&mut self, provider: &Name, expr: &Expr, into: &mut RequiredProvider) {
        let items: &[Expr] = match &expr.kind {
            ExprKind::Tuple(items) => items,
            _ => std::slice::from_ref(expr),
        };
        for item in items {
            let named = match super::load::as_traversal(item) {
                Some(t) => t.attr(0).map(|alias| format!("{}.{alias}", t.root)),
                None => constant_string(item),
            };
            match named.filter(|n| n.split_once('.').is_some_and(|(p, _)| p == &**provider)) {
                Some(name) => {
                    into.aliases.insert(name.into(), item.span);
                }
                None => self.diags.push(
                    Diagnostic::error(
                        "expected-provider",
                        format!("this must be an alias of provider `{provider}`"),
                    )
                    .at(item.span)
                    .help(format!("write `configuration_aliases = [{provider}.<alias>]`")),
                ),
            }
        }
    }

    fn provider_version(&mut self, source: &str, attribute: &Attribute) {
        let Some((text, constraint)) = self.constraint(attribute) else { return };
        let ours = AWS_PROVIDER_VERSIONS.iter().map(|v| v.parse().expect("a constant that is a version"));
        if source.ends_with("hashicorp/aws") && !ours.into_iter().any(|v: Version| constraint.allows(&v)) {
            let d = Diagnostic::warning("provider-version", format!("this asks for the AWS provider {text}"));
            self.diags.push(
                d.at(attribute.expr.span)
                    .detail("Cutover's resource types follow version 5.100 of the AWS provider, and 6 where that only adds.")
                    .help("check the plan: arguments and defaults of other major versions differ"),
            );
        }
    }
}

pub(super) fn invalid_constraint(problem: String, span: Span) -> Diagnostic {
    Diagnostic::error("invalid-constraint", problem)
        .at(span)
        .help("write such as \"~> 5.0\" or \">= 1.3, < 2.0\"")
}

/// Without the public registry's host, lower case.
fn normal_source(source: &str) -> Option<String> {
    let parts: Vec<&str> = source.split('/').collect();
    let good = |p: &&str| {
        !p.is_empty() && p.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'))
    };
    if !parts.iter().all(good) {
        return None;
    }
    match parts.as_slice() {
        [name] => Some(format!("hashicorp/{}", name.to_lowercase())),
        [namespace, name] | [_, namespace, name] => Some(format!("{namespace}/{name}").to_lowercase()),
        _ => None,
    }
}

//! Module blocks and provider blocks.

use super::decl::*;
use super::load::{Sorter, constant_string, take};
use super::terraform::invalid_constraint;
use super::vendored::is_registry;
use crate::diag::{Diagnostic, Span};
use crate::lang::syntax::{Attribute, Block, Expr, ExprKind};

impl Sorter<'_> {
    pub(super) fn call(&mut self, block: Block) {
        let Some([name]) = self.labels(&block, ["name"]) else { return };
        if let Some(first) = self.module.calls.get(&name.name) {
            let first = first.header;
            return self.duplicate("module", &name.name, block.header, first);
        }
        let mut body = block.body;
        let repetition = self.repetition(&mut body);
        let depends_on = self.depends_on(&mut body);
        let enabled = self.module_lifecycle(&mut body);
        let repetition = self.enabled(repetition, enabled);
        let providers = take(&mut body, "providers").map(|a| self.provider_map(&a.expr)).unwrap_or_default();
        let version = take(&mut body, "version");
        let Some(source) = take(&mut body, "source") else {
            self.diags.push(
                Diagnostic::error("missing-argument", format!("module `{}` has no `source`", name.name))
                    .at(block.header)
                    .help("add `source = \"../modules/…\"`"),
            );
            return;
        };
        let Some(text) = self.constant_text(&source) else { return };
        let version = version.and_then(|v| self.module_version(&text, source.expr.span, &v));
        let call = Call {
            name: name.name.clone(),
            source: text,
            source_span: source.expr.span,
            arguments: body,
            repetition,
            depends_on,
            providers,
            version,
            header: block.header,
        };
        self.module.calls.insert(name.name, call);
    }

    fn module_version(
        &mut self,
        source: &str,
        source_span: Span,
        attribute: &Attribute,
    ) -> Option<WantedVersion> {
        if !is_registry(source) {
            let d = Diagnostic::error("module-version", "only modules of a registry have a `version`");
            let d = d.at(source_span).label(attribute.span, "this version means nothing");
            self.diags.push(d.help(match source.starts_with('.') {
                true => "a local module is as it stands in its directory: remove this line",
                false => "name the version in the source: `?ref=v1.2.0`",
            }));
            return None;
        }
        let text = self.constant_text(attribute)?;
        let span = attribute.expr.span;
        match text.parse() {
            Ok(constraint) => Some(WantedVersion { text, constraint, span }),
            Err(problem) => {
                self.diags.push(invalid_constraint(problem, span));
                None
            }
        }
    }

    fn provider_map(&mut self, expr: &Expr) -> std::collections::BTreeMap<Name, PassedProvider> {
        let ExprKind::Object(items) = &expr.kind else {
            let d = Diagnostic::error("expected-provider", "`providers` must map the module's names to ours");
            self.diags.push(d.at(expr.span).help("write `providers = { aws = aws.west }`"));
            return Default::default();
        };
        items
            .iter()
            .filter_map(|item| {
                let theirs =
                    constant_string(&item.key).map(Name::from).or_else(|| self.provider_name(&item.key))?;
                let provider = self.provider_name(&item.value)?;
                Some((theirs, PassedProvider { provider, span: item.value.span }))
            })
            .collect()
    }

    pub(super) fn provider(&mut self, block: Block) {
        let Some([name]) = self.labels(&block, ["name"]) else { return };
        let mut body = block.body;
        let alias = take(&mut body, "alias").and_then(|a| self.constant_text(&a));
        take(&mut body, "version");
        let name: Name = alias.map_or(name.name.clone(), |a| format!("{}.{a}", name.name).into());
        if let Some(first) = self.module.providers.get(&name) {
            let first = first.header;
            return self.duplicate("provider", &name, block.header, first);
        }
        let local = name.clone();
        self.module.providers.insert(name.clone(), ProviderBlock { local, name, body, header: block.header });
    }
}

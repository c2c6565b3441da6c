//! Resource types that nobody knows: each named once, with all the places where it is used.

use super::Walk;
use crate::addr::Mode;
use crate::config::Resource;
use crate::config::providers::source;
use crate::diag::{Diagnostic, Severity, Span};
use crate::graph::ModuleId;
use crate::plan::values::Expansion;
use crate::provider::default_name;
use crate::value::Value;
use std::collections::BTreeSet;

/// Where a type is used that nobody knows.
#[derive(Debug, Default)]
pub(super) struct Missing {
    places: BTreeSet<Span>,
    source: String,
    /// Some instance of it shall be made or read: without one it does no harm.
    needed: bool,
}

impl Walk<'_> {
    pub(super) fn is_known(&self, id: ModuleId, resource: &Resource) -> bool {
        let source = source(&self.graph.modules[id].module, &resource.local_provider);
        let foreign = !source.starts_with("hashicorp/") && !source.contains("builtin");
        !foreign && self.knows(resource.key.mode, &resource.key.type_name)
    }

    /// Counts the instances of a resource whose type is not known; references to them are unknown.
    pub(super) fn note_unknown_type(&mut self, id: ModuleId, resource: &Resource) {
        let mut needed = false;
        for path in self.values.paths(id) {
            let expansion = match self.expansion(id, &path, resource) {
                Expansion::Single(_) => Expansion::Single(Value::dynamic()),
                Expansion::Count(items) => Expansion::Count(items.iter().map(|_| Value::dynamic()).collect()),
                Expansion::ForEach(items) => {
                    Expansion::ForEach(items.into_keys().map(|k| (k, Value::dynamic())).collect())
                }
                Expansion::Unknown => Expansion::Unknown,
                Expansion::Disabled => Expansion::Disabled,
            };
            needed |= !expansion.keys().is_empty();
            self.values.put_resource(self.graph, id, &path, &resource.key, expansion);
        }
        let source = source(&self.graph.modules[id].module, &resource.local_provider);
        let missing =
            self.missing_types.entry((resource.key.mode, resource.key.type_name.clone())).or_default();
        missing.places.insert(resource.header);
        missing.needed |= needed;
        missing.source = source;
    }

    /// Each type once. Those of which no instance is made are worth a word only in `validate`.
    pub(super) fn report_unknown_types(&mut self) {
        for ((mode, type_name), missing) in std::mem::take(&mut self.missing_types) {
            if !missing.needed && !self.thorough {
                continue;
            }
            let mut d = self.unknown_type(mode, &type_name, &missing.source);
            if !missing.needed {
                d.severity = Severity::Warning;
                d = d.note("it does no harm as long as no instance of it is made, as now");
            }
            self.diags.push(missing.places.into_iter().fold(d, Diagnostic::at));
        }
    }

    fn knows(&self, mode: Mode, type_name: &str) -> bool {
        match mode {
            Mode::Managed => self.provider.resource(type_name).is_some(),
            Mode::Data => self.provider.data(type_name).is_some(),
        }
    }

    fn unknown_type(&self, mode: Mode, type_name: &str, source: &str) -> Diagnostic {
        let what = if mode == Mode::Data { "data source" } else { "resource type" };
        let provider = default_name(type_name);
        let known = self.provider.names();
        if !known.contains(&provider) || !source.ends_with(&format!("/{provider}")) {
            let d = Diagnostic::error(
                "unknown-provider",
                format!("there is no {what} `{type_name}`: provider `{source}` is not known"),
            );
            return d.help(format!(
                "Cutover knows {}; keep what needs others in a root of its own",
                known.join(", ")
            ));
        }
        let names = match mode {
            Mode::Managed => self.provider.resource_names(),
            Mode::Data => self.provider.data_names(),
        };
        let d = Diagnostic::error("unknown-type", format!("there is no {what} `{type_name}`"));
        // A type that is really another one differs by more than a slip of the hand.
        let near = names.iter().filter(|n| strsim::damerau_levenshtein(n, type_name) <= 2).min();
        match near {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None => d.help(format!("this version of Cutover knows {} of them", names.len())),
        }
    }
}

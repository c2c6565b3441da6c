//! Resource types that nobody knows: each named once, with all the places where it is used.

use super::Walk;
use crate::addr::Mode;
use crate::config::providers::source;
use crate::diag::{Diagnostic, Span};
use crate::provider::default_name;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Walk<'_> {
    pub(super) fn report_unknown_types(&mut self) {
        let mut unknown: BTreeMap<(Mode, Arc<str>), BTreeSet<Span>> = BTreeMap::new();
        let mut sources: BTreeMap<(Mode, Arc<str>), String> = BTreeMap::new();
        for entry in &self.graph.modules {
            for (key, resource) in &entry.module.resources {
                let source = source(entry.module, &resource.provider);
                let foreign = !source.starts_with("hashicorp/") && !source.contains("builtin");
                if foreign || !self.knows(key.mode, &key.type_name) {
                    let which = (key.mode, key.type_name.clone());
                    unknown.entry(which.clone()).or_default().insert(resource.header);
                    sources.entry(which).or_insert(source);
                }
            }
        }
        for (which, places) in unknown {
            let (mode, type_name) = &which;
            let d = self.unknown_type(*mode, type_name, &sources[&which]);
            self.diags.push(places.into_iter().fold(d, Diagnostic::at));
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

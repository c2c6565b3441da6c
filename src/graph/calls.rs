//! What module blocks give their modules, by name.

use super::{Graph, ModuleId};
use crate::config::{Call, Module};
use crate::diag::{Diagnostic, Diagnostics, nearest};
use crate::lang::syntax::{Attribute, Block};

impl Graph {
    /// Arguments that the module does not take, and those that it needs.
    pub(super) fn check_call(&self, child: ModuleId, diags: &mut Diagnostics) {
        let entry = &self.modules[child];
        let Some(parent) = entry.parent else { return };
        let call = &self.modules[parent].module.calls[&entry.name];
        let unknown = call.arguments.attributes.iter();
        let unknown = unknown.filter(|a| !entry.module.variables.contains_key(&a.name.name));
        diags.extend(unknown.map(|attribute| unknown_argument(call, attribute, &entry.module)));
        diags.extend(call.arguments.blocks.iter().map(unknown_block));
        diags.extend(missing(call, &entry.module));
    }
}

fn unknown_argument(call: &Call, attribute: &Attribute, module: &Module) -> Diagnostic {
    let name = &*attribute.name.name;
    let d =
        Diagnostic::error("unknown-attribute", format!("module `{}` has no variable `{name}`", call.name));
    let d = d.at(attribute.name.span);
    match nearest(name, module.variables.keys().map(|n| &**n)) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d.help(format!("declare it in the module: `variable \"{name}\" {{ }}`, or remove this line")),
    }
}

fn unknown_block(block: &Block) -> Diagnostic {
    let kind = &block.kind.name;
    Diagnostic::error("unknown-block", format!("a module block has no block `{kind}`"))
        .at(block.header)
        .help(format!("to pass an object, write `{kind} = {{ … }}`"))
}

fn missing<'m>(call: &'m Call, module: &'m Module) -> impl Iterator<Item = Diagnostic> + 'm {
    let needed = module.variables.values().filter(|variable| variable.default.is_none());
    needed.filter(|variable| call.arguments.attribute(&variable.name).is_none()).map(|variable| {
        let name = &variable.name;
        Diagnostic::error("missing-argument", format!("module `{}` needs `{name}`", call.name))
            .at(call.header)
            .label(variable.span, "declared here, without default")
            .help(format!("add `{name} = …` ({})", variable.constraint.ty))
    })
}

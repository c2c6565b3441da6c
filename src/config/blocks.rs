//! `moved`, `removed`, `import` and `check` blocks: what they say, before anything is evaluated.

use super::decl::{DeclKey, Name, Provisioner, Repetition, Validation};
use super::load::{Sorter, take, unknown_argument};
use super::place::{Place, Target};
use crate::addr::{InstanceKey, Mode};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::syntax::{Attribute, Block, Body, Expr};
use std::collections::BTreeMap;

/// `moved { from = … to = … }`
#[derive(Debug)]
pub struct Moved {
    pub from: Place,
    pub to: Place,
    pub span: Span,
}

/// `removed { from = … lifecycle { destroy = … } }`
#[derive(Debug)]
pub struct Removed {
    pub from: Place,
    /// False: it is forgotten, and lives on.
    pub destroy: bool,
    /// Commands before the destruction.
    pub provisioners: Vec<Provisioner>,
    pub span: Span,
}

/// `import { to = … id = … }`
#[derive(Debug)]
pub struct Import {
    pub to: Target,
    pub id: ImportId,
    pub for_each: Option<Expr>,
    pub provider: Option<Name>,
    pub span: Span,
}

#[derive(Debug)]
pub enum ImportId {
    Id(Expr),
    /// An object of the attributes that tell one resource from another.
    Identity(Expr),
}

impl ImportId {
    pub fn expr(&self) -> &Expr {
        match self {
            ImportId::Id(expr) | ImportId::Identity(expr) => expr,
        }
    }
}

/// `check "name" { data … assert … }`
#[derive(Debug)]
pub struct Check {
    pub name: Name,
    /// Its own data source, which only it sees.
    pub data: Option<DeclKey>,
    pub asserts: Vec<Validation>,
    pub span: Span,
}

/// Whether a resource of one type can be one of another from now on, as it is.
fn may_become(from: &str, to: &str) -> bool {
    from == to || (from, to) == ("null_resource", "terraform_data")
}

impl Sorter<'_> {
    pub(super) fn moved(&mut self, block: Block) {
        let mut body = block.body;
        let (from, to) =
            (self.place(&mut body, "from", block.header), self.place(&mut body, "to", block.header));
        self.nothing_else("moved", &body, &["from", "to"]);
        let (Some(from), Some(to)) = (from, to) else { return };
        let problem = match (&from.resource, &to.resource) {
            (Some(_), None) | (None, Some(_)) => Some("a resource moves to a resource, a module to a module"),
            (Some((a, _)), Some((b, _))) if a.mode == Mode::Data || b.mode == Mode::Data => {
                Some("data sources have no state to move")
            }
            (Some((a, _)), Some((b, _))) if !may_become(&a.type_name, &b.type_name) => Some(
                "a resource keeps its type when it moves (only a `null_resource` may become `terraform_data`)",
            ),
            _ if from.to_string() == to.to_string() => Some("`from` and `to` are the same"),
            _ => None,
        };
        if let Some(problem) = problem {
            self.diags.push(
                Diagnostic::error("invalid-move", format!("`{from}` cannot move to `{to}`: {problem}"))
                    .at(block.header)
                    .help("correct one of them, or remove the block"),
            );
            return;
        }
        self.module.moved.push(Moved { from, to, span: block.header });
    }

    fn place(&mut self, body: &mut Body, name: &str, header: Span) -> Option<Place> {
        let Some(attribute) = take(body, name) else {
            self.diags.push(
                Diagnostic::error("missing-argument", format!("`{name}` is missing"))
                    .at(header)
                    .help(format!("add `{name} = <address>`")),
            );
            return None;
        };
        match Target::parse(&attribute.expr).and_then(Target::constant) {
            Ok(place) => Some(place),
            Err(d) => {
                self.diags.push(*d);
                None
            }
        }
    }

    fn nothing_else(&mut self, what: &str, body: &Body, known: &[&str]) {
        for attribute in &body.attributes {
            self.diags.push(unknown_argument(what, &attribute.name.name, attribute.name.span, known));
        }
        for block in &body.blocks {
            let d =
                Diagnostic::error("unknown-block", format!("`{what}` has no block `{}`", block.kind.name));
            self.diags.push(d.at(block.header).help("remove it"));
        }
    }

    pub(super) fn removed(&mut self, block: Block) {
        let mut body = block.body;
        let from = self.place(&mut body, "from", block.header);
        let provisioners = super::provisioner::take_provisioners(&mut body, self.diags);
        for created in provisioners.iter().filter(|p| !p.on_destroy) {
            let d =
                Diagnostic::error("invalid-removal", "nothing is created here for a command to run after");
            self.diags.push(d.at(created.header).help("write `when = destroy`"));
        }
        let mut destroy = true;
        for inner in std::mem::take(&mut body.blocks) {
            match &*inner.kind.name {
                "lifecycle" => {
                    let mut inside = inner.body;
                    if let Some(attribute) = take(&mut inside, "destroy") {
                        destroy = self.constant_bool(&attribute.expr);
                    }
                    self.nothing_else("lifecycle", &inside, &["destroy"]);
                }
                _ => body.blocks.push(inner),
            }
        }
        self.nothing_else("removed", &body, &["from"]);
        let Some(from) = from else { return };
        let keyed = *from.last_key() != InstanceKey::None
            || from.modules.0.iter().any(|(_, key)| *key != InstanceKey::None);
        let data = from.resource.as_ref().is_some_and(|(key, _)| key.mode == Mode::Data);
        if keyed || data {
            let why = if keyed { "has an instance key" } else { "is a data source" };
            self.diags.push(
                Diagnostic::error(
                    "invalid-removal",
                    format!("`{from}` {why}: only whole resources and modules can be removed"),
                )
                .at(from.span)
                .help("to remove one instance, take it out of `count` or `for_each`"),
            );
            return;
        }
        self.module.removed.push(Removed { from, destroy, provisioners, span: block.header });
    }

    pub(super) fn import(&mut self, block: Block) {
        let mut body = block.body;
        let (to, id, identity) = (take(&mut body, "to"), take(&mut body, "id"), take(&mut body, "identity"));
        let for_each = take(&mut body, "for_each").map(|a| a.expr);
        let provider = take(&mut body, "provider").and_then(|a| self.provider_name(&a.expr));
        self.nothing_else("import", &body, &["to", "id", "identity", "for_each", "provider"]);
        let id = match (id, identity) {
            (Some(id), None) => ImportId::Id(id.expr),
            (None, Some(identity)) => ImportId::Identity(identity.expr),
            (Some(id), Some(identity)) => {
                self.diags.push(
                    Diagnostic::error("conflict", "`id` and `identity` exclude each other")
                        .at(identity.name.span)
                        .label(id.name.span, "`id` is here")
                        .help("keep one of them"),
                );
                return;
            }
            (None, None) => return self.missing(block.header, "id", "id = \"…\""),
        };
        let Some(to) = to else { return self.missing(block.header, "to", "to = <address>") };
        match self.import_target(&to) {
            Ok(to) => {
                self.module.imports.push(Import { to, id, for_each, provider, span: block.header });
            }
            Err(d) => self.diags.push(*d),
        }
    }

    fn import_target(&self, to: &Attribute) -> Result<Target, Box<Diagnostic>> {
        let target = Target::parse(&to.expr)?;
        match &target.resource {
            Some((key, _)) if key.mode == Mode::Managed => Ok(target),
            _ => Err(Box::new(
                Diagnostic::error("expected-address", "only resources can be imported")
                    .at(to.expr.span)
                    .help("write the address of a resource: `to = aws_vpc.main`"),
            )),
        }
    }

    fn missing(&mut self, header: Span, name: &str, example: &str) {
        self.diags.push(
            Diagnostic::error("missing-argument", format!("`{name}` is missing"))
                .at(header)
                .help(format!("add `{example}`")),
        );
    }

    pub(super) fn check(&mut self, block: Block) {
        let Some([name]) = self.labels(&block, ["name"]) else { return };
        if let Some(first) = self.module.checks.get(&name.name) {
            let first = first.span;
            return self.duplicate("check", &name.name, block.header, first);
        }
        let mut check =
            Check { name: name.name.clone(), data: None, asserts: Vec::new(), span: block.header };
        let mut rest = Body { attributes: block.body.attributes, ..Body::default() };
        for inner in block.body.blocks {
            match &*inner.kind.name {
                "assert" => check.asserts.extend(self.validation(inner)),
                "data" if check.data.is_none() => check.data = self.scoped_data(inner, &name.name),
                "data" => self.diags.push(
                    Diagnostic::error("duplicate", "a check has at most one data source")
                        .at(inner.header)
                        .help("declare it outside of the check, or write another check"),
                ),
                _ => rest.blocks.push(inner),
            }
        }
        self.nothing_else("check", &rest, &[]);
        if check.asserts.is_empty() {
            self.diags.push(
                Diagnostic::error("missing-block", format!("check `{}` asserts nothing", name.name))
                    .at(block.header)
                    .help("add `assert { condition = … error_message = … }`"),
            );
        }
        self.module.checks.insert(name.name, check);
    }

    /// A data source that stands among the module's, but belongs to one check.
    fn scoped_data(&mut self, block: Block, check: &Name) -> Option<DeclKey> {
        let [type_name, name] = <[_; 2]>::try_from(block.labels.clone()).ok()?;
        let key = DeclKey { mode: Mode::Data, type_name: type_name.name, name: name.name };
        let again = self.module.resources.contains_key(&key);
        let repeated = ["count", "for_each"].iter().find_map(|n| block.body.attribute(n));
        if let Some(attribute) = repeated {
            self.diags.push(
                Diagnostic::error(
                    "unknown-attribute",
                    format!("a check's data source has no `{}`", attribute.name.name),
                )
                .at(attribute.name.span)
                .help("declare it outside of the check"),
            );
        }
        self.resource(block, Mode::Data);
        if let Some(resource) = self.module.resources.get_mut(&key).filter(|_| !again) {
            resource.check = Some(check.clone());
        }
        Some(key)
    }
}

impl Sorter<'_> {
    /// `enabled` is a kind of repetition: one instance or none.
    pub(super) fn enabled(&mut self, repetition: Repetition, enabled: Option<Expr>) -> Repetition {
        match (repetition, enabled) {
            (Repetition::Single, Some(enabled)) => Repetition::Enabled(Box::new(enabled)),
            (repetition, None) => repetition,
            (repetition, Some(enabled)) => {
                self.diags.push(
                    Diagnostic::error("conflict", "`enabled` goes neither with `count` nor with `for_each`")
                        .at(enabled.span)
                        .help("keep one of them"),
                );
                repetition
            }
        }
    }

    /// `lifecycle { enabled = … }` of a module block.
    pub(super) fn module_lifecycle(&mut self, body: &mut Body) -> Option<Expr> {
        let at = body.blocks.iter().position(|b| &*b.kind.name == "lifecycle")?;
        let mut inner = body.blocks.remove(at).body;
        let enabled = take(&mut inner, "enabled");
        self.nothing_else("lifecycle", &inner, &["enabled"]);
        enabled.map(|a| a.expr)
    }
}

/// What can be said before anything is evaluated; with `for_each` that is told when planning.
pub(super) fn imported_twice(imports: &[Import], diags: &mut Diagnostics) {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    for import in imports.iter().filter(|import| import.for_each.is_none()) {
        let Ok(place) = import.to.clone().constant() else { continue };
        if let Some(first) = seen.insert(place.to_string(), import.to.span) {
            diags.push(
                Diagnostic::error("duplicate", format!("{place} is imported twice"))
                    .label(import.to.span, "here")
                    .label(first, "and here")
                    .help("remove one of them"),
            );
        }
    }
}

//! One directory → one [`Module`].

use super::blocks;
use super::decl::*;
use super::json::parse_json_file;
use super::overrides::{self, ParsedFile};
use super::terraform;
use crate::addr::Mode;
use crate::diag::{Diagnostic, Diagnostics, Sources, Span};
use crate::lang::eval::references;
use crate::lang::parse::{not_utf8, parse_file};
use crate::lang::syntax::{Attribute, Block, Body, Expr, ExprKind, Ident, TemplatePart, Traversal};
use crate::schema::shared_name;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// Whether a file of this name is configuration (see DESIGN, "Files and blocks").
pub fn is_configuration(name: &str) -> bool {
    const NOT_OURS: &[&str] = &[".tftest.hcl", ".tfmock.hcl", ".pkr.hcl", ".tfquery.hcl", ".tfstack.hcl"];
    let ours = name.ends_with(".hcl") || name.ends_with(".tf") || name.ends_with(".tf.json");
    let saved_by_editor = name.ends_with('~') || name.starts_with('#') && name.ends_with('#');
    let not_ours = name.starts_with('.')
        || name == "terragrunt.hcl"
        || saved_by_editor
        || NOT_OURS.iter().any(|suffix| name.ends_with(suffix));
    ours && !not_ours
}

/// Parses all files of a directory, in name order, and sorts their blocks into declarations.
pub fn load_directory(dir: &Path, sources: &mut Sources, diags: &mut Diagnostics) -> std::io::Result<Module> {
    let mut names: Vec<String> = std::fs::read_dir(dir)?
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| is_configuration(name))
        .collect();
    names.sort();
    let (overrides, names): (Vec<String>, Vec<String>) =
        names.into_iter().partition(|name| overrides::is_override(name));
    let count = names.len() + overrides.len();
    let mut files = Vec::new();
    for name in names {
        files.push(parse(&dir.join(&name), sources, diags)?);
    }
    for name in overrides {
        let file = parse(&dir.join(&name), sources, diags)?;
        overrides::merge(&mut files, file, diags);
    }
    let mut module = Module { dir: dir.to_owned(), files: count, ..Module::default() };
    for ParsedFile { body, own } in files {
        Sorter { module: &mut module, diags, own_blocks: own }.file(body);
    }
    blocks::imported_twice(&module.imports, diags);
    module.resources.sort_keys();
    module.resources.shrink_to_fit();
    Ok(module)
}

fn parse(path: &Path, sources: &mut Sources, diags: &mut Diagnostics) -> std::io::Result<ParsedFile> {
    let bytes = std::fs::read(path)?;
    let ends = |suffix: &str| path.as_os_str().to_string_lossy().ends_with(suffix);
    let (json, own) = (ends(".tf.json"), ends(".hcl"));
    let file = sources.add_bytes(path, bytes);
    let (body, errors) =
        if json { parse_json_file(sources, file, &attribute_table) } else { parse_file(sources, file) };
    diags.extend(errors);
    if json {
        diags.extend(sources.undecodable(file).next().map(not_utf8));
    }
    Ok(ParsedFile { body, own })
}

/// Tells blocks from arguments in JSON.
fn attribute_table(mode: Mode, type_name: &str) -> Option<&'static crate::schema::Table> {
    let schema = match mode {
        Mode::Managed => {
            let aws = crate::aws::types::find(type_name).map(|t| t.schema());
            aws.or_else(|| crate::builtin::types::find(type_name).map(|t| t.schema()))?
        }
        Mode::Data => {
            let aws = crate::aws::data::find(type_name).map(|t| t.schema());
            aws.or_else(|| crate::builtin::data::find(type_name).map(|t| t.schema()))?
        }
    };
    Some(schema.table)
}

pub(super) struct Sorter<'a> {
    pub(super) module: &'a mut Module,
    pub(super) diags: &'a mut Diagnostics,
    /// Cutover's own blocks stand in `.hcl` files only: Terraform must be able to read the `.tf` ones.
    own_blocks: bool,
}

/// Blocks that Terraform does not have.
const OWN: &[&str] = &["cutover", "rollout", "probe", "guard", "policy", "drift"];

const BLOCK_KINDS: &[&str] = &[
    "resource",
    "data",
    "ephemeral",
    "variable",
    "locals",
    "output",
    "module",
    "provider",
    "terraform",
    "moved",
    "removed",
    "import",
    "check",
    "cutover",
    "rollout",
    "probe",
    "guard",
    "policy",
    "drift",
];

impl Sorter<'_> {
    fn file(&mut self, body: Body) {
        for attribute in &body.attributes {
            self.diags.push(
                Diagnostic::error("unexpected-attribute", format!("`{}` cannot stand here", attribute.name.name))
                    .at(attribute.name.span)
                    .help("at the top of a file there are only blocks, such as `locals { … }` or `resource \"…\" \"…\" { … }`"),
            );
        }
        for block in body.blocks {
            self.block(block);
        }
    }

    fn block(&mut self, block: Block) {
        match &*block.kind.name {
            "resource" => self.resource(block, Mode::Managed),
            "data" => self.resource(block, Mode::Data),
            "variable" => self.variable(block),
            "locals" => self.locals(block),
            "output" => self.output(block),
            "module" => self.call(block),
            "provider" => self.provider(block),
            "terraform" => terraform::Reader { module: self.module, diags: self.diags }.block(block),
            "moved" => self.moved(block),
            "removed" => self.removed(block),
            "import" => self.import(block),
            "check" => self.check(block),
            "cutover" if self.own_blocks => self.cutover(block),
            "ephemeral" => self.ephemeral(&block),
            "rollout" | "probe" | "guard" if self.own_blocks => self.steering(block),
            kind @ ("policy" | "drift") if self.own_blocks => {
                self.diags.push(
                    Diagnostic::error("unsupported-block", format!("`{kind}` blocks are not supported yet"))
                        .at(block.header)
                        .help("remove the block; nothing was applied"),
                );
            }
            kind => {
                let mut d = Diagnostic::error("unknown-block", format!("there is no block `{kind}`"))
                    .at(block.kind.span);
                if OWN.contains(&kind) {
                    d = d.help("Cutover's own blocks stand in `.hcl` files, so that Terraform can read the `.tf` ones: move it to `cutover.hcl`");
                } else if let Some(near) = crate::diag::nearest(kind, BLOCK_KINDS.iter().copied()) {
                    d = d.help(format!("did you mean `{near}`?"));
                }
                self.diags.push(d);
            }
        }
    }

    fn ephemeral(&mut self, block: &Block) {
        let Some([type_name, _]) = self.labels(block, ["type", "name"]) else { return };
        let problem = format!("there is no ephemeral resource type `{}`", type_name.name);
        self.diags.push(Diagnostic::error("unknown-type", problem).at(block.header).help(
            "Cutover knows none of them: read the value with a data source, or pass it as a variable with `ephemeral = true`",
        ));
    }

    /// The labels of a block, if it has as many as it needs.
    pub(super) fn labels<const N: usize>(&mut self, block: &Block, names: [&str; N]) -> Option<[Ident; N]> {
        if let Ok(labels) = <[Ident; N]>::try_from(block.labels.clone()) {
            for label in &labels {
                self.check_name(label);
            }
            return Some(labels);
        }
        let form = names.iter().map(|n| format!(" \"<{n}>\"")).collect::<String>();
        self.diags.push(
            Diagnostic::error(
                "block-labels",
                format!(
                    "`{}` needs {} label{}, but has {}",
                    block.kind.name,
                    N,
                    if N == 1 { "" } else { "s" },
                    block.labels.len()
                ),
            )
            .at(block.header)
            .help(format!("write `{}{form} {{ … }}`", block.kind.name)),
        );
        None
    }

    fn check_name(&mut self, label: &Ident) {
        let mut chars = label.name.chars();
        let good = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if !good {
            self.diags.push(
                Diagnostic::error("invalid-name", format!("`{}` cannot be a name", label.name))
                    .at(label.span)
                    .help("a name starts with a letter or underscore and goes on with letters, digits, underscores and dashes"),
            );
        }
    }

    pub(super) fn duplicate(&mut self, what: &str, name: &str, again: Span, first: Span) {
        self.diags.push(
            Diagnostic::error("duplicate", format!("{what} `{name}` is declared twice"))
                .label(again, "declared again here")
                .label(first, "first declared here")
                .help("remove or rename one of them"),
        );
    }

    pub(super) fn resource(&mut self, block: Block, mode: Mode) {
        let Some([type_name, name]) = self.labels(&block, ["type", "name"]) else { return };
        let key = DeclKey { mode, type_name: shared_name(&type_name.name), name: name.name.clone() };
        if let Some(first) = self.module.resources.get(&key) {
            let first = first.header;
            self.duplicate(
                if mode == Mode::Data { "data source" } else { "resource" },
                &key.to_string(),
                block.header,
                first,
            );
            return;
        }
        let mut body = block.body;
        let repetition = self.repetition(&mut body);
        let depends_on = self.depends_on(&mut body);
        let provider = take(&mut body, "provider").and_then(|a| self.provider_name(&a.expr));
        let (lifecycle, enabled) = self.lifecycle(&mut body);
        let repetition = self.enabled(repetition, enabled);
        let provisioners = match mode {
            Mode::Managed => super::provisioner::take_provisioners(&mut body, self.diags),
            Mode::Data => Vec::new(),
        };
        let default_provider = shared_name(key.type_name.split('_').next().unwrap_or_default());
        let resource = Resource {
            body,
            repetition,
            depends_on,
            local_provider: provider.clone().unwrap_or(default_provider.clone()),
            provider: provider.unwrap_or(default_provider),
            lifecycle,
            check: None,
            provisioners,
            header: block.header,
            key: key.clone(),
        };
        self.module.resources.insert(key, resource);
    }

    pub(super) fn repetition(&mut self, body: &mut Body) -> Repetition {
        let count = take(body, "count");
        let for_each = take(body, "for_each");
        match (count, for_each) {
            (Some(count), Some(for_each)) => {
                self.diags.push(
                    Diagnostic::error("count-and-for-each", "`count` and `for_each` exclude each other")
                        .at(for_each.name.span)
                        .label(count.name.span, "`count` is here")
                        .help("keep one of them"),
                );
                Repetition::Single
            }
            (Some(count), None) => Repetition::Count(Box::new(count.expr)),
            (None, Some(for_each)) => Repetition::ForEach(Box::new(for_each.expr)),
            (None, None) => Repetition::Single,
        }
    }

    pub(super) fn depends_on(&mut self, body: &mut Body) -> Vec<Traversal> {
        let Some(attribute) = take(body, "depends_on") else { return Vec::new() };
        self.traversals(&attribute.expr, "depends_on", "aws_vpc.main")
    }

    /// A list of bare references.
    fn traversals(&mut self, expr: &Expr, name: &str, example: &str) -> Vec<Traversal> {
        let ExprKind::Tuple(items) = &expr.kind else {
            self.diags.push(
                Diagnostic::error("expected-references", format!("`{name}` must be a list of references"))
                    .at(expr.span)
                    .help(format!("write `{name} = [{example}]`")),
            );
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items {
            // Old configurations quote the references.
            match (as_traversal(item), constant_string(item)) {
                (Some(traversal), _) => out.push(traversal),
                (None, Some(text)) if !text.is_empty() => {
                    self.quoted(&text, item.span);
                    out.push(quoted_traversal(&text, item.span));
                }
                _ => self.diags.push(
                    Diagnostic::error("expected-references", format!("`{name}` may hold only references"))
                        .at(item.span)
                        .help(format!("write a reference such as `{example}`")),
                ),
            }
        }
        out
    }

    fn quoted(&mut self, text: &str, span: Span) {
        let d = Diagnostic::warning("quoted-reference", "references are written without quotes");
        self.diags.push(d.at(span).help(format!("write `{text}`")));
    }

    pub(super) fn provider_name(&mut self, expr: &Expr) -> Option<Name> {
        if let Some(text) = constant_string(expr) {
            self.quoted(&text, expr.span);
            return Some(text.into());
        }
        if let Some(name) = null_provider(expr) {
            return Some(name);
        }
        let Some(traversal) = as_traversal(expr) else {
            self.diags.push(
                Diagnostic::error("expected-provider", "a provider must be named by reference")
                    .at(expr.span)
                    .help("write `provider = aws` or `provider = aws.west`"),
            );
            return None;
        };
        Some(match traversal.attr(0) {
            Some(alias) => format!("{}.{alias}", traversal.root).into(),
            None => traversal.root,
        })
    }

    /// With `enabled` taken out of it.
    fn lifecycle(&mut self, body: &mut Body) -> (Arc<Lifecycle>, Option<Expr>) {
        static NOTHING: LazyLock<Arc<Lifecycle>> = LazyLock::new(Arc::default);
        if !body.blocks.iter().any(|b| &*b.kind.name == "lifecycle") {
            return (NOTHING.clone(), None);
        }
        let mut lifecycle = Lifecycle::default();
        let (blocks, rest) =
            std::mem::take(&mut body.blocks).into_iter().partition(|b| &*b.kind.name == "lifecycle");
        body.blocks = rest;
        let blocks: Vec<Block> = blocks;
        for second in &blocks[1..] {
            let d = Diagnostic::error("duplicate", "`lifecycle` stands twice").at(second.header);
            self.diags.push(d.label(blocks[0].header, "first here").help("write all of it into one block"));
        }
        for block in blocks {
            for attribute in &block.body.attributes {
                self.lifecycle_attribute(attribute, &mut lifecycle);
            }
            for inner in block.body.blocks {
                match &*inner.kind.name {
                    "precondition" => lifecycle.preconditions.extend(self.validation(inner)),
                    "postcondition" => lifecycle.postconditions.extend(self.validation(inner)),
                    other => {
                        let d =
                            Diagnostic::error("unknown-block", format!("`lifecycle` has no block `{other}`"));
                        self.diags.push(
                            d.at(inner.header).help("it may hold `precondition` and `postcondition` blocks"),
                        );
                    }
                }
            }
        }
        let enabled = lifecycle.enabled.take();
        (Arc::new(lifecycle), enabled)
    }

    fn lifecycle_attribute(&mut self, attribute: &Attribute, lifecycle: &mut Lifecycle) {
        match &*attribute.name.name {
            "create_before_destroy" => lifecycle.create_before_destroy = self.constant_bool(&attribute.expr),
            "prevent_destroy" => {
                lifecycle.prevent_destroy = self.constant_bool(&attribute.expr).then_some(attribute.span);
            }
            "ignore_changes" => match as_traversal(&attribute.expr) {
                Some(t) if &*t.root == "all" && t.steps.is_empty() => lifecycle.ignore_all = true,
                _ => lifecycle.ignore_changes = self.traversals(&attribute.expr, "ignore_changes", "tags"),
            },
            "replace_triggered_by" => match &attribute.expr.kind {
                ExprKind::Tuple(items) => lifecycle.replace_triggered_by = items.clone(),
                _ => drop(self.traversals(&attribute.expr, "replace_triggered_by", "aws_vpc.main")),
            },
            "enabled" => lifecycle.enabled = Some(attribute.expr.clone()),
            other => {
                let known = [
                    "create_before_destroy",
                    "prevent_destroy",
                    "ignore_changes",
                    "replace_triggered_by",
                    "enabled",
                ];
                self.diags.push(unknown_argument("lifecycle", other, attribute.name.span, &known));
            }
        }
    }

    pub(super) fn constant_bool(&mut self, expr: &Expr) -> bool {
        let value = match &expr.kind {
            ExprKind::Literal(v) => v.as_bool(),
            _ => constant_string(expr).and_then(|s| s.parse().ok()),
        };
        value.unwrap_or_else(|| {
            self.diags.push(
                Diagnostic::error("expected-constant", "this must be `true` or `false`, written out")
                    .at(expr.span)
                    .help("it is needed before anything can be evaluated, so it cannot be computed"),
            );
            false
        })
    }

    pub(super) fn constant_text(&mut self, attribute: &Attribute) -> Option<String> {
        let text = constant_string(&attribute.expr);
        if text.is_none() {
            self.diags.push(
                Diagnostic::error(
                    "expected-constant",
                    format!("`{}` must be a plain string", attribute.name.name),
                )
                .at(attribute.expr.span)
                .help(
                    "write it out in quotes, without `${…}`: it is needed before anything can be evaluated",
                ),
            );
        }
        text
    }

    pub(super) fn validation(&mut self, block: Block) -> Option<Validation> {
        let mut body = block.body;
        let condition = take(&mut body, "condition");
        let error_message = take(&mut body, "error_message");
        for extra in &body.attributes {
            self.diags.push(unknown_argument(
                &block.kind.name,
                &extra.name.name,
                extra.name.span,
                &["condition", "error_message"],
            ));
        }
        match (condition, error_message) {
            (Some(c), Some(m)) => {
                // What a `validation` has to refer to is its variable's business.
                if &*block.kind.name != "validation" && references(&c.expr).is_empty() {
                    self.diags.push(
                        Diagnostic::error("invalid-condition", "this condition refers to nothing")
                            .at(c.expr.span)
                            .help("what refers to no object is always true, or always false"),
                    );
                }
                Some(Validation { condition: c.expr, error_message: m.expr, span: block.header })
            }
            _ => {
                self.diags.push(
                    Diagnostic::error(
                        "missing-argument",
                        format!("`{}` needs `condition` and `error_message`", block.kind.name),
                    )
                    .at(block.header)
                    .help("say what must hold, and what to tell the user when it does not"),
                );
                None
            }
        }
    }

    fn cutover(&mut self, block: Block) {
        if let Some(first) = &self.module.cutover {
            let first = first.header;
            return self.duplicate("block", "cutover", block.header, first);
        }
        self.module.cutover = Some(CutoverBlock { body: block.body, header: block.header });
    }
}

pub(super) fn unknown_argument(block: &str, name: &str, span: Span, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::error("unknown-attribute", format!("`{block}` has no argument `{name}`")).at(span);
    match crate::diag::nearest(name, known.iter().copied()) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d.help(format!("it takes {}", known.join(", "))),
    }
}

pub(super) fn take(body: &mut Body, name: &str) -> Option<Attribute> {
    let at = body.attributes.iter().position(|a| &*a.name.name == name)?;
    Some(body.attributes.remove(at))
}

/// `null.west`: the provider, not the value.
fn null_provider(expr: &Expr) -> Option<Name> {
    match &expr.kind {
        ExprKind::Literal(value) if value.is_null() => Some("null".into()),
        ExprKind::GetAttr { base, name, .. } => {
            let null = matches!(&base.kind, ExprKind::Literal(value) if value.is_null());
            null.then(|| format!("null.{name}").into())
        }
        _ => None,
    }
}

/// The text of a string without interpolations.
pub fn constant_string(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Text { value, .. } => Some(value.to_string()),
        ExprKind::Template(parts) => match parts.as_slice() {
            [] => Some(String::new()),
            [TemplatePart::Literal(text, _)] => Some(text.to_string()),
            _ => None,
        },
        ExprKind::Literal(value) => value.as_str().map(str::to_owned),
        _ => None,
    }
}

/// The expression as one bare reference.
pub fn as_traversal(expr: &Expr) -> Option<Traversal> {
    let mut all = references(expr);
    let bare = matches!(expr.kind, ExprKind::Root(_) | ExprKind::GetAttr { .. } | ExprKind::Index { .. });
    (bare && all.len() == 1).then(|| all.remove(0))
}

fn quoted_traversal(text: &str, span: Span) -> Traversal {
    let mut parts = text.split('.');
    let root = parts.next().unwrap_or_default().into();
    let steps = parts.map(|p| crate::lang::syntax::Step::Attr(p.into(), span)).collect();
    Traversal { root, steps, span }
}

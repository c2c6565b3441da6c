//! `override.tf` and `*_override.tf`: merged into the blocks of the other files as Terraform does.
//!
//! Merging works on syntax, before declarations are read: an argument replaces the one of its name, nested
//! blocks replace all those of their kind.

use crate::diag::{Diagnostic, Diagnostics};
use crate::lang::syntax::{Attribute, Block, Body};

/// A parsed file; `own` in `.hcl` files, where Cutover's blocks may stand.
pub struct ParsedFile {
    pub body: Body,
    pub own: bool,
}

/// Whether a configuration file of this name overrides.
pub fn is_override(name: &str) -> bool {
    let stem = [".tf.json", ".tf", ".hcl"].iter().find_map(|suffix| name.strip_suffix(suffix));
    stem.is_some_and(|s| s == "override" || s.ends_with("_override"))
}

/// Merges the blocks of an override file into `files`.
pub fn merge(files: &mut Vec<ParsedFile>, over: ParsedFile, diags: &mut Diagnostics) {
    let mut rest = ParsedFile { body: Body::default(), own: over.own };
    rest.body.attributes = over.body.attributes;
    for block in over.body.blocks {
        let kind = block.kind.name.clone();
        match &*kind {
            "moved" | "import" | "removed" | "check" => diags.push(
                Diagnostic::error(
                    "invalid-override",
                    format!("a `{kind}` block cannot stand in an override file"),
                )
                .at(block.header)
                .help("move it to another file"),
            ),
            "locals" => locals(files, block, diags),
            "terraform" => {
                let mut block = block;
                terraform(files, &mut block);
                rest.body.blocks.push(block);
            }
            "cutover" => match find(files, &block) {
                Some(base) => replace(&mut base.body, block.body),
                None => rest.body.blocks.push(block),
            },
            "provider" if alias(&block).is_none() => match find(files, &block) {
                Some(base) => replace(&mut base.body, block.body),
                None => rest.body.blocks.push(block),
            },
            _ => {
                reject_fixed(&block, diags);
                match find(files, &block) {
                    Some(base) => declaration(base, block),
                    None => diags.push(no_base(&block)),
                }
            }
        }
    }
    files.push(rest);
}

fn label(block: &Block, i: usize) -> Option<&str> {
    block.labels.get(i).map(|l| &*l.name)
}

fn alias(block: &Block) -> Option<String> {
    super::constant_string(&block.body.attribute("alias")?.expr)
}

fn find<'f>(files: &'f mut [ParsedFile], block: &Block) -> Option<&'f mut Block> {
    let same = |b: &Block| {
        b.kind.name == block.kind.name
            && b.labels.len() == block.labels.len()
            && (0..b.labels.len()).all(|i| label(b, i) == label(block, i))
            && (&*b.kind.name != "provider" || alias(b) == alias(block))
    };
    files.iter_mut().flat_map(|f| f.body.blocks.iter_mut()).find(|b| same(b))
}

fn no_base(block: &Block) -> Diagnostic {
    let names: Vec<&str> = block.labels.iter().map(|l| &*l.name).collect();
    let what = format!("{} `{}`", block.kind.name, names.join("."));
    Diagnostic::error("override-without-base", format!("there is no {what} to override"))
        .at(block.header)
        .help(
            "an override file changes what another file declares: correct the name, or move the block there",
        )
}

/// What no override may say.
fn reject_fixed(block: &Block, diags: &mut Diagnostics) {
    let conditions = ["validation", "precondition", "postcondition"];
    let lifecycle = block.body.blocks_of("lifecycle").flat_map(|l| &l.body.blocks);
    for inner in block.body.blocks.iter().chain(lifecycle) {
        if conditions.contains(&&*inner.kind.name) {
            let d = Diagnostic::error(
                "invalid-override",
                format!("a `{}` block cannot stand in an override file", inner.kind.name),
            );
            diags.push(d.at(inner.header).help("move it to the block that is overridden"));
        }
    }
    if let Some(depends_on) = block.body.attribute("depends_on") {
        let d = Diagnostic::error("invalid-override", "`depends_on` cannot be overridden");
        diags.push(d.at(depends_on.span).help("write it in the block that is overridden"));
    }
}

fn set(attributes: &mut Vec<Attribute>, attribute: Attribute) {
    match attributes.iter_mut().find(|a| a.name.name == attribute.name.name) {
        Some(base) => *base = attribute,
        None => attributes.push(attribute),
    }
}

/// The kind of nested block that this one stands for.
fn nested_kind(block: &Block) -> &str {
    match &*block.kind.name {
        "dynamic" => label(block, 0).unwrap_or("dynamic"),
        kind => kind,
    }
}

fn replace(base: &mut Body, over: Body) {
    over.attributes.into_iter().for_each(|a| set(&mut base.attributes, a));
    base.blocks.retain(|b| !over.blocks.iter().any(|o| nested_kind(o) == nested_kind(b)));
    base.blocks.extend(over.blocks);
}

/// A resource, module, variable or the like: as [`replace`], but `lifecycle` is merged by argument, and
/// where one has `count` and the other `for_each`, the `count` holds, as in Terraform.
fn declaration(base: &mut Block, mut over: Block) {
    if over.body.attribute("count").is_some() {
        base.body.attributes.retain(|a| &*a.name.name != "for_each");
    } else if base.body.attribute("count").is_some() {
        over.body.attributes.retain(|a| &*a.name.name != "for_each");
    }
    let (lifecycles, rest): (Vec<Block>, Vec<Block>) =
        std::mem::take(&mut over.body.blocks).into_iter().partition(|b| &*b.kind.name == "lifecycle");
    over.body.blocks = rest;
    for lifecycle in lifecycles {
        match base.body.blocks.iter_mut().find(|b| &*b.kind.name == "lifecycle") {
            Some(known) => {
                lifecycle.body.attributes.into_iter().for_each(|a| set(&mut known.body.attributes, a))
            }
            None => base.body.blocks.push(lifecycle),
        }
    }
    replace(&mut base.body, over.body);
}

fn locals(files: &mut [ParsedFile], block: Block, diags: &mut Diagnostics) {
    for attribute in block.body.attributes {
        let name = attribute.name.name.clone();
        let blocks = files.iter_mut().flat_map(|f| f.body.blocks.iter_mut());
        let mut attributes =
            blocks.filter(|b| &*b.kind.name == "locals").flat_map(|b| b.body.attributes.iter_mut());
        match attributes.find(|a| a.name.name == name) {
            Some(base) => *base = attribute,
            None => diags.push(
                Diagnostic::error("override-without-base", format!("there is no local `{name}` to override"))
                    .at(attribute.name.span)
                    .help("an override file changes what another file declares: correct the name, or move it there"),
            ),
        }
    }
}

/// Takes away what the override's block says instead: `required_version` and a backend replace all
/// others, required providers those of their name.
fn terraform(files: &mut [ParsedFile], over: &mut Block) {
    let requires = |b: &Block| &*b.kind.name == "required_providers";
    let blocks = files.iter_mut().flat_map(|f| f.body.blocks.iter_mut());
    for base in blocks.filter(|b| &*b.kind.name == "terraform") {
        let body = &mut base.body;
        body.attributes.retain(|a| over.body.attribute(&a.name.name).is_none());
        let places_state = |b: &Block| matches!(&*b.kind.name, "backend" | "cloud");
        if over.body.blocks.iter().any(places_state) {
            body.blocks.retain(|b| !places_state(b));
        }
        if let Some(base) = body.blocks.iter_mut().find(|b| requires(b)) {
            let (required, rest) = std::mem::take(&mut over.body.blocks).into_iter().partition(requires);
            over.body.blocks = rest;
            let required: Vec<Block> = required;
            let entries = required.into_iter().flat_map(|r| r.body.attributes);
            entries.for_each(|entry| set(&mut base.body.attributes, entry));
        }
    }
}

//! `provisioner` blocks: commands around a resource's creation and destruction.

use super::decl::{Name, Provisioner};
use super::load::{as_traversal, constant_string, take, unknown_argument};
use crate::diag::{Diagnostic, Diagnostics, Span, nearest};
use crate::lang::eval::references;
use crate::lang::syntax::{Attribute, Block, Body, Expr};

const ARGUMENTS: &[&str] = &["command", "working_dir", "interpreter", "environment", "quiet"];
const KINDS: &[&str] = &["local-exec", "remote-exec", "file"];

/// Takes the provisioners out of a resource's body.
pub(super) fn take_provisioners(body: &mut Body, diags: &mut Diagnostics) -> Vec<Provisioner> {
    let ours = |block: &Block| matches!(&*block.kind.name, "provisioner" | "connection");
    let (blocks, rest): (Vec<Block>, Vec<Block>) =
        std::mem::take(&mut body.blocks).into_iter().partition(ours);
    body.blocks = rest;
    // Only remote-exec and file connect to anything, and those are reported themselves.
    blocks
        .into_iter()
        .filter(|block| &*block.kind.name == "provisioner")
        .filter_map(|block| provisioner(block, diags))
        .collect()
}

fn provisioner(block: Block, diags: &mut Diagnostics) -> Option<Provisioner> {
    let [kind] = block.labels.as_slice() else {
        diags.push(
            Diagnostic::error("block-labels", "`provisioner` needs its kind as its only label")
                .at(block.header)
                .help("write `provisioner \"local-exec\" { command = \"…\" }`"),
        );
        return None;
    };
    if &*kind.name != "local-exec" {
        diags.push(unsupported(&kind.name, kind.span));
        return None;
    }
    let header = block.header;
    let mut body = block.body;
    let on_destroy = take(&mut body, "when")
        .and_then(|a| keyword(&a, ["create", "destroy"], diags))
        .is_some_and(|word| word == "destroy");
    let continues = take(&mut body, "on_failure")
        .and_then(|a| keyword(&a, ["fail", "continue"], diags))
        .is_some_and(|word| word == "continue");
    for attribute in &body.attributes {
        if !ARGUMENTS.contains(&&*attribute.name.name) {
            diags.push(unknown_argument("local-exec", &attribute.name.name, attribute.name.span, ARGUMENTS));
        }
        if on_destroy {
            only_own_references(&attribute.expr, diags);
        }
    }
    for inner in body.blocks.iter().filter(|b| &*b.kind.name != "connection") {
        let d =
            Diagnostic::error("unknown-block", format!("`local-exec` has no block `{}`", inner.kind.name));
        diags.push(d.at(inner.header).help(format!("it takes {}", ARGUMENTS.join(", "))));
    }
    if body.attribute("command").is_none() {
        diags.push(
            Diagnostic::error("missing-argument", "`local-exec` needs `command`")
                .at(header)
                .help("add `command = \"…\"`"),
        );
        return None;
    }
    let moment = if on_destroy { "before it is destroyed" } else { "after it was created" };
    diags.push(
        Diagnostic::warning("local-exec", format!("a command runs on this machine {moment}"))
            .at(header)
            .help("no plan can show what it does, and nothing takes it back; user data, images and pipelines are safer places"),
    );
    Some(Provisioner { body, on_destroy, continues, header })
}

fn unsupported(kind: &Name, span: Span) -> Diagnostic {
    let d = |problem: String| Diagnostic::error("unsupported-provisioner", problem).at(span);
    match &**kind {
        "remote-exec" | "file" => d(format!("the provisioner `{kind}` is not supported"))
            .help("it would connect to a machine; put what it does into user data or the image, or use `local-exec`"),
        other => {
            let known = d(format!("there is no provisioner `{other}`"));
            match nearest(other, KINDS.iter().copied()) {
                Some(near) => known.help(format!("did you mean `{near}`?")),
                None => known.help("Cutover knows `local-exec`"),
            }
        }
    }
}

/// `when = destroy`; old configurations quote the word.
fn keyword(attribute: &Attribute, words: [&'static str; 2], diags: &mut Diagnostics) -> Option<&'static str> {
    let bare = as_traversal(&attribute.expr).filter(|t| t.steps.is_empty()).map(|t| t.root.to_string());
    let written = bare.or_else(|| constant_string(&attribute.expr));
    let found = written.and_then(|text| words.into_iter().find(|word| *word == text));
    if found.is_none() {
        let problem = format!("`{}` must be `{}` or `{}`", attribute.name.name, words[0], words[1]);
        diags.push(
            Diagnostic::error("invalid-value", problem)
                .at(attribute.expr.span)
                .help("write the word without quotes"),
        );
    }
    found
}

/// When something is destroyed, nothing else may be there any more.
fn only_own_references(expr: &Expr, diags: &mut Diagnostics) {
    for t in references(expr) {
        let own = match &*t.root {
            "self" | "path" | "terraform" => true,
            "each" => t.attr(0) == Some("key"),
            "count" => t.attr(0) == Some("index"),
            _ => false,
        };
        if !own {
            diags.push(
                Diagnostic::error("destroy-reference", "a command that runs before destruction may refer only to `self`, `each.key` and `count.index`")
                    .at(t.span)
                    .help("keep what it needs in the resource itself, in `triggers` or `input`, and refer to that with `self`"),
            );
        }
    }
}

//! `rollout`, `probe` and `guard` blocks: what steers an apply, before anything is evaluated.

use super::decl::Name;
use super::load::{Sorter, as_traversal, take};
use super::place::{Place, Target};
use crate::addr::Mode;
use crate::diag::{Diagnostic, Span};
use crate::lang::syntax::{Attribute, Block, Body, Expr, ExprKind, Ident};

/// One of these blocks; they are kept by kind and name, as `rollout.web`.
#[derive(Debug)]
pub struct Steering {
    pub name: Name,
    pub kind: SteeringKind,
    /// Labels of gates are their attribute `name`; probes they name are plain strings.
    pub body: Body,
    pub header: Span,
}

#[derive(Debug)]
pub enum SteeringKind {
    Rollout { target: Place },
    Probe,
    Guard,
}

impl Sorter<'_> {
    pub(super) fn steering(&mut self, block: Block) {
        let Some([name]) = self.labels(&block, ["name"]) else { return };
        let key: Name = format!("{}.{}", block.kind.name, name.name).into();
        if let Some(first) = self.module.steering.get(&key) {
            let first = first.header;
            return self.duplicate(&block.kind.name, &name.name, block.header, first);
        }
        let mut body = block.body;
        body.blocks = std::mem::take(&mut body.blocks).into_iter().map(|b| self.labelled(b)).collect();
        let kind = match &*block.kind.name {
            "probe" => SteeringKind::Probe,
            "guard" => SteeringKind::Guard,
            _ => {
                let target = take(&mut body, "target");
                let Some(target) = self.target(target, block.header) else { return };
                SteeringKind::Rollout { target }
            }
        };
        let steering = Steering { name: name.name, kind, body, header: block.header };
        self.module.steering.insert(key, steering);
    }

    fn target(&mut self, target: Option<Attribute>, header: Span) -> Option<Place> {
        let Some(target) = target else {
            self.diags.push(
                Diagnostic::error("missing-argument", "`target` is missing")
                    .at(header)
                    .help("add `target = aws_ecs_service.web`, or whatever shall roll out this way"),
            );
            return None;
        };
        let place = Target::parse(&target.expr).and_then(Target::constant);
        let managed = |p: &Place| p.resource.as_ref().is_some_and(|(key, _)| key.mode == Mode::Managed);
        match place {
            Ok(place) if managed(&place) => Some(place),
            Ok(place) => {
                self.diags.push(
                    Diagnostic::error("expected-address", format!("`{place}` is no resource"))
                        .at(target.expr.span)
                        .help("name a resource: `target = aws_ecs_service.web`"),
                );
                None
            }
            Err(d) => {
                self.diags.push(*d);
                None
            }
        }
    }

    /// `gate "site" { probe = probe.site }`, `accept "CUT-006" { … }`: the label becomes an attribute.
    fn labelled(&mut self, mut block: Block) -> Block {
        let attribute = match &*block.kind.name {
            "gate" => "name",
            "accept" => "code",
            _ => return block,
        };
        if let Some([label]) = self.labels(&block, [attribute]) {
            let span = label.span;
            let name = Ident { name: attribute.into(), span };
            block.body.attributes.push(Attribute { name, expr: text(&label.name, span), span });
        }
        block.labels.clear();
        if let Some(probe) = block.body.attributes.iter_mut().find(|a| &*a.name.name == "probe") {
            let named = as_traversal(&probe.expr).filter(|t| &*t.root == "probe" && t.steps.len() == 1);
            match named.as_ref().and_then(|t| t.attr(0)) {
                Some(name) => probe.expr = text(name, probe.expr.span),
                None => self.diags.push(
                    Diagnostic::error("expected-references", "`probe` must name a probe")
                        .at(probe.expr.span)
                        .help("write `probe = probe.site`, with `probe \"site\" { … }` beside it"),
                ),
            }
        }
        block
    }
}

fn text(value: &str, span: Span) -> Expr {
    Expr { kind: ExprKind::Text { value: value.into(), bare: true }, span }
}

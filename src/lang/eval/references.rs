//! What an expression refers to, without evaluating it.

use super::super::syntax::{Expr, ExprKind, Step, TemplatePart, Traversal};
use crate::diag::Span;
use crate::value::{Kind, Value, quote};
use std::sync::Arc;

/// All traversals in `expr` that do not start at a name bound inside it.
pub fn references(expr: &Expr) -> Vec<Traversal> {
    let mut finder = Finder { bound: Vec::new(), free_only: true, found: Vec::new() };
    finder.expr(expr);
    finder.found.into_iter().map(|t| t.without_prefix().unwrap_or(t)).collect()
}

/// Those of [`references`] and those that start at bound names.
pub(super) fn all_traversals(expr: &Expr) -> Vec<Traversal> {
    let mut finder = Finder { bound: Vec::new(), free_only: false, found: Vec::new() };
    finder.expr(expr);
    finder.found
}

/// A traversal as one writes it.
pub fn text(traversal: &Traversal) -> String {
    let mut out = traversal.root.to_string();
    for step in &traversal.steps {
        match step {
            Step::Attr(name, _) => out.push_str(&format!(".{name}")),
            Step::Index(key, _) => match &key.kind {
                Kind::String(s) => out.push_str(&format!("[{}]", quote(s))),
                Kind::Number(n) => out.push_str(&format!("[{n}]")),
                _ => {}
            },
        }
    }
    out
}

/// The same of a template.
pub fn template_references(parts: &[TemplatePart]) -> Vec<Traversal> {
    let mut finder = Finder { bound: Vec::new(), free_only: true, found: Vec::new() };
    finder.template(parts);
    finder.found
}

/// The innermost base of `expr`, and the attribute accesses and indices after it, in order.
pub(super) fn links(expr: &Expr) -> (&Expr, Vec<&Expr>) {
    let mut links = Vec::new();
    let mut base = expr;
    while let ExprKind::GetAttr { base: inner, .. } | ExprKind::Index { base: inner, .. } = &base.kind {
        links.push(base);
        base = inner;
    }
    links.reverse();
    (base, links)
}

/// The root with the constant steps that follow it, and how many of `links` these are.
pub(super) fn constant_beginning(base: &Expr, root: &Arc<str>, links: &[&Expr]) -> (Traversal, usize) {
    let mut steps = Vec::new();
    for link in links {
        match &link.kind {
            ExprKind::GetAttr { name, name_start, .. } => {
                steps.push(Step::Attr(name.clone(), Span { start: *name_start, ..link.span }));
            }
            ExprKind::Index { key, .. } => match constant_key(key) {
                Some(value) => steps.push(Step::Index(value, key.span)),
                None => break,
            },
            _ => break,
        }
    }
    let used = steps.len();
    let span = if used > 0 { base.span.to(links[used - 1].span) } else { base.span };
    (Traversal { root: root.clone(), steps, span }, used)
}

fn constant_key(key: &Expr) -> Option<Value> {
    match &key.kind {
        ExprKind::Literal(value) if matches!(value.kind, Kind::Number(_) | Kind::String(_)) => {
            Some((**value).clone())
        }
        ExprKind::Text { value, .. } => Some(Value::normal_string(value.clone())),
        ExprKind::Template(parts) => literal_text(parts).map(Value::string),
        _ => None,
    }
}

/// The text of a template without interpolations.
pub(super) fn literal_text(parts: &[TemplatePart]) -> Option<String> {
    let text = |part: &TemplatePart| match part {
        TemplatePart::Literal(text, _) => Some(text.to_string()),
        _ => None,
    };
    parts.iter().map(text).collect()
}

struct Finder<'e> {
    bound: Vec<&'e str>,
    free_only: bool,
    found: Vec<Traversal>,
}

impl<'e> Finder<'e> {
    fn expr(&mut self, expr: &'e Expr) {
        match &expr.kind {
            ExprKind::Literal(_) | ExprKind::Text { .. } | ExprKind::SplatItem | ExprKind::Error => {}
            ExprKind::Template(parts) => self.template(parts),
            ExprKind::Root(_) | ExprKind::GetAttr { .. } | ExprKind::Index { .. } => self.chain(expr),
            ExprKind::Splat { base, each, .. } => {
                self.expr(base);
                self.expr(each);
            }
            ExprKind::Call(call) => call.args.iter().for_each(|arg| self.expr(arg)),
            ExprKind::Unary { operand, .. } => self.expr(operand),
            ExprKind::Binary { .. } => self.binary(expr),
            ExprKind::Conditional { condition, if_true, if_false } => {
                [condition, if_true, if_false].into_iter().for_each(|part| self.expr(part));
            }
            ExprKind::Tuple(items) => items.iter().for_each(|item| self.expr(item)),
            ExprKind::Object(items) => items.iter().for_each(|item| {
                self.expr(&item.key);
                self.expr(&item.value);
            }),
            ExprKind::For(f) => {
                self.expr(&f.collection);
                let names = f.key_var.iter().chain([&f.value_var]).map(|ident| &*ident.name);
                self.binding(names.collect(), |finder| {
                    for part in f.key.iter().chain([&f.value]).chain(&f.condition) {
                        finder.expr(part);
                    }
                });
            }
            ExprKind::Paren(inner) => self.expr(inner),
        }
    }

    fn binding(&mut self, names: Vec<&'e str>, inside: impl FnOnce(&mut Self)) {
        let outer = self.bound.len();
        self.bound.extend(names);
        inside(self);
        self.bound.truncate(outer);
    }

    /// Long chains of operators are not nested deeply for whoever wrote them.
    fn binary(&mut self, expr: &'e Expr) {
        let mut rights = Vec::new();
        let mut leftmost = expr;
        while let ExprKind::Binary { left, right, .. } = &leftmost.kind {
            rights.push(&**right);
            leftmost = left;
        }
        self.expr(leftmost);
        rights.into_iter().rev().for_each(|right| self.expr(right));
    }

    fn chain(&mut self, expr: &'e Expr) {
        let (base, links) = links(expr);
        match &base.kind {
            ExprKind::Root(root) => {
                if !self.free_only || !self.bound.contains(&&**root) {
                    self.found.push(constant_beginning(base, root, &links).0);
                }
            }
            _ => self.expr(base),
        }
        for link in links {
            if let ExprKind::Index { key, .. } = &link.kind {
                self.expr(key);
            }
        }
    }

    fn template(&mut self, parts: &'e [TemplatePart]) {
        for part in parts {
            match part {
                TemplatePart::Literal(..) => {}
                TemplatePart::Interpolation(expr) => self.expr(expr),
                TemplatePart::If(part) => {
                    self.expr(&part.condition);
                    self.template(&part.then);
                    self.template(&part.otherwise);
                }
                TemplatePart::For(part) => {
                    self.expr(&part.collection);
                    let names = part.key_var.iter().chain([&part.value_var]).map(|ident| &*ident.name);
                    self.binding(names.collect(), |finder| finder.template(&part.body));
                }
            }
        }
    }
}

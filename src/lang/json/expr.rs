//! JSON values → expressions.

use super::{Json, Kind, Text};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::parse::{MAX_DEPTH, parse_expression_text, parse_template_text};
use crate::lang::syntax::{Expr, ExprKind, Ident, ObjectItem, TemplatePart};
use crate::value::{Type, Value, normalized};
use std::collections::BTreeMap;

/// What strings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Templates: `"${var.a}-x"`.
    Templates,
    /// Just strings: where nothing may be referred to.
    Literal,
    /// Expressions of the native syntax: `"aws_vpc.main"` in `depends_on`.
    References,
}

impl Json {
    pub fn expr(&self, reading: Reading, diags: &mut Diagnostics) -> Expr {
        self.expr_at(reading, 1, diags)
    }

    fn expr_at(&self, reading: Reading, depth: usize, diags: &mut Diagnostics) -> Expr {
        let kind = match &self.kind {
            Kind::Null => ExprKind::Literal(Value::null(Type::Dynamic).into()),
            Kind::Bool(b) => ExprKind::Literal(Value::bool(*b).into()),
            Kind::Number(n) => ExprKind::Literal(Value::number(n.clone()).into()),
            Kind::Error => ExprKind::Error,
            Kind::String(text) => return text.expr(reading, depth, diags),
            Kind::Array(items) => {
                ExprKind::Tuple(items.iter().map(|i| i.expr_at(reading, depth + 1, diags)).collect())
            }
            Kind::Object(members) => {
                let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
                let mut items = Vec::new();
                for member in members {
                    if let Some(first) = seen.insert(&member.name.value, member.name.span) {
                        diags.push(duplicate_property(&member.name, first));
                    }
                    let key = member.name.expr(reading, depth + 1, diags);
                    items.push(ObjectItem { key, value: member.value.expr_at(reading, depth + 1, diags) });
                }
                ExprKind::Object(items)
            }
        };
        Expr { kind, span: self.span }
    }
}

fn duplicate_property(name: &Text, first: Span) -> Diagnostic {
    Diagnostic::error("duplicate", format!("the property \"{}\" is given twice", name.value))
        .label(name.span, "given again here")
        .label(first, "first given here")
        .help("remove one of them")
}

impl Text {
    fn expr(&self, reading: Reading, depth: usize, diags: &mut Diagnostics) -> Expr {
        let limit = MAX_DEPTH.saturating_sub(depth);
        let mut place = |span: &mut Span| {
            (span.start, span.end) = (self.place(span.start), self.place(span.end));
        };
        let kind = match reading {
            Reading::References => {
                let (expr, errors) = parse_expression_text(&self.value, self.span.file, limit);
                self.report(errors, diags);
                match expr {
                    Some(mut expr) => {
                        move_spans(&mut expr, &mut place);
                        return expr;
                    }
                    None => ExprKind::Error,
                }
            }
            Reading::Templates if self.value.contains("${") || self.value.contains("%{") => {
                let (mut parts, errors) = parse_template_text(&self.value, self.span.file, limit);
                self.report(errors, diags);
                parts.iter_mut().for_each(|part| move_part(part, &mut place));
                ExprKind::Template(parts)
            }
            _ => ExprKind::Text { value: normalized(self.value.as_str().into()), bare: true },
        };
        Expr { kind, span: self.span }
    }

    fn report(&self, errors: Vec<Diagnostic>, diags: &mut Diagnostics) {
        for mut error in errors {
            for label in &mut error.labels {
                let span = &mut label.span;
                (span.start, span.end) = (self.place(span.start), self.place(span.end));
            }
            diags.push(error);
        }
    }

    pub fn ident(&self) -> Ident {
        Ident { name: self.value.as_str().into(), span: self.span }
    }
}

type Move<'m> = &'m mut dyn FnMut(&mut Span);

/// Applies `place` to every span of a tree.
fn move_spans(expr: &mut Expr, place: Move<'_>) {
    place(&mut expr.span);
    match &mut expr.kind {
        ExprKind::Literal(_)
        | ExprKind::Text { .. }
        | ExprKind::Root(_)
        | ExprKind::SplatItem
        | ExprKind::Error => {}
        ExprKind::Template(parts) => parts.iter_mut().for_each(|part| move_part(part, place)),
        ExprKind::GetAttr { base, name_start, .. } => {
            move_spans(base, place);
            let mut name = Span { start: *name_start, end: *name_start, ..expr.span };
            place(&mut name);
            *name_start = name.start;
        }
        ExprKind::Index { base, key } => {
            move_spans(base, place);
            move_spans(key, place);
        }
        ExprKind::Splat { base, each, .. } => {
            move_spans(base, place);
            move_spans(each, place);
        }
        ExprKind::Call(call) => {
            place(&mut call.name.span);
            call.args.iter_mut().for_each(|arg| move_spans(arg, place));
        }
        ExprKind::Unary { operand, .. } => move_spans(operand, place),
        ExprKind::Binary { left, right, .. } => {
            move_spans(left, place);
            move_spans(right, place);
        }
        ExprKind::Conditional { condition, if_true, if_false } => {
            [condition, if_true, if_false].into_iter().for_each(|part| move_spans(part, place));
        }
        ExprKind::Tuple(items) => items.iter_mut().for_each(|item| move_spans(item, place)),
        ExprKind::Object(items) => {
            for item in items {
                move_spans(&mut item.key, place);
                move_spans(&mut item.value, place);
            }
        }
        ExprKind::For(f) => {
            f.key_var.iter_mut().chain([&mut f.value_var]).for_each(|name| place(&mut name.span));
            move_spans(&mut f.collection, place);
            let parts = f.key.iter_mut().chain([&mut f.value]).chain(f.condition.iter_mut());
            parts.for_each(|part| move_spans(part, place));
        }
        ExprKind::Paren(inner) => move_spans(inner, place),
    }
}

fn move_part(part: &mut TemplatePart, place: Move<'_>) {
    match part {
        TemplatePart::Literal(_, span) => place(span),
        TemplatePart::Interpolation(expr) => move_spans(expr, place),
        TemplatePart::If(part) => {
            move_spans(&mut part.condition, place);
            part.then.iter_mut().chain(&mut part.otherwise).for_each(|part| move_part(part, place));
            place(&mut part.span);
        }
        TemplatePart::For(part) => {
            part.key_var.iter_mut().chain([&mut part.value_var]).for_each(|name| place(&mut name.span));
            move_spans(&mut part.collection, place);
            part.body.iter_mut().for_each(|part| move_part(part, place));
            place(&mut part.span);
        }
    }
}

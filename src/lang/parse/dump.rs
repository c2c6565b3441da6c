//! Syntax as compact text, for tests.

use crate::lang::syntax::{BinaryOp, Body, Expr, ExprKind, TemplatePart, UnaryOp};
use crate::value::Kind;
use std::fmt::Write;

pub(in crate::lang) fn body(body: &Body) -> String {
    let mut out = String::new();
    write_body(&mut out, body, 0);
    out
}

fn write_body(out: &mut String, body: &Body, level: usize) {
    let indent = "  ".repeat(level);
    for attribute in &body.attributes {
        let _ = writeln!(out, "{indent}{} = {}", attribute.name.name, expr(&attribute.expr));
    }
    for block in &body.blocks {
        let labels: Vec<String> = block.labels.iter().map(|l| format!(" {:?}", l.name)).collect();
        let _ = writeln!(out, "{indent}{}{} {{", block.kind.name, labels.concat());
        write_body(out, &block.body, level + 1);
        let _ = writeln!(out, "{indent}}}");
    }
}

pub(super) fn expr(e: &Expr) -> String {
    let list = |items: &[Expr]| items.iter().map(expr).collect::<Vec<_>>().join(" ");
    match &e.kind {
        ExprKind::Literal(value) => match &value.kind {
            Kind::Null(_) => "null".into(),
            Kind::Bool(b) => b.to_string(),
            Kind::Number(n) => n.to_string(),
            other => format!("{other:?}"),
        },
        ExprKind::Text { value, .. } => format!("\"{}\"", literal(value)),
        ExprKind::Template(p) => format!("\"{}\"", parts(p)),
        ExprKind::Root(name) => name.to_string(),
        ExprKind::GetAttr { base, name, .. } => format!("{}.{name}", expr(base)),
        ExprKind::Index { base, key } => format!("{}[{}]", expr(base), expr(key)),
        ExprKind::Splat { base, full, each } => {
            format!("(splat{} {} {})", if *full { "" } else { "-attr" }, expr(base), expr(each))
        }
        ExprKind::SplatItem => "@".into(),
        ExprKind::Call(call) => {
            let expand = if call.expand_last { " ..." } else { "" };
            format!("{}({}{expand})", call.name.name, list(&call.args))
        }
        ExprKind::Unary { op, operand } => {
            format!("({} {})", if *op == UnaryOp::Not { "!" } else { "-" }, expr(operand))
        }
        ExprKind::Binary { op, left, right } => format!("({} {} {})", operator(*op), expr(left), expr(right)),
        ExprKind::Conditional { condition, if_true, if_false } => {
            format!("(? {} {} {})", expr(condition), expr(if_true), expr(if_false))
        }
        ExprKind::Tuple(items) => format!("[{}]", list(items)),
        ExprKind::Object(items) => {
            let items: Vec<String> =
                items.iter().map(|i| format!("{}={}", expr(&i.key), expr(&i.value))).collect();
            format!("{{{}}}", items.join(" "))
        }
        ExprKind::For(f) => {
            let names: Vec<&str> = f.key_var.iter().chain([&f.value_var]).map(|i| &*i.name).collect();
            let key = f.key.as_ref().map(|k| format!("{} => ", expr(k))).unwrap_or_default();
            let condition = f.condition.as_ref().map(|c| format!(" if {}", expr(c))).unwrap_or_default();
            let group = if f.group { "..." } else { "" };
            let (names, collection) = (names.join(","), expr(&f.collection));
            format!("(for {names} in {collection}: {key}{}{group}{condition})", expr(&f.value))
        }
        ExprKind::Paren(inner) => format!("({})", expr(inner)),
        ExprKind::Error => "<error>".into(),
    }
}

pub(super) fn parts(parts: &[TemplatePart]) -> String {
    let one = |part: &TemplatePart| match part {
        TemplatePart::Literal(text, _) => literal(text),
        TemplatePart::Interpolation(e) => format!("${{{}}}", expr(e)),
        TemplatePart::If(p) => {
            let (then, otherwise) = (self::parts(&p.then), self::parts(&p.otherwise));
            format!("%{{if {}}}{then}%{{else}}{otherwise}%{{end}}", expr(&p.condition))
        }
        TemplatePart::For(p) => {
            let key = p.key_var.as_ref().map(|k| format!("{},", k.name)).unwrap_or_default();
            let (collection, body) = (expr(&p.collection), self::parts(&p.body));
            format!("%{{for {key}{} in {collection}}}{body}%{{end}}", p.value_var.name)
        }
    };
    let parts: Vec<String> = parts.iter().map(one).collect();
    parts.join("|")
}

fn literal(text: &str) -> String {
    text.escape_debug().to_string().replace("\\\"", "'")
}

fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Modulo => "%",
        BinaryOp::Equal => "==",
        BinaryOp::NotEqual => "!=",
        BinaryOp::Less => "<",
        BinaryOp::LessEqual => "<=",
        BinaryOp::Greater => ">",
        BinaryOp::GreaterEqual => ">=",
        BinaryOp::And => "&&",
        BinaryOp::Or => "||",
    }
}

//! Arithmetic, comparison and logic.

use super::super::syntax::{BinaryOp, Expr, ExprKind, UnaryOp};
use super::{Env, Evaluator};
use crate::diag::Diagnostic;
use crate::value::{Number, Type, Value, convert, equal};

enum Failure {
    Left(String),
    Right(String),
    Whole(String),
}

impl Evaluator<'_> {
    /// Goes along a chain of operators without recursion: `a && b && …` may be long.
    pub(super) fn binary(&mut self, expr: &Expr, env: &Env) -> Value {
        let mut nodes = Vec::new();
        let mut leftmost = expr;
        while let ExprKind::Binary { left, .. } = &leftmost.kind {
            nodes.push(leftmost);
            leftmost = left;
        }
        let mut value = self.expr(leftmost, env);
        for node in nodes.into_iter().rev() {
            let ExprKind::Binary { op, left, right } = &node.kind else { continue };
            let right_value = self.expr(right, env);
            if !self.fits(&value, left.span) || !self.fits(&right_value, right.span) {
                return Value::unknown(result_type(*op));
            }
            value = match apply(*op, &value, &right_value) {
                Ok(result) => result,
                Err(failure) => {
                    let (place, summary) = match failure {
                        Failure::Left(what) => {
                            (left.span, format!("the left side of `{}`: {what}", symbol(*op)))
                        }
                        Failure::Right(what) => {
                            (right.span, format!("the right side of `{}`: {what}", symbol(*op)))
                        }
                        Failure::Whole(what) => {
                            (node.span, format!("`{}` is not possible here: {what}", symbol(*op)))
                        }
                    };
                    let missing = summary.ends_with(" is null");
                    let mut d = Diagnostic::error("invalid-operand", summary).at(place);
                    if missing {
                        d = d.help("say what to take for null: `coalesce(x, …)`, or `x == null ? … : …`");
                    }
                    self.report(d, node, env);
                    Value::unknown(result_type(*op))
                }
            };
            self.infinite |= value.as_number().is_some_and(|n| !n.is_finite());
        }
        value
    }

    pub(super) fn unary(&mut self, op: UnaryOp, operand: &Expr, expr: &Expr, env: &Env) -> Value {
        let value = self.expr(operand, env);
        let (ty, sign) = match op {
            UnaryOp::Negate => (Type::Number, "-"),
            UnaryOp::Not => (Type::Bool, "!"),
        };
        let (place, what) = match convert(&value, &ty) {
            Ok(v) if v.is_null() => (expr.span, "it is null".to_owned()),
            Ok(v) => {
                let result = match (v.as_bool(), v.as_number()) {
                    (Some(b), _) => Value::bool(!b),
                    (_, Some(n)) => Value::number(n.negate()),
                    _ => Value::unknown_not_null(ty),
                };
                return result.marked(v.marks);
            }
            Err(error) => (operand.span, error.what),
        };
        let diagnostic =
            Diagnostic::error("invalid-operand", format!("the operand of `{sign}`: {what}")).at(place);
        self.report(diagnostic, operand, env);
        Value::unknown(ty)
    }
}

fn symbol(op: BinaryOp) -> &'static str {
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

fn result_type(op: BinaryOp) -> Type {
    match op {
        BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => {
            Type::Number
        }
        _ => Type::Bool,
    }
}

/// `&&` and `||` do not short-circuit, as in Terraform 1.11: an unknown on either side is an unknown.
fn apply(op: BinaryOp, left: &Value, right: &Value) -> Result<Value, Failure> {
    if matches!(op, BinaryOp::Equal | BinaryOp::NotEqual) {
        let result = equal(left, right);
        return Ok(match result.as_bool() {
            Some(b) if op == BinaryOp::NotEqual => Value::bool(!b).marked(result.marks),
            _ => result,
        });
    }
    let operand = if matches!(op, BinaryOp::And | BinaryOp::Or) { Type::Bool } else { Type::Number };
    let left = convert(left, &operand).map_err(|e| Failure::Left(e.what))?;
    let right = convert(right, &operand).map_err(|e| Failure::Right(e.what))?;
    if left.is_null() {
        return Err(Failure::Whole("the left side is null".to_owned()));
    }
    if right.is_null() {
        return Err(Failure::Whole("the right side is null".to_owned()));
    }
    let marks = left.marks.union(right.marks);
    let result = match (left.as_bool(), right.as_bool(), left.as_number(), right.as_number()) {
        (Some(l), Some(r), _, _) => Value::bool(if op == BinaryOp::And { l && r } else { l || r }),
        (_, _, Some(l), Some(r)) => numbers(op, l, r).map_err(|what| Failure::Whole(what.to_owned()))?,
        _ => match compared(op, &left, &right) {
            Some(answer) => Value::bool(answer),
            None => Value::unknown_not_null(result_type(op)),
        },
    };
    Ok(result.marked(marks))
}

/// What can be told of numbers that are not known, but for their bounds. Terraform takes the bounds for
/// exclusive ones: `length(unknown) >= 0` stays unknown.
fn compared(op: BinaryOp, left: &Value, right: &Value) -> Option<bool> {
    let ((least, most), (low, high)) = (left.number_bounds()?, right.number_bounds()?);
    let decided = |surely: bool, never: bool| if surely { Some(true) } else { never.then_some(false) };
    match op {
        BinaryOp::Less | BinaryOp::LessEqual => decided(most < low, least > high),
        BinaryOp::Greater | BinaryOp::GreaterEqual => decided(least > high, most < low),
        _ => None,
    }
}

fn numbers(op: BinaryOp, l: &Number, r: &Number) -> Result<Value, &'static str> {
    let compared = match op {
        BinaryOp::Less => Some(l < r),
        BinaryOp::LessEqual => Some(l <= r),
        BinaryOp::Greater => Some(l > r),
        BinaryOp::GreaterEqual => Some(l >= r),
        _ => None,
    };
    if let Some(answer) = compared {
        return Ok(Value::bool(answer));
    }
    let (result, why) = match op {
        BinaryOp::Add => (l.add(r), "opposite infinities have no sum"),
        BinaryOp::Subtract => (l.subtract(r), "equal infinities have no difference"),
        BinaryOp::Multiply => (l.multiply(r), "zero times infinity is no number"),
        BinaryOp::Divide => (l.divide(r), "zero cannot be divided by zero"),
        _ => (l.remainder(r), "infinities have no remainder"),
    };
    result.map(Value::number).ok_or(why)
}

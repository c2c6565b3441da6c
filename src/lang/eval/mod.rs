//! Expressions → values. Unknowns and marks travel through everything.

mod access;
mod call;
mod collections;
mod constraint;
mod limits;
mod operators;
mod references;
mod template;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod specsuite;
#[cfg(test)]
mod tests;

pub use access::step_into;
pub use constraint::{Defaults, TypeConstraint, convert_to_constraint, type_constraint};
pub use limits::Kept;
pub use references::{references, template_references, text as traversal_text};

use super::syntax::{Expr, ExprKind, Ident, Step, TemplatePart, Traversal};
use crate::diag::{Diagnostic, Diagnostics, Span, nearest};
use crate::value::{ConvertError, Kind, Marks, Type, Value, convert, describe, unify};
use std::path::Path;
use std::sync::Arc;

/// Resolved beginning of a traversal: its value, and how many steps after the root it used up.
pub struct Resolved {
    pub value: Value,
    pub steps_used: usize,
}

/// Where names get their values. Names bound inside an expression (`for`, splat, template `for`) are
/// handled by the evaluator and never reach the scope.
pub trait Scope {
    /// Called with the root and all constant steps that follow it. `Err` is reported at its own spans;
    /// the value is then an unknown of unknown type.
    fn resolve(&self, traversal: &Traversal) -> Result<Resolved, Diagnostic>;
    /// Directory that file functions are relative to (the working directory of the run).
    fn base_dir(&self) -> &Path;
    /// RFC 3339 time of the plan, for `plantimestamp()`; `timestamp()` is unknown while planning.
    fn plan_timestamp(&self) -> Option<jiff::Timestamp> {
        None
    }
    /// The time, while applying: `timestamp()`.
    fn now(&self) -> Option<jiff::Timestamp> {
        None
    }
    /// Random bytes, while applying: `uuid()`, and the salt of `bcrypt()`, which are unknown before.
    fn random(&self) -> Option<[u8; 16]> {
        None
    }
    /// Whether this is inside of a template, which may not call for another.
    fn in_template(&self) -> bool {
        false
    }
    /// The provider that a local name of this module stands for by required_providers, by its own name: its
    /// functions can be called.
    fn provider(&self, _local: &str) -> Option<&str> {
        None
    }
    /// Fewer functions when false (variable defaults, backend blocks allow none).
    fn allows_functions(&self) -> bool {
        true
    }
}

/// Evaluates `expr`. On an error: reported to `diags`, and the result is an unknown of unknown type.
pub fn eval(expr: &Expr, scope: &dyn Scope, diags: &mut Diagnostics) -> Value {
    let mut evaluator = Evaluator::new(scope);
    let mut value = evaluator.expr(expr, &Env::EMPTY);
    // What is only referred to was looked at where it was made.
    if !is_reference(expr) {
        value = evaluator.bounded(value, expr.span);
    }
    evaluator.finish(value, expr.span, diags)
}

/// Evaluates and converts; a failed conversion is reported at the expression.
pub fn eval_as(expr: &Expr, ty: &Type, scope: &dyn Scope, diags: &mut Diagnostics) -> Value {
    let mut evaluator = Evaluator::new(scope);
    let value = evaluator.expr(expr, &Env::EMPTY);
    let value = evaluator.bounded(value, expr.span);
    let converted = convert(&value, ty);
    let value = converted.unwrap_or_else(|error| {
        evaluator.report(unsuitable("wrong-type", &error, &value).at(expr.span), expr, &Env::EMPTY);
        Value::unknown(ty.without_optional())
    });
    evaluator.finish(value, expr.span, diags)
}

/// Evaluates a whole template (of `templatefile`) with its own scope.
pub fn eval_template(parts: &[TemplatePart], scope: &dyn Scope, diags: &mut Diagnostics) -> Value {
    let span = Span::default();
    let mut evaluator = Evaluator::new(scope);
    let value = evaluator.template(parts, span, &Env::EMPTY);
    let value = evaluator.bounded(value, span);
    evaluator.finish(value, span, diags)
}

/// Deeper nesting than anyone writes, and not so deep that the stack ends first.
const DEEPEST: usize = 250;

/// The names bound inside the expression, innermost first.
struct Env<'e> {
    parent: Option<&'e Env<'e>>,
    bound: Bound<'e>,
}

enum Bound<'e> {
    Nothing,
    Name(&'e str, Value),
    SplatItem(Value),
}

impl<'e> Env<'e> {
    const EMPTY: Env<'static> = Env { parent: None, bound: Bound::Nothing };

    fn with<'n>(&'n self, name: &'n Ident, value: Value) -> Env<'n> {
        Env { parent: Some(self), bound: Bound::Name(&name.name, value) }
    }

    fn with_item(&self, item: Value) -> Env<'_> {
        Env { parent: Some(self), bound: Bound::SplatItem(item) }
    }

    fn frames(&self) -> impl Iterator<Item = &Env<'e>> {
        std::iter::successors(Some(self), |env| env.parent)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.frames().find_map(|env| match &env.bound {
            Bound::Name(bound, value) if *bound == name => Some(value),
            _ => None,
        })
    }

    fn splat_item(&self) -> Option<&Value> {
        self.frames().find_map(|env| match &env.bound {
            Bound::SplatItem(value) => Some(value),
            _ => None,
        })
    }

    fn names(&self) -> Vec<&str> {
        self.frames()
            .filter_map(|env| match env.bound {
                Bound::Name(name, _) => Some(name),
                _ => None,
            })
            .collect()
    }
}

struct Evaluator<'s> {
    scope: &'s dyn Scope,
    diags: Diagnostics,
    /// Errors reported so far, swallowed ones (`try`) included: tells whether a part failed.
    errors: usize,
    depth: usize,
    /// Whether an infinite number came up, so that the result has to be looked through for it.
    infinite: bool,
    steps: limits::Steps,
}

impl<'s> Evaluator<'s> {
    fn new(scope: &'s dyn Scope) -> Self {
        Self {
            scope,
            diags: Diagnostics::default(),
            errors: 0,
            depth: 0,
            infinite: false,
            steps: limits::Steps::new(),
        }
    }

    fn bounded(&mut self, value: Value, span: Span) -> Value {
        match limits::excess(&value, span) {
            Some(diagnostic) => {
                self.push(diagnostic);
                Value::dynamic()
            }
            None => value,
        }
    }

    fn finish(mut self, value: Value, span: Span, diags: &mut Diagnostics) -> Value {
        if let Some(span) = self.steps.exhausted_at {
            self.push(limits::too_much_work(span));
        }
        let failed = self.errors > 0;
        let infinite = self.infinite && value.any(&mut |v| v.as_number().is_some_and(|n| !n.is_finite()));
        diags.extend(std::mem::take(&mut self.diags));
        if infinite {
            diags.push(
                Diagnostic::error("infinite-number", "the result is an infinite number")
                    .at(span)
                    .detail("Something was divided by zero, or grew beyond what can be written down.")
                    .help("make sure that no divisor is 0"),
            );
        }
        if infinite || failed { Value::dynamic() } else { value }
    }

    /// Reports an error, with the values of what `expr` refers to.
    fn report(&mut self, diagnostic: Diagnostic, expr: &Expr, env: &Env) {
        let mut diagnostic = diagnostic;
        if diagnostic.notes.is_empty() {
            diagnostic.notes = self.value_notes(expr, env);
        }
        self.push(diagnostic);
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.errors += 1;
        self.diags.push(diagnostic);
    }

    fn value_notes(&self, expr: &Expr, env: &Env) -> Vec<String> {
        const MOST: usize = 5;
        let mut notes = Vec::new();
        for traversal in references::all_traversals(expr) {
            let value = match env.get(&traversal.root) {
                Some(value) => follow(value.clone(), &traversal.steps).ok(),
                None => match self.scope.resolve(&traversal) {
                    Ok(found) => follow(found.value, &traversal.steps[found.steps_used..]).ok(),
                    Err(_) => None,
                },
            };
            if let Some(value) = value {
                let note = format!("`{}` is {}", references::text(&traversal), describe(&value));
                if !notes.contains(&note) && notes.len() < MOST {
                    notes.push(note);
                }
            }
        }
        notes
    }

    /// Runs `part` and returns what it reported instead of reporting it.
    fn apart<T>(&mut self, part: impl FnOnce(&mut Self) -> T) -> (T, Vec<Diagnostic>) {
        let outer = std::mem::take(&mut self.diags);
        let errors = self.errors;
        let result = part(self);
        self.errors = errors;
        let inner = std::mem::replace(&mut self.diags, outer);
        (result, inner.into_iter().collect())
    }

    fn expr(&mut self, expr: &Expr, env: &Env) -> Value {
        if self.depth >= DEEPEST {
            self.push(
                Diagnostic::error("nested-too-deeply", "this expression nests too deeply")
                    .at(expr.span)
                    .help("move a part of it to a local value"),
            );
            return Value::dynamic();
        }
        self.steps.spend(1, expr.span);
        if self.is_exhausted() {
            return Value::dynamic();
        }
        self.depth += 1;
        let value = match &expr.kind {
            ExprKind::Literal(value) => (**value).clone(),
            ExprKind::Text { value, .. } => Value::normal_string(value.clone()),
            ExprKind::Template(parts) => self.template(parts, expr.span, env),
            ExprKind::Root(_) | ExprKind::GetAttr { .. } | ExprKind::Index { .. } => self.chain(expr, env),
            ExprKind::Splat { base, each, .. } => self.splat(base, each, expr.span, env),
            ExprKind::SplatItem => env.splat_item().cloned().unwrap_or_else(Value::dynamic),
            ExprKind::Call(call) => self.call(call, expr, env),
            ExprKind::Unary { op, operand } => self.unary(*op, operand, expr, env),
            ExprKind::Binary { .. } => self.binary(expr, env),
            ExprKind::Conditional { condition, if_true, if_false } => {
                self.conditional(condition, if_true, if_false, env)
            }
            ExprKind::Tuple(items) => Value::tuple(items.iter().map(|item| self.expr(item, env)).collect()),
            ExprKind::Object(items) => self.object(items, env),
            ExprKind::For(for_expr) => self.for_expr(for_expr, env),
            ExprKind::Paren(inner) => self.expr(inner, env),
            ExprKind::Error => Value::dynamic(),
        };
        self.depth -= 1;
        value
    }

    /// A base with attributes and indices after it, without recursion over their number.
    fn chain(&mut self, expr: &Expr, env: &Env) -> Value {
        let (base, links) = references::links(expr);
        let mut done = 0;
        let mut value = match &base.kind {
            ExprKind::Root(root) => match env.get(root) {
                Some(value) => value.clone(),
                None => {
                    let (traversal, _) = references::constant_beginning(base, root, &links);
                    match self.resolve(&traversal, env) {
                        Some(found) => {
                            done = found.steps_used.min(traversal.steps.len());
                            found.value
                        }
                        None => return Value::dynamic(),
                    }
                }
            },
            _ => self.expr(base, env),
        };
        let mut before = if done > 0 { links[done - 1] } else { base };
        for link in &links[done..] {
            let span = Span::new(link.span.file, before.span.end as usize, link.span.end as usize);
            let result = match &link.kind {
                ExprKind::GetAttr { name, .. } => access::attribute(&value, name, span),
                ExprKind::Index { key, .. } => {
                    let errors = self.errors;
                    let key = self.expr(key, env);
                    if self.errors > errors {
                        return Value::dynamic();
                    }
                    access::index(&value, &key, span)
                }
                _ => unreachable!("links are attributes and indices"),
            };
            value = match result {
                Ok(value) => value,
                Err(diagnostic) => {
                    self.report(diagnostic, before, env);
                    return Value::dynamic();
                }
            };
            before = link;
        }
        value
    }

    fn resolve(&mut self, traversal: &Traversal, env: &Env) -> Option<Resolved> {
        match self.scope.resolve(traversal) {
            Ok(found) => Some(found),
            Err(mut diagnostic) => {
                if diagnostic.help.is_none()
                    && let Some(name) = nearest(&traversal.root, env.names())
                {
                    diagnostic = diagnostic.help(format!("did you mean `{name}`?"));
                }
                self.push(diagnostic);
                None
            }
        }
    }

    fn conditional(&mut self, condition: &Expr, if_true: &Expr, if_false: &Expr, env: &Env) -> Value {
        let (yes, yes_diags) = self.apart(|e| e.expr(if_true, env));
        let (no, no_diags) = self.apart(|e| e.expr(if_false, env));
        if !self.fits(&yes, if_true.span) || !self.fits(&no, if_false.span) {
            return Value::dynamic();
        }
        let untyped_null = |v: &Value| matches!(v.kind, Kind::Null(Type::Dynamic));
        let ty = if untyped_null(&yes) {
            Some(no.ty())
        } else if untyped_null(&no) {
            Some(yes.ty())
        } else {
            let (a, b) = (yes.ty(), no.ty());
            match a == b || b == Type::Dynamic {
                true => Some(b),
                false if a == Type::Dynamic => Some(a),
                false => unify(&[a, b]),
            }
        };
        let Some(ty) = ty else {
            let diagnostic =
                Diagnostic::error("conditional-types", "the two results have types that do not go together")
                    .label(if_true.span, format!("this is {}", yes.ty().a_noun()))
                    .label(if_false.span, format!("this is {}", no.ty().a_noun()))
                    .detail("Whichever is chosen, the result must be of one type.")
                    .help("convert one of them, for example with tostring() or tolist()");
            self.push(diagnostic);
            return Value::dynamic();
        };
        let errors = self.errors;
        let value = self.expr(condition, env);
        let Some(value) = self.condition(&value, condition, "condition", env) else {
            return if self.errors > errors { Value::dynamic() } else { Value::unknown(ty) };
        };
        let Some(chosen) = value.as_bool() else { return undecided(value.marks, &yes, &no, ty) };
        // The other arm's marks count, too: not those within it.
        let marks = value.all_marks().union(yes.marks).union(no.marks);
        let other = if chosen { no.ty() } else { yes.ty() };
        let (result, diags, arm) = if chosen { (yes, yes_diags, if_true) } else { (no, no_diags, if_false) };
        if !diags.is_empty() {
            for diagnostic in diags {
                self.push(diagnostic);
            }
            return Value::dynamic();
        }
        let converted = match has_mixed_parts(&result, &ty, &other) {
            true => {
                Err(ConvertError::new("its parts must be of one type, as the other result is of none yet"))
            }
            false => convert(&result, &ty),
        };
        match converted {
            Ok(result) => result.marked(marks),
            Err(error) => {
                let diagnostic = unsuitable("conditional-types", &error, &result)
                    .at(arm.span)
                    .note(format!("both results must become {}", ty.a_noun()));
                self.push(diagnostic);
                Value::dynamic()
            }
        }
    }

    /// A bool, known or not, for an `if` or `?`; None after reporting why it is none.
    fn condition(&mut self, value: &Value, expr: &Expr, what: &str, env: &Env) -> Option<Value> {
        if value.is_null() {
            let diagnostic = Diagnostic::error("null-condition", format!("the {what} is null"))
                .at(expr.span)
                .help("it must be true or false: compare with null, or use coalesce()");
            self.report(diagnostic, expr, env);
            return None;
        }
        match convert(value, &Type::Bool) {
            Ok(value) => Some(value),
            Err(error) => {
                let diagnostic = unsuitable("condition-type", &error, value).at(expr.span);
                self.report(diagnostic, expr, env);
                None
            }
        }
    }
}

/// Of a tuple or object that is to become a list or map of any, as `other` is one: its parts are not
/// converted then, for all that they could be: a quirk of cty.
fn has_mixed_parts(value: &Value, ty: &Type, other: &Type) -> bool {
    if !matches!((ty, other), (Type::List(_), Type::List(_)) | (Type::Map(_), Type::Map(_))) {
        return false;
    }
    let types: Vec<Type> = match (&value.kind, ty.element()) {
        (Kind::Tuple(items), Some(Type::Dynamic)) => items.iter().map(Value::ty).collect(),
        (Kind::Object(items), Some(Type::Dynamic)) => items.values().map(Value::ty).collect(),
        _ => return false,
    };
    let mut known = types.iter().filter(|ty| **ty != Type::Dynamic);
    known.next().is_some_and(|first| known.any(|ty| ty != first))
}

fn is_reference(expr: &Expr) -> bool {
    matches!(references::links(expr).0.kind, ExprKind::Root(_))
}

/// The result of a conditional whose condition is not known yet: what both arms have in common.
fn undecided(marks: Marks, yes: &Value, no: &Value, ty: Type) -> Value {
    let marks = marks.union(yes.marks).union(no.marks);
    if yes.is_null() && no.is_null() {
        return Value::null(ty).marked(marks);
    }
    if let (Some(a), Some(b)) = (yes.number_bounds(), no.number_bounds()) {
        return Value::unknown_between(a.0.min(b.0), a.1.max(b.1)).marked(marks);
    }
    let collections = matches!(ty, Type::List(_) | Type::Set(_) | Type::Map(_)) && yes.ty() == no.ty();
    let value = match (yes.length_bounds(), no.length_bounds()) {
        (Some(a), Some(b)) if collections && yes.is_surely_not_null() && no.is_surely_not_null() => {
            Value::unknown_length(ty, a.0.min(b.0), a.1.max(b.1))
        }
        _ if yes.is_surely_not_null() && no.is_surely_not_null() => Value::unknown(ty).refined_not_null(),
        _ => Value::unknown(ty),
    };
    value.marked(marks)
}

/// Where constant steps lead from a value.
pub fn follow(value: Value, steps: &[Step]) -> Result<Value, Diagnostic> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Attr(name, span) => access::attribute(&value, name, *span),
        Step::Index(key, span) => access::index(&value, key, *span),
    })
}

/// A conversion error as a diagnostic, its place inside the value told (unless keys in it may be secret).
fn unsuitable(code: &'static str, error: &ConvertError, value: &Value) -> Diagnostic {
    let diagnostic = Diagnostic::error(code, error.what.clone());
    if error.path.is_empty() || value.contains_sensitive() {
        diagnostic
    } else {
        diagnostic.detail(format!("This is about the part `{}` of the value.", error.path))
    }
}

/// The names of `candidates` near to `word`, as help.
fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a Arc<str>>) -> Option<String> {
    nearest(word, candidates.into_iter().map(|c| &**c)).map(|name| format!("did you mean `{name}`?"))
}

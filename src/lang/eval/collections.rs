//! Object constructors, `for` expressions and splats.

use super::super::syntax::{Expr, ForExpr, ObjectItem};
use super::{Env, Evaluator};
use crate::diag::{Diagnostic, Span};
use crate::value::{Kind, Map, Marks, Type, Value, convert, describe, unify};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Evaluator<'_> {
    pub(super) fn object(&mut self, items: &[ObjectItem], env: &Env) -> Value {
        let mut entries = Map::new();
        let mut marks = Marks::NONE;
        let mut known = true;
        for item in items {
            let key = self.expr(&item.key, env);
            let value = self.expr(&item.value, env);
            marks = marks.union(key.marks);
            match self.key(&key, &item.key, "object", env) {
                // Of a key given twice the last one counts.
                Some(key) => {
                    entries.insert(key, value);
                }
                None => known = false,
            }
        }
        if known { Value::object(entries).marked(marks) } else { Value::dynamic().marked(marks) }
    }

    /// The text of a key; None if it is unknown or, after a report, if it cannot be one.
    fn key(&mut self, key: &Value, expr: &Expr, of: &str, env: &Env) -> Option<Arc<str>> {
        if key.is_null() {
            let diagnostic =
                Diagnostic::error("invalid-key", format!("the key of an {of} is null")).at(expr.span);
            self.report(diagnostic, expr, env);
            return None;
        }
        match convert(key, &Type::String) {
            Ok(text) => match text.kind {
                Kind::String(text) => Some(text),
                _ => None,
            },
            Err(error) => {
                let diagnostic = Diagnostic::error(
                    "invalid-key",
                    format!("this cannot be the key of an {of}: {}", error.what),
                )
                .at(expr.span)
                .help("a key is a string; in an object, `(expression) = value` takes it from an expression");
                self.report(diagnostic, expr, env);
                None
            }
        }
    }

    /// The elements to iterate, with their keys, and the collection's marks. None if these are unknown
    /// or, after a report, if there are none to iterate.
    pub(super) fn iterable(
        &mut self,
        value: &Value,
        expr: &Expr,
        env: &Env,
    ) -> Option<(Vec<(Value, Value)>, Marks)> {
        let items = match &value.kind {
            Kind::Unknown(u) => match u.ty {
                Type::Bool | Type::Number | Type::String => None,
                _ => return None,
            },
            Kind::List(_, items) | Kind::Tuple(items) => {
                Some((0..).zip(items.iter()).map(|(i, v)| (Value::int(i), v.clone())).collect())
            }
            Kind::Set(_, items) => Some(items.iter().map(|v| (v.clone(), v.clone())).collect()),
            Kind::Map(_, items) | Kind::Object(items) => {
                Some(items.iter().map(|(k, v)| (Value::string(k.clone()), v.clone())).collect())
            }
            _ => None,
        };
        match items {
            Some(items) => Some((items, value.marks)),
            None => {
                let (code, what) = match value.is_null() {
                    true => ("null-value", "a null value cannot be iterated".to_owned()),
                    false => ("not-iterable", format!("{} cannot be iterated", describe_kind(value))),
                };
                let help = if value.is_null() {
                    "give an empty list for the case of null: `coalesce(x, [])`"
                } else {
                    "`for` takes a list, set, tuple, map or object"
                };
                self.report(Diagnostic::error(code, what).at(expr.span).help(help), expr, env);
                None
            }
        }
    }

    pub(super) fn for_expr(&mut self, f: &ForExpr, env: &Env) -> Value {
        let collection = self.expr(&f.collection, env);
        let Some((items, collection_marks)) = self.iterable(&collection, &f.collection, env) else {
            return Value::dynamic().marked(collection.marks);
        };
        let mut out = ForOutput { marks: collection_marks, known: true, ..ForOutput::default() };
        // Even of nothing, a condition that can never be one is an error.
        if items.is_empty()
            && let Some(condition) = &f.condition
        {
            let with_value = env.with(&f.value_var, Value::dynamic());
            match &f.key_var {
                Some(key_var) => self.for_condition(condition, &with_value.with(key_var, Value::dynamic())),
                None => self.for_condition(condition, &with_value),
            };
        }
        for (key, item) in items {
            let errors = self.errors;
            // Marked as the whole, lest an error tells what is in it.
            let with_value = env.with(&f.value_var, item.marked(collection_marks));
            match &f.key_var {
                Some(key_var) => {
                    self.for_item(f, &with_value.with(key_var, key.marked(collection_marks)), &mut out)
                }
                None => self.for_item(f, &with_value, &mut out),
            }
            // One report of a mistake in the clauses is enough; more elements would repeat it.
            if self.errors > errors || self.is_exhausted() {
                out.known = false;
                break;
            }
        }
        let value = if !out.known {
            Value::dynamic()
        } else if f.key.is_none() {
            Value::tuple(out.items)
        } else if f.group {
            Value::object(out.groups.into_iter().map(|(k, items)| (k, Value::tuple(items))).collect())
        } else {
            Value::object(out.entries)
        };
        value.marked(out.marks)
    }

    fn for_condition(&mut self, condition: &Expr, env: &Env) -> Option<Value> {
        let value = self.expr(condition, env);
        self.condition(&value, condition, "`if` clause", env)
    }

    fn for_item(&mut self, f: &ForExpr, env: &Env, out: &mut ForOutput) {
        if let Some(condition) = &f.condition {
            let value = self.expr(condition, env);
            // After an element that is not known yet, Terraform asks no longer what the conditions are.
            if !out.known && (value.is_null() || convert(&value, &Type::Bool).is_err()) {
                return;
            }
            let Some(include) = self.condition(&value, condition, "`if` clause", env) else {
                out.known = false;
                return;
            };
            out.marks = out.marks.union(include.marks);
            match include.as_bool() {
                Some(true) => {}
                Some(false) => return,
                None => {
                    out.known = false;
                    return;
                }
            }
        }
        let Some(key_expr) = &f.key else {
            let value = self.expr(&f.value, env);
            out.items.push(value);
            return;
        };
        let key = self.expr(key_expr, env);
        out.marks = out.marks.union(key.marks);
        // Nor are keys looked at any longer then; the value of an unknown key is not evaluated at all.
        if key.is_unknown() || !out.known && (key.is_null() || convert(&key, &Type::String).is_err()) {
            out.known = false;
            return;
        }
        let text = self.key(&key, key_expr, "object", env);
        let value = self.expr(&f.value, env);
        let Some(text) = text else {
            out.known = false;
            return;
        };
        if f.group {
            out.groups.entry(text).or_default().push(value);
            return;
        }
        if !out.entries.contains_key(&text) {
            out.entries.insert(text, value);
            return;
        }
        let shown = match key.marks.sensitive {
            true => "a sensitive key".to_owned(),
            false => format!("the key `{text}`"),
        };
        let diagnostic = Diagnostic::error("duplicate-key", format!("two elements have {shown}"))
            .at(key_expr.span)
            .help("make the keys unique, or group the values: put `...` after the value");
        self.report(diagnostic, key_expr, env);
    }

    /// `base[*].…`: null gives no element, anything that is not a sequence counts as one element.
    pub(super) fn splat(&mut self, base: &Expr, each: &Expr, span: Span, env: &Env) -> Value {
        let errors = self.errors;
        let source = self.expr(base, env);
        if self.errors > errors {
            return Value::dynamic();
        }
        let marks = source.marks;
        let ty = source.ty();
        let sequence = matches!(ty, Type::List(_) | Type::Set(_) | Type::Tuple(_));
        match &source.kind {
            Kind::Null(_) if sequence => {
                let diagnostic =
                    Diagnostic::error("null-value", format!("a null {} has no elements", ty.noun()))
                        .at(span)
                        .help("give an empty list for the case of null");
                self.report(diagnostic, base, env);
                Value::dynamic()
            }
            Kind::Null(_) => Value::tuple(Vec::new()).marked(marks),
            Kind::Unknown(_) => self.splat_unknown(&source, &ty, each, env).marked(marks),
            Kind::List(..) | Kind::Set(..) => {
                let items = source.as_slice().unwrap_or_default();
                let element = ty.element().cloned().unwrap_or(Type::Dynamic);
                let Some(values) = self.each(items, marks, each, env) else { return Value::dynamic() };
                if values.is_empty() {
                    let item = self.expr(each, &env.with_item(Value::unknown(element)));
                    return Value::list(item.ty(), Vec::new()).marked(marks);
                }
                list_of(values).marked(marks)
            }
            Kind::Tuple(items) => match self.each(items, marks, each, env) {
                Some(values) => Value::tuple(values).marked(marks),
                None => Value::dynamic(),
            },
            _ => {
                let single = Value { kind: source.kind.clone(), marks };
                match self.each(std::slice::from_ref(&single), marks, each, env) {
                    Some(values) => Value::tuple(values).marked(marks),
                    None => Value::dynamic(),
                }
            }
        }
    }

    /// The elements have the marks of the whole, lest an error tells what is in them.
    fn each(&mut self, items: &[Value], marks: Marks, each: &Expr, env: &Env) -> Option<Vec<Value>> {
        let errors = self.errors;
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.push(self.expr(each, &env.with_item(item.clone().marked(marks))));
            if self.is_exhausted() {
                return None;
            }
        }
        (self.errors == errors).then_some(values)
    }

    fn splat_unknown(&mut self, source: &Value, ty: &Type, each: &Expr, env: &Env) -> Value {
        let mut item_type = |ty: &Type| self.expr(each, &env.with_item(Value::unknown(ty.clone()))).ty();
        match ty {
            Type::List(element) | Type::Set(element) => {
                let ty = Type::list(item_type(element));
                match source.length_bounds() {
                    Some((least, most)) if source.is_surely_not_null() => {
                        Value::unknown_length(ty, least, most)
                    }
                    _ => Value::unknown(ty),
                }
            }
            Type::Tuple(types) => Value::unknown(Type::tuple(types.iter().map(item_type))),
            // One that is no null is the only element.
            ty if *ty != Type::Dynamic && source.is_surely_not_null() => {
                Value::tuple(vec![self.expr(each, &env.with_item(source.clone()))])
            }
            Type::Dynamic => Value::dynamic(),
            // Null is no element: how many there are is not known, but what one would be is looked at.
            ty => {
                item_type(ty);
                Value::dynamic()
            }
        }
    }
}

#[derive(Default)]
struct ForOutput {
    items: Vec<Value>,
    entries: Map,
    groups: BTreeMap<Arc<str>, Vec<Value>>,
    marks: Marks,
    known: bool,
}

/// A list of values that were made alike; where they still differ in type, unified.
fn list_of(values: Vec<Value>) -> Value {
    let types: Vec<Type> = values.iter().map(Value::ty).collect();
    match unify(&types) {
        Some(element) => {
            let converted = values.iter().map(|v| convert(v, &element)).collect::<Result<Vec<_>, _>>();
            match converted {
                Ok(values) => Value::list(element, values),
                Err(_) => Value::tuple(values),
            }
        }
        None => Value::tuple(values),
    }
}

fn describe_kind(value: &Value) -> String {
    let noun = value.ty().a_noun();
    if value.is_unknown() || value.marks.sensitive { noun } else { format!("{noun} ({})", describe(value)) }
}

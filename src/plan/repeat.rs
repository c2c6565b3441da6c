//! count and for_each → instances.

use super::values::{Expansion, Repeated};
use crate::addr::InstanceKey;
use crate::config::Repetition;
use crate::config::body::describe;
use crate::diag::{Diagnostic, Diagnostics};
use crate::lang::eval::{Scope, eval, references, traversal_text};
use crate::lang::syntax::{Expr, ExprKind, Step, Traversal};
use crate::value::{Kind, Type, Value, convert};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// `may_be_unknown`: when validating, values are not known yet and that is no error.
pub fn expand(
    repetition: &Repetition,
    scope: &dyn Scope,
    diags: &mut Diagnostics,
    may_be_unknown: bool,
) -> Expansion<Repeated> {
    match repetition {
        Repetition::Single => Expansion::Single(Repeated::default()),
        Repetition::Count(expr) => count(expr, scope, diags, may_be_unknown),
        Repetition::ForEach(expr) => for_each(expr, scope, diags, may_be_unknown),
        Repetition::Enabled(expr) => enabled(expr, scope, diags, may_be_unknown),
    }
}

/// What an instance of an unknown expansion sees.
pub fn unknown_instance(repetition: &Repetition) -> Repeated {
    match repetition {
        Repetition::Single | Repetition::Enabled(_) => Repeated::default(),
        Repetition::Count(_) => Repeated { of_count: true, ..Repeated::default() },
        Repetition::ForEach(_) => Repeated { each_value: Some(Value::dynamic()), ..Repeated::default() },
    }
}

fn invalid(expr: &Expr, problem: &str, value: &Value) -> Diagnostic {
    Diagnostic::error("invalid-repetition", problem).label(expr.span, format!("this is {}", describe(value)))
}

fn count(
    expr: &Expr,
    scope: &dyn Scope,
    diags: &mut Diagnostics,
    may_be_unknown: bool,
) -> Expansion<Repeated> {
    let before = diags.error_count();
    let value = eval(expr, scope, diags);
    if diags.error_count() > before {
        return Expansion::Unknown;
    }
    if value.marks.ephemeral {
        diags.push(ephemeral(expr, "count"));
        return Expansion::Unknown;
    }
    if value.is_unknown() {
        if !may_be_unknown {
            diags.push(unknown_repetition(expr, "count", scope));
        }
        return Expansion::Unknown;
    }
    let whole = if value.as_bool().is_some() { None } else { convert(&value, &Type::Number).ok() };
    match whole.as_ref().and_then(Value::as_i64) {
        Some(n) if (0..=100_000).contains(&n) => {
            let each = |i| Repeated { key: Some(InstanceKey::Index(i)), ..Repeated::default() };
            Expansion::Count((0..n as u64).map(each).collect())
        }
        _ => {
            diags.push(
                invalid(expr, "`count` must be a whole number, 0 or more", &value).help("at most 100,000"),
            );
            Expansion::Unknown
        }
    }
}

/// It is another at the apply, perhaps: the instances would be others than planned.
fn ephemeral(expr: &Expr, name: &str) -> Diagnostic {
    let d = Diagnostic::error("ephemeral-value", format!("`{name}` does not take ephemeral values"));
    d.at(expr.span).help("which instances there are is kept in the plan and in the state; let it depend on something that lasts")
}

fn unknown_repetition(expr: &Expr, name: &str, scope: &dyn Scope) -> Diagnostic {
    let mut d = Diagnostic::error("unknown-repetition", format!("`{name}` is known only after apply"))
        .at(expr.span)
        .detail(
            "Which instances there are must be known while planning: their keys are part of their addresses.",
        );
    let unknown = references(expr).into_iter().filter(|t| {
        let mut ignored = Diagnostics::default();
        value_of(t, scope, &mut ignored).is_some_and(|v| !v.is_wholly_known())
    });
    let unknown: Vec<Traversal> = unknown.collect();
    let named = |t: &Traversal| !["var", "local", "module", "data", "each", "count"].contains(&&*t.root);
    let resource =
        unknown.iter().filter(|t| named(t)).find_map(|t| Some(format!("{}.{}", t.root, t.attr(0)?)));
    let names: BTreeSet<String> = unknown.iter().map(|t| format!("`{}`", traversal_text(t))).collect();
    if !names.is_empty() {
        let names: Vec<String> = names.into_iter().collect();
        d = d.note(format!("not known yet: {}", names.join(", ")));
    }
    let how = match name {
        "for_each" => "take a map whose keys are written in the configuration; its values may be unknown",
        "count" => {
            "count something that is in the configuration, such as the names given, not what they become"
        }
        _ => "let it depend on variables and locals only",
    };
    let first = resource.unwrap_or_else(|| "<address>".to_owned());
    d.help(format!("{how}; or make what it depends on first: `cutover apply --target={first}`"))
}

/// What a reference evaluates to, if it can be followed.
fn value_of(t: &Traversal, scope: &dyn Scope, diags: &mut Diagnostics) -> Option<Value> {
    let mut at = scope.resolve(t).ok()?;
    for step in t.steps.get(at.steps_used..).unwrap_or_default() {
        let expr = |kind| Expr { kind, span: t.span };
        if at.value.is_unknown() {
            break;
        }
        let next = match step {
            Step::Attr(name, _) => at.value.as_map().and_then(|m| m.get(name)).cloned(),
            Step::Index(key, _) => {
                let index = expr(ExprKind::Index {
                    base: Box::new(expr(ExprKind::Literal(Box::new(at.value.clone())))),
                    key: Box::new(expr(ExprKind::Literal(Box::new(key.clone())))),
                });
                Some(eval(&index, scope, diags))
            }
        };
        at.value = next?;
    }
    Some(at.value)
}

/// `lifecycle { enabled = … }`: one instance without a key, or none.
fn enabled(
    expr: &Expr,
    scope: &dyn Scope,
    diags: &mut Diagnostics,
    may_be_unknown: bool,
) -> Expansion<Repeated> {
    let before = diags.error_count();
    let value = eval(expr, scope, diags);
    if diags.error_count() > before {
        return Expansion::Unknown;
    }
    if value.is_unknown() {
        if !may_be_unknown {
            diags.push(unknown_repetition(expr, "enabled", scope));
        }
        return Expansion::Unknown;
    }
    if value.marks.sensitive || value.marks.ephemeral {
        let d = Diagnostic::error("invalid-repetition", "`enabled` cannot be sensitive or ephemeral")
            .at(expr.span);
        diags.push(d.help("whether a resource exists shows in the plan; take `nonsensitive(…)` of it"));
        return Expansion::Unknown;
    }
    match convert(&value, &Type::Bool).ok().as_ref().and_then(Value::as_bool) {
        Some(true) => Expansion::Single(Repeated::default()),
        Some(false) => Expansion::Disabled,
        None => {
            diags.push(
                invalid(expr, "`enabled` must be true or false", &value)
                    .help("null is neither: give a default"),
            );
            Expansion::Unknown
        }
    }
}

fn for_each(
    expr: &Expr,
    scope: &dyn Scope,
    diags: &mut Diagnostics,
    may_be_unknown: bool,
) -> Expansion<Repeated> {
    let each = |(k, v): (Arc<str>, Value)| {
        (k.clone(), Repeated { key: Some(InstanceKey::Key(k)), each_value: Some(v), of_count: false })
    };
    match for_each_pairs(expr, scope, diags, may_be_unknown) {
        Some(pairs) => Expansion::ForEach(pairs.into_iter().map(each).collect()),
        None => Expansion::Unknown,
    }
}

/// The keys and values of a `for_each`; None when they are not known, or an error was reported.
pub fn for_each_pairs(
    expr: &Expr,
    scope: &dyn Scope,
    diags: &mut Diagnostics,
    may_be_unknown: bool,
) -> Option<BTreeMap<Arc<str>, Value>> {
    let before = diags.error_count();
    let value = eval(expr, scope, diags);
    if diags.error_count() > before {
        return None;
    }
    if value.marks.ephemeral {
        diags.push(ephemeral(expr, "for_each"));
        return None;
    }
    // The keys of a set are its values: sensitive ones would show, too.
    let sensitive_keys =
        matches!(&value.kind, Kind::Set(_, items) if items.iter().any(Value::contains_sensitive));
    if value.marks.sensitive || sensitive_keys {
        let d = Diagnostic::error("invalid-repetition", "`for_each` cannot be sensitive").at(expr.span);
        diags.push(d.help("its keys show in addresses; take `nonsensitive(…)` of keys that may be seen"));
        return None;
    }
    match &value.kind {
        Kind::Map(_, items) | Kind::Object(items) => {
            Some(items.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
        }
        Kind::Set(_, items) if items.iter().all(|v| v.as_str().is_some()) => {
            Some(items.iter().filter_map(|v| Some((Arc::from(v.as_str()?), v.clone()))).collect())
        }
        Kind::Set(_, items) if items.iter().any(Value::is_unknown) => {
            if !may_be_unknown {
                diags.push(unknown_repetition(expr, "for_each", scope));
            }
            None
        }
        Kind::Unknown(_) => {
            if !may_be_unknown {
                diags.push(unknown_repetition(expr, "for_each", scope));
            }
            None
        }
        _ => {
            let d = invalid(expr, "`for_each` needs a map, an object or a set of strings", &value);
            diags.push(match value.as_slice() {
                Some(_) => {
                    let what = match references(expr).as_slice() {
                        [t] if t.span == expr.span => traversal_text(t),
                        _ => "…".to_owned(),
                    };
                    d.help(format!(
                        "a list has no keys: write `toset({what})`, or `{{ for x in {what} : x.name => x }}`"
                    ))
                }
                None => d.help("its keys become the instance keys"),
            });
            None
        }
    }
}

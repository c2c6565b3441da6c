//! count and for_each → instances.

use super::values::{Expansion, Repeated};
use crate::addr::InstanceKey;
use crate::config::Repetition;
use crate::config::body::describe;
use crate::diag::{Diagnostic, Diagnostics};
use crate::lang::eval::{Scope, eval};
use crate::lang::syntax::Expr;
use crate::value::{Kind, Type, Value, convert};
use std::collections::BTreeMap;
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
    }
}

/// What an instance of an unknown expansion sees.
pub fn unknown_instance(repetition: &Repetition) -> Repeated {
    match repetition {
        Repetition::Single => Repeated::default(),
        Repetition::Count(_) => Repeated { key: Some(InstanceKey::Index(0)), each_value: None },
        Repetition::ForEach(_) => Repeated { key: None, each_value: Some(Value::dynamic()) },
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
    if value.is_unknown() {
        if !may_be_unknown {
            diags.push(unknown_repetition(expr, "count"));
        }
        return Expansion::Unknown;
    }
    let whole = if value.as_bool().is_some() { None } else { convert(&value, &Type::Number).ok() };
    match whole.as_ref().and_then(Value::as_i64) {
        Some(n) if (0..=100_000).contains(&n) => {
            let each = |i| Repeated { key: Some(InstanceKey::Index(i)), each_value: None };
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

fn unknown_repetition(expr: &Expr, name: &str) -> Diagnostic {
    Diagnostic::error("unknown-repetition", format!("`{name}` is known only after apply"))
        .at(expr.span)
        .detail("How many instances there are must be known while planning; this depends on something that AWS decides.")
        .help("let it depend on variables and locals only, such as the names that the resources get, not their ids")
}

fn for_each(
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
    if value.marks.sensitive {
        let d = Diagnostic::error("invalid-repetition", "`for_each` cannot be sensitive").at(expr.span);
        diags.push(d.help("its keys show in addresses; take `nonsensitive(…)` of keys that may be seen"));
        return Expansion::Unknown;
    }
    let pairs: BTreeMap<Arc<str>, Value> = match &value.kind {
        Kind::Map(_, items) | Kind::Object(items) => {
            items.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
        }
        Kind::Set(_, items) if items.iter().all(|v| v.as_str().is_some()) => {
            items.iter().filter_map(|v| Some((Arc::from(v.as_str()?), v.clone()))).collect()
        }
        Kind::Set(_, items) if items.iter().any(Value::is_unknown) => {
            if !may_be_unknown {
                diags.push(unknown_repetition(expr, "for_each"));
            }
            return Expansion::Unknown;
        }
        Kind::Unknown(_) => {
            if !may_be_unknown {
                diags.push(unknown_repetition(expr, "for_each"));
            }
            return Expansion::Unknown;
        }
        _ => {
            let d = invalid(expr, "`for_each` needs a map, an object or a set of strings", &value);
            diags.push(match value.as_slice() {
                Some(_) => d.help("a list has no keys: write `toset(…)`, or `{ for x in … : x.name => x }`"),
                None => d.help("its keys become the instance keys"),
            });
            return Expansion::Unknown;
        }
    };
    let each = |(k, v): (Arc<str>, Value)| {
        (k.clone(), Repeated { key: Some(InstanceKey::Key(k)), each_value: Some(v) })
    };
    Expansion::ForEach(pairs.into_iter().map(each).collect())
}

//! `replace_triggered_by`: whether something that is named there changes.

use super::Walk;
use crate::addr::InstanceKey;
use crate::config::DeclKey;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::eval::{Scope, eval};
use crate::lang::syntax::{Expr, ExprKind};
use crate::plan::{Action, Change};
use crate::value::Value;

/// A reference taken apart: `aws_vpc.a[each.key].tags["x"]`.
struct Trigger {
    key: DeclKey,
    instance: Option<InstanceKey>,
    /// Attribute names and keys after it.
    path: Vec<Value>,
    span: Span,
}

impl Walk<'_> {
    /// Updates and replacements trigger; with an attribute, only if that becomes another.
    pub(super) fn triggered(
        &self,
        triggers: &[Expr],
        module: &crate::addr::ModulePath,
        scope: &dyn Scope,
        diags: &mut Diagnostics,
    ) -> bool {
        let parsed: Vec<Trigger> = triggers.iter().filter_map(|expr| trigger(expr, scope, diags)).collect();
        let mut fired = false;
        for trigger in &parsed {
            let of_resource = |c: &&Change| {
                c.address.module == *module
                    && c.address.mode == trigger.key.mode
                    && c.address.type_name == trigger.key.type_name
                    && c.address.name == trigger.key.name
            };
            let all: Vec<&Change> = self.changes.values().map(|c| &**c).filter(of_resource).collect();
            let named = |c: &Change| trigger.instance.as_ref().is_none_or(|key| *key == c.address.key);
            if !all.is_empty() && !all.iter().any(|c| named(c)) {
                diags.push(no_instance(trigger, &all));
            }
            fired |= all.into_iter().any(|change| named(change) && fires(change, &trigger.path));
        }
        fired
    }
}

fn no_instance(trigger: &Trigger, all: &[&Change]) -> Diagnostic {
    let key = trigger.instance.as_ref().unwrap_or(&InstanceKey::None);
    let keys: Vec<String> = all.iter().map(|c| c.address.key.to_string()).take(8).collect();
    Diagnostic::error("no-such-instance", format!("there is no `{}{key}`", trigger.key))
        .at(trigger.span)
        .help(format!("its instances are {}", keys.join(", ")))
}

fn fires(change: &Change, path: &[Value]) -> bool {
    if !matches!(change.action, Action::Update | Action::Replace) {
        return false;
    }
    if path.is_empty() {
        return true;
    }
    let Some(before) = change.before.as_ref().map(|b| at(Value::from(b.clone()), path)) else {
        return false;
    };
    let after = at(Value::from(change.after.clone()), path);
    match (before, after) {
        (Some(before), Some(after)) => before.without_marks() != after.without_marks(),
        (before, after) => before.is_some() != after.is_some(),
    }
}

/// The value at a path; None where the path leads nowhere.
fn at(value: Value, path: &[Value]) -> Option<Value> {
    path.iter().try_fold(value, |value, step| {
        if value.is_unknown() {
            return Some(value);
        }
        match (step.as_str(), step.as_i64()) {
            (Some(name), _) => value.as_map()?.get(name).cloned(),
            (None, Some(i)) => value.as_slice()?.get(usize::try_from(i).ok()?).cloned(),
            _ => None,
        }
    })
}

fn trigger(expr: &Expr, scope: &dyn Scope, diags: &mut Diagnostics) -> Option<Trigger> {
    let mut links = Vec::new();
    let mut base = expr;
    while let ExprKind::GetAttr { base: inner, .. } | ExprKind::Index { base: inner, .. } = &base.kind {
        links.push(base);
        base = inner;
    }
    let ExprKind::Root(type_name) = &base.kind else { return None };
    let mut steps = Vec::new();
    for link in links.into_iter().rev() {
        steps.push(match &link.kind {
            ExprKind::GetAttr { name, .. } => (Value::string(name.clone()), false),
            ExprKind::Index { key, .. } => (eval(key, scope, diags), true),
            _ => return None,
        });
    }
    let mut steps = steps.into_iter().peekable();
    let (mut name, _) = steps.next()?;
    let mut type_name = type_name.clone();
    if *type_name == *"resource" {
        type_name = name.as_str()?.into();
        (name, _) = steps.next()?;
    }
    let key = DeclKey { mode: crate::addr::Mode::Managed, type_name, name: name.as_str()?.into() };
    let instance =
        steps.next_if(|(_, is_key)| *is_key).and_then(|(key, _)| match (key.as_str(), key.as_i64()) {
            (Some(text), _) => Some(InstanceKey::Key(text.into())),
            (None, Some(i)) => u64::try_from(i).ok().map(InstanceKey::Index),
            _ => None,
        });
    Some(Trigger { key, instance, path: steps.map(|(value, _)| value).collect(), span: expr.span })
}

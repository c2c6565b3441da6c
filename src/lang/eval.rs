//! Expressions → values. Unknowns and marks travel through everything.

use super::syntax::{Expr, Traversal};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::value::{Type, Value};
use std::path::Path;

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
    /// Fewer functions when false (variable defaults, backend blocks allow none).
    fn allows_functions(&self) -> bool {
        true
    }
}

/// Evaluates `expr`. On an error: reported to `diags`, and the result is an unknown of unknown type.
pub fn eval(_expr: &Expr, _scope: &dyn Scope, _diags: &mut Diagnostics) -> Value {
    Value::dynamic()
}

/// Evaluates and converts; a failed conversion is reported at the expression.
pub fn eval_as(_expr: &Expr, _ty: &Type, _scope: &dyn Scope, _diags: &mut Diagnostics) -> Value {
    Value::dynamic()
}

/// All traversals in `expr` that do not start at a name bound inside it.
pub fn references(_expr: &Expr) -> Vec<Traversal> {
    Vec::new()
}

/// A type constraint with the defaults of its `optional(T, default)` attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeConstraint {
    pub ty: Type,
    pub defaults: Option<Box<Defaults>>,
}

/// Defaults inside an object type, nested where types nest.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Defaults {
    pub values: std::collections::BTreeMap<std::sync::Arc<str>, Value>,
    /// By attribute name, or "" for the element of a collection, or the index of a tuple.
    pub children: std::collections::BTreeMap<std::sync::Arc<str>, Defaults>,
}

impl TypeConstraint {
    pub fn any() -> Self {
        Self { ty: Type::Dynamic, defaults: None }
    }
}

/// Reads a type expression: `map(object({ name = string, size = optional(number, 3) }))`.
pub fn type_constraint(_expr: &Expr) -> Result<TypeConstraint, Diagnostic> {
    Ok(TypeConstraint::any())
}

/// Fills in `optional` defaults, then converts.
pub fn convert_to_constraint(
    value: &Value,
    _constraint: &TypeConstraint,
) -> Result<Value, crate::value::ConvertError> {
    Ok(value.clone())
}

/// Follows constant steps from a value, as indexing and attribute access do.
pub fn step_into(_value: &Value, _name_or_key: &Value, _span: Span) -> Result<Value, Diagnostic> {
    Ok(Value::dynamic())
}

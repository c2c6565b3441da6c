//! Conversions between types and the unification of several types into one.

use super::{Type, Value};

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}{what}", path_prefix(path))]
pub struct ConvertError {
    /// Where inside the value: `["a"].ports[0]`, empty for the value itself.
    pub path: String,
    /// `a number is required, but this is a list of string`
    pub what: String,
}

fn path_prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// Converts `value` to `ty` as Terraform would, or says why that cannot be.
pub fn convert(value: &Value, _ty: &Type) -> Result<Value, ConvertError> {
    Ok(value.clone())
}

/// The one type that all of `types` convert to, if there is one.
pub fn unify(_types: &[Type]) -> Option<Type> {
    None
}

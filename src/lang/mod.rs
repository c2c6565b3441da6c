//! The configuration language: text → syntax → values.

pub mod eval;
pub mod format;
pub mod functions;
#[cfg(test)]
mod hostile;
pub mod json;
mod lexer;
pub mod parse;
#[cfg(test)]
#[path = "../../tests/fuzz/properties.rs"]
mod properties;
pub mod syntax;

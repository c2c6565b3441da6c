//! The configuration language: text → syntax → values.

pub mod eval;
pub mod format;
pub mod functions;
pub mod json;
mod lexer;
pub mod parse;
pub mod syntax;

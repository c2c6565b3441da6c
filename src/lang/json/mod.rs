//! HCL's JSON syntax: text → JSON with spans ([`read`]) → the same syntax trees as the native syntax.
//!
//! Whether a property is an argument or a block depends on who reads it, so bodies are made elsewhere
//! (`config`); here are the values.

mod expr;
mod read;
#[cfg(test)]
mod tests;

pub use expr::Reading;
pub use read::read;

use crate::diag::Span;
use crate::value::Number;

/// A JSON value where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Json {
    pub kind: Kind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    String(Text),
    Array(Vec<Json>),
    /// In the order written; names may repeat.
    Object(Vec<Member>),
    /// Not understood, already reported.
    Error,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub name: Text,
    pub value: Json,
}

/// A string's value, and where its characters stand in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub value: String,
    /// Quotes included.
    pub span: Span,
    /// (offset in the value, offset in the file) behind each escape: elsewhere they run in step.
    escapes: Vec<(u32, u32)>,
}

impl Text {
    /// Where the byte at `offset` of the value stands in the file.
    fn place(&self, offset: u32) -> u32 {
        let known = self.escapes.partition_point(|(at, _)| *at <= offset);
        let (at, place) = match known {
            0 => (0, self.span.start + 1),
            n => self.escapes[n - 1],
        };
        (place + offset - at).min(self.span.end)
    }
}

impl Json {
    /// `an object`, for messages.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a bool",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a string",
            Kind::Array(_) => "an array",
            Kind::Object(_) => "an object",
            Kind::Error => "a mistake",
        }
    }
}

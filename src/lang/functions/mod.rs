//! The built-in functions, one file a family.

use super::eval::Scope;
use crate::value::{Type, Value};
use std::fmt;

mod collection;
mod date;
mod encoding;
mod file;
mod format;
mod hash;
mod ip;
mod map;
mod numeric;
mod pattern;
// Its constants are written as their authors did.
#[allow(clippy::excessive_precision, clippy::approx_constant)]
mod power;
mod provider;
mod re2;
mod set;
mod string;
mod table;
#[cfg(test)]
mod tests;
mod types;
pub mod yaml;

pub use file::render_template;
pub(super) use file::templatestring;
pub use provider::PROVIDER_FUNCTIONS;
pub use table::{FUNCTIONS, find};

/// So many bytes a value may have, written out.
pub const LARGEST_VALUE: usize = 64 << 20;
pub const LARGEST_VALUE_TEXT: &str = "64 MiB";

/// So many elements a function may make.
const MOST_ELEMENTS: usize = 1_000_000;

fn too_large() -> Failure {
    Failure::new(format!("the result would be larger than {LARGEST_VALUE_TEXT}"))
}

/// `bytes` if a text may be so long.
fn text_length(bytes: Option<usize>) -> Result<usize, Failure> {
    bytes.filter(|bytes| *bytes <= LARGEST_VALUE).ok_or_else(too_large)
}

fn too_many() -> Failure {
    Failure::new(format!("the result would have more than {MOST_ELEMENTS} elements"))
}

/// The type of a parameter; [`Any`](T::Any) is checked by the function itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum T {
    Any,
    Str,
    Num,
    Bool,
    ListAny,
    ListStr,
    ListBool,
    ListNum,
    SetAny,
    SetStr,
    MapListStr,
}

impl T {
    pub fn ty(self) -> Type {
        match self {
            T::Any => Type::Dynamic,
            T::Str => Type::String,
            T::Num => Type::Number,
            T::Bool => Type::Bool,
            T::ListAny => Type::list(Type::Dynamic),
            T::ListStr => Type::list(Type::String),
            T::ListBool => Type::list(Type::Bool),
            T::ListNum => Type::list(Type::Number),
            T::SetAny => Type::set(Type::Dynamic),
            T::SetStr => Type::set(Type::String),
            T::MapListStr => Type::map(Type::list(Type::String)),
        }
    }
}

/// A parameter, and which special values the function deals with itself. Without `null` a null argument
/// is an error, without `unknown` an unknown one makes the result unknown, without `dynamic` one of
/// unknown type makes even the result's type unknown, without `marked` marks inside the argument go to
/// the whole result.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub name: &'static str,
    pub ty: T,
    pub null: bool,
    pub unknown: bool,
    pub dynamic: bool,
    pub marked: bool,
}

impl Param {
    const fn new(name: &'static str, ty: T) -> Self {
        Self { name, ty, null: false, unknown: false, dynamic: false, marked: false }
    }

    const fn null(mut self) -> Self {
        self.null = true;
        self
    }

    const fn unknown(mut self) -> Self {
        self.unknown = true;
        self
    }

    const fn dynamic(mut self) -> Self {
        self.dynamic = true;
        self
    }

    const fn marked(mut self) -> Self {
        self.marked = true;
        self
    }
}

pub enum Returns {
    Is(T),
    /// Depends on the arguments (also on unknown ones).
    Of(fn(&[Value]) -> Result<Type, Failure>),
}

/// How a function is run.
pub enum Run {
    Plain(fn(&Call) -> Result<Value, Failure>),
    /// The evaluator does it, for it takes expressions: `try`, `can`, `templatestring`.
    Lazy(Lazy),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lazy {
    Try,
    Can,
    TemplateString,
}

pub struct Function {
    pub name: &'static str,
    /// One line: what it gives.
    pub doc: &'static str,
    pub params: &'static [Param],
    /// Any number of further arguments.
    pub rest: Option<Param>,
    pub returns: Returns,
    /// Whether the result may be null (so that an unknown one says nothing about it).
    pub nullable: bool,
    pub run: Run,
}

impl Function {
    pub fn param(&self, i: usize) -> Option<&Param> {
        self.params.get(i).or(self.rest.as_ref())
    }

    /// `replace(string, substring, replacement)`
    pub fn signature(&self) -> String {
        let mut names: Vec<String> = self.params.iter().map(|p| p.name.to_owned()).collect();
        names.extend(self.rest.map(|p| format!("{}...", p.name)));
        format!("{}({})", self.name, names.join(", "))
    }
}

/// One call: converted arguments without marks (but where the parameter takes them), and the result
/// type computed before.
pub struct Call<'a> {
    pub args: &'a [Value],
    pub ty: &'a Type,
    pub scope: &'a dyn Scope,
}

impl Call<'_> {
    /// Argument `i`, a known string by its parameter.
    pub fn str(&self, i: usize) -> &str {
        self.args.get(i).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn items(&self, i: usize) -> &[Value] {
        self.args.get(i).and_then(Value::as_slice).unwrap_or_default()
    }

    /// Argument `i` as a whole number, or the error that it is not one.
    pub fn whole(&self, i: usize) -> Result<i64, Failure> {
        self.args
            .get(i)
            .and_then(Value::as_i64)
            .ok_or_else(|| Failure::inside(i, "a whole number is required, of less than 19 digits"))
    }
}

/// Why a call failed, and which argument is to blame if one is.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub arg: Option<usize>,
    /// The error is the call's, for all that the argument tells why: Terraform places it so.
    pub whole: bool,
    pub what: String,
    pub help: Option<String>,
}

impl Failure {
    pub fn new(what: impl Into<String>) -> Self {
        Self { arg: None, whole: true, what: what.into(), help: None }
    }

    pub fn arg(i: usize, what: impl Into<String>) -> Self {
        Self { arg: Some(i), whole: false, what: what.into(), help: None }
    }

    /// The call fails for this argument.
    pub fn inside(i: usize, what: impl Into<String>) -> Self {
        Self { whole: true, ..Self::arg(i, what) }
    }

    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

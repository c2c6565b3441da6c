//! Values of the configuration language: known, unknown or null, with marks.
//!
//! Collections are shared (`Arc`), so that cloning a value is cheap.

mod convert;
mod json;
mod number;
mod types;

pub use convert::{ConvertError, convert, unify};
pub use json::{from_json, to_json};
pub use number::Number;
pub use types::{ObjectType, Type};

use std::collections::BTreeMap;
use std::sync::Arc;

pub type Map = BTreeMap<Arc<str>, Value>;

/// What is known of a value that is not known yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    pub ty: Type,
    pub not_null: bool,
    /// A known beginning of an unknown string.
    pub prefix: Option<Arc<str>>,
    /// Known bounds of an unknown collection's length.
    pub length: Option<(usize, usize)>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Unknown(Box<Unknown>),
    Null(Type),
    Bool(bool),
    Number(Number),
    String(Arc<str>),
    /// Element type, elements.
    List(Type, Arc<Vec<Value>>),
    /// Element type, elements: sorted and without duplicates.
    Set(Type, Arc<Vec<Value>>),
    Map(Type, Arc<Map>),
    Tuple(Arc<Vec<Value>>),
    Object(Arc<Map>),
}

/// Marks travel with a value through every operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Marks {
    pub sensitive: bool,
    pub ephemeral: bool,
}

impl Marks {
    pub fn union(self, other: Marks) -> Marks {
        Marks { sensitive: self.sensitive || other.sensitive, ephemeral: self.ephemeral || other.ephemeral }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    pub kind: Kind,
    pub marks: Marks,
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Self {
        Self { kind, marks: Marks::default() }
    }
}

impl Value {
    pub fn string(s: impl Into<Arc<str>>) -> Self {
        Kind::String(s.into()).into()
    }

    pub fn bool(b: bool) -> Self {
        Kind::Bool(b).into()
    }

    pub fn int(i: i64) -> Self {
        Kind::Number(Number::from(i)).into()
    }

    pub fn number(n: Number) -> Self {
        Kind::Number(n).into()
    }

    pub fn null(ty: Type) -> Self {
        Kind::Null(ty).into()
    }

    pub fn unknown(ty: Type) -> Self {
        Kind::Unknown(Box::new(Unknown { ty, not_null: false, prefix: None, length: None })).into()
    }

    /// An unknown that will not be null: what a resource's computed attribute is before it exists.
    pub fn unknown_not_null(ty: Type) -> Self {
        Kind::Unknown(Box::new(Unknown { ty, not_null: true, prefix: None, length: None })).into()
    }

    pub fn dynamic() -> Self {
        Self::unknown(Type::Dynamic)
    }

    pub fn list(element: Type, items: Vec<Value>) -> Self {
        Kind::List(element, Arc::new(items)).into()
    }

    pub fn tuple(items: Vec<Value>) -> Self {
        Kind::Tuple(Arc::new(items)).into()
    }

    pub fn map(element: Type, items: Map) -> Self {
        Kind::Map(element, Arc::new(items)).into()
    }

    pub fn object(items: Map) -> Self {
        Kind::Object(Arc::new(items)).into()
    }

    /// Sorts and removes duplicates.
    pub fn set(element: Type, items: Vec<Value>) -> Self {
        let mut items = items;
        items.sort_by(order);
        items.dedup();
        Kind::Set(element, Arc::new(items)).into()
    }

    pub fn marked(mut self, marks: Marks) -> Self {
        self.marks = self.marks.union(marks);
        self
    }

    pub fn sensitive(self) -> Self {
        self.marked(Marks { sensitive: true, ephemeral: false })
    }

    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null(_))
    }

    pub fn is_unknown(&self) -> bool {
        matches!(self.kind, Kind::Unknown(_))
    }

    /// Known through and through.
    pub fn is_wholly_known(&self) -> bool {
        !self.any(&mut |v| v.is_unknown())
    }

    pub fn contains_sensitive(&self) -> bool {
        self.any(&mut |v| v.marks.sensitive)
    }

    /// Whether `test` holds for this value or any value inside it.
    pub fn any(&self, test: &mut dyn FnMut(&Value) -> bool) -> bool {
        test(self) || self.children().any(|c| c.any(test))
    }

    pub fn children(&self) -> Box<dyn Iterator<Item = &Value> + '_> {
        match &self.kind {
            Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => Box::new(items.iter()),
            Kind::Map(_, items) | Kind::Object(items) => Box::new(items.values()),
            _ => Box::new(std::iter::empty()),
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(s) => Some(s),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(b) => Some(b),
            _ => None,
        }
    }

    pub fn as_number(&self) -> Option<&Number> {
        match &self.kind {
            Kind::Number(n) => Some(n),
            _ => None,
        }
    }

    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(Number::to_i64)
    }

    /// Elements of a list, set or tuple.
    pub fn as_slice(&self) -> Option<&[Value]> {
        match &self.kind {
            Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// Entries of a map or object.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(_, items) | Kind::Object(items) => Some(items),
            _ => None,
        }
    }

    pub fn ty(&self) -> Type {
        match &self.kind {
            Kind::Unknown(u) => u.ty.clone(),
            Kind::Null(ty) => ty.clone(),
            Kind::Bool(_) => Type::Bool,
            Kind::Number(_) => Type::Number,
            Kind::String(_) => Type::String,
            Kind::List(element, _) => Type::List(Arc::new(element.clone())),
            Kind::Set(element, _) => Type::Set(Arc::new(element.clone())),
            Kind::Map(element, _) => Type::Map(Arc::new(element.clone())),
            Kind::Tuple(items) => Type::Tuple(items.iter().map(Value::ty).collect()),
            Kind::Object(items) => Type::object(items.iter().map(|(k, v)| (k.clone(), v.ty()))),
        }
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::string(s)
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::string(s)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::bool(b)
    }
}

impl From<i64> for Value {
    fn from(i: i64) -> Self {
        Value::int(i)
    }
}

/// A total order of values, so that sets iterate sorted: null, false, true, numbers, strings (by
/// bytes), then collections element by element, then unknowns.
pub fn order(a: &Value, b: &Value) -> std::cmp::Ordering {
    use std::cmp::Ordering::*;
    fn rank(v: &Value) -> u8 {
        match v.kind {
            Kind::Null(_) => 0,
            Kind::Bool(_) => 1,
            Kind::Number(_) => 2,
            Kind::String(_) => 3,
            Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => 4,
            Kind::Map(..) | Kind::Object(_) => 5,
            Kind::Unknown(_) => 6,
        }
    }
    match (&a.kind, &b.kind) {
        (Kind::Bool(x), Kind::Bool(y)) => x.cmp(y),
        (Kind::Number(x), Kind::Number(y)) => x.cmp(y),
        (Kind::String(x), Kind::String(y)) => x.cmp(y),
        _ if rank(a) != rank(b) => rank(a).cmp(&rank(b)),
        _ => match (a.as_slice(), b.as_slice(), a.as_map(), b.as_map()) {
            (Some(x), Some(y), _, _) => x
                .iter()
                .zip(y)
                .map(|(x, y)| order(x, y))
                .find(|o| *o != Equal)
                .unwrap_or(x.len().cmp(&y.len())),
            (_, _, Some(x), Some(y)) => x
                .iter()
                .zip(y)
                .map(|((kx, vx), (ky, vy))| kx.cmp(ky).then_with(|| order(vx, vy)))
                .find(|o| *o != Equal)
                .unwrap_or(x.len().cmp(&y.len())),
            _ => Equal,
        },
    }
}

//! Values of the configuration language: known, unknown or null, with marks.
//!
//! Collections are shared (`Arc`), so that cloning a value is cheap.

mod answer;
mod compare;
mod convert;
mod describe;
mod json;
mod number;
mod secrets;
mod size;
mod small_map;
mod typed;
mod types;

pub use answer::{answer_json, exact_json, shape_json};
pub use compare::{equal, order};
pub use convert::{ConvertError, convert, unify};
pub use describe::{describe, is_printable, quote};
pub use json::{exact_numbers, from_json, json_text, parse_json, to_json, unrounded_json};
pub use number::{Number, NumberError};
pub use secrets::Secrets;
pub use size::Excess;
pub use small_map::SmallMap;
pub use typed::{parse_type, type_json, typed_json, value_of_type};
pub use types::{ObjectType, Type};

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

pub type Map = SmallMap<Arc<str>, Value>;

/// What is known of a value that is not known yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    pub ty: Type,
    pub not_null: bool,
    /// A known beginning of an unknown string.
    pub prefix: Option<Arc<str>>,
    /// Known bounds of an unknown collection's length.
    pub length: Option<(usize, usize)>,
    /// Known bounds of an unknown number, both inclusive.
    pub range: Option<(Number, Number)>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Unknown(Arc<Unknown>),
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
    pub const NONE: Marks = Marks { sensitive: false, ephemeral: false };
    pub const SENSITIVE: Marks = Marks { sensitive: true, ephemeral: false };
    pub const EPHEMERAL: Marks = Marks { sensitive: false, ephemeral: true };

    pub fn is_none(self) -> bool {
        self == Marks::NONE
    }

    pub fn union(self, other: Marks) -> Marks {
        Marks { sensitive: self.sensitive || other.sensitive, ephemeral: self.ephemeral || other.ephemeral }
    }
}

/// In Unicode normal form C.
pub fn normalized(s: Arc<str>) -> Arc<str> {
    let normal = s.is_ascii() || is_nfc_quick(s.chars()) == IsNormalized::Yes;
    if normal { s } else { s.nfc().collect::<String>().into() }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    pub kind: Kind,
    pub marks: Marks,
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Self {
        Self { kind, marks: Marks::NONE }
    }
}

impl Value {
    /// In Unicode normal form C, as all strings of the language are.
    pub fn string(s: impl Into<Arc<str>>) -> Self {
        Self::normal_string(normalized(s.into()))
    }

    /// Of text that is [`normalized`].
    pub fn normal_string(s: Arc<str>) -> Self {
        Kind::String(s).into()
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
        Self::unknown_of(ty, false)
    }

    /// Of the simple types one serves for all: every new resource has some.
    fn unknown_of(ty: Type, not_null: bool) -> Self {
        type Shared = BTreeMap<(Type, bool), Arc<Unknown>>;
        thread_local!(static SHARED: RefCell<Shared> = const { RefCell::new(BTreeMap::new()) });
        let new = |ty| Arc::new(Unknown { ty, not_null, prefix: None, length: None, range: None });
        let simple = ty.is_primitive() || ty == Type::Dynamic;
        let unknown = match simple {
            true => SHARED.with_borrow_mut(|shared| {
                shared.entry((ty.clone(), not_null)).or_insert_with(|| new(ty)).clone()
            }),
            false => new(ty),
        };
        Kind::Unknown(unknown).into()
    }

    /// An unknown that will not be null: what a resource's computed attribute is before it exists.
    pub fn unknown_not_null(ty: Type) -> Self {
        let not_null = ty != Type::Dynamic;
        Self::unknown_of(ty, not_null)
    }

    /// An unknown string that is known to start with `prefix` (less what later characters could join).
    pub fn unknown_prefixed(prefix: &str) -> Self {
        let safe = safe_prefix(prefix);
        Kind::Unknown(Arc::new(Unknown {
            ty: Type::String,
            not_null: true,
            prefix: (!safe.is_empty()).then(|| safe.into()),
            length: None,
            range: None,
        }))
        .into()
    }

    /// An unknown collection whose length lies between these; one of unknown elements if that says how many.
    pub fn unknown_length(ty: Type, least: usize, most: usize) -> Self {
        const MOST_ELEMENTS: usize = 1024;
        let elements = |ty: &Type| vec![Self::unknown(ty.clone()); least];
        match &ty {
            _ if least != most => {}
            Type::List(element) if least <= MOST_ELEMENTS => {
                return Self::list((**element).clone(), elements(element));
            }
            Type::Set(element) if least <= 1 => return Self::set((**element).clone(), elements(element)),
            Type::Map(element) if least == 0 => return Self::map((**element).clone(), Map::new()),
            _ => {}
        }
        let length = Some((least, most));
        Kind::Unknown(Arc::new(Unknown { ty, not_null: true, prefix: None, length, range: None })).into()
    }

    /// An unknown number between these, or the only one there is.
    pub fn unknown_between(least: Number, most: Number) -> Self {
        if least == most {
            return Self::number(least);
        }
        let range = Some((least, most));
        let ty = Type::Number;
        Kind::Unknown(Arc::new(Unknown { ty, not_null: true, prefix: None, length: None, range })).into()
    }

    /// What is known of a number's size, known or not; None for other values and where it may be null.
    pub fn number_bounds(&self) -> Option<(Number, Number)> {
        match &self.kind {
            Kind::Number(n) => Some((n.clone(), n.clone())),
            Kind::Unknown(u) if u.not_null => u.range.clone(),
            _ => None,
        }
    }

    /// If this is unknown, it now is known not to be null. Nothing can be said of an unknown type.
    pub fn refined_not_null(mut self) -> Self {
        if let Kind::Unknown(u) = &mut self.kind
            && u.ty != Type::Dynamic
            && !u.not_null
        {
            Arc::make_mut(u).not_null = true;
        }
        self
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

    /// Sorts and removes duplicates. Marks of elements become the set's: which element had them could
    /// not be told after.
    pub fn set(element: Type, items: Vec<Value>) -> Self {
        let marks = items.iter().fold(Marks::NONE, |m, v| m.union(v.all_marks()));
        let items = if marks.is_none() { items } else { items.iter().map(Value::without_marks).collect() };
        Value { kind: Kind::Set(element, Arc::new(compare::sorted_set(items))), marks }
    }

    pub fn marked(mut self, marks: Marks) -> Self {
        self.marks = self.marks.union(marks);
        self
    }

    pub fn sensitive(self) -> Self {
        self.marked(Marks::SENSITIVE)
    }

    /// The marks of this value and of all inside it.
    pub fn all_marks(&self) -> Marks {
        self.children().fold(self.marks, |marks, child| marks.union(child.all_marks()))
    }

    /// This value and all inside it without marks.
    pub fn without_marks(&self) -> Value {
        if self.all_marks().is_none() {
            return self.clone();
        }
        let list = |items: &Arc<Vec<Value>>| Arc::new(items.iter().map(Value::without_marks).collect());
        let map =
            |items: &Arc<Map>| Arc::new(items.iter().map(|(k, v)| (k.clone(), v.without_marks())).collect());
        let kind = match &self.kind {
            Kind::List(ty, items) => Kind::List(ty.clone(), list(items)),
            Kind::Set(ty, items) => Kind::Set(ty.clone(), list(items)),
            Kind::Tuple(items) => Kind::Tuple(list(items)),
            Kind::Map(ty, items) => Kind::Map(ty.clone(), map(items)),
            Kind::Object(items) => Kind::Object(map(items)),
            other => other.clone(),
        };
        kind.into()
    }

    /// Whether it surely is not null: known and not null, or an unknown that will not be.
    pub fn is_surely_not_null(&self) -> bool {
        match &self.kind {
            Kind::Null(_) => false,
            Kind::Unknown(u) => u.not_null,
            _ => true,
        }
    }

    /// Bounds of the length of a collection, tuple or object, known or not.
    pub fn length_bounds(&self) -> Option<(usize, usize)> {
        let exactly = |n: usize| Some((n, n));
        match &self.kind {
            Kind::List(_, items) | Kind::Tuple(items) => exactly(items.len()),
            // Unknown elements may turn out to be the same as others.
            Kind::Set(_, items) if items.iter().any(|v| !v.is_wholly_known()) => {
                Some((items.len().min(1), items.len()))
            }
            Kind::Set(_, items) => exactly(items.len()),
            Kind::Map(_, items) | Kind::Object(items) => exactly(items.len()),
            Kind::Unknown(u) => match &u.ty {
                Type::Tuple(items) => exactly(items.len()),
                Type::Object(o) => exactly(o.attributes.len()),
                Type::List(_) | Type::Set(_) | Type::Map(_) => Some(u.length.unwrap_or((0, usize::MAX))),
                _ => None,
            },
            _ => None,
        }
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

    /// Every known text within it.
    pub fn texts(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open = vec![self];
        while let Some(value) = open.pop() {
            match &value.kind {
                Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => open.extend(items.iter()),
                Kind::Map(_, items) | Kind::Object(items) => open.extend(items.values()),
                _ => found.extend(value.as_str()),
            }
        }
        found
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

/// What of `prefix` stays as it is whatever follows: the last character may still combine with more.
fn safe_prefix(prefix: &str) -> &str {
    use unicode_segmentation::UnicodeSegmentation;
    match prefix.chars().last() {
        Some(c) if c.is_ascii_punctuation() && !matches!(c, '<' | '=' | '>') || c == ' ' => prefix,
        _ => prefix.grapheme_indices(true).next_back().map_or("", |(i, _)| &prefix[..i]),
    }
}

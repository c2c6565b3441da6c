use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// A type of the configuration language. `Dynamic` is `any`: not (yet) known which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    Dynamic,
    Bool,
    Number,
    String,
    List(Arc<Type>),
    Set(Arc<Type>),
    Map(Arc<Type>),
    Tuple(Arc<[Type]>),
    Object(Arc<ObjectType>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ObjectType {
    pub attributes: BTreeMap<Arc<str>, Type>,
    /// Attributes that a value to be converted may lack (they become null).
    pub optional: BTreeSet<Arc<str>>,
}

impl Type {
    pub fn list(element: Type) -> Self {
        Type::List(Arc::new(element))
    }

    pub fn set(element: Type) -> Self {
        Type::Set(Arc::new(element))
    }

    pub fn map(element: Type) -> Self {
        Type::Map(Arc::new(element))
    }

    pub fn object(attributes: impl IntoIterator<Item = (Arc<str>, Type)>) -> Self {
        Type::Object(Arc::new(ObjectType {
            attributes: attributes.into_iter().collect(),
            optional: BTreeSet::new(),
        }))
    }

    pub fn tuple(items: impl IntoIterator<Item = Type>) -> Self {
        Type::Tuple(items.into_iter().collect())
    }

    pub fn is_primitive(&self) -> bool {
        matches!(self, Type::Bool | Type::Number | Type::String)
    }

    /// The element type of a list, set or map.
    pub fn element(&self) -> Option<&Type> {
        match self {
            Type::List(t) | Type::Set(t) | Type::Map(t) => Some(t),
            _ => None,
        }
    }

    /// The same type with no attribute optional: what values are of.
    pub fn without_optional(&self) -> Type {
        match self {
            Type::Dynamic | Type::Bool | Type::Number | Type::String => self.clone(),
            Type::List(t) => Type::list(t.without_optional()),
            Type::Set(t) => Type::set(t.without_optional()),
            Type::Map(t) => Type::map(t.without_optional()),
            Type::Tuple(items) => Type::tuple(items.iter().map(Type::without_optional)),
            Type::Object(o) => {
                Type::object(o.attributes.iter().map(|(k, t)| (k.clone(), t.without_optional())))
            }
        }
    }

    pub fn has_dynamic(&self) -> bool {
        match self {
            Type::Dynamic => true,
            Type::Bool | Type::Number | Type::String => false,
            Type::List(t) | Type::Set(t) | Type::Map(t) => t.has_dynamic(),
            Type::Tuple(items) => items.iter().any(Type::has_dynamic),
            Type::Object(o) => o.attributes.values().any(Type::has_dynamic),
        }
    }
}

/// As one writes it: `list(string)`, `object({ name = string, size = optional(number) })`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dynamic => f.write_str("any"),
            Type::Bool => f.write_str("bool"),
            Type::Number => f.write_str("number"),
            Type::String => f.write_str("string"),
            Type::List(t) => write!(f, "list({t})"),
            Type::Set(t) => write!(f, "set({t})"),
            Type::Map(t) => write!(f, "map({t})"),
            Type::Tuple(items) => {
                f.write_str("tuple([")?;
                for (i, t) in items.iter().enumerate() {
                    write!(f, "{}{t}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("])")
            }
            Type::Object(o) => {
                f.write_str("object({")?;
                for (i, (name, t)) in o.attributes.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { " " };
                    if o.optional.contains(name) {
                        write!(f, "{comma}{name} = optional({t})")?;
                    } else {
                        write!(f, "{comma}{name} = {t}")?;
                    }
                }
                f.write_str(if o.attributes.is_empty() { "})" } else { " })" })
            }
        }
    }
}

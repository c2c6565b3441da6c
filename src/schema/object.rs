//! The attributes of one resource, as values.

use super::{
    Any, Attr, Blocks, Bool, Field, Float, Int, IntList, IntSet, Json, Presence, Shape, Str, StrList, StrMap,
    StrSet, Table,
};
use crate::value::{Kind, Map, Type, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The attributes of one resource (or of one nested block), by name. Shared: a clone costs nothing until one
/// of the two is written to.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Object(pub Arc<Map>);

impl From<Map> for Object {
    fn from(map: Map) -> Self {
        Self(Arc::new(map))
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Kind::Object(object.0).into()
    }
}

impl Object {
    pub fn new() -> Self {
        Self::default()
    }

    /// The object or map that a value is.
    pub fn of(value: &Value) -> Option<Self> {
        match &value.kind {
            Kind::Object(map) | Kind::Map(_, map) => Some(Self(map.clone())),
            _ => None,
        }
    }

    /// None when absent, null or unknown.
    /// None for an empty string too, unless one is required: the provider's SDK cannot tell it from nothing, and
    /// sends neither.
    pub fn get<T: Field>(&self, attr: &Attr<T>) -> Option<T::Rust> {
        let value = self.value(attr.row.name)?;
        let nothing = value.as_str() == Some("") && attr.row.presence != Presence::Required;
        if nothing { None } else { T::read(value) }
    }

    /// For attributes that the schema requires: their absence is a defect of ours.
    pub fn need<T: Field>(&self, attr: &Attr<T>) -> T::Rust {
        self.value(attr.row.name)
            .and_then(T::read)
            .unwrap_or_else(|| panic!("`{}` is required, the schema said", attr.row.name))
    }

    /// Empty when absent: for lists, sets, maps and blocks.
    pub fn all<T: Field>(&self, attr: &Attr<T>) -> T::Rust
    where
        T::Rust: Default,
    {
        self.get(attr).unwrap_or_default()
    }

    /// The only block of its kind, if there.
    pub fn block(&self, attr: &Attr<Blocks>) -> Option<Object> {
        self.all(attr).into_iter().next()
    }

    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The id, empty while there is none.
    pub fn id(&self) -> &str {
        self.value("id").and_then(Value::as_str).unwrap_or("")
    }

    pub fn set<T: Field>(&mut self, attr: &Attr<T>, value: impl Put<T>) -> &mut Self {
        self.put(attr.row.name, value.put());
        self
    }

    /// Blocks need their row to know whether they are a list, a set or an object.
    pub fn set_blocks(&mut self, attr: &Attr<Blocks>, objects: Vec<Object>) -> &mut Self {
        let Some((nesting, table)) = attr.row.block_table() else { return self };
        let items: Vec<Value> = objects.into_iter().map(|o| o.complete(table).into()).collect();
        self.put(attr.row.name, Some(nesting.collect(table, items)));
        self
    }

    pub fn put(&mut self, name: &str, value: Option<Value>) {
        let map = Arc::make_mut(&mut self.0);
        match value {
            Some(value) => map.insert(shared_name(name), value),
            None => map.remove(name),
        };
    }

    /// Every attribute of the table present: null where there was none.
    pub fn complete(mut self, table: &Table) -> Self {
        let map = Arc::make_mut(&mut self.0);
        for row in table.rows {
            if map.contains_key(row.name) {
                continue;
            }
            let nothing = match row.shape {
                // `ingress = []` says that there shall be none, no `ingress` at all says nothing.
                _ if row.also_attribute => Value::null(row.ty()),
                Shape::Blocks(nesting, t) => nesting.collect(t, Vec::new()),
                _ => Value::null(row.ty()),
            };
            map.insert(shared_name(row.name), nothing);
        }
        self
    }

    /// Whether something other than null (or an empty block list) stands there.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|v| !is_absent(v))
    }
}

/// The names of attributes and of types, each kept once.
pub fn shared_name(name: &str) -> Arc<str> {
    thread_local!(static NAMES: RefCell<BTreeSet<Arc<str>>> = const { RefCell::new(BTreeSet::new()) });
    NAMES.with_borrow_mut(|names| match names.get(name) {
        Some(known) => known.clone(),
        None => {
            let new: Arc<str> = name.into();
            names.insert(new.clone());
            new
        }
    })
}

/// Null, or no blocks at all.
pub fn is_absent(value: &Value) -> bool {
    match &value.kind {
        Kind::Null(_) => true,
        Kind::List(Type::Object(_), items) | Kind::Set(Type::Object(_), items) => items.is_empty(),
        _ => false,
    }
}

/// What can be written to an attribute of kind `T`; None clears it.
pub trait Put<T: Field> {
    fn put(self) -> Option<Value>;
}

macro_rules! put {
    ($($kind:ty: $($from:ty => |$x:ident| $convert:expr),+;)*) => {
        $($(impl Put<$kind> for $from {
            fn put(self) -> Option<Value> {
                let $x = self;
                Some(<$kind as Field>::write($convert))
            }
        }
        impl Put<$kind> for Option<$from> {
            fn put(self) -> Option<Value> {
                self.and_then(|x| Put::<$kind>::put(x))
            }
        })+)*
    };
}

put! {
    Str: &str => |s| s.to_owned(), String => |s| s, &String => |s| s.clone();
    Json: &str => |s| s.to_owned(), String => |s| s;
    Int: i64 => |i| i, i32 => |i| i.into(), usize => |i| i as i64;
    Float: f64 => |f| f, f32 => |f| f.into();
    Bool: bool => |b| b;
    StrList: Vec<String> => |v| v, &[String] => |v| v.to_vec();
    StrSet: Vec<String> => |v| v, &[String] => |v| v.to_vec();
    IntSet: Vec<i64> => |v| v;
    IntList: Vec<i64> => |v| v;
    StrMap: BTreeMap<String, String> => |m| m;
    Any: Value => |v| v;
}

//! Attribute tables: what attributes a resource type has, how they behave in a diff, and typed handles
//! to read and write them.
//!
//! A table is written once with [`attributes!`]; the diff, validation, drift, renderers and the
//! lifecycle test over all types iterate it. Every type has `id` besides (see [`ID`]).

pub mod duration;
mod object;
pub mod second_name;

pub use object::{Object, Put, is_absent, shared_name};

use crate::value::{Kind, Map, Number, Type, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Required,
    Optional,
    /// AWS chooses when it is not declared; then it never shows as a difference.
    OptionalComputed,
    Computed,
}

#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Str,
    /// A string that holds JSON: compared as JSON.
    Json,
    Int,
    Float,
    Bool,
    List(&'static Shape),
    Set(&'static Shape),
    Map(&'static Shape),
    /// Any value, with its type: kept in state exactly as it was.
    Any,
    /// Nested blocks (`ingress { … }`); the value is a list or set of objects, or one object.
    Blocks(Nesting, &'static Table),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    List,
    Set,
    /// One object, null without the block (`timeouts`).
    Single,
}

impl Nesting {
    /// The value that blocks of this nesting make.
    pub fn collect(self, table: &'static Table, mut blocks: Vec<Value>) -> Value {
        match self {
            Nesting::List => Value::list(table.ty(), blocks),
            Nesting::Set => Value::set(table.ty(), blocks),
            Nesting::Single if blocks.is_empty() => Value::null(table.ty()),
            Nesting::Single => blocks.swap_remove(0),
        }
    }
}

/// The blocks in a value of any nesting.
pub fn blocks_in(value: &Value) -> &[Value] {
    match &value.kind {
        Kind::Object(_) | Kind::Map(..) => std::slice::from_ref(value),
        _ => value.as_slice().unwrap_or_default(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DefaultValue {
    Str(&'static str),
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl DefaultValue {
    pub fn value(self) -> Value {
        match self {
            DefaultValue::Str(s) => Value::string(s),
            DefaultValue::Int(i) => Value::int(i),
            DefaultValue::Float(f) => Value::number(Number::from_f64(f).expect("defaults are finite")),
            DefaultValue::Bool(b) => Value::bool(b),
        }
    }
}

/// When a change of an attribute needs a new resource.
#[derive(Clone, Copy)]
pub enum Replaces {
    Never,
    Always,
    /// Decides from (live object, desired object).
    If(fn(&Object, &Object) -> bool),
}

/// Checks a known, non-null value; the error completes the sentence "`name` …".
pub type Check = fn(&Value) -> Result<(), String>;

#[derive(Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    pub shape: Shape,
    pub presence: Presence,
    pub default: Option<DefaultValue>,
    pub replaces: Replaces,
    pub sensitive: bool,
    /// A secret that must be usable again: state keeps it encrypted, and needs a key for that.
    pub kept: bool,
    /// Sent, but never kept: neither state nor references have it, and a change of it alone is none. Only
    /// top-level attributes.
    pub write_only: bool,
    /// Drift is reported even when not declared.
    pub watched: bool,
    /// Another controller moves it after creation (a service's desired count under autoscaling, weights
    /// that a rollout moves): the declared value is used at creation only, if the predicate (live,
    /// desired) holds.
    pub owned_elsewhere: Option<fn(&Object, &Object) -> bool>,
    /// AWS never answers it (`force_delete`, `skip_destroy`): compared with what was applied.
    pub local: bool,
    /// Computed attribute that becomes unknown when an update touches one of these (any, if empty).
    pub unknown_after: Option<&'static [&'static str]>,
    /// What must hold besides `unknown_after`: (live, desired).
    pub unknown_when: Option<fn(&Object, &Object) -> bool>,
    /// Values that AWS treats as the same although they are written differently: (live, desired).
    pub same: Option<fn(&Value, &Value) -> bool>,
    /// It names things of one VPC (subnets, target groups), and AWS changes it in place only within that VPC:
    /// where this holds (live, desired), a change to things of another one replaces.
    pub bound_to_vpc: Option<fn(&Object, &Object) -> bool>,
    /// While it is live and true, AWS refuses to delete.
    pub protects: bool,
    /// Blocks: how many there must and may be. `max_items == 0`: no limit.
    pub min_items: usize,
    pub max_items: usize,
    /// Blocks that may also be written as an attribute (`ingress = []`).
    pub also_attribute: bool,
    pub one_of: &'static [&'static str],
    pub range: Option<(i64, i64)>,
    /// Checks a known, non-null value; the error completes the sentence "`name` …".
    pub check: Option<Check>,
    pub conflicts_with: &'static [&'static str],
    pub doc: &'static str,
    pub deprecated: Option<&'static str>,
}

pub struct Table {
    pub rows: &'static [Row],
}

impl Table {
    pub fn row(&self, name: &str) -> Option<&'static Row> {
        self.rows.iter().find(|r| r.name == name)
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.rows.iter().map(|r| r.name)).finish()
    }
}

impl Row {
    pub fn ty(&self) -> Type {
        self.shape.ty()
    }

    /// Whether nothing stands there: null, or no blocks. An empty list is something where any value may be.
    pub fn is_absent(&self, value: &Value) -> bool {
        if matches!(self.shape, Shape::Any) { value.is_null() } else { is_absent(value) }
    }

    /// Whether a declared value says anything: where AWS chooses, `""` leaves the choice to it as null does.
    pub fn declares(&self, value: &Value) -> bool {
        let left_to_aws = self.presence == Presence::OptionalComputed && value.as_str() == Some("");
        !self.is_absent(value) && !left_to_aws
    }

    pub fn settable(&self) -> bool {
        self.presence != Presence::Computed
    }

    pub fn block_table(&self) -> Option<(Nesting, &'static Table)> {
        match self.shape {
            Shape::Blocks(nesting, table) => Some((nesting, table)),
            _ => None,
        }
    }
}

impl Shape {
    pub fn ty(&self) -> Type {
        match self {
            Shape::Str | Shape::Json => Type::String,
            Shape::Int | Shape::Float => Type::Number,
            Shape::Bool => Type::Bool,
            Shape::Any => Type::Dynamic,
            Shape::List(s) => Type::list(s.ty()),
            Shape::Set(s) => Type::set(s.ty()),
            Shape::Map(s) => Type::map(s.ty()),
            Shape::Blocks(Nesting::List, table) => Type::list(table.ty()),
            Shape::Blocks(Nesting::Set, table) => Type::set(table.ty()),
            Shape::Blocks(Nesting::Single, table) => table.ty(),
        }
    }
}

impl Table {
    /// Made once a table (a static cannot hold it: constants refer to tables).
    pub fn ty(&self) -> Type {
        thread_local!(static TYPES: RefCell<BTreeMap<*const Row, Type>> = const { RefCell::new(BTreeMap::new()) });
        let table = self.rows.as_ptr();
        if let Some(known) = TYPES.with_borrow(|types| types.get(&table).cloned()) {
            return known;
        }
        let ty = Type::object(self.rows.iter().map(|r| (shared_name(r.name), r.ty())));
        TYPES.with_borrow_mut(|types| types.insert(table, ty.clone()));
        ty
    }
}

/// Kinds of attributes: the marker types of [`Attr`].
pub trait Field {
    type Rust;
    const SHAPE: Shape;
    fn read(value: &Value) -> Option<Self::Rust>;
    fn write(rust: Self::Rust) -> Value;
}

pub struct Str;
pub struct Json;
pub struct Int;
pub struct Float;
pub struct Bool;
pub struct StrList;
pub struct StrSet;
pub struct IntSet;
pub struct IntList;
pub struct StrMap;
pub struct Any;
/// Nested blocks: build with `.list(&TABLE)` or `.set(&TABLE)`.
pub struct Blocks;

fn strings(value: &Value) -> Option<Vec<String>> {
    Some(value.as_slice()?.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
}

macro_rules! field {
    ($marker:ty, $rust:ty, $shape:expr, $read:expr, $write:expr) => {
        impl Field for $marker {
            type Rust = $rust;
            const SHAPE: Shape = $shape;
            fn read(value: &Value) -> Option<$rust> {
                let read: fn(&Value) -> Option<$rust> = $read;
                read(value)
            }
            fn write(rust: $rust) -> Value {
                let write: fn($rust) -> Value = $write;
                write(rust)
            }
        }
    };
}

field!(Str, String, Shape::Str, |v| v.as_str().map(str::to_owned), Value::from);
field!(Json, String, Shape::Json, |v| v.as_str().map(str::to_owned), Value::from);
field!(Int, i64, Shape::Int, Value::as_i64, Value::int);
field!(Float, f64, Shape::Float, |v| v.as_number().map(Number::to_f64), |f| Number::from_f64(f)
    .map_or_else(|| Value::null(Type::Number), Value::number));
field!(Bool, bool, Shape::Bool, Value::as_bool, Value::bool);
field!(Any, Value, Shape::Any, |v| (!v.is_null() && !v.is_unknown()).then(|| v.clone()), |v| v);
field!(StrList, Vec<String>, Shape::List(&Shape::Str), strings, |items| {
    Value::list(Type::String, items.into_iter().map(Value::from).collect())
});
field!(StrSet, Vec<String>, Shape::Set(&Shape::Str), strings, |items| {
    Value::set(Type::String, items.into_iter().map(Value::from).collect())
});
field!(
    IntSet,
    Vec<i64>,
    Shape::Set(&Shape::Int),
    |v| Some(v.as_slice()?.iter().filter_map(Value::as_i64).collect()),
    |items| Value::set(Type::Number, items.into_iter().map(Value::int).collect())
);
field!(
    IntList,
    Vec<i64>,
    Shape::List(&Shape::Int),
    |v| Some(v.as_slice()?.iter().filter_map(Value::as_i64).collect()),
    |items| Value::list(Type::Number, items.into_iter().map(Value::int).collect())
);
field!(
    StrMap,
    BTreeMap<String, String>,
    Shape::Map(&Shape::Str),
    |v| {
        let entries = v.as_map()?.iter();
        Some(entries.filter_map(|(k, v)| Some((k.to_string(), v.as_str()?.to_owned()))).collect())
    },
    |map| {
        let entries: Map = map.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Value::map(Type::String, entries)
    }
);
field!(
    Blocks,
    Vec<Object>,
    // Replaced by `.list()` or `.set()`.
    Shape::Blocks(Nesting::List, &Table { rows: &[] }),
    |v| Some(blocks_in(v).iter().filter_map(Object::of).collect()),
    |objects| {
        let items: Vec<Value> = objects.into_iter().map(Value::from).collect();
        let element = items.first().map_or(Type::Dynamic, Value::ty);
        Value::list(element, items)
    }
);

/// A typed handle to one attribute: reads and writes it in an [`Object`], and carries its table row.
pub struct Attr<T> {
    pub row: Row,
    marker: PhantomData<fn() -> T>,
}

impl<T: Field> Attr<T> {
    const fn new(name: &'static str, presence: Presence) -> Self {
        let row = Row {
            name,
            shape: T::SHAPE,
            presence,
            default: None,
            replaces: Replaces::Never,
            sensitive: false,
            kept: false,
            write_only: false,
            watched: false,
            owned_elsewhere: None,
            local: false,
            unknown_after: None,
            unknown_when: None,
            same: None,
            bound_to_vpc: None,
            protects: false,
            min_items: 0,
            max_items: 0,
            also_attribute: false,
            one_of: &[],
            range: None,
            check: None,
            conflicts_with: &[],
            doc: "",
            deprecated: None,
        };
        Self { row, marker: PhantomData }
    }

    pub const fn required(name: &'static str) -> Self {
        Self::new(name, Presence::Required)
    }

    pub const fn optional(name: &'static str) -> Self {
        Self::new(name, Presence::Optional)
    }

    pub const fn optional_computed(name: &'static str) -> Self {
        Self::new(name, Presence::OptionalComputed)
    }

    pub const fn computed(name: &'static str) -> Self {
        Self::new(name, Presence::Computed)
    }
}

/// Builder steps, one a field of [`Row`].
macro_rules! builder {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) => $($path:ident).+ = $value:expr;)*) => {
        impl<T> Attr<T> {
            $($(#[$doc])* pub const fn $name(mut self $(, $arg: $ty)*) -> Self {
                self.$($path).+ = $value;
                self
            })*
        }
    };
}

builder! {
    /// A change needs a new resource.
    replaces() => row.replaces = Replaces::Always;
    replaces_if(test: fn(&Object, &Object) -> bool) => row.replaces = Replaces::If(test);
    default_str(s: &'static str) => row.default = Some(DefaultValue::Str(s));
    default_int(i: i64) => row.default = Some(DefaultValue::Int(i));
    default_float(f: f64) => row.default = Some(DefaultValue::Float(f));
    default_bool(b: bool) => row.default = Some(DefaultValue::Bool(b));
    sensitive() => row.sensitive = true;
    kept() => row.kept = true;
    write_only() => row.write_only = true;
    watched() => row.watched = true;
    owned_elsewhere(test: fn(&Object, &Object) -> bool) => row.owned_elsewhere = Some(test);
    local() => row.local = true;
    unknown_after_update() => row.unknown_after = Some(&[]);
    unknown_after_change_of(names: &'static [&'static str]) => row.unknown_after = Some(names);
    unknown_when(test: fn(&Object, &Object) -> bool) => row.unknown_when = Some(test);
    same(test: fn(&Value, &Value) -> bool) => row.same = Some(test);
    bound_to_vpc_if(test: fn(&Object, &Object) -> bool) => row.bound_to_vpc = Some(test);
    protects() => row.protects = true;
    min_items(n: usize) => row.min_items = n;
    /// 0: no limit.
    max_items(n: usize) => row.max_items = n;
    also_attribute() => row.also_attribute = true;
    one_of(values: &'static [&'static str]) => row.one_of = values;
    range(min: i64, max: i64) => row.range = Some((min, max));
    check(test: fn(&Value) -> Result<(), String>) => row.check = Some(test);
    conflicts_with(names: &'static [&'static str]) => row.conflicts_with = names;
    doc(text: &'static str) => row.doc = text;
    deprecated(text: &'static str) => row.deprecated = Some(text);
}

impl Attr<Blocks> {
    pub const fn list(mut self, table: &'static Table) -> Self {
        self.row.shape = Shape::Blocks(Nesting::List, table);
        self
    }

    pub const fn set(mut self, table: &'static Table) -> Self {
        self.row.shape = Shape::Blocks(Nesting::Set, table);
        self
    }

    /// At most one block.
    pub const fn single(mut self, table: &'static Table) -> Self {
        self.row.max_items = 1;
        self.list(table)
    }

    /// At most one block, and the value is an object rather than a list.
    pub const fn object(mut self, table: &'static Table) -> Self {
        self.row.max_items = 1;
        self.row.shape = Shape::Blocks(Nesting::Single, table);
        self
    }
}

/// Declares typed handles and the table that lists them.
///
/// ```ignore
/// attributes! {
///     TABLE [TAGS, TAGS_ALL]:   // handles declared elsewhere that are rows here too
///     CIDR_BLOCK: Str = required("cidr_block").replaces();
/// }
/// ```
#[macro_export]
macro_rules! attributes {
    ($table:ident $([$($shared:ident),*])?: $($name:ident: $kind:ident = $ctor:ident($attr:literal) $(.$method:ident($($arg:expr),* $(,)?))*;)*) => {
        $(pub const $name: $crate::schema::Attr<$crate::schema::$kind> =
            $crate::schema::Attr::<$crate::schema::$kind>::$ctor($attr)$(.$method($($arg),*))*;)*
        pub static $table: $crate::schema::Table = $crate::schema::Table { rows: &[$($name.row,)* $($($shared.row),*)?] };
    };
}
pub use crate::attributes;

/// Every resource and data source has it.
pub const ID: Attr<Str> = Attr::<Str>::computed("id");

/// Computed attributes whose values are known before AWS is asked.
pub type Predicted = Vec<(&'static str, Value)>;

/// (id or name of a resource, attribute) → its value.
pub type LookUp<'a> = dyn Fn(&str, &str) -> Option<Value> + 'a;

/// A resource type as everything but its provider sees it.
pub struct TypeSchema {
    pub name: &'static str,
    pub table: &'static Table,
    /// One sentence for docs and hover.
    pub doc: &'static str,
    /// A complete HCL example; the lifecycle test applies it, so it must stand alone.
    pub example: &'static str,
    /// A replacement is created before the old one is deleted without anyone asking (a task definition
    /// revision: the old one must live until the service has left it).
    pub create_before_destroy: bool,
    /// Attributes of which AWS allows no two resources to have the same values (a name): a replacement that
    /// keeps them cannot be created before the old one is deleted, whatever was asked for.
    pub unique: &'static [&'static str],
    /// So long may its `name` be. A replacement that keeps the name is then created first all the same, under a
    /// second name (see [`second_name`]).
    pub second_name: Option<usize>,
    /// Whether the old one and a replacement can work side by side. Gets live and desired.
    pub may_stand_beside: fn(&Object, &Object) -> bool,
    /// Attributes that others set while it lives (an autoscaler), and that a replacement takes over.
    pub carried: &'static [&'static str],
    /// Checks that span attributes, on desired values with unknowns: (attribute or "", problem).
    pub validate: fn(&Object) -> Vec<(&'static str, String)>,
    /// Defaults that depend on other attributes; gets and completes desired.
    pub complete: fn(&mut Object),
    /// What a planned create or update already knows of computed attributes (`id` of a role is its
    /// name); gets desired, returns name → value.
    pub predict: fn(&Object) -> Predicted,
    /// The same for one that exists: gets desired and the names of the attributes that change (none: it
    /// stays as it is).
    pub predict_update: fn(&Object, &[&str]) -> Predicted,
    /// Gives what is live the value that words of the configuration (`$Latest`) stand for now, where a change of
    /// something else in the same plan makes them stand for another: then it differs. Gets live, desired, and a
    /// look-up: of the resource with this id or name, what an attribute is now if it is about to change.
    pub resolve_words: fn(&mut Object, &Object, &LookUp<'_>),
}

impl TypeSchema {
    pub const fn new(name: &'static str, table: &'static Table) -> Self {
        Self {
            name,
            table,
            doc: "",
            example: "",
            create_before_destroy: false,
            unique: &[],
            second_name: None,
            may_stand_beside: |_, _| true,
            carried: &[],
            validate: |_| Vec::new(),
            complete: |_| {},
            predict: |_| Vec::new(),
            predict_update: |_, _| Vec::new(),
            resolve_words: |_, _, _| {},
        }
    }

    /// Where the declared name is taken by the old one: what a replacement beside it is called.
    pub fn free_name(&self, live: &Object, wanted: &Object) -> Option<String> {
        let longest = self.second_name?;
        let of = |object: &Object| object.value("name").and_then(|v| v.as_str().map(str::to_owned));
        let (live, declared) = (of(live)?, of(wanted)?);
        second_name::is_same(&live, &declared, longest).then(|| second_name::free(&live, &declared, longest))
    }

    /// Whether state must keep secrets of it encrypted.
    pub fn needs_key(&self) -> bool {
        self.table.rows.iter().any(|row| row.kept)
    }

    /// The row of an attribute, `id` included.
    pub fn row(&self, name: &str) -> Option<&'static Row> {
        static ID_ROW: Row = ID.row;
        if name == "id" { self.table.row("id").or(Some(&ID_ROW)) } else { self.table.row(name) }
    }
}

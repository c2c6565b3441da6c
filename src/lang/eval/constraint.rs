//! Type expressions and the defaults of their optional attributes.

use super::super::syntax::{Expr, ExprKind};
use super::references::literal_text;
use super::{Scope, eval};
use crate::diag::{Diagnostic, Diagnostics, nearest};
use crate::value::{ConvertError, Kind, Map, ObjectType, Type, Value, convert};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A type constraint with the defaults of its `optional(T, default)` attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeConstraint {
    pub ty: Type,
    pub defaults: Option<Box<Defaults>>,
}

/// Defaults inside an object type, nested where types nest.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Defaults {
    pub values: BTreeMap<Arc<str>, Value>,
    /// By attribute name, or "" for the element of a collection, or the index of a tuple.
    pub children: BTreeMap<Arc<str>, Defaults>,
}

impl TypeConstraint {
    pub fn any() -> Self {
        Self { ty: Type::Dynamic, defaults: None }
    }
}

impl Defaults {
    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.children.is_empty()
    }
}

const KEYWORDS: [&str; 11] =
    ["any", "bool", "list", "map", "number", "object", "optional", "set", "string", "tuple", "dynamic"];

/// Reads a type expression: `map(object({ name = string, size = optional(number, 3) }))`.
pub fn type_constraint(expr: &Expr) -> Result<TypeConstraint, Diagnostic> {
    let (ty, defaults) = read(expr)?;
    Ok(TypeConstraint { ty, defaults: (!defaults.is_empty()).then(|| Box::new(defaults)) })
}

fn invalid(expr: &Expr, summary: impl Into<String>) -> Diagnostic {
    Diagnostic::error("invalid-type", summary.into()).at(expr.span)
}

fn read(expr: &Expr) -> Result<(Type, Defaults), Diagnostic> {
    let plain = |ty| Ok((ty, Defaults::default()));
    match &expr.kind {
        ExprKind::Paren(inner) => read(inner),
        ExprKind::Root(name) => match &**name {
            "any" => plain(Type::Dynamic),
            "bool" => plain(Type::Bool),
            "number" => plain(Type::Number),
            "string" => plain(Type::String),
            // Written without an element type in old configurations.
            "list" => plain(Type::list(Type::Dynamic)),
            "map" => plain(Type::map(Type::Dynamic)),
            "set" => Err(invalid(expr, "`set` needs its element type: `set(string)`")),
            "object" => Err(invalid(expr, "`object` needs its attributes: `object({ name = string })`")),
            "tuple" => Err(invalid(expr, "`tuple` needs its element types: `tuple([string, number])`")),
            other => Err(unknown_type(expr, other)),
        },
        ExprKind::Call(call) => read_call(expr, &call.name.name, &call.args),
        ExprKind::Text { value, .. } => Err(quoted(expr, value)),
        ExprKind::Template(parts) => Err(quoted(expr, &literal_text(parts).unwrap_or_default())),
        _ => Err(invalid(expr, "this is not a type").help("types are `string`, `number`, `bool`, `list(…)`, `set(…)`, `map(…)`, `object({…})`, `tuple([…])` and `any`")),
    }
}

fn unknown_type(expr: &Expr, name: &str) -> Diagnostic {
    let diagnostic = invalid(expr, format!("there is no type `{name}`"));
    match nearest(name, KEYWORDS) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

fn read_call(expr: &Expr, name: &str, args: &[Expr]) -> Result<(Type, Defaults), Diagnostic> {
    let one = |args: &[Expr]| match args {
        [arg] => read(arg),
        _ => Err(invalid(expr, format!("`{name}` takes exactly one type"))),
    };
    let collection = |make: fn(Type) -> Type| {
        let (element, inner) = one(args)?;
        let mut defaults = Defaults::default();
        if !inner.is_empty() {
            defaults.children.insert("".into(), inner);
        }
        Ok((make(element), defaults))
    };
    match name {
        "list" => collection(Type::list),
        "set" => collection(Type::set),
        "map" => collection(Type::map),
        "tuple" => match args {
            [Expr { kind: ExprKind::Tuple(items), .. }] => read_tuple(items),
            _ => Err(invalid(expr, "`tuple` takes a list of types: `tuple([string, number])`")),
        },
        "object" => match args {
            [Expr { kind: ExprKind::Object(items), .. }] => {
                read_object(items.iter().map(|item| (&item.key, &item.value)))
            }
            _ => {
                Err(invalid(expr, "`object` takes attributes with their types: `object({ name = string })`"))
            }
        },
        "optional" => Err(invalid(expr, "`optional` stands only around the type of an object's attribute")),
        "any" | "bool" | "number" | "string" => Err(invalid(expr, format!("`{name}` takes no arguments"))),
        other => Err(unknown_type(expr, other)),
    }
}

fn read_tuple(items: &[Expr]) -> Result<(Type, Defaults), Diagnostic> {
    let mut types = Vec::new();
    let mut defaults = Defaults::default();
    for (i, item) in items.iter().enumerate() {
        let (ty, inner) = read(item)?;
        types.push(ty);
        if !inner.is_empty() {
            defaults.children.insert(i.to_string().into(), inner);
        }
    }
    Ok((Type::tuple(types), defaults))
}

fn quoted(expr: &Expr, text: &str) -> Diagnostic {
    let diagnostic = invalid(expr, "a type is written without quotes");
    match text {
        "string" => diagnostic.help("write `string`"),
        "list" | "map" => diagnostic.help(format!("write `{text}(string)`")),
        _ => diagnostic,
    }
}

fn read_object<'e>(
    items: impl Iterator<Item = (&'e Expr, &'e Expr)>,
) -> Result<(Type, Defaults), Diagnostic> {
    let mut object = ObjectType::default();
    let mut defaults = Defaults::default();
    for (key, value) in items {
        let name: Arc<str> = match &key.kind {
            // A bare name is all of the key; in quotes there is none.
            ExprKind::Text { value, bare: true } => Some(value.clone()),
            _ => None,
        }
        .ok_or_else(|| invalid(key, "the name of an attribute is written as it is, without quotes"))?;
        if object.attributes.contains_key(&name) {
            return Err(invalid(key, format!("the attribute `{name}` is declared twice")));
        }
        let (ty, inner) = match &value.kind {
            ExprKind::Call(call) if &*call.name.name == "optional" => {
                object.optional.insert(name.clone());
                read_optional(value, &call.args, &name, &mut defaults)?
            }
            _ => read(value)?,
        };
        if !inner.is_empty() {
            defaults.children.insert(name.clone(), inner);
        }
        object.attributes.insert(name, ty);
    }
    Ok((Type::Object(Arc::new(object)), defaults))
}

fn read_optional(
    expr: &Expr,
    args: &[Expr],
    name: &Arc<str>,
    defaults: &mut Defaults,
) -> Result<(Type, Defaults), Diagnostic> {
    let (ty, default) = match args {
        [ty] => (ty, None),
        [ty, default] => (ty, Some(default)),
        _ => return Err(invalid(expr, "`optional` takes a type and, if wanted, a default")),
    };
    let (ty, inner) = read(ty)?;
    if let Some(default) = default {
        let mut diags = Diagnostics::default();
        let value = eval(default, &Constants, &mut diags);
        if let Some(diagnostic) = diags.into_iter().next() {
            return Err(diagnostic);
        }
        let value = convert(&value, &ty).map_err(|error| {
            invalid(default, format!("the default of `{name}` does not fit its type: {error}"))
        })?;
        defaults.values.insert(name.clone(), value);
    }
    Ok((ty, inner))
}

/// Defaults are constant: no names, no functions.
struct Constants;

impl Scope for Constants {
    fn resolve(&self, traversal: &super::Traversal) -> Result<super::Resolved, Diagnostic> {
        Err(Diagnostic::error("not-constant", "a default must be constant").at(traversal.span))
    }

    fn base_dir(&self) -> &Path {
        Path::new(".")
    }

    fn allows_functions(&self) -> bool {
        false
    }
}

/// Fills in `optional` defaults, then converts.
pub fn convert_to_constraint(value: &Value, constraint: &TypeConstraint) -> Result<Value, ConvertError> {
    match &constraint.defaults {
        Some(defaults) => convert(&with_defaults(value, defaults), &constraint.ty),
        None => convert(value, &constraint.ty),
    }
}

/// `value` with the defaults put where attributes are missing or null, inside them too.
fn with_defaults(value: &Value, defaults: &Defaults) -> Value {
    let element = defaults.children.get("");
    let each = |items: &[Value]| -> Vec<Value> {
        let inner = |(i, v): (usize, &Value)| {
            let own = element.or_else(|| defaults.children.get(i.to_string().as_str()));
            own.map_or_else(|| v.clone(), |d| with_defaults(v, d))
        };
        items.iter().enumerate().map(inner).collect()
    };
    let kind = match &value.kind {
        Kind::Unknown(_) | Kind::Null(_) => return value.clone(),
        // Elements that get attributes may no longer be of one type until they are converted.
        Kind::List(_, items) | Kind::Tuple(items) => Kind::Tuple(Arc::new(each(items))),
        Kind::Set(_, items) => Kind::Tuple(Arc::new(each(items))),
        Kind::Map(_, items) | Kind::Object(items) => match element {
            Some(inner) => Kind::Object(Arc::new(
                items.iter().map(|(k, v)| (k.clone(), with_defaults(v, inner))).collect(),
            )),
            None => Kind::Object(Arc::new(object_with_defaults(items, defaults))),
        },
        _ => return value.clone(),
    };
    Value { kind, marks: value.marks }
}

fn object_with_defaults(items: &Map, defaults: &Defaults) -> Map {
    let mut out = items.clone();
    for (name, default) in &defaults.values {
        match out.get(name) {
            Some(given) if !given.is_null() => {}
            given => {
                let marks = given.map_or_else(Default::default, |v| v.marks);
                out.insert(name.clone(), default.clone().marked(marks));
            }
        }
    }
    for (name, inner) in &defaults.children {
        if let Some(value) = out.get(name) {
            let filled = with_defaults(value, inner);
            out.insert(name.clone(), filled);
        }
    }
    out
}

//! Attributes and elements of values.

use super::did_you_mean;
use crate::diag::{Diagnostic, Span};
use crate::value::{Kind, Map, Type, Value, convert, describe};

/// Follows one constant step from a value, as an index does: a number into lists and tuples, a string
/// into maps and objects.
pub fn step_into(value: &Value, name_or_key: &Value, span: Span) -> Result<Value, Diagnostic> {
    index(value, name_or_key, span)
}

/// `value.name`
pub(super) fn attribute(value: &Value, name: &str, span: Span) -> Result<Value, Diagnostic> {
    let unsupported = |summary: String| Diagnostic::error("unknown-attribute", summary).at(span);
    let hidden = Hidden { key: false, names: value.marks.sensitive };
    let found = match &value.kind {
        Kind::Null(_) => {
            return Err(Diagnostic::error("null-value", format!("a null value has no attribute `{name}`"))
                .at(span)
                .help("test for null first, or use try()"));
        }
        Kind::Object(items) => match items.get(name) {
            Some(item) => item.clone(),
            None => return Err(no_attribute(name, items.keys(), hidden, span)),
        },
        Kind::Map(_, items) => match items.get(name) {
            Some(item) => item.clone(),
            None => return Err(no_element(name, items, hidden, span)),
        },
        Kind::Unknown(u) => match &u.ty {
            Type::Dynamic => Value::dynamic(),
            Type::Map(element) => Value::unknown((**element).clone()),
            Type::Object(o) => match o.attributes.get(name) {
                Some(ty) => Value::unknown(ty.clone()),
                None => return Err(no_attribute(name, o.attributes.keys(), hidden, span)),
            },
            other => return Err(not_an_object(other, name, unsupported)),
        },
        _ => return Err(not_an_object(&value.ty(), name, unsupported)),
    };
    Ok(found.marked(value.marks))
}

fn not_an_object(ty: &Type, name: &str, unsupported: impl Fn(String) -> Diagnostic) -> Diagnostic {
    let diagnostic = unsupported(format!("{} has no attribute `{name}`", ty.a_noun()));
    match ty {
        Type::List(t) | Type::Set(t) if matches!(**t, Type::Object(_)) => diagnostic
            .help(format!("for the `{name}` of every element write `[*].{name}`, of one `[0].{name}`")),
        Type::Tuple(_) => diagnostic.help(format!("for the `{name}` of every element write `[*].{name}`")),
        Type::List(_) | Type::Set(_) => diagnostic
            .help("it has elements: `[0]` is the first of a list, `for x in … : …` goes through all"),
        _ => diagnostic,
    }
}

/// What a message must not show, for it is sensitive.
#[derive(Clone, Copy)]
struct Hidden {
    key: bool,
    /// The names of the attributes or keys that there are.
    names: bool,
}

impl Hidden {
    fn shown(self, key: &str) -> String {
        if self.key { "with this (sensitive) name".to_owned() } else { format!("`{key}`") }
    }
}

fn no_attribute<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a std::sync::Arc<str>> + Clone,
    hidden: Hidden,
    span: Span,
) -> Diagnostic {
    let summary = format!("this object has no attribute {}", hidden.shown(name));
    let diagnostic = Diagnostic::error("unknown-attribute", summary).at(span);
    if hidden.names {
        return diagnostic;
    }
    let list: Vec<String> = known.clone().into_iter().take(12).map(|k| format!("`{k}`")).collect();
    let diagnostic = if list.is_empty() {
        diagnostic.note("the object has no attributes at all")
    } else {
        diagnostic.note(format!("it has {}", list.join(", ")))
    };
    match did_you_mean(name, known) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn no_element(key: &str, items: &Map, hidden: Hidden, span: Span) -> Diagnostic {
    let summary = format!("this map has no element {}", hidden.shown(key));
    let diagnostic = Diagnostic::error("missing-element", summary).at(span);
    match did_you_mean(key, items.keys()).filter(|_| !hidden.names) {
        Some(help) => diagnostic.help(help),
        None => diagnostic.help("use lookup() with a default for keys that may be missing"),
    }
}

/// `value[key]`
pub(super) fn index(value: &Value, key: &Value, span: Span) -> Result<Value, Diagnostic> {
    let invalid = |summary: String| Diagnostic::error("invalid-index", summary).at(span);
    if value.is_null() {
        return Err(Diagnostic::error("null-value", "a null value has no elements")
            .at(span)
            .help("test for null first, or use try()"));
    }
    if key.is_null() {
        return Err(invalid("the index is null".to_owned()));
    }
    let marks = value.marks.union(key.marks);
    let hidden = Hidden { key: key.marks.sensitive, names: marks.sensitive };
    let (ty, key_ty) = (shape(value), key.ty());
    if ty == Type::Dynamic || key_ty == Type::Dynamic {
        return Ok(Value::dynamic().marked(marks));
    }
    let wanted = match ty {
        Type::List(_) | Type::Tuple(_) => Type::Number,
        Type::Map(_) | Type::Object(_) => Type::String,
        Type::Set(_) => {
            return Err(invalid("the elements of a set have no index".to_owned())
                .help("use tolist() first; its order is that of the values"));
        }
        other => return Err(invalid(format!("{} has no elements", other.a_noun()))),
    };
    let key = convert(key, &wanted).map_err(|error| {
        let d = invalid(format!("the index is unsuitable: {}", error.what));
        match wanted {
            Type::Number => {
                d.help("a list has numbers from 0 for indices; what has names is a map or an object")
            }
            _ => d,
        }
    })?;
    let found = match (&value.kind, &key.kind) {
        (_, Kind::Unknown(_)) => match &ty {
            Type::List(element) | Type::Map(element) => Value::unknown((**element).clone()),
            _ => Value::dynamic(),
        },
        (Kind::List(_, items) | Kind::Tuple(items), Kind::Number(n)) => {
            match n.to_usize().and_then(|i| items.get(i)) {
                Some(item) => item.clone(),
                None => return Err(out_of_range(&key, items.len(), invalid)),
            }
        }
        (Kind::Map(_, items), Kind::String(k)) => match items.get(k) {
            Some(item) => item.clone(),
            None => return Err(no_element(k, items, hidden, span)),
        },
        (Kind::Object(items), Kind::String(k)) => match items.get(k) {
            Some(item) => item.clone(),
            None => return Err(no_attribute(k, items.keys(), hidden, span)),
        },
        (Kind::Unknown(u), _) => unknown_element(u, &key, invalid)?,
        _ => Value::dynamic(),
    };
    Ok(found.marked(marks))
}

/// The kind of collection a value is, without the cost of its whole type.
fn shape(value: &Value) -> Type {
    match &value.kind {
        Kind::List(element, _) => Type::list(element.clone()),
        Kind::Map(element, _) => Type::map(element.clone()),
        Kind::Tuple(_) => Type::tuple([]),
        Kind::Object(_) => Type::object([]),
        _ => value.ty(),
    }
}

fn out_of_range(key: &Value, length: usize, invalid: impl Fn(String) -> Diagnostic) -> Diagnostic {
    let empty = length == 0;
    let length = if length == 1 { "1 element".to_owned() } else { format!("{length} elements") };
    let shown = describe(key);
    let diagnostic = invalid(format!("there is no element {shown}: the collection has {length}"));
    match key.as_number() {
        Some(n) if n.is_negative() => {
            diagnostic.help("indices count from 0; the last element is `[length(x) - 1]`")
        }
        Some(n) if !n.is_whole() => diagnostic.help("an index is a whole number"),
        _ if empty => diagnostic.help("where there may be none, use try(), or test the length first"),
        _ => diagnostic.help("indices count from 0"),
    }
}

fn unknown_element(
    u: &crate::value::Unknown,
    key: &Value,
    invalid: impl Fn(String) -> Diagnostic,
) -> Result<Value, Diagnostic> {
    Ok(match (&u.ty, &key.kind) {
        (Type::List(element), Kind::Number(n)) => {
            let most = u.length.map_or(usize::MAX, |(_, most)| most);
            if n.to_usize().is_none_or(|i| i >= most) {
                return Err(out_of_range(key, most, invalid));
            }
            Value::unknown((**element).clone())
        }
        (Type::Map(element), _) => Value::unknown((**element).clone()),
        (Type::Tuple(types), Kind::Number(n)) => match n.to_usize().and_then(|i| types.get(i)) {
            Some(ty) => Value::unknown(ty.clone()),
            None => return Err(out_of_range(key, types.len(), invalid)),
        },
        // An unknown object is not looked into by index: a quirk of HCL.
        _ => Value::dynamic(),
    })
}

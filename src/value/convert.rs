//! Conversions between types and the unification of several types into one, as cty has them.

use super::{Kind, Map, Number, ObjectType, Type, Unknown, Value};
use std::cmp::Ordering;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}{what}", path_prefix(path))]
pub struct ConvertError {
    /// Where inside the value: `["a"].ports[0]`, empty for the value itself.
    pub path: String,
    /// `a number is required, but this is a list of string`
    pub what: String,
}

fn path_prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

impl ConvertError {
    pub fn new(what: impl Into<String>) -> Self {
        Self { path: String::new(), what: what.into() }
    }

    pub fn inside(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }

    pub fn at_index(self, i: usize) -> Self {
        self.inside(&format!("[{i}]"))
    }

    pub fn at_key(self, key: &str) -> Self {
        self.inside(&format!("[{}]", super::quote(key)))
    }

    pub fn at_attribute(self, name: &str) -> Self {
        self.inside(&format!(".{name}"))
    }
}

/// Converts `value` to `ty` as Terraform would, or says why that cannot be. Marks stay where they are,
/// except on the way into a set.
pub fn convert(value: &Value, ty: &Type) -> Result<Value, ConvertError> {
    let converted = convert_unmarked(value, ty)?;
    Ok(if value.marks.is_none() { converted } else { converted.marked(value.marks) })
}

fn mismatch(from: &Type, to: &Type) -> ConvertError {
    ConvertError::new(format!("{} is required, but this is {}", to.a_noun(), from.a_noun()))
}

fn convert_unmarked(value: &Value, to: &Type) -> Result<Value, ConvertError> {
    let same = || Ok(value.clone());
    match (&value.kind, to) {
        (_, Type::Dynamic) => same(),
        (Kind::Unknown(u), _) => convert_unknown(u, to),
        (Kind::Null(from), _) => check_type(from, to).map(|()| Value::null(resolved(from, to))),
        (Kind::Bool(_), Type::Bool) | (Kind::Number(_), Type::Number) | (Kind::String(_), Type::String) => {
            same()
        }
        (Kind::Bool(b), Type::String) => Ok(Value::string(if *b { "true" } else { "false" })),
        (Kind::Number(n), Type::String) => Ok(Value::string(n.to_string())),
        (Kind::String(s), Type::Number) => s
            .parse::<Number>()
            .map(Value::number)
            .map_err(|_| ConvertError::new("a number is required, but this string does not read as one")),
        (Kind::String(s), Type::Bool) => match &**s {
            "true" | "1" => Ok(Value::bool(true)),
            "false" | "0" => Ok(Value::bool(false)),
            _ => Err(ConvertError::new("a bool is required: \"true\" or \"false\"")),
        },
        (Kind::List(e, _), Type::List(t))
        | (Kind::Set(e, _), Type::Set(t))
        | (Kind::Map(e, _), Type::Map(t))
            if e == &**t || **t == Type::Dynamic =>
        {
            same()
        }
        (Kind::List(e, items), Type::List(t)) => {
            let items = convert_items(items, t)?;
            collected(e, t, items, Value::list)
        }
        (Kind::Set(e, items), Type::List(t)) => {
            if value.length_bounds().is_some_and(|(least, most)| least != most) {
                return Ok(Value::unknown(Type::list(resolved(e, t))));
            }
            collected(e, t, convert_items(items, t)?, Value::list)
        }
        (Kind::List(e, items) | Kind::Set(e, items), Type::Set(t)) => {
            collected(e, t, convert_items(items, t)?, Value::set)
        }
        (Kind::Tuple(items), Type::List(t)) => {
            let wanted = element_type(items.iter().map(Value::ty), t, "list")?;
            let mut items = convert_items(items, &wanted)?;
            // What came out of an `any` inside may still differ.
            if wanted.has_dynamic() && !items.is_empty() {
                items = convert_items(&items, &agreed(items.iter())?)?;
            }
            collected(&wanted, &wanted, items, Value::list)
        }
        (Kind::Tuple(items), Type::Set(t)) => {
            let wanted = element_type(items.iter().map(Value::ty), t, "set")?;
            collected(&wanted, &wanted, convert_items(items, &wanted)?, Value::set)
        }
        (Kind::Tuple(items), Type::Tuple(types)) => {
            if items.len() != types.len() {
                let what = format!("{} elements are required, but there are {}", types.len(), items.len());
                return Err(ConvertError::new(what));
            }
            let convert_one =
                |(i, (v, t)): (usize, (&Value, &Type))| convert(v, t).map_err(|e| e.at_index(i));
            items
                .iter()
                .zip(types.iter())
                .enumerate()
                .map(convert_one)
                .collect::<Result<_, _>>()
                .map(Value::tuple)
        }
        (Kind::Map(e, items), Type::Map(t)) => {
            let items = convert_entries(items, |_| t)?;
            collected_map(e, t, items)
        }
        (Kind::Object(items), Type::Map(t)) => {
            let wanted = element_type(items.values().map(Value::ty), t, "map")?;
            collected_map(&wanted, &wanted, convert_entries(items, |_| &wanted)?)
        }
        (Kind::Object(items), Type::Object(o)) => convert_to_object(items, o),
        (Kind::Map(_, items), Type::Object(o)) => convert_to_object(items, o),
        _ => Err(mismatch(&value.ty(), to)),
    }
}

fn convert_items(items: &[Value], to: &Type) -> Result<Vec<Value>, ConvertError> {
    items.iter().enumerate().map(|(i, v)| convert(v, to).map_err(|e| e.at_index(i))).collect()
}

fn convert_entries<'t>(items: &Map, to: impl Fn(&str) -> &'t Type) -> Result<Map, ConvertError> {
    let one =
        |(k, v): (&Arc<str>, &Value)| convert(v, to(k)).map(|v| (k.clone(), v)).map_err(|e| e.at_key(k));
    items.iter().map(one).collect()
}

fn convert_to_object(items: &Map, to: &ObjectType) -> Result<Value, ConvertError> {
    let missing: Vec<&str> = to
        .attributes
        .keys()
        .filter(|name| !items.contains_key(*name) && !to.optional.contains(*name))
        .map(|name| &**name)
        .collect();
    if !missing.is_empty() {
        let list = missing.iter().map(|m| format!("`{m}`")).collect::<Vec<_>>().join(", ");
        let (noun, verb) = if missing.len() == 1 { ("attribute", "is") } else { ("attributes", "are") };
        return Err(ConvertError::new(format!("the {noun} {list} {verb} required")));
    }
    let mut out = Map::new();
    for (name, ty) in &to.attributes {
        let value = match items.get(name) {
            Some(value) => convert(value, ty).map_err(|e| e.at_attribute(name))?,
            None => Value::null(ty.without_optional()),
        };
        out.insert(name.clone(), value);
    }
    Ok(Value::object(out))
}

/// The element type that a tuple or object gets as a collection: what is wanted or, for `any`, the one
/// that all of them convert to.
fn element_type(
    types: impl Iterator<Item = Type>,
    wanted: &Type,
    collection: &str,
) -> Result<Type, ConvertError> {
    if *wanted != Type::Dynamic {
        return Ok(wanted.clone());
    }
    let types: Vec<Type> = types.collect();
    if types.is_empty() {
        return Ok(Type::Dynamic);
    }
    match unify(&types) {
        Some(ty) if ty != Type::Dynamic || collection == "map" || all_dynamic(&types) => Ok(ty),
        _ => Err(ConvertError::new(format!("all elements of a {collection} must have the same type"))),
    }
}

fn all_dynamic(types: &[Type]) -> bool {
    types.iter().all(|t| *t == Type::Dynamic)
}

/// A list or set of converted items. Where the wanted type has an `any` inside, the items' own types
/// decide; they must then be the same.
fn collected(
    from: &Type,
    wanted: &Type,
    items: Vec<Value>,
    make: fn(Type, Vec<Value>) -> Value,
) -> Result<Value, ConvertError> {
    if items.is_empty() {
        // Even of nothing, the type must fit.
        check_type(from, wanted)?;
        return Ok(make(resolved(from, wanted), items));
    }
    if !wanted.has_dynamic() {
        return Ok(make(wanted.without_optional(), items));
    }
    let element = one_type(items.iter())?;
    let items = items.into_iter().map(|v| of_type(v, &element)).collect();
    Ok(make(element, items))
}

fn collected_map(from: &Type, wanted: &Type, mut items: Map) -> Result<Value, ConvertError> {
    if items.is_empty() {
        check_type(from, wanted)?;
        return Ok(Value::map(resolved(from, wanted), items));
    }
    if !wanted.has_dynamic() {
        return Ok(Value::map(wanted.without_optional(), items));
    }
    // Not so tuples: a quirk of cty.
    if matches!(wanted, Type::List(_) | Type::Set(_) | Type::Map(_) | Type::Object(_)) {
        let element = agreed(items.values())?;
        items = convert_entries(&items, |_| &element)?;
    }
    let element = one_type(items.values())?;
    let items = items.into_iter().map(|(k, v)| (k, of_type(v, &element))).collect();
    Ok(Value::map(element, items))
}

fn mixed() -> ConvertError {
    ConvertError::new("all elements of a collection must have the same type")
}

fn agreed<'v>(items: impl Iterator<Item = &'v Value>) -> Result<Type, ConvertError> {
    let types: Vec<Type> = items.map(Value::ty).collect();
    unify(&types).ok_or_else(mixed)
}

/// The type that all of them are of, those aside whose type is not known.
fn one_type<'v>(items: impl Iterator<Item = &'v Value>) -> Result<Type, ConvertError> {
    let mut found = Type::Dynamic;
    for ty in items.map(Value::ty) {
        if found == Type::Dynamic {
            found = ty;
        } else if ty != Type::Dynamic && ty != found {
            return Err(mixed());
        }
    }
    Ok(found)
}

/// What is null or unknown and of no type yet is of its neighbours' type.
fn of_type(value: Value, ty: &Type) -> Value {
    let kind = match &value.kind {
        Kind::Null(Type::Dynamic) => Kind::Null(ty.clone()),
        Kind::Unknown(u) if u.ty == Type::Dynamic => {
            Kind::Unknown(Arc::new(Unknown { ty: ty.clone(), ..(**u).clone() }))
        }
        _ => return value,
    };
    Value { kind, marks: value.marks }
}

fn convert_unknown(u: &Unknown, to: &Type) -> Result<Value, ConvertError> {
    check_type(&u.ty, to)?;
    let ty = resolved(&u.ty, to);
    let bounds = |u: &Unknown| Value::from(Kind::Unknown(Arc::new(u.clone()))).length_bounds();
    let length = match (&u.ty, &ty) {
        (Type::Object(_), Type::Map(_)) | (Type::Tuple(_), Type::List(_)) => bounds(u),
        (Type::Tuple(_) | Type::List(_), Type::Set(_)) => bounds(u).map(|(least, most)| (least.min(1), most)),
        (Type::List(_) | Type::Set(_), Type::List(_) | Type::Set(_)) | (Type::Map(_), Type::Map(_)) => {
            u.length
        }
        _ => None,
    };
    let prefix = if ty == Type::String && u.ty == Type::String { u.prefix.clone() } else { None };
    let not_null = u.not_null && ty != Type::Dynamic;
    let range = if ty == Type::Number { u.range.clone() } else { None };
    Ok(Kind::Unknown(Arc::new(Unknown { ty, not_null, prefix, length, range })).into())
}

fn check_type(from: &Type, to: &Type) -> Result<(), ConvertError> {
    if convertible(from, to) { Ok(()) } else { Err(mismatch(from, to)) }
}

/// `to` with every `any` in it replaced by what stands there in `from`.
fn resolved(from: &Type, to: &Type) -> Type {
    let element = |t: &Type| match from {
        Type::List(e) | Type::Set(e) | Type::Map(e) => resolved(e, t),
        Type::Tuple(items) if t.has_dynamic() => {
            let types: Vec<Type> = items.iter().map(|i| resolved(i, t)).collect();
            unify(&types).unwrap_or(Type::Dynamic)
        }
        Type::Object(o) if t.has_dynamic() => {
            let types: Vec<Type> = o.attributes.values().map(|i| resolved(i, t)).collect();
            unify(&types).unwrap_or(Type::Dynamic)
        }
        _ => t.without_optional(),
    };
    match to {
        Type::Dynamic => from.clone(),
        Type::Bool | Type::Number | Type::String => to.clone(),
        Type::List(t) => Type::list(element(t)),
        Type::Set(t) => Type::set(element(t)),
        Type::Map(t) => Type::map(element(t)),
        Type::Tuple(items) => match from {
            Type::Tuple(own) if own.len() == items.len() => {
                Type::tuple(own.iter().zip(items.iter()).map(|(f, t)| resolved(f, t)))
            }
            _ => to.without_optional(),
        },
        Type::Object(o) => Type::object(o.attributes.iter().map(|(name, t)| {
            let ty = match from {
                Type::Object(own) => own.attributes.get(name).map(|f| resolved(f, t)),
                Type::Map(e) => Some(resolved(e, t)),
                _ => None,
            };
            (name.clone(), ty.unwrap_or_else(|| t.without_optional()))
        })),
    }
}

/// Whether values of `from` can be converted to `to` as far as types tell (a string may still turn out
/// not to read as a number).
pub fn convertible(from: &Type, to: &Type) -> bool {
    let all_to = |types: Vec<Type>, element: &Type, map: bool| {
        if *element != Type::Dynamic {
            return types.iter().all(|t| convertible(t, element));
        }
        types.is_empty() || unify(&types).is_some_and(|ty| ty != Type::Dynamic || map || all_dynamic(&types))
    };
    match (from, to) {
        (_, Type::Dynamic) | (Type::Dynamic, _) => true,
        (Type::Bool | Type::Number | Type::String, Type::String)
        | (Type::String, Type::Bool | Type::Number) => true,
        (Type::Bool, Type::Bool) | (Type::Number, Type::Number) => true,
        (Type::List(f) | Type::Set(f), Type::List(t) | Type::Set(t)) | (Type::Map(f), Type::Map(t)) => {
            convertible(f, t)
        }
        (Type::Tuple(items), Type::List(t) | Type::Set(t)) => all_to(items.to_vec(), t, false),
        (Type::Object(o), Type::Map(t)) => all_to(o.attributes.values().cloned().collect(), t, true),
        (Type::Tuple(f), Type::Tuple(t)) => {
            f.len() == t.len() && f.iter().zip(t.iter()).all(|(f, t)| convertible(f, t))
        }
        (Type::Object(f), Type::Object(t)) => {
            t.attributes.iter().all(|(name, ty)| match f.attributes.get(name) {
                Some(own) => convertible(own, ty),
                None => t.optional.contains(name),
            })
        }
        (Type::Map(f), Type::Object(t)) => t.attributes.values().all(|ty| convertible(f, ty)),
        _ => false,
    }
}

/// The one type that all of `types` convert to, if there is one.
pub fn unify(types: &[Type]) -> Option<Type> {
    let first = types.first()?;
    if types.iter().all(|t| t == first) {
        return Some(first.clone());
    }
    let count = |test: fn(&Type) -> bool| types.iter().filter(|t| test(t)).count();
    let dynamic = count(|t| *t == Type::Dynamic);
    let (maps, lists) = (count(|t| matches!(t, Type::Map(_))), count(|t| matches!(t, Type::List(_))));
    let (sets, objects) = (count(|t| matches!(t, Type::Set(_))), count(|t| matches!(t, Type::Object(_))));
    let tuples = count(|t| matches!(t, Type::Tuple(_)));
    let all = |n: usize| n > 0 && n + dynamic == types.len();
    if all(maps) || all(lists) || all(sets) || all(objects) || all(tuples) {
        // What an unknown type will turn out to be cannot be predicted.
        if dynamic > 0 {
            return Some(Type::Dynamic);
        }
    }
    let elements = || types.iter().filter_map(|t| t.element().cloned()).collect::<Vec<_>>();
    if all(maps) {
        return usable(Type::map(unify(&elements())?), types);
    }
    if all(lists) {
        return usable(Type::list(unify(&elements())?), types);
    }
    if all(sets) {
        return usable(Type::set(unify(&elements())?), types);
    }
    if all(objects) {
        return unify_objects(types);
    }
    if all(tuples) {
        return unify_tuples(types);
    }
    // Objects beside maps, and tuples beside lists, are such collections in disguise.
    if maps > 0
        && all(maps + objects)
        && let Some(element) = unify(&parts(types))
        && let Some(ty) = usable(Type::map(element), types)
    {
        return Some(ty);
    }
    if lists > 0
        && all(lists + tuples)
        && let Some(element) = unify(&parts(types))
        && let Some(ty) = usable(Type::list(element), types)
    {
        return Some(ty);
    }
    if objects > 0 && tuples > 0 {
        return None;
    }
    preferred(types)
        .into_iter()
        .find(|want| types.iter().all(|t| t == *want || convertible(t, want)))
        .cloned()
}

fn usable(ty: Type, types: &[Type]) -> Option<Type> {
    types.iter().all(|t| *t == ty || convertible(t, &ty)).then_some(ty)
}

/// The types of all elements and attributes of `types`.
fn parts(types: &[Type]) -> Vec<Type> {
    let mut out = Vec::new();
    for ty in types {
        match ty {
            Type::List(t) | Type::Set(t) | Type::Map(t) => out.push((**t).clone()),
            Type::Tuple(items) => out.extend(items.iter().cloned()),
            Type::Object(o) => out.extend(o.attributes.values().cloned()),
            _ => {}
        }
    }
    out
}

/// Objects of the same attributes stay one; others become a map.
fn unify_objects(types: &[Type]) -> Option<Type> {
    let objects: Vec<&ObjectType> = types
        .iter()
        .filter_map(|t| match t {
            Type::Object(o) => Some(&**o),
            _ => None,
        })
        .collect();
    let first = objects.first()?;
    if objects.iter().any(|o| o.attributes.keys().ne(first.attributes.keys())) {
        return usable(Type::map(unify(&parts(types))?), types);
    }
    let attribute = |name: &Arc<str>| {
        let own: Vec<Type> = objects.iter().map(|o| o.attributes[name].clone()).collect();
        unify(&own).map(|ty| (name.clone(), ty))
    };
    let attributes = first.attributes.keys().map(attribute).collect::<Option<Vec<_>>>()?;
    usable(Type::object(attributes), types)
}

/// Tuples of the same length stay one; others become a list.
fn unify_tuples(types: &[Type]) -> Option<Type> {
    let tuples: Vec<&[Type]> = types
        .iter()
        .filter_map(|t| match t {
            Type::Tuple(items) => Some(&**items),
            _ => None,
        })
        .collect();
    let first = tuples.first()?;
    if tuples.iter().any(|t| t.len() != first.len()) {
        return usable(Type::list(unify(&parts(types))?), types);
    }
    let element = |i: usize| unify(&tuples.iter().map(|t| t[i].clone()).collect::<Vec<_>>());
    let items = (0..first.len()).map(element).collect::<Option<Vec<_>>>()?;
    usable(Type::tuple(items), types)
}

/// `types` with the more general first: string before other primitives, list before tuple before set,
/// map before object, `any` last. Otherwise in the order given.
fn preferred(types: &[Type]) -> Vec<&Type> {
    let mut rest: Vec<&Type> = types.iter().collect();
    let mut out = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let best = (0..rest.len())
            .find(|&i| rest.iter().all(|other| preference(other, rest[i]) != Ordering::Less))
            .unwrap_or(0);
        out.push(rest.remove(best));
    }
    out
}

fn preference(a: &Type, b: &Type) -> Ordering {
    use Ordering::*;
    match (a, b) {
        (Type::Dynamic, Type::Dynamic) => Equal,
        (Type::Dynamic, _) => Greater,
        (_, Type::Dynamic) => Less,
        (Type::String, Type::Bool | Type::Number) => Less,
        (Type::Bool | Type::Number, Type::String) => Greater,
        (Type::List(x), Type::List(y)) | (Type::Set(x), Type::Set(y)) | (Type::Map(x), Type::Map(y)) => {
            preference(x, y)
        }
        (Type::List(_), Type::Tuple(_) | Type::Set(_)) | (Type::Tuple(_), Type::Set(_)) => Less,
        (Type::Tuple(_) | Type::Set(_), Type::List(_)) | (Type::Set(_), Type::Tuple(_)) => Greater,
        (Type::Map(_), Type::Object(_)) => Less,
        (Type::Object(_), Type::Map(_)) => Greater,
        _ => Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(attributes: &[(&str, Type)]) -> Type {
        Type::object(attributes.iter().map(|(k, t)| (Arc::from(*k), t.clone())))
    }

    #[test]
    fn primitives_convert_by_terraforms_rules() {
        let to = |v: Value, ty: Type| convert(&v, &ty).ok();
        assert_eq!(to("1e3".into(), Type::Number), Some(1000.into()));
        assert_eq!(to(" 1".into(), Type::Number), None);
        assert_eq!(to("1".into(), Type::Bool), Some(true.into()));
        assert_eq!(to("yes".into(), Type::Bool), None);
        assert_eq!(to(1.into(), Type::Bool), None);
        assert_eq!(to(true.into(), Type::String), Some("true".into()));
    }

    #[test]
    fn marks_stay_where_they_are_but_sets_take_them_over() {
        let tuple = Value::tuple(vec![Value::int(1).sensitive(), "a".into()]);
        let list = convert(&tuple, &Type::list(Type::Dynamic)).unwrap();
        assert_eq!(list.ty(), Type::list(Type::String));
        assert!(!list.marks.sensitive && list.as_slice().unwrap()[0].marks.sensitive);
        assert!(convert(&tuple, &Type::set(Type::String)).unwrap().marks.sensitive);
    }

    #[test]
    fn missing_optional_attributes_become_null_and_extra_ones_go() {
        let mut ty = ObjectType::default();
        ty.attributes.insert("a".into(), Type::String);
        ty.attributes.insert("b".into(), Type::Number);
        ty.optional.insert("b".into());
        let ty = Type::Object(Arc::new(ty));
        let value = Value::object([("a".into(), 1.into()), ("x".into(), 2.into())].into());
        let want = Value::object([("a".into(), "1".into()), ("b".into(), Value::null(Type::Number))].into());
        assert_eq!(convert(&value, &ty), Ok(want));
        let error = convert(&Value::object(Map::new()), &ty).unwrap_err();
        assert_eq!(error.to_string(), "the attribute `a` is required");
    }

    #[test]
    fn errors_say_where_inside_the_value() {
        let value = Value::tuple(vec![Value::object([("port".into(), "x".into())].into())]);
        let ty = Type::list(object(&[("port", Type::Number)]));
        let error = convert(&value, &ty).unwrap_err();
        assert_eq!(error.path, "[0].port");
    }

    #[test]
    fn unification_prefers_the_more_general() {
        let tuple = |items: &[Type]| Type::tuple(items.iter().cloned());
        let cases = [
            (vec![Type::Number, Type::String], Some(Type::String)),
            (vec![Type::Number, Type::Bool], None),
            (vec![Type::Number, Type::Dynamic], Some(Type::Number)),
            (vec![tuple(&[Type::Number]), tuple(&[])], Some(Type::list(Type::Number))),
            (vec![object(&[("a", Type::Number)]), object(&[])], Some(Type::map(Type::Number))),
            (vec![Type::map(Type::Number), object(&[])], Some(Type::map(Type::Number))),
            (vec![Type::set(Type::String), tuple(&[Type::String])], Some(Type::set(Type::String))),
            (vec![Type::set(Type::String), Type::list(Type::String)], Some(Type::list(Type::String))),
            (vec![object(&[]), tuple(&[])], None),
            (vec![tuple(&[Type::Number]), Type::Dynamic], Some(Type::Dynamic)),
        ];
        for (types, want) in cases {
            assert_eq!(unify(&types), want, "{types:?}");
        }
    }
}

//! A resource's body, evaluated against its attribute table.

use crate::diag::{Diagnostic, Diagnostics, Span, nearest};
use crate::lang::eval::{Resolved, Scope, eval, references};
use crate::lang::syntax::{Attribute, Block, Body, ExprKind, Traversal};
use crate::schema::{Object, Presence, Row, Shape, Table, TypeSchema, blocks_in, is_absent};
use crate::value::{Kind, Map, Type, Value, convert};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Evaluates `body` to the desired object: declared values converted to the table's types, defaults filled
/// in, everything else null. Problems are reported with their places; the result is then still usable.
pub fn desired(
    schema: &TypeSchema,
    body: &Body,
    header: Span,
    scope: &dyn Scope,
    diags: &mut Diagnostics,
) -> Object {
    let object = decoded(schema, body, header, scope, diags);
    combine(schema, &object, body, header, diags);
    object
}

/// Only the problems, where nothing that is not written out is known: unknown values may be null, so what goes
/// together is judged only if all are known.
pub fn check_desired(
    schema: &TypeSchema,
    body: &Body,
    header: Span,
    scope: &dyn Scope,
    diags: &mut Diagnostics,
) {
    let object = decoded(schema, body, header, scope, diags);
    if object.0.values().all(Value::is_wholly_known) {
        combine(schema, &object, body, header, diags);
    }
}

fn decoded(
    schema: &TypeSchema,
    body: &Body,
    header: Span,
    scope: &dyn Scope,
    diags: &mut Diagnostics,
) -> Object {
    let mut decoder = Decoder { type_name: schema.name, diags };
    let mut object = decoder.body(schema.table, body, header, scope, schema.name);
    (schema.complete)(&mut object);
    object
}

/// What shows only of all attributes together.
fn combine(schema: &TypeSchema, object: &Object, body: &Body, header: Span, diags: &mut Diagnostics) {
    if diags.has_errors() {
        return;
    }
    for (attribute, problem) in (schema.validate)(object) {
        let block = || body.blocks_of(attribute).next().map(|b| b.header);
        let span = body.attribute(attribute).map(|a| a.span).or_else(block);
        diags.push(
            Diagnostic::error("invalid-combination", problem)
                .at(span.unwrap_or(header))
                .note(format!("in {}", schema.name)),
        );
    }
}

/// Everything that a body refers to, names bound by `dynamic` blocks excepted.
pub fn body_references(body: &Body) -> Vec<Traversal> {
    let mut found: Vec<Traversal> = body.attributes.iter().flat_map(|a| references(&a.expr)).collect();
    for block in &body.blocks {
        match dynamic_parts(block) {
            Some(dynamic) => {
                found.extend(dynamic.for_each.iter().flat_map(|a| references(&a.expr)));
                let inner = dynamic.content.iter().flat_map(|c| body_references(&c.body));
                found.extend(inner.filter(|t| *t.root != *dynamic.iterator));
            }
            None => found.extend(body_references(&block.body)),
        }
    }
    found
}

struct Dynamic<'a> {
    kind: Arc<str>,
    kind_span: Span,
    for_each: Option<&'a Attribute>,
    iterator: Arc<str>,
    content: Option<&'a Block>,
}

fn dynamic_parts(block: &Block) -> Option<Dynamic<'_>> {
    if &*block.kind.name != "dynamic" {
        return None;
    }
    let label = block.labels.first()?;
    let iterator = block.body.attribute("iterator").and_then(|a| match &a.expr.kind {
        ExprKind::Root(name) => Some(name.clone()),
        _ => None,
    });
    Some(Dynamic {
        kind: label.name.clone(),
        kind_span: label.span,
        for_each: block.body.attribute("for_each"),
        iterator: iterator.unwrap_or(label.name.clone()),
        content: block.body.blocks_of("content").next(),
    })
}

/// What a `dynamic` block comes to, one by one: kind, content, scope. None: `block` is no such block.
pub fn dynamic_items<'a>(
    block: &'a Block,
    scope: &'a dyn Scope,
    diags: &mut Diagnostics,
) -> Option<Vec<(Arc<str>, &'a Body, Bound<'a>)>> {
    let dynamic = dynamic_parts(block)?;
    let (Some(for_each), Some(content)) = (dynamic.for_each, dynamic.content) else {
        diags.push(incomplete_dynamic(block));
        return Some(Vec::new());
    };
    let collection = eval(&for_each.expr, scope, diags);
    if collection.is_unknown() {
        return Some(Vec::new());
    }
    let Some(entries) = entries(&collection) else {
        diags.push(invalid_dynamic(for_each, &collection));
        return Some(Vec::new());
    };
    let bind = |(key, value): (Value, Value)| {
        let bound = Bound::new(scope, &dynamic, key, value, &collection);
        (dynamic.kind.clone(), &content.body, bound)
    };
    Some(entries.into_iter().map(bind).collect())
}

fn incomplete_dynamic(block: &Block) -> Diagnostic {
    Diagnostic::error("missing-argument", "`dynamic` needs `for_each` and a `content` block")
        .at(block.header)
        .help("write `dynamic \"…\" { for_each = … content { … } }`")
}

fn invalid_dynamic(for_each: &Attribute, collection: &Value) -> Diagnostic {
    Diagnostic::error("invalid-for-each", "`for_each` of a dynamic block needs a list, set or map")
        .label(for_each.expr.span, format!("this is {}", describe(collection)))
        .help("where there may be none, write `… == null ? [] : [ … ]`")
}

/// A scope with one more name: the iterator of a `dynamic` block.
pub struct Bound<'a> {
    outer: &'a dyn Scope,
    name: Arc<str>,
    value: Value,
}

impl<'a> Bound<'a> {
    fn new(outer: &'a dyn Scope, dynamic: &Dynamic<'_>, key: Value, value: Value, of: &Value) -> Self {
        let pair: Map = [("key".into(), key), ("value".into(), value.marked(of.marks))].into();
        Self { outer, name: dynamic.iterator.clone(), value: Value::object(pair) }
    }
}

impl Scope for Bound<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<Resolved, Diagnostic> {
        if *traversal.root == *self.name {
            return Ok(Resolved { value: self.value.clone(), steps_used: 0 });
        }
        self.outer.resolve(traversal)
    }

    fn base_dir(&self) -> &Path {
        self.outer.base_dir()
    }

    fn plan_timestamp(&self) -> Option<jiff::Timestamp> {
        self.outer.plan_timestamp()
    }
}

struct Decoder<'a> {
    type_name: &'static str,
    diags: &'a mut Diagnostics,
}

/// What the blocks of one kind came to.
#[derive(Default)]
struct Found {
    objects: Vec<Object>,
    unknown: bool,
    first: Option<Span>,
}

impl Decoder<'_> {
    fn body(
        &mut self,
        table: &'static Table,
        body: &Body,
        header: Span,
        scope: &dyn Scope,
        path: &str,
    ) -> Object {
        let mut object = Object::new();
        for attribute in &body.attributes {
            self.attribute(table, attribute, scope, path, &mut object);
        }
        for (name, found) in self.blocks(table, body, scope, path) {
            self.store_blocks(table, name, found, header, &mut object);
        }
        for row in table.rows {
            self.finish(row, table, body, header, path, &mut object);
        }
        object.complete(table)
    }

    fn attribute(
        &mut self,
        table: &'static Table,
        attribute: &Attribute,
        scope: &dyn Scope,
        path: &str,
        into: &mut Object,
    ) {
        let name = &*attribute.name.name;
        let value = eval(&attribute.expr, scope, self.diags);
        let Some(row) = table.row(name).filter(|r| r.settable()) else {
            return self.unknown_name(table, name, attribute.name.span, path, "argument");
        };
        if matches!(row.shape, Shape::Blocks(..)) && !row.also_attribute {
            self.diags.push(
                Diagnostic::error("expected-block", format!("`{name}` is a block, not an argument"))
                    .at(attribute.name.span)
                    .help(format!("write `{name} {{ … }}` without `=`")),
            );
            return;
        }
        let value = match row.shape {
            Shape::Blocks(_, inner) => complete_objects(value, inner),
            _ => value,
        };
        if value.all_marks().ephemeral && !row.write_only {
            self.diags.push(
                Diagnostic::error("ephemeral-value", format!("`{name}` does not take ephemeral values"))
                    .at(attribute.expr.span)
                    .help("it is kept in the state; use a write-only argument (`…_wo`) where there is one"),
            );
            return;
        }
        match convert(&value, &row.ty()) {
            Ok(mut converted) => {
                if row.sensitive {
                    converted = converted.sensitive();
                }
                self.check(row, &converted, attribute);
                into.put(name, Some(converted));
            }
            Err(error) => self.diags.push(
                Diagnostic::error("wrong-type", format!("`{name}`: {error}"))
                    .label(attribute.expr.span, format!("this is {}", describe(&value)))
                    .help(format!("`{name}` takes {}", row.ty())),
            ),
        }
    }

    fn unknown_name(&mut self, table: &Table, name: &str, span: Span, path: &str, what: &str) {
        let mut d =
            Diagnostic::error("unknown-attribute", format!("`{path}` has no {what} `{name}`")).at(span);
        if table.row(name).is_some() {
            d = Diagnostic::error("computed-attribute", format!("`{name}` cannot be set")).at(span);
            d = d.help("AWS decides it; remove this line");
        } else if let Some(near) = nearest(name, table.rows.iter().filter(|r| r.settable()).map(|r| r.name)) {
            d = d.help(format!("did you mean `{near}`?"));
        } else {
            let names: Vec<&str> = table.rows.iter().filter(|r| r.settable()).map(|r| r.name).collect();
            d = d.help(format!("it takes {}", names.join(", ")));
        }
        self.diags.push(d);
    }

    fn check(&mut self, row: &Row, value: &Value, attribute: &Attribute) {
        if value.is_null() || value.is_unknown() {
            return;
        }
        let shown =
            if value.contains_sensitive() { "the (sensitive) value".to_owned() } else { describe(value) };
        let span = attribute.expr.span;
        let mut fail = |problem: String, help: Option<String>| {
            let mut d = Diagnostic::error("invalid-value", problem).label(span, format!("this is {shown}"));
            d.help = help;
            self.diags.push(d);
        };
        if !row.one_of.is_empty() {
            let wrong = |v: &Value| {
                v.as_str().filter(|s| !s.is_empty() && !row.one_of.contains(s)).map(str::to_owned)
            };
            let first =
                wrong(value).or_else(|| value.as_slice().and_then(|items| items.iter().find_map(wrong)));
            if let Some(text) = first {
                let near = nearest(&text, row.one_of.iter().copied());
                fail(
                    format!("`{}` cannot be \"{text}\"", row.name),
                    Some(match near {
                        Some(near) => {
                            format!("did you mean \"{near}\"? It takes one of: {}", row.one_of.join(", "))
                        }
                        None => format!("it takes one of: {}", row.one_of.join(", ")),
                    }),
                );
            }
        }
        if let (Some((min, max)), Some(number)) = (row.range, value.as_number()) {
            let number = number.to_f64();
            if number < min as f64 || number > max as f64 {
                fail(format!("`{}` must be from {min} to {max}", row.name), None);
            }
        }
        if let Some(Err(problem)) = row.check.map(|check| check(value)) {
            fail(format!("`{}` {problem}", row.name), None);
        }
    }

    /// All blocks of a body by kind, dynamic ones expanded.
    fn blocks(
        &mut self,
        table: &'static Table,
        body: &Body,
        scope: &dyn Scope,
        path: &str,
    ) -> BTreeMap<Arc<str>, Found> {
        let mut by_kind: BTreeMap<Arc<str>, Found> = BTreeMap::new();
        for block in &body.blocks {
            if &*block.kind.name == "dynamic" {
                let Some(dynamic) = dynamic_parts(block) else {
                    self.diags.push(
                        Diagnostic::error("block-labels", "`dynamic` needs the name of the block to repeat")
                            .at(block.header)
                            .help("write `dynamic \"ingress\" { for_each = … content { … } }`"),
                    );
                    continue;
                };
                self.dynamic(table, &dynamic, block, scope, path, &mut by_kind);
                continue;
            }
            let kind = block.kind.name.clone();
            let Some((_, inner)) = table.row(&kind).filter(|r| r.settable()).and_then(Row::block_table)
            else {
                self.unknown_block(table, &kind, block.kind.span, path);
                continue;
            };
            let object = self.body(inner, &block.body, block.header, scope, &kind);
            let found = by_kind.entry(kind).or_default();
            found.first.get_or_insert(block.header);
            found.objects.push(object);
        }
        by_kind
    }

    fn unknown_block(&mut self, table: &Table, kind: &str, span: Span, path: &str) {
        if let Some(row) = table.row(kind).filter(|r| r.settable()) {
            let form = match row.shape {
                Shape::Map(_) => "{ … }",
                Shape::List(_) | Shape::Set(_) => "[ … ]",
                _ => "…",
            };
            self.diags.push(
                Diagnostic::error("expected-argument", format!("`{kind}` is an argument, not a block"))
                    .at(span)
                    .help(format!("write `{kind} = {form}`, with `=`")),
            );
        } else if kind == "provisioner" || kind == "connection" {
            self.diags.push(
                Diagnostic::error("unsupported-block", format!("`{kind}` blocks are not supported"))
                    .at(span)
                    .help("run such commands outside: in user data, in the image, or in the pipeline"),
            );
        } else {
            self.unknown_name(table, kind, span, path, "block");
        }
    }

    fn dynamic(
        &mut self,
        table: &'static Table,
        dynamic: &Dynamic<'_>,
        block: &Block,
        scope: &dyn Scope,
        path: &str,
        by_kind: &mut BTreeMap<Arc<str>, Found>,
    ) {
        let Some((_, inner)) = table.row(&dynamic.kind).filter(|r| r.settable()).and_then(Row::block_table)
        else {
            return self.unknown_block(table, &dynamic.kind, dynamic.kind_span, path);
        };
        let (Some(for_each), Some(content)) = (dynamic.for_each, dynamic.content) else {
            self.diags.push(incomplete_dynamic(block));
            return;
        };
        let collection = eval(&for_each.expr, scope, self.diags);
        let found = by_kind.entry(dynamic.kind.clone()).or_default();
        found.first.get_or_insert(block.header);
        if collection.is_unknown() {
            found.unknown = true;
            // One of those that there may be, for its mistakes.
            let any = Bound::new(scope, dynamic, Value::dynamic(), Value::dynamic(), &collection);
            self.body(inner, &content.body, content.header, &any, &dynamic.kind);
            return;
        }
        let Some(entries) = entries(&collection) else {
            self.diags.push(invalid_dynamic(for_each, &collection));
            return;
        };
        let mut objects = Vec::new();
        for (key, value) in entries {
            let bound = Bound::new(scope, dynamic, key, value, &collection);
            objects.push(self.body(inner, &content.body, content.header, &bound, &dynamic.kind));
        }
        by_kind.entry(dynamic.kind.clone()).or_default().objects.extend(objects);
    }

    fn store_blocks(
        &mut self,
        table: &'static Table,
        name: Arc<str>,
        found: Found,
        header: Span,
        into: &mut Object,
    ) {
        let Some(row) = table.row(&name) else { return };
        let Some((nesting, inner)) = row.block_table() else { return };
        if found.unknown {
            into.put(&name, Some(Value::unknown_not_null(row.ty())));
            return;
        }
        if row.max_items > 0 && found.objects.len() > row.max_items {
            let most =
                if row.max_items == 1 { "once".to_owned() } else { format!("{} times", row.max_items) };
            self.diags.push(
                Diagnostic::error("too-many-blocks", format!("`{name}` may stand at most {most}"))
                    .at(found.first.unwrap_or(header))
                    .note(format!("it stands {} times", found.objects.len()))
                    .help("remove the others"),
            );
        }
        let items = found.objects.into_iter().map(Value::from).collect();
        into.put(&name, Some(nesting.collect(inner, items)));
    }

    /// Each pair once, whichever of the two names the other. What may yet turn out null is no conflict.
    fn conflicts(&mut self, row: &Row, table: &Table, body: &Body, header: Span, object: &Object) {
        let set = |name: &str| {
            is_written(body, name) && object.has(name) && !object.value(name).is_some_and(Value::is_unknown)
        };
        for other in row.conflicts_with.iter().filter(|other| set(row.name) && set(other)) {
            let mutual = table.row(other).is_some_and(|o| o.conflicts_with.contains(&row.name));
            if mutual && row.name > *other {
                continue;
            }
            let (first, second) = (row.name.min(other), row.name.max(other));
            let block = || body.blocks_of(second).next().map(|b| b.header);
            let place = body.attribute(second).map(|a| a.span).or_else(block).unwrap_or(header);
            self.diags.push(
                Diagnostic::error("conflict", format!("`{first}` and `{second}` exclude each other"))
                    .at(place)
                    .help("keep one of them"),
            );
        }
    }

    /// What only shows once everything is read: required things missing, conflicts, defaults.
    fn finish(
        &mut self,
        row: &'static Row,
        table: &'static Table,
        body: &Body,
        header: Span,
        path: &str,
        object: &mut Object,
    ) {
        let written = is_written(body, row.name);
        let blocks = matches!(row.shape, Shape::Blocks(..));
        let count = object.value(row.name).map_or(0, |value| blocks_in(value).len());
        let unknown = object.value(row.name).is_some_and(Value::is_unknown);
        let null = object.value(row.name).is_none_or(Value::is_null);
        if row.presence == Presence::Required
            && !blocks
            && null
            && (!written || object.value(row.name).is_some())
        {
            let d = Diagnostic::error("missing-argument", format!("`{path}` needs `{}`", row.name));
            self.diags.push(match body.attribute(row.name) {
                Some(attribute) => d
                    .label(attribute.expr.span, "this is null, as if it were not there")
                    .help(format!("`{}` takes {} and cannot be null", row.name, row.ty())),
                None => d.at(header).help(format!("add `{} = …` ({})", row.name, row.ty())),
            });
        }
        let least = if row.presence == Presence::Required { row.min_items.max(1) } else { row.min_items };
        if blocks && !unknown && count < least && (row.presence == Presence::Required || count > 0) {
            let d = Diagnostic::error("missing-block", format!("`{path}` needs a block `{}`", row.name))
                .at(header);
            self.diags.push(d.help(format!("add `{} {{ … }}`", row.name)));
        }
        self.conflicts(row, table, body, header, object);
        if let (Some(text), true) = (row.deprecated, written && (!blocks || count > 0)) {
            let place = body.attribute(row.name).map_or(header, |a| a.span);
            self.diags.push(
                Diagnostic::warning("deprecated", format!("`{}` is deprecated", row.name))
                    .at(place)
                    .help(text),
            );
        }
        if let (Some(default), true, false) = (row.default, null, blocks) {
            object.put(row.name, Some(default.value()));
        }
        debug_assert!(self.type_name.starts_with(|c: char| c.is_ascii_lowercase()));
    }
}

/// As an attribute, a block or a `dynamic` one.
fn is_written(body: &Body, name: &str) -> bool {
    let is_block = |b: &Block| *b.kind.name == *name || dynamic_parts(b).is_some_and(|d| *d.kind == *name);
    body.attribute(name).is_some() || body.blocks.iter().any(is_block)
}

/// Attribute syntax for blocks (`ingress = [{ … }]`): members left out become null.
fn complete_objects(value: Value, table: &Table) -> Value {
    let Some(items) = value.as_slice() else { return value };
    let items = items
        .iter()
        .map(|item| match Object::of(item) {
            Some(object) => Value::from(object.complete(table)).marked(item.marks),
            None => item.clone(),
        })
        .collect();
    Value::tuple(items).marked(value.marks)
}

/// Key and value pairs of what `for_each` of a dynamic block may be.
fn entries(collection: &Value) -> Option<Vec<(Value, Value)>> {
    match &collection.kind {
        Kind::List(_, items) | Kind::Tuple(items) => {
            Some(items.iter().enumerate().map(|(i, v)| (Value::int(i as i64), v.clone())).collect())
        }
        Kind::Set(_, items) => Some(items.iter().map(|v| (v.clone(), v.clone())).collect()),
        Kind::Map(_, items) | Kind::Object(items) => {
            Some(items.iter().map(|(k, v)| (Value::string(k.clone()), v.clone())).collect())
        }
        _ => None,
    }
}

/// A value in a few words: `the string "a"`, `list of string with 2 elements`.
pub fn describe(value: &Value) -> String {
    if value.marks.sensitive {
        return format!("a sensitive {}", value.ty());
    }
    match &value.kind {
        Kind::Unknown(u) if u.ty == Type::Dynamic => "a value that is not known yet".to_owned(),
        Kind::Unknown(u) => format!("a {} that is not known yet", u.ty),
        Kind::Null(_) => "null".to_owned(),
        Kind::Bool(b) => format!("{b}"),
        Kind::Number(n) => format!("the number {n}"),
        Kind::String(s) if s.chars().count() <= 60 => format!("the string {s:?}"),
        Kind::String(s) => format!("a string of {} characters", s.chars().count()),
        Kind::List(t, items) => format!("list of {t} with {} element{}", items.len(), plural(items.len())),
        Kind::Set(t, items) => format!("set of {t} with {} element{}", items.len(), plural(items.len())),
        Kind::Map(t, items) => format!("map of {t} with {} element{}", items.len(), plural(items.len())),
        Kind::Tuple(items) => format!("tuple with {} element{}", items.len(), plural(items.len())),
        Kind::Object(items) => {
            let names: Vec<&str> = items.keys().take(6).map(|k| &**k).collect();
            let more = if items.len() > 6 { ", …" } else { "" };
            format!(
                "object with {}{more}",
                if names.is_empty() { "no attributes".into() } else { names.join(", ") }
            )
        }
    }
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// Whether the desired object declares an attribute (a value, an unknown, or blocks).
pub fn declares(object: &Object, name: &str) -> bool {
    object.value(name).is_some_and(|v| !is_absent(v))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Sources;
    use crate::lang::parse::parse_file;
    use crate::schema::attributes;

    attributes! {
        TABLE:
        ALPHA: Str = optional("alpha");
        BETA: Str = optional("beta").conflicts_with(&["alpha"]);
        GAMMA: Str = optional("gamma").conflicts_with(&["delta"]).default_str("x");
        DELTA: Str = optional("delta").conflicts_with(&["gamma"]);
    }

    struct NoNames;

    impl Scope for NoNames {
        fn resolve(&self, traversal: &Traversal) -> Result<Resolved, Diagnostic> {
            Err(Diagnostic::error("no-names", "there are none").at(traversal.span))
        }

        fn base_dir(&self) -> &Path {
            Path::new(".")
        }
    }

    fn conflicts(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let mut diags = Diagnostics::default();
        let file = sources.add("main.tf", text);
        let (body, problems) = parse_file(&sources, file);
        assert!(problems.is_empty());
        let mut decoder = Decoder { type_name: "thing", diags: &mut diags };
        decoder.body(&TABLE, &body, body.span, &NoNames, "thing");
        diags.iter().filter(|d| d.code == "conflict").map(|d| d.summary.clone()).collect()
    }

    #[test]
    fn a_conflict_is_reported_once_whichever_names_the_other() {
        assert_eq!(conflicts("alpha = \"a\"\nbeta = \"b\"\n"), ["`alpha` and `beta` exclude each other"]);
        assert_eq!(conflicts("gamma = \"a\"\ndelta = \"b\"\n"), ["`delta` and `gamma` exclude each other"]);
        // A default is not declared, and null is nothing.
        assert!(conflicts("delta = \"b\"\n").is_empty());
        assert!(conflicts("alpha = null\nbeta = \"b\"\n").is_empty());
    }
}

//! What the recorded answers do not cover: marks, refinements, diagnostics, depth, any input at all.

use super::*;
use crate::diag::Sources;
use crate::lang::parse::parse_file;
use crate::lang::syntax::Body;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Default)]
struct Names(BTreeMap<&'static str, Value>);

impl Scope for Names {
    fn resolve(&self, traversal: &Traversal) -> Result<Resolved, Diagnostic> {
        match self.0.get(&*traversal.root) {
            Some(value) => Ok(Resolved { value: value.clone(), steps_used: 0 }),
            None => Err(Diagnostic::error("unknown-name", format!("there is no `{}`", traversal.root))
                .at(traversal.span)),
        }
    }

    fn base_dir(&self) -> &Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }
}

fn names() -> Names {
    let object =
        |items: Vec<(&str, Value)>| Value::object(items.into_iter().map(|(k, v)| (k.into(), v)).collect());
    let secret = || Value::string("hunter2").sensitive();
    Names(BTreeMap::from([
        ("secret", secret()),
        ("user", object(vec![("name", "ann".into()), ("password", secret())])),
        ("list", Value::list(Type::String, vec!["a".into(), secret()])),
        ("id", Value::unknown_not_null(Type::String)),
        ("any", Value::dynamic()),
        ("ids", Value::unknown(Type::list(Type::String))),
        ("flag", Value::unknown(Type::Bool)),
        ("token", Value::string("t").marked(Marks::EPHEMERAL)),
        ("ports", Value::tuple(vec![80.into(), 443.into()])),
    ]))
}

fn parsed(text: &str) -> (Sources, Body, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let file = sources.add("t.tf", format!("v = {text}\n"));
    let (body, diags) = parse_file(&sources, file);
    (sources, body, diags)
}

pub(super) fn run(text: &str) -> (Value, Vec<Diagnostic>) {
    let (_, body, problems) = parsed(text);
    let mut diags = Diagnostics::default();
    diags.extend(problems);
    let value = body.attribute("v").map_or_else(Value::dynamic, |a| eval(&a.expr, &names(), &mut diags));
    (value, diags.into_sorted())
}

/// The codes of what evaluating the expressions one after the other, and keeping them, finds.
pub(super) fn kept(texts: &[String]) -> Vec<&'static str> {
    let (mut kept, mut diags) = (super::Kept::default(), Diagnostics::default());
    for text in texts {
        let (_, body, problems) = parsed(text);
        assert!(problems.is_empty(), "{problems:#?}");
        kept.eval(&body.attribute("v").expect("it is set").expr, &names(), &mut diags);
    }
    diags.into_sorted().iter().map(|d| d.code).collect()
}

fn value(text: &str) -> Value {
    let (value, diags) = run(text);
    assert!(diags.is_empty(), "{text}: {diags:#?}");
    value
}

fn error(text: &str) -> Diagnostic {
    let (value, diags) = run(text);
    assert!(!diags.is_empty(), "{text} is {value:?}");
    diags[0].clone()
}

fn free_names(text: &str) -> Vec<String> {
    let (_, body, diags) = parsed(text);
    assert!(diags.is_empty(), "{text}: {diags:#?}");
    references(&body.attribute("v").unwrap().expr).iter().map(references::text).collect()
}

#[test]
fn marks_go_only_where_the_sensitive_part_goes() {
    for text in [
        "user.name",
        "list[0]",
        "merge({ a = 1 }, user).name",
        "concat(list, [\"x\"])[2]",
        "element(list, 0)",
        "{ for k, v in user : k => v }.name",
        "[for x in list : x][0]",
        "tolist([user.name, secret])[0]",
        "lookup(user, \"name\")",
        "values(user)[0]",
        "[secret, 1]",
        "slice(list, 0, 1)[0]",
        "try(user.name, \"x\")",
        "length(list)",
        "keys(user)",
        "list[*]",
    ] {
        assert!(!value(text).marks.sensitive, "{text}");
    }
    for text in [
        "user.password",
        "list[1]",
        "\"${secret}x\"",
        "secret == \"x\"",
        "jsonencode(user)",
        "toset(list)",
        "coalesce(secret, \"x\")",
        "secret == \"x\" ? 1 : 2",
        "upper(secret)",
        "user == {}",
        "join(\",\", list)",
        "{ (secret) = 1 }",
        "{ for x in list : x => 1 }",
        "[for x in ports : x if secret != \"\"]",
        "ports[length(secret) - 7]",
        "format(\"%s\", secret)",
        "length(secret)",
        "!(secret == \"\")",
        "sensitive(1)",
        "\"%{ for x in list }${x}%{ endfor }\"",
        "\"%{ if secret == \"\" }a%{ endif }\"",
        "contains(list, \"a\")",
        "max(1, length(secret))",
    ] {
        assert!(value(text).marks.sensitive, "{text}");
    }
    assert!(!value("nonsensitive(secret)").marks.sensitive);
    assert!(value("\"${token}\"").marks.ephemeral && value("ephemeralasnull([token, 1])[0]").is_null());
}

#[test]
fn no_diagnostic_shows_a_sensitive_value() {
    for text in [
        "secret + 1",
        "tonumber(secret)",
        "secret ? 1 : 2",
        "{ a = 1 }[secret]",
        "ports[secret]",
        "lookup({ a = 1 }, secret)",
        "regex(\"x\", secret)",
        "[for x in list : x + 1]",
        "{ for x in [secret, secret] : x => 1 }",
        "file(secret)",
        "cidrsubnet(secret, 1, 1)",
        "formatdate(secret, \"2018-01-02T23:12:01Z\")",
        "zipmap([secret], [])",
        "templatefile(secret, {})",
        "parseint(secret, 10)",
        "charset(secret)",
        "textencodebase64(\"a\", secret)",
        "transpose({ (secret) = [null] })",
        "format(secret, 1)",
        "csvdecode(\"${secret},${secret}\")",
        "uuidv5(secret, \"a\")",
        "index([1], secret)",
        "list[0].x[secret]",
    ] {
        let (_, diags) = run(text);
        assert!(!diags.is_empty(), "{text} fails");
        assert!(!format!("{diags:?}").contains("hunter2"), "{text}: {diags:#?}");
    }
}

#[test]
fn refinements_tell_some_things_of_unknown_values() {
    assert_eq!(value("id == null"), Value::bool(false));
    assert_eq!(value("\"x-${id}\" == \"y\""), Value::bool(false));
    assert_eq!(value("startswith(\"x-${id}\", \"x-\")"), Value::bool(true));
    assert_eq!(value("length(flag ? [1, 2] : [3, 4])"), Value::int(2));
    assert_eq!(value("length([id, id])"), Value::int(2));
    assert_eq!(value("upper(id) == null"), Value::bool(false));
    assert!(value("any == null").is_unknown() && value("length(ids)").is_unknown());
    assert_eq!(value("{ a = id, b = 1 } == { a = \"x\", b = 2 }"), Value::bool(false));
    assert!(value("[id, 1] == [\"x\", 2]").is_unknown());
    assert_eq!(value("format(\"a-%s\", id) == \"b\""), Value::bool(false));
    assert_eq!(value("keys({ a = id })"), Value::tuple(vec!["a".into()]));
}

#[test]
fn try_and_can_wait_for_what_is_unknown() {
    assert!(value("try(any.x, 1)").is_unknown() && value("can(any.x)").is_unknown());
    assert_eq!(value("try(nofunc(), 1)"), Value::int(1));
    assert_eq!(value("try(user.nope, user.name)"), "ann".into());
    assert_eq!(value("can(user.nope)"), Value::bool(false));
    let failed = error("try(user.nope, nofunc())");
    assert_eq!((failed.code, failed.notes.len()), ("function-failed", 2));
}

#[test]
fn errors_name_the_place_the_values_and_what_to_do() {
    let diagnostic = error("user.nmae");
    assert_eq!(diagnostic.code, "unknown-attribute");
    assert_eq!(diagnostic.help.as_deref(), Some("did you mean `name`?"));
    let (sources, body, _) = parsed("[1, ports[7]]");
    let mut diags = Diagnostics::default();
    eval(&body.attribute("v").unwrap().expr, &names(), &mut diags);
    let diagnostic = &diags.into_sorted()[0];
    assert_eq!(sources.snippet(diagnostic.span().unwrap()), "[7]");
    assert_eq!(diagnostic.notes, ["`ports` is a tuple with 2 elements"]);
    assert_eq!(error("lenght([])").help.as_deref(), Some("did you mean `length`?"));
    assert_eq!(error("1 / 0").code, "infinite-number");
    assert_eq!(run("[nofunc(), nope, user.x]").1.len(), 3, "all mistakes are reported");
}

#[test]
fn references_are_all_free_names_with_their_constant_steps() {
    let cases: &[(&str, &[&str])] = &[
        ("aws_subnet.a[0].id", &["aws_subnet.a[0].id"]),
        ("a.b[\"k\"].c", &["a.b[\"k\"].c"]),
        ("a.b[c.d].e", &["a.b", "c.d"]),
        ("[for k, v in m.n : k if v == w.x]", &["m.n", "w.x"]),
        ("{ for x in x.y : x => x.z }", &["x.y"]),
        ("a.b[*].c[d.e]", &["a.b", "d.e"]),
        ("f(a.b, \"${c.d}%{ for i in e.f }${i}${g.h}%{ endfor }\")", &["a.b", "c.d", "e.f", "g.h"]),
        ("{ (a.b) = c.d, e = 1 }", &["a.b", "c.d"]),
        ("(a.b).c", &["a.b"]),
        ("a.b ? c.d : -e.f + 1", &["a.b", "c.d", "e.f"]),
    ];
    for (text, want) in cases {
        assert_eq!(free_names(text), *want, "{text}");
    }
}

fn constraint(text: &str) -> Result<TypeConstraint, Diagnostic> {
    let (_, body, diags) = parsed(text);
    assert!(diags.is_empty(), "{text}: {diags:#?}");
    type_constraint(&body.attribute("v").unwrap().expr)
}

#[test]
fn defaults_fill_in_for_missing_and_null_at_every_depth() {
    let ty = constraint(
        "map(object({ size = optional(number, 3), tags = optional(map(string), {}), inner = optional(object({ on = optional(bool, true) }), {}) }))",
    )
    .unwrap();
    let given =
        value("{ a = {}, b = { size = null, inner = { on = null }, extra = 1 }, c = { size = \"4\" } }");
    let full = convert_to_constraint(&given, &ty).unwrap();
    let want = "{ inner = { on = true }, size = SIZE, tags = tomap({}) }";
    for (key, size) in [("a", "3"), ("b", "3"), ("c", "4")] {
        let got = &full.as_map().unwrap()[key];
        let want = convert(&value(&want.replace("SIZE", size)), &got.ty()).unwrap();
        assert_eq!(*got, want, "{key}");
    }
}

#[test]
fn type_expressions_are_read_or_refused_with_help() {
    let shown = |text: &str| constraint(text).unwrap().ty.to_string();
    assert_eq!(shown("map(list(string))"), "map(list(string))");
    assert_eq!(shown("tuple([string, number])"), "tuple([string, number])");
    assert_eq!(
        shown("object({ a = string, b = optional(any) })"),
        "object({ a = string, b = optional(any) })"
    );
    assert_eq!(shown("list"), "list(any)");
    for text in [
        "strin",
        "list(string, number)",
        "optional(string)",
        "object({ a = optional(string, 1, 2) })",
        "set",
        "1",
        "object({ a = optional(number, \"x\") })",
        "object({ a = optional(number, foo()) })",
    ] {
        assert!(constraint(text).is_err(), "{text}");
    }
    assert_eq!(constraint("strin").unwrap_err().help.as_deref(), Some("did you mean `string`?"));
}

#[test]
fn deep_and_long_expressions_end_in_a_value_or_an_error() {
    let nested = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("f(", ")"),
        ("{a=", "}"),
        ("\"${[", "]}\""),
        ("true ? 1 : ", ""),
        ("-", ""),
        ("[for x in [1] : ", "]"),
        ("upper(", ")"),
    ] {
        for n in [100, 240, 900] {
            let (_, body, _) = parsed(&nested(open, close, n));
            if let Some(attribute) = body.attribute("v") {
                let mut diags = Diagnostics::default();
                eval(&attribute.expr, &names(), &mut diags);
                references(&attribute.expr);
            }
        }
    }
    assert_eq!(value(&format!("1{}", " + 1".repeat(900))), Value::int(901));
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("secret".to_owned()),
        Just("user".to_owned()),
        Just("id".to_owned()),
        Just("any".to_owned()),
        Just("ids".to_owned()),
        Just("flag".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"a/b\"".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("1.5".to_owned()),
        Just("1e400".to_owned()),
        "-?[0-9]{1,3}",
        "\"[a-z0-9%.:/]{0,8}\"",
    ];
    let functions: Vec<&'static str> =
        crate::lang::functions::FUNCTIONS.iter().map(|f| f.name).filter(|n| *n != "bcrypt").collect();
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let call = (proptest::sample::select(functions.clone()), proptest::collection::vec(inner.clone(), 0..4))
            .prop_map(|(name, args)| format!("{name}({})", args.join(", ")));
        let operator = proptest::sample::select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||"]);
        prop_oneof![
            4 => call,
            1 => (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{ a = {a}, \"b\" = {b} }}")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            1 => inner.clone().prop_map(|a| format!("({a})[*].a")),
            1 => inner.clone().prop_map(|a| format!("tolist({a})")),
            1 => inner.clone().prop_map(|a| format!("toset({a})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[for k, v in {a} : {b} if v != k]")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{ for k, v in {a} : k => {b}... }}")),
            1 => (inner.clone(), inner).prop_map(|(a, b)| format!("\"x${{{a}}}%{{ if {b} }}y%{{ endif }}\"")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// No panic, no sensitive text in errors; and a value that comes of a secret says so.
    #[test]
    fn any_expression_is_a_value_or_errors(text in expression()) {
        let (value, diags) = run(&text);
        // Who says that it is no secret may read it.
        let is_open = text.contains("nonsensitive");
        prop_assert!(is_open || !format!("{diags:?}").contains("hunter2"), "{text}: {diags:#?}");
        let shows = format!("{value:?}").contains("hunter2");
        let marked = value.all_marks().sensitive || is_open;
        prop_assert!(!shows || marked, "{text}: {value:?}");
        if !diags.is_empty() {
            prop_assert!(value.is_unknown());
        }
        // Lists, sets and maps hold what their type says.
        let mut consistent = true;
        value.any(&mut |v| {
            if let Kind::List(t, _) | Kind::Set(t, _) | Kind::Map(t, _) = &v.kind {
                consistent &= v.children().all(|c| c.has_type(t));
            }
            false
        });
        prop_assert!(consistent, "{text}: {value:?}");
    }

    #[test]
    fn values_of_one_type_convert_to_themselves(text in expression()) {
        let (value, _) = run(&text);
        prop_assert_eq!(convert(&value, &value.ty()), Ok(value));
    }
}

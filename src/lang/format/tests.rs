use super::format;
use crate::diag::{Diagnostic, Sources};
use crate::lang::parse::{dump, parse_file};
use crate::lang::syntax::{Body, Expr, ExprKind, TemplatePart};
use proptest::prelude::*;
use serde_json::Value as Json;

fn formatted(text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut sources = Sources::default();
    let file = sources.add("main.tf", text);
    format(&sources, file)
}

// ---- as Terraform

/// Where Terraform's output has another meaning or none: ours, and what Terraform does.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "interpolation with a comment at its start",
        "a = ( # x\nb)\nc = 1\n",
        "leaves a comment between `=` and the value",
    ),
    ("interpolation with a comment inside", "a = (b + # x\nc)\n", "breaks the line outside of brackets"),
    ("interpolation with parentheses apart", "a = ((b)\n+ (c))\n", "breaks the line outside of brackets"),
    (
        "interpolation of a heredoc before a comment",
        "a = \"${<<A\nx\nA\n}\" # y\nb = 1\n",
        "writes the comment behind the end marker",
    ),
    (
        "interpolation with a comment in a block on one line",
        "a { b = (c # x\n) }\n",
        "breaks the line in a block on one line",
    ),
    ("number before a dot", "a = b.0 .1\nc = d.0 .e1\n", "makes one number of two"),
    (
        "labels with a dollar sign",
        "a \"$${x}\" \"b\" {\n}\nc \"d$e\" \"f%g\" \"$\" {\n}\n",
        "drops these labels",
    ),
];

/// `fixtures/fmt/cases.jsonl`: what `terraform fmt` 1.11.4 makes of `input`. With `again`, it makes that of
/// its own output, in the end: ours is there at once.
#[test]
fn files_look_as_terraform_writes_them() {
    let (mut count, mut wrong) = (0, Vec::new());
    for line in include_str!("../../../fixtures/fmt/cases.jsonl").lines() {
        let case: Json = serde_json::from_str(line).expect("fixtures are JSON lines");
        let text = |name: &str| case[name].as_str();
        let (id, input) = (text("id").expect("an id"), text("input").expect("an input"));
        let ours = formatted(input).ok();
        let exception = EXCEPTIONS.iter().find(|(e, ..)| *e == id);
        let terraforms = text("again").or(text("output"));
        if exception.is_some() && ours.as_deref() == terraforms {
            wrong.push(format!("{id}: as in Terraform now: no longer an exception"));
        }
        let expected = exception.map(|e| e.1).or(terraforms);
        if ours.as_deref() != expected {
            wrong.push(format!("{id}: {input:?}\n  expected {expected:?}\n  but is   {ours:?}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    println!("counted: {count} files formatted as by Terraform, {} of them better", EXCEPTIONS.len());
}

#[test]
fn a_broken_file_has_its_errors() {
    let errors = formatted("a = [1\nb {\n").expect_err("it is broken");
    assert!(!errors.is_empty());
    let mut sources = Sources::default();
    let file = sources.add_bytes("main.tf", b"a=1 # \xff\n".to_vec());
    let errors = format(&sources, file).expect_err("the byte cannot be kept");
    assert_eq!(errors[0].code, "invalid-utf8");
    assert_eq!(errors[0].span().map(|s| s.start), Some(6));
}

// ---- whatever the file

fn parsed(text: &str) -> Option<Body> {
    let mut sources = Sources::default();
    let file = sources.add("main.tf", text);
    let (body, diags) = parse_file(&sources, file);
    diags.is_empty().then_some(body)
}

/// The tree as text, without what the rewrites may change.
fn meaning(mut body: Body) -> String {
    for block in body.blocks.iter_mut().filter(|b| &*b.kind.name == "variable") {
        block.body.attributes.retain(|a| &*a.name.name != "type");
    }
    unwrap(&mut body);
    dump::body(&body)
}

fn unwrap(body: &mut Body) {
    for attribute in &mut body.attributes {
        while let Some(inner) = wrapped(&attribute.expr) {
            attribute.expr = inner;
        }
    }
    body.blocks.iter_mut().for_each(|block| unwrap(&mut block.body));
}

fn wrapped(expr: &Expr) -> Option<Expr> {
    match &expr.kind {
        ExprKind::Paren(inner) => Some((**inner).clone()),
        ExprKind::Template(parts) => match &parts[..] {
            [TemplatePart::Interpolation(inner)] => Some(inner.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// A file without errors means the same afterwards, and is then left as it is.
fn check(text: &str) -> Result<(), TestCaseError> {
    let Ok(once) = formatted(text) else {
        prop_assert!(parsed(text).is_none(), "not formatted: {text:?}");
        return Ok(());
    };
    let before = parsed(text).expect("what has errors is not formatted");
    let Some(after) = parsed(&once) else {
        return Err(TestCaseError::fail(format!("broken: {text:?}\n{once}")));
    };
    prop_assert_eq!(meaning(before), meaning(after), "{:?}\n{}", text, once);
    let twice = formatted(&once).expect("it parses");
    prop_assert_eq!(&once, &twice, "{:?}", text);
    Ok(())
}

#[test]
fn the_recorded_files_mean_the_same() {
    for line in include_str!("../../../fixtures/fmt/cases.jsonl").lines() {
        let case: Json = serde_json::from_str(line).expect("fixtures are JSON lines");
        check(case["input"].as_str().expect("an input")).unwrap_or_else(|e| panic!("{}: {e}", case["id"]));
    }
}

/// Blanks, comments and line breaks between tokens; line breaks only where they are allowed.
fn gap(breaks: bool) -> impl Strategy<Value = String> {
    let words = vec!["", "", "", " ", "  ", "\t", "/* c */", " /* d\n e */ "];
    let breaking = vec!["\n", "\n\n", " # c\n", "\r\n", "//\n"];
    let words = if breaks { [words, breaking].concat() } else { words };
    proptest::sample::select(words).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> {
    let leaf = proptest::sample::select(vec![
        "1",
        "a",
        "a.b",
        "a.0 .1",
        "a [0]",
        "null",
        "\"x\"",
        "\"\"",
        "\"x${a}\"",
        "\"${ a }\"",
        "-1",
        "b.*.c",
        "a.* [0]",
        "1.5e3",
        "\"$${a}\"",
        "in",
        "for",
        "p::f(1)",
        "[]",
        "{}",
        "<<A\n x ${ a }\n  A\n",
        "<<-A\n x\n A\n",
        "\"%{if a}x%{endif}\"",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 4, |inner| {
        let g = || gap(true);
        prop_oneof![
            (g(), inner.clone(), g()).prop_map(|(a, x, b)| format!("({a}{x}{b})")),
            (g(), inner.clone(), g()).prop_map(|(a, x, b)| format!("\"${{{a}{x}{b}}}\"")),
            (inner.clone(), gap(false)).prop_map(|(x, b)| format!("\"${{ {x}{b}~}}\"")),
            (
                inner.clone(),
                gap(false),
                inner.clone(),
                proptest::sample::select(vec!["+", "-", "*", "==", "&&", "<="])
            )
                .prop_map(|(x, a, y, op)| format!("{x} {op}{a}{y}")),
            (inner.clone(), inner.clone(), gap(false)).prop_map(|(x, y, a)| format!("x?{a}{x}:{a}{y}")),
            (inner.clone(), g(), g(), inner.clone()).prop_map(|(x, a, b, y)| format!("[{a}{x},{b}{y}]")),
            (inner.clone(), g(), g(), inner.clone())
                .prop_map(|(x, a, b, y)| format!("{{{a}a={x},{b}\"b\":{y}}}")),
            (inner.clone(), g(), g()).prop_map(|(x, a, b)| format!("f({a}{x}{b})")),
            (inner.clone(), inner.clone(), g())
                .prop_map(|(x, y, a)| format!("[for k,v in{a} {x}:{a}{y}if k]")),
            (inner.clone(), inner.clone(), g())
                .prop_map(|(x, y, a)| format!("{{for v in {x}:{a}v=>{y}...}}")),
            inner.clone().prop_map(|x| format!("!{x}")),
            inner.clone().prop_map(|x| format!("- {x}")),
            inner.prop_map(|x| format!("<<EOT\n t ${{ {x} }} u\nEOT\n")),
        ]
    })
}

fn body() -> impl Strategy<Value = String> {
    let attribute =
        (gap(false), value(), gap(false), proptest::sample::select(vec!["\n", "\n\n", " # c\n", "\r\n"]))
            .prop_map(|(a, x, b, end)| format!("={a}{x}{b}{end}"))
            .boxed();
    let attributes = || {
        proptest::collection::vec(attribute.clone(), 0..5).prop_map(|values| {
            let names = ["a", "bbb", "type", "é", "default"];
            names.iter().zip(values).map(|(name, value)| format!("{name}{value}")).collect::<String>()
        })
    };
    let labels = proptest::sample::select(vec![
        "",
        "a",
        "\"b\"",
        "\"c$\" d",
        "/* c */ e\"f\\n\"",
        "\"\\u0041é\"/* g */",
    ]);
    let kinds = proptest::sample::select(vec!["variable", "x", "locals"]);
    let single = (kinds.clone(), labels.clone(), value())
        .prop_map(|(kind, labels, x)| format!("{kind} {labels}{{a={x}}}\n"));
    let block =
        (kinds, labels, attributes(), gap(true), attributes()).prop_map(|(kind, labels, a, gap, b)| {
            format!("{kind} {labels} {{\n{a}{gap}\n inner {{\n{b}}}\n}}\n")
        });
    (attributes(), block, single, gap(true)).prop_map(|(a, b, c, d)| format!("{a}{d}\n{b}{c}{d}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn formatting_keeps_the_meaning_and_is_done_once(text in body()) {
        check(&text)?;
    }

    #[test]
    fn a_value_means_the_same(x in value(), end in gap(false)) {
        check(&format!("a={x}{end}"))?;
        check(&format!("a={x}{end}\n"))?;
    }

    #[test]
    fn any_tokens_are_formatted_or_refused(words in proptest::collection::vec(proptest::sample::select(vec![
        "a", "for", "in", "1", ".", "...", ",", "=", "a=", "=>", "?", ":", "(", ")", "[", "]", "{", "}", "\"", "\"${",
        "}\"", "%{", "~}", "${~", "\n", "\r\n", " ", "<<E\n", "E\n", "\\", "$", "%", "# c\n", "/* c */", "-", "!", "é", "\t",
    ]), 0..40)) {
        check(&words.concat())?;
    }
}

/// How many of the made files are formatted at all: the tests above must not pass for want of valid ones.
#[test]
fn many_of_the_made_files_are_valid() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let made = (0..200).map(|_| body().new_tree(&mut runner).expect("a file").current());
    let valid = made.filter(|text| parsed(text).is_some()).count();
    assert!(valid > 20, "{valid} of 200");
}

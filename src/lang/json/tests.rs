use super::{Kind, Reading, read};
use crate::diag::{Diagnostics, Sources};
use crate::lang::eval::references;

fn errors(text: &str) -> Vec<(String, String)> {
    let mut sources = Sources::default();
    let file = sources.add("x.tf.json", text);
    let (_, diags) = read(&sources, file);
    let place = |d: &crate::diag::Diagnostic| {
        let span = d.span().expect("every mistake has a place");
        let (line, column) = sources.line_column(file, span.start);
        format!("{line}:{column}")
    };
    diags.iter().map(|d| (place(d), d.summary.clone())).collect()
}

#[test]
fn reads_what_json_allows() {
    for text in [
        "{}",
        " [1, -0, 0.5e-3, 1E+2, true, false, null, \"\"] ",
        r#"{"a": {"b": ["\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"]}}"#,
        "\u{feff}{\"a\": 1}",
        r#"{"a": 1, "a": 2}"#,
    ] {
        assert_eq!(errors(text), [], "{text}");
    }
}

#[test]
fn locates_mistakes() {
    for (text, place, words) in [
        ("", "1:1", "expected a JSON value, found the end of the file"),
        ("{\"a\": 1,}", "1:8", "JSON allows no comma before a closing bracket"),
        ("[1, ]", "1:3", "JSON allows no comma before a closing bracket"),
        ("{\"a\": 1, b}", "1:10", "expected a property name in double quotes, found `b`"),
        ("[1 2]", "1:4", "expected `,` or `]`, found `2`"),
        ("{\"a\" 1}", "1:6", "expected `:` after the property name, found `1`"),
        ("{\"a\": nope}", "1:7", "expected `true`, `false`, `null` or a string in quotes, found `nope`"),
        ("{\"a\": 01}", "1:7", "`01` is not a JSON number"),
        ("{\"a\": \"x\n\"}", "1:7", "this string is not closed on its line"),
        ("{\"a\": \"\\x\"}", "1:8", "this is not an escape sequence of JSON"),
        ("{} {}", "1:4", "expected the end of the file, found `{`"),
        ("// x\n{}", "1:1", "expected a JSON value, found `/`"),
    ] {
        assert_eq!(errors(text), [(place.to_owned(), words.to_owned())], "{text}");
    }
}

#[test]
fn ten_thousand_brackets_are_an_error() {
    let found = errors(&"[".repeat(10_000));
    assert_eq!(found.len(), 1);
    assert!(found[0].1.contains("nested too deeply"), "{found:?}");
}

#[test]
fn references_in_strings_stand_where_they_are_written() {
    let text = r#"{"x": "a\n\u00e9 ${upper(var.one)} \"${local.two}\""}"#;
    let mut sources = Sources::default();
    let file = sources.add("x.tf.json", text);
    let (json, _) = read(&sources, file);
    let Kind::Object(members) = &json.kind else { panic!("an object") };
    let mut diags = Diagnostics::default();
    let expr = members[0].value.expr(Reading::Templates, &mut diags);
    assert!(diags.is_empty());
    let found: Vec<&str> = references(&expr).iter().map(|t| sources.snippet(t.span)).collect();
    assert_eq!(found, ["var.one", "local.two"]);
}

#[test]
fn properties_of_values_must_differ() {
    let text = r#"{"x": 1, "x": 2}"#;
    let mut sources = Sources::default();
    let file = sources.add("x.tf.json", text);
    let (json, _) = read(&sources, file);
    let mut diags = Diagnostics::default();
    json.expr(Reading::Templates, &mut diags);
    assert_eq!(diags.codes().into_iter().collect::<Vec<_>>(), ["duplicate"]);
}

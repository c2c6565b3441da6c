use super::*;
use crate::diag::{Diagnostic, FileId};
use serde_json::json;

fn sources() -> Sources {
    let mut sources = Sources::default();
    sources.add(
        "envs/dev/main.tf",
        "resource \"aws_vpc\" \"main\" {\n  cidr = \"10.0.0.0/16\"\n}\n\nvariable \"x\" {\n\tdefault = [1, 2]\n}\n",
    );
    sources.add("modules/a b/x.tf", "a = 1\n".repeat(40));
    sources
}

fn at(sources: &Sources, file: u32, needle: &str) -> Span {
    let file = FileId(file);
    let start = sources.text(file).find(needle).expect("the needle is in the file");
    Span::new(file, start, start + needle.len())
}

fn check(sources: &Sources, diags: &[Diagnostic], expect: &str) {
    let text = render_text(diags, sources, Style::default());
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    assert_eq!(trimmed.join("\n").trim_end(), expect.trim_matches('\n'), "\n{text}");
}

#[test]
fn a_diagnostic_shows_place_labels_detail_notes_and_help() {
    let s = sources();
    let diag = Diagnostic::error("unknown-attribute", "aws_vpc has no attribute `cidr`")
        .label(at(&s, 0, "cidr"), "not an attribute")
        .label(at(&s, 0, "\"main\""), "of this")
        .detail("Attributes are those of the provider.")
        .note("10 attributes are known")
        .help("did you mean `cidr_block`?");
    check(
        &s,
        &[diag],
        r#"
error[unknown-attribute]: aws_vpc has no attribute `cidr`
 --> envs/dev/main.tf:2:3
  |
1 | resource "aws_vpc" "main" {
  |                    ------ of this
2 |   cidr = "10.0.0.0/16"
  |   ^^^^ not an attribute
  |
  = Attributes are those of the provider.
  = note: 10 attributes are known
  = help: did you mean `cidr_block`?

1 error
"#,
    );
}

#[test]
fn labels_in_other_files_have_their_own_snippet() {
    let s = sources();
    let diag = Diagnostic::error("type-mismatch", "a list is wanted here")
        .at(at(&s, 0, "[1, 2]"))
        .label(Span::new(FileId(1), 120, 125), "called here")
        .address("module.a");
    let warning = Diagnostic::warning("no-credentials", "no credentials were found")
        .address("aws_vpc.main[0]")
        .help("log in");
    check(
        &s,
        &[diag, warning],
        r#"
error[type-mismatch]: a list is wanted here
  --> envs/dev/main.tf:6:12
   |
 6 |  default = [1, 2]
   |            ^^^^^^
  ::: modules/a b/x.tf:21:1
   |
21 | a = 1
   | ----- called here
   |
   = in module.a

warning[no-credentials]: no credentials were found
 |
 = in aws_vpc.main[0]
 = help: log in

1 error, 1 warning
"#,
    );
}

#[test]
fn long_spans_and_long_lines_are_cut() {
    let mut s = Sources::default();
    let long = format!("a = \"{}\" {}\n", "x".repeat(5_000), "é".repeat(3_000));
    s.add("long.tf", long.clone());
    s.add("tall.tf", format!("a {{\n{}}}\n", "  b = 1\n".repeat(5_000)));
    let quote = long.find("\" é").expect("it is there");
    let diags = [
        Diagnostic::error("expected-newline", "more on this line").at(Span::new(
            FileId(0),
            quote + 2,
            quote + 4,
        )),
        Diagnostic::error("unclosed-brace", "all of this").at(Span::new(FileId(1), 2, 30_000)),
        Diagnostic::error("whole-line", "all of that").at(Span::new(FileId(0), 0, long.len())),
    ];
    let text = render_text(&diags, &s, Style { color: false, width: 100 });
    assert!(text.contains("--> long.tf:1:5008\n"), "{text}");
    assert!(text.contains("--> tall.tf:1:3\n"), "{text}");
    assert!(text.lines().count() < 30, "{text}");
    assert!(text.lines().all(|l| l.chars().count() < 350), "{text}");
}

#[test]
fn places_at_line_breaks_and_the_end_are_shown() {
    let mut s = Sources::default();
    let file = s.add("end.tf", "a = \"b\r\nc = ");
    let diags = [
        Diagnostic::error("unterminated-string", "no end").at(Span::new(file, 6, 8)),
        Diagnostic::error("expected-expression", "no value").at(Span::new(file, 12, 12)),
        Diagnostic::error("beyond", "outside of the text").at(Span::new(file, 500, 600)),
    ];
    check(
        &s,
        &diags,
        r#"
error[unterminated-string]: no end
 --> end.tf:1:7
  |
1 | a = "b
  |       ^

error[expected-expression]: no value
 --> end.tf:2:5
  |
2 | c =
  |     ^

error[beyond]: outside of the text
 --> end.tf:2:5
  |
2 | c =
  |     ^

3 errors
"#,
    );
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let mut s = Sources::default();
    let evil = "\u{feff}a = \"\u{1b}[31m\u{9b}2J\u{202e}\u{7}\0\u{200b}\" # \r\u{7f}\n";
    let file = s.add("evil\u{1b}[2J.tf", evil);
    let diag = Diagnostic::error("x", "a\u{1b}[0m\r\n b")
        .label(Span::new(file, 3, evil.len()), "\u{1b}]0;title\u{7}")
        .detail("\u{1b}c")
        .note("\u{9b}1m")
        .help("\u{8}")
        .address("a\u{1b}");
    let text = render_text(&[diag], &s, Style::default());
    let raw: Vec<char> = text.chars().filter(|&c| c != '\n' && (c.is_control() || shown(c) != c)).collect();
    assert!(raw.is_empty(), "{raw:?} in {text}");
    assert!(text.contains("␛[31m"), "{text}");
}

#[test]
fn colours_only_when_wanted() {
    let s = sources();
    let diags = [Diagnostic::error("x", "y").at(at(&s, 0, "cidr"))];
    assert!(!render_text(&diags, &s, Style { color: false, width: 80 }).contains('\u{1b}'));
    assert!(render_text(&diags, &s, Style { color: true, width: 80 }).contains('\u{1b}'));
    assert_eq!(render_text(&[], &s, Style::default()), "");
}

#[test]
fn json_has_positions_in_lines_columns_and_bytes() {
    let s = sources();
    let diag = Diagnostic::error("unknown-attribute", "no such attribute")
        .label(at(&s, 0, "cidr"), "this")
        .note("n")
        .help("h")
        .address("aws_vpc.main");
    assert_eq!(
        render_json(&[diag, Diagnostic::warning("w", "bare")], &s),
        json!([
            {
                "code": "unknown-attribute", "severity": "error", "summary": "no such attribute", "detail": "",
                "labels": [{
                    "path": "envs/dev/main.tf",
                    "start": { "line": 2, "column": 3, "byte": 30 },
                    "end": { "line": 2, "column": 7, "byte": 34 },
                    "text": "this",
                }],
                "notes": ["n"], "help": "h", "address": "aws_vpc.main",
            },
            {
                "code": "w", "severity": "warning", "summary": "bare", "detail": "",
                "labels": [], "notes": [], "help": null, "address": null,
            },
        ])
    );
}

#[test]
fn sarif_has_rules_results_and_locations() {
    let s = sources();
    let diag = Diagnostic::error("b-code", "wrong")
        .label(Span::new(FileId(1), 6, 7), "")
        .label(at(&s, 0, "cidr"), "first")
        .help("do that")
        .address("aws_vpc.main");
    let log = render_sarif(&[diag, Diagnostic::warning("a-code", "bare")], &s);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"], json!([{ "id": "a-code" }, { "id": "b-code" }]));
    assert_eq!(
        run["results"][0],
        json!({
            "ruleId": "b-code", "ruleIndex": 1, "level": "error",
            "message": { "text": "wrong\nhelp: do that" },
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": { "uri": "modules/a%20b/x.tf" },
                    "region": { "startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 2, "byteOffset": 6, "byteLength": 1 },
                },
                "logicalLocations": [{ "fullyQualifiedName": "aws_vpc.main", "kind": "resource" }],
            }],
            "relatedLocations": [{
                "id": 1,
                "physicalLocation": {
                    "artifactLocation": { "uri": "envs/dev/main.tf" },
                    "region": { "startLine": 2, "startColumn": 3, "endLine": 2, "endColumn": 7, "byteOffset": 30, "byteLength": 4 },
                },
                "message": { "text": "first" },
            }],
        })
    );
    assert_eq!(
        run["results"][1],
        json!({ "ruleId": "a-code", "ruleIndex": 0, "level": "warning", "message": { "text": "bare" } })
    );
}

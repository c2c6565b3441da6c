use super::{
    MAX_DEPTH, Mode, dump, parse_expression, parse_file, parse_in_pieces, parse_lexed, parse_template,
};
use crate::diag::{Diagnostic, FileId, Sources};
use crate::lang::syntax::{Body, Expr, TemplatePart};
use proptest::prelude::*;

fn parse(text: &str) -> (Body, Vec<Diagnostic>, Vec<String>) {
    let mut sources = Sources::default();
    let file = sources.add("main.hcl", text);
    let (body, diags) = parse_file(&sources, file);
    let places = diags
        .iter()
        .map(|d| {
            let (line, column) =
                sources.line_column(file, d.span().expect("syntax errors have a place").start);
            format!("{line}:{column} {}", d.code)
        })
        .collect();
    (body, diags, places)
}

/// The file parses, into this.
fn check(text: &str, expect: &str) {
    let (body, diags, _) = parse(text);
    assert!(diags.is_empty(), "{text:?}: {diags:#?}");
    assert_eq!(dump::body(&body).trim_end(), expect.trim_matches('\n'), "{text:?}");
}

/// The expression parses, into this, as the value of an argument.
fn check_expr(text: &str, expect: &str) {
    check(&format!("x = {text}\n"), &format!("x = {expect}"));
}

/// The file has these errors, and what is understood of it is this.
fn check_errors(text: &str, errors: &[&str], expect: &str) {
    let (body, diags, places) = parse(text);
    assert_eq!(places, errors, "{text:?}: {diags:#?}");
    assert_eq!(dump::body(&body).trim_end(), expect.trim_matches('\n'), "{text:?}");
}

fn check_template(text: &str, expect: &str) {
    let mut sources = Sources::default();
    let file = sources.add("main.tpl", text);
    let (parts, diags) = parse_template(&sources, file);
    assert!(diags.is_empty(), "{text:?}: {diags:#?}");
    assert_eq!(dump::parts(&parts), expect, "{text:?}");
}

// ---- in pieces

/// Whether a file without mistakes is the same tree when each piece is one line; None where it has some.
fn is_the_same_in_pieces(text: &str) -> Option<bool> {
    let (_, whole, diags) = parse_lexed(text, FileId(0), Mode::Code, MAX_DEPTH, |p| p.file_body());
    let sizes = [1, 7, 100];
    diags
        .is_empty()
        .then(|| sizes.iter().all(|&n| parse_in_pieces(text, FileId(0), n).as_ref() == Some(&whole)))
}

#[test]
fn files_are_the_same_in_pieces() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for dir in ["envs", "modules", "fixtures"] {
        for entry in walkdir::WalkDir::new(root.join(dir)).into_iter().flatten() {
            let name = entry.file_name().to_string_lossy();
            if [".tf", ".hcl", ".tfvars"].iter().any(|end| name.ends_with(end)) {
                let text = std::fs::read_to_string(entry.path()).expect("a fixture can be read");
                assert_ne!(is_the_same_in_pieces(&text), Some(false), "{}", entry.path().display());
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count} files");
}

#[test]
fn pieces_end_where_nothing_is_open() {
    for text in [
        "a = <<E\nx\n\n${[\n1\n]}\nE\nb = 1",
        "a = [\n1,\n2\n]\nb {\n}\n\n# c\n\nd = \"${\n1\n}\"\n",
        "/* a\n\n */ b = 1\n/* c\n */ d = 2\n",
        "\u{feff}a = 1\r\n\r\nb = (\r\n2\r\n)\r\n",
        "\n\n# only this",
        "",
    ] {
        assert_eq!(is_the_same_in_pieces(text), Some(true), "{text:?}");
    }
    for wrong in ["a = 1\na = 2\n", "a = 1\n}\n", "a = 1\nb {\n", "a = 1\nb = \"\n", "a = 1\nb = \nc = 1\n"] {
        assert_eq!(parse_in_pieces(wrong, FileId(0), 1), None, "{wrong:?}");
    }
}

/// Most of the memory of a large file's tree is these.
#[test]
fn nodes_are_small() {
    assert_eq!(size_of::<Expr>(), 48);
    assert!(size_of::<TemplatePart>() <= 56, "{}", size_of::<TemplatePart>());
}

// ---- what is understood

#[test]
fn operators_bind_as_in_terraform() {
    check_expr("1 + 2 * 3", "(+ 1 (* 2 3))");
    check_expr("1 - 2 - 3", "(- (- 1 2) 3)");
    check_expr("a || b && c == d < e + f * g", "(|| a (&& b (== c (< d (+ e (* f g))))))");
    check_expr("a * b + c < d == e && f || g", "(|| (&& (== (< (+ (* a b) c) d) e) f) g)");
    check_expr("!a.b[0] == -c % 2", "(== (! a.b[0]) (% (- c) 2))");
    check_expr("- - 1", "(- (- 1))");
    check_expr("a--b", "a--b");
    check_expr("(1 + 2) * 3", "(* ((+ 1 2)) 3)");
}

#[test]
fn conditionals_nest_to_the_right() {
    check_expr("a ? b : c ? d : e", "(? a b (? c d e))");
    check_expr("a ? b ? c : d : e", "(? a (? b c d) e)");
    check_expr("a == 1 || b ? 1 + 2 : 3", "(? (|| (== a 1) b) (+ 1 2) 3)");
}

#[test]
fn traversals_splats_and_old_indices() {
    check_expr("a.b.c[0][\"k\"][d.e]", "a.b.c[0][\"k\"][d.e]");
    check_expr("a.0.b", "a[0].b");
    check_expr("a.*.b.c[0]", "(splat-attr a @.b.c)[0]");
    check_expr("a.*.0.b", "(splat-attr a @[0].b)");
    check_expr("a[*].b[0].c", "(splat a @.b[0].c)");
    check_expr("a[*][*].b", "(splat a (splat @ @.b))");
    check_expr("f(a)[0].b", "f(a)[0].b");
    check_expr("\"a\".b", "\"a\".b");
}

#[test]
fn calls_take_commas_line_breaks_and_an_expansion() {
    check_expr("f()", "f()");
    check_expr("f(\n1,\n2,\n)", "f(1 2)");
    check_expr("f(a, b...)", "f(a b ...)");
    check_expr("provider::aws::arn_parse(x)", "provider::aws::arn_parse(x)");
    check_expr("true()", "true()");
}

#[test]
fn collections_take_commas_and_line_breaks() {
    check_expr("[1, 2,]", "[1 2]");
    check_expr("[\n  # one\n  1, # two\n  2\n]", "[1 2]");
    check_expr("{ a = 1, \"b\" : 2, (c) = 3, 4 = 5 }", "{\"a\"=1 \"b\"=2 (c)=3 4=5}");
    check_expr("{\n  a = 1\n\n  b = 2,\n  null = 3 // x\n}", "{\"a\"=1 \"b\"=2 \"null\"=3}");
    check_expr("{ a = 1, a = 2 }", "{\"a\"=1 \"a\"=2}");
    check_expr("{ a.b = 1 }", "{a.b=1}");
}

#[test]
fn for_expressions_ignore_line_breaks() {
    check_expr("[for v in l : v.a if v.b]", "(for v in l: v.a if v.b)");
    check_expr("{for k, v in m : k => v...}", "(for k,v in m: k => v...)");
    check_expr(
        "{\nfor k, v in m : k => v == null ?\n1 :\n2\nif k != 3\n}",
        "(for k,v in m: k => (? (== v null) 1 2) if (!= k 3))",
    );
    check_expr("[for for in in : if if if]", "(for for in in: if if if)");
    check_expr("[\"for\"]", "[\"for\"]");
}

#[test]
fn parentheses_allow_line_breaks() {
    check_expr("(\na\n.b\n+\nc\n)", "((+ a.b c))");
    check_expr("f(a\n? b\n: c)", "f((? a b c))");
    check_expr("a[\n0\n]", "a[0]");
}

#[test]
fn numbers_are_decimal() {
    check_expr("1.5e3 + 0.25", "(+ 1500 0.25)");
}

#[test]
fn strings_have_escapes() {
    check_expr(r#""\n\r\t\"\\""#, r#""\n\r\t'\\""#);
    check_expr(r#""\u00e9\U0001F600""#, "\"é😀\"");
    check_expr(r#""$${a} %%{b} $a $$ %""#, "\"${a} %{b} $a $$ %\"");
    check_expr(r#""$$${a}""#, "\"$${a}\"");
    check_expr("\"\"", "\"\"");
}

#[test]
fn strings_and_names_are_normalised() {
    check_expr("\"e\u{301}\"", "\"\u{e9}\"");
    check_expr("\"e\\u0301\"", "\"\u{e9}\"");
    check("e\u{301} = a.e\u{301}\n", "\u{e9} = a.\u{e9}");
}

#[test]
fn templates_have_interpolations_and_directives() {
    check_expr(r#""${a}""#, r#""${a}""#);
    check_expr(r#""a${b}c""#, r#""a|${b}|c""#);
    check_expr(r#""${f("x ${y}")}""#, r#""${f("x |${y}")}""#);
    check_expr("\"${\n{ a = 1 }.a\n}\"", r#""${{"a"=1}.a}""#);
    check_expr(r#""%{ if a }b%{ else }c%{ endif }""#, r#""%{if a}b%{else}c%{end}""#);
    check_expr(
        r#""%{ for k, v in m }${k}%{ if v },%{ endif }%{ endfor }""#,
        r#""%{for k,v in m}${k}|%{if v},%{else}%{end}%{end}""#,
    );
}

#[test]
fn strip_markers_take_white_space() {
    check_expr(r#""a \n ${~ b ~} \t c""#, r#""a|${b}|c""#);
    check_expr(r#""%{ if a ~}  b  %{~ endif ~} c""#, r#""%{if a}b%{else}%{end}|c""#);
    // No longer alone: the value becomes a string.
    check_expr(r#""${a ~} ""#, r#""${a}|""#);
}

#[test]
fn heredocs_are_literal_but_for_sequences() {
    check("x = <<EOT\n a\\n \"${b}\" $${c}\nEOT\ny = 1\n", "x = \" a\\\\n '|${b}|' ${c}\\n\"\ny = 1");
    check("x = [<<A\nA\n, <<B\nb\n  B\n]\n", "x = [\"\" \"b\\n\"]");
    check("x = <<EOT\nEOTX\n $EOT\nEOT\n", "x = \"EOTX\\n $EOT\\n\"");
}

#[test]
fn flush_heredocs_lose_the_common_indentation() {
    check("x = <<-EOT\n    a\n      b\n\n    c\n  EOT\n", "x = \"a\\n  b\\n\\nc\\n\"");
    check("x = <<-EOT\n    a\n  ${b}\n      c\n  EOT\n", "x = \"  a\\n|${b}|\\n    c\\n\"");
    check("x = <<-EOT\n    a\n${b}\n  EOT\n", "x = \"    a\\n|${b}|\\n\"");
    // A stripped line break makes one line of two, as in Terraform.
    check("x = <<-EOT\n    ${a~}\n\n      x\n   y\n  EOT\n", "x = \" |${a}|\\n   x\\ny\\n\"");
    check(
        "x = <<-EOT\n  %{ if a ~}\n   b\n  %{ endif ~}\n  c\n  EOT\n",
        "x = \"|%{if a}   b\\n%{else}%{end}|  c\\n\"",
    );
}

#[test]
fn windows_line_ends_and_a_byte_order_mark() {
    check("\u{feff}a = 1\r\nb {\r\n  c = <<E\r\nx\r\nE\r\n}\r\n", "a = 1\nb {\n  c = \"x\\r\\n\"\n}");
}

#[test]
fn bodies_have_arguments_and_blocks() {
    check(
        "a = 1 # one\nb \"c\" d { # two\n  e { f = 1 }\n  g {}\n  h = 2 /* three\n  */\n}\n// end",
        "a = 1\nb \"c\" \"d\" {\n  h = 2\n  e {\n    f = 1\n  }\n  g {\n  }\n}",
    );
    check("", "");
    check("for = 1\nif {}\n", "for = 1\nif {\n}");
}

#[test]
fn spans_cover_what_they_name() {
    let text = "resource \"a\" \"b\" {\n  x = y.z[0]\n}\n";
    let mut sources = Sources::default();
    let file = sources.add("main.hcl", text);
    let (body, _) = parse_file(&sources, file);
    let block = &body.blocks[0];
    assert_eq!(sources.snippet(block.header), "resource \"a\" \"b\"");
    assert_eq!(sources.snippet(block.span), text.trim_end());
    assert_eq!(sources.snippet(block.body.span), "{\n  x = y.z[0]\n}");
    assert_eq!(sources.snippet(block.labels[1].span), "\"b\"");
    let attribute = &block.body.attributes[0];
    assert_eq!(sources.snippet(attribute.span), "x = y.z[0]");
    assert_eq!(sources.snippet(attribute.expr.span), "y.z[0]");
}

#[test]
fn template_files_are_text_until_a_sequence() {
    check_template("", "");
    check_template("a \"b\" \\n $", "a 'b' \\\\n $");
    check_template(
        "a\n  %{ for x in l ~}\n  ${x}\n  %{ endfor ~}\nb\n",
        "a\\n  |%{for x in l}  |${x}|\\n  %{end}|b\\n",
    );
}

#[test]
fn expressions_stand_alone() {
    let mut sources = Sources::default();
    let parse = |sources: &mut Sources, text: &str| {
        let file = sources.add("<var>", text);
        let (expr, diags) = parse_expression(sources, file);
        (expr.map(|e| dump::expr(&e)), diags.iter().map(|d| d.code).collect::<Vec<_>>())
    };
    assert_eq!(parse(&mut sources, " [1,\n2]\n"), (Some("[1 2]".into()), vec![]));
    assert_eq!(parse(&mut sources, "a b"), (None, vec!["unexpected-token"]));
    assert_eq!(parse(&mut sources, ""), (None, vec!["expected-expression"]));
}

// ---- errors

#[test]
fn every_broken_item_is_reported_and_the_rest_is_understood() {
    check_errors(
        "a = 1 +\nb = [1 2, 3]\nc {\n  d = )\n  e = 1\n  f: 2\n}\ng = \"x\nh = 4\n",
        &[
            "1:8 expected-expression",
            "2:8 missing-separator",
            "4:7 expected-expression",
            "6:3 expected-item",
            "8:7 unterminated-string",
        ],
        "a = <error>\nb = [<error> 3]\ng = \"x\"\nh = 4\nc {\n  d = <error>\n  e = 1\n}",
    );
}

#[test]
fn errors_inside_brackets_stay_inside() {
    check_errors(
        "a = {\n  b = 1 2\n  c = f(,)\n  d = [for x y]\n  e = \"${g h}\"\n  i = 5\n}\n",
        &["2:9 missing-separator", "3:9 expected-expression", "4:14 invalid-for", "5:12 unexpected-token"],
        "a = {\"c\"=f(<error>) \"d\"=<error> \"e\"=\"${<error>}\" \"i\"=5}",
    );
}

#[test]
fn an_unclosed_bracket_does_not_swallow_the_next_items() {
    check_errors(
        "a {\n  b = [\n    1,\n    2\n  c = 3\n}\nd = f(1\ne = 4\n",
        &["5:3 unclosed-bracket", "8:1 unclosed-parenthesis"],
        "d = <error>\ne = 4\na {\n  b = <error>\n  c = 3\n}",
    );
}

#[test]
fn an_unclosed_block_is_found_by_its_indentation() {
    let text = "a {\n  b {\n    c = 1\n\n}\n\nd {\n  e = 2\n}\n";
    let (_, diags, places) = parse(text);
    assert_eq!(places, ["1:3 unclosed-brace"]);
    assert_eq!(diags[0].labels.len(), 3, "{diags:#?}");
    assert_eq!(diags[0].labels[2].span.start as usize, text.find("b {").expect("it is there") + 2);
}

#[test]
fn a_string_without_end_is_one_error() {
    check_errors("a = \"b\nc = \"d\"\n", &["1:7 unterminated-string"], "a = \"b\"\nc = \"d\"");
    check_errors("a = \"${f(\"b)}\"\nc = 1\n", &["1:6 unclosed-interpolation"], "a = <error>\nc = 1");
    check_errors("a = \"${b\"\nc = 1\n", &["1:10 unterminated-string"], "a = \"${<error>}\"\nc = 1");
    check_errors(
        "a = \"one\n two\n three\"\nb = 1\n",
        &["1:9 unterminated-string"],
        "a = \"one\\n two\\n three\"\nb = 1",
    );
}

#[test]
fn a_heredoc_without_end_says_which_line_nearly_was_it() {
    let (_, diags, places) = parse("a = <<EOT\nb\nEOT # end\nc = 1\n");
    assert_eq!(places, ["1:5 unterminated-heredoc"]);
    assert_eq!(diags[0].labels[1].text, "has more than the marker");
    let (_, diags, _) = parse("a = <<EOT\nb\nEOT");
    assert_eq!(diags[0].labels[1].text, "needs a line break after it");
    check_errors("a = <<EOT\n${b\nEOT\nc = 1\n", &["2:1 unclosed-interpolation"], "a = \"${b}\"\nc = 1");
    check_errors("a = <<EOT b\nc = 1\n", &["1:5 invalid-heredoc"], "a = <error>\nc = 1");
}

#[test]
fn directives_must_match() {
    for (text, place) in [
        ("%{ if a }b", "1:16 unclosed-directive"),
        ("%{ for a in b }c", "1:22 unclosed-directive"),
        ("%{ endif }", "1:6 unexpected-directive"),
        ("%{ if a }%{ endfor }", "1:15 unexpected-directive"),
        ("%{ if a }%{ else }%{ else }%{ endif }", "1:24 unexpected-directive"),
        ("%{ esle }", "1:9 invalid-directive"),
        ("${}", "1:8 expected-expression"),
        ("${a:-b}", "1:9 unexpected-token"),
    ] {
        check_errors(
            &format!("x = \"{text}\"\ny = 1\n"),
            &[place],
            &format!("x = {}\ny = 1", if text.starts_with('$') { "\"${<error>}\"" } else { "<error>" }),
        );
    }
}

#[test]
fn an_argument_is_set_once() {
    let (body, diags, places) = parse("a = 1\nb {\n  a = 2\n}\na = 3\n");
    assert_eq!(places, ["5:1 duplicate-attribute"]);
    assert_eq!(diags[0].labels[1].text, "first set here");
    assert_eq!(diags[0].labels[1].span.start, 0);
    assert_eq!(body.attributes.len(), 1);
    let many: String = (0..40).map(|i| format!("a{} = 1\n", i % 39)).collect();
    assert_eq!(parse(&many).2, ["40:1 duplicate-attribute"]);
}

#[test]
fn wrong_blocks() {
    check_errors("a \"b\"\n{\n  c = 1\n}\n", &["1:6 invalid-block"], "a \"b\" {\n  c = 1\n}");
    check_errors(
        "a { b = 1, c = 2 }\nd = 1\n",
        &["1:10 invalid-single-line-block"],
        "d = 1\na {\n  b = 1\n}",
    );
    check_errors("a { b {} }\n", &["1:5 invalid-single-line-block"], "a {\n}");
    check_errors("a { b = 1\n  c = 2\n}\n", &["1:10 invalid-single-line-block"], "a {\n  b = 1\n  c = 2\n}");
    check_errors("a {} b {}\n", &["1:6 expected-newline"], "a {\n}");
    check_errors("a \"${b}\" {}\n", &["1:4 template-in-label"], "a \"\" {\n}");
    check_errors("a = 1\n}\nb = 2\n", &["2:1 unexpected-brace"], "a = 1\nb = 2");
    check_errors("\"a\" = 1\nb = 2\n", &["1:1 quoted-name"], "b = 2");
}

#[test]
fn wrong_characters_are_named() {
    check_errors(
        "a = 'b'\nc = “d”\n",
        &["1:5 invalid-character", "2:5 invalid-character"],
        "a = <error>\nc = <error>",
    );
    check_errors("a = b & c\n", &["1:7 unsupported-operator"], "a = b");
    check_errors("a = <<E\nb\rc\nE\n", &["2:2 invalid-character"], "a = \"b\\rc\\n\"");
    check_errors("a = 1; b = 2\n", &["1:6 invalid-character"], "a = 1\nb = 2");
    check_errors("a = 1.5.6\n", &["1:5 invalid-number"], "a = <error>");
    check_errors("a = 1 /* b\n", &["1:7 unterminated-comment"], "a = 1");
    check_errors(
        "a = \"\\x \\u12 \\ud800\"\n",
        &["1:6 invalid-escape", "1:9 invalid-escape", "1:14 invalid-escape"],
        "a = \"x  \"",
    );
}

#[test]
fn errors_are_counted_up_to_a_limit() {
    let (_, diags, _) = parse(&"a = )\n".repeat(1_000));
    assert_eq!(diags.last().expect("there are some").code, "too-many-errors");
    assert_eq!(diags.len(), 101);
}

#[test]
fn an_error_shows_where_why_and_what_to_do() {
    let mut sources = Sources::default();
    let file = sources.add("main.hcl", "a = [\n  1,\n  2\nb = \"x ${y\"\nc = 1\n");
    let (_, diags) = parse_file(&sources, file);
    let text = crate::diag::render::render_text(&diags, &sources, crate::diag::render::Style::default());
    let expect = r#"
error[unclosed-bracket]: expected `,` or `]`, found `b`
 --> main.hcl:4:1
  |
1 | a = [
  |     - this is never closed
...
4 | b = "x ${y"
  | ^
  |
  = help: close it with `]`

error[unterminated-string]: this string does not end on its line
 --> main.hcl:4:12
  |
4 | b = "x ${y"
  |        -- -^ the line ends here
  |        |  |
  |        |  the string starts here
  |        this has no `}`
  |
  = help: close it with `"`; for several lines use `\n` or a heredoc (`<<EOT`)

2 errors
"#;
    assert_eq!(text.trim_end(), expect.trim(), "\n{text}");
}

// ---- depth

/// Small stacks everywhere but in the parser's own thread.
fn on_small_stack(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let handle = thread.spawn_scoped(scope, test).expect("a thread can be made");
        handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

#[test]
fn nesting_up_to_the_limit_parses() {
    on_small_stack(|| {
        let n = MAX_DEPTH - 10;
        for text in [
            format!("a = {}1{}\n", "[".repeat(n), "]".repeat(n)),
            format!("a = {}1{}\n", "(".repeat(n), ")".repeat(n)),
            format!("a = {}1{}\n", "f(".repeat(n), ")".repeat(n)),
            format!("a = {}1{}\n", "{b=".repeat(n), "}".repeat(n)),
            format!("a = {}1{}\n", "\"${".repeat(n / 2), "}\"".repeat(n / 2)),
            format!("a = {}1\n", "-".repeat(n)),
            format!("a = {}1\n", "1 + ".repeat(n)),
            format!("a = b{}\n", ".c".repeat(n)),
            format!("a = b{}\n", "[*]".repeat(n)),
            format!("a = {}d\n", "b ? c : ".repeat(n)),
            format!("a = {}e{}\n", "b ? ".repeat(n), " : c".repeat(n)),
            format!("a = \"{}e{}\"\n", "%{if b}".repeat(n), "%{endif}".repeat(n)),
            format!("{}{}\n", "b {\n".repeat(n), "}\n".repeat(n)),
        ] {
            let (body, diags, _) = parse(&text);
            assert!(diags.is_empty(), "{}: {diags:#?}", &text[..40]);
            assert_eq!(body.clone(), body);
        }
    });
}

#[test]
fn nesting_over_the_limit_is_an_error_at_its_place() {
    on_small_stack(|| {
        let n = 10_000;
        for text in [
            format!("a = {}1{}\nz = 1\n", "[".repeat(n), "]".repeat(n)),
            format!("a = {}\nz = 1\n", "[".repeat(n)),
            format!("a = {}\nz = 1\n", "(".repeat(n)),
            format!("a = {}\nz = 1\n", "{b=".repeat(n)),
            format!("a = {}1{}\nz = 1\n", "f(".repeat(n), ")".repeat(n)),
            format!("a = {}1{}\nz = 1\n", "\"${".repeat(n), "}\"".repeat(n)),
            format!("a = {}1\nz = 1\n", "!".repeat(n)),
            format!("a = {}1\nz = 1\n", "1 + ".repeat(n)),
            format!("a = b{}\nz = 1\n", ".c".repeat(n)),
            format!("a = b{}\nz = 1\n", "[*]".repeat(n)),
            format!("a = {}d\nz = 1\n", "b ? c : ".repeat(n)),
            format!("a = {}e{}\nz = 1\n", "b ? ".repeat(n), " : c".repeat(n)),
            format!("a = \"{}e{}\"\nz = 1\n", "%{if b}".repeat(n), "%{endif}".repeat(n)),
            format!("{}{}z = 1\n", "b {\n".repeat(n), "}\n".repeat(n)),
        ] {
            let (body, diags, places) = parse(&text);
            assert_eq!(diags[0].code, "nested-too-deeply", "{}: {places:?}", &text[..40]);
            assert_eq!(diags.len(), 1, "{}: {places:?}", &text[..40]);
            assert!(body.attribute("z").is_some(), "{}", &text[..40]);
        }
    });
}

// ---- no panics

const SEEDS: [&str; 3] = [
    include_str!("../../../fixtures/lang/seed/network.tf"),
    include_str!("../../../fixtures/lang/seed/templates.tf"),
    include_str!("../../../fixtures/lang/seed/expressions.tf"),
];

/// Whatever the text: no panic, spans inside the text and on characters, errors in order.
fn survives(text: &str) {
    let mut sources = Sources::default();
    let file = sources.add("main.hcl", text);
    let (_, mut diags) = parse_file(&sources, file);
    diags.extend(parse_expression(&sources, file).1);
    diags.extend(parse_template(&sources, file).1);
    for label in diags.iter().flat_map(|d| &d.labels) {
        let (start, end) = (label.span.start as usize, label.span.end as usize);
        assert!(text.get(start..end).is_some(), "{start}..{end} of {text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn token_soup_never_panics(words in proptest::collection::vec(proptest::sample::select(vec![
        "a", "for", "in", "if", "1", "1.5", ".", "..", "...", ",", "=", "==", "=>", "?", ":", "::", "(", ")", "[", "]",
        "{", "}", "\"", "${", "%{", "~}", "${~", "\n", "\r\n", " ", "<<EOT\n", "<<-E\n", "EOT\n", "E\n", "\\", "$", "$$",
        "%", "#", "//", "/*", "*/", "*", "[*]", "-", "!", "&&", "|", ";", "'", "é", "\u{301}", "\u{feff}", "\0", "else", "endif", "endfor",
    ]), 0..60)) {
        survives(&words.concat());
    }

    #[test]
    fn mutated_files_never_panic(
        seed in 0..SEEDS.len(),
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), 0usize..8, "[\\[\\](){}\"$%~\n<\\\\.=,a1é]{0,3}"), 1..12),
    ) {
        let mut text: Vec<char> = SEEDS[seed].chars().collect();
        for (at, delete, insert) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + delete).min(text.len());
            text.splice(at..end, insert.chars());
        }
        survives(&text.into_iter().collect::<String>());
    }
}

#[test]
fn the_seeds_are_valid() {
    for seed in SEEDS {
        assert!(parse(seed).1.is_empty(), "{:#?}", parse(seed).1);
    }
}

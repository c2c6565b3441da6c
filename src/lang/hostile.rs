//! Hostile input: what it comes to is a value or errors in their places, soon and without a crash.

use super::properties;
use crate::diag::{Diagnostics, Sources};
use std::path::Path;

type Property = fn(&[u8]);

/// The properties of every text that fuzzing or comparing broke once (`fixtures/fuzz/<target>/`).
#[test]
fn what_fuzzing_found_stays_mended() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz");
    let mut count = 0;
    let targets: [(&str, Property); 4] = [
        ("parse", properties::parse),
        ("eval", properties::eval),
        ("fmt", properties::fmt),
        ("json", properties::json),
    ];
    for (target, holds) in targets {
        for entry in walkdir::WalkDir::new(fixtures.join(target)).sort_by_file_name().into_iter().flatten() {
            if entry.file_type().is_file() {
                count += 1;
                holds(&std::fs::read(entry.path()).expect("a fixture can be read"));
            }
        }
    }
    println!("{count} findings stay mended");
    assert!(count > 0);
}

/// The texts of all fixtures, to make others of.
fn corpus() -> Vec<Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut texts = Vec::new();
    for entry in walkdir::WalkDir::new(fixtures).sort_by_file_name().into_iter().flatten() {
        let path = entry.path();
        let Ok(text) = std::fs::read(path) else { continue };
        match path.extension().and_then(|e| e.to_str()) {
            Some("tf" | "hcl" | "tfvars" | "json") if text.len() < 20_000 => texts.push(text),
            Some("jsonl")
                if path.parent().is_some_and(|dir| dir.ends_with("lang") || dir.ends_with("fmt")) =>
            {
                let cases = text.split(|b| *b == b'\n').filter_map(|l| serde_json::from_slice(l).ok());
                texts.extend(cases.flat_map(|case: serde_json::Value| {
                    let files = case["files"].as_object().into_iter().flat_map(|files| files.values());
                    let found = files.chain([&case["expr"]]).filter_map(|text| text.as_str());
                    found.map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>()
                }));
            }
            _ => {}
        }
    }
    texts
}

/// Says which text it was when a property does not hold.
struct Shown<'t>(&'t [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- for this text:\n{}\n---", self.0.escape_ascii());
        }
    }
}

fn mutated(corpus: &[Vec<u8>], random: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    const SIGNS: [&str; 32] = [
        "${", "%{", "}", "{", "[", "]", "(", ")", "\"", "<<E\n", "<<-E\n", "\nE\n", "\\", "\\u00", "#", "/*",
        "*/", "//", "...", ".*", "[*]", "=", "=>", "?", ":", "::", "\r\n", "\n", "\u{feff}", "é", "~}", "\0",
    ];
    let mut text = corpus[random(corpus.len())].clone();
    for _ in 0..=random(4) {
        let (at, to) = (random(text.len() + 1), random(text.len() + 1));
        let (at, to) = (at.min(to), at.max(to));
        match random(7) {
            0 => drop(text.drain(at..to.min(at + 20))),
            1 => {
                let part = text[at..to.min(at + 200)].to_vec();
                text.splice(at..at, part);
            }
            2 => {
                let other = &corpus[random(corpus.len())];
                let start = random(other.len() + 1);
                let part = other[start..other.len().min(start + random(60))].to_vec();
                text.splice(at..at, part);
            }
            3 if at < text.len() => text[at] = random(256) as u8,
            4 => text.truncate(to),
            _ => drop(text.splice(at..at, SIGNS[random(SIGNS.len())].bytes())),
        }
    }
    text
}

/// `MUTATIONS` says how many, `MUTATIONS_SEED` which ones.
#[test]
fn what_fixtures_become_by_chance_holds() {
    let given = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let corpus = corpus();
    assert!(corpus.len() > 1_000, "{} texts", corpus.len());
    let mut state = given("MUTATIONS_SEED").unwrap_or(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below.max(1)
    };
    for _ in 0..given("MUTATIONS").unwrap_or(300) {
        let text = mutated(&corpus, &mut random);
        let shown = Shown(&text);
        all(&text);
        drop(shown);
    }
}

fn all(text: &[u8]) {
    properties::parse(text);
    properties::eval(text);
    properties::fmt(&[b"a = ", text, b"\n"].concat());
    properties::json(text);
}

#[test]
fn ten_thousand_brackets_of_each_kind_are_an_error_or_a_value() {
    const COUNT: usize = 10_000;
    for (open, inner, close) in [
        ("(", "1", ")"),
        ("[", "", "]"),
        ("{a=", "1", "}"),
        ("{a={", "", "}}"),
        ("\"${", "1", "}\""),
        ("upper(", "\"\"", ")"),
        ("[for x in [1] : ", "x", "]"),
        ("{for x in [1] : x => ", "x", "}"),
        ("\"%{ if true }", "", "%{ endif }\""),
        ("\"%{ for x in [1] }${", "x", "}%{ endfor }\""),
        ("!", "true", ""),
        ("-", "1", ""),
        ("true ? ", "1", " : 2"),
        ("1 + ", "1", ""),
        ("1 == (", "1", ")"),
        ("", "d", ".a"),
        ("", "d", "[0]"),
        ("", "d", "[*]"),
        ("", "d", ".*.a"),
        ("d[", "0", "]"),
        ("<<E\n${", "1", "}\nE\n"),
        ("try(", "1", ")"),
        ("a {\n", "", "\n}"),
        ("{\"a\":", "1", "}"),
        ("[\"${", "1", "}\"]"),
    ] {
        all(format!("{}{inner}{}", open.repeat(COUNT), close.repeat(COUNT)).as_bytes());
        // Never closed, or never opened.
        all(format!("{}{inner}", open.repeat(COUNT)).as_bytes());
        all(format!("{inner}{}", close.repeat(COUNT)).as_bytes());
    }
}

#[test]
fn bytes_that_are_no_text_are_placed_wherever_they_stand() {
    for bad in
        [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\0", b"\xef\xbb\xbf", b"\x1b"]
    {
        for (before, behind) in [
            ("", "1"),
            ("1", ""),
            ("\"", "\""),
            ("\"${\"", "\"}\""),
            ("<<E\n", "\nE\n"),
            ("<<E", "\nE\n"),
            ("[1, ", "]"),
            ("{", " = 1}"),
            ("# ", "\n1"),
            ("/* ", "*/ 1"),
            ("d.", ""),
            ("\"\\u00", "\""),
            ("{\"a\": \"", "\"}"),
            ("a \"", "\" {}\n"),
        ] {
            all(&[before.as_bytes(), bad, behind.as_bytes()].concat());
        }
    }
}

/// The codes of what is reported; nothing where there is a value.
fn codes(expr: &str) -> Vec<&'static str> {
    let mut sources = Sources::default();
    let file = sources.add("main.tf", format!("{expr}\n"));
    let (parsed, problems) = super::parse::parse_expression(&sources, file);
    let mut diags = Diagnostics::default();
    diags.extend(problems);
    if let Some(parsed) = parsed.filter(|_| !diags.has_errors()) {
        super::eval::eval(&parsed, &properties::Nothing, &mut diags);
    }
    assert!(diags.iter().all(|d| d.span().is_some()), "an error without a place");
    diags.codes().into_iter().collect()
}

#[test]
fn values_that_would_be_huge_are_errors() {
    let nines = "9".repeat(2_000_000);
    let names: Vec<String> = (0..40).map(|i| format!("l{i}")).collect();
    let product =
        names.iter().fold("1".to_owned(), |inner, name| format!("[for {name} in range(1024) : {inner}]"));
    let alias = |i: usize| format!("a{i}: &a{i} [{}]", vec![format!("*a{}", i - 1); 10].join(","));
    let bomb: Vec<String> = (1..12).map(alias).collect();
    for expr in [
        "range(1e300)".to_owned(),
        "range(0, 1, 1e-300)".to_owned(),
        "range(0, 1e300, 1e299)...".to_owned(),
        "setproduct(range(1024), range(1024), range(1024), range(1024))".to_owned(),
        format!("setproduct({})", vec!["range(1000)"; 300].join(", ")),
        "format(\"%1000000000d\", 1)".to_owned(),
        "format(\"%.1000000000f\", 1)".to_owned(),
        "format(\"%99999999999999999999999d\", 1)".to_owned(),
        "format(\"%[99999999999999999999999]d\", 1)".to_owned(),
        "indent(1000000000, \"a\\nb\")".to_owned(),
        product,
        format!("replace({0}, \"\", {0})", "join(\"\", [for i in range(1024) : join(\",\", range(1024))])"),
        "\"%{ for a in range(1024) }%{ for b in range(1024) }%{ for c in range(1024) }x%{ endfor }%{ endfor }%{ endfor }\""
            .to_owned(),
        format!("yamldecode(\"a0: &a0 [1]\\n{}\")", bomb.join("\\n")),
        format!("jsondecode(\"{}\")", "[".repeat(10_000)),
        format!("yamldecode(\"{}\")", "[".repeat(10_000)),
        format!("yamldecode(\"{}\")", "- ".repeat(10_000)),
        format!("yamldecode(\"{}a\")", "? ".repeat(10_000)),
        "regex(\"(((a{100}){100}){100}){100}\", \"a\")".to_owned(),
        "regex(\"\\\\pL{1000}\\\\pL{1000}\\\\pL{1000}\\\\pL{1000}\\\\pL{1000}\\\\pL{1000}\", \"a\")".to_owned(),
        format!("regex(\"{}\", \"a\")", "(".repeat(10_000)),
        format!("regex(\"{}a{}\", \"a\")", "(".repeat(10_000), ")".repeat(10_000)),
        "1e400000".to_owned(),
        "tonumber(\"1e400000\")".to_owned(),
        "pow(1e300, 1e300)".to_owned(),
        "1e40000 * 1e40000".to_owned(),
        "log(0, 10)".to_owned(),
        format!("parseint(\"{nines}\", 10)"),
        format!("parseint(\"{nines}\", 62)"),
        format!("tonumber(\"{nines}\")"),
        nines.clone(),
        "timeadd(\"2018-01-02T23:12:01Z\", \"9999999999999999999h\")".to_owned(),
        "cidrsubnet(\"::/0\", 9223372036854775807, 1)".to_owned(),
        "cidrsubnets(\"10.0.0.0/8\", 9223372036854775807)".to_owned(),
        "cidrhost(\"10.0.0.0/8\", 1e300)".to_owned(),
        "substr(\"a\", 1e300, 1)".to_owned(),
        "element([1], 1e300)".to_owned(),
        "[1][1e300]".to_owned(),
        "chunklist([1], 1e300)".to_owned(),
        "slice([1], 0, 1e300)".to_owned(),
    ] {
        let shown: String = expr.chars().take(80).collect();
        assert!(!codes(&expr).is_empty(), "{shown} is no error");
    }
}

#[test]
fn what_takes_long_elsewhere_is_soon_done() {
    let ones = "1".repeat(100_000);
    for expr in [
        "length(regexall(\"(a*)*$\", join(\"\", [for i in range(1024) : \"aaaaaaaaaaaaaaaaaaaaaaaa!\"])))".to_owned(),
        "can(regex(\"^(x+x+)+y$\", join(\"\", [for i in range(1024) : \"xxxxxxxxxxxxxxxxxxxxxxxx\"])))".to_owned(),
        "length(regexall(\"((a|aa)+)+b\", join(\"\", [for i in range(1024) : \"aaaaaaaaaaaaaaaaaaaaaaaa\"])))".to_owned(),
        format!("length(tostring(parseint(\"{}\", 62)))", &ones[..10_000]),
        format!("length(\"{ones}\") + length(split(\"\", \"{ones}\"))"),
        format!("length(distinct([{}]))", vec!["1"; 10_000].join(",")),
        format!("length(toset([{}]))", (0..10_000).map(|i| i.to_string()).collect::<Vec<_>>().join(",")),
        format!("length(merge({}))", vec!["{a=1}"; 5_000].join(",")),
        format!("length(coalesce({}, \"a\"))", vec!["null"; 5_000].join(",")),
        format!("length([{}])", "1,".repeat(100_000)),
        format!("length({{{}}})", (0..20_000).map(|i| format!("a{i}=1,")).collect::<String>()),
        format!("length(\"{}\")", "${1}".repeat(20_000)),
        format!("length(jsondecode(\"[{}1]\"))", "1,".repeat(100_000)),
        format!("length(csvdecode(\"a\\n{}\"))", "1\\n".repeat(50_000)),
        format!("length(yamldecode(\"{}\"))", "- 1\\n".repeat(20_000)),
        format!("length(<<E\n{}E\n)", "line\n".repeat(100_000)),
        format!("length(<<-E\n{}  E\n)", "  line ${1}\n".repeat(20_000)),
        format!("length(yamlencode([{}]))", "\"a b\",".repeat(20_000)),
    ] {
        let shown: String = expr.chars().take(80).collect();
        assert_eq!(codes(&expr), Vec::<&str>::new(), "{shown} fails");
    }
}

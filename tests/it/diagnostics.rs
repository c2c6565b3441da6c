//! Every code of a diagnostic has an example, and a snapshot of what is said about it.

use crate::environment::{TestEnvironment, repository};
use cutover::diag::codes::CODES;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Codes without an example, and why.
const WITHOUT: &[(&str, &str)] = &[
    ("file-too-large", "needs a file of 4 GiB"),
    ("invalid-utf8", "an example that is not UTF-8 cannot stand in a text file; tested with the parser"),
    ("too-much-work", "takes its time; tested with the evaluator"),
    ("value-too-large", "takes its time; `hostile` has many of them"),
    ("still-unknown", "is told when a provider does not keep its word"),
    ("no-state-key", "the embedded AWS keeps a key of its own: told with the real one only"),
    (
        "provisioner-value",
        "needs a secret that only a provider could have told, and of which a digest is kept",
    ),
    ("state-key", "names a key, which is another one in each run"),
];

/// An example: commands (`$ plan root`; by default `validate root`), then files (`-- path --`); those of
/// `-- then path --` are written before the last command.
struct Example {
    code: String,
    commands: Vec<Vec<String>>,
    files: Vec<(String, String)>,
}

fn examples() -> Vec<Example> {
    let dir = repository().join("fixtures/diagnostics");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(dir).expect("readable").map(|e| e.expect("readable").path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "txt"));
    paths.sort();
    paths.into_iter().map(|path| example(&path)).collect()
}

fn example(path: &std::path::Path) -> Example {
    let text = std::fs::read_to_string(path).expect("readable");
    let code = path.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut example = Example { code, commands: Vec::new(), files: Vec::new() };
    for line in text.split_inclusive('\n') {
        let header = line.trim_end().strip_prefix("-- ").and_then(|l| l.strip_suffix(" --"));
        match (header, example.files.last_mut()) {
            (Some(name), _) => example.files.push((name.to_owned(), String::new())),
            (None, Some((_, text))) => text.push_str(line),
            (None, None) => {
                let command = line.strip_prefix("$ ").expect("a command or a file");
                example.commands.push(command.split_whitespace().map(str::to_owned).collect());
            }
        }
    }
    if example.commands.is_empty() {
        example.commands.push(vec!["validate".to_owned(), "root".to_owned()]);
    }
    example
}

/// What the last command says.
fn told(example: &Example) -> String {
    let env = TestEnvironment::new();
    env.write("root/cutover.hcl", "cutover {\n  cloud = \"embedded\"\n}\n");
    let write = |later: bool| {
        for (name, text) in &example.files {
            let then = name.strip_prefix("then ");
            if then.is_some() == later {
                env.write(&format!("root/{}", then.unwrap_or(name)), text);
            }
        }
    };
    write(false);
    let mut said = String::new();
    for (i, command) in example.commands.iter().enumerate() {
        if i + 1 == example.commands.len() {
            write(true);
        }
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        said = env.run(&words).stderr;
    }
    said.replace(&env.path().display().to_string(), "DIR")
}

#[test]
fn every_code_is_told_as_recorded() {
    let mut wrong = Vec::new();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path(repository().join("fixtures/diagnostics/snapshots"));
    settings.set_omit_expression(true);
    let found = examples();
    for example in &found {
        let said = told(example);
        if !said.contains(&format!("[{}]", example.code)) {
            wrong.push(format!("{}: not told, but:\n{said}", example.code));
            continue;
        }
        settings.bind(|| insta::assert_snapshot!(example.code.as_str(), said));
    }
    println!("counted: {} of {} codes have a snapshot", found.len(), CODES.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), found.len(), wrong.join("\n"));
}

#[test]
fn every_code_has_a_snapshot() {
    let with: BTreeSet<String> = examples().into_iter().map(|e| e.code).collect();
    let excused: BTreeSet<&str> = WITHOUT.iter().map(|(code, _)| *code).collect();
    let missing: Vec<&&str> =
        CODES.iter().filter(|code| !with.contains(**code) && !excused.contains(**code)).collect();
    assert!(missing.is_empty(), "without an example in fixtures/diagnostics: {missing:?}");
    let surplus: Vec<&String> = with.iter().filter(|code| !CODES.contains(&code.as_str())).collect();
    assert!(surplus.is_empty(), "these are no codes: {surplus:?}");
    let needless: Vec<&&str> = excused.iter().filter(|code| with.contains(**code)).collect();
    assert!(needless.is_empty(), "excused, but there: {needless:?}");
}

/// The literals that stand behind `Diagnostic::error(` and `Diagnostic::warning(`.
fn raised() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for entry in walkdir::WalkDir::new(repository().join("src")) {
        let path = entry.expect("readable").into_path();
        let in_tests = path
            .components()
            .any(|c| matches!(c.as_os_str().to_str(), Some("tests.rs" | "specsuite.rs" | "conformance.rs")));
        if path.extension().is_none_or(|e| e != "rs") || in_tests {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for start in ["Diagnostic::error(", "Diagnostic::warning("] {
            for call in text.split(start).skip(1) {
                if let Some((code, _)) = call.trim_start().strip_prefix('"').and_then(|c| c.split_once('"')) {
                    codes.insert(code.to_owned());
                }
            }
        }
    }
    codes
}

#[test]
fn codes_are_listed_once_and_in_order() {
    assert!(CODES.is_sorted_by(|a, b| a < b), "sort src/diag/codes.rs");
    let raised = raised();
    let unlisted: Vec<&String> = raised.iter().filter(|code| !CODES.contains(&code.as_str())).collect();
    assert!(unlisted.is_empty(), "add to src/diag/codes.rs: {unlisted:?}");
}

//! Hostile configuration: a located error or a bounded run, never a crash or a hang.

use crate::environment::TestEnvironment;

/// `a1 = step of a0`, `a2 = step of a1` …, and an output of the last.
fn chain(first: &str, step: &str, length: usize) -> String {
    let mut text = format!("locals {{\n  a0 = {first}\n");
    for i in 1..=length {
        text += &format!("  a{i} = {}\n", step.replace('@', &format!("local.a{}", i - 1)));
    }
    text + &format!("}}\n\noutput \"x\" {{\n  value = length(jsonencode(local.a{length}))\n}}\n")
}

fn output(value: &str) -> String {
    format!("output \"x\" {{\n  value = {value}\n}}\n")
}

/// Configurations and the error that each must end in.
fn bombs() -> Vec<(String, &'static str)> {
    let deep = |open: &str, close: &str| output(&format!("{}1{}", open.repeat(10_000), close.repeat(10_000)));
    vec![
        (chain("\"x\"", "\"${@}${@}\"", 40), "value-too-large"),
        (chain("[\"x\"]", "concat(@, @)", 40), "value-too-large"),
        (chain("\"x\"", "[@, @]", 40), "value-too-large"),
        (chain("\"x\"", "{ a = @, b = @ }", 40), "value-too-large"),
        (chain("\"x\"", "join(\"\", [@, @])", 40), "value-too-large"),
        (chain("\"xx\"", "replace(@, \"x\", @)", 40), "function-failed"),
        (chain("\"x\"", "format(\"%s%s\", @, @)", 40), "value-too-large"),
        (chain("1", "[@]", 1_000), "value-too-large"),
        (output("length(range(1000000000))"), "function-failed"),
        (output("length(setproduct(range(1024), range(1024), range(1024)))"), "function-failed"),
        (output("length(file(\"/dev/zero\"))"), "invalid-argument"),
        (output("jsondecode(join(\"\", [for i in range(1000): \"[[[[[[[[[[\"]))"), "function-failed"),
        (output("1e1000000"), "invalid-number"),
        (output("[1][1e300]"), "invalid-index"),
        (
            "resource \"terraform_data\" \"x\" {\n  count = 1000000000000\n}\n".to_owned(),
            "invalid-repetition",
        ),
        ("locals {\n  a = local.a\n}\n".to_owned(), "cycle"),
        ("locals {\n  a = local.b\n  b = local.a\n}\n".to_owned(), "cycle"),
        (
            "resource \"terraform_data\" \"x\" {\n  input = terraform_data.x.id\n}\n".to_owned(),
            "self-reference",
        ),
        ("module \"m\" {\n  source = \"./\"\n}\n".to_owned(), "module-recursion"),
        (deep("[", "]"), "nested-too-deeply"),
        (deep("(", ")"), "nested-too-deeply"),
        (deep("{ a = ", "}"), "nested-too-deeply"),
        (deep("\"${", "}\""), "nested-too-deeply"),
        (format!("{}\n", "a {\n".repeat(10_000)), "nested-too-deeply"),
    ]
}

#[test]
fn a_bomb_is_a_located_error() {
    let mut wrong = Vec::new();
    let bombs = bombs();
    for (main, code) in &bombs {
        let env = TestEnvironment::with_root(main);
        let ran = env.run(&["plan", "root"]);
        let located = ran.stderr.contains("--> root/main.tf:");
        if ran.code != 1 || !located || !ran.stderr.contains(&format!("error[{code}]")) {
            let head = |text: &str| text.chars().take(2_000).collect::<String>();
            wrong.push(format!(
                "{} … should fail with {code}: {}",
                head(main).replace('\n', " "),
                head(&ran.all())
            ));
        }
    }
    println!("counted: {} hostile configurations", bombs.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), bombs.len(), wrong.join("\n"));
}

#[test]
fn what_is_only_large_is_read() {
    let heredoc = format!("<<EOT\n{}EOT\n", "a line of text\n".repeat(200_000));
    let long = (1..20_000).map(|i| format!("  a{i} = local.a{}\n", i - 1)).collect::<String>();
    let main = format!(
        "locals {{\n  a0 = length({heredoc})\n{long}}}\n\noutput \"x\" {{\n  value = local.a19999\n}}\n"
    );
    let env = TestEnvironment::with_root(&main);
    let ran = env.run(&["plan", "root"]).ok();
    assert!(ran.stdout.contains("3000000"), "{}", ran.all());
}

#[test]
fn bytes_that_are_not_text_are_told_where() {
    let env = TestEnvironment::with_root("");
    for (name, bytes) in [
        ("main.tf", &b"# \xff is fine here\nlocals {\n  a = \"\xff\"\n}\n"[..]),
        ("terraform.tfvars", b"\n\na = \"\xc3\"\n"),
    ] {
        let path = env.write(&format!("root/{name}"), "");
        std::fs::write(&path, bytes).expect("written");
        let ran = env.run(&["plan", "root"]).exits(1);
        for words in ["error[invalid-utf8]", &format!("{name}:3:")] {
            assert!(ran.stderr.contains(words), "{words} is missing in\n{}", ran.all());
        }
        std::fs::write(&path, b"").expect("written");
    }
}

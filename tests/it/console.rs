//! `cutover console`: piped, and as JSON lines.

use crate::environment::{Ran, TestEnvironment, ran, repository};
use serde_json::Value as Json;
use std::io::Write;
use std::process::Stdio;

/// Cases whose answers are meant to differ, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("edge-0115", "a null key is the key's mistake; Terraform blames the value behind it"),
    ("syntax-0189", "plantimestamp() is the time of the plan, which was another then"),
];

fn fed(env: &TestEnvironment, args: &[&str], input: &str) -> Ran {
    let mut command = env.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut stdin = child.stdin.take().expect("piped");
    let text = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("all was read");
    ran(output)
}

/// What is wrong with an answer; None if it is Terraform's.
fn difference(case: &Json, answer: &Json) -> Option<String> {
    let same = |name: &str| case.get(name) == answer.get(name);
    let right = match case.get("error") {
        Some(_) => answer.get("error").is_some() && (case.get("at").is_none() || same("at")),
        None => answer.get("error").is_none() && same("type") && same("value") && same("unknown"),
    };
    (!right).then(|| format!("{case}\n    here: {answer}"))
}

#[test]
fn recorded_expressions_are_answered_as_terraform_answers_them() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, root) in
        [("edge", None), ("functions", None), ("syntax", Some("resource \"terraform_data\" \"u\" {}\n"))]
    {
        let env = TestEnvironment::new();
        if let Some(text) = root {
            env.write("main.tf", text);
        }
        let path = repository().join(format!("fixtures/lang/{name}.jsonl"));
        let cases = std::fs::read_to_string(path).expect("the fixture is there");
        let answers = fed(&env, &["console", "--json"], &cases).ok();
        assert_eq!(answers.stdout.lines().count(), cases.lines().count(), "{name}");
        for (case, answer) in cases.lines().zip(answers.stdout.lines()) {
            let parse = |line: &str| serde_json::from_str::<Json>(line).expect("JSON lines");
            let (case, answer) = (parse(case), parse(answer));
            count += 1;
            assert_eq!(case["id"], answer["id"]);
            let listed = EXCEPTIONS.iter().find(|(id, _)| case["id"] == *id);
            match (difference(&case, &answer), listed) {
                (Some(difference), None) => wrong.push(difference),
                (None, Some((id, reason))) => wrong.push(format!("{id} is as in Terraform now ({reason})")),
                _ => {}
            }
        }
    }
    println!(
        "counted: {count} expressions through `console --json`, {} listed differences",
        EXCEPTIONS.len()
    );
    assert_eq!(count, 1349);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn json_lines_take_expressions_as_they_are() {
    let env = TestEnvironment::new();
    let input = "1 + 2\n{\"expr\": \"[1,\\n  true]\", \"id\": 7}\nsensitive({a = [1]})\n{a = [sensitive(\"x\"), 1], b = terraform_data.u.id}\nnope.x\n\n";
    let answers = fed(&env, &["console", "--json"], input).ok();
    insta::assert_snapshot!(answers.stdout, @r#"
    {"type":"number","value":{"$n":"3"}}
    {"id":7,"type":["tuple",["number","bool"]],"value":[{"$n":"1"},true]}
    {"sensitive":true,"type":["object",{"a":["tuple",["number"]]}],"value":{"a":[{"$n":"1"}]}}
    {"sensitive":{"a":[true,false]},"type":null,"unknown":{"a":[false,false],"b":true},"value":{"a":["x",{"$n":"1"}]}}
    {"at":[1,1],"code":"undeclared-resource","error":"there is no resource `nope.x` in this module"}
    {"at":[2,1],"code":"expected-expression","error":"expected an expression, found the end of the file"}
    "#);
}

/// As the real console prints them (Terraform 1.11.4).
#[test]
fn values_are_printed_as_terraforms_console_prints_them() {
    let env = TestEnvironment::new();
    env.write(
        "root/main.tf",
        "variable \"s\" {\n  sensitive = true\n  default   = { a = \"x\" }\n}\nvariable \"e\" {\n  ephemeral = true\n  default   = 1\n}\nvariable \"n\" {\n  type = number\n}\nvariable \"o\" {\n  type    = object({ a = list(string) })\n  default = null\n}\nlocals {\n  set = toset([\"b\", \"a\"])\n}\n",
    );
    let input = r#"
"a\nb"
"\ttab é \u0001"
1e3
tostring(null)
tolist(null)
tomap({ a = null })
local.set
var.s
var.e
var.n
[var.o, tolist([])]
{ a = sensitive(1), "b c" = [1, null], t = "x\ny" }
[
  for s in local.set :
  upper(s)
]
<<-EOT
  here
EOT
type({ a = 1, b = [1, "x"], c = null, d = tolist([{}]), e = tomap({ x = tolist([1]) }) })
type(var.n)
exit
1
"#;
    let printed = fed(&env, &["console", "root"], input).ok();
    insta::assert_snapshot!(printed.stdout, @r#"
    <<EOT
    a
    b
    EOT
    "\ttab é \x01"
    1000
    tostring(null)
    tolist(null) /* of dynamic */
    tomap({
      "a" = null
    })
    toset([
      "a",
      "b",
    ])
    (sensitive value)
    (ephemeral value)
    (known after apply)
    [
      null /* object */,
      tolist([]),
    ]
    {
      "a" = (sensitive value)
      "b c" = [
        1,
        null,
      ]
      "t" = <<-EOT
      x
      y
      EOT
    }
    [
      "A",
      "B",
    ]
    <<EOT
    here

    EOT
    object({
        a: number,
        b: tuple([
            number,
            string,
        ]),
        c: dynamic,
        d: list(
            object({}),
        ),
        e: map(list(number)),
    })
    number
    "#);
}

#[test]
fn errors_are_told_and_the_rest_goes_on() {
    let env = TestEnvironment::new();
    let printed = fed(&env, &["console"], "1 +\n[type(1)]\n2\n[1,\n").exits(1);
    assert_eq!(printed.stdout, "2\n");
    insta::assert_snapshot!(printed.stderr, @r"
    error[expected-expression]: expected an expression, found the end of the file
     --> <console>:2:1
      |
    2 |
      | ^

    1 error
    error[unknown-function]: `type` takes one value, and is no part of an expression
     --> <console>:1:2
      |
    1 | [type(1)]
      |  ^^^^
      |
      = help: let `type(…)` be all of the input

    1 error
    error[expected-expression]: expected an expression, found the end of the file
     --> <console>:2:1
      |
    2 |
      | ^

    1 error
    ");
}

#[test]
fn resources_are_as_the_state_has_them_or_as_planned() {
    let env = TestEnvironment::with_root(
        "resource \"terraform_data\" \"a\" {\n  input = { x = 1, s = sensitive(\"hush\") }\n}\n",
    );
    let ask = |args: &[&str], text: &str| fed(&env, &[&["console", "root"], args].concat(), text).ok().stdout;
    assert_eq!(ask(&[], "terraform_data.a.id\nterraform_data.a.input.x"), "(known after apply)\n1\n");
    env.run(&["apply", "root", "-auto-approve"]).ok();
    assert_eq!(ask(&[], "length(terraform_data.a.id)\nterraform_data.a.output.x"), "36\n1\n");
    let main = env.read("root/main.tf").replace("x = 1", "x = 2");
    env.write("root/main.tf", &main);
    assert_eq!(ask(&[], "terraform_data.a.input.x"), "1\n");
    assert_eq!(
        ask(&["--plan"], "terraform_data.a.input.x\nterraform_data.a.output"),
        "2\n(sensitive value)\n",
        "what is secret in the input is so in the output"
    );
    assert_eq!(ask(&["--plan"], "terraform_data.a.input.s"), "(sensitive value)\n");
}

#[test]
fn completions_are_printed_for_every_shell() {
    let env = TestEnvironment::new();
    for (shell, words) in [
        ("bash", "complete -F _cutover"),
        ("zsh", "#compdef cutover"),
        ("fish", "complete -c cutover"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[cutover]"),
    ] {
        let script = env.run(&["completions", shell]).ok().stdout;
        assert!(script.contains(words) && script.contains("console"), "{shell}");
    }
}

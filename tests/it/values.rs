//! Variables: where values come from, what counts, and how mistakes in them are told.

use crate::environment::TestEnvironment;
use serde_json::Value as Json;

const MAIN: &str = "variable \"x\" {\n  default = \"default\"\n}\noutput \"x\" {\n  value = var.x\n}\n";

fn x(env: &TestEnvironment, args: &[&str], environment: &[(&str, &str)]) -> Json {
    let args = [&["plan", "root", "--format", "json"], args].concat();
    env.run_with(&args, environment).ok().json()["outputs"]["x"]["after"].clone()
}

#[test]
fn later_sources_win_as_in_terraform() {
    let env = TestEnvironment::with_root(MAIN);
    let given = [("TF_VAR_x", "tf"), ("CUTOVER_VAR_x", "own")];
    assert_eq!(x(&env, &[], &[]), "default");
    assert_eq!(x(&env, &[], &given[..1]), "tf");
    assert_eq!(x(&env, &[], &given), "own");
    let files =
        ["terraform.tfvars", "terraform.tfvars.json", "a.auto.tfvars.json", "b.auto.tfvars", "later.tfvars"];
    for file in files {
        let text =
            if file.ends_with("json") { format!("{{\"x\": {file:?}}}") } else { format!("x = {file:?}\n") };
        env.write(&format!("root/{file}"), &text);
        let wanted = if file == "later.tfvars" { "b.auto.tfvars" } else { file };
        assert_eq!(x(&env, &[], &given), wanted);
    }
    assert_eq!(x(&env, &["-var", "x=flag", "-var-file=root/later.tfvars"], &given), "later.tfvars");
    assert_eq!(x(&env, &["-var-file=root/later.tfvars", "-var=x=flag"], &given), "flag");
}

#[test]
fn texts_are_expressions_where_the_type_says_so() {
    let text = |declared: &str, value: &str| {
        let env = TestEnvironment::with_root(&format!(
            "variable \"x\" {{\n{declared}\n}}\noutput \"x\" {{\n  value = jsonencode(var.x)\n}}\n"
        ));
        x(&env, &[&format!("-var=x={value}")], &[])
    };
    assert_eq!(text("", "[1]"), "\"[1]\"");
    assert_eq!(text("type = any", "[1]"), "[1]");
    assert_eq!(text("type = string", "[1]"), "\"[1]\"");
    assert_eq!(text("type = number", "1.50"), "1.5");
    assert_eq!(text("type = list(string)", "[1]"), "[\"1\"]");
    assert_eq!(text("type = map(any)", "{a=true}"), "{\"a\":true}");
}

#[test]
fn only_the_value_that_counts_has_to_be_right() {
    let env = TestEnvironment::with_root(&MAIN.replace("default = \"default\"", "type = number"));
    env.write("root/terraform.tfvars", "x = nothing.at.all\n");
    assert_eq!(x(&env, &["-var=x=3"], &[]), 3);
    let ran = env.run(&["plan", "root"]).exits(1);
    insta::assert_snapshot!(ran.stderr, @r"
    error[not-constant]: `nothing` cannot be used here
     --> root/terraform.tfvars:1:5
      |
    1 | x = nothing.at.all
      |     ^^^^^^^^^^^^^^
      |
      = help: write the value out: neither values of variables nor their defaults may refer to anything

    1 error
    ");
}

#[test]
fn undeclared_values_warn_in_files_fail_as_flags_and_pass_in_the_environment() {
    let env = TestEnvironment::with_root(MAIN);
    assert_eq!(x(&env, &[], &[("TF_VAR_nothing", "1")]), "default");
    env.write("root/terraform.tfvars", "aa = 1\nbb = 2\ncc = 3\n");
    env.write("root/z.auto.tfvars.json", "{\n  \"//\": \"a comment\",\n  \"dd\": {\"a\": [1, \"}\"]}\n}\n");
    let ran = env.run(&["plan", "root", "-input=false"]).ok();
    insta::assert_snapshot!(ran.stderr, @r"
    warning[undeclared-variable]: there is no variable `aa`
     --> root/terraform.tfvars:1:1
      |
    1 | aa = 1
      | ^^^^^^
      |
      = help: the value is not used; remove the line or declare the variable

    warning[undeclared-variable]: there is no variable `bb`
     --> root/terraform.tfvars:2:1
      |
    2 | bb = 2
      | ^^^^^^
      |
      = help: the value is not used; remove the line or declare the variable

    warning[undeclared-variable]: 2 more values are of no declared variable
     |
     = note: cc, dd
     = help: values for several configurations can be given as TF_VAR_…: those are not checked

    3 warnings
    ");
    let compact = env.run(&["plan", "root", "-compact-warnings"]).ok();
    insta::assert_snapshot!(compact.stderr, @"warning[undeclared-variable]: there is no variable `aa` (root/terraform.tfvars:1, and 2 more)");
    let failed = env.run(&["plan", "root", "-var=dd=hush", "-compact-warnings"]).exits(1);
    assert!(
        failed.stderr.contains("error[undeclared-variable]: there is no variable `dd`"),
        "{}",
        failed.all()
    );
    assert!(!failed.all().contains("hush"), "{}", failed.all());
}

#[test]
fn mistakes_in_values_are_located_and_secrets_are_not_shown() {
    let env = TestEnvironment::with_root(
        "variable \"n\" {\n  type = number\n}\nvariable \"s\" {\n  type      = list(number)\n  sensitive = true\n}\nvariable \"m\" {}\nvariable \"k\" {}\n",
    );
    env.write("root/a.auto.tfvars.json", "{\n  \"n\": \"many\"\n}\n");
    let ran = env.run(&["plan", "root", "-var=s=[hush"]).exits(1);
    insta::assert_snapshot!(ran.stderr, @r#"
    error[wrong-type]: variable `n`: a number is required, but this string does not read as one
     --> root/a.auto.tfvars.json:2:3
      |
    2 |   "n": "many"
      |   ^^^^^^^^^^^ this is "many"
     ::: root/main.tf:1:1
      |
    1 | variable "n" {
      | ------------ declared here
      |
      = help: `n` takes number

    error[unclosed-bracket]: expected `,` or `]`, found the end of the file
     --> <-var s>:1:1
      |
    1 | (sensitive value)
      | ^^^^^^^^^^^^^^^^^
      |
      = help: close it with `]`

    2 errors
    "#);
    let ran = env.run(&["plan", "root", "-var=s=[\"hush\"]", "-var=n=x", "-var=m=1", "-var=k=1"]).exits(1);
    for words in
        [" --> <-var n>:1:1", "this is \"x\"", "variable `s`", "its value is in <-var s>", "2 errors"]
    {
        assert!(ran.stderr.contains(words), "{words}\n{}", ran.all());
    }
    assert!(!ran.all().contains("hush"), "{}", ran.all());
    // All that are missing are told at once.
    let ran = env.run(&["plan", "root", "-var=n=1", "-input=false"]).exits(1);
    assert_eq!(ran.stderr.matches("error[missing-variable]").count(), 3, "{}", ran.all());
}

#[test]
fn fractions_are_the_same_when_they_are_read_again() {
    let outputs: String = (1..60).map(|i| format!("output \"o{i}\" {{\n  value = {i} / 51\n}}\n")).collect();
    let root =
        outputs + "resource \"terraform_data\" \"a\" {\n  count = 40\n  input = (count.index + 1) / 49\n}\n";
    let env = TestEnvironment::with_root(&root);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
}

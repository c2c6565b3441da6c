//! What other tools read, and the flags that Terraform's users type.

use crate::environment::{TestEnvironment, repository};
use serde_json::Value as Json;
use std::collections::BTreeSet;

const SECRET_OUTPUT: &str = "what is secret in the input is so in the output, too; Terraform forgets that";

/// Paths in a plan at which ours differs from Terraform's, and why. `*` is any one key or index.
const DIFFERENCES: &[(&str, &str)] = &[
    ("variables.*.value", "secrets are not written"),
    ("configuration.root_module.variables.*.default", "secrets are not written"),
    ("planned_values.outputs.*.value", "secrets are not written"),
    ("output_changes.*.before", "secrets are not written"),
    ("output_changes.*.after", "secrets are not written"),
    ("planned_values.root_module.resources.*.values.input.s", "secrets are not written"),
    ("prior_state.values.root_module.resources.*.values.input.s", "secrets are not written"),
    ("prior_state.values.root_module.resources.*.values.output.s", "secrets are not written"),
    ("resource_changes.*.change.after.input.s", "secrets are not written"),
    ("resource_changes.*.change.before.input.s", "secrets are not written"),
    ("resource_changes.*.change.before.output.s", "secrets are not written"),
    ("planned_values.root_module.resources.*.sensitive_values.output", SECRET_OUTPUT),
    ("prior_state.values.root_module.resources.*.sensitive_values.output.s", SECRET_OUTPUT),
    ("resource_changes.*.change.after_sensitive.output", SECRET_OUTPUT),
    ("resource_changes.*.change.before_sensitive.output.s", SECRET_OUTPUT),
    ("planned_values.root_module.resources.*.sensitive_values.triggers_replace.0", SECRET_OUTPUT),
    ("resource_changes.*.change.after_sensitive.triggers_replace.0", SECRET_OUTPUT),
    ("prior_state.values.outputs.*.value", "secrets are not written"),
    ("prior_state.values.outputs.*.type", "of a secret output only a digest is kept"),
    ("variables.short", "ephemeral values are not written"),
    (
        "prior_state.values.root_module.resources.0.values.id",
        "every data source has an id here; Terraform's `terraform_remote_state` has none",
    ),
    (
        "planned_values.root_module.child_modules.*.resources.*.sensitive_values.output",
        "of a list that is not known Terraform tells the shape of the input",
    ),
    (
        "prior_state.values.root_module.resources.*.depends_on",
        "of what was moved Terraform has the old address besides",
    ),
];

fn mask_ids(json: &mut Json) {
    match json {
        Json::String(text) => {
            let id = text.len() == 36
                && text.bytes().enumerate().all(|(i, b)| match i {
                    8 | 13 | 18 | 23 => b == b'-',
                    _ => b.is_ascii_hexdigit(),
                });
            if id {
                *text = "<uuid>".to_owned();
            }
        }
        Json::Array(items) => items.iter_mut().for_each(mask_ids),
        Json::Object(items) => items.values_mut().for_each(mask_ids),
        _ => {}
    }
}

fn compare(path: &str, theirs: &Json, ours: &Json, differs: &mut dyn FnMut(&str, String)) {
    let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (theirs, ours) {
        (Json::Object(a), Json::Object(b)) => {
            for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => compare(&at(key), a, b, differs),
                    (a, b) => differs(&at(key), format!("Terraform {a:?}, we {b:?}")),
                }
            }
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&at(&i.to_string()), a, b, differs);
            }
        }
        (a, b) if a == b => {}
        (a, b) => differs(path, format!("Terraform {a}, we {b}")),
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), path.split('.').collect());
    pattern.len() == path.len() && pattern.iter().zip(&path).all(|(p, s)| *p == "*" || p == s)
}

fn write(env: &TestEnvironment, files: &Json) {
    for (name, text) in files.as_object().expect("files by name") {
        env.write(&format!("root/{name}"), text.as_str().expect("text"));
    }
}

/// `fixtures/terraform/plan-json.json`: `terraform show -json` of Terraform 1.11.4 for whole roots, before
/// and after an apply and a change; ids masked, `timestamp` left out.
#[test]
fn plans_are_told_in_terraforms_form() {
    let path = repository().join("fixtures/terraform/plan-json.json");
    let cases: Json = serde_json::from_str(&std::fs::read_to_string(path).expect("there")).expect("JSON");
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    let mut plans = 0;
    for (name, case) in cases.as_object().expect("cases by name") {
        let env = TestEnvironment::with_root("");
        write(&env, &case["files"]);
        for (which, next) in [("plan", Some("then")), ("second_plan", None)] {
            let mut ours = env.run(&["plan", "root", "--format", "terraform-json"]).ok().json();
            assert!(ours["timestamp"].as_str().is_some_and(|t| t.ends_with('Z')));
            mask_ids(&mut ours);
            let mut theirs = case[which].clone();
            for plan in [&mut ours, &mut theirs] {
                plan.as_object_mut().expect("an object").remove("timestamp");
                // In no order.
                if let Some(found) = plan.get_mut("relevant_attributes").and_then(Json::as_array_mut) {
                    found.sort_by_key(Json::to_string);
                }
                // Terraform plans what it forgets as if it stayed.
                let resources = plan.pointer_mut("/planned_values/root_module/resources");
                if let Some(resources) = resources.and_then(Json::as_array_mut) {
                    resources.retain(|r| r["address"] != "terraform_data.gone" || which == "plan");
                }
            }
            plans += 1;
            compare("", &theirs, &ours, &mut |path, how| match DIFFERENCES
                .iter()
                .find(|(p, _)| matches(p, path))
            {
                Some((pattern, _)) => drop(used.insert(*pattern)),
                None => wrong.push(format!("{name}, {which}: {path}: {how}")),
            });
            if let Some(next) = next {
                env.run(&["apply", "root", "-auto-approve"]).ok();
                write(&env, &case[next]);
            }
        }
    }
    println!("counted: {plans} plans in Terraform's form, {} listed differences", DIFFERENCES.len());
    let unused: Vec<_> = DIFFERENCES.iter().filter(|(p, _)| !used.contains(p)).collect();
    assert!(wrong.is_empty(), "{} not listed:\n{}", wrong.len(), wrong.join("\n"));
    assert!(unused.is_empty(), "listed, but not there any more: {unused:#?}");
}

#[test]
fn saved_plans_and_state_are_shown_without_secrets() {
    let env = TestEnvironment::with_root(
        "variable \"s\" {\n  sensitive = true\n}\nresource \"terraform_data\" \"a\" {\n  input = { s = var.s, n = 1 }\n}\noutput \"o\" {\n  value     = var.s\n  sensitive = true\n}\n",
    );
    let secret = "-var=s=hush-hush";
    env.run(&["plan", "root", secret, "-out=p"]).ok();
    let shown = env.run(&["show", "p", "-json"]).ok();
    let plan = shown.json();
    let change = &plan["resource_changes"][0]["change"];
    assert_eq!(change["actions"], serde_json::json!(["create"]));
    assert_eq!(change["after"]["input"], serde_json::json!({ "n": 1, "s": null }));
    assert_eq!(change["after_sensitive"]["input"], serde_json::json!({ "s": true }));
    let text = env.run(&["show", "p"]).ok();
    assert!(text.stdout.contains("terraform_data.a"), "{}", text.all());
    env.run(&["apply", "root", secret, "-auto-approve"]).ok();
    let state = env.run(&["show", "root", "-json"]).ok();
    let resource = &state.json()["values"]["root_module"]["resources"][0];
    assert_eq!(resource["values"]["input"], serde_json::json!({ "n": 1, "s": null }));
    let recorded = env.run(&["show", "root"]).ok();
    assert!(recorded.stdout.contains("\"s\" = (sensitive value)"), "{}", recorded.all());
    for ran in [shown, text, state, recorded] {
        assert!(!ran.all().contains("hush"), "{}", ran.all());
    }
    assert!(!env.read("p").contains("hush"));
}

#[test]
fn validate_tells_everything_as_terraform_does() {
    let env = TestEnvironment::new();
    env.write("main.tf", "locals {\n  y = 1 + \"a${true}b\"\n}\noutput \"z\" {\n  value = local.nope\n}\nmodule \"m\" {\n  source = \"./m\"\n}\n");
    env.write("m/main.tf", "output \"x\" {\n  value = var.gone\n}\n");
    let ran = env.run(&["validate", "-json"]).exits(1);
    let found = ran.json();
    assert_eq!(
        (&found["valid"], &found["error_count"], &found["warning_count"]),
        (&false.into(), &3.into(), &0.into())
    );
    insta::assert_snapshot!(format!("{:#}", found["diagnostics"][0]), @r#"
    {
      "code": "invalid-operand",
      "detail": "",
      "range": {
        "end": {
          "byte": 30,
          "column": 22,
          "line": 2
        },
        "filename": "main.tf",
        "start": {
          "byte": 19,
          "column": 11,
          "line": 2
        }
      },
      "severity": "error",
      "snippet": {
        "code": "  y = 1 + \"a${true}b\"",
        "context": "locals",
        "highlight_end_offset": 21,
        "highlight_start_offset": 10,
        "start_line": 2,
        "values": []
      },
      "summary": "the right side of `+`: a number is required, but this string does not read as one"
    }
    "#);
    let places: Vec<String> = found["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| {
            let text = |json: &Json| json.as_str().unwrap_or("?").to_owned();
            let (file, line) = (text(&d["range"]["filename"]), &d["range"]["start"]["line"]);
            format!("{file}:{line} {} in {}", text(&d["code"]), text(&d["snippet"]["context"]))
        })
        .collect();
    insta::assert_snapshot!(places.join("\n"), @r#"
    main.tf:2 invalid-operand in locals
    main.tf:5 undeclared in output "z"
    m/main.tf:2 undeclared in output "x"
    "#);
    let sarif = env.run(&["validate", "--format", "sarif"]).exits(1).json();
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(3));
    env.write("main.tf", "output \"z\" {\n  value = 1\n}\n");
    let ran = env.run(&["validate", "-json"]).ok();
    insta::assert_snapshot!(ran.stdout, @r#"
    {
      "diagnostics": [],
      "error_count": 0,
      "format_version": "1.0",
      "valid": true,
      "warning_count": 0
    }
    "#);
}

const TWO: &str = "resource \"terraform_data\" \"a\" {\n  count = 2\n  input = var.x\n}\nresource \"terraform_data\" \"b\" {\n  input = terraform_data.a[0].output\n}\nresource \"terraform_data\" \"c\" {\n  input = var.x\n}\noutput \"c\" {\n  value = terraform_data.c.output\n}\noutput \"b\" {\n  value = terraform_data.b.output\n}\nvariable \"x\" {\n  default = 1\n}\n";

fn actions(env: &TestEnvironment, args: &[&str]) -> Vec<String> {
    let plan = env.run(&[&["plan", "root", "-json"], args].concat()).ok().json();
    let changes = plan["changes"].as_array().expect("a list").iter();
    changes
        .filter(|c| c["action"] != "none")
        .map(|c| format!("{} {}", c["action"].as_str().expect("text"), c["address"].as_str().expect("text")))
        .collect()
}

#[test]
fn targets_are_planned_with_what_they_need_and_nothing_else() {
    let env = TestEnvironment::with_root(TWO);
    let all = [
        "create terraform_data.a[0]",
        "create terraform_data.a[1]",
        "create terraform_data.b",
        "create terraform_data.c",
    ];
    assert_eq!(actions(&env, &[]), all);
    assert_eq!(actions(&env, &["-target=terraform_data.b"]), all[..3]);
    assert_eq!(actions(&env, &["-target", "terraform_data.a[1]"]), all[1..2]);
    let applied = env.run(&["apply", "root", "-auto-approve", "-target=terraform_data.b"]).ok();
    assert!(applied.stderr.contains("warning[targeted]"), "{}", applied.all());
    assert_eq!(env.run(&["output", "root"]).ok().stdout, "b = 1\n");
    assert_eq!(actions(&env, &[]), all[3..]);
    env.run(&["apply", "root", "-auto-approve"]).ok();
    // What needs the target goes with it.
    env.run(&["destroy", "root", "-auto-approve", "-target=terraform_data.a[0]"]).ok();
    assert_eq!(env.run(&["state", "list", "root"]).ok().stdout, "terraform_data.a[1]\nterraform_data.c\n");
    assert_eq!(env.run(&["output", "root"]).ok().stdout, "b = 1\nc = 1\n");
}

#[test]
fn replacements_can_be_asked_for() {
    let env = TestEnvironment::with_root(TWO);
    env.run(&["apply", "root", "-auto-approve"]).ok();
    assert_eq!(actions(&env, &["-replace=terraform_data.c"]), ["replace terraform_data.c"]);
    env.run(&["plan", "root", "-replace=terraform_data.c", "-out=p"]).ok();
    let ran = env.run(&["apply", "p"]).ok();
    assert!(ran.stderr.contains("1 created, 0 changed, 1 destroyed"), "{}", ran.all());
    let ran = env.run(&["plan", "root", "-replace=terraform_data.d"]).exits(1);
    assert!(ran.stderr.contains("did you mean `terraform_data."), "{}", ran.all());
}

#[test]
fn flags_of_terraform_work_or_say_why_not() {
    let env = TestEnvironment::with_root(TWO);
    env.run(&["-chdir=root", "apply", "-auto-approve", "-parallelism=2", "-lock-timeout=1s", "-no-color"])
        .ok();
    env.run(&["plan", "root", "-refresh=false", "-detailed-exitcode", "-input=false"]).exits(0);
    env.run(&["plan", "root", "-var", "x=2", "-detailed-exitcode", "-refresh=false"]).exits(2);
    let noted = env.run(&["plan", "root", "-lock=false", "-parallelism=3"]).ok();
    assert!(noted.stderr.contains("--parallelism changes nothing here"), "{}", noted.all());
    for flag in ["-refresh-only", "-state=x", "-backup=x"] {
        let ran = env.run(&["plan", "root", flag]).exits(1);
        assert!(ran.stderr.contains("is not supported\nhelp: "), "{}", ran.all());
    }
    let ran = env.run(&["apply", "root", "-destroy", "-auto-approve"]).ok();
    assert!(ran.stderr.contains("4 destroyed"), "{}", ran.all());
}

/// Nodes and edges are those that `terraform graph` (1.11.4) prints for this root.
#[test]
fn graphs_have_the_nodes_and_edges_of_terraforms() {
    let env = TestEnvironment::with_root(
        "data \"local_file\" \"r\" {\n  filename = \"main.tf\"\n}\nresource \"terraform_data\" \"a\" {\n  input = data.local_file.r.id\n}\nresource \"terraform_data\" \"b\" {\n  input = module.m.out\n}\nresource \"terraform_data\" \"c\" {\n  input      = terraform_data.a.id\n  depends_on = [module.m]\n}\nmodule \"m\" {\n  source     = \"./m\"\n  x          = terraform_data.a.id\n  depends_on = [terraform_data.d]\n}\nresource \"terraform_data\" \"d\" {\n  count = 2\n}\n",
    );
    env.write("root/m/main.tf", "variable \"x\" {}\nresource \"terraform_data\" \"in\" {\n  input = var.x\n}\nresource \"terraform_data\" \"in2\" {}\noutput \"out\" {\n  value = terraform_data.in.output\n}\n");
    insta::assert_snapshot!(env.run(&["graph", "root"]).ok().stdout, @r#"
    digraph {
      rankdir = "RL"
      node [shape = box]
      "data.local_file.r"
      "module.m.terraform_data.in"
      "module.m.terraform_data.in2"
      "terraform_data.a"
      "terraform_data.b"
      "terraform_data.c"
      "terraform_data.d"
      "module.m.terraform_data.in" -> "terraform_data.a"
      "module.m.terraform_data.in" -> "terraform_data.d"
      "module.m.terraform_data.in2" -> "terraform_data.d"
      "terraform_data.a" -> "data.local_file.r"
      "terraform_data.b" -> "module.m.terraform_data.in"
      "terraform_data.c" -> "module.m.terraform_data.in"
      "terraform_data.c" -> "module.m.terraform_data.in2"
    }
    "#);
}

/// Terraform validates without values; an environment, whose values are all there, is checked with them.
#[test]
fn a_module_is_validated_for_any_values_and_an_environment_for_its_own() {
    let env = TestEnvironment::new();
    env.write(
        "main.tf",
        "variable \"name\" {}\nvariable \"role\" {\n  default = null\n}\noutput \"x\" {\n  value = coalesce(var.role, null)\n}\n",
    );
    env.run(&["validate"]).ok();
    let ran = env.run(&["validate", "--var", "name=web"]).exits(1);
    assert!(ran.stderr.contains("`coalesce`: all arguments are null"), "{}", ran.all());
    env.run(&["validate", "--var", "name=web", "--var", "role=r"]).ok();
}

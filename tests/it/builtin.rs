//! The small providers: whole lives, secrets in state, provisioners, taint.

use crate::environment::{Ran, TestEnvironment};
use cutover::builtin::{data, types};
use serde_json::Value as Json;

/// Address → action of what a plan would change.
fn actions(ran: &Ran) -> Vec<String> {
    let plan = ran.json();
    let changes = plan["changes"].as_array().expect("a list");
    let changed = changes.iter().filter(|c| c["action"] != "none");
    let text = |v: &Json| v.as_str().expect("text").to_owned();
    changed.map(|c| format!("{} {}", text(&c["action"]), text(&c["address"]))).collect()
}

fn planned(env: &TestEnvironment, arguments: &[&str]) -> Vec<String> {
    let all = [&["plan", "root", "--format", "json"], arguments].concat();
    actions(&env.run(&all).ok())
}

fn state(env: &TestEnvironment) -> Json {
    serde_json::from_str(&env.read("root/.cutover/state.json")).expect("JSON")
}

#[test]
fn every_small_type_lives_and_dies() {
    let env = TestEnvironment::new();
    env.write("root/cutover.hcl", "cutover {\n  cloud = \"embedded\"\n}\n");
    let examples: String = types::ALL.iter().map(|t| t.schema().example).collect();
    env.write("root/main.tf", &examples);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let listed = env.run(&["state", "list", "root"]).ok().stdout;
    for one in types::ALL {
        let name = one.schema().name;
        assert!(listed.contains(&format!("{name}.")), "{name}: its example makes none:\n{listed}");
    }
    env.run(&["plan", "root", "--detailed-exitcode"]).ok();
    env.run(&["drift", "root", "--detailed-exitcode"]).ok();
    env.run(&["destroy", "root", "--auto-approve"]).ok();
    assert_eq!(env.run(&["state", "list", "root"]).ok().stdout, "");
    assert!(!env.path().join("root/out/inventory.txt").exists());
    println!("counted: {} small resource types, {} data sources", types::ALL.len(), data::ALL.len());
}

/// Terraform plans an update where the input was null and stays null, of another type. Here null is null.
const NULL_IS_NULL: &[(u64, &str)] = &[(7, "terraform_data.f[\"x\"]")];

/// The fixture holds what Terraform 1.11.4 planned for the same steps, ids left out.
#[test]
fn terraform_data_plans_as_terraform_does() {
    let facts: Json = serde_json::from_str(
        &std::fs::read_to_string(
            crate::environment::repository().join("fixtures/terraform/terraform_data.json"),
        )
        .expect("read"),
    )
    .expect("JSON");
    let env = TestEnvironment::with_root(facts["root"].as_str().expect("text"));
    let mut compared = 0;
    for step in facts["steps"].as_array().expect("a list") {
        let var = format!("step={}", step["step"]);
        let ran = env.run(&["plan", "root", "--format", "json", "--var", &var]).ok();
        let plan = ran.json();
        for (address, fact) in step["changes"].as_object().expect("an object") {
            let of = |c: &&Json| c["address"] == address.as_str();
            let change = plan["changes"].as_array().expect("a list").iter().find(of).expect("planned");
            let what = format!("step {var} of {address}");
            if NULL_IS_NULL.contains(&(step["step"].as_u64().expect("a number"), address)) {
                assert_eq!(
                    (&change["action"], &fact["action"]),
                    (&"none".into(), &"update".into()),
                    "{what}"
                );
                continue;
            }
            assert_eq!(change["action"], fact["action"], "{what}");
            for name in ["input", "output", "triggers_replace", "id"] {
                let unknown = !change["after_unknown"].get(name).unwrap_or(&Json::Null).is_null();
                let unknown_there = !fact["after_unknown"].get(name).unwrap_or(&Json::Null).is_null();
                assert_eq!(unknown, unknown_there, "{what}: is {name} known?");
                let after = |side: &Json| side["after"].get(name).cloned().unwrap_or(Json::Null);
                if !unknown && after(fact) != "(an id)" {
                    assert_eq!(after(change), after(fact), "{what}: {name}");
                }
                compared += 1;
            }
        }
        env.run(&["apply", "root", "--auto-approve", "--var", &var]).ok();
        assert_eq!(planned(&env, &["--var", &var]), [""; 0], "a second plan of {var}");
    }
    println!("counted: {compared} attributes of terraform_data planned as Terraform does");
    assert!(compared > 50);
}

#[test]
fn values_of_any_type_come_back_from_state_as_they_were() {
    let env = TestEnvironment::with_root(
        r#"
        resource "terraform_data" "a" {
          input = { set = toset(["b", "a"]), list = tolist([1]), map = tomap({ k = true }), none = null, big = 123456789012345678901234567890 }
        }
        output "o" { value = terraform_data.a.output }
        output "types" { value = [for k, v in terraform_data.a.output : "${k} ${can(v[0])} ${jsonencode(v)}"] }
        "#,
    );
    let first = env.run(&["apply", "root", "--auto-approve"]).ok().stdout;
    let second = env.run(&["apply", "root", "--auto-approve"]).ok().stdout;
    let outputs = |text: &str| text.split("Outputs:").nth(1).map(str::to_owned).expect("outputs");
    assert_eq!(outputs(&first), outputs(&second));
    assert!(second.contains("123456789012345678901234567890"), "{second}");
    assert!(second.contains("set false"), "a set cannot be indexed, from state neither: {second}");
}

const TYPE_OF_TRIGGER: &str = r#"
variable "v" {}
resource "terraform_data" "a" { input = var.v }
"#;

#[test]
fn a_value_of_another_type_is_another_value() {
    let env = TestEnvironment::with_root(TYPE_OF_TRIGGER);
    env.run(&["apply", "root", "--auto-approve", "--var", "v=1"]).ok();
    env.write("root/main.tf", &TYPE_OF_TRIGGER.replace("{}", "{ type = string }"));
    assert_eq!(
        planned(&env, &["--var", "v=1"]),
        [""; 0],
        "a -var of a variable without type is a string already"
    );
    env.write("root/main.tf", &TYPE_OF_TRIGGER.replace("{}", "{ type = number }"));
    assert_eq!(planned(&env, &["--var", "v=1"]), ["update terraform_data.a"]);
    env.write("root/main.tf", &TYPE_OF_TRIGGER.replace("{}", "{ type = list(object({})) }"));
    assert_eq!(planned(&env, &["--var", "v=[]"]), ["update terraform_data.a"]);
    env.run(&["apply", "root", "--auto-approve", "--var", "v=[]"]).ok();
    assert_eq!(planned(&env, &["--var", "v=[]"]), [""; 0]);
}

#[test]
fn keepers_replace_and_nothing_else_does() {
    let main = r#"
    variable "keep" { default = "1" }
    resource "random_id" "a" {
      byte_length = 4
      keepers     = { k = var.keep }
    }
    resource "random_pet" "a" { keepers = { k = var.keep } }
    resource "random_integer" "a" {
      min     = 1
      max     = 6
      keepers = { k = var.keep }
    }
    resource "random_shuffle" "a" {
      input        = ["a", "b", "c"]
      result_count = 7
      keepers      = { k = var.keep }
      lifecycle { create_before_destroy = true }
    }
    resource "random_string" "a" {
      length      = 12
      upper       = false
      min_special = 3
      number      = false
    }
    resource "time_static" "a" { triggers = { k = var.keep } }
    resource "time_offset" "a" {
      base_rfc3339  = "2026-01-31T00:00:00Z"
      offset_months = tonumber(var.keep)
    }
    output "shuffled" { value = random_shuffle.a.result }
    output "string" { value = random_string.a.result }
    output "numeric" { value = random_string.a.numeric }
    output "offset" { value = time_offset.a.rfc3339 }
    output "same" {
      value = [random_id.a.hex == format("%08x", tonumber(random_id.a.dec)), random_integer.a.id == tostring(random_integer.a.result)]
    }
    "#;
    let env = TestEnvironment::with_root(main);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    assert_eq!(planned(&env, &[]), [""; 0]);
    let changed = [
        "replace random_id.a",
        "replace random_integer.a",
        "replace random_pet.a",
        "replace random_shuffle.a",
        "update time_offset.a",
        "replace time_static.a",
    ];
    assert_eq!(planned(&env, &["--var", "keep=2"]), changed);
    env.run(&["apply", "root", "--auto-approve", "--var", "keep=2"]).ok();
    assert_eq!(planned(&env, &["--var", "keep=2"]), [""; 0], "nothing is lost of what was created first");
    let outputs = &state(&env)["outputs"];
    assert_eq!(outputs["same"]["value"], serde_json::json!([true, true]));
    assert_eq!(outputs["offset"]["value"], "2026-03-31T00:00:00Z");
    assert_eq!(outputs["numeric"]["value"], false);
    let shuffled = outputs["shuffled"]["value"].as_array().expect("a list");
    let count = |letter: &str| shuffled.iter().filter(|v| *v == letter).count();
    assert_eq!(shuffled.len(), 7);
    assert!(["a", "b", "c"].iter().all(|letter| (2..=3).contains(&count(letter))), "{shuffled:?}");
    let string = outputs["string"]["value"].as_str().expect("text");
    assert_eq!(string.chars().count(), 12);
    assert!(string.chars().filter(|c| c.is_ascii_punctuation()).count() >= 3, "{string}");
    assert!(!string.chars().any(|c| c.is_ascii_uppercase() || c.is_ascii_digit()), "{string}");
}

const PASSWORD: &str = r#"
resource "random_password" "a" { length = 20 }
resource "local_sensitive_file" "a" {
  filename = "secret.txt"
  content  = random_password.a.result
}
resource "terraform_data" "a" { input = random_password.a.result }
output "hash" { value = nonsensitive(random_password.a.bcrypt_hash) }
output "password" {
  value     = terraform_data.a.output
  sensitive = true
}
"#;

/// Every file of a root but the one that is to hold the secret.
fn files_with(env: &TestEnvironment, text: &str) -> Vec<String> {
    let all = walkdir::WalkDir::new(env.path()).into_iter().filter_map(Result::ok);
    let holds = |path: &std::path::Path| {
        std::fs::read(path).is_ok_and(|b| String::from_utf8_lossy(&b).contains(text))
    };
    all.filter(|e| holds(e.path())).map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_password_stays_the_same_and_stands_nowhere_in_the_clear() {
    let env = TestEnvironment::with_root(PASSWORD);
    let first = env.run(&["plan", "root", "--out", "first.cutover"]).ok();
    let applied = env.run(&["apply", "first.cutover"]).ok();
    let password = env.read("root/secret.txt");
    assert_eq!(password.chars().count(), 20);
    assert_eq!(planned(&env, &[]), [""; 0], "it is known again from the state");
    let second = env.run(&["plan", "root", "--out", "second.cutover", "--destroy"]).ok();
    let shown = env.run(&["state", "show", "root", "random_password.a"]).ok();
    assert_eq!(files_with(&env, &password), ["secret.txt"]);
    for ran in [first, applied, second, shown] {
        assert!(!ran.all().contains(&password), "{}", ran.all());
    }
    let key = env.read("root/.cutover/state.key");
    let line = key.lines().nth(1).expect("the key");
    assert_eq!(files_with(&env, line), ["state.key"], "the key is taken along nowhere");
    let hash = state(&env)["outputs"]["hash"]["value"].as_str().expect("text").to_owned();
    assert!(bcrypt::verify(&password, &hash).expect("a bcrypt hash"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |file: &str| std::fs::metadata(env.path().join(file)).expect("there").permissions().mode();
        assert_eq!(mode("root/.cutover/state.key") & 0o777, 0o600);
        assert_eq!(mode("root/secret.txt") & 0o077, 0);
    }
}

#[test]
fn a_password_without_a_key_is_refused_with_help() {
    let env = TestEnvironment::with_root("resource \"random_password\" \"a\" { length = 20 }\n");
    // A root that says nothing is for the real AWS; nothing in this one needs it, credentials neither.
    std::fs::remove_file(env.path().join("root/cutover.hcl")).expect("there");
    let refused = env.run(&["plan", "root"]).exits(1);
    assert!(refused.stderr.contains("no-state-key"), "{}", refused.all());
    assert!(refused.stderr.contains("cutover state keygen"), "{}", refused.all());
    env.run(&["state", "keygen", "my.key"]).ok();
    env.run(&["state", "keygen", "my.key"]).exits(1);
    let key = [("CUTOVER_STATE_KEY_FILE", "my.key")];
    env.run_with(&["apply", "root", "--auto-approve"], &key).ok();
    env.run_with(&["plan", "root", "--detailed-exitcode"], &key).ok();
    env.run(&["state", "keygen", "other.key"]).ok();
    let wrong = env.run_with(&["plan", "root"], &[("CUTOVER_STATE_KEY_FILE", "other.key")]).exits(1);
    assert!(wrong.stderr.contains("another key"), "{}", wrong.all());
    env.write("root/cutover.hcl", "cutover {\n  state {\n    key_file = \"../my.key\"\n  }\n}\n");
    env.run(&["plan", "root", "--detailed-exitcode"]).ok();
    std::fs::remove_file(env.path().join("root/cutover.hcl")).expect("there");
    env.run(&["destroy", "root", "--auto-approve"]).ok();
}

#[test]
fn a_file_that_was_edited_or_removed_is_written_again() {
    let main = "resource \"local_file\" \"a\" {\n  filename = \"sub/a.txt\"\n  content = \"hello\"\n}\n\
        resource \"local_file\" \"b\" {\n  filename = \"sub/b.bin\"\n  content_base64 = \"AAEC\"\n}\n\
        data \"local_file\" \"b\" {\n  filename = local_file.b.filename\n  depends_on = [local_file.b]\n}\n\
        output \"b\" { value = data.local_file.b.content_base64 }\n";
    let env = TestEnvironment::with_root(main);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    assert_eq!(env.read("root/sub/a.txt"), "hello");
    env.write("root/sub/a.txt", "someone else's");
    std::fs::remove_file(env.path().join("root/sub/b.bin")).expect("there");
    env.run(&["drift", "root", "--detailed-exitcode"]).exits(2);
    assert_eq!(planned(&env, &[]), ["create local_file.a", "create local_file.b", "read data.local_file.b"]);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    assert_eq!(env.read("root/sub/a.txt"), "hello");
    assert_eq!(planned(&env, &[]), [""; 0], "nothing is left of the old ones");
    env.write("root/sub/a.txt", "someone else's");
    env.run(&["destroy", "root", "--auto-approve"]).ok();
    assert_eq!(env.read("root/sub/a.txt"), "someone else's", "what others wrote stays");
    assert!(!env.path().join("root/sub/b.bin").exists());
}

const PROVISIONED: &str = r#"
variable "script" { default = "echo made $WHO in $(basename $PWD)" }
resource "terraform_data" "a" {
  input = "me"
  provisioner "local-exec" {
    command     = var.script
    environment = { WHO = self.output }
  }
  provisioner "local-exec" {
    when    = destroy
    command = "echo gone ${self.input}"
  }
}
resource "terraform_data" "b" { input = terraform_data.a.id }
"#;

#[test]
fn commands_run_after_creation_and_before_destruction() {
    let env = TestEnvironment::with_root(PROVISIONED);
    let plan = env.run(&["plan", "root"]).ok();
    assert!(plan.stderr.contains("local-exec"), "the plan warns: {}", plan.all());
    let applied = env.run(&["apply", "root", "--auto-approve"]).ok();
    assert!(applied.stderr.contains("terraform_data.a (local-exec): made me in root"), "{}", applied.all());
    assert_eq!(planned(&env, &[]), [""; 0]);
    let destroyed = env.run(&["destroy", "root", "--auto-approve"]).ok();
    assert!(destroyed.stderr.contains("terraform_data.a (local-exec): gone me"), "{}", destroyed.all());
}

#[test]
fn a_failed_command_taints_the_resource() {
    let env = TestEnvironment::with_root(PROVISIONED);
    let fails = ["--var", "script=echo first; exit 4"];
    let failed = env.run(&[&["apply", "root", "--auto-approve"], &fails[..]].concat()).exits(1);
    assert!(failed.stderr.contains("exit code 4"), "{}", failed.all());
    assert!(!failed.stderr.contains("terraform_data.b: created"), "{}", failed.all());
    assert_eq!(planned(&env, &[]), ["replace terraform_data.a", "create terraform_data.b"]);
    let replaced = env.run(&["apply", "root", "--auto-approve"]).ok();
    assert!(!replaced.stderr.contains("gone me"), "nothing runs for what is damaged: {}", replaced.all());
    assert_eq!(planned(&env, &[]), [""; 0]);
}

#[test]
fn on_failure_continue_goes_on() {
    let main = "resource \"null_resource\" \"a\" {\n  provisioner \"local-exec\" {\n    command = \"exit 4\"\n    on_failure = continue\n  }\n}\n";
    let env = TestEnvironment::with_root(main);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    assert_eq!(planned(&env, &[]), [""; 0]);
}

#[test]
fn a_secret_in_a_command_hides_its_output() {
    let main = "variable \"s\" {\n  sensitive = true\n  default = \"hunter2\"\n}\n\
        resource \"terraform_data\" \"a\" {\n  provisioner \"local-exec\" {\n    command = \"echo $X; exit 1\"\n    environment = { X = var.s }\n  }\n}\n";
    let env = TestEnvironment::with_root(main);
    let failed = env.run(&["apply", "root", "--auto-approve"]).exits(1);
    assert!(!failed.all().contains("hunter2"), "{}", failed.all());
    assert_eq!(files_with(&env, "hunter2"), ["main.tf"]);
}

#[test]
fn taint_replaces_and_untaint_takes_it_back() {
    let env = TestEnvironment::with_root("resource \"terraform_data\" \"a\" {}\n");
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.run(&["state", "taint", "root", "terraform_data.a"]).ok();
    assert_eq!(planned(&env, &[]), ["replace terraform_data.a"]);
    env.run(&["state", "untaint", "root", "terraform_data.a"]).ok();
    assert_eq!(planned(&env, &[]), [""; 0]);
    let unknown = env.run(&["state", "taint", "root", "terraform_data.b"]).exits(1);
    assert!(unknown.stderr.contains("terraform_data.a"), "{}", unknown.all());
}

#[test]
fn mistakes_in_provisioners_are_located() {
    let main = r#"
variable "v" { default = 1 }
resource "terraform_data" "a" {
  provisioner "local-exec" {
    when    = destroy
    command = "echo ${var.v} ${each.value}"
  }
  provisioner "remote-exec" { inline = [] }
  provisioner "chef" {}
  provisioner "local-exek" { command = "a" }
  provisioner "local-exec" {
    when  = later
    comand = "a"
  }
}
"#;
    let env = TestEnvironment::with_root(main);
    let text = env.run(&["validate", "root"]).exits(1).stderr;
    for (line, what) in [
        ("main.tf:6:", "refer only to `self`"),
        ("main.tf:8:", "`remote-exec` is not supported"),
        ("main.tf:9:", "no provisioner `chef`"),
        ("main.tf:10:", "did you mean `local-exec`"),
        ("main.tf:12:", "`create` or `destroy`"),
        ("main.tf:13:", "no argument `comand`"),
    ] {
        assert!(text.contains(line) && text.contains(what), "{line} {what}:\n{text}");
    }
}

#[test]
fn provider_blocks_of_small_providers_take_nothing() {
    let main = "provider \"random\" {}\nprovider \"template\" {}\nprovider \"null\" {\n  alias = \"x\"\n}\nprovider \"time\" {\n  zone = \"utc\"\n}\n\
        resource \"null_resource\" \"a\" { provider = null.x }\n";
    let env = TestEnvironment::with_root(main);
    let text = env.run(&["validate", "root"]).exits(1).stderr;
    assert!(text.contains("provider `time` has no argument `zone`"), "{text}");
    assert!(text.contains("1 error"), "{text}");
}

#[test]
fn another_roots_outputs_come_from_its_state_file() {
    let state = r#"{"version": 4, "terraform_version": "1.11.4", "outputs": {
        "ids": {"value": ["b", "a"], "type": ["set", "string"]},
        "port": {"value": 80, "type": "number"},
        "secret": {"value": "hunter2", "type": "string", "sensitive": true}}}"#;
    let main = r#"
data "terraform_remote_state" "net" {
  backend  = "local"
  config   = { path = "../net/terraform.tfstate" }
  defaults = { zone = "a", port = 1 }
}
locals { net = data.terraform_remote_state.net.outputs }
output "all" { value = "${join(",", local.net.ids)} ${local.net.port} ${local.net.zone} ${can(local.net.ids[0])}" }
output "secret" {
  value     = local.net.secret
  sensitive = true
}
"#;
    let env = TestEnvironment::with_root(main);
    env.write("net/terraform.tfstate", state);
    let shown = env.run(&["apply", "root", "--auto-approve"]).ok();
    assert!(shown.stdout.contains("a,b 80 a false"), "{}", shown.all());
    assert_eq!(files_with(&env, "hunter2"), ["terraform.tfstate"]);
    env.write("root/main.tf", &main.replace("\"local\"", "\"s3\""));
    let refused = env.run(&["plan", "root"]).exits(1);
    assert!(refused.stderr.contains("`s3` cannot be read yet"), "{}", refused.all());
}

#[test]
fn a_value_that_becomes_a_secret_leaves_the_state_without_a_change() {
    let env = TestEnvironment::with_root("resource \"terraform_data\" \"key\" {\n  input = \"hunter2\"\n}\n");
    env.run(&["apply", "root", "--auto-approve"]).ok();
    assert!(env.read("root/.cutover/state.json").contains("hunter2"));
    env.write("root/main.tf", "resource \"terraform_data\" \"key\" {\n  input = sensitive(\"hunter2\")\n}\n");
    let ran = env.run(&["apply", "root", "--auto-approve"]).ok();
    assert!(ran.all().contains("Nothing to change"), "{}", ran.all());
    let state = env.read("root/.cutover/state.json");
    assert!(!state.contains("hunter2"), "{state}");
    let again = env.run(&["plan", "root"]).ok();
    assert!(again.all().contains("Nothing to change"), "{}", again.all());
}

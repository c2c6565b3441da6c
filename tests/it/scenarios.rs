//! Whole stories of the shipped environments on the embedded AWS.

use crate::environment::{Ran, TestEnvironment};
use serde_json::Value as Json;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const APPLY: &[&str] = &["apply", "envs/dev", "--auto-approve"];

fn applied() -> TestEnvironment {
    let env = TestEnvironment::shipped();
    env.run(APPLY).ok();
    env
}

pub fn changes(plan: &Json) -> Vec<(String, String)> {
    let text = |c: &Json, name: &str| c[name].as_str().expect("text").to_owned();
    let changes = plan["changes"].as_array().expect("a list").iter();
    changes.map(|c| (text(c, "address"), text(c, "action"))).filter(|(_, action)| action != "none").collect()
}

fn plan(env: &TestEnvironment, args: &[&str]) -> Json {
    env.run(&[&["plan", "envs/dev", "--format", "json"], args].concat()).ok().json()
}

pub fn action_of<'p>(plan: &'p [(String, String)], address: &str) -> &'p str {
    plan.iter().find(|(a, _)| a == address).map_or("none", |(_, action)| action)
}

/// How many things of a kind the world holds that are not on their way out.
fn in_world(env: &TestEnvironment, pointer: &str) -> usize {
    in_world_of(env, "envs/dev", pointer)
}

pub fn in_world_of(env: &TestEnvironment, root: &str, pointer: &str) -> usize {
    let world: Json = serde_json::from_str(&env.read(&format!("{root}/.cutover/world.json"))).expect("JSON");
    let found = world.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in the world"));
    let gone = |v: &Json| {
        let state = v["state"].as_str().unwrap_or_default().to_ascii_lowercase();
        state.contains("delet") || state.contains("terminat")
    };
    // A region's default VPC and what is in it are AWS's.
    let vpcs = world["ec2"]["vpcs"].as_object().into_iter().flat_map(|all| all.values());
    let default: Vec<String> =
        vpcs.filter(|v| v["is_default"] == true).map(|v| v["id"].to_string()).collect();
    let theirs = |v: &Json| default.iter().any(|id| v.to_string().contains(id.as_str()));
    found.as_object().map_or(0, |all| all.values().filter(|v| !gone(v) && !theirs(v)).count())
}

pub fn states(ran: &Ran, words: &[&str]) {
    for word in words {
        assert!(ran.all().contains(word), "{word:?} is missing in\n{}", ran.all());
    }
}

#[test]
fn an_environment_is_built_and_then_nothing_is_to_change() {
    let env = TestEnvironment::shipped();
    let first = env.run(APPLY).ok();
    states(&first, &["Outputs:", "url = \"http://", "0 destroyed."]);
    let made = env.run(&["state", "list", "envs/dev"]).ok().stdout.lines().count();
    println!("counted: {made} resources in envs/dev");
    assert!(made >= 60, "only {made}");
    let second = env.run(APPLY).ok();
    states(&second, &["Nothing to change"]);
    env.run(&["plan", "envs/dev", "-detailed-exitcode"]).exits(0);
    env.run(&["drift", "envs/dev", "--detailed-exitcode"]).exits(0);
    states(&env.run(&["output", "envs/dev", "service_name", "--raw"]).ok(), &["shop-dev-web"]);
}

#[test]
fn each_change_has_its_action() {
    let env = applied();
    let types = changes(&plan(&env, &["--var", "instance_types=[\"m6i.large\", \"m5.large\"]"]));
    assert_eq!(types, [("module.asg.aws_autoscaling_group.this".to_owned(), "update".to_owned())]);

    let image = plan(&env, &["--var", "image_tag=2.0.0"]);
    let changed = changes(&image);
    assert_eq!(changed.len(), 2, "{changed:?}");
    assert_eq!(action_of(&changed, "module.web.aws_ecs_service.this"), "update");
    assert_eq!(action_of(&changed, "module.web.aws_ecs_task_definition.this"), "replace");
    let steps = image["rollouts"][0]["steps"].as_array().expect("steps");
    let texts: Vec<&str> = steps.iter().map(|s| s["text"].as_str().expect("text")).collect();
    assert_eq!(steps.len(), 4, "{texts:?}");
    assert!(texts[0].contains("register") && texts[1].contains("update service"), "{texts:?}");

    let network = changes(&plan(&env, &["--var", "vpc_cidr=10.99.0.0/16"]));
    assert_eq!(action_of(&network, "module.network.aws_vpc.this"), "replace");
    assert_eq!(action_of(&network, "module.network.aws_subnet.public[\"us-east-1a\"]"), "replace");
    assert_eq!(action_of(&network, "module.alb.aws_lb_target_group.this[\"blue\"]"), "replace");
    // What does not live in the network stays.
    assert_eq!(action_of(&network, "module.ecr.aws_ecr_repository.this"), "none");
    env.run(&["plan", "envs/dev", "--var", "image_tag=2.0.0", "--detailed-exitcode"]).exits(2);
}

#[test]
fn a_new_image_rolls_out_and_is_followed_to_its_end() {
    let env = applied();
    let ran = env.run(&[APPLY, &["--var", "image_tag=2.0.0"]].concat()).ok();
    states(&ran, &["step 1 of 2: update service", "step 2 of 2 done", "1 created, 1 changed, 1 destroyed"]);
    env.run(&["plan", "envs/dev", "--var", "image_tag=2.0.0", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_bad_image_fails_the_apply_with_the_reason_and_the_way_back_works() {
    let env = applied();
    let ran = env.run(&[APPLY, &["--var", "image_tag=crash"]].concat()).exits(3);
    states(&ran, &["RolledBack", "circuit breaker", "exit code 1", "rolled it back"]);
    env.run(APPLY).ok();
    env.run(&["plan", "envs/dev", "--detailed-exitcode"]).exits(0);
}

#[test]
fn new_instance_types_replace_every_instance() {
    let env = applied();
    let types = "instance_types=[\"m6i.large\",\"m5.large\"]";
    let ran = env.run(&[APPLY, &["--var", types]].concat()).ok();
    states(&ran, &["start an instance refresh", "% complete", "step 2 of 2 done"]);
    env.run(&["plan", "envs/dev", "--var", types, "--detailed-exitcode"]).exits(0);
}

#[test]
fn destroy_leaves_nothing() {
    let env = applied();
    assert!(in_world(&env, "/ec2/vpcs") == 1 && in_world(&env, "/ec2/instances") > 0);
    env.run(&["destroy", "envs/dev", "--auto-approve"]).ok();
    assert_eq!(env.run(&["state", "list", "envs/dev"]).ok().stdout, "");
    for pointer in [
        "/ec2/vpcs",
        "/ec2/subnets",
        "/ec2/security_groups",
        "/ec2/interfaces",
        "/ec2/addresses",
        "/ec2/instances",
        "/ec2/launch_templates",
        "/ec2/nat_gateways",
        "/iam/roles",
        "/iam/profiles",
        "/ecr/repositories",
    ] {
        assert_eq!(in_world(&env, pointer), 0, "{pointer}");
    }
}

/// Starts an apply and kills it, without any warning, after it has said so many lines.
pub fn kill_after(env: &TestEnvironment, args: &[&str], lines: usize) -> bool {
    let mut child = env.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
    let stderr = BufReader::new(child.stderr.take().expect("piped"));
    let said = stderr.lines().take(lines).count();
    child.kill().expect("killed");
    child.wait().expect("ended");
    said == lines
}

#[test]
fn a_killed_apply_goes_on_without_making_anything_twice() {
    let mut kills = 0;
    for lines in [3, 20, 45, 70, 95, 125] {
        let env = TestEnvironment::shipped();
        kills += usize::from(kill_after(&env, APPLY, lines));
        env.run(APPLY).ok();
        env.run(&["plan", "envs/dev", "--detailed-exitcode"]).exits(0);
        let counts = ["/ec2/vpcs", "/ec2/nat_gateways", "/ec2/addresses", "/ec2/internet_gateways"];
        for pointer in counts {
            assert_eq!(in_world(&env, pointer), 1, "{pointer} after a kill at line {lines}");
        }
        env.run(&["destroy", "envs/dev", "--auto-approve"]).ok();
        for pointer in counts.iter().chain(&["/ec2/security_groups", "/iam/roles", "/ec2/subnets"]) {
            assert_eq!(in_world(&env, pointer), 0, "{pointer} after a kill at line {lines}");
        }
    }
    println!("counted: {kills} kills");
    assert!(kills >= 4, "only {kills} applies were killed in the middle");
}

#[test]
fn a_saved_plan_is_applied_as_it_was_and_refused_when_something_moved() {
    let env = applied();
    let tag = ["--var", "image_tag=2.0.0"];
    env.run(&[&["plan", "envs/dev", "--out", "first.plan"], &tag[..]].concat()).ok();
    env.run(&[&["plan", "envs/dev", "--out", "second.plan"], &tag[..]].concat()).ok();
    // What is written in the meantime does not matter: the plan has its own snapshot.
    env.write("envs/dev/extra.tf", "locals {\n  broken = \n}\n");
    let ran = env.run(&["apply", "first.plan"]).ok();
    states(&ran, &["1 created, 1 changed, 1 destroyed"]);
    std::fs::remove_file(env.path().join("envs/dev/extra.tf")).expect("removed");
    let refused = env.run(&["apply", "second.plan"]).exits(1);
    states(&refused, &["has moved", "module.web.aws_ecs_service.this", "nothing was changed"]);
    env.run(&[&["plan", "envs/dev", "--detailed-exitcode"], &tag[..]].concat()).exits(0);
}

#[test]
fn staging_and_prod_live_on_the_embedded_aws_too() {
    for name in ["envs/staging", "envs/prod"] {
        let env = TestEnvironment::shipped();
        let all = |verb: &str, more: &[&str]| env.run(&[&[verb, name, "--cloud", "embedded"], more].concat());
        all("apply", &["--auto-approve"]).ok();
        all("plan", &["--detailed-exitcode"]).exits(0);
        all("drift", &["--detailed-exitcode"]).exits(0);
        if name == "envs/prod" {
            let refused = all("destroy", &["--auto-approve"]).exits(1);
            states(&refused, &["prevent_destroy", "module.ecr."]);
            let again = all("plan", &["--detailed-exitcode"]);
            assert_eq!(again.code, 0, "nothing was destroyed\n{}", again.all());
        } else {
            all("destroy", &["--auto-approve"]).ok();
            assert_eq!(env.run(&["state", "list", name]).ok().stdout, "");
        }
    }
}

#[test]
fn every_env_runs_on_fargate_by_one_variable() {
    let env = TestEnvironment::shipped();
    let args = ["--var", "capacity=FARGATE"];
    env.run(&[APPLY, &args[..]].concat()).ok();
    env.run(&[&["plan", "envs/dev", "--detailed-exitcode"], &args[..]].concat()).exits(0);
    env.run(&[&["destroy", "envs/dev", "--auto-approve"], &args[..]].concat()).ok();
}

#[test]
fn secrets_are_in_no_file_and_no_output() {
    let secret = "correct-horse-battery-staple";
    let main = r#"
variable "password" {
  type      = string
  sensitive = true
}

resource "aws_ssm_parameter" "password" {
  name  = "/example/password"
  type  = "SecureString"
  value = var.password
}

resource "aws_ssm_parameter" "plain" {
  name  = "/example/plain"
  type  = "String"
  value = var.password
}

resource "aws_ecs_task_definition" "site" {
  family = "site"
  container_definitions = jsonencode([{
    name        = "site"
    image       = "repo/site:1"
    memory      = 64
    environment = [{ name = "KEY", value = var.password }]
  }])
}

resource "aws_launch_template" "host" {
  name      = "host"
  image_id  = "ami-0ec5a20000000e86d"
  user_data = base64encode("login --with ${var.password}")
}

output "password" {
  value     = var.password
  sensitive = true
}
"#;
    let env = TestEnvironment::with_root(main);
    let given = [("TF_VAR_password", secret)];
    let mut seen = String::new();
    for args in [
        &["plan", "root", "--out", "root.plan"][..],
        &["plan", "root", "--format", "json"],
        &["plan", "root", "--format", "markdown"],
        &["apply", "root", "--auto-approve"],
        &["plan", "root", "--detailed-exitcode"],
        &["plan", "root", "--detailed-exitcode", "--refresh=false"],
        &["drift", "root", "--detailed-exitcode"],
        &["output", "root"],
        &["output", "root", "--json"],
        &["show", "root", "-json"],
        &["state", "show", "root", "aws_ssm_parameter.password"],
        &["state", "show", "root", "aws_ecs_task_definition.site"],
        &["apply", "root", "--auto-approve", "--replace", "aws_ecs_task_definition.site"],
        &["plan", "root", "--detailed-exitcode"],
    ] {
        seen += &env.run_with(args, &given).ok().all();
    }
    seen += &env.run_with(&["plan", "root"], &[("TF_VAR_password", "another-secret-value")]).ok().all();
    // "login --with correct-horse…" in base64.
    let spellings = [secret, "another-secret-value", "bG9naW4gLS13aXRoIGNvcnJlY3Q"];
    for spelling in spellings {
        assert!(!seen.contains(spelling), "{spelling} stands in\n{seen}");
        for file in ["root.plan", "root/.cutover/state.json"] {
            assert!(!env.read(file).contains(spelling), "{spelling} stands in {file}");
        }
    }
}

#[test]
fn apply_without_a_terminal_needs_approval() {
    let env = TestEnvironment::shipped();
    let ran = env.run(&["apply", "envs/dev"]).exits(1);
    states(&ran, &["no terminal", "--auto-approve"]);
    assert_eq!(env.run(&["state", "list", "envs/dev"]).ok().stdout, "", "nothing was made");
}

#[cfg(unix)]
#[test]
fn what_is_kept_beside_an_environment_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let main = "resource \"aws_ssm_parameter\" \"key\" {\n  name = \"/key\"\n  type = \"SecureString\"\n  value = \"x\"\n}\n";
    let env = TestEnvironment::with_root(main);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let mode = |path: &str| {
        let found = std::fs::metadata(env.path().join(path)).expect("there").permissions();
        found.mode() & 0o777
    };
    assert_eq!(mode("root/.cutover"), 0o700);
    for file in ["state.json", "world.json"] {
        assert_eq!(mode(&format!("root/.cutover/{file}")), 0o600, "{file}");
    }
    // Whoever keeps the environment in Git does not keep this, also without a .gitignore of his own.
    assert_eq!(env.read("root/.cutover/.gitignore"), "*\n");
    let shipped = std::fs::read_to_string(crate::environment::repository().join(".gitignore")).expect("read");
    assert!(shipped.lines().any(|line| line == ".cutover/"));
}

#[test]
fn several_environments_are_planned_by_one_command() {
    let env = TestEnvironment::new();
    let root = |name: &str, main: &str| {
        env.write(&format!("{name}/cutover.hcl"), "cutover {\n  cloud = \"embedded\"\n}\n");
        env.write(&format!("{name}/main.tf"), main);
    };
    root("a", "resource \"aws_ecs_cluster\" \"a\" {\n  name = \"a\"\n}\n");
    root("b", "output \"b\" {\n  value = null\n}\n");
    let both = env.run(&["plan", "a", "b", "--detailed-exitcode"]).exits(2);
    let at = |what: &str| both.stdout.find(what).unwrap_or_else(|| panic!("no {what:?} in {}", both.all()));
    assert!(at("== a") < at("aws_ecs_cluster.a") && at("aws_ecs_cluster.a") < at("== b"));
    env.run(&["plan", "a", "b"]).ok();
    let json = env.run(&["plan", "a", "b", "--format", "json"]).ok().json();
    assert_eq!(json["a"]["changes"][0]["address"], "aws_ecs_cluster.a");
    assert!(json["b"]["changes"].as_array().is_some_and(Vec::is_empty));
    root("c", "broken = \n");
    let failed = env.run(&["plan", "c", "a", "b", "--detailed-exitcode"]).exits(1);
    states(&failed, &["== c", "main.tf:1", "== a", "aws_ecs_cluster.a"]);
    let refused = env.run(&["plan", "a", "b", "--out", "x.plan"]).exits(1);
    states(&refused, &["one plan file is for one environment"]);
}

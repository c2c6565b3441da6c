//! Ways of Terraform and its providers that existing directories rely on, each held against the real Terraform
//! 1.11.4 with provider 5.100 when it was written.

use crate::environment::TestEnvironment;
use serde_json::{Value as Json, json};
use std::io::Write;

fn outputs(env: &TestEnvironment) -> Json {
    let all = env.run(&["output", "root", "-json"]).ok().json();
    let entries = all.as_object().expect("by name").iter();
    Json::Object(entries.map(|(name, output)| (name.clone(), output["value"].clone())).collect())
}

#[test]
fn timeouts_are_one_object_or_null() {
    let env = TestEnvironment::with_root(
        r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "some" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.1.0/24"
  timeouts {
    create = "5m"
  }
}

resource "aws_subnet" "none" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.2.0/24"
}

data "aws_vpc" "main" {
  id = aws_vpc.main.id
  timeouts {
    read = "1m"
  }
}

output "some" {
  value = aws_subnet.some.timeouts.create
}

output "all" {
  value = [aws_subnet.some.timeouts, aws_subnet.none.timeouts, data.aws_vpc.main.timeouts]
}
"#,
    );
    let plan = env.run(&["plan", "root", "--format", "terraform-json"]).ok().json();
    let after = |address: &str| {
        let changes = plan["resource_changes"].as_array().expect("a list");
        let change = changes.iter().find(|c| c["address"] == address).expect("planned");
        change["change"]["after"]["timeouts"].clone()
    };
    assert_eq!(after("aws_subnet.some"), json!({ "create": "5m", "delete": null }));
    assert_eq!(after("aws_subnet.none"), json!(null));
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let all = json!([{ "create": "5m", "delete": null }, null, { "read": "1m" }]);
    assert_eq!(outputs(&env), json!({ "some": "5m", "all": all }));
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_data_source_without_timeouts_takes_none() {
    let env = TestEnvironment::with_root(
        "data \"aws_region\" \"here\" {\n  timeouts {\n    read = \"1m\"\n  }\n}\n",
    );
    let ran = env.run(&["validate", "root"]).exits(1);
    assert!(ran.stderr.contains("has no block `timeouts`"), "{}", ran.all());
}

#[test]
fn balancers_plan_cross_zone_as_the_provider_does() {
    let env = TestEnvironment::with_root(
        r#"
resource "aws_lb" "application" {
  name                             = "application"
  subnets                          = ["subnet-1", "subnet-2"]
  enable_cross_zone_load_balancing = true
}

resource "aws_lb" "network" {
  name               = "network"
  load_balancer_type = "network"
  subnets            = ["subnet-1", "subnet-2"]
}
"#,
    );
    let plan = env.run(&["plan", "root", "--format", "terraform-json"]).ok().json();
    let planned: Vec<&Json> = plan["resource_changes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|c| &c["change"]["after"]["enable_cross_zone_load_balancing"])
        .collect();
    assert_eq!(planned, [&json!(null), &json!(false)]);
}

/// `amazon` is what the root calls `hashicorp/aws`, `web` what a module does: Terraform knows them by source.
#[test]
fn a_provider_may_have_any_local_name() {
    let env = TestEnvironment::with_root(
        r#"
terraform {
  required_providers {
    amazon = { source = "hashicorp/aws" }
  }
}

provider "amazon" {
  region = "us-east-1"
  default_tags {
    tags = { root = "plain" }
  }
}

provider "amazon" {
  alias  = "west"
  region = "us-west-2"
  default_tags {
    tags = { root = "west" }
  }
}

resource "aws_vpc" "implied" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_vpc" "named" {
  provider   = amazon
  cidr_block = "10.0.0.0/16"
}

resource "aws_vpc" "west" {
  provider   = amazon.west
  cidr_block = "10.0.0.0/16"
}

module "m" {
  source    = "./child"
  providers = { web = amazon, web.second = amazon.west }
}

module "i" {
  source = "./inherit"
}
"#,
    );
    env.write(
        "root/child/main.tf",
        r#"
terraform {
  required_providers {
    web = {
      source                = "hashicorp/aws"
      configuration_aliases = [web.second]
    }
  }
}

resource "aws_vpc" "a" {
  provider   = web
  cidr_block = "10.0.0.0/16"
}

resource "aws_vpc" "b" {
  provider   = web.second
  cidr_block = "10.0.0.0/16"
}

resource "aws_vpc" "c" {
  cidr_block = "10.0.0.0/16"
}
"#,
    );
    env.write("root/inherit/main.tf", "resource \"aws_vpc\" \"c\" {\n  cidr_block = \"10.0.0.0/16\"\n}\n");
    let plan = env.run(&["plan", "root", "--format", "terraform-json"]).ok().json();
    let tags: Vec<(&str, &str)> = plan["resource_changes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|c| {
            let tag = &c["change"]["after"]["tags_all"]["root"];
            (c["address"].as_str().expect("text"), tag.as_str().expect("a tag"))
        })
        .collect();
    assert_eq!(
        tags,
        [
            ("aws_vpc.implied", "plain"),
            ("aws_vpc.named", "plain"),
            ("aws_vpc.west", "west"),
            ("module.i.aws_vpc.c", "plain"),
            ("module.m.aws_vpc.a", "plain"),
            ("module.m.aws_vpc.b", "west"),
            ("module.m.aws_vpc.c", "plain"),
        ]
    );
    let configuration = &plan["configuration"];
    let keys: Vec<&String> = configuration["provider_config"].as_object().expect("by name").keys().collect();
    assert_eq!(keys, ["amazon", "amazon.west", "aws"]);
    let key = |pointer: &str| configuration.pointer(pointer).cloned().unwrap_or_default();
    assert_eq!(key("/root_module/resources/0/provider_config_key"), "aws");
    assert_eq!(key("/root_module/resources/1/provider_config_key"), "amazon");
    assert_eq!(key("/root_module/module_calls/m/module/resources/1/provider_config_key"), "amazon.west");
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
}

#[test]
fn one_provider_under_two_names_is_told() {
    let env = TestEnvironment::with_root(
        "terraform {\n  required_providers {\n    amazon = { source = \"hashicorp/aws\" }\n  }\n}\nprovider \"amazon\" {}\nprovider \"aws\" {}\n",
    );
    let ran = env.run(&["validate", "root"]).exits(1);
    assert!(ran.stderr.contains("are the same provider, configured twice"), "{}", ran.all());
}

#[test]
fn sessions_of_assumed_roles_are_asked_for_with_all_that_is_said_of_them() {
    let env = TestEnvironment::with_root(
        r#"
provider "aws" {
  region = "us-east-1"
  assume_role_with_web_identity {
    role_arn                = "arn:aws:iam::123456789012:role/first"
    session_name            = "pipeline"
    web_identity_token_file = "token"
  }
  assume_role {
    role_arn            = "arn:aws:iam::123456789012:role/second"
    session_name        = "deploy"
    source_identity     = "ci"
    tags                = { team = "web", cost = "1" }
    transitive_tag_keys = ["team"]
    duration            = "30m"
  }
}

data "aws_caller_identity" "me" {}

output "me" {
  value = data.aws_caller_identity.me.arn
}
"#,
    );
    env.write("token", "a.b.c");
    env.run(&["apply", "root", "--auto-approve"]).ok();
    assert_eq!(outputs(&env)["me"], "arn:aws:sts::123456789012:assumed-role/second/deploy");
    env.write(
        "root/main.tf",
        "provider \"aws\" {\n  assume_role_with_web_identity {\n    role_arn = \"x\"\n  }\n}\n",
    );
    let ran = env.run(&["validate", "root"]).exits(1);
    assert!(ran.stderr.contains("needs `web_identity_token_file`"), "{}", ran.all());
}

#[test]
fn which_instances_there_are_depends_on_nothing_ephemeral() {
    let env = TestEnvironment::with_root(
        r#"
variable "n" {
  ephemeral = true
  default   = 2
}
resource "terraform_data" "c" { count = var.n }
resource "terraform_data" "f" { for_each = toset([for i in range(var.n) : tostring(i)]) }
module "m" {
  source = "./m"
  count  = var.n
}
data "terraform_remote_state" "x" {
  count   = var.n
  backend = "local"
}
"#,
    );
    env.write("root/m/main.tf", "output \"x\" {\n  value = 1\n}\n");
    let ran = env.run(&["plan", "root"]).exits(1);
    assert_eq!(ran.stderr.matches("does not take ephemeral values").count(), 4, "{}", ran.all());
}

#[test]
fn values_for_deprecated_variables_warn() {
    let env = TestEnvironment::with_root(
        r#"
variable "old" {
  default    = "x"
  deprecated = "use `new`"
}
module "m" {
  source = "./m"
  name   = "n"
}
"#,
    );
    env.write(
        "root/m/main.tf",
        "variable \"name\" {\n  default    = \"\"\n  deprecated = \"it has one name for all\"\n}\n",
    );
    let ran = env.run(&["plan", "root"]).ok();
    assert!(ran.stderr.contains("variable `name` is deprecated"), "{}", ran.all());
    assert!(!ran.stderr.contains("variable `old`"), "{}", ran.all());
    let ran = env.run(&["plan", "root", "-var=old=y"]).ok();
    assert!(ran.stderr.contains("variable `old` is deprecated"), "{}", ran.all());
}

#[test]
fn commands_of_removed_blocks_run_before_the_destruction() {
    let env = TestEnvironment::with_root(
        "resource \"terraform_data\" \"each\" {\n  for_each = toset([\"a\", \"b\"])\n  input    = each.key\n}\n",
    );
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.write(
        "root/main.tf",
        r#"
removed {
  from = terraform_data.each
  lifecycle {
    destroy = true
  }
  provisioner "local-exec" {
    when    = destroy
    command = "echo bye ${each.key} ${self.output}"
  }
}
"#,
    );
    let ran = env.run(&["apply", "root", "--auto-approve"]).ok();
    for line in ["bye a a", "bye b b"] {
        assert!(ran.stderr.contains(line), "{}", ran.all());
    }
    env.write(
        "root/main.tf",
        "removed {\n  from = terraform_data.each\n  provisioner \"local-exec\" {\n    command = \"true\"\n  }\n}\n",
    );
    let ran = env.run(&["validate", "root"]).exits(1);
    assert!(ran.stderr.contains("write `when = destroy`"), "{}", ran.all());
}

#[test]
fn a_null_resource_becomes_terraform_data() {
    let env = TestEnvironment::with_root(
        "resource \"null_resource\" \"old\" {\n  triggers = { version = \"42\" }\n}\nresource \"null_resource\" \"plain\" {}\n",
    );
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.write(
        "root/main.tf",
        r#"
moved {
  from = null_resource.old
  to   = terraform_data.new
}
moved {
  from = null_resource.plain
  to   = terraform_data.plain
}
resource "terraform_data" "new" {
  triggers_replace = { version = "42" }
}
resource "terraform_data" "plain" {}
output "id" {
  value = terraform_data.new.id
}
"#,
    );
    let plan = env.run(&["plan", "root", "--format", "terraform-json"]).ok().json();
    for change in plan["resource_changes"].as_array().expect("a list") {
        assert_eq!(change["change"]["actions"], json!(["no-op"]), "{change:#}");
    }
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
    env.write("root/main.tf", "moved {\n  from = terraform_data.new\n  to   = null_resource.back\n}\n");
    let ran = env.run(&["validate", "root"]).exits(1);
    assert!(ran.stderr.contains("a resource keeps its type when it moves"), "{}", ran.all());
}

#[test]
fn small_types_are_imported_by_the_ids_that_their_providers_take() {
    let env = TestEnvironment::with_root(
        r#"
import {
  to = random_password.p
  id = "correct-horse"
}
resource "random_password" "p" {
  length = 13
}
import {
  to = time_sleep.s
  id = "30s,"
}
resource "time_sleep" "s" {
  create_duration = "30s"
}
import {
  to = time_offset.o
  id = "2020-02-12T06:36:13Z,0,0,7,0,0,0"
}
resource "time_offset" "o" {
  offset_days = 7
}
import {
  to = time_rotating.r
  id = "2999-02-12T06:36:13Z,0,0,30,0,0"
}
resource "time_rotating" "r" {
  rotation_days = 30
}
output "all" {
  value = [time_offset.o.rfc3339, time_rotating.r.rotation_rfc3339, nonsensitive(length(random_password.p.result))]
}
"#,
    );
    env.run(&["state", "keygen", "key"]).ok();
    let key = [("CUTOVER_STATE_KEY_FILE", "key")];
    let plan = env.run_with(&["plan", "root"], &key).ok();
    assert!(
        plan.stdout.contains("0 to create, 0 to change, 0 to replace, 0 to destroy, 4 to import"),
        "{}",
        plan.all()
    );
    env.run_with(&["apply", "root", "--auto-approve"], &key).ok();
    assert_eq!(outputs(&env)["all"], json!(["2020-02-19T06:36:13Z", "2999-03-14T06:36:13Z", 13]));
    env.run_with(&["plan", "root", "--detailed-exitcode"], &key).exits(0);
    let planned = plan.stdout.replace("correct-horse", "");
    // The block that the person wrote is the only place that has it.
    assert_eq!(planned, plan.stdout);
    env.write("root/main.tf", "import {\n  to = time_sleep.t\n  id = \"soon\"\n}\nresource \"time_sleep\" \"t\" {\n  create_duration = \"30s\"\n}\n");
    let ran = env.run_with(&["plan", "root"], &key).exits(1);
    assert!(ran.stderr.contains("this is no id that `time_sleep` can be imported by"), "{}", ran.all());
}

#[test]
fn the_console_reads_data_sources_that_need_no_cloud() {
    let env = TestEnvironment::with_root(
        "data \"terraform_remote_state\" \"x\" {\n  backend = \"local\"\n  config  = { path = \"${path.module}/o.tfstate\" }\n}\ndata \"terraform_remote_state\" \"gone\" {\n  backend = \"local\"\n  config  = { path = \"gone\" }\n}\nlocals {\n  x = data.terraform_remote_state.x.outputs.x\n}\n",
    );
    env.write(
        "root/o.tfstate",
        r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"x","outputs":{"x":{"value":7,"type":"number"}},"resources":[]}"#,
    );
    let mut child = env
        .command(&["console", "root"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(b"local.x + 1\ndata.terraform_remote_state.gone.outputs\n")
        .expect("taken");
    let ran = crate::environment::ran(child.wait_with_output().expect("ends")).ok();
    assert_eq!(ran.stdout, "8\n(known after apply)\n", "{}", ran.all());
}

/// Terraform refuses all three alike.
#[test]
fn only_single_resources_of_the_root_are_written_as_configuration() {
    for (to, more) in [
        ("terraform_data.x[0]", ""),
        ("terraform_data.x[each.key]", "for_each = toset([\"a\"])"),
        ("module.m.terraform_data.x", ""),
    ] {
        let env = TestEnvironment::with_root(&format!(
            "module \"m\" {{\n  source = \"./m\"\n}}\nimport {{\n  to = {to}\n  id = \"q\"\n  {more}\n}}\n"
        ));
        env.write("root/m/main.tf", "locals {}\n");
        let ran = env.run(&["plan", "root", "--generate-config-out=written.tf"]).exits(1);
        assert!(
            ran.stderr.contains("only single resources of the root module can be written"),
            "{}",
            ran.all()
        );
        assert!(!env.path().join("written.tf").exists());
    }
}

/// Modules declare `""` for what is not given: the provider's SDK takes it for null.
#[test]
fn an_empty_string_is_nothing() {
    let shared = include_str!("../../fixtures/terraform-provider/empty-strings/main.tf");
    // The provider plans these anew every time.
    let more = r#"
resource "aws_launch_template" "profile" {
  name     = "profile"
  image_id = "ami-0ec5a20000000e86d"

  iam_instance_profile {
    arn = ""
  }
}

resource "aws_lb" "logs" {
  name     = "logs"
  subnets  = [aws_subnet.a.id, aws_subnet.b.id]
  internal = true
  access_logs {
    bucket  = "logs"
    enabled = false
  }
}
"#;
    let env = TestEnvironment::with_root(&format!("{shared}{more}"));
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
    env.run(&["drift", "root", "--detailed-exitcode"]).exits(0);
    env.run(&["destroy", "root", "--auto-approve"]).ok();
}

/// A daemon's count and triggers that trigger nothing: modules declare both always.
#[test]
fn what_means_nothing_for_a_service_is_no_difference() {
    let root = |count: u32, release: &str| {
        format!(
            r#"
resource "aws_ecs_cluster" "main" {{
  name = "main"
}}

resource "aws_ecs_task_definition" "agent" {{
  family                = "agent"
  container_definitions = jsonencode([{{ name = "agent", image = "repo/agent:1", memory = 64 }}])
}}

resource "aws_ecs_service" "agent" {{
  name                 = "agent"
  cluster              = aws_ecs_cluster.main.id
  task_definition      = aws_ecs_task_definition.agent.arn
  scheduling_strategy  = "DAEMON"
  desired_count        = {count}
  force_new_deployment = false
  triggers             = {{ release = "{release}" }}
}}
"#
        )
    };
    let env = TestEnvironment::with_root(&root(1, "1"));
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.write("root/main.tf", &root(2, "2"));
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
}

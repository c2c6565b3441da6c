//! What `plan` finds before anything runs: told with its place and code, explained, and accepted with a reason.

use crate::environment::TestEnvironment;

const ROOT: &str = r##"
variable "group" {
  type    = string
  default = "/ecs/other"
}

variable "script" {
  type    = string
  default = "  #!/bin/bash\n"
}

variable "least" {
  type    = number
  default = 100
}

variable "image" {
  type    = string
  default = "web:1"
}

variable "maximum" {
  type    = number
  default = 200
}

resource "aws_cloudwatch_log_group" "a" {
  name = "/ecs/web"
}

resource "aws_cloudwatch_log_group" "b" {
  name = var.group
}

resource "aws_launch_template" "hosts" {
  name      = "hosts"
  user_data = base64encode(var.script)
}

resource "aws_ecs_cluster" "main" {
  name = "main"
}

resource "aws_ecs_task_definition" "web" {
  family                = "web"
  container_definitions = jsonencode([{ name = "web", image = var.image, memory = 128 }])
}

resource "aws_ecs_service" "web" {
  name                       = "web"
  cluster                    = aws_ecs_cluster.main.id
  task_definition            = aws_ecs_task_definition.web.arn
  deployment_maximum_percent = var.maximum

  deployment_minimum_healthy_percent = var.least
}

resource "aws_appautoscaling_target" "web" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/main/web"
  min_capacity       = 1
  max_capacity       = 4
}
"##;

fn said(env: &TestEnvironment, more: &[&str]) -> String {
    env.run(&[&["plan", "root"], more].concat()).stderr
}

#[test]
fn a_likely_mistake_is_told_where_it_stands() {
    let env = TestEnvironment::with_root(ROOT);
    let told = said(&env, &[]);
    for part in [
        "warning[CUT-010]: a deployment without a safety net: no circuit breaker and no alarms",
        "resource \"aws_ecs_service\" \"web\"",
        "warning[CUT-011]: user data that is not run: its user data does not begin with `#!`",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(!told.contains("CUT-001") && !told.contains("CUT-012"), "{told}");
    let told = said(&env, &["--var", "script=#!/bin/bash\necho\r\n"]);
    assert!(told.contains("Windows line ends"), "{told}");
    assert!(!said(&env, &["--var", "script=#!/bin/bash\necho\n"]).contains("CUT-011"));
}

#[test]
fn what_cannot_work_is_refused_and_nothing_is_made() {
    let env = TestEnvironment::with_root(ROOT);
    let ran = env.run(&["apply", "root", "--auto-approve", "--var", "group=/ecs/web"]).exits(1);
    assert!(ran.stderr.contains("error[CUT-012]: two resources that are one"), "{}", ran.all());
    assert!(ran.stderr.contains("aws_cloudwatch_log_group.a is also called /ecs/web"), "{}", ran.all());
    // A count that the autoscaler may choose counts, too.
    let ran = env.run(&["apply", "root", "--auto-approve", "--var", "maximum=100"]).exits(1);
    assert!(ran.stderr.contains("error[CUT-001]"), "{}", ran.all());
    assert!(
        ran.stderr.contains("with 100–100 % of 1 tasks none may be stopped and none started"),
        "{}",
        ran.all()
    );
    let listed = env.run(&["state", "list", "root"]).ok();
    assert_eq!(listed.stdout, "");
}

#[test]
fn a_guard_accepts_a_finding_with_a_reason() {
    let env = TestEnvironment::with_root(ROOT);
    let guard = r#"
guard "accepted" {
  accept "CUT-012" {
    reason = "the log group moves next week"
    only   = ["aws_cloudwatch_log_group.b"]
  }
}
"#;
    env.write("root/guard.hcl", guard);
    let told = said(&env, &["--var", "group=/ecs/web"]);
    assert!(told.contains("warning[CUT-012]"), "{told}");
    assert!(told.contains("accepted, because: the log group moves next week"), "{told}");
    // Of this resource only.
    env.write("root/guard.hcl", &guard.replace("group.b", "group.a"));
    assert!(said(&env, &["--var", "group=/ecs/web"]).contains("error[CUT-012]"));
}

#[test]
fn what_a_guard_asks_to_be_kept_is_kept() {
    let env = TestEnvironment::with_root(ROOT);
    env.run(&["apply", "root", "--auto-approve", "--var", "least=50"]).ok();
    env.write("root/guard.hcl", "guard \"all\" {\n  min_healthy = \"100%\"\n}\n");
    let refused = env.run(&["plan", "root", "--var", "least=50", "--var", "image=web:2"]).exits(1);
    assert!(refused.stderr.contains("error[CUT-014]"), "{}", refused.all());
    assert!(refused.stderr.contains("it keeps 50 % of its tasks, 100 % are asked for"), "{}", refused.all());
    let kept = env.run(&["plan", "root", "--var", "image=web:2"]).ok();
    assert!(!kept.all().contains("CUT-014"), "{}", kept.all());
}

const BALANCER: &str = r#"
variable "internal" {
  type    = bool
  default = false
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "each" {
  for_each          = { a = 0, b = 1 }
  vpc_id            = aws_vpc.main.id
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, each.value)
  availability_zone = "us-east-1${each.key}"
}

resource "aws_lb" "web" {
  name       = "web"
  internal   = var.internal
  subnets    = [for subnet in aws_subnet.each : subnet.id]
  depends_on = [aws_internet_gateway.main]
}
"#;

#[test]
fn what_serves_and_goes_before_its_replacement_is_told() {
    let env = TestEnvironment::with_root(BALANCER);
    let first = env.run(&["apply", "root", "--auto-approve"]).ok();
    assert!(!first.all().contains("CUT-016"), "{}", first.all());
    let told = said(&env, &["--var", "internal=true"]);
    assert!(told.contains("warning[CUT-016]: a step that may lose traffic"), "{told}");
    assert!(told.contains("it is destroyed before the new one is made"), "{told}");
    assert!(told.contains("resource \"aws_lb\" \"web\""), "{told}");
    // Another one stands beside it first.
    let beside = BALANCER.replace("  name       = \"web\"\n", "").replace(
        "  depends_on = [",
        "  lifecycle {\n    create_before_destroy = true\n  }\n  depends_on = [",
    );
    env.write("root/main.tf", &beside);
    let told = said(&env, &["--var", "internal=true"]);
    assert!(!told.contains("CUT-016"), "{told}");
}

#[test]
fn a_plan_without_changes_finds_nothing() {
    let env = TestEnvironment::with_root(ROOT);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let ran = env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
    assert!(!ran.all().contains("CUT-"), "{}", ran.all());
}

#[test]
fn every_finding_is_explained() {
    let env = TestEnvironment::new();
    let listed = env.run(&["explain"]).ok().stdout;
    assert!(listed.lines().count() >= 11, "{listed}");
    for line in listed.lines() {
        let code = line.split(' ').next().expect("a code");
        let explained = env.run(&["explain", &code.to_lowercase()]).ok().stdout;
        assert!(explained.contains(code) && explained.contains("reason = "), "{explained}");
    }
    env.run(&["explain", "CUT-999"]).exits(1);
}

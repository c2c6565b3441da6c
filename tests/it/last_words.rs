//! The last log lines of tasks that failed: after the reason why they stopped, without secrets.

use crate::environment::{Ran, TestEnvironment};
use crate::scenarios::states;

const ROOT: &str = r#"
variable "image" {
  type    = string
  default = "web:v1"
}

variable "password" {
  type      = string
  default   = "correct horse/7"
  sensitive = true
}

variable "driver" {
  type    = string
  default = "awslogs"
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "main" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.0.0/24"
}

resource "aws_cloudwatch_log_group" "web" {
  name = "/ecs/web"
}

resource "aws_ecs_cluster" "main" {
  name = "main"
}

resource "aws_ecs_task_definition" "web" {
  family                   = "web"
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  cpu                      = "256"
  memory                   = "512"

  container_definitions = jsonencode([{
    name  = "web"
    image = var.image
    environment = [
      { name = "DATABASE", value = "postgres://app:${urlencode(var.password)}@db" },
      { name = "LOGIN", value = var.password },
      { name = "API_KEY", value = "not-marked-at-all" },
    ]
    logConfiguration = var.driver == "awslogs" ? {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.web.name
        awslogs-region        = "us-east-1"
        awslogs-stream-prefix = "shop"
      }
    } : { logDriver = var.driver, options = {} }
  }])
}

resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = aws_ecs_cluster.main.id
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 1
  launch_type     = "FARGATE"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets = [aws_subnet.main.id]
  }
}
"#;

fn serving() -> TestEnvironment {
    let env = TestEnvironment::with_root(ROOT);
    apply(&env, "web:v1", &[]).ok();
    env
}

fn apply(env: &TestEnvironment, image: &str, more: &[&str]) -> Ran {
    let image = format!("image={image}");
    env.run(&[&["apply", "root", "--auto-approve", "--var", &image], more].concat())
}

fn crashes_saying(env: &TestEnvironment, image: &str, lines: &[&str]) {
    let mut args = vec!["sim", "image", "set", "root", image, "--crash", "1"];
    lines.iter().for_each(|line| args.extend(["--says", line]));
    env.run(&args).ok();
}

#[test]
fn a_task_that_crashed_tells_its_last_lines_and_no_secret() {
    let env = serving();
    let says = ["\u{1b}[31mno login at ${DATABASE}\u{1b}[0m with ${LOGIN}", "key ${API_KEY}\u{7}"];
    crashes_saying(&env, "web:v2", &says);
    let ran = apply(&env, "web:v2", &[]).exits(3);
    let lines = "task stopped: web: exit code 1; Essential container in task exited\n      | starting web:v2\n      \
                 | no login at (sensitive value) with (sensitive value)\n      \
                 | key (sensitive value)\\u{7}\n";
    states(&ran, &[lines]);
    let replay = env.run(&["rollout", "replay", "root", "--json"]).ok();
    states(&replay, &["| no login at (sensitive value) with (sensitive value)"]);
    for text in [ran.all(), replay.all()] {
        for secret in ["correct horse", "correct%20horse", "correct+horse", "not-marked-at-all", "\u{1b}[31m"]
        {
            assert!(!text.contains(secret), "{secret:?} in {text}");
        }
    }
}

#[test]
fn only_the_last_ten_lines_are_told() {
    let env = serving();
    let says: Vec<String> = (0..30).map(|number| format!("line {number}.")).collect();
    crashes_saying(&env, "web:v2", &says.iter().map(String::as_str).collect::<Vec<_>>());
    let ran = apply(&env, "web:v2", &[]).exits(3);
    states(&ran, &["      | line 20.\n", "      | line 29.\n"]);
    assert!(!ran.stderr.contains("line 19."), "{}", ran.all());
}

#[test]
fn logs_that_may_not_be_read_fail_nothing() {
    let env = serving();
    crashes_saying(&env, "web:v2", &[]);
    env.run(&[
        "sim",
        "fault",
        "add",
        "root",
        "calls",
        "access-denied",
        "--service",
        "logs",
        "--operation",
        "GetLogEvents",
    ])
    .ok();
    let ran = apply(&env, "web:v2", &[]).exits(3);
    states(
        &ran,
        &[
            "Essential container in task exited\n      (no log lines: GetLogEvents on /ecs/web is not allowed)\n",
        ],
    );
}

#[test]
fn another_log_driver_is_told() {
    let env = serving();
    crashes_saying(&env, "web:v2", &[]);
    let ran = apply(&env, "web:v2", &["--var", "driver=splunk"]).exits(3);
    states(&ran, &["Essential container in task exited\n      (no log lines: its log driver is splunk)\n"]);
}

#[test]
fn the_first_deployment_of_a_service_tells_them_too() {
    let env = TestEnvironment::with_root(ROOT);
    let ran = apply(&env, "web:crash", &[]).exits(1);
    states(&ran, &["      | ERROR: cannot start, exiting with code 1\n"]);
}

#[test]
fn a_task_that_answers_health_checks_badly_tells_them_too() {
    let root = crate::code_deploy::ROOT;
    let logs = r#"portMappings = [{ containerPort = 8080 }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = "/made/by/its/driver"
        awslogs-create-group  = "true"
        awslogs-region        = "us-east-1"
        awslogs-stream-prefix = "shop"
      }
    }"#;
    let env = TestEnvironment::with_root(&root.replace("portMappings = [{ containerPort = 8080 }]", logs));
    apply(&env, "web:v1", &[]).ok();
    let ran = apply(&env, "web:unhealthy", &[]).exits(3);
    states(
        &ran,
        &[
            "      | started, listening on port 8080\n      | ERROR: answering health checks with 503: not ready\n",
        ],
    );
}

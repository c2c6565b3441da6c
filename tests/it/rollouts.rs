//! Traffic that we move ourselves, between the target groups of two services, as a `rollout` block says it.

use crate::environment::{Ran, TestEnvironment};
use serde_json::Value as Json;

const ROOT: &str = r#"
variable "green" {
  description = "Whether the green service gets the traffic"
  type        = bool
  default     = false
}

variable "only" {
  description = "The one group that the listener names; empty: both"
  type        = string
  default     = ""
}

variable "waited" {
  type    = string
  default = ""
}

variable "green_image" {
  type    = string
  default = "repo/web:v2"
}

locals {
  colours = { blue = "repo/web:v1", green = var.green_image }
}

resource "time_sleep" "wait" {
  create_duration = "3m"
  triggers        = { waited = var.waited }
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "main" {
  for_each          = { a = 0, b = 1 }
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.${each.value}.0/24"
  availability_zone = "us-east-1${each.key}"
}

resource "aws_lb" "web" {
  name       = "web"
  subnets    = [for subnet in aws_subnet.main : subnet.id]
  depends_on = [aws_internet_gateway.main]
}

resource "aws_lb_target_group" "web" {
  for_each             = local.colours
  name                 = "web-${each.key}"
  port                 = 8080
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = aws_vpc.main.id
  deregistration_delay = 30

  health_check {
    interval          = 10
    healthy_threshold = 2
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80

  default_action {
    type             = "forward"
    target_group_arn = var.only == "" ? null : aws_lb_target_group.web[var.only].arn

    dynamic "forward" {
      for_each = var.only == "" ? [1] : []

      content {
        target_group {
          arn    = aws_lb_target_group.web["blue"].arn
          weight = var.green ? 0 : 1
        }

        target_group {
          arn    = aws_lb_target_group.web["green"].arn
          weight = var.green ? 1 : 0
        }
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "web-errors"
  namespace           = "Web"
  metric_name         = "Errors"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
}

resource "aws_ecs_cluster" "main" {
  name = "main"
}

resource "aws_ecs_task_definition" "web" {
  for_each                 = local.colours
  family                   = "web-${each.key}"
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  cpu                      = "256"
  memory                   = "512"

  container_definitions = jsonencode([{
    name         = "web"
    image        = each.value
    portMappings = [{ containerPort = 8080 }]
  }])
}

resource "aws_ecs_service" "web" {
  for_each                          = local.colours
  name                              = "web-${each.key}"
  cluster                           = aws_ecs_cluster.main.id
  task_definition                   = aws_ecs_task_definition.web[each.key].arn
  desired_count                     = 2
  launch_type                       = "FARGATE"
  health_check_grace_period_seconds = 30

  network_configuration {
    subnets = [for subnet in aws_subnet.main : subnet.id]
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.web[each.key].arn
    container_name   = "web"
    container_port   = 8080
  }

  depends_on = [aws_lb_listener.http]
}
"#;

const STEPS: &str = r#"
probe "site" {
  url      = "http://${aws_lb.web.dns_name}/health"
  interval = "5s"
  expect   = { status = "200-299", body = "ok" }
}

rollout "web" {
  target   = aws_lb_listener.http
  strategy = "canary"

  step {
    weight = 10
    hold   = "5m"
  }

  step {
    weight = 50
    hold   = "10m"
  }

  gate "errors" {
    alarms = [aws_cloudwatch_metric_alarm.errors.alarm_name]
  }

  gate "site" {
    probe   = probe.site
    success = "99%"
  }

  deadline = "45m"
}
"#;

struct Web(TestEnvironment);

impl Web {
    /// Blue serves, green runs beside it.
    fn with(blocks: &str) -> Self {
        Self::after(&[], blocks)
    }

    /// The same, in a world to which this was done before.
    fn after(command: &[&str], blocks: &str) -> Self {
        let web = Web(TestEnvironment::with_root(ROOT));
        web.0.write("root/rollout.hcl", blocks);
        if !command.is_empty() {
            web.0.run(command).ok();
        }
        web.0.run(&["apply", "root", "--auto-approve"]).ok();
        web
    }

    /// Lets three minutes pass in the world.
    fn wait(&self) {
        self.0
            .run(&["apply", "root", "--auto-approve", "--target", "time_sleep.wait", "--var", "waited=yes"])
            .ok();
    }

    fn apply(&self, more: &[&str]) -> Ran {
        let mut args = vec!["apply", "root", "--auto-approve", "--var", "green=true", "--var", "waited=yes"];
        args.extend(more);
        self.0.run(&args)
    }

    /// Weights of blue and green on the listener.
    fn weights(&self) -> (i64, i64) {
        let world: Json = serde_json::from_str(&self.0.read("root/.cutover/world.json")).expect("JSON");
        let listeners = world["elbv2"]["listeners"].as_object().expect("listeners");
        let actions = listeners.values().next().expect("one")["actions"].clone();
        let groups = actions[0]["ForwardConfig"]["TargetGroups"].as_array().expect("groups").clone();
        let of = |colour: &str| {
            let named = |g: &&Json| g["TargetGroupArn"].as_str().is_some_and(|arn| arn.contains(colour));
            groups.iter().find(named).map_or(0, |g| g["Weight"].as_i64().expect("a number"))
        };
        (of("web-blue"), of("web-green"))
    }

    fn nothing_left(&self) {
        self.0
            .run(&["plan", "root", "--detailed-exitcode", "--var", "green=true", "--var", "waited=yes"])
            .exits(0);
    }
}

#[test]
fn traffic_moves_in_steps_and_loses_nothing() {
    let web = Web::with(STEPS);
    let plan = web.0.run(&["plan", "root", "--var", "green=true"]).ok();
    for line in [
        "1. look whether web-green can take traffic",
        "2. move 10 % of the traffic to web-green",
        "held for 5m, gate errors is open, gate site is open",
        "3. move 50 % of the traffic to web-green",
        "4. move 100 % of the traffic to web-green",
        "way back: all weights as they were, read back",
    ] {
        assert!(plan.stdout.contains(line), "{line}\n{}", plan.all());
    }
    let ran = web.apply(&[]).ok();
    // 15 minutes of holding, a probe every 5 seconds.
    let told = ran.stderr.lines().find(|l| l.starts_with("probe site: ")).expect("told").to_owned();
    let sent: u32 = told.split(' ').nth(4).and_then(|n| n.parse().ok()).expect("a number");
    assert!(sent > 170 && told.contains("(100.0 %)"), "{told}");
    assert_eq!(web.weights(), (0, 1));
    web.nothing_left();
}

#[test]
fn a_red_probe_takes_all_traffic_back() {
    let web = Web::after(&["sim", "image", "set", "root", "repo/web:v2", "--errors", "1"], STEPS);
    let ran = web.apply(&[]).exits(3);
    assert!(ran.stderr.contains("gate site: probe site had"), "{}", ran.all());
    assert!(ran.stderr.contains("all traffic is where it was before"), "{}", ran.all());
    assert!(ran.stderr.contains("Rolled back:"), "{}", ran.all());
    let (blue, green) = web.weights();
    assert!(blue > 0 && green == 0, "{blue} {green}");
    web.0.run(&["plan", "root", "--detailed-exitcode", "--var", "waited=yes"]).exits(0);
    // Why: every look and every decision.
    let replay = web.0.run(&["rollout", "replay", "root"]).ok();
    assert!(replay.stdout.contains("gates are open"), "{}", replay.all());
    assert!(replay.stdout.contains("so:   go back: gate site"), "{}", replay.all());
}

#[test]
fn a_red_alarm_takes_all_traffic_back() {
    let web = Web::with(STEPS);
    let firing = r#"{"AlarmName": "web-errors", "StateValue": "ALARM", "StateReason": "by hand"}"#;
    let add = ["sim", "fault", "add", "root", "edit", "monitoring", "SetAlarmState", firing, "--after", "4m"];
    web.0.run(&add).ok();
    let ran = web.apply(&[]).exits(3);
    assert!(ran.stderr.contains("gate errors: alarm web-errors is in ALARM"), "{}", ran.all());
    assert_eq!(web.weights().1, 0);
}

#[test]
fn a_group_without_healthy_targets_gets_no_traffic() {
    let web = Web::with(STEPS);
    web.0.run(&["sim", "fault", "add", "root", "unhealthy-targets", "web-green"]).ok();
    web.wait();
    let ran = web.apply(&[]).exits(1);
    assert!(
        ran.stderr.contains("target group web-green has no healthy target after 10 min"),
        "{}",
        ran.all()
    );
    assert_eq!(web.weights(), (1, 0));
}

#[test]
fn without_a_block_the_new_group_is_proven_healthy_first() {
    let web = Web::with("");
    web.0.run(&["sim", "fault", "add", "root", "unhealthy-targets", "web-green", "--for", "6m"]).ok();
    web.wait();
    let ran = web.apply(&[]).ok();
    assert!(ran.stderr.contains("target group web-green has no healthy target"), "{}", ran.all());
    assert_eq!(web.weights(), (0, 1));
    web.nothing_left();
}

#[test]
fn a_group_that_was_on_no_listener_stands_there_without_traffic_first() {
    let web = Web::with("");
    web.0.run(&["apply", "root", "--auto-approve", "--var", "only=blue"]).ok();
    let ran = web.0.run(&["apply", "root", "--auto-approve", "--var", "only=green"]).ok();
    // Its targets were checked by nobody before.
    assert!(ran.stderr.contains("target group web-green has no healthy target"), "{}", ran.all());
    assert_eq!(web.weights(), (0, 1));
    web.0.run(&["plan", "root", "--detailed-exitcode", "--var", "only=green"]).exits(0);
}

fn asks_a_person() -> String {
    STEPS.replace("hold   = \"10m\"", "hold   = \"10m\"\n    approve = true")
}

#[test]
fn a_person_agrees_and_the_rollout_goes_on() {
    let web = Web::with(&asks_a_person());
    let ran = web.apply(&[]).exits(4);
    assert!(
        ran.stderr.contains("Paused:") && ran.stderr.contains("cutover rollout continue"),
        "{}",
        ran.all()
    );
    assert_eq!(web.weights(), (450, 450));
    let status = web.0.run(&["rollout", "status", "root"]).ok();
    assert!(status.stdout.contains("aws_lb_listener.http: wait for a person at 50 %"), "{}", status.all());
    // Another apply waits as well, and moves nothing.
    web.apply(&[]).exits(4);
    assert_eq!(web.weights(), (450, 450));
    web.0.run(&["rollout", "continue", "root", "--var", "green=true"]).ok();
    assert_eq!(web.weights(), (0, 1));
    let status = web.0.run(&["rollout", "status", "root"]).ok();
    assert_eq!(status.stdout, "No rollout stands still.\n");
    web.nothing_left();
}

#[test]
fn a_person_takes_the_rollout_back() {
    let web = Web::with(&asks_a_person());
    web.apply(&[]).exits(4);
    web.0.run(&["rollout", "rollback", "root", "--var", "green=true"]).ok();
    assert_eq!(web.weights(), (1, 0));
    web.0.run(&["plan", "root", "--detailed-exitcode", "--var", "waited=yes"]).exits(0);
    web.0.run(&["rollout", "continue", "root", "--var", "green=true"]).exits(1);
}

#[test]
fn a_person_leaves_the_rollout_where_it_is() {
    let web = Web::with(&asks_a_person());
    web.apply(&[]).exits(4);
    web.0.run(&["rollout", "abort", "root"]).ok();
    assert_eq!(web.weights(), (450, 450));
    // The next plan says what remains.
    web.0.run(&["plan", "root", "--detailed-exitcode", "--var", "green=true"]).exits(2);
}

#[test]
fn a_freeze_keeps_everything_as_it_is() {
    // The world's time begins on Thursday, 1 January 2026.
    let frozen = "guard \"weekend\" {\n  freeze = [\"Wed 20:00-Fri 08:00 Europe/Berlin\"]\n}\n";
    let web = Web(TestEnvironment::with_root(ROOT));
    web.0.write("root/guard.hcl", frozen);
    let ran = web.0.run(&["apply", "root", "--auto-approve"]).exits(1);
    assert!(ran.stderr.contains("guard `weekend` freezes this environment"), "{}", ran.all());
    assert!(ran.stderr.contains("it ends at 2026-01-02T07:00:00Z"), "{}", ran.all());
    let ran = web.0.run(&["apply", "root", "--auto-approve", "--despite-freeze", "incident 4711"]).ok();
    assert!(ran.stderr.contains("because: incident 4711"), "{}", ran.all());
}

#[test]
fn mistakes_in_the_blocks_are_told_with_their_places() {
    let wrong = r#"
probe "site" {
  url = "ftp://x"
}

rollout "web" {
  target   = aws_lb_listener.htpp
  strategy = "slowly"

  gate "site" {
    probe = probe.sit
  }
}

rollout "service" {
  target   = aws_ecs_service.web
  strategy = "canary"

  step {
    weight = 10
  }
}

rollout "vpc" {
  target = aws_vpc.main

  gate "none" {}
}

guard "g" {
  freeze = ["sometimes"]
}
"#;
    let web = Web(TestEnvironment::with_root(ROOT));
    web.0.write("root/rollout.hcl", wrong);
    let told = web.0.run(&["validate", "root"]).exits(1);
    for part in [
        "must begin with http:// or https://",
        "there is no resource `aws_lb_listener.htpp`",
        "did you mean `probe.site`?",
        "a gate needs `alarms` or a `probe`",
        "advanced_configuration",
        "aws_vpc has no rollout",
        "`sometimes` is no time in which to freeze",
        "rollout.hcl:7",
    ] {
        assert!(told.stderr.contains(part) || told.stdout.contains(part), "{part}\n{}", told.all());
    }
    // Terraform must be able to read the `.tf` files.
    web.0.write("root/rollout.hcl", "");
    web.0.write("root/rollout.tf", STEPS);
    let told = web.0.run(&["validate", "root"]).exits(1);
    assert!(told.all().contains("Cutover's own blocks stand in `.hcl` files"), "{}", told.all());
}

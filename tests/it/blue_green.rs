//! Services that ECS itself deploys blue/green or as a canary: followed to their end, and left alone after.

use crate::environment::{Ran, TestEnvironment};
use crate::scenarios::states;
use serde_json::Value as Json;

pub const ROOT: &str = r#"
variable "image" {
  type    = string
  default = "repo/web:v1"
}

variable "pause" {
  type    = bool
  default = false
}

variable "strategy" {
  type    = string
  default = "BLUE_GREEN"
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
  for_each             = toset(["blue", "green"])
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
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "production" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 20

  action {
    type = "forward"

    forward {
      target_group {
        arn    = aws_lb_target_group.web["blue"].arn
        weight = 1
      }

      target_group {
        arn    = aws_lb_target_group.web["green"].arn
        weight = 0
      }
    }
  }

  condition {
    path_pattern {
      values = ["/*"]
    }
  }
}

resource "aws_iam_role" "shift" {
  name = "shift"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "shift" {
  role       = aws_iam_role.shift.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"
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
    name         = "web"
    image        = var.image
    portMappings = [{ containerPort = 8080 }]
  }])
}

resource "aws_ecs_service" "web" {
  name                              = "web"
  cluster                           = aws_ecs_cluster.main.id
  task_definition                   = aws_ecs_task_definition.web.arn
  desired_count                     = 2
  launch_type                       = "FARGATE"
  health_check_grace_period_seconds = 30

  network_configuration {
    subnets = [for subnet in aws_subnet.main : subnet.id]
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  deployment_configuration {
    strategy             = var.strategy
    bake_time_in_minutes = 2

    dynamic "lifecycle_hook" {
      for_each = var.pause ? [1] : []

      content {
        target_type      = "PAUSE"
        lifecycle_stages = ["POST_SCALE_UP"]

        timeout_configuration {
          timeout_in_minutes = 90
          action             = "CONTINUE"
        }
      }
    }

    dynamic "canary_configuration" {
      for_each = var.strategy == "CANARY" ? [1] : []

      content {
        canary_percent              = 10
        canary_bake_time_in_minutes = 3
      }
    }
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.web["blue"].arn
    container_name   = "web"
    container_port   = 8080

    advanced_configuration {
      alternate_target_group_arn = aws_lb_target_group.web["green"].arn
      production_listener_rule   = aws_lb_listener_rule.production.arn
      role_arn                   = aws_iam_role.shift.arn
    }
  }

  depends_on = [aws_iam_role_policy_attachment.shift]
}
"#;

struct Web {
    env: TestEnvironment,
    strategy: &'static str,
}

impl Web {
    fn serving(strategy: &'static str) -> Self {
        let web = Web { env: TestEnvironment::with_root(ROOT), strategy };
        web.run("apply", "v1", &["--auto-approve"]).ok();
        assert_eq!(web.weights(), (100, 0));
        web.is_settled("v1");
        web
    }

    fn run(&self, verb: &str, version: &str, more: &[&str]) -> Ran {
        let (image, strategy) = (format!("image=repo/web:{version}"), format!("strategy={}", self.strategy));
        self.env.run(&[&[verb, "root", "--var", &image, "--var", &strategy], more].concat())
    }

    /// Nothing to change and no drift, wherever ECS left the weights.
    fn is_settled(&self, version: &str) {
        let plan = self.run("plan", version, &["--detailed-exitcode"]);
        assert_eq!(plan.code, 0, "{}", plan.all());
        let drift = self.env.run(&["drift", "root", "--detailed-exitcode"]);
        assert_eq!(drift.code, 0, "{}", drift.all());
    }

    fn world(&self) -> Json {
        serde_json::from_str(&self.env.read("root/.cutover/world.json")).expect("JSON")
    }

    /// Of the production rule: blue, green.
    fn weights(&self) -> (i64, i64) {
        let world = self.world();
        let rules = world["elbv2"]["rules"].as_object().expect("rules").values();
        let rule = rules.into_iter().find(|one| one["priority"] == 20).expect("the production rule");
        let groups = rule["actions"][0]["ForwardConfig"]["TargetGroups"].as_array().expect("groups").iter();
        let of = |name: &str| {
            let ours = groups.clone().find(|one| one["TargetGroupArn"].to_string().contains(name));
            ours.and_then(|one| one["Weight"].as_i64()).expect("a weight")
        };
        (of("web-blue"), of("web-green"))
    }
}

#[test]
fn a_new_image_goes_blue_green_and_the_next_plan_leaves_the_weights_alone() {
    let web = Web::serving("BLUE_GREEN");
    let ran = web.run("apply", "v2", &["--auto-approve"]).ok();
    states(&ran, &["blue/green", "scale up", "bake time", "100 % of the traffic", "1 created, 1 changed"]);
    assert_eq!(web.weights(), (0, 100));
    web.is_settled("v2");
    // The other way round, as far from the declared weights as it gets and back.
    web.run("apply", "v3", &["--auto-approve"]).ok();
    assert_eq!(web.weights(), (100, 0));
    web.is_settled("v3");
}

#[test]
fn a_bad_image_fails_the_apply_with_the_reason_and_traffic_stays_where_it_was() {
    for version in ["crash", "unhealthy"] {
        let web = Web::serving("BLUE_GREEN");
        let ran = web.run("apply", version, &["--auto-approve"]).exits(3);
        states(&ran, &["RolledBack", "rolled it back", "circuit breaker threshold was exceeded"]);
        assert_eq!(web.weights(), (100, 0));
        web.run("apply", "v1", &["--auto-approve"]).ok();
        web.is_settled("v1");
    }
}

#[test]
fn a_pause_waits_for_a_person_who_agrees_later() {
    let web = Web::serving("BLUE_GREEN");
    let paused = ["--var", "pause=true"];
    let ran = web.run("apply", "v2", &[&["--auto-approve"], &paused[..]].concat()).exits(4);
    states(&ran, &["paused at post scale up, it waits for a person until", "cutover rollout continue"]);
    assert_eq!(web.weights(), (100, 0));
    let status = web.env.run(&["rollout", "status", "root"]).ok();
    states(&status, &["aws_ecs_service.web: follow that deployment to its end"]);
    // Another apply waits as well.
    web.run("apply", "v2", &[&["--auto-approve"], &paused[..]].concat()).exits(4);
    let mut go_on =
        vec!["rollout", "continue", "root", "--var", "image=repo/web:v2", "--var", "strategy=BLUE_GREEN"];
    go_on.extend(paused);
    web.env.run(&go_on).ok();
    assert_eq!(web.weights(), (0, 100));
    let plan = web.run("plan", "v2", &[&["--detailed-exitcode"], &paused[..]].concat());
    assert_eq!(plan.code, 0, "{}", plan.all());
    // Taken away again: no deployment is needed for that.
    let ran = web.run("apply", "v2", &["--auto-approve"]).ok();
    assert!(!ran.all().contains("step 1 of"), "{}", ran.all());
    web.is_settled("v2");
}

#[test]
fn a_canary_gets_a_little_traffic_first() {
    let web = Web::serving("CANARY");
    let ran = web.run("apply", "v2", &["--auto-approve"]).ok();
    states(&ran, &["canary", "10 % of the traffic", "100 % of the traffic"]);
    assert_eq!(web.weights(), (0, 100));
    web.is_settled("v2");
    let failed = web.run("apply", "crash", &["--auto-approve"]).exits(3);
    states(&failed, &["RolledBack", "rolled it back"]);
    assert_eq!(web.weights(), (0, 100));
    web.env.run(&["destroy", "root", "--auto-approve"]).ok();
}

//! Services that CodeDeploy deploys, as existing stacks have them: deployments created, followed and taken back.

use crate::environment::{Ran, TestEnvironment};
use crate::scenarios::{changes, states};
use serde_json::Value as Json;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

pub const ROOT: &str = r#"
variable "image" {
  type    = string
  default = "repo/web:v1"
}

variable "alarms" {
  type    = list(string)
  default = []
}

# Minutes that traffic waits for a person.
variable "waits" {
  type    = number
  default = 0
}

variable "group" {
  type    = string
  default = "web"
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
    type             = "forward"
    target_group_arn = aws_lb_target_group.web["blue"].arn
  }
  # listener lifecycle
}

resource "aws_lb_listener_rule" "api" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 20

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web["blue"].arn
  }

  condition {
    path_pattern {
      values = ["/api/*"]
    }
  }
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

  deployment_controller {
    type = "CODE_DEPLOY"
  }

  network_configuration {
    subnets = [for subnet in aws_subnet.main : subnet.id]
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.web["blue"].arn
    container_name   = "web"
    container_port   = 8080
  }

  depends_on = [aws_lb_listener.http]
  # service lifecycle
}

resource "aws_iam_role" "deploy" {
  name = "deploy"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "codedeploy.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_codedeploy_app" "web" {
  name             = "shop"
  compute_platform = "ECS"
}

resource "aws_codedeploy_deployment_group" "web" {
  app_name               = aws_codedeploy_app.web.name
  deployment_group_name  = var.group
  deployment_config_name = "CodeDeployDefault.ECSAllAtOnce"
  service_role_arn       = aws_iam_role.deploy.arn

  dynamic "alarm_configuration" {
    for_each = length(var.alarms) > 0 ? [1] : []

    content {
      enabled = true
      alarms  = var.alarms
    }
  }

  blue_green_deployment_config {
    deployment_ready_option {
      action_on_timeout    = var.waits > 0 ? "STOP_DEPLOYMENT" : "CONTINUE_DEPLOYMENT"
      wait_time_in_minutes = var.waits > 0 ? var.waits : null
    }

    terminate_blue_instances_on_deployment_success {
      action                           = "TERMINATE"
      termination_wait_time_in_minutes = 1
    }
  }

  deployment_style {
    deployment_option = "WITH_TRAFFIC_CONTROL"
    deployment_type   = "BLUE_GREEN"
  }

  ecs_service {
    cluster_name = aws_ecs_cluster.main.name
    service_name = aws_ecs_service.web.name
  }

  load_balancer_info {
    target_group_pair_info {
      prod_traffic_route {
        listener_arns = [aws_lb_listener.http.arn]
      }

      target_group {
        name = aws_lb_target_group.web["blue"].name
      }

      target_group {
        name = aws_lb_target_group.web["green"].name
      }
    }
  }
}
"#;

struct Web {
    env: TestEnvironment,
    settings: &'static str,
}

impl Web {
    fn serving(root: &str, settings: &'static str) -> Self {
        let web = Web { env: TestEnvironment::with_root(root), settings };
        web.run("apply", "v1", "--auto-approve").ok();
        web
    }

    fn run(&self, verb: &str, version: &str, more: &str) -> Ran {
        let image = format!("image=repo/web:{version}");
        let words = format!("{verb} root --var {image} {} {more}", self.settings);
        self.env.run(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// Kills an apply without any warning when it says this.
    fn kill_at(&self, version: &str, said: &str) {
        let image = format!("image=repo/web:{version}");
        let mut command = self.env.command(&["apply", "root", "--var", &image, "--auto-approve"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped"));
        let mut heard = String::new();
        while !heard.contains(said) {
            assert!(lines.read_line(&mut heard).expect("readable") > 0, "it never says {said:?}: {heard}");
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
    }

    fn is_settled(&self, version: &str) {
        let plan = self.run("plan", version, "--detailed-exitcode");
        assert_eq!(plan.code, 0, "{}", plan.all());
        let drift = self.env.run(&["drift", "root", "--detailed-exitcode"]);
        assert_eq!(drift.code, 0, "{}", drift.all());
    }

    fn world(&self) -> Json {
        serde_json::from_str(&self.env.read("root/.cutover/world.json")).expect("JSON")
    }

    /// Images of the tasks that run, each once.
    fn serves(&self) -> Vec<String> {
        let world = self.world();
        let tasks = world["ecs"]["tasks"].as_object().expect("tasks").values();
        let running = tasks.filter(|task| task["status"] == "Running");
        let mut images: Vec<String> =
            running.filter_map(|t| Some(t["containers"][0]["image"].as_str()?.to_owned())).collect();
        images.sort();
        images.dedup();
        images
    }

    /// Statuses of all deployments, in the order of their creation.
    fn deployments(&self) -> Vec<String> {
        let world = self.world();
        let mut all: Vec<&Json> =
            world["codedeploy"]["deployments"].as_object().expect("deployments").values().collect();
        all.sort_by_key(|one| one["created"].as_i64());
        all.iter().map(|one| one["status"].as_str().expect("text").to_owned()).collect()
    }
}

#[test]
fn a_new_image_is_deployed_by_codedeploy_and_the_next_plan_is_empty() {
    let web = Web::serving(ROOT, "");
    web.is_settled("v1");
    let plan = web.run("plan", "v2", "").ok();
    states(&plan, &["deploy service web by CodeDeploy, group shop/web (web:1 → the new revision)"]);
    states(
        &plan,
        &["follow that deployment to its end (all traffic at once; the original tasks stay 1 min)"],
    );
    let ran = web.run("apply", "v2", "--auto-approve").ok();
    states(&ran, &["install", "old 0 % new 100 %", "step 2 of 2 done", "1 created, 1 changed"]);
    let replay = web.env.run(&["rollout", "replay", "root"]).ok();
    states(&replay, &["\"traffic\":\"old 100 % new 0 %\"", "wait: install, 2 of 2 new tasks running"]);
    assert_eq!(web.deployments(), ["Succeeded"]);
    assert_eq!(web.serves(), ["repo/web:v2"]);
    // Target groups are swapped, which is CodeDeploy's to do.
    web.is_settled("v2");
    web.run("apply", "v3", "--auto-approve").ok();
    assert_eq!(web.serves(), ["repo/web:v3"]);
    web.is_settled("v3");
    web.env.run(&["destroy", "root", "--auto-approve"]).ok();
}

/// As Terraform's documentation has it: who deploys is somebody else, and what CodeDeploy moves is ignored.
#[test]
fn what_terraform_users_ignore_stays_ignored() {
    let ignored = ROOT
        .replace(
            "# service lifecycle",
            "lifecycle {\n    ignore_changes = [task_definition, load_balancer]\n  }",
        )
        .replace("# listener lifecycle", "lifecycle {\n    ignore_changes = [default_action]\n  }");
    let web = Web::serving(&ignored, "");
    web.run("apply", "v1", "--auto-approve").ok();
    let spec = r#"{"applicationName":"shop","deploymentGroupName":"web","revision":{"revisionType":"AppSpecContent","appSpecContent":{"content":"{\"Resources\":[{\"S\":{\"Type\":\"AWS::ECS::Service\",\"Properties\":{\"TaskDefinition\":\"web:1\",\"LoadBalancerInfo\":{\"ContainerName\":\"web\",\"ContainerPort\":8080}}}}]}"}}}"#;
    web.env.run(&["sim", "fault", "add", "root", "edit", "codedeploy", "CreateDeployment", spec]).ok();
    web.env.run(&["sim", "wait", "root", "20m"]).ok();
    assert_eq!(web.deployments(), ["Succeeded"]);
    web.is_settled("v1");
    // A new revision is only registered: their pipeline deploys it.
    let plan = web.run("plan", "v2", "--format json").ok().json();
    let changed: Vec<String> = changes(&plan).into_iter().map(|(address, _)| address).collect();
    assert_eq!(changed, ["aws_ecs_task_definition.web"]);
}

#[test]
fn a_count_changes_without_a_deployment() {
    let web = Web::serving(ROOT, "");
    let root = web.env.read("root/main.tf");
    web.env
        .write("root/main.tf", &root.replace("desired_count                     = 2", "desired_count = 3"));
    let ran = web.run("apply", "v1", "--auto-approve").ok();
    assert!(!ran.all().contains("step 1 of"), "{}", ran.all());
    assert_eq!(web.deployments(), [""; 0]);
    web.is_settled("v1");
    // Together with a new image each goes its own way.
    web.env
        .write("root/main.tf", &root.replace("desired_count                     = 2", "desired_count = 4"));
    let ran = web.run("apply", "v2", "--auto-approve").ok();
    states(&ran, &["4 of 4 new tasks running"]);
    assert_eq!(web.deployments(), ["Succeeded"]);
    web.is_settled("v2");
}

#[test]
fn a_killed_run_finds_its_deployment_under_way() {
    let web = Web::serving(ROOT, "");
    web.kill_at("v2", "2 of 2 new tasks running");
    let ran = web.run("apply", "v2", "--auto-approve").ok();
    states(&ran, &["follow that deployment to its end", "old 0 % new 100 %"]);
    assert_eq!(
        (web.deployments(), web.serves()),
        (vec!["Succeeded".to_owned()], vec!["repo/web:v2".to_owned()])
    );
    web.is_settled("v2");
}

#[test]
fn a_rollout_that_shall_hold_is_left_to_codedeploy() {
    let web = Web::serving(ROOT, "");
    let rollout = "rollout \"web\" {\n  target = aws_ecs_service.web\n\n  gate \"errors\" {\n    alarms = \
                   [\"web-errors\"]\n  }\n\n  on_failure = \"hold\"\n}\n";
    web.env.write("root/rollout.hcl", rollout);
    let alarm = r#"{"AlarmName":"web-errors","Namespace":"Web","MetricName":"Errors","Statistic":"Sum","Period":60,"EvaluationPeriods":1,"Threshold":1,"ComparisonOperator":"GreaterThanOrEqualToThreshold","TreatMissingData":"notBreaching"}"#;
    web.env.run(&["sim", "fault", "add", "root", "edit", "monitoring", "PutMetricAlarm", alarm]).ok();
    let red = r#"{"AlarmName":"web-errors","StateValue":"ALARM","StateReason":"errors"}"#;
    web.env
        .run(&["sim", "fault", "add", "root", "edit", "monitoring", "SetAlarmState", red, "--after", "20s"])
        .ok();
    let ran = web.run("apply", "v2", "--auto-approve").exits(1);
    states(&ran, &["gate errors: alarm web-errors is in ALARM", "nobody follows it"]);
    assert_eq!(web.deployments(), ["InProgress"]);
    web.env.run(&["sim", "wait", "root", "20m"]).ok();
    assert_eq!(web.deployments(), ["Succeeded"]);
    assert_eq!(web.serves(), ["repo/web:v2"]);
}

#[test]
fn traffic_waits_for_a_person_who_agrees_later() {
    let web = Web::serving(ROOT, "--var waits=600");
    let ran = web.run("apply", "v2", "--auto-approve").exits(4);
    states(&ran, &["is ready, its traffic waits for a person, at most 600 min", "cutover rollout continue"]);
    assert_eq!(web.deployments(), ["Ready"]);
    let status = web.env.run(&["rollout", "status", "root"]).ok();
    states(&status, &["aws_ecs_service.web: follow that deployment to its end"]);
    // Another apply finds the same deployment, and waits as well.
    web.run("apply", "v2", "--auto-approve").exits(4);
    web.run("rollout continue", "v2", "").ok();
    assert_eq!(
        (web.deployments(), web.serves()),
        (vec!["Succeeded".to_owned()], vec!["repo/web:v2".to_owned()])
    );
    web.is_settled("v2");
}

#[test]
fn what_waits_for_a_person_can_be_taken_back() {
    let web = Web::serving(ROOT, "--var waits=600");
    web.run("apply", "v2", "--auto-approve").exits(4);
    let ran = web.run("rollout rollback", "v2", "").ok();
    states(&ran, &["is where it was before the rollout"]);
    assert_eq!(web.deployments(), ["Stopped", "Succeeded"]);
    assert_eq!(web.serves(), ["repo/web:v1"]);
    // What remains is said, and done when asked for again.
    let plan = web.run("plan", "v2", "--format json").ok().json();
    let remains: Vec<String> = changes(&plan).into_iter().map(|(address, _)| address).collect();
    assert_eq!(remains, ["aws_ecs_service.web", "aws_ecs_task_definition.web"]);
    web.run("apply", "v2", "--auto-approve").exits(4);
    web.run("rollout continue", "v2", "").ok();
    assert_eq!(web.serves(), ["repo/web:v2"]);
    web.is_settled("v2");
}

#[test]
fn without_a_deployment_group_it_is_said_what_to_declare() {
    let web = Web::serving(ROOT, "");
    let root = web.env.read("root/main.tf");
    let (bare, _) = root.split_once("resource \"aws_codedeploy_app\"").expect("there is one");
    web.env.write("root/main.tf", bare);
    web.run("apply", "v1", "--auto-approve").ok();
    let ran = web.run("apply", "v2", "--auto-approve").exits(1);
    states(
        &ran,
        &["CUT-015", "no deployment group of CodeDeploy is for it", "aws_codedeploy_deployment_group"],
    );
    assert_eq!(web.serves(), ["repo/web:v1"]);
    // One that is declared together with the change is made too late for it.
    web.env.write("root/main.tf", &root);
    let ran = web.run("apply", "v2", "--auto-approve").exits(1);
    states(&ran, &["CUT-015", "aws_codedeploy_deployment_group.web is made after it: apply that first"]);
    web.run("apply", "v1", "--auto-approve").ok();
    web.run("apply", "v2", "--auto-approve").ok();
    web.is_settled("v2");
}

#[test]
fn a_target_group_beyond_the_pair_is_told_before() {
    let web = Web::serving(ROOT, "");
    let third = web.env.read("root/main.tf").replace(r#"["blue", "green"]"#, r#"["blue", "green", "red"]"#);
    // The third group is there already: its ARN is known.
    web.env.write("root/main.tf", &third);
    web.run("apply", "v1", "--auto-approve").ok();
    let blue = "target_group_arn = aws_lb_target_group.web[\"blue\"].arn\n    container_name";
    assert!(third.contains(blue));
    web.env.write("root/main.tf", &third.replace(blue, &blue.replace("blue", "red")));
    let ran = web.run("plan", "v1", "").exits(1);
    states(&ran, &["CUT-015", "its target group web-red is not in the pair", "web-blue and web-green"]);
}

#[test]
fn a_service_that_must_be_new_is_not_taken_from_under_its_traffic() {
    let web = Web::serving(ROOT, "");
    let root = web.env.read("root/main.tf");
    let renamed = root.replace("  name                              = \"web\"", "  name = \"shop\"");
    assert_ne!(root, renamed);
    web.env.write("root/main.tf", &renamed);
    let ran = web.run("apply", "v1", "--auto-approve").exits(1);
    states(&ran, &["error[CUT-015]", "it must be made anew (name)", "declare a second service"]);
    assert_eq!(web.serves(), ["repo/web:v1"]);
    // The same service, with what CodeDeploy can deploy.
    web.env.write("root/main.tf", &root);
    web.run("apply", "v2", "--auto-approve").ok();
    web.is_settled("v2");
}

#[test]
fn a_group_changes_in_place_and_is_imported_by_application_and_name() {
    let web = Web::serving(ROOT, "");
    let old = Web { env: web.env, settings: "--var group=all --var alarms=[\"web-errors\"]" };
    let ran = old.run("apply", "v1", "--auto-approve").ok();
    states(&ran, &["0 created, 1 changed, 0 destroyed"]);
    old.is_settled("v1");
    let without = Web { env: old.env, settings: "--var group=all" };
    without.run("apply", "v1", "--auto-approve").ok();
    without.is_settled("v1");
    for (address, id) in
        [("aws_codedeploy_deployment_group.web", "shop:all"), ("aws_codedeploy_app.web", "shop")]
    {
        without.env.run(&["state", "rm", "root", address]).ok();
        without.env.run(&["import", "root", address, id, "--var", "group=all"]).ok();
    }
    without.is_settled("v1");
}

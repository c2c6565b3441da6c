//! What users of other engines suffer from, a test a row where no other test shows it; and which test shows which.

use crate::environment::{TestEnvironment, repository};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Rows of the list of pains that people tell of in public issue trackers, and the tests that hold them off. A test
/// in `strategies` is one of the files in fixtures/rollouts.
const ROWS: &[(u32, &str, &[&str])] = &[
    (
        1,
        "apply says OK after ECS rolled back",
        &["ecs-rolling/bad-image", "a_rollback_by_aws_fails_with_stopped_tasks_and_telling_events"],
    ),
    (
        2,
        "blue/green weights are reset by the next apply",
        &["ecs-blue-green/succeeds", "a_canary_gets_a_little_traffic_first"],
    ),
    (
        3,
        "declared load balancers sent again start a deployment",
        &["a_pause_waits_for_a_person_who_agrees_later"],
    ),
    (
        4,
        "an instance refresh is fired and forgotten",
        &["hosts-refresh/succeeds", "hosts-refresh/killed", "anothers_refresh_is_never_cancelled"],
    ),
    (5, "a refresh rolls back to the bad version", &["hosts-refresh/bad-image"]),
    (6, "$Latest hides what runs", &["latest_does_not_hide_instances_that_were_left_behind"]),
    (
        7,
        "tasks bounce between doomed hosts, or drain for days",
        &["hosts-refresh/unhealthy-targets", "hosts_and_tasks_of_a_cluster_never_roll_at_once"],
    ),
    (8, "the engine fights the autoscaler", &["row_08_what_the_autoscaler_decides_is_not_set_back"]),
    (9, "the engine reverts what CI deployed", &["row_09_a_revision_that_ci_deployed_stays"]),
    (
        10,
        "endless new revisions of a task definition",
        &["what_aws_fills_in_is_no_difference", "order_of_containers_means_nothing"],
    ),
    (
        11,
        "a target group cannot be replaced",
        &["target-group/succeeds", "replacements_take_turns_with_two_names"],
    ),
    (12, "destroy deadlocks", &["throttled_calls"]),
    (
        13,
        "a service is replaced and its count is lost",
        &["row_13_a_service_that_must_be_new_takes_over_under_a_second_name_with_its_count"],
    ),
    (14, "priorities of rules clash", &["row_14_rules_change_places"]),
    (
        15,
        "a deployment hangs for lack of capacity",
        &["ecs-rolling/no-capacity", "tasks_go_on_free_hosts_and_on_those_that_may_still_come"],
    ),
    (16, "a security group cannot be deleted", &["row_16_who_holds_a_security_group_is_named"]),
    (
        17,
        "a crash leaves orphans",
        &["ecs-rolling/killed", "a_killed_apply_goes_on_without_making_anything_twice"],
    ),
    (18, "roles are not known everywhere at once", &["roles_that_are_not_known_everywhere_at_once"]),
    (19, "slow plans, and memory", &["row_19_a_plan_asks_by_batches_not_by_resources"]),
    (20, "reverted drift detaches what others set", &["row_20_rules_that_stand_beside_their_group_stay"]),
    (21, "what was planned is not what is applied", &["every_type_lives_and_dies"]),
    (22, "secrets in the state", &["secrets_are_in_no_file_and_no_output"]),
];

#[test]
fn every_row_names_tests_that_there_are() {
    name_tests_that_there_are(ROWS);
    let missing: Vec<u32> = (1..=22).filter(|row| !ROWS.iter().any(|(r, ..)| r == row)).collect();
    println!("counted: {} of 22 rows have a test; without: {missing:?}", ROWS.len());
}

/// Of rows with number, what they say, and their tests.
pub fn name_tests_that_there_are(rows: &[(u32, &str, &[&str])]) {
    let mut source = String::new();
    for top in ["src", "tests"] {
        let all = walkdir::WalkDir::new(repository().join(top)).into_iter().map(|e| e.expect("readable"));
        for file in all.filter(|e| e.path().extension().is_some_and(|end| end == "rs")) {
            source += &std::fs::read_to_string(file.path()).expect("text");
        }
    }
    for (row, what, tests) in rows {
        for test in *tests {
            let there = match test.contains('/') {
                true => repository().join(format!("fixtures/rollouts/{test}.hcl")).exists(),
                false => source.contains(&format!("fn {test}()")),
            };
            assert!(there, "row {row}, {what}: there is no test {test}");
        }
    }
}

pub fn edit(env: &TestEnvironment, service: &str, operation: &str, input: &Json) {
    env.run(&["sim", "fault", "add", "root", "edit", service, operation, &input.to_string()]).ok();
}

fn id_of(env: &TestEnvironment, address: &str) -> String {
    let state: Json = serde_json::from_str(&env.read("root/.cutover/state.json")).expect("JSON");
    state["resources"][address]["id"].as_str().expect("an id").to_owned()
}

pub const SERVICE: &str = r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "main" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.0.0/24"
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
  container_definitions    = jsonencode([{ name = "web", image = "repo/web:v1" }])
}

resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = aws_ecs_cluster.main.id
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 2
  launch_type     = "FARGATE"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets = [aws_subnet.main.id]
  }
LIFECYCLE
}
"#;

#[test]
fn row_08_what_the_autoscaler_decides_is_not_set_back() {
    let target = r#"
resource "aws_appautoscaling_target" "web" {
  service_namespace  = "ecs"
  resource_id        = "service/main/${aws_ecs_service.web.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = 1
  max_capacity       = 8
}
"#;
    let env = TestEnvironment::with_root(&(SERVICE.replace("LIFECYCLE", "") + target));
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let count = serde_json::json!({ "cluster": "main", "service": "web", "desiredCount": 5 });
    edit(&env, "ecs", "UpdateService", &count);
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
}

#[test]
fn row_09_a_revision_that_ci_deployed_stays() {
    let ignored = "\n  lifecycle {\n    ignore_changes = [task_definition]\n  }";
    let env = TestEnvironment::with_root(&SERVICE.replace("LIFECYCLE", ignored));
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let revision = serde_json::json!({
        "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
        "memory": "512", "containerDefinitions": [{ "name": "web", "image": "repo/web:v2", "essential": true }],
    });
    edit(&env, "ecs", "RegisterTaskDefinition", &revision);
    let deploy = serde_json::json!({ "cluster": "main", "service": "web", "taskDefinition": "web:2" });
    edit(&env, "ecs", "UpdateService", &deploy);
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
    // Something else of the service may change, and their revision still stays.
    let main = env.read("root/main.tf").replace("desired_count   = 2", "desired_count   = 3");
    env.write("root/main.tf", &main);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let shown = env.run(&["state", "show", "root", "aws_ecs_service.web"]).ok().stdout;
    assert!(shown.contains("task-definition/web:2"), "{shown}");
}

#[test]
fn row_16_who_holds_a_security_group_is_named() {
    let root = r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "main" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.0.0/24"
}

resource "aws_security_group" "web" {
  name   = "web"
  vpc_id = aws_vpc.main.id
}
"#;
    let env = TestEnvironment::with_root(root);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let (subnet, group) = (id_of(&env, "aws_subnet.main"), id_of(&env, "aws_security_group.web"));
    let theirs = serde_json::json!({ "SubnetId": subnet, "Groups": [group], "Description": "theirs" });
    edit(&env, "ec2", "CreateNetworkInterface", &theirs);
    let ran = env.run(&["destroy", "root", "--auto-approve"]).exits(1);
    assert!(ran.stderr.contains("eni-"), "{}", ran.all());
}

#[test]
fn row_20_rules_that_stand_beside_their_group_stay() {
    let root = r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_security_group" "web" {
  name   = "web"
  vpc_id = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  security_group_id = aws_security_group.web.id
  cidr_ipv4         = "10.0.0.0/16"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}
"#;
    let env = TestEnvironment::with_root(root);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
    env.run(&["drift", "root", "--detailed-exitcode"]).exits(0);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
}

#[test]
fn row_14_rules_change_places() {
    let root = r#"
variable "order" {
  type    = list(number)
  default = [10, 20, 30]
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "main" {
  for_each          = { a = 0, b = 1 }
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.${each.value}.0/24"
  availability_zone = "us-east-1${each.key}"
}

resource "aws_lb" "web" {
  name     = "web"
  internal = true
  subnets  = [for subnet in aws_subnet.main : subnet.id]
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

resource "aws_lb_listener_rule" "path" {
  count        = 3
  listener_arn = aws_lb_listener.http.arn
  priority     = var.order[count.index]

  action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "200"
    }
  }

  condition {
    path_pattern {
      values = ["/${count.index}"]
    }
  }
}
"#;
    let env = TestEnvironment::with_root(root);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    for order in ["[20, 10, 30]", "[30, 20, 10]", "[10, 30, 20]"] {
        let given = format!("order={order}");
        env.run(&["apply", "root", "--auto-approve", "--var", &given]).ok();
        env.run(&["plan", "root", "--detailed-exitcode", "--var", &given]).exits(0);
    }
}

const MANY: &str = r#"
variable "many" {
  type = number
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "all" {
  count      = var.many
  vpc_id     = aws_vpc.main.id
  cidr_block = cidrsubnet(aws_vpc.main.cidr_block, 8, count.index)
}

resource "aws_route_table" "all" {
  count  = var.many
  vpc_id = aws_vpc.main.id
}

resource "aws_security_group" "all" {
  count  = var.many
  name   = "all-${count.index}"
  vpc_id = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "all" {
  count             = var.many
  security_group_id = aws_security_group.all[count.index].id
  cidr_ipv4         = "10.0.0.0/16"
  ip_protocol       = "-1"
}

resource "aws_launch_template" "all" {
  count         = var.many
  name          = "all-${count.index}"
  instance_type = "t3.micro"
}

resource "aws_eip" "all" {
  count = var.many
}

resource "aws_ecs_cluster" "all" {
  count = var.many
  name  = "all-${count.index}"
}
"#;

/// Calls of a plan that finds nothing to do, by endpoint: the SDK logs every request that it sends.
fn calls_of_a_second_plan(many: usize) -> BTreeMap<String, usize> {
    let env = TestEnvironment::with_root(MANY);
    let given = format!("many={many}");
    env.run(&["apply", "root", "--auto-approve", "--var", &given]).ok();
    let plan = ["plan", "root", "--detailed-exitcode", "--var", &given];
    let log = [("CUTOVER_LOG", "aws_smithy_runtime::client::orchestrator=trace")];
    let mut calls = BTreeMap::new();
    let logged = env.run_with(&plan, &log).exits(0).stderr;
    for line in logged.lines().filter(|line| line.contains("transmitting request")) {
        let endpoint = line.split("as_string: \"").nth(1).and_then(|rest| rest.split('"').next());
        *calls.entry(endpoint.unwrap_or_default().to_owned()).or_default() += 1;
    }
    calls
}

#[test]
fn row_19_a_plan_asks_by_batches_not_by_resources() {
    let (few, many) = (calls_of_a_second_plan(2), calls_of_a_second_plan(60));
    let total = |calls: &BTreeMap<String, usize>| calls.values().sum::<usize>();
    println!("counted: {} calls for 15 resources, {} for 421", total(&few), total(&many));
    // Seven types are counted: each is asked for, and a page more of some is all that there may be.
    assert!(total(&few) >= 7, "{few:?}");
    assert!(total(&many) <= total(&few) + 7, "{few:?}\n{many:?}");
}

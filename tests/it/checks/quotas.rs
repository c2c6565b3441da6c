//! Quotas of vCPUs, and several deployments that want the same room.

use super::{Root, V2, says};
use crate::blue_green;
use crate::environment::Ran;
use crate::staged::Staged;

/// All hosts On-Demand: four of two vCPUs, and a group that may start four more.
const ON_DEMAND: (&str, &str, &str) = (
    "base.tf",
    "on_demand_percentage_above_base_capacity = 50",
    "on_demand_percentage_above_base_capacity = 100",
);

#[test]
fn check_02_a_surge_beyond_a_quota() {
    let staged = Staged::with(&[ON_DEMAND]);
    staged.edit(&[V2]);
    staged.run("sim fault add . quota L-1216C47A 9").ok();
    let told = "CUT-002]: a deployment that finds no room: it starts at least 2 vCPUs beside the 8 that run, and the \
                account may run 9: quota L-1216C47A, \"Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances\"";
    says(&staged, told, true);
    staged.run("sim fault clear .").ok();
    staged.run("sim fault add . quota L-1216C47A 10").ok();
    says(&staged, "CUT-002", false);
}

#[test]
fn a_deployment_that_needs_no_host_asks_for_no_quota() {
    let staged = Staged::with(&[ON_DEMAND]);
    let may_stop = "  deployment_minimum_healthy_percent = 50\n  desired_count ";
    staged.edit(&[V2, ("main.tf", "  desired_count ", may_stop)]);
    staged.run("sim fault add . calls access-denied --service servicequotas").ok();
    says(&staged, "CUT-002", false);
}

fn releases(root: &Root) -> Ran {
    root.0.run(&["plan", "root", "--var", "image=repo/web:v2"])
}

#[test]
fn a_surge_on_fargate_counts_its_own_vcpus() {
    let root = Root::applied(blue_green::ROOT);
    let quota = |value: &str| {
        root.0.run(&["sim", "fault", "clear", "root"]).ok();
        root.0.run(&["sim", "fault", "add", "root", "quota", "L-3032A538", value]).ok();
        releases(&root)
    };
    let told = "CUT-002]: a deployment that finds no room: it starts at least 0.5 vCPUs beside the 0.5 that run, and \
                the account may run 0.75: quota L-3032A538, \"Fargate On-Demand vCPU resource count\"";
    let ran = quota("0.75");
    assert!(ran.stderr.contains(told), "{}", ran.all());
    let ran = quota("1");
    assert!(!ran.stderr.contains("CUT-002"), "{}", ran.all());
}

#[test]
fn quotas_that_may_not_be_read_are_told_once() {
    let root = Root::applied(blue_green::ROOT);
    let denied = ["sim", "fault", "add", "root", "calls", "access-denied", "--service", "servicequotas"];
    root.0.run(&denied).ok();
    let ran = releases(&root).ok();
    let told = "how many vCPUs the account may run could not be looked at (GetServiceQuota: AccessDenied";
    assert_eq!(ran.stderr.matches(told).count(), 1, "{}", ran.all());
}

/// A second service of one task, with the same task definition.
const API: &str = r#"
resource "aws_ecs_service" "api" {
  name            = "api"
  cluster         = aws_ecs_cluster.main.id
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 1
  depends_on      = [aws_ecs_cluster_capacity_providers.main]

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
}
"#;

#[test]
fn check_02_services_that_roll_at_the_same_time() {
    let with_api = format!("{API}\nlocals {{");
    let staged = Staged::with(&[("main.tf", "locals {", &with_api)]);
    // Five hosts run, each with a task; one more may come, and each service wants one first.
    staged.edit(&[V2, ("base.tf", "max_size            = 8", "max_size            = 6")]);
    let told = "CUT-002]: a deployment that finds no room: it starts together with aws_ecs_service.api, which may roll \
                at the same time: 2 tasks beside those that run, and there is room for 1";
    says(&staged, told, true);
    staged.edit(&[("base.tf", "max_size            = 6", "max_size            = 7")]);
    says(&staged, "CUT-002", false);
    staged.edit(&[("base.tf", "max_size            = 7", "max_size            = 6")]);
    // One after the other they both find room.
    let after = "depends_on      = [aws_ecs_cluster_capacity_providers.main, aws_ecs_service.web]";
    staged.edit(&[("main.tf", "depends_on      = [aws_ecs_cluster_capacity_providers.main]", after)]);
    says(&staged, "CUT-002", false);
}

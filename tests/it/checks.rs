//! What a plan looks for before anything runs, a test a check: each on a configuration that has it, and not on its
//! good neighbour.

mod quotas;
mod roots;

use self::roots::{ATTACHED, BALANCER, BEHIND, GROUP, HOSTS, ON_HOSTS, POLICY, PROVIDER, ROLLING, SCALED};
use crate::environment::{Ran, TestEnvironment};
use crate::staged::Staged;
use crate::{blue_green, pains};
use serde_json::json;

/// The thirteen checks, and the tests that show them.
const CHECKS: &[(u32, &str, &[&str])] = &[
    (
        1,
        "a rolling deployment that cannot move, for any count of the autoscaler",
        &[
            "check_01_a_rolling_deployment_that_cannot_move",
            "a_deployment_that_moves_with_few_tasks_moves_with_more",
        ],
    ),
    (
        2,
        "new tasks find no room: CPU, memory, ports, interfaces, zones, hosts of their own, the group's maximum, quotas",
        &[
            "check_02_a_surge_that_does_not_fit",
            "check_02_a_surge_without_interfaces_in_the_zones_of_its_subnets",
            "check_02_a_surge_of_tasks_that_want_hosts_for_themselves",
            "check_02_a_surge_beyond_a_quota",
            "check_02_services_that_roll_at_the_same_time",
            "tasks_go_on_free_hosts_and_on_those_that_may_still_come",
            "a_fixed_port_is_taken_once_a_host",
            "a_task_with_an_address_of_its_own_takes_an_interface_of_its_host",
            "hosts_in_zones_without_a_subnet_of_the_service_take_none_of_its_tasks",
        ],
    ),
    (
        3,
        "a count that an autoscaler owns, or a maximum below what runs",
        &["check_03_a_count_that_an_autoscaler_owns", "check_03_a_maximum_below_what_runs"],
    ),
    (
        4,
        "traffic that ECS moves, or that goes where nothing is healthy",
        &[
            "check_04_traffic_that_a_service_owns",
            "check_04_weight_on_a_group_without_healthy_targets",
            "traffic_that_ecs_moves_is_told_before",
            "what_terraform_users_ignore_stays_ignored",
        ],
    ),
    (
        5,
        "blue/green: groups on the rule, forward only, trust, bake time, target type, container and port",
        &["check_05_what_blue_green_needs", "a_role_is_trusted_to_whom_its_policy_names"],
    ),
    (
        6,
        "a refresh that replaces nothing, or terminates first",
        &["check_06_a_refresh_that_replaces_nothing_or_terminates_first"],
    ),
    (
        7,
        "a refresh that cannot go back, or changes nothing",
        &[
            "check_07_a_refresh_that_cannot_go_back_or_changes_nothing",
            "check_07_a_version_that_launches_the_same_as_another",
        ],
    ),
    (
        8,
        "a replacement under a fixed name",
        &["check_08_a_replacement_that_keeps_its_fixed_name", "replacements_take_turns_with_two_names"],
    ),
    (
        9,
        "teardowns that wait for each other; permissions that go first",
        &["check_09_what_goes_while_it_is_used", "check_09_a_teardown_ends_with_what_the_others_need"],
    ),
    (
        10,
        "no safety net: no breaker and no alarms, nothing to go back to, an alarm that is red already",
        &["check_10_a_deployment_without_a_safety_net"],
    ),
    (11, "user data that does not begin with #!, or has CRLF", &["check_11_user_data_that_is_not_run"]),
    (12, "two resources with one name", &["check_12_two_resources_with_one_name"]),
    (
        13,
        "zones of a balancer, ports of hosts, a launch type that passes by the capacity provider",
        &["check_13_subnets_of_a_balancer_in_one_zone", "check_13_hosts_that_tasks_or_traffic_do_not_reach"],
    ),
];

#[test]
fn every_check_names_tests_that_there_are() {
    pains::name_tests_that_there_are(CHECKS);
    let numbers: Vec<u32> = CHECKS.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=13).collect::<Vec<u32>>());
    for (number, _, tests) in CHECKS {
        assert!(tests.iter().any(|test| test.starts_with(&format!("check_{number:02}_"))), "{number}");
    }
}

/// A root, and what its plans say.
struct Root(TestEnvironment);

impl Root {
    fn new(main: &str) -> Self {
        Self(TestEnvironment::with_root(main))
    }

    fn applied(main: &str) -> Self {
        let this = Self::new(main);
        this.apply();
        this
    }

    fn apply(&self) {
        self.0.run(&["apply", "root", "--auto-approve"]).ok();
    }

    fn write(&self, main: &str) {
        self.0.write("root/main.tf", main);
    }

    fn edit(&self, old: &str, new: &str) {
        let main = self.0.read("root/main.tf");
        assert!(main.contains(old), "{old} is not there");
        self.write(&main.replace(old, new));
    }

    /// The plan tells it.
    #[track_caller]
    fn has(&self, told: &str) {
        let ran = self.0.run(&["plan", "root"]);
        assert!(ran.stderr.contains(told), "{told}\n{}", ran.all());
    }

    /// There is a plan that does not tell it.
    #[track_caller]
    fn has_no(&self, told: &str) -> Ran {
        let ran = self.0.run(&["plan", "root"]).ok();
        assert!(!ran.stderr.contains(told), "{told}\n{}", ran.all());
        ran
    }

    /// With this text instead the plan tells it; without, not.
    #[track_caller]
    fn has_with(&self, old: &str, new: &str, told: &str) {
        let good = self.0.read("root/main.tf");
        self.has_no(told);
        self.edit(old, new);
        self.has(told);
        self.write(&good);
    }
}

#[test]
fn check_01_a_rolling_deployment_that_cannot_move() {
    let root = Root::new(ROLLING);
    let told = "error[CUT-001]: a rolling deployment that can never move: with 100–125 % of 3 tasks";
    root.has_with("min_capacity       = 4", "min_capacity       = 3", told);
    // Without an autoscaler only the declared count counts.
    let alone = ROLLING.split("resource \"aws_appautoscaling_target\"").next().expect("the first part");
    root.write(&alone.replace("desired_count              = 8", "desired_count              = 4"));
    root.has_with("= 4", "= 3", "with minimum 100 % and maximum 125 % of 3 tasks");
    // Another cluster's service of the same name has other bounds.
    root.write(&ROLLING.replace("service/main/web", "service/other/web").replace("= 4", "= 1"));
    root.has_no("CUT-001");
    // Bounds that somebody else has set count like declared ones.
    let fargate = pains::SERVICE.replace("LIFECYCLE", "  deployment_maximum_percent = 125");
    let fargate = fargate.replace("desired_count   = 2", "desired_count   = 4");
    let root = Root::applied(&fargate);
    root.edit("web:v1", "web:v2");
    root.has_no("CUT-001");
    let bounds = json!({
        "ServiceNamespace": "ecs", "ResourceId": "service/main/web",
        "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 2, "MaxCapacity": 6,
    });
    pains::edit(&root.0, "application-autoscaling", "RegisterScalableTarget", &bounds);
    root.has("with 100–125 % of 2 tasks none may be stopped and none started");
}

const V2: (&str, &str, &str) = ("base.tf", "default     = \"v1\"", "default     = \"v2\"");

#[track_caller]
pub(super) fn says(staged: &Staged, told: &str, is: bool) {
    let ran = staged.run("plan .");
    assert_eq!(ran.stderr.contains(told), is, "{told}\n{}", ran.all());
}

#[test]
fn check_02_a_surge_that_does_not_fit() {
    // Four hosts, a task on each, and none may stop before another runs.
    let staged = Staged::with(&[("base.tf", "max_size            = 8", "max_size            = 4")]);
    staged.edit(&[V2]);
    let told = "CUT-002]: a deployment that finds no room: it starts 1 task beside the 4 that run, and there is \
                room for 0: each takes 1536 CPU units and 1024 MiB; hosts that the group may still start: 0";
    says(&staged, told, true);
    staged.edit(&[("base.tf", "max_size            = 4", "max_size            = 5")]);
    says(&staged, "CUT-002", false);
    staged.edit(&[("base.tf", "max_size            = 5", "max_size            = 4")]);
    let may_stop = "  deployment_minimum_healthy_percent = 50\n  desired_count ";
    staged.edit(&[("main.tf", "  desired_count ", may_stop)]);
    says(&staged, "CUT-002", false);
}

/// Small tasks with an address of their own, in the zones of `var.zones`.
const OWN_ADDRESS: &[(&str, &str, &str)] = &[
    ("base.tf", "max_size            = 8", "max_size            = 4"),
    ("base.tf", "network_mode = \"bridge\"", "network_mode = \"awsvpc\""),
    ("base.tf", "cpu          = 1536", "cpu          = 128"),
    ("base.tf", "memory       = 1024", "memory       = 128"),
    ("base.tf", "containerPort = 80, hostPort = 0", "containerPort = 80"),
    (
        "base.tf",
        "  protocol             = \"HTTP\"",
        "  protocol             = \"HTTP\"\n  target_type = \"ip\"",
    ),
    ("base.tf", "from_port       = 32768", "from_port       = 80"),
    (
        "main.tf",
        "  desired_count ",
        "  network_configuration {\n    subnets         = [for zone in var.zones : aws_subnet.public[zone].id]\n    \
         security_groups = [aws_security_group.host.id]\n  }\n\n  desired_count ",
    ),
    ("main.tf", "locals {", "variable \"zones\" {\n  default = [\"a\"]\n}\n\nlocals {"),
];

#[test]
fn check_02_a_surge_without_interfaces_in_the_zones_of_its_subnets() {
    // An m5.large takes two such tasks, an m6i.large too: the two hosts of one zone are full with four.
    let staged = Staged::with(OWN_ADDRESS);
    staged.edit(&[V2]);
    let told = "and there is room for 0: each takes 128 CPU units, 128 MiB and a network interface, in us-east-1a; \
                hosts that the group may still start: 0";
    says(&staged, told, true);
    // A new host may come in either zone: the second one comes in the other.
    staged.edit(&[("base.tf", "max_size            = 4", "max_size            = 6")]);
    says(&staged, "CUT-002", false);
    staged.edit(&[("base.tf", "max_size            = 6", "max_size            = 4")]);
    staged.edit(&[("main.tf", "default = [\"a\"]", "default = [\"a\", \"b\"]")]);
    says(&staged, "CUT-002", false);
}

#[test]
fn check_02_a_surge_of_tasks_that_want_hosts_for_themselves() {
    let staged = Staged::with(&[
        ("base.tf", "max_size            = 8", "max_size            = 4"),
        ("base.tf", "cpu          = 1536", "cpu          = 128"),
        (
            "main.tf",
            "  desired_count ",
            "  placement_constraints {\n    type = \"distinctInstance\"\n  }\n\n  desired_count ",
        ),
    ]);
    staged.edit(&[V2]);
    says(&staged, "there is room for 0: each takes 128 CPU units, 1024 MiB and a host for itself", true);
    staged.edit(&[("base.tf", "max_size            = 4", "max_size            = 5")]);
    says(&staged, "CUT-002", false);
}

#[test]
fn check_03_a_count_that_an_autoscaler_owns() {
    let service = pains::SERVICE.replace("LIFECYCLE", "");
    let root = Root::applied(&service);
    let more = service.replace("desired_count   = 2", "desired_count   = 3");
    root.write(&(more.clone() + SCALED));
    root.has(
        "CUT-003]: a size that something else decides: its autoscaler decides, but desired_count is declared",
    );
    root.write(&(service + SCALED));
    root.has_no("CUT-003");
    // Once it scales the service, no count is written any more.
    root.apply();
    root.write(&(more + SCALED));
    let ran = root.has_no("CUT-003");
    assert!(ran.all().contains("Nothing to change"), "{}", ran.all());
}

#[test]
fn check_03_a_maximum_below_what_runs() {
    let root = Root::applied(GROUP);
    root.edit("min_size              = 3", "min_size              = 1");
    root.has_with(
        "= 4\n",
        "= 2\n",
        "CUT-003]: a size that something else decides: max_size 2 is below the 3 that run now",
    );
}

#[test]
fn check_04_traffic_that_a_service_owns() {
    let root = Root::applied(blue_green::ROOT);
    root.edit("values = [\"/*\"]", "values = [\"/web/*\"]");
    let both = blue_green::ROOT.split_once("    forward {").expect("a forward block").1;
    let both = both.split_once("\n  }\n\n  condition").expect("a condition").0;
    let one = "    target_group_arn = aws_lb_target_group.web[\"green\"].arn";
    let told = "CUT-004]: traffic that something else moves: ECS moves its traffic, for aws_ecs_service.web";
    root.has_with(&format!("    forward {{{both}"), one, told);
}

#[test]
fn check_04_weight_on_a_group_without_healthy_targets() {
    let staged = Staged::with(&[]);
    let rule = (
        "main.tf",
        "    type             = \"forward\"\n    target_group_arn = aws_lb_target_group.web[\"blue\"].arn",
    );
    let green =
        "    type             = \"forward\"\n    target_group_arn = aws_lb_target_group.web[\"green\"].arn";
    staged.edit(&[(rule.0, rule.1, green)]);
    let told = "CUT-004]: traffic that something else moves: no target of web-green, which is to get traffic, is healthy";
    says(&staged, told, true);
    // The service goes there, too.
    let own = "  load_balancer {\n    target_group_arn = aws_lb_target_group.web[";
    staged.edit(&[("main.tf", &format!("{own}\"blue\"]"), &format!("{own}\"green\"]"))]);
    says(&staged, "CUT-004", false);
}

#[test]
fn check_05_what_blue_green_needs() {
    let root = Root::new(blue_green::ROOT);
    let forward = blue_green::ROOT.split_once("    type = \"forward\"\n").expect("an action").1;
    let forward = forward.split_once("\n  }\n\n  condition").expect("a condition").0;
    let forward = format!("    type = \"forward\"\n{forward}");
    let one = "    type = \"forward\"\n    target_group_arn = aws_lb_target_group.web[\"blue\"].arn";
    let other = "    type = \"redirect\"\n\n    redirect {\n      status_code = \"HTTP_302\"\n      path        = \"/new\"\n    }";
    let trust = ("\"ecs.amazonaws.com\"", "\"ec2.amazonaws.com\"");
    let faults: [(&str, &str, &str); 7] = [
        (
            &forward,
            one,
            "one target group stands on its rule aws_lb_listener_rule.production, and it needs both there",
        ),
        (&forward, other, "its rule aws_lb_listener_rule.production has an action redirect"),
        (trust.0, trust.1, "aws_iam_role.shift does not let ecs.amazonaws.com assume it"),
        (
            "bake_time_in_minutes = 2",
            "bake_time_in_minutes = 0",
            "its old tasks go as soon as the traffic has moved",
        ),
        (
            "target_type          = \"ip\"",
            "target_type          = \"instance\"",
            "but aws_lb_target_group.web[\"blue\"] takes instances",
        ),
        (
            "container_name   = \"web\"",
            "container_name   = \"wbe\"",
            "aws_ecs_task_definition.web has no container wbe",
        ),
        (
            "container_port   = 8080",
            "container_port   = 8081",
            "the container web of aws_ecs_task_definition.web has no port 8081",
        ),
    ];
    // Before anything is there, and when it is.
    for there in [false, true] {
        if there {
            root.apply();
            root.edit("repo/web:v1", "repo/web:v2");
        }
        root.has_no("CUT-005");
        // A target group of another type is another one; and what cannot be deployed is not asked for its bake time.
        for (old, new, told) in faults.iter().filter(|(old, ..)| !there || !old.starts_with("target_type")) {
            root.has_with(old, new, told);
        }
    }
    let two = blue_green::ROOT.replacen(
        "        arn    = aws_lb_target_group.web[\"green\"].arn",
        "        arn    = aws_lb_target_group.third.arn",
        1,
    );
    let third = "\nresource \"aws_lb_target_group\" \"third\" {\n  name        = \"third\"\n  port        = 8080\n  \
                 protocol    = \"HTTP\"\n  target_type = \"ip\"\n  vpc_id      = aws_vpc.main.id\n}\n";
    root.write(&(two + third).replace("repo/web:v1", "repo/web:v2"));
    root.has("does not stand on its rule aws_lb_listener_rule.production");
}

#[test]
fn check_06_a_refresh_that_replaces_nothing_or_terminates_first() {
    let root = Root::applied(GROUP);
    root.edit("echo 1", "echo 2");
    root.has_with(
        "max_healthy_percentage       = 110",
        "max_healthy_percentage       = 100",
        "CUT-006]: an instance refresh that replaces nothing, or terminates first: it terminates instances before",
    );
    root.edit("protect_from_scale_in = false", "protect_from_scale_in = true");
    let refresh = "scale_in_protected_instances = \"Refresh\"";
    root.has_with(
        refresh,
        "scale_in_protected_instances = \"Ignore\"",
        "are protected, and the refresh leaves those out",
    );
    root.has_with(
        refresh,
        "scale_in_protected_instances = \"Wait\"",
        "are protected, and the refresh waits an hour",
    );
}

#[test]
fn check_07_a_refresh_that_cannot_go_back_or_changes_nothing() {
    let root = Root::applied(GROUP);
    root.edit("echo 1", "echo 2");
    let told = "CUT-007]: an instance refresh without a way back: its template version is $Latest";
    root.has_with("aws_launch_template.hosts.latest_version", "\"$Latest\"", told);
    let alias = "\"resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id\"";
    let told = "the image of aws_launch_template.hosts is whatever a parameter of Systems Manager says";
    root.has_with("data.aws_ssm_parameter.image.value", alias, told);
    let told =
        "are replaced for a version of aws_launch_template.hosts that launches the same as the one before";
    root.edit("description   = \"first\"", "description   = \"second\"");
    root.has_with("echo 2", "echo 1", told);
}

#[test]
fn check_07_a_version_that_launches_the_same_as_another() {
    let root = Root::applied(&GROUP.replace("aws_launch_template.hosts.latest_version", "1"));
    // The same again, and one that differs.
    root.edit("\"first\"", "\"second\"");
    root.apply();
    root.edit("echo 1", "echo 2");
    root.apply();
    let told = "all its instances are replaced for version 2 of";
    root.edit("version = 1", "version = 3");
    root.has_no(told);
    root.edit("version = 3", "version = 2");
    root.has(told);
}

#[test]
fn check_08_a_replacement_that_keeps_its_fixed_name() {
    let role = r#"
resource "aws_iam_role" "web" {
  name               = "web"
  path               = "/a/"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_iam_instance_profile" "web" {
  name_prefix = "web"
  role        = aws_iam_role.web.name

  lifecycle {
    create_before_destroy = true
  }
}
"#;
    let root = Root::applied(role);
    root.edit("/a/", "/b/");
    // The new one cannot be called so before the old one is gone, although that is asked for.
    let told = "CUT-008]: a replacement that keeps its fixed name: aws_iam_instance_profile.web is without web from \
                when it is deleted until it is made again";
    root.has(told);
    root.write(&role.replace("/a/", "/b/").replacen(
        "  name               = \"web\"",
        "  name_prefix = \"web\"",
        1,
    ));
    root.has_no("CUT-008");
    // What serves takes turns between two names.
    let group = "resource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.0.0.0/16\"\n}\n\nresource \"aws_lb_target_group\" \
                 \"web\" {\n  name     = \"web\"\n  port     = 80\n  protocol = \"HTTP\"\n  vpc_id   = aws_vpc.main.id\n}\n";
    let root = Root::applied(group);
    root.edit("= 80\n", "= 81\n");
    let ran = root.has_no("CUT-008");
    assert!(ran.stdout.contains("1 to replace"), "{}", ran.all());
}

#[test]
fn check_09_what_goes_while_it_is_used() {
    let all = [HOSTS, PROVIDER, ATTACHED, ON_HOSTS, POLICY].concat();
    let root = Root::applied(&all);
    let nothing = ATTACHED
        .replace("[\"hosts\"]", "[]")
        .replace("  depends_on         = [aws_ecs_capacity_provider.hosts]\n", "");
    root.write(&[HOSTS, &nothing, ON_HOSTS, POLICY].concat());
    root.has("aws_ecs_service.web still places its tasks by the capacity provider hosts");
    root.has("aws_ecs_service.web still places its tasks by hosts, which it leaves out");
    // The group alone.
    let provider = PROVIDER.split_once("resource \"aws_ecs_capacity_provider\"").expect("a provider").1;
    let provider = provider.replace("aws_autoscaling_group.hosts.arn", "var.group");
    let group = "\nvariable \"group\" {\n  default = \"GROUP\"\n}\n\nresource \"aws_ecs_capacity_provider\"";
    let state: serde_json::Value =
        serde_json::from_str(&root.0.read("root/.cutover/state.json")).expect("JSON");
    let arn = state["resources"]["aws_autoscaling_group.hosts"]["seen"]["arn"].as_str().expect("an ARN");
    let alone = format!("{}{provider}", group.replace("GROUP", arn));
    root.write(&[HOSTS, &alone, ATTACHED, ON_HOSTS, POLICY].concat());
    root.has(
        "CUT-009]: something that goes while it is used: aws_ecs_capacity_provider.hosts still scales it",
    );
    // Permissions.
    root.write(&[HOSTS, PROVIDER, ATTACHED, ON_HOSTS].concat());
    root.has("CUT-009]: something that goes while it is used: tasks that stay run with the role tasks");
    // All of them together.
    root.write(HOSTS);
    root.has_no("CUT-009");
}

#[test]
fn check_09_a_teardown_ends_with_what_the_others_need() {
    let env = Staged::with(&[
        (
            "base.tf",
            "  capacity_rebalance  = true",
            "  capacity_rebalance  = true\n  protect_from_scale_in = true",
        ),
        (
            "base.tf",
            "    managed_draining       = \"ENABLED\"",
            "    managed_draining       = \"ENABLED\"\n    managed_termination_protection = \"ENABLED\"",
        ),
        ("base.tf", "  depends_on = [aws_iam_role_policy_attachment.host]\n", ""),
    ]);
    let ran = env.run("destroy . --auto-approve").ok();
    let at = |words: &str| ran.stderr.find(words).unwrap_or_else(|| panic!("no {words:?} in\n{}", ran.all()));
    let order = [
        "aws_ecs_service.web: destroyed",
        "aws_ecs_cluster_capacity_providers.main: destroyed",
        "aws_ecs_capacity_provider.hosts: destroyed",
        "aws_autoscaling_group.hosts: destroyed",
        // Nothing that is declared says so.
        "aws_iam_role_policy_attachment.host: destroyed",
    ];
    assert!(order.map(at).is_sorted(), "{}", ran.all());
}

#[test]
fn check_10_a_deployment_without_a_safety_net() {
    let breaker = "    enable   = true\n    rollback = true";
    let root = Root::new(&pains::SERVICE.replace("LIFECYCLE", "  wait_for_steady_state = false"));
    let told = "CUT-010]: a deployment without a safety net: no circuit breaker and no alarms";
    root.has_with(breaker, "    enable   = false\n    rollback = false", told);
    // Its first deployment still runs when the next one is planned.
    root.apply();
    root.edit("web:v1", "web:v2");
    let told = "CUT-010]: a deployment without a safety net: no deployment of it has completed yet";
    root.has(told);
    root.0.run(&["sim", "wait", "root", "10m"]).ok();
    root.has_no("CUT-010");
    let alarmed = r#"
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "errors"
  namespace           = "Web"
  metric_name         = "Errors"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "ignore"
}
"#;
    let block = "  alarms {\n    enable      = true\n    rollback    = true\n    alarm_names = [aws_cloudwatch_metric_alarm.errors.alarm_name]\n  }";
    let root = Root::applied(&(pains::SERVICE.replace("LIFECYCLE", block) + alarmed));
    root.edit("web:v1", "web:v2");
    root.has_no("CUT-010");
    let red = json!({ "AlarmName": "errors", "StateValue": "ALARM", "StateReason": "errors" });
    pains::edit(&root.0, "monitoring", "SetAlarmState", &red);
    root.has("CUT-010]: a deployment without a safety net: its alarm errors is red already, before anything changes");
}

#[test]
fn check_11_user_data_that_is_not_run() {
    let template = r#"
data "aws_ssm_parameter" "image" {
  name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
}

resource "aws_launch_template" "hosts" {
  name      = "hosts"
  user_data = base64encode(<<-EOF
    #!/bin/bash
    cat <<CONFIG >> /etc/ecs/ecs.config
    ECS_CLUSTER=web
    CONFIG
  EOF
  )
}
"#;
    let root = Root::new(template);
    // A line at the margin, and nothing is taken off the others.
    let told = "CUT-011]: user data that is not run: its user data does not begin with `#!`";
    root.has_with("    ECS_CLUSTER=web\n    CONFIG\n", "ECS_CLUSTER=web\nCONFIG\n", told);
    let told = "CUT-011]: user data that is not run: its user data has Windows line ends";
    root.has_with("    ECS_CLUSTER=web\n", "    ECS_CLUSTER=web${\"\\r\"}\n", told);
}

#[test]
fn check_12_two_resources_with_one_name() {
    let env = TestEnvironment::with_root(
        "module \"web\" {\n  source = \"./service\"\n  logs   = \"/ecs/all\"\n}\n\nmodule \"api\" {\n  source = \
         \"./service\"\n  logs   = \"/ecs/api\"\n}\n",
    );
    env.write(
        "root/service/main.tf",
        "variable \"logs\" {}\n\nresource \"aws_cloudwatch_log_group\" \"all\" {\n  name = var.logs\n}\n",
    );
    let root = Root(env);
    let told = "error[CUT-012]: two resources that are one: module.api.aws_cloudwatch_log_group.all is also called /ecs/all";
    root.has_with("\"/ecs/api\"", "\"/ecs/all\"", told);
    // What they are in need not be there yet.
    let services = |second: &str| {
        let one = |label: &str, name: &str| {
            format!(
                "\nresource \"aws_ecs_service\" \"{label}\" {{\n  name = \"{name}\"\n  cluster = aws_ecs_cluster.main.id\n  \
                 task_definition = aws_ecs_task_definition.web.arn\n}}\n"
            )
        };
        let cluster = ROLLING.split("resource \"aws_ecs_service\"").next().expect("the first part");
        [cluster, &one("web", "web"), &one("api", second)].concat()
    };
    let root = Root::new(&services("api"));
    root.has_with("\"api\"\n", "\"web\"\n", "aws_ecs_service.api is also called web");
}

#[test]
fn check_13_subnets_of_a_balancer_in_one_zone() {
    let root = Root::new(BALANCER);
    let told = "CUT-013]: a path that does not fit: its subnets aws_subnet.one and aws_subnet.two are both in us-east-1a";
    root.has_with("\"us-east-1b\"", "\"us-east-1a\"", told);
    root.edit("  availability_zone = \"us-east-1a\"\n", "");
    let told = "nothing says which zone aws_subnet.one or aws_subnet.two is in, and two may be in the same";
    root.has_with("  availability_zone = \"us-east-1b\"\n", "", told);
    // When they are there, it is known.
    let root = Root::applied(
        &BALANCER.split("resource \"aws_lb\"").next().expect("the first part").replace("1b\"", "1a\""),
    );
    root.write(&BALANCER.replace("1b\"", "1a\""));
    root.has(" are both in us-east-1a");
}

#[test]
fn check_13_hosts_that_tasks_or_traffic_do_not_reach() {
    let root = Root::new(&[BALANCER, BEHIND].concat());
    // Before anything is there, and when it is.
    for there in [false, true] {
        if there {
            root.apply();
            root.edit("web:1", "web:2");
        }
        root.has_no("CUT-013");
        let told = "CUT-013]: a path that does not fit: hosts in aws_security_group.host take traffic on port 80, but \
                    its host ports are dynamic";
        let (open, closed) = (
            "from_port         = 32768\n  to_port           = 65535",
            "from_port         = 80\n  to_port           = 80",
        );
        root.has_with(open, closed, told);
        let told =
            "launch_type EC2 passes by the capacity providers of aws_ecs_cluster_capacity_providers.main";
        root.has_with("  desired_count   = 0", "  launch_type     = \"EC2\"\n  desired_count   = 0", told);
    }
}

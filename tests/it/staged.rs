//! What cannot change in place and is in use: the new one is made beside the old one, everything moves, then the old
//! one goes. 50 requests a second come in meanwhile.

use crate::environment::{Ran, TestEnvironment, killed_at, ran, repository};
use serde_json::Value as Json;
use std::process::Command;

pub struct Staged(pub TestEnvironment);

impl Staged {
    /// The service of fixtures/rollouts/ecs-rolling, with edits of its files: file, text, what stands there instead.
    pub fn with(edits: &[(&str, &str, &str)]) -> Self {
        Self::of(&[("base.tf", "base.tf"), ("ecs-rolling/main.tf", "main.tf")], edits)
    }

    /// Files of fixtures/rollouts, under other names.
    fn of(files: &[(&str, &str)], edits: &[(&str, &str, &str)]) -> Self {
        let this = Self(TestEnvironment::with_root(""));
        for (from, to) in files {
            let path = repository().join("fixtures/rollouts").join(from);
            this.0.write(&format!("root/{to}"), &std::fs::read_to_string(path).expect("readable"));
        }
        this.edit(edits);
        this.run("apply . --auto-approve").ok();
        this.run("sim traffic set . 50").ok();
        this
    }

    pub fn edit(&self, edits: &[(&str, &str, &str)]) {
        for (file, old, new) in edits {
            let path = format!("root/{file}");
            let text = self.0.read(&path);
            assert!(text.contains(old), "{old} is not in {file}");
            self.0.write(&path, &text.replace(old, new));
        }
    }

    fn command(&self, words: &str) -> Command {
        let args: Vec<&str> = words.split_whitespace().collect();
        let mut command = self.0.command(&args);
        command.current_dir(self.0.path().join("root"));
        command
    }

    pub fn run(&self, words: &str) -> Ran {
        ran(self.command(words).output().expect("the binary runs"))
    }

    /// Killed when it says this, and run again.
    fn is_applied_although_killed_at(&self, said: &str) {
        let began = self.now();
        let killed = killed_at(self.command("apply . --auto-approve"), said);
        assert!(killed.stderr.contains(said) && killed.code != 0, "{}", killed.all());
        self.run("apply . --auto-approve").ok();
        self.nothing_was_lost_since(began);
        self.second_plan_is_empty();
    }

    fn now(&self) -> i64 {
        let world: Json = serde_json::from_str(&self.0.read("root/.cutover/world.json")).expect("JSON");
        world["now"].as_i64().expect("a time")
    }

    /// Since then, and for 20 minutes more.
    fn nothing_was_lost_since(&self, began: i64) {
        self.run("sim wait . 20m").ok();
        let seconds = (self.now() - began) / 1000;
        let report = self.run(&format!("sim traffic report . --since {seconds}s")).ok().stdout;
        assert!(report.contains(" served, 0 lost"), "{report}");
    }

    fn second_plan_is_empty(&self) {
        let again = self.run("plan .").ok();
        assert!(again.all().contains("Nothing to change"), "{}", again.all());
    }
}

const LAUNCH_TYPE: (&str, &str, &str) =
    ("main.tf", "  desired_count ", "  launch_type = \"EC2\"\n  desired_count ");
const ROOM: (&str, &str, &str) =
    ("base.tf", "min_size            = 4\n  max_size            = 8", "min_size = 12\n  max_size = 12");

const SCALED: &str = r#"
resource "aws_appautoscaling_target" "web" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${aws_ecs_service.web.name}"
  min_capacity       = 2
  max_capacity       = 6
}
"#;

#[test]
fn row_13_a_service_that_must_be_new_takes_over_under_a_second_name_with_its_count() {
    let staged = Staged::with(&[ROOM]);
    staged.0.write("root/scaled.tf", SCALED);
    staged.run("apply . --auto-approve").ok();
    // As the autoscaler would.
    let edit = [
        "sim",
        "fault",
        "add",
        ".",
        "edit",
        "ecs",
        "UpdateService",
        r#"{"cluster":"main","service":"web","desiredCount":5}"#,
    ];
    let mut command = staged.0.command(&edit);
    command.current_dir(staged.0.path().join("root"));
    ran(command.output().expect("the binary runs")).ok();
    staged.run("sim wait . 5m").ok();
    staged.edit(&[LAUNCH_TYPE]);
    let began = staged.now();
    let ran = staged.run("apply . --auto-approve").ok();
    assert!(
        ran.stderr.contains("5 of 5 tasks") || ran.stderr.contains("of 5 tasks running"),
        "{}",
        ran.all()
    );
    staged.nothing_was_lost_since(began);
    staged.second_plan_is_empty();
    let state = staged.0.read("root/.cutover/state.json");
    assert!(state.contains("service/main/web-"), "a second name");
}

#[test]
fn a_new_service_that_does_not_come_to_life_goes_again_and_the_old_one_stays() {
    let staged = Staged::with(&[]);
    staged.edit(&[LAUNCH_TYPE]);
    let began = staged.now();
    let ran = staged.run("apply . --auto-approve").exits(1);
    assert!(ran.stderr.contains("the new one is gone again, the old one serves on"), "{}", ran.all());
    staged.nothing_was_lost_since(began);
    let again = staged.run("plan .").ok();
    assert!(again.all().contains("1 to replace, 0 to destroy"), "nothing that serves goes: {}", again.all());
}

#[test]
fn new_security_groups_stand_beside_the_old_ones_until_the_hosts_have_changed() {
    let staged = Staged::with(&[]);
    staged.edit(&[
        ("base.tf", "  name   = \"balancer\"\n", "  name   = \"balancer\"\n  description = \"new\"\n"),
        ("base.tf", "  name   = \"host\"\n", "  name   = \"host\"\n  description = \"new\"\n"),
    ]);
    let began = staged.now();
    let ran = staged.run("apply . --auto-approve").ok();
    let at = |words: &str| ran.stderr.find(words).unwrap_or_else(|| panic!("no {words:?} in\n{}", ran.all()));
    let order = [
        "aws_lb.web: put it in the old and the new security groups",
        "aws_autoscaling_group.hosts: changing",
        "aws_autoscaling_group.hosts: changed",
        "aws_lb.web: changed",
        "aws_security_group.balancer: destroyed",
    ];
    assert!(order.map(at).is_sorted(), "{}", ran.all());
    staged.nothing_was_lost_since(began);
    staged.second_plan_is_empty();
}

const STRATEGY: (&str, &str, &str) = (
    "main.tf",
    "  desired_count ",
    "  capacity_provider_strategy {\n    capacity_provider = aws_ecs_capacity_provider.hosts.name\n    weight = 1\n  }\n\n  desired_count ",
);

const RENAMED: (&str, &str, &str) =
    ("base.tf", "  name                = \"hosts\"", "  name                = \"machines\"");

/// A new group of hosts with a new provider takes over from the old one.
fn hosts_are_renamed(staged: &Staged, services_turn: &str) {
    staged.edit(&[RENAMED]);
    let began = staged.now();
    let ran = staged.run("apply . --auto-approve").ok();
    let at = |words: &str| ran.stderr.find(words).unwrap_or_else(|| panic!("no {words:?} in\n{}", ran.all()));
    let order = [
        "aws_autoscaling_group.hosts: created",
        "aws_ecs_capacity_provider.hosts: created",
        "let the cluster use the old and the new capacity providers",
        services_turn,
        "aws_ecs_cluster_capacity_providers.main: changed",
        "aws_ecs_capacity_provider.hosts: destroyed",
        "aws_autoscaling_group.hosts: destroyed",
    ];
    assert!(order.map(at).is_sorted(), "{}", ran.all());
    staged.nothing_was_lost_since(began);
    staged.second_plan_is_empty();
}

#[test]
fn a_new_group_of_hosts_takes_over_with_a_new_provider() {
    hosts_are_renamed(&Staged::with(&[STRATEGY]), "aws_ecs_service.web: changed");
}

#[test]
fn a_service_that_took_the_clusters_default_follows_it_to_a_new_provider() {
    let told = "aws_ecs_service.web: placing its tasks by the new default capacity providers of its cluster";
    hosts_are_renamed(&Staged::with(&[]), told);
}

#[test]
fn the_plan_says_that_a_service_follows_its_clusters_default() {
    let staged = Staged::with(&[]);
    staged.edit(&[RENAMED]);
    let plan = staged.run("plan .").ok();
    assert!(plan.stdout.contains("the default capacity providers of its cluster change"), "{}", plan.all());
}

#[test]
fn a_killed_move_to_a_new_default_goes_on() {
    let staged = Staged::with(&[]);
    staged.edit(&[RENAMED]);
    staged.is_applied_although_killed_at("1 of 4 tasks running");
}

/// The state has seen the new provider take over: the world must not stand behind that.
#[test]
fn what_a_killed_run_has_seen_has_happened() {
    let staged = Staged::with(&[STRATEGY]);
    staged.edit(&[RENAMED]);
    staged.is_applied_although_killed_at("aws_ecs_cluster_capacity_providers.main: changing");
}

#[test]
fn a_cluster_without_a_default_any_more_is_told_before() {
    let staged = Staged::with(&[]);
    let strategy = "\n  default_capacity_provider_strategy {\n    capacity_provider = \
                    aws_ecs_capacity_provider.hosts.name\n    weight            = 1\n  }\n";
    staged.edit(&[
        (
            "base.tf",
            "  capacity_providers = [aws_ecs_capacity_provider.hosts.name]",
            "  capacity_providers = []",
        ),
        ("base.tf", strategy, ""),
    ]);
    let told = staged.run("plan .").ok();
    let words = "aws_ecs_service.web still places its tasks by hosts, which it leaves out";
    assert!(told.stderr.contains("CUT-009") && told.stderr.contains(words), "{}", told.all());
    let ran = staged.run("apply . --auto-approve").exits(1);
    assert!(ran.stderr.contains("declare a capacity_provider_strategy or a launch_type"), "{}", ran.all());
}

/// A service whose traffic ECS moves between the groups blue and green; blue serves.
fn native() -> Staged {
    Staged::of(
        &[
            ("base.tf", "base.tf"),
            ("ecs-native.tf", "main.tf"),
            ("ecs-blue-green/rollout.hcl", "rollout.hcl"),
        ],
        &[],
    )
}

/// The groups get another port: AWS cannot change it. So often a deployment is followed to its end meanwhile.
fn exchanges(staged: &Staged, port: &str, deployments: usize) {
    let text = staged.0.read("root/base.tf");
    let now = text.lines().find(|line| line.starts_with("  port                 =")).expect("a port");
    staged.edit(&[("base.tf", now, &format!("  port                 = {port}"))]);
    let began = staged.now();
    let ran = staged.run("apply . --auto-approve").ok();
    let followed = ran.stderr.matches("follow that deployment to its end").count();
    assert_eq!(followed, deployments, "{}", ran.all());
    staged.nothing_was_lost_since(began);
    staged.second_plan_is_empty();
}

#[test]
fn target_groups_between_which_ecs_moves_traffic_are_exchanged_one_after_the_other() {
    let staged = native();
    exchanges(&staged, "8080", 2);
    // Which of them serves is no matter: a release later it is the other one.
    staged.edit(&[("base.tf", "default     = \"v1\"", "default     = \"v2\"")]);
    staged.run("apply . --auto-approve").ok();
    exchanges(&staged, "each.key == \"blue\" ? 8081 : 8080", 1);
    exchanges(&staged, "each.key == \"blue\" ? 8082 : 8080", 2);
}

#[test]
fn a_killed_exchange_of_target_groups_goes_on() {
    let staged = native();
    staged.edit(&[("base.tf", "  port                 = 80\n", "  port                 = 8080\n")]);
    staged.is_applied_although_killed_at("1 of 4 tasks running");
}

#[test]
fn a_bad_release_beside_an_exchange_leaves_everything_where_it_was() {
    let staged = native();
    staged.run("sim image set . repo/web:v2 --crash 1").ok();
    staged.edit(&[
        ("base.tf", "  port                 = 80\n", "  port                 = 8080\n"),
        ("base.tf", "default     = \"v1\"", "default     = \"v2\""),
    ]);
    let began = staged.now();
    staged.run("apply . --auto-approve").exits(3);
    // With the release that works, the groups are exchanged.
    staged.edit(&[("base.tf", "default     = \"v2\"", "default     = \"v1\"")]);
    staged.run("apply . --auto-approve").ok();
    staged.nothing_was_lost_since(began);
    staged.second_plan_is_empty();
}

//! An environment moves to another VPC: all in it is replaced, in an order that AWS accepts.

use crate::environment::TestEnvironment;
use crate::scenarios::{action_of, changes, in_world_of, kill_after, states};

const ELSEWHERE: &[&str] = &["--var", "vpc_cidr=10.42.0.0/16"];

/// One root on the embedded AWS.
struct Root<'e> {
    env: &'e TestEnvironment,
    name: &'static str,
    /// Given to every command.
    always: &'static [&'static str],
}

impl Root<'_> {
    fn args<'a>(&'a self, verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&[verb, self.name, "--cloud", "embedded"], self.always, more].concat()
    }

    fn run(&self, verb: &str, more: &[&str]) -> crate::environment::Ran {
        self.env.run(&self.args(verb, more))
    }

    fn apply(&self, more: &[&str]) -> crate::environment::Ran {
        self.run("apply", &[&["--auto-approve"], more].concat())
    }

    /// Nothing to change, nothing drifted, and only the new VPC and what is in it is there.
    fn has_moved(&self) {
        self.run("plan", &[ELSEWHERE, &["--detailed-exitcode"]].concat()).exits(0);
        self.env.run(&["drift", self.name, "--cloud", "embedded", "--detailed-exitcode"]).exits(0);
        for (pointer, count) in [
            ("/ec2/vpcs", 1),
            ("/ec2/internet_gateways", 1),
            ("/ec2/subnets", 6),
            ("/elbv2/balancers", 1),
            ("/elbv2/groups", 2),
            ("/ecs/services", 1),
        ] {
            assert_eq!(in_world_of(self.env, self.name, pointer), count, "{pointer}");
        }
    }
}

#[test]
fn a_changed_range_moves_the_environment_to_a_new_vpc() {
    let env = TestEnvironment::shipped();
    let dev = Root { env: &env, name: "envs/dev", always: &[] };
    dev.apply(&[]).ok();
    let plan = changes(&dev.run("plan", &[ELSEWHERE, &["--format", "json"]].concat()).ok().json());
    assert_eq!(action_of(&plan, "module.alb.aws_lb.this"), "replace");
    assert_eq!(action_of(&plan, "module.web.aws_ecs_service.this"), "replace");
    assert_eq!(action_of(&plan, "module.asg.aws_autoscaling_group.this"), "update");
    assert_eq!(action_of(&plan, "module.network.aws_eip.nat[\"us-east-1a\"]"), "none");
    let ran = dev.apply(ELSEWHERE).ok();
    let at = |what: &str| ran.stderr.find(what).unwrap_or_else(|| panic!("no {what:?} in\n{}", ran.all()));
    let hosts_have_moved = at("module.asg.aws_autoscaling_group.this: changed");
    for (first, then) in [
        ("module.network.aws_vpc.this: created", "module.network.aws_vpc.this: destroying"),
        ("module.alb.aws_lb.this: destroyed", "module.alb.aws_lb.this: creating"),
        ("module.alb.aws_lb_listener.http: created", "module.web.aws_ecs_service.this: creating"),
    ] {
        assert!(at(first) < at(then), "{first} comes before {then}\n{}", ran.all());
    }
    // What hosts still use, or may need on their way out, outlives them.
    for going in [
        "module.network.aws_subnet.private[\"us-east-1a\"]: destroying",
        "module.network.aws_route_table.private[\"us-east-1a\"]: destroying",
        "module.launch_template.aws_security_group.instance: destroying",
    ] {
        assert!(hosts_have_moved < at(going), "{going}\n{}", ran.all());
    }
    dev.has_moved();
    dev.apply(&[]).ok();
    dev.run("plan", &["--detailed-exitcode"]).exits(0);
}

#[test]
fn a_move_that_is_killed_goes_on() {
    let mut kills = 0;
    for lines in [10, 55, 90, 120, 150, 175] {
        let env = TestEnvironment::shipped();
        let dev = Root { env: &env, name: "envs/dev", always: &[] };
        dev.apply(&[]).ok();
        let args = dev.args("apply", &[&["--auto-approve"], ELSEWHERE].concat());
        kills += usize::from(kill_after(&env, &args, lines));
        dev.apply(ELSEWHERE).ok();
        dev.has_moved();
    }
    println!("counted: {kills} kills in the middle of a move");
    assert!(kills >= 4, "only {kills} applies were killed in the middle");
}

#[test]
fn staging_and_tasks_on_fargate_move_as_well() {
    for (name, always) in [("envs/staging", &[][..]), ("envs/dev", &["--var", "capacity=FARGATE"][..])] {
        let env = TestEnvironment::shipped();
        let root = Root { env: &env, name, always };
        root.apply(&[]).ok();
        root.apply(ELSEWHERE).ok();
        root.has_moved();
    }
}

#[test]
fn what_aws_protects_from_deletion_is_not_moved_unasked() {
    let env = TestEnvironment::shipped();
    let prod = Root { env: &env, name: "envs/prod", always: &[] };
    prod.apply(&[]).ok();
    let refused = prod.apply(ELSEWHERE).exits(1);
    states(&refused, &["deletion-protected", "module.alb.aws_lb.this", "enable_deletion_protection = false"]);
    prod.run("plan", &["--detailed-exitcode"]).exits(0);
    let main = env.read("envs/prod/main.tf");
    assert!(main.contains("deletion_protection = true"));
    env.write(
        "envs/prod/main.tf",
        &main.replace("deletion_protection = true", "deletion_protection = false"),
    );
    prod.apply(&[]).ok();
    prod.apply(ELSEWHERE).ok();
    prod.has_moved();
}

#[test]
fn a_balancer_stays_where_its_subnets_change_within_the_vpc() {
    let main = |used: &str| {
        format!(
            r#"
resource "aws_vpc" "main" {{
  cidr_block = "10.0.0.0/16"
}}

resource "aws_subnet" "all" {{
  for_each          = {{ a = "us-east-1a", b = "us-east-1b", c = "us-east-1c" }}
  vpc_id            = aws_vpc.main.id
  availability_zone = each.value
  cidr_block        = cidrsubnet("10.0.0.0/16", 8, index(["a", "b", "c"], each.key))
}}

resource "aws_lb" "main" {{
  name     = "main"
  internal = true
  subnets  = [{used}]
}}
"#
        )
    };
    let env = TestEnvironment::with_root(&main(r#"aws_subnet.all["a"].id, aws_subnet.all["b"].id"#));
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.write("root/main.tf", &main(r#"aws_subnet.all["b"].id, aws_subnet.all["c"].id"#));
    let plan = changes(&env.run(&["plan", "root", "--format", "json"]).ok().json());
    assert_eq!(plan, [("aws_lb.main".to_owned(), "update".to_owned())]);
    // Into another VPC whose subnets are there already: nothing is unknown then.
    let other = r#"
resource "aws_vpc" "other" {
  cidr_block = "10.1.0.0/16"
}

resource "aws_subnet" "other" {
  for_each          = { d = "us-east-1a", e = "us-east-1b" }
  vpc_id            = aws_vpc.other.id
  availability_zone = each.value
  cidr_block        = cidrsubnet("10.1.0.0/16", 8, index(["d", "e"], each.key))
}
"#;
    env.write("root/other.tf", other);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.write("root/main.tf", &main(r#"aws_subnet.other["d"].id, aws_subnet.other["e"].id"#));
    let plan = changes(&env.run(&["plan", "root", "--format", "json"]).ok().json());
    assert_eq!(plan, [("aws_lb.main".to_owned(), "replace".to_owned())]);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
}

//! What goes wrong in AWS, one test a kind of fault: nothing is lost, nothing is made twice, a run succeeds or
//! says clearly why not, the next one completes it, then nothing is left to do, and destroy leaves nothing.

use crate::environment::TestEnvironment;
use crate::scenarios::{in_world_of, states};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::LazyLock;

const DEV: &str = "envs/dev";
const APPLY: &[&str] = &["apply", DEV, "--auto-approve"];

/// What an environment is made of; instances and tasks come and go by themselves.
const KINDS: &[&str] = &[
    "/appautoscaling/policies",
    "/appautoscaling/targets",
    "/autoscaling/groups",
    "/cloudwatch/alarms",
    "/ec2/addresses",
    "/ec2/internet_gateways",
    "/ec2/launch_templates",
    "/ec2/nat_gateways",
    "/ec2/route_tables",
    "/ec2/rules",
    "/ec2/security_groups",
    "/ec2/subnets",
    "/ec2/vpcs",
    "/ecr/repositories",
    "/ecs/clusters",
    "/ecs/providers",
    "/ecs/services",
    "/elbv2/balancers",
    "/elbv2/groups",
    "/elbv2/listeners",
    "/elbv2/rules",
    "/iam/profiles",
    "/iam/roles",
    "/logs/groups",
    "/ssm/parameters",
];

/// What must be gone after destroy, besides.
const MOVING: &[&str] = &["/ec2/instances", "/ec2/interfaces", "/ecs/hosts"];

type Counts = BTreeMap<&'static str, usize>;

/// How much there is of everything where nothing goes wrong: built, and destroyed again.
static SOUND: LazyLock<(Counts, Counts)> = LazyLock::new(|| {
    let env = world(1);
    env.run(APPLY).ok();
    let built = held(&env);
    env.run(&["destroy", DEV, "--auto-approve"]).ok();
    (built, held(&env))
});

/// envs/dev in a world of its own; the seed decides which calls are struck.
fn world(seed: u64) -> TestEnvironment {
    let env = TestEnvironment::shipped();
    let settings = env.read("envs/dev/cutover.hcl");
    let seeded = settings.replacen("cutover {", &format!("cutover {{\n  seed = {seed}"), 1);
    env.write("envs/dev/cutover.hcl", &seeded);
    env
}

fn declare(env: &TestEnvironment, fault: &str) {
    let words: Vec<&str> = fault.split(' ').collect();
    env.run(&[&["sim", "fault", "add", DEV], &words[..]].concat()).ok();
}

fn clear(env: &TestEnvironment) {
    env.run(&["sim", "fault", "clear", DEV]).ok();
}

/// Counts by kind, with the revisions of task definitions and the versions of launch templates.
fn held(env: &TestEnvironment) -> Counts {
    let mut counts: Counts = KINDS.iter().map(|kind| (*kind, in_world_of(env, DEV, kind))).collect();
    let world: Json = serde_json::from_str(&env.read("envs/dev/.cutover/world.json")).expect("JSON");
    let inner = |all: &str, each: &str, counts_as: &dyn Fn(&Json) -> bool| {
        let all = world.pointer(all).and_then(Json::as_object).expect("a map").values();
        let parts = all.filter_map(|one| one[each].as_object());
        parts.flat_map(|parts| parts.values()).filter(|part| counts_as(part)).count()
    };
    let active = |revision: &Json| !revision.to_string().contains("\"INACTIVE\"");
    counts.insert("active task definitions", inner("/ecs/families", "revisions", &active));
    counts.insert("launch template versions", inner("/ec2/launch_templates", "versions", &|_| true));
    counts
}

/// Runs apply until it succeeds, at most so often; what is not a success says what to do.
fn apply_within(env: &TestEnvironment, runs: usize, more: &[&str]) {
    for run in 1.. {
        let ran = env.run(&[APPLY, more].concat());
        if ran.code == 0 {
            return;
        }
        states(&ran, &["error[", "Run the same command again to go on"]);
        assert!(run < runs, "run {run} still fails\n{}", ran.all());
    }
}

/// Everything is there once, and nothing is to be done.
#[track_caller]
fn is_sound(env: &TestEnvironment, more: &[&str]) {
    let plan = env.run(&[&["plan", DEV, "--detailed-exitcode"], more].concat());
    assert_eq!(plan.code, 0, "a second plan is not empty\n{}", plan.all());
    assert_eq!(held(env), SOUND.0);
}

#[track_caller]
fn leaves_nothing(env: &TestEnvironment) {
    let mut destroyed = env.run(&["destroy", DEV, "--auto-approve"]);
    if destroyed.code != 0 {
        states(&destroyed, &["error["]);
        destroyed = env.run(&["destroy", DEV, "--auto-approve"]);
    }
    assert_eq!(destroyed.code, 0, "{}", destroyed.all());
    assert_eq!(env.run(&["state", "list", DEV]).ok().stdout, "");
    assert_eq!(held(env), SOUND.1);
    for kind in MOVING {
        assert_eq!(in_world_of(env, DEV, kind), 0, "{kind}");
    }
}

/// A share of all calls goes wrong, from the first apply to the destroy; between them all must be sound.
fn survives(calls: &str, seeds: &[u64]) {
    for seed in seeds {
        println!("seed {seed}");
        let env = world(*seed);
        declare(&env, calls);
        apply_within(&env, 2, &[]);
        clear(&env);
        is_sound(&env, &[]);
        env.run(&["drift", DEV, "--detailed-exitcode"]).exits(0);
        declare(&env, calls);
        leaves_nothing(&env);
    }
}

#[test]
fn throttled_calls() {
    survives("calls throttle --probability 0.3", &[1, 2]);
}

#[test]
fn internal_errors() {
    survives("calls internal-error --probability 0.1", &[1, 2]);
}

#[test]
fn calls_that_never_arrive() {
    survives("calls timeout --probability 0.05", &[1, 2]);
}

#[test]
fn answers_that_never_arrive() {
    survives("calls timeout-after --probability 0.1", &[1, 2, 3]);
}

#[test]
fn connections_that_break_after_the_call() {
    survives("calls reset-after --probability 0.1", &[1, 2, 3]);
}

#[test]
fn reads_of_what_was() {
    survives("calls stale --age 2s --probability 0.3", &[1, 2]);
}

#[test]
fn instances_that_boot_slowly() {
    survives("slow-boot 3m", &[1]);
}

#[test]
fn roles_that_are_not_known_everywhere_at_once() {
    survives("iam-delay 30s", &[1]);
}

#[test]
fn ids_that_are_not_known_at_once() {
    survives("ec2-delay 10s", &[1]);
}

#[test]
fn no_capacity_for_one_type_in_one_zone() {
    survives("no-capacity --type t3.medium --zone us-east-1a", &[1]);
}

#[test]
fn a_zone_that_is_lost_in_the_middle() {
    for after in ["20s", "3m", "5m"] {
        let env = world(1);
        declare(&env, &format!("lost-zone us-east-1a --after {after} --for 30m"));
        apply_within(&env, 3, &[]);
        clear(&env);
        is_sound(&env, &[]);
        leaves_nothing(&env);
    }
}

/// Two rollouts at once, while answers get lost: each is begun once and followed to its end.
#[test]
fn rollouts_whose_answers_never_arrive() {
    const NEW: &[&str] =
        &["--var", "image_tag=2.0.0", "--var", "instance_types=[\"m6i.large\",\"m5.large\"]"];
    for seed in [1, 2, 3] {
        println!("seed {seed}");
        let env = world(seed);
        env.run(APPLY).ok();
        declare(&env, "calls reset-after --probability 0.1");
        apply_within(&env, 2, NEW);
        clear(&env);
        is_sound(&env, NEW);
        assert_eq!(in_world_of(&env, DEV, "/ecs/service_deployments"), 2);
        leaves_nothing(&env);
    }
}

#[test]
fn spot_instances_that_are_interrupted_during_a_refresh() {
    const NEW: &[&str] = &["--var", "instance_types=[\"m6i.large\",\"m5.large\"]"];
    for after in ["1m", "4m"] {
        let env = world(1);
        env.run(APPLY).ok();
        declare(&env, &format!("spot-interruption --share 1 --after {after}"));
        apply_within(&env, 2, NEW);
        is_sound(&env, NEW);
        leaves_nothing(&env);
    }
}

#[test]
fn somebody_else_between_plan_and_apply() {
    let env = world(1);
    env.run(APPLY).ok();
    env.run(&["plan", DEV, "--var", "image_tag=2.0.0", "--out", "new.plan"]).ok();
    let edit = r#"{"AutoScalingGroupName":"shop-dev","MaxSize":9}"#;
    env.run(&["sim", "fault", "add", DEV, "edit", "autoscaling", "UpdateAutoScalingGroup", edit]).ok();
    let refused = env.run(&["apply", "new.plan"]).exits(1);
    states(&refused, &["has moved", "aws_autoscaling_group.this", "nothing was changed"]);
    env.run(&["drift", DEV, "--detailed-exitcode"]).exits(2);
    env.run(&["plan", DEV, "--detailed-exitcode"]).exits(2);
    apply_within(&env, 1, &[]);
    is_sound(&env, &[]);
    leaves_nothing(&env);
}

#[test]
fn credentials_that_expire_in_the_middle() {
    for after in ["5s", "60s", "150s"] {
        println!("after {after}");
        let env = world(1);
        declare(&env, &format!("calls expired-credentials --after {after}"));
        let ran = env.run(APPLY).exits(1);
        states(&ran, &["xpired", "Run the same command again to go on"]);
        clear(&env);
        apply_within(&env, 1, &[]);
        is_sound(&env, &[]);
        leaves_nothing(&env);
    }
}

/// The answer is lost, and then nobody may look: the intent stays in the journal until the next run can.
#[test]
fn what_cannot_be_looked_for_is_looked_for_by_the_next_run() {
    for (create, look) in [
        ("CreateInternetGateway", "DescribeInternetGateways"),
        ("AllocateAddress", "DescribeAddresses"),
        ("CreateVpc", "DescribeVpcs"),
    ] {
        let env = world(1);
        declare(&env, &format!("calls reset-after --service ec2 --operation {create} --times 1"));
        declare(&env, &format!("calls expired-credentials --service ec2 --operation {look}"));
        env.run(APPLY).exits(1);
        clear(&env);
        apply_within(&env, 1, &[]);
        is_sound(&env, &[]);
        leaves_nothing(&env);
    }
}

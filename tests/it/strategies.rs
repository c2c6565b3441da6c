//! Every strategy of a rollout, and what goes wrong meanwhile: each scenario is a file in fixtures/rollouts.

use crate::environment::{Ran, TestEnvironment, ran, repository};
use crate::scenarios::changes;
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// What becomes of every rollout in these, at least.
const CASES: &[&str] = &[
    "alarm",
    "bad-image",
    "edited",
    "killed",
    "lost-zone",
    "no-capacity",
    "spot-interruption",
    "succeeds",
    "throttling",
    "unhealthy-targets",
];

/// The exit code of a process that `sim fault add . kill` ended.
const KILLED: i32 = 137;

/// One file of fixtures/rollouts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What goes wrong, and what comes of it.
    #[allow(dead_code, reason = "for readers")]
    about: String,
    /// Commands of Cutover before the release.
    #[serde(default)]
    given: Vec<String>,
    /// More arguments of the release.
    #[serde(default)]
    with: String,
    #[serde(flatten)]
    released: Expected,
    /// The same command again, when what went wrong is over.
    then: Option<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    exit: i32,
    #[serde(default)]
    says: Vec<String>,
    /// Requests, of 50 a second, from the release to 20 minutes after it.
    #[serde(default)]
    lost_at_most: u64,
    /// `old`, `new`; `both` only where it was killed in the middle.
    serves: String,
    /// What the next plan of the release still changes.
    #[serde(default)]
    remains: Vec<String>,
}

/// What carries a release.
#[derive(Clone, Copy, PartialEq)]
enum Released {
    Tasks,
    /// Of ECS.
    Hosts,
    /// Instances that serve themselves.
    Fleets,
}

impl Released {
    fn by(strategy: &str) -> Self {
        match strategy.split('-').next() {
            Some("hosts") => Released::Hosts,
            Some("fleets") => Released::Fleets,
            _ => Released::Tasks,
        }
    }
}

/// A strategy's environment: applied, with requests coming in.
struct Strategy {
    name: &'static str,
    released: Released,
    base: TestEnvironment,
}

impl Strategy {
    fn new(name: &'static str, shared: &[&str]) -> Self {
        let base = TestEnvironment::with_root("");
        let from = repository().join("fixtures/rollouts");
        for file in shared {
            let text = std::fs::read_to_string(from.join(file)).expect("a shared file");
            base.write(&format!("root/{file}"), &text);
        }
        for file in
            files(&from.join(name), &["tf"]).into_iter().chain(files(&from.join(name), &["rollout.hcl"]))
        {
            let text = std::fs::read_to_string(from.join(name).join(&file)).expect("readable");
            base.write(&format!("root/{file}"), &text);
        }
        let this = Self { name, released: Released::by(name), base };
        World { env: &this.base, released: this.released }.run("apply . --auto-approve").ok();
        World { env: &this.base, released: this.released }.run("sim traffic set . 50").ok();
        this
    }

    fn cases(&self) -> Vec<String> {
        let dir = repository().join("fixtures/rollouts").join(self.name);
        let all = files(&dir, &["hcl"]).into_iter().filter(|f| f != "rollout.hcl");
        all.map(|f| f.trim_end_matches(".hcl").to_owned()).collect()
    }

    /// Each in a copy of the same world; what was not as the file says.
    fn all(&self) {
        let only = std::env::var("CUTOVER_TEST_SCENARIO").ok();
        let mut wrong = Vec::new();
        let cases = self.cases();
        for case in cases.iter().filter(|case| only.as_ref().is_none_or(|only| only == *case)) {
            if let Err(why) = self.scenario(case) {
                wrong.push(format!("== {}/{case}.hcl\n{why}", self.name));
            }
        }
        println!("counted: {} scenarios of {}", cases.len(), self.name);
        let missing: Vec<&&str> = CASES.iter().filter(|case| !cases.iter().any(|c| c == **case)).collect();
        assert!(missing.is_empty(), "{} lacks {missing:?}", self.name);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn copy(&self) -> TestEnvironment {
        let env = TestEnvironment::new();
        for entry in walkdir::WalkDir::new(self.base.path()) {
            let entry = entry.expect("readable");
            let to = env.path().join(entry.path().strip_prefix(self.base.path()).expect("inside"));
            if entry.file_type().is_dir() {
                std::fs::create_dir_all(to).expect("made");
            } else {
                std::fs::copy(entry.path(), to).expect("copied");
            }
        }
        env
    }

    fn read(&self, case: &str) -> Result<Scenario, String> {
        let path = repository().join("fixtures/rollouts").join(self.name).join(format!("{case}.hcl"));
        let text = std::fs::read_to_string(&path).expect("readable");
        hcl::from_str(&text).map_err(|e| format!("not a scenario: {e}"))
    }

    /// What Terraform does for the same release: its calls, one after the other, and then it is done.
    fn as_terraform_does(&self, case: &str) -> Came {
        let env = self.copy();
        let world = World { env: &env, released: self.released };
        for command in self.read(case).expect("a scenario").given {
            world.run(&command).ok();
        }
        let dir = repository().join("fixtures/rollouts").join(self.name);
        let own = dir.join(format!("terraform.{case}.json"));
        let path = if own.exists() { own } else { dir.join("terraform.json") };
        let text = std::fs::read_to_string(path).expect("readable");
        let phases: Vec<Json> = serde_json::from_str(&text).expect("lists of calls");
        let began = world.now();
        for calls in phases {
            env.write("root/terraform.json", &world.with_ids(calls.to_string()));
            world.run("sim fault script . terraform.json").ok();
            world.run("sim wait . 5s").ok();
        }
        // So long ECS lets hosts drain.
        world.run(if self.released == Released::Hosts { "sim wait . 72h" } else { "sim wait . 1h" }).ok();
        Came { exit: 0, lost: world.lost_since(began).0, serves: world.serves() }
    }

    fn scenario(&self, case: &str) -> Result<Came, String> {
        let scenario = self.read(case)?;
        let env = self.copy();
        let world = World { env: &env, released: self.released };
        for command in &scenario.given {
            world.run(command).ok();
        }
        let began = world.now();
        let release = format!("--var release=v2 {}", scenario.with);
        let apply = &format!("apply . --auto-approve {release}");
        let ran = world.run(apply);
        let mut came = world.is_as(&scenario.released, &ran, &release, began)?;
        if let Some(then) = &scenario.then {
            world.run("sim fault clear .").ok();
            let began = world.now();
            let ran = world.run(apply);
            let after = world.is_as(then, &ran, &release, began).map_err(|why| format!("then: {why}"))?;
            if came.exit == KILLED {
                came = Came { lost: came.lost + after.lost, ..after };
            }
        }
        Ok(came)
    }
}

/// What came of a release.
struct Came {
    exit: i32,
    lost: u64,
    serves: String,
}

fn files(dir: &Path, ends: &[&str]) -> Vec<String> {
    let listed = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let names = listed.map(|e| e.expect("readable").file_name().to_string_lossy().into_owned());
    let all: BTreeSet<String> = names.filter(|n| ends.iter().any(|end| n.ends_with(end))).collect();
    all.into_iter().collect()
}

struct World<'e> {
    env: &'e TestEnvironment,
    released: Released,
}

impl World<'_> {
    fn command(&self, words: &str) -> Command {
        let args: Vec<&str> = words.split_whitespace().collect();
        let mut command = self.env.command(&args);
        command.current_dir(self.env.path().join("root"));
        command
    }

    fn run(&self, words: &str) -> Ran {
        ran(self.command(words).output().expect("the binary runs"))
    }

    fn json(&self) -> Json {
        serde_json::from_str(&self.env.read("root/.cutover/world.json")).expect("JSON")
    }

    /// With ids of resources for `${their.address}`, and ARNs of target groups for `${group:name}`.
    fn with_ids(&self, mut calls: String) -> String {
        let state: Json = serde_json::from_str(&self.env.read("root/.cutover/state.json")).expect("JSON");
        for (address, resource) in state["resources"].as_object().expect("resources") {
            let id = resource["id"].as_str().expect("an id");
            calls = calls.replace(&format!("${{{}}}", address.replace('"', "'")), id);
        }
        for group in values(&self.json()["elbv2"]["groups"]) {
            let of = |name: &str| group[name].as_str().expect("text").to_owned();
            calls = calls.replace(&format!("${{group:{}}}", of("name")), &of("arn"));
        }
        assert!(!calls.contains("${"), "there is no such resource: {calls}");
        calls
    }

    fn now(&self) -> i64 {
        self.json()["now"].as_i64().expect("a time")
    }

    /// How many requests, and where and why.
    fn lost_since(&self, began: i64) -> (u64, String) {
        let seconds = (self.now() - began) / 1000;
        let report = self.run(&format!("sim traffic report . --since {seconds}s")).ok().stdout;
        (lost(&report), report)
    }

    fn is_as(&self, expected: &Expected, ran: &Ran, release: &str, began: i64) -> Result<Came, String> {
        let mut wrong = Vec::new();
        if ran.code != expected.exit {
            wrong.push(format!("exit {} instead of {}", ran.code, expected.exit));
        }
        for words in expected.says.iter().filter(|words| !ran.stderr.contains(words.as_str())) {
            wrong.push(format!("it does not say {words:?}"));
        }
        self.run("sim wait . 20m").ok();
        let (lost, report) = self.lost_since(began);
        if lost > expected.lost_at_most {
            wrong.push(format!("{lost} requests were lost\n{report}"));
        }
        let serves = self.serves();
        if serves != expected.serves {
            wrong.push(format!("{serves} serves instead of {}", expected.serves));
        }
        let plan = self.run(&format!("plan . --format json {release}")).ok().json();
        let remains: BTreeSet<String> = changes(&plan).into_iter().map(|(address, _)| address).collect();
        if !remains.iter().eq(expected.remains.iter()) {
            wrong.push(format!("the next plan changes {remains:?} instead of {:?}", expected.remains));
        }
        if wrong.is_empty() {
            Ok(Came { exit: ran.code, lost, serves })
        } else {
            Err(format!("{}\n{}", wrong.join("\n"), ran.stderr))
        }
    }

    /// Which release gets the traffic.
    fn serves(&self) -> String {
        let world = self.json();
        let releases = match self.released {
            Released::Tasks => releases_of_tasks(&world),
            Released::Hosts => releases_of_hosts(&world),
            Released::Fleets => releases_of_fleets(&world),
        };
        match &releases.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["v1"] => "old".to_owned(),
            ["v2"] => "new".to_owned(),
            [] => "nothing".to_owned(),
            _ => "both".to_owned(),
        }
    }
}

/// `web: 100 sent, 90 served, 10 lost`
fn lost(report: &str) -> u64 {
    let counts =
        report.lines().filter_map(|line| line.strip_suffix(" lost")?.rsplit(' ').next()?.parse::<u64>().ok());
    counts.sum()
}

fn values(all: &Json) -> impl Iterator<Item = &Json> {
    all.as_object().into_iter().flat_map(|all| all.values())
}

/// By the images of tasks in the target groups that get requests.
fn releases_of_tasks(world: &Json) -> BTreeSet<String> {
    let serving = serving(world);
    let tasks = values(&world["ecs"]["tasks"]).filter(|task| {
        let mut targets = task["targets"].as_array().into_iter().flatten();
        task["status"] == "Running" && targets.any(|t| t[0].as_str().is_some_and(|arn| serving.contains(arn)))
    });
    let images = tasks.filter_map(|task| task["containers"][0]["image"].as_str()?.rsplit(':').next());
    images.map(str::to_owned).collect()
}

/// ARNs of the target groups that get requests.
fn serving(world: &Json) -> BTreeSet<&str> {
    let actions = values(&world["elbv2"]["rules"]).chain(values(&world["elbv2"]["listeners"]));
    let groups = actions.flat_map(|one| one["actions"].as_array().into_iter().flatten()).flat_map(|action| {
        let single = action["TargetGroupArn"].as_str().map(|arn| (arn, 1));
        let several = action["ForwardConfig"]["TargetGroups"].as_array().into_iter().flatten();
        let several: Vec<(&str, i64)> = several
            .filter_map(|g| Some((g["TargetGroupArn"].as_str()?, g["Weight"].as_i64().unwrap_or(1))))
            .collect();
        if several.is_empty() { single.into_iter().collect() } else { several }
    });
    groups.filter(|(_, weight)| *weight > 0).map(|(arn, _)| arn).collect()
}

/// By what instances in service were launched with.
fn releases_of_hosts(world: &Json) -> BTreeSet<String> {
    releases_of(world, values(&world["autoscaling"]["groups"]))
}

/// The same of those that stand in the target groups that get requests.
fn releases_of_fleets(world: &Json) -> BTreeSet<String> {
    let serving = serving(world);
    let serves = |group: &&Json| {
        let mut groups = group["target_groups"].as_array().into_iter().flatten();
        groups.any(|arn| arn.as_str().is_some_and(|arn| serving.contains(arn)))
    };
    releases_of(world, values(&world["autoscaling"]["groups"]).filter(serves))
}

fn releases_of<'w>(world: &Json, groups: impl Iterator<Item = &'w Json>) -> BTreeSet<String> {
    let members = groups.flat_map(|group| values(&group["members"]));
    let serving = members.filter(|member| member["lifecycle"] == "InService");
    let data = serving
        .filter_map(|member| world["ec2"]["instances"][member["id"].as_str()?]["spec"]["user_data"].as_str());
    data.filter_map(|data| data.split("release ").nth(1)?.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn ecs_rolling() {
    Strategy::new("ecs-rolling", &["base.tf"]).all();
}

#[test]
fn ecs_blue_green() {
    Strategy::new("ecs-blue-green", &["base.tf", "ecs-native.tf"]).all();
}

#[test]
fn ecs_linear() {
    Strategy::new("ecs-linear", &["base.tf", "ecs-native.tf"]).all();
}

#[test]
fn ecs_canary() {
    Strategy::new("ecs-canary", &["base.tf", "ecs-native.tf"]).all();
}

#[test]
fn code_deploy() {
    Strategy::new("code-deploy", &["base.tf"]).all();
}

#[test]
fn traffic_canary() {
    Strategy::new("traffic-canary", &["base.tf"]).all();
}

#[test]
fn target_group() {
    Strategy::new("target-group", &["base.tf"]).all();
}

#[test]
fn hosts_refresh() {
    Strategy::new("hosts-refresh", &["base.tf", "hosts.tf"]).all();
}

#[test]
fn hosts_surge() {
    Strategy::new("hosts-surge", &["base.tf", "hosts.tf"]).all();
}

#[test]
fn fleets_blue_green() {
    Strategy::new("fleets-blue-green", &["base.tf"]).all();
}

#[test]
fn a_fleet_is_filled_before_it_gets_traffic_and_emptied_after_it_lost_it() {
    let fleets = Strategy::new("fleets-blue-green", &["base.tf"]);
    let env = fleets.copy();
    let world = World { env: &env, released: fleets.released };
    let plan = world.run("plan . --var release=v2").ok();
    for code in ["CUT-003", "CUT-016"] {
        assert!(!plan.stderr.contains(code), "{}", plan.all());
    }
    let began = world.now();
    let ran = world.run("apply . --auto-approve --var release=v2").ok();
    let at = |words: &str| ran.stderr.find(words).unwrap_or_else(|| panic!("no {words:?} in\n{}", ran.all()));
    let order = [
        "aws_autoscaling_group.fleet[\"green\"]: changed",
        "aws_lb_listener_rule.web: step 2 of 4: move 10 % of the traffic to web-green",
        "aws_lb_listener_rule.web: changed",
        "aws_autoscaling_group.fleet[\"blue\"]: changing",
        "aws_autoscaling_group.fleet[\"blue\"]: capacity: 4 instances drain and end",
    ];
    assert!(order.map(at).is_sorted(), "{}", ran.all());
    assert_eq!(world.lost_since(began).0, 0);
    // And back: what has served is filled again.
    let ran = world.run("apply . --auto-approve").ok();
    assert!(ran.stderr.contains("move 10 % of the traffic to web-blue"), "{}", ran.all());
    assert_eq!((world.serves().as_str(), world.lost_since(began).0), ("old", 0));
}

#[test]
fn hosts_and_tasks_of_a_cluster_never_roll_at_once() {
    let hosts = Strategy::new("hosts-refresh", &["base.tf", "hosts.tf"]);
    let env = hosts.copy();
    let main = env.read("root/hosts.tf").replace("image = \"v1\"", "image = var.release");
    env.write("root/hosts.tf", &main);
    let world = World { env: &env, released: Released::Hosts };
    let began = world.now();
    let ran = world.run("apply . --auto-approve --var release=v2").ok();
    let at = |words: &str| ran.stderr.find(words).unwrap_or_else(|| panic!("no {words:?} in\n{}", ran.all()));
    assert!(
        at("aws_autoscaling_group.hosts: changed") < at("aws_ecs_service.web: changing"),
        "{}",
        ran.all()
    );
    assert_eq!(world.lost_since(began).0, 0);
    assert_eq!(world.serves(), "new");
    assert_eq!(releases_of_tasks(&world.json()), ["v2".to_owned()].into());
}

#[test]
fn a_deployment_that_finds_no_room_is_told_before() {
    let rolling = Strategy::new("ecs-rolling", &["base.tf"]);
    let env = rolling.copy();
    let world = World { env: &env, released: Released::Tasks };
    let plan = "plan . --var release=v2";
    assert!(!world.run(plan).ok().all().contains("CUT-002"), "there is room for four more hosts");
    env.write(
        "root/base.tf",
        &env.read("root/base.tf").replace("max_size            = 8", "max_size            = 4"),
    );
    let told = world.run(plan).ok();
    for words in ["CUT-002", "it starts 1 task beside the 4 that run, and there is room for 0"] {
        assert!(told.all().contains(words), "{words}\n{}", told.all());
    }
}

#[test]
fn traffic_that_ecs_moves_is_told_before() {
    let native = Strategy::new("ecs-blue-green", &["base.tf", "ecs-native.tf"]);
    let env = native.copy();
    let world = World { env: &env, released: Released::Tasks };
    let rule = env.read("root/ecs-native.tf");
    let green = rule
        .find("      target_group {\n        arn    = aws_lb_target_group.web[\"green\"]")
        .expect("green");
    let end = green + rule[green..].find("}\n").expect("its end") + 2;
    env.write("root/ecs-native.tf", &[&rule[..green], &rule[end..]].concat());
    let told = world.run("plan .");
    assert!(told.all().contains("CUT-004"), "{}", told.all());
}

/// The table that the README shows: what comes of the same releases when they are sent and not followed.
#[test]
fn side_by_side() {
    let mut table = String::from(
        "| release | meanwhile | sent and not followed: exit, lost, serves | Cutover: exit, lost, serves |\n\
         | --- | --- | --- | --- |\n",
    );
    for name in ["ecs-rolling", "traffic-canary", "target-group", "hosts-refresh"] {
        let shared: &[&str] = if name == "hosts-refresh" { &["base.tf", "hosts.tf"] } else { &["base.tf"] };
        let strategy = Strategy::new(name, shared);
        for case in strategy.cases().iter().filter(|case| !["killed", "edited"].contains(&case.as_str())) {
            let theirs = strategy.as_terraform_does(case);
            let ours = strategy.scenario(case).unwrap_or_else(|why| panic!("{name}/{case}: {why}"));
            let told = |came: &Came| format!("{}, {}, {}", came.exit, came.lost, came.serves);
            table +=
                &format!("| {name} | {} | {} | {} |\n", case.replace('-', " "), told(&theirs), told(&ours));
        }
    }
    println!("{table}");
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("readable");
    assert!(readme.contains(&table), "the README shows another table");
}

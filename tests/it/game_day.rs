//! Faults of the embedded AWS, as users declare them.

use super::environment::TestEnvironment;
use super::others::Served;

const ROOT: &str = "resource \"aws_vpc\" \"a\" {\n  cidr_block = \"10.0.0.0/16\"\n  tags       = { owner = \"us\" }\n}\n";

fn add(env: &TestEnvironment, args: &[&str]) -> super::environment::Ran {
    env.run(&[&["sim", "fault", "add", "root"], args].concat())
}

#[test]
fn faults_are_declared_listed_and_cleared() {
    let env = TestEnvironment::with_root(ROOT);
    add(&env, &["lost-zone", "us-east-1b", "--after", "5m", "--for", "1h"]).ok();
    let told = add(&env, &["calls", "throttle", "--service", "ec2", "--probability", "0.25"]).ok().stdout;
    assert_eq!(
        told, "  1  in 5m, for 1h: zone us-east-1b is lost\n  2  now: throttle for 25% of ec2 *\n",
        "the list is told as it is then"
    );
    assert_eq!(env.run(&["sim", "fault", "list", "root"]).ok().stdout, told);
    assert_eq!(env.run(&["sim", "fault", "clear", "root", "1"]).ok().stdout, "1 cleared.\n");
    env.run(&["sim", "fault", "clear", "root"]).ok();
    let none = env.run(&["sim", "fault", "list", "root"]).ok().stdout;
    assert_eq!(none, "No fault is declared that is not over.\n");
    let image = env.run(&["sim", "image", "set", "root", "*:bad", "--crash", "0.5", "--boot", "20s"]).ok();
    assert_eq!(image.stdout, "containers of *:bad: boot 20s, crash 50%, healthy, 0% of requests fail\n");
}

#[test]
fn a_script_declares_all_or_nothing() {
    let env = TestEnvironment::with_root(ROOT);
    let script =
        r#"[{"fault": "slow-boot", "by": 60000, "for": "10m"}, {"fault": "lost-zone", "zone": "mars"}]"#;
    env.write("bad.json", script);
    let refused = env.run(&["sim", "fault", "script", "root", "bad.json"]).exits(1);
    assert!(refused.stderr.contains("fault 2: there is no zone `mars`"), "{}", refused.all());
    assert!(env.run(&["sim", "fault", "list", "root"]).ok().stdout.starts_with("No fault"));
    env.write("good.json", &script.replace("mars", "us-east-1c"));
    assert_eq!(env.run(&["sim", "fault", "script", "root", "good.json"]).ok().stdout.lines().count(), 2);
}

#[test]
fn a_wrong_fault_says_what_there_is() {
    let env = TestEnvironment::with_root(ROOT);
    for (args, told) in [
        (&["lost-zone", "mars"][..], "there are us-east-1a, us-east-1b"),
        (&["calls", "reset", "--service", "esc"], "there is no service `esc` here; there are acm"),
        (&["calls", "reset", "--probability", "7"], "7 is not between 0 and 1"),
        (&["calls", "reset", "--after", "soon"], "`soon` is not a duration such as 90s, 5m or 1h30m"),
        (&["edit", "ec2", "DeleteVpc", "{"], "is not JSON"),
        (&["edit", "ec2", "DeleteMoon", "{}"], "no operation ec2 DeleteMoon"),
    ] {
        let refused = add(&env, args).exits(1);
        assert!(refused.stderr.contains(told), "{args:?}: {}", refused.all());
    }
}

#[test]
fn an_edit_by_somebody_else_is_drift() {
    let env = TestEnvironment::with_root(ROOT);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let id = env.run(&["state", "show", "root", "aws_vpc.a"]).ok().stdout;
    let id = id.split('"').find(|word| word.starts_with("vpc-")).expect("it has an id").to_owned();
    let input = format!(r#"{{"Resources": ["{id}"], "Tags": [{{"Key": "owner", "Value": "them"}}]}}"#);
    add(&env, &["edit", "ec2", "CreateTags", &input]).ok();
    let drift = env.run(&["drift", "root", "--detailed-exitcode"]).exits(2);
    assert!(drift.stdout.contains("them"), "{}", drift.all());
}

#[test]
fn a_served_world_takes_faults_through_its_port() {
    let env = TestEnvironment::with_root(ROOT);
    env.run(&["plan", "root"]).ok();
    let _served = Served::of(&env, "root");
    let told = add(&env, &["no-capacity", "--type", "t3.*", "--zone", "us-east-1a"]).ok().stdout;
    assert_eq!(told, "  1  now: no capacity for t3.* in us-east-1a\n");
    let refused = add(&env, &["lost-zone", "mars"]).exits(1);
    assert!(refused.stderr.contains("there is no zone `mars`"), "{}", refused.all());
    assert_eq!(env.run(&["sim", "fault", "clear", "root"]).ok().stdout, "1 cleared.\n");
}

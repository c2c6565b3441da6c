//! Clients that nobody here wrote, reading and changing the embedded AWS through `sim serve`.

use crate::environment::{TestEnvironment, repository};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A served world; ended when dropped.
pub struct Served {
    child: Child,
    endpoint: String,
}

impl Served {
    pub fn of(env: &TestEnvironment, dir: &str) -> Self {
        let mut command = env.command(&["sim", "serve", dir, "--port", "0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        stdout.read_line(&mut line).expect("said where");
        let endpoint = line.split_whitespace().find_map(|w| w.strip_prefix("AWS_ENDPOINT_URL="));
        Self { child, endpoint: endpoint.unwrap_or_else(|| panic!("no endpoint in {line:?}")).to_owned() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A killed server loses nothing: the world is saved with every change.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Python with boto3, as tests/run sets it up.
fn python() -> Option<String> {
    let found = std::env::var("CUTOVER_TEST_PYTHON").ok();
    if found.is_none() {
        println!("counted: boto3 skipped, CUTOVER_TEST_PYTHON is not set (tests/run sets it)");
    }
    found
}

fn script(python: &str, name: &str, endpoint: &str) -> String {
    let output = Command::new(python)
        .arg(repository().join("fixtures/boto3").join(name))
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "embedded")
        .env("AWS_SECRET_ACCESS_KEY", "embedded")
        .output()
        .expect("python runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn boto3_sees_what_was_applied_and_drift_reports_what_it_changed() {
    let Some(python) = python() else { return };
    let env = TestEnvironment::shipped();
    env.run(&["apply", "envs/dev", "--auto-approve"]).ok();
    let served = Served::of(&env, "envs/dev");
    println!("counted: {}", script(&python, "read.py", &served.endpoint).trim());
    // While it is served, commands use the server.
    env.run(&["drift", "envs/dev", "--detailed-exitcode"]).exits(0);
    script(&python, "edit.py", &served.endpoint);
    let drift = env.run(&["drift", "envs/dev", "--detailed-exitcode", "--format", "json"]).exits(2).json();
    let found: Vec<(&str, Vec<&str>)> = drift["resources"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|r| {
            let names = r["attributes"].as_array().expect("a list").iter();
            (r["address"].as_str().expect("text"), names.map(|a| a["name"].as_str().expect("text")).collect())
        })
        .collect();
    let expected = [
        ("module.alb.aws_lb_target_group.this[\"blue\"]", vec!["health_check"]),
        ("module.network.aws_vpc.this", vec!["tags_all"]),
    ];
    assert_eq!(found, expected);
    // The same again from the saved world, without the server.
    drop(served);
    let drift = env.run(&["drift", "envs/dev", "--detailed-exitcode"]).exits(2);
    assert!(drift.stdout.contains("2 of"), "{}", drift.all());
    // Applying puts it back as declared.
    env.run(&["apply", "envs/dev", "--auto-approve"]).ok();
    env.run(&["drift", "envs/dev", "--detailed-exitcode"]).exits(0);
}

#[test]
fn one_process_owns_the_world() {
    let env = TestEnvironment::shipped();
    let served = Served::of(&env, "envs/dev");
    let second = env.run(&["sim", "serve", "envs/dev", "--port", "0"]).exits(1);
    assert!(second.stderr.contains(&served.endpoint), "{}", second.all());
    let reset = env.run(&["sim", "reset", "envs/dev"]).exits(1);
    assert!(reset.stderr.contains("served at"), "{}", reset.all());
}

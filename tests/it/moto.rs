//! The same binary against moto, a foreign AWS: our requests are well formed and our reads come back equal
//! in the eyes of people who never saw our simulator.

use crate::environment::{Ran, TestEnvironment, copy, repository};
use cutover::aws::types::ALL;
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard};

/// What moto cannot do of a resource type's example. `shows` is in the output of the command that fails: an
/// exception covers that failure and no other.
struct Gap {
    type_name: &'static str,
    shows: &'static str,
    reason: &'static str,
}

/// Reviewed against moto 5.2.5.
const GAPS: &[Gap] = &[
    Gap {
        type_name: "aws_appautoscaling_policy",
        shows: "ListServiceDeployments: Unreadable: HTTP 500",
        reason: "its example scales a service, see aws_ecs_service",
    },
    Gap {
        type_name: "aws_appautoscaling_target",
        shows: "ListServiceDeployments: Unreadable: HTTP 500",
        reason: "its example scales a service, see aws_ecs_service",
    },
    Gap {
        type_name: "aws_cloudwatch_metric_alarm",
        shows: "PutMetricAlarm: Unreadable: HTTP 404",
        reason: "moto's CloudWatch has no path for RPC v2 CBOR, and the SDK speaks nothing else",
    },
    Gap {
        type_name: "aws_codedeploy_app",
        shows: "DeleteApplication: Unreadable: HTTP 500",
        reason: "moto has no DeleteApplication",
    },
    Gap {
        type_name: "aws_codedeploy_deployment_config",
        shows: "CreateDeploymentConfig: Unreadable: HTTP 500",
        reason: "moto has no deployment configurations",
    },
    Gap {
        type_name: "aws_codedeploy_deployment_group",
        shows: "BatchGetDeploymentGroups: Unreadable: HTTP 500",
        reason: "moto has no BatchGetDeploymentGroups",
    },
    Gap {
        type_name: "aws_ecs_service",
        shows: "ListServiceDeployments: Unreadable: HTTP 500",
        reason: "moto has no service deployments, whose end a creation waits for",
    },
    Gap {
        type_name: "aws_route53_record",
        shows: "was made, but AWS does not show it",
        reason: "moto's ListResourceRecordSets passes over StartRecordIdentifier: of the weighted records of \
                 one name a look-up finds only the first",
    },
];

/// moto, for one test at a time: it has one world for all.
struct Moto {
    endpoint: String,
    python: String,
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

impl Moto {
    /// A wiped one; None, loudly, where there is none.
    fn fresh(what: &str) -> Option<Self> {
        let variable = |name: &str| {
            let value = std::env::var(name).ok().filter(|v| !v.is_empty());
            if value.is_none() {
                println!("counted: moto skipped, {name} is not set ({what})");
            }
            value
        };
        let endpoint = variable("CUTOVER_TEST_MOTO")?;
        let python = variable("CUTOVER_TEST_PYTHON")?;
        let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let moto = Self { endpoint, python, _turn: turn };
        moto.reset();
        Some(moto)
    }

    fn reset(&self) {
        let host = self.endpoint.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(host).expect("moto answers");
        write!(
            stream,
            "POST /moto-api/reset HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        assert!(answer.starts_with("HTTP/1.1 200"), "moto did not reset: {answer}");
    }

    fn variables(&self) -> [(&str, &str); 6] {
        [
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            // What moto lacks it answers with HTTP 500, which would be tried again and again.
            ("AWS_MAX_ATTEMPTS", "2"),
        ]
    }

    /// One command; the output of both streams if it exits otherwise than it should.
    fn run(&self, env: &TestEnvironment, root: &str, args: &[&str], code: i32) -> Result<Ran, String> {
        let mut all = vec![args[0], root, "--cloud", "aws"];
        all.extend(&args[1..]);
        let ran = env.run_with(&all, &self.variables());
        if ran.code == code { Ok(ran) } else { Err(format!("{}: {}", args.join(" "), ran.all())) }
    }

    fn inventory(&self) -> Inventory {
        let mut child = Command::new(&self.python)
            .arg(repository().join("fixtures/moto/inventory.py"))
            .arg(&self.endpoint)
            .envs(self.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let ask = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Inventory { child, ask, answers }
    }
}

/// What moto holds, as boto3 sees it.
struct Inventory {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Inventory {
    fn take(&mut self) -> Map<String, Value> {
        writeln!(self.ask, "list").expect("asked");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("answered");
        serde_json::from_str(&line).expect("a line of JSON: what Python printed is above")
    }
}

impl Drop for Inventory {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Applies, plans empty, finds no drift, destroys, and leaves moto as it was before. What it made.
fn live(
    moto: &Moto,
    env: &TestEnvironment,
    root: &str,
    inventory: &mut Inventory,
) -> Result<Vec<String>, String> {
    let before = inventory.take();
    moto.run(env, root, &["apply", "--auto-approve"], 0)?;
    let made = recorded(env, root);
    moto.run(env, root, &["plan", "--detailed-exitcode"], 0)?;
    moto.run(env, root, &["drift", "--detailed-exitcode"], 0)?;
    moto.run(env, root, &["destroy", "--auto-approve"], 0)?;
    let left = recorded(env, root);
    if !left.is_empty() {
        return Err(format!("still recorded after destroy: {left:#?}"));
    }
    let after = inventory.take();
    let left: Vec<_> = after.iter().filter(|(kind, held)| before.get(*kind) != Some(held)).collect();
    if left.is_empty() { Ok(made) } else { Err(format!("left over after destroy: {left:#?}")) }
}

fn recorded(env: &TestEnvironment, root: &str) -> Vec<String> {
    env.run(&["state", "list", root]).ok().stdout.lines().map(str::to_owned).collect()
}

#[test]
fn the_environment_lives_and_dies_on_moto() {
    let Some(moto) = Moto::fresh("the environment's network, roles, images, load balancer, logs") else {
        return;
    };
    let env = TestEnvironment::new();
    copy(&repository().join("modules"), &env.path().join("modules"));
    copy(&repository().join("fixtures/moto"), &env.path().join("fixtures/moto"));
    without_alarms(&env);
    let made = live(&moto, &env, "fixtures/moto", &mut moto.inventory()).unwrap_or_else(|e| panic!("{e}"));
    println!("counted: {} resources applied to moto, planned empty, without drift, destroyed", made.len());
    assert!(made.len() >= 50, "{made:#?}");
}

/// moto's CloudWatch takes the query protocol only, the SDK speaks RPC v2 CBOR only: see [`GAPS`].
fn without_alarms(env: &TestEnvironment) {
    let file = "modules/alb/main.tf";
    let (alarms, none) = ("for_each = aws_lb_target_group.this\n", "for_each = {}\n");
    let text = env.read(file);
    assert_eq!(text.matches(alarms).count(), text.matches("\"aws_cloudwatch_metric_alarm\"").count());
    env.write(file, &text.replace(alarms, none));
}

#[test]
fn every_type_lives_and_dies_on_moto() {
    let Some(moto) = Moto::fresh("every resource type's example") else { return };
    let mut inventory = moto.inventory();
    let mut problems = Vec::new();
    for one in ALL {
        let schema = one.schema();
        let gap = GAPS.iter().find(|g| g.type_name == schema.name);
        moto.reset();
        let env = TestEnvironment::with_root(schema.example);
        match (live(&moto, &env, "root", &mut inventory), gap) {
            (Ok(_), None) => {}
            (Ok(_), Some(gap)) => problems
                .push(format!("{}: moto can do it now, drop it from the list ({})", schema.name, gap.reason)),
            (Err(problem), Some(gap)) if problem.contains(gap.shows) => {}
            (Err(problem), _) => problems.push(format!("{}: {problem}", schema.name)),
        }
    }
    for gap in GAPS {
        assert!(cutover::aws::types::find(gap.type_name).is_some(), "{} is no type", gap.type_name);
    }
    println!(
        "counted: {} of {} resource types through create, read, drift and delete on moto, {} are known gaps of it",
        ALL.len() - GAPS.len(),
        ALL.len(),
        GAPS.len()
    );
    assert!(problems.is_empty(), "{} types:\n{}", problems.len(), problems.join("\n\n"));
}

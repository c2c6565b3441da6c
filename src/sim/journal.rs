//! The calls since a world was saved. A large world is not written anew after every call, only the call is; nor is any
//! world after a call that only looks. Whoever loads the world carries them out again. The same calls at the same
//! times come to the same, so nothing is lost that was answered.

use super::{World, wire};
use crate::world::Millis;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Smaller worlds are written whole after every call that changes them.
pub const LARGE: u64 = 1 << 20;

/// A world as it was written: its size, and what its journal knows it by.
#[derive(Clone, Debug)]
pub struct Saved {
    pub bytes: u64,
    pub digest: String,
}

/// The first line: which saved world the calls are of. Those beside another one do not count.
#[derive(Serialize, Deserialize)]
struct Header {
    world: String,
}

/// A line each: a call, or only how late it was when somebody looked past the wire.
#[derive(Serialize, Deserialize)]
pub struct Entry {
    at: Millis,
    #[serde(flatten)]
    call: Option<Call>,
}

#[derive(Serialize, Deserialize)]
struct Call {
    method: String,
    uri: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Entry {
    pub fn of(at: Millis, request: &http::Request<Bytes>) -> Self {
        Self { at, call: Some(Call::of(request)) }
    }

    pub fn glance(at: Millis) -> Self {
        Self { at, call: None }
    }

    fn carry_out(self, world: &mut World) -> Option<()> {
        let request = match self.call {
            Some(call) => Some(call.request()?),
            None => None,
        };
        world.advance_to(self.at);
        if let Some(request) = request {
            let _ = wire::handle(world, request);
        }
        Some(())
    }
}

impl Call {
    fn of(request: &http::Request<Bytes>) -> Self {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Self {
            method: request.method().to_string(),
            uri: request.uri().to_string(),
            headers: request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: BASE64.encode(request.body()),
        }
    }

    fn request(&self) -> Option<http::Request<Bytes>> {
        let mut request = http::Request::builder().method(self.method.as_str()).uri(self.uri.as_str());
        for (name, value) in &self.headers {
            request = request.header(name.as_str(), value.as_str());
        }
        request.body(BASE64.decode(&self.body).ok()?.into()).ok()
    }
}

pub fn path_beside(world: &Path) -> PathBuf {
    world.with_extension("calls.jsonl")
}

/// Where the calls after a saved world go.
#[derive(Debug)]
pub struct Journal {
    file: File,
    bytes: u64,
    /// Size of the world.
    world: u64,
}

/// What a killed process leaves.
#[derive(Debug, Default)]
pub enum OnDisk {
    /// Less than the world is by now.
    #[default]
    Less,
    Whole(Saved),
    WithCalls(Journal),
}

impl OnDisk {
    /// Size of the world, as far as it is written.
    pub fn world(&self) -> u64 {
        match self {
            OnDisk::Less => 0,
            OnDisk::Whole(saved) => saved.bytes,
            OnDisk::WithCalls(journal) => journal.world,
        }
    }

    /// Where the next call would go.
    pub fn journal(self, world: &Path) -> io::Result<Option<Journal>> {
        match self {
            OnDisk::Less => Ok(None),
            OnDisk::Whole(saved) => Journal::begin(world, &saved).map(Some),
            OnDisk::WithCalls(journal) => Ok(Some(journal)),
        }
    }
}

impl Journal {
    /// It may grow as large as the world is: then that costs no more than what was written until then.
    pub fn begin(world: &Path, saved: &Saved) -> io::Result<Self> {
        let mut journal = Self { file: File::create(path_beside(world))?, bytes: 0, world: saved.bytes };
        journal.write(&Header { world: saved.digest.clone() })?;
        Ok(journal)
    }

    pub fn is_full(&self) -> bool {
        self.bytes >= self.world
    }

    /// In one write: what a killed process leaves of a line was not answered.
    pub fn add(&mut self, entry: &Entry) -> io::Result<()> {
        self.write(entry)
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.write_all(&text)?;
        self.bytes += text.len() as u64;
        Ok(())
    }
}

/// Carries out again what the world at `path` was asked after it was saved.
pub fn carry_out(world: &mut World, path: &Path, digest: &str) -> io::Result<()> {
    let file = match File::open(path_beside(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // The last line has no end if the process was killed while it wrote it.
    let whole = |line: &String| line.ends_with('\n');
    let mut lines = BufReader::new(file);
    let mut next = || {
        let mut line = String::new();
        lines.read_line(&mut line).map(|_| Some(line).filter(whole))
    };
    let header = next()?.and_then(|line| serde_json::from_str::<Header>(&line).ok());
    if header.is_none_or(|header| header.world != digest) {
        return Ok(());
    }
    while let Some(line) = next()? {
        let Ok(entry) = serde_json::from_str::<Entry>(&line) else { break };
        match catch_unwind(AssertUnwindSafe(|| entry.carry_out(world))) {
            Ok(Some(())) => {}
            Ok(None) => break,
            Err(_) => {
                tracing::error!("a call to the saved world {} cannot be carried out again", path.display());
                break;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sim;
    use serde_json::Value as Json;

    const START: Millis = 1_767_323_045_000;

    fn call(service: &str, region: &str, body: &str) -> http::Request<Bytes> {
        let scope = format!("AWS4-HMAC-SHA256 Credential=AK/20260102/{region}/{service}/aws4_request");
        let request = http::Request::post("/").header("authorization", scope);
        let request = match body.split_once(' ') {
            Some((target, _)) if body.contains('{') => {
                request.header("content-type", "application/x-amz-json-1.0").header("x-amz-target", target)
            }
            _ => request.header("content-type", "application/x-www-form-urlencoded"),
        };
        let body = body.split_once(' ').filter(|_| body.contains('{')).map_or(body, |(_, body)| body);
        request.body(Bytes::copy_from_slice(body.as_bytes())).expect("a request")
    }

    /// Changes and looks, in two regions, some of them refused; with time between them in which things happen.
    fn calls() -> Vec<(Millis, http::Request<Bytes>)> {
        let ec2 = |action: &str| call("ec2", "us-east-1", &format!("Action={action}&Version=2016-11-15"));
        let group = "CreateAutoScalingGroup&AutoScalingGroupName=g&MinSize=2&MaxSize=4&DesiredCapacity=3\
                     &AvailabilityZones.member.1=us-east-1a&LaunchConfigurationName=c";
        let scaling =
            |action: &str| call("autoscaling", "us-east-1", &format!("Action={action}&Version=2011-01-01"));
        let sqs = |operation: &str| call("sqs", "eu-west-1", &format!("AmazonSQS.{operation}"));
        let all = [
            ec2("CreateVpc&CidrBlock=10.1.0.0/16"),
            ec2("DescribeVpcs"),
            ec2("RunInstances&ImageId=ami-0ec5a20000000e86d&MinCount=2&MaxCount=2&InstanceType=t3.micro"),
            ec2("CreateVpc&CidrBlock=nonsense"),
            scaling(
                "CreateLaunchConfiguration&LaunchConfigurationName=c&ImageId=ami-0ec5a20000000e86d\
                     &InstanceType=t3.micro",
            ),
            scaling(group),
            sqs(r#"CreateQueue {"QueueName": "jobs"}"#),
            ec2("DescribeInstances"),
            sqs(
                r#"SendMessage {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/jobs", "MessageBody": "m"}"#,
            ),
            scaling("SetDesiredCapacity&AutoScalingGroupName=g&DesiredCapacity=4"),
            sqs(r#"ReceiveMessage {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/jobs"}"#),
            call("quantum", "us-east-1", "Action=Ask&Version=1"),
            ec2("CreateSecurityGroup&GroupName=web&GroupDescription=web"),
        ];
        all.into_iter().enumerate().map(|(i, request)| (START + 45_000 * i as Millis, request)).collect()
    }

    fn shown(world: &World) -> Json {
        serde_json::to_value(world).expect("a world can be written")
    }

    fn loaded(path: &Path) -> Json {
        shown(&World::load(path).expect("it can be read").expect("there is one"))
    }

    fn world() -> World {
        let mut world = World::new("123456789012", "us-east-1", 7, START);
        world.faults.throttling = true;
        world
    }

    #[test]
    fn whoever_loads_a_world_finds_it_as_the_last_answer_left_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("world.json");
        let sim = Sim::new(world()).saving_to(&path).with_large(0);
        for (at, request) in calls() {
            let _ = sim.handle(at, request);
            assert_eq!(loaded(&path), shown(&sim.lock()), "after the call at {at}");
        }
        let lines = std::fs::read_to_string(path_beside(&path)).expect("a journal").lines().count();
        assert!(lines > 3, "{lines} lines: calls were written, not worlds");
        // What goes on from there is the same too.
        let mut again = World::load(&path).expect("it can be read").expect("there is one");
        let mut live = sim.lock();
        for world in [&mut again, &mut live] {
            world.advance_to(START + 3_600_000);
        }
        assert_eq!(shown(&again), shown(&live));
    }

    #[test]
    fn time_does_not_step_back_behind_what_was_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("world.json");
        let sim = Sim::new(world()).saving_to(&path);
        let look = || call("ec2", "us-east-1", "Action=DescribeVpcs&Version=2016-11-15");
        for (at, request) in calls() {
            let _ = sim.handle(at, request);
        }
        for minute in 20..90 {
            let _ = sim.handle(START + 60_000 * minute, look());
            assert_eq!(loaded(&path), shown(&sim.lock()), "minute {minute}");
        }
    }

    #[test]
    fn time_does_not_step_back_behind_what_a_probe_saw() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("world.json");
        let sim = Sim::new(world()).saving_to(&path);
        for (at, request) in calls() {
            let _ = sim.handle(at, request);
        }
        for second in 700..760 {
            let seen = sim.glance(START + 1_000 * second, |world| world.now);
            assert_eq!(seen, START + 1_000 * second);
            assert_eq!(loaded(&path), shown(&sim.lock()), "second {second}");
        }
    }

    #[test]
    fn what_was_half_written_was_not_answered() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("world.json");
        let sim = Sim::new(world()).saving_to(&path).with_large(0);
        // The world is saved with the first call; a line each after it.
        let mut after = Vec::new();
        for (at, request) in calls().into_iter().take(5) {
            let _ = sim.handle(at, request);
            after.push(shown(&sim.lock()));
        }
        let whole = std::fs::read(path_beside(&path)).expect("a journal");
        let starts: Vec<usize> = (0..whole.len()).filter(|at| *at == 0 || whole[at - 1] == b'\n').collect();
        let cuts = starts.iter().flat_map(|at| [*at, at + 1, at + 40]).chain([whole.len() - 1, whole.len()]);
        for cut in cuts.filter(|cut| *cut <= whole.len()) {
            std::fs::write(path_beside(&path), &whole[..cut]).expect("written");
            let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(loaded(&path), after[lines.saturating_sub(1)], "cut at {cut}");
        }
    }

    #[test]
    fn the_calls_to_another_saved_world_do_not_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("world.json");
        let sim = Sim::new(world()).saving_to(&path).with_large(0);
        for (at, request) in calls().into_iter().take(4) {
            let _ = sim.handle(at, request);
        }
        let before = std::fs::read(path_beside(&path)).expect("a journal");
        // As if the process were killed between writing the world and what follows.
        sim.with(|world| world.save(&path).expect("saved"));
        assert!(!path_beside(&path).exists(), "what the world has is not kept twice");
        std::fs::write(path_beside(&path), before).expect("written");
        assert_eq!(loaded(&path), shown(&sim.lock()));
    }

    #[test]
    fn what_is_changed_past_the_wire_is_saved_whole_with_the_next_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("world.json");
        let sim = Sim::new(world()).saving_to(&path).with_large(0);
        for (i, (at, request)) in calls().into_iter().enumerate() {
            if i == 4 {
                sim.with(|world| world.faults.make_prompt());
            }
            let _ = sim.handle(at, request);
        }
        assert_eq!(loaded(&path), shown(&sim.lock()));
    }

    #[test]
    fn a_journal_as_large_as_its_world_makes_place_for_a_new_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("world.json");
        let sim = Sim::new(World::new("123456789012", "us-east-1", 7, START)).saving_to(&path).with_large(0);
        let mut most = 0;
        for i in 0..400 {
            let body = format!("Action=CreateVpc&Version=2016-11-15&CidrBlock=10.{}.0.0/16", i % 250);
            let _ = sim.handle(START + 1_000 * i, call("ec2", "us-east-1", &body));
            let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
            most = most.max(size(&path_beside(&path)));
            assert!(size(&path_beside(&path)) <= size(&path) + 1_000, "after {i} calls");
        }
        assert!(most > 10_000, "{most} bytes: it was used");
        assert_eq!(loaded(&path), shown(&sim.lock()));
    }
}

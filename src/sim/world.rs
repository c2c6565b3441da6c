//! The whole world as data, and its event queue. Saved as JSON beside the state.

use super::faults::{self, Faults};
use super::log::EventLog;
use super::service::{
    acm, appautoscaling, autoscaling, cloudtrail, cloudwatch, codedeploy, dynamodb, ec2, ecr, ecs, elbv2,
    events, iam, kms, lambda, logs, route53, s3, secretsmanager, servicediscovery, servicequotas, sns, sqs,
    ssm, sts,
};
use super::traffic;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, VecDeque};

/// Milliseconds since the Unix epoch, in the world's own time.
pub type Millis = i64;

/// Format of saved worlds. Raise it when an older file no longer deserialises.
pub const VERSION: u32 = 2;

pub const SECOND: Millis = 1_000;
pub const MINUTE: Millis = 60 * SECOND;

/// Something that will happen. Each service has its own; handlers must tolerate that what an event is
/// about is gone or has moved on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    Ec2(ec2::Event),
    Autoscaling(autoscaling::Event),
    Ecs(ecs::Event),
    Elbv2(elbv2::Event),
    Appautoscaling(appautoscaling::Event),
    Cloudwatch(cloudwatch::Event),
    Acm(acm::Event),
    Ecr(ecr::Event),
    Codedeploy(codedeploy::Event),
    Traffic(traffic::Event),
    /// A declared fault begins, or ends.
    Fault {
        number: u32,
        begins: bool,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct World {
    /// Format of the saved world.
    pub version: u32,
    pub now: Millis,
    pub account: String,
    pub region: String,
    /// All randomness (ids, jitter, which instance dies) comes from here.
    pub seed: u64,
    drawn: u64,
    /// Counted apart from `drawn`: how often something is read must not change what happens.
    #[serde(default)]
    requests: u64,
    /// Access key of the request being handled.
    #[serde(skip)]
    pub caller: String,
    /// Its session token, if it came with one.
    #[serde(skip)]
    pub token: Option<String>,
    next_event: u64,
    /// Ids that the next call gives instead of drawing them, by kind: what is built after a real account has its ids.
    #[serde(skip)]
    foreseen: BTreeMap<String, VecDeque<String>>,
    /// Ids that were given since somebody wanted to know.
    #[serde(skip)]
    given: Option<Vec<String>>,
    #[serde(skip)]
    events_run: u64,
    /// By time, then by order of scheduling. Pairs serialise as an array: JSON keys must be strings.
    #[serde(with = "queue_as_list")]
    queue: BTreeMap<(Millis, u64), Event>,
    /// The account's other regions, by name, once something was asked of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    elsewhere: BTreeMap<String, World>,

    #[serde(default)]
    pub faults: Faults,
    #[serde(default)]
    pub log: EventLog,
    /// What clients send, and what became of it.
    #[serde(default)]
    pub traffic: traffic::State,

    pub acm: acm::State,
    pub appautoscaling: appautoscaling::State,
    pub autoscaling: autoscaling::State,
    pub cloudwatch: cloudwatch::State,
    #[serde(deserialize_with = "ec2::state::load")]
    pub ec2: ec2::State,
    pub ecr: ecr::State,
    #[serde(deserialize_with = "ecs::index::load")]
    pub ecs: ecs::State,
    pub elbv2: elbv2::State,
    pub iam: iam::State,
    #[serde(default)]
    pub kms: kms::State,
    pub logs: logs::State,
    pub route53: route53::State,
    #[serde(default)]
    pub secretsmanager: secretsmanager::State,
    pub ssm: ssm::State,
    pub sts: sts::State,
    #[serde(default)]
    pub cloudtrail: cloudtrail::State,
    #[serde(default)]
    pub codedeploy: codedeploy::State,
    #[serde(default)]
    pub dynamodb: dynamodb::State,
    #[serde(default)]
    pub events: events::State,
    #[serde(default)]
    pub lambda: lambda::State,
    #[serde(default)]
    pub s3: s3::State,
    #[serde(default)]
    pub servicediscovery: servicediscovery::State,
    #[serde(default)]
    pub servicequotas: servicequotas::State,
    #[serde(default)]
    pub sns: sns::State,
    #[serde(default)]
    pub sqs: sqs::State,
    /// What the request that is being answered waits for.
    #[serde(skip)]
    pub(crate) waits: Option<sqs::Wait>,
}

mod queue_as_list {
    use super::{Event, Millis};
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;

    pub fn serialize<S: Serializer>(queue: &BTreeMap<(Millis, u64), Event>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(queue.iter())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<(Millis, u64), Event>, D::Error> {
        Ok(Vec::<((Millis, u64), Event)>::deserialize(d)?.into_iter().collect())
    }
}

impl World {
    /// A new account with what AWS gives every account, at `now`.
    pub fn new(account: &str, region: &str, seed: u64, now: Millis) -> Self {
        let mut world = World {
            version: VERSION,
            now,
            account: account.to_owned(),
            region: region.to_owned(),
            seed,
            drawn: 0,
            requests: 0,
            caller: String::new(),
            token: None,
            next_event: 0,
            foreseen: BTreeMap::new(),
            given: None,
            events_run: 0,
            queue: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            faults: Faults::default(),
            log: EventLog::default(),
            traffic: traffic::State::default(),
            acm: Default::default(),
            appautoscaling: Default::default(),
            autoscaling: Default::default(),
            cloudwatch: Default::default(),
            ec2: Default::default(),
            ecr: Default::default(),
            ecs: Default::default(),
            elbv2: Default::default(),
            iam: Default::default(),
            kms: Default::default(),
            logs: Default::default(),
            route53: Default::default(),
            secretsmanager: Default::default(),
            ssm: Default::default(),
            sts: Default::default(),
            cloudtrail: Default::default(),
            codedeploy: Default::default(),
            dynamodb: Default::default(),
            events: Default::default(),
            lambda: Default::default(),
            s3: Default::default(),
            servicediscovery: Default::default(),
            servicequotas: Default::default(),
            sns: Default::default(),
            sqs: Default::default(),
            waits: None,
        };
        ec2::found(&mut world);
        iam::found(&mut world);
        ssm::found(&mut world);
        world
    }

    /// Lets `act` work in another region of the account. It has its own resources and events; what is
    /// global (IAM, DNS) is lent to it meanwhile. Time passes there only when somebody looks.
    pub fn in_region<R>(&mut self, region: &str, act: impl FnOnce(&mut World) -> R) -> R {
        let mut there = self.elsewhere.remove(region).unwrap_or_else(|| {
            let seed = region.bytes().fold(self.seed, |seed, byte| splitmix(seed, byte.into()));
            World::new(&self.account, region, seed, self.now)
        });
        std::mem::swap(&mut self.faults, &mut there.faults);
        std::mem::swap(&mut self.log, &mut there.log);
        // Another partition is another account: it has its own.
        let shared = there.partition() == self.partition();
        if shared {
            self.swap_global(&mut there);
        }
        there.advance_to(self.now);
        let result = act(&mut there);
        if shared {
            self.swap_global(&mut there);
        }
        std::mem::swap(&mut self.faults, &mut there.faults);
        std::mem::swap(&mut self.log, &mut there.log);
        self.elsewhere.insert(region.to_owned(), there);
        result
    }

    fn swap_global(&mut self, other: &mut World) {
        std::mem::swap(&mut self.iam, &mut other.iam);
        std::mem::swap(&mut self.route53, &mut other.route53);
        std::mem::swap(&mut self.sts, &mut other.sts);
    }

    /// Runs everything that is due up to `time`, in order.
    pub fn advance_to(&mut self, time: Millis) {
        loop {
            let due = self.queue.first_key_value().map(|(&key, _)| key).filter(|key| key.0 <= time);
            // Whatever changed up to now holds until then; finding out what that means may schedule events.
            if due.map_or(time, |key| key.0) > self.now && traffic::flush(self) {
                continue;
            }
            let Some(key) = due else { break };
            let event = self.queue.remove(&key).expect("it was first");
            self.now = self.now.max(key.0);
            self.events_run += 1;
            #[cfg(test)]
            let told = format!("{event:?}");
            self.run(event);
            #[cfg(test)]
            self.must_be_sound(&told);
        }
        self.now = self.now.max(time);
    }

    /// In tests, after every event.
    #[cfg(test)]
    fn must_be_sound(&self, after: &str) {
        let broken = super::invariants::broken(self);
        assert!(broken.is_empty(), "after {after}:\n{}", broken.join("\n"));
    }

    fn run(&mut self, event: Event) {
        match event {
            Event::Ec2(e) => ec2::run(self, e),
            Event::Autoscaling(e) => autoscaling::run(self, e),
            Event::Ecs(e) => ecs::run(self, e),
            Event::Elbv2(e) => elbv2::run(self, e),
            Event::Appautoscaling(e) => appautoscaling::run(self, e),
            Event::Cloudwatch(e) => cloudwatch::run(self, e),
            Event::Acm(e) => acm::run(self, e),
            Event::Ecr(e) => ecr::run(self, e),
            Event::Codedeploy(e) => codedeploy::run(self, e),
            Event::Traffic(e) => traffic::run(self, e),
            Event::Fault { number, begins } => faults::run(self, number, begins),
        }
    }

    pub fn schedule(&mut self, after: Millis, event: Event) {
        let key = (self.now + after, self.next_event);
        self.next_event += 1;
        self.queue.insert(key, event);
    }

    /// How many events this process has run in it.
    pub fn events_run(&self) -> u64 {
        self.events_run
    }

    /// The time of the next event, if any.
    pub fn next_due(&self) -> Option<Millis> {
        self.queue.first_key_value().map(|((time, _), _)| *time)
    }

    /// The next random number (splitmix64 of seed and count: no hidden state to save).
    pub fn random(&mut self) -> u64 {
        self.drawn += 1;
        splitmix(self.seed, self.drawn)
    }

    /// A number of this moment, one for each use: asking changes nothing.
    pub fn drawn_now(&self, use_of_it: u64) -> u64 {
        splitmix(!self.seed ^ use_of_it, self.now.unsigned_abs())
    }

    /// A number of this text: asking changes nothing.
    pub fn drawn_for(&self, text: &str) -> u64 {
        text.bytes().fold(!self.seed, |seed, byte| splitmix(seed, byte.into()))
    }

    /// Random numbers of another sequence: what `act` draws leaves all later ones as they are.
    pub fn aside<R>(&mut self, act: impl FnOnce(&mut World) -> R) -> R {
        let drawn = std::mem::replace(&mut self.drawn, u64::MAX / 2);
        let result = act(self);
        self.drawn = drawn;
        result
    }

    /// The id of the next request.
    pub fn request_id(&mut self) -> String {
        self.requests += 1;
        let (a, b) = (splitmix(!self.seed, 2 * self.requests), splitmix(!self.seed, 2 * self.requests + 1));
        uuid_text(&format!("{a:016x}{b:016x}"))
    }

    /// The next id of this kind (a prefix, `uuid`, `hex16` …) is to be this one; nothing, if it is empty.
    pub(crate) fn foresee(&mut self, kind: &str, id: &str) {
        if !id.is_empty() {
            self.foreseen.entry(kind.to_owned()).or_default().push_back(id.to_owned());
        }
    }

    pub(crate) fn forget_foreseen(&mut self) {
        self.foreseen.clear();
    }

    pub(crate) fn foreseen(&mut self, kind: &str) -> Option<String> {
        self.foreseen.get_mut(kind)?.pop_front()
    }

    /// `vpc-0a1b2c3d4e5f60718`: prefix and 17 hexadecimal digits, as EC2 has them.
    pub fn id(&mut self, prefix: &str) -> String {
        let id = self.foreseen(prefix).unwrap_or_else(|| format!("{prefix}-0{}", self.hex(16)));
        if let Some(given) = &mut self.given {
            given.push(id.clone());
        }
        id
    }

    /// What `act` answers, and the ids that it gave.
    pub(crate) fn watching_ids<R>(&mut self, act: impl FnOnce(&mut World) -> R) -> (R, Vec<String>) {
        self.given = Some(Vec::new());
        let result = act(self);
        (result, self.given.take().unwrap_or_default())
    }

    pub fn hex(&mut self, digits: usize) -> String {
        if !self.foreseen.is_empty()
            && let Some(foreseen) = self.foreseen(&format!("hex{digits}"))
        {
            return foreseen;
        }
        let mut text = String::new();
        while text.len() < digits {
            text += &format!("{:016x}", self.random());
        }
        text.truncate(digits);
        text
    }

    pub fn uuid(&mut self) -> String {
        if let Some(foreseen) = self.foreseen("uuid") {
            return foreseen;
        }
        uuid_text(&self.hex(32))
    }

    /// `arn:aws:ecs:us-east-1:123456789012:cluster/x`; no region for global services.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let region = if matches!(service, "iam" | "route53" | "sts") { "" } else { &self.region };
        let account = if service == "route53" { "" } else { &self.account };
        format!("arn:{}:{service}:{region}:{account}:{resource}", self.partition())
    }

    /// `aws`, or that of the Chinese, government or isolated regions.
    pub fn partition(&self) -> &'static str {
        partition(&self.region)
    }

    /// RFC 3339 text of a time: how the value tree carries timestamps.
    pub fn timestamp(millis: Millis) -> Json {
        Json::String(World::instant(millis))
    }

    pub(crate) fn instant(millis: Millis) -> String {
        jiff::Timestamp::from_millisecond(millis).map(|t| t.to_string()).unwrap_or_default()
    }
}

/// As regions are named (AWS General Reference, "AWS Regions").
pub fn partition(region: &str) -> &'static str {
    const BY_PREFIX: [(&str, &str); 6] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-iso-", "aws-iso"),
    ];
    BY_PREFIX.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, name)| name)
}

fn splitmix(seed: u64, count: u64) -> u64 {
    let mut z = seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Of 32 hexadecimal digits, a version 4 UUID.
fn uuid_text(h: &str) -> String {
    format!("{}-{}-4{}-a{}-{}", &h[..8], &h[8..12], &h[13..16], &h[17..20], &h[20..32])
}

//! AWS as the engine sees it: clients, errors, and one file a resource type.

pub mod arn;
pub mod data;
mod error;
mod hosts;
pub mod partition;
mod quotas;
mod retry;
pub mod tags;
pub mod types;
mod wait;

pub use error::{AwsError, Op, ROLLED_BACK, WAITS_FOR_A_PERSON, absent};
pub use hosts::{Detail, Host, container_instances, hosts};
pub use quotas::{Pool, Vcpus, vcpus};
pub use wait::{Poll, wait};

use crate::clock::Clock;
use crate::rollout::settings::{OnFailure, Settings};
use crate::schema::{Object, TypeSchema};
use crate::value::{Secrets, Type, Value};
use async_trait::async_trait;
use aws_sdk_cloudwatch::types::AlarmType;
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Set by the first Ctrl-C: a wait that was asked to (`sigint_rollback` of a service) then goes back.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The SDK clients of one account and region, and the clock that everything waits by.
#[derive(Clone, Debug)]
pub struct Aws {
    pub acm: aws_sdk_acm::Client,
    pub appautoscaling: aws_sdk_applicationautoscaling::Client,
    pub autoscaling: aws_sdk_autoscaling::Client,
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    pub codedeploy: aws_sdk_codedeploy::Client,
    pub ec2: aws_sdk_ec2::Client,
    pub ecr: aws_sdk_ecr::Client,
    pub ecs: aws_sdk_ecs::Client,
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    pub iam: aws_sdk_iam::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub quotas: aws_sdk_servicequotas::Client,
    pub route53: aws_sdk_route53::Client,
    pub ssm: aws_sdk_ssm::Client,
    pub sts: aws_sdk_sts::Client,
    pub region: String,
    pub clock: Clock,
}

impl Aws {
    pub fn new(config: &aws_types::SdkConfig, clock: Clock) -> Self {
        // Each client looks before it repeats what must not be done twice.
        macro_rules! client {
            ($sdk:ident) => {{
                let config = $sdk::config::Builder::from(config).interceptor(retry::LookFirst).build();
                $sdk::Client::from_conf(config)
            }};
        }
        Self {
            acm: client!(aws_sdk_acm),
            appautoscaling: client!(aws_sdk_applicationautoscaling),
            autoscaling: client!(aws_sdk_autoscaling),
            cloudwatch: client!(aws_sdk_cloudwatch),
            codedeploy: client!(aws_sdk_codedeploy),
            ec2: client!(aws_sdk_ec2),
            ecr: client!(aws_sdk_ecr),
            ecs: client!(aws_sdk_ecs),
            elb: client!(aws_sdk_elasticloadbalancingv2),
            iam: client!(aws_sdk_iam),
            logs: client!(aws_sdk_cloudwatchlogs),
            quotas: client!(aws_sdk_servicequotas),
            route53: client!(aws_sdk_route53),
            ssm: client!(aws_sdk_ssm),
            sts: client!(aws_sdk_sts),
            region: config.region().map(|r| r.to_string()).unwrap_or_default(),
            clock,
        }
    }
}

/// A resource that exists as far as we know: its id, and what we know of its attributes (from state, or
/// only what an import id says).
#[derive(Clone, Copy, Debug)]
pub struct Existing<'a> {
    pub id: &'a str,
    pub known: &'a Object,
}

/// One piece of work on one resource.
pub struct Job<'a> {
    /// For messages: `module.web.aws_vpc.main`.
    pub address: &'a str,
    /// Unique per intent and stable over restarts (journalled before the call): goes into client tokens
    /// and into the ownership tag (see [`tags::OWNERSHIP`]). 32 hexadecimal characters.
    pub token: &'a str,
    /// Empty on create.
    pub id: &'a str,
    /// What the configuration wants: defaults filled in, `tags_all` computed, all values known. On delete:
    /// what was applied.
    pub want: &'a Object,
    /// What is live (update, delete); empty on create.
    pub live: &'a Object,
    /// Top-level attributes whose desired value differs from the live one (update only).
    pub changed: &'a [String],
    /// Says what is being waited for; shown as progress.
    pub progress: &'a dyn Fn(&str),
    /// Looks on while a step of a rollout waits.
    pub watch: &'a dyn Watch,
}

/// A rollout must not go on.
pub struct Red {
    pub reason: String,
    /// It stays as it is, for a person to look at, instead of going back.
    pub stays: bool,
}

impl Job<'_> {
    /// Asks who looks on. A rollout that shall go on whatever happens says so, and does.
    pub async fn red(&self) -> Result<Option<Red>, AwsError> {
        Ok(self.watch.red().await?.and_then(|reason| self.red_because(reason)))
    }

    /// For this reason; None if it goes on all the same.
    pub fn red_because(&self, reason: String) -> Option<Red> {
        let stays = self.on_failure() == OnFailure::Hold;
        (!self.goes_on(&reason)).then_some(Red { reason, stays })
    }

    /// Whether it goes on all the same, as declared; then that is told.
    pub fn goes_on(&self, problem: &str) -> bool {
        let goes_on = self.on_failure() == OnFailure::Continue;
        if goes_on {
            (self.progress)(&format!("{problem}; it goes on, as declared"));
        }
        goes_on
    }

    fn on_failure(&self) -> OnFailure {
        self.watch.settings().map(|settings| settings.on_failure).unwrap_or_default()
    }
}

/// Who looks on while a rollout runs: its gates, its deadline, a person.
#[async_trait(?Send)]
pub trait Watch {
    fn settings(&self) -> Option<&Settings> {
        None
    }

    /// Why the rollout must not go on, if so.
    async fn red(&self) -> Result<Option<String>, AwsError> {
        Ok(None)
    }

    /// Whether a person has agreed to go beyond this step.
    fn is_approved(&self, _step: &str) -> bool {
        true
    }

    /// Whether the same plan changes this attribute of the resource with this id.
    fn is_changing(&self, _id: &str, _attribute: &str) -> bool {
        false
    }

    /// So many are in service now, of how many.
    fn in_service(&self, _now: i64, _of: i64) {}

    /// What must not show in texts that others wrote, such as logs.
    fn secrets(&self) -> Secrets {
        Secrets::default()
    }

    /// Keeps what was seen and what came of it, for whoever asks later why.
    fn note(&self, _seen: serde_json::Value, _decision: &str) {}
}

/// Nobody: for what is no rollout, and writes no logs.
pub struct Unwatched;

impl Watch for Unwatched {}

/// Nobody, but what is secret is known.
pub struct Discreet<F>(pub F);

impl<F: Fn() -> Secrets> Watch for Discreet<F> {
    fn secrets(&self) -> Secrets {
        (self.0)()
    }
}

impl Job<'_> {
    pub fn changes(&self, names: &[&str]) -> bool {
        self.changed.iter().any(|c| names.contains(&c.as_str()))
    }
}

/// One numbered step of a rollout, as planned.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RolloutStep {
    /// Stable name that `run_step` gets back: `start-refresh`.
    pub name: String,
    /// For people: `start an instance refresh of web-asg to version 4 of lt-0abc (90–100 % healthy)`.
    pub text: String,
    /// What it waits on before the next step may start, for people; None when it just does something.
    pub gate: Option<String>,
    /// About how many seconds it takes; None where nobody can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_seconds: Option<u64>,
    /// What happens to it when the rollout goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<String>,
    /// Said once in a rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<Serving>,
}

/// Who serves while a rollout runs, for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Serving {
    /// Until it begins.
    pub before: String,
    pub meanwhile: String,
    /// Once it has ended well.
    pub afterwards: String,
}

impl RolloutStep {
    pub fn new(name: &str, text: impl Into<String>) -> Self {
        let (name, text) = (name.to_owned(), text.into());
        Self { name, text, gate: None, expected_seconds: None, back: None, serving: None }
    }

    pub fn serving(mut self, serving: Serving) -> Self {
        self.serving = Some(serving);
        self
    }

    pub fn gate(mut self, gate: impl Into<String>) -> Self {
        self.gate = Some(gate.into());
        self
    }

    pub fn expected(mut self, expected: Duration) -> Self {
        self.expected_seconds = Some(expected.as_secs());
        self
    }

    pub fn back(mut self, back: impl Into<String>) -> Self {
        self.back = Some(back.into());
        self
    }
}

/// A state between live and wanted in which old and new both serve, so that traffic can move meanwhile.
#[derive(Clone, Debug, PartialEq)]
pub struct Between {
    pub want: Object,
    /// The attributes by which it differs from live.
    pub changed: Vec<String>,
    /// For people: `let tasks register in both target groups`.
    pub text: String,
}

impl Between {
    /// What is live, with the members of a set that it has beside those that it shall have, as long as that is
    /// something else than either.
    pub fn with_both(
        name: &str,
        live: &Object,
        want: &Object,
        changed: &[String],
        text: &str,
    ) -> Option<Self> {
        let items =
            |o: &Object| o.value(name).and_then(Value::as_slice).map(<[Value]>::to_vec).unwrap_or_default();
        let (old, new) = (items(live), items(want));
        let mut both = new.clone();
        both.extend(old.iter().filter(|item| !new.contains(item)).cloned());
        let known = want.value(name).is_some_and(Value::is_wholly_known);
        let is_one_of_them = known && (both.len() == new.len() || both.len() == old.len());
        if is_one_of_them || !changed.iter().any(|c| c == name) {
            return None;
        }
        let mut between = live.clone();
        between.put(name, Some(Value::set(Type::String, both)));
        Some(Self { want: between, changed: vec![name.to_owned()], text: text.to_owned() })
    }
}

/// One AWS resource type. Values handed in were checked against the table; `read` hands back an object
/// with every attribute of the table that AWS answers (undeclared ones too), `id` and, for types with
/// tags, `tags_all` (see [`tags::read`]).
#[async_trait(?Send)]
pub trait AwsType: Sync {
    fn schema(&self) -> &'static TypeSchema;

    /// Reads many at once with as few calls as AWS allows, in the order given; None: it is not there.
    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError>;

    /// Makes it, waits until it can be used, returns its id.
    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError>;

    /// Sends the least that brings live to want.
    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError>;

    /// Deletes it and waits until it is gone. Already gone is success.
    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError>;

    /// After a crash between intent and result: the id of what `create` with this very token, or (where
    /// AWS has neither tokens nor tags at creation) with this natural key, made, if it did.
    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError>;

    /// Waits until what a creation whose answer was lost made can be used: the end of `create`. `job.id` is
    /// its id.
    async fn settle(&self, _aws: &Aws, _job: &Job<'_>) -> Result<(), AwsError> {
        Ok(())
    }

    /// What an id that a person gives (`import`) means; by default the id itself.
    fn import(&self, id: &str) -> Object {
        let mut known = Object::new();
        known.set(&crate::schema::ID, id);
        known
    }

    /// Writes into `want` what a `rollout` block asks for, or says why it cannot be.
    fn tune(&self, _want: &mut Object, _settings: &Settings) -> Result<(), String> {
        Err(format!("{} has no rollout: target a service, a group, a listener or a rule", self.schema().name))
    }

    /// The steps of an update that is a rollout; empty for a plain update. `want` may hold unknowns.
    fn rollout(
        &self,
        _live: &Object,
        _want: &Object,
        _changed: &[String],
        _settings: Option<&Settings>,
    ) -> Vec<RolloutStep> {
        Vec::new()
    }

    /// The steps by which an update that another run sent is followed to its end; empty where what is live says all.
    fn resume(&self, _want: &Object) -> Vec<RolloutStep> {
        Vec::new()
    }

    /// What it is brought to before traffic moves from an old target group to a new one; None: it can go at once.
    fn between(&self, _live: &Object, _want: &Object, _changed: &[String]) -> Option<Between> {
        None
    }

    /// Takes back a rollout that goes on in AWS and has not changed what is live yet; false where there is none, or
    /// where sending what was live before does it. `job.want` is what was.
    async fn take_back(&self, _aws: &Aws, _job: &Job<'_>, _carried: Option<&str>) -> Result<bool, AwsError> {
        Ok(false)
    }

    /// Runs one step. `carried` is what earlier steps of this rollout returned (the refresh or deployment
    /// id), journalled, so that a restart goes on with it.
    async fn run_step(
        &self,
        _aws: &Aws,
        _job: &Job<'_>,
        step: &str,
        _carried: Option<&str>,
    ) -> Result<Option<String>, AwsError> {
        Err(AwsError::failed(step, "Internal", "this type plans no rollout steps"))
    }
}

/// One AWS data source.
#[async_trait(?Send)]
pub trait AwsData: Sync {
    fn schema(&self) -> &'static TypeSchema;

    /// `want` is wholly known. The answer has every attribute of the table, declared ones included.
    async fn read(&self, aws: &Aws, want: &Object) -> Result<Object, AwsError>;
}

/// States of alarms by name: `OK`, `ALARM`, `INSUFFICIENT_DATA`. One that there is not is missing.
pub async fn alarm_states(aws: &Aws, names: &[String]) -> Result<BTreeMap<String, String>, AwsError> {
    let mut states = BTreeMap::new();
    for batch in names.chunks(100) {
        let kinds = [AlarmType::MetricAlarm, AlarmType::CompositeAlarm];
        let call = aws.cloudwatch.describe_alarms().set_alarm_names(Some(batch.to_vec()));
        let answer = call.set_alarm_types(Some(kinds.to_vec())).max_records(100).send().await;
        let answer = answer.op("DescribeAlarms")?;
        let single = answer.metric_alarms().iter().map(|a| (a.alarm_name(), a.state_value()));
        let composite = answer.composite_alarms().iter().map(|a| (a.alarm_name(), a.state_value()));
        for (name, state) in single.chain(composite) {
            let state = state.map_or("INSUFFICIENT_DATA", |s| s.as_str()).to_owned();
            states.extend(name.map(|name| (name.to_owned(), state)));
        }
    }
    Ok(states)
}

/// How many targets of each target group are healthy, by ARN; groups that are gone are left out. AWS has no list form
/// of this.
pub async fn healthy_targets(aws: &Aws, groups: &[String]) -> Result<BTreeMap<String, usize>, AwsError> {
    let mut healthy = BTreeMap::new();
    for group in groups {
        let call = aws.elb.describe_target_health().target_group_arn(group).send().await;
        let Some(answer) = absent(call.op("DescribeTargetHealth"), &["TargetGroupNotFound"])? else {
            continue;
        };
        let states = answer.target_health_descriptions().iter().filter_map(|t| t.target_health()?.state());
        healthy
            .insert(group.clone(), states.filter(|state| **state == TargetHealthStateEnum::Healthy).count());
    }
    Ok(healthy)
}

//! Traffic of a listener or a rule moves in steps: each set, read back and watched; no group gets traffic
//! before one of its targets is healthy; red gates take everything back.

use super::elb_actions::{self, FORWARD, TARGET_GROUP_ARN, forward};
use super::elb_owner;
use crate::aws::{
    Aws, AwsError, Between, INTERRUPTED, Job, Op, ROLLED_BACK, Red, RolloutStep, Serving, WAITS_FOR_A_PERSON,
    absent,
};
use crate::rollout::settings::{Settings, Strategy};
use crate::rollout::traffic::{self, Move, Weights};
use crate::schema::duration::spoken;
use crate::schema::{Attr, Blocks, Object, Str};
use aws_sdk_elasticloadbalancingv2::types::{self as sdk, Action};
use jiff::SignedDuration;
use std::sync::atomic::Ordering;
use std::time::Duration;

const OP: &str = "traffic shift";
const EVERY: Duration = Duration::from_secs(5);
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// A listener or a rule, as far as its actions are concerned.
#[async_trait::async_trait(?Send)]
pub trait Forwards {
    async fn set(&self, actions: Vec<Action>) -> Result<(), AwsError>;
    async fn read(&self) -> Result<Vec<Action>, AwsError>;
    /// Sends all that changes, the actions among it, as they are wanted here.
    async fn finish(&self, want: &Object) -> Result<(), AwsError>;
}

/// Of the last action, which alone may forward; None if it does something else, or is not known.
fn weights(actions: &[Object]) -> Option<Weights> {
    weights_naming(actions, || None)
}

/// The same with groups that are not known yet: they are about to be made.
fn wanted_weights(actions: &[Object]) -> Option<Weights> {
    let mut new = 0;
    weights_naming(actions, || {
        new += 1;
        Some(if new == 1 { "(a new group)".to_owned() } else { format!("(new group {new})") })
    })
}

fn weights_naming(actions: &[Object], mut unknown: impl FnMut() -> Option<String>) -> Option<Weights> {
    let last = actions.last()?;
    let mut arn = |of: &Object, attribute: &Attr<Str>| match of.value(attribute.row.name) {
        Some(value) if value.is_unknown() => unknown(),
        _ => of.get(attribute),
    };
    let groups = last.block(&FORWARD).map(|block| block.all(&forward::TARGET_GROUP)).unwrap_or_default();
    if groups.is_empty() {
        return Some([(arn(last, &TARGET_GROUP_ARN)?, 1)].into());
    }
    let weight =
        |group: &Object| Some((arn(group, &forward::ARN)?, group.get(&forward::WEIGHT).unwrap_or(1)));
    groups.iter().map(weight).collect()
}

/// `arn:…:targetgroup/green/abc` → `green`
fn name(arn: &str) -> &str {
    arn.split('/').rev().nth(1).unwrap_or(arn)
}

/// Whether a `rollout` block can be followed.
pub fn check(settings: &Settings) -> Result<(), String> {
    match settings.strategy {
        Some(Strategy::Rolling) => Err("traffic moves by blue_green, linear or canary".to_owned()),
        Some(Strategy::Linear) if settings.steps.is_empty() => {
            Err("a linear shift needs its `step` blocks with weights".to_owned())
        }
        _ => Ok(()),
    }
}

/// See [`crate::aws::AwsType::rollout`], of the type whose actions are `actions`.
pub fn rollout(
    actions: &Attr<Blocks>,
    (live, want): (&Object, &Object),
    changed: &[String],
    settings: Option<&Settings>,
) -> Vec<RolloutStep> {
    match changed.iter().any(|name| name == actions.row.name) {
        true if elb_owner::is_moved_by_service(live) => exchange(&live.all(actions), &want.all(actions)),
        true => steps(&live.all(actions), &want.all(actions), settings),
        false => Vec::new(),
    }
}

const EXCHANGE: &str = "exchange-groups";

/// Other groups for a service whose traffic ECS moves: it goes on to say who gets how much.
fn exchange(live: &[Object], want: &[Object]) -> Vec<RolloutStep> {
    let Some((from, to)) = weights(live).zip(wanted_weights(want)) else { return Vec::new() };
    if from.keys().eq(to.keys()) {
        return Vec::new();
    }
    let groups: Vec<&str> = to.keys().map(|group| name(group)).collect();
    let text = format!("forward to {} with the weights that ECS has set", groups.join(", "));
    vec![RolloutStep::new(EXCHANGE, text).gate("read back as sent")]
}

async fn exchange_groups(
    actions: &Attr<Blocks>,
    aws: &Aws,
    job: &Job<'_>,
    of: &dyn Forwards,
) -> Result<(), AwsError> {
    let live = weights(&elb_actions::blocks(&of.read().await?)).unwrap_or_default();
    let wanted = job.want.all(actions);
    let shall = weights(&wanted).unwrap_or_default();
    let kept: Weights = shall.into_keys().map(|g| (g.clone(), live.get(&g).copied().unwrap_or(0))).collect();
    if kept.values().all(|weight| *weight == 0) {
        let serving: Vec<&str> = live.iter().filter(|(_, w)| **w > 0).map(|(g, _)| name(g)).collect();
        let text = format!(
            "ECS has the traffic in {}, which would be taken away: let its service move to another group first",
            serving.join(" and ")
        );
        return Err(AwsError::failed(OP, "RolloutFailed", text));
    }
    let mut want = job.want.clone();
    want.set_blocks(actions, weighted(&wanted, &kept));
    of.finish(&want).await?;
    read_back(aws, job, &kept, of).await
}

/// See [`crate::aws::AwsType::between`]: groups that are to get traffic stand beside those that have it.
pub fn between(actions: &Attr<Blocks>, live: &Object, want: &Object, changed: &[String]) -> Option<Between> {
    let name = actions.row.name;
    let (old, new) = (live.all(actions), want.all(actions));
    let (from, to) = weights(&old).zip(wanted_weights(&new)).filter(|_| changed.iter().any(|c| c == name))?;
    let both = beside(&from, &to)?;
    let added: Vec<&str> = to.keys().filter(|g| !from.contains_key(*g)).map(|g| self::name(g)).collect();
    let mut between = live.clone();
    between.set_blocks(actions, weighted(&old, &both));
    let text = format!("stand {} beside what serves now, without traffic", added.join(", "));
    Some(Between { want: between, changed: vec![name.to_owned()], text })
}

/// The shares as they are, with every group that is to get one added at weight 0. None where nothing is added, or
/// AWS would refuse it: it takes five groups an action, and none if all weights are 0.
fn beside(from: &Weights, to: &Weights) -> Option<Weights> {
    let mut both = from.clone();
    for group in to.keys() {
        both.entry(group.clone()).or_insert(0);
    }
    let fits = both.len() > from.len() && both.len() <= 5 && from.values().any(|weight| *weight > 0);
    fits.then_some(both)
}

/// See [`crate::aws::AwsType::run_step`].
pub async fn run_step(
    actions: &Attr<Blocks>,
    aws: &Aws,
    job: &Job<'_>,
    step: &str,
    of: &dyn Forwards,
) -> Result<Option<String>, AwsError> {
    if step == EXCHANGE {
        return exchange_groups(actions, aws, job, of).await.map(|()| None);
    }
    let (live, want) = (job.live.all(actions), job.want.all(actions));
    run(aws, job, (&live, &want), step, of).await.map(|()| None)
}

/// The steps of a change of actions that gives groups other shares; empty if it does not.
fn steps(live: &[Object], want: &[Object], settings: Option<&Settings>) -> Vec<RolloutStep> {
    let Some((from, to)) = weights(live).zip(wanted_weights(want)) else { return Vec::new() };
    if !traffic::moves(&from, &to) {
        return Vec::new();
    }
    let growing: Vec<&str> = traffic::growing(&from, &to).into_iter().map(name).collect();
    let growing = growing.join(", ");
    let prove = RolloutStep::new("prove-healthy", format!("look whether {growing} can take traffic"))
        .gate("each has a healthy target");
    let moves = traffic::plan(settings, &from, &to);
    let between: Vec<String> = moves.iter().rev().skip(1).rev().map(|one| shares(&one.weights)).collect();
    let serving = Serving {
        before: shares(&from),
        meanwhile: match between.is_empty() {
            true => format!("{} until {growing} is proven healthy", shares(&from)),
            false => between.join("; then "),
        },
        afterwards: shares(&to),
    };
    let mut steps = vec![prove.serving(serving)];
    for one in moves {
        let mut gate = "read back as sent".to_owned();
        if !one.hold.is_zero() {
            gate += &format!(", held for {}", spoken(one.hold));
        }
        for named in settings.map(|s| &s.gates[..]).unwrap_or_default() {
            gate += &format!(", gate {} is open", named.name);
        }
        let text = format!("move {} % of the traffic to {growing}", one.percent);
        let step = RolloutStep::new(&format!("shift-{}", one.percent), text).gate(gate);
        steps.push(step.expected(one.hold).back("all weights as they were, read back"));
        if one.approve {
            let text = format!("wait for a person at {} %", one.percent);
            let step = RolloutStep::new(&format!("approve-{}", one.percent), text);
            steps.push(step.gate("`cutover rollout continue`").back("all weights as they were, read back"));
        }
    }
    steps
}

/// `blue 90 %, green 10 %`
fn shares(weights: &Weights) -> String {
    let sum: i64 = weights.values().sum();
    let share = |weight: i64| (weight as f64 / sum.max(1) as f64 * 1000.0).round() / 10.0;
    let served = weights.iter().filter(|(_, weight)| **weight > 0);
    let named: Vec<String> =
        served.map(|(group, weight)| format!("{} {} %", name(group), share(*weight))).collect();
    if named.is_empty() { "nobody".to_owned() } else { named.join(", ") }
}

/// Runs one of [`steps`].
async fn run(
    aws: &Aws,
    job: &Job<'_>,
    (live, want): (&[Object], &[Object]),
    step: &str,
    of: &dyn Forwards,
) -> Result<(), AwsError> {
    let Some((from, to)) = weights(live).zip(weights(want)) else {
        return of.finish(job.want).await;
    };
    if step == "prove-healthy" {
        attach(aws, job, live, (&from, &to), of).await?;
        return prove_healthy(aws, job, &from, &to).await;
    }
    let (kind, percent) = step.split_once('-').unwrap_or((step, ""));
    let moves = traffic::plan(job.watch.settings(), &from, &to);
    let Some(one) = moves.iter().find(|m| m.percent.to_string() == percent) else {
        return Err(AwsError::failed(OP, "Internal", format!("there is no step {step}")));
    };
    let guarded = async {
        match kind {
            "approve" if !job.watch.is_approved(step) => Err(waits(one)),
            "approve" => Ok(None),
            _ => shift(aws, job, one, want, of).await,
        }
    };
    match guarded.await? {
        Some(red) => go_back(aws, job, live, &from, red, of).await,
        None => Ok(()),
    }
}

fn waits(one: &Move) -> AwsError {
    let text = format!(
        "at {} % it waits for a person: `cutover rollout continue`, or `cutover rollout rollback`",
        one.percent
    );
    AwsError::failed(OP, WAITS_FOR_A_PERSON, text)
}

/// Moves and holds; what red gate stopped it, if one did.
async fn shift(
    aws: &Aws,
    job: &Job<'_>,
    one: &Move,
    want: &[Object],
    of: &dyn Forwards,
) -> Result<Option<Red>, AwsError> {
    if let Some(red) = job.red().await? {
        return Ok(Some(red));
    }
    if one.percent >= 100.0 {
        of.finish(job.want).await?;
    } else {
        of.set(elb_actions::actions(&weighted(want, &one.weights))).await?;
    }
    read_back(aws, job, &one.weights, of).await?;
    let end = aws.clock.now() + SignedDuration::try_from(one.hold).unwrap_or(SignedDuration::MAX);
    loop {
        if let Some(red) = job.red().await? {
            return Ok(Some(red));
        }
        let left = end.duration_since(aws.clock.now());
        if left <= SignedDuration::ZERO {
            return Ok(None);
        }
        if INTERRUPTED.load(Ordering::Relaxed) {
            let text = format!(
                "interrupted at {} % of the traffic, which stays so; the next apply goes on",
                one.percent
            );
            return Err(AwsError::failed(OP, "Interrupted", text));
        }
        let left = Duration::try_from(left).unwrap_or(EVERY);
        // A line a minute.
        let minutes = left.as_secs().div_ceil(60);
        (job.progress)(&format!("{} % of the traffic, held for {minutes} min more", one.percent));
        aws.clock.sleep(left.min(EVERY)).await;
    }
}

async fn go_back(
    aws: &Aws,
    job: &Job<'_>,
    live: &[Object],
    from: &Weights,
    Red { reason, stays }: Red,
    of: &dyn Forwards,
) -> Result<(), AwsError> {
    if stays {
        let text = format!("{reason}; the weights stay as they are, as declared (`on_failure = \"hold\"`)");
        return Err(AwsError::failed(OP, "RolloutFailed", text));
    }
    (job.progress)(&format!("{reason}; going back"));
    let back = async {
        of.set(elb_actions::actions(live)).await?;
        read_back(aws, job, from, of).await
    };
    match back.await {
        Ok(()) => {
            let text = format!("{reason}; all traffic is where it was before");
            Err(AwsError::failed(OP, ROLLED_BACK, text))
        }
        Err(second) => {
            let text = format!("{reason}; and the way back failed: {second}");
            Err(AwsError::failed(OP, "RolloutFailed", text))
        }
    }
}

/// The wanted actions, with these weights in the last one.
fn weighted(want: &[Object], weights: &Weights) -> Vec<Object> {
    let mut actions = want.to_vec();
    let Some(last) = actions.last_mut() else { return actions };
    let mut block = last.block(&FORWARD).unwrap_or_default();
    let groups = weights.iter().map(|(arn, weight)| {
        let mut group = Object::new();
        group.set(&forward::ARN, arn.as_str()).set(&forward::WEIGHT, *weight);
        group
    });
    block.set_blocks(&forward::TARGET_GROUP, groups.collect());
    last.put("target_group_arn", None);
    last.set_blocks(&FORWARD, vec![block]);
    actions
}

/// Answers lag behind: a few looks are allowed.
async fn read_back(aws: &Aws, job: &Job<'_>, wanted: &Weights, of: &dyn Forwards) -> Result<(), AwsError> {
    let serving = |weights: &Weights| -> Weights {
        weights.iter().filter(|(_, weight)| **weight > 0).map(|(g, w)| (g.clone(), *w)).collect()
    };
    for _ in 0..10 {
        let live = weights(&elb_actions::blocks(&of.read().await?)).unwrap_or_default();
        let same = serving(&live).keys().eq(serving(wanted).keys())
            && !traffic::moves(&live, wanted)
            && !traffic::moves(wanted, &live);
        if same {
            job.watch.note(serde_json::json!({ "weights": live }), "read back as sent");
            return Ok(());
        }
        (job.progress)("the weights do not show yet as sent");
        aws.clock.sleep(EVERY).await;
    }
    Err(AwsError::failed(
        OP,
        "RolloutFailed",
        "the weights do not show as they were sent: somebody else moves them",
    ))
}

/// Targets of a group that no listener names are never checked: a new group stands beside the old ones first,
/// without traffic.
async fn attach(
    aws: &Aws,
    job: &Job<'_>,
    live: &[Object],
    (from, to): (&Weights, &Weights),
    of: &dyn Forwards,
) -> Result<(), AwsError> {
    let Some(both) = beside(from, to) else { return Ok(()) };
    of.set(elb_actions::actions(&weighted(live, &both))).await?;
    read_back(aws, job, &both, of).await
}

/// Every group that gets traffic anew has a healthy target; where nothing serves now, nothing can be lost.
async fn prove_healthy(aws: &Aws, job: &Job<'_>, from: &Weights, to: &Weights) -> Result<(), AwsError> {
    let serving: Vec<&str> = from.iter().filter(|(_, w)| **w > 0).map(|(g, _)| g.as_str()).collect();
    let end = aws.clock.now() + PATIENCE;
    loop {
        let mut sick = None;
        for group in traffic::growing(from, to).into_iter().filter(|g| !serving.contains(g)) {
            if !healthy(aws, group).await? {
                sick = Some(group);
                break;
            }
        }
        let Some(group) = sick else {
            return all_checked(aws, job, traffic::growing(from, to), end).await;
        };
        let mut serves = false;
        for group in &serving {
            serves |= healthy(aws, group).await?;
        }
        if !serves {
            (job.progress)("nothing serves now: no traffic can be lost");
            return Ok(());
        }
        let text = format!("target group {} has no healthy target", name(group));
        if aws.clock.now() >= end {
            let text = format!("{text} after {} min", PATIENCE.as_mins());
            if job.goes_on(&text) {
                return Ok(());
            }
            let text = format!(
                "{text}: it gets no traffic, nothing was moved. Where its targets can only come later, a `rollout` \
                 block with `on_failure = \"continue\"` moves it all the same"
            );
            return Err(AwsError::failed(OP, "RolloutFailed", text));
        }
        (job.progress)(&text);
        aws.clock.sleep(EVERY).await;
    }
}

/// One healthy target is enough to begin with, but those that are still being checked are waited for: it shall not
/// stand alone before all the traffic.
async fn all_checked(
    aws: &Aws,
    job: &Job<'_>,
    groups: Vec<&str>,
    end: jiff::Timestamp,
) -> Result<(), AwsError> {
    let initial = |t: &sdk::TargetHealthDescription| {
        t.target_health().and_then(|h| h.state()) == Some(&sdk::TargetHealthStateEnum::Initial)
    };
    for group in groups {
        loop {
            let call = aws.elb.describe_target_health().target_group_arn(group).send().await;
            let answer = absent(call.op("DescribeTargetHealth"), &["TargetGroupNotFound"])?;
            let targets = answer.and_then(|a| a.target_health_descriptions).unwrap_or_default();
            let left = targets.iter().filter(|t| initial(t)).count();
            if left == 0 || aws.clock.now() >= end {
                break;
            }
            (job.progress)(&format!("{left} targets in {} are still being checked", name(group)));
            aws.clock.sleep(EVERY).await;
        }
    }
    Ok(())
}

async fn healthy(aws: &Aws, group: &str) -> Result<bool, AwsError> {
    let call = aws.elb.describe_target_health().target_group_arn(group).send().await;
    let Some(answer) = absent(call.op("DescribeTargetHealth"), &["TargetGroupNotFound"])? else {
        return Ok(false);
    };
    let good = |t: &sdk::TargetHealthDescription| {
        let health = t.target_health();
        // A function without health checks is never more than this.
        let unchecked =
            health.and_then(|h| h.reason()) == Some(&sdk::TargetHealthReasonEnum::HealthCheckDisabled);
        unchecked || health.and_then(|h| h.state()) == Some(&sdk::TargetHealthStateEnum::Healthy)
    };
    Ok(answer.target_health_descriptions().iter().any(good))
}

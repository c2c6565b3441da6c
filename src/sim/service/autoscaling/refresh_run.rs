//! Carrying an instance refresh out: a step every few seconds replaces as many instances as the
//! percentages allow, and waits for health and warmup (User Guide, "How an instance refresh works").

use super::state::{Group, Lifecycle, Member, Refresh, RefreshStatus, Rollback, Source};
use super::{Event, activities, capacity, life};
use crate::World;
use crate::service::cloudwatch::{self, AlarmState};
use crate::service::ec2;
use crate::world::{self, MINUTE, Millis, SECOND};

const STARTS: Millis = 10 * SECOND;
const STEP: Millis = 10 * SECOND;
/// Without any progress for so long a refresh fails; so long, too, it waits for protected and standby
/// instances.
const PATIENCE: Millis = 60 * MINUTE;

pub fn begin(world: &mut World, name: &str, id: &str) {
    schedule(world, STARTS, name, id);
}

pub fn soon(world: &mut World, name: &str, id: &str) {
    schedule(world, SECOND, name, id);
}

fn schedule(world: &mut World, after: Millis, name: &str, id: &str) {
    let event = Event::Refresh(name.to_owned(), id.to_owned());
    world.schedule(after, world::Event::Autoscaling(event));
}

fn refresh_mut<'a>(world: &'a mut World, name: &str) -> Option<&'a mut Refresh> {
    world.autoscaling.groups.get_mut(name)?.refresh_mut()
}

pub fn step(world: &mut World, name: &str, id: &str) {
    let Some(group) = world.autoscaling.groups.get(name) else { return };
    let Some(refresh) = group.refresh().filter(|refresh| refresh.id == id) else { return };
    match refresh.status {
        RefreshStatus::Pending => start(world, name),
        RefreshStatus::Cancelling => cancelling(world, name),
        RefreshStatus::Baking => baking(world, name),
        _ => replace(world, name),
    }
    let group = world.autoscaling.groups.get(name);
    if group.and_then(Group::refresh).is_some_and(|refresh| refresh.id == id) {
        schedule(world, STEP, name, id);
    }
}

fn start(world: &mut World, name: &str) {
    let group = &world.autoscaling.groups[name];
    let refresh = group.refresh().expect("the caller saw it");
    let target = group.launches();
    let skip = refresh.preferences.skip_matching;
    let replaced = |member: &&Member| {
        let fits = skip && matches(world, member, target);
        !fits && !member.lifecycle.leaves()
    };
    let outdated: std::collections::BTreeSet<String> =
        group.members.values().filter(replaced).map(|member| member.id.clone()).collect();
    let now = world.now;
    let Some(refresh) = refresh_mut(world, name) else { return };
    refresh.status = RefreshStatus::InProgress;
    refresh.total = outdated.len();
    refresh.outdated = outdated;
    refresh.progress = now;
    replace(world, name);
}

/// The same version of the same template, and a type that the settings allow.
fn matches(world: &World, member: &Member, target: &Source) -> bool {
    let Some(has) = &member.template else { return false };
    let same = |template: &super::state::TemplateRef| {
        ec2::resolve(world, &template.specification())
            .is_ok_and(|found| found.id == has.id && found.version.to_string() == has.version)
    };
    match target {
        Source::Configuration(_) => false,
        Source::Template(template) => same(template),
        Source::Mixed(mixed) if mixed.overrides.is_empty() => same(&mixed.template),
        Source::Mixed(mixed) => mixed.overrides.iter().any(|one| {
            let kind = one.instance_type.as_ref().is_none_or(|name| *name == member.instance_type);
            kind && same(one.template.as_ref().unwrap_or(&mixed.template))
        }),
    }
}

/// In service, healthy, warmed up.
fn ready(world: &World, name: &str, refresh: &Refresh, member: &Member) -> bool {
    let warm = member.in_service.is_some_and(|since| {
        since < refresh.started || world.now >= since + refresh.preferences.warmup * SECOND
    });
    warm && life::healthy(world, name, member)
}

/// How the group stands, seen by its refresh.
struct View {
    /// Instances that still must go and may.
    open: Vec<String>,
    /// Those that wait for a person: protected or in standby.
    waiting: usize,
    /// New ones that are not ready yet.
    unready: Vec<String>,
    ready: i64,
    leaving: usize,
}

fn view(world: &World, name: &str) -> View {
    let group = &world.autoscaling.groups[name];
    let refresh = group.refresh().expect("the caller saw it");
    let p = &refresh.preferences;
    let mut view = View { open: vec![], waiting: 0, unready: vec![], ready: 0, leaving: 0 };
    let mut open: Vec<&Member> = Vec::new();
    for member in group.members.values() {
        if member.lifecycle.leaves() {
            view.leaving += 1;
            continue;
        }
        let old = refresh.outdated.contains(&member.id);
        if ready(world, name, refresh, member) {
            view.ready += member.units();
        } else if !old && member.lifecycle.counts() {
            view.unready.push(member.id.clone());
        }
        if !old {
            continue;
        }
        let standby = member.lifecycle == Lifecycle::Standby;
        match (standby, member.protected) {
            (true, _) if p.standby == "Terminate" => open.push(member),
            (true, _) => view.waiting += usize::from(p.standby == "Wait"),
            (false, true) if p.protected == "Refresh" => open.push(member),
            (false, true) => view.waiting += usize::from(p.protected == "Wait"),
            (false, false) => open.push(member),
        }
    }
    // What serves nobody goes first, then the oldest.
    open.sort_by_key(|member| (ready(world, name, refresh, member), member.launched, member.id.clone()));
    view.open = open.into_iter().map(|member| member.id.clone()).collect();
    view
}

fn replace(world: &mut World, name: &str) {
    if world.autoscaling.groups[name].suspends("InstanceRefresh") {
        return;
    }
    forget_gone(world, name);
    if alarmed(world, name) {
        return;
    }
    let seen = view(world, name);
    tell_progress(world, name, &seen);
    if finished(world, name, &seen) || gave_up(world, name, &seen) || paused(world, name) {
        return;
    }
    let group = &world.autoscaling.groups[name];
    let refresh = group.refresh().expect("the caller saw it");
    let p = &refresh.preferences;
    let desired = group.desired;
    // The floor is rounded up, the ceiling down: both bounds are kept.
    let floor = (desired * p.min + 99) / 100;
    let mut spare = seen.ready - floor;
    let mut extra = p.max.map_or(0, |max| (desired * max / 100 - desired).max(0));
    let idle = seen.unready.is_empty() && seen.leaving == 0;
    if extra == 0 && floor >= desired {
        match p.max {
            // Both bounds cannot be kept: one more for a while, if a ceiling was asked for …
            Some(_) => extra = 1,
            // … and else one fewer, one at a time.
            None => spare = i64::from(idle),
        }
    }
    let limit = checkpoint_limit(refresh);
    let mut batch: Vec<String> = Vec::new();
    for id in &seen.open {
        let member = &group.members[id];
        let idle_anyway = !ready(world, name, refresh, member);
        if batch.len() >= limit || (spare <= 0 && !idle_anyway) {
            break;
        }
        if !idle_anyway {
            spare -= member.units();
        }
        batch.push(id.clone());
    }
    let left = seen.open.len() - batch.len();
    let room = limit.saturating_sub(batch.len()).min(left);
    let surge = extra.min(i64::try_from(room).unwrap_or(0));
    take_out(world, name, batch, surge);
}

fn take_out(world: &mut World, name: &str, batch: Vec<String>, surge: i64) {
    let now = world.now;
    if let Some(refresh) = refresh_mut(world, name) {
        refresh.surge = surge;
        if !batch.is_empty() {
            refresh.progress = now;
        }
        for id in &batch {
            refresh.outdated.remove(id);
        }
    }
    for id in batch {
        let cause = format!(
            "At {} an instance was taken out of service in response to an instance refresh.",
            activities::at(now)
        );
        life::begin_leaving(world, name, &id, &cause);
    }
    capacity::soon(world, name);
}

/// Outdated instances that something else has ended need no replacing.
fn forget_gone(world: &mut World, name: &str) {
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    let stays: std::collections::BTreeSet<String> = group
        .members
        .values()
        .filter(|member| !member.lifecycle.leaves())
        .map(|member| member.id.clone())
        .collect();
    if let Some(refresh) = group.refresh_mut() {
        refresh.outdated.retain(|id| stays.contains(id));
    }
}

/// How many instances may be replaced before the next checkpoint.
fn checkpoint_limit(refresh: &Refresh) -> usize {
    let Some(percent) = refresh.preferences.checkpoints.get(refresh.next_checkpoint) else {
        return usize::MAX;
    };
    if refresh.rollback.is_some() {
        return usize::MAX;
    }
    let until = (refresh.total * usize::try_from(*percent).unwrap_or(100)).div_ceil(100);
    until.saturating_sub(refresh.total - refresh.outdated.len())
}

/// Waiting out a checkpoint that has been reached.
fn paused(world: &mut World, name: &str) -> bool {
    let now = world.now;
    let Some(refresh) = refresh_mut(world, name) else { return true };
    if let Some(resume) = refresh.resume {
        if now < resume {
            refresh.progress = now;
            return true;
        }
        refresh.resume = None;
        refresh.next_checkpoint += 1;
        return false;
    }
    let checkpoint = refresh.preferences.checkpoints.get(refresh.next_checkpoint).copied();
    let Some(checkpoint) = checkpoint.filter(|_| refresh.rollback.is_none()) else { return false };
    if checkpoint < 100 && refresh.percentage >= checkpoint {
        let delay = refresh.preferences.checkpoint_delay;
        refresh.resume = Some(now + delay * SECOND);
        refresh.reason = Some(format!("Waiting {delay} seconds at the checkpoint of {checkpoint}%."));
        return true;
    }
    false
}

fn tell_progress(world: &mut World, name: &str, seen: &View) {
    let now = world.now;
    let group = &world.autoscaling.groups[name];
    let refresh = group.refresh().expect("the caller saw it");
    let remaining = (refresh.outdated.len() + seen.unready.len()).min(refresh.total);
    let done = match refresh.total {
        0 => 100,
        total => 100 * (total - remaining) / total,
    };
    let done = i64::try_from(done).unwrap_or(100);
    // A rollback counts down to nothing.
    let percentage = match &refresh.rollback {
        Some(rollback) => rollback.percentage * (100 - done) / 100,
        None => done,
    };
    let warming = seen.unready.iter().find(|id| group.members[*id].lifecycle == Lifecycle::InService);
    let booting = seen.unready.first();
    let reason = match (warming, booting) {
        (Some(id), _) if !life::healthy(world, name, &group.members[id]) => Some(format!(
            "Waiting for remaining instances to be available. For example: {id} has insufficient data to evaluate its health with Elastic Load Balancing."
        )),
        (Some(id), _) => Some(format!(
            "Waiting for instances to warm up before continuing. For example: {id} is warming up."
        )),
        (None, Some(id)) => Some(format!(
            "Waiting for remaining instances to be available. For example: {id} has insufficient data to evaluate its health with Amazon EC2."
        )),
        (None, None) => None,
    };
    let Some(refresh) = refresh_mut(world, name) else { return };
    if percentage != refresh.percentage {
        refresh.progress = now;
    }
    refresh.percentage = percentage;
    if refresh.resume.is_none() {
        refresh.reason = reason;
    }
}

/// Everything replaced and ready: bake, or done.
fn finished(world: &mut World, name: &str, seen: &View) -> bool {
    let group = &world.autoscaling.groups[name];
    let whole = group.units() >= group.desired;
    if !seen.open.is_empty() || seen.waiting > 0 || !seen.unready.is_empty() || !whole {
        return false;
    }
    let now = world.now;
    let Some(refresh) = refresh_mut(world, name) else { return true };
    // What was ignored stays as it is.
    refresh.outdated.clear();
    refresh.surge = 0;
    refresh.reason = None;
    refresh.percentage = if refresh.rollback.is_some() { 0 } else { 100 };
    if refresh.rollback.is_none() && refresh.preferences.bake > 0 {
        refresh.status = RefreshStatus::Baking;
        refresh.bake_until = Some(now + refresh.preferences.bake * SECOND);
        return true;
    }
    succeed(world, name);
    true
}

/// Only now do the group's own settings change.
fn succeed(world: &mut World, name: &str) {
    let now = world.now;
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    let Some(refresh) = group.refresh_mut() else { return };
    let back = refresh.rollback.is_some();
    refresh.status = if back { RefreshStatus::RollbackSuccessful } else { RefreshStatus::Successful };
    refresh.ended = Some(now);
    let desired = refresh.desired.clone().filter(|_| !back);
    if let Some(desired) = desired {
        group.source = desired;
    }
}

fn baking(world: &mut World, name: &str) {
    if alarmed(world, name) {
        return;
    }
    let now = world.now;
    if refresh_mut(world, name).is_some_and(|refresh| refresh.bake_until.is_none_or(|until| now >= until)) {
        succeed(world, name);
    }
}

/// What is under way is brought to its end; nothing is taken back.
fn cancelling(world: &mut World, name: &str) {
    let now = world.now;
    let group = &world.autoscaling.groups[name];
    let moving = |member: &Member| !matches!(member.lifecycle, Lifecycle::InService | Lifecycle::Standby);
    if group.members.values().any(moving) {
        return;
    }
    if let Some(refresh) = refresh_mut(world, name) {
        refresh.status = RefreshStatus::Cancelled;
        refresh.ended = Some(now);
    }
}

/// An alarm of the specification fails the refresh.
fn alarmed(world: &mut World, name: &str) -> bool {
    let Some(refresh) = refresh_mut(world, name).filter(|refresh| refresh.rollback.is_none()) else {
        return false;
    };
    let alarms = refresh.preferences.alarms.clone();
    let firing =
        alarms.into_iter().find(|alarm| cloudwatch::alarm_state(world, alarm) == Some(AlarmState::Alarm));
    let Some(alarm) = firing else { return false };
    fail(world, name, &format!("The alarm {alarm} is in the ALARM state."));
    true
}

fn gave_up(world: &mut World, name: &str, seen: &View) -> bool {
    let group = &world.autoscaling.groups[name];
    let refresh = group.refresh().expect("the caller saw it");
    let warmup = refresh.preferences.warmup * SECOND;
    if world.now - refresh.progress < PATIENCE + warmup {
        return false;
    }
    let launch = group.activities.last().filter(|activity| activity.status == "Failed");
    let reason = if let Some(activity) = launch {
        let message = activity.message.as_deref().unwrap_or_default();
        format!("The instance refresh could not launch replacement instances. {message}")
    } else if seen.waiting > 0 {
        "Waited one hour for instances that are protected from scale in or in the Standby state.".to_owned()
    } else {
        let example = seen.unready.first().map(|id| format!(" For example: {id} is not healthy."));
        format!("New instances did not become healthy in time.{}", example.unwrap_or_default())
    };
    fail(world, name, &reason);
    true
}

fn fail(world: &mut World, name: &str, reason: &str) {
    let now = world.now;
    let Some(refresh) = refresh_mut(world, name) else { return };
    if refresh.rollback.is_none() && refresh.preferences.auto_rollback {
        return roll_back(world, name, &format!("Rollback initiated automatically. {reason}"));
    }
    let back = refresh.rollback.is_some();
    refresh.status = if back { RefreshStatus::RollbackFailed } else { RefreshStatus::Failed };
    refresh.reason = Some(reason.to_owned());
    refresh.ended = Some(now);
    refresh.surge = 0;
}

/// Back to the settings before: what the refresh launched is outdated now.
pub fn roll_back(world: &mut World, name: &str, reason: &str) {
    let now = world.now;
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    let Some(refresh) = group.refresh() else { return };
    let started = refresh.started;
    let new = |member: &&Member| !member.lifecycle.leaves() && member.launched >= started;
    let outdated: std::collections::BTreeSet<String> =
        group.members.values().filter(new).map(|member| member.id.clone()).collect();
    group.failures = 0;
    let Some(refresh) = group.refresh_mut() else { return };
    refresh.rollback = Some(Rollback {
        reason: reason.to_owned(),
        started: now,
        percentage: refresh.percentage,
        to_update: refresh.outdated.len(),
    });
    refresh.status = RefreshStatus::RollbackInProgress;
    refresh.reason = Some(reason.to_owned());
    refresh.total = outdated.len();
    refresh.outdated = outdated;
    refresh.surge = 0;
    refresh.resume = None;
    refresh.bake_until = None;
    refresh.progress = now;
    capacity::soon(world, name);
}

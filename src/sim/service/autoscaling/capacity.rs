//! Bringing a group from the capacity it has to the capacity it should have.

use super::activities::{self, New};
use super::state::{Group, Lifecycle, Member};
use super::{Event, choose, life, replace};
use crate::World;
use crate::service::{ApiError, cloudwatch, ec2};
use crate::world::{self, MINUTE, Millis, SECOND};

/// A change of capacity is acted upon some seconds later.
const NOTICED: Millis = 3 * SECOND;
/// How often instances that wait for their replacement are looked at.
const WAITS: Millis = 15 * SECOND;
/// Failed launches are tried again, ever more slowly.
const RETRY: Millis = 30 * SECOND;
const RETRY_LIMIT: Millis = 10 * MINUTE;
/// Launches of one reconciliation; the rest follows with the next.
const BATCH: usize = 20;

/// Reconciles a little later, once however often it is asked for.
pub fn soon(world: &mut World, name: &str) {
    cloudwatch::wake(world, &cloudwatch::Subject::AutoScalingGroup(name.to_owned()));
    after(world, name, NOTICED);
}

fn after(world: &mut World, name: &str, delay: Millis) {
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    if !group.reconcile_due {
        group.reconcile_due = true;
        world.schedule(delay, world::Event::Autoscaling(Event::Reconcile(name.to_owned())));
    }
}

pub fn set_desired(world: &mut World, name: &str, desired: i64, why: String) {
    if let Some(group) = world.autoscaling.groups.get_mut(name) {
        group.desired = desired;
        group.why.push(why);
        group.failures = 0;
        soon(world, name);
    }
}

pub fn reconcile(world: &mut World, name: &str) {
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    group.reconcile_due = false;
    if group.deleting {
        return forget_if_empty(world, name);
    }
    let Some(room) = replace::go_on(world, name) else { return };
    let Some(group) = world.autoscaling.groups.get(name) else { return };
    let surge = group.refresh().map_or(0, |refresh| refresh.surge) + room;
    let (have, want) = (group.units(), group.desired + surge);
    if have < want {
        grow(world, name, want);
    } else if have > want && !group.suspends("Terminate") {
        shrink(world, name, want);
    }
    if let Some(group) = world.autoscaling.groups.get_mut(name) {
        group.why.clear();
        if group.members.values().any(|member| member.replaced_for().is_some()) {
            after(world, name, WAITS);
        }
    }
}

fn grow(world: &mut World, name: &str, want: i64) {
    for _ in 0..BATCH {
        let Some(group) = world.autoscaling.groups.get(name) else { return };
        if group.units() >= want || group.suspends("Launch") {
            return;
        }
        if let Err(error) = launch_one(world, name) {
            failed(world, name, &error);
            return;
        }
    }
    after(world, name, SECOND);
}

/// `… increasing the capacity from 1 to 2.`
fn launch_cause(world: &World, group: &Group) -> String {
    let have = group.units();
    let now = activities::at(world.now);
    let mut parts = group.why.clone();
    parts.push(match group.refresh() {
        Some(_) => format!("At {now} an instance was launched in response to an instance refresh."),
        None => format!(
            "At {now} an instance was started in response to a difference between desired and actual \
             capacity, increasing the capacity from {have} to {}.",
            have + 1
        ),
    });
    parts.join("  ")
}

/// Where there is no capacity, other instance types are tried, then other zones: "If the attempt fails, Amazon
/// EC2 Auto Scaling attempts to launch instances in another Availability Zone" (User Guide, "Distribute
/// instances across Availability Zones").
fn launch_one(world: &mut World, name: &str) -> Result<(), ApiError> {
    let mut exhausted = choose::Exhausted::new();
    let mut last = None;
    loop {
        let launch = match choose::launch(world, &world.autoscaling.groups[name], &exhausted) {
            Ok(launch) => launch,
            Err(error) => return Err(last.unwrap_or(error)),
        };
        let pool = (launch.zone.clone(), launch.instance_type.clone());
        match launch_as(world, name, launch) {
            Err(error) if error.code == ec2::NO_CAPACITY => {
                let zone = pool.0.clone();
                exhausted.insert(pool);
                if choose::zone_is_exhausted(world, &world.autoscaling.groups[name], &zone, &exhausted) {
                    exhausted.insert((zone, None));
                }
                last = Some(error);
            }
            result => return result,
        }
    }
}

fn launch_as(world: &mut World, name: &str, launch: choose::Launch) -> Result<(), ApiError> {
    let group = &world.autoscaling.groups[name];
    let (data, template) = choose::data(world, &launch)?;
    let mut spec = ec2::spec_from(world, &data)?;
    spec.subnet_id.clone_from(&launch.subnet);
    spec.private_ip = None;
    spec.interface = None;
    spec.spot = spec.spot || launch.spot;
    spec.client_token = None;
    let propagated = group.tags.iter().filter(|(_, tag)| tag.propagate);
    spec.tags.extend(propagated.map(|(key, tag)| (key.clone(), tag.value.clone())));
    spec.tags.insert("aws:autoscaling:groupName".to_owned(), name.to_owned());
    if let Some(template) = &template {
        spec.launch_template = Some((template.id.clone(), template.version.parse().unwrap_or(0)));
        spec.tags.extend(ec2::template_tags(&template.id, &template.version));
    }
    let (cause, protect) = (launch_cause(world, group), group.protect_new);
    let (instance_type, image_id, spot) = (spec.instance_type.clone(), spec.image_id.clone(), spec.spot);
    let id = ec2::launch(world, spec)?;
    let activity = activities::begin(
        world,
        name,
        New {
            description: format!("Launching a new EC2 instance: {id}"),
            cause,
            subnet: launch.subnet,
            zone: launch.zone.clone(),
        },
    );
    let member = Member {
        id: id.clone(),
        zone: launch.zone,
        instance_type,
        image_id,
        lifecycle: Lifecycle::Pending,
        unhealthy: None,
        retires: None,
        protected: protect,
        template,
        configuration: launch.configuration,
        weight: launch.weight,
        spot,
        launched: world.now,
        in_service: None,
        activity,
        hold: None,
        passed: Default::default(),
    };
    world.autoscaling.group_of.insert(id.clone(), name.to_owned());
    let group = world.autoscaling.groups.get_mut(name).expect("seen above");
    group.failures = 0;
    group.members.insert(id, member);
    Ok(())
}

fn failed(world: &mut World, name: &str, error: &ApiError) {
    let group = &world.autoscaling.groups[name];
    let (cause, failures) = (launch_cause(world, group), group.failures);
    let subnet = group.subnets.first().cloned().unwrap_or_default();
    let zone = group.zones.first().cloned().unwrap_or_default();
    let message = format!("{} Launching EC2 instance failed.", sentence(&error.message));
    let description = format!("Launching a new EC2 instance.  Status Reason: {message}");
    let id = activities::begin(world, name, New { description, cause, subnet, zone });
    activities::end(world, name, &id, "Failed", Some(message));
    world.autoscaling.groups.get_mut(name).expect("seen above").failures = failures.saturating_add(1);
    let delay = RETRY.saturating_mul(1 << failures.min(6)).min(RETRY_LIMIT);
    after(world, name, delay);
}

fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

fn shrink(world: &mut World, name: &str, want: i64) {
    loop {
        let Some(group) = world.autoscaling.groups.get(name) else { return };
        let have = group.units();
        let Some(id) = choose::victim(world, group).filter(|_| have > want) else { return };
        let units = group.members[&id].units();
        // A heavier instance than the surplus stays.
        if have - units < want {
            return;
        }
        let now = activities::at(world.now);
        let mut parts = group.why.clone();
        parts.push(format!(
            "At {now} an instance was taken out of service in response to a difference between desired and \
             actual capacity, shrinking the capacity from {have} to {}.",
            have - units
        ));
        life::begin_leaving(world, name, &id, &parts.join("  "));
    }
}

/// A group being deleted goes with its last instance.
pub fn forget_if_empty(world: &mut World, name: &str) {
    if world.autoscaling.groups.get(name).is_some_and(|group| group.deleting && group.members.is_empty()) {
        world.autoscaling.groups.remove(name);
    }
}

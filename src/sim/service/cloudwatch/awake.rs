//! Which alarms are looked at by themselves, and how long: from whenever what they watch may have changed, until
//! every period that it can matter to is over.

use super::evaluate::{self, Watch};
use super::*;

/// Something that metrics tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// ARN of a load balancer.
    Balancer(String),
    /// ARN of a target group: with its balancers, and the services and instances behind it.
    Group(String),
    /// ARN of a service: with its cluster.
    Service(String),
    AutoScalingGroup(String),
    Cluster(String),
}

/// The names under which alarms are found.
fn marks(world: &World, subject: &Subject) -> Vec<String> {
    let balancer = |arn: &String| {
        let tail = arn.split_once(":loadbalancer/").map_or("", |(_, tail)| tail);
        format!("LoadBalancer={tail}")
    };
    let service = |arn: &str| {
        let mut parts = arn.rsplit('/');
        let (name, cluster) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        [format!("ServiceName={cluster}/{name}"), format!("ClusterName={cluster}")]
    };
    match subject {
        Subject::Balancer(arn) => vec![balancer(arn)],
        Subject::Group(arn) => {
            let tail = arn.rsplit_once(':').map_or("", |(_, tail)| tail);
            let mut all = vec![format!("TargetGroup={tail}"), "hosts".to_owned()];
            all.extend(world.elbv2.uses.get(arn).into_iter().flatten().map(balancer));
            all.extend(crate::traffic::services_behind(world, arn).iter().flat_map(|arn| service(arn)));
            all
        }
        Subject::Service(arn) => service(arn).to_vec(),
        Subject::AutoScalingGroup(name) => vec![format!("AutoScalingGroupName={name}"), "hosts".to_owned()],
        Subject::Cluster(name) => vec![format!("ClusterName={name}")],
    }
}

/// The marks under which an alarm is found.
fn watched(settings: &Json) -> Vec<String> {
    let metrics = settings.list("Metrics").iter().filter_map(|query| query.get("MetricStat")?.get("Metric"));
    let single = settings.get("MetricName").map(|_| settings);
    let mut all = Vec::new();
    for metric in metrics.chain(single) {
        let dims = dimensions(metric.list("Dimensions"));
        let mark = |name: &str| dims.get(name).map(|value| format!("{name}={value}"));
        match metric.text("Namespace").unwrap_or_default() {
            "AWS/ApplicationELB" | "AWS/NetworkELB" => {
                all.extend(mark("TargetGroup").or_else(|| mark("LoadBalancer")));
            }
            "AWS/ECS" => match (dims.get("ClusterName"), dims.get("ServiceName")) {
                (Some(cluster), Some(service)) => all.push(format!("ServiceName={cluster}/{service}")),
                _ => all.extend(mark("ClusterName")),
            },
            "AWS/ECS/ManagedScaling" => all.extend(mark("ClusterName")),
            "AWS/AutoScaling" => all.extend(mark("AutoScalingGroupName")),
            "AWS/EC2" => all.push("hosts".to_owned()),
            _ => {}
        }
    }
    all
}

/// After an alarm was put or deleted.
pub fn index(world: &mut World, name: &str) {
    for alarms in world.cloudwatch.watchers.values_mut() {
        alarms.remove(name);
    }
    let Some(alarm) = world.cloudwatch.alarms.get(name) else {
        return world.cloudwatch.watchers.retain(|_, alarms| !alarms.is_empty());
    };
    for mark in watched(&alarm.settings) {
        world.cloudwatch.watchers.entry(mark).or_default().insert(name.to_owned());
    }
    keep_awake(world, name);
}

/// What is told of this subject from now on may be something else.
pub fn wake(world: &mut World, subject: &Subject) {
    if world.cloudwatch.watchers.is_empty() {
        return;
    }
    let marks = marks(world, subject);
    let found = marks.iter().filter_map(|mark| world.cloudwatch.watchers.get(mark)).flatten();
    let names: Vec<String> = found.cloned().collect();
    for name in names {
        keep_awake(world, &name);
    }
}

/// Looks at an alarm at the end of each period, as long as what is now can decide.
pub fn keep_awake(world: &mut World, name: &str) {
    let now = world.now;
    let Some(alarm) = world.cloudwatch.alarms.get_mut(name) else { return };
    let Some(watch) = Watch::of(&alarm.settings) else { return };
    if alarm.evaluates_at.is_none() && alarm.awake_until < now && watch.is_published() {
        alarm.evaluated = now;
    }
    alarm.awake_until = now + watch.period * (watch.periods as Millis + 3);
    plan(world, name, watch.period);
}

fn plan(world: &mut World, name: &str, period: Millis) {
    let now = world.now;
    let at = now + period.min(MINUTE) - now.rem_euclid(period.min(MINUTE));
    let Some(alarm) = world.cloudwatch.alarms.get_mut(name) else { return };
    if alarm.evaluates_at.is_none_or(|planned| planned > at || planned <= now) {
        alarm.evaluates_at = Some(at);
        let event = Event::Evaluate { alarm: name.to_owned() };
        world.schedule(at - now, world::Event::Cloudwatch(event));
    }
}

pub fn due(world: &mut World, name: &str) {
    let now = world.now;
    let Some(alarm) = world.cloudwatch.alarms.get_mut(name).filter(|alarm| alarm.evaluates_at == Some(now))
    else {
        return;
    };
    alarm.evaluates_at = None;
    let Some(period) = Watch::of(&alarm.settings).map(|watch| watch.period) else { return };
    evaluate::settle(world, name);
    let wants_more = react::sustained(world, name);
    let Some(alarm) = world.cloudwatch.alarms.get(name) else { return };
    if wants_more || now < alarm.awake_until {
        plan(world, name, period);
    }
}

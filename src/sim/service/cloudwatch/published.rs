//! What AWS's services publish about themselves, found from what is known of the past when somebody asks: no
//! event writes it. Names, dimensions and units are those of the services' own CloudWatch pages (Elastic Load
//! Balancing, Amazon ECS, EC2, EC2 Auto Scaling); a minute is told of when it is over, and where nothing
//! happened there is no data ("There is a nonzero value").

use super::gauges;
use super::metrics::Query;
use super::*;
use crate::service::ecs;
use crate::traffic::{self, Cause, End, Leaf, Mode, Scope};

/// CPU that a task or an instance uses with nothing to do, and memory, in percent. Requests add to it: memory a
/// fifth of what they add to CPU.
const IDLE_CPU: f64 = 2.0;
const IDLE_MEMORY: f64 = 30.0;

/// Response times are spread around their mean like this: (share of requests, times the mean). The mean of
/// all is the mean; the 99th percentile is 2.6 times as much.
const SPREAD: [(f64, f64); 7] =
    [(0.5, 0.594), (0.25, 1.0), (0.15, 1.4), (0.05, 1.9), (0.04, 2.6), (0.009, 4.0), (0.001, 8.0)];
/// The nearer its CPU is to its limit, the slower a target answers: `mean / (1 - load)`, at most ten times.
const MOST_LOADED: f64 = 0.9;

const BALANCER: [(&str, &str); 16] = [
    ("HTTPCode_ELB_3XX_Count", "Count"),
    ("HTTPCode_ELB_4XX_Count", "Count"),
    ("HTTPCode_ELB_500_Count", "Count"),
    ("HTTPCode_ELB_502_Count", "Count"),
    ("HTTPCode_ELB_503_Count", "Count"),
    ("HTTPCode_ELB_504_Count", "Count"),
    ("HTTPCode_ELB_5XX_Count", "Count"),
    ("HTTPCode_Target_2XX_Count", "Count"),
    ("HTTPCode_Target_4XX_Count", "Count"),
    ("HTTPCode_Target_5XX_Count", "Count"),
    ("HTTP_Fixed_Response_Count", "Count"),
    ("HTTP_Redirect_Count", "Count"),
    ("RequestCount", "Count"),
    ("RequestCountPerTarget", "Count"),
    ("TargetConnectionErrorCount", "Count"),
    ("TargetResponseTime", "Seconds"),
];

/// The points of a metric of AWS's own in whole minutes of `from <= at < to`.
pub fn points(world: &World, query: &Query, from: Millis, to: Millis) -> Vec<Point> {
    let end = to.min(world.now - world.now.rem_euclid(MINUTE));
    let start = (from - from.rem_euclid(MINUTE)).max(world.now - traffic::KEPT);
    let dim = |name: &str| query.dimensions.get(name).map(String::as_str);
    if start >= end || query.unit.as_deref().is_some_and(|unit| unit != unit_of(&query.metric)) {
        return Vec::new();
    }
    let found = gauges::points(world, query, start, end);
    if !found.is_empty() {
        return found;
    }
    match (query.namespace.as_str(), query.metric.as_str()) {
        ("AWS/ApplicationELB" | "AWS/NetworkELB", "HealthyHostCount" | "UnHealthyHostCount") => {
            hosts(world, query, start, end)
        }
        ("AWS/ApplicationELB", _) => balancer(world, query, start, end),
        ("AWS/ECS", "CPUUtilization" | "MemoryUtilization") => match (dim("ClusterName"), dim("ServiceName"))
        {
            (Some(cluster), Some(service)) if query.dimensions.len() == 2 => {
                let arn = world.arn("ecs", &format!("service/{cluster}/{service}"));
                of_services(world, &[arn], &query.metric, start, end)
            }
            (Some(cluster), None) if query.dimensions.len() == 1 => {
                let found = world.ecs.clusters.get(cluster).map(|one| one.services.iter().cloned().collect());
                let services: Vec<String> = found.unwrap_or_default();
                of_services(world, &services, &query.metric, start, end)
            }
            _ => Vec::new(),
        },
        ("AWS/EC2", metric) if query.dimensions.len() == 1 => {
            let ids: Vec<String> = match (dim("InstanceId"), dim("AutoScalingGroupName")) {
                (Some(id), _) => vec![id.to_owned()],
                (_, Some(group)) => members(world, group),
                _ => Vec::new(),
            };
            of_instances(world, &ids, metric, start, end)
        }
        _ => Vec::new(),
    }
}

pub fn unit_of(metric: &str) -> &'static str {
    match metric {
        "TargetResponseTime" => "Seconds",
        name if name.ends_with("Utilization") || name.ends_with("Reservation") => "Percent",
        name if name.starts_with("Group") => "None",
        _ => "Count",
    }
}

fn minutes(start: Millis, end: Millis) -> impl Iterator<Item = Millis> {
    (0..(end - start + MINUTE - 1) / MINUTE).map(move |minute| start + minute * MINUTE)
}

fn single(at: Millis, value: f64) -> Point {
    Point { at, count: 1.0, sum: value, min: value, max: value }
}

fn members(world: &World, group: &str) -> Vec<String> {
    let members = world.autoscaling.groups.get(group).map(|group| group.members.keys().cloned().collect());
    members.unwrap_or_default()
}

/// ARNs of load balancer and target group, and zone, that a metric's dimensions name; None where they are not
/// those of a metric of load balancers.
fn scope<'a>(world: &World, query: &'a Query) -> Option<(Option<String>, Option<String>, Option<&'a str>)> {
    let mut rest = query.dimensions.len();
    let mut dim = |name: &str| {
        let value = query.dimensions.get(name).map(String::as_str);
        rest -= usize::from(value.is_some());
        value
    };
    let arn = |resource: String| world.arn("elasticloadbalancing", &resource);
    let balancer = dim("LoadBalancer").map(|path| arn(format!("loadbalancer/{path}")));
    let group = dim("TargetGroup").map(|path| arn(path.to_owned()));
    let zone = dim("AvailabilityZone");
    (rest == 0 && (balancer.is_some() || group.is_some())).then_some((balancer, group, zone))
}

/// What a leaf adds to a metric.
fn counts(metric: &str, leaf: &Leaf<'_>, fixed: bool) -> bool {
    let own = |from: u16, to: u16| matches!(leaf.end, End::Own(status) if (from..to).contains(&status));
    let failed = |causes: &[Cause]| matches!(leaf.end, End::Failed(cause) if causes.contains(&cause));
    use Cause::*;
    match metric {
        // "only incremented for requests where the load balancer node was able to choose a target"
        "RequestCount" | "RequestCountPerTarget" => leaf.target.is_some(),
        "HTTPCode_Target_2XX_Count" => leaf.end == End::Answered,
        "HTTPCode_Target_4XX_Count" => leaf.end == End::ClientError,
        "HTTPCode_Target_5XX_Count" => failed(&[TargetError]),
        "HTTPCode_ELB_3XX_Count" => own(300, 400),
        "HTTPCode_ELB_4XX_Count" => own(400, 500),
        "HTTPCode_ELB_500_Count" => own(500, 501),
        "HTTPCode_ELB_502_Count" => own(502, 503) || failed(&[Refused, Reset]),
        "HTTPCode_ELB_503_Count" => own(503, 504) || failed(&[NoTarget]),
        "HTTPCode_ELB_504_Count" => own(504, 505) || failed(&[Unreachable]),
        "HTTPCode_ELB_5XX_Count" => own(500, 600) || failed(&[Refused, Reset, NoTarget, Unreachable]),
        "HTTP_Fixed_Response_Count" => fixed && own(0, 600),
        "HTTP_Redirect_Count" => !fixed && own(300, 400),
        "TargetConnectionErrorCount" => failed(&[Refused, Unreachable]),
        _ => false,
    }
}

fn balancer(world: &World, query: &Query, start: Millis, end: Millis) -> Vec<Point> {
    let metric = query.metric.as_str();
    let Some((balancer, group, zone)) = scope(world, query) else { return Vec::new() };
    let of_targets = !metric.contains("_ELB_") && !metric.starts_with("HTTP_");
    let fits = match metric {
        "RequestCountPerTarget" => group.is_some(),
        _ => balancer.is_some() && (of_targets || group.is_none()),
    };
    if !fits {
        return Vec::new();
    }
    let scope = Scope { balancer: balancer.as_deref(), group: group.as_deref(), zone, ..Scope::default() };
    let mut found = Vec::new();
    for at in minutes(start, end) {
        if metric == "TargetResponseTime" {
            found.extend(response_times(world, &scope, at));
            continue;
        }
        let mut count = 0;
        traffic::outcomes(world, &scope, at, at + MINUTE, &mut |leaf| {
            if counts(metric, &leaf, leaf.lane.starts_with("fixed")) {
                count += leaf.count;
            }
        });
        let mut value = count as f64;
        if metric == "RequestCountPerTarget" {
            let group = group.as_deref().unwrap_or_default();
            let hosts = traffic::hosts(world, group, zone, at, at + MINUTE);
            value /= hosts.map_or(1.0, |hosts| hosts.healthy.mean).max(1.0);
        }
        if count > 0 {
            found.push(single(at, value));
        }
    }
    found
}

/// Every target's as points of different weight.
fn response_times(world: &World, scope: &Scope<'_>, at: Millis) -> Vec<Point> {
    let mut targets: BTreeMap<String, (u64, Mode)> = BTreeMap::new();
    traffic::outcomes(world, scope, at, at + MINUTE, &mut |leaf| {
        if let (Some(target), Some(spell)) = (leaf.target, leaf.spell.filter(|_| leaf.end.reached())) {
            let one = targets.entry(target.to_owned()).or_insert((0, spell.mode.clone()));
            one.0 += leaf.count;
        }
    });
    let mut found = Vec::new();
    for (requests, mode) in targets.values() {
        let load = *requests as f64 * mode.cpu_ms / (MINUTE as f64 * mode.vcpus.max(0.01));
        let mean = mode.latency_ms / (1.0 - load.min(MOST_LOADED)) / 1_000.0;
        found.extend(SPREAD.iter().map(|(share, times)| {
            let (count, value) = (*requests as f64 * share, mean * times);
            Point { at, count, sum: count * value, min: value, max: value }
        }));
    }
    found
}

fn hosts(world: &World, query: &Query, start: Millis, end: Millis) -> Vec<Point> {
    let Some((_, Some(group), zone)) = scope(world, query) else { return Vec::new() };
    let mut found = Vec::new();
    for at in minutes(start, end) {
        // "Reported if there are registered targets".
        let Some(hosts) = traffic::hosts(world, &group, zone, at, at + MINUTE) else { continue };
        let level = if query.metric == "HealthyHostCount" { hosts.healthy } else { hosts.unhealthy };
        found.push(Point { at, count: 1.0, sum: level.mean, min: level.min, max: level.max });
    }
    found
}

/// CPU time in milliseconds that requests took in a minute, where `wanted`, by the tasks or instances there.
fn used(world: &World, groups: &[String], at: Millis, wanted: &dyn Fn(&Leaf<'_>) -> bool) -> (f64, f64) {
    let (mut busy, mut vcpus) = (0.0, 0.0f64);
    for group in groups {
        let scope = Scope { group: Some(group), ..Scope::default() };
        traffic::outcomes(world, &scope, at, at + MINUTE, &mut |leaf| {
            if let Some(spell) = leaf.spell.filter(|_| leaf.end.reached() && wanted(&leaf)) {
                busy += leaf.count as f64 * spell.mode.cpu_ms;
                vcpus = vcpus.max(spell.mode.vcpus);
            }
        });
    }
    (busy, vcpus)
}

fn of_services(world: &World, services: &[String], metric: &str, start: Millis, end: Millis) -> Vec<Point> {
    let behind: Vec<(&String, Vec<String>)> =
        services.iter().map(|arn| (arn, traffic::groups_before(world, arn))).collect();
    let mut found = Vec::new();
    for at in minutes(start, end) {
        for (arn, groups) in &behind {
            let tasks = traffic::running_tasks(world, arn, at, at + MINUTE);
            if tasks <= 0.0 {
                continue;
            }
            let mine = |leaf: &Leaf<'_>| {
                leaf.spell.is_some_and(|spell| spell.mode.service.as_deref() == Some(arn.as_str()))
            };
            let (busy, vcpus) = used(world, groups, at, &mine);
            let load = 100.0 * busy / (MINUTE as f64 * tasks * vcpus.max(0.01));
            let value = of_load(metric, load);
            let count = tasks.round().max(1.0);
            found.push(Point { at, count, sum: value * count, min: value, max: value });
        }
    }
    found
}

fn of_load(metric: &str, load: f64) -> f64 {
    let value = match metric {
        "MemoryUtilization" => IDLE_MEMORY + load.min(100.0) / 5.0,
        _ => IDLE_CPU + load,
    };
    value.min(100.0)
}

fn of_instances(world: &World, ids: &[String], metric: &str, start: Millis, end: Millis) -> Vec<Point> {
    let checks =
        matches!(metric, "StatusCheckFailed" | "StatusCheckFailed_Instance" | "StatusCheckFailed_System");
    if metric != "CPUUtilization" && !checks {
        return Vec::new();
    }
    let mut found = Vec::new();
    for id in ids {
        let Some(instance) = world.ec2.instances.get(id).filter(|one| one.state.lives()) else { continue };
        let vcpus = ecs::network::host(world, id).map_or(1.0, |host| host.vcpus as f64);
        let groups = traffic::groups_on(world, id);
        for at in minutes(start, end).filter(|at| *at >= instance.launched) {
            if checks {
                found.push(single(at, 0.0));
                continue;
            }
            let mine = |leaf: &Leaf<'_>| {
                leaf.spell.is_some_and(|spell| spell.mode.instance.as_deref() == Some(id.as_str()))
            };
            let (busy, _) = used(world, &groups, at, &mine);
            found.push(single(at, of_load(metric, 100.0 * busy / (MINUTE as f64 * vcpus.max(0.01)))));
        }
    }
    found.sort_by_key(|point| point.at);
    found
}

/// The metrics of AWS's own that had data in the last two weeks: namespace, name, dimensions.
pub fn list(world: &World) -> Vec<(String, String, BTreeMap<String, String>)> {
    let mut all = Vec::new();
    let mut add = |namespace: &str, metric: &str, dims: &[(&str, &str)]| {
        let dims = dims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.push((namespace.to_owned(), metric.to_owned(), dims));
    };
    let since = world.now - 14 * 24 * 60 * MINUTE;
    for one in world.elbv2.balancers.values().filter(|one| one.kind == "application") {
        for (metric, _) in BALANCER.iter().filter(|(metric, _)| *metric != "RequestCountPerTarget") {
            let mut any = false;
            let scope = Scope { balancer: Some(&one.arn), ..Scope::default() };
            traffic::outcomes(world, &scope, since, world.now, &mut |leaf| {
                any |= counts(metric, &leaf, leaf.lane.starts_with("fixed"))
                    || *metric == "TargetResponseTime" && leaf.end.reached();
            });
            if any {
                add("AWS/ApplicationELB", metric, &[("LoadBalancer", &one.path)]);
            }
        }
    }
    for (arn, users) in &world.elbv2.uses {
        let tail = arn.rsplit_once(':').map_or("", |(_, tail)| tail);
        for one in users.iter().filter_map(|user| world.elbv2.balancers.get(user)) {
            let application = one.kind == "application";
            let namespace = if application { "AWS/ApplicationELB" } else { "AWS/NetworkELB" };
            let dims = [("LoadBalancer", one.path.as_str()), ("TargetGroup", tail)];
            if traffic::hosts(world, arn, None, since, world.now).is_some() {
                add(namespace, "HealthyHostCount", &dims);
                add(namespace, "UnHealthyHostCount", &dims);
            }
            let scope = Scope { group: Some(arn), ..Scope::default() };
            let mut reached = false;
            traffic::outcomes(world, &scope, since, world.now, &mut |leaf| reached |= leaf.target.is_some());
            if reached && application {
                for metric in ["RequestCount", "RequestCountPerTarget", "TargetResponseTime"] {
                    add(namespace, metric, &dims);
                }
                add(namespace, "HTTPCode_Target_2XX_Count", &dims);
                add(namespace, "RequestCountPerTarget", &[("TargetGroup", tail)]);
            }
        }
    }
    for service in world.ecs.services.values() {
        if traffic::running_tasks(world, &service.arn, since, world.now) > 0.0 {
            for metric in ["CPUUtilization", "MemoryUtilization"] {
                add("AWS/ECS", metric, &[("ClusterName", &service.cluster), ("ServiceName", &service.name)]);
            }
        }
    }
    for instance in world.ec2.instances.values().filter(|one| one.state.lives()) {
        for metric in ["CPUUtilization", "StatusCheckFailed"] {
            add("AWS/EC2", metric, &[("InstanceId", &instance.id)]);
        }
    }
    all.extend(gauges::list(world));
    all
}

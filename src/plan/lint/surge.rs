//! Whether what a deployment starts beside what runs finds a place.

use super::code_deploy::controls;
use super::services::{distinct, rolls, strategy};
use super::{Finding, Look, blocks, containers, finding, last, number, text, texts};
use crate::aws::Host;
use crate::plan::Change;
use crate::rollout::ecs_deployment::stands_still;
use crate::schema::Object;
use crate::state::without_keys;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// What one task takes of its host, and which hosts may take it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Task {
    cpu: i64,
    memory: i64,
    ports: BTreeSet<i64>,
    /// An address, and with it a network interface, of its own.
    own_address: bool,
    /// Zones of its subnets; None: any.
    zones: Option<BTreeSet<String>>,
    /// The group whose tasks each need a host for themselves.
    alone: Option<String>,
}

pub(super) fn fits(look: &Look<'_>) -> Vec<Finding> {
    let updated = look
        .changed(&["aws_ecs_service"])
        .filter(|s| s.before.is_some() && (rolls(&s.after) || controls(&s.after)));
    updated.filter_map(|service| lacks(look, service)).collect()
}

fn lacks(look: &Look<'_>, service: &Change) -> Option<Finding> {
    let hosts = hosts(look, service)?;
    let running = number(service.before.as_ref()?, "desired_count").filter(|count| *count > 0)?;
    let needed = needed(&service.after, running)?;
    let task = task(look, service)?;
    let new = new_hosts(look, &hosts)?;
    let placed = place(&hosts, &new, &task, needed);
    if placed >= needed {
        return None;
    }
    let mut takes = vec![format!("{} CPU units", task.cpu), format!("{} MiB", task.memory)];
    takes.extend(task.own_address.then(|| "a network interface".to_owned()));
    takes.extend((!task.ports.is_empty()).then(|| "a port of the host".to_owned()));
    takes.extend(task.alone.is_some().then(|| "a host for itself".to_owned()));
    let zones = task.zones.iter().flatten().cloned().collect::<Vec<_>>().join(", ");
    let zones = if zones.is_empty() { String::new() } else { format!(", in {zones}") };
    let tasks = if needed == 1 { "1 task".to_owned() } else { format!("{needed} tasks") };
    let text = format!(
        "it starts {tasks} beside the {running} that run, and there is room for {placed}: each takes {}{zones}; hosts \
         that the group may still start: {}",
        listed(&takes),
        new.len(),
    );
    Some(finding(service, text))
}

/// What a deployment asks of the hosts of its cluster.
struct Asked<'p> {
    service: &'p Change,
    needed: i64,
    task: Task,
}

fn asked<'p>(look: &Look<'p>, service: &'p Change) -> Option<Asked<'p>> {
    let running = number(service.before.as_ref()?, "desired_count").filter(|count| *count > 0)?;
    Some(Asked { service, needed: needed(&service.after, running)?, task: task(look, service)? })
}

/// The group that has to start hosts for a deployment, and how many at least.
pub(super) fn hosts_to_start<'p>(look: &Look<'p>, service: &'p Change) -> Option<(&'p Change, i64)> {
    let hosts = hosts(look, service)?;
    let asked = asked(look, service)?;
    let new = new_hosts(look, &hosts)?;
    let enough = |count: &usize| place(&hosts, &new[..*count], &asked.task, asked.needed) >= asked.needed;
    // Where not all of them are enough, that is another finding.
    let count = (0..=new.len()).find(enough).unwrap_or(new.len());
    Some((group_of(look, &hosts)?, count as i64))
}

/// Services of one cluster that roll at the same time, each of which finds room alone.
pub(super) fn together(look: &Look<'_>) -> Vec<Finding> {
    let updated = look.changed(&["aws_ecs_service"]);
    let updated = updated.filter(|s| s.before.is_some() && (rolls(&s.after) || controls(&s.after)));
    let mut clusters: BTreeMap<String, Vec<&Change>> = BTreeMap::new();
    for service in updated.filter(|service| !service.rollout.is_empty()) {
        if let (Some(cluster), None) = (text(&service.after, "cluster"), lacks(look, service)) {
            clusters.entry(cluster).or_default().push(service);
        }
    }
    // What waits for another one of them comes later.
    for services in clusters.values_mut() {
        let all: BTreeSet<_> = services.iter().map(|s| without_keys(&s.address)).collect();
        services.retain(|s| !s.depends_on.iter().any(|other| all.contains(other)));
    }
    let several = clusters.values().filter(|services| services.len() > 1);
    several.filter_map(|services| lack_together(look, services)).collect()
}

fn lack_together(look: &Look<'_>, services: &[&Change]) -> Option<Finding> {
    let mut free: BTreeMap<Option<String>, Vec<Host>> = BTreeMap::new();
    let (mut begun, mut told): (Vec<String>, i64) = (Vec::new(), 0);
    for service in services {
        let (Some(hosts), Some(asked)) = (hosts(look, service), asked(look, service)) else { continue };
        let provider = hosts.iter().find_map(|host| host.provider.clone());
        let own = match free.entry(provider) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(slot) => slot.insert([hosts.clone(), new_hosts(look, &hosts)?].concat()),
        };
        let placed = settle(own, &asked.task, asked.needed);
        told += asked.needed;
        if placed < asked.needed {
            let text = format!(
                "it starts together with {}, which may roll at the same time: {told} tasks beside those that run, and \
                 there is room for {}",
                listed(&begun),
                told - asked.needed + placed
            );
            return Some(finding(asked.service, text));
        }
        begun.push(service.address.to_string());
    }
    None
}

/// Places as many of the tasks as fit, and takes what they need.
fn settle(hosts: &mut [Host], task: &Task, needed: i64) -> i64 {
    let mut left = needed;
    for host in hosts {
        let count = takes(host, task).clamp(0, left);
        if count == 0 {
            continue;
        }
        left -= count;
        host.free_cpu -= count * task.cpu;
        host.free_memory -= count * task.memory;
        host.ports.extend(&task.ports);
        host.groups.extend(task.alone.clone());
        if task.own_address {
            host.free_interfaces = host.free_interfaces.map(|free| free - count);
        }
    }
    needed - left
}

/// `a, b and c`
fn listed(items: &[String]) -> String {
    match items {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => items.concat(),
    }
}

/// The hosts on which ECS may place its tasks; None where there are none, or it needs none.
fn hosts(look: &Look<'_>, service: &Change) -> Option<Vec<Host>> {
    let by = blocks(&service.after, "capacity_provider_strategy");
    let providers: Vec<String> = by.iter().filter_map(|item| text(item, "capacity_provider")).collect();
    let launch_type = text(&service.after, "launch_type");
    if launch_type.as_deref() == Some("FARGATE") || providers.iter().any(|p| p.starts_with("FARGATE")) {
        return None;
    }
    let all = look.live.hosts.get(&text(&service.after, "cluster")?)?;
    let of_them = |host: &&Host| {
        let named = |provider: &String| providers.iter().any(|name| last(name) == provider);
        providers.is_empty() || host.provider.as_ref().is_some_and(named)
    };
    let hosts: Vec<Host> = all.iter().filter(of_them).cloned().collect();
    (!hosts.is_empty()).then_some(hosts)
}

/// So many tasks must be started before any is stopped; None where ECS may stop some first.
pub(super) fn needed(service: &Object, running: i64) -> Option<i64> {
    if strategy(service) != "ROLLING" || controls(service) {
        return Some(running);
    }
    let min = number(service, "deployment_minimum_healthy_percent").unwrap_or(100);
    let max = number(service, "deployment_maximum_percent").unwrap_or(200);
    // With a maximum of 100 % it can only go on by stopping: whether it may is another finding.
    (stands_still(running, min, 100) && !stands_still(running, min, max)).then_some(1)
}

fn task(look: &Look<'_>, service: &Change) -> Option<Task> {
    let definition = look.definition(service)?;
    let containers = containers(definition);
    if containers.is_empty() {
        return None;
    }
    let whole = |name: &str| text(&definition.after, name).and_then(|t| t.parse::<i64>().ok());
    let sum = |names: [&str; 2]| -> i64 {
        containers.iter().filter_map(|c| names.iter().find_map(|name| c[*name].as_i64())).sum()
    };
    let mode = super::network_mode(definition);
    let host_network = mode.as_deref() == Some("host");
    let ports =
        containers.iter().flat_map(|c| c["portMappings"].as_array().into_iter().flatten()).filter_map(|p| {
            let port = if host_network { &p["containerPort"] } else { &p["hostPort"] };
            port.as_i64().filter(|port| *port > 0)
        });
    // Tasks with an address of their own take no port of the host.
    let own_address = mode.as_deref() == Some("awsvpc");
    let name = text(&service.after, "name").unwrap_or_default();
    Some(Task {
        cpu: whole("cpu").unwrap_or_else(|| sum(["cpu", "cpu"])),
        memory: whole("memory").unwrap_or_else(|| sum(["memoryReservation", "memory"])),
        ports: if own_address { BTreeSet::new() } else { ports.collect() },
        own_address,
        zones: blocks(&service.after, "network_configuration")
            .first()
            .filter(|_| own_address)
            .and_then(|network| zones_of(look, &texts(network, "subnets"))),
        alone: distinct(&service.after).then(|| format!("service:{name}")),
    })
}

/// The zones that subnets are in; None where this plan does not know all of them.
fn zones_of(look: &Look<'_>, subnets: &[String]) -> Option<BTreeSet<String>> {
    let zone = |id: &String| {
        let mut all = look.all(&["aws_subnet"]);
        text(&all.find(|s| text(&s.after, "id").as_ref() == Some(id))?.after, "availability_zone")
    };
    subnets.iter().map(zone).collect::<Option<BTreeSet<_>>>().filter(|zones| !zones.is_empty())
}

/// The group that hosts came from; None where this plan does not know it.
fn group_of<'p>(look: &Look<'p>, hosts: &[Host]) -> Option<&'p Change> {
    let provider = hosts.iter().find_map(|host| host.provider.clone())?;
    let mut providers = look.all(&["aws_ecs_capacity_provider"]);
    let provider = providers.find(|p| text(&p.after, "name").as_ref() == Some(&provider))?;
    let arn = blocks(&provider.after, "auto_scaling_group_provider")
        .first()
        .and_then(|p| text(p, "auto_scaling_group_arn"))?;
    look.all(&["aws_autoscaling_group"]).find(|g| text(&g.after, "arn").as_ref() == Some(&arn))
}

/// The hosts that their group may still start, like the smallest of those that run; None where this plan does not
/// know the group.
fn new_hosts(look: &Look<'_>, hosts: &[Host]) -> Option<Vec<Host>> {
    let group = group_of(look, hosts)?;
    let max = number(&group.after, "max_size")?;
    let room = usize::try_from(max - hosts.len() as i64).unwrap_or(0);
    let declared: BTreeSet<String> = texts(&group.after, "availability_zones").into_iter().collect();
    let zones = zones_of(look, &texts(&group.after, "vpc_zone_identifier"))
        .or_else(|| (!declared.is_empty()).then_some(declared));
    let smallest = hosts.iter().min_by_key(|host| (host.cpu, host.memory))?;
    let fresh = Host {
        free_cpu: smallest.cpu,
        free_memory: smallest.memory,
        ports: BTreeSet::new(),
        zone: None,
        free_interfaces: smallest.interfaces,
        groups: BTreeSet::new(),
        ..smallest.clone()
    };
    let zones = balanced(hosts, &zones.unwrap_or_default(), room);
    Some(zones.into_iter().map(|zone| Host { zone, ..fresh.clone() }).collect())
}

/// The zones of so many new hosts: Auto Scaling starts each in the zone of its group that has the fewest.
fn balanced(hosts: &[Host], zones: &BTreeSet<String>, room: usize) -> Vec<Option<String>> {
    let in_zone = |zone: &String| hosts.iter().filter(|h| h.zone.as_ref() == Some(zone)).count();
    let mut counts: BTreeMap<&String, usize> = zones.iter().map(|zone| (zone, in_zone(zone))).collect();
    let next = |_| {
        let (zone, count) = counts.iter_mut().min_by_key(|(_, count)| **count)?;
        *count += 1;
        Some((*zone).clone())
    };
    (0..room).map(next).collect()
}

/// How many of the tasks find a place: on the hosts as they are, then on new ones.
fn place(hosts: &[Host], new: &[Host], task: &Task, needed: i64) -> i64 {
    let fit = |host: &Host| takes(host, task).clamp(0, needed);
    hosts.iter().chain(new).map(fit).sum::<i64>().min(needed)
}

/// How many such tasks one host takes.
fn takes(host: &Host, task: &Task) -> i64 {
    let elsewhere =
        task.zones.as_ref().zip(host.zone.as_ref()).is_some_and(|(zones, own)| !zones.contains(own));
    let taken = task.alone.as_ref().is_some_and(|group| host.groups.contains(group));
    if elsewhere || taken || !task.ports.is_disjoint(&host.ports) {
        return 0;
    }
    let by = |free: i64, each: i64| if each > 0 { free / each } else { i64::MAX };
    let mut fit = by(host.free_cpu, task.cpu).min(by(host.free_memory, task.memory));
    if task.own_address {
        fit = fit.min(host.free_interfaces.unwrap_or(i64::MAX));
    }
    let once = task.alone.is_some() || !task.ports.is_empty();
    if once { fit.min(1) } else { fit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(free_cpu: i64, ports: &[i64]) -> Host {
        let ports = ports.iter().copied().collect();
        Host { cpu: 2048, memory: 4096, free_cpu, free_memory: 4096, ports, ..Host::default() }
    }

    fn new(count: usize) -> Vec<Host> {
        vec![host(2048, &[]); count]
    }

    fn task(cpu: i64, ports: &[i64]) -> Task {
        Task { cpu, memory: 512, ports: ports.iter().copied().collect(), ..Task::default() }
    }

    fn zones(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn tasks_go_on_free_hosts_and_on_those_that_may_still_come() {
        let full = [host(512, &[]), host(512, &[])];
        assert_eq!(place(&full, &[], &task(1536, &[]), 2), 0);
        assert_eq!(place(&full, &new(1), &task(1536, &[]), 2), 1);
        assert_eq!(place(&full, &new(2), &task(1536, &[]), 2), 2);
        assert_eq!(place(&[host(2048, &[])], &[], &task(512, &[]), 9), 4);
    }

    #[test]
    fn a_fixed_port_is_taken_once_a_host() {
        let hosts = [host(2048, &[80]), host(2048, &[22])];
        assert_eq!(place(&hosts, &[], &task(128, &[80]), 2), 1);
        assert_eq!(place(&hosts, &new(1), &task(128, &[80]), 3), 2);
    }

    #[test]
    fn a_task_with_an_address_of_its_own_takes_an_interface_of_its_host() {
        let with = |free| Host { interfaces: Some(2), free_interfaces: Some(free), ..host(2048, &[]) };
        let task = Task { own_address: true, ..task(128, &[]) };
        assert_eq!(place(&[with(0), with(1)], &[], &task, 4), 1);
        assert_eq!(place(&[with(0), with(1)], &[with(2)], &task, 4), 3);
        // Not known: not held against it.
        assert_eq!(place(&[host(2048, &[])], &[], &task, 4), 4);
    }

    #[test]
    fn hosts_in_zones_without_a_subnet_of_the_service_take_none_of_its_tasks() {
        let at = |zone: &str| Host { zone: Some(zone.to_owned()), ..host(2048, &[]) };
        let task = Task { zones: Some(zones(&["a"])), ..task(2048, &[]) };
        assert_eq!(place(&[at("a"), at("b"), at("c")], &[], &task, 3), 1);
        let room = balanced(&[at("a"), at("b")], &zones(&["a", "b"]), 3);
        let new: Vec<Host> = room.into_iter().map(|zone| Host { zone, ..host(2048, &[]) }).collect();
        assert_eq!(place(&[], &new, &task, 3), 2, "one in b");
    }

    #[test]
    fn new_hosts_come_where_the_fewest_are() {
        let at = |zone: &str| Host { zone: Some(zone.to_owned()), ..host(2048, &[]) };
        let texts = |zones: Vec<Option<String>>| zones.into_iter().flatten().collect::<Vec<_>>().concat();
        assert_eq!(texts(balanced(&[at("a"), at("a"), at("b")], &zones(&["a", "b"]), 3)), "bab");
        assert_eq!(balanced(&[at("a")], &BTreeSet::new(), 2), [None, None], "somewhere");
    }

    #[test]
    fn a_task_that_wants_a_host_for_itself_shares_it_with_none_of_its_service() {
        let with = |group: &str| Host { groups: zones(&[group]), ..host(2048, &[]) };
        let task = Task { alone: Some("service:web".to_owned()), ..task(128, &[]) };
        assert_eq!(place(&[with("service:web"), with("service:api")], &[], &task, 2), 1);
        assert_eq!(place(&[with("service:web")], &new(3), &task, 2), 2);
    }

    #[test]
    fn what_may_stop_first_needs_no_room() {
        let mut service = Object::new();
        service.put("deployment_minimum_healthy_percent", Some(50.into()));
        assert_eq!(needed(&service, 4), None);
        service.put("deployment_minimum_healthy_percent", Some(100.into()));
        assert_eq!(needed(&service, 4), Some(1));
    }
}

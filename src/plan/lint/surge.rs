//! Whether what a deployment starts beside what runs finds a place.

use super::code_deploy::controls;
use super::services::{rolls, strategy};
use super::{Finding, Look, blocks, finding, number, text};
use crate::aws::Host;
use crate::plan::Change;
use crate::rollout::ecs_deployment::stands_still;
use crate::schema::Object;
use crate::state::without_keys;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// What one task takes of its host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Size {
    cpu: i64,
    memory: i64,
    ports: BTreeSet<i64>,
}

pub(super) fn fits(look: &Look<'_>) -> Vec<Finding> {
    let updated = look
        .changed(&["aws_ecs_service"])
        .filter(|s| s.before.is_some() && (rolls(&s.after) || controls(&s.after)));
    updated.filter_map(|service| lacks(look, service)).collect()
}

fn lacks(look: &Look<'_>, service: &Change) -> Option<Finding> {
    let hosts = look.hosts.get(&text(&service.after, "cluster")?).filter(|hosts| !hosts.is_empty())?;
    let running = number(service.before.as_ref()?, "desired_count").filter(|count| *count > 0)?;
    let needed = needed(&service.after, running)?;
    let size = size(definition(look, service)?)?;
    let room = room(look, hosts)?;
    let placed = place(hosts, room, &size, needed);
    if placed >= needed {
        return None;
    }
    let ports = if size.ports.is_empty() { "" } else { " and a port of the host" };
    let tasks = if needed == 1 { "1 task".to_owned() } else { format!("{needed} tasks") };
    let text = format!(
        "it starts {tasks} beside the {running} that run, and there is room for {placed}: each takes {} CPU \
         units, {} MiB{ports}; hosts that the group may still start: {room}",
        size.cpu, size.memory,
    );
    Some(finding(service, text))
}

/// So many tasks must be started before any is stopped; None where ECS may stop some first.
fn needed(service: &Object, running: i64) -> Option<i64> {
    if strategy(service) != "ROLLING" || controls(service) {
        return Some(running);
    }
    let min = number(service, "deployment_minimum_healthy_percent").unwrap_or(100);
    let max = number(service, "deployment_maximum_percent").unwrap_or(200);
    // With a maximum of 100 % it can only go on by stopping: whether it may is another finding.
    (stands_still(running, min, 100) && !stands_still(running, min, max)).then_some(1)
}

fn definition<'p>(look: &Look<'p>, service: &Change) -> Option<&'p Object> {
    let arn = text(&service.after, "task_definition");
    let mut all = look.all(&["aws_ecs_task_definition"]);
    let own = |d: &&Change| match &arn {
        Some(arn) => text(&d.after, "arn").as_ref() == Some(arn),
        None => service.depends_on.contains(&without_keys(&d.address)),
    };
    all.find(own).map(|definition| &definition.after)
}

fn size(definition: &Object) -> Option<Size> {
    let containers: Vec<Json> = serde_json::from_str(&text(definition, "container_definitions")?).ok()?;
    let whole = |name: &str| text(definition, name).and_then(|t| t.parse::<i64>().ok());
    let sum = |names: [&str; 2]| -> i64 {
        containers.iter().filter_map(|c| names.iter().find_map(|name| c[*name].as_i64())).sum()
    };
    let host_network = text(definition, "network_mode").as_deref() == Some("host");
    let ports =
        containers.iter().flat_map(|c| c["portMappings"].as_array().into_iter().flatten()).filter_map(|p| {
            let port = if host_network { &p["containerPort"] } else { &p["hostPort"] };
            port.as_i64().filter(|port| *port > 0)
        });
    // Tasks with an address of their own take no port of the host.
    let own_address = text(definition, "network_mode").as_deref() == Some("awsvpc");
    Some(Size {
        cpu: whole("cpu").unwrap_or_else(|| sum(["cpu", "cpu"])),
        memory: whole("memory").unwrap_or_else(|| sum(["memoryReservation", "memory"])),
        ports: if own_address { BTreeSet::new() } else { ports.collect() },
    })
}

/// How many more hosts their group may start; None where this plan does not know the group.
fn room(look: &Look<'_>, hosts: &[Host]) -> Option<usize> {
    let provider = hosts.iter().find_map(|host| host.provider.clone())?;
    let mut providers = look.all(&["aws_ecs_capacity_provider"]);
    let provider = providers.find(|p| text(&p.after, "name").as_ref() == Some(&provider))?;
    let arn = blocks(&provider.after, "auto_scaling_group_provider")
        .first()
        .and_then(|p| text(p, "auto_scaling_group_arn"))?;
    let group =
        look.all(&["aws_autoscaling_group"]).find(|g| text(&g.after, "arn").as_ref() == Some(&arn))?;
    let max = number(&group.after, "max_size")?;
    usize::try_from(max - hosts.len() as i64).ok().or(Some(0))
}

/// How many of the tasks find a place: on the hosts as they are, then on new ones like the smallest of them.
fn place(hosts: &[Host], room: usize, size: &Size, needed: i64) -> i64 {
    let smallest = hosts.iter().map(|host| (host.cpu, host.memory)).min().unwrap_or_default();
    let new = Host { free_cpu: smallest.0, free_memory: smallest.1, ..Host::default() };
    let mut placed = 0;
    for host in hosts.iter().chain(std::iter::repeat_n(&new, room)) {
        let by = |free: i64, each: i64| if each > 0 { free / each } else { i64::MAX };
        let mut fit = by(host.free_cpu, size.cpu).min(by(host.free_memory, size.memory)).max(0);
        if !size.ports.is_empty() {
            fit = fit.min(i64::from(size.ports.is_disjoint(&host.ports)));
        }
        placed += fit.min(needed - placed);
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(free_cpu: i64, ports: &[i64]) -> Host {
        let ports = ports.iter().copied().collect();
        Host { cpu: 2048, memory: 4096, free_cpu, free_memory: 4096, ports, provider: None }
    }

    fn task(cpu: i64, ports: &[i64]) -> Size {
        Size { cpu, memory: 512, ports: ports.iter().copied().collect() }
    }

    #[test]
    fn tasks_go_on_free_hosts_and_on_those_that_may_still_come() {
        let full = [host(512, &[]), host(512, &[])];
        assert_eq!(place(&full, 0, &task(1536, &[]), 2), 0);
        assert_eq!(place(&full, 1, &task(1536, &[]), 2), 1);
        assert_eq!(place(&full, 2, &task(1536, &[]), 2), 2);
        assert_eq!(place(&[host(2048, &[])], 0, &task(512, &[]), 9), 4);
    }

    #[test]
    fn a_fixed_port_is_taken_once_a_host() {
        let hosts = [host(2048, &[80]), host(2048, &[22])];
        assert_eq!(place(&hosts, 0, &task(128, &[80]), 2), 1);
        assert_eq!(place(&hosts, 1, &task(128, &[80]), 3), 2);
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

//! Container instances: EC2 instances whose agent has joined a cluster.

use super::super::{Answer, ApiError, Input};
use super::model::{Host, TaskStatus};
use super::tasks::Stop;
use super::{
    Event, cluster_name, includes, invalid, kick, missing, network, paged, placement, short, tag_list, tasks,
    tell,
};
use crate::World;
use crate::service::autoscaling;
use crate::world::{Event as WorldEvent, MINUTE, Millis, SECOND};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Ports that the agent and the system keep (ECS developer guide, port mappings), in the agent's order.
const RESERVED_PORTS: &[i64] = &[22, 2376, 2375, 51678, 51679];

/// What the agent reads from user data: the cluster, and attributes of the instance.
#[derive(Debug, Default, PartialEq)]
pub(super) struct AgentConfig {
    pub cluster: Option<String>,
    pub attributes: BTreeMap<String, String>,
    /// Whether the agent drains its instance when a spot interruption notice comes.
    pub spot_draining: bool,
}

/// Reads user data as cloud-init does: a script must begin with `#!` at its first byte, and one whose lines
/// end in CRLF has no interpreter of that name, so that nothing of it runs. Bottlerocket's settings are TOML.
pub(super) fn agent_config(user_data: &str) -> AgentConfig {
    let mut config = AgentConfig::default();
    let first = user_data.lines().next().unwrap_or_default();
    let runs = (user_data.starts_with("#!")
        && !user_data.split('\n').next().unwrap_or_default().ends_with('\r'))
        || first.starts_with("#cloud-config")
        || first.starts_with("Content-Type: multipart/")
        || first.starts_with("MIME-Version:")
        || first.starts_with("<powershell>");
    let mut section = "";
    for line in user_data.lines().map(str::trim) {
        if line.starts_with('[') && line.ends_with(']') {
            section = line;
        }
        if section == "[settings.ecs]"
            && let Some((key, value)) = line.split_once('=')
            && key.trim() == "cluster"
        {
            config.cluster = Some(bare(value));
        }
        if !runs || line.starts_with('#') {
            continue;
        }
        if let Some((_, value)) = line.split_once("ECS_CLUSTER=") {
            config.cluster = Some(bare(value));
        }
        if let Some((_, value)) = line.split_once("ECS_ENABLE_SPOT_INSTANCE_DRAINING=") {
            config.spot_draining = bare(value) == "true";
        }
        if let Some((_, value)) = line.split_once("Initialize-ECSAgent -Cluster ") {
            config.cluster = Some(bare(value));
        }
        if let Some((_, value)) = line.split_once("ECS_INSTANCE_ATTRIBUTES=")
            && let Some(end) = value.rfind('}')
            && let Some(start) = value.find('{')
            && let Ok(map) = serde_json::from_str(&value[start..=end])
        {
            config.attributes = map;
        }
    }
    config.cluster = config.cluster.filter(|name| !name.is_empty());
    config
}

/// A value as a shell or TOML has it: without quotes, up to where the word ends.
fn bare(value: &str) -> String {
    let value = value.trim_start().trim_start_matches(['"', '\'']);
    value
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '>' | '\\'))
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// What Docker sees of the nominal memory: the kernel and the firmware keep some of it.
fn registered_memory(nominal_mib: i64) -> i64 {
    nominal_mib - nominal_mib * 3 / 100 - 60
}

pub(super) fn register(world: &mut World, instance_id: &str, attempt: u32) {
    let Some(facts) = network::host(world, instance_id).filter(|host| host.running) else { return };
    let config = agent_config(&facts.user_data);
    let Some(name) = config.cluster else { return };
    if world.ecs.host_of.contains_key(instance_id) {
        return;
    }
    // Without an instance profile the agent has no credentials; without the cluster, or a role that lets it, it is
    // refused. It is restarted, and tries again.
    if !super::roles::may_join(world, instance_id, &name)
        || !world.ecs.clusters.get(&name).is_some_and(|cluster| cluster.active)
    {
        let wait = ((30 * SECOND) << attempt.min(5)).min(15 * MINUTE);
        let event = Event::Register { instance: instance_id.to_owned(), attempt: attempt + 1 };
        world.schedule(wait, WorldEvent::Ecs(event));
        return;
    }
    let mut given = agent_attributes(&facts);
    given.extend(config.attributes.into_iter().map(|(key, value)| (key, Some(value))));
    join(world, instance_id, &name, facts, given);
    // An agent that comes late asks the instance's metadata, too.
    if world.ec2.instances.get(instance_id).is_some_and(|one| one.spot_notice.is_some()) {
        spot_noticed(world, instance_id);
    }
}

/// What an agent of this world says of its host.
fn agent_attributes(facts: &network::Host) -> BTreeMap<String, Option<String>> {
    let mut attributes: BTreeMap<String, Option<String>> = [
        ("ecs.cpu-architecture", facts.architecture.as_str()),
        ("ecs.os-family", "LINUX"),
        ("ecs.os-type", "linux"),
        ("ecs.subnet-id", &facts.subnet_id),
        ("ecs.vpc-id", facts.vpc_id.as_deref().unwrap_or_default()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), Some(value.to_owned())))
    .collect();
    for capability in
        ["task-eni", "execution-role-awslogs", "task-iam-role", "secrets.ssm.environment-variables"]
    {
        attributes.insert(format!("ecs.capability.{capability}"), None);
    }
    attributes
}

/// Makes the instance a host of the cluster. Three attributes are ECS's own; the others are what its agent gives.
pub(super) fn join(
    world: &mut World,
    instance_id: &str,
    name: &str,
    facts: network::Host,
    given: BTreeMap<String, Option<String>>,
) -> String {
    let id = world.hex(32);
    let arn = world.arn("ecs", &format!("container-instance/{name}/{id}"));
    let mut attributes: BTreeMap<String, Option<String>> = [
        ("ecs.ami-id", facts.image_id.as_str()),
        ("ecs.availability-zone", &facts.zone),
        ("ecs.instance-type", &facts.instance_type),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), Some(value.to_owned())))
    .collect();
    attributes.extend(given);
    let host = Host {
        arn: arn.clone(),
        instance_id: instance_id.to_owned(),
        cluster: name.to_owned(),
        zone: facts.zone,
        subnet_id: facts.subnet_id,
        vpc_id: facts.vpc_id,
        instance_type: facts.instance_type,
        provider: None,
        draining: false,
        disconnected: false,
        agent: None,
        protected: false,
        cpu: facts.vcpus * 1024,
        memory: registered_memory(facts.memory_mib),
        interfaces: (facts.interfaces - 1).max(0),
        used_cpu: 0,
        used_memory: 0,
        used_interfaces: 0,
        ports: RESERVED_PORTS.iter().copied().collect(),
        next_port: 32_768,
        tasks: Default::default(),
        attributes,
        registered: world.now,
        version: 1,
        tags: Default::default(),
    };
    world.ecs.hosts.insert(arn.clone(), host);
    world.ecs.host_of.insert(instance_id.to_owned(), arn.clone());
    world.tell("ecs", "container-instance", &arn, "ACTIVE", Some(instance_id));
    if let Some(cluster) = world.ecs.clusters.get_mut(name) {
        cluster.hosts.insert(arn.clone());
    }
    assign_provider(world, &arn, &groups_of(world, name));
    placement::room(world, name);
    super::scaling::wake_cluster(world, name);
    super::told::hosts_changed(world, name);
    kick_daemons(world, name);
    tell::host(world, &arn, None);
    arn
}

fn kick_daemons(world: &mut World, cluster: &str) {
    for arn in world.ecs.index.daemons(cluster) {
        kick(world, &arn, SECOND);
    }
}

/// Group → capacity provider, as the cluster has them.
fn groups_of(world: &World, cluster: &str) -> BTreeMap<String, String> {
    let names = world.ecs.clusters.get(cluster).map(|found| found.capacity_providers.as_slice());
    let providers = names.unwrap_or_default().iter().filter_map(|name| super::capacity::get(world, name));
    providers.map(|provider| (provider.group_name.clone(), provider.name.clone())).collect()
}

/// The providers of a cluster have changed.
pub(super) fn assign_providers(world: &mut World, cluster: &str) {
    let groups = groups_of(world, cluster);
    let Some(found) = world.ecs.clusters.get(cluster) else { return };
    let hosts: Vec<String> = found.hosts.iter().cloned().collect();
    for arn in hosts {
        assign_provider(world, &arn, &groups);
    }
}

/// A host belongs to the provider of its cluster whose group launched it.
fn assign_provider(world: &mut World, arn: &str, groups: &BTreeMap<String, String>) {
    let Some(host) = world.ecs.hosts.get_mut(arn) else { return };
    let tags = world.ec2.tags.get(&host.instance_id);
    let group = tags.and_then(|tags| tags.get("aws:autoscaling:groupName"));
    host.provider = group.and_then(|group| groups.get(group)).cloned();
    world.ecs.host_changed(arn);
    protect(world, arn);
}

/// Managed termination protection: instances with tasks are protected from scale-in, empty ones are not.
pub(super) fn protect(world: &mut World, arn: &str) {
    let Some(host) = world.ecs.hosts.get(arn) else { return };
    let managed = host.provider.as_ref().and_then(|name| super::capacity::get(world, name));
    if !managed.is_some_and(|provider| provider.termination_protection) {
        return;
    }
    let wanted = host.tasks.iter().any(|task| !is_daemon(world, task)) && !host.draining;
    if host.protected != wanted {
        let instance = host.instance_id.clone();
        if let Some(host) = world.ecs.hosts.get_mut(arn) {
            host.protected = wanted;
        }
        autoscaling::set_instance_protection(world, &instance, wanted);
    }
}

pub(super) fn is_daemon(world: &World, task: &str) -> bool {
    world.ecs.is_daemon(task)
}

pub(super) fn gone(world: &mut World, instance_id: &str) {
    let Some(arn) = world.ecs.host_of.get(instance_id).cloned() else { return };
    let left = world.ecs.hosts.values().filter(|host| host.disconnected && host.instance_id == instance_id);
    let left: Vec<String> = left.map(|host| host.arn.clone()).collect();
    for arn in left.into_iter().chain([arn]) {
        let host = world.ecs.hosts.get(&arn);
        let running: Vec<String> = host.map(|host| host.tasks.iter().cloned().collect()).unwrap_or_default();
        for task in running {
            tasks::vanish(world, &task, Stop::host_terminated(instance_id));
        }
        remove(world, &arn);
    }
}

/// Its agent has registered the instance elsewhere: it stays a host, and gets no more tasks.
pub(super) fn disconnect(world: &mut World, arn: &str) {
    let Some(host) = world.ecs.hosts.get_mut(arn) else { return };
    host.disconnected = true;
    host.version += 1;
    world.ecs.host_changed(arn);
    tell::host(world, arn, None);
}

fn remove(world: &mut World, arn: &str) {
    tell::host(world, arn, Some("INACTIVE"));
    let Some(host) = world.ecs.hosts.remove(arn) else { return };
    world.ecs.host_changed(arn);
    world.tell("ecs", "container-instance", arn, "INACTIVE", Some(&host.instance_id));
    if world.ecs.host_of.get(&host.instance_id).is_some_and(|newest| newest == arn) {
        world.ecs.host_of.remove(&host.instance_id);
    }
    if let Some(cluster) = world.ecs.clusters.get_mut(&host.cluster) {
        cluster.hosts.remove(arn);
    }
    super::scaling::wake_cluster(world, &host.cluster);
    super::told::hosts_changed(world, &host.cluster);
    kick_daemons(world, &host.cluster);
}

fn set_draining(world: &mut World, arn: &str, draining: bool) {
    let Some(host) = world.ecs.hosts.get_mut(arn) else { return };
    if host.draining == draining {
        return;
    }
    host.draining = draining;
    host.version += 1;
    tell::host(world, arn, None);
    let Some(host) = world.ecs.hosts.get(arn) else { return };
    let (cluster, on_it) = (host.cluster.clone(), host.tasks.clone());
    world.ecs.host_changed(arn);
    world.tell("ecs", "container-instance", arn, if draining { "DRAINING" } else { "ACTIVE" }, None);
    for task in on_it {
        if let Some(service) = world.ecs.tasks.get(&task).and_then(|task| task.service.clone()) {
            kick(world, &service, SECOND);
        }
    }
    if !draining {
        placement::room(world, &cluster);
    }
    kick_daemons(world, &cluster);
    super::scaling::wake_cluster(world, &cluster);
    protect(world, arn);
}

pub(super) fn drain_before_termination(world: &mut World, instance_id: &str) -> bool {
    let Some(arn) = world.ecs.host_of.get(instance_id).cloned() else { return false };
    let host = &world.ecs.hosts[&arn];
    let managed = host.provider.as_ref().and_then(|name| super::capacity::get(world, name));
    if !managed.is_some_and(|provider| provider.draining) {
        return false;
    }
    set_draining(world, &arn, true);
    let host = &world.ecs.hosts[&arn];
    host.tasks.iter().any(|task| !is_daemon(world, task))
}

/// With `ECS_ENABLE_SPOT_INSTANCE_DRAINING=true` the agent sets its instance to DRAINING (ECS developer guide,
/// "Amazon ECS capacity providers: Spot instance draining").
pub(super) fn spot_noticed(world: &mut World, instance_id: &str) {
    let data = world.ec2.instances.get(instance_id).map(|one| one.spec.user_data.as_str());
    let drains = data.is_some_and(|data| agent_config(data).spot_draining);
    if let Some(arn) = world.ecs.host_of.get(instance_id).cloned().filter(|_| drains) {
        set_draining(world, &arn, true);
    }
}

fn resource(name: &str, value: i64) -> Json {
    json!({"name": name, "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": value})
}

fn ports(name: &str, ports: impl Iterator<Item = i64>) -> Json {
    let set: Vec<String> = ports.map(|port| port.to_string()).collect();
    json!({
        "name": name, "type": "STRINGSET", "doubleValue": 0.0, "longValue": 0, "integerValue": 0,
        "stringSetValue": set,
    })
}

fn view(world: &World, host: &Host, tags: bool) -> Json {
    let statuses = host.tasks.iter().filter_map(|task| world.ecs.tasks.get(task)).map(|task| task.status);
    let (mut running, mut pending) = (0, 0);
    for status in statuses {
        match status {
            TaskStatus::Running => running += 1,
            status if status < TaskStatus::Running => pending += 1,
            _ => {}
        }
    }
    let attributes: Vec<Json> = host
        .attributes
        .iter()
        .map(|(name, value)| match value {
            Some(value) => json!({"name": name, "value": value}),
            None => json!({"name": name}),
        })
        .collect();
    let taken = host.ports.iter().filter(|port| **port < 32_768 && !RESERVED_PORTS.contains(port));
    let used = RESERVED_PORTS.iter().chain(taken).copied();
    let of_this_world =
        json!({"agentVersion": "1.98.0", "agentHash": "8b9a1c2d", "dockerVersion": "DockerVersion: 25.0.8"});
    let mut view = json!({
        "containerInstanceArn": host.arn,
        "ec2InstanceId": host.instance_id,
        "version": host.version,
        "versionInfo": host.agent.clone().unwrap_or(of_this_world),
        "remainingResources": [
            resource("CPU", host.cpu - host.used_cpu),
            resource("MEMORY", host.memory - host.used_memory),
            ports("PORTS", used),
            ports("PORTS_UDP", std::iter::empty()),
        ],
        "registeredResources": [
            resource("CPU", host.cpu),
            resource("MEMORY", host.memory),
            ports("PORTS", RESERVED_PORTS.iter().copied()),
            ports("PORTS_UDP", std::iter::empty()),
        ],
        "status": if host.draining { "DRAINING" } else { "ACTIVE" },
        "agentConnected": !host.disconnected,
        "runningTasksCount": running,
        "pendingTasksCount": pending,
        "attributes": attributes,
        "registeredAt": World::timestamp(host.registered),
        "attachments": [],
        "tags": if tags { tag_list(&host.tags) } else { json!([]) },
    });
    super::put(&mut view, "capacityProviderName", host.provider.clone());
    view
}

/// The ARN of a host of this cluster, given by ARN or id.
pub(super) fn find(world: &World, cluster: &str, name: &str) -> Option<String> {
    let arn = if name.starts_with("arn:") {
        name.to_owned()
    } else {
        world.arn("ecs", &format!("container-instance/{cluster}/{name}"))
    };
    world.ecs.hosts.get(&arn).filter(|host| host.cluster == cluster).map(|host| host.arn.clone())
}

fn each<'a>(
    world: &World,
    input: &'a Json,
    cluster: &str,
) -> Result<Vec<(&'a str, Option<String>)>, ApiError> {
    let names = input.texts("containerInstances");
    if names.is_empty() {
        return Err(invalid("Container instance cannot be empty."));
    }
    if names.len() > 100 {
        return Err(invalid("Container instances cannot have more than 100 elements."));
    }
    Ok(names.into_iter().map(|name| (name, find(world, cluster, name))).collect())
}

fn missing_host(world: &World, cluster: &str, name: &str) -> Json {
    if name.starts_with("arn:") {
        return missing(name);
    }
    missing(world.arn("ecs", &format!("container-instance/{cluster}/{name}")))
}

pub(super) fn describe_one(world: &World, arn: &str) -> Answer {
    let host = world.ecs.hosts.get(arn).ok_or_else(|| invalid("The container instance is gone."))?;
    Ok(json!({"containerInstance": view(world, host, true)}))
}

pub(super) fn describe_container_instances(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for (name, arn) in each(world, input, cluster)? {
        match arn.and_then(|arn| world.ecs.hosts.get(&arn)) {
            Some(host) => found.push(view(world, host, includes(input, "TAGS"))),
            None => failures.push(missing_host(world, cluster, name)),
        }
    }
    Ok(json!({"containerInstances": found, "failures": failures}))
}

pub(super) fn list_container_instances(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?;
    let status = input.text("status");
    let filter = input.text("filter").map(str::to_owned);
    let hosts = world.ecs.clusters[cluster].hosts.iter().filter_map(|arn| world.ecs.hosts.get(arn));
    let arns = hosts
        .filter(|host| match status {
            Some("DRAINING") => host.draining,
            Some("ACTIVE") => !host.draining,
            Some(_) => false,
            None => true,
        })
        .filter(|host| filter.as_deref().is_none_or(|text| placement::expression_holds(text, host)))
        .map(|host| json!(host.arn))
        .collect();
    Ok(paged(input, "containerInstanceArns", arns, 100))
}

pub(super) fn update_container_instances_state(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?;
    let draining = match input.text("status").unwrap_or_default() {
        "DRAINING" => true,
        "ACTIVE" => false,
        _ => return Err(invalid("Container instance status must be one of: [ACTIVE, DRAINING].")),
    };
    let asked = each(world, input, cluster)?;
    if asked.len() > 10 {
        return Err(invalid("Container instances cannot have more than 10 elements."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for (name, arn) in asked {
        match arn {
            Some(arn) => {
                set_draining(world, &arn, draining);
                found.push(view(world, &world.ecs.hosts[&arn], false));
            }
            None => failures.push(missing_host(world, cluster, name)),
        }
    }
    Ok(json!({"containerInstances": found, "failures": failures}))
}

pub(super) fn deregister_container_instance(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?;
    let name = input.text("containerInstance").unwrap_or_default();
    let arn = find(world, cluster, name)
        .ok_or_else(|| invalid(format!("Referenced container instance {} not found.", short(name))))?;
    let host = &world.ecs.hosts[&arn];
    let running = !host.tasks.is_empty();
    if running && input.flag("force") != Some(true) {
        return Err(invalid("Found running tasks on the instance."));
    }
    let mut answer = json!({"containerInstance": view(world, host, false)});
    answer["containerInstance"]["status"] = json!("INACTIVE");
    answer["containerInstance"]["agentConnected"] = json!(false);
    // The containers go on running, but ECS has no tasks there any more.
    let on_it: Vec<String> = host.tasks.iter().cloned().collect();
    for task in on_it {
        tasks::vanish(world, &task, Stop::host_deregistered());
    }
    remove(world, &arn);
    Ok(answer)
}

/// A task's resources on its host, taken or given back.
pub(super) struct Share {
    pub cpu: i64,
    pub memory: i64,
    pub interfaces: i64,
    pub ports: Vec<i64>,
}

pub(super) fn take(world: &mut World, host: &str, task: &str, share: &Share) {
    let Some(found) = world.ecs.hosts.get_mut(host) else { return };
    found.used_cpu += share.cpu;
    found.used_memory += share.memory;
    found.used_interfaces += share.interfaces;
    found.ports.extend(share.ports.iter().copied());
    found.tasks.insert(task.to_owned());
    found.version += 1;
    let cluster = found.cluster.clone();
    world.ecs.host_changed(host);
    super::told::hosts_changed(world, &cluster);
    protect(world, host);
}

pub(super) fn give_back(world: &mut World, host: &str, task: &str, share: &Share) {
    let Some(found) = world.ecs.hosts.get_mut(host) else { return };
    if !found.tasks.remove(task) {
        return;
    }
    found.used_cpu -= share.cpu;
    found.used_memory -= share.memory;
    found.used_interfaces -= share.interfaces;
    found.ports.retain(|port| !share.ports.contains(port));
    found.version += 1;
    let (cluster, provider) = (found.cluster.clone(), found.provider.clone());
    world.ecs.host_changed(host);
    protect(world, host);
    super::told::hosts_changed(world, &cluster);
    placement::room(world, &cluster);
    super::scaling::wake_provider(world, provider.as_deref());
}

/// How long a task takes to be stopped when its container is asked to.
pub(super) const STOPS_IN: Millis = 3 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_toml_name_the_cluster() {
        let script = "#!/bin/bash\necho ECS_CLUSTER=web >> /etc/ecs/ecs.config\n";
        assert_eq!(agent_config(script).cluster.as_deref(), Some("web"));
        let heredoc = "#!/bin/bash\ncat <<'EOF' >> /etc/ecs/ecs.config\nECS_CLUSTER=web\nECS_INSTANCE_ATTRIBUTES={\"pool\":\"a\"}\nEOF\n";
        let config = agent_config(heredoc);
        assert_eq!(config.cluster.as_deref(), Some("web"));
        assert_eq!(config.attributes["pool"], "a");
        assert_eq!(agent_config("[settings.ecs]\ncluster = \"web\"\n").cluster.as_deref(), Some("web"));
    }

    #[test]
    fn a_script_that_does_not_run_joins_nothing() {
        assert_eq!(agent_config("  #!/bin/bash\necho ECS_CLUSTER=web\n").cluster, None);
        assert_eq!(agent_config("#!/bin/bash\r\necho ECS_CLUSTER=web\r\n").cluster, None);
        assert_eq!(agent_config("#!/bin/bash\n# ECS_CLUSTER=web\n").cluster, None);
    }
}

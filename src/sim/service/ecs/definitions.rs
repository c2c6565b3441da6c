//! Task definitions: registration fills in what AWS fills in, revisions count up for ever.

use super::super::{Answer, ApiError, Input};
use super::model::TaskDefinition;
use super::{client, includes, invalid, paged, put, tag_list, tags_of};
use crate::World;
use serde_json::{Value as Json, json};

fn bad() -> ApiError {
    client("Unable to describe task definition.")
}

/// Members that a registration may carry and DescribeTaskDefinition answers as they were.
const KEPT: &[&str] = &[
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "inferenceAccelerators",
    "ephemeralStorage",
    "runtimePlatform",
    "enableFaultInjection",
];

/// CPU units of Fargate and the range of memory (MiB) and step that go with each.
const FARGATE: &[(i64, i64, i64, i64)] = &[
    (256, 1_024, 2_048, 1_024),
    (512, 1_024, 4_096, 1_024),
    (1_024, 2_048, 8_192, 1_024),
    (2_048, 4_096, 16_384, 1_024),
    (4_096, 8_192, 30_720, 1_024),
    (8_192, 16_384, 61_440, 4_096),
    (16_384, 32_768, 122_880, 8_192),
];

/// `256`, `.25 vCPU`, `1 vcpu` → units.
fn cpu_units(text: &str) -> Option<i64> {
    let lower = text.trim().to_lowercase();
    match lower.strip_suffix("vcpu") {
        Some(number) => number.trim().parse::<f64>().ok().map(|n| (n * 1024.0).round() as i64),
        None => lower.parse().ok(),
    }
}

/// `512`, `1GB`, `0.5 GB` → MiB.
fn memory_mib(text: &str) -> Option<i64> {
    let lower = text.trim().to_lowercase();
    match lower.strip_suffix("gb") {
        Some(number) => number.trim().parse::<f64>().ok().map(|n| (n * 1024.0).round() as i64),
        None => lower.parse().ok(),
    }
}

fn check_fargate(input: &Json, cpu: Option<i64>, memory: Option<i64>, mode: &str) -> Result<(), ApiError> {
    if mode != "awsvpc" {
        return Err(client("Fargate only supports network mode ‘awsvpc’."));
    }
    let (Some(cpu), Some(memory)) = (cpu, memory) else {
        let what = if cpu.is_none() { "cpu" } else { "memory" };
        return Err(client(format!("Fargate requires that '{what}' be defined at the task level.")));
    };
    let fits = FARGATE.iter().any(|(units, low, high, step)| {
        let regular = (*low..=*high).contains(&memory) && memory % step == 0;
        *units == cpu && (regular || *units == 256 && memory == 512)
    });
    if !fits {
        return Err(client("No Fargate configuration exists for given values."));
    }
    if input.list("placementConstraints").iter().any(|_| true) {
        return Err(client("Fargate does not support placement constraints in a task definition."));
    }
    if let Some(mode) = input.text("pidMode").filter(|mode| *mode != "task") {
        return Err(client(format!(
            "Tasks using the Fargate launch type do not support pidMode '{mode}'. The supported value for pidMode is 'task'."
        )));
    }
    if input.text("ipcMode").is_some() {
        return Err(client("Tasks using the Fargate launch type do not support ipcMode."));
    }
    Ok(())
}

fn container(input: &Json, mode: &str, task_memory: Option<i64>) -> Result<Json, ApiError> {
    let mut one = input.clone();
    let name = input.text("name").unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err(client("Container.name should not be null or empty."));
    }
    if input.text("image").unwrap_or_default().is_empty() {
        return Err(client("Container.image should not be null or empty."));
    }
    if input.int("memory").is_none() && input.int("memoryReservation").is_none() && task_memory.is_none() {
        return Err(client(format!(
            "Invalid setting for container '{name}'. At least one of 'memory' or 'memoryReservation' must be specified."
        )));
    }
    if let (Some(hard), Some(soft)) = (input.int("memory"), input.int("memoryReservation"))
        && soft > hard
    {
        return Err(client(format!(
            "Invalid setting for container '{name}'. 'memory' must be greater than or equal to 'memoryReservation'."
        )));
    }
    let fill = |one: &mut Json, member: &str, value: Json| {
        if one.get(member).is_none_or(Json::is_null) {
            one[member] = value;
        }
    };
    fill(&mut one, "cpu", json!(0));
    fill(&mut one, "essential", json!(true));
    for list in ["environment", "mountPoints", "volumesFrom", "portMappings", "systemControls"] {
        fill(&mut one, list, json!([]));
    }
    let ports = one["portMappings"].as_array_mut().expect("filled above");
    for port in ports {
        fill(port, "protocol", json!("tcp"));
        if port.get("containerPortRange").is_some_and(|range| !range.is_null()) {
            continue;
        }
        let inner = port.int("containerPort").unwrap_or(0);
        if !(1..=65_535).contains(&inner) {
            return Err(client(format!("Invalid 'containerPort' setting for container '{name}'.")));
        }
        let same = matches!(mode, "awsvpc" | "host");
        match port.int("hostPort") {
            None | Some(0) => port["hostPort"] = json!(if same { inner } else { 0 }),
            Some(outer) if same && outer != inner => {
                return Err(client(format!(
                    "When networkMode={mode}, the host ports and container ports in port mappings must match."
                )));
            }
            Some(_) => {}
        }
    }
    if let Some(check) = one.get_mut("healthCheck").filter(|check| !check.is_null()) {
        fill(check, "interval", json!(30));
        fill(check, "timeout", json!(5));
        fill(check, "retries", json!(3));
    }
    Ok(one)
}

/// AWS fills in the root of a file system (CircleCI-Public/aws-ecs-orb#105).
fn volume(given: &Json) -> Json {
    let mut one = given.clone();
    if let Some(efs) = one.get_mut("efsVolumeConfiguration").filter(|efs| !efs.is_null())
        && efs.text("rootDirectory").is_none_or(str::is_empty)
    {
        efs["rootDirectory"] = json!("/");
    }
    one
}

fn drop_nulls(value: &mut Json) {
    match value {
        Json::Object(map) => {
            map.retain(|_, member| !member.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Json::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// The body as it is answered, family and revision not yet in it.
fn build(world: &World, input: &Json) -> Result<Json, ApiError> {
    let compatible = input.texts("requiresCompatibilities");
    let fargate = compatible.contains(&"FARGATE");
    let mode = input.text("networkMode").unwrap_or(if fargate { "awsvpc" } else { "bridge" });
    let parse = |name: &str, parser: fn(&str) -> Option<i64>| match input.text(name) {
        Some(text) => {
            parser(text).map(Some).ok_or_else(|| client(format!("Invalid '{name}' setting for task.")))
        }
        None => Ok(None),
    };
    let (cpu, memory) = (parse("cpu", cpu_units)?, parse("memory", memory_mib)?);
    let given = input.list("containerDefinitions");
    if given.is_empty() {
        return Err(client("Container list cannot be empty."));
    }
    let containers: Vec<Json> =
        given.iter().map(|one| container(one, mode, memory)).collect::<Result<_, _>>()?;
    if fargate {
        check_fargate(input, cpu, memory, input.text("networkMode").unwrap_or("bridge"))?;
        if input
            .list("containerDefinitions")
            .iter()
            .any(|one| one.get("secrets").is_some_and(|list| list != &json!([])))
            && input.text("executionRoleArn").is_none()
        {
            return Err(client(
                "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
            ));
        }
    }
    for (at, one) in containers.iter().enumerate() {
        if containers[..at].iter().any(|other| other["name"] == one["name"]) {
            return Err(client("Container names must be unique within a task definition."));
        }
    }
    if !containers.iter().any(|one| one["essential"] == json!(true)) {
        return Err(client("At least one container in a task definition must be marked as essential."));
    }
    let mut body = json!({
        "containerDefinitions": containers,
        "volumes": input.list("volumes").iter().map(volume).collect::<Json>(),
        "placementConstraints": input.list("placementConstraints"),
        "compatibilities": compatibilities(mode, cpu, memory),
        "registeredAt": World::timestamp(world.now),
        "registeredBy": world.arn("iam", "root"),
        "requiresAttributes": requires_attributes(input, mode),
    });
    for member in KEPT {
        if let Some(value) = input.get(*member).filter(|value| !value.is_null() && **value != json!([])) {
            body[*member] = value.clone();
        }
    }
    body["networkMode"] = json!(mode);
    if let Some(cpu) = cpu {
        body["cpu"] = json!(cpu.to_string());
    }
    if let Some(memory) = memory {
        body["memory"] = json!(memory.to_string());
    }
    if input.text("networkMode").is_none() && !fargate {
        // AWS leaves the member out when it was not given: Docker's default is meant.
        body.as_object_mut().expect("made above").remove("networkMode");
    }
    drop_nulls(&mut body);
    Ok(body)
}

fn compatibilities(mode: &str, cpu: Option<i64>, memory: Option<i64>) -> Vec<&'static str> {
    let mut all = vec!["EC2"];
    if mode == "awsvpc" && cpu.is_some() && memory.is_some() {
        all.push("FARGATE");
    }
    if mode == "bridge" || mode == "host" {
        all.insert(0, "EXTERNAL");
    }
    all
}

fn requires_attributes(input: &Json, mode: &str) -> Json {
    let mut names = Vec::new();
    let containers = input.list("containerDefinitions");
    let logs = containers.iter().filter_map(|one| one.get("logConfiguration")?.text("logDriver"));
    for driver in logs {
        let name = format!("com.amazonaws.ecs.capability.logging-driver.{driver}");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if input.text("executionRoleArn").is_some() && !names.is_empty() {
        names.push("ecs.capability.execution-role-awslogs".to_owned());
    }
    if input.text("taskRoleArn").is_some() {
        names.push("com.amazonaws.ecs.capability.task-iam-role".to_owned());
    }
    if mode == "awsvpc" {
        names.push("ecs.capability.task-eni".to_owned());
    }
    names.push("com.amazonaws.ecs.capability.docker-remote-api.1.18".to_owned());
    names.iter().map(|name| json!({"name": name})).collect()
}

fn view(definition: &TaskDefinition) -> Json {
    let mut view = definition.body.clone();
    view["status"] = json!(definition.status);
    put(&mut view, "deregisteredAt", super::time(definition.deregistered));
    view
}

pub(super) fn register_task_definition(world: &mut World, input: &Json) -> Answer {
    let family = input.text("family").unwrap_or_default();
    let plain = family.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if family.is_empty() || family.len() > 255 || !plain {
        return Err(client(
            "Family name must be between 1 and 255 characters, and contain only letters, numbers, hyphens, and underscores.",
        ));
    }
    let tags = tags_of(input)?;
    let mut body = build(world, input)?;
    let entry = world.ecs.families.entry(family.to_owned()).or_default();
    entry.last += 1;
    let revision = entry.last;
    let arn = world.arn("ecs", &format!("task-definition/{family}:{revision}"));
    body["taskDefinitionArn"] = json!(arn);
    body["family"] = json!(family);
    body["revision"] = json!(revision);
    let definition = TaskDefinition { arn, body, status: "ACTIVE".to_owned(), deregistered: None, tags };
    let answer = json!({"taskDefinition": view(&definition), "tags": tag_list(&definition.tags)});
    if let Some(entry) = world.ecs.families.get_mut(family) {
        entry.revisions.insert(revision, definition);
    }
    Ok(answer)
}

/// `family`, `family:3` or an ARN → family and revision; without one, the newest ACTIVE.
fn locate(world: &World, name: &str) -> Option<(String, i64)> {
    let plain = name.rsplit_once('/').map_or(name, |(_, rest)| rest);
    match plain.split_once(':') {
        Some((family, revision)) => {
            let revision = revision.parse().ok()?;
            world.ecs.families.get(family)?.revisions.get(&revision)?;
            Some((family.to_owned(), revision))
        }
        None => {
            let revisions = &world.ecs.families.get(plain)?.revisions;
            let newest = revisions.iter().rev().find(|(_, definition)| definition.status == "ACTIVE")?;
            Some((plain.to_owned(), *newest.0))
        }
    }
}

/// The ARN of the definition that a service or a run names; it must be ACTIVE.
pub(super) fn active_arn(world: &World, name: &str) -> Result<String, ApiError> {
    let Some((family, revision)) = locate(world, name) else {
        return Err(client("TaskDefinition not found."));
    };
    let definition = &world.ecs.families[&family].revisions[&revision];
    if definition.status != "ACTIVE" {
        return Err(client("TaskDefinition is inactive"));
    }
    Ok(definition.arn.clone())
}

pub(super) fn describe_task_definition(world: &mut World, input: &Json) -> Answer {
    let (family, revision) =
        locate(world, input.text("taskDefinition").unwrap_or_default()).ok_or_else(bad)?;
    let definition = &world.ecs.families[&family].revisions[&revision];
    let mut answer = json!({"taskDefinition": view(definition)});
    if includes(input, "TAGS") {
        answer["tags"] = tag_list(&definition.tags);
    }
    Ok(answer)
}

pub(super) fn deregister_task_definition(world: &mut World, input: &Json) -> Answer {
    let name = input.text("taskDefinition").unwrap_or_default();
    match name.rsplit('/').next().unwrap_or_default().split_once(':') {
        None => return Err(client("Revision is missing.")),
        Some((_, number)) if number.parse::<i64>().is_err() => {
            return Err(client(format!("Invalid revision number. Number: {number}")));
        }
        Some(_) => {}
    }
    let (family, revision) = locate(world, name).ok_or_else(bad)?;
    let now = world.now;
    let revisions = &mut world.ecs.families.get_mut(&family).expect("located").revisions;
    let definition = revisions.get_mut(&revision).expect("located");
    if definition.status == "ACTIVE" {
        definition.status = "INACTIVE".to_owned();
        definition.deregistered = Some(now);
    }
    Ok(json!({"taskDefinition": view(definition)}))
}

/// Only INACTIVE revisions can be deleted; they stay in DELETE_IN_PROGRESS while something uses them, and
/// are gone otherwise.
const NO_IDENTIFIER: &str =
    "The specified task definition identifier is invalid. Specify a valid name or ARN and try again.";
const NO_SUCH_REVISION: &str =
    "The specified task definition does not exist. Specify a valid account, family, revision and try again.";

pub(super) fn delete_task_definitions(world: &mut World, input: &Json) -> Answer {
    let names = input.texts("taskDefinitions");
    if names.is_empty() || names.len() > 10 {
        return Err(invalid("Task definitions must have between 1 and 10 elements."));
    }
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        if !name.rsplit('/').next().unwrap_or_default().contains(':') {
            failures.push(json!({"arn": name, "reason": NO_IDENTIFIER}));
            continue;
        }
        let Some((family, revision)) = locate(world, name) else {
            failures.push(json!({"arn": name, "reason": NO_SUCH_REVISION}));
            continue;
        };
        let arn = world.ecs.families[&family].revisions[&revision].arn.clone();
        let used = world.ecs.tasks.values().any(|task| task.definition == arn && task.stopped.is_none())
            || world.ecs.services.values().any(|service| {
                service.deployments.iter().any(|one| {
                    world
                        .ecs
                        .revisions
                        .get(&one.revision)
                        .is_some_and(|revision| revision.task_definition == arn)
                })
            });
        let revisions = &mut world.ecs.families.get_mut(&family).expect("located").revisions;
        let definition = revisions.get_mut(&revision).expect("located");
        if definition.status == "ACTIVE" {
            failures.push(json!({
                "arn": arn,
                "reason": "The specified task definition is still in ACTIVE status. Please deregister the target and try again.",
            }));
            continue;
        }
        definition.status = "DELETE_IN_PROGRESS".to_owned();
        deleted.push(view(definition));
        if !used {
            revisions.remove(&revision);
        }
    }
    Ok(json!({"taskDefinitions": deleted, "failures": failures}))
}

pub(super) fn list_task_definitions(world: &mut World, input: &Json) -> Answer {
    let status = input.text("status").unwrap_or("ACTIVE");
    let prefix = input.text("familyPrefix");
    // The prefix of this call is a whole family name (API reference).
    let families =
        world.ecs.families.iter().filter(|(family, _)| prefix.is_none_or(|prefix| *family == prefix));
    let mut arns: Vec<Json> = families
        .flat_map(|(_, family)| family.revisions.values())
        .filter(|definition| definition.status == status)
        .map(|definition| json!(definition.arn))
        .collect();
    if input.text("sort") == Some("DESC") {
        arns.reverse();
    }
    Ok(paged(input, "taskDefinitionArns", arns, 100))
}

pub(super) fn list_task_definition_families(world: &mut World, input: &Json) -> Answer {
    let status = input.text("status").unwrap_or("ACTIVE");
    let prefix = input.text("familyPrefix").unwrap_or_default();
    let names =
        world.ecs.families.iter().filter(|(name, _)| name.starts_with(prefix)).filter(|(_, family)| {
            let active = family.revisions.values().any(|definition| definition.status == "ACTIVE");
            match status {
                "ACTIVE" => active,
                "INACTIVE" => !active && !family.revisions.is_empty(),
                _ => !family.revisions.is_empty(),
            }
        });
    Ok(paged(input, "families", names.map(|(name, _)| json!(name)).collect(), 100))
}

/// What a task of this definition takes from its host.
pub(super) struct Needs {
    pub cpu: i64,
    pub memory: i64,
    pub own_interface: bool,
    pub static_ports: Vec<i64>,
    pub constraints: Vec<Json>,
}

pub(super) fn needs(world: &World, arn: &str) -> Option<Needs> {
    let body = &world.ecs.definition(arn)?.body;
    let containers = body.list("containerDefinitions");
    let own_interface = body.text("networkMode") == Some("awsvpc");
    let sum = |what: fn(&Json) -> i64| containers.iter().map(what).sum::<i64>();
    let cpu = body.text("cpu").and_then(cpu_units).unwrap_or_else(|| sum(|one| one.int("cpu").unwrap_or(0)));
    let memory = body.text("memory").and_then(memory_mib).unwrap_or_else(|| {
        sum(|one| one.int("memoryReservation").or_else(|| one.int("memory")).unwrap_or(0))
    });
    let ports = containers.iter().flat_map(|one| one.list("portMappings"));
    let static_ports =
        ports.filter_map(|port| port.int("hostPort")).filter(|port| *port != 0 && !own_interface).collect();
    let constraints = body.list("placementConstraints").to_vec();
    Some(Needs { cpu, memory, own_interface, static_ports, constraints })
}

//! What containers write to CloudWatch Logs through the log driver `awslogs`: how they start and how they end. Group,
//! stream and the rights of the execution role are as "Send Amazon ECS logs to CloudWatch" of the developer guide has
//! them.

use super::super::{Input, call, logs};
use super::model::Task;
use super::tasks::Stop;
use super::{images, roles, short};
use crate::World;
use crate::authority;
use serde_json::json;

/// Where the lines of a container go.
struct Driver {
    group: String,
    stream: String,
    /// `awslogs-create-group`
    makes_group: bool,
}

/// As the container runtime numbers containers.
pub(super) fn runtime_id(task: &Task, at: usize) -> String {
    format!("{}-{}", short(&task.arn), 1_000_000_000 + at)
}

/// None where another driver, or another region, has its log.
fn driver(world: &World, task: &Task, at: usize) -> Option<Driver> {
    let body = &world.ecs.definition(&task.definition)?.body;
    let container = body.list("containerDefinitions").get(at)?;
    let logs = container.get("logConfiguration").filter(|l| l.text("logDriver") == Some("awslogs"))?;
    let options = logs.get("options")?;
    if options.text("awslogs-region").is_some_and(|region| region != world.region) {
        return None;
    }
    let name = container.text("name").unwrap_or_default();
    let stream = match options.text("awslogs-stream-prefix") {
        Some(prefix) => format!("{prefix}/{name}/{}", short(&task.arn)),
        None => runtime_id(task, at),
    };
    let makes_group = options.text("awslogs-create-group") == Some("true");
    Some(Driver { group: options.text("awslogs-group")?.to_owned(), stream, makes_group })
}

/// Before its containers start: makes groups that are to be made. A group that is not there keeps the task from
/// starting (AWS re:Post, "The specified log group does not exist").
pub(super) fn prepare(world: &mut World, arn: &str) -> Option<Stop> {
    let task = world.ecs.tasks.get(arn)?;
    let fargate = task.host.is_none();
    let count = task.containers.len();
    let drivers: Vec<Driver> = (0..count).filter_map(|at| driver(world, task, at)).collect();
    for one in drivers.iter().filter(|one| !one.group.is_empty()) {
        if logs::group_exists(world, &one.group) {
            continue;
        }
        let made = one.makes_group
            && call(world, "logs", "CreateLogGroup", &json!({ "logGroupName": one.group })).is_ok();
        if !made {
            let message = format!(
                "ResourceNotFoundException: The specified log group does not exist. status code: 400, request id: {}",
                world.request_id()
            );
            return Some(Stop::new("TaskFailedToStart", roles::no_log_stream(&message, fargate)));
        }
    }
    None
}

/// A container writes; lost where the role may not.
fn write(world: &mut World, arn: &str, at: usize, lines: &[String]) {
    let Some(found) = world.ecs.tasks.get(arn).and_then(|task| driver(world, task, at)) else { return };
    let stream = format!("log-group:{}:log-stream:{}", found.group, found.stream);
    let resource = world.arn("logs", &stream);
    if let Some(role) = roles::of_agent(world, arn)
        && authority::first_refused(world, &role, short(arn), &[("logs:PutLogEvents", &resource)]).is_some()
    {
        return;
    }
    for line in lines {
        logs::write(world, &found.group, &found.stream, line);
    }
}

/// What a container writes when something is wrong: what was set for it, with the values of
/// environment variables in place of `${NAME}`, or a line of this kind.
fn complaint(world: &World, arn: &str, at: usize, usual: &str) -> Vec<String> {
    let Some(task) = world.ecs.tasks.get(arn) else { return Vec::new() };
    let Some(container) = task.containers.get(at) else { return Vec::new() };
    let (name, image) = (&container.name, &container.image);
    let definition = world.ecs.definition(&task.definition).map(|d| d.body.list("containerDefinitions"));
    let defined = definition.and_then(|all| all.get(at)).map(|d| d.list("environment")).unwrap_or_default();
    let overridden = task.overrides.list("containerOverrides").iter();
    let overridden = overridden.filter(|o| o.text("name") == Some(name)).flat_map(|o| o.list("environment"));
    let pairs = overridden.chain(defined).filter_map(|v| Some((v.text("name")?, v.text("value")?)));
    let environment: Vec<(String, &str)> =
        pairs.map(|(name, value)| (format!("${{{name}}}"), value)).collect();
    let says = images::says(world, image);
    if says.is_empty() {
        return vec![usual.to_owned()];
    }
    let filled = |line: &String| {
        environment.iter().fold(line.clone(), |line, (name, value)| line.replace(name.as_str(), value))
    };
    says.iter().map(filled).collect()
}

/// The application is up, and answers or does not.
pub(super) fn booted(world: &mut World, arn: &str, at: usize, healthy: bool) {
    let Some(task) = world.ecs.tasks.get(arn) else { return };
    if driver(world, task, at).is_none() {
        return;
    }
    let body = world.ecs.definition(&task.definition).map(|d| d.body.list("containerDefinitions"));
    let ports = body.and_then(|all| all.get(at)).map(|d| d.list("portMappings")).unwrap_or_default();
    let port = ports.iter().find_map(|mapping| mapping.int("containerPort"));
    let mut lines =
        vec![port.map_or("started".to_owned(), |port| format!("started, listening on port {port}"))];
    if !healthy {
        lines.extend(complaint(world, arn, at, "ERROR: answering health checks with 503: not ready"));
    }
    write(world, arn, at, &lines);
}

pub(super) fn crashed(world: &mut World, arn: &str, at: usize) {
    let Some(task) = world.ecs.tasks.get(arn).filter(|task| driver(world, task, at).is_some()) else {
        return;
    };
    let image = task.containers.get(at).map(|one| one.image.clone()).unwrap_or_default();
    let mut lines = vec![format!("starting {image}")];
    lines.extend(complaint(world, arn, at, "ERROR: cannot start, exiting with code 1"));
    write(world, arn, at, &lines);
}

/// The containers that still run are asked to stop.
pub(super) fn stopping(world: &mut World, arn: &str) {
    let Some(task) = world.ecs.tasks.get(arn) else { return };
    let wanted = |at: &usize| task.containers[*at].running && driver(world, task, *at).is_some();
    let running: Vec<usize> = (0..task.containers.len()).filter(wanted).collect();
    for at in running {
        write(world, arn, at, &["received SIGTERM, shutting down".to_owned()]);
    }
}

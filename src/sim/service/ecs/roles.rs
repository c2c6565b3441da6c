//! Roles that tasks and hosts work with: what they must allow before a container starts, or an instance joins
//! (ECS developer guide, "Amazon ECS task execution IAM role", "container instance IAM role"; the reasons in
//! "Amazon ECS stopped tasks error messages"). A role that this account does not have is taken at its word,
//! unless authority is enforced.

use super::super::{Input, iam};
use super::tasks::Stop;
use crate::World;
use crate::authority::{self, Context, Principal, words};
use serde_json::Value as Json;

/// One thing the start of a task needs, and how its lack is told.
struct Need {
    action: &'static str,
    resource: String,
    told: Told,
}

enum Told {
    RegistryAuth,
    Image(String),
    Secret(String),
    Parameter,
    LogStream,
}

/// Why a task cannot start for want of authority.
pub(super) fn refused(world: &mut World, arn: &str) -> Option<Stop> {
    let task = world.ecs.tasks.get(arn)?;
    let body = &world.ecs.definition(&task.definition)?.body;
    let overridden =
        |name: &str| task.overrides.text(name).or(body.text(name)).filter(|role| !role.is_empty());
    let (execution, own) = (overridden("executionRoleArn"), overridden("taskRoleArn"));
    let (execution, own) = (execution.map(str::to_owned), own.map(str::to_owned));
    let fargate = task.host.is_none();
    let id = arn.rsplit('/').next().unwrap_or_default().to_owned();
    let needs = needs(world, body, &id);
    for role in [&execution, &own].into_iter().flatten() {
        if !assumable(world, role, arn) {
            let reason = format!(
                "ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the \
                 role being passed has the proper trust relationship and permissions and that your IAM user has \
                 permissions to pass this role."
            );
            return Some(Stop::new("TaskFailedToStart", reason));
        }
    }
    let role = of_agent(world, arn)?;
    let asked: Vec<(&str, &str)> = needs.iter().map(|need| (need.action, need.resource.as_str())).collect();
    let (at, who, why) = authority::first_refused(world, &role, &id, &asked)?;
    let need = &needs[at];
    let message = format!(
        "AccessDeniedException: {} status code: 400, request id: {}",
        words(&who, need.action, Some(&need.resource), why),
        world.request_id()
    );
    Some(Stop::new("TaskFailedToStart", reason(need, &message, fargate)))
}

/// The role by which the agent of a task pulls images and writes logs: without an execution role its instance's.
pub(super) fn of_agent(world: &World, arn: &str) -> Option<String> {
    let task = world.ecs.tasks.get(arn)?;
    let body = &world.ecs.definition(&task.definition)?.body;
    let name = "executionRoleArn";
    match task.overrides.text(name).or(body.text(name)).filter(|role| !role.is_empty()) {
        Some(role) => Some(iam::role_by_arn(world, role)?.name.clone()),
        None => role_of_host(world, task.host.as_ref()?),
    }
}

fn role_of_host(world: &World, host: &str) -> Option<String> {
    let instance = world.ec2.instances.get(&world.ecs.hosts.get(host)?.instance_id)?;
    iam::instance_profile(world, instance.spec.instance_profile_arn.as_deref()?)?.role.clone()
}

/// Roles of other accounts, and unknown ones, cannot be looked into.
fn assumable(world: &World, role_arn: &str, task: &str) -> bool {
    let Some(role) = iam::role_by_arn(world, role_arn) else { return !world.iam.enforcement.is_on() };
    let mut context = Context::default();
    context.set("aws:SourceAccount", &world.account);
    context.set("aws:SourceArn", task);
    let ecs = Principal::Service("ecs-tasks.amazonaws.com".to_owned());
    authority::may_assume(&role.trust, &ecs, "sts:AssumeRole", role_arn, &context)
}

fn needs(world: &World, definition: &Json, task: &str) -> Vec<Need> {
    let mut found = Vec::new();
    let mut need = |action, resource: String, told| found.push(Need { action, resource, told });
    let containers = definition.list("containerDefinitions");
    for container in containers {
        for secret in container.list("secrets") {
            let from = secret.text("valueFrom").unwrap_or_default();
            if from.contains(":secretsmanager:") {
                // A JSON key, stage and version may follow the secret's own ARN.
                let secret: Vec<&str> = from.split(':').take(7).collect();
                need("secretsmanager:GetSecretValue", secret.join(":"), Told::Secret(from.to_owned()));
            } else {
                let name = from.trim_start_matches('/');
                let arn = if from.starts_with("arn:") {
                    from.to_owned()
                } else {
                    world.arn("ssm", &format!("parameter/{name}"))
                };
                need("ssm:GetParameters", arn, Told::Parameter);
            }
        }
    }
    let own = format!("{}.dkr.ecr.{}.", world.account, world.region);
    let images = containers.iter().filter_map(|one| one.text("image"));
    let repositories: Vec<(&str, &str)> = images
        .filter(|image| image.starts_with(&own))
        .filter_map(|image| Some((image, image.split_once('/')?.1.split([':', '@']).next()?)))
        .collect();
    if !repositories.is_empty() {
        need("ecr:GetAuthorizationToken", "*".to_owned(), Told::RegistryAuth);
    }
    for (image, repository) in repositories {
        for action in ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"] {
            let arn = world.arn("ecr", &format!("repository/{repository}"));
            need(action, arn, Told::Image(image.to_owned()));
        }
    }
    for container in containers {
        let Some(logs) =
            container.get("logConfiguration").filter(|logs| logs.text("logDriver") == Some("awslogs"))
        else {
            continue;
        };
        let options = logs.get("options").cloned().unwrap_or_default();
        let name = container.text("name").unwrap_or_default();
        let prefix = options.text("awslogs-stream-prefix").unwrap_or("ecs");
        let group = options.text("awslogs-group").unwrap_or_default();
        // "Your IAM policy must include the logs:CreateLogGroup permission" (awslogs-create-group).
        if options.text("awslogs-create-group") == Some("true") {
            let arn = world.arn("logs", &format!("log-group:{group}:log-stream:"));
            need("logs:CreateLogGroup", arn, Told::LogStream);
        }
        let stream = format!("log-group:{group}:log-stream:{prefix}/{name}/{task}");
        let region = options.text("awslogs-region").unwrap_or(&world.region);
        let arn = world.arn("logs", &stream).replacen(&world.region, region, 1);
        need("logs:CreateLogStream", arn, Told::LogStream);
    }
    found
}

fn reason(need: &Need, error: &str, fargate: bool) -> String {
    let execution = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource \
                     retrieval failed:";
    match (&need.told, fargate) {
        (Told::Secret(from), _) => format!(
            "{execution} unable to retrieve secret from asm: service call has been retried 1 time(s): failed to \
             fetch secret {from} from secrets manager: {error}"
        ),
        (Told::Parameter, _) => {
            format!(
                "{execution} unable to retrieve secrets from ssm: service call has been retried 1 time(s): {error}"
            )
        }
        (Told::RegistryAuth, true) => {
            format!(
                "{execution} unable to retrieve ecr registry auth: service call has been retried 1 time(s): {error}"
            )
        }
        (Told::RegistryAuth, false) => format!("CannotPullECRContainerError: {error}"),
        (Told::Image(image), _) => {
            let tag = image.rsplit_once(':').map_or("latest", |(_, tag)| tag);
            format!(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
                 {image}: unexpected status from HEAD request to manifests/{tag}: 403 Forbidden"
            )
        }
        (Told::LogStream, fargate) => no_log_stream(error, fargate),
    }
}

/// The log driver fails before the container starts.
pub(super) fn no_log_stream(error: &str, fargate: bool) -> String {
    if fargate {
        return format!(
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: \
             failed to create Cloudwatch log stream: {error} : exit status 1"
        );
    }
    format!(
        "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to \
         create Cloudwatch log stream: {error}"
    )
}

/// Whether the agent of an instance may join a cluster with the role behind the instance's profile. Without a
/// profile it has no credentials at all; one that has no role, or that is not known, is taken at its word like a
/// role that is not, unless authority is enforced.
pub(super) fn may_join(world: &mut World, instance: &str, cluster: &str) -> bool {
    let profile = world.ec2.instances.get(instance).and_then(|one| one.spec.instance_profile_arn.clone());
    let Some(profile) = profile else { return false };
    let role = iam::instance_profile(world, &profile).and_then(|profile| profile.role.clone());
    let Some(role) = role else { return !world.iam.enforcement.is_on() };
    let arn = world.arn("ecs", &format!("cluster/{cluster}"));
    let asked = [
        ("ecs:DiscoverPollEndpoint", "*"),
        ("ecs:RegisterContainerInstance", arn.as_str()),
        ("ecs:Poll", "*"),
    ];
    authority::first_refused(world, &role, instance, &asked).is_none()
}

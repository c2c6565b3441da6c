//! Services: create, update, delete, describe, list.

use super::super::{Answer, ApiError, Input};
use super::model::{Revision, Service};
use super::{
    capacity, clusters, definitions, deployments, includes, invalid, kick, missing, network, paged, shifting,
    short, task_sets,
};
use super::{cluster_name, tags_of, view};
use crate::World;
use crate::service::elbv2;
use crate::world::SECOND;
use serde_json::{Value as Json, json};

pub(super) fn find<'a>(world: &'a World, input: &Json, member: &str) -> Result<&'a Service, ApiError> {
    let name = input.text(member).unwrap_or_default();
    let arn = if name.starts_with("arn:") {
        name.to_owned()
    } else {
        let cluster = cluster_name(world, input)?;
        world.arn("ecs", &format!("service/{cluster}/{name}"))
    };
    let found = world.ecs.services.get(&arn);
    found.ok_or_else(|| ApiError::new("ServiceNotFoundException", "Service not found."))
}

/// What an input says of a revision, over what the service had.
fn revision(world: &World, input: &Json, cluster: &str, before: &Revision) -> Result<Revision, ApiError> {
    let mut revision = before.clone();
    let given = |name: &str| input.get(name).is_some_and(|value| !value.is_null());
    if let Some(name) = input.text("taskDefinition") {
        revision.task_definition = definitions::active_arn(world, name)?;
    }
    if given("capacityProviderStrategy") {
        revision.strategy = clusters::strategy(input, "capacityProviderStrategy")?;
        clusters::check_strategy(&revision.strategy, &world.ecs.clusters[cluster].capacity_providers)?;
        revision.launch_type = None;
    }
    if given("networkConfiguration") {
        revision.network = view::network(input);
    }
    if given("platformVersion") {
        revision.platform_version = input.text("platformVersion").map(str::to_owned);
    }
    let lists = [
        ("loadBalancers", &mut revision.load_balancers),
        ("serviceRegistries", &mut revision.registries),
        ("volumeConfigurations", &mut revision.volumes),
        ("vpcLatticeConfigurations", &mut revision.lattice),
    ];
    for (name, place) in lists {
        if given(name) {
            *place = input.list(name).to_vec();
        }
    }
    if given("serviceConnectConfiguration") {
        revision.service_connect = input.get("serviceConnectConfiguration").cloned();
    }
    Ok(revision)
}

fn check_revision(world: &World, revision: &Revision) -> Result<(), ApiError> {
    let Some(definition) = world.ecs.definition(&revision.task_definition) else { return Ok(()) };
    let fargate = revision.launch_type.as_deref() == Some("FARGATE")
        || revision.strategy.iter().any(|item| capacity::is_fargate(&item.capacity_provider));
    if fargate && !definition.body.texts("compatibilities").contains(&"FARGATE") {
        return Err(invalid("Task definition does not support launch_type FARGATE."));
    }
    let awsvpc = definition.body.text("networkMode") == Some("awsvpc");
    check_network(world, revision.network.as_ref(), awsvpc)?;
    for balancer in &revision.load_balancers {
        check_balancer(world, &definition.body, balancer, awsvpc)?;
    }
    Ok(())
}

/// Of services and of single tasks.
pub(super) fn check_network(world: &World, network: Option<&Json>, awsvpc: bool) -> Result<(), ApiError> {
    let Some(network) = network else {
        return if awsvpc {
            Err(invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified."))
        } else {
            Ok(())
        };
    };
    if !awsvpc {
        return Err(invalid(
            "Network Configuration is not valid for the given networkMode of this task definition.",
        ));
    }
    let vpc = network.get("awsvpcConfiguration").cloned().unwrap_or_default();
    if vpc.list("subnets").is_empty() {
        return Err(invalid("subnets can not be empty."));
    }
    for id in vpc.texts("subnets") {
        if network::subnet(world, id).is_none() {
            return Err(invalid(format!(
                "Error retrieving subnet information for [{id}]: The subnet ID '{id}' does not exist (ErrorCode: InvalidSubnetID.NotFound)"
            )));
        }
    }
    for id in vpc.texts("securityGroups") {
        if !network::security_group_exists(world, id) {
            return Err(invalid(format!(
                "Error retrieving security group information for [{id}]: The security group '{id}' does not exist (ErrorCode: InvalidGroup.NotFound)"
            )));
        }
    }
    Ok(())
}

fn check_balancer(world: &World, definition: &Json, balancer: &Json, awsvpc: bool) -> Result<(), ApiError> {
    let name = balancer.text("containerName").unwrap_or_default();
    let port = balancer.int("containerPort").unwrap_or(0);
    let containers = definition.list("containerDefinitions");
    let Some(container) = containers.iter().find(|one| one.text("name") == Some(name)) else {
        return Err(invalid(format!("The container {name} does not exist in the task definition.")));
    };
    if !container.list("portMappings").iter().any(|one| one.int("containerPort") == Some(port)) {
        return Err(invalid(format!("The container {name} did not have a container port {port} defined.")));
    }
    let Some(arn) = balancer.text("targetGroupArn") else { return Ok(()) };
    match elbv2::group_facts(world, arn) {
        None => Err(invalid(
            "Unable to assume role and validate the specified targetGroupArn. Please verify that the ECS service role being passed has the proper permissions.",
        )),
        Some((_, false)) => Err(invalid(format!(
            "The target group with targetGroupArn {arn} does not have an associated load balancer."
        ))),
        Some((kind, _)) if awsvpc && kind != "ip" => Err(invalid(format!(
            "The provided target group {arn} has target type {kind}, which is incompatible with the awsvpc network mode specified in the task definition."
        ))),
        Some((kind, _)) if !awsvpc && kind == "ip" => Err(invalid(format!(
            "The provided target group {arn} has target type ip, which is incompatible with the bridge network mode specified in the task definition."
        ))),
        Some(_) => Ok(()),
    }
}

/// The deployment configuration with AWS's defaults.
fn configuration(
    given: &Json,
    before: Option<&Json>,
    daemon: bool,
    controller: &str,
) -> Result<Json, ApiError> {
    let (max, min) = if daemon { (100, 0) } else { (200, 100) };
    let mut all = match before {
        Some(before) => before.clone(),
        None if controller == "ECS" => json!({
            "deploymentCircuitBreaker": {"enable": false, "rollback": false},
            "maximumPercent": max,
            "minimumHealthyPercent": min,
            "strategy": "ROLLING",
            "bakeTimeInMinutes": 0,
        }),
        None => json!({"maximumPercent": 200, "minimumHealthyPercent": 100}),
    };
    for (name, value) in given.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        all[name.as_str()] = value.clone();
    }
    let number = |name: &str| all.int(name).unwrap_or(0);
    if number("minimumHealthyPercent") < 0 || number("maximumPercent") <= 0 {
        return Err(invalid("minimumHealthyPercent and maximumPercent must not be negative."));
    }
    if number("maximumPercent") < number("minimumHealthyPercent") && !daemon
        || number("maximumPercent") == 100 && number("minimumHealthyPercent") == 100 && daemon
    {
        return Err(invalid("maximumPercent must be greater than minimumHealthyPercent."));
    }
    shifting::complete_configuration(&mut all, daemon, controller)?;
    Ok(all)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if name.is_empty() || name.len() > 255 || !plain {
        return Err(invalid(
            "Invalid service name: up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.",
        ));
    }
    Ok(())
}

/// Launch type or strategy of a new service: what is given, else the cluster's default, else EC2.
fn capacity_of(world: &World, input: &Json, cluster: &str, revision: &mut Revision) -> Result<(), ApiError> {
    let launch_type = input.text("launchType");
    if launch_type.is_some() && !revision.strategy.is_empty() {
        return Err(invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        ));
    }
    match launch_type {
        Some(kind) => revision.launch_type = Some(kind.to_owned()),
        None if input.text("schedulingStrategy") == Some("DAEMON") => {
            if !revision.strategy.is_empty() {
                return Err(invalid(
                    "A capacity provider strategy cannot be used with the DAEMON scheduling strategy.",
                ));
            }
            revision.launch_type = Some("EC2".to_owned());
        }
        None if revision.strategy.is_empty() => {
            revision.strategy.clone_from(&world.ecs.clusters[cluster].default_strategy);
            if revision.strategy.is_empty() {
                revision.launch_type = Some("EC2".to_owned());
            }
        }
        None => {}
    }
    let fargate = revision.launch_type.as_deref() == Some("FARGATE")
        || revision.strategy.iter().any(|item| capacity::is_fargate(&item.capacity_provider));
    if fargate {
        revision.platform_version.get_or_insert_with(|| "LATEST".to_owned());
    } else if revision.platform_version.is_some() {
        return Err(invalid("The platform version must be null when specifying an EC2 launch type."));
    }
    Ok(())
}

fn rebalancing(input: &Json, daemon: bool, configuration: &Json) -> String {
    let room = configuration.int("maximumPercent").unwrap_or(200) > 100;
    let default = if daemon || !room { "DISABLED" } else { "ENABLED" };
    input.text("availabilityZoneRebalancing").unwrap_or(default).to_owned()
}

pub(super) fn create_service(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?.to_owned();
    let name = input.text("serviceName").unwrap_or_default();
    check_name(name)?;
    let token = input.text("clientToken").map(|token| format!("service {token}"));
    if token.as_ref().is_some_and(|token| token.len() > 36 + "service ".len()) {
        return Err(invalid("clientToken must be at most 36 characters long."));
    }
    if let Some(made) = token.as_ref().and_then(|token| world.ecs.tokens.get(token)?.first())
        && let Some(service) = world.ecs.services.get(made)
    {
        return Ok(json!({"service": view::service(world, service, true)}));
    }
    let arn = world.arn("ecs", &format!("service/{cluster}/{name}"));
    match world.ecs.services.get(&arn).map(|service| service.status.as_str()) {
        Some("ACTIVE") => return Err(invalid("Creation of service was not idempotent.")),
        Some("DRAINING") => return Err(invalid("Unable to Start a service that is still Draining.")),
        _ => {}
    }
    let daemon = input.text("schedulingStrategy") == Some("DAEMON");
    let controller =
        input.get("deploymentController").and_then(|one| one.text("type")).unwrap_or("ECS").to_owned();
    if input.text("taskDefinition").is_none() && controller != "EXTERNAL" {
        return Err(invalid("TaskDefinition can not be blank."));
    }
    let Some(desired) = input.int("desiredCount").or((daemon || controller == "EXTERNAL").then_some(0))
    else {
        return Err(invalid(
            "The desired count must be specified for a service with the REPLICA scheduling strategy.",
        ));
    };
    if desired < 0 {
        return Err(invalid("Desired count cannot be negative."));
    }
    let mut revision = revision(world, input, &cluster, &Revision::default())?;
    revision.service.clone_from(&arn);
    capacity_of(world, input, &cluster, &mut revision)?;
    check_revision(world, &revision)?;
    let configuration = configuration(
        input.get("deploymentConfiguration").unwrap_or(&Json::Null),
        None,
        daemon,
        &controller,
    )?;
    if shifting::is_native(&configuration) {
        shifting::check_balancers(world, &revision)?;
    }
    let has_balancer = !revision.load_balancers.is_empty();
    let linked = || world.arn("iam", "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS");
    let role = match input.text("role") {
        Some(role) if role.starts_with("arn:") => Some(role.to_owned()),
        Some(role) => Some(world.arn("iam", &format!("role/{role}"))),
        None => (has_balancer && revision.network.is_none()).then(linked),
    };
    let service = Service {
        arn: arn.clone(),
        name: name.to_owned(),
        cluster: cluster.clone(),
        status: "ACTIVE".to_owned(),
        desired,
        created: world.now,
        daemon,
        controller: Some(controller),
        zone_rebalancing: rebalancing(input, daemon, &configuration),
        deployment_configuration: configuration,
        placement_constraints: input.list("placementConstraints").to_vec(),
        placement_strategy: strategy_fields(input.list("placementStrategy")),
        grace_seconds: input.int("healthCheckGracePeriodSeconds").or(has_balancer.then_some(0)),
        managed_tags: input.flag("enableECSManagedTags").unwrap_or(false),
        execute_command: input.flag("enableExecuteCommand").unwrap_or(false),
        propagate_tags: input.text("propagateTags").unwrap_or("NONE").to_owned(),
        role,
        tags: tags_of(input)?,
        deployments: Vec::new(),
        events: Default::default(),
        history: Vec::new(),
        completed: None,
        tasks: Default::default(),
        looks_at: None,
        steady: false,
        complaint: None,
        throttled_until: 0,
        failures_in_row: 0,
        task_sets: Vec::new(),
    };
    world.ecs.services.insert(arn.clone(), service);
    world.ecs.service_changed(&cluster, &arn);
    if let Some(cluster) = world.ecs.clusters.get_mut(&cluster) {
        cluster.services.insert(arn.clone());
    }
    if let Some(token) = token {
        world.ecs.tokens.insert(token, vec![arn.clone()]);
    }
    if world.ecs.services[&arn].controller.as_deref() == Some("CODE_DEPLOY") {
        task_sets::first(world, &arn, revision);
    } else {
        deployments::begin(world, &arn, revision);
    }
    Ok(json!({"service": view::service(world, &world.ecs.services[&arn], true)}))
}

/// AWS answers `memory` and `cpu` in capitals.
fn strategy_fields(given: &[Json]) -> Vec<Json> {
    let mut list = given.to_vec();
    for one in &mut list {
        if let Some(field) = one.text("field").filter(|field| matches!(*field, "memory" | "cpu")) {
            one["field"] = json!(field.to_uppercase());
        }
    }
    list
}

/// Whether an update starts a deployment: what changes the revision, lists even if they are the same again
/// (terraform-provider-aws#45678), and force.
fn redeploys(input: &Json, before: &Revision, after: &Revision) -> bool {
    let given = |name: &str| input.get(name).is_some_and(|value| !value.is_null());
    let resent = [
        "loadBalancers",
        "serviceRegistries",
        "serviceConnectConfiguration",
        "volumeConfigurations",
        "vpcLatticeConfigurations",
    ];
    input.flag("forceNewDeployment") == Some(true)
        || before.task_definition != after.task_definition
        || before.network != after.network
        || before.platform_version != after.platform_version
        || resent.iter().any(|name| given(name))
}

/// CodeDeploy alone changes what a deployment carries out (API reference, UpdateService).
fn check_code_deploy(before: &Revision, after: &Revision, force: bool) -> Result<(), ApiError> {
    let refused = [
        ("update task definition", after.task_definition != before.task_definition),
        ("update network parameters", after.network != before.network),
        ("update platform version", after.platform_version != before.platform_version),
        ("update load balancers", after.load_balancers != before.load_balancers),
        ("force a new deployment", force),
    ];
    match refused.iter().find(|(_, refused)| *refused) {
        None => Ok(()),
        Some((what, _)) => Err(invalid(format!(
            "Unable to {what} on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment."
        ))),
    }
}

pub(super) fn update_service(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?.to_owned();
    let service = find(world, input, "service")?;
    if service.status != "ACTIVE" {
        return Err(ApiError::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    let arn = service.arn.clone();
    let before = service.revision().and_then(|one| world.ecs.revisions.get(one)).cloned().unwrap_or_default();
    let after = revision(world, input, &cluster, &before)?;
    let force = input.flag("forceNewDeployment") == Some(true);
    if (after.strategy != before.strategy || after.launch_type != before.launch_type) && !force {
        return Err(invalid(
            "When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment.",
        ));
    }
    if service.controller.as_deref() == Some("CODE_DEPLOY") {
        check_code_deploy(&before, &after, force)?;
    }
    let starts = redeploys(input, &before, &after);
    if starts {
        check_revision(world, &after)?;
    }
    let controller = service.controller.clone().unwrap_or("ECS".to_owned());
    let configuration = match input.get("deploymentConfiguration").filter(|one| !one.is_null()) {
        Some(given) => {
            Some(configuration(given, Some(&service.deployment_configuration), service.daemon, &controller)?)
        }
        None => None,
    };
    let then = configuration.as_ref().unwrap_or(&service.deployment_configuration);
    if shifting::is_native(then) && (starts || configuration.is_some()) {
        shifting::check_balancers(world, &after)?;
    }
    if input.int("desiredCount").is_some_and(|count| count < 0) {
        return Err(invalid("Desired count cannot be negative."));
    }
    let service = world.ecs.services.get_mut(&arn).expect("found above");
    lay(service, input, configuration);
    if starts && service.is_rolling() {
        deployments::begin(world, &arn, after);
    }
    kick(world, &arn, 2 * SECOND);
    Ok(json!({"service": view::service(world, &world.ecs.services[&arn], true)}))
}

/// The settings that take effect without a deployment.
fn lay(service: &mut Service, input: &Json, configuration: Option<Json>) {
    let given = |name: &str| input.get(name).is_some_and(|value| !value.is_null());
    if let Some(desired) = input.int("desiredCount").filter(|_| !service.daemon)
        && desired != service.desired
    {
        service.desired = desired;
        service.steady = false;
    }
    if let Some(configuration) = configuration {
        service.deployment_configuration = configuration;
    }
    if given("placementConstraints") {
        service.placement_constraints = input.list("placementConstraints").to_vec();
    }
    if given("placementStrategy") {
        service.placement_strategy = strategy_fields(input.list("placementStrategy"));
    }
    if let Some(seconds) = input.int("healthCheckGracePeriodSeconds") {
        service.grace_seconds = Some(seconds);
    }
    if let Some(enabled) = input.flag("enableExecuteCommand") {
        service.execute_command = enabled;
    }
    if let Some(enabled) = input.flag("enableECSManagedTags") {
        service.managed_tags = enabled;
    }
    if let Some(from) = input.text("propagateTags") {
        service.propagate_tags = from.to_owned();
    }
    if let Some(mode) = input.text("availabilityZoneRebalancing") {
        service.zone_rebalancing = mode.to_owned();
    }
}

pub(super) fn delete_service(world: &mut World, input: &Json) -> Answer {
    let service = find(world, input, "service")?;
    if service.status == "INACTIVE" {
        return Err(ApiError::new("ServiceNotFoundException", "Service not found."));
    }
    let force = input.flag("force") == Some(true);
    if service.desired > 0 && !service.daemon && !force {
        return Err(invalid("The service cannot be stopped while it is scaled above 0."));
    }
    if !service.task_sets.is_empty() && !force && service.controller.as_deref() == Some("EXTERNAL") {
        return Err(invalid("The service cannot be stopped while it has task sets."));
    }
    let arn = service.arn.clone();
    let now = world.now;
    let service = world.ecs.services.get_mut(&arn).expect("found above");
    service.status = "DRAINING".to_owned();
    service.desired = 0;
    let last = service.deployments.first().and_then(|one| one.service_deployment.clone());
    if let Some(record) = last.and_then(|arn| world.ecs.service_deployments.get_mut(&arn))
        && record.finished.is_none()
    {
        record.status = "STOPPED".to_owned();
        record.reason = Some("Service deployment was stopped because the service was deleted.".to_owned());
        record.stopped = Some(now);
        record.finished = Some(now);
    }
    kick(world, &arn, SECOND);
    Ok(json!({"service": view::service(world, &world.ecs.services[&arn], true)}))
}

pub(super) fn describe_services(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?;
    let names = input.texts("services");
    if names.is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    if names.len() > 10 {
        return Err(invalid("Services cannot have more than 10 elements."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let arn = world.arn("ecs", &format!("service/{cluster}/{}", short(name)));
        match world.ecs.services.get(&arn).filter(|_| !name.starts_with("arn:") || arn == name) {
            Some(service) => found.push(view::service(world, service, includes(input, "TAGS"))),
            None if name.starts_with("arn:") => failures.push(missing(name)),
            // Without the cluster (amazon-ecs-deploy-task-definition#369).
            None => failures.push(missing(world.arn("ecs", &format!("service/{name}")))),
        }
    }
    Ok(json!({"services": found, "failures": failures}))
}

pub(super) fn list_services(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?;
    let (kind, strategy) = (input.text("launchType"), input.text("schedulingStrategy"));
    let services = world.ecs.clusters[cluster].services.iter().filter_map(|arn| world.ecs.services.get(arn));
    let arns = services
        .filter(|service| service.status != "INACTIVE")
        .filter(|service| strategy.is_none_or(|wanted| (wanted == "DAEMON") == service.daemon))
        .filter(|service| {
            let revision = service.primary().and_then(|one| world.ecs.revisions.get(&one.revision));
            kind.is_none_or(|kind| revision.is_some_and(|one| one.launch_type.as_deref() == Some(kind)))
        })
        .map(|service| json!(service.arn))
        .collect();
    // Ten by default, a hundred at most (API reference, ListServices).
    if input.int("maxResults").is_none() {
        return Ok(paged(input, "serviceArns", arns, 10));
    }
    Ok(paged(input, "serviceArns", arns, 100))
}

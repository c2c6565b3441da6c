//! Clusters, capacity providers, task definitions, hosts, services, tasks.

use super::compute::{agents, without};
use super::network::{foresee_interface, text};
use super::{Builder, last, millis, pick};
use crate::service::Input;
use crate::service::ecs::adopt;
use crate::service::logs;
use crate::world::MINUTE;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

const ECS: &str = "ecs";

pub fn build(b: &mut Builder) {
    // Nothing is settled that was made a moment ago.
    let before = Some(b.world.now - 10 * MINUTE);
    let clusters = b.items(ECS, "DescribeClusters", "clusters");
    for cluster in &clusters {
        let mut input = pick(cluster, &["clusterName", "settings", "configuration", "tags"]);
        if let Some(namespace) = cluster.get("serviceConnectDefaults") {
            input["serviceConnectDefaults"] = namespace.clone();
        }
        b.call(before, ECS, "CreateCluster", &input);
    }
    for provider in b.items(ECS, "DescribeCapacityProviders", "capacityProviders") {
        if provider.get("autoScalingGroupProvider").is_some_and(|one| !one.is_null()) {
            let input = pick(provider, &["name", "autoScalingGroupProvider", "tags"]);
            b.call(before, ECS, "CreateCapacityProvider", &input);
        }
    }
    for cluster in clusters {
        if !cluster.list("capacityProviders").is_empty() {
            let mut input = pick(cluster, &["capacityProviders", "defaultCapacityProviderStrategy"]);
            input["cluster"] = cluster["clusterName"].clone();
            if input.get("defaultCapacityProviderStrategy").is_none() {
                input["defaultCapacityProviderStrategy"] = json!([]);
            }
            b.call(before, ECS, "PutClusterCapacityProviders", &input);
        }
    }
    definitions(b);
    for host in b.items(ECS, "DescribeContainerInstances", "containerInstances") {
        make_host(b, host);
    }
    agents(b);
    for service in b.items(ECS, "DescribeServices", "services") {
        make_service(b, service);
    }
    let mut tasks = b.items(ECS, "DescribeTasks", "tasks");
    tasks.sort_by_key(|task| millis(task.get("createdAt")));
    for task in tasks {
        make_task(b, task);
    }
}

fn definitions(b: &mut Builder) {
    let answers = b.answers(ECS, "DescribeTaskDefinition");
    let mut by_number: BTreeMap<(String, i64), (&Json, &Json)> = BTreeMap::new();
    for answer in answers {
        let body = &answer.output["taskDefinition"];
        let number = body.int("revision").unwrap_or(1);
        by_number.insert((text(body, "family"), number), (body, &answer.output["tags"]));
    }
    for ((family, number), (body, tags)) in by_number {
        let mut input = without(
            body,
            &[
                "taskDefinitionArn",
                "revision",
                "status",
                "requiresAttributes",
                "compatibilities",
                "registeredAt",
                "registeredBy",
                "deregisteredAt",
            ],
        );
        if tags.as_array().is_some_and(|tags| !tags.is_empty()) {
            input["tags"] = tags.clone();
        }
        b.world.ecs.families.entry(family).or_default().last = number - 1;
        groups_of_logs(b, body);
        let made = b.call(millis(body.get("registeredAt")), ECS, "RegisterTaskDefinition", &input);
        if made.is_some() && body.text("status") == Some("INACTIVE") {
            let input = json!({"taskDefinition": body["taskDefinitionArn"]});
            b.call(millis(body.get("deregisteredAt")), ECS, "DeregisterTaskDefinition", &input);
        }
    }
}

/// Containers run, so the groups that they write to are there.
fn groups_of_logs(b: &mut Builder, definition: &Json) {
    for container in definition.list("containerDefinitions") {
        let options = container.get("logConfiguration").and_then(|logs| logs.get("options"));
        let Some(name) = options.and_then(|options| options.text("awslogs-group")) else { continue };
        if !logs::group_exists(&b.world, name) {
            b.call(None, "logs", "CreateLogGroup", &json!({ "logGroupName": name }));
            b.filled(format!("the log group {name}"));
        }
    }
}

/// The cluster that an ARN of something in it names.
fn cluster_of(arn: &str) -> &str {
    arn.split('/').nth(1).unwrap_or_default()
}

fn make_host(b: &mut Builder, host: &Json) {
    let arn = text(host, "containerInstanceArn");
    b.world.foresee("hex32", last(&arn));
    let made = b.at(millis(host.get("registeredAt")), |world| adopt::host(world, cluster_of(&arn), host));
    b.world.forget_foreseen();
    if let Err(why) = made {
        b.left_out(format!("container instance {}: {why}", last(&arn)));
    }
}

fn make_service(b: &mut Builder, service: &Json) {
    let arn = text(service, "serviceArn");
    if service.text("status") != Some("ACTIVE") {
        return b.left_out(format!("{arn}, which is {}", service.text("status").unwrap_or("in no state")));
    }
    let mut input = pick(
        service,
        &[
            "serviceName",
            "taskDefinition",
            "desiredCount",
            "loadBalancers",
            "serviceRegistries",
            "launchType",
            "capacityProviderStrategy",
            "platformVersion",
            "deploymentConfiguration",
            "placementConstraints",
            "placementStrategy",
            "networkConfiguration",
            "healthCheckGracePeriodSeconds",
            "schedulingStrategy",
            "deploymentController",
            "tags",
            "enableECSManagedTags",
            "propagateTags",
            "enableExecuteCommand",
            "availabilityZoneRebalancing",
            "serviceConnectConfiguration",
            "volumeConfigurations",
        ],
    );
    input["cluster"] = json!(cluster_of(&arn));
    if input.text("schedulingStrategy") == Some("DAEMON") {
        input = without(&input, &["desiredCount"]);
    }
    let deployments = service.list("deployments");
    if let Some(primary) = deployments.first() {
        b.world.foresee("ecs-svc", last(&text(primary, "id")));
        for member in ["serviceConnectConfiguration", "volumeConfigurations"] {
            if let Some(value) = primary.get(member).filter(|_| service.get(member).is_none()) {
                input[member] = value.clone();
            }
        }
    }
    for older in deployments.iter().skip(1) {
        b.left_out(format!("deployment {} of {arn}, which is not the primary one", text(older, "id")));
    }
    if let Some(revision) = service.list("currentServiceRevisions").first() {
        b.world.foresee("service-revision", last(&text(revision, "arn")));
    }
    match newest_record(b, &arn) {
        Some(record) => b.world.foresee("hex21", last(&record)),
        None => b.filled(format!("{arn}: the id of its service deployment")),
    }
    let created = deployments.first().and_then(|one| millis(one.get("createdAt")));
    b.call(created.or(millis(service.get("createdAt"))), ECS, "CreateService", &input);
    let created = millis(service.get("createdAt"));
    if let (Some(made), Some(created)) = (b.world.ecs.services.get_mut(&arn), created) {
        made.created = created;
    }
}

/// The newest service deployment that was recorded of a service.
fn newest_record(b: &Builder, service: &str) -> Option<String> {
    let described = b.items(ECS, "DescribeServiceDeployments", "serviceDeployments");
    let listed = b.items(ECS, "ListServiceDeployments", "serviceDeployments");
    let of_it = described.into_iter().chain(listed).filter(|one| one.text("serviceArn") == Some(service));
    let newest = of_it.max_by_key(|one| millis(one.get("createdAt")))?;
    Some(text(newest, "serviceDeploymentArn"))
}

fn make_task(b: &mut Builder, task: &Json) {
    let arn = text(task, "taskArn");
    if task.text("desiredStatus") == Some("STOPPED") || task.text("lastStatus") == Some("STOPPED") {
        return b.left_out(format!("task {}, which is stopped or will be", last(&arn)));
    }
    b.world.foresee("hex32", last(&arn));
    for container in task.list("containers") {
        b.world.foresee("uuid", last(&text(container, "containerArn")));
    }
    if let Some(attachment) = task.list("attachments").first() {
        let details = attachment.list("details");
        let detail = |name: &str| {
            let found = details.iter().find(|one| one.text("name") == Some(name));
            found.map_or(String::new(), |one| text(one, "value"))
        };
        b.world.foresee("uuid", &text(attachment, "id"));
        foresee_interface(b, &detail("networkInterfaceId"));
        // No list of interfaces need have been recorded.
        b.world.foresee("mac", &detail("macAddress"));
        b.world.foresee("private-ip", &detail("privateIPv4Address"));
        b.world.foresee("task-subnet", &detail("subnetId"));
    }
    let made = b.at(millis(task.get("createdAt")), |world| adopt::task(world, cluster_of(&arn), task));
    b.world.forget_foreseen();
    if let Err(why) = made {
        b.left_out(format!("task {}: {why}", last(&arn)));
    }
}

/// What only time has made: when tasks got where they are, and what services have told.
pub fn finish(b: &mut Builder) {
    for task in b.items(ECS, "DescribeTasks", "tasks") {
        adopt::times(&mut b.world, task);
    }
    for service in b.items(ECS, "DescribeServices", "services") {
        adopt::events(&mut b.world, service);
    }
    for member in ["DescribeServiceDeployments", "ListServiceDeployments"] {
        for record in b.items(ECS, member, "serviceDeployments") {
            adopt::deployment_times(&mut b.world, record);
        }
    }
}

pub fn time_of(value: &Json, member: &str) -> Option<i64> {
    millis(value.get(member))
}

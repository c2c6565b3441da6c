//! Clusters and what is attached to them.

use super::super::{Answer, ApiError, Input};
use super::model::{Cluster, StrategyItem};
use super::{capacity, client, cluster_name, includes, invalid, missing, paged, short, tag_list, tags_of};
use crate::World;
use crate::world::{Millis, SECOND};
use serde_json::{Value as Json, json};

/// Attaching providers of Auto Scaling groups takes a moment (their scaling plan is made).
const ATTACHING: Millis = 8 * SECOND;

pub(super) fn view(world: &World, cluster: &Cluster, input: &Json) -> Json {
    let busy = cluster.busy_until > world.now;
    let tasks = cluster.tasks.iter().filter_map(|arn| world.ecs.tasks.get(arn));
    let (mut running, mut pending) = (0, 0);
    for task in tasks {
        match task.status {
            super::model::TaskStatus::Running => running += 1,
            status if status < super::model::TaskStatus::Running => pending += 1,
            _ => {}
        }
    }
    let active_services = cluster
        .services
        .iter()
        .filter(|arn| world.ecs.services.get(arn).is_some_and(|one| one.status != "INACTIVE"));
    let mut view = json!({
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": if cluster.active { "ACTIVE" } else { "INACTIVE" },
        "registeredContainerInstancesCount": cluster.hosts.len(),
        "runningTasksCount": running,
        "pendingTasksCount": pending,
        "activeServicesCount": active_services.count(),
        "statistics": [],
        "tags": if includes(input, "TAGS") { tag_list(&cluster.tags) } else { json!([]) },
        "settings": if includes(input, "SETTINGS") { json!(cluster.settings) } else { json!([]) },
        "capacityProviders": cluster.capacity_providers,
        "defaultCapacityProviderStrategy": cluster.default_strategy,
    });
    if includes(input, "CONFIGURATIONS")
        && let Some(configuration) = &cluster.configuration
    {
        view["configuration"] = configuration.clone();
    }
    if let Some(namespace) = &cluster.service_connect {
        view["serviceConnectDefaults"] = json!({"namespace": namespace});
    }
    if includes(input, "ATTACHMENTS") {
        let own = cluster.capacity_providers.iter().filter(|name| !capacity::is_fargate(name));
        let attachments: Vec<Json> = own
            .map(|name| {
                json!({
                    "id": format!("{}-{name}", cluster.name),
                    "type": "managed_draining",
                    "status": if busy { "CREATING" } else { "CREATED" },
                    "details": [{"name": "capacityProviderName", "value": name}],
                })
            })
            .collect();
        view["attachments"] = json!(attachments);
    }
    if busy || !cluster.capacity_providers.is_empty() {
        view["attachmentsStatus"] = json!(if busy { "UPDATE_IN_PROGRESS" } else { "UPDATE_COMPLETE" });
    }
    view
}

/// What an answer of a changing call includes.
fn everything() -> Json {
    json!({"include": ["TAGS", "SETTINGS", "CONFIGURATIONS"]})
}

fn check_settings(settings: &[Json]) -> Result<(), ApiError> {
    for setting in settings {
        let value = setting.text("value").unwrap_or_default();
        if setting.text("name") != Some("containerInsights")
            || !matches!(value, "enabled" | "disabled" | "enhanced")
        {
            return Err(invalid(
                "Invalid cluster setting: containerInsights must be one of: enabled, disabled, enhanced.",
            ));
        }
    }
    Ok(())
}

/// Strategies name providers of the cluster and have at most one base.
pub(super) fn strategy(input: &Json, name: &str) -> Result<Vec<StrategyItem>, ApiError> {
    let mut items: Vec<StrategyItem> = Vec::new();
    for item in input.list(name) {
        let provider = short(item.text("capacityProvider").unwrap_or_default()).to_owned();
        items.push(StrategyItem {
            capacity_provider: provider,
            weight: item.int("weight").unwrap_or(0),
            base: item.int("base").unwrap_or(0),
        });
    }
    if items.iter().filter(|item| item.base > 0).count() > 1 {
        return Err(invalid("Only one capacity provider can have a defined base."));
    }
    if !items.is_empty() && items.iter().all(|item| item.weight == 0 && item.base == 0) && items.len() > 1 {
        return Err(invalid(
            "At least one capacity provider in the strategy must have a weight greater than 0.",
        ));
    }
    let fargate = items.iter().filter(|item| capacity::is_fargate(&item.capacity_provider)).count();
    if fargate != 0 && fargate != items.len() {
        return Err(invalid(
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers. Specify one or the other and try again.",
        ));
    }
    Ok(items)
}

pub(super) fn check_strategy(strategy: &[StrategyItem], providers: &[String]) -> Result<(), ApiError> {
    let unknown = strategy.iter().any(|item| !providers.contains(&item.capacity_provider));
    if unknown {
        return Err(invalid(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster and try again.",
        ));
    }
    Ok(())
}

fn check_providers(world: &World, names: &[&str]) -> Result<Vec<String>, ApiError> {
    let names: Vec<String> = names.iter().map(|name| short(name).to_owned()).collect();
    match names.iter().find(|name| !capacity::is_active(world, name)) {
        Some(_) => Err(invalid(
            "The specified capacity provider was not found or is not in an ACTIVE state. Specify a valid name or ARN and try again.",
        )),
        None => Ok(names),
    }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if name.is_empty() || name.len() > 255 || !plain {
        return Err(invalid("Cluster name can only contain letters, numbers, hyphens, and underscores."));
    }
    Ok(())
}

pub(super) fn create_cluster(world: &mut World, input: &Json) -> Answer {
    let name = input.text("clusterName").unwrap_or("default");
    check_name(name)?;
    if let Some(existing) = world.ecs.clusters.get(name).filter(|cluster| cluster.active) {
        return Ok(json!({"cluster": view(world, existing, &everything())}));
    }
    check_settings(input.list("settings"))?;
    let providers = check_providers(world, &input.texts("capacityProviders"))?;
    let default_strategy = strategy(input, "defaultCapacityProviderStrategy")?;
    check_strategy(&default_strategy, &providers)?;
    let insights = world.ecs.settings.get("containerInsights").cloned().unwrap_or("disabled".to_owned());
    let mut settings = input.list("settings").to_vec();
    if settings.is_empty() {
        settings.push(json!({"name": "containerInsights", "value": insights}));
    }
    let own = providers.iter().any(|name| !capacity::is_fargate(name));
    let cluster = Cluster {
        arn: world.arn("ecs", &format!("cluster/{name}")),
        name: name.to_owned(),
        active: true,
        settings,
        configuration: input.get("configuration").filter(|one| !one.is_null()).cloned(),
        capacity_providers: providers,
        default_strategy,
        service_connect: input
            .get("serviceConnectDefaults")
            .and_then(|one| one.text("namespace"))
            .map(str::to_owned),
        tags: tags_of(input)?,
        busy_until: if own { world.now + ATTACHING } else { 0 },
        ..Cluster::default()
    };
    let answer = json!({"cluster": view(world, &cluster, &everything())});
    world.ecs.clusters.insert(name.to_owned(), cluster);
    Ok(answer)
}

fn get_mut<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Cluster, ApiError> {
    let name = cluster_name(world, input)?;
    Ok(world.ecs.clusters.get_mut(name).expect("cluster_name found it"))
}

pub(super) fn describe_clusters(world: &mut World, input: &Json) -> Answer {
    let asked = input.texts("clusters");
    let asked = if asked.is_empty() { vec!["default"] } else { asked };
    if asked.len() > 100 {
        return Err(invalid("Clusters cannot have more than 100 elements."));
    }
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for name in asked {
        match world.ecs.clusters.get(short(name)) {
            Some(cluster) if !name.starts_with("arn:") || cluster.arn == name => {
                clusters.push(view(world, cluster, input));
            }
            _ if name.starts_with("arn:") => failures.push(missing(name)),
            _ => failures.push(missing(world.arn("ecs", &format!("cluster/{name}")))),
        }
    }
    Ok(json!({"clusters": clusters, "failures": failures}))
}

pub(super) fn list_clusters(world: &mut World, input: &Json) -> Answer {
    let active = world.ecs.clusters.values().filter(|cluster| cluster.active);
    let arns = active.map(|cluster| json!(cluster.arn)).collect();
    Ok(paged(input, "clusterArns", arns, 100))
}

pub(super) fn update_cluster(world: &mut World, input: &Json) -> Answer {
    check_settings(input.list("settings"))?;
    let cluster = get_mut(world, input)?;
    if !input.list("settings").is_empty() {
        cluster.settings = input.list("settings").to_vec();
    }
    if let Some(configuration) = input.get("configuration").filter(|one| !one.is_null()) {
        cluster.configuration = Some(configuration.clone());
    }
    if let Some(defaults) = input.get("serviceConnectDefaults").filter(|one| !one.is_null()) {
        cluster.service_connect =
            defaults.text("namespace").filter(|text| !text.is_empty()).map(str::to_owned);
    }
    let cluster = cluster.clone();
    Ok(json!({"cluster": view(world, &cluster, &everything())}))
}

pub(super) fn update_cluster_settings(world: &mut World, input: &Json) -> Answer {
    update_cluster(world, input)
}

pub(super) fn put_cluster_capacity_providers(world: &mut World, input: &Json) -> Answer {
    let name = cluster_name(world, input)?.to_owned();
    let providers = check_providers(world, &input.texts("capacityProviders"))?;
    let default_strategy = strategy(input, "defaultCapacityProviderStrategy")?;
    check_strategy(&default_strategy, &providers)?;
    let cluster = &world.ecs.clusters[&name];
    if cluster.busy_until > world.now {
        return Err(ApiError::new(
            "UpdateInProgressException",
            "The specified cluster is in a busy state. Cluster attachments must be in UPDATE_COMPLETE or UPDATE_FAILED state before they can be updated.",
        ));
    }
    let removed: Vec<String> =
        cluster.capacity_providers.iter().filter(|one| !providers.contains(one)).cloned().collect();
    let used = cluster.services.iter().filter_map(|arn| world.ecs.services.get(arn)).any(|service| {
        let revision = service.primary().and_then(|one| world.ecs.revisions.get(&one.revision));
        service.status != "INACTIVE"
            && revision.is_some_and(|revision| {
                revision.strategy.iter().any(|item| removed.contains(&item.capacity_provider))
            })
    });
    if used {
        return Err(ApiError::new(
            "ResourceInUseException",
            "The specified capacity provider is in use and cannot be removed.",
        ));
    }
    let moved = providers.iter().filter(|one| !cluster.capacity_providers.contains(one)).chain(&removed);
    let busy = moved.into_iter().any(|one| !capacity::is_fargate(one));
    let now = world.now;
    let cluster = world.ecs.clusters.get_mut(&name).expect("looked up above");
    cluster.capacity_providers = providers;
    cluster.default_strategy = default_strategy;
    if busy {
        cluster.busy_until = now + ATTACHING;
    }
    super::hosts::assign_providers(world, &name);
    super::scaling::wake_cluster(world, &name);
    let cluster = &world.ecs.clusters[&name];
    Ok(json!({"cluster": view(world, cluster, &everything())}))
}

pub(super) fn delete_cluster(world: &mut World, input: &Json) -> Answer {
    let name = short(input.text("cluster").unwrap_or_default());
    let Some(cluster) = world.ecs.clusters.get(name).filter(|cluster| cluster.active) else {
        return Err(ApiError::new("ClusterNotFoundException", "Cluster not found."));
    };
    let holds = |code: &str, message: &str| Err(ApiError::new(code, message));
    if !cluster.hosts.is_empty() {
        return holds(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        );
    }
    if cluster
        .services
        .iter()
        .any(|arn| world.ecs.services.get(arn).is_some_and(|one| one.status != "INACTIVE"))
    {
        return holds(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        );
    }
    if !cluster.tasks.is_empty() {
        return holds(
            "ClusterContainsTasksException",
            "The Cluster cannot be deleted while Tasks are active.",
        );
    }
    if cluster.busy_until > world.now {
        return Err(ApiError::new(
            "UpdateInProgressException",
            "The specified cluster is in a busy state. Cluster attachments must be in UPDATE_COMPLETE or UPDATE_FAILED state before they can be updated.",
        ));
    }
    let cluster = world.ecs.clusters.get_mut(name).ok_or_else(|| client("Cluster not found."))?;
    cluster.active = false;
    cluster.capacity_providers.clear();
    cluster.default_strategy.clear();
    let cluster = cluster.clone();
    Ok(json!({"cluster": view(world, &cluster, &everything())}))
}

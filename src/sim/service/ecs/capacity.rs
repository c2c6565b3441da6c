//! Capacity providers: those of Auto Scaling groups, and Fargate's two.

use super::super::autoscaling::state::Tag;
use super::super::{Answer, ApiError, Input};
use super::model::Provider;
use super::{client, includes, invalid, missing, paged, short, tag_list, tags_of};
use crate::World;
use crate::world::{MINUTE, Millis, SECOND};
use serde_json::{Value as Json, json};

const CHANGING: Millis = 5 * SECOND;
/// A deleted provider can be described for a while.
const REMEMBERED: Millis = 10 * MINUTE;

pub(super) fn is_fargate(name: &str) -> bool {
    matches!(name, "FARGATE" | "FARGATE_SPOT")
}

fn arn(world: &World, name: &str) -> String {
    world.arn("ecs", &format!("capacity-provider/{name}"))
}

impl Provider {
    pub(super) fn is_active(&self) -> bool {
        self.last.as_deref() != Some("DELETE")
    }
}

pub(super) fn get<'a>(world: &'a World, name: &str) -> Option<&'a Provider> {
    world.ecs.providers.get(&arn(world, short(name))).filter(|provider| provider.is_active())
}

pub(super) fn is_active(world: &World, name: &str) -> bool {
    is_fargate(name) || get(world, name).is_some()
}

fn enabled(is: bool) -> &'static str {
    if is { "ENABLED" } else { "DISABLED" }
}

fn view(world: &World, provider: &Provider, tags: bool) -> Json {
    let busy = provider.busy_until > world.now;
    let deleted = !provider.is_active();
    let scaling = json!({
        "status": enabled(provider.managed_scaling),
        "targetCapacity": provider.target_capacity,
        "minimumScalingStepSize": provider.min_step,
        "maximumScalingStepSize": provider.max_step,
        "instanceWarmupPeriod": provider.warmup,
    });
    let mut view = json!({
        "capacityProviderArn": provider.arn,
        "name": provider.name,
        "status": if deleted && !busy { "INACTIVE" } else { "ACTIVE" },
        "autoScalingGroupProvider": {
            "autoScalingGroupArn": provider.group_arn,
            "managedScaling": scaling,
            "managedTerminationProtection": enabled(provider.termination_protection),
            "managedDraining": enabled(provider.draining),
        },
        "tags": if tags { tag_list(&provider.tags) } else { json!([]) },
        "type": "EC2_AUTOSCALING",
    });
    if let Some(last) = &provider.last {
        let state = if busy { "IN_PROGRESS" } else { "COMPLETE" };
        view["updateStatus"] = json!(format!("{last}_{state}"));
    }
    view
}

fn fargate_view(world: &World, name: &str) -> Json {
    json!({
        "capacityProviderArn": arn(world, name),
        "name": name,
        "status": "ACTIVE",
        "tags": [],
        "type": name,
    })
}

/// Lays the members of a group provider over what it has.
fn lay(provider: &mut Provider, given: &Json) -> Result<(), ApiError> {
    let flag = |name: &str, default: bool| given.text(name).map_or(default, |text| text == "ENABLED");
    if let Some(scaling) = given.get("managedScaling").filter(|one| !one.is_null()) {
        if let Some(status) = scaling.text("status") {
            provider.managed_scaling = status == "ENABLED";
        }
        let numbers = [
            ("targetCapacity", 1..=100, &mut provider.target_capacity),
            ("minimumScalingStepSize", 1..=10_000, &mut provider.min_step),
            ("maximumScalingStepSize", 1..=10_000, &mut provider.max_step),
            ("instanceWarmupPeriod", 0..=10_000, &mut provider.warmup),
        ];
        for (name, range, place) in numbers {
            if let Some(value) = scaling.int(name) {
                if !range.contains(&value) {
                    let (low, high) = range.into_inner();
                    return Err(invalid(format!(
                        "The managed scaling setting {name} is invalid. Specify a value between {low} and {high} and try again."
                    )));
                }
                *place = value;
            }
        }
    }
    provider.termination_protection = flag("managedTerminationProtection", provider.termination_protection);
    provider.draining = flag("managedDraining", provider.draining);
    if provider.termination_protection && !provider.managed_scaling {
        return Err(invalid(
            "The managed termination protection setting for the capacity provider is invalid. To enable managed termination protection for a capacity provider, managed scaling must be enabled.",
        ));
    }
    if provider.min_step > provider.max_step {
        return Err(invalid(
            "The minimum scaling step size must not be greater than the maximum scaling step size.",
        ));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let lower = name.to_lowercase();
    let reserved = ["aws", "ecs", "fargate"].iter().any(|prefix| lower.starts_with(prefix));
    if name.is_empty() || name.len() > 255 || !plain || reserved {
        return Err(invalid(
            "The specified capacity provider name is invalid. Up to 255 characters are allowed, including letters (upper and lowercase), numbers, underscores, and hyphens. The name cannot be prefixed with \"aws\", \"ecs\", or \"fargate\". Specify a valid name and try again.",
        ));
    }
    Ok(())
}

/// The group exists, and protects new instances if ECS is to manage their protection.
fn check_group(world: &World, provider: &Provider) -> Result<(), ApiError> {
    let group = world.autoscaling.groups.get(&provider.group_name).filter(|group| !group.deleting);
    let group = group.filter(|group| provider.group_arn.contains(&group.uuid)).ok_or_else(|| {
        client("The specified Auto Scaling group ARN is invalid. Specify a valid Auto Scaling group ARN and try again.")
    })?;
    if provider.termination_protection && !group.protect_new {
        return Err(invalid(
            "The managed termination protection setting for the capacity provider is invalid. To enable managed termination protection for a capacity provider, the Auto Scaling group must have instance protection from scale in enabled.",
        ));
    }
    Ok(())
}

pub(super) fn create_capacity_provider(world: &mut World, input: &Json) -> Answer {
    let name = input.text("name").unwrap_or_default();
    check_name(name)?;
    let Some(given) = input.get("autoScalingGroupProvider").filter(|one| !one.is_null()) else {
        return Err(ApiError::new(
            "UnsupportedFeatureException",
            "The embedded AWS has capacity providers of Auto Scaling groups only.",
        ));
    };
    if get(world, name).is_some() {
        return Err(client(
            "A capacity provider with the specified name already exists. Provide a different name.",
        ));
    }
    let group_arn = given.text("autoScalingGroupArn").unwrap_or_default();
    let Some((_, group_name)) = group_arn.split_once("autoScalingGroupName/") else {
        return Err(client(
            "The specified Auto Scaling group ARN is invalid. Specify a valid Auto Scaling group ARN and try again.",
        ));
    };
    if world.ecs.providers.values().any(|other| other.is_active() && other.group_arn == group_arn) {
        return Err(client(
            "The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a unique Auto Scaling group ARN and try again.",
        ));
    }
    let mut provider = Provider {
        arn: arn(world, name),
        name: name.to_owned(),
        group_arn: group_arn.to_owned(),
        group_name: group_name.to_owned(),
        managed_scaling: false,
        target_capacity: 100,
        min_step: 1,
        max_step: 10_000,
        warmup: 300,
        termination_protection: false,
        draining: true,
        last: None,
        busy_until: 0,
        tags: tags_of(input)?,
        evaluates_at: None,
        idle_since: None,
        settles_at: 0,
    };
    lay(&mut provider, given)?;
    check_group(world, &provider)?;
    if let Some(group) = world.autoscaling.groups.get_mut(group_name) {
        // ECS marks the group as its own (ECS developer guide, Auto Scaling group capacity providers).
        let mark = || Tag { value: String::new(), propagate: true };
        group.tags.entry("AmazonECSManaged".to_owned()).or_insert_with(mark);
    }
    let answer = json!({"capacityProvider": view(world, &provider, true)});
    world.ecs.providers.insert(provider.arn.clone(), provider);
    Ok(answer)
}

pub(super) fn describe_capacity_providers(world: &mut World, input: &Json) -> Answer {
    let asked = input.texts("capacityProviders");
    let tags = includes(input, "TAGS");
    let now = world.now;
    world.ecs.providers.retain(|_, provider| provider.is_active() || provider.busy_until + REMEMBERED > now);
    let all = || {
        let own = world.ecs.providers.values().map(|provider| provider.name.clone());
        own.chain(["FARGATE".to_owned(), "FARGATE_SPOT".to_owned()]).collect::<Vec<_>>()
    };
    let names: Vec<String> =
        if asked.is_empty() { all() } else { asked.iter().map(|name| short(name).to_owned()).collect() };
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for (at, name) in names.iter().enumerate() {
        match world.ecs.providers.get(&arn(world, name)) {
            Some(provider) => found.push(view(world, provider, tags)),
            None if is_fargate(name) => found.push(fargate_view(world, name)),
            None => failures.push(missing(
                asked
                    .get(at)
                    .filter(|one| one.starts_with("arn:"))
                    .map_or_else(|| arn(world, name), |one| (*one).to_owned()),
            )),
        }
    }
    let mut answer = paged(input, "capacityProviders", found, 100);
    answer["failures"] = json!(failures);
    Ok(answer)
}

fn reserved() -> ApiError {
    client("The specified capacity provider is reserved and cannot be updated or deleted.")
}

fn find(world: &World, name: &str) -> Result<String, ApiError> {
    if is_fargate(short(name)) {
        return Err(reserved());
    }
    get(world, name).map(|provider| provider.arn.clone()).ok_or_else(|| {
        invalid("The specified capacity provider does not exist. Specify a valid name or ARN and try again.")
    })
}

pub(super) fn update_capacity_provider(world: &mut World, input: &Json) -> Answer {
    let arn = find(world, input.text("name").unwrap_or_default())?;
    let now = world.now;
    let provider = &world.ecs.providers[&arn];
    if provider.busy_until > now {
        return Err(ApiError::new(
            "UpdateInProgressException",
            "The specified capacity provider is already being updated.",
        ));
    }
    let mut changed = provider.clone();
    lay(&mut changed, input.get("autoScalingGroupProvider").unwrap_or(&Json::Null))?;
    check_group(world, &changed)?;
    changed.last = Some("UPDATE".to_owned());
    changed.busy_until = now + CHANGING;
    world.ecs.providers.insert(arn.clone(), changed.clone());
    super::scaling::wake(world, &arn);
    Ok(json!({"capacityProvider": view(world, &changed, true)}))
}

pub(super) fn delete_capacity_provider(world: &mut World, input: &Json) -> Answer {
    let arn = find(world, input.text("capacityProvider").unwrap_or_default())?;
    let name = short(&arn).to_owned();
    if world.ecs.clusters.values().any(|cluster| cluster.active && cluster.capacity_providers.contains(&name))
    {
        return Err(ApiError::new(
            "ResourceInUseException",
            "The specified capacity provider is in use and cannot be removed.",
        ));
    }
    let now = world.now;
    let provider = world.ecs.providers.get_mut(&arn).expect("just found");
    provider.last = Some("DELETE".to_owned());
    provider.busy_until = now + CHANGING;
    let provider = provider.clone();
    Ok(json!({"capacityProvider": view(world, &provider, true)}))
}

//! DiscoverInstances: what clients ask by names.

use super::*;

fn find<'a>(world: &'a World, input: &Json) -> Result<&'a Service, ApiError> {
    let (namespace, service) =
        (input.text("NamespaceName").unwrap_or_default(), input.text("ServiceName").unwrap_or_default());
    let state = &world.servicediscovery;
    let ready = |one: &Namespace| one.name == namespace && one.ready <= world.now;
    let ids: Vec<&String> = state.namespaces.iter().filter(|(_, one)| ready(one)).map(|(id, _)| id).collect();
    if ids.is_empty() {
        return Err(error(404, "NamespaceNotFound", "Namespace not found"));
    }
    let found = state.services.values().find(|one| one.name == service && ids.contains(&&one.namespace));
    found.ok_or_else(|| error(404, "ServiceNotFound", "Service not found"))
}

pub fn discover(world: &mut World, input: &Json) -> Answer {
    let service = find(world, input)?;
    let has = |one: &Instance, member: &str| {
        let wanted = input.get(member).and_then(Json::as_object).into_iter().flatten();
        wanted.into_iter().all(|(key, value)| one.attributes.get(key).map(String::as_str) == value.as_str())
    };
    let mut all: Vec<(&String, &Instance)> = service
        .instances
        .iter()
        .filter(|(_, one)| one.ready <= world.now && has(one, "QueryParameters"))
        .collect();
    // Optional parameters narrow only if something is left.
    if all.iter().any(|(_, one)| has(one, "OptionalParameters")) {
        all.retain(|(_, one)| has(one, "OptionalParameters"));
    }
    match input.text("HealthStatus").unwrap_or("HEALTHY_OR_ELSE_ALL") {
        "HEALTHY" => all.retain(|(_, one)| one.healthy),
        "UNHEALTHY" => all.retain(|(_, one)| !one.healthy),
        "HEALTHY_OR_ELSE_ALL" if all.iter().any(|(_, one)| one.healthy) => all.retain(|(_, one)| one.healthy),
        _ => {}
    }
    let checked = service.check.is_some() || service.custom_check.is_some();
    let most = input.int("MaxResults").unwrap_or(100).clamp(1, 1000) as usize;
    let view = |(id, one): (&String, &Instance)| {
        let status = match (checked, one.healthy) {
            (false, _) => "UNKNOWN",
            (true, true) => "HEALTHY",
            (true, false) => "UNHEALTHY",
        };
        json!({
            "InstanceId": id, "NamespaceName": input["NamespaceName"], "ServiceName": service.name,
            "HealthStatus": status, "Attributes": one.attributes,
        })
    };
    let found: Vec<Json> = all.into_iter().take(most).map(view).collect();
    Ok(json!({"Instances": found, "InstancesRevision": service.revision}))
}

pub fn revision(world: &mut World, input: &Json) -> Answer {
    Ok(json!({"InstancesRevision": find(world, input)?.revision}))
}

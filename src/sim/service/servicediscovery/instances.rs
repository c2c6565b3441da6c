//! Instances of services, and their records in DNS.

use super::*;

/// Until a registered instance is found.
const REGISTRATION: Millis = 2 * SECOND;

fn find<'a>(world: &'a mut World, input: &Json) -> Result<(String, &'a mut Service), ApiError> {
    let id = id_of(input.text("ServiceId").unwrap_or_default()).to_owned();
    let found = world.servicediscovery.services.get_mut(&id).ok_or_else(|| services::missing(&id))?;
    Ok((id, found))
}

fn missing(id: &str) -> ApiError {
    error(404, "InstanceNotFound", id)
}

/// What a service's records need (API reference, RegisterInstance).
fn check(service: &Service, attributes: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let kinds = service.dns.as_ref().map_or(&[][..], |dns| dns.list("DnsRecords"));
    for kind in kinds.iter().filter_map(|one| one.text("Type")) {
        let needed = match kind {
            "A" if attributes.contains_key("AWS_ALIAS_DNS_NAME") => continue,
            "A" => "AWS_INSTANCE_IPV4",
            "AAAA" => "AWS_INSTANCE_IPV6",
            "CNAME" => "AWS_INSTANCE_CNAME",
            _ => "AWS_INSTANCE_PORT",
        };
        if !attributes.contains_key(needed) {
            let message = format!("{needed} attribute is required for records of type {kind}.");
            return Err(error(400, "InvalidInput", message));
        }
    }
    Ok(())
}

/// The record sets of one instance.
fn records(service: &Service, namespace: &Namespace, id: &str, instance: &Instance) -> Vec<Json> {
    let Some(dns) = &service.dns else { return Vec::new() };
    let name = format!("{}.{}", service.name, namespace.name);
    let value = |name: &str| instance.attributes.get(name).cloned();
    let mut sets = Vec::new();
    for record in dns.list("DnsRecords") {
        let kind = record.text("Type").unwrap_or_default();
        let content = match kind {
            "A" => value("AWS_INSTANCE_IPV4"),
            "AAAA" => value("AWS_INSTANCE_IPV6"),
            "CNAME" => value("AWS_INSTANCE_CNAME"),
            _ => value("AWS_INSTANCE_PORT").map(|port| format!("1 1 {port} {id}.{name}")),
        };
        let Some(content) = content else { continue };
        let mut set = json!({
            "Name": name, "Type": kind, "SetIdentifier": id, "TTL": record["TTL"],
            "ResourceRecords": [{"Value": content}],
        });
        match dns.text("RoutingPolicy") {
            Some("WEIGHTED") => set["Weight"] = json!(1),
            _ => set["MultiValueAnswer"] = json!(true),
        }
        // What an SRV record names has an address of its own.
        if let Some(address) = value("AWS_INSTANCE_IPV4").filter(|_| kind == "SRV") {
            sets.push(json!({
                "Name": format!("{id}.{name}"), "Type": "A", "TTL": record["TTL"],
                "ResourceRecords": [{"Value": address}],
            }));
        }
        sets.push(set);
    }
    sets
}

/// Writes (`UPSERT`) or takes back (`DELETE`) an instance's records.
fn change_records(world: &mut World, service: &str, id: &str, action: &str) {
    let state = &world.servicediscovery;
    let Some(of) = state.services.get(service) else { return };
    let Some(namespace) = state.namespaces.get(&of.namespace) else { return };
    let (Some(zone), Some(instance)) = (namespace.zone.clone(), of.instances.get(id)) else { return };
    let changes: Vec<Json> = records(of, namespace, id, instance)
        .into_iter()
        .map(|set| json!({"Action": action, "ResourceRecordSet": set}))
        .collect();
    if changes.is_empty() {
        return;
    }
    let input = json!({"HostedZoneId": zone, "ChangeBatch": {"Changes": changes}});
    if let Err(why) = call(world, "route53", "ChangeResourceRecordSets", &input) {
        tracing::warn!("records of the instance {id} are not changed: {}", why.message);
    }
}

pub fn register(world: &mut World, input: &Json) -> Answer {
    let given = input.get("Attributes").and_then(Json::as_object).into_iter().flatten();
    let attributes: BTreeMap<String, String> =
        given.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
    let instance = input.text("InstanceId").unwrap_or_default().to_owned();
    let request = input.text("CreatorRequestId").map(str::to_owned);
    let ready = world.now + REGISTRATION;
    let (id, service) = find(world, input)?;
    check(service, &attributes)?;
    let healthy = attributes.get("AWS_INIT_HEALTH_STATUS").is_none_or(|status| status != "UNHEALTHY");
    service.instances.insert(instance.clone(), Instance { attributes, ready, healthy, request });
    service.revision += 1;
    change_records(world, &id, &instance, "UPSERT");
    begin(world, "REGISTER_INSTANCE", REGISTRATION, &[("INSTANCE", &instance), ("SERVICE", &id)])
}

pub fn deregister(world: &mut World, input: &Json) -> Answer {
    let instance = input.text("InstanceId").unwrap_or_default().to_owned();
    let (id, service) = find(world, input)?;
    if !service.instances.contains_key(&instance) {
        return Err(missing(&instance));
    }
    change_records(world, &id, &instance, "DELETE");
    let (_, service) = find(world, input)?;
    service.instances.remove(&instance);
    service.revision += 1;
    begin(world, "DEREGISTER_INSTANCE", REGISTRATION, &[("INSTANCE", &instance), ("SERVICE", &id)])
}

/// ECS registers a task; a service that is gone, or wants what the task does not have, goes without.
pub fn register_task(
    world: &mut World,
    service: &str,
    task: &str,
    attributes: &BTreeMap<String, String>,
) -> bool {
    let input = json!({"ServiceId": service, "InstanceId": task, "Attributes": attributes});
    register(world, &input).is_ok()
}

pub fn deregister_task(world: &mut World, service: &str, task: &str) {
    let _ = deregister(world, &json!({"ServiceId": service, "InstanceId": task}));
}

/// Of an instance of a service with a custom health check.
pub fn set_health(world: &mut World, service: &str, instance: &str, healthy: bool) {
    let found = world.servicediscovery.services.get_mut(id_of(service));
    let Some(service) = found.filter(|service| service.custom_check.is_some()) else { return };
    if let Some(instance) = service.instances.get_mut(instance).filter(|one| one.healthy != healthy) {
        instance.healthy = healthy;
        service.revision += 1;
    }
}

pub fn update_health(world: &mut World, input: &Json) -> Answer {
    let healthy = input.text("Status") == Some("HEALTHY");
    let id = input.text("InstanceId").unwrap_or_default().to_owned();
    let (service, found) = find(world, input)?;
    if found.custom_check.is_none() {
        let message = format!("Custom health check is not configured for service {service}.");
        return Err(error(404, "CustomHealthNotFound", message));
    }
    if !found.instances.contains_key(&id) {
        return Err(missing(&id));
    }
    set_health(world, &service, &id, healthy);
    Ok(json!({}))
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let id = input.text("InstanceId").unwrap_or_default();
    let (_, service) = find(world, input)?;
    let one = service.instances.get(id).ok_or_else(|| missing(id))?;
    let view = json!({"Id": id, "Attributes": one.attributes});
    Ok(json!({"Instance": view.with("CreatorRequestId", one.request.clone())}))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let (_, service) = find(world, input)?;
    let all = service.instances.iter().map(|(id, one)| json!({"Id": id, "Attributes": one.attributes}));
    paged(input, "Instances", all.collect())
}

pub fn health(world: &mut World, input: &Json) -> Answer {
    let (_, service) = find(world, input)?;
    let asked = input.texts("Instances");
    if let Some(id) = asked.iter().find(|id| !service.instances.contains_key(**id)) {
        return Err(missing(id));
    }
    // Without a health check nothing is known.
    let checked = service.check.is_some() || service.custom_check.is_some();
    let status = |one: &Instance| match (checked, one.healthy) {
        (false, _) => "UNKNOWN",
        (true, true) => "HEALTHY",
        (true, false) => "UNHEALTHY",
    };
    let of = service.instances.iter().filter(|(id, _)| asked.is_empty() || asked.contains(&id.as_str()));
    let all: BTreeMap<&String, &str> = of.map(|(id, one)| (id, status(one))).collect();
    Ok(json!({"Status": all}))
}

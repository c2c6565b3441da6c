//! Services.

use super::*;

pub fn missing(id: &str) -> ApiError {
    error(404, "ServiceNotFound", id)
}

fn find<'a>(world: &'a mut World, input: &Json, member: &str) -> Result<(String, &'a mut Service), ApiError> {
    let id = id_of(input.text(member).unwrap_or_default()).to_owned();
    let found = world.servicediscovery.services.get_mut(&id).ok_or_else(|| missing(&id))?;
    Ok((id, found))
}

/// ECS names namespaces by name or ARN.
pub fn namespace_named(world: &World, name: &str) -> Option<String> {
    let id = id_of(name);
    let all = &world.servicediscovery.namespaces;
    if all.contains_key(id) {
        return Some(id.to_owned());
    }
    all.iter().find(|(_, one)| one.name == name).map(|(id, _)| id.clone())
}

/// For Service Connect: the ARN of the service of this name, which is made if there is none.
pub fn find_or_create(world: &mut World, namespace: &str, name: &str) -> Option<String> {
    let mut services = world.servicediscovery.services.iter();
    let id = match services.find(|(_, one)| one.namespace == namespace && one.name == name) {
        Some((id, _)) => id.clone(),
        None => {
            let input = json!({
                "Name": name, "NamespaceId": namespace, "Type": "HTTP",
                "Description": "Managed by Amazon ECS",
            });
            create(world, &input).ok()?["Service"].text("Id")?.to_owned()
        }
    };
    Some(arn(world, "service", &id))
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = input.text("Name").unwrap_or_default().to_owned();
    let dns = input.get("DnsConfig").cloned();
    let within = input.text("NamespaceId").or(dns.as_ref().and_then(|one| one.text("NamespaceId")));
    let Some(namespace) = within.map(|text| id_of(text).to_owned()) else {
        return Err(error(400, "InvalidInput", "NamespaceId must be specified."));
    };
    let Some(found) = world.servicediscovery.namespaces.get(&namespace) else {
        return Err(namespaces::missing(&namespace));
    };
    let http = found.kind == "HTTP";
    if http && dns.is_some() {
        let message = "DNS configuration is not supported for services in HTTP namespaces.";
        return Err(error(400, "InvalidInput", message));
    }
    if input.get("HealthCheckConfig").is_some() && input.get("HealthCheckCustomConfig").is_some() {
        let message = "HealthCheckConfig and HealthCheckCustomConfig cannot be specified together.";
        return Err(error(400, "InvalidInput", message));
    }
    if input.get("HealthCheckConfig").is_some() && found.kind == "DNS_PRIVATE" {
        let message = "HealthCheckConfig is not supported for services in private DNS namespaces.";
        return Err(error(400, "InvalidInput", message));
    }
    let request = input.text("CreatorRequestId").map(str::to_owned);
    let mut services = world.servicediscovery.services.iter();
    if let Some((id, _)) = services.find(|(_, one)| one.namespace == namespace && one.name == name) {
        return Err(error(400, "ServiceAlreadyExists", format!("Service already exists: {id}")));
    }
    let id = new_id(world, "srv-");
    let kind = match (&dns, input.text("Type")) {
        (None, _) | (_, Some("HTTP")) => "HTTP",
        _ => "DNS_HTTP",
    };
    let mut dns = dns.filter(|_| kind != "HTTP");
    if let Some(config) = &mut dns {
        config["NamespaceId"] = json!(namespace);
        if config.text("RoutingPolicy").is_none() {
            config["RoutingPolicy"] = json!("MULTIVALUE");
        }
    }
    let with_threshold = |name: &str| {
        let mut check = input.get(name).cloned()?;
        if check.int("FailureThreshold").is_none() {
            check["FailureThreshold"] = json!(1);
        }
        Some(check)
    };
    let service = Service {
        name,
        namespace,
        kind: kind.to_owned(),
        description: input.text("Description").map(str::to_owned),
        dns,
        check: with_threshold("HealthCheckConfig"),
        custom_check: with_threshold("HealthCheckCustomConfig"),
        created: world.now,
        request,
        attributes: BTreeMap::new(),
        instances: BTreeMap::new(),
        revision: 1,
    };
    let arn = arn(world, "service", &id);
    world.servicediscovery.tags.insert(arn, tags(input.list("Tags")));
    world.servicediscovery.services.insert(id.clone(), service);
    Ok(json!({"Service": full(world, &id)}))
}

fn view(world: &World, id: &str, one: &Service) -> Json {
    json!({
        "Id": id, "Arn": arn(world, "service", id), "Name": one.name, "Type": one.kind,
        "CreateDate": World::timestamp(one.created), "InstanceCount": one.instances.len(),
        "ResourceOwner": world.account,
    })
    .with("Description", one.description.clone())
    .with("DnsConfig", one.dns.clone())
    .with("HealthCheckConfig", one.check.clone())
    .with("HealthCheckCustomConfig", one.custom_check.clone())
}

fn full(world: &World, id: &str) -> Json {
    let one = &world.servicediscovery.services[id];
    let mut view = view(world, id, one);
    view["NamespaceId"] = json!(one.namespace);
    view.with("CreatorRequestId", one.request.clone())
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let (id, _) = find(world, input, "Id")?;
    Ok(json!({"Service": full(world, &id)}))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let of = |one: &Service, filter: &Json| match filter.text("Name") {
        Some("NAMESPACE_ID") => passes(filter, &one.namespace),
        _ => true,
    };
    let all = world.servicediscovery.services.iter();
    let found = all.filter(|(_, one)| input.list("Filters").iter().all(|filter| of(one, filter)));
    paged(input, "Services", found.map(|(id, one)| view(world, id, one)).collect())
}

/// What is left out goes, except the health check of a custom kind (API reference, UpdateService).
pub fn update(world: &mut World, input: &Json) -> Answer {
    let change = input.get("Service").cloned().unwrap_or_default();
    let (id, one) = find(world, input, "Id")?;
    if let Some(text) = change.text("Description") {
        one.description = Some(text.to_owned());
    }
    if let (Some(records), Some(dns)) =
        (change.get("DnsConfig").and_then(|one| one.get("DnsRecords")), &mut one.dns)
    {
        dns["DnsRecords"] = records.clone();
    }
    if let Some(check) = change.get("HealthCheckConfig") {
        one.check = Some(check.clone());
    }
    begin(world, "UPDATE_SERVICE", 3 * SECOND, &[("SERVICE", &id)])
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let (id, one) = find(world, input, "Id")?;
    if !one.instances.is_empty() {
        let message =
            "Service contains registered instances; delete the instances before deleting the service";
        return Err(error(400, "ResourceInUse", message));
    }
    world.servicediscovery.services.remove(&id);
    let arn = arn(world, "service", &id);
    world.servicediscovery.tags.remove(&arn);
    Ok(json!({}))
}

pub fn get_attributes(world: &mut World, input: &Json) -> Answer {
    let (id, one) = find(world, input, "ServiceId")?;
    let attributes = one.attributes.clone();
    let arn = arn(world, "service", &id);
    Ok(json!({"ServiceAttributes": {
        "ServiceArn": arn, "ResourceOwner": world.account, "Attributes": attributes,
    }}))
}

pub fn update_attributes(world: &mut World, input: &Json) -> Answer {
    let given = input.get("Attributes").and_then(Json::as_object).into_iter().flatten();
    let given = given.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
    let (_, one) = find(world, input, "ServiceId")?;
    let mut all = one.attributes.clone();
    all.extend(given);
    if all.len() > 30 {
        let message = "The attribute can't be added to the service because you've exceeded the quota for the number of attributes you can add to a service.";
        return Err(error(400, "ServiceAttributesLimitExceededException", message));
    }
    one.attributes = all;
    Ok(json!({}))
}

pub fn delete_attributes(world: &mut World, input: &Json) -> Answer {
    let (_, one) = find(world, input, "ServiceId")?;
    for key in input.texts("Attributes") {
        one.attributes.remove(key);
    }
    Ok(json!({}))
}

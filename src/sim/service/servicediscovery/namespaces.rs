//! Namespaces.

use super::*;

const QUICK: Millis = 3 * SECOND;
/// A hosted zone must be made, or go.
const SLOW: Millis = 40 * SECOND;

/// The message is the id alone, as moto's suite expects; DiscoverInstances says it in words
/// (kubernetes-sigs/external-dns#5180).
pub fn missing(id: &str) -> ApiError {
    error(404, "NamespaceNotFound", id)
}

pub fn create_http(world: &mut World, input: &Json) -> Answer {
    create(world, input, "HTTP")
}

pub fn create_private(world: &mut World, input: &Json) -> Answer {
    let vpc = input.text("Vpc").unwrap_or_default();
    if !world.ec2.vpcs.contains_key(vpc) {
        return Err(error(
            400,
            "InvalidInput",
            format!("The VPC ID '{vpc}' in region {} does not exist", world.region),
        ));
    }
    create(world, input, "DNS_PRIVATE")
}

pub fn create_public(world: &mut World, input: &Json) -> Answer {
    create(world, input, "DNS_PUBLIC")
}

fn create(world: &mut World, input: &Json, kind: &str) -> Answer {
    let name = input.text("Name").unwrap_or_default().to_owned();
    let request = input.text("CreatorRequestId").map(str::to_owned);
    let all = &world.servicediscovery.namespaces;
    let same = all.iter().find(|(_, one)| one.name == name && (one.kind == "HTTP") == (kind == "HTTP"));
    if let Some((id, _)) = same {
        let message = format!("Namespace with name {name} already exists: {id}");
        return Err(error(400, "NamespaceAlreadyExists", message));
    }
    let id = new_id(world, "ns-");
    let zone = if kind == "HTTP" { None } else { Some(make_zone(world, input, &id, kind)?) };
    let takes = if zone.is_some() { SLOW } else { QUICK };
    let soa = input.get("Properties").and_then(|one| one.get("DnsProperties")).and_then(|one| one.get("SOA"));
    let namespace = Namespace {
        name,
        kind: kind.to_owned(),
        description: input.text("Description").map(str::to_owned),
        ttl: zone.as_ref().map(|_| soa.and_then(|one| one.int("TTL")).unwrap_or(15)),
        zone,
        created: world.now,
        ready: world.now + takes,
        request,
    };
    let arn = arn(world, "namespace", &id);
    world.servicediscovery.tags.insert(arn, tags(input.list("Tags")));
    world.servicediscovery.namespaces.insert(id.clone(), namespace);
    begin(world, "CREATE_NAMESPACE", takes, &[("NAMESPACE", &id)])
}

fn make_zone(world: &mut World, input: &Json, id: &str, kind: &str) -> Result<String, ApiError> {
    let mut zone = json!({
        "Name": input["Name"], "CallerReference": format!("cloudmap {id}"),
        "HostedZoneConfig": {"Comment": "Created by AWS Cloud Map", "PrivateZone": kind == "DNS_PRIVATE"},
    });
    if kind == "DNS_PRIVATE" {
        zone["VPC"] = json!({"VPCId": input["Vpc"], "VPCRegion": world.region});
    }
    let made = call(world, "route53", "CreateHostedZone", &zone)?;
    let id = made["HostedZone"].text("Id").unwrap_or_default();
    Ok(id.trim_start_matches("/hostedzone/").to_owned())
}

fn view(world: &World, id: &str, one: &Namespace) -> Json {
    let count = world.servicediscovery.services.values().filter(|service| service.namespace == id).count();
    let mut properties = json!({"HttpProperties": {"HttpName": one.name}, "DnsProperties": {"SOA": {}}});
    if let Some(zone) = &one.zone {
        properties["DnsProperties"] = json!({"HostedZoneId": zone, "SOA": json!({}).with("TTL", one.ttl)});
    }
    json!({
        "Id": id, "Arn": arn(world, "namespace", id), "Name": one.name, "Type": one.kind,
        "CreateDate": World::timestamp(one.created), "Properties": properties, "ServiceCount": count,
        "ResourceOwner": world.account,
    })
    .with("Description", one.description.clone())
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let id = id_of(input.text("Id").unwrap_or_default());
    let one = world.servicediscovery.namespaces.get(id).ok_or_else(|| missing(id))?;
    Ok(json!({"Namespace": view(world, id, one).with("CreatorRequestId", one.request.clone())}))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let of = |one: &Namespace, filter: &Json| match filter.text("Name") {
        Some("TYPE") => passes(filter, &one.kind),
        Some("NAME" | "HTTP_NAME") => passes(filter, &one.name),
        _ => true,
    };
    let all = world.servicediscovery.namespaces.iter();
    let found = all.filter(|(_, one)| input.list("Filters").iter().all(|filter| of(one, filter)));
    paged(input, "Namespaces", found.map(|(id, one)| view(world, id, one)).collect())
}

pub fn update(world: &mut World, input: &Json) -> Answer {
    let id = id_of(input.text("Id").unwrap_or_default()).to_owned();
    let one = world.servicediscovery.namespaces.get_mut(&id).ok_or_else(|| missing(&id))?;
    let change = input.get("Namespace").cloned().unwrap_or_default();
    if let Some(text) = change.text("Description") {
        one.description = Some(text.to_owned());
    }
    let soa =
        change.get("Properties").and_then(|one| one.get("DnsProperties")).and_then(|one| one.get("SOA"));
    if let Some(ttl) = soa.and_then(|one| one.int("TTL")) {
        one.ttl = Some(ttl);
    }
    begin(world, "UPDATE_NAMESPACE", QUICK, &[("NAMESPACE", &id)])
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let id = id_of(input.text("Id").unwrap_or_default()).to_owned();
    let one = world.servicediscovery.namespaces.get(&id).ok_or_else(|| missing(&id))?;
    let zone = one.zone.clone();
    let mut services = world.servicediscovery.services.iter();
    if let Some((service, _)) = services.find(|(_, service)| service.namespace == id) {
        let message = format!(
            "Namespace has associated services that must be deleted before the namespace can be deleted: {service}"
        );
        return Err(error(400, "ResourceInUse", message));
    }
    if let Some(zone) = &zone {
        call(world, "route53", "DeleteHostedZone", &json!({"Id": zone}))
            .map_err(|why| error(400, "ResourceInUse", why.message))?;
    }
    world.servicediscovery.namespaces.remove(&id);
    let arn = arn(world, "namespace", &id);
    world.servicediscovery.tags.remove(&arn);
    begin(world, "DELETE_NAMESPACE", if zone.is_some() { SLOW } else { QUICK }, &[("NAMESPACE", &id)])
}

//! Hosted zones, their VPCs and tags.

use super::*;
use crate::service::tree::{self, Output};

fn zone_json(zone: &Zone) -> Json {
    json!({
        "Id": format!("/hostedzone/{}", zone.id),
        "Name": zone.name,
        "CallerReference": zone.caller_reference,
        "Config": json!({ "PrivateZone": zone.private() }).with("Comment", zone.comment.clone()),
        "ResourceRecordSetCount": zone.records.len(),
    })
}

fn vpc_json((region, id): &(String, String)) -> Json {
    json!({ "VPCRegion": region, "VPCId": id })
}

fn vpc(world: &World, input: &Json) -> Option<(String, String)> {
    let vpc = input.get("VPC")?;
    let region = vpc.text("VPCRegion").unwrap_or(&world.region);
    Some((region.to_owned(), vpc.text("VPCId")?.to_owned()))
}

/// Private zones all have these; public ones get four of AWS's name servers.
fn name_servers(world: &mut World, private: bool) -> Vec<String> {
    const TOP: [(&str, u64); 4] = [("co.uk", 1536), ("com", 0), ("org", 1024), ("net", 512)];
    TOP.map(|(top, base)| {
        let (host, group) = if private { (0, 0) } else { (world.random() % 512, world.random() % 64) };
        format!("ns-{}.awsdns-{group:02}.{top}", base + host)
    })
    .to_vec()
}

fn valid_domain(name: &str) -> bool {
    let labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    name.len() <= 255 && labels.iter().all(|label| (1..=63).contains(&label.len()))
}

fn conflicting(world: &World, name: &str, vpc: &(String, String)) -> Option<ApiError> {
    let mut zones = world.route53.zones.values();
    let other = zones.find(|zone| zone.name == name && zone.vpcs.contains(vpc))?;
    Some(ApiError::new(
        "ConflictingDomainExists",
        format!(
            "The VPC {} in region {} has already been associated with the hosted zone {} with the same \
             domain name.",
            vpc.1, vpc.0, other.id
        ),
    ))
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let given = input.text("Name").unwrap_or_default();
    let reference = input.text("CallerReference").unwrap_or_default();
    if !valid_domain(given) {
        return Err(ApiError::new("InvalidDomainName", format!("{given} is not a valid domain name")));
    }
    if world.route53.zones.values().any(|zone| zone.caller_reference == reference) {
        let message = "A hosted zone has already been created with the specified caller reference.";
        return Err(ApiError::new("HostedZoneAlreadyExists", message).status(409));
    }
    // CreateReusableDelegationSet is not among our operations, so there is none.
    if input.text("DelegationSetId").is_some() {
        let message = "A reusable delegation set with the specified ID does not exist.";
        return Err(ApiError::new("NoSuchDelegationSet", message));
    }
    let config = input.get("HostedZoneConfig").cloned().unwrap_or_default();
    let vpc = vpc(world, input);
    if vpc.is_none() && config.flag("PrivateZone") == Some(true) {
        return Err(ApiError::new(
            "InvalidInput",
            "When you're creating a private hosted zone (when you specify true for PrivateZone), you must \
             also specify values for VPCId and VPCRegion.",
        ));
    }
    let name = normal(given);
    if let Some(conflict) = vpc.as_ref().and_then(|vpc| conflicting(world, &name, vpc)) {
        return Err(conflict);
    }
    let servers = name_servers(world, vpc.is_some());
    let zone = Zone {
        id: new_id(world, 'Z'),
        records: apex_records(&name, &servers),
        name,
        caller_reference: reference.to_owned(),
        comment: config.text("Comment").filter(|comment| !comment.is_empty()).map(str::to_owned),
        vpcs: vpc.iter().cloned().collect(),
        name_servers: servers,
        tags: Tags::new(),
    };
    let change = submit(world, None);
    let answer = json!({
        "HostedZone": zone_json(&zone),
        "ChangeInfo": change,
        "DelegationSet": { "NameServers": zone.name_servers },
        "Location": format!("https://route53.amazonaws.com/2013-04-01/hostedzone/{}", zone.id),
    })
    .with("VPC", vpc.as_ref().map(vpc_json));
    world.route53.zones.insert(zone.id.clone(), zone);
    Ok(answer)
}

/// The NS and SOA records that every zone is born with (developer guide).
fn apex_records(name: &str, servers: &[String]) -> Vec<RecordSet> {
    let set = |kind: &str, ttl, values| RecordSet {
        name: name.to_owned(),
        kind: kind.to_owned(),
        set_identifier: None,
        ttl: Some(ttl),
        values,
        alias: None,
        routing: BTreeMap::new(),
    };
    let soa = format!("{}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400", servers[0]);
    let servers = servers.iter().map(|server| format!("{server}.")).collect();
    vec![set("NS", 172_800, servers), set("SOA", 900, vec![soa])]
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let zone = find(world, input.text("Id").unwrap_or_default())?;
    let answer = json!({ "HostedZone": zone_json(zone) });
    // A private zone answers its VPCs, a public one its name servers.
    if zone.private() {
        return Ok(answer.with("VPCs", Some(zone.vpcs.iter().map(vpc_json).collect::<Json>())));
    }
    Ok(answer.with("DelegationSet", Some(json!({ "NameServers": zone.name_servers }))))
}

pub fn count(world: &mut World, _input: &Json) -> Answer {
    Ok(json!({ "HostedZoneCount": world.route53.zones.len() }))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let zone = find(world, input.text("Id").unwrap_or_default())?;
    let required = |set: &RecordSet| set.name == zone.name && matches!(set.kind.as_str(), "NS" | "SOA");
    if !zone.records.iter().all(required) {
        return Err(ApiError::new(
            "HostedZoneNotEmpty",
            "The specified hosted zone contains non-required resource record sets  and so cannot be deleted.",
        ));
    }
    let id = zone.id.clone();
    world.route53.zones.remove(&id);
    Ok(json!({ "ChangeInfo": submit(world, None) }))
}

pub fn update_comment(world: &mut World, input: &Json) -> Answer {
    let zone = find_mut(world, input.text("Id").unwrap_or_default())?;
    zone.comment = input.text("Comment").filter(|comment| !comment.is_empty()).map(str::to_owned);
    Ok(json!({ "HostedZone": zone_json(zone) }))
}

/// From the zone that `first` says, at most a page; what the next page starts with.
fn window<'a>(zones: &[&'a Zone], first: usize, max: usize) -> (Vec<Json>, Option<&'a Zone>) {
    let page = zones.iter().skip(first).take(max).map(|zone| zone_json(zone)).collect();
    (page, zones.get(first + max).copied())
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let only_private = input.text("HostedZoneType") == Some("PrivateHostedZone");
    let zones: Vec<&Zone> =
        world.route53.zones.values().filter(|zone| zone.private() || !only_private).collect();
    let marker = input.text("Marker").unwrap_or_default();
    let first = zones.iter().position(|zone| zone.id.as_str() >= bare(marker)).unwrap_or(zones.len());
    let max = max_items(input, 100);
    let (page, next) = window(&zones, first, max);
    Ok(json!({
        "HostedZones": page,
        "IsTruncated": next.is_some(),
        "MaxItems": max.to_string(),
    })
    .with("Marker", input.text("Marker"))
    .with("NextMarker", next.map(|zone| zone.id.clone())))
}

pub fn list_by_name(world: &mut World, input: &Json) -> Answer {
    let mut zones: Vec<&Zone> = world.route53.zones.values().collect();
    zones.sort_by_key(|zone| (reversed(&zone.name), zone.id.as_str()));
    let first = match input.text("DNSName") {
        None => 0,
        Some(name) => {
            let name = normal(name);
            let from = (reversed(&name), bare(input.text("HostedZoneId").unwrap_or_default()));
            let first = zones.iter().position(|zone| (reversed(&zone.name), zone.id.as_str()) >= from);
            first.unwrap_or(zones.len())
        }
    };
    let max = max_items(input, 100);
    let (page, next) = window(&zones, first, max);
    Ok(json!({ "HostedZones": page, "IsTruncated": next.is_some(), "MaxItems": max.to_string() })
        .with("DNSName", input.text("DNSName"))
        .with("HostedZoneId", input.text("HostedZoneId"))
        .with("NextDNSName", next.map(|zone| zone.name.clone()))
        .with("NextHostedZoneId", next.map(|zone| zone.id.clone())))
}

pub fn list_by_vpc(world: &mut World, input: &Json) -> Answer {
    let wanted = (
        input.text("VPCRegion").unwrap_or_default().to_owned(),
        input.text("VPCId").unwrap_or_default().to_owned(),
    );
    let zones = world.route53.zones.values().filter(|zone| zone.vpcs.contains(&wanted));
    let summaries: Json = zones
        .map(|zone| {
            json!({
                "HostedZoneId": zone.id,
                "Name": zone.name,
                "Owner": { "OwningAccount": world.account },
            })
        })
        .collect();
    Ok(json!({ "HostedZoneSummaries": summaries, "MaxItems": max_items(input, 100).to_string() }))
}

pub fn associate_vpc(world: &mut World, input: &Json) -> Answer {
    let id = input.text("HostedZoneId").unwrap_or_default();
    let zone = find(world, id)?;
    if !zone.private() {
        return Err(ApiError::new(
            "PublicZoneVPCAssociation",
            "You're trying to associate a VPC with a public hosted zone. Amazon Route 53 doesn't support \
             associating a VPC with a public hosted zone.",
        ));
    }
    let vpc = vpc(world, input).unwrap_or_default();
    if let Some(conflict) = conflicting(world, &zone.name, &vpc) {
        return Err(conflict);
    }
    find_mut(world, id)?.vpcs.insert(vpc);
    Ok(json!({ "ChangeInfo": submit(world, input.text("Comment")) }))
}

pub fn disassociate_vpc(world: &mut World, input: &Json) -> Answer {
    let vpc = vpc(world, input).unwrap_or_default();
    let zone = find_mut(world, input.text("HostedZoneId").unwrap_or_default())?;
    if !zone.vpcs.contains(&vpc) {
        let message =
            format!("The specified VPC {} is not associated with the hosted zone {}.", vpc.1, zone.id);
        return Err(ApiError::new("VPCAssociationNotFound", message).status(404));
    }
    if zone.vpcs.len() == 1 {
        return Err(ApiError::new(
            "LastVPCAssociation",
            "The VPC that you're trying to disassociate from the private hosted zone is the last VPC that is \
             associated with the hosted zone. Amazon Route 53 doesn't support disassociating the last VPC \
             from a hosted zone.",
        ));
    }
    zone.vpcs.remove(&vpc);
    Ok(json!({ "ChangeInfo": submit(world, input.text("Comment")) }))
}

pub fn get_dnssec(world: &mut World, input: &Json) -> Answer {
    find(world, input.text("HostedZoneId").unwrap_or_default())?;
    Ok(json!({ "Status": { "ServeSignature": "NOT_SIGNING" }, "KeySigningKeys": [] }))
}

fn tagged<'a>(world: &'a mut World, input: &Json, id: &str) -> Result<&'a mut Zone, ApiError> {
    if input.text("ResourceType") == Some("healthcheck") {
        let message = format!("No health check exists with the specified ID {id}");
        return Err(ApiError::new("NoSuchHealthCheck", message).status(404));
    }
    // Here the bare id is wanted, unlike elsewhere (moto's test that was verified against AWS).
    if id.len() > 32 {
        let message = format!(
            "1 validation error detected: Value '{id}' at 'resourceId' failed to satisfy constraint: Member must \
             have length less than or equal to 32"
        );
        return Err(ApiError::new("InvalidInput", message));
    }
    if id.contains('/') {
        return Err(no_zone(id));
    }
    find_mut(world, id)
}

pub fn change_tags(world: &mut World, input: &Json) -> Answer {
    let zone = tagged(world, input, input.text("ResourceId").unwrap_or_default())?;
    for key in input.texts("RemoveTagKeys") {
        zone.tags.remove(key);
    }
    zone.tags.extend(tree::tags(input.list("AddTags")));
    Ok(json!({}))
}

fn tag_set(zone: &Zone) -> Json {
    json!({ "ResourceType": "hostedzone", "ResourceId": zone.id, "Tags": tree::tag_list(&zone.tags) })
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    let zone = tagged(world, input, input.text("ResourceId").unwrap_or_default())?;
    Ok(json!({ "ResourceTagSet": tag_set(zone) }))
}

pub fn list_tags_of_many(world: &mut World, input: &Json) -> Answer {
    let mut sets = Vec::new();
    for id in input.texts("ResourceIds") {
        sets.push(tag_set(tagged(world, input, id)?));
    }
    Ok(json!({ "ResourceTagSets": sets }))
}

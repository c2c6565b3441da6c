//! A record set between its two forms: ours and the API's.

use super::super::route53::plain;
use super::place::Place;
use super::table::*;
use crate::aws::Existing;
use crate::schema::{Attr, Blocks, ID, Object, Str};
use aws_sdk_route53::types::{
    AliasTarget, CidrRoutingConfig, Coordinates, GeoLocation, GeoProximityLocation, ResourceRecord,
    ResourceRecordSet, ResourceRecordSetFailover, ResourceRecordSetRegion, RrType,
};

/// What tells record sets of a zone apart: name, type, set identifier.
pub fn key(set: &ResourceRecordSet) -> (String, String, String) {
    let identifier = set.set_identifier().unwrap_or_default().to_owned();
    (plain(set.name()), set.r#type().as_str().to_owned(), identifier)
}

/// The same form for what is the same.
pub fn canonical(mut set: ResourceRecordSet) -> ResourceRecordSet {
    set.name = plain(&set.name);
    if let Some(alias) = &mut set.alias_target {
        alias.dns_name = plain(&alias.dns_name);
    }
    // The answer has an empty list beside an alias.
    set.resource_records = set.resource_records.filter(|r| !r.is_empty());
    if let Some(records) = &mut set.resource_records {
        records.sort_by(|a, b| a.value.cmp(&b.value));
    }
    set
}

fn is_text(kind: &str) -> bool {
    matches!(kind, "TXT" | "SPF")
}

pub fn object(item: &Existing<'_>, place: &Place, fqdn: &str, set: &ResourceRecordSet) -> Object {
    let mut o = Object::new();
    o.set(&ID, place.id())
        .set(&ALLOW_OVERWRITE, item.known.get(&ALLOW_OVERWRITE))
        .set(&FQDN, plain(fqdn))
        .set(&HEALTH_CHECK, set.health_check_id())
        .set(&MULTIVALUE, set.multi_value_answer().filter(|on| *on))
        .set(&NAME, &place.name)
        .set(&SET_IDENTIFIER, set.set_identifier())
        .set(&TTL, set.ttl())
        .set(&TYPE, set.r#type().as_str())
        .set(&ZONE_ID, &place.zone_id);
    let values = set.resource_records().iter().map(ResourceRecord::value);
    let text = is_text(set.r#type().as_str());
    let values: Vec<String> = values.map(|v| if text { unquoted(v) } else { v }.to_owned()).collect();
    if !values.is_empty() {
        o.set(&RECORDS, values);
    }
    if let Some(target) = set.alias_target() {
        let mut block = Object::new();
        block
            .set(&alias::NAME, plain(target.dns_name()))
            .set(&alias::ZONE_ID, target.hosted_zone_id())
            .set(&alias::EVALUATE_HEALTH, target.evaluate_target_health());
        o.set_blocks(&ALIAS, vec![block]);
    }
    read_policy(&mut o, set);
    o
}

fn read_policy(o: &mut Object, set: &ResourceRecordSet) {
    let mut put = |attr: &Attr<Blocks>, fill: &dyn Fn(&mut Object)| {
        let mut block = Object::new();
        fill(&mut block);
        o.set_blocks(attr, vec![block]);
    };
    if let Some(weight) = set.weight() {
        put(&WEIGHTED, &|b| {
            b.set(&weighted::WEIGHT, weight);
        });
    }
    if let Some(region) = set.region() {
        put(&LATENCY, &|b| {
            b.set(&latency::REGION, region.as_str());
        });
    }
    if let Some(kind) = set.failover() {
        put(&FAILOVER, &|b| {
            b.set(&failover::TYPE, kind.as_str());
        });
    }
    if let Some(cidr) = set.cidr_routing_config() {
        put(&CIDR, &|b| {
            b.set(&cidr::COLLECTION, cidr.collection_id()).set(&cidr::LOCATION, cidr.location_name());
        });
    }
    if let Some(place) = set.geo_location() {
        put(&GEOLOCATION, &|b| {
            b.set(&geolocation::CONTINENT, place.continent_code())
                .set(&geolocation::COUNTRY, place.country_code())
                .set(&geolocation::SUBDIVISION, place.subdivision_code());
        });
    }
    if let Some(place) = set.geo_proximity_location() {
        put(&GEOPROXIMITY, &|b| {
            b.set(&geoproximity::REGION, place.aws_region())
                .set(&geoproximity::BIAS, place.bias())
                .set(&geoproximity::LOCAL_ZONE_GROUP, place.local_zone_group());
            let at = place.coordinates().map(|at| {
                let mut o = Object::new();
                o.set(&coordinates::LATITUDE, at.latitude()).set(&coordinates::LONGITUDE, at.longitude());
                o
            });
            b.set_blocks(&geoproximity::COORDINATES, at.into_iter().collect());
        });
    }
}

/// The record set that `want` asks for.
pub fn wanted(want: &Object, fqdn: &str) -> ResourceRecordSet {
    let kind = want.need(&TYPE);
    let value = |value: String| {
        let value = if is_text(&kind) { format!("\"{}\"", unquoted(&value)) } else { value };
        ResourceRecord::builder().value(value).build().expect("a value is given")
    };
    let values = want.get(&RECORDS).map(|records| records.into_iter().map(value).collect());
    let target = want.block(&ALIAS).map(|b| {
        AliasTarget::builder()
            .dns_name(b.need(&alias::NAME))
            .hosted_zone_id(b.need(&alias::ZONE_ID))
            .evaluate_target_health(b.need(&alias::EVALUATE_HEALTH))
            .build()
            .expect("all of it is required")
    });
    let cidr = want.block(&CIDR).map(|b| {
        CidrRoutingConfig::builder()
            .collection_id(b.need(&cidr::COLLECTION))
            .location_name(b.need(&cidr::LOCATION))
            .build()
            .expect("all of it is required")
    });
    let region = want.block(&LATENCY).map(|b| b.need(&latency::REGION));
    let failover = want.block(&FAILOVER).map(|b| b.need(&failover::TYPE));
    ResourceRecordSet::builder()
        .name(fqdn)
        .r#type(RrType::from(kind.as_str()))
        .set_ttl(want.get(&TTL))
        .set_resource_records(values)
        .set_alias_target(target)
        .set_health_check_id(want.get(&HEALTH_CHECK).filter(|id| !id.is_empty()))
        .set_set_identifier(want.get(&SET_IDENTIFIER).filter(|id| !id.is_empty()))
        .set_multi_value_answer(want.get(&MULTIVALUE).filter(|on| *on))
        .set_weight(want.block(&WEIGHTED).map(|b| b.need(&weighted::WEIGHT)))
        .set_region(region.map(|r| ResourceRecordSetRegion::from(r.as_str())))
        .set_failover(failover.map(|f| ResourceRecordSetFailover::from(f.as_str())))
        .set_cidr_routing_config(cidr)
        .set_geo_location(want.block(&GEOLOCATION).map(|b| geo_location(&b)))
        .set_geo_proximity_location(want.block(&GEOPROXIMITY).map(|b| geo_proximity(&b)))
        .build()
        .expect("name and type are given")
}

fn geo_location(block: &Object) -> GeoLocation {
    let code = |attr: &Attr<Str>| block.get(attr).filter(|code| !code.is_empty());
    GeoLocation::builder()
        .set_continent_code(code(&geolocation::CONTINENT))
        .set_country_code(code(&geolocation::COUNTRY))
        .set_subdivision_code(code(&geolocation::SUBDIVISION))
        .build()
}

fn geo_proximity(block: &Object) -> GeoProximityLocation {
    let at = block.block(&geoproximity::COORDINATES).map(|at| {
        Coordinates::builder()
            .latitude(at.need(&coordinates::LATITUDE))
            .longitude(at.need(&coordinates::LONGITUDE))
            .build()
            .expect("all of it is required")
    });
    let text = |attr: &Attr<Str>| block.get(attr).filter(|text| !text.is_empty());
    GeoProximityLocation::builder()
        .set_aws_region(text(&geoproximity::REGION))
        .set_local_zone_group(text(&geoproximity::LOCAL_ZONE_GROUP))
        .set_bias(block.get(&geoproximity::BIAS).map(|bias| bias as i32))
        .set_coordinates(at)
        .build()
}

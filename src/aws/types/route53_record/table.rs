//! The attributes of a record set and of its routing policies.

use crate::aws::types::timeouts::TIMEOUTS;
use crate::aws::types::{ec2, route53};
use crate::schema::attributes;
use crate::value::Value;

pub mod alias {
    use super::*;
    attributes! {
        TABLE:
        EVALUATE_HEALTH: Bool = required("evaluate_target_health");
        NAME: Str = required("name").check(|v| ec2::check::length(v, 1, 1024)).same(route53::same_name);
        ZONE_ID: Str = required("zone_id").check(|v| ec2::check::length(v, 1, 32));
    }
}

pub mod cidr {
    use super::attributes;
    attributes! {
        TABLE:
        COLLECTION: Str = required("collection_id");
        LOCATION: Str = required("location_name");
    }
}

pub mod failover {
    use super::attributes;
    attributes! {
        TABLE:
        TYPE: Str = required("type").one_of(&["PRIMARY", "SECONDARY"]);
    }
}

pub mod geolocation {
    use super::attributes;
    attributes! {
        TABLE:
        CONTINENT: Str = optional("continent");
        COUNTRY: Str = optional("country");
        SUBDIVISION: Str = optional("subdivision");
    }
}

pub mod coordinates {
    use super::attributes;
    attributes! {
        TABLE:
        LATITUDE: Str = required("latitude");
        LONGITUDE: Str = required("longitude");
    }
}

pub mod geoproximity {
    use super::{attributes, coordinates};
    attributes! {
        TABLE:
        REGION: Str = optional("aws_region");
        BIAS: Int = optional("bias").range(-99, 99);
        COORDINATES: Blocks = optional("coordinates").set(&coordinates::TABLE);
        LOCAL_ZONE_GROUP: Str = optional("local_zone_group");
    }
}

pub mod latency {
    use super::attributes;
    const REGIONS: &[&str] = &[
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ca-central-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "eu-central-1",
        "eu-central-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "eu-north-1",
        "sa-east-1",
        "cn-north-1",
        "cn-northwest-1",
        "ap-east-1",
        "me-south-1",
        "me-central-1",
        "ap-south-1",
        "ap-south-2",
        "af-south-1",
        "eu-south-1",
        "eu-south-2",
        "ap-southeast-4",
        "il-central-1",
        "ca-west-1",
        "ap-southeast-5",
        "mx-central-1",
        "ap-southeast-7",
        "us-gov-east-1",
        "us-gov-west-1",
        "ap-east-2",
    ];
    attributes! {
        TABLE:
        REGION: Str = required("region").one_of(REGIONS);
    }
}

pub mod weighted {
    use super::attributes;
    attributes! {
        TABLE:
        WEIGHT: Int = required("weight");
    }
}

/// What a record id can end in; longer names first are not needed: `_` or the end follows.
pub const TYPES: &[&str] = &[
    "A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF", "SRV", "SSHFP",
    "SVCB", "TLSA", "TXT",
];

const GEOLOCATION_ON: &[&str] = &[
    "geoproximity_routing_policy",
    "latency_routing_policy",
    "multivalue_answer_routing_policy",
    "weighted_routing_policy",
];
const FAILOVER_ON: &[&str] = &[
    "geolocation_routing_policy",
    "geoproximity_routing_policy",
    "latency_routing_policy",
    "multivalue_answer_routing_policy",
    "weighted_routing_policy",
];
const CIDR_ON: &[&str] = &[
    "failover_routing_policy",
    "geolocation_routing_policy",
    "geoproximity_routing_policy",
    "latency_routing_policy",
    "multivalue_answer_routing_policy",
    "weighted_routing_policy",
];

// Of two that exclude each other, the first in the alphabet says so.
attributes! {
    TABLE [TIMEOUTS]:
    ALIAS: Blocks = optional("alias").single(&alias::TABLE).conflicts_with(&["records", "ttl"]).doc("Another AWS resource that answers, such as a load balancer");
    ALLOW_OVERWRITE: Bool = optional_computed("allow_overwrite").local().doc("Take over a record that is there already");
    CIDR: Blocks = optional("cidr_routing_policy").single(&cidr::TABLE).conflicts_with(CIDR_ON);
    FAILOVER: Blocks = optional("failover_routing_policy").single(&failover::TABLE).conflicts_with(FAILOVER_ON);
    FQDN: Str = computed("fqdn");
    GEOLOCATION: Blocks = optional("geolocation_routing_policy").single(&geolocation::TABLE).conflicts_with(GEOLOCATION_ON);
    GEOPROXIMITY: Blocks = optional("geoproximity_routing_policy").single(&geoproximity::TABLE).conflicts_with(&["latency_routing_policy", "multivalue_answer_routing_policy", "weighted_routing_policy"]);
    HEALTH_CHECK: Str = optional("health_check_id");
    LATENCY: Blocks = optional("latency_routing_policy").single(&latency::TABLE).conflicts_with(&["multivalue_answer_routing_policy", "weighted_routing_policy"]);
    MULTIVALUE: Bool = optional("multivalue_answer_routing_policy").conflicts_with(&["weighted_routing_policy"]);
    NAME: Str = required("name").replaces().same(route53::same_name).doc("Within the zone, with or without the zone's name");
    RECORDS: StrSet = optional("records").same(same_values);
    SET_IDENTIFIER: Str = optional("set_identifier").doc("Tells apart the sets that a routing policy chooses from");
    TTL: Int = optional("ttl").doc("Seconds");
    TYPE: Str = required("type").one_of(TYPES);
    WEIGHTED: Blocks = optional("weighted_routing_policy").single(&weighted::TABLE);
    ZONE_ID: Str = required("zone_id").replaces();
}

/// Texts may be written with the quotation marks of the zone file, or without.
fn same_values(live: &Value, desired: &Value) -> bool {
    let values = |v: &Value| -> Option<Vec<String>> {
        let texts = v.as_slice()?.iter().map(|v| v.as_str().map(|s| unquoted(s).to_owned()));
        let mut texts = texts.collect::<Option<Vec<_>>>()?;
        texts.sort();
        Some(texts)
    };
    values(live).is_some() && values(live) == values(desired)
}

pub fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text)
}

//! `aws_route53_zone`: a hosted zone, found by its name or id.

use crate::aws::types::ec2::exactly_one;
use crate::aws::types::route53::{bare, plain};
use crate::aws::types::route53_zone::{arn, get, name_servers, tags_of};
use crate::aws::{Aws, AwsData, AwsError, Op, tags};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_route53::operation::get_hosted_zone::GetHostedZoneOutput as Live;
use aws_sdk_route53::types::HostedZone;
use std::collections::BTreeMap;

attributes! {
    TABLE:
    ARN: Str = computed("arn");
    CALLER_REFERENCE: Str = computed("caller_reference");
    COMMENT: Str = computed("comment");
    LINKED_DESCRIPTION: Str = computed("linked_service_description");
    LINKED_PRINCIPAL: Str = computed("linked_service_principal");
    NAME: Str = optional_computed("name");
    NAME_SERVERS: StrList = computed("name_servers");
    PRIMARY: Str = computed("primary_name_server");
    PRIVATE: Bool = optional("private_zone").default_bool(false);
    RECORD_COUNT: Int = computed("resource_record_set_count");
    TAGS: StrMap = optional_computed("tags").doc("Declared: what to look for; then what was found");
    VPC_ID: Str = optional_computed("vpc_id").doc("Of a private zone: who sees it");
    ZONE_ID: Str = optional_computed("zone_id");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A hosted zone, found by its name or id",
    example: r#"
resource "aws_route53_zone" "main" {
  name = "example.com"
}

data "aws_route53_zone" "main" {
  name       = "example.com."
  depends_on = [aws_route53_zone.main]
}
"#,
    validate: |want| exactly_one(want, &["name", "zone_id"]),
    ..TypeSchema::new("aws_route53_zone", &TABLE)
};

pub struct Route53Zone;

#[async_trait(?Send)]
impl AwsData for Route53Zone {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, want: &Object) -> Result<Object, AwsError> {
        if let Some(id) = want.get(&ZONE_ID).filter(|id| !id.is_empty()) {
            let live = get(aws, &id).await?;
            let tags = tags_of(aws, vec![bare(&id).to_owned()]).await?.remove(bare(&id)).unwrap_or_default();
            return object(aws, want, &live, tags).await;
        }
        let name = plain(&want.get(&NAME).unwrap_or_default());
        let (zone, tags) = by_name(aws, want, &name).await?;
        object(aws, want, &get(aws, zone.id()).await?, tags).await
    }
}

/// The only zone of that name that is as declared.
async fn by_name(
    aws: &Aws,
    want: &Object,
    name: &str,
) -> Result<(HostedZone, BTreeMap<String, String>), AwsError> {
    const OPERATION: &str = "ListHostedZonesByName";
    let vpc = want.get(&VPC_ID);
    // Only private zones have VPCs.
    let private = want.get(&PRIVATE) == Some(true) || vpc.is_some();
    let mut candidates = zones_named(aws, name).await?;
    candidates.retain(|z| z.config().is_some_and(|c| c.private_zone()) == private);
    let mut tags = tags_of(aws, candidates.iter().map(|z| bare(z.id()).to_owned()).collect()).await?;
    let declared = want.all(&TAGS);
    let mut matching = Vec::new();
    for zone in candidates {
        let own = tags.remove(bare(zone.id())).unwrap_or_default();
        if !declared.iter().all(|(k, v)| own.get(k) == Some(v)) {
            continue;
        }
        if let Some(vpc) = &vpc {
            let live = get(aws, zone.id()).await?;
            if !live.vpcs().iter().any(|v| v.vpc_id() == Some(vpc)) {
                continue;
            }
        }
        matching.push((zone, own));
    }
    let kind = if private { "private" } else { "public" };
    match (matching.pop(), matching.len()) {
        (Some(found), 0) => Ok(found),
        (None, _) => {
            let message = format!("no {kind} hosted zone is named {name} and is as declared");
            Err(AwsError::failed(OPERATION, "NotFound", message))
        }
        (Some(_), others) => {
            let message = format!(
                "{} {kind} hosted zones are named {name}: give `zone_id`, `tags` or `vpc_id`",
                others + 1
            );
            Err(AwsError::failed(OPERATION, "Ambiguous", message))
        }
    }
}

async fn zones_named(aws: &Aws, name: &str) -> Result<Vec<HostedZone>, AwsError> {
    let mut found = Vec::new();
    let mut call = aws.route53.list_hosted_zones_by_name().dns_name(name);
    loop {
        let page = call.send().await.op("ListHostedZonesByName")?;
        // Zones come in the order of their names, from the given one on.
        let named = page.hosted_zones().iter().take_while(|z| plain(z.name()) == name);
        let before = found.len();
        found.extend(named.cloned());
        if !page.is_truncated() || found.len() - before < page.hosted_zones().len() {
            return Ok(found);
        }
        call = aws
            .route53
            .list_hosted_zones_by_name()
            .set_dns_name(page.next_dns_name().map(str::to_owned))
            .set_hosted_zone_id(page.next_hosted_zone_id().map(str::to_owned));
    }
}

async fn object(
    aws: &Aws,
    want: &Object,
    live: &Live,
    tags: BTreeMap<String, String>,
) -> Result<Object, AwsError> {
    let Some(zone) = live.hosted_zone() else {
        return Err(AwsError::failed("GetHostedZone", "NotFound", "there is no such hosted zone"));
    };
    let id = bare(zone.id());
    let mut o = want.clone();
    o.set(&ID, id)
        .set(&ZONE_ID, id)
        .set(&ARN, arn(aws, id))
        .set(&CALLER_REFERENCE, zone.caller_reference())
        .set(&COMMENT, zone.config().and_then(|c| c.comment()).unwrap_or_default())
        .set(&LINKED_DESCRIPTION, zone.linked_service().and_then(|l| l.description()))
        .set(&LINKED_PRINCIPAL, zone.linked_service().and_then(|l| l.service_principal()))
        .set(&NAME, plain(zone.name()))
        .set(&PRIVATE, zone.config().is_some_and(|c| c.private_zone()))
        .set(&RECORD_COUNT, zone.resource_record_set_count());
    let mut servers = name_servers(aws, live).await?;
    o.set(&PRIMARY, servers.first().map(String::as_str));
    servers.sort();
    o.set(&NAME_SERVERS, servers);
    let visible: BTreeMap<String, String> = tags.into_iter().filter(|(k, _)| tags::visible(k)).collect();
    o.set(&TAGS, visible);
    Ok(o)
}

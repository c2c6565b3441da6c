//! `aws_route53_zone`: a hosted zone, public or of VPCs.

use super::route53::{self, bare, plain};
use super::timeouts::{self, TIMEOUTS};
use super::{ec2, iam, route53_record};
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent, partition};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_route53::operation::get_hosted_zone::GetHostedZoneOutput as Live;
use aws_sdk_route53::types::{
    ChangeAction, HostedZoneConfig, ResourceRecordSet, RrType, Tag, TagResourceType, Vpc, VpcRegion,
};
use futures::stream::{StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet};

mod vpc {
    use crate::schema::attributes;
    attributes! {
        TABLE:
        ID: Str = required("vpc_id");
        REGION: Str = optional_computed("vpc_region");
    }
}

attributes! {
    TABLE [TAGS, TAGS_ALL, TIMEOUTS]:
    ARN: Str = computed("arn");
    COMMENT: Str = optional("comment").default_str("Managed by Terraform").check(|v| ec2::check::length(v, 0, 256));
    DELEGATION_SET: Str = optional("delegation_set_id").replaces().check(|v| ec2::check::length(v, 0, 32)).conflicts_with(&["vpc"]);
    FORCE_DESTROY: Bool = optional("force_destroy").default_bool(false).local().doc("Delete the zone with all its records");
    NAME: Str = required("name").replaces().check(|v| ec2::check::length(v, 1, 1024)).same(route53::same_name);
    NAME_SERVERS: StrList = computed("name_servers");
    PRIMARY: Str = computed("primary_name_server");
    VPC: Blocks = optional("vpc").set(&vpc::TABLE).doc("A private zone: who sees it");
    ZONE_ID: Str = computed("zone_id");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A hosted zone, public or of VPCs",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_route53_zone" "public" {
  name          = "example.com"
  comment       = "What the world sees"
  force_destroy = true
  tags          = { Team = "web" }
}

resource "aws_route53_zone" "private" {
  name = "internal.example.com"

  vpc {
    vpc_id = aws_vpc.main.id
  }
}
"#,
    ..TypeSchema::new("aws_route53_zone", &TABLE)
};

const GONE: &[&str] = &["NoSuchHostedZone"];

pub struct Route53Zone;

#[async_trait(?Send)]
impl AwsType for Route53Zone {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// Lists of zones have neither VPCs nor name servers: one call a zone, side by side.
    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let reads = items.iter().map(async |item| {
            let answer = absent(get(aws, item.id).await, GONE)?;
            let Some(live) = answer else { return Ok(None) };
            let servers = name_servers(aws, &live).await?;
            Ok(Some(object(aws, item, &live, servers)))
        });
        let mut objects: Vec<Option<Object>> =
            futures::stream::iter(reads).buffered(iam::AT_ONCE).try_collect().await?;
        let there = objects.iter().flatten().map(|o| o.id().to_owned()).collect();
        let tags = tags_of(aws, there).await?;
        for object in objects.iter_mut().flatten() {
            let pairs = tags.get(object.id()).cloned().unwrap_or_default();
            tags::read(object, pairs);
        }
        Ok(objects)
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let vpcs = vpcs(aws, want);
        let config =
            HostedZoneConfig::builder().set_comment(want.get(&COMMENT)).private_zone(!vpcs.is_empty());
        let answer = aws
            .route53
            .create_hosted_zone()
            .name(want.need(&NAME))
            .caller_reference(job.token)
            .hosted_zone_config(config.build())
            .set_delegation_set_id(want.get(&DELEGATION_SET))
            .set_vpc(vpcs.first().map(api_vpc))
            .send()
            .await
            .op("CreateHostedZone")?;
        let id = answer.hosted_zone().map(|z| bare(z.id()).to_owned()).unwrap_or_default();
        let deadline = timeouts::limit(want, &timeouts::CREATE, 30);
        route53::in_sync(aws, "CreateHostedZone", answer.change_info(), deadline, job.progress).await?;
        for vpc in vpcs.iter().skip(1) {
            associate(aws, job, &id, vpc, deadline).await?;
        }
        set_tags(aws, &id, want.all(&TAGS_ALL), Vec::new()).await?;
        Ok(id)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let want = job.want;
        if job.changes(&["comment"]) {
            let comment = want.get(&COMMENT).unwrap_or_default();
            let call = aws.route53.update_hosted_zone_comment().id(job.id).comment(comment);
            call.send().await.op("UpdateHostedZoneComment")?;
        }
        if job.changes(&["vpc"]) {
            let deadline = timeouts::limit(want, &timeouts::UPDATE, 30);
            let (have, wanted) = (vpcs(aws, job.live), vpcs(aws, want));
            // A private zone always has one: the new ones come first.
            for vpc in wanted.iter().filter(|v| !have.contains(v)) {
                associate(aws, job, job.id, vpc, deadline).await?;
            }
            for vpc in have.iter().filter(|v| !wanted.contains(v)) {
                let call = aws.route53.disassociate_vpc_from_hosted_zone().hosted_zone_id(job.id);
                let result = call.vpc(api_vpc(vpc)).send().await.op("DisassociateVPCFromHostedZone");
                let Some(answer) = absent(result, &["VPCAssociationNotFound"])? else { continue };
                let (what, info) = ("DisassociateVPCFromHostedZone", answer.change_info());
                route53::in_sync(aws, what, info, deadline, job.progress).await?;
            }
        }
        let (set, removed) = tags::difference(job.live, want);
        set_tags(aws, job.id, set, removed).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let deadline = timeouts::limit(job.want, &timeouts::DELETE, 30);
        if job.want.get(&FORCE_DESTROY) == Some(true) {
            let Some(sets) = absent(route53_record::list(aws, job.id).await, GONE)? else { return Ok(()) };
            delete_records(aws, job, sets, deadline).await?;
        }
        let call = aws.route53.delete_hosted_zone().id(job.id);
        let Some(answer) = absent(call.send().await.op("DeleteHostedZone"), GONE)? else { return Ok(()) };
        route53::in_sync(aws, "DeleteHostedZone", answer.change_info(), deadline, job.progress).await
    }

    /// The caller reference is the intent's token.
    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let mut zones = aws.route53.list_hosted_zones().into_paginator().items().send();
        while let Some(zone) = zones.next().await.transpose().op("ListHostedZones")? {
            if zone.caller_reference() == job.token {
                return Ok(Some(bare(zone.id()).to_owned()));
            }
        }
        Ok(None)
    }
}

pub async fn get(aws: &Aws, id: &str) -> Result<Live, AwsError> {
    aws.route53.get_hosted_zone().id(bare(id)).send().await.op("GetHostedZone")
}

fn object(aws: &Aws, item: &Existing<'_>, live: &Live, servers: Vec<String>) -> Object {
    let mut o = Object::new();
    if let Some(zone) = live.hosted_zone() {
        let id = bare(zone.id());
        o.set(&ID, id)
            .set(&ZONE_ID, id)
            .set(&ARN, arn(aws, id))
            .set(&COMMENT, zone.config().and_then(|c| c.comment()).unwrap_or_default())
            .set(&NAME, plain(zone.name()));
    }
    let vpcs = live.vpcs().iter().map(|live| {
        let mut o = Object::new();
        o.set(&vpc::ID, live.vpc_id()).set(&vpc::REGION, live.vpc_region().map(|r| r.as_str()));
        o
    });
    o.set_blocks(&VPC, vpcs.collect())
        .set(&DELEGATION_SET, live.delegation_set().and_then(|s| s.id()).map(bare))
        .set(&FORCE_DESTROY, item.known.get(&FORCE_DESTROY));
    set_servers(&mut o, servers);
    o
}

fn set_servers(o: &mut Object, mut servers: Vec<String>) {
    o.set(&PRIMARY, servers.first().map(String::as_str));
    servers.sort();
    o.set(&NAME_SERVERS, servers);
}

pub fn arn(aws: &Aws, id: &str) -> String {
    format!("arn:{}:route53:::hostedzone/{id}", partition::of(&aws.region).name)
}

/// Those of the delegation set; a private zone has none, but NS records.
pub async fn name_servers(aws: &Aws, live: &Live) -> Result<Vec<String>, AwsError> {
    if let Some(set) = live.delegation_set() {
        return Ok(set.name_servers().to_vec());
    }
    let Some(zone) = live.hosted_zone() else { return Ok(Vec::new()) };
    let call = aws.route53.list_resource_record_sets().hosted_zone_id(bare(zone.id()));
    let call = call.start_record_name(zone.name()).start_record_type(RrType::Ns).max_items(1);
    let Some(answer) = absent(call.send().await.op("ListResourceRecordSets"), GONE)? else {
        return Ok(Vec::new());
    };
    let set = answer.resource_record_sets().first().filter(|s| s.r#type() == &RrType::Ns);
    let servers = set.map(ResourceRecordSet::resource_records).unwrap_or_default();
    Ok(servers.iter().map(|s| s.value().trim_end_matches('.').to_owned()).collect())
}

/// Tags by zone id. Route 53 answers for at most ten at once.
pub async fn tags_of(
    aws: &Aws,
    ids: Vec<String>,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, AwsError> {
    let calls = ids.chunks(10).map(async |ids| {
        let call = aws.route53.list_tags_for_resources().resource_type(TagResourceType::Hostedzone);
        call.set_resource_ids(Some(ids.to_vec())).send().await.op("ListTagsForResources")
    });
    let answers = futures::future::try_join_all(calls).await?;
    let sets = answers.iter().flat_map(|a| a.resource_tag_sets());
    Ok(sets
        .map(|set| {
            let pair = |tag: &Tag| {
                (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned())
            };
            (set.resource_id().unwrap_or_default().to_owned(), set.tags().iter().map(pair).collect())
        })
        .collect())
}

async fn set_tags(
    aws: &Aws,
    id: &str,
    set: BTreeMap<String, String>,
    removed: Vec<String>,
) -> Result<(), AwsError> {
    if set.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let set: Vec<Tag> = set.into_iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect();
    let call =
        aws.route53.change_tags_for_resource().resource_type(TagResourceType::Hostedzone).resource_id(id);
    let some = |keys: Vec<String>| Some(keys).filter(|k| !k.is_empty());
    let call = call.set_add_tags(Some(set).filter(|t| !t.is_empty())).set_remove_tag_keys(some(removed));
    call.send().await.op("ChangeTagsForResource").map(drop)
}

/// (id, region) of the VPCs; the region is the provider's where none is given.
fn vpcs(aws: &Aws, object: &Object) -> Vec<(String, String)> {
    let pair = |b: Object| {
        let region = b.get(&vpc::REGION);
        (b.need(&vpc::ID), region.unwrap_or_else(|| aws.region.clone()))
    };
    let vpcs: BTreeSet<(String, String)> = object.all(&VPC).into_iter().map(pair).collect();
    vpcs.into_iter().collect()
}

fn api_vpc((id, region): &(String, String)) -> Vpc {
    Vpc::builder().vpc_id(id).vpc_region(VpcRegion::from(region.as_str())).build()
}

async fn associate(
    aws: &Aws,
    job: &Job<'_>,
    zone: &str,
    vpc: &(String, String),
    deadline: std::time::Duration,
) -> Result<(), AwsError> {
    const OPERATION: &str = "AssociateVPCWithHostedZone";
    let call = aws.route53.associate_vpc_with_hosted_zone().hosted_zone_id(zone).vpc(api_vpc(vpc));
    let answer = call.send().await.op(OPERATION)?;
    route53::in_sync(aws, OPERATION, answer.change_info(), deadline, job.progress).await
}

/// All but the zone's own NS and SOA, which Route 53 deletes with the zone.
async fn delete_records(
    aws: &Aws,
    job: &Job<'_>,
    sets: Vec<ResourceRecordSet>,
    deadline: std::time::Duration,
) -> Result<(), AwsError> {
    let apex = sets.iter().find(|s| s.r#type() == &RrType::Soa).map(|s| s.name().to_owned());
    let stays = |set: &ResourceRecordSet| {
        matches!(set.r#type(), RrType::Soa | RrType::Ns) && Some(set.name()) == apex.as_deref()
    };
    let mut deletions: Vec<_> =
        sets.into_iter().filter(|s| !stays(s)).map(|s| (ChangeAction::Delete, s)).collect();
    // What aliases point at within the zone must outlive them.
    deletions.sort_by_key(|(_, set)| set.alias_target().is_none());
    for batch in deletions.chunks(100) {
        route53_record::change(aws, job, job.id, batch.to_vec(), deadline).await?;
    }
    Ok(())
}

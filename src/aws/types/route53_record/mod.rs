//! `aws_route53_record`: a record set of a hosted zone.

mod place;
mod set;
mod table;

use super::{ec2, iam, route53, timeouts};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{Object, TypeSchema};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_route53::error::SdkError;
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecordSet, RrType};
use futures::stream::{StreamExt, TryStreamExt};
use place::Place;
use std::collections::BTreeMap;
use table::{ALLOW_OVERWRITE, SET_IDENTIFIER, TABLE, TYPE, ZONE_ID};

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A record set of a hosted zone",
    example: r#"
resource "aws_route53_zone" "main" {
  name = "example.com"
}

resource "aws_route53_record" "www" {
  zone_id = aws_route53_zone.main.zone_id
  name    = "www"
  type    = "A"
  ttl     = 60
  records = ["192.0.2.10", "192.0.2.11"]
}

resource "aws_route53_record" "all" {
  zone_id = aws_route53_zone.main.zone_id
  name    = "*.example.com"
  type    = "A"

  alias {
    name                   = aws_route53_record.www.fqdn
    zone_id                = aws_route53_zone.main.zone_id
    evaluate_target_health = false
  }
}

resource "aws_route53_record" "verification" {
  zone_id = aws_route53_zone.main.zone_id
  name    = ""
  type    = "TXT"
  ttl     = 300
  records = ["v=spf1 -all"]
}

resource "aws_route53_record" "weighted" {
  for_each = { blue = 90, green = 10 }

  zone_id        = aws_route53_zone.main.zone_id
  name           = "app.example.com"
  type           = "CNAME"
  ttl            = 30
  set_identifier = each.key
  records        = ["${each.key}.example.com"]

  weighted_routing_policy {
    weight = each.value
  }
}
"#,
    validate,
    predict,
    ..TypeSchema::new("aws_route53_record", &TABLE)
};

const POLICIES: [&str; 7] = [
    "cidr_routing_policy",
    "failover_routing_policy",
    "geolocation_routing_policy",
    "geoproximity_routing_policy",
    "latency_routing_policy",
    "multivalue_answer_routing_policy",
    "weighted_routing_policy",
];

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = ec2::exactly_one(want, &["alias", "records"]);
    if want.has("records") && !want.has("ttl") {
        problems.push(("records", "needs `ttl`: Route 53 takes no values without it".to_owned()));
    }
    let policy = POLICIES.into_iter().find(|p| want.has(p));
    match (policy, want.has("set_identifier")) {
        (Some(policy), false) => {
            problems
                .push((policy, "needs `set_identifier`, which tells the sets of a name apart".to_owned()));
        }
        (None, true) => {
            problems.push(("set_identifier", "needs a routing policy beside it".to_owned()));
        }
        _ => {}
    }
    problems
}

fn predict(want: &Object) -> Vec<(&'static str, Value)> {
    let unknown = want.value(SET_IDENTIFIER.row.name).is_some_and(Value::is_unknown);
    match Place::declared(want).filter(|_| !unknown) {
        Some(place) => vec![("id", Value::from(place.id()))],
        None => Vec::new(),
    }
}

const NO_ZONE: &[&str] = &["NoSuchHostedZone"];

/// Up to so many records of one zone are looked up one by one: a zone may hold thousands of others.
const FEW: usize = 2;

pub struct Route53Record;

#[async_trait(?Send)]
impl AwsType for Route53Record {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// ListResourceRecordSets lists a zone: once for all its records.
    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let places = items.iter().map(Place::of).collect::<Result<Vec<_>, _>>()?;
        let mut by_zone: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
        for place in &places {
            by_zone.entry(place.zone()).or_default().push(place);
        }
        let loads = by_zone.iter().map(async |(id, places)| Ok((*id, load(aws, id, places).await?)));
        let zones: BTreeMap<&str, Option<Zone>> =
            futures::stream::iter(loads).buffered(iam::AT_ONCE).try_collect().await?;
        let object = |(item, place): (&Existing<'_>, &Place)| {
            let zone = zones.get(place.zone())?.as_ref()?;
            let set = zone.find(place)?;
            Some(set::object(item, place, &place.fqdn(&zone.name), set))
        };
        Ok(items.iter().zip(&places).map(object).collect())
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let place = wanted_place(job)?;
        let zone = zone_name(aws, place.zone()).await?;
        let deadline = timeouts::limit(job.want, &timeouts::CREATE, 30);
        let changes = vec![(creation(job.want), set::wanted(job.want, &place.fqdn(&zone)))];
        change(aws, job, place.zone(), changes, deadline).await?;
        Ok(place.id())
    }

    /// Type and set identifier say which set it is: a change of them deletes one and creates the other, in
    /// one batch, so that the name always has an answer.
    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changed.iter().all(|name| *name == ALLOW_OVERWRITE.row.name) {
            return Ok(());
        }
        let place = wanted_place(job)?;
        let zone = zone_name(aws, place.zone()).await?;
        let wanted = set::wanted(job.want, &place.fqdn(&zone));
        let mut changes = Vec::new();
        if job.changes(&[TYPE.row.name, SET_IDENTIFIER.row.name]) {
            let old = Place::of(&Existing { id: job.id, known: job.live })?;
            changes.extend(look_up(aws, &zone, &old).await?.map(|set| (ChangeAction::Delete, set)));
            changes.push((creation(job.want), wanted));
        } else {
            changes.push((ChangeAction::Upsert, wanted));
        }
        let deadline = timeouts::limit(job.want, &timeouts::UPDATE, 30);
        change(aws, job, place.zone(), changes, deadline).await
    }

    /// A deletion names the set as it is, to the last value: so it is read first.
    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let known = if job.live.has(ZONE_ID.row.name) { job.live } else { job.want };
        let place = Place::of(&Existing { id: job.id, known })?;
        let Some(zone) = absent(zone_name(aws, place.zone()).await, NO_ZONE)? else { return Ok(()) };
        let Some(set) = look_up(aws, &zone, &place).await? else { return Ok(()) };
        let deadline = timeouts::limit(job.want, &timeouts::DELETE, 30);
        match change(aws, job, place.zone(), vec![(ChangeAction::Delete, set)], deadline).await {
            Err(error) if error.message.contains("but it was not found") => Ok(()),
            result => result,
        }
    }

    /// Records carry neither tags nor tokens: one is ours if it is exactly what we would have made.
    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let Some(place) = Place::declared(job.want) else { return Ok(None) };
        let Some(zone) = absent(zone_name(aws, place.zone()).await, NO_ZONE)? else { return Ok(None) };
        let found = look_up(aws, &zone, &place).await?;
        let wanted = set::canonical(set::wanted(job.want, &place.fqdn(&zone)));
        Ok(found.filter(|found| set::canonical(found.clone()) == wanted).map(|_| place.id()))
    }
}

fn wanted_place(job: &Job<'_>) -> Result<Place, AwsError> {
    Place::declared(job.want).ok_or_else(|| {
        let message = "zone, name and type must be known";
        AwsError::failed("ChangeResourceRecordSets", "Internal", message)
    })
}

fn creation(want: &Object) -> ChangeAction {
    match want.get(&ALLOW_OVERWRITE) {
        Some(true) => ChangeAction::Upsert,
        _ => ChangeAction::Create,
    }
}

/// A zone's name and record sets, as far as they were asked for.
struct Zone {
    name: String,
    sets: BTreeMap<(String, String, String), ResourceRecordSet>,
}

impl Zone {
    fn new(name: String, sets: impl IntoIterator<Item = ResourceRecordSet>) -> Self {
        Self { name, sets: sets.into_iter().map(|set| (set::key(&set), set)).collect() }
    }

    fn find(&self, place: &Place) -> Option<&ResourceRecordSet> {
        self.sets.get(&place.key(&self.name))
    }
}

async fn load(aws: &Aws, id: &str, places: &[&Place]) -> Result<Option<Zone>, AwsError> {
    if places.len() > FEW {
        let Some(sets) = absent(list(aws, id).await, NO_ZONE)? else { return Ok(None) };
        // Only the zone itself has a start of authority.
        let apex = sets.iter().find(|set| set.r#type() == &RrType::Soa);
        let name = apex.map(|set| route53::plain(set.name())).unwrap_or_default();
        return Ok(Some(Zone::new(name, sets)));
    }
    let Some(name) = absent(zone_name(aws, id).await, NO_ZONE)? else { return Ok(None) };
    let mut sets = Vec::new();
    for place in places {
        sets.extend(look_up(aws, &name, place).await?);
    }
    Ok(Some(Zone::new(name, sets)))
}

/// All record sets of a zone.
pub(super) async fn list(aws: &Aws, zone: &str) -> Result<Vec<ResourceRecordSet>, AwsError> {
    let mut sets = Vec::new();
    let mut call = aws.route53.list_resource_record_sets().hosted_zone_id(zone);
    loop {
        let page = call.send().await.op("ListResourceRecordSets")?;
        sets.extend_from_slice(page.resource_record_sets());
        if !page.is_truncated() {
            return Ok(sets);
        }
        call = aws
            .route53
            .list_resource_record_sets()
            .hosted_zone_id(zone)
            .set_start_record_name(page.next_record_name().map(str::to_owned))
            .set_start_record_type(page.next_record_type().cloned())
            .set_start_record_identifier(page.next_record_identifier().map(str::to_owned));
    }
}

async fn zone_name(aws: &Aws, id: &str) -> Result<String, AwsError> {
    let answer = aws.route53.get_hosted_zone().id(id).send().await.op("GetHostedZone")?;
    Ok(answer.hosted_zone().map(|z| route53::plain(z.name())).unwrap_or_default())
}

/// One record set: the listing begins with it, or it is not there.
async fn look_up(aws: &Aws, zone_name: &str, place: &Place) -> Result<Option<ResourceRecordSet>, AwsError> {
    let call = aws
        .route53
        .list_resource_record_sets()
        .hosted_zone_id(place.zone())
        .start_record_name(place.fqdn(zone_name))
        .start_record_type(RrType::from(place.kind.as_str()))
        .set_start_record_identifier(place.set.clone())
        .max_items(1);
    let answer = absent(call.send().await.op("ListResourceRecordSets"), NO_ZONE)?;
    let first = answer.and_then(|a| a.resource_record_sets.into_iter().next());
    Ok(first.filter(|set| set::key(set) == place.key(zone_name)))
}

/// Sends a batch and waits until all name servers have it.
pub(super) async fn change(
    aws: &Aws,
    job: &Job<'_>,
    zone: &str,
    changes: Vec<(ChangeAction, ResourceRecordSet)>,
    deadline: std::time::Duration,
) -> Result<(), AwsError> {
    const OPERATION: &str = "ChangeResourceRecordSets";
    let change = |(action, set)| {
        Change::builder().action(action).resource_record_set(set).build().expect("action and set are given")
    };
    let batch = ChangeBatch::builder()
        .set_changes(Some(changes.into_iter().map(change).collect()))
        .build()
        .expect("changes are given");
    // Route 53 takes one batch of a zone at a time.
    let busy = &["PriorRequestNotComplete"];
    let answer = ec2::retry(aws, OPERATION, busy, deadline, job.progress, async || {
        let call = aws.route53.change_resource_record_sets().hosted_zone_id(zone);
        let result = call.change_batch(batch.clone()).send().await;
        let reasons = result.as_ref().err().and_then(reasons);
        result.op(OPERATION).map_err(|mut error| {
            error.message = reasons.unwrap_or(error.message);
            if error.message.contains("but it already exists") {
                error.message += "; import it, or set `allow_overwrite = true` to take it over";
            }
            error
        })
    })
    .await?;
    route53::in_sync(aws, OPERATION, answer.change_info(), deadline, job.progress).await
}

/// InvalidChangeBatch has its reasons in a list of its own.
fn reasons<R>(error: &SdkError<ChangeResourceRecordSetsError, R>) -> Option<String> {
    match error.as_service_error()? {
        ChangeResourceRecordSetsError::InvalidChangeBatch(batch) if !batch.messages().is_empty() => {
            Some(batch.messages().join("; "))
        }
        _ => None,
    }
}

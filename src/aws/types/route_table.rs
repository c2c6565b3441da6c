//! `aws_route_table`: where packets that leave a subnet go.

use super::ec2;
use super::routes::{self, Destination, Target};
use super::timeouts::{self, TIMEOUTS};
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{Attr, Blocks, ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_ec2::types::{ResourceType, Route, RouteOrigin, RouteTable as Live};
use std::collections::BTreeMap;
use std::time::Duration;

mod route_block {
    use super::ec2;
    use crate::schema::attributes;

    attributes! {
        TABLE:
        CARRIER_GATEWAY: Str = optional("carrier_gateway_id");
        CIDR_BLOCK: Str = optional("cidr_block").check(ec2::check::cidr_v4_or_empty);
        CORE_NETWORK: Str = optional("core_network_arn");
        PREFIX_LIST: Str = optional("destination_prefix_list_id");
        EGRESS_ONLY_GATEWAY: Str = optional("egress_only_gateway_id");
        GATEWAY: Str = optional("gateway_id");
        IPV6_CIDR_BLOCK: Str = optional("ipv6_cidr_block").check(ec2::check::cidr_v6_or_empty);
        LOCAL_GATEWAY: Str = optional("local_gateway_id");
        NAT_GATEWAY: Str = optional("nat_gateway_id");
        INTERFACE: Str = optional("network_interface_id");
        TRANSIT_GATEWAY: Str = optional("transit_gateway_id");
        VPC_ENDPOINT: Str = optional("vpc_endpoint_id");
        VPC_PEERING: Str = optional("vpc_peering_connection_id");
    }
}

const ROUTE: Attr<Blocks> =
    Attr::<Blocks>::optional_computed("route").set(&route_block::TABLE).also_attribute().same(same_routes);

attributes! {
    TABLE [ROUTE, TAGS, TAGS_ALL, TIMEOUTS]:
    ARN: Str = computed("arn");
    OWNER_ID: Str = computed("owner_id");
    PROPAGATING: StrSet = optional_computed("propagating_vgws");
    VPC_ID: Str = required("vpc_id").replaces();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Where packets that leave a subnet go",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }

  tags = { Name = "public" }
}
"#,
    validate,
    ..TypeSchema::new("aws_route_table", &TABLE)
};

const DESTINATIONS: [&str; 3] = ["cidr_block", "ipv6_cidr_block", "destination_prefix_list_id"];

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    for route in want.all(&ROUTE) {
        // `""` is how an unused attribute is written in the attribute form.
        let set = |names: &[&str]| {
            names
                .iter()
                .filter(|n| route.has(n) && route.value(n).and_then(Value::as_str) != Some(""))
                .count()
        };
        if set(&DESTINATIONS) != 1 {
            problems.push(("route", format!("needs exactly one of `{}`", DESTINATIONS.join("`, `"))));
        }
        if set(routes::TARGETS) != 1 {
            problems
                .push(("route", format!("needs exactly one target of `{}`", routes::TARGETS.join("`, `"))));
        }
    }
    problems
}

pub struct RouteTable;

#[async_trait(?Send)]
impl AwsType for RouteTable {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let found =
            ec2::by_id(items, async |ids| routes::describe(aws, ec2::filter("route-table-id", ids)).await)
                .await?;
        Ok(ec2::in_order(items, &found, Live::route_table_id, |table, item| object(aws, table, item.known)))
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let deadline = timeouts::limit(job.want, &timeouts::CREATE, 5);
        let made = ec2::retry(
            aws,
            "CreateRouteTable",
            &["InvalidVpcID.NotFound"],
            deadline,
            job.progress,
            async || {
                aws.ec2
                    .create_route_table()
                    .vpc_id(job.want.need(&VPC_ID))
                    .client_token(job.token)
                    .tag_specifications(ec2::tag_specification(ResourceType::RouteTable, job))
                    .send()
                    .await
                    .op("CreateRouteTable")
            },
        )
        .await?;
        let id = made.route_table().and_then(Live::route_table_id).unwrap_or_default().to_owned();
        ec2::wait_visible(aws, "CreateRouteTable", job.progress, async || {
            Ok(!routes::describe(aws, ec2::filter("route-table-id", [id.as_str()])).await?.is_empty())
        })
        .await?;
        change_propagation(aws, &id, &[], &job.want.all(&PROPAGATING)).await?;
        change_routes(aws, job, &id, deadline).await?;
        Ok(id)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["propagating_vgws"]) {
            change_propagation(aws, job.id, &job.live.all(&PROPAGATING), &job.want.all(&PROPAGATING)).await?;
        }
        if job.changes(&["route"]) {
            let deadline = timeouts::limit(job.want, &timeouts::UPDATE, 2);
            change_routes(aws, job, job.id, deadline).await?;
        }
        ec2::update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let deadline = timeouts::limit(job.want, &timeouts::DELETE, 5);
        // An association that was just ended may still hold it.
        ec2::retry(aws, "DeleteRouteTable", &["DependencyViolation"], deadline, job.progress, async || {
            let result =
                aws.ec2.delete_route_table().route_table_id(job.id).send().await.op("DeleteRouteTable");
            absent(result, &["InvalidRouteTableID.NotFound"]).map(drop)
        })
        .await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let found = routes::describe(aws, ec2::owned_by(job.token)).await?;
        Ok(found.first().and_then(Live::route_table_id).map(str::to_owned))
    }
}

fn object(aws: &Aws, table: &Live, known: &Object) -> Object {
    let id = table.route_table_id().unwrap_or_default();
    let owner = table.owner_id().unwrap_or_default();
    let declared = by_destination(&known.all(&ROUTE));
    let mut o = Object::new();
    o.set(&ID, id)
        .set(&ARN, ec2::arn(aws, owner, &format!("route-table/{id}")))
        .set(&OWNER_ID, owner)
        .set(&VPC_ID, table.vpc_id())
        .set(&PROPAGATING, propagating(table))
        .set_blocks(&ROUTE, table.routes().iter().filter_map(|r| block(r, &declared)).collect());
    tags::read(&mut o, ec2::pairs(table.tags()));
    o
}

fn propagating(table: &Live) -> Vec<String> {
    table.propagating_vgws().iter().filter_map(|v| v.gateway_id().map(str::to_owned)).collect()
}

/// A route as a block; None for what AWS keeps itself: the local route (unless declared), propagated
/// routes, and those that a gateway endpoint adds for its prefix list.
fn block(route: &Route, declared: &BTreeMap<Destination, Target>) -> Option<Object> {
    let destination = Destination::of_live(route)?;
    let target = routes::live_target(route)?;
    let endpoint = target.0 == "vpc_endpoint_id" && matches!(destination, Destination::PrefixList(_));
    if route.origin() == Some(&RouteOrigin::EnableVgwRoutePropagation)
        || endpoint
        || target.1 == "local" && !declared.contains_key(&destination)
    {
        return None;
    }
    let mut o = Object::new();
    let name = match destination {
        Destination::V4(_) => "cidr_block",
        Destination::V6(_) => "ipv6_cidr_block",
        Destination::PrefixList(_) => "destination_prefix_list_id",
    };
    o.put(name, Some(destination.text().into()));
    o.put(target.0, Some(target.1.into()));
    Some(o)
}

fn by_destination(blocks: &[Object]) -> BTreeMap<Destination, Target> {
    blocks.iter().filter_map(|b| Some((Destination::of(b, DESTINATIONS)?, routes::target(b)?))).collect()
}

/// Unused attributes may be null or `""`, and IPv6 ranges may be written in many ways.
fn same_routes(live: &Value, desired: &Value) -> bool {
    use crate::schema::Field;
    if !live.is_wholly_known() || !desired.is_wholly_known() {
        return live == desired;
    }
    let read = |v: &Value| Blocks::read(v).map(|blocks| by_destination(&blocks));
    read(live) == read(desired)
}

/// Replaces before it deletes: no destination is without its route in between.
async fn change_routes(aws: &Aws, job: &Job<'_>, id: &str, deadline: Duration) -> Result<(), AwsError> {
    let live = by_destination(&job.live.all(&ROUTE));
    let want = by_destination(&job.want.all(&ROUTE));
    for (destination, target) in &want {
        match live.get(destination) {
            Some(old) if old == target => {}
            Some(_) => routes::replace(aws, id, destination, target, deadline, job.progress).await?,
            // The local route is there from the start.
            None if target.1 == "local" => {}
            None => routes::create(aws, id, destination, target, deadline, job.progress).await?,
        }
    }
    for destination in live.keys().filter(|d| !want.contains_key(*d)) {
        routes::delete(aws, id, destination).await?;
    }
    ec2::wait_visible(aws, "CreateRoute", job.progress, async || {
        let found = routes::describe(aws, ec2::filter("route-table-id", [id])).await?;
        let there: BTreeMap<_, _> = found
            .iter()
            .flat_map(Live::routes)
            .filter_map(|r| Some((Destination::of_live(r)?, routes::live_target(r)?)))
            .collect();
        Ok(want.iter().all(|(d, t)| there.get(d) == Some(t))
            && live.keys().all(|d| want.contains_key(d) || !there.contains_key(d)))
    })
    .await
}

async fn change_propagation(aws: &Aws, id: &str, live: &[String], want: &[String]) -> Result<(), AwsError> {
    for gateway in want.iter().filter(|g| !live.contains(g)) {
        let request = aws.ec2.enable_vgw_route_propagation().route_table_id(id).gateway_id(gateway);
        request.send().await.op("EnableVgwRoutePropagation")?;
    }
    for gateway in live.iter().filter(|g| !want.contains(g)) {
        let request = aws.ec2.disable_vgw_route_propagation().route_table_id(id).gateway_id(gateway);
        request.send().await.op("DisableVgwRoutePropagation")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Field;

    fn route(entries: &[(&str, &str)]) -> Object {
        let mut o = Object::new();
        entries.iter().for_each(|(k, v)| o.put(k, Some((*v).into())));
        o.complete(&route_block::TABLE)
    }

    #[test]
    fn unused_attributes_of_a_route_may_be_empty_or_null() {
        let live = Blocks::write(vec![route(&[("ipv6_cidr_block", "::/0"), ("gateway_id", "igw-1")])]);
        let empty = [("ipv6_cidr_block", "0::/0"), ("gateway_id", "igw-1"), ("nat_gateway_id", "")];
        assert!(same_routes(&live, &Blocks::write(vec![route(&empty)])));
        let other = [("ipv6_cidr_block", "::/0"), ("gateway_id", "igw-2")];
        assert!(!same_routes(&live, &Blocks::write(vec![route(&other)])));
    }

    #[test]
    fn a_route_needs_one_destination_and_one_target() {
        let mut want = Object::new();
        want.set_blocks(&ROUTE, vec![route(&[("cidr_block", "0.0.0.0/0"), ("gateway_id", "igw-1")])]);
        assert!(validate(&want).is_empty());
        want.set_blocks(&ROUTE, vec![route(&[("cidr_block", "0.0.0.0/0")])]);
        assert_eq!(validate(&want).len(), 1);
    }
}

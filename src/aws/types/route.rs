//! `aws_route`: one route of a route table.

use super::ec2;
use super::routes::{self, Destination};
use super::timeouts::{self, TIMEOUTS};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_ec2::types::{Route as Live, RouteTable};

attributes! {
    TABLE [TIMEOUTS]:
    CARRIER_GATEWAY: Str = optional("carrier_gateway_id");
    CORE_NETWORK: Str = optional("core_network_arn");
    DESTINATION: Str = optional("destination_cidr_block").replaces().check(ec2::check::cidr_v4_or_empty);
    DESTINATION_V6: Str = optional("destination_ipv6_cidr_block").replaces()
        .check(ec2::check::cidr_v6_or_empty).same(ec2::same_range);
    PREFIX_LIST: Str = optional("destination_prefix_list_id").replaces();
    EGRESS_ONLY_GATEWAY: Str = optional("egress_only_gateway_id");
    GATEWAY: Str = optional("gateway_id");
    INSTANCE: Str = computed("instance_id");
    INSTANCE_OWNER: Str = computed("instance_owner_id");
    LOCAL_GATEWAY: Str = optional("local_gateway_id");
    NAT_GATEWAY: Str = optional("nat_gateway_id");
    INTERFACE: Str = optional_computed("network_interface_id");
    ORIGIN: Str = computed("origin");
    ROUTE_TABLE: Str = required("route_table_id").replaces();
    STATE: Str = computed("state");
    TRANSIT_GATEWAY: Str = optional("transit_gateway_id");
    VPC_ENDPOINT: Str = optional("vpc_endpoint_id");
    VPC_PEERING: Str = optional("vpc_peering_connection_id");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "One route of a route table",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}
"#,
    validate,
    predict,
    ..TypeSchema::new("aws_route", &TABLE)
};

const DESTINATIONS: [&str; 3] =
    ["destination_cidr_block", "destination_ipv6_cidr_block", "destination_prefix_list_id"];

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = ec2::exactly_one(want, &DESTINATIONS);
    // `network_interface_id` may also stand as AWS answers it: only beside another target of its own.
    let targets: Vec<&'static str> =
        routes::TARGETS.iter().copied().filter(|t| *t != "network_interface_id").collect();
    if !want.has("network_interface_id") || targets.iter().any(|t| want.has(t)) {
        problems.extend(ec2::exactly_one(want, &targets));
    }
    problems
}

fn predict(want: &Object) -> Vec<(&'static str, Value)> {
    id(want).map(|id| ("id", Value::from(id))).into_iter().collect()
}

pub struct Route;

#[async_trait(?Send)]
impl AwsType for Route {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let tables = items.iter().filter_map(|i| i.known.get(&ROUTE_TABLE)).collect();
        let tables = ec2::in_chunks(tables, async |ids| {
            routes::describe(aws, ec2::filter("route-table-id", ids)).await
        })
        .await?;
        Ok(items.iter().map(|item| find(&tables, item.known)).collect())
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let deadline = timeouts::limit(job.want, &timeouts::CREATE, 5);
        let (table, destination, target) = parts(job.want)?;
        routes::create(aws, &table, &destination, &target, deadline, job.progress).await?;
        wait_visible(aws, job, &table, &destination, true).await?;
        Ok(id(job.want).unwrap_or_default())
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if !job.changes(routes::TARGETS) {
            return Ok(());
        }
        let deadline = timeouts::limit(job.want, &timeouts::UPDATE, 2);
        let (table, destination, target) = parts(job.want)?;
        routes::replace(aws, &table, &destination, &target, deadline, job.progress).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let known = if job.live.has("route_table_id") { job.live } else { job.want };
        let table = known.need(&ROUTE_TABLE);
        let Some(destination) = Destination::of(known, DESTINATIONS) else { return Ok(()) };
        routes::delete(aws, &table, &destination).await?;
        wait_visible(aws, job, &table, &destination, false).await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let (table, _, target) = parts(job.want)?;
        let tables = routes::describe(aws, ec2::filter("route-table-id", [table])).await?;
        // Another target: someone else's route, which creation will say.
        let ours = find(&tables, job.want).filter(|found| routes::target(found) == Some(target));
        Ok(ours.map(|o| o.id().to_owned()))
    }

    /// As Terraform has it: `rtb-…_10.0.0.0/8`.
    fn import(&self, text: &str) -> Object {
        let mut known = Object::new();
        let Some((table, destination)) = text.split_once('_') else {
            known.set(&ID, text);
            return known;
        };
        let attr = if destination.contains(':') {
            &DESTINATION_V6
        } else if destination.contains('.') {
            &DESTINATION
        } else {
            &PREFIX_LIST
        };
        known.set(&ROUTE_TABLE, table).set(attr, destination);
        let id = id(&known);
        known.set(&ID, id);
        known
    }
}

/// Table, destination and target; for validated objects their absence is a defect.
fn parts(want: &Object) -> Result<(String, Destination, routes::Target), AwsError> {
    let missing =
        |what: &str| AwsError::failed("CreateRoute", "Internal", format!("the route has no {what}"));
    let destination = Destination::of(want, DESTINATIONS).ok_or_else(|| missing("destination"))?;
    // `network_interface_id` last: undeclared, it stands as it is live.
    let mut declared = want.clone();
    if routes::TARGETS.iter().any(|t| *t != "network_interface_id" && want.has(t)) {
        declared.put("network_interface_id", None);
    }
    let target = routes::target(&declared).ok_or_else(|| missing("target"))?;
    Ok((want.need(&ROUTE_TABLE), destination, target))
}

/// `r-rtb-0abc1080289494`: the table and the CRC-32 of the destination, as the AWS provider makes it.
fn id(want: &Object) -> Option<String> {
    let declared = DESTINATIONS.iter().find_map(|name| want.value(name)?.as_str());
    Some(format!("r-{}{}", want.get(&ROUTE_TABLE)?, ec2::crc32(declared?.as_bytes())))
}

fn find(tables: &[RouteTable], known: &Object) -> Option<Object> {
    let table = known.get(&ROUTE_TABLE)?;
    let destination = Destination::of(known, DESTINATIONS)?;
    let routes = tables.iter().find(|t| t.route_table_id() == Some(&table))?.routes();
    let live = routes.iter().find(|r| Destination::of_live(r).as_ref() == Some(&destination))?;
    Some(object(&table, live, known))
}

fn object(table: &str, route: &Live, known: &Object) -> Object {
    let mut o = Object::new();
    o.set(&ROUTE_TABLE, table)
        .set(&DESTINATION, ec2::filled(route.destination_cidr_block()))
        .set(&DESTINATION_V6, ec2::filled(route.destination_ipv6_cidr_block()))
        .set(&PREFIX_LIST, ec2::filled(route.destination_prefix_list_id()))
        .set(&INSTANCE, ec2::filled(route.instance_id()))
        .set(&INSTANCE_OWNER, ec2::filled(route.instance_owner_id()))
        .set(&INTERFACE, ec2::filled(route.network_interface_id()))
        .set(&ORIGIN, route.origin().map(|o| o.as_str()))
        .set(&STATE, route.state().map(|s| s.as_str()));
    if let Some((name, id)) = routes::live_target(route) {
        o.put(name, Some(id.into()));
    }
    // The id keeps the declared text: an IPv6 range may be written in many ways.
    let id = id(known).or_else(|| id(&o));
    o.set(&ID, id);
    o
}

async fn wait_visible(
    aws: &Aws,
    job: &Job<'_>,
    table: &str,
    destination: &Destination,
    there: bool,
) -> Result<(), AwsError> {
    let what = if there { "CreateRoute" } else { "DeleteRoute" };
    ec2::wait_visible(aws, what, job.progress, async || {
        let tables = routes::describe(aws, ec2::filter("route-table-id", [table])).await?;
        let mut all = tables.iter().flat_map(RouteTable::routes);
        Ok(all.any(|r| Destination::of_live(r).as_ref() == Some(destination)) == there)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_provider() {
        // From a real Terraform state: `r-<table>1080289494` is everyone's default route.
        let known = Route.import("rtb-0123_0.0.0.0/0");
        assert_eq!(known.id(), "r-rtb-01231080289494");
        assert_eq!(known.get(&DESTINATION).as_deref(), Some("0.0.0.0/0"));
    }

    #[test]
    fn a_route_has_one_destination_and_one_target() {
        let mut want = Object::new();
        want.set(&ROUTE_TABLE, "rtb-1").set(&DESTINATION, "0.0.0.0/0");
        assert_eq!(validate(&want).len(), 1);
        want.set(&GATEWAY, "igw-1");
        assert!(validate(&want).is_empty());
        want.set(&NAT_GATEWAY, "nat-1");
        assert_eq!(validate(&want)[0].0, "gateway_id");
    }
}

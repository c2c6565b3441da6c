//! What `aws_route` and `aws_route_table` share: one route as destination and target.

use super::ec2;
use crate::aws::{Aws, AwsError, Op};
use crate::schema::Object;
use aws_sdk_ec2::types::{Filter, Route as Live, RouteTable};

/// Attributes that name a target; the same in both types.
pub const TARGETS: &[&str] = &[
    "carrier_gateway_id",
    "core_network_arn",
    "egress_only_gateway_id",
    "gateway_id",
    "local_gateway_id",
    "nat_gateway_id",
    "network_interface_id",
    "transit_gateway_id",
    "vpc_endpoint_id",
    "vpc_peering_connection_id",
];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    V4(String),
    V6(String),
    PrefixList(String),
}

impl Destination {
    /// Reads the three attributes of these names (IPv4, IPv6, prefix list).
    pub fn of(object: &Object, names: [&str; 3]) -> Option<Destination> {
        let text = |name| object.value(name).and_then(|v| v.as_str()).filter(|t| !t.is_empty());
        let range = |t: &str| t.parse::<ipnet::IpNet>().map_or_else(|_| t.to_owned(), |n| n.to_string());
        text(names[0])
            .map(|t| Destination::V4(range(t)))
            .or_else(|| text(names[1]).map(|t| Destination::V6(range(t))))
            .or_else(|| text(names[2]).map(|t| Destination::PrefixList(t.to_owned())))
    }

    pub fn of_live(route: &Live) -> Option<Destination> {
        let v4 = ec2::filled(route.destination_cidr_block()).map(|t| Destination::V4(t.to_owned()));
        let v6 = ec2::filled(route.destination_ipv6_cidr_block()).map(|t| Destination::V6(t.to_owned()));
        let list = ec2::filled(route.destination_prefix_list_id());
        v4.or(v6).or(list.map(|t| Destination::PrefixList(t.to_owned())))
    }

    pub fn text(&self) -> &str {
        let (Destination::V4(text) | Destination::V6(text) | Destination::PrefixList(text)) = self;
        text
    }

    fn split(&self) -> [Option<String>; 3] {
        let text = Some(self.text().to_owned());
        match self {
            Destination::V4(_) => [text, None, None],
            Destination::V6(_) => [None, text, None],
            Destination::PrefixList(_) => [None, None, text],
        }
    }
}

/// The attribute that names the target, and its id.
pub type Target = (&'static str, String);

/// The target that an object declares, if it does.
pub fn target(object: &Object) -> Option<Target> {
    TARGETS.iter().find_map(|name| {
        let id = object.value(name)?.as_str().filter(|id| !id.is_empty())?;
        Some((*name, id.to_owned()))
    })
}

pub fn live_target(route: &Live) -> Option<Target> {
    let gateway = ec2::filled(route.gateway_id());
    let pick = |name: &'static str, id: Option<&str>| Some((name, ec2::filled(id)?.to_owned()));
    pick("carrier_gateway_id", route.carrier_gateway_id())
        .or_else(|| pick("core_network_arn", route.core_network_arn()))
        .or_else(|| pick("egress_only_gateway_id", route.egress_only_internet_gateway_id()))
        // An endpoint of a gateway load balancer stands where gateways stand.
        .or_else(|| pick("vpc_endpoint_id", gateway.filter(|g| g.starts_with("vpce-"))))
        .or_else(|| pick("gateway_id", gateway))
        .or_else(|| pick("local_gateway_id", route.local_gateway_id()))
        .or_else(|| pick("nat_gateway_id", route.nat_gateway_id()))
        .or_else(|| pick("network_interface_id", route.network_interface_id()))
        .or_else(|| pick("transit_gateway_id", route.transit_gateway_id()))
        .or_else(|| pick("vpc_peering_connection_id", route.vpc_peering_connection_id()))
}

pub async fn describe(aws: &Aws, filter: Filter) -> Result<Vec<RouteTable>, AwsError> {
    let pages = aws.ec2.describe_route_tables().filters(filter).into_paginator().items().send();
    pages.try_collect().await.op("DescribeRouteTables")
}

/// Sets the target on a CreateRoute or ReplaceRoute request (two types with the same setters).
macro_rules! with_target {
    ($request:expr, $target:expr) => {{
        let (name, id): (&str, String) = $target;
        let request = $request;
        match name {
            "carrier_gateway_id" => request.carrier_gateway_id(id),
            "core_network_arn" => request.core_network_arn(id),
            "egress_only_gateway_id" => request.egress_only_internet_gateway_id(id),
            "local_gateway_id" => request.local_gateway_id(id),
            "nat_gateway_id" => request.nat_gateway_id(id),
            "network_interface_id" => request.network_interface_id(id),
            "transit_gateway_id" => request.transit_gateway_id(id),
            "vpc_endpoint_id" => request.vpc_endpoint_id(id),
            "vpc_peering_connection_id" => request.vpc_peering_connection_id(id),
            _ => request.gateway_id(id),
        }
    }};
}

/// Codes that mean: what the route leads to was made a moment ago.
const FRESH: &[&str] = &[
    "InvalidRouteTableID.NotFound",
    "InvalidGatewayID.NotFound",
    "InvalidNatGatewayID.NotFound",
    "InvalidTransitGatewayID.NotFound",
    "InvalidVpcEndpointId.NotFound",
    "InvalidNetworkInterfaceID.NotFound",
    "InvalidPrefixListID.NotFound",
];

pub async fn create(
    aws: &Aws,
    table: &str,
    destination: &Destination,
    target: &Target,
    deadline: std::time::Duration,
    progress: &dyn Fn(&str),
) -> Result<(), AwsError> {
    let [v4, v6, list] = destination.split();
    ec2::retry(aws, "CreateRoute", FRESH, deadline, progress, async || {
        let request = aws
            .ec2
            .create_route()
            .route_table_id(table)
            .set_destination_cidr_block(v4.clone())
            .set_destination_ipv6_cidr_block(v6.clone())
            .set_destination_prefix_list_id(list.clone());
        with_target!(request, target.clone()).send().await.op("CreateRoute").map(drop)
    })
    .await
}

/// Another target for a destination, without a moment in between.
pub async fn replace(
    aws: &Aws,
    table: &str,
    destination: &Destination,
    target: &Target,
    deadline: std::time::Duration,
    progress: &dyn Fn(&str),
) -> Result<(), AwsError> {
    let [v4, v6, list] = destination.split();
    ec2::retry(aws, "ReplaceRoute", FRESH, deadline, progress, async || {
        let request = aws
            .ec2
            .replace_route()
            .route_table_id(table)
            .set_destination_cidr_block(v4.clone())
            .set_destination_ipv6_cidr_block(v6.clone())
            .set_destination_prefix_list_id(list.clone());
        let request = if target.1 == "local" {
            request.local_target(true)
        } else {
            with_target!(request, target.clone())
        };
        request.send().await.op("ReplaceRoute").map(drop)
    })
    .await
}

pub async fn delete(aws: &Aws, table: &str, destination: &Destination) -> Result<(), AwsError> {
    let [v4, v6, list] = destination.split();
    let result = aws
        .ec2
        .delete_route()
        .route_table_id(table)
        .set_destination_cidr_block(v4)
        .set_destination_ipv6_cidr_block(v6)
        .set_destination_prefix_list_id(list)
        .send()
        .await
        .op("DeleteRoute");
    crate::aws::absent(result, &["InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"]).map(drop)
}

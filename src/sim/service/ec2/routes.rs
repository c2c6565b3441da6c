//! Route tables, routes and associations.

use super::query::{
    Listing, check_tags, describe, done, fail, held, lean, missing, need, once, tag_new, tags_of,
};
use super::state::{InstanceState, NatState, Route, RouteAssociation, RouteTable};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use ipnet::{Ipv4Net, Ipv6Net};
use serde_json::{Value as Json, json};

const DESTINATIONS: [&str; 3] =
    ["DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId"];

const TARGETS: [&str; 12] = [
    "CarrierGatewayId",
    "CoreNetworkArn",
    "EgressOnlyInternetGatewayId",
    "GatewayId",
    "InstanceId",
    "LocalGatewayId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "OdbNetworkArn",
    "TransitGatewayId",
    "VpcEndpointId",
    "VpcPeeringConnectionId",
];

pub fn no_table(id: &str) -> ApiError {
    missing("InvalidRouteTableID.NotFound", "routeTable", id)
}

impl RouteTable {
    pub fn is_main(&self) -> bool {
        self.associations.values().any(|with| *with == RouteAssociation::Main)
    }
}

fn new_table(world: &mut World, vpc: &str) -> String {
    let id = world.id("rtb");
    let table = RouteTable {
        id: id.clone(),
        vpc: vpc.to_owned(),
        routes: Default::default(),
        associations: Default::default(),
    };
    world.ec2.route_tables.insert(id.clone(), table);
    id
}

pub fn create_main(world: &mut World, vpc: &str) {
    let table = new_table(world, vpc);
    let association = world.id("rtbassoc");
    let table = world.ec2.route_tables.get_mut(&table).expect("just made");
    table.associations.insert(association, RouteAssociation::Main);
}

/// The default route of a default VPC's main table.
pub fn add_default(world: &mut World, vpc: &str, gateway: &str) {
    let table = world.ec2.route_tables.values_mut().find(|table| table.vpc == vpc && table.is_main());
    let route = Route {
        destination_kind: DESTINATIONS[0].to_owned(),
        target_kind: "GatewayId".to_owned(),
        target: gateway.to_owned(),
    };
    table.expect("every VPC has a main table").routes.insert("0.0.0.0/0".to_owned(), route);
}

pub fn create_route_table(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["route-table"])?;
    once(world, "CreateRouteTable", input, |world, input| {
        let vpc = need(input, "VpcId")?;
        world.ec2.vpcs.get(vpc).ok_or_else(|| super::network::no_vpc(vpc))?;
        let id = new_table(world, vpc);
        tag_new(world, input, "route-table", &id);
        Ok(json!({"RouteTable": table_json(world, &id)}))
    })
}

pub fn delete_route_table(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "RouteTableId")?;
    let table = world.ec2.route_tables.get(id).ok_or_else(|| no_table(id))?;
    if !table.associations.is_empty() {
        let holder = |(id, with): (&String, &RouteAssociation)| match with {
            RouteAssociation::Main => format!("{id} (main)"),
            RouteAssociation::Subnet(with) | RouteAssociation::Gateway(with) => format!("{id} ({with})"),
        };
        let holders: Vec<String> = table.associations.iter().map(holder).collect();
        return Err(held("routeTable", id, &holders));
    }
    world.ec2.route_tables.remove(id);
    world.ec2.tags.remove(id);
    Ok(json!({}))
}

fn table_json(world: &World, id: &str) -> Option<Json> {
    let table = world.ec2.route_tables.get(id)?;
    let vpc = world.ec2.vpcs.get(&table.vpc)?;
    let local = |member: &str, cidr: &str| {
        let origin = "CreateRouteTable";
        json!({member: cidr, "GatewayId": "local", "Origin": origin, "State": "active"})
    };
    let mut routes: Vec<Json> = vpc.cidrs.iter().map(|(_, cidr)| local(DESTINATIONS[0], cidr)).collect();
    routes.extend(vpc.ipv6.iter().map(|(_, cidr)| local(DESTINATIONS[1], cidr)));
    routes.extend(table.routes.iter().map(|(destination, route)| route_json(world, destination, route)));
    let associations = table.associations.iter().map(|(association, with)| {
        let (main, subnet, gateway) = match with {
            RouteAssociation::Main => (true, None, None),
            RouteAssociation::Subnet(id) => (false, Some(id), None),
            RouteAssociation::Gateway(id) => (false, None, Some(id)),
        };
        json!({
            "RouteTableAssociationId": association, "RouteTableId": id, "Main": main, "SubnetId": subnet,
            "GatewayId": gateway, "AssociationState": {"State": "associated"},
        })
    });
    Some(lean(json!({
        "RouteTableId": id, "VpcId": table.vpc, "OwnerId": world.account, "PropagatingVgws": [],
        "Routes": routes, "Associations": associations.collect::<Vec<_>>(), "Tags": tags_of(world, id),
    })))
}

fn route_json(world: &World, destination: &str, route: &Route) -> Json {
    let state = if works(world, route) { "active" } else { "blackhole" };
    // A route answers an endpoint as its GatewayId, and an instance with its interface.
    let member = if route.target_kind == "VpcEndpointId" { "GatewayId" } else { &route.target_kind };
    let mut json = json!({&route.destination_kind: destination, member: route.target, "Origin": "CreateRoute", "State": state});
    if route.target_kind == "NetworkInterfaceId"
        && let Some(instance) = world.ec2.interfaces.get(&route.target).and_then(|eni| eni.instance())
    {
        json["InstanceId"] = json!(instance);
        json["InstanceOwnerId"] = json!(world.account);
    }
    json
}

fn works(world: &World, route: &Route) -> bool {
    let (ec2, target) = (&world.ec2, &route.target);
    match route.target_kind.as_str() {
        "NatGatewayId" => ec2
            .nat_gateways
            .get(target)
            .is_some_and(|nat| matches!(nat.state, NatState::Pending | NatState::Available)),
        "GatewayId" if target.starts_with("igw-") => {
            ec2.internet_gateways.get(target).is_some_and(|gateway| gateway.vpc.is_some())
        }
        "NetworkInterfaceId" => ec2.interfaces.get(target).is_some_and(|eni| match eni.instance() {
            Some(id) => ec2.instances.get(id).is_some_and(|i| i.state == InstanceState::Running),
            None => false,
        }),
        _ => true,
    }
}

pub fn describe_route_tables(world: &mut World, input: &Json) -> Answer {
    let listing = Listing {
        ids: "RouteTableIds",
        filters: "Filters",
        output: "RouteTables",
        missing: no_table,
        table: &[
            ("association.gateway-id", "Associations.GatewayId"),
            ("association.main", "Associations.Main"),
            ("association.route-table-association-id", "Associations.RouteTableAssociationId"),
            ("association.route-table-id", "Associations.RouteTableId"),
            ("association.subnet-id", "Associations.SubnetId"),
            ("owner-id", "OwnerId"),
            ("route-table-id", "RouteTableId"),
            ("route.destination-cidr-block", "Routes.DestinationCidrBlock"),
            ("route.destination-ipv6-cidr-block", "Routes.DestinationIpv6CidrBlock"),
            ("route.destination-prefix-list-id", "Routes.DestinationPrefixListId"),
            ("route.egress-only-internet-gateway-id", "Routes.EgressOnlyInternetGatewayId"),
            ("route.gateway-id", "Routes.GatewayId"),
            ("route.instance-id", "Routes.InstanceId"),
            ("route.nat-gateway-id", "Routes.NatGatewayId"),
            ("route.origin", "Routes.Origin"),
            ("route.state", "Routes.State"),
            ("route.transit-gateway-id", "Routes.TransitGatewayId"),
            ("route.vpc-peering-connection-id", "Routes.VpcPeeringConnectionId"),
            ("vpc-id", "VpcId"),
        ],
    };
    describe(input, &listing, world.ec2.route_tables.keys(), |id| table_json(world, id))
}

/// (member, canonical destination): EC2 clears host bits.
fn destination(input: &Json) -> Result<(&'static str, String), ApiError> {
    let given: Vec<_> =
        DESTINATIONS.iter().filter_map(|member| Some((*member, input.text(member)?))).collect();
    let [(member, text)] = given[..] else {
        return fail(
            "MissingParameter",
            "The request must contain exactly one of destinationCidrBlock, destinationIpv6CidrBlock, destinationPrefixListId",
        );
    };
    let bad = |_| {
        let message = format!(
            "Value ({text}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block."
        );
        ApiError::new("InvalidParameterValue", message)
    };
    let canonical = match member {
        "DestinationCidrBlock" => text.parse::<Ipv4Net>().map_err(bad)?.trunc().to_string(),
        "DestinationIpv6CidrBlock" => text.parse::<Ipv6Net>().map_err(bad)?.trunc().to_string(),
        _ => text.to_owned(),
    };
    Ok((member, canonical))
}

/// Egress-only gateways there are none of yet; EC2 looks at the target before the destination.
fn check_egress_only(input: &Json) -> Result<(), ApiError> {
    match input.text("EgressOnlyInternetGatewayId") {
        Some(id) => fail("InvalidGatewayID.NotFound", format!("The eigw ID '{id}' does not exist")),
        None => Ok(()),
    }
}

/// The route that a request asks for, its target checked to exist and to belong to the table's VPC.
fn route_from(world: &World, table: &RouteTable, input: &Json) -> Result<(String, Route), ApiError> {
    check_egress_only(input)?;
    let (destination_kind, destination) = destination(input)?;
    let given: Vec<_> = TARGETS.iter().filter_map(|member| Some((*member, input.text(member)?))).collect();
    let (mut target_kind, mut target) = match given[..] {
        [(kind, target)] => (kind, target.to_owned()),
        [] => {
            let message = "The request must contain exactly one of gatewayId, natGatewayId, \
                networkInterfaceId, vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, \
                localGatewayId, carrierGatewayId, vpcEndpointId, coreNetworkArn or instanceId";
            return fail("MissingParameter", message);
        }
        _ => {
            let message = "Only one target (gateway, instance, interface, …) may be given for a route";
            return fail("InvalidParameterCombination", message);
        }
    };
    let ec2 = &world.ec2;
    let place = match target_kind {
        "NatGatewayId" => match ec2.nat_gateways.get(&target) {
            Some(nat) => Some(&nat.vpc),
            None => return Err(missing("InvalidNatGatewayID.NotFound", "natGateway", &target)),
        },
        "GatewayId" if target.starts_with("igw-") => match ec2.internet_gateways.get(&target) {
            Some(gateway) => gateway.vpc.as_ref().or(Some(&target)),
            None => {
                return Err(missing("InvalidInternetGatewayID.NotFound", "internetGateway", &target));
            }
        },
        "NetworkInterfaceId" => match ec2.interfaces.get(&target) {
            Some(eni) => Some(&eni.vpc),
            None => {
                return Err(missing("InvalidNetworkInterfaceID.NotFound", "networkInterface", &target));
            }
        },
        "InstanceId" => match ec2.instances.get(&target) {
            Some(instance) => Some(&instance.vpc),
            None => return Err(missing("InvalidInstanceID.NotFound", "instance", &target)),
        },
        _ => None,
    };
    if place.is_some_and(|vpc| *vpc != table.vpc) {
        let message =
            format!("route table {} and network gateway {target} belong to different networks", table.id);
        return fail("InvalidParameterValue", message);
    }
    // EC2 keeps a route to an instance as one to its primary interface.
    if target_kind == "InstanceId"
        && let Some(eni) = ec2.instances.get(&target).and_then(|instance| instance.interface.clone())
    {
        (target_kind, target) = ("NetworkInterfaceId", eni);
    }
    let route =
        Route { destination_kind: destination_kind.to_owned(), target_kind: target_kind.to_owned(), target };
    Ok((destination, route))
}

pub fn create_route(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "RouteTableId")?;
    let table = world.ec2.route_tables.get(id).ok_or_else(|| no_table(id))?;
    let (destination, route) = route_from(world, table, input)?;
    let vpc = world.ec2.vpcs.get(&table.vpc).expect("tables lie in a VPC");
    if vpc.cidrs.iter().chain(&vpc.ipv6).any(|(_, cidr)| *cidr == destination) {
        let message = format!(
            "The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance."
        );
        return fail("InvalidParameterValue", message);
    }
    if table.routes.contains_key(&destination) {
        let message = format!("The route identified by {destination} already exists.");
        return fail("RouteAlreadyExists", message);
    }
    world.ec2.route_tables.get_mut(id).expect("seen above").routes.insert(destination, route);
    done()
}

fn no_route(kind: &str, destination: &str, table: &str) -> ApiError {
    let noun = match kind {
        "DestinationCidrBlock" => "destination-cidr-block",
        "DestinationIpv6CidrBlock" => "destination-ipv6-cidr-block",
        _ => "destination-prefix-list-id",
    };
    let message = format!("no route with {noun} {destination} in route table {table}");
    ApiError::new("InvalidRoute.NotFound", message)
}

pub fn replace_route(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "RouteTableId")?;
    let table = world.ec2.route_tables.get(id).ok_or_else(|| no_table(id))?;
    let (destination, route) = route_from(world, table, input)?;
    if !table.routes.contains_key(&destination) {
        let message = format!(
            "There is no route defined for '{destination}' in the route table. Use CreateRoute instead."
        );
        return fail("InvalidParameterValue", message);
    }
    world.ec2.route_tables.get_mut(id).expect("seen above").routes.insert(destination, route);
    Ok(json!({}))
}

pub fn delete_route(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "RouteTableId")?;
    let (kind, destination) = destination(input)?;
    let table = world.ec2.route_tables.get_mut(id).ok_or_else(|| no_table(id))?;
    let vpc = world.ec2.vpcs.get(&table.vpc).expect("tables lie in a VPC");
    if vpc.cidrs.iter().chain(&vpc.ipv6).any(|(_, cidr)| *cidr == destination) {
        let message = format!("cannot remove local route {destination} in route table {id}");
        return fail("InvalidParameterValue", message);
    }
    table.routes.remove(&destination).ok_or_else(|| no_route(kind, &destination, id))?;
    Ok(json!({}))
}

pub fn associate_route_table(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "RouteTableId")?.to_owned();
    let table = world.ec2.route_tables.get(&id).ok_or_else(|| no_table(&id))?;
    let (with, vpc) = match (input.text("SubnetId"), input.text("GatewayId")) {
        (Some(subnet), None) => {
            let found = world.ec2.subnets.get(subnet).ok_or_else(|| super::network::no_subnet(subnet))?;
            (RouteAssociation::Subnet(subnet.to_owned()), found.vpc.clone())
        }
        (None, Some(gateway)) => (RouteAssociation::Gateway(gateway.to_owned()), table.vpc.clone()),
        _ => return fail("MissingParameter", "The request must contain the parameter subnetId or gatewayId"),
    };
    if vpc != table.vpc {
        let message = format!("Route table {id} and the subnet belong to different networks");
        return fail("InvalidParameterValue", message);
    }
    let earlier = world.ec2.route_tables.values().find_map(|table| {
        let found = table.associations.iter().find(|(_, has)| **has == with)?;
        Some((table.id.clone(), found.0.clone()))
    });
    match earlier {
        // The same association again gives the one there is.
        Some((table, association)) if table == id => {
            return Ok(json!({"AssociationId": association, "AssociationState": {"State": "associated"}}));
        }
        Some(_) => {
            let message = format!(
                "the specified association for route table {id} conflicts with an existing association"
            );
            return fail("Resource.AlreadyAssociated", message);
        }
        None => {}
    }
    let association = world.id("rtbassoc");
    let table = world.ec2.route_tables.get_mut(&id).expect("seen above");
    table.associations.insert(association.clone(), with);
    Ok(json!({"AssociationId": association, "AssociationState": {"State": "associated"}}))
}

fn no_association(id: &str) -> ApiError {
    missing("InvalidAssociationID.NotFound", "association", id)
}

pub fn disassociate_route_table(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "AssociationId")?;
    let mut tables = world.ec2.route_tables.values_mut();
    let table = tables.find(|table| table.associations.contains_key(id)).ok_or_else(|| no_association(id))?;
    if table.associations[id] == RouteAssociation::Main {
        let message = format!("cannot disassociate the main route table association {id}");
        return fail("InvalidParameterValue", message);
    }
    table.associations.remove(id);
    Ok(json!({}))
}

/// Moves a subnet, or a VPC's main association, to another table under a new association id.
pub fn replace_route_table_association(world: &mut World, input: &Json) -> Answer {
    let old = need(input, "AssociationId")?;
    let id = need(input, "RouteTableId")?;
    let vpc = world.ec2.route_tables.get(id).ok_or_else(|| no_table(id))?.vpc.clone();
    let new = world.id("rtbassoc");
    let mut tables = world.ec2.route_tables.values_mut();
    let from =
        tables.find(|table| table.associations.contains_key(old)).ok_or_else(|| no_association(old))?;
    if from.vpc != vpc {
        let message = format!("Route table {id} and association {old} belong to different networks");
        return fail("InvalidParameterValue", message);
    }
    // Where it lies already it keeps its id.
    if from.id == id {
        return Ok(json!({"NewAssociationId": old, "AssociationState": {"State": "associated"}}));
    }
    let with = from.associations.remove(old).expect("found above");
    world.ec2.route_tables.get_mut(id).expect("seen above").associations.insert(new.clone(), with);
    Ok(json!({"NewAssociationId": new, "AssociationState": {"State": "associated"}}))
}

//! One file a resource type, and the list of all of them.

mod ec2;
mod ecs;
mod ecs_cluster;
mod eip;
mod internet_gateway;
mod launch_template;
mod nat_gateway;
mod route;
mod route_table;
mod route_table_association;
mod routes;
mod security_group;
mod sg_permissions;
mod sg_rule;
mod subnet;
mod timeouts;
mod vpc;
mod vpc_security_group_egress_rule;
mod vpc_security_group_ingress_rule;

use super::AwsType;

/// Every resource type, sorted by name.
pub static ALL: &[&dyn AwsType] = &[
    &ecs_cluster::EcsCluster,
    &eip::Eip,
    &internet_gateway::InternetGateway,
    &launch_template::LaunchTemplate,
    &nat_gateway::NatGateway,
    &route::Route,
    &route_table::RouteTable,
    &route_table_association::RouteTableAssociation,
    &security_group::SecurityGroup,
    &subnet::Subnet,
    &vpc::Vpc,
    &vpc_security_group_egress_rule::VpcSecurityGroupEgressRule,
    &vpc_security_group_ingress_rule::VpcSecurityGroupIngressRule,
];

pub fn find(name: &str) -> Option<&'static dyn AwsType> {
    ALL.iter().find(|t| t.schema().name == name).copied()
}

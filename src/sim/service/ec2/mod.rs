//! The ec2 part of the embedded AWS.
//!
//! Behaviour follows the EC2 API Reference and the VPC and EC2 User Guides; error codes and messages are
//! AWS's own.

mod failures;
pub mod fresh;
mod gateways;
pub mod images;
mod instance_attributes;
mod instance_types;
mod instances;
mod interfaces;
mod key_pairs;
mod launch_templates;
mod network;
mod network_acls;
mod own_images;
pub mod query;
mod routes;
mod run_instances;
mod security_group_rules;
mod security_groups;
mod snapshots;
mod spot;
pub mod state;
mod tags;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_storage;
mod volumes;
mod zones;

pub use failures::{interrupt_spot, lose_zone};
pub use gateways::jitter;
pub use instance_types::{InstanceType, all as all_types, instance_type};
pub use interfaces::{create_interface, delete_interface, map_public_ip};
pub use launch_templates::{Resolved, overlay, resolve};
pub use run_instances::{LaunchSpec, NO_CAPACITY, launch, launch_in, real_image, spec_from, template_tags};
pub use state::{Instance, InstanceState, Interface, State, Subnet};
pub use zones::{zone_id, zones};

use super::Operations;
use crate::World;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// With the boot it is about.
    InstanceRunning(String, u32),
    InstanceStopped(String, u32),
    InstanceTerminated(String),
    InstanceForgotten(String),
    /// Two minutes after its interruption notice.
    SpotTaken(String),
    NatSettled(String),
    NatDeleted(String),
    NatForgotten(String),
}

pub const OPERATIONS: Operations = &[
    ("AllocateAddress", gateways::allocate_address),
    ("AssignIpv6Addresses", interfaces::assign_ipv6_addresses),
    ("AssignPrivateIpAddresses", interfaces::assign_private_ip_addresses),
    ("AssociateAddress", gateways::associate_address),
    ("AssociateRouteTable", routes::associate_route_table),
    ("AssociateVpcCidrBlock", network::associate_vpc_cidr_block),
    ("AttachInternetGateway", gateways::attach_internet_gateway),
    ("AttachNetworkInterface", interfaces::attach_network_interface),
    ("AttachVolume", volumes::attach_volume),
    ("AuthorizeSecurityGroupEgress", security_group_rules::authorize_egress),
    ("AuthorizeSecurityGroupIngress", security_group_rules::authorize_ingress),
    ("CancelSpotInstanceRequests", spot::cancel_spot_instance_requests),
    ("CopyImage", own_images::copy_image),
    ("CreateDefaultSubnet", network::create_default_subnet),
    ("CreateDefaultVpc", network::create_default_vpc),
    ("CreateImage", own_images::create_image),
    ("CreateInternetGateway", gateways::create_internet_gateway),
    ("CreateKeyPair", key_pairs::create_key_pair),
    ("CreateLaunchTemplate", launch_templates::create_launch_template),
    ("CreateLaunchTemplateVersion", launch_templates::create_launch_template_version),
    ("CreateNatGateway", gateways::create_nat_gateway),
    ("CreateNetworkAcl", network_acls::create_network_acl),
    ("CreateNetworkAclEntry", network_acls::create_network_acl_entry),
    ("CreateNetworkInterface", interfaces::create_network_interface),
    ("CreateRoute", routes::create_route),
    ("CreateRouteTable", routes::create_route_table),
    ("CreateSecurityGroup", security_groups::create_security_group),
    ("CreateSnapshot", snapshots::create_snapshot),
    ("CreateSubnet", network::create_subnet),
    ("CreateTags", tags::create_tags),
    ("CreateVolume", volumes::create_volume),
    ("CreateVpc", network::create_vpc),
    ("DeleteInternetGateway", gateways::delete_internet_gateway),
    ("DeleteKeyPair", key_pairs::delete_key_pair),
    ("DeleteLaunchTemplate", launch_templates::delete_launch_template),
    ("DeleteLaunchTemplateVersions", launch_templates::delete_launch_template_versions),
    ("DeleteNatGateway", gateways::delete_nat_gateway),
    ("DeleteNetworkAcl", network_acls::delete_network_acl),
    ("DeleteNetworkAclEntry", network_acls::delete_network_acl_entry),
    ("DeleteNetworkInterface", interfaces::delete_network_interface),
    ("DeleteRoute", routes::delete_route),
    ("DeleteRouteTable", routes::delete_route_table),
    ("DeleteSecurityGroup", security_groups::delete_security_group),
    ("DeleteSnapshot", snapshots::delete_snapshot),
    ("DeleteSubnet", network::delete_subnet),
    ("DeleteTags", tags::delete_tags),
    ("DeleteVolume", volumes::delete_volume),
    ("DeleteVpc", network::delete_vpc),
    ("DeregisterImage", own_images::deregister_image),
    ("DescribeAccountAttributes", zones::describe_account_attributes),
    ("DescribeAddresses", gateways::describe_addresses),
    ("DescribeAddressesAttribute", gateways::describe_addresses_attribute),
    ("DescribeAvailabilityZones", zones::describe_availability_zones),
    ("DescribeDhcpOptions", network::describe_dhcp_options),
    ("DescribeImageAttribute", own_images::describe_image_attribute),
    ("DescribeImages", images::describe_images),
    ("DescribeInstanceAttribute", instance_attributes::describe_instance_attribute),
    ("DescribeInstanceCreditSpecifications", instance_attributes::describe_instance_credit_specifications),
    ("DescribeInstanceStatus", instances::describe_instance_status),
    ("DescribeInstanceTypeOfferings", instance_types::describe_instance_type_offerings),
    ("DescribeInstanceTypes", instance_types::describe_instance_types),
    ("DescribeInstances", instances::describe_instances),
    ("DescribeInternetGateways", gateways::describe_internet_gateways),
    ("DescribeKeyPairs", key_pairs::describe_key_pairs),
    ("DescribeLaunchTemplateVersions", launch_templates::describe_launch_template_versions),
    ("DescribeLaunchTemplates", launch_templates::describe_launch_templates),
    ("DescribeNatGateways", gateways::describe_nat_gateways),
    ("DescribeNetworkAcls", network_acls::describe_network_acls),
    ("DescribeNetworkInterfaces", interfaces::describe_network_interfaces),
    ("DescribeRegions", zones::describe_regions),
    ("DescribeRouteTables", routes::describe_route_tables),
    ("DescribeSecurityGroupRules", security_group_rules::describe_security_group_rules),
    ("DescribeSecurityGroups", security_groups::describe_security_groups),
    ("DescribeSnapshots", snapshots::describe_snapshots),
    ("DescribeSpotInstanceRequests", spot::describe_spot_instance_requests),
    ("DescribeSubnets", network::describe_subnets),
    ("DescribeTags", tags::describe_tags),
    ("DescribeVolumes", volumes::describe_volumes),
    ("DescribeVolumesModifications", volumes::describe_volumes_modifications),
    ("DescribeVpcAttribute", network::describe_vpc_attribute),
    ("DescribeVpcs", network::describe_vpcs),
    ("DetachInternetGateway", gateways::detach_internet_gateway),
    ("DetachNetworkInterface", interfaces::detach_network_interface),
    ("DetachVolume", volumes::detach_volume),
    ("DisassociateAddress", gateways::disassociate_address),
    ("DisassociateRouteTable", routes::disassociate_route_table),
    ("DisassociateVpcCidrBlock", network::disassociate_vpc_cidr_block),
    ("ImportKeyPair", key_pairs::import_key_pair),
    ("ModifyImageAttribute", own_images::modify_image_attribute),
    ("ModifyInstanceAttribute", instance_attributes::modify_instance_attribute),
    ("ModifyInstanceCreditSpecification", instance_attributes::modify_instance_credit_specification),
    ("ModifyInstanceMetadataOptions", instance_attributes::modify_instance_metadata_options),
    ("ModifyLaunchTemplate", launch_templates::modify_launch_template),
    ("ModifyNetworkInterfaceAttribute", interfaces::modify_network_interface_attribute),
    ("ModifySecurityGroupRules", security_group_rules::modify_security_group_rules),
    ("ModifySubnetAttribute", network::modify_subnet_attribute),
    ("ModifyVolume", volumes::modify_volume),
    ("ModifyVpcAttribute", network::modify_vpc_attribute),
    ("ModifyVpcTenancy", network::modify_vpc_tenancy),
    ("MonitorInstances", instance_attributes::monitor_instances),
    ("RebootInstances", instances::reboot_instances),
    ("RegisterImage", own_images::register_image),
    ("ReleaseAddress", gateways::release_address),
    ("ReplaceNetworkAclAssociation", network_acls::replace_network_acl_association),
    ("ReplaceNetworkAclEntry", network_acls::replace_network_acl_entry),
    ("ReplaceRoute", routes::replace_route),
    ("ReplaceRouteTableAssociation", routes::replace_route_table_association),
    ("ResetImageAttribute", own_images::reset_image_attribute),
    ("RevokeSecurityGroupEgress", security_group_rules::revoke_egress),
    ("RevokeSecurityGroupIngress", security_group_rules::revoke_ingress),
    ("RunInstances", run_instances::run_instances),
    ("StartInstances", instances::start_instances),
    ("StopInstances", instances::stop_instances),
    ("TerminateInstances", instances::terminate_instances),
    ("UnassignIpv6Addresses", interfaces::unassign_ipv6_addresses),
    ("UnassignPrivateIpAddresses", interfaces::unassign_private_ip_addresses),
    ("UnmonitorInstances", instance_attributes::unmonitor_instances),
    ("UpdateSecurityGroupRuleDescriptionsEgress", security_group_rules::describe_egress_anew),
    ("UpdateSecurityGroupRuleDescriptionsIngress", security_group_rules::describe_ingress_anew),
];

pub fn run(world: &mut World, event: Event) {
    match event {
        Event::InstanceRunning(id, boot) => instances::running(world, &id, boot),
        Event::InstanceStopped(id, boot) => instances::stopped(world, &id, boot),
        Event::InstanceTerminated(id) => instances::terminated(world, &id),
        Event::InstanceForgotten(id) => instances::forgotten(world, &id),
        Event::SpotTaken(id) => failures::spot_taken(world, &id),
        Event::NatSettled(id) => gateways::nat_settled(world, &id),
        Event::NatDeleted(id) => gateways::nat_deleted(world, &id),
        Event::NatForgotten(id) => gateways::nat_forgotten(world, &id),
    }
}

/// What a new account has from the start in each region: DHCP options and the default VPC (VPC User Guide,
/// "Default VPCs").
pub fn found(world: &mut World) {
    network::found(world);
    world.aside(|world| network::create_default_vpc(world, &serde_json::Value::Null).expect("there is none"));
}

/// shutting-down now, terminated later. Tells `ecs`, `elbv2` and `autoscaling` at once.
pub fn terminate(world: &mut World, instance_id: &str) {
    instances::terminate(world, instance_id, "Client.UserInitiatedShutdown", "User initiated shutdown");
}

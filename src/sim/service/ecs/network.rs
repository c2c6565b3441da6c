//! What ECS and Elastic Load Balancing ask of EC2: subnets, hosts, network interfaces.

use crate::World;
use crate::service::{ApiError, ec2};
use std::collections::BTreeMap;

pub struct Subnet {
    pub vpc_id: String,
    pub zone: String,
}

/// An EC2 instance as ECS sees it.
pub struct Host {
    pub instance_type: String,
    pub vpc_id: Option<String>,
    pub subnet_id: String,
    pub zone: String,
    pub image_id: String,
    pub user_data: String,
    pub running: bool,
    pub vcpus: i64,
    pub memory_mib: i64,
    /// How many network interfaces the type can carry, its own among them.
    pub interfaces: i64,
    pub architecture: String,
    pub tags: BTreeMap<String, String>,
}

pub fn subnet(world: &World, id: &str) -> Option<Subnet> {
    let subnet = world.ec2.subnets.get(id)?;
    Some(Subnet { vpc_id: subnet.vpc.clone(), zone: subnet.zone.clone() })
}

pub fn vpc_exists(world: &World, id: &str) -> bool {
    world.ec2.vpcs.contains_key(id)
}

pub fn security_group_exists(world: &World, id: &str) -> bool {
    world.ec2.security_groups.contains_key(id)
}

pub fn default_security_group(world: &World, vpc: &str) -> Option<String> {
    let mut groups = world.ec2.security_groups.values();
    groups.find(|group| group.vpc == vpc && group.name == "default").map(|group| group.id.clone())
}

pub fn create_interface(
    world: &mut World,
    subnet: &str,
    groups: &[String],
    description: &str,
) -> Result<ec2::Interface, ApiError> {
    ec2::create_interface(world, subnet, description, groups)
}

pub fn map_public_ip(world: &mut World, id: &str) {
    ec2::map_public_ip(world, id);
}

pub fn set_interface_groups(world: &mut World, id: &str, groups: &[String]) {
    if let Some(interface) = world.ec2.interfaces.get_mut(id) {
        interface.groups = groups.to_vec();
    }
}

pub fn release_interface(world: &mut World, id: &str) {
    ec2::delete_interface(world, id);
}

/// None for an instance that is not known, or on its way out.
pub fn host(world: &World, id: &str) -> Option<Host> {
    let instance = world.ec2.instances.get(id).filter(|instance| instance.state.lives())?;
    let kind = ec2::instance_type(&instance.spec.instance_type)?;
    Some(Host {
        instance_type: kind.name.clone(),
        vpc_id: Some(instance.vpc.clone()),
        subnet_id: instance.spec.subnet_id.clone(),
        zone: instance.zone.clone(),
        image_id: instance.spec.image_id.clone(),
        user_data: instance.spec.user_data.clone(),
        running: instance.state == ec2::InstanceState::Running,
        vcpus: kind.vcpus,
        memory_mib: kind.memory_mib,
        interfaces: kind.interfaces,
        architecture: kind.arch.to_owned(),
        tags: world.ec2.tags.get(id).cloned().unwrap_or_default(),
    })
}

/// The availability zone of a target: an instance, or a task's address.
pub fn zone_of(world: &World, id: &str) -> Option<String> {
    let instance = world.ec2.instances.get(id);
    instance.map(|instance| instance.zone.clone()).or_else(|| world.ecs.zone_of_address(id))
}

//! What ECS and Elastic Load Balancing ask of EC2: subnets, hosts, network interfaces.

use crate::sim::World;
use crate::sim::service::ApiError;
use std::collections::BTreeMap;

pub struct Subnet {
    pub vpc_id: String,
    pub zone: String,
}

pub struct Interface {
    pub id: String,
    pub private_ip: String,
    pub mac: String,
}

/// An EC2 instance as ECS sees it.
pub struct Host {
    pub instance_type: String,
    pub vpc_id: Option<String>,
    pub subnet_id: String,
    pub zone: String,
    pub image_id: String,
    pub user_data: String,
    pub has_profile: bool,
    pub running: bool,
    pub vcpus: i64,
    pub memory_mib: i64,
    /// How many network interfaces the type can carry, its own among them.
    pub interfaces: i64,
    pub architecture: String,
    pub tags: BTreeMap<String, String>,
}

pub fn subnet(_world: &World, id: &str) -> Option<Subnet> {
    let zone = char::from(b'a' + id.bytes().last()? % 3);
    Some(Subnet { vpc_id: "vpc-1".into(), zone: format!("us-east-1{zone}") })
}

pub fn vpc_exists(_world: &World, _id: &str) -> bool {
    true
}

pub fn security_group_exists(_world: &World, _id: &str) -> bool {
    true
}

pub fn default_security_group(_world: &World, _vpc: &str) -> Option<String> {
    None
}

pub fn create_interface(
    world: &mut World,
    _subnet: &str,
    _groups: &[String],
    _description: &str,
    _requester: &str,
) -> Result<Interface, ApiError> {
    let id = world.id("eni");
    let n = world.random() % 60_000;
    Ok(Interface {
        id,
        private_ip: format!("10.0.{}.{}", n / 250, 4 + n % 250),
        mac: "02:00:00:00:00:01".into(),
    })
}

pub fn set_interface_groups(_world: &mut World, _id: &str, _groups: &[String]) {}

pub fn release_interface(_world: &mut World, _id: &str) {}

pub fn host(_world: &World, _id: &str) -> Option<Host> {
    None
}

/// The availability zone of a target: an instance, or a task's address.
pub fn zone_of(world: &World, id: &str) -> Option<String> {
    host(world, id).map(|host| host.zone).or_else(|| world.ecs.zone_of_address(id))
}

pub fn map_public_ip(_world: &mut World, _id: &str) {}

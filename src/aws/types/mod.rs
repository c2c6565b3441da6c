//! One file a resource type, and the list of all of them.

mod ec2;
mod ecs;
mod ecs_cluster;
mod timeouts;
mod vpc;

use super::AwsType;

/// Every resource type, sorted by name.
pub static ALL: &[&dyn AwsType] = &[&ecs_cluster::EcsCluster, &vpc::Vpc];

pub fn find(name: &str) -> Option<&'static dyn AwsType> {
    ALL.iter().find(|t| t.schema().name == name).copied()
}

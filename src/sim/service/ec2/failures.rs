//! What befalls instances without anybody's call: zones fail, spot capacity is taken back.

use super::state::InstanceState;
use super::{Event, instances};
use crate::World;
use crate::service::{autoscaling, ecs, events};
use crate::world::{self, MINUTE, Millis};
use serde_json::json;

/// "A Spot Instance interruption notice is a warning that is issued two minutes before" (EC2 User Guide).
const NOTICE: Millis = 2 * MINUTE;

/// Every instance of the zone is gone at once. In AWS they would be out of reach, which to everybody else
/// (load balancer, cluster, group) looks the same.
pub fn lose_zone(world: &mut World, zone: &str) {
    let in_zone = world.ec2.instances.values().filter(|one| one.zone == zone && one.state.lives());
    let ids: Vec<String> = in_zone.map(|one| one.id.clone()).collect();
    for id in ids {
        instances::terminate(world, &id, "Server.InternalError", "The Availability Zone failed");
    }
    ecs::zone_lost(world, zone);
}

/// A share of the spot instances, rounded up, gets its notice.
pub fn interrupt_spot(world: &mut World, share: f64) {
    let spot = |one: &&super::Instance| one.spec.spot && one.state == InstanceState::Running;
    let mut ids: Vec<String> = world.ec2.instances.values().filter(spot).map(|one| one.id.clone()).collect();
    let count = (ids.len() as f64 * share.clamp(0.0, 1.0)).ceil() as usize;
    for _ in 0..count.min(ids.len()) {
        let id = ids.swap_remove((world.random() % ids.len() as u64) as usize);
        let now = world.now;
        if let Some(instance) = world.ec2.instances.get_mut(&id) {
            instance.spot_notice = Some(now);
        }
        world.schedule(NOTICE, world::Event::Ec2(Event::SpotTaken(id.clone())));
        world.tell("ec2", "instance", &id, "spot-interruption-notice", None);
        let arn = world.arn("ec2", &format!("instance/{id}"));
        let detail = || json!({"instance-id": id, "instance-action": "terminate"});
        events::put(world, "aws.ec2", "EC2 Spot Instance Interruption Warning", &[arn], detail);
        ecs::spot_noticed(world, &id);
        autoscaling::spot_noticed(world, &id);
    }
}

pub(super) fn spot_taken(world: &mut World, id: &str) {
    instances::terminate(world, id, "Server.SpotInstanceTermination", "Spot instance termination");
}

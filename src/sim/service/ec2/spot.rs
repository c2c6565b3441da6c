//! Spot requests, as launches make them: one an instance. Its status tells of an interruption before it happens.

use super::query::{Listing, describe, lean, missing};
use super::state::{Instance, InstanceState};
use crate::World;
use crate::service::{Answer, Input};
use serde_json::{Value as Json, json};

/// A request's id is made of its instance's.
pub fn request_id(instance: &str) -> String {
    format!("sir-{}", &instance[instance.len().saturating_sub(8)..])
}

/// Code and message (EC2 User Guide, "Spot request status codes").
fn status(instance: &Instance) -> (&'static str, &'static str) {
    let by_spot = instance.reason.as_ref().is_some_and(|(code, _)| code == "Server.SpotInstanceTermination");
    match instance.state {
        InstanceState::Pending => ("pending-fulfillment", "Your Spot request is pending fulfillment."),
        InstanceState::ShuttingDown | InstanceState::Terminated if by_spot => (
            "instance-terminated-no-capacity",
            "Your Spot instance was terminated because there is no longer enough Spot capacity available.",
        ),
        InstanceState::ShuttingDown | InstanceState::Terminated => (
            "instance-terminated-by-user",
            "Your Spot instance was terminated due to user-initiated termination.",
        ),
        _ if instance.spot_notice.is_some() => {
            ("marked-for-termination", "Your Spot instance is marked for termination.")
        }
        _ => ("fulfilled", "Your Spot request is fulfilled."),
    }
}

fn request_json(world: &World, instance: &Instance) -> Json {
    let (code, message) = status(instance);
    let state = match instance.state {
        InstanceState::Pending => "open",
        InstanceState::ShuttingDown | InstanceState::Terminated => "closed",
        _ => "active",
    };
    lean(json!({
        "SpotInstanceRequestId": request_id(&instance.id), "InstanceId": instance.id, "Type": "one-time",
        "State": state, "CreateTime": World::timestamp(instance.launched), "ProductDescription": "Linux/UNIX",
        "Status": {
            "Code": code, "Message": message,
            "UpdateTime": World::timestamp(instance.spot_notice.unwrap_or(instance.launched)),
        },
        "LaunchedAvailabilityZone": instance.zone, "InstanceInterruptionBehavior": "terminate",
        "LaunchSpecification": {
            "ImageId": instance.spec.image_id, "InstanceType": instance.spec.instance_type,
            "SubnetId": instance.spec.subnet_id, "KeyName": instance.spec.key_name,
            "SecurityGroups": super::interfaces::groups_json(world, &instance.spec.security_group_ids),
            "Placement": {"AvailabilityZone": instance.zone}, "Monitoring": {"Enabled": instance.spec.monitoring},
        },
        "Tags": [],
    }))
}

pub fn describe_spot_instance_requests(world: &mut World, input: &Json) -> Answer {
    let spot = world.ec2.instances.values().filter(|instance| instance.spec.spot);
    let all: Vec<(String, Json)> =
        spot.map(|instance| (request_id(&instance.id), request_json(world, instance))).collect();
    let listing = Listing {
        ids: "SpotInstanceRequestIds",
        filters: "Filters",
        output: "SpotInstanceRequests",
        missing: |id| missing("InvalidSpotInstanceRequestID.NotFound", "spot instance request", id),
        table: &[
            ("instance-id", "InstanceId"),
            ("launch.image-id", "LaunchSpecification.ImageId"),
            ("launch.instance-type", "LaunchSpecification.InstanceType"),
            ("launched-availability-zone", "LaunchedAvailabilityZone"),
            ("spot-instance-request-id", "SpotInstanceRequestId"),
            ("state", "State"),
            ("status-code", "Status.Code"),
            ("type", "Type"),
        ],
    };
    let find = |id: &str| all.iter().find(|(known, _)| known == id).map(|(_, json)| json.clone());
    describe(input, &listing, all.iter().map(|(id, _)| id), find)
}

pub fn cancel_spot_instance_requests(world: &mut World, input: &Json) -> Answer {
    let mut cancelled = Vec::new();
    for id in input.texts("SpotInstanceRequestIds") {
        let known = world.ec2.instances.values().any(|one| one.spec.spot && request_id(&one.id) == id);
        if !known {
            return Err(missing("InvalidSpotInstanceRequestID.NotFound", "spot instance request", id));
        }
        // "Canceling a Spot Instance request does not terminate running Spot Instances" (API reference).
        cancelled.push(json!({"SpotInstanceRequestId": id, "State": "cancelled"}));
    }
    Ok(json!({"CancelledSpotInstanceRequests": cancelled}))
}

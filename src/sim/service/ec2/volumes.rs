//! Volumes, as instances have them.

use super::query::{Listing, describe, lean, missing, tags_of};
use crate::World;
use crate::service::Answer;
use serde_json::{Value as Json, json};

fn volume_json(world: &World, id: &str) -> Option<Json> {
    let volume = world.ec2.volumes.get(id)?;
    let attachments: Vec<Json> = volume
        .instance
        .iter()
        .map(|instance| {
            json!({
                "InstanceId": instance, "VolumeId": id, "Device": volume.device, "State": "attached",
                "AttachTime": World::timestamp(volume.created),
                "DeleteOnTermination": volume.delete_on_termination,
            })
        })
        .collect();
    Some(lean(json!({
        "VolumeId": id, "Size": volume.size, "VolumeType": volume.kind, "Encrypted": volume.encrypted,
        "KmsKeyId": volume.kms_key, "Iops": volume.iops, "Throughput": volume.throughput,
        "SnapshotId": volume.snapshot.as_deref().unwrap_or_default(), "AvailabilityZone": volume.zone,
        "State": if attachments.is_empty() { "available" } else { "in-use" },
        "CreateTime": World::timestamp(volume.created), "MultiAttachEnabled": false,
        "Attachments": attachments, "Tags": tags_of(world, id),
    })))
}

pub fn describe_volumes(world: &mut World, input: &Json) -> Answer {
    let listing = Listing {
        ids: "VolumeIds",
        filters: "Filters",
        output: "Volumes",
        missing: |id| missing("InvalidVolume.NotFound", "volume", id),
        table: &[
            ("attachment.delete-on-termination", "Attachments.DeleteOnTermination"),
            ("attachment.device", "Attachments.Device"),
            ("attachment.instance-id", "Attachments.InstanceId"),
            ("attachment.status", "Attachments.State"),
            ("availability-zone", "AvailabilityZone"),
            ("encrypted", "Encrypted"),
            ("size", "Size"),
            ("snapshot-id", "SnapshotId"),
            ("status", "State"),
            ("volume-id", "VolumeId"),
            ("volume-type", "VolumeType"),
        ],
    };
    describe(input, &listing, world.ec2.volumes.keys(), |id| volume_json(world, id))
}

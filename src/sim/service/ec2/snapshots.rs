//! Snapshots of volumes.

use super::query::{Listing, check_tags, describe, fail, lean, need, tag_new, tags_of};
use super::state::Snapshot;
use crate::World;
use crate::service::{Answer, ApiError, Input};
use crate::world::{Millis, SECOND};
use serde_json::{Value as Json, json};

/// pending → completed: minutes in AWS, by how much there is to copy.
const COMPLETES: Millis = 60 * SECOND;

fn no_snapshot(id: &str) -> ApiError {
    ApiError::new("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."))
}

/// Own, or a public image's.
pub fn known(world: &World, id: &str) -> Result<(), ApiError> {
    let known = world.ec2.snapshots.contains_key(id) || super::images::has_snapshot(id);
    if known { Ok(()) } else { Err(no_snapshot(id)) }
}

/// A snapshot of a volume as it is now.
pub fn take(world: &mut World, volume: &str, description: &str) -> Result<String, ApiError> {
    let id = world.id("snap");
    let after = COMPLETES + super::jitter(world, 60);
    let source = world.ec2.volumes.get(volume).ok_or_else(|| super::volumes::no_volume(volume))?;
    let snapshot = Snapshot {
        id: id.clone(),
        volume: volume.to_owned(),
        size: source.size,
        description: description.to_owned(),
        encrypted: source.encrypted,
        kms_key: source.kms_key.clone(),
        started: world.now,
        complete: world.now + after,
    };
    world.ec2.snapshots.insert(id.clone(), snapshot);
    Ok(id)
}

fn snapshot_json(world: &World, id: &str) -> Option<Json> {
    let snapshot = world.ec2.snapshots.get(id)?;
    let done = world.now >= snapshot.complete;
    Some(lean(json!({
        "SnapshotId": id, "VolumeId": snapshot.volume, "VolumeSize": snapshot.size, "OwnerId": world.account,
        "Description": snapshot.description, "Encrypted": snapshot.encrypted, "KmsKeyId": snapshot.kms_key,
        "StartTime": World::timestamp(snapshot.started), "State": if done { "completed" } else { "pending" },
        "Progress": if done { "100%" } else { "0%" }, "StorageTier": "standard", "Tags": tags_of(world, id),
    })))
}

pub fn create_snapshot(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["snapshot"])?;
    let volume = need(input, "VolumeId")?;
    let id = take(world, volume, input.text("Description").unwrap_or_default())?;
    tag_new(world, input, "snapshot", &id);
    Ok(snapshot_json(world, &id).expect("just made"))
}

pub fn describe_snapshots(world: &mut World, input: &Json) -> Answer {
    let listing = Listing {
        ids: "SnapshotIds",
        filters: "Filters",
        output: "Snapshots",
        missing: no_snapshot,
        table: &[
            ("description", "Description"),
            ("encrypted", "Encrypted"),
            ("owner-id", "OwnerId"),
            ("snapshot-id", "SnapshotId"),
            ("start-time", "StartTime"),
            ("status", "State"),
            ("volume-id", "VolumeId"),
            ("volume-size", "VolumeSize"),
        ],
    };
    let owners = input.texts("OwnerIds");
    let ours = owners.is_empty() || owners.iter().any(|owner| *owner == "self" || *owner == world.account);
    describe(input, &listing, world.ec2.snapshots.keys().filter(|_| ours), |id| snapshot_json(world, id))
}

pub fn delete_snapshot(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "SnapshotId")?;
    if !world.ec2.snapshots.contains_key(id) {
        return Err(no_snapshot(id));
    }
    let user = world.ec2.images.values().find(|image| image.uses(id));
    if let Some(image) = user {
        let message = format!("The snapshot {id} is currently in use by {}", image.id);
        return fail("InvalidSnapshot.InUse", message);
    }
    world.ec2.snapshots.remove(id);
    world.ec2.tags.remove(id);
    Ok(json!({}))
}

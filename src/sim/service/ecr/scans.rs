//! Scans of images. What they find is nothing: no layers are kept that could hold anything.

use super::*;
use crate::world::{MINUTE, SECOND};

/// How long a scan takes; the API only says that it is asynchronous.
const DURATION: Millis = 20 * SECOND;
/// "An image can only be scanned once per 24 hours" (user guide, basic scanning).
const PAUSE: Millis = 24 * 60 * MINUTE;

fn is_done(now: Millis, started: Millis) -> bool {
    now >= started + DURATION
}

/// None for an image that was never scanned.
pub(super) fn status(now: Millis, image: &Image) -> Option<Json> {
    let started = image.scanned?;
    Some(if is_done(now, started) {
        json!({ "status": "COMPLETE", "description": "The scan was completed successfully." })
    } else {
        json!({ "status": "IN_PROGRESS" })
    })
}

fn image<'a>(world: &'a World, input: &Json) -> Result<&'a Image, ApiError> {
    let repository = find(world, input)?;
    let id = input.get("imageId").unwrap_or(&Json::Null);
    let part = |name: &str| id.text(name).unwrap_or("null").to_owned();
    images::resolve(repository, id)
        .map_err(|_| images::no_image(&part("imageDigest"), &part("imageTag"), repository, &world.account))
}

fn named(world: &World, input: &Json, image: &Image) -> Json {
    let mut id = json!({ "imageDigest": image.digest });
    if let Some(tag) = input.get("imageId").and_then(|id| id.text("imageTag")) {
        id["imageTag"] = json!(tag);
    }
    json!({ "registryId": world.account, "repositoryName": input.text("repositoryName"), "imageId": id })
}

pub fn start(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let found = image(world, input)?;
    if found.scanned.is_some_and(|at| now < at + PAUSE) {
        let message = "The scan quota per image has been exceeded. Wait and try again.";
        return Err(ApiError::new("LimitExceededException", message));
    }
    let mut answer = named(world, input, found);
    answer["imageScanStatus"] = json!({ "status": "IN_PROGRESS" });
    let digest = found.digest.clone();
    if let Some(image) = find_mut(world, input)?.images.get_mut(&digest) {
        image.scanned = Some(now);
    }
    Ok(answer)
}

pub fn findings(world: &mut World, input: &Json) -> Answer {
    let found = image(world, input)?;
    let Some(started) = found.scanned else {
        let part =
            |name: &str| input.get("imageId").and_then(|id| id.text(name)).unwrap_or("null").to_owned();
        let message = format!(
            "Image scan does not exist for the image with '{{imageDigest:'{}', imageTag:'{}'}}' in the repository \
             with name '{}' in the registry with id '{}'",
            part("imageDigest"),
            part("imageTag"),
            input.text("repositoryName").unwrap_or_default(),
            world.account
        );
        return Err(ApiError::new("ScanNotFoundException", message));
    };
    let mut answer = named(world, input, found);
    answer["imageScanStatus"] = status(world.now, found).unwrap_or_default();
    if is_done(world.now, started) {
        answer["imageScanFindings"] = json!({
            "imageScanCompletedAt": World::timestamp(started + DURATION),
            "vulnerabilitySourceUpdatedAt": World::timestamp(started),
            "findings": [],
            "findingSeverityCounts": {},
        });
    }
    Ok(answer)
}

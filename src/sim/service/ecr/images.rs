//! Images: manifests by digest, and the tags on them. Layers are not kept.

use super::*;
use crate::service::tree::Output;
use globset::Glob;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The digest of what a reference (`registry/name:tag` or `registry/name@sha256:…`) names in this
/// account's registry. None for other registries and for images that are not there.
pub fn find_image(world: &World, reference: &str) -> Option<String> {
    let host = uri(world, "");
    let rest = reference.strip_prefix(&host)?;
    if let Some((name, digest)) = rest.split_once('@') {
        return world.ecr.repositories.get(name)?.images.contains_key(digest).then(|| digest.to_owned());
    }
    let (name, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
    let images = world.ecr.repositories.get(name)?.images.values();
    images.filter(|image| image.tags.contains(tag)).map(|image| image.digest.clone()).next()
}

fn immutable(repository: &Repository, tag: &str) -> bool {
    let excluded = repository
        .exclusion_filters
        .iter()
        .any(|filter| Glob::new(filter).is_ok_and(|glob| glob.compile_matcher().is_match(tag)));
    match repository.mutability.as_str() {
        "IMMUTABLE" => true,
        "IMMUTABLE_WITH_EXCLUSION" => !excluded,
        "MUTABLE_WITH_EXCLUSION" => excluded,
        _ => false,
    }
}

pub fn put(world: &mut World, input: &Json) -> Answer {
    let manifest = input.text("imageManifest").unwrap_or_default();
    let account = world.account.clone();
    let now = world.now;
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(manifest)));
    let scans = repositories::scans_on_push(world, find(world, input)?);
    let repository = find_mut(world, input)?;
    let name = repository.name.clone();
    if input.text("imageDigest").is_some_and(|given| given != digest) {
        return Err(ApiError::new(
            "ImageDigestDoesNotMatchException",
            format!("The calculated digest '{digest}' does not match the specified image digest"),
        ));
    }
    let media_type = media_type(input, manifest);
    if media_type.is_none() {
        return Err(invalid("image manifest mediatype not provided in manifest or parameter"));
    }
    let tag = input.text("imageTag");
    let there = repository.images.get(&digest);
    let same = there.is_some_and(|image| tag.is_none_or(|tag| image.tags.contains(tag)));
    if same {
        return Err(ApiError::new(
            "ImageAlreadyExistsException",
            format!(
                "Image with digest '{digest}' and tag '{}' already exists in the repository with name \
                 '{name}' in registry with id '{account}'",
                tag.unwrap_or("null")
            ),
        ));
    }
    if let Some(tag) = tag {
        let taken = repository.images.values().any(|image| image.tags.contains(tag));
        if taken && immutable(repository, tag) {
            return Err(ApiError::new(
                "ImageTagAlreadyExistsException",
                format!(
                    "The image tag '{tag}' already exists in the '{name}' repository and cannot be \
                     overwritten because the tag is immutable."
                ),
            ));
        }
        for image in repository.images.values_mut() {
            image.tags.remove(tag);
        }
    }
    let image = repository.images.entry(digest.clone()).or_insert_with(|| Image {
        digest: digest.clone(),
        tags: BTreeSet::new(),
        manifest: manifest.to_owned(),
        media_type,
        pushed: now,
        pulled: None,
        scanned: scans.then_some(now),
    });
    image.tags.extend(tag.map(str::to_owned));
    Ok(json!({ "image": image_json(&account, &name, image, tag) }))
}

fn media_type(input: &Json, manifest: &str) -> Option<String> {
    if let Some(given) = input.text("imageManifestMediaType") {
        return Some(given.to_owned());
    }
    serde_json::from_str::<Json>(manifest).ok()?.text("mediaType").map(str::to_owned)
}

fn image_json(account: &str, repository: &str, image: &Image, tag: Option<&str>) -> Json {
    json!({
        "registryId": account,
        "repositoryName": repository,
        "imageId": id_json(&image.digest, tag),
        "imageManifest": image.manifest,
    })
    .with("imageManifestMediaType", image.media_type.clone())
}

fn id_json(digest: &str, tag: Option<&str>) -> Json {
    json!({ "imageDigest": digest }).with("imageTag", tag)
}

/// The image that an imageId names; else why not, as the batch calls put it.
pub(super) fn resolve<'a>(
    repository: &'a Repository,
    id: &Json,
) -> Result<&'a Image, (&'static str, &'static str)> {
    let by_tag = |tag: &str| repository.images.values().find(|image| image.tags.contains(tag));
    let missing = ("ImageNotFound", "Requested image not found");
    match (id.text("imageDigest"), id.text("imageTag")) {
        (None, None) => {
            Err(("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"))
        }
        (Some(digest), None) => repository.images.get(digest).ok_or(missing),
        (None, Some(tag)) => by_tag(tag).ok_or(missing),
        (Some(digest), Some(tag)) => match by_tag(tag) {
            Some(image) if image.digest == digest => Ok(image),
            Some(_) => Err(("ImageTagDoesNotMatchDigest", "Image tag does not match digest")),
            None => Err(missing),
        },
    }
}

fn failure(id: &Json, (code, reason): (&str, &str)) -> Json {
    json!({ "imageId": id, "failureCode": code, "failureReason": reason })
}

/// Reading a manifest is how an image is pulled.
fn pull(world: &mut World, input: &Json) -> Result<(), ApiError> {
    let now = world.now;
    let repository = find_mut(world, input)?;
    let wanted =
        input.list("imageIds").iter().filter_map(|id| Some(resolve(repository, id).ok()?.digest.clone()));
    for digest in wanted.collect::<Vec<_>>() {
        if let Some(image) = repository.images.get_mut(&digest) {
            image.pulled = Some(now);
        }
    }
    Ok(())
}

pub fn batch_get(world: &mut World, input: &Json) -> Answer {
    pull(world, input)?;
    let repository = find(world, input)?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in input.list("imageIds") {
        match resolve(repository, id) {
            Ok(image) => {
                images.push(image_json(&world.account, &repository.name, image, id.text("imageTag")));
            }
            Err(why) => failures.push(failure(id, why)),
        }
    }
    Ok(json!({ "images": images, "failures": failures }))
}

/// By tag: the tag goes, and the image with its last tag. By digest: the image and all its tags.
pub fn batch_delete(world: &mut World, input: &Json) -> Answer {
    let repository = find_mut(world, input)?;
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for id in input.list("imageIds") {
        let digest = match resolve(repository, id) {
            Ok(image) => image.digest.clone(),
            Err(why) => {
                failures.push(failure(id, why));
                continue;
            }
        };
        let Some(image) = repository.images.get_mut(&digest) else { continue };
        let by_digest = id.text("imageDigest").is_some();
        let gone: Vec<String> = match id.text("imageTag") {
            Some(tag) if !by_digest => vec![tag.to_owned()],
            _ => image.tags.iter().cloned().collect(),
        };
        if gone.is_empty() {
            deleted.push(id_json(&digest, None));
        }
        for tag in gone {
            image.tags.remove(&tag);
            deleted.push(id_json(&digest, Some(&tag)));
        }
        if image.tags.is_empty() {
            repository.images.remove(&digest);
        }
    }
    Ok(json!({ "imageIds": deleted, "failures": failures }))
}

/// Oldest first: an order that does not tell of the digests.
pub(super) fn by_push(repository: &Repository) -> Vec<&Image> {
    let mut images: Vec<&Image> = repository.images.values().collect();
    images.sort_by_key(|image| image.pushed);
    images
}

fn status_fits(input: &Json, image: &Image) -> bool {
    match input.get("filter").and_then(|filter| filter.text("tagStatus")) {
        Some("TAGGED") => !image.tags.is_empty(),
        Some("UNTAGGED") => image.tags.is_empty(),
        _ => true,
    }
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let repository = find(world, input)?;
    let mut ids = Vec::new();
    for image in by_push(repository).into_iter().filter(|image| status_fits(input, image)) {
        if image.tags.is_empty() {
            ids.push(id_json(&image.digest, None));
        }
        ids.extend(image.tags.iter().map(|tag| id_json(&image.digest, Some(tag))));
    }
    let (ids, next) = page(ids, input.text("nextToken"), limit(input));
    Ok(json!({ "imageIds": ids }).with("nextToken", next))
}

pub(super) fn no_image(digest: &str, tag: &str, repository: &Repository, account: &str) -> ApiError {
    let name = &repository.name;
    let message = format!(
        "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the repository \
         with name '{name}' in the registry with id '{account}'"
    );
    ApiError::new("ImageNotFoundException", message)
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let repository = find(world, input)?;
    let wanted = input.list("imageIds");
    let images: Vec<&Image> = if wanted.is_empty() {
        by_push(repository).into_iter().filter(|image| status_fits(input, image)).collect()
    } else {
        let found: Result<_, _> = wanted.iter().map(|id| resolve(repository, id).map_err(|_| id)).collect();
        found.map_err(|id: &Json| {
            let part = |name| id.text(name).unwrap_or("null").to_owned();
            no_image(&part("imageDigest"), &part("imageTag"), repository, &world.account)
        })?
    };
    let details = images
        .into_iter()
        .map(|image| {
            json!({
                "registryId": world.account,
                "repositoryName": repository.name,
                "imageDigest": image.digest,
                "imagePushedAt": World::timestamp(image.pushed),
            })
            .with("imageTags", (!image.tags.is_empty()).then(|| json!(image.tags)))
            .with("imageManifestMediaType", image.media_type.clone())
            .with("imageSizeInBytes", size_bytes(&image.manifest))
            .with("lastRecordedPullTime", image.pulled.map(World::timestamp))
            .with("imageScanStatus", scans::status(world.now, image))
        })
        .collect();
    let (details, next) = page(details, input.text("nextToken"), limit(input));
    Ok(json!({ "imageDetails": details }).with("nextToken", next))
}

/// The sum of the layers that the manifest names; a list of manifests names none.
fn size_bytes(manifest: &str) -> Option<i64> {
    let manifest: Json = serde_json::from_str(manifest).ok()?;
    manifest.get("layers")?;
    Some(manifest.list("layers").iter().filter_map(|layer| layer.int("size")).sum())
}

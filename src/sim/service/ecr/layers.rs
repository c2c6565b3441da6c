//! Layers, as a client pushes them: their bytes are looked at once, for their digest, and then forgotten.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Upload {
    repository: String,
    /// What came so far, in hexadecimal.
    bytes: String,
}

/// API reference: the default, and recommended, size of a part.
const PART: i64 = 10 * 1024 * 1024;

pub fn initiate(world: &mut World, input: &Json) -> Answer {
    let repository = find(world, input)?.name.clone();
    let id = world.uuid();
    world.ecr.uploads.insert(id.clone(), Upload { repository, bytes: String::new() });
    Ok(json!({ "uploadId": id, "partSize": PART }))
}

fn no_upload(id: &str, repository: &str) -> ApiError {
    let message =
        format!("The upload with id '{id}' could not be found in the repository with name '{repository}'");
    ApiError::new("UploadNotFoundException", message)
}

fn upload_of<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Upload, ApiError> {
    let name = find(world, input)?.name.clone();
    let id = input.text("uploadId").unwrap_or_default();
    let upload = world.ecr.uploads.get_mut(id).filter(|upload| upload.repository == name);
    upload.ok_or_else(|| no_upload(id, &name))
}

pub fn upload(world: &mut World, input: &Json) -> Answer {
    let account = world.account.clone();
    let upload = upload_of(world, input)?;
    let there = upload.bytes.len() as i64 / 2;
    if input.int("partFirstByte") != Some(there) {
        let message = format!("The layer part must start at byte {there}");
        return Err(ApiError::new("InvalidLayerPartException", message));
    }
    let part = BASE64.decode(input.text("layerPartBlob").unwrap_or_default()).unwrap_or_default();
    upload.bytes += &hex::encode(&part);
    let last = there + part.len() as i64 - 1;
    Ok(json!({
        "registryId": account,
        "repositoryName": upload.repository,
        "uploadId": input.text("uploadId"),
        "lastByteReceived": last,
    }))
}

pub fn complete(world: &mut World, input: &Json) -> Answer {
    let account = world.account.clone();
    let upload = upload_of(world, input)?;
    let bytes = hex::decode(&upload.bytes).unwrap_or_default();
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
    if bytes.is_empty() {
        return Err(ApiError::new(
            "EmptyUploadException",
            "The specified layer upload does not contain any layer parts.",
        ));
    }
    if !input.texts("layerDigests").contains(&digest.as_str()) {
        let message = format!("The digest of the uploaded layer, {digest}, is none of those specified");
        return Err(ApiError::new("InvalidLayerException", message));
    }
    let id = input.text("uploadId").unwrap_or_default();
    world.ecr.uploads.remove(id);
    let repository = find_mut(world, input)?;
    if repository.layers.insert(digest.clone(), bytes.len() as i64).is_some() {
        let message = format!("Layer with digest '{digest}' already exists in the repository");
        return Err(ApiError::new("LayerAlreadyExistsException", message));
    }
    Ok(json!({
        "registryId": account,
        "repositoryName": repository.name,
        "uploadId": id,
        "layerDigest": digest,
    }))
}

/// Layers that came with an image's manifest are taken to be there.
fn size(repository: &Repository, digest: &str) -> Option<i64> {
    if let Some(size) = repository.layers.get(digest) {
        return Some(*size);
    }
    repository.images.values().find_map(|image| {
        let manifest: Json = serde_json::from_str(&image.manifest).ok()?;
        let layers = manifest.list("layers").iter().chain(manifest.get("config"));
        layers.filter(|layer| layer.text("digest") == Some(digest)).find_map(|layer| layer.int("size"))
    })
}

pub fn check(world: &mut World, input: &Json) -> Answer {
    let repository = find(world, input)?;
    let wellformed = |digest: &&str| digest.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64);
    let (digests, wrong): (Vec<&str>, Vec<&str>) =
        input.texts("layerDigests").into_iter().partition(wellformed);
    let failures = wrong.into_iter().map(|digest| {
        json!({
            "layerDigest": digest,
            "failureCode": "InvalidLayerDigest",
            "failureReason": format!("The layer digest '{digest}' is invalid"),
        })
    });
    let layers = digests.into_iter().map(|digest| match size(repository, digest) {
        Some(size) => json!({
            "layerDigest": digest,
            "layerAvailability": "AVAILABLE",
            "layerSize": size,
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
        }),
        None => json!({ "layerDigest": digest, "layerAvailability": "UNAVAILABLE" }),
    });
    Ok(json!({ "layers": layers.collect::<Json>(), "failures": failures.collect::<Json>() }))
}

pub fn download_url(world: &mut World, input: &Json) -> Answer {
    let repository = find(world, input)?;
    let digest = input.text("layerDigest").unwrap_or_default();
    if size(repository, digest).is_none() {
        let message = format!(
            "The layer with digest '{digest}' could not be found in the repository with name '{}' in the registry \
             with id '{}'",
            repository.name, world.account
        );
        return Err(ApiError::new("LayersNotFoundException", message));
    }
    let url = format!("https://{}/blobs/{digest}", uri(world, &repository.name));
    Ok(json!({ "downloadUrl": url, "layerDigest": digest }))
}

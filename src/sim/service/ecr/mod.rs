//! ECR: repositories, their policies and settings, images as far as their manifests.

mod images;
mod layers;
mod lifecycle;
mod registry;
mod repositories;
mod scans;
#[cfg(test)]
mod tests;

use super::tree::{Tags, tag_list, tags};
use super::{Answer, ApiError, Input, Operations, page};
use crate::World;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub use images::find_image;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    repositories: BTreeMap<String, Repository>,
    registry_scan_type: Option<String>,
    registry_scan_rules: Vec<Json>,
    /// Names of settings to their values.
    account_settings: BTreeMap<String, String>,
    #[serde(default)]
    registry_policy: Option<String>,
    #[serde(default)]
    replication: Option<Json>,
    /// Layers that are being uploaded, by upload.
    #[serde(default)]
    uploads: BTreeMap<String, layers::Upload>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Repository {
    name: String,
    created: Millis,
    mutability: String,
    exclusion_filters: Vec<String>,
    scan_on_push: bool,
    encryption: String,
    kms_key: Option<String>,
    lifecycle_policy: Option<String>,
    policy: Option<String>,
    tags: Tags,
    /// By digest.
    images: BTreeMap<String, Image>,
    /// When the lifecycle policy was last run, and how often it was set: an older one's runs end.
    #[serde(default)]
    evaluated: Option<Millis>,
    #[serde(default)]
    lifecycle_number: u64,
    #[serde(default)]
    preview: Option<lifecycle::Preview>,
    /// Sizes of layers by digest.
    #[serde(default)]
    layers: BTreeMap<String, i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Image {
    digest: String,
    tags: std::collections::BTreeSet<String>,
    manifest: String,
    media_type: Option<String>,
    pushed: Millis,
    #[serde(default)]
    pulled: Option<Millis>,
    /// When its last scan began.
    #[serde(default)]
    scanned: Option<Millis>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A lifecycle policy is run: the one that was set as this many-th.
    Evaluate { repository: String, number: u64 },
}

pub fn run(world: &mut World, event: Event) {
    match event {
        Event::Evaluate { repository, number } => lifecycle::run(world, &repository, number),
    }
}

pub const OPERATIONS: Operations = &[
    ("BatchCheckLayerAvailability", layers::check),
    ("BatchDeleteImage", images::batch_delete),
    ("BatchGetImage", images::batch_get),
    ("BatchGetRepositoryScanningConfiguration", repositories::scanning_configurations),
    ("CompleteLayerUpload", layers::complete),
    ("CreateRepository", repositories::create),
    ("DeleteLifecyclePolicy", repositories::delete_lifecycle_policy),
    ("DeleteRegistryPolicy", registry::delete_policy),
    ("DeleteRepository", repositories::delete),
    ("DeleteRepositoryPolicy", repositories::delete_policy),
    ("DescribeImageScanFindings", scans::findings),
    ("DescribeImages", images::describe),
    ("DescribeRegistry", registry::describe),
    ("DescribeRepositories", repositories::describe),
    ("GetAccountSetting", get_account_setting),
    ("GetAuthorizationToken", get_authorization_token),
    ("GetDownloadUrlForLayer", layers::download_url),
    ("GetLifecyclePolicy", repositories::get_lifecycle_policy),
    ("GetLifecyclePolicyPreview", lifecycle::preview),
    ("GetRegistryPolicy", registry::policy),
    ("GetRegistryScanningConfiguration", get_registry_scanning),
    ("GetRepositoryPolicy", repositories::get_policy),
    ("InitiateLayerUpload", layers::initiate),
    ("ListImages", images::list),
    ("ListTagsForResource", repositories::list_tags),
    ("PutAccountSetting", put_account_setting),
    ("PutImage", images::put),
    ("PutImageScanningConfiguration", repositories::put_scanning),
    ("PutImageTagMutability", repositories::put_mutability),
    ("PutLifecyclePolicy", repositories::put_lifecycle_policy),
    ("PutRegistryPolicy", registry::put_policy),
    ("PutRegistryScanningConfiguration", put_registry_scanning),
    ("PutReplicationConfiguration", registry::put_replication),
    ("SetRepositoryPolicy", repositories::set_policy),
    ("StartImageScan", scans::start),
    ("StartLifecyclePolicyPreview", lifecycle::start_preview),
    ("TagResource", repositories::tag),
    ("UntagResource", repositories::untag),
    ("UploadLayerPart", layers::upload),
];

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

fn find<'a>(world: &'a World, input: &Json) -> Result<&'a Repository, ApiError> {
    let name = input.text("repositoryName").unwrap_or_default();
    let registry = registry(world, input)?;
    world.ecr.repositories.get(name).ok_or_else(|| not_found(name, registry))
}

fn find_mut<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Repository, ApiError> {
    let name = input.text("repositoryName").unwrap_or_default();
    let registry = registry(world, input)?.to_owned();
    world.ecr.repositories.get_mut(name).ok_or_else(|| not_found(name, &registry))
}

fn not_found(name: &str, registry: &str) -> ApiError {
    ApiError::new(
        "RepositoryNotFoundException",
        format!("The repository with name '{name}' does not exist in the registry with id '{registry}'"),
    )
}

/// The caller's own registry; another account's has nothing that this world could know.
fn registry<'a>(world: &'a World, input: &Json) -> Result<&'a str, ApiError> {
    match input.text("registryId") {
        Some(id) if id != world.account => {
            Err(not_found(input.text("repositoryName").unwrap_or_default(), id))
        }
        _ => Ok(&world.account),
    }
}

fn uri(world: &World, name: &str) -> String {
    format!("{}.dkr.ecr.{}.amazonaws.com/{name}", world.account, world.region)
}

fn limit(input: &Json) -> usize {
    input.int("maxResults").and_then(|n| usize::try_from(n).ok()).unwrap_or(100)
}

/// `AWS:<password>` in base64, good for 12 hours.
fn get_authorization_token(world: &mut World, _input: &Json) -> Answer {
    use base64::Engine as _;
    let token = base64::engine::general_purpose::STANDARD.encode(format!("AWS:{}", world.hex(64)));
    Ok(json!({ "authorizationData": [{
        "authorizationToken": token,
        "expiresAt": World::timestamp(world.now + 12 * 60 * crate::world::MINUTE),
        "proxyEndpoint": format!("https://{}.dkr.ecr.{}.amazonaws.com", world.account, world.region),
    }] }))
}

fn scanning_json(world: &World) -> Json {
    json!({
        "scanType": world.ecr.registry_scan_type.as_deref().unwrap_or("BASIC"),
        "rules": world.ecr.registry_scan_rules,
    })
}

fn get_registry_scanning(world: &mut World, _input: &Json) -> Answer {
    Ok(json!({ "registryId": world.account, "scanningConfiguration": scanning_json(world) }))
}

fn put_registry_scanning(world: &mut World, input: &Json) -> Answer {
    let scan_type = input.text("scanType").unwrap_or("BASIC");
    for rule in input.list("rules") {
        let frequency = rule.text("scanFrequency").unwrap_or_default();
        // Which frequencies go with which scan type: API reference of RegistryScanningRule.
        let fits = match scan_type {
            "ENHANCED" => matches!(frequency, "SCAN_ON_PUSH" | "CONTINUOUS_SCAN"),
            _ => matches!(frequency, "SCAN_ON_PUSH" | "MANUAL"),
        };
        if !fits {
            return Err(invalid(format!(
                "Invalid parameter at 'rules' failed to satisfy constraint: '{frequency} is not supported \
                 for the {scan_type} scan type'"
            )));
        }
    }
    world.ecr.registry_scan_type = Some(scan_type.to_owned());
    world.ecr.registry_scan_rules = input.list("rules").to_vec();
    Ok(json!({ "registryScanningConfiguration": scanning_json(world) }))
}

fn default_setting(name: &str) -> Option<&'static str> {
    Some(match name {
        "BASIC_SCAN_TYPE_VERSION" => "AWS_NATIVE",
        "REGISTRY_POLICY_SCOPE" => "V2",
        "BLOB_MOUNTING" => "DISABLED",
        _ => return None,
    })
}

fn get_account_setting(world: &mut World, input: &Json) -> Answer {
    let name = input.text("name").unwrap_or_default();
    let Some(default) = default_setting(name) else {
        return Err(invalid(format!("Invalid parameter at 'name': unknown account setting '{name}'")));
    };
    let value = world.ecr.account_settings.get(name).map_or(default, String::as_str);
    Ok(json!({ "name": name, "value": value }))
}

fn put_account_setting(world: &mut World, input: &Json) -> Answer {
    let name = input.text("name").unwrap_or_default();
    let value = input.text("value").unwrap_or_default();
    if default_setting(name).is_none() {
        return Err(invalid(format!("Invalid parameter at 'name': unknown account setting '{name}'")));
    }
    world.ecr.account_settings.insert(name.to_owned(), value.to_owned());
    Ok(json!({ "name": name, "value": value }))
}

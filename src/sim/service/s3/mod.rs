//! S3 as state backends and deployments need it: buckets with their settings, objects with versions,
//! conditional writes, multipart uploads. Access is not checked against bucket policies.

mod buckets;
mod listing;
mod objects;
#[cfg(test)]
mod tests;
mod uploads;

use super::tree::{Output, Tags, tag_list, tags};
use super::{Answer, ApiError, Input, Operations};
use crate::World;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub use objects::object;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    buckets: BTreeMap<String, Bucket>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Bucket {
    created: Millis,
    /// `Enabled` or `Suspended`, once it was either.
    versioning: Option<String>,
    tags: Option<Tags>,
    policy: Option<String>,
    /// Configurations as they were put, by the kind's name.
    settings: BTreeMap<String, Json>,
    /// Versions, the current one last.
    objects: BTreeMap<String, Vec<Version>>,
    uploads: BTreeMap<String, uploads::Upload>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Version {
    /// `null` without versioning.
    id: String,
    /// None: a delete marker.
    content: Option<Content>,
    modified: Millis,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Content {
    /// In base64.
    body: String,
    size: i64,
    /// With its quotes.
    etag: String,
    /// Members of PutObject that GetObject answers: type, encoding, checksums, encryption, metadata.
    headers: BTreeMap<String, Json>,
    tags: Tags,
}

pub const OPERATIONS: Operations = &[
    ("AbortMultipartUpload", uploads::abort),
    ("CompleteMultipartUpload", uploads::complete),
    ("CopyObject", objects::copy),
    ("CreateBucket", buckets::create),
    ("CreateMultipartUpload", uploads::create),
    ("DeleteBucket", buckets::delete),
    ("DeleteBucketCors", buckets::delete_cors),
    ("DeleteBucketEncryption", buckets::delete_encryption),
    ("DeleteBucketLifecycle", buckets::delete_lifecycle),
    ("DeleteBucketOwnershipControls", buckets::delete_ownership),
    ("DeleteBucketPolicy", buckets::delete_policy),
    ("DeleteBucketTagging", buckets::delete_tagging),
    ("DeleteObject", objects::delete),
    ("DeleteObjectTagging", objects::delete_tagging),
    ("DeleteObjects", objects::delete_several),
    ("DeletePublicAccessBlock", buckets::delete_public_access_block),
    ("GetBucketAccelerateConfiguration", buckets::get_plain),
    ("GetBucketAcl", buckets::get_acl),
    ("GetBucketCors", buckets::get_cors),
    ("GetBucketEncryption", buckets::get_encryption),
    ("GetBucketLifecycleConfiguration", buckets::get_lifecycle),
    ("GetBucketLocation", buckets::get_location),
    ("GetBucketLogging", buckets::get_logging),
    ("GetBucketOwnershipControls", buckets::get_ownership),
    ("GetBucketPolicy", buckets::get_policy),
    ("GetBucketPolicyStatus", buckets::get_policy_status),
    ("GetBucketReplication", buckets::get_replication),
    ("GetBucketRequestPayment", buckets::get_request_payment),
    ("GetBucketTagging", buckets::get_tagging),
    ("GetBucketVersioning", buckets::get_versioning),
    ("GetBucketWebsite", buckets::get_website),
    ("GetObject", objects::get),
    ("GetObjectLockConfiguration", buckets::get_object_lock),
    ("GetObjectTagging", objects::get_tagging),
    ("GetPublicAccessBlock", buckets::get_public_access_block),
    ("HeadBucket", buckets::head),
    ("HeadObject", objects::head),
    ("ListBuckets", buckets::list),
    ("ListMultipartUploads", uploads::list),
    ("ListObjectVersions", listing::list_versions),
    ("ListObjects", listing::list),
    ("ListObjectsV2", listing::list_v2),
    ("ListParts", uploads::list_parts),
    ("PutBucketCors", buckets::put_cors),
    ("PutBucketEncryption", buckets::put_encryption),
    ("PutBucketLifecycleConfiguration", buckets::put_lifecycle),
    ("PutBucketLogging", buckets::put_logging),
    ("PutBucketOwnershipControls", buckets::put_ownership),
    ("PutBucketPolicy", buckets::put_policy),
    ("PutBucketTagging", buckets::put_tagging),
    ("PutBucketVersioning", buckets::put_versioning),
    ("PutObject", objects::put),
    ("PutObjectTagging", objects::put_tagging),
    ("PutPublicAccessBlock", buckets::put_public_access_block),
    ("UploadPart", uploads::upload_part),
];

fn error(status: u16, code: &str, message: &str) -> ApiError {
    ApiError::new(code, message).status(status)
}

fn bucket<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Bucket, ApiError> {
    let found = world.s3.buckets.get_mut(input.text("Bucket").unwrap_or_default());
    found.ok_or_else(|| error(404, "NoSuchBucket", "The specified bucket does not exist"))
}

fn owner(world: &World) -> Json {
    let id = format!("{:064x}", world.account.parse::<u64>().unwrap_or(0));
    json!({"ID": id, "DisplayName": "owner"})
}

//! Objects and their versions.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// The current content of an object, for other services.
pub fn object(world: &World, bucket: &str, key: &str) -> Option<Vec<u8>> {
    let version = world.s3.buckets.get(bucket)?.objects.get(key)?.last()?;
    STANDARD.decode(&version.content.as_ref()?.body).ok()
}

/// Members of PutObject that belong to the object and come back with it.
const KEPT: &[&str] = &[
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
    "StorageClass",
    "WebsiteRedirectLocation",
    "ServerSideEncryption",
    "SSEKMSKeyId",
    "BucketKeyEnabled",
    "ChecksumCRC32",
    "ChecksumCRC32C",
    "ChecksumCRC64NVME",
    "ChecksumSHA1",
    "ChecksumSHA256",
];

impl Bucket {
    fn current(&self, key: &str) -> Option<&Version> {
        self.objects.get(key)?.last()
    }

    fn content(&self, key: &str) -> Option<&Content> {
        self.current(key)?.content.as_ref()
    }

    /// Adds a version; without versioning it takes the place of the one that is `null`.
    fn add(&mut self, key: &str, id: &str, content: Option<Content>, now: Millis) -> String {
        let id = match self.versioning.as_deref() {
            Some("Enabled") => id.to_owned(),
            _ => "null".to_owned(),
        };
        let versions = self.objects.entry(key.to_owned()).or_default();
        if id == "null" {
            versions.retain(|one| one.id != "null");
        }
        versions.push(Version { id: id.clone(), content, modified: now });
        id
    }

    /// The bucket's own encryption, where the request says nothing.
    pub(super) fn encrypt(&self, headers: &mut BTreeMap<String, Json>) {
        if headers.contains_key("ServerSideEncryption") {
            return;
        }
        let rule = self.settings.get("encryption").and_then(|one| one.list("Rules").first());
        let usual = rule.and_then(|rule| rule.get("ApplyServerSideEncryptionByDefault"));
        let algorithm = usual.and_then(|one| one.text("SSEAlgorithm")).unwrap_or("AES256");
        headers.insert("ServerSideEncryption".to_owned(), json!(algorithm));
        if let Some(key) = usual.and_then(|one| one.text("KMSMasterKeyID")) {
            headers.insert("SSEKMSKeyId".to_owned(), json!(key));
        }
    }
}

fn no_key() -> ApiError {
    error(404, "NoSuchKey", "The specified key does not exist.")
}

fn failed() -> ApiError {
    error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
}

fn bare(etag: &str) -> &str {
    etag.trim().trim_start_matches("W/").trim_matches('"')
}

/// `*`, or one of several tags.
fn names(header: &str, etag: &str) -> bool {
    header.split(',').any(|one| one.trim() == "*" || bare(one) == bare(etag))
}

/// Conditional writes (User Guide, "How to prevent object overwrites with conditional writes"): If-None-Match
/// takes `*` only; If-Match needs the object to be there, with this tag.
pub(super) fn check_conditions(bucket: &Bucket, key: &str, input: &Json) -> Result<(), ApiError> {
    let there = bucket.content(key);
    if let Some(header) = input.text("IfNoneMatch") {
        if header.trim() != "*" {
            let message = "A header you provided implies functionality that is not implemented";
            return Err(error(501, "NotImplemented", message));
        }
        if there.is_some() {
            return Err(failed());
        }
    }
    match (input.text("IfMatch"), there) {
        (Some(_), None) => Err(no_key()),
        (Some(header), Some(content)) if !names(header, &content.etag) => Err(failed()),
        _ => Ok(()),
    }
}

pub fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex::encode(Md5::digest(bytes)))
}

fn kept(input: &Json) -> BTreeMap<String, Json> {
    let present = |name: &&&str| input.get(**name).is_some();
    KEPT.iter().filter(present).map(|name| ((*name).to_owned(), input[*name].clone())).collect()
}

/// What an upload will keep beside its content.
pub(super) fn content_of(input: &Json) -> Content {
    let tags =
        form_urlencoded::parse(input.text("Tagging").unwrap_or_default().as_bytes()).into_owned().collect();
    let mut headers = kept(input);
    headers.entry("ContentType".to_owned()).or_insert_with(|| json!("binary/octet-stream"));
    // The transfer's own encoding is no property of the object.
    let encoding = headers.get("ContentEncoding").and_then(Json::as_str).map(|text| {
        let parts = text.split(',').map(str::trim).filter(|part| *part != "aws-chunked");
        parts.collect::<Vec<_>>().join(",")
    });
    match encoding {
        Some(text) if text.is_empty() => {
            headers.remove("ContentEncoding");
        }
        Some(text) => {
            headers.insert("ContentEncoding".to_owned(), json!(text));
        }
        None => {}
    }
    Content { headers, tags, ..Content::default() }
}

/// Puts a finished object into its bucket.
pub(super) fn store(world: &mut World, input: &Json, mut content: Content) -> Answer {
    let (id, now) = (world.hex(32), world.now);
    let key = input.text("Key").unwrap_or_default();
    let bucket = bucket(world, input)?;
    check_conditions(bucket, key, input)?;
    bucket.encrypt(&mut content.headers);
    let mut answer = json!({"ETag": content.etag});
    for name in KEPT
        .iter()
        .filter(|name| name.starts_with("Checksum") || name.contains("SSE") || name.contains("Side"))
    {
        if let Some(value) = content.headers.get(*name) {
            answer[*name] = value.clone();
        }
    }
    let versioned = bucket.versioning.is_some();
    let id = bucket.add(key, &id, Some(content), now);
    Ok(answer.with("VersionId", versioned.then_some(id)))
}

pub fn put(world: &mut World, input: &Json) -> Answer {
    let body = input.text("Body").unwrap_or_default();
    let bytes = STANDARD.decode(body).unwrap_or_default();
    if input.text("ContentMD5").is_some_and(|digest| STANDARD.encode(Md5::digest(&bytes)) != digest) {
        let message = "The Content-MD5 you specified did not match what we received.";
        return Err(error(400, "BadDigest", message));
    }
    let content =
        Content { body: body.to_owned(), size: bytes.len() as i64, etag: etag(&bytes), ..content_of(input) };
    store(world, input, content)
}

/// The version that a request means, and whether it is the current one.
fn version<'a>(bucket: &'a Bucket, input: &Json) -> Result<&'a Version, ApiError> {
    let key = input.text("Key").unwrap_or_default();
    let versions = bucket.objects.get(key).ok_or_else(no_key)?;
    match input.text("VersionId") {
        Some(id) => versions
            .iter()
            .find(|one| one.id == id)
            .ok_or_else(|| error(404, "NoSuchVersion", "The specified version does not exist.")),
        None => versions.last().ok_or_else(no_key),
    }
}

fn answer(bucket: &Bucket, input: &Json) -> Result<(Json, Content), ApiError> {
    let version = version(bucket, input)?;
    let Some(content) = version.content.clone() else {
        return Err(match input.text("VersionId") {
            Some(_) => {
                error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
            }
            None => no_key(),
        });
    };
    let not_modified = || error(304, "NotModified", "Not Modified");
    // In this order (API reference, GetObject): If-Match before times, If-None-Match after it.
    if input.text("IfMatch").is_some_and(|header| !names(header, &content.etag)) {
        return Err(failed());
    }
    if input.text("IfNoneMatch").is_some_and(|header| names(header, &content.etag)) {
        return Err(not_modified());
    }
    let time = |name: &str| {
        let text = input.text(name)?;
        text.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond())
    };
    // Headers have whole seconds.
    let modified = version.modified - version.modified.rem_euclid(1000);
    if input.text("IfMatch").is_none() && time("IfUnmodifiedSince").is_some_and(|at| modified > at) {
        return Err(failed());
    }
    if input.text("IfNoneMatch").is_none() && time("IfModifiedSince").is_some_and(|at| modified <= at) {
        return Err(not_modified());
    }
    let mut answer = json!({
        "AcceptRanges": "bytes", "LastModified": World::timestamp(version.modified), "ETag": content.etag,
        "ContentLength": content.size,
    });
    let checksums = input.text("ChecksumMode") == Some("ENABLED");
    for (name, value) in content.headers.iter().filter(|(name, _)| checksums || !name.starts_with("Checksum"))
    {
        answer[name.as_str()] = value.clone();
    }
    if !content.tags.is_empty() {
        answer["TagCount"] = json!(content.tags.len());
    }
    let versioned = bucket.versioning.is_some();
    Ok((answer.with("VersionId", versioned.then(|| version.id.clone())), content))
}

pub fn head(world: &mut World, input: &Json) -> Answer {
    let (mut answer, content) = answer(bucket(world, input)?, input)?;
    answer.as_object_mut().map(|all| all.remove("TagCount"));
    if let Some((first, last)) = range(input, content.size)? {
        answer["ContentLength"] = json!(last + 1 - first);
    }
    Ok(answer)
}

/// `bytes=0-99`, `bytes=100-`, `bytes=-50`.
fn range(input: &Json, size: i64) -> Result<Option<(i64, i64)>, ApiError> {
    let Some((from, to)) = input.text("Range").and_then(|text| text.strip_prefix("bytes=")?.split_once('-'))
    else {
        return Ok(None);
    };
    let (first, last) = match (from.parse::<i64>(), to.parse::<i64>()) {
        (Ok(first), Ok(last)) => (first, last.min(size - 1)),
        (Ok(first), Err(_)) => (first, size - 1),
        (Err(_), Ok(count)) => ((size - count).max(0), size - 1),
        _ => return Ok(None),
    };
    if first > last {
        return Err(error(416, "InvalidRange", "The requested range is not satisfiable"));
    }
    Ok(Some((first, last)))
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let (mut answer, content) = answer(bucket(world, input)?, input)?;
    let body = match range(input, content.size)? {
        None => content.body,
        Some((first, last)) => {
            let bytes = STANDARD.decode(&content.body).unwrap_or_default();
            answer["ContentRange"] = json!(format!("bytes {first}-{last}/{}", content.size));
            answer["ContentLength"] = json!(last + 1 - first);
            STANDARD.encode(bytes.get(first as usize..=last as usize).unwrap_or_default())
        }
    };
    answer["Body"] = json!(body);
    Ok(answer)
}

pub fn copy(world: &mut World, input: &Json) -> Answer {
    let source = input.text("CopySource").unwrap_or_default().trim_start_matches('/');
    let (path, version) = source.split_once("?versionId=").unwrap_or((source, ""));
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    let (from, key) = decoded.split_once('/').unwrap_or((&decoded, ""));
    let mut asked = json!({"Bucket": from, "Key": key});
    if !version.is_empty() {
        asked["VersionId"] = json!(version);
    }
    for (ours, given) in [("IfMatch", "CopySourceIfMatch"), ("IfNoneMatch", "CopySourceIfNoneMatch")] {
        if let Some(value) = input.get(given) {
            asked[ours] = value.clone();
        }
    }
    let (_, mut content) = answer(bucket(world, &asked)?, &asked).map_err(|why| match why.status {
        304 => failed(),
        _ => why,
    })?;
    if input.text("MetadataDirective") == Some("REPLACE") {
        content.headers = content_of(input).headers;
    }
    if input.text("TaggingDirective") == Some("REPLACE") {
        content.tags = content_of(input).tags;
    }
    let etag = content.etag.clone();
    let stored = store(world, input, content)?;
    let result = json!({"ETag": etag, "LastModified": World::timestamp(world.now)});
    Ok(json!({"CopyObjectResult": result, "ServerSideEncryption": stored["ServerSideEncryption"]})
        .with("VersionId", stored.text("VersionId")))
}

/// What became of a deletion: version id, and whether that is a delete marker.
fn remove(
    bucket: &mut Bucket,
    key: &str,
    version: Option<&str>,
    new_id: &str,
    now: Millis,
) -> (Option<String>, bool) {
    if let Some(id) = version {
        let versions = bucket.objects.get_mut(key);
        let at = versions.as_ref().and_then(|all| all.iter().position(|one| one.id == id));
        let gone = versions.zip(at).map(|(all, at)| all.remove(at));
        if bucket.objects.get(key).is_some_and(Vec::is_empty) {
            bucket.objects.remove(key);
        }
        return (Some(id.to_owned()), gone.is_some_and(|one| one.content.is_none()));
    }
    if bucket.versioning.is_none() {
        bucket.objects.remove(key);
        return (None, false);
    }
    (Some(bucket.add(key, new_id, None, now)), true)
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let (id, now) = (world.hex(32), world.now);
    let key = input.text("Key").unwrap_or_default();
    let bucket = bucket(world, input)?;
    match (input.text("IfMatch"), bucket.content(key)) {
        (Some(header), Some(content)) if !names(header, &content.etag) => return Err(failed()),
        (Some(_), None) => return Err(no_key()),
        _ => {}
    }
    let (version, marker) = remove(bucket, key, input.text("VersionId"), &id, now);
    Ok(json!({}).with("VersionId", version).with("DeleteMarker", marker.then_some(true)))
}

pub fn delete_several(world: &mut World, input: &Json) -> Answer {
    let orders = input.get("Delete").cloned().unwrap_or_default();
    let objects = orders.list("Objects");
    if objects.is_empty() || objects.len() > 1000 {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(error(400, "MalformedXML", message));
    }
    bucket(world, input)?;
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for one in objects {
        let (key, version) = (one.text("Key").unwrap_or_default(), one.text("VersionId"));
        let mut asked = json!({"Bucket": input["Bucket"], "Key": key}).with("VersionId", version);
        if let Some(tag) = one.get("ETag") {
            asked["IfMatch"] = tag.clone();
        }
        match delete(world, &asked) {
            Err(why) => failed.push(json!({"Key": key, "Code": why.code, "Message": why.message})),
            Ok(answer) => {
                let mut view = json!({"Key": key}).with("VersionId", version);
                if answer.flag("DeleteMarker") == Some(true) {
                    view["DeleteMarker"] = json!(true);
                    view["DeleteMarkerVersionId"] = answer["VersionId"].clone();
                }
                done.push(view);
            }
        }
    }
    let quiet = orders.flag("Quiet") == Some(true);
    Ok(json!({"Errors": failed}).with("Deleted", (!quiet).then(|| json!(done))))
}

fn content_mut<'a>(
    world: &'a mut World,
    input: &Json,
) -> Result<(&'a mut Content, Option<String>), ApiError> {
    let bucket = bucket(world, input)?;
    let id = version(bucket, input)?.id.clone();
    let versioned = bucket.versioning.is_some().then(|| id.clone());
    let versions = bucket.objects.get_mut(input.text("Key").unwrap_or_default()).expect("just found");
    let found = versions.iter_mut().find(|one| one.id == id).and_then(|one| one.content.as_mut());
    found.map(|content| (content, versioned)).ok_or_else(no_key)
}

pub fn get_tagging(world: &mut World, input: &Json) -> Answer {
    let (content, version) = content_mut(world, input)?;
    Ok(json!({"TagSet": tag_list(&content.tags)}).with("VersionId", version))
}

pub fn put_tagging(world: &mut World, input: &Json) -> Answer {
    let given = input.get("Tagging").map_or(&[][..], |one| one.list("TagSet"));
    if given.len() > 10 {
        return Err(error(400, "BadRequest", "Object tags cannot be greater than 10"));
    }
    let (content, version) = content_mut(world, input)?;
    content.tags = tags(given);
    Ok(json!({}).with("VersionId", version))
}

pub fn delete_tagging(world: &mut World, input: &Json) -> Answer {
    let (content, version) = content_mut(world, input)?;
    content.tags.clear();
    Ok(json!({}).with("VersionId", version))
}

//! Multipart uploads.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

#[derive(Debug, Serialize, Deserialize)]
pub struct Upload {
    key: String,
    started: Millis,
    content: Content,
    /// By number: body in base64, tag, when.
    parts: BTreeMap<i64, (String, String, Millis)>,
}

fn upload<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Upload, ApiError> {
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    let key = input.text("Key").unwrap_or_default();
    let found = bucket(world, input)?.uploads.get_mut(input.text("UploadId").unwrap_or_default());
    found.filter(|one| one.key == key).ok_or_else(|| error(404, "NoSuchUpload", message))
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let (id, now) = (world.hex(64), world.now);
    let key = input.text("Key").unwrap_or_default().to_owned();
    let mut content = objects::content_of(input);
    let bucket = bucket(world, input)?;
    bucket.encrypt(&mut content.headers);
    let encryption = content.headers.get("ServerSideEncryption").cloned();
    bucket.uploads.insert(id.clone(), Upload { key, started: now, content, parts: BTreeMap::new() });
    Ok(json!({"Bucket": input["Bucket"], "Key": input["Key"], "UploadId": id})
        .with("ServerSideEncryption", encryption))
}

pub fn upload_part(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let number = input.int("PartNumber").unwrap_or(0);
    if !(1..=10_000).contains(&number) {
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        return Err(error(400, "InvalidArgument", message));
    }
    let body = input.text("Body").unwrap_or_default().to_owned();
    let etag = objects::etag(&STANDARD.decode(&body).unwrap_or_default());
    upload(world, input)?.parts.insert(number, (body, etag.clone(), now));
    Ok(json!({"ETag": etag}))
}

pub fn complete(world: &mut World, input: &Json) -> Answer {
    let id = input.text("UploadId").unwrap_or_default().to_owned();
    let parts = input.get("MultipartUpload").map_or(&[][..], |one| one.list("Parts")).to_vec();
    let upload = upload(world, input)?;
    let (mut whole, mut digests) = (Vec::new(), Vec::new());
    let mut before = 0;
    for part in &parts {
        let number = part.int("PartNumber").unwrap_or(0);
        if number <= before {
            let message =
                "The list of parts was not in ascending order. Parts must be ordered by part number.";
            return Err(error(400, "InvalidPartOrder", message));
        }
        before = number;
        let tag = part.text("ETag").unwrap_or_default().trim_matches('"');
        let found = upload.parts.get(&number).filter(|(_, etag, _)| etag.trim_matches('"') == tag);
        let Some((body, ..)) = found else {
            let message = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
            return Err(error(400, "InvalidPart", message));
        };
        let bytes = STANDARD.decode(body).unwrap_or_default();
        digests.extend(Md5::digest(&bytes));
        whole.extend(bytes);
    }
    if parts.is_empty() {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(error(400, "MalformedXML", message));
    }
    // The tag of a whole is that of its parts' digests, with their number.
    let etag = format!("\"{}-{}\"", hex::encode(Md5::digest(&digests)), parts.len());
    let content = Content {
        body: STANDARD.encode(&whole),
        size: whole.len() as i64,
        etag: etag.clone(),
        ..upload.content.clone()
    };
    let stored = objects::store(world, input, content)?;
    bucket(world, input)?.uploads.remove(&id);
    let (name, key) = (input.text("Bucket").unwrap_or_default(), input.text("Key").unwrap_or_default());
    Ok(json!({
        "Bucket": name, "Key": key, "ETag": etag, "Location": format!("http://{name}.s3.amazonaws.com/{key}"),
    })
    .with("VersionId", stored.text("VersionId"))
    .with("ServerSideEncryption", stored.text("ServerSideEncryption")))
}

pub fn abort(world: &mut World, input: &Json) -> Answer {
    upload(world, input)?;
    bucket(world, input)?.uploads.remove(input.text("UploadId").unwrap_or_default());
    Ok(json!({}))
}

pub fn list_parts(world: &mut World, input: &Json) -> Answer {
    let found = upload(world, input)?;
    let part = |(number, (body, etag, at)): (&i64, &(String, String, Millis))| {
        let size = STANDARD.decode(body).map_or(0, |bytes| bytes.len());
        json!({"PartNumber": number, "ETag": etag, "Size": size, "LastModified": World::timestamp(*at)})
    };
    let after = input.text("PartNumberMarker").and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let most = input.int("MaxParts").unwrap_or(1000).clamp(1, 1000) as usize;
    let rest: Vec<_> = found.parts.range(after + 1..).collect();
    let more = rest.len() > most;
    let page = &rest[..rest.len().min(most)];
    let next = page.last().filter(|_| more).map(|(number, _)| number.to_string());
    Ok(json!({
        "Bucket": input["Bucket"], "Key": input["Key"], "UploadId": input["UploadId"], "IsTruncated": more,
        "MaxParts": most, "Parts": page.iter().copied().map(part).collect::<Vec<_>>(), "StorageClass": "STANDARD",
    })
    .with("NextPartNumberMarker", next))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let prefix = input.text("Prefix").unwrap_or_default();
    let found = bucket(world, input)?.uploads.iter().filter(|(_, one)| one.key.starts_with(prefix));
    let view = |(id, one): (&String, &Upload)| {
        json!({
            "UploadId": id, "Key": one.key, "Initiated": World::timestamp(one.started), "StorageClass": "STANDARD",
        })
    };
    let uploads: Vec<Json> = found.map(view).collect();
    Ok(json!({"Bucket": input["Bucket"], "Uploads": uploads, "IsTruncated": false, "MaxUploads": 1000}))
}

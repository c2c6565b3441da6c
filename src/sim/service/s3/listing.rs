//! Lists of objects, in order of their keys, with common prefixes.

use super::*;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const LONGEST: i64 = 1000;

/// What stays as it is with `encoding-type=url`.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

fn encoded(input: &Json, text: &str) -> String {
    match input.text("EncodingType") {
        Some("url") => utf8_percent_encode(text, PLAIN).to_string(),
        _ => text.to_owned(),
    }
}

enum Entry<'a> {
    Key(&'a str),
    Prefix(String),
}

impl Entry<'_> {
    fn text(&self) -> &str {
        match self {
            Entry::Key(key) => key,
            Entry::Prefix(prefix) => prefix,
        }
    }
}

/// Keys and common prefixes after `after`, in order; the rest behind a delimiter is one prefix.
fn entries<'a>(
    keys: impl Iterator<Item = &'a String>,
    input: &Json,
    after: Option<&str>,
) -> (Vec<Entry<'a>>, bool) {
    let prefix = input.text("Prefix").unwrap_or_default();
    let delimiter = input.text("Delimiter").filter(|text| !text.is_empty());
    let most = input.int("MaxKeys").unwrap_or(LONGEST).clamp(0, LONGEST) as usize;
    let mut found: Vec<Entry> = Vec::new();
    for key in keys.filter(|key| key.starts_with(prefix)) {
        let cut = delimiter.and_then(|delimiter| {
            let at = key[prefix.len()..].find(delimiter)?;
            Some(key[..prefix.len() + at + delimiter.len()].to_owned())
        });
        let entry = cut.map_or(Entry::Key(key), Entry::Prefix);
        if after.is_some_and(|after| entry.text() <= after) {
            continue;
        }
        if found.last().is_some_and(|last| last.text() == entry.text()) {
            continue;
        }
        if found.len() == most {
            return (found, true);
        }
        found.push(entry);
    }
    (found, false)
}

struct Listed {
    contents: Vec<Json>,
    prefixes: Vec<Json>,
    last: Option<String>,
    more: bool,
}

fn listed(
    world: &mut World,
    input: &Json,
    after: Option<&str>,
    owner: Option<Json>,
) -> Result<Listed, ApiError> {
    let bucket = bucket(world, input)?;
    let there = |key: &&String| bucket.objects[*key].last().is_some_and(|one| one.content.is_some());
    let (entries, more) = entries(bucket.objects.keys().filter(there), input, after);
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for entry in &entries {
        match entry {
            Entry::Prefix(prefix) => prefixes.push(json!({"Prefix": encoded(input, prefix)})),
            Entry::Key(key) => {
                let version = bucket.objects[*key].last().expect("it has a content");
                let content = version.content.as_ref().expect("only such are listed");
                let mut view = json!({
                    "Key": encoded(input, key), "LastModified": World::timestamp(version.modified),
                    "ETag": content.etag, "Size": content.size, "StorageClass": "STANDARD",
                });
                if let Some(owner) = &owner {
                    view["Owner"] = owner.clone();
                }
                contents.push(view);
            }
        }
    }
    let last = entries.last().map(|entry| entry.text().to_owned());
    Ok(Listed { contents, prefixes, last, more })
}

/// What all lists say of the request.
fn frame(input: &Json, more: bool) -> Json {
    let text = |name: &str| input.text(name).map(|text| encoded(input, text));
    json!({
        "Name": input["Bucket"], "IsTruncated": more, "Prefix": text("Prefix").unwrap_or_default(),
        "MaxKeys": input.int("MaxKeys").unwrap_or(LONGEST).min(LONGEST),
    })
    .with("Delimiter", text("Delimiter"))
    .with("EncodingType", input.text("EncodingType"))
}

pub fn list_v2(world: &mut World, input: &Json) -> Answer {
    let from = input.text("ContinuationToken");
    let after = match from {
        Some(token) => {
            Some(hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(
                || error(400, "InvalidArgument", "The continuation token provided is incorrect"),
            )?)
        }
        None => input.text("StartAfter").map(str::to_owned),
    };
    let owner = (input.flag("FetchOwner") == Some(true)).then(|| owner(world));
    let found = listed(world, input, after.as_deref(), owner)?;
    let mut answer = frame(input, found.more);
    answer["KeyCount"] = json!(found.contents.len() + found.prefixes.len());
    answer["Contents"] = json!(found.contents);
    answer["CommonPrefixes"] = json!(found.prefixes);
    let next = found.last.filter(|_| found.more).map(hex::encode);
    Ok(answer
        .with("ContinuationToken", from)
        .with("NextContinuationToken", next)
        .with("StartAfter", input.text("StartAfter").map(|text| encoded(input, text))))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let owner = owner(world);
    let marker = input.text("Marker").filter(|text| !text.is_empty());
    let found = listed(world, input, marker, Some(owner))?;
    let mut answer = frame(input, found.more);
    answer["Marker"] = json!(encoded(input, marker.unwrap_or_default()));
    answer["Contents"] = json!(found.contents);
    answer["CommonPrefixes"] = json!(found.prefixes);
    // Only with a delimiter (API reference): without one the last key says it.
    let next = found.last.filter(|_| found.more && input.text("Delimiter").is_some());
    Ok(answer.with("NextMarker", next.map(|text| encoded(input, &text))))
}

/// Newest version first within a key.
pub fn list_versions(world: &mut World, input: &Json) -> Answer {
    let owner = owner(world);
    let marker = input.text("KeyMarker").filter(|text| !text.is_empty());
    let most = input.int("MaxKeys").unwrap_or(LONGEST).clamp(0, LONGEST) as usize;
    let bucket = bucket(world, input)?;
    let whole = json!({"Prefix": input["Prefix"], "Delimiter": input["Delimiter"]});
    let (entries, beyond) = entries(bucket.objects.keys(), &whole, None);
    let mut all: Vec<(String, Option<&Version>, bool)> = Vec::new();
    for entry in &entries {
        match entry {
            Entry::Prefix(prefix) => all.push((prefix.clone(), None, false)),
            Entry::Key(key) => {
                let versions = bucket.objects[*key].iter().rev().enumerate();
                all.extend(versions.map(|(at, one)| ((*key).to_owned(), Some(one), at == 0)));
            }
        }
    }
    let from_version = input.text("VersionIdMarker").filter(|text| !text.is_empty());
    let start = match (marker, from_version) {
        (None, _) => 0,
        (Some(marker), Some(id)) => {
            let at =
                all.iter().position(|(key, one, _)| key == marker && one.is_some_and(|one| one.id == id));
            at.map_or(0, |at| at + 1)
        }
        (Some(marker), None) => all.iter().position(|(key, ..)| key.as_str() > marker).unwrap_or(all.len()),
    };
    let page = &all[start..all.len().min(start + most)];
    let more = start + page.len() < all.len() || beyond;
    let (mut versions, mut markers, mut prefixes) = (Vec::new(), Vec::new(), Vec::new());
    for (key, version, latest) in page {
        let Some(version) = version else {
            prefixes.push(json!({"Prefix": encoded(input, key)}));
            continue;
        };
        let mut view = json!({
            "Key": encoded(input, key), "VersionId": version.id, "IsLatest": latest, "Owner": owner,
            "LastModified": World::timestamp(version.modified),
        });
        match &version.content {
            Some(content) => {
                view["ETag"] = json!(content.etag);
                view["Size"] = json!(content.size);
                view["StorageClass"] = json!("STANDARD");
                versions.push(view);
            }
            None => markers.push(view),
        }
    }
    let mut answer = frame(input, more);
    answer["KeyMarker"] = json!(encoded(input, marker.unwrap_or_default()));
    answer["VersionIdMarker"] = json!(from_version.unwrap_or_default());
    answer["Versions"] = json!(versions);
    answer["DeleteMarkers"] = json!(markers);
    answer["CommonPrefixes"] = json!(prefixes);
    if let Some((key, version, _)) = page.last().filter(|_| more) {
        answer["NextKeyMarker"] = json!(encoded(input, key));
        answer["NextVersionIdMarker"] = json!(version.map(|one| one.id.as_str()).unwrap_or_default());
    }
    Ok(answer)
}

//! Buckets and their settings.

use super::*;
use crate::service::page;

/// General purpose bucket naming rules (User Guide).
fn check_name(name: &str) -> Result<(), ApiError> {
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'.');
    let edge = |c: Option<&u8>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let bytes = name.as_bytes();
    let sound = (3..=63).contains(&bytes.len())
        && bytes.iter().all(|c| good(*c))
        && edge(bytes.first())
        && edge(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if sound { Ok(()) } else { Err(error(400, "InvalidBucketName", "The specified bucket is not valid.")) }
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = input.text("Bucket").unwrap_or_default().to_owned();
    check_name(&name)?;
    let configuration = input.get("CreateBucketConfiguration").cloned().unwrap_or_default();
    let place = configuration.text("LocationConstraint");
    let home = world.region == "us-east-1";
    if place.unwrap_or("us-east-1") != world.region || home && place.is_some() {
        let (code, message) = match place {
            None => (
                "IllegalLocationConstraintException",
                "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.".to_owned(),
            ),
            Some(place) if home && place == "us-east-1" => {
                ("InvalidLocationConstraint", "The specified location-constraint is not valid".to_owned())
            }
            Some(place) => (
                "IllegalLocationConstraintException",
                format!("The {place} location constraint is incompatible for the region specific endpoint this request was sent to."),
            ),
        };
        return Err(error(400, code, &message));
    }
    if world.s3.buckets.contains_key(&name) {
        // In us-east-1 one's own bucket can be created again (API reference).
        if home {
            return Ok(json!({"Location": format!("/{name}")}));
        }
        let message = "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(error(409, "BucketAlreadyOwnedByYou", message));
    }
    let mut settings = BTreeMap::new();
    // What every new bucket has since 2023.
    let ownership = input.text("ObjectOwnership").unwrap_or("BucketOwnerEnforced");
    settings.insert("ownership".to_owned(), json!({"Rules": [{"ObjectOwnership": ownership}]}));
    settings.insert(
        "public".to_owned(),
        json!({
            "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true,
            "RestrictPublicBuckets": true,
        }),
    );
    let locked = input.flag("ObjectLockEnabledForBucket") == Some(true);
    if locked {
        settings.insert("lock".to_owned(), json!({"ObjectLockEnabled": "Enabled"}));
    }
    let given = tags(configuration.list("Tags"));
    let bucket = Bucket {
        created: world.now,
        versioning: locked.then(|| "Enabled".to_owned()),
        tags: (!given.is_empty()).then_some(given),
        settings,
        ..Bucket::default()
    };
    world.s3.buckets.insert(name.clone(), bucket);
    let domain = format!("http://{name}.s3.amazonaws.com/");
    Ok(json!({"Location": if home { format!("/{name}") } else { domain }}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    if !bucket(world, input)?.objects.is_empty() {
        return Err(error(409, "BucketNotEmpty", "The bucket you tried to delete is not empty"));
    }
    world.s3.buckets.remove(input.text("Bucket").unwrap_or_default());
    Ok(json!({}))
}

pub fn head(world: &mut World, input: &Json) -> Answer {
    bucket(world, input)?;
    Ok(json!({"BucketRegion": world.region, "AccessPointAlias": false}))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let prefix = input.text("Prefix").unwrap_or_default();
    let here = input.text("BucketRegion").is_none_or(|region| region == world.region);
    let of = world.s3.buckets.iter().filter(|(name, _)| here && name.starts_with(prefix));
    let all: Vec<Json> = of
        .map(|(name, one)| {
            json!({"Name": name, "CreationDate": World::timestamp(one.created), "BucketRegion": world.region})
        })
        .collect();
    let limit = input.int("MaxBuckets").map_or(10_000, |n| (n as usize).clamp(1, 10_000));
    let (all, next) = page(all, input.text("ContinuationToken"), limit);
    Ok(json!({"Buckets": all, "Owner": owner(world)}).with("ContinuationToken", next))
}

pub fn get_location(world: &mut World, input: &Json) -> Answer {
    bucket(world, input)?;
    let place = (world.region != "us-east-1").then(|| world.region.clone());
    Ok(json!({}).with("LocationConstraint", place))
}

pub fn get_versioning(world: &mut World, input: &Json) -> Answer {
    Ok(json!({}).with("Status", bucket(world, input)?.versioning.clone()))
}

pub fn put_versioning(world: &mut World, input: &Json) -> Answer {
    let status = input.get("VersioningConfiguration").and_then(|one| one.text("Status")).map(str::to_owned);
    let bucket = bucket(world, input)?;
    if status.as_deref() == Some("Suspended") && bucket.settings.contains_key("lock") {
        let message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
        return Err(error(409, "InvalidBucketState", message));
    }
    bucket.versioning = status.or(bucket.versioning.take());
    Ok(json!({}))
}

pub fn get_policy(world: &mut World, input: &Json) -> Answer {
    let policy = bucket(world, input)?.policy.clone();
    let policy =
        policy.ok_or_else(|| error(404, "NoSuchBucketPolicy", "The bucket policy does not exist"))?;
    Ok(json!({"Policy": policy}))
}

pub fn put_policy(world: &mut World, input: &Json) -> Answer {
    let policy = input.text("Policy").unwrap_or_default().to_owned();
    let name = input.text("Bucket").unwrap_or_default().to_owned();
    let bucket = bucket(world, input)?;
    let malformed = |why: &str| error(400, "MalformedPolicy", why);
    let parsed: Json = serde_json::from_str(&policy)
        .map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    let statements = match &parsed["Statement"] {
        Json::Array(list) => list.clone(),
        Json::Null => return Err(malformed("Missing required field Statement")),
        one => vec![one.clone()],
    };
    let blocked =
        bucket.settings.get("public").is_some_and(|one| one.flag("BlockPublicPolicy") == Some(true));
    for one in &statements {
        let resources = match &one["Resource"] {
            Json::Array(list) => list.clone(),
            single => vec![single.clone()],
        };
        let of_bucket = |resource: &Json| {
            let path = resource.as_str().and_then(|text| text.split(":::").nth(1)).unwrap_or_default();
            path == name || path.starts_with(&format!("{name}/"))
        };
        if one.get("NotResource").is_none() && !resources.iter().all(of_bucket) {
            return Err(malformed("Policy has invalid resource"));
        }
        let anybody = one["Principal"] == json!("*") || one["Principal"]["AWS"] == json!("*");
        if blocked && anybody && one.text("Effect") == Some("Allow") && one.get("Condition").is_none() {
            let message = "User is not authorized to perform: s3:PutBucketPolicy because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.";
            return Err(error(403, "AccessDenied", message));
        }
    }
    bucket.policy = Some(policy);
    Ok(json!({}))
}

pub fn delete_policy(world: &mut World, input: &Json) -> Answer {
    bucket(world, input)?.policy = None;
    Ok(json!({}))
}

pub fn get_policy_status(world: &mut World, input: &Json) -> Answer {
    get_policy(world, input)?;
    Ok(json!({"PolicyStatus": {"IsPublic": false}}))
}

pub fn get_tagging(world: &mut World, input: &Json) -> Answer {
    let tags = bucket(world, input)?.tags.as_ref();
    let tags = tags.ok_or_else(|| error(404, "NoSuchTagSet", "The TagSet does not exist"))?;
    Ok(json!({"TagSet": tag_list(tags)}))
}

pub fn put_tagging(world: &mut World, input: &Json) -> Answer {
    let given = tags(input.get("Tagging").map_or(&[][..], |one| one.list("TagSet")));
    bucket(world, input)?.tags = Some(given);
    Ok(json!({}))
}

pub fn delete_tagging(world: &mut World, input: &Json) -> Answer {
    bucket(world, input)?.tags = None;
    Ok(json!({}))
}

fn setting(world: &mut World, input: &Json, kind: &str, code: &str, message: &str) -> Answer {
    bucket(world, input)?.settings.get(kind).cloned().ok_or_else(|| error(404, code, message))
}

fn keep(world: &mut World, input: &Json, kind: &str, member: &str) -> Answer {
    let value = input.get(member).cloned().unwrap_or_else(|| json!({}));
    bucket(world, input)?.settings.insert(kind.to_owned(), value);
    Ok(json!({}))
}

fn drop(world: &mut World, input: &Json, kind: &str) -> Answer {
    bucket(world, input)?.settings.remove(kind);
    Ok(json!({}))
}

/// Every object is encrypted with S3's keys unless something else is said (since 2023).
pub fn get_encryption(world: &mut World, input: &Json) -> Answer {
    let usual = || {
        json!({"Rules": [{
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": false,
        }]})
    };
    let kept = bucket(world, input)?.settings.get("encryption").cloned().unwrap_or_else(usual);
    Ok(json!({"ServerSideEncryptionConfiguration": kept}))
}

pub fn put_encryption(world: &mut World, input: &Json) -> Answer {
    keep(world, input, "encryption", "ServerSideEncryptionConfiguration")
}

pub fn delete_encryption(world: &mut World, input: &Json) -> Answer {
    drop(world, input, "encryption")
}

pub fn get_public_access_block(world: &mut World, input: &Json) -> Answer {
    let message = "The public access block configuration was not found";
    let kept = setting(world, input, "public", "NoSuchPublicAccessBlockConfiguration", message)?;
    Ok(json!({"PublicAccessBlockConfiguration": kept}))
}

pub fn put_public_access_block(world: &mut World, input: &Json) -> Answer {
    let mut all = json!({
        "BlockPublicAcls": false, "IgnorePublicAcls": false, "BlockPublicPolicy": false,
        "RestrictPublicBuckets": false,
    });
    let given = input.get("PublicAccessBlockConfiguration").and_then(Json::as_object);
    for (name, value) in given.into_iter().flatten() {
        all[name.as_str()] = value.clone();
    }
    bucket(world, input)?.settings.insert("public".to_owned(), all);
    Ok(json!({}))
}

pub fn delete_public_access_block(world: &mut World, input: &Json) -> Answer {
    drop(world, input, "public")
}

pub fn get_ownership(world: &mut World, input: &Json) -> Answer {
    let message = "The bucket ownership controls were not found";
    let kept = setting(world, input, "ownership", "OwnershipControlsNotFoundError", message)?;
    Ok(json!({"OwnershipControls": kept}))
}

pub fn put_ownership(world: &mut World, input: &Json) -> Answer {
    keep(world, input, "ownership", "OwnershipControls")
}

pub fn delete_ownership(world: &mut World, input: &Json) -> Answer {
    drop(world, input, "ownership")
}

pub fn get_lifecycle(world: &mut World, input: &Json) -> Answer {
    let message = "The lifecycle configuration does not exist";
    setting(world, input, "lifecycle", "NoSuchLifecycleConfiguration", message)
}

/// Kept and answered; nothing expires by it.
pub fn put_lifecycle(world: &mut World, input: &Json) -> Answer {
    keep(world, input, "lifecycle", "LifecycleConfiguration")
}

pub fn delete_lifecycle(world: &mut World, input: &Json) -> Answer {
    drop(world, input, "lifecycle")
}

pub fn get_cors(world: &mut World, input: &Json) -> Answer {
    let message = "The CORS configuration does not exist";
    setting(world, input, "cors", "NoSuchCORSConfiguration", message)
}

pub fn put_cors(world: &mut World, input: &Json) -> Answer {
    keep(world, input, "cors", "CORSConfiguration")
}

pub fn delete_cors(world: &mut World, input: &Json) -> Answer {
    drop(world, input, "cors")
}

pub fn get_logging(world: &mut World, input: &Json) -> Answer {
    Ok(bucket(world, input)?.settings.get("logging").cloned().unwrap_or_else(|| json!({})))
}

pub fn put_logging(world: &mut World, input: &Json) -> Answer {
    keep(world, input, "logging", "BucketLoggingStatus")
}

pub fn get_website(world: &mut World, input: &Json) -> Answer {
    let message = "The specified bucket does not have a website configuration";
    setting(world, input, "website", "NoSuchWebsiteConfiguration", message)
}

pub fn get_replication(world: &mut World, input: &Json) -> Answer {
    let message = "The replication configuration was not found";
    setting(world, input, "replication", "ReplicationConfigurationNotFoundError", message)
}

pub fn get_object_lock(world: &mut World, input: &Json) -> Answer {
    let message = "Object Lock configuration does not exist for this bucket";
    let kept = setting(world, input, "lock", "ObjectLockConfigurationNotFoundError", message)?;
    Ok(json!({"ObjectLockConfiguration": kept}))
}

/// Settings that nobody can put here: as a new bucket has them.
pub fn get_plain(world: &mut World, input: &Json) -> Answer {
    bucket(world, input)?;
    Ok(json!({}))
}

pub fn get_request_payment(world: &mut World, input: &Json) -> Answer {
    bucket(world, input)?;
    Ok(json!({"Payer": "BucketOwner"}))
}

pub fn get_acl(world: &mut World, input: &Json) -> Answer {
    bucket(world, input)?;
    let owner = owner(world);
    let grantee = json!({"Type": "CanonicalUser", "ID": owner["ID"], "DisplayName": owner["DisplayName"]});
    Ok(json!({"Owner": owner, "Grants": [{"Grantee": grantee, "Permission": "FULL_CONTROL"}]}))
}

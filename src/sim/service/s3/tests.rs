use super::*;
use crate::service::call;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

fn world() -> World {
    let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
    ok(&mut world, "CreateBucket", json!({"Bucket": "state"}));
    world
}

fn ok(world: &mut World, operation: &str, input: Json) -> Json {
    call(world, "s3", operation, &input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

fn refused(world: &mut World, operation: &str, input: Json) -> (u16, String) {
    let error = call(world, "s3", operation, &input).expect_err("refused");
    (error.status, error.code)
}

fn put(key: &str, body: &str) -> Json {
    json!({"Bucket": "state", "Key": key, "Body": STANDARD.encode(body)})
}

fn body(world: &mut World, input: Json) -> String {
    let answer = ok(world, "GetObject", input);
    String::from_utf8(STANDARD.decode(answer.text("Body").expect("a body")).expect("base64")).expect("text")
}

#[test]
fn only_one_writer_gets_the_lock() {
    let mut world = world();
    let mut lock = put("env.tflock", "mine");
    lock["IfNoneMatch"] = json!("*");
    let etag = ok(&mut world, "PutObject", lock.clone())["ETag"].clone();
    assert_eq!(refused(&mut world, "PutObject", lock.clone()), (412, "PreconditionFailed".to_owned()));
    let mut stolen = put("env.tflock", "theirs");
    stolen["IfMatch"] = json!("\"other\"");
    assert_eq!(refused(&mut world, "PutObject", stolen.clone()), (412, "PreconditionFailed".to_owned()));
    stolen["IfMatch"] = etag;
    ok(&mut world, "PutObject", stolen);
    ok(&mut world, "DeleteObject", json!({"Bucket": "state", "Key": "env.tflock"}));
    let mut absent = put("env.tflock", "x");
    absent["IfMatch"] = json!("\"any\"");
    assert_eq!(refused(&mut world, "PutObject", absent), (404, "NoSuchKey".to_owned()));
    ok(&mut world, "PutObject", lock);
}

#[test]
fn versions_stay_behind_delete_markers() {
    let mut world = world();
    let versioning = json!({"Bucket": "state", "VersioningConfiguration": {"Status": "Enabled"}});
    ok(&mut world, "PutBucketVersioning", versioning);
    let first = ok(&mut world, "PutObject", put("a", "1"))["VersionId"].clone();
    ok(&mut world, "PutObject", put("a", "2"));
    let gone = ok(&mut world, "DeleteObject", json!({"Bucket": "state", "Key": "a"}));
    assert_eq!(gone["DeleteMarker"], true);
    let get = json!({"Bucket": "state", "Key": "a"});
    assert_eq!(refused(&mut world, "GetObject", get.clone()), (404, "NoSuchKey".to_owned()));
    assert_eq!(body(&mut world, json!({"Bucket": "state", "Key": "a", "VersionId": first})), "1");
    let listed = ok(&mut world, "ListObjectVersions", json!({"Bucket": "state"}));
    let count = |name: &str| listed.list(name).len();
    assert_eq!((count("Versions"), count("DeleteMarkers")), (2, 1));
    let undo = json!({"Bucket": "state", "Key": "a", "VersionId": gone["VersionId"]});
    ok(&mut world, "DeleteObject", undo);
    assert_eq!(body(&mut world, get), "2");
    assert_eq!(refused(&mut world, "DeleteBucket", json!({"Bucket": "state"})).1, "BucketNotEmpty");
}

#[test]
fn lists_have_pages_and_prefixes() {
    let mut world = world();
    for key in ["a/1", "a/2", "b", "c/1", "d e"] {
        ok(&mut world, "PutObject", put(key, key));
    }
    let input = json!({"Bucket": "state", "Delimiter": "/", "MaxKeys": 2, "EncodingType": "url"});
    let first = ok(&mut world, "ListObjectsV2", input.clone());
    assert_eq!(first["CommonPrefixes"][0]["Prefix"], "a/");
    assert_eq!((&first["Contents"][0]["Key"], &first["IsTruncated"]), (&json!("b"), &json!(true)));
    let mut next = input;
    next["ContinuationToken"] = first["NextContinuationToken"].clone();
    let second = ok(&mut world, "ListObjectsV2", next);
    assert_eq!(second["CommonPrefixes"][0]["Prefix"], "c/");
    assert_eq!((&second["Contents"][0]["Key"], &second["IsTruncated"]), (&json!("d%20e"), &json!(false)));
}

#[test]
fn parts_become_one_object() {
    let mut world = world();
    let id =
        ok(&mut world, "CreateMultipartUpload", json!({"Bucket": "state", "Key": "big"}))["UploadId"].clone();
    let mut parts = Vec::new();
    for (number, text) in [(1, "hello "), (2, "world")] {
        let mut input = put("big", text);
        input["UploadId"] = id.clone();
        input["PartNumber"] = json!(number);
        let etag = ok(&mut world, "UploadPart", input)["ETag"].clone();
        parts.push(json!({"PartNumber": number, "ETag": etag}));
    }
    let complete =
        json!({"Bucket": "state", "Key": "big", "UploadId": id, "MultipartUpload": {"Parts": parts}});
    let etag = ok(&mut world, "CompleteMultipartUpload", complete)["ETag"].clone();
    assert!(etag.as_str().is_some_and(|tag| tag.ends_with("-2\"")));
    assert_eq!(body(&mut world, json!({"Bucket": "state", "Key": "big"})), "hello world");
    let part = json!({"Bucket": "state", "Key": "big", "Range": "bytes=6-"});
    assert_eq!(body(&mut world, part), "world");
}

#[test]
fn reads_are_conditional_too() {
    let mut world = world();
    let etag = ok(&mut world, "PutObject", put("a", "1"))["ETag"].clone();
    let same = json!({"Bucket": "state", "Key": "a", "IfNoneMatch": etag});
    assert_eq!(refused(&mut world, "GetObject", same), (304, "NotModified".to_owned()));
    let other = json!({"Bucket": "state", "Key": "a", "IfMatch": "\"x\""});
    assert_eq!(refused(&mut world, "HeadObject", other).0, 412);
}

#[test]
fn settings_come_back_as_they_were_put() {
    let mut world = world();
    let named = json!({"Bucket": "state"});
    assert_eq!(refused(&mut world, "GetBucketPolicy", named.clone()).1, "NoSuchBucketPolicy");
    let statement = |principal: Json| {
        json!({"Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": "s3:*", "Resource": "arn:aws:s3:::state/*",
        }]})
        .to_string()
    };
    let public = json!({"Bucket": "state", "Policy": statement(json!("*"))});
    assert_eq!(refused(&mut world, "PutBucketPolicy", public.clone()).1, "AccessDenied");
    ok(&mut world, "DeletePublicAccessBlock", named.clone());
    ok(&mut world, "PutBucketPolicy", public.clone());
    assert_eq!(ok(&mut world, "GetBucketPolicy", named.clone())["Policy"], public["Policy"]);
    let rules = json!({"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k"}}]});
    ok(
        &mut world,
        "PutBucketEncryption",
        json!({"Bucket": "state", "ServerSideEncryptionConfiguration": rules}),
    );
    assert_eq!(ok(&mut world, "GetBucketEncryption", named)["ServerSideEncryptionConfiguration"], rules);
    assert_eq!(ok(&mut world, "PutObject", put("a", "1"))["SSEKMSKeyId"], "k");
    assert_eq!(refused(&mut world, "CreateBucket", json!({"Bucket": "Bad"})).1, "InvalidBucketName");
}

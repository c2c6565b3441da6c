use super::*;

fn world() -> World {
    World::new("123456789012", "us-east-1", 1, 1_700_000_000_000)
}

fn call(world: &mut World, operation: &str, input: Json) -> Answer {
    let (_, handler) = OPERATIONS.iter().find(|(name, _)| *name == operation).expect("operation");
    handler(world, &input)
}

fn code(answer: Answer) -> String {
    answer.expect_err("an error").code
}

fn with_repository(mutability: &str) -> World {
    let mut world = world();
    let input = json!({ "repositoryName": "team/web", "imageTagMutability": mutability });
    call(&mut world, "CreateRepository", input).expect("created");
    world
}

fn push(world: &mut World, manifest: &str, tag: &str) -> Answer {
    call(
        world,
        "PutImage",
        json!({ "repositoryName": "team/web", "imageManifest": manifest, "imageTag": tag,
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json" }),
    )
}

#[test]
fn a_repository_has_aws_defaults() {
    let mut world = world();
    let made = call(&mut world, "CreateRepository", json!({ "repositoryName": "web" })).expect("created");
    let repository = &made["repository"];
    assert_eq!(repository["repositoryUri"], "123456789012.dkr.ecr.us-east-1.amazonaws.com/web");
    assert_eq!(repository["repositoryArn"], "arn:aws:ecr:us-east-1:123456789012:repository/web");
    assert_eq!(repository["encryptionConfiguration"], json!({ "encryptionType": "AES256" }));
    assert_eq!(repository["imageTagMutability"], "MUTABLE");
    assert!(repository.get("imageTagMutabilityExclusionFilters").is_none());
    let again = call(&mut world, "CreateRepository", json!({ "repositoryName": "web" })).expect_err("taken");
    assert_eq!(again.code, "RepositoryAlreadyExistsException");
    assert_eq!(
        code(call(&mut world, "CreateRepository", json!({ "repositoryName": "Web" }))),
        "InvalidParameterException"
    );
    let unknown =
        call(&mut world, "DescribeRepositories", json!({ "repositoryNames": ["no"] })).expect_err("none");
    let expected = "The repository with name 'no' does not exist in the registry with id '123456789012'";
    assert_eq!(unknown.message, expected);
}

#[test]
fn a_repository_with_images_goes_only_by_force() {
    let mut world = with_repository("MUTABLE");
    push(&mut world, "{}", "v1").expect("pushed");
    let delete = json!({ "repositoryName": "team/web" });
    assert_eq!(code(call(&mut world, "DeleteRepository", delete)), "RepositoryNotEmptyException");
    let force = json!({ "repositoryName": "team/web", "force": true });
    call(&mut world, "DeleteRepository", force).expect("deleted");
}

#[test]
fn immutable_tags_are_not_overwritten() {
    let mut world = with_repository("IMMUTABLE");
    push(&mut world, "{}", "v1").expect("pushed");
    assert_eq!(code(push(&mut world, "{}", "v1")), "ImageAlreadyExistsException");
    assert_eq!(code(push(&mut world, "{ }", "v1")), "ImageTagAlreadyExistsException");
    let exclude = json!({
        "repositoryName": "team/web",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{ "filterType": "WILDCARD", "filter": "v*" }],
    });
    call(&mut world, "PutImageTagMutability", exclude).expect("set");
    push(&mut world, "{ }", "v1").expect("pushed over");
    let listed = call(&mut world, "ListImages", json!({ "repositoryName": "team/web" })).expect("listed");
    assert_eq!(listed["imageIds"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_reference_finds_the_image_it_names() {
    let mut world = with_repository("MUTABLE");
    let put = push(&mut world, "{}", "v1").expect("pushed");
    let digest = put["image"]["imageId"]["imageDigest"].as_str().expect("digest").to_owned();
    let host = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/web";
    assert_eq!(find_image(&world, &format!("{host}:v1")), Some(digest.clone()));
    assert_eq!(find_image(&world, &format!("{host}@{digest}")), Some(digest));
    assert_eq!(find_image(&world, &format!("{host}:v2")), None);
    assert_eq!(find_image(&world, host), None);
}

#[test]
fn a_lifecycle_policy_comes_back_compact() {
    let mut world = with_repository("MUTABLE");
    let get = json!({ "repositoryName": "team/web" });
    assert_eq!(code(call(&mut world, "GetLifecyclePolicy", get.clone())), "LifecyclePolicyNotFoundException");
    let text = r#"{ "rules": [ { "rulePriority": 1, "description": "keep 5 \" images",
        "selection": { "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5 },
        "action": { "type": "expire" } } ] }"#;
    let put = json!({ "repositoryName": "team/web", "lifecyclePolicyText": text });
    call(&mut world, "PutLifecyclePolicy", put).expect("put");
    let got = call(&mut world, "GetLifecyclePolicy", get.clone()).expect("got");
    let got = got["lifecyclePolicyText"].as_str().expect("text");
    assert!(got.starts_with(r#"{"rules":[{"rulePriority":1,"description":"keep 5 \" images","selection""#));
    let bad = json!({ "repositoryName": "team/web", "lifecyclePolicyText": "{\"rules\":[]}" });
    assert_eq!(code(call(&mut world, "PutLifecyclePolicy", bad)), "InvalidParameterException");
    call(&mut world, "DeleteLifecyclePolicy", get.clone()).expect("deleted");
    assert_eq!(code(call(&mut world, "DeleteLifecyclePolicy", get)), "LifecyclePolicyNotFoundException");
}

#[test]
fn the_last_tag_takes_the_image_with_it() {
    let mut world = with_repository("MUTABLE");
    push(&mut world, "{}", "a").expect("pushed");
    push(&mut world, "{}", "b").expect("tagged");
    let delete = |tag: &str| json!({ "repositoryName": "team/web", "imageIds": [{ "imageTag": tag }] });
    call(&mut world, "BatchDeleteImage", delete("a")).expect("deleted");
    let one = call(&mut world, "DescribeImages", json!({ "repositoryName": "team/web" })).expect("described");
    assert_eq!(one["imageDetails"][0]["imageTags"], json!(["b"]));
    call(&mut world, "BatchDeleteImage", delete("b")).expect("deleted");
    let none =
        call(&mut world, "DescribeImages", json!({ "repositoryName": "team/web" })).expect("described");
    assert_eq!(none["imageDetails"], json!([]));
    let failed = call(&mut world, "BatchDeleteImage", delete("b")).expect("answered");
    assert_eq!(failed["failures"][0]["failureCode"], "ImageNotFound");
}

#[test]
fn tags_are_kept_by_arn() {
    let mut world = with_repository("MUTABLE");
    let arn = "arn:aws:ecr:us-east-1:123456789012:repository/team/web";
    let tag = json!({ "resourceArn": arn, "tags": [{ "Key": "a", "Value": "1" }, { "Key": "b" }] });
    call(&mut world, "TagResource", tag).expect("tagged");
    call(&mut world, "UntagResource", json!({ "resourceArn": arn, "tagKeys": ["a"] })).expect("untagged");
    let listed = call(&mut world, "ListTagsForResource", json!({ "resourceArn": arn })).expect("listed");
    assert_eq!(listed["tags"], json!([{ "Key": "b", "Value": "" }]));
}

fn pushed(world: &mut World, manifest: &str, tag: Option<&str>) -> String {
    let manifest =
        format!(r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","n":"{manifest}"}}"#);
    let mut input = json!({ "repositoryName": "team/web", "imageManifest": manifest });
    if let Some(tag) = tag {
        input["imageTag"] = json!(tag);
    }
    world.advance_to(world.now + 60_000);
    let answer = call(world, "PutImage", input).expect("pushed");
    answer["image"]["imageId"]["imageDigest"].as_str().expect("digest").to_owned()
}

fn rule(priority: i64, selection: Json) -> Json {
    json!({ "rulePriority": priority, "selection": selection, "action": { "type": "expire" } })
}

#[test]
fn a_lifecycle_policy_expires_what_its_rules_select_and_no_higher_rule_keeps() {
    let mut world = with_repository("MUTABLE");
    let old = pushed(&mut world, "1", None);
    let releases: Vec<String> =
        ["v1", "v2", "v3"].iter().map(|tag| pushed(&mut world, tag, Some(tag))).collect();
    let latest = pushed(&mut world, "5", Some("nightly"));
    let keep_two = json!({
        "tagStatus": "tagged", "tagPrefixList": ["v"], "countType": "imageCountMoreThan", "countNumber": 2,
    });
    let all_but_one = json!({ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1 });
    let text = json!({ "rules": [rule(2, all_but_one), rule(1, keep_two)] }).to_string();
    let preview = json!({ "repositoryName": "team/web", "lifecyclePolicyText": text });
    let started = call(&mut world, "StartLifecyclePolicyPreview", preview.clone()).expect("started");
    assert_eq!(started["status"], "IN_PROGRESS");
    world.advance_to(world.now + 60_000);
    let get = json!({ "repositoryName": "team/web" });
    let done = call(&mut world, "GetLifecyclePolicyPreview", get.clone()).expect("got");
    let expiring: Vec<(&str, i64)> = done["previewResults"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| Some((one["imageDigest"].as_str()?, one["appliedRulePriority"].as_i64()?)))
        .collect();
    // v2 and v3 are selected by the first rule and kept by it: the second cannot expire them.
    assert_eq!(expiring, [(releases[0].as_str(), 1), (old.as_str(), 2)]);
    call(&mut world, "PutLifecyclePolicy", preview).expect("put");
    let left =
        |world: &mut World| call(world, "ListImages", get.clone()).expect("listed")["imageIds"].clone();
    assert_eq!(left(&mut world).as_array().map(Vec::len), Some(5));
    world.advance_to(world.now + 25 * 3_600_000);
    let ids = left(&mut world).to_string();
    assert!(!ids.contains(&old) && !ids.contains(&releases[0]), "{ids}");
    assert!(ids.contains(&releases[1]) && ids.contains(&releases[2]) && ids.contains(&latest), "{ids}");
}

#[test]
fn an_image_is_scanned_once_a_day() {
    let mut world = with_repository("MUTABLE");
    pushed(&mut world, "1", Some("v1"));
    let scan = json!({ "repositoryName": "team/web", "imageId": { "imageTag": "v1" } });
    assert_eq!(code(call(&mut world, "DescribeImageScanFindings", scan.clone())), "ScanNotFoundException");
    call(&mut world, "StartImageScan", scan.clone()).expect("started");
    assert_eq!(code(call(&mut world, "StartImageScan", scan.clone())), "LimitExceededException");
    world.advance_to(world.now + 60_000);
    let found = call(&mut world, "DescribeImageScanFindings", scan.clone()).expect("done");
    assert_eq!(found["imageScanStatus"]["status"], "COMPLETE");
    world.advance_to(world.now + 24 * 3_600_000);
    call(&mut world, "StartImageScan", scan).expect("a day later");
}

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

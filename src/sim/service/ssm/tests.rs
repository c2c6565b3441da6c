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

fn put(world: &mut World, name: &str, value: &str) {
    let input = json!({ "Name": name, "Value": value, "Type": "String" });
    call(world, "PutParameter", input).expect("put");
}

#[test]
fn a_parameter_is_overwritten_only_when_told() {
    let mut world = world();
    let input = json!({ "Name": "/app/url", "Value": "a", "Type": "String", "Description": "where" });
    let made = call(&mut world, "PutParameter", input.clone()).expect("put");
    assert_eq!(made, json!({ "Version": 1, "Tier": "Standard" }));
    assert_eq!(code(call(&mut world, "PutParameter", input)), "ParameterAlreadyExists");
    let again = json!({ "Name": "/app/url", "Value": "b", "Overwrite": true });
    assert_eq!(call(&mut world, "PutParameter", again).expect("put")["Version"], 2);
    let got = call(&mut world, "GetParameter", json!({ "Name": "/app/url" })).expect("got");
    assert_eq!(got["Parameter"]["Value"], "b");
    assert_eq!(got["Parameter"]["ARN"], "arn:aws:ssm:us-east-1:123456789012:parameter/app/url");
    let old = call(&mut world, "GetParameter", json!({ "Name": "/app/url:1" })).expect("got");
    assert_eq!((&old["Parameter"]["Value"], &old["Parameter"]["Selector"]), (&json!("a"), &json!(":1")));
    let described = call(&mut world, "DescribeParameters", json!({})).expect("described");
    assert_eq!(described["Parameters"][0]["Description"], "where");
    assert_eq!(
        code(call(&mut world, "GetParameter", json!({ "Name": "/app/url:9" }))),
        "ParameterVersionNotFound"
    );
}

#[test]
fn a_secure_string_is_shown_only_decrypted() {
    let mut world = world();
    let input = json!({ "Name": "/app/key", "Value": "s3cret", "Type": "SecureString" });
    call(&mut world, "PutParameter", input).expect("put");
    let sealed = call(&mut world, "GetParameter", json!({ "Name": "/app/key" })).expect("got");
    assert!(!sealed["Parameter"]["Value"].as_str().expect("text").contains("s3cret"));
    let open = json!({ "Name": "/app/key", "WithDecryption": true });
    assert_eq!(call(&mut world, "GetParameter", open).expect("got")["Parameter"]["Value"], "s3cret");
    let arn = "arn:aws:ssm:us-east-1:123456789012:parameter/app/key";
    assert_eq!(value(&world, arn).as_deref(), Some("s3cret"));
    let described = call(&mut world, "DescribeParameters", json!({})).expect("described");
    assert_eq!(described["Parameters"][0]["KeyId"], "alias/aws/ssm");
}

#[test]
fn names_and_values_are_checked() {
    let mut world = world();
    let mut refused = |name: &str, extra: Json| {
        let mut input = json!({ "Name": name, "Value": "v", "Type": "String" });
        input.as_object_mut().expect("object").extend(extra.as_object().expect("object").clone());
        code(call(&mut world, "PutParameter", input))
    };
    assert_eq!(refused("/aws/mine", json!({})), "AccessDeniedException");
    assert_eq!(refused("ssm-mine", json!({})), "ValidationException");
    assert_eq!(refused("a/b", json!({})), "ValidationException");
    assert_eq!(refused("/a b", json!({})), "ValidationException");
    assert_eq!(refused("/a", json!({ "AllowedPattern": "^\\d+$" })), "ParameterPatternMismatchException");
    assert_eq!(refused("/a", json!({ "AllowedPattern": "(" })), "InvalidAllowedPatternException");
    assert_eq!(refused("/a", json!({ "Value": "x".repeat(4097) })), "ValidationException");
    assert_eq!(refused("/a", json!({ "DataType": "nonsense" })), "ValidationException");
    let large =
        json!({ "Name": "/a", "Value": "x".repeat(4097), "Type": "String", "Tier": "Intelligent-Tiering" });
    assert_eq!(call(&mut world, "PutParameter", large).expect("put")["Tier"], "Advanced");
    let down = json!({ "Name": "/a", "Value": "x", "Tier": "Standard", "Overwrite": true });
    assert_eq!(code(call(&mut world, "PutParameter", down)), "ValidationException");
}

#[test]
fn lists_follow_path_and_filters() {
    let mut world = world();
    for name in ["/app/a", "/app/b", "/app/deep/c", "plain"] {
        put(&mut world, name, "v");
    }
    let mut names = |operation: &str, input: Json| -> Vec<String> {
        let answer = call(&mut world, operation, input).expect("listed");
        answer["Parameters"]
            .as_array()
            .expect("list")
            .iter()
            .map(|p| p["Name"].as_str().expect("name").to_owned())
            .collect()
    };
    assert_eq!(names("GetParametersByPath", json!({ "Path": "/app" })), ["/app/a", "/app/b"]);
    let deep = json!({ "Path": "/app/", "Recursive": true });
    assert_eq!(names("GetParametersByPath", deep), ["/app/a", "/app/b", "/app/deep/c"]);
    assert_eq!(
        names("DescribeParameters", json!({ "Filters": [{ "Key": "Name", "Values": ["/plain"] }] })),
        ["plain"]
    );
    let begins =
        json!({ "ParameterFilters": [{ "Key": "Name", "Option": "BeginsWith", "Values": ["/app/d"] }] });
    assert_eq!(names("DescribeParameters", begins), ["/app/deep/c"]);
    let path = json!({ "ParameterFilters": [{ "Key": "Path", "Option": "OneLevel", "Values": ["/"] }] });
    assert_eq!(names("DescribeParameters", path), ["plain"]);
    assert_eq!(names("DescribeParameters", json!({ "MaxResults": 3 })).len(), 3);
    let bad = json!({ "ParameterFilters": [{ "Key": "Colour", "Values": ["red"] }] });
    assert_eq!(code(call(&mut world, "DescribeParameters", bad)), "InvalidFilterKey");
}

#[test]
fn public_parameters_name_the_ecs_images() {
    let mut world = world();
    let name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended";
    let whole = call(&mut world, "GetParameter", json!({ "Name": name })).expect("known");
    let text = whole["Parameter"]["Value"].as_str().expect("text");
    let parsed: Json = serde_json::from_str(text).expect("JSON");
    let id = call(&mut world, "GetParameter", json!({ "Name": format!("{name}/image_id") })).expect("known");
    assert_eq!(id["Parameter"]["Value"], parsed["image_id"]);
    assert_eq!(id["Parameter"]["ARN"], format!("arn:aws:ssm:us-east-1::parameter{name}/image_id"));
    let ids = public::all().into_values().filter(|value| value.starts_with("ami-"));
    for id in ids {
        assert!(crate::service::ec2::images::image_in(&world, &id).is_some(), "{id} is no image of EC2");
    }
    let latest = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64";
    assert!(value(&world, latest).is_some_and(|value| value.starts_with("ami-")));
    let under = json!({ "Path": name, "Recursive": true });
    let listed = call(&mut world, "GetParametersByPath", under).expect("listed");
    assert_eq!(listed["Parameters"].as_array().map(Vec::len), Some(8));
    assert_eq!(
        code(call(&mut world, "GetParameter", json!({ "Name": "/aws/service/nope" }))),
        "ParameterNotFound"
    );
}

#[test]
fn many_are_read_and_deleted_at_once() {
    let mut world = world();
    put(&mut world, "/a", "1");
    let got = call(&mut world, "GetParameters", json!({ "Names": ["/a", "/b"] })).expect("got");
    assert_eq!(got["InvalidParameters"], json!(["/b"]));
    let deleted = call(&mut world, "DeleteParameters", json!({ "Names": ["/a", "/b"] })).expect("deleted");
    assert_eq!(deleted, json!({ "DeletedParameters": ["/a"], "InvalidParameters": ["/b"] }));
    assert_eq!(code(call(&mut world, "DeleteParameter", json!({ "Name": "/a" }))), "ParameterNotFound");
}

#[test]
fn tags_and_labels_stay_with_the_parameter() {
    let mut world = world();
    put(&mut world, "/a", "1");
    let tag =
        json!({ "ResourceType": "Parameter", "ResourceId": "/a", "Tags": [{ "Key": "k", "Value": "v" }] });
    call(&mut world, "AddTagsToResource", tag).expect("tagged");
    call(&mut world, "PutParameter", json!({ "Name": "/a", "Value": "2", "Overwrite": true })).expect("put");
    let list = json!({ "ResourceType": "Parameter", "ResourceId": "/a" });
    let listed = call(&mut world, "ListTagsForResource", list).expect("listed");
    assert_eq!(listed["TagList"], json!([{ "Key": "k", "Value": "v" }]));
    let label = json!({ "Name": "/a", "ParameterVersion": 1, "Labels": ["prod", "1st"] });
    assert_eq!(
        call(&mut world, "LabelParameterVersion", label).expect("labelled")["InvalidLabels"],
        json!(["1st"])
    );
    let got = call(&mut world, "GetParameter", json!({ "Name": "/a:prod" })).expect("got");
    assert_eq!(got["Parameter"]["Value"], "1");
    let history = call(&mut world, "GetParameterHistory", json!({ "Name": "/a" })).expect("history");
    assert_eq!(history["Parameters"][0]["Labels"], json!(["prod"]));
}

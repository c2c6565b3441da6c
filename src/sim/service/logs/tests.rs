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

fn with_group() -> World {
    let mut world = world();
    let input = json!({ "logGroupName": "/ecs/web", "tags": { "team": "web" } });
    call(&mut world, "CreateLogGroup", input).expect("created");
    world
}

#[test]
fn a_group_has_two_arns() {
    let mut world = with_group();
    let listed =
        call(&mut world, "DescribeLogGroups", json!({ "logGroupNamePrefix": "/ecs" })).expect("listed");
    let group = &listed["logGroups"][0];
    assert_eq!(group["arn"], "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web:*");
    assert_eq!(group["logGroupArn"], "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web");
    assert_eq!(group["logGroupClass"], "STANDARD");
    assert!(group.get("retentionInDays").is_none());
    let again = json!({ "logGroupName": "/ecs/web" });
    assert_eq!(code(call(&mut world, "CreateLogGroup", again)), "ResourceAlreadyExistsException");
}

#[test]
fn retention_is_one_of_the_known_numbers_of_days() {
    let mut world = with_group();
    let bad = json!({ "logGroupName": "/ecs/web", "retentionInDays": 2 });
    assert_eq!(code(call(&mut world, "PutRetentionPolicy", bad)), "InvalidParameterException");
    let good = json!({ "logGroupName": "/ecs/web", "retentionInDays": 30 });
    call(&mut world, "PutRetentionPolicy", good).expect("put");
    let listed = call(&mut world, "DescribeLogGroups", json!({})).expect("listed");
    assert_eq!(listed["logGroups"][0]["retentionInDays"], 30);
    call(&mut world, "DeleteRetentionPolicy", json!({ "logGroupName": "/ecs/web" })).expect("deleted");
    let listed = call(&mut world, "DescribeLogGroups", json!({})).expect("listed");
    assert!(listed["logGroups"][0].get("retentionInDays").is_none());
}

#[test]
fn tags_are_reached_by_name_and_by_arn() {
    let mut world = with_group();
    let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web";
    let tag = json!({ "resourceArn": arn, "tags": { "a": "1" } });
    call(&mut world, "TagResource", tag).expect("tagged");
    call(&mut world, "UntagLogGroup", json!({ "logGroupName": "/ecs/web", "tags": ["team"] }))
        .expect("untagged");
    let listed = call(&mut world, "ListTagsForResource", json!({ "resourceArn": arn })).expect("listed");
    assert_eq!(listed, json!({ "tags": { "a": "1" } }));
    let starred = json!({ "resourceArn": format!("{arn}:*") });
    assert_eq!(code(call(&mut world, "ListTagsForResource", starred)), "InvalidParameterException");
}

#[test]
fn events_are_read_in_order_with_tokens() {
    let mut world = with_group();
    let stream = json!({ "logGroupName": "/ecs/web", "logStreamName": "s" });
    call(&mut world, "CreateLogStream", stream.clone()).expect("created");
    let now = world.now;
    let put = json!({
        "logGroupName": "/ecs/web", "logStreamName": "s",
        "logEvents": [
            { "timestamp": now - 30 * 86_400_000, "message": "too old" },
            { "timestamp": now - 2, "message": "one" },
            { "timestamp": now - 1, "message": "two" },
        ],
    });
    let answer = call(&mut world, "PutLogEvents", put).expect("put");
    assert_eq!(answer["rejectedLogEventsInfo"], json!({ "tooOldLogEventEndIndex": 0 }));
    write(&mut world, "/ecs/web", "s", "three ERROR");
    write(&mut world, "/nowhere", "s", "lost");
    let mut head = stream;
    head["startFromHead"] = true.into();
    head["limit"] = 2.into();
    let first = call(&mut world, "GetLogEvents", head.clone()).expect("got");
    assert_eq!(first["events"][0]["message"], "one");
    head["nextToken"] = first["nextForwardToken"].clone();
    let rest = call(&mut world, "GetLogEvents", head.clone()).expect("got");
    assert_eq!(rest["events"][0]["message"], "three ERROR");
    head["nextToken"] = rest["nextForwardToken"].clone();
    let end = call(&mut world, "GetLogEvents", head).expect("got");
    assert_eq!((&end["events"], &end["nextForwardToken"]), (&json!([]), &rest["nextForwardToken"]));
    let filter = json!({ "logGroupName": "/ecs/web", "filterPattern": "ERROR" });
    let found = call(&mut world, "FilterLogEvents", filter).expect("found");
    assert_eq!(found["events"].as_array().map(Vec::len), Some(1));
}

#[test]
fn of_the_streams_of_a_group_the_oldest_go() {
    let mut world = with_group();
    for number in 0..5_000 {
        world.now += 1;
        write(&mut world, "/ecs/web", &format!("web/app/{number}"), "started");
    }
    let streams = &world.logs.groups["/ecs/web"].streams;
    assert!((1_000..=2_000).contains(&streams.len()), "{}", streams.len());
    assert!(streams.contains_key("web/app/4999") && !streams.contains_key("web/app/0"));
}

#[test]
fn a_group_that_is_gone_is_not_found() {
    let mut world = with_group();
    call(&mut world, "DeleteLogGroup", json!({ "logGroupName": "/ecs/web" })).expect("deleted");
    let error = call(&mut world, "DeleteLogGroup", json!({ "logGroupName": "/ecs/web" })).expect_err("gone");
    assert_eq!(error.message, "The specified log group does not exist.");
}

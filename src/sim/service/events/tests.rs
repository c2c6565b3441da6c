use super::*;
use crate::service::call;

fn ok(world: &mut World, service: &str, operation: &str, input: Json) -> Json {
    call(world, service, operation, &input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

/// A world with a queue that gets what the pattern matches.
fn stand(pattern: Json, target: Json) -> World {
    let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
    ok(&mut world, "sqs", "CreateQueue", json!({"QueueName": "inbox"}));
    let input = json!({"Name": "all", "EventPattern": pattern.to_string()});
    ok(&mut world, "events", "PutRule", input);
    let mut full = json!({"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:inbox"});
    for (name, value) in target.as_object().expect("an object") {
        full[name.as_str()] = value.clone();
    }
    ok(&mut world, "events", "PutTargets", json!({"Rule": "all", "Targets": [full]}));
    world
}

fn received(world: &mut World) -> Vec<Json> {
    let url = "https://sqs.us-east-1.amazonaws.com/123456789012/inbox";
    let answer = ok(world, "sqs", "ReceiveMessage", json!({"QueueUrl": url, "MaxNumberOfMessages": 10}));
    let body = |one: &Json| serde_json::from_str(one.text("Body").expect("a body")).expect("JSON");
    answer.list("Messages").iter().map(body).collect()
}

fn send(world: &mut World, state: &str) -> Json {
    let detail = json!({"state": state, "task": {"id": 7}}).to_string();
    let entry = json!({"Source": "shop", "DetailType": "order", "Detail": detail, "Resources": ["r"]});
    ok(world, "events", "PutEvents", json!({"Entries": [entry]}))
}

#[test]
fn a_matching_event_reaches_its_queue() {
    let mut world = stand(json!({"source": ["shop"], "detail": {"state": ["PAID"]}}), json!({}));
    send(&mut world, "NEW");
    let answer = send(&mut world, "PAID");
    let got = received(&mut world);
    assert_eq!(got.len(), 1);
    assert_eq!(got[0]["id"], answer["Entries"][0]["EventId"]);
    assert_eq!((&got[0]["detail-type"], &got[0]["detail"]["task"]["id"]), (&json!("order"), &json!(7)));
}

#[test]
fn a_target_says_what_it_wants_to_see() {
    let mut world = stand(json!({"source": ["shop"]}), json!({"InputPath": "$.detail.task"}));
    send(&mut world, "NEW");
    assert_eq!(received(&mut world), [json!({"id": 7})]);
    let transformer = json!({
        "InputPathsMap": {"s": "$.detail.state"}, "InputTemplate": "{\"text\": \"state <s>\", \"s\": \"<s>\"}",
    });
    let mut world = stand(json!({"source": ["shop"]}), json!({"InputTransformer": transformer}));
    send(&mut world, "NEW");
    assert_eq!(received(&mut world), [json!({"text": "state NEW", "s": "NEW"})]);
}

#[test]
fn a_disabled_rule_is_silent() {
    let mut world = stand(json!({"source": ["shop"]}), json!({}));
    ok(&mut world, "events", "DisableRule", json!({"Name": "all"}));
    send(&mut world, "NEW");
    assert!(received(&mut world).is_empty());
}

#[test]
fn wrong_entries_fail_alone() {
    let mut world = stand(json!({"source": ["shop"]}), json!({}));
    let entries = json!([
        {"Source": "aws.ecs", "DetailType": "x", "Detail": "{}"},
        {"Source": "shop", "DetailType": "x", "Detail": "no"},
        {"Source": "shop", "DetailType": "x", "Detail": "{}"},
    ]);
    let answer = ok(&mut world, "events", "PutEvents", json!({"Entries": entries}));
    assert_eq!(answer["FailedEntryCount"], 2);
    let codes = [&answer["Entries"][0]["ErrorCode"], &answer["Entries"][1]["ErrorCode"]];
    assert_eq!(codes, [&json!("NotAuthorizedForSource"), &json!("MalformedDetail")]);
}

#[test]
fn a_rule_with_targets_cannot_be_deleted() {
    let mut world = stand(json!({"source": ["shop"]}), json!({}));
    let delete = json!({"Name": "all"});
    let refused = call(&mut world, "events", "DeleteRule", &delete).expect_err("has targets");
    assert_eq!(refused.message, "Rule can't be deleted since it has targets.");
    ok(&mut world, "events", "RemoveTargets", json!({"Rule": "all", "Ids": ["q"]}));
    ok(&mut world, "events", "DeleteRule", delete);
    assert_eq!(ok(&mut world, "events", "ListRules", json!({}))["Rules"], json!([]));
}

#[test]
fn a_bus_takes_grants_to_put_events_only() {
    let mut world = stand(json!({"source": ["shop"]}), json!({}));
    let grant = |action: &str| json!({"Action": action, "Principal": "111111111111", "StatementId": "s"});
    let mut asked = |operation: &str, input: Json| {
        call(&mut world, "events", operation, &input).map_err(|error| error.code)
    };
    let none = json!({"StatementId": "s"});
    assert_eq!(asked("RemovePermission", none.clone()).err().as_deref(), Some("ResourceNotFoundException"));
    assert_eq!(asked("PutPermission", grant("events:PutRule")).err().as_deref(), Some("ValidationException"));
    assert!(asked("PutPermission", grant("events:PutEvents")).is_ok());
    assert!(asked("RemovePermission", none).is_ok());
    let target = json!({"Rule": "all", "Targets": [{"Id": "x", "Arn": "bucket"}]});
    assert_eq!(asked("PutTargets", target).err().as_deref(), Some("ValidationException"));
}

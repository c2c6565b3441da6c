use super::*;
use crate::service::call;

fn received(world: &mut World) -> Vec<Json> {
    let url = "https://sqs.us-east-1.amazonaws.com/123456789012/inbox";
    let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
    let answer = call(world, "sqs", "ReceiveMessage", &input).expect("received");
    answer.list("Messages").iter().map(|one| one["Body"].clone()).collect()
}

fn stand() -> (World, Json) {
    let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
    call(&mut world, "sqs", "CreateQueue", &json!({"QueueName": "inbox"})).expect("created");
    let topic = create(&mut world, &json!({"Name": "news"})).expect("created")["TopicArn"].clone();
    (world, topic)
}

fn join(world: &mut World, topic: &Json, attributes: Json) -> Json {
    let input = json!({
        "TopicArn": topic, "Protocol": "sqs", "Endpoint": "arn:aws:sqs:us-east-1:123456789012:inbox",
        "Attributes": attributes,
    });
    subscribe(world, &input).expect("subscribed")["SubscriptionArn"].clone()
}

#[test]
fn a_subscribed_queue_gets_what_is_published() {
    let (mut world, topic) = stand();
    join(&mut world, &topic, json!({}));
    publish(&mut world, &json!({"TopicArn": topic, "Subject": "s", "Message": "hello"})).expect("published");
    let bodies = received(&mut world);
    let note: Json = serde_json::from_str(bodies[0].as_str().expect("text")).expect("JSON");
    assert_eq!((&note["Message"], &note["Subject"]), (&json!("hello"), &json!("s")));
    assert_eq!(note["TopicArn"], topic);
}

#[test]
fn a_filter_keeps_out_what_does_not_match() {
    let (mut world, topic) = stand();
    let filter = json!({"state": ["ALARM"]}).to_string();
    join(&mut world, &topic, json!({"FilterPolicy": filter, "RawMessageDelivery": "true"}));
    for state in ["OK", "ALARM"] {
        let attributes = json!({"state": {"DataType": "String", "StringValue": state}});
        let input = json!({"TopicArn": topic, "Message": state, "MessageAttributes": attributes});
        publish(&mut world, &input).expect("published");
    }
    publish(&mut world, &json!({"TopicArn": topic, "Message": "plain"})).expect("published");
    assert_eq!(received(&mut world), ["ALARM"]);
}

#[test]
fn who_is_outside_must_confirm() {
    let (mut world, topic) = stand();
    let input = json!({"TopicArn": topic, "Protocol": "email", "Endpoint": "a@example.com"});
    assert_eq!(subscribe(&mut world, &input).expect("asked")["SubscriptionArn"], "pending confirmation");
    let listed = list_subscriptions(&mut world, &json!({})).expect("listed");
    assert_eq!(listed["Subscriptions"][0]["SubscriptionArn"], "PendingConfirmation");
    let attributes = get_attributes(&mut world, &json!({"TopicArn": topic})).expect("there");
    assert_eq!(attributes["Attributes"]["SubscriptionsPending"], "1");
    let wrong = json!({"TopicArn": topic, "Protocol": "fax", "Endpoint": "1"});
    assert_eq!(subscribe(&mut world, &wrong).expect_err("refused").code, "InvalidParameter");
}

#[test]
fn a_subject_is_one_short_line() {
    let (mut world, topic) = stand();
    for subject in ["x".repeat(101), "two\nlines".to_owned()] {
        let input = json!({"TopicArn": topic, "Subject": subject, "Message": "m"});
        assert_eq!(publish(&mut world, &input).expect_err("refused").message, "Invalid parameter: Subject");
    }
    let input = json!({"TopicArn": topic, "Subject": "x".repeat(100), "Message": "m"});
    publish(&mut world, &input).expect("published");
}

#[test]
fn numbers_match_with_five_digits() {
    let (mut world, topic) = stand();
    let filter = json!({"price": [100.123_456_789]}).to_string();
    join(&mut world, &topic, json!({"FilterPolicy": filter, "RawMessageDelivery": "true"}));
    for price in ["100.1234567", "100.1235"] {
        let attributes = json!({"price": {"DataType": "Number", "StringValue": price}});
        let input = json!({"TopicArn": topic, "Message": price, "MessageAttributes": attributes});
        publish(&mut world, &input).expect("published");
    }
    assert_eq!(received(&mut world), ["100.1234567"]);
}

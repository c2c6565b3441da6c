use super::*;
use crate::service::call;
use crate::world::MINUTE;

fn world() -> World {
    World::new("123456789012", "us-east-1", 1, 1_700_000_000_000)
}

fn ok(world: &mut World, operation: &str, input: Json) -> Json {
    call(world, "sqs", operation, &input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

fn make(world: &mut World, name: &str, attributes: Json) -> Json {
    ok(world, "CreateQueue", json!({"QueueName": name, "Attributes": attributes}))["QueueUrl"].clone()
}

fn bodies(world: &mut World, queue: &Json) -> Vec<String> {
    let answer = ok(world, "ReceiveMessage", json!({"QueueUrl": queue, "MaxNumberOfMessages": 10}));
    answer.list("Messages").iter().map(|one| one.text("Body").expect("a body").to_owned()).collect()
}

fn pass(world: &mut World, millis: Millis) {
    world.advance_to(world.now + millis);
}

#[test]
fn a_received_message_is_hidden_and_comes_back() {
    let mut world = world();
    let queue = make(&mut world, "jobs", json!({"VisibilityTimeout": "60"}));
    ok(&mut world, "SendMessage", json!({"QueueUrl": queue, "MessageBody": "one"}));
    ok(&mut world, "SendMessage", json!({"QueueUrl": queue, "MessageBody": "late", "DelaySeconds": 90}));
    assert_eq!(bodies(&mut world, &queue), ["one"]);
    assert!(bodies(&mut world, &queue).is_empty());
    pass(&mut world, MINUTE);
    let answer = ok(&mut world, "ReceiveMessage", json!({"QueueUrl": queue, "AttributeNames": ["All"]}));
    assert_eq!(answer["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "2");
    let receipt = &answer["Messages"][0]["ReceiptHandle"];
    ok(&mut world, "DeleteMessage", json!({"QueueUrl": queue, "ReceiptHandle": receipt}));
    pass(&mut world, 2 * MINUTE);
    assert_eq!(bodies(&mut world, &queue), ["late"]);
}

#[test]
fn what_is_received_too_often_goes_to_the_dead_letter_queue() {
    let mut world = world();
    let dead = make(&mut world, "dead", json!({}));
    let policy =
        json!({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": "2"});
    let queue =
        make(&mut world, "jobs", json!({"VisibilityTimeout": "1", "RedrivePolicy": policy.to_string()}));
    ok(&mut world, "SendMessage", json!({"QueueUrl": queue, "MessageBody": "bad"}));
    for _ in 0..2 {
        assert_eq!(bodies(&mut world, &queue), ["bad"]);
        pass(&mut world, 2 * SECOND);
    }
    assert!(bodies(&mut world, &queue).is_empty());
    assert_eq!(bodies(&mut world, &dead), ["bad"]);
    let sources = ok(&mut world, "ListDeadLetterSourceQueues", json!({"QueueUrl": dead}));
    assert_eq!(sources["queueUrls"], json!([queue]));
}

#[test]
fn a_fifo_group_keeps_its_order_and_drops_repetitions() {
    let mut world = world();
    let queue =
        make(&mut world, "jobs.fifo", json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"}));
    let send = |world: &mut World, group: &str, body: &str| {
        let input = json!({"QueueUrl": queue, "MessageBody": body, "MessageGroupId": group});
        ok(world, "SendMessage", input)["MessageId"].clone()
    };
    let first = send(&mut world, "a", "1");
    assert_eq!(send(&mut world, "a", "1"), first);
    send(&mut world, "a", "2");
    send(&mut world, "b", "3");
    let one = ok(&mut world, "ReceiveMessage", json!({"QueueUrl": queue}));
    assert_eq!(one["Messages"][0]["Body"], "1");
    // Group a waits for its first message.
    assert_eq!(bodies(&mut world, &queue), ["3"]);
}

#[test]
fn digests_are_those_of_the_developer_guide_s_algorithm() {
    let mut world = world();
    let queue = make(&mut world, "jobs", json!({}));
    let input = json!({"QueueUrl": queue, "MessageBody": "This is a test message", "MessageAttributes": {
        "Name": {"DataType": "String", "StringValue": "x"}}});
    let answer = ok(&mut world, "SendMessage", input);
    assert_eq!(answer["MD5OfMessageBody"], "fafb00f5732ab283681e124bf8747ed1");
    assert_eq!(answer["MD5OfMessageAttributes"].as_str().map(str::len), Some(32));
}

#[test]
fn names_and_values_are_checked() {
    let mut world = world();
    let code =
        |world: &mut World, input: Json| call(world, "sqs", "CreateQueue", &input).expect_err("refused").code;
    assert_eq!(code(&mut world, json!({"QueueName": "a b"})), "InvalidParameterValue");
    let fifo = json!({"QueueName": "a", "Attributes": {"FifoQueue": "true"}});
    assert_eq!(code(&mut world, fifo), "InvalidParameterValue");
    let slow = json!({"QueueName": "a", "Attributes": {"VisibilityTimeout": "50000"}});
    assert_eq!(code(&mut world, slow), "InvalidAttributeValue");
    let queue = make(&mut world, "a", json!({}));
    let other = json!({"QueueName": "a", "Attributes": {"DelaySeconds": "5"}});
    assert_eq!(code(&mut world, other), "QueueNameExists");
    ok(&mut world, "DeleteQueue", json!({"QueueUrl": queue}));
    assert_eq!(code(&mut world, json!({"QueueName": "a"})), "QueueDeletedRecently");
}

#[test]
fn a_fifo_queue_takes_no_delay_of_one_message() {
    let mut world = world();
    let queue = make(&mut world, "a.fifo", json!({"FifoQueue": "true"}));
    let entry = |delay: i64| {
        json!({
            "QueueUrl": queue, "MessageBody": "b", "MessageGroupId": "g", "MessageDeduplicationId": "d",
            "DelaySeconds": delay,
        })
    };
    let error = call(&mut world, "sqs", "SendMessage", &entry(5)).expect_err("refused");
    assert!(error.message.ends_with("not valid for this queue type."), "{}", error.message);
    ok(&mut world, "SendMessage", entry(0));
}

#[test]
fn a_batch_has_an_entry() {
    let mut world = world();
    let queue = make(&mut world, "a", json!({}));
    let input = json!({"QueueUrl": queue, "Entries": []});
    let error = call(&mut world, "sqs", "SendMessageBatch", &input).expect_err("refused");
    assert_eq!(error.message, "There should be at least one SendMessageBatchRequestEntry in the request.");
}

#[test]
fn what_only_the_owner_does_cannot_be_granted() {
    let mut world = world();
    let queue = make(&mut world, "a", json!({}));
    let grant = |action: &str| json!({"QueueUrl": queue, "Label": action, "AWSAccountIds": ["210987654321"], "Actions": [action]});
    let error = call(&mut world, "sqs", "AddPermission", &grant("RemovePermission")).expect_err("refused");
    assert_eq!(error.code, "InvalidParameterValue");
    ok(&mut world, "AddPermission", grant("SendMessage"));
}

#[test]
fn waits_tags_and_entries_have_bounds() {
    let mut world = world();
    let queue = make(&mut world, "a", json!({}));
    let many: BTreeMap<String, String> = (0..51).map(|at| (format!("k{at}"), String::new())).collect();
    for (operation, input, code) in [
        ("ReceiveMessage", json!({"WaitTimeSeconds": 21}), "InvalidParameterValue"),
        ("TagQueue", json!({"Tags": {}}), "MissingParameter"),
        ("TagQueue", json!({"Tags": many}), "InvalidParameterValue"),
        ("UntagQueue", json!({"TagKeys": []}), "InvalidParameterValue"),
        (
            "SendMessageBatch",
            json!({"Entries": [{"Id": "a", "MessageBody": "b".repeat(1_048_577)}]}),
            "BatchRequestTooLong",
        ),
        ("SendMessageBatch", json!({"Entries": [{"Id": "a b", "MessageBody": "b"}]}), "InvalidBatchEntryId"),
    ] {
        let mut input = input;
        input["QueueUrl"] = queue.clone();
        let error = call(&mut world, "sqs", operation, &input).expect_err(operation);
        assert_eq!(error.code, code, "{operation}");
    }
}

fn refused(world: &mut World, operation: &str, input: Json) -> (String, String) {
    let error = call(world, "sqs", operation, &input).expect_err(operation);
    (error.code, error.message)
}

#[test]
fn a_dead_letter_queue_is_of_the_same_kind() {
    let mut world = world();
    make(&mut world, "dead", json!({}));
    let policy =
        json!({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": 2});
    let attributes = json!({"FifoQueue": "true", "RedrivePolicy": policy.to_string()});
    let (code, message) =
        refused(&mut world, "CreateQueue", json!({"QueueName": "jobs.fifo", "Attributes": attributes}));
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.contains("same type of queue"), "{message}");
}

#[test]
fn attributes_of_messages_have_plain_names_and_known_types() {
    let mut world = world();
    let queue = make(&mut world, "jobs", json!({}));
    let mut send = |name: &str, kind: &str| {
        let attributes = json!({name: {"DataType": kind, "StringValue": "1"}});
        let input = json!({"QueueUrl": queue, "MessageBody": "b", "MessageAttributes": attributes});
        call(&mut world, "sqs", "SendMessage", &input).map_err(|error| error.code)
    };
    assert!(send("price.net-1", "Number.int").is_ok());
    assert_eq!(send("preis€", "Number").err().as_deref(), Some("InvalidParameterValue"));
    assert_eq!(send("price", "Numeric").err().as_deref(), Some("InvalidParameterValue"));
}

#[test]
fn a_fifo_batch_is_refused_if_one_message_has_no_group() {
    let mut world = world();
    let queue =
        make(&mut world, "jobs.fifo", json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"}));
    let entries =
        json!([{"Id": "1", "MessageBody": "a", "MessageGroupId": "g"}, {"Id": "2", "MessageBody": "b"}]);
    let (code, _) = refused(&mut world, "SendMessageBatch", json!({"QueueUrl": queue, "Entries": entries}));
    assert_eq!(code, "MissingParameter");
    assert!(bodies(&mut world, &queue).is_empty());
}

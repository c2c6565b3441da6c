//! Messages: sent, received, made visible again, deleted.

use super::*;
use crate::world::MINUTE;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sha2::Sha256;

/// Another service sends a message; a queue that is gone loses it.
pub fn send_to(world: &mut World, arn: &str, body: &str, group: Option<&str>) {
    let mut entry = json!({"MessageBody": body});
    if let Some(group) = group {
        entry["MessageGroupId"] = json!(group);
    }
    deliver(world, arn, &entry);
}

/// A message in SendMessage's members; what the queue refuses is lost.
pub fn deliver(world: &mut World, arn: &str, entry: &Json) {
    let name = arn.rsplit(':').next().unwrap_or_default().to_owned();
    if world.sqs.queues.contains_key(&name) {
        let _ = accept(world, &name, entry);
    }
}

fn md5(text: &str) -> String {
    hex::encode(Md5::digest(text.as_bytes()))
}

/// Developer Guide, "Calculating the MD5 message digest for message attributes".
fn md5_of_attributes(attributes: &Json) -> Option<String> {
    let all: BTreeMap<&String, &Json> =
        attributes.as_object().filter(|all| !all.is_empty())?.iter().collect();
    let mut whole = Vec::new();
    for (name, value) in all {
        let kind = value.text("DataType").unwrap_or_default();
        let (mark, content) = match value.text("BinaryValue") {
            Some(binary) => (2_u8, STANDARD.decode(binary).unwrap_or_default()),
            None => (1, value.text("StringValue").unwrap_or_default().as_bytes().to_vec()),
        };
        for part in [name.as_bytes(), kind.as_bytes()] {
            whole.extend((part.len() as u32).to_be_bytes());
            whole.extend(part);
        }
        whole.push(mark);
        whole.extend((content.len() as u32).to_be_bytes());
        whole.extend(content);
    }
    Some(hex::encode(Md5::digest(&whole)))
}

/// Developer Guide, "Message attribute components"; the words are those that moto's tests expect.
fn check_attributes(attributes: &Json) -> Result<(), ApiError> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    for (name, value) in attributes.as_object().into_iter().flatten() {
        if !name.chars().all(good) {
            let message = format!(
                "The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters."
            );
            return Err(error("InvalidParameterValue", message));
        }
        let kind = value.text("DataType").unwrap_or_default();
        // `Number.int`: what follows the point is the client's own.
        if !kind.is_empty() && !matches!(kind.split('.').next(), Some("Binary" | "Number" | "String")) {
            let message = format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
            );
            return Err(error("InvalidParameterValue", message));
        }
    }
    Ok(())
}

/// What a FIFO queue needs of every message.
fn check_order(queue: &Queue, entry: &Json) -> Result<(), ApiError> {
    let by_content = queue.attributes.get("ContentBasedDeduplication").is_some_and(|value| value == "true");
    if entry.text("MessageGroupId").is_none() {
        return Err(error("MissingParameter", "The request must contain the parameter MessageGroupId."));
    }
    if !by_content && entry.text("MessageDeduplicationId").is_none() {
        let message = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";
        return Err(error("InvalidParameterValue", message));
    }
    Ok(())
}

fn accept(world: &mut World, name: &str, entry: &Json) -> Answer {
    let now = world.now;
    let id = world.uuid();
    let body = entry.text("MessageBody").unwrap_or_default().to_owned();
    let attributes = entry.get("MessageAttributes").cloned().unwrap_or_else(|| json!({}));
    check_attributes(&attributes)?;
    let queue = world.sqs.queues.get_mut(name).ok_or_else(no_queue)?;
    queue.forget(now);
    if body.is_empty() {
        return Err(error("MissingParameter", "The request must contain the parameter MessageBody."));
    }
    let most = queue.number("MaximumMessageSize");
    if body.len() as i64 > most {
        let message =
            format!("One or more parameters are invalid. Reason: Message must be shorter than {most} bytes.");
        return Err(error("InvalidParameterValue", message));
    }
    if let Some(seconds) = entry.int("DelaySeconds").filter(|seconds| !(0..=900).contains(seconds)) {
        let message = format!(
            "Value {seconds} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
        );
        return Err(error("InvalidParameterValue", message));
    }
    let fifo = queue.is_fifo();
    // A FIFO queue delays all its messages alike (API reference, SendMessage: DelaySeconds; the words are AWS's).
    if let Some(seconds) = entry.int("DelaySeconds").filter(|seconds| fifo && *seconds != 0) {
        let message = format!(
            "Value {seconds} for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."
        );
        return Err(error("InvalidParameterValue", message));
    }
    if fifo {
        check_order(queue, entry)?;
    }
    let group = entry.text("MessageGroupId").map(str::to_owned);
    let own = entry.text("MessageDeduplicationId").map(str::to_owned);
    let by_content = queue.attributes.get("ContentBasedDeduplication").is_some_and(|value| value == "true");
    let deduplication =
        own.or_else(|| (fifo && by_content).then(|| hex::encode(Sha256::digest(body.as_bytes()))));
    let answer = |id: &str, sequence: Option<&String>| {
        json!({"MessageId": id, "MD5OfMessageBody": md5(&body)})
            .with("MD5OfMessageAttributes", md5_of_attributes(&attributes))
            .with("SequenceNumber", sequence.cloned())
    };
    // Sent again within five minutes it is not delivered again.
    if let Some((_, id, sequence)) =
        deduplication.as_ref().filter(|_| fifo).and_then(|one| queue.seen.get(one))
    {
        return Ok(answer(id, Some(sequence)));
    }
    queue.sequence += 1;
    let sequence =
        fifo.then(|| format!("{:020}", u128::from(queue.sequence) * 256 + 18_850_000_000_000_000_000_u128));
    if let (Some(one), Some(sequence)) = (&deduplication, &sequence) {
        queue.seen.insert(one.clone(), (now + 5 * MINUTE, id.clone(), sequence.clone()));
    }
    let delay = entry.int("DelaySeconds").filter(|_| !fifo).unwrap_or_else(|| queue.number("DelaySeconds"));
    let answer = answer(&id, sequence.as_ref());
    queue.messages.push_back(Message {
        id,
        body: body.clone(),
        attributes: attributes.clone(),
        system: entry.get("MessageSystemAttributes").cloned().unwrap_or_else(|| json!({})),
        sent: now,
        visible: now + delay * SECOND,
        first_received: None,
        received: 0,
        receipt: None,
        group,
        deduplication,
        sequence,
        source: None,
    });
    Ok(answer)
}

pub fn send(world: &mut World, input: &Json) -> Answer {
    let name = name_of(world, input)?.to_owned();
    accept(world, &name, input)
}

/// All messages of a batch together (API reference, SendMessageBatch: 1 MiB).
const LONGEST_BATCH: usize = 1_048_576;

/// One to ten entries with different ids; each succeeds or fails by itself.
fn batch(
    world: &mut World,
    input: &Json,
    operation: &str,
    act: fn(&mut World, &str, &Json) -> Answer,
) -> Answer {
    let name = name_of(world, input)?.to_owned();
    let entries = input.list("Entries");
    if entries.is_empty() {
        // In AWS's words (moto's test_delete_message_batch_with_zero_entries, which was run against AWS).
        let message = format!("There should be at least one {operation}RequestEntry in the request.");
        return Err(error("EmptyBatchRequest", message));
    }
    if entries.len() > 10 {
        let message =
            format!("Maximum number of entries per request are 10. You have sent {}.", entries.len());
        return Err(error("TooManyEntriesInBatchRequest", message));
    }
    let size: usize = entries.iter().filter_map(|entry| entry.text("MessageBody")).map(str::len).sum();
    if size > LONGEST_BATCH {
        let message = format!(
            "Batch requests cannot be longer than {LONGEST_BATCH} bytes. You have sent {size} bytes."
        );
        return Err(error("BatchRequestTooLong", message));
    }
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    let mut ids: Vec<&str> = Vec::new();
    for entry in entries {
        let id = entry.text("Id").unwrap_or_default();
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !plain || !(1..=80).contains(&id.len()) {
            return Err(error(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
            ));
        }
        if ids.contains(&id) {
            return Err(error("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
        ids.push(id);
    }
    for entry in entries {
        match act(world, &name, entry) {
            Ok(mut answer) => {
                answer["Id"] = entry["Id"].clone();
                done.push(answer);
            }
            Err(why) => failed.push(json!({
                "Id": entry["Id"], "Code": why.code, "Message": why.message, "SenderFault": why.status < 500,
            })),
        }
    }
    Ok(json!({"Successful": done, "Failed": failed}))
}

pub fn send_batch(world: &mut World, input: &Json) -> Answer {
    // These refuse the batch as a whole (moto's tests of FIFO queues).
    let queue = world.sqs.queues.get(name_of(world, input)?).filter(|queue| queue.is_fifo());
    if let Some(queue) = queue {
        input.list("Entries").iter().try_for_each(|entry| check_order(queue, entry))?;
    }
    batch(world, input, "SendMessageBatch", accept)
}

pub fn receive(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let name = name_of(world, input)?.to_owned();
    let most = input.int("MaxNumberOfMessages").unwrap_or(1);
    if !(1..=10).contains(&most) {
        let message = format!(
            "Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        );
        return Err(error("InvalidParameterValue", message));
    }
    if let Some(wait) = input.int("WaitTimeSeconds").filter(|wait| !(0..=20).contains(wait)) {
        let message = format!(
            "Value {wait} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
        );
        return Err(error("InvalidParameterValue", message));
    }
    give_up(world, &name);
    let receipts: Vec<String> = (0..most).map(|_| world.hex(64)).collect();
    let sender = world.account.clone();
    let queue = queue(world, input)?;
    let hidden = input.int("VisibilityTimeout").unwrap_or_else(|| queue.number("VisibilityTimeout"));
    let wait = input.int("WaitTimeSeconds").unwrap_or_else(|| queue.number("ReceiveMessageWaitTimeSeconds"));
    let found = within_reach(queue, now, receipts.len());
    if found.is_empty() && wait > 0 {
        world.waits = Some(Wait { region: world.region.clone(), queue: name, until: now + wait * SECOND });
        return Ok(json!({}));
    }
    let mut taken = Vec::new();
    for (at, receipt) in found.into_iter().zip(receipts) {
        let message = &mut queue.messages[at];
        message.visible = now + hidden * SECOND;
        message.received += 1;
        message.first_received.get_or_insert(now);
        message.receipt = Some(receipt);
        taken.push(view(message, input, &sender));
    }
    Ok(json!({}).with("Messages", (!taken.is_empty()).then(|| json!(taken))))
}

/// Which messages can be received now, at most so many.
pub fn within_reach(queue: &Queue, now: Millis, most: usize) -> Vec<usize> {
    let flying = queue.messages.iter().filter(|one| one.visible > now && one.received > 0);
    let mut busy: Vec<&String> =
        if queue.is_fifo() { flying.filter_map(|one| one.group.as_ref()).collect() } else { Vec::new() };
    let mut found = Vec::new();
    for (at, message) in queue.messages.iter().enumerate() {
        // In a group nothing overtakes what is not there yet.
        let waits = message.visible > now;
        if let Some(group) = message.group.as_ref().filter(|_| message.sequence.is_some()) {
            if busy.contains(&group) {
                continue;
            }
            if waits {
                busy.push(group);
            }
        }
        if !waits && found.len() < most {
            found.push(at);
        }
    }
    found
}

/// Messages that were received too often go to the dead-letter queue.
fn give_up(world: &mut World, name: &str) {
    let (now, source) = (world.now, arn(world, name));
    let Some(queue) = world.sqs.queues.get_mut(name) else { return };
    let policy =
        queue.attributes.get("RedrivePolicy").and_then(|text| serde_json::from_str::<Json>(text).ok());
    let Some(policy) = policy else { return };
    let most = queues::redrive_count(&policy);
    let lost = |one: &Message| one.visible <= now && i64::from(one.received) >= most;
    let going: Vec<Message> = queue.messages.iter().filter(|one| lost(one)).cloned().collect();
    let target =
        policy.text("deadLetterTargetArn").and_then(|arn| arn.rsplit(':').next()).unwrap_or_default();
    if going.is_empty() || !world.sqs.queues.contains_key(target) {
        return;
    }
    if let Some(queue) = world.sqs.queues.get_mut(name) {
        queue.messages.retain(|one| !lost(one));
    }
    if let Some(queue) = world.sqs.queues.get_mut(target) {
        queue.messages.extend(going.into_iter().map(|one| Message {
            source: Some(source.clone()),
            receipt: None,
            ..one
        }));
    }
}

fn view(message: &Message, input: &Json, sender: &str) -> Json {
    let system = [input.texts("AttributeNames"), input.texts("MessageSystemAttributeNames")].concat();
    let known = [
        ("SenderId", Some(sender.to_owned())),
        ("SentTimestamp", Some(message.sent.to_string())),
        ("ApproximateReceiveCount", Some(message.received.to_string())),
        ("ApproximateFirstReceiveTimestamp", message.first_received.map(|at| at.to_string())),
        ("MessageGroupId", message.group.clone()),
        ("MessageDeduplicationId", message.deduplication.clone()),
        ("SequenceNumber", message.sequence.clone()),
        ("DeadLetterQueueSourceArn", message.source.clone()),
        (
            "AWSTraceHeader",
            message.system.get("AWSTraceHeader").and_then(|one| one.text("StringValue")).map(str::to_owned),
        ),
    ];
    let wanted = |name: &str| system.contains(&"All") || system.contains(&name);
    let attributes: BTreeMap<&str, String> = known
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let names = input.texts("MessageAttributeNames");
    let asked = |name: &str| {
        names.iter().any(|one| match one.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => matches!(*one, "All") || *one == name,
        })
    };
    let own = message.attributes.as_object().into_iter().flatten().filter(|(name, _)| asked(name));
    let own: serde_json::Map<String, Json> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
    let own = Json::Object(own);
    json!({
        "MessageId": message.id, "ReceiptHandle": message.receipt, "Body": message.body,
        "MD5OfBody": md5(&message.body),
    })
    .with("Attributes", (!attributes.is_empty()).then(|| json!(attributes)))
    .with("MD5OfMessageAttributes", md5_of_attributes(&own))
    .with("MessageAttributes", own.as_object().filter(|all| !all.is_empty()).map(|all| json!(all)))
}

fn find<'a>(queue: &'a mut Queue, entry: &Json) -> Option<&'a mut Message> {
    let receipt = entry.text("ReceiptHandle");
    queue.messages.iter_mut().find(|one| one.receipt.is_some() && one.receipt.as_deref() == receipt)
}

fn check_receipt(receipt: &str) -> Result<(), ApiError> {
    if receipt.len() == 64 && receipt.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(());
    }
    let message = format!("The input receipt handle \"{receipt}\" is not a valid receipt handle.");
    Err(error("ReceiptHandleIsInvalid", message))
}

/// Deleting what is not there any more is no error.
fn remove(world: &mut World, name: &str, entry: &Json) -> Answer {
    let receipt = entry.text("ReceiptHandle").unwrap_or_default();
    check_receipt(receipt)?;
    let queue = world.sqs.queues.get_mut(name).ok_or_else(no_queue)?;
    queue.messages.retain(|one| one.receipt.as_deref() != Some(receipt));
    Ok(json!({}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = name_of(world, input)?.to_owned();
    remove(world, &name, input)
}

pub fn delete_batch(world: &mut World, input: &Json) -> Answer {
    batch(world, input, "DeleteMessageBatch", remove)
}

fn hide(world: &mut World, name: &str, entry: &Json) -> Answer {
    let now = world.now;
    let seconds = entry.int("VisibilityTimeout").unwrap_or(0);
    check_receipt(entry.text("ReceiptHandle").unwrap_or_default())?;
    if !(0..=43_200).contains(&seconds) {
        let message = format!(
            "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200."
        );
        return Err(error("InvalidParameterValue", message));
    }
    let queue = world.sqs.queues.get_mut(name).ok_or_else(no_queue)?;
    let Some(message) = find(queue, entry) else {
        let receipt = entry.text("ReceiptHandle").unwrap_or_default();
        let message = format!(
            "Value {receipt} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."
        );
        return Err(error("InvalidParameterValue", message));
    };
    if message.visible <= now {
        let receipt = entry.text("ReceiptHandle").unwrap_or_default();
        let message = format!(
            "Value {receipt} for parameter ReceiptHandle is invalid. Reason: Message is not in flight."
        );
        return Err(error("MessageNotInflight", message));
    }
    message.visible = now + seconds * SECOND;
    Ok(json!({}))
}

pub fn change_visibility(world: &mut World, input: &Json) -> Answer {
    let name = name_of(world, input)?.to_owned();
    hide(world, &name, input)
}

pub fn change_visibility_batch(world: &mut World, input: &Json) -> Answer {
    batch(world, input, "ChangeMessageVisibilityBatch", hide)
}

//! Queues and their attributes.

use super::*;
use crate::world::MINUTE;

/// Attributes that can be set, with their defaults and ranges (API reference, CreateQueue).
const NUMBERS: &[(&str, i64, i64, i64)] = &[
    ("VisibilityTimeout", 30, 0, 43_200),
    ("MaximumMessageSize", 1_048_576, 1_024, 1_048_576),
    ("MessageRetentionPeriod", 345_600, 60, 1_209_600),
    ("DelaySeconds", 0, 0, 900),
    ("ReceiveMessageWaitTimeSeconds", 0, 0, 20),
];

/// An empty value takes these away.
const TEXTS: &[&str] = &["Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId"];

fn given(input: &Json) -> BTreeMap<String, String> {
    let all = input.get("Attributes").and_then(Json::as_object).into_iter().flatten();
    all.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn check(world: &World, attributes: &BTreeMap<String, String>, fifo: bool) -> Result<(), ApiError> {
    for (name, value) in attributes {
        let wrong = || {
            let message = format!("Invalid value for the parameter {name}.");
            Err(error("InvalidAttributeValue", message))
        };
        let range = NUMBERS.iter().find(|(known, ..)| known == name);
        let inside = |least, most| value.parse::<i64>().is_ok_and(|number| (least..=most).contains(&number));
        if range.is_some_and(|(_, _, least, most)| !inside(*least, *most)) {
            return wrong();
        }
        if matches!(name.as_str(), "Policy" | "RedrivePolicy") && !value.is_empty() {
            let Ok(parsed) = serde_json::from_str::<Json>(value) else { return wrong() };
            if name == "RedrivePolicy" {
                check_redrive(world, value, &parsed, fifo)?;
            }
        }
    }
    Ok(())
}

fn check_redrive(world: &World, text: &str, policy: &Json, fifo: bool) -> Result<(), ApiError> {
    let target = policy.text("deadLetterTargetArn").unwrap_or_default();
    let count = redrive_count(policy);
    if !(1..=1000).contains(&count) {
        let message = format!(
            "Value {text} for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive."
        );
        return Err(error("InvalidParameterValue", message));
    }
    let name = target.rsplit(':').next().unwrap_or_default();
    // Developer Guide, "Using dead-letter queues": that of a FIFO queue must be one too.
    let reason = match world.sqs.queues.get(name) {
        None => "Dead letter target does not exist.",
        Some(target) if target.is_fifo() != fifo => {
            "Dead-letter queue must be same type of queue as the source."
        }
        Some(_) => return Ok(()),
    };
    let message = format!("Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}");
    Err(error("InvalidParameterValue", message))
}

/// A number, or text that is one.
pub fn redrive_count(policy: &Json) -> i64 {
    let count = policy.get("maxReceiveCount").unwrap_or(&Json::Null);
    count.as_i64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0)
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = input.text("QueueName").unwrap_or_default().to_owned();
    let mut attributes = given(input);
    let fifo = attributes.get("FifoQueue").is_some_and(|value| value == "true");
    let plain = name.strip_suffix(".fifo").filter(|_| fifo).unwrap_or(&name);
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if plain.is_empty() || name.len() > 80 || !plain.chars().all(good) {
        let message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
        return Err(error("InvalidParameterValue", message));
    }
    if fifo && !name.ends_with(".fifo") {
        let message = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.";
        return Err(error("InvalidParameterValue", message));
    }
    check(world, &attributes, attributes.get("FifoQueue").is_some_and(|value| value == "true"))?;
    attributes.retain(|name, value| !(value.is_empty() && TEXTS.contains(&name.as_str())));
    if let Some(found) = world.sqs.queues.get(&name) {
        // The same again is no error, if nothing given differs.
        let differs = attributes.iter().find(|(name, value)| found.attributes.get(*name) != Some(value));
        if let Some((attribute, _)) = differs {
            let message = format!(
                "A queue already exists with the same name and a different value for attribute {attribute}"
            );
            return Err(error("QueueNameExists", message));
        }
        return Ok(json!({"QueueUrl": url(world, &name)}));
    }
    if world.sqs.deleted.get(&name).is_some_and(|at| at + MINUTE > world.now) {
        let message = "You must wait 60 seconds after deleting a queue before you can create another with the same name.";
        return Err(error("QueueDeletedRecently", message));
    }
    for (attribute, default, ..) in NUMBERS {
        attributes.entry((*attribute).to_owned()).or_insert_with(|| default.to_string());
    }
    if !attributes.contains_key("KmsMasterKeyId") {
        attributes.entry("SqsManagedSseEnabled".to_owned()).or_insert_with(|| "true".to_owned());
    }
    attributes.retain(|name, value| !(name == "FifoQueue" && value != "true"));
    if fifo {
        for (attribute, default) in [
            ("ContentBasedDeduplication", "false"),
            ("DeduplicationScope", "queue"),
            ("FifoThroughputLimit", "perQueue"),
        ] {
            attributes.entry(attribute.to_owned()).or_insert_with(|| default.to_owned());
        }
    }
    let queue = Queue {
        attributes,
        tags: tags(input, "tags"),
        created: world.now,
        modified: world.now,
        purged: None,
        messages: VecDeque::new(),
        seen: BTreeMap::new(),
        sequence: 0,
    };
    world.sqs.queues.insert(name.clone(), queue);
    Ok(json!({"QueueUrl": url(world, &name)}))
}

fn tags(input: &Json, member: &str) -> Tags {
    let given = input.get(member).and_then(Json::as_object).into_iter().flatten();
    given.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = name_of(world, input)?;
    world.sqs.queues.remove(name);
    world.sqs.deleted.insert(name.to_owned(), world.now);
    Ok(json!({}))
}

pub fn get_url(world: &mut World, input: &Json) -> Answer {
    let name = input.text("QueueName").unwrap_or_default();
    if !world.sqs.queues.contains_key(name) {
        return Err(no_queue());
    }
    Ok(json!({"QueueUrl": url(world, name)}))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let prefix = input.text("QueueNamePrefix").unwrap_or_default();
    let names = world.sqs.queues.keys().filter(|name| name.starts_with(prefix));
    let urls: Vec<Json> = names.map(|name| json!(url(world, name))).collect();
    let limit = input.int("MaxResults").map_or(1000, |n| (n as usize).clamp(1, 1000));
    let (urls, next) = page(urls, input.text("NextToken"), limit);
    // Without queues the member is absent.
    Ok(json!({}).with("QueueUrls", (!urls.is_empty()).then(|| json!(urls))).with("NextToken", next))
}

pub fn list_sources(world: &mut World, input: &Json) -> Answer {
    let target = arn(world, name_of(world, input)?);
    let leads = |queue: &Queue| {
        let policy =
            queue.attributes.get("RedrivePolicy").and_then(|text| serde_json::from_str::<Json>(text).ok());
        policy.is_some_and(|policy| policy.text("deadLetterTargetArn") == Some(target.as_str()))
    };
    let names = world.sqs.queues.iter().filter(|(_, queue)| leads(queue));
    Ok(json!({"queueUrls": names.map(|(name, _)| url(world, name)).collect::<Vec<_>>()}))
}

/// API reference, GetQueueAttributes.
const READABLE: &[&str] = &[
    "All",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "ContentBasedDeduplication",
    "CreatedTimestamp",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "LastModifiedTimestamp",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "QueueArn",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

pub fn get_attributes(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let arn = arn(world, name_of(world, input)?);
    let queue = queue(world, input)?;
    let mut all = queue.attributes.clone();
    all.insert("QueueArn".to_owned(), arn);
    let delayed = |one: &&Message| one.visible > now && one.received == 0;
    let flying = |one: &&Message| one.visible > now && one.received > 0;
    let count = |fits: &dyn Fn(&&Message) -> bool| queue.messages.iter().filter(fits).count();
    let (delayed, flying) = (count(&delayed), count(&flying));
    for (name, number) in [
        ("ApproximateNumberOfMessages", queue.messages.len() - delayed - flying),
        ("ApproximateNumberOfMessagesNotVisible", flying),
        ("ApproximateNumberOfMessagesDelayed", delayed),
    ] {
        all.insert(name.to_owned(), number.to_string());
    }
    all.insert("CreatedTimestamp".to_owned(), (queue.created / 1000).to_string());
    all.insert("LastModifiedTimestamp".to_owned(), (queue.modified / 1000).to_string());
    let asked = input.texts("AttributeNames");
    if let Some(unknown) = asked.iter().find(|name| !READABLE.contains(name)) {
        return Err(error("InvalidAttributeName", format!("Unknown Attribute {unknown}.")));
    }
    if !asked.contains(&"All") {
        all.retain(|name, _| asked.contains(&name.as_str()));
    }
    Ok(json!({}).with("Attributes", (!all.is_empty()).then(|| json!(all))))
}

pub fn set_attributes(world: &mut World, input: &Json) -> Answer {
    let given = given(input);
    let fifo = queue(world, input)?.is_fifo();
    check(world, &given, fifo)?;
    let now = world.now;
    let queue = queue(world, input)?;
    if given.get("FifoQueue").is_some_and(|value| (value == "true") != queue.is_fifo()) {
        return Err(error("InvalidAttributeName", "Unknown Attribute FifoQueue."));
    }
    for (name, value) in given {
        if value.is_empty() && TEXTS.contains(&name.as_str()) {
            queue.attributes.remove(&name);
        } else {
            queue.attributes.insert(name, value);
        }
    }
    queue.modified = now;
    Ok(json!({}))
}

/// Once a minute at most (API reference, PurgeQueue).
pub fn purge(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let name = name_of(world, input)?.to_owned();
    let queue = queue(world, input)?;
    if queue.purged.is_some_and(|at| at + MINUTE > now) {
        let message = format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds.");
        return Err(error("PurgeQueueInProgress", message).status(403));
    }
    queue.purged = Some(now);
    queue.messages.clear();
    Ok(json!({}))
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    let tags = &queue(world, input)?.tags;
    Ok(json!({}).with("Tags", (!tags.is_empty()).then(|| json!(tags))))
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    let name = name_of(world, input)?.to_owned();
    let new = tags(input, "Tags");
    if new.is_empty() {
        return Err(error("MissingParameter", "The request must contain the parameter Tags."));
    }
    let mut all = queue(world, input)?.tags.clone();
    all.extend(new);
    // Fifty at most (Developer Guide, "Amazon SQS cost allocation tags").
    if all.len() > 50 {
        return Err(error("InvalidParameterValue", format!("Too many tags added for queue {name}.")));
    }
    queue(world, input)?.tags = all;
    Ok(json!({}))
}

pub fn untag(world: &mut World, input: &Json) -> Answer {
    let queue = queue(world, input)?;
    if input.texts("TagKeys").is_empty() {
        let message = "Tag keys must be between 1 and 128 characters in length.";
        return Err(error("InvalidParameterValue", message));
    }
    for key in input.texts("TagKeys") {
        queue.tags.remove(key);
    }
    Ok(json!({}))
}

/// What nobody else can be allowed to do (API reference, AddPermission).
const OWNERS: &[&str] = &[
    "AddPermission",
    "CancelMessageMoveTask",
    "CreateQueue",
    "DeleteQueue",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "ListQueues",
    "RemovePermission",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];

fn policy(queue: &Queue, arn: &str) -> Json {
    let own = queue.attributes.get("Policy").and_then(|text| serde_json::from_str(text).ok());
    own.unwrap_or_else(
        || json!({"Version": "2012-10-17", "Id": format!("{arn}/SQSDefaultPolicy"), "Statement": []}),
    )
}

/// Of one statement.
const MOST_ACTIONS: usize = 7;

pub fn add_permission(world: &mut World, input: &Json) -> Answer {
    if let Some(action) = input.texts("Actions").into_iter().find(|action| OWNERS.contains(action)) {
        let message = format!(
            "Value SQS:{action} for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action."
        );
        return Err(error("InvalidParameterValue", message));
    }
    let (who, what) = (input.texts("AWSAccountIds"), input.texts("Actions"));
    if what.is_empty() {
        return Err(error("MissingParameter", "The request must contain the parameter Actions."));
    }
    if who.is_empty() {
        let message = "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify.";
        return Err(error("InvalidParameterValue", message));
    }
    // API reference, AddPermission, Errors: OverLimit.
    if what.len() > MOST_ACTIONS {
        let message = format!("{} Actions were found, maximum allowed is {MOST_ACTIONS}.", what.len());
        return Err(error("OverLimit", message).status(403));
    }
    let arn = arn(world, name_of(world, input)?);
    let partition = world.partition();
    let queue = queue(world, input)?;
    let mut policy = policy(queue, &arn);
    let label = input.text("Label").unwrap_or_default();
    if policy.list("Statement").iter().any(|one| one.text("Sid") == Some(label)) {
        let message = format!("Value {label} for parameter Label is invalid. Reason: Already exists.");
        return Err(error("InvalidParameterValue", message));
    }
    let who = input.texts("AWSAccountIds");
    let who: Vec<String> = who.iter().map(|id| format!("arn:{partition}:iam::{id}:root")).collect();
    let what: Vec<String> = input.texts("Actions").iter().map(|name| format!("SQS:{name}")).collect();
    let statement = json!({
        "Sid": label, "Effect": "Allow", "Principal": {"AWS": who}, "Action": what, "Resource": arn,
    });
    if let Some(list) = policy["Statement"].as_array_mut() {
        list.push(statement);
    }
    queue.attributes.insert("Policy".to_owned(), policy.to_string());
    Ok(json!({}))
}

pub fn remove_permission(world: &mut World, input: &Json) -> Answer {
    let arn = arn(world, name_of(world, input)?);
    let queue = queue(world, input)?;
    let mut policy = policy(queue, &arn);
    let label = input.text("Label");
    let statements = policy.list("Statement").to_vec();
    let kept: Vec<Json> = statements.iter().filter(|one| one.text("Sid") != label).cloned().collect();
    if kept.len() == statements.len() {
        let label = label.unwrap_or_default();
        let message = format!(
            "Value {label} for parameter Label is invalid. Reason: can't find label on existing policy."
        );
        return Err(error("InvalidParameterValue", message));
    }
    if kept.is_empty() {
        queue.attributes.remove("Policy");
    } else {
        policy["Statement"] = json!(kept);
        queue.attributes.insert("Policy".to_owned(), policy.to_string());
    }
    Ok(json!({}))
}

//! SNS: topics and subscriptions. Messages reach queues and functions; endpoints outside this world (email,
//! HTTP, SMS) are kept, and get nothing. Queues take what comes: their policies are not asked.

#[cfg(test)]
mod tests;

use super::tree::{Output, Tags, tag_list, tags};
use super::{Answer, ApiError, Input, Operations, events, lambda, page, sqs};
use crate::World;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// By ARN, both.
    topics: BTreeMap<String, Topic>,
    subscriptions: BTreeMap<String, Subscription>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Topic {
    attributes: BTreeMap<String, String>,
    tags: Tags,
    sequence: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Subscription {
    arn: String,
    topic: String,
    protocol: String,
    endpoint: String,
    confirmed: bool,
    token: String,
    attributes: BTreeMap<String, String>,
}

pub const OPERATIONS: Operations = &[
    ("AddPermission", add_permission),
    ("ConfirmSubscription", confirm),
    ("CreateTopic", create),
    ("DeleteTopic", delete),
    ("GetDataProtectionPolicy", get_data_protection),
    ("GetSubscriptionAttributes", get_subscription_attributes),
    ("GetTopicAttributes", get_attributes),
    ("ListSubscriptions", list_subscriptions),
    ("ListSubscriptionsByTopic", list_subscriptions_by_topic),
    ("ListTagsForResource", list_tags),
    ("ListTopics", list),
    ("Publish", publish),
    ("PublishBatch", publish_batch),
    ("RemovePermission", remove_permission),
    ("SetSubscriptionAttributes", set_subscription_attributes),
    ("SetTopicAttributes", set_attributes),
    ("Subscribe", subscribe),
    ("TagResource", tag),
    ("UntagResource", untag),
    ("Unsubscribe", unsubscribe),
];

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameter", message)
}

fn no_topic() -> ApiError {
    ApiError::new("NotFound", "Topic does not exist").status(404)
}

fn no_subscription() -> ApiError {
    ApiError::new("NotFound", "Subscription does not exist").status(404)
}

fn topic<'a>(world: &'a mut World, input: &Json, member: &str) -> Result<&'a mut Topic, ApiError> {
    let arn = input.text(member).unwrap_or_default();
    if arn.split(':').count() < 6 {
        return Err(invalid(
            "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
        ));
    }
    world.sns.topics.get_mut(arn).ok_or_else(no_topic)
}

fn texts(input: &Json, member: &str) -> BTreeMap<String, String> {
    let all = input.get(member).and_then(Json::as_object).into_iter().flatten();
    all.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// The policy that a topic has until it gets another one.
fn default_policy(world: &World, arn: &str) -> String {
    let actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ];
    json!({
        "Version": "2008-10-17", "Id": "__default_policy_ID",
        "Statement": [{
            "Effect": "Allow", "Sid": "__default_statement_ID", "Principal": {"AWS": "*"},
            "Action": actions.map(|name| format!("SNS:{name}")), "Resource": arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": world.account}},
        }],
    })
    .to_string()
}

fn create(world: &mut World, input: &Json) -> Answer {
    let name = input.text("Name").unwrap_or_default();
    let mut attributes = texts(input, "Attributes");
    let fifo = attributes.get("FifoTopic").is_some_and(|value| value == "true");
    let plain = name.strip_suffix(".fifo").filter(|_| fifo).unwrap_or(name);
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if plain.is_empty() || name.len() > 256 || !plain.chars().all(good) {
        return Err(invalid("Invalid parameter: Topic Name"));
    }
    if fifo && !name.ends_with(".fifo") {
        return Err(invalid(
            "Invalid parameter: Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.",
        ));
    }
    let arn = world.arn("sns", name);
    let given = tags(input.list("Tags"));
    // Such a topic does not say so (moto's tests).
    if !fifo {
        attributes.remove("FifoTopic");
    }
    if let Some(found) = world.sns.topics.get(&arn) {
        if !given.is_empty() && found.tags != given {
            return Err(invalid("Invalid parameter: Tags Reason: Topic already exists with different tags"));
        }
        if attributes.iter().any(|(name, value)| found.attributes.get(name) != Some(value)) {
            return Err(invalid(
                "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
            ));
        }
        return Ok(json!({"TopicArn": arn}));
    }
    attributes.retain(|_, value| !value.is_empty());
    if fifo {
        attributes.entry("ContentBasedDeduplication".to_owned()).or_insert_with(|| "false".to_owned());
    }
    if let Some(policy) = input.text("DataProtectionPolicy") {
        attributes.insert("DataProtectionPolicy".to_owned(), policy.to_owned());
    }
    world.sns.topics.insert(arn.clone(), Topic { attributes, tags: given, sequence: 0 });
    Ok(json!({"TopicArn": arn}))
}

/// Deleting what is not there is no error.
fn delete(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("TopicArn").unwrap_or_default();
    world.sns.topics.remove(arn);
    world.sns.subscriptions.retain(|_, one| one.topic != arn);
    Ok(json!({}))
}

/// Pages of 100 (API reference).
fn paged(input: &Json, name: &str, items: Vec<Json>) -> Answer {
    let (items, next) = page(items, input.text("NextToken"), 100);
    Ok(json!({name: items}).with("NextToken", next))
}

fn list(world: &mut World, input: &Json) -> Answer {
    paged(input, "Topics", world.sns.topics.keys().map(|arn| json!({"TopicArn": arn})).collect())
}

fn counts(world: &World, arn: &str) -> (usize, usize) {
    let of = world.sns.subscriptions.values().filter(|one| one.topic == arn);
    let (confirmed, pending): (Vec<_>, Vec<_>) = of.partition(|one| one.confirmed);
    (confirmed.len(), pending.len())
}

fn get_attributes(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("TopicArn").unwrap_or_default();
    let mut all = topic(world, input, "TopicArn")?.attributes.clone();
    all.remove("DataProtectionPolicy");
    let (confirmed, pending) = counts(world, arn);
    let usual = json!({
        "http": {
            "defaultHealthyRetryPolicy": {
                "minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3, "numMaxDelayRetries": 0,
                "numNoDelayRetries": 0, "numMinDelayRetries": 0, "backoffFunction": "linear",
            },
            "disableSubscriptionOverrides": false,
            "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"},
        },
    });
    let effective = all.get("DeliveryPolicy").cloned().unwrap_or_else(|| usual.to_string());
    for (name, value) in [
        ("TopicArn", arn.to_owned()),
        ("Owner", world.account.clone()),
        ("SubscriptionsConfirmed", confirmed.to_string()),
        ("SubscriptionsPending", pending.to_string()),
        ("SubscriptionsDeleted", "0".to_owned()),
        ("EffectiveDeliveryPolicy", effective),
    ] {
        all.insert(name.to_owned(), value);
    }
    all.entry("DisplayName".to_owned()).or_default();
    let policy = default_policy(world, arn);
    all.entry("Policy".to_owned()).or_insert(policy);
    Ok(json!({"Attributes": all}))
}

const TOPIC_ATTRIBUTES: &[&str] = &[
    "Policy",
    "DisplayName",
    "DeliveryPolicy",
    "KmsMasterKeyId",
    "ContentBasedDeduplication",
    "SignatureVersion",
    "TracingConfig",
    "ArchivePolicy",
    "FifoThroughputScope",
];

fn set_attributes(world: &mut World, input: &Json) -> Answer {
    let name = input.text("AttributeName").unwrap_or_default().to_owned();
    // `HTTPSuccessFeedbackRoleArn` and its like.
    if !TOPIC_ATTRIBUTES.contains(&name.as_str()) && !name.contains("Feedback") {
        return Err(invalid("Invalid parameter: AttributeName"));
    }
    let topic = topic(world, input, "TopicArn")?;
    match input.text("AttributeValue").filter(|value| !value.is_empty()) {
        Some(value) => topic.attributes.insert(name, value.to_owned()),
        None => topic.attributes.remove(&name),
    };
    Ok(json!({}))
}

fn get_data_protection(world: &mut World, input: &Json) -> Answer {
    let policy = topic(world, input, "ResourceArn")?.attributes.get("DataProtectionPolicy").cloned();
    Ok(json!({"DataProtectionPolicy": policy.unwrap_or_default()}))
}

fn tags_at<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Tags, ApiError> {
    let arn = input.text("ResourceArn").unwrap_or_default();
    let found = world.sns.topics.get_mut(arn).map(|topic| &mut topic.tags);
    found.ok_or_else(|| ApiError::new("ResourceNotFound", "Resource does not exist").status(404))
}

fn list_tags(world: &mut World, input: &Json) -> Answer {
    Ok(json!({"Tags": tag_list(tags_at(world, input)?)}))
}

fn tag(world: &mut World, input: &Json) -> Answer {
    let tags_there = tags_at(world, input)?;
    let mut all = tags_there.clone();
    all.extend(tags(input.list("Tags")));
    if all.len() > 50 {
        let message = "Could not complete request: tag quota of per resource exceeded";
        return Err(ApiError::new("TagLimitExceeded", message).status(403));
    }
    *tags_there = all;
    Ok(json!({}))
}

fn untag(world: &mut World, input: &Json) -> Answer {
    let tags = tags_at(world, input)?;
    for key in input.texts("TagKeys") {
        tags.remove(key);
    }
    Ok(json!({}))
}

fn policy_of(world: &World, arn: &str) -> Json {
    let own = world.sns.topics.get(arn).and_then(|topic| topic.attributes.get("Policy")).cloned();
    serde_json::from_str(&own.unwrap_or_else(|| default_policy(world, arn))).unwrap_or_default()
}

fn add_permission(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("TopicArn").unwrap_or_default();
    topic(world, input, "TopicArn")?;
    let mut policy = policy_of(world, arn);
    let label = input.text("Label");
    if policy.list("Statement").iter().any(|one| one.text("Sid") == label) {
        return Err(invalid("Invalid parameter: Statement already exists"));
    }
    let partition = world.partition();
    let who = input.texts("AWSAccountId");
    let who: Vec<String> = who.iter().map(|id| format!("arn:{partition}:iam::{id}:root")).collect();
    let what: Vec<String> = input.texts("ActionName").iter().map(|name| format!("SNS:{name}")).collect();
    let statement =
        json!({"Sid": label, "Effect": "Allow", "Principal": {"AWS": who}, "Action": what, "Resource": arn});
    if let Some(list) = policy["Statement"].as_array_mut() {
        list.push(statement);
    }
    topic(world, input, "TopicArn")?.attributes.insert("Policy".to_owned(), policy.to_string());
    Ok(json!({}))
}

fn remove_permission(world: &mut World, input: &Json) -> Answer {
    topic(world, input, "TopicArn")?;
    let mut policy = policy_of(world, input.text("TopicArn").unwrap_or_default());
    let label = input.text("Label");
    if let Some(list) = policy["Statement"].as_array_mut() {
        list.retain(|one| one.text("Sid") != label);
    }
    topic(world, input, "TopicArn")?.attributes.insert("Policy".to_owned(), policy.to_string());
    Ok(json!({}))
}

/// Functions and queues of this account are confirmed at once, others when they say so.
fn subscribe(world: &mut World, input: &Json) -> Answer {
    topic(world, input, "TopicArn")?;
    let arn = input.text("TopicArn").unwrap_or_default().to_owned();
    let (protocol, endpoint) =
        (input.text("Protocol").unwrap_or_default(), input.text("Endpoint").unwrap_or_default());
    let at_once = matches!(protocol, "sqs" | "lambda" | "firehose" | "sms" | "application");
    if !at_once && !matches!(protocol, "http" | "https" | "email" | "email-json") {
        return Err(invalid(format!("Invalid parameter: Does not support this protocol string: {protocol}")));
    }
    let of = match protocol {
        "sqs" => Some("sqs"),
        "lambda" => Some("lambda"),
        _ => None,
    };
    if of.is_some_and(|service| endpoint.split(':').nth(2) != Some(service)) {
        return Err(invalid(format!("Invalid parameter: {} endpoint ARN", protocol.to_uppercase())));
    }
    if protocol == "sqs" && endpoint.ends_with(".fifo") && !arn.ends_with(".fifo") {
        let message = "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics";
        return Err(invalid(message));
    }
    let attributes = texts(input, "Attributes");
    for (name, value) in &attributes {
        check_attribute(name, value)?;
    }
    let same = world
        .sns
        .subscriptions
        .values()
        .find(|one| one.topic == arn && one.protocol == protocol && one.endpoint == endpoint);
    if let Some(found) = same {
        return Ok(json!({"SubscriptionArn": found.arn}));
    }
    let (id, token) = (world.uuid(), world.hex(64));
    let subscription = Subscription {
        arn: format!("{arn}:{id}"),
        topic: arn,
        protocol: protocol.to_owned(),
        endpoint: endpoint.to_owned(),
        confirmed: at_once,
        token,
        attributes,
    };
    let shown = at_once || input.flag("ReturnSubscriptionArn") == Some(true);
    let answer = if shown { subscription.arn.clone() } else { "pending confirmation".to_owned() };
    world.sns.subscriptions.insert(subscription.arn.clone(), subscription);
    Ok(json!({"SubscriptionArn": answer}))
}

const SUBSCRIPTION_ATTRIBUTES: &[&str] = &[
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "SubscriptionRoleArn",
    "ReplayPolicy",
];

fn check_attribute(name: &str, value: &str) -> Result<(), ApiError> {
    if !SUBSCRIPTION_ATTRIBUTES.contains(&name) {
        return Err(invalid("Invalid parameter: AttributeName"));
    }
    if name == "FilterPolicy" && !value.is_empty() {
        events::check(value).map_err(|why| invalid(format!("Invalid parameter: FilterPolicy: {why}")))?;
    }
    Ok(())
}

fn confirm(world: &mut World, input: &Json) -> Answer {
    topic(world, input, "TopicArn")?;
    let (arn, token) = (input.text("TopicArn"), input.text("Token"));
    let found = world
        .sns
        .subscriptions
        .values_mut()
        .find(|one| Some(one.topic.as_str()) == arn && Some(one.token.as_str()) == token);
    let found = found.ok_or_else(|| invalid("Invalid parameter: Token"))?;
    found.confirmed = true;
    Ok(json!({"SubscriptionArn": found.arn}))
}

fn unsubscribe(world: &mut World, input: &Json) -> Answer {
    world.sns.subscriptions.remove(input.text("SubscriptionArn").unwrap_or_default());
    Ok(json!({}))
}

fn subscription_view(world: &World, one: &Subscription) -> Json {
    json!({
        "SubscriptionArn": if one.confirmed { one.arn.as_str() } else { "PendingConfirmation" },
        "Owner": world.account, "Protocol": one.protocol, "Endpoint": one.endpoint, "TopicArn": one.topic,
    })
}

fn list_subscriptions(world: &mut World, input: &Json) -> Answer {
    let all = world.sns.subscriptions.values();
    paged(input, "Subscriptions", all.map(|one| subscription_view(world, one)).collect())
}

fn list_subscriptions_by_topic(world: &mut World, input: &Json) -> Answer {
    topic(world, input, "TopicArn")?;
    let arn = input.text("TopicArn").unwrap_or_default();
    let of = world.sns.subscriptions.values().filter(|one| one.topic == arn);
    paged(input, "Subscriptions", of.map(|one| subscription_view(world, one)).collect())
}

fn get_subscription_attributes(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("SubscriptionArn").unwrap_or_default();
    let one = world.sns.subscriptions.get(arn).ok_or_else(no_subscription)?;
    let mut all = one.attributes.clone();
    for (name, value) in [
        ("SubscriptionArn", one.arn.clone()),
        ("TopicArn", one.topic.clone()),
        ("Owner", world.account.clone()),
        ("Protocol", one.protocol.clone()),
        ("Endpoint", one.endpoint.clone()),
        ("PendingConfirmation", (!one.confirmed).to_string()),
        ("ConfirmationWasAuthenticated", one.confirmed.to_string()),
        ("SubscriptionPrincipal", world.arn("iam", "root")),
    ] {
        all.insert(name.to_owned(), value);
    }
    all.entry("RawMessageDelivery".to_owned()).or_insert_with(|| "false".to_owned());
    if all.contains_key("FilterPolicy") {
        all.entry("FilterPolicyScope".to_owned()).or_insert_with(|| "MessageAttributes".to_owned());
    }
    Ok(json!({"Attributes": all}))
}

fn set_subscription_attributes(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("SubscriptionArn").unwrap_or_default();
    let found = world.sns.subscriptions.get_mut(arn).ok_or_else(no_subscription)?;
    let name = input.text("AttributeName").unwrap_or_default();
    let value = input.text("AttributeValue").unwrap_or_default();
    check_attribute(name, value)?;
    if value.is_empty() {
        found.attributes.remove(name);
    } else {
        found.attributes.insert(name.to_owned(), value.to_owned());
    }
    Ok(json!({}))
}

/// Another service publishes; a topic that is gone loses it.
pub fn publish_to(world: &mut World, topic: &str, subject: Option<&str>, message: &str) {
    if world.sns.topics.contains_key(topic) {
        let mut input = json!({"TopicArn": topic, "Message": message});
        if let Some(subject) = subject {
            // At most 100 characters (API reference, Publish).
            input["Subject"] = json!(subject.chars().take(100).collect::<String>());
        }
        let _ = publish(world, &input);
    }
}

fn publish(world: &mut World, input: &Json) -> Answer {
    let target = input.text("TopicArn").or(input.text("TargetArn"));
    let Some(arn) = target.map(str::to_owned) else {
        // A text message leaves this world.
        return Ok(json!({"MessageId": world.uuid()}));
    };
    let id = world.uuid();
    let topic = world.sns.topics.get_mut(&arn).ok_or_else(no_topic)?;
    let fifo = arn.ends_with(".fifo");
    check_order(topic, fifo, input)?;
    let message = input.text("Message").unwrap_or_default();
    if message.is_empty() {
        return Err(invalid("Invalid parameter: Empty message"));
    }
    if message.len() > 262_144 {
        return Err(invalid("Invalid parameter: Message too long"));
    }
    // "Up to 100 characters", without line breaks and control characters (API reference, Publish).
    let subject = input.text("Subject").unwrap_or_default();
    if subject.chars().count() > 100 || subject.chars().any(char::is_control) {
        return Err(invalid("Invalid parameter: Subject"));
    }
    topic.sequence += 1;
    let sequence = fifo.then(|| format!("{:020}", 10_000_000_000_000_000_000_u64 + topic.sequence));
    let by_protocol = match input.text("MessageStructure") {
        Some("json") => {
            let parsed: Option<Json> = serde_json::from_str(message).ok();
            let parsed = parsed.filter(|one| one.text("default").is_some());
            Some(parsed.ok_or_else(|| {
                invalid("Invalid parameter: Message Structure - No default entry in JSON message body")
            })?)
        }
        _ => None,
    };
    let of = world.sns.subscriptions.values().filter(|one| one.topic == arn && one.confirmed);
    for one in of.cloned().collect::<Vec<_>>() {
        if !passes(&one, message, input.get("MessageAttributes")) {
            continue;
        }
        let text = by_protocol.as_ref().and_then(|all| all.text(&one.protocol).or(all.text("default")));
        deliver(world, &one, &id, text.unwrap_or(message), input);
    }
    Ok(json!({"MessageId": id}).with("SequenceNumber", sequence))
}

/// What FIFO topics need of a message, and others do not take.
fn check_order(topic: &Topic, fifo: bool, input: &Json) -> Result<(), ApiError> {
    let by_content = topic.attributes.get("ContentBasedDeduplication").is_some_and(|value| value == "true");
    match (fifo, input.text("MessageGroupId"), input.text("MessageDeduplicationId")) {
        (true, None, _) => {
            Err(invalid("Invalid parameter: The MessageGroupId parameter is required for FIFO topics"))
        }
        (true, _, None) if !by_content => Err(invalid(
            "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        )),
        (false, _, Some(_)) => Err(invalid(
            "Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type",
        )),
        _ => Ok(()),
    }
}

/// The subscription's filter lets it through ("Amazon SNS subscription filter policies").
fn passes(subscription: &Subscription, message: &str, attributes: Option<&Json>) -> bool {
    let policy = subscription.attributes.get("FilterPolicy").and_then(|text| serde_json::from_str(text).ok());
    let Some(policy) = policy.map(rounded) else { return true };
    let body = subscription.attributes.get("FilterPolicyScope").is_some_and(|scope| scope == "MessageBody");
    if body {
        return serde_json::from_str(message).is_ok_and(|body| events::matches(&policy, &rounded(body)));
    }
    let value = |one: &Json| {
        let text = one.text("StringValue").unwrap_or_default();
        match one.text("DataType") {
            Some("Number" | "String.Array") => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            _ => json!(text),
        }
    };
    let all = attributes.and_then(Json::as_object).into_iter().flatten();
    let flat: serde_json::Map<String, Json> = all.map(|(name, one)| (name.clone(), value(one))).collect();
    events::matches(&policy, &rounded(Json::Object(flat)))
}

/// Numbers match with "five digits of accuracy after the decimal point" ("Numeric value matching").
fn rounded(value: Json) -> Json {
    match value {
        Json::Number(number) => match number.as_f64() {
            Some(exact) if number.is_f64() => json!((exact * 100_000.0).round() / 100_000.0),
            _ => Json::Number(number),
        },
        Json::Array(items) => items.into_iter().map(rounded).collect(),
        Json::Object(members) => {
            Json::Object(members.into_iter().map(|(name, one)| (name, rounded(one))).collect())
        }
        other => other,
    }
}

/// `Type` and `Value`, as notifications carry attributes.
fn shown(attributes: &Json) -> Json {
    let one = |(name, value): (&String, &Json)| {
        let content = value.get("StringValue").or(value.get("BinaryValue")).cloned().unwrap_or_default();
        (name.clone(), json!({"Type": value["DataType"], "Value": content}))
    };
    Json::Object(attributes.as_object().into_iter().flatten().map(one).collect())
}

fn deliver(world: &mut World, to: &Subscription, id: &str, message: &str, input: &Json) {
    let time = World::timestamp(world.now - world.now.rem_euclid(1000));
    let mut note = json!({
        "Type": "Notification", "MessageId": id, "TopicArn": to.topic, "Message": message,
        "Timestamp": time.as_str().unwrap_or_default().replace('Z', ".000Z"), "SignatureVersion": "1",
        "Signature": "EXAMPLE", "SigningCertURL": format!("https://sns.{}.amazonaws.com/cert.pem", world.region),
        "UnsubscribeURL":
            format!("https://sns.{}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={}", world.region, to.arn),
    });
    if let Some(subject) = input.text("Subject") {
        note["Subject"] = json!(subject);
    }
    if let Some(attributes) = input.get("MessageAttributes") {
        note["MessageAttributes"] = shown(attributes);
    }
    match to.protocol.as_str() {
        "sqs" => {
            let raw = to.attributes.get("RawMessageDelivery").is_some_and(|value| value == "true");
            let body = if raw { message.to_owned() } else { note.to_string() };
            let mut entry = json!({"MessageBody": body});
            for (ours, given) in [
                ("MessageGroupId", input.get("MessageGroupId")),
                ("MessageDeduplicationId", input.get("MessageDeduplicationId")),
                ("MessageAttributes", input.get("MessageAttributes").filter(|_| raw)),
            ] {
                if let Some(value) = given {
                    entry[ours] = value.clone();
                }
            }
            sqs::deliver(world, &to.endpoint, &entry);
        }
        "lambda" => {
            let record = json!({
                "EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": to.arn, "Sns": note,
            });
            lambda::ask(world, &to.endpoint, &json!({"Records": [record]}));
        }
        _ => {}
    }
}

fn publish_batch(world: &mut World, input: &Json) -> Answer {
    let entries = input.list("PublishBatchRequestEntries");
    if entries.len() > 10 {
        let message = "The batch request contains more entries than permissible.";
        return Err(ApiError::new("TooManyEntriesInBatchRequest", message));
    }
    topic(world, input, "TopicArn")?;
    let mut ids: Vec<&str> = entries.iter().filter_map(|entry| entry.text("Id")).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|two| two[0] == two[1]) {
        let message = "Two or more batch entries in the request have the same Id.";
        return Err(ApiError::new("BatchEntryIdsNotDistinct", message));
    }
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let mut one = entry.clone();
        one["TopicArn"] = input["TopicArn"].clone();
        match publish(world, &one) {
            Ok(mut answer) => {
                answer["Id"] = entry["Id"].clone();
                done.push(answer);
            }
            Err(why) => failed.push(json!({
                "Id": entry["Id"], "Code": why.code, "Message": why.message, "SenderFault": true,
            })),
        }
    }
    Ok(json!({"Successful": done, "Failed": failed}))
}

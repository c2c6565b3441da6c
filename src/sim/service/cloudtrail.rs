//! CloudTrail's event history: who changed what, and when. Kept are the last [`KEPT`] calls over the wire that
//! may have changed something (management events: reads and data, as objects and messages, are left out).

use super::{Answer, ApiError, Input, Operations, call, page};
use crate::World;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::VecDeque;

/// AWS keeps 90 days; the world is saved after every change, so its record is small.
const KEPT: usize = 300;
/// Longer parameters are cut.
const LONGEST_TEXT: usize = 200;
const LONGEST_PARAMETERS: usize = 1_000;
/// How many resources of a call are named.
const RESOURCES: usize = 10;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Oldest first.
    records: VecDeque<Record>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    id: String,
    at: Millis,
    /// `ecs.amazonaws.com`.
    source: String,
    name: String,
    access_key: String,
    /// ARN of the caller.
    who: String,
    address: String,
    agent: String,
    request: String,
    error: Option<(String, String)>,
    parameters: Json,
    /// Kind and name or ARN.
    resources: Vec<(String, String)>,
}

pub const OPERATIONS: Operations = &[("LookupEvents", lookup)];

/// One call as it came.
pub struct Call<'a> {
    pub service: &'a str,
    pub operation: &'a str,
    pub request_id: &'a str,
    pub agent: &'a str,
    pub address: &'a str,
}

/// What CloudTrail counts as data, not as management.
fn is_data(service: &str, operation: &str) -> bool {
    match service {
        "s3" => operation.contains("Object") || operation.contains("Upload"),
        "dynamodb" => operation.contains("Item") || matches!(operation, "Query" | "Scan"),
        "sqs" => operation.contains("Message"),
        "sns" => operation.starts_with("Publish"),
        "lambda" => operation == "Invoke",
        "events" => operation == "PutEvents",
        "logs" => operation == "PutLogEvents",
        "monitoring" => operation == "PutMetricData",
        "servicediscovery" => operation.starts_with("Discover"),
        "sts" => true,
        _ => false,
    }
}

/// Remembers a call that may have changed something.
pub fn record(world: &mut World, made: &Call, input: &Json, result: &Answer) {
    if is_data(made.service, made.operation) {
        return;
    }
    let identity = call(world, "sts", "GetCallerIdentity", &json!({})).unwrap_or_default();
    let who = identity.text("Arn").unwrap_or_default().to_owned();
    let access_key = world.caller.clone();
    let mut resources = Vec::new();
    find_resources(made.service, input, &mut resources);
    if let Ok(answer) = result {
        find_resources(made.service, answer, &mut resources);
    }
    let mut parameters = shortened(input);
    if parameters.to_string().len() > LONGEST_PARAMETERS {
        parameters = json!({"omitted": "The parameters are too long."});
    }
    let id = format!("{}-trail", made.request_id);
    let record = Record {
        id,
        at: world.now,
        source: format!("{}.amazonaws.com", made.service),
        name: made.operation.to_owned(),
        access_key,
        who,
        address: made.address.to_owned(),
        agent: made.agent.chars().take(LONGEST_TEXT).collect(),
        request: made.request_id.to_owned(),
        error: result.as_ref().err().map(|error| (error.code.clone(), error.message.clone())),
        parameters,
        resources,
    };
    let records = &mut world.cloudtrail.records;
    records.push_back(record);
    if records.len() > KEPT {
        records.pop_front();
    }
}

/// Members whose content nobody may read again.
const SECRETS: &[&str] =
    &["SecretString", "SecretBinary", "UserData", "ZipFile", "Password", "PrivateKey", "Value"];

fn shortened(value: &Json) -> Json {
    match value {
        Json::Object(members) => members
            .iter()
            .map(|(name, inside)| {
                let secret =
                    SECRETS.contains(&name.as_str()) && inside.is_string() && members.get("Key").is_none();
                let shown = if secret { json!("HIDDEN_DUE_TO_SECURITY_REASONS") } else { shortened(inside) };
                (name.clone(), shown)
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Json::Array(items) => items.iter().map(shortened).collect(),
        Json::String(text) if text.len() > LONGEST_TEXT => {
            json!(text.chars().take(LONGEST_TEXT).chain("…".chars()).collect::<String>())
        }
        other => other.clone(),
    }
}

/// Members that name what a call is about: `VpcId`, `GroupName`, `service`, `taskDefinition`, any ARN.
fn find_resources(service: &str, value: &Json, found: &mut Vec<(String, String)>) {
    const PLAIN: &[&str] = &[
        "service",
        "cluster",
        "taskDefinition",
        "Bucket",
        "Name",
        "SecretId",
        "QueueUrl",
        "functionName",
        "Path",
    ];
    let mut add = |kind: &str, text: &str| {
        let new = !found.iter().any(|(_, known)| known == text);
        if new && found.len() < RESOURCES && !text.is_empty() && text.len() <= LONGEST_TEXT {
            found.push((kind.to_owned(), text.to_owned()));
        }
    };
    match value {
        Json::Object(members) => {
            for (name, inside) in members {
                let lower = name.to_lowercase();
                let stem = ["arn", "id", "name"].into_iter().find_map(|end| {
                    let stem = lower.strip_suffix(end)?;
                    (!stem.is_empty()).then(|| name[..stem.len()].to_owned())
                });
                let kind = stem.or_else(|| PLAIN.contains(&name.as_str()).then(|| name.clone()));
                match (kind, inside) {
                    (Some(kind), Json::String(text))
                        if !lower.contains("token") && !lower.contains("request") =>
                    {
                        add(&resource_type(service, &kind), text);
                    }
                    (_, Json::String(text)) if text.starts_with("arn:") => {
                        add(&resource_type(service, name), text)
                    }
                    _ => {}
                }
            }
            for inside in members.values().filter(|inside| inside.is_object() || inside.is_array()) {
                find_resources(service, inside, found);
            }
        }
        Json::Array(items) => {
            for item in items {
                match item {
                    Json::String(text) if text.starts_with("arn:") => {
                        if !found.iter().any(|(_, known)| known == text) && found.len() < RESOURCES {
                            found.push((resource_type(service, "Resource"), text.clone()));
                        }
                    }
                    other => find_resources(service, other, found),
                }
            }
        }
        _ => {}
    }
}

/// `AWS::ECS::Service`.
fn resource_type(service: &str, kind: &str) -> String {
    let of = match service {
        "elasticloadbalancing" => "ElasticLoadBalancingV2".to_owned(),
        "autoscaling" => "AutoScaling".to_owned(),
        "monitoring" => "CloudWatch".to_owned(),
        "lambda" => "Lambda".to_owned(),
        "route53" => "Route53".to_owned(),
        other => other.to_uppercase(),
    };
    let mut kind = kind.to_owned();
    if let Some(first) = kind.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    format!("AWS::{of}::{kind}")
}

fn user_name(who: &str) -> &str {
    who.rsplit('/').next().unwrap_or(who)
}

fn lookup(world: &mut World, input: &Json) -> Answer {
    let time = |name: &str| {
        let text = input.text(name)?;
        text.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond())
    };
    let (start, end) = (time("StartTime"), time("EndTime"));
    if start.zip(end).is_some_and(|(start, end)| start > end) {
        let message = "Invalid time range: the start time is after the end time.";
        return Err(ApiError::new("InvalidTimeRangeException", message));
    }
    let wanted: Vec<(&str, &str)> = input
        .list("LookupAttributes")
        .iter()
        .map(|one| {
            (one.text("AttributeKey").unwrap_or_default(), one.text("AttributeValue").unwrap_or_default())
        })
        .collect();
    if wanted.len() > 1 {
        let message = "Only one lookup attribute can be specified.";
        return Err(ApiError::new("InvalidLookupAttributesException", message));
    }
    let fits = |one: &&Record| {
        start.is_none_or(|at| one.at >= at)
            && end.is_none_or(|at| one.at <= at)
            && wanted.iter().all(|(key, value)| one.has(key, value))
    };
    // Newest first.
    let found = world.cloudtrail.records.iter().rev().filter(fits).map(|one| view(world, one)).collect();
    let limit = input.int("MaxResults").unwrap_or(50).clamp(1, 50) as usize;
    let (events, next) = page(found, input.text("NextToken"), limit);
    let mut answer = json!({"Events": events});
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

impl Record {
    fn has(&self, key: &str, value: &str) -> bool {
        match key {
            "EventId" => self.id == value,
            "EventName" => self.name == value,
            "ReadOnly" => value == "false",
            "Username" => user_name(&self.who) == value,
            "ResourceType" => self.resources.iter().any(|(kind, _)| kind == value),
            // A name also finds the ARN that ends with it.
            "ResourceName" => self.resources.iter().any(|(_, name)| {
                name == value || name.starts_with("arn:") && name.rsplit(['/', ':']).next() == Some(value)
            }),
            "EventSource" => self.source == value,
            "AccessKeyId" => self.access_key == value,
            _ => false,
        }
    }
}

fn view(world: &World, one: &Record) -> Json {
    let name = user_name(&one.who);
    let kind = if one.who.contains(":assumed-role/") { "AssumedRole" } else { "IAMUser" };
    let mut event = json!({
        "eventVersion": "1.11", "eventID": one.id, "eventTime": World::timestamp(one.at - one.at.rem_euclid(1000)),
        "eventSource": one.source, "eventName": one.name, "awsRegion": world.region,
        "sourceIPAddress": one.address, "userAgent": one.agent, "requestID": one.request, "readOnly": false,
        "eventType": "AwsApiCall", "managementEvent": true, "eventCategory": "Management",
        "recipientAccountId": world.account, "requestParameters": one.parameters,
        "userIdentity": {
            "type": kind, "arn": one.who, "accountId": world.account, "accessKeyId": one.access_key,
            "userName": name,
        },
    });
    if let Some((code, message)) = &one.error {
        event["errorCode"] = json!(code);
        event["errorMessage"] = json!(message);
    }
    let resources: Vec<Json> = one
        .resources
        .iter()
        .map(|(kind, name)| json!({"ResourceType": kind, "ResourceName": name}))
        .collect();
    json!({
        "EventId": one.id, "EventName": one.name, "ReadOnly": "false", "AccessKeyId": one.access_key,
        "EventTime": World::timestamp(one.at), "EventSource": one.source, "Username": name,
        "Resources": resources, "CloudTrailEvent": event.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made<'a>(service: &'a str, operation: &'a str) -> Call<'a> {
        Call { service, operation, request_id: "r", agent: "aws-cli", address: "127.0.0.1" }
    }

    fn looked_up(world: &mut World, key: &str, value: &str) -> Vec<Json> {
        let input = json!({"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]});
        lookup(world, &input).expect("answered").list("Events").to_vec()
    }

    #[test]
    fn who_changed_a_resource_can_be_found_by_its_name() {
        let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
        world.caller = "AKIDHAND".to_owned();
        let input = json!({"cluster": "main", "service": "web", "desiredCount": 0});
        let arn = "arn:aws:ecs:us-east-1:123456789012:service/main/web";
        let answer = Ok(json!({"service": {"serviceArn": arn}}));
        record(&mut world, &made("ecs", "UpdateService"), &input, &answer);
        let found = looked_up(&mut world, "ResourceName", "web");
        assert_eq!(
            (&found[0]["EventName"], &found[0]["AccessKeyId"]),
            (&json!("UpdateService"), &json!("AKIDHAND"))
        );
        let event: Json =
            serde_json::from_str(found[0].text("CloudTrailEvent").expect("text")).expect("JSON");
        assert_eq!(event["requestParameters"]["desiredCount"], 0);
        assert_eq!(looked_up(&mut world, "ResourceName", arn).len(), 1);
        assert!(looked_up(&mut world, "ResourceName", "other").is_empty());
    }

    #[test]
    fn secrets_and_data_are_not_kept_and_the_record_is_bounded() {
        let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
        let secret = json!({"Name": "db", "SecretString": "hunter2"});
        record(&mut world, &made("secretsmanager", "CreateSecret"), &secret, &Ok(json!({})));
        record(&mut world, &made("s3", "PutObject"), &json!({"Bucket": "b"}), &Ok(json!({})));
        let all = lookup(&mut world, &json!({})).expect("answered");
        assert_eq!(all.list("Events").len(), 1);
        assert!(!all.to_string().contains("hunter2"));
        for _ in 0..2 * KEPT {
            record(&mut world, &made("ecs", "DeleteCluster"), &json!({}), &Ok(json!({})));
        }
        assert_eq!(world.cloudtrail.records.len(), KEPT);
    }
}

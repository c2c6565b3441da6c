//! EventBridge: buses, rules and targets. What other services tell goes to the default bus ([`put`]); rules
//! pass it on to topics, queues and functions. Rules with a schedule are kept, but nothing runs by them.

mod pattern;
#[cfg(test)]
mod tests;

use super::tree::{Output, Tags, tag_list, tags};
use super::{Answer, ApiError, Input, Operations, notify, page, sqs};
use crate::World;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub use pattern::{check, matches};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// The default one is there without an entry, until it has a rule, a tag or a policy.
    buses: BTreeMap<String, Bus>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Bus {
    created: Millis,
    description: Option<String>,
    rules: BTreeMap<String, Rule>,
    tags: Tags,
    /// Statements, by id.
    policy: BTreeMap<String, Json>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Rule {
    pattern: Option<String>,
    schedule: Option<String>,
    enabled: bool,
    description: Option<String>,
    role: Option<String>,
    targets: BTreeMap<String, Json>,
    tags: Tags,
}

pub const OPERATIONS: Operations = &[
    ("CreateEventBus", create_bus),
    ("DeleteEventBus", delete_bus),
    ("DeleteRule", delete_rule),
    ("DescribeEventBus", describe_bus),
    ("DescribeRule", describe_rule),
    ("DisableRule", disable_rule),
    ("EnableRule", enable_rule),
    ("ListEventBuses", list_buses),
    ("ListRuleNamesByTarget", list_rule_names_by_target),
    ("ListRules", list_rules),
    ("ListTagsForResource", list_tags),
    ("ListTargetsByRule", list_targets),
    ("PutEvents", put_events),
    ("PutPermission", put_permission),
    ("PutRule", put_rule),
    ("PutTargets", put_targets),
    ("RemovePermission", remove_permission),
    ("RemoveTargets", remove_targets),
    ("TagResource", tag),
    ("TestEventPattern", test_pattern),
    ("UntagResource", untag),
];

const DEFAULT: &str = "default";

fn not_found(message: String) -> ApiError {
    ApiError::new("ResourceNotFoundException", message)
}

fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message)
}

/// Of a name or an ARN; the default bus without.
fn bus_name<'a>(input: &'a Json, member: &str) -> &'a str {
    let given = input.text(member).unwrap_or(DEFAULT);
    given.rsplit_once("event-bus/").map_or(given, |(_, name)| name)
}

fn bus<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Bus, ApiError> {
    if name == DEFAULT {
        return Ok(world.events.buses.entry(name.to_owned()).or_default());
    }
    let found = world.events.buses.get_mut(name);
    found.ok_or_else(|| not_found(format!("Event bus {name} does not exist.")))
}

fn rule<'a>(world: &'a mut World, input: &Json, member: &str) -> Result<&'a mut Rule, ApiError> {
    let name = input.text(member).unwrap_or_default();
    let of = bus_name(input, "EventBusName").to_owned();
    let found = bus(world, &of)?.rules.get_mut(name);
    found.ok_or_else(|| not_found(format!("Rule {name} does not exist on EventBus {of}.")))
}

fn bus_arn(world: &World, name: &str) -> String {
    world.arn("events", &format!("event-bus/{name}"))
}

fn rule_arn(world: &World, bus: &str, name: &str) -> String {
    let path = if bus == DEFAULT { name.to_owned() } else { format!("{bus}/{name}") };
    world.arn("events", &format!("rule/{path}"))
}

/// Whether an event of a service can reach anybody: nothing is made for nobody.
pub fn is_heard(world: &World) -> bool {
    world.events.buses.get(DEFAULT).is_some_and(|bus| bus.rules.values().any(|rule| rule.enabled))
}

/// An event of a service on the default bus. `detail` is asked for only if some rule may want it.
pub fn put(world: &mut World, source: &str, kind: &str, resources: &[String], detail: impl FnOnce() -> Json) {
    if !is_heard(world) {
        return;
    }
    let id = world.uuid();
    let event = envelope(world, &id, source, kind, json!(resources), detail(), world.now);
    route(world, DEFAULT, &event);
}

fn envelope(
    world: &World,
    id: &str,
    source: &str,
    kind: &str,
    resources: Json,
    detail: Json,
    at: Millis,
) -> Json {
    // Whole seconds (User Guide, "AWS service event metadata").
    let at = at - at.rem_euclid(1000);
    json!({
        "version": "0", "id": id, "detail-type": kind, "source": source, "account": world.account,
        "time": World::timestamp(at), "region": world.region, "resources": resources, "detail": detail,
    })
}

/// To all targets of all rules that the event matches.
fn route(world: &mut World, bus: &str, event: &Json) {
    let Some(found) = world.events.buses.get(bus) else { return };
    let mut due: Vec<(String, Json)> = Vec::new();
    for (name, rule) in &found.rules {
        let pattern = rule.pattern.as_ref().filter(|_| rule.enabled);
        let pattern = pattern.and_then(|text| serde_json::from_str::<Json>(text).ok());
        if pattern.is_some_and(|pattern| matches(&pattern, event)) {
            due.extend(rule.targets.values().map(|target| (name.clone(), target.clone())));
        }
    }
    for (rule, target) in due {
        let arn = target.text("Arn").unwrap_or_default().to_owned();
        let rule = rule_arn(world, bus, &rule);
        let message = shaped(&target, event, &rule);
        let group = target.get("SqsParameters").and_then(|one| one.text("MessageGroupId"));
        match (arn.split(':').nth(2), group) {
            (Some("sqs"), Some(group)) => sqs::send_to(world, &arn, &message.to_string(), Some(group)),
            (Some("events"), _) => {
                // Another bus of this account gets the event as it is.
                let bus = arn.rsplit_once("event-bus/").map_or("", |(_, name)| name).to_owned();
                if bus != DEFAULT {
                    route(world, &bus, event);
                }
            }
            _ => notify::send(world, &arn, None, &message),
        }
    }
}

/// What a target gets: the event, a part of it, a constant, or a text made of parts.
fn shaped(target: &Json, event: &Json, rule: &str) -> Json {
    if let Some(constant) = target.text("Input") {
        return serde_json::from_str(constant).unwrap_or_else(|_| json!(constant));
    }
    if let Some(path) = target.text("InputPath") {
        return at_path(event, path).cloned().unwrap_or_default();
    }
    let Some(transformer) = target.get("InputTransformer") else { return event.clone() };
    let mut text = transformer.text("InputTemplate").unwrap_or_default().to_owned();
    let paths = transformer.get("InputPathsMap").and_then(Json::as_object);
    let own = [
        ("aws.events.rule-arn", json!(rule)),
        ("aws.events.event.ingestion-time", event["time"].clone()),
        ("aws.events.event.json", event.clone()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    let given = paths.into_iter().flatten().map(|(name, path)| {
        let value = path.as_str().and_then(|path| at_path(event, path)).cloned().unwrap_or_default();
        (name.clone(), value)
    });
    for (name, value) in given.chain(own) {
        let inside = match &value {
            Json::String(text) => text.clone(),
            Json::Null => String::new(),
            other => other.to_string(),
        };
        let mark = format!("<{name}>");
        // In quotes only the text stands; elsewhere strings bring their own quotes.
        text = text.replace(&format!("\"{mark}\""), &json!(inside).to_string());
        text = text.replace(&mark, &inside);
    }
    serde_json::from_str(&text).unwrap_or(json!(text))
}

/// `$.detail.state`, the part of JSONPath that targets use.
fn at_path<'a>(event: &'a Json, path: &str) -> Option<&'a Json> {
    let rest = path.strip_prefix('$')?;
    rest.split('.').filter(|part| !part.is_empty()).try_fold(event, |value, part| {
        let (name, index) = match part.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let value = if name.is_empty() { value } else { value.get(name)? };
        index.map_or(Some(value), |index| value.get(index))
    })
}

fn put_events(world: &mut World, input: &Json) -> Answer {
    let mut answers = Vec::new();
    let mut failed = 0;
    for entry in input.list("Entries") {
        let text = |name: &str| entry.text(name).unwrap_or_default();
        let detail = serde_json::from_str::<Json>(text("Detail")).ok().filter(Json::is_object);
        let missing = ["Source", "DetailType", "Detail"].into_iter().find(|name| text(name).is_empty());
        let refusal = match (missing, &detail) {
            (Some(name), _) => Some((
                "InvalidArgument",
                format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
            )),
            (None, None) => Some(("MalformedDetail", "Detail is malformed.".to_owned())),
            _ if text("Source").starts_with("aws.") => {
                Some(("NotAuthorizedForSource", "Not authorized for the source.".to_owned()))
            }
            _ => None,
        };
        if let Some((code, message)) = refusal {
            failed += 1;
            answers.push(json!({"ErrorCode": code, "ErrorMessage": message}));
            continue;
        }
        let id = world.uuid();
        let bus = bus_name(entry, "EventBusName").to_owned();
        let at = entry.text("Time").and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let at = at.map_or(world.now, |at| at.as_millisecond());
        let resources = json!(entry.list("Resources"));
        let event = envelope(
            world,
            &id,
            text("Source"),
            text("DetailType"),
            resources,
            detail.unwrap_or_default(),
            at,
        );
        route(world, &bus, &event);
        answers.push(json!({"EventId": id}));
    }
    Ok(json!({"FailedEntryCount": failed, "Entries": answers}))
}

fn create_bus(world: &mut World, input: &Json) -> Answer {
    let name = input.text("Name").unwrap_or_default().to_owned();
    if name == DEFAULT || world.events.buses.contains_key(&name) {
        let message = format!("Event bus {name} already exists.");
        return Err(ApiError::new("ResourceAlreadyExistsException", message));
    }
    // Partners' sources are made by partners; there are none here.
    if let Some(source) = input.text("EventSourceName") {
        return Err(not_found(format!("Event source {source} does not exist.")));
    }
    if name.contains('/') {
        return Err(validation("Event bus name must not contain '/'."));
    }
    let made = Bus {
        created: world.now,
        description: input.text("Description").map(str::to_owned),
        tags: tags(input.list("Tags")),
        ..Bus::default()
    };
    let answer = json!({"EventBusArn": bus_arn(world, &name)}).with("Description", made.description.clone());
    world.events.buses.insert(name, made);
    Ok(answer)
}

fn delete_bus(world: &mut World, input: &Json) -> Answer {
    let name = bus_name(input, "Name");
    if name == DEFAULT {
        return Err(validation("Cannot delete event bus default."));
    }
    if world.events.buses.get(name).is_some_and(|bus| !bus.rules.is_empty()) {
        return Err(validation("Event bus can't be deleted since it has rules."));
    }
    world.events.buses.remove(name);
    Ok(json!({}))
}

fn bus_view(world: &World, name: &str, bus: Option<&Bus>) -> Json {
    let policy = bus.filter(|bus| !bus.policy.is_empty()).map(|bus| {
        let statements: Vec<&Json> = bus.policy.values().collect();
        json!({"Version": "2012-10-17", "Statement": statements}).to_string()
    });
    json!({"Name": name, "Arn": bus_arn(world, name)})
        .with("Policy", policy)
        .with("Description", bus.and_then(|bus| bus.description.clone()))
        .with("CreationTime", bus.filter(|bus| bus.created > 0).map(|bus| World::timestamp(bus.created)))
}

fn describe_bus(world: &mut World, input: &Json) -> Answer {
    let name = bus_name(input, "Name");
    bus(world, name)?;
    Ok(bus_view(world, name, world.events.buses.get(name)))
}

fn limited(input: &Json, list: &str, items: Vec<Json>) -> Answer {
    let limit = input.int("Limit").map_or(100, |n| (n as usize).clamp(1, 100));
    let (items, next) = page(items, input.text("NextToken"), limit);
    Ok(json!({list: items}).with("NextToken", next))
}

fn list_buses(world: &mut World, input: &Json) -> Answer {
    bus(world, DEFAULT)?;
    let prefix = input.text("NamePrefix").unwrap_or_default();
    let found = world.events.buses.iter().filter(|(name, _)| name.starts_with(prefix));
    limited(input, "EventBuses", found.map(|(name, bus)| bus_view(world, name, Some(bus))).collect())
}

fn put_rule(world: &mut World, input: &Json) -> Answer {
    let name = input.text("Name").unwrap_or_default().to_owned();
    let of = bus_name(input, "EventBusName").to_owned();
    let text = |name: &str| input.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let (pattern, schedule) = (text("EventPattern"), text("ScheduleExpression"));
    if pattern.is_none() && schedule.is_none() {
        return Err(validation("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    if schedule.is_some() && of != DEFAULT {
        return Err(validation("ScheduleExpression is supported only on the default event bus."));
    }
    if schedule.as_ref().is_some_and(|text| !text.starts_with("rate(") && !text.starts_with("cron(")) {
        return Err(validation("Parameter ScheduleExpression is not valid."));
    }
    if let Some(pattern) = &pattern {
        check(pattern).map_err(invalid_pattern)?;
    }
    let given = tags(input.list("Tags"));
    let rule = bus(world, &of)?.rules.entry(name.clone()).or_default();
    // A rule is put as a whole: what is left out goes (API reference), but not targets and tags.
    rule.pattern = pattern;
    rule.schedule = schedule;
    rule.enabled = input.text("State") != Some("DISABLED");
    rule.description = text("Description");
    rule.role = text("RoleArn");
    if rule.tags.is_empty() {
        rule.tags = given;
    }
    Ok(json!({"RuleArn": rule_arn(world, &of, &name)}))
}

fn invalid_pattern(why: String) -> ApiError {
    ApiError::new("InvalidEventPatternException", format!("Event pattern is not valid. Reason: {why}"))
}

fn delete_rule(world: &mut World, input: &Json) -> Answer {
    let name = input.text("Name").unwrap_or_default();
    let of = bus_name(input, "EventBusName").to_owned();
    let bus = bus(world, &of)?;
    if bus.rules.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
        return Err(validation("Rule can't be deleted since it has targets."));
    }
    bus.rules.remove(name);
    Ok(json!({}))
}

fn rule_view(world: &World, bus: &str, name: &str, rule: &Rule) -> Json {
    json!({
        "Name": name, "Arn": rule_arn(world, bus, name), "EventBusName": bus,
        "State": if rule.enabled { "ENABLED" } else { "DISABLED" },
    })
    .with("EventPattern", rule.pattern.clone())
    .with("ScheduleExpression", rule.schedule.clone())
    .with("Description", rule.description.clone())
    .with("RoleArn", rule.role.clone())
}

fn describe_rule(world: &mut World, input: &Json) -> Answer {
    rule(world, input, "Name")?;
    let (of, name) = (bus_name(input, "EventBusName"), input.text("Name").unwrap_or_default());
    let mut view = rule_view(world, of, name, &world.events.buses[of].rules[name]);
    view["CreatedBy"] = json!(world.account);
    Ok(view)
}

fn enable_rule(world: &mut World, input: &Json) -> Answer {
    rule(world, input, "Name")?.enabled = true;
    Ok(json!({}))
}

fn disable_rule(world: &mut World, input: &Json) -> Answer {
    rule(world, input, "Name")?.enabled = false;
    Ok(json!({}))
}

fn list_rules(world: &mut World, input: &Json) -> Answer {
    let of = bus_name(input, "EventBusName");
    bus(world, of)?;
    let prefix = input.text("NamePrefix").unwrap_or_default();
    let rules = world.events.buses[of].rules.iter().filter(|(name, _)| name.starts_with(prefix));
    limited(input, "Rules", rules.map(|(name, rule)| rule_view(world, of, name, rule)).collect())
}

fn list_rule_names_by_target(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("TargetArn");
    let of = bus_name(input, "EventBusName").to_owned();
    let rules = bus(world, &of)?.rules.iter();
    let rules = rules.filter(|(_, rule)| rule.targets.values().any(|target| target.text("Arn") == arn));
    limited(input, "RuleNames", rules.map(|(name, _)| json!(name)).collect())
}

/// At most five targets a rule (EventBridge quotas).
const TARGETS: usize = 5;

fn put_targets(world: &mut World, input: &Json) -> Answer {
    let arns = input.list("Targets").iter().filter_map(|target| target.text("Arn"));
    if let Some(wrong) = arns.into_iter().find(|arn| !arn.starts_with("arn:")) {
        let message =
            format!("Parameter {wrong} is not valid. Reason: Provided Arn is not in correct format.");
        return Err(validation(message));
    }
    let rule = rule(world, input, "Rule")?;
    let mut all = rule.targets.clone();
    for target in input.list("Targets") {
        all.insert(target.text("Id").unwrap_or_default().to_owned(), target.clone());
    }
    if all.len() > TARGETS {
        let message = "The requested resource exceeds the maximum number allowed.";
        return Err(ApiError::new("LimitExceededException", message));
    }
    rule.targets = all;
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

fn remove_targets(world: &mut World, input: &Json) -> Answer {
    let rule = rule(world, input, "Rule")?;
    for id in input.texts("Ids") {
        rule.targets.remove(id);
    }
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

fn list_targets(world: &mut World, input: &Json) -> Answer {
    let targets = rule(world, input, "Rule")?.targets.values().cloned().collect();
    limited(input, "Targets", targets)
}

fn put_permission(world: &mut World, input: &Json) -> Answer {
    let of = bus_name(input, "EventBusName").to_owned();
    let arn = bus_arn(world, &of);
    let id = input.text("StatementId").unwrap_or_default().to_owned();
    let partition = world.partition();
    let found = bus(world, &of)?;
    if let Some(policy) = input.text("Policy") {
        let policy: Json =
            serde_json::from_str(policy).map_err(|_| validation("Policy is not valid JSON."))?;
        let named = |(at, one): (usize, &Json)| {
            (one.text("Sid").map_or_else(|| at.to_string(), str::to_owned), one.clone())
        };
        found.policy = policy.list("Statement").iter().enumerate().map(named).collect();
        return Ok(json!({}));
    }
    if input.text("Action") != Some("events:PutEvents") {
        return Err(validation("Provided value in parameter 'action' is not supported."));
    }
    let principal = input.text("Principal").unwrap_or_default();
    let principal = match principal {
        "*" => json!("*"),
        account => json!({"AWS": format!("arn:{partition}:iam::{account}:root")}),
    };
    let statement = json!({
        "Sid": id, "Effect": "Allow", "Principal": principal, "Action": input["Action"], "Resource": arn,
    });
    found.policy.insert(id, statement);
    Ok(json!({}))
}

fn remove_permission(world: &mut World, input: &Json) -> Answer {
    let of = bus_name(input, "EventBusName").to_owned();
    let found = bus(world, &of)?;
    if input.flag("RemoveAllPermissions") == Some(true) {
        found.policy.clear();
        return Ok(json!({}));
    }
    if found.policy.is_empty() {
        return Err(not_found("EventBus does not have a policy.".to_owned()));
    }
    let id = input.text("StatementId").unwrap_or_default();
    let gone = found.policy.remove(id);
    gone.map(|_| json!({}))
        .ok_or_else(|| not_found("Statement with the provided id does not exist.".to_owned()))
}

fn test_pattern(_: &mut World, input: &Json) -> Answer {
    let pattern = input.text("EventPattern").unwrap_or_default();
    check(pattern).map_err(invalid_pattern)?;
    let pattern: Json = serde_json::from_str(pattern).expect("just checked");
    let event = serde_json::from_str::<Json>(input.text("Event").unwrap_or_default());
    let event = event.map_err(|_| validation("Parameter Event is not valid."))?;
    Ok(json!({"Result": matches(&pattern, &event)}))
}

/// Of a rule (`rule/NAME`, `rule/BUS/NAME`) or a bus (`event-bus/NAME`).
fn tags_at<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Tags, ApiError> {
    let arn = input.text("ResourceARN").unwrap_or_default();
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    if let Some(name) = resource.strip_prefix("event-bus/") {
        return Ok(&mut bus(world, name)?.tags);
    }
    let path = resource.strip_prefix("rule/").unwrap_or_default();
    let (of, name) = path.split_once('/').unwrap_or((DEFAULT, path));
    let input = json!({"EventBusName": of, "Name": name});
    Ok(&mut rule(world, &input, "Name")?.tags)
}

fn list_tags(world: &mut World, input: &Json) -> Answer {
    Ok(json!({"Tags": tag_list(tags_at(world, input)?)}))
}

fn tag(world: &mut World, input: &Json) -> Answer {
    tags_at(world, input)?.extend(tags(input.list("Tags")));
    Ok(json!({}))
}

fn untag(world: &mut World, input: &Json) -> Answer {
    let tags = tags_at(world, input)?;
    for key in input.texts("TagKeys") {
        tags.remove(key);
    }
    Ok(json!({}))
}

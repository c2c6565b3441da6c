//! Inputs against the model's constraints, with each service's code and words for what is wrong.

use super::model::{Kind, Member, Service, Shape, ShapeId, small_first};
use super::query::query_name;
use crate::service::ApiError;
use serde_json::Value as Json;

/// What is wrong with one member.
struct Violation {
    /// `tags.1.member.key`, as AWS's framework writes it.
    at: String,
    value: String,
    /// A blob: never told again.
    secret: bool,
    constraint: Constraint,
}

#[derive(Clone)]
enum Constraint {
    Required,
    Length(Limit),
    Range(Limit),
    Values(&'static [&'static str]),
    Pattern(&'static str),
    /// On the scalars in a list or map: reported of the whole, with all constraints they have.
    Items(Part, Vec<Constraint>),
}

/// Enumerations that AWS lists in another order than its models: DynamoDB's `Select` and Application Auto Scaling's
/// `PolicyType` (moto's suites, test_dynamodb_select and test_put_scaling_policy_with_unknown_policytype, verified
/// against AWS), CloudWatch's `StateValue` (LocalStack's snapshots of AWS, stateValue in test_cloudwatch), Systems
/// Manager's `ParameterType` (aws/aws-cli#3116).
const LISTED: [&[&str]; 4] = [
    &["SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"],
    &["PredictiveScaling", "StepScaling", "TargetTrackingScaling"],
    &["INSUFFICIENT_DATA", "ALARM", "OK"],
    &["SecureString", "StringList", "String"],
];

#[derive(Clone, Copy)]
enum Part {
    Member,
    Key,
    Value,
}

#[derive(Clone, Copy)]
enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

pub fn check(service: &'static Service, input: Option<ShapeId>, tree: &Json) -> Result<(), ApiError> {
    let Some(input) = input else { return Ok(()) };
    if service.name == "ec2" {
        return check_ec2(service, input, tree, "");
    }
    let mut found = Vec::new();
    walk(service, input, tree, "", &mut found);
    // SQS's model has the names of queue attributes there; ReceiveMessage takes those of messages.
    found.retain(|one| !(service.name == "sqs" && one.at == "attributeNames"));
    if found.is_empty() { Ok(()) } else { Err(error(service.name, &found)) }
}

fn walk(service: &'static Service, id: ShapeId, value: &Json, at: &str, found: &mut Vec<Violation>) {
    let shape = service.shape(id);
    let secret = matches!(shape.kind, Kind::Blob);
    let mut add =
        |constraint| found.push(Violation { at: at.to_owned(), value: shown(value), secret, constraint });
    constraints(shape).into_iter().filter(|c| c.broken_by(shape, value)).for_each(&mut add);
    let scalars = |id: ShapeId, mut values: Box<dyn Iterator<Item = Json> + '_>| {
        let shape = service.shape(id);
        let all = constraints(shape);
        values.any(|value| all.iter().any(|c| c.broken_by(shape, &value))).then_some(all)
    };
    match (&shape.kind, value) {
        (Kind::Structure(members), Json::Object(fields)) => {
            for member in members {
                let at = join(at, &small_first(member.name));
                match fields.get(member.name) {
                    Some(value) => walk(service, member.shape, value, &at, found),
                    None if member.required => {
                        let constraint = Constraint::Required;
                        found.push(Violation { at, value: "null".to_owned(), secret: false, constraint });
                    }
                    None => {}
                }
            }
        }
        (Kind::List { item, .. }, Json::Array(items)) if is_scalar(service.shape(*item)) => {
            if let Some(all) = scalars(*item, Box::new(items.iter().cloned())) {
                add(Constraint::Items(Part::Member, all));
            }
        }
        (Kind::List { item, .. }, Json::Array(items)) => {
            for (i, value) in items.iter().enumerate() {
                walk(service, *item, value, &format!("{at}.{}.member", i + 1), found);
            }
        }
        (Kind::Map { key, value: content, .. }, Json::Object(entries)) => {
            if let Some(all) = scalars(*key, Box::new(entries.keys().map(|k| Json::from(k.as_str())))) {
                add(Constraint::Items(Part::Key, all));
            }
            if is_scalar(service.shape(*content)) {
                if let Some(all) = scalars(*content, Box::new(entries.values().cloned())) {
                    add(Constraint::Items(Part::Value, all));
                }
                return;
            }
            for (name, value) in entries {
                walk(service, *content, value, &format!("{at}.{name}.member"), found);
            }
        }
        _ => {}
    }
}

fn is_scalar(shape: &Shape) -> bool {
    !matches!(shape.kind, Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. })
}

/// All that a shape asks of a value, in the order AWS names them.
fn constraints(shape: &'static Shape) -> Vec<Constraint> {
    let number = matches!(shape.kind, Kind::Integer | Kind::Float);
    let limited = |limit| if number { Constraint::Range(limit) } else { Constraint::Length(limit) };
    let max = shape.max.map(|max| limited(Limit::AtMost(max)));
    let min = shape.min.map(|min| limited(Limit::AtLeast(min)));
    let values = (!shape.values.is_empty()).then_some(Constraint::Values(&shape.values));
    [max, min, shape.pattern.map(Constraint::Pattern), values].into_iter().flatten().collect()
}

impl Constraint {
    fn broken_by(&self, shape: &Shape, value: &Json) -> bool {
        let text = value.as_str().unwrap_or("");
        let size = match value {
            // Blobs are base64 text here, and counted as bytes.
            Json::String(text) if matches!(shape.kind, Kind::Blob) => {
                let padding = text.chars().rev().take_while(|c| *c == '=').count();
                Some((text.len() / 4 * 3).saturating_sub(padding) as f64)
            }
            Json::String(text) => Some(text.chars().count() as f64),
            Json::Number(n) => n.as_f64(),
            Json::Array(items) => Some(items.len() as f64),
            Json::Object(entries) => Some(entries.len() as f64),
            _ => None,
        };
        match self {
            Constraint::Length(limit) | Constraint::Range(limit) => {
                size.is_some_and(|size| limit.is_passed(size))
            }
            Constraint::Values(values) => !values.contains(&text),
            Constraint::Pattern(_) => !shape.matches(text),
            // Found while walking, not asked of one value.
            Constraint::Required | Constraint::Items(..) => false,
        }
    }
}

fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => format!("'{text}'"),
        Json::Array(items) => {
            let items: Vec<_> =
                items.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
            format!("'[{}]'", items.join(", "))
        }
        other => format!("'{other}'"),
    }
}

fn error(service: &str, found: &[Violation]) -> ApiError {
    let missing = found.iter().find(|v| matches!(v.constraint, Constraint::Required));
    if let ("monitoring", Some(violation)) = (service, missing) {
        let name = capital_first(&violation.at);
        return ApiError::new("MissingParameter", format!("The parameter {name} is required."));
    }
    if service == "ecr" {
        let first = &found[0];
        let words = first.constraint.words();
        let words = words.strip_prefix("Member ").unwrap_or(&words);
        let message = format!("Invalid parameter at '{}' failed to satisfy constraint: '{words}'", first.at);
        return ApiError::new("InvalidParameterException", message);
    }
    // ECS words these itself: `launch type should be one of [EC2,FARGATE,EXTERNAL]`.
    if let ("ecs", Violation { at, constraint: Constraint::Values(values), .. }) = (service, &found[0]) {
        let message = format!("{} should be one of [{}]", spaced(at), values.join(","));
        return ApiError::new("InvalidParameterException", message);
    }
    // Route 53 checks its XML against a schema.
    if let ("route53", Violation { value, constraint: Constraint::Values(values), .. }) = (service, &found[0])
    {
        let values = values.join(", ");
        let message = format!(
            "Invalid XML ; cvc-enumeration-valid: Value {value} is not facet-valid with respect to enumeration \
             '[{values}]'. It must be a value from the enumeration."
        );
        return ApiError::new("InvalidInput", message);
    }
    let code = match service {
        "ecs" | "logs" => "InvalidParameterException",
        // Cloud Map: aws-sdk-java#1973.
        "route53" | "servicediscovery" => "InvalidInput",
        "acm"
        | "application-autoscaling"
        | "cloudtrail"
        | "codedeploy"
        | "dynamodb"
        | "events"
        | "kms"
        | "lambda"
        | "secretsmanager"
        | "servicequotas"
        | "ssm" => "ValidationException",
        "tagging" => "InvalidParameterException",
        _ => "ValidationError",
    };
    let each: Vec<_> = found
        .iter()
        .map(|v| {
            let words = v.constraint.words();
            // What is secret, or does not fit CloudWatch Logs' patterns, is not said again.
            let items = service == "dynamodb" && v.at.ends_with(".member.keys");
            if v.secret || items || service == "logs" && matches!(v.constraint, Constraint::Pattern(_)) {
                return format!("Value at '{}' failed to satisfy constraint: {words}", v.at);
            }
            format!("Value {} at '{}' failed to satisfy constraint: {words}", v.value, v.at)
        })
        .collect();
    let errors = if each.len() == 1 { "error" } else { "errors" };
    ApiError::new(code, format!("{} validation {errors} detected: {}", each.len(), each.join("; ")))
}

/// `launchType` → `launch type`, of the last name in a path.
fn spaced(at: &str) -> String {
    let name = at.rsplit('.').next().unwrap_or(at);
    name.chars().fold(String::new(), |mut text, c| {
        if c.is_ascii_uppercase() {
            text.push(' ');
        }
        text.push(c.to_ascii_lowercase());
        text
    })
}

fn capital_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |c| c.to_ascii_uppercase().to_string() + chars.as_str())
}

impl Constraint {
    fn words(&self) -> String {
        match self {
            Constraint::Required => "Member must not be null".to_owned(),
            Constraint::Length(limit) => format!("Member must have length {}", limit.words()),
            Constraint::Range(limit) => format!("Member must have value {}", limit.words()),
            Constraint::Values(values) => {
                let same = |listed: &&&[&str]| {
                    listed.len() == values.len() && values.iter().all(|value| listed.contains(value))
                };
                let values = LISTED.iter().find(same).copied().unwrap_or(*values);
                format!("Member must satisfy enum value set: [{}]", values.join(", "))
            }
            Constraint::Pattern(pattern) => {
                format!("Member must satisfy regular expression pattern: {pattern}")
            }
            Constraint::Items(part, all) => {
                let part = match part {
                    Part::Member => "Member",
                    Part::Key => "Map keys",
                    Part::Value => "Map value",
                };
                let all: Vec<_> = all.iter().map(Constraint::words).collect();
                format!("{part} must satisfy constraint: [{}]", all.join(", "))
            }
        }
    }
}

impl Limit {
    fn is_passed(self, size: f64) -> bool {
        match self {
            Limit::AtLeast(min) => size < min,
            Limit::AtMost(max) => size > max,
        }
    }

    fn words(self) -> String {
        match self {
            Limit::AtLeast(min) => format!("greater than or equal to {min}"),
            Limit::AtMost(max) => format!("less than or equal to {max}"),
        }
    }
}

/// EC2 says what is missing, and which numbers are out of range; the rest its operations word themselves.
fn check_ec2(service: &Service, id: ShapeId, tree: &Json, at: &str) -> Result<(), ApiError> {
    match (&service.shape(id).kind, tree) {
        (Kind::Structure(members), Json::Object(fields)) => members.iter().try_for_each(|member| {
            let at = join(at, &query_name(member));
            match fields.get(member.name) {
                // "No instances specified" is what the operations say themselves.
                None if at == "InstanceId" => Ok(()),
                None if member.required => {
                    // CreateTags and DeleteTags call it so.
                    let name = if at == "ResourceId" { "resourceIdSet" } else { at.as_str() };
                    let message = format!("The request must contain the parameter {name}");
                    Err(ApiError::new("MissingParameter", message))
                }
                None => Ok(()),
                Some(value) => {
                    check_range(service, member, value)?;
                    check_ec2(service, member.shape, value, &at)
                }
            }
        }),
        (Kind::List { item, .. }, Json::Array(items)) => {
            let mut each = items.iter().enumerate();
            each.try_for_each(|(i, value)| check_ec2(service, *item, value, &format!("{at}.{}", i + 1)))
        }
        _ => Ok(()),
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

fn check_range(service: &Service, member: &Member, value: &Json) -> Result<(), ApiError> {
    let shape = service.shape(member.shape);
    let Some(number) = value.as_i64().filter(|_| matches!(shape.kind, Kind::Integer)) else { return Ok(()) };
    let expecting = match (shape.min, shape.max) {
        (Some(min), _) if (number as f64) < min => format!("greater than or equal to {min}"),
        (_, Some(max)) if (number as f64) > max => format!("less than or equal to {max}"),
        _ => return Ok(()),
    };
    let name = small_first(member.name);
    let message =
        format!("Value ( {number} ) for parameter {name} is invalid. Expecting a value {expecting}.");
    Err(ApiError::new("InvalidParameterValue", message))
}

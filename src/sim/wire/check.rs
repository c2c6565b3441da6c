//! Inputs against the model's constraints, with each service's code and words for what is wrong.

use super::model::{Kind, Member, Service, ShapeId, small_first};
use super::query::query_name;
use crate::sim::service::ApiError;
use serde_json::Value as Json;

/// What is wrong with one member.
struct Violation {
    /// `tags.1.member.key`, as AWS's framework writes it.
    at: String,
    value: String,
    constraint: Constraint,
}

enum Constraint {
    Required,
    Length(Limit),
    Range(Limit),
    Values(Vec<&'static str>),
    Pattern(&'static str),
}

#[derive(Clone, Copy)]
enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

pub fn check(service: &Service, input: Option<ShapeId>, tree: &Json) -> Result<(), ApiError> {
    let Some(input) = input else { return Ok(()) };
    if service.name == "ec2" {
        return check_ec2(service, input, tree, "");
    }
    let mut found = Vec::new();
    walk(service, input, tree, "", &mut found);
    if found.is_empty() { Ok(()) } else { Err(error(service.name, &found)) }
}

fn walk(service: &Service, id: ShapeId, value: &Json, at: &str, found: &mut Vec<Violation>) {
    let shape = service.shape(id);
    let mut add = |constraint| found.push(Violation { at: at.to_owned(), value: shown(value), constraint });
    let size = match (&shape.kind, value) {
        (Kind::Text, Json::String(text)) => {
            if !shape.values.is_empty() && !shape.values.contains(&text.as_str()) {
                add(Constraint::Values(shape.values.clone()));
            }
            if let Some(pattern) = shape.pattern.filter(|_| !shape.matches(text)) {
                add(Constraint::Pattern(pattern));
            }
            Some(text.chars().count() as f64)
        }
        (Kind::Integer | Kind::Float, Json::Number(n)) => n.as_f64(),
        (Kind::List { .. }, Json::Array(items)) => Some(items.len() as f64),
        (Kind::Map { .. }, Json::Object(entries)) => Some(entries.len() as f64),
        _ => None,
    };
    let number = matches!(shape.kind, Kind::Integer | Kind::Float);
    let limited = |limit| if number { Constraint::Range(limit) } else { Constraint::Length(limit) };
    if let (Some(size), Some(min)) = (size, shape.min)
        && size < min
    {
        add(limited(Limit::AtLeast(min)));
    }
    if let (Some(size), Some(max)) = (size, shape.max)
        && size > max
    {
        add(limited(Limit::AtMost(max)));
    }
    walk_into(service, id, value, at, found);
}

fn walk_into(service: &Service, id: ShapeId, value: &Json, at: &str, found: &mut Vec<Violation>) {
    match (&service.shape(id).kind, value) {
        (Kind::Structure(members), Json::Object(fields)) => {
            for member in members {
                let name = small_first(member.name);
                let at = if at.is_empty() { name } else { format!("{at}.{name}") };
                match fields.get(member.name) {
                    Some(value) => walk(service, member.shape, value, &at, found),
                    None if member.required => {
                        found.push(Violation {
                            at,
                            value: "null".to_owned(),
                            constraint: Constraint::Required,
                        });
                    }
                    None => {}
                }
            }
        }
        (Kind::List { item, .. }, Json::Array(items)) => {
            for (i, value) in items.iter().enumerate() {
                walk(service, *item, value, &format!("{at}.{}.member", i + 1), found);
            }
        }
        (Kind::Map { key, value: content, .. }, Json::Object(entries)) => {
            for (name, value) in entries {
                walk(service, *key, &Json::from(name.as_str()), at, found);
                walk(service, *content, value, &format!("{at}.{name}.member"), found);
            }
        }
        _ => {}
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
        let message =
            format!("Invalid parameter at '{}' failed to satisfy constraint: '{}'", first.at, first.words());
        return ApiError::new("InvalidParameterException", message);
    }
    let code = match service {
        "ecs" | "logs" => "InvalidParameterException",
        "route53" => "InvalidInput",
        "acm" | "application-autoscaling" | "ssm" => "ValidationException",
        _ => "ValidationError",
    };
    let each: Vec<_> = found
        .iter()
        .map(|v| {
            format!("Value {} at '{}' failed to satisfy constraint: Member {}", v.value, v.at, v.words())
        })
        .collect();
    let errors = if each.len() == 1 { "error" } else { "errors" };
    ApiError::new(code, format!("{} validation {errors} detected: {}", each.len(), each.join("; ")))
}

fn capital_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |c| c.to_ascii_uppercase().to_string() + chars.as_str())
}

impl Violation {
    /// Follows "Member …".
    fn words(&self) -> String {
        match &self.constraint {
            Constraint::Required => "must not be null".to_owned(),
            Constraint::Length(limit) => format!("must have length {}", limit.words()),
            Constraint::Range(limit) => format!("must have value {}", limit.words()),
            Constraint::Values(values) => format!("must satisfy enum value set: [{}]", values.join(", ")),
            Constraint::Pattern(pattern) => format!("must satisfy regular expression pattern: {pattern}"),
        }
    }
}

impl Limit {
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
                None if member.required => Err(ApiError::new(
                    "MissingParameter",
                    format!("The request must contain the parameter {at}"),
                )),
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

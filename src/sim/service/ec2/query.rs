//! What every EC2 operation shares: errors as EC2 words them, filters, pages, tags, client tokens.

use super::state::{Answered, Tags};
use crate::World;
use crate::service::{Answer, ApiError, Input, page};
use crate::world::{MINUTE, Millis};
use serde_json::{Value as Json, json};

const TOKEN_LIFE: Millis = 24 * 60 * MINUTE;

pub fn fail<T>(code: &str, message: impl Into<String>) -> Result<T, ApiError> {
    Err(ApiError::new(code, message))
}

/// `The vpc ID 'vpc-1' does not exist`: EC2 has one code a kind of resource.
pub fn missing(code: &str, noun: &str, id: &str) -> ApiError {
    ApiError::new(code, format!("The {noun} ID '{id}' does not exist"))
}

/// EC2 says only that there are dependencies; the second sentence, naming them, is ours.
pub fn held(what: &str, id: &str, by: &[String]) -> ApiError {
    let message =
        format!("The {what} '{id}' has dependencies and cannot be deleted. Held by: {}", by.join(", "));
    ApiError::new("DependencyViolation", message)
}

/// A required member; EC2 names parameters with a small first letter.
pub fn need<'a>(input: &'a Json, name: &str) -> Result<&'a str, ApiError> {
    input.text(name).filter(|text| !text.is_empty()).ok_or_else(|| absent(name))
}

pub fn absent(name: &str) -> ApiError {
    let mut small = name.to_owned();
    small[..1].make_ascii_lowercase();
    ApiError::new("MissingParameter", format!("The request must contain the parameter {small}"))
}

/// `{"Value": true}`, as attributes are set.
pub fn attribute(input: &Json, name: &str) -> Option<bool> {
    input.get(name)?.get("Value")?.as_bool()
}

/// Without null members: an absent member is not sent.
pub fn lean(mut tree: Json) -> Json {
    strip(&mut tree);
    tree
}

fn strip(tree: &mut Json) {
    match tree {
        Json::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(strip);
        }
        Json::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

pub fn done() -> Answer {
    Ok(json!({"Return": true}))
}

/// What a Describe operation needs to know of its resource.
pub struct Listing {
    /// Members of the request: explicit ids, filters.
    pub ids: &'static str,
    pub filters: &'static str,
    /// Member of the answer.
    pub output: &'static str,
    pub missing: fn(&str) -> ApiError,
    /// Filter name and the path it looks at in the rendered resource; arrays on the way are flattened.
    pub table: Table,
}

pub type Table = &'static [(&'static str, &'static str)];

/// Renders the ids asked for (or all), filters them, gives a page.
pub fn describe<'a>(
    input: &Json,
    listing: &Listing,
    all: impl Iterator<Item = &'a String>,
    render: impl Fn(&str) -> Option<Json>,
) -> Answer {
    let asked = input.texts(listing.ids);
    let mut items = Vec::new();
    if asked.is_empty() {
        items.extend(all.filter_map(|id| render(id)));
    } else {
        for id in asked {
            items.push(render(id).ok_or_else(|| (listing.missing)(id))?);
        }
    }
    let items = filtered(items, input.list(listing.filters), listing.table)?;
    paged(input, listing.output, items)
}

pub fn paged(input: &Json, output: &str, items: Vec<Json>) -> Answer {
    let limit = input.int("MaxResults").map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(1).max(1));
    let (items, next) = page(items, input.text("NextToken"), limit);
    Ok(lean(json!({output: items, "NextToken": next})))
}

pub fn filtered(items: Vec<Json>, filters: &[Json], table: Table) -> Result<Vec<Json>, ApiError> {
    let mut tests = Vec::new();
    for filter in filters {
        let name = filter.text("Name").unwrap_or_default();
        let path = table.iter().find(|(known, _)| *known == name).map(|(_, path)| *path);
        let test = match (name.strip_prefix("tag:"), path) {
            (Some(key), _) => Test::Tag(key),
            (None, Some(path)) => Test::Path(path),
            (None, None) if matches!(name, "tag-key" | "tag-value") => Test::Path(match name {
                "tag-key" => "Tags.Key",
                _ => "Tags.Value",
            }),
            _ => return fail("InvalidParameterValue", format!("The filter '{name}' is invalid")),
        };
        tests.push((test, filter.texts("Values")));
    }
    let pass = |item: &Json| {
        tests.iter().all(|(test, wanted)| {
            let found = test.look(item);
            wanted.iter().any(|pattern| found.iter().any(|text| wild(pattern, text)))
        })
    };
    Ok(items.into_iter().filter(pass).collect())
}

enum Test<'a> {
    Tag(&'a str),
    Path(&'static str),
}

impl Test<'_> {
    fn look(&self, item: &Json) -> Vec<String> {
        match self {
            Test::Tag(key) => {
                let tags = if item.get("TagSet").is_some() { item.list("TagSet") } else { item.list("Tags") };
                let with_key = tags.iter().filter(|tag| tag.text("Key") == Some(key));
                with_key.map(|tag| tag.text("Value").unwrap_or_default().to_owned()).collect()
            }
            // One name may look at several members: paths separated by `|`.
            Test::Path(paths) => {
                let mut found = Vec::new();
                paths.split('|').for_each(|path| collect(item, path, &mut found));
                found
            }
        }
    }
}

fn collect(item: &Json, path: &str, found: &mut Vec<String>) {
    match item {
        Json::Array(items) => items.iter().for_each(|item| collect(item, path, found)),
        Json::Object(members) if !path.is_empty() => {
            let (head, rest) = path.split_once('.').unwrap_or((path, ""));
            if let Some(value) = members.get(head) {
                collect(value, rest, found);
            }
        }
        Json::String(text) => found.push(as_answered(text)),
        Json::Number(number) => found.push(number.to_string()),
        Json::Bool(flag) => found.push(flag.to_string()),
        Json::Object(_) | Json::Null => {}
    }
}

/// Times are filtered by as they are answered, with milliseconds (API reference, DescribeInstances: launch-time).
fn as_answered(text: &str) -> String {
    let time = text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    match time.then(|| text.parse::<jiff::Timestamp>()) {
        Some(Ok(time)) => time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        _ => text.to_owned(),
    }
}

/// EC2's filter patterns: `*` any text, `?` one character, `\` takes the next one literally.
pub fn wild(pattern: &str, text: &str) -> bool {
    fn go(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|skip| go(rest, &text[skip..])),
            ['?', rest @ ..] => !text.is_empty() && go(rest, &text[1..]),
            ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
                text.first() == Some(literal) && go(rest, &text[1..])
            }
        }
    }
    if !pattern.contains(['*', '?', '\\']) {
        return pattern == text;
    }
    go(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

/// Tags of a resource as answers carry them.
pub fn tags_of(world: &World, id: &str) -> Json {
    tags_json(world.ec2.tags.get(id))
}

pub fn tags_json(tags: Option<&Tags>) -> Json {
    let tag = |(key, value): (&String, &String)| json!({"Key": key, "Value": value});
    // AWS's own come last.
    let (own, given): (Vec<_>, Vec<_>) =
        tags.into_iter().flatten().partition(|(key, _)| key.starts_with("aws:"));
    Json::Array(given.into_iter().chain(own).map(tag).collect())
}

pub fn tags_from(list: &[Json]) -> Tags {
    let pair = |tag: &Json| {
        let value = tag.text("Value").unwrap_or_default().to_owned();
        Some((tag.text("Key")?.to_owned(), value))
    };
    list.iter().filter_map(pair).collect()
}

/// Checks the request's TagSpecifications before anything is made: only these kinds may be tagged.
pub fn check_tags(input: &Json, kinds: &[&str]) -> Result<(), ApiError> {
    // Operations of the VPC have another code (CreateNatGateway in crossplane-contrib/provider-aws#899,
    // CreateVpcEndpoint in jonrau1/SyntheticSun#13, CreateSubnet in getmoto/moto#6839) than those
    // of EC2 (RunInstances in aws-cli#2865 and rultor#1991).
    let code = match kinds {
        ["natgateway" | "subnet"] => "InvalidParameter",
        _ => "InvalidParameterValue",
    };
    for spec in input.list("TagSpecifications") {
        let kind = spec.text("ResourceType").unwrap_or_default();
        if kind.is_empty() {
            return fail(code, "Tag specification resource type must have a value");
        }
        if spec.list("Tags").is_empty() {
            return fail(code, "Tag specification must have at least one tag");
        }
        if !kinds.contains(&kind) {
            return fail(code, format!("'{kind}' is not a valid taggable resource type for this operation."));
        }
        super::tags::check(spec.list("Tags"))?;
    }
    Ok(())
}

/// The tags that the request gives new resources of this kind.
pub fn new_tags(input: &Json, kind: &str) -> Tags {
    let specs = input.list("TagSpecifications").iter();
    let ours = specs.filter(|spec| spec.text("ResourceType") == Some(kind));
    ours.flat_map(|spec| tags_from(spec.list("Tags"))).collect()
}

pub fn tag_new(world: &mut World, input: &Json, kind: &str, id: &str) {
    let tags = new_tags(input, kind);
    if !tags.is_empty() {
        world.ec2.tags.entry(id.to_owned()).or_default().extend(tags);
    }
}

/// Runs `make` once a client token: the same request again gets the same answer (EC2 API Reference,
/// "Ensuring idempotency"). A token is remembered for a day.
pub fn once(
    world: &mut World,
    operation: &str,
    input: &Json,
    make: impl FnOnce(&mut World, &Json) -> Answer,
) -> Answer {
    let Some(token) = input.text("ClientToken").filter(|token| !token.is_empty()) else {
        return make(world, input);
    };
    let key = format!("{operation}:{token}");
    let now = world.now;
    world.ec2.answered.retain(|_, answered| now - answered.at < TOKEN_LIFE);
    if let Some(earlier) = world.ec2.answered.get(&key) {
        if &earlier.input != input {
            return fail(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            );
        }
        return Ok(earlier.answer.clone());
    }
    let answer = make(world, input)?;
    world.ec2.answered.insert(key, Answered { at: now, input: input.clone(), answer: answer.clone() });
    Ok(answer)
}

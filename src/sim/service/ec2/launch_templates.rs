//! Launch templates: numbered versions of launch data that never change.

use super::query::{absent, check_tags, fail, filtered, lean, need, once, paged, tag_new, tags_of};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

#[derive(Debug, Serialize, Deserialize)]
pub struct Template {
    pub id: String,
    pub name: String,
    pub created: Millis,
    pub default: i64,
    /// Numbers are never used again.
    pub latest: i64,
    pub versions: BTreeMap<i64, Version>,
}

impl Template {
    /// Gives the newest version this number.
    pub fn renumber_newest(&mut self, number: i64) {
        if let Some((newest, version)) = self.versions.pop_last() {
            self.versions.insert(number, version);
            self.latest = number;
            if self.default == newest {
                self.default = number;
            }
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Version {
    pub description: Option<String>,
    pub created: Millis,
    /// LaunchTemplateData as given: request and answer have the same members.
    pub data: Json,
}

/// One version of a template, looked up.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub id: String,
    pub name: String,
    pub version: i64,
    pub data: Json,
}

fn by_id(id: &str) -> ApiError {
    if !id.starts_with("lt-") {
        let message = "Invalid launch template ID. The launch template ID must start with 'lt-'.";
        return ApiError::new("InvalidLaunchTemplateId.Malformed", message);
    }
    let message = format!("The specified launch template, with template ID {id}, does not exist.");
    ApiError::new("InvalidLaunchTemplateId.NotFound", message)
}

fn by_name(name: &str) -> ApiError {
    let message = format!("The specified launch template, with template name {name}, does not exist.");
    ApiError::new("InvalidLaunchTemplateName.NotFoundException", message)
}

/// Operations word it differently. These words are AWS's as moto's tests saw them there.
fn reworded(error: ApiError, code: &str, message: &str) -> ApiError {
    if error.code == code { ApiError { message: message.to_owned(), ..error } } else { error }
}

/// The template that a request names by id or by name.
fn template_of<'a>(world: &'a World, input: &Json) -> Result<&'a Template, ApiError> {
    match (input.text("LaunchTemplateId"), input.text("LaunchTemplateName")) {
        (Some(_), Some(_)) => fail(
            "InvalidParameterCombination",
            "The parameters launchTemplateId and launchTemplateName cannot be used together",
        ),
        (Some(id), None) => world.ec2.launch_templates.get(id).ok_or_else(|| by_id(id)),
        (None, Some(name)) => {
            let mut all = world.ec2.launch_templates.values();
            all.find(|template| template.name == name).ok_or_else(|| by_name(name))
        }
        (None, None) => fail(
            "MissingParameter",
            "Either a launch template ID or a launch template name must be specified in the request.",
        ),
    }
}

impl Template {
    /// `$Default`, `$Latest`, a number; nothing means the default.
    pub fn number(&self, version: Option<&str>) -> Result<i64, ApiError> {
        let number = match version {
            None | Some("") => return Ok(self.default),
            Some(text) if text.eq_ignore_ascii_case("$Default") => return Ok(self.default),
            Some(text) if text.eq_ignore_ascii_case("$Latest") => return Ok(self.newest()),
            Some(text) => text.parse::<i64>().ok(),
        };
        number.filter(|number| self.versions.contains_key(number)).ok_or_else(|| {
            let message = format!(
                "Could not find the specified version {} for the launch template with ID {}.",
                version.unwrap_or_default(),
                self.id
            );
            ApiError::new("InvalidLaunchTemplateId.VersionNotFound", message)
        })
    }

    fn newest(&self) -> i64 {
        self.versions.last_key_value().map_or(self.default, |(number, _)| *number)
    }
}

/// A launch template specification (id or name, version) to the version's data.
pub fn resolve(world: &World, specification: &Json) -> Result<Resolved, ApiError> {
    let template = template_of(world, specification)?;
    let version = template.number(specification.text("Version"))?;
    let data = template.versions[&version].data.clone();
    Ok(Resolved { id: template.id.clone(), name: template.name.clone(), version, data })
}

fn good_name(name: &str) -> bool {
    (3..=128).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "()./_-".contains(c))
}

/// What EC2 refuses at once; an unknown image, type or group only fails launches.
fn check_data(data: &Json) -> Result<(), ApiError> {
    use base64::Engine;
    if let Some(text) = data.text("UserData") {
        let plain = base64::engine::general_purpose::STANDARD.decode(text.trim());
        match plain {
            Ok(bytes) if bytes.len() > 16 * 1024 => {
                return fail("InvalidParameterValue", "User data is limited to 16384 bytes");
            }
            Ok(_) => {}
            Err(_) => return fail("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."),
        }
    }
    if !data.list("NetworkInterfaces").is_empty() && !data.list("SecurityGroupIds").is_empty() {
        let message = "Network interfaces and an instance-level security groups may not be specified on the same request";
        return fail("InvalidParameterCombination", message);
    }
    Ok(())
}

pub fn create_launch_template(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["launch-template"])?;
    once(world, "CreateLaunchTemplate", input, |world, input| {
        let name = need(input, "LaunchTemplateName")?;
        if !good_name(name) {
            let message = "Launch template names must be between 3 and 128 characters long, and may contain letters, numbers, and the following characters: - ( ) . / _";
            return fail("InvalidLaunchTemplateName.MalformedException", message);
        }
        if world.ec2.launch_templates.values().any(|template| template.name == name) {
            return fail(
                "InvalidLaunchTemplateName.AlreadyExistsException",
                "Launch template name already in use.",
            );
        }
        let data = input.get("LaunchTemplateData").ok_or_else(|| absent("LaunchTemplateData"))?;
        check_data(data)?;
        let id = world.id("lt");
        let template = Template {
            id: id.clone(),
            name: name.to_owned(),
            created: world.now,
            default: 1,
            latest: 1,
            versions: BTreeMap::from([(1, version(world, input, data.clone()))]),
        };
        world.ec2.launch_templates.insert(id.clone(), template);
        tag_new(world, input, "launch-template", &id);
        Ok(json!({"LaunchTemplate": template_json(world, &world.ec2.launch_templates[&id])}))
    })
}

fn version(world: &World, input: &Json, data: Json) -> Version {
    let description = input.text("VersionDescription").map(str::to_owned);
    Version { description, created: world.now, data: lean(data) }
}

fn creator(world: &World) -> String {
    format!("arn:aws:iam::{}:root", world.account)
}

fn template_json(world: &World, template: &Template) -> Json {
    json!({
        "LaunchTemplateId": template.id, "LaunchTemplateName": template.name,
        "CreateTime": World::timestamp(template.created), "CreatedBy": creator(world),
        "DefaultVersionNumber": template.default, "LatestVersionNumber": template.newest(),
        "Tags": tags_of(world, &template.id),
    })
}

fn version_json(world: &World, template: &Template, number: i64) -> Option<Json> {
    let version = template.versions.get(&number)?;
    Some(lean(json!({
        "LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": number,
        "VersionDescription": version.description, "CreateTime": World::timestamp(version.created),
        "CreatedBy": creator(world), "DefaultVersion": number == template.default,
        "LaunchTemplateData": version.data,
    })))
}

pub fn create_launch_template_version(world: &mut World, input: &Json) -> Answer {
    once(world, "CreateLaunchTemplateVersion", input, |world, input| {
        let template = template_of(world, input)?;
        let id = template.id.clone();
        let given = input.get("LaunchTemplateData").ok_or_else(|| absent("LaunchTemplateData"))?;
        let mut data = match input.text("SourceVersion") {
            Some(source) => template.versions[&template.number(Some(source))?].data.clone(),
            None => json!({}),
        };
        overlay(&mut data, given);
        check_data(&data)?;
        let new = version(world, input, data);
        let template = world.ec2.launch_templates.get_mut(&id).expect("found above");
        template.latest += 1;
        let number = template.latest;
        template.versions.insert(number, new);
        let template = &world.ec2.launch_templates[&id];
        Ok(json!({"LaunchTemplateVersion": version_json(world, template, number)}))
    })
}

/// Each member that is given replaces the whole member of the source version.
pub fn overlay(data: &mut Json, given: &Json) {
    if let (Some(data), Some(given)) = (data.as_object_mut(), given.as_object()) {
        let set = given.iter().filter(|(_, value)| !value.is_null());
        data.extend(set.map(|(name, value)| (name.clone(), value.clone())));
    }
}

pub fn modify_launch_template(world: &mut World, input: &Json) -> Answer {
    let template = template_of(world, input).map_err(|error| {
        let message = "Either provide launch template ID or launch template name to modify the template.";
        reworded(error, "InvalidParameterCombination", message)
    })?;
    let id = template.id.clone();
    if let Some(text) = input.text("DefaultVersion") {
        let number = template.number(Some(text)).map_err(|error| {
            let message =
                format!("The launch template version {text} is not found for the specified launch template.");
            reworded(error, "InvalidLaunchTemplateId.VersionNotFound", &message)
        })?;
        world.ec2.launch_templates.get_mut(&id).expect("found above").default = number;
    }
    Ok(json!({"LaunchTemplate": template_json(world, &world.ec2.launch_templates[&id])}))
}

pub fn delete_launch_template(world: &mut World, input: &Json) -> Answer {
    let template = template_of(world, input).map_err(|error| {
        let message = "The request must contain the parameter launch template ID or launch template name";
        reworded(error, "MissingParameter", message)
    })?;
    let (id, answer) = (template.id.clone(), template_json(world, template));
    world.ec2.launch_templates.remove(&id);
    world.ec2.tags.remove(&id);
    Ok(json!({"LaunchTemplate": answer}))
}

pub fn delete_launch_template_versions(world: &mut World, input: &Json) -> Answer {
    let template = template_of(world, input)?;
    let (id, name) = (template.id.clone(), template.name.clone());
    let template = world.ec2.launch_templates.get_mut(&id).expect("found above");
    let (mut done, mut not) = (vec![], vec![]);
    for text in input.texts("Versions") {
        let number: i64 = text.parse().unwrap_or(0);
        let refusal = if number == template.default {
            Some(("unexpectedError", "You cannot delete the default version of a launch template".to_owned()))
        } else if template.versions.remove(&number).is_none() {
            let message = format!("The specified version {text} of the launch template {id} does not exist.");
            Some(("launchTemplateVersionDoesNotExist", message))
        } else {
            None
        };
        let mut row = json!({"LaunchTemplateId": id, "LaunchTemplateName": name, "VersionNumber": number});
        match refusal {
            None => done.push(row),
            Some((code, message)) => {
                row["ResponseError"] = json!({"Code": code, "Message": message});
                not.push(row);
            }
        }
    }
    Ok(json!({
        "SuccessfullyDeletedLaunchTemplateVersions": done,
        "UnsuccessfullyDeletedLaunchTemplateVersions": not,
    }))
}

pub fn describe_launch_templates(world: &mut World, input: &Json) -> Answer {
    let mut items = Vec::new();
    let (ids, names) = (input.texts("LaunchTemplateIds"), input.texts("LaunchTemplateNames"));
    for id in &ids {
        items.push(template_json(world, template_of(world, &json!({"LaunchTemplateId": id}))?));
    }
    for name in &names {
        let template = template_of(world, &json!({"LaunchTemplateName": name})).map_err(|error| {
            let message = "At least one of the launch templates specified in the request does not exist.";
            reworded(error, "InvalidLaunchTemplateName.NotFoundException", message)
        })?;
        items.push(template_json(world, template));
    }
    if ids.is_empty() && names.is_empty() {
        items.extend(world.ec2.launch_templates.values().map(|template| template_json(world, template)));
    }
    let table = &[("create-time", "CreateTime"), ("launch-template-name", "LaunchTemplateName")];
    paged_to_200(input, "LaunchTemplates", filtered(items, input.list("Filters"), table)?)
}

/// These two operations give at most 200 a page.
fn paged_to_200(input: &Json, output: &str, items: Vec<Json>) -> Answer {
    let mut input = input.clone();
    let limit = input.int("MaxResults").unwrap_or(200).clamp(1, 200);
    if let Some(members) = input.as_object_mut() {
        members.insert("MaxResults".to_owned(), json!(limit));
    }
    paged(&input, output, items)
}

/// In AWS's words, quotes and all.
const WHICH_VERSIONS: &str = "To describe the launch template data for all your launch templates, for ‘--versions’ specify ‘$Latest’, ‘$Default’, or both, and omit ‘--launch-template-id’, ‘--launch-template-name’, and version numbers. To describe the launch template data for a specific launch template, specify ‘--launch-template-id’ or ‘--launch-template-name’, and for ‘--versions’ specify one or more of the following values: ‘$Latest’, ‘$Default’, or one or more version numbers.";

pub fn describe_launch_template_versions(world: &mut World, input: &Json) -> Answer {
    let versions = input.texts("Versions");
    let mut items = Vec::new();
    if input.get("LaunchTemplateId").is_none() && input.get("LaunchTemplateName").is_none() {
        let aliases = versions.iter().all(|version| version.starts_with('$'));
        if versions.is_empty() || !aliases {
            let code = if versions.is_empty() { "MissingParameter" } else { "InvalidParameterValue" };
            return fail(code, WHICH_VERSIONS);
        }
        for template in world.ec2.launch_templates.values() {
            for version in &versions {
                items.extend(version_json(world, template, template.number(Some(version))?));
            }
        }
    } else {
        let template = template_of(world, input)?;
        let mut numbers = Vec::new();
        for version in &versions {
            numbers.push(template.number(Some(version))?);
        }
        if versions.is_empty() {
            let bound = |name: &str| input.text(name).and_then(|text| text.parse::<i64>().ok());
            let range = bound("MinVersion").unwrap_or(1)..=bound("MaxVersion").unwrap_or(i64::MAX);
            numbers.extend(template.versions.keys().rev().filter(|number| range.contains(number)));
        }
        items.extend(numbers.iter().filter_map(|number| version_json(world, template, *number)));
    }
    let table = &[
        ("create-time", "CreateTime"),
        ("ebs-optimized", "LaunchTemplateData.EbsOptimized"),
        ("iam-instance-profile", "LaunchTemplateData.IamInstanceProfile"),
        ("image-id", "LaunchTemplateData.ImageId"),
        ("instance-type", "LaunchTemplateData.InstanceType"),
        ("is-default-version", "DefaultVersion"),
        ("http-tokens", "LaunchTemplateData.MetadataOptions.HttpTokens"),
        ("http-endpoint", "LaunchTemplateData.MetadataOptions.HttpEndpoint"),
    ];
    paged_to_200(input, "LaunchTemplateVersions", filtered(items, input.list("Filters"), table)?)
}

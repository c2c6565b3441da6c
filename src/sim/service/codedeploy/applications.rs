//! Applications, their revisions and tags.

use super::*;

fn name_of(input: &Json) -> Result<&str, ApiError> {
    let name = input.text("applicationName").unwrap_or_default();
    check_name(name, "ApplicationNameRequiredException", "Application")?;
    Ok(name)
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = name_of(input)?.to_owned();
    if world.codedeploy.applications.contains_key(&name) {
        let message = format!("Application already exists: {name}");
        return Err(error("ApplicationAlreadyExistsException", message));
    }
    let application = Application {
        id: world.uuid(),
        platform: input.text("computePlatform").unwrap_or("Server").to_owned(),
        created: world.now,
        tags: tags(input.list("tags")),
        groups: BTreeMap::new(),
        revisions: Vec::new(),
    };
    let id = application.id.clone();
    world.codedeploy.applications.insert(name, application);
    Ok(json!({"applicationId": id}))
}

fn view(name: &str, application: &Application) -> Json {
    json!({
        "applicationId": application.id, "applicationName": name,
        "createTime": World::timestamp(application.created),
        "linkedToGitHub": false, "computePlatform": application.platform,
    })
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let name = name_of(input)?;
    Ok(json!({"application": view(name, application(world, name)?)}))
}

pub fn batch_get(world: &mut World, input: &Json) -> Answer {
    let names = input.texts("applicationNames");
    let found: Result<Vec<Json>, _> =
        names.iter().map(|name| Ok(view(name, application(world, name)?))).collect();
    Ok(json!({"applicationsInfo": found?}))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let names = world.codedeploy.applications.keys().map(|name| json!(name)).collect();
    paged(input, "applications", names)
}

pub fn update(world: &mut World, input: &Json) -> Answer {
    let old = name_of(input)?.to_owned();
    application(world, &old)?;
    let Some(new) = input.text("newApplicationName").filter(|new| *new != old) else {
        return Ok(json!({}));
    };
    if world.codedeploy.applications.contains_key(new) {
        let message = format!("Application already exists: {new}");
        return Err(error("ApplicationAlreadyExistsException", message));
    }
    let application = world.codedeploy.applications.remove(&old).expect("just found");
    world.codedeploy.applications.insert(new.to_owned(), application);
    for deployment in world.codedeploy.deployments.values_mut().filter(|one| one.application == old) {
        new.clone_into(&mut deployment.application);
    }
    Ok(json!({}))
}

/// Takes groups and revisions with it; deleting what is not there is no error (API reference names none).
pub fn delete(world: &mut World, input: &Json) -> Answer {
    world.codedeploy.applications.remove(name_of(input)?);
    Ok(json!({}))
}

pub fn register_revision(world: &mut World, input: &Json) -> Answer {
    let name = name_of(input)?.to_owned();
    let location = input.get("revision").cloned().unwrap_or_default();
    let description = input.text("description").map(str::to_owned);
    let now = world.now;
    registered(application_mut(world, &name)?, &location, now).description = description;
    Ok(json!({}))
}

/// The record of a revision, which is made when it is first heard of.
fn registered<'a>(application: &'a mut Application, location: &Json, now: Millis) -> &'a mut Registered {
    let known = application.revisions.iter().position(|one| one.location == *location);
    let at = known.unwrap_or_else(|| {
        application.revisions.push(Registered {
            location: location.clone(),
            description: None,
            at: now,
            first_used: None,
            last_used: None,
            groups: Vec::new(),
        });
        application.revisions.len() - 1
    });
    &mut application.revisions[at]
}

/// A deployment of this revision begins.
pub fn use_revision(world: &mut World, name: &str, group: &str, location: &Json) {
    let now = world.now;
    let Some(application) = world.codedeploy.applications.get_mut(name) else { return };
    let record = registered(application, location, now);
    record.first_used.get_or_insert(now);
    record.last_used = Some(now);
    if !record.groups.iter().any(|one| one == group) {
        record.groups.push(group.to_owned());
    }
}

fn revision_info(record: &Registered) -> Json {
    let mut info = json!({
        "deploymentGroups": record.groups, "registerTime": World::timestamp(record.at),
        "firstUsedTime": record.first_used.map(World::timestamp),
        "lastUsedTime": record.last_used.map(World::timestamp),
    });
    if let Some(description) = &record.description {
        info["description"] = json!(description);
    }
    info
}

pub fn get_revision(world: &mut World, input: &Json) -> Answer {
    let name = name_of(input)?;
    let location = input.get("revision").cloned().unwrap_or_default();
    let record = application(world, name)?.revisions.iter().find(|one| one.location == location);
    let record = record.ok_or_else(|| {
        error("RevisionDoesNotExistException", "No application revision found for the specified revision")
    })?;
    Ok(json!({"applicationName": name, "revision": location, "revisionInfo": revision_info(record)}))
}

pub fn batch_get_revisions(world: &mut World, input: &Json) -> Answer {
    let name = name_of(input)?;
    let application = application(world, name)?;
    let asked = input.list("revisions");
    let found: Vec<Json> = application
        .revisions
        .iter()
        .filter(|one| asked.contains(&one.location))
        .map(|one| json!({"revisionLocation": one.location, "genericRevisionInfo": revision_info(one)}))
        .collect();
    Ok(json!({"applicationName": name, "revisions": found}))
}

pub fn list_revisions(world: &mut World, input: &Json) -> Answer {
    let application = application(world, name_of(input)?)?;
    let mut all: Vec<&Registered> = application.revisions.iter().collect();
    match input.text("deployed") {
        Some("include") => all.retain(|one| one.first_used.is_some()),
        Some("exclude") => all.retain(|one| one.first_used.is_none()),
        _ => {}
    }
    if let Some(bucket) = input.text("s3Bucket") {
        let prefix = input.text("s3KeyPrefix").unwrap_or_default();
        all.retain(|one| {
            one.location.get("s3Location").is_some_and(|s3| {
                s3.text("bucket") == Some(bucket) && s3.text("key").is_some_and(|key| key.starts_with(prefix))
            })
        });
    }
    let key = |one: &&Registered| match input.text("sortBy") {
        Some("firstUsedTime") => one.first_used,
        Some("lastUsedTime") => one.last_used,
        _ => Some(one.at),
    };
    all.sort_by_key(key);
    if input.text("sortOrder") == Some("descending") {
        all.reverse();
    }
    paged(input, "revisions", all.into_iter().map(|one| one.location.clone()).collect())
}

/// Applications (`application:NAME`) and groups (`deploymentgroup:APPLICATION/GROUP`) have tags.
fn tags_at<'a>(world: &'a mut World, arn: &str) -> Result<&'a mut Tags, ApiError> {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    if let Some(name) = resource.strip_prefix("application:") {
        return Ok(&mut application_mut(world, name)?.tags);
    }
    if let Some((name, group)) = resource.strip_prefix("deploymentgroup:").and_then(|r| r.split_once('/')) {
        let found = application_mut(world, name)?.groups.get_mut(group);
        return found.map(|group| &mut group.tags).ok_or_else(|| no_group(group));
    }
    Err(error("ArnNotSupportedException", format!("The specified ARN is not supported: {arn}")))
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    let tags = tags_at(world, input.text("ResourceArn").unwrap_or_default())?;
    Ok(json!({"Tags": tag_list(tags)}))
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    let given = tags(input.list("Tags"));
    tags_at(world, input.text("ResourceArn").unwrap_or_default())?.extend(given);
    Ok(json!({}))
}

pub fn untag(world: &mut World, input: &Json) -> Answer {
    let tags = tags_at(world, input.text("ResourceArn").unwrap_or_default())?;
    for key in input.texts("TagKeys") {
        tags.remove(key);
    }
    Ok(json!({}))
}

//! Repositories and what is set on them.

use super::*;
use crate::service::tree::Output;

fn arn(world: &World, name: &str) -> String {
    world.arn("ecr", &format!("repository/{name}"))
}

fn filters_json(filters: &[String]) -> Option<Json> {
    let list: Json = filters.iter().map(|f| json!({ "filterType": "WILDCARD", "filter": f })).collect();
    (!filters.is_empty()).then_some(list)
}

fn repository_json(world: &World, repository: &Repository) -> Json {
    json!({
        "repositoryArn": arn(world, &repository.name),
        "registryId": world.account,
        "repositoryName": repository.name,
        "repositoryUri": uri(world, &repository.name),
        "createdAt": World::timestamp(repository.created),
        "imageTagMutability": repository.mutability,
        "imageScanningConfiguration": { "scanOnPush": repository.scan_on_push },
        "encryptionConfiguration":
            json!({ "encryptionType": repository.encryption }).with("kmsKey", repository.kms_key.clone()),
    })
    .with("imageTagMutabilityExclusionFilters", filters_json(&repository.exclusion_filters))
}

/// The rules of repository names (API reference of CreateRepository, repositoryName's pattern).
fn check_name(name: &str) -> Result<(), ApiError> {
    let part_ok = |part: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        ends(part.chars().next())
            && ends(part.chars().next_back())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
    };
    if (2..=256).contains(&name.len()) && name.split('/').all(part_ok) {
        return Ok(());
    }
    Err(invalid(
        "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular \
         expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''",
    ))
}

fn mutability(input: &Json) -> Result<(String, Vec<String>), ApiError> {
    let mutability = input.text("imageTagMutability").unwrap_or("MUTABLE");
    let filters: Vec<String> = input
        .list("imageTagMutabilityExclusionFilters")
        .iter()
        .filter_map(|filter| filter.text("filter").map(str::to_owned))
        .collect();
    if mutability.ends_with("_WITH_EXCLUSION") == filters.is_empty() {
        return Err(invalid(format!(
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: \
             'exclusion filters go with IMMUTABLE_WITH_EXCLUSION and MUTABLE_WITH_EXCLUSION only, \
             imageTagMutability is {mutability}'"
        )));
    }
    Ok((mutability.to_owned(), filters))
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default();
    check_name(name)?;
    let (mutability, exclusion_filters) = mutability(input)?;
    if world.ecr.repositories.contains_key(name) {
        return Err(ApiError::new(
            "RepositoryAlreadyExistsException",
            format!(
                "The repository with name '{name}' already exists in the registry with id '{}'",
                world.account
            ),
        ));
    }
    let encryption = input.get("encryptionConfiguration").cloned().unwrap_or_default();
    let kind = encryption.text("encryptionType").unwrap_or("AES256");
    let kms_key = match encryption.text("kmsKey") {
        Some(_) if kind == "AES256" => {
            return Err(invalid(
                "Invalid parameter at 'encryptionConfiguration' failed to satisfy constraint: 'KMS Key must \
                 not be specified when encryption type is AES256'",
            ));
        }
        Some(key) => Some(key.to_owned()),
        None if kind == "AES256" => None,
        // Without a key: the one that AWS manages for ECR in the account.
        None => Some(world.arn("kms", "key/00000000-0000-4000-a000-0000000000ec")),
    };
    let repository = Repository {
        name: name.to_owned(),
        created: world.now,
        mutability,
        exclusion_filters,
        scan_on_push: scan_on_push(input),
        encryption: kind.to_owned(),
        kms_key,
        lifecycle_policy: None,
        policy: None,
        tags: tags(input.list("tags")),
        images: BTreeMap::new(),
        evaluated: None,
        lifecycle_number: 0,
        preview: None,
        layers: BTreeMap::new(),
    };
    let answer = json!({ "repository": repository_json(world, &repository) });
    world.ecr.repositories.insert(repository.name.clone(), repository);
    Ok(answer)
}

fn scan_on_push(input: &Json) -> bool {
    input.get("imageScanningConfiguration").and_then(|c| c.flag("scanOnPush")).unwrap_or(false)
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let names = input.texts("repositoryNames");
    registry(world, input)?;
    if names.is_empty() {
        let all = world.ecr.repositories.values().map(|r| repository_json(world, r)).collect();
        let (repositories, next) = page(all, input.text("nextToken"), limit(input));
        return Ok(json!({ "repositories": repositories }).with("nextToken", next));
    }
    let found: Result<Vec<Json>, ApiError> = names
        .iter()
        .map(|name| match world.ecr.repositories.get(*name) {
            Some(repository) => Ok(repository_json(world, repository)),
            None => Err(not_found(name, &world.account)),
        })
        .collect();
    Ok(json!({ "repositories": found? }))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let repository = find(world, input)?;
    if !repository.images.is_empty() && input.flag("force") != Some(true) {
        return Err(ApiError::new(
            "RepositoryNotEmptyException",
            format!(
                "The repository with name '{}' in registry with id '{}' cannot be deleted because it still \
                 contains images",
                repository.name, world.account
            ),
        ));
    }
    let name = repository.name.clone();
    let answer = json!({ "repository": repository_json(world, repository) });
    world.ecr.repositories.remove(&name);
    Ok(answer)
}

pub fn put_mutability(world: &mut World, input: &Json) -> Answer {
    let (mutability, filters) = mutability(input)?;
    let registry_id = world.account.clone();
    let repository = find_mut(world, input)?;
    repository.mutability = mutability;
    repository.exclusion_filters = filters;
    Ok(json!({
        "registryId": registry_id,
        "repositoryName": repository.name,
        "imageTagMutability": repository.mutability,
    })
    .with("imageTagMutabilityExclusionFilters", filters_json(&repository.exclusion_filters)))
}

pub fn put_scanning(world: &mut World, input: &Json) -> Answer {
    let registry_id = world.account.clone();
    let repository = find_mut(world, input)?;
    repository.scan_on_push = scan_on_push(input);
    Ok(json!({
        "registryId": registry_id,
        "repositoryName": repository.name,
        "imageScanningConfiguration": { "scanOnPush": repository.scan_on_push },
    }))
}

pub fn scanning_configurations(world: &mut World, input: &Json) -> Answer {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in input.texts("repositoryNames") {
        match world.ecr.repositories.get(name) {
            Some(repository) => found.push(scanning_json(world, repository)),
            None => failures.push(json!({
                "repositoryName": name,
                "failureCode": "REPOSITORY_NOT_FOUND",
                "failureReason": "REPOSITORY_NOT_FOUND",
            })),
        }
    }
    Ok(json!({ "scanningConfigurations": found, "failures": failures }))
}

/// The registry's rules come before what the repository says itself (API reference, RegistryScanningRule).
fn scanning_json(world: &World, repository: &Repository) -> Json {
    let fits = |filter: &&Json| {
        let glob = filter.text("filter").and_then(|text| globset::Glob::new(text).ok());
        glob.is_some_and(|glob| glob.compile_matcher().is_match(&repository.name))
    };
    let rule = world.ecr.registry_scan_rules.iter().find_map(|rule| {
        let filters: Vec<&Json> = rule.list("repositoryFilters").iter().filter(fits).collect();
        (!filters.is_empty()).then(|| (rule.text("scanFrequency").unwrap_or("MANUAL"), filters))
    });
    let own = if repository.scan_on_push { "SCAN_ON_PUSH" } else { "MANUAL" };
    let (frequency, filters) = rule.unwrap_or((own, Vec::new()));
    json!({
        "repositoryArn": arn(world, &repository.name),
        "repositoryName": repository.name,
        "scanOnPush": repository.scan_on_push,
        "scanFrequency": frequency,
        "appliedScanFilters": filters,
    })
}

/// Whether a push starts a scan.
pub(super) fn scans_on_push(world: &World, repository: &Repository) -> bool {
    scanning_json(world, repository)["scanFrequency"] != "MANUAL"
}

/// White space outside strings goes; the order of members stays.
fn compact(json: &str) -> String {
    let (mut text, mut quoted, mut escaped) = (String::new(), false, false);
    for c in json.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            quoted = c == '"';
        }
        text.push(c);
    }
    text
}

pub(super) fn check_lifecycle(text: &str) -> Result<(), ApiError> {
    let fail = |what: String| {
        invalid(format!(
            "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy \
             validation failure: {what}'"
        ))
    };
    let policy: Json = serde_json::from_str(text).map_err(|error| fail(error.to_string()))?;
    let rules = policy.list("rules");
    if rules.is_empty() {
        return Err(fail("object has missing required properties ([\"rules\"])".to_owned()));
    }
    let mut priorities = std::collections::BTreeSet::new();
    for rule in rules {
        let Some(priority) = rule.int("rulePriority").filter(|p| *p >= 1) else {
            return Err(fail("instance failed to match rulePriority: an integer of 1 or more".to_owned()));
        };
        if !priorities.insert(priority) {
            return Err(fail(format!("Duplicate rule priority {priority}")));
        }
        let selection = rule.get("selection").unwrap_or(&Json::Null);
        if rule.get("action").and_then(|a| a.text("type")).is_none() {
            return Err(fail("object has missing required properties ([\"action\"])".to_owned()));
        }
        let tagged = match selection.text("tagStatus") {
            Some("tagged") => true,
            Some("untagged" | "any") => false,
            _ => return Err(fail("instance value of tagStatus not found in enum".to_owned())),
        };
        let selects = ["tagPrefixList", "tagPatternList"].iter().any(|k| !selection.list(k).is_empty());
        if tagged && !selects {
            return Err(fail("tagStatus=tagged needs tagPrefixList or tagPatternList".to_owned()));
        }
        let count = selection.text("countType").unwrap_or_default();
        let unit_fits = count == "imageCountMoreThan" || selection.text("countUnit").is_some();
        if count.is_empty() || !unit_fits || selection.int("countNumber").is_none_or(|n| n < 1) {
            return Err(fail("countType, countUnit and countNumber do not fit each other".to_owned()));
        }
    }
    Ok(())
}

pub fn put_lifecycle_policy(world: &mut World, input: &Json) -> Answer {
    let text = input.text("lifecyclePolicyText").unwrap_or_default();
    let registry_id = world.account.clone();
    find(world, input)?;
    check_lifecycle(text)?;
    let repository = find_mut(world, input)?;
    repository.lifecycle_policy = Some(compact(text));
    repository.lifecycle_number += 1;
    repository.evaluated = None;
    let name = repository.name.clone();
    lifecycle::schedule(world, &name, lifecycle::FIRST);
    let repository = find(world, input)?;
    Ok(json!({
        "registryId": registry_id,
        "repositoryName": repository.name,
        "lifecyclePolicyText": repository.lifecycle_policy,
    }))
}

fn lifecycle_json(world: &World, repository: &Repository) -> Answer {
    let Some(text) = &repository.lifecycle_policy else {
        return Err(ApiError::new(
            "LifecyclePolicyNotFoundException",
            format!(
                "Lifecycle policy does not exist for the repository with name '{}' in the registry with id \
                 '{}'",
                repository.name, world.account
            ),
        ));
    };
    Ok(json!({
        "registryId": world.account,
        "repositoryName": repository.name,
        "lifecyclePolicyText": text,
        // Zero until it has been run (aws CLI reference, delete-lifecycle-policy's example).
        "lastEvaluatedAt": World::timestamp(repository.evaluated.unwrap_or(0)),
    }))
}

pub fn get_lifecycle_policy(world: &mut World, input: &Json) -> Answer {
    lifecycle_json(world, find(world, input)?)
}

pub fn delete_lifecycle_policy(world: &mut World, input: &Json) -> Answer {
    let answer = lifecycle_json(world, find(world, input)?)?;
    find_mut(world, input)?.lifecycle_policy = None;
    Ok(answer)
}

fn policy_json(world: &World, repository: &Repository) -> Answer {
    let Some(text) = &repository.policy else {
        return Err(ApiError::new(
            "RepositoryPolicyNotFoundException",
            format!(
                "Repository policy does not exist for the repository with name '{}' in the registry with id \
                 '{}'",
                repository.name, world.account
            ),
        ));
    };
    Ok(json!({ "registryId": world.account, "repositoryName": repository.name, "policyText": text }))
}

pub fn set_policy(world: &mut World, input: &Json) -> Answer {
    let text = input.text("policyText").unwrap_or_default();
    find(world, input)?;
    let policy: Json = serde_json::from_str(text).unwrap_or_default();
    let statements = match policy.get("Statement") {
        Some(Json::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let has =
        |statement: &Json, one: &str| statement.get(one).or(statement.get(format!("Not{one}"))).is_some();
    let complete = |s: &Json| s.get("Effect").is_some() && has(s, "Principal") && has(s, "Action");
    if statements.is_empty() || !statements.iter().all(complete) {
        return Err(invalid(
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy \
             provided'",
        ));
    }
    find_mut(world, input)?.policy = Some(text.to_owned());
    policy_json(world, find(world, input)?)
}

pub fn get_policy(world: &mut World, input: &Json) -> Answer {
    policy_json(world, find(world, input)?)
}

pub fn delete_policy(world: &mut World, input: &Json) -> Answer {
    let answer = policy_json(world, find(world, input)?)?;
    find_mut(world, input)?.policy = None;
    Ok(answer)
}

fn by_arn<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Repository, ApiError> {
    let wanted = input.text("resourceArn").unwrap_or_default();
    let name = wanted.split_once(":repository/").map_or("", |(_, name)| name).to_owned();
    if arn(world, &name) != wanted {
        return Err(invalid(
            "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'",
        ));
    }
    let account = world.account.clone();
    world.ecr.repositories.get_mut(&name).ok_or_else(|| not_found(&name, &account))
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    by_arn(world, input)?.tags.extend(tags(input.list("tags")));
    Ok(json!({}))
}

pub fn untag(world: &mut World, input: &Json) -> Answer {
    let repository = by_arn(world, input)?;
    for key in input.texts("tagKeys") {
        repository.tags.remove(key);
    }
    Ok(json!({}))
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    Ok(json!({ "tags": tag_list(&by_arn(world, input)?.tags) }))
}

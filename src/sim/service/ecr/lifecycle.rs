//! Lifecycle policies: which images they expire, and when (ECR user guide, "Lifecycle policy evaluation rules").

use super::*;
use crate::service::tree::Output;
use crate::world::{self, MINUTE};
use globset::Glob;
use std::collections::BTreeSet;

const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;
/// "Images become expired within 24 hours after they meet the criteria": each day, and soon after it is set.
pub(super) const FIRST: Millis = HOUR;
/// How long a preview takes; the API only says that it is asynchronous.
const PREVIEW: Millis = 10_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Preview {
    started: Millis,
    text: String,
    /// As they are answered.
    results: Vec<Json>,
}

pub(super) fn schedule(world: &mut World, repository: &str, after: Millis) {
    let Some(number) = world.ecr.repositories.get(repository).map(|one| one.lifecycle_number) else { return };
    let event = Event::Evaluate { repository: repository.to_owned(), number };
    world.schedule(after, world::Event::Ecr(event));
}

pub(super) fn run(world: &mut World, name: &str, number: u64) {
    let now = world.now;
    let Some(repository) = world.ecr.repositories.get_mut(name).filter(|one| one.lifecycle_number == number)
    else {
        return;
    };
    let Some(text) = &repository.lifecycle_policy else { return };
    for (digest, _) in expired(text, repository, now) {
        repository.images.remove(&digest);
    }
    repository.evaluated = Some(now);
    schedule(world, name, DAY);
}

/// The digests that a policy expires, each with the priority of its rule. "An image is expired by exactly one or
/// zero rules"; one that a rule selects cannot be expired by a rule of lower priority.
fn expired(text: &str, repository: &Repository, now: Millis) -> Vec<(String, i64)> {
    let policy: Json = serde_json::from_str(text).unwrap_or_default();
    let mut rules: Vec<&Json> = policy.list("rules").iter().collect();
    rules.sort_by_key(|rule| rule.int("rulePriority"));
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for rule in rules {
        let selection = rule.get("selection").unwrap_or(&Json::Null);
        let number = selection.int("countNumber").unwrap_or(i64::MAX);
        let mut selected: Vec<&Image> =
            repository.images.values().filter(|image| selects(selection, image)).collect();
        selected.sort_by_key(|image| std::cmp::Reverse(image.pushed));
        for (at, image) in selected.iter().enumerate() {
            let age = |since: Millis| now - since > number.saturating_mul(DAY);
            let over = match selection.text("countType") {
                Some("imageCountMoreThan") => at as i64 >= number,
                Some("sinceImagePushed") => age(image.pushed),
                Some("sinceImagePulled") => age(image.pulled.unwrap_or(image.pushed)),
                _ => false,
            };
            if over && !taken.contains(image.digest.as_str()) {
                found.push((image.digest.clone(), rule.int("rulePriority").unwrap_or_default()));
            }
        }
        taken.extend(selected.iter().map(|image| image.digest.as_str()));
    }
    found
}

/// "If you specify multiple tags, only the images with all specified tags are selected."
fn selects(selection: &Json, image: &Image) -> bool {
    let any = |fits: &dyn Fn(&str) -> bool| image.tags.iter().any(|tag| fits(tag));
    match selection.text("tagStatus") {
        Some("untagged") => image.tags.is_empty(),
        Some("tagged") => {
            let prefixes = selection.texts("tagPrefixList");
            let patterns = selection.texts("tagPatternList");
            let like = |pattern: &str, tag: &str| {
                Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(tag))
            };
            prefixes.iter().all(|prefix| any(&|tag| tag.starts_with(prefix)))
                && patterns.iter().all(|pattern| any(&|tag| like(pattern, tag)))
        }
        _ => true,
    }
}

pub fn start_preview(world: &mut World, input: &Json) -> Answer {
    let (now, account) = (world.now, world.account.clone());
    let repository = find(world, input)?;
    if repository.preview.as_ref().is_some_and(|preview| now < preview.started + PREVIEW) {
        let message = "The previous lifecycle policy preview request has not completed. Wait and try again.";
        return Err(ApiError::new("LifecyclePolicyPreviewInProgressException", message));
    }
    let given = input.text("lifecyclePolicyText");
    if let Some(text) = given {
        repositories::check_lifecycle(text)?;
    }
    let text = match given {
        Some(text) => text.to_owned(),
        None => repositories::get_lifecycle_policy(world, input)?["lifecyclePolicyText"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    };
    let repository = find_mut(world, input)?;
    let results = expired(&text, repository, now)
        .into_iter()
        .filter_map(|(digest, priority)| {
            let image = repository.images.get(&digest)?;
            Some(json!({
                "imageTags": image.tags,
                "imageDigest": digest,
                "imagePushedAt": World::timestamp(image.pushed),
                "action": { "type": "EXPIRE" },
                "appliedRulePriority": priority,
            }))
        })
        .collect();
    repository.preview = Some(Preview { started: now, text: text.clone(), results });
    Ok(json!({
        "registryId": account,
        "repositoryName": repository.name,
        "lifecyclePolicyText": text,
        "status": "IN_PROGRESS",
    }))
}

pub fn preview(world: &mut World, input: &Json) -> Answer {
    let repository = find(world, input)?;
    let Some(preview) = &repository.preview else {
        let message = format!(
            "Lifecycle policy preview does not exist for the repository with name '{}' in the registry with id '{}'",
            repository.name, world.account
        );
        return Err(ApiError::new("LifecyclePolicyPreviewNotFoundException", message));
    };
    let done = world.now >= preview.started + PREVIEW;
    let answer = json!({
        "registryId": world.account,
        "repositoryName": repository.name,
        "lifecyclePolicyText": preview.text,
        "status": if done { "COMPLETE" } else { "IN_PROGRESS" },
    });
    if !done {
        return Ok(answer);
    }
    let wanted: Vec<&str> = input.list("imageIds").iter().filter_map(|id| id.text("imageDigest")).collect();
    let results = preview.results.iter().filter(|one| {
        wanted.is_empty() || one.text("imageDigest").is_some_and(|digest| wanted.contains(&digest))
    });
    let (results, next) = page(results.cloned().collect(), input.text("nextToken"), limit(input));
    Ok(answer
        .with("previewResults", Some(results))
        .with("summary", Some(json!({ "expiringImageTotalCount": preview.results.len() })))
        .with("nextToken", next))
}

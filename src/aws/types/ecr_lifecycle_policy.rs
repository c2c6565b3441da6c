//! `aws_ecr_lifecycle_policy`: which images a repository forgets.

use super::iam;
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use futures::stream::{StreamExt, TryStreamExt};
use serde_json::Value as Json;

attributes! {
    TABLE:
    POLICY: Json = required("policy").replaces().check(iam::check_json).same(same_rules);
    REGISTRY_ID: Str = computed("registry_id");
    REPOSITORY: Str = required("repository").replaces();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Which images a repository forgets",
    example: r#"
resource "aws_ecr_repository" "app" {
  name = "example/forgetful"
}

resource "aws_ecr_lifecycle_policy" "app" {
  repository = aws_ecr_repository.app.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "keep 30 images"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 30 }
      action       = { type = "expire" }
    }]
  })
}
"#,
    ..TypeSchema::new("aws_ecr_lifecycle_policy", &TABLE)
};

/// Rules go by their priority, whatever the order they stand in; so do tags within a rule.
fn same_rules(live: &Value, desired: &Value) -> bool {
    match (sorted(live), sorted(desired)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn sorted(policy: &Value) -> Option<Json> {
    let mut policy: Json = serde_json::from_str(policy.as_str()?).ok()?;
    let rules = policy.get_mut("rules")?.as_array_mut()?;
    rules.sort_by_key(|rule| rule.get("rulePriority").and_then(Json::as_i64));
    for rule in rules {
        for name in ["tagPrefixList", "tagPatternList"] {
            let tags = rule.get_mut("selection").and_then(|s| s.get_mut(name)).and_then(Json::as_array_mut);
            if let Some(tags) = tags {
                tags.sort_by_key(Json::to_string);
            }
        }
    }
    Some(policy)
}

const GONE: &[&str] = &["LifecyclePolicyNotFoundException", "RepositoryNotFoundException"];

pub struct EcrLifecyclePolicy;

#[async_trait(?Send)]
impl AwsType for EcrLifecyclePolicy {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// One call a repository: AWS has no list form.
    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let reads = items.iter().map(async |item| {
            let call = aws.ecr.get_lifecycle_policy().repository_name(item.id);
            let answer = absent(call.send().await.op("GetLifecyclePolicy"), GONE)?;
            Ok(answer.map(|a| {
                let mut o = Object::new();
                o.set(&ID, item.id)
                    .set(&POLICY, a.lifecycle_policy_text())
                    .set(&REGISTRY_ID, a.registry_id())
                    .set(&REPOSITORY, a.repository_name());
                o
            }))
        });
        futures::stream::iter(reads).buffered(iam::AT_ONCE).try_collect().await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let repository = job.want.need(&REPOSITORY);
        let call = aws.ecr.put_lifecycle_policy().repository_name(&repository);
        call.lifecycle_policy_text(job.want.need(&POLICY)).send().await.op("PutLifecyclePolicy")?;
        Ok(repository)
    }

    async fn update(&self, _aws: &Aws, _job: &Job<'_>) -> Result<(), AwsError> {
        // Both attributes replace.
        Ok(())
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let call = aws.ecr.delete_lifecycle_policy().repository_name(job.id);
        absent(call.send().await.op("DeleteLifecyclePolicy"), GONE).map(drop)
    }

    /// Putting is idempotent: the policy of this repository is the one.
    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let id = job.want.need(&REPOSITORY);
        let found = self.read(aws, &[Existing { id: &id, known: job.want }]).await?;
        Ok(found.into_iter().flatten().next().map(|_| id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_the_same_in_any_order() {
        let rule = |priority: u8, tags: &str| {
            format!(r#"{{"rulePriority":{priority},"selection":{{"tagPrefixList":[{tags}]}}}}"#)
        };
        let policy = |rules: &[String]| Value::from(format!(r#"{{ "rules": [{}] }}"#, rules.join(",")));
        let one = policy(&[rule(1, r#""a","b""#), rule(2, "")]);
        assert!(same_rules(&one, &policy(&[rule(2, ""), rule(1, r#""b","a""#)])));
        assert!(!same_rules(&one, &policy(&[rule(1, r#""a""#), rule(2, "")])));
    }
}

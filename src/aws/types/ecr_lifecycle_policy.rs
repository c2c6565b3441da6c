//! `aws_ecr_lifecycle_policy`: which images a repository forgets.

use super::iam;
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use futures::stream::{StreamExt, TryStreamExt};

attributes! {
    TABLE:
    POLICY: Json = required("policy").replaces().check(iam::check_json);
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

//! `aws_codedeploy_app`: an application of CodeDeploy, which deployment groups stand in.

use super::codedeploy::{self, BATCH};
use super::ec2;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_codedeploy::types::ApplicationInfo;

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    NAME: Str = required("name").check(|v| short_name(v, 1)).doc("Unique in account and region");
    COMPUTE_PLATFORM: Str = optional("compute_platform").default_str("Server").replaces()
        .one_of(&["Server", "Lambda", "ECS"]);
    APPLICATION_ID: Str = computed("application_id");
    ARN: Str = computed("arn").unknown_after_change_of(&["name"]);
    GITHUB_ACCOUNT_NAME: Str = computed("github_account_name");
    LINKED_TO_GITHUB: Bool = computed("linked_to_github");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "An application of CodeDeploy: its deployment groups say what is deployed, and how",
    example: r#"
resource "aws_codedeploy_app" "web" {
  name             = "web"
  compute_platform = "ECS"
}
"#,
    unique: &["name"],
    ..TypeSchema::new("aws_codedeploy_app", &TABLE)
};

/// Names of applications, groups and configurations have 100 characters at most (API reference).
pub fn short_name(value: &Value, least: usize) -> Result<(), String> {
    let length = value.as_str().map_or(0, |s| s.chars().count());
    if (least..=100).contains(&length) {
        Ok(())
    } else {
        Err(format!("must have {least} to 100 characters, has {length}"))
    }
}

const GONE: &[&str] = &["ApplicationDoesNotExistException"];

pub struct CodedeployApp;

#[async_trait(?Send)]
impl AwsType for CodedeployApp {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let names: Vec<String> = items.iter().map(name_of).collect();
        let mut found = Vec::new();
        for chunk in names.chunks(BATCH) {
            found.extend(describe(aws, chunk.to_vec()).await?);
        }
        let account = if found.is_empty() { String::new() } else { ec2::account(aws).await? };
        let mut objects = Vec::with_capacity(items.len());
        for name in &names {
            objects.push(match found.iter().find(|a| a.application_name() == Some(name)) {
                Some(application) => Some(object(aws, application, &account).await?),
                None => None,
            });
        }
        Ok(objects)
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let (name, platform) = (job.want.need(&NAME), job.want.get(&COMPUTE_PLATFORM));
        let call = aws
            .codedeploy
            .create_application()
            .application_name(&name)
            .set_compute_platform(platform.map(|p| p.as_str().into()))
            .set_tags(Some(codedeploy::creation_tags(job)));
        let made = call.send().await.op("CreateApplication")?;
        Ok(format!("{}:{name}", made.application_id().unwrap_or_default()))
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let name = job.want.need(&NAME);
        let old = job.live.get(&NAME).unwrap_or_else(|| name.clone());
        if old != name {
            let call = aws.codedeploy.update_application().application_name(old).new_application_name(&name);
            call.send().await.op("UpdateApplication")?;
        }
        let arn = codedeploy::own_arn(aws, &format!("application:{name}")).await?;
        codedeploy::update_tags(aws, &arn, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let call = aws.codedeploy.delete_application().application_name(job.want.need(&NAME)).send().await;
        absent(call.op("DeleteApplication"), GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let name = job.want.need(&NAME);
        let found = describe(aws, vec![name.clone()]).await?;
        let Some(id) = found.first().and_then(|a| a.application_id()) else { return Ok(None) };
        let ours = codedeploy::is_ours(aws, &format!("application:{name}"), job).await?;
        Ok(ours.then(|| format!("{id}:{name}")))
    }

    /// By name, or as the provider keeps it: `id:name`.
    fn import(&self, id: &str) -> Object {
        let mut known = Object::new();
        known.set(&ID, id).set(&NAME, id.rsplit(':').next());
        known
    }
}

/// What it was called when we last looked; an id ends with it.
fn name_of(item: &Existing<'_>) -> String {
    let of_id = || item.id.rsplit(':').next().unwrap_or_default().to_owned();
    item.known.get(&NAME).unwrap_or_else(of_id)
}

/// One that is gone fails the whole call: then they are asked for one by one.
async fn describe(aws: &Aws, names: Vec<String>) -> Result<Vec<ApplicationInfo>, AwsError> {
    let call = aws.codedeploy.batch_get_applications().set_application_names(Some(names.clone()));
    if let Some(answer) = absent(call.send().await.op("BatchGetApplications"), GONE)? {
        return Ok(answer.applications_info.unwrap_or_default());
    }
    let mut found = Vec::new();
    for name in names {
        let call = aws.codedeploy.get_application().application_name(name).send().await;
        found.extend(absent(call.op("GetApplication"), GONE)?.and_then(|a| a.application));
    }
    Ok(found)
}

async fn object(aws: &Aws, a: &ApplicationInfo, account: &str) -> Result<Object, AwsError> {
    let name = a.application_name().unwrap_or_default();
    let arn = codedeploy::arn(aws, account, &format!("application:{name}"));
    let mut o = Object::new();
    o.set(&ID, format!("{}:{name}", a.application_id().unwrap_or_default()))
        .set(&APPLICATION_ID, a.application_id())
        .set(&NAME, name)
        .set(&COMPUTE_PLATFORM, a.compute_platform().map_or("Server", |p| p.as_str()))
        .set(&GITHUB_ACCOUNT_NAME, a.git_hub_account_name().unwrap_or_default())
        .set(&LINKED_TO_GITHUB, a.linked_to_git_hub())
        .set(&ARN, arn.as_str());
    tags::read(&mut o, codedeploy::tags_of(aws, &arn).await?);
    Ok(o.complete(&TABLE))
}

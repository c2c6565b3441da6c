//! `aws_launch_template`: what instances are launched from, in versions that never change.

mod live;
mod request;
mod tables;

use super::ec2;
use crate::aws::tags;
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema};
use async_trait::async_trait;
use aws_sdk_ec2::types::{
    Filter, LaunchTemplate as Live, LaunchTemplateVersion, ResourceType, ValidationWarning,
};
use tables::*;

static SCHEMA: TypeSchema = TypeSchema {
    doc: "What instances are launched from, in versions that never change",
    example: r##"
resource "aws_launch_template" "web" {
  name_prefix   = "web-"
  image_id      = "ami-0123456789abcdef0"
  instance_type = "t3.micro"
  user_data     = base64encode("#!/bin/sh\necho ECS_CLUSTER=web >> /etc/ecs/ecs.config\n")

  update_default_version = true

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size           = 30
      volume_type           = "gp3"
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "web" }
  }

  tags = { Name = "web" }
}
"##,
    unique: &["name"],
    ..TypeSchema::new("aws_launch_template", &TABLE)
};

const GONE: &[&str] = &[
    "InvalidLaunchTemplateId.NotFound",
    "InvalidLaunchTemplateId.NotFoundException",
    "InvalidLaunchTemplateName.NotFoundException",
];

pub struct LaunchTemplate;

#[async_trait(?Send)]
impl AwsType for LaunchTemplate {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let found = ec2::by_id(items, async |ids| templates(aws, ids).await).await?;
        if found.is_empty() {
            return Ok(vec![None; items.len()]);
        }
        let only = match &found[..] {
            [one] => one.launch_template_id(),
            _ => None,
        };
        let versions = latest(aws, only).await?;
        let account = match found.iter().find_map(account_of) {
            Some(account) => account,
            None => ec2::account(aws).await?,
        };
        Ok(ec2::in_order(items, &found, Live::launch_template_id, |template, _| {
            let id = template.launch_template_id();
            object(aws, &account, template, versions.iter().find(|v| v.launch_template_id() == id))
        }))
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let prefix = want.get(&NAME_PREFIX).unwrap_or_else(|| "cutover-".to_owned());
        let made = aws
            .ec2
            .create_launch_template()
            .client_token(job.token)
            .launch_template_name(want.get(&NAME).unwrap_or_else(|| ec2::unique_name(&prefix, job.token)))
            .set_version_description(want.get(&DESCRIPTION))
            .launch_template_data(request::data(want, &Object::new()))
            .tag_specifications(ec2::tag_specification(ResourceType::LaunchTemplate, job))
            .send()
            .await
            .op("CreateLaunchTemplate")?;
        tell_warnings(job, made.warning());
        let id = made.launch_template().and_then(Live::launch_template_id).unwrap_or_default().to_owned();
        ec2::wait_visible(aws, "CreateLaunchTemplate", job.progress, async || {
            Ok(!templates(aws, vec![id.clone()]).await?.is_empty())
        })
        .await?;
        Ok(id)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let want = job.want;
        let mut latest = job.live.get(&LATEST_VERSION);
        if job.changes(DATA) {
            let made = aws
                .ec2
                .create_launch_template_version()
                .client_token(job.token)
                .launch_template_id(job.id)
                .set_version_description(want.get(&DESCRIPTION))
                .launch_template_data(request::data(want, job.live))
                .send()
                .await
                .op("CreateLaunchTemplateVersion")?;
            tell_warnings(job, made.warning());
            latest = made.launch_template_version().and_then(|v| v.version_number());
            wait_version(aws, job, latest).await?;
        }
        let default = if want.get(&UPDATE_DEFAULT) == Some(true) {
            latest
        } else {
            want.get(&DEFAULT_VERSION).filter(|_| job.changes(&["default_version"]))
        };
        if let Some(version) = default.filter(|v| job.live.get(&DEFAULT_VERSION) != Some(*v)) {
            let request = aws.ec2.modify_launch_template().launch_template_id(job.id);
            let request = request.default_version(version.to_string());
            request.send().await.op("ModifyLaunchTemplate")?;
        }
        ec2::update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let request = aws.ec2.delete_launch_template().launch_template_id(job.id);
        absent(request.send().await.op("DeleteLaunchTemplate"), GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let found = list(aws, Some(ec2::owned_by(job.token))).await?;
        Ok(found.first().and_then(Live::launch_template_id).map(str::to_owned))
    }
}

/// AWS has no filter by id, and one unknown id fails the call: then all are listed.
async fn templates(aws: &Aws, ids: Vec<String>) -> Result<Vec<Live>, AwsError> {
    let request = aws.ec2.describe_launch_templates().set_launch_template_ids(Some(ids.clone()));
    let pages = request.into_paginator().items().send();
    let found: Result<Vec<Live>, AwsError> = pages.try_collect().await.op("DescribeLaunchTemplates");
    match absent(found, GONE)? {
        Some(found) => Ok(found),
        None if ids.len() == 1 => Ok(Vec::new()),
        None => {
            let wanted = |t: &Live| t.launch_template_id().is_some_and(|id| ids.iter().any(|i| i == id));
            Ok(list(aws, None).await?.into_iter().filter(wanted).collect())
        }
    }
}

async fn list(aws: &Aws, filter: Option<Filter>) -> Result<Vec<Live>, AwsError> {
    let request = aws.ec2.describe_launch_templates().set_filters(filter.map(|f| vec![f]));
    let pages = request.into_paginator().items().send();
    pages.try_collect().await.op("DescribeLaunchTemplates")
}

/// The latest version of one template, or of all in the account: AWS does not take a list of ids.
async fn latest(aws: &Aws, only: Option<&str>) -> Result<Vec<LaunchTemplateVersion>, AwsError> {
    let request = aws
        .ec2
        .describe_launch_template_versions()
        .set_launch_template_id(only.map(str::to_owned))
        .versions("$Latest");
    let pages = request.into_paginator().items().send();
    pages.try_collect().await.op("DescribeLaunchTemplateVersions")
}

/// Whether two versions of a template, by its id or name, launch the same.
pub async fn launch_alike(aws: &Aws, template: &str, versions: [&str; 2]) -> Result<bool, AwsError> {
    let call =
        aws.ec2.describe_launch_template_versions().set_versions(Some(versions.map(str::to_owned).to_vec()));
    let call = match template.starts_with("lt-") {
        true => call.launch_template_id(template),
        false => call.launch_template_name(template),
    };
    let answer = call.send().await.op("DescribeLaunchTemplateVersions")?;
    let data: Vec<_> = answer.launch_template_versions().iter().map(|v| v.launch_template_data()).collect();
    Ok(matches!(data[..], [Some(one), Some(other)] if one == other))
}

fn object(aws: &Aws, account: &str, template: &Live, version: Option<&LaunchTemplateVersion>) -> Object {
    let id = template.launch_template_id().unwrap_or_default();
    let name = template.launch_template_name();
    let mut o = Object::new();
    o.set(&ID, id)
        .set(&ARN, ec2::arn(aws, account, &format!("launch-template/{id}")))
        .set(&NAME, name)
        .set(&NAME_PREFIX, name.and_then(ec2::name_prefix))
        .set(&DEFAULT_VERSION, template.default_version_number())
        .set(&LATEST_VERSION, template.latest_version_number())
        .set(&DESCRIPTION, ec2::filled(version.and_then(|v| v.version_description())));
    if let Some(data) = version.and_then(|v| v.launch_template_data()) {
        live::set_data(&mut o, data);
    }
    tags::read(&mut o, ec2::pairs(template.tags()));
    o
}

/// The account, out of the creator's ARN: `arn:aws:iam::123456789012:user/x`.
fn account_of(template: &Live) -> Option<String> {
    template.created_by()?.split(':').nth(4).filter(|a| !a.is_empty()).map(str::to_owned)
}

/// AWS accepts data that no instance can start from, and says so in a warning.
fn tell_warnings(job: &Job<'_>, warning: Option<&ValidationWarning>) {
    for error in warning.map(ValidationWarning::errors).unwrap_or_default() {
        (job.progress)(&format!("AWS warns: {}", error.message().unwrap_or("invalid data")));
    }
}

async fn wait_version(aws: &Aws, job: &Job<'_>, version: Option<i64>) -> Result<(), AwsError> {
    ec2::wait_visible(aws, "CreateLaunchTemplateVersion", job.progress, async || {
        let found = templates(aws, vec![job.id.to_owned()]).await?;
        Ok(found.first().and_then(Live::latest_version_number) >= version)
    })
    .await
}

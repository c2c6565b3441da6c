//! `aws_codedeploy_deployment_group`: what CodeDeploy deploys to, and how: for an ECS service the two target
//! groups and the listeners between which it moves the traffic.

mod convert;
mod table;

use super::ecs::{patiently, some};
use super::{codedeploy, ec2};
use crate::aws::tags;
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema};
use async_trait::async_trait;
use aws_sdk_codedeploy::types::DeploymentGroupInfo;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use table::*;

static SCHEMA: TypeSchema = TypeSchema {
    doc: "What CodeDeploy deploys to, and how: of an ECS service the two target groups and the listeners",
    example: r#"
resource "aws_iam_role" "deploy" {
  name = "deploy"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "codedeploy.amazonaws.com" } }]
  })
}

resource "aws_codedeploy_app" "servers" {
  name = "servers"
}

resource "aws_codedeploy_deployment_group" "servers" {
  app_name              = aws_codedeploy_app.servers.name
  deployment_group_name = "all"
  service_role_arn      = aws_iam_role.deploy.arn

  ec2_tag_set {
    ec2_tag_filter {
      key   = "Role"
      type  = "KEY_AND_VALUE"
      value = "web"
    }
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE"]
  }
}
"#,
    validate,
    unique: &["deployment_group_name", "app_name"],
    ..TypeSchema::new("aws_codedeploy_deployment_group", &TABLE)
};

pub struct CodedeployDeploymentGroup;

#[async_trait(?Send)]
impl AwsType for CodedeployDeploymentGroup {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// A call for 100 groups of an application.
    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let names: Vec<(String, String)> =
            items.iter().map(|i| (i.known.all(&APP_NAME), i.known.all(&GROUP_NAME))).collect();
        let mut by_application: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (application, group) in &names {
            by_application.entry(application).or_default().insert(group);
        }
        let mut found = Vec::new();
        for (application, groups) in by_application {
            let groups: Vec<String> = groups.into_iter().map(str::to_owned).collect();
            found.extend(codedeploy::groups(aws, application, &groups).await?);
        }
        let account = if found.is_empty() { String::new() } else { ec2::account(aws).await? };
        let mut objects = Vec::with_capacity(items.len());
        for (application, group) in &names {
            let is = |g: &&DeploymentGroupInfo| {
                g.application_name() == Some(application) && g.deployment_group_name() == Some(group)
            };
            objects.push(match found.iter().find(is) {
                Some(group) => Some(object(aws, group, &account).await?),
                None => None,
            });
        }
        Ok(objects)
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let has = |name: &str| want.has(name);
        let call = aws
            .codedeploy
            .create_deployment_group()
            .application_name(want.need(&APP_NAME))
            .deployment_group_name(want.need(&GROUP_NAME))
            .service_role_arn(want.need(&SERVICE_ROLE_ARN))
            .set_deployment_config_name(want.get(&DEPLOYMENT_CONFIG_NAME))
            .set_auto_scaling_groups(some(want.all(&AUTOSCALING_GROUPS)))
            .set_outdated_instances_strategy(want.get(&OUTDATED_INSTANCES).map(|s| s.as_str().into()))
            .set_termination_hook_enabled(want.get(&TERMINATION_HOOK))
            .set_alarm_configuration(has("alarm_configuration").then(|| convert::alarms(want)))
            .set_auto_rollback_configuration(
                has("auto_rollback_configuration").then(|| convert::rollback(want)),
            )
            .set_blue_green_deployment_configuration(convert::blue_green(want))
            .set_deployment_style(has("deployment_style").then(|| convert::style(want)))
            .set_ec2_tag_filters(some(convert::ec2_filters(want, &EC2_TAG_FILTER)))
            .set_ec2_tag_set(has("ec2_tag_set").then(|| convert::ec2_sets(want)))
            .set_ecs_services(some(convert::services(want)))
            .set_load_balancer_info(has("load_balancer_info").then(|| convert::balancer(want)))
            .set_on_premises_instance_tag_filters(some(convert::on_premises(want)))
            .set_trigger_configurations(some(convert::triggers(want)))
            .set_tags(Some(codedeploy::creation_tags(job)));
        let made = patiently(aws, CREATE, PROPAGATION, job.progress, not_yet, async || {
            call.clone().send().await.op(CREATE)
        });
        Ok(made.await?.deployment_group_id.unwrap_or_default())
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changed.iter().any(|name| !["tags", "tags_all"].contains(&name.as_str())) {
            send_changes(aws, job).await?;
        }
        let tail = tail(&job.want.need(&APP_NAME), &job.want.need(&GROUP_NAME));
        codedeploy::update_tags(aws, &codedeploy::own_arn(aws, &tail).await?, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let call = aws
            .codedeploy
            .delete_deployment_group()
            .application_name(job.want.need(&APP_NAME))
            .deployment_group_name(job.want.need(&GROUP_NAME));
        absent(call.send().await.op("DeleteDeploymentGroup"), codedeploy::NO_GROUP).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let (application, group) = (job.want.need(&APP_NAME), job.want.need(&GROUP_NAME));
        let found = codedeploy::groups(aws, &application, std::slice::from_ref(&group)).await?;
        let Some(id) = found.into_iter().next().and_then(|g| g.deployment_group_id) else { return Ok(None) };
        Ok(codedeploy::is_ours(aws, &tail(&application, &group), job).await?.then_some(id))
    }

    /// The provider imports by `application:group`.
    fn import(&self, id: &str) -> Object {
        let mut known = Object::new();
        known.set(&ID, id);
        if let Some((application, group)) = id.split_once(':') {
            known.set(&APP_NAME, application).set(&GROUP_NAME, group);
        }
        known
    }
}

const CREATE: &str = "CreateDeploymentGroup";
const UPDATE: &str = "UpdateDeploymentGroup";
const PROPAGATION: Duration = Duration::from_secs(120);

/// New roles and topics are not at once seen everywhere.
fn not_yet(e: &AwsError) -> bool {
    e.is(&["InvalidRoleException", "InvalidTriggerConfigException"])
}

fn tail(application: &str, group: &str) -> String {
    format!("deploymentgroup:{application}/{group}")
}

/// Only what changed: what is left out stays as it is.
async fn send_changes(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let (want, changed) = (job.want, |name: &str| job.changes(&[name]));
    let name = want.need(&GROUP_NAME);
    let application = want.need(&APP_NAME);
    let old = job.live.get(&GROUP_NAME).unwrap_or_else(|| name.clone());
    let call = aws
        .codedeploy
        .update_deployment_group()
        .application_name(&application)
        .current_deployment_group_name(&old)
        .set_new_deployment_group_name((old != name).then_some(name))
        .set_service_role_arn(want.get(&SERVICE_ROLE_ARN))
        .set_deployment_config_name(
            want.get(&DEPLOYMENT_CONFIG_NAME).filter(|_| changed("deployment_config_name")),
        )
        .set_auto_scaling_groups(changed("autoscaling_groups").then(|| want.all(&AUTOSCALING_GROUPS)))
        .set_outdated_instances_strategy(
            want.get(&OUTDATED_INSTANCES)
                .filter(|_| changed("outdated_instances_strategy"))
                .map(|s| s.as_str().into()),
        )
        .set_termination_hook_enabled(
            want.get(&TERMINATION_HOOK).filter(|_| changed("termination_hook_enabled")),
        )
        .set_alarm_configuration(changed("alarm_configuration").then(|| convert::alarms(want)))
        .set_auto_rollback_configuration(
            changed("auto_rollback_configuration").then(|| convert::rollback(want)),
        )
        .set_blue_green_deployment_configuration(
            convert::blue_green(want).filter(|_| changed("blue_green_deployment_config")),
        )
        .set_deployment_style(changed("deployment_style").then(|| convert::style(want)))
        .set_ec2_tag_filters(changed("ec2_tag_filter").then(|| convert::ec2_filters(want, &EC2_TAG_FILTER)))
        .set_ec2_tag_set(changed("ec2_tag_set").then(|| convert::ec2_sets(want)))
        .set_ecs_services(changed("ecs_service").then(|| convert::services(want)))
        .set_load_balancer_info(changed("load_balancer_info").then(|| convert::balancer(want)))
        .set_on_premises_instance_tag_filters(
            changed("on_premises_instance_tag_filter").then(|| convert::on_premises(want)),
        )
        .set_trigger_configurations(changed("trigger_configuration").then(|| convert::triggers(want)));
    let sent = patiently(aws, UPDATE, PROPAGATION, job.progress, not_yet, async || {
        call.clone().send().await.op(UPDATE)
    });
    match sent.await {
        // An application that was renamed has its groups under the new name; into another one none can go.
        Err(error) if error.is(codedeploy::NO_GROUP) && changed("app_name") => {
            let text = format!(
                "CodeDeploy cannot move the group {old} to the application {application}: give the new group \
                 another resource name"
            );
            Err(AwsError { message: text, ..error })
        }
        sent => sent.map(drop),
    }
}

async fn object(aws: &Aws, g: &DeploymentGroupInfo, account: &str) -> Result<Object, AwsError> {
    let (application, group) =
        (g.application_name().unwrap_or_default(), g.deployment_group_name().unwrap_or_default());
    let arn = codedeploy::arn(aws, account, &tail(application, group));
    let scaling: Vec<String> =
        g.auto_scaling_groups().iter().filter_map(|s| s.name().map(str::to_owned)).collect();
    let mut o = Object::new();
    o.set(&ID, g.deployment_group_id())
        .set(&GROUP_ID, g.deployment_group_id())
        .set(&ARN, arn.as_str())
        .set(&APP_NAME, application)
        .set(&GROUP_NAME, group)
        .set(&SERVICE_ROLE_ARN, g.service_role_arn())
        .set(&DEPLOYMENT_CONFIG_NAME, g.deployment_config_name())
        .set(&COMPUTE_PLATFORM, g.compute_platform().map(|p| p.as_str()))
        .set(&AUTOSCALING_GROUPS, Some(scaling).filter(|names| !names.is_empty()))
        // Not answered for ECS and Lambda.
        .set(&OUTDATED_INSTANCES, g.outdated_instances_strategy().map_or("UPDATE", |s| s.as_str()))
        .set(&TERMINATION_HOOK, g.termination_hook_enabled());
    convert::set_blocks(&mut o, g);
    tags::read(&mut o, codedeploy::tags_of(aws, &arn).await?);
    Ok(o.complete(&TABLE))
}

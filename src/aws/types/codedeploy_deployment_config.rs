//! `aws_codedeploy_deployment_config`: how CodeDeploy moves traffic, or how many servers stay healthy meanwhile.

use super::codedeploy_app::short_name;
use super::ecs::small;
use super::{codedeploy, ec2};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_codedeploy::types as sdk;

mod hosts {
    use super::*;
    attributes! {
        TABLE:
        TYPE: Str = optional("type").replaces().one_of(&["HOST_COUNT", "FLEET_PERCENT"]);
        VALUE: Int = optional("value").replaces();
    }
}

mod routing {
    use super::*;
    // 1 to 99 percent, and at least a minute between (API reference, TimeBasedCanary and TimeBasedLinear).
    attributes! {
        STEPS:
        INTERVAL: Int = optional("interval").replaces().range(1, 2880).doc("Minutes");
        PERCENTAGE: Int = optional("percentage").replaces().range(1, 99);
    }
    attributes! {
        TABLE:
        TYPE: Str = optional("type").default_str("AllAtOnce").replaces()
            .one_of(&["TimeBasedCanary", "TimeBasedLinear", "AllAtOnce"]);
        CANARY: Blocks = optional("time_based_canary").single(&STEPS).replaces();
        LINEAR: Blocks = optional("time_based_linear").single(&STEPS).replaces();
    }
}

mod zonal {
    use super::*;
    attributes! {
        TABLE:
        FIRST: Int = optional("first_zone_monitor_duration_in_seconds").replaces();
        EVERY: Int = optional("monitor_duration_in_seconds").replaces();
        HOSTS: Blocks = optional("minimum_healthy_hosts_per_zone").single(&hosts::TABLE).replaces();
    }
}

attributes! {
    TABLE:
    NAME: Str = required("deployment_config_name").replaces().check(|v| short_name(v, 1));
    COMPUTE_PLATFORM: Str = optional("compute_platform").default_str("Server").replaces()
        .one_of(&["Server", "Lambda", "ECS"]);
    MINIMUM_HEALTHY_HOSTS: Blocks = optional("minimum_healthy_hosts").single(&hosts::TABLE).replaces();
    TRAFFIC_ROUTING: Blocks = optional("traffic_routing_config").single(&routing::TABLE).replaces();
    ZONAL: Blocks = optional("zonal_config").single(&zonal::TABLE).replaces();
    ARN: Str = computed("arn");
    DEPLOYMENT_CONFIG_ID: Str = computed("deployment_config_id");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "How CodeDeploy moves traffic in steps, or how many servers stay healthy while it deploys",
    example: r#"
resource "aws_codedeploy_deployment_config" "slowly" {
  deployment_config_name = "slowly"
  compute_platform       = "ECS"

  traffic_routing_config {
    type = "TimeBasedLinear"

    time_based_linear {
      interval   = 2
      percentage = 20
    }
  }
}

resource "aws_codedeploy_deployment_config" "half" {
  deployment_config_name = "half"

  minimum_healthy_hosts {
    type  = "FLEET_PERCENT"
    value = 50
  }
}
"#,
    validate,
    unique: &["deployment_config_name"],
    predict: |want| want.value("deployment_config_name").cloned().map(|id| ("id", id)).into_iter().collect(),
    ..TypeSchema::new("aws_codedeploy_deployment_config", &TABLE)
};

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let server = want.get(&COMPUTE_PLATFORM).is_none_or(|platform| platform == "Server");
    if server && !want.has("minimum_healthy_hosts") {
        problems.push(("minimum_healthy_hosts", "is needed with compute_platform \"Server\"".to_owned()));
    }
    if !server && want.has("minimum_healthy_hosts") {
        let text = "goes with compute_platform \"Server\": ECS and Lambda need traffic_routing_config";
        problems.push(("minimum_healthy_hosts", text.to_owned()));
    }
    if !server && !want.has("traffic_routing_config") {
        problems.push(("traffic_routing_config", "is needed with compute_platform ECS or Lambda".to_owned()));
    }
    let Some(routing) = want.block(&TRAFFIC_ROUTING) else { return problems };
    for (kind, block) in [("TimeBasedCanary", "time_based_canary"), ("TimeBasedLinear", "time_based_linear")]
    {
        let of_kind = routing.get(&routing::TYPE).is_some_and(|t| t == kind);
        if of_kind && !routing.has(block) {
            problems.push(("traffic_routing_config", format!("of type {kind} needs a `{block}` block")));
        }
    }
    problems
}

const GONE: &[&str] = &["DeploymentConfigDoesNotExistException"];

pub struct CodedeployDeploymentConfig;

#[async_trait(?Send)]
impl AwsType for CodedeployDeploymentConfig {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// AWS has no list form of this.
    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let account = ec2::account(aws).await?;
        let mut objects = Vec::with_capacity(items.len());
        for item in items {
            let call = aws.codedeploy.get_deployment_config().deployment_config_name(item.id).send().await;
            let answer = absent(call.op("GetDeploymentConfig"), GONE)?;
            let found = answer.and_then(|a| a.deployment_config_info);
            objects.push(found.map(|config| object(aws, &config, &account)));
        }
        Ok(objects)
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let (want, name) = (job.want, job.want.need(&NAME));
        let hosts = want.block(&MINIMUM_HEALTHY_HOSTS).map(|b| {
            sdk::MinimumHealthyHosts::builder()
                .set_type(b.get(&hosts::TYPE).map(|t| t.as_str().into()))
                .set_value(small(b.get(&hosts::VALUE)))
                .build()
        });
        let server = want.get(&COMPUTE_PLATFORM).is_none_or(|platform| platform == "Server");
        let call = aws
            .codedeploy
            .create_deployment_config()
            .deployment_config_name(&name)
            .set_compute_platform(want.get(&COMPUTE_PLATFORM).map(|p| p.as_str().into()))
            .set_minimum_healthy_hosts(hosts)
            .set_traffic_routing_config(want.block(&TRAFFIC_ROUTING).filter(|_| !server).map(|b| routing(&b)))
            .set_zonal_config(want.block(&ZONAL).map(|b| zones(&b)));
        call.send().await.op("CreateDeploymentConfig")?;
        Ok(name)
    }

    async fn update(&self, _aws: &Aws, _job: &Job<'_>) -> Result<(), AwsError> {
        // All attributes replace: AWS has no UpdateDeploymentConfig.
        Ok(())
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let call = aws.codedeploy.delete_deployment_config().deployment_config_name(job.id).send().await;
        absent(call.op("DeleteDeploymentConfig"), GONE).map(drop)
    }

    /// It has neither tokens nor tags: its name tells.
    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let name = job.want.need(&NAME);
        let found = self.read(aws, &[Existing { id: &name, known: job.want }]).await?;
        Ok(found.into_iter().flatten().next().map(|_| name))
    }

    fn import(&self, id: &str) -> Object {
        let mut known = Object::new();
        known.set(&ID, id).set(&NAME, id);
        known
    }
}

fn routing(b: &Object) -> sdk::TrafficRoutingConfig {
    let canary = b.block(&routing::CANARY).map(|c| {
        sdk::TimeBasedCanary::builder()
            .set_canary_interval(small(c.get(&routing::INTERVAL)))
            .set_canary_percentage(small(c.get(&routing::PERCENTAGE)))
            .build()
    });
    let linear = b.block(&routing::LINEAR).map(|l| {
        sdk::TimeBasedLinear::builder()
            .set_linear_interval(small(l.get(&routing::INTERVAL)))
            .set_linear_percentage(small(l.get(&routing::PERCENTAGE)))
            .build()
    });
    sdk::TrafficRoutingConfig::builder()
        .set_type(b.get(&routing::TYPE).map(|t| t.as_str().into()))
        .set_time_based_canary(canary)
        .set_time_based_linear(linear)
        .build()
}

fn zones(b: &Object) -> sdk::ZonalConfig {
    let hosts = b.block(&zonal::HOSTS).map(|h| {
        sdk::MinimumHealthyHostsPerZone::builder()
            .set_type(h.get(&hosts::TYPE).map(|t| t.as_str().into()))
            .set_value(small(h.get(&hosts::VALUE)))
            .build()
    });
    sdk::ZonalConfig::builder()
        .set_first_zone_monitor_duration_in_seconds(b.get(&zonal::FIRST))
        .set_monitor_duration_in_seconds(b.get(&zonal::EVERY))
        .set_minimum_healthy_hosts_per_zone(hosts)
        .build()
}

fn hosts_block(kind: Option<&str>, value: i32) -> Object {
    let mut b = Object::new();
    b.set(&hosts::TYPE, kind).set(&hosts::VALUE, value);
    b
}

fn steps(percentage: i32, interval: i32) -> Object {
    let mut b = Object::new();
    b.set(&routing::PERCENTAGE, percentage).set(&routing::INTERVAL, interval);
    b
}

fn object(aws: &Aws, c: &sdk::DeploymentConfigInfo, account: &str) -> Object {
    let name = c.deployment_config_name().unwrap_or_default();
    let hosts = c.minimum_healthy_hosts().map(|h| hosts_block(h.r#type().map(|t| t.as_str()), h.value()));
    let routing = c.traffic_routing_config().map(|r| {
        let canary = r.time_based_canary().map(|c| steps(c.canary_percentage(), c.canary_interval()));
        let linear = r.time_based_linear().map(|l| steps(l.linear_percentage(), l.linear_interval()));
        let mut b = Object::new();
        b.set(&routing::TYPE, r.r#type().map(|t| t.as_str()))
            .set_blocks(&routing::CANARY, canary.into_iter().collect())
            .set_blocks(&routing::LINEAR, linear.into_iter().collect());
        b
    });
    let zonal = c.zonal_config().map(|z| {
        let per_zone = z.minimum_healthy_hosts_per_zone();
        let hosts = per_zone.map(|h| hosts_block(h.r#type().map(|t| t.as_str()), h.value()));
        let mut b = Object::new();
        b.set(&zonal::FIRST, z.first_zone_monitor_duration_in_seconds())
            .set(&zonal::EVERY, z.monitor_duration_in_seconds())
            .set_blocks(&zonal::HOSTS, hosts.into_iter().collect());
        b
    });
    let mut o = Object::new();
    o.set(&ID, name)
        .set(&NAME, name)
        .set(&ARN, codedeploy::arn(aws, account, &format!("deploymentconfig:{name}")))
        .set(&DEPLOYMENT_CONFIG_ID, c.deployment_config_id())
        .set(&COMPUTE_PLATFORM, c.compute_platform().map_or("Server", |p| p.as_str()))
        .set_blocks(&MINIMUM_HEALTHY_HOSTS, hosts.into_iter().collect())
        .set_blocks(&TRAFFIC_ROUTING, routing.into_iter().collect())
        .set_blocks(&ZONAL, zonal.into_iter().collect());
    o.complete(&TABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_has_its_own_blocks() {
        let mut want = Object::new();
        want.set(&NAME, "c").set(&COMPUTE_PLATFORM, "ECS");
        assert_eq!(validate(&want)[0].0, "traffic_routing_config");
        let mut shift = Object::new();
        shift.set(&routing::TYPE, "TimeBasedCanary");
        want.set_blocks(&TRAFFIC_ROUTING, vec![shift]);
        assert!(validate(&want)[0].1.contains("time_based_canary"));
        want.set(&COMPUTE_PLATFORM, "Server");
        assert_eq!(validate(&want)[0].0, "minimum_healthy_hosts");
    }
}

//! A service as AWS answers it.

use super::table::*;
use super::{code_deploy, convert};
use crate::aws::tags;
use crate::aws::types::ecs;
use crate::schema::{ID, Object};
use aws_sdk_ecs::types::{DeploymentRolloutState, Service};

pub fn object(s: &Service, known: &Object) -> Object {
    let mut o = Object::new();
    let scheduling = s.scheduling_strategy().map_or("REPLICA", |s| s.as_str());
    o.set(&ID, s.service_arn())
        .set(&NAME, s.service_name())
        .set(&CLUSTER, s.cluster_arn())
        .set(&TASK_DEFINITION, s.task_definition())
        .set(&DESIRED_COUNT, s.desired_count())
        .set(&LAUNCH_TYPE, s.launch_type().map(|t| t.as_str()))
        .set(&PLATFORM_VERSION, s.platform_version())
        .set(&SCHEDULING_STRATEGY, scheduling)
        .set(
            &AVAILABILITY_ZONE_REBALANCING,
            s.availability_zone_rebalancing().map_or("DISABLED", |r| r.as_str()),
        )
        .set(&HEALTH_CHECK_GRACE_PERIOD, s.health_check_grace_period_seconds())
        .set(&ENABLE_ECS_MANAGED_TAGS, s.enable_ecs_managed_tags())
        .set(&ENABLE_EXECUTE_COMMAND, s.enable_execute_command())
        .set(&PROPAGATE_TAGS, s.propagate_tags().map(|p| p.as_str()))
        .set(&IAM_ROLE, s.role_arn())
        .set(&TRIGGERS, known.get(&TRIGGERS))
        .set_blocks(&CAPACITY_PROVIDER_STRATEGY, ecs::strategy_blocks(s.capacity_provider_strategy()))
        .set_blocks(&LOAD_BALANCER, s.load_balancers().iter().map(convert::load_balancer_block).collect())
        .set_blocks(
            &NETWORK_CONFIGURATION,
            s.network_configuration().and_then(convert::network_block).into_iter().collect(),
        )
        .set_blocks(
            &ORDERED_PLACEMENT_STRATEGY,
            s.placement_strategy().iter().map(convert::strategy_block).collect(),
        )
        .set_blocks(
            &PLACEMENT_CONSTRAINTS,
            s.placement_constraints().iter().map(convert::constraint_block).collect(),
        )
        .set_blocks(
            &SERVICE_REGISTRIES,
            s.service_registries().iter().map(convert::registry_block).collect(),
        );
    let controller = s.deployment_controller().map(|c| {
        let mut b = Object::new();
        b.set(&controller::TYPE, c.r#type().as_str());
        b
    });
    o.set_blocks(&DEPLOYMENT_CONTROLLER, controller.into_iter().collect());
    if let Some(config) = s.deployment_configuration() {
        convert::set_deployment_blocks(&mut o, config);
    }
    // These stand at the primary deployment, not at the service.
    if let Some(d) = s.deployments().iter().find(|d| d.status() == Some("PRIMARY")) {
        let connect = d.service_connect_configuration().map(convert::connect_block);
        o.set_blocks(&SERVICE_CONNECT, connect.into_iter().collect())
            .set_blocks(
                &VOLUME_CONFIGURATION,
                d.volume_configurations().iter().map(convert::volume_block).collect(),
            )
            .set_blocks(
                &VPC_LATTICE,
                d.vpc_lattice_configurations().iter().map(convert::lattice_block).collect(),
            );
    }
    let states: Vec<_> = s.deployments().iter().filter_map(|d| d.rollout_state()).collect();
    if !states.is_empty() {
        o.set(&DEPLOYMENT_COMPLETED, states.contains(&&DeploymentRolloutState::Completed));
    }
    lay_primary_set(&mut o, s);
    tags::read(&mut o, ecs::pairs(s.tags()));
    o
}

/// What serves of a service that CodeDeploy deploys stands at its primary task set.
fn lay_primary_set(o: &mut Object, s: &Service) {
    let primary = s.task_sets().iter().find(|set| set.status() == Some("PRIMARY"));
    let Some(set) = primary.filter(|_| code_deploy::is_deployed(s)) else { return };
    if let Some(definition) = set.task_definition() {
        o.set(&TASK_DEFINITION, definition);
    }
    if !set.load_balancers().is_empty() {
        let blocks = set.load_balancers().iter().map(convert::load_balancer_block);
        o.set_blocks(&LOAD_BALANCER, blocks.collect());
    }
    if let Some(network) = set.network_configuration().and_then(convert::network_block) {
        o.set_blocks(&NETWORK_CONFIGURATION, vec![network]);
    }
    if !set.capacity_provider_strategy().is_empty() {
        let blocks = ecs::strategy_blocks(set.capacity_provider_strategy());
        o.set_blocks(&CAPACITY_PROVIDER_STRATEGY, blocks);
    }
}

//! Blocks of a deployment group to CodeDeploy's types and back.

use super::table::*;
use crate::aws::types::ecs::small;
use crate::schema::{Attr, Blocks, Object, StrSet};
use aws_sdk_codedeploy::types as sdk;

/// A block that is gone is sent as switched off.
pub fn alarms(want: &Object) -> sdk::AlarmConfiguration {
    let b = want.block(&ALARM_CONFIGURATION).unwrap_or_default();
    let alarm = |name: String| sdk::Alarm::builder().name(name).build();
    sdk::AlarmConfiguration::builder()
        .enabled(b.get(&alarms::ENABLED).unwrap_or(false))
        .ignore_poll_alarm_failure(b.get(&alarms::IGNORE_POLL_FAILURE).unwrap_or(false))
        .set_alarms(Some(b.all(&alarms::ALARMS).into_iter().map(alarm).collect()))
        .build()
}

pub fn rollback(want: &Object) -> sdk::AutoRollbackConfiguration {
    let b = want.block(&AUTO_ROLLBACK).unwrap_or_default();
    let events = b.all(&rollback::EVENTS_SET);
    sdk::AutoRollbackConfiguration::builder()
        .enabled(b.get(&rollback::ENABLED).unwrap_or(false))
        .set_events(Some(events.iter().map(|e| e.as_str().into()).collect()))
        .build()
}

pub fn style(want: &Object) -> sdk::DeploymentStyle {
    let b = want.block(&STYLE).unwrap_or_default();
    let text = |value: Option<String>, usual: &str| value.unwrap_or_else(|| usual.to_owned());
    sdk::DeploymentStyle::builder()
        .deployment_option(text(b.get(&style::OPTION), "WITHOUT_TRAFFIC_CONTROL").as_str().into())
        .deployment_type(text(b.get(&style::TYPE), "IN_PLACE").as_str().into())
        .build()
}

pub fn blue_green(want: &Object) -> Option<sdk::BlueGreenDeploymentConfiguration> {
    let b = want.block(&BLUE_GREEN)?;
    let ready = b.block(&blue_green::READY).map(|r| {
        sdk::DeploymentReadyOption::builder()
            .set_action_on_timeout(r.get(&blue_green::ON_TIMEOUT).map(|a| a.as_str().into()))
            .set_wait_time_in_minutes(small(r.get(&blue_green::WAIT)))
            .build()
    });
    let fleet = b.block(&blue_green::FLEET).map(|f| {
        let action = f.get(&blue_green::FLEET_ACTION).map(|a| a.as_str().into());
        sdk::GreenFleetProvisioningOption::builder().set_action(action).build()
    });
    let terminate = b.block(&blue_green::TERMINATE).map(|t| {
        sdk::BlueInstanceTerminationOption::builder()
            .set_action(t.get(&blue_green::TERMINATE_ACTION).map(|a| a.as_str().into()))
            .set_termination_wait_time_in_minutes(small(t.get(&blue_green::TERMINATE_WAIT)))
            .build()
    });
    Some(
        sdk::BlueGreenDeploymentConfiguration::builder()
            .set_deployment_ready_option(ready)
            .set_green_fleet_provisioning_option(fleet)
            .set_terminate_blue_instances_on_deployment_success(terminate)
            .build(),
    )
}

pub fn ec2_filters(of: &Object, attr: &Attr<Blocks>) -> Vec<sdk::Ec2TagFilter> {
    let one = |b: Object| {
        sdk::Ec2TagFilter::builder()
            .set_key(b.get(&filter::KEY))
            .set_type(b.get(&filter::TYPE).map(|t| t.as_str().into()))
            .set_value(b.get(&filter::VALUE))
            .build()
    };
    of.all(attr).into_iter().map(one).collect()
}

pub fn ec2_sets(want: &Object) -> sdk::Ec2TagSet {
    let sets = want.all(&EC2_TAG_SET);
    let sets = sets.iter().map(|set| ec2_filters(set, &filter::FILTERS)).collect();
    sdk::Ec2TagSet::builder().set_ec2_tag_set_list(Some(sets)).build()
}

pub fn on_premises(want: &Object) -> Vec<sdk::TagFilter> {
    let one = |b: Object| {
        sdk::TagFilter::builder()
            .set_key(b.get(&filter::KEY))
            .set_type(b.get(&filter::TYPE).map(|t| t.as_str().into()))
            .set_value(b.get(&filter::VALUE))
            .build()
    };
    want.all(&ON_PREMISES_TAG_FILTER).into_iter().map(one).collect()
}

pub fn services(want: &Object) -> Vec<sdk::EcsService> {
    let one = |b: Object| {
        let service = sdk::EcsService::builder().cluster_name(b.need(&service::CLUSTER_NAME));
        service.service_name(b.need(&service::SERVICE_NAME)).build()
    };
    want.all(&ECS_SERVICE).into_iter().map(one).collect()
}

pub fn triggers(want: &Object) -> Vec<sdk::TriggerConfig> {
    let one = |b: Object| {
        let events = b.all(&trigger::TRIGGER_EVENTS);
        sdk::TriggerConfig::builder()
            .trigger_name(b.need(&trigger::TRIGGER_NAME))
            .trigger_target_arn(b.need(&trigger::TRIGGER_TARGET_ARN))
            .set_trigger_events(Some(events.iter().map(|e| e.as_str().into()).collect()))
            .build()
    };
    want.all(&TRIGGER).into_iter().map(one).collect()
}

pub fn balancer(want: &Object) -> sdk::LoadBalancerInfo {
    let b = want.block(&LOAD_BALANCER_INFO).unwrap_or_default();
    let elb = |b: Object| sdk::ElbInfo::builder().set_name(b.get(&balancer::NAME)).build();
    let group = |b: Object| sdk::TargetGroupInfo::builder().set_name(b.get(&balancer::NAME)).build();
    let some = |items: Vec<Object>| Some(items).filter(|items| !items.is_empty());
    sdk::LoadBalancerInfo::builder()
        .set_elb_info_list(some(b.all(&balancer::ELB)).map(|all| all.into_iter().map(elb).collect()))
        .set_target_group_info_list(
            some(b.all(&balancer::TARGET_GROUP_INFO)).map(|all| all.into_iter().map(group).collect()),
        )
        .set_target_group_pair_info_list(b.block(&balancer::PAIR).map(|p| vec![pair(&p)]))
        .build()
}

fn pair(b: &Object) -> sdk::TargetGroupPairInfo {
    let group = |g: Object| sdk::TargetGroupInfo::builder().name(g.need(&balancer::GROUP_NAME)).build();
    let route = |attr: &Attr<Blocks>| {
        let listeners = |r: Object| r.all(&balancer::LISTENER_ARNS);
        b.block(attr).map(|r| sdk::TrafficRoute::builder().set_listener_arns(Some(listeners(r))).build())
    };
    sdk::TargetGroupPairInfo::builder()
        .set_target_groups(Some(b.all(&balancer::TARGET_GROUP).into_iter().map(group).collect()))
        .set_prod_traffic_route(route(&balancer::PRODUCTION))
        .set_test_traffic_route(route(&balancer::TEST))
        .build()
}

// ---- back ----

fn filled(set: &Attr<StrSet>, items: Vec<String>, o: &mut Object) {
    o.set(set, Some(items).filter(|items| !items.is_empty()));
}

/// Switched off and without alarms is as good as none.
fn alarms_block(c: &sdk::AlarmConfiguration) -> Option<Object> {
    let names: Vec<String> = c.alarms().iter().filter_map(|a| a.name().map(str::to_owned)).collect();
    (c.enabled() || !names.is_empty()).then(|| {
        let mut o = Object::new();
        filled(&alarms::ALARMS, names, &mut o);
        o.set(&alarms::ENABLED, c.enabled()).set(&alarms::IGNORE_POLL_FAILURE, c.ignore_poll_alarm_failure());
        o
    })
}

fn rollback_block(c: &sdk::AutoRollbackConfiguration) -> Option<Object> {
    let events: Vec<String> = c.events().iter().map(|e| e.as_str().to_owned()).collect();
    (c.enabled() || !events.is_empty()).then(|| {
        let mut o = Object::new();
        filled(&rollback::EVENTS_SET, events, &mut o);
        o.set(&rollback::ENABLED, c.enabled());
        o
    })
}

/// The default one shows only if another could be meant.
fn style_block(s: &sdk::DeploymentStyle) -> Object {
    let mut o = Object::new();
    o.set(&style::OPTION, s.deployment_option().map(|t| t.as_str()))
        .set(&style::TYPE, s.deployment_type().map(|t| t.as_str()));
    o
}

fn blue_green_block(c: &sdk::BlueGreenDeploymentConfiguration) -> Object {
    let ready = c.deployment_ready_option().map(|r| {
        let mut o = Object::new();
        let wait = Some(r.wait_time_in_minutes()).filter(|minutes| *minutes != 0);
        o.set(&blue_green::ON_TIMEOUT, r.action_on_timeout().map(|a| a.as_str()))
            .set(&blue_green::WAIT, wait);
        o
    });
    let fleet = c.green_fleet_provisioning_option().map(|f| {
        let mut o = Object::new();
        o.set(&blue_green::FLEET_ACTION, f.action().map(|a| a.as_str()));
        o
    });
    let terminate = c.terminate_blue_instances_on_deployment_success().map(|t| {
        let mut o = Object::new();
        o.set(&blue_green::TERMINATE_ACTION, t.action().map(|a| a.as_str()))
            .set(&blue_green::TERMINATE_WAIT, t.termination_wait_time_in_minutes());
        o
    });
    let mut o = Object::new();
    o.set_blocks(&blue_green::READY, ready.into_iter().collect())
        .set_blocks(&blue_green::FLEET, fleet.into_iter().collect())
        .set_blocks(&blue_green::TERMINATE, terminate.into_iter().collect());
    o
}

fn filter_block(key: Option<&str>, kind: Option<&str>, value: Option<&str>) -> Object {
    let mut o = Object::new();
    o.set(&filter::KEY, key).set(&filter::TYPE, kind).set(&filter::VALUE, value);
    o
}

fn ec2_block(f: &sdk::Ec2TagFilter) -> Object {
    filter_block(f.key(), f.r#type().map(|t| t.as_str()), f.value())
}

fn set_block(filters: &[sdk::Ec2TagFilter]) -> Object {
    let mut o = Object::new();
    o.set_blocks(&filter::FILTERS, filters.iter().map(ec2_block).collect());
    o
}

fn service_block(s: &sdk::EcsService) -> Object {
    let mut o = Object::new();
    o.set(&service::CLUSTER_NAME, s.cluster_name()).set(&service::SERVICE_NAME, s.service_name());
    o
}

fn trigger_block(t: &sdk::TriggerConfig) -> Object {
    let events: Vec<String> = t.trigger_events().iter().map(|e| e.as_str().to_owned()).collect();
    let mut o = Object::new();
    o.set(&trigger::TRIGGER_EVENTS, events)
        .set(&trigger::TRIGGER_NAME, t.trigger_name())
        .set(&trigger::TRIGGER_TARGET_ARN, t.trigger_target_arn());
    o
}

fn route_block(r: &sdk::TrafficRoute) -> Object {
    let mut o = Object::new();
    o.set(&balancer::LISTENER_ARNS, r.listener_arns());
    o
}

fn pair_block(p: &sdk::TargetGroupPairInfo) -> Object {
    let group = |g: &sdk::TargetGroupInfo| {
        let mut o = Object::new();
        o.set(&balancer::GROUP_NAME, g.name());
        o
    };
    let route = |r: Option<&sdk::TrafficRoute>| r.map(route_block).into_iter().collect();
    let test = p.test_traffic_route().filter(|r| !r.listener_arns().is_empty());
    let mut o = Object::new();
    o.set_blocks(&balancer::TARGET_GROUP, p.target_groups().iter().map(group).collect())
        .set_blocks(&balancer::PRODUCTION, route(p.prod_traffic_route()))
        .set_blocks(&balancer::TEST, route(test));
    o
}

fn balancer_block(b: &sdk::LoadBalancerInfo) -> Option<Object> {
    let named = |name: Option<&str>| {
        let mut o = Object::new();
        o.set(&balancer::NAME, name);
        o
    };
    let elb: Vec<Object> = b.elb_info_list().iter().map(|e| named(e.name())).collect();
    let groups: Vec<Object> = b.target_group_info_list().iter().map(|g| named(g.name())).collect();
    let pairs: Vec<Object> = b.target_group_pair_info_list().iter().map(pair_block).collect();
    (!elb.is_empty() || !groups.is_empty() || !pairs.is_empty()).then(|| {
        let mut o = Object::new();
        o.set_blocks(&balancer::ELB, elb)
            .set_blocks(&balancer::TARGET_GROUP_INFO, groups)
            .set_blocks(&balancer::PAIR, pairs);
        o
    })
}

pub fn set_blocks(o: &mut Object, g: &sdk::DeploymentGroupInfo) {
    let one = |block: Option<Object>| block.into_iter().collect::<Vec<_>>();
    let sets = g.ec2_tag_set().map(|s| s.ec2_tag_set_list()).unwrap_or_default();
    let premises = |f: &sdk::TagFilter| filter_block(f.key(), f.r#type().map(|t| t.as_str()), f.value());
    o.set_blocks(&ALARM_CONFIGURATION, one(g.alarm_configuration().and_then(alarms_block)))
        .set_blocks(&AUTO_ROLLBACK, one(g.auto_rollback_configuration().and_then(rollback_block)))
        .set_blocks(&BLUE_GREEN, one(g.blue_green_deployment_configuration().map(blue_green_block)))
        .set_blocks(&STYLE, one(g.deployment_style().map(style_block)))
        .set_blocks(&EC2_TAG_FILTER, g.ec2_tag_filters().iter().map(ec2_block).collect())
        .set_blocks(&EC2_TAG_SET, sets.iter().map(|set| set_block(set)).collect())
        .set_blocks(&ECS_SERVICE, g.ecs_services().iter().map(service_block).collect())
        .set_blocks(&LOAD_BALANCER_INFO, one(g.load_balancer_info().and_then(balancer_block)))
        .set_blocks(
            &ON_PREMISES_TAG_FILTER,
            g.on_premises_instance_tag_filters().iter().map(premises).collect(),
        )
        .set_blocks(&TRIGGER, g.trigger_configurations().iter().map(trigger_block).collect());
}

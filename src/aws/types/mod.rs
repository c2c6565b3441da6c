//! One file a resource type, and the list of all of them.

mod acm_certificate;
mod acm_certificate_validation;
mod acm_options;
mod alb;
mod appautoscaling_policy;
mod appautoscaling_target;
mod autoscaling_group;
mod cloudwatch_log_group;
mod cloudwatch_metric_alarm;
mod codedeploy;
mod codedeploy_app;
mod codedeploy_deployment_config;
mod codedeploy_deployment_group;
mod default_security_group;
pub mod ec2;
mod ecr_lifecycle_policy;
mod ecr_repository;
mod ecs;
mod ecs_capacity_provider;
mod ecs_cluster;
mod ecs_cluster_capacity_providers;
mod ecs_service;
mod ecs_task_definition;
mod eip;
mod elb;
mod elb_actions;
mod elb_owner;
mod elb_shift;
pub mod iam;
mod iam_instance_profile;
mod iam_policy;
mod iam_role;
mod iam_role_policy;
mod iam_role_policy_attachment;
mod internet_gateway;
mod launch_template;
mod lb;
mod lb_listener;
mod lb_listener_rule;
mod lb_target_group;
mod nat_gateway;
mod route;
pub mod route53;
mod route53_record;
pub mod route53_zone;
mod route_table;
mod route_table_association;
mod routes;
mod security_group;
mod security_group_rule;
mod sg_permissions;
mod sg_rule;
mod ssm_parameter;
mod subnet;
pub mod timeouts;
pub mod vpc;
mod vpc_security_group_egress_rule;
mod vpc_security_group_ingress_rule;

pub use launch_template::launch_alike;

use super::AwsType;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Every resource type, sorted by name.
#[rustfmt::skip]
pub static ALL: &[&dyn AwsType] = &[
    &acm_certificate::AcmCertificate,
    &acm_certificate_validation::AcmCertificateValidation,
    &alb::ALB,
    &alb::ALB_LISTENER,
    &alb::ALB_LISTENER_RULE,
    &alb::ALB_TARGET_GROUP,
    &appautoscaling_policy::AppautoscalingPolicy,
    &appautoscaling_target::AppautoscalingTarget,
    &autoscaling_group::AutoscalingGroup,
    &cloudwatch_log_group::CloudwatchLogGroup,
    &cloudwatch_metric_alarm::CloudwatchMetricAlarm,
    &codedeploy_app::CodedeployApp,
    &codedeploy_deployment_config::CodedeployDeploymentConfig,
    &codedeploy_deployment_group::CodedeployDeploymentGroup,
    &default_security_group::DefaultSecurityGroup,
    &ecr_lifecycle_policy::EcrLifecyclePolicy,
    &ecr_repository::EcrRepository,
    &ecs_capacity_provider::EcsCapacityProvider,
    &ecs_cluster::EcsCluster,
    &ecs_cluster_capacity_providers::EcsClusterCapacityProviders,
    &ecs_service::EcsService,
    &ecs_task_definition::EcsTaskDefinition,
    &eip::Eip,
    &iam_instance_profile::IamInstanceProfile,
    &iam_policy::IamPolicy,
    &iam_role::IamRole,
    &iam_role_policy::IamRolePolicy,
    &iam_role_policy_attachment::IamRolePolicyAttachment,
    &internet_gateway::InternetGateway,
    &launch_template::LaunchTemplate,
    &lb::Lb,
    &lb_listener::LbListener,
    &lb_listener_rule::LbListenerRule,
    &lb_target_group::LbTargetGroup,
    &nat_gateway::NatGateway,
    &route53_record::Route53Record,
    &route53_zone::Route53Zone,
    &route::Route,
    &route_table::RouteTable,
    &route_table_association::RouteTableAssociation,
    &security_group::SecurityGroup,
    &security_group_rule::SecurityGroupRule,
    &ssm_parameter::SsmParameter,
    &subnet::Subnet,
    &vpc::Vpc,
    &vpc_security_group_egress_rule::VpcSecurityGroupEgressRule,
    &vpc_security_group_ingress_rule::VpcSecurityGroupIngressRule,
];

pub fn find(name: &str) -> Option<&'static dyn AwsType> {
    static INDEX: LazyLock<BTreeMap<&'static str, &'static dyn AwsType>> =
        LazyLock::new(|| ALL.iter().map(|t| (t.schema().name, *t)).collect());
    // A root without AWS does not even look at their tables.
    name.starts_with("aws_").then(|| INDEX.get(name).copied()).flatten()
}

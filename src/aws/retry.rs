//! Which calls the SDK may send again after an answer was lost.
//!
//! After a timeout, a broken connection or a 5xx nobody knows whether AWS did what it was asked. The SDK
//! would just ask again, and `CreateInternetGateway` would make a second one. So what is not harmless to
//! repeat is not repeated here: the error goes up to `apply`, which looks before it tries again. Throttled
//! calls were certainly not carried out, and are repeated all the same.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{Error, FinalizerInterceptorContextMut};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::RetryConfig;

/// Ends the SDK's own retries of a call that may have been carried out and must not be twice.
#[derive(Debug)]
pub struct LookFirst;

#[dyn_dispatch_hint]
impl Intercept for LookFirst {
    fn name(&self) -> &'static str {
        "LookFirst"
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Err(error)) = context.output_or_error() else { return Ok(()) };
        let operation = cfg.load::<Metadata>().map(Metadata::name).unwrap_or_default();
        if is_repeatable(operation) || !is_ambiguous(error, context.response()) {
            return Ok(());
        }
        // The retry strategy asks for the configuration after each attempt: this is the last one.
        let last = cfg.load::<RetryConfig>().cloned().unwrap_or_else(RetryConfig::standard);
        cfg.interceptor_state().store_put(last.with_max_attempts(1));
        Ok(())
    }
}

/// Whether the call may have been carried out although no good answer came.
fn is_ambiguous(error: &OrchestratorError<Error>, answer: Option<&HttpResponse>) -> bool {
    match answer {
        Some(answer) => answer.status().as_u16() >= 500 && !is_throttled(answer),
        None => error.is_timeout_error() || error.is_connector_error() || error.is_response_error(),
    }
}

/// EC2 throttles with a 503; its code stands in the body.
fn is_throttled(answer: &HttpResponse) -> bool {
    let body = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
    super::error::THROTTLED.iter().any(|code| body.contains(code))
}

/// Reads, by how their names begin.
const READS: &[&str] = &["Describe", "List", "Get", "Lookup", "BatchGet", "AssumeRole"];

/// Changes that leave the same behind and answer the same however often they are sent.
#[rustfmt::skip]
const REPEATABLE: &[&str] = &[
    // With our client token: AWS answers the second one as the first.
    "CreateLaunchTemplate", "CreateLaunchTemplateVersion", "CreateNatGateway", "CreateRouteTable",
    "RequestCertificate",
    // "Idempotent … with the same settings" (ELBv2 API reference).
    "CreateListener", "CreateLoadBalancer", "CreateTargetGroup",
    // What is gone already counts as deleted; asked for again and again while something still uses it.
    "DeleteApplication", "DeleteAutoScalingGroup", "DeleteCapacityProvider", "DeleteCluster", "DeleteDeploymentGroup",
    "DeleteService",
    // They set what is given, whatever was before.
    "AddTags", "AddTagsToCertificate", "AddTagsToResource", "ChangeTagsForResource", "CreateOrUpdateTags", "CreateTags",
    "DeleteTags", "RemoveTags", "RemoveTagsFromCertificate", "RemoveTagsFromResource",
    "TagInstanceProfile", "TagPolicy", "TagResource", "TagRole",
    "UntagInstanceProfile", "UntagPolicy", "UntagResource", "UntagRole",
    "AttachRolePolicy", "ModifyListener", "ModifyListenerAttributes", "ModifyLoadBalancerAttributes", "ModifyRule",
    "ModifySecurityGroupRules", "ModifySubnetAttribute", "ModifyTargetGroup", "ModifyTargetGroupAttributes",
    "ModifyVpcAttribute", "ModifyVpcTenancy",
    "PutImageScanningConfiguration", "PutImageTagMutability", "PutLifecyclePolicy", "PutMetricAlarm",
    "PutRetentionPolicy", "PutRolePermissionsBoundary", "PutRolePolicy", "PutScalingPolicy",
    "SetInstanceProtection", "SetIpAddressType", "SetRulePriorities", "SetSecurityGroups", "SetSubnets",
    "EnableMetricsCollection", "DisableMetricsCollection", "ResumeProcesses", "SuspendProcesses",
    "UpdateAssumeRolePolicy", "UpdateAutoScalingGroup", "UpdateCapacityProvider", "UpdateCertificateOptions", "UpdateCluster",
    "UpdateHostedZoneComment", "UpdateRole", "UpdateSecurityGroupRuleDescriptionsEgress",
    "UpdateSecurityGroupRuleDescriptionsIngress",
];

fn is_repeatable(operation: &str) -> bool {
    READS.iter().any(|read| operation.starts_with(read)) || REPEATABLE.contains(&operation)
}

#[cfg(test)]
mod tests {
    use super::is_repeatable;

    #[test]
    fn what_would_be_made_twice_is_not_sent_twice() {
        for once in [
            "AllocateAddress",
            "AuthorizeSecurityGroupIngress",
            "CreateAutoScalingGroup",
            "CreateCapacityProvider",
            "CreateInternetGateway",
            "CreateRole",
            "CreateRule",
            "CreateSecurityGroup",
            "CreateSubnet",
            "CreateVpc",
            "RegisterTaskDefinition",
            "StartInstanceRefresh",
            "UpdateService",
        ] {
            assert!(!is_repeatable(once), "{once}");
        }
        for any in ["DescribeVpcs", "ListClusters", "GetRole", "CreateNatGateway", "PutRolePolicy"] {
            assert!(is_repeatable(any), "{any}");
        }
    }
}

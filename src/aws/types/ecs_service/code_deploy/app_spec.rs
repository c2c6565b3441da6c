//! What CodeDeploy is told to deploy: an AppSpec file as the User Guide has it ("AppSpec 'resources' section (Amazon
//! ECS …)"), in JSON, within the call.

use super::super::convert;
use super::super::table::*;
use super::OPERATION;
use crate::aws::AwsError;
use crate::aws::types::ecs::{BASE, CAPACITY_PROVIDER, WEIGHT};
use crate::lang::functions::yaml;
use crate::schema::Object;
use crate::value::to_json;
use aws_sdk_codedeploy::types as sdk;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// With the hooks of the revision before: a service has no attribute for them, so they stay as whoever deployed it
/// last said.
pub fn revision(
    want: &Object,
    before: Option<&sdk::RevisionLocation>,
) -> Result<sdk::RevisionLocation, AwsError> {
    let content = content(want, before.and_then(text_of).as_deref().and_then(hooks))?;
    let digest = hex::encode(Sha256::digest(content.as_bytes()));
    let spec = sdk::AppSpecContent::builder().content(content).sha256(digest).build();
    let kind = sdk::RevisionLocationType::AppSpecContent;
    Ok(sdk::RevisionLocation::builder().revision_type(kind).app_spec_content(spec).build())
}

/// Whether a deployment deploys the same.
pub fn is_same(of: Option<&sdk::RevisionLocation>, ours: &sdk::RevisionLocation) -> bool {
    of.and_then(text_of).is_some_and(|content| Some(content) == text_of(ours))
}

/// AWS answers the content under either of two names.
fn text_of(revision: &sdk::RevisionLocation) -> Option<String> {
    let spec = revision.app_spec_content().and_then(|s| s.content());
    #[allow(deprecated, reason = "the older of the two names")]
    spec.or(revision.string().and_then(|s| s.content())).map(str::to_owned)
}

/// The functions that an AppSpec file, JSON or YAML, calls at lifecycle events.
fn hooks(content: &str) -> Option<Json> {
    let tree = match serde_json::from_str::<Json>(content) {
        Ok(tree) => tree,
        Err(_) => to_json(&yaml::read(content)?)?,
    };
    let member = tree.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case("hooks"));
    member.map(|(_, hooks)| hooks.clone()).filter(|hooks| hooks.as_array().is_some_and(|all| !all.is_empty()))
}

fn content(want: &Object, hooks: Option<Json>) -> Result<String, AwsError> {
    let invalid = |text: &str| AwsError::failed(OPERATION, "InvalidRevisionException", text);
    let balancers = convert::load_balancers(want);
    let Some(balancer) = balancers.first() else {
        return Err(invalid("CodeDeploy deploys services behind a load balancer: declare `load_balancer`"));
    };
    let Some(definition) = want.get(&TASK_DEFINITION) else {
        return Err(invalid("CodeDeploy deploys a task definition: declare `task_definition`"));
    };
    let mut properties = json!({
        "TaskDefinition": definition,
        "LoadBalancerInfo": {
            "ContainerName": balancer.container_name(), "ContainerPort": balancer.container_port(),
        },
    });
    let optional = [
        ("PlatformVersion", want.get(&PLATFORM_VERSION).map(Json::from)),
        ("NetworkConfiguration", network(want)),
        ("CapacityProviderStrategy", strategy(want)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            properties[name] = value;
        }
    }
    let service = json!({"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}});
    let mut spec = json!({"version": 0.0, "Resources": [service]});
    if let Some(hooks) = hooks {
        spec["Hooks"] = hooks;
    }
    Ok(spec.to_string())
}

fn network(want: &Object) -> Option<Json> {
    let block = want.block(&NETWORK_CONFIGURATION)?;
    let public = block.get(&network::ASSIGN_PUBLIC_IP) == Some(true);
    Some(json!({"AwsvpcConfiguration": {
        "Subnets": block.all(&network::SUBNETS),
        "SecurityGroups": block.all(&network::SECURITY_GROUPS),
        "AssignPublicIp": if public { "ENABLED" } else { "DISABLED" },
    }}))
}

fn strategy(want: &Object) -> Option<Json> {
    let one = |item: &Object| {
        json!({
            "CapacityProvider": item.get(&CAPACITY_PROVIDER),
            "Base": item.get(&BASE).unwrap_or(0), "Weight": item.get(&WEIGHT).unwrap_or(0),
        })
    };
    let all: Vec<Json> = want.all(&CAPACITY_PROVIDER_STRATEGY).iter().map(one).collect();
    (!all.is_empty()).then_some(Json::Array(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Object {
        let mut b = Object::new();
        b.set(&balancer::TARGET_GROUP_ARN, "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/blue/1")
            .set(&balancer::CONTAINER_NAME, "web")
            .set(&balancer::CONTAINER_PORT, 80i64);
        let mut n = Object::new();
        n.set(&network::SUBNETS, vec!["subnet-1".to_owned()]);
        let mut o = Object::new();
        o.set(&TASK_DEFINITION, "web:2")
            .set_blocks(&LOAD_BALANCER, vec![b])
            .set_blocks(&NETWORK_CONFIGURATION, vec![n]);
        o
    }

    #[test]
    fn an_app_spec_names_what_to_deploy_and_nothing_undeclared() {
        let text = content(&service(), None).expect("complete");
        let expected = r#"{"Resources":[{"TargetService":{"Properties":{"LoadBalancerInfo":{"ContainerName":"web","ContainerPort":80},"NetworkConfiguration":{"AwsvpcConfiguration":{"AssignPublicIp":"DISABLED","SecurityGroups":[],"Subnets":["subnet-1"]}},"TaskDefinition":"web:2"},"Type":"AWS::ECS::Service"}}],"version":0.0}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn a_revision_is_the_same_by_its_content() {
        let ours = revision(&service(), None).expect("complete");
        assert!(is_same(Some(&ours), &ours));
        let mut other = service();
        other.set(&TASK_DEFINITION, "web:3");
        assert!(!is_same(Some(&revision(&other, None).expect("complete")), &ours));
        assert!(!is_same(None, &ours));
    }

    #[test]
    fn hooks_of_the_revision_before_stay() {
        let yaml = "version: 0.0\nResources: []\nHooks:\n  - AfterAllowTestTraffic: \"smoke\"\n";
        let spec = sdk::AppSpecContent::builder().content(yaml).build();
        let before = sdk::RevisionLocation::builder().app_spec_content(spec).build();
        let ours = revision(&service(), Some(&before)).expect("complete");
        let text = text_of(&ours).expect("has content");
        assert!(text.contains(r#""Hooks":[{"AfterAllowTestTraffic":"smoke"}]"#), "{text}");
        let next = revision(&service(), Some(&ours)).expect("complete");
        assert!(is_same(Some(&ours), &next), "from JSON as from YAML");
        assert_eq!(hooks("version: 0.0"), None);
    }

    #[test]
    fn a_service_without_a_balancer_is_none_for_codedeploy() {
        let mut bare = Object::new();
        bare.set(&TASK_DEFINITION, "web:2");
        assert!(content(&bare, None).is_err_and(|e| e.message.contains("load_balancer")));
    }
}

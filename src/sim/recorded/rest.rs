//! IAM, ECR, logs, parameters, scaling policies and alarms, DNS.

use super::compute::without;
use super::network::text;
use super::{Builder, last, millis, pick};
use crate::service::Input;
use serde_json::{Value as Json, json};

pub fn iam(b: &mut Builder) {
    let policies = b.items("iam", "ListPolicies", "Policies");
    let got = b.answers("iam", "GetPolicy").into_iter().map(|answer| &answer.output["Policy"]);
    let own = |policy: &&Json| policy.text("Arn").is_some_and(|arn| !arn.contains(":aws:policy/"));
    for policy in policies.into_iter().chain(got.collect::<Vec<_>>()).filter(own) {
        make_policy(b, policy);
    }
    let got = b.answers("iam", "GetRole").into_iter().map(|answer| &answer.output["Role"]);
    for role in b.items("iam", "ListRoles", "Roles").into_iter().chain(got.collect::<Vec<_>>()) {
        make_role(b, role);
    }
    for answer in b.answers("iam", "ListAttachedRolePolicies") {
        for policy in answer.output.list("AttachedPolicies") {
            let input = json!({"RoleName": answer.input["RoleName"], "PolicyArn": policy["PolicyArn"]});
            b.call(None, "iam", "AttachRolePolicy", &input);
        }
    }
    for answer in b.answers("iam", "GetRolePolicy") {
        let mut input = pick(&answer.output, &["RoleName", "PolicyName"]);
        input["PolicyDocument"] = json!(document(&answer.output["PolicyDocument"]));
        b.call(None, "iam", "PutRolePolicy", &input);
    }
    let got =
        b.answers("iam", "GetInstanceProfile").into_iter().map(|answer| &answer.output["InstanceProfile"]);
    let listed = b.items("iam", "ListInstanceProfiles", "InstanceProfiles");
    for profile in listed.into_iter().chain(got.collect::<Vec<_>>()) {
        let name = text(profile, "InstanceProfileName");
        if b.world.iam.profiles.contains_key(&name) {
            continue;
        }
        b.world.foresee("iam-id", &text(profile, "InstanceProfileId"));
        let input = pick(profile, &["InstanceProfileName", "Path", "Tags"]);
        let made = millis(profile.get("CreateDate"));
        b.call(made, "iam", "CreateInstanceProfile", &input);
        for role in profile.list("Roles") {
            let input = json!({"InstanceProfileName": name, "RoleName": role["RoleName"]});
            b.call(made, "iam", "AddRoleToInstanceProfile", &input);
        }
    }
}

/// A document is text; the CLI prints it read, and some answers carry it percent-encoded.
fn document(given: &Json) -> String {
    match given {
        Json::String(text) if text.starts_with('%') => {
            percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
        }
        Json::String(text) => text.clone(),
        read => read.to_string(),
    }
}

fn make_policy(b: &mut Builder, policy: &Json) {
    let arn = text(policy, "Arn");
    let version = |answer: &&super::Answer| {
        let same = answer.input.text("PolicyArn") == Some(&arn);
        same && answer.output["PolicyVersion"].flag("IsDefaultVersion") == Some(true)
    };
    let Some(found) = b.answers("iam", "GetPolicyVersion").into_iter().find(version) else {
        return b.left_out(format!("{arn}, of which no GetPolicyVersion tells the document"));
    };
    b.world.foresee("iam-id", &text(policy, "PolicyId"));
    let mut input = pick(policy, &["PolicyName", "Path", "Description", "Tags"]);
    input["PolicyDocument"] = json!(document(&found.output["PolicyVersion"]["Document"]));
    b.call(millis(policy.get("CreateDate")), "iam", "CreatePolicy", &input);
}

fn make_role(b: &mut Builder, role: &Json) {
    let name = text(role, "RoleName");
    if b.world.iam.roles.contains_key(&name) {
        return;
    }
    b.world.foresee("iam-id", &text(role, "RoleId"));
    let made = millis(role.get("CreateDate"));
    if let Some(service) = role.text("Path").and_then(|path| path.strip_prefix("/aws-service-role/")) {
        let input = json!({"AWSServiceName": service.trim_end_matches('/')});
        b.call(made, "iam", "CreateServiceLinkedRole", &input);
        return;
    }
    let mut input = pick(role, &["RoleName", "Path", "Description", "MaxSessionDuration", "Tags"]);
    input["AssumeRolePolicyDocument"] = json!(document(&role["AssumeRolePolicyDocument"]));
    if let Some(boundary) = role.get("PermissionsBoundary") {
        input["PermissionsBoundary"] = boundary["PermissionsBoundaryArn"].clone();
    }
    b.call(made, "iam", "CreateRole", &input);
}

pub fn stores(b: &mut Builder) {
    for repository in b.items("ecr", "DescribeRepositories", "repositories") {
        let input = pick(
            repository,
            &[
                "repositoryName",
                "imageTagMutability",
                "imageScanningConfiguration",
                "encryptionConfiguration",
            ],
        );
        b.call(millis(repository.get("createdAt")), "ecr", "CreateRepository", &input);
    }
    for (read, write, member) in [
        ("GetLifecyclePolicy", "PutLifecyclePolicy", "lifecyclePolicyText"),
        ("GetRepositoryPolicy", "SetRepositoryPolicy", "policyText"),
    ] {
        for answer in b.answers("ecr", read) {
            b.call(None, "ecr", write, &pick(&answer.output, &["repositoryName", member]));
        }
    }
    if !b.answers("ecr", "DescribeImages").is_empty() {
        b.left_out("images of ECR, whose manifests no answer tells");
    }
    for group in b.items("logs", "DescribeLogGroups", "logGroups") {
        let mut input = pick(group, &["logGroupName", "kmsKeyId", "logGroupClass"]);
        let made = group.int("creationTime");
        b.call(made, "logs", "CreateLogGroup", &input);
        if let Some(days) = group.int("retentionInDays") {
            input = json!({"logGroupName": group["logGroupName"], "retentionInDays": days});
            b.call(None, "logs", "PutRetentionPolicy", &input);
        }
    }
    let many = ["GetParameters", "GetParametersByPath"];
    let many = many.iter().flat_map(|operation| b.items("ssm", operation, "Parameters"));
    let one = b.answers("ssm", "GetParameter").into_iter().map(|answer| &answer.output["Parameter"]);
    let own = |parameter: &&Json| !parameter.text("Name").is_some_and(|name| name.starts_with("/aws/"));
    for parameter in many.chain(one).filter(own).collect::<Vec<_>>() {
        let mut input = pick(parameter, &["Name", "Type", "Value", "DataType"]);
        input["Overwrite"] = json!(true);
        b.call(millis(parameter.get("LastModifiedDate")), "ssm", "PutParameter", &input);
    }
}

const SCALING: &str = "application-autoscaling";

pub fn scaling(b: &mut Builder) {
    for target in b.items(SCALING, "DescribeScalableTargets", "ScalableTargets") {
        let arn = text(target, "ScalableTargetARN");
        b.world.foresee("hex32", last(&arn).strip_prefix("0ec5").unwrap_or_default());
        let input = pick(
            target,
            &[
                "ServiceNamespace",
                "ResourceId",
                "ScalableDimension",
                "MinCapacity",
                "MaxCapacity",
                "RoleARN",
                "SuspendedState",
            ],
        );
        b.call(millis(target.get("CreationTime")), SCALING, "RegisterScalableTarget", &input);
    }
    for policy in b.items(SCALING, "DescribeScalingPolicies", "ScalingPolicies") {
        let arn = text(policy, "PolicyARN");
        b.world.foresee("uuid", arn.split(':').nth(6).unwrap_or_default());
        let mut alarms: Vec<String> =
            policy.list("Alarms").iter().map(|one| text(one, "AlarmName")).collect();
        alarms.sort_by_key(|name| !name.contains("-AlarmHigh-"));
        for alarm in alarms {
            b.world.foresee("uuid", alarm.get(alarm.len().saturating_sub(36)..).unwrap_or_default());
        }
        let input = without(policy, &["PolicyARN", "Alarms", "CreationTime"]);
        b.call(millis(policy.get("CreationTime")), SCALING, "PutScalingPolicy", &input);
    }
    for action in b.items(SCALING, "DescribeScheduledActions", "ScheduledActions") {
        let input = without(action, &["ScheduledActionARN", "CreationTime"]);
        b.call(None, SCALING, "PutScheduledAction", &input);
    }
    alarms(b);
}

fn alarms(b: &mut Builder) {
    const TOLD: [&str; 9] = [
        "AlarmArn",
        "AlarmConfigurationUpdatedTimestamp",
        "StateValue",
        "StateReason",
        "StateReasonData",
        "StateUpdatedTimestamp",
        "StateTransitionedTimestamp",
        "EvaluationState",
        "ActionsSuppressedBy",
    ];
    for (member, operation) in [("MetricAlarms", "PutMetricAlarm"), ("CompositeAlarms", "PutCompositeAlarm")]
    {
        for alarm in b.items("monitoring", "DescribeAlarms", member) {
            let name = text(alarm, "AlarmName");
            let changed = millis(alarm.get("AlarmConfigurationUpdatedTimestamp"));
            if !b.world.cloudwatch.alarms.contains_key(&name) {
                b.call(changed, "monitoring", operation, &without(alarm, &TOLD));
            }
            let input = json!({"AlarmName": name, "StateValue": alarm["StateValue"],
                "StateReason": alarm["StateReason"]});
            b.call(millis(alarm.get("StateUpdatedTimestamp")), "monitoring", "SetAlarmState", &input);
        }
    }
}

pub fn zones(b: &mut Builder) {
    for zone in b.items("route53", "ListHostedZones", "HostedZones") {
        make_zone(b, zone);
    }
    for answer in b.answers("route53", "ListResourceRecordSets") {
        let Some(zone) = answer.input.text("HostedZoneId") else {
            b.left_out("ListResourceRecordSets without its input: which zone is it about?");
            continue;
        };
        let sets = answer.output.list("ResourceRecordSets").iter();
        let changes: Vec<Json> =
            sets.map(|set| json!({"Action": "UPSERT", "ResourceRecordSet": set})).collect();
        let input = json!({"HostedZoneId": zone, "ChangeBatch": {"Changes": changes}});
        b.call(None, "route53", "ChangeResourceRecordSets", &input);
    }
}

fn make_zone(b: &mut Builder, zone: &Json) {
    let id = text(zone, "Id");
    b.world.foresee("zone-id", last(&id));
    let mut input = pick(zone, &["Name", "CallerReference"]);
    if let Some(config) = zone.get("Config") {
        input["HostedZoneConfig"] = pick(config, &["Comment", "PrivateZone"]);
    }
    let about = |answer: &&super::Answer| answer.output["HostedZone"].text("Id") == Some(&id);
    let got = b.answers("route53", "GetHostedZone").into_iter().find(about);
    let vpcs = got.map(|answer| answer.output.list("VPCs")).unwrap_or_default();
    if let Some(vpc) = vpcs.first() {
        input["VPC"] = vpc.clone();
    }
    b.call(None, "route53", "CreateHostedZone", &input);
    for vpc in vpcs.iter().skip(1) {
        b.call(None, "route53", "AssociateVPCWithHostedZone", &json!({"HostedZoneId": id, "VPC": vpc}));
    }
    let servers: Option<Vec<String>> = got.map(|answer| {
        answer.output["DelegationSet"].texts("NameServers").into_iter().map(str::to_owned).collect()
    });
    if let (Some(made), Some(servers)) =
        (b.world.route53.zones.get_mut(last(&id)), servers.filter(|all| !all.is_empty()))
    {
        made.name_servers = servers;
    }
}

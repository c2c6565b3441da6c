//! What other services tell of a resource: its tags, and its own policy. They are asked by their own
//! operations, below the wire, so nothing here knows their state.

use super::policy::Policy;
use crate::World;
use crate::service::tree::{self, Tags};
use crate::service::{Input, iam, operations};
use serde_json::{Value as Json, json};

fn ask(world: &mut World, service: &str, operation: &str, input: &Json) -> Option<Json> {
    let (_, handler) = operations(service)?.iter().find(|(name, _)| *name == operation)?;
    world.aside(|world| handler(world, input)).ok()
}

/// (service in the ARN, service as signed, operation, member that takes the ARN, list of tags).
const TAGS: &[(&str, &str, &str, &str, &str)] = &[
    ("acm", "acm", "ListTagsForCertificate", "CertificateArn", "Tags"),
    ("cloudwatch", "monitoring", "ListTagsForResource", "ResourceARN", "Tags"),
    ("codedeploy", "codedeploy", "ListTagsForResource", "ResourceArn", "Tags"),
    ("dynamodb", "dynamodb", "ListTagsOfResource", "ResourceArn", "Tags"),
    ("ecr", "ecr", "ListTagsForResource", "resourceArn", "tags"),
    ("ecs", "ecs", "ListTagsForResource", "resourceArn", "tags"),
    ("events", "events", "ListTagsForResource", "ResourceARN", "Tags"),
    ("kms", "kms", "ListResourceTags", "KeyId", "Tags"),
    ("lambda", "lambda", "ListTags", "Resource", "Tags"),
    ("logs", "logs", "ListTagsForResource", "resourceArn", "tags"),
    ("secretsmanager", "secretsmanager", "DescribeSecret", "SecretId", "Tags"),
    ("sns", "sns", "ListTagsForResource", "ResourceArn", "Tags"),
];

pub fn tags(world: &mut World, arn: &str) -> Tags {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, _, _, resource] = parts[..] else { return Tags::new() };
    let name = resource.rsplit('/').next().unwrap_or_default();
    match service {
        "ec2" => return world.ec2.tags.get(name).cloned().unwrap_or_default(),
        "iam" => return iam::tags_of(world, resource),
        "elasticloadbalancing" => {
            let answer = ask(world, service, "DescribeTags", &json!({ "ResourceArns": [arn] }));
            return read(
                answer.as_ref().and_then(|answer| answer.list("TagDescriptions").first()?.get("Tags")),
            );
        }
        "autoscaling" => {
            let filter = json!({ "Filters": [{ "Name": "auto-scaling-group", "Values": [name] }] });
            let answer = ask(world, service, "DescribeTags", &filter);
            return read(answer.as_ref().and_then(|answer| answer.get("Tags")));
        }
        "ssm" => {
            let parameter = format!("/{}", resource.trim_start_matches("parameter/"));
            let ids = [parameter.clone(), parameter[1..].to_owned()];
            let answer = ids.iter().find_map(|id| {
                let input = json!({ "ResourceType": "Parameter", "ResourceId": id });
                ask(world, service, "ListTagsForResource", &input)
            });
            return read(answer.as_ref().and_then(|answer| answer.get("TagList")));
        }
        _ => {}
    }
    let Some((_, signed, operation, by, list)) = TAGS.iter().find(|(known, ..)| *known == service) else {
        return Tags::new();
    };
    let arn = arn.split(":log-stream:").next().unwrap_or(arn);
    let mut question = json!({ *by: arn });
    let mut all = Tags::new();
    loop {
        let Some(answer) = ask(world, signed, operation, &question) else { return all };
        all.extend(read(answer.get(*list)));
        match answer.get("NextToken").filter(|token| token.is_string()) {
            Some(token) => question["NextToken"] = token.clone(),
            None => return all,
        }
    }
}

fn read(list: Option<&Json>) -> Tags {
    let wrapped = json!({ "Tags": list });
    if list
        .is_some_and(|list| list.as_array().is_some_and(|all| all.iter().any(|tag| tag.get("Key").is_some())))
    {
        return tree::tags(wrapped.list("Tags"));
    }
    super::context::request_tags(&wrapped)
}

/// (service, operation, member that takes the resource, what of the ARN it takes, member that holds the policy).
const POLICIES: &[(&str, &str, &str, Take, &str)] = &[
    ("dynamodb", "GetResourcePolicy", "ResourceArn", Take::Arn, "Policy"),
    ("ecr", "GetRepositoryPolicy", "repositoryName", Take::Path, "policyText"),
    ("kms", "GetKeyPolicy", "KeyId", Take::Arn, "Policy"),
    ("s3", "GetBucketPolicy", "Bucket", Take::Bucket, "Policy"),
    ("secretsmanager", "GetResourcePolicy", "SecretId", Take::Arn, "ResourcePolicy"),
];

#[derive(Clone, Copy)]
enum Take {
    Arn,
    /// After the kind: `repository/team/web` → `team/web`.
    Path,
    Bucket,
}

/// A resource's own policy, where it has one.
pub fn policy(world: &mut World, arn: &str) -> Option<Policy> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, _, _, resource] = parts[..] else { return None };
    if service == "iam" {
        return iam::role_by_arn(world, arn).map(|role| Policy::parse(&role.trust));
    }
    let (_, operation, by, take, held) = POLICIES.iter().find(|(known, ..)| *known == service)?;
    let name = match take {
        Take::Arn => arn,
        Take::Path => resource.split_once('/')?.1,
        Take::Bucket => resource.split('/').next()?,
    };
    let answer = ask(world, service, operation, &json!({ *by: name }))?;
    Some(Policy::parse(answer.text(held)?))
}

/// The ARN that is meant by one made of a name: a secret's has a suffix, a key stands behind its alias.
pub fn completed(world: &mut World, arn: String) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, _, _, resource] = parts[..] else { return arn };
    match service {
        "secretsmanager" => {
            let name = resource.trim_start_matches("secret:").to_owned();
            let answer = ask(world, "secretsmanager", "DescribeSecret", &json!({ "SecretId": name }));
            match answer.as_ref().and_then(|answer| answer.text("ARN")) {
                Some(arn) => arn.to_owned(),
                // One that is about to be made: the suffix is not known yet.
                None if arn.contains(":secret:") => arn,
                None => arn,
            }
        }
        "kms" if resource.starts_with("key/alias/") => {
            let key = resource.trim_start_matches("key/").to_owned();
            let answer = ask(world, "kms", "DescribeKey", &json!({ "KeyId": key }));
            answer
                .as_ref()
                .and_then(|answer| answer.get("KeyMetadata")?.text("Arn"))
                .map_or(arn, str::to_owned)
        }
        "autoscaling" => {
            let Some((_, name)) = resource.rsplit_once(":autoScalingGroupName/") else { return arn };
            let input = json!({ "AutoScalingGroupNames": [name] });
            let answer = ask(world, "autoscaling", "DescribeAutoScalingGroups", &input);
            let found = answer.as_ref().and_then(|answer| answer.list("AutoScalingGroups").first());
            found.and_then(|group| group.text("AutoScalingGroupARN")).map_or(arn, str::to_owned)
        }
        _ => arn,
    }
}

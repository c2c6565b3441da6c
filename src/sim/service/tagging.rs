//! The Resource Groups Tagging API: one view on the tags of many services. It asks them as a client would,
//! by their own operations, so it knows nothing of their state.
//!
//! Known are the kinds of resources that AWS lists for it (Tagging API reference, "Services that support")
//! and this world has; like there, a resource appears once it has or had a tag.

use super::{Answer, ApiError, Input, Operations, call, page};
use crate::World;
use crate::service::tree::Output;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

pub const OPERATIONS: Operations = &[
    ("GetResources", get_resources),
    ("GetTagKeys", get_tag_keys),
    ("GetTagValues", get_tag_values),
    ("TagResources", tag_resources),
    ("UntagResources", untag_resources),
];

type Tags = BTreeMap<String, String>;

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

/// Another service's operation; what it refuses is as if it were not there.
pub(super) fn ask(world: &mut World, service: &str, operation: &str, input: &Json) -> Json {
    call(world, service, operation, input).unwrap_or_default()
}

/// Every page of a list.
pub(super) fn every(
    world: &mut World,
    service: &str,
    operation: &str,
    list: &str,
    token: (&str, &str),
) -> Vec<Json> {
    let mut found = Vec::new();
    let mut input = json!({});
    loop {
        let answer = ask(world, service, operation, &input);
        found.extend(answer.list(list).iter().cloned());
        match answer.text(token.1) {
            Some(next) => input = json!({token.0: next}),
            None => return found,
        }
    }
}

fn pairs(list: &[Json], key: &str, value: &str) -> Tags {
    let pair = |tag: &Json| Some((tag.text(key)?.to_owned(), tag.text(value).unwrap_or_default().to_owned()));
    list.iter().filter_map(pair).collect()
}

/// The tags of one resource, as its service tells them.
struct Teller {
    service: &'static str,
    operation: &'static str,
    /// Member of the question that holds the ARN.
    by: &'static str,
    list: &'static str,
    names: (&'static str, &'static str),
}

const BIG: (&str, &str) = ("Key", "Value");
const SMALL: (&str, &str) = ("key", "value");

fn told(world: &mut World, teller: &Teller, arn: &str) -> Tags {
    let answer = ask(world, teller.service, teller.operation, &json!({teller.by: arn}));
    match answer.get(teller.list) {
        Some(Json::Object(map)) => {
            map.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect()
        }
        _ => pairs(answer.list(teller.list), teller.names.0, teller.names.1),
    }
}

/// All that have tags, by ARN.
fn resources(world: &mut World) -> BTreeMap<String, Tags> {
    let mut all = BTreeMap::new();
    for tag in every(world, "ec2", "DescribeTags", "Tags", ("NextToken", "NextToken")) {
        let (kind, id) =
            (tag.text("ResourceType").unwrap_or_default(), tag.text("ResourceId").unwrap_or_default());
        let arn = world.arn("ec2", &format!("{kind}/{id}"));
        let tags: &mut Tags = all.entry(arn).or_default();
        tags.extend(pairs(std::slice::from_ref(&tag), "Key", "Value"));
    }
    let marker = ("Marker", "NextMarker");
    let mut arns = Vec::new();
    for (operation, list, arn) in [
        ("DescribeLoadBalancers", "LoadBalancers", "LoadBalancerArn"),
        ("DescribeTargetGroups", "TargetGroups", "TargetGroupArn"),
    ] {
        let found = every(world, "elasticloadbalancing", operation, list, marker);
        arns.extend(found.iter().filter_map(|one| one.text(arn).map(str::to_owned)));
    }
    for arn in arns {
        let answer = ask(world, "elasticloadbalancing", "DescribeTags", &json!({"ResourceArns": [arn]}));
        let tags =
            answer.list("TagDescriptions").iter().flat_map(|one| pairs(one.list("Tags"), "Key", "Value"));
        all.insert(arn, tags.collect());
    }
    for (teller, arns) in others(world) {
        for arn in arns {
            let tags = told(world, &teller, &arn);
            all.insert(arn, tags);
        }
    }
    all.extend(super::tagged::all(world));
    all.retain(|_, tags| !tags.is_empty());
    all
}

/// Those whose services tell the tags of one ARN at a time.
fn others(world: &mut World) -> Vec<(Teller, Vec<String>)> {
    let small = ("nextToken", "nextToken");
    let texts = |found: Vec<Json>, name: &str| -> Vec<String> {
        let arn = |one: &Json| one.as_str().or(one.text(name)).map(str::to_owned);
        found.iter().filter_map(arn).collect()
    };
    let teller = |service, operation, by, list, names| Teller { service, operation, by, list, names };
    let clusters = texts(every(world, "ecs", "ListClusters", "clusterArns", small), "");
    let services: Vec<String> = clusters
        .iter()
        .flat_map(|cluster| {
            ask(world, "ecs", "ListServices", &json!({"cluster": cluster})).list("serviceArns").to_vec()
        })
        .filter_map(|arn| arn.as_str().map(str::to_owned))
        .collect();
    let definitions = texts(every(world, "ecs", "ListTaskDefinitions", "taskDefinitionArns", small), "");
    let groups = texts(every(world, "logs", "DescribeLogGroups", "logGroups", small), "logGroupArn");
    let repositories =
        texts(every(world, "ecr", "DescribeRepositories", "repositories", small), "repositoryArn");
    let big = ("NextToken", "NextToken");
    let certificates =
        texts(every(world, "acm", "ListCertificates", "CertificateSummaryList", big), "CertificateArn");
    let secrets = texts(every(world, "secretsmanager", "ListSecrets", "SecretList", big), "ARN");
    let codedeploy = codedeploy(world);
    let ecs = || teller("ecs", "ListTagsForResource", "resourceArn", "tags", SMALL);
    vec![
        (ecs(), clusters),
        (ecs(), services),
        (ecs(), definitions),
        (teller("codedeploy", "ListTagsForResource", "ResourceArn", "Tags", BIG), codedeploy),
        (teller("logs", "ListTagsForResource", "resourceArn", "tags", SMALL), groups),
        (teller("ecr", "ListTagsForResource", "resourceArn", "tags", BIG), repositories),
        (teller("acm", "ListTagsForCertificate", "CertificateArn", "Tags", BIG), certificates),
        (teller("secretsmanager", "DescribeSecret", "SecretId", "Tags", BIG), secrets),
    ]
}

/// ARNs of applications and deployment groups, which their service lists by name.
fn codedeploy(world: &mut World) -> Vec<String> {
    let small = ("nextToken", "nextToken");
    let mut arns = Vec::new();
    for name in every(world, "codedeploy", "ListApplications", "applications", small) {
        let name = name.as_str().unwrap_or_default();
        arns.push(world.arn("codedeploy", &format!("application:{name}")));
        let groups = ask(world, "codedeploy", "ListDeploymentGroups", &json!({"applicationName": name}));
        for group in groups.texts("deploymentGroups") {
            arns.push(world.arn("codedeploy", &format!("deploymentgroup:{name}/{group}")));
        }
    }
    arns
}

/// `ec2:instance` of an ARN: service, and kind where the ARN says it.
fn is_kind(arn: &str, wanted: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let service = parts.nth(2).unwrap_or_default();
    let resource = parts.nth(2).unwrap_or_default();
    let kind = resource.split(['/', ':']).next().unwrap_or_default();
    // The ARNs of some say nothing of their kind.
    let kind = match service {
        "s3" => "bucket",
        "sns" => "topic",
        "sqs" => "queue",
        _ => kind,
    };
    match wanted.split_once(':') {
        None => service == wanted,
        Some((of, name)) => service == of && kind == name.split('/').next().unwrap_or_default(),
    }
}

fn get_resources(world: &mut World, input: &Json) -> Answer {
    let kinds = input.texts("ResourceTypeFilters");
    let arns = input.texts("ResourceARNList");
    let paged = ["ResourcesPerPage", "TagsPerPage", "PaginationToken"]
        .iter()
        .any(|name| input.get(*name).is_some_and(|value| value.as_str() != Some("")));
    if !arns.is_empty() && paged {
        return Err(invalid("ResourceARNList cannot be given with pagination parameters."));
    }
    if input.int("ResourcesPerPage").is_some_and(|n| !(1..=100).contains(&n)) {
        return Err(invalid("ResourcesPerPage must be between 1 and 100."));
    }
    if input.int("TagsPerPage").is_some_and(|n| !(100..=500).contains(&n) || n % 100 != 0) {
        return Err(invalid("TagsPerPage must be between 100 and 500, in steps of 100."));
    }
    let filters: Vec<(&str, Vec<&str>)> = input
        .list("TagFilters")
        .iter()
        .map(|filter| (filter.text("Key").unwrap_or_default(), filter.texts("Values")))
        .collect();
    let pass = |arn: &str, tags: &Tags| {
        (kinds.is_empty() || kinds.iter().any(|kind| is_kind(arn, kind)))
            && (arns.is_empty() || arns.contains(&arn))
            && filters.iter().all(|(key, values)| {
                tags.get(*key).is_some_and(|value| values.is_empty() || values.contains(&value.as_str()))
            })
    };
    let found = resources(world).into_iter().filter(|(arn, tags)| pass(arn, tags));
    let view = |(arn, tags): (String, Tags)| {
        let tags: Vec<Json> = tags.iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect();
        json!({"ResourceARN": arn, "Tags": tags})
    };
    let limit = input.int("ResourcesPerPage").map_or(100, |n| usize::try_from(n).unwrap_or(1));
    let token = input.text("PaginationToken").filter(|token| !token.is_empty());
    let (list, next) = page(found.map(view).collect(), token, limit);
    // An empty token ends the list (API reference).
    Ok(json!({"ResourceTagMappingList": list, "PaginationToken": next.unwrap_or_default()}))
}

fn get_tag_keys(world: &mut World, input: &Json) -> Answer {
    let keys: BTreeSet<String> = resources(world).into_values().flat_map(|tags| tags.into_keys()).collect();
    let token = input.text("PaginationToken").filter(|token| !token.is_empty());
    let (keys, next) = page(keys.into_iter().collect(), token, 1000);
    Ok(json!({"TagKeys": keys}).with("PaginationToken", Some(next.unwrap_or_default())))
}

fn get_tag_values(world: &mut World, input: &Json) -> Answer {
    let key = input.text("Key").unwrap_or_default();
    let values: BTreeSet<String> =
        resources(world).into_values().filter_map(|mut tags| tags.remove(key)).collect();
    let token = input.text("PaginationToken").filter(|token| !token.is_empty());
    let (values, next) = page(values.into_iter().collect(), token, 1000);
    Ok(json!({"TagValues": values}).with("PaginationToken", Some(next.unwrap_or_default())))
}

/// The call by which a service tags, or untags, one of its resources.
fn change(arn: &str, tags: Option<&Tags>, keys: &[&str]) -> Option<(&'static str, &'static str, Json)> {
    let mut parts = arn.splitn(6, ':');
    let service = parts.nth(2)?;
    let resource = parts.nth(2)?;
    let list = |(key, value): (&str, &str)| -> Vec<Json> {
        tags.into_iter().flatten().map(|(k, v)| json!({key: k, value: v})).collect()
    };
    let adds = tags.is_some();
    let pick = |add: &'static str, remove: &'static str| if adds { add } else { remove };
    Some(match service {
        "ec2" => {
            let id = resource.rsplit('/').next()?;
            let gone: Vec<Json> = keys.iter().map(|key| json!({"Key": key})).collect();
            let tags = if adds { list(BIG) } else { gone };
            ("ec2", pick("CreateTags", "DeleteTags"), json!({"Resources": [id], "Tags": tags}))
        }
        "elasticloadbalancing" => {
            let input = json!({"ResourceArns": [arn], "Tags": list(BIG), "TagKeys": keys});
            ("elasticloadbalancing", pick("AddTags", "RemoveTags"), input)
        }
        "ecs" => {
            let input = json!({"resourceArn": arn, "tags": list(SMALL), "tagKeys": keys});
            ("ecs", pick("TagResource", "UntagResource"), input)
        }
        "ecr" => {
            let input = json!({"resourceArn": arn, "tags": list(BIG), "tagKeys": keys});
            ("ecr", pick("TagResource", "UntagResource"), input)
        }
        "codedeploy" => {
            let input = json!({"ResourceArn": arn, "Tags": list(BIG), "TagKeys": keys});
            ("codedeploy", pick("TagResource", "UntagResource"), input)
        }
        "logs" => {
            let input = json!({"resourceArn": arn, "tags": tags, "tagKeys": keys});
            ("logs", pick("TagResource", "UntagResource"), input)
        }
        "acm" => {
            let gone: Vec<Json> = keys.iter().map(|key| json!({"Key": key})).collect();
            let tags = if adds { list(BIG) } else { gone };
            let input = json!({"CertificateArn": arn, "Tags": tags});
            ("acm", pick("AddTagsToCertificate", "RemoveTagsFromCertificate"), input)
        }
        "secretsmanager" => {
            let input = json!({"SecretId": arn, "Tags": list(BIG), "TagKeys": keys});
            ("secretsmanager", pick("TagResource", "UntagResource"), input)
        }
        _ => return None,
    })
}

fn each(world: &mut World, input: &Json, tags: Option<&Tags>, keys: &[&str]) -> Answer {
    let mut failed = serde_json::Map::new();
    for arn in input.texts("ResourceARNList") {
        let result = match change(arn, tags, keys) {
            Some((service, operation, input)) => call(world, service, operation, &input),
            None if super::tagged::is_known(arn) => super::tagged::change(world, arn, tags, keys),
            None => {
                let message = format!("{arn} is of no service that this API can tag.");
                Err(ApiError::new("InternalServiceException", message).status(500))
            }
        };
        if let Err(error) = result {
            let failure = json!({
                "StatusCode": error.status,
                "ErrorCode": if error.status < 500 { "InvalidParameterException" } else { "InternalServiceException" },
                "ErrorMessage": error.message,
            });
            failed.insert(arn.to_owned(), failure);
        }
    }
    Ok(json!({"FailedResourcesMap": failed}))
}

fn tag_resources(world: &mut World, input: &Json) -> Answer {
    let given = input.get("Tags").and_then(Json::as_object).into_iter().flatten();
    let tags = given.map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect();
    each(world, input, Some(&tags), &[])
}

fn untag_resources(world: &mut World, input: &Json) -> Answer {
    let keys = input.texts("TagKeys");
    each(world, input, None, &keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_several_services_are_one_list() {
        let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
        let group = json!({"logGroupName": "/ecs/web", "tags": {"team": "web"}});
        call(&mut world, "logs", "CreateLogGroup", &group).expect("created");
        let secret = json!({"Name": "db", "SecretString": "s", "Tags": [{"Key": "team", "Value": "db"}]});
        let secret = call(&mut world, "secretsmanager", "CreateSecret", &secret).expect("created");
        let vpc =
            call(&mut world, "ec2", "CreateVpc", &json!({"CidrBlock": "10.0.0.0/16"})).expect("created");
        let vpc = world.arn("ec2", &format!("vpc/{}", vpc["Vpc"]["VpcId"].as_str().expect("id")));
        let tag = json!({"ResourceARNList": [vpc, "arn:aws:moon:::base"], "Tags": {"team": "net"}});
        let failed = tag_resources(&mut world, &tag).expect("answered");
        assert_eq!(failed["FailedResourcesMap"].as_object().expect("map").len(), 1);
        let of_team = json!({"TagFilters": [{"Key": "team"}]});
        assert_eq!(
            get_resources(&mut world, &of_team).expect("listed")["ResourceTagMappingList"].list_len(),
            3
        );
        let of_ec2 = json!({"ResourceTypeFilters": ["ec2:vpc"]});
        let listed = get_resources(&mut world, &of_ec2).expect("listed");
        assert_eq!(listed["ResourceTagMappingList"][0]["ResourceARN"], vpc);
        let values = get_tag_values(&mut world, &json!({"Key": "team"})).expect("listed");
        assert_eq!(values["TagValues"], json!(["db", "net", "web"]));
        let untag = json!({"ResourceARNList": [secret["ARN"]], "TagKeys": ["team"]});
        untag_resources(&mut world, &untag).expect("done");
        assert_eq!(
            get_resources(&mut world, &of_team).expect("listed")["ResourceTagMappingList"].list_len(),
            2
        );
    }

    trait Len {
        fn list_len(&self) -> usize;
    }

    impl Len for Json {
        fn list_len(&self) -> usize {
            self.as_array().map_or(0, Vec::len)
        }
    }
}

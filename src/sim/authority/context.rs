//! The request context: what conditions can ask for (IAM User Guide, "AWS global condition context keys"; each
//! service's own keys in the Service Authorization Reference).

use super::time;
use crate::World;
use crate::service::Input;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Keys have no case; each has one value or several.
#[derive(Clone, Debug, Default)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_lowercase()).map(Vec::as_slice)
    }

    pub fn set(&mut self, key: &str, value: &str) {
        self.set_all(key, vec![value.to_owned()]);
    }

    pub fn set_all(&mut self, key: &str, values: Vec<String>) {
        self.0.insert(key.to_lowercase(), values);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &Vec<String>)> {
        self.0.iter()
    }

    fn set_text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }
}

/// What is true of every request, and what the input says: tags, and the service's own keys.
pub fn of_request(
    world: &World,
    service: &str,
    prefix: &str,
    operation: &str,
    input: &Json,
    mut context: Context,
) -> Context {
    context.set("aws:CurrentTime", &time(world.now));
    context.set("aws:EpochTime", &(world.now / 1_000).to_string());
    context.set("aws:RequestedRegion", &world.region);
    // The loopback connection stands for one to AWS's endpoint.
    context.set("aws:SecureTransport", "true");
    context.set("aws:SourceIp", "127.0.0.1");
    context.set("aws:ViaAWSService", "false");
    let tags = request_tags(input);
    if !tags.is_empty() {
        for (key, value) in &tags {
            context.set(&format!("aws:RequestTag/{key}"), value);
        }
    }
    let mut keys: Vec<String> = tags.into_keys().collect();
    keys.extend(["TagKeys", "tagKeys"].iter().flat_map(|name| input.texts(name)).map(str::to_owned));
    if !keys.is_empty() {
        context.set_all("aws:TagKeys", keys);
    }
    if is_creation(operation) {
        context.set(&format!("{prefix}:CreateAction"), operation);
    }
    of_service(world, service, input, &mut context);
    context
}

pub fn is_creation(operation: &str) -> bool {
    ["Create", "Run", "Register", "Request", "Put", "Import", "Allocate", "Start"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

fn of_service(world: &World, service: &str, input: &Json, context: &mut Context) {
    match service {
        "ecs" => {
            let cluster = input.text("cluster").unwrap_or("default");
            let arn = if cluster.starts_with("arn:") {
                cluster.to_owned()
            } else {
                world.arn("ecs", &format!("cluster/{cluster}"))
            };
            context.set("ecs:cluster", &arn);
            context.set_text("ecs:task-definition", input.text("taskDefinition"));
            context.set_text("ecs:service", input.text("service"));
        }
        "ec2" => {
            context.set("ec2:Region", &world.region);
            context.set_text("ec2:InstanceType", input.text("InstanceType"));
            let vpc = |id: &str| world.arn("ec2", &format!("vpc/{id}"));
            let subnet = input.text("SubnetId").and_then(|id| world.ec2.subnets.get(id));
            let vpc = input.text("VpcId").map(vpc).or(subnet.map(|subnet| vpc(&subnet.vpc)));
            context.set_text("ec2:Vpc", vpc.as_deref());
        }
        "iam" => {
            context.set_text("iam:PolicyARN", input.text("PolicyArn"));
            context.set_text("iam:PermissionsBoundary", input.text("PermissionsBoundary"));
            context.set_text("iam:AWSServiceName", input.text("AWSServiceName"));
        }
        "sts" => {
            context.set_text("sts:ExternalId", input.text("ExternalId"));
            context.set_text("sts:RoleSessionName", input.text("RoleSessionName"));
            context.set_text("sts:SourceIdentity", input.text("SourceIdentity"));
        }
        "s3" => {
            context.set_text("s3:prefix", input.text("Prefix"));
            context.set_text("s3:delimiter", input.text("Delimiter"));
        }
        "secretsmanager" => {
            context.set_text("secretsmanager:Name", input.text("Name"));
            context.set_text("secretsmanager:SecretId", input.text("SecretId"));
        }
        "kms" => {
            context.set_text("kms:RequestAlias", input.text("KeyId").filter(|id| id.starts_with("alias/")))
        }
        _ => {}
    }
}

/// Tags in the forms that services take them.
pub fn request_tags(input: &Json) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for name in ["Tags", "tags", "TagList", "tag"] {
        match input.get(name) {
            Some(Json::Object(map)) => {
                let pairs = map
                    .iter()
                    .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
                found.extend(pairs);
            }
            Some(Json::Array(list)) => list.iter().for_each(|tag| add(&mut found, tag)),
            _ => {}
        }
    }
    let specifications = input.list("TagSpecifications").iter();
    specifications.flat_map(|one| one.list("Tags")).for_each(|tag| add(&mut found, tag));
    found
}

fn add(found: &mut BTreeMap<String, String>, tag: &Json) {
    let text = |big: &str, small: &str| tag.text(big).or(tag.text(small)).map(str::to_owned);
    if let Some(key) = text("Key", "key").or(tag.text("TagKey").map(str::to_owned)) {
        let value = text("Value", "value").or(tag.text("TagValue").map(str::to_owned));
        found.insert(key, value.unwrap_or_default());
    }
}

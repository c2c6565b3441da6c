//! The AppSpec file of an ECS deployment (User Guide, "AppSpec 'resources' section (Amazon ECS …)").

use super::*;
use crate::service::s3;
use saphyr_parser::{Event as Token, Parser, StrInput};

/// What the file says of the new task set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AppSpec {
    pub definition: String,
    pub container: String,
    pub port: i64,
    pub platform_version: Option<String>,
    /// As CreateTaskSet takes them.
    pub network: Option<Json>,
    pub strategy: Vec<Json>,
    /// Lifecycle event → function.
    pub hooks: BTreeMap<String, String>,
}

/// The text of a revision.
fn content(world: &World, revision: &Json) -> Result<String, String> {
    let inside = |name: &str| revision.get(name).and_then(|one| one.text("content")).map(str::to_owned);
    match revision.text("revisionType") {
        Some("S3") => {
            let at = revision.get("s3Location").cloned().unwrap_or_default();
            let (bucket, key) = (at.text("bucket").unwrap_or_default(), at.text("key").unwrap_or_default());
            let found = s3::object(world, bucket, key);
            found.map(|body| String::from_utf8_lossy(&body).into_owned()).ok_or_else(|| {
                format!(
                    "The AppSpec file cannot be read: the object {key} in the bucket {bucket} does not exist."
                )
            })
        }
        Some("GitHub") => Err("Revisions from GitHub are not supported for ECS deployments.".to_owned()),
        _ => inside("appSpecContent")
            .or_else(|| inside("string"))
            .ok_or_else(|| "An AppSpec file is required, but could not be found in the revision".to_owned()),
    }
}

pub fn of(world: &World, revision: &Json) -> Result<AppSpec, String> {
    parse(&content(world, revision)?)
}

fn member<'a>(value: &'a Json, name: &str) -> &'a Json {
    let found = value.as_object().and_then(|all| all.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)));
    found.map_or(&Json::Null, |(_, value)| value)
}

fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn parse(source: &str) -> Result<AppSpec, String> {
    let tree = tree(source).map_err(|why| format!("The AppSpec file cannot be parsed: {why}"))?;
    let resources = member(&tree, "Resources").as_array().cloned().unwrap_or_default();
    let target = resources.iter().filter_map(Json::as_object).flat_map(|one| one.values()).next();
    let Some(target) = target else {
        return Err("The AppSpec file must have exactly one resource in its Resources section.".to_owned());
    };
    if member(target, "Type").as_str() != Some("AWS::ECS::Service") {
        return Err("The type of the resource in the AppSpec file must be AWS::ECS::Service.".to_owned());
    }
    let properties = member(target, "Properties");
    let balancer = member(properties, "LoadBalancerInfo");
    let need = |value: &Json, name: &str| {
        text(value).ok_or_else(|| format!("The AppSpec file must have a value for {name}."))
    };
    let mut hooks = BTreeMap::new();
    for one in member(&tree, "Hooks").as_array().into_iter().flatten().filter_map(Json::as_object) {
        for (event, function) in one {
            if !run::HOOKS.contains(&event.as_str()) {
                return Err(format!("The AppSpec file has a hook for an unknown lifecycle event: {event}."));
            }
            hooks.insert(event.clone(), need(function, event)?);
        }
    }
    Ok(AppSpec {
        definition: need(member(properties, "TaskDefinition"), "TaskDefinition")?,
        container: need(member(balancer, "ContainerName"), "ContainerName")?,
        port: number(member(balancer, "ContainerPort"))
            .ok_or("The AppSpec file must have a value for ContainerPort.")?,
        platform_version: text(member(properties, "PlatformVersion")),
        network: network(member(properties, "NetworkConfiguration")),
        strategy: strategy(member(properties, "CapacityProviderStrategy")),
        hooks,
    })
}

fn network(given: &Json) -> Option<Json> {
    let vpc = member(given, "AwsvpcConfiguration");
    let subnets = member(vpc, "Subnets").as_array()?;
    let mut all = json!({"subnets": subnets});
    if let Some(groups) = member(vpc, "SecurityGroups").as_array() {
        all["securityGroups"] = json!(groups);
    }
    if let Some(public) = text(member(vpc, "AssignPublicIp")) {
        all["assignPublicIp"] = json!(public);
    }
    Some(json!({"awsvpcConfiguration": all}))
}

fn strategy(given: &Json) -> Vec<Json> {
    let one = |item: &Json| {
        json!({
            "capacityProvider": text(member(item, "CapacityProvider")),
            "weight": number(member(item, "Weight")).unwrap_or(0),
            "base": number(member(item, "Base")).unwrap_or(0),
        })
    };
    given.as_array().into_iter().flatten().map(one).collect()
}

/// YAML, of which JSON is a part, as a value tree. AppSpec files have no anchors or tags.
fn tree(source: &str) -> Result<Json, String> {
    // What is open: a sequence, or a mapping with the key whose value comes next.
    let mut open: Vec<(Json, Option<String>)> = Vec::new();
    let mut root = Json::Null;
    for token in Parser::<StrInput>::new_from_str(source) {
        let (token, _) = token.map_err(|error| error.to_string())?;
        let done = match token {
            Token::MappingStart(..) => {
                open.push((json!({}), None));
                continue;
            }
            Token::SequenceStart(..) => {
                open.push((json!([]), None));
                continue;
            }
            Token::MappingEnd | Token::SequenceEnd => match open.pop() {
                Some((value, _)) => value,
                None => continue,
            },
            Token::Scalar(text, style, ..) => {
                let plain = style == saphyr_parser::ScalarStyle::Plain;
                match text.parse::<i64>() {
                    Ok(number) if plain => json!(number),
                    _ if plain && (text.is_empty() || text == "~" || text == "null") => Json::Null,
                    _ => json!(text),
                }
            }
            Token::Alias(_) => return Err("aliases are not supported".to_owned()),
            _ => continue,
        };
        match open.last_mut() {
            None => root = done,
            Some((Json::Array(items), _)) => items.push(done),
            Some((Json::Object(members), key)) => match key.take() {
                None => *key = Some(text(&done).unwrap_or_default()),
                Some(name) => {
                    members.insert(name, done);
                }
            },
            Some(_) => {}
        }
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = r#"
version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "arn:aws:ecs:us-east-1:123456789012:task-definition/web:2"
        LoadBalancerInfo:
          ContainerName: "web"
          ContainerPort: 8080
        NetworkConfiguration:
          AwsvpcConfiguration:
            Subnets: ["subnet-1", "subnet-2"]
            AssignPublicIp: "DISABLED"
Hooks:
  - BeforeInstall: "check"
  - AfterAllowTestTraffic: "smoke"
"#;

    #[test]
    fn yaml_and_json_say_the_same() {
        let spec = parse(YAML).unwrap();
        assert_eq!((spec.container.as_str(), spec.port), ("web", 8080));
        assert_eq!(spec.hooks["AfterAllowTestTraffic"], "smoke");
        assert_eq!(spec.network.as_ref().unwrap()["awsvpcConfiguration"]["subnets"][1], "subnet-2");
        let as_json = tree(YAML).unwrap().to_string();
        assert_eq!(parse(&as_json).unwrap(), spec);
    }

    #[test]
    fn what_is_missing_is_named() {
        let wrong = |text: &str, part: &str| {
            let told = parse(text).unwrap_err();
            assert!(told.contains(part), "{told}");
        };
        wrong("version: 0.0", "exactly one resource");
        wrong(&YAML.replace("ContainerPort: 8080", "Other: 1"), "ContainerPort");
        wrong(&YAML.replace("BeforeInstall", "BeforeLunch"), "BeforeLunch");
        wrong("a: [", "cannot be parsed");
    }
}

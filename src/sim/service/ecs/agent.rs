//! What the agent on a host calls itself. The agents of this world join without it; other clients may use it.

use super::super::{Answer, ApiError, Input};
use super::{client, cluster_name, hosts, invalid, network, short, tags_of};
use crate::World;
use serde_json::{Value as Json, json};

/// The instance is whose identity document the caller has; signatures are not checked.
pub(super) fn register_container_instance(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?.to_owned();
    let tags = tags_of(input)?;
    let document = input.text("instanceIdentityDocument").unwrap_or_default();
    let document: Json = serde_json::from_str(document)
        .map_err(|_| client("Instance identity document could not be parsed."))?;
    let instance = document.text("instanceId").unwrap_or_default();
    let facts = network::host(world, instance)
        .ok_or_else(|| client(format!("The instance {instance} does not exist.")))?;
    let attribute = |one: &Json| {
        let name = one.text("name").unwrap_or_default().to_owned();
        (name, one.text("value").map(str::to_owned))
    };
    let given = input.list("attributes").iter().map(attribute).collect();
    // An agent that starts again says who it is (amazon-ecs-agent#132, #583).
    let known = input.text("containerInstanceArn").filter(|arn| !arn.is_empty());
    if let Some(known) = known.filter(|known| !world.ecs.hosts.contains_key(known)) {
        return Err(client(format!("Container instance {} is inactive.", short(known))));
    }
    let arn = match world.ecs.host_of.get(instance).cloned() {
        Some(arn) if known.is_some_and(|known| known != arn) => {
            return Err(invalid(format!("The instance is registered as {arn}.")));
        }
        Some(arn) if world.ecs.hosts.get(&arn).is_some_and(|host| host.cluster == cluster) => arn,
        before => {
            // One instance may be several container instances; its agent serves the newest (amazon-ecs-agent#782).
            if let Some(before) = before {
                hosts::disconnect(world, &before);
            }
            hosts::join(world, instance, &cluster, facts, given)
        }
    };
    if let Some(host) = world.ecs.hosts.get_mut(&arn) {
        host.tags.extend(tags);
        if let Some(version) = input.get("versionInfo").filter(|one| !one.is_null()) {
            host.agent = Some(version.clone());
        }
        for resource in input.list("totalResources") {
            let amount = resource.int("integerValue").unwrap_or(0);
            match resource.text("name") {
                Some("CPU") => host.cpu = amount,
                Some("MEMORY") => host.memory = amount,
                _ => {}
            }
        }
    }
    world.ecs.host_changed(&arn);
    hosts::describe_one(world, &arn)
}

pub(super) fn discover_poll_endpoint(world: &mut World, _: &Json) -> Result<Json, ApiError> {
    let region = &world.region;
    Ok(json!({
        "endpoint": format!("https://ecs-a-1.{region}.amazonaws.com/"),
        "telemetryEndpoint": format!("https://ecs-t-1.{region}.amazonaws.com/"),
        "serviceConnectEndpoint": format!("https://ecs-sc.{region}.api.aws"),
    }))
}

#[cfg(test)]
mod tests {
    use crate::service::ec2::{self, LaunchSpec};
    use crate::service::ecs::tests::{call, ok, pass, world};
    use crate::world::MINUTE;
    use serde_json::json;

    #[test]
    fn an_agent_registers_its_instance_once() {
        let (mut world, net) = world();
        ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
        let spec = LaunchSpec {
            image_id: ec2::images::ecs_optimized_ami("x86_64", "amazon-linux-2023").to_owned(),
            instance_type: "t3.medium".to_owned(),
            subnet_id: net.subnets[0].clone(),
            ..LaunchSpec::default()
        };
        let instance = ec2::launch(&mut world, spec).expect("an instance");
        pass(&mut world, 2 * MINUTE);
        let document = json!({"instanceId": instance}).to_string();
        let input = json!({
            "cluster": "main", "instanceIdentityDocument": document,
            "attributes": [{"name": "rack", "value": "7"}],
        });
        let first = ok(&mut world, "ecs", "RegisterContainerInstance", input.clone());
        assert_eq!(first["containerInstance"]["ec2InstanceId"], instance.as_str());
        let again = ok(&mut world, "ecs", "RegisterContainerInstance", input);
        assert_eq!(
            again["containerInstance"]["containerInstanceArn"],
            first["containerInstance"]["containerInstanceArn"]
        );
        let unknown = json!({"cluster": "main", "instanceIdentityDocument": r#"{"instanceId":"i-0"}"#});
        let error = call(&mut world, "ecs", "RegisterContainerInstance", unknown).expect_err("refused");
        assert_eq!(error.code, "ClientException");
        let arn = &first["containerInstance"]["containerInstanceArn"];
        let leave = json!({"cluster": "main", "containerInstance": arn});
        ok(&mut world, "ecs", "DeregisterContainerInstance", leave);
        let document = json!({"instanceId": instance}).to_string();
        let back =
            json!({"cluster": "main", "instanceIdentityDocument": document, "containerInstanceArn": arn});
        let error = call(&mut world, "ecs", "RegisterContainerInstance", back).expect_err("refused");
        assert!(error.message.ends_with("is inactive."), "{}", error.message);
    }
}

//! Service-linked roles: made for, and only changed by, one service.

use super::roles;
use super::*;
use crate::world::SECOND;

/// Service, role name, the managed policy it carries (each service's "service-linked roles" page).
const SERVICES: &[(&str, &str, &str)] = &[
    (
        "application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling",
        "AWSApplicationAutoscalingECSServicePolicy",
    ),
    (
        "custom-resource.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_CustomResource",
        "AWSApplicationAutoscalingCustomResourcePolicy",
    ),
    (
        "dynamodb.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
        "AWSApplicationAutoscalingDynamoDBTablePolicy",
    ),
    (
        "elasticbeanstalk.amazonaws.com",
        "AWSServiceRoleForElasticBeanstalk",
        "AWSElasticBeanstalkServiceRolePolicy",
    ),
    ("spotfleet.amazonaws.com", "AWSServiceRoleForEC2SpotFleet", "AWSEC2SpotFleetServiceRolePolicy"),
    ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling", "AutoScalingServiceRolePolicy"),
    ("ec2.amazonaws.com", "AWSServiceRoleForEC2", "AWSEC2VssSnapshotPolicy"),
    (
        "ecs.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_ECSService",
        "AWSApplicationAutoscalingECSServicePolicy",
    ),
    ("ecs.amazonaws.com", "AWSServiceRoleForECS", "AmazonECSServiceRolePolicy"),
    (
        "elasticloadbalancing.amazonaws.com",
        "AWSServiceRoleForElasticLoadBalancing",
        "AWSElasticLoadBalancingServiceRolePolicy",
    ),
    ("spot.amazonaws.com", "AWSServiceRoleForEC2Spot", "AWSEC2SpotServiceRolePolicy"),
];

/// How long a deletion takes; the API only says that it is asynchronous.
const DELETION: Millis = 5 * SECOND;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deletion {
    role: String,
    done_at: Millis,
}

fn known(service: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    SERVICES.iter().find(|(name, ..)| *name == service)
}

/// Services make their role at first use; the ARN either way. None for a service without one.
pub fn ensure_service_linked_role(world: &mut World, service: &str) -> Option<String> {
    let (_, name, _) = known(service)?;
    if !world.iam.roles.contains_key(*name) {
        insert(world, service, name, None)?;
    }
    world.iam.roles.get(*name).map(|role| role.arn(world))
}

fn insert(world: &mut World, service: &str, name: &str, description: Option<&str>) -> Option<()> {
    let (_, _, policy) = known(service)?;
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": [service] },
            "Action": ["sts:AssumeRole"],
        }],
    });
    let role = Role {
        name: name.to_owned(),
        path: format!("/aws-service-role/{service}/"),
        id: unique_id(world, "AROA"),
        created: world.now,
        trust: trust.to_string(),
        description: description.map(str::to_owned),
        max_session_seconds: 3600,
        boundary: None,
        tags: Tags::new(),
        inline: BTreeMap::new(),
        attached: BTreeSet::from([format!("arn:aws:iam::aws:policy/aws-service-role/{policy}")]),
        service: Some(service.to_owned()),
        last_used: None,
    };
    world.iam.roles.insert(role.name.clone(), role);
    Some(())
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let service = required(input, "AWSServiceName")?;
    let Some((_, name, _)) = known(service) else {
        return Err(ApiError::new(
            "InvalidInput",
            format!("Service principal {service} does not support service-linked roles, or is not known."),
        ));
    };
    let name = match input.text("CustomSuffix") {
        // Only Auto Scaling among these takes a suffix (its user guide, "Service-linked roles").
        Some(suffix) if service == "autoscaling.amazonaws.com" => format!("{name}_{suffix}"),
        Some(_) => {
            return Err(ApiError::new("InvalidInput", format!("Custom suffix is not allowed for {service}")));
        }
        None => (*name).to_owned(),
    };
    if world.iam.roles.contains_key(&name) {
        return Err(ApiError::new(
            "InvalidInput",
            format!(
                "Service role name {name} has been taken in this account, please try a different suffix."
            ),
        ));
    }
    insert(world, service, &name, input.text("Description"));
    Ok(json!({ "Role": roles::role_json(world, roles::find(world, &name)?) }))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "RoleName")?;
    let role = roles::find(world, name)?;
    let Some(service) = role.service.clone() else {
        return Err(no_such_entity(format!("The role with name {name} cannot be found.")));
    };
    let task = format!("task/aws-service-role/{service}/{name}/{}", world.uuid());
    let deletion = Deletion { role: name.to_owned(), done_at: world.now + DELETION };
    world.iam.deletions.insert(task.clone(), deletion);
    world.iam.roles.remove(name);
    Ok(json!({ "DeletionTaskId": task }))
}

pub fn deletion_status(world: &mut World, input: &Json) -> Answer {
    let task = required(input, "DeletionTaskId")?;
    let Some(deletion) = world.iam.deletions.get(task) else {
        return Err(no_such_entity(format!("Task {task} cannot be found.")));
    };
    Ok(json!({ "Status": if world.now >= deletion.done_at { "SUCCEEDED" } else { "IN_PROGRESS" } }))
}

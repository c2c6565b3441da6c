//! Our plan of envs/dev beside Terraform's own, recorded: the same addresses, the same known values.

use crate::environment::{TestEnvironment, repository};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How the two plans may differ at one attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Both know a value (or that there is none), not the same one.
    Other,
    /// We know what Terraform leaves to the apply.
    KnownToUs,
    /// Terraform knows what we leave to the apply.
    KnownToTerraform,
}

/// Reviewed: `type.attribute` (`[]` any item, `*` any type), how it differs, why that is right.
const DIFFERENCES: &[(&str, Kind, &str)] = &[
    ("*.id", Kind::KnownToUs, "these types' ids are made of what is declared: we say so before the apply"),
    ("aws_iam_role_policy.role", Kind::KnownToUs, "declared as the id of a role, which is its name"),
    (
        "aws_autoscaling_group.mixed_instances_policy[].instances_distribution[].spot_instance_pools",
        Kind::KnownToTerraform,
        "the provider plans 0 for a number in a block that it says is computed; AWS answers what it chose",
    ),
    (
        "aws_autoscaling_group.scaled_by",
        Kind::KnownToTerraform,
        "ours: which controller owns the desired capacity",
    ),
    (
        "aws_ecs_service.autoscaling_max_capacity",
        Kind::KnownToTerraform,
        "ours: the limits that Application Auto Scaling has for the service",
    ),
    (
        "aws_ecs_service.autoscaling_min_capacity",
        Kind::KnownToTerraform,
        "ours: the limits that Application Auto Scaling has for the service",
    ),
    (
        "aws_ecs_service.serving_target_groups",
        Kind::KnownToTerraform,
        "ours: in which target groups its tasks are",
    ),
    (
        "aws_ecs_service.deployment_completed",
        Kind::KnownToTerraform,
        "ours: whether there is a deployment to go back to",
    ),
    (
        "aws_ecs_service.deployment_configuration",
        Kind::KnownToTerraform,
        "of the provider's version 6; the fixture is of version 5.100",
    ),
    (
        "aws_ecs_service.code_deploy",
        Kind::KnownToTerraform,
        "ours: the deployment group by which CodeDeploy deploys the service",
    ),
    (
        "aws_lb_listener.moved_between",
        Kind::KnownToTerraform,
        "ours: the target groups between which CodeDeploy moves the traffic",
    ),
    (
        "aws_lb_listener_rule.moved_between",
        Kind::KnownToTerraform,
        "ours: the target groups between which CodeDeploy moves the traffic",
    ),
    ("aws_lb_listener.weights_moved_by", Kind::KnownToTerraform, "ours: which ECS service moves the weights"),
    (
        "aws_lb_listener_rule.weights_moved_by",
        Kind::KnownToTerraform,
        "ours: which ECS service moves the weights",
    ),
    (
        "aws_ecs_service.load_balancer[].elb_name",
        Kind::Other,
        "the provider plans an empty text for an undeclared attribute of a set's block; we plan none",
    ),
    (
        "aws_iam_role.assume_role_policy",
        Kind::Other,
        "the provider shows the document without its white space, we show it as declared; equal as JSON",
    ),
    (
        "aws_launch_template.image_id",
        Kind::Other,
        "the public parameter names an image of moto's there and one of the embedded AWS's here",
    ),
    ("aws_ssm_parameter.value", Kind::Other, "sensitive: Terraform's JSON has it in the clear, ours never"),
];

/// What a plan says of a value.
#[derive(Clone, Debug, PartialEq)]
enum Planned {
    /// Null, an empty collection, or not spoken of: the provider's SDK does not tell these apart.
    Nothing,
    /// Known after the apply; or a collection of which no part is known.
    Unknown,
    Known(Value),
    Object(BTreeMap<String, Planned>),
    List(Vec<Planned>),
}

impl Planned {
    /// Of a value and of which parts of it are unknown, as both plans have them.
    fn of(after: &Value, unknown: &Value) -> Self {
        if unknown == &Value::Bool(true) {
            return Planned::Unknown;
        }
        let parts: Vec<Planned> = match (after, unknown) {
            (Value::Object(_), _) | (_, Value::Object(_)) => {
                let empty = Map::new();
                let (after, unknown) =
                    (after.as_object().unwrap_or(&empty), unknown.as_object().unwrap_or(&empty));
                let names: BTreeSet<&String> = after.keys().chain(unknown.keys()).collect();
                let of = |name: &String| {
                    let part = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or_default();
                    (name.clone(), Planned::of(&part(after), &part(unknown)))
                };
                let parts: BTreeMap<String, Planned> =
                    names.into_iter().map(of).filter(|(_, part)| *part != Planned::Nothing).collect();
                return match parts.values().all(|p| *p == Planned::Unknown) {
                    _ if parts.is_empty() => Planned::Nothing,
                    true => Planned::Unknown,
                    false => Planned::Object(parts),
                };
            }
            (Value::Array(_), _) | (_, Value::Array(_)) => {
                let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
                let (after, unknown) = (list(after), list(unknown));
                let part = |list: &[Value], i: usize| list.get(i).cloned().unwrap_or_default();
                let length = after.len().max(unknown.len());
                (0..length).map(|i| Planned::of(&part(&after, i), &part(&unknown, i))).collect()
            }
            (Value::Null, _) => return Planned::Nothing,
            (value, _) => return Planned::Known(value.clone()),
        };
        if parts.iter().all(|p| *p == Planned::Nothing) {
            Planned::Nothing
        } else if parts.iter().all(|p| *p == Planned::Unknown) {
            Planned::Unknown
        } else {
            Planned::List(parts)
        }
    }

    fn of_change(change: &Value) -> Self {
        Planned::of(&change["after"], &change["after_unknown"])
    }
}

/// Calls `differs` with each path at which the two are not the same.
fn compare(path: &str, theirs: &Planned, ours: &Planned, differs: &mut dyn FnMut(&str, Kind, String)) {
    match (theirs, ours) {
        (theirs, ours) if theirs == ours => {}
        (Planned::Object(theirs), Planned::Object(ours)) => {
            let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
            for name in names {
                let part =
                    |map: &BTreeMap<String, Planned>| map.get(name).cloned().unwrap_or(Planned::Nothing);
                compare(&format!("{path}.{name}"), &part(theirs), &part(ours), differs);
            }
        }
        (Planned::List(theirs), Planned::List(ours)) if theirs.len() == ours.len() => {
            for (theirs, ours) in theirs.iter().zip(ours) {
                compare(&format!("{path}[]"), theirs, ours, differs);
            }
        }
        (theirs, ours) => {
            let kind = match (theirs, ours) {
                (Planned::Unknown, _) => Kind::KnownToUs,
                (_, Planned::Unknown) => Kind::KnownToTerraform,
                _ => Kind::Other,
            };
            differs(path, kind, format!("Terraform {theirs:?}, we {ours:?}"));
        }
    }
}

fn recorded() -> Value {
    let path = repository().join("fixtures/terraform/envs-dev-plan.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the fixture is there")).expect("JSON")
}

fn type_of(address: &str) -> &str {
    address.split('.').find(|part| part.starts_with("aws_")).expect("an address has a type")
}

fn same_names(what: &str, theirs: &Map<String, Value>, ours: &BTreeMap<String, Value>) {
    let theirs: BTreeSet<&String> = theirs.keys().collect();
    let ours: BTreeSet<&String> = ours.keys().collect();
    let (missing, surplus): (Vec<_>, Vec<_>) =
        (theirs.difference(&ours).collect(), ours.difference(&theirs).collect());
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{what}: only Terraform has {missing:?}, only we have {surplus:?}"
    );
}

#[test]
fn plans_envs_dev_as_terraform_does() {
    let env = TestEnvironment::shipped();
    let plan = env.run(&["plan", "envs/dev", "--format", "json"]).ok().json();
    let recorded = recorded();
    let changes = plan["changes"].as_array().expect("a plan has changes");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let ours: BTreeMap<String, Value> =
        changes.iter().filter(|c| c["action"] != "read").map(|c| (text(&c["address"]), c.clone())).collect();
    let theirs = recorded["resources"].as_object().expect("the fixture has resources");
    same_names("resources", theirs, &ours);

    let mut used = BTreeSet::new();
    let mut unlisted = Vec::new();
    for (address, change) in theirs {
        assert_eq!(ours[address]["action"], "create", "{address}");
        let root = type_of(address);
        let mut differs = |path: &str, kind: Kind, how: String| {
            let any_type = format!("*{}", &path[root.len()..]);
            let listed = |(listed, as_kind, _): &&(&str, Kind, &str)| {
                (*listed == path || *listed == any_type) && *as_kind == kind
            };
            match DIFFERENCES.iter().find(listed) {
                Some((listed, kind, _)) => drop(used.insert((*listed, *kind))),
                None => unlisted.push(format!("{address}: {path}: {kind:?}: {how}")),
            }
        };
        let (theirs, ours) = (Planned::of_change(change), Planned::of_change(&ours[address]));
        compare(root, &theirs, &ours, &mut differs);
    }
    let unneeded: Vec<_> =
        DIFFERENCES.iter().filter(|(path, kind, _)| !used.contains(&(*path, *kind))).collect();
    println!(
        "counted: {} resources planned as Terraform plans them, {} listed differences",
        theirs.len(),
        DIFFERENCES.len()
    );
    assert!(unlisted.is_empty(), "{} not listed:\n{}", unlisted.len(), unlisted.join("\n"));
    assert!(unneeded.is_empty(), "listed, but not there any more: {unneeded:#?}");
}

#[test]
fn plans_the_outputs_of_envs_dev_as_terraform_does() {
    let env = TestEnvironment::shipped();
    let plan = env.run(&["plan", "envs/dev", "--format", "json"]).ok().json();
    let recorded = recorded();
    let theirs = recorded["outputs"].as_object().expect("the fixture has outputs");
    let ours: BTreeMap<String, Value> =
        plan["outputs"].as_object().expect("a plan has outputs").clone().into_iter().collect();
    same_names("outputs", theirs, &ours);
    for (name, output) in theirs {
        assert_eq!(Planned::of_change(output), Planned::of_change(&ours[name]), "output {name}");
    }
}

/// What is listed as equal but for its white space really is.
#[test]
fn policies_of_roles_are_terraforms_as_json() {
    let env = TestEnvironment::shipped();
    let plan = env.run(&["plan", "envs/dev", "--format", "json"]).ok().json();
    let recorded = recorded();
    let document = |change: &Value| -> Value {
        let text = change["after"]["assume_role_policy"].as_str().expect("known at plan");
        serde_json::from_str(text).expect("JSON")
    };
    let roles = plan["changes"].as_array().expect("a plan has changes");
    let roles: Vec<&Value> = roles.iter().filter(|c| c["type"] == "aws_iam_role").collect();
    assert_eq!(roles.len(), 3);
    for role in roles {
        let address = role["address"].as_str().expect("text");
        assert_eq!(document(role), document(&recorded["resources"][address]), "{address}");
    }
}

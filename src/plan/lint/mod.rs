//! What is likely to go wrong when a plan is applied, told before anything runs. Only what the plan changes is
//! looked at: a plan without changes has nothing to warn of.

mod code_deploy;
mod fleets;
mod names;
mod needs;
mod quotas;
mod services;
mod surge;
mod teardown;
mod traffic;

pub use fleets::Bump;
pub use needs::{Live, Needs, needs, pools};

use super::check::Unproven;
use super::{Action, Change};
use crate::addr::Address;
use crate::diag::{Diagnostic, Severity};
use crate::rollout::settings::{Accepted, Guard};
use crate::schema::{Object, blocks_in};
use crate::state::without_keys;
use crate::value::Value;
use serde_json::Value as Json;
use std::sync::Arc;

/// One thing to look for.
pub struct Lint {
    /// Stable: people accept findings by it.
    pub code: &'static str,
    pub severity: Severity,
    pub title: &'static str,
    /// Why it matters, and what to do.
    pub explanation: &'static str,
    look: fn(&Look<'_>) -> Vec<Finding>,
}

pub static LINTS: &[Lint] = &[
    Lint {
        code: "CUT-001",
        severity: Severity::Error,
        title: "a rolling deployment that can never move",
        explanation: "ECS may stop `desired − ⌈desired × minimum_healthy_percent⌉` old tasks and start \
            `⌊desired × maximum_percent⌋ − desired` new ones. Where both are 0, for any count within the \
            autoscaler's bounds, the deployment stands still for ever. Raise deployment_maximum_percent (200 is \
            ECS's default), or lower deployment_minimum_healthy_percent.",
        look: services::deadlock,
    },
    Lint {
        code: "CUT-002",
        severity: Severity::Warning,
        title: "a deployment that finds no room",
        explanation: "New tasks are started before old ones stop: all of them in a blue/green, linear or canary \
            deployment, at least one in a rolling one with a minimum of 100 %. They need CPU, memory, fixed ports and \
            (network mode awsvpc) a network interface on the hosts that run, or on those that the group may still \
            start, in a zone of the service's subnets; with distinctInstance a host each. Otherwise the deployment \
            waits until it is given up. Services that roll at the same time need room for all of them. Raise the \
            group's max_size, or let ECS stop some tasks first. What is started counts against the account's quotas \
            of vCPUs, too (EC2 On-Demand and spot, Fargate): ask for more in Service Quotas.",
        look: room,
    },
    Lint {
        code: "CUT-003",
        severity: Severity::Warning,
        title: "a size that something else decides",
        explanation: "Application Auto Scaling owns a service's desired_count and managed scaling a group's \
            desired_capacity: Cutover uses the declared value at creation only. A max_size below what runs now \
            terminates instances at once, before anything else has replaced them. Leave the size out, or set \
            the bounds of the autoscaler.",
        look: fleets::sizes,
    },
    Lint {
        code: "CUT-004",
        severity: Severity::Warning,
        title: "traffic that something else moves",
        explanation: "A service that ECS deploys blue/green, linear or canary owns the forward action of its \
            production and test rules: ECS moves their weights, and goes by them. So does CodeDeploy on the listeners \
            of a deployment group. Changing the action here takes traffic out of its hands, in the middle of a \
            deployment if one runs. Deploy the service instead. A target group without healthy targets answers \
            nothing: start what serves in it before it is given a weight.",
        look: traffic::owned,
    },
    Lint {
        code: "CUT-005",
        severity: Severity::Error,
        title: "a service that ECS cannot deploy blue/green",
        explanation: "ECS moves traffic between two target groups on one listener rule: both groups must stand on \
            that rule's forward action, the rule must do nothing but forward, groups of tasks with network mode \
            awsvpc need target_type \"ip\" and others \"instance\", ecs.amazonaws.com must be trusted by the role \
            that ECS moves the traffic with, and the container and port of `load_balancer` must be in the task \
            definition. Otherwise the deployment fails, or waits for ever. Without a bake_time_in_minutes the old \
            tasks go as soon as the traffic has moved, and with them the quick way back.",
        look: services::blue_green,
    },
    Lint {
        code: "CUT-006",
        severity: Severity::Warning,
        title: "an instance refresh that replaces nothing, or terminates first",
        explanation: "Instances that are protected from scale-in are left out unless \
            `scale_in_protected_instances = \"Refresh\"`: the refresh succeeds and nothing is new. With \
            max_healthy_percentage 100 AWS terminates instances before their replacements run; on few hosts that \
            is a good part of the capacity. Set it to 110 or more.",
        look: fleets::refresh,
    },
    Lint {
        code: "CUT-007",
        severity: Severity::Warning,
        title: "an instance refresh without a way back",
        explanation: "AWS rolls a refresh back only to a numbered template version: with `$Latest` or `$Default` \
            there is none, nor if the template's image is looked up in Systems Manager at launch (`resolve:ssm:`). \
            Write `version = aws_launch_template.x.latest_version`, and read the parameter with a data source. A \
            version that launches the same as the one before replaces all instances for nothing.",
        look: fleets::way_back,
    },
    Lint {
        code: "CUT-008",
        severity: Severity::Error,
        title: "a replacement that keeps its fixed name",
        explanation: "With create_before_destroy the new one is made while the old one still has the name, which \
            AWS refuses; without it what uses the old one holds it, or is without it for a while. Use \
            `name_prefix`, or put what forces the replacement into the name.",
        look: names::kept_name,
    },
    Lint {
        code: "CUT-009",
        severity: Severity::Warning,
        title: "something that goes while it is used",
        explanation: "A role's policy is removed while a service or group that runs with the role stays: tasks \
            that start afterwards cannot pull their image or register. A capacity provider cannot be taken from a \
            cluster, nor its group be deleted, while a service still places tasks by it: AWS refuses, and apply \
            waits in vain. Remove the user first, or give it something else.",
        look: teardown::in_use,
    },
    Lint {
        code: "CUT-010",
        severity: Severity::Warning,
        title: "a deployment without a safety net",
        explanation: "Neither a deployment_circuit_breaker nor alarms watch this service's deployment: tasks that \
            fail are started again and again, until Cutover gives up and stops it. Enable the circuit breaker \
            with rollback, or name alarms. ECS ignores alarms that are red when a deployment begins, and goes back \
            only to a deployment that has completed.",
        look: services::safety_net,
    },
    Lint {
        code: "CUT-011",
        severity: Severity::Warning,
        title: "user data that is not run",
        explanation: "cloud-init runs user data as a script only if `#!` are its very first characters, and Linux \
            takes a carriage return for a part of the command. A heredoc `<<-` keeps its indentation if one of \
            its lines begins at the margin. Hosts then boot without joining their cluster.",
        look: fleets::user_data,
    },
    Lint {
        code: "CUT-012",
        severity: Severity::Error,
        title: "two resources that are one",
        explanation: "Two resources are declared with the same name where AWS has one name: the second creation \
            fails, or they overwrite each other for ever. Remove or rename one of them.",
        look: names::twice,
    },
    Lint {
        code: "CUT-013",
        severity: Severity::Warning,
        title: "a path that does not fit",
        explanation: "Subnets of a load balancer must be in different availability zones: AWS chooses one for each \
            subnet that does not say which, perhaps the same. Tasks with dynamic host \
            ports are reached on 32768–65535: a host's security group that opens only the container's port \
            leaves all targets unhealthy. A service with launch_type EC2 passes by the capacity provider of its \
            cluster: nothing starts hosts for it.",
        look: traffic::paths,
    },
    Lint {
        code: "CUT-014",
        severity: Severity::Error,
        title: "a rollout that keeps less than a guard asks for",
        explanation: "A guard's min_healthy is the share of its capacity that every service and group keeps while it \
            rolls. A service keeps deployment_minimum_healthy_percent of its tasks, a group \
            min_healthy_percentage of its instances: raise them to the guard's, and the maximum above 100.",
        look: services::kept,
    },
    Lint {
        code: "CUT-015",
        severity: Severity::Error,
        title: "a service that CodeDeploy cannot deploy",
        explanation: "A service with the deployment controller CODE_DEPLOY is deployed by the \
            aws_codedeploy_deployment_group whose `ecs_service` names it, and between the two target groups of its \
            target_group_pair_info. ECS refuses such changes itself. Declare the group (and apply it before the \
            service changes), with the target group of the service's `load_balancer` in its pair. What ECS cannot \
            change in place cannot be deployed either: a second service beside it takes over by the listener.",
        look: code_deploy::undeployable,
    },
    Lint {
        code: "CUT-016",
        severity: Severity::Warning,
        title: "a step that may lose traffic",
        explanation: "Before anything runs the order of all steps is checked: what carries traffic stays until its \
            replacement is in service, traffic moves only to what is ready, and nothing is deleted while something \
            else uses it. Here the order does not say so. Where a resource is destroyed first because its name or \
            address is taken, use `name_prefix` or another name; where declarations contradict each other, take the \
            `depends_on` out that turns the order around; or accept it, for a time without traffic.",
        look: gaps,
    },
];

pub fn find(code: &str) -> Option<&'static Lint> {
    LINTS.iter().find(|lint| lint.code.eq_ignore_ascii_case(code))
}

/// Something found.
#[derive(Clone)]
pub struct Finding {
    /// Of the resource it is about.
    pub address: Address,
    pub text: String,
    /// Milder than the lint's usual one.
    severity: Option<Severity>,
}

impl Finding {
    fn into_warning(self) -> Self {
        Self { severity: Some(Severity::Warning), ..self }
    }
}

fn finding(subject: &Change, text: impl Into<String>) -> Finding {
    Finding { address: subject.address.clone(), text: text.into(), severity: None }
}

/// All changes of a plan, those with nothing to do among them.
pub struct Look<'p> {
    changes: &'p [Arc<Change>],
    /// Percent of the capacity that guards ask to be kept.
    min_healthy: Option<f64>,
    live: &'p Live,
    /// What the order of the steps does not rule out.
    unproven: &'p [Unproven],
}

impl<'p> Look<'p> {
    /// What will be there afterwards.
    fn all(&self, types: &'static [&'static str]) -> impl Iterator<Item = &'p Change> + use<'p> {
        let of = |c: &&Change| !matches!(c.action, Action::Delete | Action::Forget);
        self.changes.iter().map(|c| &**c).filter(of).filter(move |c| types.contains(&&*c.address.type_name))
    }

    /// The same, of which the plan makes or changes something.
    fn changed(&self, types: &'static [&'static str]) -> impl Iterator<Item = &'p Change> + use<'p> {
        let changes = |c: &&Change| matches!(c.action, Action::Create | Action::Update | Action::Replace);
        self.all(types).filter(changes)
    }

    /// Those of these types that one is made from: of its own module and instance key, where there are such.
    fn used(&self, user: &Change, types: &'static [&'static str]) -> Vec<&'p Change> {
        let mut used: Vec<&Change> =
            self.all(types).filter(|c| user.depends_on.contains(&without_keys(&c.address))).collect();
        let (module, key) = (&user.address.module, &user.address.key);
        if used.iter().any(|c| c.address.module == *module) {
            used.retain(|c| c.address.module == *module);
        }
        if used.iter().any(|c| c.address.key == *key) {
            used.retain(|c| c.address.key == *key);
        }
        used
    }

    /// The one that a value of `user` names by its `attribute`. While the value is not known yet, the only one of
    /// these types that `user` is made from.
    fn named(
        &self,
        user: &Change,
        types: &'static [&'static str],
        attribute: &str,
        value: Option<String>,
    ) -> Option<&'p Change> {
        match value {
            Some(value) => self.all(types).find(|c| text(&c.after, attribute).as_ref() == Some(&value)),
            None => match self.used(user, types)[..] {
                [only] => Some(only),
                _ => None,
            },
        }
    }

    /// The task definition of a service.
    fn definition(&self, service: &Change) -> Option<&'p Change> {
        let arn = text(&service.after, "task_definition");
        self.named(service, &["aws_ecs_task_definition"], "arn", arn)
    }
}

/// The part of an ARN or path after the last slash.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Containers of a task definition, as far as they are known.
fn containers(definition: &Change) -> Vec<Json> {
    let declared = text(&definition.after, "container_definitions");
    declared.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// The network mode of a task definition, as far as it is known: ECS's default where none is declared.
fn network_mode(definition: &Change) -> Option<String> {
    match definition.desired.value("network_mode").filter(|mode| !mode.is_null()) {
        Some(declared) => declared.as_str().map(str::to_owned),
        None => Some("bridge".to_owned()),
    }
}

/// Looks for everything; each with the resource it is about. What a guard accepts is told as accepted, with its
/// reason.
pub fn lint(
    changes: &[Arc<Change>],
    guards: &[Guard],
    live: &Live,
    unproven: &[Unproven],
) -> Vec<(Address, Diagnostic)> {
    if !changes.iter().any(|c| !c.is_nothing()) {
        return Vec::new();
    }
    let accepted: Vec<Accepted> = guards.iter().flat_map(|guard| guard.accepted.clone()).collect();
    let min_healthy = guards.iter().filter_map(|guard| guard.min_healthy).reduce(f64::max);
    let look = Look { changes, min_healthy, live, unproven };
    let accepted = &accepted;
    let found = |lint: &'static Lint| (lint.look)(&look).into_iter().map(move |f| told(lint, f, accepted));
    LINTS.iter().flat_map(found).collect()
}

fn room(look: &Look<'_>) -> Vec<Finding> {
    [surge::fits(look), surge::together(look), quotas::fits(look)].concat()
}

fn gaps(look: &Look<'_>) -> Vec<Finding> {
    look.unproven
        .iter()
        .map(|one| Finding { address: one.address.clone(), text: one.why.clone(), severity: None })
        .collect()
}

fn told(lint: &'static Lint, finding: Finding, accepted: &[Accepted]) -> (Address, Diagnostic) {
    let Finding { address, text, severity: milder } = finding;
    let name = address.to_string();
    let fits = |a: &&Accepted| {
        a.code.eq_ignore_ascii_case(lint.code) && (a.only.is_empty() || a.only.contains(&name))
    };
    let (severity, help) = match accepted.iter().find(fits) {
        Some(a) => (Severity::Warning, format!("accepted, because: {}", a.reason)),
        None => (
            milder.unwrap_or(lint.severity),
            format!("`cutover explain {}` says more, and how to accept it", lint.code),
        ),
    };
    let problem = format!("{}: {text}", lint.title);
    let mut told = Diagnostic::warning(lint.code, problem).address(&address).help(help);
    told.severity = severity;
    (address, told)
}

fn text(object: &Object, name: &str) -> Option<String> {
    object.value(name).and_then(Value::as_str).map(str::to_owned)
}

fn number(object: &Object, name: &str) -> Option<i64> {
    object.value(name).and_then(Value::as_i64)
}

fn is_on(object: &Object, name: &str) -> bool {
    object.value(name).and_then(Value::as_bool).unwrap_or(false)
}

/// Known, and not so.
fn is_off(object: &Object, name: &str) -> bool {
    object.value(name).and_then(Value::as_bool) == Some(false)
}

/// Blocks of one name; none where they are not known.
fn blocks(object: &Object, name: &str) -> Vec<Object> {
    object.value(name).map(blocks_in).unwrap_or_default().iter().filter_map(Object::of).collect()
}

fn texts(object: &Object, name: &str) -> Vec<String> {
    let items = object.value(name).and_then(Value::as_slice).unwrap_or_default();
    items.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_explained() {
        assert!(LINTS.is_sorted_by_key(|lint| lint.code));
        for lint in LINTS {
            assert!(lint.explanation.ends_with('.') && lint.explanation.len() > 80, "{}", lint.code);
            assert!(!lint.title.ends_with('.'), "{}", lint.code);
            assert_eq!(find(&lint.code.to_lowercase()).map(|l| l.code), Some(lint.code));
        }
    }
}

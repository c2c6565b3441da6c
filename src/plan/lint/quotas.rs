//! Whether the account may run what a plan starts beside what runs.

use super::code_deploy::controls;
use super::fleets::template_of;
use super::services::rolls;
use super::surge::{self, needed};
use super::{Finding, Look, blocks, finding, number, text};
use crate::aws::Pool;
use crate::plan::{Action, Change};
use crate::schema::Object;
use std::collections::{BTreeMap, BTreeSet};

/// What a change starts before anything else stops.
pub struct Demand<'p> {
    pub change: &'p Change,
    pub pool: Pool,
    /// Instances, or vCPUs of Fargate.
    pub count: f64,
}

impl<'p> Look<'p> {
    /// All of a plan.
    pub fn demands(&self) -> Vec<Demand<'p>> {
        let services = self.changed(&["aws_ecs_service"]).filter(|c| c.before.is_some());
        let services = services.filter(|c| !c.rollout.is_empty());
        let groups = self.changed(&["aws_autoscaling_group"]).filter(|c| c.action == Action::Update);
        let of_services = services.flat_map(|service| {
            on_fargate(self, service).into_iter().chain(new_hosts(self, service)).collect::<Vec<_>>()
        });
        of_services.chain(groups.flat_map(|group| of_group(self, group))).collect()
    }
}

/// Tasks that start before any stops, in vCPUs.
fn on_fargate<'p>(look: &Look<'p>, service: &'p Change) -> Vec<Demand<'p>> {
    let Some(share) = spot_share_on_fargate(&service.after) else { return Vec::new() };
    let running = service.before.as_ref().and_then(|before| number(before, "desired_count"));
    let needed = running.filter(|count| *count > 0).and_then(|count| needed(&service.after, count));
    let cpu = look.definition(service).and_then(|definition| text(&definition.after, "cpu"));
    let cpu = cpu.and_then(|text| text.parse::<f64>().ok());
    let (Some(needed), Some(cpu)) = (needed, cpu) else { return Vec::new() };
    if !rolls(&service.after) && !controls(&service.after) {
        return Vec::new();
    }
    let tasks = |spot: bool| {
        let share = if spot { share } else { 1.0 - share };
        let count = (needed as f64 * share).floor() * cpu / 1024.0;
        (count > 0.0).then_some(Demand { change: service, pool: Pool::Fargate { spot }, count })
    };
    [false, true].into_iter().filter_map(tasks).collect()
}

/// Of a service on Fargate, by the weights of its providers.
fn spot_share_on_fargate(service: &Object) -> Option<f64> {
    let strategy = blocks(service, "capacity_provider_strategy");
    let weight = |name: &str| -> f64 {
        let of = strategy.iter().filter(|item| text(item, "capacity_provider").as_deref() == Some(name));
        of.map(|item| number(item, "weight").unwrap_or(0).max(number(item, "base").unwrap_or(0)) as f64).sum()
    };
    let (on_demand, spot) = (weight("FARGATE"), weight("FARGATE_SPOT"));
    if on_demand + spot > 0.0 {
        return Some(spot / (on_demand + spot));
    }
    (text(service, "launch_type").as_deref() == Some("FARGATE")).then_some(0.0)
}

/// Hosts that its new tasks need, beyond those that run.
fn new_hosts<'p>(look: &Look<'p>, service: &'p Change) -> Vec<Demand<'p>> {
    let Some((group, count)) = surge::hosts_to_start(look, service).filter(|(_, count)| *count > 0) else {
        return Vec::new();
    };
    instances(look, service, group, count)
}

/// What a refresh, an exchange of all hosts or a larger size starts first.
fn of_group<'p>(look: &Look<'p>, group: &'p Change) -> Vec<Demand<'p>> {
    let live = group.before.as_ref().and_then(|before| number(before, "desired_capacity")).unwrap_or(0);
    let has = |name: &str| group.rollout.iter().any(|step| step.name == name);
    let refreshes = has("start-refresh") && starts_first(&group.after);
    let beside = if has("surge-add") { live } else { i64::from(refreshes && live > 0) };
    let sizes = ["desired_capacity", "min_size"].iter().filter_map(|name| {
        let changes = group.attributes.iter().any(|a| a.name == *name);
        number(&group.after, name).filter(|_| changes)
    });
    let grown = sizes.max().map_or(0, |size| size - live).max(0);
    match beside.max(grown) {
        0 => Vec::new(),
        count => instances(look, group, group, count),
    }
}

/// Whether a refresh launches before it terminates.
fn starts_first(group: &Object) -> bool {
    let refresh = blocks(group, "instance_refresh");
    let preferences = refresh.iter().flat_map(|r| blocks(r, "preferences")).next();
    preferences.is_some_and(|p| {
        number(&p, "max_healthy_percentage").is_some_and(|max| max > 100)
            || number(&p, "min_healthy_percentage") == Some(100)
    })
}

/// By the type of which the fewest vCPUs are known to be needed: which one comes is decided later.
fn instances<'p>(look: &Look<'p>, change: &'p Change, group: &'p Change, count: i64) -> Vec<Demand<'p>> {
    let (types, spot_share) = launches(look, group);
    let of = |spot: bool| {
        let share = if spot { spot_share } else { 1.0 - spot_share };
        let count = (count as f64 * share).floor();
        let pool = move |t: &String| Pool::Instances { instance_type: t.clone(), spot };
        types.iter().map(move |t| Demand { change, pool: pool(t), count }).filter(|d| d.count > 0.0)
    };
    of(false).chain(of(true)).collect()
}

/// The instance types of a group, and the share of spot instances among them.
fn launches(look: &Look<'_>, group: &Change) -> (Vec<String>, f64) {
    let mut specifications = blocks(&group.after, "launch_template");
    let (mut types, mut on_demand) = (Vec::new(), None);
    for mixed in blocks(&group.after, "mixed_instances_policy") {
        for template in blocks(&mixed, "launch_template") {
            specifications.extend(blocks(&template, "launch_template_specification"));
            types.extend(blocks(&template, "override").iter().filter_map(|o| text(o, "instance_type")));
        }
        let distribution = blocks(&mixed, "instances_distribution").into_iter().next();
        let percent = distribution.and_then(|d| number(&d, "on_demand_percentage_above_base_capacity"));
        on_demand = Some(percent.unwrap_or(100));
    }
    let template = template_of(look, group, &specifications);
    if types.is_empty() {
        types.extend(template.and_then(|t| text(&t.after, "instance_type")));
    }
    let market = template.map(|t| blocks(&t.after, "instance_market_options")).unwrap_or_default();
    let spot = market.iter().any(|m| text(m, "market_type").as_deref() == Some("spot"));
    let share = match on_demand {
        Some(percent) => (100 - percent.clamp(0, 100)) as f64 / 100.0,
        None => f64::from(u8::from(spot)),
    };
    (types, share)
}

/// What is added to one quota by one change, in vCPUs.
type Added<'p> = BTreeMap<&'static str, Vec<(&'p Change, f64)>>;

pub(super) fn fits(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let demands = look.demands();
    let providers: BTreeSet<&str> = demands.iter().map(|d| d.change.provider.as_str()).collect();
    for provider in providers {
        let of_it: Vec<&Demand<'_>> = demands.iter().filter(|d| d.change.provider == provider).collect();
        match look.live.vcpus.get(provider) {
            Some(Ok(vcpus)) => {
                let added = added(&of_it, &vcpus.of_type);
                found.extend(added.into_iter().filter_map(|(code, changes)| {
                    let room = vcpus.rooms.get(code)?;
                    beyond(&of_it, code, &changes, (room.limit, room.used))
                }));
            }
            Some(Err(why)) => {
                let text = format!("how many vCPUs the account may run could not be looked at ({why})");
                found.push(finding(of_it[0].change, text).into_warning());
            }
            None => {}
        }
    }
    found
}

/// Of the types that a change may launch the one with the fewest vCPUs counts.
fn added<'p>(demands: &[&Demand<'p>], of_type: &BTreeMap<String, i64>) -> Added<'p> {
    let mut added: Added<'p> = BTreeMap::new();
    for demand in demands {
        let Some(quota) = demand.pool.quota() else { continue };
        let each = match &demand.pool {
            Pool::Fargate { .. } => 1.0,
            Pool::Instances { instance_type, .. } => match of_type.get(instance_type) {
                Some(vcpus) => *vcpus as f64,
                None => continue,
            },
        };
        let (vcpus, of_quota) = (demand.count * each, added.entry(quota.code).or_default());
        match of_quota.iter_mut().find(|(change, _)| change.address == demand.change.address) {
            Some((_, least)) => *least = least.min(vcpus),
            None => of_quota.push((demand.change, vcpus)),
        }
    }
    added
}

fn beyond(
    demands: &[&Demand<'_>],
    code: &str,
    changes: &[(&Change, f64)],
    (limit, used): (f64, f64),
) -> Option<Finding> {
    let needed: f64 = changes.iter().map(|(_, vcpus)| vcpus).sum();
    if used + needed <= limit {
        return None;
    }
    let name = demands.iter().filter_map(|d| d.pool.quota()).find(|quota| quota.code == code)?.name;
    let (first, others) = changes.split_first()?;
    let others: Vec<String> = others.iter().map(|(change, _)| change.address.to_string()).collect();
    let with = match others.is_empty() {
        true => String::new(),
        false => format!(", together with {}, which may run at the same time,", others.join(", ")),
    };
    let text = format!(
        "it starts{with} at least {needed} vCPUs beside the {used} that run, and the account may run {limit}: quota \
         {code}, \"{name}\""
    );
    Some(finding(first.0, text))
}

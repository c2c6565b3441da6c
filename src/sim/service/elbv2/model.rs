//! The state of Elastic Load Balancing.

use crate::named::Named;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// Everything is keyed by ARN; a listener's ARN starts with its balancer's path and a rule's with its
/// listener's, so children are a range of the map.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub balancers: BTreeMap<String, Balancer>,
    pub groups: Named<Group, 2>,
    pub listeners: BTreeMap<String, Listener>,
    pub rules: BTreeMap<String, Rule>,
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    /// Target group → balancers whose listeners or rules name it. Derived; kept by `actions::refresh`.
    pub uses: Named<BTreeSet<String>, 2>,
    /// Target id (instance, address) → (group, target key). Derived.
    pub registrations: Named<BTreeSet<(String, String)>>,
    pub generation: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Balancer {
    pub arn: String,
    pub name: String,
    /// `app/name/50dc6c495c0c9188`: the ARN's end and CloudWatch's dimension.
    pub path: String,
    /// `application` or `network`.
    pub kind: String,
    pub scheme: String,
    pub vpc_id: String,
    pub dns_name: String,
    pub created: Millis,
    pub active: bool,
    pub ip_address_type: String,
    pub security_groups: Vec<String>,
    pub zones: Vec<Zone>,
    pub attributes: BTreeMap<String, String>,
    /// `on`/`off`, network balancers with security groups only.
    pub enforce_private_link: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    pub name: String,
    pub subnet_id: String,
    pub interface: String,
    pub allocation_id: Option<String>,
    pub private_ip: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    pub arn: String,
    pub name: String,
    pub target_type: String,
    pub protocol: Option<String>,
    pub protocol_version: Option<String>,
    pub port: Option<i64>,
    pub vpc_id: Option<String>,
    pub ip_address_type: String,
    pub check: Check,
    pub attributes: BTreeMap<String, String>,
    /// By `id:port`.
    pub targets: Named<Target>,
    /// Targets whose instance was terminated.
    #[serde(default)]
    pub ended: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub enabled: bool,
    pub protocol: String,
    /// A number or `traffic-port`.
    pub port: String,
    pub path: Option<String>,
    pub interval: i64,
    pub timeout: i64,
    pub healthy: i64,
    pub unhealthy: i64,
    /// `HttpCode` or `GrpcCode`, and its text.
    pub matcher: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    Initial,
    Healthy,
    Unhealthy,
    Draining,
}

impl Health {
    pub fn text(self) -> &'static str {
        match self {
            Health::Initial => "initial",
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
            Health::Draining => "draining",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    pub id: String,
    pub port: Option<i64>,
    pub zone: Option<String>,
    pub health: Health,
    /// Checks run at this time and every interval after it; None while the group is not in use or its
    /// balancer is still provisioned.
    pub checks_from: Option<Millis>,
    /// What the application answered when last asked: right, wrong, or nothing at all.
    pub answer: Option<bool>,
    /// Raised by every change, so that a scheduled result that was overtaken is dropped.
    pub generation: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listener {
    pub arn: String,
    pub balancer: String,
    pub port: i64,
    pub protocol: String,
    pub ssl_policy: Option<String>,
    pub certificate: Option<String>,
    /// Beside the default one (SNI).
    pub extra_certificates: BTreeSet<String>,
    pub alpn: Vec<String>,
    pub mutual: Option<Json>,
    pub actions: Vec<Json>,
    pub attributes: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rule {
    pub arn: String,
    pub listener: String,
    /// None for the default rule, whose actions are the listener's.
    pub priority: Option<i64>,
    pub conditions: Vec<Json>,
    pub actions: Vec<Json>,
    pub transforms: Vec<Json>,
}

impl State {
    pub fn listeners_of<'a>(&'a self, balancer: &str) -> impl Iterator<Item = &'a Listener> + use<'a> {
        let prefix = format!("{}/", balancer.replacen(":loadbalancer/", ":listener/", 1));
        under(&self.listeners, prefix)
    }

    pub fn rules_of<'a>(&'a self, listener: &str) -> impl Iterator<Item = &'a Rule> + use<'a> {
        let prefix = format!("{}/", listener.replacen(":listener/", ":listener-rule/", 1));
        under(&self.rules, prefix)
    }

    pub fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }
}

fn under<T>(map: &BTreeMap<String, T>, prefix: String) -> impl Iterator<Item = &T> + use<'_, T> {
    map.range(prefix.clone()..).take_while(move |(arn, _)| arn.starts_with(&prefix)).map(|(_, item)| item)
}

//! What EC2 keeps: one ordered map a kind of resource, by id. Tags lie apart, by resource id.

use super::launch_templates::Template;
use super::own_images::OwnImage;
use crate::named::Named;
use crate::world::Millis;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

pub type Tags = BTreeMap<String, String>;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub vpcs: BTreeMap<String, Vpc>,
    pub subnets: BTreeMap<String, Subnet>,
    pub internet_gateways: BTreeMap<String, InternetGateway>,
    pub addresses: BTreeMap<String, Address>,
    pub nat_gateways: BTreeMap<String, NatGateway>,
    pub route_tables: BTreeMap<String, RouteTable>,
    pub network_acls: BTreeMap<String, NetworkAcl>,
    pub dhcp_options: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    pub interfaces: BTreeMap<String, Interface>,
    pub security_groups: BTreeMap<String, SecurityGroup>,
    pub rules: BTreeMap<String, Rule>,
    #[serde(default)]
    pub rules_made: u64,
    pub launch_templates: BTreeMap<String, Template>,
    pub key_pairs: BTreeMap<String, KeyPair>,
    pub instances: Named<Instance>,
    pub volumes: BTreeMap<String, Volume>,
    #[serde(default)]
    pub snapshots: BTreeMap<String, Snapshot>,
    /// The account's own; public ones are the same in every world.
    #[serde(default)]
    pub images: BTreeMap<String, OwnImage>,
    /// Images that were deregistered, and when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deregistered: BTreeMap<String, Millis>,
    pub tags: BTreeMap<String, Tags>,
    /// Ids that not all calls know yet, and until when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fresh: BTreeMap<String, Millis>,
    /// Answers to calls that carried a client token, by `Operation:token`.
    pub answered: BTreeMap<String, Answered>,
    /// Images that are not known here → the known image that each behaves like.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stand_ins: BTreeMap<String, String>,
    /// Instance → the interfaces attached to it. Derived; built anew when a world is loaded.
    #[serde(skip)]
    pub attached: BTreeMap<String, BTreeSet<String>>,
}

/// The state with what is derived of it.
pub fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
    let mut state = State::deserialize(deserializer)?;
    state.attached = state.attachments();
    Ok(state)
}

impl State {
    pub fn attachments(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for eni in self.interfaces.values() {
            if let Some(instance) = eni.instance() {
                found.entry(instance.to_owned()).or_default().insert(eni.id.clone());
            }
        }
        found
    }

    /// Attaches an interface, or detaches it: the only way to set its attachment.
    pub fn attach(&mut self, interface: &str, attachment: Option<Attachment>) {
        let Some(eni) = self.interfaces.get_mut(interface) else { return };
        let to = attachment.as_ref().and_then(|attachment| attachment.instance.clone());
        let before = std::mem::replace(&mut eni.attachment, attachment);
        self.unlink(interface, before.as_ref());
        if let Some(instance) = to {
            self.attached.entry(instance).or_default().insert(interface.to_owned());
        }
    }

    pub fn unlink(&mut self, interface: &str, attachment: Option<&Attachment>) {
        let Some(instance) = attachment.and_then(|attachment| attachment.instance.as_ref()) else { return };
        if let Some(set) = self.attached.get_mut(instance) {
            set.remove(interface);
            if set.is_empty() {
                self.attached.remove(instance);
            }
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Answered {
    pub at: Millis,
    pub input: Json,
    pub answer: Json,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Vpc {
    pub id: String,
    /// The primary one first; (association id, block).
    pub cidrs: Vec<(String, String)>,
    pub ipv6: Vec<(String, String)>,
    pub dhcp_options: String,
    pub tenancy: String,
    pub is_default: bool,
    pub dns_support: bool,
    pub dns_hostnames: bool,
    pub address_usage_metrics: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Subnet {
    pub id: String,
    pub vpc: String,
    pub cidr: String,
    pub ipv6: Option<(String, String)>,
    pub zone: String,
    pub map_public_ip: bool,
    pub assign_ipv6: bool,
    pub dns64: bool,
    pub default_for_zone: bool,
    pub hostname_type: String,
    pub a_record: bool,
    pub aaaa_record: bool,
    /// Addresses in use, as numbers (reserved ones not among them).
    pub used: BTreeSet<u32>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct InternetGateway {
    pub vpc: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Address {
    pub public_ip: String,
    pub association: Option<Association>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Association {
    pub id: String,
    pub interface: String,
    pub private_ip: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NatState {
    Pending,
    Failed,
    Available,
    Deleting,
    Deleted,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct NatGateway {
    pub id: String,
    pub subnet: String,
    pub vpc: String,
    pub state: NatState,
    pub public: bool,
    pub allocation: Option<String>,
    pub interface: Option<String>,
    pub private_ip: String,
    pub public_ip: Option<String>,
    pub created: Millis,
    pub deleted: Option<Millis>,
    /// Code and message.
    pub failure: Option<(String, String)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct RouteTable {
    pub id: String,
    pub vpc: String,
    /// By destination, the implied local ones excepted.
    pub routes: BTreeMap<String, Route>,
    pub associations: BTreeMap<String, RouteAssociation>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Route {
    /// Member of the request that names the destination: `DestinationCidrBlock`, …
    pub destination_kind: String,
    /// Member that names the target: `NatGatewayId`, …
    pub target_kind: String,
    pub target: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteAssociation {
    Main,
    Subnet(String),
    Gateway(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct NetworkAcl {
    pub id: String,
    pub vpc: String,
    pub is_default: bool,
    pub entries: Vec<AclEntry>,
    /// Association id by subnet.
    pub associations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AclEntry {
    pub number: i64,
    pub egress: bool,
    pub protocol: String,
    pub allow: bool,
    pub cidr: Option<String>,
    pub ipv6: Option<String>,
    pub ports: Option<(i64, i64)>,
    pub icmp: Option<(i64, i64)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Interface {
    pub id: String,
    pub subnet: String,
    pub vpc: String,
    pub zone: String,
    pub description: String,
    pub groups: Vec<String>,
    pub private_ip: String,
    #[serde(default)]
    pub secondary: Vec<String>,
    #[serde(default)]
    pub ipv6: Vec<String>,
    pub mac: String,
    /// `interface`, `nat_gateway`, …
    pub kind: String,
    /// The service that made it (`amazon-elb`, an account's principal), if not a user.
    pub requester: Option<String>,
    pub source_dest_check: bool,
    /// Not an Elastic IP: given with the interface, gone with it.
    pub public_ip: Option<String>,
    pub attachment: Option<Attachment>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attachment {
    pub id: String,
    pub instance: Option<String>,
    pub device_index: i64,
    pub at: Millis,
    pub delete_on_termination: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct SecurityGroup {
    pub id: String,
    pub name: String,
    pub description: String,
    pub vpc: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peer {
    Ipv4(String),
    Ipv6(String),
    PrefixList(String),
    Group(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rule {
    pub id: String,
    pub group: String,
    pub egress: bool,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `-1` or a number.
    pub protocol: String,
    pub from: i64,
    pub to: i64,
    pub peer: Peer,
    pub description: Option<String>,
    /// Rules are listed in the order in which they were made.
    #[serde(default)]
    pub number: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct KeyPair {
    pub id: String,
    pub name: String,
    pub fingerprint: String,
    pub kind: String,
    pub public_key: String,
    pub created: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    pub fn code(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// Neither on its way out nor out.
    pub fn lives(self) -> bool {
        !matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Instance {
    pub id: String,
    pub reservation: String,
    /// Order within its reservation.
    pub launch_index: i64,
    pub spec: super::LaunchSpec,
    pub state: InstanceState,
    /// Counts starts: an event about an earlier boot is stale.
    pub boots: u32,
    pub vpc: String,
    pub zone: String,
    pub private_ip: String,
    pub public_ip: Option<String>,
    pub interface: Option<String>,
    /// Interfaces at other device indexes, in their order.
    #[serde(default)]
    pub others: Vec<String>,
    /// Device name and volume id.
    pub volumes: Vec<(String, String)>,
    pub launched: Millis,
    /// When the status checks of a running instance turn from initializing to passed.
    pub checks_pass: Millis,
    /// Code and message of StateReason.
    pub reason: Option<(String, String)>,
    pub transition: String,
    pub source_dest_check: bool,
    /// When a spot instance got its interruption notice.
    #[serde(default)]
    pub spot_notice: Option<Millis>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Volume {
    pub id: String,
    pub size: i64,
    pub kind: String,
    pub encrypted: bool,
    pub kms_key: Option<String>,
    pub iops: Option<i64>,
    pub throughput: Option<i64>,
    pub snapshot: Option<String>,
    pub zone: String,
    pub created: Millis,
    pub instance: Option<String>,
    pub device: String,
    pub delete_on_termination: bool,
    /// When it was attached, where that was not at its creation.
    #[serde(default)]
    pub attached: Option<Millis>,
    /// The last modification.
    #[serde(default)]
    pub modified: Option<Modification>,
}

/// Of a volume: what it was before, and when it changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Modification {
    pub at: Millis,
    pub size: i64,
    pub kind: String,
    pub iops: Option<i64>,
    pub throughput: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    pub id: String,
    pub volume: String,
    pub size: i64,
    pub description: String,
    pub encrypted: bool,
    pub kms_key: Option<String>,
    pub started: Millis,
    /// Until then it is pending.
    pub complete: Millis,
}

//! What Auto Scaling keeps: groups and all that hangs on them.

use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub groups: BTreeMap<String, Group>,
    /// The group of an instance.
    pub group_of: BTreeMap<String, String>,
    /// Requests as given, by name.
    pub launch_configurations: BTreeMap<String, Json>,
    /// When a policy last changed a group's capacity, and whether out.
    #[serde(default)]
    pub scaled: BTreeMap<String, (Millis, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateRef {
    pub id: String,
    pub name: String,
    /// As given: a number, `$Latest`, `$Default`, or nothing, which means the default.
    pub version: String,
}

/// What a group launches from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    Template(TemplateRef),
    Mixed(Mixed),
    Configuration(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mixed {
    pub template: TemplateRef,
    pub overrides: Vec<Override>,
    pub on_demand_strategy: String,
    pub on_demand_base: i64,
    pub on_demand_percentage: i64,
    pub spot_strategy: String,
    pub spot_pools: Option<i64>,
    pub spot_max_price: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub instance_type: Option<String>,
    pub weight: Option<i64>,
    pub template: Option<TemplateRef>,
    pub requirements: Option<Json>,
    pub image_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifecycle {
    Pending,
    PendingWait,
    InService,
    Standby,
    /// Leaving its target groups.
    Terminating,
    /// A lifecycle hook, or ECS's managed draining, holds it.
    TerminatingWait,
    /// EC2 has been told.
    TerminatingProceed,
}

impl Lifecycle {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::PendingWait => "Pending:Wait",
            Self::InService => "InService",
            Self::Standby => "Standby",
            Self::Terminating => "Terminating",
            Self::TerminatingWait => "Terminating:Wait",
            Self::TerminatingProceed => "Terminating:Proceed",
        }
    }

    /// Counts as capacity.
    pub fn counts(self) -> bool {
        matches!(self, Self::Pending | Self::PendingWait | Self::InService)
    }

    pub fn leaves(self) -> bool {
        matches!(self, Self::Terminating | Self::TerminatingWait | Self::TerminatingProceed)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    pub id: String,
    pub zone: String,
    pub instance_type: String,
    pub image_id: String,
    pub lifecycle: Lifecycle,
    /// Why it is unhealthy, as an activity's cause says it; None: healthy.
    pub unhealthy: Option<String>,
    /// Why it is to be replaced though it is healthy, likewise.
    #[serde(default)]
    pub retires: Option<Retires>,
    pub protected: bool,
    /// With the number of the version.
    pub template: Option<TemplateRef>,
    pub configuration: Option<String>,
    pub weight: Option<i64>,
    pub spot: bool,
    pub launched: Millis,
    pub in_service: Option<Millis>,
    pub activity: String,
    /// The hook that holds it now.
    pub hold: Option<Hold>,
    /// Hooks that have let it pass.
    pub passed: BTreeSet<String>,
}

impl Member {
    pub fn units(&self) -> i64 {
        self.weight.unwrap_or(1)
    }

    /// Why another one is to take its place.
    pub fn replaced_for(&self) -> Option<&str> {
        let retires = self.retires.as_ref().map(|retires| retires.why.as_str());
        self.unhealthy.as_deref().or(retires).filter(|_| self.lifecycle.counts())
    }
}

/// A healthy instance whose place another one is to take.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Retires {
    /// As an activity's cause says it.
    pub why: String,
    /// Only when the other one is in service, whatever the group's maintenance policy.
    pub launch_first: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hold {
    pub hook: String,
    pub token: String,
    pub until: Millis,
    /// No heartbeat prolongs it beyond: 48 hours or 100 timeouts.
    pub last: Millis,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hook {
    pub name: String,
    pub launching: bool,
    pub timeout: i64,
    pub default_continue: bool,
    pub metadata: Option<String>,
    pub target: Option<String>,
    pub role: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tag {
    pub value: String,
    pub propagate: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Activity {
    pub id: String,
    pub description: String,
    pub cause: String,
    pub start: Millis,
    pub end: Option<Millis>,
    /// `InProgress`, `Successful`, `Failed`, `Cancelled`, …
    pub status: String,
    pub message: Option<String>,
    pub progress: i64,
    pub details: String,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    pub uuid: String,
    pub created: Millis,
    pub min: i64,
    pub max: i64,
    pub desired: i64,
    pub source: Source,
    pub subnets: Vec<String>,
    pub zones: Vec<String>,
    pub target_groups: BTreeSet<String>,
    pub load_balancers: BTreeSet<String>,
    /// `EC2` or `ELB` (or several, with commas).
    pub health_check: String,
    pub grace: i64,
    pub cooldown: i64,
    pub warmup: Option<i64>,
    pub protect_new: bool,
    pub suspended: BTreeMap<String, String>,
    pub termination_policies: Vec<String>,
    pub tags: BTreeMap<String, Tag>,
    pub metrics: BTreeSet<String>,
    /// CloudWatch is told of them each minute.
    #[serde(default)]
    pub tells: bool,
    pub max_lifetime: Option<i64>,
    pub rebalance: bool,
    pub service_role: String,
    /// Minimum and maximum healthy percentage.
    pub maintenance: Option<(i64, i64)>,
    /// Settings that are kept and given back, by member name.
    pub other: BTreeMap<String, Json>,
    pub deleting: bool,
    pub members: BTreeMap<String, Member>,
    pub hooks: BTreeMap<String, Hook>,
    /// Oldest first.
    pub activities: Vec<Activity>,
    /// Oldest first; at most the last is active.
    pub refreshes: Vec<Refresh>,
    pub policies: BTreeMap<String, Json>,
    pub scheduled: BTreeMap<String, Json>,
    /// When each of them runs next; an event for another time is stale.
    #[serde(default)]
    pub scheduled_due: BTreeMap<String, Millis>,
    /// Notification types by topic.
    pub notifications: BTreeMap<String, BTreeSet<String>>,
    pub warm_pool: Option<Json>,
    /// Why the capacity is about to change, until the next reconciliation tells it in an activity.
    pub why: Vec<String>,
    pub reconcile_due: bool,
    pub health_due: bool,
    /// Members whose health may have changed since it was looked at.
    #[serde(default)]
    pub suspects: BTreeSet<String>,
    /// A member may be in a subnet that is not the group's.
    #[serde(default = "yes")]
    pub may_be_misplaced: bool,
    /// Launches that failed in a row.
    pub failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefreshStatus {
    Pending,
    InProgress,
    Baking,
    Successful,
    Failed,
    Cancelling,
    Cancelled,
    RollbackInProgress,
    RollbackFailed,
    RollbackSuccessful,
}

impl RefreshStatus {
    pub fn active(self) -> bool {
        use RefreshStatus::*;
        matches!(self, Pending | InProgress | Baking | Cancelling | RollbackInProgress)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refresh {
    pub id: String,
    pub status: RefreshStatus,
    pub reason: Option<String>,
    pub started: Millis,
    pub ended: Option<Millis>,
    pub desired: Option<Source>,
    pub preferences: Preferences,
    /// Instances still to be replaced.
    pub outdated: BTreeSet<String>,
    pub total: usize,
    pub percentage: i64,
    /// More instances than desired that the group may have while it replaces.
    pub surge: i64,
    pub next_checkpoint: usize,
    pub resume: Option<Millis>,
    pub bake_until: Option<Millis>,
    /// When something last got better.
    pub progress: Millis,
    pub rollback: Option<Rollback>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rollback {
    pub reason: String,
    pub started: Millis,
    pub percentage: i64,
    pub to_update: usize,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Preferences {
    /// As given, for the answer.
    pub given: Json,
    pub min: i64,
    pub max: Option<i64>,
    pub warmup: i64,
    pub checkpoints: Vec<i64>,
    pub checkpoint_delay: i64,
    pub skip_matching: bool,
    pub auto_rollback: bool,
    /// `Refresh`, `Ignore`, `Wait`
    pub protected: String,
    /// `Terminate`, `Ignore`, `Wait`
    pub standby: String,
    pub alarms: Vec<String>,
    pub bake: i64,
}

impl Group {
    /// The refresh that runs now.
    pub fn refresh(&self) -> Option<&Refresh> {
        self.refreshes.last().filter(|refresh| refresh.status.active())
    }

    pub fn refresh_mut(&mut self) -> Option<&mut Refresh> {
        self.refreshes.last_mut().filter(|refresh| refresh.status.active())
    }

    /// What new instances are launched from: a running refresh launches what it was asked for, though
    /// the group's own settings change only when it succeeds.
    pub fn launches(&self) -> &Source {
        let desired = self
            .refresh()
            .filter(|refresh| refresh.rollback.is_none() && refresh.status != RefreshStatus::Cancelling);
        desired.and_then(|refresh| refresh.desired.as_ref()).unwrap_or(&self.source)
    }

    pub fn suspends(&self, process: &str) -> bool {
        self.suspended.contains_key(process)
    }

    /// Capacity there is or is on its way.
    pub fn units(&self) -> i64 {
        self.members.values().filter(|member| member.lifecycle.counts()).map(Member::units).sum()
    }

    /// Warmup of new instances, in seconds.
    pub fn default_warmup(&self) -> i64 {
        self.warmup.filter(|seconds| *seconds >= 0).unwrap_or(self.grace)
    }
}

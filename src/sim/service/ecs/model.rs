//! The state of ECS.

use crate::named::Named;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub type Tags = BTreeMap<String, String>;

/// Clusters by name, everything else by ARN.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub clusters: BTreeMap<String, Cluster>,
    pub providers: BTreeMap<String, Provider>,
    pub hosts: Named<Host>,
    /// EC2 instance → container instance ARN.
    pub host_of: Named<String>,
    pub families: BTreeMap<String, Family>,
    pub services: Named<Service, 2>,
    pub revisions: BTreeMap<String, Revision>,
    pub service_deployments: BTreeMap<String, ServiceDeployment>,
    pub tasks: Named<Task>,
    /// `address-or-instance:port` → the task that listens there.
    pub listening: Named<String>,
    /// Private address → task, for tasks with their own interface.
    pub addresses: Named<String>,
    pub images: BTreeMap<String, super::images::ImageBehaviour>,
    /// Setting → value, and (principal, setting) → value as `principal setting`.
    pub settings: BTreeMap<String, String>,
    /// Client tokens of CreateService and RunTask: token → what was made.
    pub tokens: BTreeMap<String, Vec<String>>,
    /// Short ids are numbers that grow, like AWS's (deployments, revisions).
    pub sequence: u64,
    #[serde(skip)]
    pub index: super::index::Index,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cluster {
    pub arn: String,
    pub name: String,
    pub active: bool,
    pub settings: Vec<Json>,
    pub configuration: Option<Json>,
    pub capacity_providers: Vec<String>,
    pub default_strategy: Vec<StrategyItem>,
    pub service_connect: Option<String>,
    pub tags: Tags,
    pub hosts: BTreeSet<String>,
    pub services: BTreeSet<String>,
    /// Tasks that are not STOPPED.
    pub tasks: BTreeSet<String>,
    /// Tasks in PROVISIONING that wait for a host, and services that could not place one.
    pub unplaced: BTreeSet<String>,
    pub waiting: BTreeSet<String>,
    pub places_at: Option<Millis>,
    /// CloudWatch will be told of its hosts when the minute is over.
    #[serde(default)]
    pub tells: bool,
    /// Capacity providers are being attached or detached until then.
    pub busy_until: Millis,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StrategyItem {
    pub capacity_provider: String,
    #[serde(default)]
    pub weight: i64,
    #[serde(default)]
    pub base: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Provider {
    pub arn: String,
    pub name: String,
    pub group_arn: String,
    pub group_name: String,
    pub managed_scaling: bool,
    pub target_capacity: i64,
    pub min_step: i64,
    pub max_step: i64,
    pub warmup: i64,
    pub termination_protection: bool,
    pub draining: bool,
    /// `CREATE`, `UPDATE` or `DELETE`: what was last asked, done at `busy_until`.
    pub last: Option<String>,
    pub busy_until: Millis,
    pub tags: Tags,
    /// When the managed scaling is evaluated next, if it has something to look at.
    pub evaluates_at: Option<Millis>,
    /// Since when fewer instances than there are would do.
    pub idle_since: Option<Millis>,
    /// No further scaling before the last one has had its effect.
    pub settles_at: Millis,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Host {
    pub arn: String,
    pub instance_id: String,
    pub cluster: String,
    pub zone: String,
    pub subnet_id: String,
    pub vpc_id: Option<String>,
    pub instance_type: String,
    pub provider: Option<String>,
    pub draining: bool,
    /// Its agent serves another cluster by now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disconnected: bool,
    /// What the agent says of itself, where it is not one of this world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Json>,
    pub protected: bool,
    pub cpu: i64,
    pub memory: i64,
    pub interfaces: i64,
    pub used_cpu: i64,
    pub used_memory: i64,
    pub used_interfaces: i64,
    pub ports: BTreeSet<i64>,
    pub next_port: i64,
    pub tasks: BTreeSet<String>,
    pub attributes: BTreeMap<String, Option<String>>,
    pub registered: Millis,
    pub version: i64,
    pub tags: Tags,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Family {
    /// Number of the newest revision ever: never used again.
    pub last: i64,
    pub revisions: BTreeMap<i64, TaskDefinition>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskDefinition {
    pub arn: String,
    /// As DescribeTaskDefinition answers it, without status.
    pub body: Json,
    /// `ACTIVE`, `INACTIVE` or `DELETE_IN_PROGRESS`.
    pub status: String,
    pub deregistered: Option<Millis>,
    pub tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Service {
    pub arn: String,
    pub name: String,
    pub cluster: String,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    pub desired: i64,
    pub created: Millis,
    pub daemon: bool,
    /// `ECS`, `CODE_DEPLOY` or `EXTERNAL`; None if it was never given.
    pub controller: Option<String>,
    pub deployment_configuration: Json,
    pub placement_constraints: Vec<Json>,
    pub placement_strategy: Vec<Json>,
    pub grace_seconds: Option<i64>,
    pub managed_tags: bool,
    pub execute_command: bool,
    pub propagate_tags: String,
    pub zone_rebalancing: String,
    pub role: Option<String>,
    pub tags: Tags,
    /// Newest first; the first is PRIMARY.
    pub deployments: Vec<Deployment>,
    /// Newest first.
    pub events: VecDeque<ServiceEvent>,
    /// Service deployments, oldest first.
    pub history: Vec<String>,
    /// Revision of the last deployment that completed.
    pub completed: Option<String>,
    /// Tasks that are not STOPPED.
    pub tasks: BTreeSet<String>,
    /// A look at this service is queued for this time.
    pub looks_at: Option<Millis>,
    pub steady: bool,
    /// The last complaint about placement, not repeated until it is resolved.
    pub complaint: Option<String>,
    /// Starting is throttled until then, after tasks that failed again and again.
    pub throttled_until: Millis,
    pub failures_in_row: u32,
    pub task_sets: Vec<TaskSet>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceEvent {
    pub id: String,
    pub at: Millis,
    pub message: String,
}

/// Settings of a service that a deployment carries out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Revision {
    pub arn: String,
    pub service: String,
    pub task_definition: String,
    pub launch_type: Option<String>,
    pub strategy: Vec<StrategyItem>,
    pub platform_version: Option<String>,
    pub network: Option<Json>,
    pub load_balancers: Vec<Json>,
    pub registries: Vec<Json>,
    pub service_connect: Option<Json>,
    pub volumes: Vec<Json>,
    pub lattice: Vec<Json>,
    /// The target group that each load balancer's tasks are in, where it is not the declared one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resolved: BTreeMap<String, String>,
    pub created: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rollout {
    InProgress,
    Completed,
    Failed,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deployment {
    /// `ecs-svc/1234567890123456789`.
    pub id: String,
    pub revision: String,
    pub service_deployment: Option<String>,
    pub created: Millis,
    pub updated: Millis,
    pub rollout: Rollout,
    pub reason: String,
    pub failed_tasks: i64,
    /// Rolls back a deployment that failed.
    pub is_rollback: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceDeployment {
    pub arn: String,
    pub service: String,
    pub cluster: String,
    pub status: String,
    pub reason: Option<String>,
    pub created: Millis,
    pub started: Option<Millis>,
    pub finished: Option<Millis>,
    pub stopped: Option<Millis>,
    pub updated: Millis,
    pub sources: Vec<String>,
    pub target: String,
    pub configuration: Json,
    /// Reason, start, revision that serves again.
    pub rollback: Option<(String, Millis, String)>,
    pub breaker: String,
    pub failures: i64,
    pub triggered_alarms: Vec<String>,
    /// Alarms that were in ALARM when the deployment started do not count.
    pub ignored_alarms: Vec<String>,
    /// Of a blue/green, linear or canary deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Shift>,
}

/// Where a deployment stands that runs two revisions side by side and moves traffic between them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shift {
    pub stage: Stage,
    /// The stage began then.
    pub since: Millis,
    /// What the stage does by itself is done.
    pub acted: bool,
    /// Deployments of the new and of the old revision; the first of a service has no old one.
    pub green: String,
    pub blue: Option<String>,
    /// Percent of the traffic that goes to the new revision.
    pub production: f64,
    pub test: f64,
    /// Hooks of this stage.
    pub hooks: Vec<HookRun>,
    /// Weights of the listener rules before the deployment, for the way back.
    pub before: Vec<(String, Vec<(String, i64)>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    ReconcileService,
    PreScaleUp,
    ScaleUp,
    PostScaleUp,
    TestTrafficShift,
    PostTestTrafficShift,
    PreProductionTrafficShift,
    ProductionTrafficShift,
    PostProductionTrafficShift,
    BakeTime,
    CleanUp,
}

impl Stage {
    pub fn text(self) -> &'static str {
        match self {
            Stage::ReconcileService => "RECONCILE_SERVICE",
            Stage::PreScaleUp => "PRE_SCALE_UP",
            Stage::ScaleUp => "SCALE_UP",
            Stage::PostScaleUp => "POST_SCALE_UP",
            Stage::TestTrafficShift => "TEST_TRAFFIC_SHIFT",
            Stage::PostTestTrafficShift => "POST_TEST_TRAFFIC_SHIFT",
            Stage::PreProductionTrafficShift => "PRE_PRODUCTION_TRAFFIC_SHIFT",
            Stage::ProductionTrafficShift => "PRODUCTION_TRAFFIC_SHIFT",
            Stage::PostProductionTrafficShift => "POST_PRODUCTION_TRAFFIC_SHIFT",
            Stage::BakeTime => "BAKE_TIME",
            Stage::CleanUp => "CLEAN_UP",
        }
    }
}

/// One lifecycle hook at work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HookRun {
    pub id: String,
    /// `AWS_LAMBDA` or `PAUSE`.
    pub kind: String,
    pub target: Option<String>,
    /// `AWAITING_ACTION`, `IN_PROGRESS`, `SUCCEEDED`, `FAILED` or `TIMED_OUT`.
    pub status: String,
    /// The function is called (again) then.
    pub calls_at: Millis,
    pub calls: u32,
    pub expires: Millis,
    /// `CONTINUE` or `ROLLBACK`.
    pub on_timeout: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TaskStatus {
    Provisioning,
    Pending,
    Activating,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

impl TaskStatus {
    pub fn text(self) -> &'static str {
        match self {
            TaskStatus::Provisioning => "PROVISIONING",
            TaskStatus::Pending => "PENDING",
            TaskStatus::Activating => "ACTIVATING",
            TaskStatus::Running => "RUNNING",
            TaskStatus::Deactivating => "DEACTIVATING",
            TaskStatus::Stopping => "STOPPING",
            TaskStatus::Deprovisioning => "DEPROVISIONING",
            TaskStatus::Stopped => "STOPPED",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    pub arn: String,
    pub cluster: String,
    pub definition: String,
    pub group: String,
    pub started_by: Option<String>,
    /// Service ARN and deployment id.
    pub service: Option<String>,
    pub deployment: Option<String>,
    pub launch_type: String,
    pub provider: Option<String>,
    pub platform_version: Option<String>,
    pub host: Option<String>,
    pub zone: String,
    pub network: Option<Json>,
    pub interface: Option<TaskInterface>,
    pub status: TaskStatus,
    pub wanted: bool,
    pub cpu: i64,
    pub memory: i64,
    pub containers: Vec<Container>,
    /// Target group, target id, port.
    pub targets: Vec<(String, String, i64)>,
    /// Cloud Map services that it is an instance of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registered: Vec<String>,
    pub created: Millis,
    pub pull_started: Option<Millis>,
    pub pull_stopped: Option<Millis>,
    pub started: Option<Millis>,
    pub stopping: Option<Millis>,
    pub stopped: Option<Millis>,
    pub stop_code: Option<String>,
    pub stopped_reason: Option<String>,
    pub overrides: Json,
    pub execute_command: bool,
    pub tags: Tags,
    pub version: i64,
    /// Was healthy by all that is checked at least once.
    pub proven: bool,
    /// Raised by every change of course: events of an earlier one are dropped.
    pub generation: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskInterface {
    pub attachment: String,
    pub id: String,
    pub subnet: String,
    pub private_ip: String,
    pub mac: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerHealth {
    /// No health check is defined.
    None,
    Unknown,
    Healthy,
    Unhealthy,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Container {
    pub arn: String,
    pub name: String,
    pub image: String,
    pub digest: String,
    pub essential: bool,
    pub running: bool,
    pub exit_code: Option<i64>,
    pub reason: Option<String>,
    /// Container port, host port, protocol.
    pub bindings: Vec<(i64, i64, String)>,
    pub health: ContainerHealth,
    /// The application in it answers: right or wrong; None while it boots or is gone.
    pub answers: Option<bool>,
    #[serde(default)]
    pub work: super::images::Work,
}

/// A task set of a service whose deployments someone else controls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskSet {
    pub id: String,
    pub arn: String,
    pub revision: String,
    pub primary: bool,
    pub scale: f64,
    pub external_id: Option<String>,
    pub created: Millis,
    pub updated: Millis,
    pub tags: Tags,
}

impl State {
    pub fn zone_of_address(&self, address: &str) -> Option<String> {
        self.tasks.get(self.addresses.get(address)?).map(|task| task.zone.clone())
    }

    /// `arn:…:task-definition/family:3` → the definition.
    pub fn definition(&self, arn: &str) -> Option<&TaskDefinition> {
        let (family, revision) = arn.rsplit_once('/')?.1.rsplit_once(':')?;
        self.families.get(family)?.revisions.get(&revision.parse().ok()?)
    }

    /// Numbers that grow, wide like AWS's (deployment and revision ids have 19 digits).
    pub fn next_number(&mut self, random: u64) -> u64 {
        self.sequence += 1;
        1_000_000_000_000_000_000 + self.sequence * 1_000_000_000 + random % 1_000_000_000
    }
}

impl Revision {
    /// The target group that a load balancer's tasks are in.
    pub fn group<'a>(&'a self, balancer: &'a Json) -> Option<&'a str> {
        let declared = balancer.get("targetGroupArn")?.as_str()?;
        Some(self.resolved.get(declared).map_or(declared, String::as_str))
    }
}

impl Service {
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.first()
    }

    /// The revision that serves: of the primary deployment, or of CodeDeploy's primary task set.
    pub fn revision(&self) -> Option<&String> {
        let set = self.task_sets.iter().find(|set| set.primary);
        set.map(|set| &set.revision).or(self.primary().map(|one| &one.revision))
    }

    /// `ROLLING` and the like.
    pub fn percent(&self, name: &str, default: i64) -> i64 {
        self.deployment_configuration.get(name).and_then(Json::as_i64).unwrap_or(default)
    }
}

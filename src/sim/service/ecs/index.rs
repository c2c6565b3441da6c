//! What placement and scaling look up, so that neither has to look at every host: free room by class of
//! host, tasks of a group by host, hosts of a capacity provider. Derived; built anew when a world is loaded.

use super::model::{Host, State, Task, TaskStatus};
use serde::{Deserialize, Deserializer};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Hosts that are alike in all that requirements and constraints ask for.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    pub provider: Option<String>,
    pub zone: String,
    pub cpu: i64,
    pub memory: i64,
    /// Room for a task with its own network interface.
    pub interface: bool,
    attributes: BTreeMap<String, Option<String>>,
}

impl Class {
    fn of(host: &Host) -> Class {
        Class {
            provider: host.provider.clone(),
            zone: host.zone.clone(),
            cpu: host.cpu,
            memory: host.memory,
            interface: host.used_interfaces < host.interfaces,
            attributes: host.attributes.clone(),
        }
    }

    fn has(&self, host: &Host) -> bool {
        self.interface == (host.used_interfaces < host.interfaces)
            && (self.cpu, self.memory) == (host.cpu, host.memory)
            && self.provider == host.provider
            && self.zone == host.zone
            && self.attributes == host.attributes
    }
}

/// A class that all its hosts share, so that it is seldom compared member by member.
#[derive(Clone, Debug)]
struct Shared(Arc<Class>);

impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Shared {}

impl PartialOrd for Shared {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Shared {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

/// Free CPU → used memory → hosts.
pub type Room = BTreeMap<i64, BTreeMap<i64, BTreeSet<String>>>;

/// Where a host stands in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    cluster: String,
    /// None while it is draining or without its agent: nothing is placed there.
    room: Option<(Shared, i64, i64)>,
    provider: Option<String>,
    busy: bool,
    load: Load,
}

/// CPU units and MiB of memory: what tasks have, of what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub cpu: (i64, i64),
    pub memory: (i64, i64),
}

impl Load {
    fn of(host: &Host) -> Load {
        Load { cpu: (host.used_cpu, host.cpu), memory: (host.used_memory, host.memory) }
    }

    fn add(&mut self, other: Load, sign: i64) {
        let pairs = [(&mut self.cpu, other.cpu), (&mut self.memory, other.memory)];
        for (sum, one) in pairs {
            *sum = (sum.0 + sign * one.0, sum.1 + sign * one.1);
        }
    }
}

/// The hosts of a capacity provider.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    pub hosts: BTreeSet<String>,
    /// Not draining, with tasks other than daemons.
    pub busy: i64,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// By cluster.
    rooms: BTreeMap<String, BTreeMap<Shared, Room>>,
    places: BTreeMap<String, Place>,
    /// Of all hosts of a cluster together.
    loads: BTreeMap<String, Load>,
    fleets: BTreeMap<String, Fleet>,
    /// Cluster → services with the DAEMON strategy.
    daemons: BTreeMap<String, BTreeSet<String>>,
    /// Cluster → group → host → wanted tasks.
    groups: BTreeMap<String, BTreeMap<String, BTreeMap<String, usize>>>,
    /// Service → its tasks that are RUNNING.
    running: BTreeMap<String, i64>,
}

/// The state of ECS with its index.
pub fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
    let mut state = State::deserialize(deserializer)?;
    state.index = Index::of(&state);
    Ok(state)
}

impl Index {
    pub fn of(state: &State) -> Index {
        let mut index = Index::default();
        for host in state.hosts.values() {
            index.add(state, host);
        }
        for service in state.services.values().filter(|service| service.daemon) {
            index.daemons.entry(service.cluster.clone()).or_default().insert(service.arn.clone());
        }
        for task in state.tasks.values().filter(|task| task.status == TaskStatus::Running) {
            index.count_running(task.service.as_deref(), 1);
        }
        for task in state.tasks.values().filter(|task| task.wanted) {
            if let Some(host) = &task.host {
                index.settle(&task.cluster, &task.group, host);
            }
        }
        index
    }

    pub fn room(&self, cluster: &str) -> impl Iterator<Item = (&Class, &Room)> {
        self.rooms.get(cluster).into_iter().flatten().map(|(class, room)| (&*class.0, room))
    }

    pub fn load(&self, cluster: &str) -> Load {
        self.loads.get(cluster).copied().unwrap_or_default()
    }

    fn count_load(&mut self, cluster: &str, load: Load, sign: i64) {
        let sum = match self.loads.get_mut(cluster) {
            Some(sum) => sum,
            None => self.loads.entry(cluster.to_owned()).or_default(),
        };
        sum.add(load, sign);
        if *sum == Load::default() {
            self.loads.remove(cluster);
        }
    }

    pub fn fleet(&self, provider: &str) -> Option<&Fleet> {
        self.fleets.get(provider)
    }

    /// Host → wanted tasks of this group on it.
    pub fn neighbours(&self, cluster: &str, group: &str) -> Option<&BTreeMap<String, usize>> {
        self.groups.get(cluster)?.get(group)
    }

    pub fn running(&self, service: &str) -> i64 {
        self.running.get(service).copied().unwrap_or(0)
    }

    fn count_running(&mut self, service: Option<&str>, by: i64) {
        let Some(service) = service else { return };
        let count = match self.running.get_mut(service) {
            Some(count) => count,
            None => self.running.entry(service.to_owned()).or_default(),
        };
        *count += by;
        if *count == 0 {
            self.running.remove(service);
        }
    }

    pub fn daemons(&self, cluster: &str) -> Vec<String> {
        self.daemons.get(cluster).into_iter().flatten().cloned().collect()
    }

    fn add(&mut self, state: &State, host: &Host) {
        let room = takes_tasks(host).then(|| {
            let class = self.shared(&host.cluster, Class::of(host));
            (class, host.cpu - host.used_cpu, host.used_memory)
        });
        let busy = is_busy(state, host);
        let load = Load::of(host);
        self.count_load(&host.cluster, load, 1);
        let place =
            Place { cluster: host.cluster.clone(), room, provider: host.provider.clone(), busy, load };
        if let Some((class, cpu, memory)) = &place.room {
            self.enter_room(&place.cluster, class, *cpu, *memory, &host.arn);
        }
        if let Some(provider) = &place.provider {
            let fleet = self.fleets.entry(provider.clone()).or_default();
            fleet.hosts.insert(host.arn.clone());
            fleet.busy += i64::from(busy);
        }
        self.places.insert(host.arn.clone(), place);
    }

    fn remove(&mut self, arn: &str) {
        let Some(place) = self.places.remove(arn) else { return };
        self.count_load(&place.cluster, place.load, -1);
        if let Some((class, cpu, memory)) = &place.room {
            self.leave_room(&place.cluster, class, *cpu, *memory, arn);
        }
        if let Some(provider) = &place.provider
            && let Some(fleet) = self.fleets.get_mut(provider)
        {
            fleet.hosts.remove(arn);
            fleet.busy -= i64::from(place.busy);
            if fleet.hosts.is_empty() {
                self.fleets.remove(provider);
            }
        }
    }

    /// The host has only more or fewer tasks than before. False: something else about it is new.
    fn moved(&mut self, state: &State, host: &Host) -> bool {
        let Some(place) = self.places.get_mut(&host.arn) else { return false };
        if place.cluster != host.cluster || place.provider != host.provider {
            return false;
        }
        let left = match &mut place.room {
            Some((class, cpu, memory)) if takes_tasks(host) && class.0.has(host) => {
                let now = (host.cpu - host.used_cpu, host.used_memory);
                let before = (std::mem::replace(cpu, now.0), std::mem::replace(memory, now.1));
                (before != now).then(|| (class.clone(), before, now))
            }
            None if !takes_tasks(host) => None,
            _ => return false,
        };
        let was_busy = std::mem::replace(&mut place.busy, is_busy(state, host));
        let by = i64::from(place.busy) - i64::from(was_busy);
        if let Some(fleet) = host.provider.as_ref().and_then(|provider| self.fleets.get_mut(provider)) {
            fleet.busy += by;
        }
        let load = std::mem::replace(&mut place.load, Load::of(host));
        self.count_load(&host.cluster, load, -1);
        self.count_load(&host.cluster, Load::of(host), 1);
        if let Some((class, before, now)) = left {
            self.leave_room(&host.cluster, &class, before.0, before.1, &host.arn);
            self.enter_room(&host.cluster, &class, now.0, now.1, &host.arn);
        }
        true
    }

    /// The class as other hosts of the cluster have it already.
    fn shared(&self, cluster: &str, class: Class) -> Shared {
        let class = Shared(Arc::new(class));
        let known = self.rooms.get(cluster).and_then(|rooms| rooms.get_key_value(&class));
        known.map(|(known, _)| known.clone()).unwrap_or(class)
    }

    fn enter_room(&mut self, cluster: &str, class: &Shared, cpu: i64, memory: i64, arn: &str) {
        if !self.rooms.contains_key(cluster) {
            self.rooms.insert(cluster.to_owned(), BTreeMap::new());
        }
        let Some(rooms) = self.rooms.get_mut(cluster) else { return };
        let row = rooms.entry(class.clone()).or_default().entry(cpu).or_default();
        row.entry(memory).or_default().insert(arn.to_owned());
    }

    fn leave_room(&mut self, cluster: &str, class: &Shared, cpu: i64, memory: i64, arn: &str) {
        let Some(rooms) = self.rooms.get_mut(cluster) else { return };
        let Some(room) = rooms.get_mut(class) else { return };
        if let Some(row) = room.get_mut(&cpu) {
            if let Some(hosts) = row.get_mut(&memory) {
                hosts.remove(arn);
                if hosts.is_empty() {
                    row.remove(&memory);
                }
            }
            if row.is_empty() {
                room.remove(&cpu);
            }
        }
        if room.is_empty() {
            rooms.remove(class);
        }
        if rooms.is_empty() {
            self.rooms.remove(cluster);
        }
    }

    /// A task of the group has this host.
    pub fn settle(&mut self, cluster: &str, group: &str, host: &str) {
        let hosts = self.groups.get_mut(cluster).and_then(|groups| groups.get_mut(group));
        if let Some(count) = hosts.and_then(|hosts| hosts.get_mut(host)) {
            *count += 1;
            return;
        }
        let groups = self.groups.entry(cluster.to_owned()).or_default();
        groups.entry(group.to_owned()).or_default().insert(host.to_owned(), 1);
    }

    /// A task of the group there is not wanted any more.
    pub fn unsettle(&mut self, cluster: &str, group: &str, host: &str) {
        let Some(groups) = self.groups.get_mut(cluster) else { return };
        let Some(hosts) = groups.get_mut(group) else { return };
        if let Some(count) = hosts.get_mut(host) {
            *count -= 1;
            if *count == 0 {
                hosts.remove(host);
            }
        }
        if hosts.is_empty() {
            groups.remove(group);
        }
        if groups.is_empty() {
            self.groups.remove(cluster);
        }
    }
}

/// Neither draining nor without its agent.
fn takes_tasks(host: &Host) -> bool {
    !host.draining && !host.disconnected
}

/// It holds tasks other than daemons, and may get more.
fn is_busy(state: &State, host: &Host) -> bool {
    !host.draining && host.tasks.iter().any(|task| !state.is_daemon(task))
}

impl State {
    /// To be called after every change of a host, and after its removal.
    pub fn host_changed(&mut self, arn: &str) {
        let mut index = std::mem::take(&mut self.index);
        let host = self.hosts.get(arn);
        if !host.is_some_and(|host| index.moved(self, host)) {
            index.remove(arn);
            if let Some(host) = host {
                index.add(self, host);
            }
        }
        self.index = index;
    }

    /// To be called when a service is made, and when it is forgotten.
    pub fn service_changed(&mut self, cluster: &str, arn: &str) {
        let daemons = self.index.daemons.entry(cluster.to_owned()).or_default();
        if self.services.get(arn).is_some_and(|service| service.daemon) {
            daemons.insert(arn.to_owned());
        } else {
            daemons.remove(arn);
        }
        self.index.daemons.retain(|_, services| !services.is_empty());
    }

    /// The only way to change a task's status.
    pub fn set_status(&mut self, task: &str, status: TaskStatus) -> Option<&mut Task> {
        let task = self.tasks.get_mut(task)?;
        let before = std::mem::replace(&mut task.status, status);
        let runs = |status| i64::from(status == TaskStatus::Running);
        if runs(before) != runs(status) {
            self.index.count_running(task.service.as_deref(), runs(status) - runs(before));
        }
        Some(task)
    }

    /// To be called when a task stops being wanted.
    pub fn task_unwanted(&mut self, arn: &str) {
        let Some(task) = self.tasks.get(arn) else { return };
        if let Some(host) = &task.host {
            self.index.unsettle(&task.cluster, &task.group, host);
        }
    }

    pub fn is_daemon(&self, task: &str) -> bool {
        let service = self.tasks.get(task).and_then(|task| task.service.as_ref());
        service.and_then(|arn| self.services.get(arn)).is_some_and(|service| service.daemon)
    }
}

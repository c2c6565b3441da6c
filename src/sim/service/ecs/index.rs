//! What placement and scaling look up, so that neither has to look at every host: free room by class of
//! host, tasks of a group by host, hosts of a capacity provider. Derived; built anew when a world is loaded.

use super::model::{Host, State};
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, BTreeSet};

/// Hosts that are alike in all that requirements and constraints ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    pub provider: Option<String>,
    pub zone: String,
    pub cpu: i64,
    pub memory: i64,
    /// Room for a task with its own network interface.
    pub interface: bool,
    attributes: BTreeMap<String, Option<String>>,
}

/// Free CPU → used memory → hosts.
pub type Room = BTreeMap<i64, BTreeMap<i64, BTreeSet<String>>>;

/// Where a host stands in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    cluster: String,
    /// None while it is draining or without its agent: nothing is placed there.
    room: Option<(Class, i64, i64)>,
    provider: Option<String>,
    busy: bool,
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
    rooms: BTreeMap<String, BTreeMap<Class, Room>>,
    places: BTreeMap<String, Place>,
    fleets: BTreeMap<String, Fleet>,
    /// Cluster → services with the DAEMON strategy.
    daemons: BTreeMap<String, BTreeSet<String>>,
    /// Cluster → group → host → wanted tasks.
    groups: BTreeMap<String, BTreeMap<String, BTreeMap<String, usize>>>,
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
        for task in state.tasks.values().filter(|task| task.wanted) {
            if let Some(host) = &task.host {
                index.settle(&task.cluster, &task.group, host);
            }
        }
        index
    }

    pub fn room(&self, cluster: &str) -> impl Iterator<Item = (&Class, &Room)> {
        self.rooms.get(cluster).into_iter().flatten()
    }

    pub fn fleet(&self, provider: &str) -> Option<&Fleet> {
        self.fleets.get(provider)
    }

    /// Host → wanted tasks of this group on it.
    pub fn neighbours(&self, cluster: &str, group: &str) -> Option<&BTreeMap<String, usize>> {
        self.groups.get(cluster)?.get(group)
    }

    pub fn daemons(&self, cluster: &str) -> Vec<String> {
        self.daemons.get(cluster).into_iter().flatten().cloned().collect()
    }

    fn add(&mut self, state: &State, host: &Host) {
        let room = (!host.draining && !host.disconnected).then(|| {
            let class = Class {
                provider: host.provider.clone(),
                zone: host.zone.clone(),
                cpu: host.cpu,
                memory: host.memory,
                interface: host.used_interfaces < host.interfaces,
                attributes: host.attributes.clone(),
            };
            (class, host.cpu - host.used_cpu, host.used_memory)
        });
        let busy = !host.draining && host.tasks.iter().any(|task| !state.is_daemon(task));
        let place = Place { cluster: host.cluster.clone(), room, provider: host.provider.clone(), busy };
        if let Some((class, cpu, memory)) = &place.room {
            let rooms = self.rooms.entry(host.cluster.clone()).or_default();
            let row = rooms.entry(class.clone()).or_default().entry(*cpu).or_default();
            row.entry(*memory).or_default().insert(host.arn.clone());
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

    fn leave_room(&mut self, cluster: &str, class: &Class, cpu: i64, memory: i64, arn: &str) {
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
        let groups = self.groups.entry(cluster.to_owned()).or_default();
        *groups.entry(group.to_owned()).or_default().entry(host.to_owned()).or_default() += 1;
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

impl State {
    /// To be called after every change of a host, and after its removal.
    pub fn host_changed(&mut self, arn: &str) {
        let mut index = std::mem::take(&mut self.index);
        index.remove(arn);
        if let Some(host) = self.hosts.get(arn) {
            index.add(self, host);
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

//! Hosts of a group that is refreshed: whether the new ones join their cluster, and the old ones get rid of their
//! tasks. An instance refresh looks at neither.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// A host that boots well is in its cluster after a few minutes.
const JOINING: SignedDuration = SignedDuration::from_mins(10);
/// A task that can run elsewhere does so after a few minutes, even if its image is large.
const DRAINING: SignedDuration = SignedDuration::from_mins(20);

/// One look at an instance of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Of the new version, in service, and no container instance.
    NotJoined,
    /// About to go, with so many tasks.
    Draining(i64),
}

/// Since when which instance is in which state.
#[derive(Clone, Debug, Default)]
pub struct Hosts(BTreeMap<String, (State, Timestamp)>);

impl Hosts {
    pub fn note(&mut self, seen: BTreeMap<String, State>, now: Timestamp) {
        let before = std::mem::take(&mut self.0);
        self.0 = seen
            .into_iter()
            .map(|(id, state)| {
                let since = before.get(&id).filter(|(was, _)| *was == state).map_or(now, |(_, since)| *since);
                (id, (state, since))
            })
            .collect();
    }

    /// All are where they shall be.
    pub fn are_settled(&self) -> bool {
        self.0.is_empty()
    }

    /// Why the rollout must not go on.
    pub fn red(&self, now: Timestamp) -> Option<String> {
        let stuck = |patience: SignedDuration, of: fn(&State) -> bool| -> Vec<&str> {
            let late = self
                .0
                .iter()
                .filter(|(_, (state, since))| of(state) && now.duration_since(*since) > patience);
            late.map(|(id, _)| id.as_str()).collect()
        };
        let absent = stuck(JOINING, |state| *state == State::NotJoined);
        if !absent.is_empty() {
            return Some(format!(
                "{} in service for {} min and not in the cluster: look at its user data, its role and its way to ECS",
                absent.join(", "),
                JOINING.as_mins()
            ));
        }
        let full = stuck(DRAINING, |state| matches!(state, State::Draining(_)));
        (!full.is_empty()).then(|| {
            format!("the tasks of {} have not moved for {} min", full.join(", "), DRAINING.as_mins())
        })
    }
}

impl std::fmt::Display for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let joining = self.0.values().filter(|(state, _)| *state == State::NotJoined).count();
        let tasks: i64 = self
            .0
            .values()
            .map(|(state, _)| if let State::Draining(tasks) = state { *tasks } else { 0 })
            .sum();
        let mut parts = Vec::new();
        if joining > 0 {
            parts.push(format!("{joining} not in the cluster yet"));
        }
        if self.0.len() > joining {
            parts.push(format!("{} draining with {tasks} tasks", self.0.len() - joining));
        }
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn one(state: State) -> BTreeMap<String, State> {
        [("i-1".to_owned(), state)].into()
    }

    #[test]
    fn a_host_that_does_not_join_is_red() {
        let mut hosts = Hosts::default();
        hosts.note(one(State::NotJoined), at(0));
        hosts.note(one(State::NotJoined), at(9));
        assert_eq!((hosts.red(at(9)), hosts.to_string().as_str()), (None, "1 not in the cluster yet"));
        assert!(hosts.red(at(11)).is_some_and(|why| why.starts_with("i-1 in service for 10 min")));
        hosts.note(BTreeMap::new(), at(11));
        assert!(hosts.are_settled() && hosts.red(at(99)).is_none());
    }

    #[test]
    fn tasks_that_move_are_no_standstill() {
        let mut hosts = Hosts::default();
        for (minute, tasks) in [(0, 3), (15, 2), (30, 1)] {
            hosts.note(one(State::Draining(tasks)), at(minute));
            assert_eq!(hosts.red(at(minute)), None);
        }
        assert!(hosts.red(at(51)).is_some_and(|why| why.contains("have not moved for 20 min")));
        assert_eq!(hosts.to_string(), "1 draining with 1 tasks");
    }
}

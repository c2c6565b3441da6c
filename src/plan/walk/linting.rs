//! What is likely to go wrong with the changes, with what of AWS that takes to know.

use super::Walk;
use crate::aws::AwsError;
use crate::plan::Change;
use crate::plan::check::{Unproven, check};
use crate::plan::lint::{Live, lint, needs, pools};
use crate::plan::schedule::schedule;
use std::sync::Arc;

impl Walk<'_> {
    /// All findings; those that guards accept say so.
    pub(super) async fn lint(&mut self) {
        let guards = self.guards();
        let changes: Vec<_> = self.changes.values().cloned().collect();
        let live = self.look_for_lints(&changes).await;
        let unproven = self.unproven();
        for (address, found) in lint(&changes, &guards, &live, &unproven) {
            let header = self.find_resource(&address).map(|(_, resource)| resource.header);
            self.diags.push(match header {
                Some(header) => found.at(header),
                None => found,
            });
        }
    }

    /// What the order of the steps does not rule out. Where all is new, nothing can be lost.
    fn unproven(&self) -> Vec<Unproven> {
        let changes = self.plan().changes;
        if !changes.iter().any(|c| c.before.is_some() && !c.is_nothing()) {
            return Vec::new();
        }
        check(&schedule(self.graph, &changes), &changes)
    }

    async fn look_for_lints(&self, changes: &[Arc<Change>]) -> Live {
        let mut live = Live::default();
        for (provider, needs) in needs(changes) {
            for (cluster, detail) in needs.clusters {
                let hosts = self.provider.hosts(&provider, &cluster, detail).await;
                live.hosts.extend(seen("hosts", hosts).map(|hosts| (cluster, hosts)));
            }
            let (alarms, groups): (Vec<_>, Vec<_>) =
                (needs.alarms.into_iter().collect(), needs.groups.into_iter().collect());
            live.alarms
                .extend(seen("alarms", self.provider.alarms(&provider, &alarms).await).unwrap_or_default());
            let healthy = self.provider.healthy_targets(&provider, &groups).await;
            live.healthy.extend(seen("targets", healthy).unwrap_or_default());
            for bump in needs.bumps {
                let (template, from, to) = (&bump.template, &bump.from, &bump.to);
                let alike = self.provider.launch_alike(&provider, template, [from, to]).await;
                live.alike.extend(seen("launch templates", alike).filter(|alike| *alike).map(|_| bump));
            }
        }
        for (provider, pools) in pools(changes, &live) {
            let vcpus = self.provider.vcpus(&provider, &pools).await;
            live.vcpus.insert(provider, vcpus.map_err(|e| format!("{}: {}", e.operation, e.code)));
        }
        live
    }
}

/// A finding less is no reason to plan nothing: not everybody may look at everything.
fn seen<T>(what: &str, answer: Result<T, AwsError>) -> Option<T> {
    answer.inspect_err(|error| tracing::warn!("{what} are not looked at: {error}")).ok()
}

//! Provisioners around a change: after its creation, before its destruction.

use super::executor::Executor;
use super::{Event, Failure, local_exec};
use crate::diag::Diagnostics;
use crate::plan::{Action, Change, Reason};
use crate::state::journal::Entry;
use crate::value::Value;

impl Executor<'_, '_> {
    /// Commands after a creation. Until all have run, the resource counts as damaged: killed or failed in
    /// between, the next plan replaces it.
    pub(super) async fn provision_created(&self, change: &Change) -> Result<(), Failure> {
        if self.walk.borrow().provisioners(&change.address, false).is_empty() {
            return Ok(());
        }
        let this = self.walk.borrow().value_of(&change.address);
        let marked = |tainted| Entry::Tainted { address: change.address.clone(), tainted };
        self.record(&marked(true))?;
        self.provision(change, false, this).await?;
        self.record(&marked(false))
    }

    /// Commands before a destruction; not for what is damaged, nor for what its replacement already stands
    /// in for.
    pub(super) async fn provision_destroyed(&self, change: &Change) -> Result<(), Failure> {
        let replaced = change.action == Action::Replace && change.create_before_destroy;
        let damaged = self.walk.borrow().state.resources.get(&change.address).is_none_or(|r| r.tainted);
        if replaced || damaged || change.reason == Some(Reason::Deposed) {
            return Ok(());
        }
        let this = change.before.clone().unwrap_or_default();
        self.provision(change, true, this.into()).await
    }

    async fn provision(&self, change: &Change, on_destroy: bool, this: Value) -> Result<(), Failure> {
        let count = self.walk.borrow().provisioners(&change.address, on_destroy).len();
        for i in 0..count {
            let (command, continues) = {
                let walk = self.walk.borrow();
                let provisioner = walk.provisioners(&change.address, on_destroy)[i];
                let mut diags = Diagnostics::default();
                let command = walk.local_command(&change.address, provisioner, this.clone(), &mut diags);
                let command = command.filter(|_| !diags.has_errors()).ok_or(Failure::Config(diags))?;
                (command, provisioner.continues)
            };
            let show = |line: String| (self.events)(Event::Output { address: change.address.clone(), line });
            match local_exec::run(&command, &show).await {
                Err(error) if continues => show(format!("{}; going on all the same", error.message)),
                ended => ended.map_err(|error| self.aws(change, error))?,
            }
        }
        Ok(())
    }
}

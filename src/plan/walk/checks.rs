//! `check` blocks: asserts that only warn, looked at while planning and again at the end of an apply.

use super::modules::condition;
use super::{Purpose, Walk, WalkError};
use crate::addr::{Mode, ModulePath};
use crate::config::Check;
use crate::diag::{Diagnostic, Diagnostics, Severity};
use crate::graph::{ModuleId, Node};
use crate::lang::eval::eval;
use crate::plan::values::Repeated;
use crate::plan::{CheckResult, CheckStatus};
use std::sync::Arc;

impl Walk<'_> {
    pub(super) fn check(&mut self, id: ModuleId, name: &Arc<str>) {
        // What it asserts is about values; as in Terraform.
        if self.purpose == Purpose::Destroy || self.blank {
            return;
        }
        let check = &self.graph.modules[id].module.checks[name];
        for path in self.values.paths(id) {
            let mut found = Diagnostics::default();
            let status = self.asserts(id, &path, check, &mut found);
            let dot = if path.is_root() { "" } else { "." };
            let address = format!("{path}{dot}check.{name}");
            let problems =
                found.iter().filter(|d| d.code == "failed-check").map(|d| d.detail.clone()).collect();
            self.checks.insert(address, CheckResult { status, problems });
            if self.purpose == Purpose::Validate {
                // Nothing is known: only mistakes count.
                let mistakes =
                    found.into_iter().filter(|d| d.severity == Severity::Error && d.code != "failed-check");
                self.diags.extend(mistakes);
            } else {
                self.diags.extend(found.into_iter().map(as_warning));
            }
        }
    }

    fn asserts(
        &self,
        id: ModuleId,
        path: &ModulePath,
        check: &Check,
        found: &mut Diagnostics,
    ) -> CheckStatus {
        let scope = self.scope(id, path, Repeated::default());
        let mut status = CheckStatus::Pass;
        for assert in &check.asserts {
            let mut own = Diagnostics::default();
            let summary = format!("check `{}` failed", check.name);
            condition(assert, &scope, &mut own, "failed-check", &summary, |d| d);
            if own.has_errors() {
                status = CheckStatus::Fail;
            } else if eval(&assert.condition, &scope, &mut Diagnostics::default()).is_unknown() {
                status = status.max(CheckStatus::Unknown);
                own.push(
                    Diagnostic::warning(
                        "unknown-check",
                        format!("check `{}` is known only after apply", check.name),
                    )
                    .label(assert.condition.span, "this is not known yet"),
                );
            }
            found.extend(own);
        }
        status
    }

    /// At the end of an apply: reads what the checks look at, and says what does not hold.
    pub async fn check_again(&mut self) -> Result<Diagnostics, WalkError> {
        if self.purpose == Purpose::Destroy {
            return Ok(Diagnostics::default());
        }
        let before = std::mem::take(&mut self.diags);
        self.settled = true;
        let checks: Vec<(ModuleId, Arc<str>)> = self
            .graph
            .nodes()
            .filter_map(|node| match node {
                Node::Check(id, name) => Some((*id, name.clone())),
                _ => None,
            })
            .collect();
        for (id, name) in checks {
            let data = self.graph.modules[id].module.checks[&name].data.clone();
            if let Some(key) = data.filter(|k| k.mode == Mode::Data) {
                let reads = self.plan_data(id, &key);
                self.read_data(reads).await?;
            }
            self.check(id, &name);
        }
        Ok(std::mem::replace(&mut self.diags, before))
    }
}

/// What goes wrong in a check stops nobody.
pub(super) fn as_warning(mut d: Diagnostic) -> Diagnostic {
    d.severity = Severity::Warning;
    d
}

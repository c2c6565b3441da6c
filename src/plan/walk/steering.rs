//! `rollout`, `probe` and `guard` blocks: evaluated, and written into what they steer.

use super::Walk;
use crate::addr::{Address, Mode, ModulePath};
use crate::config::body::desired;
use crate::config::{Steering, SteeringKind};
use crate::diag::{Diagnostic, Diagnostics, nearest};
use crate::graph::{ModuleId, Node};
use crate::lang::syntax::Body;
use crate::plan::staging::staged;
use crate::plan::values::Repeated;
use crate::rollout::settings::{self, Guard, Probe, Settings};
use crate::schema::Object;
use crate::value::Value;
use std::sync::Arc;

impl Walk<'_> {
    pub(super) fn steer(&mut self, id: ModuleId, name: &Arc<str>) {
        let steering = &self.graph.modules[id].module.steering[name];
        let schema = match steering.kind {
            SteeringKind::Rollout { .. } => settings::ROLLOUT,
            SteeringKind::Probe => settings::PROBE,
            SteeringKind::Guard => settings::GUARD,
        };
        // Its own: mistakes elsewhere do not keep this block from being looked at as a whole.
        let mut diags = Diagnostics::default();
        let root = ModulePath::root();
        let scope = self.scope(id, &root, Repeated::default());
        let object = desired(&schema, &steering.body, steering.header, &scope, &mut diags);
        self.check_probes(&steering.body, &mut diags);
        self.check_alone(name, steering, &mut diags);
        self.diags.extend(diags);
        self.steering.insert(name.clone(), object);
    }

    /// Whether the probes that gates name are declared.
    fn check_probes(&self, body: &Body, diags: &mut Diagnostics) {
        let known = |name: &str| self.steering_blocks().any(|(key, _)| **key == *format!("probe.{name}"));
        let named = body.blocks_of("gate").filter_map(|gate| gate.body.attribute("probe"));
        for attribute in named {
            let Some(name) = crate::config::constant_string(&attribute.expr).filter(|name| !known(name))
            else {
                continue;
            };
            let probes = self.steering_blocks().filter_map(|(key, _)| key.strip_prefix("probe."));
            let d = Diagnostic::error("undeclared", format!("there is no probe `{name}`"))
                .at(attribute.expr.span);
            diags.push(match nearest(&name, probes) {
                Some(near) => d.help(format!("did you mean `probe.{near}`?")),
                None => d.help(format!("declare it: `probe \"{name}\" {{ url = \"http://…\" }}`")),
            });
        }
    }

    /// One resource has one rollout.
    fn check_alone(&self, name: &Arc<str>, steering: &Steering, diags: &mut Diagnostics) {
        let SteeringKind::Rollout { target } = &steering.kind else { return };
        let place = target.to_string();
        let first = self.steering_blocks().take_while(|(key, _)| *key != name).find(|(_, other)| {
            matches!(&other.kind, SteeringKind::Rollout { target } if target.to_string() == place)
        });
        if let Some((_, first)) = first {
            diags.push(
                Diagnostic::error("duplicate", format!("`{place}` has two rollouts"))
                    .label(steering.header, "declared again here")
                    .label(first.header, "first declared here")
                    .help("keep one of them"),
            );
        }
    }

    fn steering_blocks(&self) -> impl Iterator<Item = (&Arc<str>, &Steering)> {
        self.graph.modules[0].module.steering.iter()
    }

    /// The rollout block of a resource; that of a launch template is its groups'.
    fn rollout_block(&self, address: &Address) -> Option<(&Arc<str>, &Steering)> {
        let rollout_of = |(_, steering): &(&Arc<str>, &Steering)| match &steering.kind {
            SteeringKind::Rollout { target } => target.covers(address),
            _ => false,
        };
        self.steering_blocks().find(rollout_of).or_else(|| {
            let group = &*address.type_name == "aws_autoscaling_group" && address.mode == Mode::Managed;
            let (id, resource) = self.find_resource(address).filter(|_| group)?;
            let made_from = self.resource_dependencies(&Node::Resource(id, resource.key.clone()));
            self.steering_blocks().find(|(_, steering)| match &steering.kind {
                SteeringKind::Rollout { target } => {
                    let template = target.resource.as_ref().is_some_and(|(k, _)| &*k.type_name == TEMPLATE);
                    template && made_from.contains(&target.to_string())
                }
                _ => false,
            })
        })
    }

    /// How a resource rolls out, as far as that is known now.
    pub fn rollout_settings(&self, address: &Address) -> Option<Settings> {
        let (key, steering) = self.rollout_block(address)?;
        Some(Settings::of(&steering.name, self.steering.get(key)?))
    }

    /// Whether all that the gates of a resource's rollout look at is known.
    pub fn rollout_is_known(&self, address: &Address) -> bool {
        let block = self.rollout_block(address).and_then(|(key, _)| self.steering.get(key));
        block.is_none_or(|block| block.0.values().all(Value::is_wholly_known))
    }

    /// Writes what a rollout block asks for into what is wanted of the resource.
    pub(super) fn tune(&self, address: &Address, wanted: &mut Object, diags: &mut Diagnostics) {
        let Some((key, steering)) = self.rollout_block(address) else { return };
        let Some(block) = self.steering.get(key) else { return };
        let SteeringKind::Rollout { target } = &steering.kind else { return };
        if &*address.type_name == TEMPLATE {
            return;
        }
        let settings = Settings::of(&steering.name, block);
        if let Err(why) = self.provider.tune(&address.type_name, wanted, &settings) {
            let problem = format!("{address} cannot roll out as `rollout \"{}\"` asks: {why}", steering.name);
            diags.push(
                Diagnostic::error("invalid-rollout", problem)
                    .at(steering.header)
                    .label(target.span, "this is what it is for")
                    .help("correct the block, or remove it: without one the resource rolls out safely by itself"),
            );
        }
    }

    /// Probes that can be sent now.
    pub fn probes(&self) -> Vec<Probe> {
        let probes = self.steering_blocks().filter(|(_, s)| matches!(s.kind, SteeringKind::Probe));
        probes.filter_map(|(key, s)| Probe::of(&s.name, self.steering.get(key)?)).collect()
    }

    pub fn guards(&self) -> Vec<Guard> {
        let guards = self.steering_blocks().filter(|(_, s)| matches!(s.kind, SteeringKind::Guard));
        guards.filter_map(|(key, s)| Guard::of(&s.name, self.steering.get(key)?)).collect()
    }

    /// Puts what must be done first into the rollouts of those between whom traffic moves.
    pub(super) fn stage(&mut self) {
        let changes: Vec<_> = self.changes.values().cloned().collect();
        for change in staged(&changes, self.provider) {
            self.changes.insert(change.address.clone(), Arc::new(change));
        }
    }
}

const TEMPLATE: &str = "aws_launch_template";

//! What of a plan was asked for: targets, forced replacements, whether to read what is live.

use super::{Purpose, Walk};
use crate::addr::{Address, AddressError, InstanceKey, ModulePath};
use crate::diag::Diagnostic;
use crate::graph::Node;
use crate::plan::Action;
use crate::state::without_keys;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Empty: everything.
    #[serde(default)]
    pub targets: Vec<Target>,
    #[serde(default)]
    pub replace: BTreeSet<Address>,
    /// Whether to ask the cloud about what the state has.
    #[serde(default = "yes")]
    pub refresh: bool,
}

fn yes() -> bool {
    true
}

impl Default for Options {
    fn default() -> Self {
        Self { targets: Vec::new(), replace: BTreeSet::new(), refresh: true }
    }
}

/// `module.web`, `aws_vpc.main`, `module.web["a"].aws_lb.this[0]`: without a key, all instances are meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    Module(ModulePath),
    Resource(Address),
}

impl FromStr for Target {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let resource = Address::from_str(text);
        // A path of modules is an address that lacks the resource.
        match Address::from_str(&format!("{text}.any.any")) {
            Ok(module) if resource.is_err() && !module.module.is_root() && &*module.type_name == "any" => {
                Ok(Target::Module(module.module))
            }
            _ => resource.map(Target::Resource),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Module(path) => path.fmt(f),
            Target::Resource(address) => address.fmt(f),
        }
    }
}

impl Target {
    fn covers(&self, address: &Address) -> bool {
        let same = |wanted: &InstanceKey, key: &InstanceKey| *wanted == InstanceKey::None || wanted == key;
        let modules = |wanted: &ModulePath| {
            let mut pairs = wanted.0.iter().zip(address.module.0.iter());
            wanted.0.len() <= address.module.0.len()
                && pairs.all(|((name, key), (own, own_key))| name == own && same(key, own_key))
        };
        match self {
            Target::Module(path) => modules(path),
            Target::Resource(wanted) => {
                modules(&wanted.module)
                    && wanted.module.0.len() == address.module.0.len()
                    && (wanted.mode, &wanted.type_name, &wanted.name)
                        == (address.mode, &address.type_name, &address.name)
                    && same(&wanted.key, &address.key)
            }
        }
    }

    /// Whether it may cover instances of a declaration, given as in `depends_on`.
    fn names(&self, declaration: &str) -> bool {
        let Ok(address) = declaration.parse::<Address>() else { return false };
        let bare = |path: &ModulePath| {
            ModulePath(path.0.iter().map(|(name, _)| (name.clone(), InstanceKey::None)).collect())
        };
        match self {
            Target::Module(path) => Target::Module(bare(path)).covers(&address),
            Target::Resource(wanted) => {
                let any = Address { module: bare(&wanted.module), key: InstanceKey::None, ..wanted.clone() };
                Target::Resource(any).covers(&address)
            }
        }
    }
}

impl Walk<'_> {
    /// Drops the changes that were not asked for.
    pub(super) fn narrow(&mut self) {
        self.check_replaced();
        if self.options.targets.is_empty() {
            return;
        }
        let wanted = self.wanted_declarations();
        let targets = self.options.targets.clone();
        let asked = |address: &Address| targets.iter().any(|t| t.covers(address));
        let mut left_out = BTreeSet::new();
        self.changes.retain(|address, change| {
            let keep = asked(address) || wanted.contains(&without_keys(address));
            if !keep && change.action != Action::None {
                left_out.insert(without_keys(address));
            }
            keep
        });
        self.deposed.retain(|c| asked(&c.address) || wanted.contains(&without_keys(&c.address)));
        self.left_out = left_out;
        for target in &targets {
            if !self.changes.keys().any(|a| target.covers(a)) {
                self.diags.push(
                    Diagnostic::warning("empty-target", format!("the target `{target}` covers nothing"))
                        .help("see `cutover state list` for what there is"),
                );
            }
        }
        self.diags.push(
            Diagnostic::warning("targeted", "only the targets and what they need are planned")
                .note("the result may not be all that the configuration says")
                .help("use --target for exceptions, and plan without it afterwards"),
        );
    }

    /// Declarations that the targets need; when destroying, those that need the targets.
    fn wanted_declarations(&self) -> BTreeSet<String> {
        let targets = &self.options.targets;
        if self.purpose != Purpose::Destroy {
            let nodes = self.graph.nodes().filter(|n| matches!(n, Node::Resource(..)));
            let named = nodes.filter(|n| targets.iter().any(|t| t.names(&self.graph.describe(n))));
            let needed = named.flat_map(|n| self.graph.resources_needed_all(n));
            return needed.map(|n| self.graph.describe(n)).collect();
        }
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        loop {
            let mut more = wanted.clone();
            for (address, resource) in &self.state.resources {
                let needs_one =
                    |name: &String| wanted.contains(name) || targets.iter().any(|t| t.names(name));
                if resource.depends_on.iter().any(needs_one) {
                    more.insert(without_keys(address));
                }
            }
            if more == wanted {
                return wanted;
            }
            wanted = more;
        }
    }

    fn check_replaced(&mut self) {
        for address in &self.options.replace {
            if self.changes.contains_key(address) {
                continue;
            }
            let names: Vec<String> = self.changes.keys().map(|a| a.to_string()).collect();
            let d = Diagnostic::error(
                "no-such-resource",
                format!("--replace names `{address}`, which is not declared"),
            );
            let near = crate::diag::nearest(&address.to_string(), names.iter().map(String::as_str));
            self.diags.push(match near {
                Some(near) => d.help(format!("did you mean `{near}`?")),
                None => d.help("name one instance, with its key if it has one: aws_instance.web[0]"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(target: &str, address: &str) -> bool {
        target.parse::<Target>().unwrap().covers(&address.parse().unwrap())
    }

    #[test]
    fn targets_without_a_key_cover_all_instances() {
        assert!(covers("aws_vpc.a", "aws_vpc.a[1]"));
        assert!(covers("aws_vpc.a[1]", "aws_vpc.a[1]"));
        assert!(!covers("aws_vpc.a[1]", "aws_vpc.a[0]"));
        assert!(!covers("aws_vpc.a", "module.m.aws_vpc.a"));
        assert!(covers("module.m", "module.m[\"x\"].module.n.aws_vpc.a"));
        assert!(!covers("module.m[\"y\"]", "module.m[\"x\"].aws_vpc.a"));
        assert!(covers("module.m.aws_vpc.a", "module.m[0].aws_vpc.a[1]"));
        assert!(!covers("module.m.module.n", "module.m.aws_vpc.a"));
    }

    #[test]
    fn targets_are_written_as_they_are_read() {
        for text in ["module.m", "module.m[\"a.b\"].module.n[0]", "data.aws_ami.x", "aws_vpc.a[\"k\"]"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert!("aws_vpc".parse::<Target>().is_err());
    }
}

//! The module tree: the root and everything it calls, with each directory read once.

use super::decl::*;
use super::load::load_directory;
use super::vendored::Manifest;
use crate::diag::{Diagnostic, Diagnostics, Sources};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A module at one place of the tree (not yet expanded by count or for_each).
#[derive(Debug)]
pub struct ModuleNode {
    pub module: Arc<Module>,
    /// `path.module`: relative to the root directory.
    pub path: PathBuf,
    pub children: BTreeMap<Name, ModuleNode>,
}

#[derive(Debug)]
pub struct Config {
    pub root: ModuleNode,
}

impl Config {
    pub fn empty() -> Self {
        Self {
            root: ModuleNode { module: Arc::default(), path: PathBuf::from("."), children: BTreeMap::new() },
        }
    }
}

/// Loads a root directory and the modules it calls. Problems are collected; the tree holds what could be
/// read.
pub fn load(dir: &Path, sources: &mut Sources, diags: &mut Diagnostics) -> Option<Config> {
    if !dir.is_dir() {
        let what = if dir.exists() { "is not a directory" } else { "does not exist" };
        diags.push(
            Diagnostic::error("no-configuration", format!("`{}` {what}", dir.display()))
                .help("name the directory of an environment, such as `envs/dev`"),
        );
        return None;
    }
    let manifest = Manifest::read(dir, diags);
    let mut loader = Loader { sources, diags, read: BTreeMap::new(), root: dir, manifest, nodes: 0 };
    let module = loader.directory(dir)?;
    if module.files == 0 {
        loader.diags.push(
            Diagnostic::error("no-configuration", format!("`{}` holds no configuration", dir.display()))
                .help("name a directory that holds `.hcl`, `.tf` or `.tf.json` files"),
        );
        return None;
    }
    let place = Place { dir: normal(dir), path: PathBuf::from("."), key: String::new() };
    let root = loader.node(module, &place, &mut vec![normal(dir)]);
    let config = Config { root };
    super::providers::check(&config, diags);
    warn_of_deprecated(&config.root, diags);
    Some(config)
}

/// Values for variables that their module would rather not have any more.
fn warn_of_deprecated(node: &ModuleNode, diags: &mut Diagnostics) {
    for (name, child) in &node.children {
        for attribute in &node.module.calls[name].arguments.attributes {
            let variable = child.module.variables.get(&attribute.name.name);
            if let Some((variable, text)) = variable.and_then(|v| Some((v, v.deprecated.as_ref()?))) {
                diags.push(deprecated(&variable.name, text).at(attribute.span));
            }
        }
        warn_of_deprecated(child, diags);
    }
}

pub(super) fn deprecated(name: &str, text: &str) -> Diagnostic {
    Diagnostic::warning("deprecated", format!("variable `{name}` is deprecated")).help(text)
}

/// Nested more deeply, or more in all: a mistake, or links that lead in a circle.
const MAX_NESTED: usize = 100;
const MAX_MODULES: usize = 20_000;

struct Loader<'a> {
    sources: &'a mut Sources,
    diags: &'a mut Diagnostics,
    read: BTreeMap<PathBuf, Arc<Module>>,
    root: &'a Path,
    manifest: Manifest,
    nodes: usize,
}

/// Where a module of the tree is.
struct Place {
    dir: PathBuf,
    /// Relative to the root.
    path: PathBuf,
    /// Names of the module blocks that lead to it, as the manifest has them.
    key: String,
}

impl Loader<'_> {
    fn directory(&mut self, dir: &Path) -> Option<Arc<Module>> {
        let dir = normal(dir);
        if let Some(module) = self.read.get(&dir) {
            return Some(module.clone());
        }
        match load_directory(&dir, self.sources, self.diags) {
            Ok(mut module) => {
                super::providers::use_own_names(&mut module, self.diags);
                let module = Arc::new(module);
                self.read.insert(dir, module.clone());
                Some(module)
            }
            Err(error) => {
                self.diags.push(
                    Diagnostic::error("unreadable", format!("cannot read `{}`: {error}", dir.display()))
                        .help("check that it exists and may be read"),
                );
                None
            }
        }
    }

    /// `chain`: the directories from the root to here, against recursion.
    fn node(&mut self, module: Arc<Module>, place: &Place, chain: &mut Vec<PathBuf>) -> ModuleNode {
        let mut children = BTreeMap::new();
        for call in module.calls.values() {
            if let Some(child) = self.child(place, call, chain) {
                children.insert(call.name.clone(), child);
            }
        }
        ModuleNode { module, path: place.path.clone(), children }
    }

    /// Where the module of a call is, if it can be told.
    fn place(&mut self, parent: &Place, call: &Call) -> Option<Place> {
        let dot = if parent.key.is_empty() { "" } else { "." };
        let key = format!("{}{dot}{}", parent.key, call.name);
        let source = call.source.replace('\\', "/");
        let local = source.starts_with("./") || source.starts_with("../") || source == "." || source == "..";
        if local {
            return Some(Place {
                dir: normal(&parent.dir.join(&source)),
                path: normal(&parent.path.join(&source)),
                key,
            });
        }
        match self.manifest.directory(&key, call) {
            Ok(path) => Some(Place { dir: normal(&self.root.join(&path)), path: normal(&path), key }),
            Err(problem) => {
                self.diags.push(*problem);
                None
            }
        }
    }

    fn child(&mut self, parent: &Place, call: &Call, chain: &mut Vec<PathBuf>) -> Option<ModuleNode> {
        let place = self.place(parent, call)?;
        let dir = &place.dir;
        if !dir.is_dir() {
            let mut d =
                Diagnostic::error("missing-module", format!("there is no directory `{}`", dir.display()))
                    .label(call.source_span, "this module is not there");
            let near = dir.parent().and_then(|p| nearest_directory(p, dir));
            d = match near {
                Some(name) => d.help(format!("did you mean `{name}`?")),
                None if call.source.starts_with('.') => {
                    d.help("a path is relative to the file that names it")
                }
                None => d.help("run `terraform init` (or `terraform get`) again"),
            };
            self.diags.push(d);
            return None;
        }
        self.nodes += 1;
        if chain.contains(dir) || chain.len() > MAX_NESTED || self.nodes > MAX_MODULES {
            self.endless(call, chain, dir);
            return None;
        }
        let module = self.directory(dir)?;
        chain.push(dir.clone());
        let node = self.node(module, &place, chain);
        chain.pop();
        Some(node)
    }

    fn endless(&mut self, call: &Call, chain: &[PathBuf], dir: &Path) {
        if self.nodes > MAX_MODULES + 1 {
            return;
        }
        let d = if chain.iter().any(|d| d == dir) {
            let names: Vec<String> =
                chain.iter().map(PathBuf::as_path).chain([dir]).map(|p| p.display().to_string()).collect();
            Diagnostic::error("module-recursion", "a module calls itself").note(names.join(" → "))
        } else if self.nodes > MAX_MODULES {
            Diagnostic::error("module-recursion", format!("there are more than {MAX_MODULES} modules"))
        } else {
            Diagnostic::error("module-recursion", format!("modules are nested more than {MAX_NESTED} deep"))
        };
        self.diags.push(d.at(call.source_span).help("a module cannot contain itself; break the chain"));
    }
}

fn nearest_directory(parent: &Path, wanted: &Path) -> Option<String> {
    let names: Vec<String> = std::fs::read_dir(parent)
        .ok()?
        .filter_map(Result::ok)
        .filter(|e| e.path().is_dir())
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    let wanted = wanted.file_name()?.to_str()?;
    crate::diag::nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}

/// Without `.` and with `..` folded where that is possible, so that messages and comparisons are plain.
pub fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

//! The module tree: the root and everything it calls, with each directory read once.

use super::decl::*;
use super::load::load_directory;
use crate::diag::{Diagnostic, Diagnostics, Sources};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A module at one place of the tree (not yet expanded by count or for_each).
#[derive(Debug)]
pub struct ModuleNode {
    pub module: Arc<Module>,
    pub children: BTreeMap<Name, ModuleNode>,
}

#[derive(Debug)]
pub struct Config {
    pub root: ModuleNode,
}

impl Config {
    pub fn empty() -> Self {
        Self { root: ModuleNode { module: Arc::default(), children: BTreeMap::new() } }
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
    let mut loader = Loader { sources, diags, read: BTreeMap::new() };
    let module = loader.directory(dir)?;
    if module.is_empty() {
        loader.diags.push(
            Diagnostic::error("no-configuration", format!("`{}` holds no configuration", dir.display()))
                .help("name a directory that holds `.hcl` or `.tf` files"),
        );
        return None;
    }
    let root = loader.node(module, &mut vec![normal(dir)]);
    Some(Config { root })
}

impl Module {
    fn is_empty(&self) -> bool {
        self.variables.is_empty()
            && self.locals.is_empty()
            && self.outputs.is_empty()
            && self.resources.is_empty()
            && self.calls.is_empty()
            && self.cutover.is_none()
            && self.removed.is_empty()
            && self.checks.is_empty()
    }
}

struct Loader<'a> {
    sources: &'a mut Sources,
    diags: &'a mut Diagnostics,
    read: BTreeMap<PathBuf, Arc<Module>>,
}

impl Loader<'_> {
    fn directory(&mut self, dir: &Path) -> Option<Arc<Module>> {
        let dir = normal(dir);
        if let Some(module) = self.read.get(&dir) {
            return Some(module.clone());
        }
        match load_directory(&dir, self.sources, self.diags) {
            Ok(module) => {
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

    /// `path`: the directories from the root to here, against recursion.
    fn node(&mut self, module: Arc<Module>, path: &mut Vec<PathBuf>) -> ModuleNode {
        let mut children = BTreeMap::new();
        for call in module.calls.values() {
            if let Some(child) = self.child(&module, call, path) {
                children.insert(call.name.clone(), child);
            }
        }
        ModuleNode { module, children }
    }

    fn child(&mut self, parent: &Module, call: &Call, path: &mut Vec<PathBuf>) -> Option<ModuleNode> {
        let source = &call.source;
        if !source.starts_with("./") && !source.starts_with("../") {
            self.diags.push(
                Diagnostic::error("module-source", format!("module source `{source}` is not a local directory"))
                    .at(call.source_span)
                    .help("vendor it: copy the module into the repository and write a path that starts with `./` or `../`"),
            );
            return None;
        }
        let dir = normal(&parent.dir.join(source));
        if !dir.is_dir() {
            let mut d =
                Diagnostic::error("missing-module", format!("there is no directory `{}`", dir.display()))
                    .label(call.source_span, "this module is not there");
            let near = dir.parent().and_then(|p| nearest_directory(p, &dir));
            d = match near {
                Some(name) => d.help(format!("did you mean `{name}`?")),
                None => d.help("a path is relative to the file that names it"),
            };
            self.diags.push(d);
            return None;
        }
        if path.contains(&dir) {
            let chain: Vec<String> = path.iter().chain([&dir]).map(|p| p.display().to_string()).collect();
            self.diags.push(
                Diagnostic::error("module-recursion", "a module calls itself")
                    .at(call.source_span)
                    .note(chain.join(" → "))
                    .help("a module cannot contain itself; break the chain"),
            );
            return None;
        }
        let module = self.directory(&dir)?;
        path.push(dir);
        let node = self.node(module, path);
        path.pop();
        Some(node)
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

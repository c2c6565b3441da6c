//! Saved plans: what was planned, with a snapshot of the configuration that it was planned from.
//!
//! Applying one plans again from the snapshot and refuses if the result differs: then live, or the
//! state, has moved since. Secret variables are not in it, only digests: they are given again.

use super::environment::{Environment, VariableArgs};
use super::error::CliError;
use super::plan::schema_of;
use crate::config::variables::{Argument, VariableValue};
use crate::plan::walk::options::Options;
use crate::plan::walk::{Purpose, Walk};
use crate::plan::{Action, Change, Plan};
use crate::render::{Palette, json, terraform, text};
use crate::state::seal;
use crate::value::to_json;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

const VERSION: u32 = 1;
/// Files larger than this are not configuration.
const LARGEST: u64 = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    environment: PathBuf,
    destroy: bool,
    #[serde(default)]
    options: Options,
    lineage: String,
    salt: String,
    serial: u64,
    /// Root variables that were given, secrets left out.
    variables: BTreeMap<String, Json>,
    /// Digests of those that are secret.
    secrets: BTreeMap<String, Json>,
    files: BTreeMap<PathBuf, String>,
    plan: Json,
    /// The plan as text and in Terraform's form, for `cutover show`.
    #[serde(default)]
    text: String,
    #[serde(default)]
    terraform: Json,
}

/// A snapshot laid out on disk; gone when dropped.
pub struct Unpacked {
    _dir: tempfile::TempDir,
    /// The environment's directory inside the snapshot.
    pub config_dir: PathBuf,
    /// Where it really is: state and world live there.
    pub environment: PathBuf,
    pub variables: VariableArgs,
}

fn io(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> CliError {
    let what = format!("cannot {what} `{}`", path.display());
    move |error| CliError::Io { what, error }
}

pub fn save(path: &Path, walk: &Walk<'_>, plan: &Plan, environment: &Environment) -> Result<(), CliError> {
    let root = &walk.graph.modules[0].module;
    let secret = |name: &str| root.variables.get(name).is_some_and(|v| v.sensitive || v.ephemeral);
    let value = |v: &VariableValue| to_json(&v.value).unwrap_or(Json::Null);
    let (hidden, open): (Vec<_>, Vec<_>) = environment.values.iter().partition(|(name, _)| secret(name));
    let salt = walk.state.salt.clone();
    let saved = Saved {
        version: VERSION,
        environment: environment.dir.clone(),
        destroy: walk.purpose == Purpose::Destroy,
        options: walk.options.clone(),
        lineage: walk.state.lineage.clone(),
        serial: walk.state.serial,
        variables: open.into_iter().map(|(n, v)| (n.to_string(), value(v))).collect(),
        secrets: hidden
            .into_iter()
            .map(|(n, v)| (n.to_string(), to_json(&seal(&v.value, &salt)).unwrap_or(Json::Null)))
            .collect(),
        salt,
        files: snapshot(walk, environment.home())?,
        plan: json::plan(plan),
        text: text::plan(plan, &|change: &Change| schema_of(walk, change), Palette { color: false }),
        terraform: terraform::plan(plan, walk),
    };
    let text = serde_json::to_vec_pretty(&saved).expect("a saved plan is plain data");
    std::fs::write(path, text).map_err(io("write", path))
}

/// Files that hold secrets because we wrote them there.
fn secret_files(walk: &Walk<'_>, home: &Path) -> BTreeSet<PathBuf> {
    let ours = |type_name: &str| matches!(type_name, "local_file" | "local_sensitive_file");
    let written = walk.state.resources.iter().filter(|(address, _)| ours(&address.type_name));
    let names =
        written.filter_map(|(_, resource)| resource.seen.open().get("filename")?.as_str().map(str::to_owned));
    names.map(|name| crate::config::tree::normal(&home.join(name))).collect()
}

/// Every file in the directories of all modules: templates are configuration too. Variable files are not
/// taken along: their values are in the plan.
fn snapshot(walk: &Walk<'_>, home: &Path) -> Result<BTreeMap<PathBuf, String>, CliError> {
    let dirs: BTreeSet<&Path> = walk.graph.modules.iter().map(|m| m.module.dir.as_path()).collect();
    let secret_files = secret_files(walk, home);
    let mut files = BTreeMap::new();
    for dir in dirs {
        let hidden = |entry: &walkdir::DirEntry| {
            entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.')
        };
        for entry in walkdir::WalkDir::new(dir).sort_by_file_name().into_iter().filter_entry(|e| !hidden(e)) {
            let Ok(entry) = entry else { continue };
            let name = entry.file_name().to_string_lossy();
            let values = name.ends_with(".tfvars") || name.ends_with(".tfvars.json");
            let secret = secret_files.contains(&crate::config::tree::normal(entry.path()));
            let small = entry.metadata().is_ok_and(|m| m.is_file() && m.len() <= LARGEST);
            if !small || values || secret {
                continue;
            }
            // Binary files are no configuration.
            let text = std::fs::read_to_string(entry.path()).ok();
            if let Some(text) = text.filter(|text| !crate::state::key::is_key_file(text)) {
                files.insert(crate::config::tree::normal(entry.path()), text);
            }
        }
    }
    Ok(files)
}

impl Saved {
    pub fn load(path: &Path) -> Result<Self, CliError> {
        let text = std::fs::read(path).map_err(io("read", path))?;
        let saved: Result<Saved, _> = serde_json::from_slice(&text);
        match saved {
            Ok(saved) if saved.version == VERSION => Ok(saved),
            Ok(saved) => Err(CliError::usage(
                format!(
                    "`{}` was saved in format {}, this Cutover reads {VERSION}",
                    path.display(),
                    saved.version
                ),
                "plan again with this version",
            )),
            Err(error) => Err(CliError::usage(
                format!("`{}` is not a saved plan: {error}", path.display()),
                "make one with `cutover plan --out FILE`, or name a directory",
            )),
        }
    }

    /// As it was shown when it was saved.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// In Terraform's plan representation.
    pub fn terraform(&self) -> &Json {
        &self.terraform
    }

    pub fn options(&self) -> Options {
        self.options.clone()
    }

    pub fn destroys(&self) -> bool {
        self.destroy
    }

    /// Lays the configuration out in a temporary directory, with the variables as they were.
    pub fn unpack(&self, given: &[Argument]) -> Result<Unpacked, CliError> {
        let dir = tempfile::tempdir().map_err(io("create", &std::env::temp_dir()))?;
        let ups = self.files.keys().map(|p| leading_parents(p)).max().unwrap_or(0);
        let base = (0..ups).fold(dir.path().join("snapshot"), |path, _| path.join("up"));
        for (path, text) in &self.files {
            let target = crate::config::tree::normal(&base.join(relative(path)));
            if !target.starts_with(dir.path()) {
                return Err(CliError::usage(
                    format!("the saved plan names `{}`, outside its snapshot", path.display()),
                    "do not use it",
                ));
            }
            let parent = target.parent().unwrap_or(&base);
            std::fs::create_dir_all(parent).map_err(io("create", parent))?;
            std::fs::write(&target, text).map_err(io("write", &target))?;
        }
        let config_dir = crate::config::tree::normal(&base.join(relative(&self.environment)));
        // Lexically first, so that it counts as given before what the command line adds.
        let values = config_dir.join("saved-plan.auto.tfvars.json");
        let text = serde_json::to_vec(&self.variables).expect("values are plain data");
        std::fs::write(&values, text).map_err(io("write", &values))?;
        let variables = VariableArgs { given: given.to_vec() };
        Ok(Unpacked { _dir: dir, config_dir, environment: self.environment.clone(), variables })
    }

    /// Secret variables must be given again, and be the same.
    pub fn check_secrets(&self, environment: &Environment) -> Result<(), CliError> {
        for (name, digest) in &self.secrets {
            let given = environment.values.get(name.as_str()).map(|v| seal(&v.value, &self.salt));
            if given.as_ref().and_then(to_json).as_ref() != Some(digest) {
                let what = if given.is_some() {
                    "differs from what was planned with"
                } else {
                    "is not in the saved plan"
                };
                return Err(CliError::usage(
                    format!("variable `{name}` is secret and {what}"),
                    format!("give the same value again, with -var or TF_VAR_{name}"),
                ));
            }
        }
        Ok(())
    }

    /// Refuses, naming what moved, unless planning again came to the same.
    pub fn check(&self, plan: &Plan, walk: &Walk<'_>) -> Result<(), CliError> {
        let conflict = |problem: String| {
            Err(CliError::Conflict {
                problem,
                help: "plan again, look at it, and apply the new plan; nothing was changed".to_owned(),
            })
        };
        if walk.state.lineage != self.lineage && self.serial > 0 {
            return conflict("the saved plan belongs to another state".to_owned());
        }
        let now = json::plan(plan);
        let (then, now) = (by_address(&self.plan), by_address(&now));
        let mut moved = Vec::new();
        for address in then.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
            match (then.get(address), now.get(address)) {
                (Some(a), Some(b)) if a == b => {}
                (Some(a), Some(b)) => moved.push(format!("{address} ({})", difference(a, b))),
                (Some(_), None) => moved.push(format!("{address} (needs nothing any more)")),
                (None, _) => moved.push(format!("{address} (needs a change now)")),
            }
        }
        if moved.is_empty() {
            Ok(())
        } else {
            conflict(format!("this has moved since the plan was saved: {}", moved.join(", ")))
        }
    }
}

/// Changes with something to do.
fn by_address(plan: &Json) -> BTreeMap<String, Json> {
    let changes = plan.get("changes").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let none = serde_json::to_value(Action::None).unwrap_or_default();
    let moved = |c: &Json| c.get("previous_address").is_some_and(|p| !p.is_null());
    let kept = changes.iter().filter(|c| c.get("action") != Some(&none) || moved(c));
    kept.map(|c| {
        let address = c.get("address").and_then(Json::as_str).unwrap_or_default().to_owned();
        let pick = ["action", "attributes", "id", "previous_address", "importing"]
            .map(|k| (k.to_owned(), c.get(k).cloned().unwrap_or_default()));
        (address, Json::Object(pick.into_iter().collect()))
    })
    .collect()
}

/// The names of the attributes that differ.
fn difference(then: &Json, now: &Json) -> String {
    let names = |change: &Json| -> BTreeMap<String, Json> {
        let list = change.get("attributes").and_then(Json::as_array).cloned().unwrap_or_default();
        list.into_iter().map(|a| (a["name"].as_str().unwrap_or_default().to_owned(), a)).collect()
    };
    let (a, b) = (names(then), names(now));
    let differing: Vec<&str> = a
        .keys()
        .chain(b.keys())
        .filter(|n| a.get(*n) != b.get(*n))
        .map(String::as_str)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    if differing.is_empty() { "another action".to_owned() } else { differing.join(", ") }
}

fn leading_parents(path: &Path) -> usize {
    path.components().take_while(|c| matches!(c, Component::ParentDir)).count()
}

/// An absolute path becomes one below the snapshot.
fn relative(path: &Path) -> PathBuf {
    path.components().filter(|c| !matches!(c, Component::RootDir | Component::Prefix(_))).collect()
}

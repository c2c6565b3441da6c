//! Where the key of the state comes from.

use super::cloud::CloudKind;
use super::environment::Environment;
use super::error::CliError;
use crate::plan::keys::KEY_VARIABLE;
use crate::state::StateKey;
use crate::state::key::KeyError;
use std::path::{Path, PathBuf};

impl From<KeyError> for CliError {
    fn from(error: KeyError) -> Self {
        let help = match &error {
            KeyError::Io { what: "write", .. } => "name a file that is not there yet, in a directory that is",
            KeyError::Io { .. } => "check the path in CUTOVER_STATE_KEY_FILE or in the block `state`",
            KeyError::Malformed { .. } => "make one with `cutover state keygen FILE`, or name another",
            KeyError::NoEntropy(_) => "try again",
        };
        CliError::usage(error.to_string(), help)
    }
}

/// The key that is named, if one is. `needed`: on the embedded AWS one is made where none is named.
pub fn state_key(environment: &Environment, needed: bool) -> Result<Option<StateKey>, CliError> {
    let variable = std::env::var_os(KEY_VARIABLE).filter(|v| !v.is_empty()).map(PathBuf::from);
    let setting = environment.settings.key_file.as_ref().map(|file| environment.home().join(file));
    if let Some(path) = variable.or(setting) {
        return Ok(Some(StateKey::load(&path)?));
    }
    let own = environment.state.path().join("state.key");
    if environment.settings.cloud != CloudKind::Embedded {
        return Ok(None);
    }
    if own.exists() {
        return Ok(Some(StateKey::load(&own)?));
    }
    if !needed {
        return Ok(None);
    }
    environment.state.create()?;
    ignore(environment.state.path())?;
    let key = StateKey::generate()?;
    key.write_new(&own)?;
    Ok(Some(key))
}

/// Keeps `.cutover/` out of git, also where nobody thought of it.
fn ignore(directory: &Path) -> Result<(), CliError> {
    let path = directory.join(".gitignore");
    if path.exists() {
        return Ok(());
    }
    let failed = |error| CliError::Io { what: format!("cannot write `{}`", path.display()), error };
    std::fs::write(&path, "*\n").map_err(failed)
}

/// `cutover state keygen FILE`
pub fn generate(path: &Path) -> Result<(), CliError> {
    let key = StateKey::generate()?;
    key.write_new(path)?;
    println!("{}", key.name());
    eprintln!(
        "made the key {} in {}; keep a copy in a safe place, and keep it out of the repository",
        key.name(),
        path.display()
    );
    Ok(())
}

//! Saved worlds: one JSON file beside the state.

use super::World;
use super::journal::{self, Saved};
use super::world::VERSION;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {what} the saved world {path}: {source}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("the saved world {path} is damaged: {source}; `cutover sim reset` starts a new one")]
    Damaged { path: PathBuf, source: serde_json::Error },
    #[error("the saved world {path} is damaged: it does not say which format it has")]
    NoVersion { path: PathBuf },
    #[error(
        "the saved world {path} has format {found}, which is newer than what this version of cutover reads \
         ({VERSION}); use a version at least as new as the one that wrote it, or start a new one with \
         `cutover sim reset`"
    )]
    Newer { path: PathBuf, found: u64 },
}

/// Brings a world of format `at + 1` to format `at + 2`.
const MIGRATIONS: [fn(&mut Json); VERSION as usize - 1] = [know_suspects];

/// Format 2: a group knows whose health it has to look at. In an older world that may be anybody.
fn know_suspects(world: &mut Json) {
    for group in each(world, "/autoscaling/groups") {
        let members = group["members"].as_object();
        let members = members.map(|members| members.keys().cloned().map(Json::String).collect());
        group["suspects"] = Json::Array(members.unwrap_or_default());
    }
    each(world, "/elsewhere").for_each(know_suspects);
}

/// The values of a map of the world, if it is there.
fn each<'a>(world: &'a mut Json, pointer: &str) -> impl Iterator<Item = &'a mut Json> {
    let map = world.pointer_mut(pointer).and_then(Json::as_object_mut);
    map.into_iter().flat_map(|map| map.values_mut())
}

impl World {
    /// The world saved at `path`; `None` when there is none.
    pub fn load(path: &Path) -> Result<Option<World>, StoreError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Io { what: "read", path: path.to_owned(), source }),
        };
        let mut world = Self::read(path, &text)?;
        let failed = |source| StoreError::Io { what: "read the calls to", path: path.to_owned(), source };
        journal::carry_out(&mut world, path, &digest(&text)).map_err(failed)?;
        Ok(Some(world))
    }

    fn read(path: &Path, text: &[u8]) -> Result<World, StoreError> {
        let damaged = |source| StoreError::Damaged { path: path.to_owned(), source };
        // The version first: a world of another format need not parse as this one.
        let version = version(text).map_err(damaged)?;
        let Some(found) = version else { return Err(StoreError::NoVersion { path: path.to_owned() }) };
        if found == u64::from(VERSION) {
            return serde_json::from_slice(text).map_err(damaged);
        }
        let older = found.checked_sub(1).and_then(|at| MIGRATIONS.get(usize::try_from(at).ok()?..));
        let Some(older) = older.filter(|_| found < u64::from(VERSION)) else {
            return Err(StoreError::Newer { path: path.to_owned(), found });
        };
        let mut world: Json = serde_json::from_slice(text).map_err(damaged)?;
        older.iter().for_each(|migrate| migrate(&mut world));
        world["version"] = VERSION.into();
        serde_json::from_value(world).map_err(damaged)
    }

    /// With the events that have been told since the last time, in a file of their own.
    pub fn save(&self, path: &Path) -> Result<(), StoreError> {
        self.replace(path, File::sync_all).map(|_| ())
    }

    /// As [`World::save`], but without waiting for the disk: what a killed process leaves is whole all the same,
    /// and only a machine that stops may lose it. Most of what saving after every call costs is that wait.
    pub fn save_soon(&self, path: &Path) -> Result<Saved, StoreError> {
        self.replace(path, |_| Ok(()))
    }

    fn replace(&self, path: &Path, sync: fn(&File) -> io::Result<()>) -> Result<Saved, StoreError> {
        let saved = self.put(path, sync)?;
        // What it has the calls before are in already; should they stay, they are another world's.
        let _ = std::fs::remove_file(journal::path_beside(path));
        self.append_events(path)?;
        Ok(saved)
    }

    pub(crate) fn append_events(&self, path: &Path) -> Result<(), StoreError> {
        let failed = |source| StoreError::Io { what: "write events beside", path: path.to_owned(), source };
        self.log.append(path).map_err(failed)
    }

    /// Whole or not at all: written beside `path`, then renamed over it.
    pub fn export(&self, path: &Path) -> Result<(), StoreError> {
        self.put(path, File::sync_all).map(|_| ())
    }

    fn put(&self, path: &Path, sync: fn(&File) -> io::Result<()>) -> Result<Saved, StoreError> {
        let failed = |source| StoreError::Io { what: "write", path: path.to_owned(), source };
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(failed)?;
        let temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        let saved = write(self, temporary.as_file()).map_err(failed)?;
        sync(temporary.as_file()).map_err(failed)?;
        temporary.persist(path).map_err(|e| failed(e.error))?;
        Ok(saved)
    }
}

/// The format that a saved world says it has.
fn version(text: &[u8]) -> Result<Option<u64>, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Header {
        version: Option<u64>,
    }
    serde_json::from_slice(text).map(|Header { version }| version)
}

fn digest(text: &[u8]) -> String {
    hex::encode(Sha256::digest(text))
}

/// A file, and what was written to it.
struct Counted<'a> {
    file: &'a File,
    bytes: u64,
    digest: Sha256,
}

impl Write for Counted<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let length = self.file.write(text)?;
        self.bytes += length as u64;
        self.digest.update(&text[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn write(world: &World, file: &File) -> io::Result<Saved> {
    let counted = Counted { file, bytes: 0, digest: Sha256::new() };
    let mut writer = BufWriter::with_capacity(64 << 10, counted);
    serde_json::to_writer(&mut writer, world)?;
    writer.write_all(b"\n")?;
    let Counted { bytes, digest, .. } = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(Saved { bytes, digest: hex::encode(digest.finalize()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/world.json");
        assert!(World::load(&path).unwrap().is_none());
        let mut world = World::new("123456789012", "us-east-1", 7, 1_000);
        world.advance_to(5_000);
        let next = world.request_id();
        world.save(&path).unwrap();
        let mut loaded = World::load(&path).unwrap().unwrap();
        assert_eq!(serde_json::to_value(&loaded).unwrap(), serde_json::to_value(&world).unwrap());
        assert_ne!(loaded.request_id(), next);
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "no temporary file is left"
        );
    }

    #[test]
    fn an_older_format_is_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("world.json");
        let world = World::new("123456789012", "us-east-1", 7, 1_000);
        let mut older = serde_json::to_value(&world).unwrap();
        older["version"] = 1.into();
        std::fs::write(&path, older.to_string()).unwrap();
        let loaded = World::load(&path).unwrap().unwrap();
        assert_eq!(loaded.version, VERSION);
        for nonsense in [r#"{"version": 0}"#, "{}", "[]"] {
            std::fs::write(&path, nonsense).unwrap();
            assert!(World::load(&path).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn events_are_beside_the_saved_world_and_what_did_not_stay_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("world.json");
        let mut world = World::new("123456789012", "us-east-1", 7, 1_000);
        world.tell("ec2", "instance", "i-1", "pending", None);
        world.save(&path).unwrap();
        world.tell("ec2", "instance", "i-1", "running", None);
        world.save(&path).unwrap();
        let lines = crate::log::read(&path, 2).unwrap();
        assert_eq!(
            lines,
            [
                r#"{"at":"1970-01-01T00:00:01Z","id":"i-1","is":"running","kind":"instance","n":2,"region":"us-east-1","service":"ec2"}"#
            ]
        );
        let mut again = World::load(&path).unwrap().unwrap();
        again.tell("ec2", "instance", "i-1", "stopping", None);
        again.save(&path).unwrap();
        assert_eq!(crate::log::read(&path, 0).unwrap().len(), 3);
        // Killed after the events were written and before the world was: it is the older world that goes on.
        let mut killed = World::load(&path).unwrap().unwrap();
        killed.tell("ec2", "instance", "i-1", "stopped", None);
        killed.log.append(&path).unwrap();
        let mut older = World::load(&path).unwrap().unwrap();
        older.tell("ec2", "instance", "i-1", "terminated", None);
        older.save(&path).unwrap();
        let told = crate::log::read(&path, 0).unwrap();
        let states: Vec<Json> =
            told.iter().map(|line| serde_json::from_str::<Json>(line).unwrap()["is"].clone()).collect();
        assert_eq!(states, ["pending", "running", "stopping", "terminated"]);
    }

    #[test]
    fn another_format_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("world.json");
        std::fs::write(&path, r#"{"version": 99}"#).unwrap();
        let error = World::load(&path).unwrap_err().to_string();
        assert!(error.contains("format 99") && error.contains("sim reset"), "{error}");
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(World::load(&path), Err(StoreError::Damaged { .. })));
    }
}

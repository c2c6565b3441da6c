//! Saved worlds: one JSON file beside the state.

use super::World;
use super::world::VERSION;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {what} the saved world {path}: {source}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("the saved world {path} is damaged: {source}; `cutover sim reset` starts a new one")]
    Damaged { path: PathBuf, source: serde_json::Error },
    #[error(
        "the saved world {path} has format {found}, this version of cutover reads {VERSION}; \
         use the version that wrote it, or start a new one with `cutover sim reset`"
    )]
    Version { path: PathBuf, found: u32 },
}

#[derive(Deserialize)]
struct Header {
    version: u32,
}

impl World {
    /// The world saved at `path`; `None` when there is none.
    pub fn load(path: &Path) -> Result<Option<World>, StoreError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Io { what: "read", path: path.to_owned(), source }),
        };
        let damaged = |source| StoreError::Damaged { path: path.to_owned(), source };
        // The version first: a world of another format need not parse as this one.
        let Header { version } = serde_json::from_slice(&text).map_err(damaged)?;
        if version != VERSION {
            return Err(StoreError::Version { path: path.to_owned(), found: version });
        }
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }

    /// Whole or not at all: written beside `path`, then renamed over it.
    pub fn save(&self, path: &Path) -> Result<(), StoreError> {
        let failed = |source| StoreError::Io { what: "write", path: path.to_owned(), source };
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(failed)?;
        let temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        write(self, temporary.as_file()).map_err(failed)?;
        temporary.persist(path).map_err(|e| failed(e.error))?;
        Ok(())
    }
}

fn write(world: &World, file: &File) -> io::Result<()> {
    let mut writer = BufWriter::new(file);
    serde_json::to_writer(&mut writer, world)?;
    writer.write_all(b"\n")?;
    writer.flush()?;
    file.sync_all()
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

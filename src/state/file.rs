//! State in a directory beside the environment: snapshot, journal, lock.

use super::journal::{Entry, Unfinished, fold};
use super::{State, VERSION};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot {what} `{}`: {error}", path.display())]
    Io { what: &'static str, path: PathBuf, error: std::io::Error },
    #[error("`{}` is damaged (line {line}): {error}", path.display())]
    Damaged { path: PathBuf, line: usize, error: String },
    #[error("`{}` has version {version}; this Cutover knows up to {VERSION}", path.display())]
    Newer { path: PathBuf, version: u32 },
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another run holds the state: {holder}")]
    Held { holder: String },
    #[error(transparent)]
    State(#[from] StateError),
}

/// `.cutover/` of one environment.
#[derive(Clone, Debug)]
pub struct StateDir {
    dir: PathBuf,
}

/// Held until dropped; released by the system when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StateError {
    let path = path.to_owned();
    move |error| StateError::Io { what, path, error }
}

impl StateDir {
    pub fn of(environment: &Path) -> Self {
        Self { dir: environment.join(".cutover") }
    }

    pub fn path(&self) -> &Path {
        &self.dir
    }

    pub fn world(&self) -> PathBuf {
        self.dir.join("world.json")
    }

    fn snapshot(&self) -> PathBuf {
        self.dir.join("state.json")
    }

    fn journal(&self) -> PathBuf {
        self.dir.join("journal.jsonl")
    }

    /// For its owner alone, and out of version control wherever it stands: the embedded AWS keeps secrets in
    /// its world as any AWS does.
    pub fn create(&self) -> Result<(), StateError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.dir).map_err(io("create", &self.dir))?;
        let ignore = self.dir.join(".gitignore");
        match OpenOptions::new().write(true).create_new(true).open(&ignore) {
            Ok(mut file) => file.write_all(b"*\n").map_err(io("write", &ignore)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(io("create", &ignore)(error)),
        }
    }

    /// The state with the journal folded in, and what a killed run left unfinished. Writes nothing.
    pub fn load(&self) -> Result<(State, Vec<Unfinished>), StateError> {
        let mut state = self.load_snapshot()?;
        let mut damaged = None;
        let entries = entries(self.journal())?.map_while(|entry| entry.map_err(|e| damaged = Some(e)).ok());
        let open = fold(&mut state, entries);
        damaged.map_or(Ok((state, open)), Err)
    }

    fn load_snapshot(&self) -> Result<State, StateError> {
        let path = self.snapshot();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(State { version: VERSION, ..State::default() });
            }
            Err(error) => return Err(io("read", &path)(error)),
        };
        let damaged = |error: serde_json::Error| StateError::Damaged {
            path: path.clone(),
            line: error.line(),
            error: error.to_string(),
        };
        // Of a newer one nothing but its version need be understood.
        #[derive(serde::Deserialize)]
        struct Header {
            #[serde(default)]
            version: u32,
        }
        let Header { version } = serde_json::from_str(&text).map_err(damaged)?;
        if version > VERSION {
            return Err(StateError::Newer { path, version });
        }
        serde_json::from_str(&text).map_err(damaged)
    }
}

/// Entries, a line each, read one by one. A last line cut short by a crash is ignored.
fn entries(path: PathBuf) -> Result<impl Iterator<Item = Result<Entry, StateError>>, StateError> {
    let mut lines = match File::open(&path) {
        Ok(file) => Some(BufReader::new(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(io("read", &path)(error)),
    };
    let mut bytes = Vec::new();
    let mut line = 0;
    let next = move || {
        bytes.clear();
        let read = lines.as_mut()?.read_until(b'\n', &mut bytes);
        line += 1;
        match read.map_err(io("read", &path)) {
            Ok(0) => None,
            Ok(_) => match serde_json::from_str(&String::from_utf8_lossy(&bytes)) {
                Ok(entry) => Some(Ok(entry)),
                // The last line has no newline after it only if the process died while writing it.
                Err(_) if !bytes.ends_with(b"\n") => None,
                Err(error) => {
                    Some(Err(StateError::Damaged { path: path.clone(), line, error: error.to_string() }))
                }
            },
            Err(error) => Some(Err(error)),
        }
    };
    Ok(std::iter::from_fn(next))
}

impl StateDir {
    /// Takes the lock for `operation` or says who holds it.
    pub fn lock(&self, operation: &str, at: &str) -> Result<Lock, LockError> {
        self.create()?;
        let path = self.dir.join("lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(LockError::Held { holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(io("lock", &path)(error).into()),
        }
        let holder = format!("{operation}, process {}, since {at}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(io("write", &path))?;
        Ok(Lock { _file: file })
    }

    /// Writes a snapshot (atomically) and empties the journal that it contains.
    pub fn save(&self, state: &State) -> Result<(), StateError> {
        self.save_open(state, &[])
    }

    /// The same, with these entries left in the journal: intents of which nobody knows what became of them.
    pub fn save_open(&self, state: &State, open: &[Entry]) -> Result<(), StateError> {
        self.create()?;
        write_state(&self.snapshot(), state)?;
        self.keep_history()?;
        let journal = self.journal();
        if !open.is_empty() {
            let lines = open.iter().map(|e| serde_json::to_string(e).expect("entries are plain data") + "\n");
            return write_atomically(&journal, lines.collect::<String>().as_bytes());
        }
        match std::fs::remove_file(&journal) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("empty", &journal)(error)),
            _ => Ok(()),
        }
    }

    fn past(&self) -> PathBuf {
        self.dir.join("rollouts.jsonl")
    }

    /// What the journal says of rollouts outlives it.
    fn keep_history(&self) -> Result<(), StateError> {
        let watched =
            |e: &Entry| matches!(e, Entry::Watched { .. } | Entry::Paused { .. } | Entry::Approved { .. });
        let kept = entries(self.journal())?.filter(|entry| entry.as_ref().map_or(true, watched));
        let line = |entry| serde_json::to_string(&entry).expect("entries are plain data") + "\n";
        let lines: String = kept.map(|entry| entry.map(line)).collect::<Result<_, _>>()?;
        if lines.is_empty() {
            return Ok(());
        }
        let path = self.past();
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(io("open", &path))?;
        file.write_all(lines.as_bytes()).and_then(|()| file.sync_data()).map_err(io("write", &path))
    }

    /// What was seen of rollouts and decided, of all runs.
    pub fn history(&self) -> Result<Vec<Entry>, StateError> {
        entries(self.past())?.chain(entries(self.journal())?).collect()
    }

    pub fn is_written(&self) -> bool {
        self.snapshot().exists()
    }

    /// Keeps the state as it is now beside the real one, and says where: put in the place of `state.json`,
    /// with no journal beside it, it brings back what was.
    pub fn backup(&self, state: &State) -> Result<PathBuf, StateError> {
        self.create()?;
        let path = self.dir.join(format!("state-{}.backup.json", state.serial));
        write_state(&path, state)?;
        Ok(path)
    }

    /// Removes state, journal and world: a new beginning.
    pub fn forget(&self) -> Result<(), StateError> {
        let events = self.world().with_extension("events.jsonl");
        for path in [self.world(), events, self.journal(), self.snapshot()] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(io("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub fn open_journal(&self) -> Result<JournalFile, StateError> {
        self.create()?;
        let path = self.journal();
        let mut file =
            OpenOptions::new().create(true).append(true).read(true).open(&path).map_err(io("open", &path))?;
        // A line cut short by a crash must not run into the next one.
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(io("read", &path))?;
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(io("repair", &path))?;
        }
        Ok(JournalFile { file, path })
    }
}

/// Appends entries, each on disk before the call returns.
#[derive(Debug)]
pub struct JournalFile {
    file: File,
    path: PathBuf,
}

impl JournalFile {
    pub fn append(&mut self, entry: &Entry) -> Result<(), StateError> {
        let line = serde_json::to_string(entry).expect("entries are plain data") + "\n";
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(io("write", &self.path))
    }
}

/// Temporary file, flush, rename: readers see the old or the new file, never a part.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    replace(path, |file| file.write_all(bytes))
}

/// Straight to the file: as one text it would take as much memory as the state itself.
fn write_state(path: &Path, state: &State) -> Result<(), StateError> {
    replace(path, |file| {
        let mut out = BufWriter::new(file);
        serde_json::to_writer_pretty(&mut out, state)?;
        out.write_all(b"\n")?;
        out.flush()
    })
}

fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), StateError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(io("write", path))?;
    write(&mut file).and_then(|()| file.as_file().sync_all()).map_err(io("write", path))?;
    file.persist(path).map_err(|e| io("replace", path)(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_cut_short_loses_only_its_last_line() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let state_dir = StateDir::of(dir.path());
        let mut journal = state_dir.open_journal().expect("opens");
        journal.append(&Entry::Begin { operation: "apply".into(), at: "now".into() }).expect("writes");
        drop(journal);
        let path = state_dir.journal();
        let mut file = OpenOptions::new().append(true).open(&path).expect("opens");
        file.write_all(b"{\"end").expect("writes");
        assert_eq!(state_dir.history().expect("reads").len(), 1);
        state_dir.open_journal().expect("repairs").append(&Entry::End).expect("writes");
        assert_eq!(state_dir.history().expect("reads").len(), 2);
    }

    #[test]
    fn a_damaged_snapshot_is_an_error_and_is_left_alone() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let state_dir = StateDir::of(dir.path());
        state_dir.create().expect("creates");
        std::fs::write(state_dir.snapshot(), "{\"version\": 1,").expect("writes");
        assert!(matches!(state_dir.load(), Err(StateError::Damaged { .. })));
        assert_eq!(std::fs::read_to_string(state_dir.snapshot()).expect("reads"), "{\"version\": 1,");
    }

    #[test]
    fn a_second_run_is_told_who_holds_the_lock() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let state_dir = StateDir::of(dir.path());
        let held = state_dir.lock("apply", "2026-01-01T00:00:00Z").expect("locks");
        let error = state_dir.lock("destroy", "later").expect_err("is held");
        assert!(error.to_string().contains("apply, process"), "{error}");
        drop(held);
        state_dir.lock("destroy", "later").expect("free again");
    }
}

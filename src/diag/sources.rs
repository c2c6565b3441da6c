use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Index of a file in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileId(pub u32);

/// A byte range of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        Self { file, start: start as u32, end: end as u32 }
    }

    /// The smallest span that covers both (of one file).
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

#[derive(Clone, Debug)]
struct SourceFile {
    path: PathBuf,
    text: Arc<str>,
    /// Where in the text a replacement character stands for bytes that are not UTF-8.
    undecodable: Arc<[u32]>,
    /// Where each line starts; made when first asked for.
    lines: OnceLock<Arc<[usize]>>,
}

impl SourceFile {
    fn lines(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            // A byte order mark is no part of the first line.
            let first = if self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
            std::iter::once(first).chain(self.text.match_indices('\n').map(|(i, _)| i + 1)).collect()
        })
    }
}

/// The texts of all files read in a run, for snippets.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    pub fn add(&mut self, path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> FileId {
        self.push(path.into(), text.into(), Arc::default())
    }

    /// Adds a file as it was read; bytes that are not UTF-8 become replacement characters.
    pub fn add_bytes(&mut self, path: impl Into<PathBuf>, bytes: Vec<u8>) -> FileId {
        let bytes = match String::from_utf8(bytes) {
            Ok(text) => return self.add(path, text),
            Err(error) => error.into_bytes(),
        };
        let mut text = String::with_capacity(bytes.len());
        let mut undecodable = Vec::new();
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                undecodable.push(text.len() as u32);
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        self.push(path.into(), text.into(), undecodable.into())
    }

    fn push(&mut self, path: PathBuf, text: Arc<str>, undecodable: Arc<[u32]>) -> FileId {
        self.files.push(SourceFile { path, text, undecodable, lines: OnceLock::new() });
        FileId(self.files.len() as u32 - 1)
    }

    /// Where the text has replacement characters for bytes that are not UTF-8.
    pub fn undecodable(&self, file: FileId) -> impl Iterator<Item = Span> {
        let width = char::REPLACEMENT_CHARACTER.len_utf8() as u32;
        let starts = self.files[file.0 as usize].undecodable.iter();
        starts.map(move |&start| Span { file, start, end: start + width })
    }

    pub fn path(&self, file: FileId) -> &Path {
        &self.files[file.0 as usize].path
    }

    pub fn text(&self, file: FileId) -> &Arc<str> {
        &self.files[file.0 as usize].text
    }

    pub fn snippet(&self, span: Span) -> &str {
        self.text(span.file).get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// 1-based line and column (in characters) of a byte offset.
    pub fn line_column(&self, file: FileId, offset: u32) -> (usize, usize) {
        let text = self.text(file);
        let lines = self.files[file.0 as usize].lines();
        let offset = text.floor_char_boundary(offset as usize);
        let line = lines.partition_point(|&start| start <= offset).max(1);
        let start = lines[line - 1].min(offset);
        (line, text[start..offset].chars().count() + 1)
    }

    /// The bytes of a line (1-based), without its line break.
    pub fn line(&self, file: FileId, line: usize) -> Range<usize> {
        let text = self.text(file);
        let lines = self.files[file.0 as usize].lines();
        let Some(&start) = lines.get(line.saturating_sub(1)) else { return text.len()..text.len() };
        let end = lines.get(line).map_or(text.len(), |next| next - 1);
        start..start + text[start..end].strip_suffix('\r').map_or(end - start, str::len)
    }
}

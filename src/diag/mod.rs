//! Diagnostics as data: what the user wrote wrongly, where, why, and what to do.
//!
//! Parsing, evaluating and planning collect diagnostics and go on; rendering is separate ([`render`]).

pub mod codes;
pub mod render;
mod sources;

pub use sources::{FileId, Sources, Span};

use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// A place in a file, with what there is to say about it (may be empty).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable, kebab-case: `unknown-attribute`. Part of the interface: tools match on it.
    pub code: &'static str,
    pub severity: Severity,
    /// One line, no final stop: what is wrong.
    pub summary: String,
    /// Why, in sentences; may be empty.
    pub detail: String,
    /// First is the primary place.
    pub labels: Vec<Label>,
    /// Facts such as the values involved: ``var.subnets is list of string with 2 elements``.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// The resource address concerned, when there is one.
    pub address: Option<String>,
}

impl Diagnostic {
    pub fn error(code: &'static str, summary: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, summary.into())
    }

    pub fn warning(code: &'static str, summary: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, summary.into())
    }

    fn new(severity: Severity, code: &'static str, summary: String) -> Self {
        Self {
            code,
            severity,
            summary,
            detail: String::new(),
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
            address: None,
        }
    }

    pub fn at(self, span: Span) -> Self {
        self.label(span, "")
    }

    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.detail = text.into();
        self
    }

    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    pub fn address(mut self, address: impl ToString) -> Self {
        self.address = Some(address.to_string());
        self
    }

    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|l| l.span)
    }
}

/// The diagnostics of one run, in the order found; sorted into source order when shown.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        // The same expression is evaluated once per instance: report it once.
        if !self.list.contains(&diagnostic) {
            self.list.push(diagnostic);
        }
    }

    pub fn extend(&mut self, more: impl IntoIterator<Item = Diagnostic>) {
        more.into_iter().for_each(|d| self.push(d));
    }

    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error)
    }

    pub fn error_count(&self) -> usize {
        self.list.iter().filter(|d| d.severity == Severity::Error).count()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Source order (file, offset), those without a place last.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|d| {
            let span = d.span();
            (span.is_none(), span.map(|s| (s.file, s.start)))
        });
        self.list
    }

    pub fn codes(&self) -> BTreeSet<&'static str> {
        self.list.iter().map(|d| d.code).collect()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

/// The nearest of `candidates` to a mistyped `word`, if one is near enough to suggest.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(word, c), c))
        .filter(|(distance, c)| *distance <= (word.len().max(c.len()) / 3).max(1) && *distance < word.len())
        .min()
        .map(|(_, c)| c)
}

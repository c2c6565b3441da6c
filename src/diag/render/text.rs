//! Text in rustc's style. What is shown of a file is bounded: few lines, no long ones.

use super::{Diagnostic, Severity, Sources, Span, printable, shown, shown_path};
use crate::diag::Label;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use anstream::adapter::strip_str;
use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, width: 120 }
    }
}

/// Labels whose lines are further apart get snippets of their own.
const MAX_GAP_LINES: usize = 6;
/// A span over more lines is shown by its first line.
const MAX_SPAN_LINES: usize = 4;
/// Of longer lines only a window around the labels is shown.
const MAX_LINE_BYTES: usize = 240;
const WINDOW_BEFORE_BYTES: usize = 60;

/// All diagnostics, and a line that counts them.
pub fn render_text(diags: &[Diagnostic], sources: &Sources, style: Style) -> String {
    let mut out = String::new();
    let base = if style.color { Renderer::styled().hyperlink(false) } else { Renderer::plain() };
    let renderer = base.term_width(style.width.max(40));
    for d in diags {
        for line in renderer.render(&[group(d, sources)]).lines() {
            // The renderer marks a snippet whose place is already given by an empty one.
            if strip_str(line).to_string().trim() != ":::" {
                out.push_str(line);
                out.push('\n');
            }
        }
        out.push('\n');
    }
    if let Some(counts) = count_line(diags) {
        out.push_str(&counts);
        out.push('\n');
    }
    out
}

/// `2 errors, 1 warning`
pub fn count_line(diags: &[Diagnostic]) -> Option<String> {
    let count = |severity, word: &str| {
        let n = diags.iter().filter(|d| d.severity == severity).count();
        (n > 0).then(|| format!("{n} {word}{}", if n == 1 { "" } else { "s" }))
    };
    let parts = [count(Severity::Error, "error"), count(Severity::Warning, "warning")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn group(d: &Diagnostic, sources: &Sources) -> Group<'static> {
    let level = match d.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(text(&d.summary)).id(d.code));
    for (i, cluster) in clusters(&d.labels, sources).into_iter().enumerate() {
        let first = cluster[0].span;
        let (line, column) = sources.line_column(first.file, first.start);
        let path = printable(&shown_path(sources, first)).into_owned();
        group = group.element(Origin::path(path).line(line).char_column(column));
        group = group.element(snippet(&cluster, i == 0, sources));
    }
    if let Some(address) = &d.address {
        group = group.element(Level::NOTE.no_name().message(format!("in {}", text(address))));
    }
    if !d.detail.is_empty() {
        group = group.element(Level::NOTE.no_name().message(text(&d.detail)));
    }
    for note in &d.notes {
        group = group.element(Level::NOTE.message(text(note)));
    }
    if let Some(help) = &d.help {
        group = group.element(Level::HELP.message(text(help)));
    }
    group
}

fn text(text: &str) -> String {
    printable(text).into_owned()
}

/// Labels that can share a snippet, the one with the primary label (which comes first in it) first.
fn clusters<'d>(labels: &'d [Label], sources: &Sources) -> Vec<Vec<&'d Label>> {
    let line = |l: &Label| sources.line_column(l.span.file, l.span.start).0;
    let mut clusters: Vec<Vec<&Label>> = Vec::new();
    for label in labels {
        let near = clusters.iter_mut().find(|c| {
            c.iter().any(|l| l.span.file == label.span.file && line(l).abs_diff(line(label)) <= MAX_GAP_LINES)
        });
        match near {
            Some(cluster) => cluster.push(label),
            None => clusters.push(vec![label]),
        }
    }
    clusters
}

fn snippet(cluster: &[&Label], primary: bool, sources: &Sources) -> Snippet<'static, Annotation<'static>> {
    let spans: Vec<Span> = cluster.iter().map(|l| clip(l.span, sources)).collect();
    let excerpt = Excerpt::of(&spans, sources);
    let annotations = cluster.iter().zip(excerpt.ranges).enumerate().map(|(i, (label, range))| {
        let kind = if primary && i == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let label = (!label.text.is_empty()).then(|| text(&label.text));
        kind.span(range).label(label)
    });
    Snippet::source(excerpt.text).line_start(excerpt.line_start).annotations(annotations)
}

/// The span itself, or the part on its first line if it is long.
fn clip(span: Span, sources: &Sources) -> Span {
    let (first, _) = sources.line_column(span.file, span.start);
    let (last, column) = sources.line_column(span.file, span.end);
    let line = sources.line(span.file, first);
    if last - first >= MAX_SPAN_LINES || (last == first + 1 && column == 1) {
        // The second: over the line break and no further.
        return Span { end: (line.end as u32).max(span.start), ..span };
    }
    span
}

/// Consecutive lines of one file, made fit to be shown.
struct Excerpt {
    text: String,
    line_start: usize,
    /// Where the spans are in the text.
    ranges: Vec<Range<usize>>,
}

impl Excerpt {
    fn of(spans: &[Span], sources: &Sources) -> Excerpt {
        let file = spans[0].file;
        let line_of = |offset| sources.line_column(file, offset).0;
        let first = spans.iter().map(|s| line_of(s.start)).min().unwrap_or(1);
        let last = spans.iter().map(|s| line_of(s.end)).max().unwrap_or(1);
        let mut excerpt = Excerpt { text: String::new(), line_start: first, ranges: vec![0..0; spans.len()] };
        for line in first..=last {
            excerpt.push_line(spans, sources, line, line == last);
        }
        excerpt
    }

    fn push_line(&mut self, spans: &[Span], sources: &Sources, line: usize, last: bool) {
        let file = spans[0].file;
        let source = sources.text(file);
        let whole = sources.line(file, line);
        let next = if last { usize::MAX } else { sources.line(file, line + 1).start };
        let on_line = |offset: u32| (offset as usize) >= whole.start && (offset as usize) < next;
        let window = if whole.len() > MAX_LINE_BYTES {
            let places =
                spans.iter().flat_map(|s| [s.start, s.end]).filter(|&o| on_line(o)).map(|o| o as usize);
            let first = places.min().unwrap_or(whole.start).min(whole.end);
            let start =
                source.floor_char_boundary(first.saturating_sub(WINDOW_BEFORE_BYTES).max(whole.start));
            start..source.floor_char_boundary((start + MAX_LINE_BYTES).min(whole.end))
        } else {
            whole.clone()
        };
        if window.start > whole.start {
            self.text.push('…');
        }
        let base = self.text.len();
        let place = |offset: u32| {
            let offset = source.floor_char_boundary((offset as usize).clamp(window.start, window.end));
            base + source[window.start..offset].chars().map(|c| shown(c).len_utf8()).sum::<usize>()
        };
        for (span, range) in spans.iter().zip(&mut self.ranges) {
            if on_line(span.start) {
                range.start = place(span.start);
            }
            if on_line(span.end) {
                range.end = place(span.end).max(range.start);
            }
        }
        self.text.extend(source[window.clone()].chars().map(shown));
        if window.end < whole.end {
            self.text.push('…');
        }
        self.text.push('\n');
    }
}

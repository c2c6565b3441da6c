//! Diagnostics as text with snippets, and as JSON.

use super::{Diagnostic, Sources};

#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub color: bool,
    pub width: usize,
}

pub fn render_text(diagnostics: &[Diagnostic], sources: &Sources, _style: Style) -> String {
    let mut out = String::new();
    for d in diagnostics {
        out += &format!("{:?}[{}]: {}\n", d.severity, d.code, d.summary);
        for label in &d.labels {
            let (line, column) = sources.line_column(label.span.file, label.span.start);
            out += &format!("  --> {}:{line}:{column}: {}\n", sources.path(label.span.file).display(), label.text);
        }
        for note in d.notes.iter().chain(&d.help) {
            out += &format!("  {note}\n");
        }
    }
    out
}

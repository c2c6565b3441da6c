//! Diagnostics as text with snippets, as JSON and as SARIF.

mod json;
mod sarif;
mod text;

#[cfg(test)]
mod tests;

pub use json::render_json;
pub use sarif::render_sarif;
pub use text::{Style, count_line, render_text};

use super::{Diagnostic, Severity, Sources, Span};
use std::borrow::Cow;

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A path as people write it: with slashes everywhere, and no `./` before it.
pub(crate) fn shown_path(sources: &Sources, span: Span) -> String {
    let path = sources.path(span.file).to_string_lossy().replace('\\', "/");
    path.strip_prefix("./").map(str::to_owned).unwrap_or(path)
}

/// What a terminal may get: control characters and those that hide or turn text are replaced. Line breaks
/// stay.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| c == '\n' || shown(c) == c) {
        return Cow::Borrowed(text);
    }
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if c == '\n' { c } else { shown(c) })
        .collect::<String>()
        .into()
}

/// The visible stand-in of a character.
fn shown(c: char) -> char {
    match c {
        '\t' => ' ',
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7f}' => '\u{2421}',
        // C1 controls; zero-width and direction marks: what one sees must be what is there.
        '\u{80}'..='\u{9f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// Everything that is said about a diagnostic, in one text.
fn full_message(d: &Diagnostic) -> String {
    let mut text = d.summary.clone();
    for part in [&d.detail].into_iter().chain(&d.notes).filter(|p| !p.is_empty()) {
        text.push('\n');
        text.push_str(part);
    }
    if let Some(help) = &d.help {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    text
}

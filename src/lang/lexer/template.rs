//! Literal text: quoted strings, heredocs, template files.

use super::code::stray_carriage_return;
use super::{Frame, Kind, Lexer, Mode, Within};

impl Lexer<'_> {
    /// At `$` or `%`: opens a sequence, or says how many bytes are literal.
    fn sequence_or_literal(&mut self, text_start: usize, text: Kind) -> Option<usize> {
        let b = self.bytes[self.pos];
        if self.peek(1) == b'{' {
            if text_start < self.pos {
                self.emit(text, text_start, self.pos);
            }
            let kind = if b == b'$' { Kind::OpenInterpolation } else { Kind::OpenDirective };
            self.open(kind, if self.peek(2) == b'~' { 3 } else { 2 }, Within::Sequence);
            return None;
        }
        Some(if self.peek(1) == b && self.peek(2) == b'{' { 3 } else { 1 })
    }

    pub(super) fn quoted_text(&mut self) {
        let start = self.pos;
        while let Some(&b) = self.bytes.get(self.pos) {
            match b {
                b'"' => {
                    if start < self.pos {
                        self.emit(Kind::QuotedText, start, self.pos);
                    }
                    self.close(Kind::CloseQuote, 1);
                    return;
                }
                b'\\' => {
                    let escaped = self.peek(1);
                    self.pos +=
                        if escaped.is_ascii() && !matches!(escaped, 0 | b'\n' | b'\r') { 2 } else { 1 };
                }
                b'$' | b'%' => match self.sequence_or_literal(start, Kind::QuotedText) {
                    Some(len) => self.pos += len,
                    None => return,
                },
                b'\n' | b'\r' => {
                    if !self.unterminated_quote(start) {
                        return;
                    }
                }
                _ => self.pos += 1,
            }
        }
        // At the end of the text: `at_end` reports it.
        self.emit(Kind::QuotedText, start, self.pos);
    }

    pub(super) fn heredoc_text(&mut self, marker: (u32, u32), line_start: bool) {
        if line_start {
            let marker = &self.text[marker.0 as usize..marker.1 as usize];
            if let Some(len) = self.marker_line(marker) {
                return self.close(Kind::CloseHeredoc, len);
            }
        }
        self.text_line();
    }

    /// Length of the line without its break, if it is nothing but the marker.
    pub(super) fn marker_line(&self, marker: &str) -> Option<usize> {
        let rest = &self.text[self.pos..];
        if !rest.trim_start_matches(|c: char| c.is_whitespace() && c != '\n').starts_with(marker) {
            return None;
        }
        let line = &rest[..rest.find('\n')?];
        let line = line.strip_suffix('\r').unwrap_or(line);
        (line.trim() == marker).then_some(line.len())
    }

    pub(super) fn set_line_start(&mut self, at_start: bool) {
        if let Some(Frame { within: Within::Heredoc { line_start, .. }, .. }) = self.frames.last_mut() {
            *line_start = at_start;
        }
    }

    /// Literal text up to a sequence or over the end of the line.
    pub(super) fn text_line(&mut self) {
        let start = self.pos;
        self.set_line_start(false);
        while let Some(&b) = self.bytes.get(self.pos) {
            match b {
                b'\r' if self.mode == Mode::Code && self.peek(1) != b'\n' => {
                    self.error(stray_carriage_return().at(self.span(self.pos, self.pos + 1)));
                    self.pos += 1;
                }
                b'\n' => {
                    self.pos += 1;
                    self.set_line_start(true);
                    break;
                }
                b'$' | b'%' => match self.sequence_or_literal(start, Kind::Text) {
                    Some(len) => self.pos += len,
                    None => return,
                },
                _ => self.pos += 1,
            }
        }
        self.emit(Kind::Text, start, self.pos);
    }
}

//! What is still open where it should not be: strings at the end of a line, heredocs and sequences at the
//! end of the file.

use super::{Frame, Kind, Lexer, MAX_ERRORS, Within};
use crate::diag::{Diagnostic, Span};

impl Lexer<'_> {
    /// At a line break inside quotes. True when the string seems to go on in the next lines.
    pub(super) fn unterminated_quote(&mut self, text_start: usize) -> bool {
        let Some(Frame { within: Within::Quote { reported }, opener }) = self.frames.last().copied() else {
            return false;
        };
        let end = self.pos;
        let count = self.errors.len() < MAX_ERRORS;
        let goes_on = reported || (count && self.string_goes_on());
        if !reported && count {
            let opener = self.tokens[opener as usize];
            let width = if self.text[end..].starts_with("\r\n") { 2 } else { 1 };
            let mut diagnostic =
                Diagnostic::error("unterminated-string", "this string does not end on its line")
                    .label(self.span(end, end + width), "the line ends here")
                    .label(self.span(opener.start as usize, opener.end as usize), "the string starts here");
            if let Some(i) = self.sequence_frame_on_line() {
                let opener = self.tokens[self.frames[i].opener as usize];
                diagnostic = diagnostic
                    .label(self.span(opener.start as usize, opener.end as usize), "this has no `}`");
            }
            self.error(
                diagnostic.help("close it with `\"`; for several lines use `\\n` or a heredoc (`<<EOT`)"),
            );
        }
        if goes_on {
            if let Some(frame) = self.frames.last_mut() {
                frame.within = Within::Quote { reported: true };
            }
            self.pos += 1;
            return true;
        }
        if text_start < end {
            self.emit(Kind::QuotedText, text_start, end);
        }
        self.close(Kind::CloseQuote, 0);
        if count {
            self.close_sequences_of_line();
        }
        false
    }

    /// Index of the innermost sequence's frame, if it was opened on this line.
    fn sequence_frame_on_line(&mut self) -> Option<usize> {
        let i = self.innermost_sequence()?;
        let opener = self.tokens[self.frames[i].opener as usize];
        let line_start = self.text[..self.pos].rfind('\n').map_or(0, |i| i + 1);
        (opener.start as usize >= line_start).then_some(i)
    }

    fn close_sequences_of_line(&mut self) {
        while let Some(i) = self.sequence_frame_on_line() {
            self.frames.truncate(i + 1);
            self.close(Kind::CloseSequence, 0);
            if matches!(self.frames.last().map(|f| f.within), Some(Within::Quote { .. })) {
                self.close(Kind::CloseQuote, 0);
            }
        }
    }

    /// Whether the text after this line break rather continues the string than starts something new: a
    /// line with an odd number of quotes comes before any that looks like configuration.
    fn string_goes_on(&self) -> bool {
        let rest = &self.text[self.pos..];
        for line in rest[..rest.floor_char_boundary(4096)].lines().skip(1).take(20) {
            let quotes =
                line.matches('"').count() - line.matches("\\\"").count().min(line.matches('"').count());
            if quotes % 2 == 1 {
                return true;
            }
            let line = line.trim();
            let name =
                line.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_' || c == '-').trim_start();
            if quotes > 0
                || line.starts_with(['}', ']', ')', '#'])
                || line.ends_with('{')
                || name.starts_with('=')
            {
                return false;
            }
        }
        false
    }

    /// At the start of a line of code inside a sequence: the marker of the heredoc around it may stand here.
    pub(super) fn line_in_sequence(&mut self) {
        let Some(i) = self.innermost_sequence() else { return };
        let Some(Frame { within: Within::Heredoc { marker, .. }, .. }) =
            i.checked_sub(1).map(|i| self.frames[i])
        else {
            return;
        };
        if self.marker_line(&self.text[marker.0 as usize..marker.1 as usize]).is_none() {
            return;
        }
        self.marker_in_sequence = true;
        if self.marker_ends_sequence {
            self.unclosed_sequence(i);
            self.frames.truncate(i + 1);
            self.close(Kind::CloseSequence, 0);
            self.set_line_start(true);
        }
    }

    fn unclosed_sequence(&mut self, frame: usize) {
        let opener = self.tokens[self.frames[frame].opener as usize];
        let (code, what, sign) = match opener.kind {
            Kind::OpenDirective => ("unclosed-directive", "directive", '%'),
            _ => ("unclosed-interpolation", "interpolation", '$'),
        };
        self.error(
            Diagnostic::error(code, format!("this template {what} has no closing `}}`"))
                .at(self.span(opener.start as usize, opener.end as usize))
                .help(format!("close it with `}}`; to mean a literal `{sign}{{`, write `{sign}{sign}{{`")),
        );
    }

    pub(super) fn at_end(&mut self) {
        let innermost = self.frames.iter().rposition(|f| {
            matches!(f.within, Within::Sequence | Within::Quote { .. } | Within::Heredoc { .. })
        });
        let Some(i) = innermost else { return };
        let opener = self.tokens[self.frames[i].opener as usize];
        let opener = self.span(opener.start as usize, opener.end as usize);
        match self.frames[i].within {
            Within::Quote { reported: false } => {
                let end = self.bytes.len();
                self.error(
                    Diagnostic::error(
                        "unterminated-string",
                        "this string does not end before the end of the file",
                    )
                    .label(self.span(end, end), "the file ends here")
                    .label(opener, "the string starts here")
                    .help("close it with `\"`"),
                );
            }
            Within::Heredoc { marker, .. } => {
                self.ended_in_heredoc = true;
                self.unterminated_heredoc(opener, marker);
            }
            Within::Sequence => {
                self.ended_in_heredoc = i > 0 && matches!(self.frames[i - 1].within, Within::Heredoc { .. });
                self.unclosed_sequence(i);
            }
            _ => {}
        }
    }

    fn unterminated_heredoc(&mut self, opener: Span, marker: (u32, u32)) {
        let marker = &self.text[marker.0 as usize..marker.1 as usize];
        let body = opener.end as usize;
        let mut diagnostic = Diagnostic::error(
            "unterminated-heredoc",
            format!("no line with only `{marker}` ends this heredoc"),
        )
        .label(self.span(opener.start as usize, self.text[..body].trim_end().len()), "starts here");
        let mut offset = body;
        for line in self.text[body..].split_inclusive('\n') {
            let start = offset + (line.len() - line.trim_start().len());
            offset += line.len();
            if line.trim_start().starts_with(marker) {
                let last = !line.ends_with('\n');
                let why = if last { "needs a line break after it" } else { "has more than the marker" };
                diagnostic = diagnostic.label(self.span(start, start + line.trim().len()), why);
                break;
            }
        }
        self.error(diagnostic.help(format!("end it with a line that has only `{marker}`")));
    }
}

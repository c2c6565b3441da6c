//! Text → tokens. Brackets, quotes and template sequences are paired here, so that the parser can find
//! its way after an error.
//!
//! The rules are Terraform 1.11's (checked against the real one, see `parse/conformance.rs`).

use crate::diag::{Diagnostic, FileId, Span};
use regex::Regex;
use std::sync::LazyLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
    OpenQuote,
    CloseQuote,
    /// `<<EOT` with its line break.
    OpenHeredoc,
    /// The line with the end marker, without its line break.
    CloseHeredoc,
    /// `${` or `${~`
    OpenInterpolation,
    /// `%{` or `%{~`
    OpenDirective,
    /// `}` or `~}` after one of the two above.
    CloseSequence,
    /// Literal part of a quoted string: has backslash escapes.
    QuotedText,
    /// Literal part of a heredoc or a template file, at most one line.
    Text,
    Ident,
    Number,
    Equal,
    EqualEqual,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Bang,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Question,
    Colon,
    DoubleColon,
    Comma,
    Dot,
    Ellipsis,
    FatArrow,
    /// One or more line breaks, with the comments between.
    Newline,
    /// Already reported.
    Invalid,
    /// Always the last token, and only there.
    End,
}

/// No partner: an opening token that is never closed, or a closing one that was never opened.
pub(super) const UNPAIRED: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
    /// Index of the partner of a bracket, quote or template sequence.
    pub mate: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Code,
    /// A whole file that is a template.
    Template,
}

pub(super) struct Lexed {
    pub tokens: Vec<Token>,
    /// In source order.
    pub errors: Vec<Diagnostic>,
    /// How deep a recursive parser may have to go: nested pairs, and operators that nest without any.
    pub depth: usize,
}

/// After so many errors in one file the rest is noise.
pub(super) const MAX_ERRORS: usize = 100;

/// So far a wrong `)` or `]` looks for its partner: a bound that keeps the time linear.
const NEAR_FRAMES: usize = 64;

pub(super) fn lex(text: &str, file: FileId, mode: Mode) -> Lexed {
    let mut lexer = Lexer::new(text, file, mode);
    lexer.run();
    if lexer.ended_in_heredoc && lexer.marker_in_sequence {
        // A `${` without `}` swallowed its heredoc's end marker: again, and now the marker wins.
        lexer = Lexer { marker_ends_sequence: true, ..Lexer::new(text, file, mode) };
        lexer.run();
    }
    lexer.errors.sort_by_key(|d| d.span().map(|s| s.start));
    Lexed { tokens: lexer.tokens, errors: lexer.errors, depth: lexer.depth }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Paren,
    Bracket,
    /// `{` of a block: follows a name or a label.
    Block,
    /// Any other `{`.
    Object,
    /// `${` or `%{`
    Sequence,
    Quote {
        reported: bool,
    },
    Heredoc {
        marker: (u32, u32),
        line_start: bool,
    },
}

#[derive(Clone, Copy)]
struct Frame {
    within: Within,
    opener: u32,
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    file: FileId,
    mode: Mode,
    pos: usize,
    tokens: Vec<Token>,
    frames: Vec<Frame>,
    /// Where in `frames` there were sequences; [`Lexer::innermost_sequence`] drops those that are gone.
    sequences: Vec<usize>,
    errors: Vec<Diagnostic>,
    depth: usize,
    /// `?` and `[*]` since the last line break outside brackets: they nest without brackets.
    chained: usize,
    marker_in_sequence: bool,
    marker_ends_sequence: bool,
    /// The end of the text came inside a heredoc, or a sequence in one.
    ended_in_heredoc: bool,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str, file: FileId, mode: Mode) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            file,
            mode,
            pos: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 },
            tokens: Vec::with_capacity(text.len() / 5),
            frames: Vec::new(),
            sequences: Vec::new(),
            errors: Vec::new(),
            depth: 0,
            chained: 0,
            marker_in_sequence: false,
            marker_ends_sequence: false,
            ended_in_heredoc: false,
        }
    }

    fn run(&mut self) {
        while self.pos < self.bytes.len() {
            match self.frames.last().map(|f| f.within) {
                Some(Within::Quote { .. }) => self.quoted_text(),
                Some(Within::Heredoc { marker, line_start }) => self.heredoc_text(marker, line_start),
                None if self.mode == Mode::Template => self.text_line(),
                _ => self.code(),
            }
        }
        self.at_end();
        let end = self.bytes.len();
        self.emit(Kind::End, end, end);
    }

    // ---- tokens and pairs

    fn emit(&mut self, kind: Kind, start: usize, end: usize) {
        self.tokens.push(Token { kind, start: start as u32, end: end as u32, mate: UNPAIRED });
    }

    /// Emits a token of `len` bytes at the position and steps over it.
    fn take(&mut self, kind: Kind, len: usize) {
        self.emit(kind, self.pos, self.pos + len);
        self.pos += len;
    }

    fn open(&mut self, kind: Kind, len: usize, within: Within) {
        if within == Within::Sequence {
            self.sequences.push(self.frames.len());
        }
        self.frames.push(Frame { within, opener: self.tokens.len() as u32 });
        self.depth = self.depth.max(self.frames.len() + self.chained);
        self.take(kind, len);
    }

    /// Ends the innermost frame with the token to be emitted next.
    fn pair_top(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.tokens[frame.opener as usize].mate = self.tokens.len() as u32;
        }
    }

    fn close(&mut self, kind: Kind, len: usize) {
        let opener = self.frames.last().map(|f| f.opener);
        self.pair_top();
        self.take(kind, len);
        if let (Some(opener), Some(last)) = (opener, self.tokens.last_mut()) {
            last.mate = opener;
        }
    }

    /// `)` and `]`: closes its partner, and what was left open inside it; never reaches out of a block or
    /// a template sequence.
    fn close_round_or_square(&mut self, kind: Kind, partner: Within) {
        let inside = |f: &&Frame| matches!(f.within, Within::Paren | Within::Bracket | Within::Object);
        let mut near = self.frames.iter().rev().take(NEAR_FRAMES).take_while(inside);
        match near.position(|f| f.within == partner) {
            Some(above) => {
                self.frames.truncate(self.frames.len() - above);
                self.close(kind, 1);
            }
            None => self.take(kind, 1),
        }
    }

    /// `}` and `~}`
    fn close_brace(&mut self, len: usize) {
        let found = self.frames.iter().rposition(|f| !matches!(f.within, Within::Paren | Within::Bracket));
        match found.map(|i| (i, self.frames[i].within)) {
            Some((i, Within::Sequence)) => {
                self.frames.truncate(i + 1);
                self.close(Kind::CloseSequence, len);
            }
            Some((i, _)) if len == 1 => {
                self.frames.truncate(i + 1);
                self.close(Kind::CloseBrace, len);
            }
            Some((i, _)) => {
                // `~}` cannot end a block or an object: neither gets a partner.
                self.frames.truncate(i);
                self.take(Kind::CloseSequence, len);
            }
            None => self.take(if len == 2 { Kind::CloseSequence } else { Kind::CloseBrace }, len),
        }
    }

    fn error(&mut self, diagnostic: Diagnostic) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(diagnostic);
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.pos + ahead).copied().unwrap_or(0)
    }

    // ---- code

    fn code(&mut self) {
        use Kind::*;
        match self.bytes[self.pos] {
            b' ' | b'\t' => self.pos += 1,
            b'\n' => self.newline(1),
            b'\r' if self.peek(1) == b'\n' => self.newline(2),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.ident(),
            b'0'..=b'9' => self.number(),
            b'"' => self.open(OpenQuote, 1, Within::Quote { reported: false }),
            b'{' => {
                let block = matches!(self.tokens.last().map(|t| t.kind), Some(Ident | CloseQuote));
                self.open(OpenBrace, 1, if block { Within::Block } else { Within::Object });
            }
            b'}' => self.close_brace(1),
            b'~' if self.peek(1) == b'}' => self.close_brace(2),
            b'(' => self.open(OpenParen, 1, Within::Paren),
            b')' => self.close_round_or_square(CloseParen, Within::Paren),
            b'[' => self.open(OpenBracket, 1, Within::Bracket),
            b']' => self.close_round_or_square(CloseBracket, Within::Bracket),
            b'#' => self.line_comment(),
            b'/' => match self.peek(1) {
                b'/' => self.line_comment(),
                b'*' => self.block_comment(),
                _ => self.take(Slash, 1),
            },
            b'<' => match self.peek(1) {
                b'<' => self.heredoc_start(),
                b'=' => self.take(LessEqual, 2),
                _ => self.take(Less, 1),
            },
            b'>' => self.one_or_two(Greater, b'=', GreaterEqual),
            b'!' => self.one_or_two(Bang, b'=', NotEqual),
            b':' => self.one_or_two(Colon, b':', DoubleColon),
            b'=' => match self.peek(1) {
                b'=' => self.take(EqualEqual, 2),
                b'>' => self.take(FatArrow, 2),
                _ => self.take(Equal, 1),
            },
            b'&' if self.peek(1) == b'&' => self.take(And, 2),
            b'|' if self.peek(1) == b'|' => self.take(Or, 2),
            b'.' if self.peek(1) == b'.' && self.peek(2) == b'.' => self.take(Ellipsis, 3),
            b'.' => self.take(Dot, 1),
            b',' => self.take(Comma, 1),
            b'+' => self.take(Plus, 1),
            b'-' => self.take(Minus, 1),
            b'%' => self.take(Percent, 1),
            b'*' => {
                if self.tokens.last().is_some_and(|t| t.kind == OpenBracket) {
                    self.chain();
                }
                self.take(Star, 1);
            }
            b'?' => {
                self.chain();
                self.take(Question, 1);
            }
            _ => self.other_character(),
        }
    }

    fn chain(&mut self) {
        self.chained += 1;
        self.depth = self.depth.max(self.frames.len() + self.chained);
    }

    fn one_or_two(&mut self, one: Kind, second: u8, two: Kind) {
        if self.peek(1) == second { self.take(two, 2) } else { self.take(one, 1) }
    }

    /// A line break of `len` bytes (its comment included).
    fn newline(&mut self, len: usize) {
        if self.frames.is_empty() {
            self.chained = 0;
        }
        if self.tokens.last().is_some_and(|t| t.kind == Kind::Newline) {
            self.pos += len;
        } else {
            self.take(Kind::Newline, len);
        }
        if !self.sequences.is_empty() {
            self.line_in_sequence();
        }
    }

    fn line_comment(&mut self) {
        match self.text[self.pos..].find('\n') {
            Some(len) => self.newline(len + 1),
            None => self.pos = self.bytes.len(),
        }
    }

    fn block_comment(&mut self) {
        match self.text[self.pos + 2..].find("*/") {
            Some(len) => self.pos += 2 + len + 2,
            None => {
                let start = self.pos;
                self.error(
                    Diagnostic::error("unterminated-comment", "this comment has no end")
                        .label(self.span(start, start + 2), "starts here")
                        .help("end it with `*/`"),
                );
                self.take(Kind::Invalid, self.bytes.len() - start);
            }
        }
    }

    fn ident(&mut self) {
        let mut end = self.pos;
        loop {
            while self.bytes.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
                end += 1;
            }
            match self.text[end..].chars().next() {
                Some(c) if !c.is_ascii() && continues_ident(c) => end += c.len_utf8(),
                _ => break,
            }
        }
        self.take(Kind::Ident, end - self.pos);
    }

    /// Digits, dots and exponents in any order, as long as it does not end with a dot: whether it is a
    /// number shows later (`1.5.6` is one token, and wrong).
    fn number(&mut self) {
        let mut i = self.pos + 1;
        let mut end = i;
        while let Some(b) = self.bytes.get(i) {
            match b {
                b'0'..=b'9' => i += 1,
                b'.' => {
                    i += 1;
                    continue;
                }
                b'e' | b'E' => {
                    let sign = usize::from(matches!(self.bytes.get(i + 1), Some(b'+' | b'-')));
                    if !self.bytes.get(i + 1 + sign).is_some_and(u8::is_ascii_digit) {
                        break;
                    }
                    i += 2 + sign;
                }
                _ => break,
            }
            end = i;
        }
        self.take(Kind::Number, end - self.pos);
    }

    fn heredoc_start(&mut self) {
        let flush = usize::from(self.peek(2) == b'-');
        let marker = self.pos + 2 + flush;
        let rest = &self.text[marker..];
        let name_end = rest
            .char_indices()
            .find(|&(i, c)| !(if i == 0 { starts_ident(c) } else { continues_ident(c) || c == '-' }))
            .map_or(rest.len(), |(i, _)| i);
        let after = &rest[name_end..];
        let line_break = if after.starts_with("\r\n") { 2 } else { usize::from(after.starts_with('\n')) };
        if name_end > 0 && line_break > 0 {
            let marker = (marker as u32, (marker + name_end) as u32);
            let len = 2 + flush + name_end + line_break;
            self.open(Kind::OpenHeredoc, len, Within::Heredoc { marker, line_start: true });
            return;
        }
        let span = self.span(self.pos, marker + name_end);
        self.error(
            Diagnostic::error(
                "invalid-heredoc",
                "a heredoc needs a marker, directly followed by a line break",
            )
            .at(span)
            .help("write `<<EOT`, nothing after it on that line, and later a line with only `EOT`"),
        );
        self.take(Kind::Invalid, 2 + flush + name_end);
    }

    fn other_character(&mut self) {
        let c = self.text[self.pos..].chars().next().expect("the position is inside the text");
        if starts_ident(c) {
            return self.ident();
        }
        let start = self.pos;
        let error = |code, summary: &str, help: &str| {
            let diagnostic = Diagnostic::error(code, summary);
            if help.is_empty() { diagnostic } else { diagnostic.help(help) }
        };
        let operator = "there are no bitwise operators";
        let mut kind = Kind::Invalid;
        let mut len = c.len_utf8();
        let diagnostic = match c {
            '&' => error("unsupported-operator", operator, "`&&` is the boolean and"),
            '|' => error("unsupported-operator", operator, "`||` is the boolean or"),
            '^' => error("unsupported-operator", operator, "`pow(a, b)` raises to a power"),
            '~' => error("unsupported-operator", operator, "`!` is the boolean not"),
            ';' => {
                kind = Kind::Newline;
                error("invalid-character", "`;` is not used here", "end the line instead")
            }
            '\'' | '“' | '”' | '„' | '‘' | '’' | '`' => {
                len = self.to_closing(c, len);
                error(
                    "invalid-character",
                    &format!("`{c}` cannot quote a string"),
                    "use the straight double quote `\"`",
                )
            }
            '\u{a0}' => {
                error("invalid-character", "a non-breaking space cannot separate words", "use a plain space")
            }
            '\r' => error(
                "invalid-character",
                "a carriage return that ends no line",
                "end lines with LF or CR LF",
            ),
            c if c.is_control() => {
                error("invalid-character", &format!("a control character, U+{:04X}", c as u32), "")
            }
            c => error("invalid-character", &format!("`{c}` is not used in the language"), ""),
        };
        self.error(diagnostic.at(self.span(start, start + c.len_utf8())));
        self.take(kind, len);
    }

    /// Length up to the end of what `quote` opens, if that is on this line.
    fn to_closing(&self, quote: char, len: usize) -> usize {
        let closing = match quote {
            '“' | '„' => '”',
            '‘' => '’',
            other => other,
        };
        let rest = &self.text[self.pos + len..];
        let line = rest.split('\n').next().unwrap_or("");
        line.find(closing).map_or(len, |i| len + i + closing.len_utf8())
    }

    // ---- templates

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

    fn quoted_text(&mut self) {
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

    fn innermost_sequence(&mut self) -> Option<usize> {
        while let Some(&i) = self.sequences.last() {
            if self.frames.get(i).is_some_and(|f| f.within == Within::Sequence) {
                return Some(i);
            }
            self.sequences.pop();
        }
        None
    }

    /// At a line break inside quotes. True when the string seems to go on in the next lines.
    fn unterminated_quote(&mut self, text_start: usize) -> bool {
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

    fn heredoc_text(&mut self, marker: (u32, u32), line_start: bool) {
        if line_start {
            let marker = &self.text[marker.0 as usize..marker.1 as usize];
            if let Some(len) = self.marker_line(marker) {
                return self.close(Kind::CloseHeredoc, len);
            }
        }
        self.text_line();
    }

    /// Length of the line without its break, if it is nothing but the marker.
    fn marker_line(&self, marker: &str) -> Option<usize> {
        let rest = &self.text[self.pos..];
        if !rest.trim_start_matches(|c: char| c.is_whitespace() && c != '\n').starts_with(marker) {
            return None;
        }
        let line = &rest[..rest.find('\n')?];
        let line = line.strip_suffix('\r').unwrap_or(line);
        (line.trim() == marker).then_some(line.len())
    }

    fn set_line_start(&mut self, at_start: bool) {
        if let Some(Frame { within: Within::Heredoc { line_start, .. }, .. }) = self.frames.last_mut() {
            *line_start = at_start;
        }
    }

    /// Literal text up to a sequence or over the end of the line.
    fn text_line(&mut self) {
        let start = self.pos;
        self.set_line_start(false);
        while let Some(&b) = self.bytes.get(self.pos) {
            match b {
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

    // ---- what is still open where it should not be

    /// At the start of a line of code inside a sequence: the marker of the heredoc around it may stand here.
    fn line_in_sequence(&mut self) {
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

    fn at_end(&mut self) {
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

static IDENT_START: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\p{ID_Start}").expect("the class exists in Unicode"));
static IDENT_CONTINUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\p{ID_Continue}").expect("the class exists in Unicode"));

fn starts_ident(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || (!c.is_ascii() && IDENT_START.is_match(c.encode_utf8(&mut [0; 4])))
}

fn continues_ident(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || c == '_'
        || (!c.is_ascii() && IDENT_CONTINUE.is_match(c.encode_utf8(&mut [0; 4])))
}

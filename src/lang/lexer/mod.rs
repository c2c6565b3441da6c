//! Text → tokens. Brackets, quotes and template sequences are paired here, so that the parser can find
//! its way after an error.
//!
//! The rules are Terraform 1.11's (checked against the real one, see `parse/conformance.rs`).

mod code;
mod template;
mod unclosed;

use crate::diag::{Diagnostic, FileId, Span};

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
    let tokens = || Vec::with_capacity(text.len() / 5);
    let mut lexer = Lexer { tokens: tokens(), ..Lexer::new(text, file, mode) };
    lexer.run(usize::MAX);
    if lexer.ended_in_heredoc && lexer.marker_in_sequence {
        // A `${` without `}` swallowed its heredoc's end marker: again, and now the marker wins.
        lexer = Lexer { tokens: tokens(), marker_ends_sequence: true, ..Lexer::new(text, file, mode) };
        lexer.run(usize::MAX);
    }
    lexer.errors.sort_by_key(|d| d.span().map(|s| s.start));
    Lexed { tokens: lexer.tokens, errors: lexer.errors, depth: lexer.depth }
}

/// A file a few whole lines at a time: the tokens of a large one take more room than its tree. For files without
/// mistakes; what follows from one is for [`lex`].
pub(super) struct Pieces<'a> {
    lexer: Lexer<'a>,
    least: usize,
}

impl<'a> Pieces<'a> {
    /// Each of at least so many tokens, but for the last.
    pub fn new(text: &'a str, file: FileId, least: usize) -> Self {
        let tokens = Vec::with_capacity(least.min(text.len()) + 100);
        Self { lexer: Lexer { tokens, ..Lexer::new(text, file, Mode::Code) }, least }
    }

    /// The next tokens, up to a line break outside of all brackets, and [`Kind::End`]; their depth. None where
    /// something is wrong.
    pub fn next(&mut self) -> Option<(&[Token], usize)> {
        let lexer = &mut self.lexer;
        lexer.tokens.clear();
        lexer.run(self.least);
        lexer.errors.is_empty().then_some((&lexer.tokens, lexer.depth))
    }

    pub fn is_at_end(&self) -> bool {
        self.lexer.is_at_end()
    }
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
            tokens: Vec::new(),
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

    /// To the end of the text, or of a line after which there are `enough` tokens and nothing is open.
    fn run(&mut self, enough: usize) {
        while !self.is_at_end() {
            match self.frames.last().map(|f| f.within) {
                Some(Within::Quote { .. }) => self.quoted_text(),
                Some(Within::Heredoc { marker, line_start }) => self.heredoc_text(marker, line_start),
                None if self.mode == Mode::Template => self.text_line(),
                None => {
                    self.code();
                    let line_ends = |t: &Token| t.kind == Kind::Newline;
                    if self.tokens.len() >= enough && self.tokens.last().is_some_and(line_ends) {
                        break;
                    }
                }
                Some(_) => self.code(),
            }
        }
        if self.is_at_end() {
            self.at_end();
        }
        self.emit(Kind::End, self.pos, self.pos);
    }

    fn is_at_end(&self) -> bool {
        self.pos >= self.bytes.len()
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

    fn innermost_sequence(&mut self) -> Option<usize> {
        while let Some(&i) = self.sequences.last() {
            if self.frames.get(i).is_some_and(|f| f.within == Within::Sequence) {
                return Some(i);
            }
            self.sequences.pop();
        }
        None
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
}

//! Tokens outside of literal text.

use super::{Kind, Lexer, Within};
use crate::diag::Diagnostic;
use regex::Regex;
use std::sync::LazyLock;

impl Lexer<'_> {
    pub(super) fn code(&mut self) {
        use Kind::*;
        match self.bytes[self.pos] {
            b' ' | b'\t' => {
                let rest = self.bytes[self.pos..].iter();
                self.pos += rest.take_while(|b| matches!(b, b' ' | b'\t')).count();
            }
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
            if self.bytes.get(end).is_none_or(u8::is_ascii) {
                break;
            }
            match self.text[end..].chars().next() {
                Some(c) if continues_ident(c) => end += c.len_utf8(),
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
}

pub(super) fn stray_carriage_return() -> Diagnostic {
    Diagnostic::error("invalid-character", "a carriage return that ends no line")
        .help("end lines with LF or CR LF")
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

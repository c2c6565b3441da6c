//! What a line is made of: tokens, comments and line breaks, each with the spaces before it.

use crate::lang::lexer::Kind;
use unicode_segmentation::UnicodeSegmentation;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Token(Kind),
    Newline,
    /// With its line break, unless the file ends before.
    LineComment,
    BlockComment,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub tag: Tag,
    pub start: u32,
    pub end: u32,
    pub spaces: u32,
}

impl Piece {
    pub fn is(&self, kind: Kind) -> bool {
        self.tag == Tag::Token(kind)
    }

    pub fn ends_line(&self) -> bool {
        matches!(self.tag, Tag::Newline | Tag::LineComment)
    }

    /// How many brackets and template sequences are more open after it.
    pub fn opens(&self) -> i32 {
        use Kind::*;
        match self.tag {
            Tag::Token(OpenBrace | OpenBracket | OpenParen | OpenInterpolation | OpenDirective) => 1,
            Tag::Token(CloseBrace | CloseBracket | CloseParen | CloseSequence) => -1,
            _ => 0,
        }
    }
}

pub(super) struct Pieces<'a> {
    text: &'a str,
    /// Text that was not in the file; its offsets start behind those of `text`.
    added: String,
    pub list: Vec<Piece>,
}

impl<'a> Pieces<'a> {
    pub fn new(text: &'a str, capacity: usize) -> Self {
        Self { text, added: String::new(), list: Vec::with_capacity(capacity + capacity / 8) }
    }

    pub fn text(&self) -> &'a str {
        self.text
    }

    pub fn slice(&self, piece: &Piece) -> &str {
        let (start, end) = (piece.start as usize, piece.end as usize);
        match start.checked_sub(self.text.len()) {
            Some(start) if start < self.added.len() => &self.added[start..end - self.text.len()],
            _ => &self.text[start..end],
        }
    }

    /// How many columns it takes; a line break counts as one.
    pub fn width(&self, piece: &Piece) -> u32 {
        let slice = self.slice(piece);
        let plain = slice.bytes().all(|b| b.is_ascii() && b != b'\r');
        if plain { slice.len() as u32 } else { slice.graphemes(true).count() as u32 }
    }

    pub fn push(&mut self, tag: Tag, start: usize, end: usize) {
        self.list.push(Piece { tag, start: start as u32, end: end as u32, spaces: 0 });
    }

    /// A token that is not in the file.
    pub fn add(&mut self, kind: Kind, text: &str) {
        let piece = self.added(kind, text);
        self.list.push(piece);
    }

    pub fn added(&mut self, kind: Kind, text: &str) -> Piece {
        let start = self.text.len() + self.added.len();
        self.added.push_str(text);
        Piece { tag: Tag::Token(kind), start: start as u32, end: (start + text.len()) as u32, spaces: 0 }
    }

    /// The comments and line breaks of the file between two offsets.
    pub fn push_trivia(&mut self, from: usize, to: usize) {
        let bytes = self.text.as_bytes();
        let mut at = from;
        while at < to {
            let line = || self.text[at..].find('\n').map_or(self.text.len(), |i| at + i + 1);
            let (tag, end) = match bytes[at] {
                b'\n' => (Tag::Newline, at + 1),
                b'\r' => (Tag::Newline, at + 2),
                b'#' => (Tag::LineComment, line()),
                b'/' if bytes.get(at + 1) == Some(&b'/') => (Tag::LineComment, line()),
                b'/' => {
                    let len = self.text[at + 2..].find("*/").expect("the lexer saw the end of each comment");
                    (Tag::BlockComment, at + 2 + len + 2)
                }
                _ => {
                    at += 1;
                    continue;
                }
            };
            self.push(tag, at, end);
            at = end;
        }
    }

    pub fn write(&self) -> String {
        let mut out = String::with_capacity(self.text.len() + self.text.len() / 8);
        // What stays as it is in the file is copied in one go.
        let mut same = 0..0;
        for piece in &self.list {
            let (start, end) = (piece.start as usize, piece.end as usize);
            let blanks =
                self.text.as_bytes().get(same.end..start).filter(|gap| gap.len() == piece.spaces as usize);
            if blanks.is_some_and(|gap| gap.iter().all(|b| *b == b' ')) && end <= self.text.len() {
                same.end = end;
                continue;
            }
            out.push_str(&self.text[same]);
            out.extend(std::iter::repeat_n(' ', piece.spaces as usize));
            same = start..end;
            if start >= self.text.len() {
                out.push_str(self.slice(piece));
                same = 0..0;
            }
        }
        out.push_str(&self.text[same]);
        // Terraform keeps blanks behind the last line break or token, tabs as spaces.
        let in_comment = |p: &Piece| p.tag == Tag::LineComment && !self.slice(p).ends_with('\n');
        if !self.list.last().is_some_and(in_comment) {
            let blanks = self.text.len() - self.text.trim_end_matches([' ', '\t']).len();
            out.extend(std::iter::repeat_n(' ', blanks));
        }
        out
    }
}

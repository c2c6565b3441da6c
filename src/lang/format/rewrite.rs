//! Tokens → pieces, with the few things that Terraform writes differently: `"${x}"` → `x`, old type
//! constraints, block labels.

use super::pieces::{Pieces, Tag};
use crate::diag::Sources;
use crate::lang::lexer::{Kind, Token, UNPAIRED};
use crate::lang::parse::parse_expression;
use crate::lang::syntax::ExprKind;
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

pub(super) struct Rewriter<'p, 'a> {
    pieces: &'p mut Pieces<'a>,
    text: &'a str,
    tokens: &'p [Token],
    /// The next token.
    at: usize,
}

impl<'p, 'a> Rewriter<'p, 'a> {
    pub fn new(pieces: &'p mut Pieces<'a>, tokens: &'p [Token]) -> Self {
        let text = pieces.text();
        Self { pieces, text, tokens, at: 0 }
    }

    /// The whole file; it has no syntax errors.
    pub fn file(&mut self) {
        let mut blocks: Vec<&str> = Vec::new();
        loop {
            match self.kind(self.at) {
                Kind::End => break,
                Kind::Ident if self.kind(self.at + 1) == Kind::Equal => self.attribute(&blocks),
                Kind::Ident => {
                    let name = self.slice(self.at);
                    self.header();
                    blocks.push(name);
                }
                Kind::CloseBrace => {
                    blocks.pop();
                    self.copy_to(self.at + 1);
                }
                _ => self.copy_to(self.at + 1),
            }
        }
        self.trivia_before(self.at);
    }

    fn kind(&self, token: usize) -> Kind {
        self.tokens[token].kind
    }

    fn slice(&self, token: usize) -> &'a str {
        let token = self.tokens[token];
        &self.text[token.start as usize..token.end as usize]
    }

    fn mate(&self, token: usize) -> Option<usize> {
        let mate = self.tokens[token].mate;
        (mate != UNPAIRED).then_some(mate as usize)
    }

    // ---- copying

    fn trivia_before(&mut self, token: usize) {
        let from = token.checked_sub(1).map_or(0, |before| self.tokens[before].end as usize);
        self.pieces.push_trivia(from, self.tokens[token].start as usize);
    }

    fn copy(&mut self, token: usize) {
        let Token { kind, start, end, .. } = self.tokens[token];
        match kind {
            Kind::Newline => self.pieces.push_trivia(start as usize, end as usize),
            _ => self.pieces.push(Tag::Token(kind), start as usize, end as usize),
        }
    }

    /// The tokens up to `end` with what stands before each.
    fn copy_to(&mut self, end: usize) {
        while self.at < end {
            self.trivia_before(self.at);
            self.copy(self.at);
            self.at += 1;
        }
    }

    // ---- arguments

    fn attribute(&mut self, blocks: &[&str]) {
        let is_type = blocks == ["variable"] && self.slice(self.at) == "type";
        let value = self.value(self.at + 2);
        self.copy_to(value.start);
        self.trivia_before(value.start);
        let done = if is_type { self.constraint(&value) } else { self.unwrapped(&value) };
        if !done {
            // What stands before the first token is written.
            self.copy(value.start);
            self.at = value.start + 1;
            self.copy_to(value.end);
        }
        self.at = value.end;
    }

    /// The tokens of the value that starts at `start`.
    fn value(&self, start: usize) -> Range<usize> {
        let mut end = start;
        while !matches!(self.kind(end), Kind::Newline | Kind::CloseBrace | Kind::End) {
            end = self.mate(end).filter(|&mate| mate > end).unwrap_or(end) + 1;
        }
        start..end
    }

    /// Type constraints as they were written before Terraform 0.12.
    fn constraint(&mut self, value: &Range<usize>) -> bool {
        let (name, element) = match value.len() {
            1 => (self.slice(value.start), "any"),
            3 if self.kind(value.start) == Kind::OpenQuote => (self.slice(value.start + 1), "string"),
            _ => return false,
        };
        let quoted = value.len() == 3;
        match name {
            "string" if quoted => self.pieces.add(Kind::Ident, name),
            "list" | "map" => self.collection(name, element),
            "set" if !quoted => self.collection(name, element),
            _ => return false,
        }
        true
    }

    fn collection(&mut self, name: &str, element: &str) {
        self.pieces.add(Kind::Ident, name);
        self.pieces.add(Kind::OpenParen, "(");
        self.pieces.add(Kind::Ident, element);
        self.pieces.add(Kind::CloseParen, ")");
    }

    /// `"${x}"` → `x`, through all its layers. False, and nothing written, where that cannot be.
    fn unwrapped(&mut self, value: &Range<usize>) -> bool {
        let mark = self.pieces.list.len();
        let mut core = value.clone();
        let mut ends = Vec::new();
        while let Some(inner) = self.interpolated(&core) {
            self.inner_trivia(core.start + 2, inner.start);
            ends.push((inner.end, core.end - 2));
            core = inner;
        }
        if ends.is_empty() {
            return false;
        }
        self.at = core.start;
        self.copy(core.start);
        self.at += 1;
        self.copy_to(core.end);
        while let Some((from, to)) = ends.pop() {
            self.inner_trivia(from, to);
        }
        let done = self.finish_unwrapped(mark, value.end);
        if !done {
            self.pieces.list.truncate(mark);
        }
        done
    }

    /// Line breaks and comments before the token `to`, from the token `from` on, which can only be a line break.
    fn inner_trivia(&mut self, from: usize, to: usize) {
        for token in from..to {
            self.trivia_before(token);
            self.copy(token);
        }
        self.trivia_before(to);
    }

    /// Of `"${x}"`: the tokens of `x`, without line breaks around them.
    fn interpolated(&self, value: &Range<usize>) -> Option<Range<usize>> {
        if value.len() < 5
            || self.kind(value.start) != Kind::OpenQuote
            || self.mate(value.start) != Some(value.end - 1)
            || self.kind(value.start + 1) != Kind::OpenInterpolation
            || self.mate(value.start + 1) != Some(value.end - 2)
        {
            return None;
        }
        let mut inner = value.start + 2..value.end - 2;
        while self.kind(inner.start) == Kind::Newline && inner.start < inner.end {
            inner.start += 1;
        }
        while self.kind(inner.end - 1) == Kind::Newline && inner.start < inner.end {
            inner.end -= 1;
        }
        (!inner.is_empty() && !self.has_heredoc_sequence(&inner)).then_some(inner)
    }

    /// Whether a heredoc outside of quotes has template sequences: Terraform leaves such values alone.
    fn has_heredoc_sequence(&self, range: &Range<usize>) -> bool {
        let mut at = range.start;
        while at < range.end {
            match self.kind(at) {
                Kind::OpenInterpolation | Kind::OpenDirective => return true,
                Kind::OpenQuote => at = self.mate(at).map_or(at, |mate| mate.max(at)) + 1,
                _ => at += 1,
            }
        }
        false
    }

    /// Parentheses around what was written from `mark` on, if it needs them. False if it cannot stand there.
    fn finish_unwrapped(&mut self, mark: usize, value_end: usize) -> bool {
        let before_newline = matches!(self.kind(value_end), Kind::Newline | Kind::End);
        let list = &mut self.pieces.list;
        while list.last().is_some_and(|p| p.tag == Tag::Newline) {
            list.pop();
        }
        let leading = list[mark..].iter().take_while(|p| p.tag == Tag::Newline).count();
        list.drain(mark..mark + leading);
        let written = &list[mark..];
        let (Some(first), Some(last)) = (written.first(), written.last()) else { return false };
        let in_parens = first.is(Kind::OpenParen) && last.is(Kind::CloseParen);
        let several_lines = written.iter().any(|p| p.tag == Tag::Newline);
        let ends_with_comment = last.tag == Tag::LineComment;
        // The last three are broken by Terraform.
        let parens = several_lines && !in_parens
            || breaks_outside(&written[..written.len() - 1])
            || ends_with_comment && !before_newline;
        if last.is(Kind::CloseHeredoc) {
            let rest = &self.text[self.tokens[value_end - 1].end as usize..];
            let line_ends = rest.trim_start_matches([' ', '\t']).starts_with(['\n', '\r']);
            return !parens && line_ends;
        }
        if parens {
            let open = self.pieces.added(Kind::OpenParen, "(");
            self.pieces.list.insert(mark, open);
            self.pieces.add(Kind::CloseParen, ")");
        }
        true
    }

    // ---- blocks

    /// A block up to its `{`: all labels are quoted, and the comments before them are dropped.
    fn header(&mut self) {
        self.copy_to(self.at + 1);
        loop {
            match self.kind(self.at) {
                Kind::Ident => {
                    let Token { start, end, .. } = self.tokens[self.at];
                    self.pieces.add(Kind::OpenQuote, "\"");
                    self.pieces.push(Tag::Token(Kind::QuotedText), start as usize, end as usize);
                    self.pieces.add(Kind::CloseQuote, "\"");
                    self.at += 1;
                }
                Kind::OpenQuote => {
                    let end = self.mate(self.at).expect("strings end in a file without errors") + 1;
                    self.quoted_label(end);
                }
                _ => break,
            }
        }
        self.copy_to(self.at + 1);
    }

    fn quoted_label(&mut self, end: usize) {
        let span = self.tokens[self.at].start as usize..self.tokens[end - 1].end as usize;
        let label = &self.text[span];
        if let Some(value) = escaped_again(label) {
            self.pieces.add(Kind::OpenQuote, "\"");
            self.pieces.add(Kind::QuotedText, &value);
            self.pieces.add(Kind::CloseQuote, "\"");
        } else {
            (self.at..end).for_each(|token| self.copy(token));
        }
        self.at = end;
    }
}

/// Whether a line ends outside of all brackets.
fn breaks_outside(pieces: &[super::pieces::Piece]) -> bool {
    let mut depth = 0;
    pieces.iter().any(|p| {
        depth += p.opens();
        depth == 0 && p.ends_line()
    })
}

static NOT_PRINTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[^\p{L}\p{M}\p{N}\p{P}\p{S} ]").expect("the classes exist in Unicode"));

/// A label with only the escapes that it needs. None where it stays as it is; Terraform loses those with `$` or `%`.
fn escaped_again(label: &str) -> Option<String> {
    let plain = label.is_ascii() && !label.contains('\\');
    if plain || label.contains(['$', '%']) {
        return None;
    }
    let mut sources = Sources::default();
    let file = sources.add("label", label);
    let kind = parse_expression(&sources, file).0?.kind;
    let ExprKind::Text { value, .. } = kind else { return None };
    let mut out = String::new();
    for c in value.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' | '\\' => out.extend(['\\', c]),
            c if !NOT_PRINTED.is_match(c.encode_utf8(&mut [0; 4])) => out.push(c),
            c if (c as u32) <= 0xFFFF => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    Some(out)
}

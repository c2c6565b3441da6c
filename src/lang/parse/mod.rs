//! Text → syntax. Errors are collected; what could be understood is returned all the same.
//!
//! The grammar is exactly Terraform 1.11's. After an error the parser goes on behind the bracket, item or
//! line that it is in; a place that could not be understood is an [`ExprKind::Error`].

mod body;
mod collection;
mod expr;
mod template;
mod text;

#[cfg(test)]
mod conformance;
#[cfg(test)]
pub(super) mod dump;
#[cfg(test)]
mod tests;

use super::lexer::{Kind, Lexed, MAX_ERRORS, Mode, Pieces, Token, UNPAIRED, lex};
use super::syntax::{Attribute, Block, Body, Expr, ExprKind, Ident, ObjectItem, TemplatePart};
use crate::diag::{Diagnostic, FileId, Sources, Span};
use std::sync::Arc;
use text::Interner;

/// No syntax tree is higher than this, whatever the text: who walks a tree by recursion may rely on it.
pub const MAX_DEPTH: usize = 1_000;

/// Up to this depth the caller's stack serves; deeper text is parsed on a thread of its own.
const SHALLOW: usize = 48;
const DEEP_STACK_BYTES: usize = 128 << 20;

/// So many tokens stay in the processor's nearest memory.
const PIECE_TOKENS: usize = 2_000;

/// Parses a configuration file (`.hcl`, `.tf`, `.tfvars`).
pub fn parse_file(sources: &Sources, file: FileId) -> (Body, Vec<Diagnostic>) {
    if sources.undecodable(file).next().is_none()
        && let Some(body) = parse_in_pieces(sources.text(file), file, PIECE_TOKENS)
    {
        return (body, Vec::new());
    }
    let (_, body, diags) = parse_whole(sources, file, |p| p.file_body());
    (body, diags)
}

/// Parses one expression that is the whole text of `file` (for `-var`, `console`).
pub fn parse_expression(sources: &Sources, file: FileId) -> (Option<Expr>, Vec<Diagnostic>) {
    parse(sources.text(file), file, Mode::Code, MAX_DEPTH, |p| p.whole_expression())
}

/// Whether an expression that ends here surely goes on: a bracket, heredoc or comment is open.
pub fn wants_more(text: &str) -> bool {
    let lexed = lex(text, FileId(0), Mode::Code);
    let unended = |d: &Diagnostic| matches!(d.code, "unterminated-heredoc" | "unterminated-comment");
    let depth: i64 = lexed
        .tokens
        .iter()
        .map(|token| match token.kind {
            Kind::OpenParen | Kind::OpenBracket | Kind::OpenBrace => 1,
            Kind::CloseParen | Kind::CloseBracket | Kind::CloseBrace => -1,
            _ => 0,
        })
        .sum();
    depth > 0 || lexed.errors.iter().any(unended)
}

/// Parses a whole file as a template (for `templatefile`).
pub fn parse_template(sources: &Sources, file: FileId) -> (Vec<TemplatePart>, Vec<Diagnostic>) {
    parse(sources.text(file), file, Mode::Template, MAX_DEPTH, |p| p.whole_template())
}

/// Parses text that stands somewhere in `file`: spans are offsets in `text`. No tree is higher than `limit`.
pub(super) fn parse_expression_text(
    text: &str,
    file: FileId,
    limit: usize,
) -> (Option<Expr>, Vec<Diagnostic>) {
    parse(text, file, Mode::Code, limit, |p| p.whole_expression())
}

/// The same for a template.
pub(super) fn parse_template_text(
    text: &str,
    file: FileId,
    limit: usize,
) -> (Vec<TemplatePart>, Vec<Diagnostic>) {
    parse(text, file, Mode::Template, limit, |p| p.whole_template())
}

/// The tokens of a configuration file, and the errors that parsing it finds (for `fmt`).
pub(super) fn parse_tokens(sources: &Sources, file: FileId) -> (Vec<Token>, Vec<Diagnostic>) {
    let (lexed, (), diags) = parse_whole(sources, file, |p| p.check_file());
    (lexed.tokens, diags)
}

/// A file without any mistake, whose tokens need not all be there at once.
fn parse_in_pieces(text: &str, file: FileId, least_tokens: usize) -> Option<Body> {
    if text.len() >= u32::MAX as usize {
        return None;
    }
    let mut pieces = Pieces::new(text, file, least_tokens);
    let mut body = Body { span: Span::new(file, 0, text.len()), ..Body::default() };
    let mut attributes = body::Names::default();
    let (mut names, mut spare) = (Interner::default(), Spare::default());
    while !pieces.is_at_end() {
        let (tokens, _) = pieces.next().filter(|&(_, depth)| depth <= SHALLOW)?;
        let mut parser = Parser { names, spare, ..Parser::new(text, file, tokens, &[], MAX_DEPTH) };
        parser.items(&mut body, &mut attributes, None);
        if !parser.diags.is_empty() {
            return None;
        }
        Parser { names, spare, .. } = parser;
    }
    Some(body)
}

fn parse_whole<T: Default + Send>(
    sources: &Sources,
    file: FileId,
    rule: fn(&mut Parser<'_>) -> T,
) -> (Lexed, T, Vec<Diagnostic>) {
    let (lexed, tree, mut diags) = parse_lexed(sources.text(file), file, Mode::Code, MAX_DEPTH, rule);
    if let Some(span) = sources.undecodable(file).find(|span| is_in_token(&lexed.tokens, span.start)) {
        diags.retain(|d| d.span() != Some(span));
        let place = diags.partition_point(|d| d.span().is_some_and(|s| s.start < span.start));
        diags.insert(place, not_utf8(span));
    }
    (lexed, tree, diags)
}

/// In comments any bytes will do.
fn is_in_token(tokens: &[Token], offset: u32) -> bool {
    let next = tokens.partition_point(|t| t.end <= offset);
    tokens.get(next).is_some_and(|t| t.start <= offset && t.kind != Kind::Newline)
}

/// About a place of [`Sources::undecodable`].
pub fn not_utf8(span: Span) -> Diagnostic {
    Diagnostic::error("invalid-utf8", "this is not UTF-8")
        .at(span)
        .help("save the file in the encoding UTF-8")
}

fn parse<T: Default + Send>(
    text: &str,
    file: FileId,
    mode: Mode,
    limit: usize,
    rule: fn(&mut Parser<'_>) -> T,
) -> (T, Vec<Diagnostic>) {
    let (_, tree, diags) = parse_lexed(text, file, mode, limit, rule);
    (tree, diags)
}

fn parse_lexed<T: Default + Send>(
    text: &str,
    file: FileId,
    mode: Mode,
    limit: usize,
    rule: fn(&mut Parser<'_>) -> T,
) -> (Lexed, T, Vec<Diagnostic>) {
    if text.len() >= u32::MAX as usize {
        let diagnostic = Diagnostic::error("file-too-large", "a file of 4 GiB or more cannot be read")
            .at(Span::new(file, 0, 0))
            .help("split the file");
        let nothing = Lexed { tokens: Vec::new(), errors: Vec::new(), depth: 0 };
        return (nothing, T::default(), vec![diagnostic]);
    }
    let lexed = lex(text, file, mode);
    let run = |limit| {
        let mut parser = Parser::new(text, file, &lexed.tokens, &lexed.errors, limit);
        let tree = rule(&mut parser);
        (tree, parser.finish())
    };
    let (tree, diags) = if lexed.depth <= SHALLOW { run(limit) } else { on_deep_stack(run, limit) };
    (lexed, tree, diags)
}

fn on_deep_stack<T: Send>(run: impl Fn(usize) -> T + Sync, limit: usize) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(DEEP_STACK_BYTES);
        match thread.spawn_scoped(scope, || run(limit)) {
            Ok(handle) => handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => run(limit.min(SHALLOW)),
        }
    })
}

/// Why a rule gave up; the reason is already reported.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// The innermost pair of brackets may go on behind itself.
    Here,
    /// The whole item is given up: the text is nested too deeply.
    Item,
}

type Parsed<T> = Result<T, Stop>;

/// An expression and the height of its tree.
struct Node {
    expr: Expr,
    height: usize,
}

struct Parser<'a> {
    text: &'a str,
    file: FileId,
    tokens: &'a [Token],
    lex_errors: &'a [Diagnostic],
    pos: usize,
    /// Whether line breaks matter where we are.
    newlines: bool,
    /// Blocks become part of the tree; otherwise they are only looked at.
    keeps_blocks: bool,
    depth: usize,
    limit: usize,
    diags: Vec<Diagnostic>,
    names: Interner,
    spare: Spare,
}

/// Lists under way. What a list becomes when it is complete takes no more room than it needs.
#[derive(Default)]
struct Spare {
    exprs: Lists<Expr>,
    items: Lists<ObjectItem>,
    parts: Lists<TemplatePart>,
    attributes: Lists<Attribute>,
    blocks: Lists<Block>,
    labels: Lists<Ident>,
}

struct Lists<T>(Vec<Vec<T>>);

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Lists<T> {
    fn take(&mut self) -> Vec<T> {
        self.0.pop().unwrap_or_default()
    }

    fn packed(&mut self, mut list: Vec<T>) -> Vec<T> {
        if list.len() > 100 {
            list.shrink_to_fit();
            return list;
        }
        let mut packed = Vec::with_capacity(list.len());
        packed.append(&mut list);
        self.0.push(list);
        packed
    }
}

impl<'a> Parser<'a> {
    fn new(
        text: &'a str,
        file: FileId,
        tokens: &'a [Token],
        lex_errors: &'a [Diagnostic],
        limit: usize,
    ) -> Self {
        Self {
            text,
            file,
            tokens,
            lex_errors,
            pos: 0,
            newlines: true,
            keeps_blocks: true,
            depth: 0,
            limit,
            diags: Vec::new(),
            names: Interner::default(),
            spare: Spare::default(),
        }
    }

    fn whole_expression(&mut self) -> Option<Expr> {
        self.newlines = false;
        let node = self.expr();
        let unread = node.is_ok() && self.peek() != Kind::End;
        if unread {
            let (found, span) = self.found();
            self.report(
                Diagnostic::error(
                    "unexpected-token",
                    format!("expected the end of the expression, found {found}"),
                )
                .at(span),
            );
        }
        self.drop_errors_after_lex_error(0, 0, self.text.len() as u32);
        node.ok().filter(|_| !unread).map(|n| n.expr)
    }

    fn finish(self) -> Vec<Diagnostic> {
        let mut diags = self.lex_errors.to_vec();
        diags.extend(self.diags);
        diags.sort_by_key(|d| d.span().map(|s| s.start));
        if diags.len() >= MAX_ERRORS {
            diags.truncate(MAX_ERRORS);
            diags.push(
                Diagnostic::error(
                    "too-many-errors",
                    format!("more than {MAX_ERRORS} syntax errors in this file"),
                )
                .at(diags.last().and_then(Diagnostic::span).unwrap_or_default())
                .help("correct the first ones and try again"),
            );
        }
        diags
    }

    // ---- tokens

    fn peek_index(&self) -> usize {
        // Line breaks never follow each other.
        let skip = !self.newlines && self.tokens[self.pos].kind == Kind::Newline;
        self.pos + usize::from(skip)
    }

    fn peek(&self) -> Kind {
        self.tokens[self.peek_index()].kind
    }

    fn peek_token(&self) -> Token {
        self.tokens[self.peek_index()]
    }

    fn next(&mut self) -> Token {
        let i = self.peek_index();
        let token = self.tokens[i];
        self.pos = if token.kind == Kind::End { i } else { i + 1 };
        token
    }

    fn eat(&mut self, kind: Kind) -> Option<Token> {
        (self.peek() == kind).then(|| self.next())
    }

    fn slice(&self, token: Token) -> &'a str {
        &self.text[token.start as usize..token.end as usize]
    }

    fn span(&self, token: Token) -> Span {
        Span { file: self.file, start: token.start, end: token.end }
    }

    fn peek_is_word(&self, word: &str) -> bool {
        let token = self.peek_token();
        token.kind == Kind::Ident && self.slice(token) == word
    }

    fn ident(&mut self, token: Token) -> Ident {
        Ident { name: self.names.normalized(self.slice(token)), span: self.span(token) }
    }

    fn mate(&self, token: usize) -> Option<usize> {
        let mate = self.tokens[token].mate;
        (mate != UNPAIRED).then_some(mate as usize)
    }

    /// Whether a bracket that opens here is never closed.
    fn is_unclosed(&self, token: usize) -> bool {
        use Kind::*;
        let opens = matches!(
            self.tokens[token].kind,
            OpenParen | OpenBracket | OpenBrace | OpenQuote | OpenHeredoc | OpenInterpolation | OpenDirective
        );
        opens && self.mate(token).is_none()
    }

    /// Runs `rule` with line breaks ignored (or not).
    fn with_newlines<T>(&mut self, newlines: bool, rule: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.newlines, newlines);
        let result = rule(self);
        self.newlines = outer;
        result
    }

    // ---- errors

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diags.push(diagnostic);
    }

    /// The rest would be noise: every rule that recovers from errors stops instead.
    fn gives_up(&self) -> bool {
        self.diags.len() >= MAX_ERRORS
    }

    fn fail<T>(&mut self, diagnostic: Diagnostic) -> Parsed<T> {
        self.report(diagnostic);
        Err(Stop::Here)
    }

    /// The next token in words, and its place.
    fn found(&self) -> (String, Span) {
        let token = self.peek_token();
        (self.describe(token), self.span(token))
    }

    fn describe(&self, token: Token) -> String {
        match token.kind {
            Kind::End => "the end of the file".to_owned(),
            Kind::Newline => "the end of the line".to_owned(),
            Kind::OpenQuote => "a string".to_owned(),
            Kind::OpenHeredoc => "a heredoc".to_owned(),
            Kind::Invalid => "something else".to_owned(),
            _ => {
                let slice = self.slice(token);
                let end = slice.char_indices().nth(40).map_or(slice.len(), |(i, _)| i);
                format!("`{}{}`", &slice[..end], if end < slice.len() { "…" } else { "" })
            }
        }
    }

    /// `expected {what}, found {next token}`, at the next token.
    fn expected(&self, code: &'static str, what: &str) -> Diagnostic {
        let (found, span) = self.found();
        Diagnostic::error(code, format!("expected {what}, found {found}")).at(span)
    }

    /// Eats the closer of the bracket `open`.
    fn close(&mut self, open: usize, kind: Kind, sign: &str) -> Parsed<Token> {
        match self.eat(kind) {
            Some(token) => Ok(token),
            None => {
                let diagnostic = self.expected("unexpected-token", &format!("`{sign}`"));
                self.fail(self.blame_unclosed(open, diagnostic))
            }
        }
    }

    /// Says so when the bracket `open` has no partner at all.
    fn blame_unclosed(&self, open: usize, mut diagnostic: Diagnostic) -> Diagnostic {
        if !self.is_unclosed(open) {
            return diagnostic;
        }
        let (code, sign) = match self.tokens[open].kind {
            Kind::OpenParen => ("unclosed-parenthesis", ')'),
            Kind::OpenBracket => ("unclosed-bracket", ']'),
            Kind::OpenBrace => ("unclosed-brace", '}'),
            _ => return diagnostic,
        };
        diagnostic.code = code;
        diagnostic
            .label(self.span(self.tokens[open]), "this is never closed")
            .help(format!("close it with `{sign}`"))
    }

    /// The closer of the bracket `open`, if it is possible to go on there.
    fn closer_to_recover(&self, open: usize, stop: Stop) -> Parsed<usize> {
        match (stop, self.mate(open)) {
            (Stop::Here, Some(close)) if self.pos <= close && !self.gives_up() => Ok(close),
            _ => Err(stop),
        }
    }

    /// After an error inside the bracket `open`: to the next of `separators` on the bracket's own level, or
    /// to its closer.
    fn resync(&mut self, open: usize, separators: &[Kind], stop: Stop) -> Parsed<()> {
        let close = self.closer_to_recover(open, stop)?;
        while self.pos < close && !separators.contains(&self.tokens[self.pos].kind) {
            self.step_over();
        }
        Ok(())
    }

    /// Whether the line that starts with token `at` looks like an item of its own (`name = …`, `"key" : …`,
    /// `block {`), and not like the rest of something broken.
    fn starts_item(&self, at: usize) -> bool {
        use Kind::*;
        let first = self.tokens[at].kind;
        if !matches!(first, Ident | OpenQuote | OpenParen | Number) {
            return false;
        }
        let next = self.mate(at).filter(|&m| m > at).unwrap_or(at) + 1;
        match self.tokens.get(next).map_or(End, |t| t.kind) {
            Equal | Colon => true,
            OpenBrace => first == Ident,
            Ident | OpenQuote if first == Ident => {
                let end = self.tokens[next..].iter().position(|t| matches!(t.kind, Newline | End));
                let last = end.map_or(End, |n| self.tokens[next + n - 1].kind);
                matches!(last, OpenBrace | CloseBrace)
            }
            _ => false,
        }
    }

    /// The next token, or the whole pair that it opens.
    fn step_over(&mut self) {
        self.pos = match self.mate(self.pos) {
            Some(mate) if mate > self.pos => mate + 1,
            _ => self.pos + 1,
        };
    }

    /// After an error inside the bracket `open`: behind its closer, with an error node for all of it.
    fn skip_bracket(&mut self, open: usize, stop: Stop) -> Parsed<Node> {
        let close = self.closer_to_recover(open, stop)?;
        self.pos = close + 1;
        let close = self.tokens[close];
        Ok(self.error_node(self.span(self.tokens[open]).to(self.span(close))))
    }

    /// After an error in an item of the object `open`: to the next item.
    fn resync_object(&mut self, open: usize, stop: Stop) -> Parsed<()> {
        let comma = self.eat(Kind::Comma).is_some();
        let separators: &[Kind] = if comma { &[Kind::Newline] } else { &[Kind::Comma, Kind::Newline] };
        self.resync(open, separators, stop)?;
        while self.tokens[self.pos].kind == Kind::Newline && !self.starts_item(self.pos + 1) {
            self.pos += 1;
            self.resync(open, separators, stop)?;
            if Some(self.pos) == self.mate(open) {
                break;
            }
        }
        Ok(())
    }

    /// An error that the lexer reported between two offsets is the cause of what the parser, since it had
    /// `diags` errors, found wrong there and behind it.
    fn drop_errors_after_lex_error(&mut self, diags: usize, start: u32, end: u32) {
        if self.diags.len() <= diags {
            return;
        }
        let begins = |d: &Diagnostic| d.span().map_or(0, |s| s.start);
        let first = self.lex_errors.partition_point(|d| begins(d) < start);
        let errors = self.lex_errors[first..].iter().take_while(|d| begins(d) <= end);
        let Some(cause) = errors.flat_map(|d| &d.labels).map(|l| l.span.start).min() else { return };
        let mut index = 0;
        self.diags.retain(|d| {
            index += 1;
            index <= diags || begins(d) < cause
        });
    }

    // ---- nodes and depth

    fn error_node(&self, span: Span) -> Node {
        Node { expr: Expr { kind: ExprKind::Error, span }, height: 1 }
    }

    fn leaf(&self, kind: ExprKind, span: Span) -> Node {
        Node { expr: Expr { kind, span }, height: 1 }
    }

    /// A node over children of which the highest has the height `below`.
    fn node(&mut self, kind: ExprKind, span: Span, below: usize) -> Parsed<Node> {
        self.check_height(below + 1, span)?;
        Ok(Node { expr: Expr { kind, span }, height: below + 1 })
    }

    fn check_height(&mut self, height: usize, span: Span) -> Parsed<()> {
        if height <= self.limit {
            return Ok(());
        }
        Err(self.too_deep(Span { end: span.start, ..span }))
    }

    fn too_deep(&mut self, span: Span) -> Stop {
        let limit = self.limit;
        self.report(
            Diagnostic::error("nested-too-deeply", format!("nested more than {limit} levels deep"))
                .at(span)
                .help("split it up, for example into several `locals`"),
        );
        Stop::Item
    }

    /// One level down, for every rule that may come back to itself.
    fn deeper<T>(&mut self, rule: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= self.limit {
            let span = self.found().1;
            return Err(self.too_deep(span));
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    fn word(&mut self, text: &str) -> Arc<str> {
        self.names.normalized(text)
    }
}

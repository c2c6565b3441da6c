//! Files and blocks: attributes, nested blocks, and how to go on after a broken one.

use super::{Kind, Parser};
use crate::diag::{Diagnostic, Span};
use crate::lang::syntax::{Attribute, Block, Body, Expr, ExprKind, Ident};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Up to so many attributes a body is searched one by one.
const FEW: usize = 12;

/// The first place of each attribute name in one body.
#[derive(Default)]
pub(super) struct Names {
    many: BTreeMap<Arc<str>, usize>,
}

impl Names {
    fn first<'b>(&mut self, attributes: &'b [Attribute], name: &str) -> Option<&'b Attribute> {
        if attributes.len() <= FEW {
            return attributes.iter().find(|a| &*a.name.name == name);
        }
        for (i, attribute) in attributes.iter().enumerate().skip(self.many.len()) {
            self.many.insert(attribute.name.name.clone(), i);
        }
        self.many.get(name).map(|&i| &attributes[i])
    }
}

impl Parser<'_> {
    pub(super) fn file_body(&mut self) -> Body {
        let mut body = Body::default();
        self.items(&mut body, &mut Names::default(), None);
        body.span = Span::new(self.file, 0, self.text.len());
        body
    }

    /// Finds what is wrong, and makes no tree.
    pub(super) fn check_file(&mut self) {
        self.keeps_blocks = false;
        self.items(&mut Body::default(), &mut Names::default(), None);
    }

    /// Items up to the closer of `open`, or the end of the file. The closer itself stays.
    pub(super) fn items(&mut self, body: &mut Body, names: &mut Names, open: Option<usize>) {
        loop {
            match self.peek() {
                Kind::Newline => {
                    self.next();
                }
                Kind::End => return,
                _ if self.gives_up() => return,
                Kind::CloseBrace if open.is_some() => return,
                Kind::Ident => self.item(body, names),
                _ => {
                    let start = self.pos;
                    let diags = self.diags.len();
                    let diagnostic = self.no_item();
                    self.report(diagnostic);
                    if self.eat(Kind::CloseBrace).is_none() {
                        self.skip_item(start, diags);
                    }
                }
            }
        }
    }

    fn no_item(&self) -> Diagnostic {
        match self.peek() {
            Kind::CloseBrace => Diagnostic::error("unexpected-brace", "this `}` closes nothing")
                .at(self.found().1)
                .help("remove it, or add the `{` that it belongs to"),
            Kind::OpenQuote => {
                Diagnostic::error("quoted-name", "the name of an argument or block is not quoted")
                    .at(self.found().1)
                    .help("write `name = value`")
            }
            _ => self.expected("expected-item", "an argument or a block"),
        }
    }

    fn item(&mut self, body: &mut Body, names: &mut Names) {
        let start = self.pos;
        match self.tokens[start + 1].kind {
            Kind::Equal => {
                let attribute = self.attribute(false);
                self.add_attribute(body, names, attribute);
            }
            Kind::OpenQuote | Kind::OpenBrace | Kind::Ident => {
                if let Some(block) = self.block().filter(|_| self.keeps_blocks) {
                    body.blocks.push(block);
                }
            }
            kind => {
                let diags = self.diags.len();
                let token = self.tokens[start];
                let name = self.slice(token);
                let help = match kind {
                    Kind::Colon => format!("use an equals sign: `{name} = …`"),
                    _ => format!("an argument is `{name} = value`, a block is `{name} {{ … }}`"),
                };
                self.report(
                    Diagnostic::error(
                        "expected-item",
                        format!("`{name}` is neither an argument nor a block"),
                    )
                    .at(self.span(token))
                    .help(help),
                );
                self.skip_item(start, diags);
            }
        }
    }

    fn add_attribute(&mut self, body: &mut Body, names: &mut Names, attribute: Attribute) {
        match names.first(&body.attributes, &attribute.name.name) {
            None => body.attributes.push(attribute),
            Some(first) => {
                let first = first.name.span;
                self.report(
                    Diagnostic::error(
                        "duplicate-attribute",
                        format!("`{}` is already set", attribute.name.name),
                    )
                    .label(attribute.name.span, "set again here")
                    .label(first, "first set here")
                    .help("keep one of the two"),
                );
            }
        }
    }

    /// `name = value`, and unless `in_line` the line break behind it.
    fn attribute(&mut self, in_line: bool) -> Attribute {
        let start = self.pos;
        let diags = self.diags.len();
        let name_token = self.next();
        let name = self.ident(name_token);
        let equal = self.next();
        let value_start = equal.end;
        let (expr, complete) = match self.expr() {
            Ok(node) => (node.expr, true),
            Err(_) => {
                let end = self.tokens[self.pos].start.max(value_start);
                let span = Span { file: self.file, start: value_start, end };
                (Expr { kind: ExprKind::Error, span }, false)
            }
        };
        let span = name.span.to(expr.span);
        if !complete {
            self.skip_item(start, diags);
        } else if !in_line && !matches!(self.peek(), Kind::Newline | Kind::End) {
            let diagnostic = self.no_line_break_after_value(&expr);
            self.report(diagnostic);
            self.skip_item(start, diags);
        } else {
            self.drop_errors_after_lex_error(diags, name_token.start, self.tokens[self.pos].start);
        }
        Attribute { name, expr, span }
    }

    fn no_line_break_after_value(&self, value: &Expr) -> Diagnostic {
        let diagnostic = self.expected("expected-newline", "the end of the line after the value");
        match self.peek() {
            Kind::Comma => diagnostic.help("arguments are separated by line breaks, without commas"),
            Kind::Equal => diagnostic.help("equality is `==`"),
            Kind::OpenQuote | Kind::Ident | Kind::Number | Kind::OpenBrace
                if matches!(value.kind, ExprKind::Root(_)) =>
            {
                diagnostic.help("put text into quotes")
            }
            Kind::CloseBrace => diagnostic.help("a closing brace stands on a line of its own"),
            _ => diagnostic,
        }
    }

    // ---- blocks

    fn block(&mut self) -> Option<Block> {
        let start = self.pos;
        let diags = self.diags.len();
        let kind_token = self.next();
        let kind = self.ident(kind_token);
        let mut labels = self.spare.labels.take();
        while let Some(label) = self.label() {
            labels.push(label);
        }
        let labels = self.spare.labels.packed(labels);
        let header = kind.span.to(labels.last().map_or(kind.span, |l| l.span));
        let Some(open) = self.block_brace(&kind) else {
            self.skip_item(start, diags);
            return None;
        };
        self.drop_errors_after_lex_error(diags, kind_token.start, self.tokens[open].start);
        if self.depth >= self.limit {
            self.too_deep(header);
            self.skip_item(start, diags);
            return None;
        }
        self.depth += 1;
        let body = self.with_newlines(true, |p| p.block_body(open));
        self.depth -= 1;
        let span = kind.span.to(body.span);
        if !matches!(self.peek(), Kind::Newline | Kind::End) {
            let from = self.pos;
            let diags = self.diags.len();
            let diagnostic = self.expected("expected-newline", "the end of the line after the block");
            self.report(diagnostic);
            self.skip_item(from, diags);
        }
        Some(Block { kind, labels, body, span, header })
    }

    fn label(&mut self) -> Option<Ident> {
        match self.peek() {
            Kind::Ident => {
                let token = self.next();
                Some(self.ident(token))
            }
            Kind::OpenQuote => Some(self.quoted_label()),
            _ => None,
        }
    }

    fn quoted_label(&mut self) -> Ident {
        let open = self.pos;
        self.pos += 1;
        let mut value = String::new();
        let end = self.mate(open).unwrap_or(self.tokens.len() - 1);
        while self.pos < end {
            let token = self.tokens[self.pos];
            if token.kind == Kind::QuotedText {
                let raw = self.slice(token);
                let part = self.unescape(raw, token.start as usize);
                value.push_str(&part);
                self.pos += 1;
                continue;
            }
            if matches!(token.kind, Kind::OpenInterpolation | Kind::OpenDirective) {
                let sign = &self.slice(token)[..1];
                self.report(
                    Diagnostic::error("template-in-label", "a block label is fixed: no template sequences")
                        .at(self.span(token))
                        .help(format!("to mean a literal `{sign}{{`, write `{sign}{sign}{{`")),
                );
            }
            self.step_over();
        }
        self.pos = end.max(self.pos);
        let close = self.tokens[self.pos];
        if close.kind == Kind::CloseQuote {
            self.pos += 1;
        }
        Ident { name: self.word(&value), span: self.span(self.tokens[open]).to(self.span(close)) }
    }

    /// The `{` of a block, also when it is wrongly on the next line.
    fn block_brace(&mut self, kind: &Ident) -> Option<usize> {
        let at = self.pos;
        match self.peek() {
            Kind::OpenBrace => {
                self.pos += 1;
                return Some(at);
            }
            Kind::Newline => {
                let brace_follows = self.tokens[at + 1].kind == Kind::OpenBrace;
                self.report(
                    Diagnostic::error(
                        "invalid-block",
                        format!("the `{{` of this `{}` block is missing here", kind.name),
                    )
                    .at(self.span(self.tokens[at]))
                    .help("the opening brace stands on the same line as the block's name and labels"),
                );
                if brace_follows {
                    self.pos = at + 2;
                    return Some(at + 1);
                }
            }
            Kind::Equal => {
                let diagnostic = self
                    .expected("invalid-block", "`{` or a label")
                    .help("a block has no `=`; an argument is a single name before its `=`");
                self.report(diagnostic);
            }
            _ => {
                let diagnostic = self.expected("invalid-block", "`{` or a quoted label");
                self.report(diagnostic);
            }
        }
        None
    }

    /// From behind the `{` to behind its `}`.
    fn block_body(&mut self, open: usize) -> Body {
        let (attributes, blocks) = (self.spare.attributes.take(), self.spare.blocks.take());
        let mut body = Body { attributes, blocks, span: Span::default() };
        let diags = self.diags.len();
        if !matches!(self.peek(), Kind::Newline | Kind::End | Kind::CloseBrace) {
            self.single_line(&mut body, open);
        }
        let wrong = self.diags.len() > diags;
        self.items(&mut body, &mut Names::default(), Some(open));
        body.attributes = self.spare.attributes.packed(body.attributes);
        body.blocks = self.spare.blocks.packed(body.blocks);
        if wrong && let Some(close) = self.mate(open) {
            // That the braces do not match in their lines is said already.
            let close = self.span(self.tokens[close]);
            self.diags.retain(|d| d.code != "expected-newline" || d.span() != Some(close));
        }
        let brace = self.span(self.tokens[open]);
        let closes = self.mate(open) == Some(self.pos) && self.peek() == Kind::CloseBrace;
        if !closes {
            if !self.gives_up()
                && let Some(diagnostic) = self.unclosed_block(open)
            {
                self.report(diagnostic);
            }
            body.span = brace.to(self.span(self.tokens[self.pos]));
            return body;
        }
        let close = self.next();
        body.span = brace.to(self.span(close));
        body
    }

    /// `{ name = value }`: one argument, then the closer. After an error, what follows is read as usual.
    fn single_line(&mut self, body: &mut Body, open: usize) {
        let start = self.pos;
        let diags = self.diags.len();
        let next = self.tokens[start + 1].kind;
        let single = "a block on one line has one argument at most: put each item on a line of its own";
        match self.peek() {
            Kind::Ident if next == Kind::Equal => {
                let attribute = self.attribute(true);
                body.attributes.push(attribute);
                if self.diags.len() > diags || matches!(self.peek(), Kind::CloseBrace | Kind::End) {
                    return;
                }
                let diagnostic = self.expected("invalid-single-line-block", "`}` after the argument");
                self.report(diagnostic.help(single));
                if self.peek() == Kind::Newline {
                    let end = self.tokens[self.pos].start;
                    return self.drop_errors_after_lex_error(diags, self.tokens[start].start, end);
                }
            }
            Kind::Ident if matches!(next, Kind::OpenQuote | Kind::OpenBrace | Kind::Ident) => {
                let span = self.span(self.tokens[start]).to(self.span(self.tokens[start + 1]));
                self.report(
                    Diagnostic::error(
                        "invalid-single-line-block",
                        "a block cannot stand inside a block on one line",
                    )
                    .at(span)
                    .help(single),
                );
            }
            Kind::Ident => {
                let name = self.slice(self.tokens[start]);
                self.report(
                    Diagnostic::error("expected-item", format!("`{name}` is not an argument"))
                        .at(self.span(self.tokens[start]))
                        .help(format!("an argument is `{name} = value`")),
                );
            }
            _ => {
                let diagnostic = self.no_item();
                self.report(diagnostic);
            }
        }
        match self.mate(open) {
            Some(close) => {
                self.pos = close.max(self.pos);
                self.drop_errors_after_lex_error(diags, self.tokens[start].start, self.tokens[close].start);
            }
            None => self.skip_item(start, diags),
        }
    }

    /// No closer: guesses from the indentation which block inside took it. None where an error that is
    /// already reported is the likely cause.
    fn unclosed_block(&self, open: usize) -> Option<Diagnostic> {
        let start = self.tokens[open].start;
        let begins = |d: &Diagnostic| d.span().map_or(0, |s| s.start);
        let swallows =
            |d: &Diagnostic| d.code.starts_with("unterminated-") || d.code.starts_with("unclosed-");
        if self.lex_errors.iter().any(|d| begins(d) >= start && swallows(d)) {
            return None;
        }
        let diagnostic = Diagnostic::error("unclosed-brace", "this block is never closed")
            .at(self.span(self.tokens[open]))
            .help("add the missing `}`");
        for (i, token) in self.tokens.iter().enumerate().skip(open + 1) {
            let Some(close) = self.mate(i).filter(|&m| m > i && token.kind == Kind::OpenBrace) else {
                continue;
            };
            let close = self.tokens[close];
            let (opened, closed) = (self.indent(token.start, false), self.indent(close.start, true));
            if let (Some(opened), Some(closed)) = (opened, closed)
                && opened != closed
            {
                let line = self.line_near(token.start).unwrap_or(0) as u32;
                let inside = line..close.end;
                if self.diags.iter().any(|d| inside.contains(&begins(d))) {
                    return None;
                }
                return Some(
                    diagnostic
                        .label(self.span(close), "this `}` is indented like another block's")
                        .label(self.span(*token), "but it closes this one"),
                );
            }
        }
        Some(diagnostic)
    }

    /// Indentation of the line of `offset`; with `alone`, only if nothing is before it on its line.
    fn indent(&self, offset: u32, alone: bool) -> Option<&str> {
        let line = &self.text[self.line_near(offset)?..offset as usize];
        let indent = &line[..line.len() - line.trim_start().len()];
        (!alone || indent.len() == line.len()).then_some(indent)
    }

    /// Where the line of `offset` starts. Long lines are nobody's indentation, and looking for their start
    /// would take long.
    fn line_near(&self, offset: u32) -> Option<usize> {
        let nearby = self.text.floor_char_boundary((offset as usize).saturating_sub(400));
        let line_break = self.text[nearby..offset as usize].rfind('\n').map(|i| nearby + i + 1);
        line_break.or((nearby == 0).then_some(0))
    }

    // ---- recovery

    /// After an error in the item that starts at `start`: to the line break that ends it, or to the closer
    /// of the body that it is in. `diags` is how many errors there were before the item.
    fn skip_item(&mut self, start: usize, diags: usize) {
        self.newlines = true;
        self.back_to_line_after_unclosed(start);
        let reached = self.pos;
        self.pos = start;
        self.step_to_line_end(start);
        if self.pos < reached {
            // A bracket without partner had taken in the line break.
            self.pos = reached;
            self.step_to_line_end(start);
        }
        let (start, end) = (self.tokens[start].start, self.tokens[self.pos].start);
        self.drop_errors_after_lex_error(diags, start, end);
    }

    /// To the line break before the next item: lines that look like no item belong to the broken one.
    fn step_to_line_end(&mut self, start: usize) {
        loop {
            match self.tokens[self.pos].kind {
                Kind::End => return,
                Kind::Newline => match self.tokens[self.pos + 1].kind {
                    Kind::CloseBrace | Kind::End => return,
                    _ if self.starts_item(self.pos + 1) => return,
                    _ => self.pos += 1,
                },
                Kind::CloseBrace if self.mate(self.pos).is_some_and(|open| open < start) => return,
                _ => self.step_over(),
            }
        }
    }

    /// A bracket without partner took in the lines below it: back to the first of them that looks like an
    /// item of its own.
    fn back_to_line_after_unclosed(&mut self, start: usize) {
        let Some(open) = (start..self.pos).find(|&i| self.is_unclosed(i)) else { return };
        let item =
            (open..self.pos).find(|&i| self.tokens[i].kind == Kind::Newline && self.starts_item(i + 1));
        self.pos = item.unwrap_or(self.pos);
    }
}

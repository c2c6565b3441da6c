//! Templates: strings, heredocs and template files, with interpolations and directives.

use super::text::unescape_plain;
use super::{Kind, Node, Parsed, Parser, Stop};
use crate::diag::{Diagnostic, Span};
use crate::lang::syntax::{Expr, ExprKind, Ident, TemplateFor, TemplateIf, TemplatePart};
use std::borrow::Cow;

/// One part of a template before `if` and `for` are put together.
enum Piece<'a> {
    Text { value: Cow<'a, str>, span: Span },
    Interpolation(Node),
    If(Node, Span),
    Else(Span),
    EndIf(Span),
    For { key_var: Option<Ident>, value_var: Ident, collection: Node, span: Span },
    EndFor(Span),
}

/// A finished template: its parts, their height, the span of what ended it.
pub(super) struct Template {
    parts: Vec<TemplatePart>,
    height: usize,
    end: Span,
}

impl<'a> Parser<'a> {
    /// After the opening quote or heredoc marker.
    pub(super) fn template_expr(&mut self, open: usize) -> Parsed<Node> {
        if let Some(node) = self.plain_string(open) {
            return Ok(node);
        }
        let template = match self.template(open) {
            Ok(template) => template,
            Err(stop) => return self.skip_bracket(open, stop),
        };
        let span = self.span(self.tokens[open]).to(template.end);
        self.node(ExprKind::Template(template.parts), span, template.height)
    }

    /// The usual case: a quoted string without sequences.
    fn plain_string(&mut self, open: usize) -> Option<Node> {
        let (text, close) = match (self.tokens[open].kind, self.tokens[self.pos].kind) {
            (Kind::OpenQuote, Kind::CloseQuote) => (None, self.pos),
            (Kind::OpenQuote, Kind::QuotedText) if self.tokens[self.pos + 1].kind == Kind::CloseQuote => {
                (Some(self.tokens[self.pos]), self.pos + 1)
            }
            _ => return None,
        };
        let (open, close_token) = (self.tokens[open], self.tokens[close]);
        self.pos = close + 1;
        let value = text.map_or(Cow::Borrowed(""), |t| self.unescape(self.slice(t), t.start as usize));
        let span = self.span(open).to(self.span(close_token));
        let value = self.word(&value);
        Some(self.leaf(ExprKind::Text { value, bare: false }, span))
    }

    pub(super) fn whole_template(&mut self) -> Vec<TemplatePart> {
        let mut pieces = Vec::new();
        let read = self.pieces(&mut pieces, self.tokens.len() - 1);
        let end = self.span(self.tokens[self.tokens.len() - 1]);
        let template = read.and_then(|()| self.assemble(pieces, end));
        self.drop_errors_after_lex_error(0, 0, self.text.len() as u32);
        template.map(|t| t.parts).unwrap_or_default()
    }

    fn template(&mut self, open: usize) -> Parsed<Template> {
        // Without an end it is the lexer that reports it.
        let close = self.mate(open).ok_or(Stop::Here)?;
        let mut pieces = Vec::new();
        self.pieces(&mut pieces, close)?;
        if self.slice(self.tokens[open]).starts_with("<<-") {
            remove_indentation(&mut pieces);
        }
        let end = self.tokens[close];
        let template = self.assemble(pieces, self.span(end))?;
        self.pos = close + 1;
        Ok(template)
    }

    /// Reads up to the token `end`, which stays. Strip markers are applied here.
    fn pieces(&mut self, pieces: &mut Vec<Piece<'a>>, end: usize) -> Parsed<()> {
        let mut broken = false;
        let mut strip_next = false;
        while self.pos < end {
            let token = self.tokens[self.pos];
            let strip_this = std::mem::take(&mut strip_next);
            match token.kind {
                Kind::QuotedText | Kind::Text => {
                    self.pos += 1;
                    let raw = self.slice(token);
                    let mut value = match token.kind {
                        Kind::QuotedText => self.unescape(raw, token.start as usize),
                        _ => unescape_plain(raw),
                    };
                    if strip_this {
                        value = strip(value, str::trim_start);
                    }
                    pieces.push(Piece::Text { value, span: self.span(token) });
                }
                Kind::OpenInterpolation | Kind::OpenDirective => {
                    if self.slice(token).ends_with('~')
                        && let Some(Piece::Text { value, .. }) = pieces.last_mut()
                    {
                        *value = strip(std::mem::take(value), str::trim_end);
                    }
                    let open = self.pos;
                    let sequence = self.with_newlines(false, |p| p.sequence(open));
                    match sequence {
                        Ok((piece, stripped)) => {
                            pieces.push(piece);
                            strip_next = stripped;
                        }
                        Err(stop) => {
                            let error = self.skip_bracket(open, stop)?;
                            broken |= token.kind == Kind::OpenDirective;
                            pieces.push(Piece::Interpolation(error));
                        }
                    }
                }
                _ => return Err(Stop::Here),
            }
        }
        // A directive that could not be read would make its end look superfluous.
        if broken { Err(Stop::Here) } else { Ok(()) }
    }

    /// One `${ … }` or `%{ … }`, and whether its end strips the text that follows.
    fn sequence(&mut self, open: usize) -> Parsed<(Piece<'a>, bool)> {
        let start = self.span(self.tokens[open]);
        self.pos = open + 1;
        let mut piece = if self.tokens[open].kind == Kind::OpenInterpolation {
            Piece::Interpolation(self.expr()?)
        } else {
            self.directive(start)?
        };
        let Some(close) = self.eat(Kind::CloseSequence) else {
            let mut diagnostic = self
                .expected("unexpected-token", "`}` at the end of the template sequence")
                .label(start, "the sequence starts here");
            if self.tokens[open].kind == Kind::OpenInterpolation {
                diagnostic = diagnostic.help("to mean a literal `${`, write `$${`");
            }
            return self.fail(diagnostic);
        };
        if let Piece::If(_, span)
        | Piece::Else(span)
        | Piece::EndIf(span)
        | Piece::EndFor(span)
        | Piece::For { span, .. } = &mut piece
        {
            *span = start.to(self.span(close));
        }
        Ok((piece, self.slice(close).starts_with('~')))
    }

    fn directive(&mut self, start: Span) -> Parsed<Piece<'a>> {
        let token = self.peek_token();
        let word = if token.kind == Kind::Ident { self.slice(token) } else { "" };
        match word {
            "if" => {
                self.next();
                Ok(Piece::If(self.expr()?, start))
            }
            "for" => {
                let (key_var, value_var, collection) = self.for_introduction()?;
                Ok(Piece::For { key_var, value_var, collection, span: start })
            }
            "else" | "endif" | "endfor" => {
                self.next();
                Ok(match word {
                    "else" => Piece::Else(start),
                    "endif" => Piece::EndIf(start),
                    _ => Piece::EndFor(start),
                })
            }
            _ => {
                let known = ["if", "else", "endif", "for", "endfor"];
                let mut diagnostic =
                    self.expected("invalid-directive", "`if`, `else`, `endif`, `for` or `endfor`");
                diagnostic = match crate::diag::nearest(word, known).filter(|_| !word.is_empty()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help("to mean a literal `%{`, write `%%{`"),
                };
                self.fail(diagnostic)
            }
        }
    }

    // ---- directives put together

    fn assemble(&mut self, pieces: Vec<Piece<'a>>, end: Span) -> Parsed<Template> {
        let parts = self.spare.parts.take();
        let mut builder = Builder { open: Vec::new(), parts, below: 0 };
        let mut pieces = pieces.into_iter().peekable();
        while let Some(piece) = pieces.next() {
            let result = match piece {
                Piece::Text { mut value, mut span } => {
                    while let Some(Piece::Text { value: more, span: further }) =
                        pieces.next_if(|p| matches!(p, Piece::Text { .. }))
                    {
                        value.to_mut().push_str(&more);
                        span = span.to(further);
                    }
                    let literal = self.word(&value);
                    builder.add(TemplatePart::Literal(literal, span), 1);
                    Ok(())
                }
                Piece::Interpolation(node) => {
                    builder.add(TemplatePart::Interpolation(node.expr), node.height + 1);
                    Ok(())
                }
                directive => builder.directive(directive),
            };
            result.or_else(|diagnostic| self.fail(*diagnostic))?;
        }
        if let Some(open) = builder.open.last() {
            let name = open.name();
            let diagnostic = Diagnostic::error(
                "unclosed-directive",
                format!("`%{{ {name} }}` without `%{{ end{name} }}`"),
            )
            .label(end, "the template ends here")
            .label(open.span, format!("this `{name}` is still open"))
            .help(format!("end it with `%{{ end{name} }}`"));
            return self.fail(diagnostic);
        }
        if builder.parts.is_empty() {
            let span = Span { end: end.start, ..end };
            builder.add(TemplatePart::Literal(self.word(""), span), 1);
        }
        self.check_height(builder.below + 1, end)?;
        let parts = self.spare.parts.packed(builder.parts);
        Ok(Template { parts, height: builder.below, end })
    }
}

enum Opener {
    If { condition: Expr, then: Option<Vec<TemplatePart>> },
    For { key_var: Option<Ident>, value_var: Ident, collection: Expr },
}

/// A directive that is still open, with what was read before it.
struct Open {
    opener: Opener,
    span: Span,
    outer_parts: Vec<TemplatePart>,
    outer_below: usize,
}

impl Open {
    fn name(&self) -> &'static str {
        match self.opener {
            Opener::If { .. } => "if",
            Opener::For { .. } => "for",
        }
    }
}

struct Builder {
    open: Vec<Open>,
    parts: Vec<TemplatePart>,
    below: usize,
}

impl Builder {
    fn add(&mut self, part: TemplatePart, height: usize) {
        self.parts.push(part);
        self.below = self.below.max(height);
    }

    fn enter(&mut self, opener: Opener, span: Span, height: usize) {
        let outer_parts = std::mem::take(&mut self.parts);
        let outer_below = std::mem::replace(&mut self.below, height);
        self.open.push(Open { opener, span, outer_parts, outer_below });
    }

    fn directive(&mut self, piece: Piece<'_>) -> Result<(), Box<Diagnostic>> {
        match piece {
            Piece::If(condition, span) => {
                self.enter(Opener::If { condition: condition.expr, then: None }, span, condition.height);
            }
            Piece::For { key_var, value_var, collection, span } => {
                let opener = Opener::For { key_var, value_var, collection: collection.expr };
                self.enter(opener, span, collection.height);
            }
            Piece::Else(span) => match self.open.last_mut() {
                Some(Open { opener: Opener::If { then: then @ None, .. }, .. }) => {
                    *then = Some(std::mem::take(&mut self.parts));
                }
                _ => return Err(self.unexpected("else", span)),
            },
            Piece::EndIf(span) => self.leave("if", span)?,
            Piece::EndFor(span) => self.leave("for", span)?,
            Piece::Text { .. } | Piece::Interpolation(_) => {}
        }
        Ok(())
    }

    fn leave(&mut self, name: &str, end: Span) -> Result<(), Box<Diagnostic>> {
        let Some(open) = self.open.pop_if(|o| o.name() == name) else {
            return Err(self.unexpected(&format!("end{name}"), end));
        };
        let inner = std::mem::replace(&mut self.parts, open.outer_parts);
        let height = self.below + 1;
        self.below = open.outer_below;
        let span = open.span.to(end);
        let part = match open.opener {
            Opener::If { condition, then } => {
                let (then, otherwise) = match then {
                    Some(then) => (then, inner),
                    None => (inner, Vec::new()),
                };
                TemplatePart::If(Box::new(TemplateIf { condition, then, otherwise, span }))
            }
            Opener::For { key_var, value_var, collection } => {
                let body = inner;
                TemplatePart::For(Box::new(TemplateFor { key_var, value_var, collection, body, span }))
            }
        };
        self.add(part, height);
        Ok(())
    }

    fn unexpected(&self, name: &str, span: Span) -> Box<Diagnostic> {
        let diagnostic =
            Diagnostic::error("unexpected-directive", format!("`{name}` does not belong here")).at(span);
        Box::new(match self.open.last() {
            Some(open) => diagnostic
                .label(open.span, format!("this `{}` is open", open.name()))
                .help(format!("end it with `%{{ end{} }}` first", open.name())),
            None => diagnostic.help("remove it, or add the directive that it ends"),
        })
    }
}

// ---- white space

fn strip<'a>(value: Cow<'a, str>, trim: fn(&str) -> &str) -> Cow<'a, str> {
    match value {
        Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
        Cow::Owned(text) => Cow::Owned(trim(&text).to_owned()),
    }
}

/// `<<-`: takes the smallest indentation of all lines from each of them. Lines are those of the source:
/// what follows a stripped line break is not at a line's start, and blank lines do not count.
fn remove_indentation(pieces: &mut [Piece<'_>]) {
    let mut smallest = usize::MAX;
    let mut line_starts = Vec::new();
    let mut at_start = true;
    for (i, piece) in pieces.iter().enumerate() {
        let text = match piece {
            Piece::Text { value, .. } => Some(&**value),
            _ => None,
        };
        if std::mem::take(&mut at_start) {
            let text = text.unwrap_or("");
            let trimmed = text.trim_start();
            let blank = trimmed.is_empty() && text.ends_with('\n');
            if !blank {
                smallest = smallest.min(text[..text.len() - trimmed.len()].chars().count());
                line_starts.push(i);
            }
        }
        at_start = text.is_some_and(|t| t.ends_with('\n'));
    }
    for i in line_starts {
        if let Piece::Text { value, span } = &mut pieces[i] {
            let cut = value.char_indices().nth(smallest).map_or(value.len(), |(i, _)| i);
            span.start += cut as u32;
            *value = Cow::Owned(value[cut..].to_owned());
        }
    }
}

//! What stands in brackets: tuples, objects, `for` expressions, function calls.

use super::{Kind, Node, Parsed, Parser, Stop, Token};
use crate::diag::{Diagnostic, Span};
use crate::lang::syntax::{Call, Expr, ExprKind, ForExpr, Ident, ObjectItem};

impl Parser<'_> {
    pub(super) fn tuple(&mut self, open: usize) -> Parsed<Node> {
        if self.peek_is_word("for") {
            return self.for_or_skip(open, Kind::CloseBracket, "]");
        }
        let (items, below, close) = self.list(open, Kind::CloseBracket, "]", false)?;
        let span = self.span(self.tokens[open]).to(self.span(close));
        self.node(ExprKind::Tuple(items), span, below)
    }

    /// Expressions with commas between, up to the closer. With `expands`, `...` may end them, which leaves
    /// the position behind it.
    fn list(
        &mut self,
        open: usize,
        closer: Kind,
        sign: &str,
        expands: bool,
    ) -> Parsed<(Vec<Expr>, usize, Token)> {
        let mut items = self.spare.exprs.take();
        let mut below = 0;
        loop {
            if let Some(close) = self.eat(closer) {
                return Ok((self.spare.exprs.packed(items), below, close));
            }
            let start = self.span(self.peek_token());
            match self.list_item(open, closer, sign, expands) {
                Ok(item) => {
                    below = below.max(item.height);
                    items.push(item.expr);
                    if let Some(ellipsis) = expands.then(|| self.eat(Kind::Ellipsis)).flatten() {
                        return Ok((self.spare.exprs.packed(items), below, ellipsis));
                    }
                }
                Err(stop) => {
                    self.resync(open, &[Kind::Comma], stop)?;
                    items.push(
                        self.error_expr(Span { end: self.tokens[self.pos].start.max(start.start), ..start }),
                    );
                    below = below.max(1);
                }
            }
            self.eat(Kind::Comma);
        }
    }

    fn list_item(&mut self, open: usize, closer: Kind, sign: &str, expands: bool) -> Parsed<Node> {
        let item = self.expr()?;
        let next = self.peek();
        if next == Kind::Comma || next == closer || (expands && next == Kind::Ellipsis) {
            return Ok(item);
        }
        let mut diagnostic = self.expected("missing-separator", &format!("`,` or `{sign}`"));
        if matches!(next, Kind::Equal | Kind::Colon) && closer == Kind::CloseBracket {
            diagnostic = diagnostic.help("a list is `[a, b]`; a map or object is `{ key = value }`");
        }
        self.fail(self.blame_unclosed(open, diagnostic))
    }

    // ---- objects

    pub(super) fn object(&mut self, open: usize) -> Parsed<Node> {
        if self.with_newlines(false, |p| p.peek_is_word("for")) {
            return self.with_newlines(false, |p| p.for_or_skip(open, Kind::CloseBrace, "}"));
        }
        self.with_newlines(true, |p| p.object_items(open))
    }

    fn object_items(&mut self, open: usize) -> Parsed<Node> {
        let mut items = self.spare.items.take();
        let mut below = 0;
        let close = loop {
            if self.eat(Kind::Newline).is_some() {
                continue;
            }
            if let Some(close) = self.eat(Kind::CloseBrace) {
                break close;
            }
            match self.object_item(open) {
                Ok((item, height)) => {
                    below = below.max(height);
                    items.push(item);
                }
                Err(stop) => self.resync_object(open, stop)?,
            }
            self.eat(Kind::Comma);
        };
        let span = self.span(self.tokens[open]).to(self.span(close));
        let items = self.spare.items.packed(items);
        self.node(ExprKind::Object(items), span, below)
    }

    fn object_item(&mut self, open: usize) -> Parsed<(ObjectItem, usize)> {
        let key = self.expr()?;
        if !matches!(self.peek(), Kind::Equal | Kind::Colon) {
            return self.fail(self.no_object_value(open, &key));
        }
        self.next();
        let value = self.expr()?;
        if !matches!(self.peek(), Kind::Comma | Kind::Newline | Kind::CloseBrace) {
            let diagnostic = self.expected("missing-separator", "`,`, a line break or `}`");
            return self.fail(self.blame_unclosed(open, diagnostic));
        }
        // A bare name stands for itself, and so do the keywords.
        let span = key.expr.span;
        let below = value.height.max(key.height);
        let kind = match key.expr.kind {
            ExprKind::Root(value) => ExprKind::Text { value, bare: true },
            ExprKind::Literal(literal) if literal.as_number().is_none() => {
                let value = self.word(&self.text[span.start as usize..span.end as usize]);
                ExprKind::Text { value, bare: true }
            }
            other => other,
        };
        let key = Expr { kind, span };
        Ok((ObjectItem { key, value: value.expr }, below))
    }

    fn no_object_value(&self, open: usize, key: &Node) -> Diagnostic {
        let next = self.peek();
        let mut diagnostic = self.expected("missing-object-value", "`=` and a value for this key");
        diagnostic = diagnostic.label(key.expr.span, "this key");
        if next == Kind::Ident && matches!(key.expr.kind, ExprKind::Index { .. } | ExprKind::GetAttr { .. }) {
            diagnostic = diagnostic.help("a key with dots or spaces needs quotes");
        } else if matches!(next, Kind::Comma | Kind::CloseBrace)
            && matches!(key.expr.kind, ExprKind::Text { .. } | ExprKind::Template(_))
        {
            diagnostic = diagnostic.help("a list is written in square brackets: `[a, b]`");
        }
        self.blame_unclosed(open, diagnostic)
    }

    // ---- for

    fn for_or_skip(&mut self, open: usize, closer: Kind, sign: &str) -> Parsed<Node> {
        match self.for_expr(open, closer, sign) {
            Ok(node) => Ok(node),
            Err(stop) => self.skip_bracket(open, stop),
        }
    }

    fn for_expr(&mut self, open: usize, closer: Kind, sign: &str) -> Parsed<Node> {
        let (key_var, value_var, collection) = self.for_introduction()?;
        if self.eat(Kind::Colon).is_none() {
            return self.fail_for("`:` after the collection");
        }
        let mut value = self.expr()?;
        let mut key = None;
        if self.eat(Kind::FatArrow).is_some() {
            key = Some(std::mem::replace(&mut value, self.expr()?));
        }
        let ellipsis = self.eat(Kind::Ellipsis);
        let mut condition = None;
        if self.peek_is_word("if") {
            self.next();
            condition = Some(self.expr()?);
        }
        let Some(close) = self.eat(closer) else {
            let mut diagnostic =
                self.expected("invalid-for", &format!("`{sign}` at the end of the `for` expression"));
            if matches!(self.peek(), Kind::Equal | Kind::Colon) {
                diagnostic = diagnostic.help("a key and its value are joined with `=>`");
            }
            return self.fail(self.blame_unclosed(open, diagnostic));
        };
        let span = self.span(self.tokens[open]).to(self.span(close));
        if let Some(diagnostic) = self.for_of_wrong_kind(closer, key.as_ref(), &value, ellipsis) {
            self.report(diagnostic);
            return Ok(self.error_node(span));
        }
        let heights = [Some(&collection), Some(&value), key.as_ref(), condition.as_ref()];
        let below = heights.into_iter().flatten().map(|n| n.height).max().unwrap_or(0);
        let for_expr = ForExpr {
            key_var,
            value_var,
            collection: collection.expr,
            key: key.map(|n| n.expr),
            value: value.expr,
            condition: condition.map(|n| n.expr),
            group: ellipsis.is_some(),
        };
        self.node(ExprKind::For(Box::new(for_expr)), span, below)
    }

    /// `for k, v in collection`, here and in template directives.
    pub(super) fn for_introduction(&mut self) -> Parsed<(Option<Ident>, Ident, Node)> {
        self.next();
        let Some(first) = self.eat(Kind::Ident) else {
            return self.fail_for("a variable name after `for`");
        };
        let first = self.ident(first);
        let (key_var, value_var) = if self.eat(Kind::Comma).is_some() {
            let Some(second) = self.eat(Kind::Ident) else {
                return self.fail_for("a variable name for the value after the comma");
            };
            (Some(first), self.ident(second))
        } else {
            (None, first)
        };
        if !self.peek_is_word("in") {
            return self.fail_for("`in` after the variable names");
        }
        self.next();
        Ok((key_var, value_var, self.expr()?))
    }

    fn fail_for<T>(&mut self, what: &str) -> Parsed<T> {
        let diagnostic = self
            .expected("invalid-for", what)
            .help("write `[for v in list : v]`, or `{for k, v in map : k => v}`");
        self.fail(diagnostic)
    }

    fn for_of_wrong_kind(
        &self,
        closer: Kind,
        key: Option<&Node>,
        value: &Node,
        ellipsis: Option<Token>,
    ) -> Option<Diagnostic> {
        let error = |summary, span, help| Diagnostic::error("invalid-for", summary).at(span).help(help);
        match (closer, key, ellipsis) {
            (Kind::CloseBrace, None, _) => Some(error(
                "a `for` that makes an object needs a key",
                value.expr.span,
                "write `{for v in list : key => v}`, or square brackets to make a list",
            )),
            (Kind::CloseBracket, Some(key), _) => Some(error(
                "a `for` that makes a list has no key",
                key.expr.span,
                "leave out `key =>`, or use braces to make an object",
            )),
            (Kind::CloseBracket, None, Some(ellipsis)) => Some(error(
                "`...` groups by key, and a list has no keys",
                self.span(ellipsis),
                "leave out `...`, or use braces and `key => value...`",
            )),
            _ => None,
        }
    }

    // ---- calls

    /// After the first name of a function.
    pub(super) fn call(&mut self, first: Token) -> Parsed<Node> {
        let name = self.function_name(first)?;
        let open = self.peek_index();
        if self.tokens[open].kind != Kind::OpenParen {
            let diagnostic = self
                .expected("missing-arguments", "`(` after the function's name")
                .help("`::` only occurs in the name of a provider's function: `provider::aws::arn_parse(…)`");
            return self.fail(diagnostic);
        }
        self.next();
        let arguments = self.with_newlines(false, |p| p.arguments(open));
        let (args, below, close, expand_last) = match arguments {
            Ok(found) => found,
            Err(stop) => return self.skip_bracket(open, stop),
        };
        let span = name.span.to(close);
        self.node(ExprKind::Call(Box::new(Call { name, args, expand_last })), span, below)
    }

    fn function_name(&mut self, first: Token) -> Parsed<Ident> {
        let mut name = self.ident(first);
        while self.eat(Kind::DoubleColon).is_some() {
            let Some(next) = self.eat(Kind::Ident) else {
                let diagnostic = self.expected("missing-function-name", "a function name after `::`");
                return self.fail(diagnostic);
            };
            let joined = format!("{}::{}", name.name, self.slice(next));
            name = Ident { name: self.word(&joined), span: name.span.to(self.span(next)) };
        }
        Ok(name)
    }

    fn arguments(&mut self, open: usize) -> Parsed<(Vec<Expr>, usize, Span, bool)> {
        let (args, below, last) = self.list(open, Kind::CloseParen, ")", true)?;
        if last.kind != Kind::Ellipsis {
            return Ok((args, below, self.span(last), false));
        }
        if let Some(close) = self.eat(Kind::CloseParen) {
            return Ok((args, below, self.span(close), true));
        }
        let diagnostic = self
            .expected("unexpected-token", "`)` after the expanded argument")
            .label(self.span(last), "`...` expands the last argument");
        self.report(self.blame_unclosed(open, diagnostic));
        Err(Stop::Here)
    }
}

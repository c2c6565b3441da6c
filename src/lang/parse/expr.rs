//! Expressions: operators, terms, and what follows a term.

use super::{Kind, Node, Parsed, Parser, Token};
use crate::diag::{Diagnostic, Span};
use crate::lang::syntax::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::value::{Number, Type, Value};

/// Operator and precedence: the higher binds tighter; all are left-associative.
fn binary_operator(kind: Kind) -> Option<(BinaryOp, u8)> {
    Some(match kind {
        Kind::Or => (BinaryOp::Or, 1),
        Kind::And => (BinaryOp::And, 2),
        Kind::EqualEqual => (BinaryOp::Equal, 3),
        Kind::NotEqual => (BinaryOp::NotEqual, 3),
        Kind::Less => (BinaryOp::Less, 4),
        Kind::LessEqual => (BinaryOp::LessEqual, 4),
        Kind::Greater => (BinaryOp::Greater, 4),
        Kind::GreaterEqual => (BinaryOp::GreaterEqual, 4),
        Kind::Plus => (BinaryOp::Add, 5),
        Kind::Minus => (BinaryOp::Subtract, 5),
        Kind::Star => (BinaryOp::Multiply, 6),
        Kind::Slash => (BinaryOp::Divide, 6),
        Kind::Percent => (BinaryOp::Modulo, 6),
        _ => return None,
    })
}

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Parsed<Node> {
        self.deeper(Self::conditional)
    }

    /// `a ? b : c ? d : e` is a loop here, so that only what is before the `:` nests.
    fn conditional(&mut self) -> Parsed<Node> {
        let mut last = self.binary(1)?;
        if self.peek() != Kind::Question {
            return Ok(last);
        }
        let mut arms = Vec::new();
        while let Some(question) = self.eat(Kind::Question) {
            let if_true = self.expr()?;
            if self.eat(Kind::Colon).is_none() {
                let diagnostic = self
                    .expected("incomplete-conditional", "`:` and the other result of the conditional")
                    .label(self.span(question), "for this `?`")
                    .help("a conditional is `condition ? if_true : if_false`");
                return self.fail(diagnostic);
            }
            arms.push((last, if_true));
            last = self.binary(1)?;
        }
        while let Some((condition, if_true)) = arms.pop() {
            let span = condition.expr.span.to(last.expr.span);
            let below = condition.height.max(if_true.height).max(last.height);
            let kind = ExprKind::Conditional {
                condition: Box::new(condition.expr),
                if_true: Box::new(if_true.expr),
                if_false: Box::new(last.expr),
            };
            last = self.node(kind, span, below)?;
        }
        Ok(last)
    }

    fn binary(&mut self, lowest: u8) -> Parsed<Node> {
        let mut left = self.unary()?;
        while let Some((op, precedence)) = binary_operator(self.peek()).filter(|(_, p)| *p >= lowest) {
            self.next();
            let right = self.binary(precedence + 1)?;
            let span = left.expr.span.to(right.expr.span);
            let below = left.height.max(right.height);
            let kind = ExprKind::Binary { op, left: Box::new(left.expr), right: Box::new(right.expr) };
            left = self.node(kind, span, below)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Node> {
        let mut operators = Vec::new();
        loop {
            let op = match self.peek() {
                Kind::Minus => UnaryOp::Negate,
                Kind::Bang => UnaryOp::Not,
                _ => break,
            };
            let token = self.next();
            operators.push((op, self.span(token)));
        }
        let term = self.term()?;
        let mut node = self.postfix(term)?;
        for (op, span) in operators.into_iter().rev() {
            let span = span.to(node.expr.span);
            node = self.node(ExprKind::Unary { op, operand: Box::new(node.expr) }, span, node.height)?;
        }
        Ok(node)
    }

    fn term(&mut self) -> Parsed<Node> {
        let open = self.peek_index();
        let token = self.tokens[open];
        match token.kind {
            Kind::OpenQuote | Kind::OpenHeredoc => {
                self.next();
                self.template_expr(open)
            }
            Kind::Ident => {
                self.next();
                if matches!(self.peek(), Kind::OpenParen | Kind::DoubleColon) {
                    return self.call(token);
                }
                Ok(self.name(token))
            }
            Kind::Number => {
                self.next();
                Ok(self.number(token))
            }
            Kind::OpenParen => {
                self.next();
                self.with_newlines(false, |p| p.paren(open))
            }
            Kind::OpenBracket => {
                self.next();
                self.with_newlines(false, |p| p.tuple(open))
            }
            Kind::OpenBrace => {
                self.next();
                self.object(open)
            }
            _ => self.fail(self.no_term(token)),
        }
    }

    fn no_term(&self, token: Token) -> Diagnostic {
        let diagnostic = self.expected("expected-expression", "an expression");
        let before = self.peek_index().checked_sub(1).map(|i| self.tokens[i].kind);
        match (token.kind, before) {
            (Kind::Newline, _) => diagnostic
                .help("write the value on this line; inside parentheses it may go on over several lines"),
            (Kind::Star, Some(Kind::Star)) => diagnostic.help("`pow(a, b)` raises to a power"),
            (Kind::Equal, Some(Kind::Equal | Kind::EqualEqual)) => diagnostic.help("equality is `==`"),
            (Kind::Dot, _) => diagnostic.help("a number starts with a digit: `0.5`"),
            (Kind::CloseSequence, Some(Kind::OpenInterpolation)) => {
                diagnostic.help("to mean a literal `${`, write `$${`")
            }
            _ => diagnostic,
        }
    }

    fn name(&mut self, token: Token) -> Node {
        let kind = match self.slice(token) {
            "true" => ExprKind::Literal(Value::bool(true).into()),
            "false" => ExprKind::Literal(Value::bool(false).into()),
            "null" => ExprKind::Literal(Value::null(Type::Dynamic).into()),
            name => ExprKind::Root(self.word(name)),
        };
        self.leaf(kind, self.span(token))
    }

    fn number(&mut self, token: Token) -> Node {
        let span = self.span(token);
        match self.slice(token).parse::<Number>() {
            Ok(number) => self.leaf(ExprKind::Literal(Value::number(number).into()), span),
            Err(_) => {
                self.report(
                    Diagnostic::error("invalid-number", format!("{} is not a number", self.describe(token)))
                        .at(span)
                        .help("numbers look like `15`, `0.5` or `6e3`; write anything else in quotes"),
                );
                self.error_node(span)
            }
        }
    }

    fn paren(&mut self, open: usize) -> Parsed<Node> {
        let inner = self.expr().and_then(|node| Ok((node, self.close(open, Kind::CloseParen, ")")?)));
        match inner {
            Ok((node, close)) => {
                let span = self.span(self.tokens[open]).to(self.span(close));
                self.node(ExprKind::Paren(Box::new(node.expr)), span, node.height)
            }
            Err(stop) => self.skip_bracket(open, stop),
        }
    }

    // ---- what follows a term

    fn postfix(&mut self, mut node: Node) -> Parsed<Node> {
        loop {
            node = match self.peek() {
                Kind::Dot => self.after_dot(node)?,
                Kind::OpenBracket => {
                    let open = self.peek_index();
                    self.next();
                    if self.peek() == Kind::Star {
                        self.full_splat(node, open)?
                    } else {
                        self.index(node, open)?
                    }
                }
                _ => return Ok(node),
            };
        }
    }

    fn after_dot(&mut self, base: Node) -> Parsed<Node> {
        let dot = self.next();
        match self.peek() {
            Kind::Star => self.attribute_splat(base),
            _ => self.attribute_step(base, self.span(dot)),
        }
    }

    /// `.name`, or the old `.0` for `[0]`.
    fn attribute_step(&mut self, base: Node, legacy_start: Span) -> Parsed<Node> {
        match self.peek() {
            Kind::Ident => {
                let token = self.next();
                let name = self.word(self.slice(token));
                let span = base.expr.span.to(self.span(token));
                let kind = ExprKind::GetAttr { base: Box::new(base.expr), name, name_start: token.start };
                self.node(kind, span, base.height)
            }
            Kind::Number => {
                let token = self.next();
                let span = base.expr.span.to(self.span(token));
                if let Some((first, second)) = self.slice(token).split_once('.') {
                    let at = if base.expr.kind == ExprKind::SplatItem {
                        // Where Terraform sees it too.
                        legacy_start.to(self.span(token))
                    } else {
                        self.span(token)
                    };
                    self.report(
                        Diagnostic::error(
                            "legacy-index",
                            "two indices cannot follow each other in this form",
                        )
                        .at(at)
                        .help(format!("write them in brackets: `[{first}][{second}]`")),
                    );
                    return Ok(self.error_node(span));
                }
                let key = self.number(token);
                let kind = ExprKind::Index { base: Box::new(base.expr), key: Box::new(key.expr) };
                self.node(kind, span, base.height)
            }
            _ => {
                let diagnostic = self.expected("expected-attribute-name", "an attribute name after the dot");
                self.fail(diagnostic)
            }
        }
    }

    /// `base.*` takes only attributes (and old indices) into the splat.
    fn attribute_splat(&mut self, base: Node) -> Parsed<Node> {
        let star = self.next();
        let mut each = self.leaf(ExprKind::SplatItem, self.span(star));
        while self.eat(Kind::Dot).is_some() {
            if self.peek() == Kind::Star {
                let span = self.found().1;
                return self.fail(
                    Diagnostic::error("nested-splat", "a `.*` cannot follow another `.*`")
                        .at(span)
                        .help("use `[*]`, which takes everything that follows it into each element"),
                );
            }
            each = self.attribute_step(each, self.span(star))?;
        }
        self.splat(base, false, each)
    }

    /// `base[*]` takes all that follows into the splat.
    fn full_splat(&mut self, base: Node, open: usize) -> Parsed<Node> {
        self.next();
        let item = match self.close(open, Kind::CloseBracket, "]") {
            Ok(close) => self.leaf(ExprKind::SplatItem, self.span(self.tokens[open]).to(self.span(close))),
            Err(stop) => self.skip_bracket(open, stop)?,
        };
        let each = self.deeper(|p| p.postfix(item))?;
        self.splat(base, true, each)
    }

    fn splat(&mut self, base: Node, full: bool, each: Node) -> Parsed<Node> {
        let span = base.expr.span.to(each.expr.span);
        let below = base.height.max(each.height);
        self.node(ExprKind::Splat { base: Box::new(base.expr), full, each: Box::new(each.expr) }, span, below)
    }

    fn index(&mut self, base: Node, open: usize) -> Parsed<Node> {
        let key = self.with_newlines(false, |p| {
            let key = p.expr().and_then(|key| Ok((key, p.close(open, Kind::CloseBracket, "]")?)));
            match key {
                Ok((key, close)) => Ok((key, p.span(close))),
                Err(stop) => p.skip_bracket(open, stop).map(|error| {
                    let span = error.expr.span;
                    (error, span)
                }),
            }
        });
        let (key, close) = key?;
        let span = base.expr.span.to(close);
        let below = base.height.max(key.height);
        self.node(ExprKind::Index { base: Box::new(base.expr), key: Box::new(key.expr) }, span, below)
    }

    pub(super) fn error_expr(&self, span: Span) -> Expr {
        Expr { kind: ExprKind::Error, span }
    }
}

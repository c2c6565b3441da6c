//! What files parse into. Every node has its span; nothing is evaluated yet.

use crate::diag::Span;
use crate::value::Value;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    pub name: Arc<str>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Body {
    pub attributes: Vec<Attribute>,
    pub blocks: Vec<Block>,
    pub span: Span,
}

impl Body {
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| &*a.name.name == name)
    }

    pub fn blocks_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Block> + 'a {
        self.blocks.iter().filter(move |b| &*b.kind.name == kind)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    pub name: Ident,
    pub expr: Expr,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub kind: Ident,
    pub labels: Vec<Ident>,
    pub body: Body,
    /// Whole block, braces included.
    pub span: Span,
    /// `resource "aws_vpc" "main"`
    pub header: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// Number, bool, null.
    Literal(Box<Value>),
    /// A string without sequences, in normal form C; a bare name stands where an object's key does.
    Text {
        value: Arc<str>,
        bare: bool,
    },
    /// Any other string, a heredoc or a template file. A template of exactly one interpolation keeps that value's
    /// type.
    Template(Vec<TemplatePart>),
    /// The root name of a traversal: `var`, `local`, `aws_vpc`, `each`, a `for` variable.
    Root(Arc<str>),
    GetAttr {
        base: Box<Expr>,
        name: Arc<str>,
        /// It ends where the expression does.
        name_start: u32,
    },
    Index {
        base: Box<Expr>,
        key: Box<Expr>,
    },
    /// `base.*.each…` or `base[*].each…`; `each` is an expression over [`ExprKind::SplatItem`].
    Splat {
        base: Box<Expr>,
        full: bool,
        each: Box<Expr>,
    },
    /// Stands for the current element inside a splat.
    SplatItem,
    Call(Box<Call>),
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Conditional {
        condition: Box<Expr>,
        if_true: Box<Expr>,
        if_false: Box<Expr>,
    },
    Tuple(Vec<Expr>),
    Object(Vec<ObjectItem>),
    For(Box<ForExpr>),
    Paren(Box<Expr>),
    /// Stands where an expression could not be parsed; already reported. Evaluates to unknown.
    Error,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub name: Ident,
    pub args: Vec<Expr>,
    pub expand_last: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ObjectItem {
    /// A bare identifier is [`ExprKind::Text`]; `(expr)` is a Paren.
    pub key: Expr,
    pub value: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ForExpr {
    pub key_var: Option<Ident>,
    pub value_var: Ident,
    pub collection: Expr,
    /// `{for … : key => value}`; None for `[for …]`.
    pub key: Option<Expr>,
    pub value: Expr,
    pub condition: Option<Expr>,
    /// `value...`
    pub group: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    Negate,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
}

/// Strip markers and heredoc indentation are already applied to the literals.
#[derive(Clone, Debug, PartialEq)]
pub enum TemplatePart {
    Literal(Arc<str>, Span),
    Interpolation(Expr),
    If(Box<TemplateIf>),
    For(Box<TemplateFor>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct TemplateIf {
    pub condition: Expr,
    pub then: Vec<TemplatePart>,
    pub otherwise: Vec<TemplatePart>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TemplateFor {
    pub key_var: Option<Ident>,
    pub value_var: Ident,
    pub collection: Expr,
    pub body: Vec<TemplatePart>,
    pub span: Span,
}

/// One step after a root name.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Attr(Arc<str>, Span),
    /// A constant key: string or number.
    Index(Value, Span),
}

/// A root name with the constant steps that follow it: `aws_subnet.a[0].id`.
#[derive(Clone, Debug, PartialEq)]
pub struct Traversal {
    pub root: Arc<str>,
    pub steps: Vec<Step>,
    pub span: Span,
}

impl Traversal {
    /// `aws_vpc.main` of `resource.aws_vpc.main`.
    pub fn without_prefix(&self) -> Option<Traversal> {
        const NOT_TYPES: [&str; 9] =
            ["var", "local", "module", "data", "each", "count", "path", "terraform", "self"];
        let first = self.attr(0).filter(|first| !NOT_TYPES.contains(first))?;
        (&*self.root == "resource" && self.attr(1).is_some()).then(|| Traversal {
            root: first.into(),
            steps: self.steps[1..].to_vec(),
            span: self.span,
        })
    }

    pub fn attr(&self, i: usize) -> Option<&str> {
        self.name(i).map(|name| &**name)
    }

    /// The same, shared.
    pub fn name(&self, i: usize) -> Option<&Arc<str>> {
        match self.steps.get(i) {
            Some(Step::Attr(name, _)) => Some(name),
            _ => None,
        }
    }
}

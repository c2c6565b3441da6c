//! What `moved`, `removed` and `import` blocks point at: a resource or a module, perhaps one instance.

use super::decl::{DeclKey, Name};
use crate::addr::{Address, AddressError, InstanceKey, Mode, ModulePath, split_steps};
use crate::diag::{Diagnostic, Span};
use crate::lang::syntax::{Expr, ExprKind};
use std::fmt;
use std::str::FromStr;

/// A place as written, its keys still expressions (`import` takes `each.key`).
#[derive(Clone, Debug)]
pub struct Target {
    pub modules: Vec<(Name, Option<TargetKey>)>,
    pub resource: Option<(DeclKey, Option<TargetKey>)>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum TargetKey {
    Known(InstanceKey),
    Computed(Expr),
}

/// A place relative to a module: `module.a["x"].aws_vpc.main[0]`, `module.a`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub modules: ModulePath,
    pub resource: Option<(DeclKey, InstanceKey)>,
    pub span: Span,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.modules.is_root() || self.resource.is_none() { "" } else { "." };
        write!(f, "{}{dot}", self.modules)?;
        match &self.resource {
            Some((key, instance)) => write!(f, "{key}{instance}"),
            None => Ok(()),
        }
    }
}

impl Place {
    /// The key that says which instance of the last part is meant.
    pub fn last_key(&self) -> &InstanceKey {
        match (&self.resource, self.modules.0.last()) {
            (Some((_, key)), _) | (None, Some((_, key))) => key,
            (None, None) => &InstanceKey::None,
        }
    }

    /// Whether `address` is this, or lies in it. A place without keys means all instances.
    pub fn covers(&self, address: &Address) -> bool {
        let path = &address.module.0;
        let inside = path.len() >= self.modules.0.len()
            && self
                .modules
                .0
                .iter()
                .zip(path.iter())
                .all(|((a, key), (b, other))| a == b && (*key == InstanceKey::None || key == other));
        inside
            && match &self.resource {
                None => true,
                Some((key, instance)) => {
                    path.len() == self.modules.0.len()
                        && address.mode == key.mode
                        && address.type_name == key.type_name
                        && address.name == key.name
                        && (*instance == InstanceKey::None || *instance == address.key)
                }
            }
    }
}

fn expected(span: Span) -> Diagnostic {
    Diagnostic::error("expected-address", "this must be the address of a resource or a module")
        .at(span)
        .help("write it without quotes: `aws_vpc.main`, `module.network`, `module.web[\"a\"].aws_lb.this`")
}

impl FromStr for Place {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |why| AddressError { text: text.to_owned(), why };
        let steps = split_steps(text).map_err(fail)?;
        let steps = steps.into_iter().map(|(name, key)| {
            (Name::from(name), (key != InstanceKey::None).then_some(TargetKey::Known(key)))
        });
        let target = Target::from_steps(steps.collect(), Span::default());
        let place = target.and_then(|t| t.constant().ok());
        place.ok_or_else(|| fail("it names neither a resource nor a module"))
    }
}

impl Target {
    pub fn parse(expr: &Expr) -> Result<Self, Box<Diagnostic>> {
        if matches!(expr.kind, ExprKind::Text { bare: false, .. }) {
            return Err(Box::new(expected(expr.span).help("write the address without quotes")));
        }
        let steps = match super::constant_string(expr) {
            // The JSON syntax has no other way to write it.
            Some(text) => split_steps(&text)
                .map_err(|why| Box::new(expected(expr.span).note(why)))?
                .into_iter()
                .map(|(name, key)| {
                    (Name::from(name), (key != InstanceKey::None).then_some(TargetKey::Known(key)))
                })
                .collect(),
            None => expression_steps(expr).ok_or_else(|| Box::new(expected(expr.span)))?,
        };
        Self::from_steps(steps, expr.span).ok_or_else(|| Box::new(expected(expr.span)))
    }

    fn from_steps(steps: Vec<(Name, Option<TargetKey>)>, span: Span) -> Option<Self> {
        let mut steps = steps.into_iter().peekable();
        let mut target = Target { modules: Vec::new(), resource: None, span };
        while steps.next_if(|(name, key)| &**name == "module" && key.is_none()).is_some() {
            target.modules.push(steps.next()?);
        }
        let mode = match steps.next_if(|(name, key)| &**name == "data" && key.is_none()) {
            Some(_) => Mode::Data,
            None => Mode::Managed,
        };
        if let Some((type_name, key)) = steps.next() {
            let (name, instance) = steps.next()?;
            if key.is_some() {
                return None;
            }
            target.resource = Some((DeclKey { mode, type_name, name }, instance));
        }
        let something = target.resource.is_some() || !target.modules.is_empty() && mode == Mode::Managed;
        (something && steps.next().is_none()).then_some(target)
    }

    /// The place, if no key has to be computed.
    pub fn constant(self) -> Result<Place, Box<Diagnostic>> {
        let span = self.span;
        let known = |key: Option<TargetKey>| match key {
            None => Ok(InstanceKey::None),
            Some(TargetKey::Known(key)) => Ok(key),
            Some(TargetKey::Computed(expr)) => Err(Box::new(
                Diagnostic::error("expected-constant", "the key must be a number or a string, written out")
                    .at(expr.span)
                    .label(span, "in this address"),
            )),
        };
        let modules = self.modules.into_iter().map(|(name, key)| Ok((name, known(key)?)));
        let modules = ModulePath(modules.collect::<Result<_, Box<Diagnostic>>>()?);
        let resource = match self.resource {
            Some((key, instance)) => Some((key, known(instance)?)),
            None => None,
        };
        Ok(Place { modules, resource, span })
    }
}

/// `a.b["x"].c[each.key]` → (a), (b, "x"), (c, each.key).
fn expression_steps(expr: &Expr) -> Option<Vec<(Name, Option<TargetKey>)>> {
    let mut links = Vec::new();
    let mut base = expr;
    loop {
        match &base.kind {
            ExprKind::GetAttr { base: inner, .. } | ExprKind::Index { base: inner, .. } => {
                links.push(base);
                base = inner;
            }
            ExprKind::Root(name) => {
                let mut steps = vec![(name.clone(), None)];
                for link in links.into_iter().rev() {
                    match &link.kind {
                        ExprKind::GetAttr { name, .. } => steps.push((name.clone(), None)),
                        ExprKind::Index { key, .. } => {
                            let last = steps.last_mut().filter(|(_, key)| key.is_none())?;
                            last.1 = Some(target_key(key)?);
                        }
                        _ => return None,
                    }
                }
                return Some(steps);
            }
            _ => return None,
        }
    }
}

fn target_key(key: &Expr) -> Option<TargetKey> {
    if let Some(text) = super::constant_string(key) {
        return Some(TargetKey::Known(InstanceKey::Key(text.into())));
    }
    match &key.kind {
        ExprKind::Literal(value) => {
            let index = u64::try_from(value.as_i64()?).ok()?;
            Some(TargetKey::Known(InstanceKey::Index(index)))
        }
        _ => Some(TargetKey::Computed(key.clone())),
    }
}

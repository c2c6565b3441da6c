//! The declarations of one module directory.

use super::blocks::{Check, Import, Moved, Removed};
use super::steering::Steering;
use super::terraform::RequiredProvider;
use super::version::Constraint;
use crate::addr::{Address, Mode};
use crate::diag::Span;
use crate::lang::eval::TypeConstraint;
use crate::lang::syntax::{Block, Body, Expr, Traversal};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub type Name = Arc<str>;

/// One directory of configuration files, read and sorted into declarations.
#[derive(Debug, Default)]
pub struct Module {
    /// How many configuration files the directory has.
    pub files: usize,
    /// As one would write it from where the command runs: `envs/dev`, `modules/network`.
    pub dir: PathBuf,
    pub variables: BTreeMap<Name, Variable>,
    pub locals: BTreeMap<Name, Local>,
    pub outputs: BTreeMap<Name, Output>,
    /// In order of the keys once the module is read; hashed, for a root may have 100,000 of them.
    pub resources: IndexMap<DeclKey, Resource>,
    pub calls: BTreeMap<Name, Call>,
    /// By name and alias (`aws`, `aws.west`); the name is the provider's own, whatever the module calls it.
    pub providers: BTreeMap<Name, ProviderBlock>,
    pub cutover: Option<CutoverBlock>,
    pub moved: Vec<Moved>,
    pub removed: Vec<Removed>,
    pub imports: Vec<Import>,
    pub checks: BTreeMap<Name, Check>,
    /// `rollout`, `probe` and `guard` blocks by kind and name: `rollout.web`.
    pub steering: BTreeMap<Name, Steering>,
    /// `backend "s3" { … }` or `cloud { … }` inside `terraform`.
    pub backend: Option<Block>,
    /// Where the one block is that says it.
    pub providers_required_at: Option<Span>,
    /// By local name.
    pub required_providers: BTreeMap<Name, RequiredProvider>,
}

/// A resource or data source block within its module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeclKey {
    pub mode: Mode,
    pub type_name: Name,
    pub name: Name,
}

impl DeclKey {
    /// What declares an instance.
    pub fn of(address: &Address) -> Self {
        Self { mode: address.mode, type_name: address.type_name.clone(), name: address.name.clone() }
    }
}

impl std::fmt::Display for DeclKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let data = if self.mode == Mode::Data { "data." } else { "" };
        write!(f, "{data}{}.{}", self.type_name, self.name)
    }
}

#[derive(Debug)]
pub struct Variable {
    pub name: Name,
    pub constraint: TypeConstraint,
    /// Whether `type` is written: texts for `any` are then expressions.
    pub typed: bool,
    pub default: Option<Expr>,
    pub description: Option<String>,
    pub sensitive: bool,
    pub ephemeral: bool,
    pub nullable: bool,
    /// What to do instead of giving it a value.
    pub deprecated: Option<String>,
    pub validations: Vec<Validation>,
    pub span: Span,
}

/// `validation`, `precondition` or `postcondition`.
#[derive(Debug)]
pub struct Validation {
    pub condition: Expr,
    pub error_message: Expr,
    pub span: Span,
}

#[derive(Debug)]
pub struct Local {
    pub name: Name,
    pub expr: Expr,
}

#[derive(Debug)]
pub struct Output {
    pub name: Name,
    pub expr: Expr,
    pub description: Option<String>,
    pub sensitive: bool,
    pub ephemeral: bool,
    pub depends_on: Vec<Traversal>,
    pub preconditions: Vec<Validation>,
    pub span: Span,
}

#[derive(Debug, Default)]
pub enum Repetition {
    #[default]
    Single,
    Count(Box<Expr>),
    ForEach(Box<Expr>),
    /// `lifecycle { enabled = … }`: one instance or none, as OpenTofu has it.
    Enabled(Box<Expr>),
}

impl Repetition {
    pub fn expr(&self) -> Option<&Expr> {
        match self {
            Repetition::Single => None,
            Repetition::Count(e) | Repetition::ForEach(e) | Repetition::Enabled(e) => Some(e),
        }
    }
}

#[derive(Debug, Default)]
pub struct Lifecycle {
    pub create_before_destroy: bool,
    pub prevent_destroy: Option<Span>,
    pub ignore_all: bool,
    /// Paths whose first step is an attribute name.
    pub ignore_changes: Vec<Traversal>,
    pub replace_triggered_by: Vec<Expr>,
    pub enabled: Option<Expr>,
    pub preconditions: Vec<Validation>,
    pub postconditions: Vec<Validation>,
}

#[derive(Debug)]
pub struct Resource {
    pub key: DeclKey,
    /// Without meta-arguments and meta-blocks.
    pub body: Body,
    pub repetition: Repetition,
    pub depends_on: Vec<Traversal>,
    /// `aws` or `aws.west`, with the provider's own name.
    pub provider: Name,
    /// The same with the name that the module has for it.
    pub local_provider: Name,
    /// One for all that say nothing.
    pub lifecycle: Arc<Lifecycle>,
    /// The check block that it stands in.
    pub check: Option<Name>,
    pub provisioners: Vec<Provisioner>,
    pub header: Span,
}

/// `provisioner "local-exec"`: the only kind there is.
#[derive(Debug)]
pub struct Provisioner {
    /// `command` and what else it takes.
    pub body: Body,
    pub on_destroy: bool,
    /// A failure is shown, and nothing more.
    pub continues: bool,
    pub header: Span,
}

/// A `module` block.
#[derive(Debug)]
pub struct Call {
    pub name: Name,
    pub source: String,
    pub source_span: Span,
    /// Input variables only.
    pub arguments: Body,
    pub repetition: Repetition,
    pub depends_on: Vec<Traversal>,
    /// Child's provider name → ours, both local.
    pub providers: BTreeMap<Name, PassedProvider>,
    pub version: Option<WantedVersion>,
    pub header: Span,
}

#[derive(Clone, Debug)]
pub struct PassedProvider {
    /// Our name for it.
    pub provider: Name,
    pub span: Span,
}

/// `version = "~> 5.0"` of a module block.
#[derive(Debug)]
pub struct WantedVersion {
    pub text: String,
    pub constraint: Constraint,
    pub span: Span,
}

#[derive(Debug)]
pub struct ProviderBlock {
    /// The provider's own name, and the alias.
    pub name: Name,
    /// The same with the name that the module has for it.
    pub local: Name,
    pub body: Body,
    pub header: Span,
}

/// `cutover { cloud = "embedded" }`
#[derive(Debug)]
pub struct CutoverBlock {
    pub body: Body,
    pub header: Span,
}

//! Configuration directories → module tree: what is declared, before anything is evaluated.

pub mod body;
mod decl;
mod load;
mod provisioner;
pub mod tree;
pub mod variables;

pub use decl::{
    Call, CutoverBlock, DeclKey, Lifecycle, Local, Module, Output, ProviderBlock, Provisioner, Repetition,
    Resource, Validation, Variable,
};
pub use load::{constant_string, is_configuration};
pub use tree::{Config, ModuleNode, load};

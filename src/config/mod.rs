//! Configuration directories → module tree: what is declared, before anything is evaluated.

pub mod blocks;
pub mod body;
mod decl;
mod load;
pub mod place;
pub mod tree;
pub mod variables;

pub use blocks::{Check, Import, ImportId, Moved, Removed};
pub use decl::{
    Call, CutoverBlock, DeclKey, Lifecycle, Local, Module, Output, ProviderBlock, Repetition, Resource,
    Validation, Variable,
};
pub use load::{constant_string, is_configuration};
pub use tree::{Config, ModuleNode, load};

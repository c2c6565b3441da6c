//! Configuration directories → module tree: what is declared, before anything is evaluated.

pub mod blocks;
pub mod body;
mod calls;
mod decl;
mod json;
mod load;
mod named;
mod overrides;
pub mod place;
pub mod providers;
mod provisioner;
mod steering;
pub mod terraform;
pub mod tree;
pub mod variables;
mod vendored;
pub mod version;

pub use blocks::{Check, Import, ImportId, Moved, Removed};
pub use decl::{
    Call, CutoverBlock, DeclKey, Lifecycle, Local, Module, Output, PassedProvider, ProviderBlock,
    Provisioner, Repetition, Resource, Validation, Variable, WantedVersion,
};
pub use load::{constant_string, is_configuration};
pub use steering::{Steering, SteeringKind};
pub use tree::{Config, ModuleNode, load};

//! Text → syntax. Errors are collected; what could be understood is returned all the same.

use super::syntax::{Body, Expr, TemplatePart};
use crate::diag::{Diagnostic, FileId, Sources};

/// Parses a configuration file (`.hcl`, `.tf`, `.tfvars`).
pub fn parse_file(_sources: &Sources, _file: FileId) -> (Body, Vec<Diagnostic>) {
    (Body::default(), Vec::new())
}

/// Parses one expression that is the whole text of `file` (for `-var`, `console`).
pub fn parse_expression(_sources: &Sources, _file: FileId) -> (Option<Expr>, Vec<Diagnostic>) {
    (None, Vec::new())
}

/// Parses a whole file as a template (for `templatefile`).
pub fn parse_template(_sources: &Sources, _file: FileId) -> (Vec<TemplatePart>, Vec<Diagnostic>) {
    (Vec::new(), Vec::new())
}

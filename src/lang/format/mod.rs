//! Terraform's canonical style, as `terraform fmt` 1.11 writes it.
//!
//! Text → tokens and comments ([`pieces`], with Terraform's few rewrites) → spaces before each ([`layout`]).
//! Where Terraform's own output would no longer mean the same, or would change when formatted again, ours
//! does neither: `tests.rs` lists these cases.

mod layout;
mod pieces;
mod rewrite;

#[cfg(test)]
mod tests;

use super::parse::{not_utf8, parse_tokens};
use crate::diag::{Diagnostic, FileId, Sources};
use pieces::Pieces;
use rewrite::Rewriter;

/// The formatted text of a configuration file, or the errors for which it cannot be read.
pub fn format(sources: &Sources, file: FileId) -> Result<String, Vec<Diagnostic>> {
    let (tokens, mut diags) = parse_tokens(sources, file);
    if diags.is_empty() {
        // What is not text could not be written back, even in comments.
        diags.extend(sources.undecodable(file).next().map(not_utf8));
    }
    if !diags.is_empty() {
        return Err(diags);
    }
    let mut pieces = Pieces::new(sources.text(file), tokens.len());
    Rewriter::new(&mut pieces, &tokens).file();
    drop(tokens);
    layout::arrange(&mut pieces);
    Ok(pieces.write())
}

//! What the benchmarks measure, and nobody needs for work.

use super::Done;
use super::error::CliError;
use crate::diag::{Diagnostics, Sources};
use crate::lang::parse::parse_file;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Reads and parses one file, and says how many blocks it has
    Parse { file: PathBuf },
}

pub fn run(Args { what: What::Parse { file } }: Args) -> Result<Done, CliError> {
    let mut sources = Sources::default();
    let what = format!("cannot read `{}`", file.display());
    let bytes = std::fs::read(&file).map_err(|error| CliError::Io { what, error })?;
    let id = sources.add_bytes(file, bytes);
    let (body, found) = parse_file(&sources, id);
    let mut diags = Diagnostics::default();
    diags.extend(found);
    if diags.has_errors() {
        return Err(CliError::Config { diags, sources });
    }
    println!("{} blocks", body.blocks.len());
    // What is measured is reading it.
    std::mem::forget(body);
    Ok(Done::Ok)
}

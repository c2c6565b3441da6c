use super::Done;
use super::error::CliError;
use clap_complete::Shell;

/// Print a shell's completion script
///
/// bash: `source <(cutover completions bash)`; zsh: write it to a file `_cutover` in a directory of `$fpath`;
/// fish: `cutover completions fish | source`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "cutover", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
    Ok(Done::Ok)
}

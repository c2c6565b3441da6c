use super::Done;
use super::error::CliError;
use super::saved::Saved;
use super::session::{load_state, unconnected};
use crate::render::console::value;
use crate::render::terraform;
use crate::value::exact_numbers;
use std::path::PathBuf;

/// Show a saved plan, or what the state has
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A plan saved with `plan --out`, or an environment's directory
    #[arg(default_value = ".", value_name = "PLAN|DIR")]
    path: PathBuf,
    /// In Terraform's plan or state representation, except that sensitive values, which Terraform writes in
    /// the clear there, are null
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    if args.path.is_file() {
        let saved = Saved::load(&args.path)?;
        match args.json {
            true => println!("{}", exact_numbers(&saved.terraform().to_string())),
            false => print!("{}", saved.text()),
        }
        return Ok(Done::Ok);
    }
    let state = load_state(&args.path)?;
    let provider = unconnected();
    if args.json {
        println!("{}", exact_numbers(&terraform::state(&state, &provider).to_string()));
        return Ok(Done::Ok);
    }
    for (address, resource) in &state.resources {
        let object = terraform::recorded(address, resource, &provider);
        println!("# {address}\n{}\n", value(&object.into()));
    }
    for (name, output) in state.outputs {
        let shown = if output.sensitive {
            "(sensitive value)".to_owned()
        } else {
            value(&crate::value::from_json(&output.value))
        };
        println!("{name} = {shown}");
    }
    Ok(Done::Ok)
}

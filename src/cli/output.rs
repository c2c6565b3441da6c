use super::Done;
use super::error::CliError;
use super::session::load_state;
use crate::render::value::{SENSITIVE, hcl};
use crate::value::from_json;
use serde_json::{Value as Json, json};
use std::path::PathBuf;

/// Print the outputs of the last apply
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of the environment
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Only this output
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// The bare text of one string, number or bool
    #[arg(long, requires = "name", conflicts_with = "json")]
    raw: bool,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    let state = load_state(&args.dir)?;
    let Some(name) = &args.name else {
        if args.json {
            let entry = |o: &crate::state::Output| {
                let value = if o.sensitive { Json::Null } else { o.value.clone() };
                json!({ "value": value, "sensitive": o.sensitive })
            };
            let all: serde_json::Map<String, Json> =
                state.outputs.iter().map(|(n, o)| (n.clone(), entry(o))).collect();
            println!("{:#}", Json::Object(all));
        } else {
            for (name, output) in &state.outputs {
                let text =
                    if output.sensitive { SENSITIVE.to_owned() } else { hcl(&from_json(&output.value)) };
                println!("{name} = {text}");
            }
        }
        return Ok(Done::Ok);
    };
    let Some(output) = state.outputs.get(name) else {
        let near = crate::diag::nearest(name, state.outputs.keys().map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if state.outputs.is_empty() => "there are none: apply the environment first".to_owned(),
            None => format!("there are {}", state.outputs.keys().cloned().collect::<Vec<_>>().join(", ")),
        };
        return Err(CliError::usage(format!("there is no output `{name}`"), help));
    };
    if output.sensitive {
        return Err(CliError::usage(
            format!("output `{name}` is sensitive: only a digest of it is kept"),
            "read the secret from where it is stored, such as Secrets Manager",
        ));
    }
    match (&output.value, args.raw) {
        (Json::String(text), true) => println!("{text}"),
        (value, true) if !value.is_array() && !value.is_object() => println!("{value}"),
        (_, true) => {
            return Err(CliError::usage(
                format!("output `{name}` is not a string, number or bool"),
                "use --json",
            ));
        }
        (value, false) if args.json => println!("{value:#}"),
        (value, false) => println!("{}", hcl(&from_json(value))),
    }
    Ok(Done::Ok)
}

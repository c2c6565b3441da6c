//! `explain`: what a finding of `plan` means, and what to do about it.

use super::Done;
use super::error::CliError;
use crate::diag::Severity;
use crate::plan::lint::{LINTS, Lint, find};

/// What a finding such as CUT-001 means; without a code, all there are
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    let Some(code) = &args.code else {
        for lint in LINTS {
            println!("{}  {:<8} {}", lint.code, severity(lint), lint.title);
        }
        return Ok(Done::Ok);
    };
    let Some(lint) = find(code) else {
        return Err(CliError::usage(
            format!("there is no finding {code}"),
            "`cutover explain` lists them all",
        ));
    };
    println!("{} ({}): {}\n", lint.code, severity(lint), lint.title);
    let words = lint.explanation.split_whitespace().collect::<Vec<_>>().join(" ");
    println!("{}\n", wrapped(&words, 100));
    println!("To accept it, say why in a guard, in any .hcl file of the environment:\n");
    println!("guard \"accepted\" {{\n  accept \"{}\" {{\n    reason = \"…\"", lint.code);
    println!("    only   = [\"<address>\"] # optional\n  }}\n}}");
    Ok(Done::Ok)
}

fn severity(lint: &Lint) -> &'static str {
    if lint.severity == Severity::Error { "error" } else { "warning" }
}

fn wrapped(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("never empty");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

//! Flags that say what of a plan is wanted, as Terraform names them.

use super::error::CliError;
use crate::plan::walk::options::{Options, Target};
use std::time::Duration;

#[derive(Clone, Debug, clap::Args)]
pub struct PlanningArgs {
    /// Only this resource, module or instance, and what it needs; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub target: Vec<String>,
    /// Replace this instance even if nothing about it changed; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub replace: Vec<String>,
    /// With false: trust the state instead of asking the cloud what is there
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub refresh: bool,
    /// Ask for missing variables on a terminal
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub input: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    refresh_only: Option<bool>,
    #[arg(long, hide = true)]
    state: Option<String>,
    #[arg(long, hide = true)]
    state_out: Option<String>,
    #[arg(long, hide = true)]
    backup: Option<String>,
}

impl PlanningArgs {
    pub fn options(&self) -> Result<Options, CliError> {
        self.refuse_unsupported()?;
        let bad = |what: &str, e: crate::addr::AddressError| {
            CliError::usage(format!("--{what}: {e}"), "write an address such as module.web.aws_lb.this[0]")
        };
        let targets = self.target.iter().map(|t| t.parse::<Target>().map_err(|e| bad("target", e)));
        let replace = self.replace.iter().map(|r| r.parse().map_err(|e| bad("replace", e)));
        Ok(Options {
            targets: targets.collect::<Result<_, _>>()?,
            replace: replace.collect::<Result<_, _>>()?,
            refresh: self.refresh,
        })
    }

    /// Terraform's flags that have no meaning here: each says what to do instead.
    fn refuse_unsupported(&self) -> Result<(), CliError> {
        let state = "the state is kept in `.cutover/` beside the environment; name another directory";
        let refused = [
            (
                self.refresh_only == Some(true),
                "refresh-only",
                "use `cutover drift`, which shows what was changed by hand",
            ),
            (self.state.is_some(), "state", state),
            (self.state_out.is_some(), "state-out", state),
            (self.backup.is_some(), "backup", state),
        ];
        match refused.iter().find(|(given, ..)| *given) {
            Some((_, flag, help)) => Err(CliError::usage(format!("--{flag} is not supported"), *help)),
            None => Ok(()),
        }
    }
}

/// How the state is locked.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct LockArgs {
    /// With false: do not lock the state. Two runs at once can then damage it
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub lock: bool,
    /// How long to wait for another run to end: 30s, 5m
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub lock_timeout: Duration,
}

/// `1h30m`, `90s`, `500ms`, `0`.
fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut total, mut rest) = (Duration::ZERO, text);
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let units = rest[digits..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - digits);
        let (number, unit) = (rest[..digits].parse::<u32>(), &rest[digits..digits + units]);
        let unit = match unit {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err("write a number with its unit: 30s, 5m".to_owned()),
        };
        let number = number.map_err(|_| "write a number with its unit: 30s, 5m".to_owned())?;
        total = unit.checked_mul(number).and_then(|d| total.checked_add(d)).ok_or("this is too long")?;
        rest = &rest[digits + units..];
        if rest.is_empty() {
            return Ok(total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_terraform_writes_them() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for text in ["", "5", "5x", "s", "99999999999h", "-5s", "1m-"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}

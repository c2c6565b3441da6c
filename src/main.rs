use std::process::ExitCode;

fn main() -> ExitCode {
    cutover::cli::run(std::env::args_os())
}

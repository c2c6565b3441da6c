//! Runs the commands of `local-exec` provisioners.

use crate::aws::AwsError;
use crate::plan::walk::LocalCommand;
use std::io::{BufRead, BufReader, PipeReader, Read};
use std::process::{Command, Stdio};
use tokio::sync::mpsc;

/// Longest line that is shown whole.
const LONGEST: u64 = 64 << 10;

/// Runs the command; `show` gets what there is to say of it, line by line.
pub async fn run(command: &LocalCommand, show: &dyn Fn(String)) -> Result<(), AwsError> {
    let words: Vec<&str> = [&command.program].into_iter().chain(&command.arguments).map(|w| &**w).collect();
    if command.secret {
        show("running a command that holds a secret: it and its output are not shown".to_owned());
    } else if !command.quiet {
        show(format!("running {words:?}"));
    }
    let (lines, mut shown) = mpsc::unbounded_channel();
    let task = {
        let command = command.clone();
        // In a thread of its own; a paused clock waits for it.
        tokio::task::spawn_blocking(move || run_blocking(&command, &lines))
    };
    while let Some(line) = shown.recv().await {
        show(line);
    }
    let ended = task.await.unwrap_or_else(|e| Err(e.to_string()));
    let failed = |why: String| {
        let what = match words.last() {
            Some(text) if !command.secret && !command.quiet => format!("`{text}` {why}"),
            _ => format!("the command {why}"),
        };
        AwsError::failed("local-exec", "ProvisionerFailed", what)
    };
    ended.map_err(failed)
}

/// Err completes "the command …".
fn run_blocking(command: &LocalCommand, lines: &mpsc::UnboundedSender<String>) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("cannot be run: {error}");
    let (reader, writer) = std::io::pipe().map_err(cannot)?;
    let mut child = {
        // Dropped at the end of this block: our ends of the pipe would keep the reader waiting.
        let mut process = Command::new(&command.program);
        process.args(&command.arguments).envs(&command.environment).current_dir(&command.directory);
        process.stdin(Stdio::null()).stdout(writer.try_clone().map_err(cannot)?).stderr(writer);
        process.spawn().map_err(cannot)?
    };
    read_lines(reader, |line| {
        if !command.secret {
            // Nobody listens any more: the run is over.
            let _ = lines.send(line);
        }
    });
    let status = child.wait().map_err(cannot)?;
    match (status.success(), status.code()) {
        (true, _) => Ok(()),
        (false, Some(code)) => Err(format!("ended with exit code {code}")),
        (false, None) => Err("was ended by a signal".to_owned()),
    }
}

fn read_lines(reader: PipeReader, mut each: impl FnMut(String)) {
    let mut reader = BufReader::new(reader);
    loop {
        let mut bytes = Vec::new();
        match (&mut reader).take(LONGEST).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => each(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::cell::RefCell;

    async fn ran(script: &str, secret: bool) -> (Result<(), AwsError>, Vec<String>) {
        let command = LocalCommand {
            program: "/bin/sh".to_owned(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            environment: [("WHO".to_owned(), "world".to_owned())].into(),
            directory: "/".into(),
            quiet: true,
            secret,
        };
        let said = RefCell::new(Vec::new());
        let result = run(&command, &|line| said.borrow_mut().push(line)).await;
        (result, said.into_inner())
    }

    #[tokio::test]
    async fn output_comes_line_by_line_from_both_streams() {
        let (result, said) = ran("echo hello $WHO; echo problem >&2; pwd; printf end", false).await;
        assert_eq!(result, Ok(()));
        assert_eq!(said, ["hello world", "problem", "/", "end"]);
    }

    #[tokio::test]
    async fn secrets_show_neither_in_output_nor_in_errors() {
        let (result, said) = ran("echo hunter2; exit 3", true).await;
        let text = format!("{} {said:?}", result.expect_err("it failed"));
        assert!(text.contains("exit code 3") && !text.contains("hunter2"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_waits_for_the_command() {
        let clock = Clock::starting_at(jiff::Timestamp::UNIX_EPOCH);
        let command = async { (ran("sleep 0.05", false).await.0, clock.now()) };
        let (ended, ()) = tokio::join!(command, clock.sleep(std::time::Duration::from_secs(3600)));
        assert_eq!(ended, (Ok(()), jiff::Timestamp::UNIX_EPOCH));
    }
}

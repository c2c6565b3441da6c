//! What probes were answered, second by second: seconds alike are one line.

use crate::apply::probes::Second;
use crate::rollout::gates::Answers;

/// `12:00:01–12:01:14  74 of 74 good`
pub fn lines(seconds: &[Second]) -> Vec<String> {
    let alike = |a: &Second, b: &Second| faults(a) == faults(b);
    seconds.chunk_by(alike).map(line).collect()
}

/// Whether all were good, or what was wrong.
fn faults(second: &Second) -> (bool, Option<&str>) {
    (second.answers.good == second.answers.sent, second.answers.fault.as_deref())
}

fn line(run: &[Second]) -> String {
    let mut all = Answers::default();
    for Second { answers, .. } in run {
        all.sent += answers.sent;
        all.good += answers.good;
        all.fault.clone_from(&answers.fault);
    }
    let time = |second: &Second| second.at.strftime("%H:%M:%S").to_string();
    let when = match run {
        [one] => time(one),
        _ => run.first().zip(run.last()).map(|(a, b)| format!("{}–{}", time(a), time(b))).unwrap_or_default(),
    };
    let fault = all.fault.map(|fault| format!(": {fault}")).unwrap_or_default();
    format!("{when:<17}  {} of {} good{fault}", all.good, all.sent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn seconds_alike_are_one_line() {
        let second = |at: i64, good: u64, fault: Option<&str>| Second {
            at: Timestamp::from_second(at).expect("in range"),
            answers: Answers { sent: 2, good, fault: fault.map(str::to_owned) },
        };
        let seen = [
            second(0, 2, None),
            second(1, 2, None),
            second(2, 1, Some("HTTP 502")),
            second(3, 0, Some("HTTP 502")),
            second(60, 2, None),
        ];
        assert_eq!(
            lines(&seen),
            [
                "00:00:00–00:00:01  4 of 4 good",
                "00:00:02–00:00:03  1 of 4 good: HTTP 502",
                "00:01:00           2 of 2 good",
            ]
        );
    }
}

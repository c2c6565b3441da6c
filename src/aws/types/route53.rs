//! What Route 53 types share: names as the API writes them, and changes that take their time.

use crate::aws::{Aws, AwsError, Op, Poll, wait};
use crate::value::Value;
use aws_sdk_route53::types::{ChangeInfo, ChangeStatus};
use std::time::Duration;

/// Ids come as `/hostedzone/Z0123`, `/change/C0123` or `/delegationset/N0123`, and are taken bare.
pub fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// A domain name for comparing: lower case, without escapes (`\052` is `*`) and without the final dot.
pub fn plain(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal = bytes.get(at + 1..at + 4).and_then(|d| std::str::from_utf8(d).ok());
        match octal.and_then(|d| u8::from_str_radix(d, 8).ok()).filter(|_| bytes[at] == b'\\') {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    let text = String::from_utf8_lossy(&out).to_lowercase();
    text.strip_suffix('.').map(str::to_owned).unwrap_or(text)
}

/// For [`crate::schema::Attr::same`]: DNS knows no case, and the final dot may be left out.
pub fn same_name(live: &Value, desired: &Value) -> bool {
    let form = |v: &Value| v.as_str().map(|s| s.trim_end_matches('.').to_lowercase());
    form(live).is_some() && form(live) == form(desired)
}

/// Waits until all of Route 53's name servers have a change.
pub async fn in_sync(
    aws: &Aws,
    what: &str,
    change: Option<&ChangeInfo>,
    deadline: Duration,
    progress: &dyn Fn(&str),
) -> Result<(), AwsError> {
    let Some(change) = change else { return Ok(()) };
    if change.status() == &ChangeStatus::Insync {
        return Ok(());
    }
    let id = bare(change.id());
    wait(aws, what, Duration::from_secs(10), deadline, progress, async || {
        let answer = aws.route53.get_change().id(id).send().await.op("GetChange")?;
        Ok(match answer.change_info().map(ChangeInfo::status) {
            Some(ChangeStatus::Insync) => Poll::Ready(()),
            _ => Poll::Pending("not on all name servers yet".to_owned()),
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_escapes_and_final_dot() {
        assert_eq!(plain("\\052.Example.COM."), "*.example.com");
        assert_eq!(plain("www.example.com"), "www.example.com");
        assert_eq!(plain("a\\b"), "a\\b");
        assert!(same_name(&"a.example.com".into(), &"A.example.com.".into()));
        assert!(!same_name(&"a.example.com".into(), &"a".into()));
        assert!(!same_name(&"*.example.com".into(), &"\\052.example.com".into()));
    }
}

//! Amazon Resource Names: `arn:partition:service:region:account:resource`.

use crate::value::Value;

/// `arn:aws:iam::123456789012:policy/read`. The provider takes `""` for none.
pub fn check(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let arn = next() == "arn" && next().starts_with("aws") && !next().is_empty();
    let (_region, _account, resource) = (next(), next(), next());
    if text.is_empty() || arn && !resource.is_empty() { Ok(()) } else { Err("must be an ARN".to_owned()) }
}

/// Each known element of a list or set.
pub fn check_all(value: &Value) -> Result<(), String> {
    let mut known = value.as_slice().unwrap_or_default().iter().filter(|v| v.as_str().is_some());
    known.try_for_each(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_told_from_other_text() {
        for good in ["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:automate:us-east-1:ec2:stop", ""] {
            assert_eq!(check(&good.into()), Ok(()), "{good}");
        }
        for bad in ["ReadOnlyAccess", "arn:aws", "arn:aws:iam::123456789012:"] {
            assert!(check(&bad.into()).is_err(), "{bad}");
        }
    }
}

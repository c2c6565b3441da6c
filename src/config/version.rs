//! Versions and version constraints, as Terraform has them: `~> 1.2, != 1.2.7`.

use std::cmp::Ordering;
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Major, minor, patch, and whatever follows.
    segments: Vec<u64>,
    /// How many of them were written.
    written: usize,
    prerelease: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Pessimistic,
}

/// All of these must hold.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Constraint(Vec<(Operator, Version)>);

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is not a version");
        let bare = text.split('+').next().unwrap_or_default();
        let bare = bare.strip_prefix('v').unwrap_or(bare);
        let (numbers, prerelease) = match bare.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre.to_owned())),
            None => (bare, None),
        };
        let segments: Result<Vec<u64>, _> = numbers.split('.').map(str::parse).collect();
        let mut segments = segments.map_err(|_| invalid())?;
        let written = segments.len();
        if prerelease.as_deref() == Some("") || numbers.contains('+') {
            return Err(invalid());
        }
        segments.resize(written.max(3), 0);
        Ok(Self { segments, written, prerelease })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<String> = self.segments.iter().map(u64::to_string).collect();
        f.write_str(&numbers.join("."))?;
        self.prerelease.as_ref().map_or(Ok(()), |pre| write!(f, "-{pre}"))
    }
}

impl Version {
    fn compare(&self, other: &Version) -> Ordering {
        let long = self.segments.len().max(other.segments.len());
        let at = |v: &Version, i: usize| v.segments.get(i).copied().unwrap_or(0);
        let numbers = (0..long).map(|i| at(self, i).cmp(&at(other, i))).find(|o| o.is_ne());
        numbers.unwrap_or_else(|| match (&self.prerelease, &other.prerelease) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => compare_prereleases(a, b),
        })
    }
}

/// Part by part: numbers as numbers, and before words.
fn compare_prereleases(a: &str, b: &str) -> Ordering {
    let mut left = a.split('.');
    let mut right = b.split('.');
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

impl FromStr for Constraint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(one).collect::<Result<_, _>>().map(Constraint)
    }
}

fn one(part: &str) -> Result<(Operator, Version), String> {
    let part = part.trim();
    let operators = [
        ("~>", Operator::Pessimistic),
        (">=", Operator::GreaterEqual),
        ("<=", Operator::LessEqual),
        ("!=", Operator::NotEqual),
        (">", Operator::Greater),
        ("<", Operator::Less),
        ("=", Operator::Equal),
        ("", Operator::Equal),
    ];
    let found = operators.iter().find_map(|(sign, op)| Some((op, part.strip_prefix(sign)?)));
    let (operator, version) = found.expect("the last one fits everything");
    match version.trim().parse() {
        Ok(version) => Ok((*operator, version)),
        Err(_) => Err(format!("`{part}` is not a version constraint")),
    }
}

impl Constraint {
    pub fn allows(&self, version: &Version) -> bool {
        self.0.iter().all(|(operator, wanted)| holds(*operator, wanted, version))
    }
}

fn holds(operator: Operator, wanted: &Version, version: &Version) -> bool {
    let order = version.compare(wanted);
    // A prerelease is meant only where one of the same release is named.
    let comparable = match (&version.prerelease, &wanted.prerelease) {
        (Some(_), None) => false,
        (Some(_), Some(_)) => version.segments == wanted.segments,
        (None, _) => true,
    };
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Greater => comparable && order.is_gt(),
        Operator::GreaterEqual => comparable && order.is_ge(),
        Operator::Less => comparable && order.is_lt(),
        Operator::LessEqual => comparable && order.is_le(),
        Operator::Pessimistic => {
            let fixed = wanted.written.saturating_sub(1);
            comparable && order.is_ge() && version.segments.get(..fixed) == wanted.segments.get(..fixed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Constraint, Version};

    fn check(constraint: &str, allowed: &[&str], excluded: &[&str]) {
        let parsed: Constraint = constraint.parse().expect(constraint);
        let holds = |text: &&&str| parsed.allows(&text.parse::<Version>().expect("a version"));
        assert_eq!(allowed.iter().filter(|t| !holds(t)).count(), 0, "{constraint} allows all of {allowed:?}");
        assert_eq!(excluded.iter().filter(holds).count(), 0, "{constraint} excludes all of {excluded:?}");
    }

    #[test]
    fn constraints_hold_as_in_terraform() {
        check("1.11.4", &["1.11.4", "v1.11.4"], &["1.11.5", "1.11"]);
        check("= 1.0", &["1.0.0"], &["1.0.1"]);
        check("!= 1.2.0", &["1.2.1"], &["1.2"]);
        check("~> 1.2", &["1.2.0", "1.11.4"], &["1.1.9", "2.0.0"]);
        check("~> 1.2.3", &["1.2.3", "1.2.10"], &["1.3.0", "1.2.2"]);
        check("~> 1", &["1.0.0", "2.0.0"], &["0.9.0"]);
        check(">= 1.3, < 2.0", &["1.3.0", "1.99.0"], &["1.2.9", "2.0.0"]);
        check("> 1.0.0-beta.2", &["1.0.0-beta.10", "1.0.0"], &["1.0.0-beta.1", "1.0.0-alpha"]);
        check(">= 1.0", &[], &["1.1.0-rc1"]);
    }

    #[test]
    fn what_is_no_constraint_is_refused() {
        for text in ["", "latest", ">= x", "1.2.", "=> 1.0", "1.0 2.0", "~>"] {
            assert!(text.parse::<Constraint>().is_err(), "{text:?}");
        }
    }
}

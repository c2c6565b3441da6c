//! Which action an operation needs, and on what kinds of resources: a table a service, from AWS's Service
//! Authorization Reference (`actions/generate.py` writes it and names the source).
//!
//! The tables are named as requests are signed. A line is one of
//! ```text
//! prefix PREFIX                          of the service's actions
//! resource KIND ARN                      $P, $R and $A stand for partition, region and account
//! OPERATION [ACTION] KIND!|KIND-… | ?    ! must be given, - may be; ? the reference does not have it
//! ```
//! Without ACTION it is called as the operation.

use std::collections::BTreeMap;
use std::sync::OnceLock;

#[derive(Debug)]
pub struct Table {
    pub prefix: &'static str,
    /// ARNs by kind.
    resources: BTreeMap<&'static str, &'static str>,
    rows: BTreeMap<&'static str, Row>,
}

#[derive(Debug)]
pub struct Row {
    pub action: &'static str,
    pub kinds: Vec<Wanted>,
    /// Newer than the reference that the table was made of.
    pub listed: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub kind: &'static str,
    pub required: bool,
}

impl Table {
    pub fn row(&self, operation: &str) -> Option<&Row> {
        self.rows.get(operation)
    }

    pub fn arn(&self, kind: &str) -> Option<&'static str> {
        self.resources.get(kind).copied()
    }
}

macro_rules! tables {
    ($($name:literal)*) => {
        /// Services that have a table.
        #[cfg(test)]
        pub const SERVICES: &[&str] = &[$($name),*];

        /// The table of the service that requests are signed for; parsed at first use.
        pub fn table(service: &str) -> Option<&'static Table> {
            match service {
                $($name => {
                    static TABLE: OnceLock<Table> = OnceLock::new();
                    Some(TABLE.get_or_init(|| parse(include_str!(concat!("actions/", $name, ".txt")))))
                })*
                _ => None,
            }
        }
    };
}

tables! {
    "acm" "application-autoscaling" "autoscaling" "cloudtrail" "codedeploy" "dynamodb" "ec2" "ecr" "ecs"
    "elasticloadbalancing" "events" "iam" "kms" "lambda" "logs" "monitoring" "route53" "s3" "secretsmanager"
    "servicediscovery" "servicequotas" "sns" "sqs" "ssm" "sts" "tagging"
}

fn parse(text: &'static str) -> Table {
    let mut table = Table { prefix: "", resources: BTreeMap::new(), rows: BTreeMap::new() };
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        match words.next() {
            Some("prefix") => table.prefix = words.next().unwrap_or_default(),
            Some("resource") => {
                if let (Some(kind), Some(arn)) = (words.next(), words.next()) {
                    table.resources.insert(kind, arn);
                }
            }
            Some(operation) => {
                table.rows.insert(operation, row(operation, words));
            }
            None => {}
        }
    }
    table
}

fn row(operation: &'static str, words: impl Iterator<Item = &'static str>) -> Row {
    let mut row = Row { action: operation, kinds: Vec::new(), listed: true };
    for word in words {
        if let Some(kind) = word.strip_suffix('!') {
            row.kinds.push(Wanted { kind, required: true });
        } else if let Some(kind) = word.strip_suffix('-') {
            row.kinds.push(Wanted { kind, required: false });
        } else if word == "?" {
            row.listed = false;
        } else {
            row.action = word;
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::operations;
    use crate::wire::model;

    #[test]
    fn every_operation_that_is_handled_has_a_row() {
        let mut missing = Vec::new();
        for service in model::SERVICES {
            for (operation, _) in operations(service).unwrap_or(&[]) {
                if table(service).and_then(|table| table.row(operation)).is_none() {
                    missing.push(format!("{service}:{operation}"));
                }
            }
        }
        assert!(missing.is_empty(), "run actions/generate.py with these services in it: {missing:?}");
    }

    #[test]
    fn every_kind_of_resource_has_an_arn() {
        for service in SERVICES {
            let table = table(service).expect("listed");
            assert!(!table.prefix.is_empty(), "{service}");
            for (operation, row) in &table.rows {
                for wanted in &row.kinds {
                    assert!(table.arn(wanted.kind).is_some(), "{service} {operation} {}", wanted.kind);
                }
            }
        }
    }

    #[test]
    fn actions_that_are_called_otherwise_than_their_operation() {
        let action = |service: &str, operation: &str| {
            let table = table(service)?;
            Some(format!("{}:{}", table.prefix, table.row(operation)?.action))
        };
        assert_eq!(action("s3", "HeadObject").as_deref(), Some("s3:GetObject"));
        assert_eq!(action("s3", "ListObjectsV2").as_deref(), Some("s3:ListBucket"));
        assert_eq!(action("lambda", "Invoke").as_deref(), Some("lambda:InvokeFunction"));
        assert_eq!(action("monitoring", "PutMetricData").as_deref(), Some("cloudwatch:PutMetricData"));
        assert_eq!(action("tagging", "GetResources").as_deref(), Some("tag:GetResources"));
        assert_eq!(action("ecs", "Teleport"), None);
    }
}

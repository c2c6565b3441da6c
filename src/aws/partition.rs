//! Partitions of AWS: which ARN prefix and DNS suffixes belong to a region.

pub struct Partition {
    /// `aws`, as it stands in ARNs.
    pub name: &'static str,
    pub dns_suffix: &'static str,
    pub reverse_dns_prefix: &'static str,
}

/// By region prefix: AWS reserves them per partition. The first has every other region.
static PARTITIONS: &[(&str, Partition)] = &[
    ("", Partition { name: "aws", dns_suffix: "amazonaws.com", reverse_dns_prefix: "com.amazonaws" }),
    (
        "cn-",
        Partition { name: "aws-cn", dns_suffix: "amazonaws.com.cn", reverse_dns_prefix: "cn.com.amazonaws" },
    ),
    (
        "us-gov-",
        Partition { name: "aws-us-gov", dns_suffix: "amazonaws.com", reverse_dns_prefix: "com.amazonaws" },
    ),
    ("us-iso-", Partition { name: "aws-iso", dns_suffix: "c2s.ic.gov", reverse_dns_prefix: "gov.ic.c2s" }),
    (
        "us-isob-",
        Partition { name: "aws-iso-b", dns_suffix: "sc2s.sgov.gov", reverse_dns_prefix: "gov.sgov.sc2s" },
    ),
];

pub fn of(region: &str) -> &'static Partition {
    let found = PARTITIONS[1..].iter().find(|(prefix, _)| region.starts_with(prefix));
    &found.unwrap_or(&PARTITIONS[0]).1
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn regions_have_their_partition() {
        for (region, name) in [
            ("us-east-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-isob-east-1", "aws-iso-b"),
        ] {
            assert_eq!(of(region).name, name, "{region}");
        }
    }
}

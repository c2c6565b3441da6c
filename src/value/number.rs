//! Numbers. PLACEHOLDER precision (f64) in the skeleton: the owner of `value/` makes them 512-bit
//! binary floats printed as shortest decimals, as Terraform has them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq)]
pub struct Number(f64);

impl From<i64> for Number {
    fn from(i: i64) -> Self {
        Number(i as f64)
    }
}

impl Number {
    /// None for NaN and infinities.
    pub fn from_f64(f: f64) -> Option<Self> {
        f.is_finite().then_some(Number(f))
    }

    /// None when not a whole number or out of range.
    pub fn to_i64(&self) -> Option<i64> {
        (self.0.fract() == 0.0).then_some(self.0 as i64)
    }

    pub fn to_f64(&self) -> f64 {
        self.0
    }

    pub fn cmp(&self, other: &Number) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl FromStr for Number {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        s.parse().map(Number).map_err(|_| ())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

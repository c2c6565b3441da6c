//! Numbers: 512-bit binary floats, rounded half to even, printed as the shortest decimal that reads
//! back as the same number. Whole numbers that fit an i64 (nearly all there are) stay one.

mod decimal;
#[cfg(test)]
mod tests;

pub use decimal::NumberError;

use dashu_base::{BitTest, DivRem};
use dashu_int::UBig;
use std::cmp::Ordering;
use std::sync::Arc;

const PRECISION: usize = 512;
/// Binary exponents beyond this overflow to infinity or underflow to zero, so that no number takes more
/// than some kilobytes: about 1e±60000.
const MAX_EXPONENT: i64 = 200_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(Repr);

/// One representation a value: `Big` only holds what `Small` cannot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repr {
    Small(i64),
    Big(Arc<Big>),
    /// What division by zero gives; it may be compared with but not be the result of an expression.
    Infinity {
        negative: bool,
    },
}

/// ± magnitude · 2^exponent, with an odd magnitude of at most 512 bits.
#[derive(Clone, Debug)]
struct Big {
    negative: bool,
    magnitude: UBig,
    exponent: i64,
    /// Made of a 64-bit float: printed with as few digits as tell it from other such floats.
    float: bool,
}

impl PartialEq for Big {
    fn eq(&self, other: &Self) -> bool {
        (self.negative, self.exponent) == (other.negative, other.exponent)
            && self.magnitude == other.magnitude
    }
}

impl Eq for Big {}

impl std::hash::Hash for Big {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.negative, &self.magnitude, self.exponent).hash(state);
    }
}

impl From<i64> for Number {
    fn from(i: i64) -> Self {
        Number(Repr::Small(i))
    }
}

impl Number {
    /// Exactly `f`. None for NaN and infinities.
    pub fn from_f64(f: f64) -> Option<Self> {
        if !f.is_finite() {
            return None;
        }
        if f.fract() == 0.0 && f.abs() < 9.0e15 {
            return Some(Number::from(f as i64));
        }
        let bits = f.to_bits();
        let (biased, fraction) = ((bits >> 52) as i64 & 0x7ff, bits & ((1 << 52) - 1));
        let (magnitude, exponent) =
            if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
        Some(match Self::rounded(f < 0.0, UBig::from(magnitude), exponent, false).0 {
            Repr::Big(big) => Number(Repr::Big(Arc::new(Big { float: true, ..(*big).clone() }))),
            other => Number(other),
        })
    }

    pub fn infinity(negative: bool) -> Self {
        Number(Repr::Infinity { negative })
    }

    pub fn is_finite(&self) -> bool {
        !matches!(self.0, Repr::Infinity { .. })
    }

    pub fn is_zero(&self) -> bool {
        self.0 == Repr::Small(0)
    }

    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Small(i) => *i < 0,
            Repr::Big(b) => b.negative,
            Repr::Infinity { negative } => *negative,
        }
    }

    pub fn is_whole(&self) -> bool {
        match &self.0 {
            Repr::Small(_) => true,
            Repr::Big(b) => b.exponent >= 0,
            Repr::Infinity { .. } => false,
        }
    }

    /// None when not a whole number or out of range.
    pub fn to_i64(&self) -> Option<i64> {
        match self.0 {
            Repr::Small(i) => Some(i),
            _ => None,
        }
    }

    pub fn to_usize(&self) -> Option<usize> {
        self.to_i64().and_then(|i| usize::try_from(i).ok())
    }

    /// The nearest f64.
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            Repr::Small(i) => *i as f64,
            Repr::Infinity { negative } => {
                if *negative {
                    f64::NEG_INFINITY
                } else {
                    f64::INFINITY
                }
            }
            Repr::Big(_) => self.to_scientific(None).parse().expect("a decimal number"),
        }
    }

    /// Sign, magnitude and exponent of a finite number.
    fn parts(&self) -> (bool, UBig, i64) {
        match &self.0 {
            Repr::Small(i) => (*i < 0, UBig::from(i.unsigned_abs()), 0),
            Repr::Big(b) => (b.negative, b.magnitude.clone(), b.exponent),
            Repr::Infinity { .. } => unreachable!("callers handle infinities first"),
        }
    }

    /// Rounds ± magnitude · 2^exponent (and, when `inexact`, a little more) to 512 bits.
    fn rounded(negative: bool, magnitude: UBig, exponent: i64, inexact: bool) -> Self {
        let (mut magnitude, mut exponent) = (magnitude, exponent);
        let bits = magnitude.bit_len();
        if bits > PRECISION {
            let shift = bits - PRECISION;
            let half = UBig::ONE << (shift - 1);
            let (low, high) = magnitude.split_bits(shift);
            let odd = high.bit(0);
            let up = match low.cmp(&half) {
                Ordering::Less => false,
                Ordering::Equal => inexact || odd,
                Ordering::Greater => true,
            };
            magnitude = if up { high + UBig::ONE } else { high };
            exponent += shift as i64;
        }
        let Some(zeros) = magnitude.trailing_zeros() else { return Number(Repr::Small(0)) };
        magnitude >>= zeros;
        exponent += zeros as i64;
        let top = exponent + magnitude.bit_len() as i64;
        if top > MAX_EXPONENT {
            return Self::infinity(negative);
        }
        if top < -MAX_EXPONENT {
            return Number(Repr::Small(0));
        }
        if (0..=64).contains(&top)
            && exponent >= 0
            && let Ok(whole) = i128::try_from(magnitude.clone() << exponent as usize)
            && let Ok(small) = i64::try_from(if negative { -whole } else { whole })
        {
            return Number(Repr::Small(small));
        }
        Number(Repr::Big(Arc::new(Big { negative, magnitude, exponent, float: false })))
    }

    pub fn negate(&self) -> Self {
        match &self.0 {
            Repr::Small(i) if *i != i64::MIN => Number(Repr::Small(-i)),
            Repr::Infinity { negative } => Self::infinity(!negative),
            Repr::Big(big) => {
                match Self::rounded(!big.negative, big.magnitude.clone(), big.exponent, false).0 {
                    Repr::Big(negated) => {
                        Number(Repr::Big(Arc::new(Big { float: big.float, ..(*negated).clone() })))
                    }
                    other => Number(other),
                }
            }
            Repr::Small(_) => {
                let (negative, magnitude, exponent) = self.parts();
                Self::rounded(!negative, magnitude, exponent, false)
            }
        }
    }

    pub fn abs(&self) -> Self {
        if self.is_negative() { self.negate() } else { self.clone() }
    }

    /// None for ∞ − ∞.
    pub fn add(&self, other: &Self) -> Option<Self> {
        match (&self.0, &other.0) {
            (Repr::Small(a), Repr::Small(b)) if a.checked_add(*b).is_some() => Some((a + b).into()),
            (Repr::Infinity { negative: a }, Repr::Infinity { negative: b }) => {
                (a == b).then(|| self.clone())
            }
            (Repr::Infinity { .. }, _) => Some(self.clone()),
            (_, Repr::Infinity { .. }) => Some(other.clone()),
            _ => {
                let ((na, ma, ea), (nb, mb, eb)) = (self.parts(), other.parts());
                let exponent = ea.min(eb);
                let (ma, mb) = (ma << (ea - exponent) as usize, mb << (eb - exponent) as usize);
                Some(match (na == nb, ma.cmp(&mb)) {
                    (true, _) => Self::rounded(na, ma + mb, exponent, false),
                    (false, Ordering::Less) => Self::rounded(nb, mb - ma, exponent, false),
                    (false, _) => Self::rounded(na, ma - mb, exponent, false),
                })
            }
        }
    }

    pub fn subtract(&self, other: &Self) -> Option<Self> {
        self.add(&other.negate())
    }

    /// None for 0 · ∞.
    pub fn multiply(&self, other: &Self) -> Option<Self> {
        match (&self.0, &other.0) {
            (Repr::Small(a), Repr::Small(b)) if a.checked_mul(*b).is_some() => Some((a * b).into()),
            (Repr::Infinity { .. }, _) | (_, Repr::Infinity { .. }) => (!self.is_zero() && !other.is_zero())
                .then(|| Self::infinity(self.is_negative() != other.is_negative())),
            _ => {
                let ((na, ma, ea), (nb, mb, eb)) = (self.parts(), other.parts());
                Some(Self::rounded(na != nb, ma * mb, ea + eb, false))
            }
        }
    }

    /// An infinity for x / 0; None for 0 / 0 and ∞ / ∞.
    pub fn divide(&self, other: &Self) -> Option<Self> {
        match (&self.0, &other.0) {
            (Repr::Infinity { .. }, Repr::Infinity { .. }) => None,
            (Repr::Infinity { negative }, _) => Some(Self::infinity(*negative != other.is_negative())),
            (_, Repr::Infinity { .. }) => Some(Number::from(0)),
            (_, Repr::Small(0)) => (!self.is_zero()).then(|| Self::infinity(self.is_negative())),
            (Repr::Small(a), Repr::Small(b)) if a.checked_rem(*b) == Some(0) => Some((a / b).into()),
            _ => {
                let ((na, ma, ea), (nb, mb, eb)) = (self.parts(), other.parts());
                let shift = (PRECISION + 3 + mb.bit_len()).saturating_sub(ma.bit_len());
                let (quotient, rest) = (ma << shift).div_rem(&mb);
                Some(Self::rounded(na != nb, quotient, ea - eb - shift as i64, !rest.is_zero()))
            }
        }
    }

    /// What is left of whole-number division; `x % 0` is `x`, as in Terraform. None with infinities.
    pub fn remainder(&self, other: &Self) -> Option<Self> {
        match (&self.0, &other.0) {
            (Repr::Infinity { .. }, _) | (_, Repr::Infinity { .. }) => None,
            (_, Repr::Small(0)) => Some(self.clone()),
            (Repr::Small(a), Repr::Small(b)) => Some(a.checked_rem(*b).unwrap_or(0).into()),
            _ => self.subtract(&other.multiply(&self.divide(other)?.truncate())?),
        }
    }

    /// Towards zero.
    pub fn truncate(&self) -> Self {
        match &self.0 {
            Repr::Big(b) if b.exponent < 0 => {
                let cut = usize::try_from(-b.exponent).expect("negated a negative number");
                Self::rounded(b.negative, b.magnitude.clone() >> cut, 0, false)
            }
            _ => self.clone(),
        }
    }

    pub fn floor(&self) -> Self {
        let whole = self.truncate();
        if self.is_whole() || !self.is_negative() || !self.is_finite() {
            return whole;
        }
        whole.add(&Number::from(-1)).expect("a finite sum")
    }

    pub fn ceil(&self) -> Self {
        self.negate().floor().negate()
    }

    /// Digits of a whole number in base 2 to 36, lower case. None when it is not whole.
    pub fn to_radix(&self, radix: u8) -> Option<String> {
        if !self.is_whole() {
            return None;
        }
        let (negative, magnitude, exponent) = self.parts();
        let digits = (magnitude << exponent as usize).in_radix(radix).to_string();
        Some(if negative { format!("-{digits}") } else { digits })
    }

    /// Reads a whole number in base 2 to 62: digits, lower-case letters, upper-case letters (both cases
    /// alike up to base 36).
    pub fn from_radix(text: &str, radix: u32) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if digits.is_empty() {
            return None;
        }
        let value = |c: char| match c {
            '0'..='9' => Some(c as u32 - '0' as u32),
            'a'..='z' => Some(c as u32 - 'a' as u32 + 10),
            'A'..='Z' if radix <= 36 => Some(c as u32 - 'A' as u32 + 10),
            'A'..='Z' => Some(c as u32 - 'A' as u32 + 36),
            _ => None,
        };
        let digits: Vec<u32> =
            digits.chars().map(|c| value(c).filter(|digit| *digit < radix)).collect::<Option<_>>()?;
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        let digits = &digits[zeros..];
        if digits.len() as i64 > MAX_EXPONENT {
            return Some(Self::infinity(negative));
        }
        Some(Self::rounded(negative, from_digits(digits, &UBig::from(radix)), 0, false))
    }
}

/// By halves: digit after digit takes time that grows with the square of their number.
fn from_digits(digits: &[u32], base: &UBig) -> UBig {
    if digits.len() <= 32 {
        return digits.iter().fold(UBig::ZERO, |sum, digit| sum * base + UBig::from(*digit));
    }
    let (high, low) = digits.split_at(digits.len() / 2);
    from_digits(high, base) * base.pow(low.len()) + from_digits(low, base)
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |n: &Number| if n.is_zero() { 0 } else { 1 - 2 * i8::from(n.is_negative()) };
        let by_magnitude = |a: &Number, b: &Number| {
            let ((_, ma, ea), (_, mb, eb)) = (a.parts(), b.parts());
            let top = |m: &UBig, e: i64| m.bit_len() as i64 + e;
            top(&ma, ea).cmp(&top(&mb, eb)).then_with(|| {
                let exponent = ea.min(eb);
                (ma << (ea - exponent) as usize).cmp(&(mb << (eb - exponent) as usize))
            })
        };
        match (&self.0, &other.0) {
            (Repr::Small(a), Repr::Small(b)) => a.cmp(b),
            _ if self == other => Ordering::Equal,
            (Repr::Infinity { negative }, _) => 0.cmp(&i8::from(*negative)).then(Ordering::Greater),
            (_, Repr::Infinity { negative }) => i8::from(*negative).cmp(&0).then(Ordering::Less),
            _ => sign(self).cmp(&sign(other)).then_with(|| {
                let order = by_magnitude(self, other);
                if self.is_negative() { order.reverse() } else { order }
            }),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

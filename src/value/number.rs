//! Numbers: 512-bit binary floats, rounded half to even, printed as the shortest decimal that reads
//! back as the same number. Whole numbers that fit an i64 (nearly all there are) stay one.

use dashu_base::{BitTest, DivRem};
use dashu_int::UBig;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

const PRECISION: usize = 512;
/// Binary exponents beyond this overflow to infinity or underflow to zero, so that no number takes more
/// than some kilobytes: about 1e±60000.
const MAX_EXPONENT: i64 = 200_000;
const MAX_DECIMAL_EXPONENT: i64 = 50_000;

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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Big {
    negative: bool,
    magnitude: UBig,
    exponent: i64,
}

impl From<i64> for Number {
    fn from(i: i64) -> Self {
        Number(Repr::Small(i))
    }
}

impl Number {
    /// The shortest decimal of `f`. None for NaN and infinities.
    pub fn from_f64(f: f64) -> Option<Self> {
        if !f.is_finite() {
            return None;
        }
        if f.fract() == 0.0 && f.abs() < 9.0e15 {
            return Some(Number::from(f as i64));
        }
        format!("{f:e}").parse().ok()
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
        Number(Repr::Big(Arc::new(Big { negative, magnitude, exponent })))
    }

    pub fn negate(&self) -> Self {
        match &self.0 {
            Repr::Small(i) if *i != i64::MIN => Number(Repr::Small(-i)),
            Repr::Infinity { negative } => Self::infinity(!negative),
            _ => {
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
        let base = UBig::from(radix);
        let mut magnitude = UBig::ZERO;
        for c in digits.chars() {
            let digit = match c {
                '0'..='9' => c as u32 - '0' as u32,
                'a'..='z' => c as u32 - 'a' as u32 + 10,
                'A'..='Z' if radix <= 36 => c as u32 - 'A' as u32 + 10,
                'A'..='Z' => c as u32 - 'A' as u32 + 36,
                _ => return None,
            };
            if digit >= radix {
                return None;
            }
            magnitude = magnitude * &base + UBig::from(digit);
        }
        Some(Self::rounded(negative, magnitude, 0, false))
    }

    /// The exact value with `places` decimals, rounded half to even: `%.2f`.
    pub fn to_fixed(&self, places: usize) -> String {
        let Some((sign, digits, point)) = self.exact_decimal() else { return self.to_string() };
        let (digits, point) = round_digits(digits, point, point + places as i64);
        let mut out = sign.to_owned();
        out.push_str(&place_point(&digits, point, places));
        out
    }

    /// Scientific notation with `places` decimals: `1.500000e+03`; without, as many as are needed.
    pub fn to_scientific(&self, places: Option<usize>) -> String {
        if !self.is_finite() {
            return self.to_string();
        }
        let (sign, digits, point) = match places {
            Some(places) => {
                let (sign, digits, point) = self.exact_decimal().expect("finite");
                let (digits, point) = round_digits(digits, point, places as i64 + 1);
                (sign, digits, point)
            }
            None => self.shortest_decimal(),
        };
        let mut digits = digits;
        let wanted = places.map_or(digits.len().max(1), |p| p + 1);
        digits.resize(wanted, b'0');
        let exponent = if self.is_zero() { 0 } else { point - 1 };
        let text = String::from_utf8(digits).expect("ASCII digits");
        let (first, rest) = text.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        format!("{sign}{first}{dot}{rest}e{exponent_sign}{:02}", exponent.abs())
    }

    /// Like C's `%g`: scientific when the exponent is small or large, else plain.
    pub fn to_general(&self, digits: Option<usize>) -> String {
        if !self.is_finite() {
            return self.to_string();
        }
        let (sign, shown, point) = match digits {
            Some(n) => {
                let (sign, all, point) = self.exact_decimal().expect("finite");
                let (mut shown, point) = round_digits(all, point, n.max(1) as i64);
                while shown.last() == Some(&b'0') {
                    shown.pop();
                }
                (sign, shown, point)
            }
            None => self.shortest_decimal(),
        };
        // As Go's big.Float: without a precision the shortest digits, but exponents from 6 on.
        let threshold = match digits {
            Some(n) => n.max(1) as i64,
            None => 6,
        };
        let exponent = point - 1;
        if !self.is_zero() && (exponent < -4 || exponent >= threshold) {
            let text = String::from_utf8(shown).expect("ASCII digits");
            let (first, rest) = text.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            let exponent_sign = if exponent < 0 { '-' } else { '+' };
            return format!("{sign}{first}{dot}{rest}e{exponent_sign}{:02}", exponent.abs());
        }
        let places = (shown.len() as i64 - point).max(0) as usize;
        format!("{sign}{}", place_point(&shown, point, places))
    }

    /// Sign, all digits (without leading or trailing zeros) and the position of the point after the
    /// first of them. None for infinities.
    fn exact_decimal(&self) -> Option<(&'static str, Vec<u8>, i64)> {
        if !self.is_finite() {
            return None;
        }
        let (negative, magnitude, exponent) = self.parts();
        let (digits, point) = decimal_digits(&magnitude, exponent);
        let digits = String::from(digits.trim_end_matches('0')).into_bytes();
        Some((if negative { "-" } else { "" }, digits, point))
    }

    /// The fewest digits that only this number rounds to (as Go's `Float.Text('f', -1)`).
    fn shortest_decimal(&self) -> (&'static str, Vec<u8>, i64) {
        let (negative, magnitude, exponent) = self.parts();
        let sign = if negative { "-" } else { "" };
        if magnitude.is_zero() {
            return (sign, b"0".to_vec(), 1);
        }
        // Twice the magnitude at full precision: its last bit is worth half of the number's last bit.
        let shift = PRECISION + 1 - magnitude.bit_len();
        let wide = magnitude << shift;
        let exponent = exponent - shift as i64;
        let inclusive = !wide.bit(1);
        let (middle, point) = decimal_digits(&wide, exponent);
        let (lower, lower_point) = decimal_digits(&(wide.clone() - UBig::ONE), exponent);
        let (upper, upper_point) = decimal_digits(&(wide + UBig::ONE), exponent);
        let top = point.max(lower_point).max(upper_point);
        let align = |digits: String, point: i64| {
            let mut out = vec![b'0'; (top - point) as usize];
            out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
            out
        };
        let (middle, lower, upper) =
            (align(middle, point), align(lower, lower_point), align(upper, upper_point));
        let (digits, point) = shorten(middle, &lower, &upper, inclusive, top);
        (sign, digits, point)
    }
}

/// The shortest beginning of `middle`, rounded, that lies between `lower` and `upper`.
fn shorten(middle: Vec<u8>, lower: &[u8], upper: &[u8], inclusive: bool, point: i64) -> (Vec<u8>, i64) {
    let digit = |digits: &[u8], i: usize| digits.get(i).copied().unwrap_or(b'0');
    for i in 0..middle.len() {
        let (m, l, u) = (middle[i], digit(lower, i), digit(upper, i));
        let down = l != m || inclusive && i + 1 == lower.len();
        let up = m != u && (inclusive || m + 1 < u || i + 1 < upper.len());
        let (digits, point) = match (down, up) {
            (true, true) => round_digits(middle, point, i as i64 + 1),
            (true, false) => (middle[..=i].to_vec(), point),
            (false, true) => round_up(middle[..=i].to_vec(), point),
            (false, false) => continue,
        };
        return trim(digits, point);
    }
    trim(middle, point)
}

/// Without leading and trailing zeros.
fn trim(mut digits: Vec<u8>, point: i64) -> (Vec<u8>, i64) {
    let leading = digits.iter().take_while(|d| **d == b'0').count();
    digits.drain(..leading);
    while digits.last() == Some(&b'0') {
        digits.pop();
    }
    (digits, point - leading as i64)
}

/// All decimal digits of magnitude · 2^exponent, and where the point is after the first digit.
fn decimal_digits(magnitude: &UBig, exponent: i64) -> (String, i64) {
    if magnitude.is_zero() {
        return (String::new(), 0);
    }
    if exponent >= 0 {
        let digits = (magnitude << exponent as usize).to_string();
        let point = digits.len() as i64;
        return (digits, point);
    }
    // m / 2^k = m · 5^k / 10^k
    let digits = (magnitude * UBig::from(5u8).pow(-exponent as usize)).to_string();
    let point = digits.len() as i64 + exponent;
    (digits, point)
}

/// Keeps `keep` digits, half to even; may move the point by one when all nines roll over.
fn round_digits(mut digits: Vec<u8>, point: i64, keep: i64) -> (Vec<u8>, i64) {
    if keep >= digits.len() as i64 {
        return (digits, point);
    }
    if keep < 0 {
        return (Vec::new(), point);
    }
    let keep = keep as usize;
    let exactly_half = digits[keep] == b'5' && digits[keep + 1..].iter().all(|d| *d == b'0');
    let up = if exactly_half { keep > 0 && (digits[keep - 1] - b'0') % 2 == 1 } else { digits[keep] >= b'5' };
    digits.truncate(keep);
    if up { round_up(digits, point) } else { (digits, point) }
}

fn round_up(mut digits: Vec<u8>, point: i64) -> (Vec<u8>, i64) {
    while digits.last() == Some(&b'9') {
        digits.pop();
    }
    match digits.last_mut() {
        Some(last) => {
            *last += 1;
            (digits, point)
        }
        None => (b"1".to_vec(), point + 1),
    }
}

/// Digits with the point put in and `places` digits after it.
fn place_point(digits: &[u8], point: i64, places: usize) -> String {
    let at = |i: i64| usize::try_from(i).ok().and_then(|i| digits.get(i)).map_or('0', |d| *d as char);
    let mut out: String = (0..point.max(0)).map(at).collect();
    if out.is_empty() {
        out.push('0');
    }
    if places > 0 {
        out.push('.');
        out.extend((point..point + places as i64).map(at));
    }
    out
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

/// Not a decimal number, or one whose exponent is beyond 50,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a number, or far too large or small a one")]
pub struct NumberError;

impl FromStr for Number {
    type Err = NumberError;

    /// `12`, `+5`, `.5`, `5.`, `1.5e-3`; no blanks, no hexadecimal.
    fn from_str(s: &str) -> Result<Self, NumberError> {
        if s.len() < 19
            && !s.starts_with('+')
            && let Ok(small) = s.parse::<i64>()
        {
            return Ok(small.into());
        }
        let (negative, body) = match s.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, s.strip_prefix('+').unwrap_or(s)),
        };
        let (mantissa, exponent) = match body.find(['e', 'E']) {
            Some(i) => (&body[..i], parse_exponent(&body[i + 1..])?),
            None => (body, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NumberError);
        }
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Ok(Number::from(0));
        }
        let exponent = exponent - fraction.len() as i64;
        if (exponent + digits.len() as i64).abs() > MAX_DECIMAL_EXPONENT
            || digits.len() as i64 > MAX_DECIMAL_EXPONENT
        {
            return Err(NumberError);
        }
        let magnitude = UBig::from_str_radix(digits, 10).map_err(|_| NumberError)?;
        let power = UBig::from(10u8).pow(exponent.unsigned_abs() as usize);
        if exponent >= 0 {
            return Ok(Self::rounded(negative, magnitude * power, 0, false));
        }
        let shift = (PRECISION + 3 + power.bit_len()).saturating_sub(magnitude.bit_len());
        let (quotient, rest) = (magnitude << shift).div_rem(&power);
        Ok(Self::rounded(negative, quotient, -(shift as i64), !rest.is_zero()))
    }
}

fn parse_exponent(text: &str) -> Result<i64, NumberError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NumberError);
    }
    // Whatever does not fit is out of range anyway.
    let size: i64 = digits.parse().unwrap_or(i64::from(i32::MAX)).min(i64::from(i32::MAX));
    Ok(if text.starts_with('-') { -size } else { size })
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(i) => write!(f, "{i}"),
            Repr::Infinity { negative } => f.write_str(if *negative { "-Inf" } else { "+Inf" }),
            Repr::Big(b) if b.exponent >= 0 && b.exponent + b.magnitude.bit_len() as i64 <= 512 => {
                let sign = if b.negative { "-" } else { "" };
                write!(f, "{sign}{}", b.magnitude.clone() << b.exponent as usize)
            }
            Repr::Big(_) => {
                let (sign, digits, point) = self.shortest_decimal();
                let places = (digits.len() as i64 - point).max(0) as usize;
                write!(f, "{sign}{}", place_point(&digits, point, places))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn n(text: &str) -> Number {
        text.parse().unwrap_or_else(|_| panic!("{text} is a number"))
    }

    #[test]
    fn decimals_compute_as_one_expects() {
        assert_eq!(n("0.1").multiply(&n("3")).unwrap().to_string(), "0.3");
        assert_eq!(n("0.1").add(&n("0.2")).unwrap(), n("0.3"));
        assert_eq!(n("9007199254740993").add(&n("1")).unwrap().to_string(), "9007199254740994");
        assert_eq!(n("9223372036854775807").add(&n("1")).unwrap().to_string(), "9223372036854775808");
        assert_eq!(n("-9223372036854775808"), Number::from(i64::MIN));
        assert_eq!(n("9223372036854775808").negate(), Number::from(i64::MIN));
    }

    #[test]
    fn text_round_trips_as_the_shortest_decimal() {
        for text in ["0.000001", "1.5", "-2.25", "123456789012345678901234567890", "3.14159265358979323846"] {
            assert_eq!(n(text).to_string(), text);
        }
        assert_eq!(n("1e400").to_string(), format!("1{}", "0".repeat(400)));
        assert_eq!(n("1e-400").to_string(), format!("0.{}1", "0".repeat(399)));
        assert_eq!(n("1.50").to_string(), "1.5");
    }

    #[test]
    fn odd_spellings_of_numbers_are_as_in_terraform() {
        for (text, value) in [("+5", 5), ("5.", 5), ("1e3", 1000), ("007", 7), ("10e-1", 1)] {
            assert_eq!(n(text), Number::from(value), "{text}");
        }
        assert_eq!(n(".5"), n("0.5"));
        for text in ["", ".", "0x10", " 1", "1 ", "1e", "e5", "1.2.3", "--1", "1_000", "1e1000000", "inf"] {
            assert!(text.parse::<Number>().is_err(), "{text}");
        }
    }

    #[test]
    fn huge_products_end_in_infinity_not_in_memory() {
        let mut x = n("1e40000");
        for _ in 0..10 {
            x = x.multiply(&x).unwrap();
        }
        assert!(!x.is_finite());
    }

    #[test]
    fn division_by_zero_is_infinite_and_zero_by_zero_nothing() {
        assert!(!n("1").divide(&n("0")).unwrap().is_finite());
        assert_eq!(n("0").divide(&n("0")), None);
        assert_eq!(n("5").remainder(&n("0")).unwrap(), n("5"));
        assert_eq!(n("-5").remainder(&n("3")).unwrap(), n("-2"));
        assert_eq!(n("5.5").remainder(&n("2")).unwrap(), n("1.5"));
    }

    #[test]
    fn formats_round_half_to_even_on_the_exact_value() {
        assert_eq!(n("3.14159").to_fixed(2), "3.14");
        assert_eq!(n("1.06").to_fixed(1), "1.1");
        assert_eq!(n("0.04").to_fixed(1), "0.0");
        assert_eq!(n("0.06").to_fixed(1), "0.1");
        assert_eq!(n("999.96").to_fixed(1), "1000.0");
        assert_eq!(n("10").to_fixed(6), "10.000000");
        assert_eq!(n("1000").to_scientific(Some(6)), "1.000000e+03");
        assert_eq!(n("0").to_scientific(Some(2)), "0.00e+00");
        assert_eq!(n("1e-23").to_general(None), "1e-23");
        assert_eq!(n("1000").to_general(None), "1000");
        assert_eq!(n("1234567").to_general(Some(3)), "1.23e+06");
    }

    proptest! {
        #[test]
        fn any_sum_and_difference_agree_with_whole_numbers(a in any::<i64>(), b in any::<i64>()) {
            let (x, y) = (Number::from(a), Number::from(b));
            let sum = x.add(&y).unwrap();
            prop_assert_eq!(sum.to_string(), (a as i128 + b as i128).to_string());
            prop_assert_eq!(sum.subtract(&y).unwrap(), x.clone());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            let product = x.multiply(&y).unwrap().to_string();
            prop_assert_eq!(product, (a as i128 * b as i128).to_string());
        }

        #[test]
        fn any_float_prints_and_reads_back(f in any::<f64>()) {
            prop_assume!(f.is_finite());
            let number = Number::from_f64(f).unwrap();
            prop_assert_eq!(number.to_f64(), f);
            prop_assert_eq!(number.to_string().parse::<Number>().unwrap(), number);
        }

        #[test]
        fn order_is_that_of_floats(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(a.is_finite() && b.is_finite());
            let (x, y) = (Number::from_f64(a).unwrap(), Number::from_f64(b).unwrap());
            prop_assert_eq!(x.cmp(&y), a.partial_cmp(&b).unwrap());
        }
    }
}

//! Numbers to and from decimal text.

use super::{Number, PRECISION, Repr};
use dashu_base::{BitTest, DivRem};
use dashu_int::UBig;
use std::fmt;
use std::str::FromStr;

const FLOAT_PRECISION: usize = 53;
const MAX_DECIMAL_EXPONENT: i64 = 50_000;

impl Number {
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

    fn is_float(&self) -> bool {
        matches!(&self.0, Repr::Big(big) if big.float)
    }

    /// As a plan of Terraform has it: fractions that a 64-bit float can hold are kept as such.
    pub fn in_plan(&self) -> Number {
        match &self.0 {
            Repr::Big(big) if big.exponent < 0 => {
                let float = Number::from_f64(self.to_f64());
                float.filter(|float| float == self).unwrap_or_else(|| self.clone())
            }
            _ => self.clone(),
        }
    }

    /// The fewest digits that only this number rounds to (as Go's `Float.Text('f', -1)`).
    fn shortest_decimal(&self) -> (&'static str, Vec<u8>, i64) {
        let (negative, magnitude, exponent) = self.parts();
        let sign = if negative { "-" } else { "" };
        if magnitude.is_zero() {
            return (sign, b"0".to_vec(), 1);
        }
        // Twice the magnitude at full precision: its last bit is worth half of the number's last bit.
        let precision = if self.is_float() { FLOAT_PRECISION } else { PRECISION };
        let shift = precision + 1 - magnitude.bit_len();
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
        // A `p` is for powers of two.
        if exponent == 0
            && let Some((mantissa, power)) = mantissa.split_once(['p', 'P'])
        {
            let (number, power) = (mantissa.parse::<Number>()?, parse_exponent(power)?);
            let well_formed = mantissa.starts_with(|c: char| c.is_ascii_digit() || c == '.');
            if power.abs() > MAX_DECIMAL_EXPONENT || !well_formed || mantissa.contains(['e', 'E']) {
                return Err(NumberError);
            }
            let (_, magnitude, exponent) = number.parts();
            return Ok(Self::rounded(negative, magnitude, exponent + power, false));
        }
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
            Repr::Big(b)
                if !b.float && b.exponent >= 0 && b.exponent + b.magnitude.bit_len() as i64 <= 512 =>
            {
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

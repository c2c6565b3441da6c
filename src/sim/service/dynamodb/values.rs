//! Attribute values: what may be stored, how large it is, how it is ordered.

use super::validation;
use crate::service::ApiError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json, json};
use std::cmp::Ordering;

pub type Item = Map<String, Json>;

/// What AWS puts before some of what it says of a request to write one item (moto's suite, tests verified
/// against AWS).
pub const DETECTED: &str = "1 validation error detected: ";

/// `{"S": "x"}` → `S` and `"x"`.
pub fn typed(value: &Json) -> Option<(&str, &Json)> {
    value.as_object()?.iter().next().map(|(kind, inside)| (kind.as_str(), inside))
}

/// A number of at most 38 digits (Developer Guide, "Naming rules and data types"): exact, without trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: i128,
    exponent: i32,
}

const PRECISE: &str = "Attempting to store more than 38 significant digits in a Number";
const LARGE: &str =
    "Number overflow. Attempting to store a number with magnitude larger than supported range";
const SMALL: &str =
    "Number underflow. Attempting to store a number with magnitude smaller than supported range";

impl Decimal {
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("The parameter cannot be converted to a numeric value: {text}");
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().map_err(|_| wrong())?),
            None => (text, 0),
        };
        let negative = number.starts_with('-');
        let number = number.strip_prefix(['-', '+']).unwrap_or(number);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + part.len() == 0 || !(whole.bytes().chain(part.bytes())).all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let all = format!("{whole}{part}");
        let shortened = all.trim_end_matches('0');
        let exponent = i64::from(exponent) - part.len() as i64 + (all.len() - shortened.len()) as i64;
        let shortened = shortened.trim_start_matches('0');
        if shortened.is_empty() {
            return Ok(Self { digits: 0, exponent: 0 });
        }
        let first = exponent + shortened.len() as i64 - 1;
        match () {
            () if first > 125 => return Err(LARGE.to_owned()),
            () if first < -130 => return Err(SMALL.to_owned()),
            () if shortened.len() > 38 => return Err(PRECISE.to_owned()),
            () => {}
        }
        let digits: i128 = shortened.parse().map_err(|_| wrong())?;
        let exponent = i32::try_from(exponent).map_err(|_| wrong())?;
        Ok(Self { digits: if negative { -digits } else { digits }, exponent })
    }

    /// Both as digits of one exponent.
    fn aligned(self, other: Self) -> Option<(i128, i128, i32)> {
        let exponent = self.exponent.min(other.exponent);
        let lift = |one: Self| {
            let by = u32::try_from(one.exponent - exponent).ok()?;
            if one.digits == 0 { Some(0) } else { one.digits.checked_mul(10_i128.checked_pow(by)?) }
        };
        Some((lift(self)?, lift(other)?, exponent))
    }

    pub fn plus(self, other: Self) -> Result<Self, String> {
        let sum = self.aligned(other).and_then(|(a, b, exponent)| Some((a.checked_add(b)?, exponent)));
        let (digits, exponent) = sum.ok_or(PRECISE)?;
        Self::parse(&format!("{digits}e{exponent}"))
    }

    pub fn minus(self, other: Self) -> Result<Self, String> {
        self.plus(Self { digits: -other.digits, exponent: other.exponent })
    }

    pub fn shown(self) -> String {
        let (sign, digits) = (if self.digits < 0 { "-" } else { "" }, self.digits.unsigned_abs().to_string());
        if self.exponent >= 0 {
            return format!("{sign}{digits}{}", "0".repeat(self.exponent.unsigned_abs() as usize));
        }
        let places = self.exponent.unsigned_abs() as usize;
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, part) = padded.split_at(padded.len() - places);
        format!("{sign}{whole}.{part}")
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if let Some((a, b, _)) = self.aligned(*other) {
            return a.cmp(&b);
        }
        // Too far apart to align: signs, then magnitudes.
        let first = |one: &Self| one.exponent + one.digits.unsigned_abs().to_string().len() as i32;
        match (self.digits.signum(), other.digits.signum()) {
            (1, 1) => first(self).cmp(&first(other)),
            (-1, -1) => first(other).cmp(&first(self)),
            (a, b) => a.cmp(&b),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

pub fn number(value: &Json) -> Option<Decimal> {
    Decimal::parse(value.get("N")?.as_str()?).ok()
}

/// The value as it is stored, numbers in one form; or what is wrong with it.
pub fn normal(value: &Json, writes: bool) -> Result<Json, ApiError> {
    let members = value.as_object().map_or(0, Map::len);
    if members != 1 {
        let what = if members == 0 { "is empty" } else { "has more than one datatypes set" };
        let message =
            format!("Supplied AttributeValue {what}, must contain exactly one of the supported datatypes");
        return Err(validation(message));
    }
    let (kind, inside) = typed(value).expect("has one member");
    let one = |text: &Json| {
        let shown = Decimal::parse(text.as_str().unwrap_or_default()).map(Decimal::shown);
        shown.map_err(validation)
    };
    Ok(match kind {
        "N" => json!({"N": one(inside)?}),
        "NULL" if inside == false => {
            return Err(validation("Null attribute value types must have the value of true"));
        }
        "SS" | "NS" | "BS" => {
            let mut members = inside.as_array().cloned().unwrap_or_default();
            if kind == "NS" {
                members = members.iter().map(|text| one(text).map(Json::from)).collect::<Result<_, _>>()?;
            }
            check_set(kind, &members, writes)?;
            json!({kind: members})
        }
        "L" => {
            let all = inside.as_array().into_iter().flatten().map(|one| normal(one, writes));
            json!({"L": all.collect::<Result<Vec<_>, _>>()?})
        }
        "M" => json!({"M": normal_item(inside, writes)?}),
        _ => value.clone(),
    })
}

pub fn normal_item(given: &Json, writes: bool) -> Result<Item, ApiError> {
    let all = given.as_object().into_iter().flatten();
    all.map(|(name, value)| Ok((name.clone(), normal(value, writes)?))).collect()
}

fn check_set(kind: &str, members: &[Json], writes: bool) -> Result<(), ApiError> {
    let before = if writes { DETECTED } else { "" };
    if members.is_empty() {
        let what = match kind {
            "SS" => "An string set  may not be empty",
            "NS" => "An number set  may not be empty",
            _ => "Binary sets should not be empty",
        };
        return Err(validation(format!("{before}One or more parameter values were invalid: {what}")));
    }
    let twice = members.iter().enumerate().any(|(i, one)| members[..i].contains(one));
    if twice {
        let all: Vec<&str> = members.iter().filter_map(Json::as_str).collect();
        return Err(validation(format!(
            "One or more parameter values were invalid: Input collection [{}] contains duplicates.",
            all.join(", ")
        )));
    }
    Ok(())
}

/// In bytes (Developer Guide, "DynamoDB item sizes and formats").
pub fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

pub fn value_size(value: &Json) -> usize {
    let Some((kind, inside)) = typed(value) else { return 0 };
    let text = |one: &Json| one.as_str().map_or(0, |text| scalar_size(kind, text));
    match (kind, inside) {
        ("M", Json::Object(members)) => 3 + members.len() + size(members),
        ("L", Json::Array(members)) => 3 + members.iter().map(|one| 1 + value_size(one)).sum::<usize>(),
        (_, Json::Array(members)) => members.iter().map(text).sum(),
        (_, Json::String(_)) => text(inside),
        _ => 1,
    }
}

fn scalar_size(kind: &str, text: &str) -> usize {
    match kind {
        "N" | "NS" => text.bytes().filter(u8::is_ascii_digit).count().div_ceil(2) + 1,
        "B" | "BS" => bytes(text).len(),
        _ => text.len(),
    }
}

pub fn bytes(text: &str) -> Vec<u8> {
    BASE64.decode(text).unwrap_or_default()
}

/// Of two values of the same ordered type.
pub fn order(one: &Json, other: &Json) -> Option<Ordering> {
    let ((kind, a), (other_kind, b)) = (typed(one)?, typed(other)?);
    match kind {
        _ if kind != other_kind => None,
        "N" => Some(number(one)?.cmp(&number(other)?)),
        "S" => Some(a.as_str()?.cmp(b.as_str()?)),
        "B" => Some(bytes(a.as_str()?).cmp(&bytes(b.as_str()?))),
        _ => None,
    }
}

/// Sets have no order.
pub fn equal(one: &Json, other: &Json) -> bool {
    match (typed(one), typed(other)) {
        (Some((kind, Json::Array(a))), Some((same, Json::Array(b)))) if kind == same && kind != "L" => {
            a.len() == b.len() && a.iter().all(|member| b.contains(member))
        }
        (Some(("L", Json::Array(a))), Some(("L", Json::Array(b)))) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Some(("M", Json::Object(a))), Some(("M", Json::Object(b)))) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => one == other,
    }
}

//! Numbers.

use super::power::{logarithm, power};
use super::{Call, Failure};
use crate::value::{Number, Type, Value, convert};

type Result<T = Value> = std::result::Result<T, Failure>;

fn number<'a>(call: &Call<'a>, i: usize) -> std::result::Result<&'a Number, Failure> {
    call.args.get(i).and_then(Value::as_number).ok_or_else(|| Failure::arg(i, "a number is required"))
}

pub fn abs(call: &Call) -> Result {
    Ok(Value::number(number(call, 0)?.abs()))
}

pub fn ceil(call: &Call) -> Result {
    Ok(Value::number(number(call, 0)?.ceil()))
}

pub fn floor(call: &Call) -> Result {
    Ok(Value::number(number(call, 0)?.floor()))
}

pub fn signum(call: &Call) -> Result {
    let n = number(call, 0)?;
    call.whole(0)?;
    Ok(Value::int(if n.is_zero() { 0 } else { 1 - 2 * i64::from(n.is_negative()) }))
}

/// Through 64-bit floats, as in Terraform.
fn from_float(f: f64) -> Result {
    if f.is_nan() {
        return Err(Failure::new("the result is not a number"));
    }
    Ok(Value::number(Number::from_f64(f).unwrap_or_else(|| Number::infinity(f < 0.0))))
}

pub fn log(call: &Call) -> Result {
    from_float(logarithm(number(call, 0)?.to_f64()) / logarithm(number(call, 1)?.to_f64()))
}

pub fn pow(call: &Call) -> Result {
    from_float(power(number(call, 0)?.to_f64(), number(call, 1)?.to_f64()))
}

pub fn max(call: &Call) -> Result {
    extreme(call, |a, b| a > b)
}

pub fn min(call: &Call) -> Result {
    extreme(call, |a, b| a < b)
}

fn extreme(call: &Call, better: fn(&Number, &Number) -> bool) -> Result {
    let mut numbers = call.args.iter().filter_map(Value::as_number);
    let first = numbers.next().ok_or_else(|| Failure::new("at least one number is required"))?;
    Ok(Value::number(numbers.fold(first, |best, n| if better(n, best) { n } else { best }).clone()))
}

/// The text must be text, also where the base is not known yet.
pub fn type_of_parseint(args: &[Value]) -> Result<Type> {
    match args[0].ty() {
        Type::String | Type::Dynamic => Ok(Type::Number),
        other => Err(Failure::arg(0, format!("a string is required, but this is {}", other.a_noun()))),
    }
}

pub fn parseint(call: &Call) -> Result {
    let text = call.str(0);
    let radix = number(call, 1)?.to_i64().filter(|r| (2..=62).contains(r));
    let Some(radix) = radix.and_then(|r| u32::try_from(r).ok()) else {
        return Err(Failure::arg(1, "the base must be a whole number from 2 to 62"));
    };
    Number::from_radix(text, radix)
        .map(Value::number)
        .ok_or_else(|| Failure::arg(0, format!("this does not read as a whole number in base {radix}")))
}

pub fn sum(call: &Call) -> Result {
    let wrong = || Failure::arg(0, "a list, set or tuple of numbers is required");
    let items = call.args[0].as_slice().ok_or_else(wrong)?;
    if items.is_empty() {
        return Err(Failure::arg(0, "nothing cannot be summed: the list is empty")
            .help("give a number for that case, for example sum(concat([0], list))"));
    }
    if !call.args[0].is_wholly_known() {
        return Ok(Value::unknown(crate::value::Type::Number));
    }
    let mut total = Number::from(0);
    for item in items {
        let item = convert(item, &crate::value::Type::Number).map_err(|_| wrong())?;
        let n = item.as_number().ok_or_else(wrong)?;
        total = total.add(n).ok_or_else(|| Failure::new("opposite infinities have no sum"))?;
    }
    Ok(Value::number(total))
}

const LONGEST_RANGE: usize = 1024;

pub fn range(call: &Call) -> Result {
    let given: Vec<&Number> = call.args.iter().filter_map(Value::as_number).collect();
    let (zero, one) = (Number::from(0), Number::from(1));
    let downwards = |from: &Number, to: &Number| if to < from { one.negate() } else { one.clone() };
    let (start, end, step) = match given[..] {
        [end] => (zero.clone(), end.clone(), downwards(&zero, end)),
        [start, end] => (start.clone(), end.clone(), downwards(start, end)),
        [start, end, step] => (start.clone(), end.clone(), step.clone()),
        _ => return Err(Failure::new("one, two or three numbers are required")),
    };
    if step.is_zero() {
        return Err(Failure::inside(2, "the step must not be 0"));
    }
    let down = step.is_negative();
    if down && start < end || !down && start > end {
        return Err(Failure::arg(1, "the step leads away from this end").help("give the step the other sign"));
    }
    let mut items = Vec::new();
    let mut next = start;
    while if down { next > end } else { next < end } {
        if items.len() >= LONGEST_RANGE {
            return Err(Failure::new(format!("the range has more than {LONGEST_RANGE} elements")));
        }
        items.push(Value::number(next.clone()));
        next = next.add(&step).ok_or_else(|| Failure::new("the range does not end"))?;
    }
    Ok(Value::list(crate::value::Type::Number, items))
}

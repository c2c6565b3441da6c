//! Random strings of given kinds of characters: what `random_string` and `random_password` share.

use super::keepers::KEEPERS;
use crate::builtin::Random;
use crate::schema::{Object, attributes};
use crate::value::Value;
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

attributes! {
    SHARED [KEEPERS]:
    LENGTH: Int = required("length").replaces().range(1, 1 << 20);
    LOWER: Bool = optional("lower").default_bool(true).replaces();
    MIN_LOWER: Int = optional("min_lower").default_int(0).replaces();
    MIN_NUMERIC: Int = optional("min_numeric").default_int(0).replaces();
    MIN_SPECIAL: Int = optional("min_special").default_int(0).replaces();
    MIN_UPPER: Int = optional("min_upper").default_int(0).replaces();
    NUMBER: Bool = optional("number").replaces().deprecated("use `numeric`");
    NUMERIC: Bool = optional("numeric").replaces();
    OVERRIDE_SPECIAL: Str = optional("override_special").replaces().doc("Special characters to use instead of the usual ones");
    SPECIAL: Bool = optional("special").default_bool(true).replaces();
    UPPER: Bool = optional("upper").default_bool(true).replaces();
}

/// `numeric` and its old name `number` are one: each defaults to the other, both to true.
pub fn complete(want: &mut Object) {
    let declared = |name: &str| want.value(name).filter(|v| !v.is_null()).cloned();
    let (numeric, number) = (declared("numeric"), declared("number"));
    let value = numeric.clone().or(number.clone()).unwrap_or(Value::bool(true));
    want.put("numeric", Some(numeric.unwrap_or_else(|| value.clone())));
    want.put("number", Some(number.unwrap_or(value)));
}

pub fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    if let (Some(numeric), Some(number)) = (want.get(&NUMERIC), want.get(&NUMBER))
        && numeric != number
    {
        problems.push(("number", "`number` and `numeric` are two names of one thing: keep `numeric`".into()));
    }
    let kinds = [&UPPER, &LOWER, &NUMERIC, &SPECIAL].map(|kind| want.get(kind));
    if kinds.iter().all(|kind| *kind == Some(false)) {
        problems.push(("special", "one of `upper`, `lower`, `numeric` and `special` must be true".into()));
    }
    let least: i64 = [&MIN_LOWER, &MIN_NUMERIC, &MIN_SPECIAL, &MIN_UPPER]
        .into_iter()
        .map(|attr| want.get(attr).unwrap_or(0))
        .sum();
    if let Some(length) = want.get(&LENGTH).filter(|length| *length < least) {
        let problem = format!("`length` is {length}, but the min_* attributes ask for {least} characters");
        problems.push(("length", problem));
    }
    problems
}

/// What is known of a text that was made elsewhere. What it was made of cannot be told from it: all kinds of
/// characters are taken for allowed.
pub fn imported(text: &str) -> Object {
    let mut known = Object::new();
    known.set(&LENGTH, text.len());
    for kind in [&LOWER, &NUMERIC, &NUMBER, &SPECIAL, &UPPER] {
        known.set(kind, true);
    }
    for least in [&MIN_LOWER, &MIN_NUMERIC, &MIN_SPECIAL, &MIN_UPPER] {
        known.set(least, 0_i64);
    }
    known
}

const UPPER_CASE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER_CASE: &str = "abcdefghijklmnopqrstuvwxyz";
const DIGITS: &str = "0123456789";
const SPECIALS: &str = "!@#$%&*()-_=+[]{}<>:?";

/// A string that keeps to what `want` asks for; Err completes "cannot make a string: …".
pub fn generate(want: &Object, random: &mut Random) -> Result<String, String> {
    // What was unknown while planning is checked now.
    if let Some((_, problem)) = validate(want).pop() {
        return Err(problem);
    }
    let override_special = want.get(&OVERRIDE_SPECIAL).filter(|s| !s.is_empty());
    let special = override_special.as_deref().unwrap_or(SPECIALS);
    let length = want.get(&LENGTH).unwrap_or(0).max(0) as usize;
    let kinds = [
        (UPPER_CASE, &UPPER, &MIN_UPPER),
        (LOWER_CASE, &LOWER, &MIN_LOWER),
        (DIGITS, &NUMERIC, &MIN_NUMERIC),
        (special, &SPECIAL, &MIN_SPECIAL),
    ];
    let mut all: Vec<char> = Vec::new();
    let mut text: Vec<char> = Vec::new();
    for (characters, wanted, least) in kinds {
        let characters: Vec<char> = characters.chars().collect();
        let least = want.get(least).unwrap_or(0).max(0) as usize;
        text.extend((0..least).filter_map(|_| characters.choose(random)));
        if want.get(wanted).unwrap_or(true) {
            all.extend(characters);
        }
    }
    while text.len() < length {
        text.push(all[random.random_range(0..all.len())]);
    }
    text.shuffle(random);
    Ok(text.into_iter().collect())
}

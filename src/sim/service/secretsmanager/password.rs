//! Random passwords.

use super::*;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMBERS: &str = "0123456789";
/// API reference, ExcludePunctuation.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

pub fn get(world: &mut World, input: &Json) -> Answer {
    let length = input.int("PasswordLength").unwrap_or(32);
    if !(1..=4096).contains(&length) {
        let message = "InvalidParameterValue: PasswordLength must be between 1 and 4096.";
        return Err(invalid_parameter(message));
    }
    let excluded = input.text("ExcludeCharacters").unwrap_or_default();
    let kinds = [
        (LOWER, "ExcludeLowercase"),
        (UPPER, "ExcludeUppercase"),
        (NUMBERS, "ExcludeNumbers"),
        (PUNCTUATION, "ExcludePunctuation"),
    ];
    let kinds: Vec<Vec<char>> = kinds
        .iter()
        .filter(|(_, without)| input.flag(without) != Some(true))
        .map(|(all, _)| all.chars().filter(|c| !excluded.contains(*c)).collect())
        .filter(|kind: &Vec<char>| !kind.is_empty())
        .collect();
    let required = input.flag("RequireEachIncludedType") != Some(false);
    if required && (length as usize) < kinds.len() {
        return Err(invalid_parameter(
            "Password length is too short based on the required types: each included type needs a character.",
        ));
    }
    let mut all: Vec<char> = kinds.iter().flatten().copied().collect();
    // A space may be among them, but is none of the types that must be (API reference).
    if input.flag("IncludeSpace") == Some(true) {
        all.push(' ');
    }
    if all.is_empty() {
        return Err(invalid_parameter("The request excludes all characters."));
    }
    let mut draw = |from: &[char]| from[(world.random() % from.len() as u64) as usize];
    let mut password: Vec<char> = match required {
        true => kinds.iter().map(|kind| draw(kind)).collect(),
        false => Vec::new(),
    };
    while password.len() < length as usize {
        password.push(draw(&all));
    }
    // The required ones must not always come first.
    for at in (1..password.len()).rev() {
        let other = (world.random() % (at as u64 + 1)) as usize;
        password.swap(at, other);
    }
    Ok(json!({"RandomPassword": password.into_iter().collect::<String>()}))
}

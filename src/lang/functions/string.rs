//! Strings. Characters are grapheme clusters, what people take for one character.

use super::{Call, Failure, MOST_ELEMENTS, text_length, too_many};
use crate::value::{Type, Value};
use unicode_segmentation::UnicodeSegmentation;

type Result = std::result::Result<Value, Failure>;

pub fn upper(call: &Call) -> Result {
    // One character each, as in Go: the upper case of ß stays ß.
    Ok(Value::string(call.str(0).chars().map(single_upper).collect::<String>()))
}

fn single_upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match c {
        // Greek letters with an iota below, which Unicode also takes apart.
        '\u{1F80}'..='\u{1F87}' | '\u{1F90}'..='\u{1F97}' | '\u{1FA0}'..='\u{1FA7}' => shifted(c, 8),
        '\u{1FB3}' | '\u{1FC3}' | '\u{1FF3}' => shifted(c, 9),
        _ if upper.len() == 1 => upper.next().unwrap_or(c),
        _ => c,
    }
}

fn shifted(c: char, by: u32) -> char {
    char::from_u32(c as u32 + by).unwrap_or(c)
}

/// The upper case at the start of a word: digraphs have one of their own, Georgian has none.
fn title_case(c: char) -> char {
    match c {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        '\u{10D0}'..='\u{10FF}' => c,
        _ => single_upper(c),
    }
}

pub fn lower(call: &Call) -> Result {
    let one = |c: char| c.to_lowercase().next().unwrap_or(c);
    Ok(Value::string(call.str(0).chars().map(one).collect::<String>()))
}

/// The first letter of each word in upper case; letters, digits and `_` make up words, and all other
/// ASCII characters end one.
pub fn title(call: &Call) -> Result {
    let separates = |c: char| match c {
        '_' => false,
        c if c.is_ascii() => !c.is_ascii_alphanumeric(),
        c => !c.is_alphanumeric() && c.is_whitespace(),
    };
    let mut out = String::new();
    let mut before = ' ';
    for c in call.str(0).chars() {
        out.push(if separates(before) { title_case(c) } else { c });
        before = c;
    }
    Ok(Value::string(out))
}

pub fn strrev(call: &Call) -> Result {
    Ok(Value::string(call.str(0).graphemes(true).rev().collect::<String>()))
}

pub fn substr(call: &Call) -> Result {
    let (offset, length) = (call.whole(1)?, call.whole(2)?);
    let all: Vec<&str> = call.str(0).graphemes(true).collect();
    let count = all.len() as i64;
    let start = if offset < 0 { (count + offset).max(0) } else { offset.min(count) };
    // Counted from the end, a length of 0 is the rest, too: Terraform's quirk.
    let all_of_it = length < 0 || length == 0 && offset < 0;
    let end = if all_of_it { count } else { start.saturating_add(length).min(count) };
    Ok(Value::string(all[start as usize..end as usize].concat()))
}

pub fn trim(call: &Call) -> Result {
    let cutset: Vec<char> = call.str(1).chars().collect();
    Ok(Value::string(call.str(0).trim_matches(&cutset[..])))
}

pub fn trimspace(call: &Call) -> Result {
    Ok(Value::string(call.str(0).trim()))
}

pub fn trimprefix(call: &Call) -> Result {
    Ok(Value::string(call.str(0).strip_prefix(call.str(1)).unwrap_or(call.str(0))))
}

pub fn trimsuffix(call: &Call) -> Result {
    Ok(Value::string(call.str(0).strip_suffix(call.str(1)).unwrap_or(call.str(0))))
}

pub fn chomp(call: &Call) -> Result {
    Ok(Value::string(call.str(0).trim_end_matches(['\r', '\n'])))
}

pub fn indent(call: &Call) -> Result {
    let spaces = usize::try_from(call.whole(0)?)
        .map_err(|_| Failure::inside(0, "the number of spaces must not be negative"))?;
    let text = call.str(1);
    let lines = text.matches('\n').count();
    if lines == 0 {
        return Ok(call.args[1].clone());
    }
    text_length(lines.checked_mul(spaces).and_then(|added| added.checked_add(text.len())))?;
    Ok(Value::string(text.replace('\n', &format!("\n{}", " ".repeat(spaces)))))
}

pub fn join(call: &Call) -> Result {
    let mut parts = Vec::new();
    let mut known = true;
    for (i, list) in call.args.iter().enumerate().skip(1) {
        for (index, item) in list.as_slice().unwrap_or_default().iter().enumerate() {
            if item.is_null() {
                return Err(Failure::arg(i, format!("element {index} is null, which cannot be joined"))
                    .help("compact() leaves out nulls and empty strings"));
            }
            known &= !item.is_unknown();
            parts.push(item.as_str().unwrap_or_default());
        }
    }
    if call.args.len() < 2 {
        return Err(Failure::new("at least one list is required"));
    }
    let separators = parts.len().saturating_sub(1).checked_mul(call.str(0).len());
    let texts = parts.iter().map(|p| p.len()).sum::<usize>();
    text_length(separators.and_then(|n| n.checked_add(texts)))?;
    Ok(if known { Value::string(parts.join(call.str(0))) } else { Value::unknown(Type::String) })
}

pub fn split(call: &Call) -> Result {
    let (separator, text) = (call.str(0), call.str(1));
    let parts: Vec<Value> = if separator.is_empty() {
        text.chars().map(|c| Value::string(c.to_string())).take(MOST_ELEMENTS + 1).collect()
    } else {
        text.split(separator).map(Value::string).take(MOST_ELEMENTS + 1).collect()
    };
    if parts.len() > MOST_ELEMENTS {
        return Err(too_many());
    }
    Ok(Value::list(Type::String, parts))
}

/// The prefix known of a string, even of an unknown one.
fn known_prefix(value: &Value) -> &str {
    match &value.kind {
        crate::value::Kind::Unknown(u) => u.prefix.as_deref().unwrap_or_default(),
        _ => value.as_str().unwrap_or_default(),
    }
}

/// Can be told of an unknown string whose beginning is known.
pub fn startswith(call: &Call) -> Result {
    let Some(wanted) = call.args[1].as_str() else { return Ok(Value::unknown(Type::Bool)) };
    let known = known_prefix(&call.args[0]);
    if known.starts_with(wanted) {
        return Ok(Value::bool(true));
    }
    if !call.args[0].is_unknown() {
        return Ok(Value::bool(false));
    }
    // Longer than what is known: it still may match, unless it already differs.
    Ok(if wanted.starts_with(known) { Value::unknown(Type::Bool) } else { Value::bool(false) })
}

pub fn endswith(call: &Call) -> Result {
    Ok(Value::bool(call.str(0).ends_with(call.str(1))))
}

pub fn strcontains(call: &Call) -> Result {
    Ok(Value::bool(call.str(0).contains(call.str(1))))
}

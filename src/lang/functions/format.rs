//! `format` and `formatlist`: Go's verbs, widths, precisions and argument positions.

use super::{Call, Failure, text_length};
use crate::value::{Kind, Number, Type, Value, convert, json_text};
use unicode_segmentation::UnicodeSegmentation;

type Result<T> = std::result::Result<T, Failure>;

pub fn format(call: &Call) -> Result<Value> {
    let spec = call.str(0);
    if call.args[1..].iter().any(|v| !v.is_wholly_known()) {
        return Ok(Value::unknown_prefixed(spec.split('%').next().unwrap_or_default()));
    }
    Ok(Value::string(formatted(spec, &call.args[1..])?))
}

pub fn formatlist(call: &Call) -> Result<Value> {
    let (spec, args) = (call.str(0), &call.args[1..]);
    let sequence =
        |v: &Value| matches!(v.ty(), Type::List(_) | Type::Set(_) | Type::Tuple(_)) && !v.is_null();
    let mut count: Option<(usize, usize)> = None;
    for (i, arg) in args.iter().enumerate() {
        if !sequence(arg) {
            if matches!(&arg.kind, Kind::Unknown(u) if u.ty == Type::Dynamic) {
                return Ok(Value::unknown(Type::list(Type::String)));
            }
            continue;
        }
        let length = match arg.length_bounds() {
            Some((least, most)) if least == most => least,
            _ => return Ok(Value::unknown(Type::list(Type::String))),
        };
        match count {
            Some((other, wanted)) if wanted != length => {
                let what = format!("this has {length} elements, but argument {} has {wanted}", other + 2);
                return Err(Failure::arg(i + 1, what));
            }
            _ => count = Some((i, length)),
        }
    }
    let mut items = Vec::new();
    let mut total = 0;
    for index in 0..count.map_or(1, |(_, length)| length) {
        let element = |arg: &Value| match arg.as_slice() {
            Some(items) => items[index].clone(),
            None if sequence(arg) => Value::dynamic(),
            None => arg.clone(),
        };
        let now: Vec<Value> = args.iter().map(element).collect();
        if now.iter().any(|v| !v.is_wholly_known()) {
            items.push(Value::unknown_prefixed(spec.split('%').next().unwrap_or_default()));
            continue;
        }
        let text = formatted(spec, &now).map_err(|failure| Failure {
            arg: None,
            what: format!("for element {index}: {}", failure.what),
            ..failure
        })?;
        total = text_length(Some(total + text.len()))?;
        items.push(Value::string(text));
    }
    Ok(Value::list(Type::String, items))
}

/// `%[2]+5.1f`
#[derive(Default)]
struct Verb {
    minus: bool,
    plus: bool,
    space: bool,
    zero: bool,
    sharp: bool,
    width: usize,
    precision: Option<usize>,
    mode: char,
    text: String,
}

const WIDEST: usize = 10_000;

fn formatted(spec: &str, args: &[Value]) -> Result<String> {
    let mut out = String::new();
    let mut rest = spec;
    let (mut next, mut highest) = (0, 0);
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("%%") {
            out.push('%');
            rest = after;
            continue;
        }
        let offset = spec.len() - rest.len();
        let (verb, position, after) = parse_verb(rest, offset)?;
        rest = after;
        let index = match position {
            Some(0) => {
                return Err(Failure::new(format!("the position in `{}` must count from 1", verb.text)));
            }
            Some(n) => n - 1,
            None => next,
        };
        next = index + 1;
        highest = highest.max(next);
        let arg = args.get(index).ok_or_else(|| {
            let have = if args.len() == 1 { "1 is".to_owned() } else { format!("{} are", args.len()) };
            Failure::new(format!(
                "`{}` needs argument {next} after the format, but only {have} given",
                verb.text
            ))
        })?;
        let piece = verb.apply(arg)?;
        text_length(Some(out.len() + piece.len()))?;
        out.push_str(&piece);
    }
    out.push_str(rest);
    if highest < args.len() {
        let what = match highest {
            0 => "there are arguments, but no verbs in the format".to_owned(),
            n => format!("the format uses only {n} of the {} arguments after it", args.len()),
        };
        return Err(Failure::arg(highest + 1, what));
    }
    Ok(out)
}

fn parse_verb(text: &str, offset: usize) -> Result<(Verb, Option<usize>, &str)> {
    let unsupported = |end: usize| {
        let shown: String = text[..end].graphemes(true).collect();
        Failure::new(format!("`{shown}` at byte {offset} of the format is not a verb"))
            .help("verbs are %s, %q, %v, %#v, %d, %b, %o, %x, %X, %f, %e, %E, %g, %G and %t")
    };
    let mut verb = Verb::default();
    let mut position = None;
    let bytes = text.as_bytes();
    let mut i = 1;
    let number = |i: &mut usize| -> Option<usize> {
        let start = *i;
        while bytes.get(*i).is_some_and(u8::is_ascii_digit) {
            *i += 1;
        }
        // Too large a number is too large a width, not none.
        (*i > start).then(|| text[start..*i].parse().unwrap_or(usize::MAX))
    };
    loop {
        match bytes.get(i) {
            Some(b'-') => verb.minus = true,
            Some(b'+') => verb.plus = true,
            Some(b' ') => verb.space = true,
            Some(b'0') => verb.zero = true,
            Some(b'#') => verb.sharp = true,
            _ => break,
        }
        i += 1;
    }
    let index = |i: &mut usize| -> std::result::Result<Option<usize>, ()> {
        if bytes.get(*i) != Some(&b'[') {
            return Ok(None);
        }
        *i += 1;
        let n = number(i).ok_or(())?;
        if bytes.get(*i) != Some(&b']') {
            return Err(());
        }
        *i += 1;
        Ok(Some(n))
    };
    position = index(&mut i).map_err(|()| unsupported(i))?.or(position);
    verb.width = number(&mut i).unwrap_or(0);
    if bytes.get(i) == Some(&b'.') {
        i += 1;
        verb.precision = Some(number(&mut i).unwrap_or(0));
    }
    position = index(&mut i).map_err(|()| unsupported(i))?.or(position);
    if verb.width > WIDEST || verb.precision.is_some_and(|p| p > WIDEST) {
        return Err(Failure::new(format!("widths and precisions go up to {WIDEST}")));
    }
    let mode = text[i..].chars().next().ok_or_else(|| unsupported(text.len()))?;
    let end = i + mode.len_utf8();
    if !"vtbdoxXeEfgGsq".contains(mode) {
        return Err(unsupported(end));
    }
    verb.mode = mode;
    verb.text = text[..end].to_owned();
    Ok((verb, position, &text[end..]))
}

impl Verb {
    fn apply(&self, arg: &Value) -> Result<String> {
        let wrong = |what: &str| Failure::new(format!("`{}`: {what}", self.text));
        if self.mode == 'v' {
            return Ok(self.padded_any(self.value_text(arg)));
        }
        if arg.is_null() {
            return Err(wrong("a null value cannot be formatted").help("%v writes null, or use coalesce()"));
        }
        let ty = match self.mode {
            't' => Type::Bool,
            's' | 'q' => Type::String,
            _ => Type::Number,
        };
        let arg = convert(arg, &ty).map_err(|e| wrong(&e.what))?;
        match &arg.kind {
            // Terraform looks at no width here.
            Kind::Bool(b) => Ok(b.to_string()),
            Kind::String(s) => Ok(self.padded_any(self.string_text(s))),
            Kind::Number(n) => self.number_text(n).ok_or_else(|| wrong("a whole number is required")),
            _ => Err(wrong("the value is not known")),
        }
    }

    fn value_text(&self, arg: &Value) -> String {
        match &arg.kind {
            Kind::String(s) if !self.sharp => s.to_string(),
            Kind::Number(n) if !self.sharp => n.to_general(None),
            _ => json_text(arg).unwrap_or_default(),
        }
    }

    fn string_text(&self, text: &str) -> String {
        let cut: String = match self.precision {
            // A precision of 0 is none: a quirk of cty.
            Some(p) if p > 0 => text.graphemes(true).take(p).collect(),
            _ => text.to_owned(),
        };
        if self.mode == 'q' { json_text(&Value::string(cut)).unwrap_or_default() } else { cut }
    }

    fn padded(&self, text: String) -> String {
        self.filled(text, " ")
    }

    /// With zeros where the flag asks for them, whatever the value, and even behind it.
    fn padded_any(&self, text: String) -> String {
        self.filled(text, if self.zero { "0" } else { " " })
    }

    fn filled(&self, text: String, with: &str) -> String {
        let missing = self.width.saturating_sub(text.graphemes(true).take(self.width).count());
        let fill = with.repeat(missing);
        if self.minus { text + &fill } else { fill + &text }
    }

    /// None when a verb for whole numbers gets another.
    fn number_text(&self, n: &Number) -> Option<String> {
        let magnitude = n.abs();
        let digits = match self.mode {
            'd' => magnitude.to_radix(10)?,
            'b' => magnitude.to_radix(2)?,
            'o' => magnitude.to_radix(8)?,
            'x' => magnitude.to_radix(16)?,
            'X' => magnitude.to_radix(16)?.to_uppercase(),
            'f' => magnitude.to_fixed(self.precision.unwrap_or(6)),
            'e' => magnitude.to_scientific(Some(self.precision.unwrap_or(6))),
            'E' => magnitude.to_scientific(Some(self.precision.unwrap_or(6))).to_uppercase(),
            'G' => magnitude.to_general(self.precision).to_uppercase(),
            _ => magnitude.to_general(self.precision),
        };
        let whole = matches!(self.mode, 'd' | 'b' | 'o' | 'x' | 'X');
        let least = if whole { self.precision.unwrap_or(0) } else { 0 };
        let digits = format!("{}{digits}", "0".repeat(least.saturating_sub(digits.len())));
        let base = match self.mode {
            'b' if self.sharp => "0b",
            'o' if self.sharp => "0",
            'x' if self.sharp => "0x",
            'X' if self.sharp => "0X",
            _ => "",
        };
        let sign = match (n.is_negative(), self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let start = format!("{sign}{base}");
        if self.zero && !self.minus && !(whole && self.precision.is_some()) {
            let missing = self.width.saturating_sub(start.len() + digits.len());
            return Some(format!("{start}{}{digits}", "0".repeat(missing)));
        }
        Some(self.padded(start + &digits))
    }
}

//! JSON, base64, CSV, URLs and character sets.

use super::{Call, Failure};
use crate::value::{Kind, Type, Value, json_text, parse_json};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use flate2::{Compress, Compression, FlushCompress};
use std::collections::BTreeSet;
use std::sync::Arc;

type Result<T = Value> = std::result::Result<T, Failure>;

pub fn jsonencode(call: &Call) -> Result {
    // Anything that is JSON is at least one character; null becomes the text `null`.
    let value = &call.args[0];
    Ok(json_text(value).map_or_else(
        || match value.ty() {
            _ if !value.is_surely_not_null() => Value::unknown(Type::String),
            Type::Object(_) | Type::Map(_) => Value::unknown_prefixed("{ "),
            Type::List(_) | Type::Set(_) | Type::Tuple(_) => Value::unknown_prefixed("[ "),
            Type::String => Value::unknown_prefixed("\" "),
            _ => Value::unknown(Type::String),
        },
        Value::string,
    ))
}

/// Of unknown text the known beginning may tell.
pub fn type_of_json(args: &[Value]) -> Result<Type> {
    let Kind::Unknown(unknown) = &args[0].kind else { return Ok(Type::Dynamic) };
    let first = unknown.prefix.as_ref().and_then(|prefix| prefix.trim_start().chars().next());
    Ok(match first {
        Some('"') => Type::String,
        Some('t' | 'f') => Type::Bool,
        Some('-' | '0'..='9') => Type::Number,
        None | Some('{' | '[' | 'n') => Type::Dynamic,
        Some(other) => return Err(Failure::arg(0, format!("no JSON begins with `{other}`"))),
    })
}

pub fn jsondecode(call: &Call) -> Result {
    parse_json(call.str(0)).map_err(|e| Failure::new(format!("this is not JSON: {e}")))
}

pub fn base64encode(call: &Call) -> Result {
    Ok(Value::string(STANDARD.encode(call.str(0))))
}

pub(super) fn decode_base64(text: &str) -> std::result::Result<Vec<u8>, String> {
    // Go's decoder skips line breaks.
    let joined: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    // Nor does it look at the bits that are left over.
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, config);
    engine.decode(joined).map_err(|_| "this is not base64 text".to_owned())
}

pub fn base64decode(call: &Call) -> Result {
    let bytes = decode_base64(call.str(0)).map_err(Failure::new)?;
    String::from_utf8(bytes)
        .map(Value::string)
        .map_err(|_| Failure::new("the decoded bytes are not UTF-8 text").help("keep binary data in base64"))
}

/// Compressed and flushed as Go's gzip writer does it: a sync marker, then an empty last block.
pub fn base64gzip(call: &Call) -> Result {
    let text = call.str(0).as_bytes();
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut compress = Compress::new(Compression::default(), false);
    out.reserve(text.len() + 1024);
    loop {
        let done = compress.total_in() as usize;
        let before = out.len();
        compress
            .compress_vec(&text[done..], &mut out, FlushCompress::Sync)
            .map_err(|e| Failure::new(format!("compressing failed: {e}")))?;
        if compress.total_in() as usize == text.len() && out.len() < out.capacity() {
            break;
        }
        out.reserve((out.len() - before).max(1024));
    }
    out.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    let mut crc = flate2::Crc::new();
    crc.update(text);
    out.extend_from_slice(&crc.sum().to_le_bytes());
    out.extend_from_slice(&crc.amount().to_le_bytes());
    Ok(Value::string(STANDARD.encode(out)))
}

/// As a query parameter: a blank becomes `+`.
pub fn urlencode(call: &Call) -> Result {
    let mut out = String::new();
    for byte in call.str(0).bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(Value::string(out))
}

/// Lines end as Go's reader has them: a lone CR is data, but for one at the end.
fn csv_text(text: &str) -> String {
    let joined = text.replace("\r\n", "\n");
    // The csv crate would drop a byte order mark; of two it drops the first.
    let mark = if joined.starts_with('\u{feff}') { "\u{feff}" } else { "" };
    format!("{mark}{}", joined.strip_suffix('\r').unwrap_or(&joined))
}

fn csv_reader(has_headers: bool, text: &[u8]) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(has_headers)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(text)
}

fn csv_header(text: &str) -> Result<Vec<Arc<str>>> {
    let mut reader = csv_reader(false, text.as_bytes());
    let first = reader.records().next().ok_or_else(|| Failure::new("a line of column names is required"))?;
    let first = first.map_err(|e| Failure::new(format!("this is not CSV: {e}")))?;
    let names: Vec<Arc<str>> = first.iter().map(Arc::from).collect();
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(Failure::new(format!("the column `{twice}` is there twice"))),
        None => Ok(names),
    }
}

pub fn csvdecode_type(args: &[Value]) -> Result<Type> {
    let Some(text) = args[0].as_str() else { return Ok(Type::Dynamic) };
    Ok(Type::list(Type::object(csv_header(&csv_text(text))?.into_iter().map(|name| (name, Type::String)))))
}

pub fn csvdecode(call: &Call) -> Result {
    let text = csv_text(call.str(0));
    check_quotes(&text)?;
    let names = csv_header(&text)?;
    let mut reader = csv_reader(true, text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| Failure::new(format!("this is not CSV: {e}")))?;
        let cells = names.iter().cloned().zip(record.iter().map(Value::string));
        rows.push(Value::object(cells.collect()));
    }
    Ok(Value::list(call.ty.element().cloned().unwrap_or(Type::Dynamic), rows))
}

/// The csv crate takes quotes in the middle of a bare field as they are; Go's reader does not.
fn check_quotes(text: &str) -> Result<()> {
    let mut inside = false;
    let mut field_start = true;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (inside, c) {
            (false, '"') if field_start => inside = true,
            (false, '"') => return Err(Failure::new("this is not CSV: a quote in a field without quotes")),
            (true, '"') => match chars.peek() {
                Some('"') => {
                    chars.next();
                }
                None | Some(',' | '\r' | '\n') => inside = false,
                Some(_) => {
                    return Err(Failure::new(
                        "this is not CSV: something after the closing quote of a field",
                    ));
                }
            },
            _ => {}
        }
        field_start = !inside && matches!(c, ',' | '\n');
    }
    if inside { Err(Failure::new("this is not CSV: a quote is not closed")) } else { Ok(()) }
}

// --- Character sets -------------------------------------------------------------------------------

enum Charset {
    Utf8,
    Utf16 { big_endian: bool },
    Ascii,
    Latin1,
}

fn charset(name: &str, arg: usize) -> Result<Charset> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Charset::Utf8,
        "utf-16be" | "utf-16" => Charset::Utf16 { big_endian: true },
        "utf-16le" => Charset::Utf16 { big_endian: false },
        "us-ascii" | "ascii" => Charset::Ascii,
        "iso-8859-1" | "latin1" => Charset::Latin1,
        // Multi-byte and national sets that have ASCII as it is: only that part is supported here.
        "gbk" | "cp936" | "gb18030" | "shift_jis" | "euc-jp" | "euc-kr" | "big5" | "cp437" | "ibm437"
        | "windows-1250" | "windows-1251" | "windows-1252" | "iso-8859-2" | "iso-8859-15" => Charset::Ascii,
        _ => {
            return Err(Failure::arg(arg, format!("there is no character set `{name}`"))
                .help("known are UTF-8, UTF-16LE, UTF-16BE, US-ASCII and ISO-8859-1"));
        }
    })
}

pub fn textencodebase64(call: &Call) -> Result {
    let text = call.str(0);
    let unfit = || Failure::arg(0, format!("the text has characters that {} cannot have here", call.str(1)));
    let bytes = match charset(call.str(1), 1)? {
        Charset::Utf8 => text.as_bytes().to_vec(),
        Charset::Utf16 { big_endian: true } => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Charset::Utf16 { big_endian: false } => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Charset::Ascii if text.is_ascii() => text.as_bytes().to_vec(),
        Charset::Ascii => return Err(unfit()),
        Charset::Latin1 => {
            text.chars().map(|c| u8::try_from(c).map_err(|_| unfit())).collect::<Result<_>>()?
        }
    };
    Ok(Value::string(STANDARD.encode(bytes)))
}

pub fn textdecodebase64(call: &Call) -> Result {
    let set = charset(call.str(1), 1)?;
    let bytes = decode_base64(call.str(0)).map_err(|what| Failure::arg(0, what))?;
    let unfit = || Failure::arg(0, format!("the decoded bytes are not {} text", call.str(1)));
    let units = |from: fn([u8; 2]) -> u16| {
        bytes.chunks_exact(2).map(|pair| from([pair[0], pair[1]])).collect::<Vec<u16>>()
    };
    let utf16 = |units: Vec<u16>| {
        if bytes.len() % 2 == 1 { Err(unfit()) } else { String::from_utf16(&units).map_err(|_| unfit()) }
    };
    let text = match set {
        Charset::Utf8 => String::from_utf8(bytes.clone()).map_err(|_| unfit())?,
        Charset::Utf16 { big_endian: true } => utf16(units(u16::from_be_bytes))?,
        Charset::Utf16 { big_endian: false } => utf16(units(u16::from_le_bytes))?,
        Charset::Ascii if bytes.is_ascii() => bytes.iter().map(|b| *b as char).collect(),
        Charset::Ascii => return Err(unfit()),
        Charset::Latin1 => bytes.iter().map(|b| *b as char).collect(),
    };
    Ok(Value::string(text))
}

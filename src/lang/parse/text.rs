//! Literal text: escapes, normalisation, and one copy of each short string.

use super::Parser;
use crate::diag::{Diagnostic, Span};
use std::borrow::Cow;
use std::sync::Arc;
use unicode_normalization::{UnicodeNormalization, is_nfc};

const SLOTS: usize = 1024;
const MAX_SHARED_BYTES: usize = 40;

/// Names and short strings repeat: a lossy table keeps the last one of each hash.
#[derive(Default)]
pub(super) struct Interner {
    /// None before the first name.
    slots: Vec<Option<Arc<str>>>,
}

impl Interner {
    /// In Unicode normalisation form C, as Terraform has all strings.
    pub(super) fn normalized(&mut self, text: &str) -> Arc<str> {
        if text.is_ascii() || is_nfc(text) {
            return self.shared(text);
        }
        text.nfc().collect::<String>().into()
    }

    fn shared(&mut self, text: &str) -> Arc<str> {
        if text.len() > MAX_SHARED_BYTES {
            return text.into();
        }
        let index = (hash(text.as_bytes()) >> 48) as usize % SLOTS;
        if self.slots.is_empty() {
            self.slots = vec![None; SLOTS];
        }
        let slot = &mut self.slots[index];
        match slot {
            Some(known) if **known == *text => known.clone(),
            _ => slot.insert(text.into()).clone(),
        }
    }
}

/// Eight bytes at a time: nearly every token comes by here.
fn hash(bytes: &[u8]) -> u64 {
    let mix = |h: u64, word: u64| (h.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let (words, rest) = bytes.as_chunks::<8>();
    let whole = words.iter().fold(bytes.len() as u64, |h, word| mix(h, u64::from_le_bytes(*word)));
    mix(whole, rest.iter().fold(0, |word, b| word << 8 | u64::from(*b)))
}

impl<'a> Parser<'a> {
    /// The value of a literal part of a quoted string that starts at `offset`.
    pub(super) fn unescape(&mut self, raw: &'a str, offset: usize) -> Cow<'a, str> {
        if !raw.bytes().any(|b| matches!(b, b'\\' | b'$' | b'%')) {
            return Cow::Borrowed(raw);
        }
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(i) = rest.find(['\\', '$', '%']) {
            value.push_str(&rest[..i]);
            rest = &rest[i..];
            let taken = match rest.strip_prefix('\\') {
                Some(escape) => 1 + self.escape(escape, offset + raw.len() - rest.len(), &mut value),
                None => dollar_or_percent(rest, &mut value),
            };
            rest = &rest[taken..];
        }
        value.push_str(rest);
        Cow::Owned(value)
    }

    /// Appends what the escape means (`escape` starts after the backslash at `offset`) and returns its length.
    fn escape(&mut self, escape: &str, offset: usize, value: &mut String) -> usize {
        let Some(selector) = escape.chars().next() else {
            self.invalid_escape(offset, 1, "a backslash starts an escape sequence");
            return 0;
        };
        let digits = match selector {
            'n' | 'r' | 't' | '"' | '\\' => {
                value.push(match selector {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                });
                return 1;
            }
            'u' => 4,
            'U' => 8,
            _ => {
                let len = 1 + selector.len_utf8();
                self.invalid_escape(offset, len, &format!("`\\{selector}` is not an escape sequence"));
                value.push(selector);
                return selector.len_utf8();
            }
        };
        let hex = escape[1..].bytes().take(digits).take_while(u8::is_ascii_hexdigit).count();
        let code = u32::from_str_radix(&escape[1..1 + hex], 16).ok().filter(|_| hex == digits);
        match code.map(char::from_u32) {
            Some(Some(c)) => value.push(c),
            Some(None) => self.invalid_escape(offset, 2 + hex, "this is not a character of Unicode"),
            None => self.invalid_escape(
                offset,
                2 + hex,
                &format!("`\\{selector}` must be followed by {digits} hexadecimal digits"),
            ),
        }
        1 + hex
    }

    fn invalid_escape(&mut self, offset: usize, len: usize, summary: &str) {
        let span = Span::new(self.file, offset, offset + len);
        self.report(
            Diagnostic::error("invalid-escape", summary).at(span).help(
                "the escapes are \\n \\r \\t \\\" \\\\ \\uNNNN \\UNNNNNNNN; a backslash itself is `\\\\`",
            ),
        );
    }
}

/// The value of a literal part of a heredoc or template file: no escapes but `$${` and `%%{`.
pub(super) fn unescape_plain(raw: &str) -> Cow<'_, str> {
    if !raw.contains("$${") && !raw.contains("%%{") {
        return Cow::Borrowed(raw);
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(i) = rest.find(['$', '%']) {
        value.push_str(&rest[..i]);
        rest = &rest[i..];
        rest = &rest[dollar_or_percent(rest, &mut value)..];
    }
    value.push_str(rest);
    Cow::Owned(value)
}

/// `$${` → `${`; any other `$` is itself. Returns the length taken.
fn dollar_or_percent(rest: &str, value: &mut String) -> usize {
    let (literal, len) = match rest.as_bytes() {
        [b'$', b'$', b'{', ..] => ("${", 3),
        [b'%', b'%', b'{', ..] => ("%{", 3),
        _ => (&rest[..1], 1),
    };
    value.push_str(literal);
    len
}

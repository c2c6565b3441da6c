//! JSON text → [`Json`], going on after a mistake where that is possible.

use super::{Json, Kind, Member, Text};
use crate::diag::{Diagnostic, FileId, Sources, Span};
use crate::lang::parse::MAX_DEPTH;

/// Half of what expressions may have: the other half is for those inside of strings.
const MAX_NESTING: usize = MAX_DEPTH / 2;

/// Reads a file that is one JSON value.
pub fn read(sources: &Sources, file: FileId) -> (Json, Vec<Diagnostic>) {
    let text = sources.text(file);
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = Reader { text, file, pos: start, depth: 0, diags: Vec::new() };
    let value = reader.value();
    if let Ok(value) = &value {
        reader.blanks();
        if reader.pos < text.len() && value.kind != Kind::Error {
            let (found, span) = reader.found();
            reader.report("unexpected-token", format!("expected the end of the file, found {found}"), span)
        }
    }
    let whole = Span::new(file, start, text.len());
    (value.unwrap_or(Json { kind: Kind::Error, span: whole }), reader.diags)
}

/// The rest of the text cannot be understood; the reason is reported.
struct Stop;

struct Reader<'t> {
    text: &'t str,
    file: FileId,
    pos: usize,
    depth: usize,
    diags: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn report(&mut self, code: &'static str, summary: String, span: Span) {
        let d = Diagnostic::error(code, summary).at(span);
        self.diags.push(match code {
            "unexpected-token" => d.help("a file that ends in `.json` holds exactly one JSON object"),
            _ => d,
        });
    }

    fn span(&self, start: usize) -> Span {
        Span::new(self.file, start, self.pos)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.pos += 1;
        }
    }

    /// What stands here, in words, and where.
    fn found(&self) -> (String, Span) {
        let rest = &self.text[self.pos..];
        let Some(first) = rest.chars().next() else {
            return ("the end of the file".to_owned(), Span::new(self.file, self.pos, self.pos));
        };
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let len = word.clamp(first.len_utf8(), 40.max(first.len_utf8()));
        let len = rest.floor_char_boundary(len);
        (format!("`{}`", &rest[..len]), Span::new(self.file, self.pos, self.pos + len))
    }

    fn unexpected(&mut self, wanted: &str) -> Stop {
        let (found, span) = self.found();
        let d = Diagnostic::error("invalid-json", format!("expected {wanted}, found {found}")).at(span);
        self.diags.push(match self.peek() {
            Some(b'\'') => d.help("JSON strings stand in double quotes"),
            Some(b'/' | b'#') => d.help("JSON has no comments; a property named \"//\" serves as one"),
            _ => d.help("this file is JSON, not HCL: check quotes, colons and commas"),
        });
        Stop
    }

    fn value(&mut self) -> Result<Json, Stop> {
        self.blanks();
        let start = self.pos;
        let kind = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => Kind::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'a'..=b'z') => self.word()?,
            _ => return Err(self.unexpected("a JSON value")),
        };
        Ok(Json { kind, span: self.span(start) })
    }

    fn nested(&mut self, rule: fn(&mut Self) -> Result<Kind, Stop>) -> Result<Kind, Stop> {
        if self.depth == MAX_NESTING {
            let span = Span::new(self.file, self.pos, self.pos + 1);
            let d = Diagnostic::error("nested-too-deeply", "this is nested too deeply").at(span);
            self.diags.push(d.help(format!("at most {MAX_NESTING} levels are read")));
            return Err(Stop);
        }
        self.depth += 1;
        let kind = rule(self);
        self.depth -= 1;
        kind
    }

    fn object(&mut self) -> Result<Kind, Stop> {
        self.pos += 1;
        let mut members = Vec::new();
        self.blanks();
        if self.take(b'}') {
            return Ok(Kind::Object(members));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a property name in double quotes"));
            }
            let name = self.string()?;
            self.blanks();
            if !self.take(b':') {
                return Err(self.unexpected("`:` after the property name"));
            }
            members.push(Member { name, value: self.value()? });
            self.blanks();
            if self.take(b'}') {
                return Ok(Kind::Object(members));
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `}`"));
            }
            if self.trailing_comma(b'}') {
                return Ok(Kind::Object(members));
            }
        }
    }

    fn array(&mut self) -> Result<Kind, Stop> {
        self.pos += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.take(b']') {
            return Ok(Kind::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.blanks();
            if self.take(b']') {
                return Ok(Kind::Array(items));
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `]`"));
            }
            if self.trailing_comma(b']') {
                return Ok(Kind::Array(items));
            }
        }
    }

    /// Behind a comma: whether `closing` comes at once, which is a mistake but clear.
    fn trailing_comma(&mut self, closing: u8) -> bool {
        let comma = Span::new(self.file, self.pos - 1, self.pos);
        self.blanks();
        let trailing = self.take(closing);
        if trailing {
            let d =
                Diagnostic::error("invalid-json", "JSON allows no comma before a closing bracket").at(comma);
            self.diags.push(d.help("remove this comma"));
        }
        trailing
    }

    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.pos += usize::from(here);
        here
    }

    fn word(&mut self) -> Result<Kind, Stop> {
        let rest = &self.text[self.pos..];
        for (word, kind) in [("true", Kind::Bool(true)), ("false", Kind::Bool(false)), ("null", Kind::Null)] {
            let after = rest.strip_prefix(word).map(|r| r.bytes().next());
            if after.is_some_and(|next| !next.is_some_and(|b| b.is_ascii_alphanumeric())) {
                self.pos += word.len();
                return Ok(kind);
            }
        }
        Err(self.unexpected("`true`, `false`, `null` or a string in quotes"))
    }

    fn number(&mut self) -> Result<Kind, Stop> {
        let rest = &self.text[self.pos..];
        let digit = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E');
        let len = rest.bytes().take_while(|b| digit(*b)).count();
        let text = &rest[..len];
        let start = self.pos;
        self.pos += len;
        match is_json_number(text).then(|| text.parse()) {
            Some(Ok(number)) => Ok(Kind::Number(number)),
            _ => {
                let span = self.span(start);
                let d = Diagnostic::error("invalid-json", format!("`{text}` is not a JSON number")).at(span);
                self.diags.push(d.help("write it like `12`, `-0.5` or `1e3`"));
                Ok(Kind::Error)
            }
        }
    }

    fn string(&mut self) -> Result<Text, Stop> {
        let start = self.pos;
        self.pos += 1;
        let mut value = String::new();
        let mut escapes = Vec::new();
        loop {
            let rest = &self.text[self.pos..];
            let plain = rest.bytes().take_while(|b| !matches!(b, b'"' | b'\\' | b'\n' | b'\r')).count();
            value.push_str(&rest[..plain]);
            self.pos += plain;
            match self.peek() {
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(Text { value, span: self.span(start), escapes });
                }
                Some(b'\\') => {
                    self.escape(&mut value);
                    escapes.push((value.len() as u32, self.pos as u32));
                }
                _ => {
                    let d = Diagnostic::error("unclosed-string", "this string is not closed on its line");
                    let d = d.at(self.span(start));
                    self.diags.push(d.help("close it with `\"`; a line break is written `\\n`"));
                    return Err(Stop);
                }
            }
        }
    }

    /// Appends what an escape means.
    fn escape(&mut self, value: &mut String) {
        let start = self.pos;
        let simple = match self.text.as_bytes().get(start + 1) {
            Some(b'n') => Some('\n'),
            Some(b'r') => Some('\r'),
            Some(b't') => Some('\t'),
            Some(b'b') => Some('\u{8}'),
            Some(b'f') => Some('\u{c}'),
            Some(c @ (b'"' | b'\\' | b'/')) => Some(char::from(*c)),
            _ => None,
        };
        if let Some(c) = simple {
            value.push(c);
            self.pos += 2;
            return;
        }
        match self.unicode(start) {
            Some(unit @ 0xD800..=0xDBFF) => match self.unicode(start + 6) {
                Some(low @ 0xDC00..=0xDFFF) => {
                    self.pos = start + 12;
                    let code = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                    value.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                _ => {
                    self.pos = start + 6;
                    value.push(char::REPLACEMENT_CHARACTER);
                }
            },
            Some(unit) => {
                self.pos = start + 6;
                value.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            None => {
                self.pos = start + 1;
                let d = Diagnostic::error("invalid-escape", "this is not an escape sequence of JSON");
                let d = d.at(Span::new(self.file, start, start + 1));
                self.diags.push(d.help("the escapes are \\n \\r \\t \\b \\f \\\" \\/ \\\\ \\uNNNN"));
            }
        }
    }

    /// The code unit of `\uNNNN` at `at`.
    fn unicode(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    }
}

fn is_json_number(text: &str) -> bool {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((w, f)) => (w, Some(f)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['-', '+']).unwrap_or(e)))
}

//! RE2's syntax, as Go reads it, in the regex crate's.

/// A pattern for the regex crate, and the names that its groups have here (there they have none).
#[derive(Debug)]
pub struct Translated {
    pub pattern: String,
    pub groups: Vec<Option<String>>,
}

type Result<T> = std::result::Result<T, String>;

/// Go unrolls repetitions, and so bounds them.
const MOST_REPEATS: u64 = 1000;

/// In Go `\d`, `\w`, `\s` and `\b` are ASCII only, a class has no set operations, a `{` that begins no
/// repetition is itself, and `\Q…\E` quotes.
pub fn translate(pattern: &str) -> Result<Translated> {
    let mut reader = Reader {
        text: pattern,
        at: 0,
        out: String::with_capacity(pattern.len() + 16),
        groups: Vec::new(),
        nested: vec![1],
        atom: 1,
        repeated: false,
    };
    while reader.at < pattern.len() {
        reader.step()?;
    }
    Ok(Translated { pattern: reader.out, groups: reader.groups })
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    out: String,
    groups: Vec<Option<String>>,
    /// The most repetitions of anything in each of the open groups, the whole pattern first.
    nested: Vec<u64>,
    /// The same of what a repetition here would apply to.
    atom: u64,
    /// Just behind a repetition.
    repeated: bool,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn take(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take_if(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    fn step(&mut self) -> Result<()> {
        let repetition = repetition(self.rest());
        if let Some((length, least, most)) = repetition {
            return self.repeat(length, least, most);
        }
        self.repeated = false;
        match self.take() {
            Some('\\') => {
                self.atom = 1;
                self.escape()?;
            }
            Some('[') => {
                self.atom = 1;
                self.class()?;
            }
            Some('(') => self.open()?,
            Some(')') => {
                self.out.push(')');
                // An unpaired one is left for the regex crate to report.
                self.atom = if self.nested.len() > 1 { self.nested.pop().unwrap_or(1) } else { 1 };
            }
            Some(c) => {
                self.atom = 1;
                if c == '{' {
                    self.out.push('\\');
                }
                self.out.push(c);
            }
            None => {}
        }
        Ok(())
    }

    fn repeat(&mut self, length: usize, least: u64, most: Option<u64>) -> Result<()> {
        let shown = &self.rest()[..length];
        if self.repeated {
            return Err(format!("`{shown}` follows another repetition"));
        }
        let times = if shown.starts_with('{') { most.unwrap_or(least).max(1) } else { 1 };
        self.atom = self.atom.saturating_mul(times);
        if self.atom > MOST_REPEATS || least > MOST_REPEATS {
            return Err(format!("`{shown}` repeats something more than {MOST_REPEATS} times"));
        }
        let inside = self.nested.last_mut().expect("the whole pattern is always there");
        *inside = (*inside).max(self.atom);
        self.out.push_str(shown);
        self.at += length;
        if self.take_if("?") {
            self.out.push('?');
        }
        self.repeated = true;
        Ok(())
    }

    /// Behind a `(`.
    fn open(&mut self) -> Result<()> {
        self.nested.push(1);
        self.atom = 1;
        if !self.take_if("?") {
            self.groups.push(None);
            self.out.push('(');
            return Ok(());
        }
        if self.take_if("P<") || self.take_if("<") {
            let end = self.rest().find('>').ok_or("the name of a group is not closed by `>`")?;
            let name = &self.rest()[..end];
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(format!("`{name}` cannot be the name of a group"));
            }
            self.at += end + 1;
            self.groups.push(Some(name.to_owned()));
            self.out.push('(');
            return Ok(());
        }
        let end = self.rest().find([':', ')']).ok_or("`(?` is not closed")?;
        let flags = &self.rest()[..end];
        if !flags.chars().all(|c| "imsU-".contains(c)) || flags.matches('-').count() > 1 {
            return Err(format!("`(?{flags}` is neither a group nor a flag"));
        }
        self.at += end;
        self.out.push_str("(?");
        self.out.push_str(flags);
        if self.take_if(":") {
            self.out.push(':');
        }
        Ok(())
    }

    /// Behind a `\`.
    fn escape(&mut self) -> Result<()> {
        if self.take_if("Q") {
            let (quoted, length) = match self.rest().find("\\E") {
                Some(end) => (&self.rest()[..end], end + 2),
                None => (self.rest(), self.rest().len()),
            };
            self.out.push_str(&regex::escape(quoted));
            self.at += length;
            return Ok(());
        }
        match self.rest().chars().next() {
            Some(c @ ('b' | 'B')) => {
                self.at += 1;
                self.out.push_str(&format!("(?-u:\\{c})"));
            }
            Some(c @ ('A' | 'z')) => {
                self.at += 1;
                self.out.push('\\');
                self.out.push(c);
            }
            _ => self.character()?,
        }
        Ok(())
    }

    /// Behind a `\`, inside of a class or not.
    fn character(&mut self) -> Result<()> {
        let Some(c) = self.take() else { return Err("a `\\` at the end".to_owned()) };
        match c {
            'd' => self.out.push_str("[0-9]"),
            'D' => self.out.push_str("[^0-9]"),
            'w' => self.out.push_str("[0-9A-Za-z_]"),
            'W' => self.out.push_str("[^0-9A-Za-z_]"),
            's' => self.out.push_str("[\\t\\n\\x0C\\r ]"),
            'S' => self.out.push_str("[^\\t\\n\\x0C\\r ]"),
            'p' | 'P' => self.property(c)?,
            'x' => self.hexadecimal()?,
            '0'..='7' => {
                let more = self.rest().bytes().take(2).take_while(|b| (b'0'..=b'7').contains(b)).count();
                if c != '0' && more == 0 {
                    return Err(format!("`\\{c}`: a pattern cannot refer back to a group"));
                }
                let digits = &self.text[self.at - 1..self.at + more];
                let code = u32::from_str_radix(digits, 8).map_err(|_| "an octal escape is wrong")?;
                self.at += more;
                self.out.push_str(&format!("\\x{{{code:X}}}"));
            }
            'a' | 'f' | 'n' | 'r' | 't' | 'v' => {
                self.out.push('\\');
                self.out.push(c);
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => {
                self.out.push_str(&format!("\\x{{{:X}}}", c as u32));
            }
            c => return Err(format!("there is no escape `\\{c}`")),
        }
        Ok(())
    }

    /// Behind `\p` or `\P`.
    fn property(&mut self, letter: char) -> Result<()> {
        let name = if self.take_if("{") {
            let end = self.rest().find('}').ok_or("the name of a property is not closed by `}`")?;
            let name = &self.rest()[..end];
            self.at += end + 1;
            name.to_owned()
        } else {
            self.take().ok_or("the name of a property is missing")?.to_string()
        };
        let (name, negated) = match name.strip_prefix('^') {
            Some(rest) => (rest, true),
            None => (&name[..], false),
        };
        // Go knows categories by their one or two letters, and scripts by their names.
        let known = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
        if !known {
            return Err(format!("there is no property `{name}` of characters"));
        }
        let letter = if (letter == 'P') != negated { 'P' } else { 'p' };
        self.out.push_str(&format!("\\{letter}{{{name}}}"));
        Ok(())
    }

    /// Behind `\x`.
    fn hexadecimal(&mut self) -> Result<()> {
        let digits = if self.take_if("{") {
            let end = self.rest().find('}').ok_or("`\\x{` is not closed")?;
            let digits = &self.rest()[..end];
            self.at += end + 1;
            digits
        } else {
            let digits = self.rest().get(..2).ok_or("`\\x` takes two digits")?;
            self.at += 2;
            digits
        };
        let valid = digits.len() <= 8 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let code = u32::from_str_radix(digits, 16).ok().filter(|code| valid && *code <= 0x10FFFF);
        let code = code.ok_or_else(|| format!("`{digits}` is not the code of a character"))?;
        self.out.push_str(&format!("\\x{{{code:X}}}"));
        Ok(())
    }

    /// Behind a `[`.
    fn class(&mut self) -> Result<()> {
        self.out.push('[');
        if self.take_if("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some(c) = self.take() else { return Err("a `[` is not closed".to_owned()) };
            match c {
                ']' if !first => {
                    self.out.push(']');
                    return Ok(());
                }
                '\\' => self.character()?,
                '[' if self.rest().starts_with(':') && self.rest()[1..].contains(":]") => {
                    self.named_class()?
                }
                '-' => {
                    // `--` would be a difference.
                    self.out.push_str(if self.rest().starts_with(['-', ']']) || first { "\\-" } else { "-" });
                }
                '[' | ']' | '&' | '~' | '^' => {
                    self.out.push('\\');
                    self.out.push(c);
                }
                c => self.out.push(c),
            }
            first = false;
        }
    }

    /// `[:alpha:]`, behind its `[`.
    fn named_class(&mut self) -> Result<()> {
        const NAMES: &[&str] = &[
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        let end = self.rest().find(":]").ok_or("a class is not closed")?;
        let name = &self.rest()[1..end];
        if !NAMES.contains(&name.trim_start_matches('^')) {
            return Err(format!("there is no class `[:{name}:]`"));
        }
        self.out.push_str(&format!("[:{name}:]"));
        self.at += end + 2;
        Ok(())
    }
}

/// The length, least and most of a repetition that `text` begins with.
fn repetition(text: &str) -> Option<(usize, u64, Option<u64>)> {
    match text.as_bytes().first()? {
        b'*' => return Some((1, 0, None)),
        b'+' => return Some((1, 1, None)),
        b'?' => return Some((1, 0, Some(1))),
        b'{' => {}
        _ => return None,
    }
    let end = text.find('}')?;
    let (least, most) = text[1..end].split_once(',').unwrap_or((&text[1..end], &text[1..end]));
    let number = |s: &str| -> Option<u64> {
        (s.bytes().all(|b| b.is_ascii_digit()) && !s.is_empty()).then(|| s.parse().unwrap_or(u64::MAX))
    };
    let least = number(least)?;
    let most = if most.is_empty() { None } else { Some(number(most)?) };
    Some((end + 1, least, most))
}

//! Line editing and history for a terminal. Expressions may hold secrets: the history is not written down.

use std::io::{BufRead, Write};

pub enum Input {
    Line(String),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D on an empty line, or no more input.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Char(char),
    Enter,
    Interrupt,
    /// Ctrl-D: delete, or leave.
    EndOfInput,
    Backspace,
    Delete,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Up,
    Down,
    CutToEnd,
    CutToStart,
    CutWord,
    Paste,
    Clear,
    Unknown,
}

/// The line being written.
#[derive(Debug, Default)]
struct Line {
    text: Vec<char>,
    cursor: usize,
    cut: Vec<char>,
}

impl Line {
    fn set(&mut self, text: &str) {
        self.text = text.chars().collect();
        self.cursor = self.text.len();
    }

    fn remove(&mut self, range: std::ops::Range<usize>) -> Vec<char> {
        self.cursor = range.start;
        self.text.drain(range).collect()
    }

    fn word_left(&self) -> usize {
        let before = &self.text[..self.cursor];
        let word = before.iter().rposition(|c| c.is_alphanumeric()).map_or(0, |i| i + 1);
        before[..word].iter().rposition(|c| !c.is_alphanumeric()).map_or(0, |i| i + 1)
    }

    fn word_right(&self) -> usize {
        let after = &self.text[self.cursor..];
        let word = after.iter().position(|c| c.is_alphanumeric()).unwrap_or(after.len());
        let end = after[word..].iter().position(|c| !c.is_alphanumeric());
        self.cursor + end.map_or(after.len(), |i| word + i)
    }

    fn edit(&mut self, key: Key) {
        let (at, end) = (self.cursor, self.text.len());
        match key {
            Key::Char(c) => {
                self.text.insert(at, c);
                self.cursor += 1;
            }
            Key::Backspace if at > 0 => drop(self.remove(at - 1..at)),
            Key::Delete | Key::EndOfInput if at < end => drop(self.remove(at..at + 1)),
            Key::Left => self.cursor = at.saturating_sub(1),
            Key::Right => self.cursor = (at + 1).min(end),
            Key::WordLeft => self.cursor = self.word_left(),
            Key::WordRight => self.cursor = self.word_right(),
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = end,
            Key::CutToEnd => self.cut = self.remove(at..end),
            Key::CutToStart => self.cut = self.remove(0..at),
            Key::CutWord => self.cut = self.remove(self.word_left()..at),
            Key::Paste => {
                let cut = self.cut.clone();
                self.cursor += cut.len();
                self.text.splice(at..at, cut);
            }
            _ => {}
        }
    }
}

/// One key from the bytes of a terminal; None at their end.
fn key(next: &mut dyn FnMut() -> std::io::Result<Option<u8>>) -> std::io::Result<Option<Key>> {
    let Some(first) = next()? else { return Ok(None) };
    Ok(Some(match first {
        b'\r' | b'\n' => Key::Enter,
        1 => Key::Home,
        2 => Key::Left,
        3 => Key::Interrupt,
        4 => Key::EndOfInput,
        5 => Key::End,
        6 => Key::Right,
        8 | 0x7f => Key::Backspace,
        11 => Key::CutToEnd,
        12 => Key::Clear,
        14 => Key::Down,
        16 => Key::Up,
        21 => Key::CutToStart,
        23 => Key::CutWord,
        25 => Key::Paste,
        b'\t' => Key::Char(' '),
        0x1b => escape(next)?,
        0..=0x1f => Key::Unknown,
        0x20..=0x7e => Key::Char(first as char),
        _ => character(first, next)?,
    }))
}

/// The rest of a character in UTF-8.
fn character(first: u8, next: &mut dyn FnMut() -> std::io::Result<Option<u8>>) -> std::io::Result<Key> {
    let more = match first {
        0xc0..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf7 => 3,
        _ => 0,
    };
    let mut bytes = vec![first];
    for _ in 0..more {
        bytes.extend(next()?);
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.chars().next().map_or(Key::Unknown, Key::Char))
}

/// Behind an escape: `[A`, `[1;5C`, `[3~`, `OH`, `b`.
fn escape(next: &mut dyn FnMut() -> std::io::Result<Option<u8>>) -> std::io::Result<Key> {
    match next()? {
        Some(b'b') => return Ok(Key::WordLeft),
        Some(b'f') => return Ok(Key::WordRight),
        Some(b'[' | b'O') => {}
        _ => return Ok(Key::Unknown),
    }
    let mut parameters = String::new();
    loop {
        let Some(byte) = next()? else { return Ok(Key::Unknown) };
        if byte.is_ascii_digit() || byte == b';' {
            parameters.push(byte as char);
            continue;
        }
        return Ok(match (byte, parameters.as_str()) {
            (b'C', p) if p.ends_with(";5") || p.ends_with(";3") => Key::WordRight,
            (b'D', p) if p.ends_with(";5") || p.ends_with(";3") => Key::WordLeft,
            (b'A', _) => Key::Up,
            (b'B', _) => Key::Down,
            (b'C', _) => Key::Right,
            (b'D', _) => Key::Left,
            (b'H', _) | (b'~', "1" | "7") => Key::Home,
            (b'F', _) | (b'~', "4" | "8") => Key::End,
            (b'~', "3") => Key::Delete,
            _ => Key::Unknown,
        });
    }
}

#[derive(Debug, Default)]
pub struct LineEditor {
    history: Vec<String>,
}

impl LineEditor {
    pub fn new() -> Self {
        Self::default()
    }

    /// One line, without its end. Where the terminal cannot be set up, as it gives lines.
    pub fn read(&mut self, prompt: &str) -> std::io::Result<Input> {
        let input = match raw::Mode::enter() {
            Some(_mode) => self.edit(prompt)?,
            None => plain(prompt)?,
        };
        if let Input::Line(line) = &input
            && !line.trim().is_empty()
            && self.history.last() != Some(line)
        {
            self.history.push(line.clone());
        }
        Ok(input)
    }

    fn edit(&mut self, prompt: &str) -> std::io::Result<Input> {
        let mut line = Line::default();
        // What was being written before looking back, and how far back one is.
        let (mut written, mut back) = (String::new(), 0);
        loop {
            show(prompt, &line)?;
            let Some(key) = key(&mut raw::next_byte)? else { return leave(Input::End) };
            match key {
                Key::Enter => return leave(Input::Line(line.text.into_iter().collect())),
                Key::Interrupt => return leave(Input::Interrupted),
                Key::EndOfInput if line.text.is_empty() => return leave(Input::End),
                Key::Clear => print!("\x1b[2J\x1b[H"),
                Key::Up if back < self.history.len() => {
                    if back == 0 {
                        written = line.text.iter().collect();
                    }
                    back += 1;
                    line.set(&self.history[self.history.len() - back]);
                }
                Key::Down if back > 0 => {
                    back -= 1;
                    line.set(if back == 0 { &written } else { &self.history[self.history.len() - back] });
                }
                key => line.edit(key),
            }
        }
    }
}

/// Draws the line, and its beginning once more so that the cursor stands where it belongs however wide
/// characters are. Of a long line, what is around the cursor.
fn show(prompt: &str, line: &Line) -> std::io::Result<()> {
    let room = super::error::width().saturating_sub(prompt.len() + 1).max(10);
    let from = line.cursor.saturating_sub(room);
    let to = line.text.len().min(from + room);
    let text = |range: std::ops::Range<usize>| line.text[range].iter().collect::<String>();
    let (all, before) = (text(from..to), text(from..line.cursor));
    let mut out = std::io::stdout().lock();
    write!(out, "\r{prompt}{all}\x1b[K\r{prompt}{before}")?;
    out.flush()
}

fn leave(input: Input) -> std::io::Result<Input> {
    let mut out = std::io::stdout().lock();
    out.write_all(b"\r\n")?;
    out.flush()?;
    Ok(input)
}

fn plain(prompt: &str) -> std::io::Result<Input> {
    print!("{prompt}");
    std::io::stdout().flush()?;
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line)? == 0 {
        return Ok(Input::End);
    }
    Ok(Input::Line(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Asks on stderr; None if nothing came. What is secret is not shown while it is typed.
pub fn ask(prompt: &str, secret: bool) -> std::io::Result<Option<String>> {
    eprint!("{prompt}");
    std::io::stderr().flush()?;
    let unseen = secret.then(raw::Mode::unseen).flatten();
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line)?;
    if unseen.is_some() {
        eprintln!();
    }
    let line = line.trim_end_matches(['\r', '\n']);
    Ok((read > 0 && !line.is_empty()).then(|| line.to_owned()))
}

#[cfg(unix)]
mod raw {
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
    use std::io::Read;

    /// Keys come one by one and unseen, until dropped.
    pub struct Mode {
        before: Termios,
    }

    impl Mode {
        pub fn enter() -> Option<Self> {
            Self::with(Termios::make_raw)
        }

        /// Lines as ever, but without showing them.
        pub fn unseen() -> Option<Self> {
            Self::with(|mode| mode.local_modes.remove(LocalModes::ECHO))
        }

        fn with(change: impl FnOnce(&mut Termios)) -> Option<Self> {
            let before = tcgetattr(std::io::stdin()).ok()?;
            let mut mode = before.clone();
            change(&mut mode);
            tcsetattr(std::io::stdin(), OptionalActions::Drain, &mode).ok()?;
            Some(Self { before })
        }
    }

    impl Drop for Mode {
        fn drop(&mut self) {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.before);
        }
    }

    pub fn next_byte() -> std::io::Result<Option<u8>> {
        let mut byte = [0];
        let read = std::io::stdin().lock().read(&mut byte)?;
        Ok((read > 0).then_some(byte[0]))
    }
}

#[cfg(not(unix))]
mod raw {
    /// There is none: lines come as the system gives them.
    pub struct Mode;

    impl Mode {
        pub fn enter() -> Option<Self> {
            None
        }

        pub fn unseen() -> Option<Self> {
            None
        }
    }

    pub fn next_byte() -> std::io::Result<Option<u8>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line, with `|` at the cursor, after these bytes were typed.
    fn typed(bytes: &str) -> String {
        let mut bytes = bytes.bytes();
        let mut line = Line::default();
        while let Some(key) = key(&mut || Ok(bytes.next())).expect("bytes in memory") {
            line.edit(key);
        }
        line.text.insert(line.cursor, '|');
        line.text.into_iter().collect()
    }

    #[test]
    fn keys_edit_the_line() {
        assert_eq!(typed("abc"), "abc|");
        assert_eq!(typed("abc\x1b[D\x1b[DX"), "aX|bc");
        assert_eq!(typed("héé\x7f!"), "hé!|");
        assert_eq!(typed("one two\x17"), "one |");
        assert_eq!(typed("one two\x01\x0b"), "|");
        assert_eq!(typed("one two\x1bb\x15\x05\x19"), "twoone |");
        assert_eq!(typed("ab\x1b[H\x1b[3~"), "|b");
        assert_eq!(typed("var.a\x1b[1;5Dx\x1b[1;5Cy"), "var.xay|");
        assert_eq!(typed("a\x1b[99z\x1bOHb"), "b|a");
        assert_eq!(typed("\x7f\x1b[D\x1b[3~\x04a"), "a|");
    }
}

//! Expressions of metric math as a tree.

#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Number(f64),
    Text(String),
    Name(String),
    List(Vec<Node>),
    Negative(Box<Node>),
    Binary(String, Box<Node>, Box<Node>),
    Call(String, Vec<Node>),
}

/// Signs by how weakly they bind, the weakest first.
const LEVELS: [&[&str]; 6] =
    [&["OR", "||"], &["AND", "&&"], &["==", "!=", "<=", ">=", "<", ">"], &["+", "-"], &["*", "/"], &["^"]];
const MAX_DEPTH: usize = 50;

pub fn parse(text: &str) -> Result<Node, String> {
    let mut parser = Parser { rest: text, depth: 0 };
    let node = parser.level(0)?;
    match parser.rest.trim_start() {
        "" => Ok(node),
        rest => Err(format!("unexpected \"{rest}\" in the expression")),
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn sign(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        let rest = self.rest.trim_start();
        for sign in signs {
            let Some(tail) = rest.strip_prefix(sign) else { continue };
            let word = sign.starts_with(|c: char| c.is_ascii_alphabetic());
            if word && tail.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
                continue;
            }
            self.rest = tail;
            return Some(match *sign {
                "||" => "OR",
                "&&" => "AND",
                sign => sign,
            });
        }
        None
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), String> {
        match self.sign(&[sign]) {
            Some(_) => Ok(()),
            None => Err(format!("expected \"{sign}\" at \"{}\"", self.rest)),
        }
    }

    fn level(&mut self, level: usize) -> Result<Node, String> {
        let Some(signs) = LEVELS.get(level) else { return self.unary() };
        let mut node = self.level(level + 1)?;
        while let Some(sign) = self.sign(signs) {
            let right = self.level(level + 1)?;
            node = Node::Binary(sign.to_owned(), Box::new(node), Box::new(right));
        }
        Ok(node)
    }

    fn unary(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the expression is nested too deeply".to_owned());
        }
        let node = match self.sign(&["-"]) {
            Some(_) => Ok(Node::Negative(Box::new(self.unary()?))),
            None => self.primary(),
        };
        self.depth -= 1;
        node
    }

    fn items(&mut self, end: &'static str) -> Result<Vec<Node>, String> {
        let mut items = Vec::new();
        if self.sign(&[end]).is_some() {
            return Ok(items);
        }
        loop {
            items.push(self.level(0)?);
            if self.sign(&[","]).is_none() {
                self.expect(end)?;
                return Ok(items);
            }
        }
    }

    fn primary(&mut self) -> Result<Node, String> {
        if self.sign(&["("]).is_some() {
            let node = self.level(0)?;
            self.expect(")")?;
            return Ok(node);
        }
        if self.sign(&["["]).is_some() {
            return Ok(Node::List(self.items("]")?));
        }
        let rest = self.rest.trim_start();
        for quote in ['"', '\''] {
            if let Some(tail) = rest.strip_prefix(quote) {
                let (text, tail) = tail.split_once(quote).ok_or("a text without its end")?;
                self.rest = tail;
                return Ok(Node::Text(text.to_owned()));
            }
        }
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        if number > 0 {
            let (digits, tail) = rest.split_at(number);
            self.rest = tail;
            return digits.parse().map(Node::Number).map_err(|_| format!("{digits} is no number"));
        }
        let name = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        if name == 0 {
            return Err(format!("unexpected \"{rest}\" in the expression"));
        }
        let (name, tail) = rest.split_at(name);
        self.rest = tail;
        if self.sign(&["("]).is_some() {
            return Ok(Node::Call(name.to_uppercase(), self.items(")")?));
        }
        Ok(Node::Name(name.to_owned()))
    }
}

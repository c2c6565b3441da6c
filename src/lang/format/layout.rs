//! The spaces before each piece: indentation by brackets, one space or none between two tokens, and
//! columns for the `=` and the comments of neighbouring lines.

use super::pieces::{Piece, Pieces, Tag};
use crate::lang::lexer::Kind;

/// Pieces from `start`: the head, from `assign` on the `=` with what follows it, then the comment. Parts
/// that a line has not are empty.
struct Line {
    start: usize,
    assign: usize,
    comment: usize,
    end: usize,
}

pub(super) fn arrange(pieces: &mut Pieces<'_>) {
    let lines = lines(&pieces.list);
    indent(&mut pieces.list, &lines);
    for line in &lines {
        separate(pieces, line.start, line.assign);
        separate(pieces, line.assign, line.comment);
    }
    align(pieces, &lines, |line| (line.assign, line.comment));
    align(pieces, &lines, |line| (line.comment, line.end));
}

fn lines(list: &[Piece]) -> Vec<Line> {
    let ends = list.iter().enumerate().filter(|(_, p)| p.ends_line()).map(|(i, _)| i + 1);
    let mut start = 0;
    let mut lines = Vec::with_capacity(list.len() / 4);
    for end in ends.chain([list.len()]) {
        if start < end {
            lines.push(line(list, start, end));
            start = end;
        }
    }
    lines
}

fn line(list: &[Piece], start: usize, end: usize) -> Line {
    let is_comment = matches!(list[end - 1].tag, Tag::LineComment | Tag::BlockComment);
    let comment = if is_comment && end - start > 1 { end - 1 } else { end };
    let equal = (start + 1..comment).find(|&i| list[i].is(Kind::Equal));
    // A value that goes on in the next lines has no column.
    let whole = |&i: &usize| list[i..comment].iter().map(Piece::opens).sum::<i32>() == 0;
    Line { start, assign: equal.filter(whole).unwrap_or(comment), comment, end }
}

/// Two spaces for every line above that opened more brackets than it closed, as long as one of these is open.
fn indent(list: &mut [Piece], lines: &[Line]) {
    let mut open: Vec<i32> = Vec::new();
    for line in lines {
        if list[line.start].tag == Tag::Newline {
            continue;
        }
        // What stands behind a heredoc's start belongs to other lines of the file.
        let head = &list[line.start..line.assign];
        let heredoc = head.iter().position(|p| p.is(Kind::OpenHeredoc)).unwrap_or(head.len());
        let net: i32 = head[..heredoc].iter().map(Piece::opens).sum();
        let mut closed = -net;
        while closed > 0
            && let Some(last) = open.last_mut()
        {
            if closed < *last {
                *last -= closed;
                break;
            }
            closed -= *last;
            open.pop();
        }
        list[line.start].spaces = 2 * open.len() as u32;
        if net > 0 {
            open.push(net);
        }
    }
}

fn separate(pieces: &mut Pieces<'_>, start: usize, end: usize) {
    for i in start + 1..end {
        let before = (i >= start + 2).then(|| pieces.list[i - 2]);
        let space = has_space(pieces, before, i) || keeps_number(pieces, i);
        pieces.list[i].spaces = u32::from(space);
    }
}

/// Whether there is a space between the token before piece `i` and piece `i`. `before` is the one before both.
fn has_space(pieces: &Pieces<'_>, before: Option<Piece>, i: usize) -> bool {
    use Kind::*;
    let (left, right) = (pieces.list[i - 1], pieces.list[i]);
    if right.tag == Tag::Newline {
        return false;
    }
    let l = if let Tag::Token(kind) = left.tag { Some(kind) } else { None };
    let r = if let Tag::Token(kind) = right.tag { Some(kind) } else { None };
    match (l, r) {
        (Some(Ident), Some(OpenParen | DoubleColon)) | (Some(DoubleColon), Some(Ident)) => false,
        (Some(Dot), _) | (_, Some(Dot | Comma | Ellipsis)) => false,
        (Some(Comma), _) => true,
        (Some(QuotedText | Text | OpenQuote | OpenHeredoc), _) => false,
        (_, Some(QuotedText | Text | CloseQuote | CloseHeredoc)) => false,
        // `[for x in [1]: x]`: no index.
        (Some(Ident), _) if before.is_some_and(|b| b.is(Ident)) && pieces.slice(&left) == "in" => true,
        (Some(Ident | Number), Some(OpenBracket)) => false,
        (Some(_), Some(OpenBracket)) if left.opens() < 0 => false,
        (Some(Bang), _) => false,
        (Some(Minus), _) => !is_negation(before),
        (Some(OpenBrace), _) | (_, Some(CloseBrace)) => (l, r) != (Some(OpenBrace), Some(CloseBrace)),
        // `${ {a = 1} }`
        (Some(OpenInterpolation | OpenDirective), Some(OpenBrace)) => true,
        (Some(CloseBrace), Some(CloseSequence)) => true,
        (Some(CloseSequence), Some(OpenInterpolation | OpenDirective)) => false,
        _ => left.opens() <= 0 && right.opens() >= 0,
    }
}

/// A minus is a negation where the token before it cannot end a value.
fn is_negation(before: Option<Piece>) -> bool {
    use Kind::*;
    let Some(before) = before else { return true };
    let Tag::Token(kind) = before.tag else { return false };
    matches!(kind, OpenParen | OpenBrace | OpenBracket | Equal | Colon | Comma | Question | And | Or | Bang)
        || matches!(kind, Plus | Star | Slash | Percent | Minus)
        || matches!(kind, EqualEqual | NotEqual | Greater | GreaterEqual | Less | LessEqual)
}

/// `a.0 .1` without its space would have a number `0.1`. (Terraform takes it away.)
fn keeps_number(pieces: &Pieces<'_>, i: usize) -> bool {
    if !pieces.list[i - 1].is(Kind::Number) || !pieces.list[i].is(Kind::Dot) {
        return false;
    }
    let Some(next) = pieces.list.get(i + 1) else { return false };
    let rest = pieces.slice(next).strip_prefix(['e', 'E']).unwrap_or(pieces.slice(next));
    rest.starts_with(|c: char| c.is_ascii_digit())
}

/// One column for a part of all neighbouring lines that have it.
fn align(pieces: &mut Pieces<'_>, lines: &[Line], part: impl Fn(&Line) -> (usize, usize)) {
    let has_part = |line: &Line| {
        let (start, end) = part(line);
        start < end
    };
    let mut columns = Vec::new();
    for neighbours in lines.chunk_by(|a, b| has_part(a) == has_part(b)) {
        if !has_part(&neighbours[0]) {
            continue;
        }
        columns.clear();
        columns.extend(neighbours.iter().map(|line| {
            let before = &pieces.list[line.start..part(line).0];
            before.iter().map(|p| p.spaces + pieces.width(p)).sum::<u32>()
        }));
        let widest = columns.iter().copied().max().unwrap_or(0);
        for (line, columns) in neighbours.iter().zip(&columns) {
            pieces.list[part(line).0].spaces = widest - columns + 1;
        }
    }
}

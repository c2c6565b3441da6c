//! Texts with wildcards and policy variables (IAM User Guide, "IAM JSON policy elements: Resource" and
//! "Variables and tags").

use super::Context;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// `*`
    Any,
    /// `?`
    One,
    Char(char),
}

/// A text whose variables stand for values of the request. None when a variable has no value: then the
/// statement does not match.
#[derive(Clone, Debug)]
pub struct Pattern(Vec<Piece>);

impl Pattern {
    pub fn new(text: &str) -> Self {
        Self(text.chars().map(piece).collect())
    }

    pub fn expand(text: &str, context: &Context, variables: bool) -> Option<Self> {
        if !variables || !text.contains("${") {
            return Some(Self::new(text));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            pieces.extend(before.chars().map(piece));
            let Some((name, after)) = after.split_once('}') else {
                pieces.extend("${".chars().chain(after.chars()).map(piece));
                return Some(Self(pieces));
            };
            pieces.extend(value(name, context)?.chars().map(Piece::Char));
            rest = after;
        }
        pieces.extend(rest.chars().map(piece));
        Some(Self(pieces))
    }

    /// As an exact text: wildcards stand for themselves, as `StringEquals` has them.
    pub fn literal(&self) -> String {
        let char = |piece: &Piece| match piece {
            Piece::Any => '*',
            Piece::One => '?',
            Piece::Char(c) => *c,
        };
        self.0.iter().map(char).collect()
    }

    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        wild(&self.0, &text)
    }

    /// The six parts of an ARN one by one, the last with all that follows; what is left out at the end stands
    /// for anything ("incomplete ARN").
    pub fn matches_arn(&self, arn: &str) -> bool {
        if self.0.iter().all(|piece| *piece == Piece::Any) {
            return !self.0.is_empty();
        }
        let parts: Vec<&[Piece]> = self.0.splitn(6, |piece| *piece == Piece::Char(':')).collect();
        let texts: Vec<&str> = arn.splitn(6, ':').collect();
        if texts.len() != 6 {
            // `*`, for actions without resources, is no ARN.
            return self.matches(arn);
        }
        parts.iter().zip(&texts).all(|(part, text)| wild(part, &text.chars().collect::<Vec<_>>()))
    }
}

fn piece(c: char) -> Piece {
    match c {
        '*' => Piece::Any,
        '?' => Piece::One,
        c => Piece::Char(c),
    }
}

/// `aws:username`, `aws:PrincipalTag/team, 'none'`, or one of the three characters that cannot stand for
/// themselves.
fn value(name: &str, context: &Context) -> Option<String> {
    if matches!(name, "*" | "?" | "$") {
        return Some(name.to_owned());
    }
    let (key, default) = match name.split_once(',') {
        Some((key, default)) => (key.trim(), default.trim().strip_prefix('\'')?.strip_suffix('\'')),
        None => (name.trim(), None),
    };
    match context.get(key) {
        Some([one]) => Some(one.clone()),
        // A key of several values is no variable.
        _ => default.map(str::to_owned),
    }
}

/// Goes back only to the last `*`: linear for each.
fn wild(pattern: &[Piece], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Piece::Any) => {
                back = Some((p, t));
                p += 1;
            }
            Some(Piece::One) => (p, t) = (p + 1, t + 1),
            Some(Piece::Char(c)) if *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match back {
                Some((star, at)) => {
                    (p, t) = (star + 1, at + 1);
                    back = Some((star, at + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|piece| *piece == Piece::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_texts_and_characters() {
        for (pattern, text, wanted) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*ab*ab", "abxabab", true),
            ("Describe*", "DescribeTags", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn a_star_does_not_reach_over_the_parts_of_an_arn() {
        let arn = "arn:aws:ecs:us-east-1:123456789012:service/main/web";
        for (pattern, wanted) in [
            ("*", true),
            ("arn:aws:ecs:*:*:service/*", true),
            ("arn:aws:ecs", true),
            ("arn:aws:ecs:*:service/*", false),
            ("arn:aws:ecs:us-east-1:123456789012:service/main/???", true),
            ("arn:aws:ecs:eu-west-1:123456789012:service/*", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches_arn(arn), wanted, "{pattern}");
        }
        let logs = "arn:aws:logs:us-east-1:1:log-group:/ecs/web:log-stream:a";
        assert!(Pattern::new("arn:aws:logs:*:*:log-group:/ecs/*:*").matches_arn(logs));
        assert!(!Pattern::new("arn:aws:s3:::b").matches_arn("*"));
    }

    #[test]
    fn variables_take_their_values_from_the_request() {
        let mut context = Context::default();
        context.set("aws:username", "ann");
        let expand = |text: &str| Pattern::expand(text, &context, true).map(|p| p.literal());
        assert_eq!(expand("home/${aws:username}/*").as_deref(), Some("home/ann/*"));
        assert_eq!(expand("${aws:PrincipalTag/team}"), None);
        assert_eq!(expand("${aws:PrincipalTag/team, 'none'}").as_deref(), Some("none"));
        let star = Pattern::expand("a${*}", &context, true).expect("has no variables");
        assert!(star.matches("a*") && !star.matches("ab"));
        assert_eq!(
            Pattern::expand("${aws:username}", &context, false).map(|p| p.matches("ann")),
            Some(false)
        );
    }
}

//! Bounds on what one expression may do and become, so that no configuration hangs a run or eats its memory.

use super::{Evaluator, Scope};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::functions::{LARGEST_VALUE, LARGEST_VALUE_TEXT};
use crate::lang::syntax::Expr;
use crate::value::{Excess, Kind, Value};
use std::cell::Cell;

/// So deep a value may be; one expression adds less than that (see [`super::DEEPEST`]).
const DEEPEST_VALUE: usize = 500;

/// Evaluated parts of one expression, and what functions read and make, counted in [`BYTES_PER_STEP`].
/// Tests need not wait for so many.
const MOST_STEPS: u64 = if cfg!(test) { 1_000_000 } else { 20_000_000 };
const BYTES_PER_STEP: usize = 16;
/// Looking over a value is quicker than making one.
const SEEN_BYTES_PER_STEP: usize = 4_096;

thread_local! {
    /// The steps that a function call may spend, while it runs: templates that it evaluates take from these.
    static LENT: Cell<Option<u64>> = const { Cell::new(None) };
    /// Steps of all expressions so far.
    static SPENT: Cell<u64> = const { Cell::new(0) };
}

/// What the values that a run keeps may take together.
const MOST_KEPT_BYTES: usize = if cfg!(test) { 8 << 20 } else { 2 << 30 };
/// So little work makes nothing that counts: it only passes on what is counted already.
const LITTLE_WORK: u64 = 16;

/// Counts what a run keeps of its expressions. Parts are shared, so a value counts for no more than the work
/// that went into it can have made.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    bytes: usize,
}

impl Kept {
    /// Evaluates what is going to be kept; once there is too much of it, that is an error and nothing is kept.
    pub fn eval(&mut self, expr: &Expr, scope: &dyn Scope, diags: &mut Diagnostics) -> Value {
        let before = SPENT.get();
        let value = super::eval(expr, scope, diags);
        let work = SPENT.get() - before;
        if work < LITTLE_WORK {
            return value;
        }
        let most = LARGEST_VALUE.min(work as usize * SEEN_BYTES_PER_STEP);
        self.bytes = self.bytes.saturating_add(value.weigh(most, usize::MAX).unwrap_or(most));
        if self.bytes <= MOST_KEPT_BYTES {
            return value;
        }
        let summary = "the values of this configuration are too large together";
        diags.push(
            Diagnostic::error("value-too-large", summary)
                .at(expr.span)
                .detail(format!("With this one they take more than {} MiB.", MOST_KEPT_BYTES >> 20))
                .help("leave out what is not needed; large data belongs in files"),
        );
        Value::dynamic()
    }
}

/// What an evaluator has left to spend.
pub(super) struct Steps {
    left: u64,
    lent: bool,
    /// Where it was when nothing was left.
    pub exhausted_at: Option<Span>,
}

impl Steps {
    /// A new expression's, or those of the call that this is part of.
    pub fn new() -> Self {
        let lent = LENT.get();
        Self { left: lent.unwrap_or(MOST_STEPS), lent: lent.is_some(), exhausted_at: None }
    }

    pub fn spend(&mut self, steps: u64, span: Span) {
        match self.left.checked_sub(steps) {
            Some(left) => self.left = left,
            None => {
                self.left = 0;
                self.exhausted_at.get_or_insert(span);
            }
        }
    }

    /// Runs a function; what is evaluated in it takes from these steps.
    pub fn lend<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let outer = LENT.replace(Some(self.left));
        let result = run();
        self.left = LENT.replace(outer).unwrap_or(0);
        result
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if self.lent {
            LENT.set(Some(self.left));
        } else {
            SPENT.set(SPENT.get() + (MOST_STEPS - self.left));
        }
    }
}

pub(super) fn too_much_work(span: Span) -> Diagnostic {
    Diagnostic::error("too-much-work", "this expression takes too long to evaluate")
        .at(span)
        .detail(format!("It was given up after {MOST_STEPS} steps, here."))
        .help("make what it iterates over smaller")
}

impl Evaluator<'_> {
    pub(super) fn is_exhausted(&self) -> bool {
        self.steps.exhausted_at.is_some()
    }

    /// Counts text that is read or made.
    pub(super) fn spend_on_text(&mut self, bytes: usize, span: Span) {
        self.steps.spend((bytes / BYTES_PER_STEP) as u64, span);
    }

    /// Whether what follows may look through all of `value`; if not, that is reported.
    pub(super) fn fits(&mut self, value: &Value, span: Span) -> bool {
        match &value.kind {
            Kind::String(text) => {
                self.spend_on_text(text.len(), span);
                return true;
            }
            Kind::Unknown(_) | Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) => return true,
            _ => {}
        }
        match value.weigh(LARGEST_VALUE, DEEPEST_VALUE) {
            Ok(bytes) => {
                self.steps.spend((bytes / SEEN_BYTES_PER_STEP) as u64, span);
                true
            }
            Err(excess) => {
                self.push(too_large(excess, span));
                false
            }
        }
    }
}

/// The error if a result is larger than anyone means it to be.
pub(super) fn excess(value: &Value, span: Span) -> Option<Diagnostic> {
    value.weigh(LARGEST_VALUE, DEEPEST_VALUE).err().map(|excess| too_large(excess, span))
}

fn too_large(excess: Excess, span: Span) -> Diagnostic {
    let (summary, detail) = match excess {
        Excess::Bytes => (
            "this value is too large",
            format!(
                "Written out, with every part as often as it stands in it, it takes more than {LARGEST_VALUE_TEXT}."
            ),
        ),
        Excess::Levels => {
            ("this value nests too deeply", format!("It nests more than {DEEPEST_VALUE} levels deep."))
        }
    };
    Diagnostic::error("value-too-large", summary)
        .at(span)
        .detail(detail)
        .help("leave out what is not needed; large data belongs in files")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{kept, run};

    fn fails(text: &str, code: &str) {
        let (value, diags) = run(text);
        assert!(value.is_unknown(), "{:.150} is {value:?}", text);
        assert!(diags.iter().any(|d| d.code == code && d.span().is_some()), "{text:.300}: {diags:#?}");
    }

    /// `[for x in [1]: [for y in [[x, x]]: …]]`: twice as large with each level.
    fn doubled(levels: usize, first: &str, last: &str) -> String {
        let mut text = format!("[for x0 in [{first}]: ");
        for i in 1..levels {
            text += &format!("[for x{i} in [[x{0}, x{0}]]: ", i - 1);
        }
        text + &last.replace('@', &format!("x{}", levels - 1)) + &"]".repeat(levels)
    }

    #[test]
    fn what_takes_too_long_is_given_up() {
        let nested = "[for a in range(1024): [for b in range(1024): [for c in range(1024): a]]]";
        fails(nested, "too-much-work");
        fails(&format!("try({nested}, 1)"), "too-much-work");
        fails(&format!("can({nested})"), "too-much-work");
        let text = "%{for a in range(1024)}%{for b in range(1024)}%{for c in range(1024)}x%{endfor}%{endfor}%{endfor}";
        fails(&format!("\"{text}\""), "too-much-work");
        fails(
            &format!("[for i in range(1024): templatestring(user.name, {{ a = {nested} }})]"),
            "too-much-work",
        );
        let text = format!("join(\"\", [for i in range(1024): \"{}\"])", "x".repeat(1000));
        fails(&format!("[for x in [{text}]: [for i in range(1024): \"${{x}}y\"]]"), "too-much-work");
    }

    #[test]
    fn values_are_bounded() {
        assert!(run(&doubled(12, "1", "@")).1.is_empty());
        for last in
            ["@", "@ == @", "jsonencode(@)", "length(@)", "flatten([@, @])", "true ? @ : null", "toset(@)"]
        {
            fails(&doubled(30, "1", last), "value-too-large");
        }
    }

    #[test]
    fn many_large_values_are_too_much_together() {
        let large = "[for a in range(16): [for b in range(1024): a * b]]".to_owned();
        assert!(kept(&vec![large.clone(); 8]).is_empty());
        assert_eq!(kept(&vec![large; 17]).first(), Some(&"value-too-large"));
        assert!(kept(&vec!["{ a = 1, b = [1, 2, 3] }".to_owned(); 1000]).is_empty());
    }

    #[test]
    fn functions_make_no_text_that_is_too_long() {
        let long = format!("join(\"\", [for i in range(1024): \"{}\"])", "x".repeat(100));
        for call in [
            "replace(x, \"x\", x)",
            "replace(x, \"/x/\", \"${x}$0\")",
            "join(x, split(\"\", x))",
            "format(replace(x, \"x\", \"%[1]s\"), x)",
            "formatlist(\"%s%s%s\", [for i in range(300): x], x, x)",
            "indent(10000, replace(x, \"x\", \"\\n\"))",
        ] {
            fails(&format!("[for x in [{long}]: {call}]"), "function-failed");
        }
    }
}

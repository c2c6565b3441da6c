//! How large values are. Parts are shared, so that a small program can make a value that nobody could write out.

use super::{Kind, Value};

/// What a value is more of than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    Bytes,
    Levels,
}

/// What every value takes, without its text and parts.
const NODE_BYTES: usize = 32;

impl Value {
    /// Roughly the bytes that it takes with all its parts; a part counts as often as it stands in it. Stops
    /// at more than `most` bytes or `deepest` levels.
    pub fn weigh(&self, most: usize, deepest: usize) -> Result<usize, Excess> {
        let mut left = most;
        self.subtract(&mut left, deepest)?;
        Ok(most - left)
    }

    fn subtract(&self, left: &mut usize, levels: usize) -> Result<(), Excess> {
        let levels = levels.checked_sub(1).ok_or(Excess::Levels)?;
        let mut take = |bytes: usize| -> Result<(), Excess> {
            *left = left.checked_sub(bytes).ok_or(Excess::Bytes)?;
            Ok(())
        };
        take(NODE_BYTES)?;
        match &self.kind {
            Kind::String(text) => take(text.len()),
            Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
                items.iter().try_for_each(|item| item.subtract(left, levels))
            }
            Kind::Map(_, items) | Kind::Object(items) => items.iter().try_for_each(|(key, item)| {
                *left = left.checked_sub(key.len()).ok_or(Excess::Bytes)?;
                item.subtract(left, levels)
            }),
            Kind::Unknown(_) | Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) => Ok(()),
        }
    }
}

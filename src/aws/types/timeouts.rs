//! The `timeouts` block: how long an operation may take, as `10m` or `1h30m`.

pub use crate::schema::duration::{is_duration, parse};
use crate::schema::{Attr, Blocks, Object, Str, attributes};
use std::time::Duration;

attributes! {
    CREATE_ONLY [CREATE]:
}
attributes! {
    CREATE_UPDATE [CREATE, UPDATE]:
}
attributes! {
    CREATE_DELETE [CREATE, DELETE]:
}
attributes! {
    UPDATE_DELETE [UPDATE, DELETE]:
}
attributes! {
    READ_UPDATE_DELETE [UPDATE, DELETE]:
    READ: Str = optional("read").check(is_duration);
}
attributes! {
    READ_ONLY [READ]:
}
attributes! {
    ALL:
    CREATE: Str = optional("create").check(is_duration);
    UPDATE: Str = optional("update").check(is_duration);
    DELETE: Str = optional("delete").check(is_duration);
}

const BLOCK: Attr<Blocks> =
    Attr::<Blocks>::optional("timeouts").local().same(|_, _| true).doc("How long operations may take");
pub const TIMEOUTS: Attr<Blocks> = BLOCK.object(&ALL);
pub const TIMEOUTS_CREATE: Attr<Blocks> = BLOCK.object(&CREATE_ONLY);
pub const TIMEOUTS_CREATE_UPDATE: Attr<Blocks> = BLOCK.object(&CREATE_UPDATE);
pub const TIMEOUTS_CREATE_DELETE: Attr<Blocks> = BLOCK.object(&CREATE_DELETE);
pub const TIMEOUTS_READ_UPDATE_DELETE: Attr<Blocks> = BLOCK.object(&READ_UPDATE_DELETE);
/// Of data sources.
pub const TIMEOUTS_READ: Attr<Blocks> = BLOCK.object(&READ_ONLY);
pub const TIMEOUTS_UPDATE_DELETE: Attr<Blocks> = BLOCK.object(&UPDATE_DELETE);

/// How long `which` (one of [`CREATE`], [`READ`], [`UPDATE`], [`DELETE`]) may take, in minutes unless declared.
pub fn limit(want: &Object, which: &Attr<Str>, default_minutes: u64) -> Duration {
    want.block(&TIMEOUTS)
        .and_then(|t| parse(&t.get(which)?))
        .unwrap_or(Duration::from_secs(default_minutes * 60))
}

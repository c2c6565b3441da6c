//! The configuration language alone, for libFuzzer: the modules that [`lang`] needs, from their files.
//!
//! ```text
//! cd tests/fuzz
//! python3 seeds.py                                # corpus/ from fixtures/
//! cargo run --release --bin parse -- -dict=language.dict -max_total_time=600 corpus/parse
//! ```
//!
//! Targets are `parse`, `eval`, `fmt` and `json`. What they find is kept in `fixtures/fuzz/<target>/`, where
//! the tests of the main crate hold the same [`properties`] of it.

#![recursion_limit = "256"]
#![allow(dead_code)]

#[path = "../../src/diag/mod.rs"]
pub mod diag;

#[path = "../../src/value/mod.rs"]
pub mod value;

#[path = "../../src/lang/mod.rs"]
pub mod lang;

#[path = "properties.rs"]
pub mod properties;

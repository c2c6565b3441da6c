//! The one integration test binary: whole commands, as a user runs them.

mod bad_input;
mod blocks;
mod builtin;
mod changes;
mod diagnostics;
mod environment;
mod lifecycle;
mod moto;
mod moving;
mod others;
mod provider_schema;
mod scenarios;
mod terraform;
mod tidy;

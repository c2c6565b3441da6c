//! The one integration test binary: whole commands, as a user runs them.

mod bad_input;
mod blocks;
mod builtin;
mod changes;
mod console;
mod environment;
mod lifecycle;
mod moto;
mod moving;
mod others;
mod provider_schema;
mod scenarios;
mod terraform;
mod tidy;
mod tools;
mod values;
mod versions;

//! The one integration test binary: whole commands, as a user runs them.

mod bad_input;
mod environment;
mod lifecycle;
mod moto;
mod others;
mod scenarios;
mod tidy;

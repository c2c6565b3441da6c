//! The one integration test binary: whole commands, as a user runs them.

mod bad_input;
mod blocks;
mod blue_green;
mod builtin;
mod changes;
mod console;
mod diagnostics;
mod environment;
mod faults;
mod findings;
mod fmt;
mod game_day;
mod hostile;
mod lifecycle;
mod moto;
mod moving;
mod others;
mod provider_schema;
mod rollouts;
mod scenarios;
mod terraform;
mod terraform_ways;
mod tidy;
mod tools;
mod values;
mod versions;

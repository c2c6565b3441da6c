//! What to say when the key of the state is missing, or is another one.

use crate::addr::Address;
use crate::diag::{Diagnostic, Span};
use crate::state::Sealed;

/// Where the key comes from; the command line reads it.
pub const KEY_VARIABLE: &str = "CUTOVER_STATE_KEY_FILE";

/// `resource` makes a secret that must be kept, and nothing can encrypt it.
pub fn no_key(resource: &str, header: Span) -> Diagnostic {
    Diagnostic::error("no-state-key", format!("`{resource}` makes a secret, but the state has no key"))
        .label(header, "its result must be kept and used again")
        .detail("Secrets that must be usable again are kept in the state encrypted, never in the clear.")
        .help(format!(
            "make a key once with `cutover state keygen FILE`, keep that file out of the repository, and name it: \
             `cutover {{ state {{ key_file = \"…\" }} }}` in cutover.hcl, or the variable {KEY_VARIABLE}"
        ))
}

pub fn cannot_open(address: &Address, (attribute, why): (&str, Sealed)) -> Diagnostic {
    let (problem, help) = match why {
        Sealed::OtherKey(name) => (
            format!("`{attribute}` of {address} was encrypted with another key ({name})"),
            format!(
                "name the file of that key with `key_file` or {KEY_VARIABLE}; its first line says its name"
            ),
        ),
        Sealed::Damaged => (
            format!("`{attribute}` of {address} cannot be decrypted: its text in the state is damaged"),
            "restore the state from a backup, or make the resource anew: `cutover state taint`".to_owned(),
        ),
    };
    Diagnostic::error("state-key", problem).address(address).help(help)
}

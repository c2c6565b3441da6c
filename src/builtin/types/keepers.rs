//! What all random types share: values whose change asks for a new outcome.

use crate::schema::attributes;

attributes! {
    ROWS:
    KEEPERS: StrMap = optional("keepers").replaces().doc("A change of any value asks for a new outcome");
}

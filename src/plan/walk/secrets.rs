//! Values that nobody may see: covered in what others say, and in the state once they have become secrets.

use super::Walk;
use crate::plan::Action;
use crate::schema::Object;
use crate::state::Resource;
use crate::value::{Secrets, Value};

impl Walk<'_> {
    /// Everything that is marked, wherever it stands.
    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        let values = self.values.instances.values().flat_map(|module| module.all());
        values.for_each(|value| secrets.add_marked(value));
        secrets
    }

    /// Values that became secrets while they stayed as they are are no change, but must not show any more: writes
    /// digests in place of them, in the state that is saved next.
    pub fn seal_what_became_secret(&mut self) {
        let mut sealed = Vec::new();
        for change in self.changes.values().filter(|c| c.action == Action::None) {
            let secrets: Vec<&Value> =
                change.desired.0.values().filter(|value| value.contains_sensitive()).collect();
            let recorded = self.state.resources.get(&change.address).filter(|_| !secrets.is_empty());
            let schema = self.provider.resource(&change.address.type_name);
            let Some((recorded, schema)) = recorded.zip(schema) else { continue };
            let seen = recorded.seen(schema.table);
            let resource = Resource {
                applied: self.state.stored(&change.desired, schema.table),
                seen: self.state.stored(&marked(seen, &secrets), schema.table),
                ..recorded.clone()
            };
            if resource != *recorded {
                sealed.push((change.address.clone(), resource));
            }
        }
        self.state.resources.extend(sealed);
    }
}

/// What equals a secret is one, wherever it stands (an output of `terraform_data` is its input).
fn marked(seen: Object, secrets: &[&Value]) -> Object {
    let mut out = seen.clone();
    for (name, value) in seen.0.iter() {
        let plain = value.without_marks();
        if let Some(secret) = secrets.iter().find(|secret| secret.without_marks().kind == plain.kind) {
            out.put(name, Some((*secret).clone()));
        }
    }
    out
}

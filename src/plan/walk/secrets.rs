//! Values that nobody may see: covered in what others say, and in the state once they have become secrets.

use super::Walk;
use crate::plan::Action;
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
            let secret = change.desired.0.values().any(Value::contains_sensitive);
            let recorded = self.state.resources.get(&change.address).filter(|_| secret);
            let schema = self.provider.resource(&change.address.type_name);
            let Some((recorded, schema)) = recorded.zip(schema) else { continue };
            let resource = Resource {
                applied: self.state.stored(&change.desired, schema.table),
                seen: self.state.stored_seen(&recorded.seen(schema.table), &change.desired, schema.table),
                ..recorded.clone()
            };
            if resource != *recorded {
                sealed.push((change.address.clone(), resource));
            }
        }
        self.state.resources.extend(sealed);
    }
}

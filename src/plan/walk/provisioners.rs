//! Provisioners, evaluated: what a command shall be.

use super::Walk;
use crate::addr::{Address, InstanceKey};
use crate::config::body::describe;
use crate::config::{Provisioner, Resource};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::ModuleId;
use crate::lang::eval::eval;
use crate::plan::values::Repeated;
use crate::value::{Type, Value, convert};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A command to run on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalCommand {
    pub program: String,
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub directory: PathBuf,
    pub quiet: bool,
    /// Something in it is a secret: neither it nor its output may be shown.
    pub secret: bool,
}

impl Walk<'_> {
    /// The provisioners of a resource, those for its creation or those for its destruction.
    pub fn provisioners(&self, address: &Address, on_destroy: bool) -> Vec<&Provisioner> {
        let all = match self.find_resource(address) {
            Some((_, resource)) => resource.provisioners.as_slice(),
            None => self.removed(address).map_or(&[][..], |removed| &removed.provisioners),
        };
        all.iter().filter(|p| p.on_destroy == on_destroy).collect()
    }

    /// `this` is the resource as it is now.
    pub fn local_command(
        &self,
        address: &Address,
        provisioner: &Provisioner,
        this: Value,
        diags: &mut Diagnostics,
    ) -> Option<LocalCommand> {
        let (id, repeated) = match self.find_resource(address) {
            Some((id, resource)) if !provisioner.on_destroy => {
                (id, self.repeated_of(id, resource, address, diags))
            }
            found => {
                // Whatever made the instance may be gone: its key says all that may be referred to.
                let each_value = matches!(address.key, InstanceKey::Key(_)).then(Value::dynamic);
                let declared = found.map(|(id, _)| id).or_else(|| Some(self.removed_by(address)?.0));
                (declared?, Repeated { key: Some(address.key.clone()), each_value, of_count: false })
            }
        };
        let values = self.provisioner_values(id, address, provisioner, repeated, this, diags);
        let errors = diags.error_count();
        for (name, value) in &values {
            if !value.is_wholly_known() || value.any(&mut |v| crate::state::is_opaque(v)) {
                let problem = format!("`{name}` of a provisioner of {address} cannot be known");
                diags.push(Diagnostic::error("provisioner-value", problem).at(provisioner.header).help(
                    "it refers to a secret of which the state keeps a digest only, or to something unknown",
                ));
            }
        }
        if diags.error_count() > errors || !values.contains_key("command") {
            return None;
        }
        Some(self.command(&values))
    }

    fn command(&self, values: &BTreeMap<&'static str, Value>) -> LocalCommand {
        let text = |name: &str| values.get(name).and_then(Value::as_str).map(str::to_owned);
        let interpreter = values.get("interpreter").and_then(Value::as_slice).unwrap_or_default();
        let mut words: Vec<String> =
            interpreter.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect();
        if words.is_empty() {
            words = vec!["/bin/sh".to_owned(), "-c".to_owned()];
        }
        words.extend(text("command"));
        let environment = values.get("environment").and_then(Value::as_map).into_iter().flatten();
        let pairs = environment.filter_map(|(k, v)| Some((k.to_string(), v.as_str()?.to_owned())));
        LocalCommand {
            program: words.remove(0),
            arguments: words,
            environment: pairs.collect(),
            directory: self.place.home.join(text("working_dir").unwrap_or_default()),
            quiet: values.get("quiet").and_then(Value::as_bool).unwrap_or(false),
            secret: values.values().any(Value::contains_sensitive),
        }
    }

    /// The arguments, converted to their types; nulls left out.
    fn provisioner_values(
        &self,
        id: ModuleId,
        address: &Address,
        provisioner: &Provisioner,
        repeated: Repeated,
        this: Value,
        diags: &mut Diagnostics,
    ) -> BTreeMap<&'static str, Value> {
        let mut scope = self.scope(id, &address.module, repeated);
        scope.this = Some(this);
        let types = [
            ("command", Type::String),
            ("working_dir", Type::String),
            ("interpreter", Type::list(Type::String)),
            ("environment", Type::map(Type::String)),
            ("quiet", Type::Bool),
        ];
        let mut values = BTreeMap::new();
        for (name, ty) in types {
            let Some(attribute) = provisioner.body.attribute(name) else { continue };
            let value = eval(&attribute.expr, &scope, diags);
            match convert(&value, &ty) {
                Ok(value) if value.is_null() && name == "command" => diags.push(
                    Diagnostic::error("wrong-type", "`command` must not be null").at(attribute.expr.span),
                ),
                Ok(value) if value.is_null() => {}
                Ok(value) => drop(values.insert(name, value)),
                Err(error) => diags.push(
                    Diagnostic::error("wrong-type", format!("`{name}`: {error}"))
                        .label(attribute.expr.span, format!("this is {}", describe(&value)))
                        .help(format!("`{name}` takes {ty}")),
                ),
            }
        }
        values
    }

    /// Only looks for mistakes: nothing is known of the resource yet.
    pub(super) fn check_provisioners(
        &self,
        id: ModuleId,
        resource: &Resource,
        address: &Address,
        repeated: &Repeated,
        this: &Value,
        diags: &mut Diagnostics,
    ) {
        for provisioner in &resource.provisioners {
            self.provisioner_values(id, address, provisioner, repeated.clone(), this.clone(), diags);
        }
    }
}

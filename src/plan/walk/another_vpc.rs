//! What moves to another VPC. AWS changes subnets and target groups of many things in place, but only within
//! one VPC; and what is made anew in another VPC can stand beside the old one.

use super::Walk;
use crate::diff::{AttributeChange, equal};
use crate::plan::{Action, Change};
use crate::schema::{Object, TypeSchema};
use crate::value::{Kind, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The attribute by which types say which VPC they are in.
const VPC_ID: &str = "vpc_id";

impl Walk<'_> {
    /// Makes changes replace that AWS would refuse in place, because they lead to another VPC. While planning,
    /// the new VPC's id is unknown: then what the old names stand for tells, as that is about to leave.
    pub(super) fn replace_what_moves(
        &self,
        schema: &TypeSchema,
        attributes: &mut [AttributeChange],
        live: &Object,
        wanted: &Object,
    ) {
        for change in attributes.iter_mut().filter(|c| !c.replaces) {
            let bound = schema.row(&change.name).and_then(|row| row.bound_to_vpc);
            if bound.is_some_and(|test| test(live, wanted)) && self.moves(change, live) {
                change.replaces = true;
            }
        }
    }

    /// Whether the new one can be made while the old one is still there, although nobody asked for that. In
    /// another VPC nothing stands in its way: names of security groups and address ranges of subnets are a
    /// VPC's own. And what is part of something made anew (rules of a security group, routes of a table) leaves
    /// the old one as it is until that goes.
    pub(super) fn can_stand_beside(&self, attributes: &[AttributeChange]) -> bool {
        let replacing = || attributes.iter().filter(|a| a.replaces);
        let ids = || replacing().filter_map(|a| a.before.as_ref()).flat_map(Value::texts);
        let anew = |id: &str| {
            let mut all = self.changes.values().filter(|c| c.id.as_deref() == Some(id));
            all.any(|c| c.action == Action::Replace && c.create_before_destroy)
        };
        changes_vpc(attributes) || ids().any(anew)
    }

    fn moves(&self, change: &AttributeChange, live: &Object) -> bool {
        let old = change.before.as_ref().map(Value::texts).unwrap_or_default();
        let mut homes: BTreeSet<&str> = old.iter().filter_map(|id| self.vpc_of(id)).collect();
        homes.extend(live.value(VPC_ID).and_then(Value::as_str));
        if old.iter().chain(&homes).any(|id| self.leaves_its_vpc(id)) {
            return true;
        }
        let new = change.after.texts();
        let mut destinations = new.iter().filter_map(|id| self.vpc_of(id));
        !homes.is_empty() && destinations.any(|vpc| !homes.contains(vpc))
    }

    /// Whether the resource with this id is planned to be made anew in another VPC, or is a VPC that goes.
    fn leaves_its_vpc(&self, id: &str) -> bool {
        let of_id = |c: &&Arc<Change>| c.id.as_deref() == Some(id);
        let planned = self.changes.values().filter(of_id).any(|c| {
            c.action == Action::Replace && (&*c.address.type_name == "aws_vpc" || changes_vpc(&c.attributes))
        });
        let undeclared = self.state.resources.iter().any(|(address, resource)| {
            &*address.type_name == "aws_vpc" && resource.id == id && !self.is_declared(address)
        });
        planned || undeclared
    }

    /// The VPC that the resource with this id is in now, as far as this state knows it; replaced ones that still
    /// wait for their deletion included.
    fn vpc_of(&self, id: &str) -> Option<&str> {
        let all = self.changes.values().chain(&self.deposed);
        let change = all.into_iter().find(|c| c.id.as_deref() == Some(id))?;
        let now = change.before.as_ref()?;
        now.value(VPC_ID).and_then(Value::as_str)
    }
}

fn changes_vpc(attributes: &[AttributeChange]) -> bool {
    attributes.iter().any(|a| a.name == VPC_ID && a.replaces)
}

/// Whether old and new cannot be there at the same time: both have what AWS gives only once (a name, an Elastic
/// IP address).
pub(super) fn clashes(schema: &TypeSchema, live: &Object, wanted: &Object) -> bool {
    let kept = |name: &str| {
        let wanted = wanted.value(name).filter(|v| !v.is_null() && v.is_wholly_known());
        let Some(((row, live), wanted)) = schema.row(name).zip(live.value(name)).zip(wanted) else {
            return false;
        };
        equal(row, live, wanted, "")
    };
    let named = !schema.unique.is_empty() && schema.unique.iter().copied().all(kept);
    named || !allocations(live).is_disjoint(&allocations(wanted))
}

/// Elastic IP addresses: each belongs to one NAT gateway or load balancer at a time.
fn allocations(object: &Object) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<(&str, &Value)> = object.0.iter().map(|(name, value)| (&**name, value)).collect();
    while let Some((name, value)) = open.pop() {
        match &value.kind {
            Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
                open.extend(items.iter().map(|item| (name, item)));
            }
            Kind::Map(_, items) | Kind::Object(items) => open.extend(items.iter().map(|(k, v)| (&**k, v))),
            _ if name.contains("allocation_id") => found.extend(value.as_str()),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(pairs: &[(&str, &str)]) -> Object {
        let mut o = Object::new();
        for (name, value) in pairs {
            o.put(name, Some((*value).into()));
        }
        o
    }

    fn clash(type_name: &str, live: &[(&str, &str)], wanted: &[(&str, &str)]) -> bool {
        let schema = crate::aws::types::find(type_name).expect("a type").schema();
        clashes(schema, &object(live), &object(wanted))
    }

    #[test]
    fn a_name_is_given_only_once() {
        assert!(clash("aws_lb", &[("name", "web")], &[("name", "web")]));
        assert!(!clash("aws_lb", &[("name", "web")], &[("name", "shop")]));
        assert!(!clash("aws_lb", &[("name", "web-123")], &[("name_prefix", "web-")]));
        let (here, there) = ([("name", "web"), ("vpc_id", "vpc-1")], [("name", "web"), ("vpc_id", "vpc-2")]);
        assert!(clash("aws_security_group", &here, &here));
        assert!(!clash("aws_security_group", &here, &there));
    }

    #[test]
    fn an_address_has_one_user_at_a_time() {
        let nat = |subnet, address| [("subnet_id", subnet), ("allocation_id", address)];
        assert!(clash("aws_nat_gateway", &nat("subnet-1", "eipalloc-1"), &nat("subnet-2", "eipalloc-1")));
        assert!(!clash("aws_nat_gateway", &nat("subnet-1", "eipalloc-1"), &nat("subnet-2", "eipalloc-2")));
    }
}

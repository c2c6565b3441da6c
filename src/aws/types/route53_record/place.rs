//! Which record set: zone, name, type and set identifier, and the id that they make.

use super::super::route53::{bare, plain};
use super::table::{NAME, SET_IDENTIFIER, TYPE, TYPES, ZONE_ID};
use crate::aws::{AwsError, Existing};
use crate::schema::Object;

#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// As written: with or without `/hostedzone/`.
    pub zone_id: String,
    /// As written: with or without the zone's name.
    pub name: String,
    pub kind: String,
    pub set: Option<String>,
}

impl Place {
    /// None while a part is not known.
    pub fn declared(object: &Object) -> Option<Self> {
        Some(Self {
            zone_id: object.get(&ZONE_ID)?,
            name: object.get(&NAME)?,
            kind: object.get(&TYPE)?,
            set: object.get(&SET_IDENTIFIER),
        })
    }

    /// From what is known, or from the id alone (import).
    pub fn of(item: &Existing<'_>) -> Result<Self, AwsError> {
        Self::declared(item.known).or_else(|| Self::parse(item.id)).ok_or_else(|| {
            let message =
                format!("{:?} is no record id: it must be ZONE_name_TYPE or ZONE_name_TYPE_set", item.id);
            AwsError::failed("ListResourceRecordSets", "InvalidId", message)
        })
    }

    /// `Z0123_www.example.com_A_blue`. Names may have underscores themselves: the first type that stands
    /// between two of them ends the name.
    fn parse(id: &str) -> Option<Self> {
        let (zone, rest) = id.split_once('_')?;
        let ends = rest.match_indices('_').map(|(at, _)| at);
        ends.filter_map(|at| {
            let (kind, set) = match rest[at + 1..].split_once('_') {
                Some((kind, set)) => (kind, Some(set)),
                None => (&rest[at + 1..], None),
            };
            TYPES.contains(&kind).then(|| Self {
                zone_id: zone.to_owned(),
                name: rest[..at].to_owned(),
                kind: kind.to_owned(),
                set: set.map(str::to_owned),
            })
        })
        .next()
    }

    pub fn zone(&self) -> &str {
        bare(&self.zone_id)
    }

    pub fn id(&self) -> String {
        let name = self.name.strip_suffix('.').unwrap_or(&self.name).to_lowercase();
        let id = format!("{}_{name}_{}", self.zone(), self.kind);
        match &self.set {
            Some(set) => format!("{id}_{set}"),
            None => id,
        }
    }

    /// The whole name. A name that does not end in the zone's is meant within the zone.
    pub fn fqdn(&self, zone_name: &str) -> String {
        let name = self.name.strip_suffix('.').unwrap_or(&self.name).to_lowercase();
        match name.as_str() {
            "" => zone_name.to_owned(),
            name if name.ends_with(zone_name) => name.to_owned(),
            name => format!("{name}.{zone_name}"),
        }
    }

    /// See [`super::set::key`].
    pub fn key(&self, zone_name: &str) -> (String, String, String) {
        (plain(&self.fqdn(zone_name)), self.kind.clone(), self.set.clone().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(id: &str) -> Option<(String, String, String, Option<String>)> {
        Place::parse(id).map(|p| (p.zone_id, p.name, p.kind, p.set))
    }

    #[test]
    fn ids_part_into_zone_name_type_and_set() {
        let expected = |z: &str, n: &str, t: &str, s: Option<&str>| {
            Some((z.into(), n.into(), t.into(), s.map(str::to_owned)))
        };
        assert_eq!(parts("Z1_www.example.com_A"), expected("Z1", "www.example.com", "A", None));
        assert_eq!(parts("Z1_www_AAAA_blue"), expected("Z1", "www", "AAAA", Some("blue")));
        assert_eq!(parts("Z1_www_A_my_set"), expected("Z1", "www", "A", Some("my_set")));
        assert_eq!(parts("Z1__acme.example.com_CNAME"), expected("Z1", "_acme.example.com", "CNAME", None));
        assert_eq!(parts("Z1__TXT"), expected("Z1", "", "TXT", None));
        assert_eq!(parts("Z1_www"), None);
    }

    #[test]
    fn names_are_completed_within_their_zone() {
        let place = |name: &str| Place {
            zone_id: "/hostedzone/Z1".into(),
            name: name.into(),
            kind: "A".into(),
            set: None,
        };
        assert_eq!(place("www").fqdn("example.com"), "www.example.com");
        assert_eq!(place("WWW.example.com.").fqdn("example.com"), "www.example.com");
        assert_eq!(place("").fqdn("example.com"), "example.com");
        assert_eq!(place("WWW.example.com.").id(), "Z1_www.example.com_A");
    }
}

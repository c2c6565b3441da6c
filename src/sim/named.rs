//! A map by names that begin alike: ARNs of one account, ids of one kind.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::ops::Index;

/// In the order of what tells the names apart: their last `PARTS` parts between slashes, as far as 16 bytes go, then
/// the whole names. A search compares these 16 bytes, which stand in the tree itself as numbers, and goes to the
/// memory of the one name that it finds. Among names that are alike up to those parts this is the order of the texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<V, const PARTS: usize = 1>(BTreeMap<Head, Bucket<V>>);

type Head = (u64, u64);

/// Names with the same 16 bytes.
#[derive(Clone, Debug, PartialEq)]
enum Bucket<V> {
    One(String, V),
    More(BTreeMap<String, V>),
}

fn head(text: &str, parts: usize) -> Head {
    let bytes = text.as_bytes();
    let mut left = parts;
    let slash = bytes.iter().rposition(|byte| {
        left -= usize::from(*byte == b'/');
        left == 0
    });
    let tail = &bytes[slash.map_or(0, |at| at + 1)..];
    let mut first = [0; 16];
    let length = tail.len().min(16);
    first[..length].copy_from_slice(&tail[..length]);
    let number = u128::from_be_bytes(first);
    ((number >> 64) as u64, number as u64)
}

impl<V> Bucket<V> {
    fn get(&self, text: &str) -> Option<(&String, &V)> {
        match self {
            Bucket::One(name, value) => (name == text).then_some((name, value)),
            Bucket::More(all) => all.get_key_value(text),
        }
    }

    fn get_mut(&mut self, text: &str) -> Option<&mut V> {
        match self {
            Bucket::One(name, value) => (name == text).then_some(value),
            Bucket::More(all) => all.get_mut(text),
        }
    }

    /// As a map, into which others may be put.
    fn widened(&mut self) -> &mut BTreeMap<String, V> {
        if let Bucket::One(..) = self
            && let Bucket::One(name, value) = std::mem::replace(self, Bucket::More(BTreeMap::new()))
        {
            *self = Bucket::More(BTreeMap::from([(name, value)]));
        }
        match self {
            Bucket::More(all) => all,
            Bucket::One(..) => unreachable!("it has just been widened"),
        }
    }

    fn pairs<'a>(&'a self) -> impl Iterator<Item = (&'a String, &'a V)> + use<'a, V> {
        let (one, more) = match self {
            Bucket::One(name, value) => (Some((name, value)), None),
            Bucket::More(all) => (None, Some(all)),
        };
        one.into_iter().chain(more.into_iter().flatten())
    }
}

impl<V, const PARTS: usize> Named<V, PARTS> {
    pub fn get_key_value(&self, name: &str) -> Option<(&String, &V)> {
        self.0.get(&head(name, PARTS))?.get(name)
    }

    pub fn get(&self, name: &str) -> Option<&V> {
        self.get_key_value(name).map(|(_, value)| value)
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.0.get_mut(&head(name, PARTS))?.get_mut(name)
    }

    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn insert(&mut self, name: String, value: V) -> Option<V> {
        match self.0.get_mut(&head(&name, PARTS)) {
            None => {
                self.0.insert(head(&name, PARTS), Bucket::One(name, value));
                None
            }
            Some(Bucket::One(known, old)) if *known == name => Some(std::mem::replace(old, value)),
            Some(bucket) => bucket.widened().insert(name, value),
        }
    }

    pub fn remove(&mut self, name: &str) -> Option<V> {
        let head = head(name, PARTS);
        match self.0.get_mut(&head)? {
            Bucket::One(known, _) if known != name => None,
            Bucket::One(..) => match self.0.remove(&head)? {
                Bucket::One(_, value) => Some(value),
                Bucket::More(_) => unreachable!("there was one"),
            },
            Bucket::More(all) => {
                let value = all.remove(name);
                if all.is_empty() {
                    self.0.remove(&head);
                }
                value
            }
        }
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn len(&self) -> usize {
        let lengths = self.0.values().map(|bucket| match bucket {
            Bucket::One(..) => 1,
            Bucket::More(all) => all.len(),
        });
        lengths.sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &V)> {
        self.0.values().flat_map(Bucket::pairs)
    }

    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.iter().map(|(name, _)| name)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.values_mut().flat_map(|bucket| {
            let (one, more) = match bucket {
                Bucket::One(_, value) => (Some(value), None),
                Bucket::More(all) => (None, Some(all.values_mut())),
            };
            one.into_iter().chain(more.into_iter().flatten())
        })
    }
}

impl<V: Default, const PARTS: usize> Named<V, PARTS> {
    /// What has this name; nothing yet, if there was none.
    pub fn of_name(&mut self, name: &str) -> &mut V {
        if !self.contains_key(name) {
            self.insert(name.to_owned(), V::default());
        }
        self.get_mut(name).expect("it is there, or has just been made")
    }
}

impl<V, const PARTS: usize> Default for Named<V, PARTS> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<Q: AsRef<str> + ?Sized, V, const PARTS: usize> Index<&Q> for Named<V, PARTS> {
    type Output = V;

    fn index(&self, name: &Q) -> &V {
        self.get(name.as_ref()).expect("the caller knows that it is there")
    }
}

impl<V, const PARTS: usize> FromIterator<(String, V)> for Named<V, PARTS> {
    fn from_iter<I: IntoIterator<Item = (String, V)>>(pairs: I) -> Self {
        let mut map = Self::default();
        for (name, value) in pairs {
            map.insert(name, value);
        }
        map
    }
}

impl<'a, V, const PARTS: usize> IntoIterator for &'a Named<V, PARTS> {
    type Item = (&'a String, &'a V);
    type IntoIter = Box<dyn Iterator<Item = Self::Item> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl<V: Serialize, const PARTS: usize> Serialize for Named<V, PARTS> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self)
    }
}

impl<'de, V: Deserialize<'de>, const PARTS: usize> Deserialize<'de> for Named<V, PARTS> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::<String, V>::deserialize(d)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Named;

    fn keys<const PARTS: usize>(names: &[&str]) -> Vec<String> {
        let map: Named<(), PARTS> = names.iter().map(|name| ((*name).to_owned(), ())).collect();
        assert!(names.iter().all(|name| map.contains_key(name)));
        map.keys().cloned().collect()
    }

    #[test]
    fn names_stand_in_the_order_of_their_last_parts() {
        assert_eq!(keys::<1>(&["task/b/1", "task/a/2", "task/a/10"]), ["task/b/1", "task/a/10", "task/a/2"]);
        assert_eq!(keys::<2>(&["task/b/1", "task/a/2", "task/a/10"]), ["task/a/10", "task/a/2", "task/b/1"]);
        assert_eq!(keys::<1>(&["i-2", "i-10", "i-1"]), ["i-1", "i-10", "i-2"]);
    }

    #[test]
    fn names_that_are_alike_in_their_first_letters_are_told_apart() {
        let names = ["a/the-same-beginning-2", "b/the-same-beginning-1", "a/the-same-beginning-1"];
        let mut map: Named<usize> =
            names.iter().enumerate().map(|(at, name)| ((*name).to_owned(), at)).collect();
        assert_eq!(names.map(|name| map.get(name).copied()), [Some(0), Some(1), Some(2)]);
        assert_eq!(map.remove(names[1]), Some(1));
        assert_eq!((map.len(), map.get(names[1])), (2, None));
        assert_eq!(map.insert(names[0].to_owned(), 7), Some(0));
    }

    #[test]
    fn it_is_saved_as_any_map() {
        let map: Named<i64> = [("x/b".to_owned(), 1), ("y/a".to_owned(), 2)].into_iter().collect();
        let text = serde_json::to_string(&map).expect("it is plain data");
        assert_eq!(text, r#"{"y/a":2,"x/b":1}"#);
        assert_eq!(serde_json::from_str::<Named<i64>>(&text).expect("as it was written"), map);
    }
}

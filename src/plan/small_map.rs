//! An ordered map that takes little room while it holds little: a B-tree's first node has room for eleven
//! entries, and there is a map of each kind in every module instance.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// More entries than this make a tree.
const FEW: usize = 8;

#[derive(Clone, Debug)]
pub enum SmallMap<K, V> {
    /// In order of the keys.
    Few(Vec<(K, V)>),
    Many(BTreeMap<K, V>),
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        SmallMap::Few(Vec::new())
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self {
            SmallMap::Few(entries) => {
                let at = entries.binary_search_by(|(k, _)| k.borrow().cmp(key)).ok()?;
                Some(&entries[at].1)
            }
            SmallMap::Many(map) => map.get(key),
        }
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self {
            SmallMap::Few(entries) => {
                let at = entries.binary_search_by(|(k, _)| k.borrow().cmp(key)).ok()?;
                Some(&mut entries[at].1)
            }
            SmallMap::Many(map) => map.get_mut(key),
        }
    }

    pub fn insert(&mut self, key: K, value: V) {
        match self {
            SmallMap::Few(entries) => match entries.binary_search_by(|(k, _)| k.cmp(&key)) {
                Ok(at) => entries[at].1 = value,
                Err(at) if entries.len() < FEW => {
                    entries.reserve_exact(1);
                    entries.insert(at, (key, value));
                }
                Err(_) => {
                    let mut map: BTreeMap<K, V> = std::mem::take(entries).into_iter().collect();
                    map.insert(key, value);
                    *self = SmallMap::Many(map);
                }
            },
            SmallMap::Many(map) => {
                map.insert(key, value);
            }
        }
    }

    /// In order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (few, many) = match self {
            SmallMap::Few(entries) => (entries.as_slice(), None),
            SmallMap::Many(map) => (&[][..], Some(map)),
        };
        few.iter().map(|(k, v)| (k, v)).chain(many.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_or_many_it_is_the_same_map() {
        for n in [0, 1, FEW, FEW + 1, 100] {
            let mut map = SmallMap::default();
            let mut expected = BTreeMap::new();
            for i in (0..n).rev().chain(0..n / 2) {
                map.insert(format!("k{i}"), i * n);
                expected.insert(format!("k{i}"), i * n);
            }
            assert!(map.iter().eq(&expected), "{n}");
            for key in expected.keys() {
                assert_eq!(map.get(key.as_str()), expected.get(key));
                *map.get_mut(key.as_str()).expect("it is there") += 1;
                assert_eq!(map.get(key.as_str()), Some(&(expected[key] + 1)));
            }
            assert_eq!(map.get("none"), None);
        }
    }
}

//! An ordered map that takes little room while it holds little: the first node of a B-tree has room for eleven
//! entries, and most objects have three or four.

use std::borrow::Borrow;
use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::ops::Index;

/// More entries than this make a tree.
const FEW: usize = 32;

/// Up to so many entries there is room for those that are there, and no more.
const EXACT: usize = 8;

#[derive(Clone)]
pub enum SmallMap<K, V> {
    /// In order of the keys.
    Few(Vec<(K, V)>),
    Many(BTreeMap<K, V>),
}

impl<K, V> SmallMap<K, V> {
    pub const fn new() -> Self {
        SmallMap::Few(Vec::new())
    }

    pub fn len(&self) -> usize {
        match self {
            SmallMap::Few(entries) => entries.len(),
            SmallMap::Many(map) => map.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// In order of the keys.
    pub fn iter(&self) -> Iter<'_, K, V> {
        match self {
            SmallMap::Few(entries) => Iter::Few(entries.iter()),
            SmallMap::Many(map) => Iter::Many(map.iter()),
        }
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> + Clone {
        self.iter().map(|(k, _)| k)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.iter().map(|(_, v)| v)
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self {
            SmallMap::Few(entries) => place(entries, key).ok().map(|at| &entries[at].1),
            SmallMap::Many(map) => map.get(key),
        }
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self {
            SmallMap::Few(entries) => place(entries, key).ok().map(|at| &mut entries[at].1),
            SmallMap::Many(map) => map.get_mut(key),
        }
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The value that was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let entries = match self {
            SmallMap::Few(entries) => entries,
            SmallMap::Many(map) => return map.insert(key, value),
        };
        match place(entries, &key) {
            Ok(at) => Some(std::mem::replace(&mut entries[at].1, value)),
            Err(at) if entries.len() < FEW => {
                if entries.len() == entries.capacity() {
                    entries.reserve_exact(if entries.len() < EXACT { 1 } else { EXACT });
                }
                entries.insert(at, (key, value));
                None
            }
            Err(_) => {
                let mut map: BTreeMap<K, V> = std::mem::take(entries).into_iter().collect();
                map.insert(key, value);
                *self = SmallMap::Many(map);
                None
            }
        }
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            SmallMap::Few(entries) => place(entries, key).ok().map(|at| entries.remove(at).1),
            SmallMap::Many(map) => map.remove(key),
        }
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        match self {
            SmallMap::Few(entries) => entries.retain_mut(|(k, v)| keep(k, v)),
            SmallMap::Many(map) => map.retain(keep),
        }
    }
}

/// Where it is, or where it would be put.
fn place<K: Ord + Borrow<Q>, V, Q: Ord + ?Sized>(entries: &[(K, V)], key: &Q) -> Result<usize, usize> {
    entries.binary_search_by(|(k, _)| k.borrow().cmp(key))
}

pub enum Iter<'m, K, V> {
    Few(std::slice::Iter<'m, (K, V)>),
    Many(btree_map::Iter<'m, K, V>),
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        match self {
            Iter::Few(entries) => Iter::Few(entries.clone()),
            Iter::Many(entries) => Iter::Many(entries.clone()),
        }
    }
}

impl<'m, K, V> Iterator for Iter<'m, K, V> {
    type Item = (&'m K, &'m V);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Iter::Few(entries) => entries.next().map(|(k, v)| (k, v)),
            Iter::Many(entries) => entries.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Iter::Few(entries) => entries.size_hint(),
            Iter::Many(entries) => entries.size_hint(),
        }
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Iter::Few(entries) => entries.next_back().map(|(k, v)| (k, v)),
            Iter::Many(entries) => entries.next_back(),
        }
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

impl<'m, K, V> IntoIterator for &'m SmallMap<K, V> {
    type Item = (&'m K, &'m V);
    type IntoIter = Iter<'m, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

pub enum IntoIter<K, V> {
    Few(std::vec::IntoIter<(K, V)>),
    Many(btree_map::IntoIter<K, V>),
}

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            IntoIter::Few(entries) => entries.next(),
            IntoIter::Many(entries) => entries.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            IntoIter::Few(entries) => entries.size_hint(),
            IntoIter::Many(entries) => entries.size_hint(),
        }
    }
}

impl<K, V> IntoIterator for SmallMap<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        match self {
            SmallMap::Few(entries) => IntoIter::Few(entries.into_iter()),
            SmallMap::Many(map) => IntoIter::Many(map.into_iter()),
        }
    }
}

impl<K: Ord, V> Extend<(K, V)> for SmallMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        let entries = entries.into_iter();
        if let SmallMap::Few(few) = self
            && few.is_empty()
        {
            few.reserve_exact(entries.size_hint().0.min(FEW));
        }
        entries.for_each(|(key, value)| drop(self.insert(key, value)));
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SmallMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        if entries.size_hint().0 > FEW {
            return SmallMap::Many(entries.collect());
        }
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for SmallMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// The same entries, however they are kept.
impl<K: PartialEq, V: PartialEq> PartialEq for SmallMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SmallMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<K: Ord + Borrow<Q>, Q: Ord + ?Sized, V> Index<&Q> for SmallMap<K, V> {
    type Output = V;

    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("there is no entry of this key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_or_many_it_is_the_same_map() {
        for n in [0, 1, EXACT, FEW, FEW + 1, 100] {
            let mut map = SmallMap::default();
            let mut expected = BTreeMap::new();
            for i in (0..n).rev().chain(0..n / 2) {
                let key = format!("k{i}");
                assert_eq!(map.insert(key.clone(), i * n), expected.insert(key, i * n));
            }
            assert!(map.iter().eq(&expected), "{n}");
            assert!(map.iter().rev().eq(expected.iter().rev()), "{n}");
            assert_eq!(map, expected.clone().into_iter().collect(), "{n}");
            for key in expected.keys() {
                assert_eq!(map.get(key.as_str()), expected.get(key));
                *map.get_mut(key.as_str()).expect("it is there") += 1;
                assert_eq!(map[key.as_str()], expected[key] + 1);
            }
            assert_eq!(map.get("none"), None);
            assert_eq!(map.remove("k0"), expected.remove("k0").map(|v| v + 1));
            map.retain(|_, v| *v % 2 == 0);
            expected.retain(|_, v| *v % 2 == 1);
            assert!(map.into_iter().eq(expected.into_iter().map(|(k, v)| (k, v + 1))), "{n}");
        }
    }

    #[test]
    fn one_that_has_shrunk_equals_one_that_was_never_large() {
        let mut map: SmallMap<usize, ()> = (0..100).map(|i| (i, ())).collect();
        map.retain(|k, ()| *k < 3);
        assert_eq!(map, (0..3).map(|i| (i, ())).collect());
    }
}

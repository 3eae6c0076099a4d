//! How many there are of each kind.

/// Kinds in ascending order, each with how many there are: few kinds, many of each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Counted<K>(Vec<(K, u64)>);

impl<K> Default for Counted<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord> Counted<K> {
    pub(super) fn add(&mut self, kind: K) {
        match self.0.binary_search_by(|(one, _)| one.cmp(&kind)) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (kind, 1)),
        }
    }

    pub(super) fn remove(&mut self, kind: &K) {
        if let Ok(at) = self.0.binary_search_by(|(one, _)| one.cmp(kind)) {
            self.0[at].1 -= 1;
            if self.0[at].1 == 0 {
                self.0.remove(at);
            }
        }
    }

    pub(super) fn entries(&self) -> &[(K, u64)] {
        &self.0
    }
}

//! The sources that a registry keeps for its own life, by kind and name.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockWriteGuard},
};

use crate::ComponentKind;

/// A source of a type that who asks for it knows.
pub(super) type AnySource = Arc<dyn Any + Send + Sync>;

/// Beside the list of components, so that who looks a name up and a scrape do not wait for each
/// other. Locked before that list, never after it.
#[derive(Default)]
pub(super) struct Kept(RwLock<HashMap<ComponentKind, Names>>);

#[derive(Default)]
pub(super) struct Names {
    pub(super) by_name: HashMap<Arc<str>, AnySource>,
    /// Of all names beyond the guard. Not in the map: nobody may ask for it by its name.
    pub(super) other: Option<AnySource>,
}

impl Kept {
    pub(super) fn get(&self, kind: ComponentKind, name: &str) -> Option<AnySource> {
        let kinds = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kinds.get(&kind)?.by_name.get(name).cloned()
    }

    pub(super) fn lock(&self) -> RwLockWriteGuard<'_, HashMap<ComponentKind, Names>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

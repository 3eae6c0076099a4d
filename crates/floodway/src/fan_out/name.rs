//! What fan-outs are called in metrics.

use std::{fmt, sync::Arc};

use super::cells::Cells;
use crate::{BuildError, Registry};

/// The name under which fan-outs of one kind are counted, however many run. Make it once and give
/// it to each of them; cloning is cheap.
///
/// ```
/// use floodway::fan_out::Name;
///
/// let enrich = Name::new("enrich")?;
/// assert!(Name::new("no spaces").is_err());
/// # let _ = enrich;
/// # Ok::<(), floodway::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Name {
    name: Arc<str>,
    cells: Arc<Cells>,
}

impl Name {
    /// A name in the registry of the process.
    ///
    /// # Errors
    ///
    /// If it is not usable as a label; see [`Registry::register`].
    pub fn new(name: &str) -> Result<Self, BuildError> {
        Self::in_registry(Registry::global(), name)
    }

    /// A name in a registry of one's own.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn in_registry(registry: &Registry, name: &str) -> Result<Self, BuildError> {
        let cells = Cells::named(registry, name)?;
        Ok(Self { name: name.into(), cells })
    }

    pub(super) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(super) fn cells(&self) -> Arc<Cells> {
        Arc::clone(&self.cells)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Name").field(&self.name).finish()
    }
}

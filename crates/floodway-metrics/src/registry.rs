//! Which components are alive, and a guard on how many names they may have.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    Collector, ComponentKind, Snapshot, Source,
    catalogue::exporter::{BUILD_INFO, OVERFLOW, SERIES},
};

/// Longest name of a component, in bytes.
pub const MAX_NAME_LEN: usize = 64;

/// Names that one kind of component may have at once. What registers beyond it is measured under
/// [`OTHER`]: a name per tenant must not become a series per tenant.
pub const MAX_NAMES_PER_KIND: usize = 200;

/// The name under which components beyond [`MAX_NAMES_PER_KIND`] are added up.
pub const OTHER: &str = "_other";

/// The live components of a process, or of a part of it.
///
/// Cloning is cheap and gives the same registry. A component's series live as long as it does and
/// its name is free again afterwards; the registry keeps nothing alive.
#[derive(Clone, Default)]
pub struct Registry(Arc<Inner>);

#[derive(Default)]
struct Inner {
    components: Mutex<Vec<Component>>,
    overflow: AtomicU64,
}

struct Component {
    kind: ComponentKind,
    name: Arc<str>,
    /// Shares its series with others: see [`OTHER`].
    folded: bool,
    source: Weak<dyn Source>,
}

impl Registry {
    /// An empty registry, for tests and for processes that hold several services.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The registry of the process, which components use unless told otherwise.
    #[must_use]
    pub fn global() -> &'static Self {
        static GLOBAL: OnceLock<Registry> = OnceLock::new();
        GLOBAL.get_or_init(Self::new)
    }

    /// Adds a component under `name` for as long as `source` lives. Components of a kind without a
    /// name label are added up, and their name is not looked at.
    ///
    /// # Errors
    ///
    /// If the name is empty, longer than [`MAX_NAME_LEN`], has characters other than ASCII
    /// letters, digits and `_ - . : /`, does not begin with a letter or digit, or belongs to a
    /// live component of the same kind.
    pub fn register(
        &self,
        kind: ComponentKind,
        name: &str,
        source: &Arc<dyn Source>,
    ) -> Result<(), RegisterError> {
        let mut components = self.components();
        components.retain(|component| component.source.strong_count() > 0);
        // A kind without a name label has one series per metric, to which all components add.
        let mut folded = kind.label().is_none();
        if !folded {
            check_name(kind, name)?;
            let same_kind = || components.iter().filter(|component| component.kind == kind);
            if same_kind().any(|component| &*component.name == name) {
                return Err(RegisterError::Duplicate { kind, name: name.into() });
            }
            folded = same_kind().count() >= MAX_NAMES_PER_KIND;
            if folded {
                self.0.overflow.fetch_add(1, Ordering::Relaxed);
            }
        }
        components.push(Component {
            kind,
            name: name.into(),
            folded,
            source: Arc::downgrade(source),
        });
        Ok(())
    }

    /// Reads all live components.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        // The lock covers the upgrade alone: a source is read, and perhaps dropped, outside it.
        let live: Vec<_> = self
            .components()
            .iter()
            .filter_map(|component| {
                let name =
                    if component.folded { OTHER.into() } else { Arc::clone(&component.name) };
                let name = component.kind.label().map(|_| name);
                Some((component.source.upgrade()?, name, component.folded))
            })
            .collect();
        let mut collector = Collector::new();
        for (source, name, folded) in live {
            collector.start(name, folded);
            source.collect(&mut collector);
        }
        collector.start(None, false);
        collector.number(&OVERFLOW, self.0.overflow.load(Ordering::Relaxed) as f64);
        collector.numbers(&BUILD_INFO, [1.0]);
        let series = collector.series_count() + 1;
        collector.number(&SERIES, series as f64);
        collector.finish()
    }

    fn components(&self) -> MutexGuard<'_, Vec<Component>> {
        self.0.components.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let components = self.components();
        let names = components.iter().map(|component| (component.kind, &component.name));
        f.debug_map().entries(names).finish()
    }
}

fn check_name(kind: ComponentKind, name: &str) -> Result<(), RegisterError> {
    if name.is_empty() {
        return Err(RegisterError::Empty { kind });
    }
    if name.len() > MAX_NAME_LEN {
        return Err(RegisterError::TooLong { kind, name: name.into() });
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/');
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(legal) {
        return Err(RegisterError::Illegal { kind, name: name.into() });
    }
    Ok(())
}

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// The name is empty.
    Empty {
        /// What was to be named.
        kind: ComponentKind,
    },
    /// The name is longer than [`MAX_NAME_LEN`] bytes.
    TooLong {
        /// What was to be named.
        kind: ComponentKind,
        /// The name.
        name: String,
    },
    /// The name has a character that is not allowed, or begins with one that is not alphanumeric.
    Illegal {
        /// What was to be named.
        kind: ComponentKind,
        /// The name.
        name: String,
    },
    /// A live component of this kind already has the name.
    Duplicate {
        /// What was to be named.
        kind: ComponentKind,
        /// The name.
        name: String,
    },
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { kind } => write!(f, "{} name is empty", kind.as_str()),
            Self::TooLong { kind, name } => write!(
                f,
                "{} name {name:?} has {} bytes, more than {MAX_NAME_LEN}",
                kind.as_str(),
                name.len()
            ),
            Self::Illegal { kind, name } => write!(
                f,
                "{} name {name:?} must begin with a letter or digit and go on with letters, \
                 digits and _ - . : /",
                kind.as_str()
            ),
            Self::Duplicate { kind, name } => write!(
                f,
                "{} name {name:?} is already in use in this registry; clone the existing one or \
                 choose another name",
                kind.as_str()
            ),
        }
    }
}

impl std::error::Error for RegisterError {}

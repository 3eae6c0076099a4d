//! Which components are alive, and a guard on how many names they may have.

mod kept;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use crate::{
    Collector, ComponentKind, Snapshot, Source,
    catalogue::exporter::{BUILD_INFO, OVERFLOW, SERIES},
    wall_clock,
};
use kept::{AnySource, Kept};

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
/// its name is free again afterwards: what [`register`](Self::register) adds is not kept alive.
/// What comes and goes all the time under one name, such as the calls of a fan-out, counts in a
/// source that [`shared`](Self::shared) keeps for the life of the registry.
#[derive(Clone, Default)]
pub struct Registry(Arc<Inner>);

struct Inner {
    since: SystemTime,
    components: Mutex<Vec<Component>>,
    kept: Kept,
    overflow: AtomicU64,
}

/// By hand, because of the time.
impl Default for Inner {
    fn default() -> Self {
        Self {
            since: wall_clock::now(),
            components: Mutex::default(),
            kept: Kept::default(),
            overflow: AtomicU64::new(0),
        }
    }
}

struct Component {
    kind: ComponentKind,
    name: Arc<str>,
    /// Shares its series with others: see [`OTHER`].
    folded: bool,
    since: SystemTime,
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
        let folded = self.folds(&mut components, kind, name)?;
        let (name, source) = (name.into(), Arc::downgrade(source));
        components.push(Component { kind, name, folded, since: wall_clock::now(), source });
        Ok(())
    }

    /// The source that everybody shares who asks for `name`, made when somebody first does and
    /// kept for the life of the registry, so that its counters never start again. Names beyond
    /// [`MAX_NAMES_PER_KIND`] share one source, so that names without bound take bounded memory.
    ///
    /// Costs about as much as a lookup in a hash map. The first use of a name, and every use of
    /// one beyond the guard, takes a lock under which `S::default` runs, which must not use the
    /// registry itself.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register); in use is a name whose component was added by it, or that
    /// is shared as another type.
    pub fn shared<S: Source + Default + 'static>(
        &self,
        kind: ComponentKind,
        name: &str,
    ) -> Result<Arc<S>, RegisterError> {
        let source = match self.0.kept.get(kind, name) {
            Some(known) => known,
            None => self.keep::<S>(kind, name)?,
        };
        source.downcast().map_err(|_| RegisterError::Duplicate { kind, name: name.into() })
    }

    fn keep<S: Source + Default + 'static>(
        &self,
        kind: ComponentKind,
        name: &str,
    ) -> Result<AnySource, RegisterError> {
        let mut kept = self.0.kept.lock();
        let names = kept.entry(kind).or_default();
        // Somebody may have been quicker since the first look.
        if let Some(known) = names.by_name.get(name) {
            return Ok(Arc::clone(known));
        }
        let mut components = self.components();
        let folded = self.folds(&mut components, kind, name)?;
        if folded && let Some(other) = &names.other {
            return Ok(Arc::clone(other));
        }
        let made = Arc::new(S::default());
        let name: Arc<str> = if folded { OTHER } else { name }.into();
        let source: Weak<dyn Source> = Arc::downgrade(&made) as _;
        let since = wall_clock::now();
        components.push(Component { kind, name: Arc::clone(&name), folded, since, source });
        let made: AnySource = made;
        if folded {
            names.other = Some(Arc::clone(&made));
        } else {
            names.by_name.insert(name, Arc::clone(&made));
        }
        Ok(made)
    }

    /// Whether a component that is added now shares its series with others; an error if it cannot
    /// be added under this name.
    fn folds(
        &self,
        components: &mut Vec<Component>,
        kind: ComponentKind,
        name: &str,
    ) -> Result<bool, RegisterError> {
        components.retain(|component| component.source.strong_count() > 0);
        // A kind without a name label has one series per metric, to which all components add.
        if kind.label().is_none() {
            return Ok(true);
        }
        check_name(kind, name)?;
        let same_kind = || components.iter().filter(|component| component.kind == kind);
        if same_kind().any(|component| &*component.name == name) {
            return Err(RegisterError::Duplicate { kind, name: name.into() });
        }
        let folded = same_kind().count() >= MAX_NAMES_PER_KIND;
        if folded {
            self.0.overflow.fetch_add(1, Ordering::Relaxed);
        }
        Ok(folded)
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
                Some((component.source.upgrade()?, name, component.since, component.folded))
            })
            .collect();
        let mut collector = Collector::new();
        for (source, name, since, folded) in live {
            collector.start(name, since, folded);
            source.collect(&mut collector);
        }
        collector.start(None, self.0.since, false);
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

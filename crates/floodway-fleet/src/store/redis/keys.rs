//! Where a budget is in Redis.

/// The keys of one budget, with one hash tag: on a cluster, all of them are in one place.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) account: String,
    pub(super) members: String,
    pub(super) due: String,
    pub(super) wants: String,
    pub(super) declared: String,
    pub(super) remnants: String,
}

impl Keys {
    pub(super) fn of(budget: &str) -> Self {
        let account = format!("floodway:{{{budget}}}");
        Self {
            members: format!("{account}:members"),
            due: format!("{account}:due"),
            wants: format!("{account}:wants"),
            declared: format!("{account}:declared"),
            remnants: format!("{account}:remnants"),
            account,
        }
    }

    /// In the order in which scripts expect them.
    pub(super) fn all(&self) -> [&str; 6] {
        [&self.account, &self.members, &self.due, &self.wants, &self.declared, &self.remnants]
    }

    /// What the keys are called in which budgets have their accounts.
    pub(super) const PATTERN: &str = "floodway:{*}";

    /// The budget whose account is at `key`.
    pub(super) fn budget(key: &str) -> Option<&str> {
        key.strip_prefix("floodway:{")?.strip_suffix('}')
    }
}

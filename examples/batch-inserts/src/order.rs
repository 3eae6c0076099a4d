//! The rows.

/// A row of the table `orders`.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) customer: i64,
    /// The table accepts no negative ones.
    pub(crate) cents: i64,
    pub(crate) note: String,
}

impl Order {
    /// How many there are: each takes a parameter of a statement with several rows.
    pub(crate) const COLUMNS: u64 = 4;

    /// The same one every time for a number; a bad one breaks a rule of the table.
    pub(crate) fn numbered(number: u64, bad: bool) -> Self {
        let id = i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            id,
            customer: id % 1_000,
            cents: if bad { -1 } else { 100 + id * 7 % 9_900 },
            note: format!("order {id}, to be left at the door"),
        }
    }
}

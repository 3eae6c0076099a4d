//! Pool limiters over real databases.

mod accounting;
mod sqlite;
mod support;

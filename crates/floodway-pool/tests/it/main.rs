//! Pool limiters over real databases.

mod accounting;
mod bb8;
mod canary;
mod contract;
mod counting;
mod deadpool;
mod faults;
mod r2d2;
mod sqlite;
mod support;

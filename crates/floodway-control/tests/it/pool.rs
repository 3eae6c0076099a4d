//! What a connection pool can really give.

mod ceiling;
mod health;
mod nested;
mod report;

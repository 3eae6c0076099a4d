//! Whether orders make sense: one of them, or many at once.

use std::{convert::Infallible, future::ready, ops::RangeInclusive};

use floodway::{
    Chunking,
    fan_out::{FanOutExt, Name},
};

use super::answer::Refusal;
use crate::orders::{CUSTOMERS, MONTHS, NewOrder, PRODUCTS};

/// Says what is wrong with an order.
pub(super) fn validate(order: &NewOrder) -> Result<(), Refusal> {
    check("customer_id", order.customer_id, 1..=CUSTOMERS)?;
    check("product_id", order.product_id, 1..=PRODUCTS)?;
    check("month", order.month, 1..=MONTHS)?;
    check("quantity", order.quantity, 1..=1_000)?;
    check("unit_price_cents", order.unit_price_cents, 1..=1_000_000)
}

pub(super) fn check(
    field: &'static str,
    value: i64,
    range: RangeInclusive<i64>,
) -> Result<(), Refusal> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Refusal::OutOfRange { field, value, min: *range.start(), max: *range.end() })
}

/// Gives the orders back if nothing is wrong with any of them, else what is wrong with the first.
///
/// A check takes less than handing an order to a worker does, so a worker takes many at once: a few
/// orders are checked right here, and a thousand of them by whoever has time.
pub(super) async fn validate_all(
    orders: Vec<NewOrder>,
    name: &Name,
) -> Result<Vec<NewOrder>, Refusal> {
    let report = orders
        // What a client got wrong is a result of the check, and no failure of it.
        .fan_out(|order| ready(Ok::<_, Infallible>(validate(&order).map(|()| order))))
        .name(name)
        .chunks(Chunking::Adaptive)
        .collect()
        .await;
    let checked = report.outcomes.into_iter().map(|outcome| match outcome.result {
        Ok(checked) => checked,
        Err(error) => Err(Refusal::Failed(error.to_string())),
    });
    checked.collect()
}

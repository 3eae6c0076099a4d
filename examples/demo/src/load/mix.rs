//! What requests ask for, from a seed.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::orders::{CUSTOMERS, MONTHS, NewOrder, PRODUCTS};

/// One request. The last two are not in the [`Mix`].
#[derive(Clone, Debug)]
pub(super) enum Call {
    Summary { customer: i64 },
    Find { id: i64 },
    Create(NewOrder),
    CreateAll(Vec<NewOrder>),
    Page { customer: i64 },
}

/// Mostly summaries, which cost milliseconds, and some reads and writes, which cost next to
/// nothing.
#[derive(Debug)]
pub(super) struct Mix {
    random: ChaCha8Rng,
    orders: i64,
}

impl Mix {
    /// Calls about the first `orders` orders.
    pub(super) fn new(orders: u32, seed: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        Self { random, orders: orders.into() }
    }

    pub(super) fn draw(&mut self) -> Call {
        let random = &mut self.random;
        match random.random_range(0..100) {
            0..80 => Call::Summary { customer: random.random_range(1..=CUSTOMERS) },
            80..95 => Call::Find { id: random.random_range(1..=self.orders) },
            _ => Call::Create(order(random)),
        }
    }
}

pub(super) fn order(random: &mut impl Rng) -> NewOrder {
    NewOrder {
        customer_id: random.random_range(1..=CUSTOMERS),
        product_id: random.random_range(1..=PRODUCTS),
        month: random.random_range(1..=MONTHS),
        quantity: random.random_range(1..=9),
        unit_price_cents: random.random_range(100..=9_999),
    }
}

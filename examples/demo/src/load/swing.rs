//! Load without end whose rate rises and falls, so that charts have something to show.

use std::{f64::consts::TAU, time::Duration};

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    Client,
    arrivals::Arrivals,
    mix::{Call, Mix, order},
};
use crate::{orders::CUSTOMERS, stop::Stop};

/// From the lowest rate to the highest and back.
const PERIOD: Duration = Duration::from_secs(60);

/// Of so many requests one asks for the page of a customer, and one places many orders. Both take
/// several times what others take, so that more of them would be most of the load.
const REQUESTS_PER_RARE_ONE: u32 = 50;

/// Orders that are placed by one request, at most.
const MAX_ORDERS: usize = 40;

/// Arrivals at a rate that swings between two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Swing {
    /// Requests per second.
    pub(crate) low: f64,
    /// Requests per second, more than 0.
    pub(crate) high: f64,
}

impl Swing {
    /// Sends requests about the first `orders` orders when they are due, until `stop`.
    pub(crate) async fn run(self, client: &Client, orders: u32, seed: u64, stop: &Stop) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // The other streams are the mix's and the arrivals'.
        random.set_stream(2);
        let mut mix = Mix::new(orders, seed, 0);
        let mut tasks = JoinSet::new();
        let begin = Instant::now();
        // Of arrivals at the highest rate, as many are kept as there are at the rate of the moment:
        // thinning, <https://doi.org/10.1002/nav.3800260304>.
        for due in Arrivals::new(self.high, seed, 1) {
            if random.random::<f64>() * self.high > self.rate(due) {
                continue;
            }
            let call = rare_call(&mut random).unwrap_or_else(|| mix.draw());
            tokio::select! {
                () = stop.requested() => return,
                () = sleep_until(begin + due) => {}
            }
            let client = client.clone();
            tasks.spawn(async move { client.send(call).await });
            // What became of them, the metrics say.
            while tasks.try_join_next().is_some() {}
        }
    }

    /// Requests per second so long after the beginning.
    fn rate(self, at: Duration) -> f64 {
        let turn = at.as_secs_f64() / PERIOD.as_secs_f64();
        let height = (1.0 - (TAU * turn).cos()) / 2.0;
        self.low + (self.high - self.low) * height
    }
}

/// A call that is not in the mix, now and then.
fn rare_call(random: &mut impl Rng) -> Option<Call> {
    match random.random_range(0..REQUESTS_PER_RARE_ONE) {
        0 => Some(Call::Page { customer: random.random_range(1..=CUSTOMERS) }),
        1 => {
            let count = random.random_range(1..=MAX_ORDERS);
            Some(Call::CreateAll((0..count).map(|_| order(random)).collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_swings_once_a_minute_between_its_bounds() {
        let swing = Swing { low: 10.0, high: 100.0 };
        for (second, rate) in [(0, 10.0), (15, 55.0), (30, 100.0), (45, 55.0), (60, 10.0)] {
            let actual = swing.rate(Duration::from_secs(second));
            assert!((actual - rate).abs() < 1e-9, "{actual} rather than {rate} after {second} s");
        }
    }
}

//! `--serve`: the protected service until Ctrl-C, with or without load.

use anyhow::Result;

use super::{Demo, MIN_RATE, STEADY_FACTOR};
use crate::{
    arm::Arm,
    load::{Client, Swing},
    partners::Partners,
    server::Extras,
};

impl Demo<'_> {
    pub(super) async fn serve(&self) -> Result<()> {
        let swing = match self.arguments.load {
            None => None,
            Some(factor) => match self.capacity().await? {
                None => return Ok(()),
                Some(capacity) => {
                    let rate = |factor: f64| (factor * capacity).max(MIN_RATE);
                    Some(Swing { low: rate(STEADY_FACTOR.min(factor)), high: rate(factor) })
                }
            },
        };
        let extras = Extras {
            partners: Some(Partners::start(self.server, self.arguments.seed).await?),
            control_token: self.control_token.clone(),
        };
        let server = self.start_with(Arm::Protected, extras).await?;
        let url = format!("http://{}", server.address());
        println!("POST {url}/orders");
        println!("POST {url}/orders/bulk");
        println!("GET  {url}/orders/1");
        println!("GET  {url}/customers/1/summary");
        println!("GET  {url}/customers/1/page");
        println!("GET  {url}/metrics");
        println!("{}", example(&url));
        println!("Ctrl-C ends");
        if let Some(swing) = swing {
            eprintln!("load between {:.0} and {:.0} requests/s", swing.low, swing.high);
            let client = Client::new(server.address())?;
            swing.run(&client, self.arguments.orders, self.arguments.seed, self.stop).await;
        }
        self.stop.requested().await;
        server.stop().await
    }
}

/// How to place an order.
fn example(url: &str) -> String {
    format!(
        "curl -X POST {url}/orders -H 'content-type: application/json' -d '{}'",
        r#"{"customer_id":1,"product_id":2,"month":3,"quantity":4,"unit_price_cents":500}"#,
    )
}

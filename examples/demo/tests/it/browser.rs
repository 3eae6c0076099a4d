//! The status page in a browser, of a demo under load.

use std::{env, fs, path::Path, time::Duration};

use floodway_test_support::Browser;
use serde_json::Value;

use crate::demo::Running;

const PATIENCE: Duration = Duration::from_secs(60);

const TOKEN: &str = "0123456789abcdef";

/// Pictures of the page are left here, where somebody has set it.
const PICTURES: &str = "FLOODWAY_PICTURES";

/// All numbers on the page.
const FIELDS: &str = "
    [...document.querySelectorAll('[data-field]')].map((node) => node.textContent).join('|')";

/// Of each kind, the names of all cards.
const CARDS: &str = "
    Object.fromEntries(['limiter', 'pool', 'batcher', 'fan_out'].map((kind) => [kind,
        [...document.querySelectorAll(`.card[data-kind=${kind}]`)].map((card) => card.dataset.name).sort()]))";

fn picture(browser: &mut Browser, name: &str) {
    if let Some(folder) = env::var_os(PICTURES) {
        let picture = browser.screenshot().unwrap();
        fs::write(Path::new(&folder).join(format!("{name}.png")), picture).expect("a picture");
    }
}

fn background(browser: &mut Browser) -> Value {
    browser.evaluate("getComputedStyle(document.body).backgroundColor").unwrap()
}

#[test]
fn the_page_shows_moves_and_changes_the_service() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut demo =
        Running::start(&["--serve", "--load", "3", "--orders", "5000", "--control-token", TOKEN]);
    let origin = format!("http://{}", demo.address());
    browser.set_color_scheme("light").unwrap();
    browser.set_viewport(1280, 1600).unwrap();
    browser.open(&format!("{origin}/floodway")).unwrap();
    browser.wait_for("document.documentElement.dataset.ready", PATIENCE).unwrap();
    // The demo first measures what it can do, without what is protected.
    browser.wait_for("document.querySelector('.card[data-kind=fan_out]')", PATIENCE).unwrap();

    everything_is_drawn(&mut browser);
    numbers_move(&mut browser);
    narrow_and_dark(&mut browser);
    limit_changes(&mut browser);

    let messages = browser.messages().unwrap();
    let bad: Vec<_> = messages
        .iter()
        .filter(|message| ["error", "exception", "warning"].contains(&&*message.level))
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
    let requests = browser.requests().unwrap();
    let own = |url: &&String| url.starts_with(&format!("{origin}/")) || url.starts_with("data:");
    let foreign: Vec<_> = requests.iter().filter(|url| !own(url)).collect();
    assert!(requests.len() > 5 && foreign.is_empty(), "{foreign:?} of {requests:?}");
}

fn everything_is_drawn(browser: &mut Browser) {
    let expected = serde_json::json!({
        "limiter": [
            "carrier", "carrier-http", "orders-db", "orders-http", "page-customers", "recommender",
        ],
        "pool": ["carrier-http", "orders-db"],
        "batcher": ["orders"],
        "fan_out": ["bulk-checks", "page-lookups", "page-partners"],
    });
    assert_eq!(browser.evaluate(CARDS).unwrap(), expected);
    // Charts are drawn while they are near the screen; so every card is brought there.
    let cards = browser.evaluate("document.querySelectorAll('.card').length").unwrap();
    for card in 0..cards.as_u64().expect("a number") {
        let show = format!("document.querySelectorAll('.card')[{card}].scrollIntoView()");
        browser.evaluate(&show).unwrap();
        let blank = blank_charts(card);
        let drawn = format!(
            "document.querySelectorAll('.card')[{card}].querySelector('.chart')
             && ({blank}).length === 0"
        );
        if let Err(error) = browser.wait_for(&drawn, PATIENCE) {
            panic!("{error}; blank: {}", browser.evaluate(&blank).unwrap());
        }
    }
    browser.evaluate("scrollTo(0, 0)").unwrap();
}

/// The names of the charts of a card that have no canvas yet, or one with nothing on it.
fn blank_charts(card: u64) -> String {
    format!(
        "[...document.querySelectorAll('.card')[{card}].querySelectorAll('.chart')]
        .filter((chart) => {{
            const canvas = chart.querySelector('canvas');
            if (!canvas || !canvas.width || !canvas.height) return true;
            const copy = new OffscreenCanvas(canvas.width, canvas.height);
            const context = copy.getContext('2d', {{ willReadFrequently: true }});
            context.drawImage(canvas, 0, 0);
            const {{ data }} = context.getImageData(0, 0, copy.width, copy.height);
            return !data.some((byte) => byte !== 0);
        }}).map((chart) => chart.textContent)"
    )
}

fn numbers_move(browser: &mut Browser) {
    let before = browser.evaluate(FIELDS).unwrap();
    let moved = format!("({FIELDS}) !== {before}");
    browser.wait_for(&moved, Duration::from_secs(10)).unwrap();
}

fn narrow_and_dark(browser: &mut Browser) {
    picture(browser, "light");
    let light = background(browser);
    browser.set_color_scheme("dark").unwrap();
    browser.wait_for(&format!("matchMedia('(prefers-color-scheme: dark)').matches && getComputedStyle(document.body).backgroundColor !== {light}"), PATIENCE).unwrap();
    picture(browser, "dark");
    browser.set_color_scheme("light").unwrap();

    browser.set_viewport(390, 844).unwrap();
    browser.wait_for("innerWidth === 390", PATIENCE).unwrap();
    let wide = browser.evaluate("document.documentElement.scrollWidth").unwrap();
    assert!(wide.as_u64().expect("a number") <= 390, "scrolls sideways: {wide}");
    picture(browser, "narrow");
    browser.set_viewport(1280, 1600).unwrap();
    browser.wait_for("innerWidth === 1280", PATIENCE).unwrap();
}

/// Lowers a limit as somebody would: a number, a button, a token, a yes.
fn limit_changes(browser: &mut Browser) {
    let limit = "
        fetch('floodway/data?since=0').then((answer) => answer.json()).then(({ limiters }) =>
            limiters.find(({ name }) => name === 'orders-http').limit)";
    assert_eq!(browser.evaluate(limit).unwrap(), 7);
    let card = "document.querySelector('.card[data-kind=limiter][data-name=orders-http]')";
    let script = format!(
        "{{
            const controls = {card}.querySelector('.controls');
            controls.querySelector('summary').click();
            const form = controls.querySelector('[data-control=limit]');
            form.elements.limit.value = '3';
            form.requestSubmit();
        }}"
    );
    browser.evaluate(&script).unwrap();
    browser.wait_for("document.getElementById('dialog').open", PATIENCE).unwrap();
    browser
        .evaluate(&format!("document.getElementById('dialog-token').value = '{TOKEN}'"))
        .unwrap();
    browser.evaluate("document.getElementById('dialog-confirm').click()").unwrap();
    browser.wait_for(&format!("({limit}).then((limit) => limit === 3)"), PATIENCE).unwrap();
    let shown = format!("{card}.querySelector('[data-field=limit]').textContent === '3'");
    browser.wait_for(&shown, PATIENCE).unwrap();
}

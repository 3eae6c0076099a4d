// The start of the status page, which asks the exporter for numbers every other second and draws them.

import { Connection } from "./connection.js";
import { $ } from "./dom.js";
import { History } from "./history.js";
import { Page } from "./page.js";

const history = new History();
const page = new Page(history, () => connection.poll());
const connection = new Connection(history, {
  onAnswer: (answer) => {
    page.update(answer);
    ready();
  },
  onRefusal: ready,
});
connection.start();

/** Tells a test, or whoever takes a picture of the page, that it is drawn. */
function ready() {
  const root = document.documentElement;
  if (root.dataset.ready) return;
  const done = () => {
    root.dataset.ready = "true";
    // The card that the address names was not there when the browser looked for it.
    if (location.hash.length > 1) $(location.hash.slice(1))?.scrollIntoView();
  };
  // What is near the screen is known after the next frame; a hidden tab has none.
  if (document.hidden) done();
  else requestAnimationFrame(() => setTimeout(done));
}

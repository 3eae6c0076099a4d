// What the page says of its connection: whether its numbers are alive, and how old they are.

import { $, write } from "./dom.js";
import { moment, span } from "./format.js";

/** An answer that is as long in coming is as bad as none. */
const HANGING_MS = 4000;

/** To be called every second, as the ages grow. */
export function drawLiveness({ state, askedAt, answeredAt, retryAt, problem, startedMs, watchedMs }) {
  const now = performance.now();
  const hanging = askedAt !== null && now - askedAt > HANGING_MS;
  const stale = state === "stale" || (state === "live" && hanging);
  const shown = stale ? "stale" : state;
  const age = answeredAt === null ? null : span((now - answeredAt) / 1000);
  const text = {
    connecting: "connecting",
    live: "live",
    stale: age === null ? "no answer" : `stale since ${age}`,
    token: "needs a token",
  };
  $("connection").dataset.state = shown;
  write($("connection-text"), text[shown]);

  $("stale").hidden = !stale;
  if (stale) {
    const wait = Math.max(0, Math.ceil((retryAt - now) / 1000));
    const next = askedAt !== null ? "Asking again …" : `Asking again in ${wait} s.`;
    const numbers = age === null ? "There are no numbers yet." : `The numbers below are the last ones, ${age} old.`;
    write($("stale-text"), `No numbers from the server: ${hanging ? "it does not answer" : problem}. ${numbers} ${next}`);
  } else if (answeredAt !== null) {
    // The exporter may have been started long after the process.
    write($("watching"), `watching for ${span((watchedMs + now - answeredAt) / 1000)}`);
    $("watching").title = `since ${moment(startedMs / 1000)}`;
  }
}

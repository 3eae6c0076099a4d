// How values are written.

import { BOUNDS, MODES, STATES } from "./words.js";

export const NONE = "–";

const WHOLE = new Intl.NumberFormat("en-US");
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const MINUTES = new Intl.DateTimeFormat(undefined, CLOCK);
const SECONDS = new Intl.DateTimeFormat(undefined, { ...CLOCK, second: "2-digit" });
const MOMENT = new Intl.DateTimeFormat(undefined, { ...CLOCK, month: "short", day: "numeric" });

const FORMATS = {
  text: String,
  count: (value) => (Number.isInteger(value) && Math.abs(value) < 1e6 ? WHOLE.format(value) : scaled(value)),
  mean: scaled,
  rate: (value) => `${scaled(value)}/s`,
  share: (value) => `${(value * 100).toFixed(value !== 0 && value < 0.0995 ? 1 : 0)} %`,
  seconds,
  range: ([from, to]) => `${WHOLE.format(from)} and ${WHOLE.format(to)}`,
  keys: (value) => (value === 0 ? "no keys yet" : `sums over ${WHOLE.format(value)} ${value === 1 ? "key" : "keys"}`),
  mode: (value) => MODES[value] ?? value,
  ago: (value) => `${seconds(value)} ago`,
  state: (value) => STATES[value] ?? value,
  budget: ([budget, margin]) => `${WHOLE.format(budget)}, ${WHOLE.format(margin)} of it as margin`,
  bound: (value) => BOUNDS[value] ?? "",
};

export function format(value, as = "text") {
  return value === null || value === undefined ? NONE : FORMATS[as](value);
}

/** Labels of an axis need no trailing zeros. */
export function axisLabel(value, as) {
  return format(value, as).replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
}

/** A moment, in seconds since 1970, on the clock of whoever reads. */
export const clockMinutes = (at) => MINUTES.format(at * 1000);
export const clockSeconds = (at) => SECONDS.format(at * 1000);
export const moment = (at) => MOMENT.format(at * 1000);

/** A long time, in its two largest units. */
export function span(value) {
  const [days, hours, minutes] = [value / 86400, (value / 3600) % 24, (value / 60) % 60].map(Math.floor);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(value)} s`;
}

/** Three significant digits, always as many, so that a number keeps its width while it changes. */
function digits(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.0005) return "<0.001";
  return value.toFixed(size < 0.9995 ? 3 : size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

function scaled(value) {
  for (const [factor, suffix] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(value) >= factor * 0.9995) return digits(value / factor) + suffix;
  }
  return digits(value);
}

function seconds(value) {
  if (value === 0) return "0 ms";
  if (value < 0.5e-9) return "<1 ns";
  // An item of a batch may cost as little.
  if (value < 0.9995e-6) return `${digits(value * 1e9)} ns`;
  if (value < 0.9995e-3) return `${digits(value * 1e6)} µs`;
  if (value < 0.9995) return `${digits(value * 1e3)} ms`;
  if (value < 99.5) return `${digits(value)} s`;
  return span(value);
}

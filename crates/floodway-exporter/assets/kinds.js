// The kinds of components, and the charts that a card of each has.

/**
 * Later series are drawn above earlier ones, so a bound stays visible where it is reached. Series
 * differ by a dash or a filled area as well as by colour. A chart is `logarithmic` where its series
 * may lie orders of magnitude apart.
 */
const bound = (field, label) => ({ field, label, tone: "grey", dash: [5, 4], stepped: true });
const line = (field, label, tone = "blue") => ({ field, label, tone, filled: tone === "blue" });
const other = (field, label, tone) => ({ field, label, tone, dash: [6, 3] });

/** `list` names the rows in the server's answer; `derive` adds to a row what follows from it. */
export const KINDS = [
  {
    kind: "limiter", list: "limiters", title: "Limiters", word: "limiter", derive: withLimitRange,
    charts: [
      { title: "In flight against limit", format: "count", series: [line("in_flight", "in flight"), bound("limit", "limit")] },
      { title: "Admitted and rejected", format: "rate", series: [line("admitted", "admitted"), line("rejected", "rejected", "red")] },
      { title: "Wait and hold, p99", format: "seconds", series: [line("wait_p99", "wait"), other("hold_p99", "hold", "purple")] },
    ],
  },
  {
    kind: "pool", list: "pools", title: "Pools", word: "pool", derive: withOwn,
    charts: [
      { title: "Connections used", format: "count", series: [line("used", "used"), bound("max", "max")] },
      { title: "Waiting for a connection", format: "count", series: [line("pending", "waiting")] },
      { title: "Wait and use, p99", format: "seconds", series: [line("wait_p99", "wait"), other("use_p99", "use", "purple")] },
    ],
  },
  {
    kind: "fleet", list: "leases", title: "Fleet", word: "lease", derive: withMode,
    charts: [
      { title: "Held against granted", format: "count", series: [line("held", "held"), bound("granted", "granted")] },
      { title: "Wanted against granted", format: "count", series: [line("wanted", "wanted", "purple"), bound("granted", "granted")] },
      { title: "Leased by the whole fleet", format: "count", series: [line("outstanding", "leased"), bound("usable", "usable")] },
    ],
  },
  {
    kind: "batcher", list: "batchers", title: "Batchers", word: "batcher",
    charts: [
      { title: "Batch size against target", format: "count", logarithmic: true, series: [line("mean_batch_items", "mean size"), bound("target_items", "target")] },
      { title: "Items", format: "rate", series: [line("items", "items")] },
      { title: "Overhead share of the time", format: "share", series: [line("overhead_share", "overhead")] },
    ],
  },
  {
    kind: "fan_out", list: "fan_outs", title: "Fan-outs", word: "fan-out", derive: withSums,
    charts: [
      { title: "Items", format: "rate", series: [line("items", "ended"), line("failed_items", "failed", "red")] },
      { title: "Items in flight", format: "count", series: [line("in_flight_items", "in flight")] },
      { title: "Duration, p99", format: "seconds", series: [line("item_p99", "item"), other("duration_p99", "call", "purple")] },
    ],
  },
];

export function kindWord(kind) {
  return KINDS.find((spec) => spec.kind === kind)?.word ?? kind;
}

/** Identifies a component, and its card in the document. */
export function keyOf(kind, name) {
  return `${kind}:${encodeURIComponent(name)}`;
}

/** Between what the limit moves by itself, if it moves. */
function withLimitRange(row) {
  const { limit_min: min, limit_max: max } = row;
  return { ...row, limit_range: min !== null && max !== null && min < max ? [min, max] : null };
}

/** Of whatever outcome, how many calls and items end, and how many items a call has. */
function withSums(row) {
  const sum = (counts) => counts.reduce((all, { per_second: rate }) => all + (rate ?? 0), 0);
  const [calls, items] = [sum(row.calls), sum(row.items)];
  return { ...row, calls_per_second: calls, items_per_second: items, items_per_call: calls > 0 ? items / calls : null };
}

/** The state of a lease colours its card, as the mode of a limiter does. */
function withMode(row) {
  return { ...row, mode: row.state, share: row.budget === null ? null : [row.budget, row.margin ?? 0] };
}

/** Of the connections used, those that this service holds. */
function withOwn(row) {
  return { ...row, own: row.used === null ? null : Math.max(0, row.used - (row.foreign ?? 0)) };
}

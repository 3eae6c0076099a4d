// The status page: asks the exporter for numbers every other second and draws them.
//
// From top to bottom: what is drawn (charts, words), how values are written, the history, a chart,
// a card, the page around the cards, the controls, the connection, and the start. The markup of
// each kind of card is a <template> in index.html; `data-field` there names a number of the
// server's row, so a new number usually needs no code here.

// ---- What is drawn -----------------------------------------------------------------------------

/** The server keeps as many ticks; older ones are forgotten here as there. */
const KEPT_TICKS = 450;
/** As many as leave the first cards in sight. */
const FIRST_FINDINGS = 6;
const FORGET_FINDING_MS = 15_000;
const HIDDEN_POLL_MS = 30_000;
const LONGEST_BACKOFF_MS = 30_000;
/** Longer than any answer takes that is still worth having. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * Later series are drawn above earlier ones, so a bound stays visible where it is reached. Series
 * differ by a dash or a filled area as well as by colour.
 */
const bound = (field, label) => ({ field, label, tone: "grey", dash: [5, 4], stepped: true });
const line = (field, label, tone = "blue") => ({ field, label, tone, filled: tone === "blue" });
const other = (field, label, tone) => ({ field, label, tone, dash: [6, 3] });

const KINDS = [
  {
    kind: "limiter", list: "limiters", title: "Limiters",
    charts: [
      { title: "In flight against limit", format: "count", series: [line("in_flight", "in flight"), bound("limit", "limit")] },
      { title: "Admitted and rejected", format: "rate", series: [line("admitted", "admitted"), line("rejected", "rejected", "red")] },
      { title: "Wait and hold, p99", format: "seconds", series: [line("wait_p99", "wait"), other("hold_p99", "hold", "purple")] },
    ],
  },
  {
    kind: "pool", list: "pools", title: "Pools",
    charts: [
      { title: "Connections used", format: "count", series: [line("used", "used"), bound("max", "max")] },
      { title: "Waiting for a connection", format: "count", series: [line("pending", "waiting")] },
      { title: "Wait and use, p99", format: "seconds", series: [line("wait_p99", "wait"), other("use_p99", "use", "purple")] },
    ],
  },
  {
    kind: "batcher", list: "batchers", title: "Batchers",
    charts: [
      { title: "Batch size against target", format: "count", series: [line("mean_batch_items", "mean size"), bound("target_items", "target")] },
      { title: "Items", format: "rate", series: [line("items", "items")] },
      { title: "Overhead share of the time", format: "share", series: [line("overhead_share", "overhead")] },
    ],
  },
  {
    kind: "fan_out", list: "fan_outs", title: "Fan-outs",
    charts: [
      { title: "Items", format: "rate", series: [line("items", "ended"), line("failed_items", "failed", "red")] },
      { title: "Items in flight", format: "count", series: [line("in_flight_items", "in flight")] },
      { title: "Duration, p99", format: "seconds", series: [line("item_p99", "item"), other("duration_p99", "call", "purple")] },
    ],
  },
];

const KIND_WORDS = { limiter: "limiter", pool: "pool", batcher: "batcher", fan_out: "fan-out" };
const SEVERITIES = ["critical", "warning", "info"];

/** What the bound of a batcher means for whoever reads it. */
const BOUNDS = {
  overhead: "larger ones would save little",
  objective: "larger ones would miss the latency objective",
  load: "no load calls for larger ones",
  weight: "larger ones would weigh too much",
  max: "the configured maximum",
  observed: "larger ones cost more per item",
  unprofitable: "batching saves nothing here",
  warm_up: "costs are still being measured",
};

/** What a label of a breakdown means, where the word alone does not say. */
const LABELS = {
  queue_full: "as many wait as may",
  deadline: "the deadline passed while waiting",
  unmeetable: "the deadline would have passed before a permit is free",
  shed: "dropped by the queue after too long a wait",
  displaced: "somebody with a better right took the place in the queue",
  no_permit: "no permit was free, and the caller does not wait",
  weight: "heavier than could ever be admitted",
  nested: "asked for inside an operation that holds a permit",
  closed: "closed",
  connect_failing: "connections cannot be opened",
  pool_held: "all connections were held by this service",
  foreign: "others used the connections",
  ceiling: "a limit above the pool is lower than the pool",
};

// ---- How values are written --------------------------------------------------------------------

const NONE = "–";
const WHOLE = new Intl.NumberFormat("en-US");
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const CLOCK_SECONDS = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

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

/** A long time, in its two largest units. */
function span(value) {
  const [days, hours, minutes] = [value / 86400, (value / 3600) % 24, (value / 60) % 60].map(Math.floor);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(value)} s`;
}

const FORMATS = {
  text: String,
  count: (value) => (Number.isInteger(value) && Math.abs(value) < 1e6 ? WHOLE.format(value) : scaled(value)),
  mean: scaled,
  rate: (value) => `${scaled(value)}/s`,
  share: (value) => `${(value * 100).toFixed(value !== 0 && value < 0.0995 ? 1 : 0)} %`,
  seconds,
  mode: (value) => ({ enforce: "enforced", shadow: "shadow: refuses nobody", off: "off: refuses nobody" })[value] ?? value,
  bound: (value) => BOUNDS[value] ?? "",
};

function format(value, as = "text") {
  return value === null || value === undefined ? NONE : FORMATS[as](value);
}

/** Labels of an axis need no trailing zeros. */
function axisLabel(value, as) {
  return format(value, as).replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
}

// ---- The document ------------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

/** Writes only what has changed: a page with 200 cards costs as much as its changes. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function icon(severity) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${severity}`);
  svg.append(use);
  return svg;
}

const keyOf = (kind, name) => `${kind}:${encodeURIComponent(name)}`;

// ---- The history -------------------------------------------------------------------------------

/** Ticks of the last 15 minutes, and for each component as many values of each of its series. */
class History {
  constructor() {
    this.reset();
  }

  reset() {
    this.next = 0;
    this.times = [];
    this.series = new Map();
  }

  /** Appends what is new. What a component lacks, before its birth or after its end, is null. */
  merge({ first, next, times_ms: times, series }) {
    // Ticks are missing in between, as after a long sleep of this computer.
    if (first > this.next) this.reset();
    const known = Math.max(0, this.next - first);
    const added = Math.max(0, times.length - known);
    const before = this.times.length;
    for (const time of times.slice(known)) this.times.push(time / 1000);

    const incoming = new Map(series.map((one) => [keyOf(one.kind, one.name), one.values]));
    for (const [key, values] of incoming) {
      let columns = this.series.get(key);
      if (!columns) this.series.set(key, (columns = {}));
      for (const field of Object.keys(values)) columns[field] ??= Array(before).fill(null);
    }
    for (const [key, columns] of this.series) {
      const values = incoming.get(key);
      for (const field of Object.keys(columns)) {
        const fresh = values?.[field]?.slice(known) ?? Array(added).fill(null);
        for (const value of fresh) columns[field].push(value);
      }
    }
    this.trim();
    this.next = next;
  }

  trim() {
    const surplus = this.times.length - KEPT_TICKS;
    if (surplus <= 0) return;
    this.times.splice(0, surplus);
    for (const [key, columns] of this.series) {
      let alive = false;
      for (const column of Object.values(columns)) {
        column.splice(0, surplus);
        alive ||= column.some((value) => value !== null);
      }
      if (!alive) this.series.delete(key);
    }
  }
}

const ticks = new History();

// ---- A chart -----------------------------------------------------------------------------------

let palette = null;

function color(tone) {
  if (!palette) {
    const style = getComputedStyle(document.documentElement);
    const names = ["blue", "red", "purple", "grey", "axis", "grid"];
    palette = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
  return palette[tone];
}

/** A value between two gaps has no line; without a point of its own it would not be seen. */
function isolated(plot, index) {
  const column = plot.data[index];
  const alone = [];
  for (let i = 0; i < column.length; i++) {
    if (column[i] != null && column[i - 1] == null && column[i + 1] == null) alone.push(i);
  }
  return alone.length ? alone : null;
}

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) target.chart?.fit();
});

/** One picture of a card: its caption, its legend, and a canvas while it is near the screen. */
class Chart {
  constructor(spec) {
    this.spec = spec;
    this.node = element("figure", "picture");
    const caption = element("figcaption");
    this.moment = element("span", "moment");
    caption.append(element("span", "picture-title", spec.title), this.moment);
    this.legend = element("ul", "legend");
    this.values = spec.series.map((series) => {
      const item = element("li");
      const swatch = element("i", series.dash ? "swatch swatch-dashed" : "swatch");
      swatch.dataset.tone = series.tone;
      const value = element("span", "legend-value", NONE);
      item.append(swatch, element("span", "legend-label", series.label), value);
      this.legend.append(item);
      return value;
    });
    // The legend repeats what the label of the picture says.
    this.legend.setAttribute("aria-hidden", "true");
    this.canvas = element("div", "chart");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", spec.title);
    this.canvas.chart = this;
    this.node.append(caption, this.legend, this.canvas);
  }

  draw(columns, end) {
    this.end = end;
    const data = [ticks.times, ...this.spec.series.map(({ field }) => columns?.[field] ?? ticks.times.map(() => null))];
    if (this.plot) this.plot.setData(data);
    else this.create(data);
    this.describe();
    this.label();
  }

  create(data) {
    const { format: as, series } = this.spec;
    const axis = { stroke: () => color("axis"), font: "11px system-ui, sans-serif", ticks: { show: false } };
    const grid = { stroke: () => color("grid"), width: 1 };
    this.plot = new uPlot({
      width: Math.max(this.canvas.clientWidth, 120),
      height: this.canvas.clientHeight,
      padding: [8, 6, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "floodway" }, points: { size: 6 } },
      scales: {
        // Two minutes at least, so that the first points are not stretched over the whole width.
        x: { range: () => [Math.max(this.end - 900, Math.min(ticks.times[0] ?? this.end, this.end - 120)), this.end] },
        y: { range: (_, __, max) => [0, max > 0 ? max * 1.12 : 1] },
      },
      axes: [
        {
          ...axis, grid: { show: false }, size: 26, gap: 6, space: 64, incrs: [60, 120, 300, 600],
          values: (_, splits) => splits.map((split) => CLOCK.format(split * 1000)),
        },
        {
          ...axis, grid, size: 52, gap: 6, space: 26,
          incrs: as === "count" ? [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6] : undefined,
          values: (_, splits) => splits.map((split) => axisLabel(split, as)),
        },
      ],
      series: [{}, ...series.map(({ tone, dash, filled, stepped }) => ({
        stroke: () => color(tone),
        fill: filled ? () => `${color(tone)}1f` : undefined,
        width: dash ? 1.5 : 1.75,
        dash,
        paths: stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
        points: { show: false, filter: isolated, size: 4, fill: () => color(tone) },
      }))],
      hooks: { setCursor: [() => this.label()] },
    }, data, this.canvas);
    resized.observe(this.canvas);
  }

  /** The legend says what is under the pointer, which all charts share, or else what is now. */
  label() {
    const [times, ...columns] = this.plot.data;
    const index = this.plot.cursor.idx ?? null;
    write(this.moment, index === null ? "" : CLOCK_SECONDS.format(times[index] * 1000));
    columns.forEach((column, i) => write(this.values[i], format(column[index ?? column.length - 1], this.spec.format)));
  }

  /** In words, for whoever does not see the picture. */
  describe() {
    const parts = this.spec.series.map(({ field, label }, i) => {
      const column = this.plot.data[i + 1];
      const known = column.filter((value) => value != null);
      if (!known.length) return `${label}: nothing observed`;
      const [now, low, high] = [column.at(-1), Math.min(...known), Math.max(...known)].map((value) => format(value, this.spec.format));
      return `${label}: now ${now}, lowest ${low}, highest ${high}`;
    });
    this.canvas.setAttribute("aria-label", `${this.spec.title}, last 15 minutes. ${parts.join("; ")}.`);
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (this.plot && width > 0 && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }

  /** Frees the canvas: some hundred of them are a lot of memory. */
  erase() {
    if (!this.plot) return;
    resized.unobserve(this.canvas);
    this.plot.destroy();
    this.plot = null;
  }
}

// ---- A card ------------------------------------------------------------------------------------

/** Near the screen, so that a picture is there before it is scrolled to. */
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) target.card?.show(isIntersecting);
}, { rootMargin: "300px 0px" });

class Card {
  constructor(spec, name) {
    this.kind = spec.kind;
    this.name = name;
    this.key = keyOf(this.kind, name);
    this.visible = false;
    this.severity = null;
    this.node = $(`${this.kind}-template`).content.firstElementChild.cloneNode(true);
    this.node.card = this;
    this.node.id = this.key;
    this.node.dataset.name = name;
    this.node.tabIndex = -1;

    const title = this.find("h3");
    title.textContent = name;
    title.id = `${this.key}:title`;
    this.node.setAttribute("aria-labelledby", title.id);

    this.finding = this.find(".card-finding");
    this.fields = this.findAll("[data-field]");
    this.meters = this.findAll("[data-meter]");
    this.breakdowns = this.findAll("[data-breakdown]");
    this.charts = spec.charts.map((chart) => new Chart(chart));
    this.pictures = this.find(".charts");
    this.pictures.append(...this.charts.map((chart) => chart.node));
    this.controls = this.find(".controls");
    if (this.controls) prepareControls(this);
    seen.observe(this.node);
  }

  find(selector) {
    return this.node.querySelector(selector);
  }

  findAll(selector) {
    return [...this.node.querySelectorAll(selector)];
  }

  update(row, { control, findings }) {
    this.row = this.kind === "pool" ? withParts(row) : row;
    for (const node of this.fields) {
      const value = this.row[node.dataset.field];
      write(node, format(value, node.dataset.format));
      node.dataset.value = value ?? "";
      if ("alarm" in node.dataset) node.dataset.alarm = value > 0;
    }
    for (const node of this.meters) this.measure(node);
    for (const node of this.breakdowns) breakdown(node, this.row[node.dataset.breakdown] ?? []);
    if (this.row.mode) this.node.dataset.mode = this.row.mode;
    if (this.controls) this.controls.hidden = !(control && this.row.adjustable);
    this.mark(findings.filter((finding) => finding.kind === this.kind && finding.name === this.name));
  }

  measure(node) {
    const { meter, of, parts, full } = node.dataset;
    const [value, max] = [this.row[meter], this.row[of]];
    const share = value === null || !(max > 0) ? 0 : Math.min(value / max, 1);
    node.setAttribute("aria-valuemin", 0);
    node.setAttribute("aria-valuemax", max ?? 0);
    node.setAttribute("aria-valuenow", Math.min(value ?? 0, max ?? 0));
    node.setAttribute("aria-valuetext", `${format(value, "mean")} of ${format(max, "mean")}`);
    if (parts) stack(node, this.row);
    else node.firstElementChild.style.transform = `scaleX(${share})`;
    node.dataset.full = full === "fine" ? "fine" : share >= 1;
  }

  mark(findings) {
    const worst = SEVERITIES.find((severity) => findings.some((finding) => finding.severity === severity)) ?? null;
    const text = findings.map((finding) => finding.text).join("; ");
    if (worst !== this.severity) {
      this.severity = worst;
      if (worst) this.node.dataset.severity = worst;
      else delete this.node.dataset.severity;
      this.finding.replaceChildren(...(worst ? [icon(worst), element("span")] : []));
    }
    if (worst) write(this.finding.lastElementChild, text);
  }

  show(visible) {
    this.visible = visible;
    this.node.classList.toggle("card-near", visible);
    if (visible) this.draw();
    else for (const chart of this.charts) chart.erase();
  }

  draw() {
    if (!this.visible || this.node.hidden || !page.data) return;
    const columns = ticks.series.get(this.key);
    // Beyond a number of components the server keeps rows without a history.
    const lacking = !columns && page.data.omitted > 0;
    this.pictures.classList.toggle("charts-lacking", lacking);
    if (lacking) return;
    for (const chart of this.charts) chart.draw(columns, page.data.now_ms / 1000);
  }

  remove() {
    seen.unobserve(this.node);
    for (const chart of this.charts) chart.erase();
    this.node.remove();
  }
}

/** Of the connections used, those that this service holds. */
function withParts(row) {
  return { ...row, own: row.used === null ? null : Math.max(0, row.used - (row.foreign ?? 0)) };
}

/** Own use grows from the left, what is left to others stands at the right; they meet when it is full. */
function stack(node, { own, idle, foreign, reserved, max }) {
  if (!node.childElementCount) node.append(...["own", "idle", "free", "foreign", "reserved"].map((part) => element("i", `part part-${part}`)));
  const taken = (own ?? 0) + (foreign ?? 0) + (reserved ?? 0);
  const open = Math.max(0, Math.min(idle ?? 0, (max ?? 0) - taken));
  const free = Math.max(0, (max ?? 0) - taken - open);
  [own ?? 0, open, free, foreign ?? 0, reserved ?? 0].forEach((size, i) => {
    node.children[i].style.flexGrow = size;
  });
}

/** A table of labels with a bar each, largest total first: the order must not jump with the rates. */
function breakdown(node, rows) {
  const { title, none, tone } = node.dataset;
  if (!node.table) {
    node.table = element("table", "breakdown");
    const head = element("thead");
    head.insertRow();
    for (const text of [title, "per second", "in all"]) {
      const cell = element("th", "", text);
      cell.scope = "col";
      head.rows[0].append(cell);
    }
    node.table.append(head, element("tbody"));
    node.none = element("p", "none", none);
    node.none.prepend(element("strong", "", title));
    node.append(node.table, node.none);
    node.lines = new Map();
  }
  const sorted = [...rows].sort((a, b) => b.total - a.total);
  node.table.hidden = !sorted.length;
  node.none.hidden = sorted.length > 0;
  const most = Math.max(...sorted.map((row) => row.per_second ?? 0), 0);
  const body = node.table.tBodies[0];
  sorted.forEach(({ label, per_second: rate, total }, i) => {
    let tr = node.lines.get(label);
    if (!tr) {
      tr = element("tr");
      const head = element("th");
      head.scope = "row";
      const bar = element("i", "bar");
      if (tone) bar.dataset.tone = tone;
      const code = element("code", "", label);
      if (LABELS[label]) code.title = LABELS[label];
      head.append(code, bar);
      tr.append(head, element("td"), element("td"));
      tr.dataset.label = label;
      node.lines.set(label, tr);
    }
    tr.cells[0].lastElementChild.style.transform = `scaleX(${most > 0 ? (rate ?? 0) / most : 0})`;
    write(tr.cells[1], format(rate, "rate"));
    write(tr.cells[2], format(total, "count"));
    if (body.rows[i] !== tr) body.insertBefore(tr, body.rows[i] ?? null);
  });
  for (const [label, tr] of node.lines) {
    if (sorted.some((row) => row.label === label)) continue;
    tr.remove();
    node.lines.delete(label);
  }
}

// ---- The page ----------------------------------------------------------------------------------

const page = {
  data: null,
  cards: new Map(),
  sections: new Map(),
  filter: "",
  allFindings: false,
  /** The findings that were announced, without their numbers: how bad, and when seen last. */
  announced: new Map(),
};

function render(data) {
  page.data = data;
  write($("version"), data.version);
  $("toolbar").hidden = $("findings").hidden = false;
  for (const spec of KINDS) drawSection(spec, data);
  applyFilter();
  drawFindings(data.findings);
  for (const card of page.cards.values()) card.draw();

  const foot = [`Rates and quantiles are over the last ${data.window_seconds} s, charts over the last 15 minutes with a point every ${data.tick_seconds} s. Times are local.`];
  if (data.omitted > 0) foot.push(`${data.omitted} components have no charts: the history of the first 64 is kept.`);
  write($("foot"), foot.join(" "));
}

function drawSection(spec, data) {
  const rows = data[spec.list];
  let section = page.sections.get(spec.kind);
  if (!section && rows.length) section = createSection(spec);
  if (!section) return;
  const names = new Set(rows.map((row) => row.name));
  for (const card of section.cards) {
    if (names.has(card.name)) continue;
    card.remove();
    section.cards.delete(card);
    page.cards.delete(card.key);
  }
  for (const row of rows) {
    const key = keyOf(spec.kind, row.name);
    let card = page.cards.get(key);
    if (!card) {
      card = new Card(spec, row.name);
      page.cards.set(key, card);
      section.cards.add(card);
    }
    card.update(row, data);
  }
  arrange(section);
}

function createSection(spec) {
  const node = $("section-template").content.firstElementChild.cloneNode(true);
  const section = { spec, node, cards: new Set(), list: node.querySelector(".cards"), count: node.querySelector(".kind-count") };
  const title = node.querySelector(".kind-title");
  title.textContent = spec.title;
  node.id = spec.list;
  title.parentElement.id = `${spec.list}-title`;
  node.setAttribute("aria-labelledby", `${spec.list}-title`);
  const link = element("a", "", spec.title);
  link.href = `#${spec.list}`;
  section.link = element("li");
  section.badge = element("span", "badge");
  link.append(" ", section.badge);
  section.link.append(link);
  page.sections.set(spec.kind, section);
  // In the order of KINDS, whichever came first.
  const present = KINDS.map(({ kind }) => page.sections.get(kind)).filter(Boolean);
  $("sections").replaceChildren(...present.map((one) => one.node));
  $("jump").replaceChildren(...present.map((one) => one.link));
  return section;
}

/** Those in trouble first, then by name. */
function arrange({ cards, list }) {
  const rank = ({ severity }) => (severity ? SEVERITIES.indexOf(severity) : SEVERITIES.length);
  const sorted = [...cards].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name, "en", { numeric: true }));
  // Nothing moves under the hands of somebody who is about to change a limit, and a node that
  // moves loses the focus.
  const held = list.contains(document.activeElement) || list.querySelector(".controls[open]");
  sorted.forEach(({ node }, i) => {
    if (list.children[i] === node) return;
    if (!held) list.insertBefore(node, list.children[i] ?? null);
    else if (!node.isConnected) list.append(node);
  });
}

function applyFilter() {
  let shown = 0;
  for (const section of page.sections.values()) {
    let here = 0;
    for (const card of section.cards) {
      const hidden = !card.name.toLowerCase().includes(page.filter);
      if (card.node.hidden !== hidden) card.node.hidden = hidden;
      if (!hidden) here += 1;
    }
    const total = section.cards.size;
    const text = here === total ? `${total}` : `${here} of ${total}`;
    write(section.count, text);
    write(section.badge, `${total}`);
    section.node.hidden = here === 0;
    section.link.hidden = total === 0;
    shown += here;
  }
  write($("matches"), page.filter ? `${shown} of ${page.cards.size} shown` : "");
  $("no-match").hidden = !page.filter || shown > 0;
}

function drawFindings(findings) {
  const count = page.cards.size;
  $("loading").hidden = true;
  $("calm").hidden = findings.length > 0;
  write($("calm-detail"), `${count} ${count === 1 ? "component" : "components"} watched.`);

  const sorted = [...findings].sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
  const shown = page.allFindings ? sorted : sorted.slice(0, FIRST_FINDINGS);
  const list = $("findings-list");
  while (list.childElementCount > shown.length) list.lastElementChild.remove();
  shown.forEach((finding, i) => drawFinding(list.children[i] ?? list.appendChild(findingItem()), finding));

  const more = $("more-findings");
  more.hidden = sorted.length <= FIRST_FINDINGS;
  more.setAttribute("aria-expanded", page.allFindings);
  write(more, page.allFindings ? `Show the first ${FIRST_FINDINGS} only` : `Show all ${sorted.length} findings`);
  write($("findings-count"), sorted.length ? `${sorted.length}` : "");

  announce(sorted);
  const found = findings.length ? `(${findings.length}) ` : "";
  document.title = `${found}Floodway · ${location.host}`;
}

function drawFinding(item, { severity, kind, name, text }) {
  if (item.dataset.severity !== severity) {
    item.dataset.severity = severity;
    item.firstElementChild.replaceWith(icon(severity));
  }
  write(item.parts.severity, severity);
  write(item.parts.link, name);
  write(item.parts.kind, KIND_WORDS[kind] ?? kind);
  write(item.parts.text, text);
  const key = keyOf(kind, name);
  if (page.cards.has(key)) item.parts.link.setAttribute("href", `#${key}`);
  else item.parts.link.removeAttribute("href");
}

function findingItem() {
  const item = element("li", "finding");
  const head = element("span", "finding-head");
  item.parts = {
    severity: element("span", "finding-severity"),
    link: element("a", "finding-name"),
    kind: element("span", "finding-kind"),
    text: element("span", "finding-text"),
  };
  head.append(item.parts.severity, item.parts.link, item.parts.kind);
  item.append(icon("info"), head, item.parts.text);
  return item;
}

/**
 * Says what has come, what became worse, and what has gone. A number that moves is no change, and a
 * finding that comes and goes at its threshold is said once.
 */
function announce(findings) {
  const now = performance.now();
  const came = [];
  for (const { severity, kind, name, text } of findings) {
    const key = `${kind} ${name} ${text.replace(/[\d.,]+/g, "#")}`;
    const rank = SEVERITIES.indexOf(severity);
    const known = page.announced.get(key);
    if (!known || rank < known.rank) came.push(`${severity}: ${KIND_WORDS[kind] ?? kind} ${name} ${text}`);
    page.announced.set(key, { rank: Math.min(rank, known?.rank ?? rank), seen: now });
  }
  const gone = [...page.announced].filter(([, { seen }]) => now - seen > FORGET_FINDING_MS);
  for (const [key] of gone) page.announced.delete(key);
  if (came.length) write($("announcer"), came.join(". "));
  else if (gone.length) write($("announcer"), findings.length ? `${gone.length} no longer, ${findings.length} left.` : "Nothing refused, nothing saturated.");
}

// ---- Controls ----------------------------------------------------------------------------------

/** A secret for this tab. Where storage is forbidden it lives as long as the page. */
class Secret {
  constructor(name) {
    // Several services may be behind one origin.
    this.key = `floodway ${location.pathname} ${name}`;
    this.value = null;
  }

  get() {
    try {
      return sessionStorage.getItem(this.key) ?? this.value;
    } catch {
      return this.value;
    }
  }

  set(value) {
    this.value = value;
    try {
      if (value === null) sessionStorage.removeItem(this.key);
      else sessionStorage.setItem(this.key, value);
    } catch {
      // `value` above has it.
    }
  }
}

const dataToken = new Secret("data token");
const controlToken = new Secret("control token");

/** Asks for a yes, and for the control token if it is not known. Resolves to false if cancelled. */
function ask({ title, text, confirm, token, danger }) {
  const dialog = $("dialog");
  write($("dialog-title"), title);
  write($("dialog-text"), text);
  write($("dialog-confirm"), confirm);
  $("dialog-confirm").classList.toggle("button-danger", Boolean(danger));
  $("dialog-input").hidden = !token;
  $("dialog-token").required = token;
  $("dialog-token").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  // A stray Enter must not confirm what lowers a protection.
  (token ? $("dialog-token") : $("dialog-cancel")).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const confirmed = dialog.returnValue === "yes";
      if (confirmed && token) controlToken.set($("dialog-token").value);
      $("dialog-token").value = "";
      resolve(confirmed);
    }, { once: true });
  });
}

function prepareControls(card) {
  for (const label of card.controls.querySelectorAll("label")) {
    const input = label.nextElementSibling;
    input.id = `${card.key}:${input.name}`;
    label.htmlFor = input.id;
  }
  for (const legend of card.controls.querySelectorAll("legend")) legend.append(` of ${card.name}`);
  card.controls.addEventListener("toggle", () => {
    if (!card.controls.open) return;
    card.controls.querySelector("[name=limit]").value = card.row.limit ?? "";
    card.controls.querySelector("[name=mode]").value = card.row.mode;
  });
  for (const form of card.controls.querySelectorAll("form")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const field = form.dataset.control;
      const { value } = form.elements[field];
      change(card, form, field === "limit" ? { limit: Number(value) } : { mode: value });
    });
  }
}

/** What is asked before a change that takes protection or capacity away; null if it does neither. */
function question({ name, row }, { limit, mode }) {
  if (limit !== undefined && row.limit !== null && limit < row.limit) {
    return {
      title: `Lower the limit of ${name} to ${limit}?`,
      text: `It is ${row.limit} now, with ${format(row.in_flight, "count")} in flight. Who comes after that waits or is refused.`,
      confirm: `Lower to ${limit}`, danger: true,
    };
  }
  if (mode !== undefined && mode !== "enforce" && row.mode === "enforce") {
    return {
      title: mode === "off" ? `Switch ${name} off?` : `Only watch with ${name}?`,
      text: "Everybody passes from then on, and nothing protects what is behind it.",
      confirm: mode === "off" ? "Switch off" : "Switch to shadow", danger: true,
    };
  }
  return null;
}

async function change(card, form, wanted) {
  const result = card.controls.querySelector(".control-result");
  const say = (text, bad = false) => {
    result.classList.toggle("error", bad);
    write(result, text);
  };
  let asked = question(card, wanted);
  let refused = "";
  for (;;) {
    const token = !controlToken.get();
    if (asked || token) {
      const plain = { title: "Control token", text: `A change of ${card.name} needs the control token of this service. It stays in this tab.`, confirm: "Go on" };
      const shown = asked ?? plain;
      if (!(await ask({ ...shown, text: refused + shown.text, token }))) return say("Nothing was changed.");
      asked = null;
    }
    say("Changing …");
    const answer = await post(card, form, wanted);
    if (!answer.unauthorized) return conclude(card, answer, say);
    controlToken.set(null);
    refused = `The server refused this token: ${answer.error}. `;
  }
}

async function post(card, form, wanted) {
  const sets = card.controls.querySelectorAll("fieldset");
  const focused = document.activeElement;
  for (const set of sets) set.disabled = true;
  try {
    const response = await fetch("floodway/control", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${controlToken.get()}` },
      body: JSON.stringify({ limiter: card.name, ...wanted }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const body = await response.json().catch(() => ({}));
    if (response.ok) return body;
    return { error: body.error ?? `the server answered ${response.status}`, unauthorized: response.status === 401 };
  } catch {
    return { error: "the server did not answer; whether anything changed shows above as soon as it does" };
  } finally {
    for (const set of sets) set.disabled = false;
    // A disabled control loses the focus, which would send the keyboard back to the top.
    if (form.contains(focused)) focused.focus();
  }
}

function conclude(card, answer, say) {
  if (answer.error) return say(answer.error, true);
  Object.assign(card.row, { limit: answer.limit, mode: answer.mode });
  say(`The limit is ${format(answer.limit, "count")} now, the mode ${answer.mode}.`);
  poll();
}

// ---- The connection ----------------------------------------------------------------------------

const link = {
  state: "connecting",
  startedMs: null,
  /** On the clock of this page, which no correction of the time moves. */
  answeredAt: null,
  askedAt: null,
  failures: 0,
  retryAt: 0,
  timer: null,
  problem: "",
};

function schedule(ms) {
  clearTimeout(link.timer);
  link.retryAt = performance.now() + ms;
  link.timer = setTimeout(poll, ms);
}

async function poll() {
  if (link.askedAt !== null) return;
  clearTimeout(link.timer);
  link.askedAt = performance.now();
  const token = dataToken.get();
  try {
    const response = await fetch(`floodway/data?since=${ticks.next}`, {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      cache: "no-store",
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    if (response.status === 401) return needToken(token);
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    accept(await response.json());
  } catch (error) {
    fail(error);
  } finally {
    link.askedAt = null;
    drawConnection();
  }
}

function accept(data) {
  const restarted = link.startedMs !== null && data.started_ms !== link.startedMs;
  link.startedMs = data.started_ms;
  link.failures = 0;
  if (ticks.next > 0 && (restarted || data.history.next < ticks.next)) {
    // The numbers of ticks began again, so this answer begins somewhere in the middle. An answer
    // to a question for everything is taken as it is: behind a balancer it may be another process
    // each time, and asking again would never end.
    ticks.reset();
    return schedule(0);
  }
  ticks.merge(data.history);
  link.answeredAt = performance.now();
  setState("live");
  $("token-panel").hidden = true;
  schedule(document.hidden ? HIDDEN_POLL_MS : data.tick_seconds * 1000);
  render(data);
  ready();
}

function fail(error) {
  link.failures += 1;
  link.problem = error instanceof Error && error.message.startsWith("it answered") ? error.message : "it does not answer";
  setState("stale");
  // Pages that lost the same server must not all come back in the same moment.
  const backoff = Math.min(LONGEST_BACKOFF_MS, 1000 * 2 ** link.failures);
  schedule(document.hidden ? HIDDEN_POLL_MS : backoff * (0.75 + Math.random() / 2));
}

function needToken(used) {
  dataToken.set(null);
  clearTimeout(link.timer);
  const opened = $("token-panel").hidden;
  $("token-panel").hidden = false;
  // Nothing can be said about findings, not even that there are none.
  if (!page.data) $("findings").hidden = true;
  write($("token-error"), used ? "The server refused this token." : "");
  setState("token");
  if (opened || used) $("token").focus();
  ready();
}

function setState(state) {
  if (state === link.state) return;
  const before = link.state;
  link.state = state;
  document.documentElement.dataset.connection = state;
  if (state === "stale" && before === "live") write($("announcer"), "The server does not answer. The numbers are stale.");
  if (state === "live" && before === "stale") write($("announcer"), "The server answers again.");
}

/** Once a second: how old the numbers are, and how long the process has run. */
function drawConnection() {
  const now = performance.now();
  // An answer that is long in coming is as bad as none.
  const hanging = link.askedAt !== null && now - link.askedAt > 4000;
  const stale = link.state === "stale" || (link.state === "live" && hanging);
  const age = link.answeredAt === null ? null : span((now - link.answeredAt) / 1000);
  const text = {
    connecting: "connecting",
    live: "live",
    stale: age === null ? "no answer" : `stale since ${age}`,
    token: "needs a token",
  }[stale ? "stale" : link.state];
  $("connection").dataset.state = stale ? "stale" : link.state;
  write($("connection-text"), text);

  $("stale").hidden = !stale;
  if (stale) {
    const wait = Math.max(0, Math.ceil((link.retryAt - now) / 1000));
    const next = link.askedAt !== null ? "Asking again …" : `Asking again in ${wait} s.`;
    const numbers = age === null ? "There are no numbers yet." : `The numbers below are the last ones, ${age} old.`;
    write($("stale-text"), `No numbers from the server: ${hanging ? "it does not answer" : link.problem}. ${numbers} ${next}`);
  }
  if (page.data && !stale) {
    write($("uptime"), `up ${span((page.data.now_ms - page.data.started_ms + now - link.answeredAt) / 1000)}`);
  }
}

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

// ---- The start ---------------------------------------------------------------------------------

write($("host"), location.host);

$("filter").addEventListener("input", (event) => {
  page.filter = event.target.value.trim().toLowerCase();
  applyFilter();
  for (const card of page.cards.values()) card.draw();
});

$("more-findings").addEventListener("click", () => {
  page.allFindings = !page.allFindings;
  drawFindings(page.data.findings);
});

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  dataToken.set($("token").value);
  $("token").value = "";
  poll();
});

$("dialog-form").addEventListener("submit", (event) => {
  event.preventDefault();
  $("dialog").close("yes");
});
$("dialog-cancel").addEventListener("click", () => $("dialog").close(""));
$("retry").addEventListener("click", poll);

document.addEventListener("visibilitychange", () => {
  if (link.state === "token") return;
  if (document.hidden) schedule(HIDDEN_POLL_MS);
  else poll();
});

// Colours of the charts are read from the style sheet, which has just changed them.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  palette = null;
  for (const card of page.cards.values()) {
    for (const chart of card.charts) chart.erase();
    card.draw();
  }
});

setInterval(drawConnection, 1000);
poll();

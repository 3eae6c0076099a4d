// A chart of a card: its caption, its legend, and a canvas while it is near the screen.

import { element, write } from "./dom.js";
import { NONE, clockSeconds, format } from "./format.js";
import { createPlot } from "./plot.js";

const LONGEST_SECONDS = 15 * 60;
/** So that the first points are not stretched over the whole width. */
const SHORTEST_SECONDS = 2 * 60;

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) target.chart.fit();
});

export class Chart {
  constructor(spec) {
    this.spec = spec;
    this.plot = null;
    this.moment = element("span", "moment");
    const caption = element("figcaption");
    caption.append(element("span", "picture-title", spec.title), this.moment);

    const legend = element("ul", "legend");
    // The label of the canvas says as much.
    legend.setAttribute("aria-hidden", "true");
    this.values = spec.series.map((series) => {
      const item = element("li");
      const swatch = element("i", series.dash ? "swatch swatch-dashed" : "swatch");
      swatch.dataset.tone = series.tone;
      const value = element("span", "legend-value", NONE);
      item.append(swatch, element("span", "legend-label", series.label), value);
      legend.append(item);
      return value;
    });

    this.canvas = element("div", "chart");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", spec.title);
    this.canvas.chart = this;
    this.node = element("figure", "picture");
    this.node.append(caption, legend, this.canvas);
  }

  /** Draws the columns, which may be missing, up to the moment `end`. */
  draw(times, columns, end) {
    this.end = end;
    const data = [times, ...this.spec.series.map(({ field }) => this.drawn(columns?.[field]) ?? times.map(() => null))];
    if (this.plot) this.plot.setData(data);
    else this.create(data);
    this.describe();
    this.label();
  }

  /** A logarithmic scale has no place for a zero. */
  drawn(column) {
    return this.spec.logarithmic ? column?.map((value) => (value > 0 ? value : null)) : column;
  }

  create(data) {
    const timeRange = (plot) => {
      const first = plot.data[0][0] ?? this.end;
      return [Math.max(this.end - LONGEST_SECONDS, Math.min(first, this.end - SHORTEST_SECONDS)), this.end];
    };
    this.plot = createPlot(this.spec, data, this.canvas, { timeRange, onCursor: () => this.label() });
    resized.observe(this.canvas);
  }

  /** The legend says what is under the pointer, which all charts share, or else what is now. */
  label() {
    // uPlot tells of the pointer in a microtask, by when the chart may have been erased.
    if (!this.plot) return;
    const [times, ...columns] = this.plot.data;
    const index = this.plot.cursor.idx ?? null;
    write(this.moment, index === null ? "" : clockSeconds(times[index]));
    columns.forEach((column, i) => write(this.values[i], this.format(column[index ?? column.length - 1])));
  }

  /** In words, for whoever does not see the chart. */
  describe() {
    let empty = true;
    const parts = this.spec.series.map(({ label }, i) => {
      const column = this.plot.data[i + 1];
      const known = column.filter((value) => value !== null);
      if (!known.length) return `${label}: nothing observed`;
      empty = false;
      const [now, low, high] = [column.at(-1), Math.min(...known), Math.max(...known)].map((value) => this.format(value));
      return `${label}: now ${now}, lowest ${low}, highest ${high}`;
    });
    this.canvas.dataset.empty = empty;
    this.canvas.setAttribute("aria-label", `${this.spec.title}, last 15 minutes. ${parts.join("; ")}.`);
  }

  format(value) {
    return format(value, this.spec.format);
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

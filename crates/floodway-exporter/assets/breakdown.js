// A breakdown: a table of labelled counts, with a bar for the rate of each.

import { element, fill, place, write } from "./dom.js";
import { format } from "./format.js";
import { LABELS } from "./words.js";

export class Breakdown {
  /** The node's `data-title`, `data-none` and `data-tone` say how it looks. */
  constructor(node) {
    const { breakdown, title, none, tone } = node.dataset;
    this.field = breakdown;
    this.tone = tone;
    /** The row of the table for each label. */
    this.lines = new Map();

    this.table = element("table", "breakdown");
    const head = this.table.createTHead().insertRow();
    for (const text of [title, "rate", "total"]) head.append(heading("col", text));
    this.body = this.table.createTBody();

    this.none = element("p", "none", none);
    this.none.prepend(element("strong", "", title));
    node.append(this.table, this.none);
  }

  /** Largest total first: the order must not jump with the rates. */
  update(counts) {
    const sorted = [...counts].sort((a, b) => b.total - a.total);
    const most = Math.max(...sorted.map((count) => count.per_second ?? 0), 0);
    this.table.hidden = !sorted.length;
    this.none.hidden = sorted.length > 0;
    sorted.forEach(({ label, per_second: rate, total }, i) => {
      const line = this.line(label);
      const [head, perSecond, inAll] = line.cells;
      fill(head.lastElementChild, most > 0 ? (rate ?? 0) / most : 0);
      write(perSecond, format(rate, "rate"));
      write(inAll, format(total, "count"));
      place(this.body, line, i);
    });
    for (const [label, line] of this.lines) {
      if (sorted.some((count) => count.label === label)) continue;
      line.remove();
      this.lines.delete(label);
    }
  }

  line(label) {
    const known = this.lines.get(label);
    if (known) return known;
    const line = element("tr");
    const head = heading("row");
    const code = element("code", "", label);
    if (LABELS[label]) code.title = LABELS[label];
    const bar = element("i", "bar");
    if (this.tone) bar.dataset.tone = this.tone;
    head.append(code, bar);
    line.append(head, element("td"), element("td"));
    this.lines.set(label, line);
    return line;
  }
}

function heading(scope, text) {
  const cell = element("th", "", text);
  cell.scope = scope;
  return cell;
}

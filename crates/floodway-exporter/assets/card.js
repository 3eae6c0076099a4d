// The card of a component: its markup is a <template> in index.html, which names the numbers it shows.

import { Breakdown } from "./breakdown.js";
import { Chart } from "./chart.js";
import { Controls } from "./controls.js";
import { element, fromTemplate, icon, write } from "./dom.js";
import { format } from "./format.js";
import { keyOf } from "./kinds.js";
import { measure } from "./meter.js";
import { worstFirst } from "./severity.js";

/** Near the screen, so that a chart is there before it is scrolled to. */
const nearScreen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) target.card.show(isIntersecting);
}, { rootMargin: "300px 0px" });

export class Card {
  constructor(spec, name, { history, onChange }) {
    this.spec = spec;
    this.name = name;
    this.key = keyOf(spec.kind, name);
    this.history = history;
    this.near = false;
    this.severity = null;
    this.node = fromTemplate(`${spec.kind}-template`);
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
    this.optional = this.findAll("[data-optional]");
    this.meters = this.findAll("[data-meter]");
    this.breakdowns = this.findAll("[data-breakdown]").map((node) => new Breakdown(node));
    this.charts = spec.charts.map((chart) => new Chart(chart));
    this.pictures = this.find(".charts");
    this.pictures.append(...this.charts.map((chart) => chart.node));
    const controls = this.find(".controls");
    this.controls = controls && new Controls(controls, this.key, name, onChange);
    nearScreen.observe(this.node);
  }

  find(selector) {
    return this.node.querySelector(selector);
  }

  findAll(selector) {
    return [...this.node.querySelectorAll(selector)];
  }

  /** Writes the numbers of the component's row in the server's answer. */
  update(answered, { control, findings, now_ms: now, omitted }) {
    const row = this.spec.derive?.(answered) ?? answered;
    for (const node of this.fields) {
      const value = row[node.dataset.field];
      write(node, format(value, node.dataset.format));
      if ("alarm" in node.dataset) node.dataset.alarm = value > 0;
    }
    for (const node of this.optional) node.hidden = (row[node.dataset.optional] ?? null) === null;
    for (const node of this.meters) measure(node, row);
    for (const breakdown of this.breakdowns) breakdown.update(row[breakdown.field] ?? []);
    if (row.mode) this.node.dataset.mode = row.mode;
    this.controls?.update(row, control);
    this.mark(findings.filter((finding) => finding.kind === this.spec.kind && finding.name === this.name));
    this.end = now / 1000;
    // Beyond a number of components the server keeps rows without a history.
    this.mayLackHistory = omitted > 0;
  }

  mark(findings) {
    const worst = worstFirst(findings)[0]?.severity ?? null;
    if (worst !== this.severity) {
      this.severity = worst;
      if (worst) this.node.dataset.severity = worst;
      else delete this.node.dataset.severity;
      this.finding.replaceChildren(...(worst ? [icon(worst), element("span")] : []));
    }
    if (worst) write(this.finding.lastElementChild, findings.map((finding) => finding.text).join("; "));
  }

  show(near) {
    this.near = near;
    if (near) this.draw();
    else this.erase();
  }

  /** Draws the charts, if somebody may see them. */
  draw() {
    if (!this.near || this.node.hidden) return;
    const columns = this.history.series.get(this.key);
    const lacking = !columns && this.mayLackHistory;
    this.pictures.classList.toggle("charts-lacking", lacking);
    if (lacking) return;
    for (const chart of this.charts) chart.draw(this.history.times, columns, this.end);
  }

  erase() {
    for (const chart of this.charts) chart.erase();
  }

  remove() {
    nearScreen.unobserve(this.node);
    this.erase();
    this.node.remove();
  }
}

// The page around the cards: a section for each kind of component, the filter, and the findings.

import { $, write } from "./dom.js";
import { Findings } from "./findings.js";
import { KINDS } from "./kinds.js";
import { forgetColors } from "./plot.js";
import { Section } from "./section.js";

export class Page {
  /** `onChange` is called when a control has changed something. */
  constructor(history, onChange) {
    this.context = { history, onChange };
    /** By kind; those that have had a component. */
    this.sections = new Map();
    this.findings = new Findings((kind, name) => this.sections.get(kind)?.cards.has(name) ?? false);
    this.filter = "";
    write($("host"), location.host);
    $("filter").addEventListener("input", ({ target }) => {
      this.filter = target.value.trim().toLowerCase();
      this.applyFilter();
      this.drawCharts();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolor());
  }

  /** Draws an answer of the server, whose history is already merged. */
  update(answer) {
    write($("version"), answer.version);
    $("toolbar").hidden = $("findings").hidden = false;
    for (const spec of KINDS) this.updateSection(spec, answer);
    this.applyFilter();
    this.findings.update(answer.findings, this.cards().length);
    this.drawCharts();

    const foot = [`Rates and quantiles are over the last ${answer.window_seconds} s, charts over the last 15 minutes with a point every ${answer.tick_seconds} s. Times are local.`];
    if (answer.omitted > 0) {
      const count = `${answer.omitted} ${answer.omitted === 1 ? "component has" : "components have"} no charts`;
      foot.push(`${count}: history is kept of 64 at most, of those in trouble and the newest first.`);
    }
    write($("foot"), foot.join(" "));
  }

  updateSection(spec, answer) {
    const rows = answer[spec.list];
    if (!this.sections.has(spec.kind)) {
      if (!rows.length) return;
      this.sections.set(spec.kind, new Section(spec, this.context));
      // In the order of KINDS, whichever came first.
      const present = KINDS.map(({ kind }) => this.sections.get(kind)).filter(Boolean);
      $("sections").replaceChildren(...present.map((section) => section.node));
      $("jump").replaceChildren(...present.map((section) => section.link));
    }
    this.sections.get(spec.kind).update(rows, answer);
  }

  applyFilter() {
    let shown = 0;
    for (const section of this.sections.values()) shown += section.filter(this.filter);
    write($("matches"), this.filter ? `${shown} of ${this.cards().length} shown` : "");
    $("no-match").hidden = !this.filter || shown > 0;
  }

  drawCharts() {
    for (const card of this.cards()) card.draw();
  }

  /** The style sheet has other colours now; the charts have copies of the old ones. */
  recolor() {
    forgetColors();
    for (const card of this.cards()) {
      card.erase();
      card.draw();
    }
  }

  cards() {
    return [...this.sections.values()].flatMap((section) => [...section.cards.values()]);
  }
}

// The section of a kind of components: its cards, and its link in the toolbar.

import { Card } from "./card.js";
import { element, fromTemplate, place, write } from "./dom.js";
import { rank } from "./severity.js";

export class Section {
  constructor(spec, context) {
    this.spec = spec;
    /** What each card needs of the page: its history, and whom to tell of a change. */
    this.context = context;
    /** By name of the component. */
    this.cards = new Map();

    const { list, title } = spec;
    this.node = fromTemplate("section-template");
    this.node.id = list;
    this.list = this.node.querySelector(".cards");
    this.count = this.node.querySelector(".kind-count");
    const heading = this.node.querySelector("h2");
    heading.id = `${list}-title`;
    heading.firstElementChild.textContent = title;
    this.node.setAttribute("aria-labelledby", heading.id);

    const link = element("a", "", title);
    link.href = `#${list}`;
    this.badge = element("span", "badge");
    link.append(" ", this.badge);
    this.link = element("li");
    this.link.append(link);
  }

  update(rows, answer) {
    const names = new Set(rows.map((row) => row.name));
    for (const [name, card] of this.cards) {
      if (names.has(name)) continue;
      card.remove();
      this.cards.delete(name);
    }
    for (const row of rows) {
      let card = this.cards.get(row.name);
      if (!card) this.cards.set(row.name, (card = new Card(this.spec, row.name, this.context)));
      card.update(row, answer);
    }
    this.arrange();
  }

  /** Those in trouble first, then by name. */
  arrange() {
    const sorted = [...this.cards.values()].sort((a, b) =>
      rank(a.severity) - rank(b.severity) || a.name.localeCompare(b.name, "en", { numeric: true }));
    // Nothing moves under the hands of somebody who is about to change a limit, and a node that
    // moves loses the focus.
    const held = this.list.contains(document.activeElement) || this.list.querySelector(".controls[open]");
    sorted.forEach(({ node }, i) => {
      if (!held) place(this.list, node, i);
      else if (!node.isConnected) this.list.append(node);
    });
  }

  /** Shows the cards with this text in their name, and returns how many. */
  filter(text) {
    let shown = 0;
    for (const card of this.cards.values()) {
      const hidden = !card.name.toLowerCase().includes(text);
      if (card.node.hidden !== hidden) card.node.hidden = hidden;
      if (!hidden) shown += 1;
    }
    const total = this.cards.size;
    write(this.count, shown === total ? `${total}` : `${shown} of ${total}`);
    write(this.badge, `${total}`);
    this.node.hidden = shown === 0;
    this.link.hidden = total === 0;
    return shown;
  }
}

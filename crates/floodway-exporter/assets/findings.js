// The list of findings, the worst first.

import { sayFindings } from "./announcer.js";
import { $, element, icon, write } from "./dom.js";
import { keyOf, kindWord } from "./kinds.js";
import { worstFirst } from "./severity.js";

/** As many as leave the first cards in sight. */
const FIRST_SHOWN = 6;

export class Findings {
  /** `hasCard` tells of a kind and a name whether there is a card to link to. */
  constructor(hasCard) {
    this.hasCard = hasCard;
    this.findings = [];
    this.all = false;
    this.items = [];
    $("more-findings").addEventListener("click", () => {
      this.all = !this.all;
      this.draw();
    });
  }

  update(findings, components) {
    this.findings = worstFirst(findings);
    const count = findings.length;
    $("loading").hidden = true;
    $("calm").hidden = count > 0;
    write($("calm-detail"), `${components} ${components === 1 ? "component" : "components"} watched.`);
    write($("findings-count"), count ? `${count}` : "");
    document.title = `${count ? `(${count}) ` : ""}Floodway · ${location.host}`;
    this.draw();
    sayFindings(this.findings);
  }

  draw() {
    const { all, findings, items } = this;
    const shown = all ? findings : findings.slice(0, FIRST_SHOWN);
    while (items.length > shown.length) items.pop().node.remove();
    shown.forEach((finding, i) => {
      if (!items[i]) $("findings-list").append((items[i] = new Item()).node);
      items[i].draw(finding, this.hasCard(finding.kind, finding.name));
    });

    const more = $("more-findings");
    more.hidden = findings.length <= FIRST_SHOWN;
    more.setAttribute("aria-expanded", all);
    write(more, all ? `Show the first ${FIRST_SHOWN} only` : `Show all ${findings.length} findings`);
  }
}

/** A line of the list, for one finding now and for another later. */
class Item {
  constructor() {
    this.node = element("li", "finding");
    this.severity = element("span", "finding-severity");
    this.link = element("a", "finding-name");
    this.kind = element("span", "finding-kind");
    this.text = element("span", "finding-text");
    const head = element("span", "finding-head");
    head.append(this.severity, this.link, this.kind);
    this.node.append(icon("info"), head, this.text);
  }

  draw({ severity, kind, name, text }, linked) {
    if (this.node.dataset.severity !== severity) {
      this.node.dataset.severity = severity;
      this.node.firstElementChild.replaceWith(icon(severity));
    }
    write(this.severity, severity);
    write(this.link, name);
    write(this.kind, kindWord(kind));
    write(this.text, text);
    if (linked) this.link.setAttribute("href", `#${keyOf(kind, name)}`);
    else this.link.removeAttribute("href");
  }
}

// The controls of a limiter: forms that change its limit and its mode.

import { ask } from "./dialog.js";
import { write } from "./dom.js";
import { format } from "./format.js";
import { Secret, request } from "./server.js";

const controlToken = new Secret("control token");

export class Controls {
  /** `onChange` is called when something has been changed. */
  constructor(node, key, name, onChange) {
    this.node = node;
    this.name = name;
    this.onChange = onChange;
    this.result = node.querySelector(".control-result");
    for (const label of node.querySelectorAll("label")) {
      const input = label.nextElementSibling;
      input.id = `${key}:${input.name}`;
      label.htmlFor = input.id;
    }
    for (const legend of node.querySelectorAll("legend")) legend.append(` of ${name}`);
    node.addEventListener("toggle", () => {
      if (!node.open) return;
      node.querySelector("[name=limit]").value = this.row.limit ?? "";
      node.querySelector("[name=mode]").value = this.row.mode;
    });
    for (const form of node.querySelectorAll("form")) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        const field = form.dataset.control;
        const { value } = form.elements[field];
        this.change(form, { [field]: field === "limit" ? Number(value) : value });
      });
    }
  }

  update(row, allowed) {
    this.row = row;
    const { adjustable } = row;
    this.node.hidden = !(allowed && adjustable);
    if (!adjustable) return;
    const { min, max } = adjustable;
    const fixed = min >= max;
    this.node.querySelector("[data-control=limit]").hidden = fixed;
    write(this.node.querySelector("summary"), fixed ? "Change mode" : "Change limit or mode");
    write(this.node.querySelector(".control-range"), `between ${format(min, "count")} and ${format(max, "count")}`);
    Object.assign(this.node.querySelector("[name=limit]"), { min, max });
  }

  /** Asks whoever submitted the form for what is missing, and the server until it knows the token. */
  async change(form, wanted) {
    let asked = question(this.name, this.row, wanted);
    let refused = "";
    for (;;) {
      const token = !controlToken.get();
      if (asked || token) {
        const shown = asked ?? tokenQuestion(this.name);
        const typed = await ask({ ...shown, text: refused + shown.text, token });
        if (typed === null) return this.say("Nothing was changed.");
        if (token) controlToken.set(typed);
        asked = null;
      }
      this.say("Changing …");
      const answer = await this.post(form, wanted);
      if (!answer.unauthorized) return this.conclude(answer);
      controlToken.set(null);
      refused = `The server refused this token: ${answer.error}. `;
    }
  }

  async post(form, wanted) {
    const sets = this.node.querySelectorAll("fieldset");
    const focused = document.activeElement;
    for (const set of sets) set.disabled = true;
    try {
      const response = await request("control", controlToken.get(), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ limiter: this.name, ...wanted }),
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

  conclude({ error, limit, mode }) {
    if (error) return this.say(error, true);
    Object.assign(this.row, { limit, mode });
    this.say(`The limit is ${format(limit, "count")} now, the mode ${mode}.`);
    this.onChange();
  }

  say(text, bad = false) {
    this.result.classList.toggle("error", bad);
    write(this.result, text);
  }
}

/** What is asked before a change that takes protection or capacity away; null if it does neither. */
function question(name, row, { limit, mode }) {
  if (limit !== undefined && row.limit !== null && limit < row.limit) {
    return {
      title: `Lower the limit of ${name} to ${limit}?`,
      text: `It is ${row.limit} now, with ${format(row.in_flight, "count")} in flight. Who comes after that waits or is refused.`,
      confirm: `Lower to ${limit}`, danger: true,
    };
  }
  if (mode !== undefined && mode !== "enforce" && row.mode === "enforce") {
    const off = mode === "off";
    return {
      title: off ? `Switch ${name} off?` : `Only watch with ${name}?`,
      text: "Everybody passes from then on, and nothing protects what is behind it.",
      confirm: off ? "Switch off" : "Switch to shadow", danger: true,
    };
  }
  return null;
}

function tokenQuestion(name) {
  return {
    title: "Control token",
    text: `A change of ${name} needs the control token of this service. It stays in this tab.`,
    confirm: "Go on",
  };
}

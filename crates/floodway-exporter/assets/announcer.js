// What is said to whoever listens to the page: what has changed, and no number that moves.

import { $, write } from "./dom.js";
import { kindWord } from "./kinds.js";
import { rank } from "./severity.js";

/** A finding that comes and goes at its threshold is said once. */
const FORGET_FINDING_MS = 15_000;

/** The findings that were said, without their numbers: how bad, and when seen last. */
const said = new Map();

export function say(text) {
  write($("announcer"), text);
}

/** Says what has come, what became worse, and what has gone. */
export function sayFindings(findings) {
  const now = performance.now();
  const came = [];
  for (const { severity, kind, name, text } of findings) {
    const key = `${kind} ${name} ${text.replace(/[\d.,]+/g, "#")}`;
    const bad = rank(severity);
    const known = said.get(key);
    if (!known || bad < known.bad) came.push(`${severity}: ${kindWord(kind)} ${name} ${text}`);
    said.set(key, { bad: Math.min(bad, known?.bad ?? bad), seen: now });
  }
  const gone = [...said].filter(([, { seen }]) => now - seen > FORGET_FINDING_MS);
  for (const [key] of gone) said.delete(key);
  if (came.length) say(came.join(". "));
  else if (gone.length) say(findings.length ? `${gone.length} no longer, ${findings.length} left.` : "Nothing refused, nothing saturated.");
}

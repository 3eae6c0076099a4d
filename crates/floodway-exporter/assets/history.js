// The history: ticks of the last 15 minutes, and as many values of each series of a component.

import { keyOf } from "./kinds.js";

/** The server keeps as many; older ones are forgotten here as there. */
const KEPT_TICKS = 450;

export class History {
  constructor() {
    this.reset();
  }

  reset() {
    /** The number of the first tick that is still to come. */
    this.next = 0;
    /** In seconds since 1970. */
    this.times = [];
    /** By key of the component, and by field. */
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

  /** Forgets the oldest ticks, and components of which nothing younger is known. */
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

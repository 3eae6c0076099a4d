// How far apart the points of a query are, as Grafana's Prometheus data source computes it.

import { rangeUtil, type TimeRange } from '@grafana/data';

/** Prometheus answers a query for more points than this with an error. */
const MOST_POINTS = 11_000;

export interface Interval {
  stepMs: number;
  rateMs: number;
}

/** With so many pixels for the points, and a scrape so often. */
export function interval(range: TimeRange, pixels: number, scrapeMs: number): Interval {
  const calculated = rangeUtil.calculateInterval(range, pixels, `${scrapeMs}ms`).intervalMs;
  const lengthMs = range.to.valueOf() - range.from.valueOf();
  const stepMs = Math.max(calculated, rangeUtil.roundInterval(lengthMs / MOST_POINTS));
  return { stepMs, rateMs: Math.max(stepMs + scrapeMs, 4 * scrapeMs) };
}

/** The variables that Grafana sets itself. */
export function builtIn(range: TimeRange, { stepMs, rateMs }: Interval): Map<string, string> {
  const rangeMs = range.to.valueOf() - range.from.valueOf();
  const seconds = Math.round(rangeMs / 1000);
  return new Map([
    ['__interval', duration(stepMs)],
    ['__interval_ms', String(stepMs)],
    ['__rate_interval', duration(rateMs)],
    ['__rate_interval_ms', String(rateMs)],
    ['__range', `${seconds}s`],
    ['__range_s', String(seconds)],
    ['__range_ms', String(rangeMs)],
  ]);
}

function duration(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

// How the lines of a chart are drawn: what uPlot is told, and the colours of the style sheet.

import { axisLabel, clockMinutes } from "./format.js";

const TONES = ["blue", "red", "purple", "grey", "axis", "grid"];
/** Of whole things there is no half, so the axis of a count has no steps in between. */
const COUNT_STEPS = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6];

/** In ticks. */
const SHORT_RUN = 6;

let palette = null;

/** To be called when the style sheet has other colours than before. */
export function forgetColors() {
  palette = null;
}

/**
 * Draws `data`, the times and then a column for each series of `spec`, into `parent`. `timeRange`
 * tells the first and the last moment of the axis.
 */
export function createPlot(spec, data, parent, { timeRange, onCursor }) {
  const axis = { stroke: () => color("axis"), font: "11px system-ui, sans-serif", gap: 6, ticks: { show: false } };
  // uPlot is no module; index.html loads it before this one.
  return new window.uPlot({
    width: Math.max(parent.clientWidth, 120),
    height: parent.clientHeight,
    padding: [8, 6, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: "floodway" }, points: { size: 6 } },
    scales: {
      x: { range: timeRange },
      y: spec.logarithmic
        ? { distr: 3, log: 2, range: (_, min, max) => octaves(min, max) }
        : { range: (_, __, max) => [0, max > 0 ? max * 1.12 : 1] },
    },
    axes: [
      {
        ...axis, grid: { show: false }, size: 26, space: 64, incrs: [60, 120, 300, 600],
        // The canvas would cut a label off that stands at its right edge.
        values: ({ scales: { x } }, splits) => splits.map((at) => ((at - x.min) / (x.max - x.min) > 0.94 ? null : clockMinutes(at))),
      },
      {
        ...axis, grid: { stroke: () => color("grid"), width: 1 }, size: 52, space: 26,
        incrs: spec.format === "count" ? COUNT_STEPS : undefined,
        // Of the steps of a logarithm, those without room for a label come as null.
        values: (_, splits) => splits.map((split) => (split === null ? null : axisLabel(split, spec.format))),
      },
    ],
    series: [{}, ...spec.series.map((series) => stroke(series, spec))],
    hooks: { setCursor: [onCursor] },
  }, data, parent);
}

function stroke({ tone, dash, filled, stepped }, { logarithmic }) {
  return {
    stroke: () => color(tone),
    // On a logarithmic scale, which has no zero to stand on, the size of an area means nothing.
    fill: filled && !logarithmic ? () => `${color(tone)}1f` : undefined,
    width: dash ? 1.5 : 1.75,
    dash,
    paths: stepped ? window.uPlot.paths.stepped({ align: 1 }) : undefined,
    points: { show: false, filter: isolated, size: 5, width: 1, fill: () => color(tone) },
  };
}

/**
 * The values of short runs between two gaps, of which a line would be a pixel or none: a single
 * observation is in the quantiles of as many ticks as their window has.
 */
function isolated(plot, index) {
  const column = plot.data[index];
  const alone = [];
  for (let i = 0, from = 0; i <= column.length; i++) {
    if (column[i] != null) continue;
    if (i - from <= SHORT_RUN) for (; from < i; from++) alone.push(from);
    from = i + 1;
  }
  return alone.length ? alone : null;
}

/** From a power of two on, where the axis has its first step, over at least two octaves. */
function octaves(min, max) {
  if (!(min > 0)) return [1, 16];
  const low = 2 ** Math.floor(Math.log2(min));
  return [low, Math.max(low * 4, max * 1.3)];
}

function color(tone) {
  if (!palette) {
    const style = getComputedStyle(document.documentElement);
    palette = Object.fromEntries(TONES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
  return palette[tone];
}

// How many observations fell into which bucket over time: colours in Grafana's axes.

import { interpolateOranges } from 'd3-scale-chromatic';
import type uPlot from 'uplot';

import { type DataFrame, formattedValueToString, getValueFormat, type GrafanaTheme2 } from '@grafana/data';
import { AxisPlacement, ScaleDirection, ScaleOrientation } from '@grafana/schema';
import { UPlotChart, UPlotConfigBuilder } from '@grafana/ui';

import type { DrawProps } from './draw';

/** As many shades as Grafana uses. */
const SHADES = 64;
const LEGEND_HEIGHT = 28;
/** Below this an axis has no room for a label at each bucket. */
const LABEL_HEIGHT = 16;

export function Heatmap({ panel, data, scene, width, height }: DrawProps) {
  const { options = {} } = panel;
  const cells = bucketed(data.frames);
  const palette = shades(scene.theme);
  const format = getValueFormat(options.yAxis?.unit ?? panel.fieldConfig?.defaults?.unit ?? 'short');
  const label = (bound: number) =>
    Number.isFinite(bound) ? formattedValueToString(format(bound, options.yAxis?.decimals)) : '+Inf';
  const showsLegend = options.legend?.show ?? true;
  const plotHeight = height - (showsLegend ? LEGEND_HEIGHT : 0);
  const builder = configure(cells, palette, label, plotHeight, data.stepMs, scene);
  return (
    <div style={{ width, height }}>
      <UPlotChart
        config={builder}
        // The cells are drawn by a hook; the plot only needs to know which times there are.
        data={[cells.times, cells.times.map(() => 0)]}
        width={width}
        height={plotHeight}
      />
      {showsLegend && <Legend cells={cells} palette={palette} theme={scene.theme} />}
    </div>
  );
}

interface Cells {
  /** Upper ends of the buckets, from the lowest on. */
  bounds: number[];
  times: number[];
  /** By bucket, then by time. */
  counts: number[][];
  least: number;
  most: number;
}

/** From series that count everything up to `le` to what is in each bucket. */
function bucketed(frames: DataFrame[]): Cells {
  const rows = frames
    .map(({ fields: [time, value] }) => ({
      bound: Number((value.labels?.le ?? '').replace('Inf', 'Infinity')),
      byTime: new Map<number, number>(time.values.map((at, i) => [at, value.values[i]])),
    }))
    .sort((a, b) => a.bound - b.bound);
  const times = [...new Set(rows.flatMap(({ byTime }) => [...byTime.keys()]))].sort((a, b) => a - b);
  const counts = rows.map(({ byTime }, row) =>
    times.map((at) => Math.max(0, (byTime.get(at) ?? 0) - (rows[row - 1]?.byTime.get(at) ?? 0))),
  );
  const filled = counts.flat().filter((count) => count > 1e-9);
  return {
    bounds: rows.map(({ bound }) => bound),
    times,
    counts,
    least: filled.reduce((a, b) => Math.min(a, b), Infinity),
    most: filled.reduce((a, b) => Math.max(a, b), -Infinity),
  };
}

/** From few to many: away from the colour of the background. */
function shades(theme: GrafanaTheme2): string[] {
  return Array.from({ length: SHADES }, (_, i) => {
    const share = i / (SHADES - 1);
    return interpolateOranges(theme.isDark ? 1 - share : share);
  });
}

function shade(count: number, { least, most }: Cells, palette: string[]): string {
  const share = most > least ? (count - least) / (most - least) : 1;
  return palette[Math.min(SHADES - 1, Math.floor(share * SHADES))];
}

function configure(
  cells: Cells,
  palette: string[],
  label: (bound: number) => string,
  height: number,
  stepMs: number,
  { theme, timeZone, range }: DrawProps['scene'],
): UPlotConfigBuilder {
  const builder = new UPlotConfigBuilder(timeZone);
  const buckets = cells.bounds.length;
  builder.addScale({
    scaleKey: 'x',
    isTime: true,
    orientation: ScaleOrientation.Horizontal,
    direction: ScaleDirection.Right,
    range: () => [range.from.valueOf(), range.to.valueOf()],
  });
  builder.addAxis({ scaleKey: 'x', isTime: true, placement: AxisPlacement.Bottom, theme, timeZone });
  // Buckets are equally high whatever their width, and their labels stand at their upper ends.
  builder.addScale({
    scaleKey: 'y',
    orientation: ScaleOrientation.Vertical,
    direction: ScaleDirection.Up,
    range: () => [0, buckets],
  });
  const every = Math.max(1, Math.ceil((buckets * LABEL_HEIGHT) / height));
  const ends = Array.from({ length: buckets }, (_, i) => i + 1).filter((end) => (buckets - end) % every === 0);
  builder.addAxis({
    scaleKey: 'y',
    placement: AxisPlacement.Left,
    theme,
    grid: { show: false },
    splits: () => ends,
    values: (_, splits) => splits.map((end) => label(cells.bounds[end - 1])),
  });
  builder.addSeries({ scaleKey: 'y', theme, show: true, pathBuilder: () => null });
  builder.addHook('draw', (plot) => paint(plot, cells, palette, stepMs));
  builder.setPrepData(() => [[], []]);
  return builder;
}

function paint(plot: uPlot, cells: Cells, palette: string[], stepMs: number) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  cells.counts.forEach((row, bucket) => {
    const top = Math.round(plot.valToPos(bucket + 1, 'y', true));
    const bottom = Math.round(plot.valToPos(bucket, 'y', true));
    row.forEach((count, i) => {
      if (count > 1e-9) {
        // A point counts the time that led up to it.
        const left = Math.round(plot.valToPos(cells.times[i] - stepMs, 'x', true));
        const right = Math.round(plot.valToPos(cells.times[i], 'x', true));
        const gap = right - left > 4 ? 1 : 0;
        ctx.fillStyle = shade(count, cells, palette);
        ctx.fillRect(left, top + 1, Math.max(1, right - left - gap), Math.max(1, bottom - top - 1));
      }
    });
  });
  ctx.restore();
}

interface LegendProps {
  cells: Cells;
  palette: string[];
  theme: GrafanaTheme2;
}

function Legend({ cells, palette, theme }: LegendProps) {
  const format = getValueFormat('short');
  const text = (count: number) => formattedValueToString(format(count, count < 10 ? 1 : 0));
  return (
    <div
      style={{
        height: LEGEND_HEIGHT,
        display: 'flex',
        alignItems: 'flex-end',
        gap: theme.spacing(1),
        paddingLeft: theme.spacing(1),
        color: theme.colors.text.secondary,
        fontSize: theme.typography.bodySmall.fontSize,
        lineHeight: 1,
      }}
    >
      {text(cells.least)}
      <div
        style={{ width: 240, height: 10, background: `linear-gradient(90deg, ${palette.join(', ')})` }}
      />
      {text(cells.most)}
    </div>
  );
}

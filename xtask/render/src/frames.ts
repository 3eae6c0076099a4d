// From the answers of Prometheus to the frames that Grafana's components draw.

import {
  type DataFrame,
  type Field,
  type FieldConfig,
  FieldColorModeId,
  fieldMatchers,
  FieldType,
  getDisplayProcessor,
  type GrafanaTheme2,
  reduceField,
  ReducerID,
  ThresholdsMode,
} from '@grafana/data';

import type { Panel, Target } from './dashboard';
import type { Series } from './prometheus';

/** A frame for each series, with its name, the colour of its place, and the panel's settings. */
export function frames(answers: Answer[], panel: Panel, theme: GrafanaTheme2, timeZone: string): DataFrame[] {
  const all = answers.flatMap(({ target, series, stepMs }) =>
    series.map((one) => frame(target, one, stepMs)),
  );
  const { min, max } = extremes(all);
  all.forEach((data, index) => {
    for (const field of data.fields) {
      field.config = { ...configured(field, data, all, panel), ...field.config };
      const range = { min: field.config.min ?? min, max: field.config.max ?? max };
      const delta = range.max - range.min;
      field.state = { ...field.state, seriesIndex: index, range: { ...range, delta } };
      field.display = getDisplayProcessor({ field, theme, timeZone });
    }
  });
  return all;
}

export interface Answer {
  target: Target;
  series: Series[];
  stepMs: number;
}

/** Whether there is a number to draw. */
export function hasData(answer: Answer): boolean {
  return answer.series.some(({ values }) => values.some(([, value]) => Number.isFinite(number(value))));
}

/** Of all numbers of a panel, because its series share a scale. */
function extremes(all: DataFrame[]): { min: number; max: number } {
  const reducers = [ReducerID.min, ReducerID.max];
  const each = all.map(({ fields: [, field] }) => reduceField({ field, reducers }));
  const numbers = (id: ReducerID) => each.map((found) => found[id]).filter(Number.isFinite);
  return { min: Math.min(...numbers(ReducerID.min)), max: Math.max(...numbers(ReducerID.max)) };
}

function frame(target: Target, { metric, values }: Series, stepMs: number): DataFrame {
  const { __name__: _, ...labels } = metric;
  const time: Field = {
    name: 'Time',
    type: FieldType.time,
    // Where points are further apart, the line has a gap.
    config: { interval: stepMs },
    values: values.map(([seconds]) => seconds * 1000),
  };
  const value: Field = {
    name: 'Value',
    type: FieldType.number,
    labels,
    config: { displayNameFromDS: legend(target.legendFormat, metric) },
    values: values.map(([, text]) => number(text)),
  };
  return { refId: target.refId, fields: [time, value], length: values.length };
}

/** A number as Prometheus writes it, such as `+Inf`. */
function number(text: string): number {
  return Number(text.replace('Inf', 'Infinity'));
}

/** What the legend says, with labels in place of `{{label}}`. */
function legend(format: string | undefined, metric: Record<string, string>): string {
  if (format && format !== '__auto') {
    return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => metric[label] ?? '');
  }
  const { __name__: name = '', ...labels } = metric;
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length > 0 || name === '' ? `${name}{${pairs.join(', ')}}` : name;
}

/** What Grafana assumes of a field, what the panel says of all, and what it says of this one. */
function configured(field: Field, data: DataFrame, all: DataFrame[], panel: Panel): FieldConfig {
  if (field.type === FieldType.time) {
    return {};
  }
  const config: FieldConfig = {
    color: { mode: FieldColorModeId.Thresholds },
    thresholds: {
      mode: ThresholdsMode.Absolute,
      steps: [
        { color: 'green', value: -Infinity },
        { color: 'red', value: 80 },
      ],
    },
    ...structuredClone(panel.fieldConfig?.defaults ?? {}),
  };
  // A name that an override is about is the one of the legend.
  const named = { ...field, config: { ...config, ...field.config } };
  for (const { matcher, properties } of panel.fieldConfig?.overrides ?? []) {
    if (fieldMatchers.get(matcher.id).get(matcher.options)(named, data, all)) {
      properties.forEach(({ id, value }) => assign(config, id, value));
    }
  }
  // JSON has no infinity, so the first threshold is without a value.
  config.thresholds?.steps.forEach((step) => (step.value ??= -Infinity));
  return config;
}

/** Sets what a path such as `custom.fillOpacity` leads to. */
function assign(config: any, path: string, value: unknown) {
  const keys = path.split('.');
  const last = keys.pop()!;
  const inner = keys.reduce((object, key) => (object[key] ??= {}), config);
  inner[last] = value;
}

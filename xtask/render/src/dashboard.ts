// The part of Grafana's classic dashboard schema that is drawn.

import type { ConfigOverrideRule, FieldConfig } from '@grafana/data';

export interface Dashboard {
  title: string;
  timezone?: string;
  templating?: { list?: Variable[] };
  panels: Panel[];
}

export interface Variable {
  type: string;
  name: string;
  label?: string;
  /** 2 is hidden. */
  hide?: number;
  query?: string;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string;
  current?: { text?: string | string[]; value?: string | string[] };
}

export interface Panel {
  id: number;
  type: string;
  title?: string;
  description?: string;
  transparent?: boolean;
  /** The shortest step between points, such as `10s`. */
  interval?: string;
  maxDataPoints?: number;
  repeat?: string;
  gridPos: GridPos;
  targets?: Target[];
  fieldConfig?: { defaults?: FieldConfig; overrides?: ConfigOverrideRule[] };
  // Each kind of panel has options of its own.
  options?: any;
  /** Of a row. */
  collapsed?: boolean;
  /** What a collapsed row hides. */
  panels?: Panel[];
}

/** In the 24 columns and the rows of the grid. */
export interface GridPos {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Target {
  refId: string;
  expr: string;
  legendFormat?: string;
  format?: string;
  instant?: boolean;
  range?: boolean;
  hide?: boolean;
  interval?: string;
}

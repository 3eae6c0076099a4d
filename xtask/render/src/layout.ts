// Where panels are, in pixels, on Grafana's grid of 24 columns.

import type { GridPos, Panel } from './dashboard';

const COLUMNS = 24;
const ROW_HEIGHT = 30;
const GAP = 8;

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export function box({ x, y, w, h }: GridPos, pageWidth: number): Box {
  const column = (pageWidth - GAP * (COLUMNS - 1)) / COLUMNS;
  const left = Math.round(x * (column + GAP));
  return {
    left,
    top: y * (ROW_HEIGHT + GAP),
    // From rounded edge to rounded edge, so that panels of one column end in one line.
    width: Math.round((x + w) * (column + GAP) - GAP) - left,
    height: h * (ROW_HEIGHT + GAP) - GAP,
  };
}

/** All panels in one list, with what collapsed rows hide, and what is below moved down. */
export function expanded(panels: Panel[]): Panel[] {
  let moved = 0;
  const byHeight = [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  return byHeight.flatMap((panel) => {
    const placed = down(panel, moved);
    const hidden = (panel.collapsed && panel.panels) || [];
    if (hidden.length === 0) {
      return [placed];
    }
    // Their places are those of some moment at which the row was open.
    const top = Math.min(...hidden.map((inner) => inner.gridPos.y));
    const bottom = Math.max(...hidden.map((inner) => inner.gridPos.y + inner.gridPos.h));
    const below = placed.gridPos.y + placed.gridPos.h;
    moved += bottom - top;
    return [placed, ...hidden.map((inner) => down(inner, below - top))];
  });
}

function down(panel: Panel, rows: number): Panel {
  return { ...panel, gridPos: { ...panel.gridPos, y: panel.gridPos.y + rows } };
}

// A dashboard: the header, rows, and panels in their places.

import { Icon, useTheme2 } from '@grafana/ui';

import type { Dashboard, Panel } from './dashboard';
import { Header } from './header';
import { type Box, box } from './layout';
import { DrawnPanel } from './panel';
import type { PanelData, Scene } from './query';
import { expand } from './variables';

/** Around the grid, as around Grafana's. */
export const MARGIN = 16;

export function elementId(panel: Panel): string {
  return `panel-${panel.id}`;
}

interface Props {
  dashboard: Dashboard;
  panels: Panel[];
  data: Map<Panel, PanelData>;
  scene: Scene;
  /** Of the grid. */
  width: number;
}

export function Page({ dashboard, panels, data, scene, width }: Props) {
  const boxes = panels.map((panel) => box(panel.gridPos, width));
  const height = Math.max(0, ...boxes.map(({ top, height }) => top + height));
  return (
    <main style={{ padding: `0 ${MARGIN}px ${MARGIN}px` }}>
      <Header title={dashboard.title} scene={scene} />
      <div style={{ position: 'relative', width, height }}>
        {panels.map((panel, i) => (
          <div key={panel.id} id={elementId(panel)} style={{ position: 'absolute', ...boxes[i] }}>
            {content(panel, boxes[i])}
          </div>
        ))}
      </div>
    </main>
  );

  function content(panel: Panel, { width, height }: Box) {
    if (panel.type === 'row') {
      return <Row title={expand(panel.title ?? '', scene.chosen)} />;
    }
    return <DrawnPanel panel={panel} data={data.get(panel)!} scene={scene} width={width} height={height} />;
  }
}

function Row({ title }: { title: string }) {
  const { spacing, typography } = useTheme2();
  return (
    <div style={{ ...typography.h5, display: 'flex', alignItems: 'center', gap: spacing(1), height: '100%' }}>
      <Icon name="angle-down" />
      {title}
    </div>
  );
}

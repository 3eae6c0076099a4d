// Lines over time.

import { LegendDisplayMode } from '@grafana/schema';
import { TimeSeries } from '@grafana/ui';

import type { DrawProps } from './draw';

export function Series({ panel, data, scene, width, height }: DrawProps) {
  return (
    <TimeSeries
      frames={data.frames}
      structureRev={1}
      timeRange={scene.range}
      timeZone={scene.timeZone}
      width={width}
      height={height}
      legend={
        panel.options?.legend ?? {
          displayMode: LegendDisplayMode.List,
          placement: 'bottom',
          showLegend: true,
          calcs: [],
        }
      }
      options={panel.options}
    />
  );
}

// A panel: its frame, its title, and inside what it shows or why it shows nothing.

import { type ComponentType, type ReactNode } from 'react';

import { PanelChrome, useTheme2 } from '@grafana/ui';

import { Heatmap } from './heatmap';
import { Series } from './series';
import { Stat } from './stat';
import { Text } from './text';
import type { DrawProps } from './draw';
import type { Panel } from './dashboard';
import type { PanelData, Scene } from './query';
import { expand } from './variables';

const KINDS: Record<string, ComponentType<DrawProps>> = {
  heatmap: Heatmap,
  stat: Stat,
  text: Text,
  timeseries: Series,
};

export function isKnown(panel: Panel): boolean {
  return panel.type in KINDS;
}

interface Props {
  panel: Panel;
  data: PanelData;
  scene: Scene;
  width: number;
  height: number;
}

export function DrawnPanel({ panel, data, scene, width, height }: Props) {
  const Kind = KINDS[panel.type];
  return (
    <PanelChrome
      title={expand(panel.title ?? '', scene.chosen)}
      description={panel.description}
      displayMode={panel.transparent ? 'transparent' : 'default'}
      // A stat brings the space around its text along, and its line reaches the edges.
      padding={panel.type === 'stat' ? 'none' : 'md'}
      statusMessage={data.state === 'error' ? data.note : undefined}
      width={width}
      height={height}
    >
      {(innerWidth, innerHeight) => {
        const size = { width: innerWidth, height: innerHeight };
        if (data.state === 'error') {
          return <Message {...size} isError>{data.note}</Message>;
        }
        // A stat writes its text for no value itself.
        if (data.state === 'no data' && panel.type !== 'stat') {
          return <Message {...size}>{panel.fieldConfig?.defaults?.noValue ?? 'No data'}</Message>;
        }
        return <Kind panel={panel} data={data} scene={scene} {...size} />;
      }}
    </PanelChrome>
  );
}

interface MessageProps {
  width: number;
  height: number;
  isError?: boolean;
  children: ReactNode;
}

function Message({ width, height, isError = false, children }: MessageProps) {
  const { colors, typography } = useTheme2();
  return (
    <div
      style={{
        width,
        height,
        display: 'flex',
        alignItems: 'center',
        justifyContent: 'center',
        textAlign: 'center',
        overflowWrap: 'anywhere',
        overflow: 'hidden',
        color: isError ? colors.error.text : colors.text.secondary,
        fontSize: isError ? typography.bodySmall.fontSize : typography.size.lg,
      }}
    >
      {children}
    </div>
  );
}

// Large numbers, with the line of their past behind them.

import { FieldColorModeId, type FieldDisplay, getFieldDisplayValues, ThresholdsMode } from '@grafana/data';
import { VizOrientation } from '@grafana/schema';
import {
  BigValue,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  VizRepeater,
} from '@grafana/ui';

import type { DrawProps } from './draw';

export function Stat({ panel, data, scene, width, height }: DrawProps) {
  const { options = {} } = panel;
  const { theme, timeZone, range } = scene;
  const graphMode = options.graphMode ?? BigValueGraphMode.Area;
  const defaults = panel.fieldConfig?.defaults ?? {};
  // Without data it is Grafana that makes a field of the panel's settings.
  const fieldConfig = {
    defaults: {
      ...defaults,
      color: defaults.color ?? { mode: FieldColorModeId.Thresholds },
      thresholds: {
        mode: defaults.thresholds?.mode ?? ThresholdsMode.Absolute,
        steps: (defaults.thresholds?.steps ?? []).map((step) => ({ ...step, value: step.value ?? -Infinity })),
      },
    },
    overrides: [],
  };
  const getValues = () =>
    getFieldDisplayValues({
      fieldConfig,
      reduceOptions: options.reduceOptions ?? { calcs: ['lastNotNull'] },
      replaceVariables: (text) => text,
      theme,
      data: data.frames,
      sparkline: graphMode !== BigValueGraphMode.None,
      percentChange: options.showPercentChange,
      timeZone,
    });
  const isNamed = defaults.displayName || !panel.title;
  const chosenMode = options.textMode ?? BigValueTextMode.Auto;
  const textMode =
    chosenMode === BigValueTextMode.Auto && isNamed ? BigValueTextMode.ValueAndName : chosenMode;
  return (
    <VizRepeater
      getValues={getValues}
      renderValue={({ value, width, height, count }) => {
        const { display, sparkline } = value as FieldDisplay;
        return (
          <BigValue
            value={display}
            count={count}
            sparkline={sparkline && { ...sparkline, timeRange: range }}
            colorMode={options.colorMode ?? BigValueColorMode.Value}
            graphMode={graphMode}
            justifyMode={options.justifyMode ?? BigValueJustifyMode.Auto}
            textMode={textMode}
            text={options.text}
            width={width}
            height={height}
            theme={theme}
          />
        );
      }}
      width={width}
      height={height}
      source={data}
      itemSpacing={3}
      renderCounter={0}
      autoGrid
      orientation={options.orientation ?? VizOrientation.Auto}
    />
  );
}

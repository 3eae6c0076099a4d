// Asks what a panel shows, and says what came of it.

import type { DataFrame, GrafanaTheme2, TimeRange } from '@grafana/data';
import { rangeUtil } from '@grafana/data';

import type { Panel, Target } from './dashboard';
import { type Answer, frames, hasData } from './frames';
import { builtIn, interval } from './interval';
import { instant, range as queryRange, type Series } from './prometheus';
import { type Chosen, expand } from './variables';

/** What all panels of a dashboard have in common. */
export interface Scene {
  theme: GrafanaTheme2;
  timeZone: string;
  range: TimeRange;
  scrapeMs: number;
  chosen: Chosen[];
}

export interface PanelData {
  state: 'data' | 'no data' | 'error';
  /** What failed; which queries gave nothing though others did. */
  note: string;
  frames: DataFrame[];
  stepMs: number;
}

export async function query(panel: Panel, pixels: number, scene: Scene): Promise<PanelData> {
  const targets = (panel.targets ?? []).filter((target) => !target.hide && target.expr);
  const minMs = panel.interval ? rangeUtil.intervalToMs(panel.interval) : scene.scrapeMs;
  const points = panel.maxDataPoints ?? pixels;
  const results = await Promise.allSettled(
    targets.map((target) => {
      const ownMs = target.interval ? rangeUtil.intervalToMs(target.interval) : minMs;
      return answer(target, interval(scene.range, points, ownMs), scene);
    }),
  );
  const failures = results.filter((result) => result.status === 'rejected');
  const answers = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
  const filled = answers.filter(hasData);
  const empty = answers.filter((one) => !hasData(one));
  const drawn = {
    frames: frames(answers, panel, scene.theme, scene.timeZone),
    stepMs: answers[0]?.stepMs ?? scene.scrapeMs,
  };
  if (failures.length > 0) {
    return { ...drawn, state: 'error', note: failures.map(({ reason }) => reason.message).join('; ') };
  }
  if (filled.length === 0) {
    return { ...drawn, state: 'no data', note: '' };
  }
  const nothing = empty.map(({ target }) => target.legendFormat || target.refId).join(', ');
  return { ...drawn, state: 'data', note: nothing && `nothing for ${nothing}` };
}

async function answer(
  target: Target,
  { stepMs, rateMs }: ReturnType<typeof interval>,
  scene: Scene,
): Promise<Answer> {
  const expr = expand(target.expr, scene.chosen, builtIn(scene.range, { stepMs, rateMs }));
  // On whole steps, so that points stay where they are when the dashboard is drawn again.
  const step = stepMs / 1000;
  const aligned = (ms: number) => Math.floor(ms / stepMs) * step;
  const end = scene.range.to.valueOf();
  const series: Series[] = target.instant
    ? await instant(expr, end / 1000)
    : await queryRange(expr, aligned(scene.range.from.valueOf()), aligned(end), step);
  return { target, series, stepMs };
}

// Draws one dashboard and says when that is done, and what became of each panel.

import 'uplot/dist/uPlot.min.css';

import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';

import { createTheme, dateTime, ThemeContext } from '@grafana/data';
import { GlobalStyles } from '@grafana/ui';

import type { Dashboard, Panel } from './dashboard';
import { box, expanded } from './layout';
import { elementId, MARGIN, Page } from './page';
import { isKnown } from './panel';
import { type PanelData, query, type Scene } from './query';
import { choose } from './variables';

declare global {
  interface Window {
    __panels: Array<{ title: string; state: PanelData['state']; note: string }>;
  }
}

/** Of a panel's width, what its frame takes. */
const FRAME = 18;

const parameters = new URLSearchParams(location.search);
const theme = createTheme({ colors: { mode: parameters.get('theme') === 'light' ? 'light' : 'dark' } });
const root = createRoot(document.getElementById('root')!);

const dashboard: Dashboard = await (await fetch(`/dashboards/${parameters.get('dashboard')}.json`)).json();
const scene = await prepare(dashboard);
const width = window.innerWidth - 2 * MARGIN;
const panels = expanded(dashboard.panels);
const drawn = panels.filter((panel) => panel.type !== 'row');
const data = new Map<Panel, PanelData>(
  await Promise.all(
    drawn.map(async (panel) => [panel, await ask(panel)] as [Panel, PanelData]),
  ),
);

// Plots measure their labels as they are drawn, so the fonts have to be there before.
draw(null);
await Promise.all(['400 12px Inter', '500 12px Inter', '400 12px "Roboto Mono"'].map((font) => document.fonts.load(font)));
draw(<Page dashboard={dashboard} panels={panels} data={data} scene={scene} width={width} />);
await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

window.__panels = drawn.map((panel) => {
  const { state, note } = data.get(panel)!;
  const notes = [note, hidden(panel)].filter((part) => part !== '');
  return { title: panel.title || panel.type, state, note: notes.join('; ') };
});
document.documentElement.dataset.ready = 'true';

async function prepare({ timezone, templating }: Dashboard): Promise<Scene> {
  const from = dateTime(Number(parameters.get('from')));
  const to = dateTime(Number(parameters.get('to')));
  return {
    theme,
    timeZone: timezone || 'browser',
    range: { from, to, raw: { from, to } },
    scrapeMs: Number(parameters.get('scrape')),
    chosen: await choose(templating?.list ?? []),
  };
}

async function ask(panel: Panel): Promise<PanelData> {
  const nothing = { frames: [], stepMs: scene.scrapeMs };
  if (!isKnown(panel) || panel.repeat) {
    const what = panel.repeat ? 'repeated panels are' : `panels of type ${panel.type} are`;
    return { ...nothing, state: 'error', note: `${what} not drawn here` };
  }
  if (panel.type === 'text') {
    return { ...nothing, state: 'data', note: '' };
  }
  return query(panel, box(panel.gridPos, width).width - FRAME, scene);
}

/** What of a legend or a text only those see who scroll. */
function hidden(panel: Panel): string {
  const inner = document.querySelectorAll(`#${elementId(panel)} *`);
  const scrolls = (element: Element) => ['auto', 'scroll'].includes(getComputedStyle(element).overflowY);
  for (const element of [...inner].filter(scrolls)) {
    const pixels = element.scrollHeight - element.clientHeight;
    // The line below the last row of a legend is no loss.
    if (pixels > 2) {
      const { bottom } = element.getBoundingClientRect();
      const rows = panel.type === 'text' ? [] : [...element.querySelectorAll('tbody tr')];
      const below = rows.filter((row) => row.getBoundingClientRect().bottom > bottom + 2);
      return rows.length > 0
        ? `${below.length} of ${rows.length} rows are below what is seen`
        : `${pixels} px are below what is seen`;
    }
  }
  return '';
}

function draw(content: React.ReactNode) {
  flushSync(() =>
    root.render(
      <ThemeContext.Provider value={theme}>
        <GlobalStyles />
        {content}
      </ThemeContext.Provider>,
    ),
  );
}

// A picture of each dashboard, and what became of its panels.

import { mkdir, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { open, picture } from './browser.mjs';
import { bundle } from './bundle.mjs';
import { serve } from './server.mjs';

/** Gives what is wrong, a line for each problem. */
export async function renderDashboards(browser, options) {
  const names = await chosen(options);
  await mkdir(options.out, { recursive: true });
  await bundle();
  const { server, origin } = await serve(options);
  try {
    const scrape = await scrapeInterval(origin);
    const to = Date.now();
    const query = { theme: options.theme, to, from: to - Number(options.minutes) * 60_000, scrape };
    const problems = [];
    for (const name of names) {
      problems.push(...(await renderDashboard(browser, origin, name, query, options)));
    }
    return problems;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function chosen({ dashboards, only = [] }) {
  const files = (await readdir(dashboards)).filter((file) => file.endsWith('.json')).sort();
  const names = files.map((file) => basename(file, '.json'));
  const unknown = only.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new Error(`there is no dashboard ${unknown.join(', ')}; there are ${names.join(', ')}`);
  }
  return only.length > 0 ? only : names;
}

/** What a data source of Grafana's would be told: the longest interval, because it suits all. */
async function scrapeInterval(origin) {
  const answer = await fetch(`${origin}/api/v1/targets?state=active`);
  const { status, error, data } = await answer.json();
  if (status !== 'success') {
    throw new Error(error);
  }
  const intervals = data.activeTargets.map((target) => milliseconds(target.scrapeInterval));
  if (intervals.length === 0) {
    throw new Error('Prometheus scrapes nothing; give it the service as a target');
  }
  return Math.max(...intervals);
}

/** Of a duration as Prometheus writes it, such as `1m30s`. */
function milliseconds(duration) {
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  const parts = duration.matchAll(/(\d+)(ms|[smhd])/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * units[unit], 0);
}

async function renderDashboard(browser, origin, name, query, options) {
  const url = `${origin}/?${new URLSearchParams({ ...query, dashboard: name })}`;
  const viewport = { width: Number(options.width), height: 1000 };
  const { context, page, failures } = await open(browser, url, { viewport });
  try {
    // Icons come one by one, after the first drawing.
    await page.waitForLoadState('networkidle');
    const path = join(options.out, `${name}.png`);
    console.log(`\n${await picture(page, path)}`);
    const panels = await page.evaluate(() => window.__panels);
    return [...failures.map((failure) => `${name}: ${failure}`), ...report(name, panels)];
  } finally {
    await context.close();
  }
}

/** Prints a line for each panel; gives those without data. */
function report(name, panels) {
  const width = Math.max(...panels.map((panel) => panel.title.length));
  for (const { title, state, note } of panels) {
    console.log(`  ${title.padEnd(width)}  ${state.padEnd(7)}  ${note}`.trimEnd());
  }
  return panels
    .filter((panel) => panel.state !== 'data')
    .map(({ title, state, note }) => `${name}: ${title}: ${state}${note && `: ${note}`}`);
}

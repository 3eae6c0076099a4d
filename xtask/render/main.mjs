// The command line: draws dashboards, takes pictures of a status page, or both.

import { parseArgs } from 'node:util';

import { launch } from './browser.mjs';
import { renderDashboards } from './dashboards.mjs';
import { renderStatus } from './status.mjs';

const { values: options } = parseArgs({
  options: {
    chromium: { type: 'string' },
    dashboards: { type: 'string' },
    out: { type: 'string' },
    prometheus: { type: 'string' },
    status: { type: 'string' },
    theme: { type: 'string' },
    width: { type: 'string' },
    minutes: { type: 'string' },
    only: { type: 'string', multiple: true },
  },
});

const browser = await launch(options.chromium);
try {
  const problems = [];
  if (options.prometheus) {
    problems.push(...(await renderDashboards(browser, options)));
  }
  if (options.status) {
    problems.push(...(await renderStatus(browser, options)));
  }
  for (const problem of problems) {
    console.error(problem);
  }
  process.exitCode = problems.length === 0 ? 0 : 1;
} catch (error) {
  // Nothing here is a bug of this program more often than of what it was given.
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await browser.close();
}

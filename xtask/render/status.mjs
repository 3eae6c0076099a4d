// Pictures of a status page: wide in both colour schemes, and as a phone shows it.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { open, picture } from './browser.mjs';

// Of a picture, in pixels: further down are more cards of the same kind.
const HIGHEST = 1500;

const SHOTS = [
  { name: 'status-light', viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  { name: 'status-dark', viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  {
    name: 'status-phone',
    viewport: { width: 390, height: 844 },
    colorScheme: 'light',
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  },
];

/** Gives what is wrong, a line for each problem. */
export async function renderStatus(browser, { status, out }) {
  await mkdir(out, { recursive: true });
  const problems = [];
  for (const { name, ...window } of SHOTS) {
    const { context, page, failures } = await open(browser, status, window);
    try {
      const path = join(out, `${name}.png`);
      console.log(await picture(page, path, HIGHEST));
      problems.push(...failures.map((failure) => `${name}: ${failure}`));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > window.viewport.width) {
        problems.push(`${name}: the page is ${wide} px wide in a window of ${window.viewport.width} px`);
      }
    } finally {
      await context.close();
    }
  }
  return problems;
}

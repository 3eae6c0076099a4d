// Chromium without a window, and pictures of its pages.

import { writeFile } from 'node:fs/promises';

import { chromium } from 'playwright-core';
import sharp from 'sharp';

/** How long a page may take until it says that it is drawn. */
const PATIENCE_MS = 60_000;

export function launch(executablePath) {
  return chromium.launch({
    executablePath,
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Letters without coloured edges: those look wrong on other screens and make larger files.
      '--disable-lcd-text',
    ],
    env: { ...process.env, LANG: 'en_US.UTF-8', LANGUAGE: 'en-US' },
  });
}

/** Opens a page in a window of its own and waits until it says that it is drawn. */
export async function open(browser, url, { viewport, ...options }) {
  const context = await browser.newContext({ viewport, locale: 'en-US', ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const failures = [];
  page.on('pageerror', (error) => failures.push(error.message));
  try {
    const answer = await page.goto(url);
    if (!answer?.ok()) {
      throw new Error(`it answered ${answer?.status()}`);
    }
    await page.waitForFunction(() => document.documentElement.dataset.ready === 'true');
  } catch (error) {
    await context.close();
    // What the page itself complained about says more than that it was not done in time.
    const why = failures.length > 0 ? failures.join('; ') : error.message.split('\n')[0];
    throw new Error(`cannot draw ${url}: ${why}`);
  }
  return { context, page, failures };
}

/** The page, or its top, as a PNG with at most 256 colours, which is a third of the size; says what was written. */
export async function picture(page, path, highest = Infinity) {
  const { width } = page.viewportSize();
  const height = await page.evaluate(() => {
    const { body, documentElement } = document;
    return Math.ceil(Math.max(body.scrollHeight, documentElement.getBoundingClientRect().height));
  }).then((whole) => Math.min(whole, highest));
  // With a window as high as the page nothing is stitched together, and nothing is drawn late.
  await page.setViewportSize({ width, height });
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const full = await page.screenshot({ animations: 'disabled', caret: 'hide' });
  // Without dithering: that is for photographs, and noise does not compress.
  const options = { palette: true, colours: 256, dither: 0, effort: 10 };
  const { data, info } = await sharp(full).png(options).toBuffer({ resolveWithObject: true });
  await writeFile(path, data);
  return `${path}: ${info.width} x ${info.height}, ${Math.ceil(info.size / 1024)} KiB`;
}

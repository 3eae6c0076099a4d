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
  const answer = await page.goto(url);
  if (!answer?.ok()) {
    throw new Error(`${url} answered ${answer?.status()} ${answer?.statusText()}`);
  }
  try {
    await page.waitForFunction(() => document.documentElement.dataset.ready === 'true');
  } catch {
    const why = failures.length > 0 ? failures.join('; ') : `nothing was drawn in ${PATIENCE_MS / 1000} s`;
    throw new Error(`${url}: ${why}`);
  }
  return { context, page, failures };
}

/** The whole page as a PNG with at most 256 colours, which is a third of the size. Gives its size. */
export async function picture(page, path) {
  const { width } = page.viewportSize();
  const height = await page.evaluate(() => {
    const { body } = document;
    return Math.ceil(Math.max(body.scrollHeight, body.getBoundingClientRect().bottom + window.scrollY));
  });
  // With a window as high as the page nothing is stitched together, and nothing is drawn late.
  await page.setViewportSize({ width, height });
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const full = await page.screenshot({ animations: 'disabled', caret: 'hide' });
  // Without dithering: that is for photographs, and noise does not compress.
  const image = await sharp(full).png({ palette: true, colours: 256, dither: 0, effort: 10 }).toBuffer();
  await writeFile(path, image);
  return { width, height, bytes: image.length };
}

export function describe(path, { width, height, bytes }) {
  return `${path}: ${width} x ${height}, ${Math.ceil(bytes / 1024)} KiB`;
}

// One script and one style sheet of what draws a dashboard.

import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Where the bundle was written. */
export const BUNDLE = here('bundle');

export async function bundle() {
  await build({
    absWorkingDir: here('.'),
    entryPoints: { page: here('src/main.tsx') },
    outdir: BUNDLE,
    bundle: true,
    format: 'esm',
    minify: true,
    jsx: 'automatic',
    target: 'chrome120',
    // The font of an editor that comes with Grafana's components and is not shown.
    loader: { '.ttf': 'empty' },
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'warning',
  });
}

// Serves the page, what Grafana's components load, and the dashboards; passes queries on.

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

import { BUNDLE } from './bundle.mjs';

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Dashboard</title>
<link rel="stylesheet" href="/bundle/page.css">
<style>body { margin: 0; }</style>
<script>window.__grafana_public_path__ = '/public/';</script>
<div id="root"></div>
<script type="module" src="/bundle/page.js"></script>
`;

const TYPES = {
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** The names under which Grafana looks for its fonts, and who has the same fonts. */
const FONTS = {
  'inter/Inter-Regular.woff2': 'inter/files/inter-latin-400-normal.woff2',
  'inter/Inter-Medium.woff2': 'inter/files/inter-latin-500-normal.woff2',
  'inter/Inter-Italic.woff2': 'inter/files/inter-latin-400-italic.woff2',
  'inter/Inter-MediumItalic.woff2': 'inter/files/inter-latin-500-italic.woff2',
};
const MONOSPACE = 'roboto-mono/files/roboto-mono-latin-400-normal.woff2';

const modules = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url));

/** Listens on a free port of loopback; gives the server and its address. */
export async function serve({ dashboards, prometheus }) {
  const upstream = new URL(prometheus);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    if (pathname === '/') {
      response.setHeader('content-type', 'text/html').end(PAGE);
    } else if (pathname.startsWith('/api/v1/')) {
      pass(upstream, request, response);
    } else {
      send(file(dashboards, pathname), response);
    }
  });
  await new Promise((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done));
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

/** The file behind a path; null if there is none. */
function file(dashboards, pathname) {
  const path = normalize(decodeURIComponent(pathname));
  const rest = (prefix) => (path.startsWith(prefix) ? path.slice(prefix.length) : null);
  const font = rest('/public/fonts/');
  if (font !== null) {
    return modules(`@fontsource/${FONTS[font] ?? MONOSPACE}`);
  }
  const folders = {
    '/bundle/': BUNDLE,
    '/dashboards/': dashboards,
    '/public/build/img/icons/': modules('@grafana/ui/dist/public/img/icons'),
  };
  for (const [prefix, folder] of Object.entries(folders)) {
    if (rest(prefix) !== null) {
      return join(folder, rest(prefix));
    }
  }
  return null;
}

async function send(path, response) {
  const found = path !== null && (await stat(path).catch(() => null))?.isFile();
  if (!found) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream');
  createReadStream(path).pipe(response);
}

function pass(upstream, request, response) {
  const url = new URL(upstream);
  const { pathname, search } = new URL(request.url, 'http://localhost');
  // Prometheus may be below a path of its own.
  url.pathname = upstream.pathname.replace(/\/$/, '') + pathname;
  url.search = search;
  const { host: _, connection: __, ...headers } = request.headers;
  const ask = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const passed = ask(url, { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  passed.on('error', (error) => {
    const body = { status: 'error', error: `cannot reach ${upstream}: ${error.message}` };
    response.writeHead(502, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  request.pipe(passed);
}

import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { HTTP } from '../../dialects/shared/dialect.ts';
import { header } from '../headers.ts';
import { chooseEncoding } from '../encoding.ts';
import type { Exchange } from '../exchange.ts';
import type { Routes } from '../express-routes.ts';
import type { Services } from '../services.ts';
import { addSite } from './site.ts';
import { describeApi } from './document.ts';

/** `/openapi.json` and `/docs`, a page that shows it by Swagger UI, whose files are packed by the build. Nothing comes from elsewhere. */

const DOCUMENT = '/openapi.json';
const PAGE_PATH = '/docs';

const SECURITY = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

// Addresses are relative, because the engine may be mounted below a path.
const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Carpool API</title><link rel="icon" href="docs/icon.svg"><link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><p><a href="docs/index.html">Guides</a> and <a href="./">the server</a></p><div id="docs"></div><script src="docs/swagger-ui.js"></script><script src="docs/start.js"></script></body>
</html>
`;

const START = `window.ui = SwaggerUIBundle({ url: 'openapi.json', dom_id: '#docs', validatorUrl: null, deepLinking: true, docExpansion: 'none' });\n`;

/** Files that the build packs (scripts/pack-docs.js), and their types. */
const FILES = { 'swagger-ui.js': 'text/javascript', 'swagger-ui.css': 'text/css' } as const;

const HELD_S = 3600;

/** Whether a path is for everyone, once there are keys: the page has to be there before a key can be given to it. */
export function isOpen(path: string): boolean {
  return path === DOCUMENT || path === PAGE_PATH || path.startsWith(`${PAGE_PATH}/`);
}

export function addDocs(routes: Routes, services: Services): void {
  const documents = new Documents(routes, services);
  routes.add('get', DOCUMENT, {
    dialect: HTTP,
    about: { summary: 'This document' },
    scope: 'open',
    handle: async (exchange) => {
      const packed = await documents.packedFor(exchange);
      await sendPacked(exchange, packed, { contentType: 'application/json', headers: {} });
    },
  });
  const page = (path: string, contentType: string, text: string): void =>
    routes.add('get', path, {
      dialect: HTTP,
      about: { summary: 'This document as a page', answerTypes: [contentType.split(';', 1)[0] ?? ''] },
      scope: 'open',
      handle: async (exchange, { originalUrl }) => {
        // With a slash at its end, the page's relative addresses would lead past it: that is the folder of the docs' site.
        if (path === PAGE_PATH && originalUrl.split('?', 1)[0]?.endsWith('/') === true)
          exchange.send({ status: 308, contentType: 'text/plain', chunks: [], headers: { Location: 'index.html' } });
        else await exchange.reply({ contentType, chunks: [Buffer.from(text)], headers: SECURITY });
      },
    });
  page(PAGE_PATH, 'text/html; charset=utf-8', PAGE);
  page(`${PAGE_PATH}/start.js`, 'text/javascript', START);
  for (const [name, contentType] of Object.entries(FILES))
    routes.add('get', `${PAGE_PATH}/${name}`, {
      dialect: HTTP,
      about: { summary: 'A part of the page', answerTypes: [contentType] },
      scope: 'open',
      handle: async (exchange) =>
        sendPacked(exchange, await readFile(new URL(`./${name}.gz`, import.meta.url)), {
          contentType,
          headers: { ...SECURITY, 'Cache-Control': `max-age=${HELD_S}` },
        }),
    });
  addSite(routes, PAGE_PATH);
}

/** The document, made again only when other models are loaded: that takes the main thread tens of milliseconds. */
class Documents {
  readonly #routes: Routes;
  readonly #services: Services;
  /** By the keys of the models in it: the last with models, and the one without. */
  readonly #packed = new Map<string, Promise<Buffer>>();

  constructor(routes: Routes, services: Services) {
    this.#routes = routes;
    this.#services = services;
  }

  /** Names of models are for those who may use them. */
  packedFor(exchange: Exchange): Promise<Buffer> {
    const { version, keys, repository } = this.#services;
    const models = keys === undefined || exchange.key !== undefined ? repository.list() : [];
    const of = models.map(({ key }) => key).join();
    let packed = this.#packed.get(of);
    if (packed === undefined) {
      const document = describeApi({ version, routes: this.#routes.all, hasKeys: keys !== undefined, models });
      packed = promisify(gzip)(JSON.stringify(document));
      for (const other of this.#packed.keys()) if (other !== '') this.#packed.delete(other);
      this.#packed.set(of, packed);
    }
    return packed;
  }
}

async function sendPacked(
  exchange: Exchange,
  packed: Buffer,
  { contentType, headers }: { readonly contentType: string; readonly headers: Readonly<Record<string, string>> },
): Promise<void> {
  const isTaken = chooseEncoding(header(exchange.request, 'accept-encoding') ?? '', ['gzip']) === 'gzip';
  const chunks = [isTaken ? packed : await promisify(gunzip)(packed)];
  const coding = isTaken ? { 'Content-Encoding': 'gzip' } : {};
  exchange.send({ contentType, chunks, headers: { ...headers, ...coding } }, 'Accept-Encoding');
}

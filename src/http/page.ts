import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import Negotiator from 'negotiator';
import { HTTP } from '../dialects/shared/dialect.ts';
import { ServerError } from '../errors.ts';
import { StaticFiles } from '../web/static-files.ts';
import type { Exchange } from './exchange.ts';
import type { Routes } from './express-routes.ts';
import { pathOf } from './headers.ts';
import { ASK_AGAIN, FOR_GOOD, sendStatic } from './send-static.ts';

/** The page that browsers find at `/`. It holds no data: those it asks for as every client does, with a key where keys are asked for. */

const PARTS = '/ui/';

/** Read when first asked for: most servers show nobody a page. */
let opened: Promise<StaticFiles> | undefined;

function openFiles(): Promise<StaticFiles> {
  opened ??= StaticFiles.open(new URL('../web/ui/', import.meta.url));
  return opened;
}

/** Whether a request is for the page or a part of it, which are for everyone: the page has to be there before a key can be given to it. */
export function isForPage(request: IncomingMessage): boolean {
  const path = pathOf(request);
  return path.startsWith(PARTS) || (path === '/' && prefersPage(request));
}

/** Whether whoever asks would rather have a page than JSON. Programs that take anything get JSON. */
export function prefersPage(request: IncomingMessage): boolean {
  const { method, headers } = request;
  if ((method !== 'GET' && method !== 'HEAD') || headers.accept?.includes('text/html') !== true) return false;
  return new Negotiator(request).mediaType(['application/json', 'text/html']) === 'text/html';
}

/** Answers `/` with the page. */
export async function sendPage(exchange: Exchange, request: Request): Promise<void> {
  // Below a path without a slash at its end, the page's relative addresses would lead past it.
  const [path = '/', query] = request.originalUrl.split('?', 2);
  if (!path.endsWith('/')) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    exchange.send({
      status: 308,
      contentType: 'text/plain',
      chunks: [],
      headers: { Location: `${name}/${query === undefined ? '' : `?${query}`}`, Vary: 'Accept' },
    });
    return;
  }
  const files = await openFiles();
  const file = files.find('index.html');
  if (file === undefined) throw new ServerError('NOT_FOUND');
  await sendStatic(exchange, { files, file }, { cacheControl: ASK_AGAIN, vary: 'Accept, Accept-Encoding' });
}

/** Adds the parts of the page: `/ui/<build>/<name>`. */
export function addPageParts(routes: Routes): void {
  routes.add('get', `${PARTS}:build/*name`, {
    dialect: HTTP,
    about: { summary: 'A part of the page' },
    scope: 'open',
    isPart: true,
    async handle(exchange, request) {
      const { build, name } = request.params as unknown as { readonly build: string; readonly name: readonly string[] };
      const files = await openFiles();
      const file = files.find(name.join('/'));
      if (file === undefined || file.name === 'index.html') throw new ServerError('NOT_FOUND');
      exchange.quiet = true;
      // While a new version takes over, the page may be of the other one.
      await sendStatic(exchange, { files, file }, { cacheControl: build === files.build ? FOR_GOOD : ASK_AGAIN });
    },
  });
}

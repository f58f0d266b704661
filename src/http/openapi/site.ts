import { HTTP } from '../../dialects/shared/dialect.ts';
import { ServerError } from '../../errors.ts';
import { StaticFiles } from '../../web/static-files.ts';
import type { Routes } from '../express-routes.ts';
import { ASK_AGAIN, sendStatic } from '../send-static.ts';

/** The site of the docs, made from their Markdown by the build (scripts/pack-site.js): `/docs/index.html` and the pages beside it. */

/** Read when first asked for: most servers show nobody a page. */
let opened: Promise<StaticFiles> | undefined;

export function addSite(routes: Routes, path: string): void {
  routes.add('get', `${path}/:name`, {
    dialect: HTTP,
    about: { summary: 'A page of the docs' },
    scope: 'open',
    isPart: true,
    async handle(exchange, request) {
      opened ??= StaticFiles.open(new URL('../../web/site/', import.meta.url));
      const files = await opened;
      const file = files.find(String(request.params['name']));
      if (file === undefined) throw new ServerError('NOT_FOUND');
      exchange.quiet = true;
      await sendStatic(exchange, { files, file }, { cacheControl: ASK_AGAIN });
    },
  });
}

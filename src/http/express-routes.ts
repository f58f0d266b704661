import type { Express, Request, Response } from 'express';
import type { z } from 'zod';
import type { About } from '../dialects/shared/about.ts';
import type { Dialect } from '../dialects/shared/dialect.ts';
import type { Scope } from '../config/api-keys.ts';
import { ServerError } from '../errors.ts';
import { Exchange } from './exchange.ts';
import { answerPreflight } from './cors.ts';
import { checkManagement } from './management.ts';
import { operationAt } from '../dialects/operation-table.ts';
import type { Services } from './services.ts';

/** Handlers take an Exchange, as the hot routes do; a rejection is answered in one place. */
export type Handler = (exchange: Exchange, request: Request) => Promise<void>;

/** A method that a path takes, for the 405 of the others. */
type Method = 'get' | 'post' | 'delete';

/** What the document of the API tells of a route. */
export interface RouteAbout extends About {
  /** The schema of its query. */
  readonly query?: z.ZodObject;
  /** Of a success; default: 200. */
  readonly status?: number;
}

export interface Route {
  readonly dialect: Dialect;
  readonly handle: Handler;
  readonly about: RouteAbout;
  /** It changes what is served, which needs permission. */
  readonly changes?: boolean;
  /** What a key must be for, once there are keys; default: `manage` for what changes, else `any` key for GET and `infer` for the rest. `open`: no key is needed. */
  readonly scope?: Scope | 'any' | 'open';
  /** A part of a page, of which the document of the API does not tell. */
  readonly isPart?: boolean;
}

/** Adds routes to the Express app and remembers them. */
export class Routes {
  readonly #app: Express;
  readonly #services: Services;
  /** Those that have been added, in order. */
  readonly all: (Pick<Route, 'dialect' | 'about'> & { readonly method: Method; readonly path: string })[] = [];
  readonly #paths = new Map<string, { methods: Set<Method>; dialect: Dialect }>();

  constructor(app: Express, services: Services) {
    this.#app = app;
    this.#services = services;
  }

  /** Adds a route. */
  add(method: Method, path: string, { dialect, handle, changes = false, isPart = false, ...route }: Route): void {
    if (!isPart) this.all.push({ method, path, dialect, about: route.about });
    const { scope = changes ? 'manage' : method === 'get' ? 'any' : 'infer' } = route;
    let known = this.#paths.get(path);
    if (known === undefined) this.#paths.set(path, (known = { methods: new Set(), dialect }));
    known.methods.add(method);
    this.#app[method](path, (request: Request, response: Response) => {
      const exchange = new Exchange(request, response, { services: this.#services, dialect });
      // A handler may throw before it returns its promise; Express would answer that with a second exchange.
      const answer = async (): Promise<void> => {
        const refusal = scope === 'open' ? undefined : this.#services.keys?.scopeRefusal(request, scope);
        if (refusal !== undefined) throw refusal;
        if (changes) checkManagement(request, this.#services.config);
        await handle(exchange, request);
      };
      void answer().catch((error: unknown) => exchange.fail(error));
    });
  }

  /** Answers other methods on known paths; call it after the last route. */
  answerOtherMethods(): void {
    for (const [path, { methods, dialect }] of this.#paths) {
      if (operationAt(path) !== undefined) methods.add('post');
      this.#app.all(path, (request: Request, response: Response) =>
        answerOtherMethod(new Exchange(request, response, { services: this.#services, dialect }), [...methods]),
      );
    }
  }
}

/** Answers OPTIONS with the methods of the path, and any other method with 405. Paths that take GET also take HEAD. */
export function answerOtherMethod(exchange: Exchange, methods: readonly string[]): void {
  const all = [...methods, ...(methods.includes('get') ? ['head'] : []), 'options'];
  const { request, response } = exchange;
  const allow = all.map((method) => method.toUpperCase()).join(', ');
  response.setHeader('Allow', allow);
  if (request.method === 'OPTIONS') {
    answerPreflight(request, response, allow);
    exchange.nothing();
  } else exchange.fail(new ServerError('METHOD_NOT_ALLOWED'));
}

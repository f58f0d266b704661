import type { Express, Request, Response } from 'express';
import { ServerError } from '../errors.ts';
import { Exchange } from './exchange.ts';
import type { Services } from './services.ts';

/** Handlers take an Exchange, as the hot routes do; a rejection is answered in one place. */
export type Handler = (exchange: Exchange, request: Request) => Promise<void>;

/** A method that a path takes, for the 405 of the others. */
type Method = 'get' | 'post';

/** Adds routes to the Express app and remembers them. */
export class Routes {
  readonly #app: Express;
  readonly #services: Services;
  readonly #paths = new Map<string, { methods: Set<Method>; dialect: string }>();

  constructor(app: Express, services: Services) {
    this.#app = app;
    this.#services = services;
  }

  add(method: Method, path: string, { dialect, handle }: { dialect: string; handle: Handler }): void {
    let known = this.#paths.get(path);
    if (known === undefined) this.#paths.set(path, (known = { methods: new Set(), dialect }));
    known.methods.add(method);
    this.#app[method](path, (request: Request, response: Response) => {
      const exchange = new Exchange(request, response, { services: this.#services, dialect });
      // A handler may throw before it returns its promise; Express would answer that with a second exchange.
      const answer = async (): Promise<void> => handle(exchange, request);
      void answer().catch((error: unknown) => exchange.fail(error));
    });
  }

  /** Answers 405 on known paths with other methods; call it after the last route. */
  refuseOtherMethods(): void {
    for (const [path, { methods, dialect }] of this.#paths)
      this.#app.all(path, (request: Request, response: Response) =>
        refuseMethod(new Exchange(request, response, { services: this.#services, dialect }), [...methods]),
      );
  }
}

/** Answers 405 and says which methods there are. */
export function refuseMethod(exchange: Exchange, methods: readonly string[]): void {
  exchange.response.setHeader('Allow', methods.map((method) => method.toUpperCase()).join(', '));
  void exchange.fail(new ServerError('METHOD_NOT_ALLOWED'));
}

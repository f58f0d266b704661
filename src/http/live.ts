import { z } from 'zod';
import { once } from '../once.ts';
import { HTTP } from '../dialects/shared/dialect.ts';
import type { Rights } from '../web/live/feed.ts';
import { EventStream } from './event-stream.ts';
import type { Exchange } from './exchange.ts';
import type { Routes } from './express-routes.ts';
import { isFromHere } from './management.ts';
import type { Services } from './services.ts';

/** The first event, `welcome`, and the others, `frame`: web/live/protocol.ts says what is in them. */
const EVENT = once(() => {
  const frame = z.looseObject({ atMs: z.number(), phase: z.string(), why: z.string() });
  const welcome = z.looseObject({ version: z.string(), everyMs: z.number(), frame });
  return z.union([welcome, frame]);
});

/** `GET /live`: what the page of `/` shows, as server-sent events (web/live/protocol.ts). */
export function addLive(routes: Routes, services: Services): void {
  routes.add('get', '/live', {
    dialect: HTTP,
    scope: 'metrics',
    about: {
      summary: 'Tells what the server does, four times a second: the numbers of /metrics, and the runs of all lanes',
      answerTypes: [],
      events: EVENT,
    },
    handle(exchange) {
      exchange.quiet = true;
      exchange.isOpenEnded = true;
      // Nothing would ever be read of it.
      if (exchange.method === 'HEAD') {
        exchange.startStream();
        exchange.endStream();
        return Promise.resolve();
      }
      const stream = new EventStream(exchange);
      let leave: (() => void) | undefined;
      try {
        leave = services.live.add(
          { send: (name, data) => stream.send([{ name, data }]), end: () => stream.end() },
          rightsOf(exchange, services),
        );
      } catch (error) {
        stream.abandon();
        throw error;
      }
      exchange.releaseLater(leave);
      return Promise.resolve();
    },
  });
}

/** What whoever reads the stream may do beside. */
function rightsOf({ key, request }: Exchange, { config, jobs }: Services): Rights {
  const isFor = (scope: 'manage' | 'infer'): boolean => key === undefined || key.scopes.has(scope);
  const isManaged = config.MANAGEMENT === 'any' || (config.MANAGEMENT === 'loopback' && isFromHere(request));
  return {
    manages: config.MODEL_CONTROL === 'explicit' && isManaged && isFor('manage'),
    listsJobs: jobs !== undefined && isFor('infer'),
  };
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { pathOf } from './headers.ts';
import { queuesOf } from '../serving/served-model.ts';
import type { Services } from './services.ts';

/**
 * Health probes: they look only at the server's state and at queues, and answer with 200 or 503, because SaladCloud's
 * probes know no other statuses.
 */

interface ProbeAnswer {
  readonly ok: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}
type Probe = (services: Services) => ProbeAnswer;

/** Whether a queue is full: requests for that model would be refused now. */
function isFull({ repository, door }: Services): boolean {
  return repository.list().some((model) => queuesOf(model).some((queue) => door.isFull(queue)));
}

/** Whether there is nothing to serve: MODELS_DIR holds no model (yet), or all are unloaded. */
function isEmpty({ repository }: Services): boolean {
  return repository.list().length === 0;
}

const started: Probe = ({ state }) => ({ ok: state.started, body: { started: state.started } });

/** 503 only for failures that a restart cures. */
const live: Probe = ({ state }) =>
  state.phase === 'failed' ? { ok: false, body: { live: false, why: state.why } } : { ok: true, body: { live: true } };

const ready: Probe = (services) => {
  const { state, config } = services;
  if (state.phase !== 'ready') return { ok: false, body: { ready: false, why: `${state.phase}: ${state.why}` } };
  if (isEmpty(services)) return { ok: false, body: { ready: false, why: 'no model is loaded' } };
  if (!config.READY_WHEN_FULL && isFull(services)) return { ok: false, body: { ready: false, why: 'a queue is full' } };
  return { ok: true, body: { ready: true } };
};

/**
 * The probe of SaladCloud's reference servers: `busy` is 200, and no other body contains the word `ready`, because scripts
 * search the text for it.
 */
const healthCheck: Probe = (services) => {
  const { phase } = services.state;
  if (phase !== 'ready') return { ok: false, body: { status: phase } };
  if (isEmpty(services)) return { ok: false, body: { status: 'empty' } };
  return { ok: true, body: { status: isFull(services) ? 'busy' : 'ready' } };
};

export const PROBES: Readonly<Record<string, Probe>> = {
  '/started': started,
  '/health': live,
  '/ready': ready,
  '/health_check': healthCheck,
  '/hc': healthCheck,
  '/v2/health/live': live,
  '/v2/health/ready': ready,
};

/** Answers a probe. Probes are not counted, and are logged at `debug` only. */
export function answerProbe(probe: Probe, { request, response, services }: ProbeCall): void {
  const { ok, body } = probe(services);
  const text = JSON.stringify(body);
  response.writeHead(ok ? 200 : 503, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  });
  response.end(request.method === 'HEAD' ? undefined : text);
  const { access } = services;
  if (access.isLevelEnabled('debug'))
    access.debug({ method: request.method, path: pathOf(request), status: response.statusCode }, 'probe');
}

export interface ProbeCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly services: Services;
}

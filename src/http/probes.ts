import { z } from 'zod';
import { once } from '../once.ts';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '../config/options.ts';
import { allowsCommands } from '../jobs/commands/programs.ts';
import { pathOf } from './headers.ts';
import { queuesOf } from '../serving/served-model.ts';
import { probeHead, type ByPath, type ProbeReply, type StalledReply } from './probe-reply.ts';
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

/** Of all probes, with either status. */
export const PROBE_ANSWER = once(() => {
  const flag = z.boolean();
  return z
    .object({ started: flag, live: flag, ready: flag, status: z.string(), why: z.string() })
    .partial()
    .meta({ id: 'Probe' });
});

/** Whether a queue is full: requests for that model would be refused now. */
function isFull({ repository, door }: Services): boolean {
  return repository.list().some((model) => queuesOf(model).some((queue) => door.isFull(queue)));
}

/** Whether no model is loaded, and none would be by a request. */
export function hasNoModel(repository: Pick<Services['repository'], 'list' | 'asleep'>): boolean {
  return repository.list().length === 0 && repository.asleep().length === 0;
}

/** Whether there is nothing to serve: MODELS_DIR holds no model (yet), or all are unloaded for good; commands of jobs need none. */
export function isEmpty({ repository, config }: Pick<Services, 'repository' | 'config'>): boolean {
  return hasNoModel(repository) && !allowsCommands(config.JOB_COMMANDS);
}

const started: Probe = ({ state }) => ({ ok: state.started, body: { started: state.started } });

/** 503 only for failures that a restart cures. */
const live: Probe = ({ state }) =>
  state.phase === 'failed' ? { ok: false, body: { live: false, why: state.why } } : { ok: true, body: { live: true } };

const ready: Probe = (services) => {
  const { state, config } = services;
  if (state.phase !== 'ready') return { ok: false, body: { ready: false, why: `${state.phase}: ${state.why}` } };
  if (isEmpty(services)) return { ok: false, body: { ready: false, why: 'no model is loaded' } };
  // Jobs fill the queues on purpose.
  const mayBeFull = config.READY_WHEN_FULL || config.JOB_SOURCE !== 'none';
  if (!mayBeFull && isFull(services)) return { ok: false, body: { ready: false, why: 'a queue is full' } };
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

/** `/health`: SaladCloud's recipes for TEI probe it for readiness. */
const health: Probe = (services) => (services.config.HEALTH_MEANS_READY ? ready : live)(services);

export const PROBES: Readonly<Record<string, Probe>> = {
  '/started': started,
  '/health': health,
  '/ready': ready,
  '/health_check': healthCheck,
  '/hc': healthCheck,
  '/v2/health/live': live,
  '/v2/health/ready': ready,
};

function replyOf({ ok, body }: ProbeAnswer): ProbeReply {
  return { status: ok ? 200 : 503, text: JSON.stringify(body) };
}

/** The replies of all probes as of now. */
export function probeReplies(services: Services): ByPath<ProbeReply> {
  return byPath((probe) => replyOf(probe(services)));
}

/**
 * A main thread that stands still for this long is too late for clients, so the replica leaves the balance. Garbage collection and large bodies take tenths
 * of it.
 */
const UNREADY_AFTER_MS = 1000;

/** What probes say of a main thread that stands still; MAIN_STALL_MS is the limit of liveness. /started tells of the past, so it does not change. */
export function stalledReplies({ MAIN_STALL_MS: stallMs, HEALTH_MEANS_READY }: StallConfig): ByPath<StalledReply> {
  const why = (ms: number): string => `the main thread has stood still for ${ms / 1000} s`;
  const unready = { afterMs: UNREADY_AFTER_MS, status: 503 } as const;
  const notLive: StalledReply = {
    afterMs: stallMs,
    status: 503,
    text: JSON.stringify({ live: false, why: why(stallMs) }),
  };
  const notReady = { ...unready, text: JSON.stringify({ ready: false, why: why(UNREADY_AFTER_MS) }) };
  const replies = new Map<Probe, StalledReply>([
    [live, notLive],
    [health, HEALTH_MEANS_READY ? notReady : notLive],
    [ready, notReady],
    [healthCheck, { ...unready, text: JSON.stringify({ status: 'stalled' }) }],
  ]);
  return byPath((probe) => replies.get(probe));
}

type StallConfig = Pick<Config, 'MAIN_STALL_MS' | 'HEALTH_MEANS_READY'>;

/** A table by path of what each probe has, if it has one. */
function byPath<Reply>(replyTo: (probe: Probe) => Reply | undefined): ByPath<Reply> {
  const table: Record<string, Reply> = {};
  for (const [path, probe] of Object.entries(PROBES)) {
    const reply = replyTo(probe);
    if (reply !== undefined) table[path] = reply;
  }
  return table;
}

/** Answers a probe. Probes are not counted, and are logged at `debug` only. */
export function answerProbe(probe: Probe, { request, response, services }: ProbeCall): void {
  const { status, text } = replyOf(probe(services));
  response.writeHead(status, probeHead(text));
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

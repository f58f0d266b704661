import type { ServerResponse } from 'node:http';
import type { NodeIdentity } from '../salad/identity.ts';
import type { ServedModel } from '../serving/served-model.ts';
import { realtimeFactor, type RequestTiming } from '../serving/timing.ts';

/** What the reference servers of SaladCloud tell with each reply. https://docs.salad.com/container-engine/how-to-guides/environment-variables */

/** Makes a reply name the node, whatever it will be. */
export function nameNode(response: ServerResponse, { headers }: NodeIdentity): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

interface Answered {
  readonly model: Pick<ServedModel, 'name'> | undefined;
  readonly timing: RequestTiming | undefined;
  readonly elapsedMs: number;
}

/** Adds what is known of a request when its reply is sent. */
export function addNodeHeaders(head: Record<string, string | number>, answered: Answered): void {
  if (answered.model !== undefined) head['X-Model-ID'] = answered.model.name;
  Object.assign(head, timeHeaders(answered));
}

/** What a stream tells at its end, in trailers (RFC 9110 6.5). */
export const STREAM_TRAILERS = 'X-Processing-Time, X-Realtime-Factor';

/** Seconds, and for speech the seconds of audio in each. */
export function timeHeaders({ timing, elapsedMs }: Omit<Answered, 'model'>): Record<string, string> {
  const factor = timing === undefined ? undefined : realtimeFactor(timing, elapsedMs);
  return {
    'X-Processing-Time': (elapsedMs / 1000).toFixed(3),
    ...(factor === undefined ? {} : { 'X-Realtime-Factor': factor.toFixed(2) }),
  };
}

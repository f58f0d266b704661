import type { NodeIdentity } from '../salad/identity.ts';
import type { ServedModel } from '../serving/served-model.ts';
import type { RequestTiming } from '../serving/timing.ts';

interface Answered {
  readonly model: Pick<ServedModel, 'name'> | undefined;
  readonly timing: RequestTiming | undefined;
  readonly elapsedMs: number;
}

/** Adds what the reference servers of SaladCloud tell with a reply to inference; times in seconds. */
export function addNodeHeaders(
  head: Record<string, string | number>,
  { headers }: NodeIdentity,
  { model, timing, elapsedMs }: Answered,
): void {
  if (model === undefined) return;
  Object.assign(head, headers);
  head['X-Model-ID'] = model.name;
  if (timing === undefined) return;
  const seconds = elapsedMs / 1000;
  head['X-Processing-Time'] = seconds.toFixed(3);
  if (timing.audioSeconds !== undefined) head['X-Realtime-Factor'] = (timing.audioSeconds / seconds).toFixed(2);
}

import { load } from '../benchmark/load.ts';
import { reportOf } from '../benchmark/report.ts';
import type { LoadTarget } from '../benchmark/request.ts';
import { VERSION } from '../version.ts';
import type { Measure } from './search.ts';
import { settingText } from './setting.ts';
import type { TunedServer } from './tuned-server.ts';

/** Part of a measurement that goes before it, for the new number of clients to settle. */
const SETTLE = 0.3;
const TIMEOUT_MS = 60_000;

export interface MeasureParts {
  readonly server: Pick<TunedServer, 'url' | 'use'>;
  readonly target: LoadTarget;
  readonly signal: AbortSignal;
  /** Told of each measurement before it begins. */
  readonly show: (text: string) => void;
}

/** Measures settings on a server, by a closed loop. A measurement rejects when a request fails, and with the signal's reason once that is aborted. */
export function measureOn({ server, target, signal, show }: MeasureParts): Measure {
  return async (setting, clients, seconds) => {
    signal.throwIfAborted();
    show(`${settingText(setting)}, ${clients} client${clients === 1 ? '' : 's'}`);
    await server.use(setting);
    const shape = {
      ...{ loop: { kind: 'closed', concurrency: clients } as const, isKept: true, rounds: 1, timeoutMs: TIMEOUT_MS },
      ...{ warmUpMs: 1000 * seconds * SETTLE, durationMs: 1000 * seconds, requests: Infinity },
    };
    const loaded = await load({ url: server.url, request: target.request, shape, signal });
    signal.throwIfAborted();
    const report = reportOf({ url: server.url, target, shape, loaded, version: VERSION });
    const [why] = Object.keys(report.failures);
    if (report.failed > 0) throw new Error(`a request failed: ${why ?? 'no answer'}`);
    return { clients, perSecond: report.perSecond, p99Ms: report.latencyMs?.p99 ?? Infinity };
  };
}

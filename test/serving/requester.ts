import { HTTP } from '../../src/dialects/shared/dialect.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import { Deadline } from '../../src/serving/deadline.ts';
import type { Requester } from '../../src/serving/requester.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';

/** A requester without HTTP, which records what the door tells. */
export interface PlainRequester extends Requester {
  model: ServedModel | undefined;
  readonly ignored: string[];
}

export function plainRequester({ deadline = new Deadline(Infinity), cancellation = new Cancellation() } = {}) {
  const requester: PlainRequester = {
    id: 'r',
    deadline,
    cancellation,
    dialect: HTTP,
    items: 0,
    timing: undefined,
    model: undefined,
    ignored: [],
    releaseLater: () => undefined,
    serveWith(model) {
      requester.model = model;
      deadline.shorten(model.timeoutMs);
    },
    tellIgnored: (names) => void requester.ignored.push(...names),
  };
  return requester;
}

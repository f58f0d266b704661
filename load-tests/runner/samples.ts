/** What one request came to. */
export interface Sample {
  /** Name of the request, k6's tag `name`. */
  readonly name: string;
  /** 0: no reply came. */
  readonly status: number;
  /** From the time the request was due, not from when it was sent: waiting in this client counts. */
  readonly latencyMs: number;
  /** Whether the scenario counts this status as expected: k6's tag `expected_response`. */
  readonly expected: boolean;
  readonly checks: readonly { readonly name: string; readonly right: boolean }[];
}

/** What a whole run came to. */
export interface RunResult {
  readonly samples: readonly Sample[];
  /** Arrivals that were not sent, because the most allowed requests were under way. */
  readonly dropped: number;
  readonly elapsedMs: number;
  /** Counters of the scenario's own, by name. */
  readonly counters: Readonly<Record<string, number>>;
}

/** Samples of one run by status, statuses ascending. */
export function byStatus(samples: readonly Sample[]): Map<number, Sample[]> {
  const groups = new Map<number, Sample[]>();
  for (const sample of samples) {
    const group = groups.get(sample.status);
    if (group === undefined) groups.set(sample.status, [sample]);
    else group.push(sample);
  }
  return new Map([...groups].sort(([left], [right]) => left - right));
}

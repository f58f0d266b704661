/** A call that waits for a thread. */
export interface WaitingCall {
  /** The model it is for; '' for none. */
  readonly model: string;
  /** Calls of one request have the same. */
  readonly request: unknown;
  readonly start: () => void;
}

/** What is known of a model's calls. */
interface Share {
  readonly requests: Map<unknown, Set<WaitingCall>>;
  running: number;
  /** Time on threads, including the expected time of running calls. A model that returns has no credit for the time it was idle. */
  servedMs: number;
  meanMs: number;
}

/** Share of the newest call in the mean. */
const WEIGHT = 0.2;
/** A model whose calls take this long leaves the last thread to others. */
const LONG_MS = 500;

/**
 * Calls in a fair order: the model that has had the least of the threads' time comes first (start-time fair queueing: Goyal, Vin and Cheng, IEEE/ACM
 * Transactions on Networking 5(5), 1997), and of a model's requests each in turn, however many calls it has.
 */
export class FairQueue {
  readonly #shares = new Map<string, Share>();
  /** Expected times of the running calls. */
  readonly #expectedMs = new Map<WaitingCall, number>();
  #virtualMs = 0;

  add(call: WaitingCall): void {
    const share = this.#share(call.model);
    if (isIdle(share)) share.servedMs = Math.max(share.servedMs, this.#virtualMs);
    const calls = share.requests.get(call.request);
    if (calls === undefined) share.requests.set(call.request, new Set([call]));
    else calls.add(call);
  }

  /** Takes a call out; false if it does not wait here. */
  delete(call: WaitingCall): boolean {
    const requests = this.#shares.get(call.model)?.requests;
    const calls = requests?.get(call.request);
    const wasThere = calls?.delete(call) ?? false;
    if (calls?.size === 0) requests?.delete(call.request);
    return wasThere;
  }

  /** Takes out the call whose turn it is; undefined if no call may have a free thread. */
  next({ free, threads }: { free: number; threads: number }): WaitingCall | undefined {
    if (free <= 0) return undefined;
    let chosen: Share | undefined;
    for (const share of this.#shares.values()) {
      if (share.requests.size === 0 || (chosen !== undefined && share.servedMs >= chosen.servedMs)) continue;
      const wouldFill = threads > 1 && free === 1 && share.running > 0 && share.meanMs > LONG_MS;
      if (!wouldFill) chosen = share;
    }
    return chosen === undefined ? undefined : this.#start(chosen);
  }

  /** A call that was taken out has ended after this time on its thread. */
  ended(call: WaitingCall, tookMs: number): void {
    const share = this.#share(call.model);
    share.running -= 1;
    share.servedMs += tookMs - (this.#expectedMs.get(call) ?? 0);
    share.meanMs += (tookMs - share.meanMs) * WEIGHT;
    this.#expectedMs.delete(call);
  }

  /** True if no call of the model waits or runs. */
  isIdle(model: string): boolean {
    const share = this.#shares.get(model);
    return share === undefined || isIdle(share);
  }

  /** Forgets an idle model. */
  forget(model: string): void {
    if (this.isIdle(model)) this.#shares.delete(model);
  }

  #share(model: string): Share {
    let share = this.#shares.get(model);
    if (share === undefined) {
      share = { requests: new Map(), running: 0, servedMs: this.#virtualMs, meanMs: 0 };
      this.#shares.set(model, share);
    }
    return share;
  }

  #start(share: Share): WaitingCall | undefined {
    const [first] = share.requests;
    if (first === undefined) return undefined;
    const [request, calls] = first;
    const [call] = calls;
    if (call === undefined) return undefined;
    calls.delete(call);
    // The request's next call comes after those of the others.
    share.requests.delete(request);
    if (calls.size > 0) share.requests.set(request, calls);
    this.#virtualMs = Math.max(this.#virtualMs, share.servedMs);
    share.running += 1;
    share.servedMs += share.meanMs;
    this.#expectedMs.set(call, share.meanMs);
    return call;
  }
}

function isIdle({ requests, running }: Share): boolean {
  return requests.size === 0 && running === 0;
}

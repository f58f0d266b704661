import { ServerError } from '../../src/errors.ts';
import type { LaneOptions, Thread } from '../../src/lanes/lane.ts';
import type { LaneAnswer, LaneAnswers, LaneRequest, LoadAnswer, WarmAnswer } from '../../src/lanes/protocol.ts';

/** What happens to the threads of a test when they get a request. */
export interface Fate {
  /** How long a request takes. */
  readonly take: (request: LaneRequest) => Promise<unknown>;
  /** Called before each answer: it may end threads. */
  readonly beforeAnswer: (thread: FakeThread, request: LaneRequest) => void;
  readonly loadAnswer: () => LoadAnswer;
  /** Runs that the warm-up makes. */
  readonly warmRuns: () => WarmAnswer['runs'];
  /** Why a request fails; undefined: it does not. */
  readonly whyNot: (request: LaneRequest) => string | undefined;
}

/** A lane's thread that holds models without running them, and dies when told to. Like a real one it answers one request after the other. */
export class FakeThread implements Thread {
  readonly id: number;
  readonly progress = { begun: 0, ended: 0 };
  lost = false;
  /** Keys of the models it holds, and how often each was loaded. */
  readonly held = new Map<string, number>();
  readonly #onLost: (reason: string) => void;
  readonly #fate: Fate;
  readonly #waiting = new Set<(error: ServerError) => void>();
  #last: Promise<unknown> = Promise.resolve();

  constructor({ id, onLost }: LaneOptions, fate: Fate) {
    this.id = id;
    this.#onLost = onLost;
    this.#fate = fate;
  }

  get isBusy(): boolean {
    return this.#waiting.size > 0;
  }

  die(reason: string): void {
    if (this.lost) return;
    this.lost = true;
    this.held.clear();
    this.#onLost(reason);
    for (const reject of this.#waiting) reject(new ServerError('LANE_LOST', undefined, { cause: new Error(reason) }));
  }

  giveUp(reason: string): void {
    this.die(reason);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async ask<Kind extends LaneRequest['kind']>(
    request: Extract<LaneRequest, { kind: Kind }>,
  ): Promise<LaneAnswer<Kind>> {
    if (this.lost) throw new ServerError('LANE_LOST');
    const answer = this.#last.then(async () => {
      await this.#fate.take(request);
      if (!this.lost) this.#fate.beforeAnswer(this, request);
      return this.#answer(request) as LaneAnswer<Kind>;
    });
    this.#last = answer;
    let waiting: (error: ServerError) => void = () => undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.add((waiting = reject));
        answer.then((value) => {
          if (!this.lost) resolve(value);
        }, reject);
      });
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  async command<Kind extends Exclude<LaneRequest['kind'], 'run'>>(
    request: Extract<LaneRequest, { kind: Kind }>,
  ): Promise<LaneAnswers[Kind]> {
    const answer = await this.ask(request);
    if (!answer.ok) throw new Error((answer as { message: string }).message);
    return answer;
  }

  #answer(request: LaneRequest): LaneAnswer<LaneRequest['kind']> {
    const why = this.#fate.whyNot(request);
    if (why !== undefined) return { ok: false, code: 'INTERNAL', message: why };
    if (request.kind === 'load' && !this.lost)
      this.held.set(request.model.key, (this.held.get(request.model.key) ?? 0) + 1);
    if (request.kind === 'unload') this.held.delete(request.key);
    switch (request.kind) {
      case 'load':
        return this.#fate.loadAnswer();
      case 'warm':
        if (!this.held.has(request.key)) return { ok: false, code: 'INTERNAL', message: 'not on this lane' };
        return { ok: true, runs: this.#fate.warmRuns() };
      case 'run':
        return { ok: true, outcomes: [], runMs: 1, stackMs: 0, splitMs: 0 };
      case 'probe':
      case 'sign':
      case 'unload':
        return { ok: true };
    }
  }
}

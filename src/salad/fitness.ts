import type { Config } from '../config/options.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Imds } from './imds.ts';
import { isOnSalad } from './node.ts';
import { runChecks, startChecks, warmUpResult, type CheckParts, type CheckResult } from './start-checks.ts';

/** This node does not do; the message says why. */
export class UnfitError extends Error {}

export interface FitnessParts extends CheckParts {
  readonly config: Config;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  /** Undefined elsewhere than on SaladCloud. */
  readonly imds: Pick<Imds, 'reallocate'> | undefined;
}

/** After a reallocation was granted: how long until the platform ends the process. Then it ends itself. */
const REALLOCATION_MS = 120_000;

/** Whether a node does for what it is there for, and what follows if it does not: NODE_UNFIT. */
export class NodeFitness {
  readonly #parts: FitnessParts;

  constructor(parts: FitnessParts) {
    this.#parts = parts;
  }

  /** Runs the checks that come before models are loaded. Rejects with an UnfitError if the server is not to go on. */
  async check(stop: AbortSignal): Promise<void> {
    const { config, clock } = this.#parts;
    const checks = startChecks(config, this.#parts);
    if (checks.length === 0) return;
    const late = new AbortController();
    const forget = clock.after(config.NODE_CHECK_LIMIT_MS, () =>
      late.abort(new Error('the time for all checks is over')),
    );
    try {
      const results = await runChecks(checks, {
        clock,
        attempts: config.NODE_CHECK_ATTEMPTS,
        pauseMs: config.NODE_CHECK_PAUSE_MS,
        signal: AbortSignal.any([stop, late.signal]),
      });
      if (!stop.aborted) await this.#judge(results, stop);
    } finally {
      forget();
    }
  }

  /** Judges how long loading and warming the models took. Rejects likewise. */
  async checkWarmUp(tookMs: number, stop: AbortSignal): Promise<void> {
    const { NODE_MAX_WARM_UP_MS: mostMs } = this.#parts.config;
    if (mostMs > 0 && !stop.aborted) await this.#judge([warmUpResult(tookMs, mostMs)], stop);
  }

  /** A node that has become unfit while it serves. What was asked for, for the log. */
  async giveUp(reason: string): Promise<'reallocated' | 'told'> {
    const { log, imds } = this.#parts;
    const action = this.#action();
    if (action !== 'reallocate' || imds === undefined) {
      log.error({ reason, action }, 'this node is not fit any more');
      return 'told';
    }
    log.error({ reason }, 'this node is not fit any more: it is given up');
    await imds.reallocate(reason);
    return 'reallocated';
  }

  async #judge(results: readonly CheckResult[], stop: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    for (const { name, outcome, detail } of results)
      log[outcome === 'passed' ? 'info' : 'warn']({ check: name, outcome, detail }, 'check of the node');
    const failed = results.filter(({ outcome }) => outcome === 'failed');
    if (failed.length === 0) return;
    const reason = failed.map(({ name, detail }) => `${name}: ${detail}`).join('; ');
    const action = this.#action();
    if (action === 'serve') log.warn({ reason }, 'this node is not fit; it serves all the same (NODE_UNFIT=serve)');
    else if (action === 'dry-run')
      log.warn({ reason, would: this.#wouldBe() }, 'this node is not fit; NODE_UNFIT=dry-run');
    else {
      if (action === 'reallocate') await this.#reallocate(reason, stop);
      throw new UnfitError(`this node is not fit: ${reason}`);
    }
  }

  /** Asks for another node and waits for the end. Where nobody grants that, the exit code tells the platform. */
  async #reallocate(reason: string, stop: AbortSignal): Promise<void> {
    const { clock, log, imds } = this.#parts;
    try {
      await imds?.reallocate(`carpool: ${reason}`);
    } catch (error) {
      log.error({ reason: messageOf(error) }, 'the reallocation was refused');
      return;
    }
    log.error({ reason }, 'this node is not fit: another one was asked for');
    await new Promise<void>((resolve) => {
      const done = (): void => {
        forget();
        resolve();
      };
      const forget = clock.after(REALLOCATION_MS, done);
      stop.addEventListener('abort', done, { once: true });
    });
  }

  #action(): 'reallocate' | 'exit' | 'serve' | 'dry-run' {
    const { NODE_UNFIT: choice } = this.#parts.config;
    return choice === 'auto' ? this.#wouldBe() : choice;
  }

  #wouldBe(): 'reallocate' | 'exit' {
    return isOnSalad(this.#parts.config) ? 'reallocate' : 'exit';
  }
}

import type { Log } from '../log.ts';

/** More models than these are counted, not named. */
const MOST_NAMED = 10;
const MESSAGE = 'this model runs one request at a time';

/**
 * Logs which models run one request at a time, and which line of model.json changes that: those of the start in one line, because a folder may hold
 * a thousand of them; those loaded later in a line each.
 */
export class AloneLog {
  readonly #log: Log;
  #waiting: Map<string, string> | undefined = new Map();

  constructor(log: Log) {
    this.#log = log;
  }

  /** A model runs alone; `why` is a reason with its cure. */
  tell(model: string, why: string): void {
    if (this.#waiting === undefined) {
      this.#log.info({ model, why }, MESSAGE);
      return;
    }
    this.#waiting.set(model, why);
    this.#log.debug({ model, why }, MESSAGE);
  }

  /**
   * What requests in the terms of its task do is another program's: only those who send tensors meet this, so it is no line for everybody who starts the
   * server.
   */
  tellTensors(model: string, why: string): void {
    this.#log.debug(
      { model, why },
      'sent as tensors, this model runs one request at a time; requests of its task share runs',
    );
  }

  /** The start is over. */
  summarise(): void {
    const told = this.#waiting ?? new Map<string, string>();
    this.#waiting = undefined;
    if (told.size === 0) return;
    const why = Object.fromEntries([...told].slice(0, MOST_NAMED));
    this.#log.info({ models: told.size, why }, 'these models run one request at a time');
  }
}

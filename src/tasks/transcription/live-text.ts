import type { ServeContext } from '../task.ts';
import type { Window } from './windows.ts';

/** What a client that streams hears of a transcription, piece by piece. */
export interface TextPiece {
  /** Text that follows what was told before. */
  readonly delta: string;
}

/** What was heard in a window, or in a part of it. */
interface Heard {
  /** Which window it belongs to. */
  readonly window: number;
}

export interface LiveTextParts<Take extends Heard> {
  readonly context: Pick<ServeContext, 'emit'>;
  readonly windows: readonly Window[];
  /** The text of some windows and of what was heard in them (`window` counts from the first of them), after the text before. */
  readonly write: (part: { windows: readonly Window[]; takes: readonly Take[]; before: string }) => Promise<string>;
}

/**
 * Tells the text of a recording while it is heard: in order, and only what will not change. Windows that share audio are joined at a seam, so they are told
 * together.
 */
export class LiveText<Take extends Heard> {
  readonly #parts: LiveTextParts<Take>;
  readonly #heard = new Map<number, readonly Take[]>();
  #next = 0;
  #told = '';
  #telling: Promise<void> = Promise.resolve();

  constructor(parts: LiveTextParts<Take>) {
    this.#parts = parts;
  }

  /** A window was heard; the one after it is known, if there is one. */
  heard(window: number, takes: readonly Take[]): void {
    this.#heard.set(window, takes);
    for (let end = this.#end(); end !== undefined; end = this.#end()) {
      const from = this.#next;
      const to = end;
      this.#next = to;
      this.#telling = this.#telling.then(() => this.#tell(from, to));
      // Whoever waits for `done` is told.
      this.#telling.catch(() => undefined);
    }
  }

  /** Resolves once all is told. Rejects as the CPU pool does. */
  async done(): Promise<void> {
    await this.#telling;
  }

  /** The window after the next ones that are told together; undefined while one of them was not heard. */
  #end(): number | undefined {
    for (let at = this.#next; this.#heard.has(at); at += 1)
      if ((this.#parts.windows[at + 1]?.overlap ?? 0) === 0) return at + 1;
    return undefined;
  }

  async #tell(from: number, to: number): Promise<void> {
    const { context, windows, write } = this.#parts;
    const takes: Take[] = [];
    for (let at = from; at < to; at += 1) {
      for (const take of this.#heard.get(at) ?? []) takes.push({ ...take, window: at - from });
      this.#heard.delete(at);
    }
    const text = await write({ windows: windows.slice(from, to), takes, before: this.#told });
    const delta = text.slice(this.#told.length);
    if (delta === '') return;
    this.#told = text;
    context.emit({ delta } satisfies TextPiece);
  }
}

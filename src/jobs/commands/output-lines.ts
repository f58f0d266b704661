import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../../core/ticket.ts';

const MOST_CHARACTERS = 4096;
const LINES_PER_SECOND = 100;
/** So many lines may come at once, if fewer came before. */
const BURST_LINES = 1000;

export interface OutputListener {
  line(text: string): void;
  /** Lines were left out, because there were too many. */
  dropped(lines: number): void;
}

/** Cuts what a program prints into lines of at most 4096 characters, and lets about 100 of them through in a second. */
export class OutputLines {
  readonly #decoder = new StringDecoder('utf8');
  readonly #clock: Clock;
  readonly #listener: OutputListener;
  #rest = '';
  #allowed = BURST_LINES;
  #allowedAtMs: number;
  #dropped = 0;

  constructor(clock: Clock, listener: OutputListener) {
    this.#clock = clock;
    this.#listener = listener;
    this.#allowedAtMs = clock.now();
  }

  write(chunk: Uint8Array): void {
    this.#cut(this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
  }

  /** Passes on what has no line end. */
  end(): void {
    this.#cut(this.#decoder.end());
    this.#pass(this.#rest);
    this.#rest = '';
    this.#tellDropped();
  }

  #cut(text: string): void {
    // A progress bar ends its lines with a carriage return.
    const lines = (this.#rest + text).split(/[\r\n]+/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#pass(line);
    if (this.#rest.length <= MOST_CHARACTERS) return;
    this.#pass(this.#rest);
    this.#rest = '';
  }

  #pass(line: string): void {
    if (line === '') return;
    const nowMs = this.#clock.now();
    const more = ((nowMs - this.#allowedAtMs) / 1000) * LINES_PER_SECOND;
    this.#allowedAtMs = nowMs;
    this.#allowed = Math.min(BURST_LINES, this.#allowed + more);
    if (this.#allowed < 1) {
      this.#dropped += 1;
      return;
    }
    this.#allowed -= 1;
    this.#tellDropped();
    this.#listener.line(line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS - 1)}…` : line);
  }

  #tellDropped(): void {
    if (this.#dropped > 0) this.#listener.dropped(this.#dropped);
    this.#dropped = 0;
  }
}

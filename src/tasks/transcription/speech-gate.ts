import { VOICE_CHUNK } from './speech-work.ts';
import { SAMPLE_RATE_HZ } from './log-mel.ts';

/** How speech is told from silence. Defaults are those of faster-whisper's `vad_parameters`. */
export interface GateSettings {
  /** Speech begins at this probability, and ends 0.15 below it. */
  readonly threshold: number;
  /** Silence is left out where it lasts at least this long. */
  readonly minSilenceMs: number;
  /** Silence that is kept before and after speech. */
  readonly padMs: number;
}

/** A stretch of the audio that is kept, in samples; `end` is not included. */
export interface Kept {
  readonly start: number;
  readonly end: number;
}

const HYSTERESIS = 0.15;
const CHUNK_MS = (VOICE_CHUNK / SAMPLE_RATE_HZ) * 1000;

/** Finds the stretches of audio in which somebody speaks, from probabilities for each 32 ms as they come. */
export class SpeechGate {
  readonly #settings: GateSettings;
  readonly #minSilence: number;
  readonly #pad: number;
  #chunks = 0;
  #speaking = false;
  /** The stretch that is open, in chunks; `end` follows the last speech. */
  #open: { start: number; end: number } | undefined;
  /** The end of the last stretch that was given out. */
  #closed = 0;

  constructor(settings: GateSettings) {
    this.#settings = settings;
    this.#pad = Math.ceil(settings.padMs / CHUNK_MS);
    this.#minSilence = Math.max(Math.ceil(settings.minSilenceMs / CHUNK_MS), 2 * this.#pad, 1);
  }

  /** The first sample that a later stretch may begin with. */
  get neededFrom(): number {
    return Math.max(this.#closed, this.#open?.end ?? this.#chunks - this.#pad) * VOICE_CHUNK;
  }

  /** Stretches that these further probabilities decide, in order; those of one stretch may come in several parts that touch. */
  add(probabilities: Float32Array): Kept[] {
    const kept: Kept[] = [];
    const { threshold } = this.#settings;
    for (const probability of probabilities) {
      this.#speaking = probability >= (this.#speaking ? threshold - HYSTERESIS : threshold);
      const at = this.#chunks;
      this.#chunks += 1;
      if (this.#speaking) {
        this.#open ??= { start: Math.max(this.#closed, at - this.#pad), end: at };
        this.#open.end = at + 1;
      } else if (this.#open !== undefined && at + 1 - this.#open.end >= this.#minSilence) this.#close(kept);
    }
    // What is surely kept need not wait for the end of a long speech.
    if (this.#open !== undefined && this.#open.end > this.#open.start) {
      kept.push(samplesOf(this.#open));
      this.#closed = this.#open.end;
      this.#open = { start: this.#open.end, end: this.#open.end };
    }
    return kept;
  }

  /** The rest, once all audio of `samples` was heard. */
  end(samples: number): Kept[] {
    const kept: Kept[] = [];
    if (this.#open !== undefined) this.#close(kept);
    return kept
      .map(({ start, end }) => ({ start, end: Math.min(samples, end) }))
      .filter(({ start, end }) => start < end);
  }

  #close(kept: Kept[]): void {
    if (this.#open === undefined) return;
    const end = Math.min(this.#chunks, this.#open.end + this.#pad);
    if (end > this.#open.start) kept.push(samplesOf({ start: this.#open.start, end }));
    this.#closed = end;
    this.#open = undefined;
  }
}

function samplesOf({ start, end }: { start: number; end: number }): Kept {
  return { start: start * VOICE_CHUNK, end: end * VOICE_CHUNK };
}

/** Where the audio that was kept lies in all of it. */
export class TimeMap {
  /** Stretches in order, each with the number of samples kept before it. Plain data. */
  readonly stretches: (Kept & { readonly before: number })[] = [];

  /** Adds a stretch; one that touches the last is joined to it. */
  add({ start, end }: Kept): void {
    const last = this.stretches.at(-1);
    if (last !== undefined && last.end === start) this.stretches[this.stretches.length - 1] = { ...last, end };
    else this.stretches.push({ start, end, before: last === undefined ? 0 : last.before + last.end - last.start });
  }
}

/** Stretches are kept with silence around them; a segment that reaches this little into one does not belong there. */
const EDGE_SECONDS = 0.5;

/** Times in the whole audio of a segment's times in what was kept of it, in seconds; the same where nothing was left out. */
export function wholeTimes(
  { start, end }: { readonly start: number; readonly end: number },
  stretches: TimeMap['stretches'],
): { start: number; end: number } {
  const first = stretches.findLastIndex(({ before }) => before <= start * SAMPLE_RATE_HZ);
  const last = Math.max(
    first,
    stretches.findLastIndex(({ before }) => before < end * SAMPLE_RATE_HZ),
  );
  const from = stretches[first];
  const to = stretches[last];
  if (from === undefined || to === undefined) return { start, end };
  const times = {
    start: start + (from.start - from.before) / SAMPLE_RATE_HZ,
    end: end + (to.start - to.before) / SAMPLE_RATE_HZ,
  };
  if (first === last) return times;
  const next = stretches[first + 1]?.start ?? to.start;
  const previous = stretches[last - 1]?.end ?? from.end;
  const early = from.end / SAMPLE_RATE_HZ - times.start < EDGE_SECONDS;
  const late = times.end - to.start / SAMPLE_RATE_HZ < EDGE_SECONDS;
  return {
    start: early ? next / SAMPLE_RATE_HZ : times.start,
    // Not both: something must be left.
    end: late && !early ? previous / SAMPLE_RATE_HZ : times.end,
  };
}

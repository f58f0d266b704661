import type { ServeContext } from '../task.ts';
import type { OpenAudio } from './decode-audio.ts';
import { SAMPLE_RATE_HZ } from './log-mel.ts';
import { PcmWriter, slicePcm, type Pcm, type StretchCall } from './pcm.ts';
import type { GateSettings, TimeMap } from './speech-gate.ts';
import { SpeechFilter } from './voice.ts';
import { WindowPlanner, type Window } from './windows.ts';

/** Windows of a group: 8 minutes, 15 MB. While one group runs, the next is decoded. */
const GROUP = 16;
/** The first group is smaller, because nothing runs while it is decoded. */
const FIRST_GROUP = 8;
/** Loudness is computed for this many samples at a time: a minute, in whole frames. */
const PIECE = 60 * SAMPLE_RATE_HZ;

export interface RecordingParts {
  readonly audio: OpenAudio;
  readonly maxSeconds: number;
  readonly context: Pick<ServeContext, 'call' | 'run'>;
  /** Leaves out audio without speech. */
  readonly gate: GateSettings | undefined;
}

/** A recording that is decoded while it is transcribed; it holds no more samples than are still needed. */
export class Recording {
  /** The windows decided so far. */
  readonly windows: readonly Window[];
  readonly #parts: RecordingParts;
  readonly #writer: PcmWriter;
  readonly #filter: SpeechFilter | undefined;
  readonly #planner = new WindowPlanner();
  #planned = 0;
  #ended = false;

  constructor(parts: RecordingParts) {
    this.#parts = parts;
    this.#writer = new PcmWriter(parts.maxSeconds);
    const { gate, maxSeconds, context } = parts;
    this.#filter = gate === undefined ? undefined : new SpeechFilter(gate, maxSeconds, context);
    this.windows = this.#planner.windows;
  }

  /** Samples so far, with those that were left out. */
  get samples(): number {
    return this.#filter?.samples ?? this.#writer.samples;
  }

  /** Where the audio that is heard lies in all of it; empty where nothing is left out. */
  get stretches(): TimeMap['stretches'] {
    return this.#filter?.stretches ?? [];
  }

  /** The audio that is heard, so far, without what was freed. */
  get pcm(): Pcm {
    return this.#writer.finish();
  }

  /**
   * Calls `hear` for one group of windows after another and awaits it, while the next group is decoded. The window after each is known by
   * then. Throws what decoding and hearing throw.
   */
  async forEachGroup(hear: (from: number, to: number) => Promise<void>): Promise<void> {
    try {
      let done = 0;
      let group = FIRST_GROUP;
      await this.#fill(group + 1);
      for (;;) {
        const to = Math.min(this.windows.length, done + group);
        group = GROUP;
        // The first failure is thrown; the other must not be left unhandled.
        await Promise.all([hear(done, to), this.#fill(to + group + 1)]);
        done = to;
        const next = this.windows[done];
        if (next === undefined) return;
        this.#writer.dropBefore(next.start);
      }
    } finally {
      await this.#parts.audio.samples.return(undefined);
    }
  }

  /** Decodes until so many windows are decided, or to the end. */
  async #fill(windows: number): Promise<void> {
    while (!this.#ended && this.windows.length < windows) {
      const piece = await this.#parts.audio.samples.next();
      if (piece.done === true) this.#ended = true;
      else (this.#filter ?? this.#writer).write(piece.value);
      await this.#filter?.forEach(this.#ended, (speech) => this.#writer.write(speech));
      const { samples } = this.pcm;
      while (samples - this.#planned >= PIECE || (this.#ended && samples > this.#planned)) {
        const end = Math.min(samples, this.#planned + PIECE);
        const stretch: StretchCall = slicePcm(this.pcm, this.#planned, end);
        this.#planner.add((await this.#parts.context.call('loudness', stretch)) as Float32Array);
        this.#planned = end;
      }
      this.#planner.plan(samples, this.#ended);
    }
  }
}

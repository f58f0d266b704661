import type { ServeContext } from '../task.ts';
import type { OpenAudio } from './decode-audio.ts';
import type { StretchCall } from './listening.ts';
import { SAMPLE_RATE_HZ } from './log-mel.ts';
import { PcmWriter, slicePcm, type Pcm } from './pcm.ts';
import { WindowPlanner, type Window } from './windows.ts';

/** Windows decoded before they are listened to: 8 minutes, 15 MB. While those run, as many are decoded. */
const GROUP = 16;
/** Before the first there is nothing to decode beside. */
const FIRST_GROUP = 8;
/** Loudness is looked at for so many samples at a time: a minute, in whole frames. */
const PIECE = 60 * SAMPLE_RATE_HZ;

export interface RecordingParts {
  readonly audio: OpenAudio;
  readonly maxSeconds: number;
  readonly context: Pick<ServeContext, 'call'>;
}

/** A recording that is decoded as it is transcribed: of its samples, no more is held than is waited for. */
export class Recording {
  /** All that are decided. */
  readonly windows: readonly Window[];
  readonly #parts: RecordingParts;
  readonly #writer: PcmWriter;
  readonly #planner = new WindowPlanner();
  #planned = 0;
  #ended = false;

  constructor(parts: RecordingParts) {
    this.#parts = parts;
    this.#writer = new PcmWriter(parts.maxSeconds);
    this.windows = this.#planner.windows;
  }

  /** What has come so far, but for what was let go of. */
  get pcm(): Pcm {
    return this.#writer.finish();
  }

  /**
   * Gives windows group by group to `hear`, which is awaited; the next group is decoded meanwhile. Of each window the next one is known by
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
        // Whichever fails first is told; the other must not go unheard.
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
      else this.#writer.writeWhole(piece.value);
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

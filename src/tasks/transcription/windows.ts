import { SAMPLE_RATE_HZ, WINDOW_SAMPLES } from './log-mel.ts';
import { readPcm, type Pcm } from './pcm.ts';

/** A stretch of audio that is transcribed in one go: at most 30 s. */
export interface Window {
  /** In samples; `end` is not included. */
  readonly start: number;
  readonly end: number;
  /** Samples it shares with the window before it; 0 where the cut is in a pause. */
  readonly overlap: number;
  /** Where the last sound louder than a pause ends. */
  readonly speechEnd: number;
}

/** Loudness is looked at in frames of 20 ms. */
const FRAME = SAMPLE_RATE_HZ / 50;
const FRAMES_PER_SECOND = SAMPLE_RATE_HZ / FRAME;
const WINDOW_FRAMES = WINDOW_SAMPLES / FRAME;

/** Quieter frames are silent (an amplitude of 10 of 32768). */
const SILENCE_DB = -70;
/** Silence before a window is left out except for this much. */
const LEAD_FRAMES = 0.2 * FRAMES_PER_SECOND;

/** A cut is made in a pause of the last 6 s of 30, else of the last 12; in a long one, where a sentence is likely to end, and a late one, as every window costs the same. */
const LEAST_PAUSE_FRAMES = 0.2 * FRAMES_PER_SECOND;
const LONG_PAUSE_FRAMES = 1.2 * FRAMES_PER_SECOND;
const SEARCH_FRAMES = [6 * FRAMES_PER_SECOND, 12 * FRAMES_PER_SECOND];
/** How much longer a pause must be for each frame that it is earlier. */
const LATENESS = 0.08;
/** Without a pause, windows overlap by this much. */
const OVERLAP_FRAMES = 5 * FRAMES_PER_SECOND;

/**
 * Cuts audio into windows as it comes, as long as they can be, with cuts in pauses where there are any. Silence is left out, so silent audio has
 * no windows.
 */
export class WindowPlanner {
  readonly windows: Window[] = [];
  #levels = new Float32Array(0);
  #frames = 0;
  #from = 0;
  #overlap = 0;

  /** Adds the loudness of the next frames; a last, partial frame counts as a whole one. */
  add(levels: Float32Array): void {
    const frames = this.#frames + levels.length;
    if (frames > this.#levels.length) {
      const grown = new Float32Array(2 * frames);
      grown.set(this.#levels.subarray(0, this.#frames));
      this.#levels = grown;
    }
    this.#levels.set(levels, this.#frames);
    this.#frames = frames;
  }

  /** Adds the windows that the audio so far decides: `samples` of it, and no more to come where `ended`. */
  plan(samples: number, ended: boolean): void {
    const levels = this.#levels.subarray(0, this.#frames);
    while (this.#from < levels.length) {
      const begin = this.#overlap > 0 ? this.#from : afterSilence(levels, this.#from);
      const isRest = levels.length - begin <= WINDOW_FRAMES;
      if (begin >= levels.length || (isRest && !ended)) return;
      const end = isRest ? levels.length : cutAt(levels, begin);
      const next = end ?? begin + WINDOW_FRAMES;
      this.windows.push({
        start: begin * FRAME,
        end: Math.min(samples, next * FRAME),
        overlap: this.#overlap * FRAME,
        speechEnd: Math.min(samples, lastSound(levels, begin, next) * FRAME),
      });
      this.#overlap = end === undefined ? OVERLAP_FRAMES : 0;
      this.#from = next >= levels.length ? levels.length : next - this.#overlap;
    }
  }
}

/** RMS of each frame of 20 ms from `start` to `end` in dB of full scale; -Infinity for zeros. */
export function loudness(pcm: Pcm, start: number, end: number): Float32Array<ArrayBuffer> {
  const levels = new Float32Array(Math.ceil((end - start) / FRAME));
  const piece = FRAME * 500;
  for (let from = start; from < end; from += piece) {
    const samples = readPcm(pcm, from, Math.min(end, from + piece));
    for (let at = 0; at < samples.length; at += FRAME) {
      const last = Math.min(samples.length, at + FRAME);
      let sum = 0;
      for (let index = at; index < last; index += 1) sum += (samples[index] as number) ** 2;
      levels[(from - start + at) / FRAME] = 10 * Math.log10(sum / (last - at));
    }
  }
  return levels;
}

/** The frame to begin at, a moment before the first audible one; the number of frames where there is none. */
function afterSilence(levels: Float32Array, from: number): number {
  let at = from;
  while (at < levels.length && (levels[at] as number) < SILENCE_DB) at += 1;
  return at === levels.length ? at : Math.max(from, at - LEAD_FRAMES);
}

/** The frame after the last one that is louder than a pause. */
function lastSound(levels: Float32Array, begin: number, end: number): number {
  const window = levels.subarray(begin, end);
  const limit = pauseLevel(window) ?? SILENCE_DB;
  return begin + window.findLastIndex((level) => level >= limit) + 1;
}

/** The middle of the pause to cut in, within 30 s of `begin`; undefined where there is none. */
function cutAt(levels: Float32Array, begin: number): number | undefined {
  const window = levels.subarray(begin, begin + WINDOW_FRAMES);
  const limit = pauseLevel(window);
  if (limit === undefined) return undefined;
  const pauses = pausesBelow(window, limit).filter(({ start, end }) => end - start >= LEAST_PAUSE_FRAMES);
  for (const search of SEARCH_FRAMES) {
    const pause = best(pauses.filter(({ end }) => end >= WINDOW_FRAMES - search));
    if (pause !== undefined) return begin + Math.floor((pause.start + pause.end) / 2);
  }
  return undefined;
}

interface Pause {
  readonly start: number;
  readonly end: number;
}

function best(pauses: readonly Pause[]): Pause | undefined {
  let chosen: Pause | undefined;
  let most = -Infinity;
  for (const pause of pauses) {
    const score = Math.min(pause.end - pause.start, LONG_PAUSE_FRAMES) + LATENESS * pause.end;
    if (score < most) continue;
    most = score;
    chosen = pause;
  }
  return chosen;
}

/**
 * The level below which a frame is a pause: 30 dB below the loud frames, or a little above the noise between words where that is louder.
 * Undefined where quiet and loud hardly differ: that is not speech with pauses.
 */
function pauseLevel(window: Float32Array): number | undefined {
  const sorted = Float32Array.from(window).sort();
  const quiet = sorted[Math.floor(sorted.length * 0.05)] as number;
  const loud = sorted[Math.floor(sorted.length * 0.95)] as number;
  const limit = Math.max(quiet + 6, loud - 30);
  return limit <= loud - 12 ? limit : undefined;
}

function pausesBelow(window: Float32Array, limit: number): Pause[] {
  const pauses: Pause[] = [];
  let start: number | undefined;
  for (let at = 0; at <= window.length; at += 1) {
    const quiet = at < window.length && (window[at] as number) < limit;
    if (quiet) start ??= at;
    else if (start !== undefined) {
      pauses.push({ start, end: at });
      start = undefined;
    }
  }
  return pauses;
}
